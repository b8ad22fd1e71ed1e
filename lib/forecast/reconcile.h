/* SPDX-License-Identifier: MIT */
/** @file forecast/reconcile.h  Forecasts of a tree made to add up. */
#ifndef PSHI_FORECAST_RECONCILE_H
#define PSHI_FORECAST_RECONCILE_H

#include <stdint.h>

#define PSHI_SPLITS 2u /* ways in which a node may be the sum of children */

/** Children of a split stand one after the other, all behind their parent. Zeroed has none. */
typedef struct pshi_branch {
    uint32_t first[PSHI_SPLITS];
    uint32_t count[PSHI_SPLITS];
} pshi_branch;

/**
 * Weighted least squares with a diagonal of error variances: Wickramasuriya, Athanasopoulos & Hyndman 2019,
 * "Optimal forecast reconciliation for hierarchical and grouped time series through trace minimization" (WLS by
 * variance). On a tree its solution needs no matrix: upwards each node weighs its own word against its children's
 * sum by precision, downwards what is missing is shared out by variance. O(n). Under the bound that nothing is
 * negative each split is solved in turn, by leaving out those children whom it would make so.
 * @param tree      Shape [n], n >= 1; node 0 is the root
 * @param base      Shape [n], finite; ignored where the variance is infinite, which leaves need not be
 * @param variance  Shape [n], > 0, perhaps HUGE_VAL
 * @param out       Shape [n]: >= 0, children summing to their parents to rounding
 * @param work      Shape [n]
 */
void pshi_reconcile(
    const pshi_branch *tree, uint32_t n, const double *base, const double *variance, double *out, double *work);

#endif
