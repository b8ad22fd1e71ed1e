/* SPDX-License-Identifier: MIT */
#include "drive/driver.h"

#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "codec/xz.h"

static const psh_driver_options driver_defaults = {
    .struct_size = sizeof driver_defaults,
    .max_attempts = 5,
    .max_in_flight = 64,
    .retry_ns = PSH_SECOND,
    .timeout_ns = PSH_HOUR,
    .max_actions = 65536,
    .done_memory = 65536,
    .prefix = "predshard/",
    .batch_bytes = UINT64_C(8) << 20,
};

psh_status psh_driver_options_init(psh_driver_options *o, uint32_t size) {
    return pshi_options_out(o, size, &driver_defaults, sizeof driver_defaults);
}

int pshi_name_is_plain(const char *name) {
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789/._-")] == '\0';
}

psh_status pshi_host_status(psh_error *err, psh_status returned, const char *callback) {
    return returned == PSH_OK ? PSH_OK : pshi_fail_host(err, returned, callback);
}

static psh_status check_driver_options(const psh_driver_options *o, psh_error *err) {
    if (o->flags & ~PSH_DRIVER_COMPRESS)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "a flag that this build does not know");
    if (o->flags & PSH_DRIVER_COMPRESS && !pshi_xz_available())
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "this build has no liblzma to compress with");
    if (!o->max_attempts || !o->max_in_flight || !o->done_memory)
        return pshi_fail(err, PSH_E_INVALID, "options", "max_attempts, max_in_flight and done_memory must be > 0");
    if (!o->max_actions || o->max_actions > UINT32_C(1) << 24)
        return pshi_fail(err, PSH_E_INVALID, "max_actions", "must be 1..2^24");
    if (o->retry_ns < 0 || o->timeout_ns <= 0)
        return pshi_fail(err, PSH_E_INVALID, "retry_ns", "must be >= 0, timeout_ns > 0");
    if (!o->batch_bytes || o->batch_bytes > SIZE_MAX / 2)
        return pshi_fail(err, PSH_E_INVALID, "batch_bytes", "must be > 0 and fit in memory");
    if (!o->prefix || strlen(o->prefix) > 128 || !pshi_name_is_plain(o->prefix))
        return pshi_fail(err, PSH_E_INVALID, "prefix", "must be at most 128 bytes of [a-z0-9/._-]");
    return PSH_OK;
}

static psh_status copy_storage(psh_storage *to, const psh_storage *from, psh_error *err) {
    psh_status st;

    if (!from)
        return pshi_fail(err, PSH_E_INVALID, "storage", "is NULL");
    st = pshi_options_copy(to, sizeof *to, from, err);
    if (st != PSH_OK)
        return st;
    if (to->version != PSH_STORAGE_VERSION)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "storage.version", "not the version of this build");
    if (!to->get || !to->commit || !to->submit)
        return pshi_fail(err, PSH_E_INVALID, "storage", "get, commit and submit are required");
    return PSH_OK;
}

static psh_status copy_cdc(psh_cdc *to, const psh_cdc *from, psh_error *err) {
    psh_status st = pshi_options_copy(to, sizeof *to, from, err);

    if (st != PSH_OK)
        return st;
    if (to->version != PSH_CDC_VERSION)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "cdc.version", "not the version of this build");
    if (!to->state || !to->poll)
        return pshi_fail(err, PSH_E_INVALID, "cdc", "state and poll are required");
    return PSH_OK;
}

static psh_status copy_kv(psh_kv *to, const psh_kv *from, psh_error *err) {
    psh_status st = pshi_options_copy(to, sizeof *to, from, err);

    if (st != PSH_OK)
        return st;
    if (to->version != PSH_KV_VERSION)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "kv.version", "not the version of this build");
    if (!to->get || !to->compare_and_set)
        return pshi_fail(err, PSH_E_INVALID, "kv", "get and compare_and_set are required");
    return PSH_OK;
}

static psh_status copy_tables(
    psh_driver *d, const psh_storage *storage, const psh_cdc *cdc, const psh_kv *kv, psh_error *err) {
    psh_status st = copy_storage(&d->storage, storage, err);

    if (st == PSH_OK && cdc)
        st = copy_cdc(&d->cdc, cdc, err);
    if (st == PSH_OK && kv)
        st = copy_kv(&d->kv, kv, err);
    d->has_cdc = cdc != NULL;
    d->has_kv = kv != NULL;
    d->fence = kv ? 0 : 1;
    return st;
}

psh_status psh_driver_create(
    psh_env *env, psh_schema *schema, const psh_driver_options *o, const psh_storage *storage,
    const psh_cdc *cdc, const psh_kv *kv, psh_driver **out, psh_error *err) {
    psh_driver *d;
    psh_status st = PSH_OK;

    if (!out)
        return pshi_fail(err, PSH_E_INVALID, "out", "is NULL");
    *out = NULL;
    if (!env || !schema)
        return pshi_fail(err, PSH_E_INVALID, env ? "schema" : "env", "is NULL");
    d = pshi_calloc(env, 1, sizeof *d);
    if (!d)
        return pshi_fail(err, PSH_E_NOMEM, "driver", psh_status_text(PSH_E_NOMEM));
    d->env = env;
    d->schema = psh_schema_ref(schema);
    d->options = driver_defaults;
    if (o)
        st = pshi_options_copy(&d->options, sizeof d->options, o, err);
    if (st == PSH_OK)
        st = check_driver_options(&d->options, err);
    if (st == PSH_OK)
        st = copy_tables(d, storage, cdc, kv, err);
    if (st == PSH_OK) {
        d->prefix = pshi_strdup(env, d->options.prefix);
        d->options.prefix = d->prefix;
        if (!d->prefix)
            st = pshi_fail(err, PSH_E_NOMEM, "prefix", psh_status_text(PSH_E_NOMEM));
    }
    if (st != PSH_OK) {
        psh_driver_destroy(d);
        return st;
    }
    *out = d;
    return PSH_OK;
}

void psh_driver_destroy(psh_driver *d) {
    if (!d)
        return;
    pshi_tasks_free(d->env, &d->tasks);
    psh_change_batch_destroy(d->scratch);
    psh_schema_unref(d->schema);
    pshi_free(d->env, d->prefix);
    pshi_free(d->env, d);
}

psh_status pshi_driver_name(const psh_driver *d, const char *what, psh_buffer **out) {
    psh_status st = psh_buffer_create(d->env, out);

    if (st == PSH_OK)
        st = psh_buffer_append(*out, d->prefix, strlen(d->prefix));
    if (st == PSH_OK)
        st = psh_buffer_append(*out, what, strlen(what));
    return st;
}

/* The fence in the key-value store: 8 bytes, little-endian; absent = 0. */
static psh_status read_fence(
    psh_driver *d, const char *key, psh_buffer *scratch, uint64_t *fence, uint64_t *version, psh_error *err) {
    psh_status st = d->kv.get(d->kv.user, key, scratch, version);
    pshi_cursor c;

    *fence = 0;
    if (st == PSH_E_NOT_FOUND) {
        *version = 0;
        return PSH_OK;
    }
    if (st != PSH_OK)
        return pshi_host_status(err, st, "kv.get");
    c = pshi_read(psh_buffer_data(scratch), psh_buffer_size(scratch));
    *fence = pshi_get_u64(&c);
    if (pshi_read_end(&c) != PSH_OK || *fence == UINT64_MAX)
        return pshi_fail(err, PSH_E_CORRUPT, "kv.get", "the fence is not 8 bytes below 2^64 - 1");
    return PSH_OK;
}

/* To *fence, or where that is 0 to the next one, which it receives. */
static psh_status raise_fence(
    psh_driver *d, const char *key, psh_buffer *scratch, uint64_t *fence, psh_error *err) {
    uint64_t version = 0, stored = 0;
    psh_status st = read_fence(d, key, scratch, &stored, &version, err);
    pshi_writer w;

    if (st != PSH_OK)
        return st;
    if (*fence && *fence < stored)
        return pshi_fail(err, PSH_E_FENCED, "fence", psh_status_text(PSH_E_FENCED));
    if (*fence && *fence == stored)
        return PSH_OK;
    if (!*fence)
        *fence = (stored > d->fence ? stored : d->fence) + 1;
    psh_buffer_clear(scratch);
    w = pshi_write(scratch);
    pshi_put_u64(&w, *fence);
    st = pshi_write_end(&w);
    if (st != PSH_OK)
        return pshi_fail(err, st, "kv", psh_status_text(st));
    st = d->kv.compare_and_set(d->kv.user, key, version, psh_buffer_data(scratch), 8, &version);
    return pshi_host_status(err, st, "kv.compare_and_set");
}

psh_status pshi_driver_check_fence(psh_driver *d, psh_error *err) {
    psh_buffer *key = NULL, *scratch = NULL;
    uint64_t fence = 0, version = 0;
    psh_status st;

    if (!d->has_kv)
        return PSH_OK;
    d->busy = 1;
    st = pshi_driver_name(d, "fence", &key);
    if (st == PSH_OK)
        st = psh_buffer_create(d->env, &scratch);
    if (st != PSH_OK)
        pshi_fail(err, st, "kv", psh_status_text(st));
    else
        st = read_fence(d, psh_buffer_data(key), scratch, &fence, &version, err);
    d->busy = 0;
    psh_buffer_destroy(key);
    psh_buffer_destroy(scratch);
    if (st == PSH_OK && fence > d->fence)
        st = pshi_fail(err, PSH_E_FENCED, "driver", psh_status_text(PSH_E_FENCED));
    return st;
}

/* Leads under *fence, or where that is 0 under the next one. */
static psh_status take_fence(psh_driver *d, uint64_t *fence, psh_error *err) {
    psh_buffer *key = NULL, *scratch = NULL;
    psh_status st;

    d->busy = 1;
    st = pshi_driver_name(d, "fence", &key);
    if (st == PSH_OK)
        st = psh_buffer_create(d->env, &scratch);
    if (st != PSH_OK)
        pshi_fail(err, st, "kv", psh_status_text(st));
    else
        st = raise_fence(d, psh_buffer_data(key), scratch, fence, err);
    d->busy = 0;
    psh_buffer_destroy(key);
    psh_buffer_destroy(scratch);
    if (st != PSH_OK)
        return st;
    d->fence = *fence;
    d->fenced = 0;
    return PSH_OK;
}

psh_status psh_driver_lead(psh_driver *d, uint64_t *fence, psh_error *err) {
    uint64_t next = 0;
    psh_status st = PSH_OK;

    if (!d)
        return pshi_fail(err, PSH_E_INVALID, "driver", "is NULL");
    if (d->busy)
        return pshi_fail(err, PSH_E_REENTRANT, "driver", "called from inside one of its callbacks");
    if (d->has_kv)
        st = take_fence(d, &next, err);
    if (st != PSH_OK)
        return st;
    d->fenced = 0;
    if (fence)
        *fence = d->fence;
    return PSH_OK;
}

psh_status psh_driver_set_fence(psh_driver *d, uint64_t fence, psh_error *err) {
    if (!d)
        return pshi_fail(err, PSH_E_INVALID, "driver", "is NULL");
    if (d->busy)
        return pshi_fail(err, PSH_E_REENTRANT, "driver", "called from inside one of its callbacks");
    if (!fence || fence == UINT64_MAX)
        return pshi_fail(err, PSH_E_INVALID, "fence", "must be 1..2^64 - 2");
    if (fence < d->fence)
        return pshi_fail(err, PSH_E_FENCED, "fence", psh_status_text(PSH_E_FENCED));
    if (d->has_kv)
        return take_fence(d, &fence, err);
    d->fence = fence;
    d->fenced = 0;
    return PSH_OK;
}

uint64_t psh_driver_fence(const psh_driver *d) {
    return d ? d->fence : 0;
}

uint64_t psh_driver_cursor(const psh_driver *d) {
    return d ? d->cursor : 0;
}

psh_status psh_driver_scan(
    psh_driver *d, const psh_scan *scan, psh_row_sink sink, void *sink_user, psh_scan_result *result,
    psh_error *err) {
    psh_scan_result got = { .struct_size = sizeof got };
    psh_status st;

    if (!d || !scan || !sink || !result)
        return pshi_fail(err, PSH_E_INVALID, "scan", "an argument is NULL");
    if (d->busy)
        return pshi_fail(err, PSH_E_REENTRANT, "driver", "called from inside one of its callbacks");
    if (!d->storage.scan)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "storage.scan", "this host cannot scan");
    d->busy = 1;
    st = d->storage.scan(d->storage.user, scan, sink, sink_user, &got);
    d->busy = 0;
    if (st != PSH_OK)
        return pshi_host_status(err, st, "storage.scan");
    return pshi_struct_out(result, &got, sizeof got);
}

psh_status psh_driver_health(psh_driver *d, uint32_t node, uint32_t tier, psh_health *out, psh_error *err) {
    psh_health got = { .struct_size = sizeof got };
    psh_status st;

    if (!d || !out)
        return pshi_fail(err, PSH_E_INVALID, "out", "an argument is NULL");
    if (d->busy)
        return pshi_fail(err, PSH_E_REENTRANT, "driver", "called from inside one of its callbacks");
    if (!d->storage.health)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "storage.health", "this host tells no health");
    d->busy = 1;
    st = d->storage.health(d->storage.user, node, tier, &got);
    d->busy = 0;
    if (st != PSH_OK)
        return pshi_host_status(err, st, "storage.health");
    return pshi_struct_out(out, &got, sizeof got);
}

psh_status psh_driver_get_stats(const psh_driver *d, psh_driver_stats *out) {
    return d && out ? pshi_struct_out(out, &d->stats, sizeof d->stats) : PSH_E_INVALID;
}
