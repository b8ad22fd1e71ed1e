/* SPDX-License-Identifier: MIT */
/* The key-value store of every host. */
#include "keys.h"

void conformance_keys_compare_and_set(void **state) {
    stage *s = *state;
    uint64_t version = 0, first;

    assert_int_equal(s->kv.get(s->kv.user, "k", s->bytes, &version), PSH_E_NOT_FOUND);
    assert_int_equal(s->kv.compare_and_set(s->kv.user, "k", 5, "a", 1, &version), PSH_E_CONFLICT);
    assert_ok(s->kv.compare_and_set(s->kv.user, "k", 0, "a", 1, &version));
    assert_true(version > 0);
    first = version;
    assert_int_equal(s->kv.compare_and_set(s->kv.user, "k", 0, "b", 1, &version), PSH_E_CONFLICT);
    assert_ok(s->kv.compare_and_set(s->kv.user, "k", first, "bc", 2, &version));
    assert_true(version != first);
    assert_int_equal(s->kv.compare_and_set(s->kv.user, "k", first, "d", 1, &first), PSH_E_CONFLICT);
    assert_ok(s->kv.get(s->kv.user, "k", s->bytes, &first));
    assert_true(first == version);
    assert_memory_equal(psh_buffer_data(s->bytes), "bc", 2);
}

void conformance_removed_keys_begin_anew(void **state) {
    stage *s = *state;
    uint64_t first = 0, second = 0, third = 0;

    if (!s->kv.remove)
        skip();
    assert_int_equal(s->kv.remove(s->kv.user, "k", 1), PSH_E_NOT_FOUND);
    assert_int_equal(s->kv.remove(s->kv.user, "k", 0), PSH_E_NOT_FOUND);
    assert_ok(s->kv.compare_and_set(s->kv.user, "k", 0, "a", 1, &first));
    assert_ok(s->kv.compare_and_set(s->kv.user, "k", first, "b", 1, &second));
    assert_int_equal(s->kv.remove(s->kv.user, "k", first), PSH_E_CONFLICT);
    assert_int_equal(s->kv.remove(s->kv.user, "k", 0), PSH_E_CONFLICT);
    assert_ok(s->kv.remove(s->kv.user, "k", second));
    assert_int_equal(s->kv.get(s->kv.user, "k", s->bytes, &third), PSH_E_NOT_FOUND);
    assert_int_equal(s->kv.compare_and_set(s->kv.user, "k", second, "c", 1, &third), PSH_E_CONFLICT);
    assert_int_equal(s->kv.remove(s->kv.user, "k", second), PSH_E_NOT_FOUND);
    /* No version comes twice: a remove that waited since before the first one must not hit the new value. */
    assert_ok(s->kv.compare_and_set(s->kv.user, "k", 0, "d", 1, &third));
    assert_true(third != first && third != second);
    assert_int_equal(s->kv.remove(s->kv.user, "k", second), PSH_E_CONFLICT);
    assert_ok(s->kv.compare_and_set(s->kv.user, "k", third, "e", 1, &second));
    assert_ok(s->kv.get(s->kv.user, "k", s->bytes, &first));
    assert_true(first == second);
    assert_memory_equal(psh_buffer_data(s->bytes), "e", 1);
}

static psh_status note_key(void *user, const char *key, uint64_t version) {
    psh_buffer *b = user;
    psh_status st = psh_buffer_append(b, key, strlen(key) + 1);

    return st == PSH_OK ? psh_buffer_append(b, &version, sizeof version) : st;
}

static psh_status refuse_key(void *user, const char *key, uint64_t version) {
    (void)user;
    (void)key;
    (void)version;
    return PSH_E_LIMIT;
}

void conformance_keys_are_listed(void **state) {
    static const char *const keys[] = { "x/b", "x", "x/a", "y", "x.c", "x/A" };
    stage *s = *state;
    uint64_t version[6], seen;
    const char *at;
    size_t i;

    if (!s->kv.list)
        skip();
    for (i = 0; i < 6; i++)
        assert_ok(s->kv.compare_and_set(s->kv.user, keys[i], 0, "v", 1, &version[i]));
    assert_ok(s->kv.compare_and_set(s->kv.user, "x/b", version[0], "w", 1, &version[0]));
    assert_ok(s->kv.list(s->kv.user, "x/", note_key, s->bytes));
    assert_int_equal(psh_buffer_size(s->bytes), 3 * (4 + sizeof seen));
    at = psh_buffer_data(s->bytes);
    for (i = 0; i < 3; i++) { /* in byte order, with the version that a get would give */
        assert_string_equal(at, keys[i == 0 ? 5 : i == 1 ? 2 : 0]);
        memcpy(&seen, at + 4, sizeof seen);
        assert_true(seen == version[i == 0 ? 5 : i == 1 ? 2 : 0]);
        at += 4 + sizeof seen;
    }
    psh_buffer_clear(s->bytes);
    assert_ok(s->kv.list(s->kv.user, "z", note_key, s->bytes));
    assert_int_equal(psh_buffer_size(s->bytes), 0);
    assert_int_equal(s->kv.list(s->kv.user, "x", refuse_key, NULL), PSH_E_LIMIT);
}

void conformance_keys_are_watched(void **state) {
    stage *s = *state;
    uint64_t version = 0;

    if (!s->kv.watch)
        skip();
    assert_int_equal(s->kv.watch(s->kv.user, "k", 0, 0), PSH_AGAIN);
    assert_int_equal(s->kv.watch(s->kv.user, "k", 0, 20000000), PSH_AGAIN);
    assert_ok(s->kv.watch(s->kv.user, "k", 7, PSH_HOUR)); /* it has not that version: no wait */
    assert_ok(s->kv.compare_and_set(s->kv.user, "k", 0, "a", 1, &version));
    assert_ok(s->kv.watch(s->kv.user, "k", 0, PSH_HOUR));
    assert_int_equal(s->kv.watch(s->kv.user, "k", version, 1000000), PSH_AGAIN);
    assert_int_equal(s->kv.watch(s->kv.user, "k", version, -1), PSH_AGAIN);
}
