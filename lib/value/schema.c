/* SPDX-License-Identifier: MIT */
#include "value/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/checked.h"
#include "base/cursor.h"
#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "base/ref.h"
#include "codec/frame.h"

#define MAX_TABLES 1024u
#define MAX_COLUMNS 4096u
#define MAX_KEY 16u
#define MAX_NAME 255u
#define MAX_SCALE 38u

struct psh_schema {
    pshi_ref refs;
    psh_env *env;
    pshi_table *tables;
    size_t count;
    size_t bytes; /* of all blocks */
};

static int name_ok(const char *name) {
    return name && name[0] && memchr(name, 0, MAX_NAME + 1);
}

static psh_status check_column(const psh_column_spec *c, size_t i, psh_error *err) {
    if (!name_ok(c->name))
        return pshi_fail_at(err, PSH_E_INVALID, "columns", i, "the name must have 1 to 255 bytes");
    if (c->type < PSH_TYPE_INT64 || c->type > PSH_TYPE_BYTES)
        return pshi_fail_at(err, PSH_E_INVALID, "columns", i, "type is not a PSH_TYPE_* of columns");
    if (c->collation && c->type != PSH_TYPE_TEXT)
        return pshi_fail_at(err, PSH_E_INVALID, "columns", i, "collation is for text only");
    if (c->scale > MAX_SCALE || (c->scale && c->type != PSH_TYPE_DECIMAL))
        return pshi_fail_at(err, PSH_E_INVALID, "columns", i, "scale is for decimals only, 0 to 38");
    if (c->flags & ~PSH_COLUMN_NULLABLE)
        return pshi_fail_at(err, PSH_E_UNSUPPORTED, "columns", i, "unknown flag");
    return PSH_OK;
}

static psh_column_spec column_at(const psh_table_spec *t, size_t i) {
    psh_column_spec c;

    pshi_element(&c, sizeof c, t->columns, t->column_stride, i);
    return c;
}

static psh_status check_columns(const psh_table_spec *t, psh_error *err) {
    psh_status st;
    size_t i;

    if (!t->columns || !t->column_count || t->column_count > MAX_COLUMNS)
        return pshi_fail(err, PSH_E_INVALID, "column_count", "a table has 1 to 4096 columns");
    if (t->column_stride < sizeof(psh_column_spec))
        return pshi_fail(err, PSH_E_INVALID, "column_stride", "is less than the struct");
    for (i = 0; i < t->column_count; i++) {
        psh_column_spec c = column_at(t, i);

        if ((st = check_column(&c, i, err)) != PSH_OK)
            return st;
    }
    return PSH_OK;
}

static psh_status check_key(const psh_table_spec *t, psh_error *err) {
    size_t i, j;

    if (!t->key_columns || !t->key_count || t->key_count > MAX_KEY)
        return pshi_fail(err, PSH_E_INVALID, "key_count", "a key has 1 to 16 columns");
    for (i = 0; i < t->key_count; i++) {
        if (t->key_columns[i] >= t->column_count)
            return pshi_fail_at(err, PSH_E_INVALID, "key_columns", i, "no such column");
        for (j = 0; j < i; j++)
            if (t->key_columns[i] == t->key_columns[j])
                return pshi_fail_at(err, PSH_E_INVALID, "key_columns", i, "the column is there twice");
    }
    return PSH_OK;
}

static psh_status check_roles(const psh_table_spec *t, psh_error *err) {
    psh_column_spec c;

    if (t->time_column >= t->column_count)
        return pshi_fail(err, PSH_E_INVALID, "time_column", "no such column");
    c = column_at(t, t->time_column);
    if (c.type != PSH_TYPE_TIMESTAMP || c.flags & PSH_COLUMN_NULLABLE)
        return pshi_fail(err, PSH_E_INVALID, "time_column", "must be a timestamp that is not nullable");
    if (t->tenant_column == PSH_NONE)
        return PSH_OK;
    if (t->tenant_column >= t->column_count)
        return pshi_fail(err, PSH_E_INVALID, "tenant_column", "no such column");
    c = column_at(t, t->tenant_column);
    if (c.flags & PSH_COLUMN_NULLABLE)
        return pshi_fail(err, PSH_E_INVALID, "tenant_column", "must not be nullable");
    return PSH_OK;
}

static psh_status check_table(const psh_table_spec *t, psh_error *err) {
    psh_status st;

    if (!name_ok(t->name))
        return pshi_fail(err, PSH_E_INVALID, "name", "a table's name must have 1 to 255 bytes");
    if ((st = check_columns(t, err)) != PSH_OK || (st = check_key(t, err)) != PSH_OK ||
        (st = check_roles(t, err)) != PSH_OK)
        return st;
    if (t->interval_ns < PSH_SECOND)
        return pshi_fail(err, PSH_E_INVALID, "interval_ns", "must be a second or more");
    if (t->interval_origin == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "interval_origin", "is not a time");
    return PSH_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts the names. @return 1 if no two are the same. */
static int all_differ(const char **names, size_t n) {
    size_t i;

    qsort(names, n, sizeof *names, by_name);
    for (i = 1; i < n; i++)
        if (!strcmp(names[i - 1], names[i]))
            return 0;
    return 1;
}

static psh_status check_unique(const psh_schema *s, psh_error *err) {
    const char **names = pshi_calloc(s->env, MAX_COLUMNS, sizeof *names); /* more than MAX_TABLES */
    psh_status st = PSH_OK;
    size_t i, j;

    if (!names)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the schema");
    for (i = 0; st == PSH_OK && i < s->count; i++) {
        for (j = 0; j < s->tables[i].column_count; j++)
            names[j] = s->tables[i].columns[j].name;
        if (!all_differ(names, j))
            st = pshi_fail_at(err, PSH_E_INVALID, "tables", i, "two columns have one name");
    }
    for (i = 0; i < s->count; i++)
        names[i] = s->tables[i].name;
    if (st == PSH_OK && !all_differ(names, s->count))
        st = pshi_fail(err, PSH_E_INVALID, "tables", "two tables have one name");
    pshi_free(s->env, names);
    return st;
}

static size_t name_bytes(const psh_table_spec *t) {
    size_t n = strlen(t->name) + 1, i;

    for (i = 0; i < t->column_count; i++) {
        psh_column_spec c = column_at(t, i);

        n += strlen(c.name) + 1;
    }
    return n;
}

static char *take_name(char **text, const char *name) {
    size_t n = strlen(name) + 1;
    char *at = *text;

    memcpy(at, name, n);
    *text += n;
    return at;
}

/* One block holds a table's columns, key and names; the columns begin it. */
static psh_status copy_table(psh_schema *s, pshi_table *t, const psh_table_spec *from) {
    size_t columns = from->column_count * sizeof(psh_column_spec), keys = from->key_count * sizeof(uint32_t);
    size_t size = columns + keys + name_bytes(from), i;
    psh_column_spec *c = pshi_alloc(s->env, size);
    uint32_t *k;
    char *text;

    if (!c)
        return PSH_E_NOMEM;
    s->bytes += size;
    k = (uint32_t *)(c + from->column_count);
    text = (char *)(k + from->key_count);
    memcpy(k, from->key_columns, keys);
    t->name = take_name(&text, from->name);
    for (i = 0; i < from->column_count; i++) {
        c[i] = column_at(from, i);
        c[i].name = take_name(&text, c[i].name);
    }
    t->columns = c;
    t->column_count = from->column_count;
    t->key_columns = k;
    t->key_count = from->key_count;
    t->tenant_column = from->tenant_column;
    t->time_column = from->time_column;
    t->interval_ns = from->interval_ns;
    t->interval_origin = from->interval_origin;
    return PSH_OK;
}

static void schema_free(psh_schema *s) {
    void *block;
    size_t i;

    for (i = 0; i < s->count; i++) {
        memcpy(&block, &s->tables[i].columns, sizeof block);
        pshi_free(s->env, block);
    }
    pshi_free(s->env, s->tables);
    pshi_free(s->env, s);
}

static psh_schema *schema_new(psh_env *env, size_t n) {
    psh_schema *s = pshi_calloc(env, 1, sizeof *s);

    if (!s)
        return NULL;
    s->env = env;
    pshi_ref_init(&s->refs);
    s->tables = pshi_calloc(env, n, sizeof *s->tables);
    s->bytes = sizeof *s + n * sizeof *s->tables;
    if (s->tables)
        return s;
    pshi_free(env, s);
    return NULL;
}

/* Adds a table; room for it is there. */
static psh_status schema_add(psh_schema *s, const psh_table_spec *t, psh_error *err) {
    psh_status st = check_table(t, err);

    if (st != PSH_OK)
        return st;
    if (copy_table(s, &s->tables[s->count], t) != PSH_OK)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the schema");
    s->count++;
    return PSH_OK;
}

psh_status psh_schema_create(
    psh_env *env, const psh_table_spec *tables, size_t n, size_t stride, psh_schema **out, psh_error *err) {
    psh_status st = PSH_OK;
    psh_table_spec t;
    psh_schema *s;
    size_t i;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env || !tables || !n || n > MAX_TABLES)
        return pshi_fail(err, PSH_E_INVALID, "n", "a schema has an env and 1 to 1024 tables");
    if (stride < sizeof t)
        return pshi_fail(err, PSH_E_INVALID, "stride", "is less than the struct");
    s = schema_new(env, n);
    if (!s)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the schema");
    for (i = 0; st == PSH_OK && i < n; i++) {
        pshi_element(&t, sizeof t, tables, stride, i);
        st = schema_add(s, &t, err);
    }
    if (st == PSH_OK)
        st = check_unique(s, err);
    if (st != PSH_OK) {
        schema_free(s);
        return st;
    }
    *out = s;
    return PSH_OK;
}

psh_schema *psh_schema_ref(psh_schema *s) {
    pshi_ref_get(&s->refs);
    return s;
}

void psh_schema_unref(psh_schema *s) {
    if (s && pshi_ref_put(&s->refs))
        schema_free(s);
}

psh_env *pshi_schema_env(const psh_schema *s) {
    return s->env;
}

const pshi_table *pshi_schema_get_table(const psh_schema *s, uint32_t table) {
    return table < s->count ? &s->tables[table] : NULL;
}

size_t psh_schema_table_count(const psh_schema *s) {
    return s->count;
}

psh_status psh_schema_table(const psh_schema *s, uint32_t table, psh_table_spec *out) {
    const pshi_table *t;

    if (!s || !out)
        return PSH_E_INVALID;
    t = pshi_schema_get_table(s, table);
    if (!t)
        return PSH_E_NOT_FOUND;
    memset(out, 0, sizeof *out);
    out->name = t->name;
    out->columns = t->columns;
    out->column_count = t->column_count;
    out->column_stride = sizeof(psh_column_spec);
    out->key_columns = t->key_columns;
    out->key_count = t->key_count;
    out->tenant_column = t->tenant_column;
    out->time_column = t->time_column;
    out->interval_ns = t->interval_ns;
    out->interval_origin = t->interval_origin;
    return PSH_OK;
}

uint32_t psh_schema_find_table(const psh_schema *s, const char *name) {
    uint32_t i;

    for (i = 0; name && i < s->count; i++)
        if (!strcmp(s->tables[i].name, name))
            return i;
    return PSH_NONE;
}

uint32_t psh_schema_find_column(const psh_schema *s, uint32_t table, const char *name) {
    const pshi_table *t = pshi_schema_get_table(s, table);
    uint32_t i;

    for (i = 0; t && name && i < t->column_count; i++)
        if (!strcmp(t->columns[i].name, name))
            return i;
    return PSH_NONE;
}

psh_status psh_schema_interval(
    const psh_schema *s, uint32_t table, int64_t time, int64_t *id, int64_t *from, int64_t *to) {
    const pshi_table *t;
    pshi_i128 past, n, start;

    if (!s || !id || !from || !to)
        return PSH_E_INVALID;
    t = pshi_schema_get_table(s, table);
    if (!t)
        return PSH_E_NOT_FOUND;
    if (time == PSH_TIME_NONE)
        return PSH_E_TIME;
    past = (pshi_i128)time - t->interval_origin;
    n = past / t->interval_ns - (past % t->interval_ns < 0);
    start = n * t->interval_ns + t->interval_origin;
    if (start < PSH_TIME_MIN || start + t->interval_ns > PSH_TIME_MAX)
        return PSH_E_TIME;
    *id = (int64_t)n;
    *from = (int64_t)start;
    *to = (int64_t)(start + t->interval_ns);
    return PSH_OK;
}

static void put_table(pshi_writer *w, const pshi_table *t) {
    size_t i;

    pshi_put_str(w, t->name);
    pshi_put_var(w, t->column_count);
    for (i = 0; i < t->column_count; i++) {
        pshi_put_str(w, t->columns[i].name);
        pshi_put_var(w, t->columns[i].type);
        pshi_put_var(w, t->columns[i].collation);
        pshi_put_var(w, t->columns[i].scale);
        pshi_put_var(w, t->columns[i].flags);
    }
    pshi_put_var(w, t->key_count);
    for (i = 0; i < t->key_count; i++)
        pshi_put_var(w, t->key_columns[i]);
    pshi_put_u32(w, t->tenant_column);
    pshi_put_var(w, t->time_column);
    pshi_put_int(w, t->interval_ns);
    pshi_put_int(w, t->interval_origin);
}

static void put_schema(pshi_writer *w, const void *value) {
    const psh_schema *s = value;
    size_t i;

    pshi_put_var(w, s->count);
    for (i = 0; i < s->count; i++)
        put_table(w, &s->tables[i]);
}

psh_status psh_schema_save(const psh_schema *s, psh_buffer *out) {
    return s && out ? pshi_frame_save(out, PSHI_KIND_SCHEMA, put_schema, s) : PSH_E_INVALID;
}

/* What a table being read borrows from. */
typedef struct table_room {
    char name[256];
    uint32_t key[MAX_KEY];
    psh_column_spec *columns;
    char (*names)[256];
} table_room;

static void get_columns(psh_env *env, pshi_cursor *c, table_room *room, psh_table_spec *t) {
    size_t i;

    t->column_count = pshi_get_count(c, 6);
    if (c->status != PSH_OK || t->column_count > MAX_COLUMNS) {
        pshi_read_bad(c);
        return;
    }
    room->columns = pshi_calloc(env, t->column_count, sizeof *room->columns);
    room->names = pshi_calloc(env, t->column_count, sizeof *room->names);
    if (!room->columns || !room->names) {
        c->status = PSH_E_NOMEM;
        return;
    }
    for (i = 0; i < t->column_count; i++) {
        pshi_get_name(c, room->names[i]);
        room->columns[i].name = room->names[i];
        room->columns[i].type = pshi_get_var32(c);
        room->columns[i].collation = pshi_get_var32(c);
        room->columns[i].scale = pshi_get_var32(c);
        room->columns[i].flags = pshi_get_var32(c);
    }
    t->columns = room->columns;
    t->column_stride = sizeof *room->columns;
}

static psh_status get_table(psh_schema *s, pshi_cursor *c) {
    table_room room;
    psh_table_spec t;
    psh_status st;
    size_t i;

    memset(&room, 0, sizeof room);
    memset(&t, 0, sizeof t);
    pshi_get_name(c, room.name);
    t.name = room.name;
    get_columns(s->env, c, &room, &t);
    t.key_count = c->status == PSH_OK ? pshi_get_count(c, 1) : 0;
    if (t.key_count > MAX_KEY)
        pshi_read_bad(c);
    for (i = 0; c->status == PSH_OK && i < t.key_count; i++)
        room.key[i] = pshi_get_var32(c);
    t.key_columns = room.key;
    if (c->status == PSH_OK) {
        t.tenant_column = pshi_get_u32(c);
        t.time_column = pshi_get_var32(c);
        t.interval_ns = pshi_get_int(c);
        t.interval_origin = pshi_get_int(c);
    }
    st = c->status == PSH_OK ? schema_add(s, &t, NULL) : c->status;
    pshi_free(s->env, room.columns);
    pshi_free(s->env, room.names);
    return st == PSH_OK || st == PSH_E_NOMEM ? st : PSH_E_CORRUPT;
}

static psh_status get_schema(psh_env *env, pshi_cursor *c, size_t max_bytes, psh_schema **out) {
    size_t n = pshi_get_count(c, 8), i;
    psh_status st = PSH_OK;
    psh_schema *s;

    if (c->status != PSH_OK || !n || n > MAX_TABLES)
        return PSH_E_CORRUPT;
    s = schema_new(env, n);
    if (!s)
        return PSH_E_NOMEM;
    for (i = 0; st == PSH_OK && i < n; i++) {
        st = get_table(s, c);
        if (st == PSH_OK && s->bytes > max_bytes)
            st = PSH_E_LIMIT;
    }
    if (st == PSH_OK)
        st = pshi_read_end(c);
    if (st == PSH_OK)
        st = check_unique(s, NULL);
    if (st == PSH_E_INVALID)
        st = PSH_E_CORRUPT;
    if (st == PSH_OK)
        *out = s;
    else
        schema_free(s);
    return st;
}

psh_status psh_schema_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_schema **out, psh_error *err) {
    pshi_frame frame;
    pshi_cursor body;
    psh_status st;

    if (!env || !out)
        return pshi_fail(err, PSH_E_INVALID, "out", "env or out is NULL");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_SCHEMA, max_bytes, &frame, &body, err);
    if (st != PSH_OK)
        return st;
    st = get_schema(env, &body, max_bytes ? max_bytes : PSHI_LOAD_BYTES, out);
    pshi_frame_close(&frame);
    return st == PSH_OK ? st : pshi_fail(err, st, "schema", psh_status_text(st));
}

static const char *type_text(uint32_t type) {
    static const char *const names[] = { "null", "int64", "double", "decimal", "bool", "timestamp", "text",
                                         "bytes" };

    return names[type];
}

static void dump_column(pshi_writer *w, const pshi_table *t, uint32_t i) {
    const psh_column_spec *c = &t->columns[i];

    pshi_text(w, "  column ");
    pshi_text_u64(w, i);
    pshi_text(w, " ");
    pshi_text(w, c->name);
    pshi_text(w, " ");
    pshi_text(w, type_text(c->type));
    if (c->type == PSH_TYPE_DECIMAL) {
        pshi_text(w, " scale ");
        pshi_text_u64(w, c->scale);
    }
    if (c->collation) {
        pshi_text(w, " collation ");
        pshi_text_u64(w, c->collation);
    }
    pshi_text(w, c->flags & PSH_COLUMN_NULLABLE ? " nullable" : "");
    pshi_text(w, i == t->tenant_column ? " tenant" : "");
    pshi_text(w, i == t->time_column ? " event time\n" : "\n");
}

static void dump_table(pshi_writer *w, const pshi_table *t, size_t id) {
    uint32_t i;

    pshi_text(w, "table ");
    pshi_text_u64(w, id);
    pshi_text(w, " ");
    pshi_text(w, t->name);
    pshi_text(w, "\n");
    for (i = 0; i < t->column_count; i++)
        dump_column(w, t, i);
    pshi_text(w, "  key");
    for (i = 0; i < t->key_count; i++) {
        pshi_text(w, " ");
        pshi_text(w, t->columns[t->key_columns[i]].name);
    }
    pshi_text(w, "\n  interval ");
    pshi_text_i64(w, t->interval_ns);
    pshi_text(w, " ns from ");
    pshi_text_time(w, t->interval_origin);
    pshi_text(w, "\n");
}

psh_status psh_schema_dump(const psh_schema *s, psh_buffer *out) {
    pshi_writer w = pshi_write(out);
    size_t i;

    for (i = 0; s && i < s->count; i++)
        dump_table(&w, &s->tables[i], i);
    return s ? pshi_write_end(&w) : PSH_E_INVALID;
}
