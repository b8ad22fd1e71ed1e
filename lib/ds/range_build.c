/* SPDX-License-Identifier: MIT */
#include "ds/range_tree.h"

#include "base/env.h"

/* Of 16 groups one stays free, so that the first changes split no page. */
#define LEAF_FILL (PSHI_LEAF_MOST - PSHI_GROUP)
#define INNER_FILL (PSHI_INNER_MOST - 2 * PSHI_GROUP)
#define BLOB_FILL (PSHI_BLOB_MOST - PSHI_BLOB_MOST / 16)

/* The pages of one level in order, and all that were made. */
typedef struct build {
    pshi_range_pool *pool;
    pshi_range_list *list;
    pshi_range_page *made; /* through next */
    pshi_range_page **page;
    size_t n;
    size_t cap;
} build;

static psh_status add_page(build *b, pshi_range_page *p) {
    void *pages = b->page;

    if (!p)
        return PSH_E_NOMEM;
    p->next = b->made;
    b->made = p;
    if (pshi_reserve(b->pool->env, &pages, &b->cap, b->n + 1, sizeof *b->page) != PSH_OK)
        return PSH_E_NOMEM;
    b->page = pages;
    b->page[b->n++] = p;
    return PSH_OK;
}

/* Whether the list is as full as a build makes a page; blob: bytes of its keys with the next one. */
static int is_full(const pshi_range_list *l, uint32_t level, size_t blob) {
    return l->n >= (level ? INNER_FILL : LEAF_FILL) || (blob > BLOB_FILL && l->n >= PSHI_BLOB_LEAST);
}

static void list_first_key(build *b, pshi_range_page *child) {
    pshi_range_list *l = b->list;
    pshi_range_key k = pshi_range_key_at(child, b->pool->is_bytes, 0);

    l->number[l->n] = k.number;
    l->data[l->n] = k.data;
    l->size[l->n] = (uint32_t)k.size;
    l->child[l->n++] = child;
}

static psh_status flush(build *b, uint32_t level, size_t *blob) {
    uint32_t n = b->list->n;

    b->list->n = 0;
    *blob = 0;
    return n ? add_page(b, pshi_range_page_make(b->pool, level, b->list, 0, n)) : PSH_OK;
}

/* The pages of one level above those of b, which they replace in b. */
static psh_status build_level(build *b, uint32_t level) {
    size_t children = b->n, i, blob = 0;
    psh_status st = PSH_OK;

    b->n = 0; /* never passes i: a page is written after its children were read */
    b->list->n = 0;
    for (i = 0; st == PSH_OK && i < children; i++) {
        list_first_key(b, b->page[i]);
        blob += b->list->size[b->list->n - 1];
        if (is_full(b->list, level, blob))
            st = flush(b, level, &blob);
    }
    return st == PSH_OK ? flush(b, level, &blob) : st;
}

static psh_status finish(build *b, psh_status st, size_t n, pshi_range_tree *out) {
    out->height = 0;
    while (st == PSH_OK && b->n > 1) {
        if (++out->height > PSHI_RANGE_HEIGHT)
            st = PSH_E_LIMIT;
        else
            st = build_level(b, out->height);
    }
    if (st == PSH_OK) {
        out->root = b->page[0];
        out->count = n;
        out->is_bytes = b->pool->is_bytes;
    } else {
        pshi_range_pages_free(b->pool, b->made);
    }
    pshi_free(b->pool->env, b->page);
    return st;
}

psh_status pshi_range_build_numbers(
    pshi_range_pool *pool, pshi_range_list *list, const uint64_t *keys, const uint32_t *owners, size_t n,
    pshi_range_tree *out) {
    build b = { pool, list, NULL, NULL, 0, 0 };
    psh_status st = PSH_OK;
    size_t i, some;

    for (i = 0; st == PSH_OK && i < n; i += some) {
        some = n - i < LEAF_FILL ? n - i : LEAF_FILL;
        st = add_page(&b, pshi_range_page_numbers(pool, keys + i, owners + i, (uint32_t)some));
    }
    return finish(&b, st, n, out);
}

psh_status pshi_range_build_bytes(
    pshi_range_pool *pool, pshi_range_list *list, const psh_bytes *keys, const uint32_t *owners, size_t n,
    pshi_range_tree *out) {
    build b = { pool, list, NULL, NULL, 0, 0 };
    psh_status st = PSH_OK;
    size_t i, blob = 0;

    list->n = 0;
    for (i = 0; st == PSH_OK && i < n; i++) {
        list->data[list->n] = keys[i].data;
        list->size[list->n] = (uint32_t)keys[i].size;
        list->owner[list->n++] = owners[i];
        blob += keys[i].size;
        if (is_full(list, 0, blob))
            st = flush(&b, 0, &blob);
    }
    if (st == PSH_OK)
        st = flush(&b, 0, &blob);
    return finish(&b, st, n, out);
}
