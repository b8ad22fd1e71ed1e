/* SPDX-License-Identifier: MIT */
/** @file predshard/capacity.h  How many nodes, when: ordered early enough to be there before the load. */
#ifndef PREDSHARD_CAPACITY_H
#define PREDSHARD_CAPACITY_H

#include <predshard/forecast.h>
PSH_BEGIN_DECLS

/**
 * Plans node counts over time for one load. A change has a duration: what is ordered now is there lead_ns later. Each
 * step costs its nodes, and violation_cost where the load is above what they carry. From a forecast it finds the
 * cheapest schedule by dynamic programming over its quantiles, first move taken and planned anew each step. Beside it
 * run reactive policies on the same past; where the forecast has not earned its keep the best of them decides.
 *
 * Threads  Calls on one object must not overlap.
 * Repeat   Same options, same calls, same bytes.
 * Source   the experiment and the planner's form: Taft, El-Sayed, Serafini, Lu, Aboulnaga, Stonebraker, Mayerhofer
 *          & Andrade 2018, "P-Store: an elastic database system with predictive provisioning".
 */
typedef struct psh_capacity psh_capacity;

typedef struct psh_capacity_options {
    uint32_t struct_size;
    uint32_t flags;          /**< none yet: not 0 is PSH_E_UNSUPPORTED */
    int64_t step_ns;         /**< > 0; default 5 min */
    int64_t lead_ns;         /**< from order to effect, >= 0; default 30 min */
    double node_load;        /**< load that one node carries a step, > 0; default 1 */
    double violation_cost;   /**< of a minute above what the nodes carry, in node-hours, > 0; default 1 */
    double move_cost;        /**< of adding or releasing one node, in node-hours, >= 0; default 0 */
    uint32_t min_nodes;      /**< >= 1; default 1 */
    uint32_t max_nodes;      /**< min_nodes..65536; default 1024 */
    uint32_t horizon_steps;  /**< steps that a plan looks ahead, 1..4096; default 48 */
    uint32_t reserved;       /**< 0 */
    int64_t memory_ns;       /**< past on which policies are judged; default 7 days */
} psh_capacity_options;

/** Writes the defaults into the first `size` bytes of *o. @return PSH_OK, PSH_E_INVALID. */
PSH_API psh_status psh_capacity_options_init(psh_capacity_options *o, uint32_t size);
/** @return PSH_OK, PSH_E_INVALID (the field is named), PSH_E_UNSUPPORTED, PSH_E_NOMEM. *out is the caller's. */
PSH_API psh_status psh_capacity_create(
    psh_env *env, const psh_capacity_options *o, psh_capacity **out, psh_error *err);
/** NULL is allowed. */
PSH_API void psh_capacity_destroy(psh_capacity *c);
/**
 * The load of the step that began at `time`; steps in order, one left out counts as 0.
 * @param load  in units of node_load, >= 0 and finite
 * @return PSH_OK, PSH_E_INVALID, PSH_E_TIME (not after the one before). Judges all policies on it.
 */
PSH_API psh_status psh_capacity_observe(psh_capacity *c, int64_t time, double load);

#define PSH_CAPACITY_PREDICTIVE 1 /**< the plan from the forecast decided */
#define PSH_CAPACITY_REACTIVE 2   /**< no forecast, or it has not earned its keep: the best reactive policy decided */

typedef struct psh_capacity_decision {
    uint32_t struct_size;
    uint32_t policy;        /**< PSH_CAPACITY_* */
    uint32_t nodes;         /**< to be there at `effective_at` */
    uint32_t nodes_now;     /**< effective now */
    int64_t effective_at;   /**< now + lead_ns */
    double expected_load;   /**< of the step at effective_at; the latest where there is no forecast */
    double upper_load;      /**< that the nodes are for */
    double predictive_cost; /**< of following forecasts over the judged past, node-hours with violations */
    double reactive_cost;   /**< of the best reactive policy over the same */
    double reactive_margin; /**< that policy's headroom: nodes for margin times the load seen */
    int64_t reactive_window; /**< and how far back it takes the largest load */
} psh_capacity_decision;

/**
 * What to order now. Call once a step, after observe.
 * @param forecast  of the load, in the same units and steps, from now on; NULL if there is none
 * @param schedule  NULL, or Shape [horizon_steps]: receives the planned nodes of each step from now on
 * @return PSH_OK, PSH_E_INVALID (a forecast of other steps), PSH_E_TIME, PSH_E_NOMEM.
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
