/* SPDX-License-Identifier: MIT */
/** @file map/bulk_model.h  A map in miniature: arcs of a few intervals, changed by wants as agreed. */
#ifndef TEST_UNIT_MAP_BULK_MODEL_H
#define TEST_UNIT_MAP_BULK_MODEL_H

#include "bulk.h"

#define MODEL_PARTS 512u
#define MODEL_DAYS 3

typedef struct model {
    bulk_fixture f;
    psh_partition p[MODEL_PARTS];
    size_t count;
    uint64_t rng;
    uint32_t nodes;      /* new partitions without a wish go to one of them */
    uint32_t fail_in;    /* one action in so many fails; 0 = none */
    int64_t now;
    size_t splits, merges, creates;
} model;

static inline uint64_t model_pick(model *m, uint64_t n) {
    return pshi_rng_next(&m->rng) % n;
}

/** An interval of `arcs` owners. */
static inline void model_day(model *m, int64_t day, uint32_t arcs) {
    uint64_t first = 0, last;
    uint32_t i;

    for (i = 0; i < arcs; i++, first = last + 1) {
        last = i + 1 == arcs ? UINT64_MAX : UINT64_MAX / arcs * (i + 1) + model_pick(m, 1000);
        m->p[m->count] = bulk_partition(day, PSH_PARTITION_ACTIVE, i, first, last);
        m->p[m->count++].node = (uint32_t)model_pick(m, m->nodes);
    }
}

static inline psh_partition *model_find(model *m, uint64_t id) {
    size_t i;

    for (i = 0; i < m->count; i++)
        if (m->p[i].id == id)
            return &m->p[i];
    return NULL;
}

static inline void model_create(model *m, const psh_want *w) {
    const psh_partition *source = model_find(m, w->source);
    psh_partition fresh;
    size_t i;

    assert_non_null(source);
    assert_null(model_find(m, w->subject));
    assert_int_equal(source->state, PSH_PARTITION_ACTIVE);
    assert_true(source->interval == w->interval && w->arc_first > source->arc_first);
    assert_true(w->arc_last <= source->arc_last && w->arc_first <= w->arc_last);
    for (i = 0; i < m->count; i++) {
        if (m->p[i].interval != w->interval)
            continue;
        assert_true(m->p[i].ordinal != w->ordinal);
        if (m->p[i].state == PSH_PARTITION_SHADOW)
            assert_true(m->p[i].arc_last < w->arc_first || m->p[i].arc_first > w->arc_last);
    }
    assert_true(m->count < MODEL_PARTS);
    fresh = bulk_partition(w->interval, PSH_PARTITION_SHADOW, w->ordinal, w->arc_first, w->arc_last);
    fresh.created_at = m->now;
    fresh.node = w->node == PSH_NONE ? (uint32_t)model_pick(m, m->nodes) : w->node;
    assert_int_equal(fresh.id, w->subject);
    m->p[m->count++] = fresh;
    m->creates++;
}

/* A split whose forerunner failed is refused, as a map would. @return 0 then. */
static inline int model_split(model *m, const psh_want *w, int has_failed) {
    psh_partition *child = model_find(m, w->subject), *source = model_find(m, w->source);

    assert_true(child && source && child->state == PSH_PARTITION_SHADOW);
    assert_int_equal(source->state, PSH_PARTITION_ACTIVE);
    assert_true(child->arc_first == w->arc_first && child->arc_last == w->arc_last);
    assert_true(child->arc_first > source->arc_first && w->generation == (uint64_t)child->created_at);
    if (child->arc_last != source->arc_last) {
        assert_true(has_failed && child->arc_last < source->arc_last);
        return 0;
    }
    child->state = PSH_PARTITION_ACTIVE;
    source->arc_last = child->arc_first - 1;
    m->splits++;
    return 1;
}

static inline void model_merge(model *m, const psh_want *w) {
    psh_partition *left = model_find(m, w->subject), *right = model_find(m, w->source);

    assert_true(left && right && left->arc_last + 1 == right->arc_first && left->interval == right->interval);
    assert_true(left->state == PSH_PARTITION_ACTIVE && right->state == PSH_PARTITION_ACTIVE);
    assert_true(left->node == right->node && left->tier == right->tier);
    left->arc_last = right->arc_last;
    *right = m->p[--m->count];
    m->merges++;
}

/** Each key of each interval there has one owner, found by looking at all. */
static inline void model_check(model *m) {
    psh_world *w = bulk_world(&m->f, m->p, m->count, 0);
    const psh_partition *owner;
    size_t i, k, found, days;
    uint64_t point;

    for (k = 0; k < 20; k++) {
        point = k < 10 ? pshi_rng_next(&m->rng) : m->p[model_pick(m, m->count)].arc_first - (k & 1);
        for (days = 0; days < MODEL_DAYS; days++) {
            owner = psh_world_locate(w, 0, TEST_T0 + (int64_t)days * PSH_DAY, point);
            for (i = 0, found = 0; i < m->count; i++)
                if (m->p[i].interval == DAY0 + (int64_t)days && m->p[i].state == PSH_PARTITION_ACTIVE &&
                    m->p[i].arc_first <= point && m->p[i].arc_last >= point) {
                    found++;
                    assert_int_equal(owner->id, m->p[i].id);
                }
            assert_int_equal(found, owner != NULL);
        }
    }
    psh_world_unref(w);
}

/** Proposes and acts once. @return wants there were. */
static inline size_t model_cycle(model *m) {
    size_t i;
    int has_failed = 0;
    psh_want w;

    bulk_propose(&m->f, m->p, m->count, m->now);
    for (i = 0; i < psh_wants_count(m->f.wants); i++) {
        assert_ok(psh_wants_get(m->f.wants, i, &w));
        if (m->fail_in && !model_pick(m, m->fail_in)) {
            has_failed = 1;
            continue;
        }
        if (w.kind == PSH_ACT_CREATE_PARTITION)
            model_create(m, &w);
        else if (w.kind == PSH_ACT_SPLIT_PARTITION)
            (void)model_split(m, &w, has_failed);
        else
            model_merge(m, &w);
        if (w.kind != PSH_ACT_CREATE_PARTITION)
            model_check(m);
    }
    return psh_wants_count(m->f.wants);
}

/** Cycles until nothing is wanted: that must come. */
static inline void model_settle(model *m) {
    size_t i;

    for (i = 0; i < 100; i++)
        if (!model_cycle(m))
            return;
    fail_msg("wants go on for ever");
}

static inline size_t model_owners(const model *m, int64_t day) {
    size_t i, n = 0;

    for (i = 0; i < m->count; i++)
        n += m->p[i].interval == day && m->p[i].state == PSH_PARTITION_ACTIVE;
    return n;
}

#endif
