/* SPDX-License-Identifier: MIT */
/* The canonical form of predicates that AND joins. */
#include <stdlib.h>
#include <string.h>

#include "value/query_inside.h"

psh_value *pshi_predicate_values(const psh_predicate *p) {
    psh_value *v;

    memcpy(&v, &p->values, sizeof v); /* drops const: the block is the query's own */
    return v;
}

static int by_value(const void *a, const void *b) {
    return psh_value_compare(a, b);
}

static int by_predicate(const void *a, const void *b) {
    const psh_predicate *p = a, *q = b;
    size_t i;
    int r;

    if (p->column != q->column)
        return p->column < q->column ? -1 : 1;
    if (p->op != q->op)
        return p->op < q->op ? -1 : 1;
    for (i = 0; i < p->value_count && i < q->value_count; i++)
        if ((r = psh_value_compare(&p->values[i], &q->values[i])) != 0)
            return r;
    return p->value_count < q->value_count ? -1 : p->value_count > q->value_count;
}

static void unite_list(psh_predicate *p) {
    psh_value *v = pshi_predicate_values(p);
    size_t i, n = 0;

    if (p->value_count > 1)
        qsort(v, p->value_count, sizeof *v, by_value);
    for (i = 0; i < p->value_count; i++)
        if (!n || psh_value_compare(&v[n - 1], &v[i]) != 0)
            v[n++] = v[i];
    p->value_count = n;
    if (p->op == PSH_OP_IN && n == 1)
        p->op = PSH_OP_EQ;
}

static int is_set(const psh_predicate *p) {
    return p->op == PSH_OP_EQ || p->op == PSH_OP_IN;
}

static int is_lower(const psh_predicate *p) {
    return p->op == PSH_OP_GT || p->op == PSH_OP_GE;
}

static int is_upper(const psh_predicate *p) {
    return p->op == PSH_OP_LT || p->op == PSH_OP_LE;
}

/* Keeps in *p what q has too. @return 0 when nothing would be left: both stay, a query without rows. */
static int intersect(psh_predicate *p, const psh_predicate *q) {
    psh_value *v = pshi_predicate_values(p);
    size_t i, n = 0;

    for (i = 0; i < p->value_count; i++)
        n += bsearch(&v[i], q->values, q->value_count, sizeof *v, by_value) != NULL;
    if (!n)
        return 0;
    for (i = 0, n = 0; i < p->value_count; i++)
        if (bsearch(&v[i], q->values, q->value_count, sizeof *v, by_value))
            v[n++] = v[i];
    p->value_count = n;
    p->op = n == 1 ? PSH_OP_EQ : PSH_OP_IN;
    return 1;
}

/* Keeps the tighter of two bounds on one side. At one value the strict one, GT or LT, is tighter. */
static void narrow(psh_predicate *p, const psh_predicate *q) {
    int r = psh_value_compare(&q->values[0], &p->values[0]);

    if (is_upper(p))
        r = -r;
    if (r > 0 || (r == 0 && (q->op == PSH_OP_GT || q->op == PSH_OP_LT)))
        *p = *q;
}

/* @return 1 if p now says what both said. */
static int merge(psh_predicate *p, const psh_predicate *q) {
    if (p->column != q->column)
        return 0;
    if (is_set(p) && is_set(q))
        return intersect(p, q);
    if ((is_lower(p) && is_lower(q)) || (is_upper(p) && is_upper(q))) {
        narrow(p, q);
        return 1;
    }
    return by_predicate(p, q) == 0;
}

size_t pshi_predicates_canonical(psh_predicate *p, size_t n) {
    size_t kept = 0, i, j;

    for (i = 0; i < n; i++)
        unite_list(&p[i]);
    if (n > 1)
        qsort(p, n, sizeof *p, by_predicate); /* so that merging does not depend on the caller's order */
    for (i = 0; i < n; i++) {
        for (j = 0; j < kept && !merge(&p[j], &p[i]); j++) {
        }
        if (j == kept)
            p[kept++] = p[i];
    }
    if (kept > 1)
        qsort(p, kept, sizeof *p, by_predicate);
    return kept;
}

int pshi_predicate_holds(const psh_predicate *p, const psh_value *v) {
    int r;

    if (p->op == PSH_OP_IS_NULL || p->op == PSH_OP_NOT_NULL)
        return (v->type == PSH_TYPE_NULL) == (p->op == PSH_OP_IS_NULL);
    if (v->type == PSH_TYPE_NULL)
        return 0;
    if (p->op == PSH_OP_IN)
        return bsearch(v, p->values, p->value_count, sizeof *v, by_value) != NULL;
    r = psh_value_compare(v, &p->values[0]);
    switch (p->op) {
    case PSH_OP_EQ:
        return r == 0;
    case PSH_OP_NE:
        return r != 0;
    case PSH_OP_LT:
        return r < 0;
    case PSH_OP_LE:
        return r <= 0;
    case PSH_OP_GT:
        return r > 0;
    default:
        return r >= 0;
    }
}
