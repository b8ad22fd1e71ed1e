/* SPDX-License-Identifier: MIT */
/** @file predshard/epochs.h  A root for any immutable value: one writer publishes, readers hold what they pinned. */
#ifndef PREDSHARD_EPOCHS_H
#define PREDSHARD_EPOCHS_H

#include <predshard/base.h>
PSH_BEGIN_DECLS

/**
 * One writer replaces a pointer; readers pin what it points to, wait-free. What was replaced is released once no
 * reader can hold it. A stalled reader delays that, nothing else, and the stats show it.
 */
typedef struct psh_epochs psh_epochs;
/** A reader's slot. Used by one thread at a time, any thread. */
typedef struct psh_epochs_reader psh_epochs_reader;

typedef struct psh_epochs_stats {
    uint32_t struct_size;
    uint32_t readers;       /**< registered */
    uint64_t number;        /**< current; 0 = nothing published */
    uint64_t oldest_pinned; /**< number of the oldest value held; the current one when none is */
    uint64_t retired;       /**< values waiting for readers */
} psh_epochs_stats;

/**
 * @param max_readers  1..4096; 0 = 64
 * @param release      called by the writer, inside publish, stats or destroy, for each value no longer held
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. *out is the caller's, NULL on an error.
 */
PSH_API psh_status psh_epochs_create(
    psh_env *env, uint32_t max_readers, void (*release)(void *user, void *value), void *user, psh_epochs **out);
/** Releases all. No reader may be left. NULL is allowed. */
PSH_API void psh_epochs_destroy(psh_epochs *s);
/** Makes a value current. Threads  the writer. @return PSH_OK, PSH_E_INVALID (NULL), PSH_E_NOMEM (unchanged). */
PSH_API psh_status psh_epochs_publish(psh_epochs *s, void *value);
/** For the writer's own use; NULL before the first. */
PSH_API void *psh_epochs_current(const psh_epochs *s);
/** Frees first what no reader holds any more. Threads  the writer. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_epochs_get_stats(psh_epochs *s, psh_epochs_stats *out);
/** @return PSH_OK, PSH_E_LIMIT (no slot free), PSH_E_NOMEM. Threads  any. */
PSH_API psh_status psh_epochs_reader_create(psh_epochs *s, psh_epochs_reader **out);
/** Must not be pinned. NULL is allowed. */
PSH_API void psh_epochs_reader_destroy(psh_epochs_reader *r);
/** Wait-free. Pins may not nest. @return the current value, NULL when none was published. */
PSH_API void *psh_epochs_pin(psh_epochs_reader *r);
/** While pinned: lets go of it and takes the current value; one read of shared memory while nothing was published. */
PSH_API void *psh_epochs_refresh(psh_epochs_reader *r);
/** Wait-free. */
PSH_API void psh_epochs_unpin(psh_epochs_reader *r);

PSH_END_DECLS
#endif
