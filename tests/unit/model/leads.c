/* SPDX-License-Identifier: MIT */
/* Groups of leads: they part the leads, rows reach each lead of a group, the ring is read from its end. */
#include "model/leads.h"

#include "test.h"

static void groups_part_the_leads(void **state) {
    static const uint32_t horizons[] = { 1, 2, 3, 4, 24, 25, 48, 168, 169, 65536 };
    static const uint32_t counts[] = { 1, 2, 2, 3, 5, 6, 6, 7, 8, 8 };
    uint32_t i, h, g, last;

    (void)state;
    for (i = 0; i < 10; i++) {
        assert_int_equal(pshi_leads_count(horizons[i]), counts[i]);
        assert_int_equal(pshi_leads_group(counts[i], horizons[i]), counts[i] - 1);
        last = 0;
        for (h = 1; h <= 65536; h += h < 200 ? 1 : 97) {
            g = pshi_leads_group(counts[i], h);
            assert_true(g < counts[i] && (g == last || g == last + 1));
            last = g;
        }
        assert_int_equal(last, counts[i] - 1);
    }
}

static void rows_reach_every_lead(void **state) {
    uint32_t g, h, horizon, n;
    uint8_t met[201];
    size_t t;

    (void)state;
    for (horizon = 1; horizon <= 200; horizon += 7) {
        memset(met, 0, sizeof met);
        for (g = 0; g < pshi_leads_count(horizon); g++) {
            for (t = 0; t < 4000; t++) {
                h = pshi_leads_pick(g, horizon, t);
                assert_true(h >= 1 && h <= horizon);
                assert_int_equal(pshi_leads_group(pshi_leads_count(horizon), h), g);
                met[h] = 1;
            }
        }
        for (n = 0, h = 1; h <= horizon; h++)
            n += met[h];
        assert_int_equal(n, horizon);
    }
}

static void rings(void **state) {
    (void)state;
    assert_int_equal(pshi_ring_back(3, 5, 0), 2);
    assert_int_equal(pshi_ring_back(3, 5, 2), 0);
    assert_int_equal(pshi_ring_back(3, 5, 3), 4);
    assert_int_equal(pshi_ring_back(0, 5, 0), 4);
    assert_int_equal(pshi_ring_back(0, 5, 4), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_part_the_leads),
        cmocka_unit_test(rows_reach_every_lead),
        cmocka_unit_test(rings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
