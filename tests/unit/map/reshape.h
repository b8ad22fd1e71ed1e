/* SPDX-License-Identifier: MIT */
/** @file reshape.h  A map of one partition, and actions that split, merge and copy it. */
#ifndef TEST_MAP_RESHAPE_H
#define TEST_MAP_RESHAPE_H

#include "test.h"

#define HALF (UINT64_C(1) << 63)
#define QUARTER (UINT64_C(1) << 62)
#define DAY0 (TEST_T0 / PSH_DAY)

typedef struct fixture {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    psh_map *map;
} fixture;

static inline void open_fixture(fixture *f, const psh_map_options *o) {
    f->env = test_env(&f->alloc);
    f->schema = test_flights_schema(f->env);
    assert_ok(psh_map_create(f->env, f->schema, o, &f->map, NULL));
}

static inline void close_fixture(fixture *f) {
    psh_map_destroy(f->map);
    psh_schema_unref(f->schema);
    psh_env_destroy(f->env);
    assert_int_equal(f->alloc.live, 0);
}

/* An action on the partition of day 0 that begins at `first`. */
static inline psh_action act(uint32_t kind, uint64_t first, uint64_t last, uint64_t generation) {
    psh_action a;

    memset(&a, 0, sizeof a);
    a.want.kind = kind;
    a.want.why = PSH_WHY_BALANCE;
    a.want.interval = DAY0;
    a.want.time_from = TEST_T0;
    a.want.time_to = TEST_T0 + PSH_DAY;
    a.want.arc_first = first;
    a.want.arc_last = last;
    a.want.subject = psh_partition_id(0, DAY0, first);
    a.want.resources.bytes = 400;
    a.want.not_before = PSH_TIME_MIN;
    a.want.deadline = PSH_TIME_MAX;
    a.want.generation = generation;
    a.id = psh_action_id(kind, a.want.subject, generation);
    return a;
}

static inline psh_action act_child(uint64_t first, uint64_t last, uint64_t parent_first, uint32_t ordinal) {
    psh_action a = act(PSH_ACT_CREATE_PARTITION, first, last, 1);

    a.want.source = psh_partition_id(0, DAY0, parent_first);
    a.want.node = 1;
    a.want.ordinal = ordinal;
    return a;
}

static inline psh_action act_split(
    uint64_t first, uint64_t last, uint64_t parent_first, uint32_t step, uint32_t steps) {
    psh_action a = act(PSH_ACT_SPLIT_PARTITION, first, last, 16 + step);

    a.want.source = psh_partition_id(0, DAY0, parent_first);
    a.want.step = step;
    a.want.steps = steps;
    return a;
}

static inline psh_action act_merge(uint64_t first, uint64_t last, uint64_t right_first) {
    psh_action a = act(PSH_ACT_MERGE_PARTITION, first, last, 1);

    a.want.source = psh_partition_id(0, DAY0, right_first);
    return a;
}

static inline psh_action act_copy(uint32_t kind, uint32_t node, uint32_t step, uint32_t steps) {
    psh_action a = act(kind, 0, UINT64_MAX, node * 100 + step);

    a.want.node = node;
    a.want.step = step;
    a.want.steps = steps;
    return a;
}

static inline void run(psh_map *m, psh_action a) {
    assert_ok(psh_map_begin(m, &a));
    assert_ok(psh_map_complete(m, &a, PSH_OK, TEST_T0));
}

static inline void refused(psh_map *m, psh_action a) {
    assert_int_equal(psh_map_begin(m, &a), PSH_E_STATE);
}

static inline psh_world *make_world(fixture *f, uint64_t epoch) {
    psh_world_draft *d;
    psh_world *w = NULL;
    psh_error err = { .struct_size = sizeof err };

    assert_ok(psh_world_draft_create(f->env, f->schema, epoch, TEST_T0, &d));
    assert_ok(psh_map_export(f->map, d));
    if (psh_world_create(d, &w, &err) != PSH_OK)
        fail_msg("%s: %s", err.field, err.text);
    psh_world_draft_destroy(d);
    return w;
}

/* The owner of a ring point on day 0, by the first point of its arc. */
static inline uint64_t owner(fixture *f, uint64_t point) {
    psh_world *w = make_world(f, 1);
    const psh_partition *p = psh_world_locate(w, 0, TEST_T0, point);
    uint64_t first;

    assert_non_null(p);
    first = p->arc_first;
    psh_world_unref(w);
    return first;
}

static inline const psh_partition *get(psh_map *m, uint64_t first) {
    uint64_t id = psh_partition_id(0, DAY0, first);
    size_t i;

    for (i = 0; i < psh_map_count(m); i++)
        if (psh_map_get(m, i)->id == id)
            return psh_map_get(m, i);
    return NULL;
}

/* One active partition of the whole ring, on node 1, with 1000 bytes in 10 rows. */
static inline void begin_with_one(fixture *f, const psh_map_options *o) {
    psh_action a = act(PSH_ACT_CREATE_PARTITION, 0, UINT64_MAX, 0);

    open_fixture(f, o);
    a.want.node = 1;
    run(f->map, a);
    run(f->map, act(PSH_ACT_ACTIVATE_PARTITION, 0, UINT64_MAX, 0));
    assert_ok(psh_map_observe_write(f->map, a.want.subject, 10, 1000, TEST_T0 + 5, TEST_T0 + 9, 77));
}

#endif
