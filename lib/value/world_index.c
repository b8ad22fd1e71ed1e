/* SPDX-License-Identifier: MIT */
/* What routing would otherwise search for at every query: facts of tables and of view parts. */
#include "value/schema.h"
#include "value/view.h"
#include "value/world.h"

#include "base/env.h"

/* What the partitions of one interval say of the parts above them. */
typedef struct span_facts {
    uint64_t last_position; /* the latest write */
    int active;             /* one still takes writes */
} span_facts;

static void widen_table(pshi_table_index *t, int64_t from, int64_t to) {
    if (from < t->from)
        t->from = from;
    if (to > t->to)
        t->to = to;
}

/* Spans are sorted by table. */
static void index_table_spans(psh_world *w) {
    size_t n = psh_schema_table_count(w->schema), i, s = 0;
    pshi_table_index *t;

    for (i = 0; i < n; i++) {
        t = &w->tables[i];
        t->from = PSH_TIME_MAX;
        t->to = PSH_TIME_MIN;
        t->width = pshi_schema_get_table(w->schema, (uint32_t)i)->interval_ns;
        t->quarantine = PSH_NONE;
        t->span_first = s;
        for (; s < w->span_count && w->spans[s].table == i; s++)
            if (w->spans[s].owner_first < w->spans[s].owner_end)
                widen_table(t, w->spans[s].time_from, w->spans[s].time_to);
        t->span_end = s;
    }
}

/* Whole intervals, so that views without buckets are never cut. */
static void widen_by_rows(const psh_schema *s, pshi_table_index *t, const psh_partition *q) {
    int64_t first, last, id, unused;

    if (psh_schema_interval(s, q->table, q->time_from, &id, &first, &unused) != PSH_OK)
        first = PSH_TIME_MIN;
    if (psh_schema_interval(s, q->table, q->time_to - 1, &id, &unused, &last) != PSH_OK)
        last = PSH_TIME_MAX;
    widen_table(t, first, last);
}

/* Quarantines stand behind all other partitions. */
static void index_quarantines(psh_world *w) {
    const psh_partition *p;
    size_t i = w->lists.partition_count;

    for (; i > 0 && w->lists.partitions[i - 1].flags & PSH_PARTITION_QUARANTINE; i--) {
        p = &w->lists.partitions[i - 1];
        if (!pshi_partition_owns(p) || p->time_from >= p->time_to || (!p->rows && !p->last_position))
            continue;
        w->tables[p->table].quarantine = (uint32_t)(i - 1);
        widen_by_rows(w->schema, &w->tables[p->table], p);
    }
}

static void index_view(pshi_view_index *to, const psh_view *v, size_t i) {
    const psh_query *definition = pshi_view_spec(v)->definition;

    to->columns = *pshi_query_column_sets(definition);
    to->visibility = pshi_query_spec(definition)->visibility;
    to->bucket = pshi_query_spec(definition)->bucket_ns;
    to->view = i;
}

/* Counting sort: views of one table stay in the order of their ids. */
static void index_views(psh_world *w) {
    const pshi_world_lists *l = &w->lists;
    size_t n = psh_schema_table_count(w->schema), first = 0, i;
    pshi_table_index *t;

    for (i = 0; i < l->view_count; i++)
        w->tables[pshi_view_table(l->views[i])].view_end++;
    for (i = 0; i < n; i++) {
        t = &w->tables[i];
        t->view_first = first;
        first += t->view_end;
        t->view_end = t->view_first;
    }
    for (i = 0; i < l->view_count; i++) {
        t = &w->tables[pshi_view_table(l->views[i])];
        index_view(&w->views_by_table[t->view_end++], l->views[i], i);
        if (pshi_view_spec(l->views[i])->retention == PSH_RETAIN_OUTLIVES_BASE &&
            w->part_first[i] < w->part_first[i + 1])
            widen_table(t, l->parts[w->part_first[i]].time_from, l->parts[w->part_first[i + 1] - 1].time_to);
    }
}

static void gather_facts(const psh_world *w, span_facts *facts) {
    const psh_partition *p;
    size_t i;
    uint32_t k;

    for (i = 0; i < w->span_count; i++) {
        for (k = w->spans[i].first; k < w->spans[i].end; k++) {
            p = &w->lists.partitions[k];
            facts[i].active |= p->state == PSH_PARTITION_ACTIVE;
            if (p->last_position > facts[i].last_position)
                facts[i].last_position = p->last_position;
        }
    }
}

static int quarantine_is_later(const psh_world *w, uint32_t table, const psh_view_part *p) {
    const psh_partition *q;

    if (w->tables[table].quarantine == PSH_NONE)
        return 0;
    q = &w->lists.partitions[w->tables[table].quarantine];
    return q->time_from < p->time_to && p->time_from < q->time_to && q->last_position > p->position;
}

/* Whether rows of the interval can still come or have come after the part: its owners, and the quarantine. */
static uint8_t facts_of(
    const psh_world *w, const span_facts *facts, const psh_view *view, const psh_view_part *p) {
    uint32_t table = pshi_view_table(view);
    size_t s = pshi_world_first_span(w, table, p->time_from);
    int owned = pshi_view_spec(view)->retention == PSH_RETAIN_OUTLIVES_BASE;
    int later = quarantine_is_later(w, table, p);

    if (s < w->span_count && w->spans[s].table == table && w->spans[s].time_from == p->time_from) {
        owned |= w->spans[s].owner_first < w->spans[s].owner_end;
        later |= facts[s].active || facts[s].last_position > p->position;
    }
    return (uint8_t)((owned ? PSHI_PART_OWNED : 0) | (owned && !later ? PSHI_PART_SETTLED : 0));
}

static int goes_on(const psh_world *w, size_t part) {
    const psh_view_part *p = &w->lists.parts[part];

    return w->part_facts[part + 1] & PSHI_PART_SETTLED && p[1].time_from == p->time_to && p[1].node == p->node;
}

/* From behind: where a part is settled and so is the next, both end where that one ends. */
static void index_solid(psh_world *w, size_t first, size_t end) {
    size_t k;

    for (k = end; k-- > first;)
        w->part_solid[k] =
            k + 1 < end && w->part_facts[k] & PSHI_PART_SETTLED && goes_on(w, k) ? w->part_solid[k + 1] : k + 1;
}

static psh_status index_alloc(psh_world *w) {
    w->tables = pshi_calloc(w->env, psh_schema_table_count(w->schema), sizeof *w->tables);
    w->views_by_table = pshi_calloc(w->env, w->lists.view_count, sizeof *w->views_by_table);
    w->part_facts = pshi_calloc(w->env, w->lists.part_count, sizeof *w->part_facts);
    w->part_solid = pshi_calloc(w->env, w->lists.part_count, sizeof *w->part_solid);
    w->part_groups = pshi_calloc(w->env, w->lists.part_count + 1, sizeof *w->part_groups);
    return w->tables && w->views_by_table && w->part_facts && w->part_solid && w->part_groups ? PSH_OK
                                                                                             : PSH_E_NOMEM;
}

psh_status pshi_world_index(psh_world *w) {
    span_facts *facts = pshi_calloc(w->env, w->span_count, sizeof *facts);
    size_t i, k;

    if (!facts || index_alloc(w) != PSH_OK) {
        pshi_free(w->env, facts);
        return PSH_E_NOMEM;
    }
    index_table_spans(w);
    index_quarantines(w);
    index_views(w);
    gather_facts(w, facts);
    for (i = 0; i < w->lists.view_count; i++) {
        for (k = w->part_first[i]; k < w->part_first[i + 1]; k++)
            w->part_facts[k] = facts_of(w, facts, w->lists.views[i], &w->lists.parts[k]);
        index_solid(w, w->part_first[i], w->part_first[i + 1]);
    }
    for (k = 0; k < w->lists.part_count; k++)
        w->part_groups[k + 1] = w->part_groups[k] + w->lists.parts[k].groups;
    pshi_free(w->env, facts);
    return PSH_OK;
}
