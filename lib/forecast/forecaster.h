/* SPDX-License-Identifier: MIT */
/** @file forecast/forecaster.h  What a forecaster is made of. */
#ifndef PSHI_FORECAST_FORECASTER_H
#define PSHI_FORECAST_FORECASTER_H

#include "forecast/cluster.h"
#include "forecast/keys.h"
#include "forecast/labels.h"
#include "forecast/signals.h"
#include "forecast/store.h"
#include "forecast/template.h"
#include "forecast/tenant.h"
#include "forecast/young.h"
#include "forecast/workload.h"

struct psh_forecaster {
    psh_env *env;
    psh_schema *schema;
    psh_forecaster_options o;
    pshi_shape shape;
    pshi_store store;
    pshi_templates templates;
    pshi_calibration calibration;
    pshi_signals signals;
    psh_observer *observers; /* in the order of their creation */
    pshi_outlook outlook;    /* its closed is the first open bucket */
    uint64_t observer_bytes;
    int64_t now;             /* of the last step */
    size_t cursor;           /* where the search for series to refit goes on */
    double hot_bar;          /* mean load from which a series is hot */
    uint32_t lessons;        /* minibatches that the network is due */
    uint64_t observed;
    uint64_t shed;
    int64_t latest;          /* bucket of the latest record, so that the next divides nothing: most share it */
    int64_t latest_start;    /* where it starts; with `latest_end` equal, none is known */
    int64_t latest_end;
    size_t hint[PSHI_KINDS]; /* by kind: where the series found last stood; checked before use */
    uint32_t anchored;       /* 1 once `closed` means something */
    uint32_t stepped;        /* 1 once `now` means something */
    pshi_tenants tenants;
    pshi_labels labels;
    pshi_lender lender;      /* stands in outlook but while series close */
    pshi_workload workload;
    pshi_clusters clusters;
    pshi_folding folding;    /* of the latest query */
    pshi_clock clock;        /* of the latest query */
    pshi_keys keys;
};

/** A write whose labels are ids: what observers keep. */
typedef struct pshi_written {
    uint32_t table;
    uint32_t label_count;
    int64_t time;
    uint64_t tenant;
    uint64_t partition;
    double rows;
    double bytes;
    uint64_t labels[16];
} pshi_written;

psh_status pshi_options_check(psh_forecaster_options *o, const psh_forecaster_options *given, psh_error *err);
/** Checks and reads a record as far as that needs no forecaster's state. */
psh_status pshi_query_record_read(const psh_schema *schema, const psh_query_record *r, psh_query_record *out);
psh_status pshi_write_record_read(const psh_schema *schema, const psh_write_record *r, pshi_written *out);
psh_status pshi_take_query(psh_forecaster *f, const psh_query_record *r);
psh_status pshi_take_write(psh_forecaster *f, const pshi_written *w);
/** Takes in what the observers hold. @return PSH_OK, PSH_E_NOMEM (the rest stays with them). */
psh_status pshi_observers_drain(psh_forecaster *f);
uint64_t pshi_forecaster_bytes(const psh_forecaster *f);
/** An empty forecaster with checked options. */
psh_status pshi_forecaster_make(
    psh_env *env, psh_schema *schema, const psh_forecaster_options *o, psh_forecaster **out, psh_error *err);
/** Gives clusters of two templates and more a series, with the members' history. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_clusters_series(psh_forecaster *f);
/* heat.c */
/** Finds the load from which a series is hot: once a short season. */
void pshi_heat_measure(psh_forecaster *f);
/** Gives a series more members, or takes them. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_heat_apply(psh_forecaster *f, pshi_series *s);
/** Buckets closed: the network has more to learn. */
void pshi_heat_lessons(psh_forecaster *f, int64_t buckets);
/** Trains the network as far as the budget reaches. @return PSH_OK, PSH_AGAIN, PSH_E_NOMEM. */
psh_status pshi_heat_train(psh_forecaster *f, uint32_t *budget);
/** Makes it, where the options ask for one. */
psh_status pshi_heat_network(psh_forecaster *f);
/** How long it takes a template's recent count to halve. */
int64_t pshi_half_life(const psh_forecaster *f);

#endif
