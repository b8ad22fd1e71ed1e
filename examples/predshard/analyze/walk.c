/* SPDX-License-Identifier: MIT */
#include "walk.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "tree.h"

#define MOST_IN_SCOPE 32
#define MOST_WITH 32

typedef struct scope {
    struct { const char *alias; uint32_t table; } from[MOST_IN_SCOPE]; /* NAMES_NONE: a subquery */
    size_t count;
    const struct scope *outer;
    json_t *targets;
} scope;

typedef struct walk {
    catalog *c;
    footprint *out;
    const char *with[MOST_WITH];
    size_t with_count;
} walk;

static void walk_select(walk *w, json_t *select, const scope *outer);
static void walk_expression(walk *w, json_t *node, const scope *s, uint32_t role, uint32_t op, uint32_t seen);

static const char *const statement_names[STATEMENTS] = { "select", "insert", "update", "delete", "ddl", "other" };
static const char *const role_names[ROLES] = { "output", "filter", "grouping", "ordering", "join" };
static const char *const op_names[OPS] = { "", "=", "<>", "<", "<=", ">", ">=", "in", "is null", "is not null",
    "between",
    "like", "in (select)", "expression" };

const char *statement_name(uint32_t kind) {
    return kind < STATEMENTS ? statement_names[kind] : "other";
}

const char *role_name(uint32_t role) {
    return role < ROLES ? role_names[role] : "";
}

const char *op_name(uint32_t op) {
    return op < OPS ? op_names[op] : "";
}

uint32_t op_of(const char *sign) {
    uint32_t i;

    for (i = OP_EQ; i <= OP_GE; i++)
        if (strcmp(sign, op_names[i]) == 0)
            return i;
    return OP_OTHER;
}

static uint32_t touch(walk *w, json_t *relation) {
    uint32_t t = catalog_table(w->c, tree_text(relation, "schemaname"), tree_text(relation, "relname")), i;

    if (t == NAMES_NONE)
        return t;
    for (i = 0; i < w->out->table_count; i++)
        if (w->out->tables[i] == t)
            return t;
    if (w->out->table_count < MOST_TOUCHED)
        w->out->tables[w->out->table_count++] = t;
    return t;
}

static void add_scope(scope *s, const char *alias, uint32_t table) {
    if (s->count == MOST_IN_SCOPE)
        return;
    s->from[s->count].alias = alias;
    s->from[s->count++].table = table;
}

static int is_with(const walk *w, const char *name) {
    size_t i;

    for (i = 0; i < w->with_count; i++)
        if (strcmp(w->with[i], name) == 0)
            return 1;
    return 0;
}

/* The table of a column: by its prefix, or the only one that can have it. */
static uint32_t table_of(const walk *w, const scope *s, const char *prefix, const char *name) {
    uint32_t found = NAMES_NONE;
    size_t i, tables = 0;

    for (; s; s = s->outer) {
        for (i = 0; i < s->count; i++)
            if (*prefix && strcmp(s->from[i].alias, prefix) == 0)
                return s->from[i].table;
        if (*prefix)
            continue;
        for (tables = 0, i = 0; i < s->count; i++)
            if (s->from[i].table != NAMES_NONE && catalog_find(w->c, s->from[i].table, name) != NAMES_NONE)
                tables++, found = s->from[i].table;
        if (tables == 1 || s->count == 1)
            return tables ? found : s->from[0].table;
        if (s->count)
            return NAMES_NONE; /* several could have it */
    }
    return NAMES_NONE;
}

static void add_use(walk *w, uint32_t column, uint32_t role, uint32_t op, uint32_t seen) {
    footprint *out = w->out;
    uint32_t i;

    if (column == NAMES_NONE)
        return;
    if ((seen & SEEN_TIME) && role == ROLE_FILTER)
        w->c->columns[column].ranged++;
    w->c->columns[column].seen |= seen;
    for (i = 0; i < out->use_count; i++)
        if (out->uses[i].column == column && out->uses[i].role == role && out->uses[i].op == op)
            return;
    if (out->use_count < MOST_USES)
        out->uses[out->use_count++] = (use){ column, (uint16_t)role, (uint16_t)op };
}

static void use_column(walk *w, json_t *ref, const scope *s, uint32_t role, uint32_t op, uint32_t seen) {
    const char *prefix, *name = tree_column(ref, &prefix);
    uint32_t t = *name ? table_of(w, s, prefix, name) : NAMES_NONE;

    if (t != NAMES_NONE)
        add_use(w, catalog_column(w->c, t, name), role, op, seen);
}

/* What a call says about the type of its arguments. */
static uint32_t seen_by_call(const char *name) {
    static const char *const cuts[] = { "date_trunc", "date_part", "date_bin", "time_bucket", "date_format", NULL };
    size_t i;

    if (strcmp(name, "sum") == 0 || strcmp(name, "avg") == 0)
        return SEEN_SUMMED;
    if (strncmp(name, "tostartof", 9) == 0 || strcmp(name, "date") == 0 || strcmp(name, "todate") == 0)
        return SEEN_TIME;
    for (i = 0; cuts[i]; i++)
        if (strcmp(name, cuts[i]) == 0)
            return SEEN_TIME;
    return 0;
}

/* What a constant, or a call like now(), says about a column compared with it. */
static uint32_t seen_by_value(json_t *node) {
    json_t *c = tree_node(node, "A_Const"), *cast = tree_node(node, "TypeCast"), *e = tree_node(node, "A_Expr");
    const char *name = tree_call(node, SIZE_MAX), *s;
    int64_t t;

    if (c && tree_get(c, "sval")) {
        s = tree_text(tree_get(c, "sval"), "sval");
        return clock_read(s, strlen(s), &t, NULL) ? SEEN_TIME : SEEN_TEXT;
    }
    if (c)
        return tree_get(c, "ival") ? SEEN_INT : tree_get(c, "fval") ? SEEN_FLOAT : tree_get(c, "boolval")
            ? SEEN_BOOL : 0;
    if (tree_node(node, "SQLValueFunction"))
        return SEEN_TIME;
    if (cast) {
        s = tree_last_name(tree_get(tree_get(cast, "typeName"), "names"));
        return strncmp(s, "timestamp", 9) == 0 || strcmp(s, "date") == 0 ? SEEN_TIME : strcmp(s, "interval") == 0
            ? 0
            : seen_by_value(tree_get(cast, "arg"));
    }
    if (name)
        return strcmp(name, "now") == 0 || strcmp(name, "today") == 0 || strncmp(name, "todate", 6) == 0
            || strcmp(name, "curdate") == 0 || strcmp(name, "yesterday") == 0
            || strcmp(name, "date_trunc") == 0 ? SEEN_TIME : 0;
    return e ? seen_by_value(tree_get(e, "lexpr")) | seen_by_value(tree_get(e, "rexpr")) : 0;
}

static uint32_t seen_by_list(json_t *node) {
    json_t *items = json_is_array(node) ? node : tree_get(tree_node(node, "List"), "items"), *item;
    uint32_t seen = 0;
    size_t i;

    if (!items)
        return seen_by_value(node);
    json_array_foreach(items, i, item)
        seen |= seen_by_value(item);
    return seen;
}

static uint32_t op_of_node(json_t *e) {
    const char *kind = tree_text(e, "kind"), *sign = tree_last_name(tree_get(e, "name"));

    if (strcmp(kind, "AEXPR_IN") == 0)
        return strcmp(sign, "=") == 0 ? OP_IN : OP_OTHER;
    if (strcmp(kind, "AEXPR_BETWEEN") == 0)
        return OP_BETWEEN;
    if (strcmp(kind, "AEXPR_LIKE") == 0 || strcmp(kind, "AEXPR_ILIKE") == 0)
        return OP_LIKE;
    return strcmp(kind, "AEXPR_OP") == 0 ? op_of(sign) : OP_OTHER;
}

static uint32_t turned(uint32_t op) {
    return op == OP_LT ? OP_GT : op == OP_LE ? OP_GE : op == OP_GT ? OP_LT : op == OP_GE ? OP_LE : op;
}

static uint32_t table_of_node(const walk *w, json_t *node, const scope *s) {
    json_t *ref = tree_node(node, "ColumnRef");
    const char *prefix, *name = ref ? tree_column(ref, &prefix) : "";

    return ref && *name ? table_of(w, s, prefix, name) : NAMES_NONE;
}

static void walk_comparison(walk *w, json_t *e, const scope *s) {
    json_t *left = tree_get(e, "lexpr"), *right = tree_get(e, "rexpr");
    uint32_t op = op_of_node(e), a = table_of_node(w, left, s), b = table_of_node(w, right, s);

    if (a != NAMES_NONE && b != NAMES_NONE && a != b) {
        walk_expression(w, left, s, ROLE_JOIN, op, 0);
        walk_expression(w, right, s, ROLE_JOIN, op, 0);
        return;
    }
    walk_expression(w, left, s, ROLE_FILTER, tree_node(left, "ColumnRef") ? op : OP_OTHER, tree_node(left,
        "ColumnRef") ? seen_by_list(right) : 0);
    walk_expression(w, right, s, ROLE_FILTER, tree_node(right, "ColumnRef") ? turned(op) : OP_OTHER,
        tree_node(right, "ColumnRef") ? seen_by_list(left) : 0);
}

static void walk_condition(walk *w, json_t *node, const scope *s) {
    json_t *e, *item;
    size_t i;

    if ((e = tree_node(node, "BoolExpr"))) {
        json_array_foreach(tree_get(e, "args"), i, item)
            walk_condition(w, item, s);
    } else if ((e = tree_node(node, "A_Expr"))) {
        walk_comparison(w, e, s);
    } else if ((e = tree_node(node, "NullTest"))) {
        walk_expression(w, tree_get(e, "arg"), s, ROLE_FILTER,
            strcmp(tree_text(e, "nulltesttype"), "IS_NULL") == 0 ? OP_NULL : OP_NOT_NULL, SEEN_NULL);
    } else if ((e = tree_node(node, "SubLink")) && tree_get(e, "testexpr")) {
        walk_expression(w, tree_get(e, "testexpr"), s, ROLE_FILTER, OP_SUBQUERY, 0);
        walk_select(w, tree_node(tree_get(e, "subselect"), "SelectStmt"), s);
    } else if (node) {
        walk_expression(w, node, s, ROLE_FILTER, OP_OTHER, 0);
    }
}

/* All columns of an expression; jansson has bounded how deep it is. */
static void walk_expression(walk *w, json_t *node, const scope *s, uint32_t role, uint32_t op, uint32_t seen) {
    json_t *part;
    const char *name;
    size_t i;

    if (json_is_array(node)) {
        json_array_foreach(node, i, part)
            walk_expression(w, part, s, role, op, seen);
        return;
    }
    if (!json_is_object(node))
        return;
    if ((part = tree_node(node, "ColumnRef"))) {
        use_column(w, part, s, role, op, seen);
        return;
    }
    if ((part = tree_node(node, "SelectStmt"))) {
        walk_select(w, part, s);
        return;
    }
    name = tree_call(node, SIZE_MAX);
    if (name)
        seen |= seen_by_call(name);
    json_object_foreach(node, name, part)
        walk_expression(w, part, s, role, op, seen);
}

/* GROUP BY 1 and GROUP BY alias mean an output. */
static json_t *resolved(json_t *node, const scope *s) {
    json_t *number = tree_get(tree_get(tree_node(node, "A_Const"), "ival"), "ival"), *ref = tree_node(node,
        "ColumnRef"), *item;
    const char *prefix = "", *name = ref ? tree_column(ref, &prefix) : "";
    size_t i;

    if (json_is_integer(number)) {
        item = json_array_get(s->targets, (size_t)json_integer_value(number) - 1);
        return tree_get(tree_node(item, "ResTarget"), "val");
    }
    json_array_foreach(s->targets, i, item)
        if (*name && !*prefix && strcmp(tree_text(tree_node(item, "ResTarget"), "name"), name) == 0
            && !tree_node(tree_get(tree_node(item, "ResTarget"), "val"), "ColumnRef"))
            return tree_get(tree_node(item, "ResTarget"), "val");
    return node;
}

static void walk_from(walk *w, json_t *node, scope *s) {
    json_t *e, *alias;
    const char *name;

    if ((e = tree_node(node, "RangeVar"))) {
        alias = tree_get(e, "alias");
        name = tree_text(e, "relname");
        add_scope(s, alias ? tree_text(alias, "aliasname") : name,
            !*tree_text(e, "schemaname") && is_with(w, name) ? NAMES_NONE : touch(w, e));
    } else if ((e = tree_node(node, "JoinExpr"))) {
        walk_from(w, tree_get(e, "larg"), s);
        walk_from(w, tree_get(e, "rarg"), s);
        walk_condition(w, tree_get(e, "quals"), s);
    } else if ((e = tree_node(node, "RangeSubselect"))) {
        walk_select(w, tree_node(tree_get(e, "subquery"), "SelectStmt"), s);
        add_scope(s, tree_text(tree_get(e, "alias"), "aliasname"), NAMES_NONE);
    } else if (node) {
        add_scope(s, tree_text(tree_get(tree_node(node, "RangeFunction"), "alias"), "aliasname"), NAMES_NONE);
    }
}

/* JOIN ... USING (a): the column of both sides. */
static void walk_using(walk *w, json_t *node, const scope *s) {
    json_t *e = tree_node(node, "JoinExpr"), *item;
    size_t i, k;

    if (!e)
        return;
    walk_using(w, tree_get(e, "larg"), s);
    json_array_foreach(tree_get(e, "usingClause"), i, item)
        for (k = 0; k < s->count; k++)
            if (s->from[k].table != NAMES_NONE)
                add_use(w, catalog_column(w->c, s->from[k].table, tree_text(tree_node(item, "String"), "sval")),
                    ROLE_JOIN, OP_EQ, 0);
}

static void walk_with(walk *w, json_t *fields, const scope *outer) {
    json_t *item, *with;
    size_t i;

    json_array_foreach(tree_get(tree_get(fields, "withClause"), "ctes"), i, item) {
        with = tree_node(item, "CommonTableExpr");
        if (w->with_count < MOST_WITH)
            w->with[w->with_count++] = tree_text(with, "ctename");
        walk_select(w, tree_node(tree_get(with, "ctequery"), "SelectStmt"), outer);
    }
}

static void walk_clauses(walk *w, json_t *select, scope *s) {
    json_t *item;
    size_t i;

    walk_expression(w, s->targets, s, ROLE_OUTPUT, OP_NONE, 0);
    walk_condition(w, tree_get(select, "whereClause"), s);
    json_array_foreach(tree_get(select, "groupClause"), i, item)
        walk_expression(w, resolved(item, s), s, ROLE_GROUP, OP_NONE, 0);
    walk_condition(w, tree_get(select, "havingClause"), s);
    json_array_foreach(tree_get(select, "sortClause"), i, item)
        walk_expression(w, resolved(tree_get(tree_node(item, "SortBy"), "node"), s), s, ROLE_ORDER, OP_NONE, 0);
}

static void walk_limit(walk *w, json_t *select) {
    json_t *count = tree_get(select, "limitCount"), *number = tree_get(tree_get(tree_node(count, "A_Const"),
        "ival"), "ival");

    if (count)
        w->out->limit = json_is_integer(number) ? json_integer_value(number) : -2;
}

static void walk_select(walk *w, json_t *select, const scope *outer) {
    scope s = { .outer = outer };
    json_t *item;
    size_t i;

    if (!select)
        return;
    walk_with(w, select, outer);
    if (tree_get(select, "larg")) {
        walk_select(w, tree_get(select, "larg"), outer);
        walk_select(w, tree_get(select, "rarg"), outer);
        return;
    }
    s.targets = tree_get(select, "targetList");
    json_array_foreach(tree_get(select, "fromClause"), i, item) {
        walk_from(w, item, &s);
        walk_using(w, item, &s);
    }
    walk_clauses(w, select, &s);
    if (!outer)
        walk_limit(w, select);
}

/* INSERT: columns named are written; constants of the first row say what type they have. */
static void walk_insert(walk *w, json_t *insert) {
    uint32_t t = touch(w, tree_get(insert, "relation"));
    json_t *source = tree_node(tree_get(insert, "selectStmt"), "SelectStmt"), *item, *values;
    size_t i;

    values = tree_get(tree_node(json_array_get(tree_get(source, "valuesLists"), 0), "List"), "items");
    walk_with(w, insert, NULL);
    json_array_foreach(tree_get(insert, "cols"), i, item)
        add_use(w, catalog_column(w->c, t, tree_text(tree_node(item, "ResTarget"), "name")), ROLE_OUTPUT, OP_NONE,
            seen_by_value(json_array_get(values, i)));
    if (!values)
        walk_select(w, source, NULL);
}

static void walk_change(walk *w, json_t *change) {
    scope s = { 0 };
    json_t *relation = tree_get(change, "relation"), *item, *alias = tree_get(relation, "alias");
    uint32_t t = touch(w, relation);
    size_t i;

    walk_with(w, change, NULL);
    add_scope(&s, alias ? tree_text(alias, "aliasname") : tree_text(relation, "relname"), t);
    json_array_foreach(tree_get(change, "fromClause"), i, item)
        walk_from(w, item, &s);
    json_array_foreach(tree_get(change, "usingClause"), i, item)
        walk_from(w, item, &s);
    json_array_foreach(tree_get(change, "targetList"), i, item) {
        add_use(w, catalog_column(w->c, t, tree_text(tree_node(item, "ResTarget"), "name")), ROLE_OUTPUT, OP_NONE,
            seen_by_value(tree_get(tree_node(item, "ResTarget"), "val")));
        walk_expression(w, tree_get(tree_node(item, "ResTarget"), "val"), &s, ROLE_OUTPUT, OP_NONE, 0);
    }
    walk_condition(w, tree_get(change, "whereClause"), &s);
}

static void walk_ddl(walk *w, json_t *statement) {
    json_t *create = tree_node(statement, "CreateStmt");

    if (create) {
        touch(w, tree_get(create, "relation"));
        catalog_declare(w->c, create);
    } else if ((create = tree_node(statement, "IndexStmt"))) {
        touch(w, tree_get(create, "relation"));
    }
}

void walk_statement(json_t *statement, catalog *c, footprint *out) {
    walk w = { .c = c, .out = out };
    json_t *inside = tree_unwrap(statement), *e;
    const char *kind = json_object_iter_key(json_object_iter(inside));

    memset(out, 0, sizeof *out);
    out->limit = -1;
    out->kind = STATEMENT_OTHER;
    if ((e = tree_node(inside, "SelectStmt"))) {
        out->kind = STATEMENT_SELECT;
        walk_select(&w, e, NULL);
    } else if ((e = tree_node(inside, "InsertStmt"))) {
        out->kind = STATEMENT_INSERT;
        walk_insert(&w, e);
    } else if ((e = tree_node(inside, "UpdateStmt")) || (e = tree_node(inside, "DeleteStmt"))) {
        out->kind = tree_node(inside, "UpdateStmt") ? STATEMENT_UPDATE : STATEMENT_DELETE;
        walk_change(&w, e);
    } else if (kind && (strncmp(kind, "Create", 6) == 0 || strncmp(kind, "Alter", 5) == 0
        || strncmp(kind, "Drop", 4) == 0
        || strcmp(kind, "IndexStmt") == 0)) {
        out->kind = STATEMENT_DDL;
        walk_ddl(&w, inside);
    }
}

uint32_t statement_kind_of_text(const char *sql) {
    static const char *const words[] = { "select", "insert", "update", "delete", "create", "alter", "drop", "with",
        "replace" };
    static const uint32_t kinds[] = { STATEMENT_SELECT, STATEMENT_INSERT, STATEMENT_UPDATE, STATEMENT_DELETE,
        STATEMENT_DDL,
        STATEMENT_DDL, STATEMENT_DDL, STATEMENT_SELECT, STATEMENT_INSERT };
    size_t i;

    while (isspace((unsigned char)*sql) || *sql == '(')
        sql++;
    for (i = 0; i < sizeof words / sizeof *words; i++)
        if (strncasecmp(sql, words[i], strlen(words[i])) == 0)
            return kinds[i];
    return STATEMENT_OTHER;
}
