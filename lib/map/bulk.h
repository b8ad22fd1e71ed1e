/* SPDX-License-Identifier: MIT */
/** @file map/bulk.h  The inside of what knows the bulk loads. */
#ifndef PSHI_MAP_BULK_H
#define PSHI_MAP_BULK_H

#include <predshard/bulk.h>

#include "ds/kll.h"

#define PSHI_BULK_POINTS 1024u    /* most points kept of one prediction: a share is off by 1/1023 at most */
#define PSHI_BULK_INTERVALS 1024u /* most intervals that one load is planned over, from its first */
#define PSHI_BULK_PARTS 257u      /* most ranges of an interval: the shadows and what stands left of them */
#define PSHI_BULK_RECENT 5u       /* sizes remembered; odd, so that their median is one of them */
#define PSHI_BULK_STARTS 4u       /* three gaps */
#define PSHI_BULK_KEY_K 256u      /* of sketches of points: shares off by 0.04 at most, with probability 0.99 */
#define PSHI_BULK_TIME_K 64u
#define PSHI_BULK_MOST 0x1p120    /* rows or bytes, so that sums and rates of them stay finite */

/** What is predicted of one load, or came of it. */
typedef struct pshi_outline {
    uint32_t table;
    uint32_t count;   /* of points; 0: evenly over the ring */
    int64_t from;     /* event times [from, to); both 0: unknown */
    int64_t to;
    double rows;
    double bytes;
    double room;      /* bytes to be reserved for it, >= bytes */
    uint64_t *points; /* Shape [count], ascending, of equal weight; lowest and highest are true */
} pshi_outline;

/** One predicted range of a load under way: to where the next begins. */
typedef struct pshi_range {
    uint64_t first;
    uint64_t rows;     /* that came for it */
    uint32_t waiting;  /* 1: a shadow within it should be made an owner before rows come; as of the last world */
    uint32_t was_seen; /* the same, while a proposal is made */
} pshi_range;

/** A load under way. */
typedef struct pshi_run {
    pshi_outline plan;
    int64_t begun;
    int64_t latest;     /* time of the last batch */
    uint64_t rows;
    uint64_t bytes;
    uint64_t off_time;  /* rows outside the planned intervals */
    uint64_t off_range; /* of the others, those outside the planned ranges */
    uint64_t low;       /* lowest and highest point that came */
    uint64_t high;
    pshi_kll points;    /* both with room for all that may come: adding cannot fail */
    pshi_kll times;
    int64_t interval;       /* the first planned */
    uint32_t interval_count; /* 0: nothing is planned */
    uint32_t is_told;       /* 1: it was expected, or came before: there was a prediction */
    uint32_t *offsets;      /* Shape [interval_count + 1]: into ranges */
    pshi_range *ranges;     /* of each interval ascending, the first at 0 */
} pshi_run;

#define PSHI_LOAD_EXPECTED 1u /* `at` holds */
#define PSHI_LOAD_RENEWED 2u  /* what is expected was told while the one before was under way */
#define PSHI_LOAD_JUDGED 4u   /* `last` holds */
#define PSHI_LOAD_RHYTHM 8u   /* `every` was learned, not told */

typedef struct pshi_load {
    uint64_t id;
    uint32_t flags;
    uint32_t node;
    int64_t at;
    int64_t every;     /* 0: does not recur */
    double confidence;
    double told_rows;  /* 0: as before */
    double told_bytes;
    pshi_outline next; /* of which only the table holds while nothing is expected */
    int64_t starts[PSHI_BULK_STARTS]; /* latest last */
    uint32_t start_count;
    uint32_t recent_count;
    double recent_rows[PSHI_BULK_RECENT]; /* latest last */
    double recent_bytes[PSHI_BULK_RECENT];
    double seconds;    /* that the last one took; 0: unknown */
    uint64_t low;      /* lowest and highest point of the last one */
    uint64_t high;
    pshi_kll learned;  /* points of those that count, each of half the weight of the next */
    pshi_kll deviant;  /* points of the last one if it deviated; else empty */
    pshi_run *run;     /* NULL: not under way */
    psh_bulk_result last;
} pshi_load;

#define PSHI_EDIT_FINISH 1u   /* planned shadows that rows came for, not yet owners when the load ended */
#define PSHI_EDIT_OVERRIDE 2u
#define PSHI_EDIT_MIGRATE 3u

/** What a verdict left to do in the intervals of the load. */
typedef struct pshi_edit {
    uint64_t load;
    uint32_t kind;
    uint32_t reserved;
    int64_t expires;
    pshi_outline want;  /* ranges to be there */
    pshi_outline other; /* OVERRIDE: ranges to be left alone when `want` is merged back; MIGRATE: to be merged */
} pshi_edit;

struct psh_bulk {
    psh_env *env;
    psh_schema *schema; /* a reference */
    psh_bulk_options o;
    pshi_load **loads;  /* by id */
    size_t load_count, load_cap;
    pshi_edit *edits;   /* in the order in which they were made */
    size_t edit_count, edit_cap;
};

psh_status pshi_bulk_check_options(const psh_bulk_options *o, psh_error *err);
/** @return the load or NULL; *at is where it stands, or would. */
pshi_load *pshi_bulk_find(const psh_bulk *b, uint64_t id, size_t *at);
/** A load without anything, not yet in its place. @return NULL without memory. */
pshi_load *pshi_load_create(psh_bulk *b, uint64_t id, uint32_t table);
/** NULL is allowed. */
void pshi_load_destroy(psh_env *env, pshi_load *l);
/** Puts a load in its place. @return PSH_OK, PSH_E_LIMIT, PSH_E_NOMEM. */
psh_status pshi_bulk_insert(psh_bulk *b, pshi_load *l);
/** Rows, bytes and room of what is expected next, from what was told and what came. */
void pshi_load_amounts(pshi_load *l);
/** What is expected, moved on by whole periods until half of one after `at` is not over. *at, *from, *to change. */
void pshi_load_aligned(const pshi_load *l, int64_t now, int64_t *at, int64_t *from, int64_t *to);
/** NULL is allowed. */
void pshi_run_destroy(psh_env *env, pshi_run *r);

/** The sketch with all the room it may need. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_bulk_sketch(psh_env *env, pshi_kll *s);
/** The number of a sketch's key. */
uint64_t pshi_bulk_key(const pshi_kll_item *item);

/** Deep. *to is written whole, on success only. */
psh_status pshi_outline_copy(psh_env *env, const pshi_outline *from, pshi_outline *to);
void pshi_outline_free(psh_env *env, pshi_outline *o);
/** Points sorted and thinned to PSHI_BULK_POINTS, ends kept. @return NULL without memory, or without points. */
uint64_t *pshi_outline_points(psh_env *env, const uint64_t *points, size_t n, uint32_t *count);
/** PSHI_BULK_POINTS quantiles of a sketch, between low and high; none of an empty one. @return as above. */
uint64_t *pshi_outline_quantiles(
    psh_env *env, const pshi_kll *s, uint64_t low, uint64_t high, uint32_t *count);
/** The share of its event times in [from, to). */
double pshi_outline_share(const pshi_outline *o, int64_t from, int64_t to);
/** Ranges of the interval [from, to): one for each target_bytes, 1..max_parts + 1. */
uint32_t pshi_outline_parts(const pshi_outline *o, const psh_bulk_options *opt, int64_t from, int64_t to);
/**
 * Where the ranges begin, the first at 0: quantiles of the points, cut as pshi_arcs_cut does.
 * @param first  Shape [parts]
 * @return how many; 0 without memory.
 */
size_t pshi_outline_cut(psh_env *env, const pshi_outline *o, uint32_t parts, uint64_t *first);
/** The share of the points at first..last, 0..1. */
double pshi_outline_mass(const pshi_outline *o, uint64_t first, uint64_t last);
/** Kolmogorov-Smirnov distance of the predicted points and those that came, 0..1; 1 if none came. */
double pshi_outline_distance(const pshi_outline *o, const pshi_kll *came);

/** The first planned interval of an outline and how many, 0..PSHI_BULK_INTERVALS; 0 if its times are unknown. */
uint32_t pshi_outline_intervals(const psh_schema *s, const pshi_outline *o, int64_t *first);
/** Which of a run's ranges of one interval holds a point. */
uint32_t pshi_range_of(const pshi_range *r, uint32_t count, uint64_t point);
/** Adds an edit, which it owns then; the oldest goes when there are max_loads. Memory is there already. */
void pshi_bulk_push_edit(psh_bulk *b, const pshi_edit *e);
/** Takes edits out whose time is over at `now`. */
void pshi_bulk_expire_edits(psh_bulk *b, int64_t now);

#endif
