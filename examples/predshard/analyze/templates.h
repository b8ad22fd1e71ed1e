/* SPDX-License-Identifier: MIT */
/** @file templates.h  Statements with their constants taken out, counted in bounded memory. */
#ifndef TOOL_TEMPLATES_H
#define TOOL_TEMPLATES_H

#include <predshard.h>

#include "form.h"
#include "logs.h"
#include "walk.h"

#define MOST_TEMPLATES 20000
#define MOST_TEXT 4096 /* bytes kept of a statement */

typedef struct template {
    char *id;        /**< 16 hex digits of PostgreSQL's fingerprint, "lex" before one by tokens; borrowed */
    char *text;      /**< the statement, ? for constants */
    char *why;       /**< what the parser said; NULL = it parsed */
    char form_why[96]; /**< what keeps it from the library's form of a query; "" = it fits */
    uint32_t kind;   /**< STATEMENT_* */
    use *uses;
    uint32_t use_count;
    uint32_t *tables;
    uint32_t table_count;
    int64_t limit;
    double calls;    /**< weighted, all of these */
    double failed;
    double total_ns;
    double timed;    /**< calls with a duration */
    double rows;
    double counted;  /**< calls with rows */
    double bytes;
    double sized;    /**< calls with bytes */
    int64_t most_ns; /**< the slowest */
    int64_t first;   /**< PSH_TIME_NONE = no times */
    int64_t last;
    double expected; /**< requests in the window; NaN = unknown */
    double low;      /**< sums of quantiles, not quantiles of the sum */
    double high;
    uint32_t reason; /**< PSH_REASON_* */
    double skill;
} template;

typedef struct templates {
    names ids;
    names shapes;    /**< fingerprints by tokens */
    uint32_t *of_shape; /**< Shape [shapes.count]: the template */
    uint32_t shape_room;
    template *list;  /**< Shape [ids.count] */
    uint32_t room;
    double beyond;   /**< calls of statements that found no room */
    double statements;
    double failed;
    double unparsed; /**< calls of templates that did not parse */
    double total_ns;
    int64_t first;
    int64_t last;
    double weight;   /**< 1 / sample rate */
    strbuf shim, shape, why;
    form *form;
} templates;

int templates_init(templates *t, double sample_rate, failure *f);
void templates_free(templates *t);
/** Counts one statement, and learns it if it is new. @return EXIT_DONE, EXIT_INTERNAL. */
int templates_add(templates *t, catalog *c, const record *r, int dialect, failure *f);
/** The template of a statement that was counted; NULL if there was no room. */
template *templates_of(templates *t, const record *r, int dialect);
/** Orders by total time, then calls, then id; out has room for ids.count numbers. */
void templates_rank(const templates *t, uint32_t *out);

#endif
