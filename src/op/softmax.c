/* softmax.c - Softmax, LogSoftmax, Hardmax along one axis.
 *
 *     softmax:      y = exp(x - max x) / sum exp(x - max x)
 *     log-softmax:  y = x - max x - log sum exp(x - max x)
 *
 * Before opset 13 they flattened the input to two dimensions at the axis and normalized whole rows; for the
 * last axis that is the same. Otherwise such a node becomes Flatten, the operator, Reshape back.
 */
#include "op/kernel.h"
#include "op/share.h"

#include <math.h>

static const rg_attr_spec attrs[] = {
    {"axis", RG_ATTR_INT, "-1", false, "axis summed over; negative counts from the last"},
};

static const rg_case cases[] = {
    {"f32[1,1000]", NULL, "f32[1,1000]"},
    {"f32[b,12,128,128]", "axis=3", "f32[b,12,128,128]"},
    {"f16[2,3,5]", "axis=1", "f16[2,3,5]"},
};

static rg_err infer(const rg_site *s)
{
    int axis;
    RG_TRY(rg_need_rank(s, 0, 0, -1));
    const rg_type *x = rg_in_type(s, 0);
    if (x->rank > 0) RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), x->rank, &axis));
    rg_set_out(s, 0, *x);
    return RG_OK;
}

/* Rows of k elements. */
static void fill(const rg_site *s, rg_work *w, double flop, double special)
{
    double count = rg_out_count(s, 0);
    int axis = (int)rg_op_int(s, "axis");
    w->family = RG_FAMILY_SOFTMAX;
    w->k = (double)rg_in_dim(s, 0, axis);
    w->m = w->k > 0 ? count / w->k : 0;
    w->flop = flop * count;
    w->special = special * count;
}

/* Compare, subtract, add; exp and divide. */
static void softmax_work(const rg_site *s, rg_work *w) { fill(s, w, 3, 2); }

/* Compare, subtract, add, subtract; exp for each element, one log for each row. */
static void log_softmax_work(const rg_site *s, rg_work *w)
{
    fill(s, w, 4, 1);
    w->special += w->m;
}

static void hardmax_work(const rg_site *s, rg_work *w) { fill(s, w, 1, 0); }

/* ---- kernels ---- */

/* The tensor as rows along the axis: `count` rows of `size` elements that lie `step` apart. */
typedef struct rows { int64_t count, size, step; } rows;

static rows rows_of(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0);
    int axis = (int)rg_op_int(&r->site, "axis");
    if (x->rank == 0) return (rows){1, 1, 1};
    if (axis < 0) axis += x->rank;
    int64_t step = rg_array_size(x, axis + 1, x->rank);
    return (rows){rg_array_size(x, 0, axis) * step, x->dim[axis], step};
}

static int64_t row_at(const rows *r, int64_t i) { return i / r->step * r->step * r->size + i % r->step; }

static double greatest(const rg_array *x, const rows *r, int64_t at)
{
    double max = -INFINITY;
    for (int64_t k = 0; k < r->size; k++) max = fmax(max, rg_get(x, at + k * r->step));
    return max;
}

static rg_err run_softmax(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    rows w = rows_of(r);
    for (int64_t i = 0; i < w.count; i++) {
        int64_t at = row_at(&w, i), step = w.step;
        double max = greatest(x, &w, at), sum = 0;
        for (int64_t k = 0; k < w.size; k++) sum += exp(rg_get(x, at + k * step) - max);
        for (int64_t k = 0; k < w.size; k++)
            rg_put(y, at + k * step, exp(rg_get(x, at + k * step) - max) / sum);
    }
    return RG_OK;
}

static rg_err run_log_softmax(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    rows w = rows_of(r);
    for (int64_t i = 0; i < w.count; i++) {
        int64_t at = row_at(&w, i), step = w.step;
        double max = greatest(x, &w, at), sum = 0;
        for (int64_t k = 0; k < w.size; k++) sum += exp(rg_get(x, at + k * step) - max);
        for (int64_t k = 0; k < w.size; k++)
            rg_put(y, at + k * step, rg_get(x, at + k * step) - max - log(sum));
    }
    return RG_OK;
}

/* 1 where the row has its greatest element first, else 0. */
static rg_err run_hardmax(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    rows w = rows_of(r);
    for (int64_t i = 0; i < w.count; i++) {
        int64_t at = row_at(&w, i), best = 0;
        for (int64_t k = 1; k < w.size; k++)
            if (rg_get(x, at + k * w.step) > rg_get(x, at + best * w.step)) best = k;
        for (int64_t k = 0; k < w.size; k++) rg_put(y, at + k * w.step, k == best);
    }
    return RG_OK;
}

/* ---- opset 12 and older ---- */

/* Appends `type`(in...) to the node's region. */
static rg_err append(const rg_site *s, rg_str type, const rg_value_id *in, uint32_t in_count,
                     rg_value_id *out, rg_node_id *node)
{
    rg_region_id region = rg_node_at(s->g, s->id)->region;
    rg_node like = {.type = type, .version = RG_OPSET_MAX, .block = rg_node_at(s->g, s->id)->block};
    rg_str name;
    RG_TRY(rg_graph_fresh_name(s->cx, s->g, "coerced", &name));
    if (*out == 0) RG_TRY(rg_graph_add_value(s->cx, s->g, region, name, NULL, RG_ROLE_NODE, out));
    like.name = name;
    return rg_graph_add_node(s->cx, s->g, region, &like, in, in_count, out, 1, node);
}

/* y = op(x) becomes flat = Flatten(x), flat_y = op(flat) along 1, y = Reshape(flat_y, Shape(x)). */
static rg_err coerce(const rg_site *s, int64_t axis)
{
    rg_value_id x = s->node->in[0], y = s->node->out[0], flat = 0, flat_y = 0, shape = 0;
    rg_region_id region = s->node->region;
    rg_node_id node;
    rg_str name;
    rg_attr at = {.name = RG_LIT("axis"), .kind = RG_ATTR_INT, .i = axis};
    RG_TRY(append(s, RG_LIT("Flatten"), &x, 1, &flat, &node));
    RG_TRY(rg_node_set_attr(s->cx, s->g, node, &at));
    RG_TRY(append(s, RG_LIT("Shape"), &x, 1, &shape, &node));
    RG_TRY(rg_graph_fresh_name(s->cx, s->g, "coerced", &name));
    RG_TRY(rg_graph_add_value(s->cx, s->g, region, name, NULL, RG_ROLE_NODE, &flat_y));
    rg_value_id *out = RG_NEW(&s->g->arena, rg_value_id, 1); /* never in place: clones share arrays */
    if (!out) return rg_nomem(s->cx);
    *out = flat_y;
    s->g->nodes[s->id].out = out;
    s->g->values[flat_y].producer = s->id;
    RG_TRY(rg_site_set_input(s, 0, flat));
    return append(s, RG_LIT("Reshape"), (rg_value_id[]){flat_y, shape}, 2, &y, &node);
}

/* The rank, -1 when it cannot be known yet: upgrades run before inference, but the file may state a type. */
static int known_rank(const rg_site *s)
{
    const rg_type *y = &rg_value_at(s->g, s->node->out[0])->type;
    if (y->kind == RG_KIND_TENSOR && y->rank >= 0) return y->rank;
    if (rg_in_rank(s, 0) < 0) rg_infer_before(s);
    return rg_in_rank(s, 0);
}

static rg_err upgrade(const rg_site *s)
{
    const rg_attr *a = rg_node_attr(s->node, "axis");
    int64_t axis = a && a->kind == RG_ATTR_INT ? a->i : 1; /* the preset of old */
    if (s->node->in_count < 1 || s->node->out_count != 1 || !s->node->in[0] || !s->node->out[0])
        return rg_site_fail(s, RG_FORMAT, "needs one input and one output");
    int rank = known_rank(s);
    bool last = axis == -1 || (rank >= 1 && axis == rank - 1);
    if (!last) RG_TRY(coerce(s, axis));
    rg_attr at = {.name = RG_LIT("axis"), .kind = RG_ATTR_INT, .i = -1};
    return rg_node_set_attr(s->cx, s->g, s->id, &at);
}

RG_OP(softmax) = {
    .name = "Softmax",
    .brief = "normalized exponential along one axis",
    .since = 13,
    .in_min = 1,
    .in_max = 1,
    .out_min = 1,
    .out_max = 1,
    .traits = RG_IN_PLACE,
    RG_SPEC(attrs) RG_CASES(cases).infer = infer,
    .work = softmax_work,
    .run = run_softmax,
    .upgrade = upgrade,
};

RG_OP(log_softmax) = {
    .name = "LogSoftmax", .brief = "logarithm of the softmax along one axis", .since = 13,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_IN_PLACE,
    RG_SPEC(attrs) RG_CASES(cases) .infer = infer, .work = log_softmax_work, .run = run_log_softmax,
    .upgrade = upgrade,
};

RG_OP(hardmax) = {
    .name = "Hardmax",
    .brief = "1 at the first maximum along one axis, 0 elsewhere",
    .since = 13,
    .in_min = 1,
    .in_max = 1,
    .out_min = 1,
    .out_max = 1,
    .traits = RG_IN_PLACE,
    RG_SPEC(attrs) RG_CASES(cases).infer = infer,
    .work = hardmax_work,
    .run = run_hardmax,
    .upgrade = upgrade,
};
