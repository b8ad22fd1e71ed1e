/* SPDX-License-Identifier: MIT */
#include "forecast/workload.h"

#include <string.h>

#include "base/env.h"
#include "base/hash.h"
#include "ds/hyperloglog.h"

#define ADMIT 16u
#define MOST_SUM 0x1p250 /* of loaded sums: weights are at most 1e12, numbers 2^64 */

static void free_gone(psh_env *env, pshi_workload *w) {
    uint32_t k;

    for (k = 0; k < PSHI_FACETS; k++) {
        pshi_space_saving_free(env, &w->gone[k]);
        pshi_free(env, w->gone_usage[k]);
        pshi_free(env, w->gone_facet[k]);
        w->gone_usage[k] = NULL;
        w->gone_facet[k] = NULL;
    }
}

static void free_tenants(psh_env *env, pshi_workload *w) {
    pshi_space_saving_free(env, &w->tenants);
    pshi_space_saving_free(env, &w->pairs);
    pshi_free(env, w->tenant);
    pshi_free(env, w->pair);
    pshi_free(env, w->pair_key);
    w->tenant = w->pair = NULL;
    w->pair_key = NULL;
}

void pshi_workload_free(psh_env *env, pshi_workload *w) {
    free_gone(env, w);
    free_tenants(env, w);
}

static int is_facet(uint32_t kind) {
    return kind == PSH_WORKLOAD_TABLE || kind == PSH_WORKLOAD_TEMPLATE || kind >= PSH_WORKLOAD_COLUMN;
}

static psh_status make_gone(psh_env *env, pshi_workload *w) {
    uint32_t k;

    for (k = PSH_WORKLOAD_TABLE; k < PSHI_FACETS; k++) {
        if (!is_facet(k))
            continue;
        w->gone_usage[k] = pshi_calloc(env, PSHI_GONE, sizeof **w->gone_usage);
        w->gone_facet[k] = pshi_calloc(env, PSHI_GONE, sizeof **w->gone_facet);
        if (!w->gone_usage[k] || !w->gone_facet[k] ||
            pshi_space_saving_init(env, &w->gone[k], PSHI_GONE) != PSH_OK) {
            free_gone(env, w);
            return PSH_E_NOMEM;
        }
    }
    return PSH_OK;
}

static psh_status make_tenants(psh_env *env, pshi_workload *w) {
    w->tenant = pshi_calloc(env, PSHI_TENANTS, sizeof *w->tenant);
    w->pair = pshi_calloc(env, PSHI_PAIRS, sizeof *w->pair);
    w->pair_key = pshi_calloc(env, PSHI_PAIRS, sizeof *w->pair_key);
    if (w->tenant && w->pair && w->pair_key &&
        pshi_space_saving_init(env, &w->tenants, PSHI_TENANTS) == PSH_OK &&
        pshi_space_saving_init(env, &w->pairs, PSHI_PAIRS) == PSH_OK)
        return PSH_OK;
    free_tenants(env, w);
    return PSH_E_NOMEM;
}

psh_status pshi_workload_ready(psh_env *env, pshi_workload *w, int tenants, int gone) {
    psh_status st = PSH_OK;

    if (tenants && !w->tenants.cap)
        st = make_tenants(env, w);
    if (st == PSH_OK && gone && !w->gone[PSH_WORKLOAD_TABLE].cap)
        st = make_gone(env, w);
    return st;
}

uint64_t pshi_workload_bytes(const pshi_workload *w) {
    uint64_t sum = pshi_space_saving_bytes(&w->tenants) + pshi_space_saving_bytes(&w->pairs);
    uint32_t k;

    if (w->tenant)
        sum += PSHI_TENANTS * sizeof *w->tenant + PSHI_PAIRS * (sizeof *w->pair + sizeof *w->pair_key);
    for (k = 0; k < PSHI_FACETS; k++)
        if (w->gone[k].cap)
            sum += pshi_space_saving_bytes(&w->gone[k]) +
                   PSHI_GONE * (sizeof **w->gone_usage + sizeof **w->gone_facet);
    return sum;
}

static void use(pshi_usage *u, const psh_query_record *r) {
    u->count += r->weight;
    u->spread += r->weight * (r->weight > 1 ? r->weight - 1 : 0);
    u->duration += r->weight * (double)r->duration_ns;
    u->rows += r->weight * (double)r->rows;
    u->bytes += r->weight * (double)r->bytes;
    u->work += r->at_base ? r->weight * (double)r->work : 0;
}

/*
 * A full summary pays for every item that is not held with a search for its lightest: of these only one in ADMIT,
 * drawn by a count, goes in, for that many. Counts stay unbiased; what the draw adds to their variance is counted.
 * @return the slot, or PSH_NONE: not drawn
 */
static uint32_t admit(
    pshi_workload *w, pshi_space_saving *s, uint64_t id, double weight, double *times, int *fresh) {
    uint32_t at = pshi_space_saving_find(s, id);

    *times = 1;
    *fresh = 0;
    if (at != PSH_NONE) {
        pshi_space_saving_hit(s, at, weight);
        return at;
    }
    if (s->count == s->cap) {
        if (pshi_mix64(++w->turn) % ADMIT)
            return PSH_NONE;
        *times = ADMIT;
    }
    return pshi_space_saving_add(s, id, *times * weight, fresh);
}

static void learn_in(
    pshi_workload *w, pshi_space_saving *s, pshi_usage *usage, uint64_t id, const psh_query_record *r, uint32_t *at,
    int *fresh) {
    psh_query_record drawn;
    double times;

    *at = admit(w, s, id, r->weight, &times, fresh);
    if (*at == PSH_NONE)
        return;
    if (*fresh)
        memset(&usage[*at], 0, sizeof usage[*at]);
    if (times > 1) {
        drawn = *r;
        drawn.weight *= times;
        use(&usage[*at], &drawn);
        return;
    }
    use(&usage[*at], r);
}

void pshi_workload_learn(pshi_workload *w, uint64_t template, const psh_query_record *r) {
    uint32_t at;
    int fresh;

    use(&w->total, r);
    if (!r->tenant || !w->tenants.cap)
        return;
    learn_in(w, &w->tenants, w->tenant, r->tenant, r, &at, &fresh);
    learn_in(w, &w->pairs, w->pair, pshi_nonzero(pshi_mix64(template + pshi_mix64(r->tenant))), r, &at, &fresh);
    if (fresh)
        w->pair_key[at] = (pshi_pair){ r->tenant, template };
}

void pshi_workload_meet(pshi_workload *w, uint64_t template) {
    pshi_hll_add(w->seen, PSHI_SEEN_BITS, template);
}

/* A template on its way out. */
typedef struct leaving {
    pshi_workload *w;
    const pshi_template *t;
} leaving;

static psh_status leave(void *user, const pshi_facet *facet) {
    const leaving *l = user;
    const pshi_template *t = l->t;
    pshi_usage *u;
    double times;
    uint32_t at;
    int fresh;

    at = admit(l->w, &l->w->gone[facet->kind], facet->id, t->count, &times, &fresh);
    if (at == PSH_NONE)
        return PSH_OK;
    u = &l->w->gone_usage[facet->kind][at];
    if (fresh) {
        memset(u, 0, sizeof *u);
        l->w->gone_facet[facet->kind][at] = *facet;
    }
    u->count += times * t->count;
    u->spread += times * (t->more->spread + (times - 1) * t->count * t->count);
    u->duration += times * t->duration;
    u->rows += times * t->rows;
    u->bytes += times * t->bytes;
    u->work += times * t->work;
    return PSH_OK;
}

void pshi_workload_evict(pshi_workload *w, const pshi_template *t) {
    leaving l = { w, t };
    uint32_t k;

    w->evicted += t->count;
    for (k = PSH_WORKLOAD_TABLE; k < PSHI_FACETS; k++)
        if (is_facet(k))
            (void)pshi_facets(t->example, k, leave, &l);
}

static void put_usage(pshi_writer *w, const pshi_usage *u) {
    pshi_put_f64(w, u->count);
    pshi_put_f64(w, u->spread);
    pshi_put_f64(w, u->duration);
    pshi_put_f64(w, u->rows);
    pshi_put_f64(w, u->bytes);
    pshi_put_f64(w, u->work);
}

static double get_sum(pshi_cursor *c) {
    double x = pshi_get_f64(c);

    if (x < 0 || x > MOST_SUM)
        pshi_read_bad(c);
    return x;
}

static void get_usage(pshi_cursor *c, pshi_usage *u) {
    u->count = get_sum(c);
    u->spread = get_sum(c);
    u->duration = get_sum(c);
    u->rows = get_sum(c);
    u->bytes = get_sum(c);
    u->work = get_sum(c);
}

static void put_facet(pshi_writer *w, const pshi_facet *f) {
    uint32_t i, n = f->column_count < PSH_WORKLOAD_COLUMNS ? f->column_count : PSH_WORKLOAD_COLUMNS;

    pshi_put_var(w, f->table);
    pshi_put_var(w, f->role);
    pshi_put_var(w, f->op);
    pshi_put_var(w, f->column_count);
    for (i = 0; i < n; i++)
        pshi_put_var(w, f->columns[i]);
}

static void get_facet(pshi_cursor *c, pshi_facet *f, uint32_t kind, uint64_t id, size_t tables) {
    uint32_t i, n;

    f->kind = kind;
    f->id = id;
    f->table = pshi_get_var32(c);
    f->role = pshi_get_var32(c);
    f->op = pshi_get_var32(c);
    f->column_count = n = pshi_get_var32(c);
    if (f->table >= tables || f->role > PSH_ROLE_AGGREGATE || f->op > PSH_OP_NOT_NULL || n > 4096)
        pshi_read_bad(c);
    n = n < PSH_WORKLOAD_COLUMNS ? n : PSH_WORKLOAD_COLUMNS;
    for (i = 0; c->status == PSH_OK && i < n; i++)
        f->columns[i] = pshi_get_var32(c);
}

static void put_gone(pshi_writer *w, const pshi_workload *x, uint32_t k) {
    uint32_t i;

    pshi_space_saving_put(w, &x->gone[k]);
    for (i = 0; i < x->gone[k].count; i++) {
        put_usage(w, &x->gone_usage[k][i]);
        put_facet(w, &x->gone_facet[k][i]);
    }
}

static void put_tenants(pshi_writer *w, const pshi_workload *x) {
    uint32_t i;

    pshi_space_saving_put(w, &x->tenants);
    for (i = 0; i < x->tenants.count; i++)
        put_usage(w, &x->tenant[i]);
    pshi_space_saving_put(w, &x->pairs);
    for (i = 0; i < x->pairs.count; i++) {
        put_usage(w, &x->pair[i]);
        pshi_put_u64(w, x->pair_key[i].tenant);
        pshi_put_u64(w, x->pair_key[i].template);
    }
}

void pshi_workload_put(pshi_writer *w, const pshi_workload *x) {
    int tenants = x->tenants.count > 0, gone = x->gone[PSH_WORKLOAD_TABLE].count > 0;
    uint32_t k;

    pshi_put_u8(w, (uint8_t)(tenants | gone << 1));
    put_usage(w, &x->total);
    pshi_put_f64(w, x->evicted);
    pshi_put_u64(w, x->turn);
    pshi_hll_put(w, x->seen, PSHI_SEEN_BITS);
    if (tenants)
        put_tenants(w, x);
    for (k = PSH_WORKLOAD_TABLE; gone && k < PSHI_FACETS; k++)
        if (is_facet(k))
            put_gone(w, x, k);
}

static psh_status get_tenants(pshi_cursor *c, pshi_workload *x) {
    psh_status st = pshi_space_saving_get(c, &x->tenants);
    uint32_t i;

    for (i = 0; st == PSH_OK && i < x->tenants.count; i++)
        get_usage(c, &x->tenant[i]);
    if (st == PSH_OK)
        st = pshi_space_saving_get(c, &x->pairs);
    for (i = 0; st == PSH_OK && i < x->pairs.count; i++) {
        get_usage(c, &x->pair[i]);
        x->pair_key[i].tenant = pshi_get_u64(c);
        x->pair_key[i].template = pshi_get_u64(c);
    }
    return st == PSH_OK ? c->status : st;
}

static psh_status get_gone(pshi_cursor *c, pshi_workload *x, uint32_t k, size_t tables) {
    psh_status st = pshi_space_saving_get(c, &x->gone[k]);
    uint32_t i;

    for (i = 0; st == PSH_OK && i < x->gone[k].count; i++) {
        get_usage(c, &x->gone_usage[k][i]);
        get_facet(c, &x->gone_facet[k][i], k, x->gone[k].list[i].id, tables);
    }
    return st == PSH_OK ? c->status : st;
}

psh_status pshi_workload_get(psh_env *env, pshi_cursor *c, pshi_workload *x, size_t tables) {
    uint8_t flags = pshi_get_u8(c);
    psh_status st;
    uint32_t k;

    get_usage(c, &x->total);
    x->evicted = get_sum(c);
    x->turn = pshi_get_u64(c);
    pshi_hll_get(c, x->seen, PSHI_SEEN_BITS);
    if (flags > 3)
        pshi_read_bad(c);
    if (c->status != PSH_OK)
        return c->status;
    st = pshi_workload_ready(env, x, flags & 1, flags >> 1);
    if (st == PSH_OK && flags & 1)
        st = get_tenants(c, x);
    for (k = PSH_WORKLOAD_TABLE; st == PSH_OK && flags & 2 && k < PSHI_FACETS; k++)
        if (is_facet(k))
            st = get_gone(c, x, k, tables);
    return st;
}
