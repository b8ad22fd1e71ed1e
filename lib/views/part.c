/* SPDX-License-Identifier: MIT */
#include "views/part.h"

#include <string.h>

#include "base/env.h"
#include "base/hash.h"
#include "match/match.h"
#include "value/value.h"

#define GROUPS_MAX (UINT32_C(1) << 30)
#define MAX_GROUP_COLUMNS 64u /* a query's limit */

void pshi_part_init(pshi_part *p, int64_t interval, int64_t time_from, int64_t time_to) {
    memset(p, 0, sizeof *p);
    p->interval = interval;
    p->time_from = time_from;
    p->time_to = time_to;
    p->commit_time = PSH_TIME_NONE;
    p->free = PSH_NONE;
    p->bucket = PSH_TIME_MAX; /* holds no row */
}

uint64_t *pshi_part_group(const pshi_store *s, const pshi_part *p, uint32_t i) {
    return p->words + (size_t)i * s->shape.words;
}

int pshi_part_is_live(const pshi_store *s, const pshi_part *p, uint32_t i) {
    uint64_t rows = pshi_part_group(s, p, i)[PSHI_GROUP_ROWS];

    return rows != 0 && rows != PSHI_GROUP_FREE;
}

uint64_t pshi_group_count(const uint64_t *g, const pshi_measure *m) {
    return m->count_at ? g[m->count_at] : g[PSHI_GROUP_ROWS];
}

/* Words are 8 bytes wide and aligned, as these structs ask for. */
pshi_sparse_sum *pshi_group_double(uint64_t *g, const pshi_measure *m) {
    return (pshi_sparse_sum *)(void *)(g + m->sum_at);
}

pshi_bag *pshi_group_bag(uint64_t *g, const pshi_measure *m) {
    return (pshi_bag *)(void *)(g + m->bag_at);
}

const uint32_t *pshi_group_ids(const uint64_t *g) {
    return (const uint32_t *)(const void *)(g + PSHI_GROUP_IDS);
}

static int holds_double(const pshi_measure *m) {
    return m->sum_at && m->type == PSH_TYPE_DOUBLE;
}

static pshi_dict *bag_dict(const pshi_store *s, const pshi_measure *m) {
    return m->dict == PSH_NONE ? NULL : &s->dicts[m->dict];
}

static void free_measures(const pshi_store *s, pshi_part *p, uint64_t *g) {
    uint32_t i;

    for (i = 0; i < s->shape.measure_count; i++) {
        const pshi_measure *m = &s->shape.measures[i];

        if (holds_double(m))
            pshi_sparse_free(s->env, pshi_group_double(g, m));
        if (!m->bag_at)
            continue;
        p->places -= pshi_group_bag(g, m)->size;
        pshi_bag_free(s->env, pshi_group_bag(g, m), bag_dict(s, m));
    }
}

static void release_group(const pshi_store *s, pshi_part *p, uint64_t *g) {
    uint32_t i;

    free_measures(s, p, g);
    for (i = 0; i < s->shape.group_count; i++)
        pshi_dict_unref(s->env, &s->dicts[i], pshi_group_ids(g)[i]);
}

void pshi_part_clear(const pshi_store *s, pshi_part *p) {
    uint32_t i;

    for (i = 0; i < p->used; i++)
        if (pshi_part_group(s, p, i)[PSHI_GROUP_ROWS] != PSHI_GROUP_FREE)
            release_group(s, p, pshi_part_group(s, p, i));
    pshi_free(s->env, p->words);
    pshi_free(s->env, p->slots);
    p->words = NULL;
    p->slots = NULL;
    p->cap = 0;
    p->used = p->live = p->mask = 0;
    p->free = PSH_NONE;
    p->rows = p->places = 0;
}

uint64_t pshi_part_bytes(const pshi_store *s, const pshi_part *p) {
    return sizeof *p + (uint64_t)p->live * s->shape.group_bytes + p->places * PSHI_BAG_PLACE_BYTES;
}

static uint32_t group_hash(int64_t bucket, const uint32_t *ids, uint32_t n) {
    uint64_t h = (uint64_t)bucket;
    uint32_t i;

    for (i = 0; i < n; i++)
        h = (h ^ ids[i]) * UINT64_C(0x9e3779b97f4a7c15); /* odd: a bijection, so that no key is lost */
    return (uint32_t)pshi_mix64(h);
}

static uint32_t group_home(const pshi_store *s, const pshi_part *p, uint32_t i) {
    const uint64_t *g = pshi_part_group(s, p, i);

    return group_hash((int64_t)g[PSHI_GROUP_BUCKET], pshi_group_ids(g), s->shape.group_count) & p->mask;
}

static int has_key(const pshi_store *s, const uint64_t *g, int64_t bucket, const uint32_t *ids) {
    const uint32_t *own = pshi_group_ids(g);
    uint32_t i;

    for (i = 0; i < s->shape.group_count; i++)
        if (own[i] != ids[i])
            return 0;
    return (int64_t)g[PSHI_GROUP_BUCKET] == bucket;
}

/* The slot of a key, or the empty one where it would go. */
static uint32_t group_slot(const pshi_store *s, const pshi_part *p, int64_t bucket, const uint32_t *ids) {
    uint32_t at = group_hash(bucket, ids, s->shape.group_count) & p->mask;

    while (p->slots[at] && !has_key(s, pshi_part_group(s, p, p->slots[at] - 1), bucket, ids))
        at = (at + 1) & p->mask;
    return at;
}

static psh_status grow_group_slots(const pshi_store *s, pshi_part *p) {
    uint32_t n = p->slots ? (p->mask + 1) * 2 : 16, i, at;
    uint32_t *slots;

    if (p->slots && (uint64_t)(p->live + 1) * 3 <= ((uint64_t)p->mask + 1) * 2)
        return PSH_OK;
    slots = pshi_calloc(s->env, n, sizeof *slots);
    if (!slots)
        return PSH_E_NOMEM;
    pshi_free(s->env, p->slots);
    p->slots = slots;
    p->mask = n - 1;
    for (i = 0; i < p->used; i++) {
        if (pshi_part_group(s, p, i)[PSHI_GROUP_ROWS] == PSHI_GROUP_FREE)
            continue;
        at = group_home(s, p, i);
        while (slots[at])
            at = (at + 1) & p->mask;
        slots[at] = i + 1;
    }
    return PSH_OK;
}

psh_status pshi_part_begin_group(
    const pshi_store *s, pshi_part *p, int64_t bucket, const uint32_t *ids, uint32_t *group) {
    uint32_t i = p->free != PSH_NONE ? p->free : p->used, k;
    uint64_t *g;

    *group = PSH_NONE;
    if (i >= GROUPS_MAX)
        return PSH_E_NOMEM;
    if (pshi_reserve(s->env, (void **)&p->words, &p->cap, (size_t)i + 1, s->shape.words * sizeof *p->words) !=
            PSH_OK ||
        grow_group_slots(s, p) != PSH_OK)
        return PSH_E_NOMEM;
    g = pshi_part_group(s, p, i);
    if (i == p->used)
        p->used++;
    else
        p->free = (uint32_t)g[PSHI_GROUP_BUCKET];
    memset(g, 0, s->shape.words * sizeof *g);
    g[PSHI_GROUP_BUCKET] = (uint64_t)bucket;
    if (s->shape.group_count)
        memcpy(g + PSHI_GROUP_IDS, ids, s->shape.group_count * sizeof *ids);
    for (k = 0; k < s->shape.group_count; k++)
        pshi_dict_ref(&s->dicts[k], ids[k]);
    p->slots[group_slot(s, p, bucket, ids)] = i + 1;
    p->live++;
    *group = i;
    return PSH_OK;
}

static void remove_group(const pshi_store *s, pshi_part *p, uint32_t i) {
    uint64_t *g = pshi_part_group(s, p, i);
    uint32_t at = group_slot(s, p, (int64_t)g[PSHI_GROUP_BUCKET], pshi_group_ids(g)), j, home;

    /* Close the gap: what follows in the run moves back unless its home lies behind the gap. */
    for (j = (at + 1) & p->mask; p->slots[j]; j = (j + 1) & p->mask) {
        home = group_home(s, p, p->slots[j] - 1);
        if (((j - home) & p->mask) < ((j - at) & p->mask))
            continue;
        p->slots[at] = p->slots[j];
        at = j;
    }
    p->slots[at] = 0;
    release_group(s, p, g);
    g[PSHI_GROUP_ROWS] = PSHI_GROUP_FREE;
    g[PSHI_GROUP_BUCKET] = p->free;
    p->free = i;
    p->live--;
}

/* Rows that follow each other are mostly of one bucket: this saves a division. */
static int64_t row_bucket(const pshi_store *s, pshi_part *p, const psh_value *row) {
    int64_t t = row[s->shape.time_column].as.i64;

    if (t < p->bucket || p->bucket <= PSH_TIME_MIN ||
        (uint64_t)t - (uint64_t)p->bucket >= (uint64_t)s->shape.bucket_ns)
        p->bucket = pshi_bucket_floor(t, s->shape.bucket_ns, s->shape.interval_origin);
    return p->bucket;
}

static uint32_t find_group(const pshi_store *s, pshi_part *p, const psh_value *row) {
    uint32_t ids[MAX_GROUP_COLUMNS], i;

    if (!p->slots)
        return PSH_NONE;
    for (i = 0; i < s->shape.group_count; i++) {
        ids[i] = pshi_dict_find(&s->dicts[i], &row[s->shape.group_columns[i]]);
        if (ids[i] == PSH_NONE)
            return PSH_NONE;
    }
    return p->slots[group_slot(s, p, row_bucket(s, p, row), ids)] - 1;
}

static psh_status make_group(const pshi_store *s, pshi_part *p, const psh_value *row, uint32_t *group) {
    uint32_t ids[MAX_GROUP_COLUMNS], n = 0, i;
    psh_status st = PSH_OK;
    psh_value v;

    for (; st == PSH_OK && n < s->shape.group_count; n += st == PSH_OK) {
        v = pshi_value_normal(&row[s->shape.group_columns[n]]);
        st = pshi_dict_intern(s->env, &s->dicts[n], &v, &ids[n]);
    }
    if (st == PSH_OK)
        st = pshi_part_begin_group(s, p, row_bucket(s, p, row), ids, group);
    for (i = 0; st != PSH_OK && i < n; i++)
        pshi_dict_drop_unused(s->env, &s->dicts[i], ids[i]);
    return st;
}

void pshi_wide_add(uint64_t w[PSHI_SUM_WORDS], pshi_i128 x, int sign) {
    uint64_t d[PSHI_SUM_WORDS] = { (uint64_t)(pshi_u128)x, (uint64_t)((pshi_u128)x >> 64), x < 0 ? UINT64_MAX : 0 };
    unsigned carry = sign < 0;
    uint32_t i;

    /* a - b = a + ~b + 1 */
    for (i = 0; i < PSHI_SUM_WORDS; i++) {
        unsigned over = __builtin_add_overflow(w[i], sign < 0 ? ~d[i] : d[i], &w[i]);

        carry = over | __builtin_add_overflow(w[i], (uint64_t)carry, &w[i]);
    }
}

/* The same for 64 bits, without a loop. */
static void wide_add_int(uint64_t w[PSHI_SUM_WORDS], int64_t x, int sign) {
    pshi_u128 high = ((pshi_u128)w[2] << 64) | w[1], d = x < 0 ? ~(pshi_u128)0 : 0;

    if (sign > 0)
        high += d + __builtin_add_overflow(w[0], (uint64_t)x, &w[0]);
    else
        high -= d + __builtin_sub_overflow(w[0], (uint64_t)x, &w[0]);
    w[1] = (uint64_t)high;
    w[2] = (uint64_t)(high >> 64);
}

static void change_sum(uint64_t *g, const pshi_measure *m, const psh_value *v, int sign) {
    if (m->type == PSH_TYPE_DECIMAL)
        pshi_wide_add(g + m->sum_at, pshi_decimal(v), sign);
    else if (m->type != PSH_TYPE_DOUBLE)
        wide_add_int(g + m->sum_at, v->as.i64, sign);
    else if (sign > 0)
        pshi_sparse_add(pshi_group_double(g, m), v->as.f64);
    else
        pshi_sparse_subtract(pshi_group_double(g, m), v->as.f64);
}

/* @return the code of a value in a bag; *known is 0 if its dictionary does not have it. */
static int64_t bag_code(const pshi_dict *dict, const psh_value *v, int *known) {
    uint32_t id;

    *known = 1;
    if (!dict)
        return pshi_bag_code(v);
    id = pshi_dict_find(dict, v);
    *known = id != PSH_NONE;
    return id;
}

static psh_status add_to_bag(
    const pshi_store *s, pshi_part *p, pshi_bag *b, const pshi_measure *m, const psh_value *value) {
    uint64_t before = b->size;
    pshi_dict *dict = bag_dict(s, m);
    psh_value v;
    psh_status st;
    uint32_t id;

    if (dict) {
        v = pshi_value_normal(value);
        if (pshi_dict_intern(s->env, dict, &v, &id) != PSH_OK)
            return PSH_E_NOMEM;
        st = pshi_bag_add(s->env, b, dict, id, 1);
        pshi_dict_drop_unused(s->env, dict, id);
    } else {
        st = pshi_bag_add(s->env, b, NULL, pshi_bag_code(value), 1);
    }
    p->places += b->size - before;
    return st;
}

static psh_status add_measure(
    const pshi_store *s, pshi_part *p, uint64_t *g, const pshi_measure *m, const psh_value *v) {
    if (v->type == PSH_TYPE_NULL)
        return PSH_OK;
    if (holds_double(m) && pshi_sparse_reserve(s->env, pshi_group_double(g, m), v->as.f64) != PSH_OK)
        return PSH_E_NOMEM;
    if (m->bag_at && add_to_bag(s, p, pshi_group_bag(g, m), m, v) != PSH_OK)
        return PSH_E_NOMEM;
    if (m->count_at)
        g[m->count_at]++;
    if (m->sum_at)
        change_sum(g, m, v, 1);
    return PSH_OK;
}

/* It was added: nothing can fail. */
static void take_measure(const pshi_store *s, uint64_t *g, const pshi_measure *m, const psh_value *v) {
    pshi_dict *dict = bag_dict(s, m);
    int known;
    int64_t code;

    if (v->type == PSH_TYPE_NULL)
        return;
    if (m->count_at)
        g[m->count_at]--;
    if (m->sum_at)
        change_sum(g, m, v, -1);
    if (!m->bag_at)
        return;
    code = bag_code(dict, v, &known);
    pshi_bag_take(pshi_group_bag(g, m), dict, code);
}

static void drop_empty_places(const pshi_store *s, pshi_part *p, uint64_t *g, const psh_value *row) {
    uint64_t before;
    uint32_t i;
    int64_t code;
    int known;

    for (i = 0; i < s->shape.measure_count; i++) {
        const pshi_measure *m = &s->shape.measures[i];
        pshi_dict *dict = bag_dict(s, m);
        pshi_bag *b;

        if (!m->bag_at || row[m->column].type == PSH_TYPE_NULL)
            continue;
        b = pshi_group_bag(g, m);
        before = b->size;
        code = bag_code(dict, &row[m->column], &known);
        if (known && b->zeros)
            pshi_bag_drop(s->env, b, dict, code);
        p->places -= before - b->size;
    }
}

void pshi_part_tidy(const pshi_store *s, pshi_part *p, const psh_value *row, uint32_t group) {
    uint64_t *g;

    if (group == PSH_NONE || group >= p->used)
        return;
    g = pshi_part_group(s, p, group);
    if (g[PSHI_GROUP_ROWS] == PSHI_GROUP_FREE)
        return;
    if (g[PSHI_GROUP_ROWS])
        drop_empty_places(s, p, g, row);
    else
        remove_group(s, p, group);
}

psh_status pshi_part_add(const pshi_store *s, pshi_part *p, const psh_value *row, uint32_t *group) {
    psh_status st = PSH_OK;
    uint64_t *g;
    uint32_t i;

    *group = find_group(s, p, row);
    if (*group == PSH_NONE && make_group(s, p, row, group) != PSH_OK)
        return PSH_E_NOMEM;
    g = pshi_part_group(s, p, *group);
    for (i = 0; i < s->shape.measure_count; i++) {
        st = add_measure(s, p, g, &s->shape.measures[i], &row[s->shape.measures[i].column]);
        if (st != PSH_OK)
            break;
    }
    if (st == PSH_OK) {
        g[PSHI_GROUP_ROWS]++;
        p->rows++;
        return PSH_OK;
    }
    while (i--)
        take_measure(s, g, &s->shape.measures[i], &row[s->shape.measures[i].column]);
    return st;
}

/* A group without rows must have come to nothing in all it holds, and one with rows can still count them. */
static int is_consistent(const pshi_store *s, uint64_t *g) {
    uint64_t rows = g[PSHI_GROUP_ROWS];
    uint32_t i;

    for (i = 0; i < s->shape.measure_count; i++) {
        const pshi_measure *m = &s->shape.measures[i];
        uint64_t count = pshi_group_count(g, m);

        if (count > rows)
            return 0;
        if (count)
            continue;
        if (holds_double(m) && !pshi_sparse_is_zero(pshi_group_double(g, m)))
            return 0;
        if (m->sum_at && !holds_double(m) && (g[m->sum_at] | g[m->sum_at + 1] | g[m->sum_at + 2]))
            return 0;
        if (m->bag_at && pshi_group_bag(g, m)->zeros != pshi_group_bag(g, m)->size)
            return 0;
    }
    return 1;
}

/* Whether the value may be among those of the group; makes room to take it from a sum. */
static psh_status may_take(const pshi_store *s, uint64_t *g, const pshi_measure *m, const psh_value *v) {
    pshi_dict *dict = bag_dict(s, m);
    int64_t code;
    int known;

    if (v->type == PSH_TYPE_NULL)
        return PSH_OK;
    if (!pshi_group_count(g, m))
        return PSH_E_NOT_FOUND;
    if (m->bag_at) {
        code = bag_code(dict, v, &known);
        if (!known || !pshi_bag_count(pshi_group_bag(g, m), dict, code))
            return PSH_E_NOT_FOUND;
    }
    /* That it was ever added is not known, so its limbs may not be there. */
    return holds_double(m) ? pshi_sparse_reserve(s->env, pshi_group_double(g, m), v->as.f64) : PSH_OK;
}

psh_status pshi_part_take(const pshi_store *s, pshi_part *p, const psh_value *row, uint32_t *group) {
    psh_status st = PSH_OK;
    uint64_t *g;
    uint32_t i;

    *group = find_group(s, p, row);
    if (*group == PSH_NONE)
        return PSH_E_NOT_FOUND;
    g = pshi_part_group(s, p, *group);
    if (!g[PSHI_GROUP_ROWS])
        return PSH_E_NOT_FOUND;
    for (i = 0; st == PSH_OK && i < s->shape.measure_count; i++)
        st = may_take(s, g, &s->shape.measures[i], &row[s->shape.measures[i].column]);
    if (st != PSH_OK)
        return st;
    for (i = 0; i < s->shape.measure_count; i++)
        take_measure(s, g, &s->shape.measures[i], &row[s->shape.measures[i].column]);
    g[PSHI_GROUP_ROWS]--;
    p->rows--;
    if (is_consistent(s, g))
        return PSH_OK;
    pshi_part_add(s, p, row, group); /* all is in its place: it cannot fail */
    return PSH_E_NOT_FOUND;
}

/* The least and the greatest, where they are not between those there already. */
static psh_status merge_bag(
    const pshi_store *s, pshi_part *p, pshi_bag *b, const pshi_measure *m, const pshi_bag *from) {
    uint64_t before = b->size;
    pshi_dict *dict = bag_dict(s, m);
    psh_status st = PSH_OK;
    int64_t low, high;

    if (!pshi_bag_ends(from, &low, &high))
        return PSH_OK;
    if (!pshi_bag_spans(b, dict, low))
        st = pshi_bag_add(s->env, b, dict, low, 1);
    if (st == PSH_OK && !pshi_bag_spans(b, dict, high))
        st = pshi_bag_add(s->env, b, dict, high, 1);
    p->places += b->size - before;
    return st;
}

static psh_status merge_measure(
    const pshi_store *s, pshi_part *p, uint64_t *to, const pshi_measure *m, const uint64_t *g) {
    unsigned carry = 0;
    uint32_t i;

    if (m->count_at)
        to[m->count_at] += g[m->count_at];
    if (m->bag_at &&
        merge_bag(s, p, pshi_group_bag(to, m), m, (const pshi_bag *)(const void *)(g + m->bag_at)) != PSH_OK)
        return PSH_E_NOMEM;
    if (holds_double(m))
        return pshi_sparse_merge(
            s->env, pshi_group_double(to, m), (const pshi_sparse_sum *)(const void *)(g + m->sum_at));
    for (i = 0; m->sum_at && i < PSHI_SUM_WORDS; i++) {
        uint64_t *w = &to[m->sum_at + i];
        unsigned over = __builtin_add_overflow(*w, g[m->sum_at + i], w);

        carry = over | __builtin_add_overflow(*w, (uint64_t)carry, w);
    }
    return PSH_OK;
}

psh_status pshi_part_merge(
    const pshi_store *s, pshi_part *p, int64_t bucket, const uint32_t *ids, const uint64_t *g) {
    uint32_t group = p->slots ? p->slots[group_slot(s, p, bucket, ids)] - 1 : PSH_NONE, i;
    psh_status st = PSH_OK;
    uint64_t *to;

    if (group == PSH_NONE)
        st = pshi_part_begin_group(s, p, bucket, ids, &group);
    if (st != PSH_OK)
        return st;
    to = pshi_part_group(s, p, group);
    to[PSHI_GROUP_ROWS] += g[PSHI_GROUP_ROWS];
    for (i = 0; st == PSH_OK && i < s->shape.measure_count; i++)
        st = merge_measure(s, p, to, &s->shape.measures[i], g);
    return st;
}
