/* cast.c - Cast, CastLike, BitCast: other element types, the same shape. */
#include "op/share.h"

/* Between integers and bool elements can be followed; what overflows a narrow integer is left to the run. */
static void cast_follow(const rg_site *s, rg_dtype to)
{
    rg_dim out[RG_KNOWN_MAX];
    uint32_t count;
    const rg_dim *in = rg_in_known(s, 0, &count);

    for (uint32_t i = 0; in && i < count; i++) {
        bool number = rg_dim_is_number(in[i]);
        if (to == RG_BOOL && !number && rg_dim_low(rg_site_dims(s), in[i]) <= 0) return;
        if (to == RG_I32 && number && (in[i] < INT32_MIN || in[i] > INT32_MAX)) return;
        out[i] = to != RG_BOOL ? in[i] : !number || in[i] != 0;
    }
    if (in) rg_set_known(s, 0, out, count);
}

static rg_err cast_to(const rg_site *s, rg_dtype to)
{
    RG_TRY(rg_need_tensor(s, 0));
    rg_set_out(s, 0, rg_type_like(s, 0, to));
    cast_follow(s, to);
    return RG_OK;
}

static void cast_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, 1, 0); }

/* ---- Cast ---- */

static const rg_attr_spec cast_attrs[] = {
    {"to", RG_ATTR_INT, NULL, true, "element type of the result, as TensorProto.DataType numbers it"},
    {"saturate", RG_ATTR_INT, "1", false, "to 8-bit floats: overflow gives the largest number"},
    {"round_mode", RG_ATTR_STRING, "up", false, "to f8e8m0: up, down or nearest"},
};

static const rg_case cast_cases[] = {
    {"f32[2,3]", "to=10", "f16[2,3]"},
    {"i64[batch]", "to=1", "f32[batch]"},
    {"i64[2]=0,7", "to=9", "bool[2]"},
};

static rg_err cast_infer(const rg_site *s)
{
    rg_dtype to;

    RG_TRY(rg_dtype_attr(s, "to", RG_DTYPE_NONE, &to));
    return cast_to(s, to);
}

/* Up to opset 5 the type was named by text: FLOAT, INT64, ... */
static rg_err cast_upgrade(const rg_site *s)
{
    const rg_attr *to = rg_node_attr(s->node, "to");
    char lower[16];

    if (!to || to->kind != RG_ATTR_STRING) return RG_OK;
    size_t size = to->s.size < sizeof(lower) ? to->s.size : sizeof(lower);
    for (size_t i = 0; i < size; i++) {
        char c = to->s.data[i];
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    rg_dtype dtype = rg_dtype_named((rg_str){lower, size});
    if (dtype == RG_DTYPE_NONE)
        return rg_site_fail(s, RG_FORMAT, "attribute to: '%.*s' is no element type", RG_STR(to->s));
    rg_attr code = {.name = to->name, .kind = RG_ATTR_INT, .i = dtype};
    return rg_node_set_attr(s->cx, s->g, s->id, &code);
}

RG_OP(cast) = {
    .name = "Cast", .brief = "elements converted to another type", .since = 25,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE,
    RG_SPEC(cast_attrs) RG_CASES(cast_cases)
    .infer = cast_infer, .work = cast_work, .upgrade = cast_upgrade,
};

/* ---- CastLike ---- */

static const rg_attr_spec castlike_attrs[] = {
    {"saturate", RG_ATTR_INT, "1", false, "as Cast"},
    {"round_mode", RG_ATTR_STRING, "up", false, "as Cast"},
};

static const rg_case castlike_cases[] = {{"f32[2,3] f16[1]", "", "f16[2,3]"}};

static rg_err castlike_infer(const rg_site *s)
{
    RG_TRY(rg_need_tensor(s, 1));
    return cast_to(s, rg_in_type(s, 1)->dtype);
}

/* Of the second input only the type counts. */
static void castlike_work(const rg_site *s, rg_work *w)
{
    double unread = rg_type_bytes(s->g, rg_in_type(s, 1));

    cast_work(s, w);
    if (s->node->in[0] != s->node->in[1]) {
        w->in_byte -= unread;
        w->weight_byte -= rg_in_is_const(s, 1) ? unread : 0;
    }
}

RG_OP(castlike) = {
    .name = "CastLike", .brief = "elements converted to the type of the second input", .since = 25,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE,
    RG_SPEC(castlike_attrs) RG_CASES(castlike_cases)
    .infer = castlike_infer, .work = castlike_work,
};

/* ---- BitCast ---- */

static const rg_attr_spec bitcast_attrs[] = {
    {"to", RG_ATTR_INT, NULL, true, "element type of the same width"},
};

static const rg_case bitcast_cases[] = {{"f32[2,3]", "to=6", "i32[2,3]"}};

static rg_err bitcast_infer(const rg_site *s)
{
    rg_dtype from, to;

    RG_TRY(rg_need_dtype(s, 0, 1, &from));
    RG_TRY(rg_dtype_attr(s, "to", RG_DTYPE_NONE, &to));
    if (from && rg_dtype_bits(from) != rg_dtype_bits(to))
        return rg_site_fail(s, RG_SHAPE, "%s has %d bits, %s %d", rg_dtype_name(from), rg_dtype_bits(from),
                            rg_dtype_name(to), rg_dtype_bits(to));
    rg_set_out(s, 0, rg_type_like(s, 0, to));
    return RG_OK;
}

RG_OP(bitcast) = {
    .name = "BitCast", .brief = "the same bits, read as another type", .since = 26,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_VIEW,
    RG_SPEC(bitcast_attrs) RG_CASES(bitcast_cases)
    .infer = bitcast_infer,
};
