/* rotary.c - RotaryEmbedding: pairs of elements of each head are turned by an angle that grows with position.
 *
 *     real = cos * x1 - sin * x2        imaginary = sin * x1 + cos * x2
 *
 * Three flops for each element turned.
 */
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

RG_OP(rotary_embedding) = {
    .name = "RotaryEmbedding", .brief = "turns pairs of elements by their position", .since = 23,
    .in_min = 3, .in_max = 4, .out_min = 1, .out_max = 1, .traits = RG_IN_PLACE,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work,
};
