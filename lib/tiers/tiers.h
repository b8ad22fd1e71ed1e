/* SPDX-License-Identifier: MIT */
/** @file tiers/tiers.h  The inside of the tier allocator: accounts and what each subject holds in them. */
#ifndef PSHI_TIERS_TIERS_H
#define PSHI_TIERS_TIERS_H

#include <predshard/tiers.h>

typedef struct pshi_account {
    psh_tier_info info; /* its ledger fields stay 0: the sums are below */
    uint64_t planned;   /* of actions begun, not completed */
    uint64_t reserved;  /* of actions completed, not yet filled */
    uint64_t used;
    uint64_t granted;
    uint64_t released;
    uint64_t overflow;
    uint32_t subjects;
    uint32_t closed; /* 1: its node was released: it takes nothing */
} pshi_account;

#define PSHI_COPY_WARMING 1u /* a replica that is being copied */
#define PSHI_COPY_READY 2u   /* a replica that fills what its owner fills */

/** What one partition, replica or view holds. */
typedef struct pshi_holding {
    uint64_t subject;
    uint64_t planned;
    uint64_t reserved;
    uint64_t used;
    uint64_t overflow;
    uint64_t moving;     /* planned in `to` while it moves */
    uint64_t pending_id; /* of the action begun; 0 = none */
    uint64_t done_id;    /* of the last action completed; 0 = none */
    uint32_t account;    /* index; PSH_NONE = holds nothing, there for its pending action */
    uint32_t to;         /* account it moves to; else PSH_NONE */
    uint32_t pending;    /* PSH_ACT_* */
    uint32_t fresh;      /* 1: made by the action that is pending */
    uint32_t copy;       /* PSHI_COPY_*; 0 = not a replica */
    uint32_t reserved_0;
} pshi_holding;

struct psh_tiers {
    psh_env *env;
    psh_tiers_options o;      /* its arrays are the two below */
    pshi_account *accounts;   /* by (node, tier) */
    size_t account_count;
    psh_retention *retention; /* by table */
    size_t retention_count;
    pshi_holding *holdings;   /* by subject */
    size_t holding_count;
    size_t holding_cap;
    size_t copy_count;        /* holdings of ready replicas */
    psh_left_out left_out;
};

/** @return the index or PSH_NONE. */
uint32_t pshi_tiers_find_account(const psh_tiers *t, uint32_t node, uint32_t tier);
const psh_retention *pshi_tiers_find_retention(const psh_tiers *t, uint32_t table);
/** @return the holding or NULL. */
pshi_holding *pshi_tiers_find_holding(const psh_tiers *t, uint64_t subject);
/** Bytes neither planned, reserved nor used. */
uint64_t pshi_account_free(const pshi_account *a);
/** Whole bytes of a finite amount >= 0, rounded up, at most 2^63. */
uint64_t pshi_tiers_bytes(double x);
/** What an action needs room for in its account, beyond what its subject holds there. */
uint64_t pshi_tiers_needed(const pshi_holding *h, uint32_t account, uint64_t bytes);
/** Whether actions of a kind take room for their subject where they are placed. */
int pshi_tiers_takes_room(uint32_t kind);
/** Whether actions of a kind split, merge or copy partitions. */
int pshi_tiers_is_move(uint32_t kind);
/** Whether actions of a kind are on nodes. */
int pshi_tiers_is_of_node(uint32_t kind);
/** Whose holding an action works on: its subject, or the replica of it. */
uint64_t pshi_tiers_holder(const psh_want *w);
/** The other subject on which nothing else may be under way meanwhile; 0 = none. */
uint64_t pshi_tiers_partner(const psh_want *w);
/** Bytes that a holding has in its account; 0 for NULL. */
uint64_t pshi_tiers_held(const pshi_holding *h);
/** Bytes that a copy of a REPLICATE's subject needs in all: what its owner holds, or what the steps say. */
uint64_t pshi_tiers_copy_bytes(const psh_tiers *t, const psh_want *w);
/** Bytes of source's that a MERGE has to find room for where its subject is; 0 on the same account. */
uint64_t pshi_tiers_merge_bytes(const psh_tiers *t, const psh_want *w);

/* ledger.c, for moves.c */
/** Gives back all that h holds in its account, and leaves it. */
void pshi_tiers_give_back(psh_tiers *t, pshi_holding *h);
/** Brings used to `bytes`: out of what is reserved, then out of what is free; the rest overflows. */
void pshi_tiers_fill(psh_tiers *t, pshi_holding *h, uint64_t bytes);
/** Takes a holding out of the array. */
void pshi_tiers_remove(psh_tiers *t, pshi_holding *h);
/** Puts a copy of *h where its subject belongs; there is room for it. */
void pshi_tiers_insert(psh_tiers *t, const pshi_holding *h);

/* moves.c */
/** @return PSH_OK, PSH_E_INVALID (fields that make no sense together). */
psh_status pshi_move_check(const psh_want *w);
/** Whether a move may begin on what the ledger knows. @return PSH_OK, PSH_E_STATE. */
psh_status pshi_move_may_begin(const psh_tiers *t, const psh_want *w);
/** Makes the transition of a kind of moves, of nodes, or of a drop; its planned bytes are reserved already. */
void pshi_move_finish(psh_tiers *t, const psh_want *w);
/** A partition fills other bytes: so do its ready replicas. */
void pshi_move_follow(psh_tiers *t, uint64_t partition, uint64_t bytes);

#endif
