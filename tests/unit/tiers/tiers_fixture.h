/* SPDX-License-Identifier: MIT */
/** @file tiers_fixture.h  Two nodes, a fast and an archive tier each; actions by hand. */
#ifndef TEST_TIERS_FIXTURE_H
#define TEST_TIERS_FIXTURE_H

#include "test.h"

typedef struct fixture {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    psh_tiers *tiers;
} fixture;

/* capacities 1000 fast and 5000 archive on each node; the archive is cheap to keep, dear to read. */
static const psh_tier_info TIERS[] = {
    { 1, 1, 5000, 0.01, 9, 5000, 0, 0, 0 },
    { 0, 0, 1000, 0.1, 1, 100, 0, 0, 0 },
    { 0, 1, 5000, 0.01, 9, 5000, 0, 0, 0 },
    { 1, 0, 1000, 0.1, 2, 100, 0, 0, 0 },
};
static const psh_retention RULES[] = { { 0, 1, 2 * PSH_DAY, 5 * PSH_DAY } };

static inline psh_tiers_options test_tiers_options(void) {
    psh_tiers_options o;

    assert_ok(psh_tiers_options_init(&o, sizeof o));
    o.tiers = TIERS;
    o.tier_count = 4;
    o.retention = RULES;
    o.retention_count = 1;
    return o;
}

static inline void open_fixture(fixture *f, const psh_tiers_options *o) {
    psh_tiers_options defaults = test_tiers_options();

    f->env = test_env(&f->alloc);
    f->schema = test_flights_schema(f->env);
    assert_ok(psh_tiers_create(f->env, o ? o : &defaults, &f->tiers, NULL));
}

static inline void close_fixture(fixture *f) {
    assert_ok(psh_tiers_check(f->tiers));
    psh_tiers_destroy(f->tiers);
    psh_schema_unref(f->schema);
    psh_env_destroy(f->env);
    assert_int_equal(f->alloc.live, 0);
}

static inline psh_want test_want(uint32_t kind, uint64_t subject, double bytes) {
    psh_want w;

    memset(&w, 0, sizeof w);
    w.kind = kind;
    w.why = PSH_WHY_FORECAST;
    w.subject = subject;
    w.node = w.tier = PSH_NONE;
    w.interval = TEST_T0 / PSH_DAY;
    w.time_from = TEST_T0;
    w.time_to = TEST_T0 + PSH_DAY;
    w.arc_last = UINT64_MAX;
    w.resources.bytes = bytes;
    w.confidence = 1;
    w.not_before = PSH_TIME_MIN;
    w.deadline = PSH_TIME_MAX;
    return w;
}

static inline psh_action test_action(
    uint32_t kind, uint64_t subject, double bytes, uint32_t node, uint32_t tier, uint64_t generation) {
    psh_action a;

    memset(&a, 0, sizeof a);
    a.want = test_want(kind, subject, bytes);
    a.want.node = node;
    a.want.tier = tier;
    a.want.generation = generation;
    a.id = psh_action_id(kind, subject, generation);
    return a;
}

#define DAY0 (TEST_T0 / PSH_DAY)

static inline psh_partition partition_at(int64_t day, uint32_t state) {
    psh_partition p;

    memset(&p, 0, sizeof p);
    p.interval = DAY0 + day;
    p.id = psh_partition_id(0, p.interval, 0);
    p.state = state;
    p.time_from = TEST_T0 + day * PSH_DAY;
    p.time_to = p.time_from + PSH_DAY;
    p.arc_last = UINT64_MAX;
    p.bytes = 100;
    p.created_at = TEST_T0;
    p.first_write = PSH_TIME_NONE;
    return p;
}

static inline psh_world *world_of(fixture *f, const psh_partition *p, size_t n) {
    psh_world_draft *d;
    psh_world *w;
    size_t i;

    assert_ok(psh_world_draft_create(f->env, f->schema, 5, TEST_T0, &d));
    for (i = 0; i < n; i++)
        assert_ok(psh_world_draft_add_partition(d, &p[i]));
    assert_ok(psh_world_create(d, &w, NULL));
    psh_world_draft_destroy(d);
    return w;
}

static inline psh_account test_account(const psh_tiers *t, uint32_t node, uint32_t tier) {
    psh_account a = { .struct_size = sizeof a };
    size_t i;

    for (i = 0; i < psh_tiers_account_count(t); i++) {
        assert_ok(psh_tiers_account(t, i, &a));
        if (a.node == node && a.tier == tier)
            return a;
    }
    fail_msg("no such account");
    return a;
}

#endif
