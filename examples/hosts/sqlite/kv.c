/* SPDX-License-Identifier: MIT */
/* Keys with versions. A key that is made anew begins above every version that was ever removed. */
#define _POSIX_C_SOURCE 200809L

#include <string.h>
#include <time.h>

#include "internal.h"

#define POLL_NS (10 * INT64_C(1000000)) /* between two looks at a key that is watched */

psh_status kv_get(void *user, const char *key, psh_buffer *out, uint64_t *version) {
    sqlite_host *h = user;
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "SELECT version, data FROM psh_kv WHERE key = ?1", &stmt);
    int rc;

    if (st != PSH_OK)
        return st;
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        st = psh_buffer_append(out, sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1));
        *version = (uint64_t)sqlite3_column_int64(stmt, 0);
    } else {
        st = rc == SQLITE_DONE ? PSH_E_NOT_FOUND : host_error(h);
    }
    sqlite3_finalize(stmt);
    return st;
}

/* Steps a statement that gives the new version of one row, or none; then finalizes it. */
static psh_status finish_version(sqlite_host *h, sqlite3_stmt *stmt, uint64_t *version) {
    int rc = sqlite3_step(stmt);

    *version = 0;
    if (rc == SQLITE_ROW) {
        *version = (uint64_t)sqlite3_column_int64(stmt, 0);
        rc = sqlite3_step(stmt); /* commits */
    }
    if (rc != SQLITE_DONE) {
        psh_status st = host_error(h);

        sqlite3_finalize(stmt);
        return st;
    }
    sqlite3_finalize(stmt);
    return *version ? PSH_OK : PSH_E_CONFLICT;
}

psh_status kv_compare_and_set(
    void *user, const char *key, uint64_t expected, const void *data, size_t size, uint64_t *version) {
    sqlite_host *h = user;
    sqlite3_stmt *stmt;
    uint64_t made;
    psh_status st = host_prepare(
        h,
        expected ? "UPDATE psh_kv SET version = ?2 + 1, data = ?3 WHERE key = ?1 AND version = ?2 RETURNING version" :
                   "INSERT OR IGNORE INTO psh_kv VALUES(?1,"
                   " ?2 + 1 + ifnull((SELECT value FROM psh_meta WHERE key = 'kv_removed'), 0), ?3) RETURNING version",
        &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64)expected);
    sqlite3_bind_blob64(stmt, 3, size ? data : "", size, SQLITE_STATIC);
    st = host_exec(h, HOST_DURABLE);
    if (st != PSH_OK) {
        sqlite3_finalize(stmt);
        return st;
    }
    st = finish_version(h, stmt, &made);
    (void)host_exec(h, HOST_RELAXED);
    if (st == PSH_OK)
        *version = made;
    return st;
}

/* The version of a key; 0 = there is none. */
static psh_status version_of(sqlite_host *h, const char *key, uint64_t *version) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "SELECT version FROM psh_kv WHERE key = ?1", &stmt);
    int rc;

    *version = 0;
    if (st != PSH_OK)
        return st;
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *version = (uint64_t)sqlite3_column_int64(stmt, 0);
    else if (rc != SQLITE_DONE)
        st = host_error(h);
    sqlite3_finalize(stmt);
    return st;
}

static psh_status remove_version(sqlite_host *h, const char *key, uint64_t version) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(
        h,
        "INSERT INTO psh_meta VALUES('kv_removed', ?1)"
        " ON CONFLICT(key) DO UPDATE SET value = max(value, excluded.value)",
        &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, (sqlite3_int64)version);
    st = host_finish(h, stmt);
    if (st == PSH_OK)
        st = host_prepare(h, "DELETE FROM psh_kv WHERE key = ?1", &stmt);
    if (st != PSH_OK)
        return st;
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    return host_finish(h, stmt);
}

psh_status kv_remove(void *user, const char *key, uint64_t expected) {
    sqlite_host *h = user;
    uint64_t version;
    psh_status st;

    if (h->session)
        return host_fail(h, PSH_E_STATE, "a key removed inside an open commit");
    st = host_exec(h, "BEGIN IMMEDIATE");
    if (st != PSH_OK)
        return st;
    st = version_of(h, key, &version);
    if (st == PSH_OK && version != expected)
        st = version ? PSH_E_CONFLICT : PSH_E_NOT_FOUND;
    if (st == PSH_OK && !version)
        st = PSH_E_NOT_FOUND;
    if (st == PSH_OK)
        st = remove_version(h, key, version);
    if (st == PSH_OK)
        st = host_exec(h, "COMMIT");
    if (st != PSH_OK)
        (void)sqlite3_exec(h->db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

psh_status kv_list(
    void *user, const char *prefix, psh_status (*each)(void *each_user, const char *key, uint64_t version),
    void *each_user) {
    sqlite_host *h = user;
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "SELECT key, version FROM psh_kv WHERE key >= ?1 ORDER BY key", &stmt);
    const char *key;
    int rc = SQLITE_DONE;

    if (st != PSH_OK)
        return st;
    sqlite3_bind_text(stmt, 1, prefix, -1, SQLITE_STATIC);
    while (st == PSH_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        key = (const char *)sqlite3_column_text(stmt, 0);
        if (strncmp(key, prefix, strlen(prefix)) != 0) {
            rc = SQLITE_DONE;
            break;
        }
        st = each(each_user, key, (uint64_t)sqlite3_column_int64(stmt, 1));
    }
    if (st == PSH_OK && rc != SQLITE_DONE)
        st = host_error(h);
    sqlite3_finalize(stmt);
    return st;
}

static int64_t elapsed_ns(const struct timespec *since) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return ((int64_t)now.tv_sec - since->tv_sec) * PSH_SECOND + (now.tv_nsec - since->tv_nsec);
}

/* SQLite tells no other connection of a write: the key is looked at again and again. */
psh_status kv_watch(void *user, const char *key, uint64_t version, int64_t wait_ns) {
    sqlite_host *h = user;
    struct timespec start, pause = { 0 };
    uint64_t found;
    int64_t left;
    psh_status st;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        st = version_of(h, key, &found);
        if (st != PSH_OK || found != version)
            return st;
        left = wait_ns - elapsed_ns(&start);
        if (left <= 0)
            return PSH_AGAIN;
        pause.tv_nsec = (long)(left < POLL_NS ? left : POLL_NS);
        nanosleep(&pause, NULL);
    }
}
