/* SPDX-License-Identifier: MIT */
/* Daily loads out of a table with a row a key and hour: were the ranges right, and what does a row cost? */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "forecast.h"
#include "loads_io.h"
#include "tool.h"

#define PARTS 8u
#define FIRST_JUDGED 7 /* the first week is for learning */
#define DAY_HOURS 24u

typedef struct bench {
    psh_env *env;
    psh_schema *schema;
    psh_bulk *bulk;
    psh_wants *wants;
    loads l;
    uint64_t *points; /* one load's rows */
    int64_t *times;
    size_t rows;
    double seconds, rows_all; /* in psh_bulk_batch */
    double *distances;        /* of judged days */
    size_t judged;
    double sums[3];           /* of max / mean: even, predicted, cut afterwards */
    size_t verdicts[4];
} bench;

uint64_t bench_tenant(const char *key) {
    psh_value v = { .type = PSH_TYPE_TEXT, .size = (uint32_t)strlen(key), .as = { .data = key } };

    return psh_tenant_id(&v);
}

static void make_schema(bench *x) {
    static const psh_column_spec columns[] = { { "key", PSH_TYPE_TEXT, PSH_COLLATION_BINARY, 0, 0 },
                                               { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 } };
    static const uint32_t key[] = { 0, 1 };
    psh_table_spec t = { .name = "loads", .columns = columns, .column_count = 2,
                         .column_stride = sizeof *columns, .key_columns = key, .key_count = 2,
                         .tenant_column = 0, .time_column = 1, .interval_ns = PSH_DAY };

    t.interval_origin = x->l.start;
    bench_must(psh_schema_create(x->env, &t, 1, sizeof t, &x->schema, NULL), "schema", NULL);
}

/* The rows of one day, hour by hour, as a daily load would bring them. */
static void gather_day(bench *x, size_t day) {
    size_t hour, key, n;

    x->rows = 0;
    for (hour = day * DAY_HOURS; hour < (day + 1) * DAY_HOURS; hour++)
        for (key = 0; key < x->l.keys; key++)
            for (n = (size_t)loads_at(&x->l, key, hour); n > 0; n--) {
                x->points[x->rows] = psh_ring_point(x->l.tenant[key], 0);
                x->times[x->rows++] = x->l.start + (int64_t)hour * PSH_HOUR;
            }
}

static size_t most_rows(const bench *x) {
    size_t day, most = 0, hour, key, n;

    for (day = 0; (day + 1) * DAY_HOURS <= x->l.hours; day++) {
        for (n = 0, hour = day * DAY_HOURS; hour < (day + 1) * DAY_HOURS; hour++)
            for (key = 0; key < x->l.keys; key++)
                n += (size_t)loads_at(&x->l, key, hour);
        most = n > most ? n : most;
    }
    return most;
}

static int compare_u64(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static int compare_double(const void *a, const void *b) {
    const double *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* The fullest of the ranges over their mean. */
static double balance(const bench *x, const uint64_t *first, size_t n) {
    size_t count[PARTS] = { 0 }, i, k, most = 0;

    for (i = 0; i < x->rows; i++) {
        for (k = n; k-- > 1 && x->points[i] < first[k];) {
        }
        count[k]++;
    }
    for (k = 0; k < n; k++)
        most = count[k] > most ? count[k] : most;
    return (double)most * PARTS / (double)x->rows;
}

/* What the load would be cut into: the shadows that are wanted an hour before it. */
static size_t predicted_cuts(bench *x, size_t day, int64_t at, uint64_t *first) {
    int64_t from = x->l.start + (int64_t)day * PSH_DAY;
    psh_partition p = { .state = PSH_PARTITION_ACTIVE, .interval = (int64_t)day, .time_from = from,
                        .time_to = from + PSH_DAY, .arc_last = UINT64_MAX, .first_write = PSH_TIME_NONE };
    psh_world_draft *d;
    psh_world *w;
    psh_want want;
    size_t n = 1, i;

    p.id = psh_partition_id(0, p.interval, 0);
    bench_must(psh_world_draft_create(x->env, x->schema, 1, at, &d), "draft", NULL);
    bench_must(psh_world_draft_add_partition(d, &p), "partition", NULL);
    bench_must(psh_world_create(d, &w, NULL), "world", NULL);
    psh_wants_clear(x->wants);
    bench_must(psh_bulk_propose(x->bulk, w, at - PSH_HOUR, x->wants, NULL), "propose", NULL);
    first[0] = 0;
    for (i = 0; i < psh_wants_count(x->wants) && n < PARTS; i++)
        if (psh_wants_get(x->wants, i, &want) == PSH_OK && want.kind == PSH_ACT_CREATE_PARTITION)
            first[n++] = want.arc_first;
    qsort(first, n, sizeof *first, compare_u64);
    psh_world_unref(w);
    psh_world_draft_destroy(d);
    return n;
}

static void judge_day(bench *x, size_t day, const psh_bulk_result *r, const uint64_t *cuts, size_t n) {
    uint64_t even[PARTS], best[PARTS], *sorted = bench_alloc(x->rows, sizeof *sorted);
    size_t k;

    memcpy(sorted, x->points, x->rows * sizeof *sorted);
    qsort(sorted, x->rows, sizeof *sorted, compare_u64);
    for (k = 0; k < PARTS; k++) {
        even[k] = UINT64_MAX / PARTS * k;
        best[k] = k ? sorted[x->rows * k / PARTS] : 0;
    }
    free(sorted);
    if (day < FIRST_JUDGED)
        return;
    x->sums[0] += balance(x, even, PARTS);
    x->sums[1] += balance(x, cuts, n);
    x->sums[2] += balance(x, best, PARTS);
    x->verdicts[r->verdict]++;
    x->distances[x->judged++] = r->distance;
}

static void run_day(bench *x, size_t day) {
    psh_bulk_result r = { .struct_size = sizeof r };
    int64_t at = x->l.start + (int64_t)(day + 1) * PSH_DAY; /* what a day brought, loaded when it is over */
    uint64_t cuts[PARTS];
    size_t n = predicted_cuts(x, day, at, cuts), i, batch;
    double before;

    gather_day(x, day);
    bench_must(psh_bulk_begin(x->bulk, 1, 0, at, NULL), "begin", NULL);
    before = bench_now();
    for (i = 0; i < x->rows; i += batch) {
        batch = x->rows - i < 1000 ? x->rows - i : 1000;
        bench_must(psh_bulk_batch(x->bulk, 1, x->points + i, x->times + i, batch, batch * 100, at), "batch", NULL);
    }
    x->seconds += bench_now() - before;
    x->rows_all += (double)x->rows;
    bench_must(psh_bulk_end(x->bulk, 1, at + PSH_HOUR, &r), "end", NULL);
    judge_day(x, day, &r, cuts, n);
}

static void announce(bench *x) {
    psh_bulk_spec s = { .struct_size = sizeof s, .id = 1, .every_ns = PSH_DAY, .confidence = 1, .node = PSH_NONE };

    s.time_from = x->l.start;
    s.time_to = s.at = s.time_from + PSH_DAY;
    s.bytes = 1e6;
    bench_must(psh_bulk_expect(x->bulk, &s, NULL), "expect", NULL);
}

/* One load of many rows, without a forecast. */
static double large_load_ns(bench *x, size_t rows) {
    int64_t at = x->l.start, times[1000];
    uint64_t points[1000], state = 1;
    double spent = 0, before;
    size_t i, k;

    for (k = 0; k < 1000; k++)
        times[k] = at;
    bench_must(psh_bulk_begin(x->bulk, 2, 0, at, NULL), "begin", NULL);
    for (i = 0; i < rows; i += 1000) {
        for (k = 0; k < 1000; k++)
            points[k] = bench_random(&state);
        before = bench_now();
        bench_must(psh_bulk_batch(x->bulk, 2, points, times, 1000, 100000, at), "batch", NULL);
        spent += bench_now() - before;
    }
    bench_must(psh_bulk_end(x->bulk, 2, at + PSH_HOUR, NULL), "end", NULL);
    return spent * 1e9 / (double)i;
}

/* A world of `days` intervals of 16 arcs each; a load is due in each of them. */
static psh_world *wide_world(bench *x, int64_t days) {
    psh_partition p = { .state = PSH_PARTITION_ACTIVE, .first_write = PSH_TIME_NONE };
    psh_bulk_spec s = { .struct_size = sizeof s, .confidence = 1, .node = PSH_NONE, .bytes = 1e9 };
    psh_world_draft *d;
    psh_world *w;

    bench_must(psh_world_draft_create(x->env, x->schema, 1, 0, &d), "draft", NULL);
    for (p.interval = 0; p.interval < days; p.interval++) {
        s.time_from = p.time_from = x->l.start + p.interval * PSH_DAY;
        s.time_to = p.time_to = p.time_from + PSH_DAY;
        s.at = x->l.start;
        s.id = (uint64_t)p.interval + 1;
        bench_must(psh_bulk_expect(x->bulk, &s, NULL), "expect", NULL);
        for (p.ordinal = 0; p.ordinal < 16; p.ordinal++) {
            p.arc_first = (uint64_t)p.ordinal << 60;
            p.arc_last = p.arc_first + (UINT64_MAX >> 4);
            p.id = psh_partition_id(0, p.interval, p.arc_first);
            bench_must(psh_world_draft_add_partition(d, &p), "partition", NULL);
        }
    }
    bench_must(psh_world_create(d, &w, NULL), "world", NULL);
    psh_world_draft_destroy(d);
    return w;
}

static void report_planning(bench *x, const psh_bulk_options *o) {
    psh_world *w;
    double before;

    psh_bulk_destroy(x->bulk);
    bench_must(psh_bulk_create(x->env, x->schema, o, &x->bulk, NULL), "create", NULL);
    w = wide_world(x, 256);
    psh_wants_clear(x->wants);
    before = bench_now();
    bench_must(psh_bulk_propose(x->bulk, w, x->l.start, x->wants, NULL), "propose", NULL);
    bench_figure("propose_ms", (bench_now() - before) * 1e3, "ms", "256 loads, 4,096 partitions, wants below");
    bench_figure("propose_wants", (double)psh_wants_count(x->wants), "", "");
    psh_world_unref(w);
}

static void report(bench *x) {
    static const char *const names[] = { "as_predicted", "alerts", "overrides", "migrations" };
    double days = (double)x->judged;
    size_t i;

    qsort(x->distances, x->judged, sizeof *x->distances, compare_double);
    bench_figure("days", days, "", "judged, after a week");
    bench_figure("distance_median", x->distances[x->judged / 2], "", "Kolmogorov-Smirnov, day against forecast");
    bench_figure("distance_most", x->distances[x->judged - 1], "", "");
    for (i = 0; i < 4; i++)
        bench_figure(names[i], (double)x->verdicts[i], "days", "");
    bench_figure("balance_even", x->sums[0] / days, "", "fullest of 8 ranges over their mean: even ranges");
    bench_figure("balance_predicted", x->sums[1] / days, "", "ranges as they are prepared");
    bench_figure("balance_best", x->sums[2] / days, "", "cut at the day's own quantiles");
    bench_figure("batch_ns", x->seconds * 1e9 / x->rows_all, "ns/row", "in batches of 1,000");
}

int main(int argc, char **argv) {
    const char *csv = NULL, *time = NULL, *key = NULL, *value = NULL;
    const bench_option options[] = { { "--csv", BENCH_TEXT, &csv, 1 }, { "--time-column", BENCH_TEXT, &time, 1 },
                                     { "--key-column", BENCH_TEXT, &key, 1 },
                                     { "--value-column", BENCH_TEXT, &value, 0 } };
    psh_bulk_options o;
    bench x;
    size_t day, days;

    memset(&x, 0, sizeof x);
    bench_args(argc, argv, "bulk --csv F --time-column C --key-column C [--value-column C] [--tsv]", options, 4);
    loads_read(csv, time, key, value, &x.l);
    days = x.l.hours / DAY_HOURS;
    if (days <= FIRST_JUDGED)
        bench_die(BENCH_BAD_INPUT, "%s: shorter than %d days", csv, FIRST_JUDGED + 1);
    bench_must(psh_env_create(NULL, &x.env, NULL), "env", NULL);
    make_schema(&x);
    bench_must(psh_bulk_options_init(&o, sizeof o), "options", NULL);
    o.target_bytes = 1; /* as many ranges as may be: */
    o.max_parts = PARTS - 1;
    bench_must(psh_bulk_create(x.env, x.schema, &o, &x.bulk, NULL), "create", NULL);
    bench_must(psh_wants_create(x.env, &x.wants), "wants", NULL);
    x.rows = most_rows(&x);
    x.points = bench_alloc(x.rows, sizeof *x.points);
    x.times = bench_alloc(x.rows, sizeof *x.times);
    x.distances = bench_alloc(days, sizeof *x.distances);
    announce(&x);
    for (day = 0; day < days; day++)
        run_day(&x, day);
    report(&x);
    bench_figure("batch_large_ns", large_load_ns(&x, 2000000), "ns/row", "one load of 2,000,000 rows");
    bench_must(psh_bulk_options_init(&o, sizeof o), "options", NULL);
    o.target_bytes = 10000000;
    report_planning(&x, &o);
    free(x.points);
    free(x.times);
    free(x.distances);
    loads_free(&x.l);
    psh_wants_destroy(x.wants);
    psh_bulk_destroy(x.bulk);
    psh_schema_unref(x.schema);
    psh_env_destroy(x.env);
    return 0;
}
