/* SPDX-License-Identifier: MIT */
#include "base/rng.h"
#include "saved.h"

#include <math.h>

#define HALF (UINT64_C(1) << 63)

static psh_partition day_shard(int64_t day, uint32_t state, uint32_t ordinal, uint64_t first, uint64_t last) {
    psh_partition p = { 0 };

    p.id = psh_partition_id(0, day, first);
    p.state = state;
    p.ordinal = ordinal;
    p.interval = day;
    p.time_from = day * PSH_DAY;
    p.time_to = p.time_from + PSH_DAY;
    p.arc_first = first;
    p.arc_last = last;
    p.rows = 10;
    p.created_at = 5;
    p.first_write = PSH_TIME_NONE;
    return p;
}

static psh_partition quarantine_of(uint32_t table) {
    psh_partition p = { 0 };

    p.id = psh_quarantine_id(table);
    p.table = table;
    p.state = PSH_PARTITION_ACTIVE;
    p.flags = PSH_PARTITION_QUARANTINE;
    p.arc_last = UINT64_MAX;
    p.first_write = PSH_TIME_NONE;
    return p;
}

static psh_view *day_view(psh_env *env, psh_schema *schema, uint32_t group, psh_status *st) {
    psh_query *q = day_query(env, schema, group, st);
    psh_view_spec spec;
    psh_view *v = NULL;

    if (*st != PSH_OK)
        return NULL;
    psh_view_spec_init(&spec, sizeof spec);
    spec.name = group ? "by_destination" : "by_origin";
    spec.definition = q;
    spec.confidence = 0.5;
    *st = psh_view_create(env, &spec, &v, NULL);
    psh_query_unref(q);
    return v;
}

static psh_view_part day_part(psh_view *v, uint32_t node, int64_t day) {
    psh_view_part p = { 0 };

    p.view = psh_view_id(v);
    p.node = node;
    p.interval = day;
    p.time_from = day * PSH_DAY;
    p.time_to = p.time_from + PSH_DAY;
    p.position = 12;
    p.commit_time = p.time_to;
    return p;
}

static psh_status add_partitions(psh_world_draft *d, const psh_partition *p, size_t n) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < n; i++)
        st = psh_world_draft_add_partition(d, &p[i]);
    return st;
}

static psh_status add_all(psh_world_draft *d, psh_view *a, psh_view *b) {
    psh_partition p[] = {
        quarantine_of(0),
        day_shard(3, PSH_PARTITION_SHADOW, 0, 0, HALF),
        day_shard(2, PSH_PARTITION_ACTIVE, 1, HALF, UINT64_MAX),
        day_shard(2, PSH_PARTITION_ACTIVE, 0, 0, HALF - 1),
        day_shard(-1, PSH_PARTITION_ARCHIVED, 0, 0, UINT64_MAX),
        day_shard(1, PSH_PARTITION_SEALED, 0, 0, 9),
        day_shard(1, PSH_PARTITION_SEALED, 1, 10, 19),
        day_shard(1, PSH_PARTITION_WARMING, 3, 15, 30), /* owns nothing: may overlap */
        day_shard(1, PSH_PARTITION_ARCHIVED, 2, 20, UINT64_MAX),
    };
    psh_tier_info slow = { .node = 0, .tier = 1, .capacity_bytes = 900, .price = 0.5, .latency_us = 40 };
    psh_tier_info fast = { .node = 0, .tier = 0, .capacity_bytes = 100, .price = 3, .used_bytes = 7 };
    psh_view_part parts[] = { day_part(b, 1, 2), day_part(b, 0, 2), day_part(a, 0, 2), day_part(b, 0, 1) };
    psh_replica copies[] = {
        { psh_partition_id(0, 2, HALF), 7, 1, PSH_REPLICA_WARMING, 0, PSH_TIME_NONE },
        { psh_partition_id(0, 2, HALF), 3, 0, PSH_REPLICA_READY, 0, 60 },
        { psh_quarantine_id(0), 4, 0, PSH_REPLICA_READY, 0, 61 },
    };
    psh_assignment moves[] = {
        { 77, 0, 5, 2 * PSH_DAY, PSH_ACCESS_RANGE, PSH_NONE },
        { 77, 0, 6, PSH_TIME_MIN, 0, 1 },
        { 12, 0, 9, PSH_DAY + 1, PSH_ACCESS_POINT, 0 },
    };
    psh_status st = add_partitions(d, p, sizeof p / sizeof *p);
    size_t i;

    if (st == PSH_OK)
        st = psh_world_draft_add_tier(d, &slow);
    if (st == PSH_OK)
        st = psh_world_draft_add_tier(d, &fast);
    if (st == PSH_OK)
        st = psh_world_draft_add_view(d, a);
    if (st == PSH_OK)
        st = psh_world_draft_add_view(d, b);
    for (i = 0; st == PSH_OK && i < 4; i++)
        st = psh_world_draft_add_view_part(d, &parts[i]);
    for (i = 0; st == PSH_OK && i < 3; i++)
        st = psh_world_draft_add_replica(d, &copies[i]);
    for (i = 0; st == PSH_OK && i < 3; i++)
        st = psh_world_draft_add_assignment(d, &moves[i]);
    return st;
}

/* A world of epoch 4 with everything in it. */
static psh_world *full_world(psh_env *env, psh_schema *schema, psh_status *st) {
    psh_world_draft *d = NULL;
    psh_world *w = NULL;
    psh_view *a = day_view(env, schema, 0, st), *b = NULL;

    if (*st == PSH_OK)
        b = day_view(env, schema, 3, st);
    if (*st == PSH_OK)
        *st = psh_world_draft_create(env, schema, 4, TEST_T0, &d);
    if (*st == PSH_OK)
        *st = add_all(d, a, b);
    if (*st == PSH_OK)
        *st = psh_world_create(d, &w, NULL);
    psh_world_draft_destroy(d);
    psh_view_unref(a);
    psh_view_unref(b);
    return w;
}

static void check_locate(const psh_world *w, int64_t time, uint64_t point, int64_t day, uint64_t first) {
    const psh_partition *p = psh_world_locate(w, 0, time, point);

    assert_non_null(p);
    assert_int_equal(p->interval, day);
    assert_true(p->arc_first == first && point <= p->arc_last);
    assert_ptr_equal(p, psh_world_find_partition(w, psh_partition_id(0, day, first)));
}

static void test_locate(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_status st;
    psh_world *w = full_world(env, schema, &st);
    int64_t calls = (int64_t)a.calls;

    (void)state;
    assert_ok(st);
    check_locate(w, 2 * PSH_DAY, 0, 2, 0);
    check_locate(w, 2 * PSH_DAY + 1, HALF - 1, 2, 0);
    check_locate(w, 3 * PSH_DAY - 1, HALF, 2, HALF);
    check_locate(w, 3 * PSH_DAY - 1, UINT64_MAX, 2, HALF);
    check_locate(w, PSH_DAY, 9, 1, 0);
    check_locate(w, PSH_DAY, 10, 1, 10);
    check_locate(w, PSH_DAY, 19, 1, 10);
    check_locate(w, PSH_DAY, 20, 1, 20);
    check_locate(w, -1, 7, -1, 0);
    check_locate(w, -PSH_DAY, 7, -1, 0);
    assert_null(psh_world_locate(w, 0, 0, 0));                /* no such interval */
    assert_null(psh_world_locate(w, 0, 3 * PSH_DAY, 0));      /* only a shadow there */
    assert_null(psh_world_locate(w, 0, -PSH_DAY - 1, 0));
    assert_null(psh_world_locate(w, 1, PSH_DAY, 0));
    assert_null(psh_world_locate(w, 0, PSH_TIME_MAX, 0));
    assert_null(psh_world_locate(w, 0, PSH_TIME_MIN, 0));
    assert_null(psh_world_find_partition(w, 12345));
    assert_null(psh_world_find_partition(w, 0));
    assert_int_equal(psh_world_find_partition(w, psh_quarantine_id(0))->flags, PSH_PARTITION_QUARANTINE);
    assert_int_equal((int64_t)a.calls, calls);
    psh_world_unref(w);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void between(const psh_world *w, int64_t from, int64_t to, size_t first, size_t end) {
    size_t a, b;

    psh_world_partitions_between(w, 0, from, to, &a, &b);
    assert_int_equal(a, first);
    assert_int_equal(b, end);
}

static psh_world_draft *empty_draft(psh_env *env, psh_schema *schema) {
    psh_world_draft *d;

    assert_ok(psh_world_draft_create(env, schema, 1, 0, &d));
    return d;
}

/* Whatever days and arcs there are, locating finds what looking at all partitions finds. */
static void test_locate_among_gaps(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    const psh_partition *p, *found;
    uint64_t seed = 4, point, cut;
    psh_world_draft *d;
    psh_world *w;
    int64_t day, time;
    size_t i, k;

    (void)state;
    d = empty_draft(env, schema);
    for (day = -40; day < 40; day++) {
        cut = pshi_rng_next(&seed) | 1;
        if (cut % 5 < 2)
            continue;
        psh_partition two[] = { day_shard(day, PSH_PARTITION_SEALED, 0, 0, cut - 1),
                                day_shard(day, PSH_PARTITION_ACTIVE, 1, cut, UINT64_MAX) };
        two[0].state = two[1].state = cut % 5 == 4 ? PSH_PARTITION_SHADOW : PSH_PARTITION_ACTIVE;
        assert_ok(add_partitions(d, two, 2));
    }
    assert_ok(psh_world_create(d, &w, NULL));
    for (i = 0; i < 5000; i++) {
        time = (int64_t)(pshi_rng_next(&seed) % (uint64_t)(90 * PSH_DAY)) - 45 * PSH_DAY;
        time -= i % 3 ? 0 : time % PSH_DAY;
        point = pshi_rng_next(&seed);
        found = NULL;
        for (k = 0; k < psh_world_partition_count(w); k++) {
            p = psh_world_partition(w, k);
            if (p->state == PSH_PARTITION_ACTIVE && p->time_from <= time && time < p->time_to &&
                p->arc_first <= point && point <= p->arc_last)
                found = p;
        }
        assert_ptr_equal(psh_world_locate(w, 0, time, point), found);
    }
    psh_world_unref(w);
    psh_world_draft_destroy(d);
    psh_schema_unref(schema);
    psh_env_destroy(env);
}

/* Many arcs of one day, some of a single point, some that share the upper half of where they begin. */
static void test_locate_among_arcs(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    const psh_partition *p;
    uint64_t seed = 6, cuts[200], point;
    psh_world_draft *d;
    psh_world *w;
    size_t n, i, k, round;

    (void)state;
    for (round = 0; round < 60; round++) {
        n = 1 + pshi_rng_next(&seed) % (round % 2 ? 200 : 18);
        for (cuts[0] = 0, i = 1; i < n; i++) {
            cuts[i] = cuts[i - 1] + 1 + pshi_rng_next(&seed) % (i % 3 ? UINT64_C(1) << 34 : UINT64_C(1) << 56);
            if (pshi_rng_next(&seed) % 3 == 0)
                cuts[i] = cuts[i - 1] + 1;
        }
        if (round % 4 == 0 && n > 1)
            cuts[n - 1] = UINT64_MAX;
        d = empty_draft(env, schema);
        for (i = 0; i < n; i++) {
            psh_partition one = day_shard(
                3, PSH_PARTITION_ACTIVE, (uint32_t)i, cuts[i], i + 1 < n ? cuts[i + 1] - 1 : UINT64_MAX);
            psh_partition shadow = day_shard(3, PSH_PARTITION_SHADOW, 0, cuts[i] + 7, UINT64_MAX);

            assert_ok(psh_world_draft_add_partition(d, &one));
            if (round % 3 == 0 && i + 1 < n && cuts[i + 1] - cuts[i] > 9)
                assert_ok(psh_world_draft_add_partition(d, &shadow));
        }
        assert_ok(psh_world_create(d, &w, NULL));
        for (k = 0; k < 2000; k++) {
            point = k % 4 == 0 ? pshi_rng_next(&seed) : cuts[pshi_rng_next(&seed) % n] + k % 5 - 2;
            point = k == 1 ? UINT64_MAX : point;
            for (i = n; cuts[--i] > point;)
                ;
            p = psh_world_locate(w, 0, 3 * PSH_DAY, point);
            assert_true(p && p->arc_first == cuts[i] && p->arc_last >= point && p->state == PSH_PARTITION_ACTIVE);
        }
        psh_world_unref(w);
        psh_world_draft_destroy(d);
    }
    psh_schema_unref(schema);
    psh_env_destroy(env);
}

static void test_order_and_ranges(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_status st;
    psh_world *w = full_world(env, schema, &st);
    const psh_view_part *parts;
    size_t i, n, first, end;

    (void)state;
    assert_int_equal(psh_world_epoch(w), 4);
    assert_true(psh_world_time(w) == TEST_T0);
    assert_ptr_equal(psh_world_schema(w), schema);
    assert_int_equal(psh_world_partition_count(w), 9);
    assert_int_equal(psh_world_partition(w, 0)->interval, -1);
    assert_int_equal(psh_world_partition(w, 3)->state, PSH_PARTITION_WARMING);
    assert_int_equal(psh_world_partition(w, 8)->id, psh_quarantine_id(0));
    assert_null(psh_world_partition(w, 9));
    between(w, PSH_TIME_MIN, PSH_TIME_MAX, 0, 8);
    between(w, PSH_DAY, 2 * PSH_DAY, 1, 5);
    between(w, 2 * PSH_DAY - 1, 2 * PSH_DAY, 1, 5);
    between(w, 2 * PSH_DAY - 1, 2 * PSH_DAY + 1, 1, 7);
    between(w, 0, PSH_DAY, 0, 0);
    between(w, 9, 9, 0, 0);
    between(w, 9 * PSH_DAY, PSH_TIME_MAX, 0, 0);
    psh_world_partitions_between(w, 1, PSH_TIME_MIN, PSH_TIME_MAX, &first, &end);
    assert_int_equal(first, end);
    assert_int_equal(psh_world_tier_count(w), 2);
    assert_int_equal(psh_world_tier(w, 0)->used_bytes, 7);
    assert_null(psh_world_tier(w, 2));
    assert_int_equal(psh_world_view_count(w), 2);
    assert_true(psh_view_id(psh_world_view(w, 0)) < psh_view_id(psh_world_view(w, 1)));
    assert_null(psh_world_view(w, 2));
    for (i = 0, end = 0; i < 2; i++) {
        parts = psh_world_view_parts(w, i, &n);
        assert_true(n == 1 || n == 3);
        assert_true(parts[0].view == psh_view_id(psh_world_view(w, i)));
        assert_true(n == 1 || (parts[0].interval == 1 && parts[1].node == 0 && parts[2].node == 1));
        end += n;
    }
    assert_int_equal(end, 4);
    assert_null(psh_world_view_parts(w, 2, &n));
    psh_world_unref(psh_world_ref(w));
    psh_world_unref(w);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void refused(psh_schema *schema, psh_env *env, const psh_partition *p, size_t n, const char *field) {
    psh_error err = { .struct_size = sizeof err };
    psh_world_draft *d;
    psh_world *w;

    assert_ok(psh_world_draft_create(env, schema, 1, 0, &d));
    assert_ok(add_partitions(d, p, n));
    assert_int_equal(psh_world_create(d, &w, &err), PSH_E_INVALID);
    assert_string_equal(err.field, field);
    assert_null(w);
    psh_world_draft_destroy(d);
}

#define REFUSED(base, change, name) \
    do { \
        psh_partition bad = base; \
        bad.change; \
        refused(schema, env, &bad, 1, name); \
    } while (0)

static void test_bad_partitions(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_partition p[3] = { day_shard(1, PSH_PARTITION_ACTIVE, 0, 0, 9),
                           day_shard(1, PSH_PARTITION_ACTIVE, 1, 10, UINT64_MAX) };
    psh_partition whole = day_shard(1, PSH_PARTITION_ACTIVE, 0, 0, UINT64_MAX);

    (void)state;
    REFUSED(whole, table = 1, "table");
    REFUSED(whole, state = PSH_PARTITION_DROPPED, "state");
    REFUSED(whole, state = 0, "state");
    REFUSED(whole, state = 7, "state");
    REFUSED(whole, flags = 2, "flags");
    REFUSED(whole, id++, "id");
    REFUSED(whole, interval = 2, "id");
    REFUSED(whole, time_from++, "time_from");
    REFUSED(whole, time_to++, "time_from");
    REFUSED(whole, created_at = PSH_TIME_NONE, "created_at");
    REFUSED(day_shard(1, PSH_PARTITION_ACTIVE, 0, 5, 9), arc_last = 4, "arc_first");
    REFUSED(quarantine_of(0), id = 1, "id");
    REFUSED(quarantine_of(0), time_to = -1, "time_from");
    p[0].arc_last = 10;
    refused(schema, env, p, 2, "partitions[1]"); /* overlap */
    p[0].arc_last = 8;
    refused(schema, env, p, 2, "partitions[1]"); /* gap between */
    p[0].arc_last = 9;
    refused(schema, env, p, 1, "partitions[0]"); /* gap at the end */
    refused(schema, env, p + 1, 1, "partitions[0]"); /* gap at the start */
    p[0].state = PSH_PARTITION_WARMING;
    refused(schema, env, p, 2, "partitions[1]"); /* what owns nothing fills no gap */
    p[0] = p[1] = whole;
    refused(schema, env, p, 2, "partitions[1]"); /* twice */
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void fails_with(psh_world_draft *d, const char *field) {
    psh_error err = { .struct_size = sizeof err };
    psh_world *w;

    assert_int_equal(psh_world_create(d, &w, &err), PSH_E_INVALID);
    assert_string_equal(err.field, field);
    psh_world_draft_destroy(d);
}

static void test_bad_views_and_tiers(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_status st;
    psh_view *v = day_view(env, schema, 0, &st);
    psh_tier_info tier = { .node = 1 };
    psh_view_part part = day_part(v, 0, 1);
    psh_world_draft *d;

    (void)state;
    d = empty_draft(env, schema);
    assert_ok(psh_world_draft_add_view_part(d, &part));
    fails_with(d, "view_parts[0]"); /* no such view */
    d = empty_draft(env, schema);
    assert_ok(psh_world_draft_add_view(d, v));
    assert_ok(psh_world_draft_add_view_part(d, &part));
    assert_ok(psh_world_draft_add_view_part(d, &part));
    fails_with(d, "view_parts[1]");
    d = empty_draft(env, schema);
    assert_ok(psh_world_draft_add_view(d, v));
    assert_ok(psh_world_draft_add_view(d, v));
    fails_with(d, "views[1]");
    d = empty_draft(env, schema);
    part.time_to++;
    assert_ok(psh_world_draft_add_view(d, v));
    assert_ok(psh_world_draft_add_view_part(d, &part));
    fails_with(d, "view_parts[0]"); /* not its interval */
    part.time_to--;
    d = empty_draft(env, schema);
    part.interval++;
    assert_ok(psh_world_draft_add_view(d, v));
    assert_ok(psh_world_draft_add_view_part(d, &part));
    fails_with(d, "view_parts[0]");
    part.interval--;
    d = empty_draft(env, schema);
    part.flags = 1;
    assert_ok(psh_world_draft_add_view_part(d, &part));
    fails_with(d, "flags");
    d = empty_draft(env, schema);
    assert_ok(psh_world_draft_add_tier(d, &tier));
    assert_ok(psh_world_draft_add_tier(d, &tier));
    fails_with(d, "tiers[1]");
    d = empty_draft(env, schema);
    tier.price = (double)NAN;
    assert_ok(psh_world_draft_add_tier(d, &tier));
    fails_with(d, "price");
    psh_view_unref(v);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status load_world(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_error *err) {
    psh_world *w = NULL;
    psh_status st = psh_world_load(env, schema, data, size, max_bytes, &w, err);

    assert_true((st == PSH_OK) == (w != NULL));
    psh_world_unref(w);
    return st;
}

static void test_saved_comes_back(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_status st;
    psh_world *w = full_world(env, schema, &st), *again;
    psh_buffer *one, *two;
    size_t i;

    (void)state;
    assert_ok(st);
    assert_ok(psh_buffer_create(env, &one));
    assert_ok(psh_buffer_create(env, &two));
    assert_ok(psh_world_save(w, one));
    assert_ok(psh_world_load(env, schema, psh_buffer_data(one), psh_buffer_size(one), 0, &again, NULL));
    assert_ok(psh_world_save(again, two));
    assert_true(same_bytes(one, two));
    for (i = 0; i < psh_world_partition_count(w); i++)
        assert_memory_equal(psh_world_partition(w, i), psh_world_partition(again, i), sizeof(psh_partition));
    assert_int_equal(psh_world_locate(again, 0, PSH_DAY, 12)->ordinal, 1);
    check_damage(env, schema, one, load_world);
    psh_buffer_clear(two);
    assert_ok(psh_world_dump(w, two));
    assert_non_null(strstr(psh_buffer_data(two), "world epoch 4 time 2001-01-01T00:00:00Z"));
    assert_non_null(strstr(psh_buffer_data(two), " warming "));
    assert_non_null(strstr(psh_buffer_data(two), " quarantine "));
    assert_non_null(strstr(psh_buffer_data(two), " node 3 tier 0 ready at "));
    assert_non_null(strstr(psh_buffer_data(two), " node 7 tier 1 warming\n"));
    assert_non_null(strstr(psh_buffer_data(two), " segment 5 access range tier any\n"));
    psh_world_unref(w);
    psh_world_unref(again);
    psh_buffer_destroy(one);
    psh_buffer_destroy(two);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status use_world(psh_env *env, void *user) {
    psh_status st;
    psh_world *w = full_world(env, user, &st), *again = NULL;
    psh_buffer *b = NULL;

    if (st == PSH_OK)
        st = psh_buffer_create(env, &b);
    if (st == PSH_OK)
        st = psh_world_save(w, b);
    if (st == PSH_OK)
        st = psh_world_load(env, user, psh_buffer_data(b), psh_buffer_size(b), 0, &again, NULL);
    psh_world_unref(w);
    psh_world_unref(again);
    psh_buffer_destroy(b);
    return st;
}

static void test_memory_may_fail(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);

    (void)state;
    test_every_allocation(use_world, schema);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_names(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_partition p = day_shard(11323, PSH_PARTITION_ACTIVE, 7, 0, 1), q = quarantine_of(0);
    char name[64];

    (void)state;
    assert_ok(psh_partition_name(schema, &p, name, sizeof name));
    assert_string_equal(name, "flights_20010101T000000_s7");
    assert_ok(psh_partition_name(schema, &q, name, sizeof name));
    assert_string_equal(name, "flights_quarantine");
    assert_int_equal(psh_partition_name(schema, &q, name, 18), PSH_E_LIMIT);
    assert_string_equal(name, "flights_quarantin");
    assert_ok(psh_partition_name(schema, &q, name, 19));
    assert_int_equal(psh_partition_name(schema, &q, name, 0), PSH_E_INVALID);
    p.table = 1;
    assert_int_equal(psh_partition_name(schema, &p, name, sizeof name), PSH_E_INVALID);
    assert_string_equal(psh_partition_state_name(PSH_PARTITION_SEALED), "sealed");
    assert_string_equal(psh_partition_state_name(7), "unknown");
    assert_true(psh_partition_id(0, 1, 2) != psh_partition_id(0, 2, 1));
    assert_true(psh_quarantine_id(0) != psh_quarantine_id(1));
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locate),
        cmocka_unit_test(test_locate_among_gaps),
        cmocka_unit_test(test_locate_among_arcs),
        cmocka_unit_test(test_order_and_ranges),
        cmocka_unit_test(test_bad_partitions),
        cmocka_unit_test(test_bad_views_and_tiers),
        cmocka_unit_test(test_saved_comes_back),
        cmocka_unit_test(test_memory_may_fail),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
