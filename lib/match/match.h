/* SPDX-License-Identifier: MIT */
/** @file match/match.h  When one predicate implies another; time ranges on buckets. */
#ifndef PSHI_MATCH_MATCH_H
#define PSHI_MATCH_MATCH_H

#include <predshard/view.h>

/**
 * Whether every value that p accepts is accepted by d. Both on one column. Sound: 1 is never wrong.
 * @param binary  0: text of a collation of the host, of which only equality of bytes is known
 */
int pshi_predicate_implies(const psh_predicate *p, const psh_predicate *d, int binary);
/** The last start of a bucket at or before t, saturating. bucket > 0. */
int64_t pshi_bucket_floor(int64_t t, int64_t bucket, int64_t origin);
/** The first start of a bucket at or after t, saturating. bucket > 0. */
int64_t pshi_bucket_ceil(int64_t t, int64_t bucket, int64_t origin);
/** Cuts [*from, *to) inward to whole buckets; open bounds stay; what is empty ends with *to = *from. */
void pshi_bucket_cut(int64_t *from, int64_t *to, int64_t bucket, int64_t origin);

#endif
