/* SPDX-License-Identifier: MIT */
/** @file util/test.h  What every cmocka test includes. */
#ifndef TEST_UTIL_TEST_H
#define TEST_UTIL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <predshard.h>

#define assert_ok(call) assert_int_equal((call), PSH_OK)

/** An allocator that counts, and fails the nth allocation from now: once, or it and all after it. */
typedef struct test_alloc {
    int64_t countdown; /**< < 0: never fails */
    int forever;
    uint64_t calls;    /**< allocations tried */
    int64_t live;      /**< blocks not yet released */
    int failed;        /**< 1 once an allocation was refused */
} test_alloc;

/** An env over *a (zeroed first, never failing). */
psh_env *test_env(test_alloc *a);
/** From now on the nth allocation (0 = the next) fails. n < 0: none. */
void test_alloc_fail(test_alloc *a, int64_t n, int forever);

/**
 * The schema of the main job: table 0 "flights": 0 origin TEXT (tenant), 1 time TIMESTAMP (event time),
 * 2 seq INT64, 3 destination TEXT, 4 delay INT64 nullable, 5 distance INT64; key (origin, time, seq);
 * intervals of one day from 1970.
 */
psh_schema *test_flights_schema(psh_env *env);

psh_value test_int(int64_t x);
psh_value test_time(int64_t t);
psh_value test_text(const char *s);
psh_value test_double(double x);
psh_value test_null(void);
/** Fills row[6]. */
void test_flight(
    psh_value row[6], const char *origin, int64_t time, int64_t seq, const char *destination, int64_t delay,
    int64_t distance);

/** 2001-01-01T00:00:00Z. */
#define TEST_T0 (INT64_C(978307200) * PSH_SECOND)

/** A thing to try under failing memory: builds, uses and frees everything from env. @return its first status
 *  that is not PSH_OK, or PSH_OK. */
typedef psh_status (*test_scenario)(psh_env *env, void *user);
/**
 * Runs a scenario, then again with each allocation failing, once and forever: it must end with PSH_E_NOMEM or
 * PSH_OK, crash nowhere and leave no block behind.
 */
void test_every_allocation(test_scenario scenario, void *user);

#endif
