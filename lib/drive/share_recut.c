/* SPDX-License-Identifier: MIT */
/*
 * Cutting by what differs from the world held. Cuts follow from ids and counts, so where partitions only changed
 * what they say, the blobs are those held, but for the ones that hold a changed partition; lists that two worlds
 * share are the same blobs. The bytes are those that cutting the whole would give; where that is not certain, it
 * is done.
 */
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "drive/share.h"
#include "value/world.h"

/* The held blobs of one list. */
static void find_list(const pshi_holding *h, uint32_t type, size_t *first, size_t *end) {
    size_t i = 0;

    while (i < h->data_count && h->blobs[i]->type < type)
        i++;
    *first = i;
    while (i < h->data_count && h->blobs[i]->type == type)
        i++;
    *end = i;
}

/* Blobs that were read do not tell where pages are cut above them. */
static int have_keys(const pshi_holding *h, size_t first, size_t end) {
    size_t i;

    for (i = first; i < end; i++)
        if (!h->blobs[i]->key)
            return 0;
    return 1;
}

static int same_assignments(const psh_world *a, const psh_world *b) {
    size_t i;

    if (a->table_count != b->table_count)
        return 0;
    for (i = 0; i < a->table_count; i++)
        if (a->tables[i].assignments.root != b->tables[i].assignments.root)
            return 0;
    return 1;
}

static int same_list(const psh_world *a, const psh_world *b, uint32_t type) {
    if (type == PSHI_SHARE_REPLICAS)
        return a->replicas.root == b->replicas.root;
    if (type == PSHI_SHARE_ASSIGNMENTS)
        return same_assignments(a, b);
    return type >= PSHI_SHARE_TIERS && a->rest == b->rest;
}

static psh_status reuse_blob(psh_share *s, pshi_holding *out, size_t i, psh_error *err) {
    s->held.blobs[i]->refs++;
    return pshi_holding_add(s, out, s->held.blobs[i]) == PSH_OK ? PSH_OK : pshi_share_nomem(err);
}

/* Partitions that differ, as places in the world. */
typedef struct changed_places {
    psh_share *s;
    const psh_world *world;
    size_t *places;
    size_t count, capacity;
} changed_places;

/* Where a partition stands among [first, end), all of one interval, by arc. */
static size_t place_of_arc(const psh_world *w, size_t first, size_t end, uint64_t arc) {
    size_t mid;

    while (first < end) {
        mid = first + (end - first) / 2;
        if (psh_world_partition(w, mid)->arc_first < arc)
            first = mid + 1;
        else
            end = mid;
    }
    return first;
}

static size_t place_of(const psh_world *w, const psh_partition *p) {
    size_t first = w->planned, end = w->partition_count;

    if (!(p->flags & PSH_PARTITION_QUARANTINE)) {
        psh_world_partitions_between(w, p->table, p->time_from, p->time_to, &first, &end);
        return place_of_arc(w, first, end, p->arc_first);
    }
    while (first < end && psh_world_partition(w, first)->id != p->id)
        first++;
    return first;
}

static psh_status note_changed(void *user, uint32_t op, const psh_partition *before, const psh_partition *after) {
    changed_places *c = user;
    void *items = c->places;
    psh_status st;

    (void)before;
    if (op != PSH_DIFF_CHANGED)
        return PSH_END; /* cuts may move */
    st = pshi_reserve(c->s->env, &items, &c->capacity, c->count + 1, sizeof *c->places);
    c->places = items;
    if (st != PSH_OK)
        return st;
    c->places[c->count++] = place_of(c->world, after);
    return PSH_OK;
}

/* One blob anew, of partitions [first, first + n). PSH_END: so long that it might have to be cut. */
static psh_status redo_blob(
    changed_places *c, const pshi_blob *old, size_t first, psh_buffer *body, pshi_holding *out, psh_error *err) {
    pshi_writer w;
    size_t i;

    psh_buffer_clear(body);
    w = pshi_write(body);
    for (i = 0; i < old->items; i++)
        pshi_partition_put(&w, psh_world_partition(c->world, first + i));
    if (pshi_write_end(&w) != PSH_OK)
        return pshi_share_nomem(err);
    if (psh_buffer_size(body) > c->s->o.max_blob_bytes / 2)
        return PSH_END;
    return pshi_share_seal(c->s, out, PSHI_SHARE_PARTITIONS, old->key, old->items, body, err);
}

/* The blobs [first, end) of s->held, those with a changed partition anew. Places are in order. */
static psh_status redo_blobs(
    changed_places *c, size_t first, size_t end, psh_buffer *body, pshi_holding *out, psh_error *err) {
    size_t at = 0, next = 0, i;
    psh_status st = PSH_OK;
    const pshi_blob *b;

    for (i = first; st == PSH_OK && i < end; i++, at += (size_t)b->items) {
        b = c->s->held.blobs[i];
        if (b->size > c->s->o.max_blob_bytes / 2 || b->items > c->world->partition_count - at)
            return PSH_END;
        if (next < c->count && c->places[next] < at + b->items)
            st = redo_blob(c, b, at, body, out, err);
        else
            st = reuse_blob(c->s, out, i, err);
        while (next < c->count && c->places[next] < at + b->items)
            next++;
    }
    return st == PSH_OK && at != c->world->partition_count ? PSH_END : st;
}

static psh_status recut_partitions(changed_places *c, pshi_holding *out, psh_error *err) {
    psh_share *s = c->s;
    psh_buffer *body = NULL;
    size_t first, end, had = out->count;
    psh_status st;

    find_list(&s->held, PSHI_SHARE_PARTITIONS, &first, &end);
    if (!have_keys(&s->held, first, end))
        return PSH_END;
    st = psh_world_diff(s->world, c->world, note_changed, c);
    if (st == PSH_OK)
        st = psh_buffer_create(s->env, &body);
    if (st != PSH_OK)
        return st == PSH_E_NOMEM ? pshi_share_nomem(err) : PSH_END;
    st = redo_blobs(c, first, end, body, out, err);
    psh_buffer_destroy(body);
    while (st == PSH_END && out->count > had)
        pshi_blob_unref(s, out->blobs[--out->count]);
    return st;
}

psh_status pshi_share_recut(
    psh_share *s, const psh_world *world, uint32_t type, pshi_holding *out, psh_error *err) {
    changed_places c = { .s = s, .world = world };
    size_t first, end, i;
    psh_status st = PSH_OK;

    if (!s->world || s->world->table_count != world->table_count)
        return PSH_END;
    if (type == PSHI_SHARE_PARTITIONS) {
        st = recut_partitions(&c, out, err);
        pshi_free(s->env, c.places);
        return st;
    }
    find_list(&s->held, type, &first, &end);
    if (!same_list(s->world, world, type) || !have_keys(&s->held, first, end))
        return PSH_END;
    for (i = first; st == PSH_OK && i < end; i++)
        st = reuse_blob(s, out, i, err);
    return st;
}
