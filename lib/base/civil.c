/* SPDX-License-Identifier: MIT */
#include "base/civil.h"

#include <predshard/base.h>

#include "base/checked.h"

/* Years are counted from 1 March, so that the leap day ends them; 146097 days make 400 of them. */
pshi_civil pshi_civil_from(int64_t t) {
    int64_t days = pshi_floor_div(t, PSH_DAY);
    int64_t ns = (t % PSH_DAY + PSH_DAY) % PSH_DAY; /* t - days * PSH_DAY overflows at the earliest times */
    int64_t z = days + 719468; /* days from 0000-03-01 to 1970-01-01 */
    int64_t era = pshi_floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    pshi_civil c;

    c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
    c.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    c.year = yoe + era * 400 + (c.month <= 2);
    c.hour = (int)(ns / PSH_HOUR);
    c.minute = (int)(ns / PSH_MINUTE % 60);
    c.second = (int)(ns / PSH_SECOND % 60);
    c.nano = (int)(ns % PSH_SECOND);
    return c;
}
