/* SPDX-License-Identifier: MIT */
/* From the root to a world: pages, blobs, items. Nothing is believed before its hash, its CRC and its count agree. */
#include <string.h>

#include "base/error.h"
#include "drive/share.h"
#include "value/view.h"
#include "value/world.h"

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
        if (b->type != e->type)
            return pshi_fail(err, PSH_E_CORRUPT, "page", "names a blob as one of another kind");
        b->refs++;
    } else {
        st = read_blob_value(s, e, &b, err);
        if (st != PSH_OK)
            return st;
    }
    b->items = e->items;
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

/* A world under construction. */
typedef struct builder {
    psh_share *s;
    psh_world_draft *draft;
    psh_error *err;
} builder;

static psh_status add_partitions(builder *b, pshi_cursor *c) {
    psh_partition p;

    pshi_partition_get(c, &p);
    return c->status == PSH_OK ? psh_world_draft_add_partition(b->draft, &p) : PSH_E_CORRUPT;
}

static psh_status add_replica(builder *b, pshi_cursor *c) {
    psh_replica r;

    pshi_replica_get(c, &r);
    return c->status == PSH_OK ? psh_world_draft_add_replica(b->draft, &r) : PSH_E_CORRUPT;
}

static psh_status add_assignment(builder *b, pshi_cursor *c) {
    psh_assignment a;

    pshi_assignment_get(c, &a);
    return c->status == PSH_OK ? psh_world_draft_add_assignment(b->draft, &a) : PSH_E_CORRUPT;
}

static psh_status add_tier(builder *b, pshi_cursor *c) {
    psh_tier_info t;

    pshi_tier_info_get(c, &t);
    return c->status == PSH_OK ? psh_world_draft_add_tier(b->draft, &t) : PSH_E_CORRUPT;
}

static psh_status add_view(builder *b, pshi_cursor *c) {
    psh_view *v = NULL;
    psh_status st = pshi_view_get(b->s->env, b->s->schema, c, &v);

    if (st != PSH_OK)
        return st;
    st = psh_world_draft_add_view(b->draft, v);
    psh_view_unref(v);
    return st;
}

static psh_status add_view_part(builder *b, pshi_cursor *c) {
    psh_view_part p;

    pshi_view_part_get(c, &p);
    return c->status == PSH_OK ? psh_world_draft_add_view_part(b->draft, &p) : PSH_E_CORRUPT;
}

/* How a list is read; in the order of PSHI_SHARE_PARTITIONS and on. */
static const struct list_reader {
    psh_status (*add)(builder *b, pshi_cursor *c);
    size_t least; /* bytes of one encoded */
    size_t takes; /* memory of one in a draft, in a world, and in its indexes */
} readers[] = {
    { add_partitions, PSHI_PARTITION_LEAST, 2 * sizeof(psh_partition) + 128 },
    { add_replica, PSHI_REPLICA_LEAST, 2 * sizeof(psh_replica) + 32 },
    { add_assignment, PSHI_ASSIGNMENT_LEAST, 2 * sizeof(psh_assignment) + 32 },
    { add_tier, PSHI_TIER_INFO_LEAST, 2 * sizeof(psh_tier_info) },
    { add_view, 1, 256 },
    { add_view_part, PSHI_VIEW_PART_LEAST, 2 * sizeof(psh_view_part) + 48 },
};

static psh_status read_items(builder *b, const pshi_blob *blob) {
    const struct list_reader *r = &readers[blob->type - PSHI_SHARE_PARTITIONS];
    psh_status st;
    pshi_cursor c;
    size_t n, i;

    st = pshi_share_open(b->s, blob, r->least, &n, &c, b->err);
    if (st != PSH_OK)
        return st;
    if (n != blob->items)
        return pshi_fail(b->err, PSH_E_CORRUPT, "blob", "does not hold as many items as its manifest says");
    for (i = 0; st == PSH_OK && i < n; i++)
        st = r->add(b, &c);
    if (st == PSH_E_NOMEM)
        return pshi_share_nomem(b->err);
    if (st != PSH_OK || pshi_read_end(&c) != PSH_OK)
        return pshi_fail(b->err, PSH_E_CORRUPT, "blob", "an item is damaged, or bytes follow the last");
    return PSH_OK;
}

psh_status pshi_share_build(
    psh_share *s, const pshi_share_root *root, const pshi_holding *h, psh_world **out, psh_error *err) {
    builder b = { s, NULL, err };
    psh_status st = psh_world_draft_create(s->env, s->schema, root->now.epoch, root->time, &b.draft);
    size_t i;

    if (st != PSH_OK)
        return pshi_fail(err, st, "world", psh_status_text(st));
    for (i = 0; st == PSH_OK && i < h->data_count; i++)
        st = read_items(&b, h->blobs[i]);
    if (st == PSH_OK) {
        st = psh_world_create(b.draft, out, err);
        if (st != PSH_OK && st != PSH_E_NOMEM) {
            st = PSH_E_CORRUPT;
            if (err && err->struct_size >= 8)
                err->code = st; /* the field named stays */
        }
    }
    psh_world_draft_destroy(b.draft);
    return st;
}

uint64_t pshi_share_takes(const pshi_page_entry *e) {
    uint64_t each = readers[e->type - PSHI_SHARE_PARTITIONS].takes;

    if (e->items > PSHI_SHARE_MAX_BLOB)
        return UINT64_MAX / 2;
    return e->size + e->items * each;
}
