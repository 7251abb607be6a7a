/* window.c - reading a sliding window from attributes, counting its positions, and going through them; see
 * window.h.
 *
 * With P = pad_begin + input + pad_end the window starts at 0, stride, 2 * stride, ... while it ends in P:
 *
 *     count = floor((P - reach) / stride) + 1
 *
 * ceil_mode rounds up, but a window that starts behind the input does not count: start < pad_begin + input.
 * SAME states the count, ceil(input / stride), and the pads are what that many windows need.
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
            w->odd_first = !rg_str_is(name, "SAME_UPPER");
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

/* ---- at run time ---- */

enum { WINDOW_MAX = INT32_MAX }; /* of each number: so that their products stay below 2^63 */

static rg_err check(const rg_run *r, const char *what, int axis, int64_t x)
{
    if (x <= WINDOW_MAX) return RG_OK;
    return rg_run_fail(r, RG_LIMIT, "%s %lld of spatial axis %d exceeds %lld", what, (long long)x, axis,
                       (long long)WINDOW_MAX);
}

static rg_err take_axis(const rg_run *r, const rg_window *w, int i, rg_slide *s)
{
    RG_TRY(check(r, "kernel", i, s->kernel[i] = w->kernel[i]));
    RG_TRY(check(r, "stride", i, s->stride[i] = w->stride[i]));
    RG_TRY(check(r, "dilation", i, s->dilation[i] = w->dilation[i]));
    RG_TRY(check(r, "padding", i, s->pad_begin[i] = w->pad_begin[i]));
    RG_TRY(check(r, "padding", i, s->pad_end[i] = w->pad_end[i]));
    int64_t last;
    bool fits = rg_mul_size(s->count[i], s->stride[i], &last);
    fits = fits && rg_mul_size(s->kernel_count, s->kernel[i], &s->kernel_count);
    fits = fits && rg_mul_size(s->over_count, s->over[i], &s->over_count);
    fits = fits && rg_mul_size(s->window_count, s->count[i], &s->window_count);
    if (!fits) return rg_run_fail(r, RG_LIMIT, "windows over more than 2^63 elements");
    if (w->auto_pad == RG_PAD_SAME) {
        int64_t total = (s->count[i] - 1) * s->stride[i] + w->reach[i] - s->over[i];
        s->pad_begin[i] = rg_window_front(w, total);
        s->pad_end[i] = total > 0 ? total - s->pad_begin[i] : 0;
    }
    return RG_OK;
}

rg_err rg_slide_init(const rg_run *r, const rg_window *w, const int64_t *over, const int64_t *count,
                     rg_slide *s)
{
    int64_t taps = 1;
    *s = (rg_slide){.rank = w->rank, .over_count = 1, .window_count = 1, .kernel_count = 1};
    for (int i = 0; i < w->rank; i++) {
        s->over[i] = over[i];
        s->count[i] = count[i];
        RG_TRY(take_axis(r, w, i, s));
        taps *= over[i] < s->kernel[i] ? over[i] : s->kernel[i];
    }
    s->taps = RG_NEW(r->scratch, rg_tap, taps);
    return s->taps ? RG_OK : rg_nomem(r->site.cx);
}

void rg_slide_to(rg_slide *s, int64_t index)
{
    int64_t first[RG_RANK_MAX], size[RG_RANK_MAX], step[RG_RANK_MAX] = {0};
    s->tap_count = 0;
    bool empty = false;
    for (int i = s->rank - 1; i >= 0; index /= s->count[i--]) {
        int64_t d = s->dilation[i], start = index % s->count[i] * s->stride[i] - s->pad_begin[i];
        int64_t end = start < s->over[i] ? (s->over[i] - 1 - start) / d + 1 : 0;
        first[i] = start < 0 ? (d - 1 - start) / d : 0;
        size[i] = (end < s->kernel[i] ? end : s->kernel[i]) - first[i];
        s->start[i] = start;
        empty = empty || size[i] <= 0;
    }
    if (empty) return;
    do {
        rg_tap tap = {0, 0};
        for (int i = 0; i < s->rank; i++) {
            int64_t k = first[i] + step[i];
            tap.kernel = tap.kernel * s->kernel[i] + k;
            tap.at = tap.at * s->over[i] + s->start[i] + k * s->dilation[i];
        }
        s->taps[s->tap_count++] = tap;
    } while (rg_index_next(s->rank, size, step));
}

double rg_slide_padded(const rg_slide *s)
{
    double count = 1;
    for (int i = 0; i < s->rank; i++) {
        int64_t d = s->dilation[i], room = s->over[i] + s->pad_end[i] - s->start[i];
        int64_t inside = room > 0 ? (room - 1) / d + 1 : 0;
        count *= (double)(inside < s->kernel[i] ? inside : s->kernel[i]);
    }
    return count;
}
