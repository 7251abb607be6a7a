/* recurrent.c - RNN, GRU, LSTM: at every step each gate sums the weighted input and the weighted state.
 *
 *     mac = directions * length * batch * gates * hidden * (input + hidden)        gates: 1, 3, 4
 *
 * The steps follow one another; only the weighted inputs of all of them can be had in one product. The nest
 * says so: `length` times in sequence a product of batch x (gates * hidden) x (input + hidden), for each
 * direction.
 */
#include "op/share.h"

enum { X, W, R };

#define RECURRENT_ATTRS                                                                             \
    {"activation_alpha", RG_ATTR_FLOATS, NULL, false, "first parameters of the activations"},       \
    {"activation_beta", RG_ATTR_FLOATS, NULL, false, "second parameters of the activations"},       \
    {"activations", RG_ATTR_STRINGS, NULL, false, "of each gate and direction"},                    \
    {"clip", RG_ATTR_FLOAT, NULL, false, "bound of what goes into the activations"},                \
    {"direction", RG_ATTR_STRING, "forward", false, "forward, reverse, bidirectional"},             \
    {"hidden_size", RG_ATTR_INT, NULL, false, "elements of the state; preset: as the weights say"}, \
    {"layout", RG_ATTR_INT, "0", false, "0: X is [length, batch, input]; 1: [batch, length, input]"}

static const rg_attr_spec rnn_attrs[] = {RECURRENT_ATTRS};
static const rg_attr_spec gru_attrs[] = {
    RECURRENT_ATTRS,
    {"linear_before_reset", RG_ATTR_INT, "0", false, "1: the state is weighted before the reset gate"},
};
static const rg_attr_spec lstm_attrs[] = {
    RECURRENT_ATTRS,
    {"input_forget", RG_ATTR_INT, "0", false, "1: the forget gate is one minus the input gate"},
};

static const rg_case rnn_cases[] = {
    {"f32[7,3,2] f32[1,5,2] f32[1,5,5]", "hidden_size=5", "f32[7,1,3,5] f32[1,3,5]"},
};
static const rg_case gru_cases[] = {
    {"f32[7,3,2] f32[2,15,2] f32[2,15,5]", "hidden_size=5 direction=\"bidirectional\"",
     "f32[7,2,3,5] f32[2,3,5]"},
    {"f32[3,7,2] f32[1,15,2] f32[1,15,5]", "hidden_size=5 layout=1", "f32[3,7,1,5] f32[3,1,5]"},
};
static const rg_case lstm_cases[] = {
    {"f32[t,n,64] f32[1,512,64] f32[1,512,128] f32[1,1024]", NULL,
     "f32[t,1,n,128] f32[1,n,128] f32[1,n,128]"},
    {"f32[3,7,2] f32[2,20,2] f32[2,20,5]", "hidden_size=5 layout=1 direction=\"bidirectional\"",
     "f32[3,7,2,5] f32[3,2,5] f32[3,2,5]"},
};

/* Sizes of the input and the state. */
typedef struct sizes { rg_dim length, batch, input, hidden, directions; } sizes;

static rg_err read_directions(const rg_site *s, rg_dim *out)
{
    rg_str name = rg_op_str(s, "direction");
    bool both = rg_str_is(name, "bidirectional");
    if (!both && !rg_str_is(name, "forward") && !rg_str_is(name, "reverse"))
        return rg_site_fail(s, RG_FORMAT, "direction '%.*s' is none of forward, reverse, bidirectional",
                            RG_STR(name));
    *out = both ? 2 : 1;
    return RG_OK;
}

static rg_err read_sizes(const rg_site *s, int gates, sizes *z)
{
    bool batch_first = rg_op_int(s, "layout") != 0;
    rg_dims *dims = rg_site_dims(s);
    rg_dim same;
    for (uint32_t i = X; i <= R; i++) RG_TRY(rg_need_rank(s, i, 3, 3));
    const rg_dim *x = rg_in_type(s, X)->dim, *w = rg_in_type(s, W)->dim, *r = rg_in_type(s, R)->dim;
    z->length = x[batch_first];
    z->batch = x[!batch_first];
    z->hidden = r[2];
    RG_TRY(read_directions(s, &z->directions));
    RG_TRY(rg_need_equal(s, "input sizes of X and W", x[2], w[2], &z->input));
    RG_TRY(rg_need_equal(s, "directions of W", w[0], z->directions, &same));
    RG_TRY(rg_need_equal(s, "directions of R", r[0], z->directions, &same));
    RG_TRY(rg_need_equal(s, "rows of W and R", w[1], r[1], &same));
    rg_dim rows = rg_dim_mul(dims, r[2], gates);
    RG_TRY(rg_need_equal(s, "rows of R, and gates * hidden size", r[1], rows, &same));
    if (rg_op_has(s, "hidden_size"))
        RG_TRY(rg_need_equal(s, "hidden_size and R", rg_op_int(s, "hidden_size"), r[2], &z->hidden));
    return RG_OK;
}

static rg_err infer(const rg_site *s, int gates)
{
    sizes z;
    RG_TRY(read_sizes(s, gates, &z));
    rg_dtype dtype = rg_in_type(s, X)->dtype;
    bool batch_first = rg_op_int(s, "layout") != 0;
    rg_dim all[] = {z.length, z.directions, z.batch, z.hidden}, last[] = {z.directions, z.batch, z.hidden};
    rg_dim all_first[] = {z.batch, z.length, z.directions, z.hidden};
    rg_dim last_first[] = {z.batch, z.directions, z.hidden};
    rg_type state = rg_type_tensor(dtype, 3, batch_first ? last_first : last);
    rg_set_out(s, 0, rg_type_tensor(dtype, 4, batch_first ? all_first : all));
    rg_set_out(s, 1, state);
    rg_set_out(s, 2, state); /* the cell of an LSTM */
    return RG_OK;
}

static rg_err rnn_infer(const rg_site *s) { return infer(s, 1); }
static rg_err gru_infer(const rg_site *s) { return infer(s, 3); }
static rg_err lstm_infer(const rg_site *s) { return infer(s, 4); }

/* flop, special: for each element of the state and step, the products apart: adding the weighted input, the
 * weighted state and two biases in every gate, then what the cell does with the gates. */
static void fill(const rg_site *s, rg_work *w, double gates, double flop, double special)
{
    bool batch_first = rg_op_int(s, "layout") != 0;
    double length = (double)rg_in_dim(s, X, batch_first), batch = (double)rg_in_dim(s, X, !batch_first);
    double hidden = (double)rg_in_dim(s, R, 2);
    w->family = RG_FAMILY_RECURRENT;
    w->batch = (double)rg_in_dim(s, W, 0);
    w->m = batch;
    w->n = gates * hidden;
    w->k = (double)rg_in_dim(s, X, 2) + hidden;
    w->steps = length;
    w->mac = w->batch * w->m * w->n * w->k * w->steps;
    double elements = w->batch * length * batch * hidden;
    w->flop = 2 * w->mac + flop * elements;
    w->special = special * elements;
    w->channels = hidden;
    w->weight_in_b = rg_in_is_const(s, W) && rg_in_is_const(s, R);
}

/* h' = tanh(sum) */
static void rnn_work(const rg_site *s, rg_work *w) { fill(s, w, 1, 3, 1); }
/* h' = (1 - z) * tanh(... r * h ...) + z * h: five more */
static void gru_work(const rg_site *s, rg_work *w) { fill(s, w, 3, 9 + 5, 3); }
/* c' = f * c + i * g, h' = o * tanh(c'): four more, and a fifth curve */
static void lstm_work(const rg_site *s, rg_work *w) { fill(s, w, 4, 12 + 4, 5); }

/* Opset 1 could leave the outputs of all steps out by an attribute; today by not naming them. */
static rg_err upgrade(const rg_site *s)
{
    rg_site_drop_attr(s, "output_sequence");
    return RG_OK;
}

RG_OP(rnn) = {
    .name = "RNN", .brief = "simple recurrent layer", .since = 7,
    .in_min = 3, .in_max = 6, .out_min = 0, .out_max = 2,
    RG_SPEC(rnn_attrs) RG_CASES(rnn_cases) .infer = rnn_infer, .work = rnn_work, .upgrade = upgrade,
};

RG_OP(gru) = {
    .name = "GRU", .brief = "gated recurrent unit", .since = 7,
    .in_min = 3, .in_max = 6, .out_min = 0, .out_max = 2,
    RG_SPEC(gru_attrs) RG_CASES(gru_cases) .infer = gru_infer, .work = gru_work, .upgrade = upgrade,
};

RG_OP(lstm) = {
    .name = "LSTM", .brief = "long short-term memory", .since = 7,
    .in_min = 3, .in_max = 8, .out_min = 0, .out_max = 3,
    RG_SPEC(lstm_attrs) RG_CASES(lstm_cases) .infer = lstm_infer, .work = lstm_work, .upgrade = upgrade,
};
