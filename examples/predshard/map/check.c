/* SPDX-License-Identifier: MIT */
/* Verifies what a database shares: each thing that can be wrong is a finding with what to do. */
#include "check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "commands.h"
#include "words.h"

#define ADVICE_PUBLISH "let the planner run on: its next publication writes every blob anew"
#define ADVICE_RESTORE "restore the database from a copy"

static void report(check *c, json_t *list, const char *mark, const char *area, const char *text) {
    json_t *at;

    fprintf(c->to, "  %-8s %-11s %s\n", mark, area, text);
    if (!list)
        return;
    at = push_object(list, c->s->f);
    put_text(at, "area", area, c->s->f);
    put_text(at, "text", text, c->s->f);
}

void check_found(check *c, const char *area, const char *advice, const char *format, ...) {
    char text[640];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->finding_count++;
    report(c, c->findings, "FINDING", area, text);
    fprintf(c->to, "  %-8s %-11s -> %s\n", "", "", advice);
    if (c->findings)
        put_text(json_array_get(c->findings, json_array_size(c->findings) - 1), "advice", advice, c->s->f);
}

void check_noted(check *c, const char *area, const char *format, ...) {
    char text[640];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->note_count++;
    report(c, c->notes, "note", area, text);
}

void check_fine(check *c, const char *area, const char *format, ...) {
    char text[640];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report(c, c->fine, "fine", area, text);
}

/* What the library or, for PSH_E_HOST, the store said. */
static const char *words_of(const check *c, psh_status st) {
    if (st == PSH_E_HOST && c->s->store.message[0])
        return c->s->store.message;
    return c->s->err.text[0] ? c->s->err.text : psh_status_text(st);
}

/* SQLite's own check of one file. */
static void check_file(check *c, const char *sql, const char *path) {
    sqlite3_stmt *stmt = NULL;
    const char *said = "";

    if (sqlite3_prepare_v2(c->s->store.db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        said = (const char *)sqlite3_column_text(stmt, 0);
    else
        said = sqlite3_errmsg(c->s->store.db);
    if (said && strcmp(said, "ok") == 0)
        check_fine(c, "file", "%s: SQLite finds it whole", path);
    else
        check_found(c, "file", ADVICE_RESTORE, "%s: %s", path, said ? said : "out of memory");
    sqlite3_finalize(stmt);
}

static void check_files(check *c) {
    check_file(c, "PRAGMA main.quick_check(1)", c->s->store.path);
    if (c->s->store.has_archive)
        check_file(c, "PRAGMA archive.quick_check(1)", c->s->store.archive);
}

/* @return 1 if there is a root with an epoch. */
static int check_root(check *c) {
    sight *s = c->s;
    psh_status st = psh_share_read_state(s->share, &s->state, &s->err);

    if (st != PSH_OK) {
        check_found(c, "root", ADVICE_RESTORE, "%s: %s", s->err.field, words_of(c, st));
        return 0;
    }
    if (!s->state.epoch) {
        check_found(c, "root", "let predshard run reach its first checkpoint", "nothing was published");
        return 0;
    }
    check_fine(c, "root", "epoch %" PRIu64 " under fence %" PRIu64 "; %s%s", s->state.epoch, s->state.fence,
        s->state.owner[0] ? s->state.owner : "nobody", sight_led(s) ? " leads, its lease holds" :
        s->state.owner[0] ? " led, its lease ran out" : " leads");
    return 1;
}

/* One epoch: its manifest, every blob by hash and checksum, the world's invariants. @return 1 if all is well. */
static int check_epoch(check *c, uint64_t epoch, int current, char *last, size_t size) {
    sight *s = c->s;
    psh_world *w = NULL;
    psh_status st;
    int again;

    s->err.text[0] = s->err.field[0] = 0;
    st = psh_share_load_epoch(s->share, epoch, &w, &s->err);
    if (st == PSH_OK) {
        if (current)
            s->world = w;
        else
            psh_world_unref(w);
        return 1;
    }
    again = !current && strcmp(last, s->err.field) == 0 && strncmp(last, "predshard/", 10) == 0;
    snprintf(last, size, "%s", s->err.field);
    if (!again) /* a blob that many epochs share is one finding */
        check_found(c, "blobs", current ? ADVICE_PUBLISH " (no reader can load the map until then)" :
            "older epochs are for diff alone: nothing else needs it", "epoch %" PRIu64 "%s: %s: %s", epoch,
            current ? ", the current one" : "", s->err.field, words_of(c, st));
    return 0;
}

static void check_epochs(check *c) {
    uint64_t kept[MOST_EPOCHS];
    char last[64] = "";
    size_t count = 0, whole = 0, i;
    psh_status st = psh_share_epochs(c->s->share, kept, MOST_EPOCHS, &count, &c->s->err);

    if (st != PSH_OK) {
        check_found(c, "root", ADVICE_RESTORE, "%s: %s", c->s->err.field, words_of(c, st));
        return;
    }
    for (i = 0; i < count && i < MOST_EPOCHS; i++)
        whole += (size_t)check_epoch(c, kept[i], i == 0, last, sizeof last);
    if (whole == count)
        check_fine(c, "blobs", "%zu epochs: manifests, hashes and checksums of all blobs, each world's invariants",
            count);
    else
        check_noted(c, "blobs", "%zu of %zu epochs load", whole, count);
}

static void compare_fences(check *c, const char *what, uint64_t fence, uint64_t limit, const char *of) {
    if (fence > limit)
        check_found(c, "fences", "two planners may have run: stop both, start one; it takes a higher fence",
            "%s is %" PRIu64 ", above %s, %" PRIu64, what, fence, of, limit);
}

/* The driver keeps its fence as 8 bytes, little-endian. */
static uint64_t driver_fence(check *c) {
    psh_buffer *bytes = NULL;
    psh_storage storage;
    uint64_t version, fence = 0;
    const unsigned char *p;
    psh_kv kv;
    size_t i;

    store_tables(&c->s->store, &storage, &kv);
    if (psh_buffer_create(c->s->env, &bytes) == PSH_OK &&
        kv.get(kv.user, "predshard/fence", bytes, &version) == PSH_OK && psh_buffer_size(bytes) == 8)
        for (p = psh_buffer_data(bytes), i = 8; i-- > 0;)
            fence = fence << 8 | p[i];
    psh_buffer_destroy(bytes);
    return fence;
}

/* Fences only rise: lead, then root, then checkpoint and actions. */
static void check_fences(check *c) {
    const psh_share_state *x = &c->s->state;
    uint64_t acted = (uint64_t)store_meta(&c->s->store, "fence"), driver = driver_fence(c);
    size_t before = c->finding_count;

    compare_fences(c, "the root's fence", x->fence, x->lead_fence, "the last leader's");
    compare_fences(c, "the planner's fence", driver, x->lead_fence, "the last leader's");
    compare_fences(c, "the fence of the last action", acted, driver, "the planner's");
    if (c->s->autopilot)
        compare_fences(c, "the checkpoint's fence", psh_driver_fence(c->s->driver), driver, "the planner's");
    if (c->finding_count == before)
        check_fine(c, "fences", "lead %" PRIu64 ", root %" PRIu64 ", planner %" PRIu64 ", last action %" PRIu64,
            x->lead_fence, x->fence, driver, acted);
}

static psh_status count_difference(
    void *user, uint32_t op, const psh_partition *before, const psh_partition *after) {
    uint64_t *count = user;

    (void)before;
    (void)after;
    count[0] += op != PSH_DIFF_CHANGED;
    return PSH_OK;
}

static void check_checkpoint(check *c) {
    sight *s = c->s;
    uint64_t differ = 0;
    psh_status st;

    s->err.text[0] = s->err.field[0] = 0;
    st = sight_restore(s, SIGHT_LATER);
    if (st == PSH_E_NOT_FOUND) {
        check_found(c, "checkpoint", "let predshard run reach its first one", "there is none");
        return;
    }
    if (st != PSH_OK) {
        check_found(c, "checkpoint", ADVICE_RESTORE ", or let a running planner take its next checkpoint", "%s: %s",
            s->err.field, words_of(c, st));
        return;
    }
    check_fine(c, "checkpoint", "it loads: %zu partitions, %zu decisions", psh_map_count(s->parts.map),
        psh_autopilot_audit_count(s->autopilot));
    if (s->world && psh_world_diff(s->world, psh_worlds_current(s->worlds), count_difference, &differ) == PSH_OK &&
        differ)
        check_noted(c, "checkpoint", "%" PRIu64 " partitions are in it or in the shared world alone: a planner "
            "that starts anew begins from the checkpoint", differ);
}

static void run_checks(check *c) {
    check_files(c);
    if (check_root(c)) {
        check_epochs(c);
        check_checkpoint(c);
        check_fences(c);
    } else {
        check_checkpoint(c);
    }
    if (c->s->world)
        check_tables(c);
    else
        check_noted(c, "tables", "not looked at: there is no world to compare them with");
}

int map_check(sight *s, FILE *to) {
    json_t *result = NULL;
    check c = { .s = s, .to = to };

    if (s->o->json && (result = map_result(s, "check")) == NULL)
        return s->f->code;
    if (result) {
        c.findings = put_array(result, "findings", s->f);
        c.notes = put_array(result, "notes", s->f);
        c.fine = put_array(result, "fine", s->f);
    }
    fprintf(to, "%s\n", s->o->db);
    run_checks(&c);
    if (c.finding_count)
        fprintf(to, "%zu findings, %zu notes\n", c.finding_count, c.note_count);
    else
        fprintf(to, "nothing is wrong; %zu notes\n", c.note_count);
    map_write(s, result);
    if (s->f->code == EXIT_DONE && c.finding_count)
        s->f->code = EXIT_FINDINGS;
    return s->f->code;
}
