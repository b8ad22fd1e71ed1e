/* SPDX-License-Identifier: MIT */
/* Replicas, assignments, and where a tenant is. */
#include "base/rng.h"
#include "saved.h"

#define HALF (UINT64_C(1) << 63)

static psh_partition half_day(int64_t day, uint64_t first, uint32_t state) {
    psh_partition p = { 0 };

    p.id = psh_partition_id(0, day, first);
    p.state = state;
    p.ordinal = first > 0;
    p.node = 1;
    p.interval = day;
    p.time_from = day * PSH_DAY;
    p.time_to = p.time_from + PSH_DAY;
    p.arc_first = first;
    p.arc_last = first ? UINT64_MAX : HALF - 1;
    p.first_write = PSH_TIME_NONE;
    return p;
}

/* Ten days of two halves, of which day 4 is missing and day 9 a shadow. */
static psh_world_draft *days(psh_env *env, psh_schema *schema) {
    psh_world_draft *d;
    psh_partition p;
    int64_t day;
    int half;

    assert_ok(psh_world_draft_create(env, schema, 1, 0, &d));
    for (day = 0; day < 10; day++) {
        for (half = 0; half < 2 && day != 4; half++) {
            p = half_day(day, half ? HALF : 0, day == 9 ? PSH_PARTITION_SHADOW : PSH_PARTITION_ACTIVE);
            assert_ok(psh_world_draft_add_partition(d, &p));
        }
    }
    return d;
}

static psh_replica copy_of(int64_t day, uint32_t node, uint32_t state) {
    psh_replica r = { psh_partition_id(0, day, 0), node, 0, state, 0, PSH_TIME_NONE };

    if (state == PSH_REPLICA_READY)
        r.ready_at = 5;
    return r;
}

static psh_assignment moved(uint64_t tenant, int64_t from, uint32_t segment) {
    psh_assignment a = { tenant, 0, segment, from, PSH_ACCESS_RANGE, 2 };

    return a;
}

static void test_replicas_by_partition(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_world_draft *d = days(env, schema);
    psh_replica r[] = { copy_of(2, 9, PSH_REPLICA_READY), copy_of(1, 3, PSH_REPLICA_WARMING),
                        copy_of(2, 3, PSH_REPLICA_READY) };
    const psh_replica *found;
    psh_world *w;
    size_t n, i;

    (void)state;
    for (i = 0; i < 3; i++)
        assert_ok(psh_world_draft_add_replica(d, &r[i]));
    assert_ok(psh_world_create(d, &w, NULL));
    assert_int_equal(psh_world_replica_count(w), 3);
    assert_null(psh_world_replica(w, 3));
    for (i = 1; i < 3; i++)
        assert_true(psh_world_replica(w, i - 1)->partition <= psh_world_replica(w, i)->partition);
    found = psh_world_replicas(w, psh_partition_id(0, 2, 0), &n);
    assert_int_equal(n, 2);
    assert_true(found[0].node == 3 && found[1].node == 9);
    found = psh_world_replicas(w, psh_partition_id(0, 1, 0), &n);
    assert_true(n == 1 && found[0].state == PSH_REPLICA_WARMING);
    assert_null(psh_world_replicas(w, psh_partition_id(0, 3, 0), &n));
    assert_int_equal(n, 0);
    psh_world_unref(w);
    psh_world_draft_destroy(d);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void refused(psh_env *env, psh_schema *schema, const psh_replica *r, const psh_assignment *m, size_t n,
                    const char *field) {
    psh_error err = { .struct_size = sizeof err };
    psh_world_draft *d = days(env, schema);
    psh_world *w;
    size_t i;

    for (i = 0; i < n; i++) {
        if (r)
            assert_ok(psh_world_draft_add_replica(d, &r[i]));
        if (m)
            assert_ok(psh_world_draft_add_assignment(d, &m[i]));
    }
    assert_int_equal(psh_world_create(d, &w, &err), PSH_E_INVALID);
    assert_string_equal(err.field, field);
    assert_null(w);
    psh_world_draft_destroy(d);
}

#define REFUSED_COPY(change, name) \
    do { \
        psh_replica bad = copy_of(2, 3, PSH_REPLICA_READY); \
        bad.change; \
        refused(env, schema, &bad, NULL, 1, name); \
    } while (0)

static void test_refusals(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_replica two[2] = { copy_of(2, 3, PSH_REPLICA_READY), copy_of(2, 3, PSH_REPLICA_WARMING) };
    psh_assignment twice[2] = { moved(5, PSH_DAY, 1), moved(5, PSH_DAY, 2) };

    (void)state;
    REFUSED_COPY(partition = 99, "replicas[0]");
    REFUSED_COPY(partition = psh_partition_id(0, 9, 0), "replicas[0]"); /* of a shadow */
    REFUSED_COPY(node = 1, "replicas[0]");                              /* the owner's */
    REFUSED_COPY(node = PSH_NONE, "node");
    REFUSED_COPY(state = 0, "state");
    REFUSED_COPY(state = 3, "state");
    REFUSED_COPY(reserved = 1, "reserved");
    REFUSED_COPY(ready_at = PSH_TIME_NONE, "ready_at");
    REFUSED_COPY(state = PSH_REPLICA_WARMING, "ready_at");
    refused(env, schema, two, NULL, 2, "replicas[1]");
    refused(env, schema, NULL, twice, 2, "assignments[1]");
    twice[0].table = 1;
    refused(env, schema, NULL, twice, 1, "table");
    twice[0] = moved(5, PSH_TIME_NONE, 1);
    refused(env, schema, NULL, twice, 1, "from");
    twice[0] = moved(5, 0, 1);
    twice[0].access = 4;
    refused(env, schema, NULL, twice, 1, "access");
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

/* Whatever assignments there are, looking them up finds what looking at all of them finds. */
static void test_points_against_all(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_world_draft *d = days(env, schema);
    psh_assignment m[300];
    const psh_assignment *best;
    uint64_t seed = 8, tenant;
    int64_t time, start;
    psh_place place;
    psh_world *w;
    size_t n = 0, i, k;

    (void)state;
    for (i = 0; i < 300; i++) {
        m[n] = moved(pshi_rng_next(&seed) % 60, (int64_t)(pshi_rng_next(&seed) % 20) * PSH_DAY / 2, (uint32_t)i);
        for (k = 0; k < n && (m[k].tenant != m[n].tenant || m[k].from != m[n].from); k++)
            ;
        if (k == n)
            assert_ok(psh_world_draft_add_assignment(d, &m[n++]));
    }
    assert_ok(psh_world_create(d, &w, NULL));
    assert_int_equal(psh_world_assignment_count(w), n);
    assert_null(psh_world_assignment(w, n));
    for (i = 0; i < 3000; i++) {
        tenant = pshi_rng_next(&seed) % 70;
        time = (int64_t)(pshi_rng_next(&seed) % (uint64_t)(11 * PSH_DAY));
        start = time - time % PSH_DAY;
        for (k = 0, best = NULL; k < n; k++)
            if (m[k].tenant == tenant && m[k].from <= start && (!best || m[k].from > best->from))
                best = &m[k];
        assert_true(psh_world_point(w, 0, tenant, time) == psh_ring_point(tenant, best ? best->segment : 0));
        (void)psh_world_locate_tenant(w, 0, tenant, time, &place);
        assert_int_equal(place.segment, best ? best->segment : 0);
        assert_int_equal(place.tier, best ? 2 : PSH_NONE);
        assert_ptr_equal(place.partition, psh_world_locate(w, 0, time, place.point));
    }
    assert_true(psh_world_point(w, 9, 3, 0) == psh_ring_point(3, 0));
    assert_null(psh_world_assignment_at(w, 0, 1000, 0));
    psh_world_unref(w);
    psh_world_draft_destroy(d);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

typedef struct visited {
    const psh_world *w;
    uint64_t tenant;
    int64_t next;
    size_t n;
    size_t stop_at;
} visited;

static psh_status visit(void *user, const psh_partition *p) {
    visited *v = user;

    assert_true(p->interval >= v->next);
    assert_ptr_equal(p, psh_world_locate(v->w, 0, p->time_from, psh_world_point(v->w, 0, v->tenant, p->time_from)));
    v->next = p->interval + 1;
    return ++v->n == v->stop_at ? PSH_END : PSH_OK;
}

static void test_partitions_of_a_tenant(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_world_draft *d = days(env, schema);
    psh_assignment m;
    psh_world *w;
    visited v;
    int64_t day;

    (void)state;
    for (day = 0; day < 10; day++) {
        m = moved(3, day * PSH_DAY, (uint32_t)day * 7);
        assert_ok(psh_world_draft_add_assignment(d, &m));
    }
    assert_ok(psh_world_create(d, &w, NULL));
    v = (visited){ w, 3, 0, 0, 0 };
    assert_ok(psh_world_tenant_partitions(w, 0, 3, PSH_TIME_MIN, PSH_TIME_MAX, visit, &v));
    assert_int_equal(v.n, 8); /* ten, without the missing day and the shadow */
    v = (visited){ w, 3, 2, 0, 0 };
    assert_ok(psh_world_tenant_partitions(w, 0, 3, 3 * PSH_DAY - 1, 6 * PSH_DAY, visit, &v));
    assert_int_equal(v.n, 3);
    v = (visited){ w, 3, 0, 0, 2 };
    assert_int_equal(psh_world_tenant_partitions(w, 0, 3, PSH_TIME_MIN, PSH_TIME_MAX, visit, &v), PSH_END);
    assert_int_equal(v.n, 2);
    assert_int_equal(psh_world_tenant_partitions(w, 1, 3, 0, 1, visit, &v), PSH_E_NOT_FOUND);
    assert_int_equal(psh_world_tenant_partitions(w, 0, 3, 0, 1, NULL, &v), PSH_E_INVALID);
    psh_world_unref(w);
    psh_world_draft_destroy(d);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

static void test_ready_copies_are_counted(void **state) {
    test_alloc a;
    psh_env *env = test_env(&a);
    psh_schema *schema = test_flights_schema(env);
    psh_world_draft *d = days(env, schema);
    psh_replica r[] = { copy_of(2, 9, PSH_REPLICA_READY), copy_of(2, 3, PSH_REPLICA_WARMING),
                        copy_of(2, 4, PSH_REPLICA_READY) };
    psh_place place;
    psh_world *w;
    uint64_t tenant;
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++)
        assert_ok(psh_world_draft_add_replica(d, &r[i]));
    assert_ok(psh_world_create(d, &w, NULL));
    for (tenant = 1; tenant < 20; tenant++) {
        assert_ok(psh_world_locate_tenant(w, 0, tenant, 2 * PSH_DAY, &place));
        assert_int_equal(place.replicas, place.point < HALF ? 2 : 0);
        assert_true(place.access == 0 && place.tier == PSH_NONE);
    }
    assert_int_equal(psh_world_locate_tenant(w, 0, 1, 4 * PSH_DAY, &place), PSH_E_NOT_FOUND);
    assert_true(place.point == psh_ring_point(1, 0));
    assert_int_equal(psh_world_locate_tenant(w, 1, 1, 0, &place), PSH_E_NOT_FOUND);
    assert_int_equal(psh_world_locate_tenant(w, 0, 1, PSH_TIME_NONE, &place), PSH_E_INVALID);
    assert_int_equal(psh_world_locate_tenant(w, 0, 1, 0, NULL), PSH_E_INVALID);
    psh_world_unref(w);
    psh_world_draft_destroy(d);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(a.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replicas_by_partition), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_points_against_all),    cmocka_unit_test(test_partitions_of_a_tenant),
        cmocka_unit_test(test_ready_copies_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
