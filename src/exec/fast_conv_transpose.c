/* fast_conv_transpose.c - a transposed 2-D convolution as products over the image, one for each phase of the
 * output: what lies `stride` apart in it is reached by the same taps of the kernel.
 *
 *     y[q * stride + phase] = sum over taps k with (phase + pad - k * dilation) % stride == 0
 *                             of x[q + (phase + pad - k * dilation) / stride] w[k]
 *
 * So a phase is a convolution of stride 1 with a part of the kernel, whose rows lie a stride apart in the
 * output; nothing is added up in memory. With a kernel as large as its stride each phase has one tap.
 */
#include "exec/conv_share.h"
#include "op/window.h"

enum { Y, X, AXES };

/* Along one axis: taps of one phase, and where they read from the place q. */
typedef struct phase {
    int64_t tap_count, *tap, *shift; /* no tap reaches it: one of weight 0, tap -1 */
    int64_t count;                   /* of outputs */
} phase;

typedef struct deconv {
    int64_t batch, groups, in_channels, out_channels, in[AXES], out[AXES], kernel[AXES], stride[AXES];
    int64_t lines;                   /* values of q along Y */
    phase *phases[AXES];             /* [stride] */
    rg_frame frame;
    const float *x;
    float *y;
    bool in_blocked, out_blocked;
    rg_gemm *gemms;                  /* [stride y][stride x][groups], at q = 0 and the first image */
    char *const *room;               /* the framed image */
} deconv;

static int64_t gemm_count(const deconv *d) { return d->stride[Y] * d->stride[X] * d->groups; }

/* All phases of one line of q. */
static void run_line(const deconv *d, const float *image, int64_t n, int64_t q, rg_part part)
{
    int64_t out_size = d->out_channels * d->out[Y] * d->out[X], wide = d->out_blocked ? RG_BLOCK : 1;
    int64_t at = n * out_size + q * d->stride[Y] * d->out[X] * wide, per_line = d->stride[X] * d->groups;
    for (int64_t i = 0; i < gemm_count(d); i++) {
        rg_gemm g = d->gemms[i];
        if (q >= d->phases[Y][i / per_line].count) continue;
        g.a = image + (g.a - d->x) + q * d->frame.w * d->frame.wide;
        g.c += at;
        if (g.epilogue.add) g.epilogue.add += at;
        rg_gemm_run(&g, part);
    }
}

static void run(void *state, rg_part part)
{
    const deconv *d = state;
    int64_t in_size = d->in_channels * d->in[Y] * d->in[X], from = 0, to = d->lines;
    bool apart = d->lines >= part.workers; /* lines of its own for each worker; else all share each line */
    if (apart) rg_part_of(part, d->lines, 1, &from, &to);
    for (int64_t n = 0; n < d->batch; n++) {
        const float *image = d->x + n * in_size;
        if (d->frame.needed) {
            float *framed = (float *)(void *)*d->room;
            if (n) rg_team_barrier(part); /* all are done with the image before */
            rg_frame_fill(&d->frame, image, framed, part);
            rg_team_barrier(part);
            image = framed;
        }
        for (int64_t q = from; q < to; q++) run_line(d, image, n, q, apart ? RG_ALONE : part);
    }
}

/* ---- making ---- */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* Fills the phases of one axis; before and after grow to what is read. */
static rg_err find_phases(const rg_fast_row *r, deconv *d, const rg_window *w, int axis, int64_t *before,
                          int64_t *after)
{
    int64_t stride = d->stride[axis], kernel = d->kernel[axis];
    phase *p = d->phases[axis] = RG_NEW(r->arena, phase, stride);
    if (!p) return rg_nomem(r->cx);
    for (int64_t i = 0; i < stride; i++) {
        p[i].tap = RG_NEW(r->arena, int64_t, kernel);
        p[i].shift = RG_NEW(r->arena, int64_t, kernel);
        if (!p[i].tap || !p[i].shift) return rg_nomem(r->cx);
        p[i].count = d->out[axis] > i ? (d->out[axis] - i + stride - 1) / stride : 0;
        for (int64_t k = 0; k < kernel; k++) {
            int64_t reach = i + w->pad_begin[axis] - k * w->dilation[axis], shift = floor_div(reach, stride);
            if (shift * stride != reach || p[i].count == 0) continue;
            p[i].tap[p[i].tap_count] = k;
            p[i].shift[p[i].tap_count++] = shift;
            if (-shift > *before) *before = -shift;
            if (p[i].count + shift > *after) *after = p[i].count + shift;
        }
        if (p[i].tap_count) continue;
        p[i].tap[0] = -1;
        p[i].tap_count = 1;
        if (p[i].count > *after) *after = p[i].count;
    }
    return RG_OK;
}

/* Where the taps of a phase read, in runs of a pixel. */
static const int32_t *make_runs(const rg_fast_row *r, const deconv *d, const phase *py, const phase *px)
{
    const rg_frame *f = &d->frame;
    int64_t planes = f->planes / d->groups;
    int32_t *runs = RG_NEW(r->arena, int32_t, planes * py->tap_count * px->tap_count), *at = runs;
    for (int64_t plane = 0; runs && plane < planes; plane++)
        for (int64_t i = 0; i < py->tap_count; i++)
            for (int64_t j = 0; j < px->tap_count; j++)
                *at++ = (int32_t)(((plane * f->h + f->top + py->shift[i]) * f->w + f->left + px->shift[j]) *
                                  f->wide);
    return runs;
}

/* [k, n] of one group, k in the order of the runs, times the scale. The model's are [in, out, kernel]. */
static void order_weights(const rg_fast_row *r, const deconv *d, const rg_gemm *g, const phase *py,
                          const phase *px, int64_t group, float *to)
{
    const float *weights = rg_fast_array(r, r->site.node->in[1])->data;
    int64_t taps = py->tap_count * px->tap_count, wide = d->frame.wide, each = d->in_channels / d->groups;
    for (int64_t k = 0; k < g->k; k++) {
        int64_t channel = k / (taps * wide) * wide + k % wide, tap = k / wide % taps;
        int64_t ky = py->tap[tap / px->tap_count], kx = px->tap[tap % px->tap_count];
        const float *from = weights + (group * each + channel) * g->n * d->kernel[Y] * d->kernel[X];
        for (int64_t o = 0; o < g->n; o++) {
            float weight = ky < 0 || kx < 0 ? 0 : from[(o * d->kernel[Y] + ky) * d->kernel[X] + kx];
            to[k * g->n + o] = rg_conv_scale(r, group * g->n + o) * weight;
        }
    }
}

/* The products of one phase; bias for all channels. */
static rg_err make_phase(const rg_fast_row *r, deconv *d, int64_t y, int64_t x, const float *bias)
{
    const phase *py = &d->phases[Y][y], *px = &d->phases[X][x];
    int64_t each = d->in_channels / d->groups, n = d->out_channels / d->groups,
            pixels = d->out[Y] * d->out[X];
    int64_t wide = d->out_blocked ? RG_BLOCK : 1, at = (y * d->out[X] + x) * wide;
    rg_gemm whole = {
        .m = px->count, .n = n, .k = each * py->tap_count * px->tap_count,
        .a = d->x, .a_step = d->frame.wide, .run_length = d->frame.wide, .a_run = make_runs(r, d, py, px),
        .c_step = d->stride[X] * wide, .c_block = pixels * RG_BLOCK, .c_column = d->out_blocked ? 0 : pixels,
    };
    bool made;
    size_t packed_count = rg_gemm_packed_count(whole.k, n);
    float *packed = RG_WEIGHTS(r, float, packed_count * (size_t)d->groups, &made);
    float *ordered = made ? NULL : RG_NEW(&r->cx->arena, float, whole.k * n);
    if (!whole.a_run || !packed || (!made && !ordered)) return rg_nomem(r->cx);
    for (int64_t i = 0; i < d->groups; i++) {
        rg_gemm *g = &d->gemms[(y * d->stride[X] + x) * d->groups + i];
        *g = whole;
        g->a += i * each * d->frame.h * d->frame.w;
        g->c = d->y + i * n * pixels + at;
        g->packed = packed + packed_count * (size_t)i;
        g->epilogue = rg_chain_epilogue(r);
        g->epilogue.bias = bias + i * n;
        if (g->epilogue.add) g->epilogue.add += i * n * pixels + at;
        if (made) continue;
        order_weights(r, d, g, py, px, i, ordered);
        rg_gemm_pack(ordered, n, 1, g->k, n, packed + packed_count * (size_t)i, RG_ALONE);
    }
    return RG_OK;
}

/* Constant weights, two spatial axes. */
static bool fits(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    if (!rg_node_is(n, "ConvTranspose") || !rg_conv_is_constant(r)) return false;
    const rg_array *x = rg_fast_array(r, n->in[0]), *w = rg_fast_array(r, n->in[1]);
    int64_t limit = INT32_MAX / 4; /* of floats in a framed image: runs are numbers of 32 bits */
    return x->rank == 4 && w->rank == 4 && x->count > 0 && w->count > 0 && x->count / x->dim[0] < limit &&
           x->dim[1] % rg_op_int(&r->site, "group") == 0 && rg_fast_array(r, n->out[0])->count > 0;
}

static rg_layout_rule layout(const rg_fast_row *r)
{
    if (!fits(r)) return RG_LAYOUT_PLAIN;
    const rg_array *w = rg_fast_array(r, r->site.node->in[1]);
    int64_t groups = rg_op_int(&r->site, "group");
    bool whole = w->dim[0] / groups % RG_BLOCK == 0 && w->dim[1] % RG_BLOCK == 0;
    return groups == 1 || whole ? RG_LAYOUT_FREE : RG_LAYOUT_PLAIN;
}

/* Pads that make the output what it is, where they are not stated. */
static rg_err read_window(const rg_fast_row *r, const rg_array *x, const rg_array *y, rg_window *w)
{
    uint32_t extras, shape;
    const int64_t *extra = rg_op_ints(&r->site, "output_padding", &extras);
    RG_TRY(rg_window_read(&r->site, AXES, &rg_fast_array(r, r->site.node->in[1])->dim[2], w));
    if (!rg_op_ints(&r->site, "output_shape", &shape) && w->auto_pad != RG_PAD_SAME) return RG_OK;
    for (int i = 0; i < AXES; i++) {
        int64_t behind = extra && extras >= AXES ? extra[extras - AXES + (uint32_t)i] : 0;
        int64_t whole = (x->dim[2 + i] - 1) * w->stride[i] + w->reach[i] + behind;
        w->pad_begin[i] = rg_window_front(w, whole - y->dim[2 + i]);
    }
    return RG_OK;
}

static rg_err make_products(const rg_fast_row *r, deconv *d)
{
    const float *bias;
    RG_TRY(rg_conv_bias(r, d->out_channels, &bias));
    d->gemms = RG_NEW(r->arena, rg_gemm, gemm_count(d));
    if (!d->gemms) return rg_nomem(r->cx);
    for (int64_t y = 0; y < d->stride[Y]; y++)
        for (int64_t x = 0; x < d->stride[X]; x++) RG_TRY(make_phase(r, d, y, x, bias));
    return RG_OK;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    rg_window w;
    int64_t before[AXES] = {0}, after[AXES] = {0};
    *state = NULL;
    if (!fits(r)) return RG_OK;
    const rg_node *n = r->site.node;
    const rg_array *x = rg_fast_array(r, n->in[0]), *y = rg_fast_array(r, r->chain.out);
    RG_TRY(read_window(r, x, y, &w));
    deconv *d = RG_NEW(r->arena, deconv, 1);
    if (!d) return rg_nomem(r->cx);
    *d = (deconv){
        .batch = x->dim[0],
        .groups = rg_op_int(&r->site, "group"),
        .in_channels = x->dim[1],
        .out_channels = y->dim[1],
        .x = x->data,
        .y = y->data,
        .in_blocked = r->blocked && r->blocked[n->in[0]],
        .out_blocked = r->blocked && r->blocked[r->chain.out],
    };
    for (int i = 0; i < AXES; i++) {
        d->in[i] = x->dim[2 + i], d->out[i] = y->dim[2 + i];
        d->kernel[i] = w.kernel[i], d->stride[i] = w.stride[i];
        RG_TRY(find_phases(r, d, &w, i, &before[i], &after[i]));
    }
    int64_t wide = d->in_blocked ? RG_BLOCK : 1;
    d->lines = d->phases[Y][0].count;
    d->frame = rg_frame_of(d->in_channels / wide, d->in[Y], d->in[X], wide, before, after);
    if (d->frame.needed) d->room = rg_fast_room(r, (size_t)rg_frame_count(&d->frame) * sizeof(float));
    RG_TRY(make_products(r, d));
    *state = d;
    return RG_OK;
}

RG_FAST(conv_transpose) = {
    .name = "conv_transpose", .brief = "transposed 2-D convolution as products over the image",
    .layout = layout, .make = make, .run = run,
};
