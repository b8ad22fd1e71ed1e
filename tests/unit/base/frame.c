/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "test.h"

#include "base/env.h"
#include "codec/frame.h"
#include "codec/xz.h"

static psh_buffer *make(psh_env *env, uint32_t flags) {
    psh_buffer *b = NULL;
    pshi_writer w;
    pshi_frame_writer f;
    int i;

    assert_ok(psh_buffer_create(env, &b));
    w = pshi_write(b);
    f = pshi_frame_begin(&w, PSHI_KIND_WORLD);
    pshi_section_begin(&f, 1, flags);
    for (i = 0; i < 50; i++)
        pshi_put_str(&w, "a text that repeats itself");
    pshi_section_end(&f);
    pshi_section_begin(&f, 9, PSHI_SECTION_OPTIONAL);
    pshi_put_u8(&w, 9);
    pshi_section_end(&f);
    pshi_frame_end(&f);
    assert_ok(pshi_write_end(&w));
    return b;
}

static psh_status open_bytes(psh_env *env, const void *data, size_t size, size_t max, int know9) {
    static const uint32_t known[] = { 1, 9 };
    pshi_frame f;
    pshi_cursor c;
    psh_status st = pshi_frame_open(env, data, size, PSHI_KIND_WORLD, known, know9 ? 2 : 1, max, &f, NULL);

    if (st != PSH_OK)
        return st;
    c = pshi_frame_section(&f, 1);
    assert_int_equal(pshi_get_blob(&c).size, 26);
    assert_int_equal(pshi_frame_has(&f, 9), know9);
    pshi_frame_close(&f);
    return st;
}

static void every_flip_and_cut_is_found(psh_env *env, psh_buffer *b) {
    size_t n = psh_buffer_size(b), i;
    unsigned char *copy = malloc(n);
    int bit;

    assert_non_null(copy);
    memcpy(copy, psh_buffer_data(b), n);
    for (i = 0; i < n; i++)
        for (bit = 0; bit < 8; bit++) {
            copy[i] ^= (unsigned char)(1 << bit);
            assert_int_not_equal(open_bytes(env, copy, n, 0, 1), PSH_OK);
            copy[i] ^= (unsigned char)(1 << bit);
        }
    for (i = 0; i < n; i++)
        assert_int_not_equal(open_bytes(env, copy, i, 0, 1), PSH_OK);
    assert_ok(open_bytes(env, copy, n, 0, 1));
    free(copy);
}

static void plain_frames(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_buffer *b = make(env, 0);

    (void)state;
    assert_ok(open_bytes(env, psh_buffer_data(b), psh_buffer_size(b), 0, 0));
    assert_int_equal(open_bytes(env, psh_buffer_data(b), psh_buffer_size(b), 100, 1), PSH_E_LIMIT);
    every_flip_and_cut_is_found(env, b);
    psh_buffer_destroy(b);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void compressed_frames(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_buffer *plain = make(env, 0), *b;

    (void)state;
    if (!pshi_xz_available()) {
        psh_buffer_destroy(plain);
        psh_env_destroy(env);
        skip();
    }
    b = make(env, PSHI_SECTION_XZ);
    assert_true(psh_buffer_size(b) < psh_buffer_size(plain) / 2);
    assert_int_equal(open_bytes(env, psh_buffer_data(b), psh_buffer_size(b), 100, 1), PSH_E_LIMIT);
    every_flip_and_cut_is_found(env, b);
    psh_buffer_destroy(b);
    psh_buffer_destroy(plain);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void unknown_required_sections_are_newer(void **state) {
    static const uint32_t known[] = { 9 };
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_buffer *b = make(env, 0);
    pshi_frame f;
    psh_error err = { 0 };

    (void)state;
    err.struct_size = sizeof err;
    assert_int_equal(
        pshi_frame_open(env, psh_buffer_data(b), psh_buffer_size(b), PSHI_KIND_WORLD, known, 1, 0, &f, &err),
        PSH_E_NEWER);
    assert_string_equal(err.field, "section[0]");
    assert_int_equal(
        pshi_frame_open(env, psh_buffer_data(b), psh_buffer_size(b), PSHI_KIND_PLAN, known, 1, 0, &f, &err),
        PSH_E_CORRUPT);
    psh_buffer_destroy(b);
    psh_env_destroy(env);
}

static psh_status round_trip(psh_env *env, void *user) {
    psh_buffer *b = NULL;
    pshi_writer w;
    pshi_frame_writer f;
    psh_status st = psh_buffer_create(env, &b);

    (void)user;
    if (st != PSH_OK)
        return st;
    w = pshi_write(b);
    f = pshi_frame_begin(&w, PSHI_KIND_WORLD);
    pshi_section_begin(&f, 1, pshi_xz_available() ? PSHI_SECTION_XZ : 0);
    pshi_put_blob(&w, "01234567890123456789012345", 26);
    pshi_section_end(&f);
    pshi_frame_end(&f);
    st = pshi_write_end(&w);
    if (st == PSH_OK)
        st = open_bytes(env, psh_buffer_data(b), psh_buffer_size(b), 0, 0);
    psh_buffer_destroy(b);
    return st;
}

static void memory_may_fail(void **state) {
    (void)state;
    test_every_allocation(round_trip, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_frames),
        cmocka_unit_test(compressed_frames),
        cmocka_unit_test(unknown_required_sections_are_newer),
        cmocka_unit_test(memory_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
