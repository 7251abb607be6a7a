/* fast_qconv.c - ConvInteger and QLinearConv in two dimensions, as products whose right side is the image:
 *
 *     C [out channels, pixels] = W [out channels, k] X [k, pixels]        k = in channels of a group * kernel
 *
 *     row_factor = zero points of W    column_factor = sums of X's columns, centered
 *     row_term = bias - zero point of X * sums of W's rows
 *
 * so that results lie as ONNX has them. A worker packs some panels of pixels, then multiplies them with all
 * W. The image is copied into a frame of its zero point first, the columns of a strided window apart:
 *
 *     frame [channels, lines, stride_w, width]          column x lies at (x % stride_w, x / stride_w)
 *
 * where the pixels of a line follow each other for every tap. A panel is then made of a few runs. Where each
 * output channel has one input channel of its own (depthwise), there is no product: taps are added up line by
 * line, and W is kept less its zero points.
 */
#include "exec/quantized.h"
#include "exec/mathf.h"

#include <string.h>

enum {
    RUN_BYTE = 32,               /* copied at a time: the widest panel; there is as much behind a frame */
    PANEL_MAX = 32, GROUP = 4,
    DEPTHWISE_ROWS = 6,          /* as many output channels of one input are a product again */
    SLICE_BYTE = 192 * 1024,     /* packed panels at a time, in a second cache */
};

typedef struct qconv {
    rg_gemm_i8 gemm;             /* of a group: all its pixels */
    rg_window2 window;
    int64_t batch, groups, in_channels, in_h, in_w, out_w;
    int64_t frame_h, frame_w;    /* frame_w: of one of the stride's columns */
    uint8_t flip;                /* of X */
    const uint8_t *x;
    const rg_array *x_zero;      /* one; or NULL */
    const int32_t *tap;          /* [k in groups of 4]: from a pixel's place; of a group of channels */
    const int32_t *row_sum, *bias; /* [out channels] */
    const void *rows; size_t rows_group; /* W's groups are so many bytes apart */
    const void *ones;
    const int32_t *depthwise;    /* [out channels, k]: W where there is no product; else NULL */
    int64_t slice_panels; size_t slice_byte;
    char *const *room;
    size_t terms_at, slices_at;  /* in the room, behind the frame */
} qconv;

static int32_t zero_of(const qconv *c)
{
    return (c->x_zero ? (int32_t)rg_get_int(c->x_zero, 0) : 0) - c->flip;
}

/* ---- the frame ---- */

/* Where the step is a constant, many at a time. */
RG_INLINE void copy_run(const uint8_t *from, int64_t step, int64_t count, uint8_t flip, uint8_t *to)
{
    RG_INDEPENDENT
    for (int64_t i = 0; i < count; i++) to[i] = from[i * step] ^ flip;
}

static void frame_lines(const qconv *c, const uint8_t *image, uint8_t *frame, int64_t from, int64_t to)
{
    int64_t stride = c->window.stride_w, wide = stride * c->frame_w;
    uint8_t zero = (uint8_t)zero_of(c);
    for (int64_t line = from; line < to; line++) {
        int64_t channel = line / c->frame_h, y = line % c->frame_h - c->window.top;
        uint8_t *at = frame + line * wide;
        memset(at, zero, (size_t)wide);
        if (y < 0 || y >= c->in_h) continue;
        const uint8_t *x = image + (channel * c->in_h + y) * c->in_w;
        for (int64_t phase = 0; phase < stride; phase++) {
            /* the first column of the image in this phase, and where it comes to lie */
            int64_t first = (phase - c->window.left % stride + stride) % stride;
            uint8_t *run_at = at + phase * c->frame_w + (first + c->window.left) / stride;
            int64_t count = first < c->in_w ? (c->in_w - first + stride - 1) / stride : 0;
            if (stride == 1) copy_run(x + first, 1, count, c->flip, run_at);
            else if (stride == 2) copy_run(x + first, 2, count, c->flip, run_at);
            else copy_run(x + first, stride, count, c->flip, run_at);
        }
    }
}

/* ---- panels ---- */

/* Pixels of a panel that follow each other in the frame. */
typedef struct runs { int32_t from[PANEL_MAX], at[PANEL_MAX]; int count; } runs;

static int32_t pixel_at(const qconv *c, int64_t pixel)
{
    int64_t line = pixel / c->out_w * c->window.stride_h;
    return (int32_t)(line * c->window.stride_w * c->frame_w + pixel % c->out_w);
}

static runs runs_of(const qconv *c, int64_t pixel)
{
    runs r = {.count = 0};
    int64_t end = pixel + c->gemm.isa->nr < c->gemm.n ? pixel + c->gemm.isa->nr : c->gemm.n;
    for (int64_t at = pixel; at < end; at = (at / c->out_w + 1) * c->out_w) {
        r.from[r.count] = pixel_at(c, at);
        r.at[r.count++] = (int32_t)(at - pixel);
    }
    return r;
}

/* In order: what a run brings too much is overwritten by the next. */
static void pack_panel(const qconv *c, const uint8_t *frame, int64_t pixel, int8_t *to)
{
    uint8_t lines[GROUP][PANEL_MAX + RUN_BYTE] = {{0}};
    runs r = runs_of(c, pixel);
    for (int64_t p = 0; p < c->gemm.k; p += GROUP, to += GROUP * c->gemm.isa->nr) {
        const uint8_t *row[GROUP];
        for (int q = 0; q < GROUP; q++) {
            const uint8_t *from = frame + c->tap[p + q];
            row[q] = r.count == 1 ? from + r.from[0] : lines[q];
            for (int i = 0; i < r.count && r.count > 1; i++)
                memcpy(lines[q] + r.at[i], from + r.from[i], RUN_BYTE);
        }
        rg_gemm_i8_interleave(c->gemm.isa, row, to);
    }
}

/* A worker's pixels from..to-1 of one group with its rows of W. */
static void run_pixels(const qconv *c, const uint8_t *frame, rg_gemm_i8 g, int64_t from, int64_t to,
                       int32_t zero, char *slice)
{
    int64_t nr = g.isa->nr, step = c->slice_panels * nr;
    int32_t zeros[PANEL_MAX];
    int32_t *sums = (int32_t *)(void *)slice;
    int8_t *panels = (int8_t *)slice + (size_t)step * sizeof *sums;
    size_t panel = rg_gemm_i8_columns_byte(g.isa, g.k, nr);
    for (int i = 0; i < PANEL_MAX; i++) zeros[i] = zero;
    for (int64_t pixel = from; pixel < to; pixel += step) {
        rg_gemm_i8 some = g;
        some.n = to - pixel < step ? to - pixel : step;
        for (int64_t i = 0; i * nr < some.n; i++) {
            int8_t *at = panels + (size_t)i * panel;
            pack_panel(c, frame, pixel + i * nr, at);
            rg_gemm_i8_column_sums(g.isa, c->ones, at, g.k, nr, zeros, sums + i * nr, RG_ALONE);
        }
        some.columns = panels;
        some.column_factor = sums;
        if (some.sums) some.sums += pixel;
        else some.bytes += pixel;
        rg_gemm_i8_run(&some, RG_ALONE);
    }
}

/* Its share: of pixels where there are panels enough for all, else of rows. */
static void run_group(const qconv *c, const uint8_t *frame, rg_gemm_i8 g, int32_t zero, rg_part part)
{
    int64_t nr = g.isa->nr, from = 0, to = g.n, row = 0, end = g.m;
    char *slice = *c->room + c->slices_at + (size_t)part.worker * c->slice_byte;
    bool by_pixels = (g.n + nr - 1) / nr >= 2 * part.workers;
    rg_part_of(part, by_pixels ? g.n : g.m, by_pixels ? nr : g.isa->mr, by_pixels ? &from : &row,
               by_pixels ? &to : &end);
    if (row >= end || from >= to) return;
    g.rows = (const char *)g.rows + rg_gemm_i8_rows_byte(g.isa, row, g.k);
    g.row_factor += row;
    g.row_term += row;
    g.row_scale += row;
    if (g.sums) g.sums += row * g.c_step;
    else g.bytes += row * g.c_step;
    g.m = end - row;
    run_pixels(c, frame, g, from, to, zero, slice);
}

/* ---- one channel each ---- */

/* Output lines from..to-1, over all channels of an image. Pixels beyond a line's end are computed and
 * dropped. */
static void add_lines(const qconv *c, const uint8_t *frame, const int32_t *terms, int64_t image, int64_t from,
                      int64_t to)
{
    enum { STRIP = RG_I8_STRIP };
    const rg_gemm_i8 *g = &c->gemm;
    int64_t out_h = g->n / c->out_w, wide = c->window.stride_w * c->frame_w;
    for (int64_t line = from; line < to; line++) {
        int64_t channel = line / out_h, at = image * c->groups * g->m * g->n + line * c->out_w;
        int64_t first = (channel / g->m * c->frame_h + line % out_h * c->window.stride_h) * wide;
        const int8_t *x = (const int8_t *)frame + first;
        for (int64_t pixel = 0; pixel < c->out_w; pixel += STRIP) {
            int64_t count = c->out_w - pixel < STRIP ? c->out_w - pixel : STRIP;
            int32_t sums[STRIP];
            g->isa->taps(x + pixel, c->tap, c->depthwise + channel * g->k, g->k, terms[channel], sums);
            if (g->sums) memcpy(g->sums + at + pixel, sums, (size_t)count * sizeof *sums);
            else g->isa->requantize(g, sums, NULL, g->row_scale[channel], count, g->bytes + at + pixel);
        }
    }
}

static void run_depthwise(const qconv *c, const uint8_t *frame, const int32_t *terms, int64_t image,
                          rg_part part)
{
    int64_t from, to;
    rg_part_of(part, c->groups * c->gemm.m * (c->gemm.n / c->out_w), 1, &from, &to);
    add_lines(c, frame, terms, image, from, to);
}

static void run(void *state, rg_part part)
{
    const qconv *c = state;
    const rg_gemm_i8 *g = &c->gemm;
    uint8_t *frame = (uint8_t *)*c->room;
    int32_t zero = zero_of(c), *terms = (int32_t *)(void *)(*c->room + c->terms_at);
    int64_t from, to, lines = c->in_channels * c->frame_h, out_channels = c->groups * g->m;
    int64_t group_size = lines / c->groups * c->window.stride_w * c->frame_w;
    rg_part_of(part, out_channels, 1, &from, &to);
    for (int64_t i = from; i < to; i++)
        terms[i] = (int32_t)((uint32_t)c->bias[i] - (uint32_t)zero * (uint32_t)c->row_sum[i]);
    rg_part_of(part, lines, 1, &from, &to);
    for (int64_t n = 0; n < c->batch; n++) {
        if (n) rg_team_barrier(part); /* all are done with the image before */
        frame_lines(c, c->x + n * c->in_channels * c->in_h * c->in_w, frame, from, to);
        rg_team_barrier(part);
        if (c->depthwise) run_depthwise(c, frame, terms, n, part);
        for (int64_t i = 0; i < c->groups && !c->depthwise; i++) {
            rg_gemm_i8 one = *g;
            int64_t first = i * g->m, at = (n * out_channels + first) * g->n;
            one.rows = (const char *)c->rows + (size_t)i * c->rows_group;
            one.row_factor += first;
            one.row_term = terms + first;
            one.row_scale += first;
            if (one.sums) one.sums += at;
            else one.bytes += at;
            run_group(c, frame + i * group_size, one, zero, part);
        }
    }
}

/* ---- making ---- */

/* Which inputs mean what; -1: there is none. */
typedef struct roles {
    const char *op;
    int x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias;
} roles;

static const roles all_roles[] = {
    {"ConvInteger", 0, -1, 2, 1, -1, 3, -1, -1, -1},
    {"QLinearConv", 0, 1, 2, 3, 4, 5, 6, 7, 8},
};

static bool fits(const rg_fast_row *r, const roles *is, rg_window2 *window)
{
    rg_value_id x = rg_q_input(r, is->x), w = rg_q_input(r, is->w), zero = rg_q_input(r, is->x_zero);
    if (!rg_q_is_byte(r, x) || !rg_q_is_byte(r, w) || !rg_fast_is_constant(r, w)) return false;
    const rg_array *image = rg_fast_array(r, x), *kernel = rg_fast_array(r, w);
    if (!rg_window2_of(r, image, kernel, window) || window->top < 0 || window->left < 0) return false;
    int64_t m = kernel->dim[0];
    if (image->count == 0 || kernel->count == 0 || (zero && rg_fast_array(r, zero)->count != 1)) return false;
    if (!rg_q_is_known(r, rg_q_input(r, is->w_zero), m) || kernel->count / m > RG_I8_K_MAX) return false;
    if (is->y_scale < 0) return true;
    return rg_q_is_byte(r, r->site.node->out[0]) && rg_q_is_known(r, rg_q_input(r, is->x_scale), 1) &&
           rg_q_is_known(r, rg_q_input(r, is->w_scale), m) &&
           rg_q_is_known(r, rg_q_input(r, is->y_scale), 1) &&
           rg_q_is_known(r, rg_q_input(r, is->y_zero), 1) && rg_q_is_known(r, rg_q_input(r, is->bias), m);
}

static void read_sizes(const rg_fast_row *r, const roles *is, qconv *c)
{
    const rg_array *x = rg_fast_array(r, rg_q_input(r, is->x)), *w = rg_fast_array(r, rg_q_input(r, is->w)),
                   *y = rg_fast_array(r, r->site.node->out[0]);
    const rg_window2 *v = &c->window;
    c->batch = x->dim[0], c->in_channels = x->dim[1], c->in_h = x->dim[2], c->in_w = x->dim[3];
    c->groups = rg_op_int(&r->site, "group");
    c->out_w = y->dim[3];
    c->x = x->data;
    c->flip = x->dtype == RG_U8 ? RG_I8_FLIP : 0;
    if (rg_q_input(r, is->x_zero)) c->x_zero = rg_fast_array(r, rg_q_input(r, is->x_zero));
    c->frame_h = (y->dim[2] - 1) * v->stride_h + (v->kernel_h - 1) * v->dilation_h + 1;
    if (c->frame_h < v->top + c->in_h) c->frame_h = v->top + c->in_h;
    int64_t wide = (y->dim[3] - 1) * v->stride_w + (v->kernel_w - 1) * v->dilation_w + 1;
    if (wide < v->left + c->in_w) wide = v->left + c->in_w;
    c->frame_w = (wide + v->stride_w - 1) / v->stride_w;
    c->gemm = (rg_gemm_i8){.isa = rg_i8_isa_best(), .m = w->dim[0] / c->groups, .n = y->dim[2] * y->dim[3],
                           .k = w->count / w->dim[0], .c_step = y->dim[2] * y->dim[3]};
    if (is->y_scale < 0) c->gemm.sums = y->data;
    else c->gemm.bytes = y->data;
}

/* Where the taps lie, in the order of W; those that fill the last group anywhere. */
static rg_err make_taps(const rg_fast_row *r, qconv *c)
{
    const rg_window2 *v = &c->window;
    int64_t taps = v->kernel_h * v->kernel_w, line = v->stride_w * c->frame_w;
    int32_t *tap = RG_NEW(r->arena, int32_t, c->gemm.k + GROUP);
    if (!tap) return rg_nomem(r->cx);
    for (int64_t i = 0; i < c->gemm.k; i++) {
        int64_t channel = i / taps, y = i % taps / v->kernel_w * v->dilation_h,
                x = i % v->kernel_w * v->dilation_w;
        tap[i] =
            (int32_t)((channel * c->frame_h + y) * line + x % v->stride_w * c->frame_w + x / v->stride_w);
    }
    c->tap = tap;
    return RG_OK;
}

/* Zero points of W, scales x_scale / y_scale * w_scale, the bias. */
static rg_err read_rows(const rg_fast_row *r, const roles *is, qconv *c, uint8_t flip)
{
    rg_gemm_i8 *g = &c->gemm;
    int64_t m = c->groups * g->m;
    int32_t *zero = RG_NEW(r->arena, int32_t, m), *bias = RG_NEW(r->arena, int32_t, m);
    double *scale = RG_NEW(r->arena, double, m);
    if (!zero || !bias || !scale) return rg_nomem(r->cx);
    double factor =
        rg_q_known(r, rg_q_input(r, is->x_scale), 0, 1) / rg_q_known(r, rg_q_input(r, is->y_scale), 0, 1);
    for (int64_t i = 0; i < m; i++) {
        zero[i] = (int32_t)rg_q_known(r, rg_q_input(r, is->w_zero), i, 0) + flip;
        scale[i] = factor * rg_q_known(r, rg_q_input(r, is->w_scale), i, 1);
        bias[i] = (int32_t)rg_q_known(r, rg_q_input(r, is->bias), i, 0);
    }
    g->row_factor = zero;
    g->row_scale = scale;
    c->bias = bias;
    if (is->y_scale >= 0) rg_q_result(r, rg_q_input(r, is->y_zero), g);
    return RG_OK;
}

static rg_err pack(const rg_fast_row *r, qconv *c, const rg_array *w, uint8_t flip)
{
    const rg_gemm_i8 *g = &c->gemm;
    bool made, summed;
    c->rows_group = rg_gemm_i8_rows_byte(g->isa, g->m, g->k);
    char *rows = RG_WEIGHTS(r, char, c->rows_group * (size_t)c->groups, &made);
    int32_t *sums = RG_WEIGHTS(r, int32_t, g->m * c->groups, &summed);
    if (!rows || !sums) return rg_nomem(r->cx);
    for (int64_t i = 0; i < c->groups && (!made || !summed); i++)
        rg_gemm_i8_pack_rows(g->isa, (const uint8_t *)w->data + i * g->m * g->k, g->k, g->m, g->k, flip,
                             rows + (size_t)i * c->rows_group, sums + i * g->m, RG_ALONE);
    c->rows = rows;
    c->row_sum = sums;
    return RG_OK;
}

/* W less its zero points, and their sums: what a product has in its rows. */
static rg_err center(const rg_fast_row *r, qconv *c, const rg_array *w, uint8_t flip)
{
    const rg_gemm_i8 *g = &c->gemm;
    int64_t m = c->groups * g->m;
    int32_t *weights = RG_NEW(r->arena, int32_t, m * g->k), *sums = RG_NEW(r->arena, int32_t, m);
    if (!weights || !sums) return rg_nomem(r->cx);
    for (int64_t i = 0; i < m * g->k; i++) {
        weights[i] = (int32_t)rg_get_int(w, i) + flip - g->row_factor[i / g->k];
        sums[i / g->k] += weights[i];
    }
    c->depthwise = weights;
    c->row_sum = sums;
    return RG_OK;
}

static void find_room(const rg_fast_row *r, qconv *c, int64_t frame)
{
    const rg_gemm_i8 *g = &c->gemm;
    int64_t panels = (g->n + g->isa->nr - 1) / g->isa->nr;
    size_t panel = rg_gemm_i8_columns_byte(g->isa, g->k, g->isa->nr);
    c->slice_panels = (int64_t)(SLICE_BYTE / panel) + 1;
    if (c->slice_panels > panels) c->slice_panels = panels;
    c->slice_byte = rg_q_aligned((size_t)c->slice_panels * (panel + (size_t)g->isa->nr * sizeof(int32_t)));
    c->terms_at = rg_q_aligned((size_t)frame + RUN_BYTE);
    c->slices_at = c->terms_at + rg_q_aligned((size_t)(g->m * c->groups) * sizeof(int32_t));
    c->room = rg_fast_room(r, c->slices_at + (size_t)r->workers * c->slice_byte);
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const roles *is = NULL;
    rg_window2 window;
    *state = NULL;
    for (size_t i = 0; i < RG_COUNT(all_roles); i++)
        if (rg_node_is(r->site.node, all_roles[i].op)) is = &all_roles[i];
    if (!is || !fits(r, is, &window)) return RG_OK;
    qconv *c = RG_NEW(r->arena, qconv, 1);
    if (!c) return rg_nomem(r->cx);
    const rg_array *w = rg_fast_array(r, rg_q_input(r, is->w));
    uint8_t flip = w->dtype == RG_I8 ? RG_I8_FLIP : 0;
    c->window = window;
    read_sizes(r, is, c);
    int64_t frame = c->in_channels * c->frame_h * window.stride_w * c->frame_w;
    int32_t *nothing = RG_NEW(r->arena, int32_t, c->gemm.n + PANEL_MAX);
    if (frame > INT32_MAX || c->gemm.n > INT32_MAX || c->gemm.n == 0) return RG_OK;
    if (!nothing) return rg_nomem(r->cx);
    c->gemm.column_term = nothing;
    RG_TRY(make_taps(r, c));
    RG_TRY(read_rows(r, is, c, flip));
    RG_TRY(rg_gemm_i8_ones(r->cx, r->arena, c->gemm.isa, c->gemm.k, &c->ones));
    bool depthwise = w->dim[1] == 1 && c->gemm.m < DEPTHWISE_ROWS;
    RG_TRY(depthwise ? center(r, c, w, flip) : pack(r, c, w, flip));
    find_room(r, c, frame);
    *state = c;
    return RG_OK;
}

RG_FAST(qconv) = {
    .name = "qconv", .brief = "ConvInteger and QLinearConv", .make = make, .run = run,
};
