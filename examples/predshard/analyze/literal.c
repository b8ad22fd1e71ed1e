/* SPDX-License-Identifier: MIT */
#include "literal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "tree.h"

static int64_t unit_ns(const char *s) {
    static const char *const units[] = { "second", "minute", "hour", "day", "week", "month", "year" };
    static const int64_t ns[] = { PSH_SECOND, PSH_MINUTE, PSH_HOUR, PSH_DAY, 7 * PSH_DAY, 30 * PSH_DAY,
        365 * PSH_DAY };
    size_t i, n;

    for (i = 0; i < sizeof units / sizeof *units; i++) {
        n = strlen(units[i]);
        if (strncasecmp(s, units[i], n) == 0 && (!s[n] || s[n] == ' ' || ((s[n] == 's' || s[n] == 'S') && (!s[n + 1]
            || s[n + 1] == ' '))))
            return ns[i];
    }
    return 0;
}

int64_t interval_ns(const char *s) {
    char *end;
    double x, sum = 0;
    int64_t unit;

    while (*s) {
        x = strtod(s, &end);
        if (end == s)
            return 0;
        while (*end == ' ')
            end++;
        unit = unit_ns(end);
        sum += x * (double)unit;
        if (!unit || !(sum < 9e18 && sum > -9e18))
            return 0;
        while (isalpha((unsigned char)*end))
            end++;
        while (*end == ' ')
            end++;
        s = end;
    }
    return (int64_t)sum;
}

static void set_time(literal *out, int64_t t) {
    out->kind = LITERAL_TIME;
    out->i = t;
}

static int now_minus(form *f, literal *out, int64_t ns, int64_t width) {
    f->relative = 1;
    if (f->at == PSH_TIME_NONE) {
        out->kind = LITERAL_UNKNOWN;
        return 1;
    }
    set_time(out, f->at - ns);
    if (width > 0)
        out->i -= (out->i % width + width) % width;
    return 1;
}

/* The value of $n in "$1 = 'x', $2 = NULL", with its quotes taken off. */
static int parameter_value(form *f, int64_t n, literal *out) {
    char mark[32];
    const char *s;
    size_t from = f->hold.size;

    out->kind = LITERAL_UNKNOWN;
    snprintf(mark, sizeof mark, "$%lld = '", (long long)n);
    s = strstr(f->parameters, mark);
    if (!s)
        return 1;
    for (s += strlen(mark); *s && (*s != '\'' || s[1] == '\''); s++) {
        s += *s == '\'';
        text_add(&f->hold, s, 1);
    }
    text_add(&f->hold, "", 1);
    if (f->hold.bad)
        return 1;
    out->kind = LITERAL_TEXT;
    out->i = (int64_t)from; /* hold may still move: literal_settle sets s */
    out->s = NULL;
    return 1;
}

static int constant(json_t *c, literal *out) {
    json_t *ival = tree_get(c, "ival"), *fval = tree_get(c, "fval"), *sval = tree_get(c, "sval"),
        *boolval = tree_get(c, "boolval");

    if (ival) {
        out->kind = LITERAL_INT;
        out->i = json_integer_value(tree_get(ival, "ival"));
    } else if (fval) {
        out->kind = LITERAL_FLOAT;
        out->d = strtod(tree_text(fval, "fval"), NULL);
    } else if (sval) {
        out->kind = LITERAL_TEXT;
        out->s = tree_text(sval, "sval");
    } else if (boolval) {
        out->kind = LITERAL_BOOL;
        out->i = tree_true(boolval, "boolval");
    }
    return out->kind != 0;
}

static int64_t interval_of(json_t *node) {
    json_t *cast = tree_node(node, "TypeCast"), *c;

    if (!cast || strcmp(tree_last_name(tree_get(tree_get(cast, "typeName"), "names")), "interval") != 0)
        return 0;
    c = tree_node(tree_get(cast, "arg"), "A_Const");
    return interval_ns(tree_text(tree_get(c, "sval"), "sval"));
}

static int shifted(form *f, json_t *e, literal *out) {
    const char *sign = tree_last_name(tree_get(e, "name"));
    int64_t ns = interval_of(tree_get(e, "rexpr"));
    json_t *days = tree_get(tree_get(tree_node(tree_get(e, "rexpr"), "A_Const"), "ival"), "ival");

    if (strcmp(tree_text(e, "kind"), "AEXPR_OP") != 0 || (*sign != '-' && *sign != '+') || sign[1])
        return 0;
    if (!literal_read(f, tree_get(e, "lexpr"), out))
        return 0;
    if (!ns && json_is_integer(days))
        ns = json_integer_value(days) * PSH_DAY; /* a date plus a number is days */
    if (out->kind == LITERAL_TEXT && out->s && clock_read(out->s, strlen(out->s), &out->i, NULL))
        out->kind = LITERAL_TIME;
    if (out->kind == LITERAL_UNKNOWN)
        return 1;
    if (out->kind != LITERAL_TIME || !ns)
        return 0;
    out->i += *sign == '-' ? -ns : ns;
    return 1;
}

static const char *text_argument(json_t *node, size_t i) {
    return tree_text(tree_get(tree_node(tree_argument(node, i), "A_Const"), "sval"), "sval");
}

static int called(form *f, json_t *node, const char *name, literal *out) {
    if (strcmp(name, "now") == 0 || strcmp(name, "sysdate") == 0)
        return now_minus(f, out, 0, 0);
    if (strcmp(name, "today") == 0 || strcmp(name, "curdate") == 0)
        return now_minus(f, out, 0, PSH_DAY);
    if (strcmp(name, "yesterday") == 0)
        return now_minus(f, out, PSH_DAY, PSH_DAY);
    if (strncmp(name, "todate", 6) == 0 || strcmp(name, "date") == 0 || strcmp(name, "to_timestamp") == 0)
        return literal_read(f, tree_argument(node, 0), out);
    if (strcmp(name, "date_trunc") == 0 && literal_read(f, tree_argument(node, 1), out)
        && out->kind == LITERAL_TIME) {
        int64_t width = unit_ns(text_argument(node, 0));

        if (width <= 0 || width > PSH_DAY)
            return 0;
        out->i -= (out->i % width + width) % width;
        return 1;
    }
    return 0;
}

int literal_read(form *f, json_t *node, literal *out) {
    json_t *e;
    const char *name;

    memset(out, 0, sizeof *out);
    if ((e = tree_node(node, "A_Const")))
        return constant(e, out);
    if ((e = tree_node(node, "ParamRef")))
        return parameter_value(f, json_integer_value(tree_get(e, "number")), out);
    if ((e = tree_node(node, "SQLValueFunction")))
        return now_minus(f, out, 0, strcmp(tree_text(e, "op"), "SVFOP_CURRENT_DATE") == 0 ? PSH_DAY : 0);
    if ((e = tree_node(node, "TypeCast")))
        return interval_of(node) ? 0 : literal_read(f, tree_get(e, "arg"), out);
    if ((name = tree_call(node, SIZE_MAX)))
        return called(f, node, name, out);
    return (e = tree_node(node, "A_Expr")) && shifted(f, e, out);
}

typedef struct cut {
    const char *name;
    int64_t ns;
} cut;

static const cut cuts[] = {
    { "tostartofsecond", PSH_SECOND }, { "tostartofminute", PSH_MINUTE }, { "tostartoffiveminute", 5 * PSH_MINUTE },
    { "tostartoffiveminutes", 5 * PSH_MINUTE }, { "tostartoftenminutes", 10 * PSH_MINUTE },
    { "tostartoffifteenminutes", 15 * PSH_MINUTE }, { "tostartofhour", PSH_HOUR }, { "tostartofday", PSH_DAY },
    { "todate", PSH_DAY }, { "date", PSH_DAY }, { "tomonday", 7 * PSH_DAY }, { "tostartofmonth", 0 },
    { "tostartofyear", 0 },
    { "tostartofquarter", 0 },
};

static int cut_by_call(json_t *node, const char *name, json_t **column, int64_t *ns) {
    size_t i;

    if (strcmp(name, "date_trunc") == 0) {
        *ns = unit_ns(text_argument(node, 0));
        *ns = *ns > 7 * PSH_DAY ? 0 : *ns;
        *column = tree_node(tree_argument(node, 1), "ColumnRef");
        return *column != NULL;
    }
    if (strcmp(name, "time_bucket") == 0 || strcmp(name, "date_bin") == 0
        || strcmp(name, "tostartofinterval") == 0) {
        int first = strcmp(name, "tostartofinterval") != 0;

        *ns = interval_of(tree_argument(node, first ? 0 : 1));
        if (!*ns)
            *ns = interval_ns(text_argument(node, first ? 0 : 1));
        *column = tree_node(tree_argument(node, first ? 1 : 0), "ColumnRef");
        return *column != NULL;
    }
    for (i = 0; i < sizeof cuts / sizeof *cuts; i++)
        if (strcmp(name, cuts[i].name) == 0) {
            *ns = cuts[i].ns;
            *column = tree_node(tree_argument(node, 0), "ColumnRef");
            return *column != NULL;
        }
    return 0;
}

int bucket_read(json_t *node, json_t **column, int64_t *ns) {
    json_t *cast = tree_node(node, "TypeCast");
    const char *name = tree_call(node, SIZE_MAX);

    if (name)
        return cut_by_call(node, name, column, ns);
    if (!cast || strcmp(tree_last_name(tree_get(tree_get(cast, "typeName"), "names")), "date") != 0)
        return 0;
    *ns = PSH_DAY;
    *column = tree_node(tree_get(cast, "arg"), "ColumnRef");
    return *column != NULL;
}
