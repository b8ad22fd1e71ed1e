/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <string.h>

sim_table *sim_find(sim_host *h, uint64_t id) {
    size_t i;

    for (i = 0; i < h->table_count; i++)
        if (h->tables[i].id == id)
            return &h->tables[i];
    return NULL;
}

static int was_done(const sim_host *h, uint64_t id) {
    size_t i;

    for (i = 0; i < h->done_count; i++)
        if (h->done[i] == id)
            return 1;
    return 0;
}

static void remove_table(sim_host *h, sim_table *t) {
    *t = h->tables[--h->table_count];
}

static int has_rows(const sim_host *h, uint64_t table) {
    size_t i;

    for (i = 0; i < h->row_count; i++)
        if (h->rows[i].table == table)
            return 1;
    return 0;
}

static psh_status create(sim_host *h, const psh_want *w) {
    sim_table *t = sim_find(h, w->subject);

    if (t && has_rows(h, t->id))
        return t->node == w->node ? PSH_OK : PSH_E_STATE;
    if (t)
        remove_table(h, t); /* planned anew after nobody had heard of the first: no world ever sent a row there */
    if (h->table_count == SIM_TABLES)
        return PSH_E_LIMIT;
    t = &h->tables[h->table_count++];
    memset(t, 0, sizeof *t);
    t->id = w->subject;
    t->from = w->time_from;
    t->to = w->time_to;
    t->first = w->arc_first;
    t->last = w->arc_last;
    t->node = w->node;
    t->quarantine = w->subject == psh_quarantine_id(w->table);
    return PSH_OK;
}

/* Rows of points first..last go from one table to another. */
static void move_rows(sim_host *h, uint64_t from, uint64_t to, uint64_t first, uint64_t last) {
    size_t i;

    for (i = 0; i < h->row_count; i++)
        if (h->rows[i].table == from && h->rows[i].point >= first && h->rows[i].point <= last)
            h->rows[i].table = to;
}

static psh_status split(sim_host *h, const psh_want *w) {
    sim_table *child = sim_find(h, w->subject), *source = sim_find(h, w->source);

    if (!child)
        return PSH_E_NOT_FOUND;
    if (child->open || w->step < w->steps)
        return PSH_OK;
    if (!source || source->last != child->last || source->first >= child->first)
        return PSH_E_NOT_FOUND;
    move_rows(h, source->id, child->id, child->first, child->last);
    source->last = child->first - 1;
    child->open = 1;
    return PSH_OK;
}

static psh_status merge(sim_host *h, const psh_want *w) {
    sim_table *left = sim_find(h, w->subject), *right = sim_find(h, w->source);

    if (!left)
        return PSH_E_NOT_FOUND;
    if (!right)
        return left->last == w->arc_last ? PSH_OK : PSH_E_NOT_FOUND;
    if (left->last + 1 != right->first || left->node != right->node)
        return PSH_E_NOT_FOUND;
    move_rows(h, right->id, left->id, 0, UINT64_MAX);
    left->last = right->last;
    remove_table(h, right);
    return PSH_OK;
}

static psh_status copy(sim_host *h, const psh_want *w) {
    sim_table *t = sim_find(h, w->subject);
    uint32_t bit = 1u << w->node;

    if (!t)
        return PSH_E_NOT_FOUND;
    if (w->kind == PSH_ACT_DROP_REPLICA) {
        t->replicas &= ~bit;
    } else if (w->kind == PSH_ACT_REPLICATE_PARTITION) {
        t->replicas |= w->step == w->steps && t->node != w->node ? bit : 0;
    } else if (t->node != w->node) {
        if (!(t->replicas & bit))
            return PSH_E_NOT_FOUND;
        t->replicas = (t->replicas & ~bit) | 1u << t->node;
        t->node = w->node;
    }
    return PSH_OK;
}

static psh_status carry_out(sim_host *h, const psh_want *w) {
    sim_table *t = sim_find(h, w->subject);

    switch (w->kind) {
    case PSH_ACT_CREATE_PARTITION:
        return create(h, w);
    case PSH_ACT_ACTIVATE_PARTITION:
        if (t)
            t->open = 1;
        return t ? PSH_OK : PSH_E_NOT_FOUND;
    case PSH_ACT_DROP_PARTITION:
        if (t)
            remove_table(h, t);
        return PSH_OK;
    case PSH_ACT_SPLIT_PARTITION:
        return split(h, w);
    case PSH_ACT_MERGE_PARTITION:
        return merge(h, w);
    case PSH_ACT_REPLICATE_PARTITION:
    case PSH_ACT_PROMOTE_PARTITION:
    case PSH_ACT_DROP_REPLICA:
        return copy(h, w);
    default:
        return PSH_OK;
    }
}

psh_status sim_act(sim_host *h, const psh_action *a) {
    psh_status st;

    if (a->fence < h->fence) {
        h->fenced++;
        return PSH_E_FENCED;
    }
    h->fence = a->fence;
    if (a->want.kind > PSH_ACT_ACTIVATE_PARTITION && was_done(h, a->id)) /* those two are goals, done again */
        return PSH_OK;
    st = carry_out(h, &a->want);
    if (st == PSH_OK && h->done_count < SIM_DONE)
        h->done[h->done_count++] = a->id;
    return st;
}

psh_status sim_write(sim_host *h, uint64_t partition, uint32_t node, uint64_t point, int64_t time) {
    sim_table *t = sim_find(h, partition);

    if (!t || !t->open || t->node != node)
        return PSH_E_STATE;
    if (!t->quarantine && (time < t->from || time >= t->to || point < t->first || point > t->last))
        return PSH_E_STATE;
    if (h->row_count < SIM_ROWS)
        h->rows[h->row_count++] = (sim_row){ point, time, partition };
    return PSH_OK;
}

static int overlaps(const sim_table *a, const sim_table *b) {
    return a->open && b->open && !a->quarantine && !b->quarantine && a->from < b->to && b->from < a->to &&
           a->first <= b->last && b->first <= a->last;
}

static const char *check_row(const sim_host *h, const sim_row *r) {
    size_t i;

    for (i = 0; i < h->table_count; i++)
        if (h->tables[i].id == r->table)
            break;
    if (i == h->table_count)
        return "a row was lost with its table";
    if (!h->tables[i].quarantine && (r->point < h->tables[i].first || r->point > h->tables[i].last))
        return "a row lies where its key does not belong";
    return NULL;
}

const char *sim_check(const sim_host *h) {
    const char *bad = NULL;
    size_t i, j;

    for (i = 0; i < h->table_count; i++)
        for (j = i + 1; j < h->table_count; j++)
            if (overlaps(&h->tables[i], &h->tables[j]))
                return "two partitions take the same key";
    for (i = 0; !bad && i < h->row_count; i++)
        bad = check_row(h, &h->rows[i]);
    return bad;
}
