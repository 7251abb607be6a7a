/* fast_depthwise.c - a 2-D convolution whose groups have one input channel each: no product to speak of, a
 * sum of shifted lines.
 *
 *     y[oy] = act(bias + sum over taps  w[ky][kx] * x[oy * stride + ky - top] shifted by kx - left)
 *
 * Blocked: a pixel is a vector of 8 channels. PIXELS of a line are summed in registers, every input pixel
 * loaded once for a line of the kernel. What the first and the last of a line see beyond the image is a pixel
 * of zeros; no frame is ever made.
 *
 * Plain: see depthwise_plain.c.
 */
#include "exec/depthwise_plain.h"
#include "exec/f32x8.h"

#include <math.h>

/* Images are 7 * 2^i wide more often than not, and 16 registers hold 7 sums, a line of 7 taps, a pixel. */
enum { PIXELS = 7 };
enum { ACT_LEAST = 512 };    /* floats: a loop over them hides its beginning, and they are still near */

typedef struct depthwise depthwise;
struct depthwise {
    void (*rows)(const depthwise *d, int64_t from, int64_t to); /* of blocks of channels; NULL: plain */
    int64_t blocks, channels;        /* blocks of the result */
    int64_t in_h, in_w, out_h, out_w;
    rg_window2 window;
    const float *x;
    float *y, *weights, *bias;       /* weights [channels][taps], or [blocks][taps][8] */
    int64_t inner_first, inner_last; /* output columns all of whose taps fall inside the line */
    rg_epilogue epilogue;
    rg_planes plain;
};

/* ---- blocks of channels ---- */

/* Sums of PIXELS neighbors from column ox on of one line of the kernel. Kernel, stride and edge are constants
 * where this is called; 0: any. */
RG_INLINE void sum_pixels(const depthwise *d, const float *line, const float *w, int64_t ox, int kernel,
                          int stride, bool edge, rg_f32x8 *sum)
{
    int64_t column = ox * stride - d->window.left;
    rg_f32x8 tap[7];
    RG_UNROLLED
    for (int k = 0; k < kernel; k++) tap[k] = rg_load8(w + k * RG_BLOCK);
    RG_UNROLLED
    for (int c = 0; c < (PIXELS - 1) * stride + kernel; c++) {
        rg_f32x8 x = {0};
        if (!edge || (uint64_t)(column + c) < (uint64_t)d->in_w) x = rg_load8(line + (column + c) * RG_BLOCK);
        RG_UNROLLED
        for (int k = 0; k < kernel; k++)
            if (c >= k && (c - k) % stride == 0 && (c - k) / stride < PIXELS)
                sum[(c - k) / stride] += x * tap[k];
    }
}

RG_INLINE void sum_pixels_any(const depthwise *d, const float *line, const float *w, int64_t ox,
                              rg_f32x8 *sum)
{
    const rg_window2 *n = &d->window;
    for (int64_t k = 0; k < n->kernel_w; k++) {
        rg_f32x8 tap = rg_load8(w + k * RG_BLOCK);
        RG_UNROLLED
        for (int p = 0; p < PIXELS; p++) {
            int64_t column = (ox + p) * n->stride_w + k * n->dilation_w - n->left;
            if ((uint64_t)column < (uint64_t)d->in_w) sum[p] += rg_load8(line + column * RG_BLOCK) * tap;
        }
    }
}

/* `at`: of the first pixel in y and what is added. */
RG_INLINE void write_pixels(const depthwise *d, int64_t at, int64_t count, rg_f32x8 *sum)
{
    const rg_epilogue *e = &d->epilogue;
    const float *add = e->add;
    float *y = d->y + at;
    RG_UNROLLED
    for (int p = 0; p < PIXELS; p++)
        if (add && p < count) sum[p] += rg_load8(add + at + p * RG_BLOCK);
    if (e->act == RG_ACT_RELU || e->act == RG_ACT_CLIP) {
        bool clip = e->act == RG_ACT_CLIP;
        rg_f32x8 zero = {0}, low = zero + (clip ? e->low : 0), high = zero + (clip ? e->high : INFINITY);
        RG_UNROLLED
        for (int p = 0; p < PIXELS; p++) {
            sum[p] = rg_pick8(sum[p] < low, low, sum[p]);
            sum[p] = rg_pick8(sum[p] > high, high, sum[p]);
        }
    }
    if (count < PIXELS) {
        RG_UNROLLED
        for (int p = 0; p < PIXELS - 1; p++)
            if (p < count) rg_store8(y + p * RG_BLOCK, sum[p]);
        return;
    }
    RG_UNROLLED
    for (int p = 0; p < PIXELS; p++) rg_store8(y + p * RG_BLOCK, sum[p]);
}

/* A line of y of a block of channels, `plane` of x, with weights w. */
RG_INLINE void line_blocked(const depthwise *d, const float *plane, const float *w, rg_f32x8 bias, int64_t oy,
                            int64_t at, int kernel, int stride)
{
    const rg_window2 *n = &d->window;
    int64_t wide = d->in_w * RG_BLOCK;
    for (int64_t ox = 0; ox < d->out_w; ox += PIXELS) {
        rg_f32x8 sum[PIXELS];
        bool edge = ox < d->inner_first || ox + PIXELS > d->inner_last;
        RG_UNROLLED
        for (int p = 0; p < PIXELS; p++) sum[p] = bias;
        for (int64_t ky = 0; ky < n->kernel_h; ky++) {
            int64_t iy = oy * n->stride_h + ky * n->dilation_h - n->top;
            if ((uint64_t)iy >= (uint64_t)d->in_h) continue;
            const float *line = plane + iy * wide, *taps = w + ky * n->kernel_w * RG_BLOCK;
            if (!kernel) sum_pixels_any(d, line, taps, ox, sum);
            else if (edge) sum_pixels(d, line, taps, ox, kernel, stride, true, sum);
            else sum_pixels(d, line, taps, ox, kernel, stride, false, sum);
        }
        write_pixels(d, at + ox * RG_BLOCK, d->out_w - ox, sum);
    }
}

/* Lines of a block; a costly activation is run on some of them at once, while they are near. */
RG_INLINE void lines_blocked(const depthwise *d, int64_t block, int64_t from, int64_t to, int kernel,
                             int stride)
{
    const float *plane = d->x + block * d->in_h * d->in_w * RG_BLOCK;
    int64_t channel = block * RG_BLOCK % d->channels, line = d->out_w * RG_BLOCK;
    const float *w = d->weights + channel * d->window.kernel_h * d->window.kernel_w;
    rg_f32x8 bias = rg_load8(d->bias + channel);
    int64_t at = (block * d->out_h + from) * line, waiting = 0;
    for (int64_t oy = from; oy < to; oy++, at += line) {
        line_blocked(d, plane, w, bias, oy, at, kernel, stride);
        waiting += line;
        if (waiting < ACT_LEAST && oy + 1 < to) continue;
        float *y = d->y + at + line - waiting;
        if (d->epilogue.act > RG_ACT_CLIP) rg_act_run(&d->epilogue, y, y, waiting);
        waiting = 0;
    }
}

/* Lines of blocks of the result. */
#define ROWS(kernel, stride)                                                                        \
    RG_INLINE void rows_##kernel##_##stride(const depthwise *d, int64_t from, int64_t to)           \
    {                                                                                               \
        for (int64_t row = from, block, first, last; row < to; row += last - first) {               \
            block = row / d->out_h, first = row % d->out_h;                                         \
            last = first + to - row < d->out_h ? first + to - row : d->out_h;                       \
            lines_blocked(d, block, first, last, kernel, stride);                                   \
        }                                                                                           \
    }                                                                                               \
    RG_FOR_MACHINE(rows_##kernel##_##stride, depthwise)
ROWS(0, 0)
ROWS(3, 1)
ROWS(3, 2)
ROWS(5, 1)
ROWS(5, 2)
ROWS(7, 1)
ROWS(7, 2)
#undef ROWS

typedef struct size_row {
    int64_t kernel, stride;
    void (*rows)(const depthwise *d, int64_t from, int64_t to);
} size_row;

static const size_row sizes[] = {
    {3, 1, rows_3_1_best}, {3, 2, rows_3_2_best}, {5, 1, rows_5_1_best},
    {5, 2, rows_5_2_best}, {7, 1, rows_7_1_best}, {7, 2, rows_7_2_best},
};

static void run(void *state, rg_part part)
{
    const depthwise *d = state;
    int64_t from, to;
    if (!d->rows) {
        rg_planes_run(&d->plain, part);
        return;
    }
    rg_part_of(part, d->blocks * d->out_h, 1, &from, &to);
    d->rows(d, from, to);
}

/* ---- making ---- */

static bool fits(const rg_fast_row *r, rg_window2 *window)
{
    const rg_node *n = r->site.node;
    if (!rg_node_is(n, "Conv") || !rg_window2_read(r, window)) return false;
    const rg_array *x = rg_fast_array(r, n->in[0]), *w = rg_fast_array(r, n->in[1]);
    return w->dim[1] == 1 && rg_op_int(&r->site, "group") == x->dim[1] && x->dim[1] > 0;
}

static rg_layout_rule layout(const rg_fast_row *r)
{
    rg_window2 w;
    if (!fits(r, &w)) return RG_LAYOUT_PLAIN;
    return rg_fast_array(r, r->site.node->in[1])->dim[0] == rg_fast_array(r, r->site.node->in[0])->dim[1]
               ? RG_LAYOUT_SAME
               : RG_LAYOUT_PLAIN;
}

/* Weights in their order times the scale, and the shift with it. */
static rg_err fold(const rg_fast_row *r, depthwise *d)
{
    const rg_node *n = r->site.node;
    const float *from = rg_fast_array(r, n->in[1])->data;
    const float *bias = n->in_count > 2 && n->in[2] ? rg_fast_array(r, n->in[2])->data : NULL;
    int64_t taps = d->window.kernel_h * d->window.kernel_w, wide = d->rows ? RG_BLOCK : 1;
    bool made, summed;
    d->weights = RG_WEIGHTS(r, float, d->channels * taps, &made);
    d->bias = RG_WEIGHTS(r, float, d->channels, &summed);
    if (!d->weights || !d->bias) return rg_nomem(r->cx);
    for (int64_t c = 0; !made && c < d->channels; c++) {
        float scale = r->chain.scale ? r->chain.scale[c] : 1,
              *to = d->weights + c / wide * taps * wide + c % wide;
        for (int64_t i = 0; i < taps; i++) to[i * wide] = scale * from[c * taps + i];
        d->bias[c] = scale * (bias ? bias[c] : 0) + (r->chain.shift ? r->chain.shift[c] : 0);
    }
    return RG_OK;
}

/* Output column ox sees input column ox * stride + shift through tap kx. */
static void find_columns(depthwise *d)
{
    const rg_window2 *n = &d->window;
    d->inner_last = d->out_w;
    for (int64_t kx = 0; kx < n->kernel_w; kx++) {
        int64_t shift = kx * n->dilation_w - n->left;
        int64_t first = shift >= 0 ? 0 : (-shift + n->stride_w - 1) / n->stride_w;
        int64_t last = d->in_w - shift <= 0 ? 0 : (d->in_w - shift - 1) / n->stride_w + 1;
        if (first > d->inner_first) d->inner_first = first;
        if (last < d->inner_last) d->inner_last = last;
    }
}

static rg_err make_plain(const rg_fast_row *r, depthwise *d)
{
    const rg_array *x = rg_fast_array(r, r->site.node->in[0]);
    d->plain = (rg_planes){
        .count = x->dim[0] * d->channels, .channels = d->channels, .in_channels = x->dim[1],
        .in_h = d->in_h, .in_w = d->in_w, .out_h = d->out_h, .out_w = d->out_w, .window = d->window,
        .x = d->x, .y = d->y, .weights = d->weights, .bias = d->bias, .epilogue = d->epilogue,
    };
    RG_TRY(rg_planes_make(r, &d->plain));
    d->plain.room = rg_fast_room(r, rg_planes_room_count(&d->plain, r->workers) * sizeof(float));
    return RG_OK;
}

static void choose_rows(depthwise *d)
{
    const rg_window2 *n = &d->window;
    d->rows = rows_0_0_best;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (n->dilation_w == 1 && n->kernel_w == sizes[i].kernel && n->stride_w == sizes[i].stride)
            d->rows = sizes[i].rows;
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
        .blocks = y->dim[0] * y->dim[1] / RG_BLOCK, .channels = y->dim[1],
        .in_h = x->dim[2], .in_w = x->dim[3], .out_h = y->dim[2], .out_w = y->dim[3],
        .window = w, .x = x->data, .y = y->data, .epilogue = rg_chain_epilogue(r),
    };
    if (r->blocked && r->blocked[r->site.node->in[0]]) choose_rows(d);
    find_columns(d);
    RG_TRY(fold(r, d));
    if (!d->rows) RG_TRY(make_plain(r, d));
    *state = d;
    return RG_OK;
}

RG_FAST(depthwise) = {
    .name = "depthwise", .brief = "2-D convolution of each channel alone", .layout = layout, .make = make,
    .run = run,
};
