/* SPDX-License-Identifier: MIT */
#include "forecast/young.h"

#include <math.h>

#include "base/env.h"

#define YOUNG_SEASONS 2      /* long seasons after which a tenant stands alone */
#define PRIOR_PART 8         /* a short season's part of buckets that the segment's mean member counts as */
#define SPARSE_WEIGHT 0.8    /* of the segment for a tenant that is sparse: its own model has no shape */

void pshi_lender_reset(pshi_lender *l) {
    l->to = NULL;
    l->path.of = NULL;
}

void pshi_lender_free(psh_env *env, pshi_lender *l) {
    if (l->path.mean)
        pshi_outlook_free(env, &l->path);
}

psh_status pshi_lender_ready(psh_env *env, pshi_lender *l, const pshi_shape *shape, pshi_calibration *c) {
    return l->path.mean ? PSH_OK : pshi_outlook_init(env, shape, c, &l->path);
}

/*
 * Both loads over the buckets that the tenant has lived through, at most a long season, and before that the segment's
 * mean member: ratio = (sum tenant + c m) / (sum segment + c M), m and M the means of a member and of the segment.
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
        own = (double)n * (double)s->mean;
    mean = (double)g->mean;
    own += few * mean / (members ? members : 1);
    all += few * mean;
    return all > 0 ? own / all : 0;
}

/* The older, the more it is believed itself: linear in age, and the sparse never wholly. */
static double segment_weight(const pshi_outlook *o, const pshi_series *s) {
    double span = YOUNG_SEASONS * (double)o->shape->longest, w = 1 - (double)pshi_series_age(s, o->closed) / span;

    w = w > 0 ? w : 0;
    return !s->regular && w < SPARSE_WEIGHT ? SPARSE_WEIGHT : w;
}

static void make_out(pshi_lender *l, const pshi_outlook *o, const pshi_series *s) {
    psh_subject subject = { PSH_SUBJECT_SEGMENT, s->subject.table, 0 };
    const pshi_segments *g = pshi_segments_find(l->tenants, s->subject.table);
    uint32_t place = (s->segment & PSHI_PLACE_MASK) - 1;

    l->to = s;
    l->id = s->subject.id;
    l->mark = s->segment;
    l->segment = NULL;
    l->weight = segment_weight(o, s);
    if (!g || place >= PSHI_MOST_SEGMENTS || !(l->weight > 0))
        return;
    subject.id = g->list[place].id;
    l->segment = pshi_store_find(l->store, &subject);
    /* A segment that knows no more of seasons than the tenant has nothing to lend. */
    if (l->segment && (!l->segment->regular->fitted ||
                       pshi_series_age(l->segment, o->closed) <= pshi_series_age(s, o->closed)))
        l->segment = NULL;
    if (l->segment)
        l->ratio = level_ratio(o, s, l->segment, g->list[place].members);
}

double pshi_lent_mean(const pshi_outlook *o, const pshi_series *s, uint32_t lead, double own) {
    pshi_lender *l = o->lender;
    double x;

    if (l->to != s || l->id != s->subject.id || l->mark != s->segment)
        make_out(l, o, s);
    if (!l->segment)
        return own;
    l->path.closed = o->closed;
    x = l->ratio * pshi_series_mean(&l->path, l->segment, lead);
    x = (1 - l->weight) * own + l->weight * x;
    return x < PSHI_MOST_LOAD ? x : PSHI_MOST_LOAD;
}
