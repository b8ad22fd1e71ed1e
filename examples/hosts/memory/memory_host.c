/* SPDX-License-Identifier: MIT */
#include "memory_host.h"

#include <stdlib.h>
#include <string.h>

#include "memory_keys.h"
#include "memory_moves.h"
#include "memory_rows.h"

#define SOURCE 1u      /* the one change stream */
#define BATCH_ROWS 64u /* rows handed to a sink at once */

/* An action that was taken on and waits for memory_host_finish. */
typedef struct memory_job {
    uint64_t id;
    int64_t now;
    psh_want want;
} memory_job;

struct memory_host {
    memory_rows rows;
    memory_blobs blobs;
    memory_keys keys;
    memory_job *jobs; /* oldest first */
    size_t job_count, job_capacity;
    uint64_t *done; /* ids of actions carried out */
    size_t done_count, done_capacity;
    uint64_t fence;        /* the highest seen */
    uint64_t acknowledged; /* changes at or before it are forgotten */
    int64_t countdown;
    int forever;
    int failed;
    int pending;
};

memory_host *memory_host_create(psh_schema *schema) {
    memory_host *h = calloc(1, sizeof *h);

    if (!h)
        return NULL;
    h->rows.schema = psh_schema_ref(schema);
    h->rows.commit_time = PSH_TIME_MIN;
    h->countdown = -1;
    return h;
}

void memory_host_destroy(memory_host *h) {
    if (!h)
        return;
    memory_rows_free(&h->rows);
    memory_blobs_free(&h->blobs);
    memory_blobs_free(&h->keys.blobs);
    free(h->jobs);
    free(h->done);
    psh_schema_unref(h->rows.schema);
    free(h);
}

void memory_host_set_worlds(memory_host *h, psh_worlds *worlds) {
    h->rows.worlds = worlds;
}

/* Every callback asks first whether it is its turn to fail. */
static int must_fail(void *user) {
    memory_host *h = user;

    if (h->countdown < 0)
        return 0;
    if (h->countdown > 0) {
        h->countdown--;
        return 0;
    }
    h->failed = 1;
    if (!h->forever)
        h->countdown = -1;
    return 1;
}

static psh_status storage_get(void *user, const char *name, psh_buffer *out) {
    memory_host *h = user;
    int found;
    size_t i;

    if (must_fail(h))
        return PSH_E_HOST;
    i = memory_blob_place(&h->blobs, name, &found);
    if (!found)
        return PSH_E_NOT_FOUND;
    return psh_buffer_append(out, h->blobs.items[i].data, h->blobs.items[i].size);
}

static psh_status storage_commit(void *user, const psh_blob_write *writes, size_t n) {
    memory_host *h = user;
    memory_blob *copies;
    size_t i, made = 0;
    psh_status st = PSH_OK;

    if (must_fail(h))
        return PSH_E_HOST;
    copies = calloc(n + 1, sizeof *copies);
    if (!copies || memory_blob_room(&h->blobs, n) != PSH_OK)
        st = PSH_E_NOMEM;
    for (; st == PSH_OK && made < n; made++)
        if (writes[made].data)
            st = memory_blob_copy(writes[made].name, writes[made].data, writes[made].size, &copies[made]);
    if (st != PSH_OK) {
        for (i = 0; i + 1 < made; i++) { /* the last one has freed its own */
            free(copies[i].name);
            free(copies[i].data);
        }
        free(copies);
        return st;
    }
    for (i = 0; i < n; i++) {
        if (writes[i].data)
            memory_blob_put(&h->blobs, copies[i].name, copies[i].data, copies[i].size, 0);
        else
            memory_blob_remove(&h->blobs, writes[i].name);
    }
    free(copies);
    return PSH_OK;
}

static psh_status storage_list(
    void *user, const char *prefix, psh_status (*each)(void *each_user, const char *name), void *each_user) {
    memory_host *h = user;
    psh_status st = PSH_OK;
    int found;
    size_t i;

    if (must_fail(h))
        return PSH_E_HOST;
    for (i = memory_blob_place(&h->blobs, prefix, &found); st == PSH_OK && i < h->blobs.count; i++) {
        if (strncmp(h->blobs.items[i].name, prefix, strlen(prefix)) != 0)
            break;
        st = each(each_user, h->blobs.items[i].name);
    }
    return st;
}

/* Where rows go: a scan's sink or an answer. */
typedef struct row_batch {
    psh_value *values; /* Shape [BATCH_ROWS][columns] */
    size_t columns;
    size_t count;
    uint32_t time_column;
    int64_t time_from, time_to;
    psh_row_sink sink;
    void *sink_user;
    uint64_t given, seen;
} row_batch;

static psh_status flush_batch(row_batch *b) {
    psh_status st = b->count ? b->sink(b->sink_user, b->values, b->count) : PSH_OK;

    b->given += b->count;
    b->count = 0;
    return st;
}

static int is_asked(const memory_host *h, const row_batch *b, const memory_source *from, const psh_value *row) {
    uint64_t point;

    if (row[b->time_column].as.i64 < b->time_from || row[b->time_column].as.i64 >= b->time_to)
        return 0;
    if (!from->clip)
        return 1;
    point = memory_point(&h->rows, from->t->table, row);
    return point >= from->first && point <= from->last;
}

static psh_status read_source(const memory_host *h, row_batch *b, const memory_source *from, uint32_t node) {
    memory_row *const *rows = memory_rows_at(from->t, node);
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < from->t->count; i++) {
        b->seen++;
        if (!is_asked(h, b, from, rows[i]->values))
            continue;
        memcpy(b->values + b->count++ * b->columns, rows[i]->values, b->columns * sizeof *b->values);
        if (b->count == BATCH_ROWS)
            st = flush_batch(b);
    }
    return st == PSH_OK ? flush_batch(b) : st;
}

/* A partition's rows at a node; PSH_NONE = its owner's. */
static psh_status read_partition(const memory_host *h, row_batch *b, const psh_partition *p, uint32_t node) {
    psh_status st = PSH_OK;
    memory_source from;
    size_t at = 0, found = 0;

    while (st == PSH_OK && memory_next_source(&h->rows, p, &at, &from)) {
        found++;
        st = read_source(h, b, &from, node == PSH_NONE ? from.t->node : node);
    }
    return found || st != PSH_OK ? st : PSH_E_NOT_FOUND;
}

static psh_status batch_open(const memory_host *h, uint32_t table, row_batch *b) {
    psh_table_spec spec;

    if (psh_schema_table(h->rows.schema, table, &spec) != PSH_OK)
        return PSH_E_NOT_FOUND;
    b->columns = spec.column_count;
    b->time_column = spec.time_column;
    b->values = malloc(BATCH_ROWS * b->columns * sizeof *b->values);
    return b->values ? PSH_OK : PSH_E_NOMEM;
}

static psh_status storage_scan(
    void *user, const psh_scan *scan, psh_row_sink sink, void *sink_user, psh_scan_result *result) {
    memory_host *h = user;
    row_batch b = { .time_from = scan->time_from, .time_to = scan->time_to, .sink = sink, .sink_user = sink_user };
    psh_partition bare = { .table = scan->table };
    psh_status st;
    size_t i;

    if (must_fail(h))
        return PSH_E_HOST;
    if (h->rows.open) /* a scan never sees half a commit */
        return PSH_E_STATE;
    st = batch_open(h, scan->table, &b);
    for (i = 0; st == PSH_OK && i < scan->partition_count; i++) {
        bare.id = scan->partitions[i];
        st = read_partition(h, &b, scan->infos ? &scan->infos[i] : &bare, PSH_NONE);
    }
    free(b.values);
    if (st != PSH_OK)
        return st;
    result->source = SOURCE;
    result->position = h->rows.position;
    result->commit_time = h->rows.commit_time;
    result->rows = b.given;
    result->work = b.seen;
    return PSH_OK;
}

static int was_done(const memory_host *h, uint64_t id) {
    size_t i;

    for (i = 0; i < h->done_count; i++)
        if (h->done[i] == id)
            return 1;
    return 0;
}

static psh_status carry_out(memory_host *h, uint64_t id, const psh_want *want, int64_t now) {
    memory_table *t = memory_find_table(&h->rows, want->subject);

    switch (want->kind) {
    case PSH_ACT_CREATE_PARTITION:
        return memory_create_table(&h->rows, want);
    case PSH_ACT_ACTIVATE_PARTITION:
    case PSH_ACT_SEAL_PARTITION: /* routing alone knows these states */
        return t ? PSH_OK : PSH_E_NOT_FOUND;
    case PSH_ACT_ARCHIVE_PARTITION:
        return t ? memory_move_table(&h->rows, t, id, now, want) : PSH_E_NOT_FOUND;
    case PSH_ACT_DROP_PARTITION:
        return t ? memory_move_table(&h->rows, t, id, now, NULL) : PSH_OK;
    default:
        return memory_carry_out(&h->rows, want);
    }
}

/* Carries one action out once, and remembers it. */
static psh_status run_once(memory_host *h, uint64_t id, const psh_want *want, int64_t now) {
    void *p = h->done;
    psh_status st;

    if (was_done(h, id))
        return PSH_OK;
    st = memory_reserve(&p, &h->done_capacity, h->done_count + 1, sizeof *h->done);
    h->done = p;
    if (st == PSH_OK)
        st = carry_out(h, id, want, now);
    if (st == PSH_OK)
        h->done[h->done_count++] = id;
    return st;
}

static psh_status add_job(memory_host *h, int64_t now, const psh_action *a) {
    void *p = h->jobs;
    psh_status st;
    size_t i;

    for (i = 0; i < h->job_count; i++)
        if (h->jobs[i].id == a->id)
            return PSH_PENDING;
    st = memory_reserve(&p, &h->job_capacity, h->job_count + 1, sizeof *h->jobs);
    h->jobs = p;
    if (st != PSH_OK)
        return st;
    h->jobs[h->job_count].id = a->id;
    h->jobs[h->job_count].now = now;
    h->jobs[h->job_count++].want = a->want;
    return PSH_PENDING;
}

static psh_status storage_submit(void *user, int64_t now, const psh_action *action) {
    memory_host *h = user;

    if (must_fail(h))
        return PSH_E_HOST;
    if (action->fence < h->fence)
        return PSH_E_FENCED;
    h->fence = action->fence;
    if (h->rows.open)
        return PSH_E_STATE;
    if (h->pending && !was_done(h, action->id))
        return add_job(h, now, action);
    return run_once(h, action->id, &action->want, now);
}

static psh_status storage_health(void *user, uint32_t node, uint32_t tier, psh_health *out) {
    memory_host *h = user;
    size_t i;

    if (must_fail(h))
        return PSH_E_HOST;
    out->ok = 1;
    out->free_bytes = UINT64_MAX;
    out->used_bytes = 0;
    for (i = 0; i < h->rows.table_count; i++)
        out->used_bytes += memory_bytes_at(&h->rows.tables[i], node, tier);
    out->free_bytes -= out->used_bytes;
    return PSH_OK;
}

static psh_status cdc_state(void *user, psh_cdc_state *out) {
    memory_host *h = user;

    if (must_fail(h))
        return PSH_E_HOST;
    out->source = SOURCE;
    out->position = h->rows.position;
    out->commit_time = h->rows.commit_time;
    return PSH_OK;
}

static psh_status append_change(psh_change_batch *out, const psh_schema *schema, const memory_change *from) {
    psh_table_spec spec;
    psh_change c;

    if (psh_schema_table(schema, from->table, &spec) != PSH_OK)
        return PSH_E_NOT_FOUND;
    memset(&c, 0, sizeof c);
    c.op = from->op;
    c.table = from->table;
    c.source = SOURCE;
    c.position = from->position;
    c.sequence = from->sequence;
    c.commit_time = from->commit_time;
    c.origin = from->origin;
    c.before = from->before ? from->before->values : NULL;
    c.after = from->after ? from->after->values : NULL;
    c.column_count = spec.column_count;
    return psh_change_batch_append(out, &c, NULL);
}

static psh_status cdc_poll(void *user, uint64_t cursor, psh_change_batch *out, uint64_t *next) {
    memory_host *h = user;
    const memory_change *c;
    size_t i = 0, whole = psh_change_batch_count(out), start = whole;
    uint64_t at = cursor;
    psh_status st = PSH_OK;

    if (must_fail(h))
        return PSH_E_HOST;
    if (cursor && cursor < h->acknowledged)
        return PSH_E_NOT_FOUND;
    while (i < h->rows.log_count && h->rows.log[i].position <= cursor)
        i++;
    for (; i < h->rows.log_count && h->rows.log[i].position <= h->rows.position; i++) {
        c = &h->rows.log[i];
        if (c->position != at)
            whole = psh_change_batch_count(out);
        st = append_change(out, h->rows.schema, c);
        if (st != PSH_OK)
            break;
        at = c->position;
    }
    if (st == PSH_OK) {
        *next = h->rows.position;
        return PSH_OK;
    }
    psh_change_batch_truncate(out, whole);
    if (st != PSH_E_LIMIT || whole == start)
        return st;
    *next = h->rows.log[i].position - 1;
    return PSH_AGAIN;
}

static psh_status cdc_acknowledge(void *user, uint64_t position) {
    memory_host *h = user;

    if (must_fail(h))
        return PSH_E_HOST;
    if (position > h->acknowledged)
        h->acknowledged = position;
    memory_forget(&h->rows, position);
    return PSH_OK;
}

void memory_host_tables(memory_host *h, psh_storage *storage, psh_cdc *cdc, psh_kv *kv) {
    memset(storage, 0, sizeof *storage);
    storage->struct_size = sizeof *storage;
    storage->version = PSH_STORAGE_VERSION;
    storage->user = h;
    storage->get = storage_get;
    storage->commit = storage_commit;
    storage->list = storage_list;
    storage->scan = storage_scan;
    storage->submit = storage_submit;
    storage->health = storage_health;
    memset(cdc, 0, sizeof *cdc);
    cdc->struct_size = sizeof *cdc;
    cdc->version = PSH_CDC_VERSION;
    cdc->user = h;
    cdc->state = cdc_state;
    cdc->poll = cdc_poll;
    cdc->acknowledge = cdc_acknowledge;
    h->keys.must_fail = must_fail;
    h->keys.host = h;
    if (kv)
        memory_keys_table(&h->keys, kv);
}

psh_status memory_host_begin(memory_host *h, int64_t commit_time) {
    if (h->rows.open)
        return PSH_E_STATE;
    if (commit_time < h->rows.commit_time)
        return PSH_E_TIME;
    h->rows.open = 1;
    h->rows.open_time = commit_time;
    h->rows.sequence = 0;
    return PSH_OK;
}

psh_status memory_host_insert(memory_host *h, uint64_t partition, uint32_t table, const psh_value *row) {
    return h->rows.open ? memory_put(&h->rows, partition, table, row) : PSH_E_STATE;
}

psh_status memory_host_update(memory_host *h, uint32_t table, const psh_value *row) {
    return h->rows.open ? memory_change_row(&h->rows, table, row, 0) : PSH_E_STATE;
}

psh_status memory_host_remove(memory_host *h, uint32_t table, const psh_value *row) {
    return h->rows.open ? memory_change_row(&h->rows, table, row, 1) : PSH_E_STATE;
}

psh_status memory_host_commit(memory_host *h, uint64_t *position) {
    if (!h->rows.open)
        return PSH_E_STATE;
    h->rows.open = 0;
    h->rows.position++;
    h->rows.commit_time = h->rows.open_time;
    if (position)
        *position = h->rows.position;
    return PSH_OK;
}

uint64_t memory_host_position(const memory_host *h) {
    return h->rows.position;
}

static psh_status into_answer(void *user, const psh_value *rows, size_t n) {
    return psh_answer_add_rows(user, rows, n);
}

psh_status memory_host_run_leg(memory_host *h, const psh_query *query, const psh_leg *leg, psh_answer *out) {
    row_batch b = { .time_from = leg->time_from, .time_to = leg->time_to, .sink = into_answer, .sink_user = out };
    psh_status st;
    size_t i;

    (void)query; /* the answer skips rows that do not match */
    if (leg->kind != PSH_LEG_BASE)
        return PSH_E_INVALID;
    st = batch_open(h, leg->table, &b);
    for (i = 0; st == PSH_OK && i < leg->partition_count; i++) {
        st = read_partition(h, &b, leg->partitions[i], leg->node);
    }
    free(b.values);
    return st;
}

void memory_host_fail(memory_host *h, int64_t n, int forever) {
    h->countdown = n;
    h->forever = forever;
    h->failed = 0;
}

int memory_host_failed(const memory_host *h) {
    return h->failed;
}

void memory_host_set_pending(memory_host *h, int pending) {
    h->pending = pending;
}

psh_status memory_host_finish(memory_host *h, uint64_t *id) {
    memory_job job;
    psh_status st;

    if (!h->job_count)
        return PSH_END;
    job = h->jobs[0];
    st = run_once(h, job.id, &job.want, job.now);
    if (st != PSH_OK)
        return st;
    h->job_count--;
    memmove(h->jobs, h->jobs + 1, h->job_count * sizeof *h->jobs);
    *id = job.id;
    return PSH_OK;
}

size_t memory_host_table_count(const memory_host *h) {
    return h->rows.table_count;
}

uint64_t memory_host_row_count(const memory_host *h) {
    return h->rows.row_count;
}

uint64_t memory_host_dropped_rows(const memory_host *h) {
    return h->rows.dropped;
}
