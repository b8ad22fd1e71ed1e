/* SPDX-License-Identifier: MIT */
/** @file host.h  What the simulated hosts hold: the truth that maps and worlds are held against. */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include <predshard.h>

#define SIM_TABLES 512
#define SIM_ROWS 4096
#define SIM_DONE 8192
#define SIM_NODES 8

/** A row: where it belongs, and the table that holds it. */
typedef struct sim_row {
    uint64_t point;
    int64_t time;
    uint64_t table;
} sim_row;

/** One partition as the hosts have it. */
typedef struct sim_table {
    uint64_t id;
    int64_t from, to;
    uint64_t first, last; /* points that it takes */
    uint32_t node;
    uint32_t replicas; /* a bit for each node that has a whole copy */
    int open;          /* it takes writes */
    int quarantine;
} sim_table;

typedef struct sim_host {
    sim_table tables[SIM_TABLES];
    size_t table_count;
    sim_row rows[SIM_ROWS];
    size_t row_count;
    uint64_t done[SIM_DONE]; /* ids of actions */
    size_t done_count;
    uint64_t fence;
    uint64_t fenced; /* actions refused */
} sim_host;

/** Carries an action out, whole. Idempotent by id and by goal. @return PSH_OK, PSH_E_FENCED, PSH_E_NOT_FOUND. */
psh_status sim_act(sim_host *h, const psh_action *a);
/** A write that a world sends to a partition on a node. @return PSH_OK, PSH_E_STATE: it is not taken there. */
psh_status sim_write(sim_host *h, uint64_t partition, uint32_t node, uint64_t point, int64_t time);
sim_table *sim_find(sim_host *h, uint64_t id);
/** @return NULL if all is well: owners of a time do not overlap, every row lies where it belongs; else what is not. */
const char *sim_check(const sim_host *h);

#endif
