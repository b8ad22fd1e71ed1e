/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <inttypes.h>
#include <string.h>

#include "latency.h"
#include "questions.h"
#include "recipe.h"

#define WARM_DAYS 14

static double milliseconds(int64_t ns) {
    return (double)ns * 1e-6;
}

static double seconds(int64_t ns) {
    return (double)ns * 1e-9;
}

static double percent(uint64_t n, uint64_t of) {
    return of ? 100.0 * (double)n / (double)of : 0;
}

static double mebibytes(uint64_t bytes) {
    return (double)bytes / (double)(1u << 20);
}

/* What is at the end of the run: both files and the views. */
static uint64_t stored(const outcome *o) {
    const day_sample *d = o->day_count ? &o->days[o->day_count - 1] : NULL;

    return d ? d->main_bytes + d->archive_bytes + d->view_bytes : 0;
}

static void print_head(const race *r, FILE *to) {
    const flights *x = &r->flights;

    fprintf(to, "%zu transactions of %" PRIu32 " places, %" PRIu32 " days, into SQLite; %d questions; seed %" PRIu64
        "; %.1f s\n", x->count, x->place_count, x->day_count, QUESTIONS, r->options->seed, r->seconds);
}

static int print_latencies(const race *r, FILE *to, uint32_t from_day, failure *f) {
    const outcome *o;
    latency l;
    size_t rate;
    uint32_t policy;

    fprintf(to, "%5s  %-10s %8s %9s %9s %9s %9s %9s\n", "rate", "policy", "queries", "mean ms", "p50 ms", "p99 ms",
        "p99.9 ms", "max ms");
    for (rate = 0; rate < r->options->rate_count; rate++)
        for (policy = 0; policy < POLICIES; policy++) {
            if (!race_has(r, policy))
                continue;
            o = &r->outcomes[rate][policy];
            if (latency_of(o, &r->streams[rate], LATENCY_TOTAL, from_day, -1, &l, f))
                return f->code;
            fprintf(to, "%5" PRIu32 "  %-10s %8zu %9.3f %9.3f %9.3f %9.3f %9.3f\n", o->rate, policy_name(policy),
                l.count, l.mean * 1e-6, milliseconds(l.p50), milliseconds(l.p99), milliseconds(l.p999),
                milliseconds(l.max));
        }
    return EXIT_DONE;
}

static void print_work(const race *r, FILE *to) {
    const outcome *o;
    const counts *c;
    size_t rate;
    uint32_t policy;

    fprintf(to, "%5s  %-10s %6s %6s %6s %9s %5s %8s %8s %8s %8s %8s %9s\n", "rate", "policy", "whole%", "part%",
        "none%", "ready", "late", "query s", "ingest s", "upkeep s", "build s", "plan s", "store MiB");
    for (rate = 0; rate < r->options->rate_count; rate++)
        for (policy = 0; policy < POLICIES; policy++) {
            if (!race_has(r, policy))
                continue;
            o = &r->outcomes[rate][policy];
            c = &o->total;
            fprintf(to, "%5" PRIu32 "  %-10s %6.1f %6.1f %6.1f %4" PRIu64 "/%-4" PRIu64 " %5" PRIu64
                " %8.2f %8.2f %8.2f %8.2f %8.2f %9.1f\n", o->rate, policy_name(policy),
                percent(c->coverage[PSH_COVERAGE_WHOLE], c->queries),
                percent(c->coverage[PSH_COVERAGE_PART], c->queries),
                percent(c->coverage[PSH_COVERAGE_NONE], c->queries), c->tables_ready, c->tables, c->late_creations,
                seconds(c->time.query_ns), seconds(c->time.ingest_ns), seconds(c->time.upkeep_ns),
                seconds(c->time.build_ns), seconds(c->time.plan_ns + c->time.other_ns + c->time.late_ns),
                mebibytes(stored(o)));
        }
}

static void print_skill(const race *r, FILE *to) {
    const score_line *s;
    size_t rate, i;

    fprintf(to, "%5s  %-10s %8s %10s %9s %9s %9s %9s\n", "rate", "forecasts", "subjects", "scored", "mae", "naive",
        "skill", "in 90 %");
    for (rate = 0; rate < r->options->rate_count; rate++)
        for (i = 0; i < SCORE_KINDS; i++) {
            s = &r->outcomes[rate][POLICY_PREDICTIVE].scores[i];
            if (!s->kind)
                continue;
            fprintf(to, "%5" PRIu32 "  %-10s %8" PRIu32 " %10" PRIu64 " %9.3f %9.3f %9.3f %8.1f%%\n",
                r->options->rates[rate], s->kind, s->subjects, s->scored, s->mae, s->mae_naive,
                s->mae_naive > 0 ? 1 - s->mae / s->mae_naive : 0, 100 * s->coverage90);
        }
}

static void print_plans(const race *r, FILE *to) {
    char text[33];
    const outcome *o;
    size_t rate;
    uint32_t policy;

    fprintf(to, "%5s  %-10s %8s %10s %10s  %s\n", "rate", "policy", "plans", "executed", "reused", "digest of plans");
    for (rate = 0; rate < r->options->rate_count; rate++)
        for (policy = 0; policy < POLICIES; policy++) {
            if (!race_has(r, policy))
                continue;
            o = &r->outcomes[rate][policy];
            digest_text(&o->plan_digest, text);
            fprintf(to, "%5" PRIu32 "  %-10s %8" PRIu64 " %10" PRIu64 " %10" PRIu64 "  %s\n", o->rate,
                policy_name(policy), o->plans, o->total.executed, o->total.reused, text);
        }
}

static void print_explained(const race *r, FILE *to) {
    size_t rate;
    uint32_t policy;

    for (rate = 0; rate < r->options->rate_count; rate++)
        for (policy = 0; policy < POLICIES; policy++)
            if (r->outcomes[rate][policy].explained)
                fprintf(to, "\n%s", r->outcomes[rate][policy].explained);
}

static void print_recipe(FILE *to) {
    size_t i;

    fprintf(to, "\n%s\nRecipe of the arrivals:\n", recipe_note);
    for (i = 0; recipe_lines[i]; i++)
        fprintf(to, "  %s\n", recipe_lines[i]);
}

int table_print(const race *r, FILE *to, failure *f) {
    print_head(r, to);
    fprintf(to, "\nLatency, all days\n");
    if (print_latencies(r, to, 0, f))
        return f->code;
    if (r->flights.day_count > WARM_DAYS) {
        fprintf(to, "\nLatency, after the first %d days\n", WARM_DAYS);
        if (print_latencies(r, to, WARM_DAYS, f))
            return f->code;
    }
    fprintf(to, "\nCoverage by views; tables ready before their first row; late creations; CPU time; storage\n");
    print_work(r, to);
    fprintf(to, "\nSkill: 1 - error / error of the seasonal naive\n");
    print_skill(r, to);
    fprintf(to, "\nPlans; queries executed for real, and reused\n");
    print_plans(r, to);
    print_explained(r, to);
    fprintf(to, "\nAnswers compared across policies: %" PRIu64 ", different: %" PRIu64 "\n", r->compared,
        r->different);
    print_recipe(to);
    return EXIT_DONE;
}
