/* SPDX-License-Identifier: MIT */
/** @file predshard/capacity.h  How many nodes, when: ordered early enough to be there before the load. */
#ifndef PREDSHARD_CAPACITY_H
#define PREDSHARD_CAPACITY_H

#include <predshard/forecast.h>
PSH_BEGIN_DECLS

/**
 * Plans node counts over time for one load. A change has a duration: what is ordered now is there lead_ns later.
 * Each step costs its nodes, and violation_cost where the load is above what they carry. Several predictions of the
 * load, from the forecast, from its quantiles, and from forecast and recent load together, each with the spread of
 * its own past errors, give the cheapest schedules by dynamic programming, first move taken and planned anew each
 * step. Beside them run reactive policies on the same past, a grid of headroom and window. All keep an account of
 * what following them would have cost; the cheapest of each side leads it, and the predictive side decides only
 * while it saves against the reactive one by more than chance explains.
 *
 * Threads  Calls on one object must not overlap.
 * Repeat   Same options, same calls, same bytes.
 * Source   the experiment and the planner's form: Taft, El-Sayed, Serafini, Lu, Aboulnaga, Stonebraker, Mayerhofer
 *          & Andrade 2018, "P-Store: an elastic database system with predictive provisioning". Least squares with
 *          forgetting: Ljung & Soderstrom 1983, "Theory and practice of recursive identification". Following the
 *          leader: Cesa-Bianchi & Lugosi 2006, "Prediction, learning, and games".
 */
typedef struct psh_capacity psh_capacity;

typedef struct psh_capacity_options {
    uint32_t struct_size;
    uint32_t flags;          /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    int64_t step_ns;         /**< > 0, at most 366 days; default 5 min */
    int64_t lead_ns;         /**< from order to effect, 0..4096 steps; default 30 min */
    double node_load;        /**< load that one node carries a step, 2^-100..2^100; default 1 */
    double violation_cost;   /**< of a minute above what the nodes carry, in node-hours, > 0, <= 2^100; default 1 */
    double move_cost;        /**< of adding or releasing one node, in node-hours, 0..2^100; default 0 */
    uint32_t min_nodes;      /**< >= 1; default 1 */
    uint32_t max_nodes;      /**< min_nodes..65536; default 1024 */
    uint32_t horizon_steps;  /**< steps that a plan looks ahead, 1..4096, at least to the lead's end; default 48 */
    uint32_t reserved;       /**< 0 */
    int64_t memory_ns;       /**< past on which policies are judged: the age at which a cost counts 1/e; > 0;
                              *   default 7 days */
} psh_capacity_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_capacity_options_init(psh_capacity_options *o, uint32_t size);
/** @return PSH_OK, PSH_E_INVALID (the field is named), PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the caller's. */
PSH_API psh_status psh_capacity_create(
    psh_env *env, const psh_capacity_options *o, psh_capacity **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_capacity_destroy(psh_capacity *c);
/**
 * The load of the step that began at `time`; steps in order, one left out counts as 0, of a gap the first 4096.
 * @param load  in units of node_load, 0..2^100
 * @return PSH_OK, PSH_E_INVALID, PSH_E_TIME (not after the one before). Judges all policies on it.
 */
PSH_API psh_status psh_capacity_observe(psh_capacity *c, int64_t time, double load);
/**
 * The same, from equal parts of the step, e.g. minutes: a part is above what the nodes carry where n times its load
 * is, and costs its share of the step.
 * @param load  Shape [n], of each part, 0..2^100; n 1..1024; their sum is the step's load
 */
PSH_API psh_status psh_capacity_observe_parts(psh_capacity *c, int64_t time, const double *load, size_t n);

#define PSH_CAPACITY_PREDICTIVE 1 /**< a plan from forecast and recent load decided */
#define PSH_CAPACITY_REACTIVE 2   /**< no forecast, or not worth its keep: the best reactive policy decided */

typedef struct psh_capacity_decision {
    uint32_t struct_size;
    uint32_t policy;        /**< PSH_CAPACITY_* */
    uint32_t nodes;         /**< to be there at `effective_at` */
    uint32_t nodes_now;     /**< effective now */
    int64_t effective_at;   /**< now + lead_ns */
    double expected_load;   /**< of the step at effective_at; the latest where there is no forecast */
    double upper_load;      /**< that the nodes are for: what they carry, or margin times what was seen */
    double predictive_cost; /**< of following predictions over the judged past, node-hours with violations */
    double reactive_cost;   /**< of following the best reactive policy over the same */
    double reactive_margin; /**< the best one's headroom now: nodes for margin times the load seen */
    int64_t reactive_window; /**< and how far back it takes the largest load */
} psh_capacity_decision;

/**
 * What to order now. Call once a step, after observe; again in the same step it replaces the order.
 * @param now       at or after the end of the step observed last
 * @param forecast  of the load, in the same units and steps, from the step on that follows the one observed last,
 *                  and beyond lead_ns (a shorter one counts as none); NULL if there is none: a reactive one decides
 * @param schedule  NULL, or Shape [horizon_steps]: receives the planned nodes of each step from there on
 * @return PSH_OK, PSH_E_INVALID (a forecast of other steps), PSH_E_TIME.
 */
PSH_API psh_status psh_capacity_decide(
    psh_capacity *c, int64_t now, const psh_forecast *forecast, psh_capacity_decision *out, uint32_t *schedule,
    psh_error *err);
/** One line for people: what was decided last, and why. @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM. */
PSH_API psh_status psh_capacity_explain(const psh_capacity *c, psh_buffer *out);
/** Appends one frame (doc/format.md). @return PSH_OK, PSH_E_INVALID, PSH_E_NOMEM (out unchanged). */
PSH_API psh_status psh_capacity_save(const psh_capacity *c, psh_buffer *out);
/** Returns and max_bytes as psh_schema_load. */
PSH_API psh_status psh_capacity_load(
    psh_env *env, const void *data, size_t size, size_t max_bytes, psh_capacity **out, psh_error *err);

PSH_END_DECLS
#endif
