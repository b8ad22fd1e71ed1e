/* SPDX-License-Identifier: MIT */
#include "rig.h"

psh_schema *rig_schema(psh_env *env, int64_t interval_ns) {
    psh_schema *days = test_flights_schema(env), *s = NULL;
    psh_table_spec table;

    assert_ok(psh_schema_table(days, 0, &table));
    table.interval_ns = interval_ns;
    assert_ok(psh_schema_create(env, &table, 1, sizeof table, &s, NULL));
    psh_schema_unref(days);
    return s;
}

static psh_status open_router(rig *r) {
    psh_driver_options o;
    psh_status st;

    st = psh_driver_options_init(&o, sizeof o);
    o.retry_ns = PSH_MINUTE;
    if (st == PSH_OK)
        st = psh_driver_create(r->env, r->schema, &o, &r->storage, &r->cdc, &r->kv, &r->driver, NULL);
    if (st == PSH_OK)
        st = psh_worlds_create(r->env, 4, &r->worlds);
    memory_host_set_worlds(r->host, r->worlds);
    if (st == PSH_OK)
        st = psh_reader_create(r->worlds, &r->reader);
    if (st == PSH_OK)
        st = psh_router_create(r->env, NULL, &r->router, NULL);
    return st == PSH_OK ? psh_route_create(r->router, &r->route) : st;
}

static psh_status open_forecaster(rig *r) {
    psh_forecaster_options o;
    psh_status st = psh_forecaster_options_init(&o, sizeof o);

    o.bucket_ns = 10 * PSH_MINUTE;
    o.season_short = 6;
    o.season_long = 24;
    o.horizon = 12;
    o.lateness_ns = 0;
    return st == PSH_OK ? psh_forecaster_create(r->env, r->schema, &o, &r->parts.forecaster, NULL) : st;
}

static psh_status tell_nodes(psh_map *m, uint32_t nodes) {
    psh_map_node n[RIG_NODES];
    uint32_t i;

    for (i = 0; i < nodes; i++)
        n[i] = (psh_map_node){ i, PSH_MAP_NODE_UP, 100, UINT64_C(64) << 20 };
    return psh_map_set_nodes(m, n, nodes, sizeof n[0], NULL);
}

static psh_status open_map(rig *r, int64_t interval_ns, uint32_t nodes) {
    psh_map_options o;
    psh_status st = psh_map_options_init(&o, sizeof o);

    o.target_bytes = 16384;
    o.max_arcs = 4;
    o.lead_ns = interval_ns;
    o.activate_lead_ns = interval_ns / 4;
    o.lateness_ns = interval_ns / 6;
    if (nodes > 1) {
        o.max_arcs = 12;
        o.settle_ns = interval_ns / 8;
        o.step_bytes = 256;
    }
    if (st == PSH_OK)
        st = psh_map_create(r->env, r->schema, &o, &r->parts.map, NULL);
    return st == PSH_OK && nodes > 1 ? tell_nodes(r->parts.map, nodes) : st;
}

static psh_status open_tiers(rig *r, int64_t interval_ns, uint32_t nodes) {
    static const psh_tier_info fast = { .tier = 0, .capacity_bytes = UINT64_C(4) << 20, .price = 1, .read_cost = 1,
                                        .latency_us = 10 };
    static const psh_tier_info slow = { .tier = 1, .capacity_bytes = UINT64_C(64) << 20, .price = 0.1,
                                        .read_cost = 4, .latency_us = 500 };
    psh_tier_info tiers[2 * RIG_NODES];
    psh_retention retention = { .archive_tier = 1 };
    psh_tiers_options o;
    psh_status st = psh_tiers_options_init(&o, sizeof o);
    uint32_t i;

    for (i = 0; i < nodes; i++) {
        tiers[2 * i] = fast;
        tiers[2 * i + 1] = slow;
        tiers[2 * i].node = tiers[2 * i + 1].node = i;
    }
    retention.archive_after_ns = 2 * interval_ns;
    retention.drop_after_ns = 8 * interval_ns;
    o.tiers = tiers;
    o.tier_count = 2 * (size_t)nodes;
    o.tier_stride = sizeof tiers[0];
    o.retention = &retention;
    o.retention_count = 1;
    o.retention_stride = sizeof retention;
    return st == PSH_OK ? psh_tiers_create(r->env, &o, &r->parts.tiers, NULL) : st;
}

static psh_status open_bulk(rig *r, int64_t interval_ns) {
    psh_bulk_options o;
    psh_status st = psh_bulk_options_init(&o, sizeof o);

    o.target_bytes = 1024;
    o.max_parts = 3;
    o.lead_ns = interval_ns / 4;
    return st == PSH_OK ? psh_bulk_create(r->env, r->schema, &o, &r->parts.bulk, NULL) : st;
}

static psh_status open_views(rig *r) {
    psh_materializer_options o;
    psh_status st = psh_materializer_options_init(&o, sizeof o);

    o.max_bytes = UINT64_C(2) << 20;
    o.unread_cycles = 6;
    o.min_benefit = 1;
    return st == PSH_OK ? psh_materializer_create(r->env, r->schema, &o, &r->parts.materializer, NULL) : st;
}

static psh_status pilot_options(psh_autopilot_options *o, int64_t interval_ns, uint32_t nodes) {
    psh_status st = psh_autopilot_options_init(o, sizeof *o);

    o->mode = PSH_MODE_ACT;
    o->cycle_ns = interval_ns / 4;
    o->horizon_ns = 2 * interval_ns;
    o->poll_ns = PSH_MINUTE;
    o->checkpoint_ns = nodes > 1 ? interval_ns / 4 : 0;
    o->flags = nodes > 1 ? PSH_AUTOPILOT_SEGMENTS : 0;
    return st;
}

static psh_status prepare(rig *r, psh_env *env, psh_schema *schema, memory_host *host) {
    memset(r, 0, sizeof *r);
    r->env = env;
    r->schema = schema;
    r->host = host;
    memory_host_tables(host, &r->storage, &r->cdc, &r->kv);
    r->parts.struct_size = sizeof r->parts;
    return open_router(r);
}

psh_status rig_open(rig *r, psh_env *env, psh_schema *schema, memory_host *host, int64_t interval_ns) {
    return rig_open_on(r, env, schema, host, interval_ns, 1);
}

psh_status rig_open_on(
    rig *r, psh_env *env, psh_schema *schema, memory_host *host, int64_t interval_ns, uint32_t nodes) {
    psh_autopilot_options o;
    psh_status st = prepare(r, env, schema, host);

    if (st == PSH_OK)
        st = open_forecaster(r);
    if (st == PSH_OK)
        st = open_map(r, interval_ns, nodes);
    if (st == PSH_OK)
        st = open_tiers(r, interval_ns, nodes);
    if (st == PSH_OK)
        st = open_views(r);
    if (st == PSH_OK && nodes > 1)
        st = open_bulk(r, interval_ns);
    if (st == PSH_OK)
        st = psh_driver_lead(r->driver, NULL, NULL);
    if (st == PSH_OK)
        st = pilot_options(&o, interval_ns, nodes);
    r->parts.driver = r->driver;
    r->parts.worlds = r->worlds;
    return st == PSH_OK ? psh_autopilot_create(env, schema, &o, &r->parts, &r->pilot, NULL) : st;
}

psh_status rig_reopen(rig *r, psh_env *env, psh_schema *schema, memory_host *host, int64_t now) {
    return rig_reopen_on(r, env, schema, host, now, 1);
}

psh_status rig_reopen_on(
    rig *r, psh_env *env, psh_schema *schema, memory_host *host, int64_t now, uint32_t nodes) {
    psh_autopilot_options o;
    psh_table_spec table;
    psh_status st = prepare(r, env, schema, host);

    if (st == PSH_OK)
        st = psh_schema_table(schema, 0, &table);
    if (st == PSH_OK)
        st = pilot_options(&o, table.interval_ns, nodes);
    r->parts.driver = r->driver;
    r->parts.worlds = r->worlds;
    return st == PSH_OK ? psh_autopilot_restore(env, schema, &o, &r->parts, now, &r->pilot, NULL) : st;
}

void rig_close(rig *r) {
    psh_autopilot_destroy(r->pilot);
    psh_materializer_destroy(r->parts.materializer);
    psh_bulk_destroy(r->parts.bulk);
    psh_tiers_destroy(r->parts.tiers);
    psh_map_destroy(r->parts.map);
    psh_forecaster_destroy(r->parts.forecaster);
    psh_route_destroy(r->route);
    psh_router_destroy(r->router);
    psh_reader_destroy(r->reader);
    psh_worlds_destroy(r->worlds);
    psh_driver_destroy(r->driver);
    memory_host_set_worlds(r->host, NULL);
    memset(r, 0, sizeof *r);
}

/* Where one row goes. */
static psh_status place_row(
    rig *r, const psh_world *world, const rig_flight *f, const psh_value *tenant, psh_placement *out) {
    psh_status st = psh_router_write(r->router, world, 0, psh_tenant_id(tenant), f->time, out);

    return st == PSH_OK && !out->partition ? PSH_E_NOT_FOUND : st;
}

static psh_status observe_row(
    rig *r, const rig_flight *f, const psh_value *tenant, uint64_t partition, uint64_t at, int *publish) {
    psh_write_record w = { .struct_size = sizeof w };
    psh_status st = psh_map_observe_write(r->parts.map, partition, 1, 64, f->time, f->time, at);

    assert_true(st >= 0);
    *publish |= st == PSH_AGAIN;
    w.time = f->time;
    w.tenant = psh_tenant_id(tenant);
    w.partition = partition;
    w.rows = 1;
    w.bytes = 64;
    st = psh_forecaster_observe_write(r->parts.forecaster, &w);
    return st == PSH_E_NOMEM ? st : PSH_OK; /* one that comes too late to count is no failure */
}

/* All rows find a place, or none is written. */
static psh_status place_rows(
    rig *r, const psh_world *world, const rig_flight *rows, size_t n, uint64_t *partitions) {
    psh_status st = world ? PSH_OK : PSH_E_NOT_FOUND;
    psh_placement where;
    psh_value tenant;
    size_t i;

    for (i = 0; st == PSH_OK && i < n; i++) {
        tenant = test_text(rows[i].origin);
        st = place_row(r, world, &rows[i], &tenant, &where);
        if (st == PSH_OK) {
            partitions[i] = where.partition->id;
            r->counts.quarantined += where.quarantined;
        }
    }
    return st;
}

static void write_rows(
    rig *r, const rig_flight *rows, size_t n, const uint64_t *partitions, int64_t at, uint64_t *position) {
    psh_value row[6];
    size_t i;

    assert_ok(memory_host_begin(r->host, at));
    for (i = 0; i < n; i++) {
        test_flight(row, rows[i].origin, rows[i].time, rows[i].seq, rows[i].destination, rows[i].delay,
            rows[i].distance);
        assert_ok(memory_host_insert(r->host, partitions[i], 0, row));
    }
    assert_ok(memory_host_commit(r->host, position));
    r->counts.rows += n;
}

/* The map must hear of every row; what the forecaster has no memory for, it does not learn. */
static psh_status observe_rows(
    rig *r, const rig_flight *rows, size_t n, const uint64_t *partitions, uint64_t position, int *publish) {
    psh_status st = PSH_OK, seen;
    psh_value tenant;
    size_t i;

    for (i = 0; i < n; i++) {
        tenant = test_text(rows[i].origin);
        seen = observe_row(r, &rows[i], &tenant, partitions[i], position, publish);
        if (seen < 0)
            st = seen;
    }
    return st;
}

psh_status rig_commit(rig *r, const rig_flight *rows, size_t n, int64_t commit_time) {
    uint64_t *partitions = test_calloc(n + 1, sizeof *partitions), position = 0;
    psh_status st = place_rows(r, psh_reader_pin(r->reader), rows, n, partitions), published = PSH_OK;
    int publish = 0;

    psh_reader_unpin(r->reader);
    if (st == PSH_OK) {
        write_rows(r, rows, n, partitions, commit_time, &position);
        st = observe_rows(r, rows, n, partitions, position, &publish);
    }
    if (publish)
        published = psh_autopilot_publish(r->pilot, commit_time, NULL);
    test_free(partitions);
    return st == PSH_OK ? published : st;
}

psh_status rig_step(rig *r, int64_t now) {
    psh_status st = PSH_AGAIN, first = PSH_OK;
    int i;

    for (i = 0; st == PSH_AGAIN && i < RIG_STEPS; i++) {
        st = psh_autopilot_step(r->pilot, now, 64, NULL);
        if (st < 0 && first == PSH_OK)
            first = st;
    }
    assert_true(i < RIG_STEPS);
    r->counts.failures += first != PSH_OK;
    return first;
}

static psh_status run_route(rig *r, psh_query *q, psh_answer *out) {
    psh_status st = PSH_OK;
    psh_leg leg;
    size_t i;

    for (i = 0; st == PSH_OK && i < psh_route_leg_count(r->route); i++) {
        st = psh_route_leg(r->route, i, &leg);
        if (st == PSH_OK && leg.kind == PSH_LEG_VIEW)
            st = psh_materializer_read(r->parts.materializer, leg.view, leg.time_from, leg.time_to, out);
        else if (st == PSH_OK)
            st = memory_host_run_leg(r->host, q, &leg, out);
    }
    return st == PSH_OK ? psh_answer_finish(out) : st;
}

psh_status rig_answer(rig *r, psh_query *q, int64_t now, int base_only, psh_answer *out, uint32_t *coverage) {
    psh_route_request request = { .struct_size = sizeof request };
    psh_status st;

    request.flags = base_only ? PSH_ROUTE_BASE_ONLY : 0;
    request.query = q;
    request.now = now;
    request.head_position = memory_host_position(r->host);
    st = psh_router_route(r->router, psh_reader_pin(r->reader), &request, r->route);
    if (st == PSH_OK)
        st = run_route(r, q, out);
    if (st == PSH_OK)
        *coverage = psh_route_coverage(r->route);
    psh_reader_unpin(r->reader);
    return st;
}

psh_status rig_observe(rig *r, psh_query *q, int64_t now, uint64_t work) {
    psh_query_record record = { .struct_size = sizeof record };
    psh_status st;

    record.query = q;
    record.time = now;
    record.work = work;
    record.rows = 10;
    record.bytes = 100;
    record.weight = 1;
    record.at_base = 1;
    st = psh_forecaster_observe_query(r->parts.forecaster, &record);
    return st == PSH_E_NOMEM ? st : PSH_OK;
}

psh_status rig_query(rig *r, uint32_t template, const char *origin, int64_t from, int64_t to, psh_query **out) {
    static const psh_aggregate all[] = { { PSH_AGG_COUNT, PSH_NONE }, { PSH_AGG_SUM, 5 }, { PSH_AGG_MAX, 4 },
                                         { PSH_AGG_AVG, 4 } };
    static const uint32_t columns[] = { 3, 1, 2, 4 }, by_destination[] = { 3 };
    psh_value tenant = test_text(origin);
    psh_predicate is_origin = { 0, PSH_OP_EQ, &tenant, 1 };
    psh_query_spec s;

    psh_query_spec_init(&s, sizeof s);
    s.time_from = from;
    s.time_to = to;
    s.aggregates = all;
    s.aggregate_count = template == 1 ? 1 : 4;
    s.predicates = &is_origin;
    s.predicate_count = template == 1 || template == 3 ? 1 : 0;
    if (template == 0 || template == 1) {
        s.bucket_ns = 10 * PSH_MINUTE;
    } else if (template == 2) {
        s.group_columns = by_destination;
        s.group_count = 1;
    } else {
        s.aggregates = NULL;
        s.aggregate_count = 0;
        s.columns = columns;
        s.column_count = 4;
    }
    return psh_query_create(r->env, r->schema, &s, out, NULL);
}
