/* fast_conv.c - a 2-D convolution as a product that gathers its right side while it runs.
 *
 *     C [out channels, pixels] = W [out channels, k] * P [k, pixels]       k = in channels * kernel
 *
 * P, the patches, never exists as a whole: as many panels of pixels as stay in the near cache are gathered
 * and multiplied with all of W, then the next. Scale and shift of a BatchNormalization are folded into W and
 * the bias when the model is loaded.
 */
#include "exec/fast.h"

#include <string.h>

typedef struct conv {
    int64_t batch, in_channels, in_h, in_w, out_channels, out_h, out_w;
    rg_window2 window;
    int64_t k, panels;               /* gathered at a time */
    const float *x;
    float *y, *weights, *bias, *patches;
    rg_epilogue epilogue;
} conv;

enum { GATHER_FLOATS = 96 * 1024 };  /* 384 KB: most of a core's second cache on machines of today */

/* `count` pixels of output row oy from column ox on, seen through tap (ky, kx) of one channel. */
static void gather_run(const conv *c, const float *image, int64_t ky, int64_t kx, int64_t oy, int64_t ox,
                       int64_t count, float *to)
{
    int64_t iy = oy * c->window.stride_h - c->window.top + ky * c->window.dilation_h;
    int64_t ix = ox * c->window.stride_w - c->window.left + kx * c->window.dilation_w;
    if (iy < 0 || iy >= c->in_h) {
        memset(to, 0, (size_t)count * sizeof *to);
        return;
    }
    const float *line = image + iy * c->in_w;
    if (c->window.stride_w == 1 && ix >= 0 && ix + count <= c->in_w) {
        memcpy(to, line + ix, (size_t)count * sizeof *to);
        return;
    }
    for (int64_t j = 0; j < count; j++, ix += c->window.stride_w)
        to[j] = ix >= 0 && ix < c->in_w ? line[ix] : 0;
}

/* One panel: nr pixels from `first` on, for every tap of every channel. */
static void gather(const conv *c, const float *image, int64_t first, int64_t nr, float *panel)
{
    int64_t pixels = c->out_h * c->out_w, count = pixels - first < nr ? pixels - first : nr;
    for (int64_t channel = 0; channel < c->in_channels; channel++) {
        const float *plane = image + channel * c->in_h * c->in_w;
        for (int64_t ky = 0; ky < c->window.kernel_h; ky++) {
            for (int64_t kx = 0; kx < c->window.kernel_w; kx++, panel += nr) {
                for (int64_t done = 0; done < count;) { /* output rows that the panel touches */
                    int64_t oy = (first + done) / c->out_w, ox = (first + done) % c->out_w;
                    int64_t run = c->out_w - ox < count - done ? c->out_w - ox : count - done;
                    gather_run(c, plane, ky, kx, oy, ox, run, panel + done);
                    done += run;
                }
                for (int64_t j = count; j < nr; j++) panel[j] = 0;
            }
        }
    }
}

static void run(void *state)
{
    const conv *c = state;
    int64_t pixels = c->out_h * c->out_w, nr = rg_gemm_nr(), step = c->panels * nr;
    for (int64_t n = 0; n < c->batch; n++) {
        const float *image = c->x + n * c->in_channels * c->in_h * c->in_w;
        for (int64_t first = 0; first < pixels; first += step) {
            int64_t count = pixels - first < step ? pixels - first : step,
                    at = n * c->out_channels * pixels + first;
            for (int64_t j = 0; j < count; j += nr) gather(c, image, first + j, nr, c->patches + j * c->k);
            rg_gemm g = {.m = c->out_channels, .n = count, .k = c->k, .a = c->weights, .a_step = c->k,
                         .packed = c->patches, .c = c->y + at, .c_step = pixels, .epilogue = c->epilogue};
            g.epilogue.row_bias = c->bias;
            if (c->epilogue.add) g.epilogue.add = c->epilogue.add + at;
            rg_gemm_run(&g, 0, rg_gemm_panels(&g));
        }
    }
}

/* ---- making ---- */

static rg_err fold(const rg_fast_row *r, conv *c)
{
    const rg_node *n = r->site.node;
    const float *weights = rg_fast_array(r, n->in[1])->data;
    const float *bias = n->in_count > 2 && n->in[2] ? rg_fast_array(r, n->in[2])->data : NULL;
    c->weights = RG_NEW(r->arena, float, c->out_channels * c->k);
    c->bias = RG_NEW(r->arena, float, c->out_channels);
    if (!c->weights || !c->bias) return rg_nomem(r->cx);
    for (int64_t o = 0; o < c->out_channels; o++) {
        float scale = r->chain.scale ? r->chain.scale[o] : 1;
        for (int64_t i = 0; i < c->k; i++) c->weights[o * c->k + i] = scale * weights[o * c->k + i];
        c->bias[o] = scale * (bias ? bias[o] : 0) + (r->chain.shift ? r->chain.shift[o] : 0);
    }
    return RG_OK;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    rg_window2 w;
    *state = NULL;
    if (!rg_node_is(r->site.node, "Conv") || rg_op_int(&r->site, "group") != 1 || !rg_window2_read(r, &w))
        return RG_OK;
    const rg_array *x = rg_fast_array(r, r->site.node->in[0]), *y = rg_fast_array(r, r->chain.out);
    conv *c = RG_NEW(r->arena, conv, 1);
    if (!c) return rg_nomem(r->cx);
    *c = (conv){
        .batch = x->dim[0], .in_channels = x->dim[1], .in_h = x->dim[2], .in_w = x->dim[3],
        .out_channels = y->dim[1], .out_h = y->dim[2], .out_w = y->dim[3], .window = w,
        .x = x->data, .y = y->data, .epilogue = rg_chain_epilogue(r),
    };
    c->k = c->in_channels * c->window.kernel_h * c->window.kernel_w;
    int64_t nr = rg_gemm_nr(), all = (c->out_h * c->out_w + nr - 1) / nr;
    c->panels = GATHER_FLOATS / (c->k * nr > 0 ? c->k * nr : 1);
    if (c->panels < 1) c->panels = 1;
    if (c->panels > all) c->panels = all;
    bool single = w.kernel_h * w.kernel_w * w.stride_h * w.stride_w == 1 && !w.top && !w.left;
    if (single && c->out_h == c->in_h &&
        c->out_w == c->in_w) { /* rows of pixels follow each other: one long row */
        c->in_w *= c->in_h, c->out_w *= c->out_h;
        c->in_h = c->out_h = 1;
    }
    c->patches = RG_NEW(r->arena, float, c->panels * nr * c->k);
    if (!c->patches) return rg_nomem(r->cx);
    RG_TRY(fold(r, c));
    *state = c;
    return RG_OK;
}

RG_FAST(conv) = {
    .name = "conv",
    .brief = "2-D convolution as a product that gathers its patches",
    .make = make,
    .run = run,
};
