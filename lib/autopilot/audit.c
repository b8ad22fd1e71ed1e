/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "autopilot/autopilot.h"
#include "base/env.h"
#include "drive/driver.h"

static pshi_audit_record *record_at(const pshi_audits *t, size_t i) {
    return &t->records[(t->first + i) % t->capacity];
}

psh_status pshi_audit_room(psh_autopilot *a, size_t more) {
    pshi_audits *t = &a->audits;
    size_t need = t->count + more;
    void *p = t->records;
    psh_status st = PSH_OK;

    need = need < a->options.max_audit ? need : a->options.max_audit;
    if (pshi_idmap_reserve(a->env, &t->index, need + 1) != PSH_OK)
        return PSH_E_NOMEM;
    if (need > t->capacity)
        st = pshi_reserve(a->env, &p, &t->capacity, need, sizeof *t->records);
    t->records = p;
    if (t->capacity > a->options.max_audit)
        t->capacity = a->options.max_audit;
    return st;
}

static void forget_oldest(pshi_audits *t) {
    uint64_t id = t->records[t->first].body.action;

    if (pshi_idmap_find(&t->index, id) == t->first)
        pshi_idmap_remove(&t->index, id);
    t->first = (t->first + 1) % t->capacity;
    t->count--;
}

/* Appends an empty record for an action; room was made. */
static pshi_audit_record *append_record(psh_autopilot *a, uint64_t id) {
    pshi_audits *t = &a->audits;
    size_t place;

    if (t->count == a->options.max_audit)
        forget_oldest(t);
    place = (t->first + t->count++) % t->capacity;
    memset(&t->records[place], 0, sizeof t->records[place]);
    t->records[place].body.action = id;
    pshi_idmap_put(a->env, &t->index, id, (uint32_t)place);
    return &t->records[place];
}

static psh_audit *latest_record(const pshi_audits *t, uint64_t id) {
    uint32_t place = pshi_idmap_find(&t->index, id);

    return place == PSH_NONE ? NULL : &t->records[place].body;
}

static void copy_name(char out[64], const char *name) {
    size_t n = name ? strlen(name) : 0;

    n = n < 63 ? n : 63;
    if (n)
        memcpy(out, name, n);
    out[n] = '\0';
}

void pshi_audit_add(psh_autopilot *a, const psh_action *action, psh_status status, int64_t now) {
    psh_audit *r = latest_record(&a->audits, action->id);

    /* What is only recommended, or vetoed again, every cycle is one decision. */
    if (r && r->status == status && status != PSH_PENDING)
        return;
    r = &append_record(a, action->id)->body;
    r->subject = action->want.subject;
    r->kind = action->want.kind;
    r->why = action->want.why;
    r->status = status;
    r->decided_at = now;
    r->ended_at = status == PSH_PENDING || status == PSH_AGAIN ? PSH_TIME_NONE : now;
    r->expected_benefit = action->want.benefit;
    r->expected_cost = action->want.cost;
    r->confidence = action->want.confidence;
    copy_name(r->name, action->name);
}

void pshi_audit_end(psh_autopilot *a, const psh_completion *c) {
    psh_audit *r = latest_record(&a->audits, c->action.id);

    if (!r || r->status != PSH_PENDING)
        return;
    r->status = c->status;
    r->attempts = c->attempts;
    r->ended_at = c->completed_at;
}

void pshi_audit_outcome(psh_autopilot *a, uint64_t subject, double outcome) {
    pshi_audits *t = &a->audits;
    pshi_audit_record *r;
    size_t i;

    for (i = 0; i < t->count; i++) {
        r = record_at(t, i);
        if (r->body.subject != subject || r->closed || r->body.status != PSH_OK)
            continue;
        r->body.outcome = outcome;
        r->closed = 1;
    }
}

void pshi_audit_free(psh_autopilot *a) {
    pshi_free(a->env, a->audits.records);
    pshi_idmap_free(a->env, &a->audits.index);
    memset(&a->audits, 0, sizeof a->audits);
}

static double outcome_now(const psh_autopilot *a, const psh_audit *r) {
    const psh_partition *p;
    psh_view_info info;
    size_t i;

    if (!pshi_action_is_view(r->kind)) {
        for (i = 0; (p = psh_map_get(a->parts.map, i)) != NULL; i++)
            if (p->id == r->subject)
                return (double)p->rows;
        return 0;
    }
    for (i = 0; a->parts.materializer && psh_materializer_view(a->parts.materializer, i, &info) == PSH_OK; i++)
        if (info.id == r->subject)
            return (double)info.reads;
    return 0;
}

size_t psh_autopilot_audit_count(const psh_autopilot *a) {
    return a ? a->audits.count : 0;
}

psh_status psh_autopilot_audit(const psh_autopilot *a, size_t i, psh_audit *out) {
    const pshi_audit_record *r;

    if (!a || !out)
        return PSH_E_INVALID;
    if (i >= a->audits.count)
        return PSH_E_NOT_FOUND;
    r = record_at(&a->audits, i);
    *out = r->body;
    if (!r->closed && r->body.status == PSH_OK)
        out->outcome = outcome_now(a, &r->body);
    return PSH_OK;
}

static void encode_audit(pshi_writer *w, const pshi_audit_record *r) {
    const psh_audit *b = &r->body;

    pshi_put_u64(w, b->action);
    pshi_put_u64(w, b->subject);
    pshi_put_var(w, b->kind);
    pshi_put_var(w, b->why);
    pshi_put_int(w, b->status);
    pshi_put_var(w, b->attempts);
    pshi_put_int(w, b->decided_at);
    pshi_put_int(w, b->ended_at);
    pshi_put_f64(w, b->expected_benefit);
    pshi_put_f64(w, b->expected_cost);
    pshi_put_f64(w, b->outcome);
    pshi_put_f64(w, b->confidence);
    pshi_put_u8(w, r->closed != 0);
    pshi_put_str(w, b->name);
}

void pshi_audits_encode(pshi_writer *w, const psh_autopilot *a) {
    size_t i;

    pshi_put_var(w, a->audits.count);
    for (i = 0; i < a->audits.count; i++)
        encode_audit(w, record_at(&a->audits, i));
}

static void decode_name(pshi_cursor *c, char out[64]) {
    psh_bytes name = pshi_get_blob(c);

    if (name.size > 63 || (name.size && memchr(name.data, 0, name.size))) {
        pshi_read_bad(c);
        return;
    }
    if (name.size)
        memcpy(out, name.data, name.size);
    out[name.size] = '\0';
}

static void decode_audit(pshi_cursor *c, pshi_audit_record *r) {
    psh_audit *b = &r->body;
    int64_t status;
    uint8_t closed;

    b->subject = pshi_get_u64(c);
    b->kind = pshi_get_var32(c);
    b->why = pshi_get_var32(c);
    status = pshi_get_int(c);
    b->attempts = pshi_get_var32(c);
    b->decided_at = pshi_get_int(c);
    b->ended_at = pshi_get_int(c);
    b->expected_benefit = pshi_get_f64(c);
    b->expected_cost = pshi_get_f64(c);
    b->outcome = pshi_get_f64(c);
    b->confidence = pshi_get_f64(c);
    closed = pshi_get_u8(c);
    decode_name(c, b->name);
    if (b->kind < 1 || b->kind > PSH_ACT_MAX || status < -1000 || status > PSH_END || closed > 1)
        pshi_read_bad(c);
    b->status = (psh_status)status;
    r->closed = closed;
}

psh_status pshi_audits_decode(psh_autopilot *a, pshi_cursor *c) {
    size_t n = pshi_get_count(c, 50), i;
    uint64_t id;

    if (c->status == PSH_OK && pshi_audit_room(a, n) != PSH_OK)
        return PSH_E_NOMEM;
    for (i = 0; c->status == PSH_OK && i < n; i++) {
        id = pshi_get_u64(c);
        if (id == 0)
            pshi_read_bad(c);
        else
            decode_audit(c, append_record(a, id));
    }
    return c->status;
}
