/* SPDX-License-Identifier: MIT */
/*
 * The result, one JSON object; null stands where nothing is known. Calls are weighted by the sample rate; times
 * are ISO 8601 in UTC, durations ns.
 *
 *   format, format_version  "predshard-analysis", 1
 *   version                 of the library
 *   inputs                  [{path, format, statements, skipped}]
 *   calls, failed           of all statements
 *   lexical                 calls of statements that did not parse
 *   beyond                  calls of templates that found no room
 *   total_ns, first, last
 *   templates               by total time (at most --top): {id, text, parsed, why, fits, why_not, kind, calls,
 *                           failed, total_ns, mean_ns, most_ns, rows, bytes, first, last, limit, tables,
 *                           uses [{table, column, role, op}], expected, expected_q05, expected_q95, skill, remark,
 *                           history [calls a bucket], ahead {mean, q05, q95}}: expected_q05 and _q95 are
 *                           sums over the buckets of the window; remark is psh_reason_text
 *   templates_in_all
 *   tables                  [{name, reads, writes, total_ns, time_column}]
 *   columns                 [{table, name, type, derived, output, filter, grouping, ordering, join}]
 *   column_sets             [{columns, calls, total_ns}], most calls first
 *   tables_refused, columns_refused, column_sets_refused
 *                           how often those that found no room were named
 *   ahead                   null with why_not, or {now, window_ns, bucket_ns, season, observed, fitting,
 *                           refused, later,
 *                           series, shed}: of the forecaster, shed is how often it was at its bounds
 *   views                   [{id, definition, table, requests, requests_q95, confidence, access, reach_ns,
 *                           work, remark}]
 *   zones                   [{label, table, requests, requests_q95, confidence}]
 *   history                 {from, bucket_ns, calls}: all calls a bucket, the last buckets before now
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "report_data.h"

static const char *table_name(const analysis *a, uint32_t t) {
    return t < a->catalog.table_names.count ? a->catalog.tables[t].name : NULL;
}

static json_t *inputs_json(const analysis *a, failure *f) {
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < a->options.input_count; i++) {
        json_t *to = json_object();

        put_text(to, "path", a->sources[i].path, f);
        put_text(to, "format", format_name(a->sources[i].format), f);
        put_count(to, "statements", a->sources[i].statements, f);
        put_count(to, "skipped", a->sources[i].skipped, f);
        push(list, to, f);
    }
    return list;
}

static json_t *uses_json(const analysis *a, const template *x, failure *f) {
    json_t *list = json_array();
    uint32_t i;

    for (i = 0; i < x->use_count; i++) {
        const column_entry *c = &a->catalog.columns[x->uses[i].column];
        json_t *to = json_object();

        put_text(to, "table", table_name(a, c->table), f);
        put_text(to, "column", c->name, f);
        put_text(to, "role", role_name(x->uses[i].role), f);
        put_text(to, "op", x->uses[i].op ? op_name(x->uses[i].op) : NULL, f);
        push(list, to, f);
    }
    return list;
}

static json_t *numbers(const double *v, uint32_t n, uint32_t stride, failure *f) {
    json_t *list = json_array();
    uint32_t i;

    for (i = 0; i < n; i++)
        push(list, number_value(v[(size_t)i * stride]), f);
    return list;
}

static void put_ahead(const analysis *a, const template *x, uint32_t place, json_t *to, failure *f) {
    json_t *ahead = json_object();
    const double *v;

    put_number(to, "expected", x->expected, f);
    put_number(to, "expected_q05", x->low, f);
    put_number(to, "expected_q95", x->high, f);
    put_number(to, "skill", x->skill, f);
    put_text(to, "remark", isnan(x->expected) ? NULL : psh_reason_text(x->reason), f);
    if (!a->demand || place >= a->shown) {
        json_decref(ahead);
        return;
    }
    v = a->ahead + (size_t)place * a->steps * 3;
    put(ahead, "mean", numbers(v, a->steps, 3, f), f);
    put(ahead, "q05", numbers(v + 1, a->steps, 3, f), f);
    put(ahead, "q95", numbers(v + 2, a->steps, 3, f), f);
    put(to, "ahead", ahead, f);
    put(to, "history", numbers(a->by_template + (size_t)place * a->bins, a->bins, 1, f), f);
}

static void put_measures(const template *x, json_t *to, failure *f) {
    put_number(to, "calls", x->calls, f);
    put_number(to, "failed", x->failed, f);
    put_number(to, "total_ns", x->timed > 0 ? x->total_ns : (double)NAN, f);
    put_number(to, "mean_ns", x->timed > 0 ? x->total_ns / x->timed : (double)NAN, f);
    put_number(to, "most_ns", x->most_ns > 0 ? (double)x->most_ns : (double)NAN, f);
    put_number(to, "rows", x->counted > 0 ? x->rows / x->counted : (double)NAN, f);
    put_number(to, "bytes", x->sized > 0 ? x->bytes / x->sized : (double)NAN, f);
    put(to, "first", time_value(x->first), f);
    put(to, "last", time_value(x->last), f);
    put(to, "limit", x->limit >= 0 ? json_integer(x->limit) : json_null(), f);
}

static json_t *template_json(const analysis *a, uint32_t place, failure *f) {
    const template *x = &a->templates.list[a->rank[place]];
    json_t *to = json_object(), *tables = json_array();
    uint32_t i;

    put_text(to, "id", x->id, f);
    put_text(to, "text", x->text, f);
    put(to, "parsed", json_boolean(!x->why), f);
    put_text(to, "why", x->why, f);
    put(to, "fits", json_boolean(!x->form_why[0]), f);
    put_text(to, "why_not", x->form_why[0] ? x->form_why : NULL, f);
    put_text(to, "kind", statement_name(x->kind), f);
    put_measures(x, to, f);
    for (i = 0; i < x->table_count; i++)
        push(tables, text_value(table_name(a, x->tables[i])), f);
    put(to, "tables", tables, f);
    put(to, "uses", uses_json(a, x, f), f);
    put_ahead(a, x, place, to, f);
    return to;
}

static json_t *templates_json(const analysis *a, failure *f) {
    json_t *list = json_array();
    uint32_t i;

    for (i = 0; i < a->templates.ids.count && i < a->options.top; i++)
        push(list, template_json(a, i, f), f);
    return list;
}

static json_t *tables_json(const analysis *a, failure *f) {
    json_t *list = json_array();
    uint32_t i;

    for (i = 0; i < a->catalog.table_names.count; i++) {
        const table_entry *t = &a->catalog.tables[i];
        json_t *to = json_object();

        put_text(to, "name", t->name, f);
        put_number(to, "reads", t->reads, f);
        put_number(to, "writes", t->writes, f);
        put_number(to, "total_ns", t->total_ns, f);
        put_text(to, "time_column", t->time_column == NAMES_NONE ? NULL : a->catalog.columns[t->time_column].name,
            f);
        push(list, to, f);
    }
    return list;
}

static json_t *columns_json(const analysis *a, failure *f) {
    json_t *list = json_array();
    uint32_t i;

    for (i = 0; i < a->catalog.column_names.count; i++) {
        const column_entry *c = &a->catalog.columns[i];
        json_t *to = json_object();

        put_text(to, "table", table_name(a, c->table), f);
        put_text(to, "name", c->name, f);
        put_text(to, "type", catalog_type_name(c->type), f);
        put(to, "derived", json_boolean(c->derived), f);
        put_number(to, "output", c->output, f);
        put_number(to, "filter", c->filter, f);
        put_number(to, "grouping", c->group, f);
        put_number(to, "ordering", c->order, f);
        put_number(to, "join", c->join, f);
        push(list, to, f);
    }
    return list;
}

static json_t *sets_json(const analysis *a, failure *f) {
    json_t *list = json_array();
    uint32_t i;

    for (i = 0; i < a->set_count && i < 10 * a->options.top; i++) {
        json_t *to = json_object();

        put_text(to, "columns", a->sets[i].name, f);
        put_number(to, "calls", a->sets[i].calls, f);
        put_number(to, "total_ns", a->sets[i].total_ns, f);
        push(list, to, f);
    }
    return list;
}

static void put_definition(const analysis *a, psh_query *q, json_t *to, failure *f) {
    psh_buffer *text;
    char *s;
    json_t *made = NULL;

    if (psh_buffer_create(a->env, &text) != PSH_OK) {
        fail_memory(f);
        return;
    }
    if (psh_query_dump(q, text) == PSH_OK && (s = strdup(psh_buffer_data(text))) != NULL) {
        s[strcspn(s, "\n")] = 0;
        made = text_value(s);
        free(s);
    }
    put(to, "definition", made, f);
    psh_buffer_destroy(text);
}

static json_t *entry_json(const analysis *a, const psh_demand_entry *e, failure *f) {
    json_t *to = json_object();
    char id[24];

    if (e->kind == PSH_DEMAND_VIEW) {
        snprintf(id, sizeof id, "%016llx", (unsigned long long)e->id);
        put_text(to, "id", id, f);
        put_definition(a, e->definition, to, f);
        put_text(to, "access", access_name(e->access), f);
        put_number(to, "reach_ns", e->reach_ns > 0 ? (double)e->reach_ns : (double)NAN, f);
        put_number(to, "work", e->work, f);
        put_text(to, "remark", psh_reason_text(e->reason), f);
    } else {
        put_text(to, "label", ahead_label(a, e->subject.id), f);
    }
    put_text(to, "table", table_name(a, e->table), f);
    put_number(to, "requests", e->count, f);
    put_number(to, "requests_q95", e->upper, f);
    put_number(to, "confidence", e->confidence, f);
    return to;
}

static json_t *entries_json(const analysis *a, uint32_t kind, failure *f) {
    json_t *list = json_array();
    psh_demand_entry e;
    size_t i;

    for (i = 0; a->demand && i < psh_demand_count(a->demand); i++)
        if (psh_demand_get(a->demand, i, &e) == PSH_OK && e.kind == kind)
            push(list, entry_json(a, &e, f), f);
    return list;
}

static json_t *ahead_json(const analysis *a, failure *f) {
    json_t *to;

    if (!a->demand)
        return json_null();
    to = json_object();
    put(to, "now", time_value(a->now), f);
    put_count(to, "window_ns", (uint64_t)a->window_ns, f);
    put_count(to, "bucket_ns", (uint64_t)a->bucket_ns, f);
    put(to, "season", json_pack("[ii]", (int)a->season[0], (int)a->season[1]), f);
    put_number(to, "observed", a->observed, f);
    put_number(to, "fitting", a->fitting, f);
    put_number(to, "refused", a->refused, f);
    put_number(to, "later", a->later, f);
    put_count(to, "series", a->stats.series, f);
    put_count(to, "shed", a->stats.shed, f);
    return to;
}

static json_t *history_json(const analysis *a, failure *f) {
    json_t *to;

    if (!a->demand)
        return json_null();
    to = json_object();
    put(to, "from", time_value(a->bins_from), f);
    put_count(to, "bucket_ns", (uint64_t)a->bucket_ns, f);
    put(to, "calls", numbers(a->total, a->bins, 1, f), f);
    return to;
}

json_t *analysis_json(const analysis *a, failure *f) {
    json_t *to = json_object();
    const templates *t = &a->templates;

    put_text(to, "format", "predshard-analysis", f);
    put_count(to, "format_version", 1, f);
    put_text(to, "version", psh_version(), f);
    put(to, "inputs", inputs_json(a, f), f);
    put_number(to, "calls", t->statements, f);
    put_number(to, "failed", t->failed, f);
    put_number(to, "lexical", t->unparsed, f);
    put_number(to, "beyond", t->beyond, f);
    put_number(to, "total_ns", t->total_ns, f);
    put(to, "first", time_value(t->first), f);
    put(to, "last", time_value(t->last), f);
    put(to, "templates", templates_json(a, f), f);
    put_count(to, "templates_in_all", t->ids.count, f);
    put(to, "tables", tables_json(a, f), f);
    put(to, "columns", columns_json(a, f), f);
    put(to, "column_sets", sets_json(a, f), f);
    put_count(to, "tables_refused", a->catalog.table_names.refused, f);
    put_count(to, "columns_refused", a->catalog.column_names.refused, f);
    put_count(to, "column_sets_refused", a->set_names.refused, f);
    put(to, "ahead", ahead_json(a, f), f);
    put_text(to, "why_not", a->demand ? NULL : a->why_not, f);
    put(to, "views", entries_json(a, PSH_DEMAND_VIEW, f), f);
    put(to, "zones", entries_json(a, PSH_DEMAND_ZONE, f), f);
    put(to, "history", history_json(a, f), f);
    if (f->code == EXIT_DONE)
        return to;
    json_decref(to);
    return NULL;
}
