/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <inttypes.h>
#include <stdio.h>

void words_bytes(uint64_t n, char out[WORDS_SIZE]) {
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double x = (double)n / 1024;
    size_t u = 0;

    if (n < 1024) {
        snprintf(out, WORDS_SIZE, "%" PRIu64 " B", n);
        return;
    }
    for (; x >= 1024 && u + 1 < sizeof units / sizeof units[0]; u++)
        x /= 1024;
    snprintf(out, WORDS_SIZE, "%.1f %s", x, units[u]);
}

void words_id(uint64_t id, char out[WORDS_SIZE]) {
    snprintf(out, WORDS_SIZE, "0x%016" PRIx64, id);
}

void words_time(int64_t t, char out[WORDS_SIZE]) {
    if (t == PSH_TIME_NONE)
        snprintf(out, WORDS_SIZE, "-");
    else if (t == PSH_TIME_MIN || t >= PSH_TIME_MAX - 1)
        snprintf(out, WORDS_SIZE, "open");
    else
        clock_text(t, out);
}

void words_start(int64_t t, char out[WORDS_SIZE]) {
    words_time(t, out);
    if (t % PSH_DAY == 0)
        out[10] = 0;
}

void words_name(const psh_schema *s, const psh_partition *p, char out[WORDS_NAME]) {
    if (psh_partition_name(s, p, out, WORDS_NAME) != PSH_OK)
        snprintf(out, WORDS_NAME, "?");
}

double words_share(uint64_t first, uint64_t last) {
    return 100 * ((double)(last - first) + 1) / 18446744073709551616.0;
}

const char *words_access(uint32_t access) {
    static const char *const names[] = { "unknown", "point", "range", "scan" };

    return access < sizeof names / sizeof names[0] ? names[access] : "unknown";
}

void put_id(json_t *to, const char *key, uint64_t id, failure *f) {
    char text[WORDS_SIZE];

    words_id(id, text);
    put_text(to, key, text, f);
}

void push_id(json_t *to, uint64_t id, failure *f) {
    char text[WORDS_SIZE];

    words_id(id, text);
    push(to, text_value(text), f);
}

void put_time(json_t *to, const char *key, int64_t t, failure *f) {
    put(to, key, t == PSH_TIME_MIN || t >= PSH_TIME_MAX - 1 ? json_null() : time_value(t), f);
}

/* What was put is borrowed from where it was put; NULL there is short memory, told in f already. */
json_t *put_object(json_t *to, const char *key, failure *f) {
    put(to, key, json_object(), f);
    return json_object_get(to, key);
}

json_t *put_array(json_t *to, const char *key, failure *f) {
    put(to, key, json_array(), f);
    return json_object_get(to, key);
}

json_t *push_object(json_t *to, failure *f) {
    push(to, json_object(), f);
    return json_array_get(to, json_array_size(to) - 1);
}

void put_partition(json_t *at, const psh_schema *s, const psh_partition *p, failure *f) {
    char name[WORDS_NAME];

    words_name(s, p, name);
    put_id(at, "id", p->id, f);
    put_text(at, "name", name, f);
    put_text(at, "state", psh_partition_state_name(p->state), f);
    put(at, "quarantine", json_boolean(p->flags & PSH_PARTITION_QUARANTINE), f);
    put_count(at, "node", p->node, f);
    put_count(at, "tier", p->tier, f);
    put_time(at, "from", p->time_from, f);
    put_time(at, "to", p->time_to, f);
    put_id(at, "arc_first", p->arc_first, f);
    put_id(at, "arc_last", p->arc_last, f);
    put_count(at, "rows", p->rows, f);
    put_count(at, "bytes", p->bytes, f);
    put_count(at, "bytes_planned", p->bytes_planned, f);
    put_time(at, "created_at", p->created_at, f);
    put_time(at, "first_write", p->first_write, f);
}
