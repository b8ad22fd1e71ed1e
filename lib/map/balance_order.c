/* SPDX-License-Identifier: MIT */
#include "map/balance.h"

#include <string.h>

/* Below it counting digits costs more than insertion. */
#define SMALL 48
/* Items of a node that may be cut or copied and are looked at one by one, at most. */
#define HEAVY 256

static void insertion(uint64_t *keys, uint32_t *index, size_t n) {
    uint64_t key;
    uint32_t x;
    size_t i, j;

    for (i = 1; i < n; i++) {
        key = keys[i];
        x = index[i];
        for (j = i; j > 0 && keys[j - 1] > key; j--) {
            keys[j] = keys[j - 1];
            index[j] = index[j - 1];
        }
        keys[j] = key;
        index[j] = x;
    }
}

/* One digit of a radix sort. @return 0 if all keys share it, and nothing was done. */
static int one_digit(
    const uint64_t *keys, const uint32_t *index, uint64_t *keys_out, uint32_t *index_out, size_t n,
    unsigned shift) {
    size_t start[256], at = 0, c, i;
    unsigned digit;

    memset(start, 0, sizeof start);
    for (i = 0; i < n; i++)
        start[(keys[i] >> shift) & 255]++;
    if (start[(keys[0] >> shift) & 255] == n)
        return 0;
    for (digit = 0; digit < 256; digit++) {
        c = start[digit];
        start[digit] = at;
        at += c;
    }
    for (i = 0; i < n; i++) {
        c = start[(keys[i] >> shift) & 255]++;
        keys_out[c] = keys[i];
        index_out[c] = index[i];
    }
    return 1;
}

void pshi_bal_sort(pshi_bal *p, uint64_t *keys, uint32_t *index, size_t n) {
    unsigned shift;
    size_t i;

    if (n <= SMALL) {
        insertion(keys, index, n);
        return;
    }
    for (i = 1; i < n && keys[i - 1] <= keys[i]; i++)
        continue;
    if (i == n)
        return;
    for (shift = 0; shift < 64; shift += 8) {
        if (!one_digit(keys, index, p->keys2, p->swap, n, shift))
            continue;
        memcpy(keys, p->keys2, n * sizeof *keys);
        memcpy(index, p->swap, n * sizeof *index);
    }
}

static int is_before(const pshi_bal_heap *h, uint32_t a, uint32_t b) {
    uint64_t ka = h->key[a] ^ h->flip, kb = h->key[b] ^ h->flip;

    return ka != kb ? ka > kb : a < b;
}

static void put(pshi_bal_heap *h, size_t i, uint32_t node) {
    h->at[i] = node;
    h->place[node] = (uint32_t)i;
}

static void sift_up(pshi_bal_heap *h, size_t i) {
    uint32_t node = h->at[i];

    while (i > 0 && is_before(h, node, h->at[(i - 1) / 2])) {
        put(h, i, h->at[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(h, i, node);
}

static void sift_down(pshi_bal_heap *h, size_t i) {
    uint32_t node = h->at[i];
    size_t child;

    while ((child = 2 * i + 1) < h->n) {
        if (child + 1 < h->n && is_before(h, h->at[child + 1], h->at[child]))
            child++;
        if (!is_before(h, h->at[child], node))
            break;
        put(h, i, h->at[child]);
        i = child;
    }
    put(h, i, node);
}

void pshi_bal_heap_push(pshi_bal_heap *h, uint32_t node) {
    put(h, h->n, node);
    sift_up(h, h->n++);
}

void pshi_bal_heap_remove(pshi_bal_heap *h, uint32_t node) {
    size_t i = h->place[node];
    uint32_t last = h->at[--h->n];

    h->place[node] = PSH_NONE;
    if (last == node)
        return;
    put(h, i, last);
    pshi_bal_heap_fix(h, last);
}

void pshi_bal_heap_fix(pshi_bal_heap *h, uint32_t node) {
    sift_up(h, h->place[node]);
    sift_down(h, h->place[node]);
}

void pshi_bal_touch(pshi_bal *p, uint32_t node) {
    const pshi_bal_node *n = &p->nodes[node];

    p->over[node] = pshi_bal_over(n, n->load);
    p->room[node] = 2 * PSHI_BAL_MOST + n->fair - n->load;
    if (p->emptiest.place[node] != PSH_NONE)
        pshi_bal_heap_fix(&p->emptiest, node);
    if (p->roomiest.place[node] != PSH_NONE)
        pshi_bal_heap_fix(&p->roomiest, node);
    if (p->fullest.place[node] != PSH_NONE)
        pshi_bal_heap_fix(&p->fullest, node);
}

void pshi_bal_heaps(pshi_bal *p) {
    uint32_t i;

    p->fullest.key = p->emptiest.key = p->over;
    p->roomiest.key = p->room;
    p->emptiest.flip = UINT64_MAX;
    for (i = 0; i < p->node_count; i++)
        p->fullest.place[i] = p->emptiest.place[i] = p->roomiest.place[i] = PSH_NONE;
    for (i = 0; i < p->node_count; i++) {
        pshi_bal_touch(p, i);
        if (p->nodes[i].flags & PSH_NODE_LEAVING)
            continue;
        pshi_bal_heap_push(&p->fullest, i);
        pshi_bal_heap_push(&p->emptiest, i);
        if (!p->is_uniform)
            pshi_bal_heap_push(&p->roomiest, i);
    }
}

static void take_targets(pshi_bal *p, pshi_bal_heap *h, uint32_t most) {
    uint32_t first = p->target_count, i;

    while (h->n && p->target_count < most) {
        p->targets[p->target_count++] = h->at[0];
        pshi_bal_heap_remove(h, h->at[0]);
    }
    for (i = first; i < p->target_count; i++)
        pshi_bal_heap_push(h, p->targets[i]);
}

void pshi_bal_targets(pshi_bal *p) {
    const uint32_t all = sizeof p->targets / sizeof *p->targets;

    p->target_count = 0;
    take_targets(p, &p->emptiest, p->is_uniform ? all : all / 2);
    if (!p->is_uniform)
        take_targets(p, &p->roomiest, all);
}

static int may_be_cut(const pshi_bal *p, const pshi_bal_node *n, const pshi_bal_item *it) {
    return (double)pshi_bal_own(it->writes, it->reads, it->replicas) > p->o.split_above * (double)n->fair;
}

void pshi_bal_sort_node(pshi_bal *p, uint32_t node) {
    pshi_bal_node *n = &p->nodes[node];
    uint32_t *index = p->order + n->first, i;
    const pshi_bal_item *it;

    if (n->is_sorted)
        return;
    n->is_sorted = 1;
    for (i = 0; i < n->count; i++) {
        it = &p->items[index[i]];
        p->keys[i] = ~pshi_bal_own(it->writes, it->reads, it->replicas);
    }
    pshi_bal_sort(p, p->keys, index, n->count);
    while (n->heavy < n->count && n->heavy < HEAVY && may_be_cut(p, n, &p->items[index[n->heavy]]))
        n->heavy++;
}

void pshi_bal_bucket(pshi_bal *p) {
    uint32_t at = 0, node, i;

    for (i = 0; i < p->item_count; i++)
        if (p->items[i].node != PSH_NONE)
            p->nodes[p->items[i].node].count++;
    for (i = 0; i < p->node_count; i++) {
        p->nodes[i].first = at;
        at += p->nodes[i].count;
        p->nodes[i].count = 0;
    }
    for (i = 0; i < p->item_count; i++) {
        node = p->items[i].node;
        if (node != PSH_NONE)
            p->order[p->nodes[node].first + p->nodes[node].count++] = i;
    }
}
