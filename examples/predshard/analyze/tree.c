/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <stdint.h>
#include <string.h>

#include <pg_query.h>

#define MOST_EXPRESSION 200

json_t *tree_get(json_t *fields, const char *name) {
    return fields ? json_object_get(fields, name) : NULL;
}

json_t *tree_node(json_t *node, const char *kind) {
    json_t *fields = tree_get(node, kind);

    return json_is_object(fields) ? fields : NULL;
}

const char *tree_text(json_t *fields, const char *name) {
    const char *s = json_string_value(tree_get(fields, name));

    return s ? s : "";
}

int tree_true(json_t *fields, const char *name) {
    return json_is_true(tree_get(fields, name));
}

static const char *name_at(json_t *list, size_t i) {
    return tree_text(tree_node(json_array_get(list, i), "String"), "sval");
}

const char *tree_last_name(json_t *list) {
    size_t n = json_array_size(list);

    return n ? name_at(list, n - 1) : "";
}

const char *tree_column(json_t *column_ref, const char **table) {
    json_t *fields = tree_get(column_ref, "fields");
    size_t n = json_array_size(fields);

    *table = n > 1 ? name_at(fields, n - 2) : "";
    return n ? name_at(fields, n - 1) : "";
}

const char *tree_call(json_t *node, size_t arguments) {
    json_t *call = tree_node(node, "FuncCall");

    if (!call || (arguments != SIZE_MAX && json_array_size(tree_get(call, "args")) != arguments))
        return NULL;
    return tree_last_name(tree_get(call, "funcname"));
}

json_t *tree_argument(json_t *node, size_t i) {
    return json_array_get(tree_get(tree_node(node, "FuncCall"), "args"), i);
}

static int constant_text(json_t *c, strbuf *out) {
    json_t *ival = tree_get(c, "ival"), *sval = tree_get(c, "sval");

    if (ival)
        text_format(out, "%" JSON_INTEGER_FORMAT, json_integer_value(tree_get(ival, "ival")));
    else if (sval)
        text_format(out, "'%.100s'", tree_text(sval, "sval"));
    else if (tree_get(c, "fval"))
        text_put(out, tree_text(tree_get(c, "fval"), "fval"));
    else
        return 0;
    return 1;
}

static int operand(json_t *node, strbuf *out, json_t **column) {
    int nested = tree_node(node, "A_Expr") != NULL;

    text_put(out, nested ? "(" : "");
    if (!tree_expression(node, out, column))
        return 0;
    text_put(out, nested ? ")" : "");
    return 1;
}

static int operator_text(json_t *e, strbuf *out, json_t **column) {
    json_t *left = tree_get(e, "lexpr");

    if (strcmp(tree_text(e, "kind"), "AEXPR_OP") != 0)
        return 0;
    if (left && !operand(left, out, column))
        return 0;
    text_format(out, left ? " %s " : "%s", tree_last_name(tree_get(e, "name")));
    return operand(tree_get(e, "rexpr"), out, column);
}

static int call_text(json_t *node, strbuf *out, json_t **column) {
    json_t *call = tree_node(node, "FuncCall");
    size_t i, n = json_array_size(tree_get(call, "args"));

    if (tree_true(call, "agg_star") || tree_get(call, "over") || tree_true(call, "agg_distinct"))
        return 0;
    text_format(out, "%s(", tree_last_name(tree_get(call, "funcname")));
    for (i = 0; i < n; i++) {
        text_put(out, i ? ", " : "");
        if (!tree_expression(tree_argument(node, i), out, column))
            return 0;
    }
    text_put(out, ")");
    return 1;
}

int tree_expression(json_t *node, strbuf *out, json_t **column) {
    json_t *c;
    const char *table, *name;

    if (out->size > MOST_EXPRESSION)
        return 0;
    if ((c = tree_node(node, "ColumnRef"))) {
        name = tree_column(c, &table);
        text_put(out, name);
        *column = *column ? *column : c;
        return *name != 0;
    }
    if ((c = tree_node(node, "A_Const")))
        return constant_text(c, out);
    if ((c = tree_node(node, "ParamRef"))) {
        text_format(out, "$%" JSON_INTEGER_FORMAT, json_integer_value(tree_get(c, "number")));
        return 1;
    }
    if ((c = tree_node(node, "A_Expr")))
        return operator_text(c, out, column);
    if (tree_node(node, "FuncCall"))
        return call_text(node, out, column) && out->size <= MOST_EXPRESSION;
    if ((c = tree_node(node, "TypeCast"))) {
        if (!operand(tree_get(c, "arg"), out, column))
            return 0;
        text_format(out, "::%s", tree_last_name(tree_get(tree_get(c, "typeName"), "names")));
        return 1;
    }
    return 0;
}

json_t *tree_parse(const char *sql, strbuf *why) {
    PgQueryParseResult r = pg_query_parse(sql);
    json_t *root = NULL, *statement = NULL;

    text_clear(why);
    if (r.error) {
        text_format(why, "%s", r.error->message);
    } else {
        root = json_loads(r.parse_tree, 0, NULL);
        statement = tree_get(json_array_get(tree_get(root, "stmts"), 0), "stmt");
        if (!statement)
            text_put(why, root ? "no statement in it" : "nested too deeply");
        json_incref(statement);
    }
    json_decref(root);
    pg_query_free_parse_result(r);
    return statement;
}

json_t *tree_unwrap(json_t *statement) {
    static const char *const wraps[] = { "PrepareStmt", "ExplainStmt", "CopyStmt", "DeclareCursorStmt",
        "CreateTableAsStmt",
        "ViewStmt" };
    json_t *inside;
    size_t i;

    for (i = 0; i < sizeof wraps / sizeof *wraps; i++) {
        inside = tree_get(tree_node(statement, wraps[i]), "query");
        if (inside)
            return inside;
    }
    return statement;
}
