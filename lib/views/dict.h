/* SPDX-License-Identifier: MIT */
/** @file views/dict.h  The distinct values of one column of a view, each kept once and named by a small id. */
#ifndef PSHI_VIEWS_DICT_H
#define PSHI_VIEWS_DICT_H

#include <predshard/schema.h>

typedef struct pshi_dict_entry {
    psh_value value; /* owned */
    uint64_t refs;   /* groups and bag entries that use it */
    uint32_t next;   /* free entries: the next one, or PSH_NONE */
    uint32_t live;   /* 1, or 0 when the entry is free */
} pshi_dict_entry;

/** Ids stay while their entry is referenced. Begin with pshi_dict_init. */
typedef struct pshi_dict {
    pshi_dict_entry *entries;
    size_t cap;
    uint32_t used;  /* entries ever begun: ids are below */
    uint32_t count; /* live */
    uint32_t free;  /* the first free entry, or PSH_NONE */
    uint32_t mask;  /* slots - 1 */
    uint32_t *slots; /* id + 1; 0 = empty; linear probing */
    uint64_t heap;  /* bytes of texts */
} pshi_dict;

void pshi_dict_init(pshi_dict *d);
void pshi_dict_free(psh_env *env, pshi_dict *d);
/** @return the id of a value, or PSH_NONE. All values of a dictionary are of one column, or NULL. */
uint32_t pshi_dict_find(const pshi_dict *d, const psh_value *v);
/** Finds or adds; the count of references stays as it is. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_dict_intern(psh_env *env, pshi_dict *d, const psh_value *v, uint32_t *id);
void pshi_dict_ref(pshi_dict *d, uint32_t id);
/** Gives one reference back; the last one takes the entry out. */
void pshi_dict_unref(psh_env *env, pshi_dict *d, uint32_t id);
/** Takes an entry out if nothing references it. */
void pshi_dict_drop_unused(psh_env *env, pshi_dict *d, uint32_t id);
/** Of what it holds; room to grow is left out, so that equal contents count the same. */
uint64_t pshi_dict_bytes(const pshi_dict *d);

#endif
