/* fast_norm.c - normalizations of f32 whose groups are runs of elements: LayerNormalization,
 * RMSNormalization, Softmax along the last axis; and BatchNormalization with fixed statistics, where each
 * run is a channel's.
 *
 * A run is read two or three times while it lies in the nearest cache, if it is not an image. A result may
 * lie where the input does.
 */
#include "exec/fast.h"
#include "exec/f32x8.h"

#include <math.h>

typedef struct norm norm;
struct norm {
    void (*run)(const norm *s, int64_t from, int64_t to);
    const float *x, *scale, *shift; /* scale, shift: [size], or NULL; of a batch's channels [channels] */
    float *y;
    int64_t count, size;            /* runs, and elements of each */
    int64_t part;                   /* of a run: neighbors with one scale and shift; 1: each its own */
    int64_t channels;
    float epsilon;
};

RG_INLINE void scale_run(const norm *s, const float *x, float *y, float mean, float factor)
{
    const float *scale = s->scale, *shift = s->shift;
    int64_t size = s->size;
    if (scale && shift) {
        RG_INDEPENDENT
        for (int64_t i = 0; i < size; i++) y[i] = (x[i] - mean) * factor * scale[i] + shift[i];
    } else if (scale) {
        RG_INDEPENDENT
        for (int64_t i = 0; i < size; i++) y[i] = (x[i] - mean) * factor * scale[i];
    } else {
        RG_INDEPENDENT
        for (int64_t i = 0; i < size; i++) y[i] = (x[i] - mean) * factor;
    }
}

/* Parts of a run, channels of an image say, each with one scale and shift; their sums are joined in double,
 * since a run may be a whole image. */
RG_INLINE void layer_parts(const norm *s, int64_t from, int64_t to)
{
    int64_t parts = s->size / s->part, part = s->part;
    for (int64_t run = from; run < to; run++) {
        const float *x = s->x + run * s->size;
        float *y = s->y + run * s->size;
        double sum = 0, squares = 0;
        for (int64_t p = 0; p < parts; p++) sum += (double)rg_sumf(x + p * part, part);
        float mean = (float)(sum / (double)s->size);
        for (int64_t p = 0; p < parts; p++) squares += (double)rg_squaresf(x + p * part, part, mean);
        float factor = 1 / sqrtf((float)(squares / (double)s->size) + s->epsilon);
        for (int64_t p = 0; p < parts; p++) {
            float scale = factor * s->scale[p], shift = s->shift ? s->shift[p] : 0;
            RG_INDEPENDENT
            for (int64_t i = p * part; i < (p + 1) * part; i++) y[i] = (x[i] - mean) * scale + shift;
        }
    }
}
RG_FOR_MACHINE(layer_parts, norm)

RG_INLINE void layer(const norm *s, int64_t from, int64_t to)
{
    for (int64_t run = from; run < to; run++) {
        const float *x = s->x + run * s->size;
        float mean = rg_sumf(x, s->size) / (float)s->size;
        float square = rg_squaresf(x, s->size, mean) / (float)s->size;
        scale_run(s, x, s->y + run * s->size, mean, 1 / sqrtf(square + s->epsilon));
    }
}
RG_FOR_MACHINE(layer, norm)

RG_INLINE void rms(const norm *s, int64_t from, int64_t to)
{
    for (int64_t run = from; run < to; run++) {
        const float *x = s->x + run * s->size;
        float square = rg_squaresf(x, s->size, 0) / (float)s->size;
        scale_run(s, x, s->y + run * s->size, 0, 1 / sqrtf(square + s->epsilon));
    }
}
RG_FOR_MACHINE(rms, norm)

RG_INLINE void softmax(const norm *s, int64_t from, int64_t to)
{
    for (int64_t run = from; run < to; run++) {
        const float *x = s->x + run * s->size;
        float *y = s->y + run * s->size, max = rg_maxf(x, s->size);
        RG_INDEPENDENT
        for (int64_t i = 0; i < s->size; i++) y[i] = rg_exp_belowf(x[i] - max);
        float factor = 1 / rg_sumf(y, s->size);
        RG_INDEPENDENT
        for (int64_t i = 0; i < s->size; i++) y[i] *= factor;
    }
}
RG_FOR_MACHINE(softmax, norm)

RG_INLINE void batch(const norm *s, int64_t from, int64_t to)
{
    for (int64_t run = from; run < to; run++) {
        const float *x = s->x + run * s->size;
        float *y = s->y + run * s->size;
        float scale = s->scale[run % s->channels], shift = s->shift[run % s->channels];
        RG_INDEPENDENT
        for (int64_t i = 0; i < s->size; i++) y[i] = x[i] * scale + shift;
    }
}
RG_FOR_MACHINE(batch, norm)

/* Blocks of channels: a run is a block's pixels. */
RG_INLINE void batch_blocked(const norm *s, int64_t from, int64_t to)
{
    for (int64_t run = from; run < to; run++) {
        const float *x = s->x + run * s->size;
        float *y = s->y + run * s->size;
        int64_t channel = run * RG_BLOCK % s->channels;
        rg_f32x8 scale = *(const rg_f32x8 *)(const void *)(s->scale + channel),
                 shift = *(const rg_f32x8 *)(const void *)(s->shift + channel);
        for (int64_t i = 0; i < s->size; i += RG_BLOCK)
            *(rg_f32x8 *)(void *)(y + i) = *(const rg_f32x8 *)(const void *)(x + i) * scale + shift;
    }
}
RG_FOR_MACHINE(batch_blocked, norm)

/* ---- making ---- */

/* Its last axes are those of x, ones stand in front; where `first` is, only x's axis, with ones behind. */
static bool has_axes(const rg_array *a, const rg_array *x, int axis, bool first)
{
    for (int k = 1; k <= a->rank; k++) { /* from the last axis */
        int of_x = x->rank - k;
        if (a->dim[a->rank - k] != (of_x < axis || (first && of_x > axis) ? 1 : x->dim[of_x])) return false;
    }
    return a->count == (first ? x->dim[axis] : rg_array_size(x, axis, x->rank));
}

/* Scale or shift of one element for each of a run's, or for each of the run's first axis; false: another
 * form. */
static bool reads_affine(const rg_fast_row *r, uint32_t i, int axis, bool first, const float **out)
{
    const rg_node *n = r->site.node;
    *out = NULL;
    if (i >= n->in_count || !n->in[i]) return true;
    if (!rg_fast_is_f32(r, n->in[i])) return false;
    const rg_array *x = rg_fast_array(r, n->in[0]), *a = rg_fast_array(r, n->in[i]);
    if (!has_axes(a, x, axis, first)) return false;
    *out = a->data;
    return true;
}

static bool fits_layer(const rg_fast_row *r, norm *s)
{
    const rg_node *n = r->site.node;
    bool about_zero = rg_node_is(n, "RMSNormalization");
    if (!about_zero && !rg_node_is(n, "LayerNormalization")) return false;
    const rg_array *x = rg_fast_array(r, n->in[0]);
    int64_t axis = rg_op_int(&r->site, "axis");
    if (axis < 0) axis += x->rank;
    for (uint32_t i = 1; i < n->out_count; i++)
        if (n->out[i]) return false; /* somebody wants the statistics */
    bool whole = reads_affine(r, 1, (int)axis, false, &s->scale) &&
                 reads_affine(r, 2, (int)axis, false, &s->shift);
    bool first = !whole && !about_zero && reads_affine(r, 1, (int)axis, true, &s->scale) &&
                 reads_affine(r, 2, (int)axis, true, &s->shift) && s->scale;
    if ((!whole && !first) || (s->shift && !s->scale)) return false;
    s->run = about_zero ? rms_best : first ? layer_parts_best : layer_best;
    s->part = first ? rg_array_size(x, (int)axis + 1, x->rank) : 1;
    s->size = rg_array_size(x, (int)axis, x->rank);
    s->epsilon = (float)rg_op_real(&r->site, "epsilon");
    return true;
}

static bool fits_softmax(const rg_fast_row *r, norm *s)
{
    const rg_node *n = r->site.node;
    if (!rg_node_is(n, "Softmax")) return false;
    const rg_array *x = rg_fast_array(r, n->in[0]);
    int64_t axis = rg_op_int(&r->site, "axis");
    if (x->rank < 1 || (axis != -1 && axis != x->rank - 1)) return false;
    s->run = softmax_best;
    s->size = x->dim[x->rank - 1];
    return true;
}

static bool fits_batch(const rg_fast_row *r, norm *s)
{
    const rg_node *n = r->site.node;
    if (!rg_node_is(n, "BatchNormalization") || rg_op_int(&r->site, "training_mode")) return false;
    for (uint32_t i = 1; i < 5; i++)
        if (!rg_fast_is_constant(r, n->in[i]) || !rg_fast_is_f32(r, n->in[i])) return false;
    for (uint32_t i = 1; i < n->out_count; i++)
        if (n->out[i]) return false;
    const rg_array *x = rg_fast_array(r, n->in[0]);
    if (x->rank < 2) return false;
    s->run = batch_best;
    s->channels = x->dim[1];
    s->size = rg_array_size(x, 2, x->rank);
    if (r->blocked && r->blocked[n->in[0]]) {
        s->run = batch_blocked_best;
        s->size *= RG_BLOCK;
    }
    return true;
}

/* The five numbers of a channel as two: y = x * scale + shift. */
static rg_err fold_batch(const rg_fast_row *r, norm *s)
{
    const rg_node *n = r->site.node;
    double epsilon = rg_op_real(&r->site, "epsilon");
    float *scale = RG_NEW(r->arena, float, s->channels), *shift = RG_NEW(r->arena, float, s->channels);
    if (!scale || !shift) return rg_nomem(r->cx);
    for (int64_t c = 0; c < s->channels; c++) {
        double factor = rg_get(rg_fast_array(r, n->in[1]), c) /
                        sqrt(rg_get(rg_fast_array(r, n->in[4]), c) + epsilon);
        scale[c] = (float)factor;
        shift[c] = (float)(rg_get(rg_fast_array(r, n->in[2]), c) -
                           rg_get(rg_fast_array(r, n->in[3]), c) * factor);
    }
    s->scale = scale;
    s->shift = shift;
    return RG_OK;
}

static void run(void *state, rg_part part)
{
    const norm *s = state;
    int64_t from, to;
    rg_part_of(part, s->count, 1, &from, &to);
    s->run(s, from, to);
}

static rg_layout_rule layout(const rg_fast_row *r)
{
    norm s = {0};
    const rg_node *n = r->site.node;
    bool batch = rg_node_is(n, "BatchNormalization") && rg_fast_is_f32(r, n->in[0]) && fits_batch(r, &s);
    return batch ? RG_LAYOUT_SAME : RG_LAYOUT_PLAIN;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    norm s = {0};
    *state = NULL;
    if (n->in_count < 1 || !n->in[0] || !n->out[0] || !rg_fast_is_f32(r, n->in[0])) return RG_OK;
    if (!fits_layer(r, &s) && !fits_softmax(r, &s) && !fits_batch(r, &s)) return RG_OK;
    s.x = rg_fast_array(r, n->in[0])->data;
    s.y = rg_fast_array(r, n->out[0])->data;
    s.count = s.size > 0 ? rg_fast_array(r, n->in[0])->count / s.size : 0;
    if (s.channels) RG_TRY(fold_batch(r, &s));
    norm *made = RG_NEW(r->arena, norm, 1);
    if (!made) return rg_nomem(r->cx);
    *made = s;
    *state = made;
    return RG_OK;
}

RG_FAST(norm) = {
    .name = "norm",
    .brief = "normalizations of runs, and softmax",
    .layout = layout,
    .make = make,
    .run = run,
};
