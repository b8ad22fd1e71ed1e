/* SPDX-License-Identifier: MIT */
#include "forecast/keys.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/hash.h"
#include "forecast/keys_drift.h"

#define FEW_KEYS 16u     /* a slice with fewer keys is neither scored nor followed */
#define DRIFT_SLICES 4u  /* slices whose quantiles are followed */
#define FADE 0.3         /* of a way's rolling error: of about the last three slices */
#define NO_SLICE INT64_MIN

void pshi_keys_init(pshi_keys *k, const psh_forecaster_options *o) {
    memset(k, 0, sizeof *k);
    if (pshi_mul_i64(o->bucket_ns, (int64_t)o->season_short, &k->width))
        k->width = INT64_MAX;
    k->phases = o->season_long / o->season_short;
    k->phases = k->phases > 1 && k->phases < PSHI_KEY_SLICES ? k->phases : 0;
    k->most = o->max_key_sketches;
}

static uint64_t log_bytes(const pshi_key_log *l) {
    uint64_t sum = sizeof *l;
    uint32_t i;

    for (i = 0; i < PSHI_KEY_SLICES; i++)
        sum += pshi_kll_bytes(&l->slice[i]);
    return sum;
}

static void free_log(psh_env *env, pshi_key_log *l) {
    uint32_t i;

    for (i = 0; i < PSHI_KEY_SLICES; i++)
        pshi_kll_free(env, &l->slice[i]);
    pshi_free(env, l);
}

void pshi_keys_free(psh_env *env, pshi_keys *k) {
    size_t i;

    for (i = 0; i < k->count; i++)
        free_log(env, k->list[i]);
    pshi_free(env, k->list);
    pshi_idmap_free(env, &k->map);
    k->list = NULL;
    k->count = k->cap = 0;
}

static uint64_t hash_of(const psh_subject *s) {
    return pshi_nonzero(pshi_mix64(pshi_mix64((uint64_t)s->kind << 32 | s->table) + s->id));
}

static int is_same(const psh_subject *a, const psh_subject *b) {
    return a->kind == b->kind && a->table == b->table && a->id == b->id;
}

pshi_key_log *pshi_keys_find(const pshi_keys *k, const psh_subject *subject) {
    uint32_t i = pshi_idmap_find(&k->map, hash_of(subject));

    return i != PSH_NONE && is_same(&k->list[i]->subject, subject) ? k->list[i] : NULL;
}

static void remove_log(psh_env *env, pshi_keys *k, size_t i) {
    pshi_key_log *gone = k->list[i];

    pshi_idmap_remove(&k->map, hash_of(&gone->subject));
    k->list[i] = k->list[--k->count];
    if (i < k->count) /* there is one less than there was: this put allocates nothing */
        (void)pshi_idmap_put(env, &k->map, hash_of(&k->list[i]->subject), (uint32_t)i);
    k->bytes -= log_bytes(gone);
    free_log(env, gone);
}

void pshi_keys_drop_last(psh_env *env, pshi_keys *k) {
    remove_log(env, k, k->count - 1);
}

static int seen_before(const pshi_key_log *a, const pshi_key_log *b) {
    return a->seen != b->seen ? a->seen < b->seen : hash_of(&a->subject) < hash_of(&b->subject);
}

static size_t longest_ago(const pshi_keys *k) {
    size_t i, least = 0;

    for (i = 1; i < k->count; i++)
        least = seen_before(k->list[i], k->list[least]) ? i : least;
    return least;
}

static pshi_key_log *new_log(psh_env *env, const psh_subject *subject, int64_t slice, int64_t time) {
    pshi_key_log *l = pshi_calloc(env, 1, sizeof *l);
    uint32_t i;

    if (!l)
        return NULL;
    l->subject = *subject;
    l->latest = slice;
    l->seen = time;
    for (i = 0; i < PSHI_KEY_SLICES; i++) {
        l->number[i] = NO_SLICE;
        pshi_kll_init(&l->slice[i], PSHI_KEY_K, PSHI_KEY_BYTES, hash_of(subject) + i);
    }
    return l;
}

psh_status pshi_keys_add(psh_env *env, pshi_keys *k, const psh_subject *subject, int64_t time, pshi_key_log **out) {
    pshi_key_log *l;

    if (pshi_idmap_find(&k->map, hash_of(subject)) != PSH_NONE)
        return PSH_E_LIMIT; /* hashes clash */
    if (pshi_reserve(env, (void **)&k->list, &k->cap, k->count + 1, sizeof *k->list) != PSH_OK ||
        pshi_idmap_reserve(env, &k->map, k->count + 1) != PSH_OK)
        return PSH_E_NOMEM;
    l = new_log(env, subject, pshi_keys_slice(k, time), time);
    if (!l)
        return PSH_E_NOMEM;
    (void)pshi_idmap_put(env, &k->map, hash_of(subject), (uint32_t)k->count);
    k->list[k->count++] = l;
    k->bytes += log_bytes(l);
    *out = l;
    return PSH_OK;
}

void pshi_keys_trim(psh_env *env, pshi_keys *k) {
    while (k->count > k->most)
        remove_log(env, k, longest_ago(k));
}

int64_t pshi_keys_slice(const pshi_keys *k, int64_t time) {
    return pshi_floor_div(time, k->width);
}

static uint32_t slot_of(int64_t number) {
    return (uint32_t)((uint64_t)number % PSHI_KEY_SLICES);
}

/* @return the sketch of a slice, or NULL if it is not there or has next to no keys. */
static const pshi_kll *slice_of(const pshi_key_log *l, int64_t number, uint32_t least) {
    const pshi_kll *s = &l->slice[slot_of(number)];

    return l->number[slot_of(number)] == number && s->count >= least ? s : NULL;
}

static psh_status predict_drift(
    psh_env *env, const pshi_key_log *l, int64_t target, int64_t upto, pshi_kll *out) {
    const pshi_kll *slices[DRIFT_SLICES], *s;
    int64_t number[DRIFT_SLICES], i;
    uint32_t n = 0, at = DRIFT_SLICES;

    for (i = upto - 1; n < DRIFT_SLICES && i > l->latest - (int64_t)PSHI_KEY_SLICES; i--) {
        s = slice_of(l, i, FEW_KEYS);
        if (!s)
            continue;
        slices[--at] = s;
        number[at] = i;
        n++;
    }
    return n < 3 ? PSH_E_NOT_FOUND : pshi_keys_drift(env, slices + at, number + at, n, target, out);
}

static int is_phase(const pshi_keys *k, int64_t number, int64_t target) {
    return k->phases && (target - number) % (int64_t)k->phases == 0;
}

psh_status pshi_keys_predict(
    psh_env *env, const pshi_keys *k, const pshi_key_log *l, uint32_t way, int64_t target, int64_t upto,
    pshi_kll *out) {
    const pshi_kll *s;
    psh_status st = PSH_OK;
    double factor = 1;
    int64_t i;

    if (way == PSHI_KEY_DRIFT)
        return predict_drift(env, l, target, upto, out);
    for (i = upto - 1; st == PSH_OK && i > l->latest - (int64_t)PSHI_KEY_SLICES; i--) {
        s = slice_of(l, i, 1);
        if (s && (way == PSHI_KEY_RECENT || is_phase(k, i, target)))
            st = pshi_kll_merge(env, out, s, factor);
        factor /= 2;
    }
    return st == PSH_OK && !out->count ? PSH_E_NOT_FOUND : st;
}

/* How far each way is from the slice that just ended; -1 where it says nothing. */
static psh_status score(psh_env *env, const pshi_keys *k, const pshi_key_log *l, double off[PSHI_KEY_WAYS]) {
    const pshi_kll *real = slice_of(l, l->latest, FEW_KEYS);
    psh_status st = PSH_OK;
    pshi_kll guess;
    uint32_t way;

    for (way = 0; st == PSH_OK && way < PSHI_KEY_WAYS; way++) {
        off[way] = -1;
        if (!real)
            continue;
        pshi_kll_init(&guess, PSHI_KEY_K, PSHI_KEY_BYTES, 1);
        st = pshi_keys_predict(env, k, l, way, l->latest, l->latest, &guess);
        if (st == PSH_OK)
            off[way] = pshi_kll_distance(&guess, real);
        st = st == PSH_E_NOT_FOUND ? PSH_OK : st;
        pshi_kll_free(env, &guess);
    }
    return st;
}

static void note_scores(pshi_key_log *l, const double off[PSHI_KEY_WAYS]) {
    uint32_t way;

    for (way = 0; way < PSHI_KEY_WAYS; way++) {
        if (off[way] < 0)
            continue;
        l->error[way] += (l->scored[way] ? FADE : 1) * (off[way] - l->error[way]);
        l->scored[way] += l->scored[way] < UINT32_MAX;
    }
}

psh_status pshi_keys_learn(
    psh_env *env, pshi_keys *k, pshi_key_log *l, const void *key, size_t size, double weight, int64_t time) {
    int64_t number = pshi_keys_slice(k, time);
    uint32_t slot = slot_of(number);
    pshi_kll *s = &l->slice[slot];
    double off[PSHI_KEY_WAYS] = { -1, -1, -1 };
    uint64_t before = log_bytes(l);
    psh_status st;

    if (number <= l->latest - (int64_t)PSHI_KEY_SLICES)
        return PSH_E_TIME;
    st = pshi_kll_reserve(env, s, size);
    k->bytes += log_bytes(l) - before;
    if (st == PSH_OK && number > l->latest)
        st = score(env, k, l, off);
    if (st != PSH_OK)
        return st;
    note_scores(l, off);
    if (l->number[slot] != number) {
        pshi_kll_clear(s);
        l->number[slot] = number;
    }
    l->latest = number > l->latest ? number : l->latest;
    l->seen = time > l->seen ? time : l->seen;
    return pshi_kll_add(env, s, key, size, weight); /* cannot fail: memory is there */
}

uint32_t pshi_keys_best(const pshi_key_log *l) {
    uint32_t best = PSHI_KEY_RECENT, way;

    for (way = 1; way < PSHI_KEY_WAYS; way++)
        if (l->scored[way] && l->error[way] < l->error[best])
            best = way;
    return best;
}

void pshi_keys_put(pshi_writer *w, const pshi_keys *k) {
    const pshi_key_log *l;
    uint32_t j;
    size_t i;

    pshi_put_var(w, k->count);
    for (i = 0; i < k->count; i++) {
        l = k->list[i];
        pshi_put_var(w, l->subject.kind);
        pshi_put_var(w, l->subject.table);
        pshi_put_u64(w, l->subject.id);
        pshi_put_int(w, l->seen);
        for (j = 0; j < PSHI_KEY_WAYS; j++) {
            pshi_put_var(w, l->scored[j]);
            pshi_put_f64(w, l->error[j]);
        }
        for (j = 0; j < PSHI_KEY_SLICES; j++) {
            pshi_put_int(w, l->number[j]);
            pshi_kll_put(w, &l->slice[j]);
        }
    }
}

static psh_status get_slices(psh_env *env, pshi_cursor *c, pshi_key_log *l) {
    psh_status st = PSH_OK;
    uint32_t j;
    int64_t n;

    for (j = 0; st == PSH_OK && j < PSHI_KEY_SLICES; j++) {
        l->number[j] = n = pshi_get_int(c);
        if (n != NO_SLICE && (n > l->latest || slot_of(n) != j || n < INT64_MIN / 2))
            pshi_read_bad(c);
        st = c->status == PSH_OK ? pshi_kll_get(env, c, &l->slice[j]) : c->status;
        if (st == PSH_OK && (l->slice[j].k != PSHI_KEY_K || l->slice[j].key_max != PSHI_KEY_BYTES))
            st = PSH_E_CORRUPT;
        if (st == PSH_OK && n == NO_SLICE && l->slice[j].count)
            st = PSH_E_CORRUPT;
    }
    return st;
}

static psh_status get_log(psh_env *env, pshi_cursor *c, pshi_keys *k, size_t tables) {
    psh_subject s = { 0, 0, 0 };
    pshi_key_log *l;
    int64_t seen;
    psh_status st;
    uint32_t j;

    s.kind = pshi_get_var32(c);
    s.table = pshi_get_var32(c);
    s.id = pshi_get_u64(c);
    seen = pshi_get_int(c);
    if (s.table >= tables || seen == PSH_TIME_NONE)
        pshi_read_bad(c);
    if (s.kind != PSH_SUBJECT_TABLE && s.kind != PSH_SUBJECT_TENANT && s.kind != PSH_SUBJECT_PARTITION)
        pshi_read_bad(c);
    if (c->status != PSH_OK)
        return c->status;
    st = pshi_keys_add(env, k, &s, seen, &l);
    if (st != PSH_OK)
        return st == PSH_E_LIMIT ? PSH_E_CORRUPT : st;
    for (j = 0; j < PSHI_KEY_WAYS; j++) {
        l->scored[j] = pshi_get_var32(c);
        l->error[j] = pshi_get_f64(c);
        if (l->error[j] < 0 || l->error[j] > 1)
            pshi_read_bad(c);
    }
    k->bytes -= log_bytes(l);
    st = c->status == PSH_OK ? get_slices(env, c, l) : c->status;
    k->bytes += log_bytes(l);
    return st;
}

psh_status pshi_keys_get(psh_env *env, pshi_cursor *c, pshi_keys *k, size_t tables, size_t most) {
    size_t n = pshi_get_count(c, 20), i;
    psh_status st = n > k->most ? PSH_E_CORRUPT : c->status;

    for (i = 0; st == PSH_OK && i < n; i++) {
        st = get_log(env, c, k, tables);
        if (st == PSH_OK && k->bytes > most)
            st = PSH_E_LIMIT;
    }
    return st;
}
