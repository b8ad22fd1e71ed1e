/* SPDX-License-Identifier: MIT */
#include "compact.h"

#define FLIGHTS 40u

typedef struct stage {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    memory_host *h;
    rig r;
    int64_t now;
    rig_flight flights[FLIGHTS];
} stage;

static int setup(void **state) {
    static stage s;
    size_t next = 0, n;

    memset(&s, 0, sizeof s);
    s.env = test_env(&s.alloc);
    s.schema = rig_schema(s.env, COMPACT_INTERVAL);
    s.h = memory_host_create(s.schema);
    compact_flights(s.flights, FLIGHTS, 5 * PSH_MINUTE);
    assert_ok(rig_open(&s.r, s.env, s.schema, s.h, COMPACT_INTERVAL));
    s.now = TEST_T0;
    assert_ok(rig_step(&s.r, s.now));
    while (next < FLIGHTS) {
        s.now += COMPACT_COMMIT;
        for (n = 0; next + n < FLIGHTS && s.flights[next + n].time < s.now; n++)
            continue;
        assert_ok(rig_commit(&s.r, s.flights + next, n, s.now));
        next += n;
        psh_autopilot_refresh(s.r.pilot);
        assert_ok(rig_step(&s.r, s.now));
    }
    *state = &s;
    return 0;
}

static int teardown(void **state) {
    stage *s = *state;

    rig_close(&s->r);
    memory_host_destroy(s->h);
    psh_schema_unref(s->schema);
    psh_env_destroy(s->env);
    assert_int_equal(s->alloc.live, 0);
    return 0;
}

static void same_world(psh_env *env, rig *a, rig *b) {
    psh_buffer *x = NULL, *y = NULL;

    assert_ok(psh_buffer_create(env, &x));
    assert_ok(psh_buffer_create(env, &y));
    assert_ok(psh_world_dump(psh_worlds_current(a->worlds), x));
    assert_ok(psh_world_dump(psh_worlds_current(b->worlds), y));
    assert_string_equal((const char *)psh_buffer_data(x), (const char *)psh_buffer_data(y));
    psh_buffer_destroy(x);
    psh_buffer_destroy(y);
}

static void everything_comes_back(void **state) {
    stage *s = *state;
    psh_autopilot_stats before = { .struct_size = sizeof before }, after = before;
    psh_audit x, y;
    rig again;
    size_t i;

    assert_ok(psh_autopilot_checkpoint(s->r.pilot, s->now, NULL));
    assert_ok(rig_reopen(&again, s->env, s->schema, s->h, s->now));
    same_world(s->env, &s->r, &again);
    assert_int_equal(psh_driver_cursor(again.driver), psh_driver_cursor(s->r.driver));
    assert_int_equal(psh_driver_fence(again.driver), psh_driver_fence(s->r.driver));
    assert_ok(psh_autopilot_get_stats(s->r.pilot, &before));
    assert_ok(psh_autopilot_get_stats(again.pilot, &after));
    assert_memory_equal(&before, &after, sizeof before);
    assert_int_equal(psh_autopilot_audit_count(again.pilot), psh_autopilot_audit_count(s->r.pilot));
    for (i = 0; psh_autopilot_audit(s->r.pilot, i, &x) == PSH_OK; i++) {
        assert_ok(psh_autopilot_audit(again.pilot, i, &y));
        assert_true(x.action == y.action && x.status == y.status && x.outcome == y.outcome);
        assert_string_equal(x.name, y.name);
    }
    assert_int_equal(psh_autopilot_next_deadline(again.pilot), psh_autopilot_next_deadline(s->r.pilot));
    assert_ok(rig_step(&again, s->now + PSH_HOUR));
    rig_close(&again);
}

static int64_t count_all(rig *r, int64_t now, int base_only) {
    psh_aggregate count = { PSH_AGG_COUNT, PSH_NONE };
    psh_answer *answer = NULL;
    psh_query_spec spec;
    psh_query *q = NULL;
    uint32_t coverage;
    int64_t n;

    psh_query_spec_init(&spec, sizeof spec);
    spec.aggregates = &count;
    spec.aggregate_count = 1;
    assert_ok(psh_query_create(r->env, r->schema, &spec, &q, NULL));
    assert_ok(psh_answer_create(r->env, q, 0, &answer));
    assert_ok(rig_answer(r, q, now, base_only, answer, &coverage));
    n = psh_answer_row(answer, 0)->as.i64;
    psh_answer_destroy(answer);
    psh_query_unref(q);
    return n;
}

/* Partitions that take rows of a time at or after t. */
static size_t active_after(const rig *r, int64_t t) {
    const psh_partition *p;
    size_t i, n = 0;

    for (i = 0; (p = psh_map_get(r->parts.map, i)) != NULL; i++)
        n += p->state == PSH_PARTITION_ACTIVE && !p->flags && p->time_to > t;
    return n;
}

/* No checkpoint is due for long: yet whatever rows may go to has been stored when the world first names it. */
static void active_partitions_are_stored_first(void **state) {
    stage *s = *state;
    psh_autopilot_options o;
    int64_t later = s->now + 2 * COMPACT_INTERVAL;
    size_t active;
    rig again;

    assert_int_equal(active_after(&s->r, later), 0);

    assert_ok(psh_autopilot_checkpoint(s->r.pilot, s->now, NULL));
    psh_autopilot_destroy(s->r.pilot);
    assert_ok(psh_autopilot_options_init(&o, sizeof o));
    o.mode = PSH_MODE_ACT;
    o.cycle_ns = COMPACT_INTERVAL / 4;
    o.horizon_ns = 2 * COMPACT_INTERVAL;
    o.checkpoint_ns = 1000 * PSH_DAY;
    assert_ok(psh_autopilot_create(s->env, s->schema, &o, &s->r.parts, &s->r.pilot, NULL));
    for (; s->now < later; s->now += COMPACT_INTERVAL / 4)
        assert_ok(rig_step(&s->r, s->now));
    assert_ok(rig_step(&s->r, s->now));
    active = active_after(&s->r, later);
    assert_true(active > 0);
    rig_close(&s->r); /* it dies */
    assert_ok(rig_reopen(&again, s->env, s->schema, s->h, s->now));
    assert_int_equal(active_after(&again, later), active);
    s->r = again;
}

/* A row that no plan foresaw is written after the checkpoint: it lies in the quarantine, and the process dies. */
static void quarantine_written_since_is_found(void **state) {
    stage *s = *state;
    rig_flight odd = s->flights[FLIGHTS - 1];
    rig again;
    int64_t all;

    assert_ok(psh_autopilot_checkpoint(s->r.pilot, s->now, NULL));
    odd.time = s->now + 36500 * PSH_DAY;
    odd.seq = 1000000;
    assert_ok(rig_commit(&s->r, &odd, 1, s->now));
    assert_int_equal(s->r.counts.quarantined, 1);
    all = count_all(&s->r, s->now, 1);
    rig_close(&s->r);
    assert_ok(rig_reopen(&again, s->env, s->schema, s->h, s->now));
    assert_int_equal(count_all(&again, s->now, 1), all);
    assert_int_equal(count_all(&again, s->now, 0), all);
    s->r = again;
}

static void pending_actions_go_on(void **state) {
    stage *s = *state;
    uint64_t id;
    rig again;
    int rounds = 0;

    memory_host_set_pending(s->h, 1);
    s->now += 2 * PSH_HOUR;
    assert_ok(rig_step(&s->r, s->now));
    assert_true(psh_driver_pending(s->r.driver) > 0);
    assert_ok(psh_autopilot_checkpoint(s->r.pilot, s->now, NULL));
    rig_close(&s->r);
    assert_ok(rig_reopen(&again, s->env, s->schema, s->h, s->now));
    assert_ok(rig_step(&again, s->now));
    while (memory_host_finish(s->h, &id) == PSH_OK && rounds++ < 100) {
        assert_ok(psh_driver_complete(again.driver, id, PSH_OK, s->now));
        assert_ok(rig_step(&again, s->now));
    }
    assert_int_equal(psh_driver_pending(again.driver), 0);
    assert_non_null(psh_world_locate(psh_worlds_current(again.worlds), 0, s->now, 0));
    assert_ok(psh_tiers_check(again.parts.tiers));
    s->r = again;
}

static void nothing_there(void **state) {
    stage *s = *state;
    memory_host *empty = memory_host_create(s->schema);
    rig again;

    assert_int_equal(rig_reopen(&again, s->env, s->schema, empty, s->now), PSH_E_NOT_FOUND);
    assert_null(again.pilot);
    assert_null(again.parts.map);
    rig_close(&again);
    memory_host_destroy(empty);
}

static void failures_make_nothing(void **state) {
    stage *s = *state;
    rig again;

    assert_ok(psh_autopilot_checkpoint(s->r.pilot, s->now, NULL));
    assert_int_equal(rig_reopen(&again, s->env, s->schema, s->h, s->now - 1), PSH_E_TIME);
    assert_null(again.parts.forecaster);
    rig_close(&again);
    memory_host_fail(s->h, 0, 0);
    assert_int_equal(rig_reopen(&again, s->env, s->schema, s->h, s->now), PSH_E_HOST);
    rig_close(&again);
    assert_ok(rig_reopen(&again, s->env, s->schema, s->h, s->now));
    rig_close(&again);
    memory_host_fail(s->h, 0, 0);
    assert_int_equal(psh_autopilot_checkpoint(s->r.pilot, s->now, NULL), PSH_E_HOST);
    assert_int_equal(psh_autopilot_checkpoint(s->r.pilot, s->now - 1, NULL), PSH_E_TIME);
}

static void damage_is_noticed(void **state) {
    stage *s = *state;
    psh_blob_write write = { "predshard/checkpoint", NULL, 0 };
    psh_buffer *blob = NULL;
    unsigned char *bytes;
    psh_status st;
    rig again;
    size_t i;

    assert_ok(psh_autopilot_checkpoint(s->r.pilot, s->now, NULL));
    assert_ok(psh_buffer_create(s->env, &blob));
    assert_ok(s->r.storage.get(s->h, write.name, blob));
    write.size = psh_buffer_size(blob);
    bytes = test_malloc(write.size);
    memcpy(bytes, psh_buffer_data(blob), write.size);
    write.data = bytes;
    for (i = 0; i < write.size; i += 1 + write.size / 500) {
        bytes[i] ^= 1;
        assert_ok(s->r.storage.commit(s->h, &write, 1));
        st = rig_reopen(&again, s->env, s->schema, s->h, s->now);
        assert_true(st == PSH_E_CORRUPT || st == PSH_E_NEWER);
        rig_close(&again);
        bytes[i] ^= 1;
    }
    test_free(bytes);
    psh_buffer_destroy(blob);
}

/* The source forgot what was not polled: nobody reads what misses it, and the views come back. */
static void a_gap_refills_the_views(void **state) {
    stage *s = *state;
    psh_autopilot_stats before = { .struct_size = sizeof before }, after = { .struct_size = sizeof after };
    psh_view_info info;
    rig_flight late[4];
    int same = 0, round;
    size_t i;
    uint32_t t;

    for (round = 0; round < 8; round++) {
        for (t = 0; t < RIG_TEMPLATES; t++)
            assert_ok(compact_ask(&s->r, t, s->now, &same));
        s->now += COMPACT_COMMIT;
        assert_ok(rig_step(&s->r, s->now));
    }
    assert_true(psh_materializer_view_count(s->r.parts.materializer) > 0);
    assert_ok(psh_autopilot_get_stats(s->r.pilot, &before));
    assert_true(before.filled_rows > 0);
    compact_flights(late, 4, PSH_MINUTE);
    for (i = 0; i < 4; i++) {
        late[i].time = s->now - 5 * PSH_MINUTE + (int64_t)i;
        late[i].seq = 9000 + (int64_t)i;
    }
    assert_ok(rig_commit(&s->r, late, 4, s->now));
    assert_ok(s->r.cdc.acknowledge(s->h, memory_host_position(s->h)));
    psh_autopilot_refresh(s->r.pilot);
    assert_ok(rig_step(&s->r, s->now + 1));
    assert_ok(psh_autopilot_get_stats(s->r.pilot, &after));
    assert_true(psh_driver_cursor(s->r.driver) == memory_host_position(s->h));
    assert_true(after.filled_rows > before.filled_rows);
    assert_int_equal(after.host_errors, before.host_errors);
    for (i = 0; psh_materializer_view(s->r.parts.materializer, i, &info) == PSH_OK; i++)
        assert_true(info.parts_ready > 0); /* all but those of intervals that own no key yet */
    memset(&s->r.counts, 0, sizeof s->r.counts);
    for (t = 0; t < RIG_TEMPLATES; t++) {
        assert_ok(compact_ask(&s->r, t, s->now + 1, &same));
        assert_int_equal(same, 1);
    }
    assert_true(s->r.counts.whole + s->r.counts.part > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(quarantine_written_since_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(active_partitions_are_stored_first, setup, teardown),
        cmocka_unit_test_setup_teardown(pending_actions_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_there, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_make_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gap_refills_the_views, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_noticed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
