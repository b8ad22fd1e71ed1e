/* SPDX-License-Identifier: MIT */
/** @file forecast.h  The parts of `bench/run.sh forecast`. */
#ifndef BENCH_FORECAST_H
#define BENCH_FORECAST_H

/** `forecast nab --dir D --windows F [--profiles F] [--tsv] [--plot FILE.html]`. @return the exit status. */
int bench_forecast_nab(int argc, char **argv);

#endif
