/* SPDX-License-Identifier: MIT */
/* Replicas and assignments by themselves: checks, bytes, text. */
#include <string.h>

#include <predshard/forecast.h>

#include "base/error.h"
#include "value/world.h"

psh_status pshi_replica_check(const psh_replica *r, psh_error *err) {
    if (r->node == PSH_NONE || r->tier == PSH_NONE)
        return pshi_fail(err, PSH_E_INVALID, "node", "node and tier must be numbers below PSH_NONE");
    if (r->state != PSH_REPLICA_WARMING && r->state != PSH_REPLICA_READY)
        return pshi_fail(err, PSH_E_INVALID, "state", "must be one of PSH_REPLICA_*");
    if (r->reserved)
        return pshi_fail(err, PSH_E_INVALID, "reserved", "must be 0");
    if ((r->state == PSH_REPLICA_READY) != (r->ready_at != PSH_TIME_NONE))
        return pshi_fail(err, PSH_E_INVALID, "ready_at", "must be a time when it is ready, else none");
    return PSH_OK;
}

void pshi_replica_put(pshi_writer *w, const psh_replica *r) {
    pshi_put_u64(w, r->partition);
    pshi_put_var(w, r->node);
    pshi_put_var(w, r->tier);
    pshi_put_var(w, r->state);
    pshi_put_int(w, r->ready_at);
}

void pshi_replica_get(pshi_cursor *c, psh_replica *out) {
    memset(out, 0, sizeof *out);
    out->partition = pshi_get_u64(c);
    out->node = pshi_get_var32(c);
    out->tier = pshi_get_var32(c);
    out->state = pshi_get_var32(c);
    out->ready_at = pshi_get_int(c);
}

void pshi_replica_text(pshi_writer *w, const psh_replica *r) {
    pshi_text(w, "replica of ");
    pshi_text_hex(w, r->partition);
    pshi_text(w, " node ");
    pshi_text_u64(w, r->node);
    pshi_text(w, " tier ");
    pshi_text_u64(w, r->tier);
    pshi_text(w, r->state == PSH_REPLICA_READY ? " ready at " : " warming");
    if (r->state == PSH_REPLICA_READY)
        pshi_text_time(w, r->ready_at);
    pshi_text(w, "\n");
}

psh_status pshi_assignment_check(const psh_schema *s, const psh_assignment *a, psh_error *err) {
    if (a->table >= psh_schema_table_count(s))
        return pshi_fail(err, PSH_E_INVALID, "table", "is not in the schema");
    if (a->from == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "from", "must be a time");
    if (a->access > PSH_ACCESS_SCAN)
        return pshi_fail(err, PSH_E_INVALID, "access", "must be 0 or one of PSH_ACCESS_*");
    return PSH_OK;
}

void pshi_assignment_put(pshi_writer *w, const psh_assignment *a) {
    pshi_put_u64(w, a->tenant);
    pshi_put_var(w, a->table);
    pshi_put_var(w, a->segment);
    pshi_put_int(w, a->from);
    pshi_put_var(w, a->access);
    pshi_put_u32(w, a->tier);
}

void pshi_assignment_get(pshi_cursor *c, psh_assignment *out) {
    memset(out, 0, sizeof *out);
    out->tenant = pshi_get_u64(c);
    out->table = pshi_get_var32(c);
    out->segment = pshi_get_var32(c);
    out->from = pshi_get_int(c);
    out->access = pshi_get_var32(c);
    out->tier = pshi_get_u32(c);
}

static const char *access_name(uint32_t access) {
    static const char *const names[] = { "unknown", "point", "range", "scan" };

    return names[access <= PSH_ACCESS_SCAN ? access : 0];
}

void pshi_assignment_text(pshi_writer *w, const psh_assignment *a) {
    pshi_text(w, "tenant ");
    pshi_text_hex(w, a->tenant);
    pshi_text(w, " table ");
    pshi_text_u64(w, a->table);
    pshi_text(w, " from ");
    pshi_text_time(w, a->from);
    pshi_text(w, " segment ");
    pshi_text_u64(w, a->segment);
    pshi_text(w, " access ");
    pshi_text(w, access_name(a->access));
    pshi_text(w, " tier ");
    if (a->tier == PSH_NONE)
        pshi_text(w, "any");
    else
        pshi_text_u64(w, a->tier);
    pshi_text(w, "\n");
}
