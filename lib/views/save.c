/* SPDX-License-Identifier: MIT */
/* The bytes of a materializer: canonical, whatever the order in which groups and ids came to be. */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "codec/frame.h"
#include "value/view.h"
#include "views/materializer.h"

/** Sorting and renumbering for one view. */
typedef struct save_view {
    const pshi_mview *v;
    uint32_t **ranks; /* of each dictionary: the place of an id among the sorted values */
} save_view;

typedef struct sorted_id {
    const psh_value *value;
    uint32_t id;
    uint32_t reserved;
} sorted_id;

typedef struct sorted_group {
    const save_view *s;
    uint64_t *g;
} sorted_group;

static int by_value(const void *pa, const void *pb) {
    const sorted_id *a = pa, *b = pb;

    return psh_value_compare(a->value, b->value);
}

static int by_key(const void *pa, const void *pb) {
    const sorted_group *a = pa, *b = pb;
    const uint32_t *x = pshi_group_ids(a->g), *y = pshi_group_ids(b->g);
    int64_t s = (int64_t)a->g[PSHI_GROUP_BUCKET], t = (int64_t)b->g[PSHI_GROUP_BUCKET];
    uint32_t i;

    if (s != t)
        return s < t ? -1 : 1;
    for (i = 0; i < a->s->v->store.shape.group_count; i++)
        if (x[i] != y[i])
            return a->s->ranks[i][x[i]] < b->s->ranks[i][y[i]] ? -1 : 1;
    return 0;
}

/* Writes the values in order, and notes the place of each. */
static void put_dict(pshi_writer *w, psh_env *env, const pshi_dict *d, uint32_t **ranks) {
    sorted_id *list = pshi_calloc(env, d->used + 1, sizeof *list);
    uint32_t i, n = 0;

    *ranks = pshi_calloc(env, d->used + 1, sizeof **ranks);
    if (!list || !*ranks) {
        w->status = PSH_E_NOMEM;
        pshi_free(env, list);
        return;
    }
    for (i = 0; i < d->used; i++) {
        if (!d->entries[i].live)
            continue;
        list[n].value = &d->entries[i].value;
        list[n++].id = i;
    }
    qsort(list, n, sizeof *list, by_value);
    pshi_put_var(w, n);
    for (i = 0; i < n; i++) {
        (*ranks)[list[i].id] = i;
        pshi_put_value(w, list[i].value);
    }
    pshi_free(env, list);
}

static void put_bag(pshi_writer *w, const save_view *s, const pshi_measure *m, const pshi_bag *b) {
    uint32_t n, i, k;
    const pshi_bag_run *runs = pshi_bag_runs(b, &n);

    pshi_put_var(w, b->size);
    for (i = 0; i < n; i++) {
        for (k = 0; k < runs[i].size; k++) {
            if (m->dict == PSH_NONE)
                pshi_put_int(w, runs[i].codes[k]);
            else
                pshi_put_var(w, s->ranks[m->dict][runs[i].codes[k]]);
            pshi_put_var(w, pshi_bag_counts(&runs[i])[k]);
        }
    }
}

static void put_group(pshi_writer *w, const save_view *s, uint64_t *g) {
    const pshi_view_shape *shape = &s->v->store.shape;
    uint32_t i, k;

    pshi_put_int(w, (int64_t)g[PSHI_GROUP_BUCKET]);
    pshi_put_var(w, g[PSHI_GROUP_ROWS]);
    for (i = 0; i < shape->group_count; i++)
        pshi_put_var(w, s->ranks[i][pshi_group_ids(g)[i]]);
    for (i = 0; i < shape->measure_count; i++) {
        const pshi_measure *m = &shape->measures[i];

        if (m->count_at)
            pshi_put_var(w, g[m->count_at]);
        if (m->sum_at && m->type == PSH_TYPE_DOUBLE)
            pshi_sparse_put(w, pshi_group_double(g, m));
        for (k = 0; m->sum_at && m->type != PSH_TYPE_DOUBLE && k < PSHI_SUM_WORDS; k++)
            pshi_put_u64(w, g[m->sum_at + k]);
        if (m->bag_at)
            put_bag(w, s, m, pshi_group_bag(g, m));
    }
}

static void put_part(pshi_writer *w, psh_env *env, const save_view *s, const pshi_part *p) {
    sorted_group *list = pshi_calloc(env, (size_t)p->live + 1, sizeof *list);
    uint32_t i, n = 0;

    if (!list) {
        w->status = PSH_E_NOMEM;
        return;
    }
    for (i = 0; i < p->used; i++) {
        if (!pshi_part_is_live(&s->v->store, p, i))
            continue;
        list[n].s = s;
        list[n++].g = pshi_part_group(&s->v->store, p, i);
    }
    qsort(list, n, sizeof *list, by_key);
    pshi_put_int(w, p->interval);
    pshi_put_int(w, p->time_from);
    pshi_put_u64(w, p->source);
    pshi_put_u64(w, p->position);
    pshi_put_int(w, p->commit_time);
    pshi_put_u8(w, (uint8_t)p->ready);
    pshi_put_var(w, n);
    for (i = 0; i < n; i++)
        put_group(w, s, list[i].g);
    pshi_free(env, list);
}

static void put_groups(pshi_writer *w, psh_env *env, const pshi_mview *v) {
    uint32_t n = v->store.shape.dict_count, i;
    save_view s = { v, pshi_calloc(env, (size_t)n + 1, sizeof *s.ranks) };
    size_t k;

    if (!s.ranks) {
        w->status = PSH_E_NOMEM;
        return;
    }
    for (i = 0; w->status == PSH_OK && i < n; i++)
        put_dict(w, env, &v->store.dicts[i], &s.ranks[i]);
    pshi_put_var(w, v->part_count);
    for (k = 0; w->status == PSH_OK && k < v->part_count; k++)
        put_part(w, env, &s, v->parts[k]);
    for (i = 0; i < n; i++)
        pshi_free(env, s.ranks[i]);
    pshi_free(env, s.ranks);
}

static void put_view(pshi_writer *w, psh_env *env, const pshi_mview *v) {
    pshi_view_put(w, v->view);
    pshi_put_f64(w, v->benefit);
    pshi_put_var(w, v->reads);
    pshi_put_var(w, v->reads_seen);
    pshi_put_var(w, v->applied);
    pshi_put_var(w, v->skipped);
    pshi_put_var(w, v->filled);
    pshi_put_var(w, v->idle);
    put_groups(w, env, v);
}

static void put_options(pshi_writer *w, const psh_materializer_options *o) {
    pshi_put_var(w, o->max_bytes);
    pshi_put_var(w, o->max_views);
    pshi_put_var(w, o->unread_cycles);
    pshi_put_f64(w, o->upkeep_work);
    pshi_put_f64(w, o->min_benefit);
    pshi_put_var(w, o->node);
}

static void encode_materializer(pshi_writer *w, const void *value) {
    const psh_materializer *m = value;
    size_t i;

    put_options(w, &m->o);
    pshi_put_var(w, m->past_floor);
    pshi_put_var(w, m->past_count);
    for (i = 0; i < m->past_count; i++) {
        pshi_put_u64(w, m->past[i].id);
        pshi_put_var(w, m->past[i].begun);
        pshi_put_f64(w, m->past[i].groups_per_row);
    }
    pshi_put_var(w, m->mark_count);
    for (i = 0; i < m->mark_count; i++) {
        pshi_put_u64(w, m->marks[i].source);
        pshi_put_u64(w, m->marks[i].position);
        pshi_put_u64(w, m->marks[i].sequence);
    }
    pshi_put_var(w, m->view_count);
    for (i = 0; w->status == PSH_OK && i < m->view_count; i++)
        put_view(w, m->env, m->views[i]);
}

psh_status psh_materializer_save(const psh_materializer *m, psh_buffer *out) {
    if (!m || !out)
        return PSH_E_INVALID;
    if (m->fill)
        return PSH_E_STATE;
    return pshi_frame_save(out, PSHI_KIND_MATERIALIZER, encode_materializer, m);
}
