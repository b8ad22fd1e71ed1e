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

static void note(pshi_span *to, uint32_t *owners, const psh_partition *p) {
    if (pshi_partition_owns(p)) {
        to->arcs[to->owner_count] = (uint32_t)(p->arc_first >> 32);
        if (owners)
            owners[to->owner_count] = to->block.count;
        to->owner_count++;
    }
    to->block.count++;
    to->active |= p->state == PSH_PARTITION_ACTIVE;
    if (p->last_position > to->last_position)
        to->last_position = p->last_position;
}

pshi_span *pshi_span_create(psh_env *env, pshi_span_source source, void *user) {
    sizes s = measure(source, user);
    size_t indexes = s.owners < s.count ? s.owners : 0;
    const psh_partition *p;
    uint32_t *owners;
    pshi_span *to;

    to = pshi_alloc(env, sizeof *to + s.padded * sizeof to->arcs[0] + indexes * sizeof *owners);
    if (!to)
        return NULL;
    memset(to, 0, sizeof *to);
    memset(to->arcs, 0xff, s.padded * sizeof to->arcs[0]);
    pshi_ref_init(&to->block.refs);
    to->padded = (uint32_t)s.padded;
    owners = s.owners < s.count ? to->arcs + s.padded : NULL;
    to->owners = owners;
    p = source(user, 1);
    to->table = p->table;
    to->interval = p->interval;
    to->time_from = p->time_from;
    to->time_to = p->time_to;
    for (; p; p = source(user, 0))
        note(to, owners, p);
    return to;
}

psh_status pshi_span_fill(psh_env *env, pshi_span *s, pshi_span_source source, void *user) {
    psh_partition *to = pshi_alloc(env, s->block.count * sizeof *to);
    const psh_partition *p;
    size_t n = 0;

    if (!to)
        return PSH_E_NOMEM;
    for (p = source(user, 1); p; p = source(user, 0))
        to[n++] = *p;
    s->block.more = to;
    return PSH_OK;
}

/* Among owners [0, end), the last that begins at or before the point: the first begins at 0. */
static size_t search_whole(const pshi_span *s, size_t end, uint64_t point) {
    size_t low = 0, mid;

    while (end - low > 1) {
        mid = low + (end - low) / 2;
        if (pshi_span_owner(s, mid)->arc_first <= point)
            low = mid;
        else
            end = mid;
    }
    return low;
}

const psh_partition *pshi_span_locate(const pshi_span *s, uint64_t point) {
    uint32_t top = (uint32_t)(point >> 32), below = 0;
    const uint32_t *a = s->arcs;
    size_t n = s->owner_count, half, i, k, at;

    if (!n)
        return NULL;
    /* Owners leave no gap and do not overlap: the last that begins at or before the point holds it. Halves until
     * two blocks are left, then counts; neither depends on how the comparisons end. */
    for (; n > 2 * BLOCK; n -= half) {
        half = n / 2;
        a += a[half] <= top ? half : 0;
    }
    for (i = 0; i < n; i += BLOCK)
        for (k = 0; k < BLOCK; k++)
            below += a[i + k] <= top;
    /* What fills up the last block is not behind the last point of the ring. */
    at = (size_t)(a - s->arcs) + below - 1;
    at = at < s->owner_count ? at : s->owner_count - 1;
    /* Upper halves that are equal do not tell: rare, since few arcs are so short. */
    if (s->arcs[at] == top)
        at = search_whole(s, at + 1, point);
    return pshi_span_owner(s, at);
}
