/* SPDX-License-Identifier: MIT */
#include "bulk.h"

#include <math.h>

#define HALF (UINT64_C(1) << 63)
#define EIGHTH (UINT64_C(1) << 61)

static psh_partition whole_day(void) {
    return bulk_partition(DAY0, PSH_PARTITION_ACTIVE, 0, 0, UINT64_MAX);
}

/* Makes the shadows that are wanted, behind the n partitions there. @return how many there are now. */
static size_t make_shadows(const bulk_fixture *f, psh_partition *p, size_t n) {
    size_t i;
    psh_want w;

    for (i = 0; i < psh_wants_count(f->wants); i++) {
        assert_ok(psh_wants_get(f->wants, i, &w));
        if (w.kind != PSH_ACT_CREATE_PARTITION)
            continue;
        p[n] = bulk_partition(w.interval, PSH_PARTITION_SHADOW, w.ordinal, w.arc_first, w.arc_last);
        p[n].node = w.node == PSH_NONE ? 0 : w.node;
        assert_int_equal(p[n++].id, w.subject);
    }
    return n;
}

static void ranges_are_the_quantiles_of_the_points(void **state) {
    psh_partition p[16];
    psh_bulk_spec s = bulk_spec(1);
    uint64_t points[800], rng = 3;
    bulk_fixture f;
    size_t i, k, n, below;

    (void)state;
    bulk_open(&f, NULL);
    for (i = 0; i < 800; i++)
        points[i] = pshi_rng_next(&rng) >> (i % 3 * 10); /* most stand at the left end */
    s.points = points;
    s.key_count = 800;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    p[0] = whole_day();
    bulk_propose(&f, p, 1, s.at - PSH_HOUR);
    assert_int_equal(psh_wants_count(f.wants), 7);
    n = make_shadows(&f, p, 1);
    for (i = 1; i < n; i++) { /* made from the right */
        assert_true(p[i].arc_last == (i > 1 ? p[i - 1].arc_first - 1 : UINT64_MAX));
        for (k = 0, below = 0; k < 800; k++)
            below += points[k] < p[i].arc_first;
        assert_int_equal(below, 100 * (8 - i));
        assert_int_equal(p[i].ordinal, i);
    }
    bulk_close(&f);
}

static void shadows_carry_what_they_are_for(void **state) {
    psh_partition p[16];
    psh_bulk_spec s = bulk_spec(1);
    psh_world *w;
    bulk_fixture f;
    double bytes = 0;
    psh_want want;
    size_t i;

    (void)state;
    bulk_open(&f, NULL);
    s.node = 2;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    p[0] = whole_day();
    w = bulk_world(&f, p, 1, 3);
    assert_ok(psh_bulk_propose(f.bulk, w, s.at - 1, f.wants, NULL));
    for (i = 0; i < psh_wants_count(f.wants); i++) {
        assert_ok(psh_wants_get(f.wants, i, &want));
        assert_int_equal(want.kind, PSH_ACT_CREATE_PARTITION);
        assert_int_equal(want.why, PSH_WHY_BULK);
        assert_true(want.source == p[0].id && want.node == 2 && want.tier == PSH_NONE);
        assert_true(want.deadline == s.at && want.confidence == s.confidence);
        bytes += want.resources.bytes;
    }
    assert_true(fabs(bytes / s.bytes - 7.0 / 8) < 1e-9); /* the parent keeps the first eighth */
    psh_world_unref(w);
    w = bulk_world(&f, p, 1, 2); /* the preferred node is gone: any other */
    psh_wants_clear(f.wants);
    assert_ok(psh_bulk_propose(f.bulk, w, s.at - 1, f.wants, NULL));
    assert_ok(psh_wants_get(f.wants, 0, &want));
    assert_int_equal(want.node, PSH_NONE);
    psh_world_unref(w);
    bulk_close(&f);
}

static void only_what_begins_soon_is_prepared(void **state) {
    psh_bulk_options o = bulk_options();
    psh_bulk_spec s = bulk_spec(1);
    psh_partition p = whole_day();
    bulk_fixture f;

    (void)state;
    bulk_open(&f, NULL);
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    bulk_propose(&f, &p, 1, s.at - PSH_HOUR - 1);
    assert_int_equal(psh_wants_count(f.wants), 0);
    bulk_propose(&f, &p, 1, s.at - PSH_HOUR);
    assert_int_equal(psh_wants_count(f.wants), 7);
    bulk_propose(&f, &p, 1, s.at + 7 * PSH_DAY); /* late */
    assert_int_equal(psh_wants_count(f.wants), 7);
    bulk_propose(&f, &p, 1, s.at + 7 * PSH_DAY + 1); /* never came */
    assert_int_equal(psh_wants_count(f.wants), 0);
    bulk_close(&f);
    o.lead_ns = PSH_DAY;
    o.horizon_ns = PSH_MINUTE; /* the horizon holds back the lead */
    bulk_open(&f, &o);
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    bulk_propose(&f, &p, 1, s.at - PSH_MINUTE - 1);
    assert_int_equal(psh_wants_count(f.wants), 0);
    bulk_propose(&f, &p, 1, s.at - PSH_MINUTE);
    assert_int_equal(psh_wants_count(f.wants), 7);
    bulk_close(&f);
}

static void a_load_dated_2100_creates_nothing(void **state) {
    psh_bulk_spec s = bulk_spec(1);
    psh_partition p = whole_day();
    bulk_fixture f;

    (void)state;
    bulk_open(&f, NULL);
    s.at = s.time_from = INT64_C(4102444800) * PSH_SECOND;
    s.time_to = s.at + PSH_DAY;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    bulk_propose(&f, &p, 1, TEST_T0);
    assert_int_equal(psh_wants_count(f.wants), 0);
    s = bulk_spec(2); /* one that begins now, with rows of 2100: the interval is not there */
    s.time_from = INT64_C(4102444800) * PSH_SECOND;
    s.time_to = s.time_from + PSH_DAY;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    bulk_propose(&f, &p, 1, s.at);
    assert_int_equal(psh_wants_count(f.wants), 0);
    bulk_close(&f);
}

static void an_interval_without_owners_waits_for_the_map(void **state) {
    psh_partition p[2] = { bulk_partition(DAY0, PSH_PARTITION_SHADOW, 0, 0, HALF - 1),
                           bulk_partition(DAY0, PSH_PARTITION_WARMING, 1, HALF, UINT64_MAX) };
    psh_bulk_spec s = bulk_spec(1);
    uint64_t point = UINT64_MAX;
    int64_t time = TEST_T0;
    bulk_fixture f;

    (void)state;
    bulk_open(&f, NULL);
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    bulk_propose(&f, p, 2, s.at);
    assert_int_equal(psh_wants_count(f.wants), 0);
    p[0].state = p[1].state = PSH_PARTITION_SEALED; /* late rows are the map's to reopen for */
    bulk_propose(&f, p, 2, s.at);
    assert_int_equal(psh_wants_count(f.wants), 0);
    assert_ok(psh_bulk_begin(f.bulk, 1, 0, s.at, NULL));
    assert_int_equal(psh_bulk_batch(f.bulk, 1, &point, &time, 1, 1, s.at), PSH_AGAIN); /* nothing seen yet */
    bulk_propose(&f, p, 2, s.at);
    assert_ok(psh_bulk_batch(f.bulk, 1, &point, &time, 1, 1, s.at)); /* nothing to wait for */
    bulk_close(&f);
}

static void budgets_hold(void **state) {
    psh_bulk_options o = bulk_options();
    psh_partition p = whole_day();
    uint64_t points[8], id;
    psh_bulk_spec s;
    bulk_fixture f;
    psh_want w;
    size_t i;

    (void)state;
    o.max_bytes = UINT64_C(1024) << 20; /* of two loads; the third finds no room, */
    o.max_parts = 3;
    bulk_open(&f, &o);
    for (id = 1; id <= 3; id++) {
        bulk_points(points, 8, id * EIGHTH, 1000);
        s = bulk_spec(id);
        s.at -= (int64_t)id; /* and the latest, id 1, is the third */
        s.points = points;
        s.key_count = 8;
        assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    }
    s = bulk_spec(9);
    s.at -= 100;
    s.bytes = 1e15;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL)); /* the first, but too large: only it is left out */
    bulk_propose(&f, &p, 1, s.at);
    assert_int_equal(psh_wants_count(f.wants), 6);
    for (i = 0; i < 6; i++) {
        assert_ok(psh_wants_get(f.wants, i, &w));
        assert_int_equal(w.arc_first / EIGHTH, i < 3 ? 3 : 2);
    }
    bulk_close(&f);
}

static void two_loads_of_one_interval_share_the_ring(void **state) {
    psh_partition p[40];
    uint64_t left[2] = { 10, HALF / 2 }, right[2] = { HALF + 10, HALF + HALF / 2 };
    psh_bulk_spec s;
    psh_want w;
    bulk_fixture f;
    size_t n, i;

    (void)state;
    bulk_open(&f, NULL);
    s = bulk_spec(1);
    s.points = left;
    s.key_count = 2;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    s.id = 2;
    s.points = right;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    p[0] = bulk_partition(DAY0, PSH_PARTITION_ACTIVE, 1, 0, UINT64_MAX);
    bulk_propose(&f, p, 1, s.at);
    assert_int_equal(psh_wants_count(f.wants), 2);
    for (i = 0; i < 2; i++) {
        assert_ok(psh_wants_get(f.wants, i, &w));
        assert_int_equal(w.ordinal, 2 * i); /* 1 is in use */
        assert_true(w.resources.bytes == s.bytes * (i ? 1 : 0.5)); /* half of the first lies left of both cuts */
    }
    n = make_shadows(&f, p, 1);
    assert_true(p[1].arc_first == HALF + 11 && p[1].arc_last == UINT64_MAX);
    assert_true(p[2].arc_first == 11 && p[2].arc_last == HALF + 10);
    bulk_propose(&f, p, n, s.at);
    assert_int_equal(psh_wants_count(f.wants), 0);
    bulk_close(&f);
}

static void creations_wanted_by_others_are_left_room(void **state) {
    psh_partition p = whole_day();
    psh_bulk_spec s = bulk_spec(1);
    psh_want other = { .kind = PSH_ACT_CREATE_PARTITION, .why = PSH_WHY_HOT, .node = PSH_NONE, .tier = PSH_NONE,
                       .interval = DAY0, .time_from = TEST_T0, .time_to = TEST_T0 + PSH_DAY, .ordinal = 1,
                       .arc_first = HALF + 5, .arc_last = UINT64_MAX, .confidence = 1, .source = 1,
                       .not_before = PSH_TIME_MIN, .deadline = PSH_TIME_MAX };
    psh_world *w;
    bulk_fixture f;
    psh_want want;
    size_t i;

    (void)state;
    bulk_open(&f, NULL);
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    other.subject = psh_partition_id(0, DAY0, HALF + 5);
    other.source = p.id;
    assert_ok(psh_wants_add(f.wants, &other, NULL));
    w = bulk_world(&f, &p, 1, 0);
    assert_ok(psh_bulk_propose(f.bulk, w, s.at, f.wants, NULL));
    assert_int_equal(psh_wants_count(f.wants), 5); /* cuts at 1/8..4/8; the others are within what is wanted */
    for (i = 1; i < 5; i++) {
        assert_ok(psh_wants_get(f.wants, i, &want));
        assert_true(want.arc_first == EIGHTH * (5 - i) && want.ordinal == (i == 1 ? 0 : i) + (i == 1 ? 2 : 1));
        assert_true(want.arc_last == (i == 1 ? HALF + 4 : EIGHTH * (6 - i) - 1));
    }
    psh_world_unref(w);
    bulk_close(&f);
}

/* A load begun in a world with its 7 shadows. p[0] is the parent, p[1] the rightmost shadow. */
static size_t begin_prepared(bulk_fixture *f, psh_partition *p) {
    psh_bulk_spec s = bulk_spec(1);
    size_t n;

    assert_ok(psh_bulk_expect(f->bulk, &s, NULL));
    p[0] = whole_day();
    bulk_propose(f, p, 1, s.at - 1);
    n = make_shadows(f, p, 1);
    assert_int_equal(n, 8);
    assert_ok(psh_bulk_begin(f->bulk, 1, 0, s.at, NULL));
    bulk_propose(f, p, n, s.at);
    assert_int_equal(psh_wants_count(f->wants), 0); /* nothing came yet */
    return n;
}

static psh_status row(bulk_fixture *f, uint64_t point) {
    int64_t time = TEST_T0 + 5;

    return psh_bulk_batch(f->bulk, 1, &point, &time, 1, 10, TEST_T0 + 2 * PSH_HOUR);
}

static void activation_follows_the_rows_from_the_right(void **state) {
    psh_partition p[16];
    bulk_fixture f;
    psh_want w;
    size_t n, i;

    (void)state;
    bulk_open(&f, NULL);
    n = begin_prepared(&f, p);
    assert_ok(row(&f, 5)); /* the parent's own range */
    bulk_propose(&f, p, n, TEST_T0 + 2 * PSH_HOUR);
    assert_int_equal(psh_wants_count(f.wants), 0);
    assert_int_equal(row(&f, EIGHTH * 6 + 5), PSH_AGAIN); /* the range before the last, */
    bulk_propose(&f, p, n, TEST_T0 + 2 * PSH_HOUR);
    assert_int_equal(psh_wants_count(f.wants), 2); /* and the one on its right, first */
    for (i = 0; i < 2; i++) {
        assert_ok(psh_wants_get(f.wants, i, &w));
        assert_int_equal(w.kind, PSH_ACT_SPLIT_PARTITION);
        assert_true(w.subject == p[1 + i].id && w.source == p[0].id && w.step == 1 && w.steps == 1);
        assert_true(w.arc_first == p[1 + i].arc_first && w.arc_last == p[1 + i].arc_last && w.generation == 5);
    }
    p[1].state = PSH_PARTITION_ACTIVE; /* one is done */
    p[0].arc_last = p[1].arc_first - 1;
    assert_int_equal(row(&f, EIGHTH * 6), PSH_AGAIN); /* no world told yet */
    bulk_propose(&f, p, n, TEST_T0 + 2 * PSH_HOUR);
    assert_int_equal(psh_wants_count(f.wants), 1);
    assert_ok(row(&f, EIGHTH * 7));
    assert_int_equal(row(&f, EIGHTH * 6), PSH_AGAIN);
    p[2].state = PSH_PARTITION_ACTIVE;
    p[0].arc_last = p[2].arc_first - 1;
    bulk_propose(&f, p, n, TEST_T0 + 2 * PSH_HOUR);
    assert_int_equal(psh_wants_count(f.wants), 0);
    assert_ok(row(&f, EIGHTH * 6));
    assert_int_equal(row(&f, EIGHTH), PSH_AGAIN); /* all the rest */
    bulk_propose(&f, p, n, TEST_T0 + 2 * PSH_HOUR);
    assert_int_equal(psh_wants_count(f.wants), 5);
    bulk_close(&f);
}

static void what_is_wanted_already_is_not_wanted_twice(void **state) {
    psh_partition p[16];
    psh_world *w;
    bulk_fixture f;
    size_t n;

    (void)state;
    bulk_open(&f, NULL);
    n = begin_prepared(&f, p);
    assert_int_equal(row(&f, EIGHTH), PSH_AGAIN);
    w = bulk_world(&f, p, n - 1, 0); /* one is missing, six can be split */
    assert_ok(psh_bulk_propose(f.bulk, w, TEST_T0 + 2 * PSH_HOUR, f.wants, NULL));
    assert_int_equal(psh_wants_count(f.wants), 7);
    assert_ok(psh_bulk_propose(f.bulk, w, TEST_T0 + 2 * PSH_HOUR, f.wants, NULL));
    assert_int_equal(psh_wants_count(f.wants), 7);
    assert_int_equal(row(&f, EIGHTH), PSH_AGAIN); /* still to come */
    psh_world_unref(w);
    bulk_close(&f);
}

static void a_shadow_being_made_holds_up_those_on_its_left(void **state) {
    psh_partition p[16];
    bulk_fixture f;
    size_t n;

    (void)state;
    bulk_open(&f, NULL);
    n = begin_prepared(&f, p);
    p[3].state = PSH_PARTITION_WARMING;
    assert_int_equal(row(&f, EIGHTH), PSH_AGAIN);
    bulk_propose(&f, p, n, TEST_T0 + 2 * PSH_HOUR);
    assert_int_equal(psh_wants_count(f.wants), 2);
    assert_int_equal(row(&f, EIGHTH), PSH_AGAIN); /* it will come */
    bulk_close(&f);
}

static void a_hole_in_the_chain_is_filled(void **state) {
    psh_partition p[16];
    bulk_fixture f;
    psh_want w;
    size_t n;

    (void)state;
    bulk_open(&f, NULL);
    n = begin_prepared(&f, p);
    p[3] = p[n - 1]; /* one creation failed */
    assert_int_equal(row(&f, EIGHTH), PSH_AGAIN);
    bulk_propose(&f, p, n - 1, TEST_T0 + 2 * PSH_HOUR);
    assert_int_equal(psh_wants_count(f.wants), 3);
    assert_int_equal(bulk_count(&f, PSH_ACT_SPLIT_PARTITION), 2); /* right of the hole */
    assert_ok(psh_wants_get(f.wants, 0, &w));
    assert_true(w.kind == PSH_ACT_CREATE_PARTITION && w.arc_first == EIGHTH * 5 && w.arc_last == EIGHTH * 6 - 1);
    bulk_close(&f);
}

static void a_gap_behind_another_shadow_is_filled(void **state) {
    psh_partition p[16] = { whole_day(), bulk_partition(DAY0, PSH_PARTITION_SHADOW, 7, EIGHTH * 5 + 9,
                                                        EIGHTH * 6 + 20) };
    psh_bulk_spec s = bulk_spec(1);
    bulk_fixture f;
    size_t n;

    (void)state;
    bulk_open(&f, NULL);
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    bulk_propose(&f, p, 2, s.at);
    n = make_shadows(&f, p, 2);
    assert_int_equal(n, 2 + 7); /* all cuts but that within it, and what is left behind it */
    assert_true(p[2].arc_first == EIGHTH * 7 && p[3].arc_first == p[1].arc_last + 1);
    assert_true(p[3].arc_last == EIGHTH * 7 - 1 && p[4].arc_last == p[1].arc_first - 1);
    assert_ok(psh_bulk_begin(f.bulk, 1, 0, s.at, NULL));
    assert_int_equal(row(&f, EIGHTH), PSH_AGAIN);
    bulk_propose(&f, p, n, s.at);
    assert_int_equal(bulk_count(&f, PSH_ACT_SPLIT_PARTITION), 8); /* the whole chain, the other's too */
    bulk_close(&f);
}

static void shadows_on_a_failed_node_stay_shadows(void **state) {
    psh_partition p[16];
    psh_world *w;
    bulk_fixture f;
    size_t n;

    (void)state;
    bulk_open(&f, NULL);
    n = begin_prepared(&f, p);
    p[2].node = 7;
    assert_int_equal(row(&f, EIGHTH), PSH_AGAIN);
    w = bulk_world(&f, p, n, 2); /* nodes 0 and 1 */
    psh_wants_clear(f.wants);
    assert_ok(psh_bulk_propose(f.bulk, w, TEST_T0 + 2 * PSH_HOUR, f.wants, NULL));
    assert_int_equal(psh_wants_count(f.wants), 1); /* the rightmost */
    assert_ok(row(&f, EIGHTH)); /* rows go to the parent: nothing to wait for */
    assert_ok(row(&f, EIGHTH * 6));
    assert_int_equal(row(&f, EIGHTH * 7), PSH_AGAIN);
    psh_world_unref(w);
    bulk_close(&f);
}

static void shadows_in_disorder_are_left_alone(void **state) {
    psh_partition p[3] = { whole_day(), bulk_partition(DAY0, PSH_PARTITION_SHADOW, 1, HALF, UINT64_MAX),
                           bulk_partition(DAY0, PSH_PARTITION_SHADOW, 2, HALF + 9, UINT64_MAX - 4) };
    psh_bulk_spec s = bulk_spec(1);
    bulk_fixture f;

    (void)state;
    bulk_open(&f, NULL);
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    bulk_propose(&f, p, 3, s.at);
    assert_int_equal(psh_wants_count(f.wants), 0);
    bulk_close(&f);
}

static void a_load_given_up_by_its_host_wants_nothing(void **state) {
    psh_partition p[16];
    bulk_fixture f;
    size_t n;

    (void)state;
    bulk_open(&f, NULL);
    n = begin_prepared(&f, p);
    assert_int_equal(row(&f, EIGHTH), PSH_AGAIN);
    bulk_propose(&f, p, n, TEST_T0 + 2 * PSH_HOUR + 7 * PSH_DAY);
    assert_int_equal(psh_wants_count(f.wants), 7);
    bulk_propose(&f, p, n, TEST_T0 + 2 * PSH_HOUR + 7 * PSH_DAY + 1);
    assert_int_equal(psh_wants_count(f.wants), 0);
    bulk_close(&f);
}

static void arguments_are_checked(void **state) {
    psh_error err = { .struct_size = sizeof err };
    psh_partition p = whole_day();
    bulk_fixture f;
    psh_world *w;

    (void)state;
    bulk_open(&f, NULL);
    w = bulk_world(&f, &p, 1, 0);
    assert_int_equal(psh_bulk_propose(f.bulk, NULL, 0, f.wants, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "world");
    assert_int_equal(psh_bulk_propose(f.bulk, w, PSH_TIME_NONE, f.wants, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "now");
    assert_int_equal(psh_bulk_propose(f.bulk, w, 0, NULL, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "out");
    psh_world_unref(w);
    bulk_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_the_quantiles_of_the_points),
        cmocka_unit_test(shadows_carry_what_they_are_for),
        cmocka_unit_test(only_what_begins_soon_is_prepared),
        cmocka_unit_test(a_load_dated_2100_creates_nothing),
        cmocka_unit_test(an_interval_without_owners_waits_for_the_map),
        cmocka_unit_test(budgets_hold),
        cmocka_unit_test(two_loads_of_one_interval_share_the_ring),
        cmocka_unit_test(creations_wanted_by_others_are_left_room),
        cmocka_unit_test(activation_follows_the_rows_from_the_right),
        cmocka_unit_test(what_is_wanted_already_is_not_wanted_twice),
        cmocka_unit_test(a_shadow_being_made_holds_up_those_on_its_left),
        cmocka_unit_test(a_hole_in_the_chain_is_filled),
        cmocka_unit_test(a_gap_behind_another_shadow_is_filled),
        cmocka_unit_test(shadows_on_a_failed_node_stay_shadows),
        cmocka_unit_test(shadows_in_disorder_are_left_alone),
        cmocka_unit_test(a_load_given_up_by_its_host_wants_nothing),
        cmocka_unit_test(arguments_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
