/* control.c - If and Loop: their bodies are inferred in place, and priced by whoever walks the graph.
 *
 * If: a condition that inference knows decides which branch exists at all; the other is left as it is, since
 * what never runs need not even be consistent. Of two branches whose condition only the run knows, one that
 * contradicts the shapes cannot be meant: the other is taken. Otherwise an output has one type for both.
 *
 * Loop: the body is inferred as its first trip sees it. Where a carried value comes out with other sizes
 * than it went in, those sizes are of the run, and the body is inferred again that way. Scanned outputs gain
 * a leading axis, the number of trips.
 */
#include "op/body.h"
#include "op/share.h"

static void work(const rg_site *s, rg_work *w)
{
    (void)s;
    w->family = RG_FAMILY_CONTROL;
}

/* The one element of a known condition or count; false when inference does not know it. */
static bool known_scalar(const rg_site *s, uint32_t i, rg_dim *out)
{
    uint32_t count;
    const rg_dim *known = rg_in_known(s, i, &count);
    if (!known || count != 1) return false;
    *out = known[0];
    return true;
}

/* ---- If ---- */

static const rg_attr_spec if_attrs[] = {
    {"then_branch", RG_ATTR_GRAPH, NULL, true, "runs when the condition is true"},
    {"else_branch", RG_ATTR_GRAPH, NULL, true, "runs when the condition is false"},
};

/* The outputs of an inferred branch are those of the node. */
static void take(const rg_site *s, rg_region_id branch)
{
    for (uint32_t i = 0; i < s->node->out_count; i++) {
        const rg_value *v = &s->g->values[s->g->regions[branch].outputs[i]];
        rg_set_out(s, i, v->type);
        rg_set_known(s, i, v->known, v->known_count);
    }
}

static rg_err infer_both(const rg_site *s, rg_region_id then, rg_region_id other)
{
    rg_err then_err = rg_region_infer(s->cx, s->g, then);
    if (then_err && then_err != RG_SHAPE) return then_err;
    rg_err other_err = rg_region_infer(s->cx, s->g, other);
    if (other_err && (other_err != RG_SHAPE || then_err)) return other_err;
    if (then_err || other_err) {
        rg_body_forget(s, then_err ? then : other);
        take(s, then_err ? other : then);
        return RG_OK;
    }
    for (uint32_t i = 0; i < s->node->out_count; i++) {
        rg_type type;
        RG_TRY(rg_body_join(s, "output", i, rg_body_out(s, then, i), rg_body_out(s, other, i), false,
                            &type));
        rg_set_out(s, i, type);
    }
    return RG_OK;
}

static rg_err if_infer(const rg_site *s)
{
    rg_region_id then, other;
    rg_dim known;
    RG_TRY(rg_body_of(s, "then_branch", 0, s->node->out_count, &then));
    RG_TRY(rg_body_of(s, "else_branch", 0, s->node->out_count, &other));
    if (!known_scalar(s, 0, &known) || !rg_dim_is_number(known)) return infer_both(s, then, other);
    RG_TRY(rg_region_infer(s->cx, s->g, known ? then : other));
    take(s, known ? then : other);
    return RG_OK;
}

static rg_err if_run(const rg_run *r)
{
    rg_body body = {0};
    bool condition;
    RG_TRY(rg_body_truth(r, r->in[0], "the condition", &condition));
    RG_TRY(rg_body_init(r, condition ? "then_branch" : "else_branch", &body));
    if (body.in_count || body.out_count < r->site.node->out_count)
        return rg_run_fail(r, RG_SHAPE, "its branch takes %u inputs and gives %u outputs", body.in_count,
                           body.out_count);
    rg_err err = rg_body_run(r, &body);
    for (uint32_t i = 0; !err && i < r->site.node->out_count; i++) rg_pass_result(r, i, body.out[i]);
    rg_body_done(&body);
    return err;
}

static const rg_case if_cases[] = {
    {NULL,
     "ridge.graph/1 \"open\" opset 20\n"
     "graph (%c: bool[], %a: f32[2,5], %b: f32[3,5]) {\n"
     "  %y = If(%c) else_branch=graph () { return %b } then_branch=graph () { return %a }\n"
     "  return %y\n"
     "}\n",
     "f32[u0,5]"},
    {NULL,
     "ridge.graph/1 \"known\" opset 20\n"
     "const %c = bool[] {0}\n"
     "graph (%a: f32[2], %b: f32[3,3]) {\n"
     "  %y = If(%c) else_branch=graph () { return %b } then_branch=graph () { return %a }\n"
     "  return %y\n"
     "}\n",
     "f32[3,3]"},
};

RG_OP(if) = {
    .name = "If", .brief = "one of two bodies, by a condition", .since = 1,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = -1, .traits = RG_HAS_REGIONS,
    RG_SPEC(if_attrs) RG_CASES(if_cases) .infer = if_infer, .work = work, .run = if_run,
};

/* ---- Loop ---- */

enum {
    TRIPS, CONDITION, CARRIED, /* inputs of the node; of the body: trip number, condition, carried values */
    AGAIN_DEPTH = 3,           /* deeper bodies keep the types of a first trip: each level doubles the work */
};

static const rg_attr_spec loop_attrs[] = {
    {"body", RG_ATTR_GRAPH, NULL, true, "runs once a trip"},
};

/* The body's inputs: the trip number, the condition, and `types` for the carried values. A condition that
 * is true from outside is handed in as known: if the body returns it as it is, it is true for good. */
static rg_err give(const rg_site *s, rg_region_id body, const rg_type *types, uint32_t carried, bool is_true)
{
    static const rg_dim truth = 1;
    rg_type number = rg_type_tensor(RG_I64, 0, NULL), condition = rg_type_tensor(RG_BOOL, 0, NULL);
    RG_TRY(rg_body_give(s, body, TRIPS, &number));
    RG_TRY(rg_body_give(s, body, CONDITION, &condition));
    for (uint32_t i = 0; i < carried; i++) RG_TRY(rg_body_give(s, body, CARRIED + i, &types[i]));
    if (is_true) {
        rg_value *v = &s->g->values[s->g->regions[body].inputs[CONDITION]];
        v->known = &truth;
        v->known_count = 1;
    }
    return rg_region_infer(s->cx, s->g, body);
}

/* Joins what goes in with what comes out of a trip; true when a type has changed by it. */
static rg_err join_carried(const rg_site *s, rg_region_id body, rg_type *types, uint32_t carried,
                           bool *changed)
{
    *changed = false;
    for (uint32_t i = 0; i < carried; i++) {
        rg_type joined;
        RG_TRY(rg_body_join(s, "carried value", i, &types[i], rg_body_out(s, body, 1 + i), true,
                            &joined));
        *changed = *changed || !rg_type_eq(&joined, &types[i]);
        types[i] = joined;
    }
    return RG_OK;
}

/* Exporters write "until the condition fails" as a trip count of INT64_MAX or INT32_MAX. */
static rg_dim trip_count(const rg_site *s, rg_region_id body)
{
    const rg_value *condition = &s->g->values[s->g->regions[body].outputs[0]];
    bool stays = condition->known && condition->known_count == 1 && condition->known[0] == 1;
    rg_dims *dims = rg_site_dims(s);
    rg_dim most;
    if (!known_scalar(s, TRIPS, &most) || (rg_dim_is_number(most) && most >= INT32_MAX))
        return rg_dim_open(s, 1);
    if (rg_dim_is_number(most) && most < 0) most = 0;
    return stays ? most : rg_dim_fresh(dims, 0, INT32_MAX, rg_dim_value(dims, most));
}

static rg_err set_scanned(const rg_site *s, rg_region_id body, uint32_t carried)
{
    rg_dim trips = trip_count(s, body);
    for (uint32_t i = carried; i < s->node->out_count; i++) {
        const rg_type *item = rg_body_out(s, body, 1 + i);
        rg_type out = rg_type_tensor(item->dtype, -1, NULL);
        if (item->kind != RG_KIND_TENSOR)
            return rg_site_fail(s, RG_SHAPE, "output %u of the body is scanned and no tensor", 1 + i);
        if (item->rank >= RG_RANK_MAX)
            return rg_site_fail(s, RG_LIMIT, "scanned output %u would have rank %d", i, item->rank + 1);
        if (item->rank >= 0) {
            out.rank = item->rank + 1;
            out.dim[0] = trips;
            for (int k = 0; k < item->rank; k++) out.dim[1 + k] = item->dim[k];
        }
        rg_set_out(s, i, out);
    }
    return RG_OK;
}

static rg_err loop_infer(const rg_site *s)
{
    uint32_t carried = s->node->in_count > CARRIED ? s->node->in_count - CARRIED : 0;
    uint32_t count = s->node->out_count;
    rg_type *types = RG_NEW(&s->cx->arena, rg_type, carried + 1);
    rg_region_id body;
    rg_dim known;
    bool changed, is_true = !rg_has_in(s, CONDITION) || (known_scalar(s, CONDITION, &known) && known == 1);
    if (!types) return rg_nomem(s->cx);
    RG_TRY(rg_body_of(s, "body", CARRIED + carried, 1 + (count > carried ? count : carried), &body));
    for (uint32_t i = 0; i < carried; i++) types[i] = *rg_in_type(s, CARRIED + i);
    RG_TRY(give(s, body, types, carried, is_true));
    RG_TRY(join_carried(s, body, types, carried, &changed));
    if (changed && rg_body_depth(s) < AGAIN_DEPTH) {
        rg_body_forget(s, body);
        RG_TRY(give(s, body, types, carried, is_true));
        RG_TRY(join_carried(s, body, types, carried, &changed));
    }
    for (uint32_t i = 0; i < carried && i < count; i++) rg_set_out(s, i, types[i]);
    return set_scanned(s, body, carried);
}

/* A loop under way. */
typedef struct loop {
    rg_body body;
    uint32_t carried, scanned;
    rg_trips *trips;         /* by scanned output */
    int64_t most;            /* trips at most */
    bool goes_on;
} loop;

static rg_err begin(const rg_run *r, loop *l)
{
    const rg_node *node = r->site.node;
    const rg_array *most = rg_arg(r, TRIPS);
    const rg_datum *number;
    *l = (loop){.most = INT64_MAX, .goes_on = true};
    RG_TRY(rg_body_init(r, "body", &l->body));
    if (l->body.in_count < CARRIED || l->body.out_count + CARRIED < l->body.in_count + 1 ||
        node->in_count > l->body.in_count || node->out_count + 1 > l->body.out_count)
        return rg_run_fail(r, RG_SHAPE,
                           "its body takes %u inputs and gives %u outputs, the node has %u and %u",
                           l->body.in_count, l->body.out_count, node->in_count, node->out_count);
    l->carried = l->body.in_count - CARRIED;
    l->scanned = node->out_count > l->carried ? node->out_count - l->carried : 0;
    l->trips = RG_NEW(r->scratch, rg_trips, l->scanned);
    if (!l->trips) return rg_nomem(r->site.cx);
    if (most && most->count != 1) return rg_run_fail(r, RG_SHAPE, "the trip count is not one number");
    if (most) l->most = rg_get_int(most, 0);
    if (rg_arg(r, CONDITION)) RG_TRY(rg_body_truth(r, r->in[CONDITION], "the condition", &l->goes_on));
    for (uint32_t i = CARRIED; i < l->body.in_count; i++)
        rg_body_put(&l->body, i, i < node->in_count ? rg_datum_ref(r->in[i]) : NULL);
    RG_TRY(rg_body_scalar(r, RG_BOOL, l->goes_on, &number));
    rg_body_put(&l->body, CONDITION, number);
    return RG_OK;
}

/* Trip number `trip`: what comes out of it goes into the next. */
static rg_err make_trip(const rg_run *r, loop *l, int64_t trip)
{
    const rg_datum *number;
    RG_TRY(rg_body_scalar(r, RG_I64, trip, &number));
    rg_body_put(&l->body, TRIPS, number);
    RG_TRY(rg_body_run(r, &l->body));
    RG_TRY(rg_body_truth(r, l->body.out[0], "the condition that the body gives", &l->goes_on));
    for (uint32_t i = 0; i <= l->carried; i++)
        rg_body_put(&l->body, CONDITION + i, rg_body_take(&l->body, i));
    for (uint32_t i = 0; i < l->scanned; i++)
        RG_TRY(rg_trips_add(r, &l->trips[i], rg_body_take(&l->body, 1 + l->carried + i)));
    return RG_OK;
}

static rg_err loop_run(const rg_run *r)
{
    loop l;
    rg_err err = begin(r, &l);
    for (int64_t trip = 0; !err && trip < l.most && l.goes_on; trip++) err = make_trip(r, &l, trip);
    for (uint32_t i = 0; !err && i < l.carried && i < r->site.node->out_count; i++)
        rg_pass_result(r, i, l.body.in[CARRIED + i]);
    for (uint32_t i = 0; !err && i < l.scanned; i++)
        err = rg_trips_stack(r, &l.trips[i], l.carried + i, 0, false,
                             rg_body_out(&r->site, l.body.region, 1 + l.carried + i));
    for (uint32_t i = 0; l.trips && i < l.scanned; i++) rg_trips_done(&l.trips[i]);
    rg_body_done(&l.body);
    return err;
}

static const rg_case loop_cases[] = {
    {NULL,
     "ridge.graph/1 \"counted\" opset 20\n"
     "const %m = i64[] {5}\n"
     "const %t = bool[] {1}\n"
     "graph (%x: f32[4]) {\n"
     "  %a, %all = Loop(%m, %t, %x) body=graph (%i: i64[], %go: bool[], %v: f32[4]) {\n"
     "    %n = Add(%v, %x)\n"
     "    return %go, %n, %n\n"
     "  }\n"
     "  return %a, %all\n"
     "}\n",
     "f32[4] f32[5,4]"},
    {NULL,
     "ridge.graph/1 \"grows\" opset 20\n"
     "graph (%x: f32[1,2], %c: bool[]) {\n"
     "  %y = Loop(_, %c, %x) body=graph (%i: i64[], %go: bool[], %v: ?) {\n"
     "    %n = Concat(%v, %x) axis=0\n"
     "    return %go, %n\n"
     "  }\n"
     "  return %y\n"
     "}\n",
     "f32[u0,2]"},
};

RG_OP(loop) = {
    .name = "Loop", .brief = "a body run a number of times, while a condition holds", .since = 1,
    .in_min = 0, .in_max = -1, .out_min = 0, .out_max = -1, .traits = RG_HAS_REGIONS,
    RG_SPEC(loop_attrs) RG_CASES(loop_cases) .infer = loop_infer, .work = work, .run = loop_run,
};
