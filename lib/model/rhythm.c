/* SPDX-License-Identifier: MIT */
#include "model/rhythm.h"

#include <math.h>
#include <string.h>

#define UNIT 1024.0F     /* steps of the stored numbers in one of z */
#define MOST_CODE 32000
#define SHORT_GAIN 0.1F  /* how fast profiles forget, once they have seen enough */
#define LONG_GAIN 0.1F
#define MOST_SEEN 1000000000u

uint32_t pshi_rhythm_ring(const uint32_t season[2]) {
    return (season[1] > 2 * season[0] ? season[1] : 2 * season[0]) + 3;
}

size_t pshi_rhythm_bytes(const uint32_t season[2]) {
    size_t codes = pshi_rhythm_ring(season) + 2 * (size_t)season[0] + 1 + season[0] + season[1];

    return (sizeof(pshi_rhythm) + codes * sizeof(int16_t) + 7) & ~(size_t)7;
}

uint32_t pshi_rhythm_longest(const pshi_rhythm *r) {
    return r->season[1] ? r->season[1] : r->season[0];
}

static int16_t encode(float z) {
    float x = z * UNIT;

    if (x > MOST_CODE)
        return MOST_CODE;
    if (x < -MOST_CODE)
        return -MOST_CODE;
    return (int16_t)(x < 0 ? x - 0.5F : x + 0.5F);
}

static float decode(int16_t code) {
    return (float)code * (1 / UNIT);
}

double pshi_rhythm_z(const pshi_rhythm *r, double y) {
    double x = y;

    if (r->root)
        x = y >= 0 ? sqrt(y) : -sqrt(-y);
    return (x - (double)r->mean) / (double)r->sd;
}

double pshi_rhythm_value(const pshi_rhythm *r, double z) {
    double x = z * (double)r->sd + (double)r->mean;

    return r->root ? x * fabs(x) : x;
}

uint32_t pshi_rhythm_group(const pshi_rhythm *r, uint32_t lead) {
    uint32_t s = r->season[0] ? r->season[0] : 4;

    return lead <= (s + 3) / 4 ? 0 : lead <= s ? 1 : lead <= 2 * s ? 2 : 3;
}

uint32_t pshi_rhythm_scale_group(const pshi_rhythm *r, uint32_t lead) {
    uint32_t s = r->season[0] ? r->season[0] : 8, i = 0;
    const uint64_t eighths[] = { 0, s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 56 * s, 112 * (uint64_t)s };

    if (lead > 1)
        for (i = 1; i < PSHI_RHYTHM_SCALES - 1 && 8 * (uint64_t)lead > eighths[i]; i++) {}
    return i;
}

double pshi_rhythm_scale(const pshi_rhythm *r, uint32_t lead) {
    return (double)r->scale[pshi_rhythm_scale_group(r, lead)];
}

/* Parts of data. */

static int16_t *rest_of(pshi_rhythm *r) {
    return r->data + r->ring;
}

static int16_t *profile_of(pshi_rhythm *r, uint32_t k) {
    return rest_of(r) + 2 * r->season[0] + 1 + (k ? r->season[0] : 0);
}

static float gain_of(uint32_t seen, uint32_t season, float least) {
    float gain = 1 / ((float)(seen / season) + 1);

    return gain > least ? gain : least;
}

/* What the longest profile says of the next value. */
static float expected(pshi_rhythm *r) {
    uint32_t k = r->season[1] ? 1 : 0;

    if (!r->season[k])
        return r->level;
    return r->seen < r->season[k] ? r->level : decode(profile_of(r, k)[r->place[k]]);
}

static void learn_place(pshi_rhythm *r, uint32_t k, float z, float least) {
    int16_t *p;
    float gain, now;

    if (!r->season[k])
        return;
    p = &profile_of(r, k)[r->place[k]];
    gain = gain_of(r->seen, r->season[k], least);
    now = decode(*p);
    *p = encode(now + gain * (z - now));
    r->place[k] = r->place[k] + 1 == r->season[k] ? 0 : r->place[k] + 1;
}

void pshi_rhythm_update(pshi_rhythm *r, double y) {
    double exact = pshi_rhythm_z(r, y);
    float z = (float)(exact > 30 ? 30 : exact < -30 ? -30 : exact);
    uint32_t kept = 2 * r->season[0] + 1, longest = pshi_rhythm_longest(r);

    rest_of(r)[r->seen % kept] = encode(z - expected(r));
    r->data[r->at] = encode(z);
    r->at = r->at + 1 == r->ring ? 0 : r->at + 1;
    r->level += gain_of(r->seen, 1, 2 / ((float)longest + 9)) * (z - r->level);
    learn_place(r, 0, z, SHORT_GAIN);
    learn_place(r, 1, z, LONG_GAIN);
    /* Stays congruent where the ring of rests is concerned. */
    r->seen = r->seen < MOST_SEEN ? r->seen + 1 : r->seen + 1 - kept;
}

size_t pshi_rhythm_work(const pshi_rhythm *r, uint32_t steps) {
    return r->ring + 2 * (size_t)r->season[0] + 1 + (4 + PSHI_RHYTHM_MEMBERS) * ((size_t)steps + 1);
}

static float lag_step(const pshi_rhythm *r, const float *z, const float *const p[2], size_t i) {
    const float *c = r->coef;
    float x = *c++;
    uint32_t k;

    for (k = 0; k < r->lag_count; k++)
        x += *c++ * *(z + i - r->lag[k]);
    for (k = 0; k < r->profiles; k++, c += 2)
        x += c[0] * p[k][i] + c[1] * *(p[k] + i - 1);
    return x < r->low ? r->low : x > r->high ? r->high : x;
}

static float rest_step(const pshi_rhythm *r, const float *rest, size_t i) {
    float x = 0;
    uint32_t k;

    for (k = 0; k < r->ar_count; k++)
        x += r->ar[k] * *(rest + i - r->ar_lag[k]);
    return x < r->low - r->high ? r->low - r->high : x > r->high - r->low ? r->high - r->low : x;
}

void pshi_rhythm_paths(
    const pshi_rhythm *r, uint32_t steps, float *lagged, float *rest, const float *const p[2], float *out) {
    const float *longest = p[r->season[1] ? 1 : 0];
    uint32_t m = pshi_rhythm_longest(r), s = r->season[0], i;

    /* The naive members read what is known only; the lag member then writes on. */
    for (i = 0; i < steps; i++) {
        out[2 * (size_t)steps + i] = m ? *(lagged + i % m - m) : lagged[-1];
        out[3 * (size_t)steps + i] = s ? *(lagged + i % s - s) : lagged[-1];
        out[4 * (size_t)steps + i] = r->level;
    }
    for (i = 0; i < steps; i++) {
        if (r->members & 1)
            out[i] = lagged[i] = lag_step(r, lagged, p, i);
        if (r->members & 2) {
            rest[i] = rest_step(r, rest, i);
            out[steps + i] = longest[i] + rest[i];
        }
    }
}

/* Lays out what is known before the first target, and the profiles of the targets. */
static void unroll(const pshi_rhythm *r, uint32_t steps, float *lagged, float *rest, float *p[2]) {
    pshi_rhythm *w = (pshi_rhythm *)(uintptr_t)r; /* read only */
    uint32_t kept = 2 * r->season[0] + 1, i, k, at;
    const int16_t *profile;

    for (i = 0; i < r->ring; i++)
        *(lagged - r->ring + i) = decode(r->data[(r->at + i) % r->ring]);
    for (i = 0; i < kept; i++)
        *(rest - kept + i) = decode(rest_of(w)[(r->seen + i) % kept]);
    for (k = 0; k < 2 && r->season[k]; k++) {
        profile = profile_of(w, k);
        at = r->place[k] ? r->place[k] - 1 : r->season[k] - 1;
        for (i = 0; i <= steps; i++) {
            *(p[k] + i - 1) = decode(profile[at]);
            at = at + 1 == r->season[k] ? 0 : at + 1;
        }
    }
}

void pshi_rhythm_forecast(const pshi_rhythm *r, uint32_t steps, float *work, double *mean) {
    uint32_t kept = 2 * r->season[0] + 1, i, k;
    float *lagged = work + r->ring, *rest = lagged + steps + kept, *p[2], *out;
    const float *weight;

    p[0] = rest + steps + 1;
    p[1] = p[0] + steps + 1;
    out = p[1] + steps;
    unroll(r, steps, lagged, rest, p);
    pshi_rhythm_paths(r, steps, lagged, rest, (const float *const *)p, out);
    for (i = 0; i < steps; i++) {
        weight = r->weight[pshi_rhythm_group(r, i + 1)];
        mean[i] = 0;
        for (k = 0; k < PSHI_RHYTHM_MEMBERS; k++)
            if (weight[k] > 0)
                mean[i] += (double)weight[k] * pshi_rhythm_value(r, (double)out[k * (size_t)steps + i]);
    }
}

static float value_back(const pshi_rhythm *r, uint32_t lag) {
    return decode(r->data[r->at >= lag ? r->at - lag : r->at + r->ring - lag]);
}

static float place_back(pshi_rhythm *r, uint32_t k, uint32_t back) {
    uint32_t place = r->place[k];

    return decode(profile_of(r, k)[place >= back ? place - back : place + r->season[k] - back]);
}

static float next_by_lags(pshi_rhythm *r) {
    const float *c = r->coef;
    float x = *c++;
    uint32_t k;

    for (k = 0; k < r->lag_count; k++)
        x += *c++ * value_back(r, r->lag[k]);
    for (k = 0; k < r->profiles; k++, c += 2)
        x += c[0] * place_back(r, k, 0) + c[1] * place_back(r, k, 1);
    return x < r->low ? r->low : x > r->high ? r->high : x;
}

static float next_by_profile(pshi_rhythm *r) {
    uint32_t kept = 2 * r->season[0] + 1, at = r->seen % kept, k;
    float x = 0, most = r->high - r->low;

    for (k = 0; k < r->ar_count; k++)
        x += r->ar[k] * decode(rest_of(r)[at >= r->ar_lag[k] ? at - r->ar_lag[k] : at + kept - r->ar_lag[k]]);
    x = x < -most ? -most : x > most ? most : x;
    return place_back(r, r->season[1] ? 1 : 0, 0) + x;
}

double pshi_rhythm_next(const pshi_rhythm *r) {
    pshi_rhythm *w = (pshi_rhythm *)(uintptr_t)r; /* read only */
    const float *weight = r->weight[0];
    uint32_t m = pshi_rhythm_longest(r), s = r->season[0], k;
    float z[PSHI_RHYTHM_MEMBERS] = { 0 };
    double mean = 0;

    if (weight[0] > 0 && r->members & 1)
        z[0] = next_by_lags(w);
    if (weight[1] > 0 && r->members & 2)
        z[1] = next_by_profile(w);
    z[2] = value_back(r, m ? m : 1);
    z[3] = value_back(r, s ? s : 1);
    z[4] = r->level;
    for (k = 0; k < PSHI_RHYTHM_MEMBERS; k++)
        if (weight[k] > 0)
            mean += (double)weight[k] * pshi_rhythm_value(r, (double)z[k]);
    return mean;
}

/* A season in use is the one there is room for, the long one only with the short. */
static void field_seasons(pshi_fields *io, pshi_rhythm *r) {
    uint32_t used[2] = { r->season[0] != 0, r->season[1] != 0 };

    pshi_field_u32(io, &used[0], 0, r->room[0] ? 1 : 0);
    pshi_field_u32(io, &used[1], 0, used[0] && r->room[1] ? 1 : 0);
    r->season[0] = used[0] ? r->room[0] : 0;
    r->season[1] = used[1] ? r->room[1] : 0;
    r->ring = pshi_rhythm_ring(r->season);
}

void pshi_rhythm_fields(pshi_fields *io, pshi_rhythm *r) {
    uint32_t i, k, kept;
    size_t codes;

    field_seasons(io, r);
    pshi_field_u32(io, &r->at, 0, r->ring - 1);
    for (k = 0; k < 2; k++)
        pshi_field_u32(io, &r->place[k], 0, r->season[k] ? r->season[k] - 1 : 0);
    pshi_field_u32(io, &r->seen, 1, MOST_SEEN);
    pshi_field_u32(io, &r->root, 0, 1);
    pshi_field_u32(io, &r->members, 1, (1u << PSHI_RHYTHM_MEMBERS) - 1);
    pshi_field_f32(io, &r->mean, -PSHI_MODEL_MOST_VALUE, PSHI_MODEL_MOST_VALUE);
    pshi_field_f32(io, &r->sd, 1e-30, PSHI_MODEL_MOST_VALUE);
    pshi_field_f32(io, &r->low, -40, 40);
    pshi_field_f32(io, &r->high, (double)r->low, 40);
    pshi_field_f32(io, &r->level, -40, 40);
    pshi_field_u32(io, &r->lag_count, 0, r->season[0] ? PSHI_RHYTHM_LAGS : 0);
    pshi_field_u32(io, &r->ar_count, 0, r->season[0] ? PSHI_RHYTHM_AR : 0);
    pshi_field_u32(io, &r->profiles, 0, r->season[1] ? 2 : r->season[0] ? 1 : 0);
    for (i = 0; i < r->lag_count; i++)
        pshi_field_u32(io, &r->lag[i], 1, r->ring);
    kept = 2 * r->season[0] + 1;
    for (i = 0; i < r->ar_count; i++)
        pshi_field_u32(io, &r->ar_lag[i], 1, kept);
    pshi_field_f32s(io, r->coef, PSHI_RHYTHM_COEFS, -1e6, 1e6);
    pshi_field_f32s(io, r->ar, PSHI_RHYTHM_AR, -1e6, 1e6);
    pshi_field_f32s(io, &r->weight[0][0], PSHI_RHYTHM_GROUPS * PSHI_RHYTHM_MEMBERS, 0, 1);
    pshi_field_f32s(io, r->scale, PSHI_RHYTHM_SCALES, 0, 1e6);
    codes = (size_t)r->ring + kept + r->season[0] + r->season[1];
    for (; codes-- > 0;) {
        uint32_t code = (uint32_t)(r->data[codes] + 32768);

        pshi_field_u32(io, &code, 0, 65535);
        r->data[codes] = (int16_t)((int32_t)code - 32768);
    }
}
