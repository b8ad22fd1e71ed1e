/* SPDX-License-Identifier: MIT */
/*
 * Partitions of the world against the tables of the database, both ways. While a planner runs, tables may be ahead
 * of the world shared last: what differs then is a note.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "check.h"
#include "words.h"

#define ADVICE_LOST "restore the database from a copy; the rows of this table are not in the files"
#define ADVICE_ORPHAN "look at its rows; write those that are missed through the router, then drop the table"

/* The directory's entry of a partition or replica. */
typedef struct entry {
    int found;
    uint32_t tier;
    int64_t node; /* < 0: not known */
    char name[WORDS_NAME];
} entry;

CHECK_FORMAT(3)
static void differs(check *c, const char *advice, const char *format, ...) {
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (sight_led(c->s))
        check_noted(c, "tables", "%s (a planner runs: the next publication may say so too)", text);
    else
        check_found(c, "tables", advice, "%s", text);
}

static sqlite3_stmt *prepare(check *c, const char *sql) {
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(c->s->store.db, sql, -1, &stmt, NULL) != SQLITE_OK)
        store_fail(&c->s->store, c->s->f);
    return stmt;
}

/* Nothing that the host writes is NULL; what others write may be. */
static const char *text_of(sqlite3_stmt *stmt, int column) {
    const char *text = (const char *)sqlite3_column_text(stmt, column);

    return text ? text : "";
}

static void take_entry(sqlite3_stmt *stmt, entry *out) {
    out->found = 1;
    out->tier = (uint32_t)sqlite3_column_int64(stmt, 0);
    out->node = sqlite3_column_int64(stmt, 1);
    snprintf(out->name, sizeof out->name, "%s", text_of(stmt, 2));
}

/* node PSH_NONE: the owner's; else that replica's. */
static entry find_entry(check *c, uint64_t id, uint32_t node) {
    entry e = { 0, 0, -1, "" };
    sqlite3_stmt *stmt = prepare(c, node == PSH_NONE ?
        "SELECT tier, ifnull((SELECT node FROM psh_places WHERE id = ?1), -1), name FROM psh_partitions"
        " WHERE id = ?1" :
        "SELECT tier, node, name FROM psh_replicas WHERE id = ?1 AND node = ?2");

    if (!stmt)
        return e;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)id);
    if (node != PSH_NONE)
        sqlite3_bind_int64(stmt, 2, node);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        take_entry(stmt, &e);
    sqlite3_finalize(stmt);
    return e;
}

static int has_table(check *c, const entry *e) {
    sqlite3_stmt *stmt;
    int found;

    if (e->tier && !c->s->store.has_archive)
        return 0;
    stmt = prepare(c, e->tier ? "SELECT 1 FROM archive.sqlite_master WHERE type = 'table' AND name = ?1" :
                                "SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?1");
    if (!stmt)
        return 0;
    sqlite3_bind_text(stmt, 1, e->name, -1, SQLITE_STATIC);
    found = sqlite3_step(stmt) == SQLITE_ROW;
    sqlite3_finalize(stmt);
    return found;
}

/* @return rows, -1 if they cannot be counted. */
static int64_t count_rows(check *c, const entry *e) {
    char *sql = sqlite3_mprintf("SELECT count(*) FROM %s.\"%w\"", e->tier ? "archive" : "main", e->name);
    sqlite3_stmt *stmt = NULL;
    int64_t n = -1;

    if (sql && sqlite3_prepare_v2(c->s->store.db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return n;
}

static void check_rows(check *c, const psh_partition *p, const entry *e) {
    int64_t rows = count_rows(c, e);

    if (rows < 0)
        check_found(c, "rows", "restore the database from a copy", "%s: its rows cannot be read: %s", e->name,
            sqlite3_errmsg(c->s->store.db));
    else if ((uint64_t)rows < p->rows)
        check_found(c, "rows", "if nobody deleted rows, restore the table from a copy",
            "%s: it has %" PRId64 " rows, the map counted %" PRIu64, e->name, rows, p->rows);
    else if ((uint64_t)rows > p->rows)
        check_noted(c, "rows", "%s: it has %" PRId64 " rows, %" PRIu64 " more than the map counted: written since "
            "the last publication", e->name, rows, (uint64_t)rows - p->rows);
    if (p->flags & PSH_PARTITION_QUARANTINE && rows > 0)
        check_noted(c, "rows", "%s: %" PRId64 " rows fit no planned range: every query of their time reads it",
            e->name, rows);
}

static void check_place(check *c, const psh_partition *p, const entry *e) {
    if (e->tier != p->tier)
        differs(c, "let the planner run on, or restore the database from a copy",
            "%s: the map has it in tier %" PRIu32 ", the database in %" PRIu32, e->name, p->tier, e->tier);
    if (e->node >= 0 && e->node != (int64_t)p->node)
        differs(c, "let the planner run on, or restore the database from a copy",
            "%s: the map has it on node %" PRIu32 ", the database on %" PRId64, e->name, p->node, e->node);
}

static void check_partition(check *c, const psh_partition *p) {
    entry e = find_entry(c, p->id, PSH_NONE);
    char name[WORDS_NAME];

    words_name(c->s->schema, p, name);
    if (!e.found && p->state == PSH_PARTITION_WARMING) {
        check_noted(c, "tables", "%s: it is being made", name);
        return;
    }
    if (!e.found) {
        differs(c, ADVICE_LOST, "%s: the map has it as %s, the database does not know it", name,
            psh_partition_state_name(p->state));
        return;
    }
    if (!has_table(c, &e)) {
        check_found(c, "tables", e.tier && !c->s->store.has_archive ?
            "name the archive database with --archive" : ADVICE_LOST, "%s: its table is missing in %s", e.name,
            e.tier ? c->s->store.archive : c->s->store.path);
        return;
    }
    check_place(c, p, &e);
    check_rows(c, p, &e);
}

static void check_replica(check *c, const psh_replica *r) {
    const psh_partition *p = psh_world_find_partition(c->s->world, r->partition);
    entry e = find_entry(c, r->partition, r->node);
    char name[WORDS_NAME] = "?";

    if (p)
        words_name(c->s->schema, p, name);
    if (r->state != PSH_REPLICA_READY)
        return;
    if (!e.found || !has_table(c, &e))
        differs(c, "let the planner run on: it makes the copy anew",
            "%s: its replica on node %" PRIu32 " is missing", name, r->node);
    else if (p && count_rows(c, &e) < (int64_t)p->rows)
        differs(c, "let the planner run on: the host brings replicas up when it opens",
            "%s: its replica on node %" PRIu32 " has fewer rows than the map counted", name, r->node);
}

/* Entries of the directory that the world does not have. */
static void check_directory(check *c) {
    sqlite3_stmt *stmt = prepare(c, "SELECT id, name FROM psh_partitions ORDER BY name");

    while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
        if (!psh_world_find_partition(c->s->world, (uint64_t)sqlite3_column_int64(stmt, 0)))
            differs(c, "let the planner run on: it was made after the last publication, or " ADVICE_ORPHAN,
                "%s: the database has it, the map does not", text_of(stmt, 1));
    sqlite3_finalize(stmt);
}

static int world_has_replica(const check *c, uint64_t id, uint64_t node) {
    const psh_replica *r;
    size_t n, i;

    r = psh_world_replicas(c->s->world, id, &n);
    for (i = 0; i < n; i++)
        if (r[i].node == node)
            return 1;
    return 0;
}

static void check_copies(check *c) {
    sqlite3_stmt *stmt = prepare(c, "SELECT id, name, node FROM psh_replicas ORDER BY name");

    while (stmt && sqlite3_step(stmt) == SQLITE_ROW)
        if (!world_has_replica(
                c, (uint64_t)sqlite3_column_int64(stmt, 0), (uint64_t)sqlite3_column_int64(stmt, 2)))
            differs(c, "let the planner run on: it finishes or drops the copy",
                "%s: the database has this replica, the map does not", text_of(stmt, 1));
    sqlite3_finalize(stmt);
}

/* Whether a table's name is that of one of the schema's with more behind it. */
static int looks_like_partition(const check *c, const char *name) {
    psh_table_spec t;
    uint32_t i;
    size_t n;

    for (i = 0; psh_schema_table(c->s->schema, i, &t) == PSH_OK; i++) {
        n = strlen(t.name);
        if (strncmp(name, t.name, n) == 0 && name[n] == '_')
            return 1;
    }
    return 0;
}

/* Tables that no entry names. In the archive the host drops them when it opens. */
static void check_orphans(check *c, int archive) {
    sqlite3_stmt *stmt = prepare(c, archive ?
        "SELECT name FROM archive.sqlite_master WHERE type = 'table' AND name NOT IN"
        " (SELECT name FROM psh_partitions WHERE tier > 0 UNION SELECT name FROM psh_replicas WHERE tier > 0)" :
        "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT IN"
        " (SELECT name FROM psh_partitions WHERE tier = 0 UNION SELECT name FROM psh_replicas WHERE tier = 0)");
    const char *name;

    while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
        name = text_of(stmt, 0);
        if (!looks_like_partition(c, name))
            continue;
        if (archive)
            check_noted(c, "tables", "%s: left in the archive: the host drops it when it opens next", name);
        else
            differs(c, ADVICE_ORPHAN, "%s: it is in the database, but no partition's", name);
    }
    sqlite3_finalize(stmt);
}

void check_tables(check *c) {
    const psh_world *w = c->s->world;
    size_t before = c->finding_count, i;
    uint64_t rows = 0;

    for (i = 0; i < psh_world_partition_count(w) && c->s->f->code == EXIT_DONE; i++) {
        check_partition(c, psh_world_partition(w, i));
        rows += psh_world_partition(w, i)->rows;
    }
    for (i = 0; i < psh_world_replica_count(w) && c->s->f->code == EXIT_DONE; i++)
        check_replica(c, psh_world_replica(w, i));
    check_directory(c);
    check_copies(c);
    check_orphans(c, 0);
    if (c->s->store.has_archive)
        check_orphans(c, 1);
    if (c->finding_count == before)
        check_fine(c, "tables", "%zu partitions, %zu replicas, %" PRIu64 " rows: all have their tables, no table "
            "is without", psh_world_partition_count(w), psh_world_replica_count(w), rows);
}
