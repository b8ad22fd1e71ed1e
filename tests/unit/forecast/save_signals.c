/* SPDX-License-Identifier: MIT */
/* Events, metrics and alerts are saved, found broken when they are, and survive a lack of memory. */
#include <stdlib.h>

#include <predshard/events.h>

#include "base/crc32c.h"
#include "load.h"

#define HEADER 20u
#define SECTION 28u

static const psh_subject table = { PSH_SUBJECT_TABLE, 0, 0 };
static const psh_forecaster_options small = {
    .struct_size = sizeof small, .bucket_ns = PSH_HOUR, .season_short = 4, .season_long = 8, .horizon = 6,
    .max_templates = 4, .max_tenants = 4, .max_series = 16, .lateness_ns = PSH_HOUR,
    .max_key_sketches = 1, .max_hot = 2,    .max_events = 8, .max_metrics = 2, .max_alerts = 4
};

typedef struct fixture {
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *f;
} fixture;

static int64_t hour(int64_t i) {
    return TEST_T0 + i * PSH_HOUR;
}

static psh_status add_signals(psh_forecaster *f) {
    psh_event e = { .struct_size = sizeof e };
    psh_status st;

    e.id = 1;
    e.kind = PSH_EVENT_HOLIDAY;
    e.from = hour(20);
    e.to = hour(23);
    e.every = PSH_EVENT_SPAN;
    e.every_ns = 13 * PSH_HOUR;
    st = psh_forecaster_add_event(f, &e, NULL);
    e = (psh_event){ .struct_size = sizeof e, .id = 2, .kind = PSH_EVENT_CAMPAIGN, .behaves_like = 1 };
    e.from = hour(60);
    e.to = hour(300);
    e.prior_factor = 1.5;
    e.prior_weight = 2;
    if (st == PSH_OK)
        st = psh_forecaster_add_event(f, &e, NULL);
    if (st == PSH_OK)
        st = psh_forecaster_add_metric(f, 7, NULL, NULL);
    return st == PSH_OK ? psh_forecaster_add_metric(f, 8, &table, NULL) : st;
}

static psh_status feed(psh_forecaster *f, int64_t from, int64_t to, uint64_t seed) {
    psh_status st = PSH_OK;
    uint64_t rows;
    int64_t i;

    for (i = from; st == PSH_OK && i < to; i++) {
        rows = i % 17 ? 10 + (uint64_t)(i % 4) : 900;
        st = test_write(f, hour(i), 1 + (uint64_t)(pshi_rng_unit(&seed) * 2), rows);
        if (st == PSH_OK)
            st = psh_forecaster_observe_metric(f, 7, hour(i), pshi_rng_unit(&seed));
        if (st == PSH_OK && i % 3)
            st = psh_forecaster_observe_metric(f, 8, hour(i), -(double)rows);
        if (st == PSH_OK)
            st = psh_forecaster_step(f, hour(i + 1), 8);
        st = st == PSH_AGAIN ? PSH_OK : st;
    }
    return st;
}

static psh_buffer *saved(psh_env *env, const psh_forecaster *f) {
    psh_buffer *b;

    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_forecaster_save(f, b));
    return b;
}

static void assert_same_bytes(psh_env *env, const psh_forecaster *f, const psh_forecaster *g) {
    psh_buffer *a = saved(env, f), *b = saved(env, g);

    assert_int_equal(psh_buffer_size(a), psh_buffer_size(b));
    assert_memory_equal(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a));
    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
}

static void start(fixture *x, test_alloc *a) {
    x->env = test_env(a);
    x->schema = test_flights_schema(x->env);
    assert_ok(psh_forecaster_create(x->env, x->schema, &small, &x->f, NULL));
    assert_ok(add_signals(x->f));
}

static void shut(fixture *x, test_alloc *a) {
    psh_forecaster_destroy(x->f);
    psh_schema_unref(x->schema);
    psh_env_destroy(x->env);
    assert_int_equal(a->live, 0);
}

static void goes_on_as_saved(void **state) {
    psh_event_info info = { sizeof info };
    psh_metric_info metric = { sizeof metric };
    psh_forecaster *g;
    psh_buffer *b;
    test_alloc a;
    fixture x;

    (void)state;
    start(&x, &a);
    assert_ok(feed(x.f, 0, 120, 3));
    assert_ok(psh_forecaster_event(x.f, 0, &table, &info));
    assert_true(info.occurrences > 3);
    assert_true(psh_forecaster_alert_count(x.f) > 0);
    assert_ok(psh_forecaster_metric(x.f, &table, 1, &metric));
    b = saved(x.env, x.f);
    assert_ok(psh_forecaster_load(x.env, x.schema, psh_buffer_data(b), psh_buffer_size(b), 0, &g, NULL));
    psh_buffer_destroy(b);
    assert_same_bytes(x.env, x.f, g);
    assert_int_equal(psh_forecaster_event_count(g), 2);
    assert_int_equal(psh_forecaster_metric_count(g), 2);
    assert_int_equal(psh_forecaster_alert_count(g), psh_forecaster_alert_count(x.f));
    assert_ok(feed(x.f, 120, 170, 9));
    assert_ok(feed(g, 120, 170, 9));
    assert_same_bytes(x.env, x.f, g);
    psh_forecaster_destroy(g);
    shut(&x, &a);
}

static void every_flip_is_found(void **state) {
    psh_forecaster *g;
    unsigned char *p;
    psh_buffer *b;
    test_alloc a;
    fixture x;
    size_t i, n;

    (void)state;
    start(&x, &a);
    assert_ok(feed(x.f, 0, 40, 3));
    b = saved(x.env, x.f);
    n = psh_buffer_size(b);
    p = malloc(n);
    assert_non_null(p);
    memcpy(p, psh_buffer_data(b), n);
    for (i = 0; i < n; i += 3) {
        p[i] ^= 0x41;
        assert_true(psh_forecaster_load(x.env, x.schema, p, n, 0, &g, NULL) < 0);
        assert_null(g);
        p[i] ^= 0x41;
    }
    free(p);
    psh_buffer_destroy(b);
    shut(&x, &a);
}

static uint64_t number_at(const unsigned char *p) {
    uint64_t n = 0;
    int k;

    for (k = 7; k >= 0; k--)
        n = n << 8 | p[k];
    return n;
}

/* Makes every section's checksum right again. */
static void seal(unsigned char *p, size_t size) {
    size_t at = HEADER, n;
    uint32_t crc;
    int k;

    for (; at < size; at += SECTION + n) {
        n = (size_t)number_at(p + at + 8);
        crc = pshi_crc32c(pshi_crc32c(0, p + at, 24), p + at + SECTION, n);
        for (k = 0; k < 4; k++)
            p[at + 24 + (size_t)k] = (unsigned char)(crc >> (8 * k));
    }
}

static int is_framing(const unsigned char *p, size_t size, size_t i) {
    size_t at = HEADER;

    for (; at < size && at <= i; at += SECTION + (size_t)number_at(p + at + 8))
        if (i < at + SECTION)
            return 1;
    return i < HEADER;
}

/* Goes on from what was loaded; what it becomes must be loadable too. */
static void live_on(psh_forecaster *g, const fixture *x) {
    psh_forecast *fc = NULL;
    psh_event_info info = { sizeof info };
    psh_alert alert = { .struct_size = sizeof alert };
    psh_forecast_spec spec = { sizeof spec };
    psh_forecaster *again = NULL;
    psh_buffer *b;
    uint32_t i;

    (void)feed(g, 39, 60, 5);
    if (psh_forecaster_forecast(g, &table, hour(62), 30, &fc, NULL) == PSH_OK) {
        assert_ok(psh_forecast_describe(fc, &spec));
        for (i = 0; i < 30; i++)
            assert_true(isfinite(spec.mean[i]) && spec.mean[i] >= 0);
        psh_forecast_unref(fc);
    }
    if (psh_forecaster_event(g, 0, &table, &info) == PSH_OK)
        assert_true(isfinite(info.factor) && info.factor > 0);
    (void)psh_forecaster_alert(g, 0, &alert);
    b = saved(x->env, g);
    assert_ok(psh_forecaster_load(x->env, x->schema, psh_buffer_data(b), psh_buffer_size(b), 0, &again, NULL));
    psh_buffer_destroy(b);
    psh_forecaster_destroy(again);
}

/* Bytes with right checksums and wrong content: refused, or harmless. */
static void resealed_bytes_do_no_harm(void **state) {
    size_t n, i, at, loaded = 0, refused = 0;
    psh_forecaster *g;
    unsigned char *p;
    psh_buffer *b;
    uint64_t seed = 3;
    test_alloc a;
    fixture x;

    (void)state;
    start(&x, &a);
    assert_ok(feed(x.f, 0, 40, 3));
    b = saved(x.env, x.f);
    n = psh_buffer_size(b);
    p = malloc(n);
    assert_non_null(p);
    for (i = 0; i < 4000; i++) {
        memcpy(p, psh_buffer_data(b), n);
        at = HEADER + pshi_rng_next(&seed) % (n - HEADER);
        if (is_framing(p, n, at))
            continue;
        p[at] = (unsigned char)pshi_rng_next(&seed);
        seal(p, n);
        if (psh_forecaster_load(x.env, x.schema, p, n, 0, &g, NULL) != PSH_OK) {
            refused++;
            continue;
        }
        loaded++;
        live_on(g, &x);
        psh_forecaster_destroy(g);
    }
    print_message("%d loaded, %d refused\n", (int)loaded, (int)refused);
    assert_true(loaded > 100 && refused > 100);
    free(p);
    psh_buffer_destroy(b);
    shut(&x, &a);
}

static psh_status use_all(fixture *x) {
    psh_forecast *fc = NULL;
    psh_forecaster *g = NULL;
    psh_buffer *b = NULL;
    psh_status st = psh_forecaster_create(x->env, x->schema, &small, &x->f, NULL);

    if (st == PSH_OK)
        st = add_signals(x->f);
    if (st == PSH_OK)
        st = feed(x->f, 0, 24, 3);
    if (st == PSH_OK)
        st = psh_forecaster_forecast(x->f, &table, hour(24), 3, &fc, NULL);
    if (st == PSH_OK)
        st = psh_buffer_create(x->env, &b);
    if (st == PSH_OK)
        st = psh_forecaster_save(x->f, b);
    if (st == PSH_OK)
        st = psh_forecaster_load(x->env, x->schema, psh_buffer_data(b), psh_buffer_size(b), 0, &g, NULL);
    psh_forecaster_destroy(g);
    psh_buffer_destroy(b);
    psh_forecast_unref(fc);
    psh_forecaster_destroy(x->f);
    return st;
}

static psh_status scenario(psh_env *env, void *user) {
    uint32_t key[] = { 0, 1, 2 };
    psh_column_spec columns[] = { { "origin", PSH_TYPE_TEXT, 0, 0, 0 }, { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
                                  { "seq", PSH_TYPE_INT64, 0, 0, 0 } };
    psh_table_spec spec = { "flights", columns, 3, sizeof *columns, key, 3, 0, 1, PSH_DAY, 0 };
    fixture x = { env, NULL, NULL };
    psh_status st = psh_schema_create(env, &spec, 1, sizeof spec, &x.schema, NULL);

    (void)user;
    if (st == PSH_OK)
        st = use_all(&x);
    psh_schema_unref(x.schema);
    return st;
}

static void out_of_memory(void **state) {
    (void)state;
    test_every_allocation(scenario, NULL);
}

static psh_status one_event(psh_forecaster *f) {
    psh_event e = { .struct_size = sizeof e, .id = 9, .kind = 77 };

    e.from = hour(50);
    e.to = hour(51);
    return psh_forecaster_add_event(f, &e, NULL);
}

static psh_status one_metric(psh_forecaster *f) {
    return psh_forecaster_add_metric(f, 9, NULL, NULL);
}

/* A bucket under an event of which nothing was learned yet. */
static psh_status one_step(psh_forecaster *f) {
    return psh_forecaster_step(f, hour(43), 0);
}

static void fails_without_trace(psh_status (*call)(psh_forecaster *), fixture *x, test_alloc *a) {
    psh_buffer *before = saved(x->env, x->f), *after;
    psh_status st = PSH_E_NOMEM;
    int64_t n;

    for (n = 0; st == PSH_E_NOMEM; n++) {
        test_alloc_fail(a, n, 1);
        st = call(x->f);
        test_alloc_fail(a, -1, 0);
        if (st != PSH_E_NOMEM)
            break;
        after = saved(x->env, x->f);
        assert_int_equal(psh_buffer_size(before), psh_buffer_size(after));
        assert_memory_equal(psh_buffer_data(before), psh_buffer_data(after), psh_buffer_size(after));
        psh_buffer_destroy(after);
    }
    assert_true(st >= 0);
    assert_true(n > 1);
    psh_buffer_destroy(before);
}

static void nothing_changes_on_failure(void **state) {
    psh_event e = { .struct_size = sizeof e, .id = 5, .kind = 78 };
    test_alloc a;
    fixture x;

    (void)state;
    x.env = test_env(&a);
    x.schema = test_flights_schema(x.env);
    assert_ok(psh_forecaster_create(x.env, x.schema, &small, &x.f, NULL));
    fails_without_trace(one_event, &x, &a);
    fails_without_trace(one_metric, &x, &a);
    shut(&x, &a);
    start(&x, &a);
    assert_ok(feed(x.f, 0, 40, 3));
    e.from = hour(39);
    e.to = hour(42);
    assert_ok(psh_forecaster_add_event(x.f, &e, NULL));
    fails_without_trace(one_step, &x, &a);
    shut(&x, &a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_as_saved),
        cmocka_unit_test(every_flip_is_found),
        cmocka_unit_test(resealed_bytes_do_no_harm),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(nothing_changes_on_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
