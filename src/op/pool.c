/* pool.c - windows without weights: MaxPool, AveragePool, LpPool, their global forms, and MaxUnpool.
 *
 * Work per output, k elements in its window: a maximum compares k - 1 times; a mean adds k - 1 times and
 * divides once; a p-norm raises each element to p, adds, and takes one root.
 */
#include "op/share.h"
#include "op/window.h"

#define KERNEL_SHAPE {"kernel_shape", RG_ATTR_INTS, NULL, true, "spatial sizes of the window"}
#define CEIL_MODE {"ceil_mode", RG_ATTR_INT, "0", false, "1: a last window may run over the end"}
#define POWER {"p", RG_ATTR_INT, "2", false, "the norm's exponent"}

static const rg_attr_spec max_attrs[] = {
    RG_WINDOW_AUTO_PAD, CEIL_MODE, RG_WINDOW_DILATIONS, KERNEL_SHAPE, RG_WINDOW_PADS, RG_WINDOW_STRIDES,
    {"storage_order", RG_ATTR_INT, "0", false, "of the indices: 0 row-major, 1 column-major"},
};
static const rg_attr_spec average_attrs[] = {
    RG_WINDOW_AUTO_PAD, CEIL_MODE, RG_WINDOW_DILATIONS, KERNEL_SHAPE, RG_WINDOW_PADS, RG_WINDOW_STRIDES,
    {"count_include_pad", RG_ATTR_INT, "0", false, "1: padding counts as zeros in the mean"},
};
static const rg_attr_spec lp_attrs[] = {
    RG_WINDOW_AUTO_PAD, CEIL_MODE, RG_WINDOW_DILATIONS, KERNEL_SHAPE, POWER, RG_WINDOW_PADS,
    RG_WINDOW_STRIDES,
};
static const rg_attr_spec global_lp_attrs[] = {POWER};
static const rg_attr_spec unpool_attrs[] = {KERNEL_SHAPE, RG_WINDOW_PADS, RG_WINDOW_STRIDES};

static const rg_case max_cases[] = {
    {"f32[1,64,112,112]", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", "f32[1,64,56,56]"},
    {"f32[1,1,4,4]", "kernel_shape=3,3 strides=2,2 ceil_mode=1", "f32[1,1,2,2]"},
    {"f32[1,1,2,2]", "kernel_shape=1,1 strides=2,2 ceil_mode=1", "f32[1,1,1,1]"},
    {"u8[1,1,5,5]", "kernel_shape=5,5 pads=2,2,2,2", "u8[1,1,5,5]"},
    {"f32[n,3,32]", "kernel_shape=[2]", "f32[n,3,31]"},
    {"f32[1,1,4,4]", "kernel_shape=2,2 dilations=2,2", "f32[1,1,2,2]"},
};
static const rg_case average_cases[] = {
    {"f32[1,3,32,32]", "kernel_shape=2,2", "f32[1,3,31,31]"},
    {"f32[1,3,32,32]", "kernel_shape=2,2 auto_pad=\"SAME_LOWER\"", "f32[1,3,32,32]"},
    {"f32[1,3,28,28]", "kernel_shape=3,3 pads=2,2,2,2 count_include_pad=1", "f32[1,3,30,30]"},
    {"f32[1,1,h,7]", "kernel_shape=2,7 strides=2,1", "f32[1,1,(h-2)/2+1,1]"},
};
static const rg_case lp_cases[] = {
    {"f32[1,3,32]", "kernel_shape=[2] p=3", "f32[1,3,31]"},
    {"f32[1,3,28,28]", "kernel_shape=3,3 pads=2,2,2,2", "f32[1,3,30,30]"},
};
static const rg_case global_cases[] = {
    {"f32[1,2048,7,7]", NULL, "f32[1,2048,1,1]"},
    {"f16[n,8,t]", NULL, "f16[n,8,1]"},
};
static const rg_case unpool_cases[] = {
    {"f32[1,1,2,2] i64[1,1,2,2]", "kernel_shape=2,2 strides=2,2", "f32[1,1,4,4]"},
    {"f32[1,1,2,2] i64[1,1,2,2] i64[4]=1,1,5,5", "kernel_shape=2,2 strides=2,2", "f32[1,1,5,5]"},
};

static rg_err infer(const rg_site *s)
{
    rg_window window;
    RG_TRY(rg_need_rank(s, 0, 3, -1));
    rg_type out = *rg_in_type(s, 0);
    RG_TRY(rg_window_read(s, out.rank - 2, NULL, &window));
    bool ceil = rg_op_int(s, "ceil_mode") != 0;
    for (int i = 0; i < window.rank; i++)
        RG_TRY(rg_window_count(s, &window, i, out.dim[2 + i], ceil, &out.dim[2 + i]));
    rg_set_out(s, 0, out);
    out.dtype = RG_I64;
    rg_set_out(s, 1, out); /* the indices of MaxPool */
    return RG_OK;
}

static rg_err global_infer(const rg_site *s)
{
    RG_TRY(rg_need_rank(s, 0, 3, -1));
    rg_type out = *rg_in_type(s, 0);
    for (int i = 2; i < out.rank; i++) out.dim[i] = 1;
    rg_set_out(s, 0, out);
    return RG_OK;
}

/* Outputs and the window of each; `window` 0: the whole spatial extent. */
static void fill(const rg_site *s, rg_work *w)
{
    uint32_t count = 0;
    bool has = rg_node_attr(s->node, "kernel_shape") != NULL; /* the global forms do not list it */
    const int64_t *kernel = has ? rg_op_ints(s, "kernel_shape", &count) : NULL;
    w->family = RG_FAMILY_POOL;
    w->m = rg_out_count(s, 0);
    w->channels = (double)rg_out_dim(s, 0, 1);
    w->spatial = w->channels > 0 ? w->m / w->channels : 0;
    for (uint32_t i = 0; i < count; i++) w->k *= (double)kernel[i];
    if (!kernel) w->k = w->m > 0 ? rg_in_count(s, 0) / w->m : 0;
}

static void max_work(const rg_site *s, rg_work *w)
{
    fill(s, w);
    w->flop = w->m * (w->k > 1 ? w->k - 1 : 0);
}

static void average_work(const rg_site *s, rg_work *w)
{
    max_work(s, w);
    w->special = w->m;
}

/* p = 2 squares; other exponents are powers, counted as special. */
static void lp_work(const rg_site *s, rg_work *w)
{
    max_work(s, w);
    bool squares = rg_op_int(s, "p") == 2;
    w->flop += squares ? w->m * w->k : 0;
    w->special = w->m * (squares ? 1 : w->k + 1);
}

/* LpPool and GlobalLpPool of opset 1 had a floating-point p. */
static rg_err lp_upgrade(const rg_site *s)
{
    const rg_attr *p = rg_node_attr(s->node, "p");
    if (!p || p->kind != RG_ATTR_FLOAT) return RG_OK;
    if (!(p->f >= 1 && p->f <= 64) || p->f != (double)(int)p->f)
        return rg_site_fail(s, RG_UNSUPPORTED, "p is %g, not an integer from 1 to 64", p->f);
    rg_attr whole = {.name = RG_LIT("p"), .kind = RG_ATTR_INT, .i = (int64_t)p->f};
    return rg_node_set_attr(s->cx, s->g, s->id, &whole);
}

static rg_err unpool_infer(const rg_site *s)
{
    uint32_t count;
    rg_window window;
    rg_dims *dims = rg_site_dims(s);
    RG_TRY(rg_need_rank(s, 0, 3, -1));
    rg_type out = *rg_in_type(s, 0);
    RG_TRY(rg_need_rank(s, 1, out.rank, out.rank));
    RG_TRY(rg_window_read(s, out.rank - 2, NULL, &window));
    const rg_dim *stated = rg_in_known(s, 2, &count);
    if (stated && (int)count != out.rank)
        return rg_site_fail(s, RG_SHAPE, "output_shape has %u sizes for rank %d", count, out.rank);
    for (int i = 0; i < out.rank; i++) {
        if (stated)
            out.dim[i] = stated[i];
        else if (rg_has_in(s, 2))
            out.dim[i] = rg_dim_open(s, 1);
        else if (i >= 2) {
            rg_dim size = rg_dim_mul(dims, rg_dim_sub(dims, out.dim[i], 1), window.stride[i - 2]);
            rg_dim pads = rg_dim_add(dims, window.pad_begin[i - 2], window.pad_end[i - 2]);
            out.dim[i] = rg_dim_sub(dims, rg_dim_add(dims, size, window.reach[i - 2]), pads);
        }
    }
    rg_set_out(s, 0, out);
    return RG_OK;
}

RG_OP(max_pool) = {
    .name = "MaxPool", .brief = "maximum of each window, and where it was", .since = 8,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 2,
    RG_SPEC(max_attrs) RG_CASES(max_cases) .infer = infer, .work = max_work,
};

RG_OP(average_pool) = {
    .name = "AveragePool", .brief = "mean of each window", .since = 7,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(average_attrs) RG_CASES(average_cases) .infer = infer, .work = average_work,
};

RG_OP(lp_pool) = {
    .name = "LpPool", .brief = "p-norm of each window", .since = 2,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(lp_attrs) RG_CASES(lp_cases) .infer = infer, .work = lp_work, .upgrade = lp_upgrade,
};

RG_OP(global_max_pool) = {
    .name = "GlobalMaxPool", .brief = "maximum over all spatial axes", .since = 1,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_CASES(global_cases) .infer = global_infer, .work = max_work,
};

RG_OP(global_average_pool) = {
    .name = "GlobalAveragePool", .brief = "mean over all spatial axes", .since = 1,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_CASES(global_cases) .infer = global_infer, .work = average_work,
};

RG_OP(global_lp_pool) = {
    .name = "GlobalLpPool", .brief = "p-norm over all spatial axes", .since = 2,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(global_lp_attrs) RG_CASES(global_cases)
    .infer = global_infer, .work = lp_work, .upgrade = lp_upgrade,
};

static void unpool_work(const rg_site *s, rg_work *w) { rg_work_copy(s, w); }

RG_OP(max_unpool) = {
    .name = "MaxUnpool", .brief = "puts pooled elements back where their maxima were", .since = 9,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(unpool_attrs) RG_CASES(unpool_cases) .infer = unpool_infer, .work = unpool_work,
};
