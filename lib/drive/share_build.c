/* SPDX-License-Identifier: MIT */
/* From blobs to a world, whole or on the one before. Nothing is believed before its CRC and its count agree. */
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "drive/share.h"
#include "value/view.h"
#include "value/world.h"

/* A world under construction. */
typedef struct builder {
    psh_share *s;
    psh_world_draft *draft;
    pshi_idmap came;  /* ids of partitions and replicas that were added to the draft */
    int notes;        /* 1: they are kept */
    psh_error *err;
} builder;

static psh_status note_came(builder *b, uint64_t id, psh_status added) {
    if (added != PSH_OK || !b->notes || !id)
        return added;
    return pshi_idmap_put(b->s->env, &b->came, id, 0);
}

static psh_status add_partition(builder *b, pshi_cursor *c) {
    psh_partition p;

    pshi_partition_get(c, &p);
    return c->status == PSH_OK ? note_came(b, p.id, psh_world_draft_add_partition(b->draft, &p)) : PSH_E_CORRUPT;
}

static psh_status add_replica(builder *b, pshi_cursor *c) {
    psh_replica r;

    pshi_replica_get(c, &r);
    if (c->status != PSH_OK)
        return PSH_E_CORRUPT;
    return note_came(b, psh_replica_id(r.partition, r.node), psh_world_draft_add_replica(b->draft, &r));
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

/* What was in a blob that is no longer there, and is in no blob that came instead. */
static psh_status drop_partition(builder *b, pshi_cursor *c) {
    psh_partition p;

    pshi_partition_get(c, &p);
    if (c->status != PSH_OK)
        return PSH_E_CORRUPT;
    if (p.id && pshi_idmap_find(&b->came, p.id) != PSH_NONE)
        return PSH_OK;
    return psh_world_draft_remove_partition(b->draft, p.id);
}

static psh_status drop_replica(builder *b, pshi_cursor *c) {
    psh_replica r;

    pshi_replica_get(c, &r);
    if (c->status != PSH_OK)
        return PSH_E_CORRUPT;
    if (pshi_idmap_find(&b->came, psh_replica_id(r.partition, r.node)) != PSH_NONE)
        return PSH_OK;
    return psh_world_draft_remove_replica(b->draft, r.partition, r.node);
}

/* How a list is read; in the order of PSHI_SHARE_PARTITIONS and on. */
static const struct list_reader {
    psh_status (*add)(builder *b, pshi_cursor *c);
    psh_status (*drop)(builder *b, pshi_cursor *c); /* NULL: only all of its kind can be dropped */
    size_t least; /* bytes of one encoded */
    size_t takes; /* memory of one in a draft, in a world, and in its indexes */
} readers[] = {
    { add_partition, drop_partition, PSHI_PARTITION_LEAST, 2 * sizeof(psh_partition) + 128 },
    { add_replica, drop_replica, PSHI_REPLICA_LEAST, 2 * sizeof(psh_replica) + 32 },
    { add_assignment, NULL, PSHI_ASSIGNMENT_LEAST, 2 * sizeof(psh_assignment) + 32 },
    { add_tier, NULL, PSHI_TIER_INFO_LEAST, 2 * sizeof(psh_tier_info) },
    { add_view, NULL, 1, 256 },
    { add_view_part, NULL, PSHI_VIEW_PART_LEAST, 2 * sizeof(psh_view_part) + 48 },
};

static const struct list_reader *reader_of(uint32_t type) {
    return &readers[type - PSHI_SHARE_PARTITIONS];
}

static psh_status read_items(
    builder *b, const pshi_blob *blob, psh_status (*take)(builder *b, pshi_cursor *c)) {
    const struct list_reader *r = reader_of(blob->type);
    psh_status st;
    pshi_cursor c;
    size_t n, i;

    st = pshi_share_open(b->s, blob, r->least, &n, &c, b->err);
    if (st != PSH_OK)
        return st;
    if (n != blob->items)
        return pshi_fail(b->err, PSH_E_CORRUPT, "blob", "does not hold as many items as its manifest says");
    for (i = 0; st == PSH_OK && i < n; i++)
        st = take(b, &c);
    if (st == PSH_E_NOMEM)
        return pshi_share_nomem(b->err);
    if (st != PSH_OK || pshi_read_end(&c) != PSH_OK)
        return pshi_fail(b->err, PSH_E_CORRUPT, "blob", "an item is damaged, or bytes follow the last");
    return PSH_OK;
}

static psh_status build_whole(builder *b, const pshi_holding *h, psh_world **out) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < h->data_count; i++)
        st = read_items(b, h->blobs[i], reader_of(h->blobs[i]->type)->add);
    if (st != PSH_OK)
        return st;
    st = psh_world_create(b->draft, out, b->err);
    if (st != PSH_OK && st != PSH_E_NOMEM) {
        st = PSH_E_CORRUPT;
        if (b->err && b->err->struct_size >= 8)
            b->err->code = st; /* the field named stays */
    }
    return st;
}

static int is_rest(const pshi_blob *b) {
    return b->type >= PSHI_SHARE_TIERS;
}

/* Adds what came since the world held; tiers, views and their parts all anew if any of them did. */
static psh_status add_news(builder *b, const pshi_holding *h) {
    const pshi_holding *held = &b->s->held;
    psh_status st = PSH_OK;
    int rest = 0;
    size_t i;

    for (i = 0; i < h->data_count; i++)
        rest |= is_rest(h->blobs[i]) && !pshi_holding_find(held, &h->blobs[i]->name);
    for (i = 0; i < held->data_count; i++)
        rest |= is_rest(held->blobs[i]) && !pshi_holding_find(h, &held->blobs[i]->name);
    if (rest)
        psh_world_draft_forget_rest(b->draft);
    for (i = 0; st == PSH_OK && i < h->data_count; i++)
        if (is_rest(h->blobs[i]) ? rest : !pshi_holding_find(held, &h->blobs[i]->name))
            st = read_items(b, h->blobs[i], reader_of(h->blobs[i]->type)->add);
    return st;
}

static psh_status drop_olds(builder *b, const pshi_holding *h) {
    const pshi_holding *held = &b->s->held;
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < held->data_count; i++)
        if (reader_of(held->blobs[i]->type)->drop && !pshi_holding_find(h, &held->blobs[i]->name))
            st = read_items(b, held->blobs[i], reader_of(held->blobs[i]->type)->drop);
    return st;
}

/*
 * A world that begins from another holds what the blobs name and perhaps something that should have been dropped,
 * an assignment for one. If there are as many things as the blobs name, there is nothing more.
 */
static int has_as_many(const psh_world *w, const pshi_holding *h) {
    uint64_t named[PSHI_SHARE_VIEW_PARTS + 1] = { 0 };
    size_t i;

    for (i = 0; i < h->data_count; i++)
        named[h->blobs[i]->type] += h->blobs[i]->items;
    return named[PSHI_SHARE_PARTITIONS] == psh_world_partition_count(w) &&
           named[PSHI_SHARE_REPLICAS] == psh_world_replica_count(w) &&
           named[PSHI_SHARE_ASSIGNMENTS] == psh_world_assignment_count(w) &&
           named[PSHI_SHARE_TIERS] == psh_world_tier_count(w) && named[PSHI_SHARE_VIEWS] == psh_world_view_count(w);
}

/* From the world held: O(what changed). Whatever goes wrong, the whole is built instead, and says what it is. */
static void build_on_held(builder *b, const pshi_holding *h, psh_world **out) {
    psh_status st = psh_world_draft_base(b->draft, b->s->world);

    b->notes = 1;
    if (st == PSH_OK)
        st = add_news(b, h);
    if (st == PSH_OK)
        st = drop_olds(b, h);
    if (st == PSH_OK)
        st = psh_world_create(b->draft, out, NULL);
    if (st == PSH_OK && !has_as_many(*out, h)) {
        psh_world_unref(*out);
        *out = NULL;
    }
}

static psh_status begin_draft(builder *b, const pshi_share_root *root) {
    psh_status st;

    psh_world_draft_destroy(b->draft);
    b->draft = NULL;
    st = psh_world_draft_create(b->s->env, b->s->schema, root->now.epoch, root->now.time, &b->draft);
    return st == PSH_OK ? st : pshi_fail(b->err, st, "world", psh_status_text(st));
}

psh_status pshi_share_build(
    psh_share *s, const pshi_share_root *root, const pshi_holding *h, psh_world **out, psh_error *err) {
    builder b = { .s = s };
    psh_status st = begin_draft(&b, root);

    *out = NULL;
    if (st == PSH_OK && s->world)
        build_on_held(&b, h, out);
    pshi_idmap_free(s->env, &b.came);
    b.notes = 0;
    b.err = err;
    if (!*out && st == PSH_OK && s->world)
        st = begin_draft(&b, root);
    if (!*out && st == PSH_OK)
        st = build_whole(&b, h, out);
    else if (st != PSH_OK)
        st = pshi_fail(err, st, "world", psh_status_text(st));
    psh_world_draft_destroy(b.draft);
    return st;
}

uint64_t pshi_share_takes(const pshi_page_entry *e) {
    uint64_t each = reader_of(e->type)->takes;

    if (e->items > PSHI_SHARE_MAX_BLOB)
        return UINT64_MAX / 2;
    return e->size + e->items * each;
}
