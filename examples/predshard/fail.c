/* SPDX-License-Identifier: MIT */
#include "fail.h"

#include <stdarg.h>
#include <stdio.h>

int fail(failure *f, int code, const char *format, ...) {
    va_list args;

    if (f->code != EXIT_DONE)
        return f->code;
    f->code = code;
    va_start(args, format);
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
    return code;
}

int fail_memory(failure *f) {
    return fail(f, EXIT_INTERNAL, "out of memory: free some, or use fewer --threads, and run again");
}
