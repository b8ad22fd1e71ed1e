/* SPDX-License-Identifier: MIT */
/** @file base/ref.h  Counts of references to immutable values. */
#ifndef PSHI_BASE_REF_H
#define PSHI_BASE_REF_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint32_t pshi_ref;

static inline void pshi_ref_init(pshi_ref *r) {
    atomic_init(r, 1);
}

static inline void pshi_ref_get(pshi_ref *r) {
    atomic_fetch_add_explicit(r, 1, memory_order_relaxed);
}

/** @return 1 when the last reference went: free the value. */
static inline int pshi_ref_put(pshi_ref *r) {
    return atomic_fetch_sub_explicit(r, 1, memory_order_acq_rel) == 1;
}

#endif
