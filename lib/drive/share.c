/* SPDX-License-Identifier: MIT */
/* Options, creation, and what needs the root alone. */
#include "drive/share.h"

#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/options.h"

static const psh_share_options share_defaults = {
    .struct_size = sizeof share_defaults,
    .prefix = "predshard",
    .owner = "one",
    .lease_ns = 30 * PSH_SECOND,
    .max_blob_bytes = 64 << 10,
    .max_bytes = UINT64_C(1) << 30,
    .max_retries = 16,
    .keep_epochs = 16,
};

psh_status psh_share_options_init(psh_share_options *o, uint32_t size) {
    return pshi_options_out(o, size, &share_defaults, sizeof share_defaults);
}

static int is_share_name(const char *name) {
    size_t n = name ? strlen(name) : 0;

    return n >= 1 && n <= PSHI_SHARE_MAX_NAME && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

static psh_status check_share_options(const psh_share_options *o, psh_error *err) {
    if (o->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "a flag that this build does not know");
    if (!is_share_name(o->prefix))
        return pshi_fail(err, PSH_E_INVALID, "prefix", "must be 1 to 64 of [a-z0-9._-]");
    if (!is_share_name(o->owner))
        return pshi_fail(err, PSH_E_INVALID, "owner", "must be 1 to 64 of [a-z0-9._-]");
    if (o->lease_ns <= 0)
        return pshi_fail(err, PSH_E_INVALID, "lease_ns", "must be > 0");
    if (o->max_blob_bytes < 4096 || o->max_blob_bytes > PSHI_SHARE_MAX_BLOB)
        return pshi_fail(err, PSH_E_INVALID, "max_blob_bytes", "must be 4096..2^30");
    if (!o->max_bytes || o->max_bytes > SIZE_MAX / 2)
        return pshi_fail(err, PSH_E_INVALID, "max_bytes", "must be > 0 and fit in memory");
    if (o->max_retries < 1 || o->max_retries > 1000)
        return pshi_fail(err, PSH_E_INVALID, "max_retries", "must be 1..1000");
    if (o->keep_epochs < 1 || o->keep_epochs > PSHI_SHARE_MAX_KEEP)
        return pshi_fail(err, PSH_E_INVALID, "keep_epochs", "must be 1..1024");
    return PSH_OK;
}

static psh_status copy_share_kv(psh_kv *to, const psh_kv *from, psh_error *err) {
    psh_status st = pshi_options_copy(to, sizeof *to, from, err);

    if (st != PSH_OK)
        return st;
    if (to->version != PSH_KV_VERSION)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "kv.version", "not the version of this build");
    if (!to->get || !to->compare_and_set)
        return pshi_fail(err, PSH_E_INVALID, "kv", "get and compare_and_set are required");
    return PSH_OK;
}

static psh_status fill_share(psh_share *s, const psh_share_options *o, const psh_kv *kv, psh_error *err) {
    psh_status st = o ? pshi_options_copy(&s->o, sizeof s->o, o, err) : PSH_OK;

    if (st == PSH_OK)
        st = check_share_options(&s->o, err);
    if (st == PSH_OK)
        st = copy_share_kv(&s->kv, kv, err);
    if (st != PSH_OK)
        return st;
    strcpy(s->prefix, s->o.prefix);
    strcpy(s->owner, s->o.owner);
    s->o.prefix = s->prefix;
    s->o.owner = s->owner;
    s->stats.struct_size = sizeof s->stats;
    st = psh_buffer_create(s->env, &s->in);
    if (st == PSH_OK)
        st = psh_buffer_create(s->env, &s->out);
    if (st == PSH_OK)
        st = psh_schema_save(s->schema, s->out);
    if (st != PSH_OK)
        return pshi_fail(err, st, "schema", psh_status_text(st));
    s->schema_hash = pshi_hash(psh_buffer_data(s->out), psh_buffer_size(s->out));
    return PSH_OK;
}

psh_status psh_share_create(
    psh_env *env, psh_schema *schema, const psh_kv *kv, const psh_share_options *o, psh_share **out,
    psh_error *err) {
    psh_share *s;
    psh_status st;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env || !schema || !kv)
        return pshi_fail(err, PSH_E_INVALID, env ? schema ? "kv" : "schema" : "env", "is NULL");
    s = pshi_calloc(env, 1, sizeof *s);
    if (!s)
        return pshi_share_nomem(err);
    s->env = env;
    s->schema = psh_schema_ref(schema);
    s->o = share_defaults;
    st = fill_share(s, o, kv, err);
    if (st != PSH_OK) {
        psh_share_destroy(s);
        return st;
    }
    *out = s;
    return PSH_OK;
}

void psh_share_destroy(psh_share *s) {
    if (!s)
        return;
    pshi_holding_free(s, &s->held);
    psh_world_unref(s->world);
    psh_buffer_destroy(s->in);
    psh_buffer_destroy(s->out);
    psh_schema_unref(s->schema);
    pshi_free(s->env, s);
}

psh_status pshi_share_enter(psh_share *s, psh_error *err) {
    if (!s)
        return pshi_fail(err, PSH_E_INVALID, "share", "is NULL");
    if (s->busy)
        return pshi_fail(err, PSH_E_REENTRANT, "share", "called from inside one of its callbacks");
    s->busy = 1;
    return PSH_OK;
}

psh_status pshi_share_leave(psh_share *s, psh_status st) {
    s->busy = 0;
    return st;
}

static psh_status check_epoch(psh_share *s, uint64_t epoch, uint64_t *current, psh_error *err) {
    pshi_share_root root;
    psh_status st = pshi_share_read_root(s, &root, err);

    if (st != PSH_OK)
        return st;
    pshi_share_root_free(s, &root);
    if (current)
        *current = root.now.epoch;
    if (!root.now.epoch)
        return pshi_fail(err, PSH_E_NOT_FOUND, "root", "nothing was published yet");
    if (epoch < root.now.epoch)
        return pshi_fail(err, PSH_E_CONFLICT, "epoch", "the shared world is newer: catch up");
    return PSH_OK;
}

psh_status psh_share_check(psh_share *s, uint64_t epoch, uint64_t *current, psh_error *err) {
    psh_status st = pshi_share_enter(s, err);

    return st == PSH_OK ? pshi_share_leave(s, check_epoch(s, epoch, current, err)) : st;
}

psh_status psh_share_get_stats(const psh_share *s, psh_share_stats *out) {
    return s && out ? pshi_struct_out(out, &s->stats, sizeof s->stats) : PSH_E_INVALID;
}
