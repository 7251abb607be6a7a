/* census.c - what a model is made of: its parameters, its constants, and the architecture that its operators
 * tell.
 *
 * A parameter is an element of a constant that feeds a *weight input*: listed below by operator, found
 * through whatever merely rearranges or decodes a constant. So the eps of a normalization, the shape of a
 * Reshape and the scale of a quantization do not count, and of BatchNormalization scale and bias do, mean
 * and variance do not: they are statistics, and published figures leave them out.
 *
 * Products without a bias input have theirs in an Add behind them, normalizations in pieces have scale and
 * bias in a Mul and an Add: there a constant counts when it is one number per channel, along the axis of the
 * channels (channel.c); one number per place is a grid, not learned. In a transformer an Add also takes the
 * table of positions of a sequence (one that a Softmax follows is a mask), and a Concat puts a learned token
 * before it.
 *
 * A constant that is one number filled in counts only where nothing but weights can be: models are passed
 * around with such weights. Elsewhere it is where a sequence begins, a decoder's zeros.
 */
#include "analyze/flow.h"

/* ---- weight inputs ---- */

#define BIT(i) (1u << (i))

/* Inputs of an operator that hold weights, as a set; of these, what its products multiply by. */
static const struct { const char *type; unsigned inputs, factors; } weight_inputs[] = {
    {"Conv", BIT(1) | BIT(2), BIT(1)},
    {"ConvTranspose", BIT(1) | BIT(2), BIT(1)},
    {"ConvInteger", BIT(1), BIT(1)},
    {"QLinearConv", BIT(3) | BIT(8), BIT(3)},
    {"DeformConv", BIT(1) | BIT(3), BIT(1)},
    {"CausalConvWithState", BIT(1) | BIT(2), BIT(1)},
    {"MatMul", BIT(0) | BIT(1), BIT(0) | BIT(1)},
    {"MatMulInteger", BIT(0) | BIT(1), BIT(0) | BIT(1)},
    {"QLinearMatMul", BIT(0) | BIT(3), BIT(0) | BIT(3)},
    {"Gemm", BIT(0) | BIT(1) | BIT(2), BIT(0) | BIT(1)},
    {"Einsum", BIT(0) | BIT(1) | BIT(2), BIT(0) | BIT(1) | BIT(2)},
    {"RNN", BIT(1) | BIT(2) | BIT(3), BIT(1) | BIT(2)},
    {"GRU", BIT(1) | BIT(2) | BIT(3), BIT(1) | BIT(2)},
    {"LSTM", BIT(1) | BIT(2) | BIT(3) | BIT(7), BIT(1) | BIT(2)},
    {"Gather", BIT(0), 0},
    {"BatchNormalization", BIT(1) | BIT(2), 0},
    {"InstanceNormalization", BIT(1) | BIT(2), 0},
    {"GroupNormalization", BIT(1) | BIT(2), 0},
    {"LayerNormalization", BIT(1) | BIT(2), 0},
    {"RMSNormalization", BIT(1), 0},
    {"PRelu", BIT(1), 0},
    /* of com.microsoft */
    {"MoE", BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7), BIT(2) | BIT(4) | BIT(6)},
};

/* What hands a weight on from its first input. */
static const char *const carriers[] = {"Identity", "Cast", "CastLike", "Reshape", "Flatten", "Squeeze",
                                       "Unsqueeze", "Transpose", "Expand", "DequantizeLinear",
                                       "QuantizeLinear"};
enum { CARRY_MAX = 8 }; /* that many in a row; more are no rearranged weight */

static bool carries(const rg_node *node)
{
    for (size_t i = 0; i < RG_COUNT(carriers); i++)
        if (rg_node_is(node, carriers[i])) return node->in_count > 0;
    return false;
}

/* The row of a node's operator + 1, or 0. */
static size_t weight_row(const rg_node *node)
{
    if (node->domain.size && !rg_str_is(node->domain, "com.microsoft")) return 0;
    for (size_t i = 0; i < RG_COUNT(weight_inputs); i++)
        if (rg_str_is(node->type, weight_inputs[i].type)) return i + 1;
    return 0;
}

static unsigned weight_set(const rg_node *node)
{
    size_t row = weight_row(node);
    return row ? weight_inputs[row - 1].inputs : 0;
}

unsigned rg_factor_inputs(const rg_node *node)
{
    size_t row = weight_row(node);
    return row ? weight_inputs[row - 1].factors : 0;
}

rg_value_id rg_constant_behind(const rg_graph *g, rg_value_id v)
{
    for (int i = 0; i < CARRY_MAX && g->values[v].role == RG_ROLE_NODE; i++) {
        const rg_node *node = &g->nodes[g->values[v].producer];
        if (!carries(node)) break;
        v = node->in[0];
    }
    return g->values[v].role == RG_ROLE_CONST ? v : 0;
}

static bool is_filled(const rg_tensor *data) { return data && data->encoding == RG_DATA_SPLAT; }

/* The left factor of a product whose right one is constant, too. */
static bool is_filled_start(const rg_graph *g, const rg_node *node, uint32_t i)
{
    return i == 0 && rg_node_is(node, "MatMul") && is_filled(g->values[node->in[0]].data)
           && rg_constant_behind(g, node->in[1]);
}

/* ---- biases, scales and positions of elementwise operators ---- */

/* All axes that are not 1, and how many of them there are. */
static int long_axes(const rg_graph *g, const rg_type *type, int axes[RG_RANK_MAX])
{
    int count = 0;
    for (int i = 0; i < type->rank; i++)
        if (rg_dim_value(&g->dims, type->dim[i]) != 1) axes[count++] = i;
    return count;
}

/* `table` is added to a sequence [..., positions, channels], to windows of one or to an image: all its axes
 * that are not 1, two or three, are the last ones of both. */
static bool is_position_table(const rg_graph *g, const rg_type *table, const rg_type *sequence)
{
    int axes[RG_RANK_MAX], rank = table->rank, count = long_axes(g, table, axes);
    if ((count != 2 && count != 3) || axes[0] != rank - count || sequence->rank < rank) return false;
    for (int i = 1; i <= count; i++)
        if (rg_dim_value(&g->dims, table->dim[rank - i])
            != rg_dim_value(&g->dims, sequence->dim[sequence->rank - i])) return false;
    return true;
}

/* The bias of a product with a single output is a single number. */
static bool is_single_bias(const rg_flow *f, const rg_node *node, const rg_value *own, const rg_value *other)
{
    uint32_t step = f->step_of[other->producer];
    return rg_node_is(node, "Add") && own->type.rank > 0 && step && f->facts->work[step - 1].mac > 0;
}

/* One after the other what is a weight each: a bias of queries, zeros, one of values. */
static bool is_joined(const rg_graph *g, const rg_value *value)
{
    if (value->role != RG_ROLE_NODE || !rg_node_is(&g->nodes[value->producer], "Concat")) return false;
    const rg_node *join = &g->nodes[value->producer];
    for (uint32_t i = 0; i < join->in_count; i++) {
        const rg_value *part = &g->values[join->in[i]];
        if (part->role != RG_ROLE_CONST || part->type.rank != 1) return false;
    }
    return true;
}

/* Whether input i of an Add or Mul is a bias, a scale or a table of positions for the other input, whose
 * channels lie on the axis `channel`. Where nobody knows, each axis may be theirs. */
static bool is_elementwise_weight(const rg_flow *f, const rg_node *node, uint32_t i, int channel, bool tables)
{
    int axes[RG_RANK_MAX];
    const rg_value *own = &f->g->values[node->in[i]], *other = &f->g->values[node->in[1 - i]];
    if ((own->role != RG_ROLE_CONST && !is_joined(f->g, own)) || other->role != RG_ROLE_NODE) return false;
    if (rg_constant_behind(f->g, node->in[1 - i]) || !rg_dtype_is_float(own->type.dtype)) return false;
    int count = long_axes(f->g, &own->type, axes), behind = other->type.rank - channel;
    bool known = channel != RG_CHANNEL_UNKNOWN;
    if (channel == RG_CHANNEL_NONE && count) return false;
    if (count == 0) return is_single_bias(f, node, own, other);
    if (count == 1) return !known || own->type.rank - axes[0] == behind;
    if (!tables || !rg_node_is(node, "Add") || is_filled(own->data)) return false;
    return is_position_table(f->g, &own->type, &other->type) && (!known || behind == 1 || behind == count);
}

/* Learned tokens that are put in front of a sequence: [1, 1, channels], or several, [1, count, channels],
 * where what they join is none. */
static bool is_token(const rg_graph *g, rg_value_id v, bool several)
{
    int axes[RG_RANK_MAX];
    const rg_type *type = &g->values[v].type;
    if (!v || is_filled(g->values[v].data) || !rg_dtype_is_float(type->dtype) || type->rank < 3) return false;
    int count = long_axes(g, type, axes);
    return (count == 1 || (count == 2 && several)) && axes[0] == type->rank - count;
}

/* ---- architecture ---- */

typedef struct mix {
    double mac, conv, recurrent, gemm;
    bool attends, softmax, tree;
    bool windows; /* a convolution whose windows overlap: patches side by side only cut an image up */
} mix;

static bool windows_overlap(const rg_graph *g, const rg_node *node)
{
    const rg_attr *strides = rg_node_attr(node, "strides");
    const rg_type *kernel = &g->values[node->in[1]].type; /* [out, in, sizes...] */
    bool given = strides && strides->kind == RG_ATTR_INTS;
    for (int i = 2; i < kernel->rank; i++) {
        int64_t stride = given && (uint32_t)(i - 2) < strides->count ? strides->ints[i - 2] : 1;
        if (rg_dim_value(&g->dims, kernel->dim[i]) > stride) return true;
    }
    return false;
}

static mix mix_of(const rg_flow *f)
{
    mix m = {0};
    for (uint32_t s = 0; s < f->facts->step_count; s++) {
        const rg_work *w = &f->facts->work[s];
        const rg_node *node = &f->g->nodes[f->facts->steps[s].node];
        double mac = w->mac * f->facts->steps[s].times;
        m.mac += mac;
        bool conv = w->family == RG_FAMILY_CONV || w->family == RG_FAMILY_DEPTHWISE;
        if (conv) m.conv += mac;
        if (conv && node->in_count >= 2) m.windows |= windows_overlap(f->g, node);
        if (w->family == RG_FAMILY_RECURRENT) m.recurrent += mac;
        if (w->family == RG_FAMILY_TREE) m.tree = true;
        if (w->family == RG_FAMILY_SOFTMAX) m.softmax = true;
        if (w->family == RG_FAMILY_ATTENTION) m.attends = m.softmax = true;
        if (w->family == RG_FAMILY_GEMM) m.gemm += mac;
        if (w->family == RG_FAMILY_GEMM && node->in_count >= 2)
            m.attends |= !rg_constant_behind(f->g, node->in[0]) && !rg_constant_behind(f->g, node->in[1]);
    }
    return m;
}

/* By what most multiply-accumulates belong to; a few layers of another kind do not change the name. Where
 * they belong to plain products, by what lets one place see another: attention (a product of two activations
 * and a softmax; its own share is small), else overlapping windows. */
static const char *family_of(const mix *m)
{
    if (m->tree && m->mac == 0) return "tree";
    if (m->mac == 0) return "other";
    if (m->conv > 0.5 * m->mac) return "cnn";
    if (m->recurrent > 0.25 * m->mac) return "rnn";
    if (m->attends && m->softmax) return "transformer";
    if (m->windows) return "cnn";
    return m->gemm > 0.5 * m->mac ? "mlp" : "other";
}

/* ---- counting ---- */

typedef struct census {
    rg_flow *f;
    bool *counted, *read, *masks; /* by value: as parameter, as constant, as what a Softmax normalizes */
    int8_t *channel;              /* by value: the axis of its channels */
    rg_map places;                /* where bytes lie -> the first value that they were seen in */
    bool attends;                 /* elsewhere what is added by position is no learned table, but anchors */
} census;

static bool is_uniform(const rg_tensor *t)
{
    return t->count > 0 && rg_tensor_has_data(t) && rg_tensor_is_splat_of(t, rg_tensor_real(t, 0));
}

/* A constant that was folded from a view of another holds the same bytes: they count where they were first
 * seen. */
static rg_value_id first_of(census *c, rg_value_id v)
{
    const rg_tensor *t = c->f->g->values[v].data;
    if (!t || !t->data) return v;
    rg_str place = {(const char *)&t->data, sizeof t->data};
    rg_value_id first = rg_map_get(&c->places, place);
    if (!first && !rg_map_put(&c->places, place, v)) return v; /* the arena remembers */
    return first ? first : v;
}

/* Shared weights count once. Uniform ones count as often as they are used: they are no shared weights but the
 * biases and scales of fresh layers, which exporters merge because they look the same. */
static void count_parameter(census *c, rg_value_id v)
{
    const rg_tensor *data = c->f->g->values[v].data;
    if (!v || !data) return;
    rg_value_id first = first_of(c, v);
    if (c->counted[first] && !is_uniform(data)) return;
    c->counted[first] = true;
    c->f->facts->parameters += (double)data->count;
}

static void count_bytes(census *c, rg_value_id v)
{
    const rg_value *value = &c->f->g->values[v];
    if (value->role != RG_ROLE_CONST) return;
    rg_value_id first = first_of(c, v);
    if (!c->read[first]) c->f->facts->weight_byte += rg_type_bytes(c->f->g, &value->type);
    c->read[first] = true;
}

/* Look-ups in integers or in a list are shape arithmetic, no embedding. */
static bool holds_numbers(const rg_graph *g, const rg_node *node, rg_value_id v)
{
    const rg_type *type = &g->values[v].type;
    return !rg_node_is(node, "Gather") || (rg_dtype_is_float(type->dtype) && type->rank >= 2);
}

/* Zeros among them are none. */
static void count_joined(census *c, const rg_node *join)
{
    for (uint32_t i = 0; i < join->in_count; i++) {
        const rg_tensor *t = c->f->g->values[join->in[i]].data;
        bool zeros = t && rg_tensor_has_data(t) && rg_tensor_is_splat_of(t, 0);
        if (!zeros) count_parameter(c, join->in[i]);
    }
}

/* What has no weight input, but may be given a weight all the same. */
static void count_loose(census *c, const rg_node *node)
{
    if (rg_node_is(node, "Concat") && c->attends) {
        bool joins = false;
        for (uint32_t i = 0; i < node->in_count; i++) joins |= !rg_constant_behind(c->f->g, node->in[i]);
        for (uint32_t i = 0; i < node->in_count; i++) {
            rg_value_id v = rg_constant_behind(c->f->g, node->in[i]);
            if (is_token(c->f->g, v, joins)) count_parameter(c, v);
        }
    }
    if (node->in_count != 2 || !(rg_node_is(node, "Add") || rg_node_is(node, "Mul"))) return;
    bool tables = c->attends && node->out_count && !c->masks[node->out[0]];
    for (uint32_t i = 0; i < 2; i++) {
        if (!is_elementwise_weight(c->f, node, i, c->channel[node->in[1 - i]], tables)) continue;
        const rg_value *own = &c->f->g->values[node->in[i]];
        if (own->role == RG_ROLE_CONST) count_parameter(c, node->in[i]);
        else count_joined(c, &c->f->g->nodes[own->producer]);
    }
}

static void count_node(census *c, const rg_node *node)
{
    const rg_graph *g = c->f->g;
    unsigned set = weight_set(node);
    for (uint32_t i = 0; i < node->in_count; i++) {
        count_bytes(c, node->in[i]);
        bool weight = i < 32 && set & BIT(i) && holds_numbers(g, node, node->in[i])
                      && !is_filled_start(g, node, i);
        if (weight) count_parameter(c, rg_constant_behind(g, node->in[i]));
    }
    count_loose(c, node);
}

/* What a Softmax or Attention takes as scores or mask, and what is added up to it. */
static void mark_masks(census *c)
{
    const rg_facts *facts = c->f->facts;
    for (uint32_t s = facts->step_count; s-- > 0;) {
        const rg_node *node = &c->f->g->nodes[facts->steps[s].node];
        rg_family family = facts->work[s].family;
        bool sum = node->out_count && c->masks[node->out[0]] && (carries(node) || rg_node_is(node, "Add"));
        if (sum)
            for (uint32_t i = 0; i < node->in_count; i++) c->masks[node->in[i]] = true;
        if (family == RG_FAMILY_SOFTMAX && node->in_count) c->masks[node->in[0]] = true;
        if (family == RG_FAMILY_ATTENTION && node->in_count > 3) c->masks[node->in[3]] = true;
    }
}

rg_err rg_facts_weigh(rg_flow *f)
{
    rg_arena *scratch = &f->cx->arena;
    uint32_t value_count = f->g->value_count;
    mix m = mix_of(f);
    census c = {.f = f, .attends = m.attends && m.softmax};
    rg_map_init(&c.places, scratch);
    c.counted = RG_NEW(scratch, bool, value_count);
    c.read = RG_NEW(scratch, bool, value_count);
    c.masks = RG_NEW(scratch, bool, value_count);
    if (!c.counted || !c.read || !c.masks) return rg_nomem(f->cx);
    RG_TRY(rg_facts_channels(f, &c.channel));
    mark_masks(&c);
    for (uint32_t s = 0; s < f->facts->step_count; s++) count_node(&c, &f->g->nodes[f->facts->steps[s].node]);
    f->facts->family = family_of(&m);
    return scratch->failed ? rg_nomem(f->cx) : RG_OK;
}
