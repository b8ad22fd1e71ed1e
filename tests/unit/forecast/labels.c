/* SPDX-License-Identifier: MIT */
#include "forecast/labels.h"
#include "load.h"

typedef struct fixture {
    test_alloc a;
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *f;
} fixture;

static int64_t hour(int64_t i) {
    return TEST_T0 + i * PSH_HOUR;
}

static void open_with(fixture *x) {
    psh_forecaster_options o;

    x->env = test_env(&x->a);
    x->schema = test_flights_schema(x->env);
    assert_ok(psh_forecaster_options_init(&o, sizeof o));
    o.lateness_ns = -1;
    assert_ok(psh_forecaster_create(x->env, x->schema, &o, &x->f, NULL));
}

static void shut(fixture *x) {
    psh_forecaster_destroy(x->f);
    psh_schema_unref(x->schema);
    psh_env_destroy(x->env);
    assert_int_equal(x->a.live, 0);
}

static void settle(psh_forecaster *f, int64_t now) {
    while (psh_forecaster_step(f, now, 16) == PSH_AGAIN) {
    }
}

static psh_status write_labels(
    psh_forecaster *f, int64_t i, uint64_t tenant, uint64_t rows, const psh_label *l, size_t n) {
    psh_write_record w = { sizeof w };

    w.time = hour(i);
    w.tenant = tenant;
    w.rows = rows;
    w.labels = l;
    w.label_count = n;
    return psh_forecaster_observe_write(f, &w);
}

/* Metrics and regions are steady; cpu in the north, of tenant 3, bursts from 9 to 10 each day. */
static void run(psh_forecaster *f, int64_t from, int64_t to) {
    static const char *const metrics[] = { "cpu", "disk" }, *const regions[] = { "north", "south" };
    uint32_t m, r;
    int64_t i;

    for (i = from; i < to; i++) {
        for (m = 0; m < 2; m++)
            for (r = 0; r < 2; r++) {
                psh_label l[2] = { { "metric", metrics[m] }, { "region", regions[r] } };
                uint64_t rows = !m && !r ? (i % 24 == 9 ? 900 : 20) : 400;

                assert_ok(write_labels(f, i, 1 + 2 * m + r + (!m && !r ? 2 : 0), rows, l, 2));
            }
        settle(f, hour(i + 1));
    }
}

static int has(const psh_zone *z, const char *name, const char *value) {
    uint32_t i;

    for (i = 0; i < z->label_count; i++)
        if (z->labels[i].name && strcmp(z->labels[i].name, name) == 0 && strcmp(z->labels[i].value, value) == 0)
            return z->label_ids[i] == psh_label_id(name, value);
    return 0;
}

/* The burst is less than twice the load of either label, but many times that of both together. */
static int hot_conjunction(psh_forecaster *f, int64_t i, psh_demand_entry *found) {
    psh_demand_request r = { sizeof r };
    psh_demand_entry e;
    psh_demand *d;
    psh_zone z = { sizeof z };
    size_t k, n = 0;

    r.now = r.from = hour(i);
    r.to = hour(i + 1);
    assert_ok(psh_forecaster_demand(f, &r, &d, NULL));
    for (k = 0; psh_demand_get(d, k, &e) == PSH_OK; k++) {
        if (e.kind != PSH_DEMAND_ZONE || e.subject.kind != PSH_SUBJECT_LABEL)
            continue;
        assert_ok(psh_forecaster_zone(f, 0, e.id, &z));
        if (z.label_count == 2 && has(&z, "metric", "cpu") && has(&z, "region", "north")) {
            n++;
            *found = e;
        }
    }
    psh_demand_unref(d);
    return n == 1;
}

static void conjunctions_are_zones(void **state) {
    psh_zone z = { sizeof z };
    psh_demand_entry e;
    fixture x;

    (void)state;
    open_with(&x);
    run(x.f, 0, 21 * 24 + 9);
    assert_true(hot_conjunction(x.f, 21 * 24 + 9, &e));
    assert_true(e.count > 500 && e.count < 1400);
    assert_true(e.from == hour(21 * 24 + 9) && e.to == hour(21 * 24 + 10));
    assert_ok(psh_forecaster_zone(x.f, 0, e.id, &z));
    assert_int_equal(z.keys.kind, PSH_SUBJECT_TENANT);
    assert_int_equal(z.keys.id, 3);
    run(x.f, 21 * 24 + 9, 21 * 24 + 12);
    assert_false(hot_conjunction(x.f, 21 * 24 + 12, &e));
    assert_ok(psh_forecaster_zone(x.f, 0, psh_label_id("metric", "disk"), &z)); /* a single label, by name too */
    assert_int_equal(z.label_count, 1);
    assert_string_equal(z.labels[0].value, "disk");
    assert_int_equal(psh_forecaster_zone(x.f, 0, 1, &z), PSH_E_NOT_FOUND);
    shut(&x);
}

/* Thousands of sets that come once keep their place in bounded memory, and none becomes a series. */
static void rare_sets_stay_out(void **state) {
    psh_forecaster_stats s = { sizeof s };
    char name[16] = "x", value[16];
    psh_label l[3] = { { name, value }, { "a", "b" }, { "c", "d" } };
    fixture x;
    uint32_t i, k, n;

    (void)state;
    open_with(&x);
    for (i = 0; i < 3000; i++) {
        for (k = 0, n = i; k < 6; k++, n /= 10)
            value[k] = (char)('0' + n % 10);
        value[k] = 0;
        assert_ok(write_labels(x.f, 0, 1, 1, l, 3));
    }
    assert_ok(psh_forecaster_get_stats(x.f, &s));
    assert_true(s.series == 3000 + 2 + 1 + 2); /* labels, table, tenant; a and c alone, and both together */
    shut(&x);
}

static psh_buffer *saved(psh_env *env, const psh_forecaster *f) {
    psh_buffer *b;

    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_forecaster_save(f, b));
    return b;
}

static void goes_on_after_load(void **state) {
    psh_demand_entry e;
    psh_forecaster *g;
    psh_buffer *a, *b;
    fixture x;

    (void)state;
    open_with(&x);
    run(x.f, 0, 15 * 24);
    a = saved(x.env, x.f);
    assert_ok(psh_forecaster_load(x.env, x.schema, psh_buffer_data(a), psh_buffer_size(a), 0, &g, NULL));
    psh_buffer_destroy(a);
    run(x.f, 15 * 24, 15 * 24 + 9);
    run(g, 15 * 24, 15 * 24 + 9);
    assert_true(hot_conjunction(g, 15 * 24 + 9, &e));
    a = saved(x.env, x.f);
    b = saved(x.env, g);
    assert_int_equal(psh_buffer_size(a), psh_buffer_size(b));
    assert_memory_equal(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a));
    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
    psh_forecaster_destroy(g);
    shut(&x);
}

static void fill(psh_env *env, pshi_labels *l) {
    static const psh_label names[] = { { "metric", "cpu" }, { "region", "north" }, { "host", "a" } };
    pshi_label_set sets[PSHI_RECORD_SETS];
    uint64_t ids[3];
    uint32_t i, n;

    assert_ok(pshi_labels_ready(env, l));
    for (i = 0; i < 3; i++) {
        ids[i] = psh_label_id(names[i].name, names[i].value);
        pshi_labels_name(env, l, &names[i]);
    }
    n = pshi_label_sets(0, ids, 3, sets);
    assert_int_equal(n, 4);
    for (i = 0; i < 100 * n; i++)
        pshi_labels_learn(l, &sets[i % n], 7, i);
    assert_true(pshi_labels_has_series(l, &sets[0]));
}

/* No byte but is refused or does no harm. */
static void hostile_bytes(void **state) {
    static const unsigned char tries[] = { 0x01, 0x40, 0x7f, 0xff };
    pshi_labels l = { .count = 0 }, got;
    size_t i, k, refused = 0;
    unsigned char *p;
    pshi_cursor c;
    psh_buffer *b;
    psh_status st;
    pshi_writer w;
    test_alloc a;
    psh_env *env = test_env(&a);

    (void)state;
    fill(env, &l);
    assert_ok(psh_buffer_create(env, &b));
    w = pshi_write(b);
    pshi_labels_put(&w, &l);
    assert_ok(pshi_write_end(&w));
    p = pshi_buffer_bytes(b);
    for (i = 0; i < psh_buffer_size(b); i++)
        for (k = 0; k < sizeof tries; k++) {
            p[i] ^= tries[k];
            memset(&got, 0, sizeof got);
            c = pshi_read(p, psh_buffer_size(b));
            st = pshi_labels_get(env, &c, &got, 1);
            assert_true(st == PSH_OK || st == PSH_E_CORRUPT);
            refused += st != PSH_OK;
            pshi_labels_free(env, &got);
            p[i] ^= tries[k];
        }
    assert_true(refused > 100);
    pshi_labels_free(env, &l);
    psh_buffer_destroy(b);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static psh_status scenario(psh_env *env, void *user) {
    static const psh_forecaster_options small = { sizeof small, 0, PSH_HOUR, 4, 8, 6, 4, 4, 16, 0, -1 };
    uint32_t key[] = { 0, 1, 2 };
    psh_column_spec columns[] = { { "origin", PSH_TYPE_TEXT, 0, 0, 0 }, { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
                                  { "seq", PSH_TYPE_INT64, 0, 0, 0 } };
    psh_table_spec table = { "flights", columns, 3, sizeof *columns, key, 3, 0, 1, PSH_DAY, 0 };
    psh_label l[3] = { { "a", "b" }, { "c", "d" }, { "e", "f" } };
    psh_forecaster *f = NULL, *g = NULL;
    psh_schema *schema = NULL;
    psh_buffer *b = NULL;
    psh_status st = psh_schema_create(env, &table, 1, sizeof table, &schema, NULL);
    uint32_t i;

    (void)user;
    if (st == PSH_OK)
        st = psh_forecaster_create(env, schema, &small, &f, NULL);
    for (i = 0; st == PSH_OK && i < 70; i++)
        st = write_labels(f, 0, 1, 1, l, 3);
    if (st == PSH_OK)
        st = psh_buffer_create(env, &b);
    if (st == PSH_OK)
        st = psh_forecaster_save(f, b);
    if (st == PSH_OK)
        st = psh_forecaster_load(env, schema, psh_buffer_data(b), psh_buffer_size(b), 0, &g, NULL);
    psh_forecaster_destroy(g);
    psh_buffer_destroy(b);
    psh_forecaster_destroy(f);
    psh_schema_unref(schema);
    return st;
}

static void out_of_memory(void **state) {
    (void)state;
    test_every_allocation(scenario, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conjunctions_are_zones),
        cmocka_unit_test(rare_sets_stay_out),
        cmocka_unit_test(goes_on_after_load),
        cmocka_unit_test(hostile_bytes),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
