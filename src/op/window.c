/* window.c - reading a sliding window from attributes and counting its positions; see window.h.
 *
 * With P = pad_begin + input + pad_end the window starts at 0, stride, 2 * stride, ... while it ends in P:
 *
 *     count = floor((P - reach) / stride) + 1
 *
 * ceil_mode rounds up, but a window that starts behind the input does not count: start < pad_begin + input.
 */
#include "op/window.h"

#include "op/share.h"

#include <string.h>

static bool lists(const rg_site *s, const char *name)
{
    const rg_op *op = s->node->op;
    for (size_t i = 0; i < op->attr_count; i++)
        if (strcmp(op->attrs[i].name, name) == 0) return true;
    return false;
}

/* Numbers not less than `least`, one for each axis; those left out are `least` too. */
static rg_err read_ints(const rg_site *s, const char *name, uint32_t need, int64_t least, int64_t *out)
{
    uint32_t count = 0;
    const int64_t *ints = lists(s, name) ? rg_op_ints(s, name, &count) : NULL;
    if (ints && count != need)
        return rg_site_fail(s, RG_SHAPE, "%s has %u numbers, needs %u", name, count, need);
    for (uint32_t i = 0; i < need; i++) {
        out[i] = ints ? ints[i] : least;
        if (out[i] < least)
            return rg_site_fail(s, RG_SHAPE, "%s[%u] is %lld, less than %lld", name, i, (long long)out[i],
                                (long long)least);
    }
    return RG_OK;
}

static rg_err read_kernel(const rg_site *s, const rg_dim *kernel, rg_window *w)
{
    int64_t stated[RG_RANK_MAX];
    bool has = rg_op_has(s, "kernel_shape");
    if (!has && !kernel) return rg_site_fail(s, RG_FORMAT, "attribute 'kernel_shape' is missing");
    if (has) RG_TRY(read_ints(s, "kernel_shape", (uint32_t)w->rank, 1, stated));
    for (int i = 0; i < w->rank; i++) {
        w->kernel[i] = kernel ? kernel[i] : stated[i];
        if (has && kernel)
            RG_TRY(rg_need_equal(s, "kernel_shape and the weights", stated[i], kernel[i], &w->kernel[i]));
    }
    return RG_OK;
}

static rg_err read_auto_pad(const rg_site *s, rg_window *w)
{
    static const struct { const char *name; rg_auto_pad mode; } modes[] = {
        {"NOTSET", RG_PAD_STATED}, {"VALID", RG_PAD_VALID},
        {"SAME_UPPER", RG_PAD_SAME}, {"SAME_LOWER", RG_PAD_SAME},
    };
    rg_str name = lists(s, "auto_pad") ? rg_op_str(s, "auto_pad") : RG_LIT("NOTSET");
    for (size_t i = 0; i < RG_COUNT(modes); i++)
        if (rg_str_is(name, modes[i].name)) {
            w->auto_pad = modes[i].mode;
            return RG_OK;
        }
    return rg_site_fail(s, RG_FORMAT, "auto_pad '%.*s' is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER",
                        RG_STR(name));
}

rg_err rg_window_read(const rg_site *s, int rank, const rg_dim *kernel, rg_window *w)
{
    int64_t pads[2 * RG_RANK_MAX];
    rg_dims *dims = rg_site_dims(s);
    uint32_t need = (uint32_t)rank;
    *w = (rg_window){.rank = rank};
    RG_TRY(read_kernel(s, kernel, w));
    RG_TRY(read_auto_pad(s, w));
    RG_TRY(read_ints(s, "strides", need, 1, w->stride));
    RG_TRY(read_ints(s, "dilations", need, 1, w->dilation));
    if (w->auto_pad == RG_PAD_STATED) {
        RG_TRY(read_ints(s, "pads", 2 * need, 0, pads));
        for (int i = 0; i < rank; i++) {
            w->pad_begin[i] = pads[i];
            w->pad_end[i] = pads[rank + i];
        }
    }
    for (int i = 0; i < rank; i++) {
        rg_dim steps = rg_dim_sub(dims, w->kernel[i], 1);
        w->reach[i] = rg_dim_add(dims, rg_dim_mul(dims, w->dilation[i], steps), 1);
    }
    return RG_OK;
}

rg_err rg_window_count(const rg_site *s, const rg_window *w, int axis, rg_dim in, bool ceil,
                       rg_dim *out)
{
    rg_dims *dims = rg_site_dims(s);
    rg_dim stride = w->stride[axis], reach = w->reach[axis];
    if (w->auto_pad == RG_PAD_SAME) {
        *out = rg_dim_ceil(dims, in, stride);
        return RG_OK;
    }
    rg_dim started = rg_dim_add(dims, in, w->pad_begin[axis]);
    rg_dim padded = rg_dim_add(dims, started, w->pad_end[axis]);
    if (rg_dim_is_number(padded) && rg_dim_is_number(reach) && reach > padded)
        return rg_site_fail(s, RG_SHAPE, "a window of %lld does not fit into the padded size %lld of spatial "
                            "axis %d", (long long)reach, (long long)padded, axis);
    rg_dim room = rg_dim_sub(dims, padded, reach);
    *out = rg_dim_add(dims, ceil ? rg_dim_ceil(dims, room, stride) : rg_dim_div(dims, room, stride), 1);
    if (ceil) *out = rg_dim_min(dims, *out, rg_dim_ceil(dims, started, stride));
    return RG_OK;
}
