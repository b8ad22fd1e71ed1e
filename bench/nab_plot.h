/* SPDX-License-Identifier: MIT */
/** @file nab_plot.h  A page that shows every file with its windows and alarms. */
#ifndef BENCH_NAB_PLOT_H
#define BENCH_NAB_PLOT_H

#include "nab_data.h"

/** One picture a file: values, windows shaded, alarms as ticks. @return 1, or 0 with a message on stderr. */
int nab_plot(const char *path, const nab_set *s, double threshold);

#endif
