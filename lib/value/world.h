/* SPDX-License-Identifier: MIT */
/** @file value/world.h  The world from inside: its parts, how it is made; partitions, replicas, tiers as bytes. */
#ifndef PSHI_VALUE_WORLD_H
#define PSHI_VALUE_WORLD_H

#include <predshard/world.h>

#include "base/buffer.h"
#include "base/cursor.h"
#include "base/ref.h"
#include "ds/idmap.h"
#include "ds/radix.h"
#include "value/query.h"

/* Encoded sizes of the shortest: they bound counts on load. */
#define PSHI_PARTITION_LEAST 24u
#define PSHI_TIER_INFO_LEAST 30u
#define PSHI_VIEW_PART_LEAST 17u
#define PSHI_REPLICA_LEAST 12u
#define PSHI_ASSIGNMENT_LEAST 16u

/** Active, sealed and archived partitions own their keys. */
int pshi_partition_owns(const psh_partition *p);
/**
 * Any state but dropped; id, table, interval and arc must agree with each other and with the schema.
 * @return PSH_OK, PSH_E_INVALID with the field.
 */
psh_status pshi_partition_check(const psh_schema *s, const psh_partition *p, psh_error *err);
void pshi_partition_put(pshi_writer *w, const psh_partition *p);
/** Reads without pshi_partition_check. */
void pshi_partition_get(pshi_cursor *c, psh_partition *out);
void pshi_partition_text(pshi_writer *w, const psh_partition *p);

/** @return PSH_OK, PSH_E_INVALID. */
psh_status pshi_tier_info_check(const psh_tier_info *t, psh_error *err);
void pshi_tier_info_put(pshi_writer *w, const psh_tier_info *t);
/** Reads without pshi_tier_info_check. */
void pshi_tier_info_get(pshi_cursor *c, psh_tier_info *out);
/** One line. */
void pshi_tier_info_text(pshi_writer *w, const psh_tier_info *t);

/** @return PSH_OK, PSH_E_INVALID; that its view is there is the world's to check. */
psh_status pshi_view_part_check(const psh_view_part *p, psh_error *err);
void pshi_view_part_put(pshi_writer *w, const psh_view_part *p);
/** Reads without pshi_view_part_check. */
void pshi_view_part_get(pshi_cursor *c, psh_view_part *out);
/** One line. */
void pshi_view_part_text(pshi_writer *w, const psh_view_part *p);

/** @return PSH_OK, PSH_E_INVALID; that its partition is there and owns keys is the world's to check. */
psh_status pshi_replica_check(const psh_replica *r, psh_error *err);
void pshi_replica_put(pshi_writer *w, const psh_replica *r);
/** Reads without pshi_replica_check. */
void pshi_replica_get(pshi_cursor *c, psh_replica *out);
/** One line. */
void pshi_replica_text(pshi_writer *w, const psh_replica *r);

/** @return PSH_OK, PSH_E_INVALID. */
psh_status pshi_assignment_check(const psh_schema *s, const psh_assignment *a, psh_error *err);
void pshi_assignment_put(pshi_writer *w, const psh_assignment *a);
/** Reads without pshi_assignment_check. */
void pshi_assignment_get(pshi_cursor *c, psh_assignment *out);
/** One line. */
void pshi_assignment_text(pshi_writer *w, const psh_assignment *a);

/** What a draft gathers. */
typedef struct pshi_world_lists {
    psh_partition *partitions;
    size_t partition_count, partition_cap;
    psh_tier_info *tiers;
    size_t tier_count, tier_cap;
    psh_view **views; /* each a reference */
    size_t view_count, view_cap;
    psh_view_part *parts;
    size_t part_count, part_cap;
    psh_replica *replicas;
    size_t replica_count, replica_cap;
    psh_assignment *assignments;
    size_t assignment_count, assignment_cap;
} pshi_world_lists;

/** Drops the references and the arrays. */
void pshi_world_lists_free(psh_env *env, pshi_world_lists *l);

struct psh_world_draft {
    psh_env *env;
    psh_schema *schema; /* a reference */
    uint64_t epoch;
    int64_t now;
    pshi_world_lists lists; /* added */
    psh_world *base;        /* a reference; NULL: none */
    int forgets;            /* the base's tiers, views and view parts are not taken */
    uint64_t *removed;      /* ids of the base's partitions */
    size_t removed_count, removed_cap;
    psh_replica *lifted;    /* replicas of the base that are taken out: partition and node */
    size_t lifted_count, lifted_cap;
    pshi_idmap gone;        /* ids of both: nothing is taken out twice */
};

/**
 * The partitions of one interval of a table, or its quarantine. Never changed, shared by worlds. What a search
 * reads stands apart from the partitions, so that the spans of a large world lie close together.
 */
typedef struct pshi_span {
    pshi_radix_block block; /* count: partitions; more: the partitions, by (arc_first, id) */
    uint32_t owner_count;
    uint32_t padded;        /* arcs, filled up to whole blocks of a search */
    uint32_t table;
    uint32_t active;        /* 1: one still takes writes */
    uint64_t last_position; /* the latest write */
    int64_t interval;
    int64_t time_from;
    int64_t time_to;
    const uint32_t *owners; /* Shape [owner_count]: which partitions own keys; NULL: all */
    uint32_t arcs[];        /* Shape [padded]: the upper halves of where the owners' arcs begin, so that a search
                               reads half as much; behind them UINT32_MAX */
} pshi_span;

/** Gives partitions in order, one a call; NULL at the end. Starts over when `again` is not 0. */
typedef const psh_partition *(*pshi_span_source)(void *user, int again);
/** A span of what the source gives, one partition at least, still without them. @return one reference, or NULL. */
pshi_span *pshi_span_create(psh_env *env, pshi_span_source source, void *user);
/** Copies the partitions that it was created of. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_span_fill(psh_env *env, pshi_span *s, pshi_span_source source, void *user);
/** @return its owner of a point, or NULL if it has no owners. They must cover the ring. */
const psh_partition *pshi_span_locate(const pshi_span *s, uint64_t point);
/** Shape [s->block.count]. */
static inline const psh_partition *pshi_span_partitions(const pshi_span *s) {
    return s->block.more;
}
/** @return owner i of owner_count. */
static inline const psh_partition *pshi_span_owner(const pshi_span *s, size_t i) {
    return &pshi_span_partitions(s)[s->owners ? s->owners[i] : i];
}
/** @return what a map of spans holds. */
static inline const pshi_span *pshi_span_of(const pshi_radix_entry *e) {
    return (const pshi_span *)(const void *)e->value.block;
}

/** Replicas of one partition, by node. Shared by worlds. */
typedef struct pshi_copies {
    pshi_radix_block block;
    psh_replica copies[];
} pshi_copies;

static inline const pshi_copies *pshi_copies_of(const pshi_radix_entry *e) {
    return (const pshi_copies *)(const void *)e->value.block;
}

/** Assignments of one tenant in one table, by `from`. Shared by worlds. */
typedef struct pshi_moves {
    pshi_radix_block block;
    psh_assignment moves[];
} pshi_moves;

static inline const pshi_moves *pshi_moves_of(const pshi_radix_entry *e) {
    return (const pshi_moves *)(const void *)e->value.block;
}

/** Intervals as keys of a map: their order is kept. */
static inline uint64_t pshi_interval_key(int64_t interval) {
    return (uint64_t)interval ^ UINT64_C(1) << 63;
}

/** What a world knows of one table. */
typedef struct pshi_table_index {
    int64_t from; /* there can be rows in [from, to): of owners, in quarantine's intervals, in views that */
    int64_t to;   /* outlive their base; to < from: nowhere */
    int64_t origin; /* of its intervals, */
    int64_t width;  /* and how long they are */
    pshi_radix spans;       /* from pshi_interval_key to pshi_span; weight: its partitions */
    pshi_radix assignments; /* from tenant to pshi_moves; weight: how many */
    pshi_span *quarantined; /* of its quarantine, a reference; NULL: none */
    const psh_partition *quarantine; /* the quarantine if it holds rows, else NULL */
    const pshi_span *first_owned, *last_owned; /* the outermost spans with owners, borrowed; NULL: none */
    size_t partition_first;  /* partitions of all tables before, without quarantines */
    size_t quarantine_first; /* quarantines of all tables before */
    size_t assignment_first; /* assignments of all tables before */
    size_t view_first, view_end; /* into views_by_table */
    int64_t view_from, view_to;  /* of views that outlive their base */
} pshi_table_index;

/** A view as routing first looks at it: most are refused by what stands here. */
typedef struct pshi_view_index {
    pshi_query_columns columns; /* of its definition */
    uint64_t visibility;
    int64_t bucket;
    size_t view; /* its index */
} pshi_view_index;

/** Tiers, views and view parts: what does not depend on partitions. Never changed, shared by worlds. */
typedef struct pshi_world_rest {
    pshi_ref refs;
    uint32_t reserved;
    pshi_world_lists lists; /* tiers by (node, tier), views by id, parts by (view, time_from, node); else empty */
    pshi_view_index *views_by_table; /* by (table, id) */
    uint64_t *part_groups;  /* Shape [part_count + 1]: groups of all parts before */
    size_t *part_first;     /* Shape [view_count + 1]: where a view's parts begin */
} pshi_world_rest;

/* Of a view part: */
#define PSHI_PART_SETTLED 1u /* its interval is over, and it holds every change there was: serves for ever */
#define PSHI_PART_OWNED 2u   /* there are rows below it, or the view outlives them */

/** What the partitions say of view parts. Never changed, shared by worlds. */
typedef struct pshi_part_facts {
    pshi_ref refs;
    uint32_t reserved;
    size_t *solid;  /* of each part: one behind the last that follows without a gap, settled, on its node */
    uint8_t *facts; /* PSHI_PART_* of each part */
} pshi_part_facts;

struct psh_world {
    psh_env *env;
    pshi_ref refs;
    uint32_t reserved;
    psh_schema *schema; /* a reference */
    uint64_t epoch;
    int64_t time;
    pshi_table_index *tables; /* Shape [table_count] */
    size_t table_count;
    size_t planned;           /* partitions without quarantines */
    size_t partition_count;
    size_t assignment_count;
    pshi_radix ids;      /* from id to interval as number; extra: table; weight: 0 for a quarantine, else one more
                            than where it was first put in its span: a hint */
    pshi_radix replicas; /* from partition id to pshi_copies; weight: how many */
    pshi_world_rest *rest;       /* a reference */
    pshi_part_facts *part_facts; /* a reference */
};

/** The assignments of a tenant by `from`; *count = 0 if it has none. Borrowed. */
const psh_assignment *pshi_world_assignments(
    const psh_world *w, uint32_t table, uint64_t tenant, size_t *count);
static inline int pshi_world_has_assignments(const psh_world *w) {
    return w->assignment_count > 0;
}
/** The interval of a table that holds a time, cut to the ends of int64. */
int64_t pshi_table_interval(const pshi_table_index *t, int64_t time);
/** The span of an interval, or NULL. */
static inline const pshi_span *pshi_table_span(const pshi_table_index *t, int64_t interval) {
    const pshi_radix_entry *e = pshi_radix_find(&t->spans, pshi_interval_key(interval));

    return e ? pshi_span_of(e) : NULL;
}
/** Stands before the first span of a table that ends after `from`. */
void pshi_spans_seek(const pshi_table_index *t, int64_t from, pshi_radix_walk *walk);
/** @return the next span, or NULL when none is left that begins before `to`. */
const pshi_span *pshi_spans_next(pshi_radix_walk *walk, int64_t to);

/** All partitions in their order. */
typedef struct pshi_partition_walk {
    const psh_world *world;
    pshi_radix_walk spans;
    const pshi_span *span;
    uint32_t table; /* the next one */
    uint32_t at;    /* the next in the span */
    int quarantines;
} pshi_partition_walk;

void pshi_partitions_begin(const psh_world *w, pshi_partition_walk *walk);
/** @return the next one, or NULL. */
const psh_partition *pshi_partitions_next(pshi_partition_walk *walk);

/* The steps of psh_world_create; each returns PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */

/** A span that differs from the base's. */
typedef struct pshi_touched {
    uint32_t table;
    uint32_t quarantine;
    int64_t interval;
    const pshi_span *before; /* borrowed from the base; NULL: new */
    pshi_span *after;        /* borrowed from the world; NULL: gone */
    size_t first, end;       /* its changes, among all */
} pshi_touched;

/** A world being made. */
typedef struct pshi_making {
    psh_world *world;
    const psh_world_draft *draft;
    pshi_touched *touched; /* in the order of partitions */
    size_t touched_count;
    int same_parts; /* views and their parts are those of the base */
} pshi_making;

psh_status pshi_make_partitions(pshi_making *m, psh_error *err);
psh_status pshi_make_replicas(pshi_making *m, psh_error *err);
psh_status pshi_make_assignments(pshi_making *m, psh_error *err);
psh_status pshi_make_rest(pshi_making *m, psh_error *err);
/** Last: what tables and view parts need of the others. */
psh_status pshi_make_index(pshi_making *m);
void pshi_world_rest_release(psh_env *env, pshi_world_rest *r);
void pshi_part_facts_release(psh_env *env, pshi_part_facts *f);

/* Orders. */
int pshi_partition_compare(const psh_partition *a, const psh_partition *b);
int pshi_replica_compare(const void *a, const void *b);
int pshi_tier_info_compare(const void *a, const void *b);
int pshi_view_compare(const void *a, const void *b);
int pshi_view_part_compare(const void *a, const void *b);

#endif
