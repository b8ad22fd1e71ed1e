/* SPDX-License-Identifier: MIT */
/* Keys and callbacks of the store. Nothing else in a share calls the host, but for list, remove and watch. */
#include <string.h>

#include "base/error.h"
#include "drive/share.h"

const char *pshi_share_key(psh_share *s, const char *what) {
    strcpy(s->key, s->prefix);
    strcat(s->key, "/");
    strcat(s->key, what);
    return s->key;
}

const char *pshi_share_blob_key(psh_share *s, const pshi_digest *name) {
    static const char digits[] = "0123456789abcdef";
    char *to;
    size_t i;

    pshi_share_key(s, "blob/");
    to = s->key + strlen(s->key);
    for (i = 0; i < sizeof name->bytes; i++) {
        *to++ = digits[name->bytes[i] >> 4];
        *to++ = digits[name->bytes[i] & 15];
    }
    *to = '\0';
    return s->key;
}

psh_status pshi_share_nomem(psh_error *err) {
    return pshi_fail(err, PSH_E_NOMEM, "share", psh_status_text(PSH_E_NOMEM));
}

psh_status pshi_share_lost(psh_error *err, const char *field) {
    return pshi_fail(err, PSH_E_CONFLICT, field, "lost the race for it max_retries times");
}

/* What a store answers must not pass for an answer of ours, e.g. that another leads. */
psh_status pshi_share_host(psh_error *err, psh_status returned, const char *callback) {
    psh_status st = returned == PSH_E_NOMEM ? PSH_E_NOMEM : PSH_E_HOST;

    (void)pshi_fail_host(err, returned, callback);
    if (err && err->struct_size >= 8)
        err->code = st;
    return st;
}

psh_status pshi_share_get(psh_share *s, uint64_t *version, psh_error *err) {
    psh_status st;

    psh_buffer_clear(s->in);
    *version = 0;
    st = s->kv.get(s->kv.user, s->key, s->in, version);
    if (st == PSH_E_NOT_FOUND) {
        *version = 0;
        return st;
    }
    if (st != PSH_OK)
        return pshi_share_host(err, st, "kv.get");
    if (!*version)
        return pshi_fail(err, PSH_E_HOST, "kv.get", "gave a value without a version");
    s->stats.bytes_read += psh_buffer_size(s->in);
    return PSH_OK;
}

psh_status pshi_share_set(psh_share *s, uint64_t expected, const void *data, size_t size, psh_error *err) {
    uint64_t version = 0;
    psh_status st = s->kv.compare_and_set(s->kv.user, s->key, expected, data, size, &version);

    if (st == PSH_E_CONFLICT)
        return st;
    if (st != PSH_OK)
        return pshi_share_host(err, st, "kv.compare_and_set");
    s->stats.bytes_written += size;
    return PSH_OK;
}
