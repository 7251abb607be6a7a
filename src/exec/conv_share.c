/* conv_share.c - see conv_share.h. */
#include "exec/conv_share.h"

#include <string.h>

rg_frame rg_frame_of(int64_t planes, int64_t in_h, int64_t in_w, int64_t wide, const int64_t before[2],
                     const int64_t after[2])
{
    rg_frame f = {.planes = planes, .in_h = in_h, .in_w = in_w, .wide = wide, .h = in_h, .w = in_w,
                  .step_h = 1, .step_w = 1};
    f.needed = before[0] > 0 || before[1] > 0 || after[0] > in_h || after[1] > in_w;
    if (!f.needed) return f;
    f.top = before[0] > 0 ? before[0] : 0;
    f.left = before[1] > 0 ? before[1] : 0;
    f.h = f.top + (after[0] > in_h ? after[0] : in_h);
    f.w = f.left + (after[1] > in_w ? after[1] : in_w);
    return f;
}

/* `count` channels of each of `blocks` blocks, of which `first` is the first one. */
static void add_gather(rg_frame *f, int64_t first, int64_t blocks, int64_t count)
{
    int64_t plane = f->in_h * f->in_w, block = f->h * f->w * RG_BLOCK;
    rg_axes box = {.rank = 4, .dim = {blocks, f->in_h, f->in_w, count},
                   .step = {plane * RG_BLOCK, f->in_w, 1, plane}};
    int64_t to[] = {block, f->w * RG_BLOCK, RG_BLOCK, 1};
    rg_gather *g = &f->gather[f->gather_count++];
    rg_mover_make(f, NULL, sizeof(float), &box, to, &g->mover); /* each image brings its own places */
    g->from = first * plane * RG_BLOCK;
    g->to = first * block + (f->top * f->w + f->left) * RG_BLOCK;
}

void rg_frame_gather(rg_frame *f, int64_t channels)
{
    int64_t whole = channels / RG_BLOCK, rest = channels % RG_BLOCK;
    f->planes = whole + (rest > 0);
    f->wide = RG_BLOCK;
    f->needed = true;
    if (whole) add_gather(f, 0, whole, RG_BLOCK);
    if (rest) add_gather(f, whole, 1, rest);
}

void rg_frame_thin(rg_frame *f, int64_t step_h, int64_t step_w, int64_t h, int64_t w)
{
    f->needed = true;
    f->step_h = step_h, f->step_w = step_w;
    f->h = h, f->w = w;
}

static void thin(const rg_frame *f, const float *image, float *to, rg_part part)
{
    int64_t from, end;
    rg_part_of(part, f->planes * f->h, 1, &from, &end);
    for (int64_t line = from; line < end; line++) {
        const float *x = image + (line / f->h * f->in_h + line % f->h * f->step_h) * f->in_w * RG_BLOCK;
        float *y = to + line * f->w * RG_BLOCK;
        for (int64_t i = 0; i < f->w; i++)
            memcpy(y + i * RG_BLOCK, x + i * f->step_w * RG_BLOCK, RG_BLOCK * sizeof *y);
    }
}

static void gather(const rg_frame *f, const float *image, float *to, rg_part part)
{
    int64_t from, end;
    rg_part_of(part, rg_frame_count(f), RG_BLOCK, &from, &end);
    memset(to + from, 0, (size_t)(end - from) * sizeof *to);
    rg_team_barrier(part);
    for (int i = 0; i < f->gather_count; i++) {
        rg_mover m = f->gather[i].mover;
        m.x = (const char *)(image + f->gather[i].from);
        m.y = (char *)(to + f->gather[i].to);
        rg_mover_run(&m, part);
    }
}

void rg_frame_fill(const rg_frame *f, const float *image, float *to, rg_part part)
{
    if (f->gather_count) {
        gather(f, image, to, part);
        return;
    }
    if (f->step_h > 1 || f->step_w > 1) {
        thin(f, image, to, part);
        return;
    }
    int64_t left = f->left * f->wide, middle = f->in_w * f->wide, right = f->w * f->wide - left - middle;
    int64_t from, end;
    rg_part_of(part, f->planes * f->h, 1, &from, &end);
    for (int64_t line = from; line < end; line++) {
        int64_t plane = line / f->h, y = line % f->h - f->top;
        float *at = to + line * f->w * f->wide;
        if (y < 0 || y >= f->in_h) {
            memset(at, 0, (size_t)(f->w * f->wide) * sizeof *at);
            continue;
        }
        memset(at, 0, (size_t)left * sizeof *at);
        memcpy(at + left, image + (plane * f->in_h + y) * middle, (size_t)middle * sizeof *at);
        memset(at + left + middle, 0, (size_t)right * sizeof *at);
    }
}

bool rg_conv_is_constant(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    for (uint32_t i = 0; i < n->in_count; i++)
        if (n->in[i] && (!rg_fast_is_f32(r, n->in[i]) || (i && !rg_fast_is_constant(r, n->in[i]))))
            return false;
    return true;
}

rg_err rg_conv_bias(const rg_fast_row *r, int64_t channels, const float **bias)
{
    const rg_node *n = r->site.node;
    const float *own = n->in_count > 2 && n->in[2] ? rg_fast_array(r, n->in[2])->data : NULL;
    float *sum = RG_NEW(r->arena, float, channels + rg_gemm_nr());
    *bias = sum;
    if (!sum) return rg_nomem(r->cx);
    for (int64_t o = 0; o < channels; o++)
        sum[o] = rg_conv_scale(r, o) * (own ? own[o] : 0) + (r->chain.shift ? r->chain.shift[o] : 0);
    return RG_OK;
}
