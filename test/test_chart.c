/* test_chart.c - charts: round ticks, places that follow from the axes by closed form, names that are
 * anybody's bytes, too few figures and too many, and no memory.
 */
#include "report/chart.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static rg_doc *new_doc(rg_ctx *cx)
{
    rg_doc *doc = NULL;
    assert_int_equal(rg_doc_new(cx, "ridge.test/1", &doc), RG_OK);
    return doc;
}

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

/* ---- ticks ---- */

static void ticks_are_round(void **state)
{
    static const struct { bool log; double low, high; int about, count; double ticks[8]; } cases[] = {
        {false, 0, 10, 5, 6, {0, 2, 4, 6, 8, 10}},
        {false, 0, 97, 5, 6, {0, 20, 40, 60, 80, 100}},
        {false, 3, 4, 5, 6, {3, 3.2, 3.4, 3.6, 3.8, 4}},          /* close together: not from 0 */
        {false, -1, 1, 4, 5, {-1, -0.5, 0, 0.5, 1}},
        {false, 7, 7, 2, 3, {0, 5, 10}},                          /* one figure: from 0 */
        {false, 0, 0, 2, 3, {0, 0.5, 1}},
        {true, 1, 1000, 4, 4, {1, 10, 100, 1000}},
        {true, 2, 60, 6, 6, {2, 5, 10, 20, 50, 100}},             /* two decades: 1, 2 and 5 times */
        {true, 1e-6, 1e6, 4, 5, {1e-6, 1e-3, 1, 1e3, 1e6}},       /* twelve: every third */
        {true, 3, 3, 6, 2, {2, 5}},
        {true, 1, 1, 6, 5, {0.2, 0.5, 1, 2, 5}},
    };
    (void)state;
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        rg_scale s = {0};
        rg_scale_fit(&s, &(rg_axis){.log = cases[i].log}, cases[i].low, cases[i].high, cases[i].about);
        if (s.tick_count != cases[i].count) fail_msg("case %zu: %d ticks", i, s.tick_count);
        for (int k = 0; k < s.tick_count; k++)
            if (fabs(s.ticks[k] - cases[i].ticks[k]) > 1e-9 * fabs(cases[i].ticks[k]) + 1e-15)
                fail_msg("case %zu: tick %d is %.17g", i, k, s.ticks[k]);
        assert_true(s.low <= cases[i].low && s.high >= cases[i].high && s.low < s.high);
    }
}

/* Whatever the ends: few ticks in ascending order, and both ends have a place. */
static void any_ends_have_ticks(void **state)
{
    uint64_t random = 7;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        rg_axis axis = {.log = i & 1, .unit = (rg_unit)(i % (RG_UNIT_USD + 1))};
        double a = pow(10, rg_random_unit(&random) * 590 - 295);
        double b = pow(10, rg_random_unit(&random) * 590 - 295);
        if (i % 3 == 0) b = a * (1 + rg_random_unit(&random));
        if (!axis.log && i & 2) a = -a;
        rg_scale s = {.from = 10, .to = 110};
        rg_scale_fit(&s, &axis, fmin(a, b), fmax(a, b), 2 + i % 9);
        assert_true(s.tick_count >= 1 && s.tick_count <= RG_TICK_MAX);
        for (int k = 1; k < s.tick_count; k++) assert_true(s.ticks[k] > s.ticks[k - 1]);
        double at = rg_scale_at(&s, a), bt = rg_scale_at(&s, b);
        bool inside = at >= 10 - 1e-6 && at <= 110 + 1e-6 && bt >= 10 - 1e-6 && bt <= 110 + 1e-6;
        if (!inside) fail_msg("%.17g and %.17g lie at %.17g and %.17g", a, b, at, bt);
    }
}

static void labels_share_a_prefix(void **state)
{
    static const struct { rg_axis axis; double high, tick; const char *label; } cases[] = {
        {{.unit = RG_UNIT_SECOND}, 2e-3, 5e-4, "0.5 ms"}, {{.unit = RG_UNIT_SECOND}, 2e-3, 2e-3, "2.0 ms"},
        {{.unit = RG_UNIT_SECOND}, 2e-3, 0, "0"},         {{.unit = RG_UNIT_BYTE}, 4e8, 1e8, "100 MB"},
        {{.unit = RG_UNIT_FRACTION}, 1, 0.2, "20 %"},     {{.unit = RG_UNIT_COUNT}, 60, 20, "20"},
        {{.unit = RG_UNIT_NONE}, 0.4, 0.1, "0.1"},        {{.unit = RG_UNIT_USD}, 20, 5, "$5"},
        {{.unit = RG_UNIT_SECOND, .log = true}, 1, 1e-3, "1 ms"},
        {{.unit = RG_UNIT_OP_PER_S, .log = true}, 1e12, 5e10, "50 Gop/s"},
        {{.unit = RG_UNIT_FLOP_PER_BYTE, .log = true}, 100, 10, "10"},
    };
    char label[64];
    (void)state;
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        rg_scale s = {0};
        rg_scale_fit(&s, &cases[i].axis, cases[i].axis.log ? 1e-4 : 0, cases[i].high, 4);
        assert_string_equal(rg_scale_label(&s, cases[i].tick, label, sizeof label), cases[i].label);
    }
}

/* ---- pictures ---- */

static const rg_axis x_axis = {"x", "x", RG_UNIT_NONE, false}, y_axis = {"y", "y", RG_UNIT_NONE, false};

static rg_item *add_point(rg_doc *doc, rg_item *array, double x, double y, const char *name)
{
    rg_item *item = rg_doc_object(doc, array, NULL);
    rg_doc_real(doc, item, "x", x);
    rg_doc_real(doc, item, "y", y);
    rg_doc_str(doc, item, "name", name);
    return item;
}

static rg_chart chart_of(rg_chart_kind kind, const rg_item *array)
{
    return (rg_chart){.kind = kind, .name = "chart", .title = "Chart", .array = array, .x = x_axis,
                      .y = &y_axis, .y_count = 1};
}

/* The marks, in the context's arena. */
static rg_drawing draw(rg_ctx *cx, const rg_chart *chart, double width)
{
    rg_drawing d = {0};
    assert_int_equal(rg_chart_draw(cx, &cx->arena, chart, width, true, &d), RG_OK);
    assert_true(d.height > 0 && d.width == width);
    assert_int_equal(strlen(d.svg.data), d.svg.size);
    assert_null(strstr(d.svg.data, "nan"));
    assert_null(strstr(d.svg.data, "inf'"));
    return d;
}

/* Attribute of the index-th element of that name. */
static double attribute(const char *svg, const char *element, int index, const char *name)
{
    char open[32], key[32];
    snprintf(open, sizeof open, "<%s ", element);
    snprintf(key, sizeof key, " %s='", name);
    for (const char *at = strstr(svg, open); at; at = strstr(at + 1, open)) {
        if (index--) continue;
        const char *value = strstr(at, key);
        assert_non_null(value);
        return strtod(value + strlen(key), NULL);
    }
    fail_msg("there is no %s", element);
    return NAN;
}

static int count_of(const char *svg, const char *what)
{
    int count = 0;
    for (const char *at = strstr(svg, what); at; at = strstr(at + 1, what)) count++;
    return count;
}

/* Axes from 0 to 10: the mark of (5, 5) is in the middle between those of (0, 0) and (10, 10). */
static void marks_lie_where_the_axes_say(void **state)
{
    static const double at[][2] = {{0, 0}, {5, 5}, {10, 10}, {2.5, 7.5}};
    rg_doc *doc = new_doc(*state);
    rg_item *array = rg_doc_array(doc, rg_doc_root(doc), "points");
    for (size_t i = 0; i < RG_COUNT(at); i++) add_point(doc, array, at[i][0], at[i][1], "p");
    rg_chart chart = chart_of(RG_CHART_SCATTER, array);
    rg_drawing d = draw(*state, &chart, RG_CHART_WIDE);
    double x0 = attribute(d.svg.data, "circle", 0, "cx"), x2 = attribute(d.svg.data, "circle", 2, "cx");
    double y0 = attribute(d.svg.data, "circle", 0, "cy"), y2 = attribute(d.svg.data, "circle", 2, "cy");
    assert_true(x0 > 0 && x0 < x2 && x2 <= RG_CHART_WIDE && y2 < y0 && y0 < d.height);
    for (int i = 0; i < (int)RG_COUNT(at); i++) {
        double x = attribute(d.svg.data, "circle", i, "cx"), y = attribute(d.svg.data, "circle", i, "cy");
        assert_true(fabs(x - (x0 + at[i][0] / 10 * (x2 - x0))) < 0.15); /* tenths are printed */
        assert_true(fabs(y - (y0 + at[i][1] / 10 * (y2 - y0))) < 0.15);
    }
    rg_doc_free(doc);
}

/* The line y = x goes through marks that are on it, on axes of different lengths; y = 1 is level. */
static void guides_go_where_they_say(void **state)
{
    static const double at[][2] = {{1, 1}, {100, 100}, {1, 10}, {10000, 50}};
    rg_doc *doc = new_doc(*state);
    rg_item *array = rg_doc_array(doc, rg_doc_root(doc), "points");
    for (size_t i = 0; i < RG_COUNT(at); i++) add_point(doc, array, at[i][0], at[i][1], "p");
    rg_chart chart = chart_of(RG_CHART_SCATTER, array);
    rg_axis y = {"y", "y", RG_UNIT_NONE, true};
    chart.x.log = true, chart.y = &y;
    for (int guide = RG_GUIDE_EVEN; guide <= RG_GUIDE_ONE; guide++) {
        double x0, y0, x1, y1;
        chart.guide = (rg_guide)guide;
        rg_drawing d = draw(*state, &chart, RG_CHART_WIDE);
        const char *path = strstr(d.svg.data, "<path class='j' d='");
        assert_non_null(path);
        assert_int_equal(sscanf(path, "<path class='j' d='M%lf %lfL%lf %lf", &x0, &y0, &x1, &y1), 4);
        for (int i = 0; i < (guide == RG_GUIDE_EVEN ? 2 : 1); i++) {
            double x = attribute(d.svg.data, "circle", i, "cx");
            double there = y0 + (y1 - y0) * (x - x0) / (x1 - x0);
            assert_true(fabs(attribute(d.svg.data, "circle", i, "cy") - there) < 0.3);
        }
        assert_true((y0 == y1) == (guide == RG_GUIDE_ONE));
    }
    rg_doc_free(doc);
}

/* On a logarithmic axis 10 is in the middle between 1 and 100; 0 and absent figures are told. */
static void zero_has_no_place_on_a_logarithmic_axis(void **state)
{
    rg_doc *doc = new_doc(*state);
    rg_item *array = rg_doc_array(doc, rg_doc_root(doc), "points");
    add_point(doc, array, 1, 1, "a");
    add_point(doc, array, 10, 10, "b");
    add_point(doc, array, 100, 100, "c");
    add_point(doc, array, 0, 10, "zero");
    add_point(doc, array, 10, -3, "below");
    add_point(doc, array, 10, NAN, "unknown");
    rg_chart chart = chart_of(RG_CHART_SCATTER, array);
    rg_axis y = {"y", "y", RG_UNIT_NONE, true};
    chart.x.log = true;
    chart.y = &y;
    rg_drawing d = draw(*state, &chart, RG_CHART_WIDE);
    assert_int_equal(count_of(d.svg.data, "<circle"), 3);
    double left = attribute(d.svg.data, "circle", 0, "cx"), right = attribute(d.svg.data, "circle", 2, "cx");
    assert_true(fabs(attribute(d.svg.data, "circle", 1, "cx") - (left + right) / 2) < 0.15);
    assert_non_null(strstr(d.svg.data, "1 of 6 not shown: unknown; 2 of 6 not shown: without a place"));
    rg_doc_free(doc);
}

/* Lengths of bars are as their figures; the parts of a stack follow each other. */
static void bars_are_as_long_as_their_figures(void **state)
{
    static const rg_axis parts[] = {{"x", "one", RG_UNIT_NONE, false}, {"y", "two", RG_UNIT_NONE, false}};
    rg_doc *doc = new_doc(*state);
    rg_item *array = rg_doc_array(doc, rg_doc_root(doc), "bars");
    add_point(doc, array, 1, 3, "a");
    add_point(doc, array, 2, 4, "b");
    rg_chart chart = chart_of(RG_CHART_BARS, array);
    chart.y = parts;
    chart.y_count = 2;
    rg_drawing d = draw(*state, &chart, RG_CHART_WIDE);
    const char *svg = strstr(d.svg.data, "</text>"); /* behind the first key of the legend */
    int rects = count_of(svg, "<rect ");
    assert_int_equal(rects, 2 + 2 * 3); /* a key with its pattern; two parts a bar, one with a pattern */
    double unit = attribute(svg, "rect", 2, "width");
    assert_true(unit > 10);
    assert_true(fabs(attribute(svg, "rect", 3, "width") - 3 * unit) < 0.5);
    assert_true(fabs(attribute(svg, "rect", 5, "width") - 2 * unit) < 0.5);
    assert_true(fabs(attribute(svg, "rect", 6, "width") - 4 * unit) < 0.5);
    assert_true(fabs(attribute(svg, "rect", 3, "x") - attribute(svg, "rect", 2, "x") - unit) < 0.15);
    rg_doc_free(doc);
}

/* At intensity I min(peak, I x bandwidth) is attainable: slope and level meet at peak / bandwidth. */
static void roofs_meet_at_the_ridge(void **state)
{
    rg_ctx *cx = *state;
    rg_doc *doc = new_doc(cx);
    rg_item *lines = rg_doc_array(doc, rg_doc_root(doc), "roofs");
    rg_item *memory = rg_doc_object(doc, lines, NULL), *unit = rg_doc_object(doc, lines, NULL);
    rg_doc_str(doc, memory, "name", "dram");
    rg_doc_real(doc, memory, "byte_per_s", 1e11);
    rg_doc_str(doc, unit, "name", "vector");
    rg_doc_real(doc, unit, "op_per_s", 1e12);
    rg_canvas c = {.arena = &cx->arena, .width = 500, .tips = true};
    rg_labels labels = {.room = {0, 0, 500, 500}};
    rg_scale x = {0}, y = {0};
    rg_text_init(&c.svg, &cx->arena);
    rg_scale_fit(&x, &(rg_axis){.log = true}, 0.1, 1000, 6);
    rg_scale_fit(&y, &(rg_axis){.log = true}, 1e9, 1e13, 6);
    x.to = 400, y.from = 400; /* four decades each: 100 pixels a decade; y = 0 on top */
    rg_roofs_draw(&c, lines, &x, &y, &labels);
    assert_non_null(strstr(c.svg.data, "d='M0 300L200 100'")); /* 1e10 at 0.1, up to 1e12 at 10 */
    assert_non_null(strstr(c.svg.data, "d='M200 100L400 100'"));
    assert_non_null(strstr(c.svg.data, "dram 100 GB/s"));
    assert_non_null(strstr(c.svg.data, "vector 1.00 Top/s"));
    rg_doc_free(doc);
}

/* Two steps, of 100 and 500, on a base of 500: along the tops to the right, back along the base. */
static void steps_stand_on_their_base(void **state)
{
    static const rg_axis bytes = {"", "alive", RG_UNIT_BYTE, false};
    static const rg_axis under = {"w", "weights", RG_UNIT_BYTE, false};
    rg_ctx *cx = *state;
    rg_doc *doc = new_doc(cx);
    rg_item *base = rg_doc_object(doc, rg_doc_root(doc), "memory");
    rg_item *array = rg_doc_array(doc, base, "timeline");
    rg_doc_real(doc, base, "w", 500);
    rg_doc_real(doc, array, NULL, 100);
    rg_doc_real(doc, array, NULL, 500);
    rg_chart chart = chart_of(RG_CHART_STEPS, array);
    chart.x = (rg_axis){NULL, "row", RG_UNIT_COUNT, false};
    chart.y = &bytes;
    chart.base = base;
    chart.under = &under;
    chart.under_count = 1;
    const char *svg = draw(cx, &chart, RG_CHART_WIDE).svg.data, *path = strstr(svg, "<path class='f0' d='");
    double x[8], y[8];
    assert_non_null(path);
    for (int i = 0; i < 8; i++) {
        char *end;
        path = strpbrk(path, "ML") + 1;
        x[i] = strtod(path, &end);
        y[i] = strtod(end, &end);
        path = end;
    }
    double unit = (y[0] - y[2]) / 400; /* pixels a byte: from 600 up to 1000 */
    assert_true(unit > 0 && fabs((x[1] - x[0]) - (x[3] - x[2])) < 0.15);
    assert_true(fabs(y[7] - y[0] - 100 * unit) < 0.2 && fabs(y[4] - y[2] - 500 * unit) < 0.2);
    assert_true(x[7] == x[0] && x[4] == x[3]);
    assert_non_null(strstr(svg, "highest 1.00 kB"));
    rg_doc_free(doc);
}

static void spans_begin_and_end(void **state)
{
    static const rg_axis extent = {"y", "takes", RG_UNIT_SECOND, false};
    rg_doc *doc = new_doc(*state);
    rg_item *array = rg_doc_array(doc, rg_doc_root(doc), "rows");
    add_point(doc, array, 0, 4, "a");
    add_point(doc, array, 4, 1, "b");
    add_point(doc, array, 5, 5, "a");
    rg_chart chart = chart_of(RG_CHART_SPANS, array);
    chart.y = &extent;
    chart.group = "name";
    rg_drawing d = draw(*state, &chart, RG_CHART_WIDE);
    assert_int_equal(count_of(d.svg.data, "<rect "), 3);
    /* a lane draws its first span when the second comes: a, then the last of each lane */
    double unit = attribute(d.svg.data, "rect", 0, "width") / 4;
    assert_true(unit > 10 && fabs(attribute(d.svg.data, "rect", 1, "width") - 5 * unit) < 0.2);
    assert_true(fabs(attribute(d.svg.data, "rect", 2, "width") - unit) < 0.2);
    assert_true(attribute(d.svg.data, "rect", 2, "y") > attribute(d.svg.data, "rect", 0, "y"));
    assert_non_null(strstr(d.svg.data, ">9.00 s</text>")); /* 4 + 5 in the lane of a */
    rg_doc_free(doc);
}

/* Seven shades: the least figure takes the first, the greatest the last; no figure has its own sign. */
static void heat_shades_by_share(void **state)
{
    rg_doc *doc = new_doc(*state);
    rg_item *array = rg_doc_array(doc, rg_doc_root(doc), "cells");
    for (int i = 0; i < 4; i++) add_point(doc, array, i % 2, i == 3 ? NAN : i * 100, i / 2 ? "down" : "up");
    rg_chart chart = chart_of(RG_CHART_HEAT, array);
    chart.label = "name";
    rg_drawing d = draw(*state, &chart, RG_CHART_WIDE);
    const char *cells = strstr(d.svg.data, ">down</text>");
    assert_non_null(cells);
    assert_int_equal(count_of(cells, "<rect "), 4);
    assert_int_equal(count_of(cells, "class='h0'"), 1);
    assert_int_equal(count_of(cells, "class='h3'"), 1); /* 100 of 0 to 200: the middle one */
    assert_int_equal(count_of(cells, "class='h6'"), 1);
    assert_int_equal(count_of(cells, "class='hx'"), 1);
    rg_doc_free(doc);
}

/* ---- odd input ---- */

static void names_are_escaped(void **state)
{
    static const char name[] = "<b a='1' c=\"2\">&\x01\xff\xef\xbf\xbe";
    rg_doc *doc = new_doc(*state);
    rg_item *array = rg_doc_array(doc, rg_doc_root(doc), "points");
    for (int kind = 0; kind < RG_CHART_KIND_COUNT; kind++) {
        add_point(doc, array, kind + 1, kind + 1, name);
        rg_chart chart = chart_of((rg_chart_kind)kind, array);
        chart.label = chart.group = "name";
        if (kind == RG_CHART_HEAT) chart.x.path = "name";
        rg_drawing d = draw(*state, &chart, RG_CHART_WIDE);
        assert_null(strstr(d.svg.data, "<b "));
        assert_null(strchr(d.svg.data, '\x01'));
        assert_null(strchr(d.svg.data, '\xff'));
        assert_null(strstr(d.svg.data, "\xef\xbf\xbe"));
        assert_non_null(strstr(d.svg.data, "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;"));
    }
    rg_doc_free(doc);
}

/* No object, one, and objects without a figure: every kind has a picture, and it is small. */
static void little_is_drawn_too(void **state)
{
    rg_doc *doc = new_doc(*state);
    rg_item *root = rg_doc_root(doc), *none = rg_doc_array(doc, root, "none");
    rg_item *one = rg_doc_array(doc, root, "one"), *unknown = rg_doc_array(doc, root, "unknown");
    add_point(doc, one, 3, 7, "only");
    for (int i = 0; i < 3; i++) add_point(doc, unknown, NAN, NAN, "nobody knows");
    const rg_item *arrays[] = {none, one, unknown};
    for (int kind = 0; kind < RG_CHART_KIND_COUNT; kind++)
        for (size_t a = 0; a < RG_COUNT(arrays); a++)
            for (int narrow = 0; narrow < 2; narrow++) {
                rg_chart chart = chart_of((rg_chart_kind)kind, arrays[a]);
                chart.label = "name";
                rg_drawing d = draw(*state, &chart, narrow ? RG_CHART_NARROW : RG_CHART_WIDE);
                assert_true(d.svg.size < 8000);
                if (a == 0) assert_non_null(strstr(d.svg.data, "Nothing to draw"));
            }
    rg_doc_free(doc);
}

static void extreme_figures_stay_in_the_picture(void **state)
{
    static const double figures[] = {1e308, -1e308, 5e-324, 1e300, -1e300, 1e-300, 0, 1};
    rg_doc *doc = new_doc(*state);
    rg_item *array = rg_doc_array(doc, rg_doc_root(doc), "points");
    for (size_t i = 0; i < RG_COUNT(figures); i++)
        for (size_t k = 0; k < RG_COUNT(figures); k++) add_point(doc, array, figures[i], figures[k], "p");
    for (int kind = 0; kind < RG_CHART_KIND_COUNT; kind++)
        for (int log_scale = 0; log_scale < 2; log_scale++) {
            rg_axis y = {"y", "y", RG_UNIT_SECOND, log_scale};
            rg_chart chart = chart_of((rg_chart_kind)kind, array);
            chart.x.log = log_scale;
            chart.y = &y;
            draw(*state, &chart, RG_CHART_WIDE); /* looks for nan and inf */
        }
    rg_doc_free(doc);
}

/* Ten thousand objects: a picture of bounded size that says what it put together, and loses no peak. */
static void many_are_put_together(void **state)
{
    enum { MANY = 10000 };
    rg_doc *doc = new_doc(*state);
    rg_item *array = rg_doc_array(doc, rg_doc_root(doc), "points");
    uint64_t random = 1;
    for (int i = 0; i < MANY; i++)
        add_point(doc, array, i, i == 7777 ? 1000 : rg_random_unit(&random), i % 2 ? "odd" : "even");
    for (int kind = 0; kind < RG_CHART_KIND_COUNT; kind++) {
        rg_chart chart = chart_of((rg_chart_kind)kind, array);
        if (kind == RG_CHART_SPANS) chart.group = "name";
        rg_drawing d = draw(*state, &chart, RG_CHART_WIDE);
        if (d.svg.size > 250000) fail_msg("kind %d takes %zu bytes", kind, d.svg.size);
        assert_non_null(strstr(d.svg.data, "<text class='d' x='0'")); /* the note */
        if (kind == RG_CHART_STEPS) assert_non_null(strstr(d.svg.data, "highest 1000"));
    }
    rg_chart line = chart_of(RG_CHART_LINE, array);
    const char *path = strstr(draw(*state, &line, RG_CHART_WIDE).svg.data, "<path class='s0'");
    double top = INFINITY;
    for (const char *at = path; *at && *at != '>'; at++)
        if (*at == 'L') top = fmin(top, strtod(strchr(at, ' '), NULL));
    assert_true(top < 40); /* the one peak reaches the plot's upper end */
    rg_doc_free(doc);
}

/* ---- files and parts ---- */

static char *part_of(rg_ctx *cx, const rg_doc *doc, const char *format, const char *part, rg_err expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(rg_doc_write_part(cx, doc, format, part, out), expected);
    fclose(out);
    return text;
}

static void parts_are_chosen_by_name(void **state)
{
    static const rg_column columns[] = {{"x", "x", RG_UNIT_NONE, false}};
    rg_ctx *cx = *state;
    rg_doc *doc = new_doc(cx);
    rg_item *array = rg_doc_array(doc, rg_doc_root(doc), "points");
    add_point(doc, array, 1, 2, "p");
    rg_chart chart = chart_of(RG_CHART_SCATTER, array);
    free(part_of(cx, doc, "svg", NULL, RG_USAGE));
    assert_string_equal(rg_ctx_error(cx), "this document has no chart to write as svg");
    rg_doc_chart(doc, &chart);
    char *svg = part_of(cx, doc, "svg", NULL, RG_OK);
    assert_true(strncmp(svg, "<svg xmlns='http://www.w3.org/2000/svg'", 38) == 0);
    assert_null(strstr(svg, "var(")); /* literal colors */
    free(svg);
    rg_doc_chart(doc, &chart);
    free(part_of(cx, doc, "svg", NULL, RG_USAGE));
    assert_string_equal(rg_ctx_error(cx), "svg holds one chart, name the part: chart, chart-2");
    free(part_of(cx, doc, "svg", "chart-2", RG_OK));
    free(part_of(cx, doc, "svg", "chart-3", RG_USAGE));
    assert_string_equal(rg_ctx_error(cx), "no chart 'chart-3'; there are chart, chart-2");
    rg_doc_table(doc, "points", array, columns, 1, 0);
    char *csv = part_of(cx, doc, "csv", "points", RG_OK);
    assert_string_equal(csv, "x\r\n1\r\n");
    free(csv);
    free(part_of(cx, doc, "json", "points", RG_USAGE));
    assert_string_equal(rg_ctx_error(cx), "format json has no parts; csv, pdf, png, svg have");
    rg_doc_free(doc);
}

/* What refuses the n-th allocation. */
typedef struct meter { long given, returned, refuse_at; } meter;

static void *metered_alloc(void *user, size_t size)
{
    meter *m = user;
    if (m->given + 1 >= m->refuse_at) return NULL;
    void *block = malloc(size);
    if (block) m->given++;
    return block;
}

static void metered_free(void *user, void *block)
{
    meter *m = user;
    m->returned += block != NULL;
    free(block);
}

/* Every kind as a page and as a file. */
static rg_err draw_all(rg_ctx *cx)
{
    rg_doc *doc;
    RG_TRY(rg_doc_new(cx, "ridge.test/1", &doc));
    rg_item *array = rg_doc_array(doc, rg_doc_root(doc), "points");
    for (int i = 0; i < 120; i++) {
        rg_item *item = rg_doc_object(doc, array, NULL);
        rg_doc_real(doc, item, "x", i);
        rg_doc_real(doc, item, "y", i % 17);
        rg_doc_text(doc, item, "name", "name %d", i % 40);
        rg_doc_flag(doc, item, "best", i % 50 == 0);
    }
    for (int kind = 0; kind < RG_CHART_KIND_COUNT; kind++) {
        rg_chart chart = chart_of((rg_chart_kind)kind, array);
        chart.label = chart.group = "name";
        chart.mark = "best";
        rg_doc_chart(doc, &chart);
    }
    FILE *out = fopen("/dev/null", "w");
    assert_non_null(out);
    rg_err err = rg_doc_done(cx, doc);
    if (!err) err = rg_doc_write(cx, doc, "html", out);
    if (!err) err = rg_doc_write_part(cx, doc, "svg", "chart-3", out);
    fclose(out);
    rg_doc_free(doc);
    return err;
}

static rg_err draw_with(long refuse_at, size_t limit_byte)
{
    meter m = {.refuse_at = refuse_at};
    rg_ctx_opt opt = {.size = sizeof opt, .memory_limit_byte = limit_byte, .alloc = metered_alloc,
                      .free = metered_free, .user = &m};
    rg_ctx *cx = rg_ctx_new(&opt);
    rg_err err = cx ? draw_all(cx) : RG_NOMEM;
    rg_ctx_free(cx);
    assert_int_equal(m.given, m.returned);
    return err;
}

static void no_memory_is_told(void **state)
{
    long n = 1;
    (void)state;
    while (draw_with(n, 0) == RG_NOMEM && n < 10000) n++;
    assert_true(n > 10 && draw_with(n, 0) == RG_OK);
    size_t limit = 10007; /* prime: the limits fall on every alignment */
    while (draw_with(LONG_MAX, limit) == RG_NOMEM && limit < 1 << 24) limit += 10007;
    assert_true(limit > 20000 && draw_with(LONG_MAX, limit) == RG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_round),
        cmocka_unit_test(any_ends_have_ticks),
        cmocka_unit_test(labels_share_a_prefix),
        cmocka_unit_test_setup_teardown(marks_lie_where_the_axes_say, setup, teardown),
        cmocka_unit_test_setup_teardown(guides_go_where_they_say, setup, teardown),
        cmocka_unit_test_setup_teardown(zero_has_no_place_on_a_logarithmic_axis, setup, teardown),
        cmocka_unit_test_setup_teardown(bars_are_as_long_as_their_figures, setup, teardown),
        cmocka_unit_test_setup_teardown(roofs_meet_at_the_ridge, setup, teardown),
        cmocka_unit_test_setup_teardown(steps_stand_on_their_base, setup, teardown),
        cmocka_unit_test_setup_teardown(spans_begin_and_end, setup, teardown),
        cmocka_unit_test_setup_teardown(heat_shades_by_share, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(little_is_drawn_too, setup, teardown),
        cmocka_unit_test_setup_teardown(extreme_figures_stay_in_the_picture, setup, teardown),
        cmocka_unit_test_setup_teardown(many_are_put_together, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_are_chosen_by_name, setup, teardown),
        cmocka_unit_test(no_memory_is_told),
    };
    return cmocka_run_group_tests_name("chart", tests, NULL, NULL);
}
