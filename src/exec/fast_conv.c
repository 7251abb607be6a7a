/* fast_conv.c - a 2-D convolution as a product whose left side is the image itself.
 *
 *     C [pixels, out channels] = A [pixels, k] W [k, out channels]        k = in channels * kernel
 *
 * A row of A is an output pixel's window: it begins where the window does, and its runs are the taps. In the
 * blocked layout a run is the 8 channels of a block, in the plain one the taps of a kernel's line. A window
 * that reaches beyond the image makes a copy with a frame of zeros necessary. Scale and shift of a
 * BatchNormalization are folded into W and the bias when the model is loaded.
 */
#include "exec/fast.h"

#include <string.h>

typedef struct conv {
    int64_t batch, groups, in_channels, in_h, in_w, out_channels, out_h, out_w;
    rg_window2 window;
    bool in_blocked, out_blocked;
    int64_t frame_h, frame_w;        /* of the image with its frame */
    bool framed;
    const float *x;
    float *y;
    char *const *room;               /* the framed image */
    rg_gemm gemm;                    /* of the first image and group */
    int64_t a_group, c_group, packed_group; /* floats from group to group */
} conv;

/* Lines of the framed image that lie in it: from..to-1, of all planes. */
static void frame_lines(const conv *c, const float *image, float *to, int64_t from, int64_t end)
{
    int64_t wide = c->in_blocked ? RG_BLOCK : 1, left = c->window.left * wide, middle = c->in_w * wide,
            right = c->frame_w * wide - left - middle;
    for (int64_t line = from; line < end; line++) {
        int64_t plane = line / c->frame_h, y = line % c->frame_h - c->window.top;
        float *at = to + line * c->frame_w * wide;
        if (y < 0 || y >= c->in_h) {
            memset(at, 0, (size_t)(c->frame_w * wide) * sizeof *at);
            continue;
        }
        memset(at, 0, (size_t)left * sizeof *at);
        memcpy(at + left, image + (plane * c->in_h + y) * middle, (size_t)middle * sizeof *at);
        memset(at + left + middle, 0, (size_t)right * sizeof *at);
    }
}

static void run(void *state, rg_part part)
{
    const conv *c = state;
    int64_t in_size = c->in_channels * c->in_h * c->in_w, out_size = c->out_channels * c->out_h * c->out_w;
    int64_t from, to, lines = c->in_channels / (c->in_blocked ? RG_BLOCK : 1) * c->frame_h;
    rg_part_of(part, lines, 1, &from, &to);
    for (int64_t n = 0; n < c->batch; n++) {
        rg_gemm g = c->gemm;
        g.a = c->x + n * in_size;
        if (c->framed) {
            if (n) rg_team_barrier(part); /* all are done with the image before */
            float *frame = (float *)(void *)*c->room;
            frame_lines(c, g.a, frame, from, to);
            g.a = frame;
            rg_team_barrier(part);
        }
        g.c += n * out_size;
        if (g.epilogue.add) g.epilogue.add += n * out_size;
        for (int64_t i = 0; i < c->groups; i++) {
            rg_gemm_run(&g, part);
            g.a += c->a_group, g.c += c->c_group, g.packed += c->packed_group;
            if (g.epilogue.add) g.epilogue.add += c->c_group;
            g.epilogue.bias += g.n;
        }
    }
}

/* ---- making ---- */

static bool is_blocked(const rg_fast_row *r, rg_value_id v) { return r->blocked && r->blocked[v]; }

static void read_sizes(const rg_fast_row *r, conv *c)
{
    const rg_array *x = rg_fast_array(r, r->site.node->in[0]), *y = rg_fast_array(r, r->chain.out);
    const rg_window2 *w = &c->window;
    c->batch = x->dim[0], c->in_channels = x->dim[1], c->in_h = x->dim[2], c->in_w = x->dim[3];
    c->out_channels = y->dim[1], c->out_h = y->dim[2], c->out_w = y->dim[3];
    c->groups = rg_op_int(&r->site, "group");
    c->frame_h = (c->out_h - 1) * w->stride_h + (w->kernel_h - 1) * w->dilation_h + 1;
    c->frame_w = (c->out_w - 1) * w->stride_w + (w->kernel_w - 1) * w->dilation_w + 1;
    c->framed = w->top || w->left || c->frame_h > c->in_h || c->frame_w > c->in_w;
    if (c->frame_h < w->top + c->in_h) c->frame_h = w->top + c->in_h;
    if (c->frame_w < w->left + c->in_w) c->frame_w = w->left + c->in_w;
    if (!c->framed) c->frame_h = c->in_h, c->frame_w = c->in_w;
}

/* Where windows begin and their runs lie. */
static rg_err make_tables(const rg_fast_row *r, conv *c)
{
    const rg_window2 *w = &c->window;
    int64_t channels = c->in_channels / c->groups, wide = c->in_blocked ? RG_BLOCK : 1;
    bool lines = !c->in_blocked && w->dilation_w == 1; /* a line of the kernel is a run */
    int64_t columns = lines ? 1 : w->kernel_w, planes = channels / wide;
    int32_t *row = RG_NEW(r->arena, int32_t, c->out_h * c->out_w + 1);
    int32_t *run_at = RG_NEW(r->arena, int32_t, planes * w->kernel_h * columns + 1);
    if (!row || !run_at) return rg_nomem(r->cx);
    c->gemm.a_row = row;
    c->gemm.a_run = run_at;
    c->gemm.run_length = lines ? w->kernel_w : wide;
    for (int64_t oy = 0; oy < c->out_h; oy++)
        for (int64_t ox = 0; ox < c->out_w; ox++)
            *row++ = (int32_t)((oy * w->stride_h * c->frame_w + ox * w->stride_w) * wide);
    for (int64_t plane = 0; plane < planes; plane++)
        for (int64_t ky = 0; ky < w->kernel_h; ky++)
            for (int64_t kx = 0; kx < columns; kx++)
                *run_at++ = (int32_t)((plane * c->frame_h * c->frame_w + ky * w->dilation_h * c->frame_w +
                                       kx * w->dilation_w) * wide);
    return RG_OK;
}

/* W [k, out channels] of one group, k in the order of the runs, times the scale. */
static void order_weights(const rg_fast_row *r, const conv *c, int64_t group, float *to)
{
    const rg_gemm *g = &c->gemm;
    const float *from = (const float *)rg_fast_array(r, r->site.node->in[1])->data + group * g->n * g->k;
    int64_t taps = c->window.kernel_h * c->window.kernel_w, wide = c->in_blocked ? RG_BLOCK : 1;
    for (int64_t o = 0; o < g->n; o++) {
        float scale = r->chain.scale ? r->chain.scale[group * g->n + o] : 1;
        for (int64_t i = 0; i < g->k; i++) {
            int64_t plane = i / (taps * wide), tap = i / wide % taps, channel = plane * wide + i % wide;
            to[i * g->n + o] = scale * from[o * g->k + channel * taps + tap];
        }
    }
}

static rg_err pack(const rg_fast_row *r, conv *c)
{
    const rg_node *n = r->site.node;
    rg_gemm *g = &c->gemm;
    const float *bias = n->in_count > 2 && n->in[2] ? rg_fast_array(r, n->in[2])->data : NULL;
    bool made;
    c->packed_group = (int64_t)rg_gemm_packed_count(g->k, g->n);
    float *packed = RG_WEIGHTS(r, float, c->packed_group * c->groups, &made);
    float *sum = RG_NEW(r->arena, float, c->out_channels);
    float *ordered = made ? NULL : RG_NEW(&r->cx->arena, float, g->k * g->n);
    if (!packed || !sum || (!made && !ordered)) return rg_nomem(r->cx);
    for (int64_t group = 0; !made && group < c->groups; group++) {
        order_weights(r, c, group, ordered);
        rg_gemm_pack(ordered, g->n, 1, g->k, g->n, packed + group * c->packed_group, RG_ALONE);
    }
    for (int64_t o = 0; o < c->out_channels; o++) {
        float scale = r->chain.scale ? r->chain.scale[o] : 1;
        sum[o] = scale * (bias ? bias[o] : 0) + (r->chain.shift ? r->chain.shift[o] : 0);
    }
    g->packed = packed;
    g->epilogue.bias = sum;
    return RG_OK;
}

static bool fits(const rg_fast_row *r, rg_window2 *w)
{
    const rg_node *n = r->site.node;
    if (!rg_node_is(n, "Conv") || !rg_window2_read(r, w)) return false;
    const rg_array *kernel = rg_fast_array(r, n->in[1]);
    bool depthwise = kernel->dim[1] == 1 && rg_op_int(&r->site, "group") > 1; /* fast_depthwise.c */
    return !depthwise && rg_fast_array(r, n->in[0])->count > 0 && kernel->count > 0;
}

static rg_layout_rule layout(const rg_fast_row *r)
{
    rg_window2 w;
    if (!fits(r, &w)) return RG_LAYOUT_PLAIN;
    int64_t groups = rg_op_int(&r->site, "group");
    const rg_array *kernel = rg_fast_array(r, r->site.node->in[1]);
    bool whole = kernel->dim[1] % RG_BLOCK == 0 && kernel->dim[0] / groups % RG_BLOCK == 0;
    return groups == 1 || whole ? RG_LAYOUT_FREE : RG_LAYOUT_PLAIN;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    rg_window2 w;
    *state = NULL;
    if (!fits(r, &w)) return RG_OK;
    conv *c = RG_NEW(r->arena, conv, 1);
    if (!c) return rg_nomem(r->cx);
    c->window = w;
    c->in_blocked = is_blocked(r, r->site.node->in[0]);
    c->out_blocked = is_blocked(r, r->chain.out);
    read_sizes(r, c);
    int64_t pixels = c->out_h * c->out_w, image = c->in_channels * c->frame_h * c->frame_w;
    if (image > INT32_MAX || pixels > INT32_MAX) return RG_OK;
    c->x = rg_fast_array(r, r->site.node->in[0])->data;
    c->gemm = (rg_gemm){
        .m = pixels,
        .n = c->out_channels / c->groups,
        .k = c->in_channels / c->groups * w.kernel_h * w.kernel_w,
        .c = rg_fast_array(r, r->chain.out)->data,
        .epilogue = rg_chain_epilogue(r),
        .c_step = c->out_blocked ? RG_BLOCK : 1,
        .c_block = pixels * RG_BLOCK,
        .c_column = c->out_blocked ? 0 : pixels,
    };
    c->a_group = c->in_channels / c->groups * c->frame_h * c->frame_w;
    c->c_group = c->gemm.n * pixels;
    if (c->framed) c->room = rg_fast_room(r, (size_t)image * sizeof(float));
    RG_TRY(make_tables(r, c));
    RG_TRY(pack(r, c));
    *state = c;
    return RG_OK;
}

RG_FAST(conv) = {
    .name = "conv", .brief = "2-D convolution as a product over the image", .layout = layout, .make = make,
    .run = run,
};
