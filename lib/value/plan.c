/* SPDX-License-Identifier: MIT */
#include "value/plan.h"

#include <string.h>

#include "base/env.h"
#include "base/options.h"
#include "base/ref.h"
#include "value/load.h"

struct psh_plan {
    psh_env *env;
    pshi_ref refs;
    int64_t made_at;
    uint64_t epoch;
    pshi_action *actions;
    size_t count;
};

static void free_actions(psh_env *env, pshi_action *actions, size_t n) {
    size_t i;

    for (i = 0; actions && i < n; i++)
        pshi_action_free(env, &actions[i]);
    pshi_free(env, actions);
}

/* Moves actions into the plan's order; the array itself stays the caller's. */
static psh_status put_in_order(psh_plan *p, pshi_action *actions, psh_error *err) {
    uint32_t *order = pshi_calloc(p->env, p->count, sizeof *order);
    psh_status st = PSH_E_NOMEM;
    size_t i;

    p->actions = pshi_calloc(p->env, p->count, sizeof *p->actions);
    if (order && p->actions)
        st = pshi_plan_order(p->env, actions, p->count, order, err);
    else
        pshi_fail(err, st, "", psh_status_text(st));
    for (i = 0; st == PSH_OK && i < p->count; i++) {
        p->actions[i] = actions[order[i]];
        actions[order[i]] = (pshi_action){ 0 };
    }
    pshi_free(p->env, order);
    return st;
}

/* Takes the contents of `actions` on success. */
static psh_status make_plan(
    psh_env *env, int64_t made_at, uint64_t epoch, pshi_action *actions, size_t n, psh_plan **out, psh_error *err) {
    psh_plan *p = pshi_calloc(env, 1, sizeof *p);
    psh_status st;

    if (!p)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    pshi_ref_init(&p->refs);
    p->env = env;
    p->made_at = made_at;
    p->epoch = epoch;
    p->count = n;
    st = put_in_order(p, actions, err);
    if (st == PSH_OK)
        *out = p;
    else
        psh_plan_unref(p);
    return st;
}

static psh_status copy_actions(
    psh_env *env, const psh_action *from, size_t n, size_t stride, pshi_action *to, psh_error *err) {
    psh_status st = PSH_OK;
    psh_action a;
    size_t i;

    for (i = 0; st == PSH_OK && i < n; i++) {
        pshi_element(&a, sizeof a, from, stride, i);
        st = pshi_action_check(&a, err);
        if (st == PSH_OK && pshi_action_copy(env, &a, &to[i]) != PSH_OK)
            st = pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    }
    return st;
}

psh_status psh_plan_create(
    psh_env *env, int64_t made_at, uint64_t epoch, const psh_action *actions, size_t n, size_t stride,
    psh_plan **out, psh_error *err) {
    pshi_action *copy;
    psh_status st;

    if (!out || !env)
        return pshi_fail(err, PSH_E_INVALID, "out", "env and out are needed");
    *out = NULL;
    if (made_at == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "made_at", "must be a time");
    if ((n && !actions) || n >= PSH_NONE)
        return pshi_fail(err, PSH_E_INVALID, "actions", "is NULL, or too many");
    if (n && stride < sizeof *actions)
        return pshi_fail(err, PSH_E_INVALID, "stride", "must be sizeof(psh_action)");
    copy = pshi_calloc(env, n, sizeof *copy);
    if (!copy)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    st = copy_actions(env, actions, n, stride, copy, err);
    if (st == PSH_OK)
        st = make_plan(env, made_at, epoch, copy, n, out, err);
    free_actions(env, copy, n);
    return st;
}

psh_plan *psh_plan_ref(psh_plan *p) {
    pshi_ref_get(&p->refs);
    return p;
}

void psh_plan_unref(psh_plan *p) {
    if (!p || !pshi_ref_put(&p->refs))
        return;
    free_actions(p->env, p->actions, p->count);
    pshi_free(p->env, p);
}

int64_t psh_plan_made_at(const psh_plan *p) {
    return p->made_at;
}

uint64_t psh_plan_epoch(const psh_plan *p) {
    return p->epoch;
}

size_t psh_plan_count(const psh_plan *p) {
    return p->count;
}

psh_status psh_plan_get(const psh_plan *p, size_t i, psh_action *out) {
    if (i >= p->count)
        return PSH_E_NOT_FOUND;
    *out = p->actions[i].pub;
    return PSH_OK;
}

static void encode_plan(pshi_writer *w, const void *value) {
    const psh_plan *p = value;
    size_t i;

    pshi_put_int(w, p->made_at);
    pshi_put_var(w, p->epoch);
    pshi_put_var(w, p->count);
    for (i = 0; i < p->count; i++)
        pshi_action_put(w, &p->actions[i].pub);
}

psh_status psh_plan_save(const psh_plan *p, psh_buffer *out) {
    return pshi_frame_save(out, PSHI_KIND_PLAN, encode_plan, p);
}

static psh_status decode_plan(
    psh_env *env, psh_schema *schema, pshi_cursor *c, size_t max_bytes, psh_plan **out, psh_error *err) {
    int64_t made_at = pshi_get_int(c);
    uint64_t epoch = pshi_get_var(c);
    size_t n = pshi_get_count(c, PSHI_ACTION_LEAST), i;
    pshi_action *actions;
    psh_status st = pshi_load_fits(max_bytes, n, 2 * sizeof *actions, err);

    if (st != PSH_OK)
        return st;
    actions = pshi_calloc(env, n, sizeof *actions);
    if (!actions)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    for (i = 0; st == PSH_OK && i < n; i++)
        st = pshi_action_get(env, schema, c, &actions[i], err);
    if (st == PSH_OK && (pshi_read_end(c) != PSH_OK || made_at == PSH_TIME_NONE))
        st = pshi_fail(err, PSH_E_CORRUPT, "data", "damaged, or bytes follow the last action");
    if (st == PSH_OK)
        st = pshi_load_status(make_plan(env, made_at, epoch, actions, n, out, err), err);
    free_actions(env, actions, n);
    return st;
}

psh_status psh_plan_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_plan **out,
    psh_error *err) {
    pshi_frame frame;
    pshi_cursor c;
    psh_status st;

    if (!out || !env || !schema)
        return pshi_fail(err, PSH_E_INVALID, "schema", "env, schema and out are needed");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_PLAN, max_bytes, &frame, &c, err);
    if (st != PSH_OK)
        return st;
    st = decode_plan(env, schema, &c, max_bytes, out, err);
    pshi_frame_close(&frame);
    return st;
}

static void text_quoted_name(pshi_writer *w, const char *text) {
    psh_value v = { .type = PSH_TYPE_TEXT, .size = (uint32_t)strlen(text), .as.data = text };

    pshi_text_value(w, &v);
}

static void text_action(pshi_writer *w, const psh_action *a) {
    size_t i;

    pshi_text_hex(w, a->id);
    pshi_text(w, " fence ");
    pshi_text_u64(w, a->fence);
    pshi_text(w, " ");
    pshi_want_text(w, &a->want);
    pshi_text(w, " name ");
    text_quoted_name(w, a->name);
    if (a->from_node != PSH_NONE) {
        pshi_text(w, " from node ");
        pshi_text_u64(w, a->from_node);
        pshi_text(w, " tier ");
        pshi_text_u64(w, a->from_tier);
    }
    for (i = 0; i < a->after_count; i++) {
        pshi_text(w, i ? ", " : " after ");
        pshi_text_hex(w, a->after[i]);
    }
    pshi_text(w, " reason ");
    text_quoted_name(w, a->reason);
    pshi_text(w, "\n");
}

psh_status psh_plan_dump(const psh_plan *p, psh_buffer *out) {
    pshi_writer w = pshi_write(out);
    size_t i;

    if (!p)
        return PSH_E_INVALID;
    pshi_text(&w, "plan of ");
    pshi_text_time(&w, p->made_at);
    pshi_text(&w, " epoch ");
    pshi_text_u64(&w, p->epoch);
    pshi_text(&w, " actions ");
    pshi_text_u64(&w, p->count);
    pshi_text(&w, "\n");
    for (i = 0; i < p->count; i++)
        text_action(&w, &p->actions[i].pub);
    return pshi_write_end(&w);
}
