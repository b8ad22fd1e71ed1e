/* SPDX-License-Identifier: MIT */
/* A query as one line that reads like SQL. Names come from the schema as they are, never as a format. */
#include "value/query_inside.h"

static void text_column(pshi_writer *w, const psh_query *q, uint32_t column) {
    pshi_text(w, q->table->columns[column].name);
}

/* 1d, 6h, 15m, 10s, else nanoseconds. */
static void text_duration(pshi_writer *w, int64_t ns) {
    static const int64_t units[] = { PSH_DAY, PSH_HOUR, PSH_MINUTE, PSH_SECOND, 1 };
    static const char *const names[] = { "d", "h", "m", "s", "ns" };
    size_t i = 0;

    while (ns % units[i])
        i++;
    pshi_text_i64(w, ns / units[i]);
    pshi_text(w, names[i]);
}

static void text_output(pshi_writer *w, const psh_query *q, size_t i) {
    static const char *const names[] = { "", "count", "sum", "avg", "min", "max" };
    const psh_query_spec *s = &q->spec;
    psh_output o;

    if (psh_query_output(q, i, &o) != PSH_OK)
        return;
    if (o.kind == PSH_OUTPUT_BUCKET) {
        pshi_text(w, "bucket(");
        text_duration(w, s->bucket_ns);
        pshi_text(w, ")");
    } else if (o.kind == PSH_OUTPUT_GROUP) {
        text_column(w, q, s->group_columns[o.index]);
    } else if (o.kind == PSH_OUTPUT_COLUMN) {
        text_column(w, q, s->columns[o.index]);
    } else {
        pshi_text(w, names[s->aggregates[o.index].fn]);
        pshi_text(w, "(");
        if (s->aggregates[o.index].column == PSH_NONE)
            pshi_text(w, "*");
        else
            text_column(w, q, s->aggregates[o.index].column);
        pshi_text(w, ")");
    }
}

static void text_outputs(pshi_writer *w, const psh_query *q, size_t from, size_t to) {
    size_t i;

    for (i = from; i < to; i++) {
        pshi_text(w, i > from ? ", " : "");
        text_output(w, q, i);
    }
}

static void text_predicate(pshi_writer *w, const psh_query *q, const psh_predicate *p) {
    static const char *const ops[] = { "", " = ", " <> ", " < ", " <= ", " > ", " >= ", " in (", " is null",
                                       " is not null" };
    size_t i;

    text_column(w, q, p->column);
    pshi_text(w, ops[p->op]);
    for (i = 0; i < p->value_count; i++) {
        pshi_text(w, i ? ", " : "");
        pshi_text_value(w, &p->values[i]);
    }
    pshi_text(w, p->op == PSH_OP_IN ? ")" : "");
}

static void text_time(pshi_writer *w, const psh_query *q, const char *op, int64_t t) {
    text_column(w, q, q->table->time_column);
    pshi_text(w, op);
    pshi_text_time(w, t);
}

static void text_where(pshi_writer *w, const psh_query *q) {
    const psh_query_spec *s = &q->spec;
    const char *next = " where ";
    size_t i;

    for (i = 0; i < s->predicate_count; i++, next = " and ") {
        pshi_text(w, next);
        text_predicate(w, q, &s->predicates[i]);
    }
    if (s->time_from != PSH_TIME_MIN) {
        pshi_text(w, next);
        text_time(w, q, " >= ", s->time_from);
        next = " and ";
    }
    if (s->time_to != PSH_TIME_MAX) {
        pshi_text(w, next);
        text_time(w, q, " < ", s->time_to);
    }
}

static void text_order(pshi_writer *w, const psh_query *q) {
    const psh_query_spec *s = &q->spec;
    size_t i;

    for (i = 0; i < s->order_count; i++) {
        pshi_text(w, i ? ", " : " order by ");
        text_output(w, q, s->order[i].output);
        pshi_text(w, s->order[i].descending ? " desc" : "");
    }
}

static void text_rest(pshi_writer *w, const psh_query_spec *s) {
    size_t i;

    if (s->limit) {
        pshi_text(w, " limit ");
        pshi_text_u64(w, s->limit);
    }
    if (s->max_staleness_ns) {
        pshi_text(w, " staleness ");
        text_duration(w, s->max_staleness_ns);
    }
    if (s->visibility) {
        pshi_text(w, " visibility ");
        pshi_text_hex(w, s->visibility);
    }
    for (i = 0; i < s->label_count; i++) {
        pshi_text(w, i ? ", " : " labels ");
        pshi_text(w, s->labels[i].name);
        pshi_text(w, "=");
        pshi_text(w, s->labels[i].value);
    }
}

psh_status psh_query_dump(const psh_query *q, psh_buffer *out) {
    pshi_writer w = pshi_write(out);
    size_t buckets;

    if (!q)
        return PSH_E_INVALID;
    buckets = q->spec.bucket_ns > 0;
    pshi_text(&w, "select ");
    text_outputs(&w, q, 0, psh_query_output_count(q));
    pshi_text(&w, " from ");
    pshi_text(&w, q->table->name);
    text_where(&w, q);
    if (buckets + q->spec.group_count) {
        pshi_text(&w, " group by ");
        text_outputs(&w, q, 0, buckets + q->spec.group_count);
    }
    text_order(&w, q);
    text_rest(&w, &q->spec);
    pshi_text(&w, "\n");
    return pshi_write_end(&w);
}
