/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "questions.h"
#include "shared.h"

int64_t cpu_now(void) {
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * PSH_SECOND + t.tv_nsec;
}

int64_t stack_occupy(stack *s, int64_t arrived, int64_t service_ns) {
    int64_t start = arrived > s->free_at ? arrived : s->free_at;

    s->free_at = start + service_ns;
    return start - arrived;
}

int stack_predicts(const stack *s) {
    return s->out->policy == POLICY_PREDICTIVE;
}

int stack_fail(stack *s, const char *doing, psh_status status, const psh_error *err) {
    const char *policy = policy_name(s->out->policy);
    const char *text = err && err->text[0] ? err->text : psh_status_text(status);

    if (status == PSH_E_NOMEM)
        return fail_memory(s->f);
    if (status == PSH_E_HOST)
        return fail(s->f, EXIT_STORAGE, "%s: %s (%s, rate %" PRIu32 "): %s: free some space or name another --db",
            s->path[0], doing, policy, s->out->rate, s->host ? sqlite_host_message(s->host) : text);
    return fail(s->f, EXIT_INTERNAL, "%s (%s, rate %" PRIu32 "): %s: %s%s%s", doing, policy, s->out->rate,
        psh_status_name(status), err && err->field[0] ? err->field : "", err && err->field[0] ? ": " : "", text);
}

static psh_status make_map(stack *s, psh_error *err) {
    psh_map_options o;

    psh_map_options_init(&o, sizeof o);
    o.target_bytes = PARTITION_BYTES;
    o.lead_ns = stack_predicts(s) ? LEAD_NS : -1;
    if (!stack_predicts(s))
        o.activate_lead_ns = -1;
    return psh_map_create(s->env, s->schema, &o, &s->map, err);
}

static psh_status make_tiers(stack *s, psh_error *err) {
    psh_tiers_options o;
    psh_tier_info tiers[TIERS];
    psh_retention retention;

    memset(tiers, 0, sizeof tiers);
    tiers[0].capacity_bytes = MAIN_CAPACITY;
    tiers[0].price = 0.10;
    tiers[0].read_cost = 1;
    tiers[0].latency_us = 100;
    tiers[1].tier = 1;
    tiers[1].capacity_bytes = ARCHIVE_CAPACITY;
    tiers[1].price = 0.02;
    tiers[1].read_cost = 4;
    tiers[1].latency_us = 1000;
    memset(&retention, 0, sizeof retention);
    retention.archive_tier = 1;
    retention.archive_after_ns = ARCHIVE_AFTER_NS;
    retention.drop_after_ns = DROP_AFTER_NS;
    psh_tiers_options_init(&o, sizeof o);
    o.tiers = tiers;
    o.tier_count = TIERS;
    o.tier_stride = sizeof tiers[0];
    o.retention = &retention;
    o.retention_count = 1;
    o.retention_stride = sizeof retention;
    return psh_tiers_create(s->env, &o, &s->tiers, err);
}

static psh_status make_materializer(stack *s, psh_error *err) {
    psh_materializer_options o;

    if (s->out->policy == POLICY_BASE)
        return PSH_OK;
    psh_materializer_options_init(&o, sizeof o);
    o.max_bytes = s->setup->options->view_bytes;
    return psh_materializer_create(s->env, s->schema, &o, &s->materializer, err);
}

static psh_status make_router(stack *s, psh_error *err) {
    psh_router_options o;
    psh_status st;

    psh_router_options_init(&o, sizeof o);
    st = psh_router_create(s->env, &o, &s->router, err);
    return st ? st : psh_route_create(s->router, &s->route);
}

static psh_status make_driver(stack *s, psh_error *err) {
    psh_driver_options o;
    psh_storage storage;
    psh_cdc cdc;
    psh_kv kv;
    psh_status st;

    sqlite_host_tables(s->host, &storage, &cdc, &kv);
    psh_driver_options_init(&o, sizeof o);
    st = psh_driver_create(s->env, s->schema, &o, &storage, &cdc, &kv, &s->driver, err);
    return st ? st : shared_open(s, err);
}

static psh_status make_autopilot(stack *s, psh_error *err) {
    psh_autopilot_options o;
    psh_parts parts;

    psh_autopilot_options_init(&o, sizeof o);
    o.mode = PSH_MODE_ACT;
    o.source = stack_predicts(s) ? PSH_DEMAND_FORECAST : PSH_DEMAND_OBSERVED;
    o.cycle_ns = CYCLE_NS;
    o.horizon_ns = LEAD_NS;
    o.poll_ns = POLL_NS;
    o.checkpoint_ns = CHECKPOINT_NS;
    memset(&parts, 0, sizeof parts);
    parts.struct_size = sizeof parts;
    parts.forecaster = s->forecaster;
    parts.map = s->map;
    parts.tiers = s->tiers;
    parts.materializer = s->materializer;
    parts.driver = s->driver;
    parts.worlds = s->worlds;
    return psh_autopilot_create(s->env, s->schema, &o, &parts, &s->autopilot, err);
}

/* In the order in which they need one another. */
static psh_status make_objects(stack *s, psh_error *err) {
    static psh_status (*const makers[])(stack *, psh_error *) = {
        make_map, make_tiers, make_materializer, make_router, make_driver, make_autopilot,
    };
    psh_status st;
    size_t i;

    if ((st = psh_forecaster_create(s->env, s->schema, NULL, &s->forecaster, err)))
        return st;
    if ((st = psh_worlds_create(s->env, 1, &s->worlds)))
        return st;
    for (i = 0; i < sizeof makers / sizeof makers[0]; i++)
        if ((st = makers[i](s, err)))
            return st;
    return PSH_OK;
}

static psh_status make_buffers(stack *s) {
    psh_status st;

    if ((st = psh_buffer_create(s->env, &s->scratch)))
        return st;
    if ((st = psh_buffer_create(s->env, &s->plan_text)))
        return st;
    return psh_buffer_create(s->env, &s->explained);
}

static int make_tenants(stack *s) {
    const flights *x = s->setup->flights;
    psh_value v;
    uint32_t p;

    s->tenants = calloc(x->place_count, sizeof *s->tenants);
    if (!s->tenants)
        return fail_memory(s->f);
    memset(&v, 0, sizeof v);
    v.type = PSH_TYPE_TEXT;
    for (p = 0; p < x->place_count; p++) {
        v.as.data = x->places[p];
        v.size = (uint32_t)strlen(x->places[p]);
        s->tenants[p] = psh_tenant_id(&v);
    }
    return EXIT_DONE;
}

static int open_host(stack *s) {
    char message[256] = "";
    psh_status st;
    int i;

    for (i = 0; i < 2; i++)
        snprintf(s->path[i], sizeof s->path[i], "%s/r%" PRIu32 "-%s%s.db", s->setup->directory, s->out->rate,
            policy_name(s->out->policy), i ? "-archive" : "");
    for (i = 0; i < 2; i++)
        if (access(s->path[i], F_OK) == 0)
            return fail(s->f, EXIT_STORAGE, "%s: is there already: name an empty directory with --db", s->path[i]);
    st = sqlite_host_open(s->schema, s->path[0], s->path[1], &s->host, message, sizeof message);
    if (st == PSH_OK)
        return EXIT_DONE;
    return fail(s->f, st == PSH_E_NOMEM ? EXIT_INTERNAL : EXIT_STORAGE, "%s: %s: name another directory with --db",
        s->path[0], message[0] ? message : psh_status_text(st));
}

int stack_open(stack *s, const setup *common, const stream *queries, outcome *out) {
    psh_error err;
    psh_status st;

    memset(s, 0, sizeof *s);
    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    s->setup = common;
    s->queries = queries;
    s->out = out;
    s->f = &out->failed;
    s->free_at = PSH_TIME_MIN;
    s->seen.struct_size = sizeof s->seen;
    digest_init(&out->plan_digest);
    if ((st = psh_env_create(NULL, &s->env, &err)) || (st = make_schema(s->env, &s->schema, &err)))
        return stack_fail(s, "starting", st, &err);
    if (open_host(s) || make_tenants(s))
        return s->f->code;
    if ((st = make_buffers(s)) || (st = make_objects(s, &err)))
        return stack_fail(s, "starting", st, &err);
    return watch_open(s);
}

/* Only files that this stack made: a failed open may have found somebody else's. */
static void remove_files(const stack *s) {
    static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
    char path[sizeof s->path[0] + 16];
    size_t i, k;

    for (i = 0; i < 2; i++)
        for (k = 0; k < sizeof ends / sizeof ends[0]; k++) {
            snprintf(path, sizeof path, "%s%s", s->path[i], ends[k]);
            unlink(path);
        }
}

void stack_close(stack *s) {
    psh_answer_destroy(s->answer);
    psh_autopilot_destroy(s->autopilot);
    psh_driver_destroy(s->driver);
    psh_share_destroy(s->share);
    psh_route_destroy(s->route);
    psh_router_destroy(s->router);
    psh_worlds_destroy(s->worlds);
    psh_materializer_destroy(s->materializer);
    psh_tiers_destroy(s->tiers);
    psh_map_destroy(s->map);
    psh_forecaster_destroy(s->forecaster);
    psh_buffer_destroy(s->scratch);
    psh_buffer_destroy(s->plan_text);
    psh_buffer_destroy(s->explained);
    if (s->host) {
        sqlite_host_close(s->host);
        if (s->setup->temporary)
            remove_files(s);
    }
    psh_schema_unref(s->schema);
    psh_env_destroy(s->env);
    cache_free(&s->cache);
    versions_free(&s->versions);
    free(s->tenants);
    free(s->placed);
}
