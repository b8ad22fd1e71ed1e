/* SPDX-License-Identifier: MIT */
#include "forecast/labels.h"

#include <string.h>

#include <predshard/forecast.h>

#include "base/env.h"
#include "base/hash.h"

#define LEAST_RECORDS 64.0   /* that a set surely has before it gets a series */
#define LEAST_SHARE 0.005    /* of all sets' */
#define MOST_SERIES 64u
#define MOST_COUNT 0x1p60

void pshi_labels_free(psh_env *env, pshi_labels *l) {
    size_t i;

    pshi_space_saving_free(env, &l->heavy);
    pshi_free(env, l->list);
    for (i = 0; i < l->count; i++)
        pshi_free(env, l->name[i].name);
    pshi_free(env, l->name);
    pshi_idmap_free(env, &l->map);
}

uint64_t pshi_labels_bytes(const pshi_labels *l) {
    uint64_t n = l->bytes + l->cap * sizeof *l->name;

    n += l->map.ids ? (l->map.mask + 1) * (sizeof *l->map.ids + sizeof *l->map.index) : 0;
    return l->list ? n + PSHI_MOST_SETS * sizeof *l->list + pshi_space_saving_bytes(&l->heavy) : n;
}

psh_status pshi_labels_ready(psh_env *env, pshi_labels *l) {
    pshi_label_set *list;

    if (l->list)
        return PSH_OK;
    list = pshi_calloc(env, PSHI_MOST_SETS, sizeof *list);
    if (!list || pshi_space_saving_init(env, &l->heavy, PSHI_MOST_SETS) != PSH_OK) {
        pshi_free(env, list);
        return PSH_E_NOMEM;
    }
    l->list = list;
    return PSH_OK;
}

static void insert(pshi_label_set *s, uint64_t label) {
    uint32_t i = s->count++;

    for (; i > 0 && s->label[i - 1] > label; i--)
        s->label[i] = s->label[i - 1];
    s->label[i] = label;
}

static void seal(pshi_label_set *s) {
    uint32_t i;

    s->id = UINT64_C(0x5e75) + s->count;
    for (i = 0; i < s->count; i++)
        s->id = pshi_mix64(s->id ^ s->label[i]);
    s->id = pshi_nonzero(s->id);
}

static uint64_t key_of(uint32_t table, uint64_t id) {
    return pshi_nonzero(id ^ pshi_mix64((uint64_t)table + 1));
}

/* Ascending and distinct, of the first that are so. */
static uint32_t distinct(const uint64_t *labels, uint32_t count, uint64_t out[PSHI_SET_LABELS]) {
    uint32_t i, k, n = 0;

    for (i = 0; i < count && n < PSHI_SET_LABELS; i++) {
        for (k = 0; k < n && out[k] != labels[i]; k++) {
        }
        if (k == n)
            out[n++] = labels[i];
    }
    return n;
}

uint32_t pshi_label_sets(
    uint32_t table, const uint64_t *labels, uint32_t count, pshi_label_set out[PSHI_RECORD_SETS]) {
    uint64_t own[PSHI_SET_LABELS];
    uint32_t n = distinct(labels, count, own), i, k, sets = 0;

    memset(out, 0, PSHI_RECORD_SETS * sizeof *out);
    for (i = 0; i < n; i++)
        for (k = i + 1; k < n; k++, sets++) {
            insert(&out[sets], own[i]);
            insert(&out[sets], own[k]);
        }
    for (i = 0; n > 2 && i < n; i++)
        insert(&out[sets], own[i]);
    sets += n > 2;
    for (i = 0; i < sets; i++) {
        out[i].table = table;
        seal(&out[i]);
    }
    return sets;
}

const pshi_label_set *pshi_labels_set(const pshi_labels *l, uint32_t table, uint64_t id) {
    uint32_t slot = l->list ? pshi_space_saving_find(&l->heavy, key_of(table, id)) : PSH_NONE;

    return slot != PSH_NONE && l->list[slot].id == id && l->list[slot].table == table ? &l->list[slot] : NULL;
}

int pshi_labels_has_series(const pshi_labels *l, const pshi_label_set *set) {
    const pshi_label_set *s = pshi_labels_set(l, set->table, set->id);

    return s && s->series;
}

static void vote(uint64_t *who, uint32_t *votes, uint64_t now) {
    if (!*votes)
        *who = now;
    if (*who == now)
        *votes += *votes < UINT32_MAX;
    else
        --*votes;
}

static uint32_t with_series(const pshi_labels *l) {
    uint32_t i, n = 0;

    for (i = 0; i < l->heavy.count; i++)
        n += l->list[i].series;
    return n;
}

void pshi_labels_learn(pshi_labels *l, const pshi_label_set *set, uint64_t tenant, uint64_t partition) {
    int fresh;
    uint32_t slot = pshi_space_saving_add(&l->heavy, key_of(set->table, set->id), 1, &fresh);
    pshi_label_set *s = &l->list[slot];
    double sure = l->heavy.list[slot].count - l->heavy.list[slot].error;

    if (fresh || s->id != set->id || s->table != set->table)
        *s = *set;
    vote(&s->tenant, &s->tenant_votes, tenant);
    vote(&s->partition, &s->partition_votes, partition);
    if (!s->series && sure >= LEAST_RECORDS && sure >= LEAST_SHARE * l->heavy.total)
        s->series = with_series(l) < MOST_SERIES;
}

void pshi_labels_fade(pshi_labels *l) {
    if (l->list && l->heavy.count)
        pshi_space_saving_scale(&l->heavy, 0.5);
}

const pshi_label_name *pshi_labels_find(const pshi_labels *l, uint64_t id) {
    uint32_t i = pshi_idmap_find(&l->map, id);

    return i == PSH_NONE ? NULL : &l->name[i];
}

static psh_status keep(psh_env *env, pshi_labels *l, uint64_t id, const char *name, const char *value) {
    size_t a = strlen(name) + 1, b = strlen(value) + 1;
    pshi_label_name *n;
    char *text;

    if (pshi_reserve(env, (void **)&l->name, &l->cap, l->count + 1, sizeof *l->name) != PSH_OK)
        return PSH_E_NOMEM;
    text = pshi_alloc(env, a + b);
    if (!text || pshi_idmap_put(env, &l->map, id, (uint32_t)l->count) != PSH_OK) {
        pshi_free(env, text);
        return PSH_E_NOMEM;
    }
    memcpy(text, name, a);
    memcpy(text + a, value, b);
    n = &l->name[l->count++];
    *n = (pshi_label_name){ id, text, text + a, a + b };
    l->bytes += a + b;
    return PSH_OK;
}

void pshi_labels_name(psh_env *env, pshi_labels *l, const psh_label *label) {
    uint64_t id = psh_label_id(label->name, label->value);

    if (l->count < PSHI_MOST_NAMES && pshi_idmap_find(&l->map, id) == PSH_NONE)
        (void)keep(env, l, id, label->name, label->value);
}

void pshi_labels_put(pshi_writer *w, const pshi_labels *l) {
    const pshi_label_set *s;
    uint32_t i, k;
    size_t n;

    pshi_put_u8(w, l->list != NULL);
    if (l->list)
        pshi_space_saving_put(w, &l->heavy);
    for (i = 0; l->list && i < l->heavy.count; i++) {
        s = &l->list[i];
        pshi_put_var(w, s->table);
        pshi_put_var(w, s->count);
        for (k = 0; k < s->count; k++)
            pshi_put_u64(w, s->label[k]);
        pshi_put_u64(w, s->tenant);
        pshi_put_u64(w, s->partition);
        pshi_put_u32(w, s->tenant_votes);
        pshi_put_u32(w, s->partition_votes);
        pshi_put_u8(w, (uint8_t)s->series);
    }
    pshi_put_var(w, l->count);
    for (n = 0; n < l->count; n++) {
        pshi_put_str(w, l->name[n].name);
        pshi_put_str(w, l->name[n].value);
    }
}

static void get_set(pshi_cursor *c, const pshi_labels *l, uint32_t slot, uint32_t tables) {
    pshi_label_set *s = &l->list[slot];
    uint32_t n, k;

    s->table = pshi_get_var32(c);
    n = pshi_get_var32(c);
    if (s->table >= tables || n < 2 || n > PSHI_SET_LABELS)
        pshi_read_bad(c);
    for (k = 0; c->status == PSH_OK && k < n; k++) {
        insert(s, pshi_get_u64(c));
        if (k && s->label[k - 1] >= s->label[k])
            pshi_read_bad(c);
    }
    s->tenant = pshi_get_u64(c);
    s->partition = pshi_get_u64(c);
    s->tenant_votes = pshi_get_u32(c);
    s->partition_votes = pshi_get_u32(c);
    s->series = pshi_get_u8(c);
    seal(s);
    if (s->series > 1 || l->heavy.list[slot].id != key_of(s->table, s->id) ||
        l->heavy.list[slot].count > MOST_COUNT)
        pshi_read_bad(c);
}

static psh_status get_names(psh_env *env, pshi_cursor *c, pshi_labels *l) {
    size_t n = pshi_get_count(c, 4), i;
    char name[256], value[256];
    psh_status st = PSH_OK;

    if (n > PSHI_MOST_NAMES)
        pshi_read_bad(c);
    for (i = 0; c->status == PSH_OK && st == PSH_OK && i < n; i++) {
        pshi_get_name(c, name);
        pshi_get_name(c, value);
        if (c->status != PSH_OK || pshi_labels_find(l, psh_label_id(name, value)))
            return PSH_E_CORRUPT;
        st = keep(env, l, psh_label_id(name, value), name, value);
    }
    return st == PSH_OK ? c->status : st;
}

psh_status pshi_labels_get(psh_env *env, pshi_cursor *c, pshi_labels *l, uint32_t tables) {
    uint8_t sets = pshi_get_u8(c);
    psh_status st = PSH_OK;
    uint32_t i;

    if (sets > 1)
        pshi_read_bad(c);
    if (c->status == PSH_OK && sets) {
        st = pshi_labels_ready(env, l);
        if (st == PSH_OK)
            st = pshi_space_saving_get(c, &l->heavy);
    }
    for (i = 0; st == PSH_OK && sets && c->status == PSH_OK && i < l->heavy.count; i++)
        get_set(c, l, i, tables);
    if (st != PSH_OK)
        return st;
    return c->status == PSH_OK ? get_names(env, c, l) : c->status;
}
