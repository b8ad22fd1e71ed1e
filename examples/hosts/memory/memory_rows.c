/* SPDX-License-Identifier: MIT */
#include "memory_moves.h"

#include <stdlib.h>
#include <string.h>

psh_status memory_reserve(void **p, size_t *capacity, size_t need, size_t element) {
    size_t n = *capacity ? *capacity : 16;
    void *q;

    if (need <= *capacity)
        return PSH_OK;
    while (n < need)
        n *= 2;
    q = realloc(*p, n * element);
    if (!q)
        return PSH_E_NOMEM;
    *p = q;
    *capacity = n;
    return PSH_OK;
}

static int has_bytes(const psh_value *v) {
    return v->type == PSH_TYPE_TEXT || v->type == PSH_TYPE_BYTES;
}

memory_row *memory_copy_row(const psh_value *row, size_t columns) {
    size_t i, size = 0;
    memory_row *r;
    char *text;

    for (i = 0; i < columns; i++)
        size += has_bytes(&row[i]) ? row[i].size : 0;
    r = malloc(sizeof *r + columns * sizeof *row + size + 1);
    if (!r)
        return NULL;
    memset(r, 0, sizeof *r);
    r->bytes = columns * 8 + size;
    memcpy(r->values, row, columns * sizeof *row);
    text = (char *)(r->values + columns);
    for (i = 0; i < columns; i++) {
        if (!has_bytes(&row[i]))
            continue;
        if (row[i].size)
            memcpy(text, row[i].as.data, row[i].size);
        r->values[i].as.data = text;
        text += row[i].size;
    }
    return r;
}

/* FNV-1a: only this host's own buckets depend on it. */
static uint64_t mix_bytes(uint64_t h, const void *data, size_t size) {
    const unsigned char *p = data;
    size_t i;

    for (i = 0; i < size; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t hash_key(const psh_table_spec *spec, uint32_t table, const psh_value *row) {
    uint64_t h = mix_bytes(UINT64_C(0xcbf29ce484222325), &table, sizeof table);
    const psh_value *v;
    size_t i;

    for (i = 0; i < spec->key_count; i++) {
        v = &row[spec->key_columns[i]];
        h = mix_bytes(h, &v->type, sizeof v->type);
        h = has_bytes(v) ? mix_bytes(h, v->as.data, v->size) : mix_bytes(h, &v->as.i64, sizeof v->as.i64);
    }
    return h ^ h >> 32;
}

static int same_key(const psh_table_spec *spec, const psh_value *a, const psh_value *b) {
    size_t i;
    uint32_t c;

    for (i = 0; i < spec->key_count; i++) {
        c = spec->key_columns[i];
        if (psh_value_compare(&a[c], &b[c]) != 0)
            return 0;
    }
    return 1;
}

static memory_row *find_row(
    const memory_rows *m, const psh_table_spec *spec, uint32_t table, const psh_value *row) {
    uint64_t h = hash_key(spec, table, row);
    memory_row *r = m->bucket_count ? m->buckets[h & (m->bucket_count - 1)] : NULL;

    for (; r; r = r->next)
        if (r->hash == h && memory_find_table(m, r->partition)->table == table && same_key(spec, r->values, row))
            return r;
    return NULL;
}

static psh_status grow_index(memory_rows *m) {
    size_t n = m->bucket_count ? m->bucket_count * 2 : 64, i;
    memory_row **buckets, *r, *next;

    if (m->row_count < m->bucket_count)
        return PSH_OK;
    buckets = calloc(n, sizeof *buckets);
    if (!buckets)
        return PSH_E_NOMEM;
    for (i = 0; i < m->bucket_count; i++) {
        for (r = m->buckets[i]; r; r = next) {
            next = r->next;
            r->next = buckets[r->hash & (n - 1)];
            buckets[r->hash & (n - 1)] = r;
        }
    }
    free(m->buckets);
    m->buckets = buckets;
    m->bucket_count = n;
    return PSH_OK;
}

void memory_link_row(memory_rows *m, memory_table *t, memory_row *r) {
    memory_row **bucket = &m->buckets[r->hash & (m->bucket_count - 1)];

    r->next = *bucket;
    *bucket = r;
    r->partition = t->partition;
    r->place = t->count;
    t->rows[t->count++] = r;
    t->bytes += r->bytes;
    m->row_count++;
}

/* The last row goes where one was taken out. */
static void close_gap(memory_row **rows, size_t place, size_t last) {
    rows[place] = rows[last];
    rows[last] = NULL;
}

void memory_unlink_row(memory_rows *m, memory_table *t, memory_row *r) {
    memory_row **at = &m->buckets[r->hash & (m->bucket_count - 1)];
    size_t place = r->place, i;

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    close_gap(t->rows, place, --t->count);
    if (place < t->count)
        t->rows[place]->place = place;
    for (i = 0; i < t->copy_count; i++) {
        free(t->copies[i].rows[place]);
        close_gap(t->copies[i].rows, place, t->count);
    }
    t->bytes -= r->bytes;
    m->row_count--;
}

/* A row changes where it stands. The copies' rows were prepared behind the last one. */
static void replace_row(memory_rows *m, memory_table *t, memory_row *old, memory_row *fresh) {
    memory_row **at = &m->buckets[old->hash & (m->bucket_count - 1)];
    size_t i;

    while (*at != old)
        at = &(*at)->next;
    *at = fresh;
    fresh->next = old->next;
    fresh->hash = old->hash;
    fresh->partition = old->partition;
    fresh->place = old->place;
    t->rows[old->place] = fresh;
    t->bytes += fresh->bytes - old->bytes;
    for (i = 0; i < t->copy_count; i++) {
        free(t->copies[i].rows[old->place]);
        close_gap(t->copies[i].rows, old->place, t->count);
    }
}

static psh_status prepare_copy(
    memory_copy *c, size_t count, const psh_value *const *rows, size_t n, size_t columns) {
    void *p = c->rows;
    psh_status st = memory_reserve(&p, &c->capacity, count + n, sizeof *c->rows);
    size_t i;

    c->rows = p;
    for (i = 0; st == PSH_OK && i < n; i++)
        c->rows[count + i] = NULL;
    for (i = 0; st == PSH_OK && c->ready && i < n; i++) {
        c->rows[count + i] = memory_copy_row(rows[n - 1 - i], columns);
        st = c->rows[count + i] ? PSH_OK : PSH_E_NOMEM;
    }
    for (i = 0; st != PSH_OK && c->capacity >= count + n && i < n; i++) {
        free(c->rows[count + i]);
        c->rows[count + i] = NULL;
    }
    return st;
}

psh_status memory_prepare(memory_rows *m, memory_table *t, const psh_value *const *rows, size_t n) {
    void *p = t->rows;
    psh_table_spec spec;
    psh_status st = psh_schema_table(m->schema, t->table, &spec);
    size_t done = 0, i;

    if (st == PSH_OK)
        st = memory_reserve(&p, &t->capacity, t->count + n, sizeof *t->rows);
    t->rows = p;
    for (; st == PSH_OK && done < t->copy_count; done++)
        st = prepare_copy(&t->copies[done], t->count, rows, n, spec.column_count);
    while (st != PSH_OK && done > 0) {
        done--;
        for (i = 0; t->copies[done].capacity >= t->count + n && i < n; i++) {
            free(t->copies[done].rows[t->count + i]);
            t->copies[done].rows[t->count + i] = NULL;
        }
    }
    return st;
}

/* Room for one change more, so that logging it cannot fail. */
static psh_status log_room(memory_rows *m, size_t n) {
    void *p = m->log;
    psh_status st = memory_reserve(&p, &m->log_capacity, m->log_count + n, sizeof *m->log);

    m->log = p;
    return st;
}

static void log_change(
    memory_rows *m, uint32_t op, uint32_t table, uint64_t origin, memory_row *before, memory_row *after) {
    memory_change *c = &m->log[m->log_count++];

    c->op = op;
    c->table = table;
    c->position = m->position + 1;
    c->sequence = ++m->sequence;
    c->origin = origin;
    c->commit_time = m->open_time;
    c->before = before;
    c->after = after;
}

void memory_forget(memory_rows *m, uint64_t position) {
    size_t n = 0, i;

    while (n < m->log_count && m->log[n].position <= position)
        n++;
    for (i = 0; i < n; i++) {
        free(m->log[i].before);
        free(m->log[i].after);
    }
    if (n)
        memmove(m->log, m->log + n, (m->log_count - n) * sizeof *m->log);
    m->log_count -= n;
}

static void free_rows(memory_table *t) {
    size_t i;

    while (t->copy_count)
        memory_drop_copy(t, &t->copies[t->copy_count - 1]);
    free(t->copies);
    for (i = 0; i < t->count; i++)
        free(t->rows[i]);
    free(t->rows);
}

void memory_remove_table(memory_rows *m, memory_table *t) {
    size_t i;

    memory_forget_copies_into(m, t->partition);
    for (i = 0; i < t->count; i++)
        free(t->rows[i]);
    t->count = 0;
    free_rows(t);
    *t = m->tables[--m->table_count];
}

void memory_rows_free(memory_rows *m) {
    size_t i;

    memory_forget(m, UINT64_MAX);
    for (i = 0; i < m->table_count; i++)
        free_rows(&m->tables[i]);
    free(m->tables);
    free(m->buckets);
    free(m->log);
}

memory_table *memory_find_table(const memory_rows *m, uint64_t partition) {
    size_t i;

    for (i = 0; i < m->table_count; i++)
        if (m->tables[i].partition == partition)
            return &m->tables[i];
    return NULL;
}

psh_status memory_create_table(memory_rows *m, const psh_want *want) {
    void *p = m->tables;
    memory_table *t;
    psh_status st;

    if (memory_find_table(m, want->subject))
        return PSH_OK;
    st = memory_reserve(&p, &m->table_capacity, m->table_count + 1, sizeof *m->tables);
    m->tables = p;
    if (st != PSH_OK)
        return st;
    t = &m->tables[m->table_count++];
    memset(t, 0, sizeof *t);
    t->partition = want->subject;
    t->table = want->table;
    t->node = want->node;
    t->tier = want->tier;
    t->holds = !want->source;
    t->quarantine = want->subject == psh_quarantine_id(want->table);
    t->interval = want->interval;
    t->arc_first = want->arc_first;
    t->arc_last = want->arc_last;
    return PSH_OK;
}

/* Writes the delete of every row to the log under the action's id: what a real engine's capture shows too. */
static psh_status log_deletes(memory_rows *m, const memory_table *t, uint64_t origin) {
    psh_table_spec spec;
    memory_row *copy;
    size_t i, start = m->log_count;

    if (psh_schema_table(m->schema, t->table, &spec) != PSH_OK)
        return PSH_E_NOT_FOUND;
    if (log_room(m, t->count) != PSH_OK)
        return PSH_E_NOMEM;
    for (i = 0; i < t->count; i++) {
        copy = memory_copy_row(t->rows[i]->values, spec.column_count);
        if (!copy) {
            while (m->log_count > start)
                free(m->log[--m->log_count].before);
            return PSH_E_NOMEM;
        }
        log_change(m, PSH_CHANGE_DELETE, t->table, origin, copy, NULL);
    }
    return PSH_OK;
}

psh_status memory_move_table(memory_rows *m, memory_table *t, uint64_t origin, int64_t now, const psh_want *to) {
    memory_row *r;
    psh_status st;

    m->sequence = 0;
    m->open_time = now > m->commit_time ? now : m->commit_time;
    st = log_deletes(m, t, origin);
    if (st != PSH_OK)
        return st;
    if (t->count) {
        m->position++;
        m->commit_time = m->open_time;
    }
    if (to) {
        t->node = to->node;
        t->tier = to->tier;
        return PSH_OK;
    }
    m->dropped += t->count;
    while (t->count) {
        r = t->rows[t->count - 1];
        memory_unlink_row(m, t, r);
        free(r);
    }
    memory_remove_table(m, t);
    return PSH_OK;
}

psh_status memory_put(memory_rows *m, uint64_t partition, uint32_t table, const psh_value *row) {
    memory_table *t = memory_table_for(m, partition, table, row);
    memory_row *r, *copy;
    psh_table_spec spec;

    if (!t || t->table != table || psh_schema_table(m->schema, table, &spec) != PSH_OK)
        return PSH_E_NOT_FOUND;
    if (find_row(m, &spec, table, row))
        return PSH_E_EXISTS;
    r = memory_copy_row(row, spec.column_count);
    copy = memory_copy_row(row, spec.column_count);
    if (!r || !copy || grow_index(m) != PSH_OK || log_room(m, 1) != PSH_OK ||
        memory_prepare(m, t, &row, 1) != PSH_OK) {
        free(r);
        free(copy);
        return PSH_E_NOMEM;
    }
    r->hash = hash_key(&spec, table, row);
    memory_link_row(m, t, r);
    log_change(m, PSH_CHANGE_INSERT, table, 0, NULL, copy);
    return PSH_OK;
}

psh_status memory_change_row(memory_rows *m, uint32_t table, const psh_value *row, int remove) {
    memory_row *old, *fresh = NULL, *after = NULL, *before;
    psh_table_spec spec;
    memory_table *t;
    int short_of_memory;

    if (psh_schema_table(m->schema, table, &spec) != PSH_OK)
        return PSH_E_NOT_FOUND;
    old = find_row(m, &spec, table, row);
    if (!old)
        return PSH_E_NOT_FOUND;
    t = memory_find_table(m, old->partition);
    before = memory_copy_row(old->values, spec.column_count);
    if (!remove) {
        fresh = memory_copy_row(row, spec.column_count);
        after = memory_copy_row(row, spec.column_count);
    }
    short_of_memory = !before || (!remove && (!fresh || !after)) || log_room(m, 1) != PSH_OK;
    if (short_of_memory || (!remove && memory_prepare(m, t, &row, 1) != PSH_OK)) {
        free(before);
        free(fresh);
        free(after);
        return PSH_E_NOMEM;
    }
    if (fresh)
        replace_row(m, t, old, fresh);
    else
        memory_unlink_row(m, t, old);
    free(old);
    log_change(m, remove ? PSH_CHANGE_DELETE : PSH_CHANGE_UPDATE, table, 0, before, after);
    return PSH_OK;
}
