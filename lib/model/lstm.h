/* SPDX-License-Identifier: MIT */
/** @file model/lstm.h  One recurrent network shared by many series: trained on windows of them, asked about any. */
#ifndef PSHI_MODEL_LSTM_H
#define PSHI_MODEL_LSTM_H

#include "codec/fields.h"
#include "math/gemm.h"

#define PSHI_LSTM_MOST_WIDTH 256u
#define PSHI_LSTM_MOST_WINDOW 1024u
#define PSHI_LSTM_MOST_OUTPUTS 1024u
#define PSHI_LSTM_MOST_BATCH 256u
#define PSHI_LSTM_MOST_SEASON 65536u
#define PSHI_LSTM_MOST_STEPS 65536u
#define PSHI_LSTM_MOST_ROOM (1u << 22) /* of batch * window * width and of batch * taught * outputs */

/**
 * Long short-term memory of Hochreiter & Schmidhuber 1997 with the forget gate of Gers, Schmidhuber & Cummins 2000,
 * one layer; a linear head gives all outputs at once; beside it a linear path from the last value and from those a
 * season before each output, after the autoregressive component of LSTNet (Lai, Chang, Yang & Liu 2018).
 */
typedef struct pshi_lstm_shape {
    uint32_t width;     /* cells, a multiple of 8, 8..256 */
    uint32_t window;    /* past values that the network runs over, 2..1024 */
    uint32_t outputs;   /* values ahead in one go, 1..1024 */
    uint32_t taught;    /* last steps of a window that are taught to forecast, 1..window */
    uint32_t seasons;   /* 0..3 */
    uint32_t season[3]; /* ascending, 2..65536 */
} pshi_lstm_shape;

typedef struct pshi_lstm_options {
    pshi_lstm_shape shape;
    uint32_t batch; /* windows in one step of the optimizer, 1..256 */
    float rate;     /* of learning, (0, 1] */
    float average;  /* share of the old that the average of the weights keeps per step, [0, 1) */
    float bend;     /* where the loss turns from square to linear, in local standard deviations, (0, 100] */
    uint64_t seed;
} pshi_lstm_options;

/** One series, borrowed: oldest first, finite, |value| <= 2^100; n >= 1. */
typedef struct pshi_lstm_series {
    const double *values;
    size_t n;
    uint32_t phase[3]; /* place of values[0] in each season, below it */
} pshi_lstm_series;

/** Not for two threads at once, forecasts neither where a host multiplies. */
typedef struct pshi_lstm pshi_lstm;

/** Width 32, a window of four shortest seasons (24 to 168), one of outputs (4 to 168; 24 without a season). */
void pshi_lstm_defaults(pshi_lstm_options *o, const uint32_t *season, uint32_t seasons);
/** Weights drawn by the seed. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. *out is the caller's. */
psh_status pshi_lstm_create(psh_env *env, const pshi_lstm_options *o, pshi_lstm **out);
/** NULL is allowed. */
void pshi_lstm_destroy(pshi_lstm *net);
/** The host's products from now on; NULL: the built-in one. Returns as pshi_gemm_set. */
psh_status pshi_lstm_set_gemm(pshi_lstm *net, const psh_gemm_host *host);
const pshi_lstm_shape *pshi_lstm_shape_of(const pshi_lstm *net);
/** @return floating-point operations of one minibatch, about: what a budget is divided by. */
uint64_t pshi_lstm_batch_cost(const pshi_lstm *net);
/** @return minibatches seen so far. */
uint64_t pshi_lstm_steps(const pshi_lstm *net);
/** @return bytes held between calls. */
size_t pshi_lstm_bytes(const pshi_lstm *net);
/**
 * `batches` steps of the optimizer, on windows drawn over series and places by the net's own seed. Series too short
 * to hold two values and all outputs after them are passed over; if all are, nothing happens. A step whose gradient
 * is not finite is left out.
 * @param loss  NULL, or the mean loss of the steps, in local standard deviations; 0 if there was none
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (net unchanged).
 */
psh_status pshi_lstm_train(
    pshi_lstm *net, const pshi_lstm_series *series, size_t count, uint32_t batches, double *loss);
/**
 * The next `steps` values of each series, by the average of the weights; beyond shape.outputs from its own
 * forecasts. Each lies in the range of the window, widened by half of it at both ends.
 * @param steps  1..65536
 * @param out    Shape [count][steps], finite
 * @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM.
 */
psh_status pshi_lstm_forecast(
    pshi_lstm *net, const pshi_lstm_series *series, size_t count, uint32_t steps, double *out);

/** @return the averaged weights that forecasts use, in the order of lstm_net.h; valid until the next training. */
const float *pshi_lstm_average(const pshi_lstm *net);
/** Options, weights, moments of the optimizer, the draw's state: training goes on as if never interrupted. */
void pshi_lstm_save(const pshi_lstm *net, pshi_writer *w);
/** Marks the cursor where the bytes are bad. @return the net (maybe nonsense if marked), or NULL (no memory). */
pshi_lstm *pshi_lstm_load(psh_env *env, pshi_cursor *c);

#endif
