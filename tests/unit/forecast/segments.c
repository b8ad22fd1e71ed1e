/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "load.h"

#define TENANTS 12u

typedef struct fixture {
    test_alloc a;
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *f;
} fixture;

static int64_t hour(int64_t i) {
    return TEST_T0 + i * PSH_HOUR;
}

static psh_forecaster *make(fixture *x, uint32_t segments) {
    psh_forecaster_options o;
    psh_forecaster *f;

    assert_ok(psh_forecaster_options_init(&o, sizeof o));
    o.max_segments = segments;
    o.lateness_ns = -1;
    assert_ok(psh_forecaster_create(x->env, x->schema, &o, &f, NULL));
    return f;
}

static void open_with(fixture *x, uint32_t segments) {
    x->env = test_env(&x->a);
    x->schema = test_flights_schema(x->env);
    x->f = make(x, segments);
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

/* Busy by day or by night. */
static double load_at(int64_t i, int night, double level) {
    int64_t h = (i + (night ? 12 : 0)) % 24;

    return h >= 8 && h < 18 ? level * (1 + 0.3 * sin((double)h)) : level / 10;
}

static void write_at(psh_forecaster *f, int64_t i, uint64_t tenant, double x, uint64_t *rng) {
    x += sqrt(x) * test_noise(rng) / 4;
    assert_ok(test_write(f, hour(i), tenant, x > 0 ? (uint64_t)(x + 0.5) : 0));
}

/* Odd tenants work by night. */
static void run(psh_forecaster *f, int64_t from, int64_t to, uint64_t seed) {
    uint64_t rng = seed;
    uint32_t t;
    int64_t i;

    for (i = from; i < to; i++) {
        for (t = 1; t <= TENANTS; t++)
            write_at(f, i, t, load_at(i, t % 2, 20.0 * t), &rng);
        settle(f, hour(i + 1));
    }
}

static uint32_t segment_at(psh_forecaster *f, uint64_t tenant, int64_t at) {
    uint32_t id = 0;

    assert_ok(psh_forecaster_segment_of(f, 0, tenant, at, &id));
    return id;
}

static double peak_share(const psh_segment_info *s, int night) {
    double sum = 0, all = 0;
    uint32_t i;

    for (i = 0; i < s->parts; i++) {
        all += s->shape[i];
        sum += load_at(i, night, 1) > 0.5 ? s->shape[i] : 0;
    }
    return sum / all;
}

static void shapes_make_segments(void **state) {
    psh_segment_info s = { sizeof s };
    uint32_t t, other, night, id;
    size_t i, members = 0;
    fixture x;

    (void)state;
    open_with(&x, 8);
    run(x.f, 0, 72, 1);
    assert_true(psh_forecaster_segment_count(x.f, 0) >= 2);
    for (t = 1; t <= TENANTS; t++)
        for (other = 1; other < t; other++)
            if ((t ^ other) & 1)
                assert_int_not_equal(segment_at(x.f, t, hour(72)), segment_at(x.f, other, hour(72)));
    for (i = 0, id = 0; psh_forecaster_segment(x.f, 0, i, &s) == PSH_OK; i++) {
        assert_true(s.id > id);
        id = s.id;
        members += s.members;
        if (!s.members)
            continue;
        night = peak_share(&s, 1) > 0.5;
        assert_true(peak_share(&s, (int)night) > 0.8);
        assert_true(s.level > 5 && s.level < 250);
        assert_int_equal(s.parts, 24);
    }
    assert_int_equal(i, psh_forecaster_segment_count(x.f, 0));
    assert_int_equal(members, TENANTS);
    assert_int_equal(psh_forecaster_segment(x.f, 7, 0, &s), PSH_E_NOT_FOUND);
    shut(&x);
}

static double error_of(psh_forecaster *f, uint64_t tenant, int64_t from) {
    psh_subject subject = { PSH_SUBJECT_TENANT, 0, tenant };
    psh_forecast_spec s = { sizeof s };
    psh_forecast *fc;
    double sum = 0;
    int64_t i;

    assert_ok(psh_forecaster_forecast(f, &subject, hour(from), 24, &fc, NULL));
    assert_ok(psh_forecast_describe(fc, &s));
    for (i = 0; i < 24; i++) {
        sum += fabs(s.mean[i] - load_at(from + i, 1, 100));
        assert_true(s.quantiles[i * s.level_count] <= s.quantiles[(i + 1) * s.level_count - 1]);
    }
    psh_forecast_unref(fc);
    return sum / 24;
}

/* Eight hours old: whoever knows its segment knows its day. */
static void the_young_borrow(void **state) {
    psh_forecaster *alone;
    uint64_t rng = 3;
    fixture x;
    int64_t i;

    (void)state;
    open_with(&x, 8);
    alone = make(&x, PSH_NONE);
    run(x.f, 0, 504, 1);
    run(alone, 0, 504, 1);
    for (i = 504; i < 528; i++) {
        write_at(x.f, i, 99, load_at(i, 1, 100), &rng);
        write_at(alone, i, 99, load_at(i, 1, 100), &rng);
        run(x.f, i, i + 1, (uint64_t)i);
        run(alone, i, i + 1, (uint64_t)i);
        if (i != 511)
            continue;
        print_message("8 hours: %.1f with its segment, %.1f alone\n", error_of(x.f, 99, 512),
            error_of(alone, 99, 512));
        assert_true(error_of(x.f, 99, 512) < 0.75 * error_of(alone, 99, 512));
    }
    print_message("24 hours: %.1f, %.1f\n", error_of(x.f, 99, 528), error_of(alone, 99, 528));
    assert_int_equal(segment_at(x.f, 99, hour(528)), segment_at(x.f, 5, hour(528)));
    assert_true(error_of(x.f, 99, 528) < error_of(alone, 99, 528));
    assert_int_equal(psh_forecaster_segment_count(alone, 0), 0);
    psh_forecaster_destroy(alone);
    shut(&x);
}

/* A night worker turns to the day: it changes once, a day or more later, and at a midnight. */
static void change_waits_for_the_interval(void **state) {
    psh_tenant_info info = { sizeof info };
    uint32_t was, will = 0;
    uint64_t rng = 5;
    int64_t i, from = 0, decided = 0;
    fixture x;

    (void)state;
    open_with(&x, 2);
    for (i = 0; i < 900; i++) {
        write_at(x.f, i, 50, load_at(i, i < 336, 80), &rng);
        run(x.f, i, i + 1, (uint64_t)i);
        if (i < 200 || will)
            continue;
        assert_ok(psh_forecaster_tenant(x.f, 0, 50, &info));
        was = info.segment;
        if (i < 336)
            assert_int_equal(info.next_segment, 0);
        if (!info.next_segment)
            continue;
        will = info.next_segment;
        from = info.from;
        decided = i;
        assert_int_equal(segment_at(x.f, 50, from - 1), was);
        assert_int_equal(segment_at(x.f, 50, from), will);
    }
    assert_true(will != 0);
    assert_true(decided >= 336 + 24); /* two evaluations at least */
    assert_int_equal(from % PSH_DAY, 0);
    assert_true(from > hour(decided));
    assert_int_equal(segment_at(x.f, 50, hour(900)), segment_at(x.f, 2, hour(900)));
    shut(&x);
}

static double closed_sum(psh_forecaster *f, uint32_t kind, uint64_t id, int64_t from) {
    psh_subject subject = { kind, 0, id };
    psh_forecast_spec s = { sizeof s };
    psh_forecast *fc;
    double sum = 0;
    uint32_t i;

    if (psh_forecaster_forecast(f, &subject, hour(from), 24, &fc, NULL) != PSH_OK)
        return 0;
    assert_ok(psh_forecast_describe(fc, &s));
    for (i = 0; i < 24; i++)
        sum += s.mean[i];
    psh_forecast_unref(fc);
    return sum;
}

/* The series of all segments forecast about what the table's does. */
static void segments_have_series(void **state) {
    psh_segment_info s = { sizeof s };
    double all = 0, table;
    fixture x;
    size_t i;

    (void)state;
    open_with(&x, 8);
    run(x.f, 0, 504, 1);
    for (i = 0; psh_forecaster_segment(x.f, 0, i, &s) == PSH_OK; i++)
        all += closed_sum(x.f, PSH_SUBJECT_SEGMENT, s.id, 504);
    table = closed_sum(x.f, PSH_SUBJECT_TABLE, 0, 504);
    assert_true(fabs(all - table) < 0.05 * table);
    shut(&x);
}

static void the_host_decides(void **state) {
    psh_tenant_info info = { sizeof info };
    psh_segment_info s = { sizeof s };
    uint32_t own = PSH_SEGMENT_HOST + 7, was;
    psh_score score = { sizeof score };
    psh_subject subject = { PSH_SUBJECT_SEGMENT, 0, PSH_SEGMENT_HOST + 7 };
    fixture x;
    size_t n;

    (void)state;
    open_with(&x, 2);
    run(x.f, 0, 72, 1);
    was = segment_at(x.f, 3, hour(72));
    assert_int_equal(psh_forecaster_set_segment(x.f, 0, 3, 12345), PSH_E_NOT_FOUND);
    assert_int_equal(psh_forecaster_set_segment(x.f, 9, 3, own), PSH_E_INVALID);
    assert_ok(psh_forecaster_set_segment(x.f, 0, 3, own));
    assert_int_equal(segment_at(x.f, 3, hour(95)), was); /* this interval as before */
    assert_int_equal(segment_at(x.f, 3, hour(96)), own);
    run(x.f, 72, 95, 2);
    assert_int_equal(psh_forecaster_score(x.f, &subject, &score), PSH_E_NOT_FOUND);
    run(x.f, 95, 150, 3);
    assert_ok(psh_forecaster_tenant(x.f, 0, 3, &info));
    assert_int_equal(info.pinned, 1);
    assert_int_equal(info.segment, own);
    assert_ok(psh_forecaster_score(x.f, &subject, &score));
    n = psh_forecaster_segment_count(x.f, 0);
    assert_ok(psh_forecaster_segment(x.f, 0, n - 1, &s));
    assert_int_equal(s.id, own);
    assert_int_equal(s.members, 1);
    assert_ok(psh_forecaster_set_segment(x.f, 0, 3, 0)); /* free again: back to the night */
    run(x.f, 150, 250, 4);
    assert_int_equal(segment_at(x.f, 3, hour(250)), segment_at(x.f, 1, hour(250)));
    shut(&x);
}

/* One load shape, two kinds of customer. */
static void features_make_segments(void **state) {
    uint32_t numeric_id = 77, category_id = 5, t;
    psh_profile p = { sizeof p };
    uint64_t category, rng = 1;
    double numeric;
    fixture x;
    int64_t i;

    (void)state;
    open_with(&x, 2);
    p.numeric_count = p.category_count = 1;
    p.numeric_ids = &numeric_id;
    p.numeric = &numeric;
    p.category_ids = &category_id;
    p.category = &category;
    for (t = 1; t <= TENANTS; t++) {
        numeric = t <= 6 ? 10 + t % 2 : 1000 + t % 3;
        category = t <= 6 ? 1 : 2;
        assert_ok(psh_forecaster_set_profile(x.f, 0, t, &p));
    }
    for (i = 0; i < 72; i++) {
        for (t = 1; t <= TENANTS; t++)
            write_at(x.f, i, t, load_at(i, 0, 100), &rng);
        settle(x.f, hour(i + 1));
    }
    assert_int_equal(psh_forecaster_segment_count(x.f, 0), 2);
    for (t = 1; t <= TENANTS; t++)
        assert_int_equal(segment_at(x.f, t, hour(72)), segment_at(x.f, t <= 6 ? 1 : 7, hour(72)));
    assert_int_not_equal(segment_at(x.f, 1, hour(72)), segment_at(x.f, 7, hour(72)));
    numeric = HUGE_VAL;
    assert_int_equal(psh_forecaster_set_profile(x.f, 0, 1, &p), PSH_E_INVALID);
    numeric = 1;
    for (t = 0; t < 8; t++, numeric_id = t)
        assert_ok(psh_forecaster_set_profile(x.f, 0, 1, &p));
    numeric_id = 99;
    assert_int_equal(psh_forecaster_set_profile(x.f, 0, 1, &p), PSH_E_LIMIT);
    shut(&x);
}

static void ask(fixture *x, int64_t i, uint64_t tenant, uint32_t times) {
    psh_query_record r = { sizeof r };

    assert_ok(test_query(x->env, x->schema, "ATL", hour(i - 24), hour(i), &r.query));
    r.time = hour(i);
    r.rows = 24;
    r.bytes = 100000;
    r.weight = times;
    r.tenant = tenant;
    assert_ok(psh_forecaster_observe_query(x->f, &r));
    psh_query_unref(r.query);
}

static uint32_t demanded_access(fixture *x, int64_t i, uint64_t tenant) {
    psh_demand_request r = { sizeof r };
    psh_demand_entry e;
    psh_demand *d;
    uint32_t access = 9;
    size_t k;

    r.now = r.from = hour(i);
    r.to = hour(i + 24);
    assert_ok(psh_forecaster_demand(x->f, &r, &d, NULL));
    for (k = 0; psh_demand_get(d, k, &e) == PSH_OK; k++)
        if (e.kind == PSH_DEMAND_TENANT && e.id == tenant)
            access = e.access;
    psh_demand_unref(d);
    return access;
}

static void access_and_tiers(void **state) {
    psh_tenant_info much = { sizeof much }, none = { sizeof none };
    fixture x;
    int64_t i;

    (void)state;
    open_with(&x, 8);
    for (i = 0; i < 100; i++) {
        if (i > 24) /* records are made at a tenant's first look */
            ask(&x, i, 2, 100);
        run(x.f, i, i + 1, (uint64_t)i);
    }
    assert_ok(psh_forecaster_tenant(x.f, 0, 2, &much));
    assert_ok(psh_forecaster_tenant(x.f, 0, 4, &none));
    assert_int_equal(much.access, PSH_ACCESS_RANGE);
    assert_int_equal(much.reach_ns, PSH_DAY);
    assert_int_equal(none.access, 0);
    assert_true(much.hot > 0.5 && much.hot > much.cold);
    assert_true(none.cold > 0.99);
    assert_true(fabs(much.hot + much.warm + much.cold - 1) < 1e-12);
    assert_true(much.next_season > 168 * 5 && much.requests > 1000);
    assert_int_equal(demanded_access(&x, 100, 2), PSH_ACCESS_RANGE);
    assert_int_equal(demanded_access(&x, 100, 4), 0);
    assert_int_equal(psh_forecaster_tenant(x.f, 0, 1000, &none), PSH_E_NOT_FOUND);
    shut(&x);
}

static psh_buffer *saved(psh_env *env, const psh_forecaster *f) {
    psh_buffer *b;

    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_forecaster_save(f, b));
    return b;
}

static void goes_on_after_load(void **state) {
    psh_buffer *a, *b;
    psh_forecaster *g;
    uint64_t rng = 7;
    fixture x;

    (void)state;
    open_with(&x, 4);
    run(x.f, 0, 200, 1);
    assert_ok(psh_forecaster_set_segment(x.f, 0, 5, PSH_SEGMENT_HOST));
    write_at(x.f, 200, 77, 50, &rng);
    run(x.f, 200, 210, 1);
    a = saved(x.env, x.f);
    assert_ok(psh_forecaster_load(x.env, x.schema, psh_buffer_data(a), psh_buffer_size(a), 0, &g, NULL));
    psh_buffer_destroy(a);
    assert_true(closed_sum(x.f, PSH_SUBJECT_TENANT, 77, 210) == closed_sum(g, PSH_SUBJECT_TENANT, 77, 210));
    run(x.f, 210, 400, 2);
    run(g, 210, 400, 2);
    a = saved(x.env, x.f);
    b = saved(x.env, g);
    assert_int_equal(psh_buffer_size(a), psh_buffer_size(b));
    assert_memory_equal(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a));
    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
    psh_forecaster_destroy(g);
    shut(&x);
}

static psh_status busy_day(psh_forecaster *f) {
    uint32_t id = 9, t;
    double v = 3;
    psh_profile p = { sizeof p, 1, &id, &v, 0, 0, NULL, NULL };
    psh_status st = psh_forecaster_set_profile(f, 0, 1, &p);
    int64_t i;

    if (st == PSH_OK)
        st = psh_forecaster_set_segment(f, 0, 2, PSH_SEGMENT_HOST);
    for (i = 0; st == PSH_OK && i < 20; i++) {
        for (t = 1; st == PSH_OK && t < 5; t++)
            st = test_write(f, hour(i), t, 1 + (uint64_t)(i + t) % 4 * t);
        if (st == PSH_OK)
            st = psh_forecaster_step(f, hour(i + 1), 4);
        st = st == PSH_AGAIN ? PSH_OK : st;
    }
    return st;
}

static psh_status scenario(psh_env *env, void *user) {
    static const psh_forecaster_options small = { sizeof small, 0, PSH_HOUR, 4, 8, 6, 4, 4, 16, 0, -1 };
    uint32_t key[] = { 0, 1, 2 };
    psh_column_spec columns[] = { { "origin", PSH_TYPE_TEXT, 0, 0, 0 }, { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
                                  { "seq", PSH_TYPE_INT64, 0, 0, 0 } };
    psh_table_spec table = { "flights", columns, 3, sizeof *columns, key, 3, 0, 1, PSH_DAY, 0 };
    psh_tenant_info info = { sizeof info };
    psh_forecaster *f = NULL, *g = NULL;
    psh_schema *schema = NULL;
    psh_buffer *b = NULL;
    psh_status st = psh_schema_create(env, &table, 1, sizeof table, &schema, NULL);

    (void)user;
    if (st == PSH_OK)
        st = psh_forecaster_create(env, schema, &small, &f, NULL);
    if (st == PSH_OK)
        st = busy_day(f);
    if (st == PSH_OK)
        st = psh_forecaster_tenant(f, 0, 1, &info);
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
        cmocka_unit_test(shapes_make_segments),
        cmocka_unit_test(the_young_borrow),
        cmocka_unit_test(change_waits_for_the_interval),
        cmocka_unit_test(segments_have_series),
        cmocka_unit_test(the_host_decides),
        cmocka_unit_test(features_make_segments),
        cmocka_unit_test(access_and_tiers),
        cmocka_unit_test(goes_on_after_load),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
