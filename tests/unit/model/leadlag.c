/* SPDX-License-Identifier: MIT */
/* A metric that leads is found and helps, those that do not are left alone, one that stops leading is dropped. */
#include <math.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "model/leadlag.h"
#include "test.h"

#define METRICS 6u
#define DAY 24u

static double draw(uint64_t *r) {
    *r = *r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*r >> 11) * 0x1p-53;
}

/* About normal, variance 1. */
static double noise(uint64_t *r) {
    return (draw(r) + draw(r) + draw(r) + draw(r) - 2) * 1.7320508;
}

/*
 * Metrics with a day, a memory of their own and very different units; what metric 2 did `lag` buckets ago drives
 * the load's residual by `strength` of its own noise. Metric 4 is a copy of 2 with noise.
 */
typedef struct world {
    uint64_t r;
    uint32_t t;
    double memory[METRICS];
    double shock[METRICS][16];
} world;

static double next_bucket(world *w, uint32_t lag, double strength, double *values) {
    static const double units[METRICS] = { 1, 1e6, 40, 1e-3, 7, 300 };
    double out = noise(&w->r);
    uint32_t k;

    for (k = 0; k < METRICS; k++) {
        w->shock[k][w->t % 16] = noise(&w->r);
        w->memory[k] = 0.7 * w->memory[k] + w->shock[k][w->t % 16];
        values[k] = units[k] * (20 + 3 * sin(0.2617993877991494 * (double)(w->t % DAY + k)) + w->memory[k]);
    }
    values[4] = 7 * values[2] / units[2] + 2 * noise(&w->r);
    if (lag && w->t >= lag)
        out += strength * w->shock[2][(w->t - lag) % 16];
    w->t++;
    return 5 * out;
}

static pshi_leadlag *make(psh_env *env, uint32_t memory) {
    pshi_leadlag_options o;
    pshi_leadlag *l = NULL;

    pshi_leadlag_defaults(&o, METRICS);
    o.lags = 12;
    o.season = DAY;
    o.memory = memory;
    assert_ok(pshi_leadlag_create(env, &o, &l));
    return l;
}

/* Share of the squared error that corrections at one lead leave, over `n` buckets. */
static double run(pshi_leadlag *l, world *w, uint32_t lag, double strength, uint32_t lead, uint32_t n) {
    double values[METRICS], due[16] = { 0 }, with = 0, without = 0, residual;
    uint32_t i;

    for (i = 0; i < n; i++) {
        residual = next_bucket(w, lag, strength, values);
        if (i >= lead) {
            without += residual * residual;
            with += (residual - due[i % 16]) * (residual - due[i % 16]);
        }
        pshi_leadlag_observe(l, residual, values);
        due[(i + lead) % 16] = pshi_leadlag_correct(l, lead);
    }
    return with / without;
}

static void a_leader_is_found(void **state) {
    pshi_leadlag_info info;
    psh_env *env = NULL;
    pshi_leadlag *l;
    world w = { 1 };
    uint32_t k, lead;
    double share;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    l = make(env, 512);
    run(l, &w, 5, 0.8, 1, 600);
    assert_ok(pshi_leadlag_info_of(l, 2, &info));
    assert_int_equal(info.lag, 5);
    assert_int_equal(info.used, 1);
    assert_true(info.correlation > 0.4 && info.correlation < 0.8);
    print_message("correlation %.3f gain %.3f\n", info.correlation, info.gain);
    assert_true(info.gain > 0.1 && info.gain < 0.6);
    for (k = 0; k < METRICS; k++) {
        assert_ok(pshi_leadlag_info_of(l, k, &info));
        assert_int_equal(info.used, k == 2); /* not even its copy, which has nothing to add */
    }
    /* A variance of 0.64 in 1.64 can be taken away: 0.39. */
    for (lead = 1; lead <= 5; lead++) {
        share = run(l, &w, 5, 0.8, lead, 500);
        print_message("lead %u leaves %.3f of the squared error\n", lead, share);
        assert_true(share < 0.72);
    }
    assert_true(pshi_leadlag_correct(l, 5) < 0 || pshi_leadlag_correct(l, 5) > 0);
    assert_true(fpclassify(pshi_leadlag_correct(l, 6)) == FP_ZERO);
    assert_true(fpclassify(pshi_leadlag_correct(l, 0)) == FP_ZERO);
    assert_int_equal(pshi_leadlag_info_of(l, METRICS, &info), PSH_E_INVALID);
    pshi_leadlag_destroy(l);
    psh_env_destroy(env);
}

/* Over many seeds, buckets at which any unrelated metric is in use are rare, and what it costs is next to nothing.
 */
static void strangers_stay_out(void **state) {
    pshi_leadlag_info info;
    psh_env *env = NULL;
    pshi_leadlag *l;
    uint32_t seed, k, i, runs = 0, buckets = 0, used, any;
    double values[METRICS], share;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (seed = 1; seed <= 100; seed++) {
        world w = { seed * 7919 };

        l = make(env, 256);
        for (i = any = 0; i < 1000; i++) {
            pshi_leadlag_observe(l, next_bucket(&w, 0, 0, values), values);
            for (k = used = 0; k < METRICS; k++) {
                assert_ok(pshi_leadlag_info_of(l, k, &info));
                used |= info.used;
            }
            buckets += used;
            any |= used;
        }
        runs += any;
        share = run(l, &w, 0, 0, 1, 200);
        assert_true(share < 1.1);
        pshi_leadlag_destroy(l);
    }
    print_message("of 100 runs %u used a stranger at some time, for %u of 100000 buckets\n", runs, buckets);
    assert_true(runs <= 5);
    assert_true(buckets <= 500);
    psh_env_destroy(env);
}

static void an_end_is_noticed(void **state) {
    pshi_leadlag_info info;
    psh_env *env = NULL;
    pshi_leadlag *l;
    world w = { 4 };
    double values[METRICS];
    uint32_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    l = make(env, 256);
    run(l, &w, 3, 0.8, 1, 500);
    assert_ok(pshi_leadlag_info_of(l, 2, &info));
    assert_int_equal(info.used, 1);
    for (i = 0; i < 300 && info.used; i++) {
        pshi_leadlag_observe(l, next_bucket(&w, 0, 0, values), values);
        assert_ok(pshi_leadlag_info_of(l, 2, &info));
    }
    print_message("dropped after %u buckets\n", i);
    assert_true(i < 300);
    assert_true(fpclassify(pshi_leadlag_correct(l, 1)) == FP_ZERO);
    assert_true(run(l, &w, 0, 0, 1, 500) < 1.02);
    assert_ok(pshi_leadlag_info_of(l, 2, &info));
    assert_int_equal(info.used, 0);
    run(l, &w, 9, 0.8, 1, 700); /* and a new one is found, elsewhere */
    assert_ok(pshi_leadlag_info_of(l, 2, &info));
    assert_int_equal(info.used, 1);
    assert_int_equal(info.lag, 9);
    pshi_leadlag_destroy(l);
    psh_env_destroy(env);
}

/* Two metrics that lead, each with a part of its own, are both taken up. */
static void two_leaders(void **state) {
    double values[METRICS], residual, own[1200];
    pshi_leadlag_info a, b;
    psh_env *env = NULL;
    pshi_leadlag *l;
    world w = { 9 };
    uint64_t r = 17;
    uint32_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    l = make(env, 512);
    for (i = 0; i < 1200; i++) {
        residual = next_bucket(&w, 5, 0.8, values);
        values[0] = own[i] = noise(&r);
        residual -= i >= 8 ? 4 * own[i - 8] : 0;
        pshi_leadlag_observe(l, residual, values);
    }
    assert_ok(pshi_leadlag_info_of(l, 0, &a));
    assert_ok(pshi_leadlag_info_of(l, 2, &b));
    assert_true(a.used && a.lag == 8 && a.correlation < 0);
    assert_true(b.used && b.lag == 5 && b.correlation > 0);
    pshi_leadlag_destroy(l);
    psh_env_destroy(env);
}

static void save_into(const pshi_leadlag *l, psh_buffer *out) {
    pshi_writer w = pshi_write(out);

    pshi_leadlag_save(l, &w);
    assert_ok(pshi_write_end(&w));
}

static pshi_leadlag *load_from(psh_env *env, const void *data, size_t size, psh_status *st) {
    pshi_cursor c = pshi_read(data, size);
    pshi_leadlag *l = pshi_leadlag_load(env, &c);

    *st = pshi_read_end(&c);
    return l;
}

static void goes_on_after_load(void **state) {
    psh_buffer *one, *two;
    psh_env *env = NULL;
    pshi_leadlag *l, *loaded;
    world w = { 3 }, again;
    psh_status st;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_buffer_create(env, &one));
    assert_ok(psh_buffer_create(env, &two));
    l = make(env, 256);
    run(l, &w, 5, 0.8, 1, 400);
    save_into(l, one);
    loaded = load_from(env, psh_buffer_data(one), psh_buffer_size(one), &st);
    assert_ok(st);
    assert_int_equal(pshi_leadlag_bytes(loaded), pshi_leadlag_bytes(l));
    again = w;
    run(l, &w, 4, 0.8, 1, 300);
    run(loaded, &again, 4, 0.8, 1, 300);
    psh_buffer_clear(one);
    save_into(l, one);
    save_into(loaded, two);
    assert_int_equal(psh_buffer_size(one), psh_buffer_size(two));
    assert_memory_equal(psh_buffer_data(one), psh_buffer_data(two), psh_buffer_size(one));
    pshi_leadlag_destroy(l);
    pshi_leadlag_destroy(loaded);
    psh_buffer_destroy(one);
    psh_buffer_destroy(two);
    psh_env_destroy(env);
}

/* Enormous, unknown and constant values, and saved bytes that are damaged: always finite. */
static void be_hostile(pshi_leadlag *l, uint64_t *r, uint32_t n) {
    static const double marks[] = { 0x1p100, -0x1p100, 0, 1e-300, 3, (double)INFINITY, 0x1p101 };
    double values[METRICS];
    uint32_t i, k;

    for (i = 0; i < n; i++) {
        for (k = 0; k < METRICS; k++)
            values[k] = k == 1 ? 7 : k == 5 ? (double)NAN : marks[(uint32_t)(draw(r) * 7)];
        pshi_leadlag_observe(l, i % 3 ? marks[(uint32_t)(draw(r) * 7)] : (double)NAN, values);
        for (k = 1; k <= 12; k++)
            assert_true(isfinite(pshi_leadlag_correct(l, k)));
    }
}

static void hostile(void **state) {
    psh_env *env = NULL;
    psh_buffer *saved;
    unsigned char *bytes;
    pshi_leadlag *l;
    world w = { 5 };
    uint64_t r = 8;
    uint32_t round, k, taken = 0;
    psh_status st;
    size_t size;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_buffer_create(env, &saved));
    l = make(env, 64);
    be_hostile(l, &r, 300);
    pshi_leadlag_destroy(l);
    l = make(env, 256);
    run(l, &w, 5, 0.9, 1, 400);
    save_into(l, saved);
    pshi_leadlag_destroy(l);
    size = psh_buffer_size(saved);
    bytes = malloc(size);
    for (round = 0; round < 3000; round++) {
        memcpy(bytes, psh_buffer_data(saved), size);
        for (k = 0; k < 1 + round % 5; k++)
            bytes[(size_t)(draw(&r) * (double)(round % 2 ? size : 40))] = (unsigned char)(draw(&r) * 256);
        l = load_from(env, bytes, round % 7 ? size : (size_t)(draw(&r) * (double)size), &st);
        assert_non_null(l);
        assert_true(pshi_leadlag_bytes(l) <= size + 8192);
        if (st == PSH_OK && pshi_leadlag_info_of(l, METRICS, &(pshi_leadlag_info){ 0 }) == PSH_E_INVALID && ++taken)
            be_hostile(l, &r, 5);
        pshi_leadlag_destroy(l);
    }
    print_message("%u of 3000 taken\n", taken);
    assert_true(taken > 300);
    free(bytes);
    psh_buffer_destroy(saved);
    psh_env_destroy(env);
}

static psh_status use_leadlag(psh_env *env, void *user) {
    pshi_leadlag_options o;
    pshi_leadlag *l = NULL, *loaded = NULL;
    psh_buffer *buffer = NULL;
    psh_status st = psh_buffer_create(env, &buffer);
    double values[METRICS] = { 0 };
    pshi_writer w;

    (void)user;
    pshi_leadlag_defaults(&o, METRICS);
    if (st == PSH_OK)
        st = pshi_leadlag_create(env, &o, &l);
    if (st == PSH_OK) {
        pshi_leadlag_observe(l, 1, values);
        w = pshi_write(buffer);
        pshi_leadlag_save(l, &w);
        st = pshi_write_end(&w);
    }
    if (st == PSH_OK) {
        loaded = load_from(env, psh_buffer_data(buffer), psh_buffer_size(buffer), &st);
        st = loaded ? st : PSH_E_NOMEM;
    }
    pshi_leadlag_destroy(l);
    pshi_leadlag_destroy(loaded);
    psh_buffer_destroy(buffer);
    return st;
}

static void memory_fails(void **state) {
    (void)state;
    test_every_allocation(use_leadlag, NULL);
}

static void refuses(void **state) {
    pshi_leadlag_options o;
    psh_env *env = NULL;
    pshi_leadlag *l = NULL;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    pshi_leadlag_defaults(&o, 0);
    assert_int_equal(pshi_leadlag_create(env, &o, &l), PSH_E_INVALID);
    pshi_leadlag_defaults(&o, 1);
    o.season = 1;
    assert_int_equal(pshi_leadlag_create(env, &o, &l), PSH_E_INVALID);
    pshi_leadlag_defaults(&o, 1);
    o.risk = 0;
    assert_int_equal(pshi_leadlag_create(env, &o, &l), PSH_E_INVALID);
    pshi_leadlag_defaults(&o, 65);
    assert_int_equal(pshi_leadlag_create(env, &o, &l), PSH_E_INVALID);
    assert_null(l);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_is_found),  cmocka_unit_test(strangers_stay_out),
        cmocka_unit_test(an_end_is_noticed),  cmocka_unit_test(two_leaders),
        cmocka_unit_test(goes_on_after_load), cmocka_unit_test(hostile),
        cmocka_unit_test(memory_fails),       cmocka_unit_test(refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
