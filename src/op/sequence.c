/* sequence.c - lists of tensors: making, reading and cutting them, and SequenceMap over their elements.
 *
 * A list holds references; building one moves no data. How long a list is inference does not follow: an
 * element has one type that stands for all, its sizes open where elements differ.
 */
#include "op/body.h"
#include "op/move.h"
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

/* ---- kernels: what they have in common ---- */

/* Output `out` becomes the list of `items`; their references stay the caller's. */
static rg_err give_list(const rg_run *r, uint32_t out, const rg_datum *const *items, size_t count)
{
    rg_datum *list;

    if (!rg_wanted(r, out)) return RG_OK;
    const rg_type *type = &rg_value_at(r->site.g, r->site.node->out[out])->type;
    RG_TRY(rg_datum_list(r->site.cx, RG_KIND_SEQUENCE, type, items, count, &list));
    rg_give_result(r, out, list);
    return RG_OK;
}

static rg_err need_list(const rg_run *r, uint32_t i)
{
    return r->in[i]->kind == RG_KIND_SEQUENCE ? RG_OK
                                              : rg_run_fail(r, RG_SHAPE, "input %u is not a sequence", i);
}

/* A position in a list of `size`, from input i; `otherwise` when it is left out. */
static rg_err read_position(const rg_run *r, uint32_t i, int64_t size, int64_t otherwise, int64_t *out)
{
    const rg_array *a = rg_arg(r, i);
    *out = 0;
    if (a && a->count != 1) return rg_run_fail(r, RG_SHAPE, "the position is not one number");
    return rg_need_index(r, "position", a ? rg_get_int(a, 0) : otherwise, size, out);
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

static rg_err construct_run(const rg_run *r)
{
    for (uint32_t i = 0; i < r->site.node->in_count; i++)
        if (!r->in[i]) return rg_run_fail(r, RG_INPUT, "input %u is left out", i);
    return give_list(r, 0, r->in, r->site.node->in_count);
}

RG_OP(sequenceconstruct) = {
    .name = "SequenceConstruct", .brief = "a list of the inputs", .since = 11,
    .in_min = 1, .in_max = -1, .out_min = 1, .out_max = 1, RG_CASES(construct_cases)
    .infer = construct_infer, .work = list_work, .run = construct_run,
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

static rg_err empty_run(const rg_run *r) { return give_list(r, 0, NULL, 0); }

RG_OP(sequenceempty) = {
    .name = "SequenceEmpty", .brief = "a list without elements", .since = 11,
    .in_min = 0, .in_max = 0, .out_min = 1, .out_max = 1, RG_SPEC(empty_attrs) RG_CASES(empty_cases)
    .infer = empty_infer, .work = list_work, .run = empty_run,
};

/* ---- SequenceAt, SequenceErase, SequenceInsert, SequenceLength ---- */

static const rg_case at_cases[] = {{"seq(f32[2,3]) i64[]=1", "", "f32[2,3]"}};

static rg_err at_infer(const rg_site *s)
{
    RG_TRY(need_sequence(s, 0));
    rg_set_out(s, 0, element_of(s, 0));
    return RG_OK;
}

static rg_err at_run(const rg_run *r)
{
    int64_t at;

    RG_TRY(need_list(r, 0));
    RG_TRY(read_position(r, 1, (int64_t)r->in[0]->item_count, 0, &at));
    rg_pass_result(r, 0, r->in[0]->items[at]);
    return RG_OK;
}

RG_OP(sequenceat) = {
    .name = "SequenceAt", .brief = "one element of a list", .since = 11,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_CASES(at_cases)
    .infer = at_infer, .work = list_work, .run = at_run,
};

static const rg_case erase_cases[] = {{"seq(f32[2,3]) i64[]", "", "seq(f32[2,3])"}};

static rg_err erase_infer(const rg_site *s)
{
    RG_TRY(need_sequence(s, 0));
    return set_sequence(s, 0, element_of(s, 0));
}

/* The last one without a position. */
static rg_err erase_run(const rg_run *r)
{
    const rg_datum *list = r->in[0];
    int64_t at;

    RG_TRY(need_list(r, 0));
    RG_TRY(read_position(r, 1, (int64_t)list->item_count, -1, &at));
    const rg_datum **items = RG_NEW(r->scratch, const rg_datum *, list->item_count);
    if (!items) return rg_nomem(r->site.cx);
    for (size_t i = 0, k = 0; i < list->item_count; i++)
        if (i != (size_t)at) items[k++] = list->items[i];
    return give_list(r, 0, items, list->item_count - 1);
}

RG_OP(sequenceerase) = {
    .name = "SequenceErase", .brief = "a list without one element", .since = 11,
    .in_min = 1, .in_max = 2, .out_min = 1, .out_max = 1, RG_CASES(erase_cases)
    .infer = erase_infer, .work = list_work, .run = erase_run,
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

/* In front of the position; behind the last one without. A position may also be the length. */
static rg_err insert_run(const rg_run *r)
{
    const rg_datum *list = r->in[0];
    const rg_array *position = rg_arg(r, 2);
    int64_t at, size = (int64_t)list->item_count;

    RG_TRY(need_list(r, 0));
    bool behind = !position || (position->count == 1 && rg_get_int(position, 0) == size);
    at = size;
    if (!behind) RG_TRY(read_position(r, 2, size, 0, &at));
    const rg_datum **items = RG_NEW(r->scratch, const rg_datum *, list->item_count + 1);
    if (!items) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i <= size; i++)
        items[i] = i == at ? r->in[1] : list->items[i < at ? i : i - 1];
    return give_list(r, 0, items, list->item_count + 1);
}

RG_OP(sequenceinsert) = {
    .name = "SequenceInsert", .brief = "a list with one more element", .since = 11,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1, RG_CASES(insert_cases)
    .infer = insert_infer, .work = list_work, .run = insert_run,
};

static const rg_case length_cases[] = {{"seq(f32[2,3])", "", "i64[]"}};

static rg_err length_infer(const rg_site *s)
{
    RG_TRY(need_sequence(s, 0));
    rg_set_out(s, 0, rg_type_tensor(RG_I64, 0, NULL));
    return RG_OK;
}

static rg_err length_run(const rg_run *r)
{
    RG_TRY(need_list(r, 0));
    rg_put_int(rg_result(r, 0), 0, (int64_t)r->in[0]->item_count);
    return RG_OK;
}

RG_OP(sequencelength) = {
    .name = "SequenceLength", .brief = "number of elements of a list", .since = 11,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_CASES(length_cases)
    .infer = length_infer, .work = list_work, .run = length_run,
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

/* Size of the part that begins at `from`, the i-th: from a list, or all of one size but the last. */
static rg_err next_part(const rg_run *r, int64_t i, int64_t from, int64_t size, int64_t *out)
{
    const rg_array *parts = rg_arg(r, 1);
    bool is_list = parts && parts->rank > 0;

    *out = 0;
    if (is_list ? i >= parts->count : parts && parts->count != 1)
        return rg_run_fail(r, RG_SHAPE, "its parts end at %lld of %lld", (long long)from, (long long)size);
    int64_t part = !parts ? 1 : rg_get_int(parts, is_list ? i : 0), left = size - from;
    if (part < (is_list ? 0 : 1) || (is_list && part > left))
        return rg_run_fail(r, RG_SHAPE, "part %lld of size %lld, %lld are left", (long long)i,
                           (long long)part, (long long)left);
    *out = part < left ? part : left;
    return RG_OK;
}

static rg_err copy_part(const rg_run *r, int axis, bool keep, int64_t from, int64_t size, rg_datum **out)
{
    const rg_array *x = rg_arg(r, 0);
    int64_t dim[RG_RANK_MAX], kept[RG_RANK_MAX];
    int rank = 0;

    for (int k = 0; k < x->rank; k++) {
        dim[k] = k == axis ? size : x->dim[k];
        if (k != axis || keep) kept[rank++] = dim[k];
    }
    RG_TRY(rg_datum_tensor(r->site.cx, x->dtype, rank, kept, out));
    rg_array whole = (*out)->array; /* as it is before it loses the axis */
    whole.rank = x->rank;
    for (int k = 0; k < x->rank; k++) whole.dim[k] = dim[k];
    rg_box to_box = rg_box_of(&whole), from_box = rg_box_of(x);
    from_box.at = from * from_box.stride[axis];
    rg_box_copy(&to_box, &from_box, x->rank, dim);
    return RG_OK;
}

static rg_err split_parts(const rg_run *r, rg_trips *parts)
{
    const rg_array *x = rg_arg(r, 0), *sizes = rg_arg(r, 1);
    bool keep = rg_op_int(&r->site, "keepdims") != 0 || sizes;
    int64_t at = 0, size, listed = sizes && sizes->rank > 0 ? sizes->count : 0;
    int axis;

    RG_TRY(rg_need_axis(&r->site, rg_op_int(&r->site, "axis"), x->rank, &axis));
    for (int64_t i = 0; at < x->dim[axis] || i < listed; i++, at += size) {
        rg_datum *part;
        RG_TRY(next_part(r, i, at, x->dim[axis], &size));
        RG_TRY(copy_part(r, axis, keep, at, size, &part));
        RG_TRY(rg_trips_add(r, parts, part));
    }
    return RG_OK;
}

static rg_err split_run(const rg_run *r)
{
    rg_trips parts = {0};
    rg_err err = split_parts(r, &parts);
    if (!err) err = give_list(r, 0, parts.items, parts.count);
    rg_trips_done(&parts);
    return err;
}

RG_OP(splittosequence) = {
    .name = "SplitToSequence", .brief = "a tensor cut into a list", .since = 24,
    .in_min = 1, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(split_attrs) RG_CASES(split_cases)
    .infer = split_infer, .work = split_work, .run = split_run,
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

/* The elements along their own axis, which may be of different sizes. */
static rg_err join(const rg_run *r, const rg_datum *list)
{
    const rg_array *first = &list->items[0]->array;
    int64_t dim[RG_RANK_MAX];
    rg_array *y;
    int axis;

    RG_TRY(rg_need_axis(&r->site, rg_op_int(&r->site, "axis"), first->rank, &axis));
    for (int k = 0; k < first->rank; k++) dim[k] = k == axis ? 0 : first->dim[k];
    for (size_t i = 0; i < list->item_count; i++) {
        const rg_array *x = &list->items[i]->array;
        bool fits = x->dtype == first->dtype && x->rank == first->rank;
        for (int k = 0; fits && k < x->rank; k++) fits = k == axis || x->dim[k] == dim[k];
        if (!fits) return rg_run_fail(r, RG_SHAPE, "element %zu does not fit to element 0", i);
        if (!rg_add_size(dim[axis], x->dim[axis], &dim[axis]))
            return rg_run_fail(r, RG_LIMIT, "axis %d is longer than 2^63", axis);
    }
    RG_TRY(rg_make_result(r, 0, first->dtype, first->rank, dim, &y));
    rg_box to = rg_box_of(y);
    for (size_t i = 0; i < list->item_count; i++) {
        const rg_array *x = &list->items[i]->array;
        rg_box from = rg_box_of(x);
        rg_box_copy(&to, &from, x->rank, x->dim);
        to.at += x->dim[axis] * to.stride[axis];
    }
    return RG_OK;
}

static rg_err concat_run(const rg_run *r)
{
    const rg_datum *list = r->in[0];

    RG_TRY(need_list(r, 0));
    for (size_t i = 0; i < list->item_count; i++)
        if (list->items[i]->kind != RG_KIND_TENSOR)
            return rg_run_fail(r, RG_SHAPE, "element %zu is no tensor", i);
    if (!list->item_count || list->item_count > UINT32_MAX)
        return rg_run_fail(r, RG_SHAPE, "%zu elements cannot be joined", list->item_count);
    if (rg_op_int(&r->site, "new_axis") == 0) return join(r, list);
    rg_trips trips = {.items = list->items, .count = (uint32_t)list->item_count};
    return rg_trips_stack(r, &trips, 0, rg_op_int(&r->site, "axis"), false, NULL);
}

RG_OP(concatfromsequence) = {
    .name = "ConcatFromSequence", .brief = "the elements of a list joined", .since = 11,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(concat_attrs) RG_CASES(concat_cases)
    .infer = concat_infer, .work = concat_work, .run = concat_run,
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

/* Element `at` of the lists, and what is no list as it is. */
static rg_err map_element(const rg_run *r, rg_body *body, size_t at, rg_trips *results)
{
    for (uint32_t i = 0; i < body->in_count; i++) {
        const rg_datum *in = r->in[i];
        rg_body_put(body, i, rg_datum_ref(in && in->kind == RG_KIND_SEQUENCE ? in->items[at] : in));
    }
    RG_TRY(rg_body_run(r, body));
    for (uint32_t i = 0; i < r->site.node->out_count; i++)
        RG_TRY(rg_trips_add(r, &results[i], rg_body_take(body, i)));
    return RG_OK;
}

static rg_err map_check(const rg_run *r, const rg_body *body)
{
    const rg_node *node = r->site.node;

    RG_TRY(need_list(r, 0));
    if (body->in_count != node->in_count || body->out_count < node->out_count)
        return rg_run_fail(r, RG_SHAPE,
                           "its body takes %u inputs and gives %u outputs, the node has %u and %u",
                           body->in_count, body->out_count, node->in_count, node->out_count);
    for (uint32_t i = 1; i < node->in_count; i++)
        if (r->in[i] && r->in[i]->kind == RG_KIND_SEQUENCE && r->in[i]->item_count != r->in[0]->item_count)
            return rg_run_fail(r, RG_SHAPE, "input %u has %zu elements, input 0 %zu", i, r->in[i]->item_count,
                               r->in[0]->item_count);
    return RG_OK;
}

static rg_err map_run(const rg_run *r)
{
    uint32_t count = r->site.node->out_count;
    rg_trips *results = RG_NEW(r->scratch, rg_trips, count);
    rg_body body;

    if (!results) return rg_nomem(r->site.cx);
    RG_TRY(rg_body_init(r, "body", &body));
    rg_err err = map_check(r, &body);
    for (size_t i = 0; !err && i < r->in[0]->item_count; i++) err = map_element(r, &body, i, results);
    for (uint32_t i = 0; !err && i < count; i++) err = give_list(r, i, results[i].items, results[i].count);
    for (uint32_t i = 0; i < count; i++) rg_trips_done(&results[i]);
    rg_body_done(&body);
    return err;
}

RG_OP(sequencemap) = {
    .name = "SequenceMap", .brief = "a graph applied to each element of a list", .since = 17,
    .in_min = 1, .in_max = -1, .out_min = 1, .out_max = -1, .traits = RG_HAS_REGIONS,
    RG_SPEC(map_attrs) RG_CASES(map_cases)
    .infer = map_infer, .work = map_work, .run = map_run,
};
