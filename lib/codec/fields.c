/* SPDX-License-Identifier: MIT */
#include "codec/fields.h"

#include <math.h>
#include <string.h>

void pshi_field_u32(pshi_fields *io, uint32_t *x, uint32_t least, uint32_t most) {
    if (io->w) {
        pshi_put_var(io->w, *x);
        return;
    }
    *x = pshi_get_var32(io->c);
    if (*x < least || *x > most) {
        pshi_read_bad(io->c);
        *x = least;
    }
}

void pshi_field_u64(pshi_fields *io, uint64_t *x) {
    if (io->w)
        pshi_put_u64(io->w, *x);
    else
        *x = pshi_get_u64(io->c);
}

void pshi_field_i64(pshi_fields *io, int64_t *x, int64_t least, int64_t most) {
    if (io->w) {
        pshi_put_int(io->w, *x);
        return;
    }
    *x = pshi_get_int(io->c);
    if (*x < least || *x > most) {
        pshi_read_bad(io->c);
        *x = least;
    }
}

void pshi_field_f64(pshi_fields *io, double *x, double least, double most) {
    if (io->w) {
        pshi_put_f64(io->w, *x);
        return;
    }
    *x = pshi_get_f64(io->c);
    if (!(*x >= least && *x <= most)) {
        pshi_read_bad(io->c);
        *x = least;
    }
}

void pshi_field_f32(pshi_fields *io, float *x, double least, double most) {
    uint32_t bits;

    if (io->w) {
        memcpy(&bits, x, sizeof bits);
        pshi_put_u32(io->w, bits);
        return;
    }
    bits = pshi_get_u32(io->c);
    memcpy(x, &bits, sizeof bits);
    if (!((double)*x >= least && (double)*x <= most) || !isfinite(*x)) {
        pshi_read_bad(io->c);
        *x = (float)least;
    }
}

void pshi_field_f64s(pshi_fields *io, double *x, size_t n, double least, double most) {
    size_t i;

    for (i = 0; i < n; i++)
        pshi_field_f64(io, &x[i], least, most);
}

void pshi_field_f32s(pshi_fields *io, float *x, size_t n, double least, double most) {
    size_t i;

    for (i = 0; i < n; i++)
        pshi_field_f32(io, &x[i], least, most);
}
