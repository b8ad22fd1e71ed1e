/* SPDX-License-Identifier: MIT */
/* Opening, committing rows, small helpers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const char *const meta_tables =
    "CREATE TABLE IF NOT EXISTS psh_meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS psh_blobs(name TEXT PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS psh_kv(key TEXT PRIMARY KEY, version INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS psh_outbox(position INTEGER PRIMARY KEY, changes BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS psh_actions(id INTEGER PRIMARY KEY);"
    "CREATE TABLE IF NOT EXISTS psh_partitions(id INTEGER PRIMARY KEY, tbl INTEGER NOT NULL,"
    " tier INTEGER NOT NULL, name TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS psh_places(id INTEGER PRIMARY KEY, node INTEGER NOT NULL, holds INTEGER NOT NULL,"
    " interval INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS psh_replicas(id INTEGER NOT NULL, node INTEGER NOT NULL, tier INTEGER NOT NULL,"
    " ready INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY(id, node)) WITHOUT ROWID;";

psh_status host_error(sqlite_host *h) {
    int code = sqlite3_errcode(h->db);

    snprintf(h->message, sizeof h->message, "SQLite: %s", sqlite3_errmsg(h->db));
    if (code == SQLITE_NOMEM)
        return PSH_E_NOMEM;
    return strstr(h->message, "integer overflow") ? PSH_E_RANGE : PSH_E_HOST;
}

psh_status host_fail(sqlite_host *h, psh_status status, const char *message) {
    snprintf(h->message, sizeof h->message, "%s", message);
    return status;
}

psh_status host_exec(sqlite_host *h, const char *sql) {
    return sqlite3_exec(h->db, sql, NULL, NULL, NULL) == SQLITE_OK ? PSH_OK : host_error(h);
}

psh_status host_prepare(sqlite_host *h, const char *sql, sqlite3_stmt **out) {
    *out = NULL;
    return sqlite3_prepare_v2(h->db, sql, -1, out, NULL) == SQLITE_OK ? PSH_OK : host_error(h);
}

psh_status host_finish(sqlite_host *h, sqlite3_stmt *stmt) {
    psh_status st = sqlite3_step(stmt) == SQLITE_DONE ? PSH_OK : host_error(h);

    sqlite3_finalize(stmt);
    return st;
}

psh_status host_kept(sqlite_host *h, uint32_t which, sqlite3_stmt **out) {
    static const char *const texts[KEPT_COUNT] = {
        "BEGIN IMMEDIATE",
        "COMMIT",
        "INSERT OR REPLACE INTO psh_meta VALUES(?1, ?2)",
        "INSERT INTO psh_outbox VALUES(?1, ?2)",
        "SELECT position, changes FROM psh_outbox WHERE position > ?1 ORDER BY 1",
        "DELETE FROM psh_outbox WHERE position <= ?1",
        "SELECT 1 FROM psh_actions WHERE id = ?1",
    };

    *out = h->kept[which];
    if (*out)
        return PSH_OK;
    if (sqlite3_prepare_v3(h->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, &h->kept[which], NULL) != SQLITE_OK)
        return host_error(h);
    *out = h->kept[which];
    return PSH_OK;
}

psh_status host_step(sqlite_host *h, sqlite3_stmt *stmt) {
    psh_status st = sqlite3_step(stmt) == SQLITE_DONE ? PSH_OK : host_error(h);

    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return st;
}

psh_status host_run(sqlite_host *h, uint32_t which) {
    sqlite3_stmt *stmt;
    psh_status st = host_kept(h, which, &stmt);

    return st == PSH_OK ? host_step(h, stmt) : st;
}

const char *host_schema_name(uint32_t tier) {
    return tier ? "archive" : "main";
}

psh_status host_bind(sqlite_host *h, sqlite3_stmt *stmt, int index, const psh_value *v) {
    int rc;

    switch (v->type) {
    case PSH_TYPE_NULL:
        rc = sqlite3_bind_null(stmt, index);
        break;
    case PSH_TYPE_DOUBLE:
        rc = sqlite3_bind_double(stmt, index, v->as.f64);
        break;
    case PSH_TYPE_TEXT:
        rc = sqlite3_bind_text(stmt, index, v->size ? v->as.data : "", (int)v->size, SQLITE_STATIC);
        break;
    case PSH_TYPE_BYTES:
        rc = sqlite3_bind_blob(stmt, index, v->size ? v->as.data : "", (int)v->size, SQLITE_STATIC);
        break;
    default:
        rc = sqlite3_bind_int64(stmt, index, v->as.i64);
    }
    return rc == SQLITE_OK ? PSH_OK : host_error(h);
}

void host_column(sqlite3_stmt *stmt, int column, uint32_t type, psh_value *out) {
    memset(out, 0, sizeof *out);
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return;
    out->type = type;
    switch (type) {
    case PSH_TYPE_DOUBLE:
        out->as.f64 = sqlite3_column_double(stmt, column);
        break;
    case PSH_TYPE_TEXT:
        out->as.data = sqlite3_column_text(stmt, column);
        out->size = (uint32_t)sqlite3_column_bytes(stmt, column);
        break;
    case PSH_TYPE_BYTES:
        out->as.data = sqlite3_column_blob(stmt, column);
        out->size = (uint32_t)sqlite3_column_bytes(stmt, column);
        break;
    default:
        out->as.i64 = sqlite3_column_int64(stmt, column);
    }
}

psh_status host_store_meta(sqlite_host *h, const char *key, int64_t value) {
    sqlite3_stmt *stmt;
    psh_status st = host_kept(h, KEPT_META, &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, value);
    return host_step(h, stmt);
}

static int64_t load_meta(sqlite_host *h, const char *key) {
    sqlite3_stmt *stmt;
    int64_t value = 0;

    if (host_prepare(h, "SELECT value FROM psh_meta WHERE key = ?1", &stmt) != PSH_OK)
        return 0;
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

/* SQLite has no decimals and knows no collation of the host's. */
static psh_status check_types(sqlite_host *h) {
    psh_table_spec t;
    uint32_t i;
    size_t c;

    for (i = 0; psh_schema_table(h->schema, i, &t) == PSH_OK; i++)
        for (c = 0; c < t.column_count; c++)
            if (t.columns[c].type == PSH_TYPE_DECIMAL || t.columns[c].collation != PSH_COLLATION_BINARY)
                return host_fail(h, PSH_E_UNSUPPORTED, "SQLite host: no decimals, no collation but binary");
    return PSH_OK;
}

static psh_status attach_archive(sqlite_host *h, const char *path) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "ATTACH ?1 AS archive", &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_text(stmt, 1, path, -1, SQLITE_STATIC);
    return host_finish(h, stmt);
}

static psh_status open_files(sqlite_host *h, const char *path, const char *archive_path) {
    psh_status st;

    if (sqlite3_open_v2(
            path, &h->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return host_error(h);
    st = attach_archive(h, archive_path);
    if (st == PSH_OK)
        st = sources_open(h);
    if (st == PSH_OK)
        st = host_exec(
            h,
            "PRAGMA main.journal_mode = WAL; PRAGMA archive.journal_mode = WAL; PRAGMA main.synchronous = NORMAL;"
            "PRAGMA archive.synchronous = FULL; PRAGMA main.cache_size = -65536; PRAGMA temp_store = MEMORY;"
            "PRAGMA wal_autocheckpoint = 8000;");
    if (st == PSH_OK)
        st = host_exec(h, meta_tables);
    if (st == PSH_OK)
        st = directory_load(h);
    if (st == PSH_OK)
        st = directory_drop_orphans(h);
    if (st == PSH_OK)
        st = moves_repair(h);
    if (st == PSH_OK)
        st = moves_follow(h);
    h->position = (uint64_t)load_meta(h, "position");
    h->commit_time = h->position ? load_meta(h, "commit_time") : PSH_TIME_MIN;
    h->acknowledged = (uint64_t)load_meta(h, "acknowledged");
    h->fence = (uint64_t)load_meta(h, "fence");
    return st;
}

psh_status sqlite_host_open(
    psh_schema *schema, const char *path, const char *archive_path, sqlite_host **out, char *message, size_t size) {
    sqlite_host *h = calloc(1, sizeof *h);
    psh_status st;

    *out = NULL;
    if (!h)
        return PSH_E_NOMEM;
    h->schema = psh_schema_ref(schema);
    st = psh_env_create(NULL, &h->env, NULL);
    if (st == PSH_OK)
        st = psh_change_batch_create(h->env, schema, (size_t)1 << 30, &h->batch);
    if (st == PSH_OK)
        st = psh_buffer_create(h->env, &h->scratch);
    if (st == PSH_OK)
        st = check_types(h);
    if (st == PSH_OK)
        st = open_files(h, path, archive_path);
    if (st != PSH_OK) {
        snprintf(message, size, "%s", h->message[0] ? h->message : psh_status_text(st));
        sqlite_host_close(h);
        return st;
    }
    *out = h;
    return PSH_OK;
}

void sqlite_host_close(sqlite_host *h) {
    size_t i;

    if (!h)
        return;
    sqlite_host_rollback(h);
    legs_clear(h);
    directory_clear(&h->directory);
    free(h->sources);
    for (i = 0; i < KEPT_COUNT; i++)
        sqlite3_finalize(h->kept[i]);
    sqlite3_close(h->db);
    psh_buffer_destroy(h->scratch);
    psh_change_batch_destroy(h->batch);
    psh_schema_unref(h->schema);
    psh_env_destroy(h->env);
    free(h);
}

void sqlite_host_tables(sqlite_host *h, psh_storage *storage, psh_cdc *cdc, psh_kv *kv) {
    memset(storage, 0, sizeof *storage);
    storage->struct_size = sizeof *storage;
    storage->version = PSH_STORAGE_VERSION;
    storage->user = h;
    storage->get = storage_get;
    storage->commit = storage_commit;
    storage->list = storage_list;
    storage->scan = storage_scan;
    storage->submit = storage_submit;
    storage->health = storage_health;
    memset(cdc, 0, sizeof *cdc);
    cdc->struct_size = sizeof *cdc;
    cdc->version = PSH_CDC_VERSION;
    cdc->user = h;
    cdc->state = cdc_state;
    cdc->poll = cdc_poll;
    cdc->acknowledge = cdc_acknowledge;
    if (!kv)
        return;
    sqlite3_busy_timeout(h->db, 5000); /* keys are there for other processes too: commits wait for each other */
    memset(kv, 0, sizeof *kv);
    kv->struct_size = sizeof *kv;
    kv->version = PSH_KV_VERSION;
    kv->user = h;
    kv->get = kv_get;
    kv->compare_and_set = kv_compare_and_set;
    kv->remove = kv_remove;
    kv->list = kv_list;
    kv->watch = kv_watch;
}

void sqlite_host_set_worlds(sqlite_host *h, psh_worlds *worlds) {
    h->worlds = worlds;
}

const char *sqlite_host_message(sqlite_host *h) {
    return h->message;
}

psh_status sqlite_host_exec(sqlite_host *h, const char *sql) {
    if (h->session && !h->recording)
        h->recording = sqlite3session_enable(h->session, 1);
    return host_exec(h, sql);
}

uint64_t sqlite_host_position(const sqlite_host *h) {
    return h->position;
}

/* The host's own tables, and what triggers write to replicas, are not the application's changes. */
static int is_partition_table(void *user, const char *name) {
    const sqlite_host *h = user;
    size_t i;

    for (i = 0; i < h->directory.replica_count; i++)
        if (strcmp(h->directory.replicas[i].name, name) == 0)
            return 0;
    return strncmp(name, "psh_", 4) != 0;
}

psh_status sqlite_host_begin(sqlite_host *h, int64_t commit_time) {
    psh_status st;

    if (h->session)
        return host_fail(h, PSH_E_STATE, "a commit is open already");
    if (commit_time < h->commit_time)
        return host_fail(h, PSH_E_TIME, "commit time goes back");
    st = host_run(h, KEPT_BEGIN);
    if (st != PSH_OK)
        return st;
    if (sqlite3session_create(h->db, "main", &h->session) != SQLITE_OK) {
        st = host_error(h);
        sqlite_host_rollback(h);
        return st;
    }
    sqlite3session_table_filter(h->session, is_partition_table, h);
    if (sqlite3session_attach(h->session, NULL) != SQLITE_OK) {
        sqlite_host_rollback(h);
        return host_fail(h, PSH_E_NOMEM, "SQLite: no memory for the session");
    }
    sqlite3session_enable(h->session, 0);
    h->recording = 0;
    h->lost = PSH_OK;
    psh_change_batch_clear(h->batch);
    h->pending_time = commit_time;
    return PSH_OK;
}

void sqlite_host_rollback(sqlite_host *h) {
    if (h->session)
        sqlite3session_delete(h->session);
    h->session = NULL;
    if (h->db && !sqlite3_get_autocommit(h->db))
        sqlite3_exec(h->db, "ROLLBACK", NULL, NULL, NULL);
}

static psh_status prepare_insert(sqlite_host *h, directory_entry *e) {
    char sql[NAME_SIZE + 256];
    psh_table_spec t;
    size_t n, i;

    if (psh_schema_table(h->schema, e->table, &t) != PSH_OK || t.column_count > 64)
        return host_fail(h, PSH_E_INVALID, "the table is unknown or has more than 64 columns");
    sqlite3_snprintf((int)sizeof sql, sql, "INSERT INTO %s.\"%w\" VALUES(", host_schema_name(e->tier), e->name);
    n = strlen(sql);
    for (i = 0; i < t.column_count; i++)
        n += (size_t)snprintf(sql + n, sizeof sql - n, "%s?", i ? "," : "");
    snprintf(sql + n, sizeof sql - n, ")");
    return host_prepare(h, sql, &e->insert);
}

/*
 * The row is at hand: no session need find it again. Once the application runs SQL the session sees all that
 * follows, since only it knows what becomes of a row that is changed several times in one commit.
 */
static psh_status note_insert(sqlite_host *h, const directory_entry *e, const psh_value *row, int columns) {
    psh_change c;
    psh_status st;

    if (h->recording || e->tier || h->lost != PSH_OK)
        return PSH_OK;
    memset(&c, 0, sizeof c);
    c.op = PSH_CHANGE_INSERT;
    c.table = e->table;
    c.source = SOURCE;
    c.position = h->position + 1;
    c.sequence = psh_change_batch_count(h->batch);
    c.commit_time = h->pending_time;
    c.after = row;
    c.column_count = (size_t)columns;
    st = psh_change_batch_append(h->batch, &c, NULL);
    h->lost = st;
    return st == PSH_OK ? st : host_fail(h, st, psh_status_text(st));
}

psh_status sqlite_host_insert(sqlite_host *h, const psh_partition *partition, const psh_value *row) {
    directory_entry *e;
    psh_status st = PSH_OK;
    int i, n, rc;

    if (!h->session)
        return host_fail(h, PSH_E_STATE, "no commit is open");
    e = sources_for_row(h, partition, row);
    if (!e)
        return host_fail(h, PSH_E_NOT_FOUND, "the partition has no table");
    if (!e->insert && (st = prepare_insert(h, e)) != PSH_OK)
        return st;
    n = sqlite3_bind_parameter_count(e->insert);
    for (i = 0; st == PSH_OK && i < n; i++)
        st = host_bind(h, e->insert, i + 1, &row[i]);
    if (st == PSH_OK) {
        rc = sqlite3_step(e->insert);
        if (rc != SQLITE_DONE) {
            st = host_error(h);
            if (sqlite3_extended_errcode(h->db) == SQLITE_CONSTRAINT_PRIMARYKEY)
                st = PSH_E_EXISTS;
        }
    }
    sqlite3_reset(e->insert);
    if (st == PSH_OK)
        st = note_insert(h, e, row, n);
    return st;
}

static psh_status store_outbox(sqlite_host *h, uint64_t position) {
    sqlite3_stmt *stmt;
    psh_status st;

    psh_buffer_clear(h->scratch);
    st = psh_change_batch_save(h->batch, h->scratch);
    if (st != PSH_OK)
        return host_fail(h, st, "the changes cannot be saved");
    st = host_kept(h, KEPT_OUTBOX, &stmt);
    if (st != PSH_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)position);
    sqlite3_bind_blob64(stmt, 2, psh_buffer_data(h->scratch), psh_buffer_size(h->scratch), SQLITE_STATIC);
    st = host_step(h, stmt);
    if (st == PSH_OK)
        st = host_store_meta(h, "position", (int64_t)position);
    return st == PSH_OK ? host_store_meta(h, "commit_time", h->pending_time) : st;
}

psh_status sqlite_host_commit(sqlite_host *h, uint64_t *position) {
    uint64_t next = h->position + 1;
    psh_status st;

    if (!h->session)
        return host_fail(h, PSH_E_STATE, "no commit is open");
    st = h->lost != PSH_OK ? host_fail(h, h->lost, "a change was lost") : changes_collect(h);
    sqlite3session_delete(h->session);
    h->session = NULL;
    if (st == PSH_OK && psh_change_batch_count(h->batch))
        st = store_outbox(h, next);
    if (st == PSH_OK)
        st = host_run(h, KEPT_COMMIT);
    if (st != PSH_OK) {
        sqlite_host_rollback(h);
        return st;
    }
    if (psh_change_batch_count(h->batch))
        h->position = next;
    h->commit_time = h->pending_time; /* an empty commit is a heartbeat */
    if (position)
        *position = h->position;
    return PSH_OK;
}

static psh_status pragma_number(sqlite_host *h, const char *database, const char *name, uint64_t *out) {
    char sql[64];
    sqlite3_stmt *stmt;
    psh_status st;

    snprintf(sql, sizeof sql, "PRAGMA %s.%s", database, name);
    st = host_prepare(h, sql, &stmt);
    if (st != PSH_OK)
        return st;
    *out = sqlite3_step(stmt) == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return PSH_OK;
}

static psh_status pages_bytes(sqlite_host *h, const char *database, uint64_t *out) {
    uint64_t pages, unused, size;
    psh_status st = pragma_number(h, database, "page_count", &pages);

    if (st == PSH_OK)
        st = pragma_number(h, database, "freelist_count", &unused);
    if (st == PSH_OK)
        st = pragma_number(h, database, "page_size", &size);
    if (st == PSH_OK)
        *out = (pages - unused) * size;
    return st;
}

psh_status sqlite_host_sizes(sqlite_host *h, uint64_t *main_bytes, uint64_t *archive_bytes) {
    psh_status st = pages_bytes(h, "main", main_bytes);

    return st == PSH_OK ? pages_bytes(h, "archive", archive_bytes) : st;
}
