/* SPDX-License-Identifier: MIT */
#include "recipe.h"

#include <stddef.h>

const char *const recipe_note =
    "The transactions are real; the query arrivals are derived from them by the recipe. Latency is measured CPU "
    "time of the work plus the wait in one worker's queue in data time. A query that only reads base tables, "
    "identical to one before it and with none of its tables changed since, is executed once for real (--repeats "
    "asks for more); then its answer is reused and its service time is the median of the real ones. Reads of views "
    "are always executed.";

const char *const recipe_lines[] = {
    "Day d, question t: the number of arrivals is Poisson with mean rate x w(d).",
    "w(d): flights of the same weekday a week before d over the mean of the seven days before d; 1 in the first "
    "seven days.",
    "Hour: drawn from the flights per hour of the day before d (first day: its own); uniform within the hour.",
    "Origin or destination asked about: with probability proportional to the flights of the day before d.",
    "Random numbers: SplitMix64 seeded by (seed, rate, day, question). All policies get the same stream.",
    NULL,
};
