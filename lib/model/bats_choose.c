/* SPDX-License-Identifier: MIT */
/* Which harmonics, trend and errors (De Livera, Hyndman & Snyder 2011), at less cost than fitting every
 * form: harmonics by one regression instead of one fit each. C_p: Mallows, Technometrics 15, 1973. */
#include <math.h>
#include <string.h>

#include "base/env.h"
#include "math/linalg.h"
#include "model/bats.h"

#define WIDE PSHI_BATS_MOST_SEEDS
#define ROUNDS_TRY 4
#define ROUNDS_MORE 4
#define ROUNDS_LAST 12

/* Level, line, then cosine and sine of every harmonic, season after season. */
static uint32_t waves(const pshi_bats *m, const uint32_t *multiple, size_t t, size_t n, double *row) {
    uint32_t i, j, k = 0, at = 2;
    double angle;

    row[0] = 1;
    row[1] = (double)t / (double)n - 0.5;
    for (i = 0; i < m->form.seasons; i++) {
        for (j = 0; j < m->form.count[i]; j++, k++) {
            angle = 6.283185307179586 * (double)((uint64_t)multiple[k] * t % m->form.season[i]) / m->form.season[i];
            row[at++] = cos(angle);
            row[at++] = 2 * multiple[k] == m->form.season[i] ? 0 : sin(angle);
        }
    }
    return at;
}

/* y_t - rho y_(t - 1), and the same of all columns. */
typedef struct regression {
    const double *y;
    size_t n;
    double *x;              /* Shape [n][wide] */
    uint32_t wide;
    double gram[WIDE * WIDE], rhs[WIDE], half[WIDE];
    double left;            /* sum of squares that is left */
} regression;

static void solve(regression *r, double rho) {
    double row[WIDE], none[WIDE] = { 0 }, yy = 0, y;
    uint32_t i, k;
    size_t t;

    memset(r->gram, 0, sizeof r->gram);
    memset(r->rhs, 0, sizeof r->rhs);
    for (t = 1; t < r->n; t++) {
        for (i = 0; i < r->wide; i++)
            row[i] = r->x[t * r->wide + i] - rho * r->x[(t - 1) * r->wide + i];
        y = r->y[t] - rho * r->y[t - 1];
        pshi_gram_add(r->gram, r->rhs, row, r->wide, y, 1);
        yy += y * y;
    }
    memcpy(r->half, r->rhs, sizeof r->half);
    pshi_ridge(r->gram, r->rhs, none, r->wide);
    /* L of the factor turns X'y into orthogonal parts: what each column takes off the sum of squares. */
    for (i = 0; i < r->wide; i++) {
        for (k = 0; k < i; k++)
            r->half[i] -= r->gram[i * r->wide + k] * r->half[k];
        r->half[i] /= r->gram[i * r->wide + i];
        yy -= r->half[i] * r->half[i];
    }
    r->left = yy > 0 ? yy : 0;
}

/* First autocorrelation of what the regression leaves. */
static double remaining_rho(const regression *r) {
    double last = 0, cross = 0, square = 0, e;
    uint32_t i;
    size_t t;

    for (t = 0; t < r->n; t++, last = e) {
        e = r->y[t];
        for (i = 0; i < r->wide; i++)
            e -= r->rhs[i] * r->x[t * r->wide + i];
        cross += last * e;
        square += e * e;
    }
    return square > 0 ? fmax(0, fmin(0.98, cross / square)) : 0;
}

/* How many harmonics of a season earn their two parameters, C_p: `half` begins with its first. */
static uint32_t worthwhile(const double *half, uint32_t count, double variance) {
    double gain = 0, most = 0;
    uint32_t j, best = 0;

    for (j = 0; j < count; j++) {
        gain += half[2 * j] * half[2 * j] + half[2 * j + 1] * half[2 * j + 1] - 4 * variance;
        if (gain > most) {
            most = gain;
            best = j + 1;
        }
    }
    return best;
}

static void keep_worthwhile(const regression *r, pshi_bats_form *form) {
    double variance = r->left / fmax(1, (double)r->n - 1 - r->wide);
    uint32_t i, at = 2, count, kept = 0;

    for (i = 0; i < form->seasons; i++) {
        count = worthwhile(r->half + at, form->count[i], variance);
        at += 2 * form->count[i];
        if (!count)
            continue;
        form->season[kept] = form->season[i];
        form->count[kept++] = count;
    }
    for (i = kept; i < 3; i++)
        form->season[i] = form->count[i] = 0;
    form->seasons = kept;
}

/* As many harmonics of each season as a tenth of the values bears. */
static void bound_counts(size_t n, pshi_bats_form *form, uint32_t *multiple) {
    uint32_t i, k = 0, most, room = PSHI_BATS_MOST_HARMONICS;

    if (n / 10 < room)
        room = (uint32_t)(n / 10);
    for (i = 0; i < form->seasons; i++) {
        most = room < PSHI_BATS_MOST_EACH ? room : PSHI_BATS_MOST_EACH;
        form->count[i] = pshi_bats_multiples(form->season, i, most, multiple + k);
        room -= form->count[i];
        k += form->count[i];
    }
}

psh_status pshi_bats_harmonics(psh_env *env, const double *y, size_t n, pshi_bats_form *form, double *log_sse) {
    uint32_t multiple[PSHI_BATS_MOST_HARMONICS];
    pshi_bats m;
    regression *r;
    size_t t;

    memset(&m, 0, sizeof m);
    bound_counts(n, form, multiple);
    m.form = *form;
    r = pshi_calloc(env, 1, sizeof *r + n * WIDE * sizeof(double));
    if (!r)
        return PSH_E_NOMEM;
    r->y = y;
    r->n = n;
    r->x = (double *)(r + 1);
    r->wide = 2 + 2 * (form->count[0] + form->count[1] + form->count[2]);
    for (t = 0; t < n; t++)
        waves(&m, multiple, t, n, r->x + t * r->wide);
    solve(r, 0);
    solve(r, remaining_rho(r));
    keep_worthwhile(r, form);
    *log_sse = log(r->left > 1e-300 ? r->left : 1e-300);
    pshi_free(env, r);
    return PSH_OK;
}

/* What a better form is kept in. */
typedef struct kept {
    pshi_bats model;
    pshi_bats_state seed;
    double beta[PSHI_BATS_MOST_PARAMS];
    double sse, aic, aicc;
} kept;

static void keep(const pshi_bats_fit *f, kept *k) {
    k->model = f->model;
    k->seed = f->seed;
    memcpy(k->beta, f->beta, sizeof k->beta);
    k->sse = f->sse;
    k->aic = f->aic;
    k->aicc = f->aicc;
}

static void restore(pshi_bats_fit *f, const kept *k) {
    f->model = k->model;
    f->seed = k->seed;
    memcpy(f->beta, k->beta, sizeof k->beta);
    f->sse = k->sse;
    f->aic = k->aic;
    f->aicc = k->aicc;
}

static int is_bearable(const pshi_bats_fit *f, const pshi_bats_form *form) {
    size_t most = 1 + (form->trend != 0) + 2 * (form->count[0] + form->count[1] + form->count[2]);

    return f->n >= most + pshi_bats_params(form) + 4;
}

/* The best form so far with ARMA(p, q) errors, from its parameters on. */
static void try_errors(pshi_bats_fit *f, kept *best, uint32_t p, uint32_t q) {
    uint32_t k = pshi_bats_params(&best->model.form) - best->model.form.p - best->model.form.q;
    double first = best->model.form.p ? best->beta[k] : 0;

    restore(f, best);
    f->model.form.p = p;
    f->model.form.q = q;
    if (!is_bearable(f, &f->model.form))
        return;
    memset(f->beta + k, 0, (PSHI_BATS_MOST_PARAMS - k) * sizeof *f->beta);
    if (p)
        f->beta[k] = first != 0 ? first : 0.1;
    pshi_bats_improve(f, ROUNDS_TRY);
    if (f->aicc < best->aicc)
        keep(f, best);
}

static void try_start(pshi_bats_fit *f, kept *best, const pshi_bats_form *form, int moving) {
    pshi_bats_form o = *form;

    o.p = moving ? 1 : 0;
    if (!is_bearable(f, &o))
        return;
    pshi_bats_start(f, &o, moving);
    pshi_bats_improve(f, ROUNDS_TRY);
    if (f->aicc < best->aicc)
        keep(f, best);
}

static void try_starts(pshi_bats_fit *f, kept *best, pshi_bats_form *form, uint32_t trend) {
    form->trend = trend;
    try_start(f, best, form, 0);
    try_start(f, best, form, 1);
}

void pshi_bats_choose(pshi_bats_fit *f, const pshi_bats_form *base) {
    static const uint32_t errors[][2] = { { 1, 0 }, { 1, 1 }, { 2, 0 }, { 2, 1 }, { 2, 2 } };
    pshi_bats_form form = *base;
    kept best;
    uint32_t i;

    form.trend = form.p = form.q = 0;
    pshi_bats_start(f, &form, 0);
    if (!is_bearable(f, &form))
        return;
    keep(f, &best);
    try_starts(f, &best, &form, PSHI_BATS_TREND_NONE);
    try_starts(f, &best, &form, PSHI_BATS_TREND_DAMPED);
    if (best.model.form.trend)
        try_starts(f, &best, &form, PSHI_BATS_TREND_LINE);
    restore(f, &best);
    pshi_bats_improve(f, ROUNDS_MORE);
    if (f->aicc < best.aicc)
        keep(f, &best);
    for (i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i][0] != best.model.form.p || errors[i][1] != best.model.form.q)
            try_errors(f, &best, errors[i][0], errors[i][1]);
    restore(f, &best);
    pshi_bats_improve(f, ROUNDS_LAST);
    if (f->aicc > best.aicc)
        restore(f, &best);
}
