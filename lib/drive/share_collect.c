/* SPDX-License-Identifier: MIT */
/*
 * Collection of blobs that no root names any more. Names are listed before the root is read, and the root must be
 * of this process's fence: so when the names were listed no later leader had begun to publish, and what a later
 * leader writes has a version that was not listed. Blobs are removed by the version listed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "drive/share.h"

/* A blob in the store. */
typedef struct listed_blob {
    pshi_digest name;
    uint64_t version;
} listed_blob;

typedef struct collection {
    psh_share *s;
    size_t prefix;   /* bytes before the digits */
    listed_blob *listed;
    size_t listed_count, listed_capacity;
    pshi_digest *named; /* by the epochs kept */
    size_t named_count, named_capacity;
} collection;

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_digest(const char *text, pshi_digest *out) {
    size_t i;
    int high, low;

    if (strlen(text) != 2 * sizeof out->bytes)
        return 0;
    for (i = 0; i < sizeof out->bytes; i++) {
        high = hex_digit(text[2 * i]);
        low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return 0;
        out->bytes[i] = (unsigned char)(high << 4 | low);
    }
    return 1;
}

/* Called by the host for each key; a key that is no blob's is left alone. */
static psh_status note_listed(void *user, const char *key, uint64_t version) {
    collection *c = user;
    void *items = c->listed;
    pshi_digest name;
    psh_status st;

    if (!key || !version || strlen(key) < c->prefix || memcmp(key, c->s->key, c->prefix) != 0 ||
        !parse_digest(key + c->prefix, &name))
        return PSH_OK;
    st = pshi_reserve(c->s->env, &items, &c->listed_capacity, c->listed_count + 1, sizeof *c->listed);
    c->listed = items;
    if (st != PSH_OK)
        return st;
    c->listed[c->listed_count].name = name;
    c->listed[c->listed_count++].version = version;
    return PSH_OK;
}

static psh_status note_named(void *user, const pshi_page_entry *e, psh_error *err) {
    collection *c = user;
    void *items = c->named;
    psh_status st = pshi_reserve(c->s->env, &items, &c->named_capacity, c->named_count + 1, sizeof *c->named);

    c->named = items;
    if (st != PSH_OK)
        return pshi_share_nomem(err);
    c->named[c->named_count++] = e->name;
    return PSH_OK;
}

static psh_status list_blobs(collection *c, psh_error *err) {
    psh_share *s = c->s;
    psh_status st;

    pshi_share_key(s, "blob/");
    c->prefix = strlen(s->key);
    st = s->kv.list(s->kv.user, s->key, note_listed, c);
    return st == PSH_OK ? st : pshi_share_host(err, st, "kv.list");
}

/* Marks the blobs and pages of one epoch. `pages` has those of epochs marked before, indexed. */
static psh_status mark_epoch(collection *c, const pshi_epoch_name *e, pshi_holding *pages, psh_error *err) {
    size_t first = pages->count, i;
    pshi_page_entry page = { .type = PSHI_SHARE_PAGE };
    psh_status st = pshi_share_walk(c->s, &e->top, pages, pages, note_named, c, err);

    for (i = first; st == PSH_OK && i < pages->count; i++) {
        page.name = pages->blobs[i]->name;
        st = note_named(c, &page, err);
    }
    return st;
}

/* A page of an epoch before that is damaged or gone: nobody can read that epoch, so it holds nothing back. */
static psh_status mark_epochs(collection *c, const pshi_share_root *root, psh_error *err) {
    size_t keep = c->s->o.keep_epochs - 1, n = root->before_count < keep ? root->before_count : keep, i;
    pshi_holding pages = { 0 };
    psh_status st = root->now.epoch ? mark_epoch(c, &root->now, &pages, err) : PSH_OK;

    if (st == PSH_E_NOT_FOUND)
        st = pshi_fail(err, PSH_E_CORRUPT, "page", "one that the root names is gone");
    for (i = 0; st == PSH_OK && i < n; i++) {
        st = pshi_holding_index(c->s, &pages);
        if (st == PSH_OK)
            st = mark_epoch(c, &root->before[i], &pages, err);
        if (st == PSH_E_NOT_FOUND || st == PSH_E_CORRUPT)
            st = PSH_OK;
    }
    pshi_holding_free(c->s, &pages);
    return st;
}

static int by_name(const void *x, const void *y) {
    return pshi_digest_order(x, y);
}

static psh_status remove_unnamed(collection *c, uint64_t *removed, psh_error *err) {
    psh_share *s = c->s;
    psh_status st;
    size_t i;

    if (c->named_count)
        qsort(c->named, c->named_count, sizeof *c->named, by_name);
    for (i = 0; i < c->listed_count; i++) {
        if (c->named_count &&
            bsearch(&c->listed[i].name, c->named, c->named_count, sizeof *c->named, by_name))
            continue;
        pshi_share_blob_key(s, &c->listed[i].name);
        st = s->kv.remove(s->kv.user, s->key, c->listed[i].version);
        if (st == PSH_OK)
            ++*removed;
        else if (st != PSH_E_NOT_FOUND && st != PSH_E_CONFLICT)
            return pshi_share_host(err, st, "kv.remove");
    }
    return PSH_OK;
}

static psh_status collect_listed(collection *c, uint64_t *removed, psh_error *err) {
    pshi_share_root root;
    psh_status st = list_blobs(c, err);

    if (st == PSH_OK)
        st = pshi_share_read_root(c->s, &root, err);
    if (st != PSH_OK)
        return st;
    st = pshi_share_unfenced(c->s, &root, err);
    if (st == PSH_OK && root.fence != c->s->fence)
        st = pshi_fail(err, PSH_E_FENCED, "root", "is not of this process's fence: lead again");
    if (st == PSH_OK)
        st = mark_epochs(c, &root, err);
    if (st == PSH_OK)
        st = remove_unnamed(c, removed, err);
    pshi_share_root_free(c->s, &root);
    return st;
}

static psh_status collect_now(psh_share *s, int64_t now, uint64_t *removed, psh_error *err) {
    collection c = { .s = s };
    psh_status st;

    if (!s->kv.list || !s->kv.remove)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "kv", "this store cannot list or remove");
    st = pshi_share_leads(s, now, err);
    if (st == PSH_OK)
        st = collect_listed(&c, removed, err);
    pshi_free(s->env, c.listed);
    pshi_free(s->env, c.named);
    return st;
}

psh_status psh_share_collect(psh_share *s, int64_t now, uint64_t *removed, psh_error *err) {
    psh_status st = pshi_share_enter(s, err);
    uint64_t gone = 0;

    if (st != PSH_OK)
        return st;
    st = collect_now(s, now, &gone, err);
    if (removed)
        *removed = gone;
    return pshi_share_leave(s, st);
}
