/* SPDX-License-Identifier: MIT */
/* Where rows are: the arcs that tables hold, whatever epoch a reader or writer goes by. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static uint64_t point_of(const sqlite_host *h, uint32_t table, uint64_t tenant, int64_t time) {
    psh_world *world = h->worlds ? psh_worlds_current(h->worlds) : NULL;

    return world ? psh_world_point(world, table, tenant, time) : psh_ring_point(tenant, 0);
}

/* psh_within(table, first, last, tenant, time): whether a row stands on an arc. SQL's integers are signed. */
static void within(sqlite3_context *context, int argc, sqlite3_value **argv) {
    const sqlite_host *h = sqlite3_user_data(context);
    uint32_t table = (uint32_t)sqlite3_value_int64(argv[0]);
    uint64_t first = (uint64_t)sqlite3_value_int64(argv[1]), last = (uint64_t)sqlite3_value_int64(argv[2]);
    uint64_t tenant = 0, point;
    psh_table_spec t;
    psh_value v;

    (void)argc;
    if (psh_schema_table(h->schema, table, &t) != PSH_OK) {
        sqlite3_result_error(context, "psh_within: no such table", -1);
        return;
    }
    if (t.tenant_column != PSH_NONE) {
        host_value(argv[3], t.columns[t.tenant_column].type, &v);
        tenant = psh_tenant_id(&v);
    }
    point = point_of(h, table, tenant, sqlite3_value_int64(argv[4]));
    sqlite3_result_int(context, point >= first && point <= last);
}

psh_status sources_open(sqlite_host *h) {
    int rc = sqlite3_create_function_v2(h->db, "psh_within", 5, SQLITE_UTF8, h, within, NULL, NULL, NULL);

    return rc == SQLITE_OK ? PSH_OK : host_error(h);
}

void sources_append_arc(
    sqlite3_str *s, const psh_table_spec *t, uint32_t table, uint64_t first, uint64_t last, int out) {
    sqlite3_str_appendf(
        s, " AND %spsh_within(%u, %lld, %lld, ", out ? "NOT " : "", (unsigned)table, (sqlite3_int64)first,
        (sqlite3_int64)last);
    if (t->tenant_column == PSH_NONE)
        sqlite3_str_appendall(s, "NULL");
    else
        sqlite3_str_appendf(s, "\"%w\"", t->columns[t->tenant_column].name);
    sqlite3_str_appendf(s, ", \"%w\")", t->columns[t->time_column].name);
}

void sources_append_clip(sqlite3_str *s, const psh_table_spec *t, const host_source *from) {
    if (from->clip)
        sources_append_arc(s, t, from->e->table, from->first, from->last, 0);
}

void sources_append_table(sqlite3_str *s, sqlite_host *h, const directory_entry *e, uint32_t node) {
    const directory_replica *r = NULL;

    if (node != PSH_NONE && node != e->node)
        r = directory_find_replica(h, e->id, node);
    if (r && r->ready)
        sqlite3_str_appendf(s, "%s.\"%w\"", host_schema_name(r->tier), r->name);
    else
        sqlite3_str_appendf(s, "%s.\"%w\"", host_schema_name(e->tier), e->name);
}

static psh_status add_source(sqlite_host *h, const directory_entry *e, const psh_partition *p, int clip) {
    size_t cap = h->source_cap ? h->source_cap * 2 : 64;
    host_source *s;

    if (h->source_count == h->source_cap) {
        s = realloc(h->sources, cap * sizeof *s);
        if (!s)
            return host_fail(h, PSH_E_NOMEM, "no memory for a read");
        h->sources = s;
        h->source_cap = cap;
    }
    s = &h->sources[h->source_count++];
    s->e = e;
    s->clip = clip;
    s->first = p->arc_first;
    s->last = p->arc_last;
    return PSH_OK;
}

/* Asked for as it is: the usual case. */
static int is_whole(const directory_entry *e, const psh_partition *p) {
    if (!e->known || e->quarantine)
        return 1;
    return e->holds && e->arc_first == p->arc_first && e->arc_last == p->arc_last;
}

static int takes_part(const directory_entry *e, const psh_partition *p) {
    return e->known && e->holds && !e->quarantine && e->table == p->table && e->interval == p->interval &&
           e->arc_first <= p->arc_last && p->arc_first <= e->arc_last;
}

psh_status sources_of(sqlite_host *h, const psh_partition *p) {
    const directory_entry *e = directory_find(h, p->id), *x;
    size_t before = h->source_count, i;
    psh_status st = PSH_OK;

    if (e && is_whole(e, p))
        return add_source(h, e, p, 0);
    for (i = 0; st == PSH_OK && i < h->directory.count; i++) {
        x = &h->directory.entries[i];
        if (takes_part(x, p))
            st = add_source(h, x, p, x->arc_first < p->arc_first || x->arc_last > p->arc_last);
    }
    if (st == PSH_OK && h->source_count == before)
        st = e && e->holds ? add_source(h, e, p, 0) : PSH_E_NOT_FOUND;
    return st;
}

static uint64_t point_of_row(const sqlite_host *h, uint32_t table, const psh_table_spec *t, const psh_value *row) {
    uint64_t tenant = t->tenant_column == PSH_NONE ? 0 : psh_tenant_id(&row[t->tenant_column]);

    return point_of(h, table, tenant, row[t->time_column].as.i64);
}

directory_entry *sources_for_row(sqlite_host *h, const psh_partition *p, const psh_value *row) {
    directory_entry *e = directory_find(h, p->id), *x;
    int64_t interval, from, to;
    psh_table_spec t;
    uint64_t point;
    size_t i;

    if (e && e->holds && (!e->known || e->quarantine ||
                          (e->arc_first <= p->arc_first && e->arc_last >= p->arc_last)))
        return e;
    if (psh_schema_table(h->schema, p->table, &t) != PSH_OK ||
        psh_schema_interval(h->schema, p->table, row[t.time_column].as.i64, &interval, &from, &to) != PSH_OK)
        return NULL;
    point = point_of_row(h, p->table, &t, row);
    for (i = 0; i < h->directory.count; i++) {
        x = &h->directory.entries[i];
        if (x->known && x->holds && !x->quarantine && x->table == p->table && x->interval == interval &&
            x->arc_first <= point && point <= x->arc_last)
            return x;
    }
    return e && e->holds ? e : NULL;
}
