/* fast_depthwise.c - a 2-D convolution whose groups have one channel each: no product to speak of, a sum of
 * shifted lines.
 *
 *     y[oy] = act(bias + sum over taps  w[ky][kx] * x[oy * stride + ky - top] shifted by kx - left)
 *
 * A line of the result is summed in a buffer that stays in the nearest cache. Where all taps of a line of the
 * kernel fall inside the image they are summed at once: each sum is loaded and stored once for them all.
 */
#include "exec/fast.h"
#include "exec/mathf.h"


typedef struct depthwise {
    int64_t planes, channels, in_h, in_w, out_h, out_w;
    int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left;
    const float *x;
    float *y, *weights, *bias, *line;
    int64_t *first, *last;           /* by kx: output columns whose tap falls inside the line */
    int64_t inner_first, inner_last; /* those where every tap does */
    rg_epilogue epilogue;
} depthwise;

/* Taps and stride are constants where this is called, so that loops over them go away. */
RG_INLINE void sum_line(float *restrict to, const float *restrict from, const float *restrict w,
                        int64_t count, int taps, int64_t stride)
{
    for (int64_t j = 0; j < count; j++) {
        float sum = to[j];
        for (int k = 0; k < taps; k++) sum += w[k] * from[j * stride + k];
        to[j] = sum;
    }
}

/* The kernel sizes and strides that networks use; false: none of them. */
RG_INLINE bool sum_inner(const depthwise *d, const float *line, const float *w)
{
    int64_t count = d->inner_last - d->inner_first;
    float *to = d->line + d->inner_first;
    const float *from = line + d->inner_first * d->stride_w - d->left;
    if (d->dilation_w != 1) return false;
    switch (d->kernel_w * 10 + d->stride_w) {
    case 31: sum_line(to, from, w, count, 3, 1); return true;
    case 32: sum_line(to, from, w, count, 3, 2); return true;
    case 51: sum_line(to, from, w, count, 5, 1); return true;
    case 52: sum_line(to, from, w, count, 5, 2); return true;
    case 71: sum_line(to, from, w, count, 7, 1); return true;
    default: return false;
    }
}

RG_INLINE void sum_tap(const depthwise *d, const float *line, float weight, int64_t kx, int64_t first,
                       int64_t last)
{
    const float *restrict from = line + kx * d->dilation_w - d->left;
    float *restrict to = d->line;
    for (int64_t j = first; j < last; j++) to[j] += weight * from[j * d->stride_w];
}

/* One line of the kernel on one line of the image. */
RG_INLINE void add_line(const depthwise *d, const float *line, const float *w)
{
    bool at_once = d->inner_last > d->inner_first && sum_inner(d, line, w);
    for (int64_t kx = 0; kx < d->kernel_w; kx++) {
        int64_t first = d->first[kx], last = d->last[kx];
        if (!at_once) {
            sum_tap(d, line, w[kx], kx, first, last);
            continue;
        }
        sum_tap(d, line, w[kx], kx, first, last < d->inner_first ? last : d->inner_first);
        sum_tap(d, line, w[kx], kx, first > d->inner_last ? first : d->inner_last, last);
    }
}

RG_INLINE void write_line(const depthwise *d, int64_t at)
{
    const rg_epilogue *e = &d->epilogue;
    float *y = d->y + at;
    for (int64_t j = 0; j < d->out_w; j++) {
        float x = d->line[j] + (e->add ? e->add[at + j] : 0);
        if (e->act == RG_ACT_RELU) x = x > 0 ? x : 0;
        if (e->act == RG_ACT_CLIP) x = x < e->low ? e->low : x > e->high ? e->high : x;
        y[j] = x;
    }
    if (e->act > RG_ACT_CLIP) rg_act_run(e, y, y, d->out_w);
}

RG_INLINE void planes(const depthwise *d, int64_t from, int64_t to)
{
    for (int64_t plane = from; plane < to; plane++) {
        int64_t channel = plane % d->channels;
        const float *image = d->x + plane * d->in_h * d->in_w;
        const float *w = d->weights + channel * d->kernel_h * d->kernel_w;
        for (int64_t oy = 0; oy < d->out_h; oy++) {
            for (int64_t j = 0; j < d->out_w; j++) d->line[j] = d->bias[channel];
            for (int64_t ky = 0; ky < d->kernel_h; ky++) {
                int64_t iy = oy * d->stride_h - d->top + ky * d->dilation_h;
                if (iy >= 0 && iy < d->in_h) add_line(d, image + iy * d->in_w, w + ky * d->kernel_w);
            }
            write_line(d, (plane * d->out_h + oy) * d->out_w);
        }
    }
}

RG_FOR_MACHINE(planes, depthwise)

static void run(void *state, rg_part part)
{
    const depthwise *d = state;
    if (part.worker) return;
    planes_best(d, 0, d->planes);
}

/* ---- making ---- */

static bool fits(const rg_fast_row *r, rg_window2 *window)
{
    const rg_node *n = r->site.node;
    if (!rg_node_is(n, "Conv") || !rg_window2_read(r, window)) return false;
    const rg_array *x = rg_fast_array(r, n->in[0]), *w = rg_fast_array(r, n->in[1]);
    return w->dim[1] == 1 && rg_op_int(&r->site, "group") == x->dim[1] && w->dim[0] == x->dim[1];
}

static rg_err fold(const rg_fast_row *r, depthwise *d)
{
    const rg_node *n = r->site.node;
    const float *weights = rg_fast_array(r, n->in[1])->data;
    const float *bias = n->in_count > 2 && n->in[2] ? rg_fast_array(r, n->in[2])->data : NULL;
    int64_t taps = d->kernel_h * d->kernel_w;
    d->weights = RG_NEW(r->arena, float, d->channels * taps);
    d->bias = RG_NEW(r->arena, float, d->channels);
    d->line = RG_NEW(r->arena, float, d->out_w);
    if (!d->weights || !d->bias || !d->line) return rg_nomem(r->cx);
    for (int64_t c = 0; c < d->channels; c++) {
        float scale = r->chain.scale ? r->chain.scale[c] : 1;
        for (int64_t i = 0; i < taps; i++) d->weights[c * taps + i] = scale * weights[c * taps + i];
        d->bias[c] = scale * (bias ? bias[c] : 0) + (r->chain.shift ? r->chain.shift[c] : 0);
    }
    return RG_OK;
}

/* Output column ox sees input column ox * stride + shift through tap kx. */
static rg_err find_columns(const rg_fast_row *r, depthwise *d)
{
    d->first = RG_NEW(r->arena, int64_t, d->kernel_w);
    d->last = RG_NEW(r->arena, int64_t, d->kernel_w);
    if (!d->first || !d->last) return rg_nomem(r->cx);
    d->inner_last = d->out_w;
    for (int64_t kx = 0; kx < d->kernel_w; kx++) {
        int64_t shift = kx * d->dilation_w - d->left;
        int64_t first = shift >= 0 ? 0 : (-shift + d->stride_w - 1) / d->stride_w;
        int64_t last = d->in_w - shift <= 0 ? 0 : (d->in_w - shift - 1) / d->stride_w + 1;
        if (last > d->out_w) last = d->out_w;
        d->first[kx] = first;
        d->last[kx] = last;
        if (first > d->inner_first) d->inner_first = first;
        if (last < d->inner_last) d->inner_last = last;
    }
    return RG_OK;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    rg_window2 w;
    *state = NULL;
    if (!fits(r, &w)) return RG_OK;
    const rg_array *x = rg_fast_array(r, r->site.node->in[0]), *y = rg_fast_array(r, r->chain.out);
    depthwise *d = RG_NEW(r->arena, depthwise, 1);
    if (!d) return rg_nomem(r->cx);
    *d = (depthwise){
        .planes = x->dim[0] * x->dim[1],
        .channels = x->dim[1],
        .in_h = x->dim[2],
        .in_w = x->dim[3],
        .out_h = y->dim[2],
        .out_w = y->dim[3],
        .kernel_h = w.kernel_h,
        .kernel_w = w.kernel_w,
        .stride_h = w.stride_h,
        .stride_w = w.stride_w,
        .dilation_h = w.dilation_h,
        .dilation_w = w.dilation_w,
        .top = w.top,
        .left = w.left,
        .x = x->data,
        .y = y->data,
        .epilogue = rg_chain_epilogue(r),
    };
    RG_TRY(find_columns(r, d));
    RG_TRY(fold(r, d));
    *state = d;
    return RG_OK;
}

RG_FAST(depthwise) = {
    .name = "depthwise", .brief = "2-D convolution of each channel alone", .make = make, .run = run,
};
