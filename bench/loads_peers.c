/* SPDX-License-Identifier: MIT */
#include "loads_peers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

#define PEERS 4u
#define REAL_PEERS 3u /* those that the ratio is taken against */

const uint32_t bench_leads[LEADS] = { 1, 24, 168 };
const char *const bench_lead_names[LEADS] = { "1h", "24h", "168h" };
static const char *const names[PEERS] = { "spar", "lag", "profile", "seasonal naive" };

typedef struct peer {
    uint32_t kind;     /* 0: not in this build */
    psh_model **model; /* Shape [keys] */
    double error[LEADS], count[LEADS];
    double fit_s;
    size_t fits;
} peer;

struct peers {
    psh_env *env;
    const loads *l;
    const uint8_t *wanted;
    uint32_t refit;
    uint32_t origins;
    double *history; /* Shape [hours] */
    peer list[PEERS];
};

peers *peers_create(psh_env *env, const loads *l, const uint8_t *wanted, uint32_t refit) {
    peers *p = bench_alloc(1, sizeof *p);
    uint32_t i;

    p->env = env;
    p->l = l;
    p->wanted = wanted;
    p->refit = refit ? refit : 1;
    p->history = bench_alloc(l->hours, sizeof *p->history);
    for (i = 0; i < PEERS; i++) {
        p->list[i].kind = psh_model_kind(names[i]);
        p->list[i].model = bench_alloc(l->keys, sizeof(psh_model *));
    }
    return p;
}

static void fit(peers *p, peer *who, size_t key, size_t t) {
    psh_model_spec spec = { sizeof spec, who->kind, PSH_MODEL_NONNEGATIVE, FARTHEST, { 24, 168 } };
    psh_error err = { sizeof err };
    double begin;
    size_t i;

    for (i = 0; i < t; i++)
        p->history[i] = log1p(loads_at(p->l, key, i));
    psh_model_destroy(who->model[key]);
    begin = bench_now();
    bench_must(psh_model_fit(p->env, &spec, p->history, t, &who->model[key], &err), p->l->key[key], &err);
    who->fit_s += bench_now() - begin;
    who->fits++;
}

static void score(const peers *p, peer *who, size_t key, size_t t) {
    double mean[FARTHEST], e;
    uint32_t k;

    bench_must(
        psh_model_forecast(who->model[key], FARTHEST, NULL, NULL, 0, mean, NULL), p->l->key[key], NULL);
    for (k = 0; k < LEADS && t + bench_leads[k] <= p->l->hours; k++) {
        e = mean[bench_leads[k] - 1] - log1p(loads_at(p->l, key, t + bench_leads[k] - 1));
        who->error[k] += e * e;
        who->count[k]++;
    }
}

void peers_origin(peers *p, size_t t) {
    int due = p->origins++ % p->refit == 0;
    size_t key;
    uint32_t i;

    for (i = 0; i < PEERS; i++) {
        for (key = 0; p->list[i].kind && key < p->l->keys; key++) {
            if (!p->wanted[key] || p->l->first[key] >= t)
                continue;
            if (due || !p->list[i].model[key])
                fit(p, &p->list[i], key, t);
            score(p, &p->list[i], key, t);
        }
    }
}

void peers_hour(peers *p, size_t t) {
    size_t key;
    uint32_t i;

    for (i = 0; i < PEERS; i++)
        for (key = 0; key < p->l->keys; key++)
            if (p->list[i].model[key])
                bench_must(psh_model_update(p->list[i].model[key], log1p(loads_at(p->l, key, t)), NULL),
                    p->l->key[key], NULL);
}

static double mse_of(const peer *who, uint32_t lead) {
    return who->count[lead] > 0 ? who->error[lead] / who->count[lead] : (double)NAN;
}

static void print_peer(const peer *who, const char *name) {
    char format[64];
    uint32_t k;

    for (k = 0; k < LEADS; k++) {
        snprintf(format, sizeof format, "peer_%%s_mse_%s", bench_lead_names[k]);
        bench_figure_of(format, name, mse_of(who, k), "log^2", "fitted to log(1 + load), one model a key");
    }
    bench_figure_of("peer_%s_fit_ms", name, who->fit_s / (double)who->fits * 1e3, "ms", "mean of all fits, wall");
}

void peers_print(const peers *p, const double mse[LEADS]) {
    double best;
    uint32_t i, k;

    for (i = 0; i < PEERS; i++) {
        if (p->list[i].kind)
            print_peer(&p->list[i], names[i]);
        else
            bench_say("no peer '%s' in this build", names[i]);
    }
    for (k = 0; k < LEADS; k++) {
        best = HUGE_VAL;
        for (i = 0; i < REAL_PEERS; i++)
            if (p->list[i].kind && mse_of(&p->list[i], k) < best)
                best = mse_of(&p->list[i], k);
        if (isfinite(best))
            bench_figure_of("ratio_%s", bench_lead_names[k], mse[k] / best, "ratio",
                "ours over the best of spar, lag and profile");
    }
}

void peers_destroy(peers *p) {
    size_t key;
    uint32_t i;

    for (i = 0; i < PEERS; i++) {
        for (key = 0; key < p->l->keys; key++)
            psh_model_destroy(p->list[i].model[key]);
        free(p->list[i].model);
    }
    free(p->history);
    free(p);
}
