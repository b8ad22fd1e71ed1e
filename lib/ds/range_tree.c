/* SPDX-License-Identifier: MIT */
#include "ds/range_tree.h"

#include <string.h>

#include "base/env.h"

/* What a level tells the one above: `old` children from the path's index on are replaced by n pages. */
typedef struct change {
    uint32_t old;
    uint32_t n;
    uint32_t same_first; /* 1: old and n are 1 and the page begins with the same key */
    uint32_t in_place;   /* 1: and it is the same page */
    pshi_range_page *page[2];
} change;

void pshi_range_pages_free(pshi_range_pool *pool, pshi_range_page *first) {
    pshi_range_page *next;

    for (; first; first = next) {
        next = first->next;
        pshi_range_page_free(pool, first);
    }
}

/* Post-order, with the way down instead of recursion. */
void pshi_range_tree_free(pshi_range_pool *pool, pshi_range_tree *t) {
    pshi_range_step path[PSHI_RANGE_HEIGHT + 1];
    uint32_t level = t->height;
    pshi_range_step *s;

    path[level] = (pshi_range_step){ t->root, 0 };
    while (level <= t->height) {
        s = &path[level];
        if (level && s->index < s->page->n) {
            path[level - 1] = (pshi_range_step){ pshi_range_child_at(s->page, pool->is_bytes, s->index), 0 };
            s->index++;
            level--;
        } else {
            pshi_range_page_free(pool, s->page);
            level++;
        }
    }
    t->root = NULL;
}

void pshi_range_begin(
    pshi_range_batch *b, pshi_range_pool *pool, pshi_range_list *list, const pshi_range_tree *t, uint64_t stamp) {
    b->pool = pool;
    b->list = list;
    b->tree = *t;
    b->stamp = stamp;
    b->made = NULL;
    b->replaced = NULL;
    b->replaced_bytes = 0;
}

void pshi_range_abort(pshi_range_batch *b) {
    pshi_range_pages_free(b->pool, b->made);
    b->made = NULL;
}

static pshi_range_page *note_made(pshi_range_batch *b, pshi_range_page *p) {
    if (!p)
        return NULL;
    p->stamp = b->stamp;
    p->prev = NULL;
    p->next = b->made;
    if (b->made)
        b->made->prev = p;
    b->made = p;
    return p;
}

/* A page is not in use any more: freed if this change made it, else when no reader can hold it. */
static void discard(pshi_range_batch *b, pshi_range_page *p) {
    if (p->stamp != b->stamp) {
        p->next = b->replaced;
        b->replaced = p;
        b->replaced_bytes += p->bytes;
        return;
    }
    if (p->next)
        p->next->prev = p->prev;
    if (p->prev)
        p->prev->next = p->next;
    else
        b->made = p->next;
    pshi_range_page_free(b->pool, p);
}

/* The page itself if this change made it, else a copy that takes its place. */
static pshi_range_page *own_page(pshi_range_batch *b, pshi_range_page *p) {
    pshi_range_page *q;

    if (p->stamp == b->stamp)
        return p;
    q = note_made(b, pshi_range_page_copy(b->pool, p));
    if (q)
        discard(b, p);
    return q;
}

/* A leaf is about to be read whole, and its block to be given back: their lines are asked for side by side. */
static void fetch(const pshi_range_page *p) {
    uintptr_t start = (uintptr_t)p - 64, most = PSHI_LEAF_MOST * (sizeof(uint64_t) + sizeof(uint32_t)) + 256, i;

    for (i = 0; i < most; i += 64)
        __builtin_prefetch((const void *)(start + i));
}

static void descend(pshi_range_batch *b, const pshi_range_key *key) {
    pshi_range_page *p = b->tree.root;
    uint32_t level = b->tree.height;

    for (;; level--) {
        b->path[level].page = p;
        b->path[level].index = pshi_range_locate(p, b->pool->is_bytes, key);
        if (!level)
            return;
        p = pshi_range_child_at(p, b->pool->is_bytes, b->path[level].index);
        if (level == 1)
            fetch(p);
    }
}

/* Moves entries from..n-1 of the list by `by`, either way. */
static void shift(const pshi_range_batch *b, uint32_t level, uint32_t from, int by) {
    pshi_range_list *l = b->list;
    size_t n = l->n - from, to = (size_t)((int)from + by);

    if (b->pool->is_bytes) {
        memmove(l->data + to, l->data + from, n * sizeof *l->data);
        memmove(l->size + to, l->size + from, n * sizeof *l->size);
    } else {
        memmove(l->number + to, l->number + from, n * sizeof *l->number);
    }
    if (level)
        memmove(l->child + to, l->child + from, n * sizeof *l->child);
    else
        memmove(l->owner + to, l->owner + from, n * sizeof *l->owner);
    l->n = (uint32_t)((int)l->n + by);
}

static void list_key(const pshi_range_batch *b, uint32_t i, const pshi_range_key *key) {
    if (b->pool->is_bytes) {
        b->list->data[i] = key->data;
        b->list->size[i] = (uint32_t)key->size;
    } else {
        b->list->number[i] = key->number;
    }
}

static void list_child(const pshi_range_batch *b, uint32_t i, pshi_range_page *child) {
    pshi_range_key k = pshi_range_key_at(child, b->pool->is_bytes, 0);

    list_key(b, i, &k);
    b->list->child[i] = child;
}

static pshi_range_page *make(pshi_range_batch *b, uint32_t level, uint32_t from, uint32_t n) {
    return note_made(b, pshi_range_page_make(b->pool, level, b->list, from, n));
}

/* The list becomes one page or two; appended: what made it grow stands at its end, so that keys which come in
 * ascending order leave full pages behind. `old` is rewritten in place where that is possible. */
static psh_status store(pshi_range_batch *b, uint32_t level, pshi_range_page *old, int appended, change *c) {
    pshi_range_list *l = b->list;
    uint32_t left = l->n;

    c->n = 1;
    c->in_place = 0;
    if (!pshi_range_fits(level, l->n, pshi_range_blob_size(b->pool, l, 0, l->n), 0)) {
        left = appended ? l->n - 1 : l->n / 2;
        c->n = 2;
    } else if (!b->pool->is_bytes && old->stamp == b->stamp && l->n <= old->groups * PSHI_GROUP) {
        pshi_range_page_rewrite(old, l);
        c->page[0] = old;
        c->in_place = 1;
        return PSH_OK;
    }
    c->page[0] = make(b, level, 0, left);
    if (c->page[0] && c->n == 2)
        c->page[1] = make(b, level, left, l->n - left);
    if (!c->page[0] || (c->n == 2 && !c->page[1]))
        return PSH_E_NOMEM;
    discard(b, old);
    return PSH_OK;
}

/* Whether the page at an index above `level` and the list are at most half a page together. */
static int merges_with(const pshi_range_batch *b, uint32_t level, uint32_t index) {
    const pshi_range_page *p = pshi_range_child_at(b->path[level + 1].page, b->pool->is_bytes, index);
    size_t blob = p->blob ? p->bytes - p->blob : 0;

    blob += pshi_range_blob_size(b->pool, b->list, 0, b->list->n);
    return pshi_range_fits(level, p->n + b->list->n, blob, 1);
}

/* After entries went: takes a small neighbour's entries into the list. */
static pshi_range_page *merge(pshi_range_batch *b, uint32_t level) {
    pshi_range_step *above = &b->path[level + 1];
    pshi_range_list *l = b->list;
    pshi_range_page *p;
    uint32_t had = l->n;

    if (level == b->tree.height || !l->n)
        return NULL;
    if (above->index + 1 < above->page->n && merges_with(b, level, above->index + 1)) {
        p = pshi_range_child_at(above->page, b->pool->is_bytes, above->index + 1);
        pshi_range_page_list(b->pool, p, l);
        return p;
    }
    if (!above->index || !merges_with(b, level, above->index - 1))
        return NULL;
    above->index--;
    p = pshi_range_child_at(above->page, b->pool->is_bytes, above->index);
    shift(b, level, 0, p->n);
    l->n = 0;
    pshi_range_page_list(b->pool, p, l);
    l->n = had + p->n;
    return p;
}

/* Entries went from the list of path[level]: writes what is left. */
static psh_status store_less(pshi_range_batch *b, uint32_t level, change *c) {
    pshi_range_page *old = b->path[level].page, *neighbour = merge(b, level);
    psh_status st;

    c->old = neighbour ? 2 : 1;
    if (!b->list->n) {
        c->n = 0;
        discard(b, old);
        return PSH_OK;
    }
    st = store(b, level, old, 0, c);
    if (st == PSH_OK && neighbour)
        discard(b, neighbour);
    return st;
}

static psh_status replace_child(pshi_range_batch *b, uint32_t level, change *c) {
    const pshi_range_step *s = &b->path[level];
    uint32_t was_ours = s->page->stamp == b->stamp;
    pshi_range_page *p = own_page(b, s->page);
    void *group;

    if (!p)
        return PSH_E_NOMEM;
    group = pshi_range_group_of(p, b->pool->is_bytes, s->index / PSHI_GROUP);
    pshi_range_children(group)[s->index % PSHI_GROUP] = c->page[0];
    c->in_place = was_ours;
    c->page[0] = p;
    return PSH_OK;
}

/* Makes the change of the level below at path[level]. */
static psh_status change_inner(pshi_range_batch *b, uint32_t level, change *c) {
    const pshi_range_step *s = &b->path[level];
    uint32_t at = s->index, i, less = c->n < c->old;
    int appended = at + c->old == s->page->n;
    psh_status st;

    if (c->same_first)
        return replace_child(b, level, c);
    b->list->n = 0;
    pshi_range_page_list(b->pool, s->page, b->list);
    shift(b, level, at + c->old, (int)c->n - (int)c->old);
    for (i = 0; i < c->n; i++)
        list_child(b, at + i, c->page[i]);
    st = less ? store_less(b, level, c) : store(b, level, s->page, appended, c);
    if (!less)
        c->old = 1;
    c->same_first = at && c->old == 1 && c->n == 1;
    return st;
}

static psh_status grow(pshi_range_batch *b, change *c) {
    if (b->tree.height >= PSHI_RANGE_HEIGHT)
        return PSH_E_LIMIT;
    b->list->n = 2;
    list_child(b, 0, c->page[0]);
    list_child(b, 1, c->page[1]);
    b->tree.root = make(b, b->tree.height + 1, 0, 2);
    b->tree.height++;
    return b->tree.root ? PSH_OK : PSH_E_NOMEM;
}

static void cut_root(pshi_range_batch *b) {
    pshi_range_page *root = b->tree.root;

    while (b->tree.height && root->n == 1) {
        b->tree.root = pshi_range_child_at(root, b->pool->is_bytes, 0);
        b->tree.height--;
        discard(b, root);
        root = b->tree.root;
    }
}

/* Takes a change of the leaf on the path up to the root. */
static psh_status rise(pshi_range_batch *b, change *c) {
    uint32_t level;
    psh_status st = PSH_OK;

    for (level = 1; st == PSH_OK && level <= b->tree.height; level++) {
        if (c->same_first && c->in_place)
            return PSH_OK;
        st = change_inner(b, level, c);
    }
    if (st != PSH_OK)
        return st;
    if (c->n == 2)
        return grow(b, c);
    b->tree.root = c->page[0];
    cut_root(b);
    return PSH_OK;
}

static psh_status change_owner(pshi_range_batch *b, uint32_t owner) {
    const pshi_range_step *s = &b->path[0];
    change c = { 1, 1, 1, s->page->stamp == b->stamp, { NULL, NULL } };
    void *group;

    if (pshi_range_owner_at(s->page, b->pool->is_bytes, s->index) == owner)
        return PSH_OK;
    c.page[0] = own_page(b, s->page);
    if (!c.page[0])
        return PSH_E_NOMEM;
    group = pshi_range_group_of(c.page[0], b->pool->is_bytes, s->index / PSHI_GROUP);
    pshi_range_owners(group)[s->index % PSHI_GROUP] = owner;
    return rise(b, &c);
}

psh_status pshi_range_set(pshi_range_batch *b, const pshi_range_key *key, uint32_t owner) {
    const pshi_range_step *s = &b->path[0];
    change c = { 1, 0, 0, 0, { NULL, NULL } };
    pshi_range_key k;
    psh_status st;

    descend(b, key);
    k = pshi_range_key_at(s->page, b->pool->is_bytes, s->index);
    if (!pshi_range_compare(b->pool->is_bytes, &k, key))
        return change_owner(b, owner);
    b->list->n = 0;
    pshi_range_page_list(b->pool, s->page, b->list);
    shift(b, 0, s->index + 1, 1);
    list_key(b, s->index + 1, key);
    b->list->owner[s->index + 1] = owner;
    st = store(b, 0, s->page, s->index + 2 == b->list->n, &c);
    c.same_first = c.n == 1;
    if (st == PSH_OK)
        st = rise(b, &c);
    if (st == PSH_OK)
        b->tree.count++;
    return st;
}

static int is_least(const pshi_range_batch *b, const pshi_range_key *key) {
    return b->pool->is_bytes ? !key->size : !key->number;
}

psh_status pshi_range_remove(pshi_range_batch *b, const pshi_range_key *key) {
    const pshi_range_step *s = &b->path[0];
    change c = { 1, 0, 0, 0, { NULL, NULL } };
    pshi_range_key k;
    psh_status st;

    if (is_least(b, key))
        return PSH_E_STATE;
    descend(b, key);
    k = pshi_range_key_at(s->page, b->pool->is_bytes, s->index);
    if (pshi_range_compare(b->pool->is_bytes, &k, key))
        return PSH_E_NOT_FOUND;
    b->list->n = 0;
    pshi_range_page_list(b->pool, s->page, b->list);
    shift(b, 0, s->index + 1, -1);
    st = store_less(b, 0, &c);
    c.same_first = s->index && c.old == 1 && c.n == 1;
    if (st == PSH_OK)
        st = rise(b, &c);
    if (st == PSH_OK)
        b->tree.count--;
    return st;
}
