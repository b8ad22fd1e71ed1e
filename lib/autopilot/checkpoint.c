/* SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <string.h>

#include "autopilot/autopilot.h"
#include "base/env.h"
#include "base/error.h"
#include "base/options.h"

#define PART_COUNT 6u
#define MAX_PART_BYTES ((size_t)1 << 31) /* of one object, loaded */

static const char *const part_names[PART_COUNT] = { "forecaster", "map", "tiers", "materializer", "autopilot", "bulk" };

/* Parts that a checkpoint may be without. */
#define OPTIONAL_PARTS (1u << 3 | 1u << 5)

/* @return PSH_END: there is no such part. */
static psh_status save_part(const psh_autopilot *a, uint32_t part, psh_buffer *out) {
    switch (part) {
    case 0:
        return psh_forecaster_save(a->parts.forecaster, out);
    case 1:
        return psh_map_save(a->parts.map, out);
    case 2:
        return psh_tiers_save(a->parts.tiers, out);
    case 3:
        return a->parts.materializer ? psh_materializer_save(a->parts.materializer, out) : PSH_END;
    case 4:
        return pshi_autopilot_save(a, out);
    default:
        return a->parts.bulk ? psh_bulk_save(a->parts.bulk, out) : PSH_END;
    }
}

static psh_status save_parts(const psh_autopilot *a, psh_buffer *buffers[PART_COUNT]) {
    psh_status st = PSH_OK;
    uint32_t i;

    for (i = 0; (st == PSH_OK || st == PSH_END) && i < PART_COUNT; i++) {
        st = psh_buffer_create(a->env, &buffers[i]);
        if (st == PSH_OK)
            st = save_part(a, i, buffers[i]);
    }
    return st == PSH_END ? PSH_OK : st;
}

static psh_status hand_over(psh_autopilot *a, psh_buffer *buffers[PART_COUNT], int64_t now, psh_error *err) {
    psh_section sections[PART_COUNT];
    size_t n = 0;
    uint32_t i;

    for (i = 0; i < PART_COUNT; i++) {
        if (!psh_buffer_size(buffers[i]))
            continue;
        sections[n].name = part_names[i];
        sections[n].data = psh_buffer_data(buffers[i]);
        sections[n++].size = psh_buffer_size(buffers[i]);
    }
    return psh_driver_checkpoint(a->parts.driver, sections, n, now, err);
}

/* A checkpoint tells one moment: what was polled is applied, what ended is known to all. */
static psh_status settle(psh_autopilot *a, int64_t now, psh_error *err) {
    pshi_step s = { .now = now, .budget = 1, .status = PSH_OK, .err = err };
    psh_status st = pshi_apply_waiting(a);

    if (st == PSH_OK)
        st = pshi_events(a, now);
    if (st != PSH_OK)
        return pshi_fail(err, st, "autopilot", psh_status_text(st));
    pshi_pay_owed(a, &s);
    return s.status;
}

/*
 * Rows go to active partitions. One that a restore knew nothing of might be planned again with other arcs, and the
 * rows that went to it in between would be in no route: so no world names it before a checkpoint does.
 */
int pshi_owes_checkpoint(const psh_autopilot *a) {
    return a->activated && a->options.checkpoint_ns > 0;
}

psh_status pshi_checkpoint(psh_autopilot *a, int64_t now, psh_error *err) {
    psh_buffer *buffers[PART_COUNT] = { 0 };
    psh_status st = settle(a, now, err);
    uint32_t i;

    if (st != PSH_OK)
        return st;
    st = save_parts(a, buffers);
    if (st == PSH_OK)
        st = hand_over(a, buffers, now, err);
    else
        pshi_fail(err, st, "checkpoint", psh_status_text(st));
    if (st == PSH_OK) {
        a->activated = 0;
        pshi_idmap_clear(&a->unstored);
    }
    for (i = 0; i < PART_COUNT; i++)
        psh_buffer_destroy(buffers[i]);
    return st;
}

psh_status psh_autopilot_checkpoint(psh_autopilot *a, int64_t now, psh_error *err) {
    psh_status st;

    if (!a)
        return pshi_fail(err, PSH_E_INVALID, "autopilot", "is NULL");
    if (a->busy)
        return pshi_fail(err, PSH_E_REENTRANT, "autopilot", "called from inside one of its callbacks");
    if (now == PSH_TIME_NONE || now < a->last)
        return pshi_fail(err, PSH_E_TIME, "now", "went backwards");
    a->busy = 1;
    st = pshi_checkpoint(a, now, err);
    a->busy = 0;
    return st;
}

/* A restore under way. */
typedef struct restoring {
    psh_env *env;
    psh_schema *schema;
    psh_autopilot *a;
    psh_parts parts;
    uint64_t epoch;
    uint32_t seen; /* bit per part */
    psh_error *err;
} restoring;

static psh_status load_part(restoring *r, uint32_t part, const psh_section *s) {
    switch (part) {
    case 0:
        return psh_forecaster_load(
            r->env, r->schema, s->data, s->size, MAX_PART_BYTES, &r->parts.forecaster, r->err);
    case 1:
        return psh_map_load(r->env, r->schema, s->data, s->size, MAX_PART_BYTES, &r->parts.map, r->err);
    case 2:
        return psh_tiers_load(r->env, s->data, s->size, MAX_PART_BYTES, &r->parts.tiers, r->err);
    case 3:
        return psh_materializer_load(
            r->env, r->schema, s->data, s->size, MAX_PART_BYTES, &r->parts.materializer, r->err);
    case 4:
        return pshi_autopilot_load(r->a, s->data, s->size, &r->epoch);
    default:
        return psh_bulk_load(r->env, r->schema, s->data, s->size, MAX_PART_BYTES, &r->parts.bulk, r->err);
    }
}

static psh_status take_section(void *user, const psh_section *section) {
    restoring *r = user;
    uint32_t i;

    for (i = 0; i < PART_COUNT; i++)
        if (strcmp(section->name, part_names[i]) == 0)
            break;
    if (i == PART_COUNT)
        return PSH_E_NEWER;
    r->seen |= 1u << i;
    return load_part(r, i, section);
}

static void drop_parts(restoring *r) {
    psh_forecaster_destroy(r->parts.forecaster);
    psh_map_destroy(r->parts.map);
    psh_tiers_destroy(r->parts.tiers);
    psh_materializer_destroy(r->parts.materializer);
    psh_bulk_destroy(r->parts.bulk);
    psh_autopilot_destroy(r->a);
}

static psh_status check_seen(const restoring *r) {
    uint32_t required = ((1u << PART_COUNT) - 1u) & ~OPTIONAL_PARTS;

    if ((r->seen & required) != required)
        return pshi_fail(r->err, PSH_E_CORRUPT, "checkpoint", "a part is missing");
    return PSH_OK;
}

/* Publishes under the epoch that was current then, so that what follows is what would have followed. */
static psh_status publish_restored(restoring *r, int64_t now) {
    const psh_world *world = psh_worlds_current(r->parts.worlds);
    uint64_t epoch = world ? psh_world_epoch(world) + 1 : 1;
    uint64_t published = r->a->stats.epochs;
    psh_status st;

    epoch = r->epoch > epoch ? r->epoch : epoch;
    st = pshi_publish(r->a, now, epoch, r->err);
    r->a->stats.epochs = published > 0 ? published : r->a->stats.epochs;
    if (st == PSH_E_INVALID)
        return pshi_fail(r->err, PSH_E_CORRUPT, "checkpoint", "its parts do not make a world together");
    return st;
}

static psh_status restore_all(restoring *r, int64_t now) {
    psh_status st = psh_driver_restore(r->parts.driver, take_section, r, r->err);

    if (st == PSH_OK)
        st = check_seen(r);
    if (st == PSH_OK && now < r->a->last)
        st = pshi_fail(r->err, PSH_E_TIME, "now", "lies before the checkpoint");
    if (st == PSH_OK)
        st = pshi_autopilot_attach(r->a, &r->parts, r->err);
    if (st == PSH_OK)
        st = pshi_recover(r->a, r->err);
    return st == PSH_OK ? publish_restored(r, now) : st;
}

psh_status psh_autopilot_restore(
    psh_env *env, psh_schema *schema, const psh_autopilot_options *o, psh_parts *parts, int64_t now,
    psh_autopilot **out, psh_error *err) {
    restoring r = { .env = env, .schema = schema, .err = err };
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!parts || parts->struct_size < offsetof(psh_parts, bulk) || !parts->driver || !parts->worlds)
        return pshi_fail(err, PSH_E_INVALID, "parts", "must name driver and worlds");
    if (now == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_TIME, "now", "is no time");
    r.parts.struct_size = sizeof r.parts;
    r.parts.driver = parts->driver;
    r.parts.worlds = parts->worlds;
    st = pshi_autopilot_make(env, schema, o, &r.a, err);
    if (st == PSH_OK)
        st = restore_all(&r, now);
    if (st == PSH_OK && r.parts.bulk && parts->struct_size < sizeof *parts)
        st = pshi_fail(err, PSH_E_UNSUPPORTED, "parts", "the checkpoint has bulk loads, which the caller cannot take");
    if (st != PSH_OK) {
        drop_parts(&r);
        return st;
    }
    (void)pshi_struct_out(parts, &r.parts, sizeof r.parts);
    *out = r.a;
    return PSH_OK;
}
