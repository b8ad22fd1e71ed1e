/* SPDX-License-Identifier: MIT */
/** @file text.h  Bytes that grow, and names by number. */
#ifndef TOOL_TEXT_H
#define TOOL_TEXT_H

#include <stddef.h>
#include <stdint.h>

/** Zero it before use; data is NUL-terminated once something was added. */
typedef struct strbuf {
    char *data;
    size_t size;
    size_t room;
    int bad; /**< 1: memory was short; what follows is lost */
} strbuf;

void text_add(strbuf *t, const char *s, size_t n);
void text_put(strbuf *t, const char *s);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void text_format(strbuf *t, const char *format, ...);
/** Forgets the bytes, keeps the memory. */
void text_clear(strbuf *t);
void text_free(strbuf *t);
/** @return the bytes, "" if there are none. */
const char *text_of(const strbuf *t);

/** Replaces bytes that are no UTF-8 by '?'. NULL is allowed. */
void text_repair(char *s);

#define NAMES_NONE UINT32_MAX

/** Numbers from 0 for distinct names. Zero it, set most. */
typedef struct names {
    char **name;     /**< Shape [count] */
    uint32_t *slot;
    uint32_t count;
    uint32_t room;
    uint32_t most;   /**< bound: names beyond it get no number */
    uint32_t refused; /**< calls refused at the bound */
    size_t slots;
    int bad;
} names;

/** FNV-1a, mixed. */
uint64_t text_hash(const char *s, size_t n);
/** @return the number of the name, a new one if need be; NAMES_NONE at the bound or without memory (bad). */
uint32_t names_add(names *n, const char *name);
/** @return its number or NAMES_NONE. */
uint32_t names_find(const names *n, const char *name);
void names_free(names *n);

#endif
