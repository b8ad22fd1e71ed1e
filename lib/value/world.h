/* SPDX-License-Identifier: MIT */
/** @file value/world.h  The world from inside: its arrays; partitions and tiers as bytes. */
#ifndef PSHI_VALUE_WORLD_H
#define PSHI_VALUE_WORLD_H

#include <predshard/world.h>

#include "base/buffer.h"
#include "base/cursor.h"
#include "base/ref.h"
#include "ds/idmap.h"
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

/** @return PSH_OK, PSH_E_INVALID; that its view is there is the world's to check. */
psh_status pshi_view_part_check(const psh_view_part *p, psh_error *err);
void pshi_view_part_put(pshi_writer *w, const psh_view_part *p);
/** Reads without pshi_view_part_check. */
void pshi_view_part_get(pshi_cursor *c, psh_view_part *out);

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

/** What a draft gathers and a world holds. */
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
    pshi_world_lists lists;
};

/** One interval of one table: its partitions and, among them, its owners. */
typedef struct pshi_span {
    int64_t time_from;
    int64_t time_to;
    uint32_t table;
    uint32_t first, end;             /* into partitions */
    uint32_t owner_first, owner_end; /* into owners */
} pshi_span;

/** What routing asks of a table, found once. */
typedef struct pshi_table_index {
    int64_t from; /* there can be rows in [from, to): of owners, in quarantine's intervals, in views that */
    int64_t to;   /* outlive their base; to < from: nowhere */
    int64_t width; /* of its intervals */
    size_t span_first, span_end; /* into spans */
    size_t view_first, view_end; /* into views_by_table */
    uint32_t quarantine;         /* its index if it holds rows, else PSH_NONE */
} pshi_table_index;

/** A view as routing first looks at it: most are refused by what stands here. */
typedef struct pshi_view_index {
    pshi_query_columns columns; /* of its definition */
    uint64_t visibility;
    int64_t bucket;
    size_t view; /* its index */
} pshi_view_index;

/* Of a view part: */
#define PSHI_PART_SETTLED 1u /* its interval is over, and it holds every change there was: serves for ever */
#define PSHI_PART_OWNED 2u   /* there are rows below it, or the view outlives them */

struct psh_world {
    psh_env *env;
    pshi_ref refs;
    psh_schema *schema; /* a reference */
    uint64_t epoch;
    int64_t time;
    pshi_world_lists lists; /* partitions by (table, interval, arc_first, id), quarantines last; tiers by (node,
                               tier); views by id; parts by (view, time_from, node);
                               replicas by (partition, node); assignments by (table, tenant, from) */
    pshi_span *spans;       /* by (table, interval) */
    size_t span_count;
    uint32_t *owners;       /* indexes of partitions that own keys, in their order */
    uint64_t *owner_arcs;   /* where their arcs begin */
    pshi_table_index *tables; /* Shape [tables of the schema] */
    pshi_view_index *views_by_table; /* by (table, id) */
    uint8_t *part_facts;    /* PSHI_PART_* of each part */
    size_t *part_solid;     /* of each part: one behind the last that follows without a gap, settled, on its node */
    uint64_t *part_groups;  /* Shape [part_count + 1]: groups of all parts before */
    size_t *part_first;     /* Shape [view_count + 1]: where a view's parts begin */
    pshi_idmap ids;         /* from partition id to index */
    uint32_t *tenants;      /* open addressing by (table, tenant): the first of its assignments, or PSH_NONE */
    size_t tenant_mask;     /* slots - 1; 0: there are none */
};

/** The assignments of a tenant by `from`; *count = 0 if it has none. Borrowed. */
const psh_assignment *pshi_world_assignments(
    const psh_world *w, uint32_t table, uint64_t tenant, size_t *count);
int pshi_world_has_assignments(const psh_world *w);

/** Checks and indexes what the sorted lists say of replicas and assignments. @return PSH_OK, _INVALID, _NOMEM. */
psh_status pshi_world_check_replicas(const psh_world *w, psh_error *err);
psh_status pshi_world_index_assignments(psh_world *w, psh_error *err);
/** Fills the fields from `tables` to `part_groups` of a world that is else whole. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_world_index(psh_world *w);
/** The first span of a later table, or of this one that begins at or after `time`. */
size_t pshi_world_first_span(const psh_world *w, uint32_t table, int64_t time);

#endif
