/* SPDX-License-Identifier: MIT */
/* The root and the lead as bytes: a frame of one section each. */
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "codec/frame.h"
#include "drive/share.h"

/* Opens a value of the store: the one section of `type`. */
static psh_status open_value(
    psh_share *s, uint32_t type, const char *field, pshi_frame *f, pshi_cursor *c, psh_error *err) {
    psh_status st = pshi_frame_open(
        s->env, psh_buffer_data(s->in), psh_buffer_size(s->in), PSHI_KIND_SHARE, &type, 1, 0, f, err);

    if (st == PSH_OK)
        *c = pshi_frame_section(f, type);
    else if (st != PSH_E_NEWER && st != PSH_E_NOMEM) /* a length beyond any root is damage too */
        st = pshi_fail(err, PSH_E_CORRUPT, field, "its value in the store is damaged");
    return st;
}

static pshi_frame_writer begin_value(psh_share *s, pshi_writer *w, uint32_t type) {
    pshi_frame_writer f;

    psh_buffer_clear(s->out);
    *w = pshi_write(s->out);
    f = pshi_frame_begin(w, PSHI_KIND_SHARE);
    pshi_section_begin(&f, type, 0);
    return f;
}

static psh_status set_value(psh_share *s, pshi_frame_writer *f, uint64_t expected, psh_error *err) {
    psh_status st;

    pshi_section_end(f);
    pshi_frame_end(f);
    st = pshi_write_end(f->w);
    if (st != PSH_OK)
        return pshi_share_nomem(err);
    return pshi_share_set(s, expected, psh_buffer_data(s->out), psh_buffer_size(s->out), err);
}

static void put_epoch_name(pshi_writer *w, const pshi_epoch_name *e) {
    pshi_put_u64(w, e->epoch);
    pshi_put_int(w, e->time);
    pshi_put_bytes(w, e->top.bytes, sizeof e->top.bytes);
}

static void get_epoch_name(pshi_cursor *c, pshi_epoch_name *out) {
    const unsigned char *p;

    memset(out, 0, sizeof *out);
    out->epoch = pshi_get_u64(c);
    out->time = pshi_get_int(c);
    p = pshi_get_bytes(c, sizeof out->top.bytes);
    if (p)
        memcpy(out->top.bytes, p, sizeof out->top.bytes);
}

/* Epochs before the current one: each lower than the one it stands behind, none of them 0. */
static psh_status get_before(psh_share *s, pshi_cursor *c, pshi_share_root *root) {
    size_t n = pshi_get_count(c, 9 + sizeof root->now.top), i;
    uint64_t above = root->now.epoch;

    if (c->status != PSH_OK || n >= PSHI_SHARE_MAX_KEEP)
        return PSH_E_CORRUPT;
    root->before = pshi_calloc(s->env, n, sizeof *root->before);
    if (!root->before)
        return PSH_E_NOMEM;
    for (i = 0; i < n; i++) {
        get_epoch_name(c, &root->before[i]);
        if (!root->before[i].epoch || root->before[i].epoch >= above || root->before[i].time == PSH_TIME_NONE)
            return PSH_E_CORRUPT;
        above = root->before[i].epoch;
    }
    root->before_count = n;
    return pshi_read_end(c);
}

static psh_status get_root(psh_share *s, pshi_cursor *c, pshi_share_root *root) {
    root->fence = pshi_get_u64(c);
    root->schema = pshi_get_u64(c);
    get_epoch_name(c, &root->now);
    if (c->status != PSH_OK || !root->fence || root->now.time == PSH_TIME_NONE)
        return PSH_E_CORRUPT;
    return get_before(s, c, root);
}

psh_status pshi_share_read_root(psh_share *s, pshi_share_root *root, psh_error *err) {
    pshi_frame f;
    pshi_cursor c;
    psh_status st;

    memset(root, 0, sizeof *root);
    pshi_share_key(s, "root");
    st = pshi_share_get(s, &root->version, err);
    if (st != PSH_OK)
        return st == PSH_E_NOT_FOUND ? PSH_OK : st;
    st = open_value(s, PSHI_SHARE_ROOT, "root", &f, &c, err);
    if (st != PSH_OK)
        return st;
    st = get_root(s, &c, root);
    pshi_frame_close(&f);
    if (st != PSH_OK) {
        pshi_share_root_free(s, root);
        return pshi_fail(err, st, "root", psh_status_text(st));
    }
    if (root->fence > s->root_fence)
        s->root_fence = root->fence;
    if (root->fence > s->stats.fence)
        s->stats.fence = root->fence;
    return PSH_OK;
}

psh_status pshi_share_write_root(psh_share *s, const pshi_share_root *root, psh_error *err) {
    pshi_writer w;
    pshi_frame_writer f = begin_value(s, &w, PSHI_SHARE_ROOT);
    size_t i;

    pshi_share_key(s, "root");
    pshi_put_u64(&w, root->fence);
    pshi_put_u64(&w, root->schema);
    put_epoch_name(&w, &root->now);
    pshi_put_var(&w, root->before_count);
    for (i = 0; i < root->before_count; i++)
        put_epoch_name(&w, &root->before[i]);
    return set_value(s, &f, root->version, err);
}

void pshi_share_root_free(psh_share *s, pshi_share_root *root) {
    pshi_free(s->env, root->before);
    root->before = NULL;
    root->before_count = 0;
}

static psh_status get_lead(pshi_cursor *c, pshi_share_lead *lead) {
    psh_bytes owner;

    lead->fence = pshi_get_u64(c);
    lead->lease_end = pshi_get_int(c);
    owner = pshi_get_blob(c);
    if (pshi_read_end(c) != PSH_OK || !lead->fence || owner.size > PSHI_SHARE_MAX_NAME ||
        (owner.size && memchr(owner.data, 0, owner.size)))
        return PSH_E_CORRUPT;
    if (owner.size)
        memcpy(lead->owner, owner.data, owner.size);
    return PSH_OK;
}

psh_status pshi_share_read_lead(psh_share *s, pshi_share_lead *lead, psh_error *err) {
    pshi_frame f;
    pshi_cursor c;
    psh_status st;

    memset(lead, 0, sizeof *lead);
    pshi_share_key(s, "lead");
    st = pshi_share_get(s, &lead->version, err);
    if (st != PSH_OK)
        return st == PSH_E_NOT_FOUND ? PSH_OK : st;
    st = open_value(s, PSHI_SHARE_LEAD, "lead", &f, &c, err);
    if (st != PSH_OK)
        return st;
    st = get_lead(&c, lead);
    pshi_frame_close(&f);
    if (st != PSH_OK)
        return pshi_fail(err, st, "lead", psh_status_text(st));
    if (lead->fence > s->stats.fence)
        s->stats.fence = lead->fence;
    return PSH_OK;
}

psh_status pshi_share_write_lead(psh_share *s, const pshi_share_lead *lead, psh_error *err) {
    pshi_writer w;
    pshi_frame_writer f = begin_value(s, &w, PSHI_SHARE_LEAD);

    pshi_share_key(s, "lead");
    pshi_put_u64(&w, lead->fence);
    pshi_put_int(&w, lead->lease_end);
    pshi_put_str(&w, lead->owner);
    return set_value(s, &f, lead->version, err);
}
