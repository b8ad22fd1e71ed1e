/* SPDX-License-Identifier: MIT */
/* Changes and scans into parts. What a call did is noted, so that a failure takes it back, without memory. */
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "value/change.h"
#include "value/query.h"
#include "value/schema.h"
#include "value/value.h"
#include "views/materializer.h"

static void begin_ops(psh_materializer *m) {
    m->op_count = 0;
    m->op_broken = 0;
}

/* Does one row. A part that it does not fit is broken, and takes part in nothing until the call ends. */
static psh_status do_op(
    psh_materializer *m, const pshi_store *s, pshi_part *p, const psh_value *row, int sign, int alien) {
    psh_status st = PSH_E_NOT_FOUND;
    pshi_op *op;

    if (p->broken)
        return PSH_OK;
    if (pshi_reserve(m->env, (void **)&m->ops, &m->op_cap, m->op_count + 1, sizeof *m->ops) != PSH_OK)
        return PSH_E_NOMEM;
    op = &m->ops[m->op_count++];
    op->store = s;
    op->part = p;
    op->row = row;
    op->group = PSH_NONE;
    op->sign = 0;
    if (!alien)
        st = sign > 0 ? pshi_part_add(s, p, row, &op->group) : pshi_part_take(s, p, row, &op->group);
    if (st == PSH_OK)
        op->sign = sign;
    if (st != PSH_E_NOT_FOUND)
        return st;
    p->broken = 1;
    m->op_broken = 1;
    return PSH_OK;
}

/* The call came through: empties the parts that broke, which wait for a fill, and takes out what is empty. */
static void finish_ops(psh_materializer *m) {
    size_t i;

    for (i = 0; i < m->op_count; i++)
        if (m->ops[i].sign < 0 && !m->ops[i].part->broken)
            pshi_part_tidy(m->ops[i].store, m->ops[i].part, m->ops[i].row, m->ops[i].group);
    for (i = 0; m->op_broken && i < m->op_count; i++) {
        pshi_part *p = m->ops[i].part;

        if (!p->broken)
            continue;
        pshi_part_clear(m->ops[i].store, p);
        p->broken = 0;
        p->ready = 0;
        pshi_log(m->env, PSH_LOG_WARN, "a change did not fit a part of a view: it will be filled again");
    }
    m->op_count = 0;
}

/* The call failed: the last row first, each by its opposite, for which there is room. */
static void undo_ops(psh_materializer *m) {
    uint32_t group;
    size_t i;

    for (i = m->op_count; i--;) {
        const pshi_op *op = &m->ops[i];

        op->part->broken = 0;
        if (op->sign > 0)
            pshi_part_take(op->store, op->part, op->row, &group);
        else if (op->sign < 0)
            pshi_part_add(op->store, op->part, op->row, &group);
    }
    for (i = 0; i < m->op_count; i++)
        pshi_part_tidy(m->ops[i].store, m->ops[i].part, m->ops[i].row, m->ops[i].group);
    m->op_count = 0;
}

static psh_status end_ops(psh_materializer *m, psh_status st) {
    if (st == PSH_OK)
        finish_ops(m);
    else
        undo_ops(m);
    return st;
}

/* Does one side of a change; *begun or *skipped is set where a part holds its interval. */
static psh_status apply_row(
    psh_materializer *m, pshi_mview *v, const psh_change *c, const psh_value *row, int sign, uint32_t *begun,
    uint32_t *skipped) {
    pshi_part *p;

    if (!row || !psh_query_matches_row(v->definition, row))
        return PSH_OK;
    p = pshi_mview_part_at(v, row[v->store.shape.time_column].as.i64);
    if (!p || !p->ready)
        return PSH_OK;
    if (c->source == p->source && c->position <= p->position) {
        *skipped = 1;
        return PSH_OK;
    }
    *begun = 1;
    return do_op(m, &v->store, p, row, sign, c->source != p->source);
}

static psh_status apply_change(psh_materializer *m, const psh_change *c, int seen) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < m->view_count; i++) {
        pshi_mview *v = m->views[i];
        uint32_t begun = 0, skipped = 0;

        if (v->table != c->table)
            continue;
        if (seen) {
            v->next_skipped++;
            continue;
        }
        st = apply_row(m, v, c, c->before, -1, &begun, &skipped);
        if (st == PSH_OK)
            st = apply_row(m, v, c, c->after, 1, &begun, &skipped);
        v->next_applied += begun;
        v->next_skipped += !begun && skipped;
    }
    return st;
}

static void begin_batch(psh_materializer *m) {
    size_t i;

    begin_ops(m);
    for (i = 0; i < m->view_count; i++)
        m->views[i]->next_applied = m->views[i]->next_skipped = 0;
    for (i = 0; i < m->mark_count; i++) {
        m->marks[i].next_position = m->marks[i].position;
        m->marks[i].next_sequence = m->marks[i].sequence;
    }
}

static void commit_batch(psh_materializer *m) {
    size_t i;

    for (i = 0; i < m->view_count; i++) {
        m->views[i]->applied += m->views[i]->next_applied;
        m->views[i]->skipped += m->views[i]->next_skipped;
    }
    for (i = 0; i < m->mark_count; i++) {
        m->marks[i].position = m->marks[i].next_position;
        m->marks[i].sequence = m->marks[i].next_sequence;
    }
}

static psh_status apply_next(psh_materializer *m, const psh_change *c) {
    pshi_mark *k = pshi_mark_get(m, c->source);
    int seen;

    if (!k)
        return m->mark_count >= PSHI_MAX_MARKS ? PSH_E_LIMIT : PSH_E_NOMEM;
    seen = c->position < k->next_position ||
           (c->position == k->next_position && c->sequence <= k->next_sequence && k->next_position);
    if (!seen) {
        k->next_position = c->position;
        k->next_sequence = c->sequence;
    }
    return apply_change(m, c, seen);
}

/* Rows are read by the columns of this schema. */
static int fits_batch(const psh_materializer *m, const psh_change_batch *b) {
    const psh_schema *other = pshi_change_batch_schema(b);
    uint32_t n = (uint32_t)psh_schema_table_count(m->schema), i;

    if (other == m->schema)
        return 1;
    if (psh_schema_table_count(other) != n)
        return 0;
    for (i = 0; i < n; i++)
        if (!pshi_same_table(pshi_schema_get_table(m->schema, i), pshi_schema_get_table(other, i)))
            return 0;
    return 1;
}

psh_status psh_materializer_apply(psh_materializer *m, const psh_change_batch *b) {
    size_t i, n, marks;
    psh_status st = PSH_OK;
    psh_change c;

    if (!m || !b)
        return PSH_E_INVALID;
    if (m->fill)
        return PSH_E_STATE;
    if (!fits_batch(m, b))
        return PSH_E_INVALID;
    marks = m->mark_count;
    begin_batch(m);
    n = psh_change_batch_count(b);
    for (i = 0; st == PSH_OK && i < n; i++) {
        st = psh_change_batch_get(b, i, &c);
        if (st == PSH_OK)
            st = apply_next(m, &c);
    }
    if (st == PSH_OK)
        commit_batch(m);
    else
        m->mark_count = marks;
    return end_ops(m, st);
}

/* Frees what a partial view no longer reaches back to. */
static void trim_views(psh_materializer *m, int64_t now) {
    size_t i;

    for (i = 0; i < m->view_count; i++) {
        pshi_mview *v = m->views[i];
        int64_t start = pshi_reach_start(v->level, v->reach_ns, now);

        while (v->part_count && v->parts[0]->time_to <= start)
            pshi_mview_remove(v, 0);
    }
}

/* The newest interval after `than` that holds rows, that the view wants and that has no ready part. */
static const psh_partition *next_fill(const pshi_mview *v, const psh_world *world, int64_t now, int64_t than) {
    int64_t start = pshi_reach_start(v->level, v->reach_ns, now);
    size_t first, end;

    if (start < than)
        start = than;

    psh_world_partitions_between(world, v->table, PSH_TIME_MIN, PSH_TIME_MAX, &first, &end);
    for (; end > first; end--) {
        const psh_partition *p = psh_world_partition(world, end - 1);
        const pshi_part *part;

        if (!pshi_owns_rows(p->state) || (p->flags & PSH_PARTITION_QUARANTINE))
            continue;
        if (p->time_to <= start)
            return NULL;
        part = pshi_mview_part(v, p->interval);
        if (!part || !part->ready)
            return p;
    }
    return NULL;
}

static psh_status open_fill(psh_materializer *m, pshi_mview *v, const psh_partition *p, psh_fill *out) {
    pshi_part *part = pshi_alloc(m->env, sizeof *part);

    if (!part)
        return PSH_E_NOMEM;
    if (pshi_reserve(m->env, (void **)&v->parts, &v->part_cap, v->part_count + 1, sizeof *v->parts) != PSH_OK) {
        pshi_free(m->env, part);
        return PSH_E_NOMEM;
    }
    pshi_part_init(part, p->interval, p->time_from, p->time_to);
    m->fill = part;
    m->fill_view = v;
    m->fill_rows = 0;
    memset(out, 0, sizeof *out);
    out->view = v->id;
    out->table = v->table;
    out->interval = p->interval;
    out->time_from = p->time_from;
    out->time_to = p->time_to;
    return PSH_OK;
}

psh_status psh_materializer_fill_begin(
    psh_materializer *m, const psh_world *world, int64_t now, psh_fill *out) {
    const psh_partition *best = NULL, *p;
    pshi_mview *view = NULL;
    psh_status st;
    size_t i;

    if (!m || !world || !out)
        return PSH_E_INVALID;
    if (m->fill)
        return PSH_E_STATE;
    for (i = 0; i < m->view_count; i++) {
        p = next_fill(m->views[i], world, now, best ? best->time_to : PSH_TIME_NONE);
        if (!p)
            continue;
        best = p;
        view = m->views[i];
    }
    st = best ? open_fill(m, view, best, out) : PSH_END;
    if (st >= PSH_OK)
        trim_views(m, now);
    return st;
}

static psh_status check_rows(const pshi_table *t, const psh_value *rows, size_t n) {
    size_t i, j;

    for (i = 0; i < n; i++)
        for (j = 0; j < t->column_count; j++) {
            const psh_column_spec *c = &t->columns[j];

            if (pshi_value_check(&rows[i * t->column_count + j], c->type, c->scale,
                    (c->flags & PSH_COLUMN_NULLABLE) != 0) != PSH_OK)
                return PSH_E_INVALID;
        }
    return PSH_OK;
}

psh_status psh_materializer_fill_rows(psh_materializer *m, const psh_value *rows, size_t n) {
    const pshi_table *t;
    uint64_t taken = 0;
    psh_status st;
    size_t i;

    if (!m || (!rows && n))
        return PSH_E_INVALID;
    if (!m->fill)
        return PSH_E_STATE;
    t = pshi_schema_get_table(m->schema, m->fill_view->table);
    st = check_rows(t, rows, n);
    begin_ops(m);
    for (i = 0; st == PSH_OK && i < n; i++) {
        const psh_value *row = rows + i * t->column_count;
        int64_t time = row[t->time_column].as.i64;

        if (time < m->fill->time_from || time >= m->fill->time_to)
            continue;
        taken++;
        if (psh_query_matches_row(m->fill_view->definition, row))
            st = do_op(m, &m->fill_view->store, m->fill, row, 1, 0);
    }
    if (st == PSH_OK)
        m->fill_rows += taken;
    return end_ops(m, st);
}

static void keep_fill(psh_materializer *m) {
    pshi_mview *v = m->fill_view;
    size_t i = pshi_mview_place(v, m->fill->interval);

    if (i < v->part_count && v->parts[i]->interval == m->fill->interval)
        pshi_mview_remove(v, i);
    m->fill->ready = 1;
    pshi_mview_insert(v, m->fill);
    v->filled += m->fill_rows;
}

psh_status psh_materializer_fill_end(
    psh_materializer *m, psh_status status, uint64_t source, uint64_t position, int64_t commit_time) {
    const pshi_mark *mark;
    psh_status st = PSH_OK;

    if (!m)
        return PSH_E_INVALID;
    if (!m->fill)
        return PSH_E_STATE;
    mark = pshi_mark_find(m, source);
    if (status == PSH_OK && mark && mark->position > position)
        st = PSH_E_STALE; /* changes after the scan have gone by already */
    if (status == PSH_OK && st == PSH_OK) {
        m->fill->source = source;
        m->fill->position = position;
        m->fill->commit_time = commit_time;
        keep_fill(m);
    } else {
        pshi_part_clear(&m->fill_view->store, m->fill);
        pshi_free(m->env, m->fill);
    }
    m->fill = NULL;
    m->fill_view = NULL;
    return st;
}
