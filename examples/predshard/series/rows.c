/* SPDX-License-Identifier: MIT */
#include "rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "clock.h"
#include "input.h"

#define MOST_ROWS ((size_t)1 << 26)
#define MOST_KEYS ((uint32_t)1 << 20)
#define MOST_VALUE 0x1p100 /* what the library's models take */
#define LONGEST_LINE (1u << 20)

typedef struct table {
    const forecast_options *o;
    input *in;
    failure *f;
    rows *out;
    columns columns;
    uint32_t *slot;  /* Shape [slots]: key index + 1 */
    size_t slots;
    size_t room;     /* for rows */
    size_t key_room;
    cells cut;
} table;

static int bad_line(const table *t, uint64_t line, const char *what, const char *cell, const char *advice) {
    return fail(t->f, EXIT_BAD_INPUT, "%s: line %" PRIu64 ": %s '%.60s': %s", t->o->input, line, what, cell,
        advice);
}

static uint64_t hash_text(const char *s) {
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

static int grow_slots(table *t) {
    size_t slots = t->slots ? 2 * t->slots : 64, at;
    uint32_t *slot = calloc(slots, sizeof *slot), i;

    if (!slot)
        return fail_memory(t->f);
    for (i = 0; i < t->out->key_count; i++) {
        for (at = hash_text(t->out->key[i]) % slots; slot[at]; at = (at + 1) % slots)
            ;
        slot[at] = i + 1;
    }
    free(t->slot);
    t->slot = slot;
    t->slots = slots;
    return EXIT_DONE;
}

static int add_key(table *t, const char *key) {
    rows *r = t->out;
    char **grown;

    if (r->key_count == MOST_KEYS)
        return fail(t->f, EXIT_BAD_INPUT, "%s: more than %" PRIu32 " keys: split the file", t->o->input, MOST_KEYS);
    if (r->key_count == t->key_room) {
        grown = realloc(r->key, sizeof *grown * (t->key_room ? 2 * t->key_room : 16));
        if (!grown)
            return fail_memory(t->f);
        r->key = grown;
        t->key_room = t->key_room ? 2 * t->key_room : 16;
    }
    r->key[r->key_count] = strdup(key);
    if (!r->key[r->key_count])
        return fail_memory(t->f);
    r->key_count++;
    return EXIT_DONE;
}

static int key_index(table *t, const char *key, uint32_t *out) {
    size_t at;

    if (2 * ((size_t)t->out->key_count + 1) > t->slots && grow_slots(t))
        return t->f->code;
    for (at = hash_text(key) % t->slots; t->slot[at]; at = (at + 1) % t->slots)
        if (strcmp(t->out->key[t->slot[at] - 1], key) == 0) {
            *out = t->slot[at] - 1;
            return EXIT_DONE;
        }
    *out = t->out->key_count;
    if (add_key(t, key))
        return t->f->code;
    t->slot[at] = *out + 1;
    return EXIT_DONE;
}

/* The first row says whether times are times or plain numbers that count. */
static int read_time(table *t, const char *cell, row *r) {
    uint32_t kind = TIME_CLOCK;
    double x;
    int zone = 0;

    if (t->columns.time == NO_CELL) {
        r->time = (int64_t)t->out->count;
        return EXIT_DONE;
    }
    if (cell_number(cell, &x)) {
        if (!clock_epoch(x, &r->time)) {
            kind = TIME_INDEX;
            r->time = (int64_t)x;
            if (!(fabs(x) < 1e8) || x != floor(x))
                return bad_line(t, r->line, "time", cell, "give a date and time, or a whole number");
        }
    } else if (!clock_read(cell, strlen(cell), &r->time, &zone)) {
        return bad_line(t, r->line, "time", cell,
            "write YYYY-MM-DD HH:MM[:SS] or a number since 1970 (s, ms, us, ns)");
    }
    if (zone && !t->out->odd_zone)
        t->out->odd_zone = r->line;
    if (t->out->count == 0)
        t->out->time_kind = kind;
    if (t->out->time_kind != kind)
        return bad_line(t, r->line, "time", cell, "the rows before count in another way; make them alike");
    return EXIT_DONE;
}

static int read_value(table *t, const char *cell, row *r) {
    if (cell_absent(cell)) {
        r->value = (double)NAN;
        if (t->out->empty++ == 0)
            t->out->empty_line = r->line;
        return EXIT_DONE;
    }
    if (!cell_number(cell, &r->value) || !isfinite(r->value))
        return bad_line(t, r->line, "value", cell, "it is no finite number; correct it or leave the cell empty");
    if (fabs(r->value) > MOST_VALUE)
        return bad_line(t, r->line, "value", cell, "it is beyond 2^100; use another unit");
    return EXIT_DONE;
}

static int add_row(table *t, const row *r) {
    rows *out = t->out;
    row *grown;

    if (out->count == t->room) {
        if (t->room >= MOST_ROWS)
            return fail(t->f, EXIT_BAD_INPUT, "%s: more than %zu rows: split the file", t->o->input, MOST_ROWS);
        grown = realloc(out->row, sizeof *grown * (t->room ? 2 * t->room : 1024));
        if (!grown)
            return fail_memory(t->f);
        out->row = grown;
        t->room = t->room ? 2 * t->room : 1024;
    }
    out->row[out->count++] = *r;
    return EXIT_DONE;
}

static const char *cell_at(const table *t, size_t column, const char *other) {
    return column == NO_CELL ? other : t->cut.cell[column];
}

static int take_row(table *t, uint64_t line) {
    row r = { 0, 0, line, 0 };

    if (t->cut.count == 1 && !*t->cut.cell[0] && t->columns.count > 1)
        return EXIT_DONE; /* an empty line */
    if (t->cut.count != t->columns.count)
        return fail(t->f, EXIT_BAD_INPUT,
            "%s: line %" PRIu64 ": %zu cells where the first line has %zu: correct the line",
            t->o->input, line, t->cut.count, t->columns.count);
    if (read_time(t, cell_at(t, t->columns.time, ""), &r) || read_value(t, t->cut.cell[t->columns.value], &r)
        || key_index(t, cell_at(t, t->columns.key, ""), &r.key))
        return t->f->code;
    if (t->o->key && strcmp(t->out->key[r.key], t->o->key) != 0)
        r.key = UINT32_MAX; /* another series */
    return r.key == UINT32_MAX ? EXIT_DONE : add_row(t, &r);
}

static int cut_line(table *t, char *line) {
    return cells_cut(line, t->columns.mark, &t->cut) ? EXIT_DONE
        : fail(t->f, EXIT_BAD_INPUT, "%s: line %" PRIu64 ": more than %d cells: name a CSV file", t->o->input,
            input_number(t->in), MAX_CELLS);
}

static char *copied(const char *s, failure *f) {
    char *copy = strdup(s);

    if (!copy)
        fail_memory(f);
    return copy;
}

static void keep_names(table *t, const cells *head) {
    const columns *c = &t->columns;

    if (!c->header)
        return;
    t->out->value_name = copied(head->cell[c->value], t->f);
    if (c->time != NO_CELL)
        t->out->time_name = copied(head->cell[c->time], t->f);
    if (c->key != NO_CELL)
        t->out->key_name = copied(head->cell[c->key], t->f);
}

/* Looks at the first two lines, and takes those of them that are rows. */
static int read_head(table *t) {
    char *line, *kept;
    cells *head;
    uint64_t number;
    char mark;

    if (input_line(t->in, &line, t->f))
        return t->f->code;
    if (!line)
        return fail(t->f, EXIT_BAD_INPUT, "%s: line 1: the file is empty: name a CSV file", t->o->input);
    mark = t->columns.mark = cells_mark(line);
    kept = copied(line, t->f);
    head = malloc(sizeof *head);
    if (!kept || !head) {
        fail_memory(t->f);
        goto out;
    }
    number = input_number(t->in);
    if (!cells_cut(kept, mark, head)) {
        fail(t->f, EXIT_BAD_INPUT, "%s: line 1: more than %d cells: name a CSV file", t->o->input, MAX_CELLS);
        goto out;
    }
    if (input_line(t->in, &line, t->f) || (line && cut_line(t, line)))
        goto out;
    if (columns_find(t->o, head, line ? &t->cut : NULL, &t->columns, t->f))
        goto out;
    t->columns.mark = mark;
    keep_names(t, head);
    if (line && t->f->code == EXIT_DONE && t->columns.header) {
        take_row(t, input_number(t->in));
    } else if (t->f->code == EXIT_DONE) {
        cells second = t->cut;

        t->cut = *head;
        take_row(t, number);
        t->cut = second;
        if (line && t->f->code == EXIT_DONE)
            take_row(t, input_number(t->in));
    }
out:
    free(kept);
    free(head);
    return t->f->code;
}

static int by_key_and_line(const void *a, const void *b) {
    const row *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static int by_key_and_time(const void *a, const void *b) {
    const row *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static void time_of(const rows *r, int64_t time, char text[CLOCK_TEXT]) {
    if (r->time_kind == TIME_CLOCK)
        clock_text(time, text);
    else
        snprintf(text, CLOCK_TEXT, "%" PRId64, time);
}

static int check_order(const forecast_options *o, const rows *r, failure *f) {
    char text[CLOCK_TEXT], key[80] = "";
    size_t i;

    for (i = 1; i < r->count; i++) {
        const row *x = &r->row[i - 1], *y = &r->row[i];

        if (x->key != y->key || y->time > x->time)
            continue;
        time_of(r, y->time, text);
        if (r->key_name)
            snprintf(key, sizeof key, " of '%.50s'", r->key[y->key]);
        if (y->time == x->time)
            return fail(f, EXIT_BAD_INPUT, "%s: line %" PRIu64 ": time %s%s is there twice, first on line %" PRIu64
                ": keep one of them, or name what tells them apart with --key-column", o->input, y->line, text, key,
                x->line);
        return fail(f, EXIT_BAD_INPUT,
            "%s: line %" PRIu64 ": time goes back to %s%s: pass --sort, or correct the line",
            o->input, y->line, text, key);
    }
    return EXIT_DONE;
}

static int read_all(table *t) {
    char *line;

    if (read_head(t))
        return t->f->code;
    while (input_line(t->in, &line, t->f) == EXIT_DONE && line)
        if (cut_line(t, line) || take_row(t, input_number(t->in)))
            break;
    return t->f->code;
}

static int check_count(const forecast_options *o, const rows *r, failure *f) {
    size_t i;

    for (i = 0; i < r->count && isnan(r->row[i].value); i++)
        ;
    if (i < r->count)
        return EXIT_DONE;
    if (o->key && r->count == 0)
        return fail(f, EXIT_USAGE, "--key: %s has no '%.60s' among its %" PRIu32 " keys; the first is '%.60s'",
            o->input, o->key,
            r->key_count, r->key_count ? r->key[0] : "");
    return fail(f, EXIT_BAD_INPUT, "%s: no value in it: name a file with values", o->input);
}

int rows_read(const forecast_options *o, rows *out, failure *f) {
    table *t = calloc(1, sizeof *t);

    memset(out, 0, sizeof *out);
    if (!t)
        return fail_memory(f);
    t->o = o;
    t->f = f;
    t->out = out;
    if (input_open_long(o->input, LONGEST_LINE, &t->in, f) == EXIT_DONE && read_all(t) == EXIT_DONE
        && check_count(o, out, f) == EXIT_DONE) {
        qsort(out->row, out->count, sizeof *out->row, o->sort ? by_key_and_time : by_key_and_line);
        check_order(o, out, f);
    }
    input_close(t->in);
    free(t->slot);
    free(t);
    return f->code;
}

void rows_free(rows *r) {
    uint32_t i;

    for (i = 0; i < r->key_count; i++)
        free(r->key[i]);
    free(r->key);
    free(r->row);
    free(r->time_name);
    free(r->value_name);
    free(r->key_name);
    memset(r, 0, sizeof *r);
}
