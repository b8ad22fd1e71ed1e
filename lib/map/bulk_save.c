/* SPDX-License-Identifier: MIT */
/* Its bytes: options, loads by id, each with the one under way, then what is left to do. */
#include <math.h>

#include "base/env.h"
#include "base/error.h"
#include "codec/frame.h"
#include "map/bulk.h"
#include "value/load.h"
#include "value/wants.h"

#define LOAD_LEAST 90u   /* bytes of the shortest: bounds counts on load */
#define EDIT_LEAST 70u
#define RANGE_LEAST 3u
#define POINT_LEAST 1u
#define MOST_ROWS (UINT64_C(1) << 60) /* of a load under way: as many never come, and counts cannot wrap */

static void put_options(pshi_writer *w, const psh_bulk_options *o) {
    pshi_put_var(w, o->max_loads);
    pshi_put_var(w, o->max_parts);
    pshi_put_var(w, o->target_bytes);
    pshi_put_int(w, o->lead_ns);
    pshi_put_int(w, o->horizon_ns);
    pshi_put_int(w, o->override_ns);
    pshi_put_f64(w, o->alert_distance);
    pshi_put_f64(w, o->migrate_distance);
    pshi_put_var(w, o->max_bytes);
    pshi_put_u64(w, o->seed);
}

static void get_options(pshi_cursor *c, psh_bulk_options *o) {
    o->max_loads = pshi_get_var32(c);
    o->max_parts = pshi_get_var32(c);
    o->target_bytes = pshi_get_var(c);
    o->lead_ns = pshi_get_int(c);
    o->horizon_ns = pshi_get_int(c);
    o->override_ns = pshi_get_int(c);
    o->alert_distance = pshi_get_f64(c);
    o->migrate_distance = pshi_get_f64(c);
    o->max_bytes = pshi_get_var(c);
    o->seed = pshi_get_u64(c);
}

/* Points are ascending: their differences are shorter. */
static void put_outline(pshi_writer *w, const pshi_outline *o) {
    uint32_t i;

    pshi_put_var(w, o->table);
    pshi_put_int(w, o->from);
    pshi_put_int(w, o->to);
    pshi_put_f64(w, o->rows);
    pshi_put_f64(w, o->bytes);
    pshi_put_f64(w, o->room);
    pshi_put_var(w, o->count);
    for (i = 0; i < o->count; i++)
        pshi_put_var(w, o->points[i] - (i ? o->points[i - 1] : 0));
}

static int is_size(double x) {
    return pshi_is_amount(x) && x <= PSHI_BULK_MOST;
}

static int are_times_known(const psh_bulk *b, const pshi_outline *o) {
    int64_t id, from, to;

    if (!o->from && !o->to)
        return 1;
    return o->from < o->to && psh_schema_interval(b->schema, o->table, o->from, &id, &from, &to) == PSH_OK &&
           psh_schema_interval(b->schema, o->table, o->to - 1, &id, &from, &to) == PSH_OK;
}

static psh_status get_outline(psh_bulk *b, pshi_cursor *c, pshi_outline *o) {
    size_t n, i;
    uint64_t step;

    o->table = pshi_get_var32(c);
    o->from = pshi_get_int(c);
    o->to = pshi_get_int(c);
    o->rows = pshi_get_f64(c);
    o->bytes = pshi_get_f64(c);
    o->room = pshi_get_f64(c);
    n = pshi_get_count(c, POINT_LEAST);
    if (c->status != PSH_OK || n > PSHI_BULK_POINTS || o->table >= psh_schema_table_count(b->schema) ||
        !are_times_known(b, o) || !is_size(o->rows) || !is_size(o->bytes) || !is_size(o->room))
        return PSH_E_CORRUPT;
    if (!n)
        return PSH_OK;
    o->points = pshi_calloc(b->env, n, sizeof *o->points);
    if (!o->points)
        return PSH_E_NOMEM;
    o->count = (uint32_t)n;
    for (i = 0; i < n; i++) {
        step = pshi_get_var(c);
        if (i && step > UINT64_MAX - o->points[i - 1])
            return PSH_E_CORRUPT;
        o->points[i] = step + (i ? o->points[i - 1] : 0);
    }
    return c->status;
}

/* Keys are 8 bytes, and weights are those that loads give. */
static psh_status get_sketch(psh_bulk *b, pshi_cursor *c, pshi_kll *s) {
    psh_status st = pshi_kll_get(b->env, c, s);

    if (st == PSH_OK && (s->k > PSHI_BULK_KEY_K || s->key_max != 8))
        return PSH_E_CORRUPT;
    return st;
}

static void put_run(pshi_writer *w, const pshi_run *r) {
    uint32_t i, k;

    put_outline(w, &r->plan);
    pshi_put_int(w, r->begun);
    pshi_put_int(w, r->latest);
    pshi_put_var(w, r->rows);
    pshi_put_var(w, r->bytes);
    pshi_put_var(w, r->off_time);
    pshi_put_var(w, r->off_range);
    pshi_put_u64(w, r->low);
    pshi_put_u64(w, r->high);
    pshi_put_u8(w, (uint8_t)r->is_told);
    pshi_put_int(w, r->interval);
    pshi_put_var(w, r->interval_count);
    for (i = 0; i < r->interval_count; i++) {
        pshi_put_var(w, r->offsets[i + 1] - r->offsets[i]);
        for (k = r->offsets[i]; k < r->offsets[i + 1]; k++) {
            pshi_put_var(w, r->ranges[k].first - (k > r->offsets[i] ? r->ranges[k - 1].first : 0));
            pshi_put_var(w, r->ranges[k].rows);
            pshi_put_u8(w, (uint8_t)r->ranges[k].waiting);
        }
    }
    pshi_kll_put(w, &r->points);
    pshi_kll_put(w, &r->times);
}

static psh_status get_range(pshi_cursor *c, const pshi_run *r, pshi_range *to, const pshi_range *before) {
    uint64_t step = pshi_get_var(c);

    to->rows = pshi_get_var(c);
    to->waiting = pshi_get_u8(c);
    if (c->status != PSH_OK || to->waiting > 1 || to->rows > r->rows)
        return PSH_E_CORRUPT;
    if (before ? !step || step > UINT64_MAX - before->first : step != 0)
        return PSH_E_CORRUPT;
    to->first = step + (before ? before->first : 0);
    return PSH_OK;
}

static psh_status get_ranges(psh_bulk *b, pshi_cursor *c, pshi_run *r) {
    size_t cap = 0, sum = 0, n, k;
    void *ranges = NULL;
    psh_status st = PSH_OK;
    uint32_t i;

    for (i = 0; st == PSH_OK && i < r->interval_count; i++) {
        n = pshi_get_count(c, RANGE_LEAST);
        if (n < 1 || n > PSHI_BULK_PARTS)
            return PSH_E_CORRUPT;
        st = pshi_reserve(b->env, &ranges, &cap, sum + n, sizeof *r->ranges);
        r->ranges = ranges;
        for (k = 0; st == PSH_OK && k < n; k++, sum++) {
            r->ranges[sum] = (pshi_range){ 0 };
            st = get_range(c, r, &r->ranges[sum], k ? &r->ranges[sum - 1] : NULL);
        }
        r->offsets[i + 1] = (uint32_t)sum;
    }
    return st;
}

/* What its plan gives is saved with it, since options of parts may not have changed but points are rounded. */
static psh_status check_run(const psh_bulk *b, const pshi_load *l, const pshi_run *r) {
    int64_t first;
    uint32_t n = pshi_outline_intervals(b->schema, &r->plan, &first);

    if (r->interval_count && (r->interval_count > n || r->interval != first))
        return PSH_E_CORRUPT;
    if (r->plan.table != l->next.table || r->begun == PSH_TIME_NONE || r->latest < r->begun || r->is_told > 1)
        return PSH_E_CORRUPT;
    if (r->rows > MOST_ROWS || r->off_time > r->rows || r->off_range > r->rows - r->off_time)
        return PSH_E_CORRUPT;
    if (r->rows ? r->low > r->high : r->low != UINT64_MAX || r->high)
        return PSH_E_CORRUPT;
    return PSH_OK;
}

static psh_status get_run(psh_bulk *b, pshi_cursor *c, pshi_load *l) {
    pshi_run *r = l->run = pshi_calloc(b->env, 1, sizeof *r);
    psh_status st;

    if (!r)
        return PSH_E_NOMEM;
    st = get_outline(b, c, &r->plan);
    if (st != PSH_OK)
        return st;
    r->begun = pshi_get_int(c);
    r->latest = pshi_get_int(c);
    r->rows = pshi_get_var(c);
    r->bytes = pshi_get_var(c);
    r->off_time = pshi_get_var(c);
    r->off_range = pshi_get_var(c);
    r->low = pshi_get_u64(c);
    r->high = pshi_get_u64(c);
    r->is_told = pshi_get_u8(c);
    r->interval = pshi_get_int(c);
    r->interval_count = (uint32_t)pshi_get_count(c, 1 + RANGE_LEAST);
    st = c->status == PSH_OK ? check_run(b, l, r) : PSH_E_CORRUPT;
    if (st != PSH_OK)
        return st;
    r->offsets = pshi_calloc(b->env, (size_t)r->interval_count + 1, sizeof *r->offsets);
    st = r->offsets ? get_ranges(b, c, r) : PSH_E_NOMEM;
    if (st == PSH_OK)
        st = get_sketch(b, c, &r->points);
    if (st == PSH_OK)
        st = get_sketch(b, c, &r->times);
    if (st == PSH_OK && !r->points.count != !r->rows)
        return PSH_E_CORRUPT;
    if (st == PSH_OK)
        st = pshi_bulk_sketch(b->env, &r->points);
    return st == PSH_OK ? pshi_bulk_sketch(b->env, &r->times) : st;
}

static void put_result(pshi_writer *w, const psh_bulk_result *r) {
    pshi_put_var(w, r->verdict);
    pshi_put_f64(w, r->rows);
    pshi_put_f64(w, r->bytes);
    pshi_put_f64(w, r->rows_predicted);
    pshi_put_f64(w, r->bytes_predicted);
    pshi_put_f64(w, r->distance);
    pshi_put_f64(w, r->outside);
    pshi_put_int(w, r->expires);
    pshi_put_int(w, r->next_at);
}

static psh_status get_result(pshi_cursor *c, pshi_load *l) {
    psh_bulk_result *r = &l->last;

    r->struct_size = sizeof *r;
    r->id = l->id;
    r->verdict = pshi_get_var32(c);
    r->rows = pshi_get_f64(c);
    r->bytes = pshi_get_f64(c);
    r->rows_predicted = pshi_get_f64(c);
    r->bytes_predicted = pshi_get_f64(c);
    r->distance = pshi_get_f64(c);
    r->outside = pshi_get_f64(c);
    r->expires = pshi_get_int(c);
    r->next_at = pshi_get_int(c);
    if (c->status != PSH_OK || r->verdict > PSH_BULK_MIGRATE || !is_size(r->rows) || !is_size(r->bytes) ||
        !is_size(r->rows_predicted) || !is_size(r->bytes_predicted) || !pshi_is_share(r->distance) ||
        !pshi_is_share(r->outside))
        return PSH_E_CORRUPT;
    return PSH_OK;
}

static void put_load(pshi_writer *w, const pshi_load *l) {
    uint32_t i;

    pshi_put_u64(w, l->id);
    pshi_put_var(w, l->flags);
    pshi_put_var(w, l->node);
    pshi_put_int(w, l->at);
    pshi_put_int(w, l->every);
    pshi_put_f64(w, l->confidence);
    pshi_put_f64(w, l->told_rows);
    pshi_put_f64(w, l->told_bytes);
    put_outline(w, &l->next);
    pshi_put_var(w, l->start_count);
    for (i = 0; i < l->start_count; i++)
        pshi_put_int(w, l->starts[i]);
    pshi_put_var(w, l->recent_count);
    for (i = 0; i < l->recent_count; i++) {
        pshi_put_f64(w, l->recent_rows[i]);
        pshi_put_f64(w, l->recent_bytes[i]);
    }
    pshi_put_f64(w, l->seconds);
    pshi_put_u64(w, l->low);
    pshi_put_u64(w, l->high);
    pshi_kll_put(w, &l->learned);
    pshi_kll_put(w, &l->deviant);
    if (l->flags & PSHI_LOAD_JUDGED)
        put_result(w, &l->last);
    pshi_put_u8(w, l->run != NULL);
    if (l->run)
        put_run(w, l->run);
}

static psh_status get_history(pshi_cursor *c, pshi_load *l) {
    uint32_t i;

    l->start_count = pshi_get_var32(c);
    if (l->start_count > PSHI_BULK_STARTS)
        return PSH_E_CORRUPT;
    for (i = 0; i < l->start_count; i++) {
        l->starts[i] = pshi_get_int(c);
        if (l->starts[i] == PSH_TIME_NONE || (i && l->starts[i] < l->starts[i - 1]))
            return PSH_E_CORRUPT;
    }
    l->recent_count = pshi_get_var32(c);
    if (l->recent_count > PSHI_BULK_RECENT)
        return PSH_E_CORRUPT;
    for (i = 0; i < l->recent_count; i++) {
        l->recent_rows[i] = pshi_get_f64(c);
        l->recent_bytes[i] = pshi_get_f64(c);
        if (!is_size(l->recent_rows[i]) || !is_size(l->recent_bytes[i]))
            return PSH_E_CORRUPT;
    }
    l->seconds = pshi_get_f64(c);
    l->low = pshi_get_u64(c);
    l->high = pshi_get_u64(c);
    return c->status == PSH_OK && is_size(l->seconds) && l->low <= l->high ? PSH_OK : PSH_E_CORRUPT;
}

static int is_expectation_sound(const pshi_load *l) {
    uint32_t known = PSHI_LOAD_EXPECTED | PSHI_LOAD_RENEWED | PSHI_LOAD_JUDGED | PSHI_LOAD_RHYTHM;
    int is_expected = l->flags & PSHI_LOAD_EXPECTED, has_times = l->next.from < l->next.to;

    if (!l->id || l->flags & ~known || l->every < 0 || !pshi_is_share(l->confidence) || !(l->confidence > 0))
        return 0;
    if (!is_size(l->told_rows) || !is_size(l->told_bytes))
        return 0;
    if (l->flags & (PSHI_LOAD_RENEWED | PSHI_LOAD_RHYTHM) && !is_expected)
        return 0;
    if (l->flags & PSHI_LOAD_RHYTHM && !l->every)
        return 0;
    return is_expected ? l->at != PSH_TIME_NONE && has_times : l->at == PSH_TIME_NONE && !has_times && !l->every;
}

static psh_status get_load(psh_bulk *b, pshi_cursor *c, pshi_load *l) {
    psh_status st;
    int has_run;

    l->flags = pshi_get_var32(c);
    l->node = pshi_get_var32(c);
    l->at = pshi_get_int(c);
    l->every = pshi_get_int(c);
    l->confidence = pshi_get_f64(c);
    l->told_rows = pshi_get_f64(c);
    l->told_bytes = pshi_get_f64(c);
    st = get_outline(b, c, &l->next);
    if (st == PSH_OK)
        st = is_expectation_sound(l) ? get_history(c, l) : PSH_E_CORRUPT;
    if (st == PSH_OK)
        st = get_sketch(b, c, &l->learned);
    if (st == PSH_OK)
        st = get_sketch(b, c, &l->deviant);
    if (st == PSH_OK && l->flags & PSHI_LOAD_JUDGED)
        st = get_result(c, l);
    has_run = pshi_get_u8(c);
    if (st != PSH_OK || c->status != PSH_OK || has_run > 1)
        return st != PSH_OK ? st : PSH_E_CORRUPT;
    if (!has_run)
        return l->flags & PSHI_LOAD_RENEWED ? PSH_E_CORRUPT : PSH_OK;
    return l->start_count ? get_run(b, c, l) : PSH_E_CORRUPT;
}

/* Memory that a load takes: a few bytes of one under way become whole sketches. */
static uint64_t bytes_of(const pshi_load *l) {
    const pshi_run *r = l->run;
    uint64_t bytes = sizeof *l + pshi_kll_bytes(&l->learned) + pshi_kll_bytes(&l->deviant);

    if (r)
        bytes += sizeof *r + pshi_kll_bytes(&r->points) + pshi_kll_bytes(&r->times) +
                 r->offsets[r->interval_count] * sizeof *r->ranges;
    return bytes;
}

static psh_status get_loads(psh_bulk *b, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, LOAD_LEAST), i;
    uint64_t id, before = 0, used = 0, cap = max_bytes ? max_bytes : PSHI_LOAD_BYTES;
    psh_status st = PSH_OK;
    pshi_load *l;

    for (i = 0; st == PSH_OK && i < n; i++, before = id) {
        id = pshi_get_u64(c);
        l = pshi_load_create(b, id, 0);
        if (!l)
            return pshi_fail_at(err, PSH_E_NOMEM, "load", i, psh_status_text(PSH_E_NOMEM));
        st = get_load(b, c, l);
        if (st == PSH_OK)
            st = id > before ? pshi_bulk_insert(b, l) : PSH_E_CORRUPT;
        if (st != PSH_OK)
            pshi_load_destroy(b->env, l);
        if (st == PSH_E_LIMIT)
            st = PSH_E_CORRUPT;
        used += st == PSH_OK ? bytes_of(l) : 0;
        if (used > cap)
            return pshi_fail(err, PSH_E_LIMIT, "max_bytes", "the loads take more memory");
    }
    return st == PSH_OK ? st : pshi_fail_at(err, st, "load", i - 1, "damaged, or too many");
}

static psh_status get_edit(psh_bulk *b, pshi_cursor *c, pshi_edit *e) {
    psh_status st;

    e->load = pshi_get_u64(c);
    e->kind = pshi_get_var32(c);
    e->expires = pshi_get_int(c);
    if (c->status != PSH_OK || !e->load || e->kind < PSHI_EDIT_FINISH || e->kind > PSHI_EDIT_MIGRATE ||
        e->expires == PSH_TIME_NONE)
        return PSH_E_CORRUPT;
    st = get_outline(b, c, &e->want);
    if (st == PSH_OK)
        st = get_outline(b, c, &e->other);
    return st == PSH_OK && (e->want.table != e->other.table && e->kind != PSHI_EDIT_FINISH) ? PSH_E_CORRUPT : st;
}

static psh_status get_edits(psh_bulk *b, pshi_cursor *c, psh_error *err) {
    size_t n = pshi_get_count(c, EDIT_LEAST), i;
    void *edits = NULL;
    psh_status st = PSH_OK;
    pshi_edit e;

    if (n > b->o.max_loads)
        return pshi_fail(err, PSH_E_CORRUPT, "edits", "there are too many");
    st = pshi_reserve(b->env, &edits, &b->edit_cap, n, sizeof *b->edits);
    b->edits = edits;
    for (i = 0; st == PSH_OK && i < n; i++) {
        e = (pshi_edit){ 0 };
        st = get_edit(b, c, &e);
        b->edits[b->edit_count++] = e;
    }
    return st == PSH_OK ? st : pshi_fail_at(err, st, "edit", i ? i - 1 : 0, psh_status_text(st));
}

static void encode_bulk(pshi_writer *w, const void *value) {
    const psh_bulk *b = value;
    size_t i;

    put_options(w, &b->o);
    pshi_put_var(w, b->load_count);
    for (i = 0; i < b->load_count; i++)
        put_load(w, b->loads[i]);
    pshi_put_var(w, b->edit_count);
    for (i = 0; i < b->edit_count; i++) {
        pshi_put_u64(w, b->edits[i].load);
        pshi_put_var(w, b->edits[i].kind);
        pshi_put_int(w, b->edits[i].expires);
        put_outline(w, &b->edits[i].want);
        put_outline(w, &b->edits[i].other);
    }
}

psh_status psh_bulk_save(const psh_bulk *b, psh_buffer *out) {
    if (!b || !out)
        return PSH_E_INVALID;
    return pshi_frame_save(out, PSHI_KIND_BULK, encode_bulk, b);
}

psh_status psh_bulk_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_bulk **out,
    psh_error *err) {
    psh_bulk_options o = { .struct_size = sizeof o };
    psh_bulk *b = NULL;
    pshi_frame frame;
    pshi_cursor c;
    psh_status st;

    if (!env || !schema || !out)
        return pshi_fail(err, PSH_E_INVALID, "out", "env, schema and out are needed");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_BULK, max_bytes, &frame, &c, err);
    if (st != PSH_OK)
        return st;
    get_options(&c, &o);
    st = c.status != PSH_OK ? pshi_fail(err, PSH_E_CORRUPT, "data", "damaged options")
                            : pshi_load_status(psh_bulk_create(env, schema, &o, &b, err), err);
    if (st == PSH_OK)
        st = get_loads(b, &c, max_bytes, err);
    if (st == PSH_OK)
        st = get_edits(b, &c, err);
    if (st == PSH_OK && pshi_read_end(&c) != PSH_OK)
        st = pshi_fail(err, PSH_E_CORRUPT, "data", "bytes follow the last edit");
    pshi_frame_close(&frame);
    if (st == PSH_OK)
        *out = b;
    else
        psh_bulk_destroy(b);
    return st;
}
