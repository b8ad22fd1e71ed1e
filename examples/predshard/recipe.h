/* SPDX-License-Identifier: MIT */
/** @file recipe.h  What is said to readers of the result: what is real, what is derived and how. */
#ifndef TOOL_RECIPE_H
#define TOOL_RECIPE_H

/** One sentence or two. */
extern const char *const recipe_note;
/** Lines of the recipe; NULL ends them. */
extern const char *const recipe_lines[];

#endif
