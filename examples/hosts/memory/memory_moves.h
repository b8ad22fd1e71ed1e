/* SPDX-License-Identifier: MIT */
/** @file memory_moves.h  Inside the memory host: splits, merges and copies of tables; where rows are meanwhile. */
#ifndef MEMORY_MOVES_H
#define MEMORY_MOVES_H

#include "memory_rows.h"

/** Frees a copy and takes it out of its table. */
void memory_drop_copy(memory_table *t, memory_copy *c);
/** Forgets what was copied for a split into a partition. */
void memory_forget_copies_into(memory_rows *m, uint64_t child);

/** Where a row stands on the ring. */
uint64_t memory_point(const memory_rows *m, uint32_t table, const psh_value *row);
/** The table that a row for `partition` goes to: that one, or the one that owns its key by now. NULL if none. */
memory_table *memory_table_for(const memory_rows *m, uint64_t partition, uint32_t table, const psh_value *row);

/** A table that holds rows of a partition that was asked for; `clip`: only those within first..last. */
typedef struct memory_source {
    const memory_table *t;
    int clip;
    uint64_t first;
    uint64_t last;
} memory_source;
/**
 * The tables that hold a partition's rows now, each row in one of them: other ones than its own, where it was split
 * or merged since the world that the caller looked at.
 * @param at  place to go on from, 0 at first
 * @return 1 with *out, or 0 when there is no more
 */
int memory_next_source(const memory_rows *m, const psh_partition *p, size_t *at, memory_source *out);
/** The rows to read at a node: a ready replica's there, else the table's own. Shape [t->count]. */
memory_row *const *memory_rows_at(const memory_table *t, uint32_t node);

/** Bytes that a table and its ready replicas fill at a node and tier. */
uint64_t memory_bytes_at(const memory_table *t, uint32_t node, uint32_t tier);

/** Carries out a split, merge or copy, or refuses it whole. */
psh_status memory_carry_out(memory_rows *m, const psh_want *want);

#endif
