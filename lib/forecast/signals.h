/* SPDX-License-Identifier: MIT */
/** @file forecast/signals.h  Beside the loads: events, metrics that may lead, alerts; one for all series. */
#ifndef PSHI_FORECAST_SIGNALS_H
#define PSHI_FORECAST_SIGNALS_H

#include <predshard/events.h>

#include "forecast/series.h"
#include "model/calendar.h"

#define PSHI_MOST_METRICS PSHI_LEADLAG_MOST_METRICS

typedef struct pshi_metric_bucket {
    double sum;
    uint32_t count;      /* saturating: later values do not count */
    uint32_t reserved;
} pshi_metric_bucket;

typedef struct pshi_metric {
    uint64_t id;
    psh_subject scope;
    pshi_metric_bucket *open; /* Shape [shape.open], by slot */
} pshi_metric;

typedef struct pshi_signals {
    psh_env *env;
    pshi_calendar *calendar; /* NULL until the first event */
    uint64_t calendar_bytes;
    uint32_t max_events;
    uint32_t max_metrics;
    uint32_t max_alerts;
    uint32_t metric_count;
    uint32_t near;           /* 1: an event may be in what closes or is forecast now */
    uint32_t reserved;
    pshi_metric *metrics;    /* Shape [max_metrics], NULL until the first */
    double *factor;          /* Shape [shape.max_lead]: of the path */
    psh_alert *alerts;       /* Shape [max_alerts], a ring */
    uint64_t alerted;        /* raised since the last clear; the latest are held */
} pshi_signals;

/** @return PSH_OK, PSH_E_NOMEM. Memory goes with pshi_signals_free. */
psh_status pshi_signals_init(
    psh_env *env, const pshi_shape *shape, const psh_forecaster_options *o, pshi_signals *out);
void pshi_signals_free(pshi_signals *g);
uint64_t pshi_signals_bytes(const pshi_signals *g, const pshi_shape *shape);

/* events.c */

/** When time moves on or events change: which events matter from bucket `from` to those forecast at `to`. */
void pshi_events_focus(pshi_signals *g, const pshi_shape *shape, int64_t from, int64_t to);
/** Room for what a series will learn of events in buckets [from, to). @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_events_prepare(
    const pshi_signals *g, const pshi_shape *shape, const psh_subject *subject, int64_t from, int64_t to);
/** What events do to one bucket of a subject's load. */
double pshi_events_factor(const pshi_outlook *o, const psh_subject *subject, int64_t bucket);
/** @return 1 if an event is in the bucket o->closed of the subject's load, which must not teach seasons. */
int pshi_events_mask(const pshi_outlook *o, const psh_subject *subject);
/** Learns from the bucket o->closed, against the forecast that knew of no event. */
void pshi_events_learn(const pshi_outlook *o, const psh_subject *subject, double y, double base);
/** Factors of o's path; sets o->factored. */
void pshi_events_path(pshi_outlook *o, const psh_subject *subject);
/** Marks those of the n buckets before `closed` in which an event is or was. @param skip  Shape [n] */
psh_status pshi_events_skip(
    psh_env *env, const pshi_outlook *o, const psh_subject *subject, uint32_t n, uint8_t *skip);

/** The season that the models learn themselves; an event that recurs a whole number of times in it is theirs. */
int64_t pshi_events_season(const pshi_shape *shape);

/* metrics.c */

/** @return the metric or NULL. */
pshi_metric *pshi_metric_find(const pshi_signals *g, uint64_t id);
/** @param id  not taken yet; there is room. @return PSH_OK, PSH_E_NOMEM (nothing added). */
psh_status pshi_metric_add(pshi_signals *g, const pshi_shape *shape, uint64_t id, const psh_subject *scope);

/** @return 1 if some metric may lead the subject's load. */
int pshi_metrics_any(const pshi_signals *g, const psh_subject *subject);
/** Bytes of what one series needs for that. */
uint64_t pshi_metrics_bytes(const pshi_signals *g, const pshi_shape *shape);
/** Begins to look at the metrics of a series. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_metrics_begin(const pshi_signals *g, const pshi_shape *shape, pshi_watch *w);
/** The bucket o->closed is complete. @param residual  not a number: unknown */
void pshi_metrics_observe(const pshi_outlook *o, const psh_subject *subject, pshi_leadlag *lead, double residual);
/** Corrects o's path. */
void pshi_metrics_path(pshi_outlook *o, const pshi_leadlag *lead);
/** Forgets values of the buckets [from, to), which are closed; all with from == to. */
void pshi_metrics_close(pshi_signals *g, const pshi_shape *shape, int64_t from, int64_t to);
/** Reads what pshi_leadlag_save wrote for a series. @return PSH_OK, PSH_E_NOMEM; bad bytes are marked. */
psh_status pshi_metrics_load(const pshi_signals *g, const pshi_shape *shape, pshi_cursor *c, pshi_leadlag **out);

/* alerts.c */

/** The closing bucket was forecast: its error in deviations of the forecast, one being `unit` in z of the rhythm. */
void pshi_watch_error(const pshi_outlook *o, pshi_series *s, double y, double mean, double error, double unit);
/** What the closing bucket tells of values, errors and skill. @return what the rhythm should learn. */
double pshi_watch_close(pshi_outlook *o, pshi_series *s, double y);
/** Lets values that a fit will see forget shifts and what is skipped. @param y, skip  Shape [n], up to `closed` */
void pshi_watch_clean(const pshi_series *s, const pshi_shape *shape, int64_t closed, uint32_t n, float *y,
                      const uint8_t *skip);

/* signals_save.c */
void pshi_signals_put(pshi_writer *w, const pshi_signals *g, const pshi_shape *shape, int64_t closed);
/** Into one just made. @return PSH_OK, PSH_E_NOMEM, PSH_E_CORRUPT. */
psh_status pshi_signals_get(pshi_cursor *c, pshi_signals *g, const pshi_shape *shape, int64_t closed);

#endif
