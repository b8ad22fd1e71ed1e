/* SPDX-License-Identifier: MIT */
/* The application changes and deletes rows, writes late ones, and one dated 2100: every answer stays the truth. */
#include "compact.h"

#define FLIGHTS 120u
#define EVERY (5 * PSH_MINUTE)

typedef struct stage {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    memory_host *h;
    rig r;
    rig_flight flights[FLIGHTS + 8]; /* as the application knows them */
    int gone[FLIGHTS + 8];
    size_t count;
    uint64_t reopened;
} stage;

static void as_row(const rig_flight *f, psh_value row[6]) {
    test_flight(row, f->origin, f->time, f->seq, f->destination, f->delay, f->distance);
}

/* A row of a sealed interval may change when its partition is open again. Archived ones do not change. */
static int may_change(stage *s, const rig_flight *f, int64_t now) {
    psh_value tenant = test_text(f->origin);
    const psh_partition *p = psh_world_locate(
        psh_worlds_current(s->r.worlds), 0, f->time, psh_tenant_id(&tenant));

    if (!p || (p->state != PSH_PARTITION_ACTIVE && p->state != PSH_PARTITION_SEALED))
        return 0;
    if (p->state == PSH_PARTITION_SEALED) {
        assert_ok(psh_map_reopen(s->r.parts.map, p->id));
        assert_ok(psh_autopilot_publish(s->r.pilot, now, NULL));
        s->reopened++;
    }
    return 1;
}

static void edit(stage *s, size_t i, int64_t now) {
    psh_value row[6];

    if (s->gone[i] || !may_change(s, &s->flights[i], now))
        return;
    assert_ok(memory_host_begin(s->h, now));
    if (i % 3 == 0) {
        s->gone[i] = 1;
        as_row(&s->flights[i], row);
        assert_ok(memory_host_remove(s->h, 0, row));
    } else {
        s->flights[i].delay += 1000;
        s->flights[i].distance -= 7;
        as_row(&s->flights[i], row);
        assert_ok(memory_host_update(s->h, 0, row));
    }
    assert_ok(memory_host_commit(s->h, NULL));
}

static void save_answer(const stage *s, psh_answer *a, psh_buffer **out) {
    assert_ok(psh_buffer_create(s->env, out));
    assert_ok(psh_answer_save(a, *out));
    psh_answer_destroy(a);
}

static void check_truth(stage *s, int64_t now) {
    int64_t to = now - now % (10 * PSH_MINUTE);
    psh_buffer *x = NULL, *y = NULL;
    psh_answer *routed = NULL, *naive = NULL;
    psh_query *q = NULL;
    psh_value row[6];
    uint32_t coverage = 0, t;
    size_t i;

    for (t = 0; t < RIG_TEMPLATES; t++) {
        assert_ok(rig_query(&s->r, t, "ORD", to - 3 * PSH_HOUR, to, &q));
        assert_ok(psh_answer_create(s->env, q, 0, &routed));
        assert_ok(psh_answer_create(s->env, q, 0, &naive));
        assert_ok(rig_answer(&s->r, q, now, 0, routed, &coverage));
        for (i = 0; i < s->count; i++) {
            as_row(&s->flights[i], row);
            if (!s->gone[i])
                assert_ok(psh_answer_add_rows(naive, row, 1));
        }
        assert_ok(psh_answer_finish(naive));
        save_answer(s, routed, &x);
        save_answer(s, naive, &y);
        assert_int_equal(psh_buffer_size(x), psh_buffer_size(y));
        assert_memory_equal(psh_buffer_data(x), psh_buffer_data(y), psh_buffer_size(x));
        s->r.counts.whole += coverage == PSH_COVERAGE_WHOLE;
        assert_ok(rig_observe(&s->r, q, now, 500));
        psh_buffer_destroy(x);
        psh_buffer_destroy(y);
        psh_query_unref(q);
    }
}

/* One more row that comes at `now` with another time. */
static void commit_odd(stage *s, int64_t time, int64_t now) {
    rig_flight *f = &s->flights[s->count];

    memset(f, 0, sizeof *f);
    strcpy(f->origin, "ORD");
    strcpy(f->destination, "LAX");
    f->time = time;
    f->seq = 90000 + (int64_t)s->count;
    f->distance = 10;
    assert_ok(rig_commit(&s->r, f, 1, now));
    s->count++;
}

static void run_day(stage *s) {
    static rig_flight coming[FLIGHTS];
    int64_t now = TEST_T0, y2100 = TEST_T0 + 99 * 365 * PSH_DAY, ticks = 0;
    size_t next = 0, n, tables;

    compact_flights(coming, FLIGHTS, EVERY);
    assert_ok(rig_step(&s->r, now));
    for (now += COMPACT_COMMIT; next < FLIGHTS; now += COMPACT_COMMIT, ticks++) {
        for (n = 0; next + n < FLIGHTS && coming[next + n].time < now; n++)
            s->flights[s->count++] = coming[next + n];
        assert_ok(rig_commit(&s->r, coming + next, n, now));
        next += n;
        tables = memory_host_table_count(s->h);
        if (ticks == 12)
            commit_odd(s, y2100, now);
        if (ticks > 8 && ticks % 8 == 0)
            commit_odd(s, now - 100 * PSH_MINUTE, now); /* late: its interval may be sealed or archived */
        assert_int_equal(memory_host_table_count(s->h), tables);
        edit(s, s->count - 1 - (size_t)(ticks % 3), now);
        if (s->count > 18)
            edit(s, s->count - 18, now);
        psh_autopilot_refresh(s->r.pilot);
        assert_ok(rig_step(&s->r, now));
        assert_true(memory_host_table_count(s->h) <= tables + 4);
        check_truth(s, now);
    }
}

static void edits_keep_answers_true(void **state) {
    static stage s;
    const psh_partition *p;
    size_t i;

    (void)state;
    memset(&s, 0, sizeof s);
    s.env = test_env(&s.alloc);
    s.schema = rig_schema(s.env, COMPACT_INTERVAL);
    s.h = memory_host_create(s.schema);
    assert_ok(rig_open(&s.r, s.env, s.schema, s.h, COMPACT_INTERVAL));
    run_day(&s);
    assert_true(s.r.counts.whole > 0);
    assert_true(s.reopened > 0);
    assert_true(s.r.counts.quarantined > 0);
    for (i = 0; (p = psh_map_get(s.r.parts.map, i)) != NULL; i++) /* 2100 planned nothing */
        assert_true(p->flags & PSH_PARTITION_QUARANTINE || p->time_to < TEST_T0 + 2 * PSH_DAY);
    rig_close(&s.r);
    memory_host_destroy(s.h);
    psh_schema_unref(s.schema);
    psh_env_destroy(s.env);
    assert_int_equal(s.alloc.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(edits_keep_answers_true) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
