/* fast_pool.c - MaxPool, AveragePool and GlobalAveragePool of f32 images.
 *
 *     y[oy] = max over ky, kx of x[oy * stride + ky - top] shifted by kx - left
 *
 * A line of the result is gathered tap by tap where it will lie: whole lines at once, no window is ever
 * looked at alone. What falls into the padding is left out beforehand.
 */
#include "exec/fast.h"
#include "exec/mathf.h"
#include "op/window.h"

#include <math.h>

/* How windows lie along one axis. */
typedef struct axis { int64_t in, out, kernel, stride, dilation, front; float *seen; } axis;

typedef struct pool {
    bool blocked;             /* a column is a block of channels */
    const float *x;
    float *y;
    int64_t planes;
    bool mean;
    axis h, w;                /* seen: elements that count in a mean, [out]; or NULL */
    int64_t image;            /* elements of a plane, of GlobalAveragePool */
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

typedef float vec8 __attribute__((vector_size(RG_BLOCK * 4), aligned(4), may_alias));
typedef int32_t mask8 __attribute__((vector_size(RG_BLOCK * 4), aligned(4), may_alias));

/* One pixel of eight channels. */
RG_INLINE void window8(const pool *p, const float *plane, int64_t oy, int64_t ox, float *y)
{
    const axis *h = &p->h, *w = &p->w;
    vec8 sum = {0};
    if (!p->mean) sum -= INFINITY;
    for (int64_t ky = 0; ky < h->kernel; ky++) {
        int64_t iy = oy * h->stride + ky * h->dilation - h->front;
        if (iy < 0 || iy >= h->in) continue;
        for (int64_t kx = 0; kx < w->kernel; kx++) {
            int64_t ix = ox * w->stride + kx * w->dilation - w->front;
            if (ix < 0 || ix >= w->in) continue;
            vec8 x = *(const vec8 *)(const void *)(plane + (iy * w->in + ix) * RG_BLOCK);
            if (p->mean) {
                sum += x;
                continue;
            }
            mask8 take = (mask8)(x > sum) | (mask8)(x != x);
            sum = (vec8)(((mask8)x & take) | ((mask8)sum & ~take));
        }
    }
    if (p->mean) sum /= h->seen[oy] * w->seen[ox];
    *(vec8 *)(void *)y = sum;
}

/* Planes of blocks from..to-1. */
RG_INLINE void windows_blocked(const pool *p, int64_t from, int64_t to)
{
    for (int64_t n = from; n < to; n++) {
        const float *plane = p->x + n * p->h.in * p->w.in * RG_BLOCK;
        float *y = p->y + n * p->h.out * p->w.out * RG_BLOCK;
        for (int64_t oy = 0; oy < p->h.out; oy++)
            for (int64_t ox = 0; ox < p->w.out; ox++, y += RG_BLOCK)
                window8(p, plane, oy, ox, y);
    }
}
RG_FOR_MACHINE(windows_blocked, pool)

/* Planes from..to-1. */
RG_INLINE void windows(const pool *p, int64_t from, int64_t to)
{
    const axis *h = &p->h, *w = &p->w;
    for (int64_t n = from * h->out; n < to * h->out; n++) {
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
RG_FOR_MACHINE(windows, pool)

RG_INLINE void whole(const pool *p, int64_t from, int64_t to)
{
    for (int64_t n = from; n < to; n++) p->y[n] = rg_sumf(p->x + n * p->image, p->image) / (float)p->image;
}
RG_FOR_MACHINE(whole, pool)

RG_INLINE void whole_blocked(const pool *p, int64_t from, int64_t to)
{
    for (int64_t n = from; n < to; n++) {
        const float *x = p->x + n * p->image * RG_BLOCK;
        vec8 sum = {0};
        for (int64_t i = 0; i < p->image; i++) sum += *(const vec8 *)(const void *)(x + i * RG_BLOCK);
        *(vec8 *)(void *)(p->y + n * RG_BLOCK) = sum / (float)p->image;
    }
}
RG_FOR_MACHINE(whole_blocked, pool)

static void run(void *state, rg_part part)
{
    const pool *p = state;
    int64_t from, to;
    rg_part_of(part, p->blocked ? p->planes / RG_BLOCK : p->planes, 1, &from, &to);
    if (p->image && p->blocked) whole_blocked_best(p, from, to);
    else if (p->blocked) windows_blocked_best(p, from, to);
    else if (p->image) whole_best(p, from, to);
    else windows_best(p, from, to);
}

/* ---- making ---- */

static axis axis_of(const rg_window *w, int i, int64_t in, int64_t out)
{
    axis a = {in, out, w->kernel[i], w->stride[i], w->dilation[i], w->pad_begin[i], NULL};
    if (w->auto_pad == RG_PAD_SAME) a.front = rg_window_front(w, (out - 1) * a.stride + w->reach[i] - in);
    if (w->auto_pad == RG_PAD_VALID) a.front = 0;
    return a;
}

/* Elements of each window that lie inside. */
static rg_err count_seen(const rg_fast_row *r, axis *a)
{
    a->seen = RG_NEW(r->arena, float, a->out);
    if (!a->seen) return rg_nomem(r->cx);
    for (int64_t k = 0, first, last; k < a->kernel; k++) {
        inside(a, k, &first, &last);
        for (int64_t o = first; o < last; o++) a->seen[o] += 1;
    }
    return RG_OK;
}

static rg_err fits(const rg_fast_row *r, rg_window *w, bool *taken)
{
    const rg_node *n = r->site.node;
    bool global = rg_node_is(n, "GlobalAveragePool"), mean = rg_node_is(n, "AveragePool");
    *taken = false;
    if (!global && !mean && !rg_node_is(n, "MaxPool")) return RG_OK;
    if (!rg_fast_is_f32(r, n->in[0]) || !n->out[0] || (n->out_count > 1 && n->out[1])) return RG_OK;
    if (mean && rg_op_int(&r->site, "count_include_pad")) return RG_OK;
    const rg_array *x = rg_fast_array(r, n->in[0]);
    if (x->rank < 3 || x->count == 0 || (!global && x->rank != 4)) return RG_OK;
    if (!global) RG_TRY(rg_window_read(&r->site, 2, NULL, w));
    *taken = global || (w->kernel[0] <= x->dim[2] && w->kernel[1] <= x->dim[3]); /* else mostly padding */
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
    bool global = rg_node_is(n, "GlobalAveragePool"), mean = rg_node_is(n, "AveragePool"), taken;
    rg_window w;
    *state = NULL;
    RG_TRY(fits(r, &w, &taken));
    if (!taken) return RG_OK;
    const rg_array *x = rg_fast_array(r, n->in[0]), *y = rg_fast_array(r, n->out[0]);
    pool *p = RG_NEW(r->arena, pool, 1);
    if (!p) return rg_nomem(r->cx);
    *p = (pool){.x = x->data, .y = y->data, .planes = x->dim[0] * x->dim[1], .mean = mean,
                .blocked = r->blocked && r->blocked[n->in[0]]};
    *state = p;
    if (global) {
        p->image = rg_array_size(x, 2, x->rank);
        return RG_OK;
    }
    p->h = axis_of(&w, 0, x->dim[2], y->dim[2]);
    p->w = axis_of(&w, 1, x->dim[3], y->dim[3]);
    if (mean) RG_TRY(count_seen(r, &p->h));
    if (mean) RG_TRY(count_seen(r, &p->w));
    return RG_OK;
}

RG_FAST(pool) = {
    .name = "pool", .brief = "greatest elements and means of windows", .layout = layout,
    .make = make, .run = run,
};
