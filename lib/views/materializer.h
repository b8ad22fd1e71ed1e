/* SPDX-License-Identifier: MIT */
/** @file views/materializer.h  The materializer from inside. */
#ifndef PSHI_VIEWS_MATERIALIZER_H
#define PSHI_VIEWS_MATERIALIZER_H

#include <predshard/materializer.h>

#include "value/schema.h"
#include "views/part.h"

/** How far the changes of one source have been applied: up to and with (position, sequence). */
typedef struct pshi_mark {
    uint64_t source;
    uint64_t position;
    uint64_t sequence;
    uint64_t next_position; /* of the batch under way */
    uint64_t next_sequence;
} pshi_mark;

typedef struct pshi_mview {
    uint64_t id;
    psh_view *view;
    const psh_query *definition; /* borrowed from view */
    uint32_t table;
    uint32_t level;
    int64_t reach_ns;  /* 0 unless partial */
    pshi_store store;
    pshi_part **parts; /* Shape [part_count], by interval */
    size_t part_count;
    size_t part_cap;
    size_t part_at;    /* a guess where the next row goes */
    pshi_part *next_part; /* of a call under way: made, not yet among the parts */
    double benefit;    /* expected per day when it was begun */
    uint64_t reads;
    uint64_t reads_seen; /* by the latest propose */
    uint64_t applied;
    uint64_t skipped;
    uint64_t filled;
    uint64_t next_applied; /* of the batch under way */
    uint64_t next_skipped;
    uint32_t idle;     /* propose calls without read or demand, in a row */
    uint32_t reserved;
} pshi_mview;

/** What is remembered of every view that was ever begun. */
typedef struct pshi_past {
    uint64_t id;
    uint64_t begun;        /* times begun: the generation of the next begin */
    double groups_per_row; /* as it was when it was dropped; 0 = unknown */
} pshi_past;

/** One row added to a part (sign 1) or taken away (-1) by the call under way; 0: it was not, but left traces. */
typedef struct pshi_op {
    const pshi_store *store;
    pshi_part *part;
    const psh_value *row;
    uint32_t group;
    int32_t sign;
} pshi_op;

struct psh_materializer {
    psh_env *env;
    psh_schema *schema;
    psh_materializer_options o;
    pshi_mview **views; /* Shape [view_count], by id */
    size_t view_count;
    size_t view_cap;
    pshi_past *past;    /* Shape [past_count], by id */
    size_t past_count;
    size_t past_cap;
    uint64_t past_floor; /* begun of views that are no longer remembered, at most */
    pshi_mark *marks;   /* Shape [mark_count] */
    size_t mark_count;
    size_t mark_cap;
    size_t mark_at;     /* a guess which source the next change is from */
    pshi_op *ops;       /* scratch of apply and fill_rows */
    size_t op_count;
    size_t op_cap;
    int op_broken;      /* a part broke */
    psh_value *values;  /* scratch of read: partial rows */
    size_t value_cap;
    uint16_t *passes;   /* scratch of read: predicates that each id passes */
    size_t pass_cap;
    pshi_mview *fill_view; /* the fill under way, or NULL */
    pshi_part *fill;
    uint64_t fill_rows;
};

/* Most sources of changes, and most views remembered. */
#define PSHI_MAX_MARKS 4096u
#define PSHI_MAX_PAST 16384u

/** Checks options that a caller or a saved state gives. */
psh_status pshi_materializer_check(const psh_materializer_options *o, psh_error *err);
pshi_mview *pshi_mview_find(const psh_materializer *m, uint64_t id);
/** Makes a view without parts; the caller puts it among the others. It references `view`. */
psh_status pshi_mview_create(psh_env *env, psh_view *view, pshi_mview **out);
void pshi_mview_free(psh_env *env, pshi_mview *v);
uint64_t pshi_mview_bytes(const pshi_mview *v);
/** Groups and rows over all its parts. */
void pshi_mview_size(const pshi_mview *v, uint64_t *groups, uint64_t *rows);
/** The first part of an interval not before `interval`. */
size_t pshi_mview_place(const pshi_mview *v, int64_t interval);
/** The part of an interval, or NULL. */
pshi_part *pshi_mview_part(const pshi_mview *v, int64_t interval);
/** The part of the interval that holds a time, or NULL. */
pshi_part *pshi_mview_part_at(pshi_mview *v, int64_t time);
/** Puts a part in its place; there must be room and none of its interval. */
void pshi_mview_insert(pshi_mview *v, pshi_part *p);
/** Frees part i. */
void pshi_mview_remove(pshi_mview *v, size_t i);
/** @return the memory of a view ever begun, or NULL. */
pshi_past *pshi_past_find(const psh_materializer *m, uint64_t id);
/** Whether rows of one table fit the other: the same columns and intervals. NULL fits nothing. */
int pshi_same_table(const pshi_table *a, const pshi_table *b);
/** The mark of a source, or NULL. */
pshi_mark *pshi_mark_find(const psh_materializer *m, uint64_t source);
/** The same, made when there is none, at (0, 0). @return NULL when out of memory or of marks. */
pshi_mark *pshi_mark_get(psh_materializer *m, uint64_t source);
/** Whether a partition state owns keys, so that its interval may hold rows. */
int pshi_owns_rows(uint32_t state);
/** The oldest end of an interval that a view of a level no longer wants. */
int64_t pshi_reach_start(uint32_t level, int64_t reach_ns, int64_t now);

#endif
