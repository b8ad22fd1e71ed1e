/* SPDX-License-Identifier: MIT */
/** @file tiers/place.h  A plan being made: what was chosen, and the room that is left. */
#ifndef PSHI_TIERS_PLACE_H
#define PSHI_TIERS_PLACE_H

#include "ds/idmap.h"
#include "tiers/tiers.h"

#define PSHI_NAME_SIZE 320u /* a table's name, 255 at most, with interval and ordinal */
#define PSHI_REASON_SIZE 256u

/** What goes with an action until the plan has copied it. */
typedef struct pshi_placed {
    char name[PSHI_NAME_SIZE];
    char reason[PSHI_REASON_SIZE];
    size_t after_at; /* into afters */
    uint32_t account;
    uint32_t uses_freed; /* 1: has room only once the drops of its account are done */
    uint32_t behind[2];  /* moves: indexes of the actions on the same partitions before it; PSH_NONE = none */
} pshi_placed;

typedef struct pshi_placing {
    psh_tiers *t;
    psh_schema *schema;
    const psh_world *world; /* or NULL */
    uint64_t fence;
    psh_want *wants; /* in order of choice */
    unsigned char *settled; /* beside wants: 1 = chosen, or left out for good */
    size_t want_count;
    psh_action *actions;
    pshi_placed *extra; /* beside actions */
    size_t count;
    size_t max;
    pshi_idmap wanted_new;               /* subjects that some want creates */
    pshi_idmap wanted_steps;             /* steps that some want asks for, by pshi_place_step */
    pshi_idmap leaving;                  /* subjects of nodes that some want releases */
    pshi_idmap wanted_cuts;              /* splits that some want asks for, by pshi_place_cut */
    pshi_idmap chosen_cuts;              /* last steps of splits -> index */
    pshi_idmap copied;                   /* replicas that are wanted: id -> steps of them */
    pshi_idmap chosen[PSH_ACT_MAX + 1];  /* by kind: subject -> index of its latest action */
    pshi_idmap chosen_ids;               /* action id -> index */
    pshi_idmap chosen_steps;             /* pshi_place_step -> index */
    pshi_idmap chosen_gone;              /* replicas that are dropped: id -> index */
    pshi_idmap touched;                  /* partition -> index of the latest action on it */
    uint64_t *afters;
    size_t after_count;
    size_t after_cap;
    uint64_t *room;  /* by account: free now, less what was placed */
    uint64_t *freed; /* by account: to be freed by drops of this plan */
    uint64_t moved;
    psh_left_out left;
} pshi_placing;

/* place.c */
/** Where a subject is: by the ledger, the world, this plan, or the want itself. @return 0 if unknown. */
int pshi_place_home(const pshi_placing *c, const psh_want *w, uint32_t *node, uint32_t *tier);
/** @return the cheapest account of a node and tier (PSH_NONE = any) with room, the roomiest of equals. */
uint32_t pshi_place_cheapest(
    const pshi_placing *c, uint64_t holder, double bytes, int may_wait, uint32_t node, uint32_t tier,
    uint32_t but_tier);
/** @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_place_after(pshi_placing *c, uint64_t id);

/* place_moves.c */
/** The key of one step of a split or copy. */
uint64_t pshi_place_step(const psh_want *w, uint32_t step);
/** Notes what a move or an action on a node asks for, before anything is chosen. */
psh_status pshi_moves_read(pshi_placing *c, const psh_want *w);
/** Whether what a move needs before it is there or in the plan. */
int pshi_moves_have_predecessor(const pshi_placing *c, const psh_want *w);
/** Whether another action of the plan, on a partition of this want, is none that it may follow. */
int pshi_moves_conflict(const pshi_placing *c, const psh_want *w);
/** Settles where a move is done, and takes the room. @return 0 if there is no place. */
int pshi_moves_settle(pshi_placing *c, psh_action *a, pshi_placed *x);
/** Notes a chosen action. @return PSH_OK, PSH_E_NOMEM. */
psh_status pshi_moves_chosen(pshi_placing *c, const psh_action *a);
/** Appends what a move, or what is placed on a new node, waits for. */
psh_status pshi_moves_link(pshi_placing *c, size_t i);
void pshi_moves_explain(const psh_action *a, pshi_placed *x);
void pshi_moves_free(pshi_placing *c);

#endif
