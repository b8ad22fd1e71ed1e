/* SPDX-License-Identifier: MIT */
/* Ranges in order, and what differs between two epochs. */
#include "map/ranges.h"

void pshi_ranges_range(const pshi_range_cursor *c, psh_range *out) {
    pshi_range_key first = pshi_range_cursor_key(c), end = { 0 };
    int is_last = !pshi_range_cursor_end(c, &end);

    *out = (psh_range){ 0 };
    out->owner = pshi_range_cursor_owner(c);
    out->is_last = (uint32_t)is_last;
    if (c->tree->is_bytes) {
        out->first_key = (psh_bytes){ first.data, first.size };
        out->end_key = (psh_bytes){ end.data, end.size };
    } else {
        out->first = first.number;
        out->last = is_last ? UINT64_MAX : end.number - 1;
    }
}

/* From the range that holds `from` to the last one that begins before `end`; NULL: all that follow. */
static psh_status walk(
    const psh_ranges_epoch *e, const pshi_range_key *from, const pshi_range_key *end, psh_range_visitor visit,
    void *user) {
    uint32_t is_bytes = e->tree.is_bytes;
    pshi_range_cursor c;
    pshi_range_key k;
    psh_range range;
    psh_status st = PSH_OK;

    for (pshi_range_cursor_seek(&c, &e->tree, from); st == PSH_OK && !c.is_done; pshi_range_cursor_next(&c)) {
        while (c.level)
            pshi_range_cursor_enter(&c);
        k = pshi_range_cursor_key(&c);
        if (end && pshi_range_compare(is_bytes, &k, end) >= 0)
            return PSH_OK;
        pshi_ranges_range(&c, &range);
        st = visit(user, &range);
    }
    return st;
}

psh_status psh_ranges_walk_u64(
    const psh_ranges_epoch *e, uint64_t from, uint64_t last, psh_range_visitor visit, void *user) {
    pshi_range_key a = { from, NULL, 0 }, b = { last + 1, NULL, 0 };

    if (!e || !visit || e->tree.is_bytes || from > last)
        return PSH_E_INVALID;
    return walk(e, &a, last == UINT64_MAX ? NULL : &b, visit, user);
}

static int is_key(const psh_bytes *b) {
    return b->data || !b->size;
}

psh_status psh_ranges_walk_bytes(
    const psh_ranges_epoch *e, const psh_bytes *from, const psh_bytes *to, psh_range_visitor visit, void *user) {
    pshi_range_key a = { 0 }, b = { 0 };

    if (!e || !visit || !e->tree.is_bytes || !from || !is_key(from) || (to && !is_key(to)))
        return PSH_E_INVALID;
    a.data = from->data;
    a.size = from->size;
    if (!to)
        return walk(e, &a, NULL, visit, user);
    b.data = to->data;
    b.size = to->size;
    if (pshi_range_compare(1, &a, &b) > 0)
        return PSH_E_INVALID;
    return pshi_range_compare(1, &a, &b) ? walk(e, &a, &b, visit, user) : PSH_OK;
}

/* Two places that are told of in order: the earlier one, or both where they begin together. */
typedef struct comparison {
    pshi_range_cursor a; /* before */
    pshi_range_cursor b; /* after */
    psh_range_diff each;
    void *user;
} comparison;

static psh_status tell(const comparison *d, const pshi_range_cursor *c, uint32_t op) {
    psh_range range;

    pshi_ranges_range(c, &range);
    return d->each(d->user, op, &range);
}

/* The places begin together: what is shared is passed, else the higher one entered, else owners compared. */
static psh_status compare_same(comparison *d) {
    pshi_range_cursor *a = &d->a, *b = &d->b;
    psh_status st = PSH_OK;

    if (a->level != b->level) {
        pshi_range_cursor_enter(a->level > b->level ? a : b);
        return PSH_OK;
    }
    if (a->level && pshi_range_cursor_child(a) != pshi_range_cursor_child(b)) {
        pshi_range_cursor_enter(a);
        pshi_range_cursor_enter(b);
        return PSH_OK;
    }
    if (!a->level && pshi_range_cursor_owner(a) != pshi_range_cursor_owner(b))
        st = tell(d, b, PSH_RANGE_SET);
    pshi_range_cursor_next(a);
    pshi_range_cursor_next(b);
    return st;
}

/* Only c has anything that begins here. */
static psh_status take_one(comparison *d, pshi_range_cursor *c, uint32_t op) {
    psh_status st;

    if (c->level) {
        pshi_range_cursor_enter(c);
        return PSH_OK;
    }
    st = tell(d, c, op);
    pshi_range_cursor_next(c);
    return st;
}

static psh_status compare_next(comparison *d) {
    pshi_range_key ka, kb;
    int order;

    if (d->a.is_done)
        return take_one(d, &d->b, PSH_RANGE_SET);
    if (d->b.is_done)
        return take_one(d, &d->a, PSH_RANGE_REMOVE);
    ka = pshi_range_cursor_key(&d->a);
    kb = pshi_range_cursor_key(&d->b);
    order = pshi_range_compare(d->a.tree->is_bytes, &ka, &kb);
    if (!order)
        return compare_same(d);
    return order < 0 ? take_one(d, &d->a, PSH_RANGE_REMOVE) : take_one(d, &d->b, PSH_RANGE_SET);
}

psh_status psh_ranges_diff(
    const psh_ranges_epoch *before, const psh_ranges_epoch *after, psh_range_diff each, void *user) {
    comparison d;
    psh_status st = PSH_OK;

    if (!before || !after || !each || before->tree.is_bytes != after->tree.is_bytes)
        return PSH_E_INVALID;
    d.each = each;
    d.user = user;
    pshi_range_cursor_first(&d.a, &before->tree);
    pshi_range_cursor_first(&d.b, &after->tree);
    if (before->tree.root == after->tree.root)
        return PSH_OK;
    while (st == PSH_OK && !(d.a.is_done && d.b.is_done))
        st = compare_next(&d);
    return st;
}
