/* SPDX-License-Identifier: MIT */
#include "memory_moves.h"

#include <stdlib.h>
#include <string.h>

void memory_drop_copy(memory_table *t, memory_copy *c) {
    size_t i;

    for (i = 0; i < t->count; i++)
        free(c->rows[i]);
    free(c->rows);
    *c = t->copies[--t->copy_count];
}

static memory_copy *find_copy(const memory_table *t, uint64_t into, uint32_t node) {
    size_t i;

    for (i = 0; i < t->copy_count; i++)
        if (t->copies[i].into == into && (into || t->copies[i].node == node))
            return &t->copies[i];
    return NULL;
}

void memory_forget_copies_into(memory_rows *m, uint64_t child) {
    memory_copy *c;
    size_t i;

    for (i = 0; i < m->table_count; i++) {
        c = find_copy(&m->tables[i], child, 0);
        if (c)
            memory_drop_copy(&m->tables[i], c);
    }
}

/* The copy there is, or a new one without rows. NULL if memory is short. */
static memory_copy *copy_of(memory_table *t, uint64_t into, const psh_want *want) {
    memory_copy *c = find_copy(t, into, want->node);
    void *p = t->copies;

    if (c)
        return c;
    if (memory_reserve(&p, &t->copy_capacity, t->copy_count + 1, sizeof *t->copies) != PSH_OK)
        return NULL;
    t->copies = p;
    c = &t->copies[t->copy_count];
    memset(c, 0, sizeof *c);
    c->rows = calloc(t->capacity + 1, sizeof *c->rows);
    if (!c->rows)
        return NULL;
    c->capacity = t->capacity + 1;
    c->into = into;
    c->node = want->node;
    c->tier = want->tier;
    t->copy_count++;
    return c;
}

uint64_t memory_point(const memory_rows *m, uint32_t table, const psh_value *row) {
    psh_world *world = m->worlds ? psh_worlds_current(m->worlds) : NULL;
    psh_table_spec spec;
    uint64_t tenant = 0;

    if (psh_schema_table(m->schema, table, &spec) != PSH_OK)
        return 0;
    if (spec.tenant_column != PSH_NONE)
        tenant = psh_tenant_id(&row[spec.tenant_column]);
    if (world)
        return psh_world_point(world, table, tenant, row[spec.time_column].as.i64);
    return psh_ring_point(tenant, 0);
}

static int is_within(uint64_t point, uint64_t first, uint64_t last) {
    return point >= first && point <= last;
}

memory_table *memory_table_for(const memory_rows *m, uint64_t partition, uint32_t table, const psh_value *row) {
    memory_table *t = memory_find_table(m, partition), *x;
    int64_t interval, from, to;
    psh_table_spec spec;
    uint64_t point;
    size_t i;

    if (t && t->holds && !t->recut)
        return t;
    if (psh_schema_table(m->schema, table, &spec) != PSH_OK)
        return NULL;
    point = memory_point(m, table, row);
    if (t && t->holds && is_within(point, t->arc_first, t->arc_last))
        return t;
    if (psh_schema_interval(m->schema, table, row[spec.time_column].as.i64, &interval, &from, &to) != PSH_OK)
        return NULL;
    for (i = 0; i < m->table_count; i++) {
        x = &m->tables[i];
        if (x->holds && !x->quarantine && x->table == table && x->interval == interval &&
            is_within(point, x->arc_first, x->arc_last))
            return x;
    }
    return NULL;
}

static int takes_part(const memory_table *t, const psh_partition *p) {
    return t->holds && !t->quarantine && t->table == p->table && t->interval == p->interval &&
           t->arc_first <= p->arc_last && p->arc_first <= t->arc_last;
}

/* Asked for as it is: the usual case. */
static int is_whole(const memory_table *t, const psh_partition *p) {
    return t->holds && (t->quarantine || (t->arc_first == p->arc_first && t->arc_last == p->arc_last));
}

int memory_next_source(const memory_rows *m, const psh_partition *p, size_t *at, memory_source *out) {
    const memory_table *t = memory_find_table(m, p->id), *x;

    memset(out, 0, sizeof *out);
    if (t && is_whole(t, p)) {
        out->t = t;
        return (*at)++ == 0;
    }
    while (*at < m->table_count) {
        x = &m->tables[(*at)++];
        if (!takes_part(x, p))
            continue;
        out->t = x;
        out->first = p->arc_first;
        out->last = p->arc_last;
        out->clip = x->arc_first < p->arc_first || x->arc_last > p->arc_last;
        return 1;
    }
    return 0;
}

memory_row *const *memory_rows_at(const memory_table *t, uint32_t node) {
    const memory_copy *c = t->node == node ? NULL : find_copy(t, 0, node);

    return c && c->ready ? c->rows : t->rows;
}

uint64_t memory_bytes_at(const memory_table *t, uint32_t node, uint32_t tier) {
    const memory_copy *c = find_copy(t, 0, node);
    uint64_t bytes = t->node == node && t->tier == tier ? t->bytes : 0;

    return c && c->ready && c->tier == tier ? bytes + t->bytes : bytes;
}

/* Copies rows of an arc that are not there yet, as long as they fit into `limit` bytes. */
static psh_status copy_some(
    const memory_rows *m, const memory_table *t, memory_copy *c, uint64_t first, uint64_t last, uint64_t limit) {
    psh_table_spec spec;
    uint64_t bytes = 0;
    size_t i;

    if (psh_schema_table(m->schema, t->table, &spec) != PSH_OK)
        return PSH_E_NOT_FOUND;
    for (i = 0; i < t->count; i++) {
        if (c->rows[i] || !is_within(memory_point(m, t->table, t->rows[i]->values), first, last))
            continue;
        if (t->rows[i]->bytes > limit - bytes)
            return PSH_OK;
        bytes += t->rows[i]->bytes;
        c->rows[i] = memory_copy_row(t->rows[i]->values, spec.column_count);
        if (!c->rows[i])
            return PSH_E_NOMEM;
    }
    return PSH_OK;
}

/* @return how many bytes a step may copy: the last one all that is missing */
static uint64_t limit_of(const psh_want *want) {
    if (want->step >= want->steps)
        return UINT64_MAX;
    return want->resources.bytes >= 0x1p63 ? UINT64_MAX : (uint64_t)want->resources.bytes;
}

/* Nothing fails from here on: rows that have a copy go, their copies stay, in the child. */
static void switch_rows(memory_rows *m, memory_table *parent, memory_copy *c, memory_table *child) {
    memory_row *r, *taken;
    size_t i = parent->count;

    while (i-- > 0) {
        taken = c->rows[i];
        if (!taken)
            continue;
        c->rows[i] = NULL;
        r = parent->rows[i];
        taken->hash = r->hash;
        memory_unlink_row(m, parent, r);
        free(r);
        memory_link_row(m, child, taken);
    }
    memory_drop_copy(parent, c);
    child->holds = child->recut = parent->recut = 1;
    parent->arc_last = child->arc_first - 1;
}

static psh_status split(memory_rows *m, const psh_want *want) {
    memory_table *child = memory_find_table(m, want->subject), *parent = memory_find_table(m, want->source);
    memory_copy *c;
    psh_status st;
    size_t i;

    if (child && child->holds)
        return PSH_OK;
    if (!child || !parent || !parent->holds)
        return PSH_E_NOT_FOUND;
    if (child->arc_first <= parent->arc_first || child->arc_last != parent->arc_last)
        return PSH_E_STATE;
    c = copy_of(parent, child->partition, want);
    st = c ? copy_some(m, parent, c, child->arc_first, child->arc_last, limit_of(want)) : PSH_E_NOMEM;
    if (st != PSH_OK || want->step < want->steps)
        return st;
    for (i = 0; i < parent->count; i++) {
        if (memory_point(m, parent->table, parent->rows[i]->values) >= child->arc_first)
            continue;
        free(c->rows[i]); /* its tenant stood elsewhere when it was copied */
        c->rows[i] = NULL;
    }
    st = memory_prepare(m, child, NULL, parent->count);
    if (st == PSH_OK)
        switch_rows(m, parent, c, child);
    return st;
}

static psh_status merge(memory_rows *m, const psh_want *want) {
    memory_table *left = memory_find_table(m, want->subject), *right = memory_find_table(m, want->source);
    const psh_value **rows;
    memory_row *r;
    psh_status st;
    size_t i;

    if (!left)
        return PSH_E_NOT_FOUND;
    if (!right)
        return PSH_OK; /* done before */
    if (!left->holds || !right->holds || left->table != right->table || left->interval != right->interval ||
        left->arc_last + 1 != right->arc_first || !right->arc_first)
        return PSH_E_STATE;
    rows = calloc(right->count + 1, sizeof *rows);
    if (!rows)
        return PSH_E_NOMEM;
    for (i = 0; i < right->count; i++)
        rows[i] = right->rows[i]->values;
    st = memory_prepare(m, left, rows, right->count);
    free(rows);
    if (st != PSH_OK)
        return st;
    while (right->count) {
        r = right->rows[right->count - 1];
        memory_unlink_row(m, right, r);
        memory_link_row(m, left, r);
    }
    left->arc_last = right->arc_last;
    left->recut = 1;
    memory_remove_table(m, right);
    return PSH_OK;
}

static psh_status replicate(memory_rows *m, const psh_want *want) {
    memory_table *t = memory_find_table(m, want->subject);
    memory_copy *c;
    psh_status st;

    if (!t)
        return PSH_E_NOT_FOUND;
    if (!t->holds)
        return PSH_E_STATE;
    if (t->node == want->node)
        return PSH_OK; /* promoted there since */
    c = copy_of(t, 0, want);
    if (!c)
        return PSH_E_NOMEM;
    if (c->ready)
        return PSH_OK;
    st = copy_some(m, t, c, 0, UINT64_MAX, limit_of(want));
    c->ready = st == PSH_OK && want->step >= want->steps;
    return st;
}

static psh_status promote(memory_rows *m, const psh_want *want) {
    memory_table *t = memory_find_table(m, want->subject), was;
    memory_row *r, **at;
    memory_copy *c;
    size_t i;

    if (!t)
        return PSH_E_NOT_FOUND;
    if (t->node == want->node)
        return PSH_OK;
    c = find_copy(t, 0, want->node);
    if (!c || !c->ready)
        return PSH_E_STATE;
    for (i = 0; i < t->count; i++) {
        r = t->rows[i];
        at = &m->buckets[r->hash & (m->bucket_count - 1)];
        while (*at != r)
            at = &(*at)->next;
        *at = c->rows[i];
        (*at)->next = r->next;
        (*at)->hash = r->hash;
        (*at)->partition = r->partition;
        (*at)->place = i;
    }
    was = *t;
    t->rows = c->rows;
    t->capacity = c->capacity;
    t->node = c->node;
    t->tier = c->tier;
    c->rows = was.rows;
    c->capacity = was.capacity;
    c->node = was.node;
    c->tier = was.tier;
    return PSH_OK;
}

static psh_status drop_replica(memory_rows *m, const psh_want *want) {
    memory_table *t = memory_find_table(m, want->subject);
    memory_copy *c = t ? find_copy(t, 0, want->node) : NULL;

    if (c)
        memory_drop_copy(t, c);
    else if (t && t->node == want->node)
        return PSH_E_STATE; /* the owner */
    return PSH_OK;
}

static psh_status release_node(const memory_rows *m, uint32_t node) {
    size_t i;

    for (i = 0; i < m->table_count; i++)
        if (m->tables[i].node == node || find_copy(&m->tables[i], 0, node))
            return PSH_E_STATE;
    return PSH_OK;
}

psh_status memory_carry_out(memory_rows *m, const psh_want *want) {
    switch (want->kind) {
    case PSH_ACT_SPLIT_PARTITION:
        return split(m, want);
    case PSH_ACT_MERGE_PARTITION:
        return merge(m, want);
    case PSH_ACT_REPLICATE_PARTITION:
        return replicate(m, want);
    case PSH_ACT_PROMOTE_PARTITION:
        return promote(m, want);
    case PSH_ACT_DROP_REPLICA:
        return drop_replica(m, want);
    case PSH_ACT_ADD_NODE: /* nodes are labels here */
        return PSH_OK;
    case PSH_ACT_RELEASE_NODE:
        return release_node(m, want->node);
    default:
        return PSH_E_UNSUPPORTED;
    }
}
