/* SPDX-License-Identifier: MIT */
/**
 * @file stack.h  One policy at one rate: a database, the library's objects around it, and its one worker.
 *
 * Nothing is shared between stacks but the rows and the query stream, which are read only; each runs on one
 * thread. Data time decides when things happen; the worker's queue runs in data time too: a job starts when
 * it has arrived and the worker is free, and takes the thread CPU time that it took here. These times are
 * reported and decide nothing.
 */
#ifndef TOOL_STACK_H
#define TOOL_STACK_H

#include <predshard.h>
#include <sqlite_host.h>

#include "arrivals.h"
#include "cache.h"
#include "flights.h"
#include "outcome.h"

#define SLOT_NS (5 * PSH_MINUTE)      /**< data time between commits */
#define POLL_NS SLOT_NS               /**< between polls of changes: after each commit */
#define CYCLE_NS PSH_HOUR             /**< between plans */
#define LEAD_NS PSH_DAY               /**< how far ahead the predictive policy acts */
#define CHECKPOINT_NS PSH_DAY
#define ARCHIVE_AFTER_NS (14 * PSH_DAY)
#define DROP_AFTER_NS (35 * PSH_DAY)
#define PARTITION_BYTES (256u << 10)  /**< size aimed at */
#define MAIN_CAPACITY (UINT64_C(256) << 20)
#define ARCHIVE_CAPACITY (UINT64_C(4) << 30)

/** What all stacks of a run have in common. */
typedef struct setup {
    const run_options *options;
    const flights *flights;
    const char *directory;     /**< of the database files */
    int temporary;             /**< 1: remove the files of a stack when it is done */
    uint16_t followed[FOLLOWED_ORIGINS]; /**< the busiest origins, most first */
} setup;

/** Where a row goes, found before the commit begins. */
typedef struct placed {
    const psh_partition *partition;
    uint64_t tenant;
} placed;

typedef struct stack {
    const setup *setup;
    const stream *queries;
    outcome *out;
    failure *f;            /**< out's */
    char path[2][512];     /**< main and archive database */
    psh_env *env;
    psh_schema *schema;
    sqlite_host *host;
    psh_forecaster *forecaster;
    psh_map *map;
    psh_tiers *tiers;
    psh_materializer *materializer; /**< NULL: base policy */
    psh_worlds *worlds;
    psh_router *router;
    psh_route *route;
    psh_driver *driver;
    psh_autopilot *autopilot;
    psh_share *share;
    uint64_t shared_epoch;       /**< published last; 0 = none */
    uint64_t shared_checkpoints; /**< taken when it was */
    int64_t shared_led;          /**< when the lead was renewed, on the wall's clock */
    psh_answer *answer;    /**< NULL until the first query */
    psh_buffer *scratch;
    psh_buffer *plan_text;
    psh_buffer *explained;
    uint64_t *tenants;     /**< Shape [place_count]: their psh_tenant_id */
    placed *placed;        /**< of the rows of one commit */
    size_t placed_capacity;
    cache cache;
    versions versions;
    int64_t now;           /**< data time of the last commit or step */
    int64_t free_at;       /**< when the worker is free, in data time */
    psh_autopilot_stats seen; /**< after the last step */
} stack;

/** Opens the database and makes every object. @return EXIT_* */
int stack_open(stack *s, const setup *common, const stream *queries, outcome *out);
/** Also after a failed open. */
void stack_close(stack *s);
/** Notes a failed call of the library or host. @return EXIT_* */
int stack_fail(stack *s, const char *doing, psh_status status, const psh_error *err);
/** Thread CPU time, ns. */
int64_t cpu_now(void);
/** Puts a job of this length into the worker's queue. @return how long it waits. */
int64_t stack_occupy(stack *s, int64_t arrived, int64_t service_ns);
/** 1 if the policy takes its demand from forecasts. */
int stack_predicts(const stack *s);

/** pilot.c: steps the autopilot until it has nothing more to do now. */
int stack_step(stack *s, int64_t now);
/** The same as a late creation: plans at once, because rows wait. */
int stack_hurry(stack *s, int64_t now);

/** ingest.c: commits rows [first, end) of the flights at `now`. */
int stack_commit(stack *s, size_t first, size_t end, int64_t now);

/** ask.c: runs query `i` of the stream. */
int stack_ask(stack *s, size_t i);

/** watch.c: */
int watch_open(stack *s);
/** Notes forecasts for the day that begins. */
int watch_morning(stack *s, uint32_t day);
/** Notes the state of things at the end of a day. */
int watch_evening(stack *s, uint32_t day);
/** Notes scores, views and decisions at the end of the run. */
int watch_close(stack *s);

/** loop.c: opens, runs and closes one stack; out->failed tells how it went. stop and done are atomic. */
void stack_run(const setup *common, const stream *queries, outcome *out, _Atomic int *stop, _Atomic uint64_t *done);

#endif
