/* SPDX-License-Identifier: MIT */
#include "model/signals.h"

#include <math.h>
#include <string.h>

#include "math/stats.h"

#define QUICK 0.1
#define SLOW 0.02
#define SLOWEST 0.005
#define RESIZED 20u           /* values that the size of errors has after a change */
#define MEAN_TO_SD 1.2533    /* of a normal law's sizes */
#define MOST_SURPRISE 8.0   /* one signal counts as one in 10^8 at most: no signal decides alone */
#define GRAIN 1e-9          /* relative to the series' origin: rounding, not change */
#define LOG_GRAIN 0.02      /* of signals that are logarithms */
#define WARM 50u            /* values before scales are known */
#define BINS 10u
#define LEAST_RANGE 20u

enum {
    VALUE, OFF_QUICK, MEAN_6, MEAN_24, MEAN_96, MEAN_288, CHANGES_24, CHANGES_96, SEASONAL, SEASONAL_12, NEAR_100,
    NEAR_300, STEP, STEPS_12, GAP, OFF_SLOW, SHIFT_6, SHIFT_12, SEASONAL_48, SHIFT_24, PEAK_24, ENTROPY_48, FLAT,
    SECOND_SEASON
};

static const char *const names[PSHI_SIGNAL_COUNT] = {
    "value", "off quick mean", "mean 6", "mean 24", "mean 96", "mean 288", "changes 24", "changes 96", "seasonal",
    "seasonal 12", "near 100", "near 300", "step", "steps 12", "gap", "off slow mean", "shift 6", "shift 12",
    "seasonal 48", "shift 24", "peak 24", "entropy 48", "flat", "second season"
};

/* What a signal says of one value, if anything. */
typedef struct reading {
    double x[PSHI_SIGNAL_COUNT];
    double grain[PSHI_SIGNAL_COUNT];
    uint32_t there; /* bits */
} reading;

const char *pshi_signal_name(uint32_t signal) {
    return signal < PSHI_SIGNAL_COUNT ? names[signal] : "";
}

static void say(reading *r, uint32_t signal, double x, double grain) {
    r->x[signal] = x;
    r->grain[signal] = grain;
    r->there |= 1u << signal;
}

/* The value `back` before the newest. */
static double at(const pshi_signals *s, uint32_t back) {
    return s->value[(s->count - 1 - back) % PSHI_SIGNAL_SPAN];
}

static double residual_mean(const pshi_signals *s, uint32_t n) {
    double sum = 0;
    uint32_t i;

    for (i = 0; i < n; i++)
        sum += s->residual[(s->count - 1 - i) % PSHI_SIGNAL_RESIDUALS];
    return sum / n;
}

/* Means over windows that end now; sums are made anew, so that no rounding of huge values stays behind. */
static void read_windows(const pshi_signals *s, reading *r, double grain) {
    static const uint32_t ends[] = { 6, 12, 24, 48, 96, 288 };
    static const uint32_t signals[] = { MEAN_6, 0, MEAN_24, 0, MEAN_96, MEAN_288 };
    double sum[6] = { 0 }, total = 0;
    uint32_t i = 0, k;

    for (k = 0; k < 6 && ends[k] < s->count; k++) {
        for (; i < ends[k]; i++)
            total += at(s, i);
        sum[k] = total;
        if (signals[k])
            say(r, signals[k], total / ends[k], grain);
    }
    if (k > 0)
        say(r, SHIFT_6, sum[0] / 6 - s->level[1], grain);
    if (k > 3)
        say(r, SHIFT_24, (2 * sum[2] - sum[3]) / 24, grain);
    if (k > 4)
        say(r, SHIFT_12, sum[1] / 12 - sum[4] / 96, grain);
}

/* Sizes of changes from value to value, and the peak. `calm` keeps logarithms of nothing away. */
static void read_changes(const pshi_signals *s, reading *r, double calm, double grain) {
    double squares = 0, sizes = 0, peak = at(s, 0), d;
    uint32_t i;

    for (i = 0; i < 96 && i + 1 < s->count; i++) {
        d = at(s, i) - at(s, i + 1);
        squares += d * d;
        sizes += fabs(d);
        peak = i < 24 && at(s, i) > peak ? at(s, i) : peak;
        if (i == 11)
            say(r, STEPS_12, sizes / 12, grain);
        if (i == 23 && s->count > WARM)
            say(r, CHANGES_24, 0.5 * log(squares / 24 + calm * calm + 0x1p-200), LOG_GRAIN);
        if (i == 95)
            say(r, CHANGES_96, 0.5 * log(squares / 96 + calm * calm + 0x1p-200), LOG_GRAIN);
    }
    if (s->count > 24)
        say(r, PEAK_24, peak, grain);
}

static void read_near(const pshi_signals *s, reading *r, double range) {
    static const uint32_t size[] = { 100, 300 }, least[] = { 50, 100 };
    uint32_t k, n;
    double spread, middle;

    for (k = 0; k < 2; k++) {
        n = s->count - 1 < size[k] ? (uint32_t)(s->count - 1) : size[k];
        if (n < least[k])
            continue;
        spread = (double)s->near[k][(n - 1) * 9 / 10] - (double)s->near[k][(n - 1) / 10];
        middle = (double)s->near[k][(n - 1) / 2];
        if (spread > 0 || range > 0)
            say(r, k ? NEAR_300 : NEAR_100, (at(s, 0) - middle) / (spread + 0.05 * range), GRAIN);
    }
}

/* Relative entropy of the last 48 values' bins against all values' (Wang et al., "Statistical techniques for online
 * anomaly detection in data centers", IM 2011), with bins that hold equal shares. */
static void read_entropy(const pshi_signals *s, reading *r) {
    const pshi_tails *all = &s->tails[VALUE];
    double edge[BINS], share, before = 0, sum = 0;
    uint32_t in[BINS] = { 0 }, i, b;

    if (s->count <= 100)
        return;
    for (b = 0; b + 1 < BINS; b++)
        edge[b] = pshi_tails_quantile(all, (b + 1.0) / BINS);
    for (i = 0; i < 48; i++) {
        for (b = 0; b + 1 < BINS && at(s, i) > edge[b];)
            b++;
        in[b]++;
    }
    for (b = 0; b < BINS; b++) {
        share = b + 1 < BINS ? pshi_tails_share(all, edge[b]) : 1;
        if (in[b])
            sum += in[b] / 48.0 * log(in[b] / 48.0 / (share - before + 0.5 / PSHI_TAILS_MIDDLE));
        before = share;
    }
    say(r, ENTROPY_48, sum, LOG_GRAIN);
}

static uint32_t place_of(int64_t time, int64_t season, uint32_t places) {
    int64_t phase = time % season;

    phase = phase < 0 ? phase + season : phase;
    return (uint32_t)((double)phase / (double)season * places) % places;
}

static void learn_place(pshi_place *p, double x, double least) {
    double rate = 1.0 / (p->n + 1);

    p->mean += (rate > least ? rate : least) * (x - p->mean);
    p->n += p->n < 1000;
}

static double since_start(const pshi_signals *s, int64_t time) {
    return (double)time - (double)s->start;
}

/* Against the mean of the place in the season, once there is one. */
static void read_season(pshi_signals *s, int64_t time, double x, reading *r, double grain, uint32_t slot) {
    const pshi_place *p = &s->slot[slot], *q;
    double e = 0;
    int seen = since_start(s, time) > 1.5 * (double)s->season[0];

    if (s->season[0] && p->n) {
        e = x - p->mean;
        say(r, SEASONAL, e, grain);
        s->error[1] += SLOWEST * (fabs(e) - s->error[1]);
    }
    s->residual[(s->count - 1) % PSHI_SIGNAL_RESIDUALS] = e;
    if (seen && p->n && s->count > 12)
        say(r, SEASONAL_12, residual_mean(s, 12), grain);
    if (seen && p->n && s->count > 48)
        say(r, SEASONAL_48, residual_mean(s, 48), grain);
    if (!s->season[1])
        return;
    q = &s->place[place_of(time, s->season[1], PSHI_SIGNAL_PLACES)];
    if (q->n > 1 && since_start(s, time) > 3.0 * (double)s->season[1])
        say(r, SECOND_SEASON, x - q->mean, grain);
}

static void learn(pshi_signals *s, int64_t time, double x, uint32_t slot) {
    s->error[0] += SLOWEST * (fabs(x - s->level[0]) - s->error[0]);
    s->level[0] += QUICK * (x - s->level[0]);
    s->level[1] += SLOW * (x - s->level[1]);
    if (s->season[0])
        learn_place(&s->slot[slot], x, 0.1);
    if (s->season[1])
        learn_place(&s->place[place_of(time, s->season[1], PSHI_SIGNAL_PLACES)], x, 0.2);
}

static void slide(pshi_signals *s, uint32_t k, uint32_t size, double x) {
    uint32_t n = s->count - 1 < size ? (uint32_t)(s->count - 1) : size;

    if (n == size)
        pshi_sorted_remove(s->near[k], n--, (float)at(s, size));
    pshi_sorted_insert(s->near[k], n, (float)x);
}

/* A wait that goes on, against those that are over. */
static void wait_on(pshi_signals *s, reading *r, uint32_t signal, uint64_t *since, int over, double grain) {
    double length = log(1.0 + (double)(s->count - *since));

    if (!over && *since)
        say(r, signal, length, grain);
    if (!over)
        return;
    if (*since)
        pshi_tails_add(&s->tails[signal], length);
    *since = s->count;
}

/* How long since the last big value, and since the last change. */
static void read_waits(pshi_signals *s, reading *r, double x) {
    if (s->count > 1)
        wait_on(s, r, FLAT, &s->flat_at, fabs(x - at(s, 1)) > GRAIN * fabs(x), 0.2);
    if (s->count > WARM)
        wait_on(s, r, GAP, &s->big_at, x > pshi_tails_quantile(&s->tails[VALUE], 0.95), 0.3);
}

static int one_sided(uint32_t signal) {
    return signal == GAP || signal == FLAT || signal == ENTROPY_48;
}

/* The surprises' norm of order 3/2, between their sum and their maximum, so that many mild ones count too. */
static void gather(pshi_signals *s, const reading *r, pshi_signals_out *out) {
    double sum = 0, most = 0, up, down;
    uint32_t k;

    for (k = 0; k < PSHI_SIGNAL_COUNT; k++) {
        if (!(r->there >> k & 1))
            continue;
        up = pshi_tails_surprise(&s->tails[k], r->x[k], 1, r->grain[k]);
        down = one_sided(k) ? 0 : pshi_tails_surprise(&s->tails[k], r->x[k], 0, r->grain[k]);
        up = up > down ? up : down;
        up = up < MOST_SURPRISE ? up : MOST_SURPRISE;
        sum += up * sqrt(up);
        if (up > most) {
            most = up;
            out->most = k;
        }
        if (k != GAP && k != FLAT)
            pshi_tails_add(&s->tails[k], r->x[k]);
    }
    out->surprise = cbrt(sum * sum);
}

static int season_leads(const pshi_signals *s, uint32_t slot) {
    return s->season[0] && s->slot[slot].n > 1 && s->error[1] < s->error[0];
}

static void expect(pshi_signals *s, double x, uint32_t slot, pshi_signals_out *out) {
    double e = s->count > 1 ? x - (season_leads(s, slot) ? s->slot[slot].mean : s->level[0]) : 0;
    double rate = 1.0 / (s->size_n + 1);

    out->expected = s->origin + x - e;
    if (s->count > WARM && s->size > GRAIN * fabs(s->origin))
        out->deviation = e / (s->size * MEAN_TO_SD);
    s->size += (rate > SLOWEST ? rate : SLOWEST) * (fabs(e) - s->size);
    s->size_n += s->size_n < 1000;
    s->fresh += QUICK * (fabs(e) - s->fresh);
}

void pshi_signals_resize(pshi_signals *s) {
    s->size = s->fresh;
    s->size_n = RESIZED;
}

void pshi_signals_observe(pshi_signals *s, int64_t time, double value, pshi_signals_out *out) {
    const pshi_tails *all = &s->tails[VALUE];
    uint32_t slot = s->season[0] ? place_of(time, s->season[0], PSHI_SIGNAL_SLOTS) : 0;
    double x, grain, range;
    reading r;

    memset(out, 0, sizeof *out);
    memset(&r, 0, sizeof r);
    if (!s->count) {
        s->start = time;
        s->origin = value;
    }
    x = value - s->origin;
    grain = GRAIN * fabs(s->origin);
    range = s->count > LEAST_RANGE ? pshi_tails_quantile(all, 0.95) - pshi_tails_quantile(all, 0.05) : 0;
    s->value[s->count++ % PSHI_SIGNAL_SPAN] = x;
    out->slot = slot;
    expect(s, x, slot, out);
    say(&r, VALUE, x, grain);
    if (s->count > 1) {
        say(&r, STEP, x - at(s, 1), grain);
        say(&r, OFF_QUICK, x - s->level[0], grain);
    }
    if (s->count > 20)
        say(&r, OFF_SLOW, x - s->level[1], grain);
    read_windows(s, &r, grain);
    read_changes(s, &r, 0.05 * range, grain);
    read_near(s, &r, range);
    read_entropy(s, &r);
    read_season(s, time, x, &r, grain, slot);
    read_waits(s, &r, x);
    gather(s, &r, out);
    slide(s, 0, 100, x);
    slide(s, 1, 300, x);
    learn(s, time, x, slot);
}

#define MOST_X 0x1p101 /* of differences of values */

static void near_fields(const pshi_signals *s, float *near, uint32_t size) {
    uint32_t n = s->count < size ? (uint32_t)s->count : size, i;

    for (i = 0; i < n; i++)
        pshi_sorted_insert(near, i, (float)at(s, n - 1 - i));
}

void pshi_signals_fields(pshi_fields *io, pshi_signals *s) {
    uint32_t i, n;

    pshi_field_i64(io, &s->start, INT64_MIN, INT64_MAX);
    pshi_field_f64(io, &s->origin, -0x1p100, 0x1p100);
    pshi_field_u64(io, &s->count);
    pshi_field_u64(io, &s->big_at);
    pshi_field_u64(io, &s->flat_at);
    if (io->c && (s->big_at > s->count || s->flat_at > s->count || s->count > INT64_MAX))
        pshi_read_bad(io->c);
    pshi_field_f64s(io, s->level, 2, -MOST_X, MOST_X);
    pshi_field_f64s(io, s->error, 2, 0, 2 * MOST_X);
    pshi_field_f64(io, &s->size, 0, 2 * MOST_X);
    pshi_field_f64(io, &s->fresh, 0, 2 * MOST_X);
    pshi_field_u32(io, &s->size_n, 0, 1000);
    for (i = 0; i < PSHI_SIGNAL_SLOTS + PSHI_SIGNAL_PLACES; i++) {
        pshi_place *p = i < PSHI_SIGNAL_SLOTS ? &s->slot[i] : &s->place[i - PSHI_SIGNAL_SLOTS];

        pshi_field_f64(io, &p->mean, -MOST_X, MOST_X);
        pshi_field_u32(io, &p->n, 0, 1000);
    }
    n = s->count < PSHI_SIGNAL_SPAN ? (uint32_t)s->count : PSHI_SIGNAL_SPAN;
    pshi_field_f64s(io, s->value, n, -MOST_X, MOST_X);
    pshi_field_f64s(io, s->residual, PSHI_SIGNAL_RESIDUALS, -2 * MOST_X, 2 * MOST_X);
    for (i = 0; i < PSHI_SIGNAL_COUNT; i++)
        pshi_tails_fields(io, &s->tails[i]);
    if (io->c) {
        near_fields(s, s->near[0], 100);
        near_fields(s, s->near[1], 300);
    }
}
