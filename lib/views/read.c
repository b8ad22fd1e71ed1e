/* SPDX-License-Identifier: MIT */
/* A view's groups as partial rows of a query that the view answers. */
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "match/answer.h"
#include "match/match.h"
#include "value/query.h"
#include "value/value.h"
#include "views/materializer.h"

#define MAX_COLUMNS 64u  /* groups, and aggregates, of a query at most */
#define MAX_PIECES 4096u /* partial rows that one sum of a group may need */

/** How the groups of one view become the rows of one query. */
typedef struct read_plan {
    const pshi_store *store;
    const psh_query_spec *query;
    int64_t time_from;
    int64_t time_to;
    uint32_t groups[MAX_COLUMNS];                /* the view's group column of each of the query's */
    const pshi_measure *measures[MAX_COLUMNS];   /* of each aggregate; NULL = rows */
    uint32_t filters[MAX_COLUMNS];               /* view's group columns that predicates speak of */
    uint16_t wanted[MAX_COLUMNS];                /* predicates on each */
    const uint16_t *passes[MAX_COLUMNS];         /* predicates that each id of it passes */
    uint32_t filter_count;
    uint32_t kept[MAX_COLUMNS];                  /* 1: the query groups by that group column of the view */
    int64_t bucket;                              /* of the query, that the latest group fell in */
    size_t width;
} read_plan;

static psh_status plan_columns(read_plan *r) {
    const pshi_view_shape *s = &r->store->shape;
    size_t i;

    for (i = 0; i < r->query->group_count; i++) {
        r->groups[i] = pshi_view_shape_group(s, r->query->group_columns[i]);
        if (r->groups[i] == PSH_NONE)
            return PSH_E_INVALID;
        r->kept[r->groups[i]] = 1;
    }
    for (i = 0; i < r->query->aggregate_count; i++) {
        const psh_aggregate *a = &r->query->aggregates[i];
        const pshi_measure *m = a->column == PSH_NONE ? NULL : pshi_view_shape_measure(s, a->column);

        r->measures[i] = m;
        if (a->column != PSH_NONE && !m)
            return PSH_E_INVALID;
        if ((a->fn == PSH_AGG_SUM || a->fn == PSH_AGG_AVG) && (!m || !m->sum_at))
            return PSH_E_INVALID;
        if ((a->fn == PSH_AGG_MIN || a->fn == PSH_AGG_MAX) && (!m || !m->bag_at))
            return PSH_E_INVALID;
    }
    return PSH_OK;
}

/* Notes the ids of one column's dictionary that a predicate lets pass. */
static void pass_ids(const pshi_dict *d, const psh_predicate *p, uint16_t *passes) {
    psh_value v;
    uint32_t id;
    size_t i;

    if (p->op == PSH_OP_EQ || p->op == PSH_OP_IN) {
        for (i = 0; i < p->value_count; i++) {
            v = pshi_value_normal(&p->values[i]);
            id = pshi_dict_find(d, &v);
            if (id != PSH_NONE)
                passes[id]++;
        }
        return;
    }
    for (id = 0; id < d->used; id++)
        if (d->entries[id].live && pshi_predicate_holds(p, &d->entries[id].value))
            passes[id]++;
}

static uint32_t filter_of(read_plan *r, uint32_t group) {
    uint32_t i;

    for (i = 0; i < r->filter_count; i++)
        if (r->filters[i] == group)
            return i;
    r->filters[i] = group;
    r->wanted[i] = 0;
    r->filter_count++;
    return i;
}

/*
 * Predicates on columns that are no groups of the view are its own: the match made sure of that. The others are
 * decided once per distinct value, so that a group is judged by its ids.
 */
static psh_status plan_filters(psh_materializer *m, read_plan *r) {
    const pshi_view_shape *s = &r->store->shape;
    size_t i, need = 0, at[MAX_COLUMNS];
    uint32_t g, k;

    for (i = 0; i < r->query->predicate_count; i++) {
        g = pshi_view_shape_group(s, r->query->predicates[i].column);
        if (g != PSH_NONE)
            r->wanted[filter_of(r, g)]++;
    }
    for (k = 0; k < r->filter_count; k++) {
        at[k] = need;
        need += r->store->dicts[r->filters[k]].used;
    }
    if (pshi_reserve(m->env, (void **)&m->passes, &m->pass_cap, need + 1, sizeof *m->passes) != PSH_OK)
        return PSH_E_NOMEM;
    memset(m->passes, 0, need * sizeof *m->passes);
    for (k = 0; k < r->filter_count; k++)
        r->passes[k] = m->passes + at[k];
    for (i = 0; i < r->query->predicate_count; i++) {
        g = pshi_view_shape_group(s, r->query->predicates[i].column);
        if (g != PSH_NONE)
            pass_ids(&r->store->dicts[g], &r->query->predicates[i], m->passes + at[filter_of(r, g)]);
    }
    return PSH_OK;
}

static psh_value int_value(uint32_t type, int64_t x) {
    psh_value v = { type, 0, { x }, 0 };

    return v;
}

static int wide_fits(const uint64_t w[PSHI_SUM_WORDS], uint32_t words) {
    uint64_t sign = w[words - 1] >> 63 ? UINT64_MAX : 0;

    return w[PSHI_SUM_WORDS - 1] == sign && (words > 1 || w[1] == sign);
}

/* The sum of integers fits pieces of 64 bits, of decimals 128: the largest there are, then the rest. */
static int wide_piece(const uint64_t *sum, const pshi_measure *m, uint32_t j, psh_value *out) {
    uint32_t words = m->type == PSH_TYPE_DECIMAL ? 2 : 1;
    uint64_t w[PSHI_SUM_WORDS] = { sum[0], sum[1], sum[2] }, low, high;
    int fits;

    for (;; j--) {
        fits = wide_fits(w, words);
        low = fits ? w[0] : w[2] >> 63 ? 0 : UINT64_MAX;
        high = fits ? w[1] : w[2] >> 63 ? (uint64_t)INT64_MIN : (uint64_t)INT64_MAX;
        if (!fits && words == 1) {
            low = high;
            high = w[2];
        }
        if (!j || fits)
            break;
        pshi_wide_add(w, (pshi_i128)(((pshi_u128)high << 64) | low), -1);
    }
    if (j)
        return 0;
    *out = int_value(m->type, (int64_t)low);
    if (words == 2) {
        out->size = m->scale;
        out->hi = (int64_t)high;
    }
    return !fits;
}

static int double_piece(const pshi_sparse_sum *s, uint32_t j, psh_value *out) {
    double parts[PSHI_EXACT_PARTS];
    size_t n = pshi_sparse_split(s, parts);

    if (!n)
        return -1;
    if (j >= n)
        return 0;
    *out = int_value(PSH_TYPE_DOUBLE, 0);
    out->as.f64 = parts[j];
    return j + 1 < n;
}

/*
 * Piece j of a sum, NULL if it has no more: a sum that does not fit one value travels as several rows, which
 * the answer adds exactly.
 * @return 1 if more follow, 0, or -1 if it cannot be told in pieces.
 */
static int sum_piece(uint64_t *g, const pshi_measure *m, uint32_t j, psh_value *out) {
    *out = int_value(PSH_TYPE_NULL, 0);
    if (!pshi_group_count(g, m))
        return 0;
    if (m->type == PSH_TYPE_DOUBLE)
        return double_piece(pshi_group_double(g, m), j, out);
    return wide_piece(g + m->sum_at, m, j, out);
}

static psh_value extreme(const read_plan *r, uint64_t *g, const pshi_measure *m, int least) {
    int64_t low, high;

    if (!pshi_bag_ends(pshi_group_bag(g, m), &low, &high))
        return int_value(PSH_TYPE_NULL, 0);
    return pshi_bag_value(least ? low : high, m->type, m->dict == PSH_NONE ? NULL : &r->store->dicts[m->dict]);
}

/* Writes one aggregate's values of piece j to *at and moves it on. @return as sum_piece. */
static int put_aggregate(const read_plan *r, uint64_t *g, size_t i, uint32_t j, psh_value **at) {
    const pshi_measure *m = r->measures[i];
    uint64_t count = j ? 0 : m ? pshi_group_count(g, m) : g[PSHI_GROUP_ROWS];
    int more = 0;

    switch (r->query->aggregates[i].fn) {
    case PSH_AGG_COUNT:
        *(*at)++ = int_value(PSH_TYPE_INT64, (int64_t)count);
        break;
    case PSH_AGG_SUM:
        more = sum_piece(g, m, j, (*at)++);
        break;
    case PSH_AGG_AVG:
        more = sum_piece(g, m, j, (*at)++);
        *(*at)++ = int_value(PSH_TYPE_INT64, (int64_t)count);
        break;
    default:
        *(*at)++ = j ? int_value(PSH_TYPE_NULL, 0) : extreme(r, g, m, r->query->aggregates[i].fn == PSH_AGG_MIN);
    }
    return more;
}

static int put_row(const read_plan *r, uint64_t *g, uint32_t j, psh_value *row) {
    int more = 0, one;
    int64_t bucket = (int64_t)g[PSHI_GROUP_BUCKET];
    size_t i;

    if (r->query->bucket_ns)
        *row++ = int_value(PSH_TYPE_TIMESTAMP, bucket); /* the query's own: folded, if the view's is another */
    for (i = 0; i < r->query->group_count; i++)
        *row++ = r->store->dicts[r->groups[i]].entries[pshi_group_ids(g)[r->groups[i]]].value;
    for (i = 0; i < r->query->aggregate_count; i++) {
        one = put_aggregate(r, g, i, j, &row);
        if (one < 0)
            return -1;
        more |= one;
    }
    return more;
}

static int passes(const read_plan *r, const uint64_t *g) {
    int64_t bucket = (int64_t)g[PSHI_GROUP_BUCKET];
    const uint32_t *ids = pshi_group_ids(g);
    uint32_t k;

    if (bucket < r->time_from || bucket >= r->time_to)
        return 0;
    for (k = 0; k < r->filter_count; k++)
        if (r->passes[k][ids[r->filters[k]]] != r->wanted[k])
            return 0;
    return 1;
}

static psh_status read_group(psh_materializer *m, const read_plan *r, uint64_t *g, size_t *n) {
    uint32_t j = 0;
    int more;

    do {
        if (pshi_reserve(m->env, (void **)&m->values, &m->value_cap, (*n + 1) * r->width, sizeof *m->values) !=
            PSH_OK)
            return PSH_E_NOMEM;
        more = j < MAX_PIECES ? put_row(r, g, j++, m->values + *n * r->width) : -1;
        if (more < 0)
            return PSH_E_RANGE;
        (*n)++;
    } while (more);
    return PSH_OK;
}

static psh_status read_part(psh_materializer *m, const read_plan *r, const pshi_part *p, size_t *n) {
    psh_status st = PSH_OK;
    uint32_t i;

    for (i = 0; st == PSH_OK && i < p->used; i++)
        if (pshi_part_is_live(r->store, p, i) && passes(r, pshi_part_group(r->store, p, i)))
            st = read_group(m, r, pshi_part_group(r->store, p, i), n);
    return st;
}

/* Whether several groups of the view may make one of the query's. */
static int is_coarser(const read_plan *r) {
    return r->query->group_count < r->store->shape.group_count || r->query->bucket_ns != r->store->shape.bucket_ns;
}

static int64_t query_bucket(read_plan *r, int64_t t) {
    int64_t width = r->query->bucket_ns;

    if (!width)
        return 0;
    if (t < r->bucket || r->bucket <= PSH_TIME_MIN || (uint64_t)t - (uint64_t)r->bucket >= (uint64_t)width)
        r->bucket = pshi_bucket_floor(t, width, r->store->shape.interval_origin);
    return r->bucket;
}

/* Adds groups up to those of the query, by ids, so that the answer is given few rows. */
static psh_status fold_part(read_plan *r, const pshi_part *p, pshi_part *folded) {
    uint32_t ids[MAX_COLUMNS], i, k;
    psh_status st = PSH_OK;

    for (i = 0; st == PSH_OK && i < p->used; i++) {
        const uint64_t *g = pshi_part_group(r->store, p, i);

        if (!pshi_part_is_live(r->store, p, i) || !passes(r, g))
            continue;
        for (k = 0; k < r->store->shape.group_count; k++)
            ids[k] = r->kept[k] ? pshi_group_ids(g)[k] : 0;
        st = pshi_part_merge(r->store, folded, query_bucket(r, (int64_t)g[PSHI_GROUP_BUCKET]), ids, g);
    }
    return st;
}

static psh_status read_folded(
    psh_materializer *m, read_plan *r, const pshi_mview *v, size_t first, size_t end, size_t *n) {
    psh_status st = PSH_OK;
    pshi_part folded;
    uint32_t i;

    pshi_part_init(&folded, 0, PSH_TIME_MIN, PSH_TIME_MAX);
    for (; st == PSH_OK && first < end; first++)
        st = fold_part(r, v->parts[first], &folded);
    for (i = 0; st == PSH_OK && i < folded.used; i++)
        st = read_group(m, r, pshi_part_group(r->store, &folded, i), n);
    pshi_part_clear(r->store, &folded);
    return st;
}

static psh_status read_parts(
    psh_materializer *m, read_plan *r, const pshi_mview *v, size_t first, size_t end, size_t *n) {
    psh_status st = PSH_OK;

    if (is_coarser(r))
        return read_folded(m, r, v, first, end, n);
    for (; st == PSH_OK && first < end; first++)
        st = read_part(m, r, v->parts[first], n);
    return st;
}

/* The parts [*first, *end) cover the range without a gap, and all are ready. */
static int find_parts(const pshi_mview *v, int64_t from, int64_t to, size_t *first, size_t *end) {
    size_t i = 0;

    while (i < v->part_count && v->parts[i]->time_to <= from)
        i++;
    *first = i;
    for (; from < to; i++) {
        if (i == v->part_count || !v->parts[i]->ready || v->parts[i]->time_from > from)
            return 0;
        from = v->parts[i]->time_to;
    }
    *end = i;
    return 1;
}

static int on_bucket(const pshi_view_shape *s, int64_t t) {
    return t == PSH_TIME_MIN || t == PSH_TIME_MAX || pshi_bucket_floor(t, s->bucket_ns, s->interval_origin) == t;
}

static psh_status read_view(
    psh_materializer *m, pshi_mview *v, int64_t from, int64_t to, const psh_query *query, psh_answer *out) {
    read_plan r;
    size_t first, end, n = 0;
    psh_status st;

    if (!on_bucket(&v->store.shape, from) || !on_bucket(&v->store.shape, to))
        return PSH_E_INVALID;
    if (psh_view_match(v->definition, query, NULL, NULL) != PSH_MATCH_YES)
        return PSH_E_INVALID;
    if (!find_parts(v, from, to, &first, &end))
        return PSH_E_STALE;
    memset(&r, 0, sizeof r);
    r.store = &v->store;
    r.query = pshi_query_spec(query);
    r.time_from = from;
    r.time_to = to;
    r.bucket = PSH_TIME_MAX;
    r.width = psh_answer_partial_width(out);
    st = plan_columns(&r);
    if (st == PSH_OK)
        st = plan_filters(m, &r);
    if (st == PSH_OK)
        st = read_parts(m, &r, v, first, end, &n);
    return st == PSH_OK ? psh_answer_add_partial(out, m->values, n) : st;
}

psh_status psh_materializer_read(
    psh_materializer *m, uint64_t view, int64_t time_from, int64_t time_to, psh_answer *out) {
    const psh_query *query;
    pshi_mview *v;
    psh_status st;

    if (!m || !out)
        return PSH_E_INVALID;
    v = pshi_mview_find(m, view);
    if (!v)
        return PSH_E_NOT_FOUND;
    query = pshi_answer_query(out);
    st = query ? read_view(m, v, time_from, time_to, query, out) : PSH_E_STATE;
    if (st == PSH_OK)
        v->reads++;
    return st;
}
