/* SPDX-License-Identifier: MIT */
/* Text for dumps. */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/checked.h"
#include "base/civil.h"

void pshi_text(pshi_writer *w, const char *text) {
    pshi_put_bytes(w, text, strlen(text));
}

void pshi_text_u64(pshi_writer *w, uint64_t x) {
    char s[24];

    snprintf(s, sizeof s, "%llu", (unsigned long long)x);
    pshi_text(w, s);
}

void pshi_text_i64(pshi_writer *w, int64_t x) {
    char s[24];

    snprintf(s, sizeof s, "%lld", (long long)x);
    pshi_text(w, s);
}

void pshi_text_hex(pshi_writer *w, uint64_t x) {
    char s[24];

    snprintf(s, sizeof s, "%016llx", (unsigned long long)x);
    pshi_text(w, s);
}

void pshi_text_f64(pshi_writer *w, double x) {
    char s[40];

    snprintf(s, sizeof s, "%.17g", x);
    pshi_text(w, s);
}

void pshi_text_time(pshi_writer *w, int64_t t) {
    pshi_civil c = pshi_civil_from(t);
    char s[64];

    if (t <= PSH_TIME_MIN || t == PSH_TIME_MAX) {
        pshi_text(w, t == PSH_TIME_MAX ? "+inf" : t == PSH_TIME_NONE ? "none" : "-inf");
        return;
    }
    snprintf(s, sizeof s, "%04d-%02d-%02dT%02d:%02d:%02d", (int)c.year, c.month, c.day, c.hour, c.minute, c.second);
    pshi_text(w, s);
    if (c.nano) {
        snprintf(s, sizeof s, ".%09d", c.nano);
        pshi_text(w, s);
    }
    pshi_text(w, "Z");
}

static void text_quoted(pshi_writer *w, const unsigned char *p, size_t n) {
    char s[8];
    size_t i;

    pshi_text(w, "'");
    for (i = 0; i < n; i++) {
        if (p[i] < 32 || p[i] == 127 || p[i] == '\\')
            snprintf(s, sizeof s, "\\x%02x", p[i]);
        else if (p[i] == '\'')
            snprintf(s, sizeof s, "''");
        else
            snprintf(s, sizeof s, "%c", p[i]);
        pshi_text(w, s);
    }
    pshi_text(w, "'");
}

static void text_hex_bytes(pshi_writer *w, const unsigned char *p, size_t n) {
    char s[4];
    size_t i;

    pshi_text(w, "x'");
    for (i = 0; i < n; i++) {
        snprintf(s, sizeof s, "%02x", p[i]);
        pshi_text(w, s);
    }
    pshi_text(w, "'");
}

static void text_decimal(pshi_writer *w, const psh_value *v) {
    pshi_u128 u = ((pshi_u128)(uint64_t)v->hi << 64) | (uint64_t)v->as.i64;
    char s[48];
    int n = (int)sizeof s - 1;
    uint32_t digits = 0;
    int negative = v->hi < 0;

    if (negative)
        u = -u;
    s[n] = '\0';
    do {
        if (digits == v->size && digits)
            s[--n] = '.';
        s[--n] = (char)('0' + (int)(u % 10));
        u /= 10;
        digits++;
    } while (u || digits <= v->size);
    if (negative)
        s[--n] = '-';
    pshi_text(w, s + n);
}

void pshi_text_value(pshi_writer *w, const psh_value *v) {
    switch (v->type) {
    case PSH_TYPE_NULL:
        pshi_text(w, "NULL");
        break;
    case PSH_TYPE_DOUBLE:
        pshi_text_f64(w, v->as.f64);
        break;
    case PSH_TYPE_DECIMAL:
        text_decimal(w, v);
        break;
    case PSH_TYPE_BOOL:
        pshi_text(w, v->as.i64 ? "true" : "false");
        break;
    case PSH_TYPE_TIMESTAMP:
        pshi_text_time(w, v->as.i64);
        break;
    case PSH_TYPE_TEXT:
        text_quoted(w, v->as.data, v->size);
        break;
    case PSH_TYPE_BYTES:
        text_hex_bytes(w, v->as.data, v->size);
        break;
    default:
        pshi_text_i64(w, v->as.i64);
    }
}
