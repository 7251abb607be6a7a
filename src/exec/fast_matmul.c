/* fast_matmul.c - MatMul of two tensors that are both computed: many products, whose right sides are packed
 * one by one into the same room. A right side that serves all of them is packed once.
 */
#include "exec/fast.h"

typedef struct matmul {
    rg_gemm gemm;                          /* of the first product */
    const float *b;
    float *panels;
    int rank; int64_t dim[RG_RANK_MAX];    /* of the products */
    int64_t a_step[RG_RANK_MAX], b_step[RG_RANK_MAX];
    int64_t count;
} matmul;

static void run(void *state, rg_part part)
{
    const matmul *s = state;
    int64_t index[RG_RANK_MAX] = {0};
    const float *packed = NULL;
    for (int64_t i = 0; i < s->count; i++, rg_index_next(s->rank, s->dim, index)) {
        rg_gemm g = s->gemm;
        const float *b = s->b + rg_index_at(s->rank, index, s->b_step);
        int64_t at = i * g.m * g.n;
        if (b != packed) { /* the one before is done with it by all */
            if (packed) rg_team_barrier(part);
            rg_gemm_pack(b, g.n, 1, g.k, g.n, s->panels, part);
            rg_team_barrier(part);
        }
        packed = b;
        g.a += rg_index_at(s->rank, index, s->a_step);
        g.c += at;
        if (g.epilogue.add) g.epilogue.add += at;
        rg_gemm_run(&g, part);
    }
}

/* Rows of A follow each other, so that one B for all is one product. */
static void join_rows(matmul *s, const rg_array *a)
{
    for (int k = 0; k < s->rank; k++)
        if (s->b_step[k] || (s->dim[k] > 1 && !s->a_step[k])) return;
    s->gemm.m = a->count / s->gemm.k;
    s->rank = 0;
    s->count = 1;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    *state = NULL;
    if (!rg_node_is(n, "MatMul")) return RG_OK;
    if (!rg_fast_is_f32(r, n->in[0]) || !rg_fast_is_f32(r, n->in[1])) return RG_OK;
    const rg_array *a = rg_fast_array(r, n->in[0]), *b = rg_fast_array(r, n->in[1]),
                   *y = rg_fast_array(r, n->out[0]);
    if (a->rank < 2 || b->rank < 2 || a->count == 0 || b->count == 0) return RG_OK;
    if (b->rank == 2 && rg_fast_is_constant(r, n->in[1])) return RG_OK; /* packed once by fast_product.c */
    matmul *s = RG_NEW(r->arena, matmul, 1);
    if (!s) return rg_nomem(r->cx);
    int64_t k = a->dim[a->rank - 1], columns = b->dim[b->rank - 1];
    s->gemm = (rg_gemm){.m = a->dim[a->rank - 2], .n = columns, .k = k, .a = a->data, .a_step = k,
                        .c = rg_fast_array(r, r->chain.out)->data, .c_step = columns, .c_block = RG_BLOCK,
                        .epilogue = rg_chain_epilogue(r)};
    s->gemm.epilogue.bias = r->chain.shift; /* a product's scale is 1 */
    s->b = b->data;
    s->rank = y->rank - 2;
    s->count = rg_array_size(y, 0, s->rank);
    for (int i = 0; i < s->rank; i++) s->dim[i] = y->dim[i];
    rg_broadcast_strides(a, y->rank, y->dim, s->a_step);
    rg_broadcast_strides(b, y->rank, y->dim, s->b_step);
    join_rows(s, a);
    s->panels = RG_NEW(r->arena, float, rg_gemm_packed_count(k, columns));
    if (!s->panels) return rg_nomem(r->cx);
    s->gemm.packed = s->panels;
    *state = s;
    return RG_OK;
}

RG_FAST(matmul) = {
    .name = "matmul", .brief = "MatMul of two activations", .make = make, .run = run,
};
