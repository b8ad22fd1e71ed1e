/* SPDX-License-Identifier: MIT */
/**
 * @file store.h  A database of the SQLite host, read only and at one moment.
 *
 * The host itself repairs and tidies what it opens, which would disturb a run that is under way. This reads the
 * same tables inside one transaction of SQLite, so that root, blobs, checkpoint and rows are of one moment.
 */
#ifndef TOOL_MAP_STORE_H
#define TOOL_MAP_STORE_H

#include <sqlite3.h>

#include <predshard.h>

#include "options.h"

typedef struct store {
    sqlite3 *db;
    const char *path;
    char archive[1024];
    int has_archive;  /* it is attached */
    char message[200]; /* why the last callback failed */
} store;

/** @return EXIT_DONE, EXIT_NO_INPUT, EXIT_BAD_INPUT (no database, or none with a map), EXIT_STORAGE */
int store_open(store *s, const map_options *o, failure *f);
/** Also after a failed open. */
void store_close(store *s);
/** Callbacks that read; every one that writes refuses. */
void store_tables(store *s, psh_storage *storage, psh_kv *kv);
/** A failed statement of SQLite. @return EXIT_STORAGE, EXIT_BAD_INPUT (the file is damaged) */
int store_fail(const store *s, failure *f);
/** @return the statement or NULL with f set. */
sqlite3_stmt *store_query(store *s, const char *sql, failure *f);
/** A number of psh_meta; 0 where there is none. */
int64_t store_meta(store *s, const char *key);

#endif
