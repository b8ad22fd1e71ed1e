/* SPDX-License-Identifier: MIT */
/* States, writes, export, and a random walk of days after which every world must stand. */
#include "test.h"

#include "base/rng.h"

static const uint64_t HALF = UINT64_C(1) << 63;

typedef struct fixture {
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    psh_map *map;
} fixture;

static void open_fixture(fixture *f, const psh_map_options *o) {
    f->env = test_env(&f->alloc);
    f->schema = test_flights_schema(f->env);
    assert_ok(psh_map_create(f->env, f->schema, o, &f->map, NULL));
}

static void close_fixture(fixture *f) {
    psh_map_destroy(f->map);
    psh_schema_unref(f->schema);
    psh_env_destroy(f->env);
    assert_int_equal(f->alloc.live, 0);
}

static psh_action act(uint32_t kind, int64_t day, uint64_t first, uint64_t last, uint32_t ordinal) {
    psh_action a;

    memset(&a, 0, sizeof a);
    a.want.kind = kind;
    a.want.why = PSH_WHY_FORECAST;
    a.want.interval = TEST_T0 / PSH_DAY + day;
    a.want.time_from = TEST_T0 + day * PSH_DAY;
    a.want.time_to = a.want.time_from + PSH_DAY;
    a.want.arc_first = first;
    a.want.arc_last = last;
    a.want.ordinal = ordinal;
    a.want.subject = psh_partition_id(0, a.want.interval, first);
    a.want.resources.bytes = 1000.5;
    a.want.not_before = PSH_TIME_MIN;
    a.want.deadline = PSH_TIME_MAX;
    a.id = psh_action_id(kind, a.want.subject, 0);
    return a;
}

static void run(psh_map *m, psh_action a) {
    assert_ok(psh_map_begin(m, &a));
    assert_ok(psh_map_complete(m, &a, PSH_OK, TEST_T0));
}

static psh_world *make_world(fixture *f, uint64_t epoch) {
    psh_world_draft *d;
    psh_world *w = NULL;

    assert_ok(psh_world_draft_create(f->env, f->schema, epoch, TEST_T0, &d));
    assert_ok(psh_map_export(f->map, d));
    assert_ok(psh_world_create(d, &w, NULL));
    psh_world_draft_destroy(d);
    return w;
}

static size_t count_state(fixture *f, uint32_t state) {
    psh_world *w = make_world(f, 1);
    size_t i, n = 0;

    for (i = 0; i < psh_world_partition_count(w); i++)
        n += psh_world_partition(w, i)->state == state;
    psh_world_unref(w);
    return n;
}

static void options_are_checked(void **state) {
    psh_error err = { .struct_size = sizeof err };
    psh_map_options o;
    psh_map *m;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.max_arcs = 4097;
    assert_int_equal(psh_map_create(f.env, f.schema, &o, &m, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "max_arcs");
    assert_null(m);
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.target_bytes = 0;
    assert_int_equal(psh_map_create(f.env, f.schema, &o, &m, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "target_bytes");
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.flags = 1;
    assert_int_equal(psh_map_create(f.env, f.schema, &o, &m, &err), PSH_E_UNSUPPORTED);
    assert_int_equal(psh_map_create(f.env, NULL, NULL, &m, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "schema");
    close_fixture(&f);
}

static void a_life_goes_through_its_states(void **state) {
    psh_action a = act(PSH_ACT_CREATE_PARTITION, 0, 0, UINT64_MAX, 0);
    const psh_partition *p;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    assert_ok(psh_map_begin(f.map, &a));
    assert_ok(psh_map_begin(f.map, &a)); /* again: no harm */
    assert_int_equal(psh_map_count(f.map), 1);
    assert_int_equal(count_state(&f, PSH_PARTITION_WARMING), 0); /* not there yet: not in the world */
    assert_ok(psh_map_complete(f.map, &a, PSH_OK, TEST_T0));
    assert_ok(psh_map_complete(f.map, &a, PSH_E_HOST, TEST_T0)); /* late repeat: no harm */
    p = psh_map_get(f.map, 0);
    assert_null(psh_map_get(f.map, 1));
    assert_int_equal(p->state, PSH_PARTITION_SHADOW);
    assert_int_equal(p->bytes_planned, 1001);
    assert_int_equal(p->created_at, TEST_T0);
    run(f.map, act(PSH_ACT_ACTIVATE_PARTITION, 0, 0, UINT64_MAX, 0));
    assert_int_equal(p->state, PSH_PARTITION_ACTIVE);
    run(f.map, act(PSH_ACT_SEAL_PARTITION, 0, 0, UINT64_MAX, 0));
    assert_int_equal(p->state, PSH_PARTITION_SEALED);
    assert_ok(psh_map_reopen(f.map, p->id));
    assert_int_equal(p->state, PSH_PARTITION_ACTIVE);
    assert_int_equal(psh_map_reopen(f.map, p->id), PSH_E_STATE);
    a = act(PSH_ACT_SEAL_PARTITION, 0, 0, UINT64_MAX, 0);
    a.want.generation = 1;
    a.id = psh_action_id(a.want.kind, a.want.subject, 1);
    run(f.map, a);
    a = act(PSH_ACT_ARCHIVE_PARTITION, 0, 0, UINT64_MAX, 0);
    a.want.node = 3;
    a.want.tier = 1;
    run(f.map, a);
    assert_int_equal(p->state, PSH_PARTITION_ARCHIVED);
    assert_int_equal(p->node, 3);
    assert_int_equal(p->tier, 1);
    run(f.map, act(PSH_ACT_DROP_PARTITION, 0, 0, UINT64_MAX, 0));
    assert_int_equal(psh_map_count(f.map), 0);
    run(f.map, act(PSH_ACT_DROP_PARTITION, 0, 0, UINT64_MAX, 0)); /* gone already */
    close_fixture(&f);
}

static void illegal_transitions_are_refused(void **state) {
    psh_action a = act(PSH_ACT_ACTIVATE_PARTITION, 0, 0, UINT64_MAX, 0);
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    assert_int_equal(psh_map_begin(f.map, &a), PSH_E_STATE); /* not there */
    run(f.map, act(PSH_ACT_CREATE_PARTITION, 0, 0, UINT64_MAX, 0));
    a = act(PSH_ACT_SEAL_PARTITION, 0, 0, UINT64_MAX, 0);
    assert_int_equal(psh_map_begin(f.map, &a), PSH_E_STATE);
    a = act(PSH_ACT_ARCHIVE_PARTITION, 0, 0, UINT64_MAX, 0);
    assert_int_equal(psh_map_begin(f.map, &a), PSH_E_STATE);
    a = act(PSH_ACT_ACTIVATE_PARTITION, 0, 0, UINT64_MAX, 0);
    assert_ok(psh_map_begin(f.map, &a));
    a = act(PSH_ACT_DROP_PARTITION, 0, 0, UINT64_MAX, 0);
    assert_int_equal(psh_map_begin(f.map, &a), PSH_E_STATE); /* another is under way */
    a = act(PSH_ACT_ACTIVATE_PARTITION, 0, 0, UINT64_MAX, 0);
    assert_ok(psh_map_complete(f.map, &a, PSH_E_HOST, TEST_T0));
    assert_int_equal(psh_map_get(f.map, 0)->state, PSH_PARTITION_SHADOW);
    a.want.kind = PSH_ACT_BUILD_VIEW;
    assert_int_equal(psh_map_begin(f.map, &a), PSH_E_INVALID);
    close_fixture(&f);
}

static void creations_are_checked(void **state) {
    psh_map_options o;
    psh_action a;
    fixture f;

    (void)state;
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.max_partitions = 2;
    open_fixture(&f, &o);
    run(f.map, act(PSH_ACT_CREATE_PARTITION, 0, 0, HALF - 1, 0));
    a = act(PSH_ACT_CREATE_PARTITION, 0, 5, UINT64_MAX, 1); /* overlaps */
    assert_int_equal(psh_map_begin(f.map, &a), PSH_E_STATE);
    a = act(PSH_ACT_CREATE_PARTITION, 0, HALF, UINT64_MAX, 0); /* ordinal taken */
    assert_int_equal(psh_map_begin(f.map, &a), PSH_E_STATE);
    a = act(PSH_ACT_CREATE_PARTITION, 0, HALF, UINT64_MAX, 1);
    a.want.time_to++;
    assert_int_equal(psh_map_begin(f.map, &a), PSH_E_INVALID);
    a = act(PSH_ACT_CREATE_PARTITION, 0, HALF, UINT64_MAX, 1);
    a.want.subject++;
    assert_int_equal(psh_map_begin(f.map, &a), PSH_E_INVALID);
    a = act(PSH_ACT_CREATE_PARTITION, 0, HALF, UINT64_MAX, 1);
    a.want.node = PSH_NONE; /* not placed */
    assert_int_equal(psh_map_begin(f.map, &a), PSH_E_INVALID);
    a = act(PSH_ACT_CREATE_PARTITION, 0, HALF, UINT64_MAX, 1);
    assert_ok(psh_map_begin(f.map, &a));
    assert_ok(psh_map_complete(f.map, &a, PSH_E_HOST, TEST_T0)); /* failed: as if never */
    assert_int_equal(psh_map_count(f.map), 1);
    run(f.map, a);
    a = act(PSH_ACT_CREATE_PARTITION, 1, 0, UINT64_MAX, 0);
    assert_int_equal(psh_map_begin(f.map, &a), PSH_E_LIMIT);
    assert_int_equal(psh_map_count(f.map), 2);
    close_fixture(&f);
}

static void arcs_become_owners_together(void **state) {
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    run(f.map, act(PSH_ACT_CREATE_PARTITION, 0, 0, HALF - 1, 0));
    run(f.map, act(PSH_ACT_ACTIVATE_PARTITION, 0, 0, HALF - 1, 0));
    assert_int_equal(count_state(&f, PSH_PARTITION_WARMING), 1); /* half of the ring is missing */
    run(f.map, act(PSH_ACT_CREATE_PARTITION, 0, HALF, UINT64_MAX, 1));
    assert_int_equal(count_state(&f, PSH_PARTITION_WARMING), 1);
    assert_int_equal(count_state(&f, PSH_PARTITION_SHADOW), 1);
    run(f.map, act(PSH_ACT_ACTIVATE_PARTITION, 0, HALF, UINT64_MAX, 1));
    assert_int_equal(count_state(&f, PSH_PARTITION_ACTIVE), 2);
    run(f.map, act(PSH_ACT_SEAL_PARTITION, 0, 0, HALF - 1, 0));
    assert_int_equal(count_state(&f, PSH_PARTITION_ACTIVE), 1); /* states may differ among owners */
    close_fixture(&f);
}

static void one_drop_hides_its_interval(void **state) {
    psh_action other = act(PSH_ACT_DROP_PARTITION, 0, HALF, UINT64_MAX, 1);
    psh_wants *wants;
    psh_want w;
    size_t i, drops = 0;
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    run(f.map, act(PSH_ACT_CREATE_PARTITION, 0, 0, HALF - 1, 0));
    run(f.map, act(PSH_ACT_CREATE_PARTITION, 0, HALF, UINT64_MAX, 1));
    run(f.map, act(PSH_ACT_ACTIVATE_PARTITION, 0, 0, HALF - 1, 0));
    run(f.map, act(PSH_ACT_ACTIVATE_PARTITION, 0, HALF, UINT64_MAX, 1));
    run(f.map, act(PSH_ACT_DROP_PARTITION, 0, 0, HALF - 1, 0));
    assert_ok(psh_map_begin(f.map, &other));
    assert_ok(psh_map_complete(f.map, &other, PSH_E_HOST, TEST_T0));
    assert_int_equal(psh_map_count(f.map), 1);
    assert_int_equal(
        psh_map_observe_write(f.map, other.want.subject, 1, 1, TEST_T0, TEST_T0, 1), PSH_E_STATE);
    assert_int_equal(count_state(&f, PSH_PARTITION_ACTIVE) + count_state(&f, PSH_PARTITION_WARMING), 0);
    assert_ok(psh_wants_create(f.env, &wants));
    assert_ok(psh_map_propose(f.map, NULL, TEST_T0, wants, NULL));
    for (i = 0; i < psh_wants_count(wants); i++) {
        assert_ok(psh_wants_get(wants, i, &w));
        assert_true(w.interval != TEST_T0 / PSH_DAY || w.kind == PSH_ACT_DROP_PARTITION);
        drops += w.kind == PSH_ACT_DROP_PARTITION && w.subject == other.want.subject;
    }
    assert_int_equal(drops, 1); /* the drop that failed is wanted again */
    psh_wants_destroy(wants);
    close_fixture(&f);
}

static void writes_are_counted(void **state) {
    psh_action q = act(PSH_ACT_CREATE_PARTITION, 0, 0, UINT64_MAX, 0);
    const psh_partition *p;
    uint64_t id = q.want.subject, qid = psh_quarantine_id(0);
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    assert_int_equal(psh_map_observe_write(f.map, id, 1, 1, TEST_T0, TEST_T0, 1), PSH_E_NOT_FOUND);
    run(f.map, q);
    run(f.map, act(PSH_ACT_ACTIVATE_PARTITION, 0, 0, UINT64_MAX, 0));
    assert_ok(psh_map_observe_write(f.map, id, 2, 100, TEST_T0 + 5, TEST_T0 + 6, 9));
    assert_ok(psh_map_observe_write(f.map, id, 1, 50, TEST_T0 + 1, TEST_T0 + 1, 7));
    p = psh_map_get(f.map, 0);
    assert_int_equal(p->rows, 3);
    assert_int_equal(p->bytes, 150);
    assert_int_equal(p->last_position, 9);
    assert_int_equal(p->first_write, TEST_T0 + 5);
    assert_int_equal(psh_map_observe_write(f.map, id, 1, 1, TEST_T0, TEST_T0 + PSH_DAY, 1), PSH_E_INVALID);
    assert_int_equal(psh_map_observe_write(f.map, id, 1, 1, TEST_T0 + 1, TEST_T0, 1), PSH_E_INVALID);
    run(f.map, act(PSH_ACT_SEAL_PARTITION, 0, 0, UINT64_MAX, 0));
    assert_int_equal(psh_map_observe_write(f.map, id, 1, 1, TEST_T0, TEST_T0, 10), PSH_AGAIN);
    q.want.subject = qid;
    q.want.interval = q.want.time_from = q.want.time_to = 0;
    q.id = psh_action_id(q.want.kind, qid, 0);
    run(f.map, q);
    assert_int_equal(psh_map_observe_write(f.map, qid, 1, 1, 70, 80, 11), PSH_AGAIN);
    assert_int_equal(psh_map_observe_write(f.map, qid, 1, 1, 20, PSH_TIME_MAX, 11), PSH_AGAIN);
    p = psh_map_get(f.map, 1); /* quarantines last */
    assert_int_equal(p->id, qid);
    assert_int_equal(p->time_from, 20);
    assert_true(p->time_to == PSH_TIME_MAX);
    q.want.kind = PSH_ACT_DROP_PARTITION;
    q.id++;
    assert_int_equal(psh_map_begin(f.map, &q), PSH_E_STATE); /* a quarantine is never dropped */
    close_fixture(&f);
}

typedef struct under_way {
    psh_action actions[512];
    size_t count;
} under_way;

/* Begins what is wanted, each with some chance. */
static void begin_some(fixture *f, under_way *u, int64_t now, uint64_t *seed) {
    psh_wants *wants;
    psh_action a;
    size_t i;

    assert_ok(psh_wants_create(f->env, &wants));
    assert_ok(psh_map_propose(f->map, NULL, now, wants, NULL));
    for (i = 0; i < psh_wants_count(wants) && u->count < 512; i++) {
        memset(&a, 0, sizeof a);
        assert_ok(psh_wants_get(wants, i, &a.want));
        a.id = psh_action_id(a.want.kind, a.want.subject, a.want.generation);
        a.want.node = a.want.tier = 0;
        if (pshi_rng_unit(seed) < 0.7 && psh_map_begin(f->map, &a) == PSH_OK)
            u->actions[u->count++] = a;
    }
    psh_wants_destroy(wants);
}

static void drop_old(fixture *f, under_way *u, int64_t now, uint64_t *seed) {
    const psh_partition *p;
    psh_action a;
    size_t i;

    for (i = 0; (p = psh_map_get(f->map, i)) != NULL && u->count < 512; i++) {
        if (p->flags || p->time_to + 3 * PSH_DAY > now || pshi_rng_unit(seed) < 0.5)
            continue;
        memset(&a, 0, sizeof a);
        a.want.kind = PSH_ACT_DROP_PARTITION;
        a.want.subject = p->id;
        a.id = psh_action_id(a.want.kind, p->id, 0);
        if (psh_map_begin(f->map, &a) == PSH_OK)
            u->actions[u->count++] = a;
    }
}

static void complete_some(fixture *f, under_way *u, int64_t now, uint64_t *seed) {
    size_t i;

    for (i = 0; i < u->count;) {
        if (pshi_rng_unit(seed) < 0.3) {
            i++;
            continue;
        }
        assert_ok(psh_map_complete(f->map, &u->actions[i], pshi_rng_unit(seed) < 0.8 ? PSH_OK : PSH_E_HOST, now));
        u->actions[i] = u->actions[--u->count];
    }
}

/* The bytes of a map survive a load. */
static void reload(fixture *f) {
    psh_buffer *a, *b;
    psh_map *copy;

    assert_ok(psh_buffer_create(f->env, &a));
    assert_ok(psh_buffer_create(f->env, &b));
    assert_ok(psh_map_save(f->map, a));
    assert_ok(psh_map_load(f->env, f->schema, psh_buffer_data(a), psh_buffer_size(a), 0, &copy, NULL));
    assert_ok(psh_map_save(copy, b));
    assert_int_equal(psh_buffer_size(a), psh_buffer_size(b));
    assert_memory_equal(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a));
    psh_map_destroy(f->map);
    f->map = copy;
    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
}

static void every_epoch_of_a_random_walk_stands(void **state) {
    psh_map_options o;
    under_way u = { .count = 0 };
    uint64_t seed = 2001, step, owned = 0;
    int64_t now = TEST_T0;
    psh_world *w;
    fixture f;

    (void)state;
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.default_arcs = 5;
    o.lead_ns = 2 * PSH_DAY;
    open_fixture(&f, &o);
    for (step = 1; step <= 1200; step++, now += PSH_HOUR) {
        begin_some(&f, &u, now, &seed);
        drop_old(&f, &u, now, &seed);
        complete_some(&f, &u, now, &seed);
        w = make_world(&f, step);
        owned += psh_world_locate(w, 0, now, pshi_rng_next(&seed)) != NULL;
        psh_world_unref(w);
        if (step % 50 == 0)
            reload(&f);
    }
    assert_in_range(owned, 1000, 1200); /* failures are made up for, nearly always in time */
    assert_in_range(psh_map_count(f.map), 10, 60); /* and old partitions do go */
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_life_goes_through_its_states),
        cmocka_unit_test(illegal_transitions_are_refused),
        cmocka_unit_test(creations_are_checked),
        cmocka_unit_test(arcs_become_owners_together),
        cmocka_unit_test(one_drop_hides_its_interval),
        cmocka_unit_test(writes_are_counted),
        cmocka_unit_test(every_epoch_of_a_random_walk_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
