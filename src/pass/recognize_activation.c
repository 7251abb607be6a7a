/* recognize_activation.c - activations from their pieces. All of them are a number, x, and a gate of x,
 * multiplied:
 *
 *     Gelu                      1/2   x   1 + erf(x / sqrt 2)
 *     Gelu approximate="tanh"   1/2   x   1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))
 *     Swish                      1    x   sigmoid(alpha x)
 *     HardSwish                  1    x   HardSigmoid(x)             slope 1/6, 1/2 at 0
 *     HardSwish                 1/6   x   Clip(x + 3, 0, 6)
 *     Mish                       1    x   tanh(softplus(x))
 *
 * Exporters put the factors in any order and the number anywhere. So products are taken apart into a number
 * and a list of factors before anything is compared.
 */
#include "pass/pass.h"

#include <math.h>

typedef struct gate { const rg_match *m; rg_pieces pieces; rg_value_id x, value; rg_attr attr; } gate;

/* ---- products ---- */

enum { FACTOR_MAX = 4 };
typedef struct product { double number; rg_value_id factors[FACTOR_MAX]; int count; } product;

static bool multiply(gate *g, rg_value_id v, product *p);

static bool add_factor(product *p, rg_value_id v)
{
    if (p->count == FACTOR_MAX) return false;
    p->factors[p->count++] = v;
    return true;
}

/* x ^ 2 and x ^ 3 are x two or three times. */
static bool add_power(product *p, rg_value_id v, int exponent)
{
    bool fits = true;
    for (int i = 0; i < exponent && fits; i++) fits = add_factor(p, v);
    return fits;
}

/* Takes the result of `node` apart. *apart: it is a product, quotient or power that can be. */
static bool multiply_node(gate *g, const rg_node *node, product *p, bool *apart)
{
    double number;
    *apart = true;
    if (rg_node_is(node, "Mul")) return multiply(g, node->in[0], p) && multiply(g, node->in[1], p);
    if (rg_node_is(node, "Div") && rg_const_scalar(g->m, node->in[1], &number) && number != 0) {
        p->number /= number;
        return multiply(g, node->in[0], p);
    }
    if (rg_node_is(node, "Pow") && rg_const_scalar(g->m, node->in[1], &number) &&
        (number == 2 || number == 3))
        return add_power(p, node->in[0], (int)number);
    *apart = false;
    return true;
}

/* Multiplies v into p. What others read too is a factor as it is. False: too many factors. */
static bool multiply(gate *g, rg_value_id v, product *p)
{
    double number;
    bool apart;
    uint32_t count = g->pieces.count;
    if (rg_const_scalar(g->m, v, &number)) {
        p->number *= number;
        return true;
    }
    const rg_node *node = rg_piece(g->m, &g->pieces, v, NULL, 1);
    if (node && !multiply_node(g, node, p, &apart)) return false;
    if (node && apart) return true;
    g->pieces.count = count;
    return add_factor(p, v);
}

/* `value` is number * x ^ power, within what exporters round; number 0: any, which is written there. */
static bool is_power_of_x(gate *g, rg_value_id value, int power, double *number)
{
    product p = {.number = 1};
    if (!multiply(g, value, &p) || p.count != power) return false;
    for (int i = 0; i < power; i++)
        if (p.factors[i] != g->x) return false;
    bool as_wanted = *number == 0 || rg_is_about(p.number, *number);
    *number = p.number;
    return as_wanted;
}

/* The other summand, when `value` is a sum with the number; else 0. */
static rg_value_id beside_number(gate *g, rg_value_id value, double number)
{
    const rg_node *sum = rg_piece(g->m, &g->pieces, value, "Add", 1);
    for (int side = 0; sum && side < 2; side++)
        if (rg_const_is(g->m, sum->in[side], number)) return sum->in[1 - side];
    return 0;
}

/* ---- gates ---- */

static bool is_erf(gate *g)
{
    double number = sqrt(0.5);
    const rg_node *erf = rg_piece(g->m, &g->pieces, beside_number(g, g->value, 1), "Erf", 1);
    return erf && is_power_of_x(g, erf->in[0], 1, &number);
}

/* x + 0.044715 x^3 as it stands, or the factors x and 1 + 0.044715 x^2. */
static bool is_cubic(gate *g, const product *p)
{
    double number = 0.044715;
    if (p->count == 1) {
        const rg_node *sum = rg_piece(g->m, &g->pieces, p->factors[0], "Add", 1);
        rg_value_id cube = sum ? rg_other_input(sum, g->x) : 0;
        return cube && is_power_of_x(g, cube, 3, &number);
    }
    if (p->count != 2 || (p->factors[0] != g->x && p->factors[1] != g->x)) return false;
    rg_value_id square = beside_number(g, p->factors[p->factors[0] == g->x], 1);
    return square && is_power_of_x(g, square, 2, &number);
}

static bool is_tanh(gate *g)
{
    product p = {.number = 1};
    const double pi = 3.14159265358979323846;
    const rg_node *tanh_node = rg_piece(g->m, &g->pieces, beside_number(g, g->value, 1), "Tanh", 1);
    if (!tanh_node || !multiply(g, tanh_node->in[0], &p) || !rg_is_about(p.number, sqrt(2 / pi)))
        return false;
    g->attr = (rg_attr){.name = RG_LIT("approximate"), .kind = RG_ATTR_STRING, .s = RG_LIT("tanh")};
    return is_cubic(g, &p);
}

static bool is_sigmoid(gate *g)
{
    double alpha = 0;
    const rg_node *sigmoid = rg_piece(g->m, &g->pieces, g->value, "Sigmoid", 1);
    if (!sigmoid || !is_power_of_x(g, sigmoid->in[0], 1, &alpha)) return false;
    if (alpha != 1) g->attr = (rg_attr){.name = RG_LIT("alpha"), .kind = RG_ATTR_FLOAT, .f = alpha};
    return true;
}

static double real_attr(const rg_node *node, const char *name, double preset)
{
    const rg_attr *attr = rg_node_attr(node, name);
    return attr && attr->kind == RG_ATTR_FLOAT ? attr->f : preset;
}

static bool is_hard_sigmoid(gate *g)
{
    const rg_node *node = rg_piece(g->m, &g->pieces, g->value, "HardSigmoid", 1);
    return node && node->in[0] == g->x && rg_is_about(real_attr(node, "alpha", 0.2), 1.0 / 6)
           && rg_is_about(real_attr(node, "beta", 0.5), 0.5);
}

static bool is_clip(gate *g)
{
    const rg_node *clip = rg_piece(g->m, &g->pieces, g->value, "Clip", 1);
    if (!clip || clip->in_count != 3 || !rg_const_is(g->m, clip->in[1], 0) ||
        !rg_const_is(g->m, clip->in[2], 6))
        return false;
    return beside_number(g, clip->in[0], 3) == g->x;
}

static bool is_mish(gate *g)
{
    const rg_node *tanh_node = rg_piece(g->m, &g->pieces, g->value, "Tanh", 1);
    const rg_node *softplus = tanh_node ? rg_piece(g->m, &g->pieces, tanh_node->in[0], "Softplus", 1) : NULL;
    return softplus && softplus->in[0] == g->x;
}

static const struct { double number; bool (*is)(gate *g); const char *type; } gates[] = {
    {0.5, is_erf, "Gelu"}, {0.5, is_tanh, "Gelu"}, {1, is_sigmoid, "Swish"},
    {1, is_hard_sigmoid, "HardSwish"}, {1.0 / 6, is_clip, "HardSwish"}, {1, is_mish, "Mish"},
};

/* ---- the pass ---- */

/* g->x and g->value are the two factors of the last piece, in this order. */
static rg_err try_gates(gate *g, double number, bool *changed)
{
    const rg_value *values = g->m->g->values;
    uint32_t count = g->pieces.count;
    const rg_type *x = &values[g->x].type;
    if (!rg_dtype_is_float(x->dtype) || !rg_type_eq(x, &values[g->pieces.nodes[0]->out[0]].type))
        return RG_OK;
    for (size_t i = 0; i < RG_COUNT(gates); i++) {
        g->pieces.count = count;
        g->attr = (rg_attr){0};
        if (!rg_is_about(number, gates[i].number) || !gates[i].is(g)) continue;
        rg_node like = {.in = &g->x, .in_count = 1, .attrs = &g->attr, .attr_count = g->attr.name.size != 0};
        *changed = true;
        return rg_pieces_become(g->m, &g->pieces, gates[i].type, &like);
    }
    return RG_OK;
}

/* The root of a product may be any Mul or Div: one further out, with more factors, has been or will be
 * looked at too. */
static rg_err try_root(const rg_match *m, rg_node *root, bool *changed)
{
    product p = {.number = 1};
    gate g = {.m = m, .pieces = rg_pieces_of(root)};
    bool apart;
    if (!multiply_node(&g, root, &p, &apart) || !apart || p.count != 2) return RG_OK;
    uint32_t count = g.pieces.count;
    for (int i = 0; i < 2 && !*changed; i++) {
        g.pieces.count = count;
        g.x = p.factors[i];
        g.value = p.factors[1 - i];
        RG_TRY(try_gates(&g, p.number, changed));
    }
    return RG_OK;
}

static rg_err recognize(rg_ctx *cx, rg_graph *g, bool *changed)
{
    rg_match m;
    RG_TRY(rg_match_init(&m, cx, g));
    for (rg_node_id id = 1; id < g->node_count; id++) {
        rg_node *root = &g->nodes[id];
        bool found = false;
        if (root->dead || (!rg_node_is(root, "Mul") && !rg_node_is(root, "Div"))) continue;
        RG_TRY(try_root(&m, root, &found));
        *changed |= found;
    }
    return RG_OK;
}

RG_PASS(recognize_activation) = {
    .name = "recognize-activation", .brief = "finds Gelu, Swish, HardSwish and Mish in their pieces",
    .order = 40, .repeat = true, .run = recognize,
};
