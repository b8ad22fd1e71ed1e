/* SPDX-License-Identifier: MIT */
/* Splits, merges, copies, assignments and nodes: legal transitions only, and a world that stands after each. */
#include "reshape.h"

static void a_split_gives_the_child_its_keys_in_one_step(void **state) {
    fixture f;

    (void)state;
    begin_with_one(&f, NULL);
    run(f.map, act_child(HALF, UINT64_MAX, 0, 1));
    assert_int_equal(get(f.map, HALF)->state, PSH_PARTITION_SHADOW);
    assert_true(owner(&f, UINT64_MAX) == 0);
    run(f.map, act_split(HALF, UINT64_MAX, 0, 1, 2));
    assert_int_equal(get(f.map, HALF)->state, PSH_PARTITION_WARMING);
    assert_true(owner(&f, UINT64_MAX) == 0);
    run(f.map, act_split(HALF, UINT64_MAX, 0, 1, 2)); /* again: no harm */
    run(f.map, act_split(HALF, UINT64_MAX, 0, 2, 2));
    assert_int_equal(get(f.map, HALF)->state, PSH_PARTITION_ACTIVE);
    assert_true(owner(&f, UINT64_MAX) == HALF && owner(&f, HALF) == HALF && owner(&f, HALF - 1) == 0);
    assert_true(get(f.map, 0)->arc_last == HALF - 1);
    assert_int_equal(get(f.map, 0)->bytes + get(f.map, HALF)->bytes, 1000);
    assert_int_equal(get(f.map, HALF)->bytes, 400);
    assert_int_equal(get(f.map, HALF)->rows, 4);
    assert_int_equal(get(f.map, HALF)->last_position, 77);
    run(f.map, act_split(HALF, UINT64_MAX, 0, 2, 2)); /* once more: nothing is left to do */
    run(f.map, act_merge(0, UINT64_MAX, HALF));
    assert_null(get(f.map, HALF));
    assert_true(get(f.map, 0)->arc_last == UINT64_MAX && owner(&f, UINT64_MAX) == 0);
    assert_int_equal(get(f.map, 0)->bytes, 1000);
    assert_int_equal(get(f.map, 0)->rows, 10);
    run(f.map, act_merge(0, UINT64_MAX, HALF));
    close_fixture(&f);
}

static void children_are_cut_from_the_right(void **state) {
    psh_action a;
    fixture f;

    (void)state;
    begin_with_one(&f, NULL);
    run(f.map, act_child(QUARTER, HALF - 1, 0, 1));
    run(f.map, act_child(HALF, UINT64_MAX, 0, 2));
    refused(f.map, act_child(HALF + QUARTER, UINT64_MAX, 0, 3)); /* overlaps the one before */
    a = act_child(HALF + 1, UINT64_MAX, 0, 1);                    /* its ordinal is taken, too */
    refused(f.map, a);
    refused(f.map, act_split(QUARTER, HALF - 1, 0, 1, 1)); /* does not end where its source does */
    run(f.map, act_split(HALF, UINT64_MAX, 0, 1, 1));
    run(f.map, act_split(QUARTER, HALF - 1, 0, 1, 1));
    assert_true(owner(&f, 0) == 0 && owner(&f, QUARTER) == QUARTER && owner(&f, HALF) == HALF);
    refused(f.map, act_merge(0, UINT64_MAX, HALF)); /* no neighbours */
    run(f.map, act_merge(QUARTER, UINT64_MAX, HALF));
    run(f.map, act_merge(0, UINT64_MAX, QUARTER));
    assert_int_equal(psh_map_count(f.map), 1);
    close_fixture(&f);
}

static void what_has_no_source_or_place_is_refused(void **state) {
    psh_action a;
    fixture f;

    (void)state;
    begin_with_one(&f, NULL);
    a = act_child(HALF, UINT64_MAX, QUARTER, 1);
    refused(f.map, a);
    a = act_child(HALF, UINT64_MAX, 0, 1);
    a.want.interval++;
    a.want.time_from += PSH_DAY;
    a.want.time_to += PSH_DAY;
    a.want.subject = psh_partition_id(0, DAY0 + 1, HALF);
    refused(f.map, a); /* of another interval */
    refused(f.map, act_split(HALF, UINT64_MAX, 0, 1, 1));
    run(f.map, act_child(HALF, UINT64_MAX, 0, 1));
    refused(f.map, act(PSH_ACT_ACTIVATE_PARTITION, HALF, UINT64_MAX, 0)); /* would make two owners */
    refused(f.map, act(PSH_ACT_SEAL_PARTITION, HALF, UINT64_MAX, 0));
    refused(f.map, act_split(HALF, UINT64_MAX, 0, 2, 2)); /* not the next step */
    refused(f.map, act_split(HALF, UINT64_MAX, QUARTER, 1, 1));
    a = act_split(HALF, UINT64_MAX, 0, 1, 3);
    run(f.map, a);
    refused(f.map, act_split(HALF, UINT64_MAX, 0, 2, 4)); /* another number of steps */
    refused(f.map, act(PSH_ACT_SEAL_PARTITION, 0, UINT64_MAX, 0)); /* its rows are being copied */
    refused(f.map, act(PSH_ACT_DROP_PARTITION, 0, UINT64_MAX, 0));
    refused(f.map, act_copy(PSH_ACT_REPLICATE_PARTITION, 2, 1, 1));
    run(f.map, act(PSH_ACT_DROP_PARTITION, HALF, UINT64_MAX, 0)); /* given up: the source is free again */
    run(f.map, act(PSH_ACT_SEAL_PARTITION, 0, UINT64_MAX, 0));
    assert_int_equal(psh_map_count(f.map), 1);
    assert_true(owner(&f, UINT64_MAX) == 0);
    close_fixture(&f);
}

static void a_failed_step_leaves_the_owner_its_keys(void **state) {
    psh_action a;
    fixture f;

    (void)state;
    begin_with_one(&f, NULL);
    run(f.map, act_child(HALF, UINT64_MAX, 0, 1));
    a = act_split(HALF, UINT64_MAX, 0, 1, 2);
    assert_ok(psh_map_begin(f.map, &a));
    assert_ok(psh_map_complete(f.map, &a, PSH_E_TIMEOUT, TEST_T0));
    assert_int_equal(get(f.map, HALF)->state, PSH_PARTITION_SHADOW);
    run(f.map, act_copy(PSH_ACT_REPLICATE_PARTITION, 2, 1, 1)); /* free for something else */
    refused(f.map, act_split(HALF, UINT64_MAX, 0, 1, 2));       /* not with copies */
    run(f.map, act_copy(PSH_ACT_DROP_REPLICA, 2, 0, 0));
    run(f.map, act_split(HALF, UINT64_MAX, 0, 1, 2));
    a = act_split(HALF, UINT64_MAX, 0, 2, 2);
    assert_ok(psh_map_begin(f.map, &a));
    assert_ok(psh_map_complete(f.map, &a, PSH_E_HOST, TEST_T0));
    refused(f.map, act(PSH_ACT_DROP_PARTITION, HALF, UINT64_MAX, 0)); /* it may hold the rows by now */
    assert_int_equal(get(f.map, HALF)->state, PSH_PARTITION_WARMING); /* the first step stands */
    assert_true(owner(&f, UINT64_MAX) == 0);
    run(f.map, a);
    assert_true(owner(&f, UINT64_MAX) == HALF);
    a = act_merge(0, UINT64_MAX, HALF);
    assert_ok(psh_map_begin(f.map, &a));
    refused(f.map, act(PSH_ACT_SEAL_PARTITION, HALF, UINT64_MAX, 0));
    assert_ok(psh_map_complete(f.map, &a, PSH_E_UNSUPPORTED, TEST_T0)); /* the host says that it was not done */
    assert_true(owner(&f, UINT64_MAX) == HALF);
    run(f.map, act(PSH_ACT_SEAL_PARTITION, HALF, UINT64_MAX, 0));
    refused(f.map, a); /* one is sealed, the other takes writes */
    close_fixture(&f);
}

static void a_change_of_owner_that_was_handed_out_is_carried_through(void **state) {
    psh_action a, b;
    psh_wants *wants;
    psh_want w;
    size_t i, found = 0;
    fixture f;

    (void)state;
    begin_with_one(&f, NULL);
    run(f.map, act_child(HALF, UINT64_MAX, 0, 1));
    run(f.map, act_split(HALF, UINT64_MAX, 0, 1, 1));
    a = act_merge(0, UINT64_MAX, HALF);
    assert_ok(psh_map_begin(f.map, &a));
    assert_ok(psh_map_complete(f.map, &a, PSH_E_TIMEOUT, TEST_T0)); /* it may have been done, or be done yet */
    assert_true(owner(&f, UINT64_MAX) == HALF);
    refused(f.map, act(PSH_ACT_SEAL_PARTITION, 0, UINT64_MAX, 0));
    refused(f.map, act(PSH_ACT_SEAL_PARTITION, HALF, UINT64_MAX, 0));
    b = act_copy(PSH_ACT_REPLICATE_PARTITION, 2, 1, 1);
    refused(f.map, b);
    b = a;
    b.want.generation++;
    refused(f.map, b); /* another one is not the same */
    assert_ok(psh_wants_create(f.env, &wants));
    assert_ok(psh_map_propose(f.map, NULL, TEST_T0 + PSH_HOUR, wants, NULL));
    for (i = 0; i < psh_wants_count(wants); i++) {
        assert_ok(psh_wants_get(wants, i, &w));
        if (w.kind == PSH_ACT_MERGE_PARTITION && w.generation == a.want.generation && w.source == a.want.source)
            found++;
    }
    assert_int_equal(found, 1); /* it is wanted again, under its id */
    assert_ok(psh_map_begin(f.map, &a));
    assert_ok(psh_map_complete(f.map, &a, PSH_E_NOMEM, TEST_T0)); /* not handed out this time: still owed */
    refused(f.map, act(PSH_ACT_SEAL_PARTITION, 0, UINT64_MAX, 0));
    run(f.map, a);
    assert_true(owner(&f, UINT64_MAX) == 0);
    psh_wants_destroy(wants);
    close_fixture(&f);
}

static void a_move_is_a_copy_a_promotion_and_an_end(void **state) {
    const psh_replica *r;
    psh_action a;
    fixture f;

    (void)state;
    begin_with_one(&f, NULL);
    refused(f.map, act_copy(PSH_ACT_REPLICATE_PARTITION, 1, 1, 1)); /* there it is */
    refused(f.map, act_copy(PSH_ACT_PROMOTE_PARTITION, 2, 0, 0));
    run(f.map, act_copy(PSH_ACT_REPLICATE_PARTITION, 2, 1, 2));
    refused(f.map, act_copy(PSH_ACT_PROMOTE_PARTITION, 2, 0, 0)); /* not ready */
    r = psh_map_replica(f.map, 0);
    assert_int_equal(r->state, PSH_REPLICA_WARMING);
    run(f.map, act_copy(PSH_ACT_REPLICATE_PARTITION, 2, 2, 2));
    r = psh_map_replica(f.map, 0);
    assert_true(r->state == PSH_REPLICA_READY && r->node == 2 && r->ready_at == TEST_T0);
    a = act_copy(PSH_ACT_PROMOTE_PARTITION, 2, 0, 0);
    assert_ok(psh_map_begin(f.map, &a));
    assert_int_equal(get(f.map, 0)->node, 1);
    assert_ok(psh_map_complete(f.map, &a, PSH_OK, TEST_T0));
    assert_int_equal(get(f.map, 0)->node, 2);
    r = psh_map_replica(f.map, 0);
    assert_true(r->node == 1 && psh_map_replica_count(f.map) == 1);
    run(f.map, a);
    run(f.map, act_copy(PSH_ACT_DROP_REPLICA, 1, 0, 0));
    run(f.map, act_copy(PSH_ACT_DROP_REPLICA, 1, 0, 0));
    assert_int_equal(psh_map_replica_count(f.map), 0);
    a = act_copy(PSH_ACT_REPLICATE_PARTITION, 5, 1, 1);
    assert_ok(psh_map_begin(f.map, &a));
    assert_int_equal(psh_map_replica_count(f.map), 1);
    assert_ok(psh_map_complete(f.map, &a, PSH_E_HOST, TEST_T0));
    assert_int_equal(psh_map_replica_count(f.map), 0);
    close_fixture(&f);
}

static void replicas_are_in_the_world_and_limited(void **state) {
    psh_map_options o;
    psh_world *w;
    size_t n;
    psh_action a;
    fixture f;

    (void)state;
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.max_replicas = 1;
    begin_with_one(&f, &o);
    run(f.map, act_copy(PSH_ACT_REPLICATE_PARTITION, 2, 1, 1));
    run(f.map, act_copy(PSH_ACT_REPLICATE_PARTITION, 3, 1, 1)); /* one more, so that it may move */
    a = act_copy(PSH_ACT_REPLICATE_PARTITION, 4, 1, 1);
    assert_int_equal(psh_map_begin(f.map, &a), PSH_E_LIMIT);
    w = make_world(&f, 1);
    assert_int_equal(psh_world_replicas(w, psh_partition_id(0, DAY0, 0), &n)[1].node, 3);
    assert_int_equal(n, 2);
    psh_world_unref(w);
    a = act_copy(PSH_ACT_DROP_REPLICA, 3, 0, 0);
    assert_ok(psh_map_begin(f.map, &a)); /* from here on nobody is sent there */
    w = make_world(&f, 2);
    assert_int_equal(psh_world_replicas(w, psh_partition_id(0, DAY0, 0), &n)->node, 2);
    assert_int_equal(n, 1);
    psh_world_unref(w);
    assert_ok(psh_map_complete(f.map, &a, PSH_OK, TEST_T0));
    run(f.map, act(PSH_ACT_SEAL_PARTITION, 0, UINT64_MAX, 0));
    a = act(PSH_ACT_ARCHIVE_PARTITION, 0, UINT64_MAX, 0);
    a.want.node = 2; /* where a replica stands */
    refused(f.map, a);
    run(f.map, act(PSH_ACT_DROP_PARTITION, 0, UINT64_MAX, 0)); /* with all its copies */
    assert_int_equal(psh_map_replica_count(f.map), 0);
    close_fixture(&f);
}

static void a_wrong_completion_harms_nothing(void **state) {
    psh_action a, other;
    fixture f;

    (void)state;
    begin_with_one(&f, NULL);
    run(f.map, act_child(HALF, UINT64_MAX, 0, 1));
    run(f.map, act_split(HALF, UINT64_MAX, 0, 1, 1));
    a = act_merge(0, UINT64_MAX, HALF);
    assert_ok(psh_map_begin(f.map, &a));
    other = a;
    other.want.source = 12345; /* the same id, said to be about another partition: what was begun counts */
    assert_ok(psh_map_complete(f.map, &other, PSH_OK, TEST_T0));
    assert_true(owner(&f, UINT64_MAX) == 0);
    run(f.map, act_copy(PSH_ACT_REPLICATE_PARTITION, 2, 1, 1));
    a = act_copy(PSH_ACT_PROMOTE_PARTITION, 2, 0, 0);
    assert_ok(psh_map_begin(f.map, &a));
    a.want.node = 9;
    assert_ok(psh_map_complete(f.map, &a, PSH_OK, TEST_T0));
    assert_int_equal(get(f.map, 0)->node, 2);
    close_fixture(&f);
}

static void segments_hold_from_the_next_interval(void **state) {
    psh_assignment a = { .tenant = 42, .table = 0, .segment = 7, .from = PSH_TIME_NONE, .tier = 1 };
    psh_world *w;
    psh_place place;
    fixture f;

    (void)state;
    begin_with_one(&f, NULL);
    assert_ok(psh_map_assign(f.map, &a, TEST_T0 + 5));
    assert_ok(psh_map_assign(f.map, &a, TEST_T0 + 6)); /* the same: nothing new */
    assert_int_equal(psh_map_assignment_count(f.map), 1);
    assert_true(psh_map_assignment(f.map, 0)->from == TEST_T0 + PSH_DAY);
    assert_true(psh_map_point(f.map, 0, 42, TEST_T0 + PSH_DAY - 1) == psh_ring_point(42, 0));
    assert_true(psh_map_point(f.map, 0, 42, TEST_T0 + PSH_DAY) == psh_ring_point(42, 7));
    a.segment = 8; /* before it begins it may still change */
    assert_ok(psh_map_assign(f.map, &a, TEST_T0 + 7));
    assert_int_equal(psh_map_assignment_count(f.map), 1);
    a.segment = 9;
    assert_ok(psh_map_assign(f.map, &a, TEST_T0 + 3 * PSH_DAY));
    assert_int_equal(psh_map_assignment_count(f.map), 2);
    assert_true(psh_map_point(f.map, 0, 42, TEST_T0 + 2 * PSH_DAY) == psh_ring_point(42, 8));
    assert_true(psh_map_point(f.map, 0, 42, TEST_T0 + 5 * PSH_DAY) == psh_ring_point(42, 9));
    w = make_world(&f, 1);
    assert_true(psh_world_point(w, 0, 42, TEST_T0 + 2 * PSH_DAY) == psh_ring_point(42, 8));
    assert_ok(psh_world_locate_tenant(w, 0, 42, TEST_T0, &place));
    assert_int_equal(place.segment, 0);
    assert_true(place.partition->arc_first == 0);
    psh_world_unref(w);
    a.table = 9;
    assert_int_equal(psh_map_assign(f.map, &a, TEST_T0), PSH_E_NOT_FOUND);
    a.table = 0;
    a.tenant = 0;
    assert_int_equal(psh_map_assign(f.map, &a, TEST_T0), PSH_E_INVALID);
    close_fixture(&f);
}

static void old_assignments_make_room(void **state) {
    psh_assignment a = { .tenant = 42, .from = PSH_TIME_NONE, .tier = PSH_NONE };
    psh_map_options o;
    uint32_t day;
    fixture f;

    (void)state;
    assert_ok(psh_map_options_init(&o, sizeof o));
    o.max_assignments = 3;
    open_fixture(&f, &o);
    for (day = 1; day < 20; day++) {
        a.segment = day;
        assert_ok(psh_map_assign(f.map, &a, TEST_T0 + day * PSH_DAY)); /* no partition needs the old ones */
    }
    assert_true(psh_map_assignment_count(f.map) <= 3);
    for (a.tenant = 1; a.tenant < 3; a.tenant++)
        assert_ok(psh_map_assign(f.map, &a, TEST_T0));
    a.tenant = 99;
    assert_int_equal(psh_map_assign(f.map, &a, TEST_T0), PSH_E_LIMIT);
    close_fixture(&f);
}

static void nodes_are_checked_and_counted(void **state) {
    psh_map_node n[3] = { { 3, PSH_MAP_NODE_UP, 10, 0 }, { 1, PSH_MAP_NODE_UP, 10, 0 },
                          { 2, PSH_MAP_NODE_STANDBY, 10, 0 } }, out;
    psh_error err = { .struct_size = sizeof err };
    psh_action a;
    fixture f;

    (void)state;
    begin_with_one(&f, NULL);
    assert_ok(psh_map_set_nodes(f.map, n, 3, sizeof *n, NULL));
    assert_ok(psh_map_node_at(f.map, 0, &out));
    assert_int_equal(out.node, 1);
    n[1].capacity = 0;
    assert_int_equal(psh_map_set_nodes(f.map, n, 3, sizeof *n, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "nodes.capacity[1]");
    n[1].capacity = 1;
    n[1].node = 3;
    assert_int_equal(psh_map_set_nodes(f.map, n, 3, sizeof *n, &err), PSH_E_INVALID);
    assert_int_equal(psh_map_node_count(f.map), 3);
    assert_int_equal(psh_map_resize(f.map, 4), PSH_E_CAPACITY);
    assert_int_equal(psh_map_resize(f.map, 0), PSH_E_INVALID);
    assert_ok(psh_map_resize(f.map, 1)); /* node 3 holds nothing: it leaves */
    assert_ok(psh_map_node_at(f.map, 2, &out));
    assert_true(out.node == 3 && out.state == PSH_MAP_NODE_LEAVING);
    assert_ok(psh_map_resize(f.map, 2)); /* and is called back before one on standby is added */
    assert_ok(psh_map_node_at(f.map, 2, &out));
    assert_int_equal(out.state, PSH_MAP_NODE_UP);
    memset(&a, 0, sizeof a);
    a.id = 1;
    a.want.kind = PSH_ACT_ADD_NODE;
    a.want.node = 2;
    a.want.subject = psh_node_subject(2);
    run(f.map, a);
    assert_ok(psh_map_node_at(f.map, 1, &out));
    assert_int_equal(out.state, PSH_MAP_NODE_UP);
    a.want.node = 77;
    a.want.subject = psh_node_subject(77);
    assert_int_equal(psh_map_begin(f.map, &a), PSH_E_NOT_FOUND);
    close_fixture(&f);
}

static void loads_fade_and_take_the_latest(void **state) {
    psh_partition_load l = { .struct_size = sizeof l, .reads_per_s = 100, .writes_per_s = 10, .rows = UINT64_MAX,
                             .bytes = 5000 };
    uint64_t id = psh_partition_id(0, DAY0, 0);
    fixture f;

    (void)state;
    begin_with_one(&f, NULL);
    assert_ok(psh_map_observe_load(f.map, id, &l, TEST_T0));
    assert_int_equal(get(f.map, 0)->bytes, 5000);
    assert_int_equal(get(f.map, 0)->rows, 10);
    l.reads_per_s = -1;
    assert_int_equal(psh_map_observe_load(f.map, id, &l, TEST_T0), PSH_E_INVALID);
    l.reads_per_s = 1;
    assert_int_equal(psh_map_observe_load(f.map, id + 1, &l, TEST_T0), PSH_E_NOT_FOUND);
    assert_int_equal(psh_map_set_together(f.map, 0, 0, 0.5), PSH_E_INVALID);
    assert_int_equal(psh_map_set_together(f.map, 0, 1, 0.5), PSH_E_NOT_FOUND);
    close_fixture(&f);
}

static psh_status scenario(psh_env *env, void *user) {
    psh_assignment t = { .tenant = 42, .segment = 7, .from = PSH_TIME_NONE };
    psh_map_node n = { 2, PSH_MAP_NODE_UP, 10, 0 };
    psh_schema *schema = user;
    psh_action a = act(PSH_ACT_CREATE_PARTITION, 0, UINT64_MAX, 0), b = act_child(HALF, UINT64_MAX, 0, 1);
    psh_action c = act_copy(PSH_ACT_REPLICATE_PARTITION, 2, 1, 1);
    psh_map *m = NULL;
    psh_status st = psh_map_create(env, schema, NULL, &m, NULL);

    if (st == PSH_OK)
        st = psh_map_begin(m, &a);
    if (st == PSH_OK)
        st = psh_map_complete(m, &a, PSH_OK, TEST_T0);
    if (st == PSH_OK) {
        a = act(PSH_ACT_ACTIVATE_PARTITION, 0, UINT64_MAX, 0);
        st = psh_map_begin(m, &a);
    }
    if (st == PSH_OK)
        st = psh_map_complete(m, &a, PSH_OK, TEST_T0);
    if (st == PSH_OK)
        st = psh_map_begin(m, &b);
    if (st == PSH_OK)
        st = psh_map_begin(m, &c);
    if (st == PSH_OK)
        st = psh_map_assign(m, &t, TEST_T0);
    if (st == PSH_OK)
        st = psh_map_set_nodes(m, &n, 1, sizeof n, NULL);
    psh_map_destroy(m);
    return st;
}

static void memory_may_be_short(void **state) {
    fixture f;

    (void)state;
    open_fixture(&f, NULL);
    test_every_allocation(scenario, f.schema);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_split_gives_the_child_its_keys_in_one_step),
        cmocka_unit_test(children_are_cut_from_the_right),
        cmocka_unit_test(what_has_no_source_or_place_is_refused),
        cmocka_unit_test(a_failed_step_leaves_the_owner_its_keys),
        cmocka_unit_test(a_change_of_owner_that_was_handed_out_is_carried_through),
        cmocka_unit_test(a_move_is_a_copy_a_promotion_and_an_end),
        cmocka_unit_test(replicas_are_in_the_world_and_limited),
        cmocka_unit_test(a_wrong_completion_harms_nothing),
        cmocka_unit_test(segments_hold_from_the_next_interval),
        cmocka_unit_test(old_assignments_make_room),
        cmocka_unit_test(nodes_are_checked_and_counted),
        cmocka_unit_test(loads_fade_and_take_the_latest),
        cmocka_unit_test(memory_may_be_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
