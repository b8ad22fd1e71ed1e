/* SPDX-License-Identifier: MIT */
/* Which keys come next: as lately, as a long season ago, or further on. */
#include "load.h"

typedef struct fixture {
    test_alloc a;
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *f;
} fixture;

static void start(fixture *x, uint32_t sketches) {
    psh_forecaster_options o;

    x->env = test_env(&x->a);
    x->schema = test_flights_schema(x->env);
    assert_ok(psh_forecaster_options_init(&o, sizeof o));
    o.max_key_sketches = sketches;
    assert_ok(psh_forecaster_create(x->env, x->schema, &o, &x->f, NULL));
}

static void shut(fixture *x) {
    psh_forecaster_destroy(x->f);
    psh_schema_unref(x->schema);
    psh_env_destroy(x->env);
    assert_int_equal(x->a.live, 0);
}

static const psh_subject whole = { PSH_SUBJECT_TABLE, 0, 0 };

/* Keys as hosts make them: a tenant, then a number. */
static void encode(psh_buffer *b, const char *tenant, int64_t n) {
    psh_value v[] = { test_text(tenant), test_int(n) };

    psh_buffer_clear(b);
    assert_ok(psh_key_append(b, &v[0]));
    assert_ok(psh_key_append(b, &v[1]));
}

static psh_status observe(fixture *x, const psh_buffer *b, int64_t time) {
    return psh_forecaster_observe_key(x->f, &whole, psh_buffer_data(b), psh_buffer_size(b), 1, time);
}

/* A day's keys by kind: drifting on as an append-only key does, alternating by weekday, or ever the same. */
static int64_t draw(int kind, int64_t day, uint64_t *seed) {
    int64_t r = (int64_t)(pshi_rng_next(seed) % 1000);

    if (kind == 0)
        return 100000 + day * 1000 + r;
    if (kind == 1)
        return (day % 7 >= 5 ? 900000 : 100000) + r;
    return 100000 + r * r / 100;
}

/* The distance between what was expected of each day and what came, mean over the last ones. */
static double mean_distance(int kind, int days, double *stated) {
    psh_key_sketch *guess, *real;
    uint64_t seed = 4;
    double sum = 0, n = 0, error;
    psh_buffer *b;
    fixture x;
    int64_t day;
    int i;

    start(&x, 4);
    assert_ok(psh_buffer_create(x.env, &b));
    *stated = 0;
    for (day = 0; day < days; day++) {
        guess = NULL;
        assert_true(psh_forecaster_step(x.f, TEST_T0 + day * PSH_DAY, 1) >= 0);
        if (day)
            assert_ok(psh_forecaster_keys(x.f, &whole, TEST_T0 + day * PSH_DAY, &guess, &error));
        assert_ok(psh_key_sketch_create(x.env, NULL, &real, NULL));
        for (i = 0; i < 400; i++) {
            encode(b, "ATL", draw(kind, day, &seed));
            assert_ok(observe(&x, b, TEST_T0 + day * PSH_DAY + i * PSH_MINUTE));
            assert_ok(psh_key_sketch_observe(real, psh_buffer_data(b), psh_buffer_size(b), 1, 0));
        }
        if (day >= 14) {
            sum += psh_key_sketch_distance(guess, real);
            *stated += error;
            n++;
        }
        psh_key_sketch_destroy(guess);
        psh_key_sketch_destroy(real);
    }
    psh_buffer_destroy(b);
    shut(&x);
    *stated /= n;
    return sum / n;
}

static void foretells_days(void **state) {
    double stated, off;
    int kind;

    (void)state;
    for (kind = 0; kind < 3; kind++) {
        off = mean_distance(kind, 35, &stated);
        if (off > 0.12 || fabs(off - stated) > 0.03)
            print_message("kind %d: %.3f, stated %.3f\n", kind, off, stated);
        assert_true(off <= 0.12); /* 400 draws alone: about 0.06 against another 400 */
        assert_true(fabs(off - stated) <= 0.03);
    }
}

/* Cuts for the next day lie among the next day's keys. */
static void cut(void *user, psh_bytes key, double below) {
    double *ranks = user;

    (void)key;
    ranks[(int)ranks[0] + 1] = below;
    ranks[0]++;
}

static void cuts_lie_ahead(void **state) {
    double ranks[8] = { 0 }, error;
    psh_key_sketch *guess;
    uint64_t seed = 2;
    psh_buffer *b;
    psh_bytes key;
    fixture x;
    int64_t day;
    int i;

    (void)state;
    start(&x, 4);
    assert_ok(psh_buffer_create(x.env, &b));
    assert_int_equal(psh_forecaster_keys(x.f, &whole, TEST_T0, &guess, NULL), PSH_E_NO_FORECAST);
    for (day = 0; day < 10; day++) {
        assert_true(psh_forecaster_step(x.f, TEST_T0 + day * PSH_DAY, 1) >= 0);
        for (i = 0; i < 400; i++) {
            encode(b, "ATL", draw(0, day, &seed));
            assert_ok(observe(&x, b, TEST_T0 + day * PSH_DAY));
        }
    }
    assert_true(psh_forecaster_step(x.f, TEST_T0 + 10 * PSH_DAY, 1) >= 0);
    assert_ok(psh_forecaster_keys(x.f, &whole, TEST_T0 + 12 * PSH_DAY, &guess, &error));
    encode(b, "ATL", 112000);
    assert_true(psh_key_sketch_rank(guess, psh_buffer_data(b), psh_buffer_size(b)) < 0.08);
    encode(b, "ATL", 113000);
    assert_true(psh_key_sketch_rank(guess, psh_buffer_data(b), psh_buffer_size(b)) > 0.92);
    assert_ok(psh_key_sketch_split(guess, 4, cut, ranks));
    assert_true(ranks[0] == 3 && fabs(ranks[2] - 0.5) < 0.05);
    assert_ok(psh_key_sketch_quantile(guess, 0.5, &key));
    assert_int_equal(key.size, psh_buffer_size(b));
    psh_key_sketch_destroy(guess);
    psh_buffer_destroy(b);
    shut(&x);
}

static void stays_within_limits(void **state) {
    psh_subject s = { PSH_SUBJECT_PARTITION, 0, 0 }, bad = { PSH_SUBJECT_TEMPLATE, 0, 1 };
    psh_forecaster_stats stats = { sizeof stats };
    psh_key_sketch *k;
    uint64_t bytes = 0;
    fixture x;
    int i;

    (void)state;
    start(&x, 3);
    assert_ok(psh_forecaster_step(x.f, TEST_T0, 1));
    for (i = 1; i <= 50; i++) {
        s.id = (uint64_t)i;
        assert_ok(psh_forecaster_observe_key(x.f, &s, "abc", 3, 1, TEST_T0 + i));
        assert_ok(psh_forecaster_get_stats(x.f, &stats));
        bytes = i == 3 ? stats.bytes : bytes;
        assert_true(i <= 3 || stats.bytes == bytes);
    }
    assert_ok(psh_forecaster_keys(x.f, &s, TEST_T0, &k, NULL));
    psh_key_sketch_destroy(k);
    s.id = 47;
    assert_int_equal(psh_forecaster_keys(x.f, &s, TEST_T0, &k, NULL), PSH_E_NO_FORECAST);
    assert_null(k);
    assert_int_equal(psh_forecaster_observe_key(x.f, &bad, "a", 1, 1, TEST_T0), PSH_E_INVALID);
    s.id = 50;
    assert_int_equal(psh_forecaster_observe_key(x.f, &s, "a", 1, 1, TEST_T0 - 9 * PSH_DAY), PSH_E_TIME);
    assert_int_equal(psh_forecaster_observe_key(x.f, &s, "a", 1, 1, TEST_T0 + 900 * PSH_DAY), PSH_E_TIME);
    assert_int_equal(psh_forecaster_observe_key(x.f, &s, "a", 1, 0, TEST_T0), PSH_E_INVALID);
    shut(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foretells_days),
        cmocka_unit_test(cuts_lie_ahead),
        cmocka_unit_test(stays_within_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
