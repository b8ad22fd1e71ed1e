/* SPDX-License-Identifier: MIT */
/* The loads known, and what is expected of them. */
#include "map/bulk.h"

#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/options.h"
#include "value/wants.h"

static const psh_bulk_options DEFAULTS = {
    .struct_size = sizeof(psh_bulk_options),
    .max_loads = 256,
    .max_parts = 16,
    .target_bytes = UINT64_C(64) << 20,
    .lead_ns = PSH_HOUR,
    .horizon_ns = 7 * PSH_DAY,
    .override_ns = PSH_DAY,
    .alert_distance = 0.2,
    .migrate_distance = 0.4,
    .max_bytes = UINT64_C(1) << 40,
};

psh_status psh_bulk_options_init(psh_bulk_options *o, uint32_t size) {
    return pshi_options_out(o, size, &DEFAULTS, sizeof DEFAULTS);
}

psh_status pshi_bulk_check_options(const psh_bulk_options *o, psh_error *err) {
    if (o->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    if (o->max_loads < 1 || o->max_loads > 65536)
        return pshi_fail(err, PSH_E_INVALID, "max_loads", "must be within 1..65536");
    if (o->max_parts < 1 || o->max_parts > PSHI_BULK_PARTS - 1)
        return pshi_fail(err, PSH_E_INVALID, "max_parts", "must be within 1..256");
    if (!o->target_bytes)
        return pshi_fail(err, PSH_E_INVALID, "target_bytes", "must be > 0");
    if (o->lead_ns < 0)
        return pshi_fail(err, PSH_E_INVALID, "lead_ns", "must be >= 0");
    if (o->horizon_ns < 0)
        return pshi_fail(err, PSH_E_INVALID, "horizon_ns", "must be >= 0");
    if (o->override_ns < 0)
        return pshi_fail(err, PSH_E_INVALID, "override_ns", "must be >= 0");
    if (!pshi_is_share(o->alert_distance))
        return pshi_fail(err, PSH_E_INVALID, "alert_distance", "must be within 0..1");
    if (!pshi_is_share(o->migrate_distance) || o->migrate_distance < o->alert_distance)
        return pshi_fail(err, PSH_E_INVALID, "migrate_distance", "must be within alert_distance..1");
    return PSH_OK;
}

psh_status psh_bulk_create(
    psh_env *env, psh_schema *schema, const psh_bulk_options *options, psh_bulk **out, psh_error *err) {
    psh_bulk_options o = DEFAULTS;
    psh_status st = PSH_OK;
    psh_bulk *b;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env || !schema)
        return pshi_fail(err, PSH_E_INVALID, env ? "schema" : "env", "is NULL");
    if (options)
        st = pshi_options_copy(&o, sizeof o, options, err);
    if (st == PSH_OK)
        st = pshi_bulk_check_options(&o, err);
    if (st != PSH_OK)
        return st;
    b = pshi_calloc(env, 1, sizeof *b);
    if (!b)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    b->env = env;
    b->schema = psh_schema_ref(schema);
    b->o = o;
    *out = b;
    return PSH_OK;
}

void pshi_run_destroy(psh_env *env, pshi_run *r) {
    if (!r)
        return;
    pshi_outline_free(env, &r->plan);
    pshi_kll_free(env, &r->points);
    pshi_kll_free(env, &r->times);
    pshi_free(env, r->offsets);
    pshi_free(env, r->ranges);
    pshi_free(env, r);
}

pshi_load *pshi_load_create(psh_bulk *b, uint64_t id, uint32_t table) {
    pshi_load *l = pshi_calloc(b->env, 1, sizeof *l);

    if (!l)
        return NULL;
    l->id = id;
    l->node = PSH_NONE;
    l->at = PSH_TIME_NONE;
    l->confidence = 1;
    l->next.table = table;
    pshi_kll_init(&l->learned, PSHI_BULK_KEY_K, 8, pshi_mix64(b->o.seed ^ id));
    pshi_kll_init(&l->deviant, PSHI_BULK_KEY_K, 8, pshi_mix64(b->o.seed ^ id));
    return l;
}

void pshi_load_destroy(psh_env *env, pshi_load *l) {
    if (!l)
        return;
    pshi_run_destroy(env, l->run);
    pshi_outline_free(env, &l->next);
    pshi_kll_free(env, &l->learned);
    pshi_kll_free(env, &l->deviant);
    pshi_free(env, l);
}

static void free_edit(psh_env *env, pshi_edit *e) {
    pshi_outline_free(env, &e->want);
    pshi_outline_free(env, &e->other);
}

void psh_bulk_destroy(psh_bulk *b) {
    size_t i;

    if (!b)
        return;
    for (i = 0; i < b->load_count; i++)
        pshi_load_destroy(b->env, b->loads[i]);
    for (i = 0; i < b->edit_count; i++)
        free_edit(b->env, &b->edits[i]);
    psh_schema_unref(b->schema);
    pshi_free(b->env, b->loads);
    pshi_free(b->env, b->edits);
    pshi_free(b->env, b);
}

void pshi_bulk_push_edit(psh_bulk *b, const pshi_edit *e) {
    if (b->edit_count == b->o.max_loads) {
        pshi_log(b->env, PSH_LOG_WARN, "too much is left to do after bulk loads: the oldest is given up");
        free_edit(b->env, &b->edits[0]);
        memmove(b->edits, b->edits + 1, --b->edit_count * sizeof *b->edits);
    }
    b->edits[b->edit_count++] = *e;
}

/* Merging an override back may take as long again as it held. */
static int is_over(const psh_bulk *b, const pshi_edit *e, int64_t now) {
    int64_t end = e->kind == PSHI_EDIT_OVERRIDE ? pshi_time_add(e->expires, b->o.override_ns) : e->expires;

    return now > end;
}

void pshi_bulk_expire_edits(psh_bulk *b, int64_t now) {
    size_t i, kept = 0;

    for (i = 0; i < b->edit_count; i++)
        if (is_over(b, &b->edits[i], now))
            free_edit(b->env, &b->edits[i]);
        else
            b->edits[kept++] = b->edits[i];
    b->edit_count = kept;
}

pshi_load *pshi_bulk_find(const psh_bulk *b, uint64_t id, size_t *at) {
    size_t lo = 0, hi = b->load_count, mid;

    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (b->loads[mid]->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    *at = lo;
    return lo < b->load_count && b->loads[lo]->id == id ? b->loads[lo] : NULL;
}

psh_status pshi_bulk_insert(psh_bulk *b, pshi_load *l) {
    void *loads = b->loads;
    psh_status st;
    size_t at;

    (void)pshi_bulk_find(b, l->id, &at);
    if (b->load_count >= b->o.max_loads)
        return PSH_E_LIMIT;
    st = pshi_reserve(b->env, &loads, &b->load_cap, b->load_count + 1, sizeof *b->loads);
    b->loads = loads;
    if (st != PSH_OK)
        return st;
    memmove(b->loads + at + 1, b->loads + at, (b->load_count - at) * sizeof *b->loads);
    b->loads[at] = l;
    b->load_count++;
    return PSH_OK;
}

static double median_of(const double *x, uint32_t n) {
    double sorted[PSHI_BULK_RECENT] = { 0 }, v;
    uint32_t i, k;

    for (i = 0; i < n; i++) {
        v = x[i];
        for (k = i; k > 0 && sorted[k - 1] > v; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = v;
    }
    return n ? sorted[n / 2] : 0; /* of two in the middle the larger: too much room does less harm */
}

/* The largest of n sizes is their upper quantile n / (n + 1). */
static double largest_of(const double *x, uint32_t n) {
    double most = 0;
    uint32_t i;

    for (i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

void pshi_load_amounts(pshi_load *l) {
    pshi_outline *o = &l->next;

    o->rows = l->told_rows > 0 ? l->told_rows : median_of(l->recent_rows, l->recent_count);
    o->bytes = l->told_bytes > 0 ? l->told_bytes : median_of(l->recent_bytes, l->recent_count);
    o->room = l->told_bytes > 0 ? l->told_bytes : largest_of(l->recent_bytes, l->recent_count);
}

void pshi_load_aligned(const pshi_load *l, int64_t now, int64_t *at, int64_t *from, int64_t *to) {
    pshi_i128 late, by;

    *at = l->at;
    *from = l->next.from;
    *to = l->next.to;
    late = (pshi_i128)now - l->at - l->every / 2;
    if (!l->every || late < 0)
        return;
    by = (late / l->every + 1) * l->every;
    if (l->at + by > PSH_TIME_MAX || l->next.to + by > PSH_TIME_MAX)
        return;
    *at = (int64_t)(l->at + by);
    if (*from < *to) {
        *from = (int64_t)(*from + by);
        *to = (int64_t)(*to + by);
    }
}

static psh_status check_times(const psh_bulk *b, const psh_bulk_spec *s, psh_error *err) {
    int64_t id, from, to;

    if (s->at == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "at", "must be a time");
    if (s->every_ns < 0)
        return pshi_fail(err, PSH_E_INVALID, "every_ns", "must be >= 0");
    if (s->time_from == PSH_TIME_NONE || s->time_from >= s->time_to)
        return pshi_fail(err, PSH_E_INVALID, "time_from", "must be a time before time_to");
    if (s->at > PSH_TIME_MAX - s->every_ns || s->time_to > PSH_TIME_MAX - s->every_ns)
        return pshi_fail(err, PSH_E_TIME, "every_ns", "the one after it is outside the range of times");
    if (psh_schema_interval(b->schema, s->table, s->time_from, &id, &from, &to) != PSH_OK)
        return pshi_fail(err, PSH_E_TIME, "time_from", "is outside the intervals of the table");
    if (psh_schema_interval(b->schema, s->table, s->time_to - 1, &id, &from, &to) != PSH_OK)
        return pshi_fail(err, PSH_E_TIME, "time_to", "is outside the intervals of the table");
    return PSH_OK;
}

static psh_status check_spec(const psh_bulk *b, const psh_bulk_spec *s, psh_error *err) {
    if (!s->id)
        return pshi_fail(err, PSH_E_INVALID, "id", "must not be 0");
    if (s->table >= psh_schema_table_count(b->schema))
        return pshi_fail(err, PSH_E_INVALID, "table", "is not in the schema");
    if (!pshi_is_amount(s->rows) || s->rows > PSHI_BULK_MOST)
        return pshi_fail(err, PSH_E_INVALID, "rows", "must be within 0..2^120");
    if (!pshi_is_amount(s->bytes) || s->bytes > PSHI_BULK_MOST)
        return pshi_fail(err, PSH_E_INVALID, "bytes", "must be within 0..2^120");
    if (!pshi_is_share(s->confidence) || !(s->confidence > 0))
        return pshi_fail(err, PSH_E_INVALID, "confidence", "must be above 0, at most 1");
    if (s->key_count && !s->points)
        return pshi_fail(err, PSH_E_INVALID, "points", "is NULL");
    return check_times(b, s, err);
}

static void take_spec(pshi_load *l, const psh_bulk_spec *s, uint64_t *points, uint32_t count) {
    l->flags |= PSHI_LOAD_EXPECTED | (l->run ? PSHI_LOAD_RENEWED : 0u);
    l->flags &= ~PSHI_LOAD_RHYTHM;
    l->node = s->node;
    l->at = s->at;
    l->every = s->every_ns;
    l->confidence = s->confidence;
    l->told_rows = s->rows;
    l->told_bytes = s->bytes;
    l->next.from = s->time_from;
    l->next.to = s->time_to;
    l->next.points = points;
    l->next.count = count;
    pshi_load_amounts(l);
}

/* Its own points, or what was learned. */
static psh_status spec_points(
    psh_bulk *b, const psh_bulk_spec *s, const pshi_load *l, uint64_t **points, uint32_t *count) {
    int is_learned = !s->key_count && l && l->learned.count;

    *points = is_learned ? pshi_outline_quantiles(b->env, &l->learned, l->low, l->high, count)
                         : pshi_outline_points(b->env, s->points, s->key_count, count);
    return *points || (!s->key_count && !is_learned) ? PSH_OK : PSH_E_NOMEM;
}

psh_status psh_bulk_expect(psh_bulk *b, const psh_bulk_spec *spec, psh_error *err) {
    psh_bulk_spec s = { .struct_size = sizeof s };
    uint64_t *points = NULL;
    pshi_load *l, *fresh = NULL;
    uint32_t count = 0;
    psh_status st;
    size_t at;

    if (!b || !spec)
        return pshi_fail(err, PSH_E_INVALID, b ? "spec" : "b", "is NULL");
    st = pshi_options_copy(&s, sizeof s, spec, err);
    if (st == PSH_OK)
        st = check_spec(b, &s, err);
    if (st != PSH_OK)
        return st;
    l = pshi_bulk_find(b, s.id, &at);
    if (l && l->next.table != s.table)
        return pshi_fail(err, PSH_E_INVALID, "table", "is not that of the load known by this id");
    st = spec_points(b, &s, l, &points, &count);
    if (st == PSH_OK && !l) {
        fresh = pshi_load_create(b, s.id, s.table);
        st = fresh ? pshi_bulk_insert(b, fresh) : PSH_E_NOMEM;
        l = fresh;
    }
    if (st != PSH_OK) {
        pshi_free(b->env, points);
        pshi_load_destroy(b->env, fresh);
        return pshi_fail(err, st, st == PSH_E_LIMIT ? "max_loads" : "", psh_status_text(st));
    }
    pshi_outline_free(b->env, &l->next);
    take_spec(l, &s, points, count);
    return PSH_OK;
}

psh_status psh_bulk_last(const psh_bulk *b, uint64_t id, psh_bulk_result *out) {
    const pshi_load *l;
    size_t at;

    if (!b || !out)
        return PSH_E_INVALID;
    l = pshi_bulk_find(b, id, &at);
    if (!l)
        return PSH_E_NOT_FOUND;
    return l->flags & PSHI_LOAD_JUDGED ? pshi_struct_out(out, &l->last, sizeof l->last) : PSH_E_STATE;
}

size_t psh_bulk_count(const psh_bulk *b) {
    return b ? b->load_count : 0;
}

psh_status psh_bulk_get(const psh_bulk *b, size_t i, psh_bulk_spec *out) {
    psh_bulk_spec s = { .struct_size = sizeof s };
    const pshi_load *l;

    if (!b || !out)
        return PSH_E_INVALID;
    if (i >= b->load_count)
        return PSH_E_NOT_FOUND;
    l = b->loads[i];
    s.table = l->next.table;
    s.id = l->id;
    s.at = l->flags & PSHI_LOAD_EXPECTED ? l->at : PSH_TIME_NONE;
    s.every_ns = l->every;
    s.time_from = l->next.from;
    s.time_to = l->next.to;
    s.rows = l->next.rows;
    s.bytes = l->next.bytes;
    s.confidence = l->confidence;
    s.node = l->node;
    s.key_count = l->next.count;
    s.points = l->next.points;
    return pshi_struct_out(out, &s, sizeof s);
}
