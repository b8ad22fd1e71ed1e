/* SPDX-License-Identifier: MIT */
#include "bulk.h"

#include <math.h>

#define EVEN (UINT64_MAX / 1000) /* step of 1,000 points over the whole ring */

static void assert_field(bulk_fixture *f, const psh_bulk_spec *s, psh_status expected, const char *field) {
    psh_error err = { .struct_size = sizeof err };

    assert_int_equal(psh_bulk_expect(f->bulk, s, &err), expected);
    assert_string_equal(err.field, field);
    assert_int_equal(psh_bulk_count(f->bulk), 0);
}

static void bad_announcements_are_named(void **state) {
    bulk_fixture f;
    psh_bulk_spec s;

    (void)state;
    bulk_open(&f, NULL);
    s = bulk_spec(0);
    assert_field(&f, &s, PSH_E_INVALID, "id");
#define REFUSED(name, value, status, named) \
    s = bulk_spec(1); \
    s.name = value; \
    assert_field(&f, &s, status, named)
    REFUSED(table, 1, PSH_E_INVALID, "table");
    REFUSED(at, PSH_TIME_NONE, PSH_E_INVALID, "at");
    REFUSED(every_ns, -1, PSH_E_INVALID, "every_ns");
    REFUSED(every_ns, PSH_TIME_MAX, PSH_E_TIME, "every_ns");
    REFUSED(time_from, PSH_TIME_NONE, PSH_E_INVALID, "time_from");
    REFUSED(time_from, s.time_to, PSH_E_INVALID, "time_from");
    REFUSED(time_from, PSH_TIME_MIN, PSH_E_TIME, "time_from");
    REFUSED(time_to, PSH_TIME_MAX, PSH_E_TIME, "time_to");
    REFUSED(rows, (double)NAN, PSH_E_INVALID, "rows");
    REFUSED(rows, -1, PSH_E_INVALID, "rows");
    REFUSED(bytes, (double)INFINITY, PSH_E_INVALID, "bytes");
    REFUSED(bytes, 1e300, PSH_E_INVALID, "bytes");
    REFUSED(confidence, 0, PSH_E_INVALID, "confidence");
    REFUSED(confidence, (double)NAN, PSH_E_INVALID, "confidence");
    REFUSED(confidence, 1.1, PSH_E_INVALID, "confidence");
    REFUSED(key_count, 1, PSH_E_INVALID, "points");
    REFUSED(struct_size, 3, PSH_E_INVALID, "struct_size");
#undef REFUSED
    bulk_close(&f);
}

static void assert_option(bulk_fixture *f, const psh_bulk_options *o, psh_status expected, const char *field) {
    psh_error err = { .struct_size = sizeof err };
    psh_bulk *b = f->bulk;

    assert_int_equal(psh_bulk_create(f->env, f->schema, o, &b, &err), expected);
    assert_string_equal(err.field, field);
    assert_null(b);
}

static void bad_options_are_named(void **state) {
    psh_bulk_options o;
    bulk_fixture f;

    (void)state;
    bulk_open(&f, NULL);
#define REFUSED(name, value, status) \
    o = bulk_options(); \
    o.name = value; \
    assert_option(&f, &o, status, #name)
    REFUSED(flags, 1, PSH_E_UNSUPPORTED);
    REFUSED(max_loads, 0, PSH_E_INVALID);
    REFUSED(max_loads, 65537, PSH_E_INVALID);
    REFUSED(max_parts, 0, PSH_E_INVALID);
    REFUSED(max_parts, 257, PSH_E_INVALID);
    REFUSED(target_bytes, 0, PSH_E_INVALID);
    REFUSED(lead_ns, -1, PSH_E_INVALID);
    REFUSED(horizon_ns, -1, PSH_E_INVALID);
    REFUSED(override_ns, -1, PSH_E_INVALID);
    REFUSED(alert_distance, (double)NAN, PSH_E_INVALID);
    REFUSED(migrate_distance, 0.1, PSH_E_INVALID);
    REFUSED(migrate_distance, 1.5, PSH_E_INVALID);
    REFUSED(struct_size, 2, PSH_E_INVALID);
#undef REFUSED
    assert_int_equal(psh_bulk_create(f.env, f.schema, NULL, NULL, NULL), PSH_E_INVALID);
    assert_int_equal(psh_bulk_options_init(NULL, 8), PSH_E_INVALID);
    bulk_close(&f);
}

static void what_is_expected_is_told_by_id(void **state) {
    uint64_t points[3] = { 30, 10, 20 };
    psh_bulk_spec s = bulk_spec(7), got = { .struct_size = sizeof got };
    bulk_fixture f;

    (void)state;
    bulk_open(&f, NULL);
    s.points = points;
    s.key_count = 3;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    s = bulk_spec(3);
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    assert_int_equal(psh_bulk_count(f.bulk), 2);
    assert_ok(psh_bulk_get(f.bulk, 0, &got));
    assert_true(got.id == 3 && got.key_count == 0 && got.at == s.at && got.rows == s.rows);
    assert_ok(psh_bulk_get(f.bulk, 1, &got));
    assert_true(got.id == 7 && got.key_count == 3 && got.points[0] == 10 && got.points[2] == 30);
    assert_int_equal(psh_bulk_get(f.bulk, 2, &got), PSH_E_NOT_FOUND);
    s = bulk_spec(7);
    s.rows = 5;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL)); /* anew */
    assert_ok(psh_bulk_get(f.bulk, 1, &got));
    assert_true(got.rows == 5 && got.key_count == 0 && psh_bulk_count(f.bulk) == 2);
    bulk_close(&f);
}

static void states_are_kept(void **state) {
    psh_bulk_options o = bulk_options();
    psh_bulk_result r = { .struct_size = sizeof r };
    psh_bulk_spec s = bulk_spec(2);
    uint64_t point = 1;
    int64_t time = TEST_T0, none = PSH_TIME_NONE;
    bulk_fixture f;

    (void)state;
    o.max_loads = 1;
    bulk_open(&f, &o);
    assert_int_equal(psh_bulk_batch(f.bulk, 1, &point, &time, 1, 1, TEST_T0), PSH_E_NOT_FOUND);
    assert_int_equal(psh_bulk_end(f.bulk, 1, TEST_T0, &r), PSH_E_NOT_FOUND);
    assert_int_equal(psh_bulk_last(f.bulk, 1, &r), PSH_E_NOT_FOUND);
    assert_int_equal(psh_bulk_begin(f.bulk, 0, 0, TEST_T0, NULL), PSH_E_INVALID);
    assert_int_equal(psh_bulk_begin(f.bulk, 1, 9, TEST_T0, NULL), PSH_E_INVALID);
    assert_int_equal(psh_bulk_begin(f.bulk, 1, 0, PSH_TIME_NONE, NULL), PSH_E_INVALID);
    assert_ok(psh_bulk_begin(f.bulk, 1, 0, TEST_T0, NULL));
    assert_int_equal(psh_bulk_begin(f.bulk, 1, 0, TEST_T0, NULL), PSH_E_STATE);
    assert_int_equal(psh_bulk_begin(f.bulk, 2, 0, TEST_T0, NULL), PSH_E_LIMIT);
    assert_int_equal(psh_bulk_expect(f.bulk, &s, NULL), PSH_E_LIMIT);
    assert_int_equal(psh_bulk_count(f.bulk), 1);
    assert_int_equal(psh_bulk_last(f.bulk, 1, &r), PSH_E_STATE);
    assert_int_equal(psh_bulk_batch(f.bulk, 1, &point, &none, 1, 1, TEST_T0), PSH_E_INVALID);
    assert_int_equal(psh_bulk_batch(f.bulk, 1, NULL, &time, 1, 1, TEST_T0), PSH_E_INVALID);
    assert_ok(psh_bulk_batch(f.bulk, 1, NULL, NULL, 0, 1, TEST_T0));
    assert_int_equal(psh_bulk_end(f.bulk, 1, TEST_T0 - 1, &r), PSH_E_INVALID);
    assert_ok(psh_bulk_end(f.bulk, 1, TEST_T0, &r));
    assert_true(r.rows == 0 && r.verdict == PSH_BULK_ALERT && r.next_at == PSH_TIME_NONE);
    assert_int_equal(psh_bulk_end(f.bulk, 1, TEST_T0, &r), PSH_E_STATE);
    assert_int_equal(psh_bulk_batch(f.bulk, 1, &point, &time, 1, 1, TEST_T0), PSH_E_STATE);
    assert_int_equal(psh_bulk_begin(f.bulk, 1, 0, TEST_T0 - 1, NULL), PSH_E_TIME);
    assert_ok(psh_bulk_last(f.bulk, 1, &r));
    bulk_close(&f);
}

static void one_that_nobody_foretold_is_an_alert_and_is_learned(void **state) {
    psh_bulk_spec got = { .struct_size = sizeof got };
    psh_bulk_result r;
    bulk_fixture f;

    (void)state;
    bulk_open(&f, NULL);
    r = bulk_run(&f, 1, TEST_T0, TEST_T0 + 5, 1000, 1 << 20, 1);
    assert_int_equal(r.verdict, PSH_BULK_ALERT);
    assert_true(r.outside == 1 && r.rows == 1000 && r.bytes == 100000 && r.rows_predicted == 0);
    assert_true(r.expires == PSH_TIME_NONE && r.next_at == PSH_TIME_NONE);
    assert_ok(psh_bulk_get(f.bulk, 0, &got));
    assert_true(got.at == PSH_TIME_NONE && got.rows == 1000 && got.bytes == 100000 && got.key_count > 0);
    assert_true(got.points[0] == 1 << 20 && got.points[got.key_count - 1] == (1 << 20) + 999);
    r = bulk_run(&f, 1, TEST_T0 + PSH_HOUR, TEST_T0 + 5, 1000, 1 << 20, 1); /* as the last one */
    assert_int_equal(r.verdict, PSH_BULK_AS_PREDICTED);
    assert_true(r.outside == 0 && r.distance < 0.1 && r.rows_predicted == 1000);
    bulk_close(&f);
}

/* The announced points are even; what comes is shifted by some share of the ring. */
static psh_bulk_result run_shifted(bulk_fixture *f, int64_t every, double shift) {
    uint64_t points[1000], by = (uint64_t)(shift * 0x1p63) * 2;
    psh_bulk_spec s = bulk_spec(1);

    bulk_points(points, 1000, 0, EVEN / 2); /* the left half of the ring */
    s.every_ns = every;
    s.points = points;
    s.key_count = 1000;
    assert_ok(psh_bulk_expect(f->bulk, &s, NULL));
    return bulk_run(f, 1, s.at, TEST_T0 + PSH_HOUR, 1000, by / 2, EVEN / 2);
}

static void verdicts_follow_the_distance(void **state) {
    static const struct { double shift; uint32_t verdict; } cases[] = {
        { 0, PSH_BULK_AS_PREDICTED }, { 0.1, PSH_BULK_AS_PREDICTED }, { 0.3, PSH_BULK_ALERT },
        { 0.5, PSH_BULK_MIGRATE }, { 0.999, PSH_BULK_MIGRATE },
    };
    psh_bulk_result r;
    bulk_fixture f;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        bulk_open(&f, NULL);
        r = run_shifted(&f, 0, cases[i].shift);
        assert_int_equal(r.verdict, cases[i].verdict);
        assert_true(fabs(r.distance - cases[i].shift) < 0.05);
        assert_true(fabs(r.outside - cases[i].shift) < 0.01); /* shifted beyond the highest point */
        assert_true(r.next_at == PSH_TIME_NONE);
        bulk_close(&f);
    }
}

static void rows_of_other_intervals_are_outside(void **state) {
    psh_bulk_spec s = bulk_spec(1);
    psh_bulk_result r = { .struct_size = sizeof r };
    uint64_t points[4] = { 1, UINT64_MAX / 4, UINT64_MAX / 2, UINT64_MAX - 5 };
    int64_t times[4] = { TEST_T0, TEST_T0 + PSH_DAY, PSH_TIME_MAX, PSH_TIME_MIN };
    bulk_fixture f;

    (void)state;
    bulk_open(&f, NULL);
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    assert_ok(psh_bulk_begin(f.bulk, 1, 0, s.at, NULL));
    assert_ok(psh_bulk_batch(f.bulk, 1, points, times, 4, 40, s.at)); /* the first range waits for nothing */
    assert_ok(psh_bulk_end(f.bulk, 1, s.at + 1, &r));
    assert_true(r.outside == 0.75);
    assert_int_equal(r.verdict, PSH_BULK_ALERT); /* the ranges were right, the times were not */
    bulk_close(&f);
}

static void an_exception_is_kept_apart_and_a_change_migrates(void **state) {
    psh_bulk_spec s = bulk_spec(1);
    uint64_t points[1000];
    psh_bulk_result r;
    bulk_fixture f;
    int64_t day = PSH_DAY;

    (void)state;
    bulk_open(&f, NULL);
    bulk_points(points, 1000, 0, EVEN);
    s.every_ns = day;
    s.points = points;
    s.key_count = 1000;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    r = bulk_run(&f, 1, s.at, TEST_T0, 1000, 0, EVEN);
    assert_int_equal(r.verdict, PSH_BULK_AS_PREDICTED);
    assert_true(r.next_at == s.at + day);
    /* 0.3 of the rows are missing at the right end: once an exception, */
    r = bulk_run(&f, 1, s.at + day, TEST_T0 + day, 1000, 0, EVEN / 10 * 7);
    assert_int_equal(r.verdict, PSH_BULK_OVERRIDE);
    assert_true(r.expires == s.at + day + 10 * PSH_MINUTE + PSH_DAY);
    /* forgotten when the next is as before, */
    r = bulk_run(&f, 1, s.at + 2 * day, TEST_T0 + 2 * day, 1000, 0, EVEN);
    assert_int_equal(r.verdict, PSH_BULK_AS_PREDICTED);
    /* twice in a row a change. */
    r = bulk_run(&f, 1, s.at + 3 * day, TEST_T0 + 3 * day, 1000, 0, EVEN / 10 * 7);
    assert_int_equal(r.verdict, PSH_BULK_OVERRIDE);
    r = bulk_run(&f, 1, s.at + 4 * day, TEST_T0 + 4 * day, 1000, 0, EVEN / 10 * 7);
    assert_int_equal(r.verdict, PSH_BULK_MIGRATE);
    r = bulk_run(&f, 1, s.at + 5 * day, TEST_T0 + 5 * day, 1000, 0, EVEN / 10 * 7);
    assert_int_equal(r.verdict, PSH_BULK_AS_PREDICTED); /* and learned */
    bulk_close(&f);
}

static void a_deviation_another_way_is_only_told(void **state) {
    psh_bulk_spec s = bulk_spec(1);
    psh_bulk_result r;
    bulk_fixture f;

    (void)state;
    bulk_open(&f, NULL);
    s.every_ns = PSH_DAY;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    (void)bulk_run(&f, 1, s.at, TEST_T0, 1000, 0, EVEN);
    r = bulk_run(&f, 1, s.at + PSH_DAY, TEST_T0 + PSH_DAY, 1000, 0, EVEN / 10 * 7);
    assert_int_equal(r.verdict, PSH_BULK_OVERRIDE);
    r = bulk_run(&f, 1, s.at + 2 * PSH_DAY, TEST_T0 + 2 * PSH_DAY, 1000, EVEN * 300, EVEN / 10 * 7);
    assert_int_equal(r.verdict, PSH_BULK_ALERT);
    bulk_close(&f);
}

static void three_gaps_that_agree_are_a_rhythm(void **state) {
    static const int64_t gaps[] = { 100, 105, 98, 99, 150, 100, 100, 101, 112, 100, 110 }; /* minutes */
    static const int64_t next[] = { 0, 0, 100, 99, 0, 0, 0, 100, 0, 0, 0 }; /* expected after so long; 0 = not */
    psh_bulk_spec got = { .struct_size = sizeof got };
    psh_bulk_result r;
    int64_t at = TEST_T0;
    bulk_fixture f;
    size_t i;

    (void)state;
    bulk_open(&f, NULL);
    (void)bulk_run(&f, 9, at, at, 100, 0, EVEN);
    for (i = 0; i < sizeof gaps / sizeof *gaps; i++) {
        at += gaps[i] * PSH_MINUTE;
        r = bulk_run(&f, 9, at, at, 100, 0, EVEN);
        assert_true(r.next_at == (next[i] ? at + next[i] * PSH_MINUTE : PSH_TIME_NONE));
        assert_ok(psh_bulk_get(f.bulk, 0, &got));
        assert_true(got.every_ns == next[i] * PSH_MINUTE && got.at == r.next_at);
        if (!next[i])
            continue;
        assert_true(got.confidence == 0.8 && got.rows == 100);
        assert_true(got.time_from == at / PSH_DAY * PSH_DAY + got.every_ns);
        assert_true(got.time_to == got.time_from + PSH_DAY);
    }
    bulk_close(&f);
}

static void periods_that_were_missed_are_passed_over(void **state) {
    psh_bulk_spec s = bulk_spec(1), got = { .struct_size = sizeof got };
    psh_bulk_result r;
    bulk_fixture f;

    (void)state;
    bulk_open(&f, NULL);
    s.every_ns = PSH_DAY;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    r = bulk_run(&f, 1, s.at + 3 * PSH_DAY + PSH_HOUR, TEST_T0 + 3 * PSH_DAY, 1000, 0, EVEN); /* late, not lost */
    assert_true(r.outside == 0 && r.verdict == PSH_BULK_AS_PREDICTED);
    assert_true(r.next_at == s.at + 4 * PSH_DAY);
    assert_ok(psh_bulk_get(f.bulk, 0, &got));
    assert_true(got.time_from == TEST_T0 + 4 * PSH_DAY && got.time_to == TEST_T0 + 5 * PSH_DAY);
    bulk_close(&f);
}

static void what_is_announced_meanwhile_is_the_one_after(void **state) {
    psh_bulk_spec s = bulk_spec(1), got = { .struct_size = sizeof got };
    psh_bulk_result r = { .struct_size = sizeof r };
    uint64_t point = 7;
    int64_t time = TEST_T0;
    bulk_fixture f;

    (void)state;
    bulk_open(&f, NULL);
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    assert_ok(psh_bulk_begin(f.bulk, 1, 0, s.at, NULL));
    s.at += 9 * PSH_DAY;
    s.rows = 77;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    assert_ok(psh_bulk_batch(f.bulk, 1, &point, &time, 1, 1, TEST_T0 + 1));
    assert_ok(psh_bulk_end(f.bulk, 1, s.at, &r));
    assert_true(r.rows_predicted == 1e6 && r.next_at == s.at);
    assert_ok(psh_bulk_get(f.bulk, 0, &got));
    assert_true(got.rows == 77 && got.at == s.at);
    bulk_close(&f);
}

static void sizes_are_the_median_of_those_that_came(void **state) {
    static const size_t rows[] = { 100, 500, 200, 5000, 300, 400 };
    static const double expected[] = { 100, 500, 200, 500, 300, 400 }; /* of the last five */
    psh_bulk_spec got = { .struct_size = sizeof got };
    bulk_fixture f;
    size_t i;

    (void)state;
    bulk_open(&f, NULL);
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)bulk_run(&f, 1, TEST_T0 + (int64_t)(i * i) * PSH_HOUR, TEST_T0, rows[i], 0, 1);
        assert_ok(psh_bulk_get(f.bulk, 0, &got));
        assert_true(got.rows == expected[i] && got.bytes == 100 * expected[i]);
    }
    bulk_close(&f);
}

static void many_points_are_thinned_and_keep_their_ends(void **state) {
    psh_bulk_spec s = bulk_spec(1), got = { .struct_size = sizeof got };
    uint64_t *points = test_malloc(100000 * sizeof *points);
    bulk_fixture f;
    size_t i;

    (void)state;
    bulk_open(&f, NULL);
    for (i = 0; i < 100000; i++)
        points[i] = 5 + (i * 7919 % 100000) * 3; /* in no order */
    s.points = points;
    s.key_count = 100000;
    assert_ok(psh_bulk_expect(f.bulk, &s, NULL));
    test_free(points);
    assert_ok(psh_bulk_get(f.bulk, 0, &got));
    assert_int_equal(got.key_count, 1024);
    assert_true(got.points[0] == 5 && got.points[1023] == 5 + 99999 * 3);
    for (i = 0; i < 1024; i++)
        assert_true(fabs((double)(got.points[i] - 5) / 3 / 99999 - (double)i / 1023) < 2e-5);
    bulk_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_announcements_are_named),
        cmocka_unit_test(bad_options_are_named),
        cmocka_unit_test(what_is_expected_is_told_by_id),
        cmocka_unit_test(states_are_kept),
        cmocka_unit_test(one_that_nobody_foretold_is_an_alert_and_is_learned),
        cmocka_unit_test(verdicts_follow_the_distance),
        cmocka_unit_test(rows_of_other_intervals_are_outside),
        cmocka_unit_test(an_exception_is_kept_apart_and_a_change_migrates),
        cmocka_unit_test(a_deviation_another_way_is_only_told),
        cmocka_unit_test(three_gaps_that_agree_are_a_rhythm),
        cmocka_unit_test(periods_that_were_missed_are_passed_over),
        cmocka_unit_test(what_is_announced_meanwhile_is_the_one_after),
        cmocka_unit_test(sizes_are_the_median_of_those_that_came),
        cmocka_unit_test(many_points_are_thinned_and_keep_their_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
