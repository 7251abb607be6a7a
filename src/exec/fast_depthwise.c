/* fast_depthwise.c - a 2-D convolution whose groups have one input channel each: no product to speak of, a
 * sum of shifted lines.
 *
 *     y[oy] = act(bias + sum over taps  w[ky][kx] * x[oy * stride + ky - top] shifted by kx - left)
 *
 * Blocked: a pixel is a vector of 8 channels. PIXELS of a line are summed in registers, every input pixel
 * loaded once for a line of the kernel. What the first and the last of a line see beyond the image is a pixel
 * of zeros; no frame is ever made.
 *
 * Plain: a line of the result is summed in a buffer that stays in the nearest cache. Where all taps of a line
 * of the kernel fall inside the image they are summed at once: each sum is loaded and stored once for them
 * all.
 */
#include "exec/fast.h"
#include "exec/mathf.h"

/* Images are 7 * 2^i wide more often than not, and 16 registers hold 7 sums, a line of 7 taps, a pixel. */
enum { PIXELS = 7, LINE_FLOATS = 16 };

typedef struct depthwise depthwise;
struct depthwise {
    void (*rows)(const depthwise *d, int64_t from, int64_t to); /* of blocks of channels; NULL: plain */
    int64_t planes, channels;        /* planes: of the result, or its blocks */
    int64_t in_channels, in_h, in_w, out_h, out_w;
    rg_window2 window;
    const float *x;
    float *y, *weights, *bias;       /* weights [channels][taps], or [blocks][taps][8] */
    char *const *room; int64_t room_step; /* a line for each worker */
    int64_t *first, *last;           /* by kx: output columns whose tap falls inside the line */
    int64_t inner_first, inner_last; /* those where every tap does */
    rg_epilogue epilogue;
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
RG_INLINE void write_pixels(const depthwise *d, int64_t at, int64_t count, const rg_f32x8 *sum)
{
    const rg_epilogue *e = &d->epilogue;
    rg_f32x8 zero = {0}, low = zero + (e->act == RG_ACT_RELU ? 0 : e->low), high = zero + e->high;
    RG_UNROLLED
    for (int p = 0; p < PIXELS; p++) {
        if (p >= count) break;
        rg_f32x8 y = sum[p];
        if (e->add) y += rg_load8(e->add + at + p * RG_BLOCK);
        if (e->act == RG_ACT_RELU || e->act == RG_ACT_CLIP) y = rg_pick8(y < low, low, y);
        if (e->act == RG_ACT_CLIP) y = rg_pick8(y > high, high, y);
        rg_store8(d->y + at + p * RG_BLOCK, y);
    }
}

RG_INLINE void row_blocked(const depthwise *d, int64_t block, int64_t oy, int kernel, int stride)
{
    const rg_window2 *n = &d->window;
    const float *plane = d->x + block * d->in_h * d->in_w * RG_BLOCK;
    int64_t wide = d->in_w * RG_BLOCK, channel = block * RG_BLOCK % d->channels;
    const float *w = d->weights + channel * n->kernel_h * n->kernel_w;
    int64_t at = (block * d->out_h + oy) * d->out_w * RG_BLOCK;
    for (int64_t ox = 0; ox < d->out_w; ox += PIXELS) {
        rg_f32x8 sum[PIXELS], bias = rg_load8(d->bias + channel);
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
    if (d->epilogue.act > RG_ACT_CLIP)
        rg_act_run(&d->epilogue, d->y + at, d->y + at, d->out_w * RG_BLOCK);
}

/* Lines of blocks of the result. */
#define ROWS(kernel, stride)                                                                        \
    RG_INLINE void rows_##kernel##_##stride(const depthwise *d, int64_t from, int64_t to)           \
    {                                                                                               \
        for (int64_t row = from; row < to; row++)                                                   \
            row_blocked(d, row / d->out_h, row % d->out_h, kernel, stride);                         \
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

/* ---- plain ---- */

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
RG_INLINE bool sum_inner(const depthwise *d, float *sum, const float *line, const float *w)
{
    const rg_window2 *n = &d->window;
    int64_t count = d->inner_last - d->inner_first;
    float *to = sum + d->inner_first;
    const float *from = line + d->inner_first * n->stride_w - n->left;
    if (n->dilation_w != 1 || n->stride_w > 2) return false;
    switch (n->kernel_w * 10 + n->stride_w) {
    case 31: sum_line(to, from, w, count, 3, 1); return true;
    case 32: sum_line(to, from, w, count, 3, 2); return true;
    case 51: sum_line(to, from, w, count, 5, 1); return true;
    case 52: sum_line(to, from, w, count, 5, 2); return true;
    case 71: sum_line(to, from, w, count, 7, 1); return true;
    default: return false;
    }
}

RG_INLINE void sum_tap(const depthwise *d, float *restrict to, const float *line, float weight, int64_t kx,
                       int64_t first, int64_t last)
{
    const float *restrict from = line + kx * d->window.dilation_w - d->window.left;
    for (int64_t j = first; j < last; j++) to[j] += weight * from[j * d->window.stride_w];
}

/* One line of the kernel on one line of the image. */
RG_INLINE void add_line(const depthwise *d, float *sum, const float *line, const float *w)
{
    bool at_once = d->inner_last > d->inner_first && sum_inner(d, sum, line, w);
    for (int64_t kx = 0; kx < d->window.kernel_w; kx++) {
        int64_t first = d->first[kx], last = d->last[kx];
        if (!at_once) {
            sum_tap(d, sum, line, w[kx], kx, first, last);
            continue;
        }
        sum_tap(d, sum, line, w[kx], kx, first, last < d->inner_first ? last : d->inner_first);
        sum_tap(d, sum, line, w[kx], kx, first > d->inner_last ? first : d->inner_last, last);
    }
}

RG_INLINE void write_line(const depthwise *d, const float *sum, int64_t at)
{
    const rg_epilogue *e = &d->epilogue;
    float *y = d->y + at;
    for (int64_t j = 0; j < d->out_w; j++) {
        float x = sum[j] + (e->add ? e->add[at + j] : 0);
        if (e->act == RG_ACT_RELU) x = rg_pickf(x < 0, 0, x);
        if (e->act == RG_ACT_CLIP) x = rg_betweenf(x, e->low, e->high);
        y[j] = x;
    }
    if (e->act > RG_ACT_CLIP) rg_act_run(e, y, y, d->out_w);
}

typedef struct share { const depthwise *d; float *sum; } share;

/* Lines of the result. */
RG_INLINE void rows_plain(const share *s, int64_t from, int64_t to)
{
    const depthwise *d = s->d;
    const rg_window2 *n = &d->window;
    int64_t each = d->channels / d->in_channels; /* results of an input channel */
    for (int64_t row = from; row < to; row++) {
        int64_t plane = row / d->out_h, oy = row % d->out_h, channel = plane % d->channels;
        const float *image = d->x + plane / each * d->in_h * d->in_w;
        const float *w = d->weights + channel * n->kernel_h * n->kernel_w;
        for (int64_t j = 0; j < d->out_w; j++) s->sum[j] = d->bias[channel];
        for (int64_t ky = 0; ky < n->kernel_h; ky++) {
            int64_t iy = oy * n->stride_h - n->top + ky * n->dilation_h;
            if (iy >= 0 && iy < d->in_h) add_line(d, s->sum, image + iy * d->in_w, w + ky * n->kernel_w);
        }
        write_line(d, s->sum, row * d->out_w);
    }
}
RG_FOR_MACHINE(rows_plain, share)

static void run(void *state, rg_part part)
{
    const depthwise *d = state;
    int64_t from, to;
    rg_part_of(part, d->planes * d->out_h, 1, &from, &to);
    if (d->rows) {
        d->rows(d, from, to);
        return;
    }
    share s = {d, (float *)(void *)*d->room + part.worker * d->room_step};
    rows_plain_best(&s, from, to);
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
static rg_err find_columns(const rg_fast_row *r, depthwise *d)
{
    const rg_window2 *n = &d->window;
    d->first = RG_NEW(r->arena, int64_t, n->kernel_w);
    d->last = RG_NEW(r->arena, int64_t, n->kernel_w);
    if (!d->first || !d->last) return rg_nomem(r->cx);
    d->inner_last = d->out_w;
    for (int64_t kx = 0; kx < n->kernel_w; kx++) {
        int64_t shift = kx * n->dilation_w - n->left;
        int64_t first = shift >= 0 ? 0 : (-shift + n->stride_w - 1) / n->stride_w;
        int64_t last = d->in_w - shift <= 0 ? 0 : (d->in_w - shift - 1) / n->stride_w + 1;
        if (last > d->out_w) last = d->out_w;
        d->first[kx] = first;
        d->last[kx] = last;
        if (first > d->inner_first) d->inner_first = first;
        if (last < d->inner_last) d->inner_last = last;
    }
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
        .planes = y->dim[0] * y->dim[1], .channels = y->dim[1], .in_channels = x->dim[1],
        .in_h = x->dim[2], .in_w = x->dim[3], .out_h = y->dim[2], .out_w = y->dim[3],
        .window = w, .x = x->data, .y = y->data, .epilogue = rg_chain_epilogue(r),
    };
    if (r->blocked && r->blocked[r->site.node->in[0]]) {
        d->planes /= RG_BLOCK;
        choose_rows(d);
    } else {
        d->room_step = (d->out_w + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
        d->room = rg_fast_room(r, (size_t)(d->room_step * r->workers) * sizeof(float));
    }
    RG_TRY(find_columns(r, d));
    RG_TRY(fold(r, d));
    *state = d;
    return RG_OK;
}

RG_FAST(depthwise) = {
    .name = "depthwise", .brief = "2-D convolution of each channel alone", .layout = layout, .make = make,
    .run = run,
};
