/* SPDX-License-Identifier: MIT */
#include "form.h"

#include <stdio.h>
#include <string.h>

#include "literal.h"
#include "tree.h"
#include "walk.h"

typedef struct reading {
    form *f;
    catalog *c;
    json_t *select;
    json_t *targets;
    const char *alias; /* of the table */
    const char *name;
} reading;

static int misfit(reading *r, const char *why) {
    if (!r->f->why[0])
        snprintf(r->f->why, sizeof r->f->why, "%s", why);
    return 0;
}

static uint32_t plain_column(reading *r, json_t *ref) {
    const char *prefix, *name = tree_column(ref, &prefix);

    if (*prefix && strcmp(prefix, r->alias) != 0 && strcmp(prefix, r->name) != 0)
        return NAMES_NONE;
    return *name ? catalog_column(r->c, r->f->table, name) : NAMES_NONE;
}

/* A column, or an expression over columns, which is then a column of its own. */
static uint32_t column_of(reading *r, json_t *node) {
    json_t *ref = tree_node(node, "ColumnRef"), *inside = NULL;
    strbuf expression = { 0 };
    uint32_t i = NAMES_NONE;

    if (ref)
        return plain_column(r, ref);
    if (tree_expression(node, &expression, &inside) && inside && !expression.bad
        && plain_column(r, inside) != NAMES_NONE)
        i = catalog_column(r->c, r->f->table, text_of(&expression));
    if (i != NAMES_NONE) {
        r->c->columns[i].derived = 1;
        if (tree_node(node, "A_Expr"))
            r->c->columns[i].seen |= SEEN_SUMMED;
    }
    text_free(&expression);
    return i;
}

static int add_filter(reading *r, uint32_t column, uint32_t op, uint32_t first) {
    form *f = r->f;

    if (f->filter_count == FORM_FILTERS)
        return misfit(r, "more than 64 conditions");
    f->filter[f->filter_count++] = (form_filter){ column, op, first, f->literal_count - first };
    return 1;
}

static int add_literal(reading *r, json_t *node, uint32_t column) {
    static const uint32_t seen[] = { 0, SEEN_INT, SEEN_FLOAT, SEEN_TEXT, SEEN_BOOL, SEEN_TIME, 0 };
    form *f = r->f;
    literal *x;

    if (f->literal_count == FORM_LITERALS)
        return misfit(r, "more than 1024 constants");
    x = &f->literals[f->literal_count];
    if (!literal_read(f, node, x))
        return misfit(r, "a condition that compares with more than a constant");
    f->literal_count++;
    if (r->c->columns[column].derived)
        r->c->columns[column].seen |= seen[x->kind];
    return 1;
}

static int is_literal(reading *r, json_t *node) {
    uint32_t before = r->f->literal_count;
    size_t hold = r->f->hold.size;
    int relative = r->f->relative, yes;
    literal x;

    yes = literal_read(r->f, node, &x);
    r->f->literal_count = before;
    r->f->hold.size = hold;
    r->f->relative = relative;
    return yes;
}

static int read_comparison(reading *r, json_t *e) {
    static const uint32_t turned[] = { 0, OP_EQ, OP_NE, OP_GT, OP_GE, OP_LT, OP_LE };
    json_t *left = tree_get(e, "lexpr"), *right = tree_get(e, "rexpr"), *swap;
    uint32_t op = op_of(tree_last_name(tree_get(e, "name"))), column, first = r->f->literal_count;

    if (op > OP_GE)
        return misfit(r, "an operator other than a comparison");
    if (is_literal(r, left) && is_literal(r, right))
        return 1; /* 1 = 1 and the like */
    if (!is_literal(r, right)) {
        op = turned[op];
        swap = left, left = right, right = swap;
    }
    column = column_of(r, left);
    if (column == NAMES_NONE)
        return misfit(r, "a condition on more than a column or an expression");
    return add_literal(r, right, column) && add_filter(r, column, op, first);
}

/* BETWEEN is two conditions, NOT IN one for each value. */
static int read_list(reading *r, json_t *e, int negated) {
    json_t *items = tree_get(tree_node(tree_get(e, "rexpr"), "List"), "items"), *item;
    uint32_t column = column_of(r, tree_get(e, "lexpr")), first = r->f->literal_count;
    int between = strcmp(tree_text(e, "kind"), "AEXPR_BETWEEN") == 0;
    size_t i;

    negated ^= !between && strcmp(tree_last_name(tree_get(e, "name")), "=") != 0;
    if (column == NAMES_NONE || !items || (between && negated))
        return misfit(r, "IN without a list, NOT BETWEEN, or either over more than a column");
    json_array_foreach(items, i, item) {
        if (!add_literal(r, item, column))
            return 0;
        if ((between || negated) && !add_filter(r, column, negated ? OP_NE : i ? OP_LE : OP_GE,
            r->f->literal_count - 1))
            return 0;
    }
    return between || negated ? 1 : add_filter(r, column, OP_IN, first);
}

static json_t *negated_list(json_t *node) {
    json_t *e = tree_node(node, "BoolExpr"), *inside = tree_node(json_array_get(tree_get(e, "args"), 0), "A_Expr");

    return strcmp(tree_text(e, "boolop"), "NOT_EXPR") == 0 && strcmp(tree_text(inside, "kind"), "AEXPR_IN") == 0
        ? inside : NULL;
}

static int read_condition(reading *r, json_t *node) {
    json_t *e, *item;
    const char *kind;
    uint32_t column;
    size_t i;

    if ((e = negated_list(node)))
        return read_list(r, e, 1);
    if ((e = tree_node(node, "BoolExpr"))) {
        if (strcmp(tree_text(e, "boolop"), "AND_EXPR") != 0)
            return misfit(r, "OR or NOT between conditions");
        json_array_foreach(tree_get(e, "args"), i, item)
            if (!read_condition(r, item))
                return 0;
        return 1;
    }
    if ((e = tree_node(node, "NullTest"))) {
        column = column_of(r, tree_get(e, "arg"));
        return column == NAMES_NONE ? misfit(r, "IS NULL of more than a column")
            : add_filter(r, column, strcmp(tree_text(e, "nulltesttype"), "IS_NULL") == 0 ? OP_NULL : OP_NOT_NULL,
                r->f->literal_count);
    }
    e = tree_node(node, "A_Expr");
    kind = tree_text(e, "kind");
    if (strcmp(kind, "AEXPR_OP") == 0)
        return read_comparison(r, e);
    if (strcmp(kind, "AEXPR_IN") == 0 || strcmp(kind, "AEXPR_BETWEEN") == 0)
        return read_list(r, e, 0);
    return misfit(r, strcmp(kind, "AEXPR_LIKE") == 0 || strcmp(kind, "AEXPR_ILIKE") == 0 ? "LIKE"
        : tree_node(node, "SubLink") ? "a subquery" : "a condition other than a comparison");
}

static uint32_t aggregate_fn(const char *name) {
    static const char *const aggregates[] = { "", "count", "sum", "avg", "min", "max" };
    uint32_t i;

    for (i = 1; i < sizeof aggregates / sizeof *aggregates; i++)
        if (strcmp(name, aggregates[i]) == 0)
            return i; /* PSH_AGG_* */
    return 0;
}

/* The place of an aggregate among those there are, added if need be; UINT32_MAX: it does not fit. */
static uint32_t add_aggregate(reading *r, json_t *node, uint32_t fn) {
    json_t *call = tree_node(node, "FuncCall");
    form *f = r->f;
    uint32_t column = PSH_NONE, i;

    if (tree_true(call, "agg_distinct"))
        return misfit(r, "an aggregate of DISTINCT values"), UINT32_MAX;
    if (tree_get(call, "over") || tree_get(call, "agg_filter") || tree_get(call, "agg_order"))
        return misfit(r, "a window or a filtered aggregate"), UINT32_MAX;
    if (!tree_true(call, "agg_star") && !is_literal(r, tree_argument(node, 0))) {
        column = column_of(r, tree_argument(node, 0));
        if (column == NAMES_NONE)
            return misfit(r, "an aggregate of what is no expression over columns"), UINT32_MAX;
        if (fn == PSH_AGG_SUM || fn == PSH_AGG_AVG)
            r->c->columns[column].seen |= SEEN_SUMMED;
    } else if (fn == PSH_AGG_SUM) {
        fn = PSH_AGG_COUNT; /* SUM(1) */
    } else if (fn != PSH_AGG_COUNT) {
        return misfit(r, "an aggregate of a constant"), UINT32_MAX;
    }
    for (i = 0; i < f->aggregate_count; i++)
        if (f->aggregate[i].fn == fn && f->aggregate[i].column == column)
            return i;
    if (f->aggregate_count == FORM_OUTPUTS)
        return misfit(r, "more than 64 aggregates"), UINT32_MAX;
    f->aggregate[f->aggregate_count] = (psh_aggregate){ fn, column };
    return f->aggregate_count++;
}

/* All aggregates inside an expression. @return how many, -1 if one does not fit. */
static int add_aggregates(reading *r, json_t *node) {
    const char *name = tree_call(node, SIZE_MAX);
    uint32_t fn = name ? aggregate_fn(name) : 0;
    json_t *part;
    size_t i;
    int found = 0, n;

    if (fn)
        return add_aggregate(r, node, fn) == UINT32_MAX ? -1 : 1;
    if (tree_node(node, "SubLink"))
        return misfit(r, "a subquery"), -1;
    if (json_is_array(node)) {
        json_array_foreach(node, i, part) {
            n = add_aggregates(r, part);
            if (n < 0)
                return n;
            found += n;
        }
    } else if (json_is_object(node)) {
        json_object_foreach(node, name, part) {
            n = add_aggregates(r, part);
            if (n < 0)
                return n;
            found += n;
        }
    }
    return found;
}

static json_t *value_at(const reading *r, size_t i) {
    return tree_get(tree_node(json_array_get(r->targets, i), "ResTarget"), "val");
}

/* A number or an alias stands for an output. */
static json_t *meant(const reading *r, json_t *node) {
    json_t *number = tree_get(tree_get(tree_node(node, "A_Const"), "ival"), "ival"), *ref = tree_node(node,
        "ColumnRef");
    const char *prefix = "", *name = ref ? tree_column(ref, &prefix) : "";
    size_t i;

    if (json_is_integer(number))
        return value_at(r, (size_t)json_integer_value(number) - 1);
    for (i = 0; *name && !*prefix && i < json_array_size(r->targets); i++)
        if (strcmp(tree_text(tree_node(json_array_get(r->targets, i), "ResTarget"), "name"), name) == 0)
            return value_at(r, i);
    return node;
}

static int find_u32(const uint32_t *list, uint32_t n, uint32_t x, uint32_t *at) {
    for (*at = 0; *at < n; ++*at)
        if (list[*at] == x)
            return 1;
    return 0;
}

static int add_group(reading *r, json_t *node) {
    form *f = r->f;
    json_t *ref;
    int64_t ns;
    uint32_t column, at;

    if (bucket_read(node, &ref, &ns)) {
        column = plain_column(r, ref);
        if (ns <= 0)
            return misfit(r, "buckets of calendar months");
        if (column == NAMES_NONE || (f->bucket_ns && (f->bucket_ns != ns || f->bucket_column != column)))
            return misfit(r, "two kinds of time buckets");
        f->bucket_ns = ns;
        f->bucket_column = column;
        return 1;
    }
    column = column_of(r, node);
    if (column == NAMES_NONE)
        return misfit(r, "a group by what is no expression over columns");
    if (find_u32(f->group, f->group_count, column, &at))
        return 1;
    if (f->group_count == FORM_OUTPUTS)
        return misfit(r, "more than 64 groups");
    f->group[f->group_count++] = column;
    return 1;
}

static int is_grouped(reading *r, json_t *node, form_order *out) {
    json_t *ref;
    int64_t ns;
    uint32_t column;

    if (bucket_read(node, &ref, &ns) && r->f->bucket_ns == ns && plain_column(r, ref) == r->f->bucket_column) {
        out->by = FORM_BY_BUCKET;
        return 1;
    }
    column = column_of(r, node);
    out->by = FORM_BY_GROUP;
    return column != NAMES_NONE && find_u32(r->f->group, r->f->group_count, column, &out->index);
}

/* Whether all columns of an expression are grouped by, so that whoever asks can compute it. */
static int of_groups(reading *r, json_t *node) {
    json_t *part, *ref = tree_node(node, "ColumnRef");
    const char *name;
    size_t i;
    uint32_t at;

    if (ref)
        return find_u32(r->f->group, r->f->group_count, plain_column(r, ref), &at);
    if (json_is_array(node)) {
        json_array_foreach(node, i, part)
            if (!of_groups(r, part))
                return 0;
    } else if (json_is_object(node)) {
        json_object_foreach(node, name, part)
            if (!of_groups(r, part))
                return 0;
    }
    return 1;
}

static int add_detail(reading *r, uint32_t column) {
    uint32_t at;

    if (column == NAMES_NONE)
        return misfit(r, "an output that is no expression over columns");
    if (find_u32(r->f->column, r->f->column_count, column, &at))
        return 1;
    if (r->f->column_count == FORM_OUTPUTS)
        return 1; /* the width of a row says little more */
    r->f->column[r->f->column_count++] = column;
    return 1;
}

static int add_star(reading *r) {
    uint32_t i;

    for (i = 0; i < r->c->column_names.count; i++)
        if (r->c->columns[i].table == r->f->table && !r->c->columns[i].derived)
            add_detail(r, i);
    return 1;
}

static int read_detail(reading *r) {
    json_t *item, *ref;
    size_t i;

    json_array_foreach(r->targets, i, item) {
        item = tree_get(tree_node(item, "ResTarget"), "val");
        ref = tree_node(item, "ColumnRef");
        if (is_literal(r, item))
            continue;
        if (ref && tree_get(json_array_get(tree_get(ref, "fields"), json_array_size(tree_get(ref, "fields")) - 1),
            "A_Star"))
            add_star(r);
        else if (!add_detail(r, column_of(r, item)))
            return 0;
    }
    return 1;
}

static int read_aggregate(reading *r) {
    form_order ignored;
    json_t *item;
    size_t i;
    int n;

    json_array_foreach(r->targets, i, item) {
        item = tree_get(tree_node(item, "ResTarget"), "val");
        n = add_aggregates(r, item);
        if (n < 0)
            return 0;
        if (n == 0 && !is_literal(r, item) && !is_grouped(r, item, &ignored) && !of_groups(r, item))
            return misfit(r, "an output that is neither grouped nor count, sum, avg, min or max");
    }
    return add_aggregates(r, tree_get(r->select, "havingClause")) >= 0;
}

/* An order by what is no output, and the limit with it, is left to whoever asks. */
static void read_order(reading *r) {
    form *f = r->f;
    json_t *item, *node, *limit = tree_get(tree_node(tree_get(r->select, "limitCount"), "A_Const"), "ival");
    size_t i;
    form_order o;
    const char *name;

    json_array_foreach(tree_get(r->select, "sortClause"), i, item) {
        item = tree_node(item, "SortBy");
        node = meant(r, tree_get(item, "node"));
        o = (form_order){ 0, 0, strcmp(tree_text(item, "sortby_dir"), "SORTBY_DESC") == 0 };
        name = tree_call(node, SIZE_MAX);
        if (name && aggregate_fn(name)) {
            o.by = FORM_BY_AGGREGATE;
            o.index = add_aggregate(r, node, aggregate_fn(name));
        } else if (!is_grouped(r, node, &o)) {
            o.by = FORM_BY_COLUMN;
            find_u32(f->column, f->column_count, column_of(r, node), &o.index);
            o.index = o.index < f->column_count ? o.index : UINT32_MAX;
        }
        if (o.index == UINT32_MAX || f->order_count == FORM_ORDER) {
            f->order_count = 0;
            return;
        }
        f->order[f->order_count++] = o;
    }
    if (limit && json_integer_value(tree_get(limit, "ival")) > 0 && !tree_get(r->select, "havingClause"))
        f->limit = (uint64_t)json_integer_value(tree_get(limit, "ival"));
}

static int read_groups(reading *r) {
    json_t *item;
    size_t i;

    json_array_foreach(tree_get(r->select, "groupClause"), i, item)
        if (!add_group(r, meant(r, item)))
            return 0;
    if (!tree_get(r->select, "distinctClause"))
        return 1;
    json_array_foreach(r->targets, i, item)
        if (!add_group(r, tree_get(tree_node(item, "ResTarget"), "val")))
            return 0;
    return 1;
}

static int has_aggregate(json_t *node) {
    const char *name = tree_call(node, SIZE_MAX);
    json_t *part;
    size_t i;

    if (name && aggregate_fn(name))
        return 1;
    if (json_is_array(node)) {
        json_array_foreach(node, i, part)
            if (has_aggregate(part))
                return 1;
    } else if (json_is_object(node)) {
        json_object_foreach(node, name, part)
            if (has_aggregate(part))
                return 1;
    }
    return 0;
}

static int read_table(reading *r, json_t *statement) {
    json_t *select = tree_node(tree_unwrap(statement), "SelectStmt"), *from = tree_get(select, "fromClause"),
        *relation;

    if (!select)
        return misfit(r, "not a SELECT");
    relation = tree_node(json_array_get(from, 0), "RangeVar");
    if (tree_get(select, "larg") || tree_get(select, "withClause") || tree_get(select, "windowClause"))
        return misfit(r, tree_get(select, "larg") ? "UNION and the like" : "WITH, or a window");
    if (json_array_size(from) != 1 || !relation)
        return misfit(r, json_array_size(from) == 0 ? "no table" : "more than one table");
    r->select = select;
    r->targets = tree_get(select, "targetList");
    r->name = tree_text(relation, "relname");
    r->alias = tree_text(tree_get(relation, "alias"), "aliasname");
    r->f->table = catalog_table(r->c, tree_text(relation, "schemaname"), r->name);
    return r->f->table != NAMES_NONE ? 1 : misfit(r, "more tables than can be kept");
}

/* Parameters were kept by where they begin. */
static void settle(form *f) {
    uint32_t i;

    for (i = 0; i < f->literal_count; i++)
        if (f->literals[i].kind == LITERAL_TEXT && !f->literals[i].s)
            f->literals[i].s = f->hold.data + f->literals[i].i;
}

int form_read(form *f, json_t *statement, catalog *c) {
    reading r = { .f = f, .c = c };
    int64_t at = f->at;
    const char *parameters = f->parameters;
    strbuf hold = f->hold;
    int fits;

    memset(f, 0, sizeof *f);
    f->at = at;
    f->parameters = parameters ? parameters : "";
    f->hold = hold;
    text_clear(&f->hold);
    if (!read_table(&r, statement))
        return 0;
    if (tree_get(r.select, "whereClause") && !read_condition(&r, tree_get(r.select, "whereClause")))
        return 0;
    if (!read_groups(&r))
        return 0;
    fits = f->group_count || f->bucket_ns || has_aggregate(r.targets) ? read_aggregate(&r) : read_detail(&r);
    if (fits)
        read_order(&r);
    settle(f);
    return fits && !f->why[0];
}
