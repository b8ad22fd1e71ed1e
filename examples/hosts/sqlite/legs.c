/* SPDX-License-Identifier: MIT */
/* Base legs as SQL: one statement over many partition tables, filter and grouping pushed down. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define TERMS 400u /* SQLite's default limit is 500 terms of a compound SELECT */

void legs_clear(sqlite_host *h) {
    size_t i;

    for (i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(h->legs[i].stmt);
        sqlite3_free(h->legs[i].sql);
        memset(&h->legs[i], 0, sizeof h->legs[i]);
    }
}

static uint64_t text_hash(const char *s) {
    uint64_t x = UINT64_C(14695981039346656037); /* FNV-1a; only finds statements, the text decides */

    for (; *s; s++)
        x = (x ^ (unsigned char)*s) * UINT64_C(1099511628211);
    return x;
}

static void append_column(sqlite3_str *s, const psh_table_spec *t, uint32_t column) {
    sqlite3_str_appendf(s, "\"%w\"", t->columns[column].name);
}

static void append_predicate(sqlite3_str *s, const psh_table_spec *t, const psh_predicate *p, int *parameter) {
    static const char *const operators[] = { "", " = ", " <> ", " < ", " <= ", " > ", " >= " };
    size_t i;

    sqlite3_str_appendall(s, " AND ");
    append_column(s, t, p->column);
    if (p->op == PSH_OP_IS_NULL || p->op == PSH_OP_NOT_NULL) {
        sqlite3_str_appendall(s, p->op == PSH_OP_IS_NULL ? " IS NULL" : " IS NOT NULL");
    } else if (p->op == PSH_OP_IN) {
        sqlite3_str_appendall(s, " IN (");
        for (i = 0; i < p->value_count; i++)
            sqlite3_str_appendf(s, "%s?%d", i ? ", " : "", ++*parameter);
        sqlite3_str_appendall(s, ")");
    } else {
        sqlite3_str_appendf(s, "%s?%d", operators[p->op], ++*parameter);
    }
}

/* WHERE time range and predicates; ?1 and ?2 are the time range, then come the predicates' values. */
static void append_where(sqlite3_str *s, const psh_query_spec *q, const psh_table_spec *t) {
    const char *predicates = (const char *)q->predicates;
    int parameter = 2;
    size_t i;

    sqlite3_str_appendall(s, " WHERE ");
    append_column(s, t, t->time_column);
    sqlite3_str_appendall(s, " >= ?1 AND ");
    append_column(s, t, t->time_column);
    sqlite3_str_appendall(s, " < ?2");
    for (i = 0; i < q->predicate_count; i++)
        append_predicate(s, t, (const psh_predicate *)(const void *)(predicates + i * q->predicate_stride), &parameter);
}

static int is_detail(const psh_query_spec *q) {
    return q->column_count > 0;
}

static void append_aggregate(sqlite3_str *s, const psh_table_spec *t, const psh_aggregate *a) {
    const char *name = a->column == PSH_NONE ? NULL : t->columns[a->column].name;

    switch (a->fn) {
    case PSH_AGG_COUNT:
        if (name)
            sqlite3_str_appendf(s, "count(\"%w\")", name);
        else
            sqlite3_str_appendall(s, "count(*)");
        break;
    case PSH_AGG_SUM:
        sqlite3_str_appendf(s, "sum(\"%w\")", name);
        break;
    case PSH_AGG_AVG:
        sqlite3_str_appendf(s, "sum(\"%w\"), count(\"%w\")", name, name);
        break;
    case PSH_AGG_MIN:
        sqlite3_str_appendf(s, "min(\"%w\")", name);
        break;
    default:
        sqlite3_str_appendf(s, "max(\"%w\")", name);
    }
}

/* Bucket start, floored also before the origin. */
static void append_bucket(sqlite3_str *s, const psh_query_spec *q, const psh_table_spec *t) {
    const char *time = t->columns[t->time_column].name;
    sqlite3_int64 b = q->bucket_ns, o = t->interval_origin % q->bucket_ns;

    sqlite3_str_appendf(s, "\"%w\" - (((\"%w\" - %lld) %% %lld + %lld) %% %lld)", time, time, o, b, b, b);
}

static void append_outputs(sqlite3_str *s, const psh_query_spec *q, const psh_table_spec *t) {
    const char *aggregates = (const char *)q->aggregates;
    const char *comma = "";
    size_t i;

    if (q->bucket_ns) {
        append_bucket(s, q, t);
        comma = ", ";
    }
    for (i = 0; i < q->group_count; i++, comma = ", ") {
        sqlite3_str_appendall(s, comma);
        append_column(s, t, q->group_columns[i]);
    }
    for (i = 0; i < q->aggregate_count; i++, comma = ", ") {
        sqlite3_str_appendall(s, comma);
        append_aggregate(s, t, (const psh_aggregate *)(const void *)(aggregates + i * q->aggregate_stride));
    }
}

/*
 * One SELECT of its own for each table: grouped by itself, it needs no sorting where the groups are a prefix of
 * the key, and the answer combines groups of several tables anyway.
 */
static void append_source(
    sqlite_host *h, sqlite3_str *s, const psh_query_spec *q, const psh_table_spec *t, const host_source *from,
    uint32_t node) {
    size_t groups = q->group_count + (q->bucket_ns ? 1 : 0), i;

    sqlite3_str_appendall(s, "SELECT ");
    if (is_detail(q)) {
        for (i = 0; i < q->column_count; i++) {
            sqlite3_str_appendall(s, i ? ", " : "");
            append_column(s, t, q->columns[i]);
        }
    } else {
        append_outputs(s, q, t);
    }
    sqlite3_str_appendall(s, " FROM ");
    sources_append_table(s, h, from->e, node);
    append_where(s, q, t);
    sources_append_clip(s, t, from);
    for (i = 0; !is_detail(q) && i < groups; i++)
        sqlite3_str_appendf(s, "%s%d", i ? ", " : " GROUP BY ", (int)i + 1);
}

static psh_status leg_sql(
    sqlite_host *h, const psh_query_spec *q, const psh_table_spec *t, uint32_t node, const host_source *sources,
    size_t n, char **out) {
    sqlite3_str *s = sqlite3_str_new(h->db);
    size_t i;

    for (i = 0; i < n; i++) {
        sqlite3_str_appendall(s, i ? " UNION ALL " : "");
        append_source(h, s, q, t, &sources[i], node);
    }
    *out = sqlite3_str_finish(s);
    return *out ? PSH_OK : host_fail(h, PSH_E_NOMEM, "no memory for a statement");
}

/* The kept statement of this text, or a new one in the place of the least used among eight. Takes sql over. */
static psh_status leg_prepare(sqlite_host *h, char *sql, sqlite3_stmt **out) {
    uint64_t hash = text_hash(sql);
    leg_statement *set = &h->legs[hash % (STATEMENTS / 8) * 8], *oldest = set;
    psh_status st;
    int i;

    h->leg_clock++;
    for (i = 0; i < 8; i++) {
        if (set[i].stmt && set[i].hash == hash && strcmp(set[i].sql, sql) == 0) {
            sqlite3_free(sql);
            set[i].used = h->leg_clock;
            *out = set[i].stmt;
            return PSH_OK;
        }
        if (set[i].used < oldest->used)
            oldest = &set[i];
    }
    st = host_prepare(h, sql, out);
    if (st != PSH_OK) {
        sqlite3_free(sql);
        return st;
    }
    sqlite3_finalize(oldest->stmt);
    sqlite3_free(oldest->sql);
    oldest->sql = sql;
    oldest->hash = hash;
    oldest->stmt = *out;
    oldest->used = h->leg_clock;
    return PSH_OK;
}

static psh_status leg_bind(sqlite_host *h, sqlite3_stmt *stmt, const psh_query_spec *q, const psh_leg *leg) {
    const char *predicates = (const char *)q->predicates;
    const psh_predicate *p;
    int parameter = 2;
    size_t i, k;
    psh_status st = PSH_OK;

    sqlite3_bind_int64(stmt, 1, leg->time_from);
    sqlite3_bind_int64(stmt, 2, leg->time_to);
    for (i = 0; i < q->predicate_count; i++) {
        p = (const psh_predicate *)(const void *)(predicates + i * q->predicate_stride);
        for (k = 0; st == PSH_OK && k < p->value_count; k++)
            st = host_bind(h, stmt, ++parameter, &p->values[k]);
    }
    return st;
}

/* The types of a partial row, in its order. @return their number, 0 when there are more than 256. */
static size_t partial_types(const psh_query *query, const psh_query_spec *q, uint32_t types[256]) {
    const char *aggregates = (const char *)q->aggregates;
    psh_output o;
    size_t i, n = 0;
    uint32_t fn;

    for (i = 0; psh_query_output(query, i, &o) == PSH_OK; i++) {
        if (n + 2 > 256)
            return 0;
        fn = o.kind != PSH_OUTPUT_AGGREGATE ? 0 :
            ((const psh_aggregate *)(const void *)(aggregates + o.index * q->aggregate_stride))->fn;
        if (fn == PSH_AGG_AVG) {
            types[n++] = PSH_TYPE_NULL; /* the summed column's: taken from SQLite below */
            types[n++] = PSH_TYPE_INT64;
        } else {
            types[n++] = o.type;
        }
    }
    return n;
}

static psh_status give_rows(
    sqlite_host *h, sqlite3_stmt *stmt, const uint32_t *types, size_t width, psh_answer *out, sqlite_cost *cost) {
    psh_value row[256];
    uint32_t type;
    psh_status st;
    size_t i;
    int rc;

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        for (i = 0; i < width; i++) {
            type = types[i];
            if (type == PSH_TYPE_NULL)
                type = sqlite3_column_type(stmt, (int)i) == SQLITE_FLOAT ? PSH_TYPE_DOUBLE : PSH_TYPE_INT64;
            host_column(stmt, (int)i, type, &row[i]);
        }
        st = psh_answer_add_partial(out, row, 1);
        if (st != PSH_OK)
            return host_fail(h, st, "the answer does not take the rows");
        cost->rows++;
    }
    return rc == SQLITE_DONE ? PSH_OK : host_error(h);
}

static psh_status run_statement(
    sqlite_host *h, const psh_query *query, const psh_query_spec *q, const psh_leg *leg, size_t first, size_t n,
    psh_answer *out, sqlite_cost *cost) {
    uint32_t types[256];
    size_t width = partial_types(query, q, types);
    psh_table_spec t;
    sqlite3_stmt *stmt;
    char *sql;
    psh_status st;

    if (!width)
        return host_fail(h, PSH_E_UNSUPPORTED, "more than 256 outputs");
    st = psh_schema_table(h->schema, q->table, &t);
    if (st == PSH_OK)
        st = leg_sql(h, q, &t, leg->node, h->sources + first, n, &sql);
    if (st == PSH_OK)
        st = leg_prepare(h, sql, &stmt);
    if (st != PSH_OK)
        return st;
    st = leg_bind(h, stmt, q, leg);
    if (st == PSH_OK)
        st = give_rows(h, stmt, types, width, out, cost);
    cost->steps += (uint64_t)sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return st;
}

psh_status sqlite_host_run_leg(
    sqlite_host *h, const psh_query *query, const psh_leg *leg, psh_answer *out, sqlite_cost *cost) {
    psh_query_spec q;
    psh_status st;
    size_t first, n;

    memset(cost, 0, sizeof *cost);
    memset(&q, 0, sizeof q);
    q.struct_size = sizeof q;
    if (leg->kind != PSH_LEG_BASE)
        return host_fail(h, PSH_E_INVALID, "not a base leg");
    st = psh_query_describe(query, &q);
    h->source_count = 0;
    for (n = 0; st == PSH_OK && n < leg->partition_count; n++)
        st = sources_of(h, leg->partitions[n]);
    if (st == PSH_E_NOT_FOUND)
        return host_fail(h, PSH_E_STALE, "a partition of the route is gone: route again");
    for (first = 0; st == PSH_OK && first < h->source_count; first += n) {
        n = h->source_count - first < TERMS ? h->source_count - first : TERMS;
        st = run_statement(h, query, &q, leg, first, n, out, cost);
    }
    return st;
}

static psh_status scan_one(
    sqlite_host *h, const psh_scan *scan, const psh_table_spec *t, const host_source *from, psh_row_sink sink,
    void *sink_user, psh_scan_result *result) {
    sqlite3_str *s = sqlite3_str_new(h->db);
    const char *time = t->columns[t->time_column].name;
    psh_value row[64];
    sqlite3_stmt *stmt = NULL;
    char *sql;
    psh_status st;
    size_t i;
    int rc = SQLITE_DONE;

    sqlite3_str_appendall(s, "SELECT * FROM ");
    sources_append_table(s, h, from->e, PSH_NONE);
    sqlite3_str_appendf(s, " WHERE \"%w\" >= ?1 AND \"%w\" < ?2", time, time);
    sources_append_clip(s, t, from);
    sql = sqlite3_str_finish(s);
    st = sql ? host_prepare(h, sql, &stmt) : host_fail(h, PSH_E_NOMEM, "no memory for a statement");
    sqlite3_free(sql);
    if (st != PSH_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, scan->time_from);
    sqlite3_bind_int64(stmt, 2, scan->time_to);
    while (st == PSH_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        for (i = 0; i < t->column_count; i++)
            host_column(stmt, (int)i, t->columns[i].type, &row[i]);
        result->rows++;
        st = sink(sink_user, row, 1);
    }
    if (st == PSH_OK && rc != SQLITE_DONE)
        st = host_error(h);
    result->work += (uint64_t)sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 0);
    sqlite3_finalize(stmt);
    return st;
}

/* No commit is open and nobody else writes, so that all statements of one scan see one position. */
psh_status storage_scan(
    void *user, const psh_scan *scan, psh_row_sink sink, void *sink_user, psh_scan_result *result) {
    sqlite_host *h = user;
    psh_table_spec t;
    psh_status st = psh_schema_table(h->schema, scan->table, &t);
    size_t i;

    if (h->session)
        return host_fail(h, PSH_E_STATE, "a scan inside an open commit");
    if (st == PSH_OK && t.column_count > 64)
        return host_fail(h, PSH_E_UNSUPPORTED, "more than 64 columns");
    if (st == PSH_OK)
        st = host_exec(h, "BEGIN");
    if (st != PSH_OK)
        return st;
    result->source = SOURCE;
    result->position = h->position;
    result->commit_time = h->commit_time;
    h->source_count = 0;
    for (i = 0; st == PSH_OK && i < scan->partition_count; i++)
        st = sources_of(h, &scan->infos[i]);
    if (st == PSH_E_NOT_FOUND)
        host_fail(h, st, "a partition to scan has no table");
    for (i = 0; st == PSH_OK && i < h->source_count; i++)
        st = scan_one(h, scan, &t, &h->sources[i], sink, sink_user, result);
    host_exec(h, "COMMIT");
    return st;
}
