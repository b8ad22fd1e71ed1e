/* SPDX-License-Identifier: MIT */
/* What differs between two worlds; what they share is not looked at. */
#include <string.h>

#include "base/error.h"
#include "value/view.h"
#include "value/world.h"

/* Two sorted arrays, element by element: those of one side come with NULL on the other. */
typedef struct pairing {
    const unsigned char *a, *b;
    size_t n, k; /* elements left */
    size_t size;
    int (*compare)(const void *, const void *);
    const void *before, *after; /* the pair */
} pairing;

/* @return 0 at the end. Pairs may be equal. */
static int next_pair(pairing *p) {
    int c = !p->n ? 1 : !p->k ? -1 : p->compare(p->a, p->b);

    if (!p->n && !p->k)
        return 0;
    p->before = c <= 0 ? p->a : NULL;
    p->after = c >= 0 ? p->b : NULL;
    if (p->before) {
        p->a += p->size;
        p->n--;
    }
    if (p->after) {
        p->b += p->size;
        p->k--;
    }
    return 1;
}

static uint32_t op_of(const pairing *p) {
    return !p->before ? PSH_DIFF_ADDED : !p->after ? PSH_DIFF_REMOVED : PSH_DIFF_CHANGED;
}

static int differs(const pairing *p) {
    return !p->before || !p->after || memcmp(p->before, p->after, p->size) != 0;
}

typedef struct partition_diff {
    psh_partition_diff each;
    void *user;
} partition_diff;

static int compare_partitions(const void *a, const void *b) {
    return pshi_partition_compare(a, b);
}

static psh_status diff_spans(const partition_diff *d, const pshi_span *before, const pshi_span *after) {
    pairing p = { .size = sizeof(psh_partition), .compare = compare_partitions };
    psh_status st = PSH_OK;

    if (before == after)
        return PSH_OK;
    if (before) {
        p.a = before->block.more;
        p.n = before->block.count;
    }
    if (after) {
        p.b = after->block.more;
        p.k = after->block.count;
    }
    while (st == PSH_OK && next_pair(&p))
        if (differs(&p))
            st = d->each(d->user, op_of(&p), p.before, p.after);
    return st;
}

static psh_status diff_entries(void *user, const pshi_radix_entry *before, const pshi_radix_entry *after) {
    return diff_spans(user, before ? pshi_span_of(before) : NULL, after ? pshi_span_of(after) : NULL);
}

psh_status psh_world_diff(
    const psh_world *before, const psh_world *after, psh_partition_diff each, void *user) {
    partition_diff d = { each, user };
    psh_status st = PSH_OK;
    size_t i;

    if (!before || !after || !each || before->table_count != after->table_count)
        return PSH_E_INVALID;
    for (i = 0; st == PSH_OK && i < before->table_count; i++)
        st = pshi_radix_diff(&before->tables[i].spans, &after->tables[i].spans, diff_entries, &d);
    for (i = 0; st == PSH_OK && i < before->table_count; i++)
        st = diff_spans(&d, before->tables[i].quarantined, after->tables[i].quarantined);
    return st;
}

static void text_op(pshi_writer *w, uint32_t op) {
    static const char *const names[] = { "", "added ", "removed ", "changed " };

    pshi_text(w, names[op]);
}

static void text_number(pshi_writer *w, const char *name, uint64_t was, uint64_t is) {
    if (was == is)
        return;
    pshi_text(w, name);
    pshi_text_u64(w, was);
}

static void text_instant(pshi_writer *w, const char *name, int64_t was, int64_t is) {
    if (was == is)
        return;
    pshi_text(w, name);
    pshi_text_time(w, was);
}

/* What it was before, field by field as the dump names them. */
static void text_was(pshi_writer *w, const psh_partition *was, const psh_partition *is) {
    pshi_text(w, ", was");
    if (was->state != is->state) {
        pshi_text(w, " ");
        pshi_text(w, psh_partition_state_name(was->state));
    }
    text_number(w, " shard ", was->ordinal, is->ordinal);
    text_instant(w, " from ", was->time_from, is->time_from);
    text_instant(w, " to ", was->time_to, is->time_to);
    if (was->arc_last != is->arc_last) {
        pshi_text(w, " arc to ");
        pshi_text_hex(w, was->arc_last);
    }
    text_number(w, " node ", was->node, is->node);
    text_number(w, " tier ", was->tier, is->tier);
    text_number(w, " rows ", was->rows, is->rows);
    text_number(w, " bytes ", was->bytes, is->bytes);
    text_number(w, " planned ", was->bytes_planned, is->bytes_planned);
    text_number(w, " position ", was->last_position, is->last_position);
    text_instant(w, " created ", was->created_at, is->created_at);
    text_instant(w, " first write ", was->first_write, is->first_write);
}

static psh_status dump_partition(
    void *user, uint32_t op, const psh_partition *before, const psh_partition *after) {
    pshi_writer *w = user;

    text_op(w, op);
    pshi_partition_text(w, after ? after : before);
    if (op == PSH_DIFF_CHANGED)
        text_was(w, before, after);
    pshi_text(w, "\n");
    return w->status;
}

/* The lines of one pair, of which each text is a whole line. */
#define DUMP_PAIRS(w, p, type, text) \
    do { \
        while (next_pair(&(p))) { \
            if (!differs(&(p))) \
                continue; \
            text_op((w), op_of(&(p))); \
            text((w), (const type *)((p).after ? (p).after : (p).before)); \
        } \
    } while (0)

static psh_status dump_copies(void *user, const pshi_radix_entry *before, const pshi_radix_entry *after) {
    const pshi_copies *a = before ? pshi_copies_of(before) : NULL, *b = after ? pshi_copies_of(after) : NULL;
    pairing p = { .size = sizeof(psh_replica), .compare = pshi_replica_compare };
    pshi_writer *w = user;

    p.a = a ? (const unsigned char *)a->copies : NULL;
    p.n = a ? a->block.count : 0;
    p.b = b ? (const unsigned char *)b->copies : NULL;
    p.k = b ? b->block.count : 0;
    DUMP_PAIRS(w, p, psh_replica, pshi_replica_text);
    return w->status;
}

static int compare_moves(const void *x, const void *y) {
    const psh_assignment *a = x, *b = y;

    return a->from < b->from ? -1 : a->from > b->from;
}

static psh_status dump_moves(void *user, const pshi_radix_entry *before, const pshi_radix_entry *after) {
    const pshi_moves *a = before ? pshi_moves_of(before) : NULL, *b = after ? pshi_moves_of(after) : NULL;
    pairing p = { .size = sizeof(psh_assignment), .compare = compare_moves };
    pshi_writer *w = user;

    p.a = a ? (const unsigned char *)a->moves : NULL;
    p.n = a ? a->block.count : 0;
    p.b = b ? (const unsigned char *)b->moves : NULL;
    p.k = b ? b->block.count : 0;
    DUMP_PAIRS(w, p, psh_assignment, pshi_assignment_text);
    return w->status;
}

/* Views with one id have one definition, but may differ in what stands around it. */
static int views_differ(const pairing *p) {
    const psh_view_spec *a, *b;

    if (!p->before || !p->after)
        return 1;
    a = pshi_view_spec(*(psh_view *const *)p->before);
    b = pshi_view_spec(*(psh_view *const *)p->after);
    return a->level != b->level || a->store != b->store || a->retention != b->retention ||
           a->reach_ns != b->reach_ns || a->confidence < b->confidence || a->confidence > b->confidence ||
           strcmp(a->name, b->name) != 0;
}

static void dump_views(pshi_writer *w, const pshi_world_lists *a, const pshi_world_lists *b) {
    pairing p = { (const unsigned char *)a->views, (const unsigned char *)b->views, a->view_count, b->view_count,
                  sizeof(psh_view *), pshi_view_compare, NULL, NULL };
    psh_view *v;

    while (next_pair(&p)) {
        if (!views_differ(&p))
            continue;
        v = *(psh_view *const *)(p.after ? p.after : p.before);
        text_op(w, op_of(&p));
        pshi_text(w, "view ");
        pshi_text_hex(w, psh_view_id(v));
        pshi_text(w, " ");
        if (w->status == PSH_OK)
            w->status = psh_view_dump(v, w->out);
    }
}

static void dump_rest(pshi_writer *w, const psh_world *before, const psh_world *after) {
    const pshi_world_lists *a = &before->rest->lists, *b = &after->rest->lists;
    pairing tiers = { (const unsigned char *)a->tiers, (const unsigned char *)b->tiers, a->tier_count,
                      b->tier_count, sizeof(psh_tier_info), pshi_tier_info_compare, NULL, NULL };
    pairing parts = { (const unsigned char *)a->parts, (const unsigned char *)b->parts, a->part_count,
                      b->part_count, sizeof(psh_view_part), pshi_view_part_compare, NULL, NULL };

    if (before->rest == after->rest)
        return;
    DUMP_PAIRS(w, tiers, psh_tier_info, pshi_tier_info_text);
    dump_views(w, a, b);
    DUMP_PAIRS(w, parts, psh_view_part, pshi_view_part_text);
}

static void dump_epochs(pshi_writer *w, const psh_world *before, const psh_world *after) {
    pshi_text(w, "world epoch ");
    pshi_text_u64(w, before->epoch);
    pshi_text(w, " time ");
    pshi_text_time(w, before->time);
    pshi_text(w, " -> epoch ");
    pshi_text_u64(w, after->epoch);
    pshi_text(w, " time ");
    pshi_text_time(w, after->time);
    pshi_text(w, "\n");
}

psh_status psh_world_diff_dump(const psh_world *before, const psh_world *after, psh_buffer *out) {
    pshi_writer text;
    size_t i;

    if (!before || !after || !out || before->table_count != after->table_count)
        return PSH_E_INVALID;
    text = pshi_write(out);
    dump_epochs(&text, before, after);
    (void)psh_world_diff(before, after, dump_partition, &text); /* failures stay in the writer */
    (void)pshi_radix_diff(&before->replicas, &after->replicas, dump_copies, &text);
    for (i = 0; i < before->table_count; i++)
        (void)pshi_radix_diff(&before->tables[i].assignments, &after->tables[i].assignments, dump_moves, &text);
    dump_rest(&text, before, after);
    return pshi_write_end(&text);
}
