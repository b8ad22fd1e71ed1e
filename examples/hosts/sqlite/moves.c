/* SPDX-License-Identifier: MIT */
/*
 * Splits, merges and replicas. What main holds changes in one commit of main, directory and rows together. What the
 * archive holds is built there beside the old, committed, and becomes visible when main's directory names it.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* A table of either file. */
typedef struct place {
    uint32_t tier;
    const char *name;
} place;

/* The rows of an arc; all of them with `all`. */
typedef struct arc {
    uint32_t table;
    int all;
    uint64_t first;
    uint64_t last;
} arc;

static place of_entry(const directory_entry *e) {
    return (place){ e->tier, e->name };
}

static place of_replica(const directory_replica *r) {
    return (place){ r->tier, r->name };
}

int moves_is_move(uint32_t kind) {
    return kind >= PSH_ACT_SPLIT_PARTITION && kind <= PSH_ACT_RELEASE_NODE;
}

static psh_status run(sqlite_host *h, sqlite3_str *s) {
    char *sql = sqlite3_str_finish(s);
    psh_status st = sql ? host_exec(h, sql) : host_fail(h, PSH_E_NOMEM, "no memory for a statement");

    sqlite3_free(sql);
    return st;
}

static void append_place(sqlite3_str *s, place p) {
    sqlite3_str_appendf(s, "%s.\"%w\"", host_schema_name(p.tier), p.name);
}

static void append_arc(sqlite3_str *s, const psh_table_spec *t, const arc *a, int out) {
    if (!a->all)
        sources_append_arc(s, t, a->table, a->first, a->last, out);
}

static void append_key(sqlite3_str *s, const psh_table_spec *t, const char *after) {
    size_t i;

    for (i = 0; i < t->key_count; i++)
        sqlite3_str_appendf(s, "%s\"%w\"%s", i ? ", " : "", t->columns[t->key_columns[i]].name, after);
}

static psh_status insert_rows(
    sqlite_host *h, const psh_table_spec *t, place from, place to, const arc *a, int out, const char *verb) {
    sqlite3_str *s = sqlite3_str_new(h->db);

    sqlite3_str_appendf(s, "%s INTO ", verb);
    append_place(s, to);
    sqlite3_str_appendall(s, " SELECT * FROM ");
    append_place(s, from);
    sqlite3_str_appendall(s, " WHERE 1");
    append_arc(s, t, a, out);
    return run(h, s);
}

static psh_status delete_arc(sqlite_host *h, const psh_table_spec *t, place from, const arc *a) {
    sqlite3_str *s = sqlite3_str_new(h->db);

    sqlite3_str_appendall(s, "DELETE FROM ");
    append_place(s, from);
    sqlite3_str_appendall(s, " WHERE 1");
    append_arc(s, t, a, 0);
    return run(h, s);
}

/* Takes out of a copy what its source does not have so: rows that were changed or removed, or are not of the arc. */
static psh_status delete_stale(sqlite_host *h, const psh_table_spec *t, place from, place to, const arc *a) {
    sqlite3_str *s = sqlite3_str_new(h->db);
    const char *name;
    size_t i;

    sqlite3_str_appendall(s, "DELETE FROM ");
    append_place(s, to);
    sqlite3_str_appendall(s, " AS psh_copy WHERE NOT EXISTS(SELECT 1 FROM ");
    append_place(s, from);
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
    return run(h, s);
}

/* Makes a copy as its source is, writing only what differs. */
static psh_status sync_rows(sqlite_host *h, const psh_table_spec *t, place from, place to, const arc *a) {
    psh_status st = delete_stale(h, t, from, to, a);

    return st == PSH_OK ? insert_rows(h, t, from, to, a, 0, "INSERT OR IGNORE") : st;
}

static psh_status is_empty(sqlite_host *h, place p, int *empty) {
    sqlite3_str *s = sqlite3_str_new(h->db);
    sqlite3_stmt *stmt = NULL;
    psh_status st;
    char *sql;

    sqlite3_str_appendall(s, "SELECT 1 FROM ");
    append_place(s, p);
    sqlite3_str_appendall(s, " LIMIT 1");
    sql = sqlite3_str_finish(s);
    st = sql ? host_prepare(h, sql, &stmt) : host_fail(h, PSH_E_NOMEM, "no memory for a statement");
    *empty = st == PSH_OK && sqlite3_step(stmt) != SQLITE_ROW;
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return st;
}

/* Rows are copied in order of their key, so that a step goes on behind the last row that the one before it copied. */
static psh_status prepare_rest(
    sqlite_host *h, const psh_table_spec *t, place from, place to, const arc *a, sqlite3_stmt **out) {
    sqlite3_str *s = sqlite3_str_new(h->db);
    int empty = 0;
    char *sql;
    psh_status st = is_empty(h, to, &empty);

    sqlite3_str_appendall(s, "SELECT * FROM ");
    append_place(s, from);
    sqlite3_str_appendall(s, " WHERE 1");
    if (!empty) {
        sqlite3_str_appendall(s, " AND (");
        append_key(s, t, "");
        sqlite3_str_appendall(s, ") > (SELECT ");
        append_key(s, t, "");
        sqlite3_str_appendall(s, " FROM ");
        append_place(s, to);
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

static psh_status prepare_take(sqlite_host *h, const psh_table_spec *t, place to, sqlite3_stmt **out) {
    sqlite3_str *s = sqlite3_str_new(h->db);
    psh_status st;
    char *sql;
    size_t i;

    sqlite3_str_appendall(s, "INSERT OR REPLACE INTO ");
    append_place(s, to);
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
static psh_status copy_some(
    sqlite_host *h, const psh_table_spec *t, place from, place to, const arc *a, double limit) {
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

static psh_status table_of(sqlite_host *h, uint32_t table, psh_table_spec *t) {
    psh_status st = psh_schema_table(h->schema, table, t);

    return st == PSH_OK ? st : host_fail(h, st, "the schema has no such table");
}

/* Sets name and tier of a partition's table. */
static psh_status rename_entry(sqlite_host *h, uint64_t id, uint32_t tier, const char *name) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "UPDATE psh_partitions SET tier = ?2, name = ?3 WHERE id = ?1", &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id);
    sqlite3_bind_int(stmt, 2, tier ? 1 : 0);
    sqlite3_bind_text(stmt, 3, name, -1, SQLITE_STATIC);
    return host_finish(h, stmt);
}

static psh_status set_place(sqlite_host *h, const directory_entry *e, uint32_t node, int64_t interval, uint64_t last) {
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

/* A table in the archive is not changed but made anew, under the other of two names. */
static void other_name(const char *name, char out[NAME_SIZE]) {
    size_t n = strlen(name);

    if (n > 2 && strcmp(name + n - 2, "_b") == 0)
        snprintf(out, NAME_SIZE, "%.*s", (int)(n - 2), name);
    else
        snprintf(out, NAME_SIZE, "%.*s_b", NAME_SIZE - 3, name);
}

static int name_is_taken(const sqlite_host *h, const char *name) {
    size_t i;

    for (i = 0; i < h->directory_count; i++)
        if (strcmp(h->directory[i].name, name) == 0)
            return 1;
    for (i = 0; i < h->replica_count; i++)
        if (strcmp(h->replicas[i].name, name) == 0)
            return 1;
    return 0;
}

static void replica_name(const sqlite_host *h, const char *base, uint32_t node, char out[NAME_SIZE]) {
    snprintf(out, NAME_SIZE, "%.*s_r%u", NAME_SIZE - 40, base, (unsigned)node);
    while (name_is_taken(h, out) && strlen(out) < NAME_SIZE - 2)
        strcat(out, "_");
}

static psh_status drop_table(sqlite_host *h, place p) {
    sqlite3_str *s = sqlite3_str_new(h->db);

    if (p.tier) {
        sqlite3_free(sqlite3_str_finish(s));
        return PSH_OK; /* it goes as an orphan, once main does not name it */
    }
    sqlite3_str_appendall(s, "DROP TABLE IF EXISTS ");
    append_place(s, p);
    return run(h, s);
}

psh_status moves_drop_replicas(sqlite_host *h, uint64_t id) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < h->replica_count; i++)
        if (h->replicas[i].id == id)
            st = drop_table(h, of_replica(&h->replicas[i]));
    return st == PSH_OK ? directory_exec_id(h, "DELETE FROM psh_replicas WHERE id = ?1", id) : st;
}

/* ---- splits ---- */

/* @return PSH_OK, PSH_END (done before), an error */
static psh_status check_split(
    sqlite_host *h, const psh_action *a, directory_entry **child, directory_entry **parent) {
    *child = directory_find(h, a->want.subject);
    *parent = directory_find(h, a->want.source);
    if (*child && (*child)->holds)
        return PSH_END;
    if (!*child || !*parent)
        return host_fail(h, PSH_E_NOT_FOUND, "a split without its shadow or its parent");
    if (!(*parent)->holds || (*child)->arc_first <= (*parent)->arc_first ||
        ((*parent)->known && (*child)->arc_last != (*parent)->arc_last))
        return host_fail(h, PSH_E_STATE, "a split takes the end of its parent's arc");
    return PSH_OK;
}

static arc arc_of(const directory_entry *e) {
    return (arc){ e->table, 0, e->arc_first, e->arc_last };
}

/* What stays of a parent in the archive, under its other name. */
static psh_status rebuild_parent(sqlite_host *h, const psh_table_spec *t, const directory_entry *parent, const arc *a) {
    char name[NAME_SIZE];
    place rest = { 1, name };
    arc all = { .table = parent->table, .all = 1 };
    psh_status st;

    other_name(parent->name, name);
    st = directory_create_table(h, 1, parent->table, name);
    if (st == PSH_OK)
        st = delete_arc(h, t, rest, &all);
    return st == PSH_OK ? insert_rows(h, t, of_entry(parent), rest, a, 1, "INSERT") : st;
}

static psh_status prepare_split(sqlite_host *h, const psh_action *a) {
    directory_entry *child, *parent;
    psh_status st = check_split(h, a, &child, &parent);
    psh_table_spec t;
    arc moved;

    if (st != PSH_OK || a->want.step < a->want.steps || (!child->tier && !parent->tier))
        return st == PSH_END ? PSH_OK : st;
    moved = arc_of(child);
    st = table_of(h, child->table, &t);
    if (st == PSH_OK)
        st = sync_rows(h, &t, of_entry(parent), of_entry(child), &moved);
    return st == PSH_OK && parent->tier ? rebuild_parent(h, &t, parent, &moved) : st;
}

static psh_status switch_split(sqlite_host *h, const psh_action *a) {
    directory_entry *child, *parent;
    psh_status st = check_split(h, a, &child, &parent);
    char name[NAME_SIZE];
    psh_table_spec t;
    arc moved;

    if (st != PSH_OK)
        return st == PSH_END ? PSH_OK : st;
    moved = arc_of(child);
    st = table_of(h, child->table, &t);
    if (st == PSH_OK && a->want.step < a->want.steps)
        return copy_some(h, &t, of_entry(parent), of_entry(child), &moved, a->want.resources.bytes);
    if (st == PSH_OK && !child->tier && !parent->tier)
        st = sync_rows(h, &t, of_entry(parent), of_entry(child), &moved);
    other_name(parent->name, name);
    if (st == PSH_OK)
        st = parent->tier ? rename_entry(h, parent->id, 1, name) : delete_arc(h, &t, of_entry(parent), &moved);
    if (st == PSH_OK)
        st = set_place(h, parent, parent->node, child->interval, child->arc_first - 1);
    return st == PSH_OK ? set_place(h, child, child->node, child->interval, child->arc_last) : st;
}

/* ---- merges ---- */

static psh_status check_merge(
    sqlite_host *h, const psh_action *a, directory_entry **left, directory_entry **right) {
    *left = directory_find(h, a->want.subject);
    *right = directory_find(h, a->want.source);
    if (!*left)
        return host_fail(h, PSH_E_NOT_FOUND, "a merge into a partition without table");
    if (!*right)
        return PSH_END;
    if (!(*left)->known || !(*left)->holds || !(*right)->holds || (*left)->table != (*right)->table ||
        (*left)->interval != (*right)->interval || (*left)->arc_last + 1 != (*right)->arc_first ||
        !(*right)->arc_first)
        return host_fail(h, PSH_E_STATE, "a merge is of two neighbours that hold their rows");
    return PSH_OK;
}

static psh_status prepare_merge(sqlite_host *h, const psh_action *a) {
    directory_entry *left, *right;
    psh_status st = check_merge(h, a, &left, &right);
    char name[NAME_SIZE];
    place both = { 1, name };
    psh_table_spec t;
    arc all = { .all = 1 };

    if (st != PSH_OK || !left->tier)
        return st == PSH_END ? PSH_OK : st;
    other_name(left->name, name);
    st = table_of(h, left->table, &t);
    if (st == PSH_OK)
        st = directory_create_table(h, 1, left->table, name);
    if (st == PSH_OK)
        st = delete_arc(h, &t, both, &all);
    if (st == PSH_OK)
        st = insert_rows(h, &t, of_entry(left), both, &all, 0, "INSERT");
    return st == PSH_OK ? insert_rows(h, &t, of_entry(right), both, &all, 0, "INSERT") : st;
}

static psh_status switch_merge(sqlite_host *h, const psh_action *a) {
    directory_entry *left, *right;
    psh_status st = check_merge(h, a, &left, &right);
    char name[NAME_SIZE];
    psh_table_spec t;
    arc all = { .all = 1 };

    if (st != PSH_OK)
        return st == PSH_END ? PSH_OK : st;
    other_name(left->name, name);
    st = table_of(h, left->table, &t);
    if (st == PSH_OK)
        st = left->tier ? rename_entry(h, left->id, 1, name) :
                          insert_rows(h, &t, of_entry(right), of_entry(left), &all, 0, "INSERT");
    if (st == PSH_OK)
        st = drop_table(h, of_entry(right));
    if (st == PSH_OK)
        st = moves_drop_replicas(h, right->id);
    if (st == PSH_OK)
        st = directory_exec_id(h, "DELETE FROM psh_partitions WHERE id = ?1", right->id);
    if (st == PSH_OK)
        st = directory_exec_id(h, "DELETE FROM psh_places WHERE id = ?1", right->id);
    return st == PSH_OK ? set_place(h, left, left->node, left->interval, right->arc_last) : st;
}

/* ---- replicas ---- */

static psh_status put_replica(
    sqlite_host *h, uint64_t id, uint32_t node, uint32_t tier, int ready, const char *name) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "INSERT OR REPLACE INTO psh_replicas VALUES(?1, ?2, ?3, ?4, ?5)", &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id);
    sqlite3_bind_int64(stmt, 2, node);
    sqlite3_bind_int(stmt, 3, tier ? 1 : 0);
    sqlite3_bind_int(stmt, 4, ready);
    sqlite3_bind_text(stmt, 5, name, -1, SQLITE_STATIC);
    return host_finish(h, stmt);
}

static psh_status remove_replica(sqlite_host *h, uint64_t id, uint32_t node) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "DELETE FROM psh_replicas WHERE id = ?1 AND node = ?2", &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id);
    sqlite3_bind_int64(stmt, 2, node);
    return host_finish(h, stmt);
}

static psh_status replicate(sqlite_host *h, const psh_action *a) {
    const directory_entry *e = directory_find(h, a->want.subject);
    const directory_replica *r = directory_find_replica(h, a->want.subject, a->want.node);
    uint32_t tier = r ? r->tier : a->want.tier ? 1 : 0;
    char name[NAME_SIZE];
    place to = { tier, r ? r->name : name };
    arc all = { .all = 1 };
    psh_table_spec t;
    psh_status st;

    if (!e)
        return host_fail(h, PSH_E_NOT_FOUND, "nothing to copy: the partition has no table");
    if (!e->holds)
        return host_fail(h, PSH_E_STATE, "a shadow has nothing to copy");
    if ((e->known && e->node == a->want.node) || (r && r->ready))
        return PSH_OK;
    if (!r)
        replica_name(h, a->name, a->want.node, name);
    st = table_of(h, e->table, &t);
    if (st == PSH_OK)
        st = directory_create_table(h, tier, e->table, to.name);
    if (st == PSH_OK && a->want.step < a->want.steps)
        st = copy_some(h, &t, of_entry(e), to, &all, a->want.resources.bytes);
    else if (st == PSH_OK)
        st = sync_rows(h, &t, of_entry(e), to, &all);
    return st == PSH_OK ? put_replica(h, e->id, a->want.node, tier, a->want.step >= a->want.steps, to.name) : st;
}

static psh_status rename_table(sqlite_host *h, const char *from, const char *to) {
    sqlite3_str *s = sqlite3_str_new(h->db);

    sqlite3_str_appendf(s, "ALTER TABLE main.\"%w\" RENAME TO \"%w\"", from, to);
    return run(h, s);
}

static psh_status drop_triggers(sqlite_host *h, const directory_replica *r) {
    static const char kinds[] = "iud";
    sqlite3_str *s = sqlite3_str_new(h->db);
    size_t i;

    for (i = 0; i < 3; i++)
        sqlite3_str_appendf(
            s, "DROP TRIGGER IF EXISTS temp.psh_%c_%016llx_%u;", kinds[i], (sqlite3_uint64)r->id, (unsigned)r->node);
    return run(h, s);
}

/* In main the owner keeps the partition's name, for the application's SQL; else only the directory changes. */
static psh_status promote(sqlite_host *h, const psh_action *a) {
    const directory_entry *e = directory_find(h, a->want.subject);
    const directory_replica *r = directory_find_replica(h, a->want.subject, a->want.node);
    char old[NAME_SIZE];
    int renames;
    psh_status st = PSH_OK;

    if (!e)
        return host_fail(h, PSH_E_NOT_FOUND, "the partition has no table");
    if (e->known && e->node == a->want.node)
        return PSH_OK;
    if (!r || !r->ready)
        return host_fail(h, PSH_E_STATE, "there is no ready replica to promote");
    renames = !e->tier && !r->tier;
    if (renames)
        replica_name(h, e->name, e->node, old);
    else
        snprintf(old, sizeof old, "%s", e->name);
    if (renames && (st = drop_triggers(h, r)) == PSH_OK)
        st = rename_table(h, e->name, old);
    if (renames && st == PSH_OK)
        st = rename_table(h, r->name, e->name);
    if (!renames)
        st = rename_entry(h, e->id, r->tier, r->name);
    if (st == PSH_OK)
        st = remove_replica(h, e->id, r->node);
    if (st == PSH_OK)
        st = put_replica(h, e->id, e->node, e->tier, 1, old);
    return st == PSH_OK ? set_place(h, e, r->node, e->known ? e->interval : a->want.interval,
                              e->known ? e->arc_last : a->want.arc_last) : st;
}

static psh_status drop_replica(sqlite_host *h, const psh_action *a) {
    const directory_entry *e = directory_find(h, a->want.subject);
    const directory_replica *r = directory_find_replica(h, a->want.subject, a->want.node);
    psh_status st;

    if (!r && e && e->known && e->node == a->want.node)
        return host_fail(h, PSH_E_STATE, "what is there is the owner");
    if (!r)
        return PSH_OK;
    st = drop_triggers(h, r);
    if (st == PSH_OK)
        st = drop_table(h, of_replica(r));
    return st == PSH_OK ? remove_replica(h, r->id, r->node) : st;
}

static psh_status release_node(sqlite_host *h, uint32_t node) {
    size_t i;

    for (i = 0; i < h->directory_count; i++)
        if (h->directory[i].known && h->directory[i].node == node)
            return host_fail(h, PSH_E_STATE, "a partition is on that node");
    for (i = 0; i < h->replica_count; i++)
        if (h->replicas[i].node == node)
            return host_fail(h, PSH_E_STATE, "a replica is on that node");
    return PSH_OK;
}

psh_status moves_prepare(sqlite_host *h, const psh_action *a) {
    psh_status st;

    if (a->want.kind != PSH_ACT_SPLIT_PARTITION && a->want.kind != PSH_ACT_MERGE_PARTITION)
        return PSH_OK;
    st = host_exec(h, "BEGIN IMMEDIATE");
    if (st == PSH_OK)
        st = a->want.kind == PSH_ACT_SPLIT_PARTITION ? prepare_split(h, a) : prepare_merge(h, a);
    if (st == PSH_OK)
        st = host_exec(h, "COMMIT");
    if (st != PSH_OK)
        sqlite_host_rollback(h);
    return st;
}

psh_status moves_switch(sqlite_host *h, const psh_action *a) {
    switch (a->want.kind) {
    case PSH_ACT_SPLIT_PARTITION:
        return switch_split(h, a);
    case PSH_ACT_MERGE_PARTITION:
        return switch_merge(h, a);
    case PSH_ACT_REPLICATE_PARTITION:
        return replicate(h, a);
    case PSH_ACT_PROMOTE_PARTITION:
        return promote(h, a);
    case PSH_ACT_DROP_REPLICA:
        return drop_replica(h, a);
    case PSH_ACT_ADD_NODE:
        return PSH_OK;
    case PSH_ACT_RELEASE_NODE:
        return release_node(h, a->want.node);
    default:
        return host_fail(h, PSH_E_UNSUPPORTED, "an action of a kind that this host does not know");
    }
}

/* ---- following the owner ---- */

static void append_trigger(sqlite3_str *s, const directory_replica *r, const directory_entry *e, char kind) {
    const char *when = kind == 'i' ? "INSERT" : kind == 'u' ? "UPDATE" : "DELETE";

    sqlite3_str_appendf(
        s, "CREATE TEMP TRIGGER psh_%c_%016llx_%u AFTER %s ON ", kind, (sqlite3_uint64)r->id, (unsigned)r->node, when);
    append_place(s, of_entry(e));
    sqlite3_str_appendall(s, " BEGIN ");
}

/* A trigger of the connection's may write to either file; there is one table of that name. */
static void append_forget(sqlite3_str *s, const directory_replica *r, const psh_table_spec *t) {
    const char *key;
    size_t i;

    sqlite3_str_appendf(s, "DELETE FROM \"%w\" WHERE 1", r->name);
    for (i = 0; i < t->key_count; i++) {
        key = t->columns[t->key_columns[i]].name;
        sqlite3_str_appendf(s, " AND \"%w\" = OLD.\"%w\"", key, key);
    }
    sqlite3_str_appendall(s, "; ");
}

static void append_keep(sqlite3_str *s, const directory_replica *r, const psh_table_spec *t) {
    size_t i;

    sqlite3_str_appendf(s, "INSERT OR REPLACE INTO \"%w\" VALUES(", r->name);
    for (i = 0; i < t->column_count; i++)
        sqlite3_str_appendf(s, "%sNEW.\"%w\"", i ? ", " : "", t->columns[i].name);
    sqlite3_str_appendall(s, "); ");
}

static psh_status follow(sqlite_host *h, const directory_replica *r) {
    const directory_entry *e = directory_find(h, r->id);
    psh_status st = drop_triggers(h, r);
    psh_table_spec t;
    sqlite3_str *s;

    if (st != PSH_OK || !e || !r->ready)
        return st;
    if ((st = table_of(h, e->table, &t)) != PSH_OK)
        return st;
    s = sqlite3_str_new(h->db);
    append_trigger(s, r, e, 'i');
    append_keep(s, r, &t);
    sqlite3_str_appendall(s, "END;");
    append_trigger(s, r, e, 'u');
    append_forget(s, r, &t);
    append_keep(s, r, &t);
    sqlite3_str_appendall(s, "END;");
    append_trigger(s, r, e, 'd');
    append_forget(s, r, &t);
    sqlite3_str_appendall(s, "END;");
    return run(h, s);
}

/* Where the owner's table, or the replica's, is in the archive, one file may have a commit that the other lacks. */
static psh_status repair(sqlite_host *h, const directory_replica *r) {
    const directory_entry *e = directory_find(h, r->id);
    arc all = { .all = 1 };
    psh_table_spec t;
    psh_status st;

    if (!e || !r->ready || (!e->tier && !r->tier))
        return PSH_OK;
    st = table_of(h, e->table, &t);
    if (st == PSH_OK)
        st = directory_create_table(h, r->tier, e->table, r->name);
    return st == PSH_OK ? sync_rows(h, &t, of_entry(e), of_replica(r), &all) : st;
}

psh_status moves_follow(sqlite_host *h) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < h->replica_count; i++)
        st = follow(h, &h->replicas[i]);
    return st;
}

psh_status moves_repair(sqlite_host *h) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < h->replica_count; i++)
        st = repair(h, &h->replicas[i]);
    return st;
}
