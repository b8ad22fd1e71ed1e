/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/env.h"
#include "forecast/tenant.h"

#define MOST_NUMBER 0x1p101
#define MOST_SCALE 1e7

static void bad_if(pshi_fields *io, int bad) {
    if (bad && io->c)
        pshi_read_bad(io->c);
}

static void byte_field(pshi_fields *io, uint8_t *x) {
    uint32_t v = *x;

    pshi_field_u32(io, &v, 0, 255);
    *x = (uint8_t)v;
}

static void segment_fields(pshi_fields *io, pshi_segment *s) {
    uint32_t i;

    pshi_field_u32(io, &s->id, 0, UINT32_MAX);
    if (!s->id)
        return;
    pshi_field_u32(io, &s->host, 0, 1);
    pshi_field_u32(io, &s->idle, 0, 2);
    pshi_field_u32(io, &s->dirty, 0, 1);
    bad_if(io, s->host != (s->id >= PSH_SEGMENT_HOST));
    if (s->host)
        return;
    pshi_field_f32s(io, s->centre, PSHI_FEATURES, -MOST_NUMBER, MOST_NUMBER);
    for (i = 0; i < PSHI_GIVEN; i++)
        pshi_field_u64(io, &s->mode[i]);
}

static void registry_fields(pshi_fields *io, uint32_t *count, uint32_t *ids) {
    uint32_t i, k;

    pshi_field_u32(io, count, 0, PSHI_GIVEN);
    for (i = 0; i < *count; i++) {
        pshi_field_u32(io, &ids[i], 0, UINT32_MAX);
        for (k = 0; k < i; k++)
            bad_if(io, ids[k] == ids[i]);
    }
}

static void table_fields(pshi_fields *io, pshi_segments *g) {
    uint32_t i, k;

    pshi_field_i64(io, &g->cluster_at, INT64_MIN, INT64_MAX);
    pshi_field_u32(io, &g->next_id, 1, PSH_SEGMENT_HOST - 1);
    pshi_field_u32(io, &g->made, 0, 1);
    registry_fields(io, &g->numeric_count, g->numeric_id);
    registry_fields(io, &g->category_count, g->category_id);
    pshi_field_f32s(io, g->mean, PSHI_FEATURES, -MOST_NUMBER, MOST_NUMBER);
    pshi_field_f32s(io, g->scale, PSHI_FEATURES, 0, MOST_SCALE);
    for (i = 0; i < PSHI_MOST_SEGMENTS; i++) {
        segment_fields(io, &g->list[i]);
        bad_if(io, g->list[i].id >= g->next_id && g->list[i].id < PSH_SEGMENT_HOST);
        for (k = 0; k < i; k++)
            bad_if(io, g->list[i].id && g->list[k].id == g->list[i].id);
    }
}

static void given_fields(pshi_fields *io, pshi_given *x, const pshi_segments *g) {
    uint32_t i;

    pshi_field_u32(io, &x->numeric_set, 0, (1u << g->numeric_count) - 1);
    pshi_field_u32(io, &x->category_set, 0, (1u << g->category_count) - 1);
    for (i = 0; i < PSHI_GIVEN; i++)
        if (x->numeric_set >> i & 1)
            pshi_field_f32(io, &x->numeric[i], -MOST_NUMBER, MOST_NUMBER);
    for (i = 0; i < PSHI_GIVEN; i++)
        if (x->category_set >> i & 1)
            pshi_field_u64(io, &x->category[i]);
}

static int is_there(const pshi_segments *g, uint32_t id) {
    return !id || pshi_segments_place(g, id) != PSH_NONE;
}

static void tenant_fields(pshi_fields *io, pshi_tenant *r, const pshi_segments *g) {
    uint32_t i, busy = r->busy;

    pshi_field_u32(io, &r->pinned, 0, 1);
    pshi_field_u32(io, &r->segment, 0, UINT32_MAX);
    pshi_field_u32(io, &r->before, 0, UINT32_MAX);
    pshi_field_u32(io, &r->next, 0, UINT32_MAX);
    pshi_field_u32(io, &r->rival, 0, UINT32_MAX);
    pshi_field_i64(io, &r->since, INT64_MIN, INT64_MAX);
    pshi_field_i64(io, &r->change_at, INT64_MIN, INT64_MAX);
    bad_if(io, !is_there(g, r->segment) || !is_there(g, r->next) || (r->next && !r->segment));
    bad_if(io, (r->next != 0) != (r->change_at != PSH_TIME_NONE));
    for (i = 0; i < PSHI_PARTS; i++)
        byte_field(io, &r->shape[i]);
    byte_field(io, &r->weekend);
    byte_field(io, &r->burst);
    pshi_field_u32(io, &busy, 0, 65535);
    r->busy = (uint16_t)busy;
    pshi_field_f32(io, &r->level, 0, 128);
    pshi_field_f32s(io, r->asked, 4, 0, 0x1p101);
    pshi_field_f32(io, &r->asked_bytes, 0, 0x1p101);
    pshi_field_f32(io, &r->asked_age, 0, 0x1p63);
    pshi_field_i64(io, &r->reach_ns, 0, INT64_MAX);
}

void pshi_tenants_put(pshi_writer *w, const pshi_tenants *t) {
    pshi_fields io = { w, NULL };
    uint32_t i, there;
    size_t k;

    pshi_put_var(w, t->tables ? t->table_count : 0);
    for (i = 0; t->tables && i < t->table_count; i++) {
        there = t->tables[i] != NULL;
        pshi_put_u8(w, (uint8_t)there);
        if (there)
            table_fields(&io, t->tables[i]);
    }
    pshi_put_var(w, t->count);
    for (k = 0; k < t->count; k++) {
        pshi_put_u64(w, t->list[k].id);
        pshi_put_var(w, t->list[k].table);
        tenant_fields(&io, &t->list[k], t->tables[t->list[k].table]);
        pshi_put_u8(w, t->list[k].given != NULL);
        if (t->list[k].given)
            given_fields(&io, t->list[k].given, t->tables[t->list[k].table]);
    }
}

static psh_status get_tables(psh_env *env, pshi_cursor *c, pshi_tenants *t, uint32_t tables, size_t *left) {
    pshi_fields io = { NULL, c };
    uint32_t n = pshi_get_var32(c), i;
    pshi_segments *g;

    if (n && n != tables)
        pshi_read_bad(c);
    for (i = 0; c->status == PSH_OK && i < n; i++) {
        if (pshi_get_u8(c) != 1)
            continue;
        if (*left < sizeof *g + tables * sizeof g)
            return PSH_E_LIMIT;
        if (!(g = pshi_segments_need(env, t, i, tables)))
            return PSH_E_NOMEM;
        *left -= sizeof *g;
        table_fields(&io, g);
    }
    return c->status;
}

static psh_status get_given(psh_env *env, pshi_cursor *c, pshi_tenants *t, pshi_tenant *r, const pshi_segments *g) {
    pshi_fields io = { NULL, c };

    r->given = pshi_calloc(env, 1, sizeof *r->given);
    if (!r->given)
        return PSH_E_NOMEM;
    t->given++;
    given_fields(&io, r->given, g);
    return c->status;
}

static psh_status get_tenant(psh_env *env, pshi_cursor *c, pshi_tenants *t) {
    uint64_t id = pshi_get_u64(c);
    uint32_t table = pshi_get_var32(c), place;
    pshi_segments *g = c->status == PSH_OK ? pshi_segments_find(t, table) : NULL;
    pshi_fields io = { NULL, c };
    pshi_tenant *r;
    psh_status st;
    uint8_t given;

    if (!g || !id)
        return PSH_E_CORRUPT;
    st = pshi_tenants_add(env, t, table, id, &r);
    if (st != PSH_OK)
        return st == PSH_E_LIMIT ? PSH_E_CORRUPT : st;
    tenant_fields(&io, r, g);
    given = pshi_get_u8(c);
    if (given > 1)
        pshi_read_bad(c);
    if (c->status == PSH_OK && given)
        st = get_given(env, c, t, r, g);
    place = pshi_segments_place(g, r->segment);
    if (place != PSH_NONE)
        g->list[place].members++;
    return st == PSH_OK ? c->status : st;
}

psh_status pshi_tenants_get(
    psh_env *env, pshi_cursor *c, pshi_tenants *t, uint32_t tables, uint32_t most, size_t left) {
    psh_status st = get_tables(env, c, t, tables, &left);
    size_t n, i;

    if (st != PSH_OK)
        return st;
    n = pshi_get_count(c, 40);
    if (n > most)
        pshi_read_bad(c);
    if (n > left / (sizeof(pshi_tenant) + sizeof(pshi_given) + 32))
        return c->status == PSH_OK ? PSH_E_LIMIT : c->status;
    for (i = 0, st = c->status; st == PSH_OK && i < n; i++)
        st = get_tenant(env, c, t);
    return st;
}
