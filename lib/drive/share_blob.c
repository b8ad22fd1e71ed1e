/* SPDX-License-Identifier: MIT */
/* Blobs in memory, and all those of one world. */
#include <string.h>

#include "base/env.h"
#include "base/hash.h"
#include "drive/share.h"

int pshi_digest_order(const pshi_digest *a, const pshi_digest *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

pshi_blob *pshi_blob_create(psh_share *s, uint32_t type, const void *data, size_t size) {
    pshi_blob *b = pshi_alloc(s->env, sizeof *b + size);

    if (!b)
        return NULL;
    memset(b, 0, sizeof *b);
    b->refs = 1;
    b->type = type;
    b->size = size;
    if (size)
        memcpy(b + 1, data, size);
    pshi_sha256(data, size, b->name.bytes);
    return b;
}

const unsigned char *pshi_blob_bytes(const pshi_blob *b) {
    return (const unsigned char *)(b + 1);
}

void pshi_blob_unref(psh_share *s, pshi_blob *b) {
    if (b && --b->refs == 0)
        pshi_free(s->env, b);
}

psh_status pshi_holding_add(psh_share *s, pshi_holding *h, pshi_blob *b) {
    void *items = h->blobs;
    psh_status st = pshi_reserve(s->env, &items, &h->capacity, h->count + 1, sizeof *h->blobs);

    h->blobs = items;
    if (st != PSH_OK) {
        pshi_blob_unref(s, b);
        return st;
    }
    h->blobs[h->count++] = b;
    return PSH_OK;
}

/* The first 8 bytes of a name, as an id. */
static uint64_t name_id(const pshi_digest *name) {
    uint64_t id;

    memcpy(&id, name->bytes, sizeof id);
    return pshi_nonzero(id);
}

psh_status pshi_holding_index(psh_share *s, pshi_holding *h) {
    psh_status st = pshi_idmap_reserve(s->env, &h->names, h->count);
    size_t i;

    if (st == PSH_OK)
        st = pshi_idmap_reserve(s->env, &h->keys, h->data_count);
    for (i = 0; st == PSH_OK && i < h->count; i++) {
        st = pshi_idmap_put(s->env, &h->names, name_id(&h->blobs[i]->name), (uint32_t)i);
        if (st == PSH_OK && i < h->data_count && h->blobs[i]->key)
            st = pshi_idmap_put(s->env, &h->keys, h->blobs[i]->key, (uint32_t)i);
    }
    return st;
}

pshi_blob *pshi_holding_at(const pshi_holding *h, uint64_t key) {
    uint32_t i = key ? pshi_idmap_find(&h->keys, key) : PSH_NONE;

    return i == PSH_NONE ? NULL : h->blobs[i];
}

/* Of two names that begin alike one is not found: it is read, or written, again. */
pshi_blob *pshi_holding_find(const pshi_holding *h, const pshi_digest *name) {
    uint32_t i = pshi_idmap_find(&h->names, name_id(name));

    return i != PSH_NONE && pshi_digest_order(&h->blobs[i]->name, name) == 0 ? h->blobs[i] : NULL;
}

void pshi_holding_free(psh_share *s, pshi_holding *h) {
    size_t i;

    for (i = 0; i < h->count; i++)
        pshi_blob_unref(s, h->blobs[i]);
    pshi_free(s->env, h->blobs);
    pshi_idmap_free(s->env, &h->names);
    pshi_idmap_free(s->env, &h->keys);
    memset(h, 0, sizeof *h);
}
