/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "codec/frame.h"
#include "value/change.h"

static void put_row(pshi_writer *w, const psh_value *row, size_t n) {
    size_t i;

    for (i = 0; row && i < n; i++)
        pshi_put_value(w, &row[i]);
}

static void put_change(pshi_writer *w, const psh_change *c) {
    pshi_put_u8(w, (uint8_t)c->op);
    pshi_put_var(w, c->table);
    pshi_put_u64(w, c->source);
    pshi_put_var(w, c->position);
    pshi_put_var(w, c->sequence);
    pshi_put_int(w, c->commit_time);
    pshi_put_u64(w, c->origin);
    put_row(w, c->before, c->column_count);
    put_row(w, c->after, c->column_count);
}

static void put_batch(pshi_writer *w, const void *value) {
    const psh_change_batch *b = value;
    size_t n = psh_change_batch_count(b), i;
    psh_change c;

    pshi_put_var(w, n);
    for (i = 0; i < n && psh_change_batch_get(b, i, &c) == PSH_OK; i++)
        put_change(w, &c);
}

psh_status psh_change_batch_save(const psh_change_batch *b, psh_buffer *out) {
    return b && out ? pshi_frame_save(out, PSHI_KIND_CHANGES, put_batch, b) : PSH_E_INVALID;
}

static void get_row(pshi_cursor *c, psh_value *row, size_t n) {
    size_t i;

    for (i = 0; c->status == PSH_OK && i < n; i++)
        pshi_get_value(c, &row[i]);
}

/* @param rows  room for a row before and one after, of the widest table */
static psh_status get_change(psh_change_batch *b, pshi_cursor *c, psh_value *rows) {
    const pshi_table *t;
    psh_change x;

    memset(&x, 0, sizeof x);
    x.op = pshi_get_u8(c);
    x.table = pshi_get_var32(c);
    x.source = pshi_get_u64(c);
    x.position = pshi_get_var(c);
    x.sequence = pshi_get_var(c);
    x.commit_time = pshi_get_int(c);
    x.origin = pshi_get_u64(c);
    t = pshi_schema_get_table(pshi_change_batch_schema(b), x.table);
    if (c->status != PSH_OK || !t)
        return PSH_E_CORRUPT;
    x.column_count = t->column_count;
    if (x.op != PSH_CHANGE_INSERT) {
        x.before = rows;
        get_row(c, rows, x.column_count);
    }
    if (x.op != PSH_CHANGE_DELETE) {
        x.after = rows + x.column_count;
        get_row(c, rows + x.column_count, x.column_count);
    }
    return c->status == PSH_OK ? psh_change_batch_append(b, &x, NULL) : PSH_E_CORRUPT;
}

static size_t widest(const psh_schema *s) {
    size_t n = psh_schema_table_count(s), most = 0;
    uint32_t i;

    for (i = 0; i < n; i++) {
        size_t columns = pshi_schema_get_table(s, i)->column_count;

        most = columns > most ? columns : most;
    }
    return most;
}

static psh_status get_batch(psh_change_batch *b, pshi_cursor *c) {
    psh_env *env = pshi_change_batch_env(b);
    size_t n = pshi_get_count(c, 20), i;
    psh_value *rows = pshi_calloc(env, 2 * widest(pshi_change_batch_schema(b)), sizeof *rows);
    psh_status st = rows ? c->status : PSH_E_NOMEM;

    for (i = 0; st == PSH_OK && i < n; i++)
        st = get_change(b, c, rows);
    if (st == PSH_OK)
        st = pshi_read_end(c);
    pshi_free(env, rows);
    return st == PSH_E_INVALID ? PSH_E_CORRUPT : st;
}

psh_status psh_change_batch_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_change_batch **out,
    psh_error *err) {
    pshi_frame frame;
    pshi_cursor body;
    psh_status st;

    if (!env || !schema || !out)
        return pshi_fail(err, PSH_E_INVALID, "out", "env, schema or out is NULL");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_CHANGES, max_bytes, &frame, &body, err);
    if (st != PSH_OK)
        return st;
    st = psh_change_batch_create(env, schema, max_bytes, out);
    if (st == PSH_OK)
        st = get_batch(*out, &body);
    pshi_frame_close(&frame);
    if (st == PSH_OK)
        return st;
    psh_change_batch_destroy(*out);
    *out = NULL;
    return pshi_fail(err, st, "changes", psh_status_text(st));
}

static void dump_row(pshi_writer *w, const char *label, const psh_value *row, size_t n) {
    size_t i;

    if (!row)
        return;
    pshi_text(w, label);
    for (i = 0; i < n; i++) {
        pshi_text(w, i ? ", " : "(");
        pshi_text_value(w, &row[i]);
    }
    pshi_text(w, ")");
}

static void dump_change(pshi_writer *w, const psh_change_batch *b, const psh_change *c) {
    static const char *const ops[] = { "", "insert ", "update ", "delete " };

    pshi_text(w, ops[c->op]);
    pshi_text(w, pshi_schema_get_table(pshi_change_batch_schema(b), c->table)->name);
    pshi_text(w, " source ");
    pshi_text_u64(w, c->source);
    pshi_text(w, " position ");
    pshi_text_u64(w, c->position);
    pshi_text(w, " sequence ");
    pshi_text_u64(w, c->sequence);
    pshi_text(w, " at ");
    pshi_text_time(w, c->commit_time);
    if (c->origin) {
        pshi_text(w, " origin ");
        pshi_text_hex(w, c->origin);
    }
    dump_row(w, " before ", c->before, c->column_count);
    dump_row(w, " after ", c->after, c->column_count);
    pshi_text(w, "\n");
}

psh_status psh_change_batch_dump(const psh_change_batch *b, psh_buffer *out) {
    pshi_writer w = pshi_write(out);
    psh_change c;
    size_t i;

    for (i = 0; b && psh_change_batch_get(b, i, &c) == PSH_OK; i++)
        dump_change(&w, b, &c);
    return b ? pshi_write_end(&w) : PSH_E_INVALID;
}
