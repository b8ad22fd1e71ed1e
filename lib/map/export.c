/* SPDX-License-Identifier: MIT */
/* What the world shows of a map: all of it, or what changed since the last time. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "map/map.h"
#include "value/world.h"

/* Memory that cannot be had, or a long list, only means that all is exported the next time. */
static pshi_mark *add_touched(psh_map *m) {
    void *list = m->touched;
    psh_status st;

    if (m->touched_all)
        return NULL;
    st = m->touched_count < PSHI_MAP_MAX_TOUCHED
             ? pshi_reserve(m->env, &list, &m->touched_cap, m->touched_count + 1, sizeof *m->touched)
             : PSH_E_LIMIT;
    m->touched = list;
    if (st != PSH_OK) {
        m->touched_all = 1;
        return NULL;
    }
    return &m->touched[m->touched_count++];
}

void pshi_map_touch(psh_map *m, pshi_slot *s) {
    pshi_mark *t;

    if (s->touched)
        return;
    t = add_touched(m);
    if (!t)
        return;
    s->touched = 1;
    *t = (pshi_mark){ 0, s->p.interval, s->p.table, PSH_NONE, s->p.flags };
}

void pshi_map_touch_gone(psh_map *m, uint64_t partition, uint32_t node) {
    pshi_mark *t = add_touched(m);

    if (t)
        *t = (pshi_mark){ partition, 0, 0, node, 0 };
}

/* Whether the owners among slots first..end-1 tile the ring, each of them; children own nothing. */
static int is_whole(const psh_map *m, size_t first, size_t end) {
    uint64_t next = 0;
    const pshi_slot *s;
    size_t i;

    for (i = first; i < end; i++) {
        s = pshi_map_slot(m, i);
        if (pshi_map_is_child(s))
            continue;
        if (s->p.arc_first != next || !pshi_partition_owns(&s->p))
            return 0;
        next = s->p.arc_last + 1; /* 0 after the last point */
    }
    return next == 0;
}

/* What an owner left behind is nobody's to read: it goes as soon as the host comes to it. */
static psh_status export_copies(const psh_map *m, psh_world_draft *d, uint64_t partition) {
    psh_status st = PSH_OK;
    size_t i, end;

    pshi_map_copies(m, partition, &i, &end);
    for (; st == PSH_OK && i < end; i++)
        if (m->copies[i].purpose != PSHI_COPY_LEFT)
            st = psh_world_draft_add_replica(d, &m->copies[i].r);
    return st;
}

/* A slot that no world shows is not in the draft's base either, or goes from it. */
static psh_status hide(psh_world_draft *d, uint64_t partition, int on_base) {
    psh_status st = on_base ? psh_world_draft_remove_partition(d, partition) : PSH_OK;

    return st == PSH_E_NOT_FOUND ? PSH_OK : st;
}

/*
 * An epoch shows an interval's arcs as owners all together or not at all: active ones count as warming until
 * the last arc is active, and none is shown once one was dropped.
 */
static psh_status export_group(const psh_map *m, psh_world_draft *d, size_t first, size_t end, int on_base) {
    int whole = is_whole(m, first, end);
    psh_status st = PSH_OK;
    const pshi_slot *s;
    psh_partition p;
    size_t i;

    for (i = first; st == PSH_OK && i < end; i++) {
        s = pshi_map_slot(m, i);
        if (!pshi_map_exists(s) || s->gone) {
            st = hide(d, s->p.id, on_base);
            continue;
        }
        p = s->p;
        if (!whole && pshi_partition_owns(&p))
            p.state = PSH_PARTITION_WARMING;
        st = psh_world_draft_add_partition(d, &p);
        if (st == PSH_OK && pshi_partition_owns(&p))
            st = export_copies(m, d, p.id);
    }
    return st;
}

psh_status psh_map_export(const psh_map *m, psh_world_draft *d) {
    psh_status st = PSH_OK;
    size_t i, end;

    if (!m || !d)
        return PSH_E_INVALID;
    for (i = 0; st == PSH_OK && i < m->count; i = end) {
        end = pshi_map_group_end(m, i);
        st = export_group(m, d, i, end, 0);
    }
    for (i = 0; st == PSH_OK && i < m->assignment_count; i++)
        st = psh_world_draft_add_assignment(d, &m->assignments[i]);
    return st;
}

static psh_status take_out(psh_world_draft *d, const pshi_mark *t) {
    psh_status st = t->node == PSH_NONE ? psh_world_draft_remove_partition(d, t->partition)
                                        : psh_world_draft_remove_replica(d, t->partition, t->node);

    return st == PSH_E_NOT_FOUND ? PSH_OK : st; /* it came and went between two worlds */
}

static psh_status export_touched(const psh_map *m, psh_world_draft *d, const pshi_mark *t) {
    psh_partition key = { .table = t->table, .interval = t->interval, .flags = t->flags };
    size_t at = pshi_map_lower(m, &key);
    const psh_partition *p = at < m->count ? &pshi_map_slot(m, at)->p : NULL;

    if (!p || p->table != t->table || p->interval != t->interval || p->flags != t->flags)
        return PSH_OK; /* all of it is gone */
    return export_group(m, d, at, pshi_map_group_end(m, at), 1);
}

static int compare_touched(const void *x, const void *y) {
    const pshi_mark *a = x, *b = y;

    if (a->flags != b->flags)
        return a->flags < b->flags ? -1 : 1;
    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    return a->interval < b->interval ? -1 : a->interval > b->interval;
}

/* What went goes first: it may have come back under its id. Then each interval once. */
psh_status psh_map_export_changes(psh_map *m, psh_world_draft *d) {
    const pshi_mark *before = NULL, *t;
    psh_status st = PSH_OK;
    size_t i;

    if (!m || !d)
        return PSH_E_INVALID;
    if (m->touched_all)
        return PSH_E_STATE;
    for (i = 0; st == PSH_OK && i < m->touched_count; i++)
        if (m->touched[i].partition)
            st = take_out(d, &m->touched[i]);
    if (m->touched_count)
        qsort(m->touched, m->touched_count, sizeof *m->touched, compare_touched);
    for (i = 0; st == PSH_OK && i < m->touched_count; i++) {
        t = &m->touched[i];
        if (t->partition || (before && !compare_touched(before, t)))
            continue;
        before = t;
        st = export_touched(m, d, t);
    }
    for (i = 0; st == PSH_OK && i < m->assignment_count; i++)
        if (m->assignment_fresh[i])
            st = psh_world_draft_add_assignment(d, &m->assignments[i]);
    return st;
}

static void untouch(psh_map *m, const pshi_mark *t) {
    psh_partition key = { .table = t->table, .interval = t->interval, .flags = t->flags };
    size_t i = pshi_map_lower(m, &key), end;

    if (t->partition || i == m->count)
        return;
    for (end = pshi_map_group_end(m, i); i < end; i++)
        pshi_map_slot(m, i)->touched = 0;
}

void psh_map_exported(psh_map *m) {
    size_t i;

    if (!m)
        return;
    for (i = 0; i < m->count && m->touched_all; i++)
        m->slots[i].touched = 0;
    for (i = 0; i < m->touched_count; i++)
        untouch(m, &m->touched[i]);
    if (m->assignment_count)
        memset(m->assignment_fresh, 0, m->assignment_count);
    m->touched_count = 0;
    m->touched_all = 0;
}
