/* SPDX-License-Identifier: MIT */
/* Where should ranges of keys begin in the next window of a storage trace, and which keys are better hashed? */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast.h"
#include "replay.h"
#include "tool.h"
#include "trace_io.h"

static const char usage[] =
    "usage: replay boundaries FILE... [--ranges 64] [--window N] [--format arc|u32be|u32le|csv] [--tsv]\n"
    "  --ranges N  owners; default 64\n"
    "  --window N  accesses a window; default a 50th of the trace\n"
    "  --format F  default by the name: arc for .lis, csv for .csv, else u32be; .xz is decoded";

#define MOVES 0.10      /* of the keys seen so far, in a window, at most; ours may save it up */
#define EXTENTS 4096u   /* of the key space, each as wide as another */
#define SLOTS 64u       /* of the hash, an owner */
#define MEMORY 8.0      /* windows over which a way is judged before it is followed */
#define BETTER 0.95     /* a way must have been so much better than the one followed */
#define MOST_RANGES 4096u

static const double half_lives[] = { 0.5, 1, 2, 4, 16 };
static const double slot_lives[] = { 1, 4, 16 };
static const double quiet_below[] = { 0.25, 1.0 / 16, 1.0 / 64 };
#define CUTS (sizeof half_lives / sizeof *half_lives)
#define HASHES (sizeof slot_lives / sizeof *slot_lives)
#define HYBRIDS (sizeof quiet_below / sizeof *quiet_below)

enum { REACTIVE, ORACLE, PLAIN_HASH, OURS, FIRST_WAY };
#define DRIFT FIRST_WAY                /* cuts where psh_forecaster_keys expects them */
#define FIRST_CUT (DRIFT + 1)          /* cuts by a fading sketch, one for each half-life */
#define FIRST_HASH (FIRST_CUT + CUTS)  /* slots of a hash, balanced on their fading loads */
#define FIRST_HYBRID (FIRST_HASH + HASHES) /* quiet extents are ranges, the others hashed; all of it balanced */
#define WAYS (FIRST_HYBRID + HYBRIDS)

typedef struct way {
    char name[40];
    uint16_t *owner;   /* Shape [keys] */
    uint32_t *cut;     /* cuts: Shape [ranges + 1], first key of each range, the last past the end */
    psh_key_sketch *sketch;
    double *load;      /* slots, or extents and then slots: fading */
    uint16_t *place;   /* of these: owner */
    double *heat;      /* hybrids: by extent, fading, hashed or not */
    uint8_t *is_hot;   /* hybrids: by extent: hashed */
    uint16_t *age;     /* hybrids: by extent: windows that it has been quiet */
    double ranged;     /* hybrids: share of the keys seen that stand in ranges */
    double recent, sum, worst, moved, moved_recent;
} way;

typedef struct contest {
    trace t;
    psh_env *env;
    psh_forecaster *f;
    uint32_t ranges;
    size_t window, windows;
    uint32_t *count;   /* Shape [keys], of the window */
    uint8_t *seen;     /* Shape [keys] */
    uint32_t *before;  /* Shape [keys + 1]: keys seen before an index */
    uint32_t *slot;    /* Shape [keys] */
    uint32_t *extent;  /* Shape [keys] */
    uint32_t *unit;    /* Shape [keys]: scratch */
    uint16_t *was;     /* Shape [keys] */
    uint16_t *next;    /* Shape [keys]: cut by the window that is over */
    way way[WAYS];
    size_t followed;   /* by ours */
    double followed_for[WAYS]; /* windows */
    double judged;
    double budget;     /* share of the keys seen that may move now */
} contest;

/* Big-endian, so that order is the same. */
static void key_bytes(uint64_t key, unsigned char out[8]) {
    int i;

    for (i = 7; i >= 0; i--, key >>= 8)
        out[i] = (unsigned char)key;
}

/* The first key at or above one in bytes. */
static uint32_t index_of(const contest *c, const unsigned char *data, size_t size) {
    size_t lo = 0, hi = c->t.keys, mid, i;
    uint64_t key = 0;

    for (i = 0; i < 8; i++)
        key = key << 8 | (i < size ? data[i] : 0);
    while (lo < hi) {
        mid = lo + (hi - lo) / 2;
        if (c->t.key[mid] < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (uint32_t)lo;
}

/* Ranges of equal load, as equal as whole keys allow. */
static void cut_by_count(const contest *c, uint16_t *owner) {
    double below = 0, total = 0, at;
    size_t i;

    for (i = 0; i < c->t.keys; i++)
        total += c->count[i];
    for (i = 0; i < c->t.keys; i++) {
        at = (below + c->count[i] / 2.0) * c->ranges / total;
        owner[i] = (uint16_t)(at < c->ranges ? at : c->ranges - 1);
        below += c->count[i];
    }
}

typedef struct cutting {
    const contest *c;
    uint32_t *cut;
    uint32_t next; /* range whose first key is not known yet */
} cutting;

/* A key of more than a range's load leaves ranges empty, so that others keep their number. */
static void take_cut(void *user, psh_bytes key, double share_below) {
    cutting *k = user;
    uint32_t at = index_of(k->c, key.data, key.size), range = (uint32_t)(share_below * k->c->ranges + 0.5);

    while (k->next <= range && k->next < k->c->ranges)
        k->cut[k->next++] = at;
}

/* Keys seen that another range would own. */
static uint32_t moved_by(const contest *c, const uint32_t *a, const uint32_t *b) {
    uint32_t i = 0, j = 0, at = 0, next, moved = 0;

    while (at < c->t.keys) {
        while (i < c->ranges && a[i + 1] <= at)
            i++;
        while (j < c->ranges && b[j + 1] <= at)
            j++;
        next = a[i + 1] < b[j + 1] ? a[i + 1] : b[j + 1];
        if (i != j)
            moved += c->before[next] - c->before[at];
        at = next;
    }
    return moved;
}

/* Goes all the way to the cuts that are expected to be right, or as far as the budget of moves lets it. */
static void move_cuts(contest *c, way *w, const psh_key_sketch *expected) {
    uint32_t *want = bench_alloc(c->ranges + 1, sizeof *want), *try = bench_alloc(c->ranges + 1, sizeof *try), i;
    cutting k = { c, want, 1 };
    double part;

    if (psh_key_sketch_split(expected, c->ranges, take_cut, &k) == PSH_OK) {
        while (k.next <= c->ranges)
            want[k.next++] = (uint32_t)c->t.keys;
        for (part = 1; part > 0.01; part /= 2) {
            for (i = 1; i <= c->ranges; i++)
                try[i] = (uint32_t)(w->cut[i] + part * ((double)want[i] - w->cut[i]));
            try[c->ranges] = (uint32_t)c->t.keys;
            if (moved_by(c, w->cut, try) > c->budget * c->before[c->t.keys])
                continue;
            memcpy(w->cut, try, (c->ranges + 1) * sizeof *try);
            break;
        }
    }
    for (i = 0; i < c->ranges; i++)
        for (k.next = w->cut[i]; k.next < w->cut[i + 1]; k.next++)
            w->owner[k.next] = (uint16_t)i;
    free(want);
    free(try);
}

/* Units (slots of the hash, cold extents) to owners, by what they carried lately, within the budget of moves. */
static void balance(contest *c, way *w, const uint32_t *unit_of, uint32_t units) {
    psh_heat_node *node = bench_alloc(c->ranges, sizeof *node);
    psh_heat *item = bench_alloc(units, sizeof *item);
    psh_balance_options o;
    psh_balance *b = NULL;
    psh_balance_step s;
    size_t i;

    for (i = 0; i < units; i++)
        item[i] = (psh_heat){ .id = i + 1, .writes = w->load[i], .node = w->place[i] };
    for (i = 0; i < c->t.keys; i++)
        item[unit_of[i]].bytes += c->seen[i];
    for (i = 0; i < c->ranges; i++)
        node[i] = (psh_heat_node){ .node = (uint32_t)i, .capacity = 1, .free_bytes = UINT64_MAX / 2 };
    bench_must(psh_balance_options_init(&o, sizeof o), "options", NULL);
    o.max_steps = units; /* keys are rationed, not steps: small steps are worth taking */
    o.max_bytes = (uint64_t)(c->budget / 2 * c->before[c->t.keys]);
    o.tolerance = 0.05;
    o.least_gain = 0.001;
    o.flags = PSH_BALANCE_NO_SPLIT | PSH_BALANCE_NO_MERGE | PSH_BALANCE_NO_REPLICA;
    bench_must(psh_balance_create(
        c->env, &o, item, units, sizeof *item, node, c->ranges, sizeof *node, &b, NULL), "plan", NULL);
    for (i = 0; i < psh_balance_count(b); i++) {
        bench_must(psh_balance_get(b, i, &s), "step", NULL);
        w->place[s.item - 1] = (uint16_t)s.to;
    }
    psh_balance_destroy(b);
    free(item);
    free(node);
}

/* An extent that was quiet for long becomes a range of its own: below a share of an owner's fair load. What is
 * new or busy is hashed, since nobody knows where in it the next keys will fall. Half the budget of moves is for
 * that. */
static void heat_extents(contest *c, way *w, double below) {
    uint32_t *keys = bench_alloc(EXTENTS, sizeof *keys), e;
    uint32_t budget = (uint32_t)(c->budget / 2 * c->before[c->t.keys]);
    double fair = 0;
    size_t i;

    for (i = 0; i < c->t.keys; i++)
        keys[c->extent[i]] += c->seen[i];
    for (e = 0; e < EXTENTS; e++)
        fair += w->heat[e] / c->ranges;
    for (e = 0; e < EXTENTS; e++) {
        w->age[e] = w->heat[e] < below / 4 * fair && keys[e] ? w->age[e] + 1 : 0;
        if (w->is_hot[e] ? w->age[e] < MEMORY : w->heat[e] <= below * fair)
            continue;
        if (keys[e] > budget)
            continue;
        budget -= keys[e];
        w->is_hot[e] ^= 1;
    }
    free(keys);
}

static void prepare_hybrid(contest *c, way *w, double below) {
    size_t i;

    heat_extents(c, w, below);
    for (i = 0; i < c->t.keys; i++)
        c->unit[i] = w->is_hot[c->extent[i]] ? EXTENTS + c->slot[i] : c->extent[i];
    balance(c, w, c->unit, EXTENTS + c->ranges * SLOTS);
    w->ranged = 0;
    for (i = 0; i < c->t.keys; i++) {
        w->owner[i] = w->place[c->unit[i]];
        w->ranged += c->seen[i] && !w->is_hot[c->extent[i]];
    }
    w->ranged /= c->before[c->t.keys];
}

static void prepare_hash(contest *c, way *w) {
    size_t i;

    balance(c, w, c->slot, c->ranges * SLOTS);
    for (i = 0; i < c->t.keys; i++)
        w->owner[i] = w->place[c->slot[i]];
}

static void prepare_drift(contest *c, way *w, size_t window) {
    psh_subject subject = { PSH_SUBJECT_TABLE, 0, 0 };
    psh_key_sketch *s = NULL;
    double error;

    if (psh_forecaster_keys(c->f, &subject, (int64_t)window * PSH_HOUR + PSH_HOUR / 2, &s, &error) == PSH_OK)
        move_cuts(c, w, s);
    psh_key_sketch_destroy(s);
}

/* Follows what did best lately within the budget of moves, and changes its mind only when that has saved up
 * enough. */
static void choose(contest *c, size_t window) {
    way *o = &c->way[OURS];
    size_t i, best = c->followed;

    for (i = FIRST_WAY; i < WAYS; i++)
        if (c->way[i].recent < c->way[best].recent && c->way[i].moved_recent <= MOVES)
            best = i;
    if (best != c->followed && c->way[best].recent < BETTER * c->way[c->followed].recent
        && o->moved + 1 <= MOVES * (double)(window + 1))
        c->followed = best;
    memcpy(o->owner, c->way[c->followed].owner, c->t.keys * sizeof *o->owner);
}

static double moved_share(const contest *c, const way *w) {
    uint32_t moved = 0;
    size_t i;

    for (i = 0; i < c->t.keys; i++)
        moved += c->seen[i] && c->was[i] != w->owner[i];
    return c->before[c->t.keys] ? (double)moved / c->before[c->t.keys] : 0;
}

static void prepare(contest *c, size_t i, size_t window) {
    way *w = &c->way[i];

    if (i == REACTIVE)
        memcpy(w->owner, c->next, c->t.keys * sizeof *w->owner);
    else if (i == ORACLE)
        cut_by_count(c, w->owner);
    else if (i == DRIFT)
        prepare_drift(c, w, window);
    else if (i == OURS)
        choose(c, window);
    else if (i >= FIRST_HYBRID)
        prepare_hybrid(c, w, quiet_below[i - FIRST_HYBRID]);
    else if (i >= FIRST_HASH)
        prepare_hash(c, w);
    else if (i >= FIRST_CUT)
        move_cuts(c, w, w->sketch);
}

static double judge(const contest *c, const way *w) {
    double *load = bench_alloc(c->ranges, sizeof *load), most = 0, total = 0;
    size_t i;

    for (i = 0; i < c->t.keys; i++)
        load[w->owner[i]] += c->count[i];
    for (i = 0; i < c->ranges; i++) {
        most = load[i] > most ? load[i] : most;
        total += load[i];
    }
    free(load);
    return most * c->ranges / total;
}

static void fade(double *load, uint32_t units, double half_life) {
    double keep = exp2(-1 / half_life);
    uint32_t i;

    for (i = 0; i < units; i++)
        load[i] *= keep;
}

static void learn_hybrid(const contest *c, way *w, size_t i) {
    uint32_t e = c->extent[i];

    w->heat[e] += c->count[i];
    w->load[w->is_hot[e] ? EXTENTS + c->slot[i] : e] += c->count[i];
}

/* The window is over: what it brought. */
static void learn(contest *c, size_t window) {
    psh_subject subject = { PSH_SUBJECT_TABLE, 0, 0 };
    int64_t time = (int64_t)window * PSH_HOUR;
    unsigned char key[8];
    size_t i, k;

    for (k = 0; k < HASHES; k++)
        fade(c->way[FIRST_HASH + k].load, c->ranges * SLOTS, slot_lives[k]);
    for (k = 0; k < HYBRIDS; k++) {
        fade(c->way[FIRST_HYBRID + k].load, EXTENTS + c->ranges * SLOTS, slot_lives[0]);
        fade(c->way[FIRST_HYBRID + k].heat, EXTENTS, MEMORY);
    }
    for (i = 0; i < c->t.keys; i++) {
        if (!c->count[i])
            continue;
        key_bytes(c->t.key[i], key);
        bench_must(psh_forecaster_observe_key(c->f, &subject, key, 8, c->count[i], time), "keys", NULL);
        for (k = 0; k < CUTS; k++)
            bench_must(psh_key_sketch_observe(
                c->way[FIRST_CUT + k].sketch, key, 8, c->count[i], time), "sketch", NULL);
        for (k = 0; k < HASHES; k++)
            c->way[FIRST_HASH + k].load[c->slot[i]] += c->count[i];
        for (k = 0; k < HYBRIDS; k++)
            learn_hybrid(c, &c->way[FIRST_HYBRID + k], i);
        c->seen[i] = 1;
    }
    for (i = 0; i < c->t.keys; i++)
        c->before[i + 1] = c->before[i] + c->seen[i];
    cut_by_count(c, c->next);
    bench_step(c->f, time + PSH_HOUR);
}

static void count_window(contest *c, size_t window) {
    size_t i, end = (window + 1) * c->window;

    memset(c->count, 0, c->t.keys * sizeof *c->count);
    for (i = window * c->window; i < end && i < c->t.accesses; i++)
        c->count[c->t.access[i]]++;
}

/* Placed for the window by what is known before it; the first time nothing that is placed moves. */
static void place(contest *c, size_t i, size_t window) {
    way *w = &c->way[i];
    double moved;

    memcpy(c->was, w->owner, c->t.keys * sizeof *c->was);
    prepare(c, i, window);
    moved = window > 1 ? moved_share(c, w) : 0;
    w->moved += moved;
    w->moved_recent += (moved - w->moved_recent) / MEMORY;
}

static void one_window(contest *c, size_t window) {
    double ratio;
    size_t i;
    way *w;

    count_window(c, window); /* which only the oracle and the judge look at */
    c->budget = window > 1 ? MOVES : 1;
    for (i = 0; i < WAYS; i++)
        if (i != OURS)
            place(c, i, window);
    place(c, OURS, window); /* it follows one of the others */
    c->followed_for[c->followed]++;
    c->judged++;
    for (i = 0; i < WAYS; i++) {
        w = &c->way[i];
        ratio = judge(c, w);
        w->recent = w->recent > 0 ? w->recent + (ratio - w->recent) / MEMORY : ratio;
        w->sum += ratio;
        w->worst = ratio > w->worst ? ratio : w->worst;
    }
}

static void open_cut(contest *c, way *w, double half_life) {
    psh_key_sketch_options o;

    w->cut = bench_alloc(c->ranges + 1, sizeof *w->cut);
    w->cut[c->ranges] = (uint32_t)c->t.keys;
    if (!(half_life > 0))
        return;
    snprintf(w->name, sizeof w->name, "cut_half_life_%g", half_life);
    bench_must(psh_key_sketch_options_init(&o, sizeof o), "options", NULL);
    o.k = 4096;
    o.max_key_bytes = 8;
    o.half_life_ns = (int64_t)(half_life * (double)PSH_HOUR);
    bench_must(psh_key_sketch_create(c->env, &o, &w->sketch, NULL), "sketch", NULL);
}

static void open_units(contest *c, way *w, uint32_t extents) {
    uint32_t units = extents + c->ranges * SLOTS, i;

    w->load = bench_alloc(units, sizeof *w->load);
    w->place = bench_alloc(units, sizeof *w->place);
    for (i = 0; i < units; i++)
        w->place[i] = (uint16_t)(i < extents ? (uint64_t)i * c->ranges / extents : (i - extents) % c->ranges);
    if (!extents)
        return;
    w->heat = bench_alloc(extents, sizeof *w->heat);
    w->age = bench_alloc(extents, sizeof *w->age);
    w->is_hot = bench_alloc(extents, 1);
    memset(w->is_hot, 1, extents);
}

static void open_ways(contest *c) {
    size_t i, k;

    for (i = 0; i < WAYS; i++)
        c->way[i].owner = bench_alloc(c->t.keys, sizeof(uint16_t));
    strcpy(c->way[REACTIVE].name, "reactive");
    strcpy(c->way[ORACLE].name, "oracle");
    strcpy(c->way[PLAIN_HASH].name, "hash");
    strcpy(c->way[OURS].name, "ours");
    strcpy(c->way[DRIFT].name, "cut_forecaster");
    open_cut(c, &c->way[DRIFT], 0);
    for (k = 0; k < CUTS; k++)
        open_cut(c, &c->way[FIRST_CUT + k], half_lives[k]);
    for (k = 0; k < HASHES; k++) {
        open_units(c, &c->way[FIRST_HASH + k], 0);
        snprintf(c->way[FIRST_HASH + k].name, sizeof c->way->name, "slots_half_life_%g", slot_lives[k]);
    }
    for (k = 0; k < HYBRIDS; k++) {
        open_units(c, &c->way[FIRST_HYBRID + k], EXTENTS);
        snprintf(c->way[FIRST_HYBRID + k].name, sizeof c->way->name, "hybrid_below_%.3g", quiet_below[k]);
    }
    for (i = 0; i < c->t.keys; i++)
        c->way[PLAIN_HASH].owner[i] = (uint16_t)(c->slot[i] % c->ranges);
    c->followed = FIRST_HASH; /* nothing is known yet: what needs to know least */
}

static uint64_t mixed(uint64_t key) {
    return bench_random(&key);
}

static void open_contest(contest *c, psh_schema *schema) {
    double width = ((double)c->t.key[c->t.keys - 1] + 1) / EXTENTS;
    psh_forecaster_options o;
    size_t i;

    c->count = bench_alloc(c->t.keys, sizeof *c->count);
    c->seen = bench_alloc(c->t.keys, 1);
    c->before = bench_alloc(c->t.keys + 1, sizeof *c->before);
    c->slot = bench_alloc(c->t.keys, sizeof *c->slot);
    c->extent = bench_alloc(c->t.keys, sizeof *c->extent);
    c->unit = bench_alloc(c->t.keys, sizeof *c->unit);
    c->was = bench_alloc(c->t.keys, sizeof *c->was);
    c->next = bench_alloc(c->t.keys, sizeof *c->next);
    for (i = 0; i < c->t.keys; i++) {
        c->slot[i] = (uint32_t)(mixed(c->t.key[i]) % (c->ranges * SLOTS));
        c->extent[i] = (uint32_t)((double)c->t.key[i] / width);
        c->extent[i] -= c->extent[i] == EXTENTS;
    }
    bench_must(psh_forecaster_options_init(&o, sizeof o), "options", NULL);
    o.lateness_ns = -1; /* a window is an hour to it */
    bench_must(psh_forecaster_create(c->env, schema, &o, &c->f, NULL), "forecaster", NULL);
    open_ways(c);
}

static void close_contest(contest *c) {
    size_t i;

    for (i = 0; i < WAYS; i++) {
        free(c->way[i].owner);
        free(c->way[i].cut);
        free(c->way[i].load);
        free(c->way[i].place);
        free(c->way[i].heat);
        free(c->way[i].is_hot);
        free(c->way[i].age);
        psh_key_sketch_destroy(c->way[i].sketch);
    }
    psh_forecaster_destroy(c->f);
    free(c->count);
    free(c->seen);
    free(c->before);
    free(c->slot);
    free(c->extent);
    free(c->unit);
    free(c->was);
    free(c->next);
    trace_free(&c->t);
}

static void print(const contest *c, const char *trace_name) {
    double reactive = c->way[REACTIVE].sum, oracle = c->way[ORACLE].sum, ours = c->way[OURS].sum;
    char note[200], name[96], ranged[48];
    size_t i, most = FIRST_WAY;
    const way *w;

    for (i = 0; i < WAYS; i++) {
        w = &c->way[i];
        snprintf(ranged, sizeof ranged, ", %.0f%% in ranges in the end", 100 * w->ranged);
        snprintf(name, sizeof name, "%s_%s", trace_name, w->name);
        snprintf(note, sizeof note,
            "max/mean, mean of %.0f windows; worst %.2f, moved %.1f%% of the keys a window%s", c->judged, w->worst,
            100 * w->moved / c->judged, w->is_hot ? ranged : "");
        bench_figure(name, w->sum / c->judged, "ratio", note);
        if (i >= FIRST_WAY && c->followed_for[i] > c->followed_for[most])
            most = i;
    }
    snprintf(name, sizeof name, "%s_gap_closed", trace_name);
    snprintf(note, sizeof note, "from reactive to oracle, by ours; it followed %s in %.0f windows of %.0f",
        c->way[most].name, c->followed_for[most], c->judged);
    bench_figure(name, reactive > oracle ? (reactive - ours) / (reactive - oracle) : 0, "share", note);
    snprintf(name, sizeof name, "%s_moved", trace_name);
    bench_figure(name, c->way[OURS].moved / c->judged, "share", "of the keys seen, a window, by ours");
}

static void replay_one(psh_env *env, psh_schema *schema, const char *path, const char *format, uint32_t ranges,
    size_t window) {
    contest *c = bench_alloc(1, sizeof *c);
    const char *slash = strrchr(path, '/');
    char name[40];
    size_t i;

    c->env = env;
    c->ranges = ranges;
    trace_read(path, format, &c->t);
    c->window = window ? window : c->t.accesses / 50;
    c->windows = c->window ? c->t.accesses / c->window : 0;
    if (c->windows < 3)
        bench_die(BENCH_BAD_INPUT, "%s: %zu accesses make less than three windows", path, c->t.accesses);
    open_contest(c, schema);
    for (i = 0; i < c->windows; i++) {
        if (i > 0)
            one_window(c, i);
        else
            count_window(c, i);
        learn(c, i);
    }
    snprintf(name, sizeof name, "%.30s", slash ? slash + 1 : path);
    name[strcspn(name, ".")] = 0;
    print(c, name);
    close_contest(c);
    free(c);
}

int replay_boundaries(int argc, char **argv) {
    const char *format = NULL, *word[16] = { NULL };
    uint32_t ranges = 64, window = 0;
    bench_option options[3 + 16] = {
        { "--ranges", BENCH_COUNT, &ranges, 0 },
        { "--window", BENCH_COUNT, &window, 0 },
        { "--format", BENCH_TEXT, &format, 0 },
    };
    psh_env *env = NULL;
    psh_schema *schema;
    size_t i;

    for (i = 0; i < 16; i++)
        options[3 + i] = (bench_option){ "", BENCH_WORDS, &word[i], i == 0 };
    bench_args(argc, argv, usage, options, 3 + 16);
    if (ranges < 2 || ranges > MOST_RANGES)
        bench_die(BENCH_USAGE, "--ranges: 2 to 4096\n%s", usage);
    bench_must(psh_env_create(NULL, &env, NULL), "env", NULL);
    schema = bench_load_schema(env);
    for (i = 0; i < 16 && word[i]; i++)
        replay_one(env, schema, word[i], format, ranges, window);
    psh_schema_unref(schema);
    psh_env_destroy(env);
    return 0;
}
