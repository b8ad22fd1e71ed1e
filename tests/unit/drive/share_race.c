/* SPDX-License-Identifier: MIT */
/*
 * Three processes with clocks that differ race for the lead, publish, read, collect and crash, over 1,000 seeds.
 * Inside any call of one to the store another may run whole calls of its own, and a third inside those: so any of
 * them may be held up between any two of its calls while the world goes on. After each write of the root:
 * epochs and fences do not go back, an epoch has one world for ever, and a fresh reader can load it.
 */
#include "share_stage.h"

#define NODES 3
#define SEEDS 1000
#define STEPS 120
#define MOST_EPOCHS 800u
#define CANDIDATES 4u

typedef struct sim sim;

typedef struct node {
    sim *of;
    int number;
    int running;  /* inside a call */
    int64_t skew;
    store store;
    psh_kv kv;
    psh_share *share;
    model model;      /* of the world it works with */
    uint64_t fence;   /* that it led under last */
    uint64_t seen;    /* epoch that it caught up to */
    uint64_t tried;   /* epoch that it tried to publish last */
} node;

struct sim {
    uint64_t rng;
    int64_t now;
    int depth;
    psh_env *env;
    psh_schema *schema;
    memory_host *host;
    psh_kv raw;       /* the memory host's own */
    store plain_store;
    psh_kv plain;
    node nodes[NODES];
    model tried[MOST_EPOCHS][CANDIDATES]; /* worlds that somebody tried to publish as this epoch; epoch 0: none */
    model published[MOST_EPOCHS]; /* the one that the root took; epoch 0: none yet */
    uint64_t root_version;
    uint64_t epoch, fence;
    /* how much happened */
    uint64_t publications, worlds, takeovers, fenced, conflicts, collected, held_up, crashes;
};

static uint64_t draw(sim *x, uint64_t n) {
    return pshi_rng_next(&x->rng) % n;
}

static const char *const names[NODES] = { "anna", "bert", "cleo" };

static int is_world(sim *x, const model *m, const psh_world *w) {
    psh_world *other = model_world(m, x->env, x->schema);
    psh_buffer *a = world_bytes(w, x->env), *b = world_bytes(other, x->env);
    int same = psh_buffer_size(a) == psh_buffer_size(b) &&
               memcmp(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a)) == 0;

    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
    psh_world_unref(other);
    return same;
}

/* An epoch that is seen for the first time is one of those tried; from then on it is that one. */
static void check_world(sim *x, const psh_world *w) {
    uint64_t epoch = psh_world_epoch(w);
    uint32_t i;

    assert_true(epoch < MOST_EPOCHS);
    for (i = 0; i < CANDIDATES && !x->published[epoch].epoch; i++)
        if (x->tried[epoch][i].epoch && is_world(x, &x->tried[epoch][i], w))
            x->published[epoch] = x->tried[epoch][i];
    assert_int_equal(x->published[epoch].epoch, epoch);
    assert_true(is_world(x, &x->published[epoch], w));
}

/* The root as it stands, by a reader that knows nothing. */
static void check_root(sim *x) {
    psh_share_stats stats = { .struct_size = sizeof stats };
    psh_share *s = share_of(x->env, x->schema, &x->plain, "reader");
    psh_world *got = NULL;
    psh_error err = { .struct_size = sizeof err };
    psh_status st = psh_share_catch_up(s, 0, &got, &err);

    assert_ok(psh_share_get_stats(s, &stats));
    assert_true(stats.fence >= x->fence);
    x->fence = stats.fence;
    if (st == PSH_E_NOT_FOUND && !x->epoch) {
        psh_share_destroy(s);
        return;
    }
    if (st != PSH_OK)
        fail_msg("%s: %s: %s", psh_status_name(st), err.field, err.text);
    assert_true(psh_world_epoch(got) >= x->epoch);
    x->epoch = psh_world_epoch(got);
    check_world(x, got);
    psh_world_unref(got);
    psh_share_destroy(s);
}

static uint64_t version_of_root(sim *x) {
    psh_buffer *b = NULL;
    uint64_t version = 0;

    assert_ok(psh_buffer_create(x->env, &b));
    (void)x->raw.get(x->raw.user, "predshard/root", b, &version);
    psh_buffer_destroy(b);
    return version;
}

/* Looks whether the root was moved since; each move is looked at, since it is called before every call. */
static void look(sim *x) {
    uint64_t version = version_of_root(x);

    if (version == x->root_version)
        return;
    assert_true(version > x->root_version);
    x->root_version = version;
    check_root(x);
}

static void act(sim *x, node *n);

/* Before each call of a node to the store: the others may go first; then the call may fail. */
static void interleave(void *user, const char *op, const char *key) {
    node *n = user;
    sim *x = n->of;
    int i;

    (void)op;
    (void)key;
    look(x);
    for (i = 0; i < NODES; i++)
        while (!x->nodes[i].running && x->depth < NODES && draw(x, 8) == 0) {
            x->held_up++;
            x->now += draw(x, 3) ? 0 : (int64_t)draw(x, 3) * 20 * PSH_SECOND;
            act(x, &x->nodes[i]);
        }
    n->store.countdown = draw(x, 80) == 0 ? 0 : -1;
    n->store.applied = (int)draw(x, 2);
}

static void reopen(sim *x, node *n) {
    psh_share_options o;

    psh_share_destroy(n->share);
    assert_ok(psh_share_options_init(&o, sizeof o));
    o.owner = names[n->number];
    o.keep_epochs = 2;
    o.max_retries = 4;
    o.max_blob_bytes = 4096;
    n->share = NULL;
    assert_ok(psh_share_create(x->env, x->schema, &n->kv, &o, &n->share, NULL));
    n->seen = 0;
}

static void sim_lead(sim *x, node *n) {
    uint64_t fence = 0;
    psh_status st = psh_share_lead(n->share, x->now + n->skew, &fence, NULL);

    assert_true(st == PSH_OK || st == PSH_E_FENCED || st == PSH_E_CONFLICT || st == PSH_E_HOST);
    if (st != PSH_OK)
        return;
    assert_true(fence >= n->fence);
    if (fence > n->fence)
        x->takeovers++;
    n->fence = fence;
}

static void sim_follow(sim *x, node *n) {
    psh_world *got = NULL;
    psh_error err = { .struct_size = sizeof err };
    psh_status st = psh_share_catch_up(n->share, 0, &got, &err);

    if (st == PSH_E_CORRUPT)
        fail_msg("%s: %s", err.field, err.text);
    assert_true(st == PSH_OK || st == PSH_END || st == PSH_E_NOT_FOUND || st == PSH_E_HOST || st == PSH_E_CONFLICT);
    if (st != PSH_OK)
        return;
    x->worlds++;
    assert_true(psh_world_epoch(got) > n->seen);
    n->seen = psh_world_epoch(got);
    check_world(x, got);
    n->model = x->published[n->seen];
    psh_world_unref(got);
}

/* Nodes may try other worlds as the same epoch; no node tries two worlds as one. */
static void sim_publish(sim *x, node *n) {
    model m = n->model;
    psh_world *w;
    psh_status st;
    uint64_t epoch;
    uint32_t i;

    model_change(&m, &x->rng);
    epoch = m.epoch > n->tried ? m.epoch : n->tried + 1;
    for (i = 0; epoch < MOST_EPOCHS && x->tried[epoch][i].epoch; )
        if (++i == CANDIDATES) {
            epoch++;
            i = 0;
        }
    if (epoch >= MOST_EPOCHS)
        return;
    m.epoch = epoch;
    n->tried = epoch;
    x->tried[epoch][i] = m;
    w = model_world(&m, x->env, x->schema);
    st = psh_share_publish(n->share, w, x->now + n->skew, NULL);
    psh_world_unref(w);
    assert_true(st == PSH_OK || st == PSH_E_FENCED || st == PSH_E_CONFLICT || st == PSH_E_HOST);
    x->fenced += st == PSH_E_FENCED;
    x->conflicts += st == PSH_E_CONFLICT;
    if (st == PSH_OK) {
        x->publications++;
        n->model = m;
        n->seen = m.epoch;
    }
}

static void sim_collect(sim *x, node *n) {
    uint64_t removed = 0;
    psh_status st = psh_share_collect(n->share, x->now + n->skew, &removed, NULL);

    assert_true(st == PSH_OK || st == PSH_E_FENCED || st == PSH_E_HOST || st == PSH_E_CONFLICT);
    x->collected += removed;
    if (removed)
        check_root(x); /* nothing that it names is gone */
}

/* One thing that a node does. */
static void act(sim *x, node *n) {
    uint64_t what = draw(x, 40);

    n->running = 1;
    x->depth++;
    if (what < 6)
        sim_lead(x, n);
    else if (what < 22)
        sim_publish(x, n);
    else if (what < 32)
        sim_follow(x, n);
    else if (what < 37)
        sim_collect(x, n);
    else if (what < 38)
        assert_true(psh_share_resign(n->share, x->now + n->skew, NULL) <= PSH_OK);
    else if (what < 39) {
        x->crashes++;
        reopen(x, n);
    }
    x->depth--;
    n->running = 0;
    look(x);
}

static void open_sim(sim *x, uint64_t seed, test_alloc *alloc) {
    node *n;
    int i;

    memset(x, 0, sizeof *x);
    x->rng = seed;
    x->now = TEST_T0;
    x->env = test_env(alloc);
    x->schema = test_flights_schema(x->env);
    x->host = memory_host_create(x->schema);
    x->plain = store_kv(&x->plain_store, x->host);
    x->raw = x->plain_store.inner;
    for (i = 0; i < NODES; i++) {
        n = &x->nodes[i];
        n->of = x;
        n->number = i;
        n->skew = (int64_t)(draw(x, 5) - 2) * 20 * PSH_SECOND;
        n->kv = store_kv(&n->store, x->host);
        n->store.before = interleave;
        n->store.user = n;
        n->model = model_start();
        n->model.days = 5;
        reopen(x, n);
    }
}

static void close_sim(sim *x, const test_alloc *alloc) {
    int i;

    for (i = 0; i < NODES; i++)
        psh_share_destroy(x->nodes[i].share);
    memory_host_destroy(x->host);
    psh_schema_unref(x->schema);
    psh_env_destroy(x->env);
    assert_int_equal(alloc->live, 0);
}

static void races(void **state) {
    static sim x;
    test_alloc alloc;
    uint64_t seed, total[8] = { 0 };
    int i;

    (void)state;
    for (seed = 1; seed <= SEEDS; seed++) {
        open_sim(&x, seed, &alloc);
        for (i = 0; i < STEPS; i++) {
            x.now += draw(&x, 4) ? 0 : (int64_t)draw(&x, 4) * 5 * PSH_SECOND;
            act(&x, &x.nodes[draw(&x, NODES)]);
        }
        total[0] += x.worlds;
        total[1] += x.takeovers;
        total[2] += x.fenced;
        total[3] += x.conflicts;
        total[4] += x.collected;
        total[5] += x.held_up;
        total[6] += x.crashes;
        total[7] += x.publications;
        close_sim(&x, &alloc);
    }
    print_message("worlds read %llu, fences %llu, fenced %llu, conflicts %llu, blobs collected %llu, held up %llu, "
        "crashes %llu, publications %llu\n",
        (unsigned long long)total[0], (unsigned long long)total[1], (unsigned long long)total[2],
        (unsigned long long)total[3], (unsigned long long)total[4], (unsigned long long)total[5],
        (unsigned long long)total[6], (unsigned long long)total[7]);
    for (i = 0; i < 8; i++)
        assert_true(total[i] > SEEDS / 4); /* each of these did happen, often */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(races),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
