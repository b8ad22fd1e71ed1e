/* SPDX-License-Identifier: MIT */
/*
 * The first checkpoint: observe, forecast, propose, place, act, route, answer, over 10,000 real rows in commits
 * of five minutes. Query arrivals are derived: at each commit every template is asked once, over the last
 * three hours cut to whole buckets. Each answer is compared with the base alone and with a naive recomputation.
 */
#include "sample.h"

#define ROWS 10000u
#define INTERVAL PSH_HOUR
#define COMMIT (5 * PSH_MINUTE)

static const char *sample_path;
static rig_flight *flights;
static size_t flight_count;

/* One run's observations. */
typedef struct run {
    rig r;
    test_alloc alloc;
    memory_host *host;
    psh_buffer *plans; /* every plan, as text */
    psh_plan *last_plan;
    uint64_t early, late; /* intervals whose first row found its partition there, or not */
    int64_t last_interval;
    uint64_t archived, dropped;
    uint64_t differing;
} run;

static int read_sample(void **state) {
    (void)state;
    flights = test_calloc(ROWS, sizeof *flights);
    flight_count = sample_read(sample_path, flights, ROWS);
    return flight_count == ROWS ? 0 : -1;
}

static int free_sample(void **state) {
    (void)state;
    test_free(flights);
    return 0;
}

static void start(run *x, int64_t now) {
    psh_env *env;
    psh_schema *schema;

    memset(x, 0, sizeof *x);
    env = test_env(&x->alloc);
    schema = rig_schema(env, INTERVAL);
    x->host = memory_host_create(schema);
    assert_ok(rig_open(&x->r, env, schema, x->host, INTERVAL));
    assert_ok(psh_buffer_create(env, &x->plans));
    x->last_interval = INT64_MIN;
    assert_ok(rig_step(&x->r, now));
}

static void finish(run *x) {
    psh_env *env = x->r.env;
    psh_schema *schema = x->r.schema;

    psh_plan_unref(x->last_plan);
    psh_buffer_destroy(x->plans);
    rig_close(&x->r);
    memory_host_destroy(x->host);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(x->alloc.live, 0);
}

static void note_plan(run *x) {
    psh_plan *p = psh_autopilot_plan(x->r.pilot);

    if (p == x->last_plan || !p)
        return;
    psh_plan_unref(x->last_plan);
    x->last_plan = psh_plan_ref(p);
    assert_ok(psh_plan_dump(p, x->plans));
}

/* Was the interval's partition there before its first row? */
static void note_readiness(run *x, int64_t time) {
    int64_t id, from, to;
    const psh_world *w = psh_worlds_current(x->r.worlds);

    assert_ok(psh_schema_interval(x->r.schema, 0, time, &id, &from, &to));
    if (id == x->last_interval)
        return;
    if (x->last_interval != INT64_MIN) {
        if (psh_world_locate(w, 0, time, 0))
            x->early++;
        else
            x->late++;
    }
    x->last_interval = id;
}

static int same_answer(run *x, psh_answer *a, psh_answer *b) {
    psh_buffer *p = NULL, *q = NULL;
    int same;

    assert_ok(psh_buffer_create(x->r.env, &p));
    assert_ok(psh_buffer_create(x->r.env, &q));
    assert_ok(psh_answer_save(a, p));
    assert_ok(psh_answer_save(b, q));
    same = psh_buffer_size(p) == psh_buffer_size(q) &&
           memcmp(psh_buffer_data(p), psh_buffer_data(q), psh_buffer_size(p)) == 0;
    psh_buffer_destroy(p);
    psh_buffer_destroy(q);
    return same;
}

/* The answer from the sample's own rows; no query reaches back to what retention has dropped. */
static void recompute(size_t ingested, psh_answer *out) {
    psh_value row[6];
    size_t i;

    for (i = 0; i < ingested; i++) {
        const rig_flight *f = &flights[i];

        test_flight(row, f->origin, f->time, f->seq, f->destination, f->delay, f->distance);
        assert_ok(psh_answer_add_rows(out, row, 1));
    }
    assert_ok(psh_answer_finish(out));
}

static void ask(run *x, uint32_t template, int64_t now, size_t ingested) {
    int64_t to = now - now % (10 * PSH_MINUTE), from = to - 3 * PSH_HOUR;
    psh_answer *routed = NULL, *base = NULL, *naive = NULL;
    psh_query *q = NULL;
    uint32_t coverage = 0, none = 0;

    assert_ok(rig_query(&x->r, template, "ORD", from, to, &q));
    assert_ok(psh_answer_create(x->r.env, q, 0, &routed));
    assert_ok(psh_answer_create(x->r.env, q, 0, &base));
    assert_ok(psh_answer_create(x->r.env, q, 0, &naive));
    assert_ok(rig_answer(&x->r, q, now, 0, routed, &coverage));
    assert_ok(rig_answer(&x->r, q, now, 1, base, &none));
    recompute(ingested, naive);
    assert_int_equal(none, PSH_COVERAGE_NONE);
    x->differing += !same_answer(x, routed, base) || !same_answer(x, routed, naive);
    x->r.counts.whole += coverage == PSH_COVERAGE_WHOLE;
    x->r.counts.part += coverage == PSH_COVERAGE_PART;
    x->r.counts.none += coverage == PSH_COVERAGE_NONE;
    assert_ok(rig_observe(&x->r, q, now, 500));
    psh_answer_destroy(routed);
    psh_answer_destroy(base);
    psh_answer_destroy(naive);
    psh_query_unref(q);
}

/* What left the world since: counted once each, by the audit. */
static void count_ends(run *x) {
    psh_audit a;
    size_t i;

    x->archived = x->dropped = 0;
    for (i = 0; psh_autopilot_audit(x->r.pilot, i, &a) == PSH_OK; i++) {
        if (a.status != PSH_OK)
            continue;
        x->archived += a.kind == PSH_ACT_ARCHIVE_PARTITION;
        x->dropped += a.kind == PSH_ACT_DROP_PARTITION;
    }
}

static uint64_t rows_in_map(const run *x) {
    const psh_partition *p;
    uint64_t rows = 0;
    size_t i;

    for (i = 0; (p = psh_map_get(x->r.parts.map, i)) != NULL; i++)
        rows += p->rows;
    return rows;
}

/* Steps when the autopilot asks for it, up to a time: what a host does while no row comes. */
static void wait_until(run *x, int64_t until) {
    int64_t at = psh_autopilot_next_deadline(x->r.pilot), last = PSH_TIME_MIN;

    for (; at < until; at = psh_autopilot_next_deadline(x->r.pilot)) {
        assert_true(at > last); /* it moves on, or this would never end */
        last = at;
        assert_ok(rig_step(&x->r, at));
        note_plan(x);
    }
}

/* Runs commits from *next on, until `until` rows are in. */
static void advance(run *x, size_t *next, size_t until) {
    int64_t now;
    size_t n;
    uint32_t t;

    while (*next < until) {
        now = (flights[*next].time / COMMIT + 1) * COMMIT;
        wait_until(x, flights[*next].time);
        for (n = 0; *next + n < until && flights[*next + n].time < now; n++)
            note_readiness(x, flights[*next + n].time);
        assert_ok(rig_commit(&x->r, flights + *next, n, now));
        *next += n;
        psh_autopilot_refresh(x->r.pilot);
        assert_ok(rig_step(&x->r, now));
        note_plan(x);
        assert_ok(psh_tiers_check(x->r.parts.tiers));
        assert_true(rows_in_map(x) == memory_host_row_count(x->host));
        for (t = 0; t < RIG_TEMPLATES; t++)
            ask(x, t, now, *next);
    }
}

static void whole_loop(void **state) {
    psh_autopilot_stats stats = { .struct_size = sizeof stats };
    size_t next = 0;
    run x;

    (void)state;
    start(&x, flights[0].time);
    advance(&x, &next, ROWS);
    count_ends(&x);
    assert_ok(psh_autopilot_get_stats(x.r.pilot, &stats));
    print_message("queries: %d whole, %d part, %d none; %d archived, %d dropped; %d plans, %d epochs\n",
        (int)x.r.counts.whole, (int)x.r.counts.part, (int)x.r.counts.none, (int)x.archived, (int)x.dropped,
        (int)stats.plans, (int)stats.epochs);
    assert_int_equal(x.differing, 0);
    assert_int_equal(x.late, 0);
    assert_true(x.early >= 14);
    assert_int_equal(x.r.counts.quarantined, 0);
    assert_int_equal(x.r.counts.rows, ROWS);
    assert_true(x.r.counts.whole > 0);
    assert_true(x.r.counts.part > 0);
    assert_true(x.archived > 0);
    assert_true(x.dropped > 0);
    assert_int_equal(stats.host_errors, 0);
    assert_true(memory_host_row_count(x.host) < ROWS);
    finish(&x);
}

static void assert_same_text(psh_buffer *a, psh_buffer *b) {
    assert_true(psh_buffer_size(a) > 0);
    assert_string_equal((const char *)psh_buffer_data(a), (const char *)psh_buffer_data(b));
}

static void two_runs_plan_alike(void **state) {
    size_t first = 0, second = 0;
    run a, b;

    (void)state;
    start(&a, flights[0].time);
    advance(&a, &first, 3000);
    start(&b, flights[0].time);
    advance(&b, &second, 3000);
    assert_same_text(a.plans, b.plans);
    finish(&a);
    finish(&b);
}

static void restored_plans_alike(void **state) {
    size_t through = 0, next = 0;
    run a, b;
    rig again;

    (void)state;
    start(&a, flights[0].time);
    advance(&a, &through, 2500);
    psh_buffer_clear(a.plans);
    advance(&a, &through, 5000);
    start(&b, flights[0].time);
    advance(&b, &next, 2500);
    psh_buffer_clear(b.plans);
    assert_ok(psh_autopilot_checkpoint(b.r.pilot, (flights[2499].time / COMMIT + 1) * COMMIT, NULL));
    assert_ok(rig_reopen(&again, b.r.env, b.r.schema, b.host, (flights[2499].time / COMMIT + 1) * COMMIT));
    psh_plan_unref(b.last_plan);
    b.last_plan = NULL;
    rig_close(&b.r);
    b.r = again;
    advance(&b, &next, 5000);
    assert_same_text(a.plans, b.plans);
    assert_int_equal(b.differing, 0);
    finish(&a);
    finish(&b);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_loop),
        cmocka_unit_test(two_runs_plan_alike),
        cmocka_unit_test(restored_plans_alike),
    };

    if (argc != 2)
        return 2;
    sample_path = argv[1];
    return cmocka_run_group_tests(tests, read_sample, free_sample);
}
