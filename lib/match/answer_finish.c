/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/buffer.h"
#include "match/answer.h"
#include "value/query.h"

static size_t output_width(const psh_answer *a) {
    return a->key_width + a->spec->aggregate_count;
}

static psh_status make_output(const psh_answer *a, size_t group, psh_value *out) {
    static const pshi_cell nothing;
    const pshi_cell *c;
    psh_status st = PSH_OK;
    size_t i;

    for (i = 0; i < a->key_width; i++)
        *out++ = a->keys[group * a->key_width + i];
    for (i = 0; st == PSH_OK && i < a->spec->aggregate_count; i++) {
        c = group < a->groups ? &a->cells[group * a->spec->aggregate_count + i] : &nothing;
        st = pshi_cell_value(a, &a->aggs[i], c, out++);
    }
    return st;
}

static psh_status make_outputs(psh_answer *a, size_t n) {
    size_t width = output_width(a);
    void *p = a->outputs;
    psh_status st = pshi_budget_reserve(&a->budget, &p, &a->output_cap, n * width, sizeof *a->outputs);
    size_t i;

    a->outputs = p;
    for (i = 0; st == PSH_OK && i < n; i++)
        st = make_output(a, i, a->outputs + i * width);
    return st;
}

static int32_t compare_rows(const psh_answer *a, const psh_value *rows, uint32_t x, uint32_t y) {
    size_t width = output_width(a);
    const psh_value *u = rows + x * width;
    const psh_value *v = rows + y * width;
    const psh_order *o = a->spec->order;
    int32_t order = 0;
    size_t i;

    for (i = 0; order == 0 && i < a->spec->order_count; i++) {
        order = psh_value_compare(&u[o[i].output], &v[o[i].output]);
        if (o[i].descending)
            order = order < 0 ? 1 : -(order > 0);
    }
    for (i = 0; order == 0 && i < width; i++)
        order = psh_value_compare(&u[i], &v[i]);
    return order;
}

static void merge_runs(
    const psh_answer *a, const psh_value *rows, const uint32_t *from, uint32_t *to, size_t mid, size_t n) {
    size_t i = 0;
    size_t j = mid;
    size_t k;

    for (k = 0; k < n; k++) {
        if (j >= n || (i < mid && compare_rows(a, rows, from[i], from[j]) <= 0))
            to[k] = from[i++];
        else
            to[k] = from[j++];
    }
}

/* Restores the heap of the first n of the order, the last row on top, below i. */
static void sift_down(psh_answer *a, const psh_value *rows, size_t n, size_t i) {
    uint32_t *heap = a->order;
    uint32_t moved = heap[i];
    size_t child;

    for (; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && compare_rows(a, rows, heap[child + 1], heap[child]) > 0)
            child++;
        if (compare_rows(a, rows, heap[child], moved) <= 0)
            break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
}

/* Of few asked for among many, only those that will be given are worth sorting. @return how many stay. */
static size_t keep_first(psh_answer *a, const psh_value *rows, size_t n) {
    size_t limit, i;

    if (!a->spec->limit || a->spec->limit >= n)
        return n;
    limit = (size_t)a->spec->limit;
    for (i = limit / 2; i-- > 0;)
        sift_down(a, rows, limit, i);
    for (i = limit; i < n; i++) {
        if (compare_rows(a, rows, a->order[i], a->order[0]) >= 0)
            continue;
        a->order[0] = a->order[i];
        sift_down(a, rows, limit, 0);
    }
    return limit;
}

/* Merge sort from below: its work has a bound, whatever the rows. */
static void sort_rows(psh_answer *a, const psh_value *rows, size_t n) {
    uint32_t *from = a->order, *to, *swap;
    size_t run, i, mid, len;

    if (n < 2)
        return;
    to = a->order + n;
    for (run = 1; run < n; run *= 2) {
        for (i = 0; i < n; i += 2 * run) {
            len = n - i < 2 * run ? n - i : 2 * run;
            mid = len < run ? len : run;
            merge_runs(a, rows, from + i, to + i, mid, len);
        }
        swap = from;
        from = to;
        to = swap;
    }
    if (from != a->order)
        memcpy(a->order, from, n * sizeof *from);
}

psh_status psh_answer_finish(psh_answer *a) {
    const psh_value *rows;
    void *p;
    psh_status st = PSH_OK;
    size_t n, i;

    if (!a)
        return PSH_E_INVALID;
    if (a->finished)
        return PSH_OK;
    n = a->aggregate && a->key_width == 0 ? 1 : a->groups;
    if (a->aggregate)
        st = make_outputs(a, n);
    if (st != PSH_OK)
        return st;
    p = a->order;
    st = pshi_budget_reserve(&a->budget, &p, &a->order_cap, 2 * n, sizeof *a->order);
    a->order = p;
    if (st != PSH_OK)
        return st;
    rows = a->aggregate ? a->outputs : a->keys;
    for (i = 0; i < n; i++)
        a->order[i] = (uint32_t)i;
    a->row_count = keep_first(a, rows, n);
    sort_rows(a, rows, a->row_count);
    a->rows = rows;
    a->finished = 1;
    return PSH_OK;
}

size_t psh_answer_row_count(const psh_answer *a) {
    return a ? a->row_count : 0;
}

const psh_value *psh_answer_row(const psh_answer *a, size_t i) {
    if (!a || i >= a->row_count)
        return NULL;
    return a->rows + a->order[i] * output_width(a);
}

psh_status psh_answer_save(const psh_answer *a, psh_buffer *out) {
    const psh_value *row;
    pshi_writer w;
    size_t i, k;

    if (!a || !out)
        return PSH_E_INVALID;
    if (!a->finished)
        return PSH_E_STATE;
    w = pshi_write(out);
    pshi_put_var(&w, output_width(a));
    pshi_put_var(&w, a->row_count);
    for (i = 0; i < a->row_count; i++) {
        row = psh_answer_row(a, i);
        for (k = 0; k < output_width(a); k++)
            pshi_put_value(&w, &row[k]);
    }
    return pshi_write_end(&w);
}

psh_status psh_answer_dump(const psh_answer *a, psh_buffer *out) {
    const psh_value *row;
    pshi_writer w;
    size_t i, k;

    if (!a || !out)
        return PSH_E_INVALID;
    if (!a->finished)
        return PSH_E_STATE;
    w = pshi_write(out);
    for (i = 0; i < a->row_count; i++) {
        row = psh_answer_row(a, i);
        for (k = 0; k < output_width(a); k++) {
            if (k)
                pshi_text(&w, "\t");
            pshi_text_value(&w, &row[k]);
        }
        pshi_text(&w, "\n");
    }
    return pshi_write_end(&w);
}
