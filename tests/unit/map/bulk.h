/* SPDX-License-Identifier: MIT */
/** @file map/bulk.h  A bulk object, worlds for it, and points of chosen distributions. */
#ifndef TEST_UNIT_MAP_BULK_H
#define TEST_UNIT_MAP_BULK_H

#include "base/rng.h"
#include "test.h"

#define MIB 1048576.0
#define DAY0 (TEST_T0 / PSH_DAY)

typedef struct bulk_fixture {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    psh_bulk *bulk;
    psh_wants *wants;
} bulk_fixture;

static inline psh_bulk_options bulk_options(void) {
    psh_bulk_options o;

    assert_ok(psh_bulk_options_init(&o, sizeof o));
    return o;
}

static inline void bulk_open(bulk_fixture *f, const psh_bulk_options *o) {
    f->env = test_env(&f->alloc);
    f->schema = test_flights_schema(f->env);
    assert_ok(psh_bulk_create(f->env, f->schema, o, &f->bulk, NULL));
    assert_ok(psh_wants_create(f->env, &f->wants));
}

static inline void bulk_close(bulk_fixture *f) {
    psh_wants_destroy(f->wants);
    psh_bulk_destroy(f->bulk);
    psh_schema_unref(f->schema);
    psh_env_destroy(f->env);
    assert_int_equal(f->alloc.live, 0);
}

/** Of day TEST_T0, evenly over the ring, 8 parts of the default size. */
static inline psh_bulk_spec bulk_spec(uint64_t id) {
    psh_bulk_spec s = { .struct_size = sizeof s, .id = id, .at = TEST_T0 + 2 * PSH_HOUR, .time_from = TEST_T0,
                        .time_to = TEST_T0 + PSH_DAY, .rows = 1e6, .bytes = 8 * 64 * MIB, .confidence = 0.9,
                        .node = PSH_NONE };

    return s;
}

static inline psh_partition bulk_partition(
    int64_t day, uint32_t state, uint32_t ordinal, uint64_t first, uint64_t last) {
    psh_partition p = { .id = psh_partition_id(0, day, first), .state = state, .ordinal = ordinal, .interval = day,
                        .time_from = day * PSH_DAY, .time_to = (day + 1) * PSH_DAY, .arc_first = first,
                        .arc_last = last, .created_at = 5, .first_write = PSH_TIME_NONE };

    return p;
}

static inline psh_world *bulk_world(bulk_fixture *f, const psh_partition *p, size_t n, uint32_t nodes) {
    psh_world_draft *d;
    psh_world *w;
    size_t i;

    assert_ok(psh_world_draft_create(f->env, f->schema, 1, TEST_T0, &d));
    for (i = 0; i < n; i++)
        assert_ok(psh_world_draft_add_partition(d, &p[i]));
    for (i = 0; i < nodes; i++) {
        psh_tier_info t = { .node = (uint32_t)i, .capacity_bytes = UINT64_C(1) << 40, .price = 1,
                            .read_cost = 1, .latency_us = 1 };

        assert_ok(psh_world_draft_add_tier(d, &t));
    }
    assert_ok(psh_world_create(d, &w, NULL));
    psh_world_draft_destroy(d);
    return w;
}

/** What is wanted of these partitions. */
static inline void bulk_propose(bulk_fixture *f, const psh_partition *p, size_t n, int64_t now) {
    psh_world *w = bulk_world(f, p, n, 0);

    psh_wants_clear(f->wants);
    assert_ok(psh_bulk_propose(f->bulk, w, now, f->wants, NULL));
    psh_world_unref(w);
}

static inline size_t bulk_count(const bulk_fixture *f, uint32_t kind) {
    size_t i, n = 0;
    psh_want w;

    for (i = 0; i < psh_wants_count(f->wants); i++) {
        assert_ok(psh_wants_get(f->wants, i, &w));
        n += w.kind == kind;
    }
    return n;
}

/** n points evenly from `from` on, each `step` further. */
static inline void bulk_points(uint64_t *points, size_t n, uint64_t from, uint64_t step) {
    size_t i;

    for (i = 0; i < n; i++)
        points[i] = from + i * step;
}

/** A whole load of such points at one time. @return its result. */
static inline psh_bulk_result bulk_run(
    bulk_fixture *f, uint64_t id, int64_t at, int64_t time, size_t n, uint64_t from, uint64_t step) {
    psh_bulk_result r = { .struct_size = sizeof r };
    uint64_t *points = test_malloc(n * sizeof *points);
    int64_t *times = test_malloc(n * sizeof *times);
    psh_status st;
    size_t i;

    bulk_points(points, n, from, step);
    for (i = 0; i < n; i++)
        times[i] = time;
    assert_ok(psh_bulk_begin(f->bulk, id, 0, at, NULL));
    st = psh_bulk_batch(f->bulk, id, points, times, n, n * 100, at + PSH_MINUTE);
    assert_true(st == PSH_OK || st == PSH_AGAIN);
    assert_ok(psh_bulk_end(f->bulk, id, at + 10 * PSH_MINUTE, &r));
    test_free(points);
    test_free(times);
    return r;
}

#endif
