/* SPDX-License-Identifier: MIT */
/** @file predshard/host.h  What the host supplies: storage, change capture, key-value store, products. */
#ifndef PREDSHARD_HOST_H
#define PREDSHARD_HOST_H

#include <predshard/change.h>
#include <predshard/plan.h>
#include <predshard/world.h>
PSH_BEGIN_DECLS

/*
 * Rules for all callbacks. They are called only by the driver (kv also by the share), only from inside its calls,
 * on the thread that made the call, never two at once. They may block; the driver waits. Pointers given to a
 * callback are valid during the call. They must not call the driver, the share or the autopilot: that is
 * PSH_E_REENTRANT.
 * They return PSH_OK, a signal where documented, or any error; an error that is not one of ours is passed on
 * as PSH_E_HOST with host_code. Tables are copied at registration; a NULL method that is not marked required
 * means that the capability is absent. struct_size and version go first, user is each method's first argument.
 */

/** Takes rows of a scan. @param rows  Shape [n][columns of the table], valid during the call. */
typedef psh_status (*psh_row_sink)(void *sink_user, const psh_value *rows, size_t n);

/** Read all rows of some partitions at one position of the source. */
typedef struct psh_scan {
    uint32_t struct_size;
    uint32_t table;
    const uint64_t *partitions;  /**< Shape [partition_count]: ids; names by psh_partition_name */
    const psh_partition *infos;  /**< Shape [partition_count]: the same, in full */
    size_t partition_count;
    int64_t time_from;           /**< only rows of [time_from, time_to) */
    int64_t time_to;
} psh_scan;

/** What a scan saw: every change at or before (source, position), none after. */
typedef struct psh_scan_result {
    uint32_t struct_size;
    uint32_t reserved;   /**< 0 */
    uint64_t source;
    uint64_t position;
    int64_t commit_time; /**< of that position */
    uint64_t rows;       /**< rows given */
    uint64_t work;       /**< recorded work units, e.g. database steps */
} psh_scan_result;

/** One entry of an atomic commit: put, or delete when data is NULL. */
typedef struct psh_blob_write {
    const char *name; /**< NUL-terminated, of [a-z0-9/._-] */
    const void *data;
    size_t size;
} psh_blob_write;

typedef struct psh_health {
    uint32_t struct_size;
    uint32_t ok;             /**< 1 = usable */
    uint64_t free_bytes;
    uint64_t used_bytes;
} psh_health;

#define PSH_STORAGE_VERSION 1
typedef struct psh_storage {
    uint32_t struct_size;
    uint32_t version; /**< PSH_STORAGE_VERSION */
    void *user;
    /** Appends the blob to out. @return PSH_OK, PSH_E_NOT_FOUND. Required. */
    psh_status (*get)(void *user, const char *name, psh_buffer *out);
    /** All of it or nothing, durable on return. Required. */
    psh_status (*commit)(void *user, const psh_blob_write *writes, size_t n);
    /** Calls each name that starts with prefix, in byte order. */
    psh_status (*list)(
        void *user, const char *prefix, psh_status (*each)(void *each_user, const char *name), void *each_user);
    /** Gives every row once, in batches of the host's choice; passes the sink's errors on. Required for views. */
    psh_status (*scan)(
        void *user, const psh_scan *scan, psh_row_sink sink, void *sink_user, psh_scan_result *result);
    /**
     * Carry out one action: one atomic change of what the host holds. Idempotent by action->id: done again it is
     * PSH_OK and changes nothing. Idempotent by its goal, too: after a crash it may come under another id, and what
     * it asks for is there already. A fence lower than the highest seen is PSH_E_FENCED. A kind that the host
     * cannot do is PSH_E_UNSUPPORTED. Required. What each kind asks for is listed at psh_want and in
     * doc/contract.md; of all: an action moves rows, it changes none. Nothing of it comes out of `poll` with
     * origin 0.
     *
     * SPLIT, MERGE  a read or a row that goes by an older epoch names partitions as they were. The host answers for
     *               the arc that they had then, or says PSH_E_STALE; it never gives a row twice or leaves one out.
     * REPLICATE     once the last step is done, the copy holds every commit as soon as the owner does.
     * @return PSH_OK (done), PSH_PENDING (psh_driver_complete follows), an error (failed, nothing changed).
     */
    psh_status (*submit)(void *user, int64_t now, const psh_action *action);
    psh_status (*health)(void *user, uint32_t node, uint32_t tier, psh_health *out);
} psh_storage;

/** Where a source stands. */
typedef struct psh_cdc_state {
    uint32_t struct_size;
    uint32_t reserved;   /**< 0 */
    uint64_t source;
    uint64_t position;   /**< the last commit; an idle source's heartbeat */
    int64_t commit_time; /**< every change committed before this time is at or before position */
} psh_cdc_state;

#define PSH_CDC_VERSION 1
typedef struct psh_cdc {
    uint32_t struct_size;
    uint32_t version; /**< PSH_CDC_VERSION */
    void *user;
    /** Heartbeat: where the source stands now. Required. */
    psh_status (*state)(void *user, psh_cdc_state *out);
    /**
     * Appends changes after `cursor` (0 = the oldest kept) to out, whole positions, in order, until out is
     * full (append gives PSH_E_LIMIT: truncate to the last whole position, or pass the error on when not one
     * position fits) or nothing is left.
     * @param next  cursor after the last change given, or the source's position when nothing was left
     * @return PSH_OK (nothing left), PSH_AGAIN (more), PSH_E_NOT_FOUND (cursor too old: scan again). Required.
     */
    psh_status (*poll)(void *user, uint64_t cursor, psh_change_batch *out, uint64_t *next);
    /** Everything at or before position may be forgotten. */
    psh_status (*acknowledge)(void *user, uint64_t position);
} psh_cdc;

#define PSH_KV_VERSION 1
typedef struct psh_kv {
    uint32_t struct_size;
    uint32_t version; /**< PSH_KV_VERSION */
    void *user;
    /**
     * Appends the value, sets its version (> 0). No key has one version twice, not even after it was removed.
     * @return PSH_OK, PSH_E_NOT_FOUND. Required.
     */
    psh_status (*get)(void *user, const char *key, psh_buffer *out, uint64_t *version);
    /**
     * Sets the value if the key's version is still `expected` (0 = there is no such key).
     * @return PSH_OK, PSH_E_CONFLICT. Required.
     */
    psh_status (*compare_and_set)(
        void *user, const char *key, uint64_t expected, const void *data, size_t size, uint64_t *version);
    /** Removes a key if its version is still `expected`. @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_CONFLICT. */
    psh_status (*remove)(void *user, const char *key, uint64_t expected);
    /** Calls each key that starts with prefix, with its version, in byte order. */
    psh_status (*list)(
        void *user, const char *prefix, psh_status (*each)(void *each_user, const char *key, uint64_t version),
        void *each_user);
    /**
     * Waits until the key's version is not `version` (0 = there is no such key), at most wait_ns.
     * @return PSH_OK (it is not), PSH_AGAIN (it is).
     */
    psh_status (*watch)(void *user, const char *key, uint64_t version, int64_t wait_ns);
} psh_kv;

/*
 * Products of float matrices, for the recurrent network of the forecaster: a BLAS (cblas_sgemm takes the same
 * arguments), or a GPU. Apart from the rules above it is called by whoever trains or asks the network, from inside
 * that call, on its thread, never two at once for one object. The matrices are the library's and valid during the
 * call; a and b are not to be written. It may block; it must not call the library. Nobody needs it: without it, and
 * whenever it fails, the library multiplies by itself.
 */
#define PSH_GEMM_VERSION 1
#define PSH_GEMM_A_TRANSPOSED 1u /**< a is Shape [k][m], element (i, p) at a[p * lda + i] */
#define PSH_GEMM_B_TRANSPOSED 2u /**< b is Shape [n][k], element (p, j) at b[j * ldb + p] */
typedef struct psh_gemm_host {
    uint32_t struct_size;
    uint32_t version; /**< PSH_GEMM_VERSION */
    void *user;
    /**
     * C = op(A) op(B), row-major; c Shape [m][n] is written whole and never read. m, n, k are 1 to 2^31 - 1.
     * The same arguments should give the same bytes, or a run cannot be repeated to the byte.
     * @param flags  PSH_GEMM_*
     * @param a      Shape [m][k], rows lda >= k apart
     * @param b      Shape [k][n], rows ldb >= n apart
     * @param c      Shape [m][n], rows ldc >= n apart
     * @return PSH_OK; anything else: c may hold anything, the built-in product is taken instead, and so for the
     *         rest of that call of the library.
     */
    psh_status (*gemm)(
        void *user, uint32_t flags, uint32_t m, uint32_t n, uint32_t k, const float *a, uint32_t lda,
        const float *b, uint32_t ldb, float *c, uint32_t ldc);
} psh_gemm_host;

PSH_END_DECLS
#endif
