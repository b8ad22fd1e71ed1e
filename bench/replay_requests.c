/* SPDX-License-Identifier: MIT */
/* P-Store's experiment on one load: nodes ordered ahead of it, judged minute by minute. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast.h"
#include "plot.h"
#include "replay.h"
#include "replay_ahead.h"
#include "requests_io.h"
#include "tool.h"

#define STEP 5u            /* minutes */
#define LEAD 6u            /* steps from order to effect */
#define TRAIN_DAYS 28u     /* a quarter of the trace, at most these */
#define PEAK_NODES 10.0    /* that the largest minute of the training part needs */
#define STATIC_MARGIN 1.2
#define DRAWN_STEPS 2016u  /* the last week */

static const char usage[] =
    "usage: replay requests --csv F [--events F] [--event-margin MIN] [--plot FILE.html] [--tsv]\n"
    "  --csv F             two columns, a header or none: minute (minutes since 1970, or a time) and count;\n"
    "                      absent = 0; rows farther apart than a minute are spread evenly\n"
    "  --events F          known ahead: columns from, to, name (to and name may be missing: two hours, one kind)\n"
    "  --event-margin MIN  added to each event before and behind; default 60\n"
    "  --plot FILE         a page with the last week";

static const double lambdas[] = { 0.2, 1, 5 };
#define LAMBDAS (sizeof lambdas / sizeof *lambdas)

typedef struct experiment {
    requests r;
    size_t steps, first;  /* first: step from which costs count */
    double capacity;      /* of a node, requests a minute */
    ahead *told, *plain, *naive, *shuffled;
    const char *page;
} experiment;

typedef struct bill {
    double node_hours, violations, cost;
    double predictive;    /* share of steps in which a prediction decided */
} bill;

static double minute_at(const experiment *x, size_t step, uint32_t k) {
    return x->r.count[step * STEP + k];
}

static void charge(const experiment *x, size_t step, double nodes, double lambda, bill *b) {
    double above = 0;
    uint32_t k;

    for (k = 0; k < STEP; k++)
        above += minute_at(x, step, k) > nodes * x->capacity;
    if (step < x->first)
        return;
    b->node_hours += nodes * STEP / 60;
    b->violations += above;
    b->cost += nodes * STEP / 60 + lambda * above;
}

static psh_capacity *make_planner(psh_env *env, const experiment *x, double lambda) {
    psh_capacity_options o;
    psh_error err = { sizeof err };
    psh_capacity *c = NULL;

    bench_must(psh_capacity_options_init(&o, sizeof o), "options", NULL);
    o.step_ns = STEP * PSH_MINUTE;
    o.lead_ns = LEAD * STEP * PSH_MINUTE;
    o.node_load = x->capacity * STEP;
    o.violation_cost = lambda;
    o.max_nodes = 65536;
    o.horizon_steps = AHEAD_STEPS;
    bench_must(psh_capacity_create(env, &o, &c, &err), "planner", &err);
    return c;
}

/* One contestant; a: what it is told of the future, NULL: nothing. @param nodes  Shape [steps + LEAD + 1], out */
static bill run_planner(psh_env *env, const experiment *x, const ahead *a, double lambda, double *nodes) {
    psh_capacity *c = make_planner(env, x, lambda);
    psh_capacity_decision d = { .struct_size = sizeof d };
    psh_error err = { sizeof err };
    psh_forecast *f;
    bill b = { 0 };
    int64_t time;
    size_t t;

    for (t = 0; t <= LEAD; t++)
        nodes[t] = 1;
    for (t = 0; t < x->steps; t++) {
        charge(x, t, nodes[t], lambda, &b);
        time = x->r.start + (int64_t)t * STEP * PSH_MINUTE;
        bench_must(psh_capacity_observe_parts(c, time, x->r.count + t * STEP, STEP), "observe", NULL);
        time += STEP * PSH_MINUTE;
        f = a ? ahead_make(env, a, t, time) : NULL;
        bench_must(psh_capacity_decide(c, time, f, &d, NULL, &err), "decide", &err);
        psh_forecast_unref(f);
        nodes[t + 1 + LEAD] = d.nodes;
        b.predictive += t >= x->first && d.policy == PSH_CAPACITY_PREDICTIVE;
    }
    b.predictive /= (double)(x->steps - x->first);
    psh_capacity_destroy(c);
    return b;
}

static bill run_fixed(const experiment *x, double nodes, double lambda) {
    bill b = { 0 };
    size_t t;

    for (t = x->first; t < x->steps; t++)
        charge(x, t, nodes, lambda, &b);
    return b;
}

static double nodes_for(const experiment *x, double minute) {
    return fmax(ceil(minute / x->capacity - 1e-9), 1);
}

/* The true future: without a price on moves, each step by itself; no other count than a minute's can be best. */
static bill run_oracle(const experiment *x, double lambda) {
    bill b = { 0 }, try, best = { 0 };
    size_t t;
    uint32_t k;

    for (t = x->first; t < x->steps; t++) {
        best.cost = HUGE_VAL;
        for (k = 0; k <= STEP; k++) {
            memset(&try, 0, sizeof try);
            charge(x, t, k < STEP ? nodes_for(x, minute_at(x, t, k)) : 1, lambda, &try);
            best = try.cost < best.cost ? try : best;
        }
        b.node_hours += best.node_hours;
        b.violations += best.violations;
        b.cost += best.cost;
    }
    return b;
}

static double peak_of(const experiment *x, size_t first, size_t end) {
    double most = 0;
    size_t i;

    for (i = first * STEP; i < end * STEP; i++)
        most = fmax(most, x->r.count[i]);
    return most;
}

static void prepare(experiment *x, const char *path) {
    requests_read(path, STEP, &x->r);
    x->steps = x->r.minutes / STEP;
    x->first = x->steps / 4 < TRAIN_DAYS * 288 ? x->steps / 4 : TRAIN_DAYS * 288;
    if (x->first < 2 * (LEAD + 1))
        bench_die(BENCH_BAD_INPUT, "%s: %zu minutes are too few: half a day at least", path, x->r.minutes);
    x->capacity = peak_of(x, 0, x->first) / PEAK_NODES;
    if (!(x->capacity > 0))
        bench_die(BENCH_BAD_INPUT, "%s: there is no load in the first quarter, which sizes the nodes", path);
}

static void figure(const char *name, double lambda, double value, const char *unit, const char *note) {
    char full[96], with[160];

    snprintf(full, sizeof full, "%s_%g", name, lambda);
    snprintf(with, sizeof with, "lambda %g%s%s", lambda, *note ? "; " : "", note);
    bench_figure(full, value, unit, with);
}

static void print_bill(const char *who, double lambda, const bill *b, const bill *base) {
    char name[64];

    snprintf(name, sizeof name, "%s%scost_ratio", who, *who ? "_" : "");
    figure(name, lambda, b->cost / base->cost, "ratio", "over reactive tuned online");
    snprintf(name, sizeof name, "%s%sviolations", who, *who ? "_" : "");
    figure(name, lambda, b->violations, "minutes", "");
    snprintf(name, sizeof name, "%s%snode_hours", who, *who ? "_" : "");
    figure(name, lambda, b->node_hours, "node-hours", "");
}

/* Grey: the largest minute of each step, in nodes; blue: the nodes. */
static void draw(const experiment *x, plot *page, const char *title, const double *nodes) {
    size_t n = x->steps < DRAWN_STEPS ? x->steps : DRAWN_STEPS, first = x->steps - n, t;
    double *peak = bench_alloc(n, sizeof *peak);
    plot_band b = { title, peak, 0, peak, nodes + first, nodes + first, nodes + first, n };

    for (t = 0; t < n; t++)
        peak[t] = peak_of(x, first + t, first + t + 1) / x->capacity;
    plot_forecast(page, &b);
    free(peak);
}

static void compete(psh_env *env, const experiment *x, double lambda, plot *page) {
    double *nodes = bench_alloc(x->steps + LEAD + 1, sizeof *nodes);
    bill reactive = run_planner(env, x, NULL, lambda, nodes), b;
    char title[96];

    b = run_planner(env, x, x->told ? x->told : x->plain, lambda, nodes);
    print_bill("", lambda, &b, &reactive);
    figure("predictive_share", lambda, b.predictive, "share", "of steps that predictions decided");
    if (page) {
        snprintf(title, sizeof title, "lambda %g: largest minutes and our nodes, in nodes, the last week", lambda);
        draw(x, page, title, nodes);
        plot_value(page, title, b.cost / reactive.cost);
    }
    print_bill("reactive", lambda, &reactive, &reactive);
    b = run_oracle(x, lambda);
    print_bill("oracle", lambda, &b, &reactive);
    b = run_fixed(x, nodes_for(x, STATIC_MARGIN * PEAK_NODES * x->capacity), lambda);
    print_bill("static", lambda, &b, &reactive);
    if (x->told) {
        b = run_planner(env, x, x->plain, lambda, nodes);
        print_bill("unaware", lambda, &b, &reactive);
    }
    b = run_planner(env, x, x->naive, lambda, nodes);
    print_bill("snaive", lambda, &b, &reactive);
    b = run_planner(env, x, x->shuffled, lambda, nodes);
    print_bill("shuffled", lambda, &b, &reactive);
    free(nodes);
}

static void foresee(psh_env *env, experiment *x, const char *events, uint32_t margin) {
    ahead_source s = { &x->r, STEP, NULL, 0 };

    x->plain = ahead_forecaster(env, &s);
    x->naive = ahead_naive(&s);
    if (events) {
        s.events = events;
        s.margin = (int64_t)margin * PSH_MINUTE;
        x->told = ahead_forecaster(env, &s);
    }
    x->shuffled = ahead_shuffled(x->told ? x->told : x->plain);
}

static void print_trace(const experiment *x, double forecast_s) {
    double train = (double)x->first * STEP / 1440, peak = peak_of(x, x->first, x->steps) / x->capacity;

    bench_figure("minutes", (double)x->r.minutes, "count", "of the trace, gaps filled");
    bench_figure("train_days", train, "days", "the first quarter, at most 28: costs count behind it");
    bench_figure("node_capacity", x->capacity, "per minute", "a tenth of the training part's largest minute");
    bench_figure("peak_nodes", peak, "nodes", "of the largest minute judged");
    bench_figure("forecast_s", forecast_s, "s", "all forecasts, feeding included, wall");
}

int replay_requests(int argc, char **argv) {
    const char *path = NULL, *events = NULL, *page = NULL;
    uint32_t margin = 60;
    const bench_option options[] = {
        { "--csv", BENCH_TEXT, &path, 1 },
        { "--events", BENCH_TEXT, &events, 0 },
        { "--event-margin", BENCH_COUNT, &margin, 0 },
        { "--plot", BENCH_TEXT, &page, 0 },
    };
    experiment x = { { 0 } };
    psh_env *env = NULL;
    plot *drawn = NULL;
    double begin;
    size_t i;

    bench_args(argc, argv, usage, options, sizeof options / sizeof *options);
    prepare(&x, path);
    bench_must(psh_env_create(NULL, &env, NULL), "env", NULL);
    begin = bench_now();
    foresee(env, &x, events, margin);
    print_trace(&x, bench_now() - begin);
    drawn = page ? plot_begin(page, "Nodes over time") : NULL;
    for (i = 0; i < LAMBDAS; i++)
        compete(env, &x, lambdas[i], drawn);
    if (drawn)
        plot_end(drawn);
    ahead_free(x.told);
    ahead_free(x.plain);
    ahead_free(x.naive);
    ahead_free(x.shuffled);
    requests_free(&x.r);
    psh_env_destroy(env);
    return 0;
}
