/* SPDX-License-Identifier: MIT */
/* The paths that run per row and per query. */
#include <predshard.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define T0 (INT64_C(978307200) * PSH_SECOND)
#define TENANTS 256u
#define DAYS 1000
#define ARCS 16u
#define VIEWS 64u
#define GROUPS 5000u

static int tsv;

static void must(psh_status st, const char *what) {
    if (st >= 0)
        return;
    fprintf(stderr, "bench: %s: %s\n", what, psh_status_name(st));
    exit(1);
}

static double now_s(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void figure(const char *name, double value, const char *unit, const char *note) {
    printf(tsv ? "%s\t%.4g\t%s\t%s\n" : "%-22s %12.4g %-10s %s\n", name, value, unit, note);
}

static uint64_t next_random(uint64_t *state) {
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static psh_value int_value(int64_t x) {
    psh_value v;

    memset(&v, 0, sizeof v);
    v.type = PSH_TYPE_INT64;
    v.as.i64 = x;
    return v;
}

static psh_schema *make_schema(psh_env *env) {
    static const psh_column_spec columns[] = {
        { "tenant", PSH_TYPE_INT64, 0, 0, 0 }, { "time", PSH_TYPE_TIMESTAMP, 0, 0, 0 },
        { "seq", PSH_TYPE_INT64, 0, 0, 0 },    { "item", PSH_TYPE_INT64, 0, 0, 0 },
        { "amount", PSH_TYPE_INT64, 0, 0, 0 },
    };
    static const uint32_t key[] = { 0, 1, 2 };
    psh_table_spec t = { "sales", columns, 5, sizeof columns[0], key, 3, 0, 1, PSH_DAY, 0 };
    psh_schema *s = NULL;

    must(psh_schema_create(env, &t, 1, sizeof t, &s, NULL), "schema");
    return s;
}

static void bench_observe(psh_env *env, psh_schema *schema, const char *name, const char *note, uint32_t segments) {
    psh_write_record w = { .struct_size = sizeof w, .rows = 1, .bytes = 64 };
    psh_forecaster *f = NULL;
    uint64_t ids[TENANTS], seed = 1;
    psh_value v;
    double begin;
    int64_t i, n = 2000000;

    must(psh_forecaster_create(env, schema, NULL, &f, NULL), "forecaster");
    for (i = 0; i < TENANTS; i++) {
        v = int_value(i);
        ids[i] = psh_tenant_id(&v);
    }
    must(psh_forecaster_step(f, T0, 1), "step");
    w.time = T0;
    for (i = 0; i < TENANTS; i++) {
        w.tenant = ids[i];
        must(psh_forecaster_observe_write(f, &w), "observe");
        if (segments)
            must(psh_forecaster_set_segment(f, 0, ids[i], PSH_SEGMENT_HOST + (uint32_t)i % segments), "segment");
    }
    begin = now_s();
    for (i = 0; i < n; i++) {
        w.tenant = ids[next_random(&seed) % TENANTS];
        must(psh_forecaster_observe_write(f, &w), "observe");
    }
    figure(name, (now_s() - begin) * 1e9 / (double)n, "ns", note);
    psh_forecaster_destroy(f);
}

static psh_partition partition_of(psh_schema *schema, int64_t day, uint32_t arc) {
    uint64_t width = UINT64_MAX / ARCS;
    psh_partition p;

    memset(&p, 0, sizeof p);
    must(psh_schema_interval(
        schema, 0, T0 + day * PSH_DAY, &p.interval, &p.time_from, &p.time_to), "interval");
    p.arc_first = arc * width;
    p.arc_last = arc + 1 == ARCS ? UINT64_MAX : (arc + 1) * width - 1;
    p.ordinal = arc;
    p.id = psh_partition_id(0, p.interval, p.arc_first);
    p.state = PSH_PARTITION_SEALED;
    p.last_position = 1;
    p.created_at = T0;
    p.first_write = p.time_from;
    return p;
}

static void add_partitions(psh_world_draft *d, psh_schema *schema, int64_t days) {
    psh_partition p;
    uint32_t arc;
    int64_t day;

    for (day = 0; day < days; day++) {
        for (arc = 0; arc < ARCS; arc++) {
            p = partition_of(schema, day, arc);
            p.state = day + 1 == days ? PSH_PARTITION_ACTIVE : PSH_PARTITION_SEALED;
            must(psh_world_draft_add_partition(d, &p), "partition");
        }
    }
}

static psh_query *make_query(
    psh_env *env, psh_schema *schema, uint32_t column, int64_t bucket, int64_t from, int64_t to) {
    static const uint32_t groups[] = { 3 };
    psh_aggregate aggregates[] = { { PSH_AGG_COUNT, PSH_NONE }, { PSH_AGG_SUM, 4 }, { PSH_AGG_MIN, column } };
    psh_value tenant = int_value(7);
    psh_predicate p = { 0, PSH_OP_EQ, &tenant, 1 };
    psh_query_spec s;
    psh_query *q = NULL;

    psh_query_spec_init(&s, sizeof s);
    s.predicates = &p;
    s.predicate_count = 1;
    s.group_columns = groups;
    s.group_count = 1;
    s.aggregates = aggregates;
    s.aggregate_count = 3;
    s.bucket_ns = bucket;
    s.time_from = from;
    s.time_to = to;
    must(psh_query_create(env, schema, &s, &q, NULL), "query");
    return q;
}

/* Known templates of three constants each, asked for by many tenants at ever later times. */
static void bench_asking(psh_env *env, psh_schema *schema, uint64_t tenants, const char *name) {
    psh_query_record r = { .struct_size = sizeof r, .duration_ns = 1000, .rows = 24, .bytes = 480, .weight = 1 };
    psh_query *queries[4 * TENANTS];
    psh_forecaster *f = NULL;
    uint64_t seed = 1;
    double begin = 0;
    int64_t i, n = 1000000, count = 4 * TENANTS;

    must(psh_forecaster_create(env, schema, NULL, &f, NULL), "forecaster");
    for (i = 0; i < count; i++)
        queries[i] = make_query(env, schema, 4, (1 + i % 32) * PSH_MINUTE, T0 - (1 + i / 512) * PSH_DAY, T0);
    must(psh_forecaster_step(f, T0, 1), "step");
    for (i = -count; i < n; i++) {
        if (!i)
            begin = now_s();
        r.query = queries[i < 0 ? i + count : (int64_t)(next_random(&seed) % (uint64_t)count)];
        r.tenant = tenants ? 1 + next_random(&seed) % tenants : 0;
        r.time = T0 + (i < 0 ? 0 : i * 1000000);
        r.work = (uint64_t)i & 1023;
        must(psh_forecaster_observe_query(f, &r), "observe");
    }
    figure(name, (now_s() - begin) * 1e9 / (double)n, "ns", "32 known templates");
    for (i = 0; i < count; i++)
        psh_query_unref(queries[i]);
    psh_forecaster_destroy(f);
}

/* Templates that were never seen before, one after the other, into a full forecaster. */
static void bench_templates(psh_env *env, psh_schema *schema) {
    psh_query_record r = { .struct_size = sizeof r, .time = T0, .weight = 1 };
    psh_forecaster_stats stats = { .struct_size = sizeof stats };
    psh_forecaster *f = NULL;
    double spent = 0, begin;
    int64_t i, n = 40000;

    must(psh_forecaster_create(env, schema, NULL, &f, NULL), "forecaster");
    must(psh_forecaster_step(f, T0, 1), "step");
    for (i = 0; i < n; i++) {
        r.query = make_query(env, schema, 4, (1 + i) * PSH_SECOND, T0 - PSH_DAY, T0);
        begin = now_s();
        must(psh_forecaster_observe_query(f, &r), "observe");
        spent += i < n / 2 ? 0 : now_s() - begin;
        psh_query_unref(r.query);
    }
    must(psh_forecaster_get_stats(f, &stats), "stats");
    figure("new_template", spent * 1e9 / (double)(n - n / 2), "ns", "each evicts another");
    figure("new_template_bytes", (double)stats.bytes, "bytes", "of the forecaster, at its limit of templates");
    psh_forecaster_destroy(f);
}

/* Views over every interval; they differ in bucket and aggregate, so that each is another definition. */
static void add_views(psh_world_draft *d, psh_env *env, psh_schema *schema) {
    static const int64_t splits[] = { 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 16, 18, 20, 24, 30, 32, 36, 40, 45, 48,
        60 };
    uint32_t i;
    int64_t day;

    for (i = 0; i < VIEWS; i++) {
        psh_query *q = make_query(env, schema, 2 + i % 3, PSH_DAY, T0, T0 + PSH_DAY), *definition = NULL;
        psh_view_spec spec;
        psh_view *view = NULL;
        psh_view_part part;

        must(psh_view_generalize(env, q, PSH_DAY / splits[i / 3], &definition, NULL), "generalize");
        psh_view_spec_init(&spec, sizeof spec);
        spec.name = "v";
        spec.definition = definition;
        must(psh_view_create(env, &spec, &view, NULL), "view");
        must(psh_world_draft_add_view(d, view), "draft");
        for (day = 0; day < DAYS; day++) {
            memset(&part, 0, sizeof part);
            part.view = psh_view_id(view);
            must(psh_schema_interval(
                schema, 0, T0 + day * PSH_DAY, &part.interval, &part.time_from, &part.time_to), "interval");
            part.position = 1;
            part.commit_time = T0;
            part.groups = 100 + i;
            must(psh_world_draft_add_view_part(d, &part), "part");
        }
        psh_view_unref(view);
        psh_query_unref(definition);
        psh_query_unref(q);
    }
}

static psh_world *make_world(psh_env *env, psh_schema *schema) {
    psh_world_draft *d = NULL;
    psh_world *w = NULL;

    must(psh_world_draft_create(env, schema, 1, T0, &d), "draft");
    add_partitions(d, schema, DAYS);
    add_views(d, env, schema);
    must(psh_world_create(d, &w, NULL), "world");
    psh_world_draft_destroy(d);
    return w;
}

static double locate_ns(const psh_world *world, psh_reader *reader, int64_t n) {
    uint64_t seed = 3, found = 0, x;
    const psh_world *w = world;
    double begin = now_s();
    int64_t i;

    for (i = 0; i < n; i++) {
        x = next_random(&seed);
        if (reader)
            w = psh_reader_pin(reader);
        found += psh_world_locate(w, 0, T0 + (int64_t)(x % DAYS) * PSH_DAY, x) != NULL;
        if (reader)
            psh_reader_unpin(reader);
    }
    if (found != (uint64_t)n)
        must(PSH_E_NOT_FOUND, "locate");
    return (now_s() - begin) * 1e9 / (double)n;
}

static double refreshed_ns(psh_reader *reader, int64_t n) {
    uint64_t seed = 3, found = 0, x;
    double begin = now_s();
    int64_t i;

    must(psh_reader_pin(reader) ? PSH_OK : PSH_E_NOT_FOUND, "pin");
    for (i = 0; i < n; i++) {
        x = next_random(&seed);
        found += psh_world_locate(psh_reader_refresh(reader), 0, T0 + (int64_t)(x % DAYS) * PSH_DAY, x) != NULL;
    }
    psh_reader_unpin(reader);
    if (found != (uint64_t)n)
        must(PSH_E_NOT_FOUND, "locate");
    return (now_s() - begin) * 1e9 / (double)n;
}

/* From a world to the next with `changes` other states, published. The least of many: the work, not the wait. */
static double publish_us(psh_env *env, psh_schema *schema, psh_worlds *worlds, int64_t days, int64_t changes) {
    int64_t rounds = 20 + 2000 / changes, round, i;
    double least = 1e9, begin, took;
    psh_world_draft *d;
    psh_partition p;
    psh_world *w;

    for (round = 0; round < rounds; round++) {
        begin = now_s();
        w = psh_worlds_current(worlds);
        must(psh_world_draft_create(env, schema, psh_world_epoch(w) + 1, T0, &d), "draft");
        must(psh_world_draft_base(d, w), "base");
        for (i = 0; i < changes; i++) {
            p = partition_of(schema, (round * 7919 + i * (days / changes)) % days, (uint32_t)round % ARCS);
            p.state = PSH_PARTITION_ARCHIVED;
            p.rows = (uint64_t)round;
            must(psh_world_draft_add_partition(d, &p), "partition");
        }
        must(psh_world_create(d, &w, NULL), "world");
        psh_world_draft_destroy(d);
        must(psh_worlds_publish(worlds, w), "publish");
        psh_world_unref(w);
        took = now_s() - begin;
        least = took < least ? took : least;
    }
    return least * 1e6;
}

static void bench_publish(psh_env *env, psh_schema *schema, int64_t days, const char *size) {
    psh_env_stats before = { .struct_size = sizeof before }, after = before;
    psh_world_draft *d = NULL;
    psh_worlds *worlds = NULL;
    psh_world *w = NULL;
    char name[32];

    must(psh_env_get_stats(env, &before), "stats");
    must(psh_world_draft_create(env, schema, 1, T0, &d), "draft");
    add_partitions(d, schema, days);
    must(psh_world_create(d, &w, NULL), "world");
    psh_world_draft_destroy(d);
    must(psh_env_get_stats(env, &after), "stats");
    must(psh_worlds_create(env, 0, &worlds), "worlds");
    must(psh_worlds_publish(worlds, w), "publish");
    psh_world_unref(w);
    (void)snprintf(name, sizeof name, "world_bytes_%s", size);
    figure(name, (double)(after.bytes - before.bytes) / (double)(days * ARCS), "bytes",
        "a partition, 16 an interval");
    (void)snprintf(name, sizeof name, "publish_one_%s", size);
    figure(name, publish_us(env, schema, worlds, days, 1), "us", "one state changed");
    (void)snprintf(name, sizeof name, "publish_500_%s", size);
    figure(name, publish_us(env, schema, worlds, days, 500), "us", "500 intervals changed");
    psh_worlds_destroy(worlds);
}

static void bench_world(psh_env *env, psh_world *world) {
    psh_worlds *worlds = NULL;
    psh_reader *reader = NULL;
    double bare, pinned, refreshed;

    must(psh_worlds_create(env, 0, &worlds), "worlds");
    must(psh_worlds_publish(worlds, world), "publish");
    must(psh_reader_create(worlds, &reader), "reader");
    bare = locate_ns(world, NULL, 2000000);
    pinned = locate_ns(world, reader, 2000000);
    figure("locate", bare, "ns", "random key among 16,000 partitions of 1,000 intervals");
    figure("pinned_locate", pinned, "ns", "with pin and unpin");
    refreshed = refreshed_ns(reader, 2000000);
    figure("refreshed_locate", refreshed, "ns", "pinned once, refreshed for each key");
    figure("pin_share", pinned / bare, "ratio", "pinned over bare");
    psh_reader_destroy(reader);
    psh_worlds_destroy(worlds);
}

static void bench_queries(
    psh_router *router, psh_world *world, psh_query *q, psh_route *route, const char *name, const char *note) {
    psh_route_request r = { .struct_size = sizeof r, .query = q, .now = T0 + DAYS * PSH_DAY, .head_position = 1 };
    double begin = now_s();
    int64_t i, n = 100000;

    for (i = 0; i < n; i++)
        must(psh_router_route(router, world, &r, route), "route");
    figure(name, (now_s() - begin) * 1e9 / (double)n, "ns",
        psh_route_coverage(route) == PSH_COVERAGE_WHOLE ? note : "NOT WHOLE");
}

static void bench_route(psh_env *env, psh_schema *schema, psh_world *world) {
    psh_router *router = NULL;
    psh_route *route = NULL;
    psh_placement place;
    psh_query *week = make_query(env, schema, 4, PSH_DAY, T0 + 500 * PSH_DAY, T0 + 507 * PSH_DAY);
    psh_query *few = make_query(env, schema, 4, PSH_DAY / 16, T0 + 500 * PSH_DAY, T0 + 507 * PSH_DAY);
    psh_query *all = make_query(env, schema, 4, PSH_DAY, PSH_TIME_MIN, PSH_TIME_MAX);
    uint64_t seed = 5;
    double begin;
    int64_t i, writes = 1000000;

    must(psh_router_create(env, NULL, &router, NULL), "router");
    must(psh_route_create(router, &route), "route");
    bench_queries(router, world, week, route, "route_query", "a week, 21 of 64 views match, whole");
    bench_queries(router, world, few, route, "route_few", "a week, 3 of 64 views match, whole");
    bench_queries(router, world, all, route, "route_all", "1,000 days, 21 of 64 views match, whole");
    begin = now_s();
    for (i = 0; i < writes; i++)
        must(psh_router_write(router, world, 0, next_random(&seed), T0 + (DAYS - 1) * PSH_DAY, &place), "write");
    figure("route_write", (now_s() - begin) * 1e9 / (double)writes, "ns", "active interval");
    psh_route_destroy(route);
    psh_router_destroy(router);
    psh_query_unref(week);
    psh_query_unref(few);
    psh_query_unref(all);
}

static void begin_view(psh_materializer *m, psh_query *definition) {
    psh_action a;

    memset(&a, 0, sizeof a);
    a.want.kind = PSH_ACT_BUILD_VIEW;
    a.want.subject = psh_query_id(definition);
    a.want.level = PSH_LEVEL_FULL;
    a.want.definition = definition;
    a.want.not_before = PSH_TIME_MIN;
    a.want.deadline = PSH_TIME_MAX;
    a.id = psh_action_id(a.want.kind, a.want.subject, 0);
    a.name = "v";
    a.reason = "";
    must(psh_materializer_begin(m, &a), "begin");
    memset(&a, 0, sizeof a);
    a.want.kind = PSH_ACT_CREATE_PARTITION;
    a.want.interval = T0 / PSH_DAY;
    a.want.time_from = T0;
    a.want.time_to = T0 + PSH_DAY;
    a.want.arc_last = UINT64_MAX;
    a.want.subject = psh_partition_id(0, a.want.interval, 0);
    a.id = psh_action_id(a.want.kind, a.want.subject, 0);
    a.name = "p";
    a.reason = "";
    must(psh_materializer_partition(m, &a, 0, 0, T0, 0), "partition");
}

static double apply_rate(
    psh_env *env, psh_schema *schema, psh_materializer *m, size_t batch, int64_t n, uint64_t *at) {
    psh_change_batch *b = NULL;
    psh_value row[5];
    psh_change c;
    uint64_t seed = 9;
    double spent = 0, begin;
    int64_t i = 0;
    size_t k;

    must(psh_change_batch_create(env, schema, 0, &b), "batch");
    while (i < n) {
        psh_change_batch_clear(b);
        for (k = 0; k < batch && i < n; k++, i++) {
            memset(&c, 0, sizeof c);
            row[0] = int_value((int64_t)(next_random(&seed) % 50));
            row[1] = int_value(T0 + i % PSH_HOUR);
            row[1].type = PSH_TYPE_TIMESTAMP;
            row[2] = int_value(i);
            row[3] = int_value((int64_t)(next_random(&seed) % (GROUPS / 50)));
            row[4] = int_value((int64_t)(next_random(&seed) % 100));
            c.op = PSH_CHANGE_INSERT;
            c.position = ++*at;
            c.after = row;
            c.column_count = 5;
            must(psh_change_batch_append(b, &c, NULL), "append");
        }
        begin = now_s();
        must(psh_materializer_apply(m, b), "apply");
        spent += now_s() - begin;
    }
    psh_change_batch_destroy(b);
    return (double)n / spent;
}

static double read_us(psh_materializer *m, uint64_t view, psh_answer *answer, psh_query *q) {
    double begin = now_s();
    int i;

    for (i = 0; i < 100; i++) {
        must(psh_answer_reset(answer, q), "reset");
        must(psh_materializer_read(m, view, T0, T0 + PSH_DAY, answer), "read");
    }
    return (now_s() - begin) * 1e6 / 100;
}

static void bench_views(psh_env *env, psh_schema *schema) {
    static const uint32_t groups[] = { 3 };
    psh_query *q = make_query(env, schema, 4, PSH_DAY, T0, T0 + PSH_DAY), *definition = NULL, *all = NULL,
              *coarse = NULL;
    psh_materializer *m = NULL;
    psh_answer *answer = NULL;
    psh_query_spec s;
    uint64_t position = 0;

    must(psh_materializer_create(env, schema, NULL, &m, NULL), "materializer");
    must(psh_view_generalize(env, q, PSH_DAY, &definition, NULL), "generalize");
    begin_view(m, definition);
    figure("apply_batched", apply_rate(env, schema, m, 10000, 1000000, &position), "changes/s", "batches of 10,000");
    figure("apply_single", apply_rate(env, schema, m, 1, 200000, &position), "changes/s", "batches of 1");
    s.struct_size = sizeof s;
    must(psh_query_describe(definition, &s), "describe");
    must(psh_query_create(env, schema, &s, &all, NULL), "query");
    must(psh_answer_create(env, all, 0, &answer), "answer");
    figure("read_view", read_us(m, psh_query_id(definition), answer, all), "us", "5,000 groups into an answer");
    s.group_columns = groups;
    s.group_count = 1;
    must(psh_query_create(env, schema, &s, &coarse, NULL), "query");
    figure("read_folded", read_us(m, psh_query_id(definition), answer, coarse), "us", "5,000 groups into 100 rows");
    psh_answer_destroy(answer);
    psh_query_unref(coarse);
    psh_query_unref(all);
    psh_query_unref(definition);
    psh_query_unref(q);
    psh_materializer_destroy(m);
}

int main(int argc, char **argv) {
    psh_env *env = NULL;
    psh_schema *schema;
    psh_world *world;

    tsv = argc > 1 && strcmp(argv[1], "--tsv") == 0;
    must(psh_env_create(NULL, &env, NULL), "env");
    schema = make_schema(env);
    bench_observe(env, schema, "observe_write", "known table and tenant series", 0);
    bench_observe(env, schema, "observe_write_segment", "and one of 8 segments", 8);
    bench_asking(env, schema, 0, "observe_query");
    bench_asking(env, schema, TENANTS, "observe_query_tenant");
    bench_templates(env, schema);
    world = make_world(env, schema);
    bench_world(env, world);
    bench_route(env, schema, world);
    bench_views(env, schema);
    psh_world_unref(world);
    bench_publish(env, schema, 625, "10k");
    bench_publish(env, schema, 6250, "100k");
    bench_publish(env, schema, 62500, "1m");
    psh_schema_unref(schema);
    psh_env_destroy(env);
    return 0;
}
