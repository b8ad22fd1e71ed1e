/* SPDX-License-Identifier: MIT */
#include "map/balance.h"

#include <predshard/plan.h>

#include "base/buffer.h"

static const char *kind_name(uint32_t kind) {
    static const char *const names[] = { "", "move", "split", "merge", "replicate", "unreplicate", "place" };

    return names[kind];
}

static void put_node(pshi_writer *w, const char *label, uint32_t node) {
    if (node == PSH_NONE)
        return;
    pshi_text(w, label);
    pshi_text_u64(w, node);
}

static void put_step(pshi_writer *w, const psh_balance_step *s) {
    pshi_text(w, kind_name(s->kind));
    pshi_text(w, " ");
    pshi_text_hex(w, s->item);
    if (s->other) {
        pshi_text(w, " takes ");
        pshi_text_hex(w, s->other);
    }
    put_node(w, " from ", s->from);
    put_node(w, " to ", s->to);
    if (s->parts) {
        pshi_text(w, " one of ");
        pshi_text_u64(w, s->parts);
    }
    if (s->bytes) {
        pshi_text(w, " bytes ");
        pshi_text_u64(w, s->bytes);
    }
    pshi_text(w, " load ");
    pshi_text_f64(w, s->before);
    pshi_text(w, " -> ");
    pshi_text_f64(w, s->after);
    pshi_text(w, ": ");
    pshi_text(w, psh_why_text(s->why));
    pshi_text(w, "\n");
}

psh_status psh_balance_dump(const psh_balance *b, psh_buffer *out) {
    pshi_writer w;
    size_t i;

    if (!b || !out)
        return PSH_E_INVALID;
    w = pshi_write(out);
    pshi_text(&w, "balance ");
    pshi_text_f64(&w, b->before);
    pshi_text(&w, " -> ");
    pshi_text_f64(&w, b->after);
    pshi_text(&w, ", steps ");
    pshi_text_u64(&w, b->count);
    pshi_text(&w, "\n");
    for (i = 0; i < b->count; i++)
        put_step(&w, &b->steps[i]);
    return pshi_write_end(&w);
}
