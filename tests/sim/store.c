/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sim_entry *find_entry(sim_store *s, const char *key) {
    size_t i;

    for (i = 0; i < s->count; i++)
        if (strcmp(s->entries[i].key, key) == 0)
            return &s->entries[i];
    return NULL;
}

static psh_status kv_get(void *user, const char *key, psh_buffer *out, uint64_t *version) {
    sim_store *s = user;
    sim_entry *e = find_entry(s, key);

    if (s->fate(s->user, 0) != SIM_WELL)
        return PSH_E_HOST;
    if (!e)
        return PSH_E_NOT_FOUND;
    *version = e->version;
    return psh_buffer_append(out, e->data, e->size);
}

static psh_status kv_set(
    void *user, const char *key, uint64_t expected, const void *data, size_t size, uint64_t *version) {
    sim_store *s = user;
    sim_entry *e;
    uint32_t fate = s->fate(s->user, 1);

    if (fate == SIM_REFUSED)
        return PSH_E_HOST;
    e = find_entry(s, key);
    if ((e ? e->version : 0) != expected)
        return PSH_E_CONFLICT;
    if (!e) {
        if (s->count == SIM_KEYS)
            return PSH_E_LIMIT;
        e = &s->entries[s->count++];
        memset(e, 0, sizeof *e);
        snprintf(e->key, sizeof e->key, "%s", key);
    }
    free(e->data);
    e->data = malloc(size ? size : 1);
    if (!e->data)
        abort();
    memcpy(e->data, data, size);
    e->size = size;
    *version = e->version = ++s->versions;
    return fate == SIM_UNHEARD ? PSH_E_HOST : PSH_OK;
}

static psh_status kv_remove(void *user, const char *key, uint64_t expected) {
    sim_store *s = user;
    sim_entry *e = find_entry(s, key);

    if (s->fate(s->user, 0) != SIM_WELL)
        return PSH_E_HOST;
    if (!e)
        return PSH_E_NOT_FOUND;
    if (e->version != expected)
        return PSH_E_CONFLICT;
    free(e->data);
    *e = s->entries[--s->count];
    return PSH_OK;
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const sim_entry *)a)->key, ((const sim_entry *)b)->key);
}

static psh_status kv_list(
    void *user, const char *prefix, psh_status (*each)(void *each_user, const char *key, uint64_t version),
    void *each_user) {
    sim_store *s = user;
    psh_status st = PSH_OK;
    size_t i;

    qsort(s->entries, s->count, sizeof *s->entries, by_key);
    for (i = 0; st == PSH_OK && i < s->count; i++)
        if (strncmp(s->entries[i].key, prefix, strlen(prefix)) == 0)
            st = each(each_user, s->entries[i].key, s->entries[i].version);
    return st;
}

void sim_store_kv(sim_store *s, psh_kv *kv) {
    memset(kv, 0, sizeof *kv);
    kv->struct_size = sizeof *kv;
    kv->version = PSH_KV_VERSION;
    kv->user = s;
    kv->get = kv_get;
    kv->compare_and_set = kv_set;
    kv->remove = kv_remove;
    kv->list = kv_list;
}

void sim_store_free(sim_store *s) {
    while (s->count)
        free(s->entries[--s->count].data);
}
