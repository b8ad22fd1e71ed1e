/* SPDX-License-Identifier: MIT */
/*
 * A bucket closes: is its value odd, has the level shifted, do errors grow, is there skill? What events or oddness
 * made teaches no season. Drift: one-sided CUSUM (Page, "Continuous inspection schemes", Biometrika 1954) of sizes
 * of standardised errors against their slow mean.
 */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/options.h"
#include "forecast/forecaster.h"
#include "math/stats.h"

#define FAR_TAIL 0.01    /* share of values that the forecast's far quantiles leave outside on a side ... */
#define FAR_NORMAL 2.3263478740408408 /* ... and where the normal law has those */
#define LEAST_ERROR 0.01 /* of the forecast, and one more */
#define MOST_SIZE 4.0    /* of an error, for drift */
#define MOST_STEP 3.0    /* deviations of sizes that one counts at most: no few outliers are a drift */
#define ALLOWED 0.5      /* deviations of sizes that are usual */
#define ALARM 12.0       /* the sum that tells, in those */
#define MOST_DRIFT 24.0  /* and the most it counts, so that it comes back in time */
#define MOST_SHIFT 64.0
#define LEAST_SEASONS 4u /* short ones, to compare a shift with */
#define CONFIRM 2u        /* short seasons that a shift must last */
#define LEAST_SHIFT 0.05 /* of the log of a level */
#define SURE 3.0         /* deviations */
#define BACK_SKILL 0.05
#define LEAST_COVERAGE 0.8
#define BACK_COVERAGE 0.85

static int64_t day_of(int64_t time) {
    return pshi_floor_div(time, PSH_DAY);
}

static void raise_alert(pshi_outlook *o, pshi_series *s, uint32_t kind, double value, double expected) {
    pshi_signals *g = o->signals;
    pshi_watch *w = &s->regular->watch;
    int64_t time = pshi_bucket_start(o->shape, o->closed);
    uint32_t day = (uint32_t)day_of(time);

    if (w->day != day)
        w->told = 0;
    w->day = day;
    if (w->told >> kind & 1)
        return;
    w->told |= 1u << kind;
    g->alerts[g->alerted % g->max_alerts] = (psh_alert){ 0, kind, s->subject, time, value, expected };
    g->alerted++;
}

/* @return 1 if it has just begun to hold. */
static int begins(pshi_watch *w, uint32_t kind, int on, int off) {
    uint32_t bit = 1u << kind;

    if (w->state & bit) {
        w->state &= off ? ~bit : UINT32_MAX;
        return 0;
    }
    w->state |= on ? bit : 0;
    return on;
}

static void learn_drift(pshi_outlook *o, pshi_series *s, double size) {
    pshi_watch *w = &s->regular->watch;
    double gain = 1 / ((double)w->errors + 1), least = 0.25 / o->shape->longest, var, sd;

    var = (double)w->usual2 - (double)w->usual * (double)w->usual;
    sd = sqrt(var > 0 ? var : 0);
    if (w->errors >= o->shape->longest && sd > 0) {
        w->drift += (float)(fmin((size - (double)w->usual) / sd, MOST_STEP) - ALLOWED);
        w->drift = w->drift > 0 ? w->drift < (float)MOST_DRIFT ? w->drift : (float)MOST_DRIFT : 0;
        if (begins(w, PSH_ALERT_ERROR_DRIFT, (double)w->drift > ALARM, w->drift <= 0))
            raise_alert(o, s, PSH_ALERT_ERROR_DRIFT, size, (double)w->usual);
    }
    gain = gain > least ? gain : least;
    w->usual += (float)(gain * (size - (double)w->usual));
    w->usual2 += (float)(gain * (size * size - (double)w->usual2));
    w->errors += w->errors < UINT32_MAX;
}

void pshi_watch_error(const pshi_outlook *o, pshi_series *s, double y, double mean, double error, double unit) {
    pshi_watch *w = &s->regular->watch;
    const pshi_track *own = &s->regular->track[0], *pool = &o->calibration->track[s->subject.kind][0];
    double wide = pshi_track_quantile(own, pool, error >= 0 ? 1 - FAR_TAIL : FAR_TAIL);

    /* Errors with fat tails are measured by their own tail; none by less than the model's deviation. */
    wide = fabs(wide) > FAR_NORMAL ? fabs(wide) / FAR_NORMAL : 1;
    /* Nor is a hundredth much, however well the load was known. */
    w->error = fabs(y - mean) > 1 + LEAST_ERROR * mean ? (float)fmin(fmax(error / wide, -1e9), 1e9) : 0;
    w->unit = (float)fmin(unit * wide, 1e9);
    w->expected = (float)mean;
    w->size = (float)fmin(fabs(error), MOST_SIZE);
}

static void check_skill(pshi_outlook *o, pshi_series *s) {
    const pshi_tally *t = &s->regular->tally;
    pshi_watch *w = &s->regular->watch;
    uint32_t had = w->state;
    double inside;

    if (pshi_series_age(s, o->closed) < 2 * (int64_t)o->shape->longest || t->weight < o->shape->longest)
        return;
    if (begins(w, PSH_ALERT_NO_SKILL, t->error > t->naive, t->error < (1 - BACK_SKILL) * t->naive))
        raise_alert(o, s, PSH_ALERT_NO_SKILL, t->error / t->weight, t->naive / t->weight);
    else if ((had & ~w->state) >> PSH_ALERT_NO_SKILL & 1)
        raise_alert(o, s, PSH_ALERT_SKILL_BACK, t->error / t->weight, t->naive / t->weight);
    inside = t->inside;
    if (begins(
            w, PSH_ALERT_COVERAGE_DRIFT, inside < LEAST_COVERAGE * t->weight, inside > BACK_COVERAGE * t->weight))
        raise_alert(o, s, PSH_ALERT_COVERAGE_DRIFT, inside / t->weight, 0.9);
}

static void set_mask(pshi_regular *r, uint32_t slot, int on) {
    uint8_t bit = (uint8_t)(1u << slot % 8);

    r->masked[slot / 8] = (uint8_t)(on ? r->masked[slot / 8] | bit : r->masked[slot / 8] & ~bit);
}

/* A shift that is not confirmed yet. */
static int is_pending(const pshi_outlook *o, const pshi_watch *w) {
    return w->shifts && o->closed - w->shift[w->shifts - 1] < (int64_t)(CONFIRM * o->shape->season[0]);
}

/* Sets or clears the masks of [from, to), closed buckets. */
static void mask_all(pshi_series *s, const pshi_shape *shape, int64_t from, int64_t to, int on) {
    for (; from < to; from++)
        set_mask(s->regular, pshi_slot(from, shape->ring), on);
}

/* The level went and came back: what lies between was an excursion, and a fit forgets it. */
static void take_back(pshi_series *s, const pshi_shape *shape, int64_t first) {
    pshi_watch *w = &s->regular->watch;

    mask_all(s, shape, w->shift[--w->shifts], first, 1);
    s->regular->fit_at = 0;
}

/* What was masked on the way to the new level is part of it. Whether it stays is asked some short seasons later. */
static void accept_shift(pshi_outlook *o, pshi_series *s, uint32_t run, double y) {
    pshi_watch *w = &s->regular->watch;
    int64_t first = o->closed - (int64_t)run + 1;
    uint32_t up = w->error > 0;

    first = first < s->start ? s->start : first;
    mask_all(s, o->shape, first, o->closed, 0);
    if (is_pending(o, w)) {
        if (up != w->up && first > w->shift[w->shifts - 1])
            take_back(s, o->shape, first);
        return;
    }
    if (w->shifts == PSHI_SHIFTS)
        memmove(w->shift, w->shift + 1, --w->shifts * sizeof *w->shift);
    w->shift[w->shifts++] = first;
    w->up = up;
    raise_alert(o, s, PSH_ALERT_LEVEL_SHIFT, y, (double)w->expected);
}

/* The log of what a short season from `from` on brought over what it brought a long one before. */
static double season_ratio(const pshi_series *s, const pshi_shape *shape, int64_t from) {
    double now = 1, then = 1;
    uint32_t i, slot;

    for (i = 0; i < shape->season[0]; i++) {
        slot = pshi_slot(from + (int64_t)i, shape->ring);
        now += (double)pshi_history_value(s->regular->history[slot]);
        slot = pshi_slot(from + (int64_t)i - (int64_t)shape->longest, shape->ring);
        then += (double)pshi_history_value(s->regular->history[slot]);
    }
    return log(now / then);
}

/* What the square of season_ratio usually is before a bucket, by three deviations; 0: not known. */
static double bar_of(const pshi_outlook *o, const pshi_series *s, int64_t at) {
    const pshi_shape *shape = o->shape;
    int64_t n = (int64_t)shape->season[0], oldest = o->closed - (int64_t)shape->ring + 1, b;
    double squares = 0, x, bar;
    uint32_t seen = 0;

    oldest = oldest > s->start ? oldest : s->start;
    for (b = at - n; b - (int64_t)shape->longest >= oldest; b -= n, seen++) {
        x = season_ratio(s, shape, b);
        squares += x * x;
    }
    if (seen < LEAST_SEASONS)
        return 0;
    bar = SURE * SURE * squares / seen;
    return bar > LEAST_SHIFT * LEAST_SHIFT ? bar : LEAST_SHIFT * LEAST_SHIFT;
}

/*
 * Some short seasons after a shift: is each beyond what short seasons differ by from week to week, about as far as
 * the first? Then a fit forgets the level before. Else what was beyond was an excursion, and a fit forgets that.
 */
static void confirm_shift(pshi_outlook *o, pshi_series *s) {
    const pshi_shape *shape = o->shape;
    pshi_watch *w = &s->regular->watch;
    int64_t at = w->shift[w->shifts - 1], n = (int64_t)shape->season[0];
    double bar = bar_of(o, s, at), x[CONFIRM];
    uint32_t i, beyond = 0;

    for (i = 0; i < CONFIRM; i++) {
        x[i] = bar > 0 ? season_ratio(s, shape, at + (int64_t)i * n) : 0;
        beyond += x[i] * x[i] > bar && x[i] * x[0] > 0.5 * x[0] * x[0] && x[i] * x[0] < 2 * x[0] * x[0];
    }
    w->shifts -= beyond < CONFIRM;
    for (i = 0; i < CONFIRM; i++) {
        if (!(x[i] * x[i] > bar))
            continue;
        s->regular->fit_at = 0;
        if (beyond < CONFIRM)
            mask_all(s, shape, at + (int64_t)i * n, at + (int64_t)(i + 1) * n, 1);
    }
}

/* @return what the rhythm should learn in place of y; *masked tells the fits. */
static double judge_value(pshi_outlook *o, pshi_series *s, double y, int *masked) {
    pshi_regular *r = s->regular;
    pshi_watch *w = &r->watch;
    uint32_t run = (w->outlier.side & 0x7fffffffu) + 1, said;
    double z;

    if (pshi_series_age(s, o->closed) >= 2 * (int64_t)o->shape->longest) /* before that fits change errors */
        learn_drift(o, s, (double)w->size);
    said = pshi_outlier_observe(&w->outlier, (double)w->error, 0, 1);
    if (said & PSHI_OUTLIER_LEVEL)
        accept_shift(o, s, run < o->shape->season[0] ? run : o->shape->season[0], y);
    /* Just after a shift what lies on its side is the new level, however far from the forecast. */
    if (!(said & PSHI_OUTLIER_MASK) || (is_pending(o, w) && (w->error > 0) == (int)w->up))
        return y;
    *masked = 1;
    raise_alert(o, s, PSH_ALERT_OUTLIER, y, (double)w->expected);
    z = pshi_rhythm_z(r->rhythm, (double)w->expected) + (w->error > 0 ? 1 : -1) * FAR_NORMAL * (double)w->unit;
    z = pshi_rhythm_value(r->rhythm, z);
    return z > 0 ? z < PSHI_MOST_LOAD ? z : PSHI_MOST_LOAD : 0;
}

/*
 * In an event the rhythm goes on with its own forecast: the value, freed of a factor that is not yet known well,
 * would teach it the event. After a season of that its level would be stale, and the value is the lesser evil.
 */
static double event_value(pshi_outlook *o, pshi_series *s, double y) {
    pshi_watch *w = &s->regular->watch;
    double factor = pshi_events_factor(o, &s->subject, o->closed);

    if (w->base >= 0)
        pshi_events_learn(o, &s->subject, y, (double)w->base);
    w->inside += w->inside < UINT32_MAX;
    if (w->base >= 0 && w->inside <= o->shape->longest)
        return (double)w->base;
    y = pshi_calendar_clean(y, factor);
    return y < PSHI_MOST_LOAD ? y : PSHI_MOST_LOAD;
}

double pshi_watch_close(pshi_outlook *o, pshi_series *s, double y) {
    pshi_watch *w = &s->regular->watch;
    double learned = y, residual = (double)NAN;
    int masked = 0;

    if (o->signals->near && pshi_events_mask(o, &s->subject)) {
        masked = 1;
        learned = event_value(o, s, y);
    } else {
        residual = w->base >= 0 ? y - (double)w->base : (double)NAN;
        w->inside = 0;
        if (w->unit > 0 && pshi_series_age(s, o->closed) >= (int64_t)o->shape->longest)
            learned = judge_value(o, s, y, &masked);
    }
    set_mask(s->regular, pshi_slot(o->closed, o->shape->ring), masked);
    if (w->shifts && o->closed + 1 - w->shift[w->shifts - 1] == (int64_t)(CONFIRM * o->shape->season[0]))
        confirm_shift(o, s);
    if (w->lead)
        pshi_metrics_observe(o, &s->subject, w->lead, residual);
    check_skill(o, s);
    w->base = -1;
    w->unit = w->error = w->expected = w->size = 0;
    return learned;
}

/* What replaces a masked bucket: the mean of the same place a season before and after, where those are whole. */
static float without(const float *y, const uint8_t *skip, uint32_t n, uint32_t m, uint32_t i) {
    float sum = 0, count = 0;
    uint32_t k;

    for (k = i; k >= m && !count; k -= m)
        if (!skip[k - m]) {
            sum += y[k - m];
            count++;
        }
    for (k = i; n - k > m; k += m)
        if (!skip[k + m])
            return (sum + y[k + m]) / (count + 1);
    return count > 0 ? sum : y[i];
}

/* Values before a shift are brought to the level after it: as the season after is to the one before. */
static void rescale(float *y, uint32_t n, uint32_t at, uint32_t until, uint32_t m) {
    double before = 1, after = 1, by;
    uint32_t i, end = until - at < m ? until : at + m;

    for (i = at; i < end; i++) {
        if (i < m || i - m >= at)
            continue;
        before += (double)y[i - m];
        after += (double)y[i];
    }
    by = fmin(fmax(after / before, 1 / MOST_SHIFT), MOST_SHIFT);
    for (i = 0; i < at && i < n; i++)
        y[i] = (float)((double)y[i] * by);
}

void pshi_watch_clean(
    const pshi_series *s, const pshi_shape *shape, int64_t closed, uint32_t n, float *y, const uint8_t *skip) {
    const pshi_watch *w = &s->regular->watch;
    uint32_t i, m = n > shape->longest ? shape->longest : shape->season[0];
    int64_t first = closed - (int64_t)n, at, until;

    for (i = 0; i < n; i++)
        if (skip[i])
            y[i] = without(y, skip, n, m, i);
    for (i = 0; i < w->shifts; i++) {
        at = w->shift[i] - first;
        until = i + 1 < w->shifts ? w->shift[i + 1] - first : (int64_t)n;
        if (at > 0 && until - at >= (int64_t)(CONFIRM * shape->season[0]) && until <= (int64_t)n)
            rescale(y, n, (uint32_t)at, (uint32_t)until, m);
    }
}

size_t psh_forecaster_alert_count(const psh_forecaster *f) {
    if (!f)
        return 0;
    return f->signals.alerted < f->signals.max_alerts ? (size_t)f->signals.alerted : f->signals.max_alerts;
}

psh_status psh_forecaster_alert(const psh_forecaster *f, size_t i, psh_alert *out) {
    size_t n = psh_forecaster_alert_count(f);

    if (!f || !out)
        return PSH_E_INVALID;
    if (i >= n)
        return PSH_E_NOT_FOUND;
    return pshi_struct_out(
        out, &f->signals.alerts[(f->signals.alerted - n + i) % f->signals.max_alerts], sizeof *out);
}

void psh_forecaster_alerts_clear(psh_forecaster *f) {
    if (f)
        f->signals.alerted = 0;
}
