/* SPDX-License-Identifier: MIT */
/** @file model/lstm_net.h  The arithmetic of the network: windows into inputs, forward, loss, backward. */
#ifndef PSHI_MODEL_LSTM_NET_H
#define PSHI_MODEL_LSTM_NET_H

#include "model/lstm.h"

#define PSHI_LSTM_FAR 8.0 /* no input or target lies farther from the window's mean, in its standard deviations */
#define PSHI_LSTM_MOST_WEIGHT 0x1p12 /* far beyond any use; keeps sums finite */

/** The smallest shape there is, for loads of bad bytes. */
extern const pshi_lstm_shape pshi_lstm_least;

/** Sizes that follow from a shape. */
typedef struct pshi_lstm_sizes {
    uint32_t inputs; /* per step: value, value a season before, sine and cosine of the place, per season */
    uint32_t row;    /* 1, hidden state, inputs: what one step multiplies */
    uint32_t lag;    /* values before the window that inputs reach back to */
    uint32_t paths;  /* inputs of the linear path: last value, and one a season */
    size_t gates;    /* weights Shape [row][4 width], gates input, forget, output, candidate */
    size_t head;     /* weights Shape [1 + width][outputs] */
    size_t linear;   /* weights Shape [outputs][paths] */
    size_t weights;  /* all of them, in this order */
} pshi_lstm_sizes;

/** How the values of one window became inputs: log1p of the size, then mean and standard deviation. */
typedef struct pshi_lstm_scale {
    double size; /* mean absolute value; 0: all are 0 */
    double mean;
    double sd; /* 0: they do not vary */
} pshi_lstm_scale;

/** Room for windows at once, side by side in each step. One block. */
typedef struct pshi_lstm_work {
    uint32_t rows;          /* in use: what follows has this shape, with room for what create was told */
    uint32_t taught;        /* steps with outputs, the last ones */
    size_t kept;            /* 1: gates and cells of all steps are kept, for backward; 0: of one */
    float *a;               /* Shape [window + 1][rows][row] */
    float *gates;           /* Shape [window or 1][rows][4 width] */
    float *cell;            /* Shape [window or 1][rows][width] */
    float *bent;            /* likewise, tanh of cell */
    float *z;               /* Shape [rows][lag + window + outputs], scaled values */
    float *out;             /* Shape [taught][rows][outputs]; loss turns it into its own gradient */
    float *slope;           /* Shape [window][rows][4 width], gradient before the squashing; kept only */
    float *up;              /* Shape [taught][rows][width], gradient that the head sends; kept only */
    float *back;            /* Shape [rows][width], that the next step sends; kept only */
    float *keep;            /* Shape [rows][width], of the cells; kept only */
    float *gradient;        /* Shape [weights]; kept only */
    pshi_lstm_scale *scale; /* Shape [rows] */
} pshi_lstm_work;

pshi_lstm_sizes pshi_lstm_sizes_of(const pshi_lstm_shape *s);
/** @return 1 if every field is in its range. */
int pshi_lstm_shape_ok(const pshi_lstm_shape *s);
/** Writes or reads a shape; what was read may still fail pshi_lstm_shape_ok. */
void pshi_lstm_shape_fields(pshi_fields *io, pshi_lstm_shape *s);
/** @return room, one block of the env, or NULL. */
pshi_lstm_work *pshi_lstm_work_create(psh_env *env, const pshi_lstm_shape *s, uint32_t rows, int kept);
/** Weights to start from: Glorot & Bengio 2010 for the gates, forget bias 1, the linear path a seasonal naive. */
void pshi_lstm_draw(const pshi_lstm_shape *s, float *weights, uint64_t *rng);

/**
 * Makes the window that ends with values[end] row r of the work; with targets after it if the series has them.
 * Where it begins before the series does, the first seasons are repeated backward.
 */
void pshi_lstm_place(
    const pshi_lstm_shape *s, pshi_lstm_work *w, uint32_t r, const pshi_lstm_series *series, size_t end);
/** @return the value that a scaled one stands for; finite for |z| <= PSHI_LSTM_FAR. */
double pshi_lstm_unscale(const pshi_lstm_scale *scale, double z);

/**
 * Runs all rows; out is filled, and finite: products of the host's that make it otherwise are taken again by the
 * built-in one.
 */
void pshi_lstm_forward(const pshi_lstm_shape *s, const float *weights, pshi_gemm *g, pshi_lstm_work *w);
/**
 * Huber's loss, |e| - bend / 2 where |e| >= bend and e^2 / (2 bend) below, mean over rows, taught steps and
 * outputs. out becomes its gradient.
 */
double pshi_lstm_loss(const pshi_lstm_shape *s, pshi_lstm_work *w, double bend);
/** After forward and loss: back through all steps of the window. gradient is filled; may be called again. */
void pshi_lstm_backward(const pshi_lstm_shape *s, const float *weights, pshi_gemm *g, pshi_lstm_work *w);
/** pshi_lstm_forecast with any weights of a shape, Shape [weights], each at most PSHI_LSTM_MOST_WEIGHT. */
psh_status pshi_lstm_ask(
    psh_env *env, const pshi_lstm_shape *s, const float *weights, pshi_gemm *g, const pshi_lstm_series *series,
    size_t count, uint32_t steps, double *out);

#endif
