/* SPDX-License-Identifier: MIT */
/** @file codec/xz.h  Sections compressed by liblzma, where the build has it. */
#ifndef PSHI_CODEC_XZ_H
#define PSHI_CODEC_XZ_H

#include "base/buffer.h"

/** @return 1 if this build has liblzma. */
int pshi_xz_available(void);
/** Replaces the bytes from `at` on by their .xz stream. @return PSH_OK, PSH_E_UNSUPPORTED, PSH_E_NOMEM. */
psh_status pshi_xz_compress_tail(psh_buffer *b, size_t at);
/** @return PSH_OK (*out is a block of `raw` bytes), PSH_E_CORRUPT, PSH_E_UNSUPPORTED, PSH_E_NOMEM. */
psh_status pshi_xz_expand(psh_env *env, const void *data, size_t size, size_t raw, void **out);

#endif
