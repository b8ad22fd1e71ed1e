/* SPDX-License-Identifier: MIT */
/* Replicas: a second table each, which triggers of the connection keep as the owner's is. */
#include <stdio.h>
#include <string.h>

#include "rows.h"

static int name_is_taken(const sqlite_host *h, const char *name) {
    size_t i;

    for (i = 0; i < h->directory.count; i++)
        if (strcmp(h->directory.entries[i].name, name) == 0)
            return 1;
    for (i = 0; i < h->directory.replica_count; i++)
        if (strcmp(h->directory.replicas[i].name, name) == 0)
            return 1;
    return 0;
}

static void replica_name(const sqlite_host *h, const char *base, uint32_t node, char out[NAME_SIZE]) {
    snprintf(out, NAME_SIZE, "%.*s_r%u", NAME_SIZE - 40, base, (unsigned)node);
    while (name_is_taken(h, out) && strlen(out) < NAME_SIZE - 2)
        strcat(out, "_");
}

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

psh_status replicas_copy(sqlite_host *h, const psh_action *a) {
    const directory_entry *e = directory_find(h, a->want.subject);
    const directory_replica *r = directory_find_replica(h, a->want.subject, a->want.node);
    uint32_t tier = r ? r->tier : a->want.tier ? 1 : 0;
    char name[NAME_SIZE];
    rows_place to = { tier, r ? r->name : name };
    rows_arc all = { .all = 1 };
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
    st = rows_table_of(h, e->table, &t);
    if (st == PSH_OK)
        st = directory_create_table(h, tier, e->table, to.name);
    if (st == PSH_OK && a->want.step < a->want.steps)
        st = rows_copy_some(h, &t, rows_of_entry(e), to, &all, a->want.resources.bytes);
    else if (st == PSH_OK)
        st = rows_sync(h, &t, rows_of_entry(e), to, &all);
    return st == PSH_OK ? put_replica(h, e->id, a->want.node, tier, a->want.step >= a->want.steps, to.name) : st;
}

static psh_status rename_table(sqlite_host *h, const char *from, const char *to) {
    sqlite3_str *s = sqlite3_str_new(h->db);

    sqlite3_str_appendf(s, "ALTER TABLE main.\"%w\" RENAME TO \"%w\"", from, to);
    return rows_run(h, s);
}

static psh_status drop_triggers(sqlite_host *h, const directory_replica *r) {
    static const char kinds[] = "iud";
    sqlite3_str *s = sqlite3_str_new(h->db);
    size_t i;

    for (i = 0; i < 3; i++)
        sqlite3_str_appendf(
            s, "DROP TRIGGER IF EXISTS temp.psh_%c_%016llx_%u;", kinds[i], (sqlite3_uint64)r->id,
            (unsigned)r->node);
    return rows_run(h, s);
}

/* In main the owner keeps the partition's name, for the application's SQL; else only the directory changes. */
psh_status replicas_promote(sqlite_host *h, const psh_action *a) {
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
        st = rows_rename_entry(h, e->id, r->tier, r->name);
    if (st == PSH_OK)
        st = remove_replica(h, e->id, r->node);
    if (st == PSH_OK)
        st = put_replica(h, e->id, e->node, e->tier, 1, old);
    if (st != PSH_OK)
        return st;
    return rows_set_place(
        h, e, r->node, e->known ? e->interval : a->want.interval, e->known ? e->arc_last : a->want.arc_last);
}

psh_status replicas_drop(sqlite_host *h, const psh_action *a) {
    const directory_entry *e = directory_find(h, a->want.subject);
    const directory_replica *r = directory_find_replica(h, a->want.subject, a->want.node);
    psh_status st;

    if (!r && e && e->known && e->node == a->want.node)
        return host_fail(h, PSH_E_STATE, "what is there is the owner");
    if (!r)
        return PSH_OK;
    st = drop_triggers(h, r);
    if (st == PSH_OK)
        st = rows_drop_table(h, rows_of_replica(r));
    return st == PSH_OK ? remove_replica(h, r->id, r->node) : st;
}

static void append_trigger(sqlite3_str *s, const directory_replica *r, const directory_entry *e, char kind) {
    const char *when = kind == 'i' ? "INSERT" : kind == 'u' ? "UPDATE" : "DELETE";

    sqlite3_str_appendf(
        s, "CREATE TEMP TRIGGER psh_%c_%016llx_%u AFTER %s ON ", kind, (sqlite3_uint64)r->id, (unsigned)r->node,
        when);
    rows_append_place(s, rows_of_entry(e));
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
    if ((st = rows_table_of(h, e->table, &t)) != PSH_OK)
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
    return rows_run(h, s);
}

/* Where the owner's table, or the replica's, is in the archive, one file may have a commit that the other lacks. */
static psh_status repair(sqlite_host *h, const directory_replica *r) {
    const directory_entry *e = directory_find(h, r->id);
    rows_arc all = { .all = 1 };
    psh_table_spec t;
    psh_status st;

    if (!e || !r->ready || (!e->tier && !r->tier))
        return PSH_OK;
    st = rows_table_of(h, e->table, &t);
    if (st == PSH_OK)
        st = directory_create_table(h, r->tier, e->table, r->name);
    return st == PSH_OK ? rows_sync(h, &t, rows_of_entry(e), rows_of_replica(r), &all) : st;
}

psh_status moves_follow(sqlite_host *h) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < h->directory.replica_count; i++)
        st = follow(h, &h->directory.replicas[i]);
    return st;
}

psh_status moves_repair(sqlite_host *h) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < h->directory.replica_count; i++)
        st = repair(h, &h->directory.replicas[i]);
    return st;
}
