/* SPDX-License-Identifier: MIT */
#include "compact.h"

void compact_flights(rig_flight *out, size_t n, int64_t every) {
    static const char *const names[] = { "ORD", "ATL", "JFK" };
    size_t i;

    for (i = 0; i < n; i++) {
        memset(&out[i], 0, sizeof out[i]);
        strcpy(out[i].origin, names[i % 3]);
        strcpy(out[i].destination, names[(i + 1 + i / 3 % 2) % 3]);
        out[i].time = TEST_T0 + (int64_t)i * every;
        out[i].seq = (int64_t)i;
        out[i].delay = (int64_t)(i * 7 % 31) - 10;
        out[i].distance = 100 + (int64_t)(i % 5) * 50;
    }
}

static psh_status compare(rig *r, psh_answer *a, psh_answer *b, int *same) {
    psh_buffer *p = NULL, *q = NULL;
    psh_status st = psh_buffer_create(r->env, &p);

    if (st == PSH_OK)
        st = psh_buffer_create(r->env, &q);
    if (st == PSH_OK)
        st = psh_answer_save(a, p);
    if (st == PSH_OK)
        st = psh_answer_save(b, q);
    if (st == PSH_OK)
        *same = psh_buffer_size(p) == psh_buffer_size(q) &&
                memcmp(psh_buffer_data(p), psh_buffer_data(q), psh_buffer_size(p)) == 0;
    psh_buffer_destroy(p);
    psh_buffer_destroy(q);
    return st;
}

static void count_coverage(rig *r, uint32_t coverage) {
    r->counts.whole += coverage == PSH_COVERAGE_WHOLE;
    r->counts.part += coverage == PSH_COVERAGE_PART;
    r->counts.none += coverage == PSH_COVERAGE_NONE;
}

psh_status compact_ask(rig *r, uint32_t template, int64_t now, int *same) {
    int64_t to = now - now % (10 * PSH_MINUTE);
    psh_answer *routed = NULL, *base = NULL;
    uint32_t coverage = 0, none = 0;
    psh_query *q = NULL;
    psh_status st = rig_query(r, template, "ORD", to - 3 * PSH_HOUR, to, &q);

    if (st == PSH_OK)
        st = psh_answer_create(r->env, q, 0, &routed);
    if (st == PSH_OK)
        st = psh_answer_create(r->env, q, 0, &base);
    if (st == PSH_OK)
        st = rig_answer(r, q, now, 0, routed, &coverage);
    if (st == PSH_OK)
        st = rig_answer(r, q, now, 1, base, &none);
    if (st == PSH_OK)
        st = compare(r, routed, base, same);
    if (st == PSH_OK)
        count_coverage(r, coverage);
    if (st == PSH_OK)
        st = rig_observe(r, q, now, 500);
    psh_answer_destroy(routed);
    psh_answer_destroy(base);
    psh_query_unref(q);
    return st;
}

uint64_t compact_dropped_rows(const rig *r) {
    uint64_t rows = 0;
    psh_audit a;
    size_t i;

    for (i = 0; psh_autopilot_audit(r->pilot, i, &a) == PSH_OK; i++)
        if (a.kind == PSH_ACT_DROP_PARTITION && a.status == PSH_OK)
            rows += (uint64_t)a.outcome;
    return rows;
}

uint64_t compact_map_rows(const rig *r) {
    const psh_partition *p;
    uint64_t rows = 0;
    size_t i;

    for (i = 0; (p = psh_map_get(r->parts.map, i)) != NULL; i++)
        rows += p->rows;
    return rows;
}
