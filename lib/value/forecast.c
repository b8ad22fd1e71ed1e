/* SPDX-License-Identifier: MIT */
#include "value/forecast.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/hash.h"
#include "base/options.h"
#include "base/ref.h"
#include "value/load.h"

#define MAX_STEPS 4096u
#define MAX_LEVELS 15u
#define LABEL_DOMAIN UINT64_C(0x6c6562616c) /* tells these hashes from those of other ids */

struct psh_forecast {
    psh_env *env;
    pshi_ref refs;
    psh_forecast_spec spec; /* its arrays point into numbers */
    double *numbers;        /* mean [steps], levels [level_count], quantiles [steps][level_count] */
};

uint64_t psh_label_id(const char *name, const char *value) {
    uint64_t h = pshi_hash_seed(name ? name : "", name ? strlen(name) : 0, LABEL_DOMAIN);

    return pshi_nonzero(pshi_hash_seed(value ? value : "", value ? strlen(value) : 0, h));
}

const char *psh_reason_text(uint32_t reason) {
    static const char *const texts[] = { "none", "never observed", "less history than a season",
                                         "no better than the seasonal naive", "dropped under the memory limit" };

    return reason <= PSH_REASON_EVICTED ? texts[reason] : "unknown";
}

int pshi_is_subject(const psh_subject *s) {
    return s->kind >= PSH_SUBJECT_TABLE && s->kind <= PSH_SUBJECT_SEGMENT;
}

void pshi_subject_put(pshi_writer *w, const psh_subject *s) {
    pshi_put_var(w, s->kind);
    pshi_put_var(w, s->table);
    pshi_put_u64(w, s->id);
}

void pshi_subject_get(pshi_cursor *c, psh_subject *out) {
    out->kind = pshi_get_var32(c);
    out->table = pshi_get_var32(c);
    out->id = pshi_get_u64(c);
}

void pshi_subject_text(pshi_writer *w, const psh_subject *s) {
    static const char *const kinds[] = { "nothing", "table", "tenant", "template", "label", "partition",
                                         "queries" };

    pshi_text(w, kinds[pshi_is_subject(s) ? s->kind : 0]);
    pshi_text(w, " ");
    pshi_text_u64(w, s->table);
    pshi_text(w, " ");
    pshi_text_hex(w, s->id);
}

static psh_status check_head(const psh_forecast_spec *s, psh_error *err) {
    int64_t span;

    if (!pshi_is_subject(&s->subject))
        return pshi_fail(err, PSH_E_INVALID, "subject", "kind must be one of PSH_SUBJECT_*");
    if (s->reason > PSH_REASON_EVICTED)
        return pshi_fail(err, PSH_E_INVALID, "reason", "must be one of PSH_REASON_*");
    if (s->made_at == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "made_at", "must be a time");
    if (s->from == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "from", "must be a time");
    if (s->step_ns <= 0)
        return pshi_fail(err, PSH_E_INVALID, "step_ns", "must be > 0");
    if (s->steps < 1 || s->steps > MAX_STEPS)
        return pshi_fail(err, PSH_E_INVALID, "steps", "must be within 1..4096");
    if (pshi_mul_i64(s->step_ns, s->steps, &span) || pshi_add_i64(s->from, span, &span))
        return pshi_fail(err, PSH_E_INVALID, "steps", "the last step is outside the range of times");
    if (s->level_count > MAX_LEVELS)
        return pshi_fail(err, PSH_E_INVALID, "level_count", "must be within 0..15");
    if (!isfinite(s->skill))
        return pshi_fail(err, PSH_E_INVALID, "skill", "must be finite");
    return PSH_OK;
}

static psh_status check_quantile_row(const psh_forecast_spec *s, uint32_t step, psh_error *err) {
    const double *row = s->quantiles + (size_t)step * s->level_count;
    uint32_t i;

    for (i = 0; i < s->level_count; i++)
        if (!isfinite(row[i]) || (i && row[i] < row[i - 1]))
            return pshi_fail_at(err, PSH_E_INVALID, "quantiles", step, "a row must be finite and ascending");
    return PSH_OK;
}

static psh_status check_numbers(const psh_forecast_spec *s, psh_error *err) {
    psh_status st = PSH_OK;
    uint32_t i;

    for (i = 0; i < s->level_count; i++)
        if (!isfinite(s->levels[i]) || s->levels[i] <= (i ? s->levels[i - 1] : 0) || s->levels[i] >= 1)
            return pshi_fail_at(err, PSH_E_INVALID, "levels", i, "must ascend within (0, 1)");
    for (i = 0; i < s->steps; i++)
        if (!isfinite(s->mean[i]) || s->mean[i] < 0)
            return pshi_fail_at(err, PSH_E_INVALID, "mean", i, "must be finite and >= 0");
    for (i = 0; st == PSH_OK && i < s->steps && s->level_count; i++)
        st = check_quantile_row(s, i, err);
    return st;
}

/* Numbers of an array of the spec's shape: mean, levels, quantiles. */
static size_t number_count(const psh_forecast_spec *s) {
    return s->steps + s->level_count + (size_t)s->steps * s->level_count;
}

/* An object with room for its numbers, and the arrays of its spec set. */
static psh_forecast *new_forecast(psh_env *env, const psh_forecast_spec *s) {
    psh_forecast *f = pshi_calloc(env, 1, sizeof *f);

    if (!f)
        return NULL;
    f->numbers = pshi_calloc(env, number_count(s), sizeof *f->numbers);
    if (!f->numbers) {
        pshi_free(env, f);
        return NULL;
    }
    pshi_ref_init(&f->refs);
    f->env = env;
    f->spec = *s;
    f->spec.struct_size = sizeof f->spec;
    f->spec.mean = f->numbers;
    f->spec.levels = f->numbers + s->steps;
    f->spec.quantiles = f->spec.levels + s->level_count;
    return f;
}

psh_status psh_forecast_create(
    psh_env *env, const psh_forecast_spec *spec, psh_forecast **out, psh_error *err) {
    psh_forecast_spec s = { 0 };
    psh_forecast *f;
    psh_status st;

    if (!out || !env || !spec)
        return pshi_fail(err, PSH_E_INVALID, "spec", "env, spec and out are needed");
    *out = NULL;
    st = pshi_options_copy(&s, sizeof s, spec, err);
    if (st == PSH_OK)
        st = check_head(&s, err);
    if (st != PSH_OK)
        return st;
    if (!s.mean)
        return pshi_fail(err, PSH_E_INVALID, "mean", "is NULL");
    if (s.level_count && (!s.levels || !s.quantiles))
        return pshi_fail(err, PSH_E_INVALID, "levels", "levels or quantiles is NULL");
    st = check_numbers(&s, err);
    if (st != PSH_OK)
        return st;
    f = new_forecast(env, &s);
    if (!f)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    memcpy(f->numbers, s.mean, s.steps * sizeof *f->numbers);
    if (s.level_count) {
        memcpy(f->numbers + s.steps, s.levels, s.level_count * sizeof *f->numbers);
        memcpy(f->numbers + s.steps + s.level_count, s.quantiles,
               (size_t)s.steps * s.level_count * sizeof *f->numbers);
    }
    *out = f;
    return PSH_OK;
}

psh_forecast *psh_forecast_ref(psh_forecast *f) {
    pshi_ref_get(&f->refs);
    return f;
}

void psh_forecast_unref(psh_forecast *f) {
    if (!f || !pshi_ref_put(&f->refs))
        return;
    pshi_free(f->env, f->numbers);
    pshi_free(f->env, f);
}

psh_status psh_forecast_describe(const psh_forecast *f, psh_forecast_spec *out) {
    if (!f || !out)
        return PSH_E_INVALID;
    return pshi_struct_out(out, &f->spec, sizeof f->spec);
}

static void encode_forecast(pshi_writer *w, const void *value) {
    const psh_forecast *f = value;
    const psh_forecast_spec *s = &f->spec;
    size_t n = number_count(s), i;

    pshi_put_var(w, s->reason);
    pshi_subject_put(w, &s->subject);
    pshi_put_int(w, s->made_at);
    pshi_put_int(w, s->from);
    pshi_put_int(w, s->step_ns);
    pshi_put_var(w, s->steps);
    pshi_put_var(w, s->level_count);
    pshi_put_f64(w, s->skill);
    for (i = 0; i < n; i++)
        pshi_put_f64(w, f->numbers[i]);
}

psh_status psh_forecast_save(const psh_forecast *f, psh_buffer *out) {
    return pshi_frame_save(out, PSHI_KIND_FORECAST, encode_forecast, f);
}

static psh_status decode_numbers(psh_forecast *f, pshi_cursor *c, psh_error *err) {
    size_t n = number_count(&f->spec), i;

    for (i = 0; i < n; i++)
        f->numbers[i] = pshi_get_f64(c);
    if (pshi_read_end(c) != PSH_OK)
        return pshi_fail(err, PSH_E_CORRUPT, "data", "damaged, or bytes follow the last number");
    return pshi_load_status(check_numbers(&f->spec, err), err);
}

static psh_status decode_forecast(
    psh_env *env, pshi_cursor *c, size_t max_bytes, psh_forecast **out, psh_error *err) {
    psh_forecast_spec s = { 0 };
    psh_forecast *f;
    psh_status st;

    s.reason = pshi_get_var32(c);
    pshi_subject_get(c, &s.subject);
    s.made_at = pshi_get_int(c);
    s.from = pshi_get_int(c);
    s.step_ns = pshi_get_int(c);
    s.steps = pshi_get_var32(c);
    s.level_count = pshi_get_var32(c);
    s.skill = pshi_get_f64(c);
    st = pshi_load_status(check_head(&s, err), err);
    if (st == PSH_OK && pshi_read_left(c) != number_count(&s) * 8)
        st = pshi_fail(err, PSH_E_CORRUPT, "data", "does not hold as many numbers as it tells");
    if (st == PSH_OK)
        st = pshi_load_fits(max_bytes, number_count(&s), sizeof *f->numbers, err);
    if (st != PSH_OK)
        return st;
    f = new_forecast(env, &s);
    if (!f)
        return pshi_fail(err, PSH_E_NOMEM, "", psh_status_text(PSH_E_NOMEM));
    st = decode_numbers(f, c, err);
    if (st == PSH_OK)
        *out = f;
    else
        psh_forecast_unref(f);
    return st;
}

psh_status psh_forecast_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_forecast **out, psh_error *err) {
    pshi_frame frame;
    pshi_cursor c;
    psh_status st;

    if (!out || !env)
        return pshi_fail(err, PSH_E_INVALID, "out", "env and out are needed");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_FORECAST, max_bytes, &frame, &c, err);
    if (st != PSH_OK)
        return st;
    st = decode_forecast(env, &c, max_bytes, out, err);
    pshi_frame_close(&frame);
    return st;
}

static void text_step(pshi_writer *w, const psh_forecast_spec *s, uint32_t step) {
    uint32_t i;

    pshi_text_time(w, s->from + s->step_ns * (int64_t)step);
    pshi_text(w, " mean ");
    pshi_text_f64(w, s->mean[step]);
    for (i = 0; i < s->level_count; i++) {
        pshi_text(w, " q");
        pshi_text_f64(w, s->levels[i]);
        pshi_text(w, " ");
        pshi_text_f64(w, s->quantiles[(size_t)step * s->level_count + i]);
    }
    pshi_text(w, "\n");
}

psh_status psh_forecast_dump(const psh_forecast *f, psh_buffer *out) {
    pshi_writer w = pshi_write(out);
    uint32_t i;

    if (!f)
        return PSH_E_INVALID;
    pshi_text(&w, "forecast of ");
    pshi_subject_text(&w, &f->spec.subject);
    pshi_text(&w, " made ");
    pshi_text_time(&w, f->spec.made_at);
    pshi_text(&w, " step ");
    pshi_text_i64(&w, f->spec.step_ns);
    pshi_text(&w, " skill ");
    pshi_text_f64(&w, f->spec.skill);
    if (f->spec.reason) {
        pshi_text(&w, " reason: ");
        pshi_text(&w, psh_reason_text(f->spec.reason));
    }
    pshi_text(&w, "\n");
    for (i = 0; i < f->spec.steps; i++)
        text_step(&w, &f->spec, i);
    return pshi_write_end(&w);
}
