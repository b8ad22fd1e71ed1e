/* SPDX-License-Identifier: MIT */
#include "templates.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pg_query.h>

#include "shim.h"
#include "tree.h"

int templates_init(templates *t, double sample_rate, failure *f) {
    memset(t, 0, sizeof *t);
    t->ids.most = MOST_TEMPLATES;
    t->shapes.most = 4 * MOST_TEMPLATES;
    t->weight = 1 / sample_rate;
    t->first = t->last = PSH_TIME_NONE;
    t->form = calloc(1, sizeof *t->form);
    return t->form ? EXIT_DONE : fail_memory(f);
}

void templates_free(templates *t) {
    uint32_t i;

    for (i = 0; i < t->ids.count; i++) {
        free(t->list[i].text);
        free(t->list[i].why);
        free(t->list[i].uses);
        free(t->list[i].tables);
    }
    free(t->list);
    free(t->of_shape);
    names_free(&t->ids);
    names_free(&t->shapes);
    text_free(&t->shim);
    text_free(&t->shape);
    text_free(&t->why);
    if (t->form)
        text_free(&t->form->hold);
    free(t->form);
}

static int bad(const templates *t) {
    return t->ids.bad || t->shapes.bad || t->shim.bad || t->shape.bad || t->why.bad;
}

static int reserve(void **array, uint32_t *room, uint32_t i, size_t size) {
    void *grown;

    if (i < *room)
        return 1;
    grown = realloc(*array, size * (*room ? 2 * (size_t)*room : 64));
    if (!grown)
        return 0;
    *array = grown;
    *room = *room ? 2 * *room : 64;
    return 1;
}

static char *copy_of(const char *s, size_t most) {
    size_t n = strlen(s);
    char *copy = malloc((n < most ? n : most) + 4);

    if (!copy)
        return NULL;
    memcpy(copy, s, n < most ? n : most);
    strcpy(copy + (n < most ? n : most), n > most ? "..." : "");
    text_repair(copy);
    return copy;
}

/* The two lists of a footprint, copied to size. */
static int keep_footprint(template *x, const footprint *p) {
    x->uses = malloc(sizeof *x->uses * (p->use_count + 1));
    x->tables = malloc(sizeof *x->tables * (p->table_count + 1));
    if (!x->uses || !x->tables)
        return 0;
    memcpy(x->uses, p->uses, sizeof *x->uses * p->use_count);
    memcpy(x->tables, p->tables, sizeof *x->tables * p->table_count);
    x->use_count = p->use_count;
    x->table_count = p->table_count;
    x->kind = p->kind;
    x->limit = p->limit;
    return 1;
}

/* A failed statement may name what is not there: nothing is learned of it. */
static json_t *understand(templates *t, catalog *c, const record *r, footprint *p, char why[96]) {
    json_t *tree = tree_parse(text_of(&t->shim), &t->why);

    snprintf(c->database, sizeof c->database, "%s", r->database);
    memset(p, 0, sizeof *p);
    p->limit = -1;
    why[0] = 0;
    if (!tree) {
        p->kind = statement_kind_of_text(r->sql);
        snprintf(why, 96, "does not parse");
    } else if (r->failed) {
        p->kind = statement_kind_of_text(r->sql);
        snprintf(why, 96, "it failed when it was first seen");
    } else {
        walk_statement(tree, c, p);
        t->form->at = r->time;
        t->form->parameters = r->parameters;
        if (!form_read(t->form, tree, c))
            snprintf(why, 96, "%s", t->form->why);
    }
    return tree;
}

/* The parser's fingerprint passes over digits in tables' names, as of partitions; here each table counts. */
static uint64_t tables_hash(const catalog *c, const footprint *p) {
    uint64_t hash = 0;
    uint32_t i;

    for (i = 0; i < p->table_count; i++) {
        const char *s = c->tables[p->tables[i]].name;
        size_t n = strlen(s), k;

        for (k = 0; k + 1 < n && !(isdigit((unsigned char)s[k]) && isdigit((unsigned char)s[k + 1])); k++)
            ;
        if (k + 1 < n)
            hash = hash * 31 + text_hash(s, n);
    }
    return hash;
}

static void identify(
    const templates *t, const catalog *c, const footprint *p, json_t *tree, uint64_t lexical, char id[24]) {
    PgQueryFingerprintResult r = { 0 };
    uint64_t tables = tables_hash(c, p);

    snprintf(id, 24, "lex%016" PRIx64, lexical);
    if (!tree)
        return;
    r = pg_query_fingerprint(text_of(&t->shim));
    if (!r.error)
        snprintf(id, 24, "%016" PRIx64, r.fingerprint ^ tables);
    pg_query_free_fingerprint_result(r);
}

static uint32_t add_new(templates *t, const char *id, const footprint *p, const char *form_why, int parsed,
    const char *sql) {
    uint32_t before = t->ids.count, i;
    template *x;

    if (!reserve((void **)&t->list, &t->room, before, sizeof *t->list))
        return NAMES_NONE;
    i = names_add(&t->ids, id);
    if (i == NAMES_NONE || i < before)
        return i;
    x = &t->list[i];
    memset(x, 0, sizeof *x);
    x->id = t->ids.name[i];
    x->text = copy_of(*sql ? sql : "(empty)", MOST_TEXT);
    x->why = parsed ? NULL : copy_of(text_of(&t->why), 300);
    snprintf(x->form_why, sizeof x->form_why, "%s", form_why);
    x->first = x->last = PSH_TIME_NONE;
    x->expected = x->low = x->high = x->skill = (double)NAN;
    if (!x->text || (!parsed && !x->why) || !keep_footprint(x, p))
        t->ids.bad = 1;
    return i;
}

/* A failed statement comes back as one that did not fail: what it does is learned then. */
static void learn_later(template *x, const footprint *p, const char *form_why) {
    if (x->table_count || x->use_count || strncmp(x->form_why, "it failed", 9) != 0)
        return;
    free(x->uses);
    free(x->tables);
    x->uses = NULL;
    x->tables = NULL;
    keep_footprint(x, p);
    snprintf(x->form_why, sizeof x->form_why, "%s", form_why);
}

static uint32_t learn(templates *t, catalog *c, const record *r, int dialect, uint64_t lexical) {
    footprint p;
    char id[24], why[96];
    json_t *tree;
    uint32_t i;

    shim_rewrite(r->sql, dialect, &t->shim);
    tree = understand(t, c, r, &p, why);
    identify(t, c, &p, tree, lexical, id);
    i = add_new(t, id, &p, why, tree != NULL, text_of(&t->shape));
    if (i != NAMES_NONE && tree && !r->failed)
        learn_later(&t->list[i], &p, why);
    json_decref(tree);
    return i;
}

static void count(templates *t, template *x, const record *r) {
    double calls = r->calls * t->weight;

    x->calls += calls;
    x->failed += r->failed ? calls : 0;
    if (r->duration_ns >= 0) {
        x->timed += calls;
        x->total_ns += (double)r->duration_ns * t->weight;
        t->total_ns += (double)r->duration_ns * t->weight;
        if (r->calls <= 1 && r->duration_ns > x->most_ns)
            x->most_ns = r->duration_ns;
    }
    if (r->rows >= 0) {
        x->rows += (double)r->rows * t->weight;
        x->counted += calls;
    }
    if (r->bytes >= 0) {
        x->bytes += (double)r->bytes * t->weight;
        x->sized += calls;
    }
    t->unparsed += x->why ? calls : 0;
    if (r->time == PSH_TIME_NONE)
        return;
    x->first = x->first == PSH_TIME_NONE || r->time < x->first ? r->time : x->first;
    x->last = x->last == PSH_TIME_NONE || r->time > x->last ? r->time : x->last;
}

static void shape_name(uint64_t lexical, int failed, char name[24]) {
    snprintf(name, 24, "%016" PRIx64 "%s", lexical, failed ? "!" : "");
}

int templates_add(templates *t, catalog *c, const record *r, int dialect, failure *f) {
    uint64_t lexical = tokens_fingerprint(r->sql, strlen(r->sql), dialect, &t->shape);
    uint32_t before = t->shapes.count, shape, i;
    char name[24];

    t->statements += r->calls * t->weight;
    t->failed += r->failed ? r->calls * t->weight : 0;
    if (r->time != PSH_TIME_NONE) {
        t->first = t->first == PSH_TIME_NONE || r->time < t->first ? r->time : t->first;
        t->last = t->last == PSH_TIME_NONE || r->time > t->last ? r->time : t->last;
    }
    shape_name(lexical, r->failed, name);
    if (!reserve((void **)&t->of_shape, &t->shape_room, before, sizeof *t->of_shape))
        return fail_memory(f);
    shape = names_add(&t->shapes, name);
    if (shape != NAMES_NONE && shape == before)
        t->of_shape[shape] = learn(t, c, r, dialect, lexical);
    i = shape == NAMES_NONE ? NAMES_NONE : t->of_shape[shape];
    if (i != NAMES_NONE)
        count(t, &t->list[i], r);
    else
        t->beyond += r->calls * t->weight;
    return bad(t) || c->bad ? fail_memory(f) : EXIT_DONE;
}

template *templates_of(templates *t, const record *r, int dialect) {
    char name[24];
    uint32_t shape;

    shape_name(tokens_fingerprint(r->sql, strlen(r->sql), dialect, NULL), r->failed, name);
    shape = names_find(&t->shapes, name);
    return shape == NAMES_NONE || t->of_shape[shape] == NAMES_NONE ? NULL : &t->list[t->of_shape[shape]];
}

static int heavier(const template *a, const template *b) {
    if (a->total_ns != b->total_ns)
        return a->total_ns > b->total_ns ? -1 : 1;
    if (a->calls != b->calls)
        return a->calls > b->calls ? -1 : 1;
    return strcmp(a->id, b->id);
}

/* Merge sort: qsort has no place for the list that the numbers point into. */
void templates_rank(const templates *t, uint32_t *out) {
    uint32_t n = t->ids.count, width, i, j, k, middle, end, at;
    uint32_t *other = malloc(sizeof *other * (n + 1));

    for (i = 0; i < n; i++)
        out[i] = i;
    for (width = 1; other && width < n; width *= 2) {
        for (at = 0; at < n; at += 2 * width) {
            middle = at + width < n ? at + width : n;
            end = at + 2 * width < n ? at + 2 * width : n;
            for (i = at, j = middle, k = at; k < end; k++)
                other[k] = j >= end || (i < middle && heavier(&t->list[out[i]], &t->list[out[j]]) <= 0) ? out[i++]
                    : out[j++];
        }
        memcpy(out, other, sizeof *out * n);
    }
    free(other);
}
