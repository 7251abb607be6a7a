/* recurrent.c - RNN, GRU, LSTM: at every step each gate sums the weighted input and the weighted state.
 *
 *     RNN   h' = f(s)                                  s_gate = W_gate x + Wb_gate + R_gate h + Rb_gate
 *     GRU   z = f(s_z)  r = f(s_r)                     h' = (1 - z) g + z h
 *           g = g(W_h x + Wb_h + R_h (r h) + Rb_h), or with linear_before_reset r (R_h h + Rb_h) inside
 *     LSTM  i = f(s_i + P_i c)  f = f(s_f + P_f c)     c' = f c + i g(s_c)
 *           o = f(s_o + P_o c')                        h' = o h(c')
 *
 * What ONNX leaves open is as in ONNX Runtime 1.30: `clip` bounds the sums of the gates but not the cell c',
 * and the last states of a sequence without steps are zero.
 *
 *     mac = directions * length * batch * gates * hidden * (input + hidden)        gates: 1, 3, 4
 *
 * The steps follow one another; only the weighted inputs of all of them can be had in one product. The nest
 * says so: `length` times in sequence a product of batch x (gates * hidden) x (input + hidden), for each
 * direction.
 */
#include "op/kernel.h"
#include "op/share.h"

#include <math.h>

enum { X, W, R, B, LENGTHS, FIRST_H, FIRST_C, PEEPHOLES };

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

/* ---- kernels ---- */

/* The curves that activations may name; NaN stays NaN. */
static double affine(double x, double a, double b) { return a * x + b; }
static double relu(double x, double a, double b) { return (void)a, (void)b, x < 0 ? 0 : x; }
static double leaky(double x, double a, double b) { return (void)b, x < 0 ? a * x : x; }
static double thresholded(double x, double a, double b) { return (void)b, x >= a ? x : 0; }
static double curve_tanh(double x, double a, double b) { return (void)a, (void)b, tanh(x); }
static double scaled_tanh(double x, double a, double b) { return a * tanh(b * x); }
static double sigmoid(double x, double a, double b) { return (void)a, (void)b, 1 / (1 + exp(-x)); }
static double hard_sigmoid(double x, double a, double b)
{
    double y = a * x + b;
    return y < 0 ? 0 : y > 1 ? 1 : y;
}
static double elu(double x, double a, double b) { return (void)b, x < 0 ? a * expm1(x) : x; }
static double softsign(double x, double a, double b) { return (void)a, (void)b, x / (1 + fabs(x)); }
static double softplus(double x, double a, double b)
{
    return (void)a, (void)b, fmax(x, 0) + log1p(exp(-fabs(x))); /* log(1 + exp x), which would overflow */
}

/* What activations may name, the presets of their parameters, and which of these the lists state. */
typedef struct curve {
    const char *name;
    double (*at)(double x, double alpha, double beta);
    double alpha, beta;
    bool takes_alpha, takes_beta;
} curve;

static const curve curves[] = {
    {"Affine", affine, 1, 0, true, true},
    {"Elu", elu, 1, 0, true, false},
    {"HardSigmoid", hard_sigmoid, 0.2, 0.5, true, true},
    {"LeakyRelu", leaky, 0.01, 0, true, false},
    {"Relu", relu, 0, 0, false, false},
    {"ScaledTanh", scaled_tanh, 1, 1, true, true},
    {"Sigmoid", sigmoid, 0, 0, false, false},
    {"Softplus", softplus, 0, 0, false, false},
    {"Softsign", softsign, 0, 0, false, false},
    {"Tanh", curve_tanh, 0, 0, false, false},
    {"ThresholdedRelu", thresholded, 1, 0, true, false},
};

enum { CURVES_MAX = 3, DIRECTIONS_MAX = 2 };

/* One direction: what all its steps share. Matrices are row-major, gate by gate. */
typedef struct cell {
    const double *w, *r;        /* [gates * hidden, input], [gates * hidden, hidden] */
    const double *wb, *rb;      /* [gates * hidden] */
    const double *peephole;     /* [3 * hidden]: of input, output, forget; zeros where there are none */
    int64_t input, hidden;
    curve curve[CURVES_MAX];
    double clip;
    bool variant;               /* linear_before_reset of a GRU, input_forget of an LSTM */
    double *gate;               /* scratch: gates * hidden */
} cell;

/* One kind of layer: `step` takes x [input] and moves h and c [hidden] on. */
typedef struct layer {
    int gates, curve_count;
    const char *presets[CURVES_MAX], *variant;
    void (*step)(const cell *c, const double *x, double *h, double *state);
} layer;

static double dot(const double *a, const double *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

static double of_input(const cell *c, int gate, int64_t i, const double *x)
{
    int64_t row = gate * c->hidden + i;
    return dot(c->w + row * c->input, x, c->input) + c->wb[row];
}

static double of_state(const cell *c, int gate, int64_t i, const double *h)
{
    int64_t row = gate * c->hidden + i;
    return dot(c->r + row * c->hidden, h, c->hidden) + c->rb[row];
}

static double bend(const cell *c, int which, double x)
{
    const curve *k = &c->curve[which];
    return k->at(x, k->alpha, k->beta);
}

/* Of a gate's sum, which `clip` bounds. */
static double activate(const cell *c, int which, double x)
{
    return bend(c, which, x < -c->clip ? -c->clip : x > c->clip ? c->clip : x);
}

static void rnn_step(const cell *c, const double *x, double *h, double *state)
{
    (void)state;
    for (int64_t i = 0; i < c->hidden; i++)
        c->gate[i] = activate(c, 0, of_input(c, 0, i, x) + of_state(c, 0, i, h));
    for (int64_t i = 0; i < c->hidden; i++) h[i] = c->gate[i];
}

static void gru_step(const cell *c, const double *x, double *h, double *state)
{
    enum { UPDATE, RESET, HIDDEN };
    int64_t n = c->hidden;
    double *z = c->gate, *reset = z + n, *g = reset + n;
    (void)state;
    for (int64_t i = 0; i < n; i++) {
        z[i] = activate(c, 0, of_input(c, UPDATE, i, x) + of_state(c, UPDATE, i, h));
        reset[i] = activate(c, 0, of_input(c, RESET, i, x) + of_state(c, RESET, i, h));
    }
    if (c->variant) {
        for (int64_t i = 0; i < n; i++)
            g[i] = activate(c, 1, of_input(c, HIDDEN, i, x) + reset[i] * of_state(c, HIDDEN, i, h));
    } else {
        for (int64_t i = 0; i < n; i++) reset[i] *= h[i];
        for (int64_t i = 0; i < n; i++)
            g[i] = activate(c, 1, of_input(c, HIDDEN, i, x) + of_state(c, HIDDEN, i, reset));
    }
    for (int64_t i = 0; i < n; i++) h[i] = (1 - z[i]) * g[i] + z[i] * h[i];
}

static void lstm_step(const cell *c, const double *x, double *h, double *state)
{
    enum { INPUT, OUTPUT, FORGET, CELL };
    int64_t n = c->hidden;
    double *sum = c->gate;
    const double *pi = c->peephole, *po = pi + n, *pf = po + n;
    for (int gate = INPUT; gate <= CELL; gate++)
        for (int64_t i = 0; i < n; i++) sum[gate * n + i] = of_input(c, gate, i, x) + of_state(c, gate, i, h);
    for (int64_t i = 0; i < n; i++) {
        double in = activate(c, 0, sum[INPUT * n + i] + pi[i] * state[i]);
        double forget = c->variant ? 1 - in : activate(c, 0, sum[FORGET * n + i] + pf[i] * state[i]);
        state[i] = forget * state[i] + in * activate(c, 1, sum[CELL * n + i]);
        h[i] = activate(c, 0, sum[OUTPUT * n + i] + po[i] * state[i]) * bend(c, 2, state[i]);
    }
}

static const layer rnn_layer = {1, 1, {"Tanh"}, NULL, rnn_step};
static const layer gru_layer = {3, 2, {"Sigmoid", "Tanh"}, "linear_before_reset", gru_step};
static const layer lstm_layer = {4, 3, {"Sigmoid", "Tanh", "Tanh"}, "input_forget", lstm_step};

/* ---- what a run was given ---- */

/* A parameter from a list, in order; the preset behind its end. */
static double taken(const rg_attr *list, uint32_t *next, bool takes, double preset)
{
    if (!takes || !list || list->kind != RG_ATTR_FLOATS || *next >= list->count) return preset;
    return list->floats[(*next)++];
}

/* Curves of all directions, one direction behind the other, as `activations` lists them. Old files write
 * their names in small letters. */
static rg_err read_curves(const rg_run *r, const layer *l, int directions, cell *cells)
{
    const rg_node *node = r->site.node;
    const rg_attr *names = rg_node_attr(node, "activations");
    const rg_attr *alphas = rg_node_attr(node, "activation_alpha");
    const rg_attr *betas = rg_node_attr(node, "activation_beta");
    uint32_t count = (uint32_t)(l->curve_count * directions), alpha = 0, beta = 0;
    if (names && (names->kind != RG_ATTR_STRINGS || names->count != count))
        return rg_run_fail(r, RG_FORMAT, "activations names %u functions, needs %u", names->count, count);
    for (uint32_t i = 0; i < count; i++) {
        int which = (int)i % l->curve_count;
        rg_str name = names ? names->strings[i] : rg_str_of(l->presets[which]);
        size_t k = 0;
        while (k < RG_COUNT(curves) && rg_str_distance(name, rg_str_of(curves[k].name)) != 0) k++;
        if (k == RG_COUNT(curves))
            return rg_run_fail(r, RG_UNSUPPORTED, "there is no activation '%.*s'", RG_STR(name));
        curve *to = &cells[(int)i / l->curve_count].curve[which];
        *to = curves[k];
        to->alpha = taken(alphas, &alpha, to->takes_alpha, to->alpha);
        to->beta = taken(betas, &beta, to->takes_beta, to->beta);
    }
    return RG_OK;
}

/* An input of `count` elements as doubles; zeros where it was left out. */
static rg_err read_input(const rg_run *r, uint32_t i, int64_t count, const double **out)
{
    const rg_array *a = rg_arg(r, i);
    if (a && a->count != count)
        return rg_run_fail(r, RG_SHAPE, "input %u has %lld elements, needs %lld", i, (long long)a->count,
                           (long long)count);
    *out = a ? rg_doubles(r, a) : RG_NEW(r->scratch, double, count);
    return *out ? RG_OK : rg_nomem(r->site.cx);
}

static rg_err read_cells(const rg_run *r, const layer *l, int directions, cell *cells)
{
    const rg_array *x = rg_arg(r, X), *weights = rg_arg(r, W);
    int64_t hidden = rg_arg(r, R)->dim[2], rows = weights->dim[1], input = x->dim[2];
    const double *b, *p;
    RG_TRY(read_input(r, B, directions * 2 * rows, &b));
    RG_TRY(read_input(r, PEEPHOLES, directions * 3 * hidden, &p));
    const double *w = rg_doubles(r, weights), *rec = rg_doubles(r, rg_arg(r, R));
    if (!w || !rec) return rg_nomem(r->site.cx);
    for (int d = 0; d < directions; d++) {
        cells[d] = (cell){
            .w = w + d * rows * input, .r = rec + d * rows * hidden, .wb = b + d * 2 * rows,
            .rb = b + d * 2 * rows + rows, .peephole = p + d * 3 * hidden, .input = input, .hidden = hidden,
            .clip = rg_op_has(&r->site, "clip") ? rg_op_real(&r->site, "clip") : INFINITY,
            .variant = l->variant && rg_op_int(&r->site, l->variant),
            .gate = RG_NEW(r->scratch, double, rows),
        };
        if (!cells[d].gate) return rg_nomem(r->site.cx);
    }
    return read_curves(r, l, directions, cells);
}

/* ---- the walk ---- */

/* Where things lie: step t of sequence b in X, and in the outputs direction d of it. */
typedef struct walk { int64_t length, batch, hidden; int directions; bool batch_first; } walk;

static int64_t state_at(const walk *k, int d, int64_t b)
{
    return (k->batch_first ? b * k->directions + d : d * k->batch + b) * k->hidden;
}

static int64_t y_at(const walk *k, int64_t t, int d, int64_t b)
{
    int64_t block = k->batch_first ? (b * k->length + t) * k->directions + d
                                   : (t * k->directions + d) * k->batch + b;
    return block * k->hidden;
}

static void put_row(const rg_array *a, int64_t at, const double *row, int64_t count)
{
    for (int64_t i = 0; a && i < count; i++) rg_put(a, at + i, row[i]);
}

/* One sequence in one direction, from the states at h and c. What is behind its length stays zero. */
static void run_sequence(const rg_run *r, const layer *l, const walk *k, const cell *c, int d, bool back,
                         int64_t b, int64_t length, const double *x, double *h, double *state)
{
    for (int64_t step = 0; step < length; step++) {
        int64_t t = back ? length - 1 - step : step;
        int64_t at = k->batch_first ? b * k->length + t : t * k->batch + b;
        l->step(c, x + at * c->input, h, state);
        put_row(rg_result(r, 0), y_at(k, t, d, b), h, k->hidden);
    }
    if (length == 0) return;
    put_row(rg_result(r, 1), state_at(k, d, b), h, k->hidden);
    put_row(rg_result(r, 2), state_at(k, d, b), state, k->hidden);
}

/* How many steps each sequence has; NULL: all. */
static rg_err read_lengths(const rg_run *r, const walk *k, const rg_array **out)
{
    const rg_array *lengths = *out = rg_arg(r, LENGTHS);
    for (uint32_t i = 0; (lengths || !k->length) && i < 3; i++)
        if (rg_result(r, i)) rg_clear(rg_result(r, i)); /* what is behind a length is written by no step */
    if (lengths && lengths->count != k->batch)
        return rg_run_fail(r, RG_SHAPE, "%lld lengths for %lld sequences", (long long)lengths->count,
                           (long long)k->batch);
    for (int64_t b = 0; lengths && b < k->batch; b++) {
        int64_t length = rg_get_int(lengths, b);
        if (length < 0 || length > k->length)
            return rg_run_fail(r, RG_INPUT, "length %lld of sequence %lld is outside 0 to %lld",
                               (long long)length, (long long)b, (long long)k->length);
    }
    return RG_OK;
}

static rg_err run_layer(const rg_run *r, const layer *l)
{
    const rg_array *x = rg_arg(r, X), *lengths;
    bool batch_first = rg_op_int(&r->site, "layout") != 0;
    int directions = (int)rg_arg(r, W)->dim[0];
    bool back = rg_str_is(rg_op_str(&r->site, "direction"), "reverse");
    walk k = {x->dim[batch_first], x->dim[!batch_first], rg_arg(r, R)->dim[2], directions, batch_first};
    cell cells[DIRECTIONS_MAX];
    const double *first_h, *first_c;
    double *h = RG_NEW(r->scratch, double, k.hidden), *c = RG_NEW(r->scratch, double, k.hidden);
    int64_t lines, states;
    RG_TRY(rg_need_numbers(r));
    const double *from = rg_doubles(r, x);
    if (!h || !c || !from) return rg_nomem(r->site.cx);
    if (!rg_mul_size(directions, k.batch, &lines) || !rg_mul_size(lines, k.hidden, &states))
        return rg_run_fail(r, RG_LIMIT, "states of more than 2^63 elements");
    RG_TRY(read_cells(r, l, directions, cells));
    RG_TRY(read_lengths(r, &k, &lengths));
    RG_TRY(read_input(r, FIRST_H, states, &first_h));
    RG_TRY(read_input(r, FIRST_C, states, &first_c));
    for (int d = 0; d < directions; d++)
        for (int64_t b = 0; b < k.batch; b++) {
            int64_t length = lengths ? rg_get_int(lengths, b) : k.length;
            for (int64_t i = 0; i < k.hidden; i++) {
                h[i] = first_h[state_at(&k, d, b) + i];
                c[i] = first_c[state_at(&k, d, b) + i];
            }
            run_sequence(r, l, &k, &cells[d], d, back || d == 1, b, length, from, h, c);
        }
    return RG_OK;
}

static rg_err run_rnn(const rg_run *r) { return run_layer(r, &rnn_layer); }
static rg_err run_gru(const rg_run *r) { return run_layer(r, &gru_layer); }
static rg_err run_lstm(const rg_run *r) { return run_layer(r, &lstm_layer); }

/* Opset 1 could leave the outputs of all steps out by an attribute; today by not naming them. */
static rg_err upgrade(const rg_site *s)
{
    rg_site_drop_attr(s, "output_sequence");
    return RG_OK;
}

RG_OP(rnn) = {
    .name = "RNN", .brief = "simple recurrent layer", .since = 7,
    .in_min = 3, .in_max = 6, .out_min = 0, .out_max = 2,
    RG_SPEC(rnn_attrs) RG_CASES(rnn_cases) .infer = rnn_infer, .work = rnn_work,
    .run = run_rnn, .upgrade = upgrade,
};

RG_OP(gru) = {
    .name = "GRU", .brief = "gated recurrent unit", .since = 7,
    .in_min = 3, .in_max = 6, .out_min = 0, .out_max = 2,
    RG_SPEC(gru_attrs) RG_CASES(gru_cases) .infer = gru_infer, .work = gru_work,
    .run = run_gru, .upgrade = upgrade,
};

RG_OP(lstm) = {
    .name = "LSTM", .brief = "long short-term memory", .since = 7,
    .in_min = 3, .in_max = 8, .out_min = 0, .out_max = 3,
    RG_SPEC(lstm_attrs) RG_CASES(lstm_cases) .infer = lstm_infer, .work = lstm_work,
    .run = run_lstm, .upgrade = upgrade,
};
