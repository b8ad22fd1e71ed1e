/* SPDX-License-Identifier: MIT */
#include "ds/range_walk.h"

void pshi_range_cursor_first(pshi_range_cursor *c, const pshi_range_tree *t) {
    c->tree = t;
    c->level = t->height;
    c->is_done = 0;
    c->path[c->level] = (pshi_range_step){ t->root, 0 };
}

void pshi_range_cursor_seek(pshi_range_cursor *c, const pshi_range_tree *t, const pshi_range_key *key) {
    pshi_range_cursor_first(c, t);
    for (;;) {
        c->path[c->level].index = pshi_range_locate(c->path[c->level].page, t->is_bytes, key);
        if (!c->level)
            return;
        pshi_range_cursor_enter(c);
    }
}

pshi_range_key pshi_range_cursor_key(const pshi_range_cursor *c) {
    const pshi_range_step *s = &c->path[c->level];

    return pshi_range_key_at(s->page, c->tree->is_bytes, s->index);
}

pshi_range_page *pshi_range_cursor_child(const pshi_range_cursor *c) {
    const pshi_range_step *s = &c->path[c->level];

    return pshi_range_child_at(s->page, c->tree->is_bytes, s->index);
}

uint32_t pshi_range_cursor_owner(const pshi_range_cursor *c) {
    return pshi_range_owner_at(c->path[0].page, c->tree->is_bytes, c->path[0].index);
}

void pshi_range_cursor_enter(pshi_range_cursor *c) {
    pshi_range_page *child = pshi_range_cursor_child(c);

    c->path[--c->level] = (pshi_range_step){ child, 0 };
}

void pshi_range_cursor_next(pshi_range_cursor *c) {
    while (++c->path[c->level].index == c->path[c->level].page->n) {
        if (c->level == c->tree->height) {
            c->is_done = 1;
            return;
        }
        c->level++;
    }
}

int pshi_range_cursor_end(const pshi_range_cursor *c, pshi_range_key *end) {
    const pshi_range_step *s;
    uint32_t level;

    for (level = c->level; level <= c->tree->height; level++) {
        s = &c->path[level];
        if (s->index + 1 < s->page->n) {
            *end = pshi_range_key_at(s->page, c->tree->is_bytes, s->index + 1);
            return 1;
        }
    }
    return 0;
}
