/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <errno.h>
#include <inttypes.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK 65536
#define FIRST_LINE 4096
#define XZ_MEMORY (UINT64_C(256) << 20)

struct input {
    FILE *file;
    const char *path;
    lzma_stream xz;
    int packed;
    int packed_end; /* the xz stream ended as it should */
    int ended;
    uint64_t number;
    size_t at;      /* next byte of text */
    size_t size;    /* bytes in text */
    size_t most;    /* bytes that a line may have */
    size_t room;    /* bytes that line has room for, and one more */
    uint64_t raw_bytes; /* read from the file */
    uint64_t file_bytes;
    char *line;
    uint8_t raw[CHUNK];
    char text[CHUNK];
};

static int is_xz(FILE *file) {
    static const uint8_t magic[6] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
    uint8_t head[6];
    size_t n = fread(head, 1, sizeof head, file);

    rewind(file);
    return n == sizeof head && memcmp(head, magic, sizeof head) == 0;
}

int input_open(const char *path, input **out, failure *f) {
    return input_open_long(path, FIRST_LINE, out, f);
}

static uint64_t size_of(FILE *file) {
    struct stat st;

    return fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

int input_open_long(const char *path, size_t most, input **out, failure *f) {
    input *in = calloc(1, sizeof *in);

    *out = NULL;
    if (!in)
        return fail_memory(f);
    in->path = path;
    in->most = most;
    in->room = FIRST_LINE;
    in->line = malloc(FIRST_LINE + 1);
    if (!in->line) {
        free(in);
        return fail_memory(f);
    }
    in->xz = (lzma_stream)LZMA_STREAM_INIT;
    in->file = fopen(path, "rb");
    if (!in->file) {
        fail(f, EXIT_NO_INPUT, "%s: %s: name a file that can be read", path, strerror(errno));
        goto out;
    }
    in->packed = is_xz(in->file);
    in->file_bytes = size_of(in->file);
    if (in->packed && lzma_stream_decoder(&in->xz, XZ_MEMORY, LZMA_CONCATENATED) != LZMA_OK)
        fail_memory(f);
out:
    if (f->code == EXIT_DONE)
        *out = in;
    else
        input_close(in);
    return f->code;
}

void input_close(input *in) {
    if (!in)
        return;
    if (in->file)
        fclose(in->file);
    lzma_end(&in->xz);
    free(in->line);
    free(in);
}

static int damaged(const input *in, failure *f) {
    return fail(f, EXIT_BAD_INPUT,
        "%s: line %" PRIu64 ": the compressed file is damaged or cut short: copy it again",
        in->path, in->number + 1);
}

static int read_raw(input *in, void *to, size_t *size, failure *f) {
    *size = fread(to, 1, CHUNK, in->file);
    in->raw_bytes += *size;
    if (*size == 0 && ferror(in->file))
        return fail(f, EXIT_NO_INPUT, "%s: cannot be read: %s: name a readable file", in->path, strerror(errno));
    return EXIT_DONE;
}

/* Decodes until there is text or the stream has ended. */
static int unpack(input *in, failure *f) {
    size_t got = 0;
    lzma_ret ret = LZMA_OK;

    in->xz.next_out = (uint8_t *)in->text;
    in->xz.avail_out = CHUNK;
    while (in->xz.avail_out == CHUNK && ret == LZMA_OK) {
        if (in->xz.avail_in == 0 && !feof(in->file)) {
            if (read_raw(in, in->raw, &got, f))
                return f->code;
            in->xz.next_in = in->raw;
            in->xz.avail_in = got;
        }
        ret = lzma_code(&in->xz, feof(in->file) ? LZMA_FINISH : LZMA_RUN);
    }
    if (ret == LZMA_STREAM_END)
        in->packed_end = 1;
    else if (ret != LZMA_OK)
        return damaged(in, f);
    in->size = CHUNK - in->xz.avail_out;
    return EXIT_DONE;
}

static int fill(input *in, failure *f) {
    in->at = in->size = 0;
    if (in->ended || in->packed_end) {
        in->ended = 1;
        return EXIT_DONE;
    }
    if (in->packed ? unpack(in, f) : read_raw(in, in->text, &in->size, f))
        return f->code;
    in->ended = in->size == 0;
    return EXIT_DONE;
}

static int grow_line(input *in, size_t size, failure *f) {
    size_t room = in->room;
    char *line;

    if (size > in->most)
        return fail(f, EXIT_BAD_INPUT, "%s: line %" PRIu64 ": longer than %zu bytes: correct or remove it",
            in->path,
            in->number + 1, in->most);
    while (room < size)
        room *= 2;
    line = realloc(in->line, room + 1);
    if (!line)
        return fail_memory(f);
    in->line = line;
    in->room = room;
    return EXIT_DONE;
}

/* Moves what belongs to the line from text to it. @return 1 when its end was there. */
static int take(input *in, size_t *length, failure *f) {
    const char *from = in->text + in->at;
    const char *end = memchr(from, '\n', in->size - in->at);
    size_t n = end ? (size_t)(end - from) : in->size - in->at;

    if (*length + n > in->room && grow_line(in, *length + n, f))
        return 1;
    memcpy(in->line + *length, from, n);
    *length += n;
    in->at += n + (end != NULL);
    return end != NULL;
}

int input_line(input *in, char **line, failure *f) {
    size_t length = 0;

    *line = NULL;
    for (;;) {
        if (in->at == in->size && fill(in, f))
            return f->code;
        if (in->ended)
            break;
        if (take(in, &length, f))
            break;
    }
    if (f->code != EXIT_DONE || (in->ended && length == 0))
        return f->code;
    if (length > 0 && in->line[length - 1] == '\r')
        length--;
    in->line[length] = 0;
    in->number++;
    *line = in->line;
    return EXIT_DONE;
}

uint64_t input_number(const input *in) {
    return in->number;
}

double input_progress(const input *in) {
    return in->file_bytes ? (double)in->raw_bytes / (double)in->file_bytes : 0;
}

const char *input_path(const input *in) {
    return in->path;
}
