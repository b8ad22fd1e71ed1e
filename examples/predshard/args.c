/* SPDX-License-Identifier: MIT */
#include "args.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/analyze.h"
#include "map_command.h"
#include "series/forecast.h"

static const char *const policy_names[POLICIES] = { "base", "reactive", "predictive" };

static const struct option long_options[] = {
    { "db", required_argument, NULL, 'd' },
    { "json", required_argument, NULL, 'j' },
    { "report", required_argument, NULL, 'r' },
    { "plan", required_argument, NULL, 'p' },
    { "seed", required_argument, NULL, 's' },
    { "rates", required_argument, NULL, 'R' },
    { "policies", required_argument, NULL, 'P' },
    { "days", required_argument, NULL, 'D' },
    { "threads", required_argument, NULL, 't' },
    { "repeats", required_argument, NULL, 'n' },
    { "view-budget", required_argument, NULL, 'b' },
    { "explain", required_argument, NULL, 'e' },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

const char *policy_name(uint32_t policy) {
    return policy < POLICIES ? policy_names[policy] : "unknown";
}

const char *args_help(void) {
    return "usage: predshard run FILE [options]\n"
           "       predshard analyze LOG... [options]\n"
           "       predshard forecast FILE.csv [options]\n"
           "       predshard map show|diff|plan|check|explain ...\n"
           "       predshard help [COMMAND]\n"
           "       predshard --help | --version\n"
           "\n"
           "  run       replays transactions into SQLite under three policies: what does acting ahead bring?\n"
           "  analyze   reads query logs (PostgreSQL, MySQL, MariaDB, ClickHouse): what is and will be asked\n"
           "  forecast  forecasts the series of a CSV file and shows how well that works on its end\n"
           "  map       the partition map that a run shares: shows, compares, plans, checks and explains it\n"
           "\n"
           "exit codes: 0 done; 1 map: worlds differ, or check found something; 2 usage; 3 input missing or\n"
           "unreadable; 4 malformed input; 5 answers differed; 6 database or storage failed; 7 output file not\n"
           "writable; 8 internal error\n";
}

static const char *run_help(void) {
    return "usage: predshard run FILE [options]\n"
           "\n"
           "Replays the transactions of FILE (CSV, plain or .xz, columns time,origin,destination,delay,distance)\n"
           "into SQLite under three policies - base tables only, reactive, predictive - with derived queries at\n"
           "several rates, and reports what acting before the load brings.\n"
           "\n"
           "  --rates LIST        queries per template and day, default 5,20,100,500\n"
           "  --policies LIST     of base,reactive,predictive; default all\n"
           "  --days N            only the first N days of FILE\n"
           "  --seed N            of the query arrivals, default 1\n"
           "  --threads N         stacks that run at once, default 2\n"
           "  --db DIR            keep the databases in DIR; default a temporary directory, removed at the end\n"
           "  --json FILE         write the result as JSON; - is standard output (the table then goes to stderr)\n"
           "  --report FILE       write the HTML report\n"
           "  --plan FILE         write every plan with an action, as text\n"
           "  --view-budget MIB   memory for views of one stack, default 8\n"
           "  --repeats N         real executions of one statement on unchanged tables, default 1\n"
           "  --explain N         print the answers of query N (from 0) at each rate and policy\n"
           "  --help, --version\n"
           "\n"
           "Exit codes: predshard --help.\n";
}

static const char *help_of(const char *command) {
    if (strcmp(command, "run") == 0)
        return run_help();
    if (strcmp(command, "analyze") == 0)
        return analyze_help();
    if (strcmp(command, "forecast") == 0)
        return forecast_help();
    return strcmp(command, "map") == 0 ? map_help() : NULL;
}

static int bad_value(const char *option, const char *value, const char *wanted, failure *f) {
    return fail(f, EXIT_USAGE, "--%s: '%.60s' is not %s: see predshard --help", option, value, wanted);
}

static int parse_number(const char *s, uint64_t low, uint64_t high, uint64_t *out) {
    char *end;

    if (s[0] < '0' || s[0] > '9')
        return 0;
    errno = 0;
    *out = strtoull(s, &end, 10);
    return !errno && !*end && *out >= low && *out <= high;
}

static int parse_u32(const char *option, const char *s, uint32_t low, uint32_t high, uint32_t *out, failure *f) {
    uint64_t x;

    if (!parse_number(s, low, high, &x))
        return bad_value(option, s, "a number in range", f);
    *out = (uint32_t)x;
    return EXIT_DONE;
}

/* Cuts the next item of a comma list out. @return NULL at the end. */
static char *next_item(char **list) {
    char *item = *list;

    if (!item)
        return NULL;
    *list = strchr(item, ',');
    if (*list)
        *(*list)++ = 0;
    return item;
}

static int parse_rates(char *list, run_options *o, failure *f) {
    char *item;
    uint64_t x;
    size_t i;

    o->rate_count = 0;
    while ((item = next_item(&list))) {
        if (!parse_number(item, 1, 100000, &x))
            return bad_value("rates", item, "a rate from 1 to 100000", f);
        for (i = 0; i < o->rate_count; i++)
            if (o->rates[i] == x)
                return bad_value("rates", item, "given once", f);
        if (o->rate_count == MAX_RATES)
            return fail(f, EXIT_USAGE, "--rates: at most %d rates", MAX_RATES);
        o->rates[o->rate_count++] = (uint32_t)x;
    }
    return EXIT_DONE;
}

static int parse_policies(char *list, run_options *o, failure *f) {
    char *item;
    uint32_t p;

    o->policies = 0;
    while ((item = next_item(&list))) {
        for (p = 0; p < POLICIES && strcmp(item, policy_names[p]) != 0; p++)
            ;
        if (p == POLICIES)
            return bad_value("policies", item, "base, reactive or predictive", f);
        o->policies |= 1u << p;
    }
    return EXIT_DONE;
}

static int parse_limits(int option, char *value, run_options *o, failure *f) {
    uint64_t x;

    switch (option) {
    case 's':
        return parse_number(value, 0, UINT64_MAX, &o->seed) ? EXIT_DONE : bad_value("seed", value, "a number", f);
    case 'D':
        return parse_u32("days", value, 1, 100000, &o->days, f);
    case 't':
        return parse_u32("threads", value, 1, 64, &o->threads, f);
    case 'n':
        return parse_u32("repeats", value, 1, 1000000, &o->repeats, f);
    case 'e':
        if (!parse_number(value, 0, INT64_MAX, &x))
            return bad_value("explain", value, "the number of a query", f);
        o->explain = (int64_t)x;
        return EXIT_DONE;
    default:
        if (!parse_number(value, 1, 65536, &x))
            return bad_value("view-budget", value, "a number of MiB from 1 to 65536", f);
        o->view_bytes = x << 20;
        return EXIT_DONE;
    }
}

static int parse_option(int option, char *value, run_options *o, failure *f) {
    switch (option) {
    case 'd':
        o->db = value;
        return EXIT_DONE;
    case 'j':
        o->json = value;
        return EXIT_DONE;
    case 'r':
        o->report = value;
        return EXIT_DONE;
    case 'p':
        o->plan = value;
        return EXIT_DONE;
    case 'R':
        return parse_rates(value, o, f);
    case 'P':
        return parse_policies(value, o, f);
    case 'h':
        o->command = COMMAND_HELP;
        return EXIT_DONE;
    case 'V':
        o->command = COMMAND_VERSION;
        return EXIT_DONE;
    case '?':
    case ':':
        return fail(f, EXIT_USAGE, "unknown option or missing value: see predshard --help");
    default:
        return parse_limits(option, value, o, f);
    }
}

static void set_defaults(run_options *o) {
    static const uint32_t rates[] = { 5, 20, 100, 500 };

    memset(o, 0, sizeof *o);
    o->command = COMMAND_RUN;
    memcpy(o->rates, rates, sizeof rates);
    o->rate_count = 4;
    o->policies = (1u << POLICIES) - 1;
    o->seed = 1;
    o->threads = 2;
    o->repeats = 1;
    o->view_bytes = UINT64_C(8) << 20;
    o->explain = -1;
}

/* predshard help [COMMAND] */
static int parse_help(int argc, char **argv, run_options *out, failure *f) {
    if (argc > 3)
        return fail(f, EXIT_USAGE, "help takes one command: run, analyze, forecast or map");
    out->command = COMMAND_HELP;
    out->topic = argc == 3 ? help_of(argv[2]) : args_help();
    if (!out->topic)
        return fail(f, EXIT_USAGE, "no help on '%.40s': the commands are run, analyze, forecast and map", argv[2]);
    return EXIT_DONE;
}

int args_parse(int argc, char **argv, run_options *out, failure *f) {
    int option;

    set_defaults(out);
    if (argc > 1 && strcmp(argv[1], "help") == 0)
        return parse_help(argc, argv, out, f);
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1)
        if (parse_option(option, optarg, out, f))
            return f->code;
    out->topic = optind < argc && strcmp(argv[optind], "run") == 0 ? run_help() : args_help();
    if (out->command != COMMAND_RUN)
        return EXIT_DONE;
    if (optind >= argc)
        return fail(f, EXIT_USAGE, "no command: try predshard run, analyze, forecast or map, or predshard --help");
    if (strcmp(argv[optind], "run") != 0)
        return fail(f, EXIT_USAGE, "unknown command '%.40s': the commands are run, analyze, forecast, map and help",
            argv[optind]);
    if (optind + 2 != argc)
        return fail(f, EXIT_USAGE, "run takes one FILE: see predshard --help");
    out->input = argv[optind + 1];
    return EXIT_DONE;
}
