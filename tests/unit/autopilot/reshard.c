/* SPDX-License-Identifier: MIT */
/* The whole loop while partitions split, merge and move: under a failing host and after crashes, every row is found
 * once, at the base and through views. */
#include "compact.h"

#include "base/rng.h"

#define FLIGHTS 90u
#define NODES 3u

typedef struct stage {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    memory_host *h;
    rig r;
    int64_t now;
    uint64_t rng;
    size_t next;
    unsigned turn;
    uint64_t rows; /* written, by all the rigs */
    uint32_t kinds; /* bit (1 << PSH_ACT_*) of what was done */
    int bulk;       /* a bulk load's shadow took its keys */
    rig_flight flights[FLIGHTS];
} stage;

static void open_stage(stage *s, uint64_t seed) {
    memset(s, 0, sizeof *s);
    s->env = test_env(&s->alloc);
    s->schema = rig_schema(s->env, COMPACT_INTERVAL);
    s->h = memory_host_create(s->schema);
    s->rng = seed;
    compact_flights(s->flights, FLIGHTS, 4 * PSH_MINUTE);
    assert_ok(rig_open_on(&s->r, s->env, s->schema, s->h, COMPACT_INTERVAL, NODES));
    s->now = TEST_T0;
    assert_ok(rig_step(&s->r, s->now));
    assert_ok(psh_autopilot_checkpoint(s->r.pilot, s->now, NULL));
}

static void note_kinds(stage *s) {
    psh_audit a;
    size_t i;

    for (i = 0; psh_autopilot_audit(s->r.pilot, i, &a) == PSH_OK; i++)
        if (a.status == PSH_OK) {
            s->kinds |= 1u << a.kind;
            s->bulk |= a.why == PSH_WHY_BULK && a.kind == PSH_ACT_SPLIT_PARTITION;
        }
}

static void close_stage(stage *s) {
    note_kinds(s);
    rig_close(&s->r);
    memory_host_destroy(s->h);
    psh_schema_unref(s->schema);
    psh_env_destroy(s->env);
    assert_int_equal(s->alloc.live, 0);
}

/* Some partitions are hot, others cool: the next cycle moves things. */
static void heat(stage *s) {
    psh_partition_load l = { .struct_size = sizeof l, .rows = UINT64_MAX, .bytes = UINT64_MAX };
    const psh_partition *p;
    size_t i;

    for (i = 0; (p = psh_map_get(s->r.parts.map, i)) != NULL; i++) {
        if (p->flags)
            continue;
        l.reads_per_s = (double)(pshi_rng_next(&s->rng) % 3 ? 0 : pshi_rng_next(&s->rng) % 300);
        l.writes_per_s = (double)(pshi_rng_next(&s->rng) % 2 ? 0 : pshi_rng_next(&s->rng) % 200);
        (void)psh_map_observe_load(s->r.parts.map, p->id, &l, s->now);
    }
}

/* Every other commit is a bulk load that was announced: its shadows take their keys when it begins. */
static psh_status load_in_bulk(stage *s, size_t n) {
    uint64_t points[FLIGHTS];
    int64_t times[FLIGHTS];
    psh_bulk_spec b = { .struct_size = sizeof b, .id = 7, .confidence = 1, .node = PSH_NONE };
    psh_bulk_result result = { .struct_size = sizeof result };
    psh_value tenant;
    psh_status st;
    size_t i;

    for (i = 0; i < n; i++) {
        tenant = test_text(s->flights[s->next + i].origin);
        times[i] = s->flights[s->next + i].time;
        points[i] = psh_map_point(s->r.parts.map, 0, psh_tenant_id(&tenant), times[i]);
    }
    b.at = s->now;
    b.time_from = s->now - COMPACT_COMMIT;
    b.time_to = s->now;
    b.rows = (double)n;
    b.bytes = 4096;
    b.key_count = (uint32_t)n;
    b.points = points;
    st = psh_bulk_expect(s->r.parts.bulk, &b, NULL);
    psh_autopilot_hurry(s->r.pilot);
    (void)rig_step(&s->r, s->now);
    if (st == PSH_OK)
        st = psh_bulk_begin(s->r.parts.bulk, 7, 0, s->now, NULL);
    if (st == PSH_E_STATE) /* it was under way when the process died, and is again */
        st = PSH_OK;
    if (st == PSH_OK && n)
        st = psh_bulk_batch(s->r.parts.bulk, 7, points, times, n, 4096, s->now);
    if (st == PSH_AGAIN)
        psh_autopilot_hurry(s->r.pilot);
    (void)rig_step(&s->r, s->now);
    return st < 0 ? st : psh_bulk_end(s->r.parts.bulk, 7, s->now, &result);
}

/* One commit's time goes by. @return PSH_OK or the first failure. */
static psh_status go_on(stage *s) {
    psh_status st, step;
    size_t n;

    s->now += COMPACT_COMMIT;
    for (n = 0; s->next + n < FLIGHTS && s->flights[s->next + n].time < s->now; n++)
        continue;
    if (s->turn++ % 2)
        assert_true(load_in_bulk(s, n) >= 0);
    st = rig_commit(&s->r, s->flights + s->next, n, s->now);
    if (st == PSH_OK) {
        s->rows += n;
        s->next += n;
    }
    heat(s);
    psh_autopilot_hurry(s->r.pilot);
    psh_autopilot_refresh(s->r.pilot);
    step = rig_step(&s->r, s->now);
    return st == PSH_OK ? step : st;
}

static uint64_t count_rows(stage *s, int base_only) {
    psh_answer *answer = NULL;
    psh_query *q = NULL;
    uint32_t coverage;
    uint64_t sum = 0;
    size_t i;

    assert_ok(rig_query(&s->r, 2, "", TEST_T0, TEST_T0 + 2 * PSH_DAY, &q));
    assert_ok(psh_answer_create(s->env, q, 0, &answer));
    assert_ok(rig_answer(&s->r, q, s->now, base_only, answer, &coverage));
    for (i = 0; i < psh_answer_row_count(answer); i++)
        sum += (uint64_t)psh_answer_row(answer, i)[1].as.i64; /* destination, count */
    psh_answer_destroy(answer);
    psh_query_unref(q);
    return sum;
}

static void rows_are_there(stage *s) {
    uint64_t dropped = memory_host_dropped_rows(s->h);

    assert_int_equal(memory_host_row_count(s->h) + dropped, s->rows);
    if (dropped)
        return; /* what retention took is in no answer, and which of them is not ours to say */
    assert_int_equal(count_rows(s, 1), s->rows);
    assert_int_equal(count_rows(s, 0), s->rows);
}

static void a_day_of_changes(void **state) {
    const uint32_t wanted = 1u << PSH_ACT_SPLIT_PARTITION | 1u << PSH_ACT_PROMOTE_PARTITION |
                            1u << PSH_ACT_REPLICATE_PARTITION | 1u << PSH_ACT_DROP_REPLICA;
    uint32_t kinds = 0;
    uint64_t seed;
    int bulk = 0;
    stage s;

    (void)state;
    for (seed = 1; seed <= 12; seed++) {
        open_stage(&s, seed);
        while (s.next < FLIGHTS) {
            assert_ok(go_on(&s));
            rows_are_there(&s);
            assert_ok(psh_tiers_check(s.r.parts.tiers));
        }
        close_stage(&s);
        kinds |= s.kinds;
        bulk |= s.bulk;
    }
    assert_int_equal(kinds & wanted, wanted);
    assert_true(bulk);
}

/* A failed or late call changes nothing for the rows; afterwards everything goes on. */
static void a_failing_host(void **state) {
    uint64_t n;
    stage s;

    (void)state;
    for (n = 0; n < 160; n += 3) {
        open_stage(&s, n + 1);
        memory_host_fail(s.h, (int64_t)n, 0);
        while (s.next < FLIGHTS) {
            (void)go_on(&s);
            assert_ok(psh_tiers_check(s.r.parts.tiers));
        }
        memory_host_fail(s.h, -1, 0);
        assert_ok(go_on(&s));
        rows_are_there(&s);
        close_stage(&s);
    }
}

static void crash(stage *s) {
    note_kinds(s);
    rig_close(&s->r);
    memory_host_fail(s->h, -1, 0);
    assert_ok(rig_reopen_on(&s->r, s->env, s->schema, s->h, s->now, NODES));
    psh_autopilot_refresh(s->r.pilot);
    assert_ok(rig_step(&s->r, s->now));
}

/* From the nth call on nothing works, and then the process dies; another one goes on from the last checkpoint. */
static void a_crash_at_every_call(void **state) {
    uint64_t n, crashes = 0;
    stage s;

    (void)state;
    for (n = 0; n < 240; n += 2) {
        open_stage(&s, n + 7);
        memory_host_fail(s.h, (int64_t)n, 1);
        while (s.next < FLIGHTS) {
            if (go_on(&s) == PSH_OK && !memory_host_failed(s.h))
                continue;
            crash(&s);
            crashes++;
            rows_are_there(&s);
        }
        assert_ok(go_on(&s));
        rows_are_there(&s);
        close_stage(&s);
    }
    assert_true(crashes > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_of_changes),
        cmocka_unit_test(a_failing_host),
        cmocka_unit_test(a_crash_at_every_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
