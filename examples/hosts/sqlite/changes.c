/* SPDX-License-Identifier: MIT */
/* Changes: from a session's changeset to the outbox, and from there to the library. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Which table of the schema a partition table is a part of: by its name in the directory. */
static const directory_entry *entry_by_name(sqlite_host *h, const char *name) {
    size_t i = h->directory.last;

    /* A changeset goes table by table. */
    if (i < h->directory.count && strcmp(h->directory.entries[i].name, name) == 0)
        return &h->directory.entries[i];
    for (i = 0; i < h->directory.count; i++)
        if (strcmp(h->directory.entries[i].name, name) == 0)
            break;
    h->directory.last = i;
    return i < h->directory.count ? &h->directory.entries[i] : NULL;
}

void host_value(const sqlite3_value *cv, uint32_t type, psh_value *out) {
    union {
        const sqlite3_value *constant;
        sqlite3_value *plain;
    } u = { cv }; /* the accessors take a plain pointer and change nothing we see */
    sqlite3_value *v = u.plain;

    memset(out, 0, sizeof *out);
    if (!v || sqlite3_value_type(v) == SQLITE_NULL)
        return;
    out->type = type;
    if (type == PSH_TYPE_DOUBLE) {
        out->as.f64 = sqlite3_value_double(v);
    } else if (type == PSH_TYPE_TEXT || type == PSH_TYPE_BYTES) {
        out->as.data = type == PSH_TYPE_TEXT ? (const void *)sqlite3_value_text(v) : sqlite3_value_blob(v);
        out->size = (uint32_t)sqlite3_value_bytes(v);
    } else {
        out->as.i64 = sqlite3_value_int64(v);
    }
}

typedef struct images {
    psh_value before[64];
    psh_value after[64];
} images;

static int is_key(const psh_table_spec *t, size_t column) {
    size_t i;

    for (i = 0; i < t->key_count; i++)
        if (t->key_columns[i] == column)
            return 1;
    return 0;
}

/* The row as it is now, by primary key: what an update's changeset leaves out. Free *stmt after use. */
static psh_status current_row(
    sqlite_host *h, const directory_entry *e, const psh_table_spec *t, const psh_value *key, psh_value *out,
    sqlite3_stmt **stmt) {
    sqlite3_str *s = sqlite3_str_new(h->db);
    char *sql;
    psh_status st;
    size_t i;

    sqlite3_str_appendf(s, "SELECT * FROM main.\"%w\" WHERE 1", e->name);
    for (i = 0; i < t->key_count; i++)
        sqlite3_str_appendf(s, " AND \"%w\" = ?%d", t->columns[t->key_columns[i]].name, (int)i + 1);
    sql = sqlite3_str_finish(s);
    st = sql ? host_prepare(h, sql, stmt) : PSH_E_NOMEM;
    sqlite3_free(sql);
    for (i = 0; st == PSH_OK && i < t->key_count; i++)
        st = host_bind(h, *stmt, (int)i + 1, &key[t->key_columns[i]]);
    if (st == PSH_OK && sqlite3_step(*stmt) != SQLITE_ROW)
        st = host_fail(h, PSH_E_HOST, "an updated row is not there");
    for (i = 0; st == PSH_OK && i < t->column_count; i++)
        host_column(*stmt, (int)i, t->columns[i].type, &out[i]);
    return st;
}

/* An update's changeset has the key and the changed columns only: the rest is as it is in the table now. */
static psh_status fill_update(
    sqlite_host *h, sqlite3_changeset_iter *it, const directory_entry *e, const psh_table_spec *t, images *im,
    sqlite3_stmt **stmt) {
    sqlite3_value *was, *is;
    psh_value now[64];
    psh_status st;
    size_t i;

    for (i = 0; i < t->column_count; i++)
        if (is_key(t, i) && sqlite3changeset_old(it, (int)i, &was) == SQLITE_OK)
            host_value(was, t->columns[i].type, &im->before[i]);
    st = current_row(h, e, t, im->before, now, stmt);
    for (i = 0; st == PSH_OK && i < t->column_count; i++) {
        im->after[i] = now[i];
        if (is_key(t, i))
            continue;
        im->before[i] = now[i];
        if (sqlite3changeset_new(it, (int)i, &is) == SQLITE_OK && is &&
            sqlite3changeset_old(it, (int)i, &was) == SQLITE_OK)
            host_value(was, t->columns[i].type, &im->before[i]);
    }
    return st;
}

static psh_status fill_images(
    sqlite_host *h, sqlite3_changeset_iter *it, int op, const directory_entry *e, const psh_table_spec *t, images *im,
    sqlite3_stmt **stmt) {
    sqlite3_value *v = NULL;
    size_t i;

    if (op == SQLITE_UPDATE)
        return fill_update(h, it, e, t, im, stmt);
    for (i = 0; i < t->column_count; i++) {
        if (op == SQLITE_INSERT) {
            sqlite3changeset_new(it, (int)i, &v);
            host_value(v, t->columns[i].type, &im->after[i]);
        } else {
            sqlite3changeset_old(it, (int)i, &v);
            host_value(v, t->columns[i].type, &im->before[i]);
        }
    }
    return PSH_OK;
}

static psh_status append_change(sqlite_host *h, sqlite3_changeset_iter *it, uint64_t sequence) {
    const directory_entry *e;
    sqlite3_stmt *stmt = NULL;
    const char *name;
    psh_table_spec t;
    psh_change c;
    images im;
    psh_status st;
    int columns, op, indirect;

    if (sqlite3changeset_op(it, &name, &columns, &op, &indirect) != SQLITE_OK)
        return host_error(h);
    e = entry_by_name(h, name);
    if (!e)
        return PSH_OK; /* the application's own table */
    if (psh_schema_table(h->schema, e->table, &t) != PSH_OK || (size_t)columns != t.column_count || columns > 64)
        return host_fail(h, PSH_E_HOST, "a partition table has other columns than the schema");
    st = fill_images(h, it, op, e, &t, &im, &stmt);
    memset(&c, 0, sizeof c);
    c.op = op == SQLITE_INSERT ? PSH_CHANGE_INSERT : op == SQLITE_UPDATE ? PSH_CHANGE_UPDATE : PSH_CHANGE_DELETE;
    c.table = e->table;
    c.source = SOURCE;
    c.position = h->position + 1;
    c.sequence = sequence;
    c.commit_time = h->pending_time;
    c.before = op == SQLITE_INSERT ? NULL : im.before;
    c.after = op == SQLITE_DELETE ? NULL : im.after;
    c.column_count = t.column_count;
    if (st == PSH_OK) {
        st = psh_change_batch_append(h->batch, &c, NULL);
        if (st != PSH_OK)
            host_fail(h, st, psh_status_text(st));
    }
    sqlite3_finalize(stmt);
    return st;
}

psh_status changes_collect(sqlite_host *h) {
    sqlite3_changeset_iter *it = NULL;
    void *changeset = NULL;
    uint64_t sequence = psh_change_batch_count(h->batch);
    psh_status st = PSH_OK;
    int size = 0;

    if (!h->recording)
        return PSH_OK;
    if (sqlite3session_changeset(h->session, &size, &changeset) != SQLITE_OK)
        return host_fail(h, PSH_E_NOMEM, "SQLite: the session gave no changeset");
    if (size && sqlite3changeset_start(&it, size, changeset) != SQLITE_OK)
        st = host_fail(h, PSH_E_NOMEM, "SQLite: the changeset cannot be read");
    while (st == PSH_OK && it && sqlite3changeset_next(it) == SQLITE_ROW)
        st = append_change(h, it, sequence++);
    if (it && sqlite3changeset_finalize(it) != SQLITE_OK && st == PSH_OK)
        st = host_fail(h, PSH_E_HOST, "SQLite: the changeset is damaged");
    sqlite3_free(changeset);
    return st;
}

psh_status cdc_state(void *user, psh_cdc_state *out) {
    sqlite_host *h = user;

    out->source = SOURCE;
    out->position = h->position;
    out->commit_time = h->commit_time;
    return PSH_OK;
}

/* One commit's changes into out, all or none. */
static psh_status append_position(sqlite_host *h, const void *data, size_t size, psh_change_batch *out) {
    psh_change_batch *b = NULL;
    size_t before = psh_change_batch_count(out), i;
    psh_change c;
    psh_status st = psh_change_batch_load(h->env, h->schema, data, size, (size_t)1 << 30, &b, NULL);

    if (st != PSH_OK)
        return host_fail(h, st, "the outbox is damaged");
    for (i = 0; st == PSH_OK && psh_change_batch_get(b, i, &c) == PSH_OK; i++)
        st = psh_change_batch_append(out, &c, NULL);
    if (st != PSH_OK)
        psh_change_batch_truncate(out, before);
    psh_change_batch_destroy(b);
    return st;
}

psh_status cdc_poll(void *user, uint64_t cursor, psh_change_batch *out, uint64_t *next) {
    sqlite_host *h = user;
    sqlite3_stmt *stmt;
    psh_status st = host_kept(h, KEPT_POLL, &stmt);
    int rc = SQLITE_DONE;

    if (st != PSH_OK)
        return st;
    if (cursor && cursor < h->acknowledged)
        return host_fail(h, PSH_E_NOT_FOUND, "changes after the cursor have been forgotten");
    *next = cursor;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)cursor);
    while (st == PSH_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        st = append_position(h, sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1), out);
        if (st == PSH_OK)
            *next = (uint64_t)sqlite3_column_int64(stmt, 0);
    }
    if (st == PSH_OK && rc != SQLITE_DONE)
        st = host_error(h);
    sqlite3_reset(stmt);
    if (st == PSH_E_LIMIT && psh_change_batch_count(out))
        return PSH_AGAIN;
    if (st == PSH_OK)
        *next = h->position;
    return st;
}

static psh_status forget(sqlite_host *h, uint64_t position) {
    sqlite3_stmt *stmt;
    psh_status st = host_kept(h, KEPT_FORGET, &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)position);
    st = host_step(h, stmt);
    return st == PSH_OK ? host_store_meta(h, "acknowledged", (int64_t)position) : st;
}

psh_status cdc_acknowledge(void *user, uint64_t position) {
    sqlite_host *h = user;
    psh_status st;

    if (h->session)
        return host_fail(h, PSH_E_STATE, "an acknowledgement inside an open commit");
    if (position <= h->acknowledged)
        return PSH_OK;
    st = host_run(h, KEPT_BEGIN);
    if (st == PSH_OK)
        st = forget(h, position);
    if (st == PSH_OK)
        st = host_run(h, KEPT_COMMIT);
    if (st == PSH_OK)
        h->acknowledged = position;
    else
        sqlite_host_rollback(h);
    return st;
}
