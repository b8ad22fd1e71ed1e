/* SPDX-License-Identifier: MIT */
#include "forecast/shape.h"

#include <string.h>

#include "base/checked.h"
#include "math/stats.h"

#define LEAST_AHEAD 48u /* buckets that events may run ahead of the last step, at least */
#define SKEW 2u         /* buckets that the first event may be ahead of the first step */

static void set_leads(pshi_shape *s, uint32_t horizon) {
    static const uint32_t inner[] = { 1, 6, 24 };
    uint32_t i;

    for (i = 0; i < 3; i++)
        if (inner[i] < horizon)
            s->lead[s->groups++] = inner[i];
    s->lead[s->groups++] = horizon;
    for (i = 0; i < s->groups; i++) {
        s->slots[i] = s->lead[i] == 1 ? 1 : s->lead[i] / s->stride + 1;
        s->pending += s->slots[i];
    }
}

/* About a fifth of the short season, and prime to the long one, so that in time every place in it is scored. */
static uint32_t choose_stride(uint32_t season_short, uint32_t season_long) {
    uint32_t stride = (season_short + 4) / 5;

    while (pshi_gcd(stride, season_long) != 1)
        stride++;
    return stride;
}

void pshi_shape_init(pshi_shape *s, const psh_forecaster_options *o) {
    uint32_t ahead = 2 * o->season_short;

    memset(s, 0, sizeof *s);
    s->bucket_ns = o->bucket_ns;
    s->season[0] = o->season_short;
    s->season[1] = o->season_long > o->season_short ? o->season_long : 0;
    s->ring = o->history;
    s->patience = 2 * o->season_long + 2;
    s->late = (uint32_t)(o->lateness_ns / o->bucket_ns + (o->lateness_ns % o->bucket_ns != 0));
    s->open = s->late + 2 * SKEW + (ahead < LEAST_AHEAD ? LEAST_AHEAD : ahead);
    s->stride = choose_stride(o->season_short, o->season_long);
    s->width = o->season_short;
    set_leads(s, o->horizon);
    s->longest = o->season_long;
    s->max_lead = 2 * o->season_long + s->open;
    s->fade = 2.0 / ((double)o->season_long + 1);
}

uint32_t pshi_shape_group(const pshi_shape *s, uint32_t lead) {
    uint32_t g = 0;

    while (g + 1 < s->groups && lead > s->lead[g])
        g++;
    return g;
}

int64_t pshi_bucket(const pshi_shape *s, int64_t time) {
    return pshi_floor_div(time, s->bucket_ns);
}

int64_t pshi_bucket_start(const pshi_shape *s, int64_t bucket) {
    int64_t t;

    if (pshi_mul_i64(bucket, s->bucket_ns, &t))
        return bucket < 0 ? PSH_TIME_MIN : PSH_TIME_MAX;
    return t;
}

double pshi_bucket_share(const pshi_shape *s, int64_t bucket, int64_t from, int64_t to) {
    int64_t a = pshi_bucket_start(s, bucket), b = pshi_time_add(a, s->bucket_ns);

    if (a < from)
        a = from;
    if (b > to)
        b = to;
    return b > a ? (double)(b - a) / (double)s->bucket_ns : 0;
}
