/* SPDX-License-Identifier: MIT */
/* Life of the object and of its views. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "value/query.h"
#include "views/materializer.h"

static const psh_materializer_options default_options = {
    sizeof default_options, 0, UINT64_C(64) << 20, 64, 48, 1, 2, 0, 0,
};

psh_status psh_materializer_options_init(psh_materializer_options *o, uint32_t size) {
    return pshi_options_out(o, size, &default_options, sizeof default_options);
}

psh_status pshi_materializer_check(const psh_materializer_options *o, psh_error *err) {
    if (o->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (o->max_views < 1 || o->max_views > 4096)
        return pshi_fail(err, PSH_E_INVALID, "max_views", "must be 1..4096");
    if (!o->unread_cycles)
        return pshi_fail(err, PSH_E_INVALID, "unread_cycles", "must be 1 or more");
    if (!isfinite(o->upkeep_work) || o->upkeep_work < 0)
        return pshi_fail(err, PSH_E_INVALID, "upkeep_work", "must be finite and not negative");
    if (!isfinite(o->min_benefit) || o->min_benefit < 0)
        return pshi_fail(err, PSH_E_INVALID, "min_benefit", "must be finite and not negative");
    if (o->reserved)
        return pshi_fail(err, PSH_E_INVALID, "reserved", "must be 0");
    return PSH_OK;
}

psh_status psh_materializer_create(
    psh_env *env, psh_schema *schema, const psh_materializer_options *o, psh_materializer **out, psh_error *err) {
    psh_materializer_options options = default_options;
    psh_materializer *m;
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env || !schema)
        return pshi_fail(err, PSH_E_INVALID, env ? "schema" : "env", "is NULL");
    if (o && (st = pshi_options_copy(&options, sizeof options, o, err)) != PSH_OK)
        return st;
    if ((st = pshi_materializer_check(&options, err)) != PSH_OK)
        return st;
    m = pshi_calloc(env, 1, sizeof *m);
    if (!m)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the materializer");
    m->env = env;
    m->schema = psh_schema_ref(schema);
    m->o = options;
    *out = m;
    return PSH_OK;
}

void psh_materializer_destroy(psh_materializer *m) {
    size_t i;

    if (!m)
        return;
    if (m->fill) {
        pshi_part_clear(&m->fill_view->store, m->fill);
        pshi_free(m->env, m->fill);
    }
    for (i = 0; i < m->view_count; i++)
        pshi_mview_free(m->env, m->views[i]);
    pshi_free(m->env, m->views);
    pshi_free(m->env, m->past);
    pshi_free(m->env, m->marks);
    pshi_free(m->env, m->ops);
    pshi_free(m->env, m->values);
    pshi_free(m->env, m->passes);
    psh_schema_unref(m->schema);
    pshi_free(m->env, m);
}

static void insert_view(psh_materializer *m, pshi_mview *v) {
    size_t i = m->view_count;

    for (; i && m->views[i - 1]->id > v->id; i--)
        m->views[i] = m->views[i - 1];
    m->views[i] = v;
    m->view_count++;
}

static void remove_view(psh_materializer *m, pshi_mview *v) {
    size_t i = 0;

    while (m->views[i] != v)
        i++;
    m->view_count--;
    memmove(m->views + i, m->views + i + 1, (m->view_count - i) * sizeof(pshi_mview *));
    pshi_mview_free(m->env, v);
}

/* Forgets one view that is not there any more; what it counted stays as a floor, so that no id comes again. */
static void shed_past(psh_materializer *m) {
    size_t i = 0;

    while (i < m->past_count && pshi_mview_find(m, m->past[i].id))
        i++;
    if (i == m->past_count)
        return;
    if (m->past[i].begun > m->past_floor)
        m->past_floor = m->past[i].begun;
    m->past_count--;
    memmove(m->past + i, m->past + i + 1, (m->past_count - i) * sizeof *m->past);
}

/* The memory of a view, made when there is none. There must be room. */
static pshi_past *get_past(psh_materializer *m, uint64_t id) {
    pshi_past *p = pshi_past_find(m, id);
    size_t i;

    if (p)
        return p;
    if (m->past_count >= PSHI_MAX_PAST)
        shed_past(m);
    for (i = m->past_count; i && m->past[i - 1].id > id; i--)
        m->past[i] = m->past[i - 1];
    memset(&m->past[i], 0, sizeof m->past[i]);
    m->past[i].id = id;
    m->past[i].begun = m->past_floor;
    m->past_count++;
    return &m->past[i];
}

static psh_status make_view(
    psh_materializer *m, const psh_action *a, psh_query *definition, psh_view **out) {
    psh_view_spec spec;
    char name[24];

    snprintf(name, sizeof name, "view_%016llx", (unsigned long long)a->want.subject);
    psh_view_spec_init(&spec, sizeof spec);
    spec.level = a->want.level;
    spec.name = a->name && a->name[0] ? a->name : name;
    spec.definition = definition;
    spec.reach_ns = a->want.level == PSH_LEVEL_PARTIAL ? a->want.reach_ns : 0;
    spec.confidence = a->want.confidence;
    return psh_view_create(m->env, &spec, out, NULL);
}

/* The definition stays the one that the groups were made by. */
static psh_status change_level(psh_materializer *m, pshi_mview *v, const psh_action *a) {
    psh_view_spec spec = { sizeof spec };
    psh_view *view;
    psh_status st = psh_view_describe(v->view, &spec);

    if (st == PSH_OK)
        st = make_view(m, a, spec.definition, &view);
    if (st != PSH_OK)
        return st;
    psh_view_unref(v->view);
    v->view = view;
    v->level = a->want.level;
    v->reach_ns = v->level == PSH_LEVEL_PARTIAL ? a->want.reach_ns : 0;
    v->benefit = a->want.benefit;
    return PSH_OK;
}

static psh_status add_view(psh_materializer *m, const psh_action *a) {
    pshi_mview *v = NULL;
    psh_view *view = NULL;
    psh_status st;

    if (m->view_count >= m->o.max_views)
        return PSH_E_LIMIT;
    if (pshi_reserve(m->env, (void **)&m->views, &m->view_cap, m->view_count + 1, sizeof *m->views) != PSH_OK)
        return PSH_E_NOMEM;
    st = make_view(m, a, a->want.definition, &view);
    if (st == PSH_OK)
        st = pshi_mview_create(m->env, view, &v);
    psh_view_unref(view);
    if (st != PSH_OK)
        return st;
    v->benefit = a->want.benefit;
    insert_view(m, v);
    return PSH_OK;
}

/* A view of another schema would read columns that rows here do not have. */
static int fits_schema(const psh_materializer *m, const psh_query *definition) {
    uint32_t table = pshi_query_spec(definition)->table;
    psh_schema *schema = psh_query_schema(definition);

    return schema == m->schema ||
           pshi_same_table(pshi_schema_get_table(schema, table), pshi_schema_get_table(m->schema, table));
}

static psh_status begin_build(psh_materializer *m, const psh_action *a) {
    const psh_want *w = &a->want;
    pshi_past *past = pshi_past_find(m, w->subject);
    uint64_t begun = past ? past->begun : m->past_floor;
    pshi_mview *v = pshi_mview_find(m, w->subject);
    psh_status st;

    if (!w->definition || psh_query_id(w->definition) != w->subject || w->generation == UINT64_MAX)
        return PSH_E_INVALID;
    if (!fits_schema(m, w->definition))
        return PSH_E_INVALID;
    if ((w->level != PSH_LEVEL_FULL && w->level != PSH_LEVEL_PARTIAL) || !isfinite(w->benefit) || w->benefit < 0)
        return PSH_E_INVALID;
    if (v ? w->generation + 1 < begun : w->generation < begun)
        return PSH_OK; /* said again: that life of the view is over */
    if (pshi_reserve(m->env, (void **)&m->past, &m->past_cap, m->past_count + 1, sizeof *m->past) != PSH_OK)
        return PSH_E_NOMEM;
    st = v ? change_level(m, v, a) : add_view(m, a);
    if (st != PSH_OK)
        return st;
    past = get_past(m, w->subject);
    if (past->begun <= w->generation)
        past->begun = w->generation + 1;
    pshi_trace(m->env, PSH_TRACE_VIEW, PSH_TIME_NONE, w->subject, w->level, 0);
    return PSH_OK;
}

static psh_status begin_drop(psh_materializer *m, const psh_action *a) {
    pshi_mview *v = pshi_mview_find(m, a->want.subject);
    pshi_past *past = pshi_past_find(m, a->want.subject);
    uint64_t groups, rows;

    if (!v || !past || a->want.generation + 1 < past->begun)
        return PSH_OK; /* said again */
    pshi_mview_size(v, &groups, &rows);
    if (rows)
        past->groups_per_row = (double)groups / (double)rows;
    pshi_trace(
        m->env, PSH_TRACE_VIEW, PSH_TIME_NONE, v->id, PSH_LEVEL_NONE, (int64_t)pshi_mview_bytes(v));
    remove_view(m, v);
    return PSH_OK;
}

psh_status psh_materializer_begin(psh_materializer *m, const psh_action *a) {
    if (!m || !a)
        return PSH_E_INVALID;
    if (m->fill)
        return PSH_E_STATE;
    if (a->want.kind == PSH_ACT_BUILD_VIEW)
        return begin_build(m, a);
    return a->want.kind == PSH_ACT_DROP_VIEW ? begin_drop(m, a) : PSH_E_INVALID;
}

static void discard_next_parts(psh_materializer *m) {
    size_t i;

    for (i = 0; i < m->view_count; i++) {
        pshi_free(m->env, m->views[i]->next_part);
        m->views[i]->next_part = NULL;
    }
}

/* First all memory, then all parts. */
static psh_status prepare_parts(psh_materializer *m, const psh_want *w) {
    size_t i;

    for (i = 0; i < m->view_count; i++) {
        pshi_mview *v = m->views[i];

        if (v->table != w->table || pshi_mview_part(v, w->interval))
            continue;
        v->next_part = pshi_alloc(m->env, sizeof *v->next_part);
        if (!v->next_part ||
            pshi_reserve(m->env, (void **)&v->parts, &v->part_cap, v->part_count + 1, sizeof *v->parts) != PSH_OK) {
            discard_next_parts(m);
            return PSH_E_NOMEM;
        }
    }
    return PSH_OK;
}

static psh_status open_interval(
    psh_materializer *m, const psh_want *w, uint64_t source, uint64_t position, int64_t commit_time) {
    const pshi_mark *mark = pshi_mark_find(m, source);
    int64_t id, from, to;
    psh_status st;
    size_t i;

    if (psh_schema_interval(m->schema, w->table, w->time_from, &id, &from, &to) != PSH_OK || id != w->interval)
        return PSH_E_INVALID;
    if (mark && mark->position > position)
        return PSH_OK; /* changes after that position have gone by: a fill must tell */
    st = prepare_parts(m, w);
    for (i = 0; st == PSH_OK && i < m->view_count; i++) {
        pshi_part *p = m->views[i]->next_part;

        if (!p)
            continue;
        m->views[i]->next_part = NULL;
        pshi_part_init(p, id, from, to);
        p->source = source;
        p->position = position;
        p->commit_time = commit_time;
        p->ready = 1;
        pshi_mview_insert(m->views[i], p);
    }
    return st;
}

static void retire_interval(psh_materializer *m, const psh_want *w) {
    size_t i, at;

    for (i = 0; i < m->view_count; i++) {
        pshi_mview *v = m->views[i];

        at = pshi_mview_place(v, w->interval);
        if (v->table == w->table && at < v->part_count && v->parts[at]->interval == w->interval)
            pshi_mview_remove(v, at);
    }
}

psh_status psh_materializer_partition(
    psh_materializer *m, const psh_action *a, uint64_t source, uint64_t position, int64_t commit_time,
    uint32_t remaining) {
    if (!m || !a || a->want.table >= psh_schema_table_count(m->schema))
        return PSH_E_INVALID;
    if (m->fill)
        return PSH_E_STATE;
    if (remaining || a->want.subject == psh_quarantine_id(a->want.table))
        return PSH_OK;
    if (a->want.kind == PSH_ACT_CREATE_PARTITION)
        return open_interval(m, &a->want, source, position, commit_time);
    if (a->want.kind == PSH_ACT_DROP_PARTITION)
        retire_interval(m, &a->want);
    return PSH_OK;
}

static void advance_part(pshi_part *p, uint64_t position, int64_t commit_time) {
    if (position < p->position)
        return;
    p->position = position;
    if (commit_time > p->commit_time)
        p->commit_time = commit_time;
}

psh_status psh_materializer_advance(
    psh_materializer *m, uint64_t source, uint64_t position, int64_t commit_time) {
    pshi_mark *mark;
    size_t i, j;

    if (!m)
        return PSH_E_INVALID;
    if (m->fill)
        return PSH_E_STATE;
    mark = pshi_mark_get(m, source);
    if (!mark)
        return m->mark_count >= PSHI_MAX_MARKS ? PSH_E_LIMIT : PSH_E_NOMEM;
    if (position >= mark->position) {
        mark->position = position;
        mark->sequence = UINT64_MAX;
    }
    for (i = 0; i < m->view_count; i++)
        for (j = 0; j < m->views[i]->part_count; j++)
            if (m->views[i]->parts[j]->ready && m->views[i]->parts[j]->source == source)
                advance_part(m->views[i]->parts[j], position, commit_time);
    return PSH_OK;
}

psh_status psh_materializer_refill(psh_materializer *m) {
    size_t i, j;

    if (!m)
        return PSH_E_INVALID;
    if (m->fill)
        return PSH_E_STATE;
    for (i = 0; i < m->view_count; i++) {
        pshi_mview *v = m->views[i];

        for (j = 0; j < v->part_count; j++) {
            pshi_part_clear(&v->store, v->parts[j]);
            v->parts[j]->ready = 0;
        }
    }
    return PSH_OK;
}

static psh_status export_view(const psh_materializer *m, const pshi_mview *v, psh_world_draft *d) {
    psh_status st = psh_world_draft_add_view(d, v->view);
    psh_view_part part;
    size_t i;

    for (i = 0; st == PSH_OK && i < v->part_count; i++) {
        const pshi_part *p = v->parts[i];

        if (!p->ready)
            continue;
        memset(&part, 0, sizeof part);
        part.view = v->id;
        part.node = m->o.node;
        part.interval = p->interval;
        part.time_from = p->time_from;
        part.time_to = p->time_to;
        part.position = p->position;
        part.commit_time = p->commit_time;
        part.groups = p->live;
        part.bytes = pshi_part_bytes(&v->store, p);
        st = psh_world_draft_add_view_part(d, &part);
    }
    return st;
}

psh_status psh_materializer_export(const psh_materializer *m, psh_world_draft *d) {
    psh_status st = PSH_OK;
    size_t i;

    if (!m || !d)
        return PSH_E_INVALID;
    for (i = 0; st == PSH_OK && i < m->view_count; i++)
        st = export_view(m, m->views[i], d);
    return st;
}

size_t psh_materializer_view_count(const psh_materializer *m) {
    return m ? m->view_count : 0;
}

psh_status psh_materializer_view(const psh_materializer *m, size_t i, psh_view_info *out) {
    const pshi_mview *v;
    uint64_t rows;
    size_t j;

    if (!m || !out)
        return PSH_E_INVALID;
    if (i >= m->view_count)
        return PSH_E_NOT_FOUND;
    v = m->views[i];
    memset(out, 0, sizeof *out);
    out->id = v->id;
    out->view = v->view;
    out->parts = (uint32_t)v->part_count;
    for (j = 0; j < v->part_count; j++)
        out->parts_ready += v->parts[j]->ready;
    pshi_mview_size(v, &out->groups, &rows);
    out->bytes = pshi_mview_bytes(v);
    out->reads = v->reads;
    out->applied = v->applied;
    out->skipped = v->skipped;
    out->filled = v->filled;
    return PSH_OK;
}
