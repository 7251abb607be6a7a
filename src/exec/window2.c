/* window2.c - how the kernel of a 2-D convolution lies on its image: what Conv's attributes come to. */
#include "exec/fast.h"

static int64_t at_or_1(const int64_t *list, uint32_t count, uint32_t i)
{
    return list && i < count ? list[i] : 1;
}

/* SAME pads so that out = ceil(in / stride), the odd one behind (UPPER) or in front. */
static int64_t same(bool upper, int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t dilation)
{
    int64_t pad = (out - 1) * stride + (kernel - 1) * dilation + 1 - in;
    return pad <= 0 ? 0 : upper ? pad / 2 : (pad + 1) / 2;
}

bool rg_window2_read(const rg_fast_row *r, rg_window2 *out)
{
    const rg_node *n = r->site.node;
    for (uint32_t i = 0; i < n->in_count; i++)
        if (n->in[i] && (!rg_fast_is_f32(r, n->in[i]) || (i && !rg_fast_is_constant(r, n->in[i]))))
            return false;
    return rg_window2_of(r, rg_fast_array(r, n->in[0]), rg_fast_array(r, n->in[1]), out);
}

bool rg_window2_of(const rg_fast_row *r, const rg_array *x, const rg_array *w, rg_window2 *out)
{
    uint32_t strides, dilations, pads;
    const rg_array *y = rg_fast_array(r, r->site.node->out[0]);
    if (x->rank != 4 || w->rank != 4) return false;
    const int64_t *stride = rg_op_ints(&r->site, "strides", &strides);
    const int64_t *dilation = rg_op_ints(&r->site, "dilations", &dilations);
    const int64_t *pad = rg_op_ints(&r->site, "pads", &pads);
    rg_str mode = rg_op_str(&r->site, "auto_pad");
    *out = (rg_window2){
        .kernel_h = w->dim[2], .kernel_w = w->dim[3],
        .stride_h = at_or_1(stride, strides, 0), .stride_w = at_or_1(stride, strides, 1),
        .dilation_h = at_or_1(dilation, dilations, 0), .dilation_w = at_or_1(dilation, dilations, 1),
    };
    if (rg_str_starts(mode, "SAME")) {
        bool upper = rg_str_is(mode, "SAME_UPPER");
        out->top = same(upper, x->dim[2], y->dim[2], out->kernel_h, out->stride_h, out->dilation_h);
        out->left = same(upper, x->dim[3], y->dim[3], out->kernel_w, out->stride_w, out->dilation_w);
    } else if (pad && pads >= 2 && !rg_str_is(mode, "VALID")) {
        out->top = pad[0];
        out->left = pad[1];
    }
    return true;
}
