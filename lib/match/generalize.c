/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <predshard/view.h>

#include "base/env.h"
#include "base/error.h"
#include "value/query.h"

/* Room for what the definition's spec points to; freed once the query has copied it. */
typedef struct broadened {
    psh_predicate *predicates;
    uint32_t *groups;
    psh_aggregate *aggregates;
} broadened;

static void broadened_free(psh_env *env, broadened *b) {
    pshi_free(env, b->predicates);
    pshi_free(env, b->groups);
    pshi_free(env, b->aggregates);
}

static psh_status broadened_alloc(psh_env *env, const psh_query_spec *q, broadened *b) {
    b->predicates = pshi_calloc(env, q->predicate_count, sizeof *b->predicates);
    b->groups = pshi_calloc(env, q->group_count + q->predicate_count, sizeof *b->groups);
    b->aggregates = pshi_calloc(env, q->aggregate_count, sizeof *b->aggregates);
    return b->predicates && b->groups && b->aggregates ? PSH_OK : PSH_E_NOMEM;
}

/* Inserts into a sorted list without duplicates. */
static size_t insert_column(uint32_t *list, size_t n, uint32_t column) {
    size_t at = n;

    while (at > 0 && list[at - 1] > column)
        at--;
    if (at > 0 && list[at - 1] == column)
        return n;
    memmove(list + at + 1, list + at, (n - at) * sizeof *list);
    list[at] = column;
    return n + 1;
}

static void broaden_predicates(const psh_query_spec *q, psh_query_spec *d, broadened *b) {
    size_t i;

    for (i = 0; i < q->group_count; i++)
        d->group_count = insert_column(b->groups, d->group_count, q->group_columns[i]);
    for (i = 0; i < q->predicate_count; i++) {
        if (q->predicates[i].op == PSH_OP_EQ || q->predicates[i].op == PSH_OP_IN)
            d->group_count = insert_column(b->groups, d->group_count, q->predicates[i].column);
        else
            b->predicates[d->predicate_count++] = q->predicates[i];
    }
}

static int aggregate_compare(const psh_aggregate *a, const psh_aggregate *b) {
    if (a->fn != b->fn)
        return a->fn < b->fn ? -1 : 1;
    return a->column < b->column ? -1 : a->column > b->column;
}

/* Sorted and each once, so that queries that differ in their order alone ask for one view. */
static void keep_aggregates(const psh_query_spec *q, psh_query_spec *d, broadened *b) {
    size_t i, at;

    for (i = 0; i < q->aggregate_count; i++) {
        for (at = d->aggregate_count; at > 0; at--)
            if (aggregate_compare(&b->aggregates[at - 1], &q->aggregates[i]) <= 0)
                break;
        if (at > 0 && aggregate_compare(&b->aggregates[at - 1], &q->aggregates[i]) == 0)
            continue;
        memmove(b->aggregates + at + 1, b->aggregates + at, (d->aggregate_count - at) * sizeof *b->aggregates);
        b->aggregates[at] = q->aggregates[i];
        d->aggregate_count++;
    }
}

static psh_status check_broadening(const psh_query_spec *q, int64_t bucket_ns, psh_error *err) {
    if (!q->group_count && !q->aggregate_count && !q->bucket_ns)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "q", "a detail query has no view");
    if (bucket_ns <= 0)
        return pshi_fail(err, PSH_E_INVALID, "bucket_ns", "must be above 0");
    if (q->bucket_ns % bucket_ns != 0)
        return pshi_fail(err, PSH_E_INVALID, "bucket_ns", "must divide the query's bucket");
    return PSH_OK;
}

psh_status psh_view_generalize(
    psh_env *env, const psh_query *q, int64_t bucket_ns, psh_query **definition, psh_error *err) {
    const psh_query_spec *s;
    psh_query_spec d;
    broadened b = { NULL, NULL, NULL };
    psh_status st;

    if (!definition)
        return pshi_fail(err, PSH_E_INVALID, "definition", "is NULL");
    *definition = NULL;
    if (!env || !q)
        return pshi_fail(err, PSH_E_INVALID, env ? "q" : "env", "is NULL");
    s = pshi_query_spec(q);
    if ((st = check_broadening(s, bucket_ns, err)) != PSH_OK)
        return st;
    if (broadened_alloc(env, s, &b) != PSH_OK) {
        st = pshi_fail(err, PSH_E_NOMEM, "", "no memory for the definition");
        goto out;
    }
    psh_query_spec_init(&d, sizeof d);
    d.table = s->table;
    d.visibility = s->visibility;
    d.bucket_ns = bucket_ns;
    broaden_predicates(s, &d, &b);
    keep_aggregates(s, &d, &b);
    d.predicates = b.predicates;
    d.group_columns = b.groups;
    d.aggregates = b.aggregates;
    st = psh_query_create(env, psh_query_schema(q), &d, definition, err);
out:
    broadened_free(env, &b);
    return st;
}
