/* SPDX-License-Identifier: MIT */
/* Maximum likelihood and choice by AICc: Hyndman, Koehler, Ord & Snyder 2008, chapters 5 and 7. */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "math/minimize.h"
#include "model/decompose.h"
#include "model/ets.h"

#define MOST_FORMS 15u
#define MOST_VARIABLES 6u
#define LEAST_SMOOTHING 1e-4
#define MOST_SMOOTHING 0.9999
#define LEAST_DAMPING 0.8
#define MOST_DAMPING 0.98
#define POSITIVE_SHARE 1e-6  /* of the largest value: below it relative errors mean nothing */
#define POLISHED 3u          /* forms of the least AICc that are fitted to the end */
#define ROUNDS 4u
/*
 * Beta(1, 1 + PRIOR) of beta / alpha and gamma / (1 - alpha). Pure likelihood gives short series trends that turn
 * with every value; the prior was chosen by rolling origin (doc/models.md).
 */
#define PRIOR 3
#define SHORT 240u           /* values up to which first states matter enough to be searched with the parameters */

typedef struct ets_task {
    const double *y;
    size_t n;
    pshi_ets *first;      /* before y[0] */
    pshi_ets *run;        /* scratch */
    double *work, *step;  /* of pshi_ets_newton, or NULL */
    uint32_t joint;       /* level and slope are variables too */
    double reference;     /* of the posterior, so that the target is about 1 */
    double value;         /* the best posterior so far, at `first` */
} ets_task;

static double clamp_share(double x, double least, double most, double *outside) {
    double y = x < least ? least : x > most ? most : x;

    *outside += fabs(x - y);
    return y;
}

/* x holds alpha, beta / alpha, gamma / (1 - alpha), phi, level, slope, as far as the form has them. */
static double put_variables(pshi_ets *e, const double *x, uint32_t joint) {
    double outside = 0;

    e->alpha = clamp_share(*x++, LEAST_SMOOTHING, MOST_SMOOTHING, &outside);
    if (e->form.trend)
        e->beta = e->alpha * clamp_share(*x++, LEAST_SMOOTHING, MOST_SMOOTHING, &outside);
    if (e->form.season)
        e->gamma = (1 - e->alpha) * clamp_share(*x++, LEAST_SMOOTHING, MOST_SMOOTHING, &outside);
    if (e->form.trend == PSHI_ETS_DAMPED)
        e->phi = clamp_share(*x++, LEAST_DAMPING, MOST_DAMPING, &outside);
    if (joint)
        e->level = *x++;
    if (joint && e->form.trend)
        e->slope = *x++;
    return outside;
}

static uint32_t get_variables(const pshi_ets *e, double *x, double *side, double spread, uint32_t joint) {
    uint32_t k = 0;

    side[k] = e->alpha > 0.5 ? -0.2 : 0.2;
    x[k++] = e->alpha;
    if (e->form.trend) {
        x[k] = e->beta / e->alpha;
        side[k] = x[k] > 0.5 ? -0.1 : 0.1;
        k++;
    }
    if (e->form.season) {
        x[k] = e->gamma / (1 - e->alpha);
        side[k] = x[k] > 0.5 ? -0.1 : 0.1;
        k++;
    }
    if (e->form.trend == PSHI_ETS_DAMPED) {
        side[k] = e->phi > 0.9 ? -0.05 : 0.05;
        x[k++] = e->phi;
    }
    if (joint) {
        side[k] = spread;
        x[k++] = e->level;
    }
    if (joint && e->form.trend) {
        side[k] = 0.1 * spread;
        x[k++] = e->slope;
    }
    return k;
}

/* Minus twice the log prior of beta / alpha and gamma / (1 - alpha), but for a constant. */
static double prior(const pshi_ets *e) {
    double free = 1;

    if (e->form.trend)
        free *= 1 - e->beta / e->alpha;
    if (e->form.season)
        free *= 1 - e->gamma / (1 - e->alpha);
    return -2 * PRIOR * log(free);
}

/* The same of the first season. */
static double season_prior(const pshi_ets *e) {
    double sum = 0, none = e->form.season == PSHI_ETS_MULTIPLICATIVE ? 1 : 0;
    uint32_t k;

    if (!e->form.season || !(e->width > 0))
        return 0;
    for (k = 0; k < e->form.m; k++)
        sum += (e->season[k] - none) * (e->season[k] - none);
    return sum / e->width;
}

/* Minus twice the log posterior. */
static double posterior(ets_task *t, double *squares) {
    double before = prior(t->run) + season_prior(t->run); /* the run changes the season */

    return pshi_ets_admissible(t->run) ? before + pshi_ets_run(t->run, t->y, t->n, squares) : HUGE_VAL;
}

static void begin_run(ets_task *t) {
    memcpy(t->run, t->first, pshi_ets_bytes(t->first->form.m));
}

/* The mean square rather than its logarithm: positive, so that a relative tolerance means something. */
static double target(void *user, const double *x) {
    ets_task *t = user;
    double outside, squares;

    begin_run(t);
    outside = put_variables(t->run, x, t->joint);
    return exp((posterior(t, &squares) - t->reference) / (double)t->n) * (1 + outside);
}

static double value_here(ets_task *t, double *squares) {
    begin_run(t);
    return posterior(t, squares);
}

/* Coarse looks along each parameter, so that the search begins in the right valley. */
static void look_around(ets_task *t) {
    static const double alphas[] = { 0.2, 0.05, 0.5, 0.9 }, shares[] = { 0.05, 0.005, 0.35, 0.95 };
    double x[MOST_VARIABLES], best[MOST_VARIABLES] = { 0.2, 0.05, 0.05, 0.95 }, v;
    uint32_t k, i, count = 1 + (t->first->form.trend ? 1 : 0) + (t->first->form.season ? 1 : 0);
    double squares;

    best[count] = 0.95;
    t->value = HUGE_VAL;
    for (k = 0; k < count; k++) {
        memcpy(x, best, sizeof x);
        for (i = 0; i < 4; i++) {
            x[k] = k ? shares[i] : alphas[i];
            begin_run(t);
            put_variables(t->run, x, 0);
            v = posterior(t, &squares);
            if (v < t->value) {
                t->value = v;
                memcpy(best, x, sizeof x);
            }
        }
    }
    put_variables(t->first, best, 0);
}

static void add_step(pshi_ets *e, const double *step, double share) {
    uint32_t k = 0, i;

    e->level += share * step[k++];
    if (e->form.trend)
        e->slope += share * step[k++];
    for (i = 0; e->form.season && i < e->form.m; i++)
        e->season[i] += share * step[k++];
}

/* Moves the first states as long as the posterior gains. */
static void improve_states(ets_task *t) {
    double share = 1, v = HUGE_VAL, squares;
    uint32_t i;

    if (!t->work || !isfinite(t->value) || !pshi_ets_newton(t->first, t->y, t->n, t->work, t->step))
        return;
    for (i = 0; i < 4 && !(v < t->value); i++, share /= 3) {
        begin_run(t);
        add_step(t->run, t->step, share);
        v = posterior(t, &squares);
    }
    if (!(v < t->value))
        return;
    t->value = v;
    add_step(t->first, t->step, share * 3);
    pshi_ets_normalise(t->first);
}

static void improve_parameters(ets_task *t, uint32_t most, double tolerance, double shrink) {
    double x[MOST_VARIABLES] = { 0 }, side[MOST_VARIABLES] = { 0 }, squares, v;
    uint32_t k, n;

    t->reference = value_here(t, &squares);
    if (!isfinite(t->reference))
        t->reference = 0;
    n = get_variables(t->first, x, side, isfinite(squares) ? sqrt(squares / (double)t->n) + 1e-9 : 0.1, t->joint);
    for (k = 0; k < n; k++)
        side[k] *= shrink;
    pshi_minimize(target, t, x, side, n, most, tolerance);
    begin_run(t);
    put_variables(t->run, x, t->joint);
    v = posterior(t, &squares);
    if (!(v < t->value))
        return;
    t->value = v;
    put_variables(t->first, x, t->joint);
}

static void fit_coarsely(ets_task *t) {
    uint32_t variables = t->first->form.trend + 1 + (t->first->form.season ? 1 : 0);

    pshi_ets_start(t->first, t->y, t->n);
    t->joint = 0;
    look_around(t);
    improve_states(t);
    improve_parameters(t, 12 + 12 * variables, 1e-3, 1);
    if (t->n <= SHORT)
        improve_states(t);
}

static void fit_finely(ets_task *t) {
    double before;
    uint32_t i, rounds = t->n <= SHORT ? ROUNDS : 1;

    t->joint = t->n <= SHORT || !t->work;
    for (i = 0; i < rounds; i++) {
        before = t->value;
        improve_parameters(t, t->n <= SHORT ? 200 : 40, t->n <= SHORT ? 1e-7 : 1e-5, i ? 0.1 : 0.3);
        improve_states(t);
        if (!(t->value < before - 0.02))
            break;
    }
}

static double parameters(const pshi_ets_form *f) {
    double states = 1 + (f->trend ? 1 : 0) + (f->season ? f->m - 1.0 : 0);

    return states + 1 + (f->trend ? f->trend : 0) + (f->season ? 1 : 0);
}

/* AICc, with the variance as a parameter, without the prior of the season; infinite if there are too few values. */
static double criterion(const ets_task *t) {
    double k = parameters(&t->first->form) + 1, left = (double)t->n - k - 1;

    if (!(left > 0))
        return HUGE_VAL;
    return t->value - season_prior(t->first) + 2 * k + 2 * k * (k + 1) / left;
}

/* What can be chosen: multiplicative forms for positive values; those of unbounded variance never. */
static uint32_t list_forms(const pshi_ets_choice *c, uint32_t m, int positive, pshi_ets_form *forms) {
    pshi_ets_form f = { PSHI_ETS_ADDITIVE, c->trend, m > 1 ? PSHI_ETS_ADDITIVE : 0, m };
    uint32_t count = 0, i;

    if (!c->automatic) {
        forms[0] = f;
        return 1;
    }
    for (i = 0; i < 18; i++) {
        f.trend = i / 6;
        f.season = i / 2 % 3;
        f.error = 1 + i % 2;
        if ((f.season && m < 2) || (!positive && (f.season == 2 || f.error == 2)))
            continue;
        if (f.season == PSHI_ETS_MULTIPLICATIVE && f.error == PSHI_ETS_ADDITIVE)
            continue;
        forms[count] = f;
        forms[count++].m = f.season ? m : 1;
    }
    return count;
}

/* All that one fit needs, in one block. */
typedef struct ets_fit {
    psh_env *env;
    ets_task task;
    uint32_t count;
    pshi_ets_form forms[MOST_FORMS];
    double value[MOST_FORMS], aicc[MOST_FORMS];
    unsigned char *blocks; /* a state per form and the scratch, size bytes each */
    size_t size;
} ets_fit;

static psh_status take_memory(ets_fit *f, uint32_t m) {
    pshi_ets_form most = { 0, PSHI_ETS_ADDITIVE, m > 1 ? PSHI_ETS_ADDITIVE : 0, m };
    size_t work = m <= PSHI_ETS_MOST_FREE_SEASON ? pshi_ets_newton_work(&most) + pshi_ets_free_states(&most) : 0;

    f->size = pshi_ets_bytes(m);
    f->blocks = pshi_calloc(f->env, f->count + 1, f->size);
    f->task.work = work ? pshi_alloc(f->env, work * sizeof(double)) : NULL;
    if (!f->blocks || (work && !f->task.work))
        return PSH_E_NOMEM;
    if (work)
        f->task.step = f->task.work + pshi_ets_newton_work(&most);
    f->task.run = (pshi_ets *)(void *)(f->blocks + f->count * f->size);
    return PSH_OK;
}

static void take_form(ets_fit *f, uint32_t i) {
    f->task.first = (pshi_ets *)(void *)(f->blocks + i * f->size);
    f->task.value = f->value[i];
    f->task.first->form = f->forms[i];
}

static uint32_t least_form(const ets_fit *f, const uint8_t *done) {
    uint32_t i, best = f->count;

    for (i = 0; i < f->count; i++)
        if (!done[i] && (best == f->count || f->aicc[i] < f->aicc[best]))
            best = i;
    return best;
}

static void fit_forms(ets_fit *f) {
    uint8_t done[MOST_FORMS] = { 0 };
    uint32_t i, k;

    for (i = 0; i < f->count; i++) {
        f->value[i] = HUGE_VAL;
        f->aicc[i] = HUGE_VAL;
        take_form(f, i);
        f->task.first->phi = 1;
        if (f->count > 1 && parameters(&f->forms[i]) + 2 >= (double)f->task.n)
            continue; /* no criterion could choose it */
        fit_coarsely(&f->task);
        f->value[i] = f->task.value;
        f->aicc[i] = criterion(&f->task);
    }
    for (k = 0; k < POLISHED && k < f->count; k++) {
        i = least_form(f, done);
        done[i] = 1;
        take_form(f, i);
        if (!isfinite(f->value[i]))
            continue;
        fit_finely(&f->task);
        f->value[i] = f->task.value;
        f->aicc[i] = criterion(&f->task);
    }
    memset(done, 0, sizeof done);
    take_form(f, least_form(f, done));
}

/* From the first states to those after the last value, in the units of the series. */
static void end_states(const ets_task *t, pshi_ets *e, double scale) {
    double squares = 0, left = (double)t->n - parameters(&t->first->form), aicc;
    uint32_t k;

    aicc = criterion(t) - prior(t->first);
    memcpy(e, t->first, pshi_ets_bytes(t->first->form.m));
    if (!isfinite(pshi_ets_run(e, t->y, t->n, &squares)))
        squares = 0;
    left = left > 1 ? left : fmax(1, (double)t->n / 2);
    e->variance = squares / left * (e->form.error == PSHI_ETS_MULTIPLICATIVE ? 1 : scale * scale);
    e->level *= scale;
    e->slope *= scale;
    for (k = 0; k < e->form.m; k++)
        e->season[k] = e->form.season == PSHI_ETS_MULTIPLICATIVE
                           ? fmin(fmax(e->season[k], PSHI_ETS_LEAST_FACTOR), PSHI_ETS_MOST_FACTOR)
                           : e->season[k] * scale;
    e->criterion = isfinite(aicc) ? aicc + 2 * (double)t->n * log(scale) : 0;
}

static psh_status fit_and_keep(ets_fit *f, uint32_t m, double scale, pshi_ets **out) {
    psh_status st = take_memory(f, m);

    if (st == PSH_OK) {
        fit_forms(f);
        *out = pshi_calloc(f->env, 1, pshi_ets_bytes(f->task.first->form.m));
        st = *out ? PSH_OK : PSH_E_NOMEM;
    }
    if (st == PSH_OK)
        end_states(&f->task, *out, scale);
    pshi_free(f->env, f->blocks);
    pshi_free(f->env, f->task.work);
    return st;
}

static int all_positive(const double *y, size_t n) {
    size_t i;

    for (i = 0; i < n; i++)
        if (!(y[i] > POSITIVE_SHARE))
            return 0;
    return 1;
}

psh_status pshi_ets_fit(const pshi_fit *in, const pshi_ets_choice *choice, pshi_ets **out) {
    uint32_t m = choice->season ? pshi_first_season(in) : 1;
    size_t n = pshi_recent(in->n, m);
    double scale = pshi_scale(in->y + in->n - n, n), *y = pshi_scaled(in, n, scale);
    pshi_ets_choice c = *choice;
    ets_fit f;
    psh_status st;

    *out = NULL;
    if (!y)
        return PSH_E_NOMEM;
    memset(&f, 0, sizeof f);
    f.env = in->env;
    f.task.y = y;
    f.task.n = n;
    /* A line through fewer than five values is none; a choice wants a criterion. */
    if (n < 5)
        c.trend = c.automatic = 0;
    f.count = list_forms(&c, m, all_positive(y, n), f.forms);
    st = fit_and_keep(&f, m, scale, out);
    pshi_free(in->env, y);
    return st;
}
