/* SPDX-License-Identifier: MIT */
/** @file forecast/keys.h  Which keys come when: distributions of the latest short seasons, and the next. */
#ifndef PSHI_FORECAST_KEYS_H
#define PSHI_FORECAST_KEYS_H

#include <predshard/forecaster.h>
#include <predshard/keys.h>

#include "ds/idmap.h"
#include "ds/kll.h"

#define PSHI_KEY_SLICES 8u
#define PSHI_KEY_K 128u
#define PSHI_KEY_BYTES 64u
#define PSHI_KEY_WAYS 3u
#define PSHI_KEY_RECENT 0u   /* all slices, each older one by half */
#define PSHI_KEY_SEASON 1u   /* slices of the same phase in the long season */
#define PSHI_KEY_DRIFT 2u    /* the latest slice, moved on as quantiles moved */

/** One subject's keys, a sketch for each of the latest short seasons. */
typedef struct pshi_key_log {
    psh_subject subject;
    int64_t latest;                     /* slice of the newest key */
    int64_t seen;                       /* its time */
    int64_t number[PSHI_KEY_SLICES];    /* slices, each at its number modulo 8 */
    pshi_kll slice[PSHI_KEY_SLICES];
    uint32_t scored[PSHI_KEY_WAYS];     /* slices that a way was scored on, saturating */
    double error[PSHI_KEY_WAYS];        /* its rolling distance from what came */
} pshi_key_log;

typedef struct pshi_keys {
    pshi_idmap map;
    pshi_key_log **list;
    size_t count;
    size_t cap;
    uint64_t bytes;
    int64_t width;       /* of a slice */
    uint32_t phases;     /* slices per long season, if so many are kept; else 0 */
    uint32_t most;
} pshi_keys;

void pshi_keys_init(pshi_keys *k, const psh_forecaster_options *o);
void pshi_keys_free(psh_env *env, pshi_keys *k);
/** @return the log of a subject or NULL. */
pshi_key_log *pshi_keys_find(const pshi_keys *k, const psh_subject *subject);
/** Adds an empty log. @return PSH_OK, PSH_E_NOMEM, PSH_E_LIMIT (hashes clash). */
psh_status pshi_keys_add(psh_env *env, pshi_keys *k, const psh_subject *subject, int64_t time, pshi_key_log **out);
/** Takes out what was just added. */
void pshi_keys_drop_last(psh_env *env, pshi_keys *k);
/** Lets those go that are beyond the limit, seen longest ago first. */
void pshi_keys_trim(psh_env *env, pshi_keys *k);
/** One key. @return PSH_OK, PSH_E_TIME (before the slices kept), PSH_E_NOMEM (unchanged). */
psh_status pshi_keys_learn(
    psh_env *env, pshi_keys *k, pshi_key_log *l, const void *key, size_t size, double weight, int64_t time);
/** The way that was nearest lately. */
uint32_t pshi_keys_best(const pshi_key_log *l);
/**
 * The distribution of slice `target` by one way, from slices before `upto`, into an empty sketch of any k.
 * @return PSH_OK, PSH_E_NOT_FOUND (too little for that way), PSH_E_NOMEM.
 */
psh_status pshi_keys_predict(
    psh_env *env, const pshi_keys *k, const pshi_key_log *l, uint32_t way, int64_t target, int64_t upto,
    pshi_kll *out);
/** The slice that holds a time. */
int64_t pshi_keys_slice(const pshi_keys *k, int64_t time);
void pshi_keys_put(pshi_writer *w, const pshi_keys *k);
/** Into one that was initialised and is empty. @return PSH_OK, PSH_E_CORRUPT, PSH_E_LIMIT, PSH_E_NOMEM. */
psh_status pshi_keys_get(psh_env *env, pshi_cursor *c, pshi_keys *k, size_t tables, size_t most);

#endif
