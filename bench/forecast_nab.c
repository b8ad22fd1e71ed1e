/* SPDX-License-Identifier: MIT */
/* The Numenta anomaly benchmark: psh_detector over every file, one threshold for all of them. */
#include <math.h>
#include <predshard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast.h"
#include "nab_data.h"
#include "nab_plot.h"

#define OWN_THRESHOLD 0.5 /* the detector's default */

typedef struct asked {
    const char *dir;
    const char *windows;
    const char *profiles;
    const char *plot;
    int tsv;
} asked;

/* Sums of one profile: at the best threshold, at the detector's own, and each part at the best of the others. */
typedef struct result {
    double threshold;
    double best;
    double own;
    double file_out;
    double category_out;
} result;

static int read_args(int argc, char **argv, asked *a) {
    const struct {
        const char *name;
        const char **to;
    } with[] = {
        { "--dir", &a->dir }, { "--windows", &a->windows }, { "--profiles", &a->profiles }, { "--plot", &a->plot }
    };
    int i;
    size_t k;

    memset(a, 0, sizeof *a);
    for (i = 1; i < argc; i++) {
        for (k = 0; k < 4 && strcmp(argv[i], with[k].name) != 0;)
            k++;
        if (strcmp(argv[i], "--tsv") == 0)
            a->tsv = 1;
        else if (k < 4 && i + 1 < argc)
            *with[k].to = argv[++i];
        else
            return 0;
    }
    return a->dir && a->windows;
}

/* The detector is told the length of probation, as the benchmark tells its own; nothing else of the file. */
static int detect(psh_env *env, nab_file *f) {
    psh_detector_options o = { sizeof o };
    psh_verdict v = { sizeof v };
    psh_detector *d;
    psh_status st;
    size_t i;

    o.probation = f->series.probation > 20 ? (uint32_t)f->series.probation : 20;
    if (psh_detector_create(env, &o, &d, NULL) != PSH_OK)
        return 0;
    for (i = 0; i < f->series.n; i++) {
        st = psh_detector_observe(d, f->time[i] * PSH_SECOND, f->value[i], &v);
        /* Clocks that are put back repeat an hour: such rows are not watched. */
        f->score[i] = st == PSH_OK ? v.score : 0;
        if (st != PSH_OK && st != PSH_E_TIME)
            break;
    }
    psh_detector_destroy(d);
    return i == f->series.n;
}

static size_t category_length(const nab_file *f) {
    return strcspn(f->name, "/");
}

static int same_category(const nab_file *a, const nab_file *b) {
    size_t n = category_length(a);

    return n == category_length(b) && memcmp(a->name, b->name, n) == 0;
}

/* Sum of what each file, or each category, scores at the threshold that is best for all the others. */
static double left_out(const nab_set *s, const nab_series *all, const nab_profile *p, int by_category) {
    unsigned char *use = calloc(s->count, 1);
    double sum = use ? 0 : (double)NAN, threshold = 0;
    size_t i, k;

    for (i = 0; use && i < s->count; i++) {
        for (k = 0; k < s->count; k++)
            use[k] = !(by_category ? same_category(&s->files[i], &s->files[k]) : i == k);
        if (!by_category || !i || !same_category(&s->files[i], &s->files[i - 1]))
            nab_best(all, s->count, use, p, &threshold);
        sum += nab_raw(&all[i], p, threshold);
    }
    free(use);
    return sum;
}

static size_t window_count(const nab_set *s) {
    size_t i, n = 0;

    for (i = 0; i < s->count; i++)
        n += s->files[i].series.window_count;
    return n;
}

static int score(const nab_set *s, const nab_profile *p, result *r) {
    nab_series *all = calloc(s->count, sizeof *all);
    size_t i, windows = window_count(s);

    if (!all)
        return 0;
    for (i = 0; i < s->count; i++)
        all[i] = s->files[i].series;
    r->best = nab_normal(nab_best(all, s->count, NULL, p, &r->threshold), windows, p);
    for (i = 0, r->own = 0; i < s->count; i++)
        r->own += nab_raw(&all[i], p, OWN_THRESHOLD);
    r->own = nab_normal(r->own, windows, p);
    r->file_out = nab_normal(left_out(s, all, p, 0), windows, p);
    r->category_out = nab_normal(left_out(s, all, p, 1), windows, p);
    free(all);
    return 1;
}

static void print_file(const nab_file *f, double threshold, const nab_profile *p) {
    size_t i, k, found = 0, wrong = 0, last = (size_t)-1;

    for (i = f->series.probation; i < f->series.n; i++) {
        if (f->score[i] < threshold)
            continue;
        nab_row(&f->series, i, &k);
        wrong += k == f->series.window_count;
        found += k != f->series.window_count && k != last;
        last = k == f->series.window_count ? last : k;
    }
    printf("%-60s %6.2f  found %zu of %zu  false %zu\n", f->name, nab_raw(&f->series, p, threshold), found,
           f->series.window_count, wrong);
}

static void print_categories(const nab_set *s, double threshold, const nab_profile *p) {
    double raw = 0;
    size_t i, windows = 0;

    for (i = 0; i < s->count; i++) {
        raw += nab_raw(&s->files[i].series, p, threshold);
        windows += s->files[i].series.window_count;
        if (i + 1 < s->count && same_category(&s->files[i], &s->files[i + 1]))
            continue;
        printf("%-60.*s %6.2f of %zu\n", (int)category_length(&s->files[i]), s->files[i].name, raw, windows);
        raw = 0;
        windows = 0;
    }
}

static void print_results(const nab_set *s, const asked *a, const nab_profile p[3], const result r[3]) {
    size_t i;

    for (i = 0; !a->tsv && i < s->count; i++)
        print_file(&s->files[i], r[0].threshold, &p[0]);
    if (!a->tsv)
        print_categories(s, r[0].threshold, &p[0]);
    for (i = 0; i < 3; i++)
        printf(a->tsv ? "%s\t%.2f\tpoints\tbest threshold %.3f; threshold from the other files %.1f, "
                        "from the other categories %.1f; at %.1f %.1f\n"
                      : "%-10s %6.2f  at threshold %.3f; threshold from the other files %.1f, "
                        "from the other categories %.1f; at %.1f %.1f\n",
               p[i].name, r[i].best, r[i].threshold, r[i].file_out, r[i].category_out, OWN_THRESHOLD, r[i].own);
}

static int run(const asked *a, nab_set *s, const nab_profile p[3]) {
    psh_env *env = NULL;
    result r[3] = { { 0 } };
    size_t i;
    int ok = psh_env_create(NULL, &env, NULL) == PSH_OK;

    for (i = 0; ok && i < s->count; i++)
        ok = detect(env, &s->files[i]);
    for (i = 0; ok && i < 3; i++)
        ok = score(s, &p[i], &r[i]);
    if (ok)
        print_results(s, a, p, r);
    else
        fprintf(stderr, "nab: the detector failed\n");
    if (s->absent && !a->tsv)
        fprintf(stderr, "%zu files with windows are not in %s\n", s->absent, a->dir);
    psh_env_destroy(env);
    return ok && (!a->plot || nab_plot(a->plot, s, r[0].threshold));
}

int bench_forecast_nab(int argc, char **argv) {
    nab_profile p[3] = { { "standard", 1, 0.11, 1 }, { "low_fp", 1, 0.22, 1 }, { "low_fn", 1, 0.11, 2 } };
    nab_set s = { 0 };
    asked a;
    int ok;

    if (!read_args(argc, argv, &a)) {
        ok = argc == 2 && strcmp(argv[1], "--help") == 0;
        fprintf(
            ok ? stdout : stderr,
            "usage: forecast nab --dir D --windows F [--profiles F] [--tsv] [--plot FILE.html]\n");
        return ok ? 0 : 2;
    }
    ok = (!a.profiles || nab_load_profiles(a.profiles, p)) && nab_load(a.dir, a.windows, &s) && run(&a, &s, p);
    nab_free(&s);
    return ok ? 0 : 1;
}
