/* SPDX-License-Identifier: MIT */
#include "nab_data.h"

#include <jansson.h>
#include <lzma.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES ((size_t)1 << 28)
#define XZ_MEMORY ((uint64_t)1 << 30)

static int64_t days_of(int64_t y, int64_t m, int64_t d) {
    y -= m <= 2;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1 - 719468;
}

/* "2014-04-10 07:15:00", whatever follows. */
static int read_time(const char *text, int64_t *out) {
    int y, mo, d, h, mi, s;

    if (sscanf(text, "%4d-%2d-%2d%*1[ T]%2d:%2d:%2d", &y, &mo, &d, &h, &mi, &s) != 6)
        return 0;
    *out = days_of(y, mo, d) * 86400 + h * 3600 + mi * 60 + s;
    return 1;
}

static char *read_all(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    char *data = NULL;
    long end;

    if (!f)
        return NULL;
    end = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    if (end >= 0 && (size_t)end < MOST_BYTES && fseek(f, 0, SEEK_SET) == 0) {
        data = calloc((size_t)end + 1, 1);
        *size = data ? fread(data, 1, (size_t)end, f) : 0;
    }
    fclose(f);
    return data;
}

static char *unpack(char *packed, size_t size) {
    size_t room = 64 * size + 4096, in = 0, out = 0;
    uint64_t memory = XZ_MEMORY;
    char *data = room < MOST_BYTES ? calloc(room, 1) : NULL;

    if (data && lzma_stream_buffer_decode(&memory, 0, NULL, (uint8_t *)packed, &in, size, (uint8_t *)data, &out,
                                          room - 1) != LZMA_OK) {
        free(data);
        data = NULL;
    }
    free(packed);
    return data;
}

/* The text of a file in dir or dir/data, plain or packed; NULL: not there. */
static char *read_table(const char *dir, const char *name) {
    char path[4096], *data = NULL;
    size_t size = 0;
    int k;

    for (k = 0; !data && k < 4; k++) {
        if (snprintf(path, sizeof path, "%s/%s%s%s", dir, k & 1 ? "data/" : "", name, k & 2 ? ".xz" : "") >= 4096)
            return NULL;
        data = read_all(path, &size);
        if (data && k & 2)
            data = unpack(data, size);
    }
    return data;
}

static size_t count_lines(const char *text) {
    size_t n = 1;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static int parse_rows(nab_file *f, char *text) {
    char *line = strchr(text, '\n'), *comma, *end;
    size_t n = count_lines(text);

    f->time = calloc(n, sizeof *f->time);
    f->value = calloc(n, sizeof *f->value);
    f->score = calloc(n, sizeof *f->score);
    if (!f->time || !f->value || !f->score)
        return 0;
    for (n = 0; line && line[1]; line = strchr(line + 1, '\n')) {
        comma = strchr(line + 1, ',');
        if (!comma || !read_time(line + 1, &f->time[n]))
            return 0;
        f->value[n] = strtod(comma + 1, &end);
        if (end == comma + 1 || !isfinite(f->value[n]))
            return 0;
        n++;
    }
    f->series.n = n;
    f->series.probation = nab_probation(n);
    f->series.score = f->score;
    return n > 0;
}

static int row_at(const nab_file *f, const json_t *text, size_t *row) {
    int64_t t;

    if (!json_is_string(text) || !read_time(json_string_value(text), &t))
        return 0;
    for (*row = 0; *row < f->series.n; ++*row)
        if (f->time[*row] == t)
            return 1;
    return 0;
}

static int parse_windows(nab_file *f, const json_t *list) {
    size_t i, n = json_array_size(list);

    f->windows = calloc(n + 1, sizeof *f->windows);
    f->series.windows = f->windows;
    f->series.window_count = n;
    for (i = 0; f->windows && i < n; i++)
        if (!row_at(f, json_array_get(json_array_get(list, i), 0), &f->windows[i].first) ||
            !row_at(f, json_array_get(json_array_get(list, i), 1), &f->windows[i].last) ||
            f->windows[i].first > f->windows[i].last || (i && f->windows[i].first <= f->windows[i - 1].last))
            return 0;
    return f->windows != NULL;
}

static int load_file(const char *dir, const char *name, const json_t *windows, nab_set *out) {
    char *text = read_table(dir, name);
    nab_file *f = &out->files[out->count];
    int ok;

    if (!text) {
        out->absent++;
        return 1;
    }
    out->count++;
    f->name = calloc(strlen(name) + 1, 1);
    if (f->name)
        memcpy(f->name, name, strlen(name));
    ok = f->name && parse_rows(f, text) && parse_windows(f, windows);
    if (!ok)
        fprintf(stderr, "%s: rows or windows cannot be read\n", name);
    free(text);
    return ok;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const nab_file *)a)->name, ((const nab_file *)b)->name);
}

static json_t *load_json(const char *path) {
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    if (!json_is_object(root)) {
        fprintf(stderr, "%s: %s\n", path, root ? "is no object" : error.text);
        json_decref(root);
        return NULL;
    }
    return root;
}

int nab_load(const char *dir, const char *windows, nab_set *out) {
    json_t *root = load_json(windows), *list;
    const char *name;
    int ok = root != NULL;

    memset(out, 0, sizeof *out);
    if (!ok)
        return 0;
    out->files = calloc(json_object_size(root) + 1, sizeof *out->files);
    ok = out->files != NULL;
    json_object_foreach(root, name, list)
        ok = ok && load_file(dir, name, list, out);
    if (ok && !out->count)
        fprintf(stderr, "%s: none of the files with windows is here\n", dir);
    if (ok)
        qsort(out->files, out->count, sizeof *out->files, by_name);
    json_decref(root);
    return ok && out->count;
}

void nab_free(nab_set *s) {
    size_t i;

    for (i = 0; s->files && i < s->count; i++) {
        free(s->files[i].name);
        free(s->files[i].time);
        free(s->files[i].value);
        free(s->files[i].score);
        free(s->files[i].windows);
    }
    free(s->files);
}

int nab_load_profiles(const char *path, nab_profile out[3]) {
    static const char *const names[] = { "standard", "reward_low_FP_rate", "reward_low_FN_rate" };
    json_t *root = load_json(path), *costs;
    int i, ok = root != NULL;

    for (i = 0; ok && i < 3; i++) {
        costs = json_object_get(json_object_get(root, names[i]), "CostMatrix");
        ok = json_is_number(json_object_get(costs, "tpWeight")) &&
             json_is_number(json_object_get(costs, "fpWeight")) &&
             json_is_number(json_object_get(costs, "fnWeight"));
        out[i].tp = json_number_value(json_object_get(costs, "tpWeight"));
        out[i].fp = json_number_value(json_object_get(costs, "fpWeight"));
        out[i].fn = json_number_value(json_object_get(costs, "fnWeight"));
        if (!ok)
            fprintf(stderr, "%s: no weights of %s\n", path, names[i]);
    }
    json_decref(root);
    return ok;
}
