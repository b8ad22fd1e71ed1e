/* SPDX-License-Identifier: MIT */
/** @file map/bulk_propose.h  One proposal of bulk loads while it is made. */
#ifndef PSHI_MAP_BULK_PROPOSE_H
#define PSHI_MAP_BULK_PROPOSE_H

#include "map/bulk_ground.h"

/* Why ranges are wanted; also their order where one interval is of several. */
#define PSHI_FROM_RUN 1u  /* a load under way */
#define PSHI_FROM_NEXT 2u /* one that begins soon */
#define PSHI_FROM_EDIT 3u /* left to do after one */
#define PSHI_FROM_BACK 4u /* an override is over */

typedef struct pshi_origin {
    uint32_t kind;
    const pshi_load *load; /* NULL: of an edit */
    const pshi_edit *edit;
    pshi_run *run;
    pshi_outline plan;     /* points are borrowed */
    int64_t at;
    uint64_t id;
} pshi_origin;

/* One interval of an origin. */
typedef struct pshi_job {
    uint32_t table;
    uint32_t origin;
    int64_t interval;
    int64_t from;
    int64_t to;
    size_t first; /* partitions of the world */
    size_t end;
} pshi_job;

/* Where a range should begin. */
typedef struct pshi_mark {
    uint64_t cut;
    uint32_t job; /* the index of whose range it is */
    uint32_t reserved;
} pshi_mark;

typedef struct pshi_proposal {
    psh_bulk *b;
    const psh_world *world;
    int64_t now;
    psh_wants *out;
    psh_error *err;
    pshi_origin *origins;
    size_t origin_count;
    pshi_job *jobs;
    size_t job_count, job_cap;
    const pshi_job *group; /* the jobs of the interval at hand */
    size_t group_count;
    pshi_ground ground;
    pshi_mark *marks;      /* of all of them, by (cut, job) */
    size_t mark_count, mark_cap;
    uint64_t cuts[PSHI_BULK_PARTS]; /* of one job */
} pshi_proposal;

/**
 * What all jobs of one interval want: creations, then splits from the right, then merges. Marks of the ranges of
 * loads under way whether they wait.
 * @param jobs  Shape [n], of c->jobs, of one interval
 * @return PSH_OK, PSH_E_NOMEM.
 */
psh_status pshi_propose_interval(pshi_proposal *c, const pshi_job *jobs, size_t n);

#endif
