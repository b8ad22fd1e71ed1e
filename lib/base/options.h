/* SPDX-License-Identifier: MIT */
/** @file base/options.h  Structs that begin with uint32_t struct_size, across versions. */
#ifndef PSHI_BASE_OPTIONS_H
#define PSHI_BASE_OPTIONS_H

#include <predshard/base.h>

/**
 * Reads a caller's struct into ours: a shorter one leaves the rest of *to as it is (the defaults), a longer
 * one must be zero beyond ours.
 * @return PSH_OK, PSH_E_INVALID (struct_size), PSH_E_UNSUPPORTED (a field that this build does not know).
 */
psh_status pshi_options_copy(void *to, size_t size, const void *from, psh_error *err);
/** Writes ours into the caller's, at most the struct_size that the caller set; keeps struct_size. */
psh_status pshi_struct_out(void *to, const void *from, size_t size);
/** Writes defaults into the first `size` bytes of *to and sets its struct_size. size >= 4. */
psh_status pshi_options_out(void *to, uint32_t size, const void *defaults, size_t full);
/** Element i of a caller's array with the caller's stride, read into ours (zero-extended). */
void pshi_element(void *to, size_t size, const void *array, size_t stride, size_t i);

#endif
