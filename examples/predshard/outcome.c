/* SPDX-License-Identifier: MIT */
#include "outcome.h"

#include <stdlib.h>
#include <string.h>

void outcome_free(outcome *o) {
    size_t i;

    for (i = 0; i < SERIES; i++) {
        free(o->series[i].actual);
        free(o->series[i].mean);
        free(o->series[i].bands);
    }
    for (i = 0; i < o->view_count; i++)
        free(o->views[i].definition);
    free(o->views);
    free(o->decisions);
    free(o->queries);
    free(o->days);
    free(o->plan_text);
    free(o->explained);
    memset(o, 0, sizeof *o);
}
