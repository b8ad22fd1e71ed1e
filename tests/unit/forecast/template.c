/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "forecast/template.h"
#include "load.h"

static void least_of_a_few(void **state) {
    pshi_template list[64] = { { 0 } };
    pshi_templates t = { .list = list, .count = 64 };
    size_t i;

    (void)state;
    for (i = 0; i < 64; i++) {
        list[i].id = 100 - i;
        list[i].recent = i == 20 || i == 40 ? -1 : (double)i;
    }
    assert_int_equal(pshi_templates_least(&t, 64, 7), 40); /* of equals the lower id */
    assert_int_equal(pshi_templates_least(&t, 40, 7), 20);
    assert_int_equal(pshi_templates_least(&t, 1, 7), 0);
}

/* Of many, one that is hardly asked for; never one of those asked most. */
static void least_of_many(void **state) {
    size_t n = 4096, i, at, low = 0;
    pshi_templates t = { .count = 4096 };

    (void)state;
    t.list = calloc(n, sizeof *t.list);
    assert_non_null(t.list);
    for (i = 0; i < n; i++) {
        t.list[i].id = i + 1;
        t.list[i].recent = (double)i;
    }
    for (i = 1; i <= 1000; i++) {
        at = pshi_templates_least(&t, n, i * UINT64_C(0x9e3779b97f4a7c15));
        assert_true(at < n / 2);
        low += at < n / 20;
    }
    assert_true(low > 900);
    free(t.list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(least_of_a_few),
        cmocka_unit_test(least_of_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
