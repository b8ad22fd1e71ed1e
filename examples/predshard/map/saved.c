/* SPDX-License-Identifier: MIT */
#include "saved.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../output.h"

#define MOST_BYTES ((size_t)1 << 30)
#define HEADER 48u     /* of a frame with one section */
#define STORED_AT 28u  /* where that section's stored size is */

int saved_write(psh_env *env, const psh_world *world, const char *path, failure *f) {
    psh_buffer *bytes = NULL;
    psh_status st = psh_buffer_create(env, &bytes);
    FILE *file;

    if (st == PSH_OK)
        st = psh_schema_save(psh_world_schema(world), bytes);
    if (st == PSH_OK)
        st = psh_world_save(world, bytes);
    if (st != PSH_OK) {
        psh_buffer_destroy(bytes);
        return fail_memory(f);
    }
    file = output_open(path, f);
    if (file) {
        fwrite(psh_buffer_data(bytes), 1, psh_buffer_size(bytes), file);
        output_close(file, path, f);
    }
    psh_buffer_destroy(bytes);
    return f->code;
}

static int grow(char **bytes, size_t *room, failure *f) {
    char *more = *room < MOST_BYTES ? realloc(*bytes, *room * 2 + 1) : NULL;

    if (!more)
        return fail_memory(f);
    *bytes = more;
    *room *= 2;
    return EXIT_DONE;
}

int saved_read(const char *path, char **out, size_t *size, failure *f) {
    FILE *file = fopen(path, "rb");
    size_t room = 1u << 16, got;

    *size = 0;
    *out = malloc(room + 1);
    if (!file || !*out) {
        free(*out);
        *out = NULL;
        return file ? (fclose(file), fail_memory(f)) : fail(f, EXIT_NO_INPUT, "%s: %s", path, strerror(errno));
    }
    while ((got = fread(*out + *size, 1, room - *size, file)) > 0) {
        *size += got;
        if (*size == room && grow(out, &room, f))
            break;
    }
    if (ferror(file) && f->code == EXIT_DONE)
        fail(f, EXIT_NO_INPUT, "%s: %s", path, strerror(errno));
    fclose(file);
    (*out)[*size] = 0;
    return f->code;
}

/* Bytes of the schema's frame at the front; 0: it is none. Loading it checks the rest. */
static size_t schema_size(const char *data, size_t size) {
    uint64_t stored = 0;
    size_t i;

    if (size < HEADER || memcmp(data, "PSHD", 4) != 0)
        return 0;
    for (i = 8; i-- > 0;)
        stored = stored << 8 | (unsigned char)data[STORED_AT + i];
    return stored <= size - HEADER ? HEADER + (size_t)stored : 0;
}

static int is_same(psh_env *env, const psh_schema *a, const char *bytes, size_t size) {
    psh_buffer *b = NULL;
    int same = psh_buffer_create(env, &b) == PSH_OK && psh_schema_save(a, b) == PSH_OK &&
        psh_buffer_size(b) == size && memcmp(psh_buffer_data(b), bytes, size) == 0;

    psh_buffer_destroy(b);
    return same;
}

static int load_bytes(
    psh_env *env, const char *path, const char *data, size_t size, psh_schema **schema, psh_world **out,
    failure *f) {
    psh_error err = { .struct_size = sizeof err };
    size_t first = schema_size(data, size);
    psh_status st = first ? PSH_OK : PSH_E_CORRUPT;

    if (first && *schema && !is_same(env, *schema, data, first))
        return fail(f, EXIT_BAD_INPUT,
            "%s: its tables are not those of the other world: compare worlds of one schema",
            path);
    if (first && !*schema)
        st = psh_schema_load(env, data, first, 0, schema, &err);
    if (st == PSH_OK)
        st = psh_world_load(env, *schema, data + first, size - first, MOST_BYTES, out, &err);
    if (st == PSH_E_NOMEM)
        return fail_memory(f);
    return st == PSH_OK ? EXIT_DONE : fail(f, EXIT_BAD_INPUT,
        "%s: no saved world, or a damaged one (%s): make one with predshard map show DB --save FILE", path,
        err.text[0] ? err.text : psh_status_text(st));
}

int saved_load(psh_env *env, const char *path, psh_schema **schema, psh_world **out, failure *f) {
    size_t size;
    char *data;

    if (saved_read(path, &data, &size, f) == EXIT_DONE)
        load_bytes(env, path, data, size, schema, out, f);
    free(data);
    return f->code;
}
