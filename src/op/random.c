/* random.c - operators that draw random numbers: never folded, never merged.
 *
 * A uniform draw is a handful of integer operations; a normal one needs about two special functions more
 * (Box-Muller: a logarithm and a cosine). With u and v uniform on (0, 1], the draws are
 *
 *     uniform:     low + (high - low) u
 *     normal:      mean + scale sqrt(-2 ln u) cos(2 pi v)
 *     Bernoulli:   u < p
 *     Multinomial: the class k whose share of the sum of e^x is where u falls
 */
#include "op/draw.h"
#include "op/share.h"

#include <math.h>

enum { DRAW_FLOP = 4 };

#define SEED {"seed", RG_ATTR_FLOAT, NULL, false, "seed of the generator; chosen by the run when left out"}
#define DTYPE_LIKE {"dtype", RG_ATTR_INT, NULL, false, "element type; that of the input when left out"}
#define DTYPE_FLOAT {"dtype", RG_ATTR_INT, "1", false, "element type, float when left out"}
#define SHAPE {"shape", RG_ATTR_INTS, NULL, true, "shape of the result"}
#define MEAN {"mean", RG_ATTR_FLOAT, "0.0", false, "mean of the distribution"}
#define SCALE {"scale", RG_ATTR_FLOAT, "1.0", false, "standard deviation"}
#define LOW {"low", RG_ATTR_FLOAT, "0.0", false, "lower bound"}
#define HIGH {"high", RG_ATTR_FLOAT, "1.0", false, "upper bound"}

static const rg_attr_spec normal_attrs[] = {DTYPE_FLOAT, MEAN, SCALE, SEED, SHAPE};
static const rg_attr_spec uniform_attrs[] = {DTYPE_FLOAT, HIGH, LOW, SEED, SHAPE};
static const rg_attr_spec normallike_attrs[] = {DTYPE_LIKE, MEAN, SCALE, SEED};
static const rg_attr_spec uniformlike_attrs[] = {DTYPE_LIKE, HIGH, LOW, SEED};
static const rg_attr_spec bernoulli_attrs[] = {DTYPE_LIKE, SEED};
static const rg_attr_spec multinomial_attrs[] = {
    {"dtype", RG_ATTR_INT, "6", false, "element type: i32 or i64"},
    {"sample_size", RG_ATTR_INT, "1", false, "draws of each row"},
    SEED,
};

static const rg_case shape_cases[] = {{"", "shape=2,3", "f32[2,3]"}, {"", "dtype=11 shape=[4]", "f64[4]"}};
static const rg_case like_cases[] = {{"f32[batch,3]", "", "f32[batch,3]"}, {"f32[4]", "dtype=11", "f64[4]"}};
static const rg_case multinomial_cases[] = {{"f32[batch,10]", "sample_size=3", "i32[batch,3]"}};

static rg_err shape_infer(const rg_site *s)
{
    uint32_t count;
    const int64_t *shape = rg_op_ints(s, "shape", &count);
    rg_dtype dtype;

    RG_TRY(rg_dtype_attr(s, "dtype", RG_F32, &dtype));
    if (count > RG_RANK_MAX)
        return rg_site_fail(s, RG_LIMIT, "rank %u, at most %d", count, RG_RANK_MAX);
    rg_set_out(s, 0, rg_type_tensor(dtype, (int)count, shape));
    return RG_OK;
}

static rg_err like_infer(const rg_site *s)
{
    rg_dtype dtype;

    RG_TRY(rg_need_tensor(s, 0));
    RG_TRY(rg_dtype_attr(s, "dtype", rg_in_type(s, 0)->dtype, &dtype));
    rg_set_out(s, 0, rg_type_like(s, 0, dtype));
    return RG_OK;
}

static rg_err multinomial_infer(const rg_site *s)
{
    rg_dtype dtype;

    RG_TRY(rg_need_rank(s, 0, 2, 2));
    RG_TRY(rg_dtype_attr(s, "dtype", RG_I32, &dtype));
    rg_dim dim[2] = {rg_in_type(s, 0)->dim[0], rg_op_int(s, "sample_size")};
    rg_set_out(s, 0, rg_type_tensor(dtype, 2, dim));
    return RG_OK;
}

static void normal_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, DRAW_FLOP, 2); }
static void uniform_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, DRAW_FLOP, 0); }

/* RandomNormalLike and RandomUniformLike look at the shape only; Bernoulli reads its probabilities. */
static void normallike_work(const rg_site *s, rg_work *w)
{
    normal_work(s, w);
    w->in_byte = w->weight_byte = 0;
}

static void uniformlike_work(const rg_site *s, rg_work *w)
{
    uniform_work(s, w);
    w->in_byte = w->weight_byte = 0;
}

/* exp of every input, then a walk through half of the row for each draw. */
static void multinomial_work(const rg_site *s, rg_work *w)
{
    uniform_work(s, w);
    w->special += rg_in_count(s, 0);
    w->flop += rg_in_count(s, 0) + rg_out_count(s, 0) * (double)rg_in_dim(s, 0, 1) / 2;
}

/* ---- kernels ---- */

uint64_t *rg_draw_state(const rg_run *r, uint64_t *own)
{
    const rg_attr *seed = rg_node_attr(r->site.node, "seed");
    if (!seed || (seed->kind != RG_ATTR_FLOAT && seed->kind != RG_ATTR_INT)) return r->random;
    double x = seed->kind == RG_ATTR_FLOAT ? seed->f : (double)seed->i; /* Dropout's is an integer */
    *own = rg_hash(RG_HASH_SEED, &x, sizeof x);
    return own;
}

static rg_err run_uniform(const rg_run *r)
{
    const rg_array *y = rg_result(r, 0);
    double low = rg_op_real(&r->site, "low"), high = rg_op_real(&r->site, "high");
    uint64_t own, *state = rg_draw_state(r, &own);
    for (int64_t i = 0; i < y->count; i++) rg_put(y, i, low + (high - low) * rg_random_unit(state));
    return RG_OK;
}

static rg_err run_normal(const rg_run *r)
{
    const double two_pi = 6.28318530717958647693;
    const rg_array *y = rg_result(r, 0);
    double mean = rg_op_real(&r->site, "mean"), scale = rg_op_real(&r->site, "scale");
    uint64_t own, *state = rg_draw_state(r, &own);
    for (int64_t i = 0; i < y->count; i++) {
        double radius = sqrt(-2 * log(1 - rg_random_unit(state))); /* never log(0) */
        rg_put(y, i, mean + scale * radius * cos(two_pi * rg_random_unit(state)));
    }
    return RG_OK;
}

static rg_err bernoulli_run(const rg_run *r)
{
    const rg_array *p = rg_arg(r, 0), *y = rg_result(r, 0);
    uint64_t own, *state = rg_draw_state(r, &own);
    for (int64_t i = 0; i < y->count; i++) rg_put(y, i, rg_random_unit(state) < rg_get(p, i));
    return RG_OK;
}

/* The class of x[first..first + size) where a share u of the whole has been passed. */
static int64_t class_at(const rg_array *x, int64_t first, int64_t size, double max, double u)
{
    double sum = 0;
    int64_t last = 0; /* of those that can be drawn: rounding may leave a rest */
    for (int64_t k = 0; k < size; k++) {
        double weight = exp(rg_get(x, first + k) - max);
        if (!(weight > 0)) continue;
        sum += weight;
        last = k;
        if (u < sum) break;
    }
    return last;
}

static rg_err multinomial_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    int64_t rows = y->dim[0], draws = y->dim[1], size = x->dim[1];
    uint64_t own, *state = rg_draw_state(r, &own);
    if (size == 0 && y->count) return rg_run_fail(r, RG_SHAPE, "there are no classes to draw from");
    for (int64_t i = 0; i < rows && draws; i++) {
        double max = -INFINITY, sum = 0;
        for (int64_t k = 0; k < size; k++) max = fmax(max, rg_get(x, i * size + k));
        for (int64_t k = 0; k < size; k++) sum += exp(rg_get(x, i * size + k) - max);
        for (int64_t k = 0; k < draws; k++)
            rg_put_int(y, i * draws + k, class_at(x, i * size, size, max, sum * rg_random_unit(state)));
    }
    return RG_OK;
}

/*    id  ONNX name  inputs  attributes  cases  infer  work  run  brief */
#define RANDOM_LIST(X)                                                                                    \
    X(bernoulli,         "Bernoulli",         1, bernoulli_attrs,   like_cases,        like_infer,        \
      uniform_work,      bernoulli_run,   "1 with the probability that the input states")                 \
    X(multinomial,       "Multinomial",       1, multinomial_attrs, multinomial_cases, multinomial_infer, \
      multinomial_work,  multinomial_run, "classes drawn by unnormalized log-probabilities")              \
    X(randomnormal,      "RandomNormal",      0, normal_attrs,      shape_cases,       shape_infer,       \
      normal_work,       run_normal,      "normal numbers")                                               \
    X(randomnormallike,  "RandomNormalLike",  1, normallike_attrs,  like_cases,        like_infer,        \
      normallike_work,   run_normal,      "normal numbers in the shape of the input")                     \
    X(randomuniform,     "RandomUniform",     0, uniform_attrs,     shape_cases,       shape_infer,       \
      uniform_work,      run_uniform,     "uniform numbers")                                              \
    X(randomuniformlike, "RandomUniformLike", 1, uniformlike_attrs, like_cases,        like_infer,        \
      uniformlike_work,  run_uniform,     "uniform numbers in the shape of the input")

#define X(id, onnx, inputs, spec, examples, inference, cost, kernel, words)               \
    RG_OP(id) = {                                                                         \
        .name = onnx, .brief = words, .since = 22, .in_min = inputs, .in_max = inputs,    \
        .out_min = 1, .out_max = 1, .traits = RG_RANDOM, RG_SPEC(spec) RG_CASES(examples) \
        .infer = inference, .work = cost, .run = kernel,                                  \
    };
RANDOM_LIST(X)
#undef X
