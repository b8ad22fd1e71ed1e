/* SPDX-License-Identifier: MIT */
/** @file base/env.h  Memory, log and trace through the caller's environment. */
#ifndef PSHI_BASE_ENV_H
#define PSHI_BASE_ENV_H

#include <predshard/base.h>

/** @return size bytes aligned to 16, or NULL; size 0 gives a valid block. Not zeroed. */
void *pshi_alloc(psh_env *env, size_t size);
/** @return n * size zeroed bytes, or NULL, also when the product overflows. */
void *pshi_calloc(psh_env *env, size_t n, size_t size);
/** Moves a block to a new size; p may be NULL. On NULL the old block stays. */
void *pshi_realloc(psh_env *env, void *p, size_t size);
/** NULL is allowed. */
void pshi_free(psh_env *env, void *p);
/**
 * Grows an array of elements of `elem` bytes until it holds `need`; *p and *cap change on success only.
 * @return PSH_OK, PSH_E_NOMEM.
 */
psh_status pshi_reserve(psh_env *env, void **p, size_t *cap, size_t need, size_t elem);
/** @return a copy of a NUL-terminated text, or NULL. */
char *pshi_strdup(psh_env *env, const char *text);
/** @return bytes that the env has handed out and not got back. */
uint64_t pshi_env_bytes(const psh_env *env);
void pshi_log(const psh_env *env, uint32_t level, const char *msg);
void pshi_trace(const psh_env *env, uint32_t kind, int64_t time, uint64_t id, int64_t a, int64_t b);

#endif
