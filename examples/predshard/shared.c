/* SPDX-License-Identifier: MIT */
#include "shared.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RENEW_NS (10 * PSH_SECOND) /* of a lease of 30 s */

/* Leases are for other processes, so they run by the clock on the wall; data time decides all else. */
static int64_t wall_now(void) {
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * PSH_SECOND + t.tv_nsec;
}

static psh_status store_schema(stack *s, const psh_storage *storage) {
    psh_blob_write write;
    psh_status st;

    psh_buffer_clear(s->scratch);
    st = psh_schema_save(s->schema, s->scratch);
    if (st != PSH_OK)
        return st;
    write.name = SHARED_SCHEMA;
    write.data = psh_buffer_data(s->scratch);
    write.size = psh_buffer_size(s->scratch);
    return storage->commit(storage->user, &write, 1);
}

psh_status shared_open(stack *s, psh_error *err) {
    psh_share_options o;
    psh_storage storage;
    psh_cdc cdc;
    psh_kv kv;
    psh_status st;
    char owner[32];
    uint64_t fence;

    sqlite_host_tables(s->host, &storage, &cdc, &kv);
    snprintf(owner, sizeof owner, "run-%ld", (long)getpid());
    psh_share_options_init(&o, sizeof o);
    o.owner = owner;
    o.keep_epochs = SHARED_KEEP;
    st = psh_share_create(s->env, s->schema, &kv, &o, &s->share, err);
    if (st == PSH_OK)
        st = store_schema(s, &storage);
    if (st == PSH_OK)
        st = psh_share_lead(s->share, wall_now(), &fence, err);
    return st == PSH_OK ? psh_driver_set_fence(s->driver, fence, err) : st;
}

/* Renews the lead in good time; also where the lease ran out and nobody took it meanwhile. */
static psh_status stay_leader(stack *s, int64_t wall, psh_error *err) {
    psh_status st;

    if (wall >= s->shared_led && wall < s->shared_led + RENEW_NS)
        return PSH_OK;
    st = psh_share_lead(s->share, wall, NULL, err);
    if (st == PSH_OK)
        s->shared_led = wall;
    return st;
}

static int publish(stack *s, psh_error *err) {
    const psh_world *world = psh_worlds_current(s->worlds);
    int64_t wall = wall_now();
    psh_status st;

    if (!world || psh_world_epoch(world) == s->shared_epoch)
        return EXIT_DONE;
    st = stay_leader(s, wall, err);
    if (st == PSH_OK)
        st = psh_share_publish(s->share, world, wall, err);
    if (st != PSH_OK)
        return stack_fail(s, "sharing the map", st, err);
    s->shared_epoch = psh_world_epoch(world);
    return EXIT_DONE;
}

int shared_follow(stack *s) {
    psh_driver_stats stats;
    psh_error err;

    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    stats.struct_size = sizeof stats;
    psh_driver_get_stats(s->driver, &stats);
    if (stats.checkpoints == s->shared_checkpoints)
        return EXIT_DONE;
    s->shared_checkpoints = stats.checkpoints;
    return publish(s, &err);
}

/* A fill under way forbids a checkpoint: then the last one stands. */
int shared_end(stack *s) {
    psh_error err;
    psh_status st;

    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    st = psh_autopilot_publish(s->autopilot, s->now, &err);
    if (st == PSH_OK)
        st = psh_autopilot_checkpoint(s->autopilot, s->now, &err);
    if (st != PSH_OK && st != PSH_E_STATE)
        return stack_fail(s, "the last checkpoint", st, &err);
    if (publish(s, &err))
        return s->f->code;
    st = psh_share_collect(s->share, wall_now(), NULL, &err);
    if (st == PSH_OK)
        st = psh_share_resign(s->share, wall_now(), &err);
    return st == PSH_OK ? EXIT_DONE : stack_fail(s, "sharing the map", st, &err);
}
