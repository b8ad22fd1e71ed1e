/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "math/stats.h"
#include "model/detector.h"

#define TOLD 0.6           /* how much of what was just told is discounted */
#define USUAL 0.4          /* the same of what is usual at this place of the season */
#define FADE 0.7           /* of that, by season */
#define RANKED 0.35        /* weight of the rank against that of the height */
#define RANK_GRAIN 0.25    /* of surprise: no difference */
#define HEIGHT 6.0         /* a series' usual height of alarms, before any is seen */
#define HEIGHT_WEIGHT 4.0  /* in blocks */
#define HEIGHT_POWER 0.2
#define MOST_RAW 1000.0

/* What the neighbours in the season saw before: events drift by a place. */
static double usual_at(const pshi_alarm *a, uint32_t slot) {
    double before = a->usual[(slot + PSHI_SIGNAL_SLOTS - 1) % PSHI_SIGNAL_SLOTS];
    double here = a->usual[slot], after = a->usual[(slot + 1) % PSHI_SIGNAL_SLOTS];

    here = here > before ? here : before;
    return here > after ? here : after;
}

static void move_on(pshi_alarm *a, uint32_t slot) {
    double *u = &a->usual[a->slot];

    if (slot == a->slot)
        return;
    *u *= FADE;
    *u = *u > a->here ? *u : a->here;
    a->slot = slot;
    a->here = 0;
}

static void end_block(pshi_alarm *a) {
    double quantile;

    if (a->blocks == PSHI_ALARM_BLOCKS)
        pshi_sorted_remove(a->sorted, a->blocks--, a->ring[a->next]);
    a->ring[a->next] = (float)a->block_most;
    pshi_sorted_insert(a->sorted, a->blocks++, a->ring[a->next]);
    a->next = (a->next + 1) % PSHI_ALARM_BLOCKS;
    a->block_at = 0;
    a->block_most = 0;
    quantile = (double)a->sorted[(a->blocks - 1) * 9 / 10];
    a->height = (HEIGHT * HEIGHT_WEIGHT + quantile * a->blocks) / (HEIGHT_WEIGHT + a->blocks);
}

double pshi_alarm_observe(pshi_alarm *a, double raw, uint32_t slot, uint32_t quiet) {
    double left, rest, ranked;

    raw = raw < MOST_RAW ? raw : MOST_RAW;
    move_on(a, slot);
    a->told *= exp(-1.0 / quiet);
    left = raw - TOLD * a->told;
    rest = raw - USUAL * usual_at(a, slot);
    left = left < rest ? left : rest;
    left = left > 0 ? left : 0;
    a->told = a->told > raw ? a->told : raw;
    a->here = a->here > raw ? a->here : raw;
    if (a->block_at >= (quiet * 3 + 4) / 5)
        end_block(a);
    a->block_at++;
    a->block_most = a->block_most > left ? a->block_most : left;
    ranked = pshi_tails_surprise(&a->past, left, 1, RANK_GRAIN);
    pshi_tails_add(&a->past, left);
    left = RANKED * ranked + (1 - RANKED) * left;
    return a->height > 0 ? left * pow(HEIGHT / a->height, HEIGHT_POWER) : left;
}

void pshi_alarm_fields(pshi_fields *io, pshi_alarm *a) {
    uint32_t i;

    pshi_field_f64(io, &a->told, 0, MOST_RAW);
    pshi_field_f64s(io, a->usual, PSHI_SIGNAL_SLOTS, 0, MOST_RAW);
    pshi_field_f64(io, &a->here, 0, MOST_RAW);
    pshi_field_f64(io, &a->block_most, 0, MOST_RAW);
    pshi_field_f64(io, &a->height, 0, MOST_RAW);
    pshi_field_u32(io, &a->slot, 0, PSHI_SIGNAL_SLOTS - 1);
    pshi_field_u32(io, &a->block_at, 0, UINT32_MAX - 1);
    pshi_field_u32(io, &a->blocks, 0, PSHI_ALARM_BLOCKS);
    pshi_field_u32(io, &a->next, 0, PSHI_ALARM_BLOCKS - 1);
    if (io->c && a->blocks < PSHI_ALARM_BLOCKS && a->next != a->blocks)
        pshi_read_bad(io->c);
    pshi_field_f32s(io, a->ring, a->blocks, 0, MOST_RAW);
    for (i = 0; io->c && i < a->blocks; i++)
        pshi_sorted_insert(a->sorted, i, a->ring[i]);
    pshi_tails_fields(io, &a->past);
}
