/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>

#include "balance_model.h"

typedef struct fixture {
    test_alloc alloc;
    psh_env *env;
    model m;
    psh_balance_options o;
} fixture;

static int open_fixture(void **state) {
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->env = test_env(&f->alloc);
    assert_ok(psh_balance_options_init(&f->o, sizeof f->o));
    f->m.next_id = 100000;
    *state = f;
    return 0;
}

static int close_fixture(void **state) {
    fixture *f = *state;

    psh_env_destroy(f->env);
    assert_int_equal(f->alloc.live, 0);
    free(f);
    return 0;
}

static void set_nodes(model *m, uint32_t n) {
    uint32_t i;

    m->nodes = n;
    for (i = 0; i < n; i++)
        m->node[i] = (psh_heat_node){ .node = i, .capacity = 10, .free_bytes = 1000000 };
}

static psh_heat *add(model *m, uint32_t node, double writes) {
    psh_heat *h = &m->item[m->items++];

    *h = (psh_heat){ .id = m->items, .bytes = 10, .writes = writes, .node = node };
    return h;
}

static void add_many(model *m, uint32_t node, uint32_t n, double writes) {
    while (n--)
        (void)add(m, node, writes);
}

/* Plans, applies; the steps by kind. */
static void run(fixture *f, uint32_t count[7]) {
    psh_balance *b = model_plan(f->env, &f->m, &f->o);
    psh_balance_step s;
    size_t i;

    memset(count, 0, 7 * sizeof *count);
    for (i = 0; i < psh_balance_count(b); i++) {
        assert_ok(psh_balance_get(b, i, &s));
        count[s.kind]++;
        model_apply(&f->m, &s);
    }
    psh_balance_destroy(b);
}

static void the_most_useful_move_comes_first(void **state) {
    fixture *f = *state;
    psh_balance *b;
    psh_balance_step s;

    set_nodes(&f->m, 3);
    (void)add(&f->m, 0, 1);
    (void)add(&f->m, 0, 4); /* makes nodes 0 and 2 as equal as can be */
    (void)add(&f->m, 0, 2);
    (void)add(&f->m, 1, 3);
    b = model_plan(f->env, &f->m, NULL);
    assert_ok(psh_balance_get(b, 0, &s));
    assert_int_equal(s.kind, PSH_BALANCE_MOVE);
    assert_int_equal(s.item, 2);
    assert_int_equal(s.from, 0);
    assert_int_equal(s.to, 2);
    assert_int_equal(s.bytes, 10);
    assert_int_equal(s.why, PSH_WHY_BALANCE);
    assert_true(fabs(s.before - 0.7) < 1e-9 && fabs(s.after - 0.4) < 1e-9);
    assert_true(fabs(psh_balance_before(b) - 2.1) < 1e-6);
    assert_int_equal(psh_balance_get(b, psh_balance_count(b), &s), PSH_E_NOT_FOUND);
    psh_balance_destroy(b);
}

static void where_bytes_are_short_light_items_move(void **state) {
    fixture *f = *state;
    uint32_t count[7], i;

    set_nodes(&f->m, 2);
    for (i = 0; i < 10; i++)
        add(&f->m, 0, 1)->bytes = i < 5 ? 1000 : 10;
    f->o.max_bytes = 2000;
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_MOVE], 5);
    for (i = 0; i < 10; i++)
        assert_int_equal(f->m.item[i].node, i >= 5);
}

static void what_costs_more_to_move_than_it_gains_stays(void **state) {
    fixture *f = *state;
    uint32_t count[7];

    set_nodes(&f->m, 2);
    add(&f->m, 0, 3)->keep_cost = 4;
    add(&f->m, 0, 3)->keep_cost = 4;
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_MOVE], 0);
    f->m.item[1].keep_cost = 0.5;
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_MOVE], 1);
    assert_int_equal(f->m.item[1].node, 1);
}

static void what_is_new_goes_where_there_is_room(void **state) {
    fixture *f = *state;
    uint32_t count[7], i;

    set_nodes(&f->m, 4);
    f->m.node[3].free_bytes = 5; /* no room for any */
    f->o.max_steps = 0;          /* placing takes none */
    for (i = 0; i < 9; i++)
        (void)add(&f->m, PSH_NONE, 1 + i % 3);
    add(&f->m, PSH_NONE, 1)->bytes = 2000000; /* fits nowhere: is left */
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_PLACE], 9);
    assert_int_equal(f->m.item[9].node, PSH_NONE);
    for (i = 0; i < 3; i++)
        assert_true(fabs(model_full(&f->m, i) - 0.6) < 1e-9);
    assert_true(model_full(&f->m, 3) <= 0);
}

static void larger_nodes_carry_more(void **state) {
    fixture *f = *state;
    uint32_t count[7];

    set_nodes(&f->m, 3);
    f->m.node[2].capacity = 40;
    add_many(&f->m, 0, 60, 1);
    run(f, count);
    assert_true(model_imbalance(&f->m) <= 1.1);
    assert_true(model_full(&f->m, 2) >= 0.9);
    f->m.items = 0;
    add_many(&f->m, PSH_NONE, 60, 1);
    run(f, count);
    assert_true(model_imbalance(&f->m) <= 1.1);
}

static void what_is_too_hot_is_split_over_nodes(void **state) {
    fixture *f = *state;
    uint32_t count[7];

    set_nodes(&f->m, 4);
    add(&f->m, 0, 80)->max_parts = 64;
    add_many(&f->m, 1, 5, 1);
    run(f, count);
    assert_true(count[PSH_BALANCE_SPLIT] >= 3);
    assert_int_equal(count[PSH_BALANCE_REPLICATE], 0);
    assert_true(model_imbalance(&f->m) <= 1.1);
    f->m.items = 0;
    add(&f->m, 0, 80)->max_parts = 2; /* no more than two */
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_SPLIT], 1);
}

static void what_is_read_too_much_is_copied_and_copies_go_when_it_cooled(void **state) {
    fixture *f = *state;
    uint32_t count[7], i;

    set_nodes(&f->m, 4);
    add(&f->m, 0, 0.2)->reads = 60;
    for (i = 0; i < 4; i++)
        add_many(&f->m, i, 50, 0.2);
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_REPLICATE], 2); /* max_replicas */
    assert_int_equal(f->m.item[0].replicas, 2);
    f->m.item[0].reads = 0.3;
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_UNREPLICATE], 2);
    assert_int_equal(f->m.item[0].replicas, 0);
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_UNREPLICATE] + count[PSH_BALANCE_REPLICATE], 0);
}

static void copies_nobody_knows_the_place_of_go_too(void **state) {
    fixture *f = *state;
    psh_balance *b;
    psh_balance_step s;

    set_nodes(&f->m, 2);
    add(&f->m, 0, 1)->replicas = 1;
    add_many(&f->m, 0, 9, 1);
    add_many(&f->m, 1, 10, 1);
    b = model_plan(f->env, &f->m, NULL);
    assert_int_equal(psh_balance_count(b), 1);
    assert_ok(psh_balance_get(b, 0, &s));
    assert_int_equal(s.kind, PSH_BALANCE_UNREPLICATE);
    assert_int_equal(s.from, PSH_NONE);
    assert_int_equal(s.to, 0);
    psh_balance_destroy(b);
}

static void what_is_written_too_much_gets_a_node_with_little_else(void **state) {
    fixture *f = *state;
    uint32_t count[7], i, beside = 0;

    set_nodes(&f->m, 4);
    (void)add(&f->m, 0, 30); /* cannot be split, nor do copies help */
    for (i = 0; i < 40; i++)
        (void)add(&f->m, i % 4, 0.5);
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_REPLICATE] + count[PSH_BALANCE_SPLIT], 0);
    for (i = 1; i < f->m.items; i++)
        beside += f->m.item[i].node == f->m.item[0].node;
    assert_int_equal(beside, 0);
}

static void neighbours_that_cooled_are_merged(void **state) {
    fixture *f = *state;
    uint32_t count[7], i;

    set_nodes(&f->m, 2);
    for (i = 0; i < 8; i++)
        add(&f->m, i / 4, 0.01)->next = i == 7 ? 0 : i + 2;
    add_many(&f->m, 0, 5, 2);
    add_many(&f->m, 1, 5, 2);
    f->m.item[1].flags = PSH_HEAT_PINNED;
    run(f, count);
    /* 3 with 4, 5 with 6, 7 with 8: 1 and 2 cannot since 2 is pinned, 4 and 5 stand apart */
    assert_int_equal(count[PSH_BALANCE_MERGE], 3);
    assert_true(f->m.gone[3] && f->m.gone[5] && f->m.gone[7]);
    model_pack(&f->m);
    f->o.flags = PSH_BALANCE_NO_MERGE;
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_MERGE], 0);
}

static void set_group(psh_heat *h, uint64_t group, double affinity) {
    h->group = group;
    h->affinity = affinity;
}

static void a_group_moves_as_one(void **state) {
    fixture *f = *state;
    uint32_t count[7], i;

    set_nodes(&f->m, 2);
    for (i = 0; i < 4; i++)
        set_group(add(&f->m, 0, 1), 7, 2);
    for (i = 0; i < 4; i++)
        (void)add(&f->m, 0, 1);
    for (i = 4; i < 8; i++)
        f->m.item[i].flags = PSH_HEAT_PINNED;
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_MOVE], 4);
    for (i = 0; i < 8; i++)
        assert_int_equal(f->m.item[i].node, i < 4);
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_MOVE], 0);
}

static void a_group_is_brought_together_where_that_pays(void **state) {
    fixture *f = *state;
    uint32_t count[7], i;

    set_nodes(&f->m, 2);
    add_many(&f->m, 0, 20, 1);
    add_many(&f->m, 1, 20, 1);
    for (i = 0; i < 3; i++)
        set_group(add(&f->m, i / 2, 0.1), 7, 0.2);
    f->m.item[42].keep_cost = 0.7; /* more than is saved */
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_MOVE], 0);
    f->m.item[42].keep_cost = 0.1;
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_MOVE], 1);
    assert_int_equal(f->m.item[42].node, 0);
}

static void pinned_items_and_unwanted_kinds_are_left_alone(void **state) {
    static const uint32_t unwanted = PSH_BALANCE_NO_MOVE | PSH_BALANCE_NO_SPLIT | PSH_BALANCE_NO_REPLICA;
    fixture *f = *state;
    uint32_t count[7], i;

    set_nodes(&f->m, 3);
    f->m.node[2].flags = PSH_NODE_LEAVING;
    for (i = 0; i < 20; i++) {
        add(&f->m, 0, 1)->flags = PSH_HEAT_PINNED;
        f->m.item[i].max_parts = 4;
    }
    add(&f->m, 2, 1)->flags = PSH_HEAT_PINNED;
    run(f, count);
    assert_int_equal(count[1] + count[2] + count[3] + count[4] + count[5] + count[6], 0);
    for (i = 0; i < f->m.items; i++)
        f->m.item[i].flags = 0;
    f->o.flags = unwanted;
    run(f, count);
    assert_int_equal(count[1] + count[2] + count[3] + count[4] + count[5] + count[6], 0);
}

static void without_nodes_or_load_there_is_no_plan(void **state) {
    fixture *f = *state;
    uint32_t count[7];
    psh_balance *b = model_plan(f->env, &f->m, NULL);

    assert_int_equal(psh_balance_count(b), 0);
    assert_true(psh_balance_before(b) >= 1 && psh_balance_after(b) <= 1);
    psh_balance_destroy(b);
    (void)add(&f->m, PSH_NONE, 1);
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_PLACE], 0);
    set_nodes(&f->m, 2);
    f->m.node[0].flags = f->m.node[1].flags = PSH_NODE_LEAVING; /* nobody stays */
    f->m.item[0].node = 1;
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_MOVE], 0);
    f->m.node[0].flags = f->m.node[1].flags = 0;
    f->m.item[0].writes = 0;
    run(f, count);
    assert_int_equal(count[PSH_BALANCE_MOVE], 0);
    assert_int_equal(psh_balance_count(NULL), 0);
    assert_true(psh_balance_before(NULL) >= 1 && psh_balance_after(NULL) <= 1);
}

static void options_are_checked(void **state) {
    fixture *f = *state;
    psh_balance *b = NULL;
    psh_error err = { .struct_size = sizeof err };
    psh_balance_options o;
    uint32_t size;

#define REFUSED(set, name, status) \
    do { \
        assert_ok(psh_balance_options_init(&o, sizeof o)); \
        set; \
        assert_int_equal(psh_balance_create(f->env, &o, NULL, 0, 0, NULL, 0, 0, &b, &err), status); \
        assert_null(b); \
        assert_string_equal(err.field, name); \
    } while (0)

    REFUSED(o.flags = 64, "flags", PSH_E_UNSUPPORTED);
    REFUSED(o.max_replicas = 2000, "max_replicas", PSH_E_INVALID);
    REFUSED(o.tolerance = -0.1, "tolerance", PSH_E_INVALID);
    REFUSED(o.tolerance = (double)NAN, "tolerance", PSH_E_INVALID);
    REFUSED(o.split_above = 0, "split_above", PSH_E_INVALID);
    REFUSED(o.split_above = (double)INFINITY, "split_above", PSH_E_INVALID);
    REFUSED(o.merge_below = 0.6, "merge_below", PSH_E_INVALID);
    REFUSED(o.merge_below = (double)NAN, "merge_below", PSH_E_INVALID);
    REFUSED(o.least_gain = 1e9, "least_gain", PSH_E_INVALID);
    REFUSED(o.struct_size = 3, "struct_size", PSH_E_INVALID);
#undef REFUSED
    assert_int_equal(psh_balance_options_init(NULL, 8), PSH_E_INVALID);
    for (size = 4; size <= sizeof o; size += 4) { /* an older caller's */
        assert_ok(psh_balance_options_init(&o, size));
        assert_ok(psh_balance_create(f->env, &o, NULL, 0, 0, NULL, 0, 0, &b, &err));
        psh_balance_destroy(b);
    }
    assert_int_equal(psh_balance_create(NULL, NULL, NULL, 0, 0, NULL, 0, 0, &b, &err), PSH_E_INVALID);
    assert_int_equal(psh_balance_create(f->env, NULL, NULL, 1, 8, NULL, 0, 0, &b, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "items");
    assert_int_equal(psh_balance_create(f->env, NULL, NULL, 0, 0, NULL, 1, 8, &b, &err), PSH_E_INVALID);
    assert_string_equal(err.field, "nodes");
    assert_int_equal(psh_balance_create(f->env, NULL, NULL, 0, 0, NULL, 0, 0, NULL, &err), PSH_E_INVALID);
    psh_balance_destroy(NULL);
}

/* A struct without the last field, and one with more than there is. */
static void other_strides_are_read(void **state) {
    fixture *f = *state;
    const size_t strides[] = { offsetof(psh_heat, replica_nodes), sizeof(psh_heat) + 24 };
    unsigned char *bytes = calloc(20, sizeof(psh_heat) + 24);
    psh_balance *a, *b;
    psh_balance_step x, y;
    size_t i, k;

    assert_non_null(bytes);
    set_nodes(&f->m, 3);
    for (i = 0; i < 20; i++)
        (void)add(&f->m, 0, 1 + (double)i);
    a = model_plan(f->env, &f->m, NULL);
    assert_true(psh_balance_count(a) > 3);
    for (k = 0; k < 2; k++) {
        for (i = 0; i < 20; i++)
            memcpy(bytes + i * strides[k], &f->m.item[i], k ? sizeof(psh_heat) : strides[0]);
        assert_ok(psh_balance_create(f->env, NULL, (const psh_heat *)(void *)bytes, 20, strides[k], f->m.node, 3,
            sizeof *f->m.node, &b, NULL));
        assert_int_equal(psh_balance_count(a), psh_balance_count(b));
        for (i = 0; i < psh_balance_count(a); i++) {
            assert_ok(psh_balance_get(a, i, &x));
            assert_ok(psh_balance_get(b, i, &y));
            assert_memory_equal(&x, &y, sizeof x);
        }
        psh_balance_destroy(b);
    }
    psh_balance_destroy(a);
    free(bytes);
}

static void refused(fixture *f, const char *field) {
    psh_error err = { .struct_size = sizeof err };
    psh_balance *b = NULL;

    assert_int_equal(psh_balance_create(f->env, NULL, f->m.item, f->m.items, sizeof *f->m.item, f->m.node,
        f->m.nodes, sizeof *f->m.node, &b, &err), PSH_E_INVALID);
    assert_null(b);
    assert_string_equal(err.field, field);
    f->m.items = 0; /* good ones again */
    set_nodes(&f->m, 3);
    add_many(&f->m, 1, 4, 1);
    f->m.copy[2][0] = 0;
    f->m.copy[2][1] = 2;
    f->m.item[2].replica_nodes = f->m.copy[2];
    f->m.item[2].replicas = 2;
}

static void bad_input_is_named_with_its_index(void **state) {
    fixture *f = *state;
    psh_heat *h = &f->m.item[2];

    (void)add(&f->m, 0, 1);
    refused(f, "items.node[0]"); /* no nodes at all */
    h->id = 0;
    refused(f, "items.id[2]");
    h->id = 4;
    refused(f, "items.id[3]"); /* twice */
    h->next = h->id;
    refused(f, "items.next[2]");
    h->writes = -1;
    refused(f, "items.writes[2]");
    h->writes = (double)NAN;
    refused(f, "items.writes[2]");
    h->reads = (double)INFINITY;
    refused(f, "items.reads[2]");
    h->affinity = -1;
    refused(f, "items.affinity[2]");
    h->keep_cost = (double)NAN;
    refused(f, "items.keep_cost[2]");
    h->flags = 2;
    refused(f, "items.flags[2]");
    h->node = 9;
    refused(f, "items.node[2]");
    h->replicas = 5000;
    refused(f, "items.replicas[2]");
    h->node = PSH_NONE;
    refused(f, "items.replicas[2]");
    h->replicas = 0;
    h->node = PSH_NONE;
    h->flags = PSH_HEAT_PINNED;
    refused(f, "items.flags[2]");
    f->m.copy[2][1] = 9;
    refused(f, "items.replica_nodes[2]");
    f->m.copy[2][1] = 1; /* the owner */
    refused(f, "items.replica_nodes[2]");
    f->m.copy[2][1] = 0; /* twice */
    refused(f, "items.replica_nodes[2]");
    f->m.node[1].node = PSH_NONE;
    refused(f, "nodes.node[1]");
    f->m.node[1].node = 2;
    refused(f, "nodes.node[2]");
    f->m.node[1].flags = 8;
    refused(f, "nodes.flags[1]");
    f->m.node[2].capacity = 0;
    refused(f, "nodes.capacity[2]");
    f->m.node[2].capacity = (double)NAN;
    refused(f, "nodes.capacity[2]");
}

/* A step of each kind but one, groups, copies, a node that leaves. */
static void fill_all_kinds(model *m) {
    uint32_t i;

    memset(m, 0, sizeof *m);
    set_nodes(m, 5);
    m->node[4].flags = PSH_NODE_LEAVING;
    add(m, 0, 40)->max_parts = 8;
    add(m, 1, 1)->reads = 40;
    for (i = 0; i < 30; i++)
        add(m, i % 5, 0.1 + i % 3)->group = i % 7;
    for (i = 2; i < m->items; i++) {
        m->item[i].affinity = m->item[i].group ? 0.5 : 0;
        m->item[i].next = m->item[i].id + 5;
    }
    m->copy[5][0] = 4;
    m->item[5].replicas = 1;
    m->item[5].replica_nodes = m->copy[5];
    m->item[10].writes = m->item[15].writes = 0.001;
    (void)add(m, PSH_NONE, 1);
}

static psh_status under_failing_memory(psh_env *env, void *user) {
    psh_balance *b = NULL;
    psh_buffer *text = NULL;
    psh_status st;
    model *m = user;

    st = psh_balance_create(
        env, NULL, m->item, m->items, sizeof *m->item, m->node, m->nodes, sizeof *m->node, &b, NULL);
    assert_true((st == PSH_OK) == (b != NULL));
    if (st == PSH_OK)
        st = psh_buffer_create(env, &text);
    if (st == PSH_OK && (st = psh_balance_dump(b, text)) != PSH_OK)
        assert_int_equal(psh_buffer_size(text), 0);
    psh_buffer_destroy(text);
    psh_balance_destroy(b);
    return st;
}

static void failing_memory_leaves_nothing_behind(void **state) {
    fixture *f = *state;

    fill_all_kinds(&f->m);
    test_every_allocation(under_failing_memory, &f->m);
}

static void the_dump_tells_each_step_and_why(void **state) {
    fixture *f = *state;
    psh_buffer *text = NULL;
    psh_balance *b;

    fill_all_kinds(&f->m);
    b = model_plan(f->env, &f->m, NULL);
    assert_ok(psh_buffer_create(f->env, &text));
    assert_ok(psh_balance_dump(b, text));
    assert_non_null(strstr(psh_buffer_data(text), "place 0000000000000021 to "));
    assert_non_null(strstr(psh_buffer_data(text), "split 0000000000000001 from 0 to "));
    assert_non_null(strstr(psh_buffer_data(text), "replicate 0000000000000002 from 1 to "));
    assert_non_null(strstr(psh_buffer_data(text), "unreplicate 0000000000000006 from 4 to "));
    assert_non_null(strstr(psh_buffer_data(text), psh_why_text(PSH_WHY_LEAVING)));
    assert_non_null(strstr(psh_buffer_data(text), psh_why_text(PSH_WHY_HOT)));
    assert_int_equal(psh_balance_dump(NULL, text), PSH_E_INVALID);
    assert_int_equal(psh_balance_dump(b, NULL), PSH_E_INVALID);
    psh_buffer_destroy(text);
    psh_balance_destroy(b);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(the_most_useful_move_comes_first),
        WITH(where_bytes_are_short_light_items_move),
        WITH(what_costs_more_to_move_than_it_gains_stays),
        WITH(what_is_new_goes_where_there_is_room),
        WITH(larger_nodes_carry_more),
        WITH(what_is_too_hot_is_split_over_nodes),
        WITH(what_is_read_too_much_is_copied_and_copies_go_when_it_cooled),
        WITH(copies_nobody_knows_the_place_of_go_too),
        WITH(what_is_written_too_much_gets_a_node_with_little_else),
        WITH(neighbours_that_cooled_are_merged),
        WITH(a_group_moves_as_one),
        WITH(a_group_is_brought_together_where_that_pays),
        WITH(pinned_items_and_unwanted_kinds_are_left_alone),
        WITH(without_nodes_or_load_there_is_no_plan),
        WITH(options_are_checked),
        WITH(other_strides_are_read),
        WITH(bad_input_is_named_with_its_index),
        WITH(failing_memory_leaves_nothing_behind),
        WITH(the_dump_tells_each_step_and_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
