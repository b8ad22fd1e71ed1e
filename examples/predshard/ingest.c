/* SPDX-License-Identifier: MIT */
#include "stack.h"

#include <stdlib.h>
#include <string.h>

#include "questions.h"

#define NUMBER_BYTES 8

/* What one commit wrote to one partition. */
typedef struct written {
    uint64_t partition;
    uint64_t rows;
    uint64_t bytes;
    int64_t time_min;
    int64_t time_max;
} written;

static int64_t row_time(const flight *row) {
    return row->minute * PSH_MINUTE;
}

static uint64_t row_bytes(const stack *s, const flight *row) {
    const flights *x = s->setup->flights;

    return strlen(x->places[row->origin]) + strlen(x->places[row->destination]) + 4 * NUMBER_BYTES;
}

static int reserve(stack *s, size_t n) {
    placed *grown;

    if (n <= s->placed_capacity)
        return EXIT_DONE;
    grown = realloc(s->placed, 2 * n * sizeof *grown);
    if (!grown)
        return fail_memory(s->f);
    s->placed = grown;
    s->placed_capacity = 2 * n;
    return EXIT_DONE;
}

/* @param homeless  rows that no planned partition takes */
static int place_rows(stack *s, size_t first, size_t end, size_t *homeless) {
    const psh_world *world = psh_worlds_current(s->worlds);
    const flights *x = s->setup->flights;
    psh_placement p;
    psh_status st;
    size_t i;

    *homeless = 0;
    for (i = first; i < end; i++) {
        placed *to = &s->placed[i - first];

        to->tenant = s->tenants[x->rows[i].origin];
        st = psh_router_write(s->router, world, 0, to->tenant, row_time(&x->rows[i]), &p);
        if (st && st != PSH_E_NOT_FOUND)
            return stack_fail(s, "routing a row", st, NULL);
        to->partition = st ? NULL : p.partition;
        *homeless += st || p.quarantined;
    }
    return EXIT_DONE;
}

static void make_row(const stack *s, size_t i, psh_value row[COLUMN_COUNT]) {
    const flights *x = s->setup->flights;
    const flight *from = &x->rows[i];

    memset(row, 0, COLUMN_COUNT * sizeof *row);
    row[COLUMN_ORIGIN].type = PSH_TYPE_TEXT;
    row[COLUMN_ORIGIN].as.data = x->places[from->origin];
    row[COLUMN_ORIGIN].size = (uint32_t)strlen(x->places[from->origin]);
    row[COLUMN_TIME].type = PSH_TYPE_TIMESTAMP;
    row[COLUMN_TIME].as.i64 = row_time(from);
    row[COLUMN_SEQ].type = PSH_TYPE_INT64;
    row[COLUMN_SEQ].as.i64 = (int64_t)i + 1;
    row[COLUMN_DESTINATION].type = PSH_TYPE_TEXT;
    row[COLUMN_DESTINATION].as.data = x->places[from->destination];
    row[COLUMN_DESTINATION].size = (uint32_t)strlen(x->places[from->destination]);
    row[COLUMN_DELAY].type = from->delay == NO_DELAY ? PSH_TYPE_NULL : PSH_TYPE_INT64;
    row[COLUMN_DELAY].as.i64 = from->delay == NO_DELAY ? 0 : from->delay;
    row[COLUMN_DISTANCE].type = PSH_TYPE_INT64;
    row[COLUMN_DISTANCE].as.i64 = from->distance;
}

/* One transaction; a failed one is rolled back, so that the database holds all commits before it whole. */
static int write_rows(stack *s, size_t first, size_t end, int64_t now, uint64_t *position) {
    psh_value row[COLUMN_COUNT];
    psh_status st = sqlite_host_begin(s->host, now);
    size_t i;

    if (st)
        return stack_fail(s, "beginning a commit", st, NULL);
    for (i = first; i < end && !st; i++) {
        make_row(s, i, row);
        st = sqlite_host_insert(s->host, s->placed[i - first].partition, row);
    }
    if (!st)
        st = sqlite_host_commit(s->host, position);
    if (st) {
        stack_fail(s, "committing rows", st, NULL);
        sqlite_host_rollback(s->host);
    }
    return s->f->code;
}

/* A table is ready when it was there before the first row that it gets came about. */
static void note_first_write(stack *s, const psh_partition *p, int64_t time) {
    if (p->flags & PSH_PARTITION_QUARANTINE)
        return;
    s->out->total.tables++;
    s->out->total.tables_ready += p->created_at <= time;
}

static int tell_map(stack *s, const written *w, uint64_t position, int *publish) {
    psh_status st = psh_map_observe_write(
        s->map, w->partition, w->rows, w->bytes, w->time_min, w->time_max, position);

    if (st < 0)
        return stack_fail(s, "noting a write", st, NULL);
    *publish |= st == PSH_AGAIN;
    if (!versions_set(&s->versions, w->partition, s->out->total.commits))
        return fail_memory(s->f);
    return EXIT_DONE;
}

/* Sums up one partition's rows; the same partition is not summed twice, since it is cleared on the way. */
static void sum_up(stack *s, size_t at, size_t first, size_t end, written *w) {
    const flights *x = s->setup->flights;
    const psh_partition *p = s->placed[at - first].partition;
    size_t i;

    memset(w, 0, sizeof *w);
    w->partition = p->id;
    w->time_min = row_time(&x->rows[at]);
    for (i = at; i < end; i++) {
        if (s->placed[i - first].partition != p)
            continue;
        w->rows++;
        w->bytes += row_bytes(s, &x->rows[i]);
        w->time_max = row_time(&x->rows[i]);
        s->placed[i - first].partition = NULL;
        s->out->total.quarantined += (p->flags & PSH_PARTITION_QUARANTINE) != 0;
    }
    if (versions_get(&s->versions, p->id) == 0)
        note_first_write(s, p, w->time_min);
}

static int tell_forecaster(stack *s, size_t first, size_t end) {
    const flights *x = s->setup->flights;
    psh_write_record r;
    psh_status st;
    size_t i;

    memset(&r, 0, sizeof r);
    r.struct_size = sizeof r;
    r.rows = 1;
    for (i = first; i < end; i++) {
        r.time = row_time(&x->rows[i]);
        r.tenant = s->placed[i - first].tenant;
        r.partition = s->placed[i - first].partition->id;
        r.bytes = row_bytes(s, &x->rows[i]);
        st = psh_forecaster_observe_write(s->forecaster, &r);
        if (st < 0 && st != PSH_E_LIMIT && st != PSH_E_TIME)
            return stack_fail(s, "learning from a write", st, NULL);
    }
    return EXIT_DONE;
}

static int observe(stack *s, size_t first, size_t end, uint64_t position, int64_t now) {
    psh_error err;
    psh_status st;
    written w;
    size_t i;
    int publish = 0;

    if (tell_forecaster(s, first, end))
        return s->f->code;
    for (i = first; i < end; i++) {
        if (!s->placed[i - first].partition)
            continue;
        sum_up(s, i, first, end, &w);
        if (tell_map(s, &w, position, &publish))
            return s->f->code;
    }
    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    if (publish && (st = psh_autopilot_publish(s->autopilot, now, &err)))
        return stack_fail(s, "publishing", st, &err);
    return EXIT_DONE;
}

/* Every row finds a place: what no plan foresaw waits for a hurried one, and goes to quarantine if even that
   has none. */
static int find_places(stack *s, size_t first, size_t end, int64_t now, int64_t *spent_ns) {
    int64_t begin = cpu_now();
    size_t homeless, i;

    if (reserve(s, end - first) || place_rows(s, first, end, &homeless))
        return s->f->code;
    *spent_ns += cpu_now() - begin;
    if (homeless == 0)
        return EXIT_DONE;
    if (stack_hurry(s, now))
        return s->f->code;
    begin = cpu_now();
    if (place_rows(s, first, end, &homeless))
        return s->f->code;
    *spent_ns += cpu_now() - begin;
    for (i = 0; i < end - first; i++)
        if (!s->placed[i].partition)
            return stack_fail(s, "placing a row", PSH_E_NOT_FOUND, NULL);
    return EXIT_DONE;
}

int stack_commit(stack *s, size_t first, size_t end, int64_t now) {
    counts *total = &s->out->total;
    int64_t begin, spent_ns = 0;
    uint64_t position;

    s->now = now;
    if (first == end)
        return EXIT_DONE;
    if (find_places(s, first, end, now, &spent_ns))
        return s->f->code;
    begin = cpu_now();
    total->commits++;
    if (write_rows(s, first, end, now, &position) || observe(s, first, end, position, now))
        return s->f->code;
    spent_ns += cpu_now() - begin;
    total->rows += end - first;
    total->time.ingest_ns += spent_ns;
    stack_occupy(s, now, spent_ns);
    return EXIT_DONE;
}
