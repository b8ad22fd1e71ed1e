/* SPDX-License-Identifier: MIT */
/** @file ds/radix.h  An ordered map from 64-bit keys that shares what did not change between versions. */
#ifndef PSHI_DS_RADIX_H
#define PSHI_DS_RADIX_H

#include <predshard/base.h>

#include "base/ref.h"

/**
 * A radix tree of 4-bit digits whose paths are compressed and whose small subtrees are sorted leaves (Morrison
 * 1968, "PATRICIA"; leaves as in a burst trie, Heinz, Zobel & Williams 2002). A version is a root; changing one
 * copies the nodes on the path that others still hold and changes the rest in place, so that k changes cost
 * O(k log n) (Driscoll et al. 1989, "Making data structures persistent").
 *
 * Threads  Nodes that two versions share are never changed: a version may be read by any thread, changed by one,
 *          and freed by the last that holds it.
 */
typedef struct pshi_radix_block {
    pshi_ref refs;
    uint32_t count; /* the owner's */
    void *more;     /* a block of its own, freed with it; NULL: none */
} pshi_radix_block;

typedef struct pshi_radix_entry {
    uint64_t key;
    union {
        pshi_radix_block *block; /* what a larger block begins with; freed with the last reference */
        uint64_t number;
    } value;
    uint32_t weight; /* how many things it stands for: ranks count these. In all below 2^32 */
    uint32_t extra;
} pshi_radix_entry;

#define PSHI_RADIX_LEAF 32u   /* entries of a leaf at most */
#define PSHI_RADIX_DEPTH 17u  /* nodes on a path at most: 64 bits of 4, and the leaf */

typedef struct pshi_radix_node {
    pshi_ref refs;
    uint32_t weight; /* of all entries below */
    uint32_t keys;   /* entries below */
    uint8_t shift;   /* inner: of its digit */
    uint8_t leaf;
    uint16_t room;   /* leaf: entries there is memory for */
    uint64_t prefix; /* inner: all keys below agree with it above its digit */
} pshi_radix_node;

typedef struct pshi_radix_inner {
    pshi_radix_node head;
    pshi_radix_node *child[16]; /* at least two are not NULL */
    uint32_t weights[16];
} pshi_radix_inner;

typedef struct pshi_radix_leaf {
    pshi_radix_node head;
    pshi_radix_entry entry[]; /* Shape [keys], by key */
} pshi_radix_leaf;

/** One version. Zeroed is empty; set `blocks` where values are blocks. */
typedef struct pshi_radix {
    pshi_radix_node *root;
    uint32_t blocks;
} pshi_radix;

/** Shares another version: *to must be empty. */
void pshi_radix_share(pshi_radix *to, const pshi_radix *from);
/** Lets the version go. */
void pshi_radix_free(psh_env *env, pshi_radix *r);
/** Sets or replaces; a value's reference is taken over on success. @return PSH_OK, PSH_E_NOMEM (same content). */
psh_status pshi_radix_put(psh_env *env, pshi_radix *r, const pshi_radix_entry *e);
/** The same, but never replaces. @return also PSH_E_CONFLICT: the key is there. */
psh_status pshi_radix_add(psh_env *env, pshi_radix *r, const pshi_radix_entry *e);
/** @return PSH_OK, PSH_E_NOT_FOUND, PSH_E_NOMEM (same content). */
psh_status pshi_radix_remove(psh_env *env, pshi_radix *r, uint64_t key);

/** Drops a reference to a block. NULL is allowed. */
void pshi_radix_block_put(psh_env *env, pshi_radix_block *b);
/** @return the number of entries. */
static inline size_t pshi_radix_keys(const pshi_radix *r) {
    return r->root ? r->root->keys : 0;
}

/** @return the sum of all weights. */
static inline size_t pshi_radix_weight(const pshi_radix *r) {
    return r->root ? r->root->weight : 0;
}

/** @return the index of the first entry of a leaf at or after a key. */
size_t pshi_radix_lower(const pshi_radix_leaf *leaf, uint64_t key);

/** @return the entry of a key, borrowed, or NULL. */
static inline const pshi_radix_entry *pshi_radix_find(const pshi_radix *r, uint64_t key) {
    const pshi_radix_node *n = r->root;
    const pshi_radix_leaf *leaf;
    uint64_t at;

    while (n && !n->leaf)
        n = ((const pshi_radix_inner *)(const void *)n)->child[key >> n->shift & 15];
    if (!n)
        return NULL;
    leaf = (const pshi_radix_leaf *)(const void *)n;
    at = key - leaf->entry[0].key; /* right where no key is missing */
    if (at >= n->keys || leaf->entry[at].key != key)
        at = pshi_radix_lower(leaf, key);
    return at < n->keys && leaf->entry[at].key == key ? &leaf->entry[at] : NULL;
}

/** @return the last entry at or before a key, or NULL. */
const pshi_radix_entry *pshi_radix_floor(const pshi_radix *r, uint64_t key);
/** @return the first entry at or after a key, or NULL. */
const pshi_radix_entry *pshi_radix_ceil(const pshi_radix *r, uint64_t key);
/** @return the weights of all entries before a key. */
size_t pshi_radix_rank(const pshi_radix *r, uint64_t key);
/** The entry that holds a rank; *offset = how far within its weight. @return NULL past the end. */
const pshi_radix_entry *pshi_radix_select(const pshi_radix *r, size_t rank, size_t *offset);

/** A walk in order of keys. The version must live as long, unchanged. */
typedef struct pshi_radix_walk {
    const pshi_radix_node *path[PSHI_RADIX_DEPTH];
    uint8_t at[PSHI_RADIX_DEPTH];
    uint32_t depth;
} pshi_radix_walk;

/** Stands before the first entry at or after `from`. */
void pshi_radix_seek(pshi_radix_walk *w, const pshi_radix *r, uint64_t from);
/** @return the next entry or NULL at the end. */
const pshi_radix_entry *pshi_radix_next(pshi_radix_walk *w);

/** Takes an entry whose value differs; one that is not there is NULL. Not PSH_OK ends the walk. */
typedef psh_status (*pshi_radix_each)(void *user, const pshi_radix_entry *before, const pshi_radix_entry *after);
/** What differs between two versions, in order of keys; what they share is not looked at. */
psh_status pshi_radix_diff(const pshi_radix *before, const pshi_radix *after, pshi_radix_each each, void *user);

#endif
