/* SPDX-License-Identifier: MIT */
#include "codec/xz.h"

#include "base/env.h"

#ifdef PSHI_HAVE_LZMA
#include <lzma.h>

#define PRESET 3u                           /* speed before the last percent */
#define DECODER_MEMORY ((uint64_t)128 << 20) /* more is not our own stream */

static void *lzma_take(void *env, size_t n, size_t size) {
    return pshi_calloc(env, n, size);
}

static void lzma_give(void *env, void *p) {
    pshi_free(env, p);
}

int pshi_xz_available(void) {
    return 1;
}

psh_status pshi_xz_compress_tail(psh_buffer *b, size_t at) {
    psh_env *env = pshi_buffer_env(b);
    lzma_allocator a = { lzma_take, lzma_give, env };
    size_t size = psh_buffer_size(b) - at, bound = lzma_stream_buffer_bound(size), used = 0;
    uint8_t *out = pshi_alloc(env, bound);
    lzma_ret ret;
    psh_status st;

    if (!out)
        return PSH_E_NOMEM;
    ret = lzma_easy_buffer_encode(
        PRESET, LZMA_CHECK_NONE, &a, pshi_buffer_bytes(b) + at, size, out, &used, bound);
    if (ret != LZMA_OK) {
        pshi_free(env, out);
        return ret == LZMA_MEM_ERROR ? PSH_E_NOMEM : PSH_E_UNSUPPORTED;
    }
    pshi_buffer_truncate(b, at);
    st = psh_buffer_append(b, out, used);
    pshi_free(env, out);
    return st;
}

psh_status pshi_xz_expand(psh_env *env, const void *data, size_t size, size_t raw, void **out) {
    lzma_allocator a = { lzma_take, lzma_give, env };
    uint64_t memory = DECODER_MEMORY;
    size_t in = 0, done = 0;
    uint8_t *p = pshi_alloc(env, raw);
    lzma_ret ret;

    if (!p)
        return PSH_E_NOMEM;
    ret = lzma_stream_buffer_decode(&memory, 0, &a, data, &in, size, p, &done, raw);
    if (ret != LZMA_OK || done != raw || in != size) {
        pshi_free(env, p);
        return ret == LZMA_MEM_ERROR ? PSH_E_NOMEM : PSH_E_CORRUPT;
    }
    *out = p;
    return PSH_OK;
}

#else

int pshi_xz_available(void) {
    return 0;
}

psh_status pshi_xz_compress_tail(psh_buffer *b, size_t at) {
    (void)b;
    (void)at;
    return PSH_E_UNSUPPORTED;
}

psh_status pshi_xz_expand(psh_env *env, const void *data, size_t size, size_t raw, void **out) {
    (void)env;
    (void)data;
    (void)size;
    (void)raw;
    (void)out;
    return PSH_E_UNSUPPORTED;
}

#endif
