/* deform_conv.c - DeformConv: a convolution whose taps are moved by learned offsets, so that each reads the
 * input between pixels, by linear interpolation along each axis; outside of the input lie zeros. A mask
 * weighs the taps.
 *
 *     offset [N, offset_group * kernel * axes, outputs...]    mask [N, offset_group * kernel, outputs...]
 */
#include "op/convolve.h"
#include "op/share.h"

#include <math.h>

enum { X, WEIGHT, OFFSET, BIAS, MASK };

static const rg_attr_spec attrs[] = {
    RG_WINDOW_DILATIONS, RG_CONV_GROUP, RG_CONV_KERNEL, RG_WINDOW_PADS, RG_WINDOW_STRIDES,
    {"offset_group", RG_ATTR_INT, "1", false, "groups of input channels that share their offsets"},
};

static const rg_case cases[] = {
    {"f32[1,1,3,3] f32[1,1,2,2] f32[1,8,4,4] f32[1]", "kernel_shape=2,2 pads=1,1,1,1", "f32[1,1,4,4]"},
    {"f32[1,2,3,3] f32[1,2,2,2] f32[1,16,2,2] _ f32[1,8,2,2]", "offset_group=2", "f32[1,1,2,2]"},
};

/* Input i must have `channels` numbers for each output position. */
static rg_err need_taps(const rg_site *s, uint32_t i, rg_dim channels)
{
    const rg_type *x = rg_in_type(s, X), *y;
    rg_dim same;
    if (!rg_has_out(s, 0)) return RG_OK;
    y = &rg_value_at(s->g, s->node->out[0])->type;
    RG_TRY(rg_need_rank(s, i, x->rank, x->rank));
    for (int k = 0; k < x->rank; k++)
        RG_TRY(rg_need_equal(s, i == MASK ? "sizes of the mask" : "sizes of the offsets",
                             rg_in_type(s, i)->dim[k], k == 0 ? x->dim[0] : k == 1 ? channels : y->dim[k],
                             &same));
    return RG_OK;
}

static rg_err infer(const rg_site *s)
{
    rg_dtype dtype;
    RG_TRY(rg_need_dtype(s, 0, 5, &dtype));
    RG_TRY(rg_conv_infer(s, X, WEIGHT, dtype));
    int axes = rg_in_rank(s, X) - 2;
    rg_dim taps = rg_op_int(s, "offset_group");
    if (taps < 1) return rg_site_fail(s, RG_SHAPE, "offset_group is %lld, less than 1", (long long)taps);
    for (int i = 0; i < axes; i++)
        taps = rg_dim_mul(rg_site_dims(s), taps, rg_in_type(s, WEIGHT)->dim[2 + i]);
    RG_TRY(need_taps(s, OFFSET, rg_dim_mul(rg_site_dims(s), taps, axes)));
    if (rg_has_in(s, MASK)) RG_TRY(need_taps(s, MASK, taps));
    return rg_conv_need_bias(s, BIAS, rg_in_type(s, WEIGHT)->dim[0]);
}

/* Each tap of each input channel at each position: the place (2), four weights (4 multiplications after 2
 * subtractions), four products and three sums; one more for the mask. */
static void work(const rg_site *s, rg_work *w)
{
    rg_conv_work(s, X, WEIGHT, w);
    double taps = w->spatial * (double)rg_in_dim(s, X, 1) * rg_conv_kernel_count(s, WEIGHT);
    w->flop += taps * (rg_has_in(s, MASK) ? 16 : 15);
    w->flop += rg_has_in(s, BIAS) ? rg_out_count(s, 0) : 0;
}

/* ---- kernel ---- */

/* A plane at a place between its elements: the corners of the cell around it, weighed by nearness. */
static double interpolate(const rg_slide *s, const double *plane, const double *place)
{
    double sum = 0;
    for (unsigned corner = 0; corner < 1u << s->rank; corner++) {
        double weight = 1;
        int64_t at = 0;
        for (int i = 0; i < s->rank && weight != 0; i++) {
            double low = floor(place[i]), k = low + (corner >> i & 1);
            bool inside = k >= 0 && k < (double)s->over[i]; /* false for NaN */
            weight *= !inside ? 0 : corner >> i & 1 ? place[i] - low : 1 - (place[i] - low);
            at = at * s->over[i] + (inside ? (int64_t)k : 0);
        }
        if (weight != 0) sum += weight * plane[at];
    }
    return sum;
}

typedef struct deformed { rg_conv conv; int64_t groups; const double *x, *offset, *mask; } deformed;

/* Fills the column from image n at window o. */
static void see(const deformed *d, int64_t n, int64_t o)
{
    const rg_slide *s = &d->conv.slide;
    int64_t channels = d->conv.channels_in, kernel[RG_RANK_MAX] = {0}, windows = s->window_count;
    double place[RG_RANK_MAX];
    for (int64_t i = 0; i < d->groups * s->kernel_count; i++) {
        int64_t g = i / s->kernel_count, k = i % s->kernel_count;
        int64_t tap = n * d->groups * s->kernel_count + i; /* among those of all images */
        for (int a = 0; a < s->rank; a++)
            place[a] = (double)(s->start[a] + kernel[a] * s->dilation[a]) +
                       d->offset[(tap * s->rank + a) * windows + o];
        double mask = d->mask ? d->mask[tap * windows + o] : 1;
        for (int64_t c = g * channels / d->groups; c < (g + 1) * channels / d->groups; c++)
            d->conv.column[c * s->kernel_count + k] =
                mask * interpolate(s, d->x + (n * channels + c) * s->over_count, place);
        rg_index_next(s->rank, s->kernel, kernel); /* starts again with the next group */
    }
}

static rg_err run(const rg_run *r)
{
    const rg_array *bias = rg_arg(r, BIAS), *mask = rg_arg(r, MASK), *y = rg_result(r, 0);
    deformed d = {.groups = rg_op_int(&r->site, "offset_group")};
    RG_TRY(rg_need_numbers(r));
    if (y->count == 0) return RG_OK;
    RG_TRY(rg_conv_init(r, X, WEIGHT, &d.conv));
    rg_conv *c = &d.conv;
    if (c->channels_in % d.groups)
        return rg_run_fail(r, RG_SHAPE, "%lld input channels do not divide into %lld groups of offsets",
                           (long long)c->channels_in, (long long)d.groups);
    const double *w = rg_doubles(r, rg_arg(r, WEIGHT));
    d.x = rg_doubles(r, rg_arg(r, X));
    d.offset = rg_doubles(r, rg_arg(r, OFFSET));
    d.mask = mask ? rg_doubles(r, mask) : NULL;
    if (!w || !d.x || !d.offset || (mask && !d.mask)) return rg_nomem(r->site.cx);
    for (int64_t o = 0; o < c->slide.window_count; o++) {
        rg_slide_to(&c->slide, o);
        for (int64_t n = 0; n < c->batch; n++) {
            see(&d, n, o);
            for (int64_t m = 0; m < c->channels_out; m++)
                rg_put(y, (n * c->channels_out + m) * c->slide.window_count + o,
                       rg_conv_sum(c, w, m) + (bias ? rg_get(bias, m) : 0));
        }
    }
    return RG_OK;
}

RG_OP(deform_conv) = {
    .name = "DeformConv", .brief = "deformable convolution: taps moved by learned offsets", .since = 19,
    .in_min = 3, .in_max = 5, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run,
};
