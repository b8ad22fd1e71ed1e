/* SPDX-License-Identifier: MIT */
/* What was written to partitions, and what they carry. */
#include <math.h>

#include "base/checked.h"
#include "base/options.h"
#include "map/map.h"

static uint64_t add_capped(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void widen_quarantine(psh_partition *p, int64_t time_min, int64_t time_max) {
    int64_t end = pshi_time_add(time_max, 1);
    int is_empty = p->time_from == p->time_to;

    if (is_empty || time_min < p->time_from)
        p->time_from = time_min;
    if (is_empty || end > p->time_to)
        p->time_to = end;
}

psh_status psh_map_observe_write(
    psh_map *m, uint64_t partition, uint64_t rows, uint64_t bytes, int64_t time_min, int64_t time_max,
    uint64_t position) {
    pshi_slot *s;
    psh_partition *p;

    if (!m || time_min == PSH_TIME_NONE || time_min > time_max)
        return PSH_E_INVALID;
    s = pshi_map_find(m, partition);
    if (!s || !pshi_map_exists(s))
        return PSH_E_NOT_FOUND;
    if (s->gone)
        return PSH_E_STATE;
    p = &s->p;
    if (!p->flags && (time_min < p->time_from || time_max >= p->time_to))
        return PSH_E_INVALID;
    pshi_map_touch(m, s);
    if (p->flags)
        widen_quarantine(p, time_min, time_max);
    p->rows = add_capped(p->rows, rows);
    p->bytes = add_capped(p->bytes, bytes);
    if (position > p->last_position)
        p->last_position = position;
    if (p->first_write == PSH_TIME_NONE)
        p->first_write = time_min;
    return p->flags || p->state == PSH_PARTITION_SEALED || p->state == PSH_PARTITION_ARCHIVED ? PSH_AGAIN : PSH_OK;
}

void psh_map_recover(psh_map *m, uint64_t position) {
    size_t i;

    for (i = 0; m && i < m->count; i++) {
        psh_partition *p = &m->slots[i].p;

        if (p->state >= PSH_PARTITION_ACTIVE && p->state <= PSH_PARTITION_ARCHIVED && p->last_position < position)
            p->last_position = position;
    }
    if (m)
        m->touched_all = 1;
}

psh_status psh_map_reopen(psh_map *m, uint64_t partition) {
    pshi_slot *s = m ? pshi_map_find(m, partition) : NULL;

    if (!m)
        return PSH_E_INVALID;
    if (!s)
        return PSH_E_NOT_FOUND;
    if (s->p.state != PSH_PARTITION_SEALED || s->pending || s->partner || s->gone)
        return PSH_E_STATE;
    pshi_map_touch(m, s);
    s->p.state = PSH_PARTITION_ACTIVE;
    s->reopens++;
    return PSH_OK;
}

static double faded(const psh_map *m, const pshi_slot *s, int64_t now) {
    double age = s->load_at == PSH_TIME_NONE ? HUGE_VAL : (double)now - (double)s->load_at;

    return age > 0 ? exp2(-age / (double)m->o.half_life_ns) : 1;
}

void pshi_map_load_at(const psh_map *m, const pshi_slot *s, int64_t now, double *reads, double *writes) {
    double left = faded(m, s, now);

    *reads = s->reads * left;
    *writes = s->writes * left;
}

static int is_load(double x) {
    return x >= 0 && x <= 0x1p100;
}

/*
 * The observation weighs as much as the half-life says that the one before is past: at once when it is the first,
 * half after one half-life.
 */
psh_status psh_map_observe_load(psh_map *m, uint64_t partition, const psh_partition_load *load, int64_t now) {
    psh_partition_load l = { .struct_size = sizeof l, .rows = UINT64_MAX, .bytes = UINT64_MAX };
    pshi_slot *s;
    double keep;

    if (!m || !load || now == PSH_TIME_NONE || pshi_options_copy(&l, sizeof l, load, NULL) != PSH_OK)
        return PSH_E_INVALID;
    if (l.reserved || !is_load(l.reads_per_s) || !is_load(l.writes_per_s) || !is_load(l.latency_us))
        return PSH_E_INVALID;
    s = pshi_map_find(m, partition);
    if (!s || !pshi_map_exists(s))
        return PSH_E_NOT_FOUND;
    keep = faded(m, s, now);
    s->reads = s->reads * keep + l.reads_per_s * (1 - keep);
    s->writes = s->writes * keep + l.writes_per_s * (1 - keep);
    s->latency_us = l.latency_us > 0 ? s->latency_us * keep + l.latency_us * (1 - keep) : s->latency_us;
    if (s->load_at == PSH_TIME_NONE || now > s->load_at)
        s->load_at = now;
    if (l.rows != UINT64_MAX || l.bytes != UINT64_MAX)
        pshi_map_touch(m, s);
    s->p.rows = l.rows == UINT64_MAX ? s->p.rows : l.rows;
    s->p.bytes = l.bytes == UINT64_MAX ? s->p.bytes : l.bytes;
    return PSH_OK;
}
