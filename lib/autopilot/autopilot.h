/* SPDX-License-Identifier: MIT */
/** @file autopilot/autopilot.h  Inside the autopilot: its state, and the stages of a step. */
#ifndef PSHI_AUTOPILOT_AUTOPILOT_H
#define PSHI_AUTOPILOT_AUTOPILOT_H

#include <predshard/autopilot.h>

#include "base/buffer.h"
#include "base/cursor.h"
#include "ds/idmap.h"

/** The latest decisions: a ring, with the place of each action's latest record. */
typedef struct pshi_audit_record {
    psh_audit body;
    int closed; /* its subject has gone: the outcome stands */
} pshi_audit_record;

typedef struct pshi_audits {
    pshi_audit_record *records; /* grows to max_audit, from then on a ring; the oldest at `first` */
    size_t first, count, capacity;
    pshi_idmap index; /* action id -> place of its latest record */
} pshi_audits;

/** A partition that was created or dropped, of which the materializer could not be told yet. */
typedef struct pshi_owed {
    psh_action action; /* pointers cleared: they are not needed */
    uint64_t source, position;
    int64_t commit_time;
} pshi_owed;

struct psh_autopilot {
    psh_env *env;
    psh_schema *schema;
    psh_autopilot_options options;
    psh_parts parts;
    int busy;        /* inside a call, which the policy might try to make again */
    int has_cdc;
    int64_t last;    /* time of the last step; PSH_TIME_NONE before */
    int64_t next_cycle, next_poll, next_checkpoint;
    int64_t fill_after; /* after a host error: no fill before this time */
    int hurry, refresh;
    int dirty;       /* the world no longer tells the truth */
    int activated;   /* partitions became active that no checkpoint knows yet */
    pshi_idmap unstored; /* actions that change owners, begun, but no checkpoint knows it: not handed out yet */
    int filling;     /* parts wait to be filled */
    psh_change_batch *batch;
    int batch_waits; /* polled, not applied yet: memory was short */
    int batch_ends;  /* with it, everything up to batch_state is in */
    psh_cdc_state batch_state;
    psh_plan *plan;
    psh_demand *demand;
    pshi_audits audits;
    pshi_owed *owed;
    size_t owed_count, owed_capacity;
    psh_autopilot_stats stats;
};

/** One step under way: every stage runs; the first failure is what step returns. */
typedef struct pshi_step {
    int64_t now;
    uint32_t budget;
    int more; /* work is left that is due now */
    psh_status status;
    psh_error *err; /* NULL once the first failure has been written */
} pshi_step;

/** Notes a stage's outcome: signals set nothing, a failure is kept if it is the first. @return st. */
psh_status pshi_step_note(psh_autopilot *a, pshi_step *s, psh_status st);

/* cycle.c: demand -> wants -> plan -> what is allowed -> driver. */
psh_status pshi_cycle(psh_autopilot *a, pshi_step *s);
/* accept.c: the part of a plan that is carried out. */
psh_status pshi_accept(psh_autopilot *a, psh_plan *plan, int64_t now, psh_plan **out, psh_error *err);
/**
 * The driver's gate: what was not begun when it was accepted, since it waited for another, begins now.
 * @return PSH_OK, PSH_AGAIN (begun, but to be stored before it is handed out), an error.
 */
psh_status pshi_begin(void *user, const psh_action *action);
/** Takes the begun actions of a plan back, from the last on. */
void pshi_unbegin(psh_autopilot *a, psh_plan *plan, psh_status why, int64_t now);
/* act.c: driver, its events, fills. */
void pshi_drive(psh_autopilot *a, pshi_step *s);
psh_status pshi_events(psh_autopilot *a, int64_t now);
void pshi_pay_owed(psh_autopilot *a, pshi_step *s);
void pshi_fill(psh_autopilot *a, pshi_step *s);
/* follow.c: changes of the source. */
void pshi_follow(psh_autopilot *a, pshi_step *s);
/** Applies a batch that was polled but not applied. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_apply_waiting(psh_autopilot *a);
/* publish.c */
psh_status pshi_publish(psh_autopilot *a, int64_t now, uint64_t epoch, psh_error *err);
/** Publishes under the next epoch. */
psh_status pshi_publish_next(psh_autopilot *a, int64_t now, psh_error *err);

/* checkpoint.c */
/** One checkpoint, from inside a step or alone. */
psh_status pshi_checkpoint(psh_autopilot *a, int64_t now, psh_error *err);
/** 1 if activations must be checkpointed before a world may send rows to them. */
int pshi_owes_checkpoint(const psh_autopilot *a);

/* recover.c */
/** Brings the map up to what the host holds, where the source went on after the checkpoint. */
psh_status pshi_recover(psh_autopilot *a, psh_error *err);

/* audit.c */
/** Room for one plan's records, so that adding them cannot fail. */
psh_status pshi_audit_room(psh_autopilot *a, size_t more);
/** Records a decision, or changes the record of the same decision made before. */
void pshi_audit_add(psh_autopilot *a, const psh_action *action, psh_status status, int64_t now);
void pshi_audit_end(psh_autopilot *a, const psh_completion *c);
/** What came of the records of a subject that goes now. */
void pshi_audit_outcome(psh_autopilot *a, uint64_t subject, double outcome);
void pshi_audits_encode(pshi_writer *w, const psh_autopilot *a);
psh_status pshi_audits_decode(psh_autopilot *a, pshi_cursor *c);
void pshi_audit_free(psh_autopilot *a);

/* create.c */
/** Everything but the parts. */
psh_status pshi_autopilot_make(
    psh_env *env, psh_schema *schema, const psh_autopilot_options *o, psh_autopilot **out, psh_error *err);
/** Takes the parts: from here on it works. */
psh_status pshi_autopilot_attach(psh_autopilot *a, const psh_parts *parts, psh_error *err);

/* state.c: the autopilot's own section of a checkpoint. */
psh_status pshi_autopilot_save(const psh_autopilot *a, psh_buffer *out);
psh_status pshi_autopilot_load(psh_autopilot *a, const void *data, size_t size, uint64_t *epoch);

#endif
