/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "report_data.h"

#define TEXT_WIDE 110

const char *access_name(uint32_t access) {
    static const char *const accesses[] = { "unknown", "point", "range", "scan" };

    return accesses[access <= PSH_ACCESS_SCAN ? access : 0];
}

static void time_text(double ns, char out[24]) {
    if (ns < 0 || isnan(ns))
        strcpy(out, "-");
    else if (ns < 1e6)
        snprintf(out, 24, "%.3g us", ns * 1e-3);
    else if (ns < 1e9)
        snprintf(out, 24, "%.4g ms", ns * 1e-6);
    else if (ns < 3600e9)
        snprintf(out, 24, "%.4g s", ns * 1e-9);
    else
        snprintf(out, 24, "%.3g h", ns / 3600e9);
}

static void mean_text(double sum, double count, char out[24]) {
    if (count > 0)
        snprintf(out, 24, "%.4g", sum / count);
    else
        strcpy(out, "-");
}

/* One line, cut where it is long. */
static void print_text(const char *s, FILE *to) {
    int n = 0, blank = 0;

    for (; *s && n < TEXT_WIDE; s++) {
        if (strchr(" \t\r\n", *s)) {
            blank = n > 0;
            continue;
        }
        if (blank)
            fputc(' ', to), n++;
        blank = 0;
        fputc((unsigned char)*s < 32 ? '?' : *s, to);
        n += ((unsigned char)*s & 0xc0) != 0x80;
    }
    fputs(*s ? "...\n" : "\n", to);
}

static void print_sources(const analysis *a, FILE *to) {
    const templates *t = &a->templates;
    char first[CLOCK_TEXT] = "no times", last[CLOCK_TEXT] = "";
    size_t i;

    for (i = 0; i < a->options.input_count; i++) {
        const source *s = &a->sources[i];

        fprintf(to, "%s: %s, %" PRIu64 " statements", s->path, format_name(s->format), s->statements);
        if (s->skipped)
            fprintf(to, ", %" PRIu64 " damaged records skipped", s->skipped);
        fprintf(to, "%s\n", s->odd_zone ? "; times with a zone by name are read as UTC" : "");
    }
    if (t->first != PSH_TIME_NONE) {
        clock_text(t->first, first);
        clock_text(t->last, last);
    }
    fprintf(to, "%.0f calls%s, %" PRIu32 " templates, %.0f failed, %.0f parsed only by tokens; %s%s%s\n",
        t->statements,
        t->weight > 1 ? " (weighted by the sample rate)" : "", t->ids.count, t->failed, t->unparsed, first, *last
        ? " to " : "", last);
    if (t->beyond > 0)
        fprintf(to, "%.0f calls of templates beyond the first %d are in no list below\n", t->beyond,
            MOST_TEMPLATES);
}

/* What found no room: how often it was named, not how many there were. */
static void print_refused(const analysis *a, FILE *to) {
    const catalog *c = &a->catalog;

    if (c->table_names.refused)
        fprintf(to, "tables beyond the first %d were named %" PRIu32 " times\n", MOST_TABLES,
            c->table_names.refused);
    if (c->column_names.refused)
        fprintf(to, "columns beyond the first %d were named %" PRIu32 " times\n", MOST_COLUMNS,
            c->column_names.refused);
    if (a->set_names.refused)
        fprintf(to, "%" PRIu32 " templates use column sets beyond those kept\n", a->set_names.refused);
}

static void print_template(const analysis *a, uint32_t place, FILE *to) {
    const template *x = &a->templates.list[a->rank[place]];
    char total[24], mean[24], rows[24], bytes[24], ahead[32] = "-";

    time_text(x->timed > 0 ? x->total_ns : -1, total);
    time_text(x->timed > 0 ? x->total_ns / x->timed : -1, mean);
    mean_text(x->rows, x->counted, rows);
    mean_text(x->bytes, x->sized, bytes);
    if (!isnan(x->expected))
        snprintf(ahead, sizeof ahead, "%.4g%s", x->expected, x->reason == PSH_REASON_SHORT ? "?" : "");
    fprintf(to, "%4" PRIu32 " %10.6g %9s %9s %9s %9s %9s  %-7s %s\n     ", place + 1, x->calls, total, mean, rows,
        bytes, ahead,
        x->why ? "lexical" : "parsed", x->id);
    print_text(x->text, to);
    if (x->why)
        fprintf(to, "     not parsed: %s\n", x->why);
    else if (x->form_why[0] && x->kind == STATEMENT_SELECT)
        fprintf(to, "     no view: %s\n", x->form_why);
    if (x->failed > 0)
        fprintf(to, "     failed: %.6g\n", x->failed);
}

static void print_templates(const analysis *a, FILE *to) {
    uint32_t i, n = a->templates.ids.count;

    fprintf(to, "\nTemplates by total time; rows and bytes are means; ahead: calls expected in the window, with ?\n"
                "where the history is shorter than a season\n");
    fprintf(to, "%4s %10s %9s %9s %9s %9s %9s  %-7s %s\n", "", "calls", "total", "mean", "rows", "bytes", "ahead",
        "how", "id");
    for (i = 0; i < n && i < a->options.top; i++)
        print_template(a, i, to);
    if (n > a->options.top)
        fprintf(to, "     and %" PRIu32 " more (--top)\n", n - a->options.top);
}

/* The next of the numbers 0..n-1 by a weight, none twice. */
static uint32_t heaviest(const double *weight, const uint8_t *taken, uint32_t n) {
    uint32_t i, best = NAMES_NONE;

    for (i = 0; i < n; i++)
        if (!taken[i] && weight[i] > 0 && (best == NAMES_NONE || weight[i] > weight[best]))
            best = i;
    return best;
}

typedef void print_one(const analysis *a, uint32_t i, FILE *to);

static void print_ranked(const analysis *a, const double *weight, uint32_t n, print_one *print, FILE *to) {
    uint8_t *taken = calloc(n + 1, 1);
    uint32_t i, shown;

    for (shown = 0; taken && shown < a->options.top && (i = heaviest(weight, taken, n)) != NAMES_NONE; shown++) {
        taken[i] = 1;
        print(a, i, to);
    }
    if (shown == 0)
        fprintf(to, "  none\n");
    free(taken);
}

static void print_table(const analysis *a, uint32_t i, FILE *to) {
    const table_entry *t = &a->catalog.tables[i];
    char total[24];

    time_text(t->total_ns, total);
    fprintf(to, "  %-32.60s %10.6g %10.6g %9s  %s\n", t->name, t->reads, t->writes, total,
        t->time_column == NAMES_NONE ? "none (--time-column)" : a->catalog.columns[t->time_column].name);
}

static void print_column(const analysis *a, uint32_t i, FILE *to) {
    const column_entry *c = &a->catalog.columns[i];
    char name[200];

    snprintf(name, sizeof name, "%.80s.%.100s", a->catalog.tables[c->table].name, c->name);
    fprintf(to, "  %-40s %-9s %9.5g %9.5g %9.5g %9.5g %9.5g\n", name, catalog_type_name(c->type), c->output,
        c->filter, c->group,
        c->order, c->join);
}

static void print_catalog(const analysis *a, FILE *to) {
    const catalog *c = &a->catalog;
    uint32_t n = c->column_names.count, m = c->table_names.count, i;
    double *weight = calloc((size_t)n + m + 1, sizeof *weight);

    if (!weight)
        return;
    for (i = 0; i < m; i++)
        weight[i] = c->tables[i].reads + c->tables[i].writes;
    fprintf(to, "\nTables\n  %-32s %10s %10s %9s  %s\n", "", "reads", "writes", "time", "time column");
    print_ranked(a, weight, m, print_table, to);
    for (i = 0; i < n; i++)
        weight[i] = c->columns[i].output + c->columns[i].order
            + 2 * (c->columns[i].filter + c->columns[i].group + c->columns[i].join);
    fprintf(to, "\nColumns, calls by role\n  %-40s %-9s %9s %9s %9s %9s %9s\n", "", "type", "output", "filter",
        "grouping", "ordering", "join");
    print_ranked(a, weight, n, print_column, to);
    free(weight);
}

typedef struct counted {
    char name[240];
    double calls;
} counted;

static int by_calls(const void *a, const void *b) {
    const counted *x = a, *y = b;

    if (x->calls != y->calls)
        return x->calls > y->calls ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void name_use(const analysis *a, const template *x, uint32_t role, uint32_t k, char out[240]) {
    const column_entry *c = &a->catalog.columns[x->uses[k].column];

    if (role == ROLE_FILTER)
        snprintf(out, 240, "%.60s.%.100s %s", a->catalog.tables[c->table].name, c->name, op_name(x->uses[k].op));
    else
        snprintf(out + strlen(out), 240 - strlen(out), "%s%.60s.%.40s", *out ? ", " : "",
        a->catalog.tables[c->table].name, c->name);
}

static void add_counted(names *n, counted *list, const char *name, double calls) {
    uint32_t i = names_add(n, name);

    if (i == NAMES_NONE)
        return;
    snprintf(list[i].name, sizeof list[i].name, "%s", name);
    list[i].calls += calls;
}

/* Filters one by one, groupings as a whole. */
static void count_roles(const analysis *a, uint32_t role, names *n, counted *list) {
    uint32_t i, k;
    char name[240];

    for (i = 0; i < a->templates.ids.count; i++) {
        const template *x = &a->templates.list[i];

        name[0] = 0;
        for (k = 0; k < x->use_count; k++) {
            if (x->uses[k].role != role)
                continue;
            name_use(a, x, role, k, name);
            if (role == ROLE_FILTER)
                add_counted(n, list, name, x->calls);
        }
        if (role != ROLE_FILTER && name[0])
            add_counted(n, list, name, x->calls);
    }
}

static void print_roles(const analysis *a, const char *title, uint32_t role, FILE *to) {
    names n = { .most = 8192 };
    counted *list = calloc(n.most, sizeof *list);
    uint32_t i;

    fprintf(to, "\n%s\n", title);
    if (list) {
        count_roles(a, role, &n, list);
        qsort(list, n.count, sizeof *list, by_calls);
        for (i = 0; i < n.count && i < a->options.top; i++)
            fprintf(to, "  %10.6g  %s\n", list[i].calls, list[i].name);
        if (n.count == 0)
            fprintf(to, "  none\n");
    }
    names_free(&n);
    free(list);
}

static void print_sets(const analysis *a, FILE *to) {
    uint32_t i;
    char total[24];

    fprintf(to, "\nColumns used together\n");
    for (i = 0; i < a->set_count && i < a->options.top; i++) {
        time_text(a->sets[i].total_ns, total);
        fprintf(to, "  %10.6g %9s  %.150s\n", a->sets[i].calls, total, a->sets[i].name);
    }
    if (a->set_count == 0)
        fprintf(to, "  none\n");
}

static void print_definition(const analysis *a, psh_query *q, FILE *to) {
    psh_buffer *text;
    const char *s;

    if (psh_buffer_create(a->env, &text) != PSH_OK)
        return;
    psh_query_dump(q, text);
    s = psh_buffer_data(text);
    fprintf(to, "%.*s\n", (int)strcspn(s, "\n"), s);
    psh_buffer_destroy(text);
}

static void print_view(const analysis *a, const psh_demand_entry *e, FILE *to) {
    char reach[CLOCK_TEXT] = "-";

    if (e->reach_ns > 0)
        clock_duration_text(e->reach_ns, reach);
    fprintf(to, "  %9.4g %9.4g %10.2f  %-7s %-12s %-24s ", e->count, e->upper, e->confidence,
        access_name(e->access), reach,
        psh_reason_text(e->reason));
    print_definition(a, e->definition, to);
}

static void print_zone(const analysis *a, const psh_demand_entry *e, FILE *to) {
    const char *label = ahead_label(a, e->subject.id);
    const char *table = e->table < a->catalog.table_names.count ? a->catalog.tables[e->table].name
        : "other statements";

    fprintf(to, "  %9.4g %9.4g %10.2f  %s, %s\n", e->count, e->upper, e->confidence, label ? label : "a tenant",
        table);
}

static void print_entries(const analysis *a, uint32_t kind, FILE *to) {
    psh_demand_entry e;
    size_t i, n = 0;

    for (i = 0; i < psh_demand_count(a->demand); i++) {
        if (psh_demand_get(a->demand, i, &e) != PSH_OK || e.kind != kind)
            continue;
        n++;
        if (kind == PSH_DEMAND_VIEW)
            print_view(a, &e, to);
        else
            print_zone(a, &e, to);
    }
    if (n == 0)
        fprintf(to, "  none\n");
}

static void print_ahead(const analysis *a, FILE *to) {
    char now[CLOCK_TEXT], window[CLOCK_TEXT], bucket[CLOCK_TEXT];

    if (!a->demand) {
        fprintf(to, "\nAhead: %s\n", a->why_not);
        return;
    }
    clock_text(a->now, now);
    clock_duration_text(a->window_ns, window);
    clock_duration_text(a->bucket_ns, bucket);
    fprintf(to, "\nAhead: %s from %s, in buckets of %s, seasons of %" PRIu32 " and %" PRIu32 " buckets\n", window,
        now, bucket,
        a->season[0], a->season[1]);
    fprintf(to, "The forecaster took %.0f calls, %.0f of them as queries of its own form", a->observed, a->fitting);
    if (a->refused > 0)
        fprintf(to, "; refused %.0f", a->refused);
    if (a->stats.shed)
        fprintf(to, "; at its bounds %" PRIu64 " times", a->stats.shed);
    fprintf(to, a->later > 0 ? "; %.0f at or after --now left out\n" : "\n", a->later);
    fprintf(to, "\nPredicted views\n  %9s %9s %10s  %-7s %-12s %-24s %s\n", "requests", "95 %", "confidence",
        "access", "looks back",
        "remark", "definition");
    print_entries(a, PSH_DEMAND_VIEW, to);
    fprintf(to, "\nHot zones: labels expected far above their usual load\n  %9s %9s %10s  %s\n", "requests", "95 %",
        "confidence", "label, table");
    print_entries(a, PSH_DEMAND_ZONE, to);
}

void print_analysis(const analysis *a, FILE *to) {
    print_sources(a, to);
    print_refused(a, to);
    print_templates(a, to);
    print_catalog(a, to);
    print_roles(a, "Filters", ROLE_FILTER, to);
    print_roles(a, "Groupings", ROLE_GROUP, to);
    print_sets(a, to);
    print_ahead(a, to);
}
