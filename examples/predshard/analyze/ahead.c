/* SPDX-License-Identifier: MIT */
/*
 * What is ahead: the tables seen become a psh_schema, each statement a query (or a write) that the forecaster is
 * shown at its time. A statement that does not fit the form of queries is shown as a request to a table of its
 * own, "(statements)", under the label template=ID, so that it is forecast too.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_data.h"
#include "shim.h"
#include "tree.h"

#define CACHE 8192
#define BUDGET 512
#define LABELS 6
#define MOST_BUCKETS 1000000
#define MOST_SERIES 32768
#define MOST_BYTES (UINT64_C(256) << 20)

typedef struct cached {
    uint64_t key;
    psh_query *query;
} cached;

typedef struct feed {
    analysis *a;
    failure *f;
    logs **log;
    record *pending;
    int *waiting;
    size_t count;
    cached *cache;
    form *form;
    strbuf shim, why, name;
    uint32_t *place;     /* Shape [templates]: rank of those shown, NAMES_NONE of others */
    int64_t bucket;      /* start of the newest */
    psh_label label[LABELS];
    char value[LABELS][256];
    size_t label_count;
} feed;

static int failed(failure *f, psh_status st, const char *what) {
    return st == PSH_E_NOMEM ? fail_memory(f) : fail(f, EXIT_INTERNAL, "%s: %s", what, psh_status_text(st));
}

static int64_t floor_to(int64_t t, int64_t width) {
    return t - (t % width + width) % width;
}

/* Buckets and seasons from how long the logs are: hours over days, minutes over hours, else seconds. */
static void choose_shape(analysis *a) {
    static const int64_t widths[] = { PSH_MINUTE, PSH_HOUR, PSH_DAY, 7 * PSH_DAY, 28 * PSH_DAY, 364 * PSH_DAY };
    int64_t span = a->templates.last - a->templates.first, b = a->options.bucket_ns;
    size_t i, n = sizeof widths / sizeof *widths;

    if (!b)
        b = span >= 2 * PSH_DAY ? PSH_HOUR : span >= 2 * PSH_HOUR ? PSH_MINUTE : PSH_SECOND;
    for (i = 0; i + 2 < n; i++)
        if (widths[i] % b == 0 && widths[i] / b >= 2 && (widths[i] >= PSH_DAY || span < 2 * PSH_DAY
            || b < PSH_MINUTE))
            break;
    a->bucket_ns = b;
    a->season[0] = widths[i] % b == 0 && widths[i] / b >= 2 && widths[i] / b <= 4096 ? (uint32_t)(widths[i] / b)
        : 24;
    a->season[1] = a->season[0] * (widths[i] / b == a->season[0] ? (uint32_t)(widths[i + 1] / widths[i]) : 7);
    a->window_ns = a->options.window_ns ? a->options.window_ns : b * a->season[0];
    a->now = a->options.now != PSH_TIME_NONE ? a->options.now : floor_to(a->templates.last, b) + b;
}

static int check_shape(const analysis *a, failure *f) {
    int64_t steps = (a->window_ns + a->bucket_ns - 1) / a->bucket_ns;

    if (steps > a->season[1])
        return fail(f, EXIT_USAGE, "--window: at most %u buckets ahead: give a shorter window or a longer --bucket",
            a->season[1]);
    if ((a->templates.last - a->templates.first) / a->bucket_ns > MOST_BUCKETS)
        return fail(f, EXIT_USAGE,
            "--bucket: the logs span more than %d buckets: give a longer one, or leave out statements with "
            "wrong times", MOST_BUCKETS);
    if (a->now <= a->templates.first)
        return fail(f, EXIT_USAGE, "--now: no statement ran before it: name a later time");
    return EXIT_DONE;
}

/* The library's table of one of the catalog: a row number as key, the columns, a time if there is none. */
static size_t describe_columns(analysis *a, uint32_t t, psh_column_spec *to, uint32_t *time_column) {
    catalog *c = &a->catalog;
    size_t n = 1;
    uint32_t i;

    to[0] = (psh_column_spec){ "(row)", PSH_TYPE_INT64, 0, 0, 0 };
    *time_column = NAMES_NONE;
    for (i = 0; i < c->column_names.count && n < 4094; i++) {
        if (c->columns[i].table != t)
            continue;
        if (i == c->tables[t].time_column)
            *time_column = (uint32_t)n;
        to[n] = (psh_column_spec){ c->columns[i].name, c->columns[i].type, 0, 0,
            i == c->tables[t].time_column ? 0 : PSH_COLUMN_NULLABLE };
        c->columns[i].index = (uint32_t)n++;
    }
    if (*time_column == NAMES_NONE) {
        *time_column = (uint32_t)n;
        to[n++] = (psh_column_spec){ "(time)", PSH_TYPE_TIMESTAMP, 0, 0, 0 };
    }
    return n;
}

static const uint32_t row_key[1] = { 0 };

/* Buckets begin on Mondays, whose weeks and days they then divide. */
static psh_table_spec table_spec(const char *name, const psh_column_spec *columns, size_t n, uint32_t time_column) {
    return (psh_table_spec){ name, columns, n, sizeof *columns, row_key, 1, PSH_NONE, time_column, PSH_DAY,
        -3 * PSH_DAY };
}

static int make_schema(analysis *a, failure *f) {
    catalog *c = &a->catalog;
    uint32_t n = c->table_names.count, t, time_column;
    psh_column_spec *columns = calloc(c->column_names.count + 2 * (size_t)n + 3, sizeof *columns), *at = columns;
    psh_table_spec *tables = calloc(n + 1, sizeof *tables);
    psh_error err = { sizeof err, 0, 0, "", "" };
    size_t count;
    psh_status st = PSH_E_NOMEM;

    if (columns && tables) {
        for (t = 0; t < n; t++, at += count) {
            count = describe_columns(a, t, at, &time_column);
            tables[t] = table_spec(c->tables[t].name, at, count, time_column);
            c->tables[t].id = t;
        }
        at[0] = (psh_column_spec){ "(row)", PSH_TYPE_INT64, 0, 0, 0 };
        at[1] = (psh_column_spec){ "template", PSH_TYPE_TEXT, 0, 0, 0 };
        at[2] = (psh_column_spec){ "(time)", PSH_TYPE_TIMESTAMP, 0, 0, 0 };
        tables[n] = table_spec("(statements)", at, 3, 2);
        a->statements_table = n;
        st = psh_schema_create(a->env, tables, n + 1, sizeof *tables, &a->schema, &err);
    }
    free(columns);
    free(tables);
    return st == PSH_OK ? EXIT_DONE : failed(f, st, err.text);
}

static int make_forecaster(analysis *a, failure *f) {
    psh_forecaster_options o;
    psh_error err = { sizeof err, 0, 0, "", "" };
    psh_status st;

    psh_forecaster_options_init(&o, sizeof o);
    o.bucket_ns = a->bucket_ns;
    o.season_short = a->season[0];
    o.season_long = a->season[1];
    o.horizon = (uint32_t)((a->window_ns + a->bucket_ns - 1) / a->bucket_ns);
    o.max_templates = MOST_TEMPLATES;
    o.max_series = MOST_SERIES;
    o.max_bytes = MOST_BYTES;
    o.lateness_ns = -1;
    st = psh_forecaster_create(a->env, a->schema, &o, &a->forecaster, &err);
    if (st == PSH_E_INVALID)
        return fail(f, EXIT_USAGE, "--bucket or --window: %s %s: choose others", err.field, err.text);
    return st == PSH_OK ? EXIT_DONE : failed(f, st, err.text);
}

static int remember_label(analysis *a, const char *name, const char *value, strbuf *scratch) {
    uint32_t before = a->labels.count, i;
    uint64_t *grown;

    text_clear(scratch);
    text_format(scratch, "%s=%s", name, value);
    i = names_add(&a->labels, text_of(scratch));
    if (i == NAMES_NONE || i < before)
        return !a->labels.bad;
    if (i >= a->label_room) {
        grown = realloc(a->label_id, sizeof *grown * (a->label_room ? 2 * (size_t)a->label_room : 64));
        if (!grown)
            return 0;
        a->label_id = grown;
        a->label_room = a->label_room ? 2 * a->label_room : 64;
    }
    a->label_id[i] = psh_label_id(name, value);
    return 1;
}

const char *ahead_label(const analysis *a, uint64_t id) {
    uint32_t i;

    for (i = 0; i < a->labels.count; i++)
        if (a->label_id[i] == id)
            return a->labels.name[i];
    return NULL;
}

static int add_label(feed *x, const char *name, const char *value) {
    size_t n = strlen(value);
    char *to = x->value[x->label_count];

    if (n == 0)
        return 1;
    n = n < 255 ? n : 255;
    memcpy(to, value, n);
    to[n] = 0;
    text_repair(to);
    x->label[x->label_count++] = (psh_label){ name, to };
    return remember_label(x->a, name, to, &x->name);
}

static int set_labels(feed *x, const record *r, const template *t) {
    x->label_count = 0;
    return add_label(x, "template", t->id) && add_label(x, "kind", statement_name(t->kind))
        && add_label(x, "user", r->user)
        && add_label(x, "database", r->database) && add_label(x, "client", r->client)
            && add_label(x, "application", r->application)
        ? EXIT_DONE : fail_memory(x->f);
}

static uint64_t cache_key(feed *x, const record *r, const char *what) {
    size_t i;

    text_clear(&x->name);
    text_format(&x->name, "%s\1%s", what, r->parameters);
    for (i = 0; i < x->label_count; i++)
        text_format(&x->name, "\1%s\1%s", x->label[i].name, x->label[i].value);
    return text_hash(text_of(&x->name), x->name.size);
}

/* The statement as a query of its table; NULL: it does not fit. */
static psh_query *fitting_query(feed *x, const record *r, template *t, int dialect, int *keep) {
    analysis *a = x->a;
    psh_query *q = NULL;
    json_t *tree;

    shim_rewrite(r->sql, dialect, &x->shim);
    tree = tree_parse(text_of(&x->shim), &x->why);
    snprintf(a->catalog.database, sizeof a->catalog.database, "%s", r->database);
    x->form->at = r->time;
    x->form->parameters = r->parameters;
    if (tree && form_read(x->form, tree, &a->catalog))
        q = form_bind(x->form, a->env, a->schema, &a->catalog, x->label, x->label_count);
    if (!q)
        strcpy(t->form_why, x->form->why);
    *keep = !x->form->relative;
    json_decref(tree);
    return q;
}

static psh_query *statement_query(feed *x, const template *t) {
    psh_query_spec spec;
    psh_predicate p;
    psh_value v = { PSH_TYPE_TEXT, (uint32_t)strlen(t->id), { 0 }, 0 };
    uint32_t output = 1;
    psh_query *q = NULL;

    v.as.data = t->id;
    p = (psh_predicate){ 1, PSH_OP_EQ, &v, 1 };
    psh_query_spec_init(&spec, sizeof spec);
    spec.table = x->a->statements_table;
    spec.predicates = &p;
    spec.predicate_count = 1;
    spec.columns = &output;
    spec.column_count = 1;
    spec.labels = x->label;
    spec.label_count = x->label_count;
    return psh_query_create(x->a->env, x->a->schema, &spec, &q, NULL) == PSH_OK ? q : NULL;
}

/* From the cache, or made. The caller gets a reference. */
static psh_query *query_of(feed *x, const record *r, template *t, int dialect) {
    int fits = !t->form_why[0], keep = 1;
    uint64_t key = cache_key(x, r, fits ? r->sql : t->id);
    cached *slot = &x->cache[key % CACHE];
    psh_query *q = NULL;

    if (slot->query && slot->key == key)
        return psh_query_ref(slot->query);
    if (fits)
        q = fitting_query(x, r, t, dialect, &keep);
    if (!q) {
        keep = !fits;
        q = statement_query(x, t);
    }
    if (q && keep) {
        psh_query_unref(slot->query);
        *slot = (cached){ key, psh_query_ref(q) };
    }
    return q;
}

static psh_status observe_read(feed *x, const record *r, template *t, int dialect, int64_t time) {
    psh_query_record q = { .struct_size = sizeof q, .time = time };
    psh_query_spec spec = { .struct_size = sizeof spec };
    psh_status st;

    q.query = query_of(x, r, t, dialect);
    if (!q.query)
        return PSH_E_NOMEM;
    q.duration_ns = r->duration_ns >= 0 ? r->duration_ns : 0;
    q.rows = r->rows > 0 ? (uint64_t)r->rows : 0;
    q.bytes = r->bytes > 0 ? (uint64_t)r->bytes : 0;
    q.work = r->examined >= 0 ? (uint64_t)r->examined : (uint64_t)(q.duration_ns / 1000);
    q.weight = x->a->templates.weight * r->calls;
    q.at_base = 1;
    psh_query_describe(q.query, &spec);
    st = psh_forecaster_observe_query(x->a->forecaster, &q);
    if (st == PSH_OK && spec.table != x->a->statements_table)
        x->a->fitting += q.weight;
    psh_query_unref(q.query);
    return st;
}

static psh_status observe_change(feed *x, const record *r, const template *t, int64_t time) {
    psh_write_record w = { .struct_size = sizeof w, .time = time };
    double rows = (r->rows > 0 ? (double)r->rows : 1) * x->a->templates.weight;

    w.table = x->a->catalog.tables[t->tables[0]].id;
    w.rows = rows < 1e15 ? (uint64_t)rows : 1;
    return psh_forecaster_observe_write(x->a->forecaster, &w);
}

static void count_bin(feed *x, const template *t, int64_t time, double calls) {
    analysis *a = x->a;
    int64_t bin = (time - a->bins_from) / a->bucket_ns;
    uint32_t place = x->place[t - a->templates.list];

    if (time < a->bins_from || bin >= a->bins)
        return;
    a->total[bin] += calls;
    if (place < a->shown)
        a->by_template[(size_t)place * a->bins + (size_t)bin] += calls;
}

/* Steps up to the bucket of the record; what is older than the newest bucket counts at its start. */
static int observe(feed *x, const record *r, int dialect) {
    analysis *a = x->a;
    template *t = templates_of(&a->templates, r, dialect);
    int64_t bucket = floor_to(r->time, a->bucket_ns);
    psh_status st = PSH_OK;
    double calls = r->calls * a->templates.weight;

    if (r->time >= a->now)
        a->later += calls;
    if (!t || r->time >= a->now)
        return EXIT_DONE;
    if (bucket > x->bucket) {
        st = psh_forecaster_step(a->forecaster, bucket, BUDGET);
        x->bucket = bucket;
    }
    count_bin(x, t, r->time, calls);
    if (st < 0 || r->failed || set_labels(x, r, t))
        return st < 0 ? failed(x->f, st, "the forecaster") : x->f->code;
    st = observe_read(x, r, t, dialect, r->time > x->bucket ? r->time : x->bucket);
    if (st == PSH_OK && t->table_count && t->kind >= STATEMENT_INSERT && t->kind <= STATEMENT_DELETE)
        observe_change(x, r, t, r->time > x->bucket ? r->time : x->bucket);
    if (st == PSH_E_NOMEM)
        return fail_memory(x->f);
    *(st == PSH_OK ? &a->observed : &a->refused) += calls;
    return EXIT_DONE;
}

/* The next record with a time; a log that has ended waits no more. */
static int advance(feed *x, size_t i) {
    int got;

    do {
        if (logs_next(x->log[i], &x->pending[i], &got, x->f))
            return x->f->code;
    } while (got && x->pending[i].time == PSH_TIME_NONE);
    x->waiting[i] = got;
    return EXIT_DONE;
}

static int open_all(feed *x) {
    size_t i;

    for (i = 0; i < x->count; i++)
        if (logs_open(x->a->sources[i].path, x->a->sources[i].format, &x->log[i], x->f) || advance(x, i))
            return x->f->code;
    return EXIT_DONE;
}

/* All logs merged by time. */
static int feed_all(feed *x) {
    size_t i, next;
    uint64_t n = 0;
    double share;

    if (open_all(x))
        return x->f->code;
    for (;;) {
        for (next = SIZE_MAX, i = 0; i < x->count; i++)
            if (x->waiting[i] && (next == SIZE_MAX || x->pending[i].time < x->pending[next].time))
                next = i;
        if (next == SIZE_MAX)
            return EXIT_DONE;
        if (observe(x, &x->pending[next], format_dialect(x->a->sources[next].format)) || advance(x, next))
            return x->f->code;
        if (n++ % 256)
            continue;
        for (share = 0, i = 0; i < x->count; i++)
            share += logs_progress(x->log[i]);
        progress("forecasting", share / (double)x->count);
    }
}

static int reserve_bins(feed *x) {
    analysis *a = x->a;
    int64_t from = floor_to(a->templates.first, a->bucket_ns),
        bins = (a->now - from + a->bucket_ns - 1) / a->bucket_ns;
    uint32_t i;

    a->bins = bins < MOST_BINS ? (uint32_t)bins : MOST_BINS;
    a->bins_from = floor_to(a->now - 1, a->bucket_ns) - (int64_t)(a->bins - 1) * a->bucket_ns;
    a->shown = a->templates.ids.count < a->options.top ? a->templates.ids.count : a->options.top;
    a->steps = (uint32_t)((a->window_ns + a->bucket_ns - 1) / a->bucket_ns);
    a->total = calloc(a->bins, sizeof *a->total);
    a->by_template = calloc((size_t)a->bins * a->shown + 1, sizeof *a->by_template);
    a->ahead = calloc((size_t)a->steps * a->shown * 3 + 1, sizeof *a->ahead);
    x->place = malloc(sizeof *x->place * (a->templates.ids.count + 1));
    if (!a->total || !a->by_template || !a->ahead || !x->place)
        return fail_memory(x->f);
    for (i = 0; i < a->templates.ids.count; i++)
        x->place[a->rank[i]] = i;
    return EXIT_DONE;
}

static int feed_run(analysis *a, failure *f) {
    feed x = { .a = a, .f = f, .count = a->options.input_count, .bucket = PSH_TIME_MIN };
    size_t i;

    x.log = calloc(x.count, sizeof *x.log);
    x.pending = calloc(x.count, sizeof *x.pending);
    x.waiting = calloc(x.count, sizeof *x.waiting);
    x.cache = calloc(CACHE, sizeof *x.cache);
    x.form = calloc(1, sizeof *x.form);
    if (!x.log || !x.pending || !x.waiting || !x.cache || !x.form)
        fail_memory(f);
    else if (reserve_bins(&x) == EXIT_DONE)
        feed_all(&x);
    for (i = 0; x.log && i < x.count; i++)
        logs_close(x.log[i]);
    for (i = 0; x.cache && i < CACHE; i++)
        psh_query_unref(x.cache[i].query);
    if (x.form)
        text_free(&x.form->hold);
    text_free(&x.shim);
    text_free(&x.why);
    text_free(&x.name);
    free(x.log);
    free(x.pending);
    free(x.waiting);
    free(x.cache);
    free(x.form);
    free(x.place);
    return f->code;
}

/* Adds what one table's series of the template's label says. */
static int add_forecast(analysis *a, template *t, uint32_t place, uint32_t table) {
    psh_subject subject = { PSH_SUBJECT_LABEL, table, psh_label_id("template", t->id) };
    psh_forecast_spec spec = { .struct_size = sizeof spec };
    psh_forecast *forecast;
    double *to = a->ahead + (size_t)place * a->steps * 3;
    uint32_t i;

    if (psh_forecaster_forecast(a->forecaster, &subject, a->now, a->steps, &forecast, NULL) != PSH_OK)
        return 0;
    psh_forecast_describe(forecast, &spec);
    if (isnan(t->expected))
        t->expected = t->low = t->high = 0;
    for (i = 0; i < spec.steps && i < a->steps; i++, to += 3) {
        to[0] += spec.mean[i];
        to[1] += spec.quantiles[(size_t)i * spec.level_count];     /* 0.05 */
        to[2] += spec.quantiles[(size_t)i * spec.level_count + 5]; /* 0.95 */
        t->expected += spec.mean[i];
        t->low += spec.quantiles[(size_t)i * spec.level_count];
        t->high += spec.quantiles[(size_t)i * spec.level_count + 5];
    }
    t->reason = spec.reason;
    t->skill = spec.skill;
    psh_forecast_unref(forecast);
    return 1;
}

static void forecast_templates(analysis *a) {
    uint32_t i;
    template *t;

    for (i = 0; i < a->shown; i++) {
        t = &a->templates.list[a->rank[i]];
        if (t->table_count && !t->form_why[0])
            add_forecast(a, t, i, a->catalog.tables[t->tables[0]].id);
        add_forecast(a, t, i, a->statements_table); /* what ran before its constants did not fit */
    }
}

static int ask(analysis *a, failure *f) {
    psh_demand_request request = { .struct_size = sizeof request, .source = PSH_DEMAND_FORECAST };
    psh_error err = { sizeof err, 0, 0, "", "" };
    psh_status st;

    while ((st = psh_forecaster_step(a->forecaster, a->now, BUDGET)) == PSH_AGAIN)
        progress("forecasting", 1);
    if (st != PSH_OK)
        return failed(f, st, "the forecaster");
    forecast_templates(a);
    request.now = request.from = a->now;
    request.to = a->now + a->window_ns;
    request.max_views = a->options.top;
    request.max_zones = a->options.top;
    a->stats.struct_size = sizeof a->stats;
    psh_forecaster_get_stats(a->forecaster, &a->stats);
    st = psh_forecaster_demand(a->forecaster, &request, &a->demand, &err);
    return st == PSH_OK ? EXIT_DONE : failed(f, st, err.text);
}

int ahead_run(analysis *a, failure *f) {
    if (a->templates.first == PSH_TIME_NONE) {
        strcpy(a->why_not, "the logs have no times (pg_stat_statements keeps sums only): nothing can be forecast");
        return EXIT_DONE;
    }
    choose_shape(a);
    if (check_shape(a, f))
        return f->code;
    a->labels.most = 4 * MOST_TEMPLATES;
    if (psh_env_create(NULL, &a->env, NULL) != PSH_OK)
        return fail_memory(f);
    if (make_schema(a, f) || make_forecaster(a, f) || feed_run(a, f))
        return f->code;
    return ask(a, f);
}

void ahead_free(analysis *a) {
    psh_demand_unref(a->demand);
    psh_forecaster_destroy(a->forecaster);
    psh_schema_unref(a->schema);
    psh_env_destroy(a->env);
    names_free(&a->labels);
    free(a->label_id);
    free(a->total);
    free(a->by_template);
    free(a->ahead);
}
