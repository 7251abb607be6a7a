/* fast_resize.c - Resize of an image's height and width: the nearest element, or between the nearest two
 * along each axis.
 *
 *     y[oy][ox] = (1 - v) ((1 - u) x[low y][low x] + u x[low y][high x]) + v (... x[high y] ...)
 *
 * Which elements and how near they are is a table for each axis, made when the model is loaded. What is
 * rarer - cubic, stretched kernels, cropping - is left to the plain kernel.
 */
#include "exec/fast.h"
#include "exec/f32x8.h"

#include <math.h>
#include <string.h>

typedef struct axis { int64_t in, out; int32_t *low, *high; float *part; } axis; /* part: of `high` */

typedef struct resize {
    void (*run)(const struct resize *s, int64_t from, int64_t to); /* of lines of the result */
    const float *x;
    float *y;
    int64_t planes;
    axis h, w;
} resize;

/* A line is what the line before it is, where both have the same source. */
RG_INLINE bool repeats(const resize *s, int64_t n, int64_t from, int64_t wide)
{
    int64_t oy = n % s->h.out;
    float *y = s->y + n * s->w.out * wide;
    if (n == from || oy == 0 || s->h.low[oy] != s->h.low[oy - 1]) return false;
    memcpy(y, y - s->w.out * wide, (size_t)(s->w.out * wide) * sizeof *y);
    return true;
}

RG_INLINE const float *line_of(const resize *s, int64_t n, int32_t iy, int64_t wide)
{
    return s->x + (n / s->h.out * s->h.in + iy) * s->w.in * wide;
}

RG_INLINE void nearest_plain(const resize *s, int64_t from, int64_t to)
{
    for (int64_t n = from; n < to; n++) {
        const float *line = line_of(s, n, s->h.low[n % s->h.out], 1);
        float *y = s->y + n * s->w.out;
        if (repeats(s, n, from, 1)) continue;
        RG_INDEPENDENT
        for (int64_t i = 0; i < s->w.out; i++) y[i] = line[s->w.low[i]];
    }
}
RG_FOR_MACHINE(nearest_plain, resize)

RG_INLINE void nearest_blocked(const resize *s, int64_t from, int64_t to)
{
    for (int64_t n = from; n < to; n++) {
        const float *line = line_of(s, n, s->h.low[n % s->h.out], RG_BLOCK);
        float *y = s->y + n * s->w.out * RG_BLOCK;
        if (repeats(s, n, from, RG_BLOCK)) continue;
        for (int64_t i = 0; i < s->w.out; i++)
            rg_store8(y + i * RG_BLOCK, rg_load8(line + s->w.low[i] * RG_BLOCK));
    }
}
RG_FOR_MACHINE(nearest_blocked, resize)

RG_INLINE void linear_plain(const resize *s, int64_t from, int64_t to)
{
    const axis *w = &s->w;
    for (int64_t n = from; n < to; n++) {
        int64_t oy = n % s->h.out;
        const float *above = line_of(s, n, s->h.low[oy], 1), *below = line_of(s, n, s->h.high[oy], 1);
        float *y = s->y + n * w->out, v = s->h.part[oy];
        RG_INDEPENDENT
        for (int64_t i = 0; i < w->out; i++) {
            float u = w->part[i];
            float top = (1 - u) * above[w->low[i]] + u * above[w->high[i]];
            float bottom = (1 - u) * below[w->low[i]] + u * below[w->high[i]];
            y[i] = (1 - v) * top + v * bottom;
        }
    }
}
RG_FOR_MACHINE(linear_plain, resize)

RG_INLINE void linear_blocked(const resize *s, int64_t from, int64_t to)
{
    const axis *w = &s->w;
    for (int64_t n = from; n < to; n++) {
        int64_t oy = n % s->h.out;
        const float *above = line_of(s, n, s->h.low[oy], RG_BLOCK),
                    *below = line_of(s, n, s->h.high[oy], RG_BLOCK);
        float *y = s->y + n * w->out * RG_BLOCK, v = s->h.part[oy];
        for (int64_t i = 0; i < w->out; i++) {
            float u = w->part[i];
            int64_t low = w->low[i] * RG_BLOCK, high = w->high[i] * RG_BLOCK;
            rg_f32x8 top = (1 - u) * rg_load8(above + low) + u * rg_load8(above + high);
            rg_f32x8 bottom = (1 - u) * rg_load8(below + low) + u * rg_load8(below + high);
            rg_store8(y + i * RG_BLOCK, (1 - v) * top + v * bottom);
        }
    }
}
RG_FOR_MACHINE(linear_blocked, resize)

static void run(void *state, rg_part part)
{
    const resize *s = state;
    int64_t from, to;
    rg_part_of(part, s->planes * s->h.out, 1, &from, &to);
    s->run(s, from, to);
}

/* ---- making: the formulas of op/resize.c ---- */

typedef struct stretch { double in, out, scale; } stretch;

static double half_pixel(const stretch *a, double i) { return (i + 0.5) / a->scale - 0.5; }
static double asymmetric(const stretch *a, double i) { return i / a->scale; }
static double pytorch(const stretch *a, double i) { return a->scale * a->in == 1 ? -0.5 : half_pixel(a, i); }
static double corners(const stretch *a, double i)
{
    double exact = a->scale * a->in;
    return exact == 1 ? 0 : i * (a->in - 1) / (exact - 1);
}

typedef double place_fn(const stretch *a, double i);
static const struct { const char *name; place_fn *place; } places[] = {
    {"half_pixel", half_pixel}, {"asymmetric", asymmetric}, {"align_corners", corners},
    {"pytorch_half_pixel", pytorch},
};

/* Of a place t behind its left neighbor, 0 < t <= 1, whether the right one is the nearest. */
static bool behind_half(double t) { return t > 0.5; }
static bool from_half(double t) { return t >= 0.5; }
static bool at_right(double t) { return t >= 1; }
static bool always(double t) { return t > 0; }

typedef bool round_fn(double t);
static const struct { const char *name; round_fn *is_right;
} roundings[] = {
    {"round_prefer_floor", behind_half},
    {"round_prefer_ceil", from_half},
    {"floor", at_right},
    {"ceil", always},
};

typedef struct form {
    place_fn *place;
    round_fn *is_right;
    double scale[2];
} form; /* is_right NULL: linear */

enum { X, ROI, SCALES, SIZES };

static bool is_given(const rg_fast_row *r, uint32_t i)
{
    const rg_node *n = r->site.node;
    return i < n->in_count && n->in[i] && rg_fast_array(r, n->in[i])->count > 0;
}

/* Scales of height and width; false: they are no constants, or others than these two are not 1. */
static bool reads_scales(const rg_fast_row *r, double scale[2])
{
    const rg_node *n = r->site.node;
    const rg_array *x = rg_fast_array(r, n->in[X]), *y = rg_fast_array(r, n->out[0]);
    for (int k = 0; k < 2; k++) scale[k] = (double)y->dim[k + 2] / (double)x->dim[k + 2];
    if (!is_given(r, SCALES)) return rg_str_is(rg_op_str(&r->site, "keep_aspect_ratio_policy"), "stretch");
    if (!rg_fast_is_constant(r, n->in[SCALES])) return false;
    const rg_array *stated = rg_fast_array(r, n->in[SCALES]);
    uint32_t count;
    const int64_t *axes = rg_op_ints(&r->site, "axes", &count);
    for (int64_t i = 0; i < stated->count; i++) {
        int64_t k = axes ? axes[i] : i;
        k += k < 0 ? x->rank : 0;
        if (k >= 2) scale[k - 2] = rg_get(stated, i);
        else if (rg_get(stated, i) != 1) return false;
    }
    return true;
}

static bool fits(const rg_fast_row *r, form *f)
{
    const rg_node *n = r->site.node;
    if (!rg_node_is(n, "Resize") || !rg_fast_is_f32(r, n->in[X]) || !n->out[0]) return false;
    const rg_array *x = rg_fast_array(r, n->in[X]), *y = rg_fast_array(r, n->out[0]);
    bool linear = rg_str_is(rg_op_str(&r->site, "mode"), "linear");
    if (x->rank != 4 || x->count == 0 || y->count == 0) return false;
    if (x->dim[0] != y->dim[0] || x->dim[1] != y->dim[1] || x->dim[2] > INT32_MAX || x->dim[3] > INT32_MAX)
        return false;
    if (!linear && !rg_str_is(rg_op_str(&r->site, "mode"), "nearest")) return false;
    if (rg_op_int(&r->site, "antialias") || rg_op_int(&r->site, "exclude_outside")) return false;
    *f = (form){0};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (rg_str_is(rg_op_str(&r->site, "coordinate_transformation_mode"), places[i].name))
            f->place = places[i].place;
    for (size_t i = 0; !linear && i < sizeof roundings / sizeof *roundings; i++)
        if (rg_str_is(rg_op_str(&r->site, "nearest_mode"), roundings[i].name))
            f->is_right = roundings[i].is_right;
    return f->place && (linear || f->is_right) && reads_scales(r, f->scale);
}

static int32_t within(double at, int64_t size) { return (int32_t)fmin(fmax(at, 0), (double)(size - 1)); }

static rg_err fill_axis(const rg_fast_row *r, const form *f, int k, axis *a)
{
    stretch s = {(double)a->in, (double)a->out, f->scale[k]};
    a->low = RG_NEW(r->arena, int32_t, a->out);
    a->high = RG_NEW(r->arena, int32_t, a->out);
    a->part = RG_NEW(r->arena, float, a->out);
    if (!a->low || !a->high || !a->part) return rg_nomem(r->cx);
    for (int64_t i = 0; i < a->out; i++) {
        double place = f->place(&s, (double)i), low = ceil(place) - 1, t = place - low;
        a->low[i] = within(f->is_right && f->is_right(t) ? low + 1 : low, a->in);
        a->high[i] = within(low + 1, a->in);
        a->part[i] = (float)t;
    }
    return RG_OK;
}

static rg_layout_rule layout(const rg_fast_row *r)
{
    form f;
    if (!fits(r, &f)) return RG_LAYOUT_PLAIN;
    const rg_array *x = rg_fast_array(r, r->site.node->in[X]), *y = rg_fast_array(r, r->site.node->out[0]);
    return x->dim[2] * x->dim[3] > 1 && y->dim[2] * y->dim[3] > 1 ? RG_LAYOUT_SAME : RG_LAYOUT_PLAIN;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    form f;
    *state = NULL;
    if (!fits(r, &f)) return RG_OK;
    const rg_array *x = rg_fast_array(r, n->in[X]), *y = rg_fast_array(r, n->out[0]);
    resize *s = RG_NEW(r->arena, resize, 1);
    if (!s) return rg_nomem(r->cx);
    *s = (resize){.run = f.is_right ? nearest_plain_best : linear_plain_best, .x = x->data, .y = y->data,
                  .planes = x->dim[0] * x->dim[1], .h = {.in = x->dim[2], .out = y->dim[2]},
                  .w = {.in = x->dim[3], .out = y->dim[3]}};
    if (r->blocked && r->blocked[n->in[X]]) {
        s->run = f.is_right ? nearest_blocked_best : linear_blocked_best;
        s->planes /= RG_BLOCK;
    }
    RG_TRY(fill_axis(r, &f, 0, &s->h));
    RG_TRY(fill_axis(r, &f, 1, &s->w));
    *state = s;
    return RG_OK;
}

RG_FAST(resize) = {
    .name = "resize", .brief = "images in another size", .layout = layout, .make = make, .run = run,
};
