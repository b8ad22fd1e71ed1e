/* SPDX-License-Identifier: MIT */
/* What is kept beside templates, and their clusters: saved and loaded. */
#include "codec/fields.h"
#include "ds/hyperloglog.h"
#include "forecast/save.h"

#define MOST_SEASON (INT64_MAX / 1000000) /* the least bucket is 1 ms */
#define MOST_FOLDED 0x1p91
#define MOST_SPREAD 0x1p250

static void more_numbers(pshi_fields *io, pshi_more *m, uint32_t fold) {
    pshi_field_f64(io, &m->spread, 0, MOST_SPREAD);
    pshi_field_u64(io, &m->cluster);
    pshi_field_u64(io, &m->candidate);
    pshi_field_i64(io, &m->base, -MOST_SEASON, MOST_SEASON);
    pshi_field_i64(io, &m->first, -PSHI_MOST_SLOT, PSHI_MOST_SLOT);
    pshi_field_f32s(io, m->fold, fold, 0, MOST_FOLDED);
}

static void cluster_numbers(pshi_fields *io, pshi_clusters *c, int64_t *latest) {
    pshi_field_i64(io, latest, -PSHI_MOST_SLOT, PSHI_MOST_SLOT);
    pshi_field_u32(io, &c->evaluated, 0, 1);
    pshi_field_i64(io, &c->next, INT64_MIN / 2, INT64_MAX / 2);
    pshi_field_u64(io, &c->last_id);
    pshi_field_u32(io, &c->count, 0, PSHI_MOST_CLUSTERS);
}

void pshi_put_more(pshi_writer *w, const psh_forecaster *f) {
    pshi_fields io = { w, NULL };
    pshi_clusters clusters = f->clusters;
    int64_t latest = f->folding.latest;
    uint32_t k;
    size_t i;

    for (i = 0; i < f->templates.count; i++) {
        more_numbers(&io, f->templates.list[i].more, f->templates.fold);
        pshi_hll_put(w, f->templates.list[i].more->tenants, PSHI_TENANT_BITS);
        pshi_habit_put(w, &f->templates.list[i].more->habit);
    }
    cluster_numbers(&io, &clusters, &latest);
    for (k = 0; k < clusters.count; k++)
        pshi_put_u64(w, clusters.list[k].id);
}

static psh_status get_clusters(pshi_cursor *c, psh_forecaster *f) {
    pshi_clusters *x = &f->clusters;
    pshi_fields io = { NULL, c };
    uint32_t i, k;

    if (pshi_clusters_ready(f->env, x) != PSH_OK)
        return PSH_E_NOMEM;
    cluster_numbers(&io, x, &f->folding.latest);
    if (x->last_id > UINT64_MAX / 2)
        pshi_read_bad(c);
    for (k = 0; k < f->templates.count; k++) /* no request is later than the latest */
        if (f->templates.list[k].more->first > f->folding.latest ||
            f->templates.list[k].more->base > pshi_fold_season(f->folding.latest, f->templates.fold))
            pshi_read_bad(c);
    for (i = 0; c->status == PSH_OK && i < x->count; i++) {
        x->list[i].id = pshi_get_u64(c);
        if (!x->list[i].id || x->list[i].id > x->last_id)
            pshi_read_bad(c);
        for (k = 0; k < i; k++)
            if (x->list[k].id == x->list[i].id)
                pshi_read_bad(c);
    }
    return c->status;
}

psh_status pshi_get_more(pshi_cursor *c, psh_forecaster *f) {
    pshi_fields io = { NULL, c };
    psh_status st = PSH_OK;
    pshi_more *m;
    size_t i;

    for (i = 0; st == PSH_OK && i < f->templates.count; i++) {
        m = f->templates.list[i].more;
        more_numbers(&io, m, f->templates.fold);
        pshi_hll_get(c, m->tenants, PSHI_TENANT_BITS);
        st = c->status == PSH_OK ? pshi_habit_get(f->env, c, &m->habit, f->templates.list[i].example) : c->status;
    }
    if (st == PSH_OK)
        st = get_clusters(c, f);
    return st == PSH_OK ? pshi_read_end(c) : st;
}
