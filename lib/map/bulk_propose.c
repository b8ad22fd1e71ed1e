/* SPDX-License-Identifier: MIT */
/* What bulk loads want of a world: shadows before they come, owners while they come, repairs afterwards. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "map/bulk_ground.h"
#include "value/wants.h"
#include "value/world.h"

/* Why ranges are wanted; also their order where one interval is of several. */
#define FROM_RUN 1u  /* a load under way */
#define FROM_NEXT 2u /* one that begins soon */
#define FROM_EDIT 3u /* left to do after one */
#define FROM_BACK 4u /* an override is over */

#define MISSES 3u /* a rhythm that failed so often in a row is none */

typedef struct origin {
    uint32_t kind;
    const pshi_load *load; /* NULL: of an edit */
    const pshi_edit *edit;
    pshi_run *run;
    pshi_outline plan;     /* points are borrowed */
    int64_t at;
    uint64_t id;
} origin;

/* One interval of an origin. */
typedef struct job {
    uint32_t table;
    uint32_t origin;
    int64_t interval;
    int64_t from;
    int64_t to;
    size_t first; /* partitions of the world */
    size_t end;
} job;

/* Where a range should begin. */
typedef struct mark {
    uint64_t cut;
    uint32_t job; /* the index of whose range it is */
    uint32_t reserved;
} mark;

typedef struct proposal {
    psh_bulk *b;
    const psh_world *world;
    int64_t now;
    psh_wants *out;
    psh_error *err;
    origin *origins;
    size_t origin_count;
    job *jobs;
    size_t job_count, job_cap;
    const job *group; /* the jobs of the interval at hand */
    size_t group_count;
    pshi_ground ground;
    mark *marks;      /* of all of them, by (cut, job) */
    size_t mark_count, mark_cap;
    uint64_t cuts[PSHI_BULK_PARTS]; /* of one job */
} proposal;

static double least(double a, double b) {
    return a < b ? a : b;
}

/* One whose host has not been heard of for the whole horizon has been given up. */
static int is_running(const psh_bulk *b, const pshi_load *l, int64_t now) {
    return l->run && now <= pshi_time_add(l->run->latest, b->o.horizon_ns);
}

static int is_next_due(const psh_bulk *b, const pshi_load *l, int64_t now, origin *o) {
    int64_t reach = b->o.lead_ns < b->o.horizon_ns ? b->o.lead_ns : b->o.horizon_ns, grace;

    if (!(l->flags & PSHI_LOAD_EXPECTED) || (l->run && !(l->flags & PSHI_LOAD_RENEWED)))
        return 0;
    pshi_load_aligned(l, now, &o->at, &o->plan.from, &o->plan.to);
    if (l->flags & PSHI_LOAD_RHYTHM && ((pshi_i128)o->at - l->at) / l->every >= MISSES)
        return 0;
    grace = l->every ? l->every / 2 : b->o.horizon_ns;
    return o->at <= pshi_time_add(now, reach) && now <= pshi_time_add(o->at, grace);
}

static void add_load(proposal *c, const pshi_load *l) {
    origin o = { .load = l, .plan = l->next, .id = l->id };

    if (is_next_due(c->b, l, c->now, &o)) {
        o.kind = FROM_NEXT;
        c->origins[c->origin_count++] = o;
    }
    if (!is_running(c->b, l, c->now))
        return;
    o.kind = FROM_RUN;
    o.run = l->run;
    o.plan = l->run->plan;
    o.at = l->run->begun;
    c->origins[c->origin_count++] = o;
}

static void add_edit(proposal *c, const pshi_edit *e) {
    origin o = { .kind = FROM_EDIT, .edit = e, .plan = e->want, .at = e->expires, .id = e->load };

    if (c->now >= e->expires && e->kind != PSHI_EDIT_OVERRIDE)
        return;
    if (c->now >= e->expires)
        o.kind = FROM_BACK;
    c->origins[c->origin_count++] = o;
}

static int compare_origins(const void *x, const void *y) {
    const origin *a = x, *b = y;

    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return a->edit < b->edit ? -1 : a->edit > b->edit; /* of one array, by age; else both NULL */
}

/* The earliest have the first claim on the budget; one that finds too little left gets nothing. */
static void spend_budget(proposal *c) {
    double left = (double)c->b->o.max_bytes;
    size_t i, kept = 0;

    for (i = 0; i < c->origin_count; i++) {
        if (c->origins[i].kind != FROM_BACK) {
            if (c->origins[i].plan.room > left)
                continue;
            left -= c->origins[i].plan.room;
        }
        c->origins[kept++] = c->origins[i];
    }
    c->origin_count = kept;
}

static psh_status find_origins(proposal *c) {
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
static uint32_t parts_of(const proposal *c, const origin *o, const psh_partition *p) {
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

static int has_owner(const proposal *c, size_t first, size_t end) {
    size_t i;

    for (i = first; i < end; i++)
        if (pshi_partition_owns(psh_world_partition(c->world, i)))
            return 1;
    return 0;
}

static psh_status add_job(proposal *c, const origin *o, size_t first, size_t end) {
    const psh_partition *p = psh_world_partition(c->world, first);
    void *jobs = c->jobs;
    psh_status st;

    if (parts_of(c, o, p) < 2 || !has_owner(c, first, end))
        return PSH_OK;
    st = pshi_reserve(c->b->env, &jobs, &c->job_cap, c->job_count + 1, sizeof *c->jobs);
    c->jobs = jobs;
    if (st == PSH_OK)
        c->jobs[c->job_count++] = (job){ p->table, (uint32_t)(o - c->origins), p->interval, p->time_from,
                                         p->time_to, first, end };
    return st;
}

/* The intervals of an origin that the world has. */
static psh_status find_jobs(proposal *c, const origin *o) {
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
    const job *a = x, *b = y;

    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    if (a->interval != b->interval)
        return a->interval < b->interval ? -1 : 1;
    return a->origin < b->origin ? -1 : a->origin > b->origin;
}

static psh_want want_of(const job *j, uint32_t kind, uint64_t first, uint64_t last) {
    psh_want w = { .kind = kind, .why = PSH_WHY_BULK, .table = j->table, .node = PSH_NONE, .tier = PSH_NONE,
                   .subject = psh_partition_id(j->table, j->interval, first), .interval = j->interval,
                   .time_from = j->from, .time_to = j->to, .arc_first = first, .arc_last = last, .confidence = 1,
                   .not_before = PSH_TIME_MIN, .deadline = PSH_TIME_MAX };

    return w;
}

/* All loads of the interval may have rows for an arc. */
static void add_amounts(const proposal *c, psh_want *w) {
    const origin *o;
    double share, seconds;
    size_t i;

    for (i = 0; i < c->group_count; i++) {
        o = &c->origins[c->group[i].origin];
        if (o->kind == FROM_BACK)
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
    proposal *c, const job *j, pshi_owner *owner, size_t at, uint64_t first, uint64_t last) {
    const origin *o = &c->origins[j->origin];
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
static psh_status fill_owner(proposal *c, size_t k, size_t n) {
    pshi_owner *owner = &c->ground.owners[k];
    uint64_t end = owner->p->arc_last, above;
    const mark *m = c->marks;
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

static psh_status fill_owners(proposal *c) {
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
static void mark_by_run(const origin *o, const job *j, pshi_inner *s) {
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
    const mark *a = x, *b = y;

    if (a->cut != b->cut)
        return a->cut < b->cut ? -1 : 1;
    return a->job < b->job ? -1 : a->job > b->job;
}

/* What a verdict asks for: a shadow that a cut falls into must be an owner before it can be cut, and one that
   should not be there before it can be merged. */
static void mark_by_edits(const proposal *c, pshi_inner *s) {
    size_t lo = 0, hi = c->mark_count, mid, i;
    const origin *o;
    const job *j;

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
        if (o->kind == FROM_EDIT)
            s->came += o->plan.bytes * pshi_outline_share(&o->plan, j->from, j->to) *
                       pshi_outline_mass(&o->plan, s->first, s->last);
    }
}

static void mark_inner(proposal *c) {
    size_t i, k;

    for (i = 0; i < c->ground.inner_count; i++) {
        for (k = 0; k < c->group_count; k++)
            if (c->origins[c->group[k].origin].run)
                mark_by_run(&c->origins[c->group[k].origin], &c->group[k], &c->ground.inner[i]);
        mark_by_edits(c, &c->ground.inner[i]);
    }
}

static void mark_owners(proposal *c, size_t n, int is_stale) {
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
static size_t cuts_of(proposal *c, const job *j, const pshi_outline *plan) {
    uint32_t parts = pshi_outline_parts(plan, &c->b->o, j->from, j->to);
    size_t n = pshi_outline_cut(c->b->env, plan, parts, c->cuts);

    if (!n)
        return SIZE_MAX;
    memmove(c->cuts, c->cuts + 1, (n - 1) * sizeof *c->cuts);
    return n - 1;
}

static size_t cuts_of_run(proposal *c, const pshi_run *r, const job *j) {
    uint64_t i = (uint64_t)j->interval - (uint64_t)r->interval;
    size_t n = r->offsets[i + 1] - r->offsets[i], k;

    for (k = 1; k < n; k++)
        c->cuts[k - 1] = r->ranges[r->offsets[i] + k].first;
    return n - 1;
}

static psh_status push_marks(proposal *c, const job *j, size_t n) {
    void *marks = c->marks;
    psh_status st = pshi_reserve(c->b->env, &marks, &c->mark_cap, c->mark_count + n, sizeof *c->marks);
    size_t i;

    c->marks = marks;
    for (i = 0; st == PSH_OK && i < n; i++)
        c->marks[c->mark_count++] = (mark){ c->cuts[i], (uint32_t)(j - c->jobs), 0 };
    return st;
}

/* What one job has to say of the ranges of its interval. */
static psh_status mark_job(proposal *c, const job *j) {
    const origin *o = &c->origins[j->origin];
    size_t n = o->run ? cuts_of_run(c, o->run, j) : cuts_of(c, j, &o->plan);
    psh_status st = PSH_OK;

    if (n == SIZE_MAX)
        return PSH_E_NOMEM;
    mark_owners(c, n, o->kind == FROM_BACK);
    if (o->kind != FROM_BACK)
        st = push_marks(c, j, n);
    if (st != PSH_OK || !o->edit || (o->kind != FROM_BACK && o->edit->kind != PSHI_EDIT_MIGRATE))
        return st;
    n = cuts_of(c, j, &o->edit->other);
    if (n == SIZE_MAX)
        return PSH_E_NOMEM;
    mark_owners(c, n, o->kind != FROM_BACK);
    return PSH_OK;
}

static double width_of(uint64_t first, uint64_t last) {
    return (double)(last - first) + 1;
}

/* Old rows are taken to lie evenly, those of loads where they were counted. */
static psh_status want_split(proposal *c, const job *j, const pshi_owner *owner, const pshi_inner *s) {
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
static psh_status split_owner(proposal *c, const job *j, size_t k) {
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
static void see_ranges(const proposal *c, const job *j) {
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
static psh_status merge_owners(proposal *c, const job *j) {
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

/* All jobs of one interval. */
static psh_status propose_interval(proposal *c, const job *jobs, size_t n) {
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

static psh_status propose_all(proposal *c) {
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
        st = propose_interval(c, &c->jobs[i], end - i);
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
    proposal *c;
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
