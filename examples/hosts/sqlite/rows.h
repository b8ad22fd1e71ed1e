/* SPDX-License-Identifier: MIT */
/** @file rows.h  Rows between tables of the two files: whole, step by step, or made equal. */
#ifndef SQLITE_HOST_ROWS_H
#define SQLITE_HOST_ROWS_H

#include "internal.h"

/** A table of either file. */
typedef struct rows_place {
    uint32_t tier;
    const char *name;
} rows_place;

/** The rows of an arc; all of them with `all`. */
typedef struct rows_arc {
    uint32_t table;
    int all;
    uint64_t first;
    uint64_t last;
} rows_arc;

/** The table of a partition. */
rows_place rows_of_entry(const directory_entry *e);
rows_place rows_of_replica(const directory_replica *r);
void rows_append_place(sqlite3_str *s, rows_place p);
/** Runs a text and frees it. */
psh_status rows_run(sqlite_host *h, sqlite3_str *s);
psh_status rows_table_of(sqlite_host *h, uint32_t table, psh_table_spec *t);
/** @param out  1: the rows that are not of the arc. @param verb  "INSERT", "INSERT OR IGNORE" */
psh_status rows_insert(
    sqlite_host *h, const psh_table_spec *t, rows_place from, rows_place to, const rows_arc *a, int out,
    const char *verb);
psh_status rows_delete(sqlite_host *h, const psh_table_spec *t, rows_place from, const rows_arc *a);
/** Makes a copy as its source is, writing only what differs. */
psh_status rows_sync(sqlite_host *h, const psh_table_spec *t, rows_place from, rows_place to, const rows_arc *a);
/** One step of a copy: the next rows that fit into `limit` bytes. */
psh_status rows_copy_some(
    sqlite_host *h, const psh_table_spec *t, rows_place from, rows_place to, const rows_arc *a, double limit);
/** Drops a table of main; one of the archive goes as an orphan, once main does not name it. */
psh_status rows_drop_table(sqlite_host *h, rows_place p);
/** Sets name and tier of a partition's table in the directory. */
psh_status rows_rename_entry(sqlite_host *h, uint64_t id, uint32_t tier, const char *name);
/** Sets node and the end of the arc that a partition holds. */
psh_status rows_set_place(sqlite_host *h, const directory_entry *e, uint32_t node, int64_t interval, uint64_t last);

/* replicas.c */
psh_status replicas_copy(sqlite_host *h, const psh_action *a);
psh_status replicas_promote(sqlite_host *h, const psh_action *a);
psh_status replicas_drop(sqlite_host *h, const psh_action *a);

#endif
