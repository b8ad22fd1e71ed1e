/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "codec/frame.h"
#include "drive/driver.h"

#define SECTION_DRIVER 1u
#define SECTION_FIRST 2u /* the caller's, in the order given; each begins with its name */
#define MAX_NAME 31u
#define MAX_CHECKPOINT ((size_t)1 << 31) /* bytes of all sections together, expanded */

static void strip_after(const psh_driver *d, psh_action *a, uint64_t *room, size_t *used) {
    uint64_t *kept = room + *used;
    size_t i, n = 0;

    for (i = 0; i < a->after_count; i++)
        if (pshi_idmap_find(&d->tasks.index, a->after[i]) != PSH_NONE)
            kept[n++] = a->after[i];
    a->after = kept;
    a->after_count = n;
    *used += n;
}

/* One plan of everything that has not ended; what is done already is waited for no more. */
static psh_status open_actions(psh_driver *d, int64_t now, psh_plan **out) {
    size_t n = d->tasks.count, i, edges = 0, used = 0;
    psh_action *actions = pshi_calloc(d->env, n, sizeof *actions);
    uint64_t *room;
    psh_status st = PSH_OK;

    for (i = 0; i < n; i++)
        edges += d->tasks.tasks[i].action.after_count;
    room = pshi_calloc(d->env, edges, sizeof *room);
    if (!actions || !room)
        st = PSH_E_NOMEM;
    for (i = 0; st == PSH_OK && i < n; i++) {
        actions[i] = d->tasks.tasks[i].action;
        strip_after(d, &actions[i], room, &used);
    }
    if (st == PSH_OK)
        st = psh_plan_create(d->env, now, 0, actions, n, sizeof *actions, out, NULL);
    pshi_free(d->env, actions);
    pshi_free(d->env, room);
    return st;
}

static psh_status save_actions(psh_driver *d, int64_t now, psh_buffer *out) {
    psh_plan *plan = NULL;
    psh_status st;

    if (!d->tasks.count)
        return PSH_OK;
    st = open_actions(d, now, &plan);
    if (st == PSH_OK)
        st = psh_plan_save(plan, out);
    psh_plan_unref(plan);
    return st;
}

/*
 * The driver's section: cursor, fence, generation, ids done (oldest first), then the actions that have not
 * ended as a saved plan (empty: none). They begin anew after a restore: their ids make that harmless.
 */
static void put_own(pshi_writer *w, const psh_driver *d, const psh_buffer *plan) {
    const pshi_tasks *t = &d->tasks;
    size_t i;

    pshi_put_u64(w, d->cursor);
    pshi_put_u64(w, d->fence);
    pshi_put_var(w, d->generation + 1);
    pshi_put_var(w, t->done_count);
    for (i = 0; i < t->done_count; i++)
        pshi_put_u64(w, t->done[(t->done_first + i) % t->done_capacity]);
    pshi_put_blob(w, psh_buffer_data(plan), psh_buffer_size(plan));
}

static psh_status encode_checkpoint(
    psh_driver *d, const psh_section *sections, size_t n, const psh_buffer *plan, psh_buffer *out) {
    uint32_t flags = d->options.flags & PSH_DRIVER_COMPRESS ? PSHI_SECTION_XZ : 0;
    pshi_writer w = pshi_write(out);
    pshi_frame_writer f = pshi_frame_begin(&w, PSHI_KIND_CHECKPOINT);
    size_t i;

    pshi_section_begin(&f, SECTION_DRIVER, flags);
    put_own(&w, d, plan);
    pshi_section_end(&f);
    for (i = 0; i < n; i++) {
        pshi_section_begin(&f, SECTION_FIRST + (uint32_t)i, flags);
        pshi_put_str(&w, sections[i].name);
        pshi_put_bytes(&w, sections[i].data, sections[i].size);
        pshi_section_end(&f);
    }
    pshi_frame_end(&f);
    return pshi_write_end(&w);
}

static psh_status check_sections(const psh_section *sections, size_t n, psh_error *err) {
    size_t i, j;

    if (n > PSHI_MAX_SECTIONS - 1 || (n && !sections))
        return pshi_fail(err, PSH_E_INVALID, "sections", "NULL, or more than 63");
    for (i = 0; i < n; i++) {
        if (!sections[i].name || !sections[i].name[0] || strlen(sections[i].name) > MAX_NAME ||
            !pshi_name_is_plain(sections[i].name) || (sections[i].size && !sections[i].data))
            return pshi_fail_at(err, PSH_E_INVALID, "sections", i, "a bad name, or no data");
        for (j = 0; j < i; j++)
            if (strcmp(sections[i].name, sections[j].name) == 0)
                return pshi_fail_at(err, PSH_E_INVALID, "sections", i, "its name stands twice");
    }
    return PSH_OK;
}

static psh_status store_checkpoint(psh_driver *d, const psh_buffer *bytes, psh_error *err) {
    psh_buffer *name = NULL;
    psh_blob_write write;
    psh_status st = pshi_driver_name(d, "checkpoint", &name);

    if (st == PSH_OK) {
        write.name = psh_buffer_data(name);
        write.data = psh_buffer_data(bytes);
        write.size = psh_buffer_size(bytes);
        d->busy = 1;
        st = pshi_host_status(err, d->storage.commit(d->storage.user, &write, 1), "storage.commit");
        d->busy = 0;
    } else {
        pshi_fail(err, st, "checkpoint", psh_status_text(st));
    }
    psh_buffer_destroy(name);
    return st;
}

/* The checkpoint stands already: that the source keeps more than it needs does no harm. */
static void let_forget(psh_driver *d) {
    if (!d->has_cdc || !d->cdc.acknowledge || !d->cursor)
        return;
    d->busy = 1;
    if (d->cdc.acknowledge(d->cdc.user, d->cursor) != PSH_OK)
        pshi_log(d->env, PSH_LOG_WARN, "the source refused to forget acknowledged changes");
    d->busy = 0;
}

psh_status psh_driver_checkpoint(
    psh_driver *d, const psh_section *sections, size_t n, int64_t now, psh_error *err) {
    psh_buffer *plan = NULL, *bytes = NULL;
    psh_status st;

    if (!d)
        return pshi_fail(err, PSH_E_INVALID, "driver", "is NULL");
    if (d->busy)
        return pshi_fail(err, PSH_E_REENTRANT, "driver", "called from inside one of its callbacks");
    if (d->tasks.event_count)
        return pshi_fail(err, PSH_E_STATE, "driver", "events wait to be taken: take them first");
    st = check_sections(sections, n, err);
    if (st != PSH_OK)
        return st;
    st = pshi_driver_check_fence(d, err);
    if (st != PSH_OK)
        return st;
    st = psh_buffer_create(d->env, &plan);
    if (st == PSH_OK)
        st = psh_buffer_create(d->env, &bytes);
    if (st == PSH_OK)
        st = save_actions(d, now, plan);
    if (st == PSH_OK)
        st = encode_checkpoint(d, sections, n, plan, bytes);
    if (st != PSH_OK)
        pshi_fail(err, st, "checkpoint", psh_status_text(st));
    else
        st = store_checkpoint(d, bytes, err);
    if (st == PSH_OK) {
        d->generation++;
        d->stats.checkpoints++;
        pshi_trace(d->env, PSH_TRACE_CHECKPOINT, now, d->generation, (int64_t)psh_buffer_size(bytes), 0);
        let_forget(d);
    }
    psh_buffer_destroy(plan);
    psh_buffer_destroy(bytes);
    return st;
}

/* What a checkpoint says of the driver itself, before it takes effect. */
typedef struct own_state {
    uint64_t cursor, fence, generation;
    pshi_tasks tasks;
} own_state;

static psh_status read_done(psh_driver *d, pshi_cursor *c, own_state *own) {
    size_t n = pshi_get_count(c, 8), i;
    uint64_t id;

    /* Room as if they were tasks: a lower done_memory than the writer's forgets the oldest. */
    if (c->status != PSH_OK || pshi_tasks_room(d->env, &own->tasks, n, d->options.done_memory) != PSH_OK)
        return c->status != PSH_OK ? c->status : PSH_E_NOMEM;
    for (i = 0; i < n; i++) {
        id = pshi_get_u64(c);
        if (!id || pshi_idmap_find(&own->tasks.done_index, id) != PSH_NONE)
            return PSH_E_CORRUPT;
        pshi_tasks_remember(d->env, &own->tasks, id, d->options.done_memory);
    }
    return c->status;
}

static psh_status read_actions(psh_driver *d, psh_bytes blob, own_state *own) {
    psh_plan *plan = NULL;
    psh_action a;
    psh_status st;
    size_t i, n;

    if (!blob.size)
        return PSH_OK;
    st = psh_plan_load(d->env, d->schema, blob.data, blob.size, 0, &plan, NULL);
    if (st != PSH_OK)
        return st;
    n = psh_plan_count(plan);
    if (n > d->options.max_actions)
        st = PSH_E_LIMIT;
    else
        st = pshi_tasks_room(d->env, &own->tasks, n, d->options.done_memory);
    for (i = 0; st == PSH_OK && psh_plan_get(plan, i, &a) == PSH_OK; i++) {
        if (pshi_tasks_known(&own->tasks, a.id))
            st = PSH_E_CORRUPT;
        else
            pshi_tasks_add(d->env, &own->tasks, plan, &a);
    }
    psh_plan_unref(plan);
    return st;
}

static psh_status read_own(psh_driver *d, pshi_cursor c, own_state *own) {
    psh_bytes plan;
    psh_status st;

    own->cursor = pshi_get_u64(&c);
    own->fence = pshi_get_u64(&c);
    own->generation = pshi_get_var(&c);
    st = read_done(d, &c, own);
    if (st != PSH_OK)
        return st;
    plan = pshi_get_blob(&c);
    st = pshi_read_end(&c);
    return st == PSH_OK ? read_actions(d, plan, own) : st;
}

static psh_status give_section(
    pshi_cursor c, psh_status (*each)(void *user, const psh_section *section), void *user) {
    psh_bytes name = pshi_get_blob(&c);
    char text[MAX_NAME + 1];
    psh_section s;

    if (c.status != PSH_OK || !name.size || name.size > MAX_NAME || memchr(name.data, 0, name.size))
        return PSH_E_CORRUPT;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    if (!pshi_name_is_plain(text))
        return PSH_E_CORRUPT;
    s.name = text;
    s.data = c.at;
    s.size = pshi_read_left(&c);
    return each(user, &s);
}

static psh_status give_sections(
    const pshi_frame *f, psh_status (*each)(void *user, const psh_section *section), void *user) {
    psh_status st = PSH_OK;
    uint32_t i;

    for (i = 0; each && st == PSH_OK && i < f->count; i++)
        if (f->type[i] != SECTION_DRIVER)
            st = give_section(pshi_frame_section(f, f->type[i]), each, user);
    return st;
}

static psh_status read_blob(psh_driver *d, psh_buffer *bytes, psh_error *err) {
    psh_buffer *name = NULL;
    psh_status st = pshi_driver_name(d, "checkpoint", &name);

    if (st == PSH_OK) {
        d->busy = 1;
        st = d->storage.get(d->storage.user, psh_buffer_data(name), bytes);
        d->busy = 0;
        st = pshi_host_status(err, st, "storage.get");
    } else {
        pshi_fail(err, st, "checkpoint", psh_status_text(st));
    }
    psh_buffer_destroy(name);
    return st;
}

static void take_over(psh_driver *d, own_state *own) {
    pshi_tasks old = d->tasks;

    d->tasks = own->tasks;
    own->tasks = old;
    d->cursor = own->cursor;
    d->generation = own->generation;
    if (own->fence > d->fence)
        d->fence = own->fence;
}

static psh_status restore_from(
    psh_driver *d, const psh_buffer *bytes, psh_status (*each)(void *user, const psh_section *section),
    void *user, psh_error *err) {
    uint32_t known[PSHI_MAX_SECTIONS], i;
    own_state own = { 0 };
    pshi_frame f;
    psh_status st;

    for (i = 0; i < PSHI_MAX_SECTIONS; i++)
        known[i] = SECTION_DRIVER + i;
    st = pshi_frame_open(d->env, psh_buffer_data(bytes), psh_buffer_size(bytes), PSHI_KIND_CHECKPOINT, known,
        PSHI_MAX_SECTIONS, MAX_CHECKPOINT, &f, err);
    if (st != PSH_OK)
        return st;
    st = read_own(d, pshi_frame_section(&f, SECTION_DRIVER), &own);
    d->busy = 1;
    if (st == PSH_OK)
        st = give_sections(&f, each, user);
    d->busy = 0;
    if (st == PSH_OK)
        take_over(d, &own);
    else
        pshi_fail(err, st, "checkpoint", psh_status_text(st));
    pshi_tasks_free(d->env, &own.tasks);
    pshi_frame_close(&f);
    return st;
}

psh_status psh_driver_restore(
    psh_driver *d, psh_status (*each)(void *user, const psh_section *section), void *user, psh_error *err) {
    psh_buffer *bytes = NULL;
    psh_status st;

    if (!d)
        return pshi_fail(err, PSH_E_INVALID, "driver", "is NULL");
    if (d->busy)
        return pshi_fail(err, PSH_E_REENTRANT, "driver", "called from inside one of its callbacks");
    st = psh_buffer_create(d->env, &bytes);
    if (st != PSH_OK)
        return pshi_fail(err, st, "checkpoint", psh_status_text(st));
    st = read_blob(d, bytes, err);
    if (st == PSH_OK)
        st = restore_from(d, bytes, each, user, err);
    psh_buffer_destroy(bytes);
    return st;
}
