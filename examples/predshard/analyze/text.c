/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int reserve(strbuf *t, size_t more) {
    size_t room = t->room ? t->room : 64;
    char *data;

    if (t->bad)
        return 0;
    if (t->size + more < t->room)
        return 1;
    while (room <= t->size + more)
        room *= 2;
    data = realloc(t->data, room);
    if (!data) {
        t->bad = 1;
        return 0;
    }
    t->data = data;
    t->room = room;
    return 1;
}

void text_add(strbuf *t, const char *s, size_t n) {
    if (!reserve(t, n))
        return;
    memcpy(t->data + t->size, s, n);
    t->size += n;
    t->data[t->size] = 0;
}

void text_put(strbuf *t, const char *s) {
    text_add(t, s, strlen(s));
}

void text_format(strbuf *t, const char *format, ...) {
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !reserve(t, (size_t)n + 1))
        return;
    va_start(args, format);
    vsnprintf(t->data + t->size, (size_t)n + 1, format, args);
    va_end(args);
    t->size += (size_t)n;
}

void text_clear(strbuf *t) {
    t->size = 0;
    if (t->data)
        t->data[0] = 0;
}

void text_free(strbuf *t) {
    free(t->data);
    memset(t, 0, sizeof *t);
}

const char *text_of(const strbuf *t) {
    return t->data ? t->data : "";
}

/* @return bytes of the character at s, 0 if it is none: by the table of Unicode, section 3.9. */
static size_t character(const unsigned char *s) {
    size_t n = *s < 0x80 ? 1 : *s >= 0xc2 && *s < 0xe0 ? 2 : *s >= 0xe0 && *s < 0xf0 ? 3 : *s >= 0xf0
        && *s < 0xf5 ? 4 : 0, i;

    for (i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) || (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4
        && s[1] > 0x8f))
        return 0;
    return n;
}

void text_repair(char *s) {
    size_t n;

    while (s && *s) {
        n = character((unsigned char *)s);
        if (n == 0)
            *s = '?';
        s += n ? n : 1;
    }
}

uint64_t text_hash(const char *s, size_t n) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    size_t i;

    for (i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 29;
}

static size_t place_of(const names *n, const char *name) {
    size_t at = text_hash(name, strlen(name)) % n->slots;

    while (n->slot[at] && strcmp(n->name[n->slot[at] - 1], name) != 0)
        at = (at + 1) % n->slots;
    return at;
}

static int grow(names *n) {
    size_t slots = n->slots ? 2 * n->slots : 64;
    uint32_t *slot = calloc(slots, sizeof *slot), i;
    char **name = realloc(n->name, sizeof *name * (slots / 2));

    if (name)
        n->name = name;
    if (!slot || !name) {
        free(slot);
        n->bad = 1;
        return 0;
    }
    free(n->slot);
    n->slot = slot;
    n->slots = slots;
    n->room = (uint32_t)(slots / 2);
    for (i = 0; i < n->count; i++)
        n->slot[place_of(n, n->name[i])] = i + 1;
    return 1;
}

uint32_t names_find(const names *n, const char *name) {
    size_t at = n->slots ? place_of(n, name) : 0;

    return n->slots && n->slot[at] ? n->slot[at] - 1 : NAMES_NONE;
}

uint32_t names_add(names *n, const char *name) {
    uint32_t found = names_find(n, name);

    if (found != NAMES_NONE)
        return found;
    if (n->count >= n->most) {
        n->refused++;
        return NAMES_NONE;
    }
    if (n->count == n->room && !grow(n))
        return NAMES_NONE;
    n->name[n->count] = strdup(name);
    if (!n->name[n->count]) {
        n->bad = 1;
        return NAMES_NONE;
    }
    n->slot[place_of(n, name)] = n->count + 1;
    return n->count++;
}

void names_free(names *n) {
    uint32_t i;

    for (i = 0; i < n->count; i++)
        free(n->name[i]);
    free(n->name);
    free(n->slot);
    memset(n, 0, sizeof *n);
}
