/* SPDX-License-Identifier: MIT */
#include "forecast/template.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/hash.h"
#include "base/options.h"
#include "math/stats.h"

#define FEW 64u /* templates compared for eviction: the one chosen is among the least 5 % but once in 26 times */
#define SPAN_FADE 0.05   /* of the mean span of requests */
#define MOST_GROWTH 1e6 /* of work against what was recorded */

static uint64_t more_bytes(const pshi_templates *t, const pshi_more *m) {
    return sizeof *m + t->fold * sizeof *m->fold + pshi_habit_bytes(&m->habit);
}

static void drop_more(psh_env *env, pshi_templates *t, pshi_more *m) {
    if (!m)
        return;
    t->bytes -= more_bytes(t, m);
    pshi_habit_free(env, &m->habit);
    pshi_free(env, m);
}

static psh_status make_more(psh_env *env, pshi_templates *t, const psh_query *q, pshi_more **out) {
    *out = pshi_calloc(env, 1, sizeof **out + t->fold * sizeof *(*out)->fold);
    if (!*out)
        return PSH_E_NOMEM;
    if (pshi_habit_init(env, &(*out)->habit, q) != PSH_OK) {
        pshi_free(env, *out);
        return PSH_E_NOMEM;
    }
    (*out)->base = INT64_MIN; /* until the first request */
    t->bytes += more_bytes(t, *out);
    return PSH_OK;
}

void pshi_templates_free(psh_env *env, pshi_templates *t) {
    size_t i;

    for (i = 0; i < t->count; i++) {
        drop_more(env, t, t->list[i].more);
        psh_query_unref(t->list[i].example);
    }
    pshi_free(env, t->list);
    pshi_free(env, t->order);
    pshi_idmap_free(env, &t->map);
}

pshi_template *pshi_templates_find(const pshi_templates *t, uint64_t id) {
    uint32_t i = pshi_idmap_find(&t->map, id);

    return i == PSH_NONE ? NULL : &t->list[i];
}

psh_status pshi_templates_add(psh_env *env, pshi_templates *t, psh_query *q, pshi_template **out) {
    uint64_t id = psh_query_fingerprint(q);
    psh_query_spec spec = { sizeof spec };
    pshi_template *made;
    pshi_more *more;

    if (pshi_reserve(env, (void **)&t->list, &t->cap, t->count + 1, sizeof *t->list) != PSH_OK)
        return PSH_E_NOMEM;
    if (make_more(env, t, q, &more) != PSH_OK)
        return PSH_E_NOMEM;
    if (pshi_idmap_put(env, &t->map, id, (uint32_t)t->count) != PSH_OK) {
        drop_more(env, t, more);
        return PSH_E_NOMEM;
    }
    (void)psh_query_describe(q, &spec);
    made = &t->list[t->count++];
    memset(made, 0, sizeof *made);
    made->id = id;
    made->example = psh_query_ref(q);
    made->table = spec.table;
    made->access = pshi_query_access(q);
    made->last_seen = PSH_TIME_NONE;
    made->more = more;
    t->ordered = 0;
    *out = made;
    return PSH_OK;
}

void pshi_templates_remove(psh_env *env, pshi_templates *t, size_t i) {
    pshi_template gone = t->list[i];

    t->list[i] = t->list[--t->count];
    pshi_idmap_remove(&t->map, gone.id);
    /* There is one id less than there was, so this put allocates nothing. */
    if (i < t->count)
        (void)pshi_idmap_put(env, &t->map, t->list[i].id, (uint32_t)i);
    drop_more(env, t, gone.more);
    psh_query_unref(gone.example);
    t->ordered = 0;
}

static int is_less_asked(const pshi_template *a, const pshi_template *b) {
    return a->recent != b->recent ? a->recent < b->recent : a->id < b->id;
}

size_t pshi_templates_least(const pshi_templates *t, size_t n, uint64_t seed) {
    size_t i, at, least = n > FEW ? (size_t)(seed % n) : 0;

    for (i = 0; i < n && i < FEW; i++) {
        at = n > FEW ? (size_t)(pshi_mix64(seed + i) % n) : i;
        if (is_less_asked(&t->list[at], &t->list[least]))
            least = at;
    }
    return least;
}

/*
 * A count c at time t that halves every half life is c 2^(-(now - t) / half life): its logarithm plus
 * t / half life does not change while time goes on, so that templates compare without being brought to one time.
 */
static void learn_recent(pshi_template *t, const psh_query_record *r, int64_t half_life) {
    double at = (double)r->time / (double)half_life + log2(r->weight), most, least;

    if (t->count <= 0) {
        t->recent = at;
        return;
    }
    most = t->recent > at ? t->recent : at;
    least = t->recent > at ? at : t->recent;
    t->recent = most + log2(1 + exp2(least - most));
}

static int64_t align_with(int64_t align, int64_t bound, int64_t origin) {
    uint64_t offset = bound >= origin ? (uint64_t)bound - (uint64_t)origin : (uint64_t)origin - (uint64_t)bound;
    uint64_t g = pshi_gcd((uint64_t)align, offset);

    return g > INT64_MAX ? INT64_MAX : (int64_t)g;
}

/* Open bounds are aligned with everything. */
static void learn_bounds(pshi_template *t, const psh_query_record *r) {
    psh_query_spec spec = { sizeof spec };
    psh_table_spec table;
    int64_t back;

    (void)psh_query_describe(r->query, &spec);
    if (psh_schema_table(psh_query_schema(r->query), spec.table, &table) != PSH_OK)
        return;
    if (spec.time_from != PSH_TIME_MIN) {
        t->align_ns = align_with(t->align_ns, spec.time_from, table.interval_origin);
        if (!pshi_sub_i64(r->time, spec.time_from, &back) && back > t->reach_ns)
            t->reach_ns = back;
    }
    if (spec.time_to != PSH_TIME_MAX)
        t->align_ns = align_with(t->align_ns, spec.time_to, table.interval_origin);
}

/* Hours of data that a request reaches over: its time range, as far as there can be rows. */
static double span_of(const psh_query_record *r, int64_t first) {
    psh_query_spec spec = { sizeof spec };
    int64_t from, to;

    (void)psh_query_describe(r->query, &spec);
    from = spec.time_from > first ? spec.time_from : first;
    to = spec.time_to < r->time ? spec.time_to : r->time;
    return to > from ? ((double)to - (double)from) / (double)PSH_HOUR : 0;
}

/*
 * Once a view answers, nothing is recorded at the base any more, while data grow: the mean of what was recorded
 * is scaled by the data that requests reach over now.
 */
static double work_now(const pshi_template *t) {
    double growth;

    if (t->work_count <= 0)
        return 0;
    growth = t->span > 0 ? t->span_now * t->work_count / t->span : 1;
    return t->work / t->work_count * (growth < MOST_GROWTH ? growth : MOST_GROWTH);
}

void pshi_template_learn(pshi_template *t, const psh_query_record *r, int64_t half_life, int64_t first) {
    double span = span_of(r, first);

    t->span_now = t->count > 0 ? t->span_now + SPAN_FADE * (span - t->span_now) : span;
    learn_recent(t, r, half_life);
    t->count += r->weight;
    t->duration += r->weight * (double)r->duration_ns;
    t->rows += r->weight * (double)r->rows;
    t->bytes += r->weight * (double)r->bytes;
    if (r->at_base) {
        t->work += r->weight * (double)r->work;
        t->work_count += r->weight;
        t->span += r->weight * span;
    }
    if (r->time >= t->last_seen) {
        t->last_seen = r->time;
        if (t->example != r->query) {
            psh_query_unref(t->example);
            t->example = psh_query_ref(r->query);
        }
    }
    learn_bounds(t, r);
}

static int before(const pshi_templates *t, uint32_t a, uint32_t b) {
    const pshi_template *x = &t->list[a], *y = &t->list[b];

    return x->count != y->count ? x->count > y->count : x->id < y->id;
}

static void sift_down(const pshi_templates *t, size_t i, size_t n) {
    size_t child;
    uint32_t x = t->order[i];

    for (; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && before(t, t->order[child], t->order[child + 1]);
        if (!before(t, x, t->order[child]))
            break;
        t->order[i] = t->order[child];
    }
    t->order[i] = x;
}

psh_status pshi_templates_sort(psh_env *env, pshi_templates *t) {
    size_t i;
    uint32_t x;

    if (t->ordered)
        return PSH_OK;
    if (pshi_reserve(env, (void **)&t->order, &t->order_cap, t->count, sizeof *t->order) != PSH_OK)
        return PSH_E_NOMEM;
    for (i = 0; i < t->count; i++)
        t->order[i] = (uint32_t)i;
    for (i = t->count / 2; i-- > 0;)
        sift_down(t, i, t->count);
    for (i = t->count; i-- > 1;) {
        x = t->order[0];
        t->order[0] = t->order[i];
        t->order[i] = x;
        sift_down(t, 0, i);
    }
    t->ordered = 1;
    return PSH_OK;
}

void pshi_template_info(const pshi_template *t, psh_template_info *out) {
    memset(out, 0, sizeof *out);
    out->id = t->id;
    out->example = t->example;
    out->count = t->count;
    out->work = work_now(t);
    out->duration_ns = t->count > 0 ? t->duration / t->count : 0;
    out->rows = t->count > 0 ? t->rows / t->count : 0;
    out->align_ns = t->align_ns;
    out->reach_ns = t->reach_ns;
    out->last_seen = t->last_seen;
}

uint32_t pshi_query_access(const psh_query *q) {
    psh_query_spec spec = { sizeof spec };
    psh_table_spec table;
    psh_predicate p;
    size_t i;

    (void)psh_query_describe(q, &spec);
    if (psh_schema_table(psh_query_schema(q), spec.table, &table) != PSH_OK)
        return 0;
    for (i = 0; i < spec.predicate_count; i++) {
        pshi_element(&p, sizeof p, spec.predicates, spec.predicate_stride, i);
        if (p.column == table.tenant_column && (p.op == PSH_OP_EQ || p.op == PSH_OP_IN))
            return spec.column_count == 0 || spec.time_from != PSH_TIME_MIN || spec.time_to != PSH_TIME_MAX
                 ? PSH_ACCESS_RANGE
                 : PSH_ACCESS_POINT;
    }
    return PSH_ACCESS_SCAN;
}
