/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include <string.h>

rows_place rows_of_entry(const directory_entry *e) {
    return (rows_place){ e->tier, e->name };
}

rows_place rows_of_replica(const directory_replica *r) {
    return (rows_place){ r->tier, r->name };
}

psh_status rows_run(sqlite_host *h, sqlite3_str *s) {
    char *sql = sqlite3_str_finish(s);
    psh_status st = sql ? host_exec(h, sql) : host_fail(h, PSH_E_NOMEM, "no memory for a statement");

    sqlite3_free(sql);
    return st;
}

void rows_append_place(sqlite3_str *s, rows_place p) {
    sqlite3_str_appendf(s, "%s.\"%w\"", host_schema_name(p.tier), p.name);
}

static void append_arc(sqlite3_str *s, const psh_table_spec *t, const rows_arc *a, int out) {
    if (!a->all)
        sources_append_arc(s, t, a->table, a->first, a->last, out);
}

static void append_key(sqlite3_str *s, const psh_table_spec *t, const char *after) {
    size_t i;

    for (i = 0; i < t->key_count; i++)
        sqlite3_str_appendf(s, "%s\"%w\"%s", i ? ", " : "", t->columns[t->key_columns[i]].name, after);
}

psh_status rows_insert(
    sqlite_host *h, const psh_table_spec *t, rows_place from, rows_place to, const rows_arc *a, int out,
    const char *verb) {
    sqlite3_str *s = sqlite3_str_new(h->db);

    sqlite3_str_appendf(s, "%s INTO ", verb);
    rows_append_place(s, to);
    sqlite3_str_appendall(s, " SELECT * FROM ");
    rows_append_place(s, from);
    sqlite3_str_appendall(s, " WHERE 1");
    append_arc(s, t, a, out);
    return rows_run(h, s);
}

psh_status rows_delete(sqlite_host *h, const psh_table_spec *t, rows_place from, const rows_arc *a) {
    sqlite3_str *s = sqlite3_str_new(h->db);

    sqlite3_str_appendall(s, "DELETE FROM ");
    rows_append_place(s, from);
    sqlite3_str_appendall(s, " WHERE 1");
    append_arc(s, t, a, 0);
    return rows_run(h, s);
}

/* Takes out of a copy what its source has not so: rows that were changed or removed, or are not of the arc. */
static psh_status delete_stale(
    sqlite_host *h, const psh_table_spec *t, rows_place from, rows_place to, const rows_arc *a) {
    sqlite3_str *s = sqlite3_str_new(h->db);
    const char *name;
    size_t i;

    sqlite3_str_appendall(s, "DELETE FROM ");
    rows_append_place(s, to);
    sqlite3_str_appendall(s, " AS psh_copy WHERE NOT EXISTS(SELECT 1 FROM ");
    rows_append_place(s, from);
    sqlite3_str_appendall(s, " AS psh_of WHERE 1");
    for (i = 0; i < t->column_count; i++) {
        name = t->columns[i].name;
        sqlite3_str_appendf(s, " AND psh_of.\"%w\" IS psh_copy.\"%w\"", name, name);
    }
    sqlite3_str_appendall(s, ")");
    if (!a->all) {
        sqlite3_str_appendall(s, " OR (1");
        append_arc(s, t, a, 1);
        sqlite3_str_appendall(s, ")");
    }
    return rows_run(h, s);
}

/* Makes a copy as its source is, writing only what differs. */
psh_status rows_sync(sqlite_host *h, const psh_table_spec *t, rows_place from, rows_place to, const rows_arc *a) {
    psh_status st = delete_stale(h, t, from, to, a);

    return st == PSH_OK ? rows_insert(h, t, from, to, a, 0, "INSERT OR IGNORE") : st;
}

static psh_status is_empty(sqlite_host *h, rows_place p, int *empty) {
    sqlite3_str *s = sqlite3_str_new(h->db);
    sqlite3_stmt *stmt = NULL;
    psh_status st;
    char *sql;

    sqlite3_str_appendall(s, "SELECT 1 FROM ");
    rows_append_place(s, p);
    sqlite3_str_appendall(s, " LIMIT 1");
    sql = sqlite3_str_finish(s);
    st = sql ? host_prepare(h, sql, &stmt) : host_fail(h, PSH_E_NOMEM, "no memory for a statement");
    *empty = st == PSH_OK && sqlite3_step(stmt) != SQLITE_ROW;
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return st;
}

/* Rows are copied in order of their key, so that a step goes on behind the last row of the one before it. */
static psh_status prepare_rest(
    sqlite_host *h, const psh_table_spec *t, rows_place from, rows_place to, const rows_arc *a,
    sqlite3_stmt **out) {
    sqlite3_str *s = sqlite3_str_new(h->db);
    int empty = 0;
    char *sql;
    psh_status st = is_empty(h, to, &empty);

    sqlite3_str_appendall(s, "SELECT * FROM ");
    rows_append_place(s, from);
    sqlite3_str_appendall(s, " WHERE 1");
    if (!empty) {
        sqlite3_str_appendall(s, " AND (");
        append_key(s, t, "");
        sqlite3_str_appendall(s, ") > (SELECT ");
        append_key(s, t, "");
        sqlite3_str_appendall(s, " FROM ");
        rows_append_place(s, to);
        sqlite3_str_appendall(s, " ORDER BY ");
        append_key(s, t, " DESC");
        sqlite3_str_appendall(s, " LIMIT 1)");
    }
    append_arc(s, t, a, 0);
    sqlite3_str_appendall(s, " ORDER BY ");
    append_key(s, t, "");
    sql = sqlite3_str_finish(s);
    if (st == PSH_OK)
        st = sql ? host_prepare(h, sql, out) : host_fail(h, PSH_E_NOMEM, "no memory for a statement");
    sqlite3_free(sql);
    return st;
}

static psh_status prepare_take(sqlite_host *h, const psh_table_spec *t, rows_place to, sqlite3_stmt **out) {
    sqlite3_str *s = sqlite3_str_new(h->db);
    psh_status st;
    char *sql;
    size_t i;

    sqlite3_str_appendall(s, "INSERT OR REPLACE INTO ");
    rows_append_place(s, to);
    for (i = 0; i < t->column_count; i++)
        sqlite3_str_appendall(s, i ? ", ?" : " VALUES(?");
    sqlite3_str_appendall(s, ")");
    sql = sqlite3_str_finish(s);
    st = sql ? host_prepare(h, sql, out) : host_fail(h, PSH_E_NOMEM, "no memory for a statement");
    sqlite3_free(sql);
    return st;
}

/* As the memory host counts them: eight bytes a column, and those of texts. */
static uint64_t row_bytes(sqlite3_stmt *row, size_t columns) {
    uint64_t bytes = 8 * columns;
    int type;
    size_t i;

    for (i = 0; i < columns; i++) {
        type = sqlite3_column_type(row, (int)i);
        if (type == SQLITE_TEXT || type == SQLITE_BLOB)
            bytes += (uint64_t)sqlite3_column_bytes(row, (int)i);
    }
    return bytes;
}

static psh_status take_row(sqlite_host *h, sqlite3_stmt *row, sqlite3_stmt *take, size_t columns) {
    psh_status st;
    size_t i;

    for (i = 0; i < columns; i++)
        sqlite3_bind_value(take, (int)i + 1, sqlite3_column_value(row, (int)i));
    st = sqlite3_step(take) == SQLITE_DONE ? PSH_OK : host_error(h);
    sqlite3_reset(take);
    return st;
}

/* One step: the next rows that fit into `limit` bytes. */
psh_status rows_copy_some(
    sqlite_host *h, const psh_table_spec *t, rows_place from, rows_place to, const rows_arc *a, double limit) {
    sqlite3_stmt *row = NULL, *take = NULL;
    psh_status st = prepare_rest(h, t, from, to, a, &row);
    uint64_t left = limit >= 0x1p63 ? UINT64_MAX : (uint64_t)limit, bytes;
    int rc = SQLITE_DONE;

    if (st == PSH_OK)
        st = prepare_take(h, t, to, &take);
    while (st == PSH_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        bytes = row_bytes(row, t->column_count);
        if (bytes > left)
            break;
        left -= bytes;
        st = take_row(h, row, take, t->column_count);
    }
    if (st == PSH_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
        st = host_error(h);
    sqlite3_finalize(row);
    sqlite3_finalize(take);
    return st;
}

psh_status rows_table_of(sqlite_host *h, uint32_t table, psh_table_spec *t) {
    psh_status st = psh_schema_table(h->schema, table, t);

    return st == PSH_OK ? st : host_fail(h, st, "the schema has no such table");
}

/* Sets name and tier of a partition's table. */
psh_status rows_rename_entry(sqlite_host *h, uint64_t id, uint32_t tier, const char *name) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "UPDATE psh_partitions SET tier = ?2, name = ?3 WHERE id = ?1", &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id);
    sqlite3_bind_int(stmt, 2, tier ? 1 : 0);
    sqlite3_bind_text(stmt, 3, name, -1, SQLITE_STATIC);
    return host_finish(h, stmt);
}

psh_status rows_set_place(
    sqlite_host *h, const directory_entry *e, uint32_t node, int64_t interval, uint64_t last) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "INSERT OR REPLACE INTO psh_places VALUES(?1, ?2, 1, ?3, ?4, ?5)", &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)e->id);
    sqlite3_bind_int64(stmt, 2, node);
    sqlite3_bind_int64(stmt, 3, interval);
    sqlite3_bind_int64(stmt, 4, (sqlite3_int64)e->arc_first);
    sqlite3_bind_int64(stmt, 5, (sqlite3_int64)last);
    return host_finish(h, stmt);
}

psh_status rows_drop_table(sqlite_host *h, rows_place p) {
    sqlite3_str *s = sqlite3_str_new(h->db);

    if (p.tier) {
        sqlite3_free(sqlite3_str_finish(s));
        return PSH_OK; /* it goes as an orphan, once main does not name it */
    }
    sqlite3_str_appendall(s, "DROP TABLE IF EXISTS ");
    rows_append_place(s, p);
    return rows_run(h, s);
}
