/* SPDX-License-Identifier: MIT */
/** @file forecast/store.h  All series of a forecaster, found by subject, under limits. */
#ifndef PSHI_FORECAST_STORE_H
#define PSHI_FORECAST_STORE_H

#include "ds/idmap.h"
#include "forecast/series.h"

typedef struct pshi_store {
    pshi_idmap map;      /* from a hash of the subject to an index */
    pshi_series **list;
    size_t count;
    size_t cap;
    uint32_t tenants;    /* series of kind TENANT */
    uint32_t hot;        /* series that are hot */
    uint64_t bytes;      /* of the series alone */
} pshi_store;

void pshi_store_free(psh_env *env, pshi_store *st);
/** @return the index of the series or PSH_NONE. */
uint32_t pshi_store_index(const pshi_store *st, const psh_subject *subject);
/** @return the series or NULL. */
pshi_series *pshi_store_find(const pshi_store *st, const psh_subject *subject);
/** Adds a series of a subject that has none. @return PSH_OK, PSH_E_NOMEM, PSH_E_EXISTS (hashes clash). */
psh_status pshi_store_add(
    psh_env *env, pshi_store *st, const pshi_shape *shape, const psh_subject *subject, int64_t start,
    pshi_series **out);
/** Takes the series at an index out; the last takes its place. */
void pshi_store_remove(psh_env *env, pshi_store *st, const pshi_shape *shape, size_t i);
/** Removes the series of a subject, if there is one. */
void pshi_store_drop(psh_env *env, pshi_store *st, const pshi_shape *shape, const psh_subject *subject);
/** Lets the map follow the list, whose series changed places. @return PSH_OK, PSH_E_NOMEM (nothing done). */
psh_status pshi_store_reindex(psh_env *env, pshi_store *st);
/** < 0, 0, > 0: by kind, table, id. */
int pshi_subject_compare(const psh_subject *a, const psh_subject *b);

#endif
