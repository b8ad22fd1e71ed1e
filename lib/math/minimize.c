/* SPDX-License-Identifier: MIT */
#include "math/minimize.h"

#include <math.h>
#include <string.h>

#define POINTS (PSHI_MINIMIZE_MOST + 1)

typedef struct simplex {
    pshi_target f;
    void *user;
    size_t n;
    uint32_t calls;
    double x[POINTS][PSHI_MINIMIZE_MOST]; /* ascending by value */
    double value[POINTS];
    double centre[PSHI_MINIMIZE_MOST];    /* of all but the worst */
} simplex;

static double value_at(simplex *s, const double *x) {
    double v = s->f(s->user, x);

    s->calls++;
    return isnan(v) ? HUGE_VAL : v;
}

/* Moves point i to its place among the i before it; of equals the older stays first. */
static void settle(simplex *s, size_t i) {
    double x[PSHI_MINIMIZE_MOST], v = s->value[i];

    memcpy(x, s->x[i], s->n * sizeof *x);
    while (i > 0 && v < s->value[i - 1]) {
        memcpy(s->x[i], s->x[i - 1], s->n * sizeof *x);
        s->value[i] = s->value[i - 1];
        i--;
    }
    memcpy(s->x[i], x, s->n * sizeof *x);
    s->value[i] = v;
}

static void find_centre(simplex *s) {
    size_t i, j;

    for (j = 0; j < s->n; j++) {
        s->centre[j] = 0;
        for (i = 0; i < s->n; i++)
            s->centre[j] += s->x[i][j];
        s->centre[j] /= (double)s->n;
    }
}

/* centre + by (centre - worst) */
static double try_at(simplex *s, double by, double *x) {
    size_t j;

    for (j = 0; j < s->n; j++)
        x[j] = s->centre[j] + by * (s->centre[j] - s->x[s->n][j]);
    return value_at(s, x);
}

static void replace_worst(simplex *s, const double *x, double value) {
    memcpy(s->x[s->n], x, s->n * sizeof *x);
    s->value[s->n] = value;
    settle(s, s->n);
}

static void shrink(simplex *s, double by) {
    size_t i, j;

    for (i = 1; i <= s->n; i++) {
        for (j = 0; j < s->n; j++)
            s->x[i][j] = s->x[0][j] + by * (s->x[i][j] - s->x[0][j]);
        s->value[i] = value_at(s, s->x[i]);
    }
    for (i = 1; i <= s->n; i++)
        settle(s, i);
}

static void move_worst(simplex *s) {
    double n = s->n > 2 ? (double)s->n : 2;
    double expand = 1 + 2 / n, contract = 0.75 - 1 / (2 * n), shrinkage = 1 - 1 / n;
    double x[PSHI_MINIMIZE_MOST], y[PSHI_MINIMIZE_MOST], vx, vy;

    find_centre(s);
    vx = try_at(s, 1, x);
    if (vx < s->value[0]) {
        vy = try_at(s, expand, y);
        replace_worst(s, vy < vx ? y : x, vy < vx ? vy : vx);
    } else if (vx < s->value[s->n - 1]) {
        replace_worst(s, x, vx);
    } else {
        vy = try_at(s, vx < s->value[s->n] ? contract : -contract, y);
        if (vy < (vx < s->value[s->n] ? vx : s->value[s->n]))
            replace_worst(s, y, vy);
        else
            shrink(s, shrinkage);
    }
}

double pshi_minimize(
    pshi_target f, void *user, double *x, const double *step, size_t n, uint32_t most, double tolerance) {
    simplex s = { f, user, n, 0 };
    size_t i;

    for (i = 0; i <= n; i++) {
        memcpy(s.x[i], x, n * sizeof *x);
        if (i)
            s.x[i][i - 1] += step[i - 1];
        s.value[i] = value_at(&s, s.x[i]);
    }
    for (i = 1; i <= n; i++)
        settle(&s, i);
    while (n && s.calls < most && !(s.value[n] - s.value[0] <= tolerance * (fabs(s.value[0]) + 1e-300)))
        move_worst(&s);
    memcpy(x, s.x[0], n * sizeof *x);
    return s.value[0];
}
