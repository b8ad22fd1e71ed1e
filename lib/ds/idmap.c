/* SPDX-License-Identifier: MIT */
#include "ds/idmap.h"

#include <string.h>

#include "base/env.h"
#include "base/hash.h"

static size_t home(const pshi_idmap *m, uint64_t id) {
    return (size_t)pshi_mix64(id) & m->mask;
}

void pshi_idmap_free(psh_env *env, pshi_idmap *m) {
    pshi_free(env, m->ids);
    pshi_free(env, m->index);
    memset(m, 0, sizeof *m);
}

/* The slot of an id, or the free slot where it would go. */
static size_t slot_of(const pshi_idmap *m, uint64_t id) {
    size_t i = home(m, id);

    while (m->ids[i] && m->ids[i] != id)
        i = (i + 1) & m->mask;
    return i;
}

uint32_t pshi_idmap_find(const pshi_idmap *m, uint64_t id) {
    size_t i;

    if (!m->ids)
        return PSH_NONE;
    i = slot_of(m, id);
    return m->ids[i] ? m->index[i] : PSH_NONE;
}

static psh_status resize(psh_env *env, pshi_idmap *m, size_t slots) {
    pshi_idmap n = { pshi_calloc(env, slots, sizeof *n.ids), pshi_calloc(env, slots, sizeof *n.index), slots - 1,
                     m->count };
    size_t i, j;

    if (!n.ids || !n.index) {
        pshi_idmap_free(env, &n);
        return PSH_E_NOMEM;
    }
    for (i = 0; m->ids && i <= m->mask; i++) {
        if (!m->ids[i])
            continue;
        j = slot_of(&n, m->ids[i]);
        n.ids[j] = m->ids[i];
        n.index[j] = m->index[i];
    }
    pshi_free(env, m->ids);
    pshi_free(env, m->index);
    *m = n;
    return PSH_OK;
}

psh_status pshi_idmap_reserve(psh_env *env, pshi_idmap *m, size_t n) {
    size_t slots = m->ids ? m->mask + 1 : 16;

    if (n > SIZE_MAX / 4)
        return PSH_E_NOMEM;
    while (n * 3 > slots * 2)
        slots *= 2;
    if (m->ids && slots == m->mask + 1)
        return PSH_OK;
    return resize(env, m, slots);
}

psh_status pshi_idmap_put(psh_env *env, pshi_idmap *m, uint64_t id, uint32_t index) {
    size_t i;

    if (pshi_idmap_reserve(env, m, m->count + 1) != PSH_OK)
        return PSH_E_NOMEM;
    i = slot_of(m, id);
    if (!m->ids[i])
        m->count++;
    m->ids[i] = id;
    m->index[i] = index;
    return PSH_OK;
}

void pshi_idmap_remove(pshi_idmap *m, uint64_t id) {
    size_t i, j, h;

    if (!m->ids)
        return;
    i = slot_of(m, id);
    if (!m->ids[i])
        return;
    m->count--;
    /* Close the gap: what follows in the run moves back unless its home lies behind the gap. */
    for (j = (i + 1) & m->mask; m->ids[j]; j = (j + 1) & m->mask) {
        h = home(m, m->ids[j]);
        if (((j - h) & m->mask) < ((j - i) & m->mask))
            continue;
        m->ids[i] = m->ids[j];
        m->index[i] = m->index[j];
        i = j;
    }
    m->ids[i] = 0;
}

void pshi_idmap_clear(pshi_idmap *m) {
    if (m->ids)
        memset(m->ids, 0, (m->mask + 1) * sizeof *m->ids);
    m->count = 0;
}
