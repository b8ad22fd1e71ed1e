/* SPDX-License-Identifier: MIT */
#include "autopilot/autopilot.h"
#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"

static psh_status apply_to_views(psh_autopilot *a) {
    psh_materializer *m = a->parts.materializer;
    psh_status st;

    if (!m)
        return PSH_OK;
    st = psh_materializer_apply(m, a->batch);
    if (st == PSH_OK && a->batch_ends)
        st = psh_materializer_advance(
            m, a->batch_state.source, a->batch_state.position, a->batch_state.commit_time);
    if (st == PSH_OK && psh_materializer_view_count(m))
        a->dirty = 1; /* parts are fresher than the world says */
    return st;
}

/* The driver's cursor lies behind the batch already: it is kept until it is applied. */
psh_status pshi_apply_waiting(psh_autopilot *a) {
    psh_status st;

    if (!a->batch_waits)
        return PSH_OK;
    st = apply_to_views(a);
    if (st != PSH_OK)
        return st;
    a->stats.changes += psh_change_batch_count(a->batch);
    a->batch_waits = 0;
    psh_change_batch_clear(a->batch);
    return PSH_OK;
}

static void note_apply(psh_autopilot *a, pshi_step *s) {
    psh_status st = pshi_apply_waiting(a);

    if (st != PSH_OK)
        pshi_step_note(a, s, pshi_fail(s->err, st, "changes", psh_status_text(st)));
}

/*
 * The source forgot changes before they were polled. The cursor moves last: if something fails before, the next
 * poll ends here again. Intervals that opened before the gap open nothing any more, since the views have been
 * advanced past it.
 */
static psh_status jump_the_gap(psh_autopilot *a, psh_error *err) {
    psh_materializer *m = a->parts.materializer;
    psh_cdc_state state = { .struct_size = sizeof state };
    psh_status st = psh_driver_source_state(a->parts.driver, &state, err);

    if (st != PSH_OK)
        return st;
    if (m) {
        st = psh_materializer_refill(m);
        a->dirty = 1; /* the world names parts that are gone */
        if (st == PSH_OK)
            st = psh_materializer_advance(m, state.source, state.position, state.commit_time);
    }
    if (st != PSH_OK)
        return pshi_fail(err, st, "changes", psh_status_text(st));
    pshi_log(a->env, PSH_LOG_WARN, "the source has forgotten changes that were not polled: views are filled again");
    return psh_driver_seek(a->parts.driver, state.position);
}

void pshi_follow(psh_autopilot *a, pshi_step *s) {
    psh_cdc_state state = { .struct_size = sizeof state };
    psh_status st;

    if (!a->has_cdc)
        return;
    note_apply(a, s);
    if (a->batch_waits || !(a->refresh || s->now >= a->next_poll))
        return;
    st = psh_driver_poll(a->parts.driver, a->batch, &state, s->err);
    a->next_poll = pshi_time_add(s->now, a->options.poll_ns);
    if (st == PSH_E_NOT_FOUND) {
        pshi_step_note(a, s, jump_the_gap(a, s->err));
        return;
    }
    if (pshi_step_note(a, s, st) < 0)
        return;
    a->refresh = st == PSH_AGAIN;
    s->more |= a->refresh;
    a->batch_state = state;
    a->batch_ends = st == PSH_OK;
    a->batch_waits = 1;
    note_apply(a, s);
}
