/* fast_qproduct.c - MatMulInteger and QLinearMatMul. A right side of constants is packed when the model is
 * loaded, another one before its product; the left side is packed by every run, once for all columns.
 *
 *     row_factor = sums of A's rows    column_factor = zero points of B
 *     row_term = 0                     column_term = - zero point of A * (sums of B's columns, centered)
 */
#include "exec/quantized.h"

#include <string.h>

typedef struct qproduct {
    rg_gemm_i8 gemm;                       /* of the first product */
    const uint8_t *a, *b;                  /* b: NULL where it is packed for ever */
    uint8_t flip_a, flip_b;
    const rg_array *a_zero;                /* one; or NULL */
    const void *ones;
    int32_t *column_sums;                  /* those of constants */
    int rank; int64_t dim[RG_RANK_MAX], a_step[RG_RANK_MAX], b_step[RG_RANK_MAX], count;
    char *const *room;
    size_t sums_at, terms_at, columns_at, column_sums_at; /* in the room, behind the packed rows */
} qproduct;

/* Everything of one product that its own workers have to prepare. */
static void prepare(const qproduct *q, rg_gemm_i8 *g, const uint8_t *a, const uint8_t *b, rg_part part)
{
    char *room = *q->room;
    int32_t *terms = (int32_t *)(void *)(room + q->terms_at), *sums = q->column_sums;
    int64_t from, to;
    if (b) {
        int8_t *columns = (int8_t *)room + q->columns_at;
        sums = (int32_t *)(void *)(room + q->column_sums_at);
        rg_gemm_i8_pack_columns(g->isa, b, g->k, g->n, q->flip_b, columns, part);
        rg_gemm_i8_column_sums(g->isa, q->ones, columns, g->k, g->n, g->column_factor, sums, part);
        g->columns = columns;
    }
    g->rows = room;
    g->row_factor = (int32_t *)(void *)(room + q->sums_at);
    g->column_term = terms;
    rg_gemm_i8_pack_rows(g->isa, a, g->k, g->m, g->k, q->flip_a, room, (int32_t *)(void *)(room + q->sums_at),
                         part);
    uint32_t zero = (q->a_zero ? (uint32_t)rg_get_int(q->a_zero, 0) : 0) + q->flip_a;
    rg_part_of(part, g->n, g->isa->nr, &from, &to);
    for (int64_t j = from; j < to; j++) terms[j] = (int32_t)(0 - zero * (uint32_t)sums[j]);
}

static void run(void *state, rg_part part)
{
    const qproduct *q = state;
    int64_t index[RG_RANK_MAX] = {0};
    for (int64_t i = 0; i < q->count; i++, rg_index_next(q->rank, q->dim, index)) {
        rg_gemm_i8 g = q->gemm;
        if (i) rg_team_barrier(part); /* all are done with the room */
        prepare(q, &g, q->a + rg_index_at(q->rank, index, q->a_step),
                q->b ? q->b + rg_index_at(q->rank, index, q->b_step) : NULL, part);
        rg_team_barrier(part);
        if (g.sums) g.sums += i * g.m * g.n;
        else g.bytes += i * g.m * g.n;
        rg_gemm_i8_run(&g, part);
    }
}

/* ---- making ---- */

/* Which inputs mean what; -1: there is none. */
typedef struct roles { const char *op; int a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero; } roles;

static const roles all_roles[] = {
    {"MatMulInteger", 0, -1, 2, 1, -1, 3, -1, -1},
    {"QLinearMatMul", 0, 1, 2, 3, 4, 5, 6, 7},
};

static bool fits(const rg_fast_row *r, const roles *is)
{
    rg_value_id a = rg_q_input(r, is->a), b = rg_q_input(r, is->b), y = r->site.node->out[0],
                zero = rg_q_input(r, is->a_zero);
    if (!rg_q_is_byte(r, a) || !rg_q_is_byte(r, b)) return false;
    const rg_array *left = rg_fast_array(r, a), *right = rg_fast_array(r, b);
    if (left->rank < 2 || right->rank < 2 || left->count == 0 || right->count == 0) return false;
    int64_t n = right->dim[right->rank - 1];
    if (zero && rg_fast_array(r, zero)->count != 1) return false;
    bool known = rg_q_is_known(r, rg_q_input(r, is->b_zero), right->rank == 2 ? n : 1);
    if (is->y_scale < 0) return known;
    return known && rg_q_is_byte(r, y) && left->dim[left->rank - 1] <= RG_I8_K_MAX &&
           rg_q_is_known(r, rg_q_input(r, is->a_scale), 1) &&
           rg_q_is_known(r, rg_q_input(r, is->b_scale), right->rank == 2 ? n : 1) &&
           rg_q_is_known(r, rg_q_input(r, is->y_scale), 1) && rg_q_is_known(r, rg_q_input(r, is->y_zero), 1);
}

/* Zero points of B, and scales: a_scale * b_scale / y_scale. */
static rg_err read_columns(const rg_fast_row *r, const roles *is, qproduct *q)
{
    rg_gemm_i8 *g = &q->gemm;
    int32_t *zero = RG_NEW(r->arena, int32_t, g->n + g->isa->nr), *nothing = RG_NEW(r->arena, int32_t, g->m);
    double *scale = RG_NEW(r->arena, double, g->n + g->isa->nr);
    if (!zero || !nothing || !scale) return rg_nomem(r->cx);
    for (int64_t j = 0; j < g->n; j++) {
        zero[j] = (int32_t)rg_q_known(r, rg_q_input(r, is->b_zero), j, 0) - q->flip_b;
        scale[j] = rg_q_known(r, rg_q_input(r, is->a_scale), 0, 1) *
                   rg_q_known(r, rg_q_input(r, is->b_scale), j, 1) /
                   rg_q_known(r, rg_q_input(r, is->y_scale), 0, 1);
    }
    g->column_factor = zero;
    g->row_term = nothing;
    g->column_scale = scale;
    if (is->y_scale >= 0) rg_q_result(r, rg_q_input(r, is->y_zero), g);
    return RG_OK;
}

static rg_err pack(const rg_fast_row *r, qproduct *q, const rg_array *b)
{
    rg_gemm_i8 *g = &q->gemm;
    bool made, summed;
    int8_t *columns = RG_WEIGHTS(r, int8_t, rg_gemm_i8_columns_byte(g->isa, g->k, g->n), &made);
    q->column_sums = RG_WEIGHTS(r, int32_t, g->n + g->isa->nr, &summed);
    if (!columns || !q->column_sums) return rg_nomem(r->cx);
    if (!made) rg_gemm_i8_pack_columns(g->isa, b->data, g->k, g->n, q->flip_b, columns, RG_ALONE);
    if (!summed)
        rg_gemm_i8_column_sums(g->isa, q->ones, columns, g->k, g->n, g->column_factor, q->column_sums,
                               RG_ALONE);
    g->columns = columns;
    return RG_OK;
}

/* Rows of A follow each other, so that one B for all is one product. */
static void find_products(qproduct *q, const rg_array *a, const rg_array *b, const rg_array *y)
{
    q->rank = y->rank - 2;
    q->count = rg_array_size(y, 0, q->rank);
    for (int i = 0; i < q->rank; i++) q->dim[i] = y->dim[i];
    rg_broadcast_strides(a, y->rank, y->dim, q->a_step);
    rg_broadcast_strides(b, y->rank, y->dim, q->b_step);
    if (b->rank > 2) return;
    q->gemm.m = a->count / q->gemm.k;
    q->rank = 0;
    q->count = 1;
}

static void find_room(const rg_fast_row *r, qproduct *q)
{
    const rg_gemm_i8 *g = &q->gemm;
    size_t columns = rg_q_aligned((size_t)(g->n + g->isa->nr) * sizeof(int32_t));
    q->sums_at = rg_q_aligned(rg_gemm_i8_rows_byte(g->isa, g->m, g->k));
    q->terms_at = q->sums_at + rg_q_aligned((size_t)(g->m + g->isa->mr) * sizeof(int32_t));
    q->column_sums_at = q->terms_at + columns;
    q->columns_at = q->column_sums_at + columns;
    size_t all = q->columns_at + (q->b ? rg_gemm_i8_columns_byte(g->isa, g->k, g->n) : 0);
    q->room = rg_fast_room(r, all);
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    const roles *is = NULL;
    *state = NULL;
    for (size_t i = 0; i < RG_COUNT(all_roles); i++)
        if (rg_node_is(n, all_roles[i].op)) is = &all_roles[i];
    if (!is || !fits(r, is)) return RG_OK;
    const rg_array *a = rg_fast_array(r, n->in[is->a]), *b = rg_fast_array(r, n->in[is->b]),
                   *y = rg_fast_array(r, n->out[0]);
    qproduct *q = RG_NEW(r->arena, qproduct, 1);
    if (!q) return rg_nomem(r->cx);
    q->gemm = (rg_gemm_i8){.isa = rg_i8_isa_best(), .m = a->dim[a->rank - 2], .n = y->dim[y->rank - 1],
                           .k = a->dim[a->rank - 1], .c_step = y->dim[y->rank - 1]};
    if (is->y_scale < 0) q->gemm.sums = y->data;
    else q->gemm.bytes = y->data;
    q->a = a->data;
    q->flip_a = a->dtype == RG_I8 ? RG_I8_FLIP : 0;
    q->flip_b = b->dtype == RG_U8 ? RG_I8_FLIP : 0;
    if (rg_q_input(r, is->a_zero)) q->a_zero = rg_fast_array(r, rg_q_input(r, is->a_zero));
    find_products(q, a, b, y);
    RG_TRY(read_columns(r, is, q));
    RG_TRY(rg_gemm_i8_ones(r->cx, r->arena, q->gemm.isa, q->gemm.k, &q->ones));
    if (rg_fast_is_constant(r, n->in[is->b]) && b->rank == 2) RG_TRY(pack(r, q, b));
    else q->b = b->data;
    find_room(r, q);
    *state = q;
    return RG_OK;
}

RG_FAST(qproduct) = {
    .name = "qproduct", .brief = "MatMulInteger and QLinearMatMul", .make = make, .run = run,
};
