/* rotary.c - RotaryEmbedding: pairs of elements of each head are turned by an angle that grows with position.
 *
 *     real = cos * x1 - sin * x2        imaginary = sin * x1 + cos * x2
 *
 * Three flops for each element turned.
 */
#include "op/kernel.h"
#include "op/share.h"

enum { X, COS, SIN, POSITIONS };

static const rg_attr_spec attrs[] = {
    {"interleaved", RG_ATTR_INT, "0", false, "1: pairs are neighbors; 0: they lie half a head apart"},
    {"num_heads", RG_ATTR_INT, "0", false, "heads; only for an input of rank 3"},
    {"rotary_embedding_dim", RG_ATTR_INT, "0", false, "elements of each head that are turned; 0: all"},
};

static const rg_case cases[] = {
    {"f32[2,4,3,8] f32[50,4] f32[50,4] i64[2,3]", NULL, "f32[2,4,3,8]"},
    {"f16[b,s,4096] f16[2048,64] f16[2048,64] i64[b,s]", "num_heads=32", "f16[b,s,4096]"},
    {"f32[2,4,3,8] f32[2,3,2] f32[2,3,2]", "rotary_embedding_dim=4", "f32[2,4,3,8]"},
};

static rg_err infer(const rg_site *s)
{
    RG_TRY(rg_need_rank(s, X, 3, 4));
    RG_TRY(rg_need_rank(s, COS, 2, 3));
    RG_TRY(rg_need_rank(s, SIN, 2, 3));
    if (rg_in_rank(s, X) == 3 && rg_op_int(s, "num_heads") < 1)
        return rg_site_fail(s, RG_SHAPE, "an input of rank 3 needs num_heads, which is %lld",
                            (long long)rg_op_int(s, "num_heads"));
    return rg_infer_same(s);
}

static void work(const rg_site *s, rg_work *w)
{
    double heads = rg_in_rank(s, X) == 3 ? (double)rg_op_int(s, "num_heads") : 1;
    double size = (double)rg_in_dim(s, X, -1) / heads, turned = (double)rg_op_int(s, "rotary_embedding_dim");
    rg_work_elements(s, w, 3, 0);
    if (turned > 0 && turned < size) w->flop *= turned / size;
}

/* Sizes of the tensor as [batch, length, heads, size] and their strides; `turned` elements of a head move. */
typedef struct layout {
    int64_t batch, length, heads, size, turned;
    int64_t batch_step, length_step, head_step;
} layout;

static rg_err read_layout(const rg_run *r, layout *l)
{
    const rg_array *x = rg_arg(r, X);
    int64_t heads = x->rank == 3 ? rg_op_int(&r->site, "num_heads") : x->dim[1];
    bool packed = x->rank == 3;
    *l = (layout){.batch = x->dim[0], .length = x->dim[x->rank - 2], .heads = heads,
                  .size = packed ? x->dim[2] / heads : x->dim[3]};
    l->batch_step = heads * l->length * l->size;
    l->length_step = packed ? heads * l->size : l->size;
    l->head_step = packed ? l->size : l->length * l->size;
    l->turned = rg_op_int(&r->site, "rotary_embedding_dim");
    if (l->turned == 0) l->turned = l->size;
    if (packed && x->dim[2] % heads != 0)
        return rg_run_fail(r, RG_SHAPE, "%lld columns do not divide into %lld heads", (long long)x->dim[2],
                           (long long)heads);
    if (l->turned < 0 || l->turned > l->size || l->turned % 2 != 0)
        return rg_run_fail(r, RG_SHAPE, "%lld of %lld elements of a head cannot be turned in pairs",
                           (long long)l->turned, (long long)l->size);
    return RG_OK;
}

/* Tables are [positions, turned / 2] with an input of positions, else [batch, length, turned / 2]. */
static rg_err check_tables(const rg_run *r, const layout *l)
{
    const rg_array *at = rg_arg(r, POSITIONS);
    for (uint32_t i = COS; i <= SIN; i++) {
        const rg_array *t = rg_arg(r, i);
        bool direct = t->rank == 3 && t->dim[0] == l->batch && t->dim[1] == l->length;
        if (at ? t->rank != 2 || t->dim[0] != rg_arg(r, COS)->dim[0] : !direct)
            return rg_run_fail(r, RG_SHAPE, "the shape of input %u does not go with the positions", i);
        if (t->dim[t->rank - 1] != l->turned / 2)
            return rg_run_fail(r, RG_SHAPE, "input %u has %lld columns, needs %lld", i,
                               (long long)t->dim[t->rank - 1], (long long)(l->turned / 2));
    }
    if (at && at->count != l->batch * l->length)
        return rg_run_fail(r, RG_SHAPE, "%lld positions for %lld tokens", (long long)at->count,
                           (long long)(l->batch * l->length));
    for (int64_t i = 0; at && i < at->count; i++) {
        int64_t position = rg_get_int(at, i), count = rg_arg(r, COS)->dim[0];
        if (position < 0 || position >= count)
            return rg_run_fail(r, RG_INPUT, "position %lld is outside 0 to %lld", (long long)position,
                               (long long)count - 1);
    }
    return RG_OK;
}

/* One head of one token from element `from`; the angles begin at `angle` of the tables. */
static void turn(const rg_run *r, const layout *l, bool neighbors, int64_t from, int64_t angle)
{
    const rg_array *x = rg_arg(r, X), *c = rg_arg(r, COS), *s = rg_arg(r, SIN), *y = rg_result(r, 0);
    int64_t half = l->turned / 2;
    for (int64_t i = 0; i < half; i++) {
        int64_t a = from + (neighbors ? 2 * i : i), b = neighbors ? a + 1 : a + half;
        double x1 = rg_get(x, a), x2 = rg_get(x, b), cos = rg_get(c, angle + i), sin = rg_get(s, angle + i);
        rg_put(y, a, cos * x1 - sin * x2);
        rg_put(y, b, sin * x1 + cos * x2);
    }
    if (y->data != x->data) rg_copy_run(y, from + l->turned, x, from + l->turned, l->size - l->turned);
}

static rg_err run(const rg_run *r)
{
    const rg_array *positions = rg_arg(r, POSITIONS);
    bool neighbors = rg_op_int(&r->site, "interleaved") != 0;
    layout l;
    RG_TRY(rg_need_numbers(r));
    RG_TRY(read_layout(r, &l));
    RG_TRY(check_tables(r, &l));
    for (int64_t b = 0; b < l.batch; b++)
        for (int64_t t = 0; t < l.length; t++) {
            int64_t token = b * l.length + t, position = positions ? rg_get_int(positions, token) : token;
            for (int64_t h = 0; h < l.heads; h++)
                turn(r, &l, neighbors, b * l.batch_step + t * l.length_step + h * l.head_step,
                     position * (l.turned / 2));
        }
    return RG_OK;
}

RG_OP(rotary_embedding) = {
    .name = "RotaryEmbedding", .brief = "turns pairs of elements by their position", .since = 23,
    .in_min = 3, .in_max = 4, .out_min = 1, .out_max = 1, .traits = RG_IN_PLACE,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run,
};
