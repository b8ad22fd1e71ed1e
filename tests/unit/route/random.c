/* SPDX-License-Identifier: MIT */
/* Routes through random worlds, each hour of them judged again by looking at everything. */
#include "base/rng.h"
#include "test.h"

#define FIRST_DAY 10
#define DAYS 14
#define NODES 2
#define HEAD 8
#define NOW (HEAD * PSH_MINUTE)

/* What one world is made of; position 0 = absent. */
typedef struct plan {
    uint32_t state[DAYS]; /* 0 = no partition */
    uint64_t written[DAYS];
    uint64_t part[DAYS][NODES];
    uint32_t retention;
    psh_partition quarantine; /* id 0 = none */
} plan;

static uint64_t below(uint64_t *seed, uint64_t n) {
    return (pshi_rng_next(seed) >> 33) % n;
}

static void random_plan(plan *p, uint64_t *seed) {
    static const uint32_t states[] = { 0, PSH_PARTITION_SHADOW, PSH_PARTITION_ACTIVE, PSH_PARTITION_SEALED,
                                       PSH_PARTITION_SEALED, PSH_PARTITION_SEALED, PSH_PARTITION_ARCHIVED };
    size_t i, k;

    memset(p, 0, sizeof *p);
    p->retention = below(seed, 2) ? PSH_RETAIN_FOLLOWS_BASE : PSH_RETAIN_OUTLIVES_BASE;
    for (i = 0; i < DAYS; i++) {
        p->state[i] = states[below(seed, 7)];
        p->written[i] = p->state[i] > PSH_PARTITION_SHADOW ? below(seed, 5) : 0;
        for (k = 0; k < NODES; k++)
            p->part[i][k] = below(seed, 4) ? 1 + below(seed, HEAD) : 0;
    }
    if (below(seed, 3))
        return;
    p->quarantine.id = psh_quarantine_id(0);
    p->quarantine.flags = PSH_PARTITION_QUARANTINE;
    p->quarantine.state = PSH_PARTITION_ACTIVE;
    p->quarantine.arc_last = UINT64_MAX;
    p->quarantine.time_from = (int64_t)(FIRST_DAY + below(seed, DAYS)) * PSH_DAY + 5;
    p->quarantine.time_to = p->quarantine.time_from + (int64_t)below(seed, 3) * PSH_DAY;
    p->quarantine.last_position = below(seed, HEAD);
}

static psh_world *build(psh_env *env, psh_schema *schema, psh_view *view, const plan *p) {
    psh_world_draft *d = NULL;
    psh_world *w = NULL;
    psh_view_part part;
    psh_partition x;
    size_t i, k;

    assert_ok(psh_world_draft_create(env, schema, 1, 0, &d));
    assert_ok(psh_world_draft_add_view(d, view));
    for (i = 0; i < DAYS; i++) {
        memset(&x, 0, sizeof x);
        x.interval = FIRST_DAY + (int64_t)i;
        x.time_from = x.interval * PSH_DAY;
        x.time_to = x.time_from + PSH_DAY;
        x.id = psh_partition_id(0, x.interval, 0);
        x.arc_last = UINT64_MAX;
        x.state = p->state[i];
        x.last_position = p->written[i];
        if (x.state)
            assert_ok(psh_world_draft_add_partition(d, &x));
        for (k = 0; k < NODES; k++) {
            memset(&part, 0, sizeof part);
            part.view = psh_view_id(view);
            part.node = (uint32_t)k;
            part.interval = x.interval;
            part.time_from = x.time_from;
            part.time_to = x.time_to;
            part.position = p->part[i][k];
            part.commit_time = (int64_t)part.position * PSH_MINUTE;
            if (part.position)
                assert_ok(psh_world_draft_add_view_part(d, &part));
        }
    }
    if (p->quarantine.id)
        assert_ok(psh_world_draft_add_partition(d, &p->quarantine));
    assert_ok(psh_world_create(d, &w, NULL));
    psh_world_draft_destroy(d);
    return w;
}

static int quarantine_touches(const plan *p, int64_t from, int64_t to) {
    const psh_partition *q = &p->quarantine;

    return q->id && q->last_position && q->time_from < q->time_to && q->time_from < to && from < q->time_to;
}

static int owns(const plan *p, size_t day) {
    return p->state[day] >= PSH_PARTITION_ACTIVE;
}

static int serves(const plan *p, size_t day, uint32_t node, uint64_t head, int64_t staleness) {
    uint64_t at = p->part[day][node];
    int64_t from = (FIRST_DAY + (int64_t)day) * PSH_DAY;

    if (!at || (!owns(p, day) && p->retention == PSH_RETAIN_FOLLOWS_BASE))
        return 0;
    if ((head && at >= head) || (staleness && (int64_t)at * PSH_MINUTE >= NOW - staleness))
        return 1;
    return p->state[day] != PSH_PARTITION_ACTIVE && p->written[day] <= at &&
           !(quarantine_touches(p, from, from + PSH_DAY) && p->quarantine.last_position > at);
}

static int serves_anywhere(const plan *p, size_t day, uint64_t head, int64_t staleness) {
    return serves(p, day, 0, head, staleness) || serves(p, day, 1, head, staleness);
}

/* The leg that holds an hour; all partitions are on one node and tier, so that there is but one. */
static int leg_at(const psh_route *route, int64_t hour, psh_leg *out) {
    size_t i, found = 0;
    psh_leg l;

    memset(out, 0, sizeof *out);
    for (i = 0; psh_route_leg(route, i, &l) == PSH_OK; i++) {
        if (hour < l.time_from || hour >= l.time_to)
            continue;
        found++;
        *out = l;
    }
    assert_true(found <= 1);
    return found > 0;
}

static int reads(const psh_leg *l, uint64_t id) {
    size_t i;

    for (i = 0; i < l->partition_count; i++)
        if (l->partitions[i]->id == id)
            return 1;
    return 0;
}

static void check_hour(const plan *p, const psh_route *route, int64_t hour, uint64_t head, int64_t staleness) {
    size_t day = (size_t)(hour / PSH_DAY - FIRST_DAY);
    psh_leg l;
    int there = leg_at(route, hour, &l);

    if (serves_anywhere(p, day, head, staleness)) {
        assert_true(there && l.kind == PSH_LEG_VIEW);
        assert_true(serves(p, day, l.node, head, staleness));
        return;
    }
    assert_true(!there || l.kind == PSH_LEG_BASE);
    if (owns(p, day))
        assert_true(there && reads(&l, psh_partition_id(0, FIRST_DAY + (int64_t)day, 0)));
    if (quarantine_touches(p, hour, hour + PSH_HOUR))
        assert_true(there && reads(&l, p->quarantine.id));
}

static psh_query *hours(psh_env *env, psh_schema *schema, int64_t from, int64_t to, int64_t staleness) {
    static const psh_aggregate count = { PSH_AGG_COUNT, PSH_NONE };
    psh_query *q = NULL;
    psh_query_spec s;

    psh_query_spec_init(&s, sizeof s);
    s.aggregates = &count;
    s.aggregate_count = 1;
    s.bucket_ns = PSH_HOUR;
    s.time_from = from;
    s.time_to = to;
    s.max_staleness_ns = staleness;
    assert_ok(psh_query_create(env, schema, &s, &q, NULL));
    return q;
}

static void try_route(
    psh_env *env, psh_router *router, psh_route *route, const psh_world *w, const plan *p, uint64_t *seed) {
    int64_t from = FIRST_DAY * PSH_DAY + (int64_t)below(seed, DAYS * 24) * PSH_HOUR;
    int64_t to = from + (int64_t)below(seed, DAYS * 24) * PSH_HOUR, hour;
    int64_t staleness = below(seed, 3) ? 0 : 2 * PSH_MINUTE;
    psh_route_request r = { .struct_size = sizeof r, .now = NOW, .head_position = below(seed, 2) ? HEAD : 0 };
    psh_query *q = hours(env, psh_world_schema(w), from, to, staleness);

    r.query = q;
    assert_ok(psh_router_route(router, w, &r, route));
    for (hour = from; hour < to && hour < (FIRST_DAY + DAYS) * PSH_DAY; hour += PSH_HOUR)
        check_hour(p, route, hour, r.head_position, staleness);
    psh_query_unref(q);
}

static void test_every_hour_is_answered(void **state) {
    test_alloc al;
    psh_env *env = test_env(&al);
    psh_schema *schema = test_flights_schema(env);
    psh_query *definition = hours(env, schema, PSH_TIME_MIN, PSH_TIME_MAX, 0);
    psh_router *router = NULL;
    psh_route *route = NULL;
    psh_view *view = NULL;
    uint64_t seed = 7;
    psh_view_spec s;
    psh_world *w;
    size_t i, k;
    plan p;

    (void)state;
    assert_ok(psh_router_create(env, NULL, &router, NULL));
    assert_ok(psh_route_create(router, &route));
    for (i = 0; i < 1500; i++) {
        random_plan(&p, &seed);
        psh_view_spec_init(&s, sizeof s);
        s.name = "v";
        s.definition = definition;
        s.retention = p.retention;
        assert_ok(psh_view_create(env, &s, &view, NULL));
        w = build(env, schema, view, &p);
        for (k = 0; k < 8; k++)
            try_route(env, router, route, w, &p, &seed);
        psh_world_unref(w);
        psh_view_unref(view);
    }
    psh_route_destroy(route);
    psh_router_destroy(router);
    psh_query_unref(definition);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    assert_int_equal(al.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_hour_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
