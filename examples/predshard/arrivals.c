/* SPDX-License-Identifier: MIT */
#include "arrivals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "questions.h"

#define HOUR_NS INT64_C(3600000000000)
#define POISSON_CHUNK 256.0

typedef struct random_state {
    uint64_t x;
} random_state;

/* Cumulative counts of one day: by hour, by origin, by destination. */
typedef struct rhythm {
    uint32_t hours[24];
    uint32_t *origins;      /* Shape [place_count] */
    uint32_t *destinations;
} rhythm;

static uint64_t next_random(random_state *r) {
    uint64_t out = mix64(r->x);

    r->x += UINT64_C(0x9e3779b97f4a7c15);
    return out;
}

/* Uniform in [0, 1). */
static double next_unit(random_state *r) {
    return (double)(next_random(r) >> 11) * 0x1p-53;
}

static random_state seed_for(uint64_t seed, uint32_t rate, uint32_t day, uint32_t t) {
    random_state r = { mix64(seed) };

    r.x = mix64(r.x ^ rate);
    r.x = mix64(r.x ^ day);
    r.x = mix64(r.x ^ t);
    return r;
}

/* Knuth's product of uniforms, in chunks that exp(-mean) does not underflow for. */
static uint32_t poisson(random_state *r, double mean) {
    uint32_t n = 0;
    double chunk, limit, product;

    for (; mean > 0; mean -= POISSON_CHUNK) {
        chunk = mean < POISSON_CHUNK ? mean : POISSON_CHUNK;
        limit = exp(-chunk);
        for (product = next_unit(r); product > limit; product *= next_unit(r))
            n++;
    }
    return n;
}

static size_t day_rows(const flights *x, uint32_t day) {
    return x->day_start[day + 1] - x->day_start[day];
}

static double weekday_factor(const flights *x, uint32_t day) {
    size_t sum;

    if (day < 7)
        return 1;
    sum = x->day_start[day] - x->day_start[day - 7];
    return sum ? 7.0 * (double)day_rows(x, day - 7) / (double)sum : 1;
}

static void make_rhythm(const flights *x, uint32_t day, rhythm *out) {
    size_t i;
    uint32_t p, h;

    memset(out->origins, 0, x->place_count * sizeof *out->origins);
    memset(out->destinations, 0, x->place_count * sizeof *out->destinations);
    for (i = x->day_start[day]; i < x->day_start[day + 1]; i++) {
        out->origins[x->rows[i].origin]++;
        out->destinations[x->rows[i].destination]++;
    }
    for (p = 1; p < x->place_count; p++) {
        out->origins[p] += out->origins[p - 1];
        out->destinations[p] += out->destinations[p - 1];
    }
    for (h = 0; h < 24; h++)
        out->hours[h] = x->hourly[day * 24 + h] + (h ? out->hours[h - 1] : 0);
}

/* An index with probability proportional to its count; index 0 when there are none. */
static uint32_t draw(random_state *r, const uint32_t *cumulative, uint32_t n) {
    uint32_t low = 0, high = n - 1, middle;
    double at = next_unit(r) * cumulative[n - 1];

    while (low < high) {
        middle = (low + high) / 2;
        if (at < cumulative[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static arrival draw_arrival(const flights *x, const rhythm *y, random_state *r, uint32_t day, uint32_t t) {
    arrival a;
    uint32_t hour = draw(r, y->hours, 24);
    int64_t start = ((int64_t)x->first_day + day) * 24 * HOUR_NS;
    const uint32_t *places = questions[t].place == PLACE_DESTINATION ? y->destinations : y->origins;

    memset(&a, 0, sizeof a);
    a.time = start + hour * HOUR_NS + (int64_t)(next_unit(r) * (double)HOUR_NS);
    a.day = day;
    a.question = (uint16_t)t;
    a.place = (uint16_t)draw(r, places, x->place_count);
    a.hour = (uint16_t)draw(r, y->hours, 24);
    return a;
}

static int append(stream *s, size_t *capacity, const arrival *a, failure *f) {
    arrival *items;

    if (s->count == *capacity) {
        items = realloc(s->items, (*capacity ? *capacity * 2 : 4096) * sizeof *items);
        if (!items)
            return fail_memory(f);
        *capacity = *capacity ? *capacity * 2 : 4096;
        s->items = items;
    }
    s->items[s->count++] = *a;
    return EXIT_DONE;
}

static int by_time(const void *x, const void *y) {
    const arrival *a = x, *b = y;

    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    if (a->question != b->question)
        return a->question < b->question ? -1 : 1;
    return (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
}

static int add_day(const flights *x, const rhythm *y, uint64_t seed, uint32_t day, stream *s, size_t *capacity,
    failure *f) {
    uint32_t t, i, n;
    random_state r;
    arrival a;

    for (t = 0; t < QUESTIONS; t++) {
        r = seed_for(seed, s->rate, day, t);
        n = poisson(&r, s->rate * weekday_factor(x, day));
        for (i = 0; i < n; i++) {
            a = draw_arrival(x, y, &r, day, t);
            a.ordinal = (uint16_t)i;
            if (append(s, capacity, &a, f))
                return f->code;
        }
    }
    return EXIT_DONE;
}

int stream_make(const flights *x, uint64_t seed, uint32_t rate, stream *out, failure *f) {
    rhythm y;
    size_t capacity = 0;
    uint32_t day;

    memset(out, 0, sizeof *out);
    out->rate = rate;
    y.origins = calloc(x->place_count, sizeof *y.origins);
    y.destinations = calloc(x->place_count, sizeof *y.destinations);
    if (!y.origins || !y.destinations)
        fail_memory(f);
    for (day = 0; day < x->day_count && f->code == EXIT_DONE; day++) {
        make_rhythm(x, day ? day - 1 : 0, &y);
        add_day(x, &y, seed, day, out, &capacity, f);
    }
    if (out->count)
        qsort(out->items, out->count, sizeof *out->items, by_time);
    free(y.origins);
    free(y.destinations);
    return f->code;
}

void stream_free(stream *s) {
    free(s->items);
    memset(s, 0, sizeof *s);
}
