/* SPDX-License-Identifier: MIT */
/*
 * Hochreiter & Schmidhuber, "Long short-term memory", 1997; forget gate: Gers, Schmidhuber & Cummins, "Learning to
 * forget", 2000; gradient through all steps of the window, none beyond it: truncated back-propagation through time,
 * Williams & Peng 1990.
 */
#include "model/lstm_net.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/rng.h"

#define BLOCK 8u /* widths are multiples of it: compilers turn loops of 8 into vector code */

const pshi_lstm_shape pshi_lstm_least = { BLOCK, 2, 1, 1, 0, { 0, 0, 0 } };

pshi_lstm_sizes pshi_lstm_sizes_of(const pshi_lstm_shape *s) {
    pshi_lstm_sizes n;

    n.inputs = 1 + 3 * s->seasons;
    n.row = 1 + s->width + n.inputs;
    n.lag = s->seasons ? s->season[s->seasons - 1] : 0;
    n.paths = 1 + s->seasons;
    n.gates = (size_t)n.row * 4 * s->width;
    n.head = (size_t)(1 + s->width) * s->outputs;
    n.linear = (size_t)s->outputs * n.paths;
    n.weights = n.gates + n.head + n.linear;
    return n;
}

int pshi_lstm_shape_ok(const pshi_lstm_shape *s) {
    uint32_t j;

    if (s->width < BLOCK || s->width > PSHI_LSTM_MOST_WIDTH || s->width % BLOCK)
        return 0;
    if (s->window < 2 || s->window > PSHI_LSTM_MOST_WINDOW || s->taught < 1 || s->taught > s->window)
        return 0;
    if (s->outputs < 1 || s->outputs > PSHI_LSTM_MOST_OUTPUTS || s->seasons > 3)
        return 0;
    for (j = 0; j < s->seasons; j++)
        if (s->season[j] < 2 || s->season[j] > PSHI_LSTM_MOST_SEASON || (j && s->season[j] <= s->season[j - 1]))
            return 0;
    return 1;
}

void pshi_lstm_shape_fields(pshi_fields *io, pshi_lstm_shape *s) {
    uint32_t j;

    pshi_field_u32(io, &s->width, BLOCK, PSHI_LSTM_MOST_WIDTH);
    pshi_field_u32(io, &s->window, 2, PSHI_LSTM_MOST_WINDOW);
    pshi_field_u32(io, &s->outputs, 1, PSHI_LSTM_MOST_OUTPUTS);
    pshi_field_u32(io, &s->taught, 1, PSHI_LSTM_MOST_WINDOW);
    pshi_field_u32(io, &s->seasons, 0, 3);
    for (j = 0; j < s->seasons; j++)
        pshi_field_u32(io, &s->season[j], 2, PSHI_LSTM_MOST_SEASON);
}

/* Cuts n floats off the block; with no block it only counts them. */
static float *cut(float *block, size_t *used, size_t n) {
    float *p = block ? block + *used : NULL;

    *used += n;
    return p;
}

static size_t lay_out(pshi_lstm_work *w, const pshi_lstm_shape *s, float *block) {
    pshi_lstm_sizes n = pshi_lstm_sizes_of(s);
    size_t used = 0, rows = w->rows, steps = w->kept ? s->window : 1, kept = w->kept;

    w->a = cut(block, &used, (s->window + (size_t)1) * rows * n.row);
    w->gates = cut(block, &used, steps * rows * 4 * s->width);
    w->cell = cut(block, &used, steps * rows * s->width);
    w->bent = cut(block, &used, steps * rows * s->width);
    w->z = cut(block, &used, rows * ((size_t)n.lag + s->window + s->outputs));
    w->out = cut(block, &used, w->taught * rows * s->outputs);
    w->slope = cut(block, &used, kept * s->window * rows * 4 * s->width);
    w->up = cut(block, &used, kept * w->taught * rows * s->width);
    w->back = cut(block, &used, kept * rows * s->width);
    w->keep = cut(block, &used, kept * rows * s->width);
    w->gradient = cut(block, &used, kept * n.weights);
    return used;
}

pshi_lstm_work *pshi_lstm_work_create(psh_env *env, const pshi_lstm_shape *s, uint32_t rows, int kept) {
    pshi_lstm_work size = { 0 }, *w;
    size_t head = sizeof size + rows * sizeof(pshi_lstm_scale);

    size.rows = rows;
    size.taught = kept ? s->taught : 1;
    size.kept = kept ? 1 : 0;
    w = pshi_calloc(env, 1, head + lay_out(&size, s, NULL) * sizeof(float));
    if (!w)
        return NULL;
    *w = size;
    w->scale = (pshi_lstm_scale *)(void *)(w + 1);
    lay_out(w, s, (float *)(void *)((char *)w + head));
    return w;
}

void pshi_lstm_draw(const pshi_lstm_shape *s, float *weights, uint64_t *rng) {
    pshi_lstm_sizes n = pshi_lstm_sizes_of(s);
    double reach = sqrt(6.0 / (double)(n.inputs + 2 * s->width));
    float *linear = weights + n.gates + n.head;
    size_t i;
    uint32_t h, j;

    memset(weights, 0, n.weights * sizeof *weights);
    for (i = 4 * (size_t)s->width; i < n.gates; i++)
        weights[i] = (float)(reach * (2 * pshi_rng_unit(rng) - 1));
    for (j = 0; j < s->width; j++)
        weights[s->width + j] = 1; /* bias of the forget gate */
    for (h = 0; h < s->outputs; h++)
        for (j = 0; j < n.paths; j++)
            linear[h * n.paths + j] = !s->seasons ? 1 : j ? 1 / (float)s->seasons : 0;
}

/* e^x for |x| <= 40, to about 2 units in the last place: 2^n times the series of what is left. */
static inline float exp_of(float x) {
    float n = x * 1.44269504f, r, p;
    int32_t whole = (int32_t)(n + (n < 0 ? -0.5f : 0.5f)), bits = (whole + 127) * 8388608;
    float power;

    r = x - (float)whole * 0.693359375f + (float)whole * 2.12194440e-4f; /* ln 2 in two parts */
    p = 1 + r * (1 + r * (0.5f + r * (1.0f / 6 + r * (1.0f / 24 + r * (1.0f / 120 + r * (1.0f / 720))))));
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

static inline float squash(float x) {
    x = x < 40 ? x : 40; /* and what is not a number */
    x = x > -40 ? x : -40;
    return 1 / (1 + exp_of(-x));
}

static inline void squash_block(float *x) {
    uint32_t i;

    for (i = 0; i < BLOCK; i++)
        x[i] = squash(x[i]);
}

static inline void tanh_block(const float *x, float *y) {
    float t[BLOCK];
    uint32_t i;

    for (i = 0; i < BLOCK; i++)
        t[i] = 2 * squash(2 * x[i]) - 1;
    memcpy(y, t, sizeof t);
}

/* Eight cells: c = i g + f c', h = o tanh c. gates stands at the first one's input gate. */
static void step_block(
    const float *gates, uint32_t width, const float *before, float *cell, float *bent, float *h) {
    const float *in = gates, *forget = gates + width, *out = gates + 2 * width, *fresh = gates + 3 * width;
    float c[BLOCK], t[BLOCK], y[BLOCK];
    uint32_t i;

    for (i = 0; i < BLOCK; i++)
        c[i] = in[i] * fresh[i] + forget[i] * before[i];
    tanh_block(c, t);
    for (i = 0; i < BLOCK; i++)
        y[i] = out[i] * t[i];
    memcpy(cell, c, sizeof c);
    memcpy(bent, t, sizeof t);
    memcpy(h, y, sizeof y);
}

static void step_row(
    const pshi_lstm_shape *s, float *gates, const float *before, float *cell, float *bent, float *h) {
    static const float none[BLOCK] = { 0 };
    uint32_t j;

    for (j = 0; j < 3 * s->width; j += BLOCK)
        squash_block(gates + j);
    for (; j < 4 * s->width; j += BLOCK)
        tanh_block(gates + j, gates + j);
    for (j = 0; j < s->width; j += BLOCK)
        step_block(gates + j, s->width, before ? before + j : none, cell + j, bent + j, h + j);
}

/* out += last value and seasons before, weighted per lead. z stands at the value of the step. */
static void add_linear(const pshi_lstm_shape *s, const float *linear, const float *z, float *out) {
    uint32_t h, j;

    for (h = 0; h < s->outputs; h++) {
        out[h] += *linear++ * z[0];
        for (j = 0; j < s->seasons; j++)
            out[h] += *linear++ * z[(int64_t)(h % s->season[j]) + 1 - (int64_t)s->season[j]];
    }
}

static const float *value_of(const pshi_lstm_shape *s, const pshi_lstm_work *w, uint32_t row, uint32_t taught) {
    uint32_t lag = s->seasons ? s->season[s->seasons - 1] : 0;

    return w->z + row * ((size_t)lag + s->window + s->outputs) + lag + s->window - w->taught + taught;
}

static void read_out(const pshi_lstm_shape *s, const float *weights, pshi_gemm *g, pshi_lstm_work *w) {
    pshi_lstm_sizes n = pshi_lstm_sizes_of(s);
    const float *head = weights + n.gates, *linear = head + n.head;
    const float *h = w->a + (size_t)(s->window - w->taught + 1) * w->rows * n.row;
    uint32_t k, r;

    pshi_gemm_multiply(
        g, 0, w->taught * w->rows, s->outputs, 1 + s->width, h, n.row, head, s->outputs, w->out, s->outputs);
    for (k = 0; k < w->taught; k++)
        for (r = 0; r < w->rows; r++)
            add_linear(s, linear, value_of(s, w, r, k), w->out + ((size_t)k * w->rows + r) * s->outputs);
}

static int all_finite(const float *x, size_t n) {
    size_t i;

    for (i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

static void run_steps(const pshi_lstm_shape *s, const float *weights, pshi_gemm *g, pshi_lstm_work *w) {
    pshi_lstm_sizes n = pshi_lstm_sizes_of(s);
    size_t block = (size_t)w->rows * s->width, at;
    const float *before;
    float *a = w->a, *gates;
    uint32_t t, r, wide = 4 * s->width;

    for (r = 0; r < w->rows; r++)
        memset(a + (size_t)r * n.row + 1, 0, s->width * sizeof *a);
    for (t = 0; t < s->window; t++, a += (size_t)w->rows * n.row) {
        at = w->kept * t * block;
        gates = w->gates + 4 * at;
        before = !t ? NULL : w->cell + at - w->kept * block;
        pshi_gemm_multiply(g, 0, w->rows, wide, n.row, a, n.row, weights, wide, gates, wide);
        for (r = 0; r < w->rows; r++)
            step_row(
                s, gates + (size_t)r * wide, before ? before + (size_t)r * s->width : NULL,
                w->cell + at + (size_t)r * s->width, w->bent + at + (size_t)r * s->width,
                a + (size_t)(w->rows + r) * n.row + 1);
    }
}

void pshi_lstm_forward(const pshi_lstm_shape *s, const float *weights, pshi_gemm *g, pshi_lstm_work *w) {
    run_steps(s, weights, g, w);
    read_out(s, weights, g, w);
    if (g->off || !g->host.gemm || all_finite(w->out, (size_t)w->taught * w->rows * s->outputs))
        return;
    pshi_gemm_give_up(g);
    run_steps(s, weights, g, w);
    read_out(s, weights, g, w);
}

double pshi_lstm_loss(const pshi_lstm_shape *s, pshi_lstm_work *w, double bend) {
    double count = (double)w->taught * w->rows * s->outputs, sum = 0, e;
    float *out = w->out;
    const float *z;
    uint32_t k, r, h;

    for (k = 0; k < w->taught; k++)
        for (r = 0; r < w->rows; r++) {
            z = value_of(s, w, r, k) + 1;
            for (h = 0; h < s->outputs; h++, out++) {
                e = (double)*out - (double)z[h];
                sum += fabs(e) < bend ? e * e / (2 * bend) : fabs(e) - bend / 2;
                *out = (float)((e > bend ? 1 : e < -bend ? -1 : e / bend) / count);
            }
        }
    return sum / count;
}

static void backward_linear(const pshi_lstm_shape *s, float *linear, const float *z, const float *out) {
    uint32_t h, j;

    for (h = 0; h < s->outputs; h++) {
        *linear++ += out[h] * z[0];
        for (j = 0; j < s->seasons; j++)
            *linear++ += out[h] * z[(int64_t)(h % s->season[j]) + 1 - (int64_t)s->season[j]];
    }
}

static void backward_out(const pshi_lstm_shape *s, const float *weights, pshi_gemm *g, pshi_lstm_work *w) {
    pshi_lstm_sizes n = pshi_lstm_sizes_of(s);
    const float *head = weights + n.gates + s->outputs;
    const float *h = w->a + (size_t)(s->window - w->taught + 1) * w->rows * n.row;
    float *linear = w->gradient + n.gates + n.head;
    uint32_t k, r, all = w->taught * w->rows;

    pshi_gemm_multiply(
        g, PSH_GEMM_A_TRANSPOSED, 1 + s->width, s->outputs, all, h, n.row, w->out, s->outputs,
        w->gradient + n.gates, s->outputs);
    pshi_gemm_multiply(
        g, PSH_GEMM_B_TRANSPOSED, all, s->width, s->outputs, w->out, s->outputs, head, s->outputs, w->up, s->width);
    memset(linear, 0, n.linear * sizeof *linear);
    for (k = 0; k < w->taught; k++)
        for (r = 0; r < w->rows; r++)
            backward_linear(s, linear, value_of(s, w, r, k), w->out + ((size_t)k * w->rows + r) * s->outputs);
}

/* Eight cells back: slope gets the gradients before the squashing, keep that of the cell one step before. */
static void back_block(
    const float *gates, uint32_t width, const float *before, const float *bent, const float *dh, float *keep,
    float *slope) {
    const float *in = gates, *forget = gates + width, *out = gates + 2 * width, *fresh = gates + 3 * width;
    float d[4][BLOCK], k[BLOCK], dc;
    uint32_t i;

    for (i = 0; i < BLOCK; i++) {
        dc = keep[i] + dh[i] * out[i] * (1 - bent[i] * bent[i]);
        d[0][i] = dc * fresh[i] * in[i] * (1 - in[i]);
        d[1][i] = dc * before[i] * forget[i] * (1 - forget[i]);
        d[2][i] = dh[i] * bent[i] * out[i] * (1 - out[i]);
        d[3][i] = dc * in[i] * (1 - fresh[i] * fresh[i]);
        k[i] = dc * forget[i];
    }
    memcpy(keep, k, sizeof k);
    for (i = 0; i < 4; i++)
        memcpy(slope + i * width, d[i], sizeof d[i]);
}

/* One step back over all w->rows: w->back holds the gradient of its hidden state. */
static void back_step(const pshi_lstm_shape *s, pshi_lstm_work *w, uint32_t t) {
    static const float none[BLOCK] = { 0 };
    size_t block = (size_t)w->rows * s->width, at = t * block, x;
    uint32_t r, j;

    for (r = 0; r < w->rows; r++)
        for (j = 0; j < s->width; j += BLOCK) {
            x = (size_t)r * s->width + j;
            back_block(
                w->gates + 4 * (at + x) - 3 * j, s->width, t ? w->cell + at - block + x : none, w->bent + at + x,
                w->back + x, w->keep + x, w->slope + 4 * (at + x) - 3 * j);
        }
}

void pshi_lstm_backward(const pshi_lstm_shape *s, const float *weights, pshi_gemm *g, pshi_lstm_work *w) {
    pshi_lstm_sizes n = pshi_lstm_sizes_of(s);
    size_t block = (size_t)w->rows * s->width, i;
    uint32_t t, wide = 4 * s->width, first = s->window - w->taught;
    const float *hidden = weights + wide; /* behind the biases */

    backward_out(s, weights, g, w);
    memset(w->back, 0, block * sizeof(float));
    memset(w->keep, 0, block * sizeof(float));
    for (t = s->window; t-- > 0;) {
        for (i = 0; t >= first && i < block; i++)
            w->back[i] += w->up[(t - first) * block + i];
        back_step(s, w, t);
        if (t)
            pshi_gemm_multiply(
                g, PSH_GEMM_B_TRANSPOSED, w->rows, s->width, wide, w->slope + 4 * t * block, wide, hidden, wide,
                w->back, s->width);
    }
    pshi_gemm_multiply(
        g, PSH_GEMM_A_TRANSPOSED, n.row, wide, s->window * w->rows, w->a, n.row, w->slope, wide, w->gradient, wide);
}
