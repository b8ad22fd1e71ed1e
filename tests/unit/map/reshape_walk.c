/* SPDX-License-Identifier: MIT */
/* A random walk of actions: whatever begins and ends in whatever order, every world stands, however it was made. */
#include "reshape.h"

#include "base/rng.h"

static const uint64_t CUTS[] = { 0, UINT64_C(1) << 61, UINT64_C(1) << 62, UINT64_C(3) << 61, UINT64_C(1) << 63,
                                 UINT64_C(5) << 61 };

static psh_action any_action(uint64_t *rng) {
    static const uint32_t kinds[] = { PSH_ACT_CREATE_PARTITION, PSH_ACT_SEAL_PARTITION, PSH_ACT_SPLIT_PARTITION,
                                      PSH_ACT_SPLIT_PARTITION, PSH_ACT_MERGE_PARTITION, PSH_ACT_REPLICATE_PARTITION,
                                      PSH_ACT_PROMOTE_PARTITION, PSH_ACT_DROP_REPLICA, PSH_ACT_DROP_PARTITION };
    size_t x = pshi_rng_next(rng) % 6, y = pshi_rng_next(rng) % 6;
    uint64_t r = pshi_rng_next(rng);
    psh_action a = act(kinds[r % 9], CUTS[x < y ? x : y], x == y || y == 5 ? UINT64_MAX : CUTS[y > x ? y : x] - 1, r);

    a.want.steps = a.want.kind == PSH_ACT_SPLIT_PARTITION || a.want.kind == PSH_ACT_REPLICATE_PARTITION ? 2 : 0;
    a.want.step = a.want.steps ? 1 + (r >> 20) % 2 : 0;
    a.want.node = 1 + (r >> 24) % 4;
    a.want.ordinal = (uint32_t)((r >> 30) % 9);
    if (a.want.kind != PSH_ACT_DROP_PARTITION && a.want.kind != PSH_ACT_SEAL_PARTITION)
        a.want.source = psh_partition_id(0, DAY0, CUTS[(r >> 40) % 6]);
    if (a.want.kind == PSH_ACT_DROP_PARTITION && (a.want.arc_first == 0 || (r >> 44) % 8))
        a.want.kind = PSH_ACT_MERGE_PARTITION; /* an interval that goes ends the walk early */
    a.want.subject = psh_partition_id(0, DAY0, a.want.arc_first);
    a.id = psh_action_id(a.want.kind, a.want.subject, r);
    return a;
}

static psh_map *reload(fixture *f) {
    psh_error err = { .struct_size = sizeof err };
    psh_map *copy = NULL;
    psh_buffer *b, *again;

    assert_ok(psh_buffer_create(f->env, &b));
    assert_ok(psh_buffer_create(f->env, &again));
    assert_ok(psh_map_save(f->map, b));
    if (psh_map_load(f->env, f->schema, psh_buffer_data(b), psh_buffer_size(b), 0, &copy, &err) != PSH_OK)
        fail_msg("%s: %s", err.field, err.text);
    assert_ok(psh_map_save(copy, again));
    assert_int_equal(psh_buffer_size(b), psh_buffer_size(again));
    assert_memory_equal(psh_buffer_data(b), psh_buffer_data(again), psh_buffer_size(b));
    psh_buffer_destroy(b);
    psh_buffer_destroy(again);
    return copy;
}

static void assert_same_world(fixture *f, const psh_world *x, const psh_world *y) {
    psh_buffer *a, *b;

    assert_ok(psh_buffer_create(f->env, &a));
    assert_ok(psh_buffer_create(f->env, &b));
    assert_ok(psh_world_save(x, a));
    assert_ok(psh_world_save(y, b));
    assert_int_equal(psh_buffer_size(a), psh_buffer_size(b));
    assert_memory_equal(psh_buffer_data(a), psh_buffer_data(b), psh_buffer_size(a));
    psh_buffer_destroy(a);
    psh_buffer_destroy(b);
}

/* A world made of the one before and what changed is the one made of all. */
static psh_world *next_world(fixture *f, psh_world *before, uint64_t epoch) {
    psh_world *all = make_world(f, epoch), *w = NULL;
    psh_world_draft *d;

    if (before) {
        assert_ok(psh_world_draft_create(f->env, f->schema, epoch, TEST_T0, &d));
        assert_ok(psh_world_draft_base(d, before));
        if (psh_map_export_changes(f->map, d) == PSH_OK) {
            assert_ok(psh_world_create(d, &w, NULL));
            assert_same_world(f, all, w);
        }
        psh_world_draft_destroy(d);
        psh_world_unref(before);
    }
    psh_map_exported(f->map);
    if (w)
        psh_world_unref(all);
    return w ? w : all;
}

static void walk(fixture *f, uint64_t seed) {
    psh_action open[8], a;
    psh_world *w = NULL;
    psh_map *copy;
    size_t n = 0, i, step;

    for (step = 0; step < 400; step++) {
        a = any_action(&seed);
        if (n < 8 && psh_map_begin(f->map, &a) == PSH_OK)
            open[n++] = a;
        if (n && pshi_rng_next(&seed) % 3 == 0) {
            i = pshi_rng_next(&seed) % n;
            assert_ok(psh_map_complete(f->map, &open[i], pshi_rng_next(&seed) % 4 ? PSH_OK : PSH_E_HOST, TEST_T0));
            open[i] = open[--n];
        }
        w = next_world(f, w, step + 1);
        if (step % 16 == 0) {
            copy = reload(f);
            psh_map_destroy(f->map);
            f->map = copy;
        }
    }
    psh_world_unref(w);
}

static void every_world_of_a_walk_stands(void **state) {
    uint64_t seed;
    fixture f;

    (void)state;
    for (seed = 1; seed <= 60; seed++) {
        begin_with_one(&f, NULL);
        walk(&f, seed);
        close_fixture(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_world_of_a_walk_stands) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
