/* SPDX-License-Identifier: MIT */
#include "forecast/young.h"

#include <math.h>

#include "base/env.h"

#define YOUNG_SEASONS 2      /* long seasons after which a tenant stands alone */
#define PRIOR_PART 8         /* a short season's part of buckets that the segment's mean member counts as */
#define SPARSE_WEIGHT 0.5    /* of the segment for a tenant that is sparse: its own model has no shape */

void pshi_lender_reset(pshi_lender *l) {
    l->to = NULL;
    l->path.of = NULL;
}

void pshi_lender_free(psh_env *env, pshi_lender *l) {
    pshi_free(env, l->factor);
    if (l->path.mean)
        pshi_outlook_free(env, &l->path);
}

psh_status pshi_lender_ready(psh_env *env, pshi_lender *l, const pshi_shape *shape, pshi_calibration *c) {
    if (!l->factor)
        l->factor = pshi_calloc(env, shape->max_lead, sizeof *l->factor);
    if (!l->factor)
        return PSH_E_NOMEM;
    return l->path.mean ? PSH_OK : pshi_outlook_init(env, shape, c, &l->path);
}

/*
 * Both loads over the buckets that the tenant has lived through, at most a long season, and before that the
 * segment's mean member: ratio = (sum tenant + c m) / (sum segment + c M), m and M the means of a member and of
 * the segment.
 */
static double level_ratio(const pshi_outlook *o, const pshi_series *s, const pshi_series *g, uint32_t members) {
    const pshi_shape *shape = o->shape;
    int64_t age = pshi_series_age(s, o->closed), n = age < (int64_t)shape->longest ? age : shape->longest, b;
    double own = 0, all = 0, few = (double)shape->season[0] / PRIOR_PART, mean;

    for (b = o->closed - n; b < o->closed; b++) {
        own += s->regular ? pshi_series_actual(s, shape, o->closed, b) : 0;
        all += pshi_series_actual(g, shape, o->closed, b);
    }
    if (!s->regular)
        own = (double)n * (double)s->mean * pshi_sparse_alive(o, s);
    mean = (double)g->mean;
    own += few * mean / (members ? members : 1) * (s->regular ? 1 : pshi_sparse_alive(o, s));
    all += few * mean;
    return all > 0 ? own / all : 0;
}

static double root_at(const pshi_outlook *o, const pshi_series *s, int64_t bucket) {
    return sqrt(pshi_series_actual(s, o->shape, o->closed, bucket));
}

/*
 * Empirical Bayes on square roots, whose noise hardly depends on the level. Noise: half the mean square of
 * differences a short season apart, 2 s^2. Bias of the segment: what its shape at the tenant's level misses
 * beyond noise, t^2. The mean of d short seasons errs by s^2 / d, the segment by t^2; weights are inverse to
 * those, and go down with age to 0 at YOUNG_SEASONS. Within the first short season there is only the segment.
 */
static double segment_weight(const pshi_outlook *o, const pshi_series *s, const pshi_series *g, double ratio) {
    int64_t age = pshi_series_age(s, o->closed), m = o->shape->season[0], n = 0, b;
    double noise = 0, miss = 0, d = (double)age / (double)m, left, z;

    if (!s->regular)
        return SPARSE_WEIGHT;
    left = 1 - (double)age / (YOUNG_SEASONS * (double)o->shape->longest);
    if (left <= 0 || age <= m)
        return left <= 0 ? 0 : 1;
    for (b = o->closed - age + m; b < o->closed; b++, n++) {
        z = root_at(o, s, b);
        noise += (z - root_at(o, s, b - m)) * (z - root_at(o, s, b - m));
        miss += (z - sqrt(ratio) * root_at(o, g, b)) * (z - sqrt(ratio) * root_at(o, g, b));
    }
    noise /= 2 * (double)n;
    miss = miss / (double)n - noise;
    noise /= d;
    miss = miss > 0 ? miss : 0;
    return noise > 0 ? left * noise / (noise + miss) : 0;
}

static void make_out(pshi_lender *l, const pshi_outlook *o, const pshi_series *s) {
    psh_subject subject = { PSH_SUBJECT_SEGMENT, s->subject.table, 0 };
    const pshi_segments *g = pshi_segments_find(l->tenants, s->subject.table);
    uint32_t place = (s->segment & PSHI_PLACE_MASK) - 1;

    l->signals = *o->signals;
    l->signals.factor = l->factor;
    l->path.signals = &l->signals;
    l->to = s;
    l->id = s->subject.id;
    l->mark = s->segment;
    l->segment = NULL;
    if (!g || place >= PSHI_MOST_SEGMENTS ||
        (s->regular && pshi_series_age(s, o->closed) >= YOUNG_SEASONS * (int64_t)o->shape->longest))
        return;
    subject.id = g->list[place].id;
    l->segment = pshi_store_find(l->store, &subject);
    /* A segment that knows no more of seasons than the tenant has nothing to lend. */
    if (l->segment && (!l->segment->regular->fitted ||
                       pshi_series_age(l->segment, o->closed) <= pshi_series_age(s, o->closed)))
        l->segment = NULL;
    if (!l->segment)
        return;
    l->ratio = level_ratio(o, s, l->segment, g->list[place].members);
    l->weight = segment_weight(o, s, l->segment, l->ratio);
}

double pshi_lent_mean(const pshi_outlook *o, const pshi_series *s, uint32_t lead, double own) {
    pshi_lender *l = o->lender;
    double x;

    if (l->to != s || l->id != s->subject.id || l->mark != s->segment)
        make_out(l, o, s);
    if (!l->segment)
        return own;
    l->path.closed = o->closed;
    l->path.net = o->net;
    x = l->ratio * pshi_series_mean(&l->path, l->segment, lead);
    x = (1 - l->weight) * own + l->weight * x;
    return x < PSHI_MOST_LOAD ? x : PSHI_MOST_LOAD;
}
