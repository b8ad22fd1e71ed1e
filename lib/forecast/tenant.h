/* SPDX-License-Identifier: MIT */
/** @file forecast/tenant.h  Tenants' profiles and the segments they fall into. */
#ifndef PSHI_FORECAST_TENANT_H
#define PSHI_FORECAST_TENANT_H

#include <predshard/segments.h>

#include "codec/fields.h"
#include "forecast/store.h"

#define PSHI_PARTS PSH_SEGMENT_PARTS
#define PSHI_GIVEN 8u            /* features of each kind that the host may give */
#define PSHI_MOST_SEGMENTS 64u   /* of a table, the host's included; places are below it */
#define PSHI_AT_WEEKEND PSHI_PARTS
#define PSHI_AT_BURST (PSHI_PARTS + 1u)
#define PSHI_AT_LEVEL (PSHI_PARTS + 2u)
#define PSHI_AT_GIVEN (PSHI_PARTS + 3u)
#define PSHI_FEATURES (PSHI_AT_GIVEN + PSHI_GIVEN)

/* pshi_series.segment of a tenant: place + 1, and this bit while a change is due. */
#define PSHI_PLACE_DUE 0x80000000u
#define PSHI_PLACE_MASK 0xffffu

/** Features that the host gave, by their places in the table's registry. */
typedef struct pshi_given {
    uint32_t numeric_set;  /* bits */
    uint32_t category_set;
    float numeric[PSHI_GIVEN];
    uint64_t category[PSHI_GIVEN];
} pshi_given;

typedef struct pshi_tenant {
    uint64_t id;
    uint32_t table;
    uint32_t pinned;       /* 1: the host decides */
    uint32_t segment;      /* id in force, 0: none */
    uint32_t before;       /* id in force before `since` */
    uint32_t next;         /* id from change_at on; 0: no change is due */
    uint32_t rival;        /* clearly nearer at the latest evaluation; 0: none */
    int64_t since;         /* PSH_TIME_NONE: ever */
    int64_t change_at;
    uint8_t shape[PSHI_PARTS]; /* load by part of the short season, PSHI_SHAPE_ONE = the mean part's, 255 unseen */
    uint8_t weekend;       /* 1/255 of all */
    uint8_t burst;         /* burstiness from -1 (0) to 1 (255) */
    uint16_t busy;         /* buckets with load that these tell of, saturating */
    float level;           /* log2(1 + rows per bucket) */
    float asked[4];        /* requests by PSH_ACCESS_*, fading */
    float asked_bytes;     /* of their answers, fading */
    float asked_age;       /* buckets that those tell of, fading */
    int64_t reach_ns;
    pshi_given *given;     /* NULL: none */
} pshi_tenant;

#define PSHI_SHAPE_ONE 32.0

typedef struct pshi_segment {
    uint32_t id;           /* 0: a free place */
    uint32_t host;         /* 1: the host's own: no centre, and load leads nobody here */
    uint32_t idle;         /* clusterings in a row that found it without members */
    uint32_t dirty;        /* 1: its members changed since its history was added up */
    uint32_t members;      /* by pshi_tenant.segment; not saved */
    float centre[PSHI_FEATURES]; /* in units of the features */
    uint64_t mode[PSHI_GIVEN];
} pshi_segment;

/** Of one table. */
typedef struct pshi_segments {
    int64_t cluster_at;    /* bucket from which clustering is due; PSH_TIME_NONE: not set yet */
    uint32_t next_id;
    uint32_t made;         /* 1 once there are centres */
    uint32_t numeric_count;
    uint32_t category_count;
    uint32_t numeric_id[PSHI_GIVEN];
    uint32_t category_id[PSHI_GIVEN];
    float mean[PSHI_FEATURES];  /* of the table: what is unknown is taken to be this */
    float scale[PSHI_FEATURES]; /* one over the standard deviation, 0 where there is none */
    size_t hint[PSHI_MOST_SEGMENTS]; /* where a segment's series stood in the store; checked before use */
    pshi_segment list[PSHI_MOST_SEGMENTS];
} pshi_segments;

typedef struct pshi_tenants {
    pshi_idmap map;        /* from a hash of table and id */
    pshi_tenant *list;
    size_t count;
    size_t cap;
    size_t given;          /* records with features of the host */
    pshi_segments **tables; /* Shape [table_count], NULL until one is needed; NULL itself at first */
    uint32_t table_count;
} pshi_tenants;

/** A tenant in numbers. */
typedef struct pshi_point {
    float x[PSHI_FEATURES];
    uint64_t category[PSHI_GIVEN];
    uint32_t known;        /* bits of category */
    uint32_t unseen;       /* bits of parts; others are then relative to the mean of those seen */
    float trust;           /* of the parts, where some are unseen */
} pshi_point;

void pshi_tenants_free(psh_env *env, pshi_tenants *t);
uint64_t pshi_tenants_bytes(const pshi_tenants *t);
/** @return the record or NULL. */
pshi_tenant *pshi_tenants_find(const pshi_tenants *t, uint32_t table, uint64_t id);
/** Adds a record that is not there. @return PSH_OK, PSH_E_NOMEM, PSH_E_LIMIT (hashes clash). */
psh_status pshi_tenants_add(psh_env *env, pshi_tenants *t, uint32_t table, uint64_t id, pshi_tenant **out);
/** Takes one out; the last takes its place. */
void pshi_tenants_remove(psh_env *env, pshi_tenants *t, size_t i);
/** The segments of a table, made where there are none. @return NULL: no memory. */
pshi_segments *pshi_segments_need(psh_env *env, pshi_tenants *t, uint32_t table, uint32_t tables);
/** The same, NULL where there are none. */
pshi_segments *pshi_segments_find(const pshi_tenants *t, uint32_t table);
/** @return the place of an id, or PSH_NONE. */
uint32_t pshi_segments_place(const pshi_segments *g, uint32_t id);
/** @return a place that is free, or PSH_NONE. */
uint32_t pshi_segments_free_place(const pshi_segments *g);
/** What pshi_series.segment of a tenant has to be. */
uint32_t pshi_tenant_mark(const pshi_tenants *t, const pshi_tenant *r);
/** The segment a tenant is in at a time. */
uint32_t pshi_tenant_segment_at(const pshi_tenant *r, int64_t at);
/** A request of the tenant. O(1). */
void pshi_tenant_ask(pshi_tenant *r, uint32_t access, int64_t reach_ns, double weight, double bytes);
/** Most of its requests' access, 0 without any. */
uint32_t pshi_tenant_access(const pshi_tenant *r);

/* tenant_profile.c */

/** Its load in a part of the short season over that in the mean part, 1 where none was seen. */
double pshi_tenant_part(const pshi_tenant *r, uint32_t part);

/** Learns shape, weekend, burstiness and level from what is closed. */
void pshi_tenant_look(pshi_tenant *r, const pshi_series *s, const pshi_shape *shape, int64_t closed);
/** What the tenant is in features; unknown ones stay at the table's mean. */
void pshi_tenant_point(const pshi_tenant *r, const pshi_segments *g, pshi_point *out);
/** Squared distance of a tenant to a centre: numbers scaled and blocked, categories by mismatch. */
double pshi_point_distance(const pshi_segments *g, const pshi_point *p, const float *centre, const uint64_t *mode);
/** @return the place of the nearest segment with a centre, or PSH_NONE. */
uint32_t pshi_point_nearest(const pshi_segments *g, const pshi_point *p, double *distance);

/* tenant_cluster.c */

/**
 * k-prototypes over points, from the centres there are. Centres are added while that pays, up to `most`.
 * @param p  Shape [n], n >= 1, @param work  Shape [n]: scratch
 */
void pshi_segments_cluster(pshi_segments *g, const pshi_point *p, size_t n, uint32_t most, uint32_t *work);
/** Means and scales of features over points. */
void pshi_segments_scale(pshi_segments *g, const pshi_point *p, size_t n);

/* tenant_codec.c */
void pshi_tenants_put(pshi_writer *w, const pshi_tenants *t);
/** Into an empty one. @return PSH_OK, PSH_E_CORRUPT, PSH_E_NOMEM, PSH_E_LIMIT (more than `left` bytes). */
psh_status pshi_tenants_get(
    psh_env *env, pshi_cursor *c, pshi_tenants *t, uint32_t tables, uint32_t most, size_t left);

#endif
