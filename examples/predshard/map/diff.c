/* SPDX-License-Identifier: MIT */
/* Two worlds compared: epochs that are kept, or files. */
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "saved.h"
#include "words.h"

typedef struct diff {
    sight *s;
    FILE *to;
    psh_world *worlds[2];
    json_t *list; /* NULL: no JSON is asked for */
    uint64_t counts[PSH_DIFF_CHANGED + 1];
} diff;

/* What a dump of the difference says behind its first line, which names the epochs. */
static const char *lines_of(const psh_buffer *text) {
    const char *end = strchr(psh_buffer_data(text), '\n');

    return end ? end + 1 : "";
}

/* One thing that a partition has in both worlds, where it differs. */
static void changed(const diff *d, const char *what, const char *before, const char *after) {
    if (strcmp(before, after) != 0)
        fprintf(d->to, ", %s %s -> %s", what, before, after);
}

static void changed_number(const diff *d, const char *what, uint64_t before, uint64_t after) {
    char a[24], b[24];

    snprintf(a, sizeof a, "%" PRIu64, before);
    snprintf(b, sizeof b, "%" PRIu64, after);
    changed(d, what, a, b);
}

static void changed_id(const diff *d, const char *what, uint64_t before, uint64_t after) {
    char a[WORDS_SIZE], b[WORDS_SIZE];

    words_id(before, a);
    words_id(after, b);
    changed(d, what, a, b);
}

static void print_partition(
    const diff *d, const char *op, const psh_partition *before, const psh_partition *after) {
    const psh_partition *p = after ? after : before;
    char name[WORDS_NAME];

    words_name(d->s->schema, p, name);
    fprintf(d->to, "%-8s %s: %s on %" PRIu32 ".%" PRIu32 ", %.1f %% of the ring", op, name,
        psh_partition_state_name(p->state), p->node, p->tier, words_share(p->arc_first, p->arc_last));
    if (before && after) {
        changed(d, "state", psh_partition_state_name(before->state), psh_partition_state_name(after->state));
        changed_number(d, "node", before->node, after->node);
        changed_number(d, "tier", before->tier, after->tier);
        changed_id(d, "arc from", before->arc_first, after->arc_first);
        changed_id(d, "arc to", before->arc_last, after->arc_last);
        changed_number(d, "rows", before->rows, after->rows);
        changed_number(d, "bytes", before->bytes, after->bytes);
        changed_number(d, "planned", before->bytes_planned, after->bytes_planned);
        changed_number(d, "position", before->last_position, after->last_position);
    } else {
        fprintf(d->to, ", %" PRIu64 " rows", p->rows);
    }
    fputc('\n', d->to);
}

static psh_status note(void *user, uint32_t op, const psh_partition *before, const psh_partition *after) {
    static const char *const names[] = { "?", "added", "removed", "changed" };
    diff *d = user;
    failure *f = d->s->f;
    json_t *at;

    d->counts[op <= PSH_DIFF_CHANGED ? op : 0]++;
    print_partition(d, names[op <= PSH_DIFF_CHANGED ? op : 0], before, after);
    if (!d->list)
        return PSH_OK;
    at = push_object(d->list, f);
    put_text(at, "op", names[op <= PSH_DIFF_CHANGED ? op : 0], f);
    if (before)
        put_partition(put_object(at, "before", f), d->s->schema, before, f);
    if (after)
        put_partition(put_object(at, "after", f), d->s->schema, after, f);
    return f->code == EXIT_DONE ? PSH_OK : PSH_E_NOMEM;
}

/* The last two epochs, where none is named. */
static int choose_epochs(sight *s, uint64_t epochs[2]) {
    uint64_t kept[2];
    size_t count = 0;
    psh_status st;

    memcpy(epochs, s->o->epochs, 2 * sizeof *epochs);
    if (epochs[0])
        return EXIT_DONE;
    st = psh_share_epochs(s->share, kept, 2, &count, &s->err);
    if (st != PSH_OK)
        return sight_fail(s, "its root", st);
    if (count < 2)
        return fail(s->f, EXIT_BAD_INPUT, "%s: %zu epochs were published: there is nothing to compare yet",
            s->o->db, count);
    epochs[0] = kept[1];
    epochs[1] = kept[0];
    return EXIT_DONE;
}

static int load_both(diff *d) {
    sight *s = d->s;
    uint64_t epochs[2];
    int i;

    if (s->o->db && choose_epochs(s, epochs))
        return s->f->code;
    for (i = 0; i < 2; i++)
        if (s->o->db ? sight_world(s, epochs[i], &d->worlds[i]) :
                       saved_load(s->env, s->o->inputs[i], &s->schema, &d->worlds[i], s->f))
            return s->f->code;
    return EXIT_DONE;
}

static void put_head(const diff *d, json_t *result, const char *lines) {
    static const char *const sides[] = { "before", "after" };
    failure *f = d->s->f;
    json_t *at;
    int i;

    for (i = 0; i < 2; i++) {
        at = put_object(result, sides[i], f);
        put_count(at, "epoch", psh_world_epoch(d->worlds[i]), f);
        put_time(at, "time", psh_world_time(d->worlds[i]), f);
        if (d->s->o->inputs[i])
            put_text(at, "file", d->s->o->inputs[i], f);
    }
    put(result, "differ", json_boolean(*lines), f);
    put_count(result, "added", d->counts[PSH_DIFF_ADDED], f);
    put_count(result, "removed", d->counts[PSH_DIFF_REMOVED], f);
    put_count(result, "changed", d->counts[PSH_DIFF_CHANGED], f);
    put_text(result, "text", lines, f);
}

static void print_head(const diff *d) {
    char times[2][WORDS_SIZE];
    int i;

    for (i = 0; i < 2; i++)
        words_time(psh_world_time(d->worlds[i]), times[i]);
    fprintf(d->to, "epoch %" PRIu64 " (%s) to epoch %" PRIu64 " (%s)\n", psh_world_epoch(d->worlds[0]), times[0],
        psh_world_epoch(d->worlds[1]), times[1]);
}

/* Replicas, assignments, tiers, views and their parts, as the library tells them; partitions were told by name. */
static void print_rest(const diff *d, const char *lines) {
    const char *end, *word;

    for (; *lines; lines = end) {
        end = strchr(lines, '\n');
        end = end ? end + 1 : lines + strlen(lines);
        word = strchr(lines, ' ');
        if (!word || strncmp(word, " partition ", 11) != 0)
            fprintf(d->to, "%.*s", (int)(end - lines), lines);
    }
}

static void print_end(const diff *d, const char *lines) {
    print_rest(d, lines);
    if (!*lines)
        fprintf(d->to, "the same\n");
    else
        fprintf(d->to, "partitions: %" PRIu64 " added, %" PRIu64 " removed, %" PRIu64 " changed\n",
            d->counts[PSH_DIFF_ADDED], d->counts[PSH_DIFF_REMOVED], d->counts[PSH_DIFF_CHANGED]);
}

static int compare(diff *d, json_t *result) {
    sight *s = d->s;
    psh_buffer *text = NULL;
    psh_status st = psh_buffer_create(s->env, &text);

    print_head(d);
    d->list = result ? put_array(result, "partitions", s->f) : NULL;
    if (st == PSH_OK)
        st = psh_world_diff(d->worlds[0], d->worlds[1], note, d);
    if (st == PSH_OK)
        st = psh_world_diff_dump(d->worlds[0], d->worlds[1], text);
    if (st != PSH_OK) {
        psh_buffer_destroy(text);
        return sight_fail(s, "comparing", st);
    }
    print_end(d, lines_of(text));
    if (result)
        put_head(d, result, lines_of(text));
    map_write(s, result);
    if (s->f->code == EXIT_DONE && *lines_of(text))
        s->f->code = EXIT_FINDINGS;
    psh_buffer_destroy(text);
    return s->f->code;
}

int map_diff(sight *s, FILE *to) {
    diff d = { .s = s, .to = to };
    json_t *result = NULL;
    int i;

    if (load_both(&d) == EXIT_DONE && (!s->o->json || (result = map_result(s, "diff")) != NULL))
        compare(&d, result);
    for (i = 0; i < 2; i++)
        psh_world_unref(d.worlds[i]);
    return s->f->code;
}
