/* SPDX-License-Identifier: MIT */
/** @file value/key_sketch.h  A distribution of keys from inside. */
#ifndef PSHI_VALUE_KEY_SKETCH_H
#define PSHI_VALUE_KEY_SKETCH_H

#include <predshard/keys.h>

#include "ds/kll.h"

/** The sketch within, to be changed by who made it. */
pshi_kll *pshi_key_sketch_inside(psh_key_sketch *s);

#endif
