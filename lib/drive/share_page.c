/* SPDX-License-Identifier: MIT */
/*
 * The manifest: pages that name blobs, pages that name those pages, up to one. Cuts between entries are drawn from
 * the hash of the first item below them, so that one change rewrites one page of each level (a Merkle tree, Merkle
 * 1987, whose shape follows from the ids it holds and not from its history).
 */
#include <string.h>

#include "base/error.h"
#include "codec/frame.h"
#include "drive/share.h"

#define ENTRY_BYTES 40u /* about */

/* The bytes of a blob into s->out. */
static psh_status frame_blob(psh_share *s, uint32_t type, uint64_t items, const psh_buffer *body, psh_error *err) {
    pshi_frame_writer f;
    pshi_writer w;

    psh_buffer_clear(s->out);
    w = pshi_write(s->out);
    f = pshi_frame_begin(&w, PSHI_KIND_SHARE);
    pshi_section_begin(&f, type, 0);
    pshi_put_var(&w, items);
    pshi_put_bytes(&w, psh_buffer_data(body), psh_buffer_size(body));
    pshi_section_end(&f);
    pshi_frame_end(&f);
    return pshi_write_end(&w) == PSH_OK ? PSH_OK : pshi_share_nomem(err);
}

psh_status pshi_share_seal(
    psh_share *s, pshi_holding *h, uint32_t type, uint64_t key, uint64_t items, const psh_buffer *body,
    psh_error *err) {
    psh_status st = frame_blob(s, type, items, body, err);
    pshi_blob *b = NULL, *old;

    if (st != PSH_OK)
        return st;
    old = pshi_holding_at(&s->held, key);
    if (old && old->type == type && old->size == psh_buffer_size(s->out) &&
        memcmp(pshi_blob_bytes(old), psh_buffer_data(s->out), old->size) == 0) {
        old->refs++; /* as it was: it need not be hashed again */
        return pshi_holding_add(s, h, old) == PSH_OK ? PSH_OK : pshi_share_nomem(err);
    }
    b = pshi_blob_create(s, type, psh_buffer_data(s->out), psh_buffer_size(s->out));
    if (!b)
        return pshi_share_nomem(err);
    old = pshi_holding_find(&s->held, &b->name);
    if (old) {
        pshi_blob_unref(s, b);
        b = old;
        b->refs++;
    }
    b->key = key;
    b->items = items;
    return pshi_holding_add(s, h, b) == PSH_OK ? PSH_OK : pshi_share_nomem(err);
}

static void put_page_entry(pshi_writer *w, const pshi_blob *b) {
    pshi_put_var(w, b->type);
    pshi_put_var(w, b->items);
    pshi_put_var(w, b->size);
    pshi_put_bytes(w, b->name.bytes, sizeof b->name.bytes);
}

/* Where a page that begins with entry `first` ends, on the level of entries [begin, end). */
static size_t page_end(
    const psh_share *s, const pshi_holding *h, size_t first, size_t begin, size_t end, uint32_t level) {
    uint64_t aim = pshi_share_aim(s) / ENTRY_BYTES, most = (s->o.max_blob_bytes - PSHI_SHARE_OVERHEAD) / 64;
    size_t half = (size_t)aim / 2, i;

    if (end - begin <= aim)
        return end; /* the level fits one page */
    for (i = first + 1; i < end && i - first < most; i++)
        if (i - first >= half && pshi_share_mix(level, h->blobs[i]->key, 0) % half == 0)
            break;
    return i;
}

/* A page of the entries [first, end). */
static psh_status add_page(
    psh_share *s, pshi_holding *h, size_t first, size_t end, uint32_t level, psh_buffer *body, psh_error *err) {
    uint64_t key = end > first ? h->blobs[first]->key : 0;
    pshi_writer w;
    size_t i;

    psh_buffer_clear(body);
    w = pshi_write(body);
    pshi_put_u8(&w, (uint8_t)level);
    for (i = first; i < end; i++)
        put_page_entry(&w, h->blobs[i]);
    if (pshi_write_end(&w) != PSH_OK)
        return pshi_share_nomem(err);
    return pshi_share_seal(s, h, PSHI_SHARE_PAGE, key, end - first, body, err);
}

/* Level by level until one page is left. Pages, but for the last, have three entries or more: levels shrink. */
static psh_status add_levels(psh_share *s, pshi_holding *h, psh_buffer *body, psh_error *err) {
    size_t first = 0, begin, end, next;
    uint32_t level = 0;
    psh_status st;

    do {
        begin = first;
        end = h->count;
        do {
            next = page_end(s, h, first, begin, end, level);
            st = add_page(s, h, first, next, level, body, err);
            first = next;
        } while (st == PSH_OK && first < end);
        level++;
    } while (st == PSH_OK && h->count - end > 1);
    return st;
}

psh_status pshi_share_paginate(psh_share *s, pshi_holding *h, psh_error *err) {
    psh_buffer *body = NULL;
    psh_status st;

    h->data_count = h->count;
    if (psh_buffer_create(s->env, &body) != PSH_OK)
        return pshi_share_nomem(err);
    st = add_levels(s, h, body, err);
    psh_buffer_destroy(body);
    if (st != PSH_OK)
        return st;
    h->top = h->blobs[h->count - 1]->name;
    h->has_top = 1;
    return pshi_holding_index(s, h) == PSH_OK ? PSH_OK : pshi_share_nomem(err);
}

psh_status pshi_share_open(
    psh_share *s, const pshi_blob *b, size_t least, size_t *items, pshi_cursor *body, psh_error *err) {
    pshi_frame f;
    psh_status st;

    st = pshi_frame_open(
        s->env, pshi_blob_bytes(b), b->size, PSHI_KIND_SHARE, &b->type, 1, (size_t)PSHI_SHARE_MAX_BLOB, &f, err);
    if (st != PSH_OK)
        return st == PSH_E_LIMIT || st == PSH_E_UNSUPPORTED ?
            pshi_fail(err, PSH_E_CORRUPT, "blob", "compressed, or longer than any blob") : st;
    if (f.owned[0]) {
        pshi_frame_close(&f);
        return pshi_fail(err, PSH_E_CORRUPT, "blob", "compressed: no blob is");
    }
    *body = pshi_frame_section(&f, b->type); /* borrows the blob's bytes */
    pshi_frame_close(&f);
    *items = pshi_get_count(body, least);
    if (body->status != PSH_OK)
        return pshi_fail(err, PSH_E_CORRUPT, "blob", "its count is damaged");
    return PSH_OK;
}

psh_status pshi_page_open(psh_share *s, const pshi_blob *b, pshi_page *out, psh_error *err) {
    psh_status st = pshi_share_open(s, b, PSHI_PAGE_ENTRY_LEAST, &out->left, &out->c, err);

    if (st != PSH_OK)
        return st;
    out->level = pshi_get_u8(&out->c);
    if (out->c.status != PSH_OK || out->level >= PSHI_SHARE_MAX_LEVELS)
        return pshi_fail(err, PSH_E_CORRUPT, "page", "its level is beyond any");
    return PSH_OK;
}

psh_status pshi_page_next(pshi_page *p, pshi_page_entry *out, psh_error *err) {
    const unsigned char *name;

    if (!p->left)
        return pshi_read_end(&p->c) == PSH_OK ? PSH_END :
            pshi_fail(err, PSH_E_CORRUPT, "page", "bytes follow its last entry");
    p->left--;
    memset(out, 0, sizeof *out);
    out->type = pshi_get_var32(&p->c);
    out->items = pshi_get_var(&p->c);
    out->size = pshi_get_var(&p->c);
    name = pshi_get_bytes(&p->c, sizeof out->name.bytes);
    if (!name || out->size > PSHI_SHARE_MAX_BLOB)
        return pshi_fail(err, PSH_E_CORRUPT, "page", "an entry is damaged");
    memcpy(out->name.bytes, name, sizeof out->name.bytes);
    if (p->level ? out->type != PSHI_SHARE_PAGE : out->type < PSHI_SHARE_PARTITIONS)
        return pshi_fail(err, PSH_E_CORRUPT, "page", "an entry is not of its page's level");
    if (out->type > PSHI_SHARE_VIEW_PARTS)
        return pshi_fail(err, PSH_E_NEWER, "page", "names a kind of blob that this build does not know");
    return PSH_OK;
}
