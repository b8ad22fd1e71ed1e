/* SPDX-License-Identifier: MIT */
#include "value/load.h"
#include "value/view.h"
#include "value/world.h"

static void encode_world(pshi_writer *w, const void *value) {
    const psh_world *world = value;
    const pshi_world_lists *l = &world->rest->lists;
    pshi_partition_walk walk;
    const psh_partition *p;
    size_t i;

    pshi_put_u64(w, world->epoch);
    pshi_put_int(w, world->time);
    pshi_put_var(w, world->partition_count);
    pshi_partitions_begin(world, &walk);
    while ((p = pshi_partitions_next(&walk)))
        pshi_partition_put(w, p);
    pshi_put_var(w, l->tier_count);
    for (i = 0; i < l->tier_count; i++)
        pshi_tier_info_put(w, &l->tiers[i]);
    pshi_put_var(w, l->view_count);
    for (i = 0; i < l->view_count; i++)
        pshi_view_put(w, l->views[i]);
    pshi_put_var(w, l->part_count);
    for (i = 0; i < l->part_count; i++)
        pshi_view_part_put(w, &l->parts[i]);
    pshi_put_var(w, psh_world_replica_count(world));
    for (i = 0; i < psh_world_replica_count(world); i++)
        pshi_replica_put(w, psh_world_replica(world, i));
    pshi_put_var(w, psh_world_assignment_count(world));
    for (i = 0; i < psh_world_assignment_count(world); i++)
        pshi_assignment_put(w, psh_world_assignment(world, i));
}

psh_status psh_world_save(const psh_world *w, psh_buffer *out) {
    return pshi_frame_save(out, PSHI_KIND_WORLD, encode_world, w);
}

/* What a draft and the world made of it take for each partition, alone in its interval: a change and its entries in
 * two maps besides. Leaves are a quarter full at worst, and inner nodes have two children at least. */
#define ENTRY_BYTES (4 * sizeof(pshi_radix_entry) + sizeof(pshi_radix_inner))
#define PARTITION_BYTES \
    (2 * sizeof(psh_partition) + sizeof(pshi_span) + sizeof(pshi_touched) + 80 + 2 * ENTRY_BYTES)

static psh_status decode_partitions(psh_world_draft *d, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, PSHI_PARTITION_LEAST), i;
    psh_status st = pshi_load_fits(max_bytes, n, PARTITION_BYTES, err);
    psh_partition p;

    for (i = 0; st == PSH_OK && i < n; i++) {
        pshi_partition_get(c, &p);
        st = psh_world_draft_add_partition(d, &p);
    }
    return st;
}

static psh_status decode_tiers(psh_world_draft *d, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, PSHI_TIER_INFO_LEAST), i;
    psh_status st = pshi_load_fits(max_bytes, n, 2 * sizeof(psh_tier_info), err);
    psh_tier_info t;

    for (i = 0; st == PSH_OK && i < n; i++) {
        pshi_tier_info_get(c, &t);
        st = psh_world_draft_add_tier(d, &t);
    }
    return st;
}

static psh_status decode_views(psh_env *env, psh_world_draft *d, pshi_cursor *c, psh_error *err) {
    size_t n = pshi_get_count(c, 1), i;
    psh_status st = PSH_OK;
    psh_view *v = NULL;

    for (i = 0; st == PSH_OK && i < n; i++) {
        st = pshi_view_get(env, d->schema, c, &v);
        if (st != PSH_OK)
            return pshi_fail_at(err, st, "views", i, psh_status_text(st));
        st = psh_world_draft_add_view(d, v);
        psh_view_unref(v);
    }
    return st;
}

static psh_status decode_parts(psh_world_draft *d, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, PSHI_VIEW_PART_LEAST), i;
    psh_status st = pshi_load_fits(max_bytes, n, 2 * sizeof(psh_view_part) + 24, err);
    psh_view_part p;

    for (i = 0; st == PSH_OK && i < n; i++) {
        pshi_view_part_get(c, &p);
        st = psh_world_draft_add_view_part(d, &p);
    }
    return st;
}

static psh_status decode_replicas(psh_world_draft *d, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, PSHI_REPLICA_LEAST), i;
    psh_status st = pshi_load_fits(max_bytes, n, 3 * sizeof(psh_replica) + ENTRY_BYTES, err);
    psh_replica r;

    for (i = 0; st == PSH_OK && i < n; i++) {
        pshi_replica_get(c, &r);
        st = psh_world_draft_add_replica(d, &r);
    }
    return st;
}

static psh_status decode_assignments(psh_world_draft *d, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, PSHI_ASSIGNMENT_LEAST), i;
    psh_status st = pshi_load_fits(max_bytes, n, 3 * sizeof(psh_assignment) + ENTRY_BYTES, err);
    psh_assignment a;

    for (i = 0; st == PSH_OK && i < n; i++) {
        pshi_assignment_get(c, &a);
        st = psh_world_draft_add_assignment(d, &a);
    }
    return st;
}

static psh_status decode_lists(
    psh_env *env, psh_world_draft *d, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    psh_status st = decode_partitions(d, c, max_bytes, err);

    if (st == PSH_OK)
        st = decode_tiers(d, c, max_bytes, err);
    if (st == PSH_OK)
        st = decode_views(env, d, c, err);
    if (st == PSH_OK)
        st = decode_parts(d, c, max_bytes, err);
    if (st == PSH_OK)
        st = decode_replicas(d, c, max_bytes, err);
    if (st == PSH_OK)
        st = decode_assignments(d, c, max_bytes, err);
    if (st == PSH_OK && pshi_read_end(c) != PSH_OK)
        st = pshi_fail(err, PSH_E_CORRUPT, "data", "damaged, or bytes follow the last assignment");
    return st == PSH_E_NOMEM ? pshi_fail(err, st, "", psh_status_text(st)) : st;
}

static psh_status decode_world(
    psh_env *env, psh_schema *schema, pshi_cursor *c, size_t max_bytes, psh_world **out, psh_error *err) {
    uint64_t epoch = pshi_get_u64(c);
    int64_t time = pshi_get_int(c);
    psh_world_draft *d = NULL;
    psh_status st;

    if (c->status != PSH_OK || time == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_CORRUPT, "data", "epoch or time are damaged");
    st = psh_world_draft_create(env, schema, epoch, time, &d);
    if (st != PSH_OK)
        return pshi_fail(err, st, "", psh_status_text(st));
    st = decode_lists(env, d, c, max_bytes, err);
    if (st == PSH_OK)
        st = pshi_load_status(psh_world_create(d, out, err), err);
    psh_world_draft_destroy(d);
    return st;
}

psh_status psh_world_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_world **out,
    psh_error *err) {
    pshi_frame frame;
    pshi_cursor c;
    psh_status st;

    if (!out || !env || !schema)
        return pshi_fail(err, PSH_E_INVALID, "schema", "env, schema and out are needed");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_WORLD, max_bytes, &frame, &c, err);
    if (st != PSH_OK)
        return st;
    st = decode_world(env, schema, &c, max_bytes, out, err);
    pshi_frame_close(&frame);
    return st;
}

void pshi_tier_info_text(pshi_writer *w, const psh_tier_info *t) {
    pshi_text(w, "tier ");
    pshi_text_u64(w, t->tier);
    pshi_text(w, " node ");
    pshi_text_u64(w, t->node);
    pshi_text(w, " capacity ");
    pshi_text_u64(w, t->capacity_bytes);
    pshi_text(w, " planned ");
    pshi_text_u64(w, t->planned_bytes);
    pshi_text(w, " reserved ");
    pshi_text_u64(w, t->reserved_bytes);
    pshi_text(w, " used ");
    pshi_text_u64(w, t->used_bytes);
    pshi_text(w, " price ");
    pshi_text_f64(w, t->price);
    pshi_text(w, " read cost ");
    pshi_text_f64(w, t->read_cost);
    pshi_text(w, " latency us ");
    pshi_text_f64(w, t->latency_us);
    pshi_text(w, "\n");
}

void pshi_view_part_text(pshi_writer *w, const psh_view_part *p) {
    pshi_text(w, "part of ");
    pshi_text_hex(w, p->view);
    pshi_text(w, " node ");
    pshi_text_u64(w, p->node);
    pshi_text(w, " interval ");
    pshi_text_i64(w, p->interval);
    pshi_text(w, " [");
    pshi_text_time(w, p->time_from);
    pshi_text(w, ", ");
    pshi_text_time(w, p->time_to);
    pshi_text(w, ") position ");
    pshi_text_u64(w, p->position);
    pshi_text(w, " commit ");
    pshi_text_time(w, p->commit_time);
    pshi_text(w, " groups ");
    pshi_text_u64(w, p->groups);
    pshi_text(w, " bytes ");
    pshi_text_u64(w, p->bytes);
    pshi_text(w, "\n");
}

static void text_view(pshi_writer *w, psh_view *v) {
    pshi_text(w, "view ");
    pshi_text_hex(w, psh_view_id(v));
    pshi_text(w, " ");
    if (w->status == PSH_OK)
        w->status = psh_view_dump(v, w->out);
}

psh_status psh_world_dump(const psh_world *w, psh_buffer *out) {
    pshi_writer text = pshi_write(out);
    const pshi_world_lists *l;
    pshi_partition_walk walk;
    const psh_partition *p;
    size_t i;

    if (!w)
        return PSH_E_INVALID;
    l = &w->rest->lists;
    pshi_text(&text, "world epoch ");
    pshi_text_u64(&text, w->epoch);
    pshi_text(&text, " time ");
    pshi_text_time(&text, w->time);
    pshi_text(&text, "\n");
    pshi_partitions_begin(w, &walk);
    while ((p = pshi_partitions_next(&walk))) {
        pshi_partition_text(&text, p);
        pshi_text(&text, "\n");
    }
    for (i = 0; i < psh_world_replica_count(w); i++)
        pshi_replica_text(&text, psh_world_replica(w, i));
    for (i = 0; i < psh_world_assignment_count(w); i++)
        pshi_assignment_text(&text, psh_world_assignment(w, i));
    for (i = 0; i < l->tier_count; i++)
        pshi_tier_info_text(&text, &l->tiers[i]);
    for (i = 0; i < l->view_count; i++)
        text_view(&text, l->views[i]);
    for (i = 0; i < l->part_count; i++)
        pshi_view_part_text(&text, &l->parts[i]);
    return pshi_write_end(&text);
}
