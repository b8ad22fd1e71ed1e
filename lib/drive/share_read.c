/* SPDX-License-Identifier: MIT */
/* From the root to blobs: pages, and what they name. Nothing is believed before its hash agrees. */
#include "base/error.h"
#include "drive/share.h"

static psh_status read_blob_value(psh_share *s, const pshi_page_entry *e, pshi_blob **out, psh_error *err) {
    uint64_t version;
    psh_status st;
    pshi_blob *b;

    pshi_share_blob_key(s, &e->name);
    st = pshi_share_get(s, &version, err);
    if (st != PSH_OK)
        return st;
    s->stats.blobs_read++;
    b = pshi_blob_create(s, e->type, psh_buffer_data(s->in), psh_buffer_size(s->in));
    if (!b)
        return pshi_share_nomem(err);
    if (pshi_digest_order(&b->name, &e->name) != 0 || (e->size && b->size != e->size)) {
        pshi_blob_unref(s, b);
        s->distrust = 1;
        return pshi_fail(err, PSH_E_CORRUPT, s->key, "does not have the bytes that its name says");
    }
    *out = b;
    return PSH_OK;
}

psh_status pshi_share_fetch(
    psh_share *s, const pshi_holding *cache, const pshi_page_entry *e, pshi_blob **out, psh_error *err) {
    pshi_blob *b = cache ? pshi_holding_find(cache, &e->name) : NULL;
    psh_status st;

    if (!b)
        b = pshi_holding_find(&s->held, &e->name);
    if (b) {
        if (b->type != e->type || (b->type != PSHI_SHARE_PAGE && b->items != e->items))
            return pshi_fail(err, PSH_E_CORRUPT, "page", "names a blob as one of another kind or count");
        b->refs++;
    } else {
        st = read_blob_value(s, e, &b, err);
        if (st != PSH_OK)
            return st;
        b->items = e->items;
    }
    *out = b;
    return PSH_OK;
}

/* A walk through a manifest, one level after the other. */
typedef struct page_walk {
    psh_share *s;
    const pshi_holding *cache;
    pshi_holding *pages;
    pshi_entry_visitor each;
    void *user;
    uint64_t bytes; /* of pages so far */
    psh_error *err;
} page_walk;

static psh_status walk_page_entry(page_walk *w, const pshi_page_entry *e) {
    pshi_blob *b = NULL;
    psh_status st;

    if (e->type != PSHI_SHARE_PAGE)
        return w->each(w->user, e, w->err);
    st = pshi_share_fetch(w->s, w->cache, e, &b, w->err);
    if (st != PSH_OK)
        return st;
    w->bytes += b->size;
    st = pshi_holding_add(w->s, w->pages, b);
    if (st != PSH_OK)
        return pshi_share_nomem(w->err);
    if (w->bytes > w->s->o.max_bytes)
        return pshi_fail(w->err, PSH_E_LIMIT, "max_bytes", "the manifest alone takes more");
    return PSH_OK;
}

/* Shows what one page names. *level: of the page, checked unless it is the first. */
static psh_status walk_page(page_walk *w, const pshi_blob *page, int is_top, uint32_t *level) {
    pshi_page_entry e;
    pshi_page p;
    psh_status st = pshi_page_open(w->s, page, &p, w->err);

    if (st != PSH_OK)
        return st;
    if (!is_top && p.level != *level)
        return pshi_fail(w->err, PSH_E_CORRUPT, "page", "is not of the level below the one that names it");
    *level = p.level;
    while ((st = pshi_page_next(&p, &e, w->err)) == PSH_OK) {
        st = walk_page_entry(w, &e);
        if (st != PSH_OK)
            return st;
    }
    return st == PSH_END ? PSH_OK : st;
}

psh_status pshi_share_walk(
    psh_share *s, const pshi_digest *top, const pshi_holding *cache, pshi_holding *pages,
    pshi_entry_visitor each, void *user, psh_error *err) {
    page_walk w = { s, cache, pages, each, user, 0, err };
    pshi_page_entry first = { .type = PSHI_SHARE_PAGE, .name = *top };
    size_t i = pages->count, begin = i, end;
    uint32_t level = 0;
    psh_status st = walk_page_entry(&w, &first);

    end = pages->count;
    while (st == PSH_OK && i < end) {
        st = walk_page(&w, pages->blobs[i], i == begin, &level);
        if (st == PSH_OK && ++i == end && level > 0) {
            end = pages->count;
            level--;
        }
    }
    return st;
}
