/* SPDX-License-Identifier: MIT */
/* Reactive policies: nodes for so many times the largest load of the latest so many steps. */
#include <math.h>

#include "map/capacity.h"

static const uint32_t windows[PSHI_CAP_WINDOWS] = { 1, 3, 6, 12, 24, 48, 96, 288 };
static const double margins[PSHI_CAP_MARGINS] = { 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.5, 1.75, 2, 2.5, 3, 4 };

void pshi_cap_reactive_policy(uint32_t i, double *margin, uint32_t *window, int *of_parts) {
    *margin = margins[i % PSHI_CAP_MARGINS];
    *window = windows[i / PSHI_CAP_MARGINS % PSHI_CAP_WINDOWS];
    *of_parts = i < PSHI_CAP_REACTIVE / 2;
}

uint32_t pshi_cap_nodes(const psh_capacity *c, double load) {
    double n = ceil(load - 1e-9); /* a load that rounding put above a whole node is not above it */

    if (!(n > c->o.min_nodes))
        return c->o.min_nodes;
    return n < c->o.max_nodes ? (uint32_t)n : c->o.max_nodes;
}

static double largest(const psh_capacity *c, const double *ring, uint32_t window) {
    double most = 0;
    uint64_t i;

    for (i = 1; i <= window && i <= c->steps && i <= c->history_cap; i++)
        most = fmax(most, ring[(c->steps - i) % c->history_cap]);
    return most;
}

void pshi_cap_react(const psh_capacity *c, uint32_t *order) {
    uint32_t w, k;
    double peak, load;

    for (w = 0; w < PSHI_CAP_WINDOWS; w++) {
        peak = largest(c, c->peak, windows[w]);
        load = largest(c, c->load, windows[w]);
        for (k = 0; k < PSHI_CAP_MARGINS; k++) {
            order[w * PSHI_CAP_MARGINS + k] = pshi_cap_nodes(c, margins[k] * peak);
            order[PSHI_CAP_REACTIVE / 2 + w * PSHI_CAP_MARGINS + k] = pshi_cap_nodes(c, margins[k] * load);
        }
    }
}

double pshi_cap_reactive_load(const psh_capacity *c, uint32_t i) {
    uint32_t window;
    double margin;
    int of_parts;

    pshi_cap_reactive_policy(i, &margin, &window, &of_parts);
    return margin * largest(c, of_parts ? c->peak : c->load, window);
}
