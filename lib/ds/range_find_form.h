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

TARGET static inline void NAME(chunk)(
    const pshi_range_tree *t, const uint64_t *keys, size_t n, uint32_t *owners) {
    const pshi_range_page *p[LANES];
    uint64_t x[LANES];
    void *group[LANES];
    uint32_t level;
    size_t i;

    for (i = 0; i < n; i++) {
        p[i] = t->root;
        x[i] = keys[i] - (keys[i] == UINT64_MAX); /* that key is looked up again by the caller */
    }
    for (level = t->height; level; level--)
        NAME(level_down)(p, x, n);
    for (i = 0; i < n; i++) {
        group[i] = LEAF_GROUP(p[i], NAME(group_of_leaf)(p[i], x[i]));
        __builtin_prefetch(group[i]);
        __builtin_prefetch((const char *)group[i] + 64);
        __builtin_prefetch((const char *)group[i] + 128);
    }
    for (i = 0; i < n; i++)
        owners[i] = pshi_range_owners(group[i])[COUNT(pshi_range_words(group[i]), x[i]) - 1];
}

TARGET static void NAME(numbers)(const pshi_range_tree *t, const uint64_t *keys, size_t n, uint32_t *owners) {
    size_t i;

    for (i = 0; n - i >= LANES; i += LANES)
        NAME(chunk)(t, keys + i, LANES, owners + i);
    NAME(chunk)(t, keys + i, n - i, owners + i);
    for (i = 0; i < n; i++)
        if (keys[i] == UINT64_MAX)
            owners[i] = NAME(number)(t, UINT64_MAX);
}

/* How many bytes from `from` on a key lacks of a page's prefix: 0 = it has them all. */
static inline int NAME(lacks_prefix)(
    const pshi_range_page *p, const unsigned char *data, size_t size, size_t from) {
    const unsigned char *prefix = p->head;
    size_t i;

    if (size < p->prefix)
        return 1;
    if (p->prefix > PSHI_HEAD)
        prefix = (const unsigned char *)p + p->blob + 2; /* the first key */
    for (i = from; i < p->prefix; i++)
        if (data[i] != prefix[i])
            return 1;
    return 0;
}

TARGET static inline uint32_t NAME(step_bytes)(
    const pshi_range_page *p, const pshi_range_key *k, size_t group_size, size_t *known) {
    uint64_t x;
    uint32_t g, i;
    void *group;

    /* The key is not below the page's first one: without the prefix that all keys of the page have it is above
     * them all. */
    if (p->prefix > *known) {
        if (NAME(lacks_prefix)(p, k->data, k->size, *known))
            return p->n - 1u;
        *known = p->prefix;
    }
    x = pshi_range_word(k->data, k->size, p->prefix);
    if (x == UINT64_MAX)
        return pshi_range_locate(p, 1, k);
    g = p->level ? NAME(group_of_inner)(p, x) : NAME(group_of_leaf)(p, x);
    group = pshi_range_group(p, p->level ? INNER_SLOTS : LEAF_SLOTS, group_size, g);
    i = COUNT(pshi_range_words(group), x) - 1;
    if (pshi_range_words(group)[i] == x)
        return pshi_range_locate(p, 1, k);
    return g * PSHI_GROUP + i;
}

TARGET static uint32_t NAME(bytes)(const pshi_range_tree *t, const unsigned char *data, size_t size) {
    const pshi_range_page *p = t->root;
    pshi_range_key k = { 0, data, size };
    size_t known = 0;
    uint32_t level, i;

    for (level = t->height; level; level--) {
        i = NAME(step_bytes)(p, &k, INNER_SIZE + PSHI_GROUP * sizeof(uint32_t), &known);
        p = pshi_range_child_at(p, 1, i);
    }
    i = NAME(step_bytes)(p, &k, LEAF_SIZE + PSHI_GROUP * sizeof(uint32_t), &known);
    return pshi_range_owner_at(p, 1, i);
}

TARGET static void NAME(many_bytes)(
    const pshi_range_tree *t, const psh_bytes *keys, size_t n, uint32_t *owners) {
    size_t i;

    for (i = 0; i < n; i++)
        owners[i] = NAME(bytes)(t, keys[i].data, keys[i].size);
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
