/* SPDX-License-Identifier: MIT */
#include "base/env.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/options.h"

/* Each block begins with its size, so that the host's allocator gets it back on release. */
#define HEADER 16u

struct psh_env {
    psh_env_options o;
    _Atomic uint64_t bytes;
    _Atomic uint64_t blocks;
    _Atomic uint64_t peak;
};

static void *libc_alloc(void *user, size_t size, size_t align) {
    (void)user;
    (void)align; /* malloc aligns to 16, the most ever asked for */
    return malloc(size);
}

static void libc_release(void *user, void *p, size_t size, size_t align) {
    (void)user;
    (void)size;
    (void)align;
    free(p);
}

static psh_status check_options(const psh_env_options *o, psh_error *err) {
    if (o->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (!o->alloc != !o->release)
        return pshi_fail(err, PSH_E_INVALID, "alloc", "alloc and release go together");
    return PSH_OK;
}

psh_status psh_env_create(const psh_env_options *options, psh_env **out, psh_error *err) {
    psh_env_options o;
    psh_env *env;
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    memset(&o, 0, sizeof o);
    o.struct_size = sizeof o;
    if (options && (st = pshi_options_copy(&o, sizeof o, options, err)) != PSH_OK)
        return st;
    if ((st = check_options(&o, err)) != PSH_OK)
        return st;
    if (!o.alloc) {
        o.alloc = libc_alloc;
        o.release = libc_release;
    }
    env = o.alloc(o.user, sizeof *env, 16);
    if (!env)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the environment");
    memset(env, 0, sizeof *env);
    env->o = o;
    *out = env;
    return PSH_OK;
}

void psh_env_destroy(psh_env *env) {
    if (env)
        env->o.release(env->o.user, env, sizeof *env, 16);
}

psh_status psh_env_get_stats(const psh_env *env, psh_env_stats *out) {
    psh_env_stats s = { 0 };

    if (!env || !out)
        return PSH_E_INVALID;
    s.bytes = atomic_load(&env->bytes);
    s.blocks = atomic_load(&env->blocks);
    s.peak_bytes = atomic_load(&env->peak);
    return pshi_struct_out(out, &s, sizeof s);
}

static void note_peak(psh_env *env, uint64_t now) {
    uint64_t peak = atomic_load_explicit(&env->peak, memory_order_relaxed);

    while (now > peak && !atomic_compare_exchange_weak(&env->peak, &peak, now)) {
    }
}

void *pshi_alloc(psh_env *env, size_t size) {
    unsigned char *block;
    uint64_t now;

    if (size > SIZE_MAX / 2 - HEADER)
        return NULL;
    block = env->o.alloc(env->o.user, size + HEADER, 16);
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof size);
    now = atomic_fetch_add(&env->bytes, size + HEADER) + size + HEADER;
    atomic_fetch_add(&env->blocks, 1);
    note_peak(env, now);
    return block + HEADER;
}

static size_t block_size(const void *p) {
    size_t size;

    memcpy(&size, (const unsigned char *)p - HEADER, sizeof size);
    return size;
}

void pshi_free(psh_env *env, void *p) {
    size_t size;

    if (!p)
        return;
    size = block_size(p) + HEADER;
    atomic_fetch_sub(&env->bytes, size);
    atomic_fetch_sub(&env->blocks, 1);
    env->o.release(env->o.user, (unsigned char *)p - HEADER, size, 16);
}

void *pshi_calloc(psh_env *env, size_t n, size_t size) {
    void *p;

    if (size && n > SIZE_MAX / size)
        return NULL;
    p = pshi_alloc(env, n * size);
    if (p)
        memset(p, 0, n * size);
    return p;
}

void *pshi_realloc(psh_env *env, void *p, size_t size) {
    void *q = pshi_alloc(env, size);
    size_t old;

    if (!q || !p)
        return q;
    old = block_size(p);
    memcpy(q, p, old < size ? old : size);
    pshi_free(env, p);
    return q;
}

psh_status pshi_reserve(psh_env *env, void **p, size_t *cap, size_t need, size_t elem) {
    size_t want = *cap ? *cap : 8;
    void *q;

    if (need <= *cap)
        return PSH_OK;
    while (want < need) {
        if (want > SIZE_MAX / 2)
            return PSH_E_NOMEM;
        want *= 2;
    }
    if (want > SIZE_MAX / 4 / elem)
        return PSH_E_NOMEM;
    q = pshi_realloc(env, *p, want * elem);
    if (!q)
        return PSH_E_NOMEM;
    *p = q;
    *cap = want;
    return PSH_OK;
}

char *pshi_strdup(psh_env *env, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = pshi_alloc(env, size);

    if (copy)
        memcpy(copy, text, size);
    return copy;
}

uint64_t pshi_env_bytes(const psh_env *env) {
    return atomic_load_explicit(&env->bytes, memory_order_relaxed);
}

void pshi_log(const psh_env *env, uint32_t level, const char *msg) {
    if (env->o.log)
        env->o.log(env->o.user, level, msg, strlen(msg));
}

void pshi_trace(const psh_env *env, uint32_t kind, int64_t time, uint64_t id, int64_t a, int64_t b) {
    psh_trace e = { sizeof e, kind, time, id, a, b };

    if (env->o.trace)
        env->o.trace(env->o.user, &e);
}
