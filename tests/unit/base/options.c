/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "base/error.h"
#include "base/options.h"

struct v1 {
    uint32_t struct_size;
    uint32_t a;
};
struct v2 {
    uint32_t struct_size;
    uint32_t a;
    uint64_t b;
};
struct v3 {
    uint32_t struct_size;
    uint32_t a;
    uint64_t b;
    uint64_t c;
};

static void shorter_keeps_defaults(void **state) {
    struct v2 ours = { sizeof ours, 1, 2 };
    struct v1 theirs = { sizeof theirs, 9 };

    (void)state;
    assert_ok(pshi_options_copy(&ours, sizeof ours, &theirs, NULL));
    assert_int_equal(ours.a, 9);
    assert_int_equal(ours.b, 2);
    assert_int_equal(ours.struct_size, sizeof ours);
}

static void longer_must_be_zero_beyond(void **state) {
    struct v2 ours = { sizeof ours, 1, 2 };
    struct v3 theirs = { sizeof theirs, 9, 8, 0 };
    psh_error err = { 0 };

    (void)state;
    assert_ok(pshi_options_copy(&ours, sizeof ours, &theirs, NULL));
    assert_int_equal(ours.b, 8);
    theirs.c = 1;
    theirs.b = 77;
    err.struct_size = sizeof err;
    assert_int_equal(pshi_options_copy(&ours, sizeof ours, &theirs, &err), PSH_E_UNSUPPORTED);
    assert_int_equal(ours.b, 8);
    assert_string_equal(err.field, "struct_size");
}

static void outputs_never_pass_the_callers_size(void **state) {
    struct v3 theirs = { sizeof(struct v2), 0, 0, 0x5555 };
    struct v3 ours = { sizeof ours, 1, 2, 3 };
    struct v2 one;
    uint32_t stride_two[6] = { 1, 2, 0, 4, 5, 0 };

    (void)state;
    assert_ok(pshi_struct_out(&theirs, &ours, sizeof ours));
    assert_int_equal(theirs.b, 2);
    assert_int_equal(theirs.c, 0x5555);
    theirs.struct_size = 0;
    assert_int_equal(pshi_struct_out(&theirs, &ours, sizeof ours), PSH_E_INVALID);
    assert_ok(pshi_options_out(&theirs, 8, &ours, sizeof ours));
    assert_int_equal(theirs.a, 1);
    assert_int_equal(theirs.c, 0x5555);
    pshi_element(&one, sizeof one, stride_two, 12, 1);
    assert_int_equal(one.struct_size, 4);
    assert_int_equal(one.a, 5);
    assert_int_equal(one.b, 0);
}

static void errors_fit_the_callers_memory(void **state) {
    psh_error err = { 0 };
    char field[400];

    (void)state;
    memset(field, 'x', sizeof field);
    field[399] = '\0';
    err.struct_size = sizeof err;
    assert_int_equal(pshi_fail(&err, PSH_E_LIMIT, field, field), PSH_E_LIMIT);
    assert_int_equal(strlen(err.field), sizeof err.field - 1);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    err.struct_size = 16;
    err.field[0] = '!';
    pshi_fail_host(&err, 42, "storage.get");
    assert_int_equal(err.code, PSH_E_HOST);
    assert_int_equal(err.host_code, 42);
    assert_int_equal(err.field[0], '!');
    assert_int_equal(pshi_fail_host(NULL, PSH_E_CONFLICT, "kv"), PSH_E_CONFLICT);
    assert_int_equal(pshi_fail_host(NULL, -77777, "kv"), PSH_E_HOST);
    assert_int_equal(pshi_fail_host(NULL, PSH_E_INTERNAL, "kv"), PSH_E_HOST);
    pshi_fail_at(NULL, PSH_E_INVALID, "columns", 3, "is bad");
}

#define NAME_OF(name, number, text) assert_string_equal(psh_status_name(number), #name);

static void every_status_has_name_and_text(void **state) {
    (void)state;
    PSH_STATUS_LIST(NAME_OF)
    assert_string_equal(psh_status_name(12345), "PSH_E_UNKNOWN");
    assert_true(strlen(psh_status_text(PSH_E_FENCED)) > 10);
    assert_true(strlen(psh_status_text(-12345)) > 10);
    assert_string_equal(psh_version(), "0.1.0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shorter_keeps_defaults),
        cmocka_unit_test(longer_must_be_zero_beyond),
        cmocka_unit_test(outputs_never_pass_the_callers_size),
        cmocka_unit_test(errors_fit_the_callers_memory),
        cmocka_unit_test(every_status_has_name_and_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
