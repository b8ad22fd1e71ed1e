/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "autopilot/autopilot.h"
#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "drive/driver.h"
#include "map/map.h"

static double view_reads(const psh_autopilot *a, uint64_t view) {
    psh_view_info info;
    size_t i;

    for (i = 0; a->parts.materializer && psh_materializer_view(a->parts.materializer, i, &info) == PSH_OK; i++)
        if (info.id == view)
            return (double)info.reads;
    return 0;
}

/* The library's own work: done when it is handed out. */
static void act_on_view(psh_autopilot *a, const psh_completion *c, int64_t now) {
    psh_status st = PSH_E_UNSUPPORTED;

    if (c->action.want.kind == PSH_ACT_DROP_VIEW)
        pshi_audit_outcome(a, c->action.want.subject, view_reads(a, c->action.want.subject));
    if (a->parts.materializer)
        st = psh_materializer_begin(a->parts.materializer, &c->action);
    psh_driver_complete(a->parts.driver, c->action.id, st, now);
}

/* Rows of this interval that were written before its partitions existed lie in the quarantine. */
static int quarantine_holds(const psh_autopilot *a, const psh_want *want) {
    const psh_partition *p;
    size_t i;

    for (i = 0; (p = psh_map_get(a->parts.map, i)) != NULL; i++)
        if (p->flags & PSH_PARTITION_QUARANTINE && p->table == want->table && p->rows > 0 &&
            p->time_from < want->time_to && p->time_to > want->time_from)
            return 1;
    return 0;
}

/* Remembers what the materializer has to hear; room was made when the action was accepted. */
static psh_status owe(psh_autopilot *a, const psh_action *action) {
    psh_cdc_state state = { .struct_size = sizeof state };
    pshi_owed *o = &a->owed[a->owed_count];
    psh_status st = PSH_OK;

    if (a->has_cdc)
        st = psh_driver_source_state(a->parts.driver, &state, NULL);
    /* Without a position a new interval cannot open empty: a fill will make its parts. */
    if (action->want.kind == PSH_ACT_CREATE_PARTITION && (st != PSH_OK || !a->has_cdc))
        return st;
    memset(o, 0, sizeof *o);
    o->action.id = action->id;
    o->action.fence = action->fence;
    o->action.want = action->want;
    o->action.want.definition = NULL;
    o->source = state.source;
    o->position = state.position;
    o->commit_time = state.commit_time;
    a->owed_count++;
    return st;
}

static double rows_of(const psh_autopilot *a, uint64_t partition) {
    const pshi_slot *s = pshi_map_find(a->parts.map, partition);

    return s ? (double)s->p.rows : 0;
}

/* A shadow within the arc of an owner takes nothing from its interval when it goes. */
static int is_spare(const psh_autopilot *a, uint64_t partition) {
    const pshi_slot *s = pshi_map_find(a->parts.map, partition);

    return s && pshi_map_is_child(s);
}

/*
 * Parts of views are of whole intervals: a split, merge or copy within one changes nothing for them. Only what
 * makes an interval, or takes one away, does.
 */
static int concerns_views(const psh_autopilot *a, const psh_want *want) {
    if (want->kind == PSH_ACT_CREATE_PARTITION)
        return !want->source && !quarantine_holds(a, want);
    return want->kind == PSH_ACT_DROP_PARTITION && !is_spare(a, want->subject);
}

static psh_status partition_ended(psh_autopilot *a, const psh_completion *c, int64_t now) {
    const psh_want *want = &c->action.want;
    psh_status st, owing = PSH_OK;

    if (want->kind == PSH_ACT_DROP_PARTITION && c->status == PSH_OK)
        pshi_audit_outcome(a, want->subject, rows_of(a, want->subject));
    if (want->kind == PSH_ACT_MERGE_PARTITION && c->status == PSH_OK)
        pshi_audit_outcome(a, want->source, rows_of(a, want->source));
    if (c->status == PSH_OK && a->parts.materializer && concerns_views(a, want))
        owing = owe(a, &c->action);
    st = psh_map_complete(a->parts.map, &c->action, c->status, now);
    return st == PSH_OK ? owing : st;
}

/* After it rows lie, or are written, where a checkpoint made before it does not look. */
static int changes_owners(const psh_want *w) {
    if (w->kind == PSH_ACT_SPLIT_PARTITION)
        return w->step == w->steps;
    return w->kind == PSH_ACT_ACTIVATE_PARTITION || w->kind == PSH_ACT_MERGE_PARTITION ||
           w->kind == PSH_ACT_PROMOTE_PARTITION;
}

static psh_status action_ended(psh_autopilot *a, const psh_completion *c, int64_t now) {
    psh_status st = PSH_OK, ledger;

    pshi_audit_end(a, c);
    if (!pshi_action_is_view(c->action.want.kind))
        st = partition_ended(a, c, now);
    ledger = psh_tiers_complete(a->parts.tiers, &c->action, c->status);
    a->activated |= c->status == PSH_OK && changes_owners(&c->action.want);
    a->dirty = 1;
    return st == PSH_OK ? ledger : st;
}

psh_status pshi_events(psh_autopilot *a, int64_t now) {
    psh_status st = PSH_OK, got;
    psh_completion c;

    while (psh_driver_take(a->parts.driver, &c) == PSH_OK) {
        if (c.status != PSH_PENDING) {
            got = action_ended(a, &c, now);
            if (c.status == PSH_E_NOMEM) {
                a->hurry = 1; /* what lacked memory is planned again at once */
                got = got == PSH_OK ? PSH_E_NOMEM : got;
            }
            st = st == PSH_OK ? got : st;
            a->stats.host_errors += c.status == PSH_E_HOST;
        } else if (pshi_action_is_view(c.action.want.kind)) {
            act_on_view(a, &c, now);
        }
    }
    return st;
}

void pshi_drive(psh_autopilot *a, pshi_step *s) {
    const psh_driver_stats *stats = &a->parts.driver->stats;
    uint64_t retried = stats->retried, before, ran;
    uint32_t left = s->budget;
    psh_status st, events;
    int stored;

    /* All that is free, then their ends are heard, then what waited for them: a pass for each link of a chain. */
    do {
        before = stats->submitted + stats->failed;
        st = psh_driver_step(a->parts.driver, s->now, left);
        ran = stats->submitted + stats->failed - before;
        left -= ran < left ? (uint32_t)ran : left;
        events = pshi_events(a, s->now);
        if (events != PSH_OK)
            pshi_step_note(a, s, pshi_fail(s->err, events, "completion", psh_status_text(events)));
        stored = a->unstored.count && pshi_step_note(a, s, pshi_checkpoint(a, s->now, s->err)) == PSH_OK;
    } while (st >= 0 && (ran || stored) && left);
    a->stats.host_errors += stats->retried - retried;
    if (st == PSH_AGAIN || (st == PSH_OK && ran))
        s->more = 1;
    else if (st != PSH_OK)
        pshi_step_note(a, s, pshi_fail(s->err, st, "driver", psh_status_text(st)));
}

void pshi_pay_owed(psh_autopilot *a, pshi_step *s) {
    psh_status st = PSH_OK;
    size_t paid = 0;
    pshi_owed *o;

    for (; paid < a->owed_count; paid++) {
        o = &a->owed[paid];
        /* An interval that lost one partition is gone as a whole in every world: nothing of it remains. */
        st = psh_materializer_partition(
            a->parts.materializer, &o->action, o->source, o->position, o->commit_time, 0);
        if (st != PSH_OK)
            break;
        a->dirty = 1;
    }
    a->owed_count -= paid;
    if (paid)
        memmove(a->owed, a->owed + paid, a->owed_count * sizeof *a->owed);
    if (st != PSH_OK)
        pshi_step_note(a, s, pshi_fail(s->err, st, "materializer", psh_status_text(st)));
}

/* Partitions that hold rows of one interval. */
typedef struct sources {
    uint64_t *ids;
    psh_partition *infos;
    size_t count, ids_capacity, infos_capacity;
} sources;

static psh_status add_source(psh_autopilot *a, sources *f, const psh_partition *p) {
    void *ids = f->ids, *infos = f->infos;
    psh_status st;

    if (p->state != PSH_PARTITION_ACTIVE && p->state != PSH_PARTITION_SEALED && p->state != PSH_PARTITION_ARCHIVED)
        return PSH_OK;
    st = pshi_reserve(a->env, &ids, &f->ids_capacity, f->count + 1, sizeof *f->ids);
    f->ids = ids;
    if (st == PSH_OK)
        st = pshi_reserve(a->env, &infos, &f->infos_capacity, f->count + 1, sizeof *f->infos);
    f->infos = infos;
    if (st != PSH_OK)
        return st;
    f->ids[f->count] = p->id;
    f->infos[f->count++] = *p;
    return PSH_OK;
}

static psh_status find_sources(psh_autopilot *a, const psh_world *world, const psh_fill *fill, sources *out) {
    const psh_partition *q = psh_world_find_partition(world, psh_quarantine_id(fill->table));
    size_t first, end;
    psh_status st = PSH_OK;

    psh_world_partitions_between(world, fill->table, fill->time_from, fill->time_to, &first, &end);
    for (; st == PSH_OK && first < end; first++)
        st = add_source(a, out, psh_world_partition(world, first));
    if (st == PSH_OK && q && q->rows && q->time_from < fill->time_to && q->time_to > fill->time_from)
        st = add_source(a, out, q);
    return st;
}

static psh_status rows_into_view(void *user, const psh_value *rows, size_t n) {
    return psh_materializer_fill_rows(user, rows, n);
}

static psh_status scan_sources(
    psh_autopilot *a, const psh_fill *fill, const sources *from, psh_scan_result *result, psh_error *err) {
    psh_scan scan = { .struct_size = sizeof scan };

    scan.table = fill->table;
    scan.partitions = from->ids;
    scan.infos = from->infos;
    scan.partition_count = from->count;
    scan.time_from = fill->time_from;
    scan.time_to = fill->time_to;
    return psh_driver_scan(a->parts.driver, &scan, rows_into_view, a->parts.materializer, result, err);
}

static psh_status fill_one(psh_autopilot *a, const psh_world *world, int64_t now, psh_error *err) {
    psh_scan_result result = { .struct_size = sizeof result };
    sources from = { 0 };
    psh_fill fill = { 0 };
    psh_status st = psh_materializer_fill_begin(a->parts.materializer, world, now, &fill), end;

    if (st != PSH_OK)
        return st;
    st = find_sources(a, world, &fill, &from);
    if (st == PSH_OK)
        st = scan_sources(a, &fill, &from, &result, err);
    else
        pshi_fail(err, st, "fill", psh_status_text(st));
    end = psh_materializer_fill_end(a->parts.materializer, st, result.source, result.position, result.commit_time);
    if (st == PSH_OK && end != PSH_OK)
        st = pshi_fail(err, end, "fill", psh_status_text(end));
    if (st == PSH_OK) {
        a->stats.filled_rows += result.rows;
        a->stats.fill_work += result.work;
        a->dirty = 1;
    }
    pshi_free(a->env, from.ids);
    pshi_free(a->env, from.infos);
    return st;
}

void pshi_fill(psh_autopilot *a, pshi_step *s) {
    const psh_world *world = psh_worlds_current(a->parts.worlds);
    psh_status st = PSH_OK;
    uint32_t i;

    if (!a->parts.materializer || !a->has_cdc || !world || s->now < a->fill_after || a->dirty)
        return;
    for (i = 0; st == PSH_OK && i < s->budget; i++)
        st = fill_one(a, world, s->now, s->err);
    a->filling = st != PSH_END;
    if (st == PSH_OK)
        s->more = 1;
    if (st >= 0)
        return;
    a->fill_after = pshi_time_add(s->now, a->options.poll_ns);
    pshi_step_note(a, s, st);
}
