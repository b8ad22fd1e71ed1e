/* SPDX-License-Identifier: MIT */
/** @file map/capacity.h  The inside of the planner of node counts. */
#ifndef PSHI_MAP_CAPACITY_H
#define PSHI_MAP_CAPACITY_H

#include <predshard/capacity.h>

#include "codec/fields.h"

#define PSHI_CAP_MOST 0x1p100        /* of loads and costs: far from where sums of squares stop being finite */
#define PSHI_CAP_STEPS 4096u         /* most of lead, horizon, and of a gap that is filled with zeros */
#define PSHI_CAP_PARTS 1024u
#define PSHI_CAP_HISTORY 16384u      /* most steps of load that are kept */

/* Reactive policies: margin times the largest step, or part of a step, of a window. */
#define PSHI_CAP_WINDOWS 8u
#define PSHI_CAP_MARGINS 12u
#define PSHI_CAP_REACTIVE (2u * PSHI_CAP_WINDOWS * PSHI_CAP_MARGINS)

/* Predictions of the load, each planned for at several prices of a violation. */
enum {
    PSHI_CAP_REGRESSED,  /* forecast and recent load together; spread by level */
    PSHI_CAP_BY_DAY,     /* the same; spread by time of day */
    PSHI_CAP_OWN,        /* recent load and that of a day and a week before, no forecast; spread by level */
    PSHI_CAP_OWN_BY_DAY, /* the same; spread by time of day */
    PSHI_CAP_FORECAST,   /* the forecast's mean; spread by level */
    PSHI_CAP_RECENT,     /* the mean of the latest steps; spread by level */
    PSHI_CAP_QUANTILES,  /* the forecast's quantiles as they are */
    PSHI_CAP_PREDICTORS
};
#define PSHI_CAP_PRICES 3u
#define PSHI_CAP_PREDICTIVE (PSHI_CAP_PREDICTORS * PSHI_CAP_PRICES)
#define PSHI_CAP_POLICIES (PSHI_CAP_REACTIVE + PSHI_CAP_PREDICTIVE)

#define PSHI_CAP_FEATURES 9u
#define PSHI_CAP_CLASSES 12u
#define PSHI_CAP_BINS 320u
#define PSHI_CAP_LEVELS 15u          /* most quantiles of a forecast */

/** Linear regression by recursive least squares with forgetting. */
typedef struct pshi_cap_fit {
    double w[PSHI_CAP_FEATURES];
    double p[PSHI_CAP_FEATURES * PSHI_CAP_FEATURES];
} pshi_cap_fit;

/** Past errors of one predictor: shares of steps, newer ones weighing more, by class; the last class is all. */
typedef struct pshi_cap_errors {
    double bin[PSHI_CAP_CLASSES + 1][PSHI_CAP_BINS];
    double total[PSHI_CAP_CLASSES + 1];
    double tail[PSHI_CAP_CLASSES + 1][PSHI_CAP_BINS + 1]; /* sums of a bin and all after it: pshi_cap_refresh */
    uint32_t fresh[PSHI_CAP_CLASSES + 1];                 /* 1: its tail is right */
} pshi_cap_errors;

/** What was said and ordered for one step before it began. */
typedef struct pshi_cap_slot {
    uint32_t set;                              /* 0: nobody decided */
    uint32_t chosen, reactive, predictive;     /* nodes: ordered, and of the two sides */
    uint32_t order[PSHI_CAP_POLICIES];         /* nodes that each policy orders */
    uint32_t class_of[PSHI_CAP_PREDICTORS];
    double point[PSHI_CAP_PREDICTORS];         /* predicted, pshi_cap_log */
    double x[PSHI_CAP_FEATURES];
} pshi_cap_slot;

/** What is known of one step to come: the prediction of one policy. */
typedef struct pshi_cap_view {
    uint32_t predictor;
    uint32_t class_of;
    double point;
    const double *levels;    /* Shape [level_count]; of the quantiles */
    const double *quantiles; /* Shape [level_count], over node_load; NULL: none */
    uint32_t level_count;
} pshi_cap_view;

struct psh_capacity {
    psh_env *env;
    psh_capacity_options o;
    uint32_t lead_steps;
    uint32_t day_steps, week_steps;  /* how far back the same time of day and week is; 0: not kept */
    uint32_t history_cap;
    uint32_t cells;                  /* node counts that a plan tells apart at most */
    double keep, keep_fit;           /* what a step leaves of the weight of older costs, of older samples */
    uint64_t steps;                  /* observed */
    int64_t next;                    /* start of the step after the last one; PSH_TIME_NONE: none yet */
    double *load, *peak;             /* Shape [history_cap], ring by step number: whole, and its largest part */
    pshi_cap_slot *slot;             /* Shape [lead_steps + 1], ring by step number */
    pshi_cap_slot now;               /* of the step that is running; set = 0 until orders took effect */
    pshi_cap_fit fit[2];             /* with forecast, without */
    pshi_cap_errors *errors;         /* Shape [PSHI_CAP_PREDICTORS] */
    double prior[PSHI_CAP_BINS + 1]; /* share above an error before any was seen, by bin */
    double cost[PSHI_CAP_POLICIES];  /* account of each policy, node-hours */
    double reactive_cost, predictive_cost; /* and of the two sides */
    double saved, saved_square;      /* by the predictive side, in blocks of steps: sum, sum of squares */
    double block;                    /* the block that is not full yet */
    uint32_t block_steps;
    uint32_t is_predictive;          /* the predictive side decides */
    psh_capacity_decision last;
    double *work;                    /* Shape [horizon_steps + 2][cells]; what follows is scratch as well */
    pshi_cap_view *view;             /* Shape [horizon_steps] */
    double *scaled;                  /* Shape [horizon_steps] means, then [horizon_steps][levels], over node_load */
    uint32_t *schedule;              /* Shape [horizon_steps] */
};

/** Whether options may be; fills nothing. */
psh_status pshi_cap_check_options(const psh_capacity_options *o, psh_error *err);
/** load over node_load on the scale that predictions and errors are made in: a node's small parts weigh little. */
double pshi_cap_log(double load);
/** Load of the i-th step before the next one, 1 = the last observed; 0 where none is kept. Over node_load. */
double pshi_cap_load(const psh_capacity *c, uint64_t back);
/** Nodes for a load over node_load, within the options' bounds. */
uint32_t pshi_cap_nodes(const psh_capacity *c, double load);
/** The orders of all reactive policies after the last step. @param order  Shape [PSHI_CAP_REACTIVE] */
void pshi_cap_react(const psh_capacity *c, uint32_t *order);
/** Margin and window (steps) of a reactive policy, and whether it looks at parts. */
void pshi_cap_reactive_policy(uint32_t i, double *margin, uint32_t *window, int *of_parts);
/** Margin times what a reactive policy sees, over node_load. */
double pshi_cap_reactive_load(const psh_capacity *c, uint32_t i);

void pshi_cap_fit_start(pshi_cap_fit *f, uint32_t first);
double pshi_cap_fit_at(const pshi_cap_fit *f, const double *x);
void pshi_cap_fit_learn(pshi_cap_fit *f, const double *x, double y, double keep);

/**
 * What is known of a step `ahead` of the next one (0 = the next).
 * @param mean   forecast's means from the next step on, over node_load; NULL: none
 * @param x      Shape [PSHI_CAP_FEATURES], out
 */
void pshi_cap_features(const psh_capacity *c, uint32_t ahead, const double *mean, double *x);
/** Point predictions and their classes from features. */
void pshi_cap_points(
    const psh_capacity *c, uint32_t ahead, const double *x, double point[PSHI_CAP_PREDICTORS],
    uint32_t class_of[PSHI_CAP_PREDICTORS]);
/** Fills c->prior. */
void pshi_cap_prior(psh_capacity *c);
/** Counts what came against what was said. @param part  Shape [n], n times their loads over node_load */
void pshi_cap_learn(psh_capacity *c, const pshi_cap_slot *s, const double *part, size_t n);
/** Makes tails of errors, which pshi_cap_above and what uses it need. */
void pshi_cap_refresh(psh_capacity *c);
/** Expected share of a step above what `nodes` carry. */
double pshi_cap_above(const psh_capacity *c, const pshi_cap_view *v, uint32_t nodes);
/** Least nodes above which a violation is not to be expected at all any more, within the options' bounds. */
uint32_t pshi_cap_enough(const psh_capacity *c, const pshi_cap_view *v);

/** Steps to plan for. */
typedef struct pshi_cap_task {
    const pshi_cap_view *view; /* Shape [steps] */
    uint32_t steps;            /* >= 1 */
    uint32_t before;           /* nodes in the step before */
    double price;              /* times violation_cost */
} pshi_cap_task;
/**
 * The cheapest schedule by dynamic programming over node counts.
 * @param schedule  Shape [steps], out
 */
void pshi_cap_plan(const psh_capacity *c, const pshi_cap_task *t, uint32_t *schedule);
double pshi_cap_price(uint32_t i);
/** Hours of a step. */
double pshi_cap_step_hours(const psh_capacity *c);

/** All state after the options, written or read. */
void pshi_cap_state(psh_capacity *c, pshi_fields *io);

#endif
