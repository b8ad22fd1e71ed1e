/* SPDX-License-Identifier: MIT */
#include "forecast/tenant.h"

#include <string.h>

#include "base/env.h"
#include "base/hash.h"

static uint64_t tenant_hash(uint32_t table, uint64_t id) {
    return pshi_nonzero(pshi_mix64(id ^ pshi_mix64(UINT64_C(0x7e4a) << 32 | table)));
}

void pshi_tenants_free(psh_env *env, pshi_tenants *t) {
    size_t i;

    for (i = 0; i < t->count; i++)
        pshi_free(env, t->list[i].given);
    for (i = 0; t->tables && i < t->table_count; i++)
        pshi_free(env, t->tables[i]);
    pshi_free(env, t->tables);
    pshi_free(env, t->list);
    pshi_idmap_free(env, &t->map);
}

uint64_t pshi_tenants_bytes(const pshi_tenants *t) {
    uint64_t n = t->cap * sizeof *t->list + t->given * sizeof(pshi_given);
    uint32_t i;

    n += t->map.ids ? (t->map.mask + 1) * (sizeof *t->map.ids + sizeof *t->map.index) : 0;
    if (!t->tables)
        return n;
    n += t->table_count * sizeof *t->tables;
    for (i = 0; i < t->table_count; i++)
        n += t->tables[i] ? sizeof *t->tables[i] : 0;
    return n;
}

pshi_tenant *pshi_tenants_find(const pshi_tenants *t, uint32_t table, uint64_t id) {
    uint32_t i = pshi_idmap_find(&t->map, tenant_hash(table, id));

    return i == PSH_NONE || t->list[i].id != id || t->list[i].table != table ? NULL : &t->list[i];
}

psh_status pshi_tenants_add(psh_env *env, pshi_tenants *t, uint32_t table, uint64_t id, pshi_tenant **out) {
    uint64_t hash = tenant_hash(table, id);
    pshi_tenant *r;

    if (pshi_idmap_find(&t->map, hash) != PSH_NONE)
        return PSH_E_LIMIT;
    if (pshi_reserve(env, (void **)&t->list, &t->cap, t->count + 1, sizeof *t->list) != PSH_OK ||
        pshi_idmap_put(env, &t->map, hash, (uint32_t)t->count) != PSH_OK)
        return PSH_E_NOMEM;
    r = &t->list[t->count++];
    memset(r, 0, sizeof *r);
    r->id = id;
    r->table = table;
    r->since = r->change_at = PSH_TIME_NONE;
    *out = r;
    return PSH_OK;
}

void pshi_tenants_remove(psh_env *env, pshi_tenants *t, size_t i) {
    pshi_tenant *r = &t->list[i], *last = &t->list[t->count - 1];

    pshi_idmap_remove(&t->map, tenant_hash(r->table, r->id));
    t->given -= r->given != NULL;
    pshi_free(env, r->given);
    t->count--;
    if (r == last)
        return;
    *r = *last;
    /* There is one id less than there was, so this put allocates nothing. */
    (void)pshi_idmap_put(env, &t->map, tenant_hash(r->table, r->id), (uint32_t)i);
}

pshi_segments *pshi_segments_find(const pshi_tenants *t, uint32_t table) {
    return t->tables && table < t->table_count ? t->tables[table] : NULL;
}

pshi_segments *pshi_segments_need(psh_env *env, pshi_tenants *t, uint32_t table, uint32_t tables) {
    pshi_segments *g = pshi_segments_find(t, table);

    if (g)
        return g;
    if (!t->tables) {
        t->tables = pshi_calloc(env, tables, sizeof *t->tables);
        t->table_count = t->tables ? tables : 0;
    }
    if (!t->tables || !(g = pshi_calloc(env, 1, sizeof *g)))
        return NULL;
    g->cluster_at = PSH_TIME_NONE;
    g->next_id = 1;
    t->tables[table] = g;
    return g;
}

uint32_t pshi_segments_place(const pshi_segments *g, uint32_t id) {
    uint32_t i;

    for (i = 0; id && i < PSHI_MOST_SEGMENTS; i++)
        if (g->list[i].id == id)
            return i;
    return PSH_NONE;
}

uint32_t pshi_segments_free_place(const pshi_segments *g) {
    uint32_t i;

    for (i = 0; i < PSHI_MOST_SEGMENTS; i++)
        if (!g->list[i].id)
            return i;
    return PSH_NONE;
}

uint32_t pshi_tenant_mark(const pshi_tenants *t, const pshi_tenant *r) {
    const pshi_segments *g = pshi_segments_find(t, r->table);
    uint32_t place = g ? pshi_segments_place(g, r->segment) : PSH_NONE;

    return (place == PSH_NONE ? 0 : place + 1) | (r->next ? PSHI_PLACE_DUE : 0);
}

uint32_t pshi_tenant_segment_at(const pshi_tenant *r, int64_t at) {
    if (r->next && at >= r->change_at)
        return r->next;
    return r->since != PSH_TIME_NONE && at < r->since ? r->before : r->segment;
}

/* Sums of requests stop growing long before a float does. */
static float add_up(float sum, double x) {
    double all = (double)sum + x;

    return (float)(all < 0x1p100 ? all : 0x1p100);
}

void pshi_tenant_ask(pshi_tenant *r, uint32_t access, int64_t reach_ns, double weight, double bytes) {
    r->asked[access & 3] = add_up(r->asked[access & 3], weight);
    r->asked_bytes = add_up(r->asked_bytes, weight * bytes);
    if (reach_ns > r->reach_ns)
        r->reach_ns = reach_ns;
}

uint32_t pshi_tenant_access(const pshi_tenant *r) {
    uint32_t i, best = 0;

    for (i = 1; i < 4; i++)
        if (r->asked[i] > 0 && (!best || r->asked[i] > r->asked[best]))
            best = i;
    return best;
}
