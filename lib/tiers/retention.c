/* SPDX-License-Identifier: MIT */
/* What the age rules ask for: archives and drops, oldest first. */
#include <stdlib.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "tiers/tiers.h"
#include "value/wants.h"

typedef struct due_partition {
    const psh_partition *p;
    uint32_t kind; /* PSH_ACT_* */
    uint32_t archive_tier;
} due_partition;

static int is_older(const psh_partition *p, int64_t now, int64_t limit) {
    int64_t age;

    if (!limit || p->time_to > now)
        return 0;
    return pshi_sub_i64(now, p->time_to, &age) || age >= limit;
}

/* @return PSH_ACT_*, or 0 when nothing is due. */
static uint32_t what_is_due(const psh_tiers *t, const psh_partition *p, const psh_retention *r, int64_t now) {
    const pshi_holding *h = pshi_tiers_find_holding(t, p->id);

    if (h && h->pending_id)
        return 0;
    if (is_older(p, now, r->drop_after_ns))
        return PSH_ACT_DROP_PARTITION;
    if (p->state != PSH_PARTITION_SEALED || p->tier == r->archive_tier)
        return 0;
    return is_older(p, now, r->archive_after_ns) ? PSH_ACT_ARCHIVE_PARTITION : 0;
}

static size_t find_due(const psh_tiers *t, const psh_world *world, int64_t now, due_partition *due) {
    size_t n = psh_world_partition_count(world), count = 0, i;
    const psh_partition *p;
    const psh_retention *r;
    uint32_t kind;

    for (i = 0; i < n; i++) {
        p = psh_world_partition(world, i);
        r = pshi_tiers_find_retention(t, p->table);
        if (!r || p->flags & PSH_PARTITION_QUARANTINE || p->state == PSH_PARTITION_DROPPED)
            continue;
        kind = what_is_due(t, p, r, now);
        if (kind)
            due[count++] = (due_partition){ p, kind, r->archive_tier };
    }
    return count;
}

static int compare_due(const void *x, const void *y) {
    const psh_partition *a = ((const due_partition *)x)->p, *b = ((const due_partition *)y)->p;

    if (a->time_to != b->time_to)
        return a->time_to < b->time_to ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static psh_want want_by_age(const psh_tiers *t, const due_partition *d) {
    const psh_partition *p = d->p;
    const pshi_holding *h = pshi_tiers_find_holding(t, p->id);
    psh_want w = { .kind = d->kind, .why = PSH_WHY_RETENTION, .subject = p->id, .table = p->table,
                   .node = p->node, .tier = p->tier, .interval = p->interval, .time_from = p->time_from,
                   .time_to = p->time_to, .arc_first = p->arc_first, .arc_last = p->arc_last, .confidence = 1,
                   .not_before = PSH_TIME_MIN, .deadline = PSH_TIME_MAX, .ordinal = p->ordinal };
    uint64_t filled = h ? h->used + h->overflow : 0;

    if (d->kind == PSH_ACT_ARCHIVE_PARTITION) {
        w.node = PSH_NONE;
        w.tier = d->archive_tier;
        w.resources.bytes = (double)(filled > p->bytes ? filled : p->bytes);
    }
    return w;
}

psh_status psh_tiers_propose(
    psh_tiers *t, const psh_world *world, int64_t now, psh_wants *out, psh_error *err) {
    due_partition *due;
    size_t before, n, i;
    psh_status st = PSH_OK;
    psh_want w;

    if (!t || !world || !out)
        return pshi_fail(err, PSH_E_INVALID, "world", "t, world and out are needed");
    if (now == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "now", "must be a time");
    due = pshi_calloc(t->env, psh_world_partition_count(world), sizeof *due);
    if (!due)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    before = psh_wants_count(out);
    n = find_due(t, world, now, due);
    if (n)
        qsort(due, n, sizeof *due, compare_due);
    for (i = 0; st == PSH_OK && i < n; i++) {
        w = want_by_age(t, &due[i]);
        st = psh_wants_add(out, &w, err);
    }
    if (st != PSH_OK)
        pshi_wants_truncate(out, before);
    pshi_free(t->env, due);
    return st;
}
