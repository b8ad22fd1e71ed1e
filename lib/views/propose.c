/* SPDX-License-Identifier: MIT */
/* Which views are worth their upkeep, at what level, under the budget of bytes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "value/query.h"
#include "value/schema.h"
#include "value/wants.h"
#include "views/materializer.h"

/* Work of one group when a view is read: a comparison of ids, against a step of the engine for a row. */
#define GROUP_WORK 0.05
/* Groups per row of a view about which nothing is known yet. */
#define GROUPS_PER_ROW 0.3
/* Bytes of the values of one bag. */
#define BAG_BYTES (4.0 * PSHI_BAG_PLACE_BYTES)
/* The days over which the work of building is spread. */
#define BUILD_DAYS 7.0
/* A challenger must be this much better than what exists. */
#define HYSTERESIS 1.25
/* Keeps products of what callers give finite. */
#define BENEFIT_MAX 1e200
/* Steps of the integer score per doubling of benefit per byte. */
#define SCORE_STEPS 4096.0

/** One view that could be, or is. */
typedef struct candidate {
    uint64_t id;
    pshi_mview *view;       /* NULL: not there yet */
    psh_query *definition;  /* borrowed */
    uint32_t table;
    uint32_t level;
    int64_t reach_ns;
    uint32_t demanded;      /* the demand names it and it earns its upkeep */
    uint32_t chosen;
    uint32_t kept_level;    /* level and reach are those it has */
    uint32_t idle;          /* as it will be */
    double benefit;
    double cost;
    double confidence;
    double bytes;
    double upkeep;          /* a day, without building; of what the demand names */
    double intervals;       /* that bytes are of: those there are, and the one to come */
    int64_t interval_ns;
    int64_t score;
} candidate;

/** What the world and the demand say of one table. */
typedef struct table_load {
    double rows_per_day;
    double rows;      /* in intervals that a level wants */
    double missing;   /* of them, in intervals that the view does not hold */
    double intervals; /* that the level wants */
    double all_rows;
    int64_t oldest;   /* start of the oldest interval that holds rows */
} table_load;

static double days(int64_t from, int64_t to) {
    return ((double)to - (double)from) / (double)PSH_DAY;
}

/* Rows a day from the demand, else from what the world's partitions took. */
static double rows_per_day(const psh_demand *demand, const psh_world *world, uint32_t table) {
    double rows = 0, width = 0;
    psh_demand_entry e;
    size_t i, first, end;

    for (i = 0; psh_demand_get(demand, i, &e) == PSH_OK; i++) {
        if (e.kind != PSH_DEMAND_INTERVAL || e.table != table || e.to <= e.from)
            continue;
        rows += e.count;
        width += days(e.from, e.to);
    }
    if (width > 0)
        return rows / width;
    rows = 0;
    psh_world_partitions_between(world, table, PSH_TIME_MIN, PSH_TIME_MAX, &first, &end);
    for (i = first; i < end; i++) {
        const psh_partition *p = psh_world_partition(world, i);

        if (!pshi_owns_rows(p->state))
            continue;
        rows += (double)p->rows;
        if (p->ordinal == 0)
            width += days(p->time_from, p->time_to);
    }
    return width > 0 ? rows / width : 0;
}

static int covers(const pshi_mview *v, int64_t interval) {
    const pshi_part *p = v ? pshi_mview_part(v, interval) : NULL;

    return p && p->ready;
}

static table_load load_of(const psh_world *world, uint32_t table, const pshi_mview *v, int64_t start) {
    table_load t = { 0, 0, 0, 0, 0, PSH_TIME_MAX };
    int64_t last = 0;
    int any = 0;
    size_t i, end;

    psh_world_partitions_between(world, table, PSH_TIME_MIN, PSH_TIME_MAX, &i, &end);
    for (; i < end; i++) {
        const psh_partition *p = psh_world_partition(world, i);

        if (!pshi_owns_rows(p->state))
            continue;
        t.all_rows += (double)p->rows;
        if (p->time_from < t.oldest)
            t.oldest = p->time_from;
        if (p->time_to <= start)
            continue;
        t.rows += (double)p->rows;
        t.intervals += !any || p->interval != last;
        any = 1;
        last = p->interval;
        if (!covers(v, p->interval))
            t.missing += (double)p->rows;
    }
    return t;
}

static double group_bytes(const pshi_view_shape *s) {
    double n = s->group_bytes;
    uint32_t i;

    for (i = 0; i < s->measure_count; i++)
        n += s->measures[i].bag_at ? BAG_BYTES : 0;
    return n;
}

/* What this view showed, or showed when it was last there, or the mean of the views of its table, or a prior. */
static double groups_per_row(const psh_materializer *m, const candidate *c) {
    const pshi_past *past = pshi_past_find(m, c->id);
    uint64_t groups, rows, all_groups = 0, all_rows = 0;
    size_t i;

    for (i = 0; i < m->view_count; i++) {
        if (m->views[i]->table != c->table)
            continue;
        pshi_mview_size(m->views[i], &groups, &rows);
        if (m->views[i] == c->view && rows)
            return (double)groups / (double)rows;
        all_groups += groups;
        all_rows += rows;
    }
    if (past && past->groups_per_row > 0)
        return past->groups_per_row;
    return all_rows ? (double)all_groups / (double)all_rows : GROUPS_PER_ROW;
}

/* Bytes of a view over some rows: what it takes for those it holds, an estimate for the others. */
static double bytes_for(const psh_materializer *m, const candidate *c, const pshi_view_shape *s, double rows) {
    uint64_t groups, held;

    if (!c->view)
        return rows * groups_per_row(m, c) * group_bytes(s);
    pshi_mview_size(c->view, &groups, &held);
    if (!held)
        return (double)pshi_mview_bytes(c->view) + rows * groups_per_row(m, c) * group_bytes(s);
    return (double)pshi_mview_bytes(c->view) * (rows > 0 ? rows / (double)held : 1);
}

/* Up to whole intervals, so that it does not change with every query. */
static int64_t round_reach(const pshi_view_shape *s, int64_t reach) {
    int64_t n, r;

    if (reach <= 0)
        return s->interval_ns;
    n = reach / s->interval_ns + (reach % s->interval_ns != 0);
    return pshi_mul_i64(n, s->interval_ns, &r) ? INT64_MAX : r;
}

static void keep_level(candidate *c) {
    c->level = c->view->level;
    c->reach_ns = c->view->reach_ns;
    c->kept_level = 1;
}

/* As much as is asked for: all, or the latest intervals. What exists stays while it covers that without waste. */
static void choose_level(
    const psh_materializer *m, candidate *c, const pshi_view_shape *s, const psh_world *world, int64_t reach,
    int64_t now) {
    table_load all = load_of(world, c->table, c->view, PSH_TIME_NONE), part, has;
    pshi_mview *v = c->view;

    c->reach_ns = round_reach(s, reach);
    part = load_of(world, c->table, v, pshi_time_add(now, -c->reach_ns));
    c->level = part.rows < all.rows ? PSH_LEVEL_PARTIAL : PSH_LEVEL_FULL;
    if (c->level == PSH_LEVEL_FULL)
        c->reach_ns = 0;
    if (!v)
        return;
    has = load_of(world, c->table, v, pshi_reach_start(v->level, v->reach_ns, now));
    if (has.rows >= part.rows && has.rows <= part.rows * HYSTERESIS)
        keep_level(c);
    else if (has.rows > part.rows && bytes_for(m, c, s, has.rows) <= bytes_for(m, c, s, part.rows) * HYSTERESIS)
        keep_level(c);
}

static int64_t score_of(const candidate *c) {
    double bytes = c->bytes > 1 ? c->bytes : 1, ratio = c->benefit / bytes * (c->view ? HYSTERESIS : 1);

    return ratio > 0 ? (int64_t)llrint(log2(ratio) * SCORE_STEPS) : INT64_MIN;
}

/* Benefit, cost, bytes and level of what the demand asks for. */
static void weigh(
    const psh_materializer *m, candidate *c, const pshi_view_shape *s, const psh_demand_entry *e, double per_day,
    const psh_world *world, int64_t now) {
    table_load t;
    double width = days(e->from, e->to), groups, rows, span;

    choose_level(m, c, s, world, e->reach_ns, now);
    t = load_of(world, c->table, c->view, pshi_reach_start(c->level, c->reach_ns, now));
    rows = t.rows + per_day * (double)s->interval_ns / (double)PSH_DAY; /* and the interval to come */
    c->bytes = bytes_for(m, c, s, rows);
    /* One request reads the intervals that it reaches back to, of those there are. */
    span = (double)round_reach(s, e->reach_ns) / (double)s->interval_ns + 1;
    groups = rows * groups_per_row(m, c) * (span < t.intervals + 1 ? span / (t.intervals + 1) : 1);
    c->confidence = e->confidence;
    c->intervals = t.intervals + 1;
    c->upkeep = per_day * m->o.upkeep_work;
    c->interval_ns = s->interval_ns;
    if (width > 0 && e->work > groups * GROUP_WORK)
        c->benefit = fmin(e->confidence * e->count / width * (e->work - groups * GROUP_WORK), BENEFIT_MAX);
    c->cost = c->upkeep + t.missing * m->o.upkeep_work / BUILD_DAYS;
    if (c->view)
        c->demanded = c->benefit * HYSTERESIS >= c->upkeep * m->o.min_benefit;
    else
        c->demanded = c->benefit >= c->cost * m->o.min_benefit;
    c->demanded = c->demanded && c->benefit > 0 && e->count > 0;
    c->score = score_of(c);
}

/* A view that the demand does not name, or no longer for enough: what it earned once, less with every cycle. */
static void weigh_idle(const psh_materializer *m, candidate *c) {
    pshi_mview *v = c->view;
    int read = v->reads != v->reads_seen;

    c->idle = read || c->demanded ? 0 : v->idle < UINT32_MAX ? v->idle + 1 : v->idle;
    if (c->demanded)
        return;
    keep_level(c);
    c->bytes = (double)pshi_mview_bytes(v);
    c->benefit = c->idle >= m->o.unread_cycles ? 0 : v->benefit * (1 - (double)c->idle / m->o.unread_cycles);
    c->score = score_of(c);
}

static int by_score(const void *pa, const void *pb) {
    const candidate *a = pa, *b = pb;

    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/*
 * What does not fit as it is asked for: a view that is there stays as it is, if that fits; else the latest
 * intervals that there is room for, if these earn the upkeep.
 */
static int shrink(const psh_materializer *m, candidate *c, double left) {
    double fits = floor(left / c->bytes * c->intervals), share = (fits - 1) / c->intervals, cost;
    int64_t reach;

    if (!c->demanded || c->kept_level)
        return 0;
    if (c->view && (double)pshi_mview_bytes(c->view) <= left) {
        keep_level(c);
        c->bytes = (double)pshi_mview_bytes(c->view);
        return 1;
    }
    cost = c->upkeep + (c->cost - c->upkeep) * share;
    /* The interval to come is one of those that must fit. */
    if (fits < 2 || c->benefit * share < cost * m->o.min_benefit)
        return 0;
    if (pshi_mul_i64((int64_t)(fits - 1), c->interval_ns, &reach))
        return 0;
    c->level = PSH_LEVEL_PARTIAL;
    c->reach_ns = reach;
    c->bytes *= fits / c->intervals;
    c->benefit *= share;
    c->cost = cost;
    return 1;
}

/* What is left of the budget while views are chosen. */
typedef struct room {
    double bytes;
    uint32_t views;
} room;

static void take(candidate *c, room *left) {
    left->bytes -= c->bytes;
    left->views--;
    c->chosen = 1;
}

static int takes(const psh_materializer *m, candidate *c, room *left) {
    if (!left->views || (c->bytes > left->bytes && !shrink(m, c, left->bytes)))
        return 0;
    take(c, left);
    return 1;
}

/* What a view that exists is worth a day, and a new one with its building spread over days. */
static double worth(const candidate *c) {
    return c->benefit - (c->view ? c->upkeep : c->cost);
}

/*
 * Makes room for a new view by dropping the least of those that exist, if it is clearly worth more than all of
 * them: what was built is not thrown away for an estimate that sways from hour to hour.
 */
static int displace(candidate *list, size_t n, const candidate *c, room *left) {
    double freed = 0, lost = 0;
    size_t i = n, first = n;
    uint32_t views = 0;

    while (i-- > 0 && (left->bytes + freed < c->bytes || left->views + views == 0)) {
        if (!list[i].view || !list[i].chosen)
            continue;
        freed += list[i].bytes;
        lost += worth(&list[i]) > 0 ? worth(&list[i]) : 0;
        views++;
        first = i;
    }
    if (left->bytes + freed < c->bytes || left->views + views == 0 || worth(c) <= lost * HYSTERESIS)
        return 0;
    for (i = first; i < n; i++)
        if (list[i].view)
            list[i].chosen = 0;
    left->bytes += freed;
    left->views += views;
    return 1;
}

/* First what exists, but for what nobody reads or asks for; then what is new: where there is room, or instead. */
static void choose(const psh_materializer *m, candidate *list, size_t n) {
    room left = { (double)m->o.max_bytes, m->o.max_views };
    size_t i;

    qsort(list, n, sizeof *list, by_score);
    for (i = 0; i < n; i++)
        if (list[i].view && (list[i].demanded || list[i].idle < m->o.unread_cycles))
            (void)takes(m, &list[i], &left);
    for (i = 0; i < n; i++) {
        candidate *c = &list[i];

        if (c->view || !c->demanded)
            continue;
        if (left.views && c->bytes <= left.bytes)
            take(c, &left);
        else if (displace(list, n, c, &left))
            take(c, &left);
        else
            (void)takes(m, c, &left);
    }
}

static psh_status add_want(
    const psh_materializer *m, const candidate *c, const psh_demand *demand, psh_wants *out, psh_error *err) {
    const pshi_past *past = pshi_past_find(m, c->id);
    uint64_t begun = past ? past->begun : m->past_floor;
    int observed = psh_demand_source(demand) == PSH_DEMAND_OBSERVED;
    psh_want w;

    memset(&w, 0, sizeof w);
    w.subject = c->id;
    w.table = c->table;
    w.node = m->o.node;
    w.tier = PSH_NONE;
    w.not_before = PSH_TIME_MIN;
    w.deadline = PSH_TIME_MAX;
    w.resources.bytes = c->bytes;
    w.confidence = c->confidence;
    w.benefit = c->benefit;
    w.cost = c->cost;
    if (c->chosen) {
        w.kind = PSH_ACT_BUILD_VIEW;
        w.why = observed ? PSH_WHY_OBSERVED : PSH_WHY_FORECAST;
        w.level = c->level;
        w.reach_ns = c->reach_ns;
        w.definition = c->definition;
        w.generation = begun;
    } else {
        w.kind = PSH_ACT_DROP_VIEW;
        w.why = c->idle >= m->o.unread_cycles ? PSH_WHY_UNREAD : PSH_WHY_BUDGET;
        w.level = PSH_LEVEL_NONE;
        w.generation = begun ? begun - 1 : 0; /* the life that it ends */
    }
    return psh_wants_add(out, &w, err);
}

static candidate *find_candidate(candidate *list, size_t n, uint64_t id) {
    size_t i;

    for (i = 0; i < n; i++)
        if (list[i].id == id)
            return &list[i];
    return NULL;
}

/* The views there are, then what the demand names; of one view named twice the first, highest ranked, counts. */
static psh_status gather(
    psh_materializer *m, const psh_demand *demand, const psh_world *world, int64_t now, candidate *list,
    size_t *count) {
    uint32_t table = PSH_NONE; /* that per_day is of */
    double per_day = 0;
    psh_demand_entry e;
    psh_status st;
    size_t i;

    for (i = 0; i < m->view_count; i++) {
        list[i].id = m->views[i]->id;
        list[i].view = m->views[i];
        list[i].table = m->views[i]->table;
    }
    *count = m->view_count;
    for (i = 0; psh_demand_get(demand, i, &e) == PSH_OK; i++) {
        candidate *c;
        pshi_view_shape shape;

        if (e.kind != PSH_DEMAND_VIEW || !e.definition || e.table >= psh_schema_table_count(m->schema))
            continue;
        c = find_candidate(list, *count, e.id);
        if (c && (!c->view || c->definition))
            continue;
        st = pshi_view_shape_init(m->env, &shape, e.definition);
        if (st == PSH_E_INVALID)
            continue; /* no view can be made of it */
        if (st != PSH_OK)
            return st;
        if (!c)
            c = &list[(*count)++];
        c->id = e.id;
        c->table = e.table;
        c->definition = e.definition;
        if (table != e.table)
            per_day = rows_per_day(demand, world, e.table);
        table = e.table;
        weigh(m, c, &shape, &e, per_day, world, now);
        pshi_view_shape_free(m->env, &shape);
    }
    return PSH_OK;
}

static psh_status add_wants(
    const psh_materializer *m, const candidate *list, size_t n, const psh_demand *demand, psh_wants *out,
    psh_error *err) {
    size_t before = psh_wants_count(out), i;
    psh_status st = PSH_OK;

    for (i = 0; st == PSH_OK && i < n; i++) {
        int wants = list[i].chosen ? !list[i].view || !list[i].kept_level : list[i].view != NULL;

        if (wants)
            st = add_want(m, &list[i], demand, out, err);
    }
    if (st != PSH_OK)
        pshi_wants_truncate(out, before);
    return st;
}

static void note_cycle(const candidate *list, size_t n) {
    size_t i;

    for (i = 0; i < n; i++) {
        if (!list[i].view)
            continue;
        list[i].view->idle = list[i].idle;
        list[i].view->reads_seen = list[i].view->reads;
    }
}

psh_status psh_materializer_propose(
    psh_materializer *m, const psh_demand *demand, const psh_world *world, int64_t now, psh_wants *out,
    psh_error *err) {
    candidate *list;
    size_t n = 0, i;
    psh_status st;

    if (!m || !demand || !world || !out)
        return pshi_fail(err, PSH_E_INVALID, !m ? "m" : !demand ? "demand" : !world ? "world" : "out", "is NULL");
    list = pshi_calloc(m->env, m->view_count + psh_demand_count(demand) + 1, sizeof *list);
    if (!list)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the candidates");
    st = gather(m, demand, world, now, list, &n);
    if (st == PSH_OK) {
        for (i = 0; i < n; i++)
            if (list[i].view)
                weigh_idle(m, &list[i]);
        choose(m, list, n);
        st = add_wants(m, list, n, demand, out, err);
    } else {
        pshi_fail(err, st, "demand", psh_status_text(st));
    }
    if (st == PSH_OK)
        note_cycle(list, n);
    pshi_free(m->env, list);
    return st;
}
