/* SPDX-License-Identifier: MIT */
#include "ds/kll.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/rng.h"

#define MOST_SLOTS(k) (3 * (k) + 2 * PSHI_KLL_LEVELS + ADDS) /* level sizes, each at least 2, and one key more */
#define ADDS 10u             /* slots that one weighted key may take */
#define HIGH 8               /* leading bits of a weight that are kept */
#define LEAST_UNIT 0x1p-500
#define MOST_UNIT 0x1p300
#define SHRINK (2.0 / 3)

static void clear_levels(pshi_kll *s) {
    uint32_t h;

    for (h = 0; h < PSHI_KLL_LEVELS; h++) {
        s->head[h] = PSH_NONE;
        s->held[h] = 0;
    }
    s->spare = PSH_NONE;
    s->used = s->count = s->top = 0;
    s->unit = s->total = s->variance = 0;
}

void pshi_kll_init(pshi_kll *s, uint32_t k, uint32_t key_max, uint64_t seed) {
    memset(s, 0, sizeof *s);
    s->k = k;
    s->key_max = key_max;
    s->rng = seed;
    clear_levels(s);
}

void pshi_kll_free(psh_env *env, pshi_kll *s) {
    pshi_free(env, s->next);
    pshi_free(env, s->size);
    pshi_free(env, s->bytes);
    pshi_free(env, s->scratch);
    s->next = NULL;
    s->size = NULL;
    s->bytes = NULL;
    s->scratch = NULL;
    s->cap = s->stride = 0;
    clear_levels(s);
}

void pshi_kll_clear(pshi_kll *s) {
    clear_levels(s);
}

uint32_t pshi_kll_k_for(double error) {
    double k = ceil(10 / error);

    return k < PSHI_KLL_LEAST_K ? PSHI_KLL_LEAST_K : k < PSHI_KLL_MOST_K ? (uint32_t)k : PSHI_KLL_MOST_K;
}

static uint32_t level_size(const pshi_kll *s, uint32_t h) {
    double size = s->k;

    for (; h + 1 < s->top; h++)
        size *= SHRINK;
    return size > 2 ? (uint32_t)ceil(size) : 2;
}

static uint32_t room_in_levels(const pshi_kll *s) {
    double size = s->k;
    uint32_t h, sum = 0;

    for (h = 0; h < s->top; h++, size *= SHRINK)
        sum += size > 2 ? (uint32_t)ceil(size) : 2;
    return sum;
}

/* All or nothing: new arrays first. */
static psh_status grow(psh_env *env, pshi_kll *s, uint32_t cap, uint32_t stride) {
    unsigned char *bytes = pshi_alloc(env, (size_t)cap * stride + 1);
    uint32_t *next = pshi_alloc(env, (size_t)cap * sizeof *next), i;
    uint16_t *size = pshi_alloc(env, (size_t)cap * sizeof *size);
    void *scratch = pshi_alloc(env, (size_t)cap * sizeof(pshi_kll_item));

    if (!bytes || !next || !size || !scratch) {
        pshi_free(env, bytes);
        pshi_free(env, next);
        pshi_free(env, size);
        pshi_free(env, scratch);
        return PSH_E_NOMEM;
    }
    for (i = 0; i < s->used; i++) {
        next[i] = s->next[i];
        size[i] = s->size[i];
        memcpy(bytes + (size_t)i * stride, s->bytes + (size_t)i * s->stride, s->size[i]);
    }
    pshi_free(env, s->next);
    pshi_free(env, s->size);
    pshi_free(env, s->bytes);
    pshi_free(env, s->scratch);
    s->next = next;
    s->size = size;
    s->bytes = bytes;
    s->scratch = scratch;
    s->cap = cap;
    s->stride = stride;
    return PSH_OK;
}

static psh_status reserve(psh_env *env, pshi_kll *s, uint32_t more, uint32_t key) {
    uint32_t need = s->count + more, most = MOST_SLOTS(s->k), cap = s->cap, stride = s->stride;

    need = need < most ? need : most;
    if (need <= cap && key <= stride)
        return PSH_OK;
    if (need > cap)
        cap = need > most / 2 ? most : 2 * need;
    if (key > stride)
        stride = (key + 7) & ~UINT32_C(7);
    return grow(env, s, cap, stride);
}

static void put_slot(pshi_kll *s, uint32_t slot, uint32_t h) {
    s->next[slot] = s->head[h];
    s->head[h] = slot;
    s->held[h]++;
    s->top = h < s->top ? s->top : h + 1;
}

static void free_slot(pshi_kll *s, uint32_t slot) {
    s->next[slot] = s->spare;
    s->spare = slot;
    s->size[slot] = 0;
    s->count--;
}

static void add_slot(pshi_kll *s, const void *key, uint32_t size, uint32_t h) {
    uint32_t slot = s->spare;

    if (slot != PSH_NONE)
        s->spare = s->next[slot];
    else
        slot = s->used++;
    if (size)
        memcpy(s->bytes + (size_t)slot * s->stride, key, size);
    s->size[slot] = (uint16_t)size;
    s->count++;
    put_slot(s, slot, h);
}

static int compare_keys(const void *a, size_t n, const void *b, size_t m) {
    size_t least = n < m ? n : m;
    int r = least ? memcmp(a, b, least) : 0;

    return r ? r : n < m ? -1 : n > m;
}

static int by_key(const void *x, const void *y) {
    const pshi_kll_item *a = x, *b = y;

    return compare_keys(a->key, a->size, b->key, b->size);
}

/* The keys of one level, from scratch[n] on. @return n and they. */
static size_t gather(const pshi_kll *s, uint32_t h, size_t n) {
    pshi_kll_item *to = s->scratch;
    uint32_t slot;

    for (slot = s->head[h]; slot != PSH_NONE; slot = s->next[slot])
        to[n++] = (pshi_kll_item){ s->bytes + (size_t)slot * s->stride, s->size[slot], slot,
                                   ldexp(s->unit, (int)h) };
    return n;
}

/* Every other key goes up, the rest go. One without a partner stays, or with a coin of its own goes up or goes. */
static void compact(pshi_kll *s, uint32_t h, int wholly) {
    pshi_kll_item *items = s->scratch;
    size_t n = gather(s, h, 0), i, coin = pshi_rng_next(&s->rng) & 1;
    double weight = ldexp(s->unit, (int)h);

    if (n > 1)
        qsort(items, n, sizeof *items, by_key);
    s->head[h] = PSH_NONE;
    s->held[h] = 0;
    for (i = 0; i + 1 < n; i += 2) {
        put_slot(s, items[i + coin].slot, h + 1);
        free_slot(s, items[i + 1 - coin].slot);
    }
    s->variance += n > 1 ? weight * weight : 0;
    if (n % 2 == 0)
        return;
    if (!wholly) {
        put_slot(s, items[n - 1].slot, h);
        return;
    }
    s->variance += weight * weight;
    if (pshi_rng_next(&s->rng) & 1)
        put_slot(s, items[n - 1].slot, h + 1);
    else
        free_slot(s, items[n - 1].slot);
}

/* Level 0 goes up wholly, and every level becomes the one below. */
static void raise_unit(pshi_kll *s) {
    uint32_t h;

    if (s->held[0])
        compact(s, 0, 1);
    for (h = 0; h + 1 < PSHI_KLL_LEVELS; h++) {
        s->head[h] = s->head[h + 1];
        s->held[h] = s->held[h + 1];
    }
    s->head[h] = PSH_NONE;
    s->held[h] = 0;
    s->top -= s->top > 0;
    s->unit *= 2;
}

/* Over the room of all levels, some level holds its size or more: the lowest such goes up. */
static void make_room(pshi_kll *s) {
    uint32_t h;

    while (s->count > room_in_levels(s)) {
        for (h = 0; s->held[h] < level_size(s, h); h++) {
        }
        if (h + 1 == PSHI_KLL_LEVELS)
            raise_unit(s);
        else
            compact(s, h, 0);
    }
}

/* Moves the unit so that a weight lies on a level there is. @return the weight in units. */
static double in_units(pshi_kll *s, double weight) {
    int e;

    if (!s->count) {
        (void)frexp(weight, &e);
        s->unit = ldexp(1, e - 1 - HIGH);
        s->top = 0;
    }
    for (;;) {
        (void)frexp(weight / s->unit, &e);
        if (e <= (int)PSHI_KLL_LEVELS - 1)
            return weight / s->unit;
        if (!s->count) {
            s->unit = ldexp(s->unit, e - (int)PSHI_KLL_LEVELS + 1);
            continue;
        }
        raise_unit(s);
    }
}

static void add_units(pshi_kll *s, const void *key, uint32_t size, double units) {
    int e, shift, b;
    double rest;
    uint32_t q;

    (void)frexp(units, &e);
    shift = e > HIGH ? e - HIGH : 0;
    rest = ldexp(units, -shift);
    q = (uint32_t)(shift ? rest + 0.5 : rest);
    for (b = 0; q >> b; b++)
        if (q >> b & 1)
            add_slot(s, key, size, (uint32_t)(shift + b));
    rest = shift ? 0 : units - (double)q;
    if (rest <= 0)
        return;
    s->variance += s->unit * s->unit;
    if (pshi_rng_unit(&s->rng) < rest)
        add_slot(s, key, size, 0);
}

psh_status pshi_kll_reserve(psh_env *env, pshi_kll *s, size_t size) {
    return reserve(env, s, ADDS, size < s->key_max ? (uint32_t)size : s->key_max);
}

psh_status pshi_kll_add(psh_env *env, pshi_kll *s, const void *key, size_t size, double weight) {
    uint32_t kept = size < s->key_max ? (uint32_t)size : s->key_max;
    double units;

    if (reserve(env, s, ADDS, kept) != PSH_OK)
        return PSH_E_NOMEM;
    units = in_units(s, weight);
    add_units(s, key, kept, units);
    s->total += weight;
    make_room(s);
    return PSH_OK;
}

psh_status pshi_kll_add_u64(psh_env *env, pshi_kll *s, uint64_t key, double weight) {
    unsigned char bytes[8];
    int i;

    for (i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(key >> (56 - 8 * i));
    return pshi_kll_add(env, s, bytes, sizeof bytes, weight);
}

void pshi_kll_decay(pshi_kll *s, double factor) {
    s->unit *= factor;
    s->total *= factor;
    s->variance *= factor * factor;
    if (s->unit < LEAST_UNIT)
        clear_levels(s);
}

psh_status pshi_kll_merge(psh_env *env, pshi_kll *s, const pshi_kll *from, double factor) {
    uint32_t key = from->stride < s->key_max ? from->stride : s->key_max, h, slot, size;
    double weight, total = s->total + from->total * factor;

    if (reserve(env, s, MOST_SLOTS(s->k), key) != PSH_OK)
        return PSH_E_NOMEM;
    for (h = from->top; h-- > 0;) {
        weight = ldexp(from->unit, (int)h) * factor;
        for (slot = from->head[h]; slot != PSH_NONE && weight >= LEAST_UNIT * 1024; slot = from->next[slot]) {
            size = from->size[slot] < s->key_max ? from->size[slot] : s->key_max;
            (void)pshi_kll_add(env, s, from->bytes + (size_t)slot * from->stride, size, weight); /* room is there */
        }
    }
    s->total = total;
    s->variance += from->variance * factor * factor;
    return PSH_OK;
}

double pshi_kll_mass(const pshi_kll *s) {
    double mass = 0;
    uint32_t h;

    for (h = 0; h < s->top; h++)
        mass += ldexp(s->unit, (int)h) * s->held[h];
    return mass;
}

double pshi_kll_rank(const pshi_kll *s, const void *key, size_t size) {
    double below = 0, mass = pshi_kll_mass(s);
    uint32_t h, slot, n;

    size = size < s->key_max ? size : s->key_max;
    for (h = 0; h < s->top; h++) {
        for (slot = s->head[h], n = 0; slot != PSH_NONE; slot = s->next[slot])
            n += compare_keys(s->bytes + (size_t)slot * s->stride, s->size[slot], key, size) <= 0;
        below += ldexp(s->unit, (int)h) * n;
    }
    return mass > 0 ? below / mass : 0;
}

double pshi_kll_error(const pshi_kll *s) {
    double mass = pshi_kll_mass(s), error;

    if (!(mass > 0))
        return 1;
    error = sqrt(2 * log(200) * s->variance) / mass + 1.0 / 512;
    return error < 1 ? error : 1;
}

size_t pshi_kll_sorted(const pshi_kll *s, const pshi_kll_item **out) {
    size_t n = 0;
    uint32_t h;

    for (h = 0; h < s->top; h++)
        n = gather(s, h, n);
    if (n > 1)
        qsort(s->scratch, n, sizeof(pshi_kll_item), by_key);
    *out = s->scratch;
    return n;
}

const pshi_kll_item *pshi_kll_quantile(const pshi_kll_item *items, size_t n, double p) {
    double mass = 0, below = 0;
    size_t i;

    for (i = 0; i < n; i++)
        mass += items[i].weight;
    for (i = 0; i + 1 < n; i++) {
        below += items[i].weight;
        if (below >= p * mass)
            break;
    }
    return n ? &items[i] : NULL;
}

double pshi_kll_distance(const pshi_kll *a, const pshi_kll *b) {
    const pshi_kll_item *x, *y;
    size_t n = pshi_kll_sorted(a, &x), m = pshi_kll_sorted(b, &y), i = 0, j = 0;
    double all = pshi_kll_mass(a), other = pshi_kll_mass(b), f = 0, g = 0, most = 0, d;
    int r;

    if (!n || !m || a == b)
        return a == b ? 0 : 1;
    while (i < n || j < m) {
        r = i == n ? 1 : j == m ? -1 : by_key(&x[i], &y[j]);
        if (r <= 0)
            f += x[i++].weight;
        if (r >= 0)
            g += y[j++].weight;
        if ((i && i < n && by_key(&x[i - 1], &x[i]) == 0) || (j && j < m && by_key(&y[j - 1], &y[j]) == 0))
            continue; /* shares are compared behind all equals */
        d = fabs(f / all - g / other);
        most = d > most ? d : most;
    }
    return most < 1 ? most : 1;
}

uint64_t pshi_kll_bytes(const pshi_kll *s) {
    return (uint64_t)s->cap * (s->stride + sizeof *s->next + sizeof *s->size + sizeof(pshi_kll_item));
}

void pshi_kll_put(pshi_writer *w, const pshi_kll *s) {
    const pshi_kll_item *items = s->scratch;
    size_t n, i;
    uint32_t h;

    pshi_put_var(w, s->k);
    pshi_put_var(w, s->key_max);
    pshi_put_u64(w, s->rng);
    pshi_put_f64(w, s->unit);
    pshi_put_f64(w, s->total);
    pshi_put_f64(w, s->variance);
    pshi_put_var(w, s->top);
    for (h = 0; h < s->top; h++) {
        n = gather(s, h, 0);
        if (n > 1)
            qsort(s->scratch, n, sizeof *items, by_key);
        pshi_put_var(w, n);
        for (i = 0; i < n; i++)
            pshi_put_blob(w, items[i].key, items[i].size);
    }
}

static psh_status get_level(psh_env *env, pshi_cursor *c, pshi_kll *s, uint32_t h) {
    size_t n = pshi_get_count(c, 1), i;
    psh_bytes key;

    if (n > MOST_SLOTS(s->k) - s->count)
        pshi_read_bad(c);
    for (i = 0; c->status == PSH_OK && i < n; i++) {
        key = pshi_get_blob(c);
        if (key.size > s->key_max)
            pshi_read_bad(c);
        if (c->status != PSH_OK)
            break;
        if (reserve(env, s, 1, (uint32_t)key.size) != PSH_OK)
            return PSH_E_NOMEM;
        add_slot(s, key.data, (uint32_t)key.size, h);
    }
    return c->status;
}

psh_status pshi_kll_get(psh_env *env, pshi_cursor *c, pshi_kll *s) {
    uint32_t k = pshi_get_var32(c), key_max = pshi_get_var32(c), top, h;
    uint64_t rng = pshi_get_u64(c);
    double unit = pshi_get_f64(c), total = pshi_get_f64(c), variance = pshi_get_f64(c);
    psh_status st;

    top = pshi_get_var32(c);
    if (k < PSHI_KLL_LEAST_K || k > PSHI_KLL_MOST_K || key_max < 1 || key_max > PSHI_KLL_MOST_KEY)
        pshi_read_bad(c);
    if (top > PSHI_KLL_LEVELS || unit < 0 || unit > MOST_UNIT || (top && unit < LEAST_UNIT))
        pshi_read_bad(c);
    if (total < 0 || total > MOST_UNIT || variance < 0 || variance > MOST_UNIT * MOST_UNIT)
        pshi_read_bad(c);
    if (c->status != PSH_OK)
        return c->status;
    pshi_kll_free(env, s);
    pshi_kll_init(s, k, key_max, rng);
    for (h = 0, st = PSH_OK; st == PSH_OK && h < top; h++)
        st = get_level(env, c, s, h);
    s->top = st == PSH_OK ? top : s->top;
    if (st == PSH_OK && s->count > room_in_levels(s))
        pshi_read_bad(c);
    s->unit = unit;
    s->total = total;
    s->variance = variance;
    return st == PSH_OK ? c->status : st;
}
