/* SPDX-License-Identifier: MIT */
#include "views/bag.h"

#include <string.h>

#include "base/env.h"

/* Places of a run: few to move, and many to a block. */
#define RUN_MAX 128u
#define RUNS_MAX (UINT32_C(1) << 30)

/* Bits of a double that order as it does: the sign flips all, or itself alone. */
static int64_t double_code(double x) {
    int64_t bits;

    x += 0.0; /* -0.0 and 0.0 are one value */
    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? bits ^ INT64_MAX : bits;
}

int64_t pshi_bag_code(const psh_value *v) {
    return v->type == PSH_TYPE_DOUBLE ? double_code(v->as.f64) : v->as.i64;
}

psh_value pshi_bag_value(int64_t code, uint32_t type, const pshi_dict *dict) {
    psh_value v;

    if (dict)
        return dict->entries[code].value;
    memset(&v, 0, sizeof v);
    v.type = type;
    if (type == PSH_TYPE_DOUBLE && code < 0)
        code ^= INT64_MAX;
    if (type == PSH_TYPE_DOUBLE)
        memcpy(&v.as.f64, &code, sizeof code);
    else
        v.as.i64 = code;
    return v;
}

static uint64_t *counts_of(const pshi_bag_run *r) {
    return (uint64_t *)(void *)(r->codes + r->cap);
}

const uint64_t *pshi_bag_counts(const pshi_bag_run *r) {
    return counts_of(r);
}

const pshi_bag_run *pshi_bag_runs(const pshi_bag *b, uint32_t *count) {
    *count = b->runs ? b->run_count : 1;
    return b->runs ? b->runs : &b->one;
}

void pshi_bag_free(psh_env *env, pshi_bag *b, pshi_dict *dict) {
    uint32_t n, i, k;
    const pshi_bag_run *runs = pshi_bag_runs(b, &n);

    for (i = 0; i < n; i++) {
        for (k = 0; dict && k < runs[i].size; k++)
            pshi_dict_unref(env, dict, (uint32_t)runs[i].codes[k]);
        pshi_free(env, runs[i].codes);
    }
    pshi_free(env, b->runs);
    memset(b, 0, sizeof *b);
}

static int code_less(const pshi_dict *dict, int64_t a, int64_t b) {
    if (!dict)
        return a < b;
    return a != b && psh_value_compare(&dict->entries[a].value, &dict->entries[b].value) < 0;
}

int pshi_bag_ends(const pshi_bag *b, int64_t *low, int64_t *high) {
    uint32_t n;
    const pshi_bag_run *runs = pshi_bag_runs(b, &n);

    if (!b->size)
        return 0;
    *low = runs[0].codes[0];
    *high = runs[n - 1].codes[runs[n - 1].size - 1];
    return 1;
}

int pshi_bag_spans(const pshi_bag *b, const pshi_dict *dict, int64_t code) {
    int64_t low, high;

    return pshi_bag_ends(b, &low, &high) && !code_less(dict, code, low) && !code_less(dict, high, code);
}

/* The last run that begins at or before the code, else the first. */
static uint32_t run_place(const pshi_bag *b, const pshi_dict *dict, int64_t code) {
    uint32_t low = 1, high = b->runs ? b->run_count : 1, mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (code_less(dict, code, b->runs[mid].codes[0]))
            high = mid;
        else
            low = mid + 1;
    }
    return low - 1;
}

static pshi_bag_run *run_at(pshi_bag *b, uint32_t i) {
    return b->runs ? b->runs + i : &b->one;
}

/* The first place not below the code. */
static uint32_t code_place(const pshi_bag_run *r, const pshi_dict *dict, int64_t code) {
    uint32_t low = 0, n = r->size, half;

    /* Numbers: no branch that the processor could not foresee. */
    for (; !dict && n; n -= half) {
        half = (n + 1) / 2;
        low += r->codes[low + half - 1] < code ? half : 0;
    }
    for (; n; n -= half) {
        half = (n + 1) / 2;
        low += code_less(dict, r->codes[low + half - 1], code) ? half : 0;
    }
    return low;
}

static int has_code(const pshi_bag_run *r, uint32_t i, int64_t code) {
    return i < r->size && r->codes[i] == code;
}

/* By half, not double: most bags are small and there are many. */
static psh_status run_grow(psh_env *env, pshi_bag_run *r) {
    uint32_t cap = r->cap + r->cap / 2 + 2;
    pshi_bag_run wide = { NULL, r->size, cap < RUN_MAX ? cap : RUN_MAX };

    wide.codes = pshi_alloc(env, (size_t)wide.cap * PSHI_BAG_PLACE_BYTES);
    if (!wide.codes)
        return PSH_E_NOMEM;
    if (r->size) {
        memcpy(wide.codes, r->codes, r->size * sizeof *r->codes);
        memcpy(counts_of(&wide), counts_of(r), r->size * sizeof *counts_of(r));
    }
    pshi_free(env, r->codes);
    *r = wide;
    return PSH_OK;
}

/* Room for one run more; the first time, the runs get a list. */
static psh_status runs_grow(psh_env *env, pshi_bag *b) {
    pshi_bag_run *runs;

    if (b->runs && b->run_count & (b->run_count - 1))
        return PSH_OK;
    if (b->run_count >= RUNS_MAX)
        return PSH_E_NOMEM;
    runs = pshi_realloc(env, b->runs, (b->runs ? (size_t)b->run_count * 2 : 2) * sizeof *runs);
    if (!runs)
        return PSH_E_NOMEM;
    if (!b->runs) {
        runs[0] = b->one;
        b->run_count = 1;
        memset(&b->one, 0, sizeof b->one);
    }
    b->runs = runs;
    return PSH_OK;
}

/* Moves the upper places of full run i, from `at` on, to a run of their own. */
static psh_status run_split(psh_env *env, pshi_bag *b, uint32_t i, uint32_t at) {
    pshi_bag_run upper = { NULL, RUN_MAX - at, RUN_MAX };
    pshi_bag_run *r;

    upper.codes = pshi_alloc(env, (size_t)RUN_MAX * PSHI_BAG_PLACE_BYTES);
    if (!upper.codes || runs_grow(env, b) != PSH_OK) {
        pshi_free(env, upper.codes);
        return PSH_E_NOMEM;
    }
    r = b->runs + i;
    memcpy(upper.codes, r->codes + at, upper.size * sizeof *r->codes);
    memcpy(counts_of(&upper), counts_of(r) + at, upper.size * sizeof *r->codes);
    r->size = at;
    memmove(r + 2, r + 1, (b->run_count - i - 1) * sizeof *r);
    r[1] = upper;
    b->run_count++;
    return PSH_OK;
}

static void run_insert(pshi_bag_run *r, uint32_t at, int64_t code, uint64_t times) {
    uint64_t *counts = counts_of(r);

    memmove(r->codes + at + 1, r->codes + at, (r->size - at) * sizeof *r->codes);
    memmove(counts + at + 1, counts + at, (r->size - at) * sizeof *counts);
    r->codes[at] = code;
    counts[at] = times;
    r->size++;
}

/* Where place `at` of run i goes once there is room: values that only ever ascend fill runs to the brim. */
static psh_status bag_room(psh_env *env, pshi_bag *b, uint32_t *i, uint32_t *at) {
    pshi_bag_run *r = run_at(b, *i);
    int last = !b->runs || *i + 1 == b->run_count;
    uint32_t cut = last && *at == RUN_MAX ? RUN_MAX - 1 : RUN_MAX / 2;

    if (r->size < r->cap)
        return PSH_OK;
    if (r->cap < RUN_MAX)
        return run_grow(env, r);
    if (run_split(env, b, *i, cut) != PSH_OK)
        return PSH_E_NOMEM;
    if (*at > cut) {
        ++*i;
        *at -= cut;
    }
    return PSH_OK;
}

psh_status pshi_bag_add(psh_env *env, pshi_bag *b, pshi_dict *dict, int64_t code, uint64_t times) {
    uint32_t i = run_place(b, dict, code), at = code_place(run_at(b, i), dict, code);
    pshi_bag_run *r = run_at(b, i);

    if (has_code(r, at, code)) {
        b->zeros -= counts_of(r)[at] == 0;
        counts_of(r)[at] += times;
        return PSH_OK;
    }
    if (bag_room(env, b, &i, &at) != PSH_OK)
        return PSH_E_NOMEM;
    run_insert(run_at(b, i), at, code, times);
    b->size++;
    if (dict)
        pshi_dict_ref(dict, (uint32_t)code);
    return PSH_OK;
}

/* @return the count of a code, or NULL if it has no place. */
static uint64_t *bag_find(const pshi_bag *b, const pshi_dict *dict, int64_t code) {
    uint32_t n;
    const pshi_bag_run *r = pshi_bag_runs(b, &n) + run_place(b, dict, code);
    uint32_t at = code_place(r, dict, code);

    return has_code(r, at, code) ? counts_of(r) + at : NULL;
}

uint64_t pshi_bag_count(const pshi_bag *b, const pshi_dict *dict, int64_t code) {
    const uint64_t *count = bag_find(b, dict, code);

    return count ? *count : 0;
}

void pshi_bag_take(pshi_bag *b, const pshi_dict *dict, int64_t code) {
    uint64_t *count = bag_find(b, dict, code);

    if (count)
        b->zeros += --*count == 0;
}

static void drop_run(psh_env *env, pshi_bag *b, uint32_t i) {
    pshi_free(env, b->runs[i].codes);
    b->run_count--;
    memmove(b->runs + i, b->runs + i + 1, (b->run_count - i) * sizeof *b->runs);
    if (b->run_count)
        return;
    pshi_free(env, b->runs);
    b->runs = NULL;
}

/* Joins run i + 1 to run i when both are so small that the next few values do not part them again. */
static void join_runs(psh_env *env, pshi_bag *b, uint32_t i) {
    pshi_bag_run *r = b->runs + i;

    if (i + 1 >= b->run_count || r[0].size + r[1].size > RUN_MAX / 2 || r[0].size + r[1].size > r[0].cap)
        return;
    memcpy(r[0].codes + r[0].size, r[1].codes, r[1].size * sizeof *r->codes);
    memcpy(counts_of(r) + r[0].size, counts_of(r + 1), r[1].size * sizeof *r->codes);
    r[0].size += r[1].size;
    drop_run(env, b, i + 1);
}

void pshi_bag_drop(psh_env *env, pshi_bag *b, pshi_dict *dict, int64_t code) {
    uint32_t i = run_place(b, dict, code);
    pshi_bag_run *r = run_at(b, i);
    uint32_t at = code_place(r, dict, code);
    uint64_t *counts;

    if (!has_code(r, at, code) || counts_of(r)[at])
        return;
    counts = counts_of(r);
    r->size--;
    memmove(r->codes + at, r->codes + at + 1, (r->size - at) * sizeof *r->codes);
    memmove(counts + at, counts + at + 1, (r->size - at) * sizeof *counts);
    b->size--;
    b->zeros--;
    if (dict)
        pshi_dict_unref(env, dict, (uint32_t)code);
    if (b->runs && !r->size)
        drop_run(env, b, i);
    else if (b->runs)
        join_runs(env, b, i);
    if (b->runs && i)
        join_runs(env, b, i - 1);
}
