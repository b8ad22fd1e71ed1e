/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/hash.h"
#include "codec/frame.h"
#include "value/query_inside.h"

#define ID_SEED UINT64_C(0x7175657279000001)
#define FINGERPRINT_SEED UINT64_C(0x74656d706c000001)

static void put_predicate(pshi_writer *w, const psh_predicate *p) {
    size_t i;

    pshi_put_var(w, p->column);
    pshi_put_u8(w, (uint8_t)p->op);
    pshi_put_var(w, p->value_count);
    for (i = 0; i < p->value_count; i++)
        pshi_put_value(w, &p->values[i]);
}

static void put_u32s(pshi_writer *w, const uint32_t *x, size_t n) {
    size_t i;

    pshi_put_var(w, n);
    for (i = 0; i < n; i++)
        pshi_put_var(w, x[i]);
}

static void put_aggregate(pshi_writer *w, const psh_aggregate *a) {
    pshi_put_u8(w, (uint8_t)a->fn);
    pshi_put_u32(w, a->column);
}

/* All that determines the answer. */
static void put_answer(pshi_writer *w, const psh_query_spec *s) {
    size_t i;

    pshi_put_var(w, s->table);
    pshi_put_u64(w, s->visibility);
    pshi_put_var(w, s->predicate_count);
    for (i = 0; i < s->predicate_count; i++)
        put_predicate(w, &s->predicates[i]);
    put_u32s(w, s->group_columns, s->group_count);
    pshi_put_var(w, s->aggregate_count);
    for (i = 0; i < s->aggregate_count; i++)
        put_aggregate(w, &s->aggregates[i]);
    put_u32s(w, s->columns, s->column_count);
    pshi_put_var(w, s->order_count);
    for (i = 0; i < s->order_count; i++) {
        pshi_put_var(w, s->order[i].output);
        pshi_put_u8(w, (uint8_t)s->order[i].descending);
    }
    pshi_put_int(w, s->time_from);
    pshi_put_int(w, s->time_to);
    pshi_put_int(w, s->bucket_ns);
    pshi_put_var(w, s->limit);
}

void pshi_query_put(pshi_writer *w, const psh_query *q) {
    const psh_query_spec *s = &q->spec;
    size_t i;

    put_answer(w, s);
    pshi_put_int(w, s->max_staleness_ns);
    pshi_put_var(w, s->label_count);
    for (i = 0; i < s->label_count; i++) {
        pshi_put_str(w, s->labels[i].name);
        pshi_put_str(w, s->labels[i].value);
    }
}

/* What hashing a template sorts: one number each. */
static int by_number(const void *a, const void *b) {
    uint64_t x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static void put_sorted(pshi_writer *w, uint64_t *x, size_t n) {
    size_t i;

    if (n > 1)
        qsort(x, n, sizeof *x, by_number);
    pshi_put_var(w, n);
    for (i = 0; i < n; i++)
        pshi_put_u64(w, x[i]);
}

/* An output by what it is, not by where it stands. */
static uint64_t output_number(const psh_query_spec *s, size_t output) {
    size_t buckets = s->bucket_ns > 0;

    if (s->column_count)
        return s->columns[output];
    if (output < buckets)
        return UINT64_C(6) << 32;
    output -= buckets;
    if (output < s->group_count)
        return UINT64_C(7) << 32 | s->group_columns[output];
    output -= s->group_count;
    return (uint64_t)s->aggregates[output].fn << 32 | s->aggregates[output].column;
}

static void put_template(pshi_writer *w, const psh_query_spec *s) {
    uint64_t x[PSHI_MAX_PREDICATES];
    size_t i;

    pshi_put_var(w, s->table);
    pshi_put_u64(w, s->visibility);
    pshi_put_int(w, s->bucket_ns);
    for (i = 0; i < s->predicate_count; i++)
        x[i] = (uint64_t)s->predicates[i].op << 32 | s->predicates[i].column;
    put_sorted(w, x, s->predicate_count);
    for (i = 0; i < s->group_count; i++)
        x[i] = s->group_columns[i];
    put_sorted(w, x, s->group_count);
    for (i = 0; i < s->aggregate_count; i++)
        x[i] = (uint64_t)s->aggregates[i].fn << 32 | s->aggregates[i].column;
    put_sorted(w, x, s->aggregate_count);
    put_u32s(w, s->columns, s->column_count);
    pshi_put_var(w, s->order_count);
    for (i = 0; i < s->order_count; i++) {
        pshi_put_u64(w, output_number(s, s->order[i].output));
        pshi_put_u8(w, (uint8_t)s->order[i].descending);
    }
}

static psh_status hash_written(
    psh_buffer *b, void (*put)(pshi_writer *, const psh_query_spec *), const psh_query_spec *s, uint64_t seed,
    uint64_t *out) {
    pshi_writer w;

    psh_buffer_clear(b);
    w = pshi_write(b);
    put(&w, s);
    if (pshi_write_end(&w) != PSH_OK)
        return PSH_E_NOMEM;
    *out = pshi_nonzero(pshi_hash_seed(psh_buffer_data(b), psh_buffer_size(b), seed));
    return PSH_OK;
}

psh_status pshi_query_identify(psh_query *q) {
    psh_buffer *b;
    psh_status st = psh_buffer_create(q->env, &b);

    if (st == PSH_OK)
        st = hash_written(b, put_answer, &q->spec, ID_SEED, &q->id);
    if (st == PSH_OK)
        st = hash_written(b, put_template, &q->spec, FINGERPRINT_SEED, &q->fingerprint);
    psh_buffer_destroy(b);
    return st;
}

/* What a query being read borrows from. Values may move while they come in: predicates hold indexes first. */
typedef struct query_room {
    psh_predicate predicates[PSHI_MAX_PREDICATES];
    psh_aggregate aggregates[PSHI_MAX_AGGREGATES];
    psh_order order[PSHI_MAX_ORDER];
    psh_label labels[PSHI_MAX_LABELS];
    uint32_t groups[PSHI_MAX_GROUPS];
    uint32_t columns[PSHI_MAX_OUTPUTS];
    char text[2 * PSHI_MAX_LABELS][256];
    psh_value *values;
    size_t value_count;
    size_t value_cap;
    size_t most_values; /* under the load's memory cap */
} query_room;

static size_t get_some(pshi_cursor *c, size_t least, size_t most) {
    size_t n = pshi_get_count(c, least);

    if (n > most)
        pshi_read_bad(c);
    return c->status == PSH_OK ? n : 0;
}

static void get_values(psh_env *env, pshi_cursor *c, query_room *room, size_t n) {
    size_t i;

    if (n > room->most_values - room->value_count) {
        c->status = PSH_E_LIMIT;
        return;
    }
    if (pshi_reserve(env, (void **)&room->values, &room->value_cap, room->value_count + n,
                     sizeof *room->values) != PSH_OK) {
        c->status = PSH_E_NOMEM;
        return;
    }
    for (i = 0; i < n; i++)
        pshi_get_value(c, &room->values[room->value_count + i]);
    room->value_count += n;
}

static void get_predicates(psh_env *env, pshi_cursor *c, query_room *room, psh_query_spec *s) {
    size_t n = get_some(c, 3, PSHI_MAX_PREDICATES), i, first = 0;
    psh_predicate *p = room->predicates;

    for (i = 0; c->status == PSH_OK && i < n; i++) {
        p[i].column = pshi_get_var32(c);
        p[i].op = pshi_get_u8(c);
        p[i].value_count = pshi_get_count(c, 1);
        if (c->status == PSH_OK)
            get_values(env, c, room, p[i].value_count);
    }
    for (i = 0; c->status == PSH_OK && i < n; i++) {
        p[i].values = p[i].value_count ? room->values + first : NULL;
        first += p[i].value_count;
    }
    s->predicates = p;
    s->predicate_count = n;
}

static size_t get_u32s(pshi_cursor *c, uint32_t *to, size_t most) {
    size_t n = get_some(c, 1, most), i;

    for (i = 0; c->status == PSH_OK && i < n; i++)
        to[i] = pshi_get_var32(c);
    return n;
}

static void get_outputs(pshi_cursor *c, query_room *room, psh_query_spec *s) {
    size_t i;

    s->group_columns = room->groups;
    s->group_count = get_u32s(c, room->groups, PSHI_MAX_GROUPS);
    s->aggregates = room->aggregates;
    s->aggregate_count = get_some(c, 5, PSHI_MAX_AGGREGATES);
    for (i = 0; i < s->aggregate_count; i++) {
        room->aggregates[i].fn = pshi_get_u8(c);
        room->aggregates[i].column = pshi_get_u32(c);
    }
    s->columns = room->columns;
    s->column_count = get_u32s(c, room->columns, PSHI_MAX_OUTPUTS);
    s->order = room->order;
    s->order_count = get_some(c, 2, PSHI_MAX_ORDER);
    for (i = 0; i < s->order_count; i++) {
        room->order[i].output = pshi_get_var32(c);
        room->order[i].descending = pshi_get_u8(c);
    }
}

static void get_labels(pshi_cursor *c, query_room *room, psh_query_spec *s) {
    size_t i;

    s->labels = room->labels;
    s->label_count = get_some(c, 4, PSHI_MAX_LABELS);
    for (i = 0; c->status == PSH_OK && i < s->label_count; i++) {
        pshi_get_name(c, room->text[2 * i]);
        pshi_get_name(c, room->text[2 * i + 1]);
        room->labels[i].name = room->text[2 * i];
        room->labels[i].value = room->text[2 * i + 1];
    }
}

static void get_spec(psh_env *env, pshi_cursor *c, query_room *room, psh_query_spec *s) {
    psh_query_spec_init(s, sizeof *s);
    s->table = pshi_get_var32(c);
    s->visibility = pshi_get_u64(c);
    get_predicates(env, c, room, s);
    if (c->status != PSH_OK)
        return;
    get_outputs(c, room, s);
    if (c->status != PSH_OK)
        return;
    s->time_from = pshi_get_int(c);
    s->time_to = pshi_get_int(c);
    s->bucket_ns = pshi_get_int(c);
    s->limit = pshi_get_var(c);
    s->max_staleness_ns = pshi_get_int(c);
    get_labels(c, room, s);
}

/* One value may take a byte of what is loaded, and 40 of memory: the cap holds for these too. */
static psh_status get_query(
    psh_env *env, psh_schema *schema, pshi_cursor *c, size_t max_bytes, psh_query **out) {
    query_room *room = pshi_calloc(env, 1, sizeof *room);
    psh_query_spec s;
    psh_status st;

    *out = NULL;
    if (!room)
        return PSH_E_NOMEM;
    room->most_values = (max_bytes ? max_bytes : PSHI_LOAD_BYTES) / sizeof *room->values;
    get_spec(env, c, room, &s);
    st = c->status;
    if (st == PSH_OK)
        st = psh_query_create(env, schema, &s, out, NULL);
    pshi_free(env, room->values);
    pshi_free(env, room);
    if (st == PSH_OK || st == PSH_E_NOMEM || st == PSH_E_LIMIT)
        return st;
    pshi_read_bad(c);
    return PSH_E_CORRUPT;
}

psh_status pshi_query_get(psh_env *env, psh_schema *schema, pshi_cursor *c, psh_query **out) {
    return get_query(env, schema, c, 0, out);
}

static void encode_query(pshi_writer *w, const void *value) {
    pshi_query_put(w, value);
}

psh_status psh_query_save(const psh_query *q, psh_buffer *out) {
    return q && out ? pshi_frame_save(out, PSHI_KIND_QUERY, encode_query, q) : PSH_E_INVALID;
}

psh_status psh_query_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_query **out,
    psh_error *err) {
    pshi_frame frame;
    pshi_cursor body;
    psh_status st;

    if (!env || !schema || !out)
        return pshi_fail(err, PSH_E_INVALID, "out", "env, schema or out is NULL");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_QUERY, max_bytes, &frame, &body, err);
    if (st != PSH_OK)
        return st;
    st = get_query(env, schema, &body, max_bytes, out);
    if (st == PSH_OK)
        st = pshi_read_end(&body);
    if (st == PSH_OK && (*out)->bytes > (max_bytes ? max_bytes : PSHI_LOAD_BYTES))
        st = PSH_E_LIMIT;
    pshi_frame_close(&frame);
    if (st == PSH_OK)
        return st;
    psh_query_unref(*out);
    *out = NULL;
    return pshi_fail(err, st, "query", psh_status_text(st));
}
