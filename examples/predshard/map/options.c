/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <predshard.h>

#include "../clock.h"
#include "../map_command.h"

static const struct option long_options[] = {
    { "db", required_argument, NULL, 'd' },
    { "archive", required_argument, NULL, 'a' },
    { "table", required_argument, NULL, 't' },
    { "from", required_argument, NULL, 'f' },
    { "to", required_argument, NULL, 'T' },
    { "epoch", required_argument, NULL, 'e' },
    { "epochs", required_argument, NULL, 'E' },
    { "file", required_argument, NULL, 'F' },
    { "save", required_argument, NULL, 's' },
    { "json", required_argument, NULL, 'j' },
    { "now", required_argument, NULL, 'n' },
    { "time", required_argument, NULL, 'm' },
    { "ahead", required_argument, NULL, 'A' },
    { "nodes", required_argument, NULL, 'N' },
    { "loads", required_argument, NULL, 'l' },
    { "observed", no_argument, NULL, 'o' },
    { "partitions", no_argument, NULL, 'p' },
    { "dump", no_argument, NULL, 'D' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

/* Which options a command takes. */
static const char *const taken[] = {
    [MAP_HELP] = "",
    [MAP_SHOW] = "datfTeFsjpD",
    [MAP_DIFF] = "daEtj",
    [MAP_PLAN] = "danANlojD",
    [MAP_CHECK] = "daj",
    [MAP_EXPLAIN] = "datmeFj",
};

static const char *const names[] = {
    [MAP_SHOW] = "show", [MAP_DIFF] = "diff", [MAP_PLAN] = "plan", [MAP_CHECK] = "check", [MAP_EXPLAIN] = "explain",
};

const char *map_help(void) {
    return "usage: predshard map show DB [--partitions | --dump] [--table T] [--from TIME] [--to TIME]\n"
           "                          [--epoch N] [--save FILE]\n"
           "       predshard map diff --db DB [--epochs N M]       or: predshard map diff A B\n"
           "       predshard map plan DB [--now TIME] [--nodes F.json] [--loads F.csv] [--ahead DURATION]\n"
           "       predshard map check DB\n"
           "       predshard map explain DB KEY [--time TIME] [--table T] [--epoch N]\n"
           "\n"
           "Reads the partition map that a database shares: DB is one of `predshard run --db DIR`, while it runs\n"
           "or after. Nothing is changed, in the database or the map.\n"
           "\n"
           "  show      partitions by table and interval, totals by node and tier, who leads\n"
           "  diff      what differs in two epochs, the last two if none are named, or in two saved worlds\n"
           "  plan      what the library would do next, and why: a dry run from the last checkpoint\n"
           "  check     blobs, worlds, tables, replicas, rows, checkpoint, fences: what is wrong, and what to do\n"
           "  explain   where a tenant's rows are and why, what a write and a query of it do\n"
           "\n"
           "  --partitions        show: one line a partition\n"
           "  --dump              show: all of the world, plan: all of the plan, as the library writes it\n"
           "  --table T           only this table; explain: where there are several\n"
           "  --from, --to TIME   show: intervals that touch this span\n"
           "  --epoch N           show, explain: an older epoch that is kept, instead of the current one\n"
           "  --epochs N M        diff: these two\n"
           "  --file F            show, explain: a saved world instead of a database\n"
           "  --save F            show: also write the world to F, for --file and diff\n"
           "  --now TIME          plan: as if it were then; default the time of the last commit\n"
           "  --ahead DURATION    plan: demand of how long; default 1d\n"
           "  --observed          plan: demand as it was observed last, instead of forecasts\n"
           "  --nodes F.json      plan: [{\"node\":0,\"capacity\":100,\"free_bytes\":1e9,\"state\":\"up\"}, ...]\n"
           "                      state is up, standby or leaving. Without it nothing is moved or copied\n"
           "  --loads F.csv       plan: columns partition,reads_per_s,writes_per_s and perhaps latency_us\n"
           "  --time TIME         explain: the row's or query's time; default the time of the world\n"
           "  --archive FILE      the archive database; default DB with -archive before its .db\n"
           "  --json FILE         write the result as JSON; - is standard output (the text then goes to stderr)\n"
           "\n"
           "Times: YYYY-MM-DD, with HH:MM[:SS], in UTC. Exit codes: 0 the same, nothing found; 1 diff: they\n"
           "differ, check: findings; others as predshard --help tells.\n";
}

static int bad_value(const char *option, const char *value, const char *wanted, failure *f) {
    return fail(f, EXIT_USAGE, "--%s: '%.60s' is not %s: see predshard help map", option, value, wanted);
}

static int parse_time(const char *option, const char *s, int64_t *out, failure *f) {
    if (clock_read(s, strlen(s), out, NULL))
        return EXIT_DONE;
    return bad_value(option, s, "a time like 2006-01-02 or 2006-01-02T15:04", f);
}

static int parse_epoch(const char *option, const char *s, uint64_t *out, failure *f) {
    char *end;

    errno = 0;
    *out = strtoull(s, &end, 10);
    if (s[0] < '0' || s[0] > '9' || errno || *end || !*out)
        return bad_value(option, s, "the number of an epoch", f);
    return EXIT_DONE;
}

/* N,M or N alone: M then is the next word. */
static int parse_epochs(char *s, map_options *o, failure *f) {
    char *second = strchr(s, ',');

    if (second)
        *second++ = 0;
    if (parse_epoch("epochs", s, &o->epochs[0], f))
        return f->code;
    return second ? parse_epoch("epochs", second, &o->epochs[1], f) : EXIT_DONE;
}

static const char **text_option(int option, map_options *o) {
    switch (option) {
    case 'd':
        return &o->db;
    case 'a':
        return &o->archive;
    case 't':
        return &o->table;
    case 'F':
        return &o->file;
    case 's':
        return &o->save;
    case 'j':
        return &o->json;
    case 'N':
        return &o->nodes;
    case 'l':
        return &o->loads;
    default:
        return NULL;
    }
}

static int parse_option(int option, char *value, map_options *o, failure *f) {
    const char **text = text_option(option, o);

    if (text) {
        *text = value;
        return EXIT_DONE;
    }
    switch (option) {
    case 'f':
        return parse_time("from", value, &o->from, f);
    case 'T':
        return parse_time("to", value, &o->to, f);
    case 'n':
        return parse_time("now", value, &o->now, f);
    case 'm':
        return parse_time("time", value, &o->time, f);
    case 'e':
        return parse_epoch("epoch", value, &o->epochs[0], f);
    case 'E':
        return parse_epochs(value, o, f);
    case 'A':
        return clock_duration(value, &o->ahead) ? EXIT_DONE : bad_value("ahead", value, "a duration like 1d", f);
    case 'o':
        o->observed = 1;
        return EXIT_DONE;
    case 'p':
        o->partitions = 1;
        return EXIT_DONE;
    default:
        o->dump = 1;
        return EXIT_DONE;
    }
}

/* What stands behind the options of diff: two files, or the second epoch. */
static int take_diff_words(int n, char **words, map_options *o, failure *f) {
    if (o->db && o->epochs[0] && !o->epochs[1] && n == 1)
        return parse_epoch("epochs", words[0], &o->epochs[1], f);
    if (o->db) {
        if (n || (o->epochs[0] && !o->epochs[1]))
            return fail(f, EXIT_USAGE, "diff --db DB takes --epochs N M, or nothing for the last two: "
                "see predshard help map");
        return EXIT_DONE;
    }
    if (n != 2 || o->epochs[0])
        return fail(f, EXIT_USAGE, "diff takes two files of show --save, or --db DB: see predshard help map");
    o->inputs[0] = words[0];
    o->inputs[1] = words[1];
    return EXIT_DONE;
}

static int take_words(int n, char **words, map_options *o, failure *f) {
    int at = 0;

    if (o->command == MAP_DIFF)
        return take_diff_words(n, words, o, f);
    if (!o->db && !o->file && at < n)
        o->db = words[at++];
    if (o->command == MAP_EXPLAIN && at < n)
        o->key = words[at++];
    if (at != n)
        return fail(f, EXIT_USAGE, "map %s: '%.60s' is one word too many: see predshard help map",
            names[o->command], words[at]);
    if (!o->db && !o->file)
        return fail(f, EXIT_USAGE, "map %s takes a DB, as predshard run --db DIR makes: see predshard help map",
            names[o->command]);
    if (o->db && o->file)
        return fail(f, EXIT_USAGE, "--file and a DB: pass one of them");
    if (o->file && o->epochs[0])
        return fail(f, EXIT_USAGE, "--file and --epoch: a saved world is of one epoch: pass one of them");
    if (o->command == MAP_EXPLAIN && !o->key)
        return fail(f, EXIT_USAGE, "map explain takes DB and KEY: see predshard help map");
    return EXIT_DONE;
}

static int find_command(const char *word, map_options *o, failure *f) {
    uint32_t c;

    for (c = MAP_SHOW; c <= MAP_EXPLAIN; c++)
        if (strcmp(word, names[c]) == 0) {
            o->command = (map_command)c;
            return EXIT_DONE;
        }
    return fail(f, EXIT_USAGE, "map has no '%.40s': it has show, diff, plan, check and explain", word);
}

/* An option that the command does not look at is a mistake. */
static int option_allowed(int option, const map_options *o, failure *f) {
    if (option == '?' || option == ':')
        return fail(f, EXIT_USAGE, "unknown option or missing value: see predshard help map");
    if (!strchr(taken[o->command], option))
        return fail(f, EXIT_USAGE, "map %s does not take that option: see predshard help map", names[o->command]);
    return EXIT_DONE;
}

static void set_defaults(map_options *o) {
    memset(o, 0, sizeof *o);
    o->from = PSH_TIME_MIN;
    o->to = PSH_TIME_MAX;
    o->now = PSH_TIME_NONE;
    o->time = PSH_TIME_NONE;
    o->ahead = PSH_DAY;
}

int map_parse(int argc, char **argv, map_options *o, failure *f) {
    int option;

    set_defaults(o);
    if (argc < 2)
        return fail(f, EXIT_USAGE, "map: no command: try show, diff, plan, check, explain, or predshard help map");
    if (strcmp(argv[1], "--help") == 0)
        return EXIT_DONE;
    if (find_command(argv[1], o, f))
        return f->code;
    opterr = 0;
    while ((option = getopt_long(argc - 1, argv + 1, ":", long_options, NULL)) != -1) {
        if (option == 'h') {
            o->command = MAP_HELP;
            return EXIT_DONE;
        }
        if (option_allowed(option, o, f) || parse_option(option, optarg, o, f))
            return f->code;
    }
    return take_words(argc - 1 - optind, argv + 1 + optind, o, f);
}
