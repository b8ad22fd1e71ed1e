/* SPDX-License-Identifier: MIT */
/* Reading versions: searches, ranks, walks, differences. */
#include "ds/radix.h"

#define PENDING (16u * PSHI_RADIX_DEPTH)

static const pshi_radix_inner *as_inner(const pshi_radix_node *n) {
    return (const pshi_radix_inner *)(const void *)n;
}

static const pshi_radix_leaf *as_leaf(const pshi_radix_node *n) {
    return (const pshi_radix_leaf *)(const void *)n;
}

static size_t digit(const pshi_radix_node *n, uint64_t key) {
    return key >> n->shift & 15;
}

/* The key stands before or behind all that is below an inner node. */
static int is_outside(const pshi_radix_node *n, uint64_t key) {
    return (key ^ n->prefix) >> n->shift > 15;
}

size_t pshi_radix_lower(const pshi_radix_leaf *leaf, uint64_t key) {
    size_t low = 0, n = leaf->head.keys, half;

    while (n > 0) {
        half = n / 2;
        low += leaf->entry[low + half].key < key ? n - half : 0;
        n = half;
    }
    return low;
}

/* The outermost entry of a subtree. */
static const pshi_radix_entry *last_of(const pshi_radix_node *n) {
    size_t i;

    while (n && !n->leaf) {
        for (i = 15; !as_inner(n)->child[i];)
            i--;
        n = as_inner(n)->child[i];
    }
    return n ? &as_leaf(n)->entry[n->keys - 1] : NULL;
}

const pshi_radix_entry *pshi_radix_floor(const pshi_radix *r, uint64_t key) {
    const pshi_radix_node *n = r->root, *before = NULL; /* all of it is before the key */
    size_t i;

    for (; n && !n->leaf; n = as_inner(n)->child[digit(n, key)]) {
        if (is_outside(n, key))
            return last_of(key < n->prefix ? before : n);
        for (i = 0; i < digit(n, key); i++)
            before = as_inner(n)->child[i] ? as_inner(n)->child[i] : before;
    }
    if (!n)
        return last_of(before);
    i = pshi_radix_lower(as_leaf(n), key);
    if (i < n->keys && as_leaf(n)->entry[i].key == key)
        return &as_leaf(n)->entry[i];
    return i > 0 ? &as_leaf(n)->entry[i - 1] : last_of(before);
}

const pshi_radix_entry *pshi_radix_ceil(const pshi_radix *r, uint64_t key) {
    pshi_radix_walk w;

    pshi_radix_seek(&w, r, key);
    return pshi_radix_next(&w);
}

size_t pshi_radix_rank(const pshi_radix *r, uint64_t key) {
    const pshi_radix_node *n = r->root;
    size_t rank = 0, i, end;

    for (; n && !n->leaf; n = as_inner(n)->child[digit(n, key)]) {
        if (is_outside(n, key))
            return key < n->prefix ? rank : rank + n->weight;
        for (i = 0; i < digit(n, key); i++)
            rank += as_inner(n)->weights[i];
    }
    end = n ? pshi_radix_lower(as_leaf(n), key) : 0;
    for (i = 0; i < end; i++)
        rank += as_leaf(n)->entry[i].weight;
    return rank;
}

const pshi_radix_entry *pshi_radix_select(const pshi_radix *r, size_t rank, size_t *offset) {
    const pshi_radix_node *n = r->root;
    size_t i;

    if (rank >= pshi_radix_weight(r))
        return NULL;
    while (!n->leaf) {
        for (i = 0; rank >= as_inner(n)->weights[i]; i++)
            rank -= as_inner(n)->weights[i];
        n = as_inner(n)->child[i];
    }
    for (i = 0; rank >= as_leaf(n)->entry[i].weight; i++)
        rank -= as_leaf(n)->entry[i].weight;
    *offset = rank;
    return &as_leaf(n)->entry[i];
}

static void push(pshi_radix_walk *w, const pshi_radix_node *n, size_t at) {
    w->path[w->depth] = n;
    w->at[w->depth++] = (uint8_t)at;
}

/* The first child from a digit on; 16 if there is none. */
static size_t child_from(const pshi_radix_node *n, size_t i) {
    while (i < 16 && !as_inner(n)->child[i])
        i++;
    return i;
}

static void enter(pshi_radix_walk *w, const pshi_radix_node *n) {
    size_t i;

    for (; !n->leaf; n = as_inner(n)->child[i]) {
        i = child_from(n, 0);
        push(w, n, i);
    }
    push(w, n, 0);
}

/* The path stands at something that is done with: goes to the next leaf. */
static void leave(pshi_radix_walk *w) {
    const pshi_radix_node *n;
    size_t i;

    while (w->depth > 0) {
        n = w->path[w->depth - 1];
        i = child_from(n, w->at[w->depth - 1] + 1u);
        if (i < 16) {
            w->at[w->depth - 1] = (uint8_t)i;
            enter(w, as_inner(n)->child[i]);
            return;
        }
        w->depth--;
    }
}

void pshi_radix_seek(pshi_radix_walk *w, const pshi_radix *r, uint64_t from) {
    const pshi_radix_node *n = r->root;

    w->depth = 0;
    for (; n && !n->leaf; n = as_inner(n)->child[digit(n, from)]) {
        if (is_outside(n, from))
            break;
        push(w, n, digit(n, from));
    }
    if (n && n->leaf)
        push(w, n, pshi_radix_lower(as_leaf(n), from));
    else if (n && from < n->prefix)
        enter(w, n);
    else
        leave(w);
}

const pshi_radix_entry *pshi_radix_next(pshi_radix_walk *w) {
    const pshi_radix_node *n;

    while (w->depth > 0) {
        n = w->path[w->depth - 1];
        if (w->at[w->depth - 1] < n->keys)
            return &as_leaf(n)->entry[w->at[w->depth - 1]++];
        w->depth--;
        leave(w);
    }
    return NULL;
}

/* Two subtrees that hold the same range of keys, in two versions. */
typedef struct pair {
    const pshi_radix_node *before;
    const pshi_radix_node *after;
} pair;

typedef struct pairs {
    pair pending[PENDING]; /* the next one last */
    size_t count;
} pairs;

static void push_pair(pairs *p, const pshi_radix_node *before, const pshi_radix_node *after) {
    if (before != after)
        p->pending[p->count++] = (pair){ before, after };
}

static int is_same(const pshi_radix_entry *a, const pshi_radix_entry *b) {
    return a->value.number == b->value.number && a->extra == b->extra && a->weight == b->weight;
}

/* Entry by entry: where one is a leaf, or is not there, little else is left. */
static psh_status merge(const pair *p, pshi_radix_each each, void *user) {
    const pshi_radix_entry *a, *b;
    pshi_radix_walk before = { .depth = 0 }, after = { .depth = 0 };
    psh_status st = PSH_OK;

    if (p->before)
        enter(&before, p->before);
    if (p->after)
        enter(&after, p->after);
    a = pshi_radix_next(&before);
    b = pshi_radix_next(&after);
    while (st == PSH_OK && (a || b)) {
        if (a && b && a->key == b->key) {
            st = is_same(a, b) ? PSH_OK : each(user, a, b);
            a = pshi_radix_next(&before);
            b = pshi_radix_next(&after);
        } else if (!b || (a && a->key < b->key)) {
            st = each(user, a, NULL);
            a = pshi_radix_next(&before);
        } else {
            st = each(user, NULL, b);
            b = pshi_radix_next(&after);
        }
    }
    return st;
}

/* Both are inner nodes. The one with the higher digit is opened, or both, or neither holds the other. */
static void open_pair(pairs *p, const pshi_radix_node *a, const pshi_radix_node *b) {
    int a_opens = a->shift >= b->shift && !is_outside(a, b->prefix);
    int b_opens = b->shift >= a->shift && !is_outside(b, a->prefix);
    size_t i;

    if (!a_opens && !b_opens) {
        push_pair(p, a->prefix < b->prefix ? NULL : a, a->prefix < b->prefix ? b : NULL);
        push_pair(p, a->prefix < b->prefix ? a : NULL, a->prefix < b->prefix ? NULL : b);
        return;
    }
    for (i = 16; i-- > 0;)
        push_pair(p, a_opens ? as_inner(a)->child[i] : i == digit(b, a->prefix) ? a : NULL,
            b_opens ? as_inner(b)->child[i] : i == digit(a, b->prefix) ? b : NULL);
}

psh_status pshi_radix_diff(const pshi_radix *before, const pshi_radix *after, pshi_radix_each each, void *user) {
    psh_status st = PSH_OK;
    pairs p;
    pair top;

    p.count = 0;
    push_pair(&p, before->root, after->root);
    while (st == PSH_OK && p.count > 0) {
        top = p.pending[--p.count];
        if (top.before && top.after && !top.before->leaf && !top.after->leaf)
            open_pair(&p, top.before, top.after);
        else
            st = merge(&top, each, user);
    }
    return st;
}
