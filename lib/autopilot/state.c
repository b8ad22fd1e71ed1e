/* SPDX-License-Identifier: MIT */
#include "autopilot/autopilot.h"
#include "base/error.h"
#include "codec/frame.h"

static void encode_autopilot(pshi_writer *w, const void *value) {
    const psh_autopilot *a = value;
    const psh_world *world = psh_worlds_current(a->parts.worlds);
    const psh_autopilot_stats *t = &a->stats;

    pshi_put_int(w, a->last);
    pshi_put_int(w, a->next_cycle);
    pshi_put_int(w, a->next_poll);
    pshi_put_int(w, a->next_checkpoint);
    pshi_put_int(w, a->fill_after);
    pshi_put_u8(w, (uint8_t)(a->hurry | a->refresh << 1 | a->dirty << 2 | a->filling << 3));
    pshi_put_var(w, world ? psh_world_epoch(world) : 0);
    pshi_put_var(w, t->cycles);
    pshi_put_var(w, t->plans);
    pshi_put_var(w, t->wants);
    pshi_put_var(w, t->actions);
    pshi_put_var(w, t->vetoed);
    pshi_put_var(w, t->epochs);
    pshi_put_var(w, t->filled_rows);
    pshi_put_var(w, t->fill_work);
    pshi_put_var(w, t->changes);
    pshi_put_var(w, t->host_errors);
    pshi_audits_encode(w, a);
}

psh_status pshi_autopilot_save(const psh_autopilot *a, psh_buffer *out) {
    return pshi_frame_save(out, PSHI_KIND_AUTOPILOT, encode_autopilot, a);
}

static void decode_stats(pshi_cursor *c, psh_autopilot_stats *t) {
    t->cycles = pshi_get_var(c);
    t->plans = pshi_get_var(c);
    t->wants = pshi_get_var(c);
    t->actions = pshi_get_var(c);
    t->vetoed = pshi_get_var(c);
    t->epochs = pshi_get_var(c);
    t->filled_rows = pshi_get_var(c);
    t->fill_work = pshi_get_var(c);
    t->changes = pshi_get_var(c);
    t->host_errors = pshi_get_var(c);
}

static psh_status decode_autopilot(psh_autopilot *a, pshi_cursor *c, uint64_t *epoch) {
    uint8_t flags;
    psh_status st;

    a->last = pshi_get_int(c);
    a->next_cycle = pshi_get_int(c);
    a->next_poll = pshi_get_int(c);
    a->next_checkpoint = pshi_get_int(c);
    a->fill_after = pshi_get_int(c);
    flags = pshi_get_u8(c);
    if (flags > 15)
        pshi_read_bad(c);
    a->hurry = flags & 1;
    a->refresh = flags >> 1 & 1;
    a->dirty = flags >> 2 & 1;
    a->filling = flags >> 3 & 1;
    *epoch = pshi_get_var(c);
    if (*epoch == UINT64_MAX)
        pshi_read_bad(c);
    decode_stats(c, &a->stats);
    st = pshi_audits_decode(a, c);
    return st == PSH_OK ? pshi_read_end(c) : st;
}

psh_status pshi_autopilot_load(psh_autopilot *a, const void *data, size_t size, uint64_t *epoch) {
    pshi_cursor c;
    pshi_frame f;
    psh_status st = pshi_frame_load(a->env, data, size, PSHI_KIND_AUTOPILOT, SIZE_MAX / 2, &f, &c, NULL);

    if (st != PSH_OK)
        return st;
    st = decode_autopilot(a, &c, epoch);
    pshi_frame_close(&f);
    return st;
}
