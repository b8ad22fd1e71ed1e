/* SPDX-License-Identifier: MIT */
/* Maximum likelihood of one form (De Livera, Hyndman & Snyder 2011): the least sum of squared innovations over
 * parameters and seeds at once. Innovations are linear in the seeds, with known rows w'D^(t-1); the derivatives by
 * the few parameters are numerical, and both go into one damped Gauss-Newton step (Marquardt 1963). */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "math/linalg.h"
#include "model/arima.h"
#include "model/bats.h"

#define WIDE (PSHI_BATS_MOST_PARAMS + PSHI_BATS_MOST_SEEDS)
#define STEP 1e-5
#define ENOUGH 1e-5  /* relative gain of a round that ends the search */
#define LEAST_PHI 0.8
#define PHI_SPAN 0.199
#define GROWTH 5     /* a line's squared influence grows fourfold from half the series to all of it */
#define LEAST_STEPS 100
#define ANGLES 64
#define BATCH 4u
#define FIRST_GAMMA 0.01
#define HELD 1e8     /* damping of what is to stay */

uint32_t pshi_bats_params(const pshi_bats_form *form) {
    /* A line has one parameter, a damped one two: as trend is numbered. */
    return 1 + form->trend + 2 * form->seasons + form->p + form->q;
}

static void partial_to(double *out, const double *beta, uint32_t n, double sign) {
    uint32_t i;

    memset(out, 0, PSHI_BATS_MOST_ARMA * sizeof *out);
    for (i = 0; i < n; i++)
        out[i] = 0.99 * tanh(beta[i]);
    pshi_arima_from_partial(out, n);
    for (i = 0; i < n; i++)
        out[i] *= sign;
}

/* Sets the parameters from unconstrained ones. */
static void set_params(pshi_bats *m, const double *beta) {
    uint32_t i, n = 0;

    m->alpha = beta[n++];
    m->beta = m->form.trend ? beta[n++] : 0;
    m->phi = m->form.trend ? 1 : 0;
    if (m->form.trend == PSHI_BATS_TREND_DAMPED)
        m->phi = LEAST_PHI + PHI_SPAN / (1 + exp(-beta[n++]));
    for (i = 0; i < m->form.seasons; i++) {
        m->gamma[i][0] = beta[n++];
        m->gamma[i][1] = beta[n++];
    }
    partial_to(m->ar, beta + n, m->form.p, 1);
    partial_to(m->ma, beta + n + m->form.p, m->form.q, -1);
    pshi_bats_gains(m);
}

psh_status pshi_bats_fit_begin(pshi_bats_fit *f, psh_env *env, const double *y, size_t n) {
    memset(f, 0, sizeof *f);
    f->env = env;
    f->y = y;
    f->n = n;
    f->block = f->e = pshi_calloc(env, (2 + PSHI_BATS_MOST_PARAMS) * n + 2 * WIDE * WIDE, sizeof(double));
    if (!f->block)
        return PSH_E_NOMEM;
    f->trial = f->e + n;
    f->jac = f->trial + n;
    f->gram = f->jac + PSHI_BATS_MOST_PARAMS * n;
    return PSH_OK;
}

static double run(const pshi_bats_fit *f, const pshi_bats *m, const pshi_bats_state *seed, double *e) {
    pshi_bats_state x = *seed;

    return pshi_bats_run(m, &x, f->y, f->n, e);
}

/* Numerical derivatives of the innovations by the parameters. @return 1, or 0. */
static int derive(pshi_bats_fit *f, uint32_t k) {
    pshi_bats m = f->model;
    double *col, keep;
    uint32_t i;
    size_t t;

    for (i = 0; i < k; i++) {
        col = f->jac + i * f->n;
        keep = f->beta[i];
        f->beta[i] += STEP;
        set_params(&m, f->beta);
        f->beta[i] = keep;
        if (run(f, &m, &f->seed, col) == HUGE_VAL)
            return 0;
        for (t = 0; t < f->n; t++)
            col[t] = (f->e[t] - col[t]) / STEP;
    }
    return 1;
}

static double size_of(const pshi_bats *m, const pshi_bats_state *v) {
    double sum = v->level * v->level + v->slope * v->slope;
    uint32_t i;

    for (i = 0; i < m->harmonics; i++)
        sum += v->s[i] * v->s[i] + v->star[i] * v->star[i];
    return sum;
}

/* Whether what the seeds do to the innovations fades, or at least grows no faster than with a line. */
static int is_stable(const pshi_bats_fit *f, const pshi_bats *m) {
    size_t n = f->n > LEAST_STEPS ? f->n : LEAST_STEPS, t;
    double early = 0, late = 0, size;
    pshi_bats_state v;

    pshi_bats_dual(m, &v);
    for (t = 0; t < n; t++) {
        size = size_of(m, &v);
        if (!(size < 1e30))
            return 0;
        if (t < n / 2)
            early = size > early ? size : early;
        else
            late = size > late ? size : late;
        pshi_bats_dual_next(m, &v);
    }
    return late <= GROWTH * early;
}

/* Adds BATCH rows at once, so that each element of gram is fetched once for all of them. */
static void add_rows(double *gram, double *rhs, double (*x)[WIDE], uint32_t wide, const double *e) {
    uint32_t i, j;
    double a, b, c, d, *to;

    for (i = 0; i < wide; i++) {
        a = x[0][i];
        b = x[1][i];
        c = x[2][i];
        d = x[3][i];
        to = gram + (size_t)i * wide;
        for (j = 0; j <= i; j++)
            to[j] += (a * x[0][j] + b * x[1][j]) + (c * x[2][j] + d * x[3][j]);
        rhs[i] += (a * e[0] + b * e[1]) + (c * e[2] + d * e[3]);
    }
}

/* Normal equations of the step in k parameters and all seeds. @return their size. */
static uint32_t normal_equations(pshi_bats_fit *f, uint32_t k, double *rhs) {
    uint32_t i, wide = k + 1 + (f->model.form.trend != 0) + 2 * f->model.harmonics;
    double rows[BATCH][WIDE];
    pshi_bats_state v;
    size_t t;

    memset(f->gram, 0, (size_t)wide * wide * sizeof *f->gram);
    memset(rhs, 0, wide * sizeof *rhs);
    pshi_bats_dual(&f->model, &v);
    for (t = 0; t < f->n; t++) {
        for (i = 0; i < k; i++)
            rows[t % BATCH][i] = f->jac[i * f->n + t];
        pshi_bats_seeds(&f->model, &v, rows[t % BATCH] + k);
        if (t % BATCH == BATCH - 1)
            add_rows(f->gram, rhs, rows, wide, f->e + t - (BATCH - 1));
        pshi_bats_dual_next(&f->model, &v);
    }
    for (t -= t % BATCH; t < f->n; t++)
        pshi_gram_add(f->gram, rhs, rows[t % BATCH], wide, f->e[t], 1);
    return wide;
}

static void count_aic(pshi_bats_fit *f) {
    double k = (double)pshi_bats_seed_count(&f->model) + pshi_bats_params(&f->model.form);
    double rest = (double)f->n - k - 1;

    f->aic = (double)f->n * log(f->sse > 1e-300 ? f->sse : 1e-300) + 2 * k;
    f->aicc = rest > 0 ? f->aic + 2 * k * (k + 1) / rest : HUGE_VAL;
}

/*
 * A direction of (gamma1, gamma2) in which all harmonics of a season fade while the level stands still: to first
 * order harmonic j fades by (gamma1 cos - gamma2 sin of its angle) / 2 a step; this is the one of the best worst.
 */
static void fading_gammas(const pshi_bats *m, uint32_t first, uint32_t count, double size, double *gamma) {
    double best = -2, worst, fade, angle;
    uint32_t i, j;

    for (i = 0; i < ANGLES; i++) {
        angle = 6.283185307179586 * i / ANGLES;
        for (j = first, worst = 2; j < first + count; j++) {
            fade = cos(angle) * m->cosine[j] - sin(angle) * m->sine[j];
            worst = fade < worst ? fade : worst;
        }
        if (worst > best) {
            best = worst;
            gamma[0] = size * cos(angle);
            gamma[1] = size * sin(angle);
        }
    }
}

static void start_params(pshi_bats_fit *f, int moving) {
    static const double still[] = { 0.1, 0.005, 2.2 }, with_season[] = { 0.01, 0.0002, 2.2 };
    const pshi_bats_form *form = &f->model.form;
    uint32_t i, n = 1 + form->trend, first = 0;

    memset(f->beta, 0, sizeof f->beta);
    memcpy(f->beta, moving ? with_season : still, n * sizeof *still);
    for (i = 0; i < form->seasons; first += form->count[i++], n += 2)
        if (moving)
            fading_gammas(&f->model, first, form->count[i], FIRST_GAMMA, f->beta + n);
    if (form->p)
        f->beta[n] = moving ? 1 : 0.1;
}

void pshi_bats_start(pshi_bats_fit *f, const pshi_bats_form *form, int moving) {
    double rhs[WIDE], none[WIDE] = { 0 };
    uint32_t wide;

    memset(&f->model, 0, sizeof f->model);
    memset(&f->seed, 0, sizeof f->seed);
    f->model.form = *form;
    pshi_bats_turns(&f->model);
    start_params(f, moving);
    set_params(&f->model, f->beta);
    f->sse = run(f, &f->model, &f->seed, f->e);
    wide = normal_equations(f, 0, rhs);
    if (pshi_ridge(f->gram, rhs, none, wide))
        pshi_bats_seed_add(&f->model, &f->seed, rhs);
    f->sse = run(f, &f->model, &f->seed, f->e);
    count_aic(f);
}

/* A step to try: where it leads, or that it leads nowhere. */
typedef struct step {
    pshi_bats model;
    pshi_bats_state seed;
    double beta[PSHI_BATS_MOST_PARAMS];
    double sse;
} step;

/* Solves the equations with damping; `hold`: the gammas stay. @return 1 if it is a better stable fit. */
static int solve_step(
    pshi_bats_fit *f, uint32_t k, uint32_t wide, const double *rhs, double damping, int hold, step *to) {
    double *a = f->gram + WIDE * WIDE, b[WIDE], penalty[WIDE] = { 0 };
    uint32_t i, gamma = 1 + f->model.form.trend, gamma_end = gamma + 2 * f->model.form.seasons;

    memcpy(a, f->gram, (size_t)wide * wide * sizeof *a);
    memcpy(b, rhs, wide * sizeof *b);
    for (i = 0; i < k; i++)
        penalty[i] = (hold && i >= gamma && i < gamma_end ? HELD : damping) * f->gram[i * wide + i] + 1e-9 * f->sse;
    if (!pshi_ridge(a, b, penalty, wide))
        return 0;
    to->model = f->model;
    to->seed = f->seed;
    for (i = 0; i < k; i++)
        to->beta[i] = f->beta[i] + (b[i] > 0.5 ? 0.5 : b[i] < -0.5 ? -0.5 : b[i]);
    pshi_bats_seed_add(&to->model, &to->seed, b + k);
    set_params(&to->model, to->beta);
    to->sse = run(f, &to->model, &to->seed, f->trial);
    return to->sse < f->sse && is_stable(f, &to->model);
}

/*
 * The step by equations that are already summed, shorter until it helps. Gammas of 0 stand at the very tip of the
 * region of stability, which is a narrow cone there: so each step is tried without them too.
 * @return 1 if the fit is better by `ENOUGH`.
 */
static int take_step(pshi_bats_fit *f, uint32_t k, uint32_t wide, const double *rhs, double *damping) {
    double old = f->sse;
    uint32_t tries;
    step to;

    for (tries = 0; tries < 6; tries++, *damping *= 10) {
        if (!solve_step(f, k, wide, rhs, *damping, 0, &to) && !solve_step(f, k, wide, rhs, *damping, 1, &to))
            continue;
        f->model = to.model;
        f->seed = to.seed;
        f->sse = to.sse;
        memcpy(f->beta, to.beta, k * sizeof *to.beta);
        memcpy(f->e, f->trial, f->n * sizeof *f->e);
        *damping = *damping > 1e-6 ? *damping / 10 : *damping;
        return old - f->sse > ENOUGH * old;
    }
    return 0;
}

void pshi_bats_improve(pshi_bats_fit *f, int rounds) {
    double rhs[WIDE], damping = 1e-3;
    uint32_t k = pshi_bats_params(&f->model.form), wide;
    int round;

    set_params(&f->model, f->beta);
    f->sse = run(f, &f->model, &f->seed, f->e);
    for (round = 0; round < rounds && f->sse > 1e-20 * (double)f->n && f->sse < HUGE_VAL; round++) {
        if (!derive(f, k))
            break;
        wide = normal_equations(f, k, rhs);
        if (!take_step(f, k, wide, rhs, &damping))
            break;
    }
    count_aic(f);
}
