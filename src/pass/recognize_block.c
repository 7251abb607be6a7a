/* recognize_block.c - larger blocks that stay the nodes they are, but are known by a name:
 * squeeze-and-excitation.
 *
 *     x -> pool over the positions -> product -> activation -> product -> Sigmoid or HardSigmoid -> Mul(x, .)
 *
 * Products are 1x1 convolutions, Gemm or MatMul; reshapes and biases may stand between. The nodes from the
 * pool to the Mul get the same block, "SqueezeExcite:N".
 */
#include "pass/pass.h"

enum { CHAIN_MAX = 24 };

/* What may stand between the pool and the gate; a product has weights, and there are two. */
static const struct { const char *type; bool product; } links[] = {
    {"Conv", true},         {"Gemm", true},       {"MatMul", true},      {"Add", false},
    {"Relu", false},        {"PRelu", false},     {"LeakyRelu", false},  {"Clip", false},
    {"Swish", false},       {"HardSwish", false}, {"Gelu", false},       {"Mish", false},
    {"Reshape", false},     {"Flatten", false},   {"Squeeze", false},    {"Unsqueeze", false},
    {"Transpose", false},   {"BatchNormalization", false},
};

/* The row of a node, or -1. */
static int link_of(const rg_node *node)
{
    for (size_t i = 0; i < RG_COUNT(links); i++)
        if (rg_node_is(node, links[i].type)) return (int)i;
    return -1;
}

/* One position for each channel: a convolution of it is a matrix product. */
static bool is_pooled(const rg_graph *g, const rg_type *t)
{
    double positions = 1;
    for (int i = 2; i < t->rank; i++) positions *= (double)rg_dim_value(&g->dims, t->dim[i]);
    return t->rank >= 2 && positions == 1;
}

static bool is_pool(const rg_match *m, const rg_node *node)
{
    if (rg_node_is(node, "GlobalAveragePool")) return true;
    bool means = rg_node_is(node, "ReduceMean") || rg_node_is(node, "AveragePool");
    return means && m->g->values[node->in[0]].type.rank == 4 &&
           is_pooled(m->g, &m->g->values[node->out[0]].type);
}

/* The input that is no constant; 0 when there are two. */
static rg_value_id data_input(const rg_match *m, const rg_node *node)
{
    rg_value_id data = 0;
    for (uint32_t i = 0; i < node->in_count; i++) {
        if (!node->in[i] || m->g->values[node->in[i]].role == RG_ROLE_CONST) continue;
        if (data) return 0;
        data = node->in[i];
    }
    return data;
}

/* From the gate up to the pool of `x`, all of it read by nothing else. */
static bool is_excitation(const rg_match *m, rg_pieces *p, rg_value_id x, rg_value_id gate)
{
    int products = 0;
    const rg_node *node = rg_piece(m, p, gate, "Sigmoid", 1);
    if (!node) node = rg_piece(m, p, gate, "HardSigmoid", 1);
    for (int i = 0; node && i < CHAIN_MAX; i++) {
        rg_value_id from = data_input(m, node);
        node = from ? rg_piece(m, p, from, NULL, 1) : NULL;
        int link = node ? link_of(node) : -1;
        if (node && is_pool(m, node)) return products == 2 && node->in[0] == x;
        if (link < 0 || (links[link].product && !is_pooled(m->g, &m->g->values[node->out[0]].type)))
            return false;
        products += links[link].product;
    }
    return false;
}

static rg_err recognize(rg_ctx *cx, rg_graph *g, bool *changed)
{
    rg_match m;
    int count = 0;
    (void)changed; /* a name changes nothing that others would have to look at again */
    RG_TRY(rg_match_init(&m, cx, g));
    for (rg_node_id id = 1; id < g->node_count; id++) {
        rg_node *scale = &g->nodes[id];
        if (scale->dead || !rg_node_is(scale, "Mul") || scale->in_count != 2) continue;
        rg_pieces p = rg_pieces_of(scale);
        bool found = is_excitation(&m, &p, scale->in[0], scale->in[1]);
        if (!found) {
            p.count = 1;
            found = is_excitation(&m, &p, scale->in[1], scale->in[0]);
        }
        if (!found) continue;
        const char *name = rg_arena_printf(&g->arena, "SqueezeExcite:%d", ++count);
        if (!name) return rg_nomem(cx);
        for (uint32_t i = 0; i < p.count; i++) p.nodes[i]->block = rg_str_of(name);
    }
    return RG_OK;
}

RG_PASS(recognize_block) = {
    .name = "recognize-block", .brief = "names the nodes of squeeze-and-excitation blocks",
    .order = 60, .repeat = true, .run = recognize,
};
