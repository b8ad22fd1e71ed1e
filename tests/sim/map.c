/* SPDX-License-Identifier: MIT */
/*
 * One seed, one history: planners that race for the lead of one shared map, with clocks that differ; plans carried
 * out by hosts that fail, or answer after the planner died; a store that fails; readers that write by worlds of
 * yesterday. At every step of it
 *   - each world has one owner of each key and no gap (psh_world_create refuses any other),
 *   - no two partitions take the same key, and every row lies where its key belongs,
 *   - shared epochs only grow, and fences never go back;
 * and when the faults end, every key can be written again by the latest world.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "host.h"
#include "store.h"

#define PLANNERS 3
#define STEPS 500
#define QUEUE 256
#define LEASE (5 * PSH_MINUTE)

typedef struct task {
    psh_action a;
    uint64_t after[4]; /* ids that must have ended */
    size_t after_count;
    int begun;
    int over;
} task;

typedef struct planner {
    psh_share *share;
    psh_map *map; /* NULL: it does not lead */
    uint64_t fence;
    int64_t skew;
    task queue[QUEUE];
    size_t queued;
    int dirty;
} planner;

/* What a leader stored last: the map, and what was queued. */
typedef struct checkpoint {
    psh_buffer *map;
    task queue[QUEUE];
    size_t queued;
    uint64_t fence;
} checkpoint;

typedef struct sim {
    uint64_t rng;
    int64_t now;
    psh_env *env;
    test_alloc alloc;
    psh_schema *schema;
    sim_store store;
    int faults; /* 1: the store and the hosts fail */
    int nested; /* inside a rival's call */
    sim_host host;
    planner planners[PLANNERS];
    checkpoint saved;
    psh_share *reader;
    psh_world *world; /* the reader's */
    uint64_t epoch;   /* highest seen */
    uint64_t fence;
    uint64_t counts[8];
} sim;

enum { PUBLISHED, CRASHES, RACES, WRITES, STALE, SPLITS, MERGES, MOVES };

static uint64_t next(sim *s) {
    uint64_t z = s->rng += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int chance(sim *s, unsigned percent) {
    return next(s) % 100 < percent;
}

static void must(const sim *s, int truth, const char *what) {
    if (!truth)
        fail_msg("%s (at %lld)", what, (long long)s->now);
}

static void rival(sim *s);

/* How the store fares at this call: as it may, while there are faults. */
static uint32_t fate(void *user, int writes) {
    sim *s = user;

    if (!s->faults)
        return SIM_WELL;
    if (writes && !s->nested && chance(s, 4))
        rival(s); /* someone else comes between the read and this */
    if (chance(s, 3))
        return SIM_REFUSED;
    return writes && chance(s, 2) ? SIM_UNHEARD : SIM_WELL;
}

static psh_share *open_share(sim *s, const char *owner) {
    psh_kv kv;
    psh_share_options o;
    psh_share *share;

    s->store.fate = fate;
    s->store.user = s;
    sim_store_kv(&s->store, &kv);
    assert_ok(psh_share_options_init(&o, sizeof o));
    o.owner = owner;
    o.lease_ns = LEASE;
    o.keep_epochs = 3;
    o.max_blob_bytes = 4096;
    assert_ok(psh_share_create(s->env, s->schema, &kv, &o, &share, NULL));
    return share;
}

/* Planners. */

static void step_down(sim *s, planner *p) {
    (void)s;
    psh_map_destroy(p->map);
    p->map = NULL;
    p->queued = 0;
    p->dirty = 0;
}

static void crash(sim *s, planner *p) {
    char owner[8];

    step_down(s, p);
    psh_share_destroy(p->share);
    snprintf(owner, sizeof owner, "p%d", (int)(p - s->planners));
    p->share = open_share(s, owner);
    s->counts[CRASHES]++;
}

static void rival(sim *s) {
    planner *p = &s->planners[next(s) % PLANNERS];
    uint64_t fence;

    s->nested = 1;
    if (!p->map && psh_share_lead(p->share, s->now + p->skew + LEASE, &fence, NULL) == PSH_OK) {
        psh_share_resign(p->share, s->now, NULL); /* it only stirs; the fence has gone on */
        s->counts[RACES]++;
    }
    s->nested = 0;
}

/* A checkpoint is stored under the fence: one of a deposed leader is refused. */
static int store(sim *s, planner *p) {
    int was = s->faults;
    psh_status st;

    s->faults = 0; /* storage and fence check are one commit here */
    st = psh_share_check_fence(p->share, p->fence, NULL);
    s->faults = was;
    if (st != PSH_OK)
        return 0;
    psh_buffer_clear(s->saved.map);
    assert_ok(psh_map_save(p->map, s->saved.map));
    memcpy(s->saved.queue, p->queue, sizeof p->queue);
    s->saved.queued = p->queued;
    s->saved.fence = p->fence;
    return 1;
}

static void set_nodes(sim *s, psh_map *m) {
    psh_map_node n[4];
    uint32_t i;

    for (i = 0; i < 4; i++)
        n[i] = (psh_map_node){ i, i == 3 && chance(s, 30) ? PSH_MAP_NODE_LEAVING : PSH_MAP_NODE_UP, 100,
                               UINT64_C(1) << 40 };
    assert_ok(psh_map_set_nodes(m, n, 4, sizeof *n, NULL));
}

static void take_over(sim *s, planner *p) {
    psh_map_options o;

    assert_ok(psh_map_options_init(&o, sizeof o));
    o.default_arcs = 2;
    o.lead_ns = 6 * PSH_HOUR;
    o.settle_ns = 0;
    o.split_bytes = 4000;
    o.merge_bytes = 600;
    o.step_bytes = 500;
    o.max_changes = 6;
    o.tolerance = 0.1;
    if (psh_buffer_size(s->saved.map)) {
        psh_error err = { .struct_size = sizeof err };

        if (psh_map_load(s->env, s->schema, psh_buffer_data(s->saved.map), psh_buffer_size(s->saved.map), 0,
                &p->map, &err) != PSH_OK)
            fail_msg("checkpoint: %s: %s", err.field, err.text);
        memcpy(p->queue, s->saved.queue, sizeof p->queue);
        p->queued = s->saved.queued;
    } else {
        assert_ok(psh_map_create(s->env, s->schema, &o, &p->map, NULL));
    }
    set_nodes(s, p->map);
    p->dirty = 1;
}

static void lead(sim *s, planner *p) {
    uint64_t fence = 0;
    psh_status st = psh_share_lead(p->share, s->now + p->skew, &fence, NULL);

    if (st == PSH_E_FENCED) {
        step_down(s, p);
        return;
    }
    if (st != PSH_OK)
        return;
    if (p->map && fence != p->fence)
        step_down(s, p); /* it was deposed in between, and begins again from what is stored */
    p->fence = fence;
    if (!p->map) {
        must(s, fence >= s->fence, "a fence went back"); /* equal: it led all along */
        s->fence = fence;
        take_over(s, p);
    }
}

static void load_partitions(sim *s, planner *p) {
    psh_partition_load l = { .struct_size = sizeof l, .rows = UINT64_MAX, .bytes = UINT64_MAX };
    const psh_partition *x;
    size_t i;

    for (i = 0; (x = psh_map_get(p->map, i)) != NULL; i++) {
        l.reads_per_s = (double)(next(s) % 60);
        l.writes_per_s = (double)(next(s) % 40);
        l.bytes = next(s) % (chance(s, 50) ? 5000 : 250);
        (void)psh_map_observe_load(p->map, x->id, &l, s->now);
    }
}

static int is_same_place(const psh_want *a, const psh_want *b) {
    return a->subject == b->subject || (a->source && (a->source == b->subject || a->source == b->source)) ||
           (b->source && b->source == a->subject);
}

/* What touches the same partition waits for what was queued before it. */
static void enqueue(planner *p, const psh_want *w, uint64_t node) {
    task *t = &p->queue[p->queued];
    size_t i;

    memset(t, 0, sizeof *t);
    t->a.want = *w;
    t->a.id = psh_action_id(w->kind, w->subject, w->generation);
    if (t->a.want.node == PSH_NONE)
        t->a.want.node = (uint32_t)(node % 4);
    if (t->a.want.tier == PSH_NONE)
        t->a.want.tier = 0;
    for (i = 0; i < p->queued; i++)
        if (p->queue[i].a.id == t->a.id)
            return;
    for (i = p->queued; i-- > 0 && t->after_count < 4;)
        if (is_same_place(&p->queue[i].a.want, w))
            t->after[t->after_count++] = p->queue[i].a.id;
    p->queued++;
}

static void plan(sim *s, planner *p) {
    psh_error err = { .struct_size = sizeof err };
    psh_wants *wants;
    psh_want w;
    size_t i;

    load_partitions(s, p);
    assert_ok(psh_wants_create(s->env, &wants));
    if (psh_map_propose(p->map, NULL, s->now, wants, &err) != PSH_OK)
        fail_msg("propose: %s: %s", err.field, err.text);
    for (i = 0; i < psh_wants_count(wants) && p->queued < QUEUE; i++) {
        assert_ok(psh_wants_get(wants, i, &w));
        enqueue(p, &w, next(s));
    }
    psh_wants_destroy(wants);
    if (!store(s, p)) /* before anything of it is handed out */
        step_down(s, p);
}

static int is_free(const planner *p, const task *t) {
    size_t i, k;

    for (k = 0; k < t->after_count; k++)
        for (i = 0; i < p->queued; i++)
            if (p->queue[i].a.id == t->after[k])
                return 0;
    return 1;
}

static void drop_task(planner *p, task *t) {
    memmove(t, t + 1, (size_t)(p->queue + p->queued - (t + 1)) * sizeof *t);
    p->queued--;
}

static int waits_for(const task *t, uint64_t id) {
    size_t k;

    for (k = 0; k < t->after_count; k++)
        if (t->after[k] == id)
            return 1;
    return 0;
}

/* What failed takes what waits for it along: the next plan wants it anew. Ids stand behind those they wait for. */
static void fail_task(planner *p, task *t) {
    uint64_t gone[QUEUE];
    size_t n = 0, i, k, waits;

    gone[n++] = t->a.id;
    drop_task(p, t);
    for (i = 0; i < p->queued; i += !waits) {
        for (k = 0, waits = 0; k < n && !waits; k++)
            waits = (size_t)waits_for(&p->queue[i], gone[k]);
        if (waits) {
            gone[n++] = p->queue[i].a.id;
            drop_task(p, &p->queue[i]);
        }
    }
}

static void count(sim *s, uint32_t kind) {
    s->counts[SPLITS] += kind == PSH_ACT_SPLIT_PARTITION;
    s->counts[MERGES] += kind == PSH_ACT_MERGE_PARTITION;
    s->counts[MOVES] += kind == PSH_ACT_PROMOTE_PARTITION;
}

static int changes_owner(const psh_want *w) {
    return (w->kind == PSH_ACT_SPLIT_PARTITION && w->step == w->steps) || w->kind == PSH_ACT_MERGE_PARTITION ||
           w->kind == PSH_ACT_PROMOTE_PARTITION || w->kind == PSH_ACT_DROP_REPLICA;
}

/* One action: begun, carried out or failed, heard of or not. */
static void act(sim *s, planner *p) {
    task *t = p->queued ? &p->queue[next(s) % p->queued] : NULL;
    psh_status st;

    if (!t || !is_free(p, t))
        return;
    if (!t->begun && psh_map_begin(p->map, &t->a) != PSH_OK) {
        fail_task(p, t);
        return;
    }
    t->begun = 1;
    t->a.fence = p->fence;
    if (changes_owner(&t->a.want) && !store(s, p)) { /* that it was begun must outlive this process */
        step_down(s, p);
        return;
    }
    st = s->faults && chance(s, 10) ? PSH_E_HOST : sim_act(&s->host, &t->a);
    if (st == PSH_E_FENCED) {
        step_down(s, p);
        return;
    }
    if (s->faults && chance(s, 4)) { /* it dies before it hears of it */
        crash(s, p);
        return;
    }
    assert_ok(psh_map_complete(p->map, &t->a, st, s->now));
    p->dirty = 1;
    if (st != PSH_OK) {
        fail_task(p, t);
        return;
    }
    count(s, t->a.want.kind);
    drop_task(p, t);
}

static void publish(sim *s, planner *p) {
    psh_error err = { .struct_size = sizeof err };
    psh_share_stats stats = { .struct_size = sizeof stats };
    psh_world_draft *d;
    psh_world *w = NULL;
    psh_status st;
    uint64_t current = 0;

    if (!p->dirty || !store(s, p))
        return;
    st = psh_share_check(p->share, 0, &current, NULL);
    if (st != PSH_OK && st != PSH_E_CONFLICT && st != PSH_E_NOT_FOUND)
        return;
    assert_ok(psh_world_draft_create(s->env, s->schema, current + 1, s->now, &d));
    assert_ok(psh_map_export(p->map, d));
    if (psh_world_create(d, &w, &err) != PSH_OK)
        fail_msg("world: %s: %s", err.field, err.text);
    psh_world_draft_destroy(d);
    st = psh_share_publish(p->share, w, s->now + p->skew, NULL);
    psh_world_unref(w);
    if (st == PSH_OK) {
        p->dirty = 0;
        s->counts[PUBLISHED]++;
    } else if (st == PSH_E_FENCED) {
        step_down(s, p);
    }
    assert_ok(psh_share_get_stats(p->share, &stats));
}

static void collect(sim *s, planner *p) {
    uint64_t removed;

    if (psh_share_collect(p->share, s->now + p->skew, &removed, NULL) == PSH_E_FENCED)
        step_down(s, p);
}

/* Readers. */

static void catch_up(sim *s) {
    psh_error err = { .struct_size = sizeof err };
    psh_world *w = NULL;
    psh_status st = psh_share_catch_up(s->reader, 0, &w, &err);

    if (st == PSH_E_CORRUPT)
        fail_msg("catch up: %s: %s", err.field, err.text);
    if (st != PSH_OK)
        return;
    must(s, psh_world_epoch(w) > s->epoch, "an epoch that was seen before");
    s->epoch = psh_world_epoch(w);
    psh_world_unref(s->world);
    s->world = w;
}

/* @return 1 if the row was taken. */
static int write_row(sim *s, uint64_t tenant, int64_t time) {
    const psh_partition *p;
    uint64_t point = psh_ring_point(tenant, 0);

    if (!s->world)
        return 0;
    p = psh_world_locate(s->world, 0, time, point);
    if (!p || p->state != PSH_PARTITION_ACTIVE)
        return 0;
    s->counts[WRITES]++;
    if (sim_write(&s->host, p->id, p->node, point, time) == PSH_OK)
        return 1;
    s->counts[STALE]++; /* the host says that it is not the owner: the reader's world is old */
    return 0;
}

static void check(sim *s) {
    const char *bad = sim_check(&s->host);

    if (bad)
        fail_msg("%s", bad);
}

/* What a planner does that thinks it leads. */
static void lead_on(sim *s, planner *p, uint64_t what) {
    if (!p->map)
        return;
    if (what < 18)
        plan(s, p);
    else if (what < 60)
        act(s, p);
    else if (what < 72)
        publish(s, p);
    else
        collect(s, p);
}

static void one_step(sim *s) {
    planner *p = &s->planners[next(s) % PLANNERS];
    uint64_t what = next(s) % 100;

    s->now += (int64_t)(next(s) % 120) * PSH_SECOND;
    if (what < 10)
        lead(s, p);
    else if (what < 75)
        lead_on(s, p, what);
    else if (what < 77)
        crash(s, p);
    else if (what < 82)
        catch_up(s);
    else
        (void)write_row(s, next(s) % 1000, s->now);
    check(s);
}

/* The faults end: one planner goes on alone, and then every key is taken where the latest world sends it. */
static void settle(sim *s) {
    planner *p = &s->planners[0];
    uint64_t tenant;
    int round, i;

    s->faults = 0;
    for (i = 1; i < PLANNERS; i++)
        crash(s, &s->planners[i]);
    for (round = 0; round < 12; round++) {
        s->now += LEASE + 20 * PSH_MINUTE;
        lead(s, p);
        must(s, p->map != NULL, "nobody leads though nobody else wants to");
        plan(s, p);
        for (i = 0; i < 4000 && p->queued; i++)
            act(s, p);
        check(s);
        publish(s, p);
    }
    catch_up(s);
    for (tenant = 0; tenant < 200; tenant++)
        must(s, write_row(s, tenant, s->now), "a key that nobody takes");
    check(s);
}

static void run_seed(sim *s, uint64_t seed) {
    int i;

    memset(s, 0, sizeof *s);
    s->rng = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
    s->env = test_env(&s->alloc);
    s->schema = test_flights_schema(s->env);
    s->now = TEST_T0;
    s->faults = 1;
    assert_ok(psh_buffer_create(s->env, &s->saved.map));
    for (i = 0; i < PLANNERS; i++) {
        crash(s, &s->planners[i]);
        s->planners[i].skew = (int64_t)(next(s) % 600) * PSH_SECOND - 300 * PSH_SECOND;
    }
    s->reader = open_share(s, "reader");
    for (i = 0; i < STEPS; i++)
        one_step(s);
    settle(s);
    for (i = 0; i < PLANNERS; i++) {
        step_down(s, &s->planners[i]);
        psh_share_destroy(s->planners[i].share);
    }
    psh_world_unref(s->world);
    psh_share_destroy(s->reader);
    psh_buffer_destroy(s->saved.map);
    sim_store_free(&s->store);
    psh_schema_unref(s->schema);
    psh_env_destroy(s->env);
    assert_int_equal(s->alloc.live, 0);
}

static uint64_t first_seed = 1, seeds = 1000;

static void histories_hold(void **state) {
    static const char *const names[] = { "epochs published", "crashes", "races won by a rival", "writes",
                                         "of them refused to a late reader", "splits", "merges", "moves" };
    uint64_t sums[8] = { 0 }, seed;
    sim *s = test_malloc(sizeof *s);
    size_t i;

    (void)state;
    for (seed = first_seed; seed < first_seed + seeds; seed++) {
        fprintf(stderr, "\rseed %llu", (unsigned long long)seed);
        run_seed(s, seed);
        for (i = 0; i < 8; i++)
            sums[i] += s->counts[i];
    }
    fprintf(stderr, "\r");
    for (i = 0; i < 8; i++)
        print_message("%llu %s\n", (unsigned long long)sums[i], names[i]);
    for (i = 0; i < 8; i++)
        assert_true(sums[i] > 0);
    test_free(s);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(histories_hold) };

    if (argc > 1)
        seeds = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        first_seed = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
