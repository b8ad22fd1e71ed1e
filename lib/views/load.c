/* SPDX-License-Identifier: MIT */
/* A materializer from its bytes: every count, id and order is checked before it is used. */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "codec/frame.h"
#include "match/match.h"
#include "value/schema.h"
#include "value/value.h"
#include "value/view.h"
#include "views/materializer.h"

/** What a load carries along. Statuses: damage is marked in the cursor, the rest is returned. */
typedef struct loader {
    psh_materializer *m;
    pshi_cursor *c;
    const pshi_table *table; /* of the view being read */
    size_t left;             /* bytes still allowed */
} loader;

static psh_status take_bytes(loader *l, size_t n) {
    if (n > l->left)
        return PSH_E_LIMIT;
    l->left -= n;
    return PSH_OK;
}

static void require(loader *l, int holds) {
    if (!holds)
        pshi_read_bad(l->c);
}

static psh_status loaded(const loader *l) {
    return l->c->status;
}

/* Values strictly ascending, so that ids are their places. */
static psh_status get_dict(loader *l, pshi_dict *d, uint32_t column, int nullable) {
    const psh_column_spec *spec = &l->table->columns[column];
    size_t n = pshi_get_count(l->c, 1), i;
    psh_status st = PSH_OK;
    psh_value v, before;
    uint32_t id;

    for (i = 0; st == PSH_OK && loaded(l) == PSH_OK && i < n; i++) {
        pshi_get_value(l->c, &v);
        require(l, pshi_value_check(&v, spec->type, spec->scale, nullable) == PSH_OK);
        require(l, i == 0 || psh_value_compare(&before, &v) < 0);
        if (loaded(l) != PSH_OK)
            break;
        before = v;
        v = pshi_value_normal(&v);
        st = take_bytes(l, sizeof(pshi_dict_entry) + 8 + v.size);
        if (st == PSH_OK)
            st = pshi_dict_intern(l->m->env, d, &v, &id);
    }
    return st;
}

static psh_status get_dicts(loader *l, const pshi_store *s) {
    psh_status st = PSH_OK;
    uint32_t i;

    for (i = 0; st == PSH_OK && i < s->shape.group_count; i++) {
        uint32_t column = s->shape.group_columns[i];

        st = get_dict(l, &s->dicts[i], column, (l->table->columns[column].flags & PSH_COLUMN_NULLABLE) != 0);
    }
    for (i = 0; st == PSH_OK && i < s->shape.measure_count; i++)
        if (s->shape.measures[i].dict != PSH_NONE)
            st = get_dict(l, &s->dicts[s->shape.measures[i].dict], s->shape.measures[i].column, 0);
    return st;
}

static int is_code(int64_t code, const pshi_measure *m, const pshi_dict *d) {
    psh_value v;

    if (d)
        return code >= 0 && code < (int64_t)d->count;
    v = pshi_bag_value(code, m->type, NULL);
    return pshi_value_check(&v, m->type, 0, 0) == PSH_OK && pshi_bag_code(&v) == code;
}

static psh_status get_bag(loader *l, const pshi_store *s, const pshi_measure *m, pshi_bag *b, uint64_t count) {
    pshi_dict *d = m->dict == PSH_NONE ? NULL : &s->dicts[m->dict];
    size_t n = pshi_get_count(l->c, 2), i;
    uint64_t total = 0;
    psh_status st = take_bytes(l, n * PSHI_BAG_PLACE_BYTES);
    int64_t code, before = 0;

    for (i = 0; st == PSH_OK && loaded(l) == PSH_OK && i < n; i++) {
        uint64_t times;

        code = d ? (int64_t)pshi_get_var32(l->c) : pshi_get_int(l->c);
        times = pshi_get_var(l->c);
        require(l, is_code(code, m, d) && (i == 0 || before < code) && times && times <= count - total);
        if (loaded(l) != PSH_OK)
            break;
        before = code;
        total += times;
        st = pshi_bag_add(l->m->env, b, d, code, times);
    }
    require(l, st != PSH_OK || total == count);
    return st;
}

static psh_status get_measure(
    loader *l, const pshi_store *s, pshi_part *p, const pshi_measure *m, uint64_t *g) {
    psh_status st = PSH_OK;
    uint64_t count;
    uint32_t k;

    if (m->count_at)
        g[m->count_at] = pshi_get_var(l->c);
    count = pshi_group_count(g, m);
    require(l, count <= g[PSHI_GROUP_ROWS]);
    if (m->sum_at && m->type == PSH_TYPE_DOUBLE) {
        st = pshi_sparse_get(l->m->env, l->c, pshi_group_double(g, m));
        require(l, count || pshi_sparse_is_zero(pshi_group_double(g, m)));
    } else if (m->sum_at) {
        for (k = 0; k < PSHI_SUM_WORDS; k++)
            g[m->sum_at + k] = pshi_get_u64(l->c);
        require(l, count || !(g[m->sum_at] | g[m->sum_at + 1] | g[m->sum_at + 2]));
        require(l, m->type == PSH_TYPE_DECIMAL || g[m->sum_at + 2] == (g[m->sum_at + 1] >> 63 ? UINT64_MAX : 0));
    }
    if (st == PSH_OK && m->bag_at && loaded(l) == PSH_OK)
        st = get_bag(l, s, m, pshi_group_bag(g, m), count);
    if (m->bag_at)
        p->places += pshi_group_bag(g, m)->size;
    return st;
}

/** The key of the group before, to see that keys ascend. */
typedef struct group_key {
    int64_t bucket;
    uint32_t ids[64];
} group_key;

static int key_less(const group_key *a, const group_key *b, uint32_t n) {
    uint32_t i;

    if (a->bucket != b->bucket)
        return a->bucket < b->bucket;
    for (i = 0; i < n; i++)
        if (a->ids[i] != b->ids[i])
            return a->ids[i] < b->ids[i];
    return 0;
}

static void get_key(loader *l, const pshi_store *s, const pshi_part *p, group_key *k, uint64_t *rows) {
    const pshi_view_shape *shape = &s->shape;
    uint32_t i;

    k->bucket = pshi_get_int(l->c);
    *rows = pshi_get_var(l->c);
    require(l, *rows && *rows <= (uint64_t)INT64_MAX - p->rows);
    require(l, pshi_bucket_floor(k->bucket, shape->bucket_ns, shape->interval_origin) == k->bucket);
    require(l, k->bucket < p->time_to);
    require(l, k->bucket >= pshi_bucket_floor(p->time_from, shape->bucket_ns, shape->interval_origin));
    for (i = 0; i < shape->group_count; i++) {
        k->ids[i] = pshi_get_var32(l->c);
        require(l, k->ids[i] < s->dicts[i].count);
    }
}

static psh_status get_group(loader *l, const pshi_store *s, pshi_part *p, group_key *before, int first) {
    psh_status st;
    uint32_t group, i;
    uint64_t rows = 0;
    uint64_t *g;
    group_key k;

    get_key(l, s, p, &k, &rows);
    require(l, first || key_less(before, &k, s->shape.group_count));
    if (loaded(l) != PSH_OK)
        return PSH_OK;
    *before = k;
    st = take_bytes(l, s->shape.words * sizeof *g + 8);
    if (st == PSH_OK)
        st = pshi_part_begin_group(s, p, k.bucket, k.ids, &group);
    if (st != PSH_OK)
        return st;
    g = pshi_part_group(s, p, group);
    g[PSHI_GROUP_ROWS] = rows;
    p->rows += rows;
    for (i = 0; st == PSH_OK && loaded(l) == PSH_OK && i < s->shape.measure_count; i++)
        st = get_measure(l, s, p, &s->shape.measures[i], g);
    return st;
}

static psh_status get_part(loader *l, pshi_mview *v, pshi_part *p) {
    int64_t interval = pshi_get_int(l->c), from = pshi_get_int(l->c), id = 0, start = 0, end = 0;
    psh_status st = PSH_OK;
    group_key before;
    size_t n, i;

    require(l, psh_schema_interval(l->m->schema, v->table, from, &id, &start, &end) == PSH_OK);
    require(l, id == interval && start == from);
    require(l, !v->part_count || v->parts[v->part_count - 1]->interval < interval);
    pshi_part_init(p, id, start, end);
    p->source = pshi_get_u64(l->c);
    p->position = pshi_get_u64(l->c);
    p->commit_time = pshi_get_int(l->c);
    p->ready = pshi_get_u8(l->c);
    n = pshi_get_count(l->c, 2);
    require(l, p->ready <= 1 && (p->ready || !n));
    for (i = 0; st == PSH_OK && loaded(l) == PSH_OK && i < n; i++)
        st = get_group(l, &v->store, p, &before, i == 0);
    return st;
}

static psh_status get_parts(loader *l, pshi_mview *v) {
    size_t n = pshi_get_count(l->c, 21), i;
    psh_status st = take_bytes(l, n * (sizeof(pshi_part) + sizeof(pshi_part *)));
    pshi_part *p;

    if (st == PSH_OK && n)
        st = pshi_reserve(l->m->env, (void **)&v->parts, &v->part_cap, n, sizeof *v->parts);
    for (i = 0; st == PSH_OK && loaded(l) == PSH_OK && i < n; i++) {
        p = pshi_calloc(l->m->env, 1, sizeof *p);
        if (!p)
            return PSH_E_NOMEM;
        st = get_part(l, v, p);
        v->parts[v->part_count++] = p; /* damaged or not: it is freed with the view */
    }
    return st;
}

/* Each value must be used by a group, or bytes that name nothing would stay for ever. */
static void check_dicts(loader *l, const pshi_store *s) {
    uint32_t i, id;

    for (i = 0; i < s->shape.dict_count; i++)
        for (id = 0; id < s->dicts[i].used; id++)
            require(l, s->dicts[i].entries[id].refs != 0);
}

static psh_status get_view(loader *l, pshi_mview **out) {
    psh_view *view = NULL;
    psh_status st = pshi_view_get(l->m->env, l->m->schema, l->c, &view);
    const pshi_past *past;
    pshi_mview *v;

    *out = NULL;
    if (st != PSH_OK)
        return st;
    st = pshi_mview_create(l->m->env, view, out);
    psh_view_unref(view);
    if (st != PSH_OK)
        return st == PSH_E_INVALID ? PSH_E_CORRUPT : st;
    v = *out;
    l->table = pshi_schema_get_table(l->m->schema, v->table);
    past = pshi_past_find(l->m, v->id);
    require(l, v->level != PSH_LEVEL_NONE && past && past->begun);
    v->benefit = pshi_get_f64(l->c);
    v->reads = pshi_get_var(l->c);
    v->reads_seen = pshi_get_var(l->c);
    v->applied = pshi_get_var(l->c);
    v->skipped = pshi_get_var(l->c);
    v->filled = pshi_get_var(l->c);
    v->idle = pshi_get_var32(l->c);
    require(l, v->benefit >= 0);
    st = get_dicts(l, &v->store);
    if (st == PSH_OK && loaded(l) == PSH_OK)
        st = get_parts(l, v);
    if (st == PSH_OK && loaded(l) == PSH_OK)
        check_dicts(l, &v->store);
    return st;
}

static psh_status get_views(loader *l) {
    psh_materializer *m = l->m;
    size_t n = pshi_get_count(l->c, 20), i;
    psh_status st = PSH_OK;
    pshi_mview *v;

    require(l, n <= m->o.max_views);
    if (loaded(l) == PSH_OK && n)
        st = pshi_reserve(m->env, (void **)&m->views, &m->view_cap, n, sizeof *m->views);
    for (i = 0; st == PSH_OK && loaded(l) == PSH_OK && i < n; i++) {
        st = get_view(l, &v);
        require(l, !v || !i || m->views[i - 1]->id < v->id);
        if (v)
            m->views[m->view_count++] = v;
    }
    return st;
}

static void get_options(loader *l) {
    psh_materializer_options *o = &l->m->o;

    psh_materializer_options_init(o, sizeof *o);
    o->max_bytes = pshi_get_var(l->c);
    o->max_views = pshi_get_var32(l->c);
    o->unread_cycles = pshi_get_var32(l->c);
    o->upkeep_work = pshi_get_f64(l->c);
    o->min_benefit = pshi_get_f64(l->c);
    o->node = pshi_get_var32(l->c);
    require(l, loaded(l) != PSH_OK || pshi_materializer_check(o, NULL) == PSH_OK);
}

static psh_status get_past(loader *l) {
    psh_materializer *m = l->m;
    size_t n, i;
    psh_status st = PSH_OK;

    m->past_floor = pshi_get_var(l->c);
    n = pshi_get_count(l->c, 17);
    require(l, n <= PSHI_MAX_PAST);
    if (loaded(l) == PSH_OK && n)
        st = pshi_reserve(m->env, (void **)&m->past, &m->past_cap, n, sizeof *m->past);
    for (i = 0; st == PSH_OK && loaded(l) == PSH_OK && i < n; i++) {
        pshi_past *p = &m->past[i];

        p->id = pshi_get_u64(l->c);
        p->begun = pshi_get_var(l->c);
        p->groups_per_row = pshi_get_f64(l->c);
        require(l, p->id && p->groups_per_row >= 0 && (!i || m->past[i - 1].id < p->id));
        m->past_count++;
    }
    return st;
}

static psh_status get_marks(loader *l) {
    psh_materializer *m = l->m;
    size_t n = pshi_get_count(l->c, 24), i;
    pshi_mark *k;
    uint64_t source;

    require(l, n <= PSHI_MAX_MARKS);
    for (i = 0; loaded(l) == PSH_OK && i < n; i++) {
        source = pshi_get_u64(l->c);
        require(l, !pshi_mark_find(m, source));
        k = pshi_mark_get(m, source);
        if (!k)
            return PSH_E_NOMEM;
        k->position = pshi_get_u64(l->c);
        k->sequence = pshi_get_u64(l->c);
    }
    return PSH_OK;
}

static psh_status decode_materializer(loader *l) {
    psh_status st;

    get_options(l);
    st = get_past(l);
    if (st == PSH_OK && loaded(l) == PSH_OK)
        st = get_marks(l);
    if (st == PSH_OK && loaded(l) == PSH_OK)
        st = get_views(l);
    return st == PSH_OK ? pshi_read_end(l->c) : st;
}

psh_status psh_materializer_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_materializer **out,
    psh_error *err) {
    loader l = { 0 };
    pshi_frame frame;
    pshi_cursor body;
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env || !schema)
        return pshi_fail(err, PSH_E_INVALID, env ? "schema" : "env", "is NULL");
    st = pshi_frame_load(env, data, size, PSHI_KIND_MATERIALIZER, max_bytes, &frame, &body, err);
    if (st != PSH_OK)
        return st;
    l.c = &body;
    l.left = max_bytes ? max_bytes : PSHI_LOAD_BYTES;
    st = psh_materializer_create(env, schema, NULL, &l.m, err);
    if (st == PSH_OK)
        st = decode_materializer(&l);
    pshi_frame_close(&frame);
    if (st == PSH_OK) {
        *out = l.m;
        return PSH_OK;
    }
    psh_materializer_destroy(l.m);
    return pshi_fail(err, st, st == PSH_E_LIMIT ? "max_bytes" : "data", psh_status_text(st));
}
