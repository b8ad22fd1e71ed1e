/* SPDX-License-Identifier: MIT */
/*
 * Wants that change partitions which are there: what is under way is brought to its end first, from what the map
 * says of it alone, so that a plan that was lost resumes; then size, then heat, ask for more, within the budget.
 */
#include <math.h>

#include "base/checked.h"
#include "map/propose.h"
#include "value/wants.h"
#include "value/world.h"

#define MOST_STEPS 65535u

int pshi_reshard_affords(const pshi_proposal *c, double bytes) {
    return c->changes < c->m->o.max_changes && (double)c->moved + bytes <= (double)c->m->o.max_move_bytes;
}

static void spend(pshi_proposal *c, double bytes) {
    c->changes++;
    c->moved += pshi_map_whole(bytes);
}

/* Each change takes two entries at most, and there are no more changes than fill them. */
static void use(pshi_proposal *c, uint64_t partition, uint64_t cut) {
    c->cuts[c->used_count] = cut;
    c->used[c->used_count++] = partition;
}

static int is_used(const pshi_proposal *c, uint64_t partition) {
    size_t i;

    for (i = 0; i < c->used_count; i++)
        if (c->used[i] == partition)
            return 1;
    return 0;
}

/* Where what is left of a partition ends once this plan is done; its first point where it is not to be cut. */
static uint64_t end_of_rest(const pshi_proposal *c, const psh_partition *p) {
    uint64_t end = p->arc_last;
    size_t i;

    for (i = 0; i < c->used_count; i++)
        if (c->used[i] == p->id)
            end = c->cuts[i] ? c->cuts[i] - 1 : p->arc_first;
    return end;
}

static int is_owner(const pshi_slot *s) {
    return pshi_map_exists(s) && pshi_partition_owns(&s->p) && !s->gone && !pshi_map_is_child(s);
}

int pshi_is_idle(const pshi_proposal *c, const pshi_slot *s) {
    (void)c;
    return is_owner(s) && !s->pending && !s->partner && !s->owed;
}

int pshi_is_settled(const pshi_proposal *c, const pshi_slot *s) {
    return s->changed_at == PSH_TIME_NONE || pshi_time_add(s->changed_at, c->m->o.settle_ns) <= c->now;
}

static uint32_t steps_for(const pshi_proposal *c, double bytes) {
    double n = ceil(bytes / (double)c->m->o.step_bytes);

    return n < 1 ? 1 : n > MOST_STEPS ? MOST_STEPS : (uint32_t)n;
}

/*
 * Wants step..steps of one copy, each for its share of the bytes. The number of steps is a part of each id: a first
 * step of two is not the first of one, which is the last as well.
 */
static psh_status want_steps(pshi_proposal *c, psh_want w, uint32_t done, uint32_t steps, double bytes) {
    uint64_t base = w.generation + ((uint64_t)steps << 16);
    psh_status st = PSH_OK;

    w.steps = steps;
    w.resources.bytes = bytes / steps;
    for (w.step = done + 1; st == PSH_OK && w.step <= steps; w.step++) {
        w.generation = base + w.step;
        st = psh_wants_add(c->out, &w, c->err);
    }
    return st;
}

/* Splits. */

static psh_status want_split_steps(
    pshi_proposal *c, const psh_partition *child, uint64_t source, uint64_t stamp, uint32_t why, uint32_t done,
    uint32_t steps, double bytes) {
    psh_want w = pshi_want_of(child, PSH_ACT_SPLIT_PARTITION, why);

    w.source = source;
    w.generation = stamp << 32;
    return want_steps(c, w, done, steps ? steps : steps_for(c, bytes), bytes);
}

static uint32_t ordinal_for(const pshi_proposal *c, const pshi_slot *s) {
    uint64_t used[PSHI_MAP_MAX_ARCS / 64] = { 0 };
    psh_partition key = s->p;
    size_t i, end;

    key.arc_first = 0;
    i = pshi_map_lower(c->m, &key);
    for (end = pshi_map_group_end(c->m, i); i < end; i++)
        used[pshi_map_slot(c->m, i)->p.ordinal / 64] |= UINT64_C(1) << pshi_map_slot(c->m, i)->p.ordinal % 64;
    for (i = 0; i < c->used_count; i++) /* each cut of this plan took one, at most of this interval */
        if (c->cuts[i])
            (void)pshi_free_ordinal(used);
    return pshi_free_ordinal(used);
}

static int has_child(const pshi_proposal *c, const pshi_slot *s) {
    size_t i = pshi_map_lower(c->m, &s->p), end = pshi_map_group_end(c->m, i);

    for (; i < end; i++)
        if (pshi_map_slot(c->m, i)->source == s->p.id)
            return 1;
    return 0;
}

/* Both sides of a cut carry at least so much of the load: below it nothing is gained. */
#define LEAST_SIDE 0x1p-6

/* Tenants whose points are in first..last: *i..*end - 1. */
static void weights_in(const pshi_slice *s, uint64_t first, uint64_t last, size_t *i, size_t *end) {
    size_t low = 0, high = s->weight_count, mid;

    while (low < high) {
        mid = low + (high - low) / 2;
        if (s->weights[mid].point < first)
            low = mid + 1;
        else
            high = mid;
    }
    *i = *end = low;
    while (*end < s->weight_count && s->weights[*end].point <= last)
        ++*end;
}

uint32_t pshi_most_parts(pshi_proposal *c, const pshi_slot *s) {
    pshi_slice slice = { .table = s->p.table, .from = s->p.time_from };
    double all = 0, most = 0;
    size_t i, end;

    pshi_find_weights(c, &slice);
    if (s->p.arc_first == s->p.arc_last)
        return 1;
    weights_in(&slice, s->p.arc_first, s->p.arc_last, &i, &end);
    if (i == end)
        return slice.weight_count ? 1 : c->m->o.max_arcs;
    for (; i < end; i++) {
        all += slice.weights[i].rows;
        most = slice.weights[i].rows > most ? slice.weights[i].rows : most;
    }
    if (most > all * (1 - LEAST_SIDE))
        return 1;
    return all / most < 2 ? 2 : all / most > c->m->o.max_arcs ? c->m->o.max_arcs : (uint32_t)(all / most);
}

/*
 * Where to cut first..last so that `share` of the load goes right: between two tenants, or without known tenants by
 * the ring. @return 0 if there is no such place.
 */
static uint64_t find_cut(
    pshi_proposal *c, const pshi_slot *s, uint64_t last, double share, double *right) {
    pshi_slice slice = { .table = s->p.table, .from = s->p.time_from };
    uint64_t first = s->p.arc_first, cut = 0;
    double all, best = 2, here;
    size_t i, end;

    pshi_find_weights(c, &slice);
    weights_in(&slice, first, last, &i, &end);
    all = pshi_arcs_share(slice.weights, slice.weight_count, first, last);
    if (!slice.weight_count) {
        *right = share;
        cut = first + (uint64_t)((double)(last - first) * (1 - share));
        return cut < last ? cut + 1 : 0;
    }
    for (; i < end && all > 0; i++) {
        if (slice.weights[i].point == first)
            continue;
        here = pshi_arcs_share(slice.weights, slice.weight_count, slice.weights[i].point, last) / all;
        if (here >= LEAST_SIDE && here <= 1 - LEAST_SIDE && fabs(here - share) < best) {
            best = fabs(here - share);
            cut = slice.weights[i].point;
            *right = here;
        }
    }
    return cut;
}

/* The share of a partition's load that points first..last carry. */
static double part_of(pshi_proposal *c, const pshi_slot *s, uint64_t first, uint64_t last) {
    pshi_slice slice = { .table = s->p.table, .from = s->p.time_from };
    double all;

    pshi_find_weights(c, &slice);
    all = pshi_arcs_share(slice.weights, slice.weight_count, s->p.arc_first, s->p.arc_last);
    return all > 0 ? pshi_arcs_share(slice.weights, slice.weight_count, first, last) / all : 0;
}

/* Arcs of the interval, those that this plan adds among them, and one more. */
static int has_room_for_arc(const pshi_proposal *c, const pshi_slot *s) {
    psh_partition key = s->p;
    size_t at;

    key.arc_first = 0;
    at = pshi_map_lower(c->m, &key);
    return pshi_map_group_end(c->m, at) - at + c->used_count < c->m->o.max_arcs &&
           c->alive < c->m->o.max_partitions;
}

static int may_split(const pshi_proposal *c, const pshi_slot *s) {
    size_t i, end;

    pshi_map_copies(c->m, s->p.id, &i, &end);
    return i == end && pshi_is_idle(c, s) && s->p.state <= PSH_PARTITION_SEALED && !has_child(c, s) &&
           has_room_for_arc(c, s);
}

psh_status pshi_want_split(pshi_proposal *c, const pshi_slot *s, double share, uint32_t node, uint32_t why) {
    psh_partition child = s->p;
    double right = 0, bytes, part, whole;
    psh_status st;
    psh_want w;

    child.arc_last = end_of_rest(c, &s->p);
    if (!may_split(c, s) || child.arc_last <= child.arc_first)
        return PSH_OK;
    child.arc_first = find_cut(c, s, child.arc_last, share, &right);
    part = part_of(c, s, child.arc_first, child.arc_last);
    bytes = (double)s->p.bytes * part;
    whole = (double)(s->p.bytes > s->p.bytes_planned ? s->p.bytes : s->p.bytes_planned);
    child.ordinal = ordinal_for(c, s);
    if (!child.arc_first || child.ordinal == PSHI_MAP_MAX_ARCS || !pshi_reshard_affords(c, bytes))
        return PSH_OK;
    child.id = psh_partition_id(child.table, child.interval, child.arc_first);
    child.bytes_planned = pshi_map_whole(whole * part);
    child.node = node;
    w = pshi_want_of(&child, PSH_ACT_CREATE_PARTITION, why);
    w.source = s->p.id;
    w.generation = c->m->stamp + 1;
    w.resources.bytes = whole * part;
    spend(c, bytes);
    use(c, s->p.id, child.arc_first);
    c->alive++;
    st = psh_wants_add(c->out, &w, c->err);
    if (st == PSH_OK)
        st = want_split_steps(c, &child, s->p.id, w.generation, why, 0, 0, bytes);
    return st;
}

static psh_status want_drop_child(pshi_proposal *c, const pshi_slot *child) {
    psh_want w = pshi_want_of(&child->p, PSH_ACT_DROP_PARTITION, PSH_WHY_COOLED);

    w.generation = child->stamp;
    return psh_wants_add(c->out, &w, c->err);
}

/* A change of owner that was handed out, and may have been made: the same again, whatever else has changed since. */
static psh_status resume_owed(pshi_proposal *c, const pshi_slot *s) {
    psh_want w = pshi_want_of(&s->p, s->owed, s->source ? s->why : PSH_WHY_BALANCE);
    const pshi_slot *right = pshi_map_find(c->m, s->pending_source);

    c->changes++;
    w.generation = s->pending_generation;
    w.source = s->pending_source;
    w.step = s->pending_step;
    w.steps = s->pending_steps;
    if (s->owed == PSH_ACT_MERGE_PARTITION) {
        w.arc_last = right->p.arc_last;
        w.resources.bytes = (double)right->p.bytes;
    } else if (s->owed == PSH_ACT_PROMOTE_PARTITION) {
        w.node = s->pending_node;
    } else {
        w.resources.bytes = (double)s->p.bytes_planned / w.steps;
    }
    return psh_wants_add(c->out, &w, c->err);
}

/* A child goes on for as long as its source can give it its rows. What a bulk load made waits for that load. */
static psh_status resume_child(pshi_proposal *c, const pshi_slot *child) {
    const pshi_slot *source = pshi_map_find(c->m, child->source);

    if (!pshi_map_exists(child) || child->pending || child->gone)
        return PSH_OK;
    if (child->broken)
        return want_drop_child(c, child);
    c->changes += child->why != PSH_WHY_BULK;
    if (child->owed)
        return resume_owed(c, child);
    if (!source || source->gone || source->p.state > PSH_PARTITION_SEALED ||
        source->p.arc_last < child->p.arc_last || source->p.arc_first >= child->p.arc_first)
        return want_drop_child(c, child);
    if (child->why == PSH_WHY_BULK && !child->steps_done)
        return source->p.state == PSH_PARTITION_SEALED ? want_drop_child(c, child) : PSH_OK;
    if (source->pending || source->owed || source->p.arc_last != child->p.arc_last ||
        (source->partner && source->partner != child->p.id))
        return PSH_OK;
    return want_split_steps(
        c, &child->p, child->source, child->stamp, child->why, child->steps_done, child->steps,
        (double)source->p.bytes * part_of(c, source, child->p.arc_first, child->p.arc_last));
}

/* Merges. */

static int has_copy(const pshi_proposal *c, const pshi_slot *s) {
    size_t first, end;

    pshi_map_copies(c->m, s->p.id, &first, &end);
    return first < end;
}

psh_status pshi_want_merge(pshi_proposal *c, const pshi_slot *left, const pshi_slot *right, uint32_t why) {
    psh_want w = pshi_want_of(&left->p, PSH_ACT_MERGE_PARTITION, why);
    double bytes = (double)right->p.bytes;

    if (!pshi_reshard_affords(c, bytes) || is_used(c, left->p.id) || is_used(c, right->p.id))
        return PSH_OK;
    if (has_copy(c, left) || has_copy(c, right) || has_child(c, left) || has_child(c, right))
        return PSH_OK;
    spend(c, bytes);
    use(c, left->p.id, 0);
    use(c, right->p.id, 0);
    w.source = right->p.id;
    w.arc_last = right->p.arc_last;
    w.generation = (c->m->stamp + 1) << 32;
    w.resources.bytes = bytes;
    return psh_wants_add(c->out, &w, c->err);
}

/* Copies and moves. */

/* Equal for one change of one copy, another for the next. */
static uint64_t copy_generation(const pshi_slot *s, uint32_t node) {
    return psh_action_id(node, s->stamp + 1, s->changes) << 33;
}

static psh_status want_copy_steps(
    pshi_proposal *c, const pshi_slot *s, uint32_t node, uint32_t tier, uint32_t why, uint32_t done, uint32_t steps) {
    psh_want w = pshi_want_of(&s->p, PSH_ACT_REPLICATE_PARTITION, why);
    double bytes = (double)s->p.bytes;

    w.node = node;
    w.tier = tier;
    w.generation = copy_generation(s, node);
    return want_steps(c, w, done, steps ? steps : steps_for(c, bytes), bytes);
}

psh_status pshi_want_drop_replica(pshi_proposal *c, const pshi_slot *s, uint32_t node, uint32_t why) {
    psh_want w = pshi_want_of(&s->p, PSH_ACT_DROP_REPLICA, why);

    w.node = node;
    w.generation = copy_generation(s, node);
    return psh_wants_add(c->out, &w, c->err);
}

static psh_status want_promotion(pshi_proposal *c, const pshi_slot *s, uint32_t node, uint32_t why) {
    psh_want w = pshi_want_of(&s->p, PSH_ACT_PROMOTE_PARTITION, why);
    psh_status st;

    w.node = node;
    w.generation = copy_generation(s, node);
    st = psh_wants_add(c->out, &w, c->err);
    return st == PSH_OK ? pshi_want_drop_replica(c, s, s->p.node, why) : st;
}

psh_status pshi_want_replica(pshi_proposal *c, const pshi_slot *s, uint32_t node, uint32_t why) {
    double bytes = (double)s->p.bytes;

    if (!pshi_reshard_affords(c, bytes) || pshi_map_copy(c->m, s->p.id, node) || has_child(c, s) ||
        is_used(c, s->p.id))
        return PSH_OK;
    spend(c, bytes);
    use(c, s->p.id, 0);
    return want_copy_steps(c, s, node, s->p.tier, why, 0, 0);
}

psh_status pshi_want_move(pshi_proposal *c, const pshi_slot *s, uint32_t node, uint32_t why) {
    const pshi_copy *copy = pshi_map_copy(c->m, s->p.id, node);
    double bytes = copy ? 0 : (double)s->p.bytes;
    psh_status st = PSH_OK;

    if (!pshi_reshard_affords(c, bytes) || has_child(c, s) || (copy && copy->r.state != PSH_REPLICA_READY) ||
        is_used(c, s->p.id))
        return PSH_OK;
    spend(c, bytes);
    use(c, s->p.id, 0);
    if (!copy)
        st = want_copy_steps(c, s, node, s->p.tier, why, 0, 0);
    return st == PSH_OK ? want_promotion(c, s, node, why) : st;
}

static int is_node_usable(const pshi_proposal *c, uint32_t node) {
    const psh_map_node *n = pshi_map_node(c->m, node);

    return !n || n->state == PSH_MAP_NODE_UP;
}

static psh_status resume_copy(pshi_proposal *c, const pshi_copy *copy) {
    const pshi_slot *s = pshi_map_find(c->m, copy->r.partition);
    psh_status st = PSH_OK;

    if (!s || s->pending || s->partner || s->owed)
        return PSH_OK;
    c->changes += copy->purpose != PSHI_COPY_READ || copy->r.state != PSH_REPLICA_READY;
    if (copy->purpose == PSHI_COPY_LEFT)
        return pshi_want_drop_replica(c, s, copy->r.node, copy->why);
    if (!is_node_usable(c, copy->r.node))
        return pshi_want_drop_replica(c, s, copy->r.node, PSH_WHY_LEAVING);
    if (copy->r.state == PSH_REPLICA_WARMING)
        st = want_copy_steps(c, s, copy->r.node, copy->r.tier, copy->why, copy->steps_done, copy->steps);
    if (st == PSH_OK && copy->purpose == PSHI_COPY_MOVE)
        st = want_promotion(c, s, copy->r.node, copy->why);
    return st;
}

static psh_status resume_all(pshi_proposal *c) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < c->m->count; i++)
        if (pshi_map_is_child(pshi_map_slot(c->m, i)))
            st = resume_child(c, pshi_map_slot(c->m, i));
        else if (pshi_map_slot(c->m, i)->owed && !pshi_map_slot(c->m, i)->pending)
            st = resume_owed(c, pshi_map_slot(c->m, i));
    for (i = 0; st == PSH_OK && i < c->m->copy_count; i++)
        st = resume_copy(c, &c->m->copies[i]);
    return st;
}

/* Size. */

static double size_of(const pshi_proposal *c, const psh_partition *p) {
    return (double)(p->time_to > c->now && p->bytes_planned > p->bytes ? p->bytes_planned : p->bytes);
}

/* Whether two slots that follow each other are neighbours that could be one. */
static int may_merge(const pshi_proposal *c, const pshi_slot *a, const pshi_slot *b) {
    if (!pshi_is_idle(c, a) || !pshi_is_idle(c, b) || a->p.state != b->p.state || a->p.flags || b->p.flags)
        return 0;
    if (a->p.table != b->p.table || a->p.interval != b->p.interval || a->p.arc_last + 1 != b->p.arc_first)
        return 0;
    if (a->p.node != b->p.node || a->p.tier != b->p.tier || a->p.state == PSH_PARTITION_ARCHIVED)
        return 0;
    return pshi_is_settled(c, a) && pshi_is_settled(c, b) && !has_copy(c, a) && !has_copy(c, b) &&
           !has_child(c, a) && !has_child(c, b);
}

static psh_status propose_by_size(pshi_proposal *c) {
    const psh_map_options *o = &c->m->o;
    const pshi_slot *s, *next;
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < c->m->count; i++) {
        s = pshi_map_slot(c->m, i);
        next = i + 1 < c->m->count ? pshi_map_slot(c->m, i + 1) : NULL;
        if (o->split_bytes && s->p.bytes > o->split_bytes && s->p.state == PSH_PARTITION_ACTIVE && !s->p.flags &&
            pshi_is_settled(c, s)) {
            st = pshi_want_split(c, s, 0.5, s->p.node, PSH_WHY_SIZE);
        } else if (o->merge_bytes && next && may_merge(c, s, next) &&
                   size_of(c, &s->p) + size_of(c, &next->p) < (double)o->merge_bytes) {
            st = pshi_want_merge(c, s, next, PSH_WHY_COOLED);
            i++; /* one change of a partition at a time */
        }
    }
    return st;
}

/* Nodes. */

static int is_empty_node(const psh_map *m, uint32_t node) {
    size_t i;

    for (i = 0; i < m->count; i++)
        if (m->slots[i].p.node == node)
            return 0;
    for (i = 0; i < m->copy_count; i++)
        if (m->copies[i].r.node == node)
            return 0;
    return 1;
}

static psh_status want_node(pshi_proposal *c, uint32_t kind, uint32_t node) {
    psh_want w = { .kind = kind, .why = kind == PSH_ACT_ADD_NODE ? PSH_WHY_FORECAST : PSH_WHY_COOLED,
                   .subject = psh_node_subject(node), .node = node, .tier = PSH_NONE, .confidence = 1,
                   .not_before = PSH_TIME_MIN, .deadline = PSH_TIME_MAX, .generation = c->m->node_stamp };

    return psh_wants_add(c->out, &w, c->err);
}

static psh_status propose_nodes(pshi_proposal *c) {
    const psh_map *m = c->m;
    psh_status st = PSH_OK;
    size_t up = 0, i;

    for (i = 0; i < m->node_count; i++)
        up += m->nodes[i].state == PSH_MAP_NODE_UP;
    for (i = 0; st == PSH_OK && i < m->node_count; i++) {
        if (m->nodes[i].state == PSH_MAP_NODE_STANDBY && m->nodes_wanted > up) {
            st = want_node(c, PSH_ACT_ADD_NODE, m->nodes[i].node);
            up++;
        } else if (m->nodes[i].state == PSH_MAP_NODE_LEAVING && is_empty_node(m, m->nodes[i].node)) {
            st = want_node(c, PSH_ACT_RELEASE_NODE, m->nodes[i].node);
        }
    }
    return st;
}

psh_status pshi_reshard_propose(pshi_proposal *c) {
    psh_status st = resume_all(c);

    if (st == PSH_OK && c->m->o.max_changes)
        st = propose_by_size(c);
    if (st == PSH_OK && c->m->o.max_changes)
        st = pshi_heat_propose(c);
    return st == PSH_OK ? propose_nodes(c) : st;
}
