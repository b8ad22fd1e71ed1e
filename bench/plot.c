/* SPDX-License-Identifier: MIT */
#include "plot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define WIDTH 460.0
#define HEIGHT 170.0
#define EDGE 6.0

struct plot {
    FILE *file;
    const char *path;
    char *rows;
    size_t size;
    FILE *table; /* writes to rows */
};

static void escape(FILE *to, const char *text) {
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", to);
        else if (*text == '&')
            fputs("&amp;", to);
        else
            fputc(*text, to);
    }
}

plot *plot_begin(const char *path, const char *title) {
    plot *p = bench_alloc(1, sizeof *p);

    p->path = path;
    p->file = fopen(path, "w");
    if (!p->file)
        bench_die(BENCH_NO_OUTPUT, "%s: %s: name a file that can be written", path, strerror(errno));
    p->table = open_memstream(&p->rows, &p->size);
    if (!p->table)
        bench_die(BENCH_INTERNAL, "no memory for the page");
    fputs("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
          "content=\"width=device-width\"><title>", p->file);
    escape(p->file, title);
    fputs("</title><style>body{font:15px/1.4 sans-serif;margin:1.5em;max-width:1000px;color:#222}"
          "figure{display:inline-block;margin:.4em}figcaption{font-size:13px}svg{background:#fafafa}"
          "td{padding:.1em 1em .1em 0}td+td{text-align:right}</style><h1>", p->file);
    escape(p->file, title);
    fputs("</h1>\n<p>Grey: what came. Blue: the forecast, with its interval.</p>\n", p->file);
    return p;
}

void plot_end(plot *p) {
    fclose(p->table);
    fprintf(p->file, "<table>%s</table></html>\n", p->rows);
    if (fclose(p->file))
        bench_die(BENCH_NO_OUTPUT, "%s: %s", p->path, strerror(errno));
    free(p->rows);
    free(p);
}

void plot_value(plot *p, const char *name, double value) {
    fputs("<tr><td>", p->table);
    escape(p->table, name);
    fprintf(p->table, "<td>%.4g</tr>", value);
}

/* From values to the page. */
typedef struct frame {
    double least, most; /* of the values */
    size_t steps;
} frame;

static double across(const frame *f, size_t i) {
    return EDGE + (WIDTH - 2 * EDGE) * (double)i / (double)(f->steps > 1 ? f->steps - 1 : 1);
}

static double down(const frame *f, double v) {
    double range = f->most > f->least ? f->most - f->least : 1;

    return EDGE + (HEIGHT - 2 * EDGE) * (f->most - v) / range;
}

static void stretch(frame *f, const double *v, size_t n) {
    size_t i;

    for (i = 0; i < n; i++) {
        f->least = v[i] < f->least ? v[i] : f->least;
        f->most = v[i] > f->most ? v[i] : f->most;
    }
}

static void begin_figure(plot *p, const char *title) {
    fputs("<figure><figcaption>", p->file);
    escape(p->file, title);
    fprintf(p->file, "</figcaption><svg width=\"%g\" height=\"%g\" role=\"img\">", WIDTH, HEIGHT);
}

static void line(plot *p, const frame *f, const double *v, size_t n, size_t from, const char *colour) {
    size_t i;

    fprintf(p->file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.3\" points=\"", colour);
    for (i = 0; i < n; i++)
        fprintf(p->file, "%.1f,%.1f ", across(f, from + i), down(f, v[i]));
    fputs("\"/>", p->file);
}

static void band(plot *p, const frame *f, const plot_band *b, size_t from) {
    size_t i;

    fputs("<polygon fill=\"#1f6feb\" fill-opacity=\".18\" points=\"", p->file);
    for (i = 0; i < b->h; i++)
        fprintf(p->file, "%.1f,%.1f ", across(f, from + i), down(f, b->high[i]));
    for (i = b->h; i-- > 0;)
        fprintf(p->file, "%.1f,%.1f ", across(f, from + i), down(f, b->low[i]));
    fputs("\"/>", p->file);
}

void plot_forecast(plot *p, const plot_band *b) {
    size_t kept = b->n < 4 * b->h ? b->n : 4 * b->h;
    const double *past = b->past + b->n - kept;
    frame f = { HUGE_VAL, -HUGE_VAL, kept + b->h };

    stretch(&f, past, kept);
    stretch(&f, b->came, b->h);
    stretch(&f, b->mean, b->h);
    stretch(&f, b->low, b->h);
    stretch(&f, b->high, b->h);
    begin_figure(p, b->title);
    band(p, &f, b, kept);
    line(p, &f, past, kept, 0, "#888");
    line(p, &f, b->came, b->h, kept, "#888");
    line(p, &f, b->mean, b->h, kept, "#1f6feb");
    fprintf(p->file, "</svg></figure>\n");
}

void plot_reliability(plot *p, const char *title, const double *x, const double *y, size_t n) {
    size_t i;

    begin_figure(p, title);
    fprintf(p->file, "<line x1=\"%g\" y1=\"%g\" x2=\"%g\" y2=\"%g\" stroke=\"#bbb\"/>", EDGE, HEIGHT - EDGE,
        WIDTH - EDGE, EDGE);
    for (i = 0; i < n; i++)
        fprintf(p->file, "<circle r=\"3\" fill=\"#1f6feb\" cx=\"%.1f\" cy=\"%.1f\"/>",
            EDGE + (WIDTH - 2 * EDGE) * x[i], HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * y[i]);
    fputs("</svg></figure>\n", p->file);
}
