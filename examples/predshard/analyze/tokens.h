/* SPDX-License-Identifier: MIT */
/** @file tokens.h  SQL of several dialects cut into tokens, and a fingerprint of them without a parser. */
#ifndef TOOL_TOKENS_H
#define TOOL_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "text.h"

#define DIALECT_POSTGRES 0
#define DIALECT_MYSQL 1
#define DIALECT_CLICKHOUSE 2

#define TOKEN_END 0
#define TOKEN_WORD 1
#define TOKEN_QUOTED 2 /**< an identifier in quotes */
#define TOKEN_STRING 3
#define TOKEN_NUMBER 4
#define TOKEN_PARAM 5  /**< $1, ?, :name */
#define TOKEN_SIGN 6   /**< an operator or punctuation */

typedef struct token {
    uint32_t kind;
    const char *at; /**< in the statement */
    size_t size;
} token;

typedef struct tokens {
    const char *at;
    const char *end;
    int dialect;
    int cut; /**< 1: a quote or comment had no end */
} tokens;

void tokens_init(tokens *t, const char *sql, size_t size, int dialect);
/** The next token; comments and blanks are passed over. */
token tokens_next(tokens *t);
/** @return 1 if the token is this word, whatever its case. */
int token_is(const token *t, const char *word);
/** @return 1 if the token is this sign. */
int token_sign(const token *t, const char *sign);
/** Appends the bytes that a string or a quoted identifier stands for. */
void token_value(const token *t, int dialect, strbuf *out);
/**
 * Hash of the statement without constants, comments, blanks and case; lists of constants count as one.
 * @param shape  NULL, or gets the statement with ? for constants, as it reads
 */
uint64_t tokens_fingerprint(const char *sql, size_t size, int dialect, strbuf *shape);

#endif
