/* SPDX-License-Identifier: MIT */
#include "series_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test.h"

static char path[256];

static int make_path(void **state) {
    const char *folder = getenv("TMPDIR");
    int fd;

    (void)state;
    snprintf(path, sizeof path, "%s/bench_series_XXXXXX", folder ? folder : "/tmp");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_path(void **state) {
    (void)state;
    return unlink(path);
}

static void put(const void *data, size_t size) {
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void put_text(const char *text) {
    put(text, strlen(text));
}

static void fields_and_quotes(void **state) {
    table t;

    (void)state;
    put_text("name,\"a \"\"b\"\"\",c\r\n\r\n\"x,y\",,3\nlast,4");
    table_open(&t, path, ',');
    table_header(&t);
    assert_int_equal(table_column(&t, "a \"b\""), 1);
    assert_int_equal(table_column(&t, "c"), 2);
    assert_true(table_next(&t));
    assert_int_equal(t.line, 3);
    assert_int_equal(t.fields, 3);
    assert_string_equal(table_text(&t, 0), "x,y");
    assert_string_equal(table_text(&t, 1), "");
    assert_true(table_number(&t, 2) == 3);
    assert_true(table_next(&t));
    assert_string_equal(table_text(&t, 1), "4");
    assert_false(table_next(&t));
    table_close(&t);
}

static void m4_lines(void **state) {
    series_set s;

    (void)state;
    put_text("\"V1\",\"V2\",\"V3\"\n\"H1\",605,586.5,\nH2,-1e3\n");
    series_read_csv(path, &s);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.list[0].id, "H1");
    assert_int_equal(s.list[0].n, 2);
    assert_true(s.list[0].v[1] == 586.5 && s.list[1].v[0] == -1000);
    assert_ptr_equal(series_find(&s, "H2"), &s.list[1]);
    assert_null(series_find(&s, "H3"));
    series_free(&s);
}

static void m3_lines(void **state) {
    series_set s;

    (void)state;
    put_text("N1 4 2 3 1 2 3 4 5 \nN2 1 1 1  7 8\n");
    series_read_m3(path, &s);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.list[0].period, 4);
    assert_int_equal(s.list[0].horizon, 2);
    assert_int_equal(s.list[0].n, 5);
    assert_true(s.list[1].v[1] == 8);
    series_free(&s);
}

static void rows_of_values(void **state) {
    series_set s;

    (void)state;
    put_text("0,1,,2,,\n,,5\npart7,1,2\n");
    series_read_rows(path, &s);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.list[0].n, 4);
    assert_true(s.list[0].v[2] == 0 && s.list[0].v[3] == 2);
    assert_int_equal(s.list[1].n, 1);
    assert_string_equal(s.list[1].id, "2");
    assert_string_equal(s.list[2].id, "part7");
    assert_int_equal(s.list[2].n, 2);
    series_free(&s);
}

/* printf 'H1,5,6\n' | xz -9 */
static void compressed_text(void **state) {
    static const uint8_t packed[] = {
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4, 0x46, 0x02, 0x00, 0x21, 0x01,
        0x1c, 0x00, 0x00, 0x00, 0x10, 0xcf, 0x58, 0xcc, 0x01, 0x00, 0x06, 0x48, 0x31, 0x2c, 0x35, 0x2c,
        0x36, 0x0a, 0x00, 0x00, 0x0b, 0x21, 0xdc, 0x06, 0xd7, 0xd2, 0x6e, 0x44, 0x00, 0x01, 0x1f, 0x07,
        0x16, 0x2e, 0xb8, 0x73, 0x1f, 0xb6, 0xf3, 0x7d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a
    };
    series_set s;

    (void)state;
    put(packed, sizeof packed);
    series_read_csv(path, &s);
    assert_int_equal(s.n, 1);
    assert_true(s.list[0].n == 2 && s.list[0].v[1] == 6);
    series_free(&s);
}

static int64_t at(const char *text) {
    int64_t t = -1;

    assert_true(time_read(text, &t));
    return t;
}

static void times(void **state) {
    static const char *const bad[] = { "", "x", "2001-13-01", "2001-02-29", "2001-01-01 25:00", "2001-01-01x", "-5",
        "13/1/2011", "2001-01-01 07:61", "99999999999999999999" };
    int64_t day = INT64_C(978307200) * PSH_SECOND, t; /* date -ud 2001-01-01 +%s */
    size_t i;

    (void)state;
    assert_true(at("2001-01-01") == day && at("1/1/2001") == day && at("978307200") == day);
    assert_true(at("978307200000") == day && at("2001-01-01 00") == day);
    assert_true(at("2001-01-01 07:30") == day + 450 * PSH_MINUTE);
    assert_true(at("1/1/2001 7:30") == at("2001-01-01T07:30:00Z"));
    assert_true(at("2001-01-01 00:00:01.5") == day + 3 * (PSH_SECOND / 2));
    assert_true(at("1970-01-01") == 0 && at("1969-12-31") == -PSH_DAY && at("2000-02-29") == day - 307 * PSH_DAY);
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(time_read(bad[i], &t));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_quotes),
        cmocka_unit_test(m4_lines),
        cmocka_unit_test(m3_lines),
        cmocka_unit_test(rows_of_values),
        cmocka_unit_test(compressed_text),
        cmocka_unit_test(times),
    };

    return cmocka_run_group_tests(tests, make_path, drop_path);
}
