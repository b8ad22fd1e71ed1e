/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define URI_SIZE 4096

static psh_status store_error(store *s) {
    snprintf(s->message, sizeof s->message, "SQLite: %s", sqlite3_errmsg(s->db));
    return sqlite3_errcode(s->db) == SQLITE_NOMEM ? PSH_E_NOMEM : PSH_E_HOST;
}

int store_fail(const store *s, failure *f) {
    int code = sqlite3_errcode(s->db);

    if (code == SQLITE_NOTADB)
        return fail(f, EXIT_BAD_INPUT, "%s: %s: name one that predshard run --db DIR made", s->path,
            sqlite3_errmsg(s->db));
    if (code == SQLITE_CORRUPT)
        return fail(f, EXIT_BAD_INPUT, "%s: %s: restore it from a copy", s->path, sqlite3_errmsg(s->db));
    return fail(f, EXIT_STORAGE, "%s: %s: see that you may read it and its directory", s->path,
        sqlite3_errmsg(s->db));
}

sqlite3_stmt *store_query(store *s, const char *sql, failure *f) {
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        store_fail(s, f);
    return stmt;
}

int64_t store_meta(store *s, const char *key) {
    sqlite3_stmt *stmt;
    int64_t value = 0;

    if (sqlite3_prepare_v2(s->db, "SELECT value FROM psh_meta WHERE key = ?1", -1, &stmt, NULL) != SQLITE_OK)
        return 0;
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

/* x.db has its archive in x-archive.db. */
static int name_archive(store *s, const map_options *o, failure *f) {
    size_t n = strlen(s->path);
    int dotted = n > 3 && strcmp(s->path + n - 3, ".db") == 0, size;

    if (o->archive)
        size = snprintf(s->archive, sizeof s->archive, "%s", o->archive);
    else
        size = snprintf(s->archive, sizeof s->archive, "%.*s-archive%s", (int)(dotted ? n - 3 : n), s->path,
            dotted ? ".db" : "");
    if (size < 0 || (size_t)size >= sizeof s->archive)
        return fail(f, EXIT_USAGE, "%.80s...: the path is too long: use a shorter one", s->path);
    if (o->archive && access(o->archive, R_OK) != 0)
        return fail(f, EXIT_NO_INPUT, "--archive %s: %s", o->archive, strerror(errno));
    return EXIT_DONE;
}

/*
 * A file without a log beside it is in nobody's use: opened as one that does not change it leaves nothing behind.
 * Should a writer come all the same, it writes to its log first, and this reads on what was there.
 */
static int make_uri(const char *path, char out[URI_SIZE], failure *f) {
    static const char hex[] = "0123456789ABCDEF";
    char log[1100];
    size_t n = (size_t)snprintf(out, URI_SIZE, "file:");
    const char *p;

    for (p = path; *p && n + 32 < URI_SIZE; p++)
        if (strchr("?#%", *p)) {
            out[n++] = '%';
            out[n++] = hex[(unsigned char)*p >> 4];
            out[n++] = hex[*p & 15];
        } else {
            out[n++] = *p;
        }
    if (*p || strlen(path) + 5 > sizeof log)
        return fail(f, EXIT_USAGE, "%.80s...: the path is too long: use a shorter one", path);
    snprintf(log, sizeof log, "%s-wal", path);
    snprintf(out + n, URI_SIZE - n, "?mode=ro%s", access(log, F_OK) == 0 ? "" : "&immutable=1");
    return EXIT_DONE;
}

static int attach_archive(store *s, failure *f) {
    char uri[URI_SIZE];
    sqlite3_stmt *stmt;
    int rc;

    if (access(s->archive, R_OK) != 0)
        return EXIT_DONE;
    if (make_uri(s->archive, uri, f))
        return f->code;
    stmt = store_query(s, "ATTACH ?1 AS archive", f);
    if (!stmt)
        return f->code;
    sqlite3_bind_text(stmt, 1, uri, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    if (rc != SQLITE_DONE)
        return store_fail(s, f);
    s->has_archive = 1;
    return EXIT_DONE;
}

/* Reading once makes the transaction's moment fixed. */
static int begin_reading(store *s, failure *f) {
    if (sqlite3_exec(s->db, "BEGIN; SELECT count(*) FROM main.sqlite_master;", NULL, NULL, NULL) != SQLITE_OK)
        return store_fail(s, f);
    if (s->has_archive && sqlite3_exec(s->db, "SELECT count(*) FROM archive.sqlite_master", NULL, NULL, NULL))
        return store_fail(s, f);
    return EXIT_DONE;
}

static int check_tables(store *s, failure *f) {
    sqlite3_stmt *stmt = store_query(s, "SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name IN"
        " ('psh_kv', 'psh_blobs', 'psh_meta', 'psh_partitions', 'psh_replicas')", f);
    int found;

    if (!stmt)
        return f->code;
    found = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    if (found < 0)
        return store_fail(s, f);
    if (found != 5)
        return fail(f, EXIT_BAD_INPUT, "%s: there is no map in it: name one that predshard run --db DIR made",
            s->path);
    return EXIT_DONE;
}

int store_open(store *s, const map_options *o, failure *f) {
    char uri[URI_SIZE];

    memset(s, 0, sizeof *s);
    s->path = o->db;
    if (access(s->path, R_OK) != 0)
        return fail(f, EXIT_NO_INPUT, "%s: %s: name a database that predshard run --db DIR made", s->path,
            strerror(errno));
    if (name_archive(s, o, f) || make_uri(s->path, uri, f))
        return f->code;
    if (sqlite3_open_v2(uri, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL))
        return store_fail(s, f);
    sqlite3_busy_timeout(s->db, 5000);
    if (attach_archive(s, f) || begin_reading(s, f))
        return f->code;
    return check_tables(s, f);
}

void store_close(store *s) {
    if (s->db)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(s->db);
    s->db = NULL;
}

/* One row of `sql` by a name: column 0 is the value, column 1 the version. */
static psh_status read_named(store *s, const char *sql, const char *name, psh_buffer *out, uint64_t *version) {
    sqlite3_stmt *stmt;
    const void *data;
    psh_status st;
    int rc;

    if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return store_error(s);
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        data = sqlite3_column_blob(stmt, 0);
        st = psh_buffer_append(out, data, (size_t)sqlite3_column_bytes(stmt, 0));
        *version = (uint64_t)sqlite3_column_int64(stmt, 1);
    } else {
        st = rc == SQLITE_DONE ? PSH_E_NOT_FOUND : store_error(s);
    }
    sqlite3_finalize(stmt);
    return st;
}

static psh_status read_key(void *user, const char *key, psh_buffer *out, uint64_t *version) {
    return read_named(user, "SELECT data, version FROM psh_kv WHERE key = ?1", key, out, version);
}

static psh_status refuse_key(
    void *user, const char *key, uint64_t expected, const void *data, size_t size, uint64_t *version) {
    (void)user;
    (void)key;
    (void)expected;
    (void)data;
    (void)size;
    (void)version;
    return PSH_E_UNSUPPORTED;
}

static psh_status read_blob(void *user, const char *name, psh_buffer *out) {
    uint64_t version;

    return read_named(user, "SELECT data, 0 FROM psh_blobs WHERE name = ?1", name, out, &version);
}

static psh_status refuse_blobs(void *user, const psh_blob_write *writes, size_t n) {
    (void)user;
    (void)writes;
    (void)n;
    return PSH_E_UNSUPPORTED;
}

static psh_status refuse_action(void *user, int64_t now, const psh_action *action) {
    (void)user;
    (void)now;
    (void)action;
    return PSH_E_UNSUPPORTED;
}

void store_tables(store *s, psh_storage *storage, psh_kv *kv) {
    memset(storage, 0, sizeof *storage);
    storage->struct_size = sizeof *storage;
    storage->version = PSH_STORAGE_VERSION;
    storage->user = s;
    storage->get = read_blob;
    storage->commit = refuse_blobs;
    storage->submit = refuse_action;
    memset(kv, 0, sizeof *kv);
    kv->struct_size = sizeof *kv;
    kv->version = PSH_KV_VERSION;
    kv->user = s;
    kv->get = read_key;
    kv->compare_and_set = refuse_key;
}
