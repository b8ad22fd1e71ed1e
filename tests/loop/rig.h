/* SPDX-License-Identifier: MIT */
/** @file rig.h  The whole loop over the memory host: every object, wired as an embedding program wires them. */
#ifndef TEST_LOOP_RIG_H
#define TEST_LOOP_RIG_H

#include "memory_host.h"
#include "test.h"

#define RIG_NODES 4u
#define RIG_STEPS 200 /* more steps than these at one time would never end */

/** One transaction. */
typedef struct rig_flight {
    char origin[4];
    char destination[4];
    int64_t time;
    int64_t seq;
    int64_t delay;
    int64_t distance;
} rig_flight;

typedef struct rig_counts {
    uint64_t rows;         /* committed */
    uint64_t quarantined;  /* of them */
    uint64_t whole, part, none;
    uint64_t failures;     /* steps that reported an error */
} rig_counts;

typedef struct rig {
    psh_env *env;
    psh_schema *schema; /* borrowed */
    memory_host *host;  /* borrowed */
    psh_storage storage;
    psh_cdc cdc;
    psh_kv kv;
    psh_driver *driver;
    psh_worlds *worlds;
    psh_reader *reader;
    psh_router *router;
    psh_route *route;
    psh_parts parts;
    psh_autopilot *pilot;
    rig_counts counts;
} rig;

/** Table "flights" as test_flights_schema, with intervals of this width. */
psh_schema *rig_schema(psh_env *env, int64_t interval_ns);
/** Makes driver, worlds, router, objects and autopilot (mode act), all in *r (zeroed first). */
psh_status rig_open(rig *r, psh_env *env, psh_schema *schema, memory_host *host, int64_t interval_ns);
/** The same on nodes 0..nodes - 1, each with both tiers, checkpoints by itself, segments and
 * bulk loads, and a map that moves what is hot. */
psh_status rig_open_on(
    rig *r, psh_env *env, psh_schema *schema, memory_host *host, int64_t interval_ns, uint32_t nodes);
/** The same, but for the four objects and the autopilot, which come from the host's checkpoint. */
psh_status rig_reopen(rig *r, psh_env *env, psh_schema *schema, memory_host *host, int64_t now);
/** The same of a rig that was opened on nodes. */
psh_status rig_reopen_on(
    rig *r, psh_env *env, psh_schema *schema, memory_host *host, int64_t now, uint32_t nodes);
/** The host stays. */
void rig_close(rig *r);
/** Routes, writes and observes n rows as one commit. */
psh_status rig_commit(rig *r, const rig_flight *rows, size_t n, int64_t commit_time);
/** Steps until nothing is due now. @return PSH_OK or the first failure. */
psh_status rig_step(rig *r, int64_t now);
/** Routes and runs one query into an empty answer, and finishes it. Views are used unless base_only. */
psh_status rig_answer(rig *r, psh_query *q, int64_t now, int base_only, psh_answer *out, uint32_t *coverage);
/** Tells the forecaster of a query. */
psh_status rig_observe(rig *r, psh_query *q, int64_t now, uint64_t work);
/** A query: count, sum(distance), max(delay) by bucket and destination, perhaps of one origin. */
psh_status rig_query(
    rig *r, uint32_t template, const char *origin, int64_t from, int64_t to, psh_query **out);
#define RIG_TEMPLATES 4u

#endif
