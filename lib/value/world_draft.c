/* SPDX-License-Identifier: MIT */
/* The draft: what is added, and what is taken out of the world that it begins from. */
#include "base/checked.h"
#include "base/env.h"
#include "value/world.h"

psh_status psh_world_draft_create(
    psh_env *env, psh_schema *schema, uint64_t epoch, int64_t now, psh_world_draft **out) {
    psh_world_draft *d;

    if (!out)
        return PSH_E_INVALID;
    *out = NULL;
    if (!env || !schema || now == PSH_TIME_NONE)
        return PSH_E_INVALID;
    d = pshi_calloc(env, 1, sizeof *d);
    if (!d)
        return PSH_E_NOMEM;
    d->env = env;
    d->schema = psh_schema_ref(schema);
    d->epoch = epoch;
    d->now = now;
    *out = d;
    return PSH_OK;
}

void pshi_world_lists_free(psh_env *env, pshi_world_lists *l) {
    size_t i;

    for (i = 0; i < l->view_count; i++)
        psh_view_unref(l->views[i]);
    pshi_free(env, l->partitions);
    pshi_free(env, l->tiers);
    pshi_free(env, l->views);
    pshi_free(env, l->parts);
    pshi_free(env, l->replicas);
    pshi_free(env, l->assignments);
}

void psh_world_draft_destroy(psh_world_draft *d) {
    if (!d)
        return;
    pshi_world_lists_free(d->env, &d->lists);
    pshi_free(d->env, d->removed);
    pshi_free(d->env, d->lifted);
    pshi_idmap_free(d->env, &d->gone);
    psh_world_unref(d->base);
    psh_schema_unref(d->schema);
    pshi_free(d->env, d);
}

/* Room for one more. */
#define ROOM(d, list, count, cap) \
    do { \
        void *items_ = (list); \
        psh_status st_ = pshi_reserve((d)->env, &items_, &(cap), (count) + 1, sizeof *(list)); \
        (list) = items_; \
        if (st_ != PSH_OK) \
            return st_; \
    } while (0)

psh_status psh_world_draft_add_partition(psh_world_draft *d, const psh_partition *p) {
    if (!d || !p)
        return PSH_E_INVALID;
    ROOM(d, d->lists.partitions, d->lists.partition_count, d->lists.partition_cap);
    d->lists.partitions[d->lists.partition_count++] = *p;
    return PSH_OK;
}

psh_status psh_world_draft_add_replica(psh_world_draft *d, const psh_replica *r) {
    if (!d || !r)
        return PSH_E_INVALID;
    ROOM(d, d->lists.replicas, d->lists.replica_count, d->lists.replica_cap);
    d->lists.replicas[d->lists.replica_count++] = *r;
    return PSH_OK;
}

psh_status psh_world_draft_add_assignment(psh_world_draft *d, const psh_assignment *a) {
    if (!d || !a)
        return PSH_E_INVALID;
    ROOM(d, d->lists.assignments, d->lists.assignment_count, d->lists.assignment_cap);
    d->lists.assignments[d->lists.assignment_count++] = *a;
    return PSH_OK;
}

psh_status psh_world_draft_add_tier(psh_world_draft *d, const psh_tier_info *t) {
    if (!d || !t)
        return PSH_E_INVALID;
    ROOM(d, d->lists.tiers, d->lists.tier_count, d->lists.tier_cap);
    d->lists.tiers[d->lists.tier_count++] = *t;
    return PSH_OK;
}

psh_status psh_world_draft_add_view(psh_world_draft *d, psh_view *v) {
    if (!d || !v)
        return PSH_E_INVALID;
    ROOM(d, d->lists.views, d->lists.view_count, d->lists.view_cap);
    d->lists.views[d->lists.view_count++] = psh_view_ref(v);
    return PSH_OK;
}

psh_status psh_world_draft_add_view_part(psh_world_draft *d, const psh_view_part *p) {
    if (!d || !p)
        return PSH_E_INVALID;
    ROOM(d, d->lists.parts, d->lists.part_count, d->lists.part_cap);
    d->lists.parts[d->lists.part_count++] = *p;
    return PSH_OK;
}

static int is_empty(const psh_world_draft *d) {
    const pshi_world_lists *l = &d->lists;

    return !d->base && !l->partition_count && !l->tier_count && !l->view_count && !l->part_count &&
           !l->replica_count && !l->assignment_count;
}

psh_status psh_world_draft_base(psh_world_draft *d, psh_world *base) {
    if (!d || !base || base->schema != d->schema || base->env != d->env)
        return PSH_E_INVALID;
    if (!is_empty(d))
        return PSH_E_STATE;
    d->base = psh_world_ref(base);
    return PSH_OK;
}

psh_status psh_world_draft_remove_partition(psh_world_draft *d, uint64_t id) {
    if (!d)
        return PSH_E_INVALID;
    if (!d->base || !psh_world_find_partition(d->base, id) || pshi_idmap_find(&d->gone, id) != PSH_NONE)
        return PSH_E_NOT_FOUND;
    ROOM(d, d->removed, d->removed_count, d->removed_cap);
    if (pshi_idmap_put(d->env, &d->gone, id, 0) != PSH_OK)
        return PSH_E_NOMEM;
    d->removed[d->removed_count++] = id;
    return PSH_OK;
}

static int has_replica(const psh_world *w, uint64_t partition, uint32_t node) {
    const psh_replica *r;
    size_t n, i;

    r = psh_world_replicas(w, partition, &n);
    for (i = 0; i < n; i++)
        if (r[i].node == node)
            return 1;
    return 0;
}

psh_status psh_world_draft_remove_replica(psh_world_draft *d, uint64_t partition, uint32_t node) {
    uint64_t id = psh_replica_id(partition, node);

    if (!d)
        return PSH_E_INVALID;
    if (!d->base || !has_replica(d->base, partition, node) || pshi_idmap_find(&d->gone, id) != PSH_NONE)
        return PSH_E_NOT_FOUND;
    ROOM(d, d->lifted, d->lifted_count, d->lifted_cap);
    if (pshi_idmap_put(d->env, &d->gone, id, 0) != PSH_OK)
        return PSH_E_NOMEM;
    d->lifted[d->lifted_count++] = (psh_replica){ .partition = partition, .node = node };
    return PSH_OK;
}

void psh_world_draft_forget_rest(psh_world_draft *d) {
    if (d)
        d->forgets = 1;
}
