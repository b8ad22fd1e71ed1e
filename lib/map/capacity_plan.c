/* SPDX-License-Identifier: MIT */
/* Dynamic programming over node counts, as in P-Store (Taft et al. 2018, section 4), on expected cost instead of a
 * bound that must hold. */
#include <math.h>

#include "map/capacity.h"

static const double prices[PSHI_CAP_PRICES] = { 0.6, 1, 1.7 };

double pshi_cap_price(uint32_t i) {
    return prices[i];
}

double pshi_cap_step_hours(const psh_capacity *c) {
    return (double)c->o.step_ns / (double)PSH_HOUR;
}

/* Node counts that a plan tells apart: low, low + stride, ... */
typedef struct range {
    uint32_t low, stride, cells;
} range;

static range range_of(const psh_capacity *c, const pshi_cap_task *t) {
    uint32_t most = c->o.min_nodes, i, n;
    range r;

    for (i = 0; i < t->steps; i++) {
        n = pshi_cap_enough(c, &t->view[i]);
        most = n > most ? n : most;
    }
    if (t->before > most && c->o.move_cost > 0) /* to keep what is there may be the cheapest */
        most = t->before;
    r.low = c->o.min_nodes;
    r.stride = (most - r.low) / c->cells + 1;
    r.cells = (most - r.low) / r.stride + 1;
    if (r.low + (r.cells - 1) * r.stride < most && r.cells < c->cells)
        r.cells++;
    return r;
}

static uint32_t nodes_at(const psh_capacity *c, const range *r, uint32_t cell) {
    uint64_t n = (uint64_t)r->low + (uint64_t)cell * r->stride;

    return n < c->o.max_nodes ? (uint32_t)n : c->o.max_nodes;
}

static double expected_cost(const psh_capacity *c, const pshi_cap_task *t, uint32_t step, uint32_t nodes) {
    double hours = pshi_cap_step_hours(c);

    return nodes * hours + t->price * c->o.violation_cost * 60 * hours * pshi_cap_above(c, &t->view[step], nodes);
}

/* Adds what each count costs in one step. */
static void add_step(
    const psh_capacity *c, const pshi_cap_task *t, const range *r, uint32_t step, double *cost) {
    uint32_t k;

    for (k = 0; k < r->cells; k++)
        cost[k] += expected_cost(c, t, step, nodes_at(c, r, k));
}

/* One step alone, moves free: more nodes than the best costs in all need not be looked at. */
static uint32_t cheapest(const psh_capacity *c, const pshi_cap_task *t, const range *r) {
    double hours = pshi_cap_step_hours(c), best = HUGE_VAL, here;
    uint32_t k, n, chosen = r->low;

    for (k = 0; k < r->cells; k++) {
        n = nodes_at(c, r, k);
        if (n * hours >= best)
            break;
        here = expected_cost(c, t, 0, n);
        if (here < best) {
            best = here;
            chosen = n;
        }
    }
    return chosen;
}

/* cost[k] becomes the least over m of cost[m] + the move from k to m: two sweeps, since moves cost their length. */
static void allow_moves(const psh_capacity *c, const range *r, double *cost) {
    double move = c->o.move_cost * r->stride;
    uint32_t k;

    for (k = 1; k < r->cells; k++)
        cost[k] = fmin(cost[k], cost[k - 1] + move);
    for (k = r->cells - 1; k > 0; k--)
        cost[k - 1] = fmin(cost[k - 1], cost[k] + move);
}

/* The cheapest count after `before`; of equals the fewest nodes. */
static uint32_t choose(const psh_capacity *c, const range *r, const double *cost, uint32_t before) {
    double best = HUGE_VAL, here;
    uint32_t k, n, chosen = r->low;

    for (k = 0; k < r->cells; k++) {
        n = nodes_at(c, r, k);
        here = cost[k] + c->o.move_cost * fabs((double)n - before);
        if (here < best) {
            best = here;
            chosen = n;
        }
    }
    return chosen;
}

void pshi_cap_plan(const psh_capacity *c, const pshi_cap_task *t, uint32_t *schedule) {
    range r = range_of(c, t);
    uint32_t i, k, before = t->before;
    double *row, *after;

    if (t->steps == 1 && !(c->o.move_cost > 0)) {
        schedule[0] = cheapest(c, t, &r);
        return;
    }
    for (i = t->steps; i-- > 0;) { /* row i: cost from step i on, by the count in step i */
        row = c->work + (size_t)i * c->cells;
        after = row + c->cells;
        for (k = 0; k < r.cells; k++)
            row[k] = i + 1 < t->steps ? after[k] : 0;
        if (i + 1 < t->steps)
            allow_moves(c, &r, row);
        add_step(c, t, &r, i, row);
    }
    for (i = 0; i < t->steps; i++) {
        schedule[i] = choose(c, &r, c->work + (size_t)i * c->cells, before);
        before = schedule[i];
    }
}
