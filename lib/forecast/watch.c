/* SPDX-License-Identifier: MIT */
#include "forecast/watch.h"

#include <string.h>

#define MOST_STATE 0x1p118

void pshi_watch_reset(pshi_watch *w) {
    pshi_leadlag *lead = w->lead;

    memset(w, 0, sizeof *w);
    w->lead = lead;
    w->base = -1;
}

size_t pshi_watch_held(const pshi_watch *w) {
    return w->lead ? pshi_leadlag_bytes(w->lead) : 0;
}

/* What holds between two buckets; error, unit, expected and size live while one closes. */
void pshi_watch_fields(pshi_fields *io, pshi_watch *w) {
    uint32_t i;

    pshi_outlier_fields(io, &w->outlier);
    pshi_field_f32(io, &w->base, -1, MOST_STATE);
    pshi_field_f32(io, &w->drift, 0, 1e3);
    pshi_field_f32(io, &w->usual, 0, 10);
    pshi_field_f32(io, &w->usual2, 0, 100);
    pshi_field_u32(io, &w->errors, 0, UINT32_MAX);
    pshi_field_u32(io, &w->state, 0, 255);
    pshi_field_u32(io, &w->told, 0, 255);
    pshi_field_u32(io, &w->day, 0, UINT32_MAX);
    pshi_field_u32(io, &w->inside, 0, UINT32_MAX);
    pshi_field_u32(io, &w->shifts, 0, PSHI_SHIFTS);
    pshi_field_u32(io, &w->up, 0, 1);
    for (i = 0; i < w->shifts; i++)
        pshi_field_i64(io, &w->shift[i], i ? w->shift[i - 1] : INT64_MIN, INT64_MAX);
}
