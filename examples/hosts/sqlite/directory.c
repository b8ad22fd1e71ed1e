/* SPDX-License-Identifier: MIT */
/* Partition tables, and the actions that make, move and drop them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

directory_entry *directory_find(sqlite_host *h, uint64_t id) {
    size_t low = 0, high = h->directory.count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (h->directory.entries[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < h->directory.count && h->directory.entries[low].id == id ? &h->directory.entries[low] : NULL;
}

static psh_status add_entry(sqlite_host *h, sqlite3_stmt *stmt) {
    directory_entry *e;
    size_t cap = h->directory.cap ? h->directory.cap * 2 : 64;

    if (h->directory.count == h->directory.cap) {
        e = realloc(h->directory.entries, cap * sizeof *e);
        if (!e)
            return host_fail(h, PSH_E_NOMEM, "no memory for the directory");
        h->directory.entries = e;
        h->directory.cap = cap;
    }
    e = &h->directory.entries[h->directory.count++];
    memset(e, 0, sizeof *e);
    e->id = (uint64_t)sqlite3_column_int64(stmt, 0);
    e->table = (uint32_t)sqlite3_column_int(stmt, 1);
    e->tier = (uint32_t)sqlite3_column_int(stmt, 2);
    snprintf(e->name, sizeof e->name, "%s", (const char *)sqlite3_column_text(stmt, 3));
    e->known = sqlite3_column_type(stmt, 4) != SQLITE_NULL;
    e->node = (uint32_t)sqlite3_column_int64(stmt, 4);
    e->holds = !e->known || sqlite3_column_int(stmt, 5);
    e->interval = sqlite3_column_int64(stmt, 6);
    e->arc_first = (uint64_t)sqlite3_column_int64(stmt, 7);
    e->arc_last = (uint64_t)sqlite3_column_int64(stmt, 8);
    e->quarantine = e->id == psh_quarantine_id(e->table);
    return PSH_OK;
}

static psh_status add_replica(sqlite_host *h, sqlite3_stmt *stmt) {
    directory_replica *r;
    size_t cap = h->directory.replica_cap ? h->directory.replica_cap * 2 : 16;

    if (h->directory.replica_count == h->directory.replica_cap) {
        r = realloc(h->directory.replicas, cap * sizeof *r);
        if (!r)
            return host_fail(h, PSH_E_NOMEM, "no memory for the directory");
        h->directory.replicas = r;
        h->directory.replica_cap = cap;
    }
    r = &h->directory.replicas[h->directory.replica_count++];
    memset(r, 0, sizeof *r);
    r->id = (uint64_t)sqlite3_column_int64(stmt, 0);
    r->node = (uint32_t)sqlite3_column_int64(stmt, 1);
    r->tier = (uint32_t)sqlite3_column_int(stmt, 2);
    r->ready = sqlite3_column_int(stmt, 3);
    snprintf(r->name, sizeof r->name, "%s", (const char *)sqlite3_column_text(stmt, 4));
    return PSH_OK;
}

static psh_status load_replicas(sqlite_host *h) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "SELECT id, node, tier, ready, name FROM psh_replicas", &stmt);
    int rc = SQLITE_DONE;

    if (st != PSH_OK)
        return st;
    while (st == PSH_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        st = add_replica(h, stmt);
    if (st == PSH_OK && rc != SQLITE_DONE)
        st = host_error(h);
    sqlite3_finalize(stmt);
    return st;
}

directory_replica *directory_find_replica(sqlite_host *h, uint64_t id, uint32_t node) {
    size_t i;

    for (i = 0; i < h->directory.replica_count; i++)
        if (h->directory.replicas[i].id == id && h->directory.replicas[i].node == node)
            return &h->directory.replicas[i];
    return NULL;
}

static int by_id(const void *a, const void *b) {
    const directory_entry *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static psh_status read_entries(sqlite_host *h) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(
        h,
        "SELECT p.id, p.tbl, p.tier, p.name, a.node, a.holds, a.interval, a.first, a.last"
        " FROM psh_partitions p LEFT JOIN psh_places a ON a.id = p.id",
        &stmt);
    int rc = SQLITE_DONE;

    if (st != PSH_OK)
        return st;
    while (st == PSH_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        st = add_entry(h, stmt);
    if (st == PSH_OK && rc != SQLITE_DONE)
        st = host_error(h);
    sqlite3_finalize(stmt);
    if (h->directory.count) /* SQLite orders ids as signed, we as unsigned */
        qsort(h->directory.entries, h->directory.count, sizeof *h->directory.entries, by_id);
    return st;
}

void directory_clear(directory *d) {
    size_t i;

    for (i = 0; i < d->count; i++)
        sqlite3_finalize(d->entries[i].insert);
    free(d->entries);
    free(d->replicas);
    memset(d, 0, sizeof *d);
}

/* Reads the directory anew; *old is what it was, to be cleared or to come back. */
static psh_status reread(sqlite_host *h, directory *old) {
    psh_status st;

    *old = h->directory;
    memset(&h->directory, 0, sizeof h->directory);
    st = read_entries(h);
    return st == PSH_OK ? load_replicas(h) : st;
}

/* The new one stays, or the old one comes back. */
static void settle(sqlite_host *h, directory *old, psh_status st) {
    directory gone = st == PSH_OK ? *old : h->directory;

    if (st != PSH_OK)
        h->directory = *old;
    directory_clear(&gone);
}

psh_status directory_load(sqlite_host *h) {
    directory old;
    psh_status st = reread(h, &old);

    settle(h, &old, st);
    return st;
}

static const char *sql_type(uint32_t type) {
    switch (type) {
    case PSH_TYPE_DOUBLE:
        return "REAL";
    case PSH_TYPE_TEXT:
        return "TEXT";
    case PSH_TYPE_BYTES:
        return "BLOB";
    default:
        return "INTEGER";
    }
}

/* CREATE TABLE with the schema's columns and primary key: a session sees nothing of tables without one. */
static char *table_sql(sqlite_host *h, uint32_t tier, uint32_t table, const char *name) {
    sqlite3_str *s = sqlite3_str_new(h->db);
    psh_table_spec t;
    size_t i;

    if (psh_schema_table(h->schema, table, &t) != PSH_OK) {
        sqlite3_free(sqlite3_str_finish(s));
        return NULL;
    }
    sqlite3_str_appendf(s, "CREATE TABLE IF NOT EXISTS %s.\"%w\"(", host_schema_name(tier), name);
    for (i = 0; i < t.column_count; i++)
        sqlite3_str_appendf(
            s, "\"%w\" %s%s, ", t.columns[i].name, sql_type(t.columns[i].type),
            t.columns[i].flags & PSH_COLUMN_NULLABLE ? "" : " NOT NULL");
    sqlite3_str_appendall(s, "PRIMARY KEY(");
    for (i = 0; i < t.key_count; i++)
        sqlite3_str_appendf(s, "%s\"%w\"", i ? ", " : "", t.columns[t.key_columns[i]].name);
    sqlite3_str_appendall(s, ")) WITHOUT ROWID");
    return sqlite3_str_finish(s);
}

psh_status directory_create_table(sqlite_host *h, uint32_t tier, uint32_t table, const char *name) {
    char *sql = table_sql(h, tier, table, name);
    psh_status st = sql ? host_exec(h, sql) : host_fail(h, PSH_E_NOMEM, "no memory, or an unknown table");

    sqlite3_free(sql);
    return st;
}

static psh_status exec_named(sqlite_host *h, const char *format, const char *a, const char *b) {
    char *sql = sqlite3_mprintf(format, a, b);
    psh_status st = sql ? host_exec(h, sql) : PSH_E_NOMEM;

    sqlite3_free(sql);
    return st;
}

psh_status directory_exec_id(sqlite_host *h, const char *sql, uint64_t id) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, sql, &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id);
    return host_finish(h, stmt);
}

static psh_status add_place(sqlite_host *h, const psh_want *w) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "INSERT OR IGNORE INTO psh_places VALUES(?1, ?2, ?3, ?4, ?5, ?6)", &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)w->subject);
    sqlite3_bind_int64(stmt, 2, w->node);
    sqlite3_bind_int(stmt, 3, w->source == 0);
    sqlite3_bind_int64(stmt, 4, w->interval);
    sqlite3_bind_int64(stmt, 5, (sqlite3_int64)w->arc_first);
    sqlite3_bind_int64(stmt, 6, (sqlite3_int64)w->arc_last);
    return host_finish(h, stmt);
}

static psh_status add_to_directory(sqlite_host *h, const psh_action *a) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "INSERT OR IGNORE INTO psh_partitions VALUES(?1, ?2, ?3, ?4)", &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)a->want.subject);
    sqlite3_bind_int(stmt, 2, (int)a->want.table);
    sqlite3_bind_int(stmt, 3, a->want.tier ? 1 : 0);
    sqlite3_bind_text(stmt, 4, a->name, -1, SQLITE_STATIC);
    st = host_finish(h, stmt);
    return st == PSH_OK ? add_place(h, &a->want) : st;
}

static psh_status do_create(sqlite_host *h, const psh_action *a) {
    psh_status st;

    if (directory_find(h, a->want.subject))
        return PSH_OK; /* it may have another table by now */
    st = directory_create_table(h, a->want.tier, a->want.table, a->name);
    return st == PSH_OK ? add_to_directory(h, a) : st;
}

/* A crash between the two files leaves a copy in the archive that nobody names: it goes here. */
psh_status directory_drop_orphans(sqlite_host *h) {
    sqlite3_stmt *stmt;
    char sql[NAME_SIZE + 64];
    psh_status st;
    int found;

    for (;;) {
        st = host_prepare(
            h,
            "SELECT name FROM archive.sqlite_master WHERE type = 'table' AND name NOT IN"
            " (SELECT name FROM psh_partitions WHERE tier = 1 UNION SELECT name FROM psh_replicas WHERE tier > 0)"
            " LIMIT 1",
            &stmt);
        if (st != PSH_OK)
            return st;
        found = sqlite3_step(stmt) == SQLITE_ROW;
        if (found)
            sqlite3_snprintf((int)sizeof sql, sql, "DROP TABLE archive.\"%w\"", sqlite3_column_text(stmt, 0));
        sqlite3_finalize(stmt);
        if (!found)
            return PSH_OK;
        st = host_exec(h, sql);
        if (st != PSH_OK)
            return st;
    }
}

/*
 * Two files in WAL mode do not commit as one. So the copy is made and committed in the archive first; the
 * directory, in main, then switches and drops the old table in one commit. A crash in between leaves a copy
 * that drop_orphans or the repeated action takes away.
 */
static psh_status copy_to_archive(sqlite_host *h, const directory_entry *e) {
    psh_status st = host_exec(h, "BEGIN IMMEDIATE");

    if (st == PSH_OK)
        st = exec_named(h, "DROP TABLE IF EXISTS archive.\"%w\"", e->name, "");
    if (st == PSH_OK)
        st = directory_create_table(h, 1, e->table, e->name);
    if (st == PSH_OK)
        st = exec_named(h, "INSERT INTO archive.\"%w\" SELECT * FROM main.\"%w\"", e->name, e->name);
    if (st == PSH_OK)
        st = host_exec(h, "COMMIT");
    if (st != PSH_OK)
        sqlite_host_rollback(h);
    return st;
}

static psh_status switch_to_archive(sqlite_host *h, const directory_entry *e) {
    psh_status st = exec_named(h, "DROP TABLE main.\"%w\"", e->name, "");

    return st == PSH_OK ? directory_exec_id(h, "UPDATE psh_partitions SET tier = 1 WHERE id = ?1", e->id) : st;
}

static psh_status drop_partition(sqlite_host *h, const directory_entry *e) {
    psh_status st = PSH_OK;

    if (!e->tier)
        st = exec_named(h, "DROP TABLE IF EXISTS main.\"%w\"", e->name, "");
    if (st == PSH_OK)
        st = moves_drop_replicas(h, e->id);
    if (st == PSH_OK)
        st = directory_exec_id(h, "DELETE FROM psh_places WHERE id = ?1", e->id);
    return st == PSH_OK ? directory_exec_id(h, "DELETE FROM psh_partitions WHERE id = ?1", e->id) : st;
}

static psh_status set_node(sqlite_host *h, const psh_want *w) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "UPDATE psh_places SET node = ?2 WHERE id = ?1", &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)w->subject);
    sqlite3_bind_int64(stmt, 2, w->node);
    return host_finish(h, stmt);
}

static psh_status do_archive(sqlite_host *h, const psh_action *a, const directory_entry *e) {
    psh_status st = e->tier ? PSH_OK : switch_to_archive(h, e);

    return st == PSH_OK ? set_node(h, &a->want) : st;
}

static psh_status change_directory(sqlite_host *h, const psh_action *a, const directory_entry *e) {
    switch (a->want.kind) {
    case PSH_ACT_CREATE_PARTITION:
        return do_create(h, a);
    case PSH_ACT_ARCHIVE_PARTITION:
        return do_archive(h, a, e);
    case PSH_ACT_DROP_PARTITION:
        return e ? drop_partition(h, e) : PSH_OK;
    case PSH_ACT_ACTIVATE_PARTITION:
    case PSH_ACT_SEAL_PARTITION:
        return PSH_OK; /* activating and sealing are the library's states: nothing changes here */
    default:
        return moves_switch(h, a);
    }
}

static psh_status record_action(sqlite_host *h, const psh_action *a) {
    psh_status st = directory_exec_id(h, "INSERT OR IGNORE INTO psh_actions VALUES(?1)", a->id);

    return st == PSH_OK ? host_store_meta(h, "fence", (int64_t)a->fence) : st;
}

/* What goes by the directory follows it, while it can still be taken back. */
static psh_status follow_directory(sqlite_host *h, const psh_action *a) {
    psh_status st = moves_is_move(a->want.kind) ? moves_repair(h) : PSH_OK;

    return st == PSH_OK ? moves_follow(h) : st;
}

/* The action, its record and the fence, in one commit of main; whatever fails, all is as it was. */
static psh_status act_in_main(sqlite_host *h, const psh_action *a, const directory_entry *e) {
    psh_status st = host_exec(h, "BEGIN IMMEDIATE");
    directory old;

    if (st == PSH_OK)
        st = change_directory(h, a, e);
    if (st == PSH_OK)
        st = record_action(h, a);
    if (st != PSH_OK) {
        sqlite_host_rollback(h);
        return st;
    }
    st = reread(h, &old);
    if (st == PSH_OK && h->directory.replica_count)
        st = follow_directory(h, a);
    if (st == PSH_OK)
        st = host_exec(h, "COMMIT");
    if (st != PSH_OK)
        sqlite_host_rollback(h);
    settle(h, &old, st);
    return st;
}

static int was_done(sqlite_host *h, uint64_t id) {
    sqlite3_stmt *stmt;
    int done;

    if (host_kept(h, KEPT_DONE, &stmt) != PSH_OK)
        return 0;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id);
    done = sqlite3_step(stmt) == SQLITE_ROW;
    sqlite3_reset(stmt);
    return done;
}

/* What goes into the archive is committed there before main switches to it. */
static psh_status prepare_archive(sqlite_host *h, const psh_action *a, const directory_entry *e) {
    if (moves_is_move(a->want.kind))
        return moves_prepare(h, a);
    if (a->want.kind != PSH_ACT_ARCHIVE_PARTITION)
        return PSH_OK;
    if (!e)
        return host_fail(h, PSH_E_NOT_FOUND, "nothing to archive: the partition has no table");
    return e->tier ? PSH_OK : copy_to_archive(h, e);
}

psh_status storage_submit(void *user, int64_t now, const psh_action *a) {
    sqlite_host *h = user;
    directory_entry *e = directory_find(h, a->want.subject);
    psh_status st;

    (void)now;
    if (a->fence < h->fence)
        return PSH_E_FENCED;
    if (h->session)
        return host_fail(h, PSH_E_STATE, "an action inside an open commit");
    if (was_done(h, a->id))
        return PSH_OK;
    st = prepare_archive(h, a, e);
    if (a->want.kind >= PSH_ACT_ARCHIVE_PARTITION)
        legs_clear(h);
    if (e && e->insert) {
        sqlite3_finalize(e->insert);
        e->insert = NULL;
    }
    if (st == PSH_OK)
        st = act_in_main(h, a, e);
    if (st != PSH_OK)
        return st;
    h->fence = a->fence;
    if (a->want.kind >= PSH_ACT_ARCHIVE_PARTITION)
        (void)directory_drop_orphans(h); /* what stays goes at the next time, or when the host is opened */
    return PSH_OK;
}
