/* SPDX-License-Identifier: MIT */
#include "base/checked.h"
#include "match/match.h"
#include "route/route.h"
#include "value/query.h"
#include "value/view.h"
#include "value/world.h"

static int is_fresh(const pshi_walk *w, const psh_view_part *p) {
    const psh_route_request *q = w->r->request;
    int64_t staleness = w->r->spec->max_staleness_ns;

    if (q->head_position && p->position >= q->head_position)
        return 1;
    return staleness > 0 && p->commit_time != PSH_TIME_NONE && p->commit_time >= pshi_time_add(q->now, -staleness);
}

/* A view that follows its base must not answer for rows that were dropped. */
static int is_servable(const pshi_walk *w, const psh_view_part *p) {
    uint8_t facts = w->facts[p - w->parts];

    return facts & PSHI_PART_SETTLED || (facts & PSHI_PART_OWNED && is_fresh(w, p));
}

/* A settled part takes along what follows it without a gap on its node. */
static void take_solid(pshi_walk *w, size_t at, pshi_run *out) {
    uint64_t width = (uint64_t)w->r->table->interval_ns;
    uint64_t most = ((uint64_t)w->to - (uint64_t)w->parts[at].time_from - 1) / width + 1;
    size_t end = w->solid[at] - w->first;

    if (end - at > most)
        end = at + (size_t)most;
    out->groups = w->groups[end] - w->groups[at];
    w->done = w->parts[end - 1].time_to;
    if (w->next < end)
        w->next = end;
}

/* The next intervals that can be served: from the node `prefer` where it has the interval, else the first one. */
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
        take_solid(w, (size_t)(found - w->parts), out);
        out->to = w->done > w->to ? w->to : w->done;
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

static int begins_at(const pshi_walk *w, size_t i) {
    return w->parts[i].time_to > w->from && (i == 0 || w->parts[i - 1].time_to <= w->from);
}

/* The first part that ends after `from`: all are whole intervals, in order. */
static size_t first_part(const pshi_walk *w) {
    size_t low = 0, high = w->count, mid;

    if (!high || w->parts[0].time_to > w->from)
        return 0;
    /* One node that has every interval: the time tells the part. */
    mid = (size_t)(((uint64_t)w->from - (uint64_t)w->parts[0].time_from) / (uint64_t)w->r->table->interval_ns);
    if (mid < high && begins_at(w, mid))
        return mid;
    while (low < high) {
        mid = low + (high - low) / 2;
        if (w->parts[mid].time_to <= w->from)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

uint32_t pshi_walk_begin(const pshi_routing *r, size_t view, pshi_walk *w) {
    const pshi_world_rest *rest = r->world->rest;
    const psh_view *v = rest->lists.views[view];
    const psh_view_spec *s = pshi_view_spec(v);
    uint32_t reason = psh_view_match(s->definition, r->request->query, &w->from, &w->to);

    if (reason != PSH_MATCH_YES)
        return reason;
    w->r = r;
    w->view = psh_view_id(v);
    w->bucket = pshi_query_spec(s->definition)->bucket_ns;
    w->has_piece = 0;
    w->done = PSH_TIME_MIN;
    w->first = rest->part_first[view];
    w->count = rest->part_first[view + 1] - w->first;
    w->parts = rest->lists.parts + w->first;
    w->groups = rest->part_groups + w->first;
    w->facts = r->world->part_facts->facts + w->first;
    w->solid = r->world->part_facts->solid + w->first;
    if (w->from < r->from)
        w->from = r->from;
    if (w->to > r->to)
        w->to = r->to;
    w->next = first_part(w);
    return reason;
}
