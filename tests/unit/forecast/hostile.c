/* SPDX-License-Identifier: MIT */
/* Saved bytes whose checksums are right and whose content is not: refused, or harmless. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "forecast/forecaster.h"
#include "load.h"

#define HEADER 20u
#define SECTION 28u

typedef struct fixture {
    test_alloc a;
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *f;
} fixture;

static int64_t hour(int64_t i) {
    return TEST_T0 + i * PSH_HOUR;
}

static void use(fixture *x, psh_forecaster *f, int64_t from, int64_t to) {
    psh_label label = { "kind", "load" };
    psh_query *q;
    int64_t i;

    for (i = from; i < to; i++) {
        (void)test_write_label(f, hour(i), 1 + (uint64_t)i % 3, 1 + (uint64_t)i % 5, i % 3 ? NULL : &label);
        assert_ok(test_query(x->env, x->schema, "ATL", hour(i - 24), hour(i), &q));
        (void)test_ask(f, q, hour(i), 1);
        psh_query_unref(q);
        (void)psh_forecaster_step(f, hour(i + 1), 4);
    }
}

static void open_used(fixture *x) {
    static const psh_forecaster_options small = { sizeof small, 0, PSH_HOUR, 4, 8, 6, 4, 4, 16, 0, PSH_HOUR };

    x->env = test_env(&x->a);
    x->schema = test_flights_schema(x->env);
    assert_ok(psh_forecaster_create(x->env, x->schema, &small, &x->f, NULL));
    use(x, x->f, 0, 60);
}

static void shut(fixture *x) {
    psh_forecaster_destroy(x->f);
    psh_schema_unref(x->schema);
    psh_env_destroy(x->env);
    assert_int_equal(x->a.live, 0);
}

static psh_status reload(fixture *x, psh_forecaster **g) {
    psh_buffer *b;
    psh_status st;

    assert_ok(psh_buffer_create(x->env, &b));
    assert_ok(psh_forecaster_save(x->f, b));
    st = psh_forecaster_load(x->env, x->schema, psh_buffer_data(b), psh_buffer_size(b), 0, g, NULL);
    psh_buffer_destroy(b);
    return st;
}

static void assert_amount(double x) {
    assert_true(isfinite(x));
    assert_true(x >= 0);
}

static void assert_demand_fits(psh_forecaster *f, uint32_t source) {
    psh_demand_request r = { sizeof r, source };
    psh_demand_entry e;
    psh_demand *d;
    size_t i;

    r.now = r.from = hour(70);
    r.to = hour(76);
    if (psh_forecaster_demand(f, &r, &d, NULL) != PSH_OK)
        return;
    for (i = 0; psh_demand_get(d, i, &e) == PSH_OK; i++) {
        assert_amount(e.count);
        assert_amount(e.bytes_upper);
        assert_true(e.confidence >= 0 && e.confidence <= 1);
    }
    psh_demand_unref(d);
}

static void assert_forecasts_fit(psh_forecaster *f) {
    psh_subject table = { PSH_SUBJECT_TABLE, 0, 0 };
    psh_forecaster_stats s = { sizeof s };
    psh_score score = { sizeof score };
    psh_forecast_spec spec = { sizeof spec };
    psh_forecast *fc;
    psh_status st;
    uint32_t i;

    st = psh_forecaster_forecast(f, &table, hour(70), 12, &fc, NULL);
    assert_true(st != PSH_E_INTERNAL);
    if (st == PSH_OK) {
        assert_ok(psh_forecast_describe(fc, &spec));
        for (i = 0; i < spec.steps * spec.level_count; i++)
            assert_amount(spec.quantiles[i]);
        psh_forecast_unref(fc);
    }
    if (psh_forecaster_score(f, &table, &score) == PSH_OK)
        assert_true(isfinite(score.skill) && isfinite(score.mae) && isfinite(score.coverage90));
    assert_ok(psh_forecaster_get_stats(f, &s));
    assert_true(isfinite(s.calibration_error));
}

/* Goes on from what was loaded; what it becomes must be loadable too. */
static void live_on(fixture *x, psh_forecaster *g) {
    psh_forecaster *again = NULL, *f = x->f;

    use(x, g, 60, 70);
    assert_forecasts_fit(g);
    assert_demand_fits(g, PSH_DEMAND_FORECAST);
    assert_demand_fits(g, PSH_DEMAND_OBSERVED);
    x->f = g;
    assert_ok(reload(x, &again));
    x->f = f;
    psh_forecaster_destroy(again);
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

static void resealed_bytes_do_no_harm(void **state) {
    static const unsigned char tries[] = { 0x01, 0x40, 0x7f, 0xff };
    size_t i, k, size, loaded = 0;
    unsigned char *p, *q;
    psh_forecaster *g;
    psh_buffer *b;
    fixture x;

    (void)state;
    open_used(&x);
    assert_ok(psh_buffer_create(x.env, &b));
    assert_ok(psh_forecaster_save(x.f, b));
    size = psh_buffer_size(b);
    p = malloc(size);
    q = malloc(size);
    assert_true(p && q);
    memcpy(p, psh_buffer_data(b), size);
    for (i = HEADER; i < size; i += 3) {
        for (k = 0; k < sizeof tries && !is_framing(p, size, i); k++) {
            memcpy(q, p, size);
            q[i] ^= tries[k];
            seal(q, size);
            if (psh_forecaster_load(x.env, x.schema, q, size, 0, &g, NULL) != PSH_OK)
                continue;
            loaded++;
            live_on(&x, g);
            psh_forecaster_destroy(g);
        }
    }
    assert_true(loaded > 100);
    free(p);
    free(q);
    psh_buffer_destroy(b);
    shut(&x);
}

/* Each breaks one promise that the parts of the state make to one another. */
static void break_rows(psh_forecaster *f) {
    f->store.list[0]->rows = 1e-300;
    f->store.list[0]->bytes = 1e30;
}
static pshi_regular *regular_of(psh_forecaster *f) {
    size_t i = 0;

    while (!f->store.list[i]->regular)
        i++;
    return f->store.list[i]->regular;
}
static void break_made(psh_forecaster *f) {
    regular_of(f)->made[0][0].high = 3e38F;
}
static void break_open(psh_forecaster *f) {
    f->store.list[0]->open[0] = 1e300;
}
static void break_level(psh_forecaster *f) {
    regular_of(f)->fitted = 1;
    regular_of(f)->rhythm->sd = -1;
}
static void break_track(psh_forecaster *f) {
    regular_of(f)->track[0].up[1] = 0;
}
static void break_pool(psh_forecaster *f) {
    f->calibration.total[1].low[2] = 1e30F;
}
static void break_tally(psh_forecaster *f) {
    regular_of(f)->tally.weight = 1e-300;
}
static void break_bin(psh_forecaster *f) {
    f->calibration.view.raw[3] = 1e300;
}
static void break_closed(psh_forecaster *f) {
    f->outlook.closed += 1;
}
static void break_start(psh_forecaster *f) {
    f->store.list[0]->start = f->outlook.closed + (int64_t)f->shape.open;
}
static void break_limit(psh_forecaster *f) {
    f->o.max_series = 1;
}
static void break_templates(psh_forecaster *f) {
    f->templates.list[0].count = 1e-300;
}

static void inconsistent_state_is_refused(void **state) {
    static void (*const breaks[])(psh_forecaster *) = {
        break_rows, break_made, break_open, break_level, break_track, break_pool, break_tally,
        break_bin, break_closed, break_start, break_limit, break_templates };
    psh_forecaster *g;
    fixture x;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof breaks / sizeof *breaks; i++) {
        open_used(&x);
        assert_ok(reload(&x, &g));
        psh_forecaster_destroy(g);
        breaks[i](x.f);
        assert_int_equal(reload(&x, &g), PSH_E_CORRUPT);
        assert_null(g);
        shut(&x);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resealed_bytes_do_no_harm),
        cmocka_unit_test(inconsistent_state_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
