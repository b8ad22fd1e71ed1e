/* SPDX-License-Identifier: MIT */
#include "tokens.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

void tokens_init(tokens *t, const char *sql, size_t size, int dialect) {
    t->at = sql;
    t->end = sql + size;
    t->dialect = dialect;
    t->cut = 0;
}

static int starts(const tokens *t, const char *s) {
    size_t n = strlen(s);

    return (size_t)(t->end - t->at) >= n && memcmp(t->at, s, n) == 0;
}

static void pass_line(tokens *t) {
    while (t->at < t->end && *t->at != '\n')
        t->at++;
}

/* Comments nest in PostgreSQL. */
static void pass_comment(tokens *t) {
    int depth = 0;

    do {
        if (starts(t, "/*")) {
            depth += depth == 0 || t->dialect == DIALECT_POSTGRES;
            t->at += 2;
        } else if (starts(t, "*/")) {
            depth--;
            t->at += 2;
        } else {
            t->at++;
        }
    } while (depth && t->at < t->end);
    t->cut |= depth > 0;
}

static void pass_blanks(tokens *t) {
    for (;;) {
        if (t->at < t->end && isspace((unsigned char)*t->at))
            t->at++;
        else if (starts(t, "--") || (t->dialect == DIALECT_MYSQL && starts(t, "#")))
            pass_line(t);
        else if (starts(t, "/*"))
            pass_comment(t);
        else
            return;
    }
}

/* From the quote on to behind its end; the quote doubled, or after a backslash, is inside. */
static void pass_quoted(tokens *t, int backslash) {
    char quote = *t->at++;

    for (; t->at < t->end; t->at++) {
        if (backslash && *t->at == '\\' && t->at + 1 < t->end)
            t->at++;
        else if (*t->at == quote && t->at + 1 < t->end && t->at[1] == quote)
            t->at++;
        else if (*t->at == quote) {
            t->at++;
            return;
        }
    }
    t->cut = 1;
}

/* $tag$ ... $tag$; @return 0 if it is none. */
static int pass_dollar(tokens *t) {
    const char *s = t->at + 1, *from;
    size_t n;

    while (s < t->end && (isalnum((unsigned char)*s) || *s == '_'))
        s++;
    if (s == t->end || *s != '$' || isdigit((unsigned char)t->at[1]))
        return 0;
    n = (size_t)(s + 1 - t->at);
    from = t->at;
    for (s++; s + n <= t->end; s++)
        if (memcmp(s, from, n) == 0) {
            t->at = s + n;
            return 1;
        }
    t->at = t->end;
    t->cut = 1;
    return 1;
}

static int is_word(char c) {
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static uint32_t pass_number(tokens *t) {
    while (t->at < t->end && (isalnum((unsigned char)*t->at) || *t->at == '.' || *t->at == '_'
        || ((*t->at == '+' || *t->at == '-') && (t->at[-1] == 'e' || t->at[-1] == 'E'))))
        t->at++;
    return TOKEN_NUMBER;
}

static uint32_t pass_word(tokens *t) {
    while (t->at < t->end && (is_word(*t->at) || *t->at == '$'))
        t->at++;
    return TOKEN_WORD;
}

static uint32_t pass_sign(tokens *t) {
    static const char *const two[] = { "<=>", "->>", "<=", ">=", "<>", "!=", "||", "&&", "::", ":=", "==", "->",
        "~~" };
    size_t i;

    for (i = 0; i < sizeof two / sizeof *two; i++)
        if (starts(t, two[i])) {
            t->at += strlen(two[i]);
            return TOKEN_SIGN;
        }
    t->at++;
    return TOKEN_SIGN;
}

static uint32_t pass_token(tokens *t) {
    char c = *t->at, next = t->at + 1 < t->end ? t->at[1] : 0;

    if (c == '\'' || (c == '"' && t->dialect == DIALECT_MYSQL)) {
        pass_quoted(t, t->dialect != DIALECT_POSTGRES);
        return TOKEN_STRING;
    }
    if (c == '"' || c == '`') {
        pass_quoted(t, t->dialect == DIALECT_CLICKHOUSE);
        return TOKEN_QUOTED;
    }
    if ((c == 'E' || c == 'e' || c == 'B' || c == 'b' || c == 'X' || c == 'x' || c == 'N' || c == 'n')
        && next == '\'') {
        t->at++;
        pass_quoted(t, t->dialect != DIALECT_POSTGRES || c == 'E' || c == 'e');
        return TOKEN_STRING;
    }
    if (c == '$' && t->dialect == DIALECT_POSTGRES && pass_dollar(t))
        return TOKEN_STRING;
    if (c == '?' || ((c == '$' || c == ':') && isalnum((unsigned char)next))) {
        t->at++;
        if (c != '?')
            pass_word(t);
        return TOKEN_PARAM;
    }
    if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)next)))
        return pass_number(t);
    return is_word(c) || c == '@' ? (t->at++, pass_word(t)) : pass_sign(t);
}

token tokens_next(tokens *t) {
    token out = { TOKEN_END, t->at, 0 };

    pass_blanks(t);
    out.at = t->at;
    if (t->at >= t->end)
        return out;
    out.kind = pass_token(t);
    if (t->at > t->end)
        t->at = t->end;
    out.size = (size_t)(t->at - out.at);
    return out;
}

int token_is(const token *t, const char *word) {
    return t->kind == TOKEN_WORD && t->size == strlen(word) && strncasecmp(t->at, word, t->size) == 0;
}

int token_sign(const token *t, const char *sign) {
    return t->kind == TOKEN_SIGN && t->size == strlen(sign) && memcmp(t->at, sign, t->size) == 0;
}

static char escaped(char c) {
    return (char)(c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == '0' ? ' ' : c == 'b' ? '\b' : c);
}

void token_value(const token *t, int dialect, strbuf *out) {
    const char *s = t->at, *end = t->at + t->size;
    int backslash = dialect != DIALECT_POSTGRES || (*s != '\'' && *s != '"');
    char quote, c;

    if (*s != '\'' && *s != '"' && *s != '`')
        s++;
    quote = s < end ? *s++ : 0;
    for (; s < end && !(*s == quote && s + 1 >= end); s++) {
        c = *s;
        if (backslash && c == '\\' && s + 1 < end)
            c = escaped(*++s);
        else if (c == quote && s[1] == quote)
            s++;
        text_add(out, &c, 1);
    }
}

/* What of a token counts: constants are alike, words without case, identifiers without quotes. */
static void add_token(strbuf *to, const token *t) {
    size_t i;
    char c;

    if (t->kind == TOKEN_STRING || t->kind == TOKEN_NUMBER || t->kind == TOKEN_PARAM) {
        text_put(to, "?");
        return;
    }
    for (i = 0; i < t->size; i++) {
        c = t->kind == TOKEN_WORD ? (char)tolower((unsigned char)t->at[i]) : t->at[i];
        if (t->kind != TOKEN_QUOTED || (c != '"' && c != '`'))
            text_add(to, &c, 1);
    }
}

/* "?, ?" is "?", and so is "(?), (?)" after VALUES. */
static void fold(strbuf *to) {
    static const char *const folds[] = { "? , ?", "( ? ) , ( ? )" };
    size_t i, n;

    for (i = 0; i < 2; i++) {
        n = strlen(folds[i]);
        if (to->size >= n && memcmp(to->data + to->size - n, folds[i], n) == 0) {
            to->size -= n;
            to->data[to->size] = 0;
            text_put(to, i ? "( ? )" : "?");
        }
    }
}

static int needs_blank(const token *before, const token *t) {
    if (before->kind == TOKEN_END || token_sign(before, "(") || token_sign(before, ".") || token_sign(before, "::"))
        return 0;
    if (token_sign(t, ")") || token_sign(t, ",") || token_sign(t, ".") || token_sign(t, ";") || token_sign(t, "::"))
        return 0;
    if (!token_sign(t, "("))
        return 1;
    return before->kind != TOKEN_WORD || token_is(before, "IN") || token_is(before, "AND") || token_is(before, "OR")
        || token_is(before, "VALUES") || token_is(before, "AS") || token_is(before, "FROM")
            || token_is(before, "WHERE")
        || token_is(before, "SELECT") || token_is(before, "NOT") || token_is(before, "JOIN")
            || token_is(before, "ON");
}

/* The statement as it reads; a list of constants is shown as one. */
static void add_shape(strbuf *shape, const token *before, const token *t) {
    if (!shape)
        return;
    if (needs_blank(before, t))
        text_put(shape, " ");
    if (t->kind == TOKEN_STRING || t->kind == TOKEN_NUMBER || t->kind == TOKEN_PARAM)
        text_put(shape, "?");
    else
        text_add(shape, t->at, t->size);
}

static void fold_shape(strbuf *shape) {
    if (!shape)
        return;
    if (shape->size >= 4 && memcmp(shape->data + shape->size - 4, "?, ?", 4) == 0)
        shape->size -= 3;
    else if (shape->size >= 8 && memcmp(shape->data + shape->size - 8, "(?), (?)", 8) == 0)
        shape->size -= 5;
    shape->data[shape->size] = 0;
}

uint64_t tokens_fingerprint(const char *sql, size_t size, int dialect, strbuf *shape) {
    strbuf all = { 0 };
    tokens in;
    token t, before = { TOKEN_END, sql, 0 };
    uint64_t hash;

    tokens_init(&in, sql, size, dialect);
    if (shape)
        text_clear(shape);
    while ((t = tokens_next(&in)).kind != TOKEN_END) {
        if (token_sign(&t, ";") && in.at == in.end)
            break;
        if (all.size)
            text_put(&all, " ");
        add_token(&all, &t);
        fold(&all);
        add_shape(shape, &before, &t);
        if (shape && shape->data)
            fold_shape(shape);
        before = t;
    }
    hash = text_hash(text_of(&all), all.size);
    text_free(&all);
    return hash ? hash : 1;
}
