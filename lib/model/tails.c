/* SPDX-License-Identifier: MIT */
#include "model/tails.h"

#include <math.h>
#include <string.h>

#include "math/stats.h"

#define LEAST_VALUES 20u
#define TAIL_SHARE 0.02
#define LEAST_TAIL 10u
#define LEAST_SCALE 0.05 /* of the tail, in distances from the 10 % to the 90 % quantile */
#define MOST_SHAPE 0.5   /* heavier tails than this have no variance to go by */
#define MOST 0x1p110
#define NATS 2.302585092994046 /* in a factor of ten */

/* Into a descending list that holds the `*count` largest of n values: complete as far as it goes. */
static void keep(float *list, uint32_t *count, uint32_t n, float x) {
    uint32_t i = *count;

    if (i < n && i && !(x > list[i - 1]))
        return;
    if (i == PSHI_TAILS_KEEP) {
        if (!(x > list[i - 1]))
            return;
        i--;
    } else {
        (*count)++;
    }
    for (; i > 0 && list[i - 1] < x; i--)
        list[i] = list[i - 1];
    list[i] = x;
}

static void sample(pshi_tails *t, float x) {
    uint32_t i;

    if (t->due > 1) {
        t->due--;
        return;
    }
    if (t->middle_count == PSHI_TAILS_MIDDLE) {
        for (i = 0; 2 * i + 1 < PSHI_TAILS_MIDDLE; i++)
            t->middle[i] = t->middle[2 * i + (i & 1)];
        t->middle_count = i;
        t->stride *= t->stride < PSHI_TAILS_MOST ? 2 : 1;
    }
    t->due = t->stride;
    pshi_sorted_insert(t->middle, t->middle_count, x);
    t->middle_count++;
}

static void thin(float *list, uint32_t *count) {
    uint32_t i;

    for (i = 0; 2 * i < *count; i++)
        list[i] = list[2 * i];
    *count = i;
}

void pshi_tails_add(pshi_tails *t, double x) {
    float f = (float)(x > MOST ? MOST : x < -MOST ? -MOST : x);

    if (!t->stride)
        t->stride = 1;
    if (t->n >= PSHI_TAILS_MOST) {
        t->n /= 2;
        t->stride = t->stride > 1 ? t->stride / 2 : 1;
        thin(t->high, &t->high_count);
        thin(t->low, &t->low_count);
    }
    keep(t->high, &t->high_count, t->n, f);
    keep(t->low, &t->low_count, t->n, -f);
    sample(t, f);
    t->n++;
}

double pshi_tails_quantile(const pshi_tails *t, double p) {
    return t->middle_count ? (double)t->middle[(uint32_t)((t->middle_count - 1) * p)] : 0;
}

static uint32_t at_most(const pshi_tails *t, float x) {
    uint32_t low = 0, high = t->middle_count, mid;

    while (low < high) {
        mid = (low + high) / 2;
        if (t->middle[mid] <= x)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

double pshi_tails_share(const pshi_tails *t, double x) {
    return t->middle_count ? (double)at_most(t, (float)x) / t->middle_count : 0;
}

/* Inside the middle: by rank in the sample, negated with the sample for the lower tail. */
static double middle_surprise(const pshi_tails *t, float x, int up) {
    uint32_t below = at_most(t, x), i = below, m = t->middle_count;

    while (i > 0 && !(t->middle[i - 1] < x))
        i--;
    return -log10(((up ? m - i : below) + 0.5) / (m + 1.0));
}

static double mean_excess(const float *list, uint32_t k, double least) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < k; i++)
        sum += (double)list[i] - (double)list[k];
    return sum / k > least ? sum / k : least;
}

/* How far beyond the threshold list[k], in nats. */
static double beyond(const float *list, uint32_t k, double x, double mean) {
    double u = (double)list[k], square = 0, d, shape, cv;
    uint32_t i;

    for (i = 0; i < k; i++) {
        d = (double)list[i] - u - mean;
        square += d * d;
    }
    cv = square / k / (mean * mean);
    shape = cv > 1 ? 0.5 * (1 - 1 / cv) : 0;
    shape = shape < MOST_SHAPE ? shape : MOST_SHAPE;
    d = (x - u) / mean;
    return shape > 1e-6 ? log1p(shape * d / (1 - shape)) / shape : d;
}

double pshi_tails_surprise(const pshi_tails *t, double x, int up, double grain) {
    const float *list = up ? t->high : t->low;
    uint32_t kept = up ? t->high_count : t->low_count, k, above = 0;
    double scale, s, rank;
    float f = (float)(x > MOST ? MOST : x < -MOST ? -MOST : x), side = up ? f : -f;

    if (t->n < LEAST_VALUES)
        return 0;
    k = (uint32_t)(TAIL_SHARE * t->n);
    k = k > LEAST_TAIL ? k : LEAST_TAIL;
    k = k < kept - 1 ? k : kept - 1;
    while (above < k && list[above] >= side)
        above++;
    s = -log10((k + 0.5) / (t->n + 1.0));
    if (above >= k) {
        rank = middle_surprise(t, f, up);
        return rank < s ? rank : s;
    }
    scale = LEAST_SCALE * (pshi_tails_quantile(t, 0.9) - pshi_tails_quantile(t, 0.1)) + grain + 0x1p-100;
    scale = mean_excess(list, k, scale);
    s += beyond(list, k, (double)side, scale) / NATS;
    /* A mixture of small and big events is no Pareto tail: what was seen as often as this is no more surprising
     * than its rank, and a record by a hair no more than a record. */
    rank = -log10((above + 0.5) / (t->n + 1.0)) + (above ? 0 : ((double)side - (double)list[0]) / scale / NATS);
    return s < rank ? s : rank;
}

static void descending(pshi_fields *io, const float *list, uint32_t n) {
    uint32_t i;

    for (i = 1; io->c && i < n; i++)
        if (list[i] > list[i - 1])
            pshi_read_bad(io->c);
}

/* Surprise needs a tail wherever there are values enough; an empty one has no stride. */
static int sound(const pshi_tails *t) {
    if (t->high_count > t->n || t->low_count > t->n || (t->n && (!t->stride || !t->middle_count)))
        return 0;
    return t->n < LEAST_VALUES || (t->high_count > LEAST_TAIL && t->low_count > LEAST_TAIL);
}

void pshi_tails_fields(pshi_fields *io, pshi_tails *t) {
    uint32_t i;

    pshi_field_u32(io, &t->n, 0, PSHI_TAILS_MOST);
    pshi_field_u32(io, &t->stride, 0, 2 * PSHI_TAILS_MOST);
    pshi_field_u32(io, &t->due, 0, 2 * PSHI_TAILS_MOST);
    pshi_field_u32(io, &t->high_count, 0, PSHI_TAILS_KEEP);
    pshi_field_u32(io, &t->low_count, 0, PSHI_TAILS_KEEP);
    pshi_field_u32(io, &t->middle_count, 0, PSHI_TAILS_MIDDLE);
    pshi_field_f32s(io, t->high, t->high_count, -MOST, MOST);
    pshi_field_f32s(io, t->low, t->low_count, -MOST, MOST);
    pshi_field_f32s(io, t->middle, t->middle_count, -MOST, MOST);
    descending(io, t->high, t->high_count);
    descending(io, t->low, t->low_count);
    for (i = 1; io->c && i < t->middle_count; i++)
        if (t->middle[i] < t->middle[i - 1])
            pshi_read_bad(io->c);
    if (io->c && !sound(t))
        pshi_read_bad(io->c);
}
