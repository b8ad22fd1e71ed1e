/* SPDX-License-Identifier: MIT */
/* Splits, merges, copies: each row is read exactly once before, during and after; the stream is silent. */
#include "base/rng.h"
#include "moves_stage.h"

/* A parent of the whole ring, with rows, and its shadow of the upper half. */
static void make_pair(moves_stage *s, psh_partition *whole, psh_partition halves[2], uint32_t tier, size_t rows) {
    uint64_t middle = moves_nth_point(s, TENANTS / 2);

    *whole = moves_partition_of(s, 0, UINT64_MAX, 0);
    whole->tier = tier;
    halves[0] = moves_partition_of(s, 0, middle - 1, 0);
    halves[1] = moves_partition_of(s, middle, UINT64_MAX, 1);
    halves[0].tier = halves[1].tier = tier;
    assert_ok(moves_create(s, whole, 0, 0));
    moves_put(s, whole, 1, rows);
    assert_ok(moves_create(s, &halves[1], whole->id, 0));
}

static void a_split_gives_each_row_one_owner(void **state) {
    moves_stage *s = *state;
    psh_partition whole, half[2];
    uint32_t step;

    make_pair(s, &whole, half, 0, 200);
    moves_check(s, &whole, 1);
    for (step = 1; step < 4; step++) { /* the copy is not seen, and what changes meanwhile is not lost */
        assert_ok(moves_split(s, &half[1], whole.id, step, 4, 2000, step));
        moves_check(s, &whole, 1);
        moves_put(s, &whole, 1, 30);
        moves_change(s, &whole, 1, 7 * step, 0);
        moves_change(s, &whole, 1, 7 * step + 100, 1);
        moves_change(s, &whole, 1, 12 * step, 0);
        moves_change(s, &whole, 1, 11 * step + 1, 1);
        moves_check(s, &whole, 1);
        moves_restart(s);
    }
    assert_ok(moves_split(s, &half[1], whole.id, 4, 4, 2000, 4));
    moves_check(s, half, 2);
    moves_check_scan(s, &half[0], 1);
    moves_check_scan(s, &half[1], 1);
    moves_check_leg(s, &half[1], 1, 0);
    moves_check(s, &whole, 1); /* a reader of the epoch before */
    moves_put(s, half, 2, 50);
    moves_change(s, half, 2, 90, 0);
    moves_change(s, half, 2, 91, 1);
    moves_put(s, &whole, 1, 50); /* and a writer */
    moves_restart(s);
    moves_check(s, half, 2);
    moves_check(s, &whole, 1);
}

static void a_split_in_one_step_without_limit(void **state) {
    moves_stage *s = *state;
    psh_partition whole, half[2];

    make_pair(s, &whole, half, 0, 100);
    assert_ok(moves_split(s, &half[1], whole.id, 1, 1, 0, 0));
    moves_check(s, half, 2);
    moves_check(s, &whole, 1);
}

static void splits_done_again_change_nothing(void **state) {
    moves_stage *s = *state;
    psh_partition whole, half[2], none;

    make_pair(s, &whole, half, 0, 100);
    none = moves_partition_of(s, moves_nth_point(s, 20), UINT64_MAX, 5);
    assert_true(moves_split(s, &none, whole.id, 1, 1, 0, 0) < 0); /* there is no such shadow */
    assert_true(moves_split(s, &half[1], none.id, 1, 1, 0, 9) < 0);
    moves_check(s, &whole, 1);
    assert_ok(moves_split(s, &half[1], whole.id, 1, 2, 1e6, 1));
    assert_ok(moves_split(s, &half[1], whole.id, 1, 2, 1e6, 1));
    assert_ok(moves_split(s, &half[1], whole.id, 2, 2, 1e6, 2));
    assert_ok(moves_split(s, &half[1], whole.id, 2, 2, 1e6, 2));
    moves_put(s, half, 2, 20);
    assert_ok(moves_split(s, &half[1], whole.id, 1, 2, 1e6, 3)); /* under other ids, after a crash */
    assert_ok(moves_split(s, &half[1], whole.id, 2, 2, 1e6, 4));
    assert_ok(moves_create(s, &half[1], whole.id, 0));
    moves_check(s, half, 2);
}

static void a_merge_takes_every_row(void **state) {
    moves_stage *s = *state;
    psh_partition whole, half[2];

    make_pair(s, &whole, half, 0, 100);
    assert_true(moves_merge(s, &half[0], half[1].id, 8) < 0); /* a shadow has nothing to give */
    assert_ok(moves_split(s, &half[1], whole.id, 1, 1, 0, 0));
    moves_put(s, half, 2, 60);
    moves_check_stream(s);
    assert_true(moves_merge(s, &half[1], half[0].id, 9) < 0); /* the left one takes */
    moves_check(s, half, 2);
    assert_ok(moves_merge(s, &half[0], half[1].id, 0));
    moves_check(s, &whole, 1);
    moves_check(s, half, 2); /* an epoch before */
    moves_check_scan(s, &half[1], 1);
    moves_check_leg(s, &half[0], 1, 0);
    assert_ok(moves_merge(s, &half[0], half[1].id, 0));
    assert_ok(moves_merge(s, &half[0], half[1].id, 1));
    moves_put(s, half, 2, 40); /* written by that epoch */
    moves_put(s, &whole, 1, 40);
    moves_restart(s);
    moves_check(s, &whole, 1);
    moves_check(s, half, 2);
    assert_true(moves_merge(s, &half[1], half[0].id, 2) < 0);
}

static void a_replica_is_as_its_owner(void **state) {
    moves_stage *s = *state;
    psh_partition p = moves_partition_of(s, 0, UINT64_MAX, 0);
    psh_want w;
    uint32_t step;

    assert_ok(moves_create(s, &p, 0, 0));
    moves_put(s, &p, 1, 150);
    w = moves_want_of(PSH_ACT_REPLICATE_PARTITION, &p);
    w.node = 3;
    w.steps = 3;
    w.resources.bytes = 3000;
    for (step = 1; step <= 3; step++) {
        w.step = step;
        assert_ok(moves_submit(s, &w, step));
        moves_check(s, &p, 1);
        moves_check_leg(s, &p, 1, 3);
        moves_put(s, &p, 1, 20);
        moves_change(s, &p, 1, 3 * step, 0);
        moves_change(s, &p, 1, 3 * step + 1, 1);
        moves_check_leg(s, &p, 1, 3);
        moves_restart(s);
    }
    moves_check(s, &p, 1);
    assert_ok(moves_submit(s, &w, 3));
    assert_ok(moves_submit(s, &w, 4)); /* again, under another id */
    moves_check_leg(s, &p, 1, 3);
    assert_int_equal(moves_on_node(s, PSH_ACT_DROP_REPLICA, &p, 0, 0), PSH_E_STATE); /* never the owner */
    assert_ok(moves_on_node(s, PSH_ACT_DROP_REPLICA, &p, 3, 1));
    assert_ok(moves_on_node(s, PSH_ACT_DROP_REPLICA, &p, 3, 2));
    moves_check_leg(s, &p, 1, 3); /* the owner answers */
    moves_check(s, &p, 1);
}

static void a_move_keeps_reading_and_writing(void **state) {
    moves_stage *s = *state;
    psh_partition p = moves_partition_of(s, 0, UINT64_MAX, 0);

    assert_ok(moves_create(s, &p, 0, 0));
    moves_put(s, &p, 1, 100);
    assert_int_equal(moves_on_node(s, PSH_ACT_PROMOTE_PARTITION, &p, 2, 9), PSH_E_STATE); /* nothing is there yet */
    assert_ok(moves_on_node(s, PSH_ACT_REPLICATE_PARTITION, &p, 2, 0));
    moves_put(s, &p, 1, 20);
    assert_ok(moves_on_node(s, PSH_ACT_PROMOTE_PARTITION, &p, 2, 0));
    assert_ok(moves_on_node(s, PSH_ACT_PROMOTE_PARTITION, &p, 2, 1));
    moves_put(s, &p, 1, 20);
    moves_change(s, &p, 1, 5, 0);
    moves_change(s, &p, 1, 6, 1);
    moves_restart(s);
    moves_change(s, &p, 1, 8, 0);
    moves_check_leg(s, &p, 1, 0); /* what was the owner is a replica, and fresh */
    moves_check_leg(s, &p, 1, 2);
    moves_check(s, &p, 1);
    assert_ok(moves_on_node(s, PSH_ACT_DROP_REPLICA, &p, 0, 0));
    assert_ok(moves_on_node(s, PSH_ACT_REPLICATE_PARTITION, &p, 2, 5)); /* the owner is there */
    moves_put(s, &p, 1, 20);
    moves_check(s, &p, 1);
    assert_ok(moves_on_node(s, PSH_ACT_REPLICATE_PARTITION, &p, 0, 6)); /* and back */
    assert_ok(moves_on_node(s, PSH_ACT_PROMOTE_PARTITION, &p, 0, 2));
    moves_change(s, &p, 1, 9, 0);
    moves_check_leg(s, &p, 1, 2);
    assert_ok(moves_on_node(s, PSH_ACT_DROP_REPLICA, &p, 2, 3));
    moves_put(s, &p, 1, 20);
    moves_restart(s);
    moves_check(s, &p, 1);
}

static void replicas_follow_splits_and_merges(void **state) {
    moves_stage *s = *state;
    psh_partition whole, half[2];

    make_pair(s, &whole, half, 0, 120);
    assert_ok(moves_on_node(s, PSH_ACT_REPLICATE_PARTITION, &whole, 4, 0));
    assert_ok(moves_split(s, &half[1], whole.id, 1, 1, 0, 0));
    moves_check_leg(s, half, 2, 4);
    moves_check_leg(s, &half[0], 1, 4);
    assert_ok(moves_on_node(s, PSH_ACT_REPLICATE_PARTITION, &half[1], 5, 0));
    moves_put(s, half, 2, 40);
    moves_check_leg(s, half, 2, 4);
    moves_check_leg(s, half, 2, 5);
    assert_ok(moves_merge(s, &half[0], half[1].id, 0));
    moves_check_leg(s, &whole, 1, 4);
    moves_put(s, &whole, 1, 40);
    moves_change(s, &whole, 1, 3, 1);
    moves_check_leg(s, &whole, 1, 4);
    moves_check(s, &whole, 1);
}

static void the_archive_splits_merges_and_copies_too(void **state) {
    moves_stage *s = *state;
    psh_partition whole, half[2];
    uint32_t tier;

    for (tier = 0; tier < 2; tier++) { /* of the shadow */
        make_pair(s, &whole, half, 1, 100);
        half[1].tier = tier;
        moves_check_scan(s, &whole, 1);
        assert_ok(moves_split(s, &half[1], whole.id, 1, 2, 3000, 1));
        moves_check_scan(s, &whole, 1);
        assert_ok(moves_split(s, &half[1], whole.id, 2, 2, 0, 2));
        moves_check_scan(s, half, 2);
        moves_restart(s);
        moves_check_scan(s, half, 2);
        moves_check_scan(s, &whole, 1);
        assert_ok(moves_on_node(s, PSH_ACT_REPLICATE_PARTITION, &half[0], 7, 0));
        assert_ok(moves_merge(s, &half[0], half[1].id, 0));
        moves_check_leg(s, &whole, 1, 7);
        moves_restart(s);
        moves_check_leg(s, &whole, 1, 7);
        moves_check_scan(s, half, 2);
        s->with->close(s->host);
        s->host = s->with->open(s->schema);
        s->with->tables(s->host, &s->storage, &s->cdc, &s->kv);
        memset(s->seen, 0, sizeof s->seen);
        while (s->next > 0)
            s->delays[--s->next] = GONE;
    }
}

static void fences_hold_for_moves(void **state) {
    moves_stage *s = *state;
    psh_partition whole, half[2];

    s->fence = 5;
    make_pair(s, &whole, half, 0, 50);
    s->fence = 4;
    assert_int_equal(moves_split(s, &half[1], whole.id, 1, 1, 0, 0), PSH_E_FENCED);
    assert_int_equal(moves_merge(s, &half[0], half[1].id, 0), PSH_E_FENCED);
    assert_int_equal(moves_on_node(s, PSH_ACT_REPLICATE_PARTITION, &whole, 2, 0), PSH_E_FENCED);
    moves_check(s, &whole, 1);
    s->fence = 6;
    assert_ok(moves_split(s, &half[1], whole.id, 1, 1, 0, 0));
    moves_check(s, half, 2);
}

static void nodes_are_released_when_empty(void **state) {
    moves_stage *s = *state;
    psh_partition p = moves_partition_of(s, 0, UINT64_MAX, 0);
    psh_want w = moves_want_of(PSH_ACT_ADD_NODE, &p);

    w.node = 9;
    w.subject = psh_node_subject(9);
    assert_ok(moves_submit(s, &w, 0));
    assert_ok(moves_create(s, &p, 0, 0));
    moves_put(s, &p, 1, 10);
    assert_ok(moves_on_node(s, PSH_ACT_REPLICATE_PARTITION, &p, 9, 0));
    w.kind = PSH_ACT_RELEASE_NODE;
    assert_int_equal(moves_submit(s, &w, 0), PSH_E_STATE);
    assert_ok(moves_on_node(s, PSH_ACT_PROMOTE_PARTITION, &p, 9, 0));
    assert_int_equal(moves_submit(s, &w, 0), PSH_E_STATE);
    w.node = 0;
    w.subject = psh_node_subject(0);
    assert_int_equal(moves_submit(s, &w, 0), PSH_E_STATE);
    assert_ok(moves_on_node(s, PSH_ACT_DROP_REPLICA, &p, 0, 0));
    assert_ok(moves_submit(s, &w, 0));
    moves_check(s, &p, 1);
}

/*
 * Submits with one failure further on each time, from `first` on, until none hinders it any more; whenever it was
 * refused, nothing has changed. @return refusals
 */
static size_t insist(moves_stage *s, const psh_want *w, uint64_t generation, const psh_partition *ps, size_t n) {
    size_t refused = 0;
    psh_status st;
    int fired;

    for (;; refused++) {
        s->with->arm(s->host, (int64_t)(s->first + refused));
        st = moves_submit(s, w, generation);
        fired = s->with->fired(s->host);
        s->with->arm(s->host, -1);
        if (st == PSH_OK)
            return refused;
        assert_true(fired);
        assert_true(st == PSH_E_HOST || st == PSH_E_NOMEM);
        if (refused % 32 == 0)
            moves_check(s, ps, n);
    }
}

static size_t live_with_failures(moves_stage *s) {
    psh_partition whole, half[2];
    size_t failures = 0;
    psh_want w;

    make_pair(s, &whole, half, 0, 60);
    w = moves_want_of(PSH_ACT_REPLICATE_PARTITION, &whole);
    w.node = 3;
    w.steps = 2;
    w.resources.bytes = 1500;
    for (w.step = 1; w.step <= 2; w.step++) {
        failures += insist(s, &w, w.step, &whole, 1);
        moves_put(s, &whole, 1, 5);
    }
    moves_check_leg(s, &whole, 1, 3);
    w = moves_want_of(PSH_ACT_PROMOTE_PARTITION, &whole);
    w.node = 3;
    failures += insist(s, &w, 0, &whole, 1);
    moves_check_leg(s, &whole, 1, 0);
    w = moves_want_of(PSH_ACT_SPLIT_PARTITION, &half[1]);
    w.source = whole.id;
    w.steps = 2;
    w.resources.bytes = 1500;
    for (w.step = 1; w.step <= 2; w.step++) {
        failures += insist(s, &w, w.step, &whole, 1);
        moves_put(s, w.step < 2 ? &whole : half, w.step, 5);
    }
    moves_check(s, half, 2);
    w = moves_want_of(PSH_ACT_MERGE_PARTITION, &half[0]);
    w.source = half[1].id;
    failures += insist(s, &w, 0, half, 2);
    moves_check(s, &whole, 1);
    w = moves_want_of(PSH_ACT_DROP_REPLICA, &whole);
    failures += insist(s, &w, 0, &whole, 1);
    moves_put(s, &whole, 1, 5);
    moves_restart(s);
    moves_check(s, &whole, 1);
    return failures;
}

/* A failure that does no harm lets the action through, and hides those behind it: so from several places on. */
static void failures_change_nothing(void **state) {
    static const size_t firsts[] = { 0, 2, 5, 21, 55, 144, 377, 987 };
    size_t failures = 0, i;

    for (i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        if (i)
            assert_int_equal(moves_setup(state), 0);
        ((moves_stage *)*state)->first = firsts[i];
        failures += live_with_failures(*state);
        if (i + 1 < sizeof firsts / sizeof *firsts)
            moves_teardown(state);
    }
    assert_true(failures >= 7);
}

static void publish_segments(moves_stage *s) {
    psh_world_draft *d = NULL;
    psh_world *w = NULL;
    psh_assignment a;
    psh_value v;
    size_t i;

    memset(&a, 0, sizeof a);
    assert_ok(psh_worlds_create(s->env, 0, &s->worlds));
    assert_ok(psh_world_draft_create(s->env, s->schema, 1, SOME_TIME, &d));
    for (i = 0; i < TENANTS; i += 2) {
        v = test_text(s->tenants[i]);
        a.tenant = psh_tenant_id(&v);
        a.segment = 3;
        a.from = PSH_TIME_MIN;
        a.tier = PSH_NONE;
        assert_ok(psh_world_draft_add_assignment(d, &a));
    }
    assert_ok(psh_world_create(d, &w, NULL));
    assert_ok(psh_worlds_publish(s->worlds, w));
    psh_world_unref(w);
    psh_world_draft_destroy(d);
    s->with->set_worlds(s->host, s->worlds);
}

static void segments_decide_where_rows_stand(void **state) {
    moves_stage *s = *state;
    psh_partition whole, half[2];

    publish_segments(s);
    make_pair(s, &whole, half, 0, 100);
    assert_ok(moves_split(s, &half[1], whole.id, 1, 1, 0, 0));
    moves_check(s, half, 2);
    moves_check_scan(s, &half[0], 1);
    moves_put(s, &whole, 1, 50);
    assert_ok(moves_merge(s, &half[0], half[1].id, 0));
    moves_check(s, half, 2);
    moves_check_scan(s, &half[1], 1);
}

/* ---- everything at random, against a model ---- */

typedef struct model {
    psh_partition parts[16]; /* by arc */
    uint32_t copies[16];     /* bit per node 0..3: a replica is there, ready */
    size_t count;
    uint64_t generation;
    uint32_t ordinal;
} model;

static void random_split(moves_stage *s, model *m, uint64_t *seed) {
    size_t i = pshi_rng_next(seed) % m->count;
    uint64_t cut = moves_nth_point(s, pshi_rng_next(seed) % TENANTS);
    psh_partition child, *p = &m->parts[i];
    uint32_t step, steps = 1 + (uint32_t)(pshi_rng_next(seed) % 3);

    if (m->count == 16 || cut <= p->arc_first || cut > p->arc_last)
        return;
    child = moves_partition_of(s, cut, p->arc_last, ++m->ordinal);
    child.node = (uint32_t)(pshi_rng_next(seed) % 4);
    assert_ok(moves_create(s, &child, p->id, ++m->generation)); /* its id may have lived before */
    for (step = 1; step <= steps; step++) {
        assert_ok(moves_split(s, &child, p->id, step, steps, 700, ++m->generation));
        if (step < steps)
            moves_put(s, m->parts, m->count, 3);
        if (step < steps)
            moves_change(s, m->parts, m->count, (int64_t)(pshi_rng_next(seed) % (uint64_t)s->next), 0);
    }
    p->arc_last = cut - 1;
    memmove(p + 2, p + 1, (m->count - i - 1) * sizeof *p);
    memmove(&m->copies[i + 2], &m->copies[i + 1], (m->count - i - 1) * sizeof *m->copies);
    m->parts[i + 1] = child;
    m->copies[i + 1] = 0;
    m->count++;
}

static void random_merge(moves_stage *s, model *m, uint64_t *seed) {
    size_t i;
    psh_partition *p;

    if (m->count < 2)
        return;
    i = pshi_rng_next(seed) % (m->count - 1);
    p = &m->parts[i];
    assert_ok(moves_merge(s, p, p[1].id, ++m->generation));
    p->arc_last = p[1].arc_last;
    memmove(p + 1, p + 2, (m->count - i - 2) * sizeof *p);
    memmove(&m->copies[i + 1], &m->copies[i + 2], (m->count - i - 2) * sizeof *m->copies);
    m->count--;
}

static void random_copy(moves_stage *s, model *m, uint64_t *seed) {
    size_t i = pshi_rng_next(seed) % m->count;
    uint32_t node = (uint32_t)(pshi_rng_next(seed) % 4), was = m->parts[i].node;

    if (node == was)
        return;
    if (!(m->copies[i] >> node & 1u)) {
        assert_ok(moves_on_node(s, PSH_ACT_REPLICATE_PARTITION, &m->parts[i], node, ++m->generation));
        m->copies[i] |= 1u << node;
    } else if (pshi_rng_next(seed) % 2) {
        assert_ok(moves_on_node(s, PSH_ACT_DROP_REPLICA, &m->parts[i], node, ++m->generation));
        m->copies[i] &= ~(1u << node);
    } else {
        assert_ok(moves_on_node(s, PSH_ACT_PROMOTE_PARTITION, &m->parts[i], node, ++m->generation));
        m->parts[i].node = node;
        m->copies[i] = (m->copies[i] & ~(1u << node)) | 1u << was;
    }
}

static void random_life(moves_stage *s, uint64_t seed, int steps) {
    psh_partition whole = moves_partition_of(s, 0, UINT64_MAX, 0);
    model m = { .count = 1, .parts = { whole } }, old;
    int i;

    assert_ok(moves_create(s, &whole, 0, 0));
    moves_put(s, &whole, 1, 60);
    old = m;
    for (i = 0; i < steps; i++) {
        if (i % 5 == 0)
            old = m;
        switch (pshi_rng_next(&seed) % 6) {
        case 0:
        case 1:
            random_split(s, &m, &seed);
            break;
        case 2:
            random_merge(s, &m, &seed);
            break;
        case 3:
        case 4:
            random_copy(s, &m, &seed);
            break;
        default:
            moves_restart(s);
        }
        moves_put(s, m.parts, m.count, 2);
        moves_put(s, old.parts, old.count, 1);
        moves_change(s, m.parts, m.count, (int64_t)(pshi_rng_next(&seed) % (uint64_t)s->next), 0);
        moves_change(s, m.parts, m.count, (int64_t)(pshi_rng_next(&seed) % (uint64_t)s->next), 1);
        moves_check(s, m.parts, m.count);
        moves_check_leg(s, m.parts, m.count, 1 + (uint32_t)(i % 3));
        moves_check_leg(s, old.parts, old.count, (uint32_t)(i % 4));
        moves_check_scan(s, &m.parts[i % (int)m.count], 1);
    }
}

static void a_random_life_keeps_every_row(void **state) {
    random_life(*state, 11, 150);
}

static void another_random_life_keeps_every_row(void **state) {
    random_life(*state, 2026, 150);
}

int conformance_moves_run(const conformance_host *host) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_split_gives_each_row_one_owner, moves_setup, moves_teardown),
        cmocka_unit_test_setup_teardown(a_split_in_one_step_without_limit, moves_setup, moves_teardown),
        cmocka_unit_test_setup_teardown(splits_done_again_change_nothing, moves_setup, moves_teardown),
        cmocka_unit_test_setup_teardown(a_merge_takes_every_row, moves_setup, moves_teardown),
        cmocka_unit_test_setup_teardown(a_replica_is_as_its_owner, moves_setup, moves_teardown),
        cmocka_unit_test_setup_teardown(a_move_keeps_reading_and_writing, moves_setup, moves_teardown),
        cmocka_unit_test_setup_teardown(replicas_follow_splits_and_merges, moves_setup, moves_teardown),
        cmocka_unit_test_setup_teardown(the_archive_splits_merges_and_copies_too, moves_setup, moves_teardown),
        cmocka_unit_test_setup_teardown(fences_hold_for_moves, moves_setup, moves_teardown),
        cmocka_unit_test_setup_teardown(nodes_are_released_when_empty, moves_setup, moves_teardown),
        cmocka_unit_test_setup_teardown(failures_change_nothing, moves_setup, moves_teardown),
        cmocka_unit_test_setup_teardown(segments_decide_where_rows_stand, moves_setup, moves_teardown),
        cmocka_unit_test_setup_teardown(a_random_life_keeps_every_row, moves_setup, moves_teardown),
        cmocka_unit_test_setup_teardown(another_random_life_keeps_every_row, moves_setup, moves_teardown),
    };

    moves_test(host);
    return cmocka_run_group_tests_name(host->name, tests, NULL, NULL);
}
