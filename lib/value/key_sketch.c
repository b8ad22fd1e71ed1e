/* SPDX-License-Identifier: MIT */
#include "value/key_sketch.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "codec/frame.h"

struct psh_key_sketch {
    psh_env *env;
    pshi_kll kll;
    int64_t half_life;
    int64_t time; /* that weights are decayed to, or PSH_TIME_NONE */
};

static const psh_key_sketch_options defaults = { sizeof(psh_key_sketch_options), 256, 64, 0, 0, 0, 0 };

psh_status psh_key_sketch_options_init(psh_key_sketch_options *o, uint32_t size) {
    return pshi_options_out(o, size, &defaults, sizeof defaults);
}

static psh_status check_options(psh_key_sketch_options *o, psh_error *err) {
    if (o->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (o->error != 0 && !(o->error >= 0.0025 && o->error <= 1))
        return pshi_fail(err, PSH_E_INVALID, "error", "must be 0.0025 to 1");
    if (!o->k)
        o->k = o->error > 0 ? pshi_kll_k_for(o->error) : defaults.k;
    if (!o->max_key_bytes)
        o->max_key_bytes = defaults.max_key_bytes;
    if (o->k < PSHI_KLL_LEAST_K || o->k > PSHI_KLL_MOST_K)
        return pshi_fail(err, PSH_E_INVALID, "k", "must be 8 to 4096");
    if (o->max_key_bytes > PSHI_KLL_MOST_KEY)
        return pshi_fail(err, PSH_E_INVALID, "max_key_bytes", "must be 1 to 1024");
    if (o->half_life_ns < 0)
        return pshi_fail(err, PSH_E_INVALID, "half_life_ns", "must not be negative");
    return PSH_OK;
}

psh_status psh_key_sketch_create(
    psh_env *env, const psh_key_sketch_options *o, psh_key_sketch **out, psh_error *err) {
    psh_key_sketch_options checked = defaults;
    psh_status st = PSH_OK;

    if (out)
        *out = NULL;
    if (!env || !out)
        return pshi_fail(err, PSH_E_INVALID, env ? "out" : "env", "is NULL");
    if (o) {
        checked.k = 0;
        st = pshi_options_copy(&checked, sizeof checked, o, err);
    }
    if (st == PSH_OK)
        st = check_options(&checked, err);
    if (st != PSH_OK)
        return st;
    *out = pshi_calloc(env, 1, sizeof **out);
    if (!*out)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the sketch");
    (*out)->env = env;
    (*out)->half_life = checked.half_life_ns;
    (*out)->time = PSH_TIME_NONE;
    pshi_kll_init(&(*out)->kll, checked.k, checked.max_key_bytes, checked.seed);
    return PSH_OK;
}

void psh_key_sketch_destroy(psh_key_sketch *s) {
    if (!s)
        return;
    pshi_kll_free(s->env, &s->kll);
    pshi_free(s->env, s);
}

pshi_kll *pshi_key_sketch_inside(psh_key_sketch *s) {
    return &s->kll;
}

/* What a weight of time `then` is worth at `now`, not before it. What is too old to matter keeps a trace. */
static double worth(const psh_key_sketch *s, int64_t then, int64_t now) {
    if (!s->half_life || then == PSH_TIME_NONE)
        return 1;
    return fmax(exp2(((double)then - (double)now) / (double)s->half_life), 0x1p-60);
}

static void move_time(psh_key_sketch *s, int64_t now) {
    if (!s->half_life || now <= s->time)
        return;
    pshi_kll_decay(&s->kll, worth(s, s->time, now));
    s->time = now;
}

psh_status psh_key_sketch_observe(psh_key_sketch *s, const void *key, size_t size, double weight, int64_t time) {
    psh_status st;

    if (!s || (size && !key) || time == PSH_TIME_NONE)
        return PSH_E_INVALID;
    if (!(weight >= 1 / PSHI_KLL_MOST_WEIGHT && weight <= PSHI_KLL_MOST_WEIGHT))
        return PSH_E_INVALID;
    if (time < s->time)
        weight *= worth(s, time, s->time);
    else /* adding may fail, decay cannot: the key comes first, and weighs what decay will leave of it */
        weight /= worth(s, s->time, time);
    st = pshi_kll_add(s->env, &s->kll, key, size, weight);
    if (st == PSH_OK)
        move_time(s, time);
    return st;
}

psh_status psh_key_sketch_merge(psh_key_sketch *s, const psh_key_sketch *from) {
    double factor;
    psh_status st;

    if (!s || !from || s == from)
        return PSH_E_INVALID;
    factor = from->time < s->time ? worth(s, from->time, s->time) : 1 / worth(s, s->time, from->time);
    st = pshi_kll_merge(s->env, &s->kll, &from->kll, factor);
    if (st == PSH_OK)
        move_time(s, from->time);
    return st;
}

psh_status psh_key_sketch_decay(psh_key_sketch *s, int64_t now) {
    if (!s || now == PSH_TIME_NONE)
        return PSH_E_INVALID;
    move_time(s, now);
    return PSH_OK;
}

double psh_key_sketch_weight(const psh_key_sketch *s) {
    return s ? s->kll.total : 0;
}

double psh_key_sketch_error(const psh_key_sketch *s) {
    return s ? pshi_kll_error(&s->kll) : 1;
}

psh_status psh_key_sketch_quantile(const psh_key_sketch *s, double p, psh_bytes *out) {
    const pshi_kll_item *items, *at;
    size_t n;

    if (!s || !out || !(p >= 0 && p <= 1))
        return PSH_E_INVALID;
    n = pshi_kll_sorted(&s->kll, &items);
    at = pshi_kll_quantile(items, n, p);
    if (!at)
        return PSH_E_NOT_FOUND;
    out->data = at->key;
    out->size = at->size;
    return PSH_OK;
}

double psh_key_sketch_rank(const psh_key_sketch *s, const void *key, size_t size) {
    return s && (key || !size) ? pshi_kll_rank(&s->kll, key, size) : 0;
}

static int same_key(const pshi_kll_item *a, const pshi_kll_item *b) {
    return a->size == b->size && memcmp(a->key, b->key, a->size) == 0;
}

/* A cut stands before the first of equal keys, where the share below is nearest to what is due. */
psh_status psh_key_sketch_split(
    const psh_key_sketch *s, uint32_t n, void (*cut)(void *user, psh_bytes key, double share_below), void *user) {
    const pshi_kll_item *items;
    double mass, below = 0, next;
    uint32_t part = 1;
    size_t count, i, end;

    if (!s || !cut || n < 1 || n > 65536)
        return PSH_E_INVALID;
    count = pshi_kll_sorted(&s->kll, &items);
    mass = pshi_kll_mass(&s->kll);
    if (!count)
        return PSH_E_NOT_FOUND;
    for (i = 0; i < count && part < n; i = end, below = next) {
        next = below;
        for (end = i; end < count && same_key(&items[i], &items[end]); end++)
            next += items[end].weight;
        if (i && mass * part / n < (below + next) / 2)
            cut(user, (psh_bytes){ items[i].key, items[i].size }, below / mass);
        while (part < n && mass * part / n < (below + next) / 2)
            part++;
    }
    return PSH_OK;
}

double psh_key_sketch_distance(const psh_key_sketch *a, const psh_key_sketch *b) {
    return a && b ? pshi_kll_distance(&a->kll, &b->kll) : 1;
}

size_t psh_key_sketch_bytes(const psh_key_sketch *s) {
    return s ? sizeof *s + (size_t)pshi_kll_bytes(&s->kll) : 0;
}

static void encode(pshi_writer *w, const void *value) {
    const psh_key_sketch *s = value;

    pshi_put_int(w, s->half_life);
    pshi_put_int(w, s->time);
    pshi_kll_put(w, &s->kll);
}

psh_status psh_key_sketch_save(const psh_key_sketch *s, psh_buffer *out) {
    return s && out ? pshi_frame_save(out, PSHI_KIND_KEYS, encode, s) : PSH_E_INVALID;
}

static psh_status decode(pshi_cursor *c, psh_key_sketch *s, size_t most) {
    psh_status st;

    s->half_life = pshi_get_int(c);
    s->time = pshi_get_int(c);
    if (s->half_life < 0 || (!s->half_life && s->time != PSH_TIME_NONE))
        pshi_read_bad(c);
    st = pshi_kll_get(s->env, c, &s->kll);
    if (st == PSH_OK)
        st = pshi_read_end(c);
    return st == PSH_OK && pshi_kll_bytes(&s->kll) > most ? PSH_E_LIMIT : st;
}

psh_status psh_key_sketch_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_key_sketch **out, psh_error *err) {
    pshi_frame frame;
    pshi_cursor body;
    psh_status st;

    if (out)
        *out = NULL;
    if (!env || !out)
        return pshi_fail(err, PSH_E_INVALID, env ? "out" : "env", "is NULL");
    st = pshi_frame_load(env, data, size, PSHI_KIND_KEYS, max_bytes, &frame, &body, err);
    if (st != PSH_OK)
        return st;
    st = psh_key_sketch_create(env, NULL, out, NULL);
    if (st == PSH_OK)
        st = decode(&body, *out, max_bytes ? max_bytes : PSHI_LOAD_BYTES);
    pshi_frame_close(&frame);
    if (st == PSH_OK)
        return st;
    psh_key_sketch_destroy(*out);
    *out = NULL;
    return pshi_fail(err, st, "data", psh_status_text(st));
}

static void dump_key(pshi_writer *w, const pshi_kll_item *item) {
    static const char digits[] = "0123456789abcdef";
    char text[3] = { 0, 0, 0 };
    uint32_t i;

    for (i = 0; i < item->size; i++) {
        text[0] = digits[item->key[i] >> 4];
        text[1] = digits[item->key[i] & 15];
        pshi_text(w, text);
    }
}

psh_status psh_key_sketch_dump(const psh_key_sketch *s, psh_buffer *out) {
    const pshi_kll_item *items;
    pshi_writer w;
    size_t n, i;

    if (!s || !out)
        return PSH_E_INVALID;
    w = pshi_write(out);
    n = pshi_kll_sorted(&s->kll, &items);
    pshi_text(&w, "keys weight ");
    pshi_text_f64(&w, s->kll.total);
    pshi_text(&w, " error ");
    pshi_text_f64(&w, pshi_kll_error(&s->kll));
    pshi_text(&w, "\n");
    for (i = 1; n && i < 10; i++) {
        pshi_text(&w, "  0.");
        pshi_text_u64(&w, i);
        pshi_text(&w, " ");
        dump_key(&w, pshi_kll_quantile(items, n, (double)i / 10));
        pshi_text(&w, "\n");
    }
    return pshi_write_end(&w);
}
