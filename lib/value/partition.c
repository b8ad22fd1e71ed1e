/* SPDX-License-Identifier: MIT */
/* Partitions, tiers and view parts by themselves: ids, names, checks, bytes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "base/error.h"
#include "base/hash.h"
#include "value/schema.h"
#include "value/world.h"

#define PARTITION_DOMAIN UINT64_C(0x74726170) /* tell these hashes from those of other ids */
#define REPLICA_DOMAIN UINT64_C(0x6163696c706572)
#define QUARANTINE_DOMAIN UINT64_C(0x6e61726175)

const char *psh_partition_state_name(uint32_t state) {
    static const char *const names[] = { "unknown", "shadow", "warming", "active", "sealed", "archived",
                                         "dropped" };

    return names[state <= PSH_PARTITION_DROPPED ? state : 0];
}

static void key_bytes(unsigned char *to, uint64_t x, size_t n) {
    size_t i;

    for (i = 0; i < n; i++)
        to[i] = (unsigned char)(x >> (8 * i));
}

uint64_t psh_partition_id(uint32_t table, int64_t interval, uint64_t arc_first) {
    unsigned char key[20];

    key_bytes(key, table, 4);
    key_bytes(key + 4, (uint64_t)interval, 8);
    key_bytes(key + 12, arc_first, 8);
    return pshi_nonzero(pshi_hash_seed(key, sizeof key, PARTITION_DOMAIN));
}

uint64_t psh_quarantine_id(uint32_t table) {
    unsigned char key[4];

    key_bytes(key, table, 4);
    return pshi_nonzero(pshi_hash_seed(key, sizeof key, QUARANTINE_DOMAIN));
}

uint64_t psh_replica_id(uint64_t partition, uint32_t node) {
    unsigned char key[12];

    key_bytes(key, partition, 8);
    key_bytes(key + 8, node, 4);
    return pshi_nonzero(pshi_hash_seed(key, sizeof key, REPLICA_DOMAIN));
}

psh_status psh_partition_name(const psh_schema *s, const psh_partition *p, char *out, size_t size) {
    const pshi_table *table;
    pshi_civil c;
    int n;

    if (!s || !p || !out || !size)
        return PSH_E_INVALID;
    out[0] = '\0';
    table = pshi_schema_get_table(s, p->table);
    if (!table)
        return PSH_E_INVALID;
    if (p->flags & PSH_PARTITION_QUARANTINE) {
        n = snprintf(out, size, "%s_quarantine", table->name);
    } else {
        c = pshi_civil_from(p->time_from);
        n = snprintf(out, size, "%s_%04lld%02d%02dT%02d%02d%02d_s%u", table->name, (long long)c.year, c.month,
                     c.day, c.hour, c.minute, c.second, (unsigned)p->ordinal);
    }
    if (n < 0)
        return PSH_E_INVALID;
    return (size_t)n >= size ? PSH_E_LIMIT : PSH_OK;
}

int pshi_partition_owns(const psh_partition *p) {
    return p->state == PSH_PARTITION_ACTIVE || p->state == PSH_PARTITION_SEALED ||
           p->state == PSH_PARTITION_ARCHIVED;
}

static psh_status check_interval(const psh_schema *s, const psh_partition *p, psh_error *err) {
    int64_t id, from, to;

    if (p->flags & PSH_PARTITION_QUARANTINE) {
        if (p->id != psh_quarantine_id(p->table))
            return pshi_fail(err, PSH_E_INVALID, "id", "is not psh_quarantine_id of its table");
        if (p->time_from > p->time_to)
            return pshi_fail(err, PSH_E_INVALID, "time_from", "is after time_to");
        return PSH_OK;
    }
    if (p->id != psh_partition_id(p->table, p->interval, p->arc_first))
        return pshi_fail(err, PSH_E_INVALID, "id", "is not psh_partition_id of table, interval and arc_first");
    if (psh_schema_interval(s, p->table, p->time_from, &id, &from, &to) != PSH_OK || id != p->interval ||
        from != p->time_from || to != p->time_to)
        return pshi_fail(err, PSH_E_INVALID, "time_from", "time_from and time_to are not those of its interval");
    return PSH_OK;
}

psh_status pshi_partition_check(const psh_schema *s, const psh_partition *p, psh_error *err) {
    if (p->table >= psh_schema_table_count(s))
        return pshi_fail(err, PSH_E_INVALID, "table", "is not in the schema");
    if (p->state == PSH_PARTITION_DROPPED)
        return pshi_fail(err, PSH_E_INVALID, "state", "a dropped partition is not part of a world");
    if (p->state < PSH_PARTITION_SHADOW || p->state > PSH_PARTITION_DROPPED)
        return pshi_fail(err, PSH_E_INVALID, "state", "must be one of PSH_PARTITION_*");
    if (p->flags & ~PSH_PARTITION_QUARANTINE)
        return pshi_fail(err, PSH_E_INVALID, "flags", "has an unknown bit");
    if (p->arc_first > p->arc_last)
        return pshi_fail(err, PSH_E_INVALID, "arc_first", "is after arc_last");
    if (p->created_at == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "created_at", "must be a time");
    return check_interval(s, p, err);
}

void pshi_partition_put(pshi_writer *w, const psh_partition *p) {
    pshi_put_u64(w, p->id);
    pshi_put_var(w, p->table);
    pshi_put_var(w, p->state);
    pshi_put_var(w, p->flags);
    pshi_put_var(w, p->node);
    pshi_put_var(w, p->tier);
    pshi_put_var(w, p->ordinal);
    pshi_put_int(w, p->interval);
    pshi_put_int(w, p->time_from);
    pshi_put_int(w, p->time_to);
    pshi_put_var(w, p->arc_first);
    pshi_put_var(w, p->arc_last);
    pshi_put_var(w, p->rows);
    pshi_put_var(w, p->bytes);
    pshi_put_var(w, p->bytes_planned);
    pshi_put_var(w, p->last_position);
    pshi_put_int(w, p->created_at);
    pshi_put_int(w, p->first_write);
}

void pshi_partition_get(pshi_cursor *c, psh_partition *out) {
    memset(out, 0, sizeof *out);
    out->id = pshi_get_u64(c);
    out->table = pshi_get_var32(c);
    out->state = pshi_get_var32(c);
    out->flags = pshi_get_var32(c);
    out->node = pshi_get_var32(c);
    out->tier = pshi_get_var32(c);
    out->ordinal = pshi_get_var32(c);
    out->interval = pshi_get_int(c);
    out->time_from = pshi_get_int(c);
    out->time_to = pshi_get_int(c);
    out->arc_first = pshi_get_var(c);
    out->arc_last = pshi_get_var(c);
    out->rows = pshi_get_var(c);
    out->bytes = pshi_get_var(c);
    out->bytes_planned = pshi_get_var(c);
    out->last_position = pshi_get_var(c);
    out->created_at = pshi_get_int(c);
    out->first_write = pshi_get_int(c);
}

static void text_numbers(pshi_writer *w, const char *name, uint64_t x) {
    pshi_text(w, name);
    pshi_text_u64(w, x);
}

void pshi_partition_text(pshi_writer *w, const psh_partition *p) {
    pshi_text(w, "partition ");
    pshi_text_hex(w, p->id);
    text_numbers(w, " table ", p->table);
    if (p->flags & PSH_PARTITION_QUARANTINE) {
        pshi_text(w, " quarantine");
    } else {
        pshi_text(w, " interval ");
        pshi_text_i64(w, p->interval);
        text_numbers(w, " shard ", p->ordinal);
    }
    pshi_text(w, " [");
    pshi_text_time(w, p->time_from);
    pshi_text(w, ", ");
    pshi_text_time(w, p->time_to);
    pshi_text(w, ") arc ");
    pshi_text_hex(w, p->arc_first);
    pshi_text(w, "..");
    pshi_text_hex(w, p->arc_last);
    pshi_text(w, " ");
    pshi_text(w, psh_partition_state_name(p->state));
    text_numbers(w, " node ", p->node);
    text_numbers(w, " tier ", p->tier);
    text_numbers(w, " rows ", p->rows);
    text_numbers(w, " bytes ", p->bytes);
    text_numbers(w, " planned ", p->bytes_planned);
    text_numbers(w, " position ", p->last_position);
    pshi_text(w, " created ");
    pshi_text_time(w, p->created_at);
    pshi_text(w, " first write ");
    pshi_text_time(w, p->first_write);
}

static int is_price(double x) {
    return isfinite(x) && x >= 0;
}

psh_status pshi_tier_info_check(const psh_tier_info *t, psh_error *err) {
    if (t->node == PSH_NONE || t->tier == PSH_NONE)
        return pshi_fail(err, PSH_E_INVALID, "tier", "node and tier must be numbers below PSH_NONE");
    if (!is_price(t->price))
        return pshi_fail(err, PSH_E_INVALID, "price", "must be finite and >= 0");
    if (!is_price(t->read_cost))
        return pshi_fail(err, PSH_E_INVALID, "read_cost", "must be finite and >= 0");
    if (!is_price(t->latency_us))
        return pshi_fail(err, PSH_E_INVALID, "latency_us", "must be finite and >= 0");
    return PSH_OK;
}

void pshi_tier_info_put(pshi_writer *w, const psh_tier_info *t) {
    pshi_put_var(w, t->node);
    pshi_put_var(w, t->tier);
    pshi_put_var(w, t->capacity_bytes);
    pshi_put_f64(w, t->price);
    pshi_put_f64(w, t->read_cost);
    pshi_put_f64(w, t->latency_us);
    pshi_put_var(w, t->planned_bytes);
    pshi_put_var(w, t->reserved_bytes);
    pshi_put_var(w, t->used_bytes);
}

void pshi_tier_info_get(pshi_cursor *c, psh_tier_info *out) {
    memset(out, 0, sizeof *out);
    out->node = pshi_get_var32(c);
    out->tier = pshi_get_var32(c);
    out->capacity_bytes = pshi_get_var(c);
    out->price = pshi_get_f64(c);
    out->read_cost = pshi_get_f64(c);
    out->latency_us = pshi_get_f64(c);
    out->planned_bytes = pshi_get_var(c);
    out->reserved_bytes = pshi_get_var(c);
    out->used_bytes = pshi_get_var(c);
}

psh_status pshi_view_part_check(const psh_view_part *p, psh_error *err) {
    if (p->flags)
        return pshi_fail(err, PSH_E_INVALID, "flags", "has an unknown bit");
    if (p->time_from == PSH_TIME_NONE || p->time_from >= p->time_to)
        return pshi_fail(err, PSH_E_INVALID, "time_from", "must be a time before time_to");
    return PSH_OK;
}

void pshi_view_part_put(pshi_writer *w, const psh_view_part *p) {
    pshi_put_u64(w, p->view);
    pshi_put_var(w, p->node);
    pshi_put_var(w, p->flags);
    pshi_put_int(w, p->interval);
    pshi_put_int(w, p->time_from);
    pshi_put_int(w, p->time_to);
    pshi_put_var(w, p->position);
    pshi_put_int(w, p->commit_time);
    pshi_put_var(w, p->groups);
    pshi_put_var(w, p->bytes);
}

void pshi_view_part_get(pshi_cursor *c, psh_view_part *out) {
    memset(out, 0, sizeof *out);
    out->view = pshi_get_u64(c);
    out->node = pshi_get_var32(c);
    out->flags = pshi_get_var32(c);
    out->interval = pshi_get_int(c);
    out->time_from = pshi_get_int(c);
    out->time_to = pshi_get_int(c);
    out->position = pshi_get_var(c);
    out->commit_time = pshi_get_int(c);
    out->groups = pshi_get_var(c);
    out->bytes = pshi_get_var(c);
}
