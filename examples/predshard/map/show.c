/* SPDX-License-Identifier: MIT */
/* The world as people read it: head, intervals or partitions, nodes and tiers. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "saved.h"
#include "words.h"

/* Partitions of one interval, or on one node and tier. */
typedef struct sum {
    uint64_t partitions;
    uint64_t replicas;
    uint64_t states[PSH_PARTITION_DROPPED + 1];
    uint64_t rows, bytes, planned;
} sum;

typedef struct show {
    sight *s;
    FILE *to;
    json_t *result; /* NULL: not asked for */
} show;

static void add(sum *x, const psh_partition *p) {
    x->partitions++;
    x->states[p->state <= PSH_PARTITION_DROPPED ? p->state : 0]++;
    x->rows += p->rows;
    x->bytes += p->bytes;
    x->planned += p->bytes_planned;
}

/* "2 sealed, 1 active" */
static void states_text(const sum *x, char *out, size_t size) {
    size_t used = 0;
    uint32_t state;

    out[0] = 0;
    for (state = 0; state <= PSH_PARTITION_DROPPED; state++)
        if (x->states[state] && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%" PRIu64 " %s", used ? ", " : "",
                x->states[state], psh_partition_state_name(state));
}

static int is_wanted(const show *v, const psh_partition *p) {
    const map_options *o = v->s->o;

    if (o->table && psh_schema_find_table(v->s->schema, o->table) != p->table)
        return 0;
    if (o->from == PSH_TIME_MIN && o->to == PSH_TIME_MAX)
        return 1;
    return !(p->flags & PSH_PARTITION_QUARANTINE) && p->time_from < o->to && p->time_to > o->from;
}

static void put_sum(json_t *at, const sum *x, failure *f) {
    json_t *states = put_object(at, "states", f);
    uint32_t state;

    put_count(at, "partitions", x->partitions, f);
    for (state = PSH_PARTITION_SHADOW; state <= PSH_PARTITION_DROPPED; state++)
        if (x->states[state])
            put_count(states, psh_partition_state_name(state), x->states[state], f);
    put_count(at, "rows", x->rows, f);
    put_count(at, "bytes", x->bytes, f);
    put_count(at, "bytes_planned", x->planned, f);
}

static void show_sum(const show *v, const char *name, const sum *x) {
    char states[160], bytes[WORDS_SIZE], planned[WORDS_SIZE];

    states_text(x, states, sizeof states);
    words_bytes(x->bytes, bytes);
    words_bytes(x->planned, planned);
    fprintf(v->to, "  %-21s %10" PRIu64 "  %-24s %12" PRIu64 " %11s %11s\n", name, x->partitions, states, x->rows,
        bytes, planned);
}

/* Partitions i.. of one interval. @return behind them. */
static size_t show_interval(const show *v, size_t i, json_t *intervals) {
    const psh_world *w = v->s->world;
    const psh_partition *first = psh_world_partition(w, i), *p;
    char name[WORDS_SIZE] = "quarantine";
    int quarantine = first->flags & PSH_PARTITION_QUARANTINE;
    json_t *at;
    sum x;

    memset(&x, 0, sizeof x);
    for (; (p = psh_world_partition(w, i)) != NULL && p->table == first->table &&
           p->interval == first->interval && (int)(p->flags & PSH_PARTITION_QUARANTINE) == quarantine;
         i++)
        add(&x, p);
    if (!quarantine)
        words_start(first->time_from, name);
    show_sum(v, name, &x);
    if (!v->result)
        return i;
    at = push_object(intervals, v->s->f);
    put(at, "quarantine", json_boolean(quarantine), v->s->f);
    put_time(at, "from", first->time_from, v->s->f);
    put_time(at, "to", first->time_to, v->s->f);
    put_sum(at, &x, v->s->f);
    return i;
}

static void show_partition(const show *v, const psh_partition *p) {
    char name[WORDS_NAME], id[WORDS_SIZE], bytes[WORDS_SIZE], planned[WORDS_SIZE];

    words_name(v->s->schema, p, name);
    words_id(p->id, id);
    words_bytes(p->bytes, bytes);
    words_bytes(p->bytes_planned, planned);
    fprintf(v->to, "  %-34s %s  %-8s %4" PRIu32 ".%-3" PRIu32 " %5.1f %% %12" PRIu64 " %11s %11s\n", name, id,
        psh_partition_state_name(p->state), p->node, p->tier, words_share(p->arc_first, p->arc_last), p->rows,
        bytes, planned);
}

/* How many partitions and intervals a table has, shown or not. */
static void count_table(const psh_world *w, uint32_t table, size_t *partitions, size_t *intervals) {
    const psh_partition *p, *before = NULL;
    size_t i;

    *partitions = *intervals = 0;
    for (i = 0; (p = psh_world_partition(w, i)) != NULL; i++) {
        if (p->table != table)
            continue;
        ++*partitions;
        if (!(p->flags & PSH_PARTITION_QUARANTINE) && (!before || before->interval != p->interval))
            ++*intervals;
        before = p;
    }
}

static void show_head_of(const show *v, const char *name, size_t partitions, size_t intervals) {
    fprintf(v->to, "\ntable %s: %zu partitions, %zu intervals\n", name, partitions, intervals);
    if (v->s->o->partitions)
        fprintf(v->to, "  %-34s %-18s  %-8s %8s %7s %12s %11s %11s\n", "table in the database", "id", "state",
            "node.tier", "ring", "rows", "bytes", "planned");
    else
        fprintf(v->to, "  %-21s %10s  %-24s %12s %11s %11s\n", "interval", "partitions", "states", "rows", "bytes",
            "planned");
}

static void show_table(const show *v, uint32_t table, json_t *tables) {
    const psh_world *w = v->s->world;
    json_t *at = v->result ? push_object(tables, v->s->f) : NULL;
    json_t *list = at ? put_array(at, v->s->o->partitions ? "partitions" : "intervals", v->s->f) : NULL;
    const psh_partition *p;
    psh_table_spec spec;
    size_t partitions, intervals, i;
    int shown = 0;

    if (psh_schema_table(v->s->schema, table, &spec) != PSH_OK)
        return;
    count_table(w, table, &partitions, &intervals);
    show_head_of(v, spec.name, partitions, intervals);
    if (at)
        put_text(at, "name", spec.name, v->s->f);
    for (i = 0; (p = psh_world_partition(w, i)) != NULL;) {
        if (p->table != table || !is_wanted(v, p)) {
            i++;
            continue;
        }
        shown = 1;
        if (!v->s->o->partitions) {
            i = show_interval(v, i, list);
            continue;
        }
        show_partition(v, p);
        if (list)
            put_partition(push_object(list, v->s->f), v->s->schema, p, v->s->f);
        i++;
    }
    if (!shown)
        fprintf(v->to, "  none%s\n", partitions ? " between --from and --to" : "");
}

static sum sum_of_tier(const psh_world *w, const psh_tier_info *t) {
    const psh_partition *p;
    const psh_replica *r;
    size_t i;
    sum x;

    memset(&x, 0, sizeof x);
    for (i = 0; (p = psh_world_partition(w, i)) != NULL; i++)
        if (p->node == t->node && p->tier == t->tier)
            add(&x, p);
    for (i = 0; (r = psh_world_replica(w, i)) != NULL; i++)
        x.replicas += r->node == t->node && r->tier == t->tier;
    return x;
}

static void show_tier(const show *v, const psh_tier_info *t, json_t *tiers) {
    char used[WORDS_SIZE], reserved[WORDS_SIZE], planned[WORDS_SIZE], capacity[WORDS_SIZE];
    sum x = sum_of_tier(v->s->world, t);
    failure *f = v->s->f;
    json_t *at;

    words_bytes(t->used_bytes, used);
    words_bytes(t->reserved_bytes, reserved);
    words_bytes(t->planned_bytes, planned);
    words_bytes(t->capacity_bytes, capacity);
    fprintf(v->to, "  %4" PRIu32 ".%-4" PRIu32 " %10" PRIu64 " %8" PRIu64 " %12" PRIu64 " %11s %11s %11s %11s\n",
        t->node, t->tier, x.partitions, x.replicas, x.rows, used, reserved, planned, capacity);
    if (!tiers)
        return;
    at = push_object(tiers, f);
    put_count(at, "node", t->node, f);
    put_count(at, "tier", t->tier, f);
    put_sum(at, &x, f);
    put_count(at, "replicas", x.replicas, f);
    put_count(at, "used", t->used_bytes, f);
    put_count(at, "reserved", t->reserved_bytes, f);
    put_count(at, "planned", t->planned_bytes, f);
    put_count(at, "capacity", t->capacity_bytes, f);
}

static void show_tiers(const show *v) {
    json_t *tiers = v->result ? put_array(v->result, "tiers", v->s->f) : NULL;
    size_t i;

    fprintf(v->to, "\nnodes and tiers\n  %-9s %10s %8s %12s %11s %11s %11s %11s\n", "node.tier", "partitions",
        "replicas", "rows", "used", "reserved", "planned", "capacity");
    for (i = 0; i < psh_world_tier_count(v->s->world); i++)
        show_tier(v, psh_world_tier(v->s->world, i), tiers);
    fprintf(v->to, "\n%zu views, %zu replicas, %zu tenants' segments and preferences\n",
        psh_world_view_count(v->s->world), psh_world_replica_count(v->s->world),
        psh_world_assignment_count(v->s->world));
}

static void show_leader(const show *v) {
    const psh_share_state *x = &v->s->state;
    char until[WORDS_SIZE];

    fprintf(v->to, "fence %" PRIu64 "; ", x->fence);
    if (!x->owner[0]) {
        fprintf(v->to, "nobody leads: no planner is running\n");
        return;
    }
    words_time(x->lease_end - x->lease_end % PSH_SECOND, until);
    fprintf(v->to, "%s leads, lease %s %s UTC\n", x->owner, sight_led(v->s) ? "until" : "ran out at", until);
}

static void put_share(const show *v, const uint64_t *kept, size_t n) {
    const psh_share_state *x = &v->s->state;
    failure *f = v->s->f;
    json_t *at, *epochs;
    size_t i;

    at = put_object(v->result, "share", f);
    put_count(at, "epoch", x->epoch, f);
    put_time(at, "time", x->time, f);
    put_count(at, "fence", x->fence, f);
    put_count(at, "lead_fence", x->lead_fence, f);
    put_text(at, "leader", x->owner[0] ? x->owner : NULL, f);
    put_time(at, "lease_end", x->lease_end, f);
    epochs = put_array(at, "epochs", f);
    for (i = 0; i < n; i++)
        push(epochs, json_integer((json_int_t)kept[i]), f);
}

static int show_share(const show *v) {
    uint64_t kept[MOST_EPOCHS];
    size_t count = 0;
    psh_status st = psh_share_epochs(v->s->share, kept, MOST_EPOCHS, &count, &v->s->err);

    if (st != PSH_OK)
        return sight_fail(v->s, "its root", st);
    show_leader(v);
    fprintf(v->to, "%zu epochs kept, %" PRIu64 " to %" PRIu64 "\n", count, kept[count - 1], kept[0]);
    if (v->result)
        put_share(v, kept, count);
    return v->s->f->code;
}

static int show_dump(const show *v) {
    psh_buffer *text = NULL;
    psh_status st = psh_buffer_create(v->s->env, &text);

    if (st == PSH_OK)
        st = psh_world_dump(v->s->world, text);
    if (st == PSH_OK)
        map_print(text, v->to);
    psh_buffer_destroy(text);
    return st == PSH_OK ? EXIT_DONE : fail_memory(v->s->f);
}

static int show_world(const show *v) {
    const psh_world *w = v->s->world;
    json_t *tables = v->result ? put_array(v->result, "tables", v->s->f) : NULL;
    char time[WORDS_SIZE];
    uint32_t t, only = PSH_NONE;

    if (v->s->o->table && sight_table(v->s, &only))
        return v->s->f->code;
    words_time(psh_world_time(w), time);
    fprintf(v->to, "%s: world of epoch %" PRIu64 ", made at %s\n", v->s->o->db ? v->s->o->db : v->s->o->file,
        psh_world_epoch(w), time);
    if (v->result) {
        put_count(v->result, "epoch", psh_world_epoch(w), v->s->f);
        put_time(v->result, "time", psh_world_time(w), v->s->f);
    }
    if (v->s->share && show_share(v))
        return v->s->f->code;
    for (t = 0; t < psh_schema_table_count(v->s->schema); t++)
        if (only == PSH_NONE || only == t)
            show_table(v, t, tables);
    show_tiers(v);
    return v->s->f->code;
}

int map_show(sight *s, FILE *to) {
    show v = { s, to, NULL };

    if (s->o->from >= s->o->to)
        return fail(s->f, EXIT_USAGE, "--from must lie before --to");
    if (sight_world(s, s->o->epochs[0], &s->world))
        return s->f->code;
    if (s->o->json && (v.result = map_result(s, "show")) == NULL)
        return s->f->code;
    if (s->o->dump)
        show_dump(&v);
    else
        show_world(&v);
    if (s->o->save && s->f->code == EXIT_DONE)
        saved_write(s->env, s->world, s->o->save, s->f);
    return map_write(s, v.result);
}
