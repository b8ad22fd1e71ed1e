/* SPDX-License-Identifier: MIT */
/* What the library would do next: map and tiers propose, the tiers place, nobody acts. */
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "nodes.h"
#include "words.h"

typedef struct dry_run {
    sight *s;
    int64_t now;
    psh_demand *demand;
    psh_wants *wants;
    psh_plan *plan;
    psh_left_out left;
} dry_run;

static psh_status ask_demand(dry_run *d) {
    psh_demand_request r = { .struct_size = sizeof r };

    r.source = d->s->o->observed ? PSH_DEMAND_OBSERVED : PSH_DEMAND_FORECAST;
    r.now = d->now;
    r.from = d->now;
    r.to = d->now + d->s->o->ahead;
    r.quantile = 0.95;
    return psh_forecaster_demand(d->s->parts.forecaster, &r, &d->demand, &d->s->err);
}

static psh_status propose(dry_run *d) {
    sight *s = d->s;
    const psh_world *world = psh_worlds_current(s->worlds);
    psh_status st = psh_wants_create(s->env, &d->wants);

    if (st == PSH_OK)
        st = ask_demand(d);
    if (st == PSH_OK)
        st = psh_map_propose(s->parts.map, d->demand, d->now, d->wants, &s->err);
    if (st == PSH_OK)
        st = psh_tiers_propose(s->parts.tiers, world, d->now, d->wants, &s->err);
    if (st == PSH_OK)
        st = psh_tiers_place(
            s->parts.tiers, d->wants, s->schema, world, d->now, psh_driver_fence(s->driver), &d->plan, &s->err);
    d->left.struct_size = sizeof d->left;
    if (st == PSH_OK)
        psh_tiers_left_out(s->parts.tiers, &d->left);
    return st;
}

static int tell_signals(dry_run *d) {
    const map_options *o = d->s->o;

    if (o->nodes && nodes_read(d->s->parts.map, o->nodes, d->s->f))
        return d->s->f->code;
    return o->loads ? loads_read(d->s->parts.map, o->loads, d->now, d->s->f) : EXIT_DONE;
}

static void put_place(json_t *at, const char *node, const char *tier, uint32_t n, uint32_t t, failure *f) {
    put(at, node, n == PSH_NONE ? json_null() : json_integer(n), f);
    put(at, tier, t == PSH_NONE ? json_null() : json_integer(t), f);
}

static void put_action(json_t *at, const dry_run *d, const psh_action *a) {
    const psh_want *w = &a->want;
    failure *f = d->s->f;
    psh_table_spec table;
    json_t *after;
    size_t i;

    put_id(at, "id", a->id, f);
    put_text(at, "kind", psh_action_kind_name(w->kind), f);
    put_text(at, "why", psh_why_text(w->why), f);
    put_text(at, "reason", a->reason, f);
    put_text(at, "name", a->name, f);
    put_id(at, "subject", w->subject, f);
    put_text(at, "table", psh_schema_table(d->s->schema, w->table, &table) == PSH_OK ? table.name : NULL, f);
    put_place(at, "node", "tier", w->node, w->tier, f);
    put_place(at, "from_node", "from_tier", a->from_node, a->from_tier, f);
    put_time(at, "from", w->time_from, f);
    put_time(at, "to", w->time_to, f);
    put_id(at, "arc_first", w->arc_first, f);
    put_id(at, "arc_last", w->arc_last, f);
    put_number(at, "bytes", w->resources.bytes, f);
    put_number(at, "confidence", w->confidence, f);
    put_time(at, "not_before", w->not_before, f);
    put_time(at, "deadline", w->deadline, f);
    after = put_array(at, "after", f);
    for (i = 0; i < a->after_count; i++)
        push_id(after, a->after[i], f);
}

static json_t *make_result(const dry_run *d) {
    json_t *result = map_result(d->s, "plan"), *at, *list;
    failure *f = d->s->f;
    psh_action a;
    size_t i;

    if (!result)
        return NULL;
    put_time(result, "now", d->now, f);
    put_text(result, "demand", d->s->o->observed ? "observed" : "forecast", f);
    put_count(result, "wants", psh_wants_count(d->wants), f);
    list = put_array(result, "actions", f);
    for (i = 0; psh_plan_get(d->plan, i, &a) == PSH_OK; i++)
        put_action(push_object(list, f), d, &a);
    at = put_object(result, "left_out", f);
    put_count(at, "no_room", d->left.no_room, f);
    put_count(at, "budget", d->left.budget, f);
    put_count(at, "under_way", d->left.under_way, f);
    put_count(at, "waiting", d->left.waiting, f);
    put_count(at, "repeated", d->left.repeated, f);
    return result;
}

/* One action for people: what, where, by when, why. */
static void print_action(const psh_action *a, FILE *to) {
    char by[WORDS_SIZE];

    words_time(a->want.deadline, by);
    fprintf(to, "  %-20s %-34s", psh_action_kind_name(a->want.kind), a->name ? a->name : "");
    if (a->want.node != PSH_NONE)
        fprintf(to, " on %" PRIu32 ".%" PRIu32, a->want.node, a->want.tier);
    if (a->want.deadline != PSH_TIME_MAX)
        fprintf(to, ", by %s", by);
    fprintf(to, "\n      %s\n", a->reason ? a->reason : psh_why_text(a->want.why));
}

static int print_plan(const dry_run *d, FILE *to) {
    psh_buffer *text = NULL;
    psh_status st;
    psh_action a;
    size_t i;

    for (i = 0; !d->s->o->dump && psh_plan_get(d->plan, i, &a) == PSH_OK; i++)
        print_action(&a, to);
    if (!d->s->o->dump)
        return EXIT_DONE;
    st = psh_buffer_create(d->s->env, &text);
    if (st == PSH_OK)
        st = psh_plan_dump(d->plan, text);
    if (st == PSH_OK)
        map_print(text, to);
    psh_buffer_destroy(text);
    return st == PSH_OK ? EXIT_DONE : fail_memory(d->s->f);
}

static int print(const dry_run *d, FILE *to) {
    char now[WORDS_SIZE];

    words_time(d->now, now);
    fprintf(to, "a dry run at %s, demand as %s: %zu actions of %zu wants; nothing is changed\n", now,
        d->s->o->observed ? "observed" : "forecast", psh_plan_count(d->plan), psh_wants_count(d->wants));
    if (print_plan(d, to))
        return d->s->f->code;
    if (!psh_plan_count(d->plan))
        fprintf(to, "nothing to do: every partition that is due is there%s\n",
            d->s->o->nodes ? "" : "; without --nodes nothing is moved or copied");
    if (d->left.no_room || d->left.budget || d->left.under_way || d->left.waiting)
        fprintf(to, "left out: %" PRIu32 " without room, %" PRIu32 " over a budget, %" PRIu32
            " with an action under way, %" PRIu32 " that wait for one of these\n", d->left.no_room, d->left.budget,
            d->left.under_way, d->left.waiting);
    return EXIT_DONE;
}

static int run(dry_run *d, FILE *to) {
    sight *s = d->s;
    psh_status st;

    if (sight_world(s, 0, &s->world))
        return s->f->code;
    d->now = s->o->now != PSH_TIME_NONE ? s->o->now : sight_now(s);
    st = sight_restore(s, d->now);
    if (st == PSH_E_TIME)
        return fail(s->f, EXIT_USAGE, "--now lies before the last checkpoint: name a later time, or leave it out");
    if (st != PSH_OK)
        return sight_fail(s, "its last checkpoint", st);
    if (d->now > 0 && s->o->ahead > PSH_TIME_MAX - 1 - d->now)
        return fail(s->f, EXIT_USAGE, "--ahead reaches behind the end of time: name a shorter one");
    if (tell_signals(d))
        return s->f->code;
    st = propose(d);
    if (st != PSH_OK)
        return sight_fail(s, "planning", st);
    return print(d, to) || map_write(s, s->o->json ? make_result(d) : NULL) ? s->f->code : EXIT_DONE;
}

int map_plan(sight *s, FILE *to) {
    dry_run d = { .s = s };

    run(&d, to);
    psh_plan_unref(d.plan);
    psh_demand_unref(d.demand);
    psh_wants_destroy(d.wants);
    return s->f->code;
}
