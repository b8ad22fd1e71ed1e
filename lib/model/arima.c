/* SPDX-License-Identifier: MIT */
/* Seasonal ARIMA with order selection: Hyndman & Khandakar, "Automatic time series forecasting: the forecast
 * package for R", J. Statistical Software 27(3), 2008. The model goes on as a difference equation over rings of
 * values and of what past innovations still add (Box & Jenkins, "Time Series Analysis", chapter 5). */
#include "model/arima.h"

#include <math.h>
#include <string.h>

#include "base/env.h"

#define KPSS_5_PERCENT 0.463 /* Kwiatkowski et al. 1992, table 1 */
#define STRONG_SEASON 0.64   /* as forecast::nsdiffs in R */
#define FEW 5u               /* shorter histories: a random walk */
#define MOST_EXACT_LAG 128u
#define MOST_COEFFICIENT 64.0
#define MOST_STATE 0x1p200   /* where values far ahead are cut off */
#define MOST_PSI 0x1p60

typedef struct arima {
    pshi_arima_order order;
    uint32_t exact;
    uint32_t y_at, past_at;             /* oldest value; what is added to the next one */
    uint32_t y_count, past_count;
    double coef[PSHI_ARIMA_MOST_COEF];  /* the mean in the units of y */
    double variance, loglik, aicc;
    double level;                       /* mean times phi(1) Phi(1) */
    pshi_arima_taps ar, ma;             /* ar with differences */
    double ring[];                      /* y: Shape [y_count]; past: Shape [past_count] */
} arima;

static double cut(double x, double most) {
    return x > most ? most : x > -most ? x : -most;
}

static size_t arima_bytes(const pshi_arima_order *o) {
    return sizeof(arima) + (pshi_arima_ar_lag(o) + o->d + o->s * o->sd + pshi_arima_ma_lag(o)) * sizeof(double);
}

/* What follows from order and coefficients. */
static void expand(arima *s) {
    uint32_t i, n = pshi_arima_count(&s->order);
    double sum = 1;

    pshi_arima_ar(&s->order, s->coef, 0, &s->ar);
    for (i = 0; i < s->ar.n; i++)
        sum -= s->ar.by[i];
    s->level = s->order.constant ? s->coef[n - 1] * sum : 0;
    pshi_arima_ar(&s->order, s->coef, 1, &s->ar);
    pshi_arima_ma(&s->order, s->coef, &s->ma);
    s->y_count = s->ar.most;
    s->past_count = s->ma.most;
}

/* The series to work on: its last values, and how often they are differenced. */
typedef struct prepared {
    const double *y;
    size_t n, n_x;
    double *x;     /* Shape [n], differenced, by 1 / scale */
    double scale;
    int same;      /* all x are equal */
    pshi_arima_order order;
} prepared;

static int all_equal(const double *x, size_t n) {
    size_t i;

    for (i = 1; i < n; i++)
        if (x[i] != x[0])
            return 0;
    return 1;
}

static void choose_span(const pshi_fit *in, prepared *p) {
    uint32_t s = in->seasons ? in->season[0] : 0;
    size_t most = PSHI_ARIMA_POINTS;

    s = s <= PSHI_ARIMA_MOST_S && in->n > 2 * (size_t)s ? s : 0;
    if (most < 3 * (size_t)s)
        most = 3 * (size_t)s;
    p->n = in->n < most ? in->n : most;
    p->y = in->y + (in->n - p->n);
    p->order.s = s;
}

static void rescale(double *x, size_t n, double *scale) {
    double most = 0;
    size_t i;

    for (i = 0; i < n; i++)
        most = fabs(x[i]) > most ? fabs(x[i]) : most;
    if (!(most > 1e-290))
        most = 1;
    for (i = 0; i < n; i++)
        x[i] /= most;
    *scale *= most;
}

static void difference(prepared *p, uint32_t lag) {
    pshi_arima_difference(p->x, p->n_x, lag);
    p->n_x -= lag;
    rescale(p->x, p->n_x, &p->scale);
}

/* As forecast::auto.arima: the season first, then the level, at most two in all. */
static psh_status choose_differences(psh_env *env, prepared *p) {
    double strength = 0;
    psh_status st;

    p->scale = 1;
    p->n_x = p->n;
    memcpy(p->x, p->y, p->n * sizeof *p->x);
    rescale(p->x, p->n_x, &p->scale);
    if (p->order.s && !all_equal(p->x, p->n_x)) {
        st = pshi_arima_strength(env, p->x, p->n_x, p->order.s, &strength);
        if (st != PSH_OK)
            return st;
    }
    if (strength > STRONG_SEASON) {
        p->order.sd = 1;
        difference(p, p->order.s);
    }
    while (p->order.d < 2 && p->n_x > 1 && !all_equal(p->x, p->n_x) &&
           (p->n < FEW ? p->order.d == 0 : pshi_arima_kpss(p->x, p->n_x) > KPSS_5_PERCENT)) {
        p->order.d++;
        difference(p, 1);
    }
    p->same = all_equal(p->x, p->n_x);
    p->order.constant = p->n >= FEW || p->order.d == 0 ? p->order.d + p->order.sd < 2 : 0;
    return PSH_OK;
}

/* Nothing moves, or there is next to nothing: differences and a mean. */
static void fit_trivial(const prepared *p, pshi_arima_result *r) {
    size_t t;

    memset(r, 0, sizeof *r);
    r->order = p->order;
    r->aicc = r->loglik = 0;
    if (p->order.constant && p->same)
        r->coef[0] = p->x[0];
    for (t = 0; t < p->n_x; t++)
        r->variance += (p->x[t] - r->coef[0]) * (p->x[t] - r->coef[0]) / (double)p->n_x;
}

static psh_status make_state(
    const pshi_fit *in, const prepared *p, pshi_arima_work *w, const pshi_arima_result *r, void **state,
    size_t *bytes) {
    arima *s;
    double n = (double)p->n_x, log_scale = log(p->scale);
    uint32_t i, k = pshi_arima_count(&r->order);

    *bytes = arima_bytes(&r->order);
    s = pshi_calloc(in->env, 1, *bytes);
    if (!s)
        return PSH_E_NOMEM;
    s->order = r->order;
    s->exact = r->exact;
    memcpy(s->coef, r->coef, sizeof s->coef);
    if (s->order.constant)
        s->coef[k - 1] *= p->scale;
    s->variance = r->variance * p->scale * p->scale;
    s->loglik = r->loglik - n * log_scale;
    s->aicc = cut(r->aicc, 1e300) + 2 * n * log_scale;
    expand(s);
    for (i = 0; i < s->y_count; i++)
        s->ring[i] = in->y[in->n - s->y_count + i];
    if (s->past_count)
        pshi_arima_past(w, r, s->ring + s->y_count);
    for (i = 0; i < s->past_count; i++)
        s->ring[s->y_count + i] *= p->scale;
    *state = s;
    return PSH_OK;
}

static psh_status fit_prepared(const pshi_fit *in, prepared *p, void **state, size_t *bytes) {
    pshi_arima_work w = { in->env };
    pshi_arima_result r;
    psh_status st = choose_differences(in->env, p);

    if (st != PSH_OK)
        return st;
    if (p->same || p->n < FEW) {
        fit_trivial(p, &r);
        return make_state(in, p, &w, &r, state, bytes);
    }
    w.x = p->x;
    w.n = p->n_x;
    w.width = PSHI_ARIMA_MOST_P + PSHI_ARIMA_MOST_SP * (size_t)p->order.s;
    w.width = w.width < MOST_EXACT_LAG ? w.width : MOST_EXACT_LAG;
    st = pshi_arima_prepare(&w, p->order.s);
    if (st == PSH_OK)
        st = pshi_arima_search(&w, &p->order, p->n, &r);
    if (st == PSH_OK)
        st = make_state(in, p, &w, &r, state, bytes);
    pshi_free(in->env, w.block);
    return st;
}

static psh_status fit_arima(const pshi_fit *in, void **state, size_t *bytes) {
    prepared p = { 0 };
    psh_status st;

    choose_span(in, &p);
    p.x = pshi_alloc(in->env, p.n * sizeof *p.x);
    if (!p.x)
        return PSH_E_NOMEM;
    st = fit_prepared(in, &p, state, bytes);
    pshi_free(in->env, p.x);
    return st;
}

/* The value `back` steps before the next one. */
static double y_before(const arima *s, uint32_t back) {
    uint32_t i = s->y_at + s->y_count - back;

    return s->ring[i < s->y_count ? i : i - s->y_count];
}

static double *past_at(arima *s, uint32_t ahead) {
    uint32_t i = s->past_at + ahead;

    return s->ring + s->y_count + (i < s->past_count ? i : i - s->past_count);
}

static void update_arima(void *state, double y, const double *x) {
    arima *s = state;
    double e = y - s->level;
    uint32_t i;

    (void)x;
    for (i = 0; i < s->ar.n; i++)
        e -= s->ar.by[i] * y_before(s, s->ar.lag[i]);
    if (s->past_count) {
        e = cut(e - *past_at(s, 0), MOST_STATE);
        *past_at(s, 0) = 0;
        s->past_at = s->past_at + 1 < s->past_count ? s->past_at + 1 : 0;
        for (i = 0; i < s->ma.n; i++)
            *past_at(s, s->ma.lag[i] - 1) = cut(*past_at(s, s->ma.lag[i] - 1) + s->ma.by[i] * e, MOST_STATE);
    }
    if (s->y_count) {
        s->ring[s->y_at] = y;
        s->y_at = s->y_at + 1 < s->y_count ? s->y_at + 1 : 0;
    }
}

/* sd: first the weights psi of the innovations, then their running sum of squares. */
static void spread(const arima *s, uint32_t steps, double *sd) {
    double sum = 0;
    uint32_t h, i;

    for (h = 0; h < steps; h++) {
        sd[h] = h == 0;
        for (i = 0; i < s->ar.n; i++)
            if (s->ar.lag[i] <= h)
                sd[h] += s->ar.by[i] * sd[h - s->ar.lag[i]];
        for (i = 0; i < s->ma.n; i++)
            if (s->ma.lag[i] == h)
                sd[h] += s->ma.by[i];
        sd[h] = cut(sd[h], MOST_PSI);
    }
    for (h = 0; h < steps; h++) {
        sum += sd[h] * sd[h];
        sd[h] = sqrt(s->variance * sum);
    }
}

static psh_status forecast_arima(psh_env *env, const void *state, const pshi_ahead *a) {
    const arima *s = state;
    uint32_t h, i, lag;
    double sum;

    (void)env;
    for (h = 0; h < a->steps; h++) {
        sum = s->level;
        for (i = 0; i < s->ar.n; i++) {
            lag = s->ar.lag[i];
            sum += s->ar.by[i] * (lag <= h ? a->mean[h - lag] : y_before(s, lag - h));
        }
        if (h < s->past_count)
            sum += s->ring[s->y_count + (s->past_at + h) % s->past_count];
        a->mean[h] = cut(sum, MOST_STATE);
    }
    if (a->sd)
        spread(s, a->steps, a->sd);
    return PSH_OK;
}

static void dump_order(pshi_writer *w, uint32_t p, uint32_t d, uint32_t q) {
    pshi_text(w, "(");
    pshi_text_u64(w, p);
    pshi_text(w, ",");
    pshi_text_u64(w, d);
    pshi_text(w, ",");
    pshi_text_u64(w, q);
    pshi_text(w, ")");
}

static void dump_some(pshi_writer *w, const char *name, const double *x, uint32_t n) {
    uint32_t i;

    for (i = 0; i < n; i++) {
        pshi_text(w, name);
        pshi_text_u64(w, i + 1);
        pshi_text(w, " ");
        pshi_text_f64(w, x[i]);
    }
}

static void dump_arima(const void *state, pshi_writer *w) {
    const arima *s = state;
    const pshi_arima_order *o = &s->order;
    const double *c = s->coef;

    dump_order(w, o->p, o->d, o->q);
    if (o->s) {
        dump_order(w, o->sp, o->sd, o->sq);
        pshi_text(w, "[");
        pshi_text_u64(w, o->s);
        pshi_text(w, "]");
    }
    dump_some(w, " ar", c, o->p);
    dump_some(w, " sar", c += o->p, o->sp);
    dump_some(w, " ma", c += o->sp, o->q);
    dump_some(w, " sma", c += o->q, o->sq);
    dump_some(w, " mean", c += o->sq, o->constant);
    pshi_text(w, " variance ");
    pshi_text_f64(w, s->variance);
    pshi_text(w, s->exact ? " loglik " : " loglik (conditional) ");
    pshi_text_f64(w, s->loglik);
    pshi_text(w, " aicc ");
    pshi_text_f64(w, s->aicc);
}

static void order_fields(pshi_fields *io, pshi_arima_order *o) {
    pshi_field_u32(io, &o->s, 0, PSHI_ARIMA_MOST_S);
    pshi_field_u32(io, &o->p, 0, PSHI_ARIMA_MOST_P);
    pshi_field_u32(io, &o->d, 0, 2);
    pshi_field_u32(io, &o->q, 0, PSHI_ARIMA_MOST_P);
    pshi_field_u32(io, &o->sp, 0, o->s ? PSHI_ARIMA_MOST_SP : 0);
    pshi_field_u32(io, &o->sd, 0, o->s ? 1 : 0);
    pshi_field_u32(io, &o->sq, 0, o->s ? PSHI_ARIMA_MOST_SP : 0);
    pshi_field_u32(io, &o->constant, 0, 1);
}

static void arima_fields(pshi_fields *io, arima *s) {
    uint32_t k = pshi_arima_count(&s->order) - s->order.constant;

    pshi_field_u32(io, &s->exact, 0, 1);
    pshi_field_f64s(io, s->coef, k, -MOST_COEFFICIENT, MOST_COEFFICIENT);
    pshi_field_f64s(io, s->coef + k, s->order.constant, -MOST_STATE, MOST_STATE);
    pshi_field_f64(io, &s->variance, 0, PSHI_FIELD_MOST);
    pshi_field_f64(io, &s->loglik, -1e308, 1e308);
    pshi_field_f64(io, &s->aicc, -1e308, 1e308);
}

/* Oldest value first, nearest past first, wherever the rings stand. */
static void ring_fields(pshi_fields *io, double *ring, uint32_t n, uint32_t at, double most) {
    pshi_field_f64s(io, ring + at, n - at, -most, most);
    pshi_field_f64s(io, ring, at, -most, most);
}

static void save_arima(const void *state, pshi_writer *w) {
    arima *s = (arima *)(uintptr_t)state; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    order_fields(&io, &s->order);
    arima_fields(&io, s);
    ring_fields(&io, s->ring, s->y_count, s->y_at, PSHI_MODEL_MOST_VALUE);
    ring_fields(&io, s->ring + s->y_count, s->past_count, s->past_at, MOST_STATE);
}

static void *load_arima(psh_env *env, pshi_cursor *c, size_t *bytes) {
    pshi_fields io = { NULL, c };
    pshi_arima_order o = { 0 };
    arima *s;

    order_fields(&io, &o);
    if (o.s == 1 || arima_bytes(&o) - sizeof *s > pshi_read_left(c)) {
        pshi_read_bad(c);
        memset(&o, 0, sizeof o);
    }
    *bytes = arima_bytes(&o);
    s = pshi_calloc(env, 1, *bytes);
    if (!s)
        return NULL;
    s->order = o;
    arima_fields(&io, s);
    expand(s);
    ring_fields(&io, s->ring, s->y_count, 0, PSHI_MODEL_MOST_VALUE);
    ring_fields(&io, s->ring + s->y_count, s->past_count, 0, MOST_STATE);
    return s;
}

const pshi_model_class pshi_model_arima = {
    "arima", 0, fit_arima, update_arima, forecast_arima, NULL, dump_arima, save_arima, load_arima
};
