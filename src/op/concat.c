/* concat.c - Concat and Split: tensors joined along an axis, and cut again. */
#include "op/move.h"
#include "op/share.h"

/* ---- Concat ---- */

static const rg_attr_spec concat_attrs[] = {
    {"axis", RG_ATTR_INT, NULL, true, "axis along which the inputs follow each other"},
};

static const rg_case concat_cases[] = {
    {"f32[2,3] f32[2,4]", "axis=1", "f32[2,7]"},
    {"f32[batch,1,8] f32[batch,196,8]", "axis=-2", "f32[batch,197,8]"},
    {"i64[1]=3 i64[2]=4,5", "axis=0", "i64[3]"},
};

/* All inputs one behind the other for every index of the axes before `axis`. */
static void concat_follow(const rg_site *s, const rg_type *type, int axis)
{
    rg_dim out[RG_KNOWN_MAX];
    int64_t size = rg_known_size(type), rows = 1, at = 0;

    for (int k = 0; size > 0 && k < axis; k++) rows *= type->dim[k];
    if (size < 0) return;
    for (uint32_t i = 0; i < s->node->in_count; i++) {
        uint32_t count;
        const rg_dim *in = rg_in_known(s, i, &count);
        int64_t length = (int64_t)count / rows;
        if (!in || at + (rows - 1) * (size / rows) + length > size) return;
        for (int64_t row = 0; row < rows; row++) {
            for (int64_t k = 0; k < length; k++)
                out[at + row * (size / rows) + k] = in[row * length + k];
        }
        at += length;
    }
    if (at * rows == size) rg_set_known(s, 0, out, (uint32_t)size);
}

static rg_err concat_add(const rg_site *s, const rg_type *in, int axis, rg_type *sum)
{
    if (in->rank != sum->rank)
        return rg_site_fail(s, RG_SHAPE, "inputs of rank %d and %d", sum->rank, in->rank);
    for (int k = 0; k < in->rank; k++) {
        if (k == axis)
            sum->dim[k] = rg_dim_add(rg_site_dims(s), sum->dim[k], in->dim[k]);
        else
            RG_TRY(rg_need_equal(s, "sizes of an axis not joined", sum->dim[k], in->dim[k], &sum->dim[k]));
    }
    return RG_OK;
}

static rg_err concat_infer(const rg_site *s)
{
    rg_type sum = {.rank = -1};
    rg_dtype dtype;
    bool open = false;
    int axis = 0;

    RG_TRY(rg_need_dtype(s, 0, s->node->in_count, &dtype));
    for (uint32_t i = 0; i < s->node->in_count; i++) {
        const rg_type *in = rg_in_type(s, i);
        open = open || in->rank < 0;
        if (in->rank < 0) continue;
        if (sum.rank >= 0) {
            RG_TRY(concat_add(s, in, axis, &sum));
            continue;
        }
        RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), in->rank, &axis));
        sum = *in;
    }
    if (open && sum.rank >= 0) sum.dim[axis] = rg_dim_open(s, 1);
    rg_type type = rg_type_tensor(dtype, sum.rank, sum.dim);
    rg_set_out(s, 0, type);
    if (!open) concat_follow(s, &type, axis);
    return RG_OK;
}

static rg_err run_concat(const rg_run *r)
{
    const rg_array *y = rg_result(r, 0);
    int axis = rg_axis_of(r, "axis", y->rank);
    rg_box to = rg_box_of(y);

    for (uint32_t i = 0; i < r->site.node->in_count; i++) {
        const rg_array *x = rg_arg(r, i);
        rg_box from = rg_box_of(x);
        rg_box_copy(&to, &from, x->rank, x->dim);
        to.at += x->dim[axis] * to.stride[axis];
    }
    return RG_OK;
}

/* Opset 1 had the channels, axis 1, as a preset. */
static rg_err concat_upgrade(const rg_site *s)
{
    rg_attr axis = {.name = RG_LIT("axis"), .kind = RG_ATTR_INT, .i = 1};

    return rg_node_attr(s->node, "axis") ? RG_OK : rg_node_set_attr(s->cx, s->g, s->id, &axis);
}

RG_OP(concat) = {
    .name = "Concat", .brief = "tensors joined along an axis", .since = 4,
    .in_min = 1, .in_max = -1, .out_min = 1, .out_max = 1, RG_SPEC(concat_attrs) RG_CASES(concat_cases)
    .infer = concat_infer, .work = rg_work_copy, .run = run_concat, .upgrade = concat_upgrade,
};

/* ---- Split ---- */

static const rg_attr_spec split_attrs[] = {
    {"axis", RG_ATTR_INT, "0", false, "axis that is cut"},
    {"num_outputs", RG_ATTR_INT, NULL, false, "number of parts, the last one smaller if need be"},
};

static const rg_case split_cases[] = {
    {"f32[2,7] i64[2]=3,4", "axis=1", "f32[2,3] f32[2,4]"},
    {"f32[7]", "num_outputs=3", "f32[3] f32[3] f32[1]"},
    {"f32[batch,197,2304] i64[3]=768,768,768", "axis=2",
     "f32[batch,197,768] f32[batch,197,768] f32[batch,197,768]"},
};

/* Part i of `parts` equal ones. With num_outputs the last part takes what is left; older models only split
 * what divides. */
static rg_dim equal_part(const rg_site *s, rg_dim size, uint32_t i, uint32_t parts)
{
    rg_dims *dims = rg_site_dims(s);

    if (!rg_op_has(s, "num_outputs")) return rg_dim_div(dims, size, parts);
    rg_dim part = rg_dim_ceil(dims, size, parts);
    return i + 1 < parts ? part : rg_dim_sub(dims, size, rg_dim_mul(dims, part, parts - 1));
}

static rg_err check_parts(const rg_site *s, const rg_dim *part, uint32_t count, rg_dim size)
{
    uint32_t parts = s->node->out_count;
    rg_dim sum = 0;

    if (!part && rg_has_in(s, 1)) return RG_OK;
    if (!part && rg_op_has(s, "num_outputs") && rg_op_int(s, "num_outputs") != parts)
        return rg_site_fail(s, RG_SHAPE, "num_outputs is %lld, outputs are %u",
                            (long long)rg_op_int(s, "num_outputs"), parts);
    if (!part && !rg_op_has(s, "num_outputs") && rg_dim_is_number(size) && size % parts != 0)
        return rg_site_fail(s, RG_SHAPE, "size %lld does not divide into %u parts", (long long)size, parts);
    if (!part) return RG_OK;
    if (count != parts)
        return rg_site_fail(s, RG_SHAPE, "%u parts are stated for %u outputs", count, parts);
    for (uint32_t i = 0; i < count; i++) sum = rg_dim_add(rg_site_dims(s), sum, part[i]);
    return rg_need_equal(s, "the axis and the sum of its parts", size, sum, &sum);
}

static void split_follow(const rg_site *s, uint32_t i, const rg_type *type, int axis, rg_dim offset)
{
    rg_dim out[RG_KNOWN_MAX];
    int64_t stride[RG_RANK_MAX];

    if (offset < 0 || offset > RG_KNOWN_MAX) /* a symbol too */
        return;
    rg_strides(rg_in_type(s, 0), stride);
    if (rg_known_view(s, 0, type, offset * stride[axis], stride, out))
        rg_set_known(s, i, out, (uint32_t)rg_known_size(type));
}

static rg_err split_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    uint32_t count, parts = s->node->out_count;
    const rg_dim *part = rg_in_known(s, 1, &count);
    rg_dim offset = 0;
    int axis = 0;

    RG_TRY(rg_need_tensor(s, 0));
    if (in->rank >= 0) {
        RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), in->rank, &axis));
        RG_TRY(check_parts(s, part, count, in->dim[axis]));
    }
    for (uint32_t i = 0; i < parts; i++) {
        rg_type type = rg_type_like(s, 0, RG_DTYPE_NONE);
        if (type.rank < 0) {
            rg_set_out(s, i, type);
            continue;
        }
        if (part)
            type.dim[axis] = part[i];
        else
            type.dim[axis] = rg_has_in(s, 1) ? rg_dim_open(s, 1) : equal_part(s, in->dim[axis], i, parts);
        rg_set_out(s, i, type);
        split_follow(s, i, &type, axis, offset);
        offset = rg_dim_add(rg_site_dims(s), offset, type.dim[axis]);
    }
    return RG_OK;
}

static rg_err run_split(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *parts = rg_arg(r, 1);
    int axis = rg_axis_of(r, "axis", x->rank);
    int64_t dim[RG_RANK_MAX], at = 0, size = x->dim[axis];
    rg_box from = rg_box_of(x);

    if (parts && parts->count != r->site.node->out_count)
        return rg_run_fail(r, RG_SHAPE, "%lld parts are stated for %u outputs", (long long)parts->count,
                           r->site.node->out_count);
    for (int k = 0; k < x->rank; k++) dim[k] = x->dim[k];
    for (uint32_t i = 0; i < r->site.node->out_count; i++, at += dim[axis]) {
        rg_array *y;
        dim[axis] = parts ? rg_get_int(parts, i) : equal_part(&r->site, size, i, r->site.node->out_count);
        if (dim[axis] < 0 || dim[axis] > size - at)
            return rg_run_fail(r, RG_SHAPE, "part %u of size %lld, %lld are left", i, (long long)dim[axis],
                               (long long)(size - at));
        RG_TRY(rg_make_result(r, i, x->dtype, x->rank, dim, &y));
        if (!y) continue;
        rg_box to = rg_box_of(y);
        from.at = at * from.stride[axis];
        rg_box_copy(&to, &from, y->rank, y->dim);
    }
    return RG_OK;
}

/* Up to opset 12 the parts were an attribute. */
static rg_err split_upgrade(const rg_site *s) { return rg_attr_to_input(s, "split", 1); }

RG_OP(split) = {
    .name = "Split", .brief = "one tensor cut along an axis", .since = 18,
    .in_min = 1, .in_max = 2, .out_min = 1, .out_max = -1, RG_SPEC(split_attrs) RG_CASES(split_cases)
    .infer = split_infer, .work = rg_work_copy, .run = run_split, .upgrade = split_upgrade,
};
