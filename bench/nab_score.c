/* SPDX-License-Identifier: MIT */
#include "nab_score.h"

#include <math.h>
#include <stdlib.h>

#define LONG_PAST 3.0 /* windows after a window, from where on an alarm has nothing to do with it */

/* One row above the threshold of all so far. */
typedef struct point {
    double score;
    double worth;
    size_t group; /* the window among all, or SIZE_MAX */
} point;

size_t nab_probation(size_t n) {
    size_t share = (size_t)floor(0.15 * (double)n);

    return share < 750 ? share : 750;
}

static double sigmoid(double place) {
    return place >= LONG_PAST ? -1 : 2 / (1 + exp(5 * place)) - 1;
}

double nab_row(const nab_series *s, size_t row, size_t *window) {
    const nab_window *before = NULL, *w;
    size_t k;

    for (k = 0; k < s->window_count && s->windows[k].first <= row; k++) {
        w = &s->windows[k];
        if (row <= w->last) {
            *window = k;
            return sigmoid(-(double)(w->last - row + 1) / (double)(w->last - w->first + 1)) / sigmoid(-1);
        }
        before = w;
    }
    *window = s->window_count;
    if (!before)
        return -1;
    if (before->last == before->first)
        return -1;
    return sigmoid((double)(row - before->last) / (double)(before->last - before->first));
}

double nab_raw(const nab_series *s, const nab_profile *p, double threshold) {
    double total = 0, best = -p->fn, worth;
    size_t i, k, open = s->window_count;

    total = -p->fn * (double)s->window_count;
    for (i = s->probation; i < s->n; i++) {
        if (!(s->score[i] >= threshold))
            continue;
        worth = nab_row(s, i, &k);
        if (k == s->window_count) {
            total += p->fp * worth;
            continue;
        }
        best = k == open ? best : -p->fn;
        open = k;
        if (p->tp * worth > best) {
            total += p->tp * worth - best;
            best = p->tp * worth;
        }
    }
    return total;
}

static int by_score(const void *a, const void *b) {
    double x = ((const point *)a)->score, y = ((const point *)b)->score;

    return x < y ? 1 : x > y ? -1 : 0;
}

static size_t collect(
    const nab_series *s, size_t count, const unsigned char *use, const nab_profile *p, point *points,
    size_t *groups) {
    size_t i, j, k, n = 0;

    *groups = 0;
    for (i = 0; i < count; i++) {
        if (use && !use[i])
            continue;
        for (j = s[i].probation; j < s[i].n; j++) {
            points[n].score = s[i].score[j];
            points[n].worth = nab_row(&s[i], j, &k);
            points[n].group = k == s[i].window_count ? (size_t)-1 : *groups + k;
            points[n++].worth *= k == s[i].window_count ? p->fp : p->tp;
        }
        *groups += s[i].window_count;
    }
    qsort(points, n, sizeof *points, by_score);
    return n;
}

static double sweep(
    const point *points, size_t n, double *best, size_t groups, const nab_profile *p, double *threshold) {
    double sum = -p->fn * (double)groups, most = sum;
    size_t i;

    *threshold = 1.1;
    for (i = 0; i < groups; i++)
        best[i] = -p->fn;
    for (i = 0; i < n; i++) {
        if (points[i].group == (size_t)-1) {
            sum += points[i].worth;
        } else if (points[i].worth > best[points[i].group]) {
            sum += points[i].worth - best[points[i].group];
            best[points[i].group] = points[i].worth;
        }
        if ((i + 1 == n || points[i + 1].score < points[i].score) && sum > most) {
            most = sum;
            *threshold = points[i].score;
        }
    }
    return most;
}

double nab_best(
    const nab_series *s, size_t count, const unsigned char *use, const nab_profile *p, double *threshold) {
    size_t i, rows = 1, windows = 1, n, groups;
    point *points;
    double *best, most = (double)NAN;

    for (i = 0; i < count; i++) {
        rows += s[i].n;
        windows += s[i].window_count;
    }
    points = calloc(rows, sizeof *points);
    best = calloc(windows, sizeof *best);
    if (points && best) {
        n = collect(s, count, use, p, points, &groups);
        most = sweep(points, n, best, groups, p, threshold);
    }
    free(points);
    free(best);
    return most;
}

double nab_normal(double raw, size_t windows, const nab_profile *p) {
    return windows ? 100 * (raw / (double)windows + p->fn) / (p->tp + p->fn) : (double)NAN;
}
