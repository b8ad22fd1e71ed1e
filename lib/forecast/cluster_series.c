/* SPDX-License-Identifier: MIT */
/* Templates that are asked at the same times are forecast together: a series for each cluster. */
#include <string.h>

#include "base/env.h"
#include "forecast/forecaster.h"

#define FEW_MEMBERS 2u /* one template alone has a series of its own */

static int has_room(const psh_forecaster *f) {
    return f->store.count < f->o.max_series
        && pshi_forecaster_bytes(f) + pshi_series_bytes(&f->shape, PSH_SUBJECT_CLUSTER) <= f->o.max_bytes;
}

/* The members' series added up, open buckets too; sum[i] is of bucket closed - ring + i. @return the first event. */
static int64_t add_members(const psh_forecaster *f, uint64_t id, double *sum, pshi_series *into) {
    psh_subject subject = { PSH_SUBJECT_TEMPLATE, 0, 0 };
    int64_t from = f->outlook.closed - (int64_t)f->shape.ring, start = INT64_MAX;
    uint32_t n = f->shape.ring + f->shape.open, k;
    const pshi_series *s;
    size_t i;

    for (i = 0; i < f->templates.count; i++) {
        if (f->templates.list[i].more->cluster != id)
            continue;
        subject.table = f->templates.list[i].table;
        subject.id = f->templates.list[i].id;
        s = pshi_store_find(&f->store, &subject);
        if (!s)
            continue;
        start = s->start < start ? s->start : start;
        into->rows += s->rows;
        into->bytes += s->bytes;
        for (k = 0; k < n; k++)
            sum[k] += pshi_series_actual(s, &f->shape, f->outlook.closed, from + (int64_t)k);
    }
    return start;
}

static void fill(psh_forecaster *f, pshi_series *s, const double *sum) {
    int64_t b = f->outlook.closed - (int64_t)f->shape.ring, age;
    uint32_t k;

    for (k = 0; k < f->shape.ring; k++, b++)
        if (b >= s->start)
            pshi_series_recall(s, &f->shape, b, sum[k]);
    for (; k < f->shape.ring + f->shape.open; k++, b++)
        if (sum[k] > 0)
            *pshi_series_slot(s, &f->shape, f->outlook.closed, b) = sum[k];
    age = pshi_series_age(s, f->outlook.closed);
    s->regular->fit_at = age > (int64_t)f->shape.season[0] ? age : (int64_t)f->shape.season[0] + 1;
}

static psh_status make_series(psh_forecaster *f, uint64_t id, double *sum) {
    psh_subject subject = { PSH_SUBJECT_CLUSTER, 0, id };
    pshi_series *s;
    psh_status st = pshi_store_add(f->env, &f->store, &f->shape, &subject, f->outlook.closed, &s);

    if (st != PSH_OK)
        return st == PSH_E_EXISTS ? PSH_OK : st;
    if (pshi_series_reach(f->env, s, &f->shape) != PSH_OK) {
        pshi_store_remove(f->env, &f->store, &f->shape, f->store.count - 1);
        return PSH_E_NOMEM;
    }
    f->store.bytes += f->shape.open * sizeof *s->far;
    memset(sum, 0, ((size_t)f->shape.ring + f->shape.open) * sizeof *sum);
    s->start = add_members(f, id, sum, s);
    if (s->start == INT64_MAX)
        s->start = f->outlook.closed;
    fill(f, s, sum);
    return PSH_OK;
}

psh_status pshi_clusters_series(psh_forecaster *f) {
    psh_subject subject = { PSH_SUBJECT_CLUSTER, 0, 0 };
    psh_status st = PSH_OK;
    double *sum = NULL;
    uint32_t i;

    for (i = 0; st == PSH_OK && i < f->clusters.count; i++) {
        subject.id = f->clusters.list[i].id;
        if (f->clusters.list[i].members < FEW_MEMBERS || pshi_store_find(&f->store, &subject) || !has_room(f))
            continue;
        if (!sum)
            sum = pshi_alloc(f->env, ((size_t)f->shape.ring + f->shape.open) * sizeof *sum);
        st = sum ? make_series(f, subject.id, sum) : PSH_E_NOMEM;
    }
    pshi_free(f->env, sum);
    return st;
}
