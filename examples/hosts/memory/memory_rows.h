/* SPDX-License-Identifier: MIT */
/** @file memory_rows.h  Inside the memory host: tables of rows, an index by key, the log of changes. */
#ifndef MEMORY_ROWS_H
#define MEMORY_ROWS_H

#include <predshard.h>

/** One row, owned. The change log and a table each hold a copy of their own. */
typedef struct memory_row {
    struct memory_row *next; /**< in its bucket of the index */
    uint64_t hash;           /**< of the key columns */
    uint64_t partition;      /**< the table that holds it */
    size_t place;            /**< its place there */
    size_t bytes;            /**< payload */
    psh_value values[];      /**< Shape [columns of the table]; texts follow */
} memory_row;

/** A second copy of a table's rows, or of those that a split takes: rows[i] is of the table's rows[i], or NULL. */
typedef struct memory_copy {
    uint64_t into; /**< the shadow that a split fills; 0 = a replica */
    uint32_t node;
    uint32_t tier;
    int ready;     /**< a replica that has every row and follows each change */
    memory_row **rows;
    size_t capacity;
} memory_copy;

/** One partition. */
typedef struct memory_table {
    uint64_t partition;
    uint32_t table;
    uint32_t node;
    uint32_t tier;
    int holds;           /**< 0: a shadow that a split has not filled yet */
    int recut;           /**< its arc is another than at its creation: splits, merges */
    int quarantine;
    int64_t interval;
    uint64_t arc_first;  /**< of the rows it holds */
    uint64_t arc_last;
    memory_copy *copies;
    size_t copy_count, copy_capacity;
    memory_row **rows;
    size_t count;
    size_t capacity;
    uint64_t bytes;
} memory_table;

typedef struct memory_change {
    uint32_t op;
    uint32_t table;
    uint64_t position;
    uint64_t sequence;
    uint64_t origin;
    int64_t commit_time;
    memory_row *before;
    memory_row *after;
} memory_change;

typedef struct memory_rows {
    psh_schema *schema;
    psh_worlds *worlds; /* that tell where tenants stand on the ring; or NULL */
    memory_table *tables;
    size_t table_count, table_capacity;
    memory_row **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t row_count;
    uint64_t dropped; /* rows that went with their tables */
    memory_change *log; /* in order of position and sequence */
    size_t log_count, log_capacity;
    uint64_t position;    /* of the last commit */
    int64_t commit_time;  /* of the last commit */
    uint64_t sequence;    /* changes of the open commit */
    int open;             /* 1 between begin and commit */
    int64_t open_time;
} memory_rows;

/** Grows an array of elements. @return PSH_OK, PSH_E_NOMEM. */
psh_status memory_reserve(void **p, size_t *capacity, size_t need, size_t element);
void memory_rows_free(memory_rows *m);
memory_table *memory_find_table(const memory_rows *m, uint64_t partition);
/** @return PSH_OK, also when it is there; PSH_E_NOMEM. */
psh_status memory_create_table(memory_rows *m, const psh_want *want);
/** Moves a table to the node and tier of `to`, or deletes it (NULL); its rows are logged as deletes of `origin`. */
psh_status memory_move_table(memory_rows *m, memory_table *t, uint64_t origin, int64_t now, const psh_want *to);
/** A copy of one row; NULL if memory is short. */
memory_row *memory_copy_row(const psh_value *row, size_t columns);
/** Room for n rows more in a table and its copies, whose slots for them are filled: the last of `rows` first. */
psh_status memory_prepare(memory_rows *m, memory_table *t, const psh_value *const *rows, size_t n);
/** Puts a row into a table that was prepared for it. */
void memory_link_row(memory_rows *m, memory_table *t, memory_row *r);
/** Takes a row out of its table and of the table's copies. */
void memory_unlink_row(memory_rows *m, memory_table *t, memory_row *r);
/** Forgets a table without rows. */
void memory_remove_table(memory_rows *m, memory_table *t);
psh_status memory_put(memory_rows *m, uint64_t partition, uint32_t table, const psh_value *row);
psh_status memory_change_row(memory_rows *m, uint32_t table, const psh_value *row, int remove);
/** Forgets changes at or before a position. */
void memory_forget(memory_rows *m, uint64_t position);

#endif
