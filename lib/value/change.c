/* SPDX-License-Identifier: MIT */
/*
 * A change is one record: header, values before, values after, their bytes. Records lie in chunks that never
 * move, so that pointers into them stay good while the batch grows; `index` finds the ith. Clearing keeps the
 * chunks, so a batch that is filled and cleared again and again allocates nothing.
 */
#include "value/change.h"

#include <string.h>

#include "base/checked.h"
#include "base/cursor.h"
#include "base/env.h"
#include "base/error.h"
#include "codec/frame.h"
#include "ds/idmap.h"
#include "value/value.h"

#define CHUNK_MOST ((size_t)64 << 10)
#define CHUNK_LEAST ((size_t)1 << 10)
#define ALIGN 8u

typedef struct record {
    psh_change change; /* before and after point behind it */
    size_t chunk;
} record;

typedef struct chunk {
    unsigned char *data;
    size_t size;
    size_t used;
} chunk;

/* Where a source has got to. */
typedef struct place {
    uint64_t source;
    uint64_t position;
    uint64_t sequence;
} place;

struct psh_change_batch {
    psh_env *env;
    psh_schema *schema;
    size_t max_bytes;
    size_t bytes; /* of chunks, index, chunk list and places */
    record **index;
    size_t count;
    size_t index_cap;
    chunk *chunks; /* those behind `at` are empty */
    size_t chunk_count;
    size_t chunk_cap;
    size_t at; /* the chunk being filled */
    place *places;
    size_t place_count;
    size_t place_cap;
    size_t hot; /* the place used last */
    pshi_idmap sources; /* from source to place */
    size_t null_place;  /* of source 0, which a map cannot hold */
};

psh_env *pshi_change_batch_env(const psh_change_batch *b) {
    return b->env;
}

psh_schema *pshi_change_batch_schema(const psh_change_batch *b) {
    return b->schema;
}

psh_status psh_change_batch_create(
    psh_env *env, psh_schema *schema, size_t max_bytes, psh_change_batch **out) {
    psh_change_batch *b;

    if (!out)
        return PSH_E_INVALID;
    *out = NULL;
    if (!env || !schema)
        return PSH_E_INVALID;
    b = pshi_calloc(env, 1, sizeof *b);
    if (!b)
        return PSH_E_NOMEM;
    b->env = env;
    b->schema = psh_schema_ref(schema);
    b->max_bytes = max_bytes ? max_bytes : PSHI_LOAD_BYTES;
    b->null_place = SIZE_MAX;
    *out = b;
    return PSH_OK;
}

void psh_change_batch_destroy(psh_change_batch *b) {
    size_t i;

    if (!b)
        return;
    for (i = 0; i < b->chunk_count; i++)
        pshi_free(b->env, b->chunks[i].data);
    pshi_free(b->env, b->chunks);
    pshi_free(b->env, b->index);
    pshi_free(b->env, b->places);
    pshi_idmap_free(b->env, &b->sources);
    psh_schema_unref(b->schema);
    pshi_free(b->env, b);
}

static void forget_places(psh_change_batch *b) {
    if (b->place_count)
        pshi_idmap_clear(&b->sources);
    b->place_count = 0;
    b->null_place = SIZE_MAX;
    b->hot = 0;
}

void psh_change_batch_clear(psh_change_batch *b) {
    size_t i;

    for (i = 0; i < b->chunk_count && i <= b->at; i++)
        b->chunks[i].used = 0;
    b->at = 0;
    b->count = 0;
    forget_places(b);
}

/* @return the source's place, or place_count. */
static size_t find_place(const psh_change_batch *b, uint64_t source) {
    uint32_t i;

    if (b->hot < b->place_count && b->places[b->hot].source == source)
        return b->hot;
    if (!source)
        return b->null_place < b->place_count ? b->null_place : b->place_count;
    i = pshi_idmap_find(&b->sources, source);
    return i == PSH_NONE ? b->place_count : i;
}

/* Room for it is there. */
static void note_place(psh_change_batch *b, const psh_change *c) {
    size_t i = find_place(b, c->source);
    place p = { c->source, c->position, c->sequence };

    b->places[i] = p;
    b->hot = i;
    if (i < b->place_count)
        return;
    b->place_count++;
    if (!c->source)
        b->null_place = i;
    else
        (void)pshi_idmap_put(b->env, &b->sources, c->source, (uint32_t)i); /* its room was made */
}

void psh_change_batch_truncate(psh_change_batch *b, size_t count) {
    size_t at, i;
    record *r;

    if (count >= b->count)
        return;
    r = b->index[count];
    at = r->chunk;
    for (i = at + 1; i < b->chunk_count && i <= b->at; i++)
        b->chunks[i].used = 0;
    b->chunks[at].used = (size_t)((unsigned char *)r - b->chunks[at].data);
    b->at = at;
    b->count = count;
    forget_places(b);
    for (i = 0; i < count; i++)
        note_place(b, &b->index[i]->change);
}

size_t psh_change_batch_count(const psh_change_batch *b) {
    return b->count;
}

psh_status psh_change_batch_get(const psh_change_batch *b, size_t i, psh_change *out) {
    if (!b || !out)
        return PSH_E_INVALID;
    if (i >= b->count)
        return PSH_E_NOT_FOUND;
    *out = b->index[i]->change;
    return PSH_OK;
}

static psh_status check_row(
    const pshi_table *t, const psh_value *row, int wanted, const char *field, psh_error *err) {
    const psh_column_spec *c;
    size_t i;

    if (!row != !wanted)
        return pshi_fail(err, PSH_E_INVALID, field, "does not go with the op");
    for (i = 0; row && i < t->column_count; i++) {
        c = &t->columns[i];
        if (pshi_value_check(&row[i], c->type, c->scale, (c->flags & PSH_COLUMN_NULLABLE) != 0) != PSH_OK)
            return pshi_fail_at(err, PSH_E_INVALID, field, i, "the value does not fit the column");
    }
    return PSH_OK;
}

static psh_status check_place(const psh_change_batch *b, const psh_change *c, psh_error *err) {
    size_t i = find_place(b, c->source);

    if (!c->position)
        return pshi_fail(err, PSH_E_INVALID, "position", "must be above 0");
    if (i == b->place_count)
        return PSH_OK;
    if (c->position < b->places[i].position)
        return pshi_fail(err, PSH_E_INVALID, "position", "lies before the source's last one");
    if (c->position == b->places[i].position && c->sequence <= b->places[i].sequence)
        return pshi_fail(err, PSH_E_INVALID, "sequence", "must increase within a position");
    return PSH_OK;
}

static psh_status check_change(const psh_change_batch *b, const psh_change *c, psh_error *err) {
    const pshi_table *t = pshi_schema_get_table(b->schema, c->table);
    psh_status st;

    if (c->op < PSH_CHANGE_INSERT || c->op > PSH_CHANGE_DELETE)
        return pshi_fail(err, PSH_E_INVALID, "op", "is not a PSH_CHANGE_*");
    if (!t)
        return pshi_fail(err, PSH_E_INVALID, "table", "no such table");
    if (c->column_count != t->column_count)
        return pshi_fail(err, PSH_E_INVALID, "column_count", "is not the table's");
    if (c->commit_time == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "commit_time", "is not a time");
    if ((st = check_place(b, c, err)) != PSH_OK)
        return st;
    st = check_row(t, c->before, c->op != PSH_CHANGE_INSERT, "before", err);
    return st == PSH_OK ? check_row(t, c->after, c->op != PSH_CHANGE_DELETE, "after", err) : st;
}

static int has_text(const psh_value *v) {
    return v->type == PSH_TYPE_TEXT || v->type == PSH_TYPE_BYTES;
}

static int row_size(const psh_value *row, size_t n, size_t *size) {
    int overflow = 0;
    size_t i;

    if (!row)
        return 0;
    for (i = 0; i < n; i++)
        if (has_text(&row[i]))
            overflow |= pshi_add_size(*size, row[i].size, size);
    return overflow || pshi_add_size(*size, n * sizeof *row, size);
}

/* @return the record's size, a multiple of ALIGN, or 0 when it does not fit a size_t. */
static size_t record_size(const psh_change *c) {
    size_t size = sizeof(record) + ALIGN - 1;

    if (row_size(c->before, c->column_count, &size) || row_size(c->after, c->column_count, &size))
        return 0;
    return size & ~(size_t)(ALIGN - 1);
}

/* Empty chunks go when the cap would be hit: a big record may need what small ones left behind. */
static void drop_empty(psh_change_batch *b) {
    while (b->chunk_count && !b->chunks[b->chunk_count - 1].used) {
        b->chunk_count--;
        b->bytes -= b->chunks[b->chunk_count].size;
        pshi_free(b->env, b->chunks[b->chunk_count].data);
    }
    if (b->at >= b->chunk_count)
        b->at = b->chunk_count ? b->chunk_count - 1 : 0;
}

/* Grows one of the batch's own arrays to hold `need`, within the cap. */
static psh_status grow(psh_change_batch *b, void **p, size_t *cap, size_t need, size_t elem) {
    size_t old = *cap, more;

    if (need <= old)
        return PSH_OK;
    more = (old ? old : 8) * elem; /* as much as pshi_reserve will add for one element more */
    if (more > b->max_bytes - b->bytes)
        drop_empty(b);
    if (more > b->max_bytes - b->bytes)
        return PSH_E_LIMIT;
    if (pshi_reserve(b->env, p, cap, need, elem) != PSH_OK)
        return PSH_E_NOMEM;
    b->bytes += (*cap - old) * elem;
    return PSH_OK;
}

#define SOURCE_BYTES (sizeof(uint64_t) + sizeof(uint32_t)) /* of one slot of the map */

/* Room for one more source, in the array and in the map. */
static psh_status grow_places(psh_change_batch *b) {
    psh_status st = grow(b, (void **)&b->places, &b->place_cap, b->place_count + 1, sizeof *b->places);
    size_t old = b->sources.ids ? b->sources.mask + 1 : 0;
    size_t slots = old ? 2 * old : 16;

    if (st != PSH_OK || (b->place_count + 1) * 3 <= old * 2)
        return st;
    if ((slots - old) * SOURCE_BYTES > b->max_bytes - b->bytes)
        drop_empty(b);
    if ((slots - old) * SOURCE_BYTES > b->max_bytes - b->bytes || slots >= PSH_NONE)
        return PSH_E_LIMIT;
    if (pshi_idmap_reserve(b->env, &b->sources, b->place_count + 1) != PSH_OK)
        return PSH_E_NOMEM;
    b->bytes += (b->sources.mask + 1 - old) * SOURCE_BYTES;
    return PSH_OK;
}

static size_t chunk_size(const psh_change_batch *b, size_t need) {
    size_t size = b->max_bytes / 8, left;

    size = size > CHUNK_MOST ? CHUNK_MOST : size < CHUNK_LEAST ? CHUNK_LEAST : size;
    size = size < need ? need : size;
    left = b->max_bytes - b->bytes;
    return size > left && need <= left ? left & ~(size_t)(ALIGN - 1) : size;
}

/* Puts a new chunk behind the one being filled. */
static psh_status add_chunk(psh_change_batch *b, size_t need) {
    psh_status st = grow(b, (void **)&b->chunks, &b->chunk_cap, b->chunk_count + 1, sizeof *b->chunks);
    chunk c = { NULL, 0, 0 };
    size_t at;

    if (st != PSH_OK)
        return st;
    if (need > b->max_bytes - b->bytes)
        drop_empty(b);
    if (need > b->max_bytes - b->bytes)
        return PSH_E_LIMIT;
    c.size = chunk_size(b, need);
    c.data = pshi_alloc(b->env, c.size);
    if (!c.data)
        return PSH_E_NOMEM;
    b->bytes += c.size;
    at = b->chunk_count && b->chunks[b->at].used ? b->at + 1 : b->at;
    memmove(b->chunks + at + 1, b->chunks + at, (b->chunk_count - at) * sizeof *b->chunks);
    b->chunks[at] = c;
    b->chunk_count++;
    b->at = at;
    return PSH_OK;
}

static int fits(const psh_change_batch *b, size_t at, size_t need) {
    return at < b->chunk_count && need <= b->chunks[at].size - b->chunks[at].used;
}

/* Makes chunks[at] one that has room. */
static psh_status find_room(psh_change_batch *b, size_t need) {
    if (fits(b, b->at, need))
        return PSH_OK;
    if (fits(b, b->at + 1, need)) {
        b->at++;
        return PSH_OK;
    }
    return add_chunk(b, need);
}

static psh_value *copy_row(psh_value *to, unsigned char **text, const psh_value *row, size_t n) {
    size_t i;

    for (i = 0; i < n; i++) {
        to[i] = pshi_value_normal(&row[i]);
        if (!has_text(&to[i]))
            continue;
        if (to[i].size)
            memcpy(*text, to[i].as.data, to[i].size);
        to[i].as.data = *text;
        *text += to[i].size;
    }
    return to;
}

/* Room for it is there. */
static record *copy_change(psh_change_batch *b, const psh_change *c, size_t size) {
    chunk *into = &b->chunks[b->at];
    record *r = (record *)(void *)(into->data + into->used);
    psh_value *values = (psh_value *)(r + 1);
    size_t n = c->column_count, rows = (c->before != NULL) + (size_t)(c->after != NULL);
    unsigned char *text = (unsigned char *)(values + rows * n);

    into->used += size;
    r->change = *c;
    r->chunk = b->at;
    if (c->before)
        r->change.before = copy_row(values, &text, c->before, n);
    if (c->after)
        r->change.after = copy_row(values + (rows - 1) * n, &text, c->after, n);
    return r;
}

psh_status psh_change_batch_append(psh_change_batch *b, const psh_change *c, psh_error *err) {
    psh_status st;
    size_t size;

    if (!b || !c)
        return pshi_fail(err, PSH_E_INVALID, "change", "is NULL");
    if ((st = check_change(b, c, err)) != PSH_OK)
        return st;
    size = record_size(c);
    if (!size)
        return pshi_fail(err, PSH_E_LIMIT, "change", "the row is larger than memory");
    st = grow(b, (void **)&b->index, &b->index_cap, b->count + 1, sizeof *b->index);
    if (st == PSH_OK)
        st = grow_places(b);
    if (st == PSH_OK)
        st = find_room(b, size);
    if (st != PSH_OK)
        return pshi_fail(err, st, "max_bytes", psh_status_text(st));
    b->index[b->count] = copy_change(b, c, size);
    note_place(b, c);
    b->count++;
    return PSH_OK;
}
