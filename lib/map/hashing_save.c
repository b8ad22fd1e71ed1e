/* SPDX-License-Identifier: MIT */
/* A consistent hash's bytes: what it is built from. A, K and the bits are worked out again. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "map/hashing.h"
#include "value/load.h"

#define LAYOUT_LINE 0u   /* bucket b is of node first + b */
#define LAYOUT_OWNERS 1u /* an owner a bucket */

typedef struct saving {
    const psh_hashing *h;
    const uint32_t *order;
} saving;

static void encode(pshi_writer *w, const void *value) {
    const saving *s = value;
    const psh_hashing *h = s->h;
    uint32_t i;

    pshi_put_u64(w, h->seed);
    pshi_put_var(w, h->capacity);
    pshi_put_var(w, h->top);
    pshi_put_var(w, h->owners ? LAYOUT_OWNERS : LAYOUT_LINE);
    pshi_put_var(w, h->owners ? h->owners[0] : h->first);
    for (i = 1; h->owners && i < h->top; i++)
        pshi_put_int(w, (int64_t)h->owners[i] - h->owners[i - 1]);
    pshi_put_var(w, h->gone_count);
    for (i = 0; i < h->gone_count; i++)
        pshi_put_var(w, s->order[i]);
}

psh_status psh_hashing_save(const psh_hashing *h, psh_buffer *out) {
    saving s = { h, NULL };
    uint32_t *order;
    psh_status st;

    if (!h || !out)
        return PSH_E_INVALID;
    order = pshi_alloc(h->env, (size_t)h->gone_count * sizeof *order);
    if (!order)
        return PSH_E_NOMEM;
    pshi_hashing_order(h, order);
    s.order = order;
    st = pshi_frame_save(out, PSHI_KIND_HASHING, encode, &s);
    pshi_free(h->env, order);
    return st;
}

typedef struct loading {
    pshi_hashing_draft d;
    uint32_t layout;
    uint32_t *owners;      /* Shape [top] */
    uint32_t *gone;        /* Shape [gone_count] */
    uint32_t *sorted;      /* Shape [top]: owners of what works, ascending */
    unsigned char *is_gone; /* Shape [top] */
    psh_hash_node *nodes;  /* Shape [count] */
} loading;

static int by_number(const void *a, const void *b) {
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static psh_status get_owners(loading *l, pshi_cursor *c) {
    uint32_t layout = l->layout = pshi_get_var32(c), b;
    int64_t owner = pshi_get_var32(c), step;

    if (layout > LAYOUT_OWNERS)
        pshi_read_bad(c);
    if (layout == LAYOUT_OWNERS && l->d.top - 1 > pshi_read_left(c))
        pshi_read_bad(c);
    for (b = 0; c->status == PSH_OK && b < l->d.top; b++) {
        step = layout == LAYOUT_OWNERS && b ? pshi_get_int(c) : b > 0;
        if (pshi_add_i64(owner, step, &owner) || owner < 0 || owner >= PSH_NONE)
            pshi_read_bad(c);
        else
            l->owners[b] = (uint32_t)owner;
    }
    return c->status;
}

static psh_status get_gone(loading *l, pshi_cursor *c) {
    uint32_t i, b;

    for (i = 0; c->status == PSH_OK && i < l->d.gone_count; i++) {
        b = pshi_get_var32(c);
        if (b >= l->d.top || l->is_gone[b])
            pshi_read_bad(c);
        else
            l->is_gone[b] = 1;
        l->gone[i] = b;
    }
    return pshi_read_end(c);
}

/* The nodes follow from the owners of what works. */
static psh_status count_nodes(loading *l) {
    uint32_t n = 0, b, i;

    for (b = 0; b < l->d.top; b++)
        if (!l->is_gone[b])
            l->sorted[n++] = l->owners[b];
    qsort(l->sorted, n, sizeof *l->sorted, by_number);
    for (i = 0; i < n; i++)
        l->d.count += !i || l->sorted[i] != l->sorted[i - 1];
    l->nodes = pshi_calloc(l->d.env, l->d.count, sizeof *l->nodes);
    if (!l->nodes)
        return PSH_E_NOMEM;
    for (i = b = 0; i < n; i++) {
        b += i && l->sorted[i] != l->sorted[i - 1];
        l->nodes[b].node = l->sorted[i];
        if (++l->nodes[b].weight > PSHI_HASHING_WEIGHT)
            return PSH_E_CORRUPT;
    }
    return PSH_OK;
}

static psh_status get_head(loading *l, pshi_cursor *c) {
    l->d.seed = pshi_get_u64(c);
    l->d.capacity = pshi_get_var32(c);
    l->d.top = pshi_get_var32(c);
    if (!l->d.top || l->d.top > l->d.capacity || l->d.capacity > PSHI_HASHING_CAPACITY)
        pshi_read_bad(c);
    return c->status;
}

static psh_status get_all(loading *l, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    psh_status st = get_head(l, c);

    if (st == PSH_OK)
        st = pshi_load_fits(max_bytes, l->d.top, 32, err); /* with what a build takes meanwhile */
    if (st != PSH_OK)
        return st;
    l->owners = pshi_calloc(l->d.env, l->d.top, sizeof *l->owners);
    l->sorted = pshi_calloc(l->d.env, l->d.top, sizeof *l->sorted);
    l->is_gone = pshi_calloc(l->d.env, l->d.top, 1);
    if (!l->owners || !l->sorted || !l->is_gone)
        return PSH_E_NOMEM;
    st = get_owners(l, c);
    l->d.gone_count = (uint32_t)pshi_get_count(c, 1);
    if (st != PSH_OK || c->status != PSH_OK || l->d.gone_count >= l->d.top)
        return PSH_E_CORRUPT;
    l->gone = pshi_calloc(l->d.env, l->d.gone_count, sizeof *l->gone);
    if (!l->gone)
        return PSH_E_NOMEM;
    st = get_gone(l, c);
    return st == PSH_OK ? count_nodes(l) : st;
}

/* The same value has one form only. */
static psh_status build_loaded(loading *l, psh_hashing **out) {
    psh_status st;

    l->d.owners = l->owners;
    l->d.gone = l->gone;
    l->d.nodes = l->nodes;
    st = pshi_hashing_build(&l->d, out);
    if (st != PSH_OK || !(*out)->owners == (l->layout == LAYOUT_LINE))
        return st;
    psh_hashing_unref(*out);
    *out = NULL;
    return PSH_E_CORRUPT;
}

psh_status psh_hashing_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_hashing **out, psh_error *err) {
    loading l = { .d = { .env = env } };
    pshi_frame frame;
    pshi_cursor c;
    psh_status st;

    if (!env || !out)
        return pshi_fail(err, PSH_E_INVALID, "out", "env and out are needed");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_HASHING, max_bytes, &frame, &c, err);
    if (st != PSH_OK)
        return st;
    st = get_all(&l, &c, max_bytes, err);
    if (st == PSH_OK)
        st = build_loaded(&l, out);
    if (st == PSH_E_CORRUPT || st == PSH_E_NOMEM)
        st = pshi_fail(err, st, "data", st == PSH_E_CORRUPT ? "no consistent hash" : "no memory for the hash");
    pshi_frame_close(&frame);
    pshi_free(env, l.owners);
    pshi_free(env, l.gone);
    pshi_free(env, l.sorted);
    pshi_free(env, l.is_gone);
    pshi_free(env, l.nodes);
    return st;
}

psh_status psh_hashing_dump(const psh_hashing *h, psh_buffer *out) {
    psh_hash_node node;
    pshi_writer w;
    size_t i;

    if (!h || !out)
        return PSH_E_INVALID;
    w = pshi_write(out);
    pshi_text(&w, "hashing seed ");
    pshi_text_hex(&w, h->seed);
    pshi_text(&w, " capacity ");
    pshi_text_u64(&w, h->capacity);
    pshi_text(&w, " nodes ");
    pshi_text_u64(&w, h->count);
    pshi_text(&w, " removed ");
    pshi_text_u64(&w, h->gone_count);
    pshi_text(&w, "\n");
    for (i = 0; psh_hashing_node(h, i, &node) == PSH_OK; i++) {
        pshi_text(&w, "  node ");
        pshi_text_u64(&w, node.node);
        pshi_text(&w, " weight ");
        pshi_text_u64(&w, node.weight);
        pshi_text(&w, "\n");
    }
    return pshi_write_end(&w);
}
