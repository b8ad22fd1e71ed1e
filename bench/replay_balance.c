/* SPDX-License-Identifier: MIT */
/* Slicer's experiment: hourly loads of many keys on a few nodes, a few moves an hour, how full the fullest is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast.h"
#include "loads_io.h"
#include "replay.h"
#include "tool.h"

static const char usage[] =
    "usage: replay balance --csv F --time-column C --key-column C [--value-column C] [--nodes 8] [--moves 6]\n"
    "                      [--tsv]\n"
    "  --csv F    a header line, then a row a key and hour, or a row an event without --value-column\n"
    "  --nodes N  all of one capacity; default 8\n"
    "  --moves N  steps (moves, splits) per 30 minutes; default 6";

/* What one key can be cut into: its rows fall on atoms by a hash, a part is a run of atoms. */
#define ATOMS 16u
#define DAYS 49u
/* Rows a node in an hour from which its balance is more than a matter of whole rows. */
#define BUSY 10.0
/* Hours over which policies are judged before one is followed. */
#define MEMORY 168.0

static const uint32_t windows[] = { 1, 2, 3, 6, 12, 24, 168 };
static const uint32_t spans[] = { 1, 2, 3, 6 };
#define WINDOWS (sizeof windows / sizeof *windows)
#define SPANS (sizeof spans / sizeof *spans)
#define AHEAD 6u
/* What plans are made from: the past, smoothed over a window; the forecast of a span; what truly comes. */
#define SOURCES (WINDOWS + SPANS + 1)
#define TRUTH (WINDOWS + SPANS)

typedef struct part {
    uint32_t key;
    uint32_t first; /* atom */
    uint32_t atoms;
    uint32_t node;
} part;

/* One placement that lives on, and how it did. */
typedef struct run {
    part *part;
    size_t parts, cap;
    double recent;   /* max/mean, fading */
    double sum;      /* over the hours judged */
    double weighted; /* the same by the load of the hour */
    double busy;     /* the same, hours that had ten rows a node or more */
    double moved;    /* load moved, as a share of the hour's, summed */
    double steps;
    double splits;
} run;

typedef struct contest {
    loads l;
    uint32_t nodes, moves;
    psh_env *env;
    psh_forecaster *f;
    uint32_t *atom;          /* Shape [keys][ATOMS]: rows of the hour */
    double *source[SOURCES]; /* Shape [keys] */
    run whole[SOURCES];      /* keys stay whole */
    run cut[SOURCES];
    run hash, reactive, ours, reactive_cut, ours_cut;
    double hours, load, busy, floor, floor_weighted, floor_busy;
    double chosen[SOURCES];  /* by `ours`, hours */
} contest;

static void start_run(const contest *c, run *r) {
    uint32_t k;

    r->part = bench_grow(NULL, &r->cap, c->l.keys, sizeof *r->part);
    r->parts = c->l.keys;
    for (k = 0; k < c->l.keys; k++)
        r->part[k] = (part){ .key = k, .atoms = ATOMS, .node = (uint32_t)(c->l.tenant[k] % c->nodes) };
}

static uint64_t id_of(const part *p) {
    return (uint64_t)p->key * ATOMS + p->first + 1;
}

static int by_id(const void *a, const void *b) {
    uint64_t x = id_of(a), y = id_of(b);

    return x < y ? -1 : x > y;
}

static part *find_part(run *r, uint64_t id) {
    part want = { .key = (uint32_t)((id - 1) / ATOMS), .first = (uint32_t)((id - 1) % ATOMS) };
    part *p = bsearch(&want, r->part, r->parts, sizeof want, by_id);

    if (!p)
        bench_die(BENCH_INTERNAL, "a plan names an item that is not there");
    return p;
}

static double rows_of(const contest *c, const part *p) {
    double n = 0;
    uint32_t a;

    for (a = p->first; a < p->first + p->atoms; a++)
        n += c->atom[p->key * ATOMS + a];
    return n;
}

/* Parts stay sorted by id while steps name them; new ones are added behind, and sorted in at the end. */
static void apply(const contest *c, run *r, const psh_balance_step *s, part *fresh, size_t *n) {
    part *p = find_part(r, s->item), *other;

    r->steps++;
    if (s->kind == PSH_BALANCE_MOVE) {
        r->moved += rows_of(c, p);
        p->node = s->to;
    } else if (s->kind == PSH_BALANCE_SPLIT) {
        fresh[*n] = *p;
        fresh[*n].atoms = p->atoms / s->parts;
        p->atoms -= fresh[*n].atoms;
        fresh[*n].first = p->first + p->atoms;
        fresh[*n].node = s->to;
        r->moved += rows_of(c, &fresh[(*n)++]);
        r->splits++;
    } else if (s->kind == PSH_BALANCE_MERGE) {
        other = find_part(r, s->other);
        p->atoms += other->atoms;
        other->atoms = 0; /* taken out below */
    }
}

static void take_in(run *r, const part *fresh, size_t n) {
    size_t i, kept = 0;

    for (i = 0; i < r->parts; i++)
        if (r->part[i].atoms)
            r->part[kept++] = r->part[i];
    r->parts = kept;
    for (i = 0; i < n; i++) {
        r->part = bench_grow(r->part, &r->cap, r->parts, sizeof *r->part);
        r->part[r->parts++] = fresh[i];
    }
    qsort(r->part, r->parts, sizeof *r->part, by_id);
}

static psh_heat *items_of(const run *r, const double *load, int cut) {
    psh_heat *h = bench_alloc(r->parts, sizeof *h);
    const part *p;
    size_t i;

    for (i = 0; i < r->parts; i++) {
        p = &r->part[i];
        h[i] = (psh_heat){ .id = id_of(p), .bytes = 1, .writes = load[p->key] * p->atoms / ATOMS, .node = p->node };
        h[i].max_parts = cut ? p->atoms : 0;
        if (i + 1 < r->parts && p[1].key == p->key)
            h[i].next = id_of(&p[1]);
    }
    return h;
}

/* One hour's steps, planned on loads by key. */
static void plan(const contest *c, run *r, const double *load, int cut) {
    psh_heat_node *node = bench_alloc(c->nodes, sizeof *node);
    psh_heat *item = items_of(r, load, cut);
    part *fresh = bench_alloc(2 * (size_t)c->moves, sizeof *fresh);
    psh_balance_options o;
    psh_balance *b = NULL;
    psh_error err = { sizeof err };
    psh_balance_step s;
    size_t i, n = 0;

    for (i = 0; i < c->nodes; i++)
        node[i] = (psh_heat_node){ .node = (uint32_t)i, .capacity = 1, .free_bytes = UINT64_MAX / 2 };
    bench_must(psh_balance_options_init(&o, sizeof o), "options", NULL);
    o.max_steps = 2 * c->moves;
    o.tolerance = 0.02; /* steps are rationed here, so that none need be saved */
    o.flags = PSH_BALANCE_NO_REPLICA | (cut ? 0 : PSH_BALANCE_NO_SPLIT | PSH_BALANCE_NO_MERGE);
    bench_must(psh_balance_create(
        c->env, &o, item, r->parts, sizeof *item, node, c->nodes, sizeof *node, &b, &err), "plan", &err);
    for (i = 0; i < psh_balance_count(b); i++) {
        bench_must(psh_balance_get(b, i, &s), "step", NULL);
        apply(c, r, &s, fresh, &n);
    }
    take_in(r, fresh, n);
    psh_balance_destroy(b);
    free(fresh);
    free(item);
    free(node);
}

/* The hour came: how full was the fullest? */
static void judge(const contest *c, run *r, double total, int counts) {
    double *load = bench_alloc(c->nodes, sizeof *load), most = 0, ratio;
    size_t i;

    for (i = 0; i < r->parts; i++)
        load[r->part[i].node] += rows_of(c, &r->part[i]);
    for (i = 0; i < c->nodes; i++)
        most = load[i] > most ? load[i] : most;
    free(load);
    ratio = most * c->nodes / total;
    r->recent += (ratio - r->recent) / MEMORY;
    if (!counts)
        return;
    r->sum += ratio;
    r->weighted += ratio * total;
    r->busy += total >= BUSY * c->nodes ? ratio : 0;
}

/* Each row falls on an atom by a hash of where it stands: no part knows its share ahead. @return rows. */
static double deal(contest *c, size_t hour) {
    uint64_t seed, n, i;
    double total = 0;
    size_t k;

    memset(c->atom, 0, c->l.keys * ATOMS * sizeof *c->atom);
    for (k = 0; k < c->l.keys; k++) {
        n = (uint64_t)llround(loads_at(&c->l, k, hour));
        seed = c->l.tenant[k] ^ (hour * UINT64_C(0x9e3779b97f4a7c15));
        for (i = 0; i < n; i++)
            c->atom[k * ATOMS + bench_random(&seed) % ATOMS]++;
        total += (double)n;
    }
    return total;
}

static void forecast_key(contest *c, size_t k, size_t hour) {
    psh_subject subject = { PSH_SUBJECT_TENANT, 0, c->l.tenant[k] };
    psh_forecast_spec s = { sizeof s };
    psh_forecast *f = NULL;
    psh_status st;
    double sum;
    uint32_t i, h;

    st = psh_forecaster_forecast(c->f, &subject, c->l.start + (int64_t)hour * PSH_HOUR, AHEAD, &f, NULL);
    if (st != PSH_OK && st != PSH_E_NO_FORECAST)
        bench_must(st, c->l.key[k], NULL);
    if (f)
        bench_must(psh_forecast_describe(f, &s), "forecast", NULL);
    for (i = 0; i < SPANS; i++) {
        for (sum = 0, h = 0; f && h < spans[i]; h++)
            sum += s.mean[h];
        c->source[WINDOWS + i][k] = sum / spans[i];
    }
    psh_forecast_unref(f);
}

/* What the coming hour may bring, from what is known before it. */
static void look_ahead(contest *c, size_t hour) {
    size_t k, w;

    for (k = 0; k < c->l.keys; k++) {
        for (w = 0; w < WINDOWS; w++)
            c->source[w][k] += (loads_at(&c->l, k, hour - 1) - c->source[w][k]) * 2 / (windows[w] + 1);
        forecast_key(c, k, hour);
        c->source[TRUTH][k] = loads_at(&c->l, k, hour);
    }
}

/* The source, of the first n, whose own run did best lately. */
static size_t best_of(const run *r, size_t n) {
    size_t i, best = 0;

    for (i = 1; i < n; i++)
        if (r[i].recent < r[best].recent)
            best = i;
    return best;
}

static void one_hour(contest *c, size_t hour, int counts) {
    run *all[] = { &c->hash, &c->reactive, &c->ours, &c->reactive_cut, &c->ours_cut };
    size_t i, pick;
    double total;

    look_ahead(c, hour);
    total = deal(c, hour);
    plan(c, &c->reactive, c->source[best_of(c->whole, WINDOWS)], 0);
    plan(c, &c->reactive_cut, c->source[best_of(c->cut, WINDOWS)], 1);
    pick = best_of(c->whole, TRUTH);
    plan(c, &c->ours, c->source[pick], 0);
    c->chosen[pick] += counts;
    plan(c, &c->ours_cut, c->source[best_of(c->cut, TRUTH)], 1);
    for (i = 0; i < SOURCES; i++) {
        plan(c, &c->whole[i], c->source[i], 0);
        plan(c, &c->cut[i], c->source[i], 1);
    }
    if (!(total > 0))
        return;
    for (i = 0; i < sizeof all / sizeof *all; i++)
        judge(c, all[i], total, counts);
    for (i = 0; i < SOURCES; i++) {
        judge(c, &c->whole[i], total, counts);
        judge(c, &c->cut[i], total, counts);
    }
    if (!counts)
        return;
    c->hours++;
    c->load += total;
    c->busy += total >= BUSY * c->nodes;
    c->floor += ceil(total / c->nodes) * c->nodes / total;
    c->floor_weighted += ceil(total / c->nodes) * c->nodes;
    c->floor_busy += total >= BUSY * c->nodes ? ceil(total / c->nodes) * c->nodes / total : 0;
}

static void feed(contest *c, size_t hour) {
    psh_write_record w = { .struct_size = sizeof w, .time = c->l.start + (int64_t)hour * PSH_HOUR };
    size_t k;

    for (k = 0; k < c->l.keys; k++) {
        w.rows = (uint64_t)llround(loads_at(&c->l, k, hour));
        w.tenant = c->l.tenant[k];
        if (w.rows)
            bench_must(psh_forecaster_observe_write(c->f, &w), c->l.key[k], NULL);
    }
    bench_step(c->f, w.time + PSH_HOUR);
}

static void print_run(const contest *c, const char *name, const run *r) {
    char note[200];

    snprintf(note, sizeof note,
        "max/mean; busy hours %.3f, by load %.3f; steps an hour %.2f, splits %.2f, parts %zu, moved %.1f%%",
        r->busy / c->busy, r->weighted / c->load, r->steps / c->hours, r->splits / c->hours, r->parts,
        100 * r->moved / c->load);
    bench_figure(name, r->sum / c->hours, "ratio", note);
}

static void print(const contest *c) {
    char name[64], note[200];
    size_t i, at = 0;

    snprintf(note, sizeof note, "judged, of %zu, %.0f of them busy; %zu keys, %u nodes", c->l.hours, c->busy,
        c->l.keys, c->nodes);
    bench_figure("hours", c->hours, "count", note);
    print_run(c, "hash", &c->hash);
    print_run(c, "reactive_last", &c->whole[0]);
    print_run(c, "reactive", &c->reactive);
    print_run(c, "ours", &c->ours);
    print_run(c, "oracle", &c->whole[TRUTH]);
    print_run(c, "reactive_splits", &c->reactive_cut);
    print_run(c, "ours_splits", &c->ours_cut);
    print_run(c, "oracle_splits", &c->cut[TRUTH]);
    snprintf(note, sizeof note, "rows over nodes, rounded up to whole rows; busy hours %.3f, by load %.3f",
        c->floor_busy / c->busy, c->floor_weighted / c->load);
    bench_figure("floor", c->floor / c->hours, "ratio", note);
    for (i = 0; i < SPANS; i++) {
        snprintf(name, sizeof name, "forecast_%uh", spans[i]);
        print_run(c, name, &c->whole[WINDOWS + i]);
        snprintf(name, sizeof name, "forecast_%uh_splits", spans[i]);
        print_run(c, name, &c->cut[WINDOWS + i]);
    }
    for (i = 0; i < WINDOWS; i++) {
        snprintf(name, sizeof name, "reactive_%uh", windows[i]);
        print_run(c, name, &c->whole[i]);
    }
    for (i = 0; i < TRUTH && at < sizeof note; i++)
        at += (size_t)snprintf(note + at, sizeof note - at, " %s%u:%.0f", i < WINDOWS ? "r" : "f",
            i < WINDOWS ? windows[i] : spans[i - WINDOWS], c->chosen[i]);
    bench_figure("ours_forecast_share", (c->hours - c->chosen[0]) / c->hours, "share", note);
}

static void open_contest(contest *c, psh_schema *schema) {
    psh_forecaster_options o;
    psh_error err = { sizeof err };
    size_t i;

    bench_must(psh_forecaster_options_init(&o, sizeof o), "options", NULL);
    o.bucket_ns = PSH_HOUR;
    o.season_short = 24;
    o.season_long = 168;
    o.horizon = 24;
    o.max_tenants = (uint32_t)c->l.keys + 1;
    o.max_series = (uint32_t)c->l.keys + 16;
    o.max_bytes = UINT64_C(8) << 30;
    o.lateness_ns = -1;
    bench_must(psh_forecaster_create(c->env, schema, &o, &c->f, &err), "forecaster", &err);
    c->atom = bench_alloc(c->l.keys * ATOMS, sizeof *c->atom);
    start_run(c, &c->hash);
    start_run(c, &c->reactive);
    start_run(c, &c->ours);
    start_run(c, &c->reactive_cut);
    start_run(c, &c->ours_cut);
    for (i = 0; i < SOURCES; i++) {
        c->source[i] = bench_alloc(c->l.keys, sizeof(double));
        start_run(c, &c->whole[i]);
        start_run(c, &c->cut[i]);
    }
}

static void close_contest(contest *c) {
    size_t i;

    psh_forecaster_destroy(c->f);
    free(c->atom);
    free(c->hash.part);
    free(c->reactive.part);
    free(c->ours.part);
    free(c->reactive_cut.part);
    free(c->ours_cut.part);
    for (i = 0; i < SOURCES; i++) {
        free(c->source[i]);
        free(c->whole[i].part);
        free(c->cut[i].part);
    }
}

int replay_balance(int argc, char **argv) {
    const char *path = NULL, *time = NULL, *key = NULL, *value = NULL;
    contest c = { .nodes = 8, .moves = 6 };
    const bench_option options[] = {
        { "--csv", BENCH_TEXT, &path, 1 },       { "--time-column", BENCH_TEXT, &time, 1 },
        { "--key-column", BENCH_TEXT, &key, 1 }, { "--value-column", BENCH_TEXT, &value, 0 },
        { "--nodes", BENCH_COUNT, &c.nodes, 0 }, { "--moves", BENCH_COUNT, &c.moves, 0 },
    };
    psh_schema *schema;
    size_t hour, first, warm;

    bench_args(argc, argv, usage, options, sizeof options / sizeof *options);
    if (!c.nodes || c.nodes > 4096 || c.moves > 100000)
        bench_die(BENCH_USAGE, "--nodes: 1 to 4096; --moves: at most 100000\n%s", usage);
    loads_read(path, time, key, value, &c.l);
    first = c.l.hours / 2 < DAYS * 24 ? c.l.hours - c.l.hours / 2 : c.l.hours - DAYS * 24;
    warm = first > (size_t)MEMORY ? first - (size_t)MEMORY : 1; /* policies run a week before they are judged */
    if (c.l.hours < 48)
        bench_die(BENCH_BAD_INPUT, "%s: holds %zu hours: at least two days are needed", path, c.l.hours);
    bench_must(psh_env_create(NULL, &c.env, NULL), "env", NULL);
    schema = bench_load_schema(c.env);
    open_contest(&c, schema);
    for (hour = 0; hour < c.l.hours; hour++) {
        if (hour >= warm)
            one_hour(&c, hour, hour >= first);
        feed(&c, hour);
    }
    print(&c);
    close_contest(&c);
    psh_schema_unref(schema);
    psh_env_destroy(c.env);
    loads_free(&c.l);
    return 0;
}
