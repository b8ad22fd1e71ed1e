/* SPDX-License-Identifier: MIT */
/*
 * Splits, merges and replicas. What main holds changes in one commit of main, directory and rows together. What the
 * archive holds is built there beside the old, committed, and becomes visible when main's directory names it.
 */
#include <stdio.h>
#include <string.h>

#include "rows.h"

int moves_is_move(uint32_t kind) {
    return kind >= PSH_ACT_SPLIT_PARTITION && kind <= PSH_ACT_RELEASE_NODE;
}

/* A table in the archive is not changed but made anew, under the other of two names. */
static void other_name(const char *name, char out[NAME_SIZE]) {
    size_t n = strlen(name);

    if (n > 2 && strcmp(name + n - 2, "_b") == 0)
        snprintf(out, NAME_SIZE, "%.*s", (int)(n - 2), name);
    else
        snprintf(out, NAME_SIZE, "%.*s_b", NAME_SIZE - 3, name);
}

psh_status moves_drop_replicas(sqlite_host *h, uint64_t id) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < h->directory.replica_count; i++)
        if (h->directory.replicas[i].id == id)
            st = rows_drop_table(h, rows_of_replica(&h->directory.replicas[i]));
    return st == PSH_OK ? directory_exec_id(h, "DELETE FROM psh_replicas WHERE id = ?1", id) : st;
}

/* ---- splits ---- */

/* @return PSH_OK, PSH_END (done before), an error */
static psh_status check_split(
    sqlite_host *h, const psh_action *a, directory_entry **child, directory_entry **parent) {
    *child = directory_find(h, a->want.subject);
    *parent = directory_find(h, a->want.source);
    if (*child && (*child)->holds)
        return PSH_END;
    if (!*child || !*parent)
        return host_fail(h, PSH_E_NOT_FOUND, "a split without its shadow or its parent");
    if (!(*parent)->holds || (*child)->arc_first <= (*parent)->arc_first ||
        ((*parent)->known && (*child)->arc_last != (*parent)->arc_last))
        return host_fail(h, PSH_E_STATE, "a split takes the end of its parent's arc");
    return PSH_OK;
}

static rows_arc arc_of(const directory_entry *e) {
    return (rows_arc){ e->table, 0, e->arc_first, e->arc_last };
}

/* What stays of a parent in the archive, under its other name. */
static psh_status rebuild_parent(
    sqlite_host *h, const psh_table_spec *t, const directory_entry *parent, const rows_arc *a) {
    char name[NAME_SIZE];
    rows_place rest = { 1, name };
    rows_arc all = { .table = parent->table, .all = 1 };
    psh_status st;

    other_name(parent->name, name);
    st = directory_create_table(h, 1, parent->table, name);
    if (st == PSH_OK)
        st = rows_delete(h, t, rest, &all);
    return st == PSH_OK ? rows_insert(h, t, rows_of_entry(parent), rest, a, 1, "INSERT") : st;
}

static psh_status prepare_split(sqlite_host *h, const psh_action *a) {
    directory_entry *child, *parent;
    psh_status st = check_split(h, a, &child, &parent);
    psh_table_spec t;
    rows_arc moved;

    if (st != PSH_OK || a->want.step < a->want.steps || (!child->tier && !parent->tier))
        return st == PSH_END ? PSH_OK : st;
    moved = arc_of(child);
    st = rows_table_of(h, child->table, &t);
    if (st == PSH_OK)
        st = rows_sync(h, &t, rows_of_entry(parent), rows_of_entry(child), &moved);
    return st == PSH_OK && parent->tier ? rebuild_parent(h, &t, parent, &moved) : st;
}

static psh_status switch_split(sqlite_host *h, const psh_action *a) {
    directory_entry *child, *parent;
    psh_status st = check_split(h, a, &child, &parent);
    char name[NAME_SIZE];
    psh_table_spec t;
    rows_arc moved;

    if (st != PSH_OK)
        return st == PSH_END ? PSH_OK : st;
    moved = arc_of(child);
    st = rows_table_of(h, child->table, &t);
    if (st == PSH_OK && a->want.step < a->want.steps)
        return rows_copy_some(h, &t, rows_of_entry(parent), rows_of_entry(child), &moved, a->want.resources.bytes);
    if (st == PSH_OK && !child->tier && !parent->tier)
        st = rows_sync(h, &t, rows_of_entry(parent), rows_of_entry(child), &moved);
    other_name(parent->name, name);
    if (st == PSH_OK)
        st = parent->tier ? rows_rename_entry(h, parent->id, 1, name) :
                            rows_delete(h, &t, rows_of_entry(parent), &moved);
    if (st == PSH_OK)
        st = rows_set_place(h, parent, parent->node, child->interval, child->arc_first - 1);
    return st == PSH_OK ? rows_set_place(h, child, child->node, child->interval, child->arc_last) : st;
}

/* ---- merges ---- */

static psh_status check_merge(
    sqlite_host *h, const psh_action *a, directory_entry **left, directory_entry **right) {
    *left = directory_find(h, a->want.subject);
    *right = directory_find(h, a->want.source);
    if (!*left)
        return host_fail(h, PSH_E_NOT_FOUND, "a merge into a partition without table");
    if (!*right)
        return PSH_END;
    if (!(*left)->known || !(*left)->holds || !(*right)->holds || (*left)->table != (*right)->table ||
        (*left)->interval != (*right)->interval || (*left)->arc_last + 1 != (*right)->arc_first ||
        !(*right)->arc_first)
        return host_fail(h, PSH_E_STATE, "a merge is of two neighbours that hold their rows");
    return PSH_OK;
}

static psh_status prepare_merge(sqlite_host *h, const psh_action *a) {
    directory_entry *left, *right;
    psh_status st = check_merge(h, a, &left, &right);
    char name[NAME_SIZE];
    rows_place both = { 1, name };
    psh_table_spec t;
    rows_arc all = { .all = 1 };

    if (st != PSH_OK || !left->tier)
        return st == PSH_END ? PSH_OK : st;
    other_name(left->name, name);
    st = rows_table_of(h, left->table, &t);
    if (st == PSH_OK)
        st = directory_create_table(h, 1, left->table, name);
    if (st == PSH_OK)
        st = rows_delete(h, &t, both, &all);
    if (st == PSH_OK)
        st = rows_insert(h, &t, rows_of_entry(left), both, &all, 0, "INSERT");
    return st == PSH_OK ? rows_insert(h, &t, rows_of_entry(right), both, &all, 0, "INSERT") : st;
}

static psh_status switch_merge(sqlite_host *h, const psh_action *a) {
    directory_entry *left, *right;
    psh_status st = check_merge(h, a, &left, &right);
    char name[NAME_SIZE];
    psh_table_spec t;
    rows_arc all = { .all = 1 };

    if (st != PSH_OK)
        return st == PSH_END ? PSH_OK : st;
    other_name(left->name, name);
    st = rows_table_of(h, left->table, &t);
    if (st == PSH_OK)
        st = left->tier ? rows_rename_entry(h, left->id, 1, name) :
                          rows_insert(h, &t, rows_of_entry(right), rows_of_entry(left), &all, 0, "INSERT");
    if (st == PSH_OK)
        st = rows_drop_table(h, rows_of_entry(right));
    if (st == PSH_OK)
        st = moves_drop_replicas(h, right->id);
    if (st == PSH_OK)
        st = directory_exec_id(h, "DELETE FROM psh_partitions WHERE id = ?1", right->id);
    if (st == PSH_OK)
        st = directory_exec_id(h, "DELETE FROM psh_places WHERE id = ?1", right->id);
    return st == PSH_OK ? rows_set_place(h, left, left->node, left->interval, right->arc_last) : st;
}

static psh_status release_node(sqlite_host *h, uint32_t node) {
    size_t i;

    for (i = 0; i < h->directory.count; i++)
        if (h->directory.entries[i].known && h->directory.entries[i].node == node)
            return host_fail(h, PSH_E_STATE, "a partition is on that node");
    for (i = 0; i < h->directory.replica_count; i++)
        if (h->directory.replicas[i].node == node)
            return host_fail(h, PSH_E_STATE, "a replica is on that node");
    return PSH_OK;
}

psh_status moves_prepare(sqlite_host *h, const psh_action *a) {
    psh_status st;

    if (a->want.kind != PSH_ACT_SPLIT_PARTITION && a->want.kind != PSH_ACT_MERGE_PARTITION)
        return PSH_OK;
    st = host_exec(h, "BEGIN IMMEDIATE");
    if (st == PSH_OK)
        st = a->want.kind == PSH_ACT_SPLIT_PARTITION ? prepare_split(h, a) : prepare_merge(h, a);
    if (st == PSH_OK)
        st = host_exec(h, "COMMIT");
    if (st != PSH_OK)
        sqlite_host_rollback(h);
    return st;
}

psh_status moves_switch(sqlite_host *h, const psh_action *a) {
    switch (a->want.kind) {
    case PSH_ACT_SPLIT_PARTITION:
        return switch_split(h, a);
    case PSH_ACT_MERGE_PARTITION:
        return switch_merge(h, a);
    case PSH_ACT_REPLICATE_PARTITION:
        return replicas_copy(h, a);
    case PSH_ACT_PROMOTE_PARTITION:
        return replicas_promote(h, a);
    case PSH_ACT_DROP_REPLICA:
        return replicas_drop(h, a);
    case PSH_ACT_ADD_NODE:
        return PSH_OK;
    case PSH_ACT_RELEASE_NODE:
        return release_node(h, a->want.node);
    default:
        return host_fail(h, PSH_E_UNSUPPORTED, "an action of a kind that this host does not know");
    }
}
