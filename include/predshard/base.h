/* SPDX-License-Identifier: MIT */
/** @file predshard/base.h  Status codes, errors, environment, buffers, resources. */
#ifndef PREDSHARD_BASE_H
#define PREDSHARD_BASE_H

#include <stddef.h>
#include <stdint.h>

#define PSH_VERSION_MAJOR 0
#define PSH_VERSION_MINOR 1
#define PSH_VERSION_PATCH 0
/** The soname's number; it changes only when a symbol or layout is taken away. */
#define PSH_SOVERSION 0

#ifdef __cplusplus
#define PSH_BEGIN_DECLS extern "C" {
#define PSH_END_DECLS }
#else
#define PSH_BEGIN_DECLS
#define PSH_END_DECLS
#endif

#if defined(__GNUC__)
#define PSH_API __attribute__((visibility("default")))
#else
#define PSH_API
#endif

PSH_BEGIN_DECLS

/**
 * What a call returns. 0 is success, above 0 a signal, below 0 an error; at or below -500 the object
 * must be destroyed and nothing else done with it. Any other error has changed nothing.
 */
typedef int32_t psh_status;

/** One line a code: X(name, number, what happened and what to do). Numbers are never reused. */
#define PSH_STATUS_LIST(X) \
    X(PSH_OK, 0, "success") \
    X(PSH_AGAIN, 1, "more work is waiting: call again") \
    X(PSH_PENDING, 2, "started: the host will call complete later") \
    X(PSH_END, 3, "nothing more to give") \
    X(PSH_E_INVALID, -1, "an argument is outside its documented range: see the field named") \
    X(PSH_E_NOMEM, -2, "the allocator gave no memory: free some and call again") \
    X(PSH_E_LIMIT, -3, "a limit set in the options is reached: raise it or drop something") \
    X(PSH_E_TIME, -4, "time went backwards or is outside the range of times") \
    X(PSH_E_UNSUPPORTED, -5, "a flag, option or capability that this build or host does not have") \
    X(PSH_E_REENTRANT, -6, "called from inside a callback of the same object") \
    X(PSH_E_CORRUPT, -7, "the bytes are damaged: restore an older copy") \
    X(PSH_E_NEWER, -8, "the bytes were written by a newer version: upgrade the library") \
    X(PSH_E_STATE, -9, "the object is not in a state that allows this call") \
    X(PSH_E_NOT_FOUND, -10, "there is no such thing") \
    X(PSH_E_EXISTS, -11, "there is one already") \
    X(PSH_E_CONFLICT, -12, "another writer was first: read again and retry") \
    X(PSH_E_HOST, -13, "a host callback failed: see host_code") \
    X(PSH_E_CAPACITY, -14, "no node or tier has room for it") \
    X(PSH_E_FENCED, -15, "a newer planner leads: this one must stop acting") \
    X(PSH_E_NO_FORECAST, -16, "no forecast can be given: see the reason") \
    X(PSH_E_RANGE, -17, "a result does not fit its type") \
    X(PSH_E_TIMEOUT, -18, "the deadline passed first") \
    X(PSH_E_VETOED, -19, "the policy callback refused it") \
    X(PSH_E_STALE, -20, "the data at hand is older than the caller accepts") \
    X(PSH_E_INTERNAL, -500, "an invariant broke: destroy the object and report it")

#define PSH_STATUS_ENUM(name, number, text) name = number,
enum psh_status_code { PSH_STATUS_LIST(PSH_STATUS_ENUM) PSH_STATUS_END_ = 0x7fffffff };

/** @return the code's name, e.g. "PSH_E_NOMEM"; "PSH_E_UNKNOWN" for others. Static text. */
PSH_API const char *psh_status_name(psh_status status);
/** @return one sentence: what happened and what to do. Static text. */
PSH_API const char *psh_status_text(psh_status status);
/** @return "MAJOR.MINOR.PATCH" of the library that is linked. Static text. */
PSH_API const char *psh_version(void);

/**
 * Detail of a failure, in memory of the caller, written only on failure.
 * Set struct_size before the first use; zero the rest. NULL is allowed wherever one is taken.
 */
typedef struct psh_error {
    uint32_t struct_size; /**< bytes of this struct the caller compiled */
    psh_status code;      /**< the status that the call returned */
    int64_t host_code;    /**< what the host's callback returned; 0 if no callback failed */
    char field[64];       /**< the argument or field at fault, NUL-terminated; may be empty */
    char text[192];       /**< one sentence, NUL-terminated */
} psh_error;

/** No time; before any other. All times are ns since 1970-01-01 UTC. */
#define PSH_TIME_NONE INT64_MIN
#define PSH_TIME_MIN (INT64_MIN + 1) /**< earliest time; as a bound: open */
#define PSH_TIME_MAX INT64_MAX       /**< latest time; as a bound: open */
#define PSH_SECOND INT64_C(1000000000)
#define PSH_MINUTE (60 * PSH_SECOND)
#define PSH_HOUR (3600 * PSH_SECOND)
#define PSH_DAY (86400 * PSH_SECOND)
/** Marks an absent 32-bit id or index: column, table, node, tier. */
#define PSH_NONE UINT32_MAX

/** Bytes of somebody else's, borrowed. data may be NULL only when size is 0. */
typedef struct psh_bytes {
    const void *data;
    size_t size;
} psh_bytes;

/** The one vector of resources: sizes in bytes, flows per second. Finite, >= 0. */
typedef struct psh_resources {
    double bytes;            /**< stored bytes */
    double reads_per_s;      /**< read requests per second */
    double writes_per_s;     /**< write requests per second */
    double bytes_per_s;      /**< transferred bytes per second */
    double cpu_us_per_s;     /**< CPU microseconds per second */
} psh_resources;

#define PSH_LOG_ERROR 1
#define PSH_LOG_WARN 2
#define PSH_LOG_INFO 3
#define PSH_LOG_DEBUG 4

/** Typed trace events, by number: 1xx driver, 2xx autopilot, 3xx map, 4xx materializer. */
#define PSH_TRACE_SUBMIT 101   /**< id = action, a = kind, b = attempt */
#define PSH_TRACE_COMPLETE 102 /**< id = action, a = status, b = 0 */
#define PSH_TRACE_CHECKPOINT 103 /**< id = generation, a = bytes, b = 0 */
#define PSH_TRACE_CYCLE 201    /**< id = cycle, a = wants, b = actions */
#define PSH_TRACE_PUBLISH 202  /**< id = epoch, a = partitions, b = views */
#define PSH_TRACE_STATE 301    /**< id = partition, a = from state, b = to state */
#define PSH_TRACE_VIEW 401     /**< id = view, a = level, b = bytes */

typedef struct psh_trace {
    uint32_t struct_size;
    uint32_t kind; /**< PSH_TRACE_* */
    int64_t time;  /**< the caller's now, or PSH_TIME_NONE */
    uint64_t id;
    int64_t a;
    int64_t b;
} psh_trace;

/**
 * Where an object gets memory and tells what it does.
 *
 * Every callback may be NULL. alloc and release go together; without them malloc and free serve.
 * They must be thread-safe when objects of one env are used from several threads.
 * None of them may call back into the library.
 */
typedef struct psh_env_options {
    uint32_t struct_size;
    uint32_t flags; /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    void *user;     /**< first argument of each callback */
    /** @return size bytes aligned to align (a power of two), or NULL. size > 0. */
    void *(*alloc)(void *user, size_t size, size_t align);
    /** Frees what alloc gave, with the same size and align. p is never NULL. */
    void (*release)(void *user, void *p, size_t size, size_t align);
    /** msg is len bytes, not terminated, valid during the call. level is PSH_LOG_*. */
    void (*log)(void *user, uint32_t level, const char *msg, size_t len);
    void (*trace)(void *user, const psh_trace *event);
} psh_env_options;

typedef struct psh_env psh_env;

typedef struct psh_env_stats {
    uint32_t struct_size;
    uint32_t reserved;   /**< 0 */
    uint64_t bytes;      /**< allocated now */
    uint64_t blocks;     /**< allocations alive now */
    uint64_t peak_bytes; /**< the most ever allocated at once */
} psh_env_stats;

/**
 * @param o    Copied; NULL means malloc and free, no log, no trace.
 * @param out  The caller's on success, NULL on error. Every object made with it must be destroyed first.
 * @return PSH_OK, PSH_E_INVALID, PSH_E_UNSUPPORTED, PSH_E_NOMEM.
 *
 * Threads  An env is immutable but for its counters, which are atomic: share it freely.
 */
PSH_API psh_status psh_env_create(const psh_env_options *o, psh_env **out, psh_error *err);
/** Cannot fail; NULL is allowed. */
PSH_API void psh_env_destroy(psh_env *env);
/** Fills the first out->struct_size bytes. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_env_get_stats(const psh_env *env, psh_env_stats *out);

/**
 * Growing bytes that the library writes into: saved values, dumps, what a host's get returns.
 * Threads  One user at a time.
 */
typedef struct psh_buffer psh_buffer;

/** @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. *out is the caller's, NULL on an error. */
PSH_API psh_status psh_buffer_create(psh_env *env, psh_buffer **out);
/** Cannot fail; NULL is allowed. */
PSH_API void psh_buffer_destroy(psh_buffer *b);
/** @return the bytes, valid until the next call that changes b; never NULL. A zero byte follows them. */
PSH_API const void *psh_buffer_data(const psh_buffer *b);
/** @return bytes in it. */
PSH_API size_t psh_buffer_size(const psh_buffer *b);
/** Keeps the memory, forgets the bytes. */
PSH_API void psh_buffer_clear(psh_buffer *b);
/** @return PSH_OK, PSH_E_NOMEM (b unchanged). */
PSH_API psh_status psh_buffer_append(psh_buffer *b, const void *data, size_t size);

PSH_END_DECLS
#endif
