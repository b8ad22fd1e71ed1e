/* SPDX-License-Identifier: MIT */
/* What a map wants: quarantines, partitions ahead of their intervals, activations, seals. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "map/propose.h"
#include "value/wants.h"

#define MOST_AMOUNT 0x1p120 /* rows or bytes, so that sums and rates of them stay finite */

static int compare_expected(const void *x, const void *y) {
    const pshi_expected *a = x, *b = y;

    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    if (a->interval != b->interval)
        return a->interval < b->interval ? -1 : 1;
    return a->bytes > b->bytes ? -1 : a->bytes < b->bytes;
}

static double at_most_amount(double x) {
    return x < MOST_AMOUNT ? x : MOST_AMOUNT;
}

/* A tenant of which more is expected than usual, as likely as not. */
static void take_zone(pshi_proposal *c, const psh_demand_entry *e) {
    double seconds = ((double)e->to - (double)e->from) * 1e-9;

    if (e->subject.kind != PSH_SUBJECT_TENANT || e->confidence < 0.5 || !(seconds > 0))
        return;
    c->zones[c->zone_count++] =
        (pshi_zone){ e->table, e->subject.id, e->from, e->to, at_most_amount(e->upper) / seconds };
}

/* A tenant of hardly any rows has the share of the least number there may be: its sum must not be 0. */
static void take_entry(pshi_proposal *c, const psh_demand_entry *e) {
    double rows = at_most_amount(e->count);

    if (e->kind == PSH_DEMAND_INTERVAL)
        c->intervals[c->interval_count++] =
            (pshi_expected){ e->table, e->reason == PSH_REASON_NONE, (int64_t)e->id, at_most_amount(e->upper),
                             at_most_amount(e->bytes_upper) };
    if (e->kind == PSH_DEMAND_ZONE)
        take_zone(c, e);
    if (e->kind == PSH_DEMAND_TENANT && e->count > 0)
        c->weights[c->weight_count++] =
            (pshi_weight){ psh_ring_point(e->id, 0), e->id, rows > 1 / MOST_AMOUNT ? rows : 1 / MOST_AMOUNT, 0,
                           e->table };
}

static psh_status read_demand(pshi_proposal *c) {
    size_t n = c->demand ? psh_demand_count(c->demand) : 0, i;
    psh_demand_entry e;

    c->intervals = pshi_calloc(c->m->env, n, sizeof *c->intervals);
    c->weights = pshi_calloc(c->m->env, n, sizeof *c->weights);
    c->placed = pshi_calloc(c->m->env, n, sizeof *c->placed);
    c->zones = pshi_calloc(c->m->env, n, sizeof *c->zones);
    c->pieces = pshi_calloc(c->m->env, PSHI_MAP_MAX_ARCS, sizeof *c->pieces);
    c->node_load = pshi_calloc(c->m->env, c->m->node_count, sizeof *c->node_load);
    c->used_cap = 2 * (size_t)c->m->o.max_changes;
    c->used = pshi_calloc(c->m->env, c->used_cap, sizeof *c->used);
    c->cuts = pshi_calloc(c->m->env, c->used_cap, sizeof *c->cuts);
    if (!c->used || !c->cuts)
        return pshi_fail(c->err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    if (!c->intervals || !c->weights || !c->placed || !c->zones || !c->pieces || !c->node_load)
        return pshi_fail(c->err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    for (i = 0; i < n; i++)
        if (psh_demand_get(c->demand, i, &e) == PSH_OK)
            take_entry(c, &e);
    if (c->interval_count)
        qsort(c->intervals, c->interval_count, sizeof *c->intervals, compare_expected);
    pshi_weights_sort(c->weights, c->weight_count);
    return PSH_OK;
}

const pshi_expected *pshi_expected_of(const pshi_proposal *c, uint32_t table, int64_t interval) {
    pshi_expected key = { table, 0, interval, 0, HUGE_VAL }; /* sorts before all of its interval */
    size_t lo = 0, hi = c->interval_count, mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (compare_expected(&c->intervals[mid], &key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == c->interval_count || c->intervals[lo].table != table || c->intervals[lo].interval != interval)
        return NULL;
    return &c->intervals[lo];
}

/* Where a segment gives tenants another place from this interval on, they are sorted anew. */
static void place_by_segment(pshi_proposal *c, pshi_slice *s) {
    const psh_assignment *a;
    size_t i;

    if (c->placed_table == s->table && c->placed_from == s->from) {
        s->weights = c->placed;
        return;
    }
    c->placed_table = s->table;
    c->placed_from = s->from;
    for (i = 0; i < s->weight_count; i++) {
        c->placed[i] = s->weights[i];
        a = pshi_map_assigned(c->m, s->table, s->weights[i].tenant, s->from);
        c->placed[i].point = psh_ring_point(s->weights[i].tenant, a ? a->segment : 0);
    }
    pshi_weights_sort(c->placed, s->weight_count);
    s->weights = c->placed;
}

static size_t first_weight(const pshi_proposal *c, uint32_t table) {
    size_t low = 0, high = c->weight_count, mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (c->weights[mid].table < table)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void pshi_find_weights(pshi_proposal *c, pshi_slice *s) {
    size_t i = first_weight(c, s->table);

    s->weights = c->weights + i;
    s->weight_count = (s->table == UINT32_MAX ? c->weight_count : first_weight(c, s->table + 1)) - i;
    if (s->weight_count && pshi_map_has_assignments(c->m, s->table))
        place_by_segment(c, s);
}

psh_want pshi_want_of(const psh_partition *p, uint32_t kind, uint32_t why) {
    psh_want w = { .kind = kind, .why = why, .subject = p->id, .table = p->table, .node = p->node,
                   .tier = p->tier, .interval = p->interval, .time_from = p->time_from, .time_to = p->time_to,
                   .arc_first = p->arc_first, .arc_last = p->arc_last, .confidence = 1,
                   .not_before = PSH_TIME_MIN, .deadline = PSH_TIME_MAX, .ordinal = p->ordinal };

    return w;
}

/* An interval that has not begun must be ready when it does; one that has, before it ends, if it still can. */
static int64_t deadline_of(const pshi_proposal *c, int64_t from, int64_t to) {
    if (from > c->now)
        return from;
    return to > c->now ? to : PSH_TIME_MAX;
}

static int is_activation_due(const pshi_proposal *c, int64_t from) {
    return from <= pshi_time_add(c->now, c->m->o.activate_lead_ns);
}

static psh_status want_quarantine(pshi_proposal *c, uint32_t table) {
    psh_partition p = { .id = psh_quarantine_id(table), .table = table, .flags = PSH_PARTITION_QUARANTINE,
                        .node = PSH_NONE, .tier = PSH_NONE, .arc_last = UINT64_MAX };
    size_t at = pshi_map_lower(c->m, &p);
    psh_want w = pshi_want_of(&p, PSH_ACT_CREATE_PARTITION, PSH_WHY_INTERVAL_BEGINS);
    psh_status st;

    if (at < c->m->count && pshi_map_slot(c->m, at)->p.id == p.id)
        return PSH_OK;
    if (c->alive >= c->m->o.max_partitions)
        return PSH_OK;
    c->alive++;
    st = psh_wants_add(c->out, &w, c->err);
    if (st != PSH_OK)
        return st;
    w.kind = PSH_ACT_ACTIVATE_PARTITION;
    return psh_wants_add(c->out, &w, c->err);
}

static size_t arcs_wanted(const pshi_proposal *c, const pshi_slice *s) {
    const psh_map_options *o = &c->m->o;
    double n;

    if (!s->known)
        return o->default_arcs;
    n = ceil(s->known->bytes / (double)o->target_bytes);
    return n < 1 ? 1 : n > o->max_arcs ? o->max_arcs : (size_t)n;
}

/* Ordinals are unique in an interval, since they name the host's tables. */
uint32_t pshi_free_ordinal(uint64_t used[PSHI_MAP_MAX_ARCS / 64]) {
    uint32_t i = 0;

    while (i < PSHI_MAP_MAX_ARCS && used[i / 64] >> i % 64 & 1)
        i++;
    if (i < PSHI_MAP_MAX_ARCS)
        used[i / 64] |= UINT64_C(1) << i % 64;
    return i;
}

/* @return 0 when the interval can take no further arc. */
static int add_piece(pshi_proposal *c, const pshi_slice *s, uint64_t *used, uint64_t first, uint64_t last) {
    double share = pshi_arcs_share(s->weights, s->weight_count, first, last);
    uint32_t ordinal = pshi_free_ordinal(used);

    if (ordinal == PSHI_MAP_MAX_ARCS)
        return 0;
    c->pieces[c->piece_count++] =
        (pshi_piece){ first, last, ordinal, share * s->bytes };
    return 1;
}

/* Fills one hole first..last, cut where the interval would be cut, at most *spare times. */
static int fill_hole(
    pshi_proposal *c, const pshi_slice *s, uint64_t *used, size_t cuts, size_t *spare, uint64_t first, uint64_t last) {
    size_t k;

    for (k = 0; k < cuts && *spare && c->first[k] <= last; k++) {
        if (c->first[k] <= first)
            continue;
        if (!add_piece(c, s, used, first, c->first[k] - 1))
            return 0;
        first = c->first[k];
        --*spare;
    }
    return add_piece(c, s, used, first, last);
}

/* The holes between slots at..end-1, one after the other. @return how many there are. */
static size_t count_holes(const psh_map *m, size_t at, size_t end) {
    uint64_t next = 0;
    size_t holes = 0, i;
    int any = 0;

    for (i = at; i < end; i++) {
        if (pshi_map_is_child(pshi_map_slot(m, i)))
            continue;
        holes += pshi_map_slot(m, i)->p.arc_first > next;
        next = pshi_map_slot(m, i)->p.arc_last + 1;
        any = 1;
    }
    return holes + (!any || next != 0);
}

/*
 * The arcs an interval lacks. A fresh one has a single hole, the whole ring; one of which some creations
 * failed, or found no room, has the holes that they left.
 */
static int find_pieces(pshi_proposal *c, const pshi_slice *s, size_t at, size_t end) {
    uint64_t used[PSHI_MAP_MAX_ARCS / 64] = { 0 }, next = 0;
    size_t holes = count_holes(c->m, at, end), cuts, spare, i;
    const psh_partition *p;

    c->piece_count = 0;
    if (!holes)
        return 1;
    cuts = pshi_arcs_cut(s->weights, s->weight_count, arcs_wanted(c, s), c->first);
    spare = end - at + holes < c->m->o.max_arcs ? c->m->o.max_arcs - (end - at) - holes : 0;
    for (i = at; i < end; i++)
        used[pshi_map_slot(c->m, i)->p.ordinal / 64] |= UINT64_C(1) << pshi_map_slot(c->m, i)->p.ordinal % 64;
    for (i = at; i < end; i++) {
        p = &pshi_map_slot(c->m, i)->p;
        if (pshi_map_is_child(pshi_map_slot(c->m, i)))
            continue;
        if (p->arc_first > next && !fill_hole(c, s, used, cuts, &spare, next, p->arc_first - 1))
            return 0;
        next = p->arc_last + 1;
    }
    return at < end && !next ? 1 : fill_hole(c, s, used, cuts, &spare, next, UINT64_MAX);
}

static double pieces_bytes(const pshi_proposal *c) {
    double sum = 0;
    size_t i;

    for (i = 0; i < c->piece_count; i++)
        sum += c->pieces[i].bytes;
    return sum;
}

static uint32_t why_create(const pshi_proposal *c, const pshi_slice *s) {
    if (!s->known)
        return PSH_WHY_INTERVAL_BEGINS;
    return psh_demand_source(c->demand) == PSH_DEMAND_OBSERVED ? PSH_WHY_OBSERVED : PSH_WHY_FORECAST;
}

/* Where nodes are told: the one that is up and has least planned for it, for what it can carry. */
static uint32_t prefer_node(pshi_proposal *c, double load) {
    const psh_map_node *n = c->m->nodes;
    size_t best = SIZE_MAX, i;

    for (i = 0; i < c->m->node_count; i++)
        if (n[i].state == PSH_MAP_NODE_UP &&
            (best == SIZE_MAX || c->node_load[i] / n[i].capacity < c->node_load[best] / n[best].capacity))
            best = i;
    if (best == SIZE_MAX)
        return PSH_NONE;
    c->node_load[best] += load + n[best].capacity * 0x1p-40; /* so that empty ones are taken in turn */
    return n[best].node;
}

static psh_status want_piece(pshi_proposal *c, const pshi_slice *s, const pshi_piece *x) {
    psh_partition p = { .id = psh_partition_id(s->table, s->interval, x->first), .table = s->table,
                        .node = PSH_NONE, .tier = PSH_NONE, .ordinal = x->ordinal, .interval = s->interval,
                        .time_from = s->from, .time_to = s->to, .arc_first = x->first, .arc_last = x->last };
    psh_want w = pshi_want_of(&p, PSH_ACT_CREATE_PARTITION, why_create(c, s));
    double seconds = (double)(s->to - s->from) * 1e-9;
    double rows = s->known ? s->known->rows * pshi_arcs_share(s->weights, s->weight_count, x->first, x->last) : 0;
    psh_status st;

    w.deadline = deadline_of(c, s->from, s->to);
    w.confidence = s->known ? psh_demand_quantile(c->demand) : 0;
    w.resources.bytes = x->bytes;
    w.resources.writes_per_s = rows / seconds;
    w.resources.bytes_per_s = x->bytes / seconds;
    w.benefit = rows / seconds * 86400;
    w.node = prefer_node(c, rows / seconds);
    st = psh_wants_add(c->out, &w, c->err);
    if (st != PSH_OK || !is_activation_due(c, s->from))
        return st;
    w.kind = PSH_ACT_ACTIVATE_PARTITION;
    w.why = PSH_WHY_INTERVAL_BEGINS;
    w.confidence = 1;
    memset(&w.resources, 0, sizeof w.resources);
    return psh_wants_add(c->out, &w, c->err);
}

/* @param full  set when a budget is reached: nothing later is planned for the table. */
static psh_status want_interval(pshi_proposal *c, pshi_slice *s, int *full) {
    psh_partition key = { .table = s->table, .interval = s->interval };
    const psh_map *m = c->m;
    size_t at = pshi_map_lower(m, &key), end = at, i;
    psh_status st = PSH_OK;
    double bytes;

    while (end < m->count && pshi_map_slot(m, end)->p.table == s->table && !pshi_map_slot(m, end)->p.flags &&
           pshi_map_slot(m, end)->p.interval == s->interval)
        end++;
    if (at < end && pshi_map_slot(m, at)->gone)
        return PSH_OK;
    s->known = pshi_expected_of(c, s->table, s->interval);
    pshi_find_weights(c, s);
    s->bytes = s->known ? s->known->bytes : s->before;
    *full = !find_pieces(c, s, at, end) || c->alive + c->piece_count > m->o.max_partitions;
    bytes = s->from > c->now ? pieces_bytes(c) : 0;
    if (c->piece_count && bytes > 0 && c->ahead + bytes > (double)m->o.max_bytes)
        *full = 1;
    if (*full)
        return PSH_OK;
    c->alive += c->piece_count;
    c->ahead += bytes;
    for (i = 0; st == PSH_OK && i < c->piece_count; i++)
        st = want_piece(c, s, &c->pieces[i]);
    return st;
}

/* Bytes of the latest interval before one, of which some partition is left: what the next will bring, for all
   that is known without a forecast. */
static double bytes_before(const psh_map *m, uint32_t table, int64_t interval) {
    psh_partition key = { .table = table, .interval = interval };
    size_t i = pshi_map_lower(m, &key);
    int64_t last = i ? pshi_map_slot(m, i - 1)->p.interval : 0;
    const psh_partition *p;
    double sum = 0;

    for (; i > 0; i--) {
        p = &pshi_map_slot(m, i - 1)->p;
        if (p->table != table || p->interval != last)
            break;
        sum += (double)p->bytes;
    }
    return sum;
}

/* How long before it begins an interval is wanted: lead_ns, and twice the time that its creations take. */
static int64_t lead_of(const pshi_proposal *c, pshi_slice *s) {
    const psh_map_options *o = &c->m->o;
    double creating;
    int64_t lead;

    s->known = pshi_expected_of(c, s->table, s->interval);
    creating = 2 * (double)o->create_ns * (double)arcs_wanted(c, s);
    lead = pshi_time_add(o->lead_ns, creating < 0x1p62 ? (int64_t)creating : INT64_MAX);
    return lead < o->horizon_ns ? lead : o->horizon_ns;
}

/* With `ahead` the intervals that have yet to begin, else the one that holds now. */
static psh_status want_intervals(pshi_proposal *c, uint32_t table, int ahead) {
    pshi_slice s = { .table = table };
    psh_status st = PSH_OK;
    int full = 0;

    st = psh_schema_interval(c->m->schema, table, c->now, &s.interval, &s.from, &s.to);
    if (st != PSH_OK)
        return pshi_fail(c->err, st, "now", "is outside the intervals of a table");
    s.before = bytes_before(c->m, table, s.interval);
    if (!ahead)
        return want_interval(c, &s, &full);
    while (st == PSH_OK && !full) {
        /* The last interval of all time has none after it. */
        if (psh_schema_interval(c->m->schema, table, s.to, &s.interval, &s.from, &s.to) != PSH_OK)
            break;
        if (s.from > pshi_time_add(c->now, lead_of(c, &s)))
            break;
        st = want_interval(c, &s, &full);
    }
    return st;
}

/* What is due of a slot that is there and on which nothing is under way. */
static psh_status want_due(pshi_proposal *c, const pshi_slot *s) {
    const psh_partition *p = &s->p;
    psh_want w;

    if (s->pending || s->partner || s->owed)
        return PSH_OK;
    if (s->gone) {
        /* A drop that failed after another of its interval succeeded: no world shows it, so it is wanted here. */
        w = pshi_want_of(p, PSH_ACT_DROP_PARTITION, PSH_WHY_RETENTION);
        w.generation = s->stamp;
    } else if (p->state == PSH_PARTITION_SHADOW && !pshi_map_is_child(s) &&
               (p->flags || is_activation_due(c, p->time_from))) {
        w = pshi_want_of(p, PSH_ACT_ACTIVATE_PARTITION, PSH_WHY_INTERVAL_BEGINS);
        w.deadline = p->flags ? PSH_TIME_MAX : deadline_of(c, p->time_from, p->time_to);
    } else if (p->state == PSH_PARTITION_ACTIVE && !p->flags &&
               pshi_time_add(p->time_to, c->m->o.lateness_ns) <= c->now) {
        w = pshi_want_of(p, PSH_ACT_SEAL_PARTITION, PSH_WHY_INTERVAL_OVER);
        w.generation = (s->stamp << 16) + s->reopens;
    } else {
        return PSH_OK;
    }
    return psh_wants_add(c->out, &w, c->err);
}

static psh_status propose_map(pshi_proposal *c) {
    uint32_t tables = (uint32_t)psh_schema_table_count(c->m->schema), t;
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; i < c->m->count; i++)
        if (pshi_map_slot(c->m, i)->p.time_from > c->now && !pshi_map_slot(c->m, i)->p.flags)
            c->ahead += (double)pshi_map_slot(c->m, i)->p.bytes_planned;
    for (t = 0; st == PSH_OK && t < tables; t++)
        st = want_quarantine(c, t);
    for (t = 0; st == PSH_OK && t < tables; t++)
        st = want_intervals(c, t, 0);
    for (t = 0; st == PSH_OK && t < tables; t++)
        st = want_intervals(c, t, 1);
    for (i = 0; st == PSH_OK && i < c->m->count; i++)
        st = want_due(c, pshi_map_slot(c->m, i));
    if (st == PSH_OK)
        st = pshi_reshard_propose(c);
    return st;
}

psh_status psh_map_propose(psh_map *m, const psh_demand *demand, int64_t now, psh_wants *out, psh_error *err) {
    pshi_proposal *c;
    size_t before;
    psh_status st;

    if (!m || !out)
        return pshi_fail(err, PSH_E_INVALID, m ? "out" : "m", "is NULL");
    if (now == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "now", "must be a time");
    c = pshi_calloc(m->env, 1, sizeof *c);
    if (!c)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    c->m = m;
    c->demand = demand;
    c->out = out;
    c->err = err;
    c->now = now;
    c->alive = m->count;
    c->placed_table = PSH_NONE;
    before = psh_wants_count(out);
    st = read_demand(c);
    if (st == PSH_OK)
        st = propose_map(c);
    if (st != PSH_OK)
        pshi_wants_truncate(out, before);
    pshi_free(m->env, c->intervals);
    pshi_free(m->env, c->weights);
    pshi_free(m->env, c->used);
    pshi_free(m->env, c->cuts);
    pshi_free(m->env, c->placed);
    pshi_free(m->env, c->zones);
    pshi_free(m->env, c->node_load);
    pshi_free(m->env, c->pieces);
    pshi_free(m->env, c);
    return st;
}
