/* SPDX-License-Identifier: MIT */
/** @file forecast/labels.h  Labels seen together, and what they are called. */
#ifndef PSHI_FORECAST_LABELS_H
#define PSHI_FORECAST_LABELS_H

#include <predshard/query.h>

#include "ds/idmap.h"
#include "ds/space_saving.h"

#define PSHI_SET_LABELS 4u    /* of a record, the first distinct ones: its sets are their pairs and all of them */
#define PSHI_RECORD_SETS 7u   /* six pairs and the whole */
#define PSHI_MOST_SETS 256u
#define PSHI_MOST_NAMES 4096u

/** A conjunction. */
typedef struct pshi_label_set {
    uint64_t id;           /* of its series: from its labels alone */
    uint64_t label[PSHI_SET_LABELS]; /* ascending */
    uint64_t tenant;       /* majority candidate among its records' (Boyer & Moore 1991), 0: none */
    uint64_t partition;
    uint32_t tenant_votes;
    uint32_t partition_votes;
    uint32_t table;
    uint32_t count;        /* labels, 2..4 */
    uint32_t series;       /* 1: frequent, it has a series */
    uint32_t reserved;
} pshi_label_set;

typedef struct pshi_label_name {
    uint64_t id;
    char *name;            /* one block with value */
    char *value;
    size_t bytes;
} pshi_label_name;

/** Zeroed is empty. */
typedef struct pshi_labels {
    pshi_space_saving heavy;  /* sets by a hash of table and id */
    pshi_label_set *list;     /* Shape [PSHI_MOST_SETS], by slot */
    pshi_idmap map;           /* of names */
    pshi_label_name *name;
    size_t count;
    size_t cap;
    uint64_t bytes;           /* of texts */
} pshi_labels;

void pshi_labels_free(psh_env *env, pshi_labels *l);
uint64_t pshi_labels_bytes(const pshi_labels *l);
/** Room for sets, once. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_labels_ready(psh_env *env, pshi_labels *l);
/** The sets of a record's labels, at most PSHI_RECORD_SETS. @return how many. */
uint32_t pshi_label_sets(
    uint32_t table, const uint64_t *labels, uint32_t count, pshi_label_set out[PSHI_RECORD_SETS]);
/** @return 1 if the set is frequent enough to have a series. */
int pshi_labels_has_series(const pshi_labels *l, const pshi_label_set *set);
/** A record of the set. O(log sets), allocates nothing. */
void pshi_labels_learn(pshi_labels *l, const pshi_label_set *set, uint64_t tenant, uint64_t partition);
/** Half of all counts go: once a long season. */
void pshi_labels_fade(pshi_labels *l);
/** The set of an id, or NULL. */
const pshi_label_set *pshi_labels_set(const pshi_labels *l, uint32_t table, uint64_t id);
/** Keeps a name and value, unless there is no room; that does no harm. */
void pshi_labels_name(psh_env *env, pshi_labels *l, const psh_label *label);
/** @return what a label is called, or NULL. */
const pshi_label_name *pshi_labels_find(const pshi_labels *l, uint64_t id);

void pshi_labels_put(pshi_writer *w, const pshi_labels *l);
/** Into an empty one. @return PSH_OK, PSH_E_CORRUPT, PSH_E_NOMEM. */
psh_status pshi_labels_get(psh_env *env, pshi_cursor *c, pshi_labels *l, uint32_t tables);

#endif
