/* SPDX-License-Identifier: MIT */
/**
 * @file shared.h  The world of a run in its database's key-value store, where other processes read it.
 *
 * One lead for the share and the driver. The world is published when a checkpoint was taken, so that nobody routes
 * by a map that a restart would not know, and at the end of the run.
 */
#ifndef TOOL_SHARED_H
#define TOOL_SHARED_H

#include "stack.h"

#define SHARED_SCHEMA "predshard/schema" /**< blob with the schema, for readers that do not know it */
#define SHARED_KEEP 64                   /**< epochs kept, to be compared */

/** Stores the schema and takes the lead for share and driver. After the driver was made. */
psh_status shared_open(stack *s, psh_error *err);
/** Publishes the current world if a checkpoint was taken since the last call. @return EXIT_* */
int shared_follow(stack *s);
/** At the end of a run: a last checkpoint and world, old blobs removed, the lead given up. @return EXIT_* */
int shared_end(stack *s);

#endif
