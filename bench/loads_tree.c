/* SPDX-License-Identifier: MIT */
#include "loads_tree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "forecast.h"
#include "loads_peers.h"
#include "tool.h"

#define HORIZONS 3u
#define LEVELS 4u /* PSH_NODE_TOTAL..TENANT */

static const uint32_t width[HORIZONS] = { 1, 24, 168 }, steps[HORIZONS] = { 24, 7, 1 };

typedef struct tree {
    const loads *l;
    psh_forecaster *f;
    double alone[LEVELS][HORIZONS], agreed[LEVELS][HORIZONS], n[LEVELS][HORIZONS];
} tree;

static int64_t time_of(const tree *t, size_t hour) {
    return t->l->start + (int64_t)hour * PSH_HOUR;
}

static int is_in(const tree *t, const psh_hierarchy_node *n, size_t key, size_t hour) {
    uint32_t segment = 0;

    if (n->kind == PSH_NODE_TOTAL || (n->kind == PSH_NODE_TENANT && n->id == t->l->tenant[key]))
        return 1;
    return n->kind == PSH_NODE_SEGMENT && n->id
        && psh_forecaster_segment_of(t->f, 0, t->l->tenant[key], time_of(t, hour), &segment) == PSH_OK
        && segment == n->id;
}

/* What came in the week after an hour, to the members that the node has then. */
static void came(const tree *t, const psh_hierarchy_node *n, size_t hour, double y[FARTHEST]) {
    size_t key, i;

    for (i = 0; i < FARTHEST; i++)
        y[i] = 0;
    for (key = 0; key < t->l->keys; key++)
        for (i = is_in(t, n, key, hour) ? 0 : FARTHEST; i < FARTHEST; i++)
            y[i] += loads_at(t->l, key, hour + i);
}

static void score(tree *t, const psh_hierarchy_node *n, uint32_t h, const double *y, const double *mean) {
    double alone, sum;
    uint32_t s, k;

    for (s = 0; s < steps[h]; s++) {
        for (k = 0, alone = sum = 0; k < width[h]; k++) {
            alone += mean[s * width[h] + k];
            sum += y[s * width[h] + k];
        }
        t->alone[n->kind][h] += (alone - sum) * (alone - sum);
        t->agreed[n->kind][h] += (n->mean[s] - sum) * (n->mean[s] - sum);
        t->n[n->kind][h]++;
    }
}

static void origin(tree *t, size_t hour) {
    static const uint32_t subjects[] = { 0, PSH_SUBJECT_TABLE, PSH_SUBJECT_SEGMENT, PSH_SUBJECT_TENANT };
    psh_hierarchy_node n = { sizeof n };
    psh_forecast_spec spec = { sizeof spec };
    psh_hierarchy *h[HORIZONS];
    psh_forecast *alone;
    double y[FARTHEST];
    uint32_t k;
    size_t i;

    for (k = 0; k < HORIZONS; k++)
        bench_must(psh_forecaster_hierarchy(t->f, 0, time_of(t, hour), steps[k], width[k], 0, &h[k], NULL),
            "hierarchy", NULL);
    for (i = 0; i < psh_hierarchy_count(h[0]); i++) {
        bench_must(psh_hierarchy_get(h[0], i, &n), "node", NULL);
        psh_subject subject = { n.kind < LEVELS ? subjects[n.kind] : 0, 0, n.id };

        if (n.rest || n.kind >= LEVELS ||
            psh_forecaster_forecast(t->f, &subject, time_of(t, hour), FARTHEST, &alone, NULL) != PSH_OK)
            continue;
        bench_must(psh_forecast_describe(alone, &spec), "forecast", NULL);
        came(t, &n, hour, y);
        for (k = 0; k < HORIZONS; k++) {
            bench_must(psh_hierarchy_get(h[k], i, &n), "node", NULL);
            score(t, &n, k, y, spec.mean);
        }
        psh_forecast_unref(alone);
    }
    for (k = 0; k < HORIZONS; k++)
        psh_hierarchy_destroy(h[k]);
}

static void feed(tree *t, size_t hour) {
    psh_write_record w = { .struct_size = sizeof w, .time = time_of(t, hour) };
    size_t key;

    for (key = 0; key < t->l->keys; key++) {
        w.rows = (uint64_t)llround(loads_at(t->l, key, hour));
        w.tenant = t->l->tenant[key];
        if (w.rows)
            bench_must(psh_forecaster_observe_write(t->f, &w), t->l->key[key], NULL);
    }
    bench_step(t->f, w.time + PSH_HOUR);
}

static void print(const tree *t) {
    static const char *const what[LEVELS] = { "", "tree_total_%s", "tree_segment_%s", "tree_tenant_%s" };
    static const char *const span[HORIZONS] = { "hours", "days", "week" };
    char note[120];
    uint32_t level, h;

    for (level = 1; level < LEVELS; level++)
        for (h = 0; h < HORIZONS; h++) {
            snprintf(note, sizeof note, "mean squared error agreed / alone, alone %.4g, %.0f values",
                t->alone[level][h] / t->n[level][h], t->n[level][h]);
            bench_figure_of(what[level], span[h], t->agreed[level][h] / t->alone[level][h], "ratio", note);
        }
}

void loads_tree(psh_env *env, psh_schema *schema, const loads *l, size_t first, uint32_t step) {
    psh_forecaster_options o;
    tree t = { .l = l };
    size_t hour;

    bench_must(psh_forecaster_options_init(&o, sizeof o), "options", NULL);
    o.horizon = FARTHEST;
    o.max_bytes = UINT64_C(8) << 30;
    o.lateness_ns = -1;
    bench_must(psh_forecaster_create(env, schema, &o, &t.f, NULL), "forecaster", NULL);
    for (hour = 0; hour + FARTHEST <= l->hours; hour++) {
        if (hour >= first && (hour - first) % step == 0)
            origin(&t, hour);
        feed(&t, hour);
    }
    print(&t);
    psh_forecaster_destroy(t.f);
}
