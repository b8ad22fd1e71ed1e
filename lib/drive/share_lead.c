/* SPDX-License-Identifier: MIT */
/*
 * Who leads. The lead key gives out fences, each to one process; the root key carries the fence of the leader
 * alone. A new leader moves the root on, unchanged but for its fence, before it is told that it leads: every
 * compare-and-set that an older leader has under way then expects a version that is gone (fencing tokens as in
 * Gray & Cheriton 1989, "Leases", and Burrows 2006, "The Chubby lock service", section 2.4: sequencers).
 */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "drive/share.h"

static psh_status is_led_by(const pshi_share_lead *lead, psh_error *err) {
    char text[64 + PSHI_SHARE_MAX_NAME];

    strcpy(text, "another process leads: ");
    strcat(text, lead->owner[0] ? lead->owner : "by a newer fence");
    return pshi_fail(err, PSH_E_FENCED, "lead", text);
}

/* The fence that a process may lead under now; its own again if it held the lead all the time. */
static psh_status next_fence(
    const psh_share *s, const pshi_share_lead *lead, int64_t now, uint64_t *fence, psh_error *err) {
    int mine = strcmp(lead->owner, s->owner) == 0;

    if (lead->owner[0] && !mine && now < lead->lease_end)
        return is_led_by(lead, err);
    *fence = lead->fence;
    if (mine && s->leads && lead->fence == s->fence)
        return PSH_OK;
    if (*fence < s->root_fence)
        *fence = s->root_fence; /* the lead key was lost: fences do not go back for that */
    if (*fence < s->fence)
        *fence = s->fence;
    if (*fence >= UINT64_MAX - 1)
        return pshi_fail(err, PSH_E_CORRUPT, "lead", "no fence is left above the one in the store");
    ++*fence;
    return PSH_OK;
}

/* Raises the root's fence to `fence`. */
static psh_status seal_root(psh_share *s, uint64_t fence, psh_error *err) {
    pshi_share_root root;
    psh_status st;
    uint32_t i;

    for (i = 0; i < s->o.max_retries; i++) {
        st = pshi_share_read_root(s, &root, err);
        if (st != PSH_OK)
            return st;
        if (root.fence == fence) {
            pshi_share_root_free(s, &root);
            return PSH_OK;
        }
        if (root.fence > fence) {
            pshi_share_root_free(s, &root);
            return pshi_fail(err, PSH_E_FENCED, "root", "another process has taken the lead meanwhile");
        }
        root.fence = fence;
        if (!root.version)
            root.schema = s->schema_hash;
        st = pshi_share_write_root(s, &root, err);
        pshi_share_root_free(s, &root);
        if (st != PSH_E_CONFLICT) {
            s->root_fence = st == PSH_OK ? fence : s->root_fence;
            return st;
        }
        s->stats.races_lost++;
    }
    return pshi_share_lost(err, "root");
}

/* Writes the lead key, but does not lead yet: the root may still be moved under an older fence. */
static psh_status take_lead(psh_share *s, int64_t now, uint64_t *fence, psh_error *err) {
    pshi_share_lead lead;
    pshi_share_root root;
    psh_status st;
    uint32_t i;

    for (i = 0; i < s->o.max_retries; i++) {
        st = pshi_share_read_root(s, &root, err); /* its fence is noted in s */
        if (st != PSH_OK)
            return st;
        pshi_share_root_free(s, &root);
        st = pshi_share_read_lead(s, &lead, err);
        if (st == PSH_OK)
            st = next_fence(s, &lead, now, fence, err);
        if (st != PSH_OK)
            return st;
        lead.fence = *fence;
        lead.lease_end = pshi_time_add(now, s->o.lease_ns);
        strcpy(lead.owner, s->owner);
        st = pshi_share_write_lead(s, &lead, err);
        if (st == PSH_OK) {
            s->leads = s->leads && lead.fence == s->fence;
            s->lease_end = lead.lease_end;
        }
        if (st != PSH_E_CONFLICT)
            return st;
        s->stats.races_lost++;
    }
    return pshi_share_lost(err, "lead");
}

static psh_status lead_now(psh_share *s, int64_t now, uint64_t *fence, psh_error *err) {
    uint64_t next = 0;
    psh_status st;

    if (now == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "now", "must be a time");
    st = take_lead(s, now, &next, err);
    if (st == PSH_OK)
        st = seal_root(s, next, err);
    if (st == PSH_E_FENCED)
        s->leads = 0;
    if (st != PSH_OK)
        return st;
    s->leads = 1;
    s->fence = next;
    if (next > s->stats.fence)
        s->stats.fence = next;
    if (fence)
        *fence = next;
    return PSH_OK;
}

psh_status psh_share_lead(psh_share *s, int64_t now, uint64_t *fence, psh_error *err) {
    psh_status st = pshi_share_enter(s, err);

    if (st != PSH_OK)
        return st;
    st = lead_now(s, now, fence, err);
    s->stats.leads = s->leads != 0;
    return pshi_share_leave(s, st);
}

static psh_status resign_now(psh_share *s, psh_error *err) {
    pshi_share_lead lead;
    psh_status st;
    uint32_t i;

    for (i = 0; s->leads && i < s->o.max_retries; i++) {
        st = pshi_share_read_lead(s, &lead, err);
        if (st != PSH_OK)
            return st;
        if (lead.fence != s->fence || strcmp(lead.owner, s->owner) != 0) {
            s->leads = 0; /* taken by another already */
            return PSH_OK;
        }
        lead.owner[0] = '\0';
        lead.lease_end = PSH_TIME_MIN;
        st = pshi_share_write_lead(s, &lead, err);
        if (st == PSH_OK)
            s->leads = 0;
        if (st != PSH_E_CONFLICT)
            return st;
        s->stats.races_lost++;
    }
    return s->leads ? pshi_share_lost(err, "lead") : PSH_OK;
}

psh_status psh_share_resign(psh_share *s, int64_t now, psh_error *err) {
    psh_status st = pshi_share_enter(s, err);

    if (st != PSH_OK)
        return st;
    if (now == PSH_TIME_NONE)
        return pshi_share_leave(s, pshi_fail(err, PSH_E_INVALID, "now", "must be a time"));
    st = resign_now(s, err);
    s->stats.leads = s->leads != 0;
    return pshi_share_leave(s, st);
}

psh_status pshi_share_leads(psh_share *s, int64_t now, psh_error *err) {
    if (now == PSH_TIME_NONE)
        return pshi_fail(err, PSH_E_INVALID, "now", "must be a time");
    if (!s->leads)
        return pshi_fail(err, PSH_E_FENCED, "lead", "this process does not lead");
    if (now >= s->lease_end)
        return pshi_fail(err, PSH_E_FENCED, "lead", "the lease ran out: lead again");
    return PSH_OK;
}

psh_status pshi_share_unfenced(psh_share *s, const pshi_share_root *root, psh_error *err) {
    if (root->fence <= s->fence)
        return PSH_OK;
    s->leads = 0;
    s->stats.leads = 0;
    return pshi_fail(err, PSH_E_FENCED, "root", "another process has taken the lead");
}

static psh_status compare_fence(psh_share *s, uint64_t fence, psh_error *err) {
    pshi_share_root root;
    pshi_share_lead lead;
    psh_status st = pshi_share_read_root(s, &root, err);

    if (st != PSH_OK)
        return st;
    pshi_share_root_free(s, &root);
    st = pshi_share_read_lead(s, &lead, err);
    if (st != PSH_OK)
        return st;
    if (fence < root.fence || fence < lead.fence)
        return pshi_fail(err, PSH_E_FENCED, "fence", "is older than that of the leader");
    return PSH_OK;
}

psh_status psh_share_check_fence(psh_share *s, uint64_t fence, psh_error *err) {
    psh_status st = pshi_share_enter(s, err);

    return st == PSH_OK ? pshi_share_leave(s, compare_fence(s, fence, err)) : st;
}
