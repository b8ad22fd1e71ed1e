/* SPDX-License-Identifier: MIT */
#include "analyze.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "output.h"
#include "report.h"
#include "report_data.h"

static const struct option long_options[] = {
    { "format", required_argument, NULL, 'f' },
    { "sample-rate", required_argument, NULL, 'r' },
    { "time-column", required_argument, NULL, 't' },
    { "top", required_argument, NULL, 'n' },
    { "now", required_argument, NULL, 'N' },
    { "window", required_argument, NULL, 'w' },
    { "bucket", required_argument, NULL, 'b' },
    { "json", required_argument, NULL, 'j' },
    { "html", required_argument, NULL, 'H' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

const char *analyze_help(void) {
    return "usage: predshard analyze LOG... [options]\n"
           "\n"
           "Reads query logs, plain or .xz: what is asked of which tables and columns, and what will\n"
           "be asked next. Each file is read twice, in bounded memory; several are merged by time.\n"
           "\n"
           "  --format NAME        of all files; default by their content. pg-csv, pg-json, pg-stderr\n"
           "                       (PostgreSQL's csvlog, jsonlog, stderr log), pg-stat-statements (CSV),\n"
           "                       mysql-slow, mysql-general, clickhouse-tsv, clickhouse-json (system.query_log)\n"
           "  --sample-rate R      share of statements that was logged, 0 to 1; default 1\n"
           "  --time-column T.C    the time column of table T; may be repeated; default found by its use and name\n"
           "  --bucket DURATION    width of one sample, as 1s, 1m, 1h; default by how long the logs are\n"
           "  --window DURATION    how far ahead to look; default a day, an hour or a minute, by the bucket\n"
           "  --now TIME           look ahead from here, and leave out what ran later; default: the logs' end\n"
           "  --top N              rows of each list, default 20\n"
           "  --json FILE          write the result as JSON; - is standard output (the text then goes to stderr)\n"
           "  --html FILE          write one page with plots\n"
           "\n"
           "Exit codes: predshard --help.\n";
}

void progress(const char *what, double share) {
    static const char bar[] = "########################################";
    int n;

    if (!isatty(STDERR_FILENO))
        return;
    if (share < 0) {
        fprintf(stderr, "\r\033[K");
        return;
    }
    n = (int)((share > 1 ? 1 : share) * (int)(sizeof bar - 1));
    fprintf(stderr, "\r%-12s [%-*.*s] %3.0f %%", what, (int)(sizeof bar - 1), n, bar, 100 * (share > 1 ? 1
        : share));
    fflush(stderr);
}

static int bad_value(const char *option, const char *value, const char *wanted, failure *f) {
    return fail(f, EXIT_USAGE, "--%s: '%.60s' is not %s: see predshard help analyze", option, value, wanted);
}

static int parse_top(const char *s, analyze_options *o, failure *f) {
    char *end;
    unsigned long n = strtoul(s, &end, 10);

    if (s[0] < '0' || s[0] > '9' || *end || n < 1 || n > MOST_SHOWN)
        return bad_value("top", s, "a number from 1 to 1000", f);
    o->top = (uint32_t)n;
    return EXIT_DONE;
}

static int parse_rate(const char *s, analyze_options *o, failure *f) {
    char *end;

    o->sample_rate = strtod(s, &end);
    return end != s && !*end && o->sample_rate > 1e-9 && o->sample_rate <= 1 ? EXIT_DONE
        : bad_value("sample-rate", s, "a share above 0, up to 1", f);
}

static int parse_now(const char *s, analyze_options *o, failure *f) {
    char *end;
    double x = strtod(s, &end);

    if (clock_read(s, strlen(s), &o->now, NULL) || (end != s && !*end && clock_epoch(x, &o->now)))
        return EXIT_DONE;
    return bad_value("now", s, "a time like 2026-11-21 or 2026-11-21T09:00Z", f);
}

static int parse_time_column(char *s, analyze_options *o, failure *f) {
    if (o->time_column_count == sizeof o->time_column / sizeof *o->time_column)
        return fail(f, EXIT_USAGE, "--time-column: at most %zu", o->time_column_count);
    if (!strchr(s, '.'))
        return bad_value("time-column", s, "TABLE.COLUMN", f);
    o->time_column[o->time_column_count++] = s;
    return EXIT_DONE;
}

static int parse_option(int option, char *value, analyze_options *o, failure *f) {
    switch (option) {
    case 'f':
        o->format = format_of(value);
        return o->format ? EXIT_DONE : bad_value("format", value, "a known format", f);
    case 'r':
        return parse_rate(value, o, f);
    case 't':
        return parse_time_column(value, o, f);
    case 'n':
        return parse_top(value, o, f);
    case 'N':
        return parse_now(value, o, f);
    case 'w':
        return clock_duration(value, &o->window_ns) ? EXIT_DONE : bad_value("window", value, "a duration like 1h",
            f);
    case 'b':
        return clock_duration(value, &o->bucket_ns) && o->bucket_ns >= PSH_SECOND ? EXIT_DONE
            : bad_value("bucket", value, "a duration like 1h, of a second or more", f);
    case 'j':
        o->json = value;
        return EXIT_DONE;
    case 'H':
        o->html = value;
        return EXIT_DONE;
    default:
        return fail(f, EXIT_USAGE, "unknown option or missing value: see predshard help analyze");
    }
}

/* @return 1 when help was asked for. */
static int parse(int argc, char **argv, analyze_options *o, failure *f) {
    int option;

    memset(o, 0, sizeof *o);
    o->sample_rate = 1;
    o->top = 20;
    o->now = PSH_TIME_NONE;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (option == 'h')
            return 1;
        if (parse_option(option, optarg, o, f))
            return 0;
    }
    if (optind >= argc)
        fail(f, EXIT_USAGE, "analyze takes one LOG or more: see predshard help analyze");
    else if (argc - optind > 64)
        fail(f, EXIT_USAGE, "analyze takes at most 64 logs");
    o->inputs = argv + optind;
    o->input_count = (size_t)(argc - optind);
    return 0;
}

static int read_log(analysis *a, size_t i, failure *f) {
    source *s = &a->sources[i];
    logs *l;
    record r;
    int got;

    s->path = a->options.inputs[i];
    if (logs_open(s->path, a->options.format, &l, f))
        return f->code;
    s->format = logs_format(l);
    while (logs_next(l, &r, &got, f) == EXIT_DONE && got) {
        if (templates_add(&a->templates, &a->catalog, &r, format_dialect(s->format), f))
            break;
        if (s->statements++ % 256 == 0)
            progress("reading", ((double)i + logs_progress(l)) / (double)a->options.input_count);
    }
    s->skipped = logs_skipped(l);
    s->odd_zone = logs_odd_zone(l);
    logs_close(l);
    return f->code;
}

/* Whether an earlier use of the template is of the same column in the same role, by another operator. */
static int used_before(const template *x, uint32_t k) {
    uint32_t i;

    for (i = 0; i < k; i++)
        if (x->uses[i].column == x->uses[k].column && x->uses[i].role == x->uses[k].role)
            return 1;
    return 0;
}

/* What templates used, summed over tables and columns. */
static void sum_uses(analysis *a) {
    templates *t = &a->templates;
    catalog *c = &a->catalog;
    uint32_t i, k;

    for (i = 0; i < t->ids.count; i++) {
        const template *x = &t->list[i];

        for (k = 0; k < x->table_count; k++) {
            table_entry *to = &c->tables[x->tables[k]];

            if (x->kind >= STATEMENT_INSERT && x->kind <= STATEMENT_DELETE && k == 0)
                to->writes += x->calls;
            else
                to->reads += x->calls;
            to->total_ns += x->total_ns;
        }
        for (k = 0; k < x->use_count; k++) {
            column_entry *to = &c->columns[x->uses[k].column];
            double *roles[ROLES] = { &to->output, &to->filter, &to->group, &to->order, &to->join };

            if (!used_before(x, k))
                *roles[x->uses[k].role] += x->calls;
        }
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_calls(const void *a, const void *b) {
    const column_set *x = a, *y = b;

    if (x->calls != y->calls)
        return x->calls > y->calls ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* "table(a, b)" of the columns of one table that a template uses; "" if it uses none. */
static void set_name(const analysis *a, const template *x, uint32_t t, strbuf *out) {
    const char *list[MOST_USES];
    size_t n = 0, i, k;

    text_clear(out);
    for (i = 0; i < x->use_count; i++) {
        const column_entry *c = &a->catalog.columns[x->uses[i].column];

        for (k = 0; k < n && list[k] != c->name; k++)
            ;
        if (c->table == t && k == n)
            list[n++] = c->name;
    }
    qsort(list, n, sizeof *list, by_name);
    for (i = 0; i < n; i++)
        text_format(out, "%s%s", i ? ", " : "", list[i]);
}

/* In bounded memory: sets beyond the bound are left out, and counted as refused. */
static int sum_sets(analysis *a, failure *f) {
    strbuf columns = { 0 }, name = { 0 };
    uint32_t i, k, at;

    a->set_names.most = MOST_SETS;
    a->sets = calloc(MOST_SETS < a->templates.ids.count * 4 + 4 ? MOST_SETS : a->templates.ids.count * 4 + 4,
        sizeof *a->sets);
    if (!a->sets)
        return fail_memory(f);
    a->set_names.most = MOST_SETS < a->templates.ids.count * 4 + 4 ? MOST_SETS : a->templates.ids.count * 4 + 4;
    for (i = 0; i < a->templates.ids.count; i++) {
        const template *x = &a->templates.list[i];

        for (k = 0; k < x->table_count; k++) {
            set_name(a, x, x->tables[k], &columns);
            if (columns.size == 0)
                continue;
            text_clear(&name);
            text_format(&name, "%s(%s)", a->catalog.tables[x->tables[k]].name, text_of(&columns));
            at = names_add(&a->set_names, text_of(&name));
            if (at == NAMES_NONE)
                continue;
            a->sets[at].calls += x->calls;
            a->sets[at].total_ns += x->total_ns;
        }
    }
    a->set_count = a->set_names.count;
    for (i = 0; i < a->set_count; i++)
        a->sets[i].name = a->set_names.name[i];
    qsort(a->sets, a->set_count, sizeof *a->sets, by_calls);
    if (columns.bad || name.bad || a->set_names.bad)
        fail_memory(f);
    text_free(&columns);
    text_free(&name);
    return f->code;
}

static int check_read(const analysis *a, failure *f) {
    size_t i;

    for (i = 0; i < a->options.input_count; i++)
        if (a->sources[i].statements)
            return EXIT_DONE;
    return fail(f, EXIT_BAD_INPUT,
        "%s: no statement in it (read as %s): log statements (log_min_duration_statement, slow_query_log, "
        "log_queries), or name the format with --format", a->sources[0].path, format_name(a->sources[0].format));
}

static int summarize(analysis *a, failure *f) {
    if (catalog_types(&a->catalog, a->options.time_column, a->options.time_column_count, f))
        return f->code;
    sum_uses(a);
    a->rank = malloc(sizeof *a->rank * (a->templates.ids.count + 1));
    if (!a->rank)
        return fail_memory(f);
    templates_rank(&a->templates, a->rank);
    return sum_sets(a, f);
}

static int write_all(const analysis *a, failure *f) {
    const analyze_options *o = &a->options;
    json_t *result;

    print_analysis(a, o->json && strcmp(o->json, "-") == 0 ? stderr : stdout);
    if (!o->json && !o->html)
        return EXIT_DONE;
    result = analysis_json(a, f);
    if (!result)
        return f->code;
    if (o->json)
        output_json(result, o->json, f);
    if (o->html && f->code == EXIT_DONE)
        output_page(embedded_analyze, result, o->html, f);
    json_decref(result);
    return f->code;
}

static int run(analysis *a, failure *f) {
    size_t i;

    for (i = 0; i < a->options.input_count; i++)
        if (read_log(a, i, f))
            return f->code;
    if (check_read(a, f) || summarize(a, f) || ahead_run(a, f))
        return f->code;
    progress("", -1);
    return write_all(a, f);
}

int analyze_main(int argc, char **argv, failure *f) {
    analysis *a = calloc(1, sizeof *a);

    if (!a)
        return fail_memory(f);
    if (parse(argc, argv, &a->options, f)) {
        fputs(analyze_help(), stdout);
    } else if (f->code == EXIT_DONE && output_check("json", a->options.json, f) == EXIT_DONE
        && output_check("html", a->options.html, f) == EXIT_DONE) {
        catalog_init(&a->catalog);
        a->sources = calloc(a->options.input_count, sizeof *a->sources);
        if (!a->sources)
            fail_memory(f);
        else if (templates_init(&a->templates, a->options.sample_rate, f) == EXIT_DONE)
            run(a, f);
        if (f->code != EXIT_DONE)
            progress("", -1);
    }
    ahead_free(a);
    templates_free(&a->templates);
    catalog_free(&a->catalog);
    names_free(&a->set_names);
    free(a->sets);
    free(a->rank);
    free(a->sources);
    free(a);
    return f->code;
}
