/* SPDX-License-Identifier: MIT */
#include "memory_blobs.h"

#include <stdlib.h>
#include <string.h>

#include "memory_rows.h"

void memory_blobs_free(memory_blobs *b) {
    size_t i;

    for (i = 0; i < b->count; i++) {
        free(b->items[i].name);
        free(b->items[i].data);
    }
    free(b->items);
}

size_t memory_blob_place(const memory_blobs *b, const char *name, int *found) {
    size_t low = 0, high = b->count, mid;
    int order;

    *found = 0;
    while (low < high) {
        mid = (low + high) / 2;
        order = strcmp(b->items[mid].name, name);
        if (order == 0) {
            *found = 1;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void memory_blob_remove(memory_blobs *b, const char *name) {
    int found;
    size_t i = memory_blob_place(b, name, &found);

    if (!found)
        return;
    free(b->items[i].name);
    free(b->items[i].data);
    memmove(b->items + i, b->items + i + 1, (b->count - i - 1) * sizeof *b->items);
    b->count--;
}

void memory_blob_put(memory_blobs *b, char *name, void *data, size_t size, uint64_t version) {
    int found;
    size_t i = memory_blob_place(b, name, &found);

    if (found) {
        free(b->items[i].name);
        free(b->items[i].data);
    } else {
        memmove(b->items + i + 1, b->items + i, (b->count - i) * sizeof *b->items);
        b->count++;
    }
    b->items[i].name = name;
    b->items[i].data = data;
    b->items[i].size = size;
    b->items[i].version = version;
}

psh_status memory_blob_copy(const char *name, const void *data, size_t size, memory_blob *out) {
    out->name = malloc(strlen(name) + 1);
    out->data = malloc(size + 1);
    out->size = size;
    if (!out->name || !out->data) {
        free(out->name);
        free(out->data);
        return PSH_E_NOMEM;
    }
    strcpy(out->name, name);
    if (size)
        memcpy(out->data, data, size);
    return PSH_OK;
}

psh_status memory_blob_room(memory_blobs *b, size_t n) {
    void *p = b->items;
    psh_status st = memory_reserve(&p, &b->capacity, b->count + n, sizeof *b->items);

    b->items = p;
    return st;
}
