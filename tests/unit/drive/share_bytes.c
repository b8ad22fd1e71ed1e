/* SPDX-License-Identifier: MIT */
/* What stands in the store is believed only when it is whole: flips, cuts, strange manifests, newer formats. */
#include "share_stage.h"

#include <stdlib.h>

#include "base/sha256.h"
#include "codec/frame.h"
#include "drive/share.h"
#include "value/world.h"

#define NOW TEST_T0
#define MOST_KEYS 256u

typedef struct stage {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    memory_host *host;
    store store;
    psh_kv kv, raw;
    psh_share *leader, *reader;
    model m;
    char *keys[MOST_KEYS];
    size_t key_count;
    psh_buffer *bytes;
} stage;

static stage the_stage;
static psh_error err;

static psh_status note_key(void *user, const char *key, uint64_t version) {
    stage *t = user;

    (void)version;
    assert_true(t->key_count < MOST_KEYS);
    t->keys[t->key_count] = malloc(strlen(key) + 1);
    strcpy(t->keys[t->key_count++], key);
    return PSH_OK;
}

static void forget_keys(stage *t) {
    while (t->key_count)
        free(t->keys[--t->key_count]);
}

static int setup(void **state) {
    stage *t = &the_stage;

    memset(t, 0, sizeof *t);
    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    t->env = test_env(&t->alloc);
    t->schema = test_flights_schema(t->env);
    t->host = memory_host_create(t->schema);
    t->kv = store_kv(&t->store, t->host);
    t->raw = t->store.inner;
    t->leader = share_of(t->env, t->schema, &t->kv, "anna");
    t->reader = share_of(t->env, t->schema, &t->kv, "bert");
    assert_ok(psh_buffer_create(t->env, &t->bytes));
    t->m = model_start();
    t->m.with_view = 1;
    t->m.arcs[(uint64_t)t->m.first_day % MODEL_DAYS] = 1;
    t->m.arcs[((uint64_t)t->m.first_day + 1) % MODEL_DAYS] = 2;
    t->m.copies[(uint64_t)t->m.first_day % MODEL_DAYS] = 2;
    assert_ok(psh_share_lead(t->leader, NOW, NULL, &err));
    assert_ok(model_publish(&t->m, t->leader, t->env, t->schema, NOW));
    *state = t;
    return 0;
}

static int teardown(void **state) {
    stage *t = *state;

    forget_keys(t);
    psh_share_destroy(t->leader);
    psh_share_destroy(t->reader);
    psh_buffer_destroy(t->bytes);
    memory_host_destroy(t->host);
    psh_schema_unref(t->schema);
    psh_env_destroy(t->env);
    assert_int_equal(t->alloc.live, 0);
    return 0;
}

/* Replaces a value behind everybody's back. */
static void overwrite(stage *t, const char *key, const void *data, size_t size) {
    psh_buffer *old = NULL;
    uint64_t version = 0;

    assert_ok(psh_buffer_create(t->env, &old));
    (void)t->raw.get(t->raw.user, key, old, &version);
    assert_ok(t->raw.compare_and_set(t->raw.user, key, version, data, size, &version));
    psh_buffer_destroy(old);
}

static void read_value(stage *t, const char *key) {
    uint64_t version;

    psh_buffer_clear(t->bytes);
    assert_ok(t->raw.get(t->raw.user, key, t->bytes, &version));
}

/* A reader that knows nothing. */
static psh_status fresh_read(stage *t) {
    psh_share *s = share_of(t->env, t->schema, &t->kv, "fresh");
    psh_world *w = NULL;
    psh_status st = psh_share_catch_up(s, 0, &w, &err);

    assert_true((st == PSH_OK) == (w != NULL));
    psh_world_unref(w);
    psh_share_destroy(s);
    return st;
}

static void refused(stage *t, const char *key) {
    psh_status st;

    if (strstr(key, "/lead"))
        st = psh_share_lead(t->leader, NOW, NULL, &err);
    else
        st = fresh_read(t);
    if (st != PSH_E_CORRUPT && st != PSH_E_NEWER)
        fail_msg("%s: %s", key, psh_status_name(st));
    assert_true(err.field[0] && err.text[0]);
}

static void spoil(stage *t, const char *key) {
    unsigned char *copy;
    size_t size, i;

    read_value(t, key);
    size = psh_buffer_size(t->bytes);
    copy = malloc(size + 1);
    memcpy(copy, psh_buffer_data(t->bytes), size);
    for (i = 0; i < size; i++) {
        copy[i] ^= (unsigned char)(1u << (i % 8));
        overwrite(t, key, copy, size);
        refused(t, key);
        copy[i] ^= (unsigned char)(1u << (i % 8));
    }
    for (i = 0; i < size; i += 1 + i / 8) {
        overwrite(t, key, copy, i);
        refused(t, key);
    }
    copy[size] = 0;
    overwrite(t, key, copy, size + 1);
    refused(t, key);
    overwrite(t, key, copy, size);
    free(copy);
}

static void every_flip_is_found(void **state) {
    stage *t = *state;
    size_t i;

    assert_ok(t->raw.list(t->raw.user, "predshard/", note_key, t));
    assert_true(t->key_count > 8);
    for (i = 0; i < t->key_count; i++)
        spoil(t, t->keys[i]);
    assert_ok(fresh_read(t)); /* all is back */
    assert_ok(psh_share_lead(t->leader, NOW, NULL, &err));
}

/* A world that was seen stands, whatever comes after; the leader that finds the damage writes all anew. */
static void what_was_seen_stands_and_is_healed(void **state) {
    stage *t = *state;
    psh_share_stats x = { .struct_size = sizeof x };
    psh_world *w = NULL;
    uint64_t version, all;
    size_t i;

    assert_follows(t->reader, &t->m, t->env, t->schema);
    t->m.epoch++;
    t->m.rows[3]++;
    assert_ok(model_publish(&t->m, t->leader, t->env, t->schema, NOW));
    assert_ok(t->raw.list(t->raw.user, "predshard/blob/", note_key, t));
    for (i = 0; i < t->key_count; i++) {
        read_value(t, t->keys[i]);
        if (i % 2) {
            overwrite(t, t->keys[i], "damage", 6);
        } else {
            version = 0;
            psh_buffer_clear(t->bytes);
            assert_ok(t->raw.get(t->raw.user, t->keys[i], t->bytes, &version));
            assert_ok(t->raw.remove(t->raw.user, t->keys[i], version));
        }
    }
    assert_int_equal(psh_share_catch_up(t->reader, 0, &w, &err), PSH_E_CORRUPT);
    assert_null(w);
    assert_ok(psh_share_get_stats(t->reader, &x));
    assert_int_equal(x.epoch, t->m.epoch - 1);
    assert_int_equal(psh_share_catch_up(t->reader, 0, &w, &err), PSH_E_CORRUPT);
    assert_ok(psh_share_resign(t->leader, NOW, &err));
    assert_ok(psh_share_lead(t->reader, NOW, NULL, &err));
    all = x.blobs_written;
    t->m.epoch++;
    assert_ok(model_publish(&t->m, t->reader, t->env, t->schema, NOW));
    assert_ok(psh_share_get_stats(t->reader, &x));
    assert_true(x.blobs_written - all > 5);
    assert_ok(fresh_read(t));
    assert_follows(t->leader, &t->m, t->env, t->schema);
}

/* Writes a frame as a blob under its name; @return its entry. */
static pshi_page_entry put_blob(stage *t, uint32_t type, uint64_t items, const psh_buffer *body) {
    static const char digits[] = "0123456789abcdef";
    pshi_page_entry e = { .type = type, .items = items };
    char key[160] = "predshard/blob/";
    pshi_frame_writer f;
    pshi_writer w;
    size_t i;

    psh_buffer_clear(t->bytes);
    w = pshi_write(t->bytes);
    f = pshi_frame_begin(&w, PSHI_KIND_SHARE);
    pshi_section_begin(&f, type, 0);
    pshi_put_bytes(&w, psh_buffer_data(body), psh_buffer_size(body));
    pshi_section_end(&f);
    pshi_frame_end(&f);
    assert_ok(pshi_write_end(&w));
    e.size = psh_buffer_size(t->bytes);
    pshi_sha256(psh_buffer_data(t->bytes), (size_t)e.size, e.name.bytes);
    for (i = 0; i < 32; i++) {
        key[15 + 2 * i] = digits[e.name.bytes[i] >> 4];
        key[16 + 2 * i] = digits[e.name.bytes[i] & 15];
    }
    overwrite(t, key, psh_buffer_data(t->bytes), (size_t)e.size);
    return e;
}

/* A page that says what a test wants. */
static pshi_page_entry put_page(stage *t, uint64_t count, uint32_t level, const pshi_page_entry *e, size_t n) {
    psh_buffer *b = NULL;
    pshi_page_entry out;
    pshi_writer w;
    size_t i;

    assert_ok(psh_buffer_create(t->env, &b));
    w = pshi_write(b);
    pshi_put_var(&w, count);
    pshi_put_u8(&w, (uint8_t)level);
    for (i = 0; i < n; i++) {
        pshi_put_var(&w, e[i].type);
        pshi_put_var(&w, e[i].items);
        pshi_put_var(&w, e[i].size);
        pshi_put_bytes(&w, e[i].name.bytes, 32);
    }
    assert_ok(pshi_write_end(&w));
    out = put_blob(t, PSHI_SHARE_PAGE, n, b);
    psh_buffer_destroy(b);
    return out;
}

/* Moves the root to a page, one epoch on, as a broken leader would. */
static void point_root(stage *t, const pshi_page_entry *top) {
    pshi_share_root root;

    assert_ok(pshi_share_read_root(t->leader, &root, &err));
    root.now.epoch++;
    root.now.top = top->name;
    pshi_share_root_free(t->leader, &root);
    assert_ok(pshi_share_write_root(t->leader, &root, &err));
}

static void page_is(stage *t, psh_status want, uint64_t count, uint32_t level, const pshi_page_entry *e, size_t n) {
    pshi_page_entry top = put_page(t, count, level, e, n);

    point_root(t, &top);
    assert_int_equal(fresh_read(t), want);
}

static pshi_page_entry partition_blob(stage *t, uint64_t says, size_t n, int garbage) {
    psh_world *w = model_world(&t->m, t->env, t->schema);
    psh_buffer *b = NULL;
    pshi_page_entry e;
    pshi_writer out;
    size_t i;

    assert_ok(psh_buffer_create(t->env, &b));
    out = pshi_write(b);
    pshi_put_var(&out, says);
    for (i = 0; i < n; i++)
        pshi_partition_put(&out, psh_world_partition(w, i));
    if (garbage)
        pshi_put_u32(&out, 77);
    assert_ok(pshi_write_end(&out));
    e = put_blob(t, PSHI_SHARE_PARTITIONS, n, b);
    psh_buffer_destroy(b);
    psh_world_unref(w);
    return e;
}

static void strange_manifests_are_refused(void **state) {
    stage *t = *state;
    pshi_page_entry ok = partition_blob(t, 1, 1, 0), e, two[2];

    page_is(t, PSH_OK, 1, 0, &ok, 1); /* the page is well made, so that what follows tests one thing each */
    page_is(t, PSH_OK, 0, 0, NULL, 0);
    page_is(t, PSH_E_CORRUPT, 2, 0, &ok, 1);
    page_is(t, PSH_E_CORRUPT, 0, 0, &ok, 1);
    page_is(t, PSH_E_CORRUPT, UINT64_MAX, 0, &ok, 1);
    page_is(t, PSH_E_CORRUPT, 1, 16, &ok, 1);
    page_is(t, PSH_E_CORRUPT, 1, 1, &ok, 1); /* a blob with items where a page belongs */
    two[0] = two[1] = ok;
    page_is(t, PSH_E_CORRUPT, 2, 0, two, 2); /* the same partition twice */
    e = ok;
    e.type = PSHI_SHARE_TIERS;
    page_is(t, PSH_E_NEWER, 1, 0, &e, 1); /* the frame holds another section than the page says */
    e.type = PSHI_SHARE_VIEW_PARTS + 1;
    page_is(t, PSH_E_NEWER, 1, 0, &e, 1);
    e.type = PSHI_SHARE_ROOT;
    page_is(t, PSH_E_CORRUPT, 1, 0, &e, 1);
    e = ok;
    e.items = 2;
    page_is(t, PSH_E_CORRUPT, 1, 0, &e, 1);
    e.items = UINT64_MAX;
    page_is(t, PSH_E_LIMIT, 1, 0, &e, 1);
    e = ok;
    e.size++;
    page_is(t, PSH_E_CORRUPT, 1, 0, &e, 1);
    e.size = UINT64_MAX;
    page_is(t, PSH_E_CORRUPT, 1, 0, &e, 1);
    e = ok;
    e.name.bytes[7] ^= 1;
    page_is(t, PSH_E_CORRUPT, 1, 0, &e, 1); /* there is no such blob */
    e = put_page(t, 1, 2, &ok, 1);
    page_is(t, PSH_E_CORRUPT, 1, 1, &e, 1); /* not of the level below */
    e = put_page(t, 1, 0, &ok, 1);
    page_is(t, PSH_OK, 1, 1, &e, 1);
    page_is(t, PSH_E_CORRUPT, 1, 0, &e, 1); /* a page where a blob with items belongs */
    e = partition_blob(t, 1, 1, 1);
    page_is(t, PSH_E_CORRUPT, 1, 0, &e, 1);
    e = partition_blob(t, 3, 2, 0);
    page_is(t, PSH_E_CORRUPT, 1, 0, &e, 1);
    e = partition_blob(t, 2, 2, 0); /* first arc of the second day without its second: a gap */
    page_is(t, PSH_E_CORRUPT, 1, 0, &e, 1);
}

/* A manifest that says of a blob held what it is not does not spoil what is held. */
static void strange_words_of_what_is_held(void **state) {
    stage *t = *state;
    pshi_page_entry ok = partition_blob(t, 1, 1, 0), e = ok, top;
    psh_world *w = NULL;

    assert_follows(t->reader, &t->m, t->env, t->schema);
    top = put_page(t, 1, 0, &ok, 1);
    point_root(t, &top);
    assert_ok(psh_share_catch_up(t->reader, 0, &w, &err));
    psh_world_unref(w);
    e.items = 2;
    top = put_page(t, 1, 0, &e, 1);
    point_root(t, &top);
    assert_int_equal(psh_share_catch_up(t->reader, 0, &w, &err), PSH_E_CORRUPT);
    e = ok;
    e.type = PSHI_SHARE_REPLICAS;
    top = put_page(t, 1, 0, &e, 1);
    point_root(t, &top);
    assert_int_equal(psh_share_catch_up(t->reader, 0, &w, &err), PSH_E_CORRUPT);
    top = put_page(t, 1, 0, &ok, 1);
    point_root(t, &top);
    assert_ok(psh_share_catch_up(t->reader, 0, &w, &err));
    assert_int_equal(psh_world_partition_count(w), 1);
    psh_world_unref(w);
}

static void big_worlds_are_refused(void **state) {
    stage *t = *state;
    psh_share_options o;
    psh_share *s = NULL;
    psh_world *w = NULL;

    assert_ok(psh_share_options_init(&o, sizeof o));
    o.max_bytes = 3000;
    assert_ok(psh_share_create(t->env, t->schema, &t->kv, &o, &s, NULL));
    assert_int_equal(psh_share_catch_up(s, 0, &w, &err), PSH_E_LIMIT);
    assert_string_equal(err.field, "max_bytes");
    psh_share_destroy(s);
}

/* A later format's root: another section, or a root that a later version wrote. */
static void newer_roots_are_refused(void **state) {
    stage *t = *state;
    psh_world *w = NULL;
    pshi_frame_writer f;
    pshi_writer out;

    assert_follows(t->reader, &t->m, t->env, t->schema);
    psh_buffer_clear(t->bytes);
    out = pshi_write(t->bytes);
    f = pshi_frame_begin(&out, PSHI_KIND_SHARE);
    pshi_section_begin(&f, 99, 0);
    pshi_section_end(&f);
    pshi_frame_end(&f);
    assert_ok(pshi_write_end(&out));
    overwrite(t, "predshard/root", psh_buffer_data(t->bytes), psh_buffer_size(t->bytes));
    assert_int_equal(psh_share_catch_up(t->reader, 0, &w, &err), PSH_E_NEWER);
    assert_int_equal(psh_share_check(t->reader, 1, NULL, &err), PSH_E_NEWER);
    t->m.epoch++;
    assert_int_equal(model_publish(&t->m, t->leader, t->env, t->schema, NOW), PSH_E_NEWER);
    assert_int_equal(psh_share_collect(t->leader, NOW, NULL, &err), PSH_E_NEWER);
}

/* A store that was set back: a world of an older leader's is no newer world. */
static void roots_do_not_go_back(void **state) {
    stage *t = *state;
    pshi_share_root root;
    psh_world *w = NULL;

    assert_ok(psh_share_resign(t->leader, NOW, &err));
    assert_ok(psh_share_lead(t->leader, NOW, NULL, &err));
    assert_follows(t->reader, &t->m, t->env, t->schema);
    assert_ok(pshi_share_read_root(t->leader, &root, &err));
    root.fence--;
    root.now.epoch += 10;
    assert_ok(pshi_share_write_root(t->leader, &root, &err));
    pshi_share_root_free(t->leader, &root);
    assert_int_equal(psh_share_catch_up(t->reader, 0, &w, &err), PSH_E_CORRUPT);
    assert_string_equal(err.field, "root");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_flip_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_seen_stands_and_is_healed, setup, teardown),
        cmocka_unit_test_setup_teardown(strange_manifests_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(strange_words_of_what_is_held, setup, teardown),
        cmocka_unit_test_setup_teardown(big_worlds_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(newer_roots_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(roots_do_not_go_back, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
