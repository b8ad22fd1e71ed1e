/* SPDX-License-Identifier: MIT */
#include "map/arcs.h"

#include <stdlib.h>

#include "base/checked.h"

static int compare_weights(const void *x, const void *y) {
    const pshi_weight *a = x, *b = y;

    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    if (a->point != b->point)
        return a->point < b->point ? -1 : 1;
    if (a->tenant != b->tenant)
        return a->tenant < b->tenant ? -1 : 1;
    return a->rows < b->rows ? -1 : a->rows > b->rows;
}

void pshi_weights_sort(pshi_weight *w, size_t n) {
    size_t i;

    if (n)
        qsort(w, n, sizeof *w, compare_weights);
    for (i = 0; i < n; i++)
        w[i].upto = w[i].rows + (i && w[i - 1].table == w[i].table ? w[i - 1].upto : 0);
}

static size_t cut_equally(size_t arcs, uint64_t *first) {
    size_t k;

    for (k = 0; k < arcs; k++)
        first[k] = (uint64_t)(((pshi_u128)k << 64) / arcs);
    return arcs;
}

size_t pshi_arcs_cut(const pshi_weight *w, size_t n, size_t arcs, uint64_t *first) {
    size_t count = 1, k = 1, i;
    double total;

    if (!n)
        return cut_equally(arcs, first);
    total = w[n - 1].upto;
    first[0] = 0;
    for (i = 0; i + 1 < n && k < arcs; i++) {
        if (w[i + 1].point == w[i].point || w[i].upto * (double)arcs < total * (double)k)
            continue;
        first[count++] = w[i].point + 1;
        while (k < arcs && w[i].upto * (double)arcs >= total * (double)k)
            k++;
    }
    return count;
}

/* The load of the tenants before a point. */
static double load_before(const pshi_weight *w, size_t n, uint64_t point) {
    size_t lo = 0, hi = n, mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (w[mid].point < point)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo ? w[lo - 1].upto : 0;
}

double pshi_arcs_share(const pshi_weight *w, size_t n, uint64_t first, uint64_t last) {
    double end;

    if (!n)
        return ((double)(last - first) + 1) * 0x1p-64;
    end = last == UINT64_MAX ? w[n - 1].upto : load_before(w, n, last + 1);
    return (end - load_before(w, n, first)) / w[n - 1].upto;
}
