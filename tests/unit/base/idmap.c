/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "test.h"

#include "base/rng.h"
#include "ds/idmap.h"

#define IDS 500

/* Against a plain array: ids collide often, since they are few. */
static void random_walk(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    pshi_idmap m = { 0 };
    uint32_t expect[IDS + 1];
    uint64_t seed = 42, step, id;
    size_t alive = 0;

    (void)state;
    memset(expect, 0xff, sizeof expect);
    assert_int_equal(pshi_idmap_find(&m, 7), PSH_NONE);
    pshi_idmap_remove(&m, 7);
    for (step = 0; step < 200000; step++) {
        id = 1 + pshi_rng_next(&seed) % IDS;
        if (pshi_rng_next(&seed) % 2) {
            alive += expect[id] == PSH_NONE;
            expect[id] = (uint32_t)step;
            assert_ok(pshi_idmap_put(env, &m, id, (uint32_t)step));
        } else {
            alive -= expect[id] != PSH_NONE;
            expect[id] = PSH_NONE;
            pshi_idmap_remove(&m, id);
        }
        id = 1 + pshi_rng_next(&seed) % IDS;
        assert_int_equal(pshi_idmap_find(&m, id), expect[id]);
        assert_int_equal(m.count, alive);
    }
    pshi_idmap_clear(&m);
    assert_int_equal(pshi_idmap_find(&m, 3), PSH_NONE);
    pshi_idmap_free(env, &m);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void failure_changes_nothing(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    pshi_idmap m = { 0 };
    uint64_t id;

    (void)state;
    assert_ok(pshi_idmap_reserve(env, &m, 100));
    test_alloc_fail(&a, 0, 1);
    for (id = 1; id <= 100; id++)
        assert_ok(pshi_idmap_put(env, &m, id, (uint32_t)id));
    while (pshi_idmap_put(env, &m, id, 1) == PSH_OK)
        id++;
    assert_int_equal(m.count, id - 1);
    assert_int_equal(pshi_idmap_find(&m, 100), 100);
    assert_int_equal(pshi_idmap_find(&m, id), PSH_NONE);
    assert_int_equal(pshi_idmap_reserve(env, &m, SIZE_MAX / 2), PSH_E_NOMEM);
    pshi_idmap_free(env, &m);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walk),
        cmocka_unit_test(failure_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
