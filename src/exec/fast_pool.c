/* fast_pool.c - MaxPool and AveragePool of f32 images.
 *
 *     y[oy] = max over ky, kx of x[oy * stride + ky - top] shifted by kx - left
 *
 * Blocked: a pixel is a vector of 8 channels. PIXELS of a line are gathered in registers, every input pixel
 * loaded once for a line of the kernel.
 *
 * Plain: a line of the result is gathered tap by tap where it will lie: whole lines at once, no window is
 * ever looked at alone. What falls into the padding is left out beforehand.
 */
#include "exec/fast.h"
#include "exec/f32x8.h"
#include "op/window.h"

#include <math.h>

enum { PIXELS = 7 };         /* networks' images are 7 * 2^i wide more often than not */

/* How windows lie along one axis. */
typedef struct axis { int64_t in, out, kernel, stride, dilation, front, behind; float *seen; } axis;

typedef struct pool {
    void (*run)(const struct pool *p, int64_t from, int64_t to); /* of lines of the result */
    const float *x;
    float *y;
    int64_t planes;           /* or their blocks */
    bool mean;
    axis h, w;                /* seen: elements that count in a mean, [out]; or NULL */
    int64_t inner_first, inner_last; /* columns whose windows lie inside */
} pool;

/* Windows first..last-1 have their tap k inside the image. */
RG_INLINE void inside(const axis *a, int64_t k, int64_t *first, int64_t *last)
{
    int64_t shift = k * a->dilation - a->front; /* at = window * stride + shift */
    *first = shift >= 0 ? 0 : (-shift + a->stride - 1) / a->stride;
    *last = a->in - shift <= 0 ? 0 : (a->in - shift - 1) / a->stride + 1;
    if (*last > a->out) *last = a->out;
}

/* NaN is the greatest. */
RG_INLINE float greater(float x, float y) { return rg_pickf((x > y) | (x != x), x, y); }

/* ---- blocks of channels ---- */

RG_INLINE rg_f32x8 joined(rg_f32x8 sum, rg_f32x8 x, bool mean)
{
    if (mean) return sum + x;
    return rg_pick8((x > sum) | (x != x), x, sum); /* NaN is the greatest */
}

/* PIXELS neighbors from column ox on of one line of the kernel. Kernel, stride, mean and edge are constants
 * where this is called. */
RG_INLINE void take_pixels(const pool *p, const float *line, int64_t ox, int kernel, int stride, bool mean,
                           bool edge, rg_f32x8 *sum)
{
    int64_t column = ox * stride - p->w.front;
    RG_UNROLLED
    for (int c = 0; c < (PIXELS - 1) * stride + kernel; c++) {
        if (edge && (uint64_t)(column + c) >= (uint64_t)p->w.in) continue;
        rg_f32x8 x = rg_load8(line + (column + c) * RG_BLOCK);
        RG_UNROLLED
        for (int k = 0; k < kernel; k++)
            if (c >= k && (c - k) % stride == 0 && (c - k) / stride < PIXELS)
                sum[(c - k) / stride] = joined(sum[(c - k) / stride], x, mean);
    }
}

RG_INLINE void take_pixels_any(const pool *p, const float *line, int64_t ox, bool mean, rg_f32x8 *sum)
{
    const axis *w = &p->w;
    for (int64_t k = 0; k < w->kernel; k++) {
        RG_UNROLLED
        for (int i = 0; i < PIXELS; i++) {
            int64_t column = (ox + i) * w->stride + k * w->dilation - w->front;
            if ((uint64_t)column < (uint64_t)w->in)
                sum[i] = joined(sum[i], rg_load8(line + column * RG_BLOCK), mean);
        }
    }
}

RG_INLINE void line_blocked(const pool *p, int64_t plane, int64_t oy, int kernel, int stride, bool mean)
{
    const axis *h = &p->h, *w = &p->w;
    const float *image = p->x + plane * h->in * w->in * RG_BLOCK;
    float *y = p->y + (plane * h->out + oy) * w->out * RG_BLOCK;
    for (int64_t ox = 0; ox < w->out; ox += PIXELS) {
        rg_f32x8 sum[PIXELS], none = {0};
        bool edge = ox < p->inner_first || ox + PIXELS > p->inner_last;
        if (!mean) none -= INFINITY;
        RG_UNROLLED
        for (int i = 0; i < PIXELS; i++) sum[i] = none;
        for (int64_t ky = 0; ky < h->kernel; ky++) {
            int64_t iy = oy * h->stride + ky * h->dilation - h->front;
            if ((uint64_t)iy >= (uint64_t)h->in) continue;
            const float *line = image + iy * w->in * RG_BLOCK;
            if (!kernel) take_pixels_any(p, line, ox, mean, sum);
            else if (edge) take_pixels(p, line, ox, kernel, stride, mean, true, sum);
            else take_pixels(p, line, ox, kernel, stride, mean, false, sum);
        }
        RG_UNROLLED
        for (int i = 0; i < PIXELS; i++) {
            if (ox + i >= w->out) break;
            if (mean) sum[i] /= h->seen[oy] * w->seen[ox + i];
            rg_store8(y + (ox + i) * RG_BLOCK, sum[i]);
        }
    }
}

/*    id  kernel and stride along a line (0: any)  mean */
#define SIZES(X)                                                                           \
    X(max, 0, 0, false) X(max_21, 2, 1, false) X(max_22, 2, 2, false) X(max_31, 3, 1, false) \
    X(max_32, 3, 2, false) X(max_51, 5, 1, false)                                          \
    X(mean, 0, 0, true) X(mean_21, 2, 1, true) X(mean_22, 2, 2, true) X(mean_31, 3, 1, true) \
    X(mean_32, 3, 2, true)

#define X(id, kernel, stride, mean)                                                             \
    RG_INLINE void lines_##id(const pool *p, int64_t from, int64_t to)                          \
    {                                                                                           \
        for (int64_t n = from; n < to; n++)                                                     \
            line_blocked(p, n / p->h.out, n % p->h.out, kernel, stride, mean);                  \
    }                                                                                           \
    RG_FOR_MACHINE(lines_##id, pool)
SIZES(X)
#undef X

typedef struct size_row {
    int64_t kernel, stride;
    bool mean;
    void (*run)(const pool *p, int64_t from, int64_t to);
} size_row;

static const size_row sizes[] = {
#define X(id, kernel, stride, mean) {kernel, stride, mean, lines_##id##_best},
    SIZES(X)
#undef X
};

/* ---- plain ---- */

/* The step is a constant where it is called from, so that neighbors are read together. */
RG_INLINE void take_tap(float *y, const float *x, int64_t count, int64_t step, bool mean)
{
    if (mean) {
        RG_INDEPENDENT
        for (int64_t j = 0; j < count; j++) y[j] += x[j * step];
    } else {
        RG_INDEPENDENT
        for (int64_t j = 0; j < count; j++) y[j] = greater(x[j * step], y[j]);
    }
}

RG_INLINE void take_line(const pool *p, float *y, const float *line)
{
    const axis *w = &p->w;
    for (int64_t k = 0, first, last; k < w->kernel; k++) {
        inside(w, k, &first, &last);
        if (first >= last) continue;
        const float *x = line + first * w->stride + k * w->dilation - w->front;
        if (w->stride == 1) take_tap(y + first, x, last - first, 1, p->mean);
        else if (w->stride == 2) take_tap(y + first, x, last - first, 2, p->mean);
        else take_tap(y + first, x, last - first, w->stride, p->mean);
    }
}

/* Lines of the result. */
RG_INLINE void lines_plain(const pool *p, int64_t from, int64_t to)
{
    const axis *h = &p->h, *w = &p->w;
    for (int64_t n = from; n < to; n++) {
        int64_t plane = n / h->out, oy = n % h->out;
        float *y = p->y + n * w->out;
        for (int64_t j = 0; j < w->out; j++) y[j] = p->mean ? 0 : -INFINITY;
        for (int64_t k = 0; k < h->kernel; k++) {
            int64_t iy = oy * h->stride + k * h->dilation - h->front;
            if (iy >= 0 && iy < h->in) take_line(p, y, p->x + (plane * h->in + iy) * w->in);
        }
        if (!p->mean) continue;
        RG_INDEPENDENT
        for (int64_t j = 0; j < w->out; j++) y[j] /= h->seen[oy] * w->seen[j];
    }
}
RG_FOR_MACHINE(lines_plain, pool)

static void run(void *state, rg_part part)
{
    const pool *p = state;
    int64_t from, to;
    rg_part_of(part, p->planes * p->h.out, 1, &from, &to);
    p->run(p, from, to);
}

/* ---- making ---- */

static axis axis_of(const rg_window *w, int i, int64_t in, int64_t out)
{
    axis a = {in, out, w->kernel[i], w->stride[i], w->dilation[i], w->pad_begin[i], w->pad_end[i], NULL};
    int64_t total = (out - 1) * a.stride + w->reach[i] - in;
    if (w->auto_pad == RG_PAD_SAME) {
        a.front = rg_window_front(w, total);
        a.behind = total > a.front ? total - a.front : 0;
    }
    if (w->auto_pad == RG_PAD_VALID) a.front = a.behind = 0;
    return a;
}

/* Elements of each window that count: inside, or inside of it and its padding. */
static rg_err count_seen(const rg_fast_row *r, bool padded, axis *a)
{
    int64_t low = padded ? -a->front : 0, high = padded ? a->in + a->behind : a->in;
    a->seen = RG_NEW(r->arena, float, a->out);
    if (!a->seen) return rg_nomem(r->cx);
    for (int64_t o = 0; o < a->out; o++)
        for (int64_t k = 0; k < a->kernel; k++) {
            int64_t at = o * a->stride + k * a->dilation - a->front;
            a->seen[o] += at >= low && at < high;
        }
    return RG_OK;
}

static void find_inner(pool *p)
{
    p->inner_last = p->w.out;
    for (int64_t k = 0, first, last; k < p->w.kernel; k++) {
        inside(&p->w, k, &first, &last);
        if (first > p->inner_first) p->inner_first = first;
        if (last < p->inner_last) p->inner_last = last;
    }
}

static void choose(pool *p)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_row *s = &sizes[i];
        bool same = p->w.dilation == 1 && s->kernel == p->w.kernel && s->stride == p->w.stride;
        if (s->mean == p->mean && (same || s->kernel == 0)) p->run = s->run;
    }
}

static rg_err fits(const rg_fast_row *r, rg_window *w, bool *taken)
{
    const rg_node *n = r->site.node;
    *taken = false;
    if (!rg_node_is(n, "AveragePool") && !rg_node_is(n, "MaxPool")) return RG_OK;
    if (!rg_fast_is_f32(r, n->in[0]) || !n->out[0] || (n->out_count > 1 && n->out[1])) return RG_OK;
    const rg_array *x = rg_fast_array(r, n->in[0]);
    if (x->rank != 4 || x->count == 0) return RG_OK;
    RG_TRY(rg_window_read(&r->site, 2, NULL, w));
    *taken = w->kernel[0] <= x->dim[2] && w->kernel[1] <= x->dim[3]; /* else mostly padding */
    return RG_OK;
}

static rg_layout_rule layout(const rg_fast_row *r)
{
    rg_window w;
    bool taken;
    if (fits(r, &w, &taken) || !taken) return RG_LAYOUT_PLAIN;
    return RG_LAYOUT_SAME;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    bool taken, mean = rg_node_is(n, "AveragePool"),
                padded = mean && rg_op_int(&r->site, "count_include_pad");
    rg_window w;
    *state = NULL;
    RG_TRY(fits(r, &w, &taken));
    if (!taken) return RG_OK;
    const rg_array *x = rg_fast_array(r, n->in[0]), *y = rg_fast_array(r, n->out[0]);
    pool *p = RG_NEW(r->arena, pool, 1);
    if (!p) return rg_nomem(r->cx);
    *p = (pool){.run = lines_plain_best,
                .x = x->data,
                .y = y->data,
                .planes = x->dim[0] * x->dim[1],
                .mean = mean,
                .h = axis_of(&w, 0, x->dim[2], y->dim[2]),
                .w = axis_of(&w, 1, x->dim[3], y->dim[3])};
    find_inner(p);
    if (r->blocked && r->blocked[n->in[0]]) {
        p->planes /= RG_BLOCK;
        choose(p);
    }
    if (mean) RG_TRY(count_seen(r, padded, &p->h));
    if (mean) RG_TRY(count_seen(r, padded, &p->w));
    *state = p;
    return RG_OK;
}

RG_FAST(pool) = {
    .name = "pool",
    .brief = "greatest elements and means of windows",
    .layout = layout,
    .make = make,
    .run = run,
};
