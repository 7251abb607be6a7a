/* sequence.c - lists of tensors: making, reading and cutting them, and SequenceMap over their elements.
 *
 * A list holds references; building one moves no data. How long a list is inference does not follow: an
 * element has one type that stands for all, its sizes open where elements differ.
 */
#include "op/body.h"
#include "op/share.h"

enum { LENGTH_PRESET = 1 }; /* elements of a list, where only the run knows */

static rg_err need_sequence(const rg_site *s, uint32_t i)
{
    rg_kind kind = rg_in_type(s, i)->kind;

    if (kind == RG_KIND_SEQUENCE || kind == RG_KIND_UNKNOWN) return RG_OK;
    return rg_site_fail(s, RG_SHAPE, "input %u is not a sequence", i);
}

/* What the elements of sequence i are; unknown when nothing is. */
static rg_type element_of(const rg_site *s, uint32_t i)
{
    const rg_type *in = rg_in_type(s, i);
    rg_type unknown = {.kind = RG_KIND_UNKNOWN, .rank = -1};

    return in->kind == RG_KIND_SEQUENCE && in->elem ? *in->elem : unknown;
}

static rg_err set_sequence(const rg_site *s, uint32_t out, rg_type element)
{
    rg_type type = {.kind = RG_KIND_SEQUENCE, .rank = -1};

    if (element.kind != RG_KIND_UNKNOWN && !(type.elem = rg_type_keep(s, element)))
        return rg_nomem(s->cx);
    rg_set_out(s, out, type);
    return RG_OK;
}

/* Nothing but the list itself is touched. */
static void list_work(const rg_site *s, rg_work *w)
{
    (void)s;
    w->in_byte = w->weight_byte = w->out_byte = 0;
}

/* ---- SequenceConstruct, SequenceEmpty ---- */

static const rg_case construct_cases[] = {
    {"f32[2,3] f32[2,3]", "", "seq(f32[2,3])"},
    {"f32[2,3] f32[4]", "", "seq(f32[*])"},
};

static rg_err construct_infer(const rg_site *s)
{
    rg_type element = *rg_in_type(s, 0);

    for (uint32_t i = 1; i < s->node->in_count; i++)
        RG_TRY(rg_body_join(s, "input", i, &element, rg_in_type(s, i), false, &element));
    return set_sequence(s, 0, element);
}

RG_OP(sequenceconstruct) = {
    .name = "SequenceConstruct", .brief = "a list of the inputs", .since = 11,
    .in_min = 1, .in_max = -1, .out_min = 1, .out_max = 1, RG_CASES(construct_cases)
    .infer = construct_infer, .work = list_work,
};

static const rg_attr_spec empty_attrs[] = {
    {"dtype", RG_ATTR_INT, "1", false, "element type of the tensors that it will hold"},
};
static const rg_case empty_cases[] = {{"", "", "seq(f32[*])"}, {"", "dtype=7", "seq(i64[*])"}};

static rg_err empty_infer(const rg_site *s)
{
    rg_dtype dtype;

    RG_TRY(rg_dtype_attr(s, "dtype", RG_F32, &dtype));
    return set_sequence(s, 0, rg_type_tensor(dtype, -1, NULL));
}

RG_OP(sequenceempty) = {
    .name = "SequenceEmpty", .brief = "a list without elements", .since = 11,
    .in_min = 0, .in_max = 0, .out_min = 1, .out_max = 1, RG_SPEC(empty_attrs) RG_CASES(empty_cases)
    .infer = empty_infer, .work = list_work,
};

/* ---- SequenceAt, SequenceErase, SequenceInsert, SequenceLength ---- */

static const rg_case at_cases[] = {{"seq(f32[2,3]) i64[]=1", "", "f32[2,3]"}};

static rg_err at_infer(const rg_site *s)
{
    RG_TRY(need_sequence(s, 0));
    rg_set_out(s, 0, element_of(s, 0));
    return RG_OK;
}

RG_OP(sequenceat) = {
    .name = "SequenceAt", .brief = "one element of a list", .since = 11,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_CASES(at_cases)
    .infer = at_infer, .work = list_work,
};

static const rg_case erase_cases[] = {{"seq(f32[2,3]) i64[]", "", "seq(f32[2,3])"}};

static rg_err erase_infer(const rg_site *s)
{
    RG_TRY(need_sequence(s, 0));
    return set_sequence(s, 0, element_of(s, 0));
}

RG_OP(sequenceerase) = {
    .name = "SequenceErase", .brief = "a list without one element", .since = 11,
    .in_min = 1, .in_max = 2, .out_min = 1, .out_max = 1, RG_CASES(erase_cases)
    .infer = erase_infer, .work = list_work,
};

static const rg_case insert_cases[] = {
    {"seq(f32[2,3]) f32[2,3] i64[]=0", "", "seq(f32[2,3])"},
    {"seq(f32[*]) f32[2,3]", "", "seq(f32[*])"},
};

static rg_err insert_infer(const rg_site *s)
{
    rg_type element = element_of(s, 0);

    RG_TRY(need_sequence(s, 0));
    RG_TRY(rg_body_join(s, "input", 1, &element, rg_in_type(s, 1), false, &element));
    return set_sequence(s, 0, element);
}

RG_OP(sequenceinsert) = {
    .name = "SequenceInsert", .brief = "a list with one more element", .since = 11,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1, RG_CASES(insert_cases)
    .infer = insert_infer, .work = list_work,
};

static const rg_case length_cases[] = {{"seq(f32[2,3])", "", "i64[]"}};

static rg_err length_infer(const rg_site *s)
{
    RG_TRY(need_sequence(s, 0));
    rg_set_out(s, 0, rg_type_tensor(RG_I64, 0, NULL));
    return RG_OK;
}

RG_OP(sequencelength) = {
    .name = "SequenceLength", .brief = "number of elements of a list", .since = 11,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_CASES(length_cases)
    .infer = length_infer, .work = list_work,
};

/* ---- SplitToSequence, ConcatFromSequence: here data move ---- */

static const rg_attr_spec split_attrs[] = {
    {"axis", RG_ATTR_INT, "0", false, "axis that is cut"},
    {"keepdims", RG_ATTR_INT, "1", false, "0: parts of size 1 lose the axis; only when no sizes are given"},
};
static const rg_case split_cases[] = {
    {"f32[6,4]", "", "seq(f32[1,4])"},
    {"f32[6,4]", "keepdims=0", "seq(f32[4])"},
    {"f32[6,4] i64[]=2", "", "seq(f32[2,4])"},
    {"f32[6,4] i64[2]=3,3", "", "seq(f32[3,4])"},
};

/* The size of every part along the axis; open where they differ. */
static rg_dim part_size(const rg_site *s, rg_dim size)
{
    uint32_t count;
    const rg_dim *parts = rg_in_known(s, 1, &count);
    int64_t preset = rg_dim_value(rg_site_dims(s), size);
    bool even = parts && count > 0;

    if (!rg_has_in(s, 1)) return 1;
    for (uint32_t i = 1; even && i < count; i++) even = parts[i] == parts[0];
    if (even && rg_in_rank(s, 1) == 0) /* one number: the last part takes the rest */
        even = rg_dim_is_number(parts[0]) && rg_dim_is_number(size) && parts[0] > 0 && size % parts[0] == 0;
    if (even) return parts[0];
    return rg_dim_open(s, parts && count > 0 ? rg_dim_value(rg_site_dims(s), parts[0]) : preset);
}

static rg_err split_infer(const rg_site *s)
{
    rg_type part = rg_type_like(s, 0, RG_DTYPE_NONE);
    bool keep = rg_op_int(s, "keepdims") != 0 || rg_has_in(s, 1);
    int axis;

    RG_TRY(rg_need_tensor(s, 0));
    if (part.rank >= 0) {
        RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), part.rank, &axis));
        part.dim[axis] = part_size(s, part.dim[axis]);
        part.rank -= !keep;
        for (int k = axis; !keep && k < part.rank; k++) part.dim[k] = part.dim[k + 1];
    }
    return set_sequence(s, 0, part);
}

static void split_work(const rg_site *s, rg_work *w)
{
    rg_work_copy(s, w);
    w->m = rg_in_count(s, 0);
    w->out_byte = w->in_byte;
}

RG_OP(splittosequence) = {
    .name = "SplitToSequence", .brief = "a tensor cut into a list", .since = 24,
    .in_min = 1, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(split_attrs) RG_CASES(split_cases)
    .infer = split_infer, .work = split_work,
};

static const rg_attr_spec concat_attrs[] = {
    {"axis", RG_ATTR_INT, NULL, true, "axis along which the elements follow each other"},
    {"new_axis", RG_ATTR_INT, "0", false, "1: the axis is put in, as numpy's stack does"},
};
static const rg_case concat_cases[] = {
    {"seq(f32[2,3])", "axis=0", "f32[u0,3]"},
    {"seq(f32[2,3])", "axis=-1 new_axis=1", "f32[2,3,u0]"},
};

static rg_err concat_infer(const rg_site *s)
{
    rg_type element = element_of(s, 0), type = element;
    bool stack = rg_op_int(s, "new_axis") != 0;
    int axis;

    RG_TRY(need_sequence(s, 0));
    if (element.kind == RG_KIND_TENSOR && element.rank >= 0) {
        if (stack && element.rank >= RG_RANK_MAX)
            return rg_site_fail(s, RG_LIMIT, "a rank above %d", RG_RANK_MAX);
        type.rank += stack;
        RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), type.rank, &axis));
        for (int k = axis + 1; stack && k < type.rank; k++) type.dim[k] = element.dim[k - 1];
        type.dim[axis] = rg_dim_open(s, LENGTH_PRESET);
    }
    rg_set_out(s, 0, type);
    return RG_OK;
}

static void concat_work(const rg_site *s, rg_work *w)
{
    rg_work_copy(s, w);
    w->in_byte = w->out_byte; /* the elements, which no tensor type counts */
}

RG_OP(concatfromsequence) = {
    .name = "ConcatFromSequence", .brief = "the elements of a list joined", .since = 11,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(concat_attrs) RG_CASES(concat_cases)
    .infer = concat_infer, .work = concat_work,
};

/* ---- SequenceMap ---- */

static const rg_attr_spec map_attrs[] = {
    {"body", RG_ATTR_GRAPH, NULL, true, "runs once for each element; inputs that are no lists come along"},
};

static const rg_case map_cases[] = {
    {NULL,
     "ridge.graph/1 \"map\" opset 17\n"
     "graph (%x: seq(f32[5]), %w: f32[5]) {\n"
     "  %y = SequenceMap(%x, %w) body=graph (%a: f32[5], %b: f32[5]) { %c = Add(%a, %b) return %c }\n"
     "  return %y\n"
     "}\n",
     "seq(f32[5])"},
};

static rg_err map_infer(const rg_site *s)
{
    rg_region_id body;
    rg_type type;

    RG_TRY(need_sequence(s, 0));
    RG_TRY(rg_body_of(s, "body", s->node->in_count, s->node->out_count, &body));
    for (uint32_t i = 0; i < s->node->in_count; i++) {
        type = rg_in_type(s, i)->kind == RG_KIND_SEQUENCE ? element_of(s, i) : *rg_in_type(s, i);
        RG_TRY(rg_body_give(s, body, i, &type));
    }
    RG_TRY(rg_region_infer(s->cx, s->g, body));
    for (uint32_t i = 0; i < s->node->out_count; i++)
        RG_TRY(set_sequence(s, i, *rg_body_out(s, body, i)));
    return RG_OK;
}

static void map_work(const rg_site *s, rg_work *w)
{
    list_work(s, w);
    w->family = RG_FAMILY_CONTROL;
}

RG_OP(sequencemap) = {
    .name = "SequenceMap", .brief = "a graph applied to each element of a list", .since = 17,
    .in_min = 1, .in_max = -1, .out_min = 1, .out_max = -1, .traits = RG_HAS_REGIONS,
    RG_SPEC(map_attrs) RG_CASES(map_cases)
    .infer = map_infer, .work = map_work,
};
