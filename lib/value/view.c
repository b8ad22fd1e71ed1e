/* SPDX-License-Identifier: MIT */
#include "value/view.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "base/ref.h"
#include "codec/frame.h"
#include "value/query.h"

struct psh_view {
    pshi_ref refs;
    psh_env *env;
    psh_view_spec spec; /* the name lies behind the struct */
};

static psh_view_spec view_defaults(void) {
    psh_view_spec s;

    memset(&s, 0, sizeof s);
    s.struct_size = sizeof s;
    s.level = PSH_LEVEL_FULL;
    s.store = PSH_STORE_BLOCKS;
    s.retention = PSH_RETAIN_FOLLOWS_BASE;
    return s;
}

void psh_view_spec_init(psh_view_spec *spec, uint32_t size) {
    psh_view_spec s = view_defaults();

    pshi_options_out(spec, size, &s, sizeof s);
}

static psh_status check_definition(const psh_query *q, psh_error *err) {
    const psh_query_spec *s = q ? pshi_query_spec(q) : NULL;

    if (!s)
        return pshi_fail(err, PSH_E_INVALID, "definition", "is NULL");
    if (s->column_count)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "definition", "a detail query cannot be a view");
    if (s->time_from != PSH_TIME_MIN || s->time_to != PSH_TIME_MAX)
        return pshi_fail(err, PSH_E_INVALID, "definition", "its time range must be open");
    if (s->order_count || s->limit)
        return pshi_fail(err, PSH_E_INVALID, "definition", "a view has no order and no limit");
    return PSH_OK;
}

static psh_status check_view(const psh_view_spec *s, psh_error *err) {
    if (!s->name || !s->name[0] || !memchr(s->name, 0, 256))
        return pshi_fail(err, PSH_E_INVALID, "name", "must have 1 to 255 bytes");
    if (s->level < PSH_LEVEL_FULL || s->level > PSH_LEVEL_NONE)
        return pshi_fail(err, PSH_E_INVALID, "level", "is not a PSH_LEVEL_*");
    if (s->store != PSH_STORE_BLOCKS)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "store", "is not a PSH_STORE_* of this build");
    if (s->retention < PSH_RETAIN_FOLLOWS_BASE || s->retention > PSH_RETAIN_OUTLIVES_BASE)
        return pshi_fail(err, PSH_E_INVALID, "retention", "is not a PSH_RETAIN_*");
    if (s->level == PSH_LEVEL_PARTIAL ? s->reach_ns <= 0 : s->reach_ns != 0)
        return pshi_fail(err, PSH_E_INVALID, "reach_ns", "must be above 0 for a partial view, else 0");
    if (!isfinite(s->confidence) || s->confidence < 0 || s->confidence > 1)
        return pshi_fail(err, PSH_E_INVALID, "confidence", "must lie in 0..1");
    return check_definition(s->definition, err);
}

psh_status psh_view_create(psh_env *env, const psh_view_spec *spec, psh_view **out, psh_error *err) {
    psh_view_spec s = view_defaults();
    psh_view *v;
    psh_status st;
    size_t name;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env || !spec)
        return pshi_fail(err, PSH_E_INVALID, "spec", "env or spec is NULL");
    if ((st = pshi_options_copy(&s, sizeof s, spec, err)) != PSH_OK || (st = check_view(&s, err)) != PSH_OK)
        return st;
    name = strlen(s.name) + 1;
    v = pshi_alloc(env, sizeof *v + name);
    if (!v)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the view");
    pshi_ref_init(&v->refs);
    v->env = env;
    v->spec = s;
    v->spec.confidence += 0.0; /* no -0.0 in saved bytes */
    v->spec.name = memcpy(v + 1, s.name, name);
    psh_query_ref(s.definition);
    *out = v;
    return PSH_OK;
}

psh_view *psh_view_ref(psh_view *v) {
    pshi_ref_get(&v->refs);
    return v;
}

void psh_view_unref(psh_view *v) {
    if (!v || !pshi_ref_put(&v->refs))
        return;
    psh_query_unref(v->spec.definition);
    pshi_free(v->env, v);
}

psh_status psh_view_describe(const psh_view *v, psh_view_spec *out) {
    return v && out ? pshi_struct_out(out, &v->spec, sizeof v->spec) : PSH_E_INVALID;
}

const psh_view_spec *pshi_view_spec(const psh_view *v) {
    return &v->spec;
}

uint32_t pshi_view_table(const psh_view *v) {
    return pshi_query_spec(v->spec.definition)->table;
}

uint64_t psh_view_id(const psh_view *v) {
    return psh_query_id(v->spec.definition);
}

void pshi_view_put(pshi_writer *w, const psh_view *v) {
    pshi_put_str(w, v->spec.name);
    pshi_put_var(w, v->spec.level);
    pshi_put_var(w, v->spec.store);
    pshi_put_var(w, v->spec.retention);
    pshi_put_int(w, v->spec.reach_ns);
    pshi_put_f64(w, v->spec.confidence);
    pshi_query_put(w, v->spec.definition);
}

psh_status pshi_view_get(psh_env *env, psh_schema *schema, pshi_cursor *c, psh_view **out) {
    psh_view_spec s = view_defaults();
    char name[256];
    psh_status st;

    *out = NULL;
    pshi_get_name(c, name);
    s.name = name;
    s.level = pshi_get_var32(c);
    s.store = pshi_get_var32(c);
    s.retention = pshi_get_var32(c);
    s.reach_ns = pshi_get_int(c);
    s.confidence = pshi_get_f64(c);
    if (c->status != PSH_OK)
        return PSH_E_CORRUPT;
    st = pshi_query_get(env, schema, c, &s.definition);
    if (st != PSH_OK)
        return st;
    st = psh_view_create(env, &s, out, NULL);
    psh_query_unref(s.definition);
    if (st == PSH_OK || st == PSH_E_NOMEM)
        return st;
    pshi_read_bad(c);
    return PSH_E_CORRUPT;
}

static void encode_view(pshi_writer *w, const void *value) {
    pshi_view_put(w, value);
}

psh_status psh_view_save(const psh_view *v, psh_buffer *out) {
    return v && out ? pshi_frame_save(out, PSHI_KIND_VIEW, encode_view, v) : PSH_E_INVALID;
}

psh_status psh_view_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_view **out,
    psh_error *err) {
    pshi_frame frame;
    pshi_cursor body;
    psh_status st;

    if (!env || !schema || !out)
        return pshi_fail(err, PSH_E_INVALID, "out", "env, schema or out is NULL");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_VIEW, max_bytes, &frame, &body, err);
    if (st != PSH_OK)
        return st;
    st = pshi_view_get(env, schema, &body, out);
    if (st == PSH_OK)
        st = pshi_read_end(&body);
    pshi_frame_close(&frame);
    if (st == PSH_OK)
        return st;
    psh_view_unref(*out);
    *out = NULL;
    return pshi_fail(err, st, "view", psh_status_text(st));
}

psh_status psh_view_dump(const psh_view *v, psh_buffer *out) {
    static const char *const levels[] = { "", " full", " partial", " none" };
    pshi_writer w = pshi_write(out);

    if (!v || !out)
        return PSH_E_INVALID;
    pshi_text(&w, "view ");
    pshi_text(&w, v->spec.name);
    pshi_text(&w, " id ");
    pshi_text_hex(&w, psh_view_id(v));
    pshi_text(&w, levels[v->spec.level]);
    if (v->spec.reach_ns) {
        pshi_text(&w, " reach ");
        pshi_text_i64(&w, v->spec.reach_ns);
        pshi_text(&w, " ns");
    }
    pshi_text(&w, v->spec.retention == PSH_RETAIN_OUTLIVES_BASE ? " outlives base" : " follows base");
    pshi_text(&w, " confidence ");
    pshi_text_f64(&w, v->spec.confidence);
    pshi_text(&w, " as ");
    if (w.status == PSH_OK)
        w.status = psh_query_dump(v->spec.definition, out);
    return pshi_write_end(&w);
}
