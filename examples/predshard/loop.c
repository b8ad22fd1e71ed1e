/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "shared.h"

/* Where a run stands in the two inputs that are merged by time. */
typedef struct position {
    size_t row;
    size_t query;
} position;

/* Queries see the last commit at or before their arrival, in every policy, whatever the worker's queue says. */
static int ask_before(stack *s, position *at, int64_t end) {
    const stream *q = s->queries;

    for (; at->query < q->count && q->items[at->query].time < end; at->query++)
        if (stack_ask(s, at->query))
            return s->f->code;
    return EXIT_DONE;
}

/* One slot: its queries, then the commit of its rows, then what the library does about them. */
static int run_slot(stack *s, position *at, int64_t end) {
    const flights *x = s->setup->flights;
    size_t first = at->row;

    if (ask_before(s, at, end))
        return s->f->code;
    while (at->row < x->count && x->rows[at->row].minute * PSH_MINUTE < end)
        at->row++;
    return stack_commit(s, first, at->row, end) || stack_step(s, end) ? s->f->code : EXIT_DONE;
}

static int run_day(stack *s, uint32_t day, position *at, _Atomic int *stop) {
    int64_t start = ((int64_t)s->setup->flights->first_day + day) * PSH_DAY;
    int64_t end;

    if (watch_morning(s, day))
        return s->f->code;
    for (end = start + SLOT_NS; end <= start + PSH_DAY; end += SLOT_NS) {
        if (atomic_load(stop))
            return fail(s->f, EXIT_STOPPED, "stopped because another stack failed");
        if (end > s->now && run_slot(s, at, end))
            return s->f->code;
    }
    return watch_evening(s, day);
}

/* The first step, before the first row, makes what any policy needs to take it. It comes at that row's time,
   so that cycles do not fall on midnight, where a reactive policy would be in time by accident. */
static int run_all(stack *s, _Atomic int *stop, _Atomic uint64_t *done) {
    const flights *x = s->setup->flights;
    position at = { 0, 0 };
    uint32_t day;

    if (stack_step(s, x->rows[0].minute * PSH_MINUTE))
        return s->f->code;
    for (day = 0; day < x->day_count; day++) {
        if (run_day(s, day, &at, stop))
            return s->f->code;
        atomic_fetch_add(done, s->queries->count + x->count);
    }
    return watch_close(s) || shared_end(s) ? s->f->code : EXIT_DONE;
}

void stack_run(const setup *common, const stream *queries, outcome *out, _Atomic int *stop, _Atomic uint64_t *done) {
    stack s;

    if (stack_open(&s, common, queries, out) == EXIT_DONE)
        run_all(&s, stop, done);
    if (out->failed.code != EXIT_DONE)
        atomic_store(stop, 1);
    stack_close(&s);
}
