/* fast_conv.c - a convolution of one or two spatial axes as a product whose left side is the image itself.
 *
 *     C [pixels, out channels] = A [pixels, k] W [k, out channels]        k = in channels * kernel
 *
 * A row of A is an output pixel's window: it begins where the window does, and its runs are the taps. In the
 * blocked layout a run is the 8 channels of a block, in the plain one the taps of a kernel's line. A window
 * that reaches beyond the image makes a copy with a frame of zeros necessary. Scale and shift of a
 * BatchNormalization are folded into W and the bias when the model is loaded. A plain image of enough
 * channels is copied into blocks first. Groups of fewer channels than a block are joined to blocks, with
 * zeros in W where a result does not see a channel: the vector has the room. Pixels that windows pass over
 * would fill the near caches with what nobody reads: a copy has none.
 */
#include "exec/conv_share.h"
#include "exec/f32x8.h"
#include "exec/pointwise.h"
#include "exec/winograd.h"
#include "op/window.h"

enum {
    GROUPS_EACH = 4,   /* of a worker, from which on it has groups of its own: shares are even enough */
    SCATTER_ROWS = 48, /* of a product at a time, where results are put in their places one by one */
    GATHER_WORTH = 96, /* multiply-adds with an element, from which on moving it, about 1 ns, pays: runs of 8
                        * are multiplied at 90 GFLOP/s on a core of today, single elements at 50 */
};

typedef struct conv {
    int64_t batch, groups, in_channels, in_h, in_w, out_channels, out_h, out_w;
    int64_t joined;                  /* groups of the model in one of ours */
    bool apart;                      /* each worker has groups of its own */
    rg_window2 window;
    bool in_blocked, out_blocked;
    rg_frame frame;
    const float *x;
    char *const *room;               /* frames, then for each worker what it scatters */
    rg_gemm gemm;                    /* of the first image and group */
    int64_t a_group, c_group, packed_group; /* floats from group to group */
    rg_winograd *winograd;           /* instead of the product; or NULL */
    rg_pointwise *pointwise;         /* as well */
} conv;

/* ---- running ---- */

static int64_t panels_of(int64_t n) { return (n + rg_gemm_nr() - 1) / rg_gemm_nr() * rg_gemm_nr(); }

/* A row-major piece that goes into the columns of C, `rows` of it. */
typedef struct scatter { const rg_gemm *g; const float *piece; float *to; int64_t wide, rows; } scatter;

/* Columns from..to-1: squares of eight, then what is left. */
RG_INLINE void place(const scatter *s, int64_t from, int64_t to)
{
    int64_t step = s->g->c_column;
    for (int64_t j = from; j < to; j += RG_BLOCK) {
        int64_t i = 0, count = to - j < RG_BLOCK ? to - j : RG_BLOCK;
        for (; count == RG_BLOCK && i + RG_BLOCK <= s->rows; i += RG_BLOCK) {
            rg_f32x8 v[RG_BLOCK];
            RG_UNROLLED
            for (int k = 0; k < RG_BLOCK; k++) v[k] = rg_load8(s->piece + (i + k) * s->wide + j);
            rg_turn8(v);
            RG_UNROLLED
            for (int k = 0; k < RG_BLOCK; k++) rg_store8(s->to + (j + k) * step + i, v[k]);
        }
        for (int64_t k = 0; k < count; k++)
            for (int64_t rest = i; rest < s->rows; rest++)
                s->to[(j + k) * step + rest] = s->piece[rest * s->wide + j + k];
    }
}
RG_FOR_MACHINE(place, scatter)

/* Results in the plain layout: a row-major piece at a time, then its columns. */
static void run_scattered(const rg_gemm *whole, float *piece, rg_part part)
{
    const rg_epilogue *e = &whole->epilogue;
    int64_t from, to, wide = panels_of(whole->n);
    bool early = !e->add; /* the activation belongs behind the addition */
    rg_part_of(part, whole->m, rg_gemm_mr(), &from, &to);
    for (int64_t row = from; row < to; row += SCATTER_ROWS) {
        rg_gemm g = *whole;
        g.m = to - row < SCATTER_ROWS ? to - row : SCATTER_ROWS;
        g.n = wide;
        if (g.a_row) g.a_row += row;
        else g.a += row * g.a_step;
        g.c = piece, g.c_step = wide, g.c_block = RG_BLOCK, g.c_column = 0;
        g.epilogue.add = NULL;
        if (!early) g.epilogue.act = RG_ACT_NONE;
        rg_gemm_run(&g, RG_ALONE);
        scatter s = {whole, piece, whole->c + row, wide, g.m};
        place_best(&s, 0, whole->n);
        for (int64_t j = 0; !early && j < whole->n; j++) {
            float *line = s.to + j * whole->c_column;
            const float *add = e->add + j * whole->c_column + row;
            for (int64_t i = 0; i < g.m; i++) line[i] += add[i];
            if (e->act) rg_act_run(e, line, line, g.m);
        }
    }
}

/* own: room for a group's frame, which then is in a near cache when it is read; NULL: the image is framed. */
static void run_groups(const conv *c, const float *image, int64_t n, int64_t from, int64_t to, float *own,
                       float *piece, rg_part part)
{
    int64_t out_size = c->out_channels * c->out_h * c->out_w;
    rg_frame frame = c->frame;
    frame.planes /= c->groups;
    for (int64_t i = from; i < to; i++) {
        rg_gemm g = c->gemm;
        g.a = own ? own : image + i * c->a_group;
        if (own) rg_frame_fill(&frame, image + i * frame.planes * c->in_h * c->in_w * frame.wide, own, part);
        g.c += n * out_size + i * c->c_group;
        g.packed += i * c->packed_group;
        g.epilogue.bias += i * g.n;
        if (g.epilogue.add) g.epilogue.add += n * out_size + i * c->c_group;
        if (g.c_column) run_scattered(&g, piece, part);
        else rg_gemm_run(&g, part);
    }
}

static int64_t piece_count(const conv *c)
{
    return c->gemm.c_column ? SCATTER_ROWS * panels_of(c->gemm.n) : 0;
}
/* Of the frame, or of one for each worker's groups. */
static int64_t framed_count(const conv *c)
{
    int64_t count = rg_frame_count(&c->frame) / (c->apart ? c->groups : 1);
    return c->frame.needed ? (count + RG_BLOCK) / RG_BLOCK * RG_BLOCK : 0;
}

static void run(void *state, rg_part part)
{
    const conv *c = state;
    if (c->winograd) {
        rg_winograd_run(c->winograd, part);
        return;
    }
    if (c->pointwise) {
        rg_pointwise_run(c->pointwise, part);
        return;
    }
    int64_t in_size = c->in_channels * c->in_h * c->in_w, from = 0, to = c->groups;
    int64_t frames = c->apart ? part.workers : 1;
    float *framed = c->room ? (float *)(void *)*c->room : NULL, *own = NULL;
    float *piece = framed ? framed + frames * framed_count(c) + part.worker * piece_count(c) : NULL;
    if (c->apart) rg_part_of(part, c->groups, 1, &from, &to);
    if (c->apart && c->frame.needed) own = framed + part.worker * framed_count(c);
    for (int64_t n = 0; n < c->batch; n++) {
        const float *image = c->x + n * in_size;
        if (c->frame.needed && !own) {
            if (n) rg_team_barrier(part); /* all are done with the image before */
            rg_frame_fill(&c->frame, image, framed, part);
            rg_team_barrier(part);
            image = framed;
        }
        run_groups(c, image, n, from, to, own, piece, c->apart ? RG_ALONE : part);
    }
}

/* ---- making ---- */

static bool is_blocked(const rg_fast_row *r, rg_value_id v) { return r->blocked && r->blocked[v]; }

/* Groups that come to whole blocks of channels, in and out: the fewest; 0: none do. */
static int64_t join(const rg_array *kernel, int64_t groups)
{
    for (int64_t count = 1; count < RG_BLOCK; count *= 2)
        if (groups % count == 0 && kernel->dim[1] * count % RG_BLOCK == 0 &&
            kernel->dim[0] / groups * count % RG_BLOCK == 0)
            return count;
    return 0;
}

static void read_sizes(const rg_fast_row *r, conv *c)
{
    const rg_array *x = rg_fast_array(r, r->site.node->in[0]), *y = rg_fast_array(r, r->chain.out);
    const rg_window2 *w = &c->window;
    bool line = x->rank == 3; /* one spatial axis is the second one of an image of one line */
    c->batch = x->dim[0], c->in_channels = x->dim[1], c->out_channels = y->dim[1];
    c->in_h = line ? 1 : x->dim[2], c->in_w = x->dim[line ? 2 : 3];
    c->out_h = line ? 1 : y->dim[2], c->out_w = y->dim[line ? 2 : 3];
    int64_t wide = c->in_blocked ? RG_BLOCK : 1, before[] = {w->top, w->left};
    int64_t after[] = {(c->out_h - 1) * w->stride_h + (w->kernel_h - 1) * w->dilation_h + 1 - w->top,
                       (c->out_w - 1) * w->stride_w + (w->kernel_w - 1) * w->dilation_w + 1 - w->left};
    c->frame = rg_frame_of(c->in_channels / wide, c->in_h, c->in_w, wide, before, after);
    int64_t blocks = (c->in_channels + RG_BLOCK - 1) / RG_BLOCK;
    bool full = blocks * RG_BLOCK * 4 <= c->in_channels * 5; /* zeros are a fifth of the work at most */
    bool worth = c->out_channels / c->groups * w->kernel_h * w->kernel_w >= GATHER_WORTH;
    if (wide == 1 && c->groups == 1 && full && worth) rg_frame_gather(&c->frame, c->in_channels);
    bool holes = w->kernel_h == 1 && w->kernel_w == 1 && (w->stride_h > 1 || w->stride_w > 1);
    if (wide > 1 && holes && worth && !c->frame.needed) {
        rg_frame_thin(&c->frame, w->stride_h, w->stride_w, c->out_h, c->out_w);
        c->window.stride_h = c->window.stride_w = 1;
    }
}

/* Where windows begin, in a table unless they follow each other, and where their runs lie. */
static rg_err make_tables(const rg_fast_row *r, conv *c)
{
    const rg_window2 *w = &c->window;
    const rg_frame *f = &c->frame;
    bool lines = f->wide == 1 && w->dilation_w == 1; /* a line of the kernel is a run */
    int64_t columns = lines ? 1 : w->kernel_w, planes = f->planes / c->groups;
    int32_t *row = RG_NEW(r->arena, int32_t, c->out_h * c->out_w + 1);
    int32_t *run_at = RG_NEW(r->arena, int32_t, planes * w->kernel_h * columns + 1);
    if (!row || !run_at) return rg_nomem(r->cx);
    bool follow = w->stride_h == 1 && w->stride_w == 1 && c->out_w == f->w;
    c->gemm.a_row = follow ? NULL : row;
    c->gemm.a_step = f->wide;
    c->gemm.a_run = run_at;
    c->gemm.run_length = lines ? w->kernel_w : f->wide;
    for (int64_t oy = 0; !follow && oy < c->out_h; oy++)
        for (int64_t ox = 0; ox < c->out_w; ox++)
            *row++ = (int32_t)((oy * w->stride_h * f->w + ox * w->stride_w) * f->wide);
    for (int64_t plane = 0; plane < planes; plane++)
        for (int64_t ky = 0; ky < w->kernel_h; ky++)
            for (int64_t kx = 0; kx < columns; kx++)
                *run_at++ = (int32_t)((plane * f->h * f->w + ky * w->dilation_h * f->w + kx * w->dilation_w) *
                                      f->wide);
    return RG_OK;
}

/* W [k, out channels] of one group of ours, k in the order of the runs, times the scale. */
static void order_weights(const rg_fast_row *r, const conv *c, int64_t group, float *to)
{
    const rg_gemm *g = &c->gemm;
    const float *from = rg_fast_array(r, r->site.node->in[1])->data;
    int64_t taps = c->window.kernel_h * c->window.kernel_w, wide = c->frame.wide;
    int64_t in_each = c->in_channels / c->groups / c->joined, out_each = g->n / c->joined;
    for (int64_t o = 0; o < g->n; o++) {
        int64_t out = group * g->n + o, first = o / out_each * in_each; /* channel that it sees */
        float scale = rg_conv_scale(r, out);
        for (int64_t i = 0; i < g->k; i++) {
            int64_t tap = i / wide % taps, channel = i / (taps * wide) * wide + i % wide - first;
            bool seen = channel >= 0 && channel < in_each;
            to[i * g->n + o] = seen ? scale * from[(out * in_each + channel) * taps + tap] : 0;
        }
    }
}

static rg_err pack(const rg_fast_row *r, conv *c)
{
    rg_gemm *g = &c->gemm;
    bool made;
    c->packed_group = (int64_t)rg_gemm_packed_count(g->k, g->n);
    float *packed = RG_WEIGHTS(r, float, c->packed_group * c->groups, &made);
    float *ordered = made ? NULL : RG_NEW(r->making, float, g->k * g->n);
    if (!packed || (!made && !ordered)) return rg_nomem(r->cx);
    for (int64_t group = 0; !made && group < c->groups; group++) {
        order_weights(r, c, group, ordered);
        rg_gemm_pack(ordered, g->n, 1, g->k, g->n, packed + group * c->packed_group, RG_ALONE);
    }
    g->packed = packed;
    return RG_OK;
}

static rg_err make_product(const rg_fast_row *r, conv *c)
{
    int64_t pixels = c->out_h * c->out_w;
    rg_gemm *g = &c->gemm;
    g->m = pixels, g->n = c->out_channels / c->groups;
    g->k = c->frame.planes * c->frame.wide / c->groups * c->window.kernel_h * c->window.kernel_w;
    g->c_step = c->out_blocked ? RG_BLOCK : 1;
    g->c_block = pixels * RG_BLOCK;
    g->c_column = c->out_blocked ? 0 : pixels;
    c->a_group = rg_frame_count(&c->frame) / c->groups;
    c->c_group = g->n * pixels;
    int64_t floats = (c->apart ? r->workers : 1) * framed_count(c) + r->workers * piece_count(c);
    if (floats) c->room = rg_fast_room(r, (size_t)floats * sizeof(float));
    RG_TRY(make_tables(r, c));
    return pack(r, c);
}

/* c->winograd where that is the better way. */
static rg_err try_winograd(const rg_fast_row *r, conv *c)
{
    const rg_window2 *w = &c->window;
    bool fits = w->kernel_h == 3 && w->kernel_w == 3 && w->stride_h == 1 && w->stride_w == 1 &&
                w->dilation_h == 1 && w->dilation_w == 1 && c->joined == 1;
    if (!fits || !c->in_blocked || !c->out_blocked) return RG_OK;
    const float *weights = rg_fast_array(r, r->site.node->in[1])->data;
    rg_winograd *o = RG_NEW(r->arena, rg_winograd, 1);
    bool made;
    int *m = RG_WEIGHTS(r, int, 1, &made);
    if (!o || !m) return rg_nomem(r->cx);
    *o = (rg_winograd){
        .batch = c->batch,
        .groups = c->groups,
        .in_channels = c->in_channels,
        .in_h = c->in_h,
        .in_w = c->in_w,
        .out_channels = c->out_channels,
        .out_h = c->out_h,
        .out_w = c->out_w,
        .top = w->top,
        .left = w->left,
        .x = c->x,
        .y = c->gemm.c,
        .epilogue = c->gemm.epilogue,
    };
    if (!made) RG_TRY(rg_winograd_choose(r, o, weights, m));
    if (!*m) return RG_OK;
    int64_t in = o->in_channels / o->groups, out = o->out_channels / o->groups;
    size_t count = rg_winograd_packed_count(*m, in, out);
    float *packed = RG_WEIGHTS(r, float, count * (size_t)o->groups, &made);
    if (!packed) return rg_nomem(r->cx);
    for (int64_t i = 0; !made && i < o->groups; i++)
        rg_winograd_pack(*m, weights + i * out * in * 9, r->chain.scale ? r->chain.scale + i * out : NULL, in,
                         out, packed + count * (size_t)i);
    o->m = *m;
    o->packed = packed;
    rg_winograd_deal(o, r->workers);
    o->room = rg_fast_room(r, rg_winograd_room_count(o, r->workers) * sizeof(float));
    c->winograd = o;
    return RG_OK;
}

/* c->pointwise where that is the better way. */
static rg_err try_pointwise(const rg_fast_row *r, conv *c)
{
    const rg_window2 *w = &c->window;
    bool fits = w->kernel_h * w->kernel_w == 1 && w->stride_h * w->stride_w == 1 && c->groups == 1 &&
                c->in_h == c->out_h && c->in_w == c->out_w && w->top == 0 && w->left == 0;
    rg_pointwise p = {
        .batch = c->batch,
        .in_channels = c->in_channels,
        .out_channels = c->out_channels,
        .pixels = c->out_h * c->out_w,
        .x = c->x,
        .y = c->gemm.c,
        .epilogue = c->gemm.epilogue,
    };
    if (!fits || c->in_blocked || c->out_blocked || !rg_pointwise_pays(&p)) return RG_OK;
    const float *from = rg_fast_array(r, r->site.node->in[1])->data;
    bool made;
    float *weights = RG_WEIGHTS(r, float, p.out_channels * p.in_channels, &made);
    c->pointwise = RG_NEW(r->arena, rg_pointwise, 1);
    if (!weights || !c->pointwise) return rg_nomem(r->cx);
    for (int64_t i = 0; !made && i < p.out_channels * p.in_channels; i++)
        weights[i] = rg_conv_scale(r, i / p.in_channels) * from[i];
    p.weights = weights;
    p.room = rg_fast_room(r, rg_pointwise_room_count(&p, r->workers) * sizeof(float));
    *c->pointwise = p;
    return RG_OK;
}

static bool fits(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    if (!rg_node_is(n, "Conv") || !rg_conv_is_constant(r)) return false;
    const rg_array *x = rg_fast_array(r, n->in[0]), *kernel = rg_fast_array(r, n->in[1]);
    if (x->rank != kernel->rank || x->rank < 3 || x->rank > 4 || x->count < 1 || kernel->count < 1)
        return false;
    int64_t limit = INT32_MAX / 4; /* of floats in a framed image: tables are numbers of 32 bits */
    bool depthwise = x->rank == 4 && kernel->dim[1] == 1 && rg_op_int(&r->site, "group") > 1;
    return !depthwise && x->count / x->dim[0] < limit && rg_fast_array(r, n->out[0])->count > 0;
}

static rg_layout_rule layout(const rg_fast_row *r)
{
    if (!fits(r)) return RG_LAYOUT_PLAIN;
    int64_t groups = rg_op_int(&r->site, "group");
    bool whole = groups == 1 || join(rg_fast_array(r, r->site.node->in[1]), groups);
    return whole ? RG_LAYOUT_FREE : RG_LAYOUT_PLAIN;
}

static rg_err read_window(const rg_fast_row *r, rg_window2 *out)
{
    const rg_node *n = r->site.node;
    const rg_array *x = rg_fast_array(r, n->in[0]), *y = rg_fast_array(r, n->out[0]);
    rg_window w;
    int first = 4 - x->rank; /* axis of ours that the model's first one is */
    RG_TRY(rg_window_read(&r->site, x->rank - 2, &rg_fast_array(r, n->in[1])->dim[2], &w));
    int64_t kernel[] = {1, 1}, stride[] = {1, 1}, dilation[] = {1, 1}, front[] = {0, 0};
    for (int i = 0; i < w.rank; i++) {
        int64_t in = x->dim[2 + i], count = y->dim[2 + i];
        kernel[first + i] = w.kernel[i], stride[first + i] = w.stride[i], dilation[first + i] = w.dilation[i];
        front[first + i] = w.auto_pad == RG_PAD_SAME
                               ? rg_window_front(&w, (count - 1) * w.stride[i] + w.reach[i] - in)
                               : w.pad_begin[i];
    }
    *out = (rg_window2){kernel[0],   kernel[1],   stride[0], stride[1],
                        dilation[0], dilation[1], front[0],  front[1]};
    return RG_OK;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    *state = NULL;
    if (!fits(r)) return RG_OK;
    const rg_node *n = r->site.node;
    conv *c = RG_NEW(r->arena, conv, 1);
    if (!c) return rg_nomem(r->cx);
    RG_TRY(read_window(r, &c->window));
    c->in_blocked = is_blocked(r, n->in[0]);
    c->out_blocked = is_blocked(r, r->chain.out);
    c->groups = rg_op_int(&r->site, "group");
    c->joined =
        c->groups > 1 && (c->in_blocked || c->out_blocked) ? join(rg_fast_array(r, n->in[1]), c->groups) : 1;
    c->groups /= c->joined;
    c->apart = c->groups >= GROUPS_EACH * (int64_t)r->workers;
    read_sizes(r, c);
    c->x = rg_fast_array(r, n->in[0])->data;
    c->gemm.c = rg_fast_array(r, r->chain.out)->data;
    c->gemm.epilogue = rg_chain_epilogue(r);
    RG_TRY(rg_conv_bias(r, c->out_channels, &c->gemm.epilogue.bias));
    RG_TRY(try_winograd(r, c));
    RG_TRY(try_pointwise(r, c));
    if (!c->winograd && !c->pointwise) RG_TRY(make_product(r, c));
    *state = c;
    return RG_OK;
}

RG_FAST(conv) = {
    .name = "conv",
    .brief = "convolution as a product over the image",
    .layout = layout,
    .make = make,
    .run = run,
};
