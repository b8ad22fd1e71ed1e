/* SPDX-License-Identifier: MIT */
/*
 * Cutting a world into blobs. Where a blob begins is drawn from a hash of the interval (partitions) or of the
 * item's own id (all else), never from the bytes: a change rewrites the blob that it is in, and no cut moves.
 * That is content-defined chunking (Muthitacharoen, Chen & Mazieres 2001, "A low-bandwidth network file system",
 * section 3.1) with ids for content. The probability of a cut grows with the weight of what begins there, so that
 * blobs have the aimed size on average whether intervals have one arc or hundreds. No blob is cut before it has
 * half of that size, which halves what an average change rewrites; after something comes or goes, cuts are the
 * old ones again from the first that both ways have in common, which is one or two blobs on.
 */
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "drive/share.h"
#include "value/view.h"
#include "value/world.h"

/* Bytes that an item takes about; for cutting alone. */
#define WEIGH_PARTITION 72u
#define WEIGH_REPLICA 24u
#define WEIGH_ASSIGNMENT 24u
#define WEIGH_TIER 48u
#define WEIGH_VIEW 192u
#define WEIGH_VIEW_PART 48u

/* The blob that is being filled. */
typedef struct cutter {
    psh_share *s;
    pshi_holding *to;
    const psh_world *world;
    psh_buffer *item;  /* one item encoded */
    psh_buffer *body;  /* items of the open blob */
    uint32_t type;
    uint64_t key;      /* of its first item */
    uint64_t count;    /* items in it */
    uint64_t weight;   /* of them, by WEIGH_*: what they were encoded to moves no cut */
    psh_error *err;
} cutter;

uint64_t pshi_share_mix(uint64_t domain, uint64_t a, uint64_t b) {
    uint64_t x = pshi_mix64(domain * UINT64_C(0x9e3779b97f4a7c15) + a);

    return pshi_mix64(x * UINT64_C(0x9e3779b97f4a7c15) + b);
}

uint64_t pshi_share_aim(const psh_share *s) {
    return s->o.max_blob_bytes / 16;
}

static psh_status close_blob(cutter *c) {
    psh_status st;

    if (!c->count)
        return PSH_OK;
    st = pshi_share_seal(c->s, c->to, c->type, c->key, c->count, c->body, c->err);
    psh_buffer_clear(c->body);
    c->count = 0;
    c->weight = 0;
    return st;
}

/* Adds the encoded item; what begins with it weighs `weight` bytes, 0: no blob begins here unless it must. */
static psh_status add_item(cutter *c, uint64_t key, uint64_t weight) {
    uint64_t size = psh_buffer_size(c->item), most = c->s->o.max_blob_bytes - PSHI_SHARE_OVERHEAD;
    uint64_t half = pshi_share_aim(c->s) / 2;
    psh_status st = PSH_OK;

    if (size > most)
        return pshi_fail(c->err, PSH_E_LIMIT, "max_blob_bytes", "one item of the world takes more");
    if (c->weight >= half && key % half < weight)
        st = close_blob(c);
    if (st == PSH_OK && psh_buffer_size(c->body) + size > most)
        st = close_blob(c);
    if (st != PSH_OK)
        return st;
    if (!c->count)
        c->key = key;
    c->count++;
    c->weight += weight;
    st = psh_buffer_append(c->body, psh_buffer_data(c->item), (size_t)size);
    return st == PSH_OK ? st : pshi_share_nomem(c->err);
}

static psh_status end_item(cutter *c, pshi_writer *w, uint64_t key, uint64_t weight) {
    psh_status st = pshi_write_end(w);

    return st == PSH_OK ? add_item(c, key, weight) : pshi_share_nomem(c->err);
}

static pshi_writer begin_item(cutter *c) {
    psh_buffer_clear(c->item);
    return pshi_write(c->item);
}

static int same_interval(const psh_partition *a, const psh_partition *b) {
    return a->table == b->table && a->interval == b->interval && a->flags == b->flags;
}

/* One interval stays together, unless it takes more than two blobs of the size aimed at. */
static psh_status cut_interval(cutter *c, size_t first, size_t end) {
    const psh_partition *p = psh_world_partition(c->world, first);
    uint64_t weight = (end - first) * (uint64_t)WEIGH_PARTITION, key;
    int large = weight > 2 * pshi_share_aim(c->s);
    psh_status st = PSH_OK;
    pshi_writer w;
    size_t i;

    key = pshi_share_mix(
        c->type, (uint64_t)p->table << 1 | (p->flags & PSH_PARTITION_QUARANTINE), (uint64_t)p->interval);
    if (large)
        st = close_blob(c);
    for (i = first; st == PSH_OK && i < end; i++) {
        p = psh_world_partition(c->world, i);
        w = begin_item(c);
        pshi_partition_put(&w, p);
        if (large) {
            key = pshi_share_mix(c->type, p->id, 0);
            weight = WEIGH_PARTITION;
        } else if (i > first) {
            weight = 0;
        }
        st = end_item(c, &w, key, weight);
    }
    return st;
}

static psh_status cut_partitions(cutter *c) {
    size_t n = psh_world_partition_count(c->world), i = 0, end;
    psh_status st = PSH_OK;
    const psh_partition *p;

    while (st == PSH_OK && i < n) {
        p = psh_world_partition(c->world, i);
        for (end = i + 1; end < n && same_interval(p, psh_world_partition(c->world, end));)
            end++;
        st = cut_interval(c, i, end);
        i = end;
    }
    return st;
}

static psh_status cut_replicas(cutter *c) {
    size_t n = psh_world_replica_count(c->world), i;
    const psh_replica *r;
    psh_status st = PSH_OK;
    pshi_writer w;

    for (i = 0; st == PSH_OK && i < n; i++) {
        r = psh_world_replica(c->world, i);
        w = begin_item(c);
        pshi_replica_put(&w, r);
        st = end_item(c, &w, pshi_share_mix(c->type, r->partition, r->node), WEIGH_REPLICA);
    }
    return st;
}

static psh_status cut_assignments(cutter *c) {
    size_t n = psh_world_assignment_count(c->world), i;
    const psh_assignment *a;
    psh_status st = PSH_OK;
    pshi_writer w;

    for (i = 0; st == PSH_OK && i < n; i++) {
        a = psh_world_assignment(c->world, i);
        w = begin_item(c);
        pshi_assignment_put(&w, a);
        st = end_item(c, &w, pshi_share_mix(c->type, a->tenant, (uint64_t)a->from ^ a->table), WEIGH_ASSIGNMENT);
    }
    return st;
}

static psh_status cut_tiers(cutter *c) {
    size_t n = psh_world_tier_count(c->world), i;
    const psh_tier_info *t;
    psh_status st = PSH_OK;
    pshi_writer w;

    for (i = 0; st == PSH_OK && i < n; i++) {
        t = psh_world_tier(c->world, i);
        w = begin_item(c);
        pshi_tier_info_put(&w, t);
        st = end_item(c, &w, pshi_share_mix(c->type, t->node, t->tier), WEIGH_TIER);
    }
    return st;
}

static psh_status cut_views(cutter *c) {
    size_t n = psh_world_view_count(c->world), i;
    psh_status st = PSH_OK;
    psh_view *v;
    pshi_writer w;

    for (i = 0; st == PSH_OK && i < n; i++) {
        v = psh_world_view(c->world, i);
        w = begin_item(c);
        pshi_view_put(&w, v);
        st = end_item(c, &w, pshi_share_mix(c->type, psh_view_id(v), 0), WEIGH_VIEW);
    }
    return st;
}

static psh_status cut_view_parts(cutter *c) {
    size_t n = psh_world_view_count(c->world), i, j, parts;
    const psh_view_part *p;
    psh_status st = PSH_OK;
    pshi_writer w;

    for (i = 0; i < n; i++) {
        p = psh_world_view_parts(c->world, i, &parts);
        for (j = 0; st == PSH_OK && j < parts; j++) {
            w = begin_item(c);
            pshi_view_part_put(&w, &p[j]);
            st = end_item(c, &w, pshi_share_mix(c->type, p[j].view, (uint64_t)p[j].interval), WEIGH_VIEW_PART);
        }
    }
    return st;
}

static psh_status cut_lists(cutter *c) {
    static psh_status (*const lists[])(cutter *) = {
        cut_partitions, cut_replicas, cut_assignments, cut_tiers, cut_views, cut_view_parts,
    };
    psh_status st = PSH_OK;
    uint32_t i;

    for (i = 0; st == PSH_OK && i < sizeof lists / sizeof *lists; i++) {
        c->type = PSHI_SHARE_PARTITIONS + i;
        st = pshi_share_recut(c->s, c->world, c->type, c->to, c->err);
        if (st != PSH_END)
            continue;
        st = lists[i](c);
        if (st == PSH_OK)
            st = close_blob(c);
    }
    return st;
}

psh_status pshi_share_cut(psh_share *s, const psh_world *world, pshi_holding *out, psh_error *err) {
    cutter c = { .s = s, .to = out, .world = world, .err = err };
    psh_status st = psh_buffer_create(s->env, &c.item);

    memset(out, 0, sizeof *out);
    if (st == PSH_OK)
        st = psh_buffer_create(s->env, &c.body);
    if (st != PSH_OK)
        st = pshi_share_nomem(err);
    else
        st = cut_lists(&c);
    psh_buffer_destroy(c.item);
    psh_buffer_destroy(c.body);
    if (st == PSH_OK)
        st = pshi_share_paginate(s, out, err);
    if (st != PSH_OK)
        pshi_holding_free(s, out);
    return st;
}
