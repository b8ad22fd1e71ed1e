/* SPDX-License-Identifier: MIT */
#include "base/options.h"

#include <string.h>

#include "base/error.h"

static uint32_t size_of(const void *s) {
    uint32_t size;

    memcpy(&size, s, sizeof size);
    return size;
}

static int all_zero(const unsigned char *p, size_t n) {
    size_t i;

    for (i = 0; i < n; i++)
        if (p[i])
            return 0;
    return 1;
}

psh_status pshi_options_copy(void *to, size_t size, const void *from, psh_error *err) {
    uint32_t given = size_of(from);

    if (given < sizeof given || given > 4096)
        return pshi_fail(err, PSH_E_INVALID, "struct_size", "must be the size of the struct");
    if (given > size && !all_zero((const unsigned char *)from + size, given - size))
        return pshi_fail(err, PSH_E_UNSUPPORTED, "struct_size", "a newer field is set that this build lacks");
    memcpy(to, from, given < size ? given : size);
    given = (uint32_t)size;
    memcpy(to, &given, sizeof given);
    return PSH_OK;
}

psh_status pshi_struct_out(void *to, const void *from, size_t size) {
    uint32_t given = size_of(to);
    size_t n = given < size ? given : size;

    if (given < sizeof given)
        return PSH_E_INVALID;
    memcpy((char *)to + 4, (const char *)from + 4, n - 4);
    return PSH_OK;
}

psh_status pshi_options_out(void *to, uint32_t size, const void *defaults, size_t full) {
    if (!to || size < sizeof size || size > 4096)
        return PSH_E_INVALID;
    memset(to, 0, size);
    memcpy(to, defaults, size < full ? size : full);
    memcpy(to, &size, sizeof size);
    return PSH_OK;
}

void pshi_element(void *to, size_t size, const void *array, size_t stride, size_t i) {
    memset(to, 0, size);
    memcpy(to, (const char *)array + i * stride, stride < size ? stride : size);
}
