/* SPDX-License-Identifier: MIT */
#include "autopilot/autopilot.h"
#include "base/env.h"
#include "base/error.h"

/* The ledger learns what partitions fill that grew since the world was published. */
static psh_status observe_partitions(psh_autopilot *a) {
    const psh_world *world = psh_worlds_current(a->parts.worlds);
    const psh_partition *p, *old;
    psh_status st;
    size_t i;

    for (i = 0; (p = psh_map_get(a->parts.map, i)) != NULL; i++) {
        old = world ? psh_world_find_partition(world, p->id) : NULL;
        if (p->state == PSH_PARTITION_DROPPED || p->bytes == (old ? old->bytes : 0))
            continue;
        st = psh_tiers_observe_usage(a->parts.tiers, p->id, p->bytes);
        if (st != PSH_OK && st != PSH_E_NOT_FOUND)
            return st;
    }
    return PSH_OK;
}

static psh_status observe_views(psh_autopilot *a) {
    psh_view_info info;
    psh_status st;
    size_t i;

    for (i = 0; a->parts.materializer && psh_materializer_view(a->parts.materializer, i, &info) == PSH_OK; i++) {
        st = psh_tiers_observe_usage(a->parts.tiers, info.id, info.bytes);
        if (st != PSH_OK && st != PSH_E_NOT_FOUND)
            return st;
    }
    return PSH_OK;
}

static psh_status export_rest(psh_autopilot *a, psh_world_draft *d) {
    psh_status st = psh_tiers_export(a->parts.tiers, d);

    if (st == PSH_OK && a->parts.materializer)
        st = psh_materializer_export(a->parts.materializer, d);
    return st;
}

/* From the world before and what changed of the map since; partitions that are the same are shared with it. */
static psh_status draft_changes(psh_autopilot *a, psh_world_draft *d) {
    psh_world *before = psh_worlds_current(a->parts.worlds);
    psh_status st = before ? psh_world_draft_base(d, before) : PSH_E_STATE;

    if (st == PSH_OK)
        st = psh_map_export_changes(a->parts.map, d);
    if (st == PSH_OK)
        psh_world_draft_forget_rest(d);
    return st;
}

static psh_status make_draft(psh_autopilot *a, uint64_t epoch, int64_t now, int all, psh_world_draft **out) {
    psh_status st = psh_world_draft_create(a->env, a->schema, epoch, now, out);

    if (st == PSH_OK)
        st = all ? psh_map_export(a->parts.map, *out) : draft_changes(a, *out);
    if (st == PSH_OK)
        st = export_rest(a, *out);
    if (st != PSH_OK) {
        psh_world_draft_destroy(*out);
        *out = NULL;
    }
    return st;
}

static psh_status make_world(psh_autopilot *a, uint64_t epoch, int64_t now, psh_world **out, psh_error *err) {
    psh_world_draft *draft = NULL;
    psh_status st = make_draft(a, epoch, now, 0, &draft);

    if (st == PSH_E_STATE) /* too much has changed, or nothing is there to change */
        st = make_draft(a, epoch, now, 1, &draft);
    if (st != PSH_OK)
        pshi_fail(err, st, "world", psh_status_text(st));
    else
        st = psh_world_create(draft, out, err);
    psh_world_draft_destroy(draft);
    return st;
}

psh_status pshi_publish(psh_autopilot *a, int64_t now, uint64_t epoch, psh_error *err) {
    psh_world *world = NULL;
    psh_status st = observe_partitions(a);

    if (st == PSH_OK)
        st = observe_views(a);
    if (st != PSH_OK)
        pshi_fail(err, st, "world", psh_status_text(st));
    else
        st = make_world(a, epoch, now, &world, err);
    if (st == PSH_OK) {
        st = psh_worlds_publish(a->parts.worlds, world);
        if (st != PSH_OK)
            pshi_fail(err, st, "worlds", psh_status_text(st));
    }
    if (st == PSH_OK) {
        psh_map_exported(a->parts.map);
        a->dirty = 0;
        a->stats.epochs++;
        pshi_trace(a->env, PSH_TRACE_PUBLISH, now, epoch, (int64_t)psh_world_partition_count(world),
            (int64_t)psh_world_view_count(world));
    }
    psh_world_unref(world);
    return st;
}

psh_status pshi_publish_next(psh_autopilot *a, int64_t now, psh_error *err) {
    const psh_world *world = psh_worlds_current(a->parts.worlds);

    return pshi_publish(a, now, (world ? psh_world_epoch(world) : 0) + 1, err);
}
