/* SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "codec/frame.h"
#include "model/outlier.h"
#include "model/tails.h"
#include "test.h"

#define STEP (5 * PSH_MINUTE)
#define DAY 288u

static double noise(uint64_t *r) {
    double sum = 0;
    int i;

    for (i = 0; i < 12; i++) {
        *r = *r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        sum += (double)(*r >> 40) * 0x1p-24;
    }
    return sum - 6;
}

static psh_detector *make(psh_env *env, uint32_t probation) {
    psh_detector_options o = { sizeof o };
    psh_detector *d = NULL;

    o.probation = probation;
    assert_ok(psh_detector_create(env, &o, &d, NULL));
    return d;
}

static psh_verdict see(psh_detector *d, uint32_t i, double x) {
    psh_verdict v = { sizeof v };

    assert_ok(psh_detector_observe(d, TEST_T0 + i * STEP, x, &v));
    assert_true(v.score >= 0 && v.score <= 1 && isfinite(v.expected));
    assert_int_equal((v.flags & PSH_VERDICT_ANOMALOUS) != 0, v.score >= 0.5);
    return v;
}

/* Spikes of 12 standard deviations in white noise are found, and at most one of 900 other values is. */
static void spikes(void **state) {
    psh_env *env = NULL;
    psh_detector *d;
    psh_verdict v;
    uint64_t r = 5;
    uint32_t i, found = 0, wrong = 0;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    d = make(env, 300);
    for (i = 0; i < 6000; i++) {
        v = see(d, i, 50 + noise(&r) + (i % 600 == 599 ? 12 + i / 300 : 0));
        found += v.flags & PSH_VERDICT_ANOMALOUS && i % 600 == 599;
        wrong += v.flags & PSH_VERDICT_ANOMALOUS && i % 600 > 5 && i % 600 != 599;
        assert_true(i < 200 || fabs(v.expected - 50) < 8);
        if (i % 600 == 599)
            assert_true(v.flags & PSH_VERDICT_OUTLIER && !(v.flags & PSH_VERDICT_LEVEL));
        assert_true(i >= 300 || v.score == 0);
    }
    assert_true(found >= 8);
    assert_true(wrong <= 6);
    psh_detector_destroy(d);
    psh_env_destroy(env);
}

/* A step alarms at once, is told as a change of level within ten values, and soon is no news any more. */
static void level_shift(void **state) {
    psh_env *env = NULL;
    psh_detector *d;
    psh_verdict v;
    uint64_t r = 6;
    uint32_t i, alarm = 0, change = 0, later = 0;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    d = make(env, 300);
    for (i = 0; i < 3000; i++) {
        v = see(d, i, (i < 1500 ? 10 : 25) + noise(&r));
        if (i < 1500)
            assert_false(v.flags & PSH_VERDICT_LEVEL);
        alarm = !alarm && i >= 1500 && v.flags & PSH_VERDICT_ANOMALOUS ? i : alarm;
        change = !change && v.flags & PSH_VERDICT_LEVEL ? i : change;
        if (i == change && change)
            assert_int_equal(v.run_length, 1);
        later += i > 1600 && v.flags & PSH_VERDICT_ANOMALOUS;
    }
    assert_true(alarm >= 1500 && alarm <= 1502);
    assert_true(change >= 1503 && change <= 1510);
    assert_true(later <= 3);
    assert_true(v.run_length > 1000 && fabs(v.expected - 25) < 2);
    psh_detector_destroy(d);
    psh_env_destroy(env);
}

/* A variance that grows fivefold is told as a change of spread. */
static void variance_shift(void **state) {
    psh_env *env = NULL;
    psh_detector *d;
    psh_verdict v;
    uint64_t r = 7;
    uint32_t i, alarms = 0, before = 0, spread = 0;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    d = make(env, 300);
    for (i = 0; i < 2000; i++) {
        v = see(d, i, (i < 1000 ? 1 : 5) * noise(&r));
        before += i < 1000 && v.flags & (PSH_VERDICT_LEVEL | PSH_VERDICT_SPREAD);
        alarms += i >= 1000 && i < 1100 && v.flags & PSH_VERDICT_ANOMALOUS;
        spread += i >= 1000 && i < 1200 && v.flags & PSH_VERDICT_SPREAD;
    }
    assert_int_equal(before, 0);
    assert_true(alarms >= 1);
    assert_true(spread >= 1);
    psh_detector_destroy(d);
    psh_env_destroy(env);
}

/* A daily wave: no alarms, not at a gap of two days in the times either; a day without its wave alarms. */
static void missing_day(void **state) {
    psh_env *env = NULL;
    psh_detector *d;
    psh_verdict v = { sizeof v };
    uint64_t r = 8;
    uint32_t i, before = 0, on = 0;
    int64_t gap = 0;
    double x;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    d = make(env, 600);
    for (i = 0; i < 14 * DAY; i++) {
        gap = i >= 7 * DAY ? 2 * PSH_DAY : 0;
        x = (i / DAY == 11 ? 20 : 60 - 40 * cos(6.283185307179586 * (i % DAY) / DAY)) + noise(&r);
        assert_ok(psh_detector_observe(d, TEST_T0 + i * STEP + gap, x, &v));
        before += i < 11 * DAY && v.flags & PSH_VERDICT_ANOMALOUS;
        on += i / DAY == 11 && v.flags & PSH_VERDICT_ANOMALOUS;
    }
    assert_true(before <= 2);
    assert_true(on >= 1);
    psh_detector_destroy(d);
    psh_env_destroy(env);
}

/* Nothing but constants: never an alarm, whatever they are. */
static void constants(void **state) {
    static const double values[] = { 0, 45, -1e-300, 0.1, 0x1p100, -0x1p100, DBL_MIN };
    psh_env *env = NULL;
    psh_detector *d;
    psh_verdict v;
    uint32_t i, k;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (k = 0; k < sizeof values / sizeof *values; k++) {
        d = make(env, 20);
        for (i = 0; i < 3000; i++) {
            v = see(d, i, values[k]);
            assert_int_equal(v.flags, 0);
            assert_true(v.expected == values[k] && v.run_length == i + 1);
        }
        psh_detector_destroy(d);
    }
    psh_env_destroy(env);
}

/* The largest values, the smallest, all at one time or years apart: finite verdicts, and blocks of one size. */
static void extremes(void **state) {
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    psh_detector *d = make(env, 20);
    psh_verdict v = { sizeof v };
    size_t bytes = psh_detector_bytes(d);
    uint64_t calls = alloc.calls;
    int64_t t = PSH_TIME_MIN;
    uint32_t i;
    double x;

    (void)state;
    for (i = 0; i < 40000; i++) {
        x = i % 7 == 3 ? 0x1p100 : i % 5 ? -1e-300 : i % 3 ? 1e-12 : -0x1p100;
        t = i < 100 ? PSH_TIME_MIN : i > 39900 ? PSH_TIME_MAX : i < 20000 ? 0 : i * (PSH_DAY / 7);
        assert_ok(psh_detector_observe(d, t, x, &v));
        assert_true(v.score >= 0 && v.score <= 1 && isfinite(v.expected));
    }
    assert_int_equal(alloc.calls, calls);
    assert_int_equal(psh_detector_bytes(d), bytes);
    assert_true(bytes <= 48 * 1024);
    psh_detector_destroy(d);
    assert_int_equal(psh_detector_bytes(NULL), 0);
    psh_env_destroy(env);
}

static void refuses(void **state) {
    psh_env *env = NULL;
    psh_detector_options o = { sizeof o };
    psh_detector *d;
    psh_verdict v = { sizeof v };
    psh_error err = { sizeof err };
    psh_buffer *one, *two;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    o.threshold = 1;
    assert_int_equal(psh_detector_create(env, &o, &d, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "threshold");
    assert_null(d);
    o.threshold = 0;
    o.season[0] = 8 * PSH_DAY;
    assert_int_equal(psh_detector_create(env, &o, &d, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "season[1]");
    o.season[0] = 5;
    assert_int_equal(psh_detector_create(env, &o, &d, &err), PSH_E_INVALID);
    o.season[0] = 0;
    o.probation = 5;
    assert_int_equal(psh_detector_create(env, &o, &d, &err), PSH_E_INVALID);
    o.probation = 0;
    o.flags = 1;
    assert_int_equal(psh_detector_create(env, &o, &d, &err), PSH_E_UNSUPPORTED);
    d = make(env, 20);
    assert_ok(psh_buffer_create(env, &one));
    assert_ok(psh_buffer_create(env, &two));
    assert_ok(psh_detector_observe(d, 5, 1, &v));
    assert_ok(psh_detector_save(d, one));
    assert_int_equal(psh_detector_observe(d, 4, 1, &v), PSH_E_TIME);
    assert_int_equal(psh_detector_observe(d, 6, (double)NAN, &v), PSH_E_INVALID);
    assert_int_equal(psh_detector_observe(d, 6, (double)INFINITY, &v), PSH_E_INVALID);
    assert_int_equal(psh_detector_observe(d, 6, 0x1p101, &v), PSH_E_INVALID);
    assert_int_equal(psh_detector_observe(d, PSH_TIME_NONE, 1, &v), PSH_E_INVALID);
    assert_int_equal(psh_detector_observe(d, 6, 1, NULL), PSH_E_INVALID);
    assert_ok(psh_detector_save(d, two));
    assert_int_equal(psh_buffer_size(one), psh_buffer_size(two));
    assert_memory_equal(psh_buffer_data(one), psh_buffer_data(two), psh_buffer_size(one));
    psh_buffer_destroy(one);
    psh_buffer_destroy(two);
    psh_detector_destroy(d);
    psh_detector_destroy(NULL);
    psh_env_destroy(env);
}

static double wavy(uint32_t i, uint64_t *r) {
    return 1e6 + 30 * sin(6.283185307179586 * (i % DAY) / DAY) + noise(r) + (i % 500 == 499 ? 40 : 0);
}

/* Twice the same gives the same bytes; a loaded one goes on as the saved one; every flipped byte is refused. */
static void saves(void **state) {
    psh_env *env = NULL;
    psh_detector *a, *b, *c;
    psh_verdict v, w;
    psh_buffer *one, *two;
    unsigned char *bytes;
    uint64_t r = 9, q = 9;
    uint32_t i, lengths[] = { 0, 1, 30, 310, 2500 }, k;
    size_t at, size;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_buffer_create(env, &one));
    assert_ok(psh_buffer_create(env, &two));
    for (k = 0; k < 5; k++) {
        a = make(env, 100);
        b = make(env, 100);
        for (i = 0; i < lengths[k]; i++) {
            see(a, i, wavy(i, &r));
            see(b, i, wavy(i, &q));
        }
        psh_buffer_clear(one);
        psh_buffer_clear(two);
        assert_ok(psh_detector_save(a, one));
        assert_ok(psh_detector_save(b, two));
        size = psh_buffer_size(one);
        assert_int_equal(size, psh_buffer_size(two));
        assert_memory_equal(psh_buffer_data(one), psh_buffer_data(two), size);
        assert_ok(psh_detector_load(env, psh_buffer_data(one), size, 0, &c, NULL));
        for (; i < lengths[k] + 600; i++) {
            v = see(a, i, wavy(i, &r));
            w = see(c, i, wavy(i, &q));
            assert_memory_equal(&v, &w, sizeof v);
        }
        psh_buffer_clear(one);
        psh_buffer_clear(two);
        assert_ok(psh_detector_save(a, one));
        assert_ok(psh_detector_save(c, two));
        assert_memory_equal(psh_buffer_data(one), psh_buffer_data(two), psh_buffer_size(one));
        psh_detector_destroy(a);
        psh_detector_destroy(b);
        psh_detector_destroy(c);
    }
    size = psh_buffer_size(one);
    bytes = malloc(size);
    for (at = 0; at < size; at += at < 200 ? 1 : 97) {
        memcpy(bytes, psh_buffer_data(one), size);
        bytes[at] ^= 0x10;
        assert_int_not_equal(psh_detector_load(env, bytes, size, 0, &a, NULL), PSH_OK);
        assert_null(a);
        assert_int_not_equal(psh_detector_load(env, psh_buffer_data(one), at, 0, &a, NULL), PSH_OK);
    }
    free(bytes);
    psh_buffer_destroy(one);
    psh_buffer_destroy(two);
    psh_env_destroy(env);
}

static psh_status use_detector(psh_env *env, void *user) {
    psh_detector *d = NULL, *loaded = NULL;
    psh_verdict v = { sizeof v };
    psh_buffer *out = NULL;
    psh_status st = psh_buffer_create(env, &out);
    uint64_t r = 3;
    uint32_t i;

    (void)user;
    if (st == PSH_OK)
        st = psh_detector_create(env, NULL, &d, NULL);
    for (i = 0; st == PSH_OK && i < 400; i++)
        st = psh_detector_observe(d, i, noise(&r), &v);
    if (st == PSH_OK)
        st = psh_detector_save(d, out);
    if (st == PSH_OK)
        st = psh_detector_load(env, psh_buffer_data(out), psh_buffer_size(out), 0, &loaded, NULL);
    if (st == PSH_OK)
        st = psh_detector_dump(loaded, out);
    psh_detector_destroy(d);
    psh_detector_destroy(loaded);
    psh_buffer_destroy(out);
    return st;
}

static void memory_fails(void **state) {
    (void)state;
    test_every_allocation(use_detector, NULL);
}

/* Damage that checksums do not see: whatever load accepts goes on without harm. */
static void hostile_state(void **state) {
    psh_env *env = NULL;
    psh_buffer *out;
    pshi_tails t;
    pshi_writer w;
    pshi_cursor c;
    pshi_fields io = { NULL, NULL };
    unsigned char bytes[2048];
    uint64_t r = 11;
    size_t size, at;
    uint32_t i, accepted = 0;
    double s;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_buffer_create(env, &out));
    memset(&t, 0, sizeof t);
    for (i = 0; i < 3000; i++)
        pshi_tails_add(&t, noise(&r));
    w = pshi_write(out);
    io.w = &w;
    pshi_tails_fields(&io, &t);
    assert_ok(pshi_write_end(&w));
    size = psh_buffer_size(out);
    assert_true(size < sizeof bytes);
    io.w = NULL;
    for (i = 0; i < 20000; i++) {
        memcpy(bytes, psh_buffer_data(out), size);
        for (at = 0; at < 1 + i % 3; at++) {
            r = r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            bytes[(r >> 33) % (i & 1 ? 16 : size)] = (unsigned char)(r >> 20);
        }
        memset(&t, 0, sizeof t);
        c = pshi_read(bytes, size);
        io.c = &c;
        pshi_tails_fields(&io, &t);
        if (pshi_read_end(&c) != PSH_OK)
            continue;
        accepted++;
        for (at = 0; at < 200; at++) {
            s = pshi_tails_surprise(&t, (double)at - 100, at & 1, 0);
            assert_true(s >= 0 && isfinite(s));
            pshi_tails_add(&t, at % 3 ? 0x1p105 : -(double)at);
        }
    }
    assert_true(accepted > 0);
    psh_buffer_destroy(out);
    psh_env_destroy(env);
}

static void reframe(psh_buffer *out, const unsigned char *body, size_t size) {
    pshi_writer w;
    pshi_frame_writer f;

    psh_buffer_clear(out);
    w = pshi_write(out);
    f = pshi_frame_begin(&w, PSHI_KIND_DETECTOR);
    pshi_section_begin(&f, 1, 0);
    pshi_put_bytes(&w, body, size);
    pshi_section_end(&f);
    pshi_frame_end(&f);
    assert_ok(pshi_write_end(&w));
}

/* The same of a whole detector, under checksums that are right. */
static void hostile_detector(void **state) {
    psh_env *env = NULL;
    psh_detector *d = NULL;
    psh_buffer *out;
    pshi_frame frame;
    pshi_cursor body;
    unsigned char *saved, *bytes;
    uint64_t r = 21;
    size_t size;
    uint32_t i, k, accepted = 0;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_buffer_create(env, &out));
    d = make(env, 100);
    for (i = 0; i < 1500; i++)
        see(d, i, wavy(i, &r));
    assert_ok(psh_detector_save(d, out));
    psh_detector_destroy(d);
    size = psh_buffer_size(out);
    assert_ok(pshi_frame_load(env, psh_buffer_data(out), size, PSHI_KIND_DETECTOR, 0, &frame, &body, NULL));
    size = pshi_read_left(&body);
    saved = malloc(size);
    bytes = malloc(size);
    memcpy(saved, body.at, size);
    pshi_frame_close(&frame);
    for (i = 0; i < 3000; i++) {
        memcpy(bytes, saved, size);
        for (k = 0; k < 1 + i % 2; k++) {
            r = r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            bytes[(r >> 33) % (i % 3 ? size : 200)] = (unsigned char)(r >> 20);
        }
        reframe(out, bytes, size);
        if (psh_detector_load(env, psh_buffer_data(out), psh_buffer_size(out), 0, &d, NULL) != PSH_OK)
            continue;
        accepted++;
        for (k = 0; k < 10; k++) {
            psh_verdict v = { sizeof v };
            psh_status st;

            st = psh_detector_observe(d, TEST_T0 + (1500 + k) * STEP, k % 3 ? 1e6 : 0x1p100, &v);
            assert_true(st == PSH_OK || st == PSH_E_TIME);
            assert_true(v.score >= 0 && v.score <= 1 && isfinite(v.expected));
        }
        psh_detector_destroy(d);
    }
    assert_true(accepted > 100);
    free(saved);
    free(bytes);
    psh_buffer_destroy(out);
    psh_env_destroy(env);
}

/* Surprise of normal values is as often above s as 10^-s says; that of a record is finite, and grows. */
static void calibrated_tails(void **state) {
    pshi_tails t;
    uint64_t r = 4;
    uint32_t i, one = 0, three = 0;
    double x, s;

    (void)state;
    memset(&t, 0, sizeof t);
    for (i = 0; i < 60000; i++) {
        x = noise(&r);
        s = pshi_tails_surprise(&t, x, 1, 0);
        one += i >= 10000 && s > 1;
        three += i >= 10000 && s > 3;
        pshi_tails_add(&t, x);
    }
    assert_true(one > 4500 && one < 5500);
    assert_true(three > 30 && three < 75);
    assert_true(pshi_tails_surprise(&t, 6, 1, 0) > 4);
    assert_true(pshi_tails_surprise(&t, 20, 1, 0) > pshi_tails_surprise(&t, 8, 1, 0));
    assert_true(pshi_tails_surprise(&t, 0, 1, 0) < 0.4);
    assert_true(pshi_tails_surprise(&t, -6, 0, 0) > 4);
}

/* One wild value, and three, are masked; a step is accepted after five; a halved or tripled scale is told. */
static void outliers(void **state) {
    pshi_outlier s;
    uint64_t r = 13;
    uint32_t i, flags, told = 0;

    (void)state;
    assert_true(sizeof s <= 32);
    memset(&s, 0, sizeof s);
    for (i = 0; i < 2000; i++) {
        flags = pshi_outlier_observe(&s, noise(&r) + (i % 100 > 96 ? 30 : 0), 0, 1);
        assert_int_equal(flags, i % 100 > 96 ? PSHI_OUTLIER_MASK : 0);
    }
    for (i = 0; i < 10 && !(pshi_outlier_observe(&s, 50, 0, 1) & PSHI_OUTLIER_LEVEL); i++)
        assert_true(i < 5);
    assert_int_equal(s.run, 1);
    for (i = 0; i < 200; i++)
        told |= pshi_outlier_observe(&s, 0.25 * noise(&r), 0, 1);
    assert_int_equal(told, PSHI_OUTLIER_SPREAD);
    memset(&s, 0, sizeof s);
    for (told = 0, i = 0; i < 200; i++)
        told |= pshi_outlier_observe(&s, 3 * noise(&r), 0, 1);
    assert_true(told & PSHI_OUTLIER_SPREAD);
    assert_int_equal(pshi_outlier_observe(&s, 1e300, -1e300, 1e-300), PSHI_OUTLIER_MASK);
    assert_int_equal(pshi_outlier_observe(&s, 1e300, 0, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spikes),      cmocka_unit_test(level_shift),  cmocka_unit_test(variance_shift),
        cmocka_unit_test(missing_day), cmocka_unit_test(constants),    cmocka_unit_test(extremes),
        cmocka_unit_test(refuses),     cmocka_unit_test(saves),        cmocka_unit_test(memory_fails),
        cmocka_unit_test(hostile_state), cmocka_unit_test(hostile_detector), cmocka_unit_test(calibrated_tails),
        cmocka_unit_test(outliers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
