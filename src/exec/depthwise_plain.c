/* depthwise_plain.c - a depthwise convolution of plain images, a plane at a time.
 *
 *     image          a b c d e f        phases of stride 2        a c e     b d f
 *                    g h i j k l                                  g i k     h j l     a copy in a near cache
 *
 * Every stride_h-th line and stride_w-th column of a plane make a phase, in which the neighbor of a tap's
 * pixel belongs to the neighboring result. So a convolution of any stride is one of stride 1, and as lines of
 * a phase are as long as those of the result, a plane is one long line of vectors: lines of images are often
 * shorter than a vector is long. What a tap then sees beyond the end of its line is the next one's beginning;
 * it is masked away, a mask for each column of taps. Lines beyond the image are zeros.
 */
#include "exec/depthwise_plain.h"
#include "exec/f32x8.h"

#include <string.h>

enum {
    STRIP = 4 * RG_BLOCK,  /* results at a time: four sums that do not wait for each other */
    SLACK = 2 * STRIP,     /* around phases and sums: strips reach a little beyond the last result */
};

/* ---- phases ---- */

/* Every second one to `even`, those between them to `odd`: may read and write some more than there are. */
RG_INLINE void take_pairs(const float *from, int64_t count, float *even, float *odd)
{
    for (int64_t j = 0; 2 * j < count; j += RG_BLOCK) {
        rg_f32x8 a = rg_load8(from + 2 * j), b = rg_load8(from + 2 * j + RG_BLOCK);
        rg_store8(even + j, __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14));
        rg_store8(odd + j, __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15));
    }
}

RG_INLINE void take_columns(const rg_planes *p, const float *from, float *to)
{
    int64_t step = p->window.stride_w;
    for (int64_t i = 0; i < step; i++, to += p->phase) {
        int64_t count = (p->in_w - i + step - 1) / step;
        if (count > p->pitch) count = p->pitch;
        for (int64_t j = 0; j < count; j++) to[j] = from[i + j * step];
    }
}

/* An image's line into the phases that it belongs to, which are `phase` floats apart. One that is cut in two
 * is read and written a little beyond its end. */
RG_INLINE void take_line(const rg_planes *p, const float *from, float *to)
{
    int64_t step = p->window.stride_w, wide = p->in_w < p->pitch * step ? p->in_w : p->pitch * step;
    if (step == 1) memcpy(to, from, (size_t)wide * sizeof *to);
    else if (step == 2) take_pairs(from, wide, to, to + p->phase);
    else take_columns(p, from, to);
}

/* From top to bottom: what a line has beyond its end the next one puts right. */
RG_INLINE void take_lines(const rg_planes *p, const float *image, float *to)
{
    const rg_window2 *w = &p->window;
    int64_t line = p->line_first * w->stride_h;
    for (int64_t j = 0; j < p->lines; j++)
        for (int64_t i = 0; i < w->stride_h; i++, line++) {
            float *at = to + i * w->stride_w * p->phase + j * p->pitch;
            bool inside = line >= 0 && line < p->in_h;
            if (inside) take_line(p, image + line * p->in_w, at);
            for (int64_t k = 0; !inside && k < w->stride_w; k++)
                memset(at + k * p->phase, 0, (size_t)p->pitch * sizeof *at);
        }
}

/* One phase whose lines are the image's. */
RG_INLINE void take_plane(const rg_planes *p, const float *image, float *to)
{
    int64_t above = -p->line_first, below = p->lines - above - p->in_h, size = p->in_h * p->in_w;
    memset(to, 0, (size_t)(above * p->pitch) * sizeof *to);
    memcpy(to + above * p->pitch, image, (size_t)size * sizeof *to);
    memset(to + above * p->pitch + size, 0, (size_t)(below * p->pitch) * sizeof *to);
}

/* What is read beyond the end of the last image may be nobody's memory: a copy of it is cut. */
RG_INLINE void take_phases(const rg_planes *p, int64_t plane, float *to)
{
    int64_t step_h = p->window.stride_h, step_w = p->window.stride_w, size = p->in_h * p->in_w;
    const float *image = p->x + plane * size;
    bool one = step_h * step_w == 1 && p->pitch == p->in_w;
    if (one && p->line_first <= 0 && p->lines + p->line_first >= p->in_h) {
        take_plane(p, image, to + p->front);
        return;
    }
    bool last = plane == p->count / (p->channels / p->in_channels) - 1;
    if (step_w == 2 && last)
        image = memcpy(to + step_h * step_w * p->phase, image, (size_t)size * sizeof *to);
    take_lines(p, image, to + p->front);
}

/* ---- sums ---- */

enum { VECS = STRIP / RG_BLOCK };

RG_INLINE void add_tap(const float *image, float w, rg_f32x8 *sum)
{
    RG_UNROLLED
    for (int v = 0; v < VECS; v++) sum[v] += w * rg_load8(image + v * RG_BLOCK);
}

RG_INLINE void add_column(const float *mask, bool masked, const rg_f32x8 *column, rg_f32x8 *sum)
{
    RG_UNROLLED
    for (int v = 0; v < VECS; v++) {
        rg_i32x8 inside = (rg_i32x8)rg_load8(mask + v * RG_BLOCK);
        sum[v] += masked ? (rg_f32x8)((rg_i32x8)column[v] & inside) : column[v];
    }
}

/* STRIP results; `image` as seen from the first of them. kernel: a constant where this is called; 0: any. */
RG_INLINE void sum_strip(const rg_planes *p, const float *image, const float *w, float bias, int64_t in_line,
                         int kernel, float *to)
{
    int64_t high = p->window.kernel_h, wide = p->window.kernel_w, mask_step = p->pitch + STRIP;
    const float *mask = p->mask + in_line;
    rg_f32x8 all = bias - (rg_f32x8){0}, sum[VECS] = {all, all, all, all};
    if (kernel) {
        RG_UNROLLED
        for (int kx = 0; kx < kernel; kx++) {
            rg_f32x8 column[VECS] = {{0}};
            RG_UNROLLED
            for (int t = kx; t < kernel * kernel; t += kernel) add_tap(image + p->tap[t], w[t], column);
            add_column(mask + kx * mask_step, p->masked[kx], column, sum);
        }
    } else {
        for (int64_t kx = 0; kx < wide; kx++) {
            rg_f32x8 column[VECS] = {{0}};
            for (int64_t t = kx; t < high * wide; t += wide) add_tap(image + p->tap[t], w[t], column);
            add_column(mask + kx * mask_step, p->masked[kx], column, sum);
        }
    }
    RG_UNROLLED
    for (int v = 0; v < VECS; v++) rg_store8(to + v * RG_BLOCK, sum[v]);
}

RG_INLINE void sum_plane(const rg_planes *p, const float *image, int64_t channel, int kernel, int64_t count,
                         float *to)
{
    const float *w = p->weights + channel * p->window.kernel_h * p->window.kernel_w;
    int64_t step = STRIP % p->pitch, in_line = 0;
    for (int64_t at = 0; at < count; at += STRIP) {
        float last[STRIP];
        bool whole = at + STRIP <= count;
        sum_strip(p, image + at, w, p->bias[channel], in_line, kernel, whole ? to + at : last);
        if (!whole) memcpy(to + at, last, (size_t)(count - at) * sizeof *to);
        in_line += step;
        if (in_line >= p->pitch) in_line -= p->pitch;
    }
}

/* ---- planes ---- */

typedef struct share { const rg_planes *p; float *room; } share;

static int64_t phases_count(const rg_planes *p)
{
    const rg_window2 *w = &p->window;
    int64_t copy = w->stride_w == 2 ? p->in_h * p->in_w : 0;
    return w->stride_h * w->stride_w * p->phase + copy + SLACK;
}

/* Of a plane, its last line's end left out. */
static int64_t sums_count(const rg_planes *p) { return (p->out_h - 1) * p->pitch + p->out_w; }

/* What is added may lie where the result does. */
RG_INLINE void finish_plane(const rg_planes *p, const float *sums, int64_t at)
{
    const rg_epilogue *e = &p->epilogue;
    float *y = p->y + at;
    for (int64_t oy = 0; sums != y && oy < p->out_h; oy++) {
        const float *from = sums + oy * p->pitch, *add = e->add ? e->add + at + oy * p->out_w : NULL;
        float *to = y + oy * p->out_w;
        if (!add) {
            memcpy(to, from, (size_t)p->out_w * sizeof *to);
            continue;
        }
        RG_INDEPENDENT
        for (int64_t j = 0; j < p->out_w; j++) to[j] = from[j] + add[j];
    }
    if (e->act) rg_act_run(e, y, y, p->out_h * p->out_w);
}

RG_INLINE void run_planes(const share *s, int64_t from, int64_t to)
{
    const rg_planes *p = s->p;
    const rg_window2 *w = &p->window;
    int64_t each = p->channels / p->in_channels; /* results of an input channel */
    bool in_place = p->pitch == p->out_w && !p->epilogue.add;
    for (int64_t plane = from; plane < to; plane++) {
        int64_t channel = plane % p->channels, at = plane * p->out_h * p->out_w;
        float *sums = in_place ? p->y + at : s->room + phases_count(p);
        take_phases(p, plane / each, s->room);
        if (w->kernel_h == 3 && w->kernel_w == 3) sum_plane(p, s->room, channel, 3, sums_count(p), sums);
        else sum_plane(p, s->room, channel, 0, sums_count(p), sums);
        finish_plane(p, sums, at);
    }
}
RG_FOR_MACHINE(run_planes, share)

static size_t room_count(const rg_planes *p)
{
    return (size_t)(phases_count(p) + p->out_h * p->pitch + SLACK + RG_BLOCK) / RG_BLOCK * RG_BLOCK;
}

size_t rg_planes_room_count(const rg_planes *p, int workers) { return room_count(p) * (size_t)workers; }

void rg_planes_run(const rg_planes *p, rg_part part)
{
    int64_t from, to;
    share s = {p, (float *)(void *)*p->room + room_count(p) * (size_t)part.worker};
    rg_part_of(part, p->count, 1, &from, &to);
    run_planes_best(&s, from, to);
}

/* ---- making ---- */

/* Tap k sees pixel out * stride + shift: the one `line` behind out's in phase `phase`. */
typedef struct tap_place { int64_t phase, line; } tap_place;

static tap_place place_of(int64_t shift, int64_t stride)
{
    int64_t phase = (shift % stride + stride) % stride;
    return (tap_place){phase, (shift - phase) / stride};
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/* A line is as long as the result's, if no tap sees more of the image. */
static void measure(rg_planes *p)
{
    const rg_window2 *w = &p->window;
    tap_place first = place_of(-w->top, w->stride_h);
    tap_place last = place_of((w->kernel_h - 1) * w->dilation_h - w->top, w->stride_h);
    p->line_first = first.line;
    p->lines = p->out_h + last.line - first.line;
    p->pitch = p->out_w;
    for (int64_t k = 0; k < w->kernel_w; k++) {
        tap_place at = place_of(k * w->dilation_w - w->left, w->stride_w);
        int64_t columns = (p->in_w - at.phase + w->stride_w - 1) / w->stride_w;
        p->pitch = most(p->pitch, least(columns, p->out_w + at.line));
    }
    p->front = w->kernel_w * w->dilation_w + w->left; /* no tap sees further beyond */
    p->phase = (p->lines * p->pitch + 2 * p->front + SLACK + RG_BLOCK) / RG_BLOCK * RG_BLOCK;
}

rg_err rg_planes_make(const rg_fast_row *r, rg_planes *p)
{
    const rg_window2 *w = &p->window;
    measure(p);
    int64_t wide = p->pitch + STRIP;
    p->tap = RG_NEW(r->arena, int64_t, w->kernel_h * w->kernel_w + 1);
    p->mask = RG_NEW(r->arena, float, w->kernel_w * wide + 1);
    p->masked = RG_NEW(r->arena, bool, w->kernel_w + 1);
    if (!p->tap || !p->mask || !p->masked) return rg_nomem(r->cx);
    for (int64_t k = 0; k < w->kernel_w; k++) {
        int64_t shift = k * w->dilation_w - w->left;
        tap_place x = place_of(shift, w->stride_w);
        for (int64_t i = 0; i < w->kernel_h; i++) {
            tap_place y = place_of(i * w->dilation_h - w->top, w->stride_h);
            p->tap[i * w->kernel_w + k] = p->front + (y.phase * w->stride_w + x.phase) * p->phase +
                                          (y.line - p->line_first) * p->pitch + x.line;
        }
        for (int64_t j = 0; j < wide; j++) {
            int64_t pixel = j % p->pitch * w->stride_w + shift;
            bool inside = pixel >= 0 && pixel < p->in_w;
            memset(&p->mask[k * wide + j], inside ? 0xff : 0, sizeof *p->mask);
            p->masked[k] |= !inside && j % p->pitch < p->out_w;
        }
    }
    return RG_OK;
}
