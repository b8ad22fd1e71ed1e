/* SPDX-License-Identifier: MIT */
#include "shared.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STEP_BUDGET 64
#define MAX_STEPS 1000000 /* in one go: more is a cycle that never ends */

/* All plans' bytes in order make one digest: a second run with the same seed must give the same. */
static int note_plan(stack *s, int64_t now) {
    psh_plan *plan = psh_autopilot_plan(s->autopilot);
    char head[96];
    psh_status st;

    s->out->plans++;
    if (!plan)
        return EXIT_DONE;
    psh_buffer_clear(s->scratch);
    if ((st = psh_plan_save(plan, s->scratch)))
        return stack_fail(s, "saving a plan", st, NULL);
    digest_bytes(&s->out->plan_digest, psh_buffer_data(s->scratch), psh_buffer_size(s->scratch));
    if (!s->setup->options->plan || psh_plan_count(plan) == 0)
        return EXIT_DONE;
    snprintf(head, sizeof head, "# rate %" PRIu32 ", %s, second %" PRId64 "\n", s->out->rate,
        policy_name(s->out->policy), now / PSH_SECOND);
    if ((st = psh_buffer_append(s->plan_text, head, strlen(head))) || (st = psh_plan_dump(plan, s->plan_text)))
        return stack_fail(s, "saving a plan", st, NULL);
    return EXIT_DONE;
}

/* One step does several things; its time goes to the one that weighs most. */
static int64_t *account(stack *s, const psh_autopilot_stats *after, int late) {
    spent *time = &s->out->total.time;

    if (late)
        return &time->late_ns;
    if (after->filled_rows != s->seen.filled_rows)
        return &time->build_ns;
    if (after->cycles != s->seen.cycles)
        return &time->plan_ns;
    if (after->changes != s->seen.changes)
        return &time->upkeep_ns;
    return &time->other_ns;
}

/* The world may have changed: what was learned of tables that are gone is of no more use. */
static int one_step(stack *s, int64_t now, int late, psh_status *st) {
    psh_autopilot_stats after;
    psh_error err;
    int64_t begin = cpu_now(), spent_ns;
    uint64_t cycles = s->seen.cycles;

    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    after.struct_size = sizeof after;
    *st = psh_autopilot_step(s->autopilot, now, STEP_BUDGET, &err);
    spent_ns = cpu_now() - begin;
    if (*st < 0)
        return stack_fail(s, "planning and acting", *st, &err);
    psh_autopilot_get_stats(s->autopilot, &after);
    *account(s, &after, late) += spent_ns;
    stack_occupy(s, now, spent_ns);
    s->seen = after;
    return after.cycles != cycles ? note_plan(s, now) : EXIT_DONE;
}

static int run_steps(stack *s, int64_t now, int late) {
    psh_status st = PSH_AGAIN;
    uint32_t n;

    s->now = now;
    for (n = 0; st == PSH_AGAIN; n++) {
        if (n == MAX_STEPS)
            return fail(s->f, EXIT_INTERNAL, "planning and acting: no end after %d steps", MAX_STEPS);
        if (one_step(s, now, late, &st) || shared_follow(s))
            return s->f->code;
    }
    return EXIT_DONE;
}

int stack_step(stack *s, int64_t now) {
    return run_steps(s, now, 0);
}

int stack_hurry(stack *s, int64_t now) {
    s->out->total.late_creations++;
    psh_autopilot_hurry(s->autopilot);
    return run_steps(s, now, 1);
}
