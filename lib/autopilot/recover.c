/* SPDX-License-Identifier: MIT */
/* After a restore: the map knows nothing of what was written since the checkpoint. */
#include "autopilot/autopilot.h"
#include "base/error.h"

/* What a quarantine holds now. */
typedef struct census {
    uint32_t time_column;
    size_t columns;
    uint64_t rows;
    int64_t first, last;
} census;

static psh_status count_rows(void *user, const psh_value *rows, size_t n) {
    census *c = user;
    int64_t t;
    size_t i;

    for (i = 0; i < n; i++) {
        t = rows[i * c->columns + c->time_column].as.i64;
        c->first = c->rows == 0 || t < c->first ? t : c->first;
        c->last = c->rows == 0 || t > c->last ? t : c->last;
        c->rows++;
    }
    return PSH_OK;
}

static psh_status scan_quarantine(psh_autopilot *a, const psh_partition *q, census *c, psh_error *err) {
    psh_scan scan = { .struct_size = sizeof scan };
    psh_scan_result result = { .struct_size = sizeof result };
    psh_table_spec table;
    psh_status st = psh_schema_table(a->schema, q->table, &table);

    if (st != PSH_OK)
        return st;
    c->time_column = table.time_column;
    c->columns = table.column_count;
    scan.table = q->table;
    scan.partitions = &q->id;
    scan.infos = q;
    scan.partition_count = 1;
    scan.time_from = PSH_TIME_MIN;
    scan.time_to = PSH_TIME_MAX;
    return psh_driver_scan(a->parts.driver, &scan, count_rows, c, &result, err);
}

/* Without a scan it counts as holding rows of any time: every query asks it, which is slow and right. */
static psh_status recover_quarantine(psh_autopilot *a, const psh_partition *q, uint64_t position, psh_error *err) {
    psh_partition copy = *q;
    census c = { 0 };
    psh_status st = scan_quarantine(a, &copy, &c, err);

    if (st == PSH_E_UNSUPPORTED) {
        c.rows = copy.rows + 1;
        c.first = PSH_TIME_MIN;
        c.last = PSH_TIME_MAX - 1;
    } else if (st != PSH_OK) {
        return st;
    }
    if (c.rows <= copy.rows)
        return PSH_OK;
    st = psh_map_observe_write(a->parts.map, copy.id, c.rows - copy.rows, 0, c.first, c.last, position);
    return st < 0 ? pshi_fail(err, st, "map", psh_status_text(st)) : PSH_OK;
}

psh_status pshi_recover(psh_autopilot *a, psh_error *err) {
    psh_cdc_state state = { .struct_size = sizeof state };
    const psh_partition *p;
    psh_status st = PSH_OK;
    size_t i;

    if (a->has_cdc)
        st = psh_driver_source_state(a->parts.driver, &state, err);
    if (st != PSH_OK || (a->has_cdc && state.position <= psh_driver_cursor(a->parts.driver)))
        return st;
    psh_map_recover(a->parts.map, state.position);
    for (i = 0; st == PSH_OK && (p = psh_map_get(a->parts.map, i)) != NULL; i++)
        if (p->flags & PSH_PARTITION_QUARANTINE && p->state == PSH_PARTITION_ACTIVE)
            st = recover_quarantine(a, p, state.position, err);
    return st;
}
