/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/hash.h"
#include "base/options.h"
#include "ds/hyperloglog.h"
#include "forecast/forecaster.h"
#include "forecast/segment.h"

#define MOST_LABELS 16u
#define MOST_SUBJECTS (MOST_LABELS + 5u + PSHI_RECORD_SETS)

/* The series that one record counts into. */
typedef struct intake {
    psh_forecaster *f;
    int64_t bucket;
    size_t before;  /* series there were */
    uint64_t shed;  /* what was shed before */
    uint32_t count;
    pshi_series *series[MOST_SUBJECTS];
} intake;

psh_status pshi_query_record_read(const psh_schema *schema, const psh_query_record *r, psh_query_record *out) {
    psh_status st;

    if (!r)
        return PSH_E_INVALID;
    memset(out, 0, sizeof *out);
    if ((st = pshi_options_copy(out, sizeof *out, r, NULL)) != PSH_OK)
        return st;
    if (!out->query || psh_query_schema(out->query) != schema || out->time == PSH_TIME_NONE)
        return PSH_E_INVALID;
    if (out->duration_ns < 0 || !isfinite(out->weight) || !(out->weight > 0) || out->weight > 1e12)
        return PSH_E_INVALID;
    return out->at_base > 1 || out->reserved || out->reserved2 ? PSH_E_INVALID : PSH_OK;
}

static int is_name(const char *s) {
    return s && *s && strlen(s) < 256;
}

psh_status pshi_write_record_read(const psh_schema *schema, const psh_write_record *r, pshi_written *out) {
    psh_write_record w;
    psh_status st;
    uint32_t i;

    if (!r)
        return PSH_E_INVALID;
    memset(&w, 0, sizeof w);
    if ((st = pshi_options_copy(&w, sizeof w, r, NULL)) != PSH_OK)
        return st;
    if (w.table >= psh_schema_table_count(schema) || w.time == PSH_TIME_NONE || !w.rows)
        return PSH_E_INVALID;
    if (w.label_count > MOST_LABELS || (w.label_count && !w.labels))
        return PSH_E_INVALID;
    out->table = w.table;
    out->label_count = (uint32_t)w.label_count;
    out->time = w.time;
    out->tenant = w.tenant;
    out->partition = w.partition;
    out->rows = (double)w.rows;
    out->bytes = (double)w.bytes;
    for (i = 0; i < out->label_count; i++) {
        if (!is_name(w.labels[i].name) || !is_name(w.labels[i].value))
            return PSH_E_INVALID;
        out->labels[i] = psh_label_id(w.labels[i].name, w.labels[i].value);
    }
    return PSH_OK;
}

/* The first event of all opens the window about itself; a step later tells the time. */
static int64_t first_open(const psh_forecaster *f, int64_t bucket) {
    return f->anchored ? f->outlook.closed : bucket - (int64_t)f->shape.late - 2;
}

static void find_bucket(psh_forecaster *f, int64_t time) {
    if (time >= f->latest_start && time < f->latest_end)
        return;
    f->latest = pshi_bucket(&f->shape, time);
    f->latest_start = pshi_bucket_start(&f->shape, f->latest);
    f->latest_end = pshi_time_add(f->latest_start, f->shape.bucket_ns);
    if (f->latest_start == PSH_TIME_MIN || f->latest_end == PSH_TIME_MAX) /* clamped: not where they say */
        f->latest_end = f->latest_start;
}

/* @return 1 if the bucket is open: neither too late nor farther ahead than memory is held for. */
static int begin(intake *in, psh_forecaster *f, int64_t time) {
    int64_t ahead;

    in->f = f;
    find_bucket(f, time);
    in->bucket = f->latest;
    in->before = f->store.count;
    in->shed = f->shed;
    in->count = 0;
    ahead = in->bucket - first_open(f, in->bucket);
    if (ahead >= 0 && ahead < (int64_t)f->shape.open)
        return 1;
    f->shed++;
    return 0;
}

static int has_series_room(const psh_forecaster *f, uint32_t kind) {
    if (f->store.count >= f->o.max_series)
        return 0;
    if (kind == PSH_SUBJECT_TENANT && f->store.tenants >= f->o.max_tenants)
        return 0;
    return pshi_forecaster_bytes(f) + pshi_series_bytes(&f->shape, kind) <= f->o.max_bytes;
}

/* Neighbouring records are often of one table, and of one tenant: those need no hash. */
static pshi_series *find_series(psh_forecaster *f, const psh_subject *subject) {
    size_t *hint = &f->hint[subject->kind];
    uint32_t i;

    if (*hint < f->store.count && pshi_subject_compare(&f->store.list[*hint]->subject, subject) == 0)
        return f->store.list[*hint];
    i = pshi_store_index(&f->store, subject);
    if (i == PSH_NONE)
        return NULL;
    *hint = i;
    return f->store.list[i];
}

/* Room beyond the near buckets; memory that is used even if the record is given up. */
static psh_status reach_far(psh_forecaster *f, pshi_series *s) {
    psh_status st = pshi_series_reach(f->env, s, &f->shape);

    if (st == PSH_OK)
        f->store.bytes += f->shape.open * sizeof *s->far;
    return st;
}

/* A series that a limit refuses is counted as shed; the record still counts in the others. */
static psh_status add_series(intake *in, uint32_t kind, uint32_t table, uint64_t id) {
    psh_subject subject = { kind, table, id };
    pshi_series *s = find_series(in->f, &subject);
    psh_status st = PSH_OK;

    if (!s && !has_series_room(in->f, kind)) {
        in->f->shed++;
        return PSH_OK;
    }
    if (!s)
        st = pshi_store_add(in->f->env, &in->f->store, &in->f->shape, &subject, in->bucket, &s);
    if (st == PSH_E_NOMEM)
        return st;
    if (!s) {
        in->f->shed++;
        return PSH_OK;
    }
    if (in->bucket - first_open(in->f, in->bucket) >= (int64_t)PSHI_NEAR && !s->far)
        st = reach_far(in->f, s);
    if (st == PSH_OK)
        in->series[in->count++] = s;
    return st;
}

static void tell_tenant(psh_forecaster *f, pshi_series *s) {
    const pshi_tenant *r = pshi_tenants_find(&f->tenants, s->subject.table, s->subject.id);

    s->segment = r ? pshi_tenant_mark(&f->tenants, r) : 0;
}

/* The tenant's series, and that of the segment which it is in by then. */
static psh_status add_tenant(intake *in, const pshi_written *w) {
    uint32_t before = in->count, place, id;
    size_t series = in->f->store.count;
    psh_status st = add_series(in, PSH_SUBJECT_TENANT, w->table, w->tenant);
    pshi_series *s;

    if (st != PSH_OK || in->count == before)
        return st;
    s = in->series[before];
    if (in->f->store.count > series && in->f->tenants.count)
        tell_tenant(in->f, s);
    if (!s->segment || !(id = pshi_segment_for(in->f, s, w->time, &place)))
        return PSH_OK;
    in->f->hint[PSH_SUBJECT_SEGMENT] = in->f->tenants.tables[w->table]->hint[place];
    st = add_series(in, PSH_SUBJECT_SEGMENT, w->table, id);
    in->f->tenants.tables[w->table]->hint[place] = in->f->hint[PSH_SUBJECT_SEGMENT];
    return st;
}

/* A label given twice counts once. */
static psh_status add_label(intake *in, uint32_t table, uint64_t id) {
    const psh_subject *s;
    uint32_t i;

    for (i = 0; i < in->count; i++) {
        s = &in->series[i]->subject;
        if (s->kind == PSH_SUBJECT_LABEL && s->id == id)
            return PSH_OK;
    }
    return add_series(in, PSH_SUBJECT_LABEL, table, id);
}

/* Takes back what this record began. */
static psh_status give_up(intake *in, psh_status st) {
    psh_forecaster *f = in->f;

    while (f->store.count > in->before)
        pshi_store_remove(f->env, &f->store, &f->shape, f->store.count - 1);
    f->shed = in->shed;
    return st;
}

static psh_status finish(intake *in, double amount, double bytes) {
    psh_forecaster *f = in->f;
    uint32_t i;

    if (!in->count) {
        in->shed++;
        return give_up(in, PSH_E_LIMIT);
    }
    f->outlook.closed = first_open(f, in->bucket);
    f->anchored = 1;
    for (i = 0; i < in->count; i++)
        pshi_series_add(
            in->series[i], in->bucket,
            pshi_series_slot(in->series[i], &f->shape, f->outlook.closed, in->bucket), amount, bytes);
    f->observed++;
    return PSH_OK;
}

/* Conjunctions that are frequent have series, which count as labels do. */
static psh_status add_sets(intake *in, const pshi_label_set *sets, uint32_t count) {
    psh_status st = count ? pshi_labels_ready(in->f->env, &in->f->labels) : PSH_OK;
    uint32_t i;

    for (i = 0; st == PSH_OK && i < count; i++)
        if (pshi_labels_has_series(&in->f->labels, &sets[i]))
            st = add_series(in, PSH_SUBJECT_LABEL, sets[i].table, sets[i].id);
    return st;
}

static void learn_sets(psh_forecaster *f, const pshi_written *w, const pshi_label_set *sets, uint32_t count) {
    uint32_t i;

    for (i = 0; i < count; i++)
        pshi_labels_learn(&f->labels, &sets[i], w->tenant, w->partition);
}

psh_status pshi_take_write(psh_forecaster *f, const pshi_written *w) {
    pshi_label_set sets[PSHI_RECORD_SETS];
    uint32_t i, count = 0;
    psh_status st;
    intake in;

    if (!begin(&in, f, w->time))
        return PSH_E_TIME;
    st = add_series(&in, PSH_SUBJECT_TABLE, w->table, 0);
    if (st == PSH_OK && w->tenant)
        st = add_tenant(&in, w);
    if (st == PSH_OK && w->partition)
        st = add_series(&in, PSH_SUBJECT_PARTITION, w->table, w->partition);
    for (i = 0; st == PSH_OK && i < w->label_count; i++)
        st = add_label(&in, w->table, w->labels[i]);
    if (st == PSH_OK && w->label_count > 1) {
        count = pshi_label_sets(w->table, w->labels, w->label_count, sets);
        st = add_sets(&in, sets, count);
    }
    if (st != PSH_OK)
        return give_up(&in, st);
    st = finish(&in, w->rows, w->bytes);
    if (st == PSH_OK)
        learn_sets(f, w, sets, count);
    return st;
}

static psh_status add_labels(intake *in, const psh_query_spec *spec) {
    psh_status st = PSH_OK;
    psh_label label;
    size_t i;

    for (i = 0; st == PSH_OK && i < spec->label_count && i < MOST_LABELS; i++) {
        pshi_element(&label, sizeof label, spec->labels, spec->label_stride, i);
        st = add_label(in, spec->table, psh_label_id(label.name, label.value));
    }
    return st;
}

/* Room for one template more: the least asked of the others goes, and its series with it. */
static void evict_template(psh_forecaster *f) {
    pshi_templates *t = &f->templates;
    psh_subject subject = { PSH_SUBJECT_TEMPLATE, 0, 0 };
    size_t i;

    if (t->count <= f->o.max_templates)
        return;
    i = pshi_templates_least(t, t->count - 1, t->list[t->count - 1].id);
    subject.table = t->list[i].table;
    subject.id = t->list[i].id;
    pshi_store_drop(f->env, &f->store, &f->shape, &subject);
    pshi_workload_evict(&f->workload, &t->list[i]);
    pshi_templates_remove(f->env, t, i);
    f->shed++;
}

/* All of it O(1), and none of it allocates. */
static void learn_more(psh_forecaster *f, const pshi_template *t, const psh_query_record *r, int64_t bucket) {
    pshi_more *m = t->more;

    m->spread += r->weight > 1 ? r->weight * (r->weight - 1) : 0;
    if (r->tenant)
        pshi_hll_add(m->tenants, PSHI_TENANT_BITS, pshi_mix64(r->tenant));
    pshi_fold_add(&f->folding, m, f->templates.fold, f->shape.longest, bucket, r->weight);
    pshi_clock_set(&f->clock, r->time);
    pshi_habit_learn(&m->habit, &f->clock, r->query, r->time, r->tenant);
    pshi_workload_learn(&f->workload, t->id, r);
}

static int64_t first_row(const psh_forecaster *f, uint32_t table) {
    psh_subject subject = { PSH_SUBJECT_TABLE, table, 0 };
    const pshi_series *s = pshi_store_find(&f->store, &subject);

    return s ? pshi_bucket_start(&f->shape, s->start) : PSH_TIME_MAX;
}

/* Of tenants that have a record: those that write, and those the host told of. */
static void ask_tenant(psh_forecaster *f, uint32_t table, const pshi_template *t, const psh_query_record *r) {
    pshi_tenant *of = r->tenant ? pshi_tenants_find(&f->tenants, table, r->tenant) : NULL;

    if (of)
        pshi_tenant_ask(of, t->access, t->reach_ns, r->weight, (double)r->bytes);
}

/* A cluster's series is made by a step; until then, and where a limit refuses it, there is none. */
static psh_status add_cluster(intake *in, uint64_t id) {
    psh_subject subject = { PSH_SUBJECT_CLUSTER, 0, id };

    return find_series(in->f, &subject) ? add_series(in, PSH_SUBJECT_CLUSTER, 0, id) : PSH_OK;
}

psh_status pshi_take_query(psh_forecaster *f, const psh_query_record *r) {
    uint64_t id = psh_query_fingerprint(r->query);
    pshi_template *t = pshi_templates_find(&f->templates, id), *made = NULL;
    psh_query_spec spec = { sizeof spec };
    psh_status st;
    intake in;

    if (!begin(&in, f, r->time))
        return PSH_E_TIME;
    (void)psh_query_describe(r->query, &spec);
    st = pshi_workload_ready(
        f->env, &f->workload, r->tenant != 0, !t && f->templates.count >= f->o.max_templates);
    if (st == PSH_OK)
        st = add_series(&in, PSH_SUBJECT_QUERIES, spec.table, 0);
    if (st == PSH_OK)
        st = add_series(&in, PSH_SUBJECT_TEMPLATE, spec.table, id);
    if (st == PSH_OK && t && t->more->cluster)
        st = add_cluster(&in, t->more->cluster);
    if (st == PSH_OK)
        st = add_labels(&in, &spec);
    if (st == PSH_OK && !t)
        st = pshi_templates_add(f->env, &f->templates, r->query, &made);
    if (st != PSH_OK)
        return give_up(&in, st);
    st = finish(&in, r->weight, r->weight * (double)r->bytes);
    if (st != PSH_OK) {
        if (made)
            pshi_templates_remove(f->env, &f->templates, f->templates.count - 1);
        return st;
    }
    t = made ? made : t;
    pshi_template_learn(t, r, pshi_half_life(f), first_row(f, spec.table));
    learn_more(f, t, r, in.bucket);
    ask_tenant(f, spec.table, t, r);
    f->templates.ordered = 0;
    if (made) {
        pshi_workload_meet(&f->workload, t->id);
        evict_template(f);
    }
    return PSH_OK;
}

psh_status psh_forecaster_observe_query(psh_forecaster *f, const psh_query_record *r) {
    psh_query_record read;
    psh_status st;

    if (!f)
        return PSH_E_INVALID;
    st = pshi_query_record_read(f->schema, r, &read);
    return st == PSH_OK ? pshi_take_query(f, &read) : st;
}

psh_status psh_forecaster_observe_write(psh_forecaster *f, const psh_write_record *r) {
    pshi_written read;
    psh_status st;
    uint32_t i;

    if (!f)
        return PSH_E_INVALID;
    st = pshi_write_record_read(f->schema, r, &read);
    if (st == PSH_OK)
        st = pshi_take_write(f, &read);
    for (i = 0; st == PSH_OK && i < read.label_count; i++)
        pshi_labels_name(f->env, &f->labels, &r->labels[i]);
    return st;
}
