/* SPDX-License-Identifier: MIT */
/* Events: when their windows are, what they teach, what they do to forecasts. */
#include "model/calendar.h"

#include <math.h>
#include <stdlib.h>

#include "base/civil.h"
#include "test.h"

#define DAY0 (INT64_C(15000) * PSH_DAY) /* 2011-01-26 */

static const pshi_event_who table = { { PSH_SUBJECT_TABLE, 3, 0 }, 0 };

static pshi_event event_of(uint64_t id, uint64_t kind, int64_t start, int64_t span) {
    pshi_event e = { 0 };

    e.id = id;
    e.kind = kind;
    e.start = start;
    e.end = start + span;
    return e;
}

static pshi_calendar *new_calendar(psh_env **env) {
    pshi_calendar *c = NULL;

    assert_ok(psh_env_create(NULL, env, NULL));
    assert_ok(pshi_calendar_create(*env, NULL, &c));
    return c;
}

static void free_calendar(psh_env *env, pshi_calendar *c) {
    pshi_calendar_destroy(c);
    psh_env_destroy(env);
}

/* Teaches the hours of a window: base 1000, so many times as much. */
static void teach(pshi_calendar *c, const pshi_event_who *who, int64_t start, int hours, double times) {
    int i;

    for (i = 0; i < hours; i++)
        assert_ok(pshi_calendar_learn(c, who, start + i * PSH_HOUR, start + (i + 1) * PSH_HOUR,
                                      1001 * times - 1, 1000));
}

static double effect_of(const pshi_calendar *c, const pshi_event_who *who, int64_t start) {
    return pshi_calendar_effect(c, who, start, start + PSH_HOUR);
}

static void refuses_events(void **state) {
    psh_env *env;
    pshi_calendar *c = new_calendar(&env);
    pshi_calendar_options o = { 2, 0, 0 };
    pshi_event e = event_of(1, PSHI_EVENT_HOLIDAY, DAY0, PSH_DAY), bad, got;
    psh_error err = { sizeof err };

    (void)state;
    assert_ok(pshi_calendar_add(c, &e, &err));
    assert_int_equal(pshi_calendar_add(c, &e, &err), PSH_E_EXISTS);
    assert_string_equal(err.field, "id");
    bad = e;
    bad.id = 2;
    assert_int_equal(pshi_calendar_add(c, &bad, &err), PSH_E_EXISTS);
#define REFUSED(change, name)                                             \
    bad = event_of(9, 9, DAY0 + PSH_DAY, PSH_HOUR);                       \
    change;                                                               \
    assert_int_equal(pshi_calendar_add(c, &bad, &err), PSH_E_INVALID);    \
    assert_string_equal(err.field, name)
    REFUSED(bad.id = 0, "id");
    REFUSED(bad.kind = 0, "kind");
    REFUSED(bad.start = PSH_TIME_NONE, "start");
    REFUSED(bad.end = bad.start, "end");
    REFUSED((bad.start = INT64_MIN + 1, bad.end = INT64_MAX), "end");
    REFUSED(bad.every = 9, "every");
    REFUSED(bad.every = PSHI_EVERY_SPAN, "every_ns");
    REFUSED(bad.every_ns = 5, "every_ns");
    REFUSED((bad.every = PSHI_EVERY_SPAN, bad.every_ns = PSH_MINUTE), "end");
    REFUSED((bad.every = PSHI_EVERY_WEEK, bad.end = bad.start + 8 * PSH_DAY), "end");
    REFUSED((bad.every = PSHI_EVERY_WEEK, bad.flags = PSHI_EVENT_ONE_OFF), "flags");
    REFUSED(bad.flags = 64, "flags");
    REFUSED(bad.scope.kind = PSH_SUBJECT_TEMPLATE, "scope");
    REFUSED(bad.like = 9, "like");
    REFUSED(bad.factor = 100, "factor");
    REFUSED(bad.factor = (double)NAN, "factor");
    REFUSED(bad.factor = 2, "weight");
    REFUSED(bad.weight = 2, "weight");
    REFUSED(bad.missing_day = 3, "missing_day");
    REFUSED(bad.seen = 3, "seen");
    assert_int_equal(pshi_calendar_count(c), 1);
    assert_ok(pshi_calendar_get(c, 0, &got));
    assert_int_equal(got.id, 1);
    assert_int_equal(pshi_calendar_get(c, 1, &got), PSH_E_NOT_FOUND);
    assert_int_equal(pshi_calendar_remove(c, 2), PSH_E_NOT_FOUND);
    assert_ok(pshi_calendar_remove(c, 1));
    assert_int_equal(pshi_calendar_count(c), 0);
    pshi_calendar_destroy(c);
    assert_ok(pshi_calendar_create(env, &o, &c));
    assert_ok(pshi_calendar_add(c, &e, NULL));
    e = event_of(2, 1, DAY0 + PSH_DAY, PSH_DAY);
    assert_ok(pshi_calendar_add(c, &e, NULL));
    e = event_of(3, 1, DAY0 + 2 * PSH_DAY, PSH_DAY);
    assert_int_equal(pshi_calendar_add(c, &e, &err), PSH_E_LIMIT);
    o.most_events = 70000;
    pshi_calendar_destroy(c);
    assert_int_equal(pshi_calendar_create(env, &o, &c), PSH_E_INVALID);
    free_calendar(env, c);
}

static void assert_date(const pshi_event *e, int64_t t, int64_t year, int month, int day) {
    int64_t start, end;
    pshi_civil d;

    assert_true(pshi_event_window(e, t, &start, &end));
    assert_true(end > t && end - start == e->end - e->start);
    d = pshi_civil_from(start);
    assert_int_equal(d.year, year);
    assert_int_equal(d.month, month);
    assert_int_equal(d.day, day);
    assert_int_equal(d.hour, pshi_civil_from(e->start).hour);
}

static void windows_recur(void **state) {
    /* 2012-02-29T06:00Z, an hour, is day 15399 */
    pshi_event e = event_of(1, 1, INT64_C(15399) * PSH_DAY + 6 * PSH_HOUR, PSH_HOUR);
    int64_t start, end, t;
    int k;

    (void)state;
    assert_date(&e, INT64_MIN + 1, 2012, 2, 29);
    assert_false(pshi_event_window(&e, e.end, &start, &end));
    e.every = PSHI_EVERY_YEAR;
    assert_date(&e, e.end - 1, 2012, 2, 29);
    assert_date(&e, e.end, 2013, 2, 28);
    e.missing_day = PSHI_SHORT_NEXT;
    assert_date(&e, e.end, 2013, 3, 1);
    e.missing_day = PSHI_SHORT_SKIP;
    assert_date(&e, e.end, 2016, 2, 29);
    assert_date(&e, INT64_C(46000) * PSH_DAY, 2096, 2, 29); /* 2095-12-11 */
    assert_date(&e, INT64_C(46200) * PSH_DAY, 2104, 2, 29); /* 2096-06-28: 2100 is no leap year */
    e = event_of(1, 1, INT64_C(15370) * PSH_DAY, PSH_DAY); /* 2012-01-31 */
    e.every = PSHI_EVERY_MONTH;
    assert_date(&e, e.end, 2012, 2, 29);
    assert_date(&e, e.start + 31 * PSH_DAY, 2012, 3, 31);
    e.missing_day = PSHI_SHORT_SKIP;
    assert_date(&e, e.end, 2012, 3, 31);
    assert_date(&e, INT64_C(15431) * PSH_DAY, 2012, 5, 31);
    e = event_of(1, 1, -3 * PSH_HOUR, 2 * PSH_HOUR);
    e.every = PSHI_EVERY_SPAN;
    e.every_ns = 5 * PSH_HOUR;
    for (k = 0; k < 100; k++) {
        t = -10 * PSH_HOUR + k * PSH_HOUR;
        assert_true(pshi_event_window(&e, t, &start, &end));
        assert_true(end > t && (start + 3 * PSH_HOUR) % (5 * PSH_HOUR) == 0 && start >= -3 * PSH_HOUR);
        assert_true(start <= t || t < -3 * PSH_HOUR || start - t <= 3 * PSH_HOUR);
    }
    e.start += PSH_DAY;
    e.end += PSH_DAY;
    e.every_ns = INT64_MAX;
    assert_false(pshi_event_window(&e, e.end, &start, &end));
    e = event_of(1, 1, INT64_MAX - PSH_DAY, PSH_HOUR);
    for (k = PSHI_EVERY_WEEK; k <= (int)PSHI_EVERY_YEAR; k++) {
        e.every = (uint32_t)k;
        assert_true(pshi_event_window(&e, INT64_MIN + 1, &start, &end));
        assert_false(pshi_event_window(&e, INT64_MAX - 1, &start, &end));
    }
}

/* One window helps, not fully; three to four nearly fully. Yearly, so each is a year apart. */
static void learns_by_windows(void **state) {
    psh_env *env;
    pshi_calendar *c = new_calendar(&env);
    pshi_event e = event_of(1, PSHI_EVENT_PROMOTION, DAY0, PSH_DAY);
    double share[5];
    int64_t year = 365 * PSH_DAY;
    int k;

    (void)state;
    e.every = PSHI_EVERY_YEAR;
    assert_ok(pshi_calendar_add(c, &e, NULL));
    assert_true(effect_of(c, &table, DAY0) == 1);
    for (k = 0; k < 4; k++) {
        teach(c, &table, DAY0 + k * year + (k >= 2) * PSH_DAY, 24, 2);
        share[k] = log(effect_of(c, &table, DAY0 + 6 * PSH_HOUR)) / log(2);
    }
    assert_true(share[0] > 0.5 && share[0] < 0.85);
    assert_true(share[1] > share[0] && share[2] > share[1] && share[2] > 0.85);
    assert_true(share[3] > 0.9 && share[3] < 1.0001);
    assert_true(effect_of(c, &table, DAY0 + 4 * year + PSH_DAY + 6 * PSH_HOUR) > 1.8); /* the next one */
    assert_true(effect_of(c, &table, DAY0 + 2 * PSH_DAY) == 1);
    assert_true(effect_of(c, &table, DAY0 - PSH_HOUR) == 1);
    assert_true(pshi_calendar_is_masked(c, &table, DAY0 + 3 * PSH_HOUR, DAY0 + 4 * PSH_HOUR));
    assert_true(pshi_calendar_is_masked(c, &table, DAY0 - PSH_HOUR, DAY0 + 1));
    assert_false(pshi_calendar_is_masked(c, &table, DAY0 - PSH_HOUR, DAY0));
    assert_false(pshi_calendar_is_masked(c, &table, DAY0 + PSH_DAY, DAY0 + 2 * PSH_DAY));
    free_calendar(env, c);
}

/* Dates of a kind teach one another; places of the window keep their own shape. */
static void kinds_are_pooled(void **state) {
    psh_env *env;
    pshi_calendar *c = new_calendar(&env);
    pshi_event e;
    double morning, evening, other[48];
    uint8_t mask[48];
    uint64_t k;

    (void)state;
    for (k = 0; k < 5; k++) {
        e = event_of(10 + k, PSHI_EVENT_HOLIDAY, DAY0 + (int64_t)k * 40 * PSH_DAY, PSH_DAY);
        assert_ok(pshi_calendar_add(c, &e, NULL));
    }
    for (k = 0; k < 4; k++) {
        teach(c, &table, DAY0 + (int64_t)k * 40 * PSH_DAY, 12, 0.4);
        teach(c, &table, DAY0 + (int64_t)k * 40 * PSH_DAY + 12 * PSH_HOUR, 12, 1.5);
    }
    morning = effect_of(c, &table, e.start + 5 * PSH_HOUR);
    evening = effect_of(c, &table, e.start + 20 * PSH_HOUR);
    assert_true(morning > 0.38 && morning < 0.6);
    assert_true(evening > 1.2 && evening < 1.55);
    pshi_calendar_effects(c, &table, e.start - PSH_DAY, PSH_HOUR, 48, other);
    assert_true(other[0] == 1 && other[23] == 1 && other[24 + 5] == morning && other[24 + 20] == evening);
    pshi_calendar_masks(c, &table, e.start - PSH_DAY - 30 * PSH_MINUTE, PSH_HOUR, 48, mask);
    for (k = 0; k < 48; k++)
        assert_int_equal(mask[k], k >= 24);
    pshi_calendar_masks(c, &table, e.start - PSH_DAY - 90 * PSH_MINUTE, PSH_HOUR, 48, mask);
    for (k = 0; k < 48; k++)
        assert_int_equal(mask[k], k >= 25);
    /* A day's bucket sees the mean of its hours. */
    morning = pshi_calendar_effect(c, &table, e.start, e.end);
    evening = 0;
    for (k = 24; k < 48; k++)
        evening += other[k] / 24;
    assert_true(fabs(morning - evening) < 1e-9);
    free_calendar(env, c);
}

/* The host's guess counts before any data shows it, and gives way to what is seen. */
static void host_knows(void **state) {
    psh_env *env;
    pshi_calendar *c = new_calendar(&env);
    pshi_event e = event_of(1, PSHI_EVENT_CAMPAIGN, DAY0, PSH_DAY);
    double now;

    (void)state;
    e.factor = 1.5;
    e.weight = 1;
    e.every = PSHI_EVERY_MONTH;
    assert_ok(pshi_calendar_add(c, &e, NULL));
    assert_true(fabs(effect_of(c, &table, DAY0 + PSH_HOUR) - 1.5) < 1e-12);
    assert_true(fabs(pshi_calendar_apply(1000, 1.5) - 1500.5) < 1e-9);
    assert_true(fabs(pshi_calendar_clean(1500.5, 1.5) - 1000) < 1e-9);
    assert_true(pshi_calendar_apply(0, 0.5) == 0);
    teach(c, &table, DAY0, 24, 3);
    now = effect_of(c, &table, DAY0 + PSH_HOUR);
    assert_true(now > 1.8 && now < 2.8);
    /* An hour that the event half fills. */
    e = event_of(2, PSHI_EVENT_DEPLOYMENT, DAY0 + 3 * PSH_DAY + PSH_HOUR / 2, PSH_HOUR / 2);
    e.factor = 2;
    e.weight = 1;
    assert_ok(pshi_calendar_add(c, &e, NULL));
    assert_true(fabs(effect_of(c, &table, DAY0 + 3 * PSH_DAY) - 1.5) < 1e-9);
    free_calendar(env, c);
}

static void behaves_like(void **state) {
    psh_env *env;
    pshi_calendar *c = new_calendar(&env);
    pshi_event a = event_of(1, 100, DAY0, PSH_DAY), b = event_of(2, 200, DAY0 + 50 * PSH_DAY, PSH_DAY);
    pshi_event plain = event_of(3, 300, DAY0 + 60 * PSH_DAY, PSH_DAY);
    double of_a, of_b;

    (void)state;
    b.like = 1;
    assert_ok(pshi_calendar_add(c, &b, NULL)); /* before the other is there */
    assert_ok(pshi_calendar_add(c, &a, NULL));
    assert_ok(pshi_calendar_add(c, &plain, NULL));
    assert_true(effect_of(c, &table, b.start) == 1);
    teach(c, &table, DAY0, 24, 3);
    of_a = effect_of(c, &table, DAY0 + 4 * PSH_HOUR);
    of_b = effect_of(c, &table, b.start + 4 * PSH_HOUR);
    assert_true(of_a > 1.7 && fabs(of_b - of_a) < 1e-9);
    assert_true(effect_of(c, &table, plain.start + 4 * PSH_HOUR) == 1);
    teach(c, &table, b.start, 24, 1); /* it does not, after all */
    assert_true(effect_of(c, &table, b.start + 4 * PSH_HOUR) < of_b - 0.3);
    free_calendar(env, c);
}

/* What others saw counts, less than what the subject itself saw; and only where the scope reaches. */
static void subjects_and_scopes(void **state) {
    psh_env *env;
    pshi_calendar *c = new_calendar(&env);
    pshi_event e = event_of(1, PSHI_EVENT_HOLIDAY, DAY0, PSH_DAY);
    pshi_event_who who = { { PSH_SUBJECT_TENANT, 3, 0 }, 0 };
    double fresh, known;
    uint64_t k;

    (void)state;
    e.every = PSHI_EVERY_YEAR;
    assert_ok(pshi_calendar_add(c, &e, NULL));
    for (k = 1; k <= 20; k++) {
        who.subject.id = k;
        teach(c, &who, DAY0, 24, k == 20 ? 1 : 2);
    }
    who.subject.id = 99;
    fresh = effect_of(c, &who, DAY0 + 365 * PSH_DAY);
    who.subject.id = 20;
    known = effect_of(c, &who, DAY0 + 365 * PSH_DAY);
    assert_true(fresh > 1.3 && fresh < 2 && known < fresh - 0.15);
    e = event_of(2, 7, DAY0 + 10 * PSH_DAY, PSH_DAY);
    e.factor = 2;
    e.weight = 1;
    e.scope = (psh_subject){ PSHI_SCOPE_TENANT, PSH_NONE, 20 };
    assert_ok(pshi_calendar_add(c, &e, NULL));
    assert_true(effect_of(c, &who, e.start) > 1.9);
    who.subject.id = 21;
    assert_true(effect_of(c, &who, e.start) == 1);
    e.id = 3;
    e.scope = (psh_subject){ PSHI_SCOPE_SEGMENT, 0, 5 };
    e.start += 10 * PSH_DAY;
    e.end += 10 * PSH_DAY;
    assert_ok(pshi_calendar_add(c, &e, NULL));
    assert_true(effect_of(c, &who, e.start) == 1);
    who.segment = 5;
    assert_true(effect_of(c, &who, e.start) > 1.9);
    e.id = 4;
    e.scope = (psh_subject){ PSHI_SCOPE_TABLE, 4, 0 };
    assert_ok(pshi_calendar_add(c, &e, NULL));
    who.segment = 0;
    assert_true(effect_of(c, &who, e.start) == 1);
    assert_false(pshi_calendar_is_masked(c, &who, e.start, e.end));
    who.subject.table = 4;
    assert_true(effect_of(c, &who, e.start) > 1.9);
    free_calendar(env, c);
}

/* One-off: masked, helps itself, teaches its kind nothing. Weekly: the season's own after two. */
static void one_offs_and_seasons(void **state) {
    psh_env *env;
    pshi_calendar *c = new_calendar(&env);
    pshi_event e = event_of(1, 50, DAY0, PSH_DAY);

    (void)state;
    e.flags = PSHI_EVENT_ONE_OFF;
    assert_ok(pshi_calendar_add(c, &e, NULL));
    teach(c, &table, DAY0, 6, 4);
    assert_true(effect_of(c, &table, DAY0 + 8 * PSH_HOUR) > 1.5);
    assert_true(pshi_calendar_is_masked(c, &table, DAY0, DAY0 + PSH_HOUR));
    e = event_of(2, 50, DAY0 + 20 * PSH_DAY, PSH_DAY);
    assert_ok(pshi_calendar_add(c, &e, NULL));
    assert_true(effect_of(c, &table, e.start) == 1);
    e = event_of(3, 60, DAY0 + 30 * PSH_DAY, PSH_DAY);
    e.every = PSHI_EVERY_WEEK;
    assert_ok(pshi_calendar_add(c, &e, NULL));
    teach(c, &table, e.start, 24, 3);
    assert_true(effect_of(c, &table, e.start + 7 * PSH_DAY) > 1.5);
    assert_true(pshi_calendar_is_masked(c, &table, e.start, e.end));
    teach(c, &table, e.start + 7 * PSH_DAY, 24, 3);
    assert_true(effect_of(c, &table, e.start + 14 * PSH_DAY) == 1);
    assert_false(pshi_calendar_is_masked(c, &table, e.start, e.end));
    free_calendar(env, c);
}

/* Two at once share a bucket's ratio between them; removing one forgets it and keeps the other's. */
static void overlapping(void **state) {
    psh_env *env;
    pshi_calendar *c = new_calendar(&env);
    pshi_event a = event_of(1, 100, DAY0, PSH_DAY), b = event_of(2, 200, DAY0 + 12 * PSH_HOUR, PSH_DAY);
    double both;
    int64_t year;
    int k;

    (void)state;
    a.every = b.every = PSHI_EVERY_YEAR;
    assert_ok(pshi_calendar_add(c, &a, NULL));
    assert_ok(pshi_calendar_add(c, &b, NULL));
    for (k = 0; k < 4; k++) {
        year = (365 * k + (k >= 2)) * PSH_DAY;
        teach(c, &table, DAY0 + year, 12, 2);
        teach(c, &table, DAY0 + year + 12 * PSH_HOUR, 12, 4);
        teach(c, &table, DAY0 + year + PSH_DAY, 12, 2);
    }
    both = effect_of(c, &table, DAY0 + 15 * PSH_HOUR);
    assert_true(both > 3 && both < 5);
    assert_true(effect_of(c, &table, DAY0) > 1.6 && effect_of(c, &table, DAY0 + PSH_DAY) > 1.6);
    assert_ok(pshi_calendar_remove(c, 1));
    assert_true(effect_of(c, &table, DAY0) == 1);
    assert_true(effect_of(c, &table, DAY0 + PSH_DAY) > 1.6);
    assert_int_equal(pshi_calendar_learn(c, &table, 5, 5, 1, 1), PSH_E_INVALID);
    assert_int_equal(pshi_calendar_learn(c, &table, 5, 6, (double)NAN, 1), PSH_E_INVALID);
    assert_int_equal(pshi_calendar_learn(c, &table, 5, 6, -1, 1), PSH_E_INVALID);
    free_calendar(env, c);
}

/* Whatever is learned, and however long or odd the windows: factors stay in bounds. */
static void extremes(void **state) {
    psh_env *env;
    pshi_calendar_options o = { 0, 3, 0 };
    pshi_calendar *c;
    pshi_event e = event_of(1, 1, DAY0, 300 * PSH_DAY);
    pshi_event_who who = table;
    double f[100];
    uint32_t i;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(pshi_calendar_create(env, &o, &c));
    assert_ok(pshi_calendar_add(c, &e, NULL));
    e = event_of(2, 1, INT64_MIN + 1, 1);
    e.every = PSHI_EVERY_SPAN;
    e.every_ns = 1;
    assert_ok(pshi_calendar_add(c, &e, NULL));
    for (i = 0; i < 60; i++) {
        who.subject.id = i;
        assert_ok(pshi_calendar_learn(c, &who, DAY0 + i * PSH_DAY, DAY0 + i * PSH_DAY + PSH_DAY * 90, 1e300, 0));
        assert_ok(pshi_calendar_learn(c, &who, INT64_MAX - 5, INT64_MAX, 0, 1e300));
        assert_ok(pshi_calendar_learn(c, &who, INT64_MIN + 1, INT64_MAX, 5, 1e300));
    }
    assert_true(pshi_calendar_shed(c) > 0); /* three tables of subjects at most */
    pshi_calendar_effects(c, &table, DAY0 - 3 * PSH_DAY, PSH_DAY, 100, f);
    for (i = 0; i < 100; i++)
        assert_true(f[i] >= 1 / 64.0 && f[i] <= 64);
    pshi_calendar_effects(c, &table, INT64_MAX - 10, 3, 100, f);
    pshi_calendar_effects(c, &table, INT64_MIN + 1, INT64_MAX, 100, f);
    pshi_calendar_effects(c, &table, 0, 0, 100, f);
    assert_true(f[99] == 1);
    free_calendar(env, c);
}

static pshi_calendar *make_rich(psh_env *env, psh_status *st) {
    pshi_calendar *c = NULL;
    pshi_event e;
    pshi_event_who who = table;
    uint64_t k;
    int64_t h;

    *st = pshi_calendar_create(env, NULL, &c);
    for (k = 0; *st == PSH_OK && k < 4; k++) {
        e = event_of(1 + k, 1 + k / 2, DAY0 + (int64_t)k * 3 * PSH_DAY, PSH_DAY);
        e.every = k == 3 ? PSHI_EVERY_YEAR : PSHI_EVERY_NONE;
        e.factor = k == 2 ? 1.5 : 0;
        e.weight = k == 2 ? 2 : 0;
        e.like = k == 1 ? 3 : 0;
        *st = pshi_calendar_add(c, &e, NULL);
    }
    for (h = 0; *st == PSH_OK && h < 12 * 24; h += 5) {
        who.subject.id = (uint64_t)h % 3;
        *st = pshi_calendar_learn(c, &who, DAY0 + h * PSH_HOUR, DAY0 + (h + 1) * PSH_HOUR, (double)h, 100);
    }
    return c;
}

static psh_status use_calendar(psh_env *env, void *user) {
    psh_buffer *out = NULL;
    pshi_calendar *c, *again = NULL;
    pshi_writer w;
    pshi_cursor in;
    psh_status st;

    (void)user;
    c = make_rich(env, &st);
    if (st == PSH_OK)
        st = psh_buffer_create(env, &out);
    if (st == PSH_OK) {
        w = pshi_write(out);
        pshi_calendar_put(c, &w);
        st = pshi_write_end(&w);
    }
    if (st == PSH_OK) {
        in = pshi_read(psh_buffer_data(out), psh_buffer_size(out));
        again = pshi_calendar_take(env, &in);
        st = again ? pshi_read_end(&in) : PSH_E_NOMEM;
    }
    pshi_calendar_destroy(again);
    pshi_calendar_destroy(c);
    psh_buffer_destroy(out);
    return st;
}

static void memory_fails(void **state) {
    (void)state;
    test_every_allocation(use_calendar, NULL);
}

static void put_all(psh_buffer *out, const pshi_calendar *c) {
    pshi_writer w = pshi_write(out);

    pshi_calendar_put(c, &w);
    assert_ok(pshi_write_end(&w));
}

static void saves_and_loads(void **state) {
    psh_env *env = NULL;
    pshi_calendar *c, *again;
    psh_buffer *one = NULL, *two = NULL;
    unsigned char *bytes;
    pshi_cursor in;
    psh_status st;
    size_t i, size;
    double f[300];
    int bit;

    (void)state;
    assert_ok(psh_env_create(NULL, &env, NULL));
    assert_ok(psh_buffer_create(env, &one));
    assert_ok(psh_buffer_create(env, &two));
    c = make_rich(env, &st);
    assert_ok(st);
    put_all(one, c);
    size = psh_buffer_size(one);
    in = pshi_read(psh_buffer_data(one), size);
    again = pshi_calendar_take(env, &in);
    assert_ok(pshi_read_end(&in));
    put_all(two, again);
    assert_int_equal(psh_buffer_size(two), size);
    assert_memory_equal(psh_buffer_data(one), psh_buffer_data(two), size);
    assert_true(effect_of(c, &table, DAY0 + PSH_HOUR) == effect_of(again, &table, DAY0 + PSH_HOUR));
    assert_true(effect_of(c, &table, DAY0 + PSH_HOUR) != 1);
    pshi_calendar_destroy(again);
    /* Any bytes: refused, or a calendar that answers within bounds. A frame's CRC stands before this in use. */
    bytes = malloc(size);
    for (i = 0; i < size * 2; i++) {
        memcpy(bytes, psh_buffer_data(one), size);
        for (bit = 0; bit < 2; bit++)
            bytes[(i * 7 + (size_t)bit * 31 * i) % size] ^= (unsigned char)(1 << (i + (size_t)bit) % 8);
        in = pshi_read(bytes, i < size ? size : i - size);
        again = pshi_calendar_take(env, &in);
        assert_non_null(again);
        if (pshi_read_end(&in) == PSH_OK) {
            pshi_calendar_effects(again, &table, DAY0 - PSH_DAY, PSH_HOUR, 300, f);
            assert_true(f[30] >= 1 / 64.0 && f[30] <= 64);
            assert_int_not_equal(pshi_calendar_learn(again, &table, DAY0, DAY0 + PSH_HOUR, 5, 5), PSH_E_NOMEM);
        }
        pshi_calendar_destroy(again);
    }
    free(bytes);
    psh_buffer_destroy(one);
    psh_buffer_destroy(two);
    free_calendar(env, c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_events),    cmocka_unit_test(windows_recur),
        cmocka_unit_test(learns_by_windows), cmocka_unit_test(kinds_are_pooled),
        cmocka_unit_test(host_knows),        cmocka_unit_test(behaves_like),
        cmocka_unit_test(overlapping),       cmocka_unit_test(subjects_and_scopes),
        cmocka_unit_test(extremes),          cmocka_unit_test(one_offs_and_seasons),
        cmocka_unit_test(saves_and_loads),   cmocka_unit_test(memory_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
