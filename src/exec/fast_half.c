/* fast_half.c - Gemm and MatMul of bf16 or f16 whose right side is constant: it stays in two bytes each. */
#include "exec/fast.h"
#include "exec/gemm_bf16.h"

typedef struct half_product {
    rg_gemm_bf16 gemm;
    const uint16_t *a;
    char *const *room;           /* A widened, then each worker's own */
    size_t own_at, own_count;    /* in floats */
} half_product;

static void run(void *state, rg_part part)
{
    const half_product *p = state;
    rg_gemm_bf16 g = p->gemm;
    float *room = (float *)(void *)*p->room;
    int64_t from, to;
    rg_part_of(part, g.m * g.k, RG_BLOCK, &from, &to);
    rg_widen(g.half, p->a + from, room + from, to - from);
    rg_team_barrier(part);
    g.a = room;
    rg_gemm_bf16_run(&g, room + p->own_at + (size_t)part.worker * p->own_count, part);
}

static bool is_half(const rg_fast_row *r, rg_value_id v, rg_dtype dtype)
{
    return v && r->g->values[v].type.dtype == dtype && (dtype == RG_F16 || dtype == RG_BF16);
}

/* A of rows that follow each other, B a constant matrix, C nothing or one row of constants. */
static bool fits(const rg_fast_row *r, bool gemm)
{
    const rg_node *n = r->site.node;
    if (!gemm && !rg_node_is(n, "MatMul")) return false;
    rg_dtype dtype = r->g->values[n->in[0]].type.dtype;
    if (!is_half(r, n->in[0], dtype) || !is_half(r, n->in[1], dtype) || !rg_fast_is_constant(r, n->in[1]))
        return false;
    const rg_array *a = rg_fast_array(r, n->in[0]), *b = rg_fast_array(r, n->in[1]);
    if (a->rank < 2 || b->rank != 2 || a->count == 0 || b->count == 0) return false;
    if (!gemm) return true;
    int64_t columns = rg_fast_array(r, n->out[0])->dim[1];
    if (rg_op_int(&r->site, "transA") || rg_op_real(&r->site, "alpha") != 1) return false;
    if (n->in_count < 3 || !n->in[2]) return true;
    const rg_array *c = rg_fast_array(r, n->in[2]);
    return rg_fast_is_constant(r, n->in[2]) && c->count == columns && c->dim[c->rank - 1] == columns;
}

/* The panels of f32, narrowed again: each element is what it was. */
static rg_err pack(const rg_fast_row *r, rg_gemm_bf16 *g, const rg_array *b, bool swapped, const rg_array *c)
{
    int64_t count = (int64_t)rg_gemm_packed_count(g->k, g->n), nr = rg_gemm_nr();
    bool made;
    uint16_t *packed = RG_WEIGHTS(r, uint16_t, count, &made);
    float *bias = RG_NEW(r->arena, float, g->n + nr);
    float *plain = made ? NULL : RG_NEW(&r->cx->arena, float, b->count);
    float *panels = made ? NULL : RG_NEW(&r->cx->arena, float, count);
    if (!packed || !bias || (!made && (!plain || !panels))) return rg_nomem(r->cx);
    double beta = c ? rg_op_real(&r->site, "beta") : 0;
    for (int64_t j = 0; j < g->n && c; j++) bias[j] = (float)(beta * rg_get(c, j));
    g->packed = packed;
    g->bias = bias;
    if (made) return RG_OK;
    rg_widen(g->half, b->data, plain, b->count);
    rg_gemm_pack(plain, swapped ? 1 : g->n, swapped ? g->k : 1, g->k, g->n, panels, RG_ALONE);
    rg_narrow(g->half, panels, packed, count);
    return RG_OK;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    bool gemm = rg_node_is(n, "Gemm");
    *state = NULL;
    if (!fits(r, gemm)) return RG_OK;
    const rg_array *a = rg_fast_array(r, n->in[0]), *b = rg_fast_array(r, n->in[1]);
    const rg_array *c = gemm && n->in_count > 2 && n->in[2] ? rg_fast_array(r, n->in[2]) : NULL;
    bool swapped = gemm && rg_op_int(&r->site, "transB");
    half_product *p = RG_NEW(r->arena, half_product, 1);
    if (!p) return rg_nomem(r->cx);
    int64_t k = a->dim[a->rank - 1];
    p->gemm = (rg_gemm_bf16){.m = a->count / k,
                             .n = b->dim[swapped ? 0 : 1],
                             .k = k,
                             .half = a->dtype == RG_F16,
                             .c = rg_fast_array(r, n->out[0])->data};
    p->a = a->data;
    p->own_at = ((size_t)a->count + RG_BLOCK * 2 - 1) / (RG_BLOCK * 2) * (RG_BLOCK * 2);
    p->own_count = rg_gemm_bf16_room(&p->gemm);
    p->room = rg_fast_room(r, (p->own_at + (size_t)r->workers * p->own_count) * sizeof(float));
    RG_TRY(pack(r, &p->gemm, b, swapped, c));
    *state = p;
    return RG_OK;
}

RG_FAST(half) = {
    .name = "half", .brief = "Gemm and MatMul of bf16 and f16 with packed weights", .make = make, .run = run,
};
