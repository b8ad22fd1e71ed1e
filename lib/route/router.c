/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "route/route.h"
#include "value/world.h"

static psh_router_options router_defaults(void) {
    psh_router_options o = { sizeof o, 0, 64, 65536 };

    return o;
}

psh_status psh_router_options_init(psh_router_options *o, uint32_t size) {
    psh_router_options d = router_defaults();

    return pshi_options_out(o, size, &d, sizeof d);
}

static psh_status check_router_options(const psh_router_options *o, psh_error *err) {
    if (o->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (o->max_legs < 2 || o->max_legs > 4096)
        return pshi_fail(err, PSH_E_INVALID, "max_legs", "must be 2..4096");
    if (o->max_partitions < 1)
        return pshi_fail(err, PSH_E_INVALID, "max_partitions", "must be above 0");
    return PSH_OK;
}

psh_status psh_router_create(psh_env *env, const psh_router_options *options, psh_router **out, psh_error *err) {
    psh_router_options o = router_defaults();
    psh_router *r;
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env)
        return pshi_fail(err, PSH_E_INVALID, "env", "is NULL");
    if (options && (st = pshi_options_copy(&o, sizeof o, options, err)) != PSH_OK)
        return st;
    if ((st = check_router_options(&o, err)) != PSH_OK)
        return st;
    r = pshi_calloc(env, 1, sizeof *r);
    if (!r)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the router");
    r->env = env;
    r->o = o;
    *out = r;
    return PSH_OK;
}

void psh_router_destroy(psh_router *r) {
    if (r)
        pshi_free(r->env, r);
}

psh_status psh_router_write(
    psh_router *r, const psh_world *world, uint32_t table, uint64_t tenant, int64_t time, psh_placement *out) {
    const psh_partition *p;

    if (!r || !world || !out || time == PSH_TIME_NONE)
        return PSH_E_INVALID;
    memset(out, 0, sizeof *out);
    if (table >= psh_schema_table_count(psh_world_schema(world)))
        return PSH_E_NOT_FOUND;
    p = psh_world_locate(world, table, time, psh_world_point(world, table, tenant, time));
    if (!p || p->state != PSH_PARTITION_ACTIVE) {
        out->late = p != NULL;
        out->quarantined = 1;
        p = psh_world_find_partition(world, psh_quarantine_id(table));
    }
    if (!p || !pshi_partition_owns(p))
        return PSH_E_NOT_FOUND;
    out->partition = p;
    r->stats.writes++;
    r->stats.quarantined += out->quarantined;
    return PSH_OK;
}

psh_status psh_router_get_stats(const psh_router *r, psh_router_stats *out) {
    if (!r || !out)
        return PSH_E_INVALID;
    return pshi_struct_out(out, &r->stats, sizeof r->stats);
}
