/* flow.c - lays control flow out flat: bodies of If, Loop, Scan and SequenceMap become steps in place of
 * their node.
 *
 *     If          both branches, each an arm of its own; only the taken one when the condition is a constant
 *     Loop        body x trips: a constant, the preset of a named symbol, else 1
 *     Scan        body x length of the scanned axis
 *     SequenceMap body x 1: how long a sequence is, only the data know
 *
 * On the way each value learns its sources, the steps that may have computed it. A body's input has those of
 * what its owner is given; an owner's output has those of what its bodies hand out. As a value is defined
 * before it is read, one walk in execution order is enough, and a chain of a million control nodes costs no
 * recursion: only nesting does.
 */
#include "analyze/flow.h"

/* Exporters write "until the condition fails" as a trip count of INT64_MAX or INT32_MAX. */
#define TRIPS_OPEN INT32_MAX

/* ---- what is known of a control node's inputs ---- */

static int64_t attr_int(const rg_node *node, const char *name)
{
    const rg_attr *attr = rg_node_attr(node, name);
    return attr && attr->kind == RG_ATTR_INT ? attr->i : 0;
}

static rg_region_id attr_region(const rg_node *node, const char *name)
{
    const rg_attr *attr = rg_node_attr(node, name);
    return attr && attr->kind == RG_ATTR_GRAPH ? attr->region : 0;
}

static rg_value_id input_of(const rg_node *node, uint32_t i) { return i < node->in_count ? node->in[i] : 0; }

/* The one element of a small integer or bool: a number, or an expression over symbols. */
static bool known_element(const rg_graph *g, rg_value_id id, rg_dim *out)
{
    const rg_value *v = &g->values[id];
    if (!id) return false;
    bool readable = v->role == RG_ROLE_CONST && v->data && v->data->count == 1 && rg_tensor_has_data(v->data);
    if (!readable && v->known_count != 1) return false;
    *out = readable ? rg_tensor_int(v->data, 0) : v->known[0];
    return true;
}

static bool decided(const rg_graph *g, rg_value_id condition, bool *out)
{
    rg_dim d;
    if (!known_element(g, condition, &d) || !rg_dim_is_number(d)) return false;
    *out = d != 0;
    return true;
}

static double loop_trips(const rg_graph *g, const rg_node *node)
{
    bool goes;
    rg_dim trips;
    if (decided(g, input_of(node, 1), &goes) && !goes) return 0;
    if (!known_element(g, input_of(node, 0), &trips)) return 1;
    const rg_dim_expr *expr = rg_dim_expr_of(&g->dims, trips);
    if (expr && expr->run_time) return 1;
    int64_t count = rg_dim_value(&g->dims, trips);
    return count < 0 ? 0 : count >= TRIPS_OPEN ? 1 : (double)count;
}

static uint32_t scan_state_count(const rg_node *node)
{
    int64_t scanned = attr_int(node, "num_scan_inputs");
    return scanned >= 0 && scanned <= node->in_count ? node->in_count - (uint32_t)scanned : node->in_count;
}

static double scan_length(const rg_graph *g, const rg_node *node)
{
    uint32_t state_count = scan_state_count(node);
    const rg_type *type = &g->values[input_of(node, state_count)].type;
    const rg_attr *axes = rg_node_attr(node, "scan_input_axes");
    int64_t axis = axes && axes->kind == RG_ATTR_INTS && axes->count ? axes->ints[0] : 0;
    axis += axis < 0 ? type->rank : 0;
    return axis >= 0 && axis < type->rank ? (double)rg_dim_value(&g->dims, type->dim[axis]) : 1;
}

rg_handing rg_flow_handing(const rg_node *control)
{
    uint32_t in_count = control->in_count;
    if (rg_node_is(control, "If")) return (rg_handing){0, control->out_count};
    if (rg_node_is(control, "Loop")) return (rg_handing){1, in_count > 2 ? in_count - 2 : 0};
    if (rg_node_is(control, "Scan")) return (rg_handing){0, scan_state_count(control)};
    return (rg_handing){0, 0};
}

/* ---- sources ---- */

static rg_err push(rg_flow *f, uint32_t step)
{
    if (!RG_GROW(&f->cx->arena, f->pool, f->pool_count, f->pool_capacity)) return rg_nomem(f->cx);
    f->pool[f->pool_count++] = step;
    return RG_OK;
}

/* *into becomes the union of itself and `other`. Spans are shared: where both hold something, a new one
 * is made. */
static rg_err unite(rg_flow *f, rg_span *into, rg_span other)
{
    bool same = into->first == other.first && into->count == other.count;
    if (!other.count || same) return RG_OK;
    if (!into->count) {
        *into = other;
        return RG_OK;
    }
    rg_span parts[2] = {*into, other}, sum = {f->pool_count, 0};
    f->round++;
    for (int p = 0; p < 2; p++) {
        for (uint32_t i = 0; i < parts[p].count; i++) {
            uint32_t step = f->pool[parts[p].first + i];
            if (f->mark[step] == f->round) continue;
            f->mark[step] = f->round;
            RG_TRY(push(f, step));
        }
    }
    sum.count = f->pool_count - sum.first;
    *into = sum;
    return RG_OK;
}

/* ---- the walk ---- */

/* Where the walk stands: the circumstances under which a region runs. */
typedef struct place { double times; uint32_t arm; int depth; } place;

static rg_err lay_region(rg_flow *f, rg_region_id region, place at);

static rg_err lay_body(rg_flow *f, rg_node_id owner, rg_region_id region, uint32_t gate_count, place at)
{
    const rg_node *node = &f->g->nodes[owner];
    const rg_region *r = &f->g->regions[region];
    bool repeats = !rg_node_is(node, "If");
    uint32_t first = f->facts->step_count;
    if (!region) return RG_OK;
    if (at.depth >= RG_NEST_MAX)
        return rg_fail(f->cx, RG_LIMIT, "%s: control flow is nested deeper than %d",
                       rg_node_label(f->cx, f->g, owner), RG_NEST_MAX);
    rg_span *gate = &f->gates[region];
    *gate = f->gates[node->region];
    for (uint32_t i = 0; i < gate_count; i++) RG_TRY(unite(f, gate, f->sources[input_of(node, i)]));
    for (uint32_t i = 0; i < r->input_count; i++) f->sources[r->inputs[i]] = f->sources[input_of(node, i)];
    at.depth++;
    RG_TRY(lay_region(f, region, at));
    if (!RG_GROW(&f->cx->arena, f->bodies, f->body_count, f->body_capacity)) return rg_nomem(f->cx);
    f->bodies[f->body_count++] = (rg_body){owner, region, first, f->facts->step_count, repeats};
    f->body_of[region] = f->body_count;
    uint32_t shift = rg_flow_handing(node).shift;
    for (uint32_t i = 0; i < node->out_count && i + shift < r->output_count; i++)
        if (node->out[i]) RG_TRY(unite(f, &f->sources[node->out[i]], f->sources[r->outputs[i + shift]]));
    return RG_OK;
}

/* Room for one more arm in the facts, whose index 0 says "always". */
static rg_err add_arm(rg_flow *f, rg_arm arm)
{
    rg_facts *facts = f->facts;
    if (!RG_GROW(&facts->arena, facts->arms, facts->arm_count, f->arm_capacity)) return rg_nomem(f->cx);
    facts->arms[facts->arm_count++] = arm;
    return RG_OK;
}

/* The two arms of an If are neighbors in the table, before those of all Ifs nested in them. */
static rg_err lay_if(rg_flow *f, rg_node_id id, place at)
{
    static const char *const branch_names[2] = {"then_branch", "else_branch"};
    const rg_node *node = &f->g->nodes[id];
    bool taken;
    if (decided(f->g, input_of(node, 0), &taken))
        return lay_body(f, id, attr_region(node, branch_names[!taken]), 0, at);
    uint32_t arm = f->facts->arm_count;
    for (int branch = 0; branch < 2; branch++) RG_TRY(add_arm(f, (rg_arm){id, branch, at.arm}));
    for (int branch = 0; branch < 2; branch++) {
        place inside = {at.times, arm + (uint32_t)branch, at.depth};
        RG_TRY(lay_body(f, id, attr_region(node, branch_names[branch]), 1, inside));
    }
    return RG_OK;
}

static rg_err lay_step(rg_flow *f, rg_node_id id, place at)
{
    const rg_node *node = &f->g->nodes[id];
    uint32_t step = f->facts->step_count++;
    f->facts->steps[step] = (rg_step){id, at.times, at.arm};
    f->step_of[id] = step + 1;
    for (uint32_t i = 0; i < node->out_count; i++)
        if (node->out[i]) f->sources[node->out[i]] = (rg_span){f->pool_count, 1};
    return push(f, step);
}

static rg_err lay_node(rg_flow *f, rg_node_id id, place at)
{
    const rg_node *node = &f->g->nodes[id];
    place inside = at;
    if (node->dead) return RG_OK;
    if (!node->op || !(node->op->traits & RG_HAS_REGIONS)) return lay_step(f, id, at);
    if (rg_node_is(node, "If")) return lay_if(f, id, at);
    if (rg_node_is(node, "Loop")) {
        inside.times *= loop_trips(f->g, node);
        return lay_body(f, id, attr_region(node, "body"), 2, inside);
    }
    if (rg_node_is(node, "Scan")) {
        inside.times *= scan_length(f->g, node);
        return lay_body(f, id, attr_region(node, "body"), 0, inside);
    }
    if (rg_node_is(node, "SequenceMap")) return lay_body(f, id, attr_region(node, "body"), 0, inside);
    return lay_step(f, id, at);
}

static rg_err lay_region(rg_flow *f, rg_region_id region, place at)
{
    const rg_region *r = &f->g->regions[region];
    for (uint32_t i = 0; i < r->order_count; i++) RG_TRY(lay_node(f, r->order[i], at));
    return RG_OK;
}

rg_err rg_flow_lay(rg_flow *f)
{
    const rg_graph *g = f->g;
    rg_arena *scratch = &f->cx->arena;
    f->body_of = RG_NEW(scratch, uint32_t, g->region_count);
    f->step_of = RG_NEW(scratch, uint32_t, g->node_count);
    f->sources = RG_NEW(scratch, rg_span, g->value_count);
    f->gates = RG_NEW(scratch, rg_span, g->region_count);
    f->mark = RG_NEW(scratch, uint32_t, g->node_count);
    f->facts->steps = RG_NEW(&f->facts->arena, rg_step, g->node_count);
    bool fits = f->body_of && f->step_of && f->sources && f->gates && f->mark && f->facts->steps;
    if (!fits) return rg_nomem(f->cx);
    RG_TRY(add_arm(f, (rg_arm){0}));
    return lay_region(f, RG_MAIN, (place){.times = 1});
}
