/* fast_product.c - Gemm and MatMul with a constant right side, which is packed when the model is loaded. */
#include "exec/fast.h"

typedef struct product { rg_gemm gemm; } product;

static void run(void *state, rg_part part)
{
    const product *p = state;
    rg_gemm_run(&p->gemm, part);
}

/* Rows of A follow each other, whatever its leading axes are. */
static bool fits(const rg_fast_row *r, bool gemm)
{
    const rg_node *n = r->site.node;
    if (!gemm && !rg_node_is(n, "MatMul")) return false;
    if (!rg_fast_is_f32(r, n->in[0]) || !rg_fast_is_f32(r, n->in[1]) || !rg_fast_is_constant(r, n->in[1]))
        return false;
    if (rg_fast_array(r, n->in[1])->rank != 2 || rg_fast_array(r, n->in[0])->rank < 2) return false;
    return !gemm || (!rg_op_int(&r->site, "transA") && rg_op_real(&r->site, "alpha") == 1);
}

/* A constant C of Gemm that is one row, or nothing. */
static bool reads_bias(const rg_fast_row *r, bool gemm, int64_t n, const rg_array **out)
{
    const rg_node *node = r->site.node;
    *out = NULL;
    if (!gemm || node->in_count < 3 || !node->in[2]) return true;
    if (!rg_fast_is_constant(r, node->in[2]) || !rg_fast_is_f32(r, node->in[2])) return false;
    *out = rg_fast_array(r, node->in[2]);
    return (*out)->rank >= 1 && (*out)->count == n && (*out)->dim[(*out)->rank - 1] == n;
}

static rg_err pack(const rg_fast_row *r, product *p, const rg_array *b, bool swapped, const rg_array *bias)
{
    rg_gemm *g = &p->gemm;
    bool made;
    float *packed = RG_WEIGHTS(r, float, rg_gemm_packed_count(g->k, g->n), &made);
    float *sum = RG_NEW(r->arena, float, g->n);
    if (!packed || !sum) return rg_nomem(r->cx);
    if (!made) rg_gemm_pack(b->data, swapped ? 1 : g->n, swapped ? g->k : 1, g->k, g->n, packed, RG_ALONE);
    double beta = bias ? rg_op_real(&r->site, "beta") : 0;
    for (int64_t i = 0; i < g->n; i++) {
        sum[i] = bias ? (float)(beta * rg_get(bias, i)) : 0;
        if (r->chain.shift) sum[i] += r->chain.shift[i]; /* a product's scale is 1 */
    }
    g->packed = packed;
    g->epilogue.bias = sum;
    return RG_OK;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const rg_node *node = r->site.node;
    bool gemm = rg_node_is(node, "Gemm");
    const rg_array *bias;
    *state = NULL;
    if (!fits(r, gemm)) return RG_OK;
    const rg_array *a = rg_fast_array(r, node->in[0]), *b = rg_fast_array(r, node->in[1]);
    bool swapped = gemm && rg_op_int(&r->site, "transB");
    int64_t k = a->dim[a->rank - 1], n = b->dim[swapped ? 0 : 1];
    if (!reads_bias(r, gemm, n, &bias) || k < 1 || n < 1) return RG_OK;
    product *p = RG_NEW(r->arena, product, 1);
    if (!p) return rg_nomem(r->cx);
    p->gemm = (rg_gemm){.m = a->count / k,
                        .n = n,
                        .k = k,
                        .a = a->data,
                        .a_step = k,
                        .c = rg_fast_array(r, r->chain.out)->data,
                        .c_step = n,
                        .c_block = RG_BLOCK,
                        .epilogue = rg_chain_epilogue(r)};
    RG_TRY(pack(r, p, b, swapped, bias));
    *state = p;
    return RG_OK;
}

RG_FAST(product) = {
    .name = "product", .brief = "Gemm and MatMul with packed weights", .make = make, .run = run,
};
