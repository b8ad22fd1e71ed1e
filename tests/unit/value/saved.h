/* SPDX-License-Identifier: MIT */
/** @file saved.h  What the tests of saved values share: a query, and damage that a load must see. */
#ifndef TEST_VALUE_SAVED_H
#define TEST_VALUE_SAVED_H

#include <stdlib.h>

#include "test.h"

/** Loads and unrefs. @return the status of the load. */
typedef psh_status (*try_load)(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_error *err);

/** Every flipped bit and every shorter length is refused, and nothing leaks. */
static inline void check_damage(psh_env *env, psh_schema *schema, psh_buffer *saved, try_load load) {
    size_t size = psh_buffer_size(saved), i;
    unsigned char *copy = malloc(size + 1);
    psh_error err = { .struct_size = sizeof err };

    memcpy(copy, psh_buffer_data(saved), size);
    copy[size] = 0;
    assert_ok(load(env, schema, copy, size, 0, &err));
    for (i = 0; i < size * 8; i++) {
        copy[i / 8] ^= (unsigned char)(1u << (i % 8));
        assert_true(load(env, schema, copy, size, 0, &err) < 0);
        copy[i / 8] ^= (unsigned char)(1u << (i % 8));
    }
    for (i = 0; i < size; i++)
        assert_int_equal(load(env, schema, copy, i, 0, &err), PSH_E_CORRUPT);
    assert_int_equal(load(env, schema, copy, size + 1, 0, &err), PSH_E_CORRUPT);
    assert_int_equal(load(env, schema, copy, size, 8, &err), PSH_E_LIMIT);
    free(copy);
}

/** An aggregate query of flights: COUNT(*) per day and a group column. */
static inline psh_query *day_query(psh_env *env, psh_schema *schema, uint32_t group, psh_status *st) {
    psh_aggregate count = { PSH_AGG_COUNT, PSH_NONE };
    psh_query_spec spec;
    psh_query *q = NULL;

    psh_query_spec_init(&spec, sizeof spec);
    spec.group_columns = &group;
    spec.group_count = 1;
    spec.aggregates = &count;
    spec.aggregate_count = 1;
    spec.bucket_ns = PSH_DAY;
    *st = psh_query_create(env, schema, &spec, &q, NULL);
    return q;
}

static inline int same_bytes(psh_buffer *a, psh_buffer *b) {
    return psh_buffer_size(a) == psh_buffer_size(b) &&
           memcmp(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a)) == 0;
}

#endif
