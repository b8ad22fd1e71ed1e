/* SPDX-License-Identifier: MIT */
/* Blobs, health. */
#include <string.h>

#include "internal.h"

psh_status storage_get(void *user, const char *name, psh_buffer *out) {
    sqlite_host *h = user;
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "SELECT data FROM psh_blobs WHERE name = ?1", &stmt);
    int rc;

    if (st != PSH_OK)
        return st;
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        st = psh_buffer_append(out, sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
    else
        st = rc == SQLITE_DONE ? PSH_E_NOT_FOUND : host_error(h);
    sqlite3_finalize(stmt);
    return st;
}

static psh_status write_blob(sqlite_host *h, const psh_blob_write *w) {
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(
        h,
        w->data ? "INSERT OR REPLACE INTO psh_blobs VALUES(?1, ?2)" : "DELETE FROM psh_blobs WHERE name = ?1", &stmt);

    if (st != PSH_OK)
        return st;
    sqlite3_bind_text(stmt, 1, w->name, -1, SQLITE_STATIC);
    if (w->data)
        sqlite3_bind_blob64(stmt, 2, w->data, w->size, SQLITE_STATIC);
    return host_finish(h, stmt);
}

psh_status storage_commit(void *user, const psh_blob_write *writes, size_t n) {
    sqlite_host *h = user;
    psh_status st;
    size_t i;

    if (h->session)
        return host_fail(h, PSH_E_STATE, "a checkpoint inside an open commit");
    st = host_exec(h, HOST_DURABLE);
    if (st == PSH_OK)
        st = host_exec(h, "BEGIN IMMEDIATE");
    for (i = 0; st == PSH_OK && i < n; i++)
        st = write_blob(h, &writes[i]);
    if (st == PSH_OK)
        st = host_exec(h, "COMMIT");
    if (st != PSH_OK)
        sqlite_host_rollback(h);
    (void)host_exec(h, HOST_RELAXED);
    return st;
}

psh_status storage_list(
    void *user, const char *prefix, psh_status (*each)(void *each_user, const char *name), void *each_user) {
    sqlite_host *h = user;
    sqlite3_stmt *stmt;
    psh_status st = host_prepare(h, "SELECT name FROM psh_blobs WHERE name >= ?1 ORDER BY name", &stmt);
    const char *name;
    int rc = SQLITE_DONE;

    if (st != PSH_OK)
        return st;
    sqlite3_bind_text(stmt, 1, prefix, -1, SQLITE_STATIC);
    while (st == PSH_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        name = (const char *)sqlite3_column_text(stmt, 0);
        if (strncmp(name, prefix, strlen(prefix)) != 0) {
            rc = SQLITE_DONE;
            break;
        }
        st = each(each_user, name);
    }
    if (st == PSH_OK && rc != SQLITE_DONE)
        st = host_error(h);
    sqlite3_finalize(stmt);
    return st;
}

psh_status storage_health(void *user, uint32_t node, uint32_t tier, psh_health *out) {
    sqlite_host *h = user;
    uint64_t main_bytes, archive_bytes;
    psh_status st;

    if (node > 0 || tier > 1)
        return PSH_E_NOT_FOUND;
    st = sqlite_host_sizes(h, &main_bytes, &archive_bytes);
    if (st != PSH_OK)
        return st;
    out->ok = 1;
    out->free_bytes = UINT64_MAX; /* the file system's business: a full disk fails the commit */
    out->used_bytes = tier ? archive_bytes : main_bytes;
    return PSH_OK;
}
