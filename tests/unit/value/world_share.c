/* SPDX-License-Identifier: MIT */
/* Worlds made of worlds, against worlds built from nothing: the same bytes, the same answers. */
#include "value/world.h"
#include "world_rig.h"

#define ROUNDS 2000
#define KEPT 5

static void check_same_facts(const psh_world *a, const psh_world *b) {
    size_t i, n = a->rest->lists.part_count;

    assert_int_equal(n, b->rest->lists.part_count);
    assert_memory_equal(a->part_facts->facts, b->part_facts->facts, n);
    assert_memory_equal(a->part_facts->solid, b->part_facts->solid, n * sizeof *a->part_facts->solid);
    for (i = 0; i < TABLES; i++) {
        assert_true(a->tables[i].from == b->tables[i].from && a->tables[i].to == b->tables[i].to);
        assert_int_equal(!a->tables[i].quarantine, !b->tables[i].quarantine);
    }
}

static void check_same_answers(rig *r, const psh_world *a, const psh_world *b) {
    const psh_partition *p, *q;
    const psh_replica *x, *y;
    uint64_t point, tenant;
    size_t i, n, k, first[2], last[2];
    int64_t time, to;
    uint32_t table;

    assert_int_equal(psh_world_partition_count(a), psh_world_partition_count(b));
    for (i = 0; i < psh_world_partition_count(a); i++) {
        p = psh_world_partition(a, i);
        assert_memory_equal(p, psh_world_partition(b, i), sizeof *p);
        assert_ptr_equal(p, psh_world_find_partition(a, p->id));
        x = psh_world_replicas(a, p->id, &n);
        y = psh_world_replicas(b, p->id, &k);
        assert_int_equal(n, k);
        assert_true(!n || memcmp(x, y, n * sizeof *x) == 0);
    }
    assert_null(psh_world_partition(a, i));
    for (i = 0; i < psh_world_replica_count(a); i++)
        assert_memory_equal(psh_world_replica(a, i), psh_world_replica(b, i), sizeof(psh_replica));
    assert_null(psh_world_replica(a, i));
    for (i = 0; i < psh_world_assignment_count(a); i++)
        assert_memory_equal(psh_world_assignment(a, i), psh_world_assignment(b, i), sizeof(psh_assignment));
    assert_null(psh_world_assignment(a, i));
    for (i = 0; i < 40; i++) {
        table = (uint32_t)below(&r->seed, TABLES);
        time = (int64_t)below(&r->seed, 40 * 24) * PSH_HOUR - 100 * (int64_t)below(&r->seed, 2) * PSH_DAY;
        to = time + (int64_t)below(&r->seed, 400) * PSH_HOUR;
        point = pshi_rng_next(&r->seed);
        tenant = below(&r->seed, 50);
        p = psh_world_locate(a, table, time, point);
        q = psh_world_locate(b, table, time, point);
        assert_true(!p == !q && (!p || p->id == q->id));
        psh_world_partitions_between(a, table, time, to, &first[0], &last[0]);
        psh_world_partitions_between(b, table, time, to, &first[1], &last[1]);
        assert_true(first[0] == first[1] && last[0] == last[1]);
        assert_true(psh_world_point(a, table, tenant, time) == psh_world_point(b, table, tenant, time));
    }
}

typedef struct listing {
    size_t n;
    struct {
        uint32_t op;
        psh_partition before, after;
    } e[MOST];
} listing;

static psh_status list(void *user, uint32_t op, const psh_partition *before, const psh_partition *after) {
    static const psh_partition none;
    listing *l = user;

    assert_true(!before == (op == PSH_DIFF_ADDED) && !after == (op == PSH_DIFF_REMOVED));
    l->e[l->n].op = op;
    l->e[l->n].before = before ? *before : none;
    l->e[l->n++].after = after ? *after : none;
    return PSH_OK;
}

/* What the shared structure says differs is what looking at everything says. */
static void check_diff(const psh_world *before, const psh_world *after) {
    static listing l, back;
    const psh_partition *p, *q;
    size_t i, at = 0;

    l.n = back.n = 0;
    assert_ok(psh_world_diff(before, after, list, &l));
    assert_ok(psh_world_diff(after, before, list, &back));
    assert_int_equal(l.n, back.n);
    for (i = 0; i < l.n; i++)
        assert_memory_equal(&l.e[i].before, &back.e[i].after, sizeof l.e[i].before);
    for (i = 0; i < l.n; i++)
        assert_true(i == 0 || pshi_partition_compare(l.e[i - 1].after.id ? &l.e[i - 1].after : &l.e[i - 1].before,
                                  l.e[i].after.id ? &l.e[i].after : &l.e[i].before) < 0);
    for (i = 0; i < psh_world_partition_count(after); i++) {
        p = psh_world_partition(after, i);
        q = psh_world_find_partition(before, p->id);
        at += !q || memcmp(p, q, sizeof *p) != 0;
    }
    for (i = 0; i < psh_world_partition_count(before); i++)
        at += !psh_world_find_partition(after, psh_world_partition(before, i)->id);
    assert_int_equal(l.n, at);
}

static size_t lines_of(psh_buffer *b, const char *mark) {
    const char *at = psh_buffer_data(b);
    size_t n = 0;

    for (at = strstr(at, mark); at; at = strstr(at + 1, mark))
        n++;
    return n;
}

static void check_dump(psh_env *env, const psh_world *before, const psh_world *after) {
    static listing l;
    psh_buffer *b;

    l.n = 0;
    assert_ok(psh_world_diff(before, after, list, &l));
    assert_ok(psh_buffer_create(env, &b));
    assert_ok(psh_world_diff_dump(before, after, b));
    assert_int_equal(lines_of(b, "d partition "), l.n);
    psh_buffer_clear(b);
    assert_ok(psh_world_diff_dump(after, after, b));
    assert_int_equal(lines_of(b, "\n"), 1); /* the epochs, and nothing else */
    psh_buffer_destroy(b);
}

static psh_buffer *saved(rig *r, const psh_world *w) {
    psh_buffer *b;

    assert_ok(psh_buffer_create(r->env, &b));
    assert_ok(psh_world_save(w, b));
    return b;
}

/* Worlds kept for a while, with the bytes that they had when they were made. */
typedef struct kept {
    psh_world *w;
    psh_buffer *bytes;
} kept;

static void keep(rig *r, kept *k, psh_world *w, psh_buffer *bytes) {
    psh_buffer *again;

    if (k->w) {
        again = saved(r, k->w);
        assert_true(same_bytes(again, k->bytes));
        psh_buffer_destroy(again);
        psh_buffer_destroy(k->bytes);
        psh_world_unref(k->w);
    }
    k->w = w;
    k->bytes = bytes;
}

static void one_round(rig *r, kept *old) {
    psh_world *made = NULL, *scratch = NULL;
    psh_buffer *bytes, *expected;
    size_t i;

    assert_ok(begin_draft(r));
    assert_ok(edits(r));
    assert_ok(psh_world_create(r->draft, &made, NULL));
    assert_ok(from_nothing(r, &scratch));
    bytes = saved(r, made);
    expected = saved(r, scratch);
    assert_true(same_bytes(bytes, expected));
    psh_buffer_destroy(expected);
    check_same_facts(made, scratch);
    if (r->epoch % 5 == 0) {
        check_same_answers(r, made, scratch);
        check_diff(r->now, made);
        check_diff(r->now, scratch);
        check_dump(r->env, r->now, made);
    }
    psh_world_unref(scratch);
    i = below(&r->seed, KEPT);
    psh_world_unref(r->now);
    r->now = made;
    keep(r, &old[i], psh_world_ref(made), bytes);
    if (below(&r->seed, 40) == 0 && old[0].w)
        check_diff(old[0].w, made);
    psh_world_draft_destroy(r->draft);
    r->draft = NULL;
}

static void test_thousands_of_edits(void **state) {
    static rig r;
    kept old[KEPT] = { { NULL, NULL } };
    test_alloc a;
    psh_env *env = test_env(&a);
    size_t most = 0, i;

    (void)state;
    assert_ok(begin(&r, env, 41));
    for (i = 0; i < ROUNDS; i++) {
        one_round(&r, old);
        most = r.m.replica_count > most ? r.m.replica_count : most;
    }
    assert_true(r.m.partition_count > 300 && most > 30 && r.m.assignment_count > 100);
    for (i = 0; i < KEPT; i++)
        keep(&r, &old[i], NULL, NULL);
    end(&r);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* Begins from a world, changes it, and may fail at any allocation: then the world it began from is as it was. */
static psh_status use_base(psh_env *env, void *user) {
    static rig r;
    psh_world *made = NULL;
    psh_buffer *b = NULL;
    psh_status st = begin(&r, env, *(uint64_t *)user);
    size_t i;

    for (i = 0; st == PSH_OK && i < 14; i++) {
        st = begin_draft(&r);
        if (st == PSH_OK)
            st = i == 2 ? change_rest(&r) : i < 2 ? tile(&r, 0, (int64_t)i) : edit(&r);
        if (st == PSH_OK)
            st = psh_world_create(r.draft, &made, NULL);
        if (st == PSH_OK)
            st = psh_buffer_create(env, &b);
        if (st == PSH_OK)
            st = psh_world_diff_dump(r.now, made, b);
        psh_buffer_destroy(b);
        b = NULL;
        if (st == PSH_OK) {
            psh_world_unref(r.now);
            r.now = made;
            made = NULL;
        }
        psh_world_unref(made);
        made = NULL;
        psh_world_draft_destroy(r.draft);
        r.draft = NULL;
    }
    end(&r);
    return st;
}

static void test_memory_may_fail(void **state) {
    uint64_t seed = 12;

    (void)state;
    test_every_allocation(use_base, &seed);
}

/* A create that fails leaves the base and the draft as they were: the next one succeeds. */
static void test_failed_create_changes_nothing(void **state) {
    static rig r;
    test_alloc a;
    psh_env *env = test_env(&a);
    kept old[KEPT] = { { NULL, NULL } };
    psh_buffer *before, *after;
    psh_world *made = NULL;
    int64_t nth;
    size_t i;

    (void)state;
    assert_ok(begin(&r, env, 5));
    for (i = 0; i < 20; i++)
        one_round(&r, old);
    for (i = 0; i < KEPT; i++)
        keep(&r, &old[i], NULL, NULL);
    assert_ok(begin_draft(&r));
    before = saved(&r, r.now);
    assert_ok(tile(&r, 0, 3));
    assert_ok(change_replicas(&r));
    assert_ok(change_assignment(&r));
    for (nth = 0; !made; nth++) {
        test_alloc_fail(&a, nth, 0);
        if (psh_world_create(r.draft, &made, NULL) != PSH_OK)
            assert_null(made);
        test_alloc_fail(&a, -1, 0);
        after = saved(&r, r.now);
        assert_true(same_bytes(before, after));
        psh_buffer_destroy(after);
    }
    assert_true(nth > 8);
    psh_world_unref(made);
    psh_buffer_destroy(before);
    end(&r);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void create_fails(rig *r, const char *field) {
    psh_error err = { .struct_size = sizeof err };
    psh_world *w;

    assert_int_equal(psh_world_create(r->draft, &w, &err), PSH_E_INVALID);
    assert_string_equal(err.field, field);
    assert_null(w);
    psh_world_draft_destroy(r->draft);
    assert_ok(begin_draft(r));
}

static void test_refusals(void **state) {
    static rig r;
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *other = test_flights_schema(env);
    psh_world_draft *d;
    psh_partition p[3];
    psh_replica c = { 0 };
    psh_world *made;

    (void)state;
    assert_ok(begin(&r, env, 5));
    assert_ok(psh_world_draft_create(env, other, 9, 7, &d));
    assert_int_equal(psh_world_draft_base(d, r.now), PSH_E_INVALID);
    psh_world_draft_destroy(d);
    assert_ok(begin_draft(&r));
    assert_int_equal(psh_world_draft_base(r.draft, r.now), PSH_E_STATE);
    p[0] = arc_of(&r, 0, 1, 0, 99, PSH_PARTITION_ACTIVE);
    p[1] = arc_of(&r, 0, 1, 100, UINT64_MAX, PSH_PARTITION_ACTIVE);
    p[2] = arc_of(&r, 0, 0, 0, UINT64_MAX, PSH_PARTITION_ACTIVE);
    assert_ok(psh_world_draft_add_partition(r.draft, &p[0]));
    assert_ok(psh_world_draft_add_partition(r.draft, &p[1]));
    assert_ok(psh_world_draft_add_partition(r.draft, &p[2]));
    c = (psh_replica){ p[1].id, p[1].node + 1, 0, PSH_REPLICA_WARMING, 0, PSH_TIME_NONE };
    assert_ok(psh_world_draft_add_replica(r.draft, &c));
    assert_ok(psh_world_create(r.draft, &made, NULL));
    psh_world_unref(r.now);
    r.now = made;
    psh_world_draft_destroy(r.draft);
    assert_ok(begin_draft(&r));
    assert_int_equal(psh_world_draft_remove_partition(r.draft, 99), PSH_E_NOT_FOUND);
    assert_int_equal(psh_world_draft_remove_replica(r.draft, p[0].id, 0), PSH_E_NOT_FOUND);
    assert_ok(psh_world_draft_remove_replica(r.draft, p[1].id, c.node));
    assert_int_equal(psh_world_draft_remove_replica(r.draft, p[1].id, c.node), PSH_E_NOT_FOUND);
    assert_ok(psh_world_draft_remove_partition(r.draft, p[1].id));
    assert_int_equal(psh_world_draft_remove_partition(r.draft, p[1].id), PSH_E_NOT_FOUND);
    create_fails(&r, "partitions[1]"); /* a gap behind the other one */
    assert_ok(psh_world_draft_remove_partition(r.draft, p[0].id));
    create_fails(&r, "partitions[1]"); /* a gap before it */
    p[0].arc_last = 100;
    assert_ok(psh_world_draft_add_partition(r.draft, &p[0]));
    create_fails(&r, "partitions[2]"); /* overlap */
    p[1].state = PSH_PARTITION_WARMING;
    p[0].arc_last = UINT64_MAX;
    assert_ok(psh_world_draft_add_partition(r.draft, &p[0]));
    assert_ok(psh_world_draft_add_partition(r.draft, &p[1]));
    create_fails(&r, "replicas[0]"); /* its partition owns no key any more */
    p[1].state = PSH_PARTITION_ACTIVE;
    p[1].node = c.node;
    assert_ok(psh_world_draft_add_partition(r.draft, &p[1]));
    create_fails(&r, "replicas[0]"); /* the owner moved to its node */
    assert_ok(psh_world_draft_add_partition(r.draft, &p[2]));
    assert_ok(psh_world_draft_add_partition(r.draft, &p[2]));
    create_fails(&r, "partitions[1]"); /* twice */
    assert_ok(psh_world_draft_add_tier(r.draft, &r.m.tier));
    create_fails(&r, "tiers[1]"); /* the base's was not forgotten */
    end(&r);
    psh_schema_unref(other);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thousands_of_edits),
        cmocka_unit_test(test_memory_may_fail),
        cmocka_unit_test(test_failed_create_changes_nothing),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
