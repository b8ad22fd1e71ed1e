/* SPDX-License-Identifier: MIT */
/** @file moves_stage.h  A host under test, with what its rows must be: actions, writes, and reads that are checked. */
#ifndef TEST_CONFORMANCE_MOVES_STAGE_H
#define TEST_CONFORMANCE_MOVES_STAGE_H

#include "conformance.h"

#include "test.h"

#define SOME_TIME (TEST_T0 + 10 * PSH_DAY)
#define TENANTS 24u
#define ROWS 2000u
#define GONE INT64_MIN

typedef struct moves_stage {
    const conformance_host *with;
    test_alloc alloc;
    psh_env *env;
    psh_schema *schema;
    void *host;
    psh_storage storage;
    psh_cdc cdc;
    psh_kv kv;
    uint64_t fence;
    psh_worlds *worlds;
    psh_query *query;
    psh_answer *answer;
    int64_t delays[ROWS];    /* by seq: what the row holds now; GONE = there is none */
    uint32_t seen[ROWS];
    int64_t next;            /* seq of the next row */
    int64_t clock;
    uint64_t cursor;
    size_t changes;          /* of the application, since the last look at the stream */
    char tenants[TENANTS][4];
    size_t first;            /* where failures begin */
} moves_stage;

/** The host that setup opens. */
void moves_test(const conformance_host *host);
int moves_setup(void **state);
int moves_teardown(void **state);

/** Where the tenant of a row stands. */
uint64_t moves_point_of(const moves_stage *s, int64_t seq);
/** The point of the nth tenant of the ring: an arc that begins there has those from it on. */
uint64_t moves_nth_point(const moves_stage *s, size_t n);
psh_partition moves_partition_of(const moves_stage *s, uint64_t first, uint64_t last, uint32_t ordinal);

psh_want moves_want_of(uint32_t kind, const psh_partition *p);
psh_status moves_submit(moves_stage *s, const psh_want *w, uint64_t generation);
psh_status moves_create(moves_stage *s, const psh_partition *p, uint64_t source, uint64_t generation);
psh_status moves_split(
    moves_stage *s, const psh_partition *child, uint64_t parent, uint32_t step, uint32_t steps, double bytes,
    uint64_t generation);
psh_status moves_merge(moves_stage *s, const psh_partition *left, uint64_t right, uint64_t generation);
/** REPLICATE in one step, PROMOTE, DROP_REPLICA. */
psh_status moves_on_node(moves_stage *s, uint32_t kind, const psh_partition *p, uint32_t node, uint64_t generation);

/** One commit of n new rows, placed by the arcs of `ps`. */
void moves_put(moves_stage *s, const psh_partition *ps, size_t count, size_t n);
/** One commit that changes a row, or removes it. */
void moves_change(moves_stage *s, const psh_partition *ps, size_t count, int64_t seq, int remove);

/** Each row of these partitions' arcs comes once, as it is now. */
void moves_check_scan(moves_stage *s, const psh_partition *ps, size_t n);
void moves_check_leg(moves_stage *s, const psh_partition *ps, size_t n, uint32_t node);
/** The stream has what the application did since the last look, and nothing else. */
void moves_check_stream(moves_stage *s);
/** All three. */
void moves_check(moves_stage *s, const psh_partition *ps, size_t n);
/** Closes the host and opens it again, if it stores anything. */
void moves_restart(moves_stage *s);

#endif
