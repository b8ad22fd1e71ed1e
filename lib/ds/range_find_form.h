/* SPDX-License-Identifier: MIT */
/* One form of the lookups: included by range_find.c once for each FORM, whose count_FORM(words, x) counts which
 * of 16 words are not above x, count_two_FORM of 32. */
#define NAME(what) JOIN(what, FORM)
#define COUNT NAME(count)

TARGET static inline uint32_t NAME(group_of_leaf)(const pshi_range_page *p, uint64_t x) {
    return COUNT(p->front, x) - 1;
}

TARGET static inline uint32_t NAME(group_of_inner)(const pshi_range_page *p, uint64_t x) {
    return NAME(count_two)(p->front, x) - 1;
}

#define LEAF_GROUP(p, g) pshi_range_group(p, LEAF_SLOTS, LEAF_SIZE, g)
#define INNER_GROUP(p, g) pshi_range_group(p, INNER_SLOTS, INNER_SIZE, g)
#define LEAF_SLOTS (PSHI_LEAF_MOST / PSHI_GROUP)
#define INNER_SLOTS (PSHI_INNER_MOST / PSHI_GROUP)
#define LEAF_BYTES_SIZE (LEAF_SIZE + PSHI_GROUP * sizeof(uint32_t))
#define INNER_BYTES_SIZE (INNER_SIZE + PSHI_GROUP * sizeof(uint32_t))
#define LEAF_SIZE (PSHI_GROUP * (sizeof(uint64_t) + sizeof(uint32_t)))
#define INNER_SIZE (PSHI_GROUP * (sizeof(uint64_t) + sizeof(void *)))

TARGET static uint32_t NAME(number)(const pshi_range_tree *t, uint64_t x) {
    const pshi_range_page *p = t->root;
    uint32_t level, g;
    void *group;

    if (x == UINT64_MAX)
        return find_last(t);
    for (level = t->height; level; level--) {
        /* Seldom another page than a root has one group alone: a branch that goes as it did before. */
        g = p->groups > 1 ? NAME(group_of_inner)(p, x) : 0;
        group = INNER_GROUP(p, g);
        p = pshi_range_children(group)[COUNT(pshi_range_words(group), x) - 1];
    }
    group = LEAF_GROUP(p, NAME(group_of_leaf)(p, x));
    __builtin_prefetch(pshi_range_owners(group)); /* beside the words, not after them */
    return pshi_range_owners(group)[COUNT(pshi_range_words(group), x) - 1];
}

/* Many lookups side by side, a level at a time: what one waits for, the others have asked for too. */
#define LANES 32u
#define BYTE_LANES 16u

TARGET static inline void NAME(level_down)(const pshi_range_page **p, const uint64_t *x, size_t n) {
    void *group[LANES];
    size_t i;

    for (i = 0; i < n; i++) {
        group[i] = INNER_GROUP(p[i], NAME(group_of_inner)(p[i], x[i]));
        __builtin_prefetch(group[i]);
        __builtin_prefetch((const char *)group[i] + 64);
        __builtin_prefetch((const char *)group[i] + 128);
        __builtin_prefetch((const char *)group[i] + 192);
    }
    for (i = 0; i < n; i++) {
        p[i] = pshi_range_children(group[i])[COUNT(pshi_range_words(group[i]), x[i]) - 1];
        __builtin_prefetch(p[i]->front);
        __builtin_prefetch(p[i]->front + 8);
    }
}

/* From the root down to the groups of the leaves, which are asked for and not yet read. */
TARGET static void NAME(chunk_begin)(
    const pshi_range_tree *t, const uint64_t *keys, size_t n, uint64_t *x, void **group) {
    const pshi_range_page *p[LANES];
    uint32_t level;
    size_t i;

    for (i = 0; i < n; i++) {
        p[i] = t->root;
        x[i] = keys[i] - (keys[i] == UINT64_MAX); /* that key is looked up apart */
    }
    for (level = t->height; level; level--)
        NAME(level_down)(p, x, n);
    for (i = 0; i < n; i++) {
        group[i] = LEAF_GROUP(p[i], NAME(group_of_leaf)(p[i], x[i]));
        __builtin_prefetch(group[i]);
        __builtin_prefetch((const char *)group[i] + 64);
        __builtin_prefetch((const char *)group[i] + 128);
    }
}

TARGET static void NAME(chunk_end)(
    const pshi_range_tree *t, const uint64_t *keys, size_t n, const uint64_t *x, void *const *group,
    uint32_t *owners) {
    size_t i;

    for (i = 0; i < n; i++) {
        owners[i] = pshi_range_owners(group[i])[COUNT(pshi_range_words(group[i]), x[i]) - 1];
        if (keys[i] == UINT64_MAX)
            owners[i] = find_last(t);
    }
}

/* Two chunks by turns: while the memory brings the leaves of one, the other goes down the tree. */
TARGET static void NAME(numbers)(const pshi_range_tree *t, const uint64_t *keys, size_t n, uint32_t *owners) {
    uint64_t x[2][LANES];
    void *group[2][LANES];
    uint32_t turn = 0;
    size_t at = 0, now, next;

    now = n < LANES ? n : LANES;
    NAME(chunk_begin)(t, keys, now, x[0], group[0]);
    for (; at < n; at += now, now = next, turn ^= 1) {
        next = n - at - now < LANES ? n - at - now : LANES;
        NAME(chunk_begin)(t, keys + at + now, next, x[turn ^ 1], group[turn ^ 1]);
        NAME(chunk_end)(t, keys + at, now, x[turn], group[turn], owners + at);
    }
}

/* The word that a key has in a page, of whose prefix `known` bytes were found in it. @return 0: it has none, for
 * it lacks the prefix, or has the one that fills groups up. */
TARGET static inline int NAME(word)(const pshi_range_page *p, const pshi_range_key *k, size_t known, uint64_t *x) {
    if (p->prefix > known && !has_bytes(p, k, known))
        return 0;
    *x = word_of(k->data, k->size, p->prefix);
    return *x != UINT64_MAX;
}

/* The entry of a page for a key whose word x is; where the words do not tell, the keys do. */
TARGET static inline uint32_t NAME(entry)(
    const pshi_range_page *p, const pshi_range_key *k, uint32_t g, void *group, const uint32_t *offsets,
    uint64_t x) {
    uint32_t i = (uint32_t)COUNT(pshi_range_words(group), x) - 1, entry = g * PSHI_GROUP + i;

    if (pshi_range_words(group)[i] != x || !entry || is_up_to(p, k, offsets[i], p->prefix + sizeof x))
        return entry;
    return entry_before(p, k, g, i, pshi_range_words(group), offsets);
}

TARGET static inline const pshi_range_page *NAME(child_bytes)(
    const pshi_range_page *p, const pshi_range_key *k, size_t *known) {
    uint32_t g, i;
    void *group;
    uint64_t x;

    if (NAME(word)(p, k, *known, &x)) {
        g = p->groups > 1 ? NAME(group_of_inner)(p, x) : 0;
        group = pshi_range_group(p, INNER_SLOTS, INNER_BYTES_SIZE, g);
        i = NAME(entry)(p, k, g, group, pshi_range_offsets(group, 1), x);
    } else {
        i = pshi_range_locate(p, 1, k);
    }
    *known = known_below(p, i);
    group = pshi_range_group(p, INNER_SLOTS, INNER_BYTES_SIZE, i / PSHI_GROUP);
    return pshi_range_children(group)[i % PSHI_GROUP];
}

TARGET static inline uint32_t NAME(owner_at)(const pshi_range_page *p, uint32_t i) {
    return pshi_range_owners(pshi_range_group(p, LEAF_SLOTS, LEAF_BYTES_SIZE, i / PSHI_GROUP))[i % PSHI_GROUP];
}

TARGET static uint32_t NAME(bytes)(const pshi_range_tree *t, const unsigned char *data, size_t size) {
    const pshi_range_page *p = t->root;
    pshi_range_key k = { 0, data, size };
    size_t known = 0;
    uint32_t level, g, i;
    void *group;
    uint64_t x;

    for (level = t->height; level; level--)
        p = NAME(child_bytes)(p, &k, &known);
    if (!NAME(word)(p, &k, known, &x))
        return NAME(owner_at)(p, pshi_range_locate(p, 1, &k));
    g = NAME(group_of_leaf)(p, x);
    group = pshi_range_group(p, LEAF_SLOTS, LEAF_BYTES_SIZE, g);
    __builtin_prefetch(pshi_range_owners(group));
    __builtin_prefetch(pshi_range_offsets(group, 0));
    i = NAME(entry)(p, &k, g, group, pshi_range_offsets(group, 0), x);
    return NAME(owner_at)(p, i);
}

/* The last level, in three rounds: asks for the groups, finds the entries and asks for keys that words do not
 * tell apart, compares those. */
TARGET static inline void NAME(leaves_of_bytes)(
    const pshi_range_page **p, const pshi_range_key *k, const size_t *known, size_t n, uint32_t *owners) {
    uint64_t x[BYTE_LANES];
    uint32_t at[BYTE_LANES], has_word[BYTE_LANES], i, j;
    void *group[BYTE_LANES];

    for (i = 0; i < n; i++) {
        x[i] = 0;
        has_word[i] = (uint32_t)NAME(word)(p[i], &k[i], known[i], &x[i]);
        at[i] = has_word[i] ? NAME(group_of_leaf)(p[i], x[i]) * PSHI_GROUP : 0;
        group[i] = pshi_range_group(p[i], LEAF_SLOTS, LEAF_BYTES_SIZE, at[i] / PSHI_GROUP);
        __builtin_prefetch(group[i]);
        __builtin_prefetch((const char *)group[i] + 64);
        __builtin_prefetch((const char *)group[i] + 128);
        __builtin_prefetch((const char *)group[i] + 192);
    }
    for (i = 0; i < n; i++) {
        if (!has_word[i])
            continue;
        j = (uint32_t)COUNT(pshi_range_words(group[i]), x[i]) - 1;
        if (pshi_range_words(group[i])[j] == x[i])
            __builtin_prefetch((const char *)p[i] + p[i]->blob + pshi_range_offsets(group[i], 0)[j]);
    }
    for (i = 0; i < n; i++) {
        if (has_word[i])
            at[i] = NAME(entry)(p[i], &k[i], at[i] / PSHI_GROUP, group[i], pshi_range_offsets(group[i], 0), x[i]);
        else
            at[i] = pshi_range_locate(p[i], 1, &k[i]);
        owners[i] = NAME(owner_at)(p[i], at[i]);
    }
}

/* As for numbers, a level at a time. */
TARGET static inline void NAME(chunk_of_bytes)(
    const pshi_range_tree *t, const psh_bytes *keys, size_t n, uint32_t *owners) {
    const pshi_range_page *p[BYTE_LANES];
    size_t known[BYTE_LANES] = { 0 }, i;
    pshi_range_key k[BYTE_LANES];
    uint32_t level;

    for (i = 0; i < n; i++) {
        p[i] = t->root;
        k[i] = (pshi_range_key){ 0, keys[i].data, keys[i].size };
    }
    for (level = t->height; level; level--) {
        for (i = 0; i < n; i++) {
            p[i] = NAME(child_bytes)(p[i], &k[i], &known[i]);
            __builtin_prefetch(p[i]);
            __builtin_prefetch(p[i]->front);
            __builtin_prefetch(p[i]->front + 8);
        }
    }
    NAME(leaves_of_bytes)(p, k, known, n, owners);
}

TARGET static void NAME(many_bytes)(
    const pshi_range_tree *t, const psh_bytes *keys, size_t n, uint32_t *owners) {
    size_t i;

    for (i = 0; n - i >= BYTE_LANES; i += BYTE_LANES)
        NAME(chunk_of_bytes)(t, keys + i, BYTE_LANES, owners + i);
    NAME(chunk_of_bytes)(t, keys + i, n - i, owners + i);
}

static const pshi_range_find NAME(find) = { NAME(number), NAME(numbers), NAME(bytes), NAME(many_bytes) };

#undef NAME
#undef COUNT
#undef LEAF_GROUP
#undef INNER_GROUP
#undef LEAF_SLOTS
#undef INNER_SLOTS
#undef LEAF_SIZE
#undef INNER_SIZE
#undef LANES
#undef BYTE_LANES
#undef LEAF_BYTES_SIZE
#undef INNER_BYTES_SIZE
