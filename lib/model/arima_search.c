/* SPDX-License-Identifier: MIT */
/* The stepwise search of Hyndman & Khandakar, "Automatic time series forecasting: the forecast package for R",
 * J. Statistical Software 27(3), 2008, section 3.2. */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "model/arima.h"

#define MOST_MODELS 94u
#define SEARCH_WORK 1e8     /* multiplications of all fits */
#define FINAL_WORK 6e7      /* of the last one */
#define FINAL_CALLS 120     /* of its residuals, about: what must fit into FINAL_WORK */
#define RADIUS 1.01         /* roots nearer to the unit circle are refused */
#define EXACT_POINTS 150u   /* up to here, and up to a season of 12, every fit is exact */

typedef struct search {
    pshi_arima_work *w;
    uint32_t most_p, most_q, most_sp, most_sq;
    int exact;
    pshi_arima_result *tried; /* Shape [MOST_MODELS] */
    uint32_t count;
    pshi_arima_result *best;  /* in tried, or NULL */
    uint8_t seen[(PSHI_ARIMA_MOST_P + 1) * (PSHI_ARIMA_MOST_P + 1) * 18];
} search;

static uint8_t *seen_at(search *s, const pshi_arima_order *o) {
    return &s->seen[((((o->p * 6 + o->q) * 3) + o->sp) * 3 + o->sq) * 2 + o->constant];
}

static int is_allowed(const search *s, const pshi_arima_order *o) {
    size_t n = s->w->n, lags = (size_t)pshi_arima_ar_lag(o) + pshi_arima_ma_lag(o);

    if (o->p > s->most_p || o->q > s->most_q || o->sp > s->most_sp || o->sq > s->most_sq)
        return 0;
    if (!pshi_arima_count(o) || lags == 0)
        return 1;
    return lags + pshi_arima_count(o) + 2 < n;
}

/* @return 1 if it is better than what was tried before. */
static int try_order(search *s, const pshi_arima_order *o) {
    pshi_arima_result *r = &s->tried[s->count];

    if (s->count == MOST_MODELS || (s->count && s->w->left <= 0) || !is_allowed(s, o) || *seen_at(s, o))
        return 0;
    *seen_at(s, o) = 1;
    s->count++;
    pshi_arima_fit_order(s->w, o, s->exact, NULL, r);
    if (!pshi_arima_roots_beyond(o, r->coef, RADIUS))
        r->aicc = HUGE_VAL;
    if (r->aicc == HUGE_VAL || (s->best && !(r->aicc < s->best->aicc)))
        return 0;
    s->best = r;
    return 1;
}

static int try_at(search *s, pshi_arima_order o, uint32_t p, uint32_t q, uint32_t sp, uint32_t sq) {
    o.p = p < s->most_p ? p : s->most_p;
    o.q = q < s->most_q ? q : s->most_q;
    o.sp = sp < s->most_sp ? sp : s->most_sp;
    o.sq = sq < s->most_sq ? sq : s->most_sq;
    return try_order(s, &o);
}

/* One neighbour of the best that is better than it: seasonal orders first, then the others, then the constant. */
static int move(search *s, uint32_t allow_constant) {
    static const int8_t by[][4] = {
        { 0, 0, -1, 0 }, { 0, 0, 0, -1 }, { 0, 0, 1, 0 }, { 0, 0, 0, 1 }, { 0, 0, -1, -1 }, { 0, 0, -1, 1 },
        { 0, 0, 1, -1 }, { 0, 0, 1, 1 },  { -1, 0, 0, 0 }, { 0, -1, 0, 0 }, { 1, 0, 0, 0 }, { 0, 1, 0, 0 },
        { -1, -1, 0, 0 }, { -1, 1, 0, 0 }, { 1, -1, 0, 0 }, { 1, 1, 0, 0 },
    };
    pshi_arima_order at = s->best->order, o;
    size_t i;

    for (i = 0; i < sizeof by / sizeof *by; i++) {
        o = at;
        o.p += (uint32_t)by[i][0]; /* below 0 wraps round and is refused */
        o.q += (uint32_t)by[i][1];
        o.sp += (uint32_t)by[i][2];
        o.sq += (uint32_t)by[i][3];
        if (try_order(s, &o))
            return 1;
    }
    o = at;
    o.constant ^= 1;
    return allow_constant && try_order(s, &o);
}

static void set_bounds(search *s, const pshi_arima_order *base, size_t n_y) {
    uint32_t cycles = base->s && base->s <= PSHI_ARIMA_MOST_SPQ ? (uint32_t)(n_y / 3 / base->s) : 0;

    s->most_p = n_y / 3 < PSHI_ARIMA_MOST_P ? (uint32_t)(n_y / 3) : PSHI_ARIMA_MOST_P;
    s->most_sp = cycles < PSHI_ARIMA_MOST_SP ? cycles : PSHI_ARIMA_MOST_SP;
    if (s->most_sp && s->most_p > base->s - 1)
        s->most_p = base->s - 1;
    s->most_q = s->most_p;
    s->most_sq = s->most_sp;
    s->exact = n_y <= EXACT_POINTS && base->s <= 12;
}

static void first_four(search *s, const pshi_arima_order *base, size_t n_y) {
    pshi_arima_order plain = *base;
    int few = n_y < 10;

    try_at(s, *base, 0, 0, 0, 0);
    try_at(s, *base, few ? 1 : 2, few ? 1 : 2, !few, !few);
    try_at(s, *base, 1, 0, 1, 0);
    try_at(s, *base, 0, 1, 0, 1);
    plain.constant = 0;
    try_at(s, plain, 0, 0, 0, 0);
}

static pshi_arima_result *best_left(search *s) {
    pshi_arima_result *best = NULL;
    uint32_t i;

    for (i = 0; i < s->count; i++)
        if (s->tried[i].aicc < HUGE_VAL && (!best || s->tried[i].aicc < best->aicc))
            best = &s->tried[i];
    return best;
}

/* The best of the approximate fits for which the exact one is good too; else the best approximate one. */
static void finish(search *s, pshi_arima_result *out) {
    pshi_arima_result *next, fit;
    int tries;

    *out = *(s->best ? s->best : s->tried);
    s->w->left = FINAL_WORK;
    for (tries = 0; tries < 4 && !s->exact && (next = best_left(s)) != NULL; tries++) {
        if (pshi_arima_ar_lag(&next->order) > s->w->width || pshi_arima_ma_lag(&next->order) > s->w->width ||
            pshi_arima_cost(s->w, &next->order, 1) * FINAL_CALLS > FINAL_WORK)
            return;
        pshi_arima_fit_order(s->w, &next->order, 1, next->beta, &fit);
        if (fit.aicc < HUGE_VAL && pshi_arima_roots_beyond(&fit.order, fit.coef, RADIUS)) {
            *out = fit;
            return;
        }
        next->aicc = HUGE_VAL;
    }
}

psh_status pshi_arima_search(pshi_arima_work *w, const pshi_arima_order *base, size_t n_y, pshi_arima_result *out) {
    search s = { w };

    s.tried = pshi_calloc(w->env, MOST_MODELS, sizeof *s.tried);
    if (!s.tried)
        return PSH_E_NOMEM;
    w->left = SEARCH_WORK;
    set_bounds(&s, base, n_y);
    first_four(&s, base, n_y);
    while (s.best && move(&s, base->constant))
        continue;
    finish(&s, out);
    pshi_free(w->env, s.tried);
    return PSH_OK;
}
