/* SPDX-License-Identifier: MIT */
#include "model/detector.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/options.h"
#include "codec/frame.h"

#define MOST_VALUE 0x1p100
#define MOST_PROBATION 100000u
#define EVEN 5.75 /* the alarm at which score is 1/2 */
#define SLOPE 1.5  /* of the score's log odds there */

struct psh_detector {
    psh_env *env;
    psh_detector_options o; /* defaults put in */
    int64_t last;           /* PSH_TIME_NONE before the first value */
    uint64_t run_from;      /* count at the last change point */
    pshi_signals signals;
    pshi_alarm alarm;
    pshi_outlier outlier;
};

const char *psh_detector_signal_name(uint32_t signal) {
    return pshi_signal_name(signal);
}

static psh_status check_season(psh_detector_options *o, psh_error *err) {
    static const int64_t usual[] = { PSH_DAY, 7 * PSH_DAY }, least[] = { PSHI_SIGNAL_SLOTS, PSHI_SIGNAL_PLACES };
    uint32_t i;

    for (i = 0; i < 2; i++) {
        o->season[i] = o->season[i] ? o->season[i] : usual[i];
        if (o->season[i] > 0 && o->season[i] < least[i])
            return pshi_fail_at(err, PSH_E_INVALID, "season", i, "is shorter than its places");
    }
    if (o->season[0] > 0 && o->season[1] > 0 && o->season[1] <= o->season[0])
        return pshi_fail_at(err, PSH_E_INVALID, "season", 1, "seasons must ascend");
    return PSH_OK;
}

static psh_status check_options(psh_detector_options *o, psh_error *err) {
    if (o->flags)
        return pshi_fail(err, PSH_E_UNSUPPORTED, "flags", "unknown flag");
    o->probation = o->probation ? o->probation : 300;
    if (o->probation < 20 || o->probation > MOST_PROBATION)
        return pshi_fail(err, PSH_E_INVALID, "probation", "must be 20 to 100000");
    o->quiet = o->quiet ? o->quiet : o->probation / 6;
    if (o->quiet > MOST_PROBATION)
        return pshi_fail(err, PSH_E_INVALID, "quiet", "must be 1 to 100000");
    o->threshold = o->threshold == 0 ? 0.5 : o->threshold;
    if (!(o->threshold > 0 && o->threshold < 1))
        return pshi_fail(err, PSH_E_INVALID, "threshold", "must lie between 0 and 1");
    return check_season(o, err);
}

psh_status psh_detector_create(
    psh_env *env, const psh_detector_options *given, psh_detector **out, psh_error *err) {
    psh_detector_options o;
    psh_detector *d;
    psh_status st;

    if (out)
        *out = NULL;
    if (!env || !out)
        return pshi_fail(err, PSH_E_INVALID, !env ? "env" : "out", "is NULL");
    memset(&o, 0, sizeof o);
    if (given && (st = pshi_options_copy(&o, sizeof o, given, err)) != PSH_OK)
        return st;
    if ((st = check_options(&o, err)) != PSH_OK)
        return st;
    d = pshi_calloc(env, 1, sizeof *d);
    if (!d)
        return pshi_fail(err, PSH_E_NOMEM, "", "no memory for the detector");
    d->env = env;
    d->o = o;
    d->last = PSH_TIME_NONE;
    d->signals.season[0] = o.season[0] > 0 ? o.season[0] : 0;
    d->signals.season[1] = o.season[1] > 0 ? o.season[1] : 0;
    *out = d;
    return PSH_OK;
}

void psh_detector_destroy(psh_detector *d) {
    if (d)
        pshi_free(d->env, d);
}

static uint32_t change_flags(psh_detector *d, const pshi_signals_out *s) {
    uint32_t found = pshi_outlier_observe(&d->outlier, s->deviation, 0, s->deviation != 0 ? 1 : 0), flags = 0;

    if (found & PSHI_OUTLIER_LEVEL)
        flags |= PSH_VERDICT_LEVEL;
    if (found & PSHI_OUTLIER_SPREAD)
        flags |= PSH_VERDICT_SPREAD;
    if (found & PSHI_OUTLIER_MASK)
        flags |= PSH_VERDICT_OUTLIER;
    if (flags & (PSH_VERDICT_LEVEL | PSH_VERDICT_SPREAD)) {
        d->run_from = d->signals.count - 1;
        pshi_signals_resize(&d->signals);
    }
    return flags;
}

psh_status psh_detector_observe(psh_detector *d, int64_t time, double value, psh_verdict *out) {
    psh_verdict v;
    pshi_signals_out s;
    double alarm;

    if (!d || !out || !(fabs(value) <= MOST_VALUE) || time == PSH_TIME_NONE || out->struct_size < sizeof(uint32_t))
        return PSH_E_INVALID;
    if (time < d->last)
        return PSH_E_TIME;
    d->last = time;
    memset(&v, 0, sizeof v);
    pshi_signals_observe(&d->signals, time, value, &s);
    alarm = pshi_alarm_observe(&d->alarm, s.surprise, s.slot, d->o.quiet);
    v.flags = change_flags(d, &s);
    v.expected = s.expected;
    v.run_length = d->signals.count - d->run_from;
    v.signal = s.most;
    if (d->signals.count > d->o.probation)
        v.score = 1 / (1 + exp(-SLOPE * (alarm - EVEN)));
    if (v.score >= d->o.threshold)
        v.flags |= PSH_VERDICT_ANOMALOUS;
    return pshi_struct_out(out, &v, sizeof v);
}

size_t psh_detector_bytes(const psh_detector *d) {
    return d ? sizeof *d : 0;
}

psh_status psh_detector_dump(const psh_detector *d, psh_buffer *out) {
    pshi_writer w;

    if (!d || !out)
        return PSH_E_INVALID;
    w = pshi_write(out);
    pshi_text(&w, "detector values ");
    pshi_text_u64(&w, d->signals.count);
    pshi_text(&w, " run ");
    pshi_text_u64(&w, d->signals.count - d->run_from);
    pshi_text(&w, " told ");
    pshi_text_f64(&w, d->alarm.told);
    pshi_text(&w, " height ");
    pshi_text_f64(&w, d->alarm.height);
    pshi_text(&w, " probation ");
    pshi_text_u64(&w, d->o.probation);
    pshi_text(&w, " quiet ");
    pshi_text_u64(&w, d->o.quiet);
    pshi_text(&w, " threshold ");
    pshi_text_f64(&w, d->o.threshold);
    pshi_text(&w, "\n");
    return pshi_write_end(&w);
}

static void detector_fields(pshi_fields *io, psh_detector *d) {
    uint64_t from = d->run_from;

    pshi_field_i64(io, &d->o.season[0], INT64_MIN, INT64_MAX);
    pshi_field_i64(io, &d->o.season[1], INT64_MIN, INT64_MAX);
    pshi_field_u32(io, &d->o.probation, 20, MOST_PROBATION);
    pshi_field_u32(io, &d->o.quiet, 1, MOST_PROBATION);
    pshi_field_f64(io, &d->o.threshold, 0x1p-1022, 1);
    pshi_field_i64(io, &d->last, INT64_MIN, INT64_MAX);
    pshi_field_u64(io, &from);
    d->run_from = from;
    if (io->c && check_options(&d->o, NULL) != PSH_OK)
        pshi_read_bad(io->c);
    d->signals.season[0] = d->o.season[0] > 0 ? d->o.season[0] : 0;
    d->signals.season[1] = d->o.season[1] > 0 ? d->o.season[1] : 0;
    pshi_signals_fields(io, &d->signals);
    pshi_alarm_fields(io, &d->alarm);
    pshi_outlier_fields(io, &d->outlier);
    if (io->c && (d->run_from > d->signals.count || (d->signals.count > 0) != (d->last != PSH_TIME_NONE) ||
                  (d->signals.count && d->signals.start > d->last)))
        pshi_read_bad(io->c);
}

static void encode(pshi_writer *w, const void *value) {
    psh_detector *d = (psh_detector *)(uintptr_t)value; /* fields writes from it only */
    pshi_fields io = { w, NULL };

    detector_fields(&io, d);
}

psh_status psh_detector_save(const psh_detector *d, psh_buffer *out) {
    return d && out ? pshi_frame_save(out, PSHI_KIND_DETECTOR, encode, d) : PSH_E_INVALID;
}

psh_status psh_detector_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_detector **out, psh_error *err) {
    pshi_frame frame;
    pshi_cursor body;
    pshi_fields io = { NULL, &body };
    psh_detector *d;
    psh_status st;

    if (out)
        *out = NULL;
    if (!env || !data || !out)
        return pshi_fail(err, PSH_E_INVALID, !env ? "env" : !data ? "data" : "out", "is NULL");
    st = pshi_frame_load(env, data, size, PSHI_KIND_DETECTOR, max_bytes, &frame, &body, err);
    if (st != PSH_OK)
        return st;
    d = pshi_calloc(env, 1, sizeof *d);
    if (d) {
        d->env = env;
        detector_fields(&io, d);
    }
    st = d ? pshi_read_end(&body) : PSH_E_NOMEM;
    pshi_frame_close(&frame);
    if (st == PSH_OK) {
        *out = d;
        return PSH_OK;
    }
    psh_detector_destroy(d);
    return pshi_fail(err, st, "data", st == PSH_E_NOMEM ? "no memory for the detector" : "not a detector as saved");
}
