/* SPDX-License-Identifier: MIT */
/** @file words.h  Partitions and numbers as text and JSON. */
#ifndef TOOL_MAP_WORDS_H
#define TOOL_MAP_WORDS_H

#include <predshard.h>

#include "../clock.h"
#include "../output.h"

#define WORDS_SIZE 48     /* of most texts here */
#define WORDS_NAME 320    /* of a partition's name */

/** "1.2 MiB". */
void words_bytes(uint64_t n, char out[WORDS_SIZE]);
/** "0x00ff...": ids and ring points, which JSON's numbers do not hold. */
void words_id(uint64_t id, char out[WORDS_SIZE]);
/** A time, "-" for none, "open" for a bound without end. */
void words_time(int64_t t, char out[WORDS_SIZE]);
/** "2006-01-02", or with the time of day where it is not midnight. */
void words_start(int64_t t, char out[WORDS_SIZE]);
/** The host's table name; "?" where there is none. */
void words_name(const psh_schema *s, const psh_partition *p, char out[WORDS_NAME]);
/** The share of the ring that an arc is, in percent. */
double words_share(uint64_t first, uint64_t last);
const char *words_access(uint32_t access);
/** id as hexadecimal text. */
void put_id(json_t *to, const char *key, uint64_t id, failure *f);
void push_id(json_t *to, uint64_t id, failure *f);
/** Open bounds are null. */
void put_time(json_t *to, const char *key, int64_t t, failure *f);
/** An empty object or array in `to`. @return it, borrowed; NULL with f set. */
json_t *put_object(json_t *to, const char *key, failure *f);
json_t *put_array(json_t *to, const char *key, failure *f);
json_t *push_object(json_t *to, failure *f);
/** Fills an object with a partition and its name. */
void put_partition(json_t *at, const psh_schema *s, const psh_partition *p, failure *f);

#endif
