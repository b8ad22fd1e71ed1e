/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "codec/frame.h"
#include "value/query.h"

static void put_many_nulls(pshi_writer *w, const void *count) {
    uint64_t n = *(const uint32_t *)count, i;

    pshi_put_var(w, 0); /* table */
    pshi_put_u64(w, 0); /* visibility */
    pshi_put_var(w, 1); /* predicates: column, op, values */
    pshi_put_var(w, 0);
    pshi_put_u8(w, PSH_OP_IN);
    pshi_put_var(w, n);
    for (i = 0; i < n; i++)
        pshi_put_u8(w, PSH_TYPE_NULL);
}

/* A value takes one byte saved and 40 in memory: a small file must not take more than the cap. */
static void loads_stay_under_their_cap(void **state) {
    psh_env_stats before = { .struct_size = sizeof before }, after = before;
    const uint32_t count = 1000000;
    psh_buffer *x = NULL;
    psh_query *q = NULL;
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *schema = test_flights_schema(env);

    (void)state;
    assert_ok(psh_buffer_create(env, &x));
    assert_ok(pshi_frame_save(x, PSHI_KIND_QUERY, put_many_nulls, &count));
    assert_ok(psh_env_get_stats(env, &before));
    assert_int_equal(psh_query_load(env, schema, psh_buffer_data(x), psh_buffer_size(x), 4 << 20, &q, NULL),
        PSH_E_LIMIT);
    assert_ok(psh_env_get_stats(env, &after));
    assert_true(after.peak_bytes < before.bytes + (8 << 20));
    assert_int_equal(psh_query_load(env, schema, NULL, 9, 0, &q, NULL), PSH_E_INVALID);
    psh_buffer_destroy(x);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_stay_under_their_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
