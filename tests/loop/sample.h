/* SPDX-License-Identifier: MIT */
/** @file sample.h  The first rows of the shipped sample. */
#ifndef TEST_LOOP_SAMPLE_H
#define TEST_LOOP_SAMPLE_H

#include "rig.h"

/** Reads at most n rows of an .xz file of CSV. @return rows read, 0 on any failure. */
size_t sample_read(const char *path, rig_flight *out, size_t n);

#endif
