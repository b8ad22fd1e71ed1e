/* SPDX-License-Identifier: MIT */
/** @file drive/share.h  Inside a shared world: keys, blobs, pages of the manifest, the root and the lead. */
#ifndef PSHI_DRIVE_SHARE_H
#define PSHI_DRIVE_SHARE_H

#include <predshard/share.h>

#include "base/buffer.h"
#include "base/cursor.h"
#include "base/sha256.h"
#include "ds/idmap.h"

/* Types of the one section of each value in the store; numbers are never reused. */
#define PSHI_SHARE_LEAD 1u
#define PSHI_SHARE_ROOT 2u
#define PSHI_SHARE_PAGE 3u /* of the manifest */
#define PSHI_SHARE_PARTITIONS 4u
#define PSHI_SHARE_REPLICAS 5u
#define PSHI_SHARE_ASSIGNMENTS 6u
#define PSHI_SHARE_TIERS 7u
#define PSHI_SHARE_VIEWS 8u
#define PSHI_SHARE_VIEW_PARTS 9u

#define PSHI_SHARE_MAX_NAME 64u     /* of prefix and owner */
#define PSHI_SHARE_MAX_KEEP 1024u   /* epochs */
#define PSHI_SHARE_MAX_LEVELS 16u   /* of a manifest */
#define PSHI_SHARE_MAX_BLOB (UINT64_C(1) << 30)
#define PSHI_SHARE_KEY_SIZE 160u    /* prefix, "/blob/", 64 digits and a NUL fit */
#define PSHI_SHARE_OVERHEAD 64u     /* of a blob over its items: frame, section, count */

/** The SHA-256 of a blob's bytes. */
typedef struct pshi_digest {
    unsigned char bytes[PSHI_SHA256_BYTES];
} pshi_digest;

/** A blob in memory, shared by count within one psh_share. Its bytes lie behind it. */
typedef struct pshi_blob {
    uint32_t refs;
    uint32_t type;   /* PSHI_SHARE_PAGE and later */
    uint64_t items;  /* in it, as its manifest says */
    uint64_t key;    /* of its first item, for cutting pages; 0 where it was read, not made */
    pshi_digest name;
    size_t size;
} pshi_blob;

/** All blobs of one world. Zeroed is empty. */
typedef struct pshi_holding {
    pshi_blob **blobs; /* each a reference: those with items first, in the order of the world, then pages */
    size_t count, capacity;
    size_t data_count; /* of them with items */
    pshi_idmap names;  /* index: from the beginning of a name to the place in blobs, */
    pshi_idmap keys;   /* and from the key, where there is one */
    pshi_digest top;   /* name of the page that names the rest */
    int has_top;
} pshi_holding;

/** An epoch, its world's time, and the top page of its manifest. */
typedef struct pshi_epoch_name {
    uint64_t epoch;
    int64_t time;
    pshi_digest top;
} pshi_epoch_name;

/** What the root key says. epoch 0: led, but nothing was published yet. */
typedef struct pshi_share_root {
    uint64_t version;   /* the store's, 0 = there is no such key */
    uint64_t fence;
    uint64_t schema;    /* hash of the schema's bytes */
    pshi_epoch_name now;
    pshi_epoch_name *before; /* Shape [before_count]: newest first */
    size_t before_count;
} pshi_share_root;

/** What the lead key says. */
typedef struct pshi_share_lead {
    uint64_t version;   /* the store's, 0 = there is no such key */
    uint64_t fence;
    int64_t lease_end;
    char owner[PSHI_SHARE_MAX_NAME + 1]; /* empty: free */
} pshi_share_lead;

struct psh_share {
    psh_env *env;
    psh_schema *schema;
    psh_kv kv;
    psh_share_options o; /* prefix and owner point to the two below */
    char prefix[PSHI_SHARE_MAX_NAME + 1];
    char owner[PSHI_SHARE_MAX_NAME + 1];
    char key[PSHI_SHARE_KEY_SIZE]; /* the last one built */
    psh_buffer *in;      /* what kv.get gave last */
    psh_buffer *out;     /* what is written next */
    uint64_t schema_hash;
    int busy;            /* inside a call: its callbacks may not call back */
    int leads;
    uint64_t fence;      /* under which this process led last, 0 = never */
    int64_t lease_end;
    uint64_t root_fence; /* the highest seen in a root */
    pshi_holding held;   /* blobs of the last world seen or published */
    psh_world *world;    /* that world, where it is known; a reference */
    int distrust;        /* a blob in the store was found damaged: the next publication writes all anew */
    psh_share_stats stats;
};

/** Begins a call. @return PSH_OK (then leave it), PSH_E_INVALID (NULL), PSH_E_REENTRANT. */
psh_status pshi_share_enter(psh_share *s, psh_error *err);
/** @return st */
psh_status pshi_share_leave(psh_share *s, psh_status st);

/* Keys and callbacks. Each answers PSH_OK, PSH_E_NOMEM or PSH_E_HOST beside what is named. */

/** PREFIX/what into s->key. @return it. */
const char *pshi_share_key(psh_share *s, const char *what);
/** PREFIX/blob/HEX into s->key. @return it. */
const char *pshi_share_blob_key(psh_share *s, const pshi_digest *name);
/** A failed callback as an error of ours: PSH_E_NOMEM, else PSH_E_HOST. */
psh_status pshi_share_host(psh_error *err, psh_status returned, const char *callback);
/** Reads s->key into s->in. @return also PSH_E_NOT_FOUND, with *version = 0 and err untouched. */
psh_status pshi_share_get(psh_share *s, uint64_t *version, psh_error *err);
/** Writes s->key. @return also PSH_E_CONFLICT, with err untouched. */
psh_status pshi_share_set(psh_share *s, uint64_t expected, const void *data, size_t size, psh_error *err);
/** PSH_E_CONFLICT for a race that max_retries did not win. */
psh_status pshi_share_lost(psh_error *err, const char *field);
/** PSH_E_NOMEM with its text. */
psh_status pshi_share_nomem(psh_error *err);

/* Root and lead. */

/** Reads the root. Absent: zeroed, PSH_OK. Free it. @return also PSH_E_CORRUPT, PSH_E_NEWER. */
psh_status pshi_share_read_root(psh_share *s, pshi_share_root *root, psh_error *err);
/** Moves the root on from root->version. @return also PSH_E_CONFLICT. */
psh_status pshi_share_write_root(psh_share *s, const pshi_share_root *root, psh_error *err);
void pshi_share_root_free(psh_share *s, pshi_share_root *root);
/** Reads the lead. Absent: zeroed and free, PSH_OK. @return also PSH_E_CORRUPT, PSH_E_NEWER. */
psh_status pshi_share_read_lead(psh_share *s, pshi_share_lead *lead, psh_error *err);
psh_status pshi_share_write_lead(psh_share *s, const pshi_share_lead *lead, psh_error *err);
/** Whether it leads, as far as it knows itself. @return PSH_OK, PSH_E_FENCED. */
psh_status pshi_share_leads(psh_share *s, int64_t now, psh_error *err);
/** Whether a root was written under a fence above this process's, which then leads no more. */
psh_status pshi_share_unfenced(psh_share *s, const pshi_share_root *root, psh_error *err);

/* Blobs in memory. */

/** @return a blob of these bytes, one reference; NULL if memory is short. */
pshi_blob *pshi_blob_create(psh_share *s, uint32_t type, const void *data, size_t size);
const unsigned char *pshi_blob_bytes(const pshi_blob *b);
void pshi_blob_unref(psh_share *s, pshi_blob *b);
/** Takes the reference over, also when it fails. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_holding_add(psh_share *s, pshi_holding *h, pshi_blob *b);
/** Makes the index, when all were added. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_holding_index(psh_share *s, pshi_holding *h);
/** @return the blob that begins with this key, borrowed, or NULL. Needs the index. */
pshi_blob *pshi_holding_at(const pshi_holding *h, uint64_t key);
/** @return the blob, borrowed, or NULL. Needs the index. */
pshi_blob *pshi_holding_find(const pshi_holding *h, const pshi_digest *name);
void pshi_holding_free(psh_share *s, pshi_holding *h);
int pshi_digest_order(const pshi_digest *a, const pshi_digest *b);

/* Writing. */

/** Cuts a world into blobs and pages; what s->held has is shared. @return PSH_OK, PSH_E_LIMIT, PSH_E_NOMEM. */
psh_status pshi_share_cut(psh_share *s, const psh_world *world, pshi_holding *out, psh_error *err);
/**
 * Adds the blobs of one list by what differs from s->world, whose blobs s->held has.
 * @return PSH_OK, PSH_END (nothing was added: cut the list whole), PSH_E_NOMEM.
 */
psh_status pshi_share_recut(
    psh_share *s, const psh_world *world, uint32_t type, pshi_holding *out, psh_error *err);
/** Adds the pages that name the blobs of h, and its top. */
psh_status pshi_share_paginate(psh_share *s, pshi_holding *h, psh_error *err);
/** Makes a blob of one section from its count and items, or takes the same one from s->held; adds it to h. */
psh_status pshi_share_seal(
    psh_share *s, pshi_holding *h, uint32_t type, uint64_t key, uint64_t items, const psh_buffer *body,
    psh_error *err);
/** A number for two others, that decides where cuts are: the same on all machines. */
uint64_t pshi_share_mix(uint64_t domain, uint64_t a, uint64_t b);
/** Bytes that a blob has on average. */
uint64_t pshi_share_aim(const psh_share *s);

/* Reading. */

/** One line of a page. */
typedef struct pshi_page_entry {
    uint32_t type;
    uint64_t items;
    uint64_t size;
    pshi_digest name;
} pshi_page_entry;

#define PSHI_PAGE_ENTRY_LEAST 35u

/** A page that was opened. */
typedef struct pshi_page {
    uint32_t level; /* 0: it names blobs with items, else pages of the level below */
    size_t left;    /* entries to be read */
    pshi_cursor c;
} pshi_page;

/** Checks a blob's frame and type. The body begins behind the count, which is bounded by `least` bytes an item. */
psh_status pshi_share_open(
    psh_share *s, const pshi_blob *b, size_t least, size_t *items, pshi_cursor *body, psh_error *err);
psh_status pshi_page_open(psh_share *s, const pshi_blob *b, pshi_page *out, psh_error *err);
/** @return PSH_OK, PSH_END, PSH_E_CORRUPT, PSH_E_NEWER. */
psh_status pshi_page_next(pshi_page *p, pshi_page_entry *out, psh_error *err);
/**
 * Gets one blob from `cache` (NULL: none), s->held, or the store, its bytes checked against its name.
 * @return PSH_OK with a reference, PSH_E_CORRUPT (damaged), PSH_E_NOT_FOUND (gone; err untouched).
 */
psh_status pshi_share_fetch(
    psh_share *s, const pshi_holding *cache, const pshi_page_entry *e, pshi_blob **out, psh_error *err);
/** Takes one blob that a manifest names; pages aside. @return PSH_OK to go on. */
typedef psh_status (*pshi_entry_visitor)(void *user, const pshi_page_entry *e, psh_error *err);
/** Fetches the pages of a manifest into `pages`, and shows what they name. @return as pshi_share_fetch. */
psh_status pshi_share_walk(
    psh_share *s, const pshi_digest *top, const pshi_holding *cache, pshi_holding *pages,
    pshi_entry_visitor each, void *user, psh_error *err);
/** Bytes that what an entry names takes as it is loaded. Saturates. */
uint64_t pshi_share_takes(const pshi_page_entry *e);
/** All blobs that a root names, indexed. Free them. @return as pshi_share_fetch. */
psh_status pshi_share_gather(psh_share *s, const pshi_share_root *root, pshi_holding *out, psh_error *err);
/** Makes the world of what is in h. @return also PSH_E_CORRUPT, PSH_E_NEWER. */
psh_status pshi_share_build(
    psh_share *s, const pshi_share_root *root, const pshi_holding *h, psh_world **out, psh_error *err);

#endif
