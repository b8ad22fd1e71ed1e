/* SPDX-License-Identifier: MIT */
/* One view and its parts; marks of sources; what is remembered of past views. */
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "value/query.h"
#include "views/materializer.h"

void pshi_mview_free(psh_env *env, pshi_mview *v) {
    uint32_t i;

    if (!v)
        return;
    while (v->part_count)
        pshi_mview_remove(v, v->part_count - 1);
    pshi_free(env, v->parts);
    for (i = 0; v->store.dicts && i < v->store.shape.dict_count; i++)
        pshi_dict_free(env, &v->store.dicts[i]);
    pshi_free(env, v->store.dicts);
    pshi_view_shape_free(env, &v->store.shape);
    psh_view_unref(v->view);
    pshi_free(env, v);
}

psh_status pshi_mview_create(psh_env *env, psh_view *view, pshi_mview **out) {
    pshi_mview *v = pshi_calloc(env, 1, sizeof *v);
    psh_view_spec spec = { sizeof spec };
    psh_status st;
    uint32_t i;

    *out = NULL;
    if (!v)
        return PSH_E_NOMEM;
    v->view = psh_view_ref(view);
    v->id = psh_view_id(view);
    v->store.env = env;
    st = psh_view_describe(view, &spec);
    if (st == PSH_OK)
        st = pshi_view_shape_init(env, &v->store.shape, spec.definition);
    if (st == PSH_OK) {
        v->definition = spec.definition;
        v->table = v->store.shape.table;
        v->level = spec.level;
        v->reach_ns = spec.reach_ns;
        v->store.dicts = pshi_calloc(env, v->store.shape.dict_count, sizeof *v->store.dicts);
        st = v->store.dicts ? PSH_OK : PSH_E_NOMEM;
    }
    if (st != PSH_OK) {
        pshi_mview_free(env, v);
        return st;
    }
    for (i = 0; i < v->store.shape.dict_count; i++)
        pshi_dict_init(&v->store.dicts[i]);
    *out = v;
    return PSH_OK;
}

pshi_mview *pshi_mview_find(const psh_materializer *m, uint64_t id) {
    size_t low = 0, high = m->view_count, mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (m->views[mid]->id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < m->view_count && m->views[low]->id == id ? m->views[low] : NULL;
}

uint64_t pshi_mview_bytes(const pshi_mview *v) {
    uint64_t n = sizeof *v + v->part_count * sizeof *v->parts;
    size_t i;

    n += v->store.shape.measure_count * sizeof(pshi_measure) + v->store.shape.dict_count * sizeof(pshi_dict);
    for (i = 0; i < v->store.shape.dict_count; i++)
        n += pshi_dict_bytes(&v->store.dicts[i]);
    for (i = 0; i < v->part_count; i++)
        n += pshi_part_bytes(&v->store, v->parts[i]);
    return n;
}

void pshi_mview_size(const pshi_mview *v, uint64_t *groups, uint64_t *rows) {
    size_t i;

    *groups = 0;
    *rows = 0;
    for (i = 0; i < v->part_count; i++) {
        *groups += v->parts[i]->live;
        *rows += v->parts[i]->rows;
    }
}

size_t pshi_mview_place(const pshi_mview *v, int64_t interval) {
    size_t low = 0, high = v->part_count, mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (v->parts[mid]->interval < interval)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

pshi_part *pshi_mview_part(const pshi_mview *v, int64_t interval) {
    size_t i = pshi_mview_place(v, interval);

    return i < v->part_count && v->parts[i]->interval == interval ? v->parts[i] : NULL;
}

static int part_holds(const pshi_part *p, int64_t time) {
    return time >= p->time_from && time < p->time_to;
}

pshi_part *pshi_mview_part_at(pshi_mview *v, int64_t time) {
    size_t low = 0, high = v->part_count, mid;

    if (v->part_at < high && part_holds(v->parts[v->part_at], time))
        return v->parts[v->part_at];
    while (low < high) {
        mid = low + (high - low) / 2;
        if (v->parts[mid]->time_to <= time)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == v->part_count || !part_holds(v->parts[low], time))
        return NULL;
    v->part_at = low;
    return v->parts[low];
}

void pshi_mview_insert(pshi_mview *v, pshi_part *p) {
    size_t i = pshi_mview_place(v, p->interval);

    memmove(v->parts + i + 1, v->parts + i, (v->part_count - i) * sizeof(pshi_part *));
    v->parts[i] = p;
    v->part_count++;
}

void pshi_mview_remove(pshi_mview *v, size_t i) {
    pshi_part *p = v->parts[i];

    v->part_count--;
    memmove(v->parts + i, v->parts + i + 1, (v->part_count - i) * sizeof(pshi_part *));
    pshi_part_clear(&v->store, p);
    pshi_free(v->store.env, p);
}

pshi_past *pshi_past_find(const psh_materializer *m, uint64_t id) {
    size_t low = 0, high = m->past_count, mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (m->past[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < m->past_count && m->past[low].id == id ? &m->past[low] : NULL;
}

int pshi_same_table(const pshi_table *a, const pshi_table *b) {
    size_t i;

    if (!a || !b)
        return 0;
    if (a->column_count != b->column_count || a->time_column != b->time_column ||
        a->interval_ns != b->interval_ns || a->interval_origin != b->interval_origin)
        return 0;
    for (i = 0; i < a->column_count; i++) {
        const psh_column_spec *c = &a->columns[i], *d = &b->columns[i];

        if (c->type != d->type || c->scale != d->scale || c->collation != d->collation || c->flags != d->flags)
            return 0;
    }
    return 1;
}

pshi_mark *pshi_mark_find(const psh_materializer *m, uint64_t source) {
    size_t i;

    for (i = 0; i < m->mark_count; i++)
        if (m->marks[i].source == source)
            return &m->marks[i];
    return NULL;
}

pshi_mark *pshi_mark_get(psh_materializer *m, uint64_t source) {
    pshi_mark *k;

    if (m->mark_at < m->mark_count && m->marks[m->mark_at].source == source)
        return &m->marks[m->mark_at];
    k = pshi_mark_find(m, source);
    if (k) {
        m->mark_at = (size_t)(k - m->marks);
        return k;
    }
    if (m->mark_count >= PSHI_MAX_MARKS ||
        pshi_reserve(m->env, (void **)&m->marks, &m->mark_cap, m->mark_count + 1, sizeof *k) != PSH_OK)
        return NULL;
    k = &m->marks[m->mark_count++];
    memset(k, 0, sizeof *k);
    k->source = source;
    return k;
}

int pshi_owns_rows(uint32_t state) {
    return state == PSH_PARTITION_ACTIVE || state == PSH_PARTITION_SEALED || state == PSH_PARTITION_ARCHIVED;
}

int64_t pshi_reach_start(uint32_t level, int64_t reach_ns, int64_t now) {
    return level == PSH_LEVEL_PARTIAL ? pshi_time_add(now, -reach_ns) : PSH_TIME_NONE;
}
