/* SPDX-License-Identifier: MIT */
#include "value/wants.h"

#include <math.h>
#include <predshard/view.h>
#include <string.h>

#include "base/env.h"
#include "value/load.h"
#include "value/query.h"

struct psh_wants {
    psh_env *env;
    psh_want *items; /* each holds a reference of its definition */
    size_t count;
    size_t cap;
};

const char *psh_action_kind_name(uint32_t kind) {
    static const char *const names[] = { "unknown", "create-partition", "activate-partition", "seal-partition",
                                         "archive-partition", "drop-partition", "build-view", "drop-view",
                                         "split-partition", "merge-partition", "replicate-partition",
                                         "promote-partition", "drop-replica", "add-node", "release-node" };

    return names[kind <= PSH_ACT_MAX ? kind : 0];
}

const char *psh_why_text(uint32_t why) {
    static const char *const texts[] = { "unknown", "load is forecast there", "its interval begins",
                                         "its interval is over", "its age passed the rule",
                                         "predicted access no longer earns its tier", "nobody asks for it any more",
                                         "pushed out by more benefit per byte", "it was asked for already",
                                         "more load is expected than its node should carry",
                                         "load no longer earns it a place of its own",
                                         "its node is fuller than others", "asked for together with what stands there",
                                         "a bulk load is expected or under way", "larger than a partition should be",
                                         "its queries are slower than they should be", "its node is to be released" };

    return texts[why <= PSH_WHY_LEAVING ? why : 0];
}

int pshi_is_amount(double x) {
    return isfinite(x) && x >= 0;
}

int pshi_is_share(double x) {
    return pshi_is_amount(x) && x <= 1;
}

int pshi_definition_fits(const psh_query *definition, uint32_t table, uint64_t id) {
    psh_query_spec spec = { .struct_size = sizeof spec };

    return psh_query_describe(definition, &spec) == PSH_OK && spec.table == table &&
           psh_query_id(definition) == id;
}

static int resources_ok(const psh_resources *r) {
    return pshi_is_amount(r->bytes) && pshi_is_amount(r->reads_per_s) && pshi_is_amount(r->writes_per_s) &&
           pshi_is_amount(r->bytes_per_s) && pshi_is_amount(r->cpu_us_per_s);
}

static psh_status check_want_view(const psh_want *want, psh_error *err) {
    int is_view = want->kind == PSH_ACT_BUILD_VIEW || want->kind == PSH_ACT_DROP_VIEW;

    if (!is_view && want->definition)
        return pshi_fail(err, PSH_E_INVALID, "definition", "only views have one");
    if (want->kind == PSH_ACT_BUILD_VIEW) {
        if (!want->definition)
            return pshi_fail(err, PSH_E_INVALID, "definition", "a view to build needs one");
        if (want->level != PSH_LEVEL_FULL && want->level != PSH_LEVEL_PARTIAL)
            return pshi_fail(err, PSH_E_INVALID, "level", "a view to build is full or partial");
        if (want->level == PSH_LEVEL_PARTIAL && !want->reach_ns)
            return pshi_fail(err, PSH_E_INVALID, "reach_ns", "a partial view reaches back some time");
    }
    if (want->definition && !pshi_definition_fits(want->definition, want->table, want->subject))
        return pshi_fail(err, PSH_E_INVALID, "subject", "is not the id of the definition, or of another table");
    return PSH_OK;
}

static psh_status check_want_time(const psh_want *want, psh_error *err) {
    if (want->reserved)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "reserved", "must be 0");
    if (want->time_from == PSH_TIME_NONE || want->time_from > want->time_to)
        return pshi_fail(err, PSH_E_INVALID, "time_from", "must be a time, not after time_to");
    if (want->not_before == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "not_before", "must be a time");
    if (want->deadline < want->not_before)
        return pshi_fail(err, PSH_E_INVALID, "deadline", "is before not_before");
    if (want->reach_ns < 0)
        return pshi_fail(err, PSH_E_INVALID, "reach_ns", "must be >= 0");
    return PSH_OK;
}

/* What only splits, merges and copies carry. */
static psh_status check_want_source(const psh_want *want, psh_error *err) {
    int copies = want->kind == PSH_ACT_SPLIT_PARTITION || want->kind == PSH_ACT_REPLICATE_PARTITION;
    int needs = want->kind == PSH_ACT_SPLIT_PARTITION || want->kind == PSH_ACT_MERGE_PARTITION;
    int on_node = want->kind >= PSH_ACT_REPLICATE_PARTITION && want->kind <= PSH_ACT_DROP_REPLICA;

    if ((needs && !want->source) || want->source == want->subject)
        return pshi_fail(err, PSH_E_INVALID, "source", "must be another partition's id");
    if (want->source && !needs && want->kind != PSH_ACT_CREATE_PARTITION)
        return pshi_fail(err, PSH_E_INVALID, "source", "only creations, splits and merges have one");
    if (copies ? want->steps < 1 || want->steps > 65535 || want->step < 1 || want->step > want->steps
               : want->steps || want->step)
        return pshi_fail(err, PSH_E_INVALID, "step", "must be within 1..steps, at most 65535, or both be 0");
    if (on_node && want->node == PSH_NONE)
        return pshi_fail(err, PSH_E_INVALID, "node", "must be a node");
    return PSH_OK;
}

psh_status pshi_want_check(const psh_want *want, psh_error *err) {
    psh_status st;

    if (want->kind < 1 || want->kind > PSH_ACT_MAX)
        return pshi_fail(err, PSH_E_INVALID, "kind", "must be one of PSH_ACT_*");
    if (want->why < 1 || want->why > PSH_WHY_LEAVING)
        return pshi_fail(err, PSH_E_INVALID, "why", "must be one of PSH_WHY_*");
    if (!want->subject)
        return pshi_fail(err, PSH_E_INVALID, "subject", "must be an id, not 0");
    if (want->level > PSH_LEVEL_NONE)
        return pshi_fail(err, PSH_E_INVALID, "level", "must be one of PSH_LEVEL_*, or 0");
    if (want->arc_first > want->arc_last)
        return pshi_fail(err, PSH_E_INVALID, "arc_first", "is after arc_last");
    if (!resources_ok(&want->resources))
        return pshi_fail(err, PSH_E_INVALID, "resources", "must be finite and >= 0");
    if (!pshi_is_amount(want->benefit))
        return pshi_fail(err, PSH_E_INVALID, "benefit", "must be finite and >= 0");
    if (!pshi_is_amount(want->cost))
        return pshi_fail(err, PSH_E_INVALID, "cost", "must be finite and >= 0");
    if (!pshi_is_share(want->confidence))
        return pshi_fail(err, PSH_E_INVALID, "confidence", "must be within 0..1");
    st = check_want_time(want, err);
    if (st == PSH_OK)
        st = check_want_source(want, err);
    return st == PSH_OK ? check_want_view(want, err) : st;
}

void pshi_definition_put(pshi_writer *w, const psh_query *q) {
    pshi_put_u8(w, q != NULL);
    if (q)
        pshi_query_put(w, q);
}

psh_status pshi_definition_get(psh_env *env, psh_schema *schema, pshi_cursor *c, psh_query **out) {
    uint8_t has = pshi_get_u8(c);

    *out = NULL;
    if (c->status != PSH_OK || has > 1)
        return PSH_E_CORRUPT;
    return has ? pshi_query_get(env, schema, c, out) : PSH_OK;
}

void pshi_want_put(pshi_writer *w, const psh_want *want) {
    pshi_put_var(w, want->kind);
    pshi_put_var(w, want->why);
    pshi_put_u64(w, want->subject);
    pshi_put_var(w, want->table);
    pshi_put_var(w, want->level);
    pshi_put_var(w, want->node);
    pshi_put_var(w, want->tier);
    pshi_put_int(w, want->interval);
    pshi_put_int(w, want->time_from);
    pshi_put_int(w, want->time_to);
    pshi_put_var(w, want->arc_first);
    pshi_put_var(w, want->arc_last);
    pshi_put_int(w, want->reach_ns);
    pshi_put_f64(w, want->resources.bytes);
    pshi_put_f64(w, want->resources.reads_per_s);
    pshi_put_f64(w, want->resources.writes_per_s);
    pshi_put_f64(w, want->resources.bytes_per_s);
    pshi_put_f64(w, want->resources.cpu_us_per_s);
    pshi_put_f64(w, want->benefit);
    pshi_put_f64(w, want->cost);
    pshi_put_f64(w, want->confidence);
    pshi_put_int(w, want->not_before);
    pshi_put_int(w, want->deadline);
    pshi_put_var(w, want->generation);
    pshi_put_var(w, want->ordinal);
    pshi_put_u64(w, want->source);
    pshi_put_var(w, want->step);
    pshi_put_var(w, want->steps);
    pshi_definition_put(w, want->definition);
}

static void read_want(pshi_cursor *c, psh_want *out) {
    memset(out, 0, sizeof *out);
    out->kind = pshi_get_var32(c);
    out->why = pshi_get_var32(c);
    out->subject = pshi_get_u64(c);
    out->table = pshi_get_var32(c);
    out->level = pshi_get_var32(c);
    out->node = pshi_get_var32(c);
    out->tier = pshi_get_var32(c);
    out->interval = pshi_get_int(c);
    out->time_from = pshi_get_int(c);
    out->time_to = pshi_get_int(c);
    out->arc_first = pshi_get_var(c);
    out->arc_last = pshi_get_var(c);
    out->reach_ns = pshi_get_int(c);
    out->resources.bytes = pshi_get_f64(c);
    out->resources.reads_per_s = pshi_get_f64(c);
    out->resources.writes_per_s = pshi_get_f64(c);
    out->resources.bytes_per_s = pshi_get_f64(c);
    out->resources.cpu_us_per_s = pshi_get_f64(c);
    out->benefit = pshi_get_f64(c);
    out->cost = pshi_get_f64(c);
    out->confidence = pshi_get_f64(c);
    out->not_before = pshi_get_int(c);
    out->deadline = pshi_get_int(c);
    out->generation = pshi_get_var(c);
    out->ordinal = pshi_get_var32(c);
    out->source = pshi_get_u64(c);
    out->step = pshi_get_var32(c);
    out->steps = pshi_get_var32(c);
}

psh_status pshi_want_get(psh_env *env, psh_schema *schema, pshi_cursor *c, psh_want *out, psh_error *err) {
    psh_status st;

    read_want(c, out);
    st = pshi_definition_get(env, schema, c, &out->definition);
    if (st == PSH_OK && c->status != PSH_OK)
        st = PSH_E_CORRUPT;
    if (st != PSH_OK)
        pshi_fail(err, st, "want", psh_status_text(st));
    else if (out->table >= psh_schema_table_count(schema))
        st = pshi_fail(err, PSH_E_CORRUPT, "table", "is not in the schema");
    else
        st = pshi_load_status(pshi_want_check(out, err), err);
    if (st != PSH_OK) {
        psh_query_unref(out->definition);
        out->definition = NULL;
    }
    return st;
}

static void text_or_any(pshi_writer *w, const char *name, uint32_t x) {
    pshi_text(w, name);
    if (x == PSH_NONE)
        pshi_text(w, "any");
    else
        pshi_text_u64(w, x);
}

static void text_want_partition(pshi_writer *w, const psh_want *want) {
    pshi_text(w, " interval ");
    pshi_text_i64(w, want->interval);
    pshi_text(w, " [");
    pshi_text_time(w, want->time_from);
    pshi_text(w, ", ");
    pshi_text_time(w, want->time_to);
    pshi_text(w, ") arc ");
    pshi_text_hex(w, want->arc_first);
    pshi_text(w, "..");
    pshi_text_hex(w, want->arc_last);
}

void pshi_want_text(pshi_writer *w, const psh_want *want) {
    pshi_text(w, psh_action_kind_name(want->kind));
    pshi_text(w, " ");
    pshi_text_hex(w, want->subject);
    pshi_text(w, " table ");
    pshi_text_u64(w, want->table);
    text_or_any(w, " node ", want->node);
    text_or_any(w, " tier ", want->tier);
    if (want->source) {
        pshi_text(w, " source ");
        pshi_text_hex(w, want->source);
    }
    if (want->steps) {
        pshi_text(w, " step ");
        pshi_text_u64(w, want->step);
        pshi_text(w, "/");
        pshi_text_u64(w, want->steps);
    }
    if (!pshi_action_is_view(want->kind)) {
        text_want_partition(w, want);
    } else {
        pshi_text(w, " level ");
        pshi_text_u64(w, want->level);
        pshi_text(w, " reach ");
        pshi_text_i64(w, want->reach_ns);
    }
    pshi_text(w, " bytes ");
    pshi_text_f64(w, want->resources.bytes);
    pshi_text(w, " benefit ");
    pshi_text_f64(w, want->benefit);
    pshi_text(w, " cost ");
    pshi_text_f64(w, want->cost);
    pshi_text(w, " confidence ");
    pshi_text_f64(w, want->confidence);
    pshi_text(w, " from ");
    pshi_text_time(w, want->not_before);
    pshi_text(w, " until ");
    pshi_text_time(w, want->deadline);
    pshi_text(w, " generation ");
    pshi_text_u64(w, want->generation);
    pshi_text(w, " because ");
    pshi_text(w, psh_why_text(want->why));
}

psh_status psh_wants_create(psh_env *env, psh_wants **out) {
    if (!out)
        return PSH_E_INVALID;
    *out = NULL;
    if (!env)
        return PSH_E_INVALID;
    *out = pshi_calloc(env, 1, sizeof **out);
    if (!*out)
        return PSH_E_NOMEM;
    (*out)->env = env;
    return PSH_OK;
}

void psh_wants_destroy(psh_wants *w) {
    if (!w)
        return;
    psh_wants_clear(w);
    pshi_free(w->env, w->items);
    pshi_free(w->env, w);
}

void psh_wants_clear(psh_wants *w) {
    pshi_wants_truncate(w, 0);
}

void pshi_wants_truncate(psh_wants *w, size_t count) {
    while (w->count > count)
        psh_query_unref(w->items[--w->count].definition);
}

/* Takes the caller's reference of the definition on success only. */
static psh_status push_want(psh_wants *w, const psh_want *want) {
    void *items = w->items;
    psh_status st = pshi_reserve(w->env, &items, &w->cap, w->count + 1, sizeof *w->items);

    w->items = items;
    if (st == PSH_OK)
        w->items[w->count++] = *want;
    return st;
}

psh_status psh_wants_add(psh_wants *w, const psh_want *want, psh_error *err) {
    psh_status st;

    if (!w || !want)
        return pshi_fail(err, PSH_E_INVALID, "want", "is NULL");
    st = pshi_want_check(want, err);
    if (st != PSH_OK)
        return st;
    st = push_want(w, want);
    if (st != PSH_OK)
        return pshi_fail(err, st, "", psh_status_text(st));
    if (want->definition)
        psh_query_ref(want->definition);
    return PSH_OK;
}

size_t psh_wants_count(const psh_wants *w) {
    return w->count;
}

psh_status psh_wants_get(const psh_wants *w, size_t i, psh_want *out) {
    if (i >= w->count)
        return PSH_E_NOT_FOUND;
    *out = w->items[i];
    return PSH_OK;
}

static void encode_wants(pshi_writer *w, const void *value) {
    const psh_wants *wants = value;
    size_t i;

    pshi_put_var(w, wants->count);
    for (i = 0; i < wants->count; i++)
        pshi_want_put(w, &wants->items[i]);
}

psh_status psh_wants_save(const psh_wants *w, psh_buffer *out) {
    return pshi_frame_save(out, PSHI_KIND_WANTS, encode_wants, w);
}

static psh_status decode_wants(
    psh_wants *w, psh_schema *schema, pshi_cursor *c, size_t max_bytes, psh_error *err) {
    size_t n = pshi_get_count(c, PSHI_WANT_LEAST), i;
    psh_status st = pshi_load_fits(max_bytes, n, sizeof(psh_want), err);
    psh_want want;

    for (i = 0; st == PSH_OK && i < n; i++) {
        st = pshi_want_get(w->env, schema, c, &want, err);
        if (st != PSH_OK)
            break;
        st = push_want(w, &want);
        if (st != PSH_OK)
            psh_query_unref(want.definition);
    }
    if (st == PSH_OK && pshi_read_end(c) != PSH_OK)
        st = pshi_fail(err, PSH_E_CORRUPT, "data", "damaged, or bytes follow the last want");
    return st;
}

psh_status psh_wants_load(
    psh_env *env, psh_schema *schema, const void *data, size_t size, size_t max_bytes, psh_wants **out,
    psh_error *err) {
    pshi_frame frame;
    pshi_cursor c;
    psh_wants *w = NULL;
    psh_status st;

    if (!out || !env || !schema)
        return pshi_fail(err, PSH_E_INVALID, "schema", "env, schema and out are needed");
    *out = NULL;
    st = pshi_frame_load(env, data, size, PSHI_KIND_WANTS, max_bytes, &frame, &c, err);
    if (st != PSH_OK)
        return st;
    st = psh_wants_create(env, &w);
    if (st == PSH_OK)
        st = decode_wants(w, schema, &c, max_bytes, err);
    pshi_frame_close(&frame);
    if (st == PSH_OK)
        *out = w;
    else
        psh_wants_destroy(w);
    return st;
}

psh_status psh_wants_dump(const psh_wants *w, psh_buffer *out) {
    pshi_writer text = pshi_write(out);
    size_t i;

    if (!w)
        return PSH_E_INVALID;
    pshi_text(&text, "wants ");
    pshi_text_u64(&text, w->count);
    pshi_text(&text, "\n");
    for (i = 0; i < w->count; i++) {
        pshi_want_text(&text, &w->items[i]);
        pshi_text(&text, "\n");
    }
    return pshi_write_end(&text);
}
