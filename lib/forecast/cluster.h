/* SPDX-License-Identifier: MIT */
/** @file forecast/cluster.h  Templates that are asked at the same times. */
#ifndef PSHI_FORECAST_CLUSTER_H
#define PSHI_FORECAST_CLUSTER_H

#include "forecast/template.h"

#define PSHI_MOST_CLUSTERS 64u
#define PSHI_MOST_SLOT (INT64_MAX / 1000000 * PSHI_MOST_FOLD) /* the least bucket is 1 ms */

/** Where in the long seasons a bucket lies; the latest is kept, since most requests share it. Zeroed knows none. */
typedef struct pshi_folding {
    int64_t bucket;
    int64_t season;
    uint32_t slot;
    uint32_t known;
    int64_t latest;      /* season * slots + slot of the latest request */
} pshi_folding;

typedef struct pshi_cluster {
    uint64_t id;         /* never 0, never used again */
    uint32_t members;
    uint32_t reserved;
    double total;        /* faded requests of all members, at the season of the latest request */
    double norm;         /* of the centre */
    float centre[PSHI_MOST_FOLD]; /* sum of the members' folds */
} pshi_cluster;

/**
 * Online clustering of arrival rates as in QueryBot 5000 (Ma et al. 2018, "Query-based workload forecasting for
 * self-driving database management systems"): cosine similarity with the centre, threshold 0.8, a new cluster for
 * who is close to none, clusters that became alike merged. Differs: histories are folded into one long season and
 * fade (half life two of them); who has a cluster leaves it only after two evaluations say so.
 */
typedef struct pshi_clusters {
    pshi_cluster *list;  /* Shape [PSHI_MOST_CLUSTERS] once made */
    uint32_t count;
    uint32_t evaluated;  /* 1 once `next` means something */
    uint64_t last_id;
    int64_t next;        /* bucket from which on the next evaluation is due */
    uint64_t *members;   /* ids, made when asked for */
    size_t member_cap;
} pshi_clusters;

void pshi_clusters_free(psh_env *env, pshi_clusters *c);
/** Memory that evaluating needs. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_clusters_ready(psh_env *env, pshi_clusters *c);
/** One request of a template in a bucket. @param season  buckets per long season */
void pshi_fold_add(pshi_folding *f, pshi_more *m, uint32_t fold, uint32_t season, int64_t bucket, double weight);
/** Templates with fewer faded requests than 16 wait. O(templates * clusters). */
void pshi_clusters_evaluate(pshi_clusters *c, pshi_templates *t, int64_t season);
/** Evaluates when a short season ended since it was last done. @param closed  the first open bucket */
void pshi_clusters_due(pshi_clusters *c, pshi_templates *t, int64_t latest, int64_t closed, uint32_t season);
/** Centres and totals of the clusters as they are now. */
void pshi_clusters_recount(pshi_clusters *c, const pshi_templates *t, int64_t season);
/** Faded requests of one template, at a season. */
double pshi_fold_total(const pshi_more *m, uint32_t fold, int64_t season);
/** Long seasons' worth of requests that a total holds. @param first, latest  season * fold + slot */
double pshi_fold_exposure(int64_t first, int64_t latest, uint32_t fold);
/** The season of a request at season * fold + slot. */
int64_t pshi_fold_season(int64_t at, uint32_t fold);

#endif
