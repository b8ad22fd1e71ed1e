/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/options.h"
#include "drive/driver.h"

static psh_status ask_state(psh_driver *d, psh_cdc_state *out, psh_error *err) {
    psh_status st;

    *out = (psh_cdc_state){ .struct_size = sizeof *out };
    d->busy = 1;
    st = d->cdc.state(d->cdc.user, out);
    d->busy = 0;
    return pshi_host_status(err, st, "cdc.state");
}

static psh_status check_cdc_call(const psh_driver *d, psh_error *err) {
    if (d->busy)
        return pshi_fail(err, PSH_E_REENTRANT, "driver", "called from inside one of its callbacks");
    if (!d->has_cdc)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "cdc", "this host has no change capture");
    return PSH_OK;
}

psh_status psh_driver_source_state(psh_driver *d, psh_cdc_state *out, psh_error *err) {
    psh_cdc_state state;
    psh_status st;

    if (!d || !out)
        return pshi_fail(err, PSH_E_INVALID, "out", "an argument is NULL");
    st = check_cdc_call(d, err);
    if (st == PSH_OK)
        st = ask_state(d, &state, err);
    return st == PSH_OK ? pshi_struct_out(out, &state, sizeof state) : st;
}

static size_t first_echo(const psh_change_batch *b) {
    psh_change c;
    size_t i;

    for (i = 0; psh_change_batch_get(b, i, &c) == PSH_OK; i++)
        if (c.origin)
            break;
    return i;
}

static psh_status append_own(psh_change_batch *to, const psh_change_batch *from, size_t start) {
    psh_status st = PSH_OK;
    psh_change c;
    size_t i;

    for (i = start; st == PSH_OK && psh_change_batch_get(from, i, &c) == PSH_OK; i++)
        if (!c.origin)
            st = psh_change_batch_append(to, &c, NULL);
    return st;
}

/* Takes out changes that our own actions caused: what moved or was dropped on our order is no news. */
static psh_status drop_echoes(psh_driver *d, psh_change_batch *b, size_t *echoes) {
    size_t all = psh_change_batch_count(b), start = first_echo(b);
    psh_status st = PSH_OK;

    *echoes = 0;
    if (start == all)
        return PSH_OK;
    if (!d->scratch)
        st = psh_change_batch_create(d->env, d->schema, SIZE_MAX / 2, &d->scratch);
    if (st != PSH_OK)
        return st;
    st = append_own(d->scratch, b, start);
    if (st == PSH_OK) {
        psh_change_batch_truncate(b, start);
        st = append_own(b, d->scratch, 0);
    }
    psh_change_batch_clear(d->scratch);
    *echoes = all - psh_change_batch_count(b);
    return st;
}

static psh_status poll_host(psh_driver *d, psh_change_batch *out, uint64_t *next, psh_error *err) {
    psh_status st;

    *next = d->cursor;
    d->busy = 1;
    st = d->cdc.poll(d->cdc.user, d->cursor, out, next);
    d->busy = 0;
    if (st != PSH_OK && st != PSH_AGAIN)
        return pshi_host_status(err, st, "cdc.poll");
    if (*next < d->cursor || (st == PSH_AGAIN && *next == d->cursor))
        return pshi_fail(err, PSH_E_HOST, "cdc.poll", "the cursor did not move on");
    return st;
}

psh_status psh_driver_poll(psh_driver *d, psh_change_batch *out, psh_cdc_state *state, psh_error *err) {
    psh_cdc_state before;
    size_t echoes = 0;
    uint64_t next = 0;
    psh_status st, end;

    if (!d || !out || !state)
        return pshi_fail(err, PSH_E_INVALID, "out", "an argument is NULL");
    st = check_cdc_call(d, err);
    if (st != PSH_OK)
        return st;
    psh_change_batch_clear(out);
    st = ask_state(d, &before, err);
    if (st != PSH_OK)
        return st;
    end = poll_host(d, out, &next, err);
    if (end != PSH_OK && end != PSH_AGAIN) {
        psh_change_batch_clear(out);
        return end;
    }
    st = drop_echoes(d, out, &echoes);
    if (st != PSH_OK) {
        psh_change_batch_clear(out);
        return pshi_fail(err, st, "out", psh_status_text(st));
    }
    d->cursor = next;
    d->stats.changes += psh_change_batch_count(out) + echoes;
    d->stats.echoes += echoes;
    st = pshi_struct_out(state, &before, sizeof before);
    return st == PSH_OK ? end : st;
}

psh_status psh_driver_seek(psh_driver *d, uint64_t position) {
    psh_status st = d ? check_cdc_call(d, NULL) : PSH_E_INVALID;

    if (st == PSH_OK)
        d->cursor = position;
    return st;
}
