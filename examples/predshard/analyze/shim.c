/* SPDX-License-Identifier: MIT */
#include "shim.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define AHEAD 4

typedef struct shim {
    tokens in;
    token ahead[AHEAD]; /* [0] is the token at hand */
    token before;       /* the last one written */
    strbuf *out;
    int dialect;
    int depth;          /* of parentheses */
    int prewhere;       /* depth + 1 where "WHERE (" is open; 0 = none */
    int created;        /* the statement is a CREATE TABLE: 1, behind its columns: 2 */
    int params;
    int rows;           /* an INSERT says what it inserts */
    int ended;
} shim;

static void step(shim *s) {
    size_t i;

    for (i = 0; i + 1 < AHEAD; i++)
        s->ahead[i] = s->ahead[i + 1];
    s->ahead[AHEAD - 1] = tokens_next(&s->in);
}

static const token *now(const shim *s) {
    return &s->ahead[0];
}

static const token *next(const shim *s) {
    return &s->ahead[1];
}

static int is(const shim *s, const char *word) {
    return token_is(now(s), word);
}

static int then(const shim *s, const char *word) {
    return token_is(next(s), word);
}

static void emit(shim *s, const char *text) {
    text_put(s->out, " ");
    text_put(s->out, text);
}

static void emit_quoted(shim *s, const token *t, char quote) {
    strbuf value = { 0 };
    size_t i;

    token_value(t, s->dialect, &value);
    text_put(s->out, " ");
    text_add(s->out, &quote, 1);
    for (i = 0; i < value.size; i++) {
        if (value.data[i] == quote)
            text_add(s->out, &quote, 1);
        text_add(s->out, value.data + i, 1);
    }
    text_add(s->out, &quote, 1);
    text_free(&value);
}

static void emit_token(shim *s, const token *t) {
    char number[16];

    if (t->kind == TOKEN_STRING) {
        emit_quoted(s, t, '\'');
    } else if (t->kind == TOKEN_QUOTED) {
        emit_quoted(s, t, '"');
    } else if (t->kind == TOKEN_PARAM) {
        snprintf(number, sizeof number, "$%d", ++s->params);
        emit(s, number);
    } else {
        text_put(s->out, token_sign(t, "(") || token_sign(t, ".") || token_sign(&s->before, ".") ? "" : " ");
        text_add(s->out, t->at, t->size);
    }
}

static void copy(shim *s) {
    s->rows |= token_is(now(s), "SELECT") || (token_is(&s->before, "VALUES") && token_sign(now(s), "("));
    emit_token(s, now(s));
    s->before = *now(s);
    step(s);
}

static void drop(shim *s, int n) {
    while (n-- > 0)
        step(s);
}

static void replace(shim *s, int n, const char *text) {
    emit(s, text);
    s->before = s->ahead[n - 1];
    drop(s, n);
}

/* Drops from the ( at hand to its ). */
static void drop_parentheses(shim *s) {
    int depth = 0;

    do {
        depth += token_sign(now(s), "(") ? 1 : token_sign(now(s), ")") ? -1 : 0;
        step(s);
    } while (depth > 0 && now(s)->kind != TOKEN_END);
}

/* LIMIT a, b -> LIMIT b OFFSET a; ClickHouse's LIMIT n BY columns goes. */
static int limit_clause(shim *s) {
    token first;

    if (!is(s, "LIMIT"))
        return 0;
    if (token_is(&s->ahead[2], "BY")) {
        drop(s, 3);
        while (now(s)->kind != TOKEN_END && !token_sign(now(s), ")") && !is(s, "LIMIT"))
            step(s);
        return 1;
    }
    if (!token_sign(&s->ahead[2], ","))
        return 0;
    first = *next(s);
    emit(s, "LIMIT");
    emit_token(s, &s->ahead[3]);
    emit(s, "OFFSET");
    emit_token(s, &first);
    drop(s, 4);
    return 1;
}

/* INTERVAL 1 DAY -> INTERVAL '1 DAY' */
static int interval(shim *s) {
    strbuf value = { 0 };

    if (!is(s, "INTERVAL") || s->ahead[2].kind != TOKEN_WORD || (next(s)->kind != TOKEN_NUMBER
        && next(s)->kind != TOKEN_STRING))
        return 0;
    if (next(s)->kind == TOKEN_STRING)
        token_value(next(s), s->dialect, &value);
    else
        text_add(&value, next(s)->at, next(s)->size);
    text_put(s->out, " INTERVAL '");
    text_put(s->out, text_of(&value));
    text_put(s->out, " ");
    text_add(s->out, s->ahead[2].at, s->ahead[2].size);
    text_put(s->out, "'");
    text_free(&value);
    drop(s, 3);
    return 1;
}

typedef struct rule {
    const char *from[3]; /* words, NULL from there on */
    const char *to;      /* "" = dropped */
} rule;

static int apply(shim *s, const rule *rules, size_t count) {
    size_t i;
    int n, same;

    for (i = 0; i < count; i++) {
        for (n = 0, same = 1; n < 3 && rules[i].from[n] && same; n++)
            same = token_is(&s->ahead[n], rules[i].from[n]) || token_sign(&s->ahead[n], rules[i].from[n]);
        if (!same)
            continue;
        if (*rules[i].to)
            replace(s, n, rules[i].to);
        else
            drop(s, n);
        return 1;
    }
    return 0;
}

static const rule mysql_rules[] = {
    { { "STRAIGHT_JOIN" }, "JOIN" }, { { "SQL_CALC_FOUND_ROWS" }, "" }, { { "SQL_NO_CACHE" }, "" },
        { { "HIGH_PRIORITY" }, "" },
    { { "REPLACE", "INTO" }, "INSERT INTO" }, { { "INSERT", "IGNORE" }, "INSERT" }, { { "UPDATE", "IGNORE" },
    "UPDATE" },
    { { "DELETE", "IGNORE" }, "DELETE" }, { { "LOCK", "IN", "SHARE" }, "FOR SHARE" }, { { "WITH", "ROLLUP" }, "" },
    { { "UNSIGNED" }, "" }, { { "AUTO_INCREMENT" }, "" }, { { "REGEXP" }, "~" }, { { "RLIKE" }, "~" }, { { "DIV" },
    "/" },
    { { "<=>" }, "IS NOT DISTINCT FROM" }, { { "&&" }, "AND" }, { { "!" }, "NOT" },
};
static const rule clickhouse_rules[] = {
    { { "GLOBAL", "NOT", "IN" }, "NOT IN" }, { { "GLOBAL" }, "" }, { { "FINAL" }, "" }, { { "ANY", "LEFT" },
        "LEFT" },
    { { "ANY", "INNER" }, "INNER" }, { { "ALL", "LEFT" }, "LEFT" }, { { "ALL", "INNER" }, "INNER" }, { { "ANY",
    "JOIN" }, "JOIN" },
    { { "ASOF", "LEFT" }, "LEFT" }, { { "ASOF", "JOIN" }, "JOIN" }, { { "WITH", "TOTALS" }, "" }, { { "==" }, "=" },
    { { "count", "(", ")" }, "count(*)" },
};

/* FORCE INDEX (a, b) and the like; int(11). */
static int mysql_hint(shim *s) {
    if ((is(s, "FORCE") || is(s, "USE") || is(s, "IGNORE")) && (then(s, "INDEX") || then(s, "KEY"))) {
        drop(s, 2);
        if (token_sign(now(s), "("))
            drop_parentheses(s);
        return 1;
    }
    if (s->created == 1 && (is(s, "INT") || is(s, "BIGINT") || is(s, "TINYINT") || is(s, "SMALLINT"))
        && token_sign(next(s), "(")) {
        replace(s, 1, "bigint");
        drop_parentheses(s);
        return 1;
    }
    if (is(s, "ON") && then(s, "DUPLICATE")) {
        s->ended = 1;
        return 1;
    }
    if (is(s, "FOR") && token_is(next(s), "SHARE") && is(s, "MODE"))
        return 0;
    return is(s, "MODE") && token_is(&s->before, "SHARE") ? (step(s), 1) : 0;
}

/* Where a WHERE clause ends at the depth where it began. */
static int ends_where(const shim *s) {
    return now(s)->kind == TOKEN_END || token_sign(now(s), ")") || token_sign(now(s), ";") || is(s, "GROUP")
        || is(s, "ORDER")
        || is(s, "LIMIT") || is(s, "HAVING") || is(s, "UNION") || is(s, "FORMAT") || is(s, "SETTINGS");
}

/* PREWHERE a WHERE b -> WHERE (a) AND (b) */
static int prewhere(shim *s) {
    if (s->prewhere == s->depth + 1 && ends_where(s)) {
        emit(s, ")");
        s->prewhere = 0;
        return 0;
    }
    if (is(s, "PREWHERE") && !s->prewhere) {
        replace(s, 1, "WHERE (");
        s->prewhere = s->depth + 1;
        return 1;
    }
    if (is(s, "WHERE") && s->prewhere == s->depth + 1) {
        replace(s, 1, ") AND (");
        return 1;
    }
    return 0;
}

static int follows_value(const shim *s) {
    return s->before.kind == TOKEN_QUOTED || s->before.kind == TOKEN_STRING || token_sign(&s->before, ")")
        || token_sign(&s->before, "]")
        || (s->before.kind == TOKEN_WORD && !token_is(&s->before, "IN") && !token_is(&s->before, "SELECT")
            && !token_is(&s->before, "AND"));
}

static int clickhouse_clause(shim *s) {
    if (prewhere(s))
        return 1;
    if (is(s, "SETTINGS") || (is(s, "FORMAT") && next(s)->kind == TOKEN_WORD)) {
        s->ended = 1;
        return 1;
    }
    if (is(s, "SAMPLE") && next(s)->kind == TOKEN_NUMBER) {
        drop(s, 2);
        return 1;
    }
    if (token_sign(now(s), "[") && !follows_value(s)) {
        replace(s, 1, "ARRAY[");
        return 1;
    }
    return 0;
}

/* What ENGINE = and the like say about storage is not needed. */
static int storage_clause(shim *s) {
    if (s->depth == 0 && is(s, "CREATE") && (then(s, "TABLE") || token_is(&s->ahead[2], "TABLE")))
        s->created = 1;
    if (s->created && s->depth == 0 && token_sign(&s->before, ")")
        && (is(s, "ENGINE") || is(s, "DEFAULT") || is(s, "CHARSET") || is(s, "COMMENT") || is(s, "PARTITION"))) {
        s->ended = 1;
        return 1;
    }
    return 0;
}

static int rewrite(shim *s) {
    if (storage_clause(s) || limit_clause(s) || interval(s))
        return 1;
    if (s->dialect == DIALECT_MYSQL)
        return mysql_hint(s) || apply(s, mysql_rules, sizeof mysql_rules / sizeof *mysql_rules);
    return clickhouse_clause(s) || apply(s, clickhouse_rules, sizeof clickhouse_rules / sizeof *clickhouse_rules);
}

/* INSERT INTO t FORMAT CSV and INSERT INTO t VALUES bring their rows apart from the statement. */
static void end_insert(shim *s) {
    const char *sql = text_of(s->out);

    while (*sql == ' ')
        sql++;
    if (strncasecmp(sql, "INSERT", 6) != 0 || s->rows)
        return;
    emit(s, token_is(&s->before, "VALUES") ? "(NULL)" : "VALUES (NULL)");
}

void shim_rewrite(const char *sql, int dialect, strbuf *out) {
    shim s = { 0 };
    size_t i;

    text_clear(out);
    if (dialect == DIALECT_POSTGRES) {
        text_put(out, sql);
        text_repair(out->data);
        return;
    }
    s.out = out;
    s.dialect = dialect;
    s.before.at = sql;
    tokens_init(&s.in, sql, strlen(sql), dialect);
    for (i = 0; i < AHEAD; i++)
        s.ahead[i] = tokens_next(&s.in);
    while (now(&s)->kind != TOKEN_END && !s.ended) {
        if (rewrite(&s))
            continue;
        s.depth += token_sign(now(&s), "(") ? 1 : token_sign(now(&s), ")") ? -1 : 0;
        copy(&s);
    }
    if (s.prewhere)
        emit(&s, ")");
    if (dialect == DIALECT_CLICKHOUSE)
        end_insert(&s);
    text_repair(out->data);
}
