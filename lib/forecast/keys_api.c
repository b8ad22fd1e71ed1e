/* SPDX-License-Identifier: MIT */
#include <predshard/workload.h>

#include "base/checked.h"
#include "base/error.h"
#include "forecast/forecaster.h"
#include "value/key_sketch.h"

#define NEW_LOG 65536u /* bytes that a new subject is expected to take at first */

static int is_key_subject(const psh_forecaster *f, const psh_subject *s) {
    if (s->kind != PSH_SUBJECT_TABLE && s->kind != PSH_SUBJECT_TENANT && s->kind != PSH_SUBJECT_PARTITION)
        return 0;
    return s->table < psh_schema_table_count(f->schema) && (s->id == 0) == (s->kind == PSH_SUBJECT_TABLE);
}

static psh_status learn_new(
    psh_forecaster *f, const psh_subject *subject, const void *key, size_t size, double weight, int64_t time) {
    pshi_key_log *l;
    psh_status st;

    if (pshi_forecaster_bytes(f) + NEW_LOG > f->o.max_bytes) {
        f->shed++;
        return PSH_E_LIMIT;
    }
    st = pshi_keys_add(f->env, &f->keys, subject, time, &l);
    if (st != PSH_OK)
        return st;
    st = pshi_keys_learn(f->env, &f->keys, l, key, size, weight, time);
    if (st != PSH_OK)
        pshi_keys_drop_last(f->env, &f->keys);
    else
        pshi_keys_trim(f->env, &f->keys);
    return st;
}

psh_status psh_forecaster_observe_key(
    psh_forecaster *f, const psh_subject *subject, const void *key, size_t size, double weight, int64_t time) {
    pshi_key_log *l;

    if (!f || !subject || !is_key_subject(f, subject) || (size && !key) || time == PSH_TIME_NONE)
        return PSH_E_INVALID;
    if (!(weight >= 1 / PSHI_KLL_MOST_WEIGHT && weight <= PSHI_KLL_MOST_WEIGHT))
        return PSH_E_INVALID;
    if (f->anchored && pshi_bucket(&f->shape, time) - f->outlook.closed >= (int64_t)f->shape.open)
        return PSH_E_TIME;
    l = pshi_keys_find(&f->keys, subject);
    return l ? pshi_keys_learn(f->env, &f->keys, l, key, size, weight, time)
             : learn_new(f, subject, key, size, weight, time);
}

/* Slices before this one are whole. */
static int64_t whole_upto(const psh_forecaster *f, const pshi_key_log *l) {
    int64_t now = f->stepped ? pshi_keys_slice(&f->keys, f->now) : l->latest;

    return now > l->latest ? l->latest + 1 : l->latest;
}

static psh_status predict(
    psh_forecaster *f, const pshi_key_log *l, int64_t target, psh_key_sketch *s, double *error) {
    uint32_t way = pshi_keys_best(l);
    int64_t upto = way == PSHI_KEY_RECENT ? l->latest + 1 : whole_upto(f, l);
    psh_status st;

    if (target <= l->latest)
        target = l->latest;
    st = pshi_keys_predict(f->env, &f->keys, l, way, target, upto, pshi_key_sketch_inside(s));
    if (st == PSH_E_NOT_FOUND) { /* as of a phase that brought nothing */
        way = PSHI_KEY_RECENT;
        st = pshi_keys_predict(f->env, &f->keys, l, way, target, l->latest + 1, pshi_key_sketch_inside(s));
    }
    *error = l->scored[way] ? l->error[way] : 1;
    return st;
}

psh_status psh_forecaster_keys(
    psh_forecaster *f, const psh_subject *subject, int64_t at, psh_key_sketch **out, double *error) {
    const pshi_key_log *l;
    double off;
    psh_status st;

    if (out)
        *out = NULL;
    if (!f || !subject || !out || !is_key_subject(f, subject) || at == PSH_TIME_NONE)
        return PSH_E_INVALID;
    l = pshi_keys_find(&f->keys, subject);
    if (!l)
        return PSH_E_NO_FORECAST;
    st = psh_key_sketch_create(f->env, NULL, out, NULL);
    if (st == PSH_OK)
        st = predict(f, l, pshi_keys_slice(&f->keys, at), *out, &off);
    if (st == PSH_OK) {
        if (error)
            *error = off;
        return PSH_OK;
    }
    psh_key_sketch_destroy(*out);
    *out = NULL;
    return st == PSH_E_NOT_FOUND ? PSH_E_NO_FORECAST : st;
}
