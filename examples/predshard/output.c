/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <predshard.h>

#include "clock.h"
#include "report.h"

int output_check(const char *option, const char *path, failure *f) {
    int was_there;
    FILE *file;

    if (!path || strcmp(path, "-") == 0)
        return EXIT_DONE;
    was_there = access(path, F_OK) == 0;
    file = fopen(path, "ab");
    if (!file)
        return fail(f, EXIT_NO_OUTPUT, "--%s %s: %s: name a file that can be written", option, path,
            strerror(errno));
    fclose(file);
    if (!was_there)
        remove(path);
    return EXIT_DONE;
}

FILE *output_open(const char *path, failure *f) {
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");

    if (!file)
        fail(f, EXIT_NO_OUTPUT, "%s: %s: name a file that can be written", path, strerror(errno));
    return file;
}

int output_close(FILE *file, const char *path, failure *f) {
    int bad = ferror(file);

    bad |= file == stdout ? fflush(file) : fclose(file);
    return bad ? fail(f, EXIT_NO_OUTPUT, "%s: %s: free some space or name another file", path, strerror(errno))
               : EXIT_DONE;
}

int output_json(json_t *result, const char *path, failure *f) {
    FILE *file = output_open(path, f);

    if (!file)
        return f->code;
    json_dumpf(result, file, JSON_COMPACT | JSON_REAL_PRECISION(12));
    fputc('\n', file);
    return output_close(file, path, f);
}

int output_page(const char *page, json_t *result, const char *path, failure *f) {
    int code;

    errno = 0;
    code = report_write_page(path, page, result);
    if (code == EXIT_NO_OUTPUT)
        fail(f, code, "%s: %s: free some space or name another file", path, strerror(errno));
    else if (code != EXIT_DONE)
        fail(f, code, "%s: the report cannot be made: out of memory, or the tool was built wrong", path);
    return f->code;
}

void put(json_t *to, const char *key, json_t *value, failure *f) {
    if (json_object_set_new(to, key, value))
        fail_memory(f);
}

void push(json_t *to, json_t *value, failure *f) {
    if (json_array_append_new(to, value))
        fail_memory(f);
}

void put_count(json_t *to, const char *key, uint64_t value, failure *f) {
    put(to, key, json_integer((json_int_t)value), f);
}

json_t *number_value(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

void put_number(json_t *to, const char *key, double value, failure *f) {
    put(to, key, number_value(value), f);
}

static json_t *repaired(const char *value) {
    char *copy = strdup(value), *s;
    json_t *made;

    for (s = copy; s && *s; s++)
        if ((unsigned char)*s >= 0x80)
            *s = '?';
    made = copy ? json_string(copy) : NULL;
    free(copy);
    return made;
}

json_t *text_value(const char *value) {
    json_t *made = value ? json_string(value) : json_null();

    return made ? made : repaired(value);
}

void put_text(json_t *to, const char *key, const char *value, failure *f) {
    put(to, key, text_value(value), f);
}

json_t *time_value(int64_t t) {
    char text[CLOCK_TEXT];

    if (t == PSH_TIME_NONE)
        return json_null();
    clock_iso(t, text);
    return json_string(text);
}
