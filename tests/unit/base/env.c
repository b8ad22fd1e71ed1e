/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/env.h"

static void counts_and_gives_back(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_env_stats s = { sizeof s, 0, 0, 0, 0 };
    void *p = pshi_alloc(env, 100), *q = pshi_calloc(env, 10, 8);

    (void)state;
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 16, 0);
    assert_int_equal(((unsigned char *)q)[79], 0);
    assert_ok(psh_env_get_stats(env, &s));
    assert_int_equal(s.blocks, 2);
    assert_true(s.bytes >= 180);
    memset(p, 7, 100);
    p = pshi_realloc(env, p, 1000);
    assert_int_equal(((unsigned char *)p)[99], 7);
    pshi_free(env, p);
    pshi_free(env, q);
    pshi_free(env, NULL);
    assert_ok(psh_env_get_stats(env, &s));
    assert_int_equal(s.bytes, 0);
    assert_true(s.peak_bytes >= 1000);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void refuses_overflow_and_survives_failure(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    void *array = NULL;
    size_t cap = 0;

    (void)state;
    assert_null(pshi_alloc(env, SIZE_MAX));
    assert_null(pshi_calloc(env, SIZE_MAX / 2, 3));
    assert_int_equal(pshi_reserve(env, &array, &cap, SIZE_MAX / 4, 8), PSH_E_NOMEM);
    assert_ok(pshi_reserve(env, &array, &cap, 100, 8));
    assert_true(cap >= 100);
    test_alloc_fail(&a, 0, 0);
    assert_int_equal(pshi_reserve(env, &array, &cap, 10000, 8), PSH_E_NOMEM);
    assert_true(cap < 10000);
    pshi_free(env, array);
    psh_env_destroy(env);
}

static void options_are_checked(void **state) {
    psh_env_options o;
    psh_error err;
    psh_env *env;

    (void)state;
    memset(&o, 0, sizeof o);
    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    assert_int_equal(psh_env_create(&o, &env, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "struct_size");
    o.struct_size = sizeof o;
    o.flags = 1;
    assert_int_equal(psh_env_create(&o, &env, &err), PSH_E_UNSUPPORTED);
    assert_string_equal(err.field, "flags");
    o.flags = 0;
    o.release = (void (*)(void *, void *, size_t, size_t))(uintptr_t)1;
    assert_int_equal(psh_env_create(&o, &env, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "alloc");
    assert_null(env);
    assert_ok(psh_env_create(NULL, &env, &err));
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_and_gives_back),
        cmocka_unit_test(refuses_overflow_and_survives_failure),
        cmocka_unit_test(options_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
