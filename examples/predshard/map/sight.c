/* SPDX-License-Identifier: MIT */
#include "sight.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../shared.h"
#include "saved.h"


static int code_of(psh_status status) {
    switch (status) {
    case PSH_E_NOMEM:
        return EXIT_INTERNAL;
    case PSH_E_HOST:
        return EXIT_STORAGE;
    case PSH_E_CORRUPT:
    case PSH_E_NEWER:
    case PSH_E_NOT_FOUND:
    case PSH_E_UNSUPPORTED:
    case PSH_E_LIMIT:
        return EXIT_BAD_INPUT;
    default:
        return EXIT_INTERNAL;
    }
}

static const char *advice_of(psh_status status) {
    switch (status) {
    case PSH_E_CORRUPT:
        return "predshard map check tells what is damaged";
    case PSH_E_NEWER:
        return "a newer predshard wrote it: use that one";
    case PSH_E_NOT_FOUND:
        return "let predshard run reach its first checkpoint";
    default:
        return "predshard map check tells more";
    }
}

int sight_fail(sight *s, const char *doing, psh_status status) {
    const char *text = s->err.text[0] ? s->err.text : psh_status_text(status);

    if (status == PSH_E_NOMEM)
        return fail_memory(s->f);
    if (status == PSH_E_HOST && s->store.message[0])
        text = s->store.message;
    return fail(s->f, code_of(status), "%s: %s: %s%s%s: %s", s->o->db ? s->o->db : s->o->file ? s->o->file : "map",
        doing, s->err.field, s->err.field[0] ? ": " : "", text, advice_of(status));
}

static int load_schema(sight *s, const psh_storage *storage) {
    psh_buffer *bytes = NULL;
    psh_status st = psh_buffer_create(s->env, &bytes);

    if (st == PSH_OK)
        st = storage->get(storage->user, SHARED_SCHEMA, bytes);
    if (st == PSH_E_NOT_FOUND)
        fail(s->f, EXIT_BAD_INPUT, "%s: it shares no map: predshard run of this version makes one that does",
            s->o->db);
    else if (st == PSH_OK)
        st = psh_schema_load(s->env, psh_buffer_data(bytes), psh_buffer_size(bytes), 0, &s->schema, &s->err);
    if (st != PSH_OK && s->f->code == EXIT_DONE)
        sight_fail(s, "its schema", st);
    psh_buffer_destroy(bytes);
    return s->f->code;
}

static int open_share(sight *s, const psh_kv *kv) {
    psh_share_options o;
    psh_status st;

    psh_share_options_init(&o, sizeof o);
    o.owner = "map";
    o.keep_epochs = SHARED_KEEP;
    st = psh_share_create(s->env, s->schema, kv, &o, &s->share, &s->err);
    return st == PSH_OK ? EXIT_DONE : sight_fail(s, "its share", st);
}

int sight_open(sight *s, const map_options *o, failure *f) {
    psh_storage storage;
    psh_kv kv;

    s->o = o;
    s->f = f;
    s->err.struct_size = sizeof s->err;
    s->state.struct_size = sizeof s->state;
    if (psh_env_create(NULL, &s->env, NULL) != PSH_OK)
        return fail_memory(f);
    if (!o->db)
        return EXIT_DONE;
    if (store_open(&s->store, o, f))
        return f->code;
    store_tables(&s->store, &storage, &kv);
    return load_schema(s, &storage) || open_share(s, &kv) ? f->code : EXIT_DONE;
}

void sight_close(sight *s) {
    psh_autopilot_destroy(s->autopilot);
    psh_forecaster_destroy(s->parts.forecaster);
    psh_map_destroy(s->parts.map);
    psh_tiers_destroy(s->parts.tiers);
    psh_materializer_destroy(s->parts.materializer);
    psh_driver_destroy(s->driver);
    psh_worlds_destroy(s->worlds);
    psh_world_unref(s->world);
    psh_share_destroy(s->share);
    store_close(&s->store);
    psh_schema_unref(s->schema);
    psh_env_destroy(s->env);
}

/* An epoch that is not kept: says which are. */
static int unknown_epoch(sight *s, uint64_t epoch) {
    uint64_t kept[MOST_EPOCHS];
    size_t count = 0;

    psh_share_epochs(s->share, kept, MOST_EPOCHS, &count, NULL);
    if (!count)
        return fail(s->f, EXIT_BAD_INPUT, "%s: nothing was published yet: %s", s->o->db,
            advice_of(PSH_E_NOT_FOUND));
    return fail(s->f, EXIT_USAGE, "epoch %" PRIu64 " is not kept: %zu are, from %" PRIu64 " to %" PRIu64
        " (predshard map show --json lists them)", epoch, count, kept[count - 1], kept[0]);
}

int sight_world(sight *s, uint64_t epoch, psh_world **out) {
    psh_status st;

    if (!s->o->db)
        return saved_load(s->env, s->o->file, &s->schema, out, s->f);
    st = psh_share_read_state(s->share, &s->state, &s->err);
    if (st != PSH_OK)
        return sight_fail(s, "its root and lead", st);
    if (!epoch)
        epoch = s->state.epoch;
    st = psh_share_load_epoch(s->share, epoch, out, &s->err);
    if (st == PSH_E_NOT_FOUND)
        return unknown_epoch(s, epoch);
    return st == PSH_OK ? EXIT_DONE : sight_fail(s, "its shared world", st);
}

int64_t sight_now(sight *s) {
    int64_t now = s->world ? psh_world_time(s->world) : PSH_TIME_NONE, commit;

    commit = s->o->db ? store_meta(&s->store, "commit_time") : 0;
    return commit > now ? commit : now;
}

static psh_status make_driver(sight *s) {
    psh_driver_options o;
    psh_storage storage;
    psh_status st;
    psh_kv kv;

    store_tables(&s->store, &storage, &kv);
    psh_driver_options_init(&o, sizeof o);
    st = psh_driver_create(s->env, s->schema, &o, &storage, NULL, NULL, &s->driver, &s->err);
    return st == PSH_OK ? psh_worlds_create(s->env, 1, &s->worlds) : st;
}

psh_status sight_restore(sight *s, int64_t now) {
    psh_autopilot_options o;
    psh_status st;

    if (s->autopilot)
        return PSH_OK;
    st = s->driver ? PSH_OK : make_driver(s);
    if (st != PSH_OK)
        return st;
    psh_autopilot_options_init(&o, sizeof o);
    o.mode = PSH_MODE_RECOMMEND;
    s->parts.struct_size = sizeof s->parts;
    s->parts.driver = s->driver;
    s->parts.worlds = s->worlds;
    return psh_autopilot_restore(
        s->env, s->schema, &o, &s->parts, now, &s->autopilot, &s->err);
}

int sight_led(const sight *s) {
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return s->state.owner[0] && (int64_t)t.tv_sec * PSH_SECOND + t.tv_nsec < s->state.lease_end;
}

int sight_table(sight *s, uint32_t *table) {
    if (!s->o->table && psh_schema_table_count(s->schema) == 1) {
        *table = 0;
        return EXIT_DONE;
    }
    if (!s->o->table)
        return fail(s->f, EXIT_USAGE, "there are %zu tables: name one with --table",
            psh_schema_table_count(s->schema));
    *table = psh_schema_find_table(s->schema, s->o->table);
    if (*table == PSH_NONE)
        return fail(s->f, EXIT_USAGE, "--table: there is no table '%.60s': predshard map show names them",
            s->o->table);
    return EXIT_DONE;
}
