/* pool.c - windows without weights: MaxPool, AveragePool, LpPool, their global forms, and MaxUnpool.
 *
 * Work per output, k elements in its window: a maximum compares k - 1 times; a mean adds k - 1 times and
 * divides once; a p-norm raises each element to p, adds, and takes one root.
 *
 * A window sees only what lies inside the input; one that sees nothing has maximum -inf (the least integer)
 * and mean NaN. Mean: divided by the elements seen, or by those in the input and its padding. NaN is the
 * greatest.
 */
#include "op/share.h"
#include "op/window.h"

#include <math.h>

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

/* ---- kernels ---- */

typedef struct pooling { rg_slide slide; const double *x; int64_t planes; } pooling;

/* The global forms have one window, as large as the input. */
static rg_err open_pooling(const rg_run *r, bool global, pooling *p)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    rg_window w = {.rank = x->rank - 2};
    RG_TRY(rg_need_numbers(r));
    for (int i = 0; i < w.rank; i++) {
        w.kernel[i] = w.reach[i] = x->dim[2 + i];
        w.stride[i] = w.dilation[i] = 1;
    }
    if (!global) RG_TRY(rg_window_read(&r->site, x->rank - 2, NULL, &w));
    RG_TRY(rg_slide_init(r, &w, &x->dim[2], &y->dim[2], &p->slide));
    p->planes = y->count > 0 ? y->count / p->slide.window_count : 0;
    p->x = rg_doubles(r, x);
    return p->x ? RG_OK : rg_nomem(r->site.cx);
}

/* Of the window in one plane: the first greatest element; -1: it sees none. */
static int64_t greatest(const rg_slide *s, const double *x)
{
    int64_t best = s->tap_count ? s->taps[0].at : -1;
    for (int64_t t = 1; t < s->tap_count; t++) {
        int64_t at = s->taps[t].at;
        if (x[at] > x[best] || (isnan(x[at]) && !isnan(x[best]))) best = at;
    }
    return best;
}

/* The index of an element of a plane when the first axis, not the last, is the fastest. */
static int64_t by_columns(const rg_slide *s, int64_t at)
{
    int64_t index = 0;
    for (int i = s->rank - 1; i >= 0; at /= s->over[i--]) {
        int64_t step = 1;
        for (int k = 0; k < i; k++) step *= s->over[k];
        index += at % s->over[i] * step;
    }
    return index;
}

static rg_err find_maxima(const rg_run *r, bool global, bool columns)
{
    const rg_array *y = rg_result(r, 0), *indices = rg_result(r, 1);
    pooling p;
    RG_TRY(open_pooling(r, global, &p));
    rg_slide *s = &p.slide;
    for (int64_t o = 0; o < s->window_count; o++) {
        rg_slide_to(s, o);
        for (int64_t c = 0; c < p.planes; c++) {
            const double *plane = p.x + c * s->over_count;
            int64_t best = greatest(s, plane);
            rg_put(y, c * s->window_count + o, best < 0 ? -INFINITY : plane[best]);
            if (best >= 0) best = c * s->over_count + (columns ? by_columns(s, best) : best);
            if (indices) rg_put_int(indices, c * s->window_count + o, best);
        }
    }
    return RG_OK;
}

static rg_err max_run(const rg_run *r)
{
    return find_maxima(r, false, rg_op_int(&r->site, "storage_order") != 0);
}

static rg_err global_max_run(const rg_run *r) { return find_maxima(r, true, false); }

static rg_err take_means(const rg_run *r, bool global, bool padded)
{
    pooling p;
    RG_TRY(open_pooling(r, global, &p));
    rg_slide *s = &p.slide;
    for (int64_t o = 0; o < s->window_count; o++) {
        rg_slide_to(s, o);
        double count = padded ? rg_slide_padded(s) : (double)s->tap_count;
        for (int64_t c = 0; c < p.planes; c++) {
            double sum = 0;
            for (int64_t t = 0; t < s->tap_count; t++) sum += p.x[c * s->over_count + s->taps[t].at];
            rg_put(rg_result(r, 0), c * s->window_count + o, sum / count);
        }
    }
    return RG_OK;
}

static rg_err average_run(const rg_run *r)
{
    return take_means(r, false, rg_op_int(&r->site, "count_include_pad") != 0);
}

static rg_err global_average_run(const rg_run *r) { return take_means(r, true, false); }

static double power_sum(const rg_slide *s, const double *x, double power)
{
    double sum = 0;
    for (int64_t t = 0; t < s->tap_count; t++) {
        double size = fabs(x[s->taps[t].at]);
        sum += power == 1 ? size : power == 2 ? size * size : pow(size, power);
    }
    return sum;
}

static rg_err take_norms(const rg_run *r, bool global)
{
    double power = (double)rg_op_int(&r->site, "p");
    pooling p;
    RG_TRY(open_pooling(r, global, &p));
    rg_slide *s = &p.slide;
    for (int64_t o = 0; o < s->window_count; o++) {
        rg_slide_to(s, o);
        for (int64_t c = 0; c < p.planes; c++) {
            double sum = power_sum(s, p.x + c * s->over_count, power);
            double norm = power == 1 ? sum : power == 2 ? sqrt(sum) : pow(sum, 1 / power);
            rg_put(rg_result(r, 0), c * s->window_count + o, norm);
        }
    }
    return RG_OK;
}

static rg_err lp_run(const rg_run *r) { return take_norms(r, false); }

static rg_err global_lp_run(const rg_run *r) { return take_norms(r, true); }

/* ---- MaxUnpool: what MaxPool with the same window would have read ---- */

static rg_dim unpooled(rg_dims *dims, const rg_window *w, int i, rg_dim in)
{
    rg_dim size = rg_dim_mul(dims, rg_dim_sub(dims, in, 1), w->stride[i]);
    size = rg_dim_add(dims, size, w->reach[i]);
    return rg_dim_sub(dims, size, rg_dim_add(dims, w->pad_begin[i], w->pad_end[i]));
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
        else if (i >= 2)
            out.dim[i] = unpooled(dims, &window, i - 2, out.dim[i]);
    }
    rg_set_out(s, 0, out);
    return RG_OK;
}

/* Where index `at` of the tensor that was pooled, of sizes `whole`, lies in y; -1 when it does not. */
static int64_t place_in(const rg_array *y, const int64_t *whole, int64_t at)
{
    int64_t place = 0, step = 1;
    if (at < 0) return -1;
    for (int i = y->rank - 1; i >= 0; at /= whole[i--]) {
        if (whole[i] <= 0 || at % whole[i] >= y->dim[i]) return -1;
        place += at % whole[i] * step;
        step *= y->dim[i];
    }
    return at == 0 ? place : -1;
}

/* An index is of the sizes that follow from the window, whatever output_shape says. */
static rg_err unpool_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *indices = rg_arg(r, 1), *y = rg_result(r, 0);
    int64_t whole[RG_RANK_MAX] = {x->dim[0], x->dim[1]};
    rg_window w;
    if (indices->count != x->count)
        return rg_run_fail(r, RG_SHAPE, "%lld indices for %lld elements", (long long)indices->count,
                           (long long)x->count);
    RG_TRY(rg_window_read(&r->site, x->rank - 2, NULL, &w));
    for (int i = 2; i < x->rank; i++) whole[i] = unpooled(rg_site_dims(&r->site), &w, i - 2, x->dim[i]);
    rg_clear(y);
    for (int64_t i = 0; i < x->count; i++) {
        int64_t at = rg_get_int(indices, i), place = place_in(y, whole, at);
        if (place < 0)
            return rg_run_fail(r, RG_INPUT, "index %lld at %lld is outside of the output", (long long)at,
                               (long long)i);
        rg_copy(y, place, x, i);
    }
    return RG_OK;
}

RG_OP(max_pool) = {
    .name = "MaxPool", .brief = "maximum of each window, and where it was", .since = 8,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 2,
    RG_SPEC(max_attrs) RG_CASES(max_cases)
    .infer = infer, .work = max_work, .run = max_run,
};

RG_OP(average_pool) = {
    .name = "AveragePool", .brief = "mean of each window", .since = 7,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(average_attrs) RG_CASES(average_cases)
    .infer = infer, .work = average_work, .run = average_run,
};

RG_OP(lp_pool) = {
    .name = "LpPool", .brief = "p-norm of each window", .since = 2,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(lp_attrs) RG_CASES(lp_cases)
    .infer = infer, .work = lp_work, .run = lp_run, .upgrade = lp_upgrade,
};

RG_OP(global_max_pool) = {
    .name = "GlobalMaxPool", .brief = "maximum over all spatial axes", .since = 1,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_CASES(global_cases) .infer = global_infer, .work = max_work, .run = global_max_run,
};

RG_OP(global_average_pool) = {
    .name = "GlobalAveragePool", .brief = "mean over all spatial axes", .since = 1,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_CASES(global_cases) .infer = global_infer, .work = average_work, .run = global_average_run,
};

RG_OP(global_lp_pool) = {
    .name = "GlobalLpPool", .brief = "p-norm over all spatial axes", .since = 2,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(global_lp_attrs) RG_CASES(global_cases)
    .infer = global_infer, .work = lp_work, .run = global_lp_run, .upgrade = lp_upgrade,
};

static void unpool_work(const rg_site *s, rg_work *w) { rg_work_copy(s, w); }

RG_OP(max_unpool) = {
    .name = "MaxUnpool", .brief = "puts pooled elements back where their maxima were", .since = 9,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(unpool_attrs) RG_CASES(unpool_cases) .infer = unpool_infer, .work = unpool_work,
    .run = unpool_run,
};
