/* SPDX-License-Identifier: MIT */
/* Keys that move on: the latest slice, each key by as much as its quantile moved from slice to slice. */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "forecast/keys_drift.h"

#define GRID 11u         /* quantiles that are followed: 1/22, 3/22, ... 21/22 */
#define NUMBER 8u        /* bytes of a key that are read as a number */

/* Where keys begin to differ, but for one byte, so that a carry has room. */
static size_t common_prefix(const pshi_kll *const *slices, uint32_t n) {
    const pshi_kll_item *items, *first, *last;
    unsigned char prefix[PSHI_KLL_MOST_KEY];
    size_t count, length = PSHI_KLL_MOST_KEY, i;
    uint32_t k;

    for (k = 0; k < n; k++) {
        count = pshi_kll_sorted(slices[k], &items);
        first = &items[0];
        last = &items[count - 1];
        length = first->size < length ? first->size : length;
        length = last->size < length ? last->size : length;
        if (!k)
            memcpy(prefix, first->key, length);
        for (i = 0; i < length && prefix[i] == first->key[i] && prefix[i] == last->key[i]; i++) {
        }
        length = i;
    }
    return length ? length - 1 : 0;
}

static double number_at(const pshi_kll_item *item, size_t at) {
    double x = 0;
    size_t i;

    for (i = at; i < at + NUMBER; i++)
        x = x * 256 + (i < item->size ? item->key[i] : 0);
    return x;
}

static void write_number(unsigned char *key, uint32_t size, size_t at, double x) {
    uint64_t n = x >= 0x1p64 ? UINT64_MAX : x > 0 ? (uint64_t)x : 0;
    size_t i;

    for (i = 0; i < NUMBER && at + i < size; i++)
        key[at + i] = (unsigned char)(n >> (56 - 8 * i));
}

/* Least-squares slope of each quantile over slices, per slice. */
static void find_slopes(
    const pshi_kll *const *slices, const int64_t *number, uint32_t n, size_t at, double *slope) {
    double x, y, sx = 0, sxx = 0, sy[GRID] = { 0 }, sxy[GRID] = { 0 }, origin[GRID] = { 0 };
    const pshi_kll_item *items;
    size_t count;
    uint32_t k, i;

    for (k = 0; k < n; k++) {
        count = pshi_kll_sorted(slices[k], &items);
        x = (double)(number[k] - number[0]);
        sx += x;
        sxx += x * x;
        for (i = 0; i < GRID; i++) {
            y = number_at(pshi_kll_quantile(items, count, (2 * i + 1.0) / (2 * GRID)), at);
            origin[i] = k ? origin[i] : y;
            y -= origin[i];
            sy[i] += y;
            sxy[i] += x * y;
        }
    }
    for (i = 0; i < GRID; i++)
        slope[i] = (sxy[i] - sx * sy[i] / n) / (sxx - sx * sx / n);
}

/* Between the quantiles followed linearly, outside as at the nearest. */
static double slope_at(const double *slope, double p) {
    double at = p * GRID - 0.5;
    uint32_t i;

    if (at <= 0)
        return slope[0];
    if (at >= GRID - 1)
        return slope[GRID - 1];
    i = (uint32_t)at;
    return slope[i] + (at - i) * (slope[i + 1] - slope[i]);
}

psh_status pshi_keys_drift(
    psh_env *env, const pshi_kll *const *slices, const int64_t *number, uint32_t n, int64_t target, pshi_kll *out) {
    size_t at = common_prefix(slices, n), count, i;
    const pshi_kll *base = slices[n - 1];
    double slope[GRID], ahead = (double)(target - number[n - 1]), mass = pshi_kll_mass(base);
    double below = 0, x, most = 0;
    unsigned char key[PSHI_KLL_MOST_KEY];
    const pshi_kll_item *items;
    psh_status st = PSH_OK;

    find_slopes(slices, number, n, at, slope);
    count = pshi_kll_sorted(base, &items);
    for (i = 0; st == PSH_OK && i < count; i++) {
        x = number_at(&items[i], at) + ahead * slope_at(slope, (below + items[i].weight / 2) / mass);
        most = x > most ? x : most; /* keys keep their order */
        memcpy(key, items[i].key, items[i].size);
        write_number(key, items[i].size, at, most);
        st = pshi_kll_add(env, out, key, items[i].size, items[i].weight);
        below += items[i].weight;
    }
    return st;
}
