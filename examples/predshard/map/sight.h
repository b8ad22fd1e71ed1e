/* SPDX-License-Identifier: MIT */
/** @file sight.h  What a command looks at: the database's schema, share and worlds, and its last checkpoint. */
#ifndef TOOL_MAP_SIGHT_H
#define TOOL_MAP_SIGHT_H

#include "store.h"

#define MOST_EPOCHS 1024u /* that a share keeps */

/** Zero it before use; close it whatever happened. */
typedef struct sight {
    const map_options *o;
    failure *f;
    psh_env *env;
    psh_schema *schema;
    psh_world *world;       /**< looked at; NULL until sight_world */
    store store;            /**< of the database; unused with --file */
    psh_share *share;       /**< NULL with --file */
    psh_share_state state;  /**< epoch 0 with --file */
    psh_driver *driver;     /**< of the checkpoint, as all below; NULL until sight_restore */
    psh_worlds *worlds;
    psh_parts parts;
    psh_autopilot *autopilot;
    psh_error err;
} sight;

/** Makes the env, opens the database, loads its schema, reads who leads. @return EXIT_* */
int sight_open(sight *s, const map_options *o, failure *f);
void sight_close(sight *s);
/** Loads the world of an epoch, 0 = the current one; of the file, if there is one. *out is the caller's. */
int sight_world(sight *s, uint64_t epoch, psh_world **out);
#define SIGHT_LATER (PSH_TIME_MAX - 366 * PSH_DAY) /* after any checkpoint */

/**
 * Makes the library's objects from the last checkpoint. Nothing that is done with them reaches the database.
 * @return PSH_OK, PSH_E_TIME (now lies before it); else s->err tells
 */
psh_status sight_restore(sight *s, int64_t now);
/** The time of the last commit or of the world, whichever is later. */
int64_t sight_now(sight *s);
/** A failed call of the library as the tool's failure. @return EXIT_* */
int sight_fail(sight *s, const char *doing, psh_status status);
/** Whether a process holds the lead now, by the clock here. */
int sight_led(const sight *s);
/** The table of --table, or the only one. @return EXIT_DONE, EXIT_USAGE */
int sight_table(sight *s, uint32_t *table);

#endif
