/* conv_transpose.c - ConvTranspose, the gradient of a convolution: every input position adds a whole kernel
 * to the output.
 *
 *     output = stride * (input - 1) + output_padding + reach - pads
 *
 * unless output_shape states it, or auto_pad SAME does: stride * input. Then the pads are what is too much.
 */
#include "op/convolve.h"
#include "op/share.h"

static const rg_attr_spec attrs[] = {
    RG_CONV_ATTRS,
    {"output_padding", RG_ATTR_INTS, NULL, false, "added behind each spatial axis of the output; preset 0"},
    {"output_shape", RG_ATTR_INTS, NULL, false, "spatial sizes of the output; the pads follow from it"},
};

static const rg_case cases[] = {
    {"f32[1,64,16,16] f32[64,32,4,4] f32[32]", "strides=2,2 pads=1,1,1,1", "f32[1,32,32,32]"},
    {"f32[1,1,3,3] f32[1,2,3,3]", NULL, "f32[1,2,5,5]"},
    {"f32[1,1,3,3] f32[1,2,3,3]", "strides=3,2 output_padding=1,1", "f32[1,2,10,8]"},
    {"f32[1,1,3,3] f32[1,2,3,3]", "strides=3,2 output_shape=10,8", "f32[1,2,10,8]"},
    {"f32[1,1,3,3] f32[1,2,3,3]", "strides=2,2 auto_pad=\"SAME_UPPER\"", "f32[1,2,6,6]"},
    {"f32[1,4,t] f32[4,3,2]", "strides=[2] group=2", "f32[1,6,t*2]"},
};

/* Numbers of an optional attribute, one for each spatial axis. An output_shape that lists batch and channels
 * too, as some exporters write it, is read from its end. */
static rg_err read_sizes(const rg_site *s, const char *name, int rank, const int64_t **out)
{
    uint32_t count;
    const int64_t *sizes = rg_op_ints(s, name, &count);
    *out = NULL;
    if (!sizes) return RG_OK;
    if ((int)count != rank && (int)count != rank + 2)
        return rg_site_fail(s, RG_SHAPE, "%s has %u numbers, needs %d", name, count, rank);
    *out = sizes + (count - (uint32_t)rank);
    for (uint32_t i = 0; i < count; i++)
        if (sizes[i] < 0)
            return rg_site_fail(s, RG_SHAPE, "%s[%u] is %lld", name, i, (long long)sizes[i]);
    return RG_OK;
}

static rg_dim out_size(rg_dims *dims, const rg_window *w, int i, rg_dim in, int64_t extra)
{
    if (w->auto_pad == RG_PAD_SAME) return rg_dim_mul(dims, in, w->stride[i]);
    rg_dim out = rg_dim_mul(dims, rg_dim_sub(dims, in, 1), w->stride[i]);
    out = rg_dim_add(dims, rg_dim_add(dims, out, w->reach[i]), extra);
    return rg_dim_sub(dims, out, rg_dim_add(dims, w->pad_begin[i], w->pad_end[i]));
}

static rg_err infer(const rg_site *s)
{
    rg_dims *dims = rg_site_dims(s);
    const int64_t *stated, *padding;
    rg_window window;
    rg_dtype dtype;
    rg_dim same;
    RG_TRY(rg_need_dtype(s, 0, 3, &dtype));
    RG_TRY(rg_need_rank(s, 0, 3, -1));
    const rg_type *x = rg_in_type(s, 0), *w = rg_in_type(s, 1);
    RG_TRY(rg_need_rank(s, 1, x->rank, x->rank));
    int64_t group = rg_op_int(s, "group");
    if (group < 1) return rg_site_fail(s, RG_SHAPE, "group is %lld, less than 1", (long long)group);
    RG_TRY(rg_need_equal(s, "input channels, and those that the weights take", x->dim[1], w->dim[0], &same));
    RG_TRY(rg_window_read(s, x->rank - 2, &w->dim[2], &window));
    RG_TRY(read_sizes(s, "output_shape", window.rank, &stated));
    RG_TRY(read_sizes(s, "output_padding", window.rank, &padding));
    rg_type out = rg_type_tensor(dtype, x->rank, x->dim);
    out.dim[1] = rg_dim_mul(dims, w->dim[1], group);
    for (int i = 0; i < window.rank; i++) {
        rg_dim size = out_size(dims, &window, i, x->dim[2 + i], padding ? padding[i] : 0);
        out.dim[2 + i] = stated ? stated[i] : size;
    }
    rg_set_out(s, 0, out);
    return rg_conv_need_bias(s, 2, out.dim[1]);
}

static void work(const rg_site *s, rg_work *w)
{
    double group = (double)rg_op_int(s, "group"), channels = (double)rg_in_dim(s, 0, 1);
    w->family = RG_FAMILY_CONV;
    w->batch = group;
    w->m = channels > 0 ? rg_in_count(s, 0) / channels : 0;
    w->n = (double)rg_in_dim(s, 1, 1) * rg_conv_kernel_count(s, 1);
    w->k = channels / group;
    w->mac = w->batch * w->m * w->n * w->k;
    w->flop = 2 * w->mac + (rg_has_in(s, 2) ? rg_out_count(s, 0) : 0);
    w->channels = (double)rg_out_dim(s, 0, 1);
    w->spatial = w->channels > 0 ? rg_out_count(s, 0) / w->channels : 0;
    w->weight_in_b = rg_in_is_const(s, 1);
}

/* ---- kernel: the windows slide over the output, and add to it what a convolution would read there ---- */

/* Pads that make the output what it is, where they are not stated. */
static rg_err read_pads(const rg_run *r, const rg_array *x, const rg_array *y, rg_window *w)
{
    const int64_t *stated, *padding;
    RG_TRY(read_sizes(&r->site, "output_shape", w->rank, &stated));
    RG_TRY(read_sizes(&r->site, "output_padding", w->rank, &padding));
    if (!stated && w->auto_pad != RG_PAD_SAME) return RG_OK;
    rg_dims *dims = rg_site_dims(&r->site);
    w->auto_pad = RG_PAD_STATED;
    for (int i = 0; i < w->rank; i++) {
        w->pad_begin[i] = w->pad_end[i] = 0;
        int64_t whole = out_size(dims, w, i, x->dim[2 + i], padding ? padding[i] : 0);
        w->pad_begin[i] = rg_window_front(w, rg_dim_sub(dims, whole, y->dim[2 + i]));
    }
    return RG_OK;
}

/* Adds input channel c of image n, at the window, to all output channels of its group. */
static void spread(const rg_slide *s, double x, const double *w, double *y, int64_t channels)
{
    for (int64_t m = 0; m < channels; m++, w += s->kernel_count, y += s->over_count)
        for (int64_t t = 0; t < s->tap_count; t++) y[s->taps[t].at] += x * w[s->taps[t].kernel];
}

static rg_err run(const rg_run *r)
{
    const rg_array *in = rg_arg(r, 0), *weights = rg_arg(r, 1), *bias = rg_arg(r, 2), *out = rg_result(r, 0);
    int64_t each = weights->dim[1], channels = out->dim[1], group = rg_op_int(&r->site, "group");
    rg_window window;
    rg_slide s;
    RG_TRY(rg_need_numbers(r));
    if (out->count == 0) return RG_OK;
    if (in->dim[1] % group)
        return rg_run_fail(r, RG_SHAPE, "%lld input channels do not divide into %lld groups",
                           (long long)in->dim[1], (long long)group);
    RG_TRY(rg_window_read(&r->site, in->rank - 2, &weights->dim[2], &window));
    RG_TRY(read_pads(r, in, out, &window));
    RG_TRY(rg_slide_init(r, &window, &out->dim[2], &in->dim[2], &s));
    const double *x = rg_doubles(r, in), *w = rg_doubles(r, weights);
    double *y = RG_NEW(r->scratch, double, out->count);
    if (!x || !w || !y) return rg_nomem(r->site.cx);
    for (int64_t o = 0; o < s.window_count; o++) {
        rg_slide_to(&s, o);
        for (int64_t i = 0; i < in->dim[0] * in->dim[1]; i++) {
            int64_t n = i / in->dim[1], c = i % in->dim[1], g = c / (in->dim[1] / group);
            spread(&s, x[i * s.window_count + o], w + c * each * s.kernel_count,
                   y + (n * channels + g * each) * s.over_count, each);
        }
    }
    for (int64_t i = 0; i < out->count; i++)
        rg_put(out, i, y[i] + (bias ? rg_get(bias, i / s.over_count % channels) : 0));
    return RG_OK;
}

RG_OP(conv_transpose) = {
    .name = "ConvTranspose", .brief = "transposed convolution", .since = 11,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run,
};
