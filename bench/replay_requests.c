/* SPDX-License-Identifier: MIT */
/* P-Store's experiment on one load: nodes ordered ahead of it, judged minute by minute. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"
#include "requests_io.h"
#include "tool.h"

#define STEP 5u /* minutes */

static const char usage[] =
    "usage: replay requests --csv F [--tsv]\n"
    "  --csv F      two columns, a header or none: minute (minutes since 1970, or a time) and count; absent = 0";

int replay_requests(int argc, char **argv) {
    const char *path = NULL;
    const bench_option options[] = { { "--csv", BENCH_TEXT, &path, 1 } };
    requests r;

    bench_args(argc, argv, usage, options, sizeof options / sizeof *options);
    requests_read(path, STEP, &r);
    bench_figure("minutes", (double)r.minutes, "count", "of the trace, gaps filled");
    requests_free(&r);
    return 0;
}
