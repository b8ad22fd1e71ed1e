/* SPDX-License-Identifier: MIT */
/** @file share_three.h  Three processes over one store. */
#ifndef TEST_DRIVE_SHARE_THREE_H
#define TEST_DRIVE_SHARE_THREE_H

#include "share_stage.h"

#define NOW TEST_T0

typedef struct stage {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    memory_host *host;
    store stores[3];
    psh_kv kv[3];
    psh_share *s[3];
} stage;

static psh_error err;
static stage the_stage;

static inline int setup(void **state) {
    static const char *const names[] = { "anna", "bert", "cleo" };
    stage *t = &the_stage;
    int i;

    memset(t, 0, sizeof *t);
    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    t->env = test_env(&t->alloc);
    t->schema = test_flights_schema(t->env);
    t->host = memory_host_create(t->schema);
    for (i = 0; i < 3; i++) {
        t->kv[i] = store_kv(&t->stores[i], t->host);
        t->s[i] = share_of(t->env, t->schema, &t->kv[i], names[i]);
    }
    *state = t;
    return 0;
}

static inline int teardown(void **state) {
    stage *t = *state;
    int i;

    for (i = 0; i < 3; i++)
        psh_share_destroy(t->s[i]);
    memory_host_destroy(t->host);
    psh_schema_unref(t->schema);
    psh_env_destroy(t->env);
    assert_int_equal(t->alloc.live, 0);
    return 0;
}

static inline psh_share_stats stats_of(const psh_share *s) {
    psh_share_stats x = { .struct_size = sizeof x };

    assert_ok(psh_share_get_stats(s, &x));
    return x;
}

static inline psh_status publish(stage *t, int i, const model *m, int64_t now) {
    psh_world *w = model_world(m, t->env, t->schema);
    psh_status st = psh_share_publish(t->s[i], w, now, &err);

    psh_world_unref(w);
    return st;
}

#endif
