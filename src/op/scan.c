/* scan.c - Scan: a body run over slices of its inputs along one axis each, with states and stacked outputs.
 *
 * Opset 8 had a batch axis in front of everything, and scanned the second axis. Today that is a Scan over the
 * batch around a Scan over what is left:
 *
 *     8:  Scan(_, states [batch, ...], slices [batch, length, ...])
 *     9:  Scan(states, slices) body=graph (state [...], slice [length, ...]) { Scan(state, slice) }
 *
 * Its first input, the length of each batch, has no such rewriting; nobody is known to have used it.
 */
#include "op/body.h"
#include "op/move.h"
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
    uint32_t states, slices; /* of the inputs */
    rg_dim length;           /* slices of every scanned input */
} scan;

static rg_err read(const rg_site *s, scan *c)
{
    int64_t slices = rg_op_int(s, "num_scan_inputs");
    *c = (scan){.length = -1};
    if (slices < 1 || slices > (int64_t)s->node->in_count)
        return rg_site_fail(s, RG_SHAPE, "num_scan_inputs is %lld, the node has %u inputs", (long long)slices,
                            s->node->in_count);
    c->slices = (uint32_t)slices;
    c->states = s->node->in_count - c->slices;
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
    for (int k = axis; k < t->rank; k++) t->dim[k] = t->dim[k + 1];
}

static void insert_axis(rg_type *t, int axis, rg_dim size)
{
    for (int k = t->rank; k > axis; k--) t->dim[k] = t->dim[k - 1];
    t->dim[axis] = size;
    t->rank++;
}

static rg_err give_slices(const rg_site *s, scan *c)
{
    for (uint32_t i = c->states; i < c->states + c->slices; i++) {
        int axis = 0;
        RG_TRY(rg_need_rank(s, i, 1, -1));
        rg_type t = *rg_in_type(s, i);
        RG_TRY(read_axis(s, "scan_input_axes", i - c->states, c->slices, t.rank, &axis));
        if (i == c->states) c->length = t.dim[axis];
        RG_TRY(rg_need_equal(s, "lengths of the scanned inputs", c->length, t.dim[axis], &c->length));
        remove_axis(&t, axis);
        RG_TRY(rg_body_give(s, c->body, i, &t));
    }
    return RG_OK;
}

static rg_err set_state(const rg_site *s, const scan *c, uint32_t i)
{
    const rg_type *before = &rg_value_at(s->g, s->g->regions[c->body].inputs[i])->type;
    rg_type out;
    RG_TRY(rg_body_join(s, "state", i, before, rg_body_out(s, c->body, i), true, &out));
    rg_set_out(s, i, out);
    return RG_OK;
}

static rg_err set_stacked(const rg_site *s, const scan *c, uint32_t i)
{
    rg_type out = *rg_body_out(s, c->body, i);
    uint32_t stacked = s->node->out_count - c->states;
    int axis = 0;
    if (out.kind != RG_KIND_TENSOR || out.rank < 0) {
        rg_set_out(s, i, rg_type_tensor(out.dtype, -1, NULL));
        return RG_OK;
    }
    if (out.rank == RG_RANK_MAX)
        return rg_site_fail(s, RG_LIMIT, "stacked output %u would have rank %d", i, out.rank + 1);
    RG_TRY(read_axis(s, "scan_output_axes", i - c->states, stacked, out.rank + 1, &axis));
    insert_axis(&out, axis, c->length);
    rg_set_out(s, i, out);
    return RG_OK;
}

static rg_err infer(const rg_site *s)
{
    scan c;
    RG_TRY(read(s, &c));
    for (uint32_t i = 0; i < c.states; i++) RG_TRY(rg_body_give(s, c.body, i, rg_in_type(s, i)));
    RG_TRY(give_slices(s, &c));
    RG_TRY(rg_region_infer(s->cx, s->g, c.body));
    for (uint32_t i = 0; i < s->node->out_count; i++)
        RG_TRY(i < c.states ? set_state(s, &c, i) : set_stacked(s, &c, i));
    return RG_OK;
}

/* ---- runs ---- */

/* A Scan under way: `c` says how many of what, the body holds the states. */
typedef struct walk { scan c; rg_body body; rg_trips *trips; int64_t length; } walk;

/* Number i of a list of directions, in trips and outputs alike; 0 forward, 1 backward. */
static bool is_backward(const rg_run *r, const char *name, uint32_t i)
{
    uint32_t count;
    const int64_t *list = rg_op_ints(&r->site, name, &count);
    return list && i < count && list[i] == 1;
}

static rg_err begin(const rg_run *r, walk *w)
{
    const rg_site *s = &r->site;
    *w = (walk){.length = -1};
    RG_TRY(read(s, &w->c));
    RG_TRY(rg_body_init(r, "body", &w->body));
    w->trips = RG_NEW(r->scratch, rg_trips, s->node->out_count);
    if (!w->trips) return rg_nomem(s->cx);
    for (uint32_t i = 0; i < w->c.states; i++) {
        if (!r->in[i]) return rg_run_fail(r, RG_FORMAT, "state %u is left out", i);
        rg_body_put(&w->body, i, rg_datum_ref(r->in[i]));
    }
    for (uint32_t i = w->c.states; i < s->node->in_count; i++) {
        const rg_array *x = rg_arg(r, i);
        int axis;
        if (!x || r->in[i]->kind != RG_KIND_TENSOR || x->rank < 1)
            return rg_run_fail(r, RG_SHAPE, "input %u cannot be sliced", i);
        RG_TRY(read_axis(s, "scan_input_axes", i - w->c.states, w->c.slices, x->rank, &axis));
        if (w->length >= 0 && x->dim[axis] != w->length)
            return rg_run_fail(r, RG_SHAPE, "lengths of the scanned inputs: %lld and %lld differ",
                               (long long)w->length, (long long)x->dim[axis]);
        w->length = x->dim[axis];
    }
    return RG_OK;
}

/* Slice `at` of input i, without the axis. */
static rg_err put_slice(const rg_run *r, walk *w, uint32_t i, int64_t at)
{
    const rg_array *x = rg_arg(r, i);
    int64_t dim[RG_RANK_MAX];
    rg_datum *slice;
    int axis;
    RG_TRY(read_axis(&r->site, "scan_input_axes", i - w->c.states, w->c.slices, x->rank, &axis));
    for (int k = 0; k < x->rank - 1; k++) dim[k] = x->dim[k < axis ? k : k + 1];
    RG_TRY(rg_datum_tensor(r->site.cx, x->dtype, x->rank - 1, dim, &slice));
    rg_body_put(&w->body, i, slice);
    rg_box to = rg_box_of(&slice->array), from = rg_box_of(x);
    from.at = at * from.stride[axis];
    for (int k = axis; k < x->rank - 1; k++) from.stride[k] = from.stride[k + 1];
    rg_box_copy(&to, &from, x->rank - 1, dim);
    return rg_datum_own_strings(r->site.cx, slice);
}

static rg_err make_trip(const rg_run *r, walk *w, int64_t trip)
{
    const scan *c = &w->c;
    for (uint32_t i = 0; i < c->slices; i++) {
        bool backward = is_backward(r, "scan_input_directions", i);
        RG_TRY(put_slice(r, w, c->states + i, backward ? w->length - 1 - trip : trip));
    }
    RG_TRY(rg_body_run(r, &w->body));
    for (uint32_t i = 0; i < c->states; i++) rg_body_put(&w->body, i, rg_body_take(&w->body, i));
    for (uint32_t i = c->states; i < r->site.node->out_count; i++)
        RG_TRY(rg_trips_add(r, &w->trips[i], rg_body_take(&w->body, i)));
    return RG_OK;
}

static rg_err stack(const rg_run *r, walk *w, uint32_t i)
{
    uint32_t count, at = i - w->c.states, stacked = r->site.node->out_count - w->c.states;
    const int64_t *axes = rg_op_ints(&r->site, "scan_output_axes", &count);
    if (axes && count != stacked)
        return rg_run_fail(r, RG_SHAPE, "scan_output_axes has %u numbers, needs %u", count, stacked);
    return rg_trips_stack(r, &w->trips[i], i, axes ? axes[at] : 0,
                          is_backward(r, "scan_output_directions", at), rg_body_out(&r->site, w->c.body, i));
}

static rg_err run(const rg_run *r)
{
    uint32_t count = r->site.node->out_count;
    walk w;
    rg_err err = begin(r, &w);
    for (int64_t trip = 0; !err && trip < w.length; trip++) err = make_trip(r, &w, trip);
    for (uint32_t i = 0; !err && i < count; i++) {
        if (i >= w.c.states) err = stack(r, &w, i);
        else rg_pass_result(r, i, w.body.in[i]);
    }
    for (uint32_t i = 0; w.trips && i < count; i++) rg_trips_done(&w.trips[i]);
    rg_body_done(&w.body);
    return err;
}

static void work(const rg_site *s, rg_work *w)
{
    (void)s;
    w->family = RG_FAMILY_CONTROL;
}

/* ---- from opset 8 ---- */

/* The values of a region between the two Scans: what it takes in, or hands out. */
static rg_err add_values(const rg_site *s, rg_region_id region, rg_role role, uint32_t count,
                         rg_value_id *out)
{
    rg_str name;
    for (uint32_t i = 0; i < count; i++) {
        RG_TRY(rg_graph_fresh_name(s->cx, s->g, "batch", &name));
        RG_TRY(rg_graph_add_value(s->cx, s->g, region, name, NULL, role, &out[i]));
        if (role == RG_ROLE_INPUT)
            RG_TRY(rg_graph_add_input(s->cx, s->g, region, out[i]));
        else
            RG_TRY(rg_graph_add_output(s->cx, s->g, region, out[i]));
    }
    return RG_OK;
}

/* The Scan over one batch, in a body of the node, which becomes the Scan over all of them. */
static rg_err add_inner(const rg_site *s, uint32_t in_count, rg_region_id *outer)
{
    rg_node like = s->g->nodes[s->id];
    const rg_attr *body = rg_node_attr(&like, "body"), *turned = rg_node_attr(&like, "directions");
    rg_value_id *in = RG_NEW(&s->cx->arena, rg_value_id, in_count);
    rg_value_id *out = RG_NEW(&s->cx->arena, rg_value_id, like.out_count);
    rg_node_id inner;
    if (!in || !out) return rg_nomem(s->cx);
    RG_TRY(rg_graph_add_region(s->cx, s->g, s->id, outer));
    RG_TRY(add_values(s, *outer, RG_ROLE_INPUT, in_count, in));
    RG_TRY(add_values(s, *outer, RG_ROLE_NODE, like.out_count, out));
    like.version = 9;
    RG_TRY(rg_graph_add_node(s->cx, s->g, *outer, &like, in, in_count, out, like.out_count, &inner));
    s->g->regions[body->region].owner = inner;
    if (!turned) return RG_OK;
    rg_attr today = *turned;
    today.name = RG_LIT("scan_input_directions");
    RG_TRY(rg_node_set_attr(s->cx, s->g, inner, &today));
    rg_site_drop_attr(&(rg_site){s->cx, s->g, inner, NULL}, "directions");
    return RG_OK;
}

static rg_err upgrade(const rg_site *s)
{
    const rg_node *n = s->node;
    const rg_attr *body = rg_node_attr(n, "body");
    rg_region_id outer = 0;
    if (rg_has_in(s, 0))
        return rg_site_fail(s, RG_UNSUPPORTED,
                            "input 0, the lengths of the batches in opset 8, is not supported");
    if (!n->in_count || !body || body->kind != RG_ATTR_GRAPH)
        return RG_OK; /* what is wrong with it, reading tells */
    uint32_t in_count = n->in_count - 1;
    RG_TRY(add_inner(s, in_count, &outer));
    rg_attr scanned = {.name = RG_LIT("num_scan_inputs"), .kind = RG_ATTR_INT, .i = in_count};
    rg_attr around = {.name = RG_LIT("body"), .kind = RG_ATTR_GRAPH, .region = outer};
    RG_TRY(rg_node_set_attr(s->cx, s->g, s->id, &scanned));
    RG_TRY(rg_node_set_attr(s->cx, s->g, s->id, &around));
    rg_site_drop_attr(s, "directions");
    s->g->nodes[s->id].in++;
    s->g->nodes[s->id].in_count--;
    return RG_OK;
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
    .infer = infer, .work = work, .run = run, .upgrade = upgrade,
};
