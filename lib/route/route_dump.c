/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"
#include "route/route.h"

static const char *coverage_name(uint32_t coverage) {
    if (coverage == PSH_COVERAGE_WHOLE)
        return "whole";
    return coverage == PSH_COVERAGE_PART ? "part" : "none";
}

static const char *reason_name(uint32_t reason) {
    static const char *const names[] = { "freshness", "table", "visibility", "detail", "filter", "column",
                                         "aggregate", "bucket" };

    return reason < sizeof names / sizeof names[0] ? names[reason] : "unknown";
}

static void dump_leg(pshi_writer *w, const psh_leg *l) {
    size_t i;

    pshi_text(w, l->kind == PSH_LEG_VIEW ? "  view " : "  base");
    if (l->kind == PSH_LEG_VIEW)
        pshi_text_hex(w, l->view);
    pshi_text(w, " node ");
    pshi_text_u64(w, l->node);
    pshi_text(w, " tier ");
    pshi_text_u64(w, l->tier);
    pshi_text(w, " [");
    pshi_text_time(w, l->time_from);
    pshi_text(w, ", ");
    pshi_text_time(w, l->time_to);
    pshi_text(w, ")");
    for (i = 0; i < l->partition_count; i++) {
        pshi_text(w, i ? " " : " partitions ");
        pshi_text_hex(w, l->partitions[i]->id);
    }
    pshi_text(w, "\n");
}

psh_status psh_route_dump(const psh_route *route, psh_buffer *out) {
    pshi_writer w;
    size_t i;

    if (!route || !out)
        return PSH_E_INVALID;
    w = pshi_write(out);
    pshi_text(&w, "coverage ");
    pshi_text(&w, coverage_name(route->coverage));
    if (route->coverage != PSH_COVERAGE_WHOLE) {
        pshi_text(&w, " because of ");
        pshi_text(&w, reason_name(route->reason));
    }
    pshi_text(&w, "\n");
    for (i = 0; i < route->leg_count; i++)
        dump_leg(&w, &route->legs[i]);
    return pshi_write_end(&w);
}
