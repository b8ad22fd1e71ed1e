/* SPDX-License-Identifier: MIT */
#include "memory_keys.h"

#include <string.h>

static psh_status kv_get(void *user, const char *key, psh_buffer *out, uint64_t *version) {
    memory_keys *k = user;
    int found;
    size_t i;

    if (k->must_fail(k->host))
        return PSH_E_HOST;
    i = memory_blob_place(&k->blobs, key, &found);
    if (!found)
        return PSH_E_NOT_FOUND;
    *version = k->blobs.items[i].version;
    return psh_buffer_append(out, k->blobs.items[i].data, k->blobs.items[i].size);
}

static psh_status kv_compare_and_set(
    void *user, const char *key, uint64_t expected, const void *data, size_t size, uint64_t *version) {
    memory_keys *k = user;
    memory_blob copy;
    int found;
    size_t i;

    if (k->must_fail(k->host))
        return PSH_E_HOST;
    i = memory_blob_place(&k->blobs, key, &found);
    if ((found ? k->blobs.items[i].version : 0) != expected)
        return PSH_E_CONFLICT;
    if (memory_blob_room(&k->blobs, 1) != PSH_OK || memory_blob_copy(key, data, size, &copy) != PSH_OK)
        return PSH_E_NOMEM;
    memory_blob_put(&k->blobs, copy.name, copy.data, size, ++k->version);
    *version = k->version;
    return PSH_OK;
}

static psh_status kv_remove(void *user, const char *key, uint64_t expected) {
    memory_keys *k = user;
    int found;
    size_t i;

    if (k->must_fail(k->host))
        return PSH_E_HOST;
    i = memory_blob_place(&k->blobs, key, &found);
    if (!found)
        return PSH_E_NOT_FOUND;
    if (k->blobs.items[i].version != expected)
        return PSH_E_CONFLICT;
    memory_blob_remove(&k->blobs, key);
    return PSH_OK;
}

static psh_status kv_list(
    void *user, const char *prefix, psh_status (*each)(void *each_user, const char *key, uint64_t version),
    void *each_user) {
    memory_keys *k = user;
    psh_status st = PSH_OK;
    int found;
    size_t i;

    if (k->must_fail(k->host))
        return PSH_E_HOST;
    for (i = memory_blob_place(&k->blobs, prefix, &found); st == PSH_OK && i < k->blobs.count; i++) {
        if (strncmp(k->blobs.items[i].name, prefix, strlen(prefix)) != 0)
            break;
        st = each(each_user, k->blobs.items[i].name, k->blobs.items[i].version);
    }
    return st;
}

/* Nobody else can write while its one thread waits here: there is nothing to wait for. */
static psh_status kv_watch(void *user, const char *key, uint64_t version, int64_t wait_ns) {
    memory_keys *k = user;
    int found;
    size_t i;

    (void)wait_ns;
    if (k->must_fail(k->host))
        return PSH_E_HOST;
    i = memory_blob_place(&k->blobs, key, &found);
    return (found ? k->blobs.items[i].version : 0) == version ? PSH_AGAIN : PSH_OK;
}

void memory_keys_table(memory_keys *k, psh_kv *kv) {
    memset(kv, 0, sizeof *kv);
    kv->struct_size = sizeof *kv;
    kv->version = PSH_KV_VERSION;
    kv->user = k;
    kv->get = kv_get;
    kv->compare_and_set = kv_compare_and_set;
    kv->remove = kv_remove;
    kv->list = kv_list;
    kv->watch = kv_watch;
}
