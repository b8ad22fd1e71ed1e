/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "test.h"

static void *take(void *user, size_t size, size_t align) {
    test_alloc *a = user;
    void *p;

    (void)align;
    a->calls++;
    if (a->countdown == 0) {
        a->failed = 1;
        if (!a->forever)
            a->countdown = -1;
        return NULL;
    }
    if (a->countdown > 0)
        a->countdown--;
    p = malloc(size);
    if (p)
        a->live++;
    return p;
}

static void give(void *user, void *p, size_t size, size_t align) {
    test_alloc *a = user;

    (void)align;
    memset(p, 0xdd, size);
    free(p);
    a->live--;
}

psh_env *test_env(test_alloc *a) {
    psh_env_options o;
    psh_env *env = NULL;

    memset(a, 0, sizeof *a);
    a->countdown = -1;
    memset(&o, 0, sizeof o);
    o.struct_size = sizeof o;
    o.user = a;
    o.alloc = take;
    o.release = give;
    assert_ok(psh_env_create(&o, &env, NULL));
    return env;
}

void test_alloc_fail(test_alloc *a, int64_t n, int forever) {
    a->countdown = n;
    a->forever = forever;
    a->failed = 0;
}

static void run_failing(test_scenario scenario, void *user, int forever) {
    test_alloc a;
    psh_env *env;
    int64_t n;
    psh_status st;

    for (n = 0;; n++) {
        env = test_env(&a);
        test_alloc_fail(&a, n, forever);
        st = scenario(env, user);
        if (a.failed)
            assert_true(st == PSH_E_NOMEM || st == PSH_OK);
        else
            assert_int_equal(st, PSH_OK);
        a.countdown = -1;
        psh_env_destroy(env);
        assert_int_equal(a.live, 0);
        if (!a.failed)
            return;
    }
}

void test_every_allocation(test_scenario scenario, void *user) {
    run_failing(scenario, user, 0);
    run_failing(scenario, user, 1);
}
