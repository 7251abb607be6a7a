/* scan.c - Scan: a body run over slices of its inputs along one axis each, with states and stacked outputs.
 *
 * Opset 8 had a batch axis in front of everything, a first input with the lengths of the batches, and scanned
 * the second axis. No rewriting says that with today's Scan: such a node keeps its version and is read here.
 */
#include "op/body.h"
#include "op/share.h"

static const rg_attr_spec attrs[] = {
    {"body", RG_ATTR_GRAPH, NULL, true, "runs once for each slice"},
    {"num_scan_inputs", RG_ATTR_INT, NULL, true,
     "how many of the last inputs are sliced; those before are states"},
    {"scan_input_axes", RG_ATTR_INTS, NULL, false, "axis that each input is sliced along; preset 0"},
    {"scan_input_directions", RG_ATTR_INTS, NULL, false, "1: slices are taken from the last on"},
    {"scan_output_axes", RG_ATTR_INTS, NULL, false, "axis that each output is stacked along; preset 0"},
    {"scan_output_directions", RG_ATTR_INTS, NULL, false, "1: slices are stacked in front"},
};

typedef struct scan {
    rg_region_id body;
    uint32_t first;          /* input that the states begin at */
    uint32_t states, slices; /* of the inputs */
    int batch_axes;          /* leading axes that the body does not see: 1 in opset 8 */
    rg_dim batch, length;    /* length: slices of every scanned input */
} scan;

static rg_err read(const rg_site *s, scan *c)
{
    bool is_old = s->node->version < 9;
    int64_t slices = rg_op_int(s, "num_scan_inputs");
    *c = (scan){.first = is_old, .batch_axes = is_old, .batch = 1, .length = -1};
    if (slices < 1 || slices > (int64_t)s->node->in_count - c->first)
        return rg_site_fail(s, RG_SHAPE, "num_scan_inputs is %lld, the node has %u inputs", (long long)slices,
                            s->node->in_count);
    c->slices = (uint32_t)slices;
    c->states = s->node->in_count - c->first - c->slices;
    return rg_body_of(s, "body", c->states + c->slices, s->node->out_count, &c->body);
}

static rg_err read_axis(const rg_site *s, const char *name, uint32_t i, uint32_t need, int rank, int *out)
{
    uint32_t count;
    const int64_t *axes = rg_op_ints(s, name, &count);
    if (axes && count != need)
        return rg_site_fail(s, RG_SHAPE, "%s has %u numbers, needs %u", name, count, need);
    return rg_need_axis(s, axes ? axes[i] : 0, rank, out);
}

static void remove_axis(rg_type *t, int axis)
{
    t->rank--;
    for (int k = axis; k < t->rank; k++)
        t->dim[k] = t->dim[k + 1];
}

static void insert_axis(rg_type *t, int axis, rg_dim size)
{
    for (int k = t->rank; k > axis; k--)
        t->dim[k] = t->dim[k - 1];
    t->dim[axis] = size;
    t->rank++;
}

static rg_err give_states(const rg_site *s, scan *c)
{
    for (uint32_t i = 0; i < c->states; i++) {
        rg_type t = *rg_in_type(s, c->first + i);
        if (c->batch_axes) {
            RG_TRY(rg_need_rank(s, c->first + i, 1, -1));
            c->batch = t.dim[0];
            remove_axis(&t, 0);
        }
        RG_TRY(rg_body_give(s, c->body, i, &t));
    }
    return RG_OK;
}

static rg_err give_slices(const rg_site *s, scan *c)
{
    for (uint32_t i = 0; i < c->slices; i++) {
        uint32_t in = c->first + c->states + i;
        int axis = 0;
        RG_TRY(rg_need_rank(s, in, 1 + c->batch_axes, -1));
        rg_type t = *rg_in_type(s, in);
        if (c->batch_axes) {
            c->batch = t.dim[0];
            remove_axis(&t, 0);
        } else
            RG_TRY(read_axis(s, "scan_input_axes", i, c->slices, t.rank, &axis));
        if (i == 0)
            c->length = t.dim[axis];
        RG_TRY(rg_need_equal(s, "lengths of the scanned inputs", c->length, t.dim[axis], &c->length));
        remove_axis(&t, axis);
        RG_TRY(rg_body_give(s, c->body, c->states + i, &t));
    }
    return RG_OK;
}

static rg_err set_state(const rg_site *s, const scan *c, uint32_t i)
{
    const rg_type *before = &rg_value_at(s->g, s->g->regions[c->body].inputs[i])->type;
    rg_type out;
    RG_TRY(rg_body_join(s, "state", i, before, rg_body_out(s, c->body, i), true, &out));
    if (c->batch_axes && out.rank >= 0 && out.rank < RG_RANK_MAX)
        insert_axis(&out, 0, c->batch);
    rg_set_out(s, i, out);
    return RG_OK;
}

static rg_err set_stacked(const rg_site *s, const scan *c, uint32_t i)
{
    rg_type out = *rg_body_out(s, c->body, i);
    int axis = 0;
    if (out.kind != RG_KIND_TENSOR || out.rank < 0) {
        rg_set_out(s, i, rg_type_tensor(out.dtype, -1, NULL));
        return RG_OK;
    }
    if (out.rank + 1 + c->batch_axes > RG_RANK_MAX)
        return rg_site_fail(s, RG_LIMIT, "stacked output %u would have rank %d", i,
                            out.rank + 1 + c->batch_axes);
    if (!c->batch_axes)
        RG_TRY(read_axis(s, "scan_output_axes", i - c->states, s->node->out_count - c->states, out.rank + 1,
                         &axis));
    insert_axis(&out, axis, c->length);
    if (c->batch_axes)
        insert_axis(&out, 0, c->batch);
    rg_set_out(s, i, out);
    return RG_OK;
}

static rg_err infer(const rg_site *s)
{
    scan c;
    RG_TRY(read(s, &c));
    RG_TRY(give_states(s, &c));
    RG_TRY(give_slices(s, &c));
    RG_TRY(rg_region_infer(s->cx, s->g, c.body));
    for (uint32_t i = 0; i < s->node->out_count; i++)
        RG_TRY(i < c.states ? set_state(s, &c, i) : set_stacked(s, &c, i));
    return RG_OK;
}

static void work(const rg_site *s, rg_work *w)
{
    (void)s;
    w->family = RG_FAMILY_CONTROL;
}

static const rg_case cases[] = {
    {NULL,
     "ridge.graph/1 \"sums\" opset 20\n"
     "graph (%s: f32[2], %x: f32[3,2]) {\n"
     "  %last, %all = Scan(%s, %x) body=graph (%a: f32[2], %b: f32[2]) {\n"
     "    %sum = Add(%a, %b)\n"
     "    return %sum, %sum\n"
     "  } num_scan_inputs=1\n"
     "  return %last, %all\n"
     "}\n",
     "f32[2] f32[3,2]"},
};

RG_OP(scan) = {
    .name = "Scan", .brief = "a body run over slices of its inputs", .since = 9,
    .in_min = 0, .in_max = -1, .out_min = 1, .out_max = -1, .traits = RG_HAS_REGIONS,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work,
};
