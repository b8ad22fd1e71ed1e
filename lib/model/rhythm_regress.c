/* SPDX-License-Identifier: MIT */
/* Both regressions: weighted ridge, Huber's weights by iteration. */
#include <math.h>
#include <string.h>

#include "math/dot.h"
#include "math/linalg.h"
#include "model/rhythm.h"

#define ROUNDS 3u            /* of fitting; Huber's weights from the second on */
#define HUBER 1.5F           /* in robust standard deviations */
#define FADE 0.336           /* forgetting per longest season */
#define LAG_RIDGE 1e-5       /* share of the diagonal */
#define AR_RIDGE 1e-4
#define MOST_COLUMNS PSHI_RHYTHM_COEFS

/* y on columns, rows by weights. All point into history or work. */
typedef struct fitting {
    const float *column[MOST_COLUMNS];
    const float *y;
    uint32_t columns;
    size_t rows;
    const float *base;   /* Shape [rows]: weights to begin with */
    float *weight;       /* Shape [rows] */
    float *weighted;     /* Shape [rows]: a column times weight */
    float *residual;     /* Shape [rows] */
    float *sorted;       /* Shape [rows] */
} fitting;

size_t pshi_rhythm_regress_work(size_t n) {
    return 6 * n;
}

/* Middle of n >= 1 values, which are reordered: Hoare's selection. */
static float median_of(float *x, size_t n) {
    size_t low = 0, high = n - 1, k = n / 2, i, j;
    float pivot, swap;

    while (low < high) {
        pivot = x[low + (high - low) / 2];
        i = low;
        j = high;
        do {
            while (x[i] < pivot)
                i++;
            while (pivot < x[j])
                j--;
            if (i <= j) {
                swap = x[i];
                x[i++] = x[j];
                x[j] = swap;
                if (j == 0)
                    break;
                j--;
            }
        } while (i <= j);
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            break;
    }
    return x[k];
}

static void multiply(float *out, const float *a, const float *b, size_t n) {
    size_t i;

    for (i = 0; i < n; i++)
        out[i] = a[i] * b[i];
}

static void normal_equations(const fitting *f, double *gram, double *rhs) {
    uint32_t n = f->columns, i, j, k;
    const float *four[4];
    float sums[4];

    for (i = 0; i < n; i++) {
        multiply(f->weighted, f->weight, f->column[i], f->rows);
        rhs[i] = (double)pshi_dot(f->weighted, f->y, f->rows);
        for (j = 0; j <= i; j += 4) {
            for (k = 0; k < 4; k++)
                four[k] = f->column[j + k <= i ? j + k : i];
            pshi_dot4(f->weighted, four, f->rows, sums);
            for (k = 0; k < 4 && j + k <= i; k++)
                gram[i * n + j + k] = (double)sums[k];
        }
    }
}

static void reweigh(const fitting *f, const float *coef) {
    float bound;
    uint32_t k;
    size_t i;

    memcpy(f->residual, f->y, f->rows * sizeof(float));
    for (k = 0; k < f->columns; k++)
        pshi_axpy(f->residual, -coef[k], f->column[k], f->rows);
    for (i = 0; i < f->rows; i++)
        f->sorted[i] = f->residual[i] = fabsf(f->residual[i]);
    bound = HUBER * 1.4826F * median_of(f->sorted, f->rows) + 1e-9F;
    for (i = 0; i < f->rows; i++)
        f->weight[i] = f->base[i] * (f->residual[i] > bound ? bound / f->residual[i] : 1);
}

/* Leaves coefficients of 0 where there is no solution. */
static void fit_columns(const fitting *f, double ridge, float *coef) {
    double gram[MOST_COLUMNS * MOST_COLUMNS], rhs[MOST_COLUMNS], penalty[MOST_COLUMNS];
    uint32_t round, i;

    memcpy(f->weight, f->base, f->rows * sizeof(float));
    for (round = 0; round < ROUNDS; round++) {
        if (round)
            reweigh(f, coef);
        normal_equations(f, gram, rhs);
        for (i = 0; i < f->columns; i++)
            penalty[i] = ridge * gram[i * f->columns + i] + 1e-9;
        (void)pshi_ridge(gram, rhs, penalty, f->columns);
        for (i = 0; i < f->columns; i++)
            coef[i] = (float)(rhs[i] > 1e5 ? 1e5 : rhs[i] < -1e5 ? -1e5 : rhs[i]);
    }
}

static void add_lag(uint32_t *lag, uint32_t *count, uint32_t most, int64_t x) {
    if (*count < most && x > 0 && (!*count || x > (int64_t)lag[*count - 1]))
        lag[(*count)++] = (uint32_t)x;
}

/* 1 to 3, then around the short season, twice it, the long less the short, and the long; what repeats falls out. */
static void choose_lags(pshi_rhythm *r) {
    static const int8_t around[][2] = { { 1, 0 }, { 2, 0 } };
    int64_t s = r->season[0], m = r->profiles == 2 ? r->season[1] : 0;
    uint32_t i;

    r->lag_count = 0;
    for (i = 1; i <= 3; i++)
        add_lag(r->lag, &r->lag_count, PSHI_RHYTHM_LAGS, i);
    for (i = 0; i < 2; i++) {
        add_lag(r->lag, &r->lag_count, PSHI_RHYTHM_LAGS, around[i][0] * s - 1);
        add_lag(r->lag, &r->lag_count, PSHI_RHYTHM_LAGS, around[i][0] * s);
        add_lag(r->lag, &r->lag_count, PSHI_RHYTHM_LAGS, around[i][0] * s + 1);
    }
    for (i = 0; i < 3 && m; i++)
        add_lag(r->lag, &r->lag_count, PSHI_RHYTHM_LAGS, m - s - 1 + i);
    for (i = 0; i < 4 && m; i++)
        add_lag(r->lag, &r->lag_count, PSHI_RHYTHM_LAGS, m - 1 + i);
}

static void choose_ar(pshi_rhythm *r) {
    uint32_t i;

    r->ar_count = 0;
    for (i = 1; i <= 3; i++)
        add_lag(r->ar_lag, &r->ar_count, PSHI_RHYTHM_AR, i);
    add_lag(r->ar_lag, &r->ar_count, PSHI_RHYTHM_AR, r->season[0]);
    add_lag(r->ar_lag, &r->ar_count, PSHI_RHYTHM_AR, (int64_t)r->season[0] + 1);
    add_lag(r->ar_lag, &r->ar_count, PSHI_RHYTHM_AR, 2 * (int64_t)r->season[0]);
}

/* 1, then less with age; 0 for what teaches nothing. */
static void base_weights(const pshi_rhythm *r, const pshi_rhythm_history *h, size_t first, float *out) {
    float w = 1, keep = (float)exp(-FADE / pshi_rhythm_longest(r));
    size_t i = h->n;

    while (i-- > first) {
        out[i - first] = h->skip && h->skip[i] ? 0 : w;
        w *= keep;
    }
}

static void place_work(fitting *f, size_t rows, float *work, const float *base) {
    f->rows = rows;
    f->base = base;
    f->weight = work;
    f->weighted = work + rows;
    f->residual = work + 2 * rows;
    f->sorted = work + 3 * rows;
}

static void fit_lags(pshi_rhythm *r, const pshi_rhythm_history *h, float *work) {
    size_t first = h->first, rows = h->n - first, i;
    float *ones = work, *base = work + rows;
    fitting f = { { NULL } };
    uint32_t k;

    for (i = 0; i < rows; i++)
        ones[i] = 1;
    base_weights(r, h, first, base);
    place_work(&f, rows, base + rows, base);
    f.y = h->z + first;
    f.column[f.columns++] = ones;
    for (k = 0; k < r->lag_count; k++)
        f.column[f.columns++] = h->z + first - r->lag[k];
    for (k = 0; k < r->profiles; k++) {
        f.column[f.columns++] = h->p[k] + first;
        f.column[f.columns++] = h->p[k] + first - 1;
    }
    fit_columns(&f, LAG_RIDGE, r->coef);
}

static void fit_ar(pshi_rhythm *r, const pshi_rhythm_history *h, size_t first, float *work) {
    size_t rows = h->n - first;
    fitting f = { { NULL } };
    uint32_t k;

    base_weights(r, h, first, work);
    place_work(&f, rows, work + rows, work);
    f.y = h->rest + first;
    for (k = 0; k < r->ar_count; k++)
        f.column[f.columns++] = h->rest + first - r->ar_lag[k];
    fit_columns(&f, AR_RIDGE, r->ar);
}

void pshi_rhythm_regress(pshi_rhythm *r, const pshi_rhythm_history *h, float *work) {
    size_t after = (size_t)pshi_rhythm_longest(r) + 2 * r->season[0] + 1; /* rests are known from a season on */

    r->lag_count = 0;
    r->ar_count = 0;
    r->members = (1u << PSHI_RHYTHM_MEMBERS) - 1 - 3;
    if (!r->season[0])
        return;
    choose_lags(r);
    if (h->n >= h->first + 3 * (size_t)PSHI_RHYTHM_COEFS) {
        fit_lags(r, h, work);
        r->members |= 1;
    } else {
        r->lag_count = 0;
    }
    if (h->n >= 2 * (size_t)pshi_rhythm_longest(r))
        r->members |= 2;
    if (h->n >= after + 4 * PSHI_RHYTHM_AR) {
        choose_ar(r);
        fit_ar(r, h, after, work);
    }
}
