/* SPDX-License-Identifier: MIT */
/* One action: check, deep copy, bytes. */
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/hash.h"
#include "value/plan.h"
#include "value/wants.h"

#define NODE_DOMAIN UINT64_C(0x65646f6e)
#define ACTION_DOMAIN UINT64_C(0x6e6f69746361) /* tells these hashes from those of other ids */

uint64_t psh_action_id(uint32_t kind, uint64_t subject, uint64_t generation) {
    unsigned char key[20];
    size_t i;

    for (i = 0; i < 4; i++)
        key[i] = (unsigned char)(kind >> (8 * i));
    for (i = 0; i < 8; i++) {
        key[4 + i] = (unsigned char)(subject >> (8 * i));
        key[12 + i] = (unsigned char)(generation >> (8 * i));
    }
    return pshi_nonzero(pshi_hash_seed(key, sizeof key, ACTION_DOMAIN));
}

uint64_t psh_node_subject(uint32_t node) {
    unsigned char key[4];
    size_t i;

    for (i = 0; i < 4; i++)
        key[i] = (unsigned char)(node >> (8 * i));
    return pshi_nonzero(pshi_hash_seed(key, sizeof key, NODE_DOMAIN));
}

int pshi_action_is_view(uint32_t kind) {
    return kind == PSH_ACT_BUILD_VIEW || kind == PSH_ACT_DROP_VIEW;
}

psh_status pshi_action_check(const psh_action *a, psh_error *err) {
    psh_status st = pshi_want_check(&a->want, err);

    if (st != PSH_OK)
        return st;
    if (a->id != psh_action_id(a->want.kind, a->want.subject, a->want.generation))
        return pshi_fail(err, PSH_E_INVALID, "id", "is not psh_action_id of kind, subject and generation");
    if (a->after_count && !a->after)
        return pshi_fail(err, PSH_E_INVALID, "after", "is NULL, but after_count is not 0");
    return PSH_OK;
}

int pshi_action_is_of_partition(uint32_t kind) {
    return !pshi_action_is_view(kind) && kind != PSH_ACT_ADD_NODE && kind != PSH_ACT_RELEASE_NODE;
}

void pshi_action_free(psh_env *env, pshi_action *a) {
    psh_query_unref(a->pub.want.definition);
    pshi_free(env, a->after);
    pshi_free(env, a->name);
    pshi_free(env, a->reason);
    memset(a, 0, sizeof *a);
}

static void point_inside(pshi_action *a) {
    a->pub.after = a->after;
    a->pub.name = a->name;
    a->pub.reason = a->reason;
}

psh_status pshi_action_copy(psh_env *env, const psh_action *from, pshi_action *out) {
    size_t bytes = 0;

    memset(out, 0, sizeof *out);
    if (__builtin_mul_overflow(from->after_count, sizeof *out->after, &bytes))
        return PSH_E_NOMEM;
    out->pub = *from;
    if (from->want.definition)
        psh_query_ref(from->want.definition);
    out->after = pshi_alloc(env, bytes);
    out->name = pshi_strdup(env, from->name ? from->name : "");
    out->reason = pshi_strdup(env, from->reason ? from->reason : "");
    if (!out->after || !out->name || !out->reason) {
        pshi_action_free(env, out);
        return PSH_E_NOMEM;
    }
    if (bytes)
        memcpy(out->after, from->after, bytes);
    point_inside(out);
    return PSH_OK;
}

void pshi_action_put(pshi_writer *w, const psh_action *a) {
    size_t i;

    pshi_put_u64(w, a->id);
    pshi_put_var(w, a->fence);
    pshi_want_put(w, &a->want);
    pshi_put_var(w, a->after_count);
    for (i = 0; i < a->after_count; i++)
        pshi_put_u64(w, a->after[i]);
    pshi_put_str(w, a->name ? a->name : "");
    pshi_put_str(w, a->reason ? a->reason : "");
    pshi_put_var(w, a->from_node);
    pshi_put_var(w, a->from_tier);
}

static psh_status get_action_text(psh_env *env, pshi_cursor *c, char **out) {
    psh_bytes b = pshi_get_blob(c);
    char *text;

    if (c->status != PSH_OK || (b.size && memchr(b.data, '\0', b.size)))
        return PSH_E_CORRUPT;
    text = pshi_alloc(env, b.size + 1);
    if (!text)
        return PSH_E_NOMEM;
    if (b.size)
        memcpy(text, b.data, b.size);
    text[b.size] = '\0';
    *out = text;
    return PSH_OK;
}

static psh_status get_after(psh_env *env, pshi_cursor *c, pshi_action *out) {
    size_t n = pshi_get_count(c, 8), i;

    if (c->status != PSH_OK)
        return PSH_E_CORRUPT;
    out->after = pshi_alloc(env, n * sizeof *out->after);
    if (!out->after)
        return PSH_E_NOMEM;
    for (i = 0; i < n; i++)
        out->after[i] = pshi_get_u64(c);
    out->pub.after_count = n;
    return PSH_OK;
}

psh_status pshi_action_get(psh_env *env, psh_schema *schema, pshi_cursor *c, pshi_action *out, psh_error *err) {
    psh_status st;

    memset(out, 0, sizeof *out);
    out->pub.id = pshi_get_u64(c);
    out->pub.fence = pshi_get_var(c);
    st = pshi_want_get(env, schema, c, &out->pub.want, err);
    if (st != PSH_OK) {
        pshi_action_free(env, out);
        return st;
    }
    st = get_after(env, c, out);
    if (st == PSH_OK)
        st = get_action_text(env, c, &out->name);
    if (st == PSH_OK)
        st = get_action_text(env, c, &out->reason);
    out->pub.from_node = pshi_get_var32(c);
    out->pub.from_tier = pshi_get_var32(c);
    point_inside(out);
    if (st == PSH_OK && (c->status != PSH_OK || pshi_action_check(&out->pub, NULL) != PSH_OK))
        st = PSH_E_CORRUPT;
    if (st != PSH_OK) {
        pshi_action_free(env, out);
        return pshi_fail(err, st, "action", psh_status_text(st));
    }
    return PSH_OK;
}
