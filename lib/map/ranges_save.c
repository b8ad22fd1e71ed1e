/* SPDX-License-Identifier: MIT */
/*
 * A range map's bytes: kind, count, then the ranges.
 *
 * Numbers stand in blocks of 64: u8 bits of a step, u8 bits of an owner, var least owner, then for each range
 * its step (key - key before - 1) and its owner less the least, lowest bit first, the last byte filled up with
 * zeros. Owners are told plus one, so that PSH_NONE is 0. Byte keys: var bytes shared with the key before, the
 * rest as a blob, var owner plus one.
 */
#include "base/checked.h"
#include "base/env.h"
#include "map/ranges.h"
#include "value/load.h"

#include <string.h>

#define BLOCK 64u
#define BLOCK_LEAST 3u /* bytes of the shortest block */
#define BYTES_LEAST 3u /* bytes of the shortest range of byte keys */
#define BLOCK_BYTES (BLOCK * 12 + 8)

typedef struct block {
    uint64_t step[BLOCK];
    uint32_t owner[BLOCK]; /* plus one */
    uint32_t n;
} block;

static uint32_t bits_of(uint64_t x) {
    uint32_t n = 0;

    for (; x; x >>= 1)
        n++;
    return n;
}

/* The widths and the least owner that a block has to be written with. */
static void measure(const block *b, uint32_t *step_bits, uint32_t *owner_bits, uint32_t *least) {
    uint64_t steps = 0;
    uint32_t most = 0, i;

    *least = UINT32_MAX;
    for (i = 0; i < b->n; i++) {
        steps |= b->step[i];
        most = b->owner[i] > most ? b->owner[i] : most;
        *least = b->owner[i] < *least ? b->owner[i] : *least;
    }
    *step_bits = bits_of(steps);
    *owner_bits = bits_of(most - *least);
}

/* Bits that wait for a whole byte, and where those go or come from. */
typedef struct bits {
    unsigned char *to;
    const unsigned char *from;
    const unsigned char *end;
    pshi_u128 held;
    uint32_t n;
} bits;

static void put_bits(bits *s, uint64_t x, uint32_t n) {
    uint32_t i;

    s->held |= (pshi_u128)x << s->n;
    s->n += n;
    if (s->n < 64)
        return;
    for (i = 0; i < 8; i++)
        s->to[i] = (unsigned char)(s->held >> (8 * i));
    s->to += 8;
    s->held >>= 64;
    s->n -= 64;
}

static void put_rest(bits *s) {
    for (; s->n; s->n -= s->n < 8 ? s->n : 8) {
        *s->to++ = (unsigned char)s->held;
        s->held >>= 8;
    }
}

static void refill(bits *s) {
    uint64_t x = 0;
    uint32_t n = s->end - s->from < 8 ? (uint32_t)(s->end - s->from) : 8, i;

    if (n == 8) { /* apart, since a fixed count becomes one load */
        for (i = 0; i < 8; i++)
            x |= (uint64_t)s->from[i] << (8 * i);
    } else {
        for (i = 0; i < n; i++)
            x |= (uint64_t)s->from[i] << (8 * i);
    }
    s->from += n;
    s->held |= (pshi_u128)x << s->n;
    s->n += 8 * n;
}

/* There are as many bits as are asked for: the block's size was told by its widths. */
static uint64_t get_bits(bits *s, uint32_t n) {
    uint64_t x;

    if (s->n < n)
        refill(s);
    x = (uint64_t)s->held & (n < 64 ? (UINT64_C(1) << n) - 1 : UINT64_MAX);
    s->held >>= n;
    s->n -= n;
    return x;
}

static void put_block(pshi_writer *w, block *b) {
    unsigned char bytes[BLOCK_BYTES];
    bits s = { bytes, NULL, NULL, 0, 0 };
    uint32_t step_bits, owner_bits, least, i;

    if (!b->n)
        return;
    measure(b, &step_bits, &owner_bits, &least);
    pshi_put_u8(w, (uint8_t)step_bits);
    pshi_put_u8(w, (uint8_t)owner_bits);
    pshi_put_var(w, least);
    for (i = 0; i < b->n; i++) {
        put_bits(&s, b->step[i], step_bits);
        put_bits(&s, b->owner[i] - least, owner_bits);
    }
    put_rest(&s);
    pshi_put_bytes(w, bytes, (size_t)(s.to - bytes));
    b->n = 0;
}

/* A leaf's ranges, behind those that wait in the block. */
static void put_leaf(pshi_writer *w, block *b, const pshi_range_page *p, uint64_t *next) {
    const uint64_t *words;
    const uint32_t *owners;
    uint32_t i, j;

    for (i = 0; i < p->n; i += PSHI_GROUP) {
        words = pshi_range_words(pshi_range_group_of(p, 0, i / PSHI_GROUP));
        owners = pshi_range_owners(pshi_range_group_of(p, 0, i / PSHI_GROUP));
        for (j = 0; j < PSHI_GROUP && i + j < p->n; j++) {
            b->step[b->n] = words[j] - *next;
            b->owner[b->n++] = owners[j] + 1;
            *next = words[j] + 1;
            if (b->n == BLOCK)
                put_block(w, b);
        }
    }
}

static void put_numbers(pshi_writer *w, const pshi_range_tree *t) {
    block b = { .n = 0 };
    uint64_t next = 0;
    pshi_range_cursor c;

    if (!t->height)
        put_leaf(w, &b, t->root, &next);
    for (pshi_range_cursor_first(&c, t); t->height && !c.is_done; pshi_range_cursor_next(&c)) {
        while (c.level > 1)
            pshi_range_cursor_enter(&c);
        put_leaf(w, &b, pshi_range_cursor_child(&c), &next);
    }
    put_block(w, &b);
}

static size_t shared_bytes(const pshi_range_key *a, const pshi_range_key *b) {
    size_t n = a->size < b->size ? a->size : b->size, i = 0;

    while (i < n && a->data[i] == b->data[i])
        i++;
    return i;
}

static void put_keys(pshi_writer *w, const pshi_range_tree *t) {
    pshi_range_key key, before = { 0 };
    pshi_range_cursor c;
    size_t shared;

    for (pshi_range_cursor_first(&c, t); !c.is_done; pshi_range_cursor_next(&c)) {
        while (c.level)
            pshi_range_cursor_enter(&c);
        key = pshi_range_cursor_key(&c);
        shared = shared_bytes(&before, &key);
        pshi_put_var(w, shared);
        pshi_put_blob(w, key.data + shared, key.size - shared);
        pshi_put_var(w, (uint32_t)(pshi_range_cursor_owner(&c) + 1));
        before = key;
    }
}

static void encode(pshi_writer *w, const void *value) {
    const psh_ranges_epoch *e = value;

    pshi_put_var(w, e->tree.is_bytes ? PSH_RANGES_BYTES : PSH_RANGES_U64);
    pshi_put_var(w, e->tree.count);
    if (e->tree.is_bytes)
        put_keys(w, &e->tree);
    else
        put_numbers(w, &e->tree);
}

psh_status psh_ranges_save(const psh_ranges_epoch *e, psh_buffer *out) {
    if (!e || !out)
        return PSH_E_INVALID;
    return pshi_frame_save(out, PSHI_KIND_RANGES, encode, e);
}

static psh_status get_block(pshi_cursor *c, block *b, uint32_t n) {
    uint32_t step_bits = pshi_get_u8(c), owner_bits = pshi_get_u8(c), least = pshi_get_var32(c), x, y, z, i;
    bits s = { 0 };

    if (step_bits > 64 || owner_bits > 32)
        return PSH_E_CORRUPT;
    s.from = pshi_get_bytes(c, ((size_t)n * (step_bits + owner_bits) + 7) / 8);
    if (c->status != PSH_OK)
        return PSH_E_CORRUPT;
    s.end = c->at;
    b->n = n;
    for (i = 0; i < n; i++) {
        b->step[i] = get_bits(&s, step_bits);
        b->owner[i] = (uint32_t)get_bits(&s, owner_bits);
        if (b->owner[i] > UINT32_MAX - least)
            return PSH_E_CORRUPT;
        b->owner[i] += least;
    }
    measure(b, &x, &y, &z);
    return x == step_bits && y == owner_bits && z == least && !s.held ? PSH_OK : PSH_E_CORRUPT;
}

static psh_status get_numbers(pshi_cursor *c, size_t n, uint64_t *keys, uint32_t *owners) {
    uint64_t next = 0;
    psh_status st;
    size_t i;
    block b;

    for (i = 0; i < n; i++) {
        st = i % BLOCK ? PSH_OK : get_block(c, &b, n - i < BLOCK ? (uint32_t)(n - i) : BLOCK);
        if (st != PSH_OK)
            return st;
        if (b.step[i % BLOCK] > UINT64_MAX - next || (i && !next))
            return PSH_E_CORRUPT;
        keys[i] = next + b.step[i % BLOCK];
        owners[i] = b.owner[i % BLOCK] - 1;
        next = keys[i] + 1; /* 0 behind the last key */
    }
    return PSH_OK;
}

static psh_status load_numbers(
    psh_ranges *r, pshi_cursor *c, size_t n, size_t max_bytes, psh_error *err) {
    uint64_t *keys = NULL;
    uint32_t *owners = NULL;
    psh_status st;

    if (!n || (n - 1) / BLOCK >= pshi_read_left(c) / BLOCK_LEAST)
        return pshi_fail(err, PSH_E_CORRUPT, "count", "more ranges than there are bytes for");
    /* The arrays, and pages of about the same size. */
    st = pshi_load_fits(max_bytes, n, 2 * (sizeof *keys + sizeof *owners), err);
    if (st != PSH_OK)
        return st;
    keys = pshi_alloc(r->env, n * sizeof *keys);
    owners = pshi_alloc(r->env, n * sizeof *owners);
    if (!keys || !owners)
        st = pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    if (st == PSH_OK && (st = get_numbers(c, n, keys, owners)) != PSH_OK)
        pshi_fail(err, st, "ranges", "a damaged block");
    if (st == PSH_OK && (st = pshi_read_end(c)) != PSH_OK)
        pshi_fail(err, st, "data", "bytes follow the last range");
    if (st == PSH_OK)
        st = pshi_load_status(psh_ranges_build_u64(r, keys, owners, n, err), err);
    pshi_free(r->env, keys);
    pshi_free(r->env, owners);
    return st;
}

/* One range of byte keys: how much it shares with the key before, the rest. Only the one way to say it. */
static psh_status get_key(
    pshi_cursor *c, const unsigned char *before, size_t before_size, int is_first, size_t *shared,
    psh_bytes *rest) {
    const unsigned char *p;

    *shared = (size_t)pshi_get_var(c);
    *rest = pshi_get_blob(c);
    if (c->status != PSH_OK || *shared > before_size || (!is_first && !rest->size))
        return PSH_E_CORRUPT;
    p = rest->data;
    return *shared < before_size && p[0] <= before[*shared] ? PSH_E_CORRUPT : PSH_OK;
}

/* Bytes of all keys, so that one allocation holds them; checks nothing but sizes. */
static psh_status sum_keys(pshi_cursor c, const psh_ranges *r, size_t n, uint64_t *sum, psh_error *err) {
    uint64_t shared, size = 0;
    size_t i;

    *sum = 0;
    for (i = 0; i < n; i++) {
        shared = pshi_get_var(&c);
        if (shared > size)
            pshi_read_bad(&c);
        size = shared + pshi_get_blob(&c).size;
        (void)pshi_get_var32(&c);
        if (c.status != PSH_OK)
            return pshi_fail_at(err, PSH_E_CORRUPT, "ranges", i, "damaged");
        if (size > r->o.max_key_bytes)
            return pshi_fail_at(err, PSH_E_LIMIT, "ranges", i, "a key is longer than max_key_bytes");
        *sum += size;
    }
    return PSH_OK;
}

static psh_status get_keys(pshi_cursor *c, size_t n, unsigned char *at, psh_bytes *keys, uint32_t *owners) {
    const unsigned char *before = NULL;
    size_t before_size = 0, shared, i;
    psh_bytes rest;

    for (i = 0; i < n; i++) {
        if (get_key(c, before, before_size, !i, &shared, &rest) != PSH_OK)
            return PSH_E_CORRUPT;
        owners[i] = pshi_get_var32(c) - 1;
        if (shared)
            memcpy(at, before, shared);
        if (rest.size)
            memcpy(at + shared, rest.data, rest.size);
        keys[i] = (psh_bytes){ at, shared + rest.size };
        before = at;
        before_size = keys[i].size;
        at += before_size;
    }
    return c->status;
}

static psh_status load_keys(psh_ranges *r, pshi_cursor *c, size_t n, size_t max_bytes, psh_error *err) {
    uint64_t sum = 0;
    unsigned char *bytes = NULL;
    psh_bytes *keys = NULL;
    uint32_t *owners = NULL;
    psh_status st;

    if (!n || n > pshi_read_left(c) / BYTES_LEAST)
        return pshi_fail(err, PSH_E_CORRUPT, "count", "more ranges than there are bytes for");
    st = sum_keys(*c, r, n, &sum, err);
    if (st == PSH_OK) /* the arrays, and pages with the keys once more */
        st = pshi_load_fits(max_bytes, (size_t)sum + n * 24, 2, err);
    if (st != PSH_OK)
        return st;
    bytes = pshi_alloc(r->env, (size_t)sum + 1);
    keys = pshi_calloc(r->env, n, sizeof *keys);
    owners = pshi_calloc(r->env, n, sizeof *owners);
    if (!bytes || !keys || !owners)
        st = pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    if (st == PSH_OK && (st = get_keys(c, n, bytes, keys, owners)) != PSH_OK)
        pshi_fail(err, st, "ranges", "keys out of order, or not in shortest form");
    if (st == PSH_OK && (st = pshi_read_end(c)) != PSH_OK)
        pshi_fail(err, st, "data", "bytes follow the last range");
    if (st == PSH_OK)
        st = pshi_load_status(psh_ranges_build_bytes(r, keys, owners, n, err), err);
    pshi_free(r->env, bytes);
    pshi_free(r->env, keys);
    pshi_free(r->env, owners);
    return st;
}

static psh_status load_body(psh_ranges *r, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    uint32_t kind = pshi_get_var32(c);
    uint64_t n = pshi_get_var(c);

    if (c->status != PSH_OK || (kind != PSH_RANGES_U64 && kind != PSH_RANGES_BYTES))
        return pshi_fail(err, PSH_E_CORRUPT, "kind", "damaged");
    if (kind != r->o.kind)
        return pshi_fail(err, PSH_E_INVALID, "kind", "keys of the other kind than the map's");
    if (n > r->o.max_ranges)
        return pshi_fail(err, PSH_E_LIMIT, "count", "more ranges than max_ranges");
    return kind == PSH_RANGES_U64 ? load_numbers(r, c, (size_t)n, max_bytes, err)
                                  : load_keys(r, c, (size_t)n, max_bytes, err);
}

psh_status psh_ranges_load(psh_ranges *r, const void *data, size_t size, size_t max_bytes, psh_error *err) {
    pshi_frame frame;
    pshi_cursor c;
    psh_status st;

    if (!r)
        return pshi_fail(err, PSH_E_INVALID, "r", "is NULL");
    st = pshi_frame_load(r->env, data, size, PSHI_KIND_RANGES, max_bytes, &frame, &c, err);
    if (st != PSH_OK)
        return st;
    st = load_body(r, &c, max_bytes, err);
    pshi_frame_close(&frame);
    return st;
}

static void text_key(pshi_writer *w, uint64_t number, const psh_bytes *key, uint32_t is_bytes) {
    psh_value v = { .type = PSH_TYPE_BYTES };

    if (!is_bytes) {
        pshi_text_u64(w, number);
        return;
    }
    v.as.data = key->data;
    v.size = (uint32_t)key->size;
    pshi_text_value(w, &v);
}

psh_status psh_ranges_dump(const psh_ranges_epoch *e, psh_buffer *out) {
    pshi_writer w = pshi_write(out);
    pshi_range_cursor c;
    psh_range range;

    if (!e || !out)
        return PSH_E_INVALID;
    for (pshi_range_cursor_first(&c, &e->tree); !c.is_done && w.status == PSH_OK; pshi_range_cursor_next(&c)) {
        while (c.level)
            pshi_range_cursor_enter(&c);
        pshi_ranges_range(&c, &range);
        text_key(&w, range.first, &range.first_key, e->tree.is_bytes);
        pshi_text(&w, " owner ");
        if (range.owner == PSH_NONE)
            pshi_text(&w, "none");
        else
            pshi_text_u64(&w, range.owner);
        pshi_text(&w, "\n");
    }
    return pshi_write_end(&w);
}
