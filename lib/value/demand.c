/* SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/options.h"
#include "base/ref.h"
#include "value/forecast.h"
#include "value/load.h"
#include "value/wants.h"

struct psh_demand {
    psh_env *env;
    pshi_ref refs;
    int64_t made_at;
    uint32_t source;
    double quantile;
    psh_demand_entry *entries; /* each holds a reference of its definition */
    size_t count;
};

/* An entry's place in the order. */
typedef struct rank {
    const psh_demand_entry *entry;
    int64_t score;
    size_t given; /* index as given: the last tie-break */
} rank;

#define ENTRY_LEAST 75u /* encoded size of the shortest entry */

/*
 * confidence x upper x work on a scale of 1/1024 of a doubling: whole numbers, so that a last bit's difference
 * between mathematics libraries does not turn the order round. Kinds without work count as work 1. A zone is a warning:
 * those that are surer stand first, in steps of a hundredth, then the larger.
 */
static int64_t score_of(const psh_demand_entry *e) {
    double x = e->upper * (e->work > 1 ? e->work : 1);
    int64_t size;

    x *= e->kind == PSH_DEMAND_ZONE ? 1 : e->confidence;
    size = llround(1024 * log2(1 + (x < DBL_MAX ? x : DBL_MAX)));
    return e->kind == PSH_DEMAND_ZONE ? ((int64_t)floor(100 * e->confidence) << 32) + size : size;
}

static int order_u64(uint64_t a, uint64_t b) {
    return a < b ? -1 : a > b;
}

static int order_i64(int64_t a, int64_t b) {
    return a < b ? -1 : a > b;
}

static int compare_ranks(const void *x, const void *y) {
    const rank *a = x, *b = y;
    int c = order_u64(a->entry->kind, b->entry->kind);

    c = c ? c : order_i64(b->score, a->score);
    c = c ? c : order_u64(a->entry->id, b->entry->id);
    c = c ? c : order_u64(a->entry->table, b->entry->table);
    c = c ? c : order_i64(a->entry->from, b->entry->from);
    c = c ? c : order_i64(a->entry->to, b->entry->to);
    return c ? c : order_u64(a->given, b->given);
}

static psh_status check_amounts(const psh_demand_entry *e, size_t i, psh_error *err) {
    if (!pshi_is_amount(e->count) || !pshi_is_amount(e->upper))
        return pshi_fail_at(err, PSH_E_INVALID, "entries", i, "count and upper must be finite and >= 0");
    if (!pshi_is_amount(e->bytes) || !pshi_is_amount(e->bytes_upper))
        return pshi_fail_at(err, PSH_E_INVALID, "entries", i, "bytes and bytes_upper must be finite and >= 0");
    if (!pshi_is_amount(e->work))
        return pshi_fail_at(err, PSH_E_INVALID, "entries", i, "work must be finite and >= 0");
    if (!pshi_is_share(e->confidence))
        return pshi_fail_at(err, PSH_E_INVALID, "entries", i, "confidence must be within 0..1");
    if (e->reach_ns < 0)
        return pshi_fail_at(err, PSH_E_INVALID, "entries", i, "reach_ns must be >= 0");
    return PSH_OK;
}

static psh_status check_kind(const psh_demand_entry *e, size_t i, psh_error *err) {
    static const psh_subject none;

    if (e->kind < PSH_DEMAND_INTERVAL || e->kind > PSH_DEMAND_ZONE)
        return pshi_fail_at(err, PSH_E_INVALID, "entries", i, "kind must be one of PSH_DEMAND_*");
    if ((e->kind == PSH_DEMAND_VIEW) != (e->definition != NULL))
        return pshi_fail_at(err, PSH_E_INVALID, "entries", i, "views, and only views, have a definition");
    if (e->definition && !pshi_definition_fits(e->definition, e->table, e->id))
        return pshi_fail_at(err, PSH_E_INVALID, "entries", i, "the definition has another id or table");
    if (e->kind == PSH_DEMAND_ZONE) {
        if (!pshi_is_subject(&e->subject) || e->subject.id != e->id)
            return pshi_fail_at(err, PSH_E_INVALID, "entries", i, "a zone has the id of its subject");
    } else if (e->subject.kind != none.kind || e->subject.table != none.table || e->subject.id != none.id) {
        return pshi_fail_at(err, PSH_E_INVALID, "entries", i, "only zones have a subject");
    }
    return PSH_OK;
}

static psh_status check_entry(const psh_demand_entry *e, size_t i, psh_error *err) {
    psh_status st = check_kind(e, i, err);

    if (st == PSH_OK)
        st = check_amounts(e, i, err);
    if (st != PSH_OK)
        return st;
    if (e->from == PSH_TIME_NONE || e->from >= e->to)
        return pshi_fail_at(err, PSH_E_INVALID, "entries", i, "from must be a time before to");
    if (e->access > PSH_ACCESS_SCAN)
        return pshi_fail_at(err, PSH_E_INVALID, "entries", i, "access must be one of PSH_ACCESS_*, or 0");
    if (e->reason > PSH_REASON_EVICTED)
        return pshi_fail_at(err, PSH_E_INVALID, "entries", i, "reason must be one of PSH_REASON_*");
    return PSH_OK;
}

static psh_status check_demand(int64_t made_at, uint32_t source, double quantile, psh_error *err) {
    if (made_at == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "made_at", "must be a time");
    if (source > PSH_DEMAND_OBSERVED)
        return pshi_fail(err, PSH_E_INVALID, "source", "must be PSH_DEMAND_FORECAST or PSH_DEMAND_OBSERVED");
    if (!isfinite(quantile) || quantile <= 0 || quantile >= 1)
        return pshi_fail(err, PSH_E_INVALID, "quantile", "must be within (0, 1)");
    return PSH_OK;
}

/* Copies into d in ranked order, with references. */
static psh_status fill_ranked(psh_demand *d, const psh_demand_entry *entries) {
    rank *ranks = pshi_calloc(d->env, d->count, sizeof *ranks);
    size_t i;

    if (!ranks)
        return PSH_E_NOMEM;
    for (i = 0; i < d->count; i++)
        ranks[i] = (rank){ &entries[i], score_of(&entries[i]), i };
    qsort(ranks, d->count, sizeof *ranks, compare_ranks);
    for (i = 0; i < d->count; i++) {
        d->entries[i] = *ranks[i].entry;
        if (d->entries[i].definition)
            psh_query_ref(d->entries[i].definition);
    }
    pshi_free(d->env, ranks);
    return PSH_OK;
}

static psh_status make_demand(
    psh_env *env, int64_t made_at, uint32_t source, double quantile, const psh_demand_entry *entries, size_t n,
    psh_demand **out, psh_error *err) {
    psh_demand *d = pshi_calloc(env, 1, sizeof *d);

    if (d) {
        pshi_ref_init(&d->refs);
        d->env = env;
        d->made_at = made_at;
        d->source = source;
        d->quantile = quantile;
        d->count = n;
        d->entries = pshi_calloc(env, n, sizeof *d->entries);
    }
    if (!d || !d->entries || fill_ranked(d, entries) != PSH_OK) {
        psh_demand_unref(d);
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    }
    *out = d;
    return PSH_OK;
}

static psh_status read_entries(
    const psh_demand_entry *from, size_t n, size_t stride, psh_demand_entry *to, psh_error *err) {
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; st == PSH_OK && i < n; i++) {
        pshi_element(&to[i], sizeof to[i], from, stride, i);
        st = check_entry(&to[i], i, err);
    }
    return st;
}

psh_status psh_demand_create(
    psh_env *env, int64_t made_at, uint32_t source, double quantile, const psh_demand_entry *entries, size_t n,
    size_t stride, psh_demand **out, psh_error *err) {
    psh_demand_entry *copy;
    psh_status st;

    if (!out || !env)
        return pshi_fail(err, PSH_E_INVALID, "out", "env and out are needed");
    *out = NULL;
    if (n && !entries)
        return pshi_fail(err, PSH_E_INVALID, "entries", "is NULL");
    if (n && stride < sizeof *entries)
        return pshi_fail(err, PSH_E_INVALID, "stride", "must be sizeof(psh_demand_entry)");
    st = check_demand(made_at, source, quantile, err);
    if (st != PSH_OK)
        return st;
    copy = pshi_calloc(env, n, sizeof *copy);
    if (!copy)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    st = read_entries(entries, n, stride, copy, err);
    if (st == PSH_OK)
        st = make_demand(env, made_at, source, quantile, copy, n, out, err);
    pshi_free(env, copy);
    return st;
}

psh_demand *psh_demand_ref(psh_demand *d) {
    pshi_ref_get(&d->refs);
    return d;
}

void psh_demand_unref(psh_demand *d) {
    size_t i;

    if (!d || !pshi_ref_put(&d->refs))
        return;
    for (i = 0; d->entries && i < d->count; i++)
        psh_query_unref(d->entries[i].definition);
    pshi_free(d->env, d->entries);
    pshi_free(d->env, d);
}

int64_t psh_demand_made_at(const psh_demand *d) {
    return d->made_at;
}

uint32_t psh_demand_source(const psh_demand *d) {
    return d->source;
}

double psh_demand_quantile(const psh_demand *d) {
    return d->quantile;
}

size_t psh_demand_count(const psh_demand *d) {
    return d->count;
}

psh_status psh_demand_get(const psh_demand *d, size_t i, psh_demand_entry *out) {
    if (i >= d->count)
        return PSH_E_NOT_FOUND;
    *out = d->entries[i];
    return PSH_OK;
}

static void put_entry(pshi_writer *w, const psh_demand_entry *e) {
    pshi_put_var(w, e->kind);
    pshi_put_var(w, e->table);
    pshi_put_u64(w, e->id);
    pshi_put_int(w, e->from);
    pshi_put_int(w, e->to);
    pshi_put_f64(w, e->count);
    pshi_put_f64(w, e->upper);
    pshi_put_f64(w, e->bytes);
    pshi_put_f64(w, e->bytes_upper);
    pshi_put_f64(w, e->work);
    pshi_put_f64(w, e->confidence);
    pshi_put_int(w, e->reach_ns);
    pshi_put_var(w, e->access);
    pshi_put_var(w, e->reason);
    pshi_definition_put(w, e->definition);
    pshi_subject_put(w, &e->subject);
}

static void encode_demand(pshi_writer *w, const void *value) {
    const psh_demand *d = value;
    size_t i;

    pshi_put_int(w, d->made_at);
    pshi_put_var(w, d->source);
    pshi_put_f64(w, d->quantile);
    pshi_put_var(w, d->count);
    for (i = 0; i < d->count; i++)
        put_entry(w, &d->entries[i]);
}

psh_status psh_demand_save(const psh_demand *d, psh_buffer *out) {
    return pshi_frame_save(out, PSHI_KIND_DEMAND, encode_demand, d);
}

/* On any return out->definition is the caller's reference or NULL. */
static psh_status get_entry(
    psh_env *env, psh_schema *schema, pshi_cursor *c, size_t i, psh_demand_entry *out, psh_error *err) {
    psh_status st;

    out->kind = pshi_get_var32(c);
    out->table = pshi_get_var32(c);
    out->id = pshi_get_u64(c);
    out->from = pshi_get_int(c);
    out->to = pshi_get_int(c);
    out->count = pshi_get_f64(c);
    out->upper = pshi_get_f64(c);
    out->bytes = pshi_get_f64(c);
    out->bytes_upper = pshi_get_f64(c);
    out->work = pshi_get_f64(c);
    out->confidence = pshi_get_f64(c);
    out->reach_ns = pshi_get_int(c);
    out->access = pshi_get_var32(c);
    out->reason = pshi_get_var32(c);
    st = pshi_definition_get(env, schema, c, &out->definition);
    pshi_subject_get(c, &out->subject);
    if (st == PSH_OK && c->status != PSH_OK)
        st = PSH_E_CORRUPT;
    if (st != PSH_OK)
        return pshi_fail_at(err, st, "entries", i, psh_status_text(st));
    if (out->table >= psh_schema_table_count(schema))
        return pshi_fail_at(err, PSH_E_CORRUPT, "entries", i, "its table is not in the schema");
    return pshi_load_status(check_entry(out, i, err), err);
}

static psh_status decode_demand(
    psh_env *env, psh_schema *schema, pshi_cursor *c, size_t max_bytes, psh_demand **out, psh_error *err) {
    int64_t made_at = pshi_get_int(c);
    uint32_t source = pshi_get_var32(c);
    double quantile = pshi_get_f64(c);
    size_t n = pshi_get_count(c, ENTRY_LEAST), i;
    psh_demand_entry *entries;
    psh_status st = pshi_load_fits(max_bytes, n, 2 * sizeof *entries + sizeof(rank), err);

    if (st != PSH_OK)
        return st;
    entries = pshi_calloc(env, n, sizeof *entries);
    if (!entries)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    for (i = 0; st == PSH_OK && i < n; i++)
        st = get_entry(env, schema, c, i, &entries[i], err);
    if (st == PSH_OK && pshi_read_end(c) != PSH_OK)
        st = pshi_fail(err, PSH_E_CORRUPT, "data", "damaged, or bytes follow the last entry");
    if (st == PSH_OK)
        st = pshi_load_status(check_demand(made_at, source, quantile, err), err);
    if (st == PSH_OK)
        st = make_demand(env, made_at, source, quantile, entries, n, out, err);
    for (i = 0; i < n; i++)
        psh_query_unref(entries[i].definition);
    pshi_free(env, entries);
    return st;
}

psh_status psh_demand_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_demand **out,
    psh_error *err) {
    pshi_frame frame;
    pshi_cursor c;
    psh_status st;

    if (!out || !env || !schema)
        return pshi_fail(err, PSH_E_INVALID, "schema", "env, schema and out are needed");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_DEMAND, max_bytes, &frame, &c, err);
    if (st != PSH_OK)
        return st;
    st = decode_demand(env, schema, &c, max_bytes, out, err);
    pshi_frame_close(&frame);
    return st;
}

static void text_entry(pshi_writer *w, const psh_demand_entry *e) {
    static const char *const kinds[] = { "", "interval ", "tenant ", "view ", "zone " };
    static const char *const access[] = { "unknown", "point", "range", "scan" };

    pshi_text(w, kinds[e->kind]);
    if (e->kind == PSH_DEMAND_INTERVAL)
        pshi_text_i64(w, (int64_t)e->id);
    else
        pshi_text_hex(w, e->id);
    pshi_text(w, " table ");
    pshi_text_u64(w, e->table);
    pshi_text(w, " [");
    pshi_text_time(w, e->from);
    pshi_text(w, ", ");
    pshi_text_time(w, e->to);
    pshi_text(w, ") count ");
    pshi_text_f64(w, e->count);
    pshi_text(w, " upper ");
    pshi_text_f64(w, e->upper);
    pshi_text(w, " bytes ");
    pshi_text_f64(w, e->bytes);
    pshi_text(w, " upper ");
    pshi_text_f64(w, e->bytes_upper);
    pshi_text(w, " work ");
    pshi_text_f64(w, e->work);
    pshi_text(w, " confidence ");
    pshi_text_f64(w, e->confidence);
    pshi_text(w, " reach ");
    pshi_text_i64(w, e->reach_ns);
    pshi_text(w, " access ");
    pshi_text(w, access[e->access]);
    pshi_text(w, " score ");
    pshi_text_i64(w, score_of(e));
    if (e->kind == PSH_DEMAND_ZONE) {
        pshi_text(w, " of ");
        pshi_subject_text(w, &e->subject);
    }
    if (e->reason) {
        pshi_text(w, " reason: ");
        pshi_text(w, psh_reason_text(e->reason));
    }
    pshi_text(w, "\n");
}

psh_status psh_demand_dump(const psh_demand *d, psh_buffer *out) {
    pshi_writer w = pshi_write(out);
    size_t i;

    if (!d)
        return PSH_E_INVALID;
    pshi_text(&w, "demand of ");
    pshi_text_time(&w, d->made_at);
    pshi_text(&w, d->source == PSH_DEMAND_OBSERVED ? " observed" : " forecast");
    pshi_text(&w, " quantile ");
    pshi_text_f64(&w, d->quantile);
    pshi_text(&w, " entries ");
    pshi_text_u64(&w, d->count);
    pshi_text(&w, "\n");
    for (i = 0; i < d->count; i++)
        text_entry(&w, &d->entries[i]);
    return pshi_write_end(&w);
}
