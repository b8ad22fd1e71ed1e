/* SPDX-License-Identifier: MIT */
/** @file ds/range_page.h  A page of a range map's tree: sorted keys in groups of 16, owners or children. */
#ifndef PSHI_DS_RANGE_PAGE_H
#define PSHI_DS_RANGE_PAGE_H

#include <predshard/base.h>

/**
 * A page is searched in two steps of one kind: which of its groups (by the first keys of all groups, which
 * stand together at its front and so stay in a near cache), then which of the group's 16 keys. Wide nodes
 * searched by counting: Rao & Ross 2000 ("Making B+-trees cache conscious in main memory"), Kim et al. 2010
 * ("FAST"). Pages are allocated for the groups that they fill, since a change writes a new page anyway.
 *
 * A word of a key is the key itself (numbers), or the 8 bytes that follow what all keys of the page but the
 * first begin with, big-endian, zeros after the end (byte keys; prefix B-trees: Bayer & Unterauer 1977). The
 * first key is never above what is looked up, so nothing is asked of it: its word is 0 where it begins
 * otherwise. So the empty key, which begins the map, does not spoil the prefix of the pages that it stands in.
 *
 *   group of a leaf:   uint64_t word[16]; uint32_t owner[16]; byte keys: uint32_t offset[16]
 *   inner group:       uint64_t word[16]; page *child[16];    byte keys: uint32_t offset[16]
 *
 * Slots that are not filled hold the word UINT64_MAX. The whole byte keys stand in the page's blob: at an
 * offset, 2 bytes of size (of this machine's order) and the key. An inner page's key i is the first key of its
 * child i.
 */
#define PSHI_GROUP 16u
#define PSHI_LEAF_MOST 256u  /* ranges of a leaf */
#define PSHI_INNER_MOST 512u /* children of an inner page */
#define PSHI_BLOB_MOST 65536u /* bytes of keys, where a page has more than PSHI_BLOB_LEAST of them */
#define PSHI_BLOB_LEAST 16u
#define PSHI_TAIL 16u

typedef struct pshi_range_page {
    struct pshi_range_page *next; /* the writer's: in a list of pages made, or waiting to be freed */
    struct pshi_range_page *prev;
    void *block;                  /* what the allocator gave */
    uint64_t stamp;               /* of the change that made it */
    uint32_t bytes;               /* of the block */
    uint16_t n;                   /* keys */
    uint8_t groups;               /* that it has memory for */
    uint8_t level;                /* 0 = leaf */
    uint32_t blob;                /* offset of the blob from the page; 0 = none */
    uint16_t prefix;              /* bytes that all its keys but the first begin with */
    uint16_t first;               /* bytes of the first key */
    unsigned char tail[PSHI_TAIL]; /* the prefix's last bytes, at the end; the rest of it is read in the blob */
    uint64_t front[];             /* first word of each group: 16 slots in a leaf, else 32 */
} pshi_range_page;

/** A key of either kind. */
typedef struct pshi_range_key {
    uint64_t number;
    const unsigned char *data;
    size_t size;
} pshi_range_key;

/** Keys, each with its owner or child, taken out of a page to be changed. The writer's scratch. */
typedef struct pshi_range_list {
    uint64_t number[PSHI_INNER_MOST + 8];
    const unsigned char *data[PSHI_INNER_MOST + 8]; /* byte keys: borrowed from pages or the caller */
    uint32_t size[PSHI_INNER_MOST + 8];
    uint32_t owner[PSHI_LEAF_MOST + 8];
    pshi_range_page *child[PSHI_INNER_MOST + 8];
    uint32_t n;
} pshi_range_list;

/** Where a map's pages come from. */
typedef struct pshi_range_pool {
    psh_env *env;
    uint32_t is_bytes;
    uint64_t bytes; /* of pages alive */
} pshi_range_pool;

static inline size_t pshi_range_slots(uint32_t level) {
    return level ? PSHI_INNER_MOST / PSHI_GROUP : PSHI_LEAF_MOST / PSHI_GROUP;
}

static inline size_t pshi_range_group_size(uint32_t is_bytes, uint32_t level) {
    size_t value = level ? sizeof(pshi_range_page *) : sizeof(uint32_t);

    return PSHI_GROUP * (sizeof(uint64_t) + value + (is_bytes ? sizeof(uint32_t) : 0));
}

static inline void *pshi_range_group(const pshi_range_page *p, size_t front, size_t size, size_t g) {
    union {
        const void *in;
        void *out;
    } at = { (const char *)p->front + front * sizeof(uint64_t) + g * size };

    return at.out;
}

static inline void *pshi_range_group_of(const pshi_range_page *p, uint32_t is_bytes, size_t g) {
    return pshi_range_group(p, pshi_range_slots(p->level), pshi_range_group_size(is_bytes, p->level), g);
}

static inline uint64_t *pshi_range_words(void *group) {
    return group;
}
static inline uint32_t *pshi_range_owners(void *group) {
    return (uint32_t *)(void *)((char *)group + PSHI_GROUP * sizeof(uint64_t));
}
static inline pshi_range_page **pshi_range_children(void *group) {
    return (pshi_range_page **)(void *)((char *)group + PSHI_GROUP * sizeof(uint64_t));
}
static inline uint32_t *pshi_range_offsets(void *group, uint32_t level) {
    return (uint32_t *)(void *)((char *)group + pshi_range_group_size(0, level));
}

/** Bytes from `from` on of the prefix, which the second key of the blob begins with. from <= prefix. */
static inline const unsigned char *pshi_range_prefix(const pshi_range_page *p, size_t from) {
    if (from + PSHI_TAIL >= p->prefix) /* the way down knows the rest: no line of the blob is read */
        return p->tail + PSHI_TAIL + from - p->prefix;
    return (const unsigned char *)p + p->blob + p->first + 2 * sizeof(uint16_t) + from;
}
/** Key i of a page. Byte keys are borrowed from the page. */
pshi_range_key pshi_range_key_at(const pshi_range_page *p, uint32_t is_bytes, uint32_t i);
uint32_t pshi_range_owner_at(const pshi_range_page *p, uint32_t is_bytes, uint32_t i);
pshi_range_page *pshi_range_child_at(const pshi_range_page *p, uint32_t is_bytes, uint32_t i);
/** < 0, 0, > 0 as a is below, equal to or above b: numbers, or bytes by memcmp, a prefix first. */
int pshi_range_compare(uint32_t is_bytes, const pshi_range_key *a, const pshi_range_key *b);
/** @return the last entry whose key is not above `key`; the first is taken not to be. */
uint32_t pshi_range_locate(const pshi_range_page *p, uint32_t is_bytes, const pshi_range_key *key);
/** The 8 bytes of a key from `from` on, big-endian, zeros after the end. from <= size. */
uint64_t pshi_range_word(const unsigned char *data, size_t size, size_t from);

/** Bytes of blob that entries from..from+n-1 of a list take; 0 for numbers. */
size_t pshi_range_blob_size(const pshi_range_pool *pool, const pshi_range_list *l, uint32_t from, uint32_t n);
/** Whether n keys and a blob of that size are one page, or, where half is 1, half of one. */
int pshi_range_fits(uint32_t level, size_t n, size_t blob, int half);
/** A new page with entries from..from+n-1 of a list, n >= 1. @return NULL: no memory. */
pshi_range_page *pshi_range_page_make(
    pshi_range_pool *pool, uint32_t level, const pshi_range_list *l, uint32_t from, uint32_t n);
/** Writes the whole list into a page of numbers that has the groups for it. */
void pshi_range_page_rewrite(pshi_range_page *p, const pshi_range_list *l);
/** A new leaf with the first n of these numbers and owners. @return NULL: no memory. */
pshi_range_page *pshi_range_page_numbers(
    pshi_range_pool *pool, const uint64_t *keys, const uint32_t *owners, uint32_t n);
/** @return NULL: no memory. */
pshi_range_page *pshi_range_page_copy(pshi_range_pool *pool, const pshi_range_page *p);
void pshi_range_page_free(pshi_range_pool *pool, pshi_range_page *p);
/** Appends a page's entries to a list that has room. */
void pshi_range_page_list(const pshi_range_pool *pool, const pshi_range_page *p, pshi_range_list *l);

#endif
