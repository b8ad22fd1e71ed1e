/* SPDX-License-Identifier: MIT */
/* One tenant at one time: where its rows are, why, and what a write and a query of it do. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "words.h"

#define MOST_HISTORY 64

typedef struct explanation {
    sight *s;
    FILE *to;
    json_t *result; /* NULL: not asked for */
    uint32_t table;
    psh_table_spec spec;
    psh_value key;
    uint64_t tenant;
    int64_t time;
    psh_place place;
    psh_router *router;
} explanation;

static int bad_key(explanation *x, const char *type) {
    return fail(x->s->f, EXIT_USAGE, "KEY '%.60s': column %s of table %s holds %s: write one", x->s->o->key,
        x->spec.columns[x->spec.tenant_column].name, x->spec.name, type);
}

static int read_key(explanation *x) {
    const char *text = x->s->o->key;
    char *end = NULL;

    if (x->spec.tenant_column == PSH_NONE)
        return fail(x->s->f, EXIT_USAGE, "table %s has no tenant column: its rows are placed by time alone, see "
            "predshard map show", x->spec.name);
    memset(&x->key, 0, sizeof x->key);
    x->key.type = x->spec.columns[x->spec.tenant_column].type;
    errno = 0;
    switch (x->key.type) {
    case PSH_TYPE_TEXT:
    case PSH_TYPE_BYTES:
        x->key.as.data = text;
        x->key.size = (uint32_t)strlen(text);
        return EXIT_DONE;
    case PSH_TYPE_INT64:
    case PSH_TYPE_BOOL:
        x->key.as.i64 = strtoll(text, &end, 10);
        return errno || end == text || *end ? bad_key(x, "whole numbers") : EXIT_DONE;
    case PSH_TYPE_DOUBLE:
        x->key.as.f64 = strtod(text, &end);
        return errno || end == text || *end ? bad_key(x, "numbers") : EXIT_DONE;
    case PSH_TYPE_TIMESTAMP:
        return clock_read(text, strlen(text), &x->key.as.i64, NULL) ? EXIT_DONE : bad_key(x, "times");
    default:
        return bad_key(x, "decimals, which this command does not read");
    }
}

static void say(const explanation *x, const char *name, const char *text) {
    fprintf(x->to, "  %-14s %s\n", name, text);
}

static void tell_time(const explanation *x, const char *label, const char *name, int64_t t) {
    char text[WORDS_SIZE];

    words_time(t, text);
    say(x, label, text);
    if (x->result)
        put_time(x->result, name, t, x->s->f);
}

/* Tenant, segment and point: where its rows stand on the ring. */
static void tell_point(explanation *x) {
    const psh_assignment *a = psh_world_assignment_at(x->s->world, x->table, x->tenant, x->time);
    char id[WORDS_SIZE], since[WORDS_SIZE], line[160];
    failure *f = x->s->f;

    words_id(x->tenant, id);
    say(x, "tenant id", id);
    words_time(a ? a->from : PSH_TIME_MIN, since);
    if (x->place.segment)
        snprintf(line, sizeof line, "%" PRIu32 ", since %s", x->place.segment,
            a && a->from != PSH_TIME_MIN ? since : "the first interval");
    else
        snprintf(line, sizeof line, "none: it stands alone on the ring");
    say(x, "segment", line);
    words_id(x->place.point, id);
    snprintf(line, sizeof line, "%s, %.2f %% of the way round", id,
        100 * ((double)x->place.point / 18446744073709551616.0));
    say(x, "ring point", line);
    if (!x->result)
        return;
    put_id(x->result, "tenant", x->tenant, f);
    put_count(x->result, "segment", x->place.segment, f);
    put_time(x->result, "segment_from", a ? a->from : PSH_TIME_MIN, f);
    put_id(x->result, "point", x->place.point, f);
}

static void tell_interval(const explanation *x) {
    char from[WORDS_SIZE], to[WORDS_SIZE], line[2 * WORDS_SIZE + 32];
    int64_t id, start, end;

    if (psh_schema_interval(x->s->schema, x->table, x->time, &id, &start, &end) != PSH_OK)
        return;
    words_time(start, from);
    words_time(end, to);
    snprintf(line, sizeof line, "%s to %s (number %" PRId64 ")", from, to, id);
    say(x, "interval", line);
    if (!x->result)
        return;
    put_time(x->result, "interval_from", start, x->s->f);
    put_time(x->result, "interval_to", end, x->s->f);
}

static void tell_replicas(const explanation *x, const psh_partition *p) {
    json_t *list = x->result ? put_array(x->result, "replicas", x->s->f) : NULL, *at;
    const psh_replica *r;
    char line[80];
    size_t n, i;

    r = psh_world_replicas(x->s->world, p->id, &n);
    for (i = 0; i < n; i++) {
        snprintf(line, sizeof line, "node %" PRIu32 ", tier %" PRIu32 ", %s", r[i].node, r[i].tier,
            r[i].state == PSH_REPLICA_READY ? "ready" : "being copied");
        say(x, i ? "" : "replicas", line);
        if (!list)
            continue;
        at = push_object(list, x->s->f);
        put_count(at, "node", r[i].node, x->s->f);
        put_count(at, "tier", r[i].tier, x->s->f);
        put(at, "ready", json_boolean(r[i].state == PSH_REPLICA_READY), x->s->f);
    }
    if (!n)
        say(x, "replicas", "none");
}

static void tell_size(const explanation *x, const psh_partition *p) {
    char bytes[WORDS_SIZE], planned[WORDS_SIZE], line[2 * WORDS_SIZE + 64];

    words_bytes(p->bytes, bytes);
    words_bytes(p->bytes_planned, planned);
    snprintf(line, sizeof line, "%" PRIu64 " rows, %s; %s were planned", p->rows, bytes, planned);
    say(x, "holds", line);
}

static void tell_owner(explanation *x, const psh_partition *p) {
    char name[WORDS_NAME], id[WORDS_SIZE], line[WORDS_NAME + WORDS_SIZE + 32];

    words_name(x->s->schema, p, name);
    words_id(p->id, id);
    snprintf(line, sizeof line, "%s, partition %s", name, id);
    say(x, "owner", line);
    snprintf(line, sizeof line, "%s, %.1f %% of the ring", psh_partition_state_name(p->state),
        words_share(p->arc_first, p->arc_last));
    say(x, "state", line);
    snprintf(line, sizeof line, "node %" PRIu32 ", tier %" PRIu32, p->node, p->tier);
    say(x, "stands on", line);
    tell_replicas(x, p);
    tell_size(x, p);
    tell_time(x, "created", "created_at", p->created_at);
    tell_time(x, "first write", "first_write", p->first_write);
    if (x->result)
        put_partition(put_object(x->result, "owner", x->s->f), x->s->schema, p, x->s->f);
}

/* Nothing owns the key: says whether it may come. */
static void tell_no_owner(explanation *x) {
    size_t first, end, i;
    const psh_partition *p;
    char name[WORDS_NAME], line[WORDS_NAME + 64] = "none: no interval of that time is planned";

    psh_world_partitions_between(x->s->world, x->table, x->time, x->time + 1, &first, &end);
    for (i = first; i < end; i++) {
        p = psh_world_partition(x->s->world, i);
        if (x->place.point < p->arc_first || x->place.point > p->arc_last)
            continue;
        words_name(x->s->schema, p, name);
        snprintf(line, sizeof line, "none yet: %s is %s", name, psh_partition_state_name(p->state));
    }
    say(x, "owner", line);
    if (x->result)
        put(x->result, "owner", json_null(), x->s->f);
}

static void tell_habits(const explanation *x) {
    char line[64];

    say(x, "access", words_access(x->place.access));
    if (x->place.tier == PSH_NONE)
        snprintf(line, sizeof line, "none");
    else
        snprintf(line, sizeof line, "%" PRIu32, x->place.tier);
    say(x, "tier wished", line);
    if (!x->result)
        return;
    put_text(x->result, "access", words_access(x->place.access), x->s->f);
    put(x->result, "tier_wished", x->place.tier == PSH_NONE ? json_null() : json_integer(x->place.tier), x->s->f);
}

static void tell_write(explanation *x) {
    psh_placement to;
    char name[WORDS_NAME] = "", line[WORDS_NAME + 160];
    psh_status st = psh_router_write(x->router, x->s->world, x->table, x->tenant, x->time, &to);
    json_t *at;

    if (st == PSH_OK)
        words_name(x->s->schema, to.partition, name);
    if (st != PSH_OK)
        snprintf(line, sizeof line, "is refused: there is not even a quarantine; let the planner run");
    else if (to.quarantined)
        snprintf(line, sizeof line, "goes to %s: kept there, and found by every query", name);
    else
        snprintf(line, sizeof line, "goes to %s%s", name,
            to.late ? "; late: its interval is sealed, views take it in before it is acknowledged" : "");
    say(x, "a write", line);
    if (!x->result)
        return;
    at = put_object(x->result, "write", x->s->f);
    put_text(at, "name", st == PSH_OK ? name : NULL, x->s->f);
    put(at, "quarantined", json_boolean(st == PSH_OK && to.quarantined), x->s->f);
    put(at, "late", json_boolean(st == PSH_OK && to.late), x->s->f);
}

/* SELECT the tenant's rows of that moment. */
static psh_status make_query(explanation *x, psh_query **out) {
    psh_query_spec q;
    psh_predicate is = { x->spec.tenant_column, PSH_OP_EQ, &x->key, 1 };

    psh_query_spec_init(&q, sizeof q);
    q.table = x->table;
    q.predicates = &is;
    q.predicate_count = 1;
    q.columns = x->spec.key_columns;
    q.column_count = x->spec.key_count;
    q.time_from = x->time;
    q.time_to = x->time + 1;
    return psh_query_create(x->s->env, x->s->schema, &q, out, &x->s->err);
}

static void tell_leg(const explanation *x, const psh_leg *leg, json_t *legs) {
    json_t *at = legs ? push_object(legs, x->s->f) : NULL, *names = at ? put_array(at, "names", x->s->f) : NULL;
    char name[WORDS_NAME], line[WORDS_NAME + 64];
    size_t i;

    for (i = 0; i < leg->partition_count; i++) {
        words_name(x->s->schema, leg->partitions[i], name);
        snprintf(line, sizeof line, "reads %s on node %" PRIu32 ", tier %" PRIu32, name, leg->node, leg->tier);
        say(x, "a query", line);
        if (names)
            push(names, text_value(name), x->s->f);
    }
    if (leg->kind == PSH_LEG_VIEW)
        say(x, "a query", "reads a view");
    if (!at)
        return;
    put_text(at, "kind", leg->kind == PSH_LEG_VIEW ? "view" : "base", x->s->f);
    put_count(at, "node", leg->node, x->s->f);
    put_count(at, "tier", leg->tier, x->s->f);
}

static psh_status tell_route(explanation *x, const psh_query *query, psh_route *route) {
    json_t *legs = x->result ? put_array(x->result, "query", x->s->f) : NULL;
    psh_route_request request = { .struct_size = sizeof request, .query = query, .now = x->time };
    psh_status st = psh_router_route(x->router, x->s->world, &request, route);
    psh_leg leg;
    size_t i;

    for (i = 0; st == PSH_OK && psh_route_leg(route, i, &leg) == PSH_OK; i++)
        tell_leg(x, &leg, legs);
    if (st == PSH_OK && !psh_route_leg_count(route))
        say(x, "a query", "reads nothing: no partition holds rows of that time");
    return st;
}

static int tell_query(explanation *x) {
    psh_query *query = NULL;
    psh_route *route = NULL;
    psh_status st = make_query(x, &query);

    if (st == PSH_OK)
        st = psh_route_create(x->router, &route);
    if (st == PSH_OK)
        st = tell_route(x, query, route);
    psh_route_destroy(route);
    psh_query_unref(query);
    return st == PSH_OK ? EXIT_DONE : sight_fail(x->s, "routing a query", st);
}

static void tell_decision(const explanation *x, const psh_audit *a, int first, json_t *list) {
    char at[WORDS_SIZE], line[256];
    failure *f = x->s->f;
    json_t *to;

    words_time(a->decided_at, at);
    snprintf(line, sizeof line, "%s %s: %s; %s", at, psh_action_kind_name(a->kind), psh_why_text(a->why),
        a->status == PSH_OK ? "done" : psh_status_text(a->status));
    say(x, first ? "history" : "", line);
    if (!list)
        return;
    to = push_object(list, f);
    put_time(to, "decided_at", a->decided_at, f);
    put_time(to, "ended_at", a->ended_at, f);
    put_text(to, "kind", psh_action_kind_name(a->kind), f);
    put_text(to, "why", psh_why_text(a->why), f);
    put_text(to, "status", psh_status_name(a->status), f);
}

/* What the checkpoint's audit says of it. Explaining goes on without. */
static void tell_history(explanation *x) {
    json_t *list = x->result ? put_array(x->result, "history", x->s->f) : NULL;
    psh_audit a;
    size_t i, told = 0;

    if (!x->place.partition)
        return;
    if (!x->s->o->db || sight_restore(x->s, SIGHT_LATER) != PSH_OK) {
        say(x, "history", x->s->o->db ? "none: the last checkpoint cannot be loaded, see predshard map check" :
            "none: a saved world has no audit");
        return;
    }
    for (i = 0; told < MOST_HISTORY && psh_autopilot_audit(x->s->autopilot, i, &a) == PSH_OK; i++)
        if (a.subject == x->place.partition->id)
            tell_decision(x, &a, told++ == 0, list);
    if (!told)
        say(x, "history", "none: its decisions are older than the audit of the last checkpoint");
}

static int explain(explanation *x) {
    psh_status st = psh_world_locate_tenant(x->s->world, x->table, x->tenant, x->time, &x->place);

    if (st != PSH_OK && st != PSH_E_NOT_FOUND)
        return fail(x->s->f, EXIT_USAGE, "--time: %s: name another", psh_status_text(st));
    if (x->result) {
        put_text(x->result, "key", x->s->o->key, x->s->f);
        put_text(x->result, "table", x->spec.name, x->s->f);
        put_count(x->result, "epoch", psh_world_epoch(x->s->world), x->s->f);
        put_time(x->result, "time", x->time, x->s->f);
    }
    tell_point(x);
    tell_interval(x);
    if (x->place.partition)
        tell_owner(x, x->place.partition);
    else
        tell_no_owner(x);
    tell_habits(x);
    tell_history(x);
    tell_write(x);
    return tell_query(x);
}

static int prepare(explanation *x) {
    sight *s = x->s;
    psh_router_options o;
    psh_status st;

    if (sight_world(s, s->o->epochs[0], &s->world) || sight_table(s, &x->table))
        return s->f->code;
    if (psh_schema_table(s->schema, x->table, &x->spec) != PSH_OK || read_key(x))
        return s->f->code;
    x->tenant = psh_tenant_id(&x->key);
    x->time = s->o->time != PSH_TIME_NONE ? s->o->time : psh_world_time(s->world);
    psh_router_options_init(&o, sizeof o);
    st = psh_router_create(s->env, &o, &x->router, &s->err);
    return st == PSH_OK ? EXIT_DONE : sight_fail(s, "making a router", st);
}

int map_explain(sight *s, FILE *to) {
    explanation x = { .s = s, .to = to };
    char time[WORDS_SIZE];

    if (prepare(&x))
        return s->f->code;
    if (s->o->json)
        x.result = map_result(s, "explain");
    words_time(x.time, time);
    fprintf(to, "'%s' in table %s at %s, in the world of epoch %" PRIu64 "\n", s->o->key, x.spec.name, time,
        psh_world_epoch(s->world));
    if (s->f->code == EXIT_DONE)
        explain(&x);
    psh_router_destroy(x.router);
    return map_write(s, x.result);
}
