/* SPDX-License-Identifier: MIT */
/** @file fake.h  A host whose every answer a test sets, and small plans to run on it. */
#ifndef TEST_DRIVE_FAKE_H
#define TEST_DRIVE_FAKE_H

#include "test.h"

typedef struct fake {
    psh_status next;       /* what submit answers */
    uint64_t seen[64];     /* ids submitted, in order */
    uint64_t fences[64];
    size_t count;
    psh_driver *reenter;   /* called back from inside submit */
    psh_status reentered;
} fake;

static inline psh_status fake_submit(void *user, int64_t now, const psh_action *a) {
    fake *f = user;

    (void)now;
    if (f->count < 64) {
        f->seen[f->count] = a->id;
        f->fences[f->count] = a->fence;
    }
    f->count++;
    if (f->reenter)
        f->reentered = psh_driver_step(f->reenter, now, 1);
    return f->next;
}

static inline psh_status fake_get(void *user, const char *name, psh_buffer *out) {
    (void)user;
    (void)name;
    (void)out;
    return PSH_E_NOT_FOUND;
}

static inline psh_status fake_commit(void *user, const psh_blob_write *writes, size_t n) {
    (void)user;
    (void)writes;
    (void)n;
    return PSH_OK;
}

static inline psh_storage fake_storage(fake *f) {
    psh_storage s;

    memset(&s, 0, sizeof s);
    s.struct_size = sizeof s;
    s.version = PSH_STORAGE_VERSION;
    s.user = f;
    s.get = fake_get;
    s.commit = fake_commit;
    s.submit = fake_submit;
    return s;
}

/** An action of a kind on subject `n`, waiting for *after when it is not 0. */
static inline psh_action fake_action(uint32_t kind, uint64_t n, const uint64_t *after) {
    psh_action a;

    memset(&a, 0, sizeof a);
    a.id = psh_action_id(kind, n, 0);
    a.fence = 1;
    a.want.kind = kind;
    a.want.why = PSH_WHY_FORECAST;
    a.want.subject = n;
    a.want.node = 0;
    a.want.tier = 0;
    a.want.interval = (int64_t)n;
    a.want.time_from = (int64_t)n * PSH_DAY;
    a.want.time_to = (int64_t)(n + 1) * PSH_DAY;
    a.want.arc_last = UINT64_MAX;
    a.want.confidence = 1;
    a.want.not_before = PSH_TIME_MIN;
    a.want.deadline = PSH_TIME_MAX;
    a.after = after;
    a.after_count = after ? 1 : 0;
    a.name = "t";
    a.reason = "because";
    a.from_node = PSH_NONE;
    a.from_tier = PSH_NONE;
    return a;
}

static inline psh_plan *fake_plan(psh_env *env, const psh_action *actions, size_t n) {
    psh_plan *p = NULL;

    assert_ok(psh_plan_create(env, 0, 1, actions, n, sizeof *actions, &p, NULL));
    return p;
}

/** Takes one event and checks it. */
#define assert_event(d, action_id, wanted) \
    do { \
        psh_completion event_; \
        assert_ok(psh_driver_take((d), &event_)); \
        assert_true(event_.action.id == (action_id)); \
        assert_int_equal(event_.status, (wanted)); \
    } while (0)

#endif
