/* SPDX-License-Identifier: MIT */
#include "nab_plot.h"

#include <stdio.h>

#define WIDTH 1100.0
#define HEIGHT 120.0
#define COLUMNS 1100u

static double x_of(const nab_file *f, size_t row) {
    return WIDTH * (double)row / (double)f->series.n;
}

static void range_of(const nab_file *f, size_t from, size_t to, double *low, double *high) {
    size_t i;

    *low = *high = f->value[from];
    for (i = from; i < to; i++) {
        *low = f->value[i] < *low ? f->value[i] : *low;
        *high = f->value[i] > *high ? f->value[i] : *high;
    }
}

/* Least and most of each column: no spike is lost. */
static void draw_values(FILE *out, const nab_file *f) {
    double least, most, low, high, scale;
    size_t c, from, to, columns = f->series.n < COLUMNS ? f->series.n : COLUMNS;

    range_of(f, 0, f->series.n, &least, &most);
    scale = most > least ? (HEIGHT - 10) / (most - least) : 0;
    fputs("<path class=\"v\" d=\"M", out);
    for (c = 0; c < columns; c++) {
        from = c * f->series.n / columns;
        to = (c + 1) * f->series.n / columns;
        range_of(f, from, to > from ? to : from + 1, &low, &high);
        fprintf(out, "%.1f %.1f %.1f %.1f ", x_of(f, from), HEIGHT - 5 - scale * (low - least), x_of(f, from),
                HEIGHT - 5 - scale * (high - least));
    }
    fputs("\"/>\n", out);
}

static void draw(FILE *out, const nab_file *f, double threshold) {
    const nab_series *s = &f->series;
    size_t i, k;

    fprintf(out, "<h3>%s</h3>\n<svg viewBox=\"0 0 %.0f %.0f\">\n", f->name, WIDTH, HEIGHT);
    fprintf(out, "<rect class=\"p\" width=\"%.1f\" height=\"%.0f\"/>\n", x_of(f, s->probation), HEIGHT);
    for (k = 0; k < s->window_count; k++)
        fprintf(out, "<rect class=\"w\" x=\"%.1f\" width=\"%.1f\" height=\"%.0f\"/>\n",
                x_of(f, s->windows[k].first), x_of(f, s->windows[k].last + 1 - s->windows[k].first), HEIGHT);
    draw_values(out, f);
    for (i = s->probation; i < s->n; i++)
        if (s->score[i] >= threshold)
            fprintf(out, "<path class=\"%s\" d=\"M%.1f 0V%.0f\"/>\n", nab_row(s, i, &k) > 0 ? "t" : "f",
                    x_of(f, i), HEIGHT);
    fputs("</svg>\n", out);
}

int nab_plot(const char *path, const nab_set *s, double threshold) {
    FILE *out = fopen(path, "w");
    size_t i;
    int ok;

    if (!out) {
        perror(path);
        return 0;
    }
    fputs("<!doctype html><meta charset=\"utf-8\"><title>Anomalies</title><style>"
          "body{font:14px sans-serif;max-width:1140px;margin:1em auto}h3{font-weight:normal;margin:.8em 0 .1em}"
          "svg{width:100%}.v{fill:none;stroke:#246}"
          ".w{fill:#fb8;opacity:.6}.p{fill:#eee}.t{stroke:#080;stroke-width:2}"
          ".f{stroke:#c00;stroke-width:2}</style>\n"
          "<p>Grey: probation. Shaded: windows. Green: an alarm in a window. Red: a false alarm.</p>\n", out);
    for (i = 0; i < s->count; i++)
        draw(out, &s->files[i], threshold);
    ok = !ferror(out);
    ok = fclose(out) == 0 && ok;
    if (!ok)
        fprintf(stderr, "%s: cannot be written\n", path);
    return ok;
}
