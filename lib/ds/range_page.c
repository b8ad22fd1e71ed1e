/* SPDX-License-Identifier: MIT */
#include "ds/range_page.h"

#include <string.h>

#include "base/env.h"

#define ALIGN 64u    /* a cache line */
#define SIZE_BYTES sizeof(uint16_t) /* of a byte key's size in the blob */

_Static_assert(sizeof(pshi_range_page) <= ALIGN, "the header of a page is one cache line");
_Static_assert(PSHI_INNER_MOST / PSHI_GROUP <= UINT8_MAX, "groups fit their field");

static size_t group_count(size_t n) {
    return (n + PSHI_GROUP - 1) / PSHI_GROUP;
}

static pshi_range_page *new_page(pshi_range_pool *pool, uint32_t level, size_t n, size_t blob) {
    size_t front = offsetof(pshi_range_page, front) + pshi_range_slots(level) * sizeof(uint64_t);
    size_t groups = group_count(n), fixed = front + groups * pshi_range_group_size(pool->is_bytes, level);
    size_t bytes = fixed + blob + ALIGN - 16; /* blocks are aligned to 16 */
    char *block = pshi_alloc(pool->env, bytes);
    pshi_range_page *p;

    if (!block)
        return NULL;
    p = (pshi_range_page *)(void *)(block + (ALIGN - (uintptr_t)block % ALIGN) % ALIGN);
    memset(p, 0, offsetof(pshi_range_page, front));
    p->block = block;
    p->bytes = (uint32_t)bytes;
    p->groups = (uint8_t)groups;
    p->level = (uint8_t)level;
    p->n = (uint16_t)n;
    p->blob = blob ? (uint32_t)fixed : 0;
    pool->bytes += bytes;
    return p;
}

void pshi_range_page_free(pshi_range_pool *pool, pshi_range_page *p) {
    pool->bytes -= p->bytes;
    pshi_free(pool->env, p->block);
}

pshi_range_page *pshi_range_page_copy(pshi_range_pool *pool, const pshi_range_page *p) {
    size_t front = offsetof(pshi_range_page, front) + pshi_range_slots(p->level) * sizeof(uint64_t);
    size_t fixed = front + p->groups * pshi_range_group_size(pool->is_bytes, p->level);
    size_t blob = p->blob ? p->bytes - (ALIGN - 16) - fixed : 0;
    pshi_range_page *q = new_page(pool, p->level, (size_t)p->groups * PSHI_GROUP, blob);

    if (!q)
        return NULL;
    q->n = p->n;
    q->prefix = p->prefix;
    q->first = p->first;
    memcpy(q->tail, p->tail, sizeof q->tail);
    memcpy(q->front, p->front, fixed + blob - offsetof(pshi_range_page, front));
    return q;
}

static const unsigned char *key_in_blob(const pshi_range_page *p, uint32_t offset, size_t *size) {
    const unsigned char *at = (const unsigned char *)p + p->blob + offset;
    uint16_t n;

    memcpy(&n, at, sizeof n);
    *size = n;
    return at + SIZE_BYTES;
}

pshi_range_key pshi_range_key_at(const pshi_range_page *p, uint32_t is_bytes, uint32_t i) {
    void *group = pshi_range_group_of(p, is_bytes, i / PSHI_GROUP);
    pshi_range_key k = { 0 };

    if (is_bytes)
        k.data = key_in_blob(p, pshi_range_offsets(group, p->level)[i % PSHI_GROUP], &k.size);
    else
        k.number = pshi_range_words(group)[i % PSHI_GROUP];
    return k;
}

uint32_t pshi_range_owner_at(const pshi_range_page *p, uint32_t is_bytes, uint32_t i) {
    return pshi_range_owners(pshi_range_group_of(p, is_bytes, i / PSHI_GROUP))[i % PSHI_GROUP];
}

pshi_range_page *pshi_range_child_at(const pshi_range_page *p, uint32_t is_bytes, uint32_t i) {
    return pshi_range_children(pshi_range_group_of(p, is_bytes, i / PSHI_GROUP))[i % PSHI_GROUP];
}

int pshi_range_compare(uint32_t is_bytes, const pshi_range_key *a, const pshi_range_key *b) {
    size_t least = a->size < b->size ? a->size : b->size;
    int c;

    if (!is_bytes)
        return a->number < b->number ? -1 : a->number > b->number;
    c = least ? memcmp(a->data, b->data, least) : 0;
    return c ? c : a->size < b->size ? -1 : a->size > b->size;
}

uint64_t pshi_range_word(const unsigned char *data, size_t size, size_t from) {
    size_t left = size - from, i;
    uint64_t x = 0;

    for (i = 0; i < 8; i++)
        x = x << 8 | (i < left ? data[from + i] : 0u);
    return x;
}

/* How many of 16 words are below x. */
static uint32_t count_below(const uint64_t *w, uint64_t x) {
    uint32_t n = 0, i;

    for (i = 0; i < PSHI_GROUP; i++)
        n += w[i] < x;
    return n;
}

/* How many words of a page are below x. The front tells the group, which alone is read then. */
static uint32_t words_below(const pshi_range_page *p, uint32_t is_bytes, uint64_t x) {
    uint32_t g = count_below(p->front, x), n;

    if (p->level)
        g += count_below(p->front + PSHI_GROUP, x);
    if (!g--)
        return 0;
    n = g * PSHI_GROUP + count_below(pshi_range_words(pshi_range_group_of(p, is_bytes, g)), x);
    return n < p->n ? n : p->n;
}

static uint32_t words_up_to(const pshi_range_page *p, uint32_t is_bytes, uint64_t x) {
    return x == UINT64_MAX ? p->n : words_below(p, is_bytes, x + 1);
}

/* < 0, 0, > 0: the key is below the prefix, has it, is above all that have it. */
static int compare_prefix(const pshi_range_page *p, const pshi_range_key *key) {
    size_t n = key->size < p->prefix ? key->size : p->prefix;
    int c = n ? memcmp(key->data, pshi_range_prefix(p, 0), n) : 0;

    return c ? c : key->size < p->prefix ? -1 : 0;
}

static uint32_t locate_bytes(const pshi_range_page *p, const pshi_range_key *key) {
    uint64_t x;
    uint32_t lo, hi, mid;
    pshi_range_key k;
    int c = compare_prefix(p, key);

    if (c)
        return c < 0 ? 0 : p->n - 1u;
    x = pshi_range_word(key->data, key->size, p->prefix);
    lo = words_below(p, 1, x);
    hi = words_up_to(p, 1, x);
    lo -= lo > 0;
    while (hi - lo > 1) { /* entry lo is not above the key, hi is */
        mid = lo + (hi - lo) / 2;
        k = pshi_range_key_at(p, 1, mid);
        if (pshi_range_compare(1, &k, key) <= 0)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

uint32_t pshi_range_locate(const pshi_range_page *p, uint32_t is_bytes, const pshi_range_key *key) {
    return is_bytes ? locate_bytes(p, key) : words_up_to(p, 0, key->number) - 1;
}

size_t pshi_range_blob_size(const pshi_range_pool *pool, const pshi_range_list *l, uint32_t from, uint32_t n) {
    size_t sum = 0;
    uint32_t i;

    if (!pool->is_bytes)
        return 0;
    for (i = from; i < from + n; i++)
        sum += l->size[i] + SIZE_BYTES;
    return sum;
}

int pshi_range_fits(uint32_t level, size_t n, size_t blob, int half) {
    size_t most = level ? PSHI_INNER_MOST : PSHI_LEAF_MOST;

    return n <= most >> half && (blob <= PSHI_BLOB_MOST >> half || n <= PSHI_BLOB_LEAST >> half);
}

/* Words into groups, the rest of the last group and of the front filled up. */
static void put_words(pshi_range_page *p, uint32_t is_bytes, const uint64_t *words, uint32_t n) {
    size_t slots = pshi_range_slots(p->level), g;
    uint32_t i, some;
    uint64_t *to;

    for (g = 0; g < p->groups; g++) {
        to = pshi_range_words(pshi_range_group_of(p, is_bytes, g));
        some = n > g * PSHI_GROUP ? n - (uint32_t)g * PSHI_GROUP : 0;
        if (some >= PSHI_GROUP) {
            memcpy(to, words + g * PSHI_GROUP, PSHI_GROUP * sizeof *to);
        } else {
            for (i = 0; i < PSHI_GROUP; i++)
                to[i] = i < some ? words[g * PSHI_GROUP + i] : UINT64_MAX;
        }
        p->front[g] = to[0];
    }
    for (; g < slots; g++)
        p->front[g] = UINT64_MAX;
}

static void put_owners(pshi_range_page *p, uint32_t is_bytes, const uint32_t *owners, uint32_t n) {
    uint32_t i, some;
    uint32_t *to;

    for (i = 0; i < n; i += PSHI_GROUP) {
        to = pshi_range_owners(pshi_range_group_of(p, is_bytes, i / PSHI_GROUP));
        some = n - i < PSHI_GROUP ? n - i : PSHI_GROUP;
        memset(to, 0, PSHI_GROUP * sizeof *to);
        memcpy(to, owners + i, some * sizeof *to);
    }
}

static void put_children(pshi_range_page *p, uint32_t is_bytes, pshi_range_page *const *children, uint32_t n) {
    uint32_t i, some;
    pshi_range_page **to;

    for (i = 0; i < n; i += PSHI_GROUP) {
        to = pshi_range_children(pshi_range_group_of(p, is_bytes, i / PSHI_GROUP));
        some = n - i < PSHI_GROUP ? n - i : PSHI_GROUP;
        memset(to, 0, PSHI_GROUP * sizeof *to);
        memcpy(to, children + i, some * sizeof *to);
    }
}

static void put_values(pshi_range_page *p, uint32_t is_bytes, const pshi_range_list *l, uint32_t from, uint32_t n) {
    if (p->level)
        put_children(p, is_bytes, l->child + from, n);
    else
        put_owners(p, is_bytes, l->owner + from, n);
}

/* What two keys begin with alike; between sorted keys, what all between them begin with. */
static size_t common(const unsigned char *a, size_t a_size, const unsigned char *b, size_t b_size) {
    size_t n = a_size < b_size ? a_size : b_size, i = 0;

    while (i < n && a[i] == b[i])
        i++;
    return i;
}

static void put_prefix(pshi_range_page *p, const pshi_range_list *l, uint32_t from, uint32_t n) {
    uint32_t second = from + 1, last = from + n - 1, some;

    p->first = (uint16_t)l->size[from];
    if (n < 2)
        return;
    p->prefix = (uint16_t)common(l->data[second], l->size[second], l->data[last], l->size[last]);
    some = p->prefix < PSHI_TAIL ? p->prefix : PSHI_TAIL;
    if (some)
        memcpy(p->tail + PSHI_TAIL - some, l->data[second] + p->prefix - some, some);
}

static uint64_t first_word(const pshi_range_page *p, const pshi_range_list *l, uint32_t from, uint32_t n) {
    size_t same = n < 2 ? 0 : common(l->data[from], l->size[from], l->data[from + 1], l->size[from + 1]);

    return n < 2 || same < p->prefix ? 0 : pshi_range_word(l->data[from], l->size[from], p->prefix);
}

static void put_blob(pshi_range_page *p, const pshi_range_list *l, uint32_t from, uint32_t n) {
    uint64_t words[PSHI_INNER_MOST];
    unsigned char *blob = (unsigned char *)p + p->blob;
    uint32_t i, at = 0;
    uint16_t size;

    put_prefix(p, l, from, n);
    for (i = 0; i < n; i++) {
        words[i] = i ? pshi_range_word(l->data[from + i], l->size[from + i], p->prefix) : first_word(p, l, from, n);
        pshi_range_offsets(pshi_range_group_of(p, 1, i / PSHI_GROUP), p->level)[i % PSHI_GROUP] = at;
        size = (uint16_t)l->size[from + i];
        memcpy(blob + at, &size, sizeof size);
        if (size)
            memcpy(blob + at + SIZE_BYTES, l->data[from + i], size);
        at += (uint32_t)SIZE_BYTES + size;
    }
    put_words(p, 1, words, n);
}

pshi_range_page *pshi_range_page_make(
    pshi_range_pool *pool, uint32_t level, const pshi_range_list *l, uint32_t from, uint32_t n) {
    pshi_range_page *p = new_page(pool, level, n, pshi_range_blob_size(pool, l, from, n));

    if (!p)
        return NULL;
    if (pool->is_bytes)
        put_blob(p, l, from, n);
    else
        put_words(p, 0, l->number + from, n);
    put_values(p, pool->is_bytes, l, from, n);
    return p;
}

void pshi_range_page_rewrite(pshi_range_page *p, const pshi_range_list *l) {
    p->n = (uint16_t)l->n;
    put_words(p, 0, l->number, l->n);
    put_values(p, 0, l, 0, l->n);
}

pshi_range_page *pshi_range_page_numbers(
    pshi_range_pool *pool, const uint64_t *keys, const uint32_t *owners, uint32_t n) {
    pshi_range_page *p = new_page(pool, 0, n, 0);

    if (!p)
        return NULL;
    put_words(p, 0, keys, n);
    put_owners(p, 0, owners, n);
    return p;
}

static void list_keys(const pshi_range_pool *pool, const pshi_range_page *p, pshi_range_list *l) {
    size_t size;
    uint32_t i, j;
    void *group;

    for (i = 0; i < p->n; i += PSHI_GROUP) {
        group = pshi_range_group_of(p, pool->is_bytes, i / PSHI_GROUP);
        if (!pool->is_bytes) {
            memcpy(l->number + l->n + i, pshi_range_words(group),
                   (p->n - i < PSHI_GROUP ? p->n - i : PSHI_GROUP) * sizeof(uint64_t));
            continue;
        }
        for (j = i; j < p->n && j < i + PSHI_GROUP; j++) {
            l->data[l->n + j] = key_in_blob(p, pshi_range_offsets(group, p->level)[j % PSHI_GROUP], &size);
            l->size[l->n + j] = (uint32_t)size;
        }
    }
}

void pshi_range_page_list(const pshi_range_pool *pool, const pshi_range_page *p, pshi_range_list *l) {
    uint32_t i, some;
    void *group;

    list_keys(pool, p, l);
    for (i = 0; i < p->n; i += PSHI_GROUP) {
        group = pshi_range_group_of(p, pool->is_bytes, i / PSHI_GROUP);
        some = p->n - i < PSHI_GROUP ? p->n - i : PSHI_GROUP;
        if (p->level)
            memcpy(l->child + l->n + i, pshi_range_children(group), some * sizeof *l->child);
        else
            memcpy(l->owner + l->n + i, pshi_range_owners(group), some * sizeof *l->owner);
    }
    l->n += p->n;
}
