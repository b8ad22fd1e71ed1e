/* SPDX-License-Identifier: MIT */
#include "base/checked.h"
#include "match/match.h"
#include "route/route.h"
#include "value/query.h"
#include "value/world.h"

/* Whether rows of the interval can still come or have come after the part: its owners, and the quarantine. */
static int is_settled(const pshi_walk *w, const psh_view_part *p) {
    const psh_partition *q = w->r->quarantine;
    const psh_partition *x;
    size_t i, end;
    size_t owners = 0;

    if (q && q->time_from < p->time_to && p->time_from < q->time_to && q->last_position > p->position)
        return 0;
    psh_world_partitions_between(w->r->world, w->r->spec->table, p->time_from, p->time_to, &i, &end);
    for (; i < end; i++) {
        x = psh_world_partition(w->r->world, i);
        if (x->state == PSH_PARTITION_ACTIVE || x->last_position > p->position)
            return 0;
        owners += (size_t)pshi_partition_owns(x);
    }
    return owners > 0 || w->retention == PSH_RETAIN_OUTLIVES_BASE;
}

static int has_owner(const pshi_walk *w, const psh_view_part *p) {
    size_t i, end;

    psh_world_partitions_between(w->r->world, w->r->spec->table, p->time_from, p->time_to, &i, &end);
    for (; i < end; i++)
        if (pshi_partition_owns(psh_world_partition(w->r->world, i)))
            return 1;
    return 0;
}

static int is_fresh(const pshi_walk *w, const psh_view_part *p) {
    const psh_route_request *q = w->r->request;
    int64_t staleness = w->r->spec->max_staleness_ns;

    if (q->head_position && p->position >= q->head_position)
        return 1;
    return staleness > 0 && p->commit_time != PSH_TIME_NONE && p->commit_time >= pshi_time_add(q->now, -staleness);
}

/* A view that follows its base must not answer for rows that were dropped. */
static int is_servable(const pshi_walk *w, const psh_view_part *p) {
    if (is_fresh(w, p))
        return w->retention == PSH_RETAIN_OUTLIVES_BASE || has_owner(w, p);
    return is_settled(w, p);
}

/* The next interval that can be served: from the node `prefer` where it has the interval, else the first one. */
static int next_piece(pshi_walk *w, uint32_t prefer, pshi_run *out) {
    const psh_view_part *p, *found;
    int64_t begin;

    while (w->next < w->count && w->parts[w->next].time_from < w->to) {
        found = NULL;
        begin = w->parts[w->next].time_from;
        for (; w->next < w->count && w->parts[w->next].time_from == begin; w->next++) {
            p = &w->parts[w->next];
            if (p->time_to <= w->from || begin < w->done || (found && p->node != prefer) || !is_servable(w, p))
                continue;
            found = p;
        }
        if (!found)
            continue;
        out->node = found->node;
        out->from = found->time_from < w->from ? w->from : found->time_from;
        out->to = found->time_to > w->to ? w->to : found->time_to;
        out->groups = found->groups;
        w->done = found->time_to;
        return 1;
    }
    return 0;
}

static int next_run(pshi_walk *w, pshi_run *out) {
    if (!w->has_piece && !next_piece(w, PSH_NONE, &w->piece))
        return 0;
    *out = w->piece;
    w->has_piece = 0;
    while (next_piece(w, out->node, &w->piece)) {
        if (w->piece.node != out->node || w->piece.from != out->to) {
            w->has_piece = 1;
            break;
        }
        out->to = w->piece.to;
        out->groups += w->piece.groups;
    }
    return 1;
}

int pshi_walk_next(pshi_walk *w, pshi_run *out) {
    while (next_run(w, out)) {
        /* Buckets need not end where intervals do. */
        if (w->bucket)
            pshi_bucket_cut(&out->from, &out->to, w->bucket, w->r->table->interval_origin);
        if (out->from < out->to)
            return 1;
    }
    return 0;
}

uint32_t pshi_walk_begin(const pshi_routing *r, size_t view, pshi_walk *w) {
    psh_view *v = psh_world_view(r->world, view);
    psh_view_spec s;
    uint32_t reason;

    psh_view_spec_init(&s, sizeof s);
    if (psh_view_describe(v, &s) != PSH_OK)
        return PSH_MATCH_TABLE;
    reason = psh_view_match(s.definition, r->request->query, &w->from, &w->to);
    if (reason != PSH_MATCH_YES)
        return reason;
    w->r = r;
    w->view = psh_view_id(v);
    w->retention = s.retention;
    w->bucket = pshi_query_spec(s.definition)->bucket_ns;
    w->has_piece = 0;
    w->next = 0;
    w->done = PSH_TIME_MIN;
    w->parts = psh_world_view_parts(r->world, view, &w->count);
    if (w->from < r->from)
        w->from = r->from;
    if (w->to > r->to)
        w->to = r->to;
    return reason;
}
