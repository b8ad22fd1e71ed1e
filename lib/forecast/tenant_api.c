/* SPDX-License-Identifier: MIT */
/* What the host sets and asks about tenants and segments. */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/options.h"
#include "forecast/segment.h"

#define MOST_NUMBER 0x1p100
#define COLD_AT 0.0625  /* reads of each byte in a long season below which cold is preferred */

static int has_table(const psh_forecaster *f, uint32_t table) {
    return table < psh_schema_table_count(f->schema);
}

static int is_distinct(const uint32_t *ids, uint32_t n) {
    uint32_t i, k;

    for (i = 0; i < n; i++)
        for (k = 0; k < i; k++)
            if (ids[i] == ids[k])
                return 0;
    return 1;
}

static psh_status read_profile(const psh_profile *given, psh_profile *p) {
    psh_status st;
    uint32_t i;

    if (!given)
        return PSH_E_INVALID;
    memset(p, 0, sizeof *p);
    if ((st = pshi_options_copy(p, sizeof *p, given, NULL)) != PSH_OK)
        return st;
    if (p->numeric_count > PSHI_GIVEN || p->category_count > PSHI_GIVEN || p->reserved)
        return PSH_E_INVALID;
    if ((p->numeric_count && (!p->numeric_ids || !p->numeric)) ||
        (p->category_count && (!p->category_ids || !p->category)))
        return PSH_E_INVALID;
    for (i = 0; i < p->numeric_count; i++)
        if (!isfinite(p->numeric[i]) || fabs(p->numeric[i]) > MOST_NUMBER)
            return PSH_E_INVALID;
    return is_distinct(p->numeric_ids, p->numeric_count) && is_distinct(p->category_ids, p->category_count)
        ? PSH_OK : PSH_E_INVALID;
}

/* The place of an id in a registry of `count`, behind it if new; PSH_NONE: no place is left. */
static uint32_t place_of(const uint32_t *ids, uint32_t count, uint32_t id) {
    uint32_t i;

    for (i = 0; i < count; i++)
        if (ids[i] == id)
            return i;
    return count < PSHI_GIVEN ? count : PSH_NONE;
}

static psh_status enrol(uint32_t *ids, uint32_t *count, const uint32_t *more, uint32_t n) {
    uint32_t i, at;

    for (i = 0; i < n; i++) {
        at = place_of(ids, *count, more[i]);
        if (at == PSH_NONE)
            return PSH_E_LIMIT;
        ids[at] = more[i];
        *count += at == *count;
    }
    return PSH_OK;
}

static void fill_given(pshi_given *to, const pshi_segments *g, const psh_profile *p) {
    uint32_t i, at;

    memset(to, 0, sizeof *to);
    for (i = 0; i < p->numeric_count; i++) {
        at = place_of(g->numeric_id, g->numeric_count, p->numeric_ids[i]);
        to->numeric[at] = (float)p->numeric[i];
        to->numeric_set |= 1u << at;
    }
    for (i = 0; i < p->category_count; i++) {
        at = place_of(g->category_id, g->category_count, p->category_ids[i]);
        to->category[at] = p->category[i];
        to->category_set |= 1u << at;
    }
}

/* A record that the host alone wanted and that got nothing. */
static void give_up(psh_forecaster *f, const pshi_tenant *r, size_t before) {
    if (f->tenants.count > before)
        pshi_tenants_remove(f->env, &f->tenants, (size_t)(r - f->tenants.list));
}

psh_status psh_forecaster_set_profile(
    psh_forecaster *f, uint32_t table, uint64_t tenant, const psh_profile *profile) {
    size_t before = f ? f->tenants.count : 0;
    pshi_segments *g, kept;
    pshi_tenant *r;
    psh_profile p;
    psh_status st;

    if (!f || !tenant || !has_table(f, table))
        return PSH_E_INVALID;
    if ((st = read_profile(profile, &p)) != PSH_OK || (st = pshi_tenant_need(f, table, tenant, &r)) != PSH_OK)
        return st;
    g = pshi_segments_find(&f->tenants, table);
    kept = *g;
    st = enrol(g->numeric_id, &g->numeric_count, p.numeric_ids, p.numeric_count);
    if (st == PSH_OK)
        st = enrol(g->category_id, &g->category_count, p.category_ids, p.category_count);
    if (st == PSH_OK && !r->given) {
        r->given = pshi_calloc(f->env, 1, sizeof *r->given);
        f->tenants.given += r->given != NULL;
        st = r->given ? PSH_OK : PSH_E_NOMEM;
    }
    if (st != PSH_OK) {
        *g = kept;
        give_up(f, r, before);
        return st;
    }
    fill_given(r->given, g, &p);
    return PSH_OK;
}

/* The host's own segments come into being by being named. */
static psh_status need_segment(pshi_segments *g, uint32_t id) {
    uint32_t place;

    if (!id || pshi_segments_place(g, id) != PSH_NONE)
        return PSH_OK;
    if (id < PSH_SEGMENT_HOST)
        return PSH_E_NOT_FOUND;
    place = pshi_segments_free_place(g);
    if (place == PSH_NONE)
        return PSH_E_LIMIT;
    memset(&g->list[place], 0, sizeof g->list[place]);
    g->list[place].id = id;
    g->list[place].host = 1;
    return PSH_OK;
}

psh_status psh_forecaster_set_segment(psh_forecaster *f, uint32_t table, uint64_t tenant, uint32_t segment) {
    size_t before = f ? f->tenants.count : 0;
    pshi_tenant *r;
    psh_status st;

    if (!f || !tenant || !has_table(f, table))
        return PSH_E_INVALID;
    st = pshi_tenant_need(f, table, tenant, &r);
    if (st != PSH_OK)
        return st;
    st = need_segment(pshi_segments_find(&f->tenants, table), segment);
    if (st != PSH_OK) {
        give_up(f, r, before);
        return st;
    }
    r->pinned = segment != 0;
    if (segment)
        pshi_tenant_move(f, r, segment);
    return PSH_OK;
}

psh_status psh_forecaster_segment_of(
    const psh_forecaster *f, uint32_t table, uint64_t tenant, int64_t at, uint32_t *segment) {
    const pshi_tenant *r;

    if (!f || !segment || at == PSH_TIME_NONE)
        return PSH_E_INVALID;
    r = pshi_tenants_find(&f->tenants, table, tenant);
    *segment = r ? pshi_tenant_segment_at(r, at) : 0;
    return r ? PSH_OK : PSH_E_NOT_FOUND;
}

size_t psh_forecaster_segment_count(const psh_forecaster *f, uint32_t table) {
    const pshi_segments *g = f ? pshi_segments_find(&f->tenants, table) : NULL;
    size_t n = 0;
    uint32_t i;

    for (i = 0; g && i < PSHI_MOST_SEGMENTS; i++)
        n += g->list[i].id != 0;
    return n;
}

static int is_member(const pshi_tenant *r, uint32_t table, uint32_t id) {
    return r->table == table && r->segment == id;
}

/* Means over the members as they were last looked at. */
static void describe(const psh_forecaster *f, uint32_t table, const pshi_segment *s, psh_segment_info *out) {
    const pshi_tenant *r;
    uint32_t k, n = 0;
    double level = 0;
    size_t i;

    memset(out, 0, sizeof *out);
    out->id = s->id;
    out->members = s->members;
    out->parts = f->shape.season[0] < PSHI_PARTS ? f->shape.season[0] : PSHI_PARTS;
    for (i = 0; i < f->tenants.count; i++) {
        r = &f->tenants.list[i];
        if (!is_member(r, table, s->id) || !r->busy)
            continue;
        n++;
        level += (double)r->level;
        out->weekend += (double)r->weekend / 255;
        out->burstiness += (double)r->burst / 127.5 - 1;
        for (k = 0; k < out->parts; k++)
            out->shape[k] += pshi_tenant_part(r, k);
    }
    if (!n)
        return;
    out->level = exp2(level / n) - 1;
    out->weekend /= n;
    out->burstiness /= n;
    for (k = 0; k < out->parts; k++)
        out->shape[k] /= n;
}

/* The i-th by id. */
static const pshi_segment *segment_by_rank(const pshi_segments *g, size_t i) {
    const pshi_segment *s;
    uint32_t k, j;
    size_t rank;

    for (k = 0; g && k < PSHI_MOST_SEGMENTS; k++) {
        s = &g->list[k];
        for (j = 0, rank = 0; j < PSHI_MOST_SEGMENTS; j++)
            rank += g->list[j].id && g->list[j].id < s->id;
        if (s->id && rank == i)
            return s;
    }
    return NULL;
}

psh_status psh_forecaster_segment(const psh_forecaster *f, uint32_t table, size_t i, psh_segment_info *out) {
    psh_segment_info info;
    const pshi_segment *s;

    if (!f || !out)
        return PSH_E_INVALID;
    s = segment_by_rank(pshi_segments_find(&f->tenants, table), i);
    if (!s)
        return PSH_E_NOT_FOUND;
    describe(f, table, s, &info);
    return pshi_struct_out(out, &info, sizeof info);
}

/*
 * Requests are forecast by their fading mean over a long season. h = bytes they read per byte written; shares
 * h / (h + 1) for the hot tier, c / (h + c) for the cold one, the rest for the warm one, which is never negative.
 */
static void fill_preference(const psh_forecaster *f, const pshi_tenant *r, const pshi_series *s,
    psh_tenant_info *out) {
    double season = f->shape.longest, age = (double)r->asked_age, written, read = (double)r->asked_bytes, h;

    age = age > f->shape.season[0] ? age : f->shape.season[0];
    out->requests = ((double)r->asked[0] + (double)r->asked[1] + (double)r->asked[2] + (double)r->asked[3])
                  * season / age;
    written = s ? out->next_season * pshi_series_row_bytes(s) : 0;
    read *= season / age;
    h = read / (written > 1 ? written : 1);
    out->reads_per_byte = h;
    out->hot = h / (h + 1);
    out->cold = COLD_AT / (h + COLD_AT);
    out->warm = 1 - out->hot - out->cold;
    out->warm = out->warm > 0 ? out->warm : 0;
}

static void fill_load(psh_forecaster *f, const pshi_series *s, psh_tenant_info *out) {
    uint32_t i;

    out->level = s->regular ? (double)s->mean : (double)s->busy * (double)s->size;
    for (i = 1; pshi_series_age(s, f->outlook.closed) && i <= f->shape.longest; i++)
        out->next_season += pshi_series_mean(&f->outlook, s, i);
}

psh_status psh_forecaster_tenant(psh_forecaster *f, uint32_t table, uint64_t tenant, psh_tenant_info *out) {
    psh_subject subject = { PSH_SUBJECT_TENANT, table, tenant };
    psh_tenant_info info = { 0 };
    const pshi_tenant *r;
    const pshi_series *s;

    if (!f || !out)
        return PSH_E_INVALID;
    r = pshi_tenants_find(&f->tenants, table, tenant);
    if (!r)
        return PSH_E_NOT_FOUND;
    s = pshi_store_find(&f->store, &subject);
    info.segment = r->segment;
    info.next_segment = r->next;
    info.pinned = r->pinned;
    info.from = r->change_at;
    info.access = pshi_tenant_access(r);
    info.reach_ns = r->reach_ns;
    if (s)
        fill_load(f, s, &info);
    fill_preference(f, r, s, &info);
    return pshi_struct_out(out, &info, sizeof info);
}
