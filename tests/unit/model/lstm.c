/* SPDX-License-Identifier: MIT */
/*
 * The network: its gradient against finite differences, what it learns against the seasonal naive, that training
 * repeats, goes on after a load, survives failing memory and a host whose products fail or are nonsense.
 */
#include <math.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/env.h"
#include "model/lstm_net.h"
#include "test.h"

#define SERIES 12u
#define LONG 480u
#define SEASON 12u
#define AHEAD 12u

static double draw(uint64_t *r) {
    *r = *r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*r >> 11) * 0x1p-53;
}

static pshi_lstm_options small_options(void) {
    static const uint32_t season[] = { SEASON };
    pshi_lstm_options o;

    pshi_lstm_defaults(&o, season, 1);
    o.shape.width = 8;
    o.shape.window = 24;
    o.shape.taught = 12;
    o.shape.outputs = AHEAD;
    o.rate = 0.01f;
    o.average = 0.98f;
    o.seed = 7;
    return o;
}

/*
 * A season whose size follows an autoregression of its own: the last days tell how large the next will be, which a
 * value of one season before tells with its noise only. Series differ in size and level.
 */
static void make_series(double *y, size_t n, uint64_t seed) {
    uint64_t r = seed * 977 + 5;
    double unit = pow(10, (double)(seed % 5)), drift = 0, wave;
    size_t i;

    for (i = 0; i < n; i++) {
        drift = 0.9 * drift + 0.2 * (draw(&r) - 0.5);
        wave = sin(6.283185307179586 * (double)((i + seed) % SEASON) / SEASON);
        y[i] = unit * (10 + 4 * wave + 8 * drift + 3 * (draw(&r) - 0.5));
    }
}

static double values[SERIES][LONG];

/* All but the last `held` values of each. */
static void make_all(pshi_lstm_series *s, size_t held) {
    uint32_t i;

    for (i = 0; i < SERIES; i++) {
        make_series(values[i], LONG, i);
        s[i].values = values[i];
        s[i].n = LONG - held;
        memset(s[i].phase, 0, sizeof s[i].phase);
        s[i].phase[0] = i % SEASON;
    }
}

static double loss_at(const pshi_lstm_shape *shape, const float *weights, pshi_lstm_work *w) {
    pshi_gemm g = { { 0 } };

    pshi_lstm_forward(shape, weights, &g, w);
    return pshi_lstm_loss(shape, w, 0.5);
}

/* Central difference of the loss by one weight; the arithmetic is float, so steps are large. */
static double difference(const pshi_lstm_shape *shape, float *weights, size_t i, pshi_lstm_work *w) {
    float kept = weights[i];
    double up, down;

    weights[i] = kept + 0.01f;
    up = loss_at(shape, weights, w);
    weights[i] = kept - 0.01f;
    down = loss_at(shape, weights, w);
    weights[i] = kept;
    return (up - down) / 0.02;
}

/* Every weight's gradient by back-propagation is what finite differences find. */
static void gradient_is_right(void **state) {
    static const uint32_t season[] = { 3, 5 };
    pshi_lstm_options o;
    pshi_lstm_series s = { values[0], 60, { 1, 2 } };
    pshi_lstm_sizes sizes;
    pshi_lstm_work *w;
    pshi_gemm g = { { 0 } };
    psh_env *env = NULL;
    uint64_t rng = 3;
    float weights[4096], *gradient;
    double found, most = 0, off, norm = 0, square = 0;
    size_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    make_series(values[0], LONG, 3);
    pshi_lstm_defaults(&o, season, 2);
    o.shape.width = 8;
    o.shape.window = 10;
    o.shape.taught = 4;
    o.shape.outputs = 7;
    sizes = pshi_lstm_sizes_of(&o.shape);
    assert_true(sizes.weights <= 4096);
    w = pshi_lstm_work_create(env, &o.shape, 3, 1);
    assert_non_null(w);
    pshi_lstm_place(&o.shape, w, 0, &s, 20);
    pshi_lstm_place(&o.shape, w, 1, &s, 50); /* its last targets are not there yet */
    pshi_lstm_place(&o.shape, w, 2, &s, 4);  /* begins before the series does */
    pshi_lstm_draw(&o.shape, weights, &rng);
    for (i = 0; i < sizes.weights; i++)
        weights[i] += (float)(0.6 * draw(&rng) - 0.3); /* the head starts at 0, where nothing flows back */
    loss_at(&o.shape, weights, w);
    pshi_lstm_backward(&o.shape, weights, &g, w);
    gradient = malloc(sizes.weights * sizeof *gradient);
    memcpy(gradient, w->gradient, sizes.weights * sizeof *gradient);
    for (i = 0; i < sizes.weights; i++) {
        found = difference(&o.shape, weights, i, w);
        off = fabs(found - (double)gradient[i]);
        most = off > most ? off : most;
        square += off * off;
        norm += found * found;
        assert_true(off <= 2e-4 + 0.02 * fabs(found));
    }
    assert_true(norm > 0.01);
    assert_true(sqrt(square / norm) < 2e-3);
    free(gradient);
    pshi_free(env, w);
    psh_env_destroy(env);
}

#define HELD (4 * AHEAD)

/* The sums of absolute errors over the values after n, ours and the seasonal naive's, in units of each series. */
static void add_errors(const double *out, size_t n, double *ours, double *naive) {
    uint32_t i, h;
    double unit;

    for (i = 0; i < SERIES; i++)
        for (h = 0; h < AHEAD; h++) {
            unit = pow(10, (double)(i % 5));
            *ours += fabs(values[i][n + h] - out[i * AHEAD + h]) / unit;
            *naive += fabs(values[i][n + h] - values[i][n + h - SEASON]) / unit;
        }
}

/* Error over the seasonal naive's at four origins behind what was trained on. */
static double error_share(pshi_lstm *net) {
    double out[SERIES * AHEAD], ours = 0, naive = 0;
    pshi_lstm_series s[SERIES];
    size_t held;

    for (held = HELD; held > 0; held -= AHEAD) {
        make_all(s, held);
        assert_ok(pshi_lstm_forecast(net, s, SERIES, AHEAD, out));
        add_errors(out, LONG - held, &ours, &naive);
    }
    return ours / naive;
}

static void learns(void **state) {
    pshi_lstm_options o = small_options();
    pshi_lstm_series s[SERIES];
    double first, last;
    psh_env *env = NULL;
    pshi_lstm *net;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    make_all(s, HELD);
    assert_ok(pshi_lstm_create(env, &o, &net));
    assert_true(fabs(error_share(net) - 1) < 1e-3); /* untrained it is the seasonal naive */
    assert_ok(pshi_lstm_train(net, s, SERIES, 20, &first));
    assert_ok(pshi_lstm_train(net, s, SERIES, 400, &last));
    assert_int_equal(pshi_lstm_steps(net), 420);
    print_message("error over seasonal naive's %.3f, loss %.3f to %.3f\n", error_share(net), first, last);
    assert_true(error_share(net) < 0.85);
    assert_true(last < 0.9 * first);
    pshi_lstm_destroy(net);
    psh_env_destroy(env);
}

/* One series asked alone or among others, steps asked at once or fewer: the same. Beyond the outputs it goes on. */
static void answers_agree(void **state) {
    pshi_lstm_options o = small_options();
    pshi_lstm_series s[SERIES];
    double all[SERIES * 3 * AHEAD], one[3 * AHEAD], few[AHEAD / 2];
    psh_env *env = NULL;
    pshi_lstm *net;
    uint32_t h;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    make_all(s, 0);
    assert_ok(pshi_lstm_create(env, &o, &net));
    assert_ok(pshi_lstm_train(net, s, SERIES, 30, NULL));
    assert_ok(pshi_lstm_forecast(net, s, SERIES, 3 * AHEAD, all));
    assert_ok(pshi_lstm_forecast(net, s + 5, 1, 3 * AHEAD, one));
    assert_ok(pshi_lstm_forecast(net, s + 5, 1, AHEAD / 2, few));
    assert_memory_equal(one, all + 5 * 3 * AHEAD, sizeof one);
    assert_memory_equal(few, one, sizeof few);
    for (h = 0; h < 3 * AHEAD; h++)
        assert_true(one[h] > -20 && one[h] < 40);
    assert_int_equal(pshi_lstm_forecast(net, s, 1, 0, one), PSH_E_INVALID);
    pshi_lstm_destroy(net);
    psh_env_destroy(env);
}

static void save_into(const pshi_lstm *net, psh_buffer *out) {
    pshi_writer w = pshi_write(out);

    pshi_lstm_save(net, &w);
    assert_ok(pshi_write_end(&w));
}

/* Saved half way, loaded and trained on gives the bytes of training in one go. */
static void goes_on_after_load(void **state) {
    pshi_lstm_options o = small_options();
    pshi_lstm_series s[SERIES];
    psh_env *env = NULL;
    psh_buffer *half, *whole, *again;
    pshi_lstm *net, *loaded;
    pshi_cursor c;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_buffer_create(env, &half));
    assert_ok(psh_buffer_create(env, &whole));
    assert_ok(psh_buffer_create(env, &again));
    make_all(s, 0);
    assert_ok(pshi_lstm_create(env, &o, &net));
    assert_ok(pshi_lstm_train(net, s, SERIES, 10, NULL));
    save_into(net, half);
    assert_ok(pshi_lstm_train(net, s, SERIES, 10, NULL));
    save_into(net, whole);
    c = pshi_read(psh_buffer_data(half), psh_buffer_size(half));
    loaded = pshi_lstm_load(env, &c);
    assert_non_null(loaded);
    assert_ok(pshi_read_end(&c));
    assert_int_equal(pshi_lstm_bytes(loaded), pshi_lstm_bytes(net));
    assert_ok(pshi_lstm_train(loaded, s, SERIES, 10, NULL));
    save_into(loaded, again);
    assert_int_equal(psh_buffer_size(again), psh_buffer_size(whole));
    assert_memory_equal(psh_buffer_data(again), psh_buffer_data(whole), psh_buffer_size(whole));
    pshi_lstm_destroy(loaded);
    pshi_lstm_destroy(net);
    assert_ok(pshi_lstm_create(env, &o, &net)); /* and a run repeats */
    assert_ok(pshi_lstm_train(net, s, SERIES, 20, NULL));
    psh_buffer_clear(again);
    save_into(net, again);
    assert_memory_equal(psh_buffer_data(again), psh_buffer_data(whole), psh_buffer_size(whole));
    pshi_lstm_destroy(net);
    psh_buffer_destroy(half);
    psh_buffer_destroy(whole);
    psh_buffer_destroy(again);
    psh_env_destroy(env);
}

/* Whatever bytes load takes, training and asking end in finite numbers, and it takes no more memory than bytes. */
static void hostile_bytes(void **state) {
    pshi_lstm_options o = small_options();
    pshi_lstm_series s[SERIES];
    double out[SERIES * AHEAD], loss;
    psh_env *env = NULL;
    psh_buffer *saved;
    unsigned char *bytes;
    pshi_lstm *net;
    pshi_cursor c;
    uint64_t r = 11;
    uint32_t round, k, i, taken = 0;
    size_t size;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_buffer_create(env, &saved));
    make_all(s, 0);
    assert_ok(pshi_lstm_create(env, &o, &net));
    assert_ok(pshi_lstm_train(net, s, SERIES, 2, NULL));
    save_into(net, saved);
    pshi_lstm_destroy(net);
    size = psh_buffer_size(saved);
    bytes = malloc(size);
    for (round = 0; round < 400; round++) {
        memcpy(bytes, psh_buffer_data(saved), size);
        for (k = 0; k < 1 + round / 2 % 4; k++)
            bytes[(size_t)(draw(&r) * (double)(round % 2 ? size : 60))] = (unsigned char)(draw(&r) * 256);
        c = pshi_read(bytes, size);
        net = pshi_lstm_load(env, &c);
        assert_non_null(net);
        assert_true(pshi_lstm_bytes(net) <= size + 1024);
        if (pshi_read_end(&c) == PSH_OK && ++taken) {
            assert_ok(pshi_lstm_train(net, s, SERIES, 1, &loss));
            assert_true(isfinite(loss));
            assert_ok(pshi_lstm_forecast(net, s, SERIES, AHEAD, out));
            for (i = 0; i < SERIES * AHEAD; i++)
                assert_true(isfinite(out[i]));
        }
        pshi_lstm_destroy(net);
    }
    print_message("%u of 400 taken\n", taken);
    assert_true(taken > 50);
    free(bytes);
    psh_buffer_destroy(saved);
    psh_env_destroy(env);
}

/* Enormous, tiny, constant, zero and one-value series: finite, and in the range that was promised. */
static void hostile_series(void **state) {
    static const double marks[] = { 0x1p100, -0x1p100, 1e-300, 0, 5e-324 };
    pshi_lstm_options o = small_options();
    double y[5][80], out[5 * 40], flat;
    pshi_lstm_series s[5];
    psh_env *env = NULL;
    pshi_lstm *net;
    uint32_t i, k;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    for (k = 0; k < 5; k++) {
        for (i = 0; i < 80; i++)
            y[k][i] = k == 0   ? marks[i % 5]
                      : k == 1 ? marks[i % 2]
                      : k == 2 ? 7e30
                      : k == 3 ? 0
                      : i % 9  ? 0
                               : 1e-300;
        s[k] = (pshi_lstm_series){ y[k], k == 1 ? 1 : 80, { k } };
    }
    assert_ok(pshi_lstm_create(env, &o, &net));
    assert_ok(pshi_lstm_train(net, s + 1, 1, 5, NULL)); /* too short to teach anything */
    assert_int_equal(pshi_lstm_steps(net), 0);
    assert_ok(pshi_lstm_train(net, s, 5, 30, NULL));
    assert_ok(pshi_lstm_forecast(net, s, 5, 40, out));
    for (i = 0; i < 40; i++) {
        assert_true(fabs(out[i]) <= 0x1p101);
        flat = out[80 + i] / 7e30;
        assert_true(
            fabs(out[40 + i] - 0x1p100) < 0x1p50 && fabs(flat - 1) < 1e-12 && fpclassify(out[120 + i]) == FP_ZERO);
        assert_true(fabs(out[160 + i]) <= 2e-300);
    }
    pshi_lstm_destroy(net);
    psh_env_destroy(env);
}

static void refuses(void **state) {
    pshi_lstm_options o = small_options();
    psh_env *env = NULL;
    pshi_lstm *net = NULL;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    o.shape.width = 12;
    assert_int_equal(pshi_lstm_create(env, &o, &net), PSH_E_INVALID);
    o = small_options();
    o.shape.taught = 25;
    assert_int_equal(pshi_lstm_create(env, &o, &net), PSH_E_INVALID);
    o = small_options();
    o.shape.width = 256;
    o.shape.window = 1024;
    o.batch = 32; /* more room than there may be */
    assert_int_equal(pshi_lstm_create(env, &o, &net), PSH_E_INVALID);
    o = small_options();
    o.rate = 0;
    assert_int_equal(pshi_lstm_create(env, &o, &net), PSH_E_INVALID);
    o = small_options();
    o.shape.seasons = 2; /* the second is 0 */
    assert_int_equal(pshi_lstm_create(env, &o, &net), PSH_E_INVALID);
    assert_null(net);
    psh_env_destroy(env);
}

typedef struct host {
    uint32_t calls;
    uint32_t works;    /* calls that succeed; then it fails */
    uint32_t nonsense; /* 1: and then says that it succeeded */
} host;

static psh_status host_gemm(
    void *user, uint32_t flags, uint32_t m, uint32_t n, uint32_t k, const float *a, uint32_t lda, const float *b,
    uint32_t ldb, float *c, uint32_t ldc) {
    host *h = user;
    uint32_t i, j, p;
    double sum;

    for (i = 0; i < m; i++)
        for (j = 0; j < n; j++) {
            sum = h->calls < h->works ? 0 : (double)NAN;
            for (p = 0; p < k; p++)
                sum += (double)(flags & PSH_GEMM_A_TRANSPOSED ? a[p * lda + i] : a[i * lda + p]) *
                       (double)(flags & PSH_GEMM_B_TRANSPOSED ? b[j * ldb + p] : b[p * ldb + j]);
            c[i * ldc + j] = (float)sum;
        }
    return h->calls++ < h->works || h->nonsense ? PSH_OK : PSH_E_HOST;
}

/* Trains a while with a host (or none) and gives forecasts. */
static void train_with(host *h, double *out) {
    psh_gemm_host table = { sizeof table, PSH_GEMM_VERSION, h, host_gemm };
    pshi_lstm_options o = small_options();
    pshi_lstm_series s[SERIES];
    psh_env *env = NULL;
    pshi_lstm *net;

    assert_ok(psh_env_create(NULL, &env, NULL));
    make_all(s, 0);
    assert_ok(pshi_lstm_create(env, &o, &net));
    assert_ok(pshi_lstm_set_gemm(net, h ? &table : NULL));
    assert_ok(pshi_lstm_train(net, s, SERIES, 5, NULL));
    assert_int_equal(pshi_lstm_steps(net), 5);
    assert_ok(pshi_lstm_forecast(net, s, SERIES, AHEAD, out));
    pshi_lstm_destroy(net);
    psh_env_destroy(env);
}

static void host_multiplies(void **state) {
    double plain[SERIES * AHEAD], out[SERIES * AHEAD];
    host works = { 0, UINT32_MAX, 0 }, fails = { 0, 0, 0 }, lies = { 0, 0, 1 }, later = { 0, 33, 1 };
    uint32_t i;

    (void)state;
    train_with(NULL, plain);
    train_with(&works, out);
    assert_true(works.calls > 100);
    for (i = 0; i < SERIES * AHEAD; i++) /* the same but for the order of sums */
        assert_true(fabs(out[i] - plain[i]) <= 1e-3 * fabs(plain[i]) + 1e-3);
    train_with(&fails, out);
    assert_int_equal(fails.calls, 2); /* once a call of the library */
    assert_memory_equal(out, plain, sizeof plain);
    train_with(&lies, out);
    assert_memory_equal(out, plain, sizeof plain);
    train_with(&later, out); /* in the middle of going back */
    for (i = 0; i < SERIES * AHEAD; i++)
        assert_true(fabs(out[i] - plain[i]) <= 1e-3 * fabs(plain[i]) + 1e-3);
}

static psh_status use_net(psh_env *env, void *user) {
    pshi_lstm_options o = small_options();
    pshi_lstm_series s[SERIES];
    double out[SERIES * AHEAD];
    pshi_lstm *net = NULL, *loaded = NULL;
    psh_buffer *buffer = NULL;
    psh_status st = psh_buffer_create(env, &buffer);
    pshi_writer w;
    pshi_cursor c;

    (void)user;
    make_all(s, 0);
    if (st == PSH_OK)
        st = pshi_lstm_create(env, &o, &net);
    if (st == PSH_OK)
        st = pshi_lstm_train(net, s, SERIES, 1, NULL);
    if (st == PSH_OK)
        st = pshi_lstm_forecast(net, s, SERIES, AHEAD, out);
    if (st == PSH_OK) {
        w = pshi_write(buffer);
        pshi_lstm_save(net, &w);
        st = pshi_write_end(&w);
    }
    if (st == PSH_OK) {
        c = pshi_read(psh_buffer_data(buffer), psh_buffer_size(buffer));
        loaded = pshi_lstm_load(env, &c);
        st = loaded ? pshi_read_end(&c) : PSH_E_NOMEM;
    }
    pshi_lstm_destroy(net);
    pshi_lstm_destroy(loaded);
    psh_buffer_destroy(buffer);
    return st;
}

static void memory_fails(void **state) {
    (void)state;
    test_every_allocation(use_net, NULL);
}

/* The kind that stands alone: better than the seasonal naive where there is something to learn, and quick. */
static void alone(void **state) {
    psh_model_spec spec = { sizeof spec, PSH_MODEL_LSTM, 0, AHEAD, { SEASON, 0, 0 } };
    double out[SERIES * AHEAD], ours = 0, naive = 0;
    psh_env *env = NULL;
    pshi_lstm_series s[SERIES];
    psh_buffer *text;
    psh_model *m;
    uint32_t i;
    size_t held;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_buffer_create(env, &text));
    for (held = 2 * AHEAD; held > 0; held -= AHEAD) {
        make_all(s, held);
        for (i = 0; i < SERIES; i++) {
            assert_ok(psh_model_fit(env, &spec, s[i].values, s[i].n, &m, NULL));
            assert_ok(psh_model_forecast(m, AHEAD, NULL, NULL, 0, out + i * AHEAD, NULL));
            assert_ok(psh_model_dump(m, text));
            assert_non_null(strstr(psh_buffer_data(text), "lstm net width 16"));
            psh_buffer_clear(text);
            psh_model_destroy(m);
        }
        add_errors(out, LONG - held, &ours, &naive);
    }
    print_message("alone: error over seasonal naive's %.3f\n", ours / naive);
    assert_true(ours < 0.95 * naive);
    assert_ok(psh_model_fit(env, &spec, values[0], 30, &m, NULL)); /* two seasons and a half */
    assert_ok(psh_model_forecast(m, AHEAD, NULL, NULL, 0, out, NULL));
    for (i = 0; i < AHEAD; i++)
        assert_true(fabs(out[i] - values[0][30 - SEASON + i]) < 1e-12);
    psh_model_destroy(m);
    psh_buffer_destroy(text);
    psh_env_destroy(env);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_is_right), cmocka_unit_test(learns),
        cmocka_unit_test(answers_agree),     cmocka_unit_test(goes_on_after_load),
        cmocka_unit_test(hostile_bytes),     cmocka_unit_test(hostile_series),
        cmocka_unit_test(refuses),           cmocka_unit_test(host_multiplies),
        cmocka_unit_test(memory_fails),      cmocka_unit_test(alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
