/* SPDX-License-Identifier: MIT */
#include "model/outlier.h"

#include <math.h>

#define FAR 4.0           /* standard deviations: an outlier */
#define CLIP 3.0          /* one error counts at most as much */
#define ALLOWED 1.0       /* and this much is usual: half the least shift that is looked for */
#define ENOUGH 9.0        /* the sum that tells a shift: at 2 a value, 5 values */
#define LEAST_RUN 5u      /* errors of one sign */
#define USUAL_SIZE 0.7979 /* mean |z| of the normal law */
#define SPREAD_ENOUGH 25.0
#define SIGN 0x80000000u
#define MOST_SUM 100.0

static float step(float sum, double by) {
    double x = (double)sum + by;

    return (float)(x > 0 ? (x < MOST_SUM ? x : MOST_SUM) : 0);
}

static uint32_t sides(pshi_outlier *s, double z) {
    uint32_t sign = z < 0 ? SIGN : 0, n = s->side & ~SIGN;

    s->side = sign | ((s->side & SIGN) == sign && n < 1000 ? n + 1 : n && (s->side & SIGN) == sign ? n : 1);
    return s->side & ~SIGN;
}

static void restart(pshi_outlier *s) {
    s->up = s->down = s->wide = s->narrow = 0;
    s->run = 1;
    s->side = 0;
}

uint32_t pshi_outlier_observe(pshi_outlier *s, double value, double mean, double sd) {
    double e = value - mean, z, clipped, size;
    uint32_t like;

    s->run += s->run < UINT32_MAX;
    if (!(sd > 0))
        return 0;
    z = e / sd;
    clipped = z > CLIP ? CLIP : z < -CLIP ? -CLIP : z;
    like = sides(s, z);
    s->up = step(s->up, clipped - ALLOWED);
    s->down = step(s->down, -clipped - ALLOWED);
    if (like >= LEAST_RUN && (double)(z < 0 ? s->down : s->up) >= ENOUGH) {
        restart(s);
        return PSHI_OUTLIER_LEVEL;
    }
    /* A scale that doubles or halves: sizes against the geometric middle of usual and doubled or halved. */
    size = fabs(clipped);
    s->wide = step(s->wide, size - 1.5 * USUAL_SIZE);
    s->narrow = step(s->narrow, 0.6 * USUAL_SIZE - size);
    if ((double)s->wide >= SPREAD_ENOUGH || (double)s->narrow >= SPREAD_ENOUGH) {
        restart(s);
        return PSHI_OUTLIER_SPREAD;
    }
    return fabs(z) > FAR ? PSHI_OUTLIER_MASK : 0;
}

void pshi_outlier_fields(pshi_fields *io, pshi_outlier *s) {
    pshi_field_f32(io, &s->up, 0, MOST_SUM);
    pshi_field_f32(io, &s->down, 0, MOST_SUM);
    pshi_field_f32(io, &s->wide, 0, MOST_SUM);
    pshi_field_f32(io, &s->narrow, 0, MOST_SUM);
    pshi_field_u32(io, &s->run, 0, UINT32_MAX);
    pshi_field_u32(io, &s->side, 0, UINT32_MAX);
}
