/* SPDX-License-Identifier: MIT */
/** @file share_stage.h  A store whose callbacks a test can fail, and worlds that change step by step. */
#ifndef TEST_DRIVE_SHARE_STAGE_H
#define TEST_DRIVE_SHARE_STAGE_H

#include "base/rng.h"
#include "memory_host.h"
#include "test.h"

/* One process's way to the store. */
typedef struct store {
    psh_kv inner;
    int64_t countdown;  /* the call that fails, from now; < 0: none */
    int forever;        /* and all after it */
    int applied;        /* 1: a failing call takes effect, only its answer is lost */
    int failed;         /* calls that failed */
    psh_status answer;  /* of a failing call */
    int64_t refuse;     /* compare_and_set is refused so often; < 0: always */
    uint64_t calls;
    void (*before)(void *user, const char *op, const char *key); /* called before each call */
    void *user;
} store;

static inline int store_fails(store *s, const char *op, const char *key) {
    s->calls++;
    if (s->before)
        s->before(s->user, op, key);
    if (s->countdown < 0)
        return 0;
    if (s->countdown > 0) {
        s->countdown--;
        return 0;
    }
    s->failed++;
    if (!s->forever)
        s->countdown = -1;
    return 1;
}

static inline psh_status store_get(void *user, const char *key, psh_buffer *out, uint64_t *version) {
    store *s = user;

    if (store_fails(s, "get", key))
        return s->answer;
    return s->inner.get(s->inner.user, key, out, version);
}

static inline psh_status store_set(
    void *user, const char *key, uint64_t expected, const void *data, size_t size, uint64_t *version) {
    store *s = user;
    int fails = store_fails(s, "set", key);

    if (fails && !s->applied)
        return s->answer;
    if (s->refuse) {
        s->refuse -= s->refuse > 0;
        return PSH_E_CONFLICT;
    }
    if (fails) {
        (void)s->inner.compare_and_set(s->inner.user, key, expected, data, size, version);
        return s->answer;
    }
    return s->inner.compare_and_set(s->inner.user, key, expected, data, size, version);
}

static inline psh_status store_remove(void *user, const char *key, uint64_t expected) {
    store *s = user;
    int fails = store_fails(s, "remove", key);

    if (fails && !s->applied)
        return s->answer;
    if (!fails)
        return s->inner.remove(s->inner.user, key, expected);
    (void)s->inner.remove(s->inner.user, key, expected);
    return s->answer;
}

static inline psh_status store_list(
    void *user, const char *prefix, psh_status (*each)(void *each_user, const char *key, uint64_t version),
    void *each_user) {
    store *s = user;

    if (store_fails(s, "list", prefix))
        return s->answer;
    return s->inner.list(s->inner.user, prefix, each, each_user);
}

static inline psh_status store_watch(void *user, const char *key, uint64_t version, int64_t wait_ns) {
    store *s = user;

    if (store_fails(s, "watch", key))
        return s->answer;
    return s->inner.watch(s->inner.user, key, version, wait_ns);
}

static inline psh_kv store_kv(store *s, memory_host *h) {
    psh_storage storage;
    psh_cdc cdc;
    psh_kv kv;

    memset(s, 0, sizeof *s);
    memory_host_tables(h, &storage, &cdc, &s->inner);
    s->countdown = -1;
    s->answer = PSH_E_HOST;
    kv = s->inner;
    kv.user = s;
    kv.get = store_get;
    kv.compare_and_set = store_set;
    kv.remove = store_remove;
    kv.list = store_list;
    kv.watch = store_watch;
    return kv;
}

/** A share of one process. */
static inline psh_share *share_of(psh_env *env, psh_schema *schema, const psh_kv *kv, const char *owner) {
    psh_share_options o;
    psh_share *s = NULL;

    assert_ok(psh_share_options_init(&o, sizeof o));
    o.owner = owner;
    o.keep_epochs = 4;
    o.max_blob_bytes = 4096; /* many small blobs */
    assert_ok(psh_share_create(env, schema, kv, &o, &s, NULL));
    return s;
}

#define MODEL_DAYS 32u

/** What a world is made of, small enough to be copied: days of arcs, and some of all else. */
typedef struct model {
    uint64_t epoch;
    int64_t first_day;
    uint32_t days;
    uint32_t arcs[MODEL_DAYS];  /* by day modulo MODEL_DAYS */
    uint32_t rows[MODEL_DAYS];
    uint32_t copies[MODEL_DAYS]; /* replicas of the first arc */
    uint32_t moves;
    uint32_t with_view;
    uint64_t position;
    uint64_t used;
} model;

static inline model model_start(void) {
    model m;
    uint32_t i;

    memset(&m, 0, sizeof m);
    m.epoch = 1;
    m.first_day = 11000;
    m.days = 12;
    for (i = 0; i < MODEL_DAYS; i++)
        m.arcs[i] = 1 + i % 5;
    m.moves = 3;
    return m;
}

/** One random change, and the next epoch. */
static inline void model_change(model *m, uint64_t *rng) {
    uint32_t what = (uint32_t)(pshi_rng_next(rng) % 8);
    uint32_t day = (uint32_t)(((uint64_t)m->first_day + pshi_rng_next(rng) % m->days) % MODEL_DAYS);

    m->epoch += 1 + pshi_rng_next(rng) % 2;
    if (what == 0 && m->days < MODEL_DAYS)
        m->days++;
    else if (what == 1 && m->days > 4) {
        m->first_day++;
        m->days--;
    } else if (what == 2)
        m->arcs[day] = 1 + (uint32_t)(pshi_rng_next(rng) % 9);
    else if (what == 3)
        m->copies[day] = (uint32_t)(pshi_rng_next(rng) % 3);
    else if (what == 4)
        m->moves = (uint32_t)(pshi_rng_next(rng) % 12);
    else if (what == 5)
        m->with_view = !m->with_view;
    else if (what == 6)
        m->position++;
    else
        m->rows[day]++;
    m->used++;
}

static inline psh_status model_day(const model *m, psh_world_draft *d, int64_t day) {
    uint32_t at = (uint32_t)((uint64_t)day % MODEL_DAYS), n = m->arcs[at], i;
    uint64_t width = UINT64_MAX / n + 1;
    psh_partition p;
    psh_replica r;
    psh_status st = PSH_OK;

    for (i = 0; st == PSH_OK && i < n; i++) {
        memset(&p, 0, sizeof p);
        p.state = PSH_PARTITION_ACTIVE;
        p.ordinal = i;
        p.interval = day;
        p.time_from = day * PSH_DAY;
        p.time_to = p.time_from + PSH_DAY;
        p.arc_first = i * width;
        p.arc_last = i + 1 == n ? UINT64_MAX : (i + 1) * width - 1;
        p.id = psh_partition_id(0, day, p.arc_first);
        p.rows = i ? 0 : m->rows[at];
        p.first_write = PSH_TIME_NONE;
        st = psh_world_draft_add_partition(d, &p);
    }
    for (i = 0; st == PSH_OK && i < m->copies[at]; i++) {
        memset(&r, 0, sizeof r);
        r.partition = psh_partition_id(0, day, 0);
        r.node = i + 1;
        r.state = PSH_REPLICA_READY;
        st = psh_world_draft_add_replica(d, &r);
    }
    return st;
}

static inline psh_status model_rest(const model *m, psh_world_draft *d) {
    psh_assignment a = { 0 };
    psh_tier_info t = { .capacity_bytes = 1000000, .price = 2, .used_bytes = m->used };
    psh_partition q = { 0 };
    psh_status st;
    uint32_t i;

    q.id = psh_quarantine_id(0);
    q.state = PSH_PARTITION_ACTIVE;
    q.flags = PSH_PARTITION_QUARANTINE;
    q.arc_last = UINT64_MAX;
    q.first_write = PSH_TIME_NONE;
    st = psh_world_draft_add_partition(d, &q);
    for (i = 0; st == PSH_OK && i < 3; i++) {
        t.node = i;
        st = psh_world_draft_add_tier(d, &t);
    }
    for (i = 0; st == PSH_OK && i < m->moves; i++) {
        a.tenant = 1000 + i / 2;
        a.segment = 1 + i;
        a.from = (m->first_day + i % 2) * PSH_DAY;
        a.tier = PSH_NONE;
        st = psh_world_draft_add_assignment(d, &a);
    }
    return st;
}

static inline psh_status model_view(const model *m, psh_env *env, psh_schema *schema, psh_world_draft *d) {
    static const uint32_t groups[] = { 3 };
    static const psh_aggregate counts[] = { { PSH_AGG_COUNT, PSH_NONE } };
    psh_query_spec query;
    psh_view_spec spec;
    psh_query *q = NULL;
    psh_view *v = NULL;
    psh_view_part p;
    psh_status st;
    uint32_t i;

    psh_query_spec_init(&query, sizeof query);
    query.group_columns = groups;
    query.group_count = 1;
    query.aggregates = counts;
    query.aggregate_count = 1;
    st = psh_query_create(env, schema, &query, &q, NULL);
    if (st != PSH_OK)
        return st;
    psh_view_spec_init(&spec, sizeof spec);
    spec.name = "by_destination";
    spec.definition = q;
    spec.confidence = 0.5;
    st = psh_view_create(env, &spec, &v, NULL);
    psh_query_unref(q);
    if (st != PSH_OK)
        return st;
    st = psh_world_draft_add_view(d, v);
    for (i = 0; st == PSH_OK && i < m->days; i++) {
        memset(&p, 0, sizeof p);
        p.view = psh_view_id(v);
        p.interval = m->first_day + i;
        p.time_from = p.interval * PSH_DAY;
        p.time_to = p.time_from + PSH_DAY;
        p.position = m->position;
        p.commit_time = p.time_from;
        st = psh_world_draft_add_view_part(d, &p);
    }
    psh_view_unref(v);
    return st;
}

/** The world of a model; NULL if memory is short. */
static inline psh_world *model_world(const model *m, psh_env *env, psh_schema *schema) {
    psh_world_draft *d = NULL;
    psh_world *w = NULL;
    psh_error err = { .struct_size = sizeof err };
    psh_status st = psh_world_draft_create(env, schema, m->epoch, TEST_T0 + (int64_t)m->epoch, &d);
    uint32_t i;

    for (i = 0; st == PSH_OK && i < m->days; i++)
        st = model_day(m, d, m->first_day + i);
    if (st == PSH_OK)
        st = model_rest(m, d);
    if (st == PSH_OK && m->with_view)
        st = model_view(m, env, schema, d);
    if (st == PSH_OK)
        st = psh_world_create(d, &w, &err);
    psh_world_draft_destroy(d);
    if (st != PSH_OK && st != PSH_E_NOMEM)
        fail_msg("%s: %s", err.field, err.text);
    return w;
}

/** The same on another world: shares with it what did not change. base NULL: as above. */
static inline psh_world *model_world_on(const model *m, psh_world *base, psh_env *env, psh_schema *schema) {
    psh_world *whole = model_world(m, env, schema), *w = NULL;
    psh_world_draft *d = NULL;
    const psh_partition *p, *was;
    size_t i;

    if (!base || psh_world_assignment_count(base) != psh_world_assignment_count(whole) ||
        psh_world_replica_count(base) != psh_world_replica_count(whole) ||
        psh_world_partition_count(base) != psh_world_partition_count(whole) ||
        psh_world_view_count(base) || psh_world_view_count(whole))
        return whole;
    assert_ok(psh_world_draft_create(env, schema, m->epoch, psh_world_time(whole), &d));
    assert_ok(psh_world_draft_base(d, base));
    for (i = 0; (p = psh_world_partition(whole, i)) != NULL; i++) {
        was = psh_world_find_partition(base, p->id);
        if (!was || memcmp(was, p, sizeof *p) != 0)
            assert_ok(psh_world_draft_add_partition(d, p));
    }
    for (i = 0; (p = psh_world_partition(base, i)) != NULL; i++)
        if (!psh_world_find_partition(whole, p->id))
            assert_ok(psh_world_draft_remove_partition(d, p->id));
    if (m->epoch % 3) { /* else the tiers stay those of the base: the caller compares with the world made */
        psh_world_draft_forget_rest(d);
        for (i = 0; i < psh_world_tier_count(whole); i++)
            assert_ok(psh_world_draft_add_tier(d, psh_world_tier(whole, i)));
    }
    assert_ok(psh_world_create(d, &w, NULL));
    psh_world_draft_destroy(d);
    psh_world_unref(whole);
    return w;
}

static inline psh_buffer *world_bytes(const psh_world *w, psh_env *env) {
    psh_buffer *b = NULL;

    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_world_save(w, b));
    return b;
}

static inline void assert_same_world(const psh_world *a, const psh_world *b, psh_env *env) {
    psh_buffer *x = world_bytes(a, env), *y = world_bytes(b, env);

    assert_int_equal(psh_buffer_size(x), psh_buffer_size(y));
    assert_memory_equal(psh_buffer_data(x), psh_buffer_data(y), psh_buffer_size(x));
    psh_buffer_destroy(x);
    psh_buffer_destroy(y);
}

/** Publishes a model's world. */
static inline psh_status model_publish(
    const model *m, psh_share *s, psh_env *env, psh_schema *schema, int64_t now) {
    psh_world *w = model_world(m, env, schema);
    psh_status st = w ? psh_share_publish(s, w, now, NULL) : PSH_E_NOMEM;

    psh_world_unref(w);
    return st;
}

/** Catches up, and finds the model's world. */
static inline void assert_follows(psh_share *s, const model *m, psh_env *env, psh_schema *schema) {
    psh_world *got = NULL, *want = model_world(m, env, schema);

    assert_ok(psh_share_catch_up(s, 0, &got, NULL));
    assert_same_world(got, want, env);
    psh_world_unref(got);
    psh_world_unref(want);
}

#endif
