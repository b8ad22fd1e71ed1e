/* SPDX-License-Identifier: MIT */
/** @file nodes.h  Nodes and loads from files, told to a map. */
#ifndef TOOL_MAP_NODES_H
#define TOOL_MAP_NODES_H

#include <predshard.h>

#include "../fail.h"

/** psh_map_set_nodes from a JSON array. @return EXIT_DONE, EXIT_NO_INPUT, EXIT_BAD_INPUT, EXIT_INTERNAL */
int nodes_read(psh_map *map, const char *path, failure *f);
/** psh_map_observe_load from a CSV file with a header. The same returns. */
int loads_read(psh_map *map, const char *path, int64_t now, failure *f);

#endif
