/* SPDX-License-Identifier: MIT */
#include "forecast/habit.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/env.h"
#include "base/hash.h"
#include "value/schema.h"

#define WINDOW 64.0      /* requests after which what was learned weighs half */
#define RATE_SPAN 32.0   /* requests that a rule's rolling rate spans */
#define EVERY 64u        /* of many requests a minute, one in so many compares the rules */
#define EAGER 32u        /* first requests that all do */
#define MARGIN 0.02F     /* by which another rule must be better: less than one change in RATE_SPAN */
#define NEAR (400 * PSH_DAY)
#define AGAIN 0.25       /* what it counts for a rule to tell a constant as one before the last was told */
#define FEW_VALUES 8u
#define MOST_COUNT 0x1p20
#define LEAST_COUNT 0x1p-8

/* Of rules that tell equally well, the first: for times near the request, and for far ones and numbers. */
static const uint8_t near_first[] = { PSHI_RULE_DAY, PSHI_RULE_HOUR, PSHI_RULE_MONTH, PSHI_RULE_WEEK,
    PSHI_RULE_QUARTER, PSHI_RULE_YEAR, PSHI_RULE_VALUE, PSHI_RULE_MINUTE, PSHI_RULE_BUCKET, PSHI_RULE_EXACT,
    PSHI_RULE_STEP };
static const uint8_t value_first[] = { PSHI_RULE_VALUE, PSHI_RULE_DAY, PSHI_RULE_HOUR, PSHI_RULE_MONTH,
    PSHI_RULE_WEEK, PSHI_RULE_QUARTER, PSHI_RULE_YEAR, PSHI_RULE_MINUTE, PSHI_RULE_BUCKET, PSHI_RULE_EXACT,
    PSHI_RULE_STEP };

/* What a query is told against. */
typedef struct asking {
    const psh_query_spec *spec;
    const psh_query *query;
    const pshi_clock *clock;
    int64_t time;
    int64_t origin;
} asking;

static asking asking_of(const psh_query *q, const pshi_clock *c, int64_t time) {
    asking a = { pshi_query_spec(q), q, c, time, 0 };
    const pshi_table *t = pshi_schema_get_table(psh_query_schema(q), a.spec->table);

    a.origin = t ? t->interval_origin : 0;
    return a;
}

static int is_tracked(const psh_predicate *p) {
    return p->value_count == 1 && (p->values->type == PSH_TYPE_INT64 || p->values->type == PSH_TYPE_TIMESTAMP);
}

psh_status pshi_habit_init(psh_env *env, pshi_habit *h, const psh_query *q) {
    const psh_query_spec *s = pshi_query_spec(q);
    size_t i, n = 2;

    memset(h, 0, sizeof *h);
    h->learned = PSH_TIME_NONE;
    if (s->predicate_count + 2 > PSHI_MOST_PLACES)
        return PSH_OK;
    for (i = 0; i < s->predicate_count; i++)
        n += (size_t)is_tracked(&s->predicates[i]);
    h->tracks = pshi_calloc(env, n, sizeof *h->tracks);
    if (!h->tracks)
        return PSH_E_NOMEM;
    h->places = (uint32_t)s->predicate_count + 2;
    for (i = 0; i < h->places; i++) {
        if (i < s->predicate_count && !is_tracked(&s->predicates[i]))
            continue;
        h->tracks[h->track_count].place = (uint32_t)i;
        h->tracks[h->track_count++].is_time =
            i >= s->predicate_count || s->predicates[i].values->type == PSH_TYPE_TIMESTAMP;
    }
    return PSH_OK;
}

void pshi_habit_free(psh_env *env, pshi_habit *h) {
    uint32_t i;

    for (i = 0; i < h->pattern_count; i++)
        psh_query_unref(h->pattern[i].query);
    pshi_free(env, h->tracks);
    memset(h, 0, sizeof *h);
}

static int64_t constant_at(const psh_query_spec *s, uint32_t place) {
    if (place < s->predicate_count)
        return s->predicates[place].values[0].as.i64;
    return place == s->predicate_count ? s->time_from : s->time_to;
}

/* @return 1 and how the rule tells the constant, or 0. */
static int tell(const pshi_habit_track *t, uint32_t rule, const asking *a, int64_t v, int64_t *out) {
    if (rule == PSHI_RULE_VALUE) {
        *out = v;
        return 1;
    }
    if (rule == PSHI_RULE_STEP)
        return !pshi_sub_i64(v, t->last, out);
    if (rule == PSHI_RULE_BUCKET && !a->spec->bucket_ns)
        return 0;
    return t->is_time &&
           pshi_rule_encode(rule, a->clock, a->time, a->spec->bucket_ns, a->origin, v, out);
}

static uint64_t mix(uint64_t h, uint64_t x) {
    return pshi_mix64(h ^ x * UINT64_C(0x9e3779b97f4a7c15));
}

static uint64_t hash_value(uint64_t h, const psh_value *v) {
    const unsigned char *p = v->as.data;
    uint64_t word;
    uint32_t left, n;

    h = mix(h, (uint64_t)v->type << 32 | v->size);
    if (v->type != PSH_TYPE_TEXT && v->type != PSH_TYPE_BYTES)
        return mix(mix(h, (uint64_t)v->as.i64), (uint64_t)v->hi);
    for (left = v->size; left; left -= n, p += n) {
        n = left < 8 ? left : 8;
        word = 0;
        memcpy(&word, p, n);
        h = mix(h, word);
    }
    return h;
}

/* Constants that are no tracks. Long lists count as the whole query does. */
static uint64_t hash_others(const asking *a) {
    const psh_predicate *p = a->spec->predicates;
    uint64_t h = mix(1, a->spec->limit);
    size_t i, k;

    for (i = 0; i < a->spec->predicate_count; i++) {
        if (p[i].value_count > FEW_VALUES)
            return psh_query_id(a->query);
        for (k = 0; k < p[i].value_count && !is_tracked(&p[i]); k++)
            h = hash_value(h, &p[i].values[k]);
    }
    return h;
}

/* @param stored  1: of a pattern, whose request before is not known: its step is taken to be the latest. */
static uint64_t hash_pattern(const pshi_habit *h, const asking *a, int stored) {
    uint64_t x = hash_others(a);
    const pshi_habit_track *t;
    int64_t told;
    uint32_t i;

    for (i = 0; i < h->track_count; i++) {
        t = &h->tracks[i];
        if (stored && t->rule == PSHI_RULE_STEP)
            told = t->recent[PSHI_RULE_STEP][0];
        else if (!tell(t, t->rule, a, constant_at(a->spec, t->place), &told))
            told = INT64_MIN;
        x = mix(x, (uint64_t)told + t->rule);
    }
    return x;
}

static uint32_t find_pattern(const pshi_habit *h, uint64_t hash) {
    uint32_t i;

    for (i = 0; i < h->pattern_count && h->pattern[i].hash != hash; i++) {
    }
    return i;
}

/* Moves what was told to the front. @return 1 if it is as the last one, AGAIN if as one before that, else 0. */
static double remember(pshi_habit_track *t, uint32_t rule, int64_t told) {
    int64_t *r = t->recent[rule];
    uint32_t n = t->known[rule], i, found, at;

    for (i = 0; i < n && r[i] != told; i++) {
    }
    found = i < n;
    if (!found && n < PSHI_RECENT)
        t->known[rule] = (uint8_t)(n + 1);
    at = i;
    i = found ? i : n < PSHI_RECENT ? n : PSHI_RECENT - 1;
    for (; i; i--)
        r[i] = r[i - 1];
    r[0] = told;
    return !found ? 0 : at ? AGAIN : 1;
}

static uint32_t best_rule(const pshi_habit_track *t, int64_t v, int64_t time) {
    const uint8_t *order = value_first;
    uint32_t best, i;
    int64_t apart;

    if (t->is_time && (v == PSH_TIME_MIN || v == PSH_TIME_MAX || pshi_sub_i64(v, time, &apart) || apart < -NEAR ||
                       apart > NEAR))
        order = value_first;
    else if (t->is_time)
        order = near_first;
    best = order[0];
    for (i = 1; i < PSHI_RULES; i++)
        if (t->rate[order[i]] > t->rate[best] + MARGIN)
            best = order[i];
    return t->rate[best] > t->rate[t->rule] + MARGIN || t->known[PSHI_RULE_VALUE] <= 1 ? best : t->rule;
}

/* @return 1 if another rule tells it from now on. */
static int learn_track(pshi_habit_track *t, const asking *a, uint32_t asked) {
    int64_t v = constant_at(a->spec, t->place), told;
    double n = asked < RATE_SPAN ? asked : RATE_SPAN;
    uint32_t rule, was = t->rule;
    double hit;

    for (rule = 0; rule < PSHI_RULES; rule++) {
        if (rule == PSHI_RULE_STEP && !asked)
            continue;
        hit = tell(t, rule, a, v, &told) ? remember(t, rule, told) : 0;
        hit = rule != PSHI_RULE_STEP || told ? hit : 0;
        if (asked)
            t->rate[rule] += (float)((hit - (double)t->rate[rule]) / n);
    }
    t->rule = best_rule(t, v, a->time);
    return t->rule != was;
}

/* Patterns that another rule tells alike become one, the one seen last. */
static void rehash(pshi_habit *h) {
    pshi_clock clock = { 0 };
    pshi_pattern p;
    uint32_t n = h->pattern_count, i, at;
    asking a;

    h->pattern_count = 0;
    for (i = 0; i < n; i++) {
        p = h->pattern[i];
        pshi_clock_set(&clock, p.time);
        a = asking_of(p.query, &clock, p.time);
        p.hash = hash_pattern(h, &a, 1);
        at = find_pattern(h, p.hash);
        if (at == h->pattern_count) {
            h->pattern[h->pattern_count++] = p;
            continue;
        }
        p.count += h->pattern[at].count;
        p.error += h->pattern[at].error;
        if (p.time < h->pattern[at].time) {
            psh_query_unref(p.query);
            p.query = h->pattern[at].query;
            p.time = h->pattern[at].time;
            p.tenant = h->pattern[at].tenant;
        } else {
            psh_query_unref(h->pattern[at].query);
        }
        h->pattern[at] = p;
    }
}

static void add_pattern(pshi_habit *h, uint64_t hash, psh_query *q, int64_t time, uint64_t tenant) {
    uint32_t at = find_pattern(h, hash), i;
    pshi_pattern *p;

    if (at < h->pattern_count && pshi_time_add(h->pattern[at].time, PSH_DAY) > time) {
        h->pattern[at].count++;
        return;
    }
    if (at == PSHI_PATTERNS) {
        for (i = 1, at = 0; i < PSHI_PATTERNS; i++)
            at = h->pattern[i].count < h->pattern[at].count ? i : at;
        h->pattern[at].error = h->pattern[at].count;
    }
    p = &h->pattern[at];
    if (at == h->pattern_count) {
        h->pattern_count++;
        p->count = p->error = 0;
        p->query = NULL;
    }
    psh_query_ref(q);
    psh_query_unref(p->query);
    p->query = q;
    p->hash = hash;
    p->time = time;
    p->tenant = tenant;
    p->count++;
}

/* Patterns of which next to nothing is left are forgotten. */
static void fade(pshi_habit *h) {
    uint32_t i, n = 0;

    h->scored /= 2;
    h->hits /= 2;
    for (i = 0; i < h->pattern_count; i++) {
        h->pattern[i].count /= 2;
        h->pattern[i].error /= 2;
        if (h->pattern[i].count < LEAST_COUNT)
            psh_query_unref(h->pattern[i].query);
        else
            h->pattern[n++] = h->pattern[i];
    }
    h->pattern_count = n;
}

static int is_due(const pshi_habit *h, int64_t time) {
    int64_t since;

    return h->asked < EAGER || h->asked % EVERY == 0 || pshi_sub_i64(time, h->learned, &since) ||
           since >= PSH_MINUTE;
}

void pshi_habit_learn(pshi_habit *h, const pshi_clock *c, psh_query *q, int64_t time, uint64_t tenant) {
    uint64_t hash;
    uint32_t i;
    int changed = 0;
    asking a;

    if (!h->places)
        return;
    a = asking_of(q, c, time);
    hash = hash_pattern(h, &a, 0);
    if (h->asked) {
        h->scored++;
        h->hits += find_pattern(h, hash) < h->pattern_count;
    }
    if (is_due(h, time)) {
        for (i = 0; i < h->track_count; i++)
            changed |= learn_track(&h->tracks[i], &a, h->asked);
        h->learned = time;
    }
    if (changed) {
        rehash(h);
        hash = hash_pattern(h, &a, 0);
    }
    add_pattern(h, hash, q, time, tenant);
    for (i = 0; i < h->track_count; i++)
        h->tracks[i].last = constant_at(a.spec, h->tracks[i].place);
    h->asked += h->asked < UINT32_MAX - EVERY;
    if (h->scored >= WINDOW)
        fade(h);
}

double pshi_habit_rate(const pshi_habit *h) {
    return h->places && h->asked ? (h->hits + 0.5) / (h->scored + 1) : 0;
}

double pshi_habit_share(const pshi_habit *h, uint32_t i) {
    double sum = 0;
    uint32_t k;

    for (k = 0; k < h->pattern_count; k++)
        sum += h->pattern[k].count - h->pattern[k].error;
    return sum > 0 ? pshi_habit_rate(h) * (h->pattern[i].count - h->pattern[i].error) / sum : 0;
}

/* The constant that a track will have. */
static int foretell(const pshi_habit_track *t, const asking *then, const asking *at, int64_t *out) {
    int64_t told;

    if (t->rule == PSHI_RULE_STEP)
        return t->known[t->rule] && !pshi_add_i64(t->last, t->recent[t->rule][0], out);
    if (!tell(t, t->rule, then, constant_at(then->spec, t->place), &told))
        return 0;
    if (t->rule == PSHI_RULE_VALUE) {
        *out = told;
        return 1;
    }
    return pshi_rule_decode(t->rule, at->clock, at->time, at->spec->bucket_ns, at->origin, told, out);
}

psh_status pshi_habit_make(
    psh_env *env, const pshi_habit *h, uint32_t i, const pshi_clock *c, int64_t at, psh_query **out) {
    psh_predicate predicates[PSHI_MOST_PLACES];
    psh_value values[PSHI_MOST_PLACES];
    psh_query *q = h->pattern[i].query;
    pshi_clock clock = { 0 };
    psh_query_spec spec;
    asking then, now;
    int64_t x;
    uint32_t k;
    psh_status st;

    pshi_clock_set(&clock, h->pattern[i].time);
    then = asking_of(q, &clock, h->pattern[i].time);
    now = asking_of(q, c, at);
    spec = *then.spec;
    for (k = 0; k < spec.predicate_count; k++)
        predicates[k] = spec.predicates[k];
    for (k = 0; k < h->track_count; k++) {
        uint32_t place = h->tracks[k].place;

        if (!foretell(&h->tracks[k], &then, &now, &x))
            return PSH_E_NOT_FOUND;
        if (place < spec.predicate_count) {
            values[place] = predicates[place].values[0];
            values[place].as.i64 = x;
            predicates[place].values = &values[place];
        } else if (place == spec.predicate_count) {
            spec.time_from = x;
        } else {
            spec.time_to = x;
        }
    }
    spec.predicates = spec.predicate_count ? predicates : NULL;
    st = psh_query_create(env, psh_query_schema(q), &spec, out, NULL);
    return st == PSH_OK || st == PSH_E_NOMEM ? st : PSH_E_NOT_FOUND;
}

uint32_t pshi_habit_rule(const pshi_habit *h, uint32_t place) {
    uint32_t i;

    for (i = 0; i < h->track_count && h->tracks[i].place != place; i++) {
    }
    return i < h->track_count ? h->tracks[i].rule : PSHI_RULE_VALUE;
}

uint64_t pshi_habit_bytes(const pshi_habit *h) {
    return (uint64_t)h->track_count * sizeof *h->tracks;
}

static void put_track(pshi_writer *w, const pshi_habit_track *t) {
    uint32_t rule, i;

    pshi_put_var(w, t->rule);
    pshi_put_int(w, t->last);
    for (rule = 0; rule < PSHI_RULES; rule++) {
        pshi_put_var(w, t->known[rule]);
        for (i = 0; i < t->known[rule]; i++)
            pshi_put_int(w, t->recent[rule][i]);
        pshi_put_f64(w, (double)t->rate[rule]);
    }
}

void pshi_habit_put(pshi_writer *w, const pshi_habit *h) {
    uint32_t i;

    pshi_put_var(w, h->asked);
    pshi_put_int(w, h->learned);
    pshi_put_f64(w, h->scored);
    pshi_put_f64(w, h->hits);
    for (i = 0; i < h->track_count; i++)
        put_track(w, &h->tracks[i]);
    pshi_put_var(w, h->pattern_count);
    for (i = 0; i < h->pattern_count; i++) {
        pshi_put_u64(w, h->pattern[i].hash);
        pshi_put_f64(w, h->pattern[i].count);
        pshi_put_f64(w, h->pattern[i].error);
        pshi_put_int(w, h->pattern[i].time);
        pshi_put_u64(w, h->pattern[i].tenant);
        pshi_query_put(w, h->pattern[i].query);
    }
}

static void get_track(pshi_cursor *c, pshi_habit_track *t) {
    uint32_t rule, i, n;
    double rate;

    t->rule = pshi_get_var32(c);
    t->last = pshi_get_int(c);
    for (rule = 0; rule < PSHI_RULES; rule++) {
        n = pshi_get_var32(c);
        if (n > PSHI_RECENT)
            pshi_read_bad(c);
        for (i = 0; c->status == PSH_OK && i < n; i++)
            t->recent[rule][i] = pshi_get_int(c);
        t->known[rule] = c->status == PSH_OK ? (uint8_t)n : 0;
        rate = pshi_get_f64(c);
        if (rate < 0 || rate > 1)
            pshi_read_bad(c);
        t->rate[rule] = (float)rate;
    }
    if (t->rule >= PSHI_RULES || (!t->is_time && t->rule != PSHI_RULE_VALUE && t->rule != PSHI_RULE_STEP))
        pshi_read_bad(c);
}

static psh_status get_pattern(psh_env *env, pshi_cursor *c, pshi_habit *h, const psh_query *q) {
    pshi_pattern *p = &h->pattern[h->pattern_count];
    psh_status st;

    p->hash = pshi_get_u64(c);
    p->count = pshi_get_f64(c);
    p->error = pshi_get_f64(c);
    p->time = pshi_get_int(c);
    p->tenant = pshi_get_u64(c);
    if (!(p->count > 0) || p->count > MOST_COUNT || p->error < 0 || p->error > p->count)
        pshi_read_bad(c);
    if (p->time == PSH_TIME_NONE || find_pattern(h, p->hash) < h->pattern_count)
        pshi_read_bad(c);
    if (c->status != PSH_OK)
        return c->status;
    st = pshi_query_get(env, psh_query_schema(q), c, &p->query);
    if (st != PSH_OK)
        return st;
    h->pattern_count++;
    if (psh_query_fingerprint(p->query) != psh_query_fingerprint(q))
        pshi_read_bad(c);
    return c->status;
}

psh_status pshi_habit_get(psh_env *env, pshi_cursor *c, pshi_habit *h, const psh_query *q) {
    psh_status st = PSH_OK;
    uint32_t i, n;

    h->asked = pshi_get_var32(c);
    h->learned = pshi_get_int(c);
    h->scored = pshi_get_f64(c);
    h->hits = pshi_get_f64(c);
    if (h->hits < 0 || h->hits > h->scored || h->scored > WINDOW)
        pshi_read_bad(c);
    for (i = 0; i < h->track_count; i++)
        get_track(c, &h->tracks[i]);
    n = pshi_get_var32(c);
    if (n > PSHI_PATTERNS || (n && !h->places))
        pshi_read_bad(c);
    for (i = 0; st == PSH_OK && c->status == PSH_OK && i < n; i++)
        st = get_pattern(env, c, h, q);
    return st == PSH_OK ? c->status : st;
}
