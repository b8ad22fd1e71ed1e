/* SPDX-License-Identifier: MIT */
/* One interval: shadows before rows come, owners while they come, repairs afterwards. */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "map/bulk_propose.h"

static double least(double a, double b) {
    return a < b ? a : b;
}

static psh_want want_of(const pshi_job *j, uint32_t kind, uint64_t first, uint64_t last) {
    psh_want w = { .kind = kind, .why = PSH_WHY_BULK, .table = j->table, .node = PSH_NONE, .tier = PSH_NONE,
                   .subject = psh_partition_id(j->table, j->interval, first), .interval = j->interval,
                   .time_from = j->from, .time_to = j->to, .arc_first = first, .arc_last = last, .confidence = 1,
                   .not_before = PSH_TIME_MIN, .deadline = PSH_TIME_MAX };

    return w;
}

/* All loads of the interval may have rows for an arc. */
static void add_amounts(const pshi_proposal *c, psh_want *w) {
    const pshi_origin *o;
    double share, seconds;
    size_t i;

    for (i = 0; i < c->group_count; i++) {
        o = &c->origins[c->group[i].origin];
        if (o->kind == PSHI_FROM_BACK)
            continue;
        share = pshi_outline_share(&o->plan, w->time_from, w->time_to) *
                pshi_outline_mass(&o->plan, w->arc_first, w->arc_last);
        seconds = o->load ? o->load->seconds : 0;
        w->resources.bytes += o->plan.room * share;
        w->benefit += o->plan.rows * share;
        if (seconds > 0) {
            w->resources.writes_per_s += least(o->plan.rows * share / seconds, PSHI_BULK_MOST);
            w->resources.bytes_per_s += least(o->plan.room * share / seconds, PSHI_BULK_MOST);
        }
    }
}

/* @return PSH_OK; PSH_END when the interval can name no further arc. */
static psh_status want_child(
    pshi_proposal *c, const pshi_job *j, pshi_owner *owner, size_t at, uint64_t first, uint64_t last) {
    const pshi_origin *o = &c->origins[j->origin];
    psh_want w = want_of(j, PSH_ACT_CREATE_PARTITION, first, last);
    psh_status st;

    w.source = owner->p->id;
    w.ordinal = pshi_ground_ordinal(&c->ground);
    if (w.ordinal == PSH_NONE)
        return PSH_END;
    add_amounts(c, &w);
    if (o->edit) { /* rows are there: a cut that stays on its node is cheap, and can be merged back */
        w.node = owner->p->node;
        w.tier = owner->p->tier;
    } else {
        if (o->load->node != PSH_NONE && pshi_ground_has_node(c->world, o->load->node))
            w.node = o->load->node;
        w.confidence = o->load->confidence;
        w.deadline = o->at > c->now ? o->at : PSH_TIME_MAX;
    }
    owner->is_busy = 1;
    st = psh_wants_add(c->out, &w, c->err);
    return st == PSH_OK ? pshi_ground_insert(&c->ground, at, first, last) : st;
}

/*
 * The marks below n within one owner that are free, from the right. A split takes the end of its source, so what
 * stands within an owner must reach its end without a gap: a gap behind a shadow is wanted too.
 */
static psh_status fill_owner(pshi_proposal *c, size_t k, size_t n) {
    pshi_owner *owner = &c->ground.owners[k];
    uint64_t end = owner->p->arc_last, above;
    const pshi_mark *m = c->marks;
    psh_status st = PSH_OK;
    size_t first, s;

    pshi_ground_within(&c->ground, k, &first, &s);
    for (;;) {
        above = s > first ? c->ground.inner[s - 1].last : owner->p->arc_first;
        for (; n && m[n - 1].cut > above; n--) {
            if (m[n - 1].cut > end || (n > 1 && m[n - 2].cut == m[n - 1].cut))
                continue; /* within what stands there; or another's too, which was first */
            st = want_child(c, &c->jobs[m[n - 1].job], owner, s, m[n - 1].cut, end);
            if (st != PSH_OK)
                return st;
            end = m[n - 1].cut - 1;
        }
        if (s == first || !n || m[n - 1].cut <= owner->p->arc_first)
            return PSH_OK;
        if (above < end)
            st = want_child(c, &c->jobs[m[n - 1].job], owner, s, above + 1, end);
        if (st != PSH_OK)
            return st;
        end = c->ground.inner[--s].first - 1;
    }
}

static psh_status fill_owners(pshi_proposal *c) {
    size_t k, n = c->mark_count;
    psh_status st = PSH_OK;

    for (k = c->ground.owner_count; st == PSH_OK && k-- > 0;) {
        while (n && c->marks[n - 1].cut > c->ground.owners[k].p->arc_last)
            n--;
        if (!c->ground.owners[k].is_fixed && n)
            st = fill_owner(c, k, n);
    }
    return st == PSH_END ? PSH_OK : st;
}

/* Rows came for ranges of an inner. */
static void mark_by_run(const pshi_origin *o, const pshi_job *j, pshi_inner *s) {
    uint64_t i = (uint64_t)j->interval - (uint64_t)o->run->interval;
    const pshi_range *ranges = o->run->ranges + o->run->offsets[i];
    uint32_t n = o->run->offsets[i + 1] - o->run->offsets[i], k = pshi_range_of(ranges, n, s->first);

    for (; k < n && ranges[k].first <= s->last; k++) {
        if (!ranges[k].rows)
            continue;
        s->is_due = 1;
        s->came += (double)ranges[k].rows * ((double)o->run->bytes / (double)o->run->rows);
    }
}

static int compare_marks(const void *x, const void *y) {
    const pshi_mark *a = x, *b = y;

    if (a->cut != b->cut)
        return a->cut < b->cut ? -1 : 1;
    return a->job < b->job ? -1 : a->job > b->job;
}

/* What a verdict asks for: a shadow that a cut falls into must be an owner before it can be cut, and one that
   should not be there before it can be merged. */
static void mark_by_edits(const pshi_proposal *c, pshi_inner *s) {
    size_t lo = 0, hi = c->mark_count, mid, i;
    const pshi_origin *o;
    const pshi_job *j;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (c->marks[mid].cut < s->first)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (s->is_stale && (lo == c->mark_count || c->marks[lo].cut != s->first))
        s->is_due = 1;
    for (; lo < c->mark_count && c->marks[lo].cut <= s->last; lo++)
        if (c->origins[c->jobs[c->marks[lo].job].origin].edit)
            s->is_due = 1;
    for (i = 0; s->is_due && i < c->group_count; i++) {
        j = &c->group[i];
        o = &c->origins[j->origin];
        if (o->kind == PSHI_FROM_EDIT)
            s->came += o->plan.bytes * pshi_outline_share(&o->plan, j->from, j->to) *
                       pshi_outline_mass(&o->plan, s->first, s->last);
    }
}

static void mark_inner(pshi_proposal *c) {
    size_t i, k;

    for (i = 0; i < c->ground.inner_count; i++) {
        for (k = 0; k < c->group_count; k++)
            if (c->origins[c->group[k].origin].run)
                mark_by_run(&c->origins[c->group[k].origin], &c->group[k], &c->ground.inner[i]);
        mark_by_edits(c, &c->ground.inner[i]);
    }
}

static void mark_owners(pshi_proposal *c, size_t n, int is_stale) {
    pshi_owner *owner;
    size_t i;

    for (i = 0; i < n; i++) {
        owner = pshi_ground_owner_at(&c->ground, c->cuts[i]);
        if (is_stale)
            pshi_ground_mark_stale(&c->ground, c->cuts[i]);
        else if (owner)
            owner->is_kept = 1;
    }
}

/* Where the ranges of an interval begin, but for the first. @return how many, or SIZE_MAX without memory. */
static size_t cuts_of(pshi_proposal *c, const pshi_job *j, const pshi_outline *plan) {
    uint32_t parts = pshi_outline_parts(plan, &c->b->o, j->from, j->to);
    size_t n = pshi_outline_cut(c->b->env, plan, parts, c->cuts);

    if (!n)
        return SIZE_MAX;
    memmove(c->cuts, c->cuts + 1, (n - 1) * sizeof *c->cuts);
    return n - 1;
}

static size_t cuts_of_run(pshi_proposal *c, const pshi_run *r, const pshi_job *j) {
    uint64_t i = (uint64_t)j->interval - (uint64_t)r->interval;
    size_t n = r->offsets[i + 1] - r->offsets[i], k;

    for (k = 1; k < n; k++)
        c->cuts[k - 1] = r->ranges[r->offsets[i] + k].first;
    return n - 1;
}

static psh_status push_marks(pshi_proposal *c, const pshi_job *j, size_t n) {
    void *marks = c->marks;
    psh_status st = pshi_reserve(c->b->env, &marks, &c->mark_cap, c->mark_count + n, sizeof *c->marks);
    size_t i;

    c->marks = marks;
    for (i = 0; st == PSH_OK && i < n; i++)
        c->marks[c->mark_count++] = (pshi_mark){ c->cuts[i], (uint32_t)(j - c->jobs), 0 };
    return st;
}

/* What one job has to say of the ranges of its interval. */
static psh_status mark_job(pshi_proposal *c, const pshi_job *j) {
    const pshi_origin *o = &c->origins[j->origin];
    size_t n = o->run ? cuts_of_run(c, o->run, j) : cuts_of(c, j, &o->plan);
    psh_status st = PSH_OK;

    if (n == SIZE_MAX)
        return PSH_E_NOMEM;
    mark_owners(c, n, o->kind == PSHI_FROM_BACK);
    if (o->kind != PSHI_FROM_BACK)
        st = push_marks(c, j, n);
    if (st != PSH_OK || !o->edit || (o->kind != PSHI_FROM_BACK && o->edit->kind != PSHI_EDIT_MIGRATE))
        return st;
    n = cuts_of(c, j, &o->edit->other);
    if (n == SIZE_MAX)
        return PSH_E_NOMEM;
    mark_owners(c, n, o->kind != PSHI_FROM_BACK);
    return PSH_OK;
}

static double width_of(uint64_t first, uint64_t last) {
    return (double)(last - first) + 1;
}

/* Old rows are taken to lie evenly, those of loads where they were counted. */
static psh_status want_split(pshi_proposal *c, const pshi_job *j, const pshi_owner *owner, const pshi_inner *s) {
    double part = width_of(s->first, s->last) / width_of(owner->p->arc_first, owner->p->arc_last);
    psh_want w = want_of(j, PSH_ACT_SPLIT_PARTITION, s->first, s->last);
    double bytes = (double)owner->p->bytes * part;

    w.subject = s->p->id;
    w.source = owner->p->id;
    w.node = s->p->node;
    w.tier = s->p->tier;
    w.ordinal = s->p->ordinal;
    w.generation = (uint64_t)s->p->created_at;
    w.step = w.steps = 1;
    w.resources.bytes = s->came > bytes ? s->came : bytes;
    w.cost = (double)owner->p->rows * part;
    w.benefit = w.cost;
    return psh_wants_add(c->out, &w, c->err);
}

/* From the right end: each split leaves its source ending where the next one does. */
static psh_status split_owner(pshi_proposal *c, const pshi_job *j, size_t k) {
    pshi_owner *owner = &c->ground.owners[k];
    uint64_t end = owner->p->arc_last;
    int is_ready = 1, is_due = 0;
    size_t first, last, i, due;
    psh_status st = PSH_OK;
    pshi_inner *s;

    pshi_ground_within(&c->ground, k, &first, &last);
    for (due = first; due < last && !c->ground.inner[due].is_due; due++) {
    }
    for (i = last; st == PSH_OK && i-- > first;) {
        s = &c->ground.inner[i];
        if (s->last != end || (s->p && s->p->state == PSH_PARTITION_SHADOW &&
                               !pshi_ground_has_node(c->world, s->p->node)))
            break;
        s->is_reached = 1;
        is_ready = is_ready && s->p && s->p->state == PSH_PARTITION_SHADOW;
        is_due = i >= due;
        if (is_ready && is_due && !owner->is_taken)
            st = want_split(c, j, owner, s);
        end = s->first - 1;
    }
    owner->is_busy |= last > first || owner->is_taken; /* its end will move */
    return st;
}

/* What the world says of the ranges of a run: rows of which should wait for a split. */
static void see_ranges(const pshi_proposal *c, const pshi_job *j) {
    pshi_run *r = c->origins[j->origin].run;
    uint64_t i = (uint64_t)j->interval - (uint64_t)r->interval;
    pshi_range *ranges = r->ranges + r->offsets[i];
    uint32_t n = r->offsets[i + 1] - r->offsets[i], k;
    const pshi_inner *s;
    size_t at;

    for (at = 0; at < c->ground.inner_count; at++) {
        s = &c->ground.inner[at];
        if (!s->is_reached)
            continue;
        for (k = pshi_range_of(ranges, n, s->first); k < n && ranges[k].first <= s->last; k++)
            ranges[k].was_seen = 1;
    }
}

static int may_merge(const pshi_owner *left, const pshi_owner *right) {
    if (!right->is_stale || right->is_kept || left->is_busy || right->is_busy || left->is_fixed || right->is_fixed)
        return 0;
    return left->p->node == right->p->node && left->p->tier == right->p->tier &&
           left->p->arc_last + 1 == right->p->arc_first;
}

/* One merge of an owner at a time: the next proposal sees what is left. */
static psh_status merge_owners(pshi_proposal *c, const pshi_job *j) {
    pshi_owner *left, *right;
    psh_status st = PSH_OK;
    psh_want w;
    size_t k;

    for (k = c->ground.owner_count; st == PSH_OK && k-- > 1;) {
        left = &c->ground.owners[k - 1];
        right = &c->ground.owners[k];
        if (!may_merge(left, right))
            continue;
        w = want_of(j, PSH_ACT_MERGE_PARTITION, left->p->arc_first, right->p->arc_last);
        w.subject = left->p->id;
        w.source = right->p->id;
        w.node = left->p->node;
        w.tier = left->p->tier;
        w.ordinal = left->p->ordinal;
        w.generation = (uint64_t)right->p->created_at;
        w.resources.bytes = (double)right->p->bytes;
        w.cost = (double)right->p->rows;
        left->is_busy = right->is_busy = 1;
        st = psh_wants_add(c->out, &w, c->err);
    }
    return st;
}

psh_status pshi_propose_interval(pshi_proposal *c, const pshi_job *jobs, size_t n) {
    psh_status st = pshi_ground_open(&c->ground, jobs->first, jobs->end);
    size_t i;

    c->group = jobs;
    c->group_count = n;
    c->mark_count = 0;
    for (i = 0; st == PSH_OK && i < n; i++)
        st = mark_job(c, &jobs[i]);
    if (st == PSH_OK && c->mark_count)
        qsort(c->marks, c->mark_count, sizeof *c->marks, compare_marks);
    if (st == PSH_OK)
        st = fill_owners(c);
    if (st == PSH_OK)
        mark_inner(c);
    for (i = c->ground.owner_count; st == PSH_OK && i-- > 0;)
        if (!c->ground.owners[i].is_fixed)
            st = split_owner(c, jobs, i);
    if (st != PSH_OK)
        return st;
    for (i = 0; i < n; i++)
        if (c->origins[jobs[i].origin].run)
            see_ranges(c, &jobs[i]);
    return merge_owners(c, jobs);
}
