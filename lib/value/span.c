/* SPDX-License-Identifier: MIT */
/* The partitions of one interval, as worlds share them. */
#include <string.h>

#include "base/env.h"
#include "value/world.h"

#define BLOCK 8u /* arcs are compared by so many at once */

typedef struct sizes {
    size_t count;
    size_t owners;
    size_t padded; /* arcs */
} sizes;

static sizes measure(pshi_span_source source, void *user) {
    const psh_partition *p;
    sizes s = { 0, 0, 0 };

    for (p = source(user, 1); p; p = source(user, 0)) {
        s.count++;
        s.owners += pshi_partition_owns(p) != 0;
    }
    /* A search may read two whole blocks from anywhere on. */
    s.padded = s.owners ? (s.owners + BLOCK - 1) / BLOCK * BLOCK + (s.owners > 2 * BLOCK ? BLOCK : 0) : 0;
    return s;
}

static void note_owner(pshi_span *to, uint32_t *owners, psh_partition *place, const psh_partition *p) {
    if (!pshi_partition_owns(p))
        return;
    to->arcs[to->owner_count] = p->arc_first;
    if (owners)
        owners[to->owner_count] = (uint32_t)(place - to->partitions);
    to->owner_count++;
}

static void fill(pshi_span *to, uint32_t *owners, psh_partition *place, pshi_span_source source, void *user) {
    const psh_partition *p;

    for (p = source(user, 1); p; p = source(user, 0), place++) {
        *place = *p;
        note_owner(to, owners, place, p);
        to->count++;
        to->active |= p->state == PSH_PARTITION_ACTIVE;
        if (p->last_position > to->last_position)
            to->last_position = p->last_position;
    }
}

pshi_span *pshi_span_create(psh_env *env, pshi_span_source source, void *user) {
    sizes s = measure(source, user);
    size_t indexes = s.owners < s.count ? (s.owners + 1) / 2 * 2 : 0; /* keeps what follows aligned */
    pshi_span *to;
    psh_partition *place;
    uint32_t *owners;

    to = pshi_alloc(env, sizeof *to + s.padded * sizeof to->arcs[0] + indexes * sizeof *owners +
                             s.count * sizeof *place);
    if (!to)
        return NULL;
    memset(to, 0, sizeof *to);
    memset(to->arcs, 0xff, s.padded * sizeof to->arcs[0]);
    pshi_ref_init(&to->refs);
    to->padded = (uint32_t)s.padded;
    owners = (uint32_t *)(void *)(to->arcs + s.padded);
    place = (psh_partition *)(void *)(owners + indexes);
    to->owners = indexes ? owners : NULL;
    to->partitions = place;
    fill(to, indexes ? owners : NULL, place, source, user);
    to->table = place->table;
    to->interval = place->interval;
    to->time_from = place->time_from;
    to->time_to = place->time_to;
    return to;
}

const psh_partition *pshi_span_locate(const pshi_span *s, uint64_t point) {
    const uint64_t *a = s->arcs;
    size_t n = s->owner_count, half, i, k, below = 0;

    if (!n)
        return NULL;
    /* Owners leave no gap and do not overlap: the last that begins at or before the point holds it. Halves until two
     * blocks are left, then counts; neither depends on how the comparisons end. */
    for (; n > 2 * BLOCK; n -= half) {
        half = n / 2;
        a += a[half] <= point ? half : 0;
    }
    for (i = 0; i < n; i += BLOCK)
        for (k = 0; k < BLOCK; k++)
            below += a[i + k] <= point;
    below += (size_t)(a - s->arcs) - 1;
    /* What fills up the last block is not behind the last point of the ring. */
    return pshi_span_owner(s, below < s->owner_count ? below : s->owner_count - 1);
}
