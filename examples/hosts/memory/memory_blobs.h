/* SPDX-License-Identifier: MIT */
/** @file memory_blobs.h  Inside the memory host: named bytes, sorted by name. */
#ifndef MEMORY_BLOBS_H
#define MEMORY_BLOBS_H

#include <predshard.h>

/* A named blob, or a key with its version. */
typedef struct memory_blob {
    char *name;
    void *data;
    size_t size;
    uint64_t version;
} memory_blob;

typedef struct memory_blobs {
    memory_blob *items; /* by name */
    size_t count, capacity;
} memory_blobs;

void memory_blobs_free(memory_blobs *b);
/** The place of a name, or where it would go. */
size_t memory_blob_place(const memory_blobs *b, const char *name, int *found);
void memory_blob_remove(memory_blobs *b, const char *name);
/** Takes name and data over; room was made before. */
void memory_blob_put(memory_blobs *b, char *name, void *data, size_t size, uint64_t version);
/** @return PSH_OK, PSH_E_NOMEM. */
psh_status memory_blob_copy(const char *name, const void *data, size_t size, memory_blob *out);
/** Room for n more. @return PSH_OK, PSH_E_NOMEM. */
psh_status memory_blob_room(memory_blobs *b, size_t n);

#endif
