/* SPDX-License-Identifier: MIT */
/* What holds for every kind of model: it answers from one value on, finite; saves and loads; survives everything. */
#include <math.h>
#include <stdlib.h>

#include "test.h"

#define MOST_KIND 64u
#define MOST_N 400u
#define STEPS 30u

static const double levels[] = { 0.025, 0.5, 0.975 };

/* A season of 12 (and one of 36), a trend and some noise; counts when `counts`. */
static void make_series(double *y, size_t n, int counts) {
    uint64_t r = 42;
    size_t i;

    for (i = 0; i < n; i++) {
        r = r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        y[i] = 50 + 0.05 * (double)i + 20 * sin(6.283185307179586 * (double)i / 12) + (i % 36 < 12 ? 8 : 0)
             + (double)(r >> 40) * 0x1p-22;
        if (counts)
            y[i] = r >> 62 ? 0 : floor(y[i] / 20);
    }
}

static psh_model_spec spec_of(uint32_t kind) {
    psh_model_spec s = { sizeof s, kind, PSH_MODEL_NONNEGATIVE, 12, { 12, 36, 0 } };

    return s;
}

static void check_forecast(const psh_model *m, double most) {
    double mean[STEPS], q[STEPS * 3];
    uint32_t h, k;

    assert_ok(psh_model_forecast(m, STEPS, NULL, levels, 3, mean, q));
    for (h = 0; h < STEPS; h++) {
        assert_true(isfinite(mean[h]) && mean[h] >= 0 && mean[h] <= most);
        for (k = 0; k < 3; k++) {
            assert_true(isfinite(q[h * 3 + k]) && q[h * 3 + k] >= 0);
            assert_true(!k || q[h * 3 + k] >= q[h * 3 + k - 1]);
        }
    }
}

static void every_length_answers(void **state) {
    static const size_t lengths[] = { 1, 2, 3, 4, 5, 7, 12, 13, 20, 24, 25, 36, 40, 72, 73, 80, 150, 400 };
    test_alloc alloc;
    psh_env *env = test_env(&alloc);
    double y[MOST_N];
    psh_model *m;
    uint32_t kind, counts;
    size_t i, k;

    (void)state;
    for (kind = 1; kind < MOST_KIND; kind++) {
        for (counts = 0; *psh_model_name(kind) && counts < 2; counts++) {
            make_series(y, MOST_N, (int)counts);
            for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
                psh_model_spec s = spec_of(kind);

                assert_ok(psh_model_fit(env, &s, y, lengths[i], &m, NULL));
                check_forecast(m, 2000);
                for (k = 0; k < 20; k++)
                    assert_ok(psh_model_update(m, y[(lengths[i] + k) % MOST_N], NULL));
                check_forecast(m, 2000);
                assert_true(psh_model_bytes(m) > 0);
                psh_model_destroy(m);
            }
        }
    }
    assert_int_equal(alloc.live, 1);
    psh_env_destroy(env);
}

/* A constant is forecast as that constant, zero as zero, and enormous values as something finite. */
static void plain_series(void **state) {
    static const double constants[] = { 0, 7, 1e-9, 1e30 };
    psh_env *env = NULL;
    double y[100], mean[STEPS];
    psh_model *m;
    uint32_t kind, h;
    size_t c, i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (kind = 1; kind < MOST_KIND; kind++) {
        for (c = 0; *psh_model_name(kind) && c < 4; c++) {
            psh_model_spec s = spec_of(kind);

            for (i = 0; i < 100; i++)
                y[i] = constants[c];
            assert_ok(psh_model_fit(env, &s, y, 100, &m, NULL));
            assert_ok(psh_model_forecast(m, STEPS, NULL, NULL, 0, mean, NULL));
            /* SBA damps even a constant: by 1 - alpha / 2. */
            for (h = 0; h < STEPS; h++)
                assert_true(fabs(mean[h] - constants[c]) <= (kind == PSH_MODEL_SBA ? 0.2 : 0.02) * constants[c] + 1e-6);
            psh_model_destroy(m);
        }
    }
    psh_env_destroy(env);
}

static void hostile_series(void **state) {
    psh_env *env = NULL;
    double y[100], mean[STEPS], q[STEPS * 3];
    psh_model *m;
    uint32_t kind, h;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (kind = 1; kind < MOST_KIND; kind++) {
        psh_model_spec s = spec_of(kind);

        if (!*psh_model_name(kind))
            continue;
        for (i = 0; i < 100; i++)
            y[i] = i % 7 == 3 ? 0x1p100 : i % 5 ? -1e-300 : i % 3 ? 1e-12 : -0x1p100;
        s.flags = 0;
        assert_ok(psh_model_fit(env, &s, y, 100, &m, NULL));
        for (i = 0; i < 50; i++)
            assert_ok(psh_model_update(m, i % 2 ? 0x1p100 : -0x1p100, NULL));
        assert_ok(psh_model_forecast(m, STEPS, NULL, levels, 3, mean, q));
        for (h = 0; h < STEPS; h++)
            assert_true(isfinite(mean[h]) && isfinite(q[3 * h]) && isfinite(q[3 * h + 2]));
        assert_int_equal(psh_model_update(m, (double)NAN, NULL), PSH_E_INVALID);
        assert_int_equal(psh_model_update(m, HUGE_VAL, NULL), PSH_E_INVALID);
        psh_model_destroy(m);
        y[3] = (double)NAN;
        assert_int_equal(psh_model_fit(env, &s, y, 100, &m, NULL), PSH_E_INVALID);
        assert_null(m);
    }
    psh_env_destroy(env);
}

/* A fit repeats to the byte; a loaded model goes on exactly as the one saved; every flipped byte is refused. */
static void saves(void **state) {
    psh_env *env = NULL;
    double y[MOST_N], a[STEPS], b[STEPS];
    psh_model *m, *again, *loaded;
    psh_buffer *one, *two;
    unsigned char *bytes;
    uint32_t kind;
    size_t i, size;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    make_series(y, MOST_N, 0);
    for (kind = 1; kind < MOST_KIND; kind++) {
        psh_model_spec s = spec_of(kind);

        if (!*psh_model_name(kind))
            continue;
        assert_ok(psh_buffer_create(env, &one));
        assert_ok(psh_buffer_create(env, &two));
        assert_ok(psh_model_fit(env, &s, y, 300, &m, NULL));
        assert_ok(psh_model_fit(env, &s, y, 300, &again, NULL));
        assert_ok(psh_model_save(m, one));
        assert_ok(psh_model_save(again, two));
        size = psh_buffer_size(one);
        assert_int_equal(size, psh_buffer_size(two));
        assert_memory_equal(psh_buffer_data(one), psh_buffer_data(two), size);
        assert_ok(psh_model_load(env, psh_buffer_data(one), size, 0, &loaded, NULL));
        for (i = 300; i < 320; i++) {
            assert_ok(psh_model_update(m, y[i], NULL));
            assert_ok(psh_model_update(loaded, y[i], NULL));
        }
        assert_ok(psh_model_forecast(m, STEPS, NULL, NULL, 0, a, NULL));
        assert_ok(psh_model_forecast(loaded, STEPS, NULL, NULL, 0, b, NULL));
        assert_memory_equal(a, b, sizeof a);
        psh_model_destroy(loaded);
        bytes = malloc(size);
        for (i = 0; i < size; i += size > 5000 ? 37 : 1) {
            memcpy(bytes, psh_buffer_data(one), size);
            bytes[i] ^= 0x10;
            assert_int_not_equal(psh_model_load(env, bytes, size, 0, &loaded, NULL), PSH_OK);
            assert_null(loaded);
            assert_int_not_equal(psh_model_load(env, psh_buffer_data(one), i, 0, &loaded, NULL), PSH_OK);
        }
        free(bytes);
        psh_buffer_clear(two);
        assert_ok(psh_model_dump(m, two));
        assert_true(psh_buffer_size(two) > strlen(psh_model_name(kind)));
        assert_int_equal(psh_model_kind(psh_model_name(kind)), kind);
        psh_model_destroy(m);
        psh_model_destroy(again);
        psh_buffer_destroy(one);
        psh_buffer_destroy(two);
    }
    psh_env_destroy(env);
}

static psh_status use_model(psh_env *env, void *user) {
    psh_model_spec s = spec_of(*(uint32_t *)user);
    double y[90], mean[STEPS], q[STEPS * 3];
    psh_model *m = NULL, *loaded = NULL;
    psh_buffer *out = NULL;
    psh_status st = psh_buffer_create(env, &out);

    make_series(y, 90, 0);
    if (st == PSH_OK)
        st = psh_model_fit(env, &s, y, 90, &m, NULL);
    if (st == PSH_OK)
        st = psh_model_update(m, 3, NULL);
    if (st == PSH_OK)
        st = psh_model_forecast(m, STEPS, NULL, levels, 3, mean, q);
    if (st == PSH_OK)
        st = psh_model_save(m, out);
    if (st == PSH_OK)
        st = psh_model_load(env, psh_buffer_data(out), psh_buffer_size(out), 0, &loaded, NULL);
    psh_model_destroy(m);
    psh_model_destroy(loaded);
    psh_buffer_destroy(out);
    return st;
}

static void memory_fails(void **state) {
    uint32_t kind;

    (void)state;
    for (kind = 1; kind < MOST_KIND; kind++)
        if (*psh_model_name(kind))
            test_every_allocation(use_model, &kind);
}

/* Masked values change nothing, whatever they are. */
static void masks(void **state) {
    psh_env *env = NULL;
    double y[120], a[STEPS], b[STEPS];
    uint8_t mask[120] = { 0 };
    psh_model *m;
    uint32_t kind, i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (i = 50; i < 53; i++)
        mask[i] = 1;
    for (kind = 1; kind < MOST_KIND; kind++) {
        psh_model_spec s = spec_of(kind);

        if (!*psh_model_name(kind))
            continue;
        s.mask = mask;
        make_series(y, 120, 0);
        assert_ok(psh_model_fit(env, &s, y, 120, &m, NULL));
        assert_ok(psh_model_forecast(m, STEPS, NULL, NULL, 0, a, NULL));
        psh_model_destroy(m);
        y[51] = 1e9;
        assert_ok(psh_model_fit(env, &s, y, 120, &m, NULL));
        assert_ok(psh_model_forecast(m, STEPS, NULL, NULL, 0, b, NULL));
        assert_memory_equal(a, b, sizeof a);
        psh_model_destroy(m);
    }
    psh_env_destroy(env);
}

static void refuses(void **state) {
    psh_env *env = NULL;
    double y[2] = { 1, 2 }, mean[4], q[4];
    double wrong[] = { 0.5, 0.5 };
    psh_model_spec s = spec_of(PSH_MODEL_NAIVE);
    psh_error err = { sizeof err };
    psh_model *m;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    s.kind = 9999;
    assert_int_equal(psh_model_fit(env, &s, y, 2, &m, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "kind");
    s = spec_of(PSH_MODEL_NAIVE);
    s.season[1] = 3;
    assert_int_equal(psh_model_fit(env, &s, y, 2, &m, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "season[1]");
    s = spec_of(PSH_MODEL_NAIVE);
    s.regressor_count = 1;
    s.regressors = y;
    assert_int_equal(psh_model_fit(env, &s, y, 2, &m, &err), PSH_E_UNSUPPORTED);
    s = spec_of(PSH_MODEL_NAIVE);
    assert_int_equal(psh_model_fit(env, &s, y, 0, &m, &err), PSH_E_INVALID);
    assert_ok(psh_model_fit(env, &s, y, 2, &m, &err));
    assert_int_equal(psh_model_forecast(m, 0, NULL, NULL, 0, mean, NULL), PSH_E_INVALID);
    assert_int_equal(psh_model_forecast(m, 2, NULL, wrong, 2, mean, q), PSH_E_INVALID);
    assert_int_equal(psh_model_kind_of(m), PSH_MODEL_NAIVE);
    assert_int_equal(psh_model_kind("no such"), 0);
    psh_model_destroy(m);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_answers), cmocka_unit_test(plain_series), cmocka_unit_test(hostile_series),
        cmocka_unit_test(saves),                cmocka_unit_test(memory_fails), cmocka_unit_test(masks),
        cmocka_unit_test(refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
