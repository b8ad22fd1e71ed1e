/* SPDX-License-Identifier: MIT */
#include "forecast.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "report.h"
#include "show.h"

#define MOST_FULL_SERIES 20000 /* kept whole in JSON and HTML */

static const struct option long_options[] = {
    { "time-column", required_argument, NULL, 't' },
    { "value-column", required_argument, NULL, 'v' },
    { "key-column", required_argument, NULL, 'c' },
    { "key", required_argument, NULL, 'k' },
    { "all-keys", no_argument, NULL, 'a' },
    { "step", required_argument, NULL, 's' },
    { "season", required_argument, NULL, 'S' },
    { "horizon", required_argument, NULL, 'n' },
    { "model", required_argument, NULL, 'm' },
    { "levels", required_argument, NULL, 'l' },
    { "absent-is-zero", no_argument, NULL, 'z' },
    { "allow-negative", no_argument, NULL, 'N' },
    { "sort", no_argument, NULL, 'o' },
    { "json", required_argument, NULL, 'j' },
    { "html", required_argument, NULL, 'w' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

const char *forecast_help(void) {
    return "usage: predshard forecast FILE.csv [options]\n"
           "\n"
           "Forecasts the series of FILE (CSV, plain or .xz): a time column, a value column and perhaps a key\n"
           "column, found by name and content, or one number a line. Prints the model, how well it does on the\n"
           "end of the series when that is held out, and the forecast with its interval.\n"
           "\n"
           "  --horizon N          steps ahead; default two of the shortest season, or 8\n"
           "  --step DURATION      from value to value, as 5m, 1h, 1d, 1mo, 1q, 1y; default found from the times\n"
           "  --season N[,N[,N]]   steps in a season, 0 = none; default by the step (hourly 24,168; daily 7,365;\n"
           "                       minutes 60,1440; weekly 52; monthly 12; quarterly 4)\n"
           "  --model NAME         a kind of model; default combined, where the library has it\n"
           "  --levels LIST        quantiles, ascending between 0 and 1; default 0.05,0.95\n"
           "  --time-column, --value-column, --key-column NAME|NUMBER\n"
           "  --key K              the series to take, where there is a key column\n"
           "  --all-keys           all of them, one line each\n"
           "  --absent-is-zero     steps without a row count as 0, not as unknown\n"
           "  --allow-negative     do not keep forecasts at 0 or above where no value is below\n"
           "  --sort               sort the rows by time first\n"
           "  --json FILE          write the result as JSON; - is standard output (the text then goes to stderr)\n"
           "  --html FILE          write a page with plots\n"
           "\n"
           "Times: YYYY-MM-DD, with HH:MM[:SS], ISO 8601, or a number since 1970 in s, ms, us or ns; else whole\n"
           "numbers that count steps. Exit codes: predshard --help.\n";
}

static int bad_value(const char *option, const char *value, const char *wanted, failure *f) {
    return fail(f, EXIT_USAGE, "--%s: '%.60s' is not %s: see predshard help forecast", option, value, wanted);
}

static int parse_whole(const char *option, const char *s, uint32_t low, uint32_t high, uint32_t *out, failure *f) {
    char *end;
    unsigned long long x;

    errno = 0;
    x = strtoull(s, &end, 10);
    if (s[0] < '0' || s[0] > '9' || errno || *end || x < low || x > high)
        return bad_value(option, s, "a whole number in range", f);
    *out = (uint32_t)x;
    return EXIT_DONE;
}

static char *next_item(char **list) {
    char *item = *list;

    if (item && (*list = strchr(item, ',')) != NULL)
        *(*list)++ = 0;
    return item;
}

static int parse_seasons(char *list, forecast_options *o, failure *f) {
    char *item;
    uint32_t n;

    o->season_given = 1;
    for (o->season_count = 0; (item = next_item(&list)); o->season_count++) {
        if (o->season_count == MAX_SEASONS)
            return fail(f, EXIT_USAGE, "--season: at most %d seasons", MAX_SEASONS);
        if (parse_whole("season", item, 0, 65536, &n, f))
            return f->code;
        if (n == 0 && o->season_count == 0 && !list)
            return EXIT_DONE;
        if (n < 2 || (o->season_count && n <= o->season[o->season_count - 1]))
            return bad_value("season", item, "more than 1 and more than the one before", f);
        o->season[o->season_count] = n;
    }
    return EXIT_DONE;
}

static int parse_levels(char *list, forecast_options *o, failure *f) {
    char *item, *end;
    double x;

    for (o->level_count = 0; (item = next_item(&list)); o->level_count++) {
        if (o->level_count == MAX_LEVELS)
            return fail(f, EXIT_USAGE, "--levels: at most %d levels", MAX_LEVELS);
        x = strtod(item, &end);
        if (end == item || *end || !(x > 0 && x < 1) || (o->level_count && x <= o->levels[o->level_count - 1]))
            return bad_value("levels", item, "a number between 0 and 1, more than the one before", f);
        o->levels[o->level_count] = x;
    }
    return EXIT_DONE;
}

static int parse_step(const char *s, forecast_options *o, failure *f) {
    char *end;
    unsigned long n = strtoul(s, &end, 10);

    if (s[0] >= '1' && s[0] <= '9' && n <= 100) {
        o->step_months = (int32_t)n * (strcmp(end, "mo") == 0 ? 1 : strcmp(end, "q") == 0 ? 3 : strcmp(end,
            "y") == 0 ? 12 : 0);
        if (o->step_months)
            return EXIT_DONE;
    }
    return clock_duration(s, &o->step_ns) ? EXIT_DONE : bad_value("step", s,
        "a duration like 5m, 1h, 1d, 1w, 1mo, 1q, 1y", f);
}

static int unknown_model(const char *name, failure *f) {
    char all[400] = "";
    uint32_t kind;

    for (kind = 1; kind < 64; kind++)
        if (*psh_model_name(kind) && strlen(all) + strlen(psh_model_name(kind)) + 3 < sizeof all) {
            strcat(all, *all ? ", " : "");
            strcat(all, psh_model_name(kind));
        }
    return fail(f, EXIT_USAGE, "--model: no kind '%.60s': the library has %s", name, all);
}

static int parse_column(int option, const char *value, forecast_options *o) {
    const char **to = option == 't' ? &o->time_column : option == 'v' ? &o->value_column : &o->key_column;

    *to = value;
    return EXIT_DONE;
}

static int parse_flag(int option, forecast_options *o) {
    int *to = option == 'a' ? &o->all_keys : option == 'z' ? &o->absent_is_zero : option == 'N' ? &o->allow_negative
        : &o->sort;

    *to = 1;
    return EXIT_DONE;
}

static int parse_option(int option, char *value, forecast_options *o, failure *f) {
    switch (option) {
    case 't': case 'v': case 'c':
        return parse_column(option, value, o);
    case 'a': case 'z': case 'N': case 'o':
        return parse_flag(option, o);
    case 'k':
        o->key = value;
        return EXIT_DONE;
    case 's':
        return parse_step(value, o, f);
    case 'S':
        return parse_seasons(value, o, f);
    case 'n':
        return parse_whole("horizon", value, 1, PSH_MODEL_MOST_STEPS, &o->horizon, f);
    case 'm':
        o->model = value;
        return psh_model_kind(value) ? EXIT_DONE : unknown_model(value, f);
    case 'l':
        return parse_levels(value, o, f);
    case 'j':
        o->json = value;
        return EXIT_DONE;
    case 'w':
        o->html = value;
        return EXIT_DONE;
    default:
        return fail(f, EXIT_USAGE, "unknown option or missing value: see predshard help forecast");
    }
}

/* @return 1 when help was asked for. */
static int parse(int argc, char **argv, forecast_options *o, failure *f) {
    int option;

    memset(o, 0, sizeof *o);
    o->levels[0] = 0.05;
    o->levels[1] = 0.95;
    o->level_count = 2;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (option == 'h')
            return 1;
        if (parse_option(option, optarg, o, f))
            return 0;
    }
    if (optind + 1 != argc)
        fail(f, EXIT_USAGE, "forecast takes one FILE: see predshard help forecast");
    else if (o->key && o->all_keys)
        fail(f, EXIT_USAGE, "--key and --all-keys: pass one of them");
    o->input = argv[argc - 1];
    return 0;
}

static int check_keys(const forecast_options *o, const rows *r, failure *f) {
    if (o->key && !r->key_name)
        return fail(f, EXIT_USAGE, "--key: no column holds keys: name it with --key-column");
    if (o->key || o->all_keys || r->key_count < 2)
        return EXIT_DONE;
    return fail(f, EXIT_USAGE,
        "%s has %" PRIu32 " series in column '%s' ('%.40s', '%.40s', ...): pass --key K or --all-keys",
        o->input, r->key_count, r->key_name ? r->key_name : "?", r->key[0], r->key[1]);
}

static void remark(const forecast_options *o, const rows *r) {
    if (r->empty)
        fprintf(stderr, "%s: %" PRIu64 " rows without a value, the first on line %" PRIu64 ": %s\n", o->input,
            r->empty,
            r->empty_line, o->absent_is_zero ? "they count as 0"
            : "they are taken as missing (--absent-is-zero takes them as 0)");
    if (r->odd_zone)
        fprintf(stderr, "%s: line %" PRIu64 ": a time zone by name is read as UTC: write an offset like +02:00\n",
            o->input, r->odd_zone);
}

static uint32_t kind_of(const forecast_options *o) {
    uint32_t kind = psh_model_kind(o->model ? o->model : "combined");

    return kind ? kind : PSH_MODEL_SEASONAL_NAIVE;
}

/* The rows of one key from row *at on; *at moves behind them. */
static int run_one(
    psh_env *env, const forecast_options *o, const rows *r, const grid *like, size_t *at, fit *x, failure *f) {
    size_t from = *at;

    while (*at < r->count && r->row[*at].key == r->row[from].key)
        ++*at;
    x->key = r->key[r->row[from].key];
    x->kind = kind_of(o);
    if (grid_make(o, r, like, from, *at - from, &x->series, f))
        return f->code;
    return fit_run(env, o, x, f);
}

static int write_all(const forecast_options *o, const rows *r, const fit *fits, size_t count, failure *f) {
    json_t *result;

    if (!o->json && !o->html)
        return EXIT_DONE;
    if (count > MOST_FULL_SERIES)
        return fail(f, EXIT_USAGE, "%zu series are too many for --json and --html, the most is %d: pass --key K",
            count,
            MOST_FULL_SERIES);
    result = show_json(o, r, fits, count, f);
    if (!result)
        return f->code;
    if (o->json)
        output_json(result, o->json, f);
    if (o->html && f->code == EXIT_DONE)
        output_page(embedded_forecast, result, o->html, f);
    json_decref(result);
    return f->code;
}

static int run_all(psh_env *env, const forecast_options *o, const rows *r, failure *f) {
    FILE *to = o->json && strcmp(o->json, "-") == 0 ? stderr : stdout;
    int lines = o->all_keys && r->key_count > 1;
    fit *fits = calloc(r->key_count, sizeof *fits);
    size_t at = 0, count = 0, i;
    grid like;

    if (!fits)
        return fail_memory(f);
    grid_step(o, r, &like, f);
    if (lines && f->code == EXIT_DONE)
        show_line(NULL, to);
    while (at < r->count && f->code == EXIT_DONE) {
        if (run_one(env, o, r, &like, &at, &fits[count++], f))
            break;
        if (lines)
            show_line(&fits[count - 1], to);
        else
            show_series(o, &fits[count - 1], to);
        if (!o->json && !o->html)
            fit_free(&fits[count - 1]);
    }
    if (f->code == EXIT_DONE)
        write_all(o, r, fits, count, f);
    for (i = 0; i < count; i++)
        fit_free(&fits[i]);
    free(fits);
    return f->code;
}

int forecast_main(int argc, char **argv, failure *f) {
    forecast_options o;
    psh_env *env;
    rows r;

    if (parse(argc, argv, &o, f)) {
        fputs(forecast_help(), stdout);
        return EXIT_DONE;
    }
    if (f->code != EXIT_DONE || output_check("json", o.json, f) || output_check("html", o.html, f))
        return f->code;
    if (psh_env_create(NULL, &env, NULL) != PSH_OK)
        return fail_memory(f);
    if (rows_read(&o, &r, f) == EXIT_DONE && check_keys(&o, &r, f) == EXIT_DONE) {
        remark(&o, &r);
        run_all(env, &o, &r, f);
    }
    rows_free(&r);
    psh_env_destroy(env);
    return f->code;
}
