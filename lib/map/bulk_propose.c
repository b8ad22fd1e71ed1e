/* SPDX-License-Identifier: MIT */
/* What bulk loads want of a world: which of them, and in which intervals. */
#include "map/bulk_propose.h"

#include <stdlib.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "value/wants.h"
#include "value/world.h"

#define MISSES 3u /* a rhythm that failed so often in a row is none */

/* One whose host has not been heard of for the whole horizon has been given up. */
static int is_running(const psh_bulk *b, const pshi_load *l, int64_t now) {
    return l->run && now <= pshi_time_add(l->run->latest, b->o.horizon_ns);
}

static int is_next_due(const psh_bulk *b, const pshi_load *l, int64_t now, pshi_origin *o) {
    int64_t reach = b->o.lead_ns < b->o.horizon_ns ? b->o.lead_ns : b->o.horizon_ns, grace;

    if (!(l->flags & PSHI_LOAD_EXPECTED) || (l->run && !(l->flags & PSHI_LOAD_RENEWED)))
        return 0;
    pshi_load_aligned(l, now, &o->at, &o->plan.from, &o->plan.to);
    if (l->flags & PSHI_LOAD_RHYTHM && ((pshi_i128)o->at - l->at) / l->every >= MISSES)
        return 0;
    grace = l->every ? l->every / 2 : b->o.horizon_ns;
    return o->at <= pshi_time_add(now, reach) && now <= pshi_time_add(o->at, grace);
}

static void add_load(pshi_proposal *c, const pshi_load *l) {
    pshi_origin o = { .load = l, .plan = l->next, .id = l->id };

    if (is_next_due(c->b, l, c->now, &o)) {
        o.kind = PSHI_FROM_NEXT;
        c->origins[c->origin_count++] = o;
    }
    if (!is_running(c->b, l, c->now))
        return;
    o.kind = PSHI_FROM_RUN;
    o.run = l->run;
    o.plan = l->run->plan;
    o.at = l->run->begun;
    c->origins[c->origin_count++] = o;
}

static void add_edit(pshi_proposal *c, const pshi_edit *e) {
    pshi_origin o = { .kind = PSHI_FROM_EDIT, .edit = e, .plan = e->want, .at = e->expires, .id = e->load };

    if (c->now >= e->expires && e->kind != PSHI_EDIT_OVERRIDE)
        return;
    if (c->now >= e->expires)
        o.kind = PSHI_FROM_BACK;
    c->origins[c->origin_count++] = o;
}

static int compare_origins(const void *x, const void *y) {
    const pshi_origin *a = x, *b = y;

    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return a->edit < b->edit ? -1 : a->edit > b->edit; /* of one array, by age; else both NULL */
}

/* The earliest have the first claim on the budget; one that finds too little left gets nothing. */
static void spend_budget(pshi_proposal *c) {
    double left = (double)c->b->o.max_bytes;
    size_t i, kept = 0;

    for (i = 0; i < c->origin_count; i++) {
        if (c->origins[i].kind != PSHI_FROM_BACK) {
            if (c->origins[i].plan.room > left)
                continue;
            left -= c->origins[i].plan.room;
        }
        c->origins[kept++] = c->origins[i];
    }
    c->origin_count = kept;
}

static psh_status find_origins(pshi_proposal *c) {
    size_t i;

    c->origins = pshi_calloc(c->b->env, 2 * c->b->load_count + c->b->edit_count, sizeof *c->origins);
    if (!c->origins)
        return PSH_E_NOMEM;
    for (i = 0; i < c->b->load_count; i++)
        add_load(c, c->b->loads[i]);
    for (i = 0; i < c->b->edit_count; i++)
        add_edit(c, &c->b->edits[i]);
    if (c->origin_count)
        qsort(c->origins, c->origin_count, sizeof *c->origins, compare_origins);
    spend_budget(c);
    return PSH_OK;
}

/* Ranges that an origin wants in an interval; 1: nothing to do there. */
static uint32_t parts_of(const pshi_proposal *c, const pshi_origin *o, const psh_partition *p) {
    const psh_bulk_options *opt = &c->b->o;
    uint32_t n, other;
    uint64_t i;

    if (o->run) {
        i = (uint64_t)p->interval - (uint64_t)o->run->interval;
        return p->interval >= o->run->interval && i < o->run->interval_count
                   ? o->run->offsets[i + 1] - o->run->offsets[i] : 1;
    }
    n = pshi_outline_parts(&o->plan, opt, p->time_from, p->time_to);
    if (!o->edit)
        return n;
    other = pshi_outline_parts(&o->edit->other, opt, p->time_from, p->time_to);
    return n > other ? n : other;
}

static int has_owner(const pshi_proposal *c, size_t first, size_t end) {
    size_t i;

    for (i = first; i < end; i++)
        if (pshi_partition_owns(psh_world_partition(c->world, i)))
            return 1;
    return 0;
}

static psh_status add_job(pshi_proposal *c, const pshi_origin *o, size_t first, size_t end) {
    const psh_partition *p = psh_world_partition(c->world, first);
    void *jobs = c->jobs;
    psh_status st;

    if (parts_of(c, o, p) < 2 || !has_owner(c, first, end))
        return PSH_OK;
    st = pshi_reserve(c->b->env, &jobs, &c->job_cap, c->job_count + 1, sizeof *c->jobs);
    c->jobs = jobs;
    if (st == PSH_OK)
        c->jobs[c->job_count++] = (pshi_job){ p->table, (uint32_t)(o - c->origins), p->interval, p->time_from,
                                         p->time_to, first, end };
    return st;
}

/* The intervals of an origin that the world has. */
static psh_status find_jobs(pshi_proposal *c, const pshi_origin *o) {
    const psh_partition *p, *q;
    psh_status st = PSH_OK;
    size_t i, end, next;
    int64_t first;
    uint32_t n = pshi_outline_intervals(c->b->schema, &o->plan, &first);

    if (!n)
        return PSH_OK;
    psh_world_partitions_between(c->world, o->plan.table, o->plan.from, o->plan.to, &i, &end);
    for (; st == PSH_OK && i < end; i = next) {
        p = psh_world_partition(c->world, i);
        for (next = i + 1; next < end; next++) {
            q = psh_world_partition(c->world, next);
            if (q->interval != p->interval)
                break;
        }
        if ((uint64_t)p->interval - (uint64_t)first >= n)
            break;
        st = add_job(c, o, i, next);
    }
    return st;
}

static int compare_jobs(const void *x, const void *y) {
    const pshi_job *a = x, *b = y;

    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    if (a->interval != b->interval)
        return a->interval < b->interval ? -1 : 1;
    return a->origin < b->origin ? -1 : a->origin > b->origin;
}

static psh_status propose_all(pshi_proposal *c) {
    psh_status st = find_origins(c);
    size_t i, end;

    for (i = 0; st == PSH_OK && i < c->origin_count; i++)
        st = find_jobs(c, &c->origins[i]);
    if (st == PSH_OK)
        st = pshi_ground_take(&c->ground, c->out);
    if (st == PSH_OK && c->job_count)
        qsort(c->jobs, c->job_count, sizeof *c->jobs, compare_jobs);
    for (i = 0; st == PSH_OK && i < c->job_count; i = end) {
        for (end = i + 1; end < c->job_count && c->jobs[end].first == c->jobs[i].first; end++) {
        }
        st = pshi_propose_interval(c, &c->jobs[i], end - i);
    }
    return st;
}

static void turn_ranges(psh_bulk *b, int is_done) {
    pshi_run *r;
    size_t i;
    uint32_t k, n;

    for (i = 0; i < b->load_count; i++) {
        r = b->loads[i]->run;
        n = r && r->interval_count ? r->offsets[r->interval_count] : 0;
        for (k = 0; k < n; k++) {
            if (is_done)
                r->ranges[k].waiting = r->ranges[k].was_seen;
            r->ranges[k].was_seen = 0;
        }
    }
}

psh_status psh_bulk_propose(psh_bulk *b, const psh_world *world, int64_t now, psh_wants *out, psh_error *err) {
    pshi_proposal *c;
    size_t before;
    psh_status st;

    if (!b || !world || !out)
        return pshi_fail(err, PSH_E_INVALID, !b ? "b" : world ? "out" : "world", "is NULL");
    if (now == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "now", "must be a time");
    if (psh_schema_table_count(psh_world_schema(world)) != psh_schema_table_count(b->schema))
        return pshi_fail(err, PSH_E_INVALID, "world", "is of another schema");
    c = pshi_calloc(b->env, 1, sizeof *c);
    if (!c)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    c->b = b;
    c->world = c->ground.world = world;
    c->now = now;
    c->out = out;
    c->err = err;
    c->ground.env = b->env;
    before = psh_wants_count(out);
    st = propose_all(c);
    if (st != PSH_OK)
        pshi_wants_truncate(out, before);
    turn_ranges(b, st == PSH_OK);
    if (st == PSH_OK)
        pshi_bulk_expire_edits(b, now);
    pshi_ground_free(&c->ground);
    pshi_free(b->env, c->origins);
    pshi_free(b->env, c->jobs);
    pshi_free(b->env, c->marks);
    pshi_free(b->env, c);
    return st == PSH_E_NOMEM ? pshi_fail(err, st, "", psh_status_text(st)) : st;
}
