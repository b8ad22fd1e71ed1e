/* SPDX-License-Identifier: MIT */
#include "scores.h"

#include <math.h>
#include <stdlib.h>

#include "tool.h"

#define Z90 1.645    /* as the organisers of M4 round it */
#define MISS95 0.05

double score_smape(const double *y, const double *f, size_t h) {
    double sum = 0, size;
    size_t i;

    for (i = 0; i < h; i++) {
        size = fabs(y[i]) + fabs(f[i]);
        sum += size > 0 ? 200 * fabs(y[i] - f[i]) / size : 0;
    }
    return h ? sum / (double)h : (double)NAN;
}

double score_mae(const double *y, const double *f, size_t h) {
    double sum = 0;
    size_t i;

    for (i = 0; i < h; i++)
        sum += fabs(y[i] - f[i]);
    return h ? sum / (double)h : (double)NAN;
}

double score_scale(const double *train, size_t n, uint32_t m) {
    double scale = n > m ? score_mae(train + m, train, n - m) : (double)NAN;

    return scale > 0 ? scale : (double)NAN;
}

double score_interval(const double *y, const double *low, const double *high, size_t h, double alpha) {
    double sum = 0;
    size_t i;

    for (i = 0; i < h; i++) {
        sum += high[i] - low[i];
        if (y[i] < low[i])
            sum += 2 / alpha * (low[i] - y[i]);
        if (y[i] > high[i])
            sum += 2 / alpha * (y[i] - high[i]);
    }
    return h ? sum / (double)h : (double)NAN;
}

size_t score_inside(const double *y, const double *low, const double *high, size_t h) {
    size_t i, inside = 0;

    for (i = 0; i < h; i++)
        inside += y[i] >= low[i] && y[i] <= high[i];
    return inside;
}

static double mean_square(const double *a, const double *b, size_t n) {
    double sum = 0;
    size_t i;

    for (i = 0; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return n ? sum / (double)n : (double)NAN;
}

double score_rmsse(const double *train, size_t n, const double *y, const double *f, size_t h) {
    double scale = n > 1 ? mean_square(train + 1, train, n - 1) : (double)NAN;

    return scale > 0 ? sqrt(mean_square(y, f, h) / scale) : (double)NAN;
}

static double covariance(const double *x, size_t n, double mean, uint32_t lag) {
    double sum = 0;
    size_t i;

    for (i = lag; i < n; i++)
        sum += (x[i] - mean) * (x[i - lag] - mean);
    return sum;
}

static double mean_of(const double *x, size_t n) {
    double sum = 0;
    size_t i;

    for (i = 0; i < n; i++)
        sum += x[i];
    return n ? sum / (double)n : (double)NAN;
}

int score_is_seasonal(const double *train, size_t n, uint32_t m) {
    double mean, all, r, sum = 1;
    uint32_t k;

    if (m < 2 || n < 3 * (size_t)m || m > floor(10 * log10((double)n)))
        return 0;
    mean = mean_of(train, n);
    all = covariance(train, n, mean, 0);
    if (!(all > 0))
        return 0;
    for (k = 1; k < m; k++) {
        r = covariance(train, n, mean, k) / all;
        sum += 2 * r * r;
    }
    /* R's cumsum takes the square of lag m - 1 last into the limit of lag m. */
    return fabs(covariance(train, n, mean, m) / all) > Z90 / sqrt((double)n) * sqrt(sum);
}

/* The centred moving average over a season at i; ends count half where m is even. */
static double trend_at(const double *x, size_t i, uint32_t m) {
    size_t half = m / 2, k;
    double sum = m % 2 ? 0 : -(x[i - half] + x[i + half]) / 2;

    for (k = i - half; k <= i + half; k++)
        sum += x[k];
    return sum / m;
}

int score_seasonal_indices(const double *train, size_t n, uint32_t m, double *index) {
    size_t half = m / 2, i, k, count;
    double sum, mean;

    if (n < 2 * (size_t)m)
        return 0;
    for (k = 0; k < m; k++) {
        sum = 0;
        count = 0;
        for (i = k < half ? k + m : k; i + half < n; i += m, count++)
            sum += train[i] / trend_at(train, i, m);
        index[k] = count ? sum / (double)count : (double)NAN;
    }
    mean = mean_of(index, m);
    for (k = 0; k < m; k++)
        index[k] /= mean;
    for (k = 0; k < m; k++)
        if (!isfinite(index[k]) || index[k] == 0)
            return 0;
    return 1;
}

void score_naive2(const double *train, size_t n, uint32_t m, double *f, size_t h) {
    double *index = bench_alloc(m, sizeof *index);
    int seasonal = score_is_seasonal(train, n, m) && score_seasonal_indices(train, n, m, index);
    double last = train[n - 1];
    size_t i;

    if (seasonal)
        last /= index[(n - 1) % m];
    for (i = 0; i < h; i++)
        f[i] = seasonal ? last * index[(n + i) % m] : last;
    free(index);
}

typedef struct event {
    double p;
    size_t i;
    uint8_t happened;
} event;

static int by_p(const void *x, const void *y) {
    const event *a = x, *b = y;

    if (a->p != b->p)
        return a->p < b->p ? -1 : 1;
    return a->i < b->i ? -1 : a->i > b->i;
}

double score_ece(const double *p, const uint8_t *happened, size_t n, uint32_t bins) {
    event *e = bench_alloc(n, sizeof *e);
    double sum = 0, gap;
    size_t i = 0, end;
    uint32_t b;

    for (; i < n; i++)
        e[i] = (event){ p[i], i, happened[i] };
    qsort(e, n, sizeof *e, by_p);
    for (i = 0, b = 1; b <= bins; b++) {
        end = n * b / bins;
        for (gap = 0; i < end; i++)
            gap += e[i].p - e[i].happened;
        sum += fabs(gap);
    }
    free(e);
    return n ? sum / (double)n : (double)NAN;
}

static void count_inside(tally *t, const judged *j) {
    size_t i, part, inside;

    for (i = 0; i < j->h; i++) {
        part = i * SCORE_PARTS / j->h;
        inside = score_inside(j->test + i, j->low + i, j->high + i, 1);
        t->inside_of[part] += (double)inside;
        t->points_of[part]++;
        t->inside += (double)inside;
    }
    t->points += (double)j->h;
}

void tally_add(tally *t, const judged *j) {
    double scale = score_scale(j->train, j->n, j->m);
    double *naive2 = bench_alloc(j->h, sizeof *naive2);

    score_naive2(j->train, j->n, j->m, naive2, j->h);
    t->series++;
    t->smape += score_smape(j->test, j->mean, j->h);
    t->smape2 += score_smape(j->test, naive2, j->h);
    if (scale > 0) {
        t->scaled++;
        t->mase += score_mae(j->test, j->mean, j->h) / scale;
        t->mase2 += score_mae(j->test, naive2, j->h) / scale;
        t->msis += score_interval(j->test, j->low, j->high, j->h, MISS95) / scale;
    }
    count_inside(t, j);
    free(naive2);
}

double tally_owa(const tally *t) {
    return (t->smape / t->smape2 + t->mase / t->mase2) / 2;
}

double score_log_mean(const double *levels, const double *q, size_t n) {
    double sum = 0;
    size_t i;

    if (!n)
        return (double)NAN;
    sum = levels[0] * log1p(q[0]) + (1 - levels[n - 1]) * log1p(q[n - 1]);
    for (i = 1; i < n; i++)
        sum += (levels[i] - levels[i - 1]) * (log1p(q[i]) + log1p(q[i - 1])) / 2;
    return sum;
}
