/* fast_softmax.c - Softmax along an axis with others behind it: [outer, size, inner], `inner` of them side by
 * side, a chunk at a time. Along the last axis: fast_norm.c.
 */
#include "exec/fast.h"
#include "exec/mathf.h"

enum { CHUNK = 64 };         /* that stay in the nearest cache while the axis is gone along three times */

typedef struct softmax {
    const float *x;
    float *y;
    int64_t outer, size, inner, chunks;
} softmax;

/* A result may lie where the input does: the greatest is found before anything is written. */
RG_INLINE void chunk_of(const softmax *s, const float *x, float *y, int64_t count)
{
    float max[CHUNK], sum[CHUNK];
    for (int64_t i = 0; i < count; i++) max[i] = x[i], sum[i] = 0;
    for (int64_t k = 1; k < s->size; k++)
        for (int64_t i = 0; i < count; i++)
            max[i] = rg_pickf(x[k * s->inner + i] > max[i], x[k * s->inner + i], max[i]);
    for (int64_t k = 0; k < s->size; k++) {
        const float *from = x + k * s->inner;
        float *to = y + k * s->inner;
        RG_INDEPENDENT
        for (int64_t i = 0; i < count; i++) {
            to[i] = rg_expf(from[i] - max[i]);
            sum[i] += to[i];
        }
    }
    for (int64_t i = 0; i < count; i++) sum[i] = 1 / sum[i];
    for (int64_t k = 0; k < s->size; k++) {
        float *to = y + k * s->inner;
        RG_INDEPENDENT
        for (int64_t i = 0; i < count; i++) to[i] *= sum[i];
    }
}

RG_INLINE void chunks(const softmax *s, int64_t from, int64_t to)
{
    for (int64_t n = from; n < to; n++) {
        int64_t first = n % s->chunks * CHUNK, at = n / s->chunks * s->size * s->inner + first;
        chunk_of(s, s->x + at, s->y + at, s->inner - first < CHUNK ? s->inner - first : CHUNK);
    }
}
RG_FOR_MACHINE(chunks, softmax)

static void run(void *state, rg_part part)
{
    const softmax *s = state;
    int64_t from, to;
    rg_part_of(part, s->outer * s->chunks, 1, &from, &to);
    chunks_best(s, from, to);
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    *state = NULL;
    if (!rg_node_is(n, "Softmax") || !rg_fast_is_f32(r, n->in[0]) || !n->out[0]) return RG_OK;
    const rg_array *x = rg_fast_array(r, n->in[0]);
    int64_t axis = rg_op_int(&r->site, "axis");
    if (x->count == 0 || x->rank < 1) return RG_OK;
    axis += axis < 0 ? x->rank : 0;
    softmax *s = RG_NEW(r->arena, softmax, 1);
    if (!s) return rg_nomem(r->cx);
    *s = (softmax){.x = x->data,
                   .y = rg_fast_array(r, n->out[0])->data,
                   .outer = rg_array_size(x, 0, (int)axis),
                   .size = x->dim[axis],
                   .inner = rg_array_size(x, (int)axis + 1, x->rank)};
    s->chunks = (s->inner + CHUNK - 1) / CHUNK;
    *state = s;
    return RG_OK;
}

RG_FAST(softmax) = {
    .name = "softmax",
    .brief = "softmax along an axis that is not the last",
    .make = make,
    .run = run,
};
