/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#define STATUS_NAME(name, number, text) \
    case number: \
        return #name;
#define STATUS_TEXT(name, number, text) \
    case number: \
        return text;

const char *psh_status_name(psh_status status) {
    switch (status) {
        PSH_STATUS_LIST(STATUS_NAME)
    default:
        return "PSH_E_UNKNOWN";
    }
}

const char *psh_status_text(psh_status status) {
    switch (status) {
        PSH_STATUS_LIST(STATUS_TEXT)
    default:
        return "not a status of this library";
    }
}

#define STRING_OF(x) #x
#define VERSION_OF(a, b, c) STRING_OF(a) "." STRING_OF(b) "." STRING_OF(c)

const char *psh_version(void) {
    return VERSION_OF(PSH_VERSION_MAJOR, PSH_VERSION_MINOR, PSH_VERSION_PATCH);
}

static void copy_text(char *to, size_t size, const char *from) {
    size_t n = strlen(from);

    if (n >= size)
        n = size - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

static psh_status fill(psh_error *err, psh_status status, int64_t host, const char *field, const char *text) {
    psh_error full = { 0 };
    size_t size;

    if (!err || err->struct_size < 8)
        return status;
    size = err->struct_size < sizeof full ? err->struct_size : sizeof full;
    full.struct_size = err->struct_size;
    full.code = status;
    full.host_code = host;
    copy_text(full.field, sizeof full.field, field);
    copy_text(full.text, sizeof full.text, text);
    memcpy(err, &full, size);
    return status;
}

psh_status pshi_fail(psh_error *err, psh_status status, const char *field, const char *text) {
    return fill(err, status, 0, field, text);
}

psh_status pshi_fail_at(psh_error *err, psh_status status, const char *field, size_t index, const char *text) {
    char name[64];

    snprintf(name, sizeof name, "%.40s[%zu]", field, index);
    return fill(err, status, 0, name, text);
}

static int is_ours(psh_status status) {
    return status < 0 && strcmp(psh_status_name(status), "PSH_E_UNKNOWN") != 0 && status > -500;
}

psh_status pshi_fail_host(psh_error *err, psh_status returned, const char *callback) {
    return fill(err, is_ours(returned) ? returned : PSH_E_HOST, returned, callback, "the host's callback failed");
}
