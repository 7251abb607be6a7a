/* fast_depthwise.c - a 2-D convolution whose groups have one channel each: no product to speak of, a sum of
 * shifted lines.
 *
 *     y[oy] = act(bias + sum over taps  w[ky][kx] * x[oy * stride + ky - top] shifted by kx - left)
 *
 * A line of the result is summed in a buffer that stays in the nearest cache, tap by tap, whole vectors at
 * once.
 */
#include "exec/fast.h"

#include <string.h>

typedef struct depthwise {
    int64_t planes, channels, in_h, in_w, out_h, out_w;
    int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left;
    const float *x;
    float *y, *weights, *bias, *line;
    rg_epilogue epilogue;
    void (*sum)(float *to, const float *from, float weight, int64_t count, int64_t stride);
} depthwise;

/* to[j] += weight * from[j * stride], written once and compiled for each instruction set. */
#define SUM_BODY                                                              \
    if (stride == 1)                                                          \
        for (int64_t j = 0; j < count; j++) to[j] += weight * from[j];        \
    else if (stride == 2)                                                     \
        for (int64_t j = 0; j < count; j++) to[j] += weight * from[2 * j];    \
    else                                                                      \
        for (int64_t j = 0; j < count; j++) to[j] += weight * from[j * stride];

static void sum_plain(float *restrict to, const float *restrict from, float weight, int64_t count,
                      int64_t stride)
{
    SUM_BODY
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void sum_avx2(float *restrict to, const float *restrict from,
                                                         float weight, int64_t count, int64_t stride)
{
    SUM_BODY
}
#endif

/* Output columns whose tap kx falls inside the line: first..last-1. */
static void inside(const depthwise *d, int64_t kx, int64_t *first, int64_t *last)
{
    int64_t shift = kx * d->dilation_w - d->left; /* ix = ox * stride + shift */
    *first = shift >= 0 ? 0 : (-shift + d->stride_w - 1) / d->stride_w;
    *last = d->in_w - shift <= 0 ? 0 : (d->in_w - shift - 1) / d->stride_w + 1;
    if (*last > d->out_w) *last = d->out_w;
}

static void write_line(const depthwise *d, int64_t at)
{
    const rg_epilogue *e = &d->epilogue;
    float *y = d->y + at;
    for (int64_t j = 0; j < d->out_w; j++) {
        float x = d->line[j] + (e->add ? e->add[at + j] : 0);
        if (e->act == RG_ACT_RELU) x = x > 0 ? x : 0;
        if (e->act == RG_ACT_CLIP) x = x < e->low ? e->low : x > e->high ? e->high : x;
        y[j] = x;
    }
}

static void run(void *state)
{
    const depthwise *d = state;
    for (int64_t plane = 0; plane < d->planes; plane++) {
        int64_t channel = plane % d->channels;
        const float *image = d->x + plane * d->in_h * d->in_w,
                    *w = d->weights + channel * d->kernel_h * d->kernel_w;
        for (int64_t oy = 0; oy < d->out_h; oy++) {
            for (int64_t j = 0; j < d->out_w; j++) d->line[j] = d->bias[channel];
            for (int64_t ky = 0; ky < d->kernel_h; ky++) {
                int64_t iy = oy * d->stride_h - d->top + ky * d->dilation_h, first, last;
                if (iy < 0 || iy >= d->in_h) continue;
                for (int64_t kx = 0; kx < d->kernel_w; kx++) {
                    inside(d, kx, &first, &last);
                    if (first >= last) continue;
                    const float *from =
                        image + iy * d->in_w + first * d->stride_w + kx * d->dilation_w - d->left;
                    d->sum(d->line + first, from, w[ky * d->kernel_w + kx], last - first, d->stride_w);
                }
            }
            write_line(d, (plane * d->out_h + oy) * d->out_w);
        }
    }
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
        .sum = sum_plain,
    };
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) d->sum = sum_avx2;
#endif
    RG_TRY(fold(r, d));
    *state = d;
    return RG_OK;
}

RG_FAST(depthwise) = {
    .name = "depthwise", .brief = "2-D convolution of each channel alone", .make = make, .run = run,
};
