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
} pshi_account;

/** What one partition or view holds. */
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
/** Whether actions of a kind take room. */
int pshi_tiers_takes_room(uint32_t kind);

#endif
