/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "questions.h"

/* What running one query gave. */
typedef struct result {
    digest answer;
    uint64_t rows;
    uint64_t bytes;
    uint64_t steps;
    uint64_t groups;
    uint32_t coverage;
    uint32_t reused;
    int64_t service_ns;
} result;

/* Groups that a view holds between two times: the work of reading it. */
static uint64_t groups_between(const psh_world *world, uint64_t view, int64_t from, int64_t to) {
    const psh_view_part *parts;
    uint64_t groups = 0;
    size_t i, k, n;

    for (i = 0; i < psh_world_view_count(world); i++) {
        if (psh_view_id(psh_world_view(world, i)) != view)
            continue;
        parts = psh_world_view_parts(world, i, &n);
        for (k = 0; k < n; k++)
            if (parts[k].time_from < to && parts[k].time_to > from)
                groups += parts[k].groups;
    }
    return groups;
}

/* Names the statement and the state of every table that it reads. */
static void statement_key(const stack *s, const psh_query *q, digest *key) {
    psh_leg leg;
    size_t i, k;

    digest_init(key);
    digest_word(key, psh_query_id(q));
    for (i = 0; i < psh_route_leg_count(s->route); i++) {
        psh_route_leg(s->route, i, &leg);
        digest_word(key, (uint64_t)leg.time_from);
        digest_word(key, (uint64_t)leg.time_to);
        for (k = 0; k < leg.partition_count; k++) {
            digest_word(key, leg.partitions[k]->id);
            digest_word(key, versions_get(&s->versions, leg.partitions[k]->id));
            digest_word(key, (uint64_t)leg.partitions[k]->state << 32 | leg.partitions[k]->tier);
        }
    }
}

static psh_status run_leg(stack *s, const psh_query *q, const psh_leg *leg, result *r) {
    sqlite_cost cost = { 0, 0 };
    psh_status st;

    if (leg->kind == PSH_LEG_VIEW) {
        r->groups += groups_between(psh_worlds_current(s->worlds), leg->view, leg->time_from, leg->time_to);
        return psh_materializer_read(s->materializer, leg->view, leg->time_from, leg->time_to, s->answer);
    }
    st = sqlite_host_run_leg(s->host, q, leg, s->answer, &cost);
    r->steps += cost.steps;
    return st;
}

static psh_status run_legs(stack *s, psh_query *q, result *r) {
    psh_leg leg;
    psh_status st;
    size_t i;

    st = s->answer ? psh_answer_reset(s->answer, q) : psh_answer_create(s->env, q, 0, &s->answer);
    for (i = 0; i < psh_route_leg_count(s->route) && !st; i++) {
        st = psh_route_leg(s->route, i, &leg);
        if (!st)
            st = run_leg(s, q, &leg, r);
    }
    if (!st)
        st = psh_answer_finish(s->answer);
    if (st)
        return st;
    psh_buffer_clear(s->scratch);
    st = psh_answer_save(s->answer, s->scratch);
    r->rows = psh_answer_row_count(s->answer);
    r->bytes = psh_buffer_size(s->scratch);
    return st;
}

static psh_status route(stack *s, const psh_query *q, int64_t now, uint32_t flags) {
    psh_route_request request;

    memset(&request, 0, sizeof request);
    request.struct_size = sizeof request;
    request.flags = flags;
    request.query = q;
    request.now = now;
    request.head_position = sqlite_host_position(s->host);
    return psh_router_route(s->router, psh_worlds_current(s->worlds), &request, s->route);
}

/* A view part that went away since the world was made is answered by the base. */
static psh_status run_routed(stack *s, psh_query *q, int64_t now, result *r) {
    psh_status st = run_legs(s, q, r);

    if (st != PSH_E_STALE && st != PSH_E_NOT_FOUND)
        return st;
    r->steps = r->groups = 0;
    st = route(s, q, now, PSH_ROUTE_BASE_ONLY);
    r->coverage = psh_route_coverage(s->route);
    return st ? st : run_legs(s, q, r);
}

static psh_status execute(stack *s, psh_query *q, int64_t now, int64_t begin, result *r) {
    psh_status st = run_routed(s, q, now, r);

    if (st)
        return st;
    r->service_ns = cpu_now() - begin;
    digest_init(&r->answer);
    digest_bytes(&r->answer, psh_buffer_data(s->scratch), psh_buffer_size(s->scratch));
    return PSH_OK;
}

static void reuse(const cache_entry *e, result *r) {
    r->answer = e->answer;
    r->rows = e->rows;
    r->bytes = e->bytes;
    r->steps = e->steps;
    r->service_ns = cache_median(e);
    r->reused = 1;
}

static void remember(cache *c, cache_entry *e, const digest *key, const result *r) {
    if (!e)
        e = cache_add(c, key);
    if (!e)
        return;
    e->answer = r->answer;
    e->rows = r->rows;
    e->bytes = r->bytes;
    e->steps = r->steps;
    cache_sample(e, r->service_ns);
}

/* @param really  1: not from the cache, whatever it holds */
static psh_status answer_query(stack *s, psh_query *q, int64_t now, int64_t begin, int really, result *r) {
    cache_entry *e;
    digest key;
    psh_status st = route(s, q, now, 0);

    if (st)
        return st;
    r->coverage = psh_route_coverage(s->route);
    if (r->coverage != PSH_COVERAGE_NONE)
        return execute(s, q, now, begin, r);
    statement_key(s, q, &key);
    e = cache_find(&s->cache, &key);
    if (e && e->executed >= s->setup->options->repeats && !really) {
        reuse(e, r);
        return PSH_OK;
    }
    st = execute(s, q, now, begin, r);
    if (!st)
        remember(&s->cache, e, &key, r);
    return st;
}

/* The forecaster learns work, not time: plans must not depend on how fast this machine is today. */
static psh_status observe_query(stack *s, psh_query *q, const arrival *a, const result *r) {
    psh_query_record record;
    psh_status st;

    memset(&record, 0, sizeof record);
    record.struct_size = sizeof record;
    record.query = q;
    record.time = a->time;
    record.rows = r->rows;
    record.bytes = r->bytes;
    record.work = r->steps + r->groups;
    record.tenant = questions[a->question].place == PLACE_ORIGIN ? s->tenants[a->place] : 0;
    record.weight = 1;
    record.at_base = r->coverage == PSH_COVERAGE_NONE;
    st = psh_forecaster_observe_query(s->forecaster, &record);
    return st == PSH_E_LIMIT || st == PSH_E_TIME ? PSH_OK : st;
}

static void note(stack *s, size_t i, int64_t arrived, const result *r) {
    asked *to = &s->out->queries[i];
    counts *total = &s->out->total;

    to->answer = r->answer;
    to->service_ns = r->service_ns;
    to->wait_ns = stack_occupy(s, arrived, r->service_ns);
    to->coverage = r->coverage;
    to->reused = r->reused;
    total->queries++;
    total->coverage[r->coverage & 3]++;
    total->executed += !r->reused;
    total->reused += r->reused;
    total->steps += r->steps;
    total->groups += r->groups;
    total->time.query_ns += r->service_ns;
}

static psh_status explain(stack *s, size_t i, const psh_query *q, const result *r) {
    char head[128];
    psh_buffer *to = s->explained;
    psh_status st;

    snprintf(head, sizeof head, "# query %zu, rate %" PRIu32 ", %s: %" PRIu64 " rows, %" PRIu64 " steps, %" PRIu64
        " groups\n", i, s->out->rate, policy_name(s->out->policy), r->rows, r->steps, r->groups);
    if ((st = psh_buffer_append(to, head, strlen(head))) || (st = psh_query_dump(q, to)) ||
        (st = psh_buffer_append(to, "\n", 1)) || (st = psh_route_dump(s->route, to)))
        return st;
    return psh_answer_dump(s->answer, to);
}

int stack_ask(stack *s, size_t i) {
    const arrival *a = &s->queries->items[i];
    psh_query *q = NULL;
    psh_error err;
    psh_status st;
    result r;
    int64_t begin = cpu_now(), done;
    int explained = s->setup->options->explain == (int64_t)i;

    memset(&r, 0, sizeof r);
    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    st = make_query(s->env, s->schema, s->setup->flights, a, &q, &err);
    if (!st)
        st = answer_query(s, q, a->time, begin, explained, &r);
    if (!st)
        note(s, i, a->time, &r);
    if (!st && explained)
        st = explain(s, i, q, &r);
    done = cpu_now();
    if (!st)
        st = observe_query(s, q, a, &r);
    psh_query_unref(q);
    done = cpu_now() - done;
    s->out->total.time.observe_ns += done;
    stack_occupy(s, a->time, done);
    return st ? stack_fail(s, questions[a->question].name, st, &err) : EXIT_DONE;
}
