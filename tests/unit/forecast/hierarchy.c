/* SPDX-License-Identifier: MIT */
#include "forecast/reconcile.h"
#include "load.h"

#define TENANTS 8u
#define NODES 8u

typedef struct fixture {
    test_alloc a;
    psh_env *env;
    psh_schema *schema;
    psh_forecaster *f;
} fixture;

static int64_t hour(int64_t i) {
    return TEST_T0 + i * PSH_HOUR;
}

static void open_used(fixture *x) {
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

static double load_of(int64_t i, uint32_t t) {
    return test_rhythm(t % 2 ? i : i + 12, 5.0 * t);
}

/* Noise of counts, the tenants' own: what one errs says nothing of another. One row an hour has no tenant. */
static void feed(psh_forecaster *f, int64_t from, int64_t to, uint64_t *rng, double *came) {
    psh_write_record w = { sizeof w };
    uint32_t t;
    int64_t i;
    double x;

    for (i = from; i < to; i++) {
        for (t = 0; t <= TENANTS; t++) {
            x = t ? load_of(i, t) : 1;
            x += t ? sqrt(x) * test_noise(rng) : 0;
            w.rows = x > 0 ? (uint64_t)(x + 0.5) : 0;
            w.time = hour(i);
            w.tenant = t;
            w.partition = 1 + t % 3;
            if (came)
                came[t] += (double)w.rows;
            if (w.rows)
                assert_ok(psh_forecaster_observe_write(f, &w));
        }
        settle(f, hour(i + 1));
    }
}

/* Solved densely in R: solve() of the normal equations S'WS, the second split as a constraint. */
static void small_tree(void **state) {
    static const pshi_branch tree[NODES] = { { { 1, 3 }, { 2, 2 } }, { { 5, 0 }, { 3, 0 } } };
    static const double base[NODES] = { 10, 5, 4, 6, 3, 2, 2.5, 0.5 };
    static const double variance[NODES] = { 1, 2, 0.5, 1, 4, 1, 0.3, 0.2 };
    static const double want[NODES] = { 9.51630435, 5.32608696, 4.19021739, 6.10326087, 3.41304348,
                                        2.21739130, 2.56521739, 0.54347826 };
    double out[NODES], work[NODES];
    uint32_t i;

    (void)state;
    pshi_reconcile(tree, NODES, base, variance, out, work);
    for (i = 0; i < NODES; i++)
        assert_true(fabs(out[i] - want[i]) < 1e-6);
}

/* A child that would be negative is 0, and the others make up for it. */
static void never_negative(void **state) {
    static const pshi_branch tree[4] = { { { 1, 0 }, { 3, 0 } } };
    static const double base[4] = { 5, 10, 0.5, 6 }, variance[4] = { 1e-9, 4, 4, 2 };
    double out[4], work[4];

    (void)state;
    pshi_reconcile(tree, 4, base, variance, out, work);
    assert_true(fabs(out[0] - 5) < 1e-6);
    assert_true(out[2] == 0);
    assert_true(fabs(out[1] + out[3] - 5) < 1e-6);
    assert_true(fabs(10 - out[1] - 2 * (6 - out[3])) < 1e-6); /* by variance */
}

static psh_hierarchy *ask(fixture *x, int64_t at, uint32_t steps, uint32_t width, uint32_t max_tenants) {
    psh_hierarchy *h;

    assert_ok(psh_forecaster_hierarchy(x->f, 0, hour(at), steps, width, max_tenants, &h, NULL));
    return h;
}

static psh_hierarchy_node node_at(const psh_hierarchy *h, size_t i) {
    psh_hierarchy_node n = { sizeof n };

    assert_ok(psh_hierarchy_get(h, i, &n));
    return n;
}

/* Children of one kind sum to their parent, whichever parent has some. */
static void assert_adds_up(const psh_hierarchy *h, uint32_t steps, uint32_t kind) {
    size_t i, k, n = psh_hierarchy_count(h), children;
    psh_hierarchy_node parent, child;
    uint32_t s;
    double sum;

    for (i = 0; i < n; i++) {
        parent = node_at(h, i);
        for (s = 0; s < steps; s++) {
            for (k = i + 1, sum = 0, children = 0; k < n; k++) {
                child = node_at(h, k);
                if (child.parent != i || child.kind != kind)
                    continue;
                children++;
                sum += child.mean[s];
                assert_true(child.mean[s] >= 0);
            }
            if (children)
                assert_true(fabs(sum - parent.mean[s]) <= 1e-9 * (1 + sum));
        }
    }
}

static void assert_quantiles(const psh_hierarchy *h, uint32_t steps) {
    psh_hierarchy_node node;
    uint32_t levels, s, q;
    const double *p = psh_hierarchy_levels(h, &levels);
    size_t i;

    for (i = 0; i < psh_hierarchy_count(h); i++) {
        node = node_at(h, i);
        for (s = 0; s < steps; s++)
            for (q = 0; q < levels; q++) {
                assert_true(isfinite(node.quantiles[s * levels + q]) && node.quantiles[s * levels + q] >= 0);
                assert_true(!q || node.quantiles[s * levels + q] >= node.quantiles[s * levels + q - 1]);
                assert_true(p[q] < 0.9 || node.quantiles[s * levels + q] >= node.mean[s] - 1e-9);
            }
    }
}

static void check_all(const psh_hierarchy *h, uint32_t steps) {
    assert_adds_up(h, steps, PSH_NODE_SEGMENT);
    assert_adds_up(h, steps, PSH_NODE_TENANT);
    assert_adds_up(h, steps, PSH_NODE_PARTITION);
    assert_quantiles(h, steps);
}

static void sums_agree(void **state) {
    psh_hierarchy *hours, *days, *weeks, *few;
    uint32_t kinds[5] = { 0 }, s;
    uint64_t rng = 1;
    fixture x;
    double sum;
    size_t i;

    (void)state;
    open_used(&x);
    feed(x.f, 0, 600, &rng, NULL);
    hours = ask(&x, 600, 168, 1, 0);
    days = ask(&x, 600, 14, 24, 0);
    weeks = ask(&x, 600, 2, 168, 0);
    few = ask(&x, 600, 48, 1, 3);
    check_all(hours, 168);
    check_all(days, 14);
    check_all(weeks, 2);
    check_all(few, 48);
    assert_int_equal(psh_hierarchy_count(hours), psh_hierarchy_count(weeks));
    assert_true(psh_hierarchy_count(few) < psh_hierarchy_count(hours));
    for (i = 0; i < psh_hierarchy_count(hours); i++) {
        kinds[node_at(hours, i).kind]++;
        for (s = 0, sum = 0; s < 168; s++)
            sum += node_at(hours, i).mean[s];
        assert_true(fabs(sum - node_at(weeks, i).mean[0]) <= 1e-9 * (1 + sum));
        for (s = 0, sum = 0; s < 7; s++)
            sum += node_at(days, i).mean[s];
        assert_true(fabs(sum - node_at(weeks, i).mean[0]) <= 1e-9 * (1 + sum));
    }
    assert_int_equal(kinds[PSH_NODE_TOTAL], 1);
    assert_true(kinds[PSH_NODE_SEGMENT] >= 3); /* two at least, and the rest */
    assert_int_equal(kinds[PSH_NODE_TENANT], TENANTS + 1); /* and what has none */
    assert_int_equal(kinds[PSH_NODE_PARTITION], 3);
    psh_hierarchy_destroy(hours);
    psh_hierarchy_destroy(days);
    psh_hierarchy_destroy(weeks);
    psh_hierarchy_destroy(few);
    shut(&x);
}

/* Squared errors of the next day's hours, by level: forecasts alone, and agreed. */
typedef struct errors {
    double alone[5], agreed[5];
} errors;

static double alone_at(fixture *x, uint32_t kind, uint64_t id, int64_t at, uint32_t step) {
    static const uint32_t subject[] = { 0, PSH_SUBJECT_TABLE, PSH_SUBJECT_SEGMENT, PSH_SUBJECT_TENANT,
                                        PSH_SUBJECT_PARTITION };
    psh_subject s = { subject[kind], 0, id };
    psh_forecast_spec spec = { sizeof spec };
    psh_forecast *fc;
    double mean;

    assert_ok(psh_forecaster_forecast(x->f, &s, hour(at), step + 1, &fc, NULL));
    assert_ok(psh_forecast_describe(fc, &spec));
    mean = spec.mean[step];
    psh_forecast_unref(fc);
    return mean;
}

static double came_to(fixture *x, const psh_hierarchy_node *n, const double *came) {
    uint32_t t, segment;
    double sum = 0;

    for (t = 0; t <= TENANTS; t++) {
        segment = 0;
        if (t)
            assert_ok(psh_forecaster_segment_of(x->f, 0, t, hour(672), &segment));
        if (n->kind == PSH_NODE_TOTAL || (n->kind == PSH_NODE_TENANT && n->id == t) ||
            (n->kind == PSH_NODE_SEGMENT && segment == n->id) ||
            (n->kind == PSH_NODE_PARTITION && n->id == 1 + t % 3))
            sum += came[t];
    }
    return sum;
}

static void add_errors(
    fixture *x, const psh_hierarchy *h, uint32_t step, int64_t at, const double *came, errors *e) {
    psh_hierarchy_node n;
    double y;
    size_t i;

    for (i = 0; i < psh_hierarchy_count(h); i++) {
        n = node_at(h, i);
        if (n.rest)
            continue;
        y = came_to(x, &n, came);
        e->agreed[n.kind] += (n.mean[step] - y) * (n.mean[step] - y);
        y -= alone_at(x, n.kind, n.id, at, step);
        e->alone[n.kind] += y * y;
    }
}

/* Agreement costs tenants and partitions nothing; wholes, the easiest alone, a tenth at most. */
static void no_worse_than_alone(void **state) {
    static const char *const names[] = { "", "total", "segment", "tenant", "partition" };
    uint64_t rng = 2, future;
    psh_hierarchy *h;
    errors e = { { 0 }, { 0 } };
    double came[TENANTS + 1];
    int64_t at;
    uint32_t s, k;
    fixture x;

    (void)state;
    open_used(&x);
    feed(x.f, 0, 672, &rng, NULL);
    for (at = 672; at < 672 + 40 * 25; at += 25) {
        h = ask(&x, at, 24, 1, 0);
        future = rng;
        for (s = 0; s < 24; s += 5) {
            memset(came, 0, sizeof came);
            for (k = 1; k <= TENANTS; k++) /* what the load is, noise apart */
                came[k] = load_of(at + s, k);
            came[0] = 1;
            add_errors(&x, h, s, at, came, &e);
        }
        psh_hierarchy_destroy(h);
        rng = future;
        feed(x.f, at, at + 25, &rng, NULL);
    }
    for (k = 1; k < 5; k++) {
        print_message("%-9s alone %8.2f agreed %8.2f\n", names[k], e.alone[k], e.agreed[k]);
        assert_true(e.agreed[k] <= (k <= PSH_NODE_SEGMENT ? 1.10 : 1.02) * e.alone[k]);
    }
    shut(&x);
}

static void refusals(void **state) {
    psh_error err = { sizeof err };
    psh_hierarchy *h;
    uint64_t rng = 1;
    fixture x;

    (void)state;
    open_used(&x);
    assert_int_equal(psh_forecaster_hierarchy(x.f, 0, hour(5), 2, 1, 0, &h, &err), PSH_E_NO_FORECAST);
    assert_null(h);
    feed(x.f, 0, 5, &rng, NULL);
    assert_int_equal(psh_forecaster_hierarchy(x.f, 9, hour(5), 2, 1, 0, &h, &err), PSH_E_INVALID);
    assert_int_equal(psh_forecaster_hierarchy(x.f, 0, hour(1), 2, 1, 0, &h, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "from");
    assert_int_equal(psh_forecaster_hierarchy(x.f, 0, hour(5), 4096, 65536, 0, &h, &err), PSH_E_LIMIT);
    assert_ok(psh_forecaster_hierarchy(x.f, 0, hour(5), 24, 1, 0, &h, &err)); /* young, but it adds up */
    check_all(h, 24);
    psh_hierarchy_destroy(h);
    shut(&x);
}

static void out_of_memory(void **state) {
    psh_status st = PSH_E_NOMEM;
    uint64_t rng = 1;
    psh_hierarchy *h;
    int64_t n, live;
    fixture x;

    (void)state;
    open_used(&x);
    feed(x.f, 0, 60, &rng, NULL);
    live = x.a.live;
    for (n = 0; st == PSH_E_NOMEM; n++) {
        test_alloc_fail(&x.a, n, 0);
        st = psh_forecaster_hierarchy(x.f, 0, hour(60), 4, 2, 0, &h, NULL);
        test_alloc_fail(&x.a, -1, 0);
        if (st == PSH_E_NOMEM)
            assert_int_equal(x.a.live, live);
    }
    assert_ok(st);
    assert_true(n > 3);
    psh_hierarchy_destroy(h);
    shut(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_tree),      cmocka_unit_test(never_negative), cmocka_unit_test(sums_agree),
        cmocka_unit_test(no_worse_than_alone), cmocka_unit_test(refusals),   cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
