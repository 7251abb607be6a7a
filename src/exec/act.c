/* act.c - which nodes are activations that a kernel can apply to what it just computed. */
#include "exec/fast.h"

#include <math.h>

typedef struct act_row {
    const char *op;
    rg_act act;
    const char *low, *high;  /* attributes, or NULL */
} act_row;

static const act_row acts[] = {
    {"Relu", RG_ACT_RELU, NULL, NULL},
    {"LeakyRelu", RG_ACT_LEAKY_RELU, "alpha", NULL},
    {"HardSigmoid", RG_ACT_HARD_SIGMOID, "alpha", "beta"},
    {"HardSwish", RG_ACT_HARD_SWISH, NULL, NULL},
    {"Sigmoid", RG_ACT_SIGMOID, NULL, NULL},
    {"Tanh", RG_ACT_TANH, NULL, NULL},
    {"Swish", RG_ACT_SWISH, "alpha", NULL},
};

/* A bound of Clip. */
static bool bound_of(const rg_fast_row *r, const rg_node *n, uint32_t i, float preset, float *out)
{
    *out = preset;
    if (i >= n->in_count || !n->in[i]) return true;
    if (!rg_fast_is_constant(r, n->in[i]) || !rg_fast_is_f32(r, n->in[i])) return false;
    *out = (float)rg_get(rg_fast_array(r, n->in[i]), 0);
    return true;
}

bool rg_act_read(const rg_fast_row *r, const rg_site *site, rg_epilogue *out)
{
    const rg_node *n = site->node;
    out->act = RG_ACT_NONE;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (!rg_node_is(n, acts[i].op)) continue;
        out->act = acts[i].act;
        if (acts[i].low) out->low = (float)rg_op_real(site, acts[i].low);
        if (acts[i].high) out->high = (float)rg_op_real(site, acts[i].high);
    }
    if (rg_node_is(n, "Gelu"))
        out->act = rg_str_is(rg_op_str(site, "approximate"), "tanh") ? RG_ACT_GELU_TANH : RG_ACT_GELU;
    if (rg_node_is(n, "Clip") && bound_of(r, n, 1, -INFINITY, &out->low) &&
        bound_of(r, n, 2, INFINITY, &out->high))
        out->act = RG_ACT_CLIP;
    return out->act != RG_ACT_NONE;
}
