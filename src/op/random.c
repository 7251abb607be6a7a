/* random.c - operators that draw random numbers: never folded, never merged.
 *
 * A uniform draw is a handful of integer operations; a normal one needs about two special functions more
 * (Box-Muller: a logarithm and a cosine).
 */
#include "op/share.h"

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

/*    id                ONNX name          inputs attributes       cases        infer  work  brief */
#define RANDOM_LIST(X)                                                                                    \
    X(bernoulli,         "Bernoulli",         1, bernoulli_attrs,   like_cases,        like_infer,        \
      uniform_work,      "1 with the probability that the input states")                                  \
    X(multinomial,       "Multinomial",       1, multinomial_attrs, multinomial_cases, multinomial_infer, \
      multinomial_work,  "classes drawn by unnormalized log-probabilities")                               \
    X(randomnormal,      "RandomNormal",      0, normal_attrs,      shape_cases,       shape_infer,       \
      normal_work,       "normal numbers")                                                                \
    X(randomnormallike,  "RandomNormalLike",  1, normallike_attrs,  like_cases,        like_infer,        \
      normallike_work,   "normal numbers in the shape of the input")                                      \
    X(randomuniform,     "RandomUniform",     0, uniform_attrs,     shape_cases,       shape_infer,       \
      uniform_work,      "uniform numbers")                                                               \
    X(randomuniformlike, "RandomUniformLike", 1, uniformlike_attrs, like_cases,        like_infer,        \
      uniformlike_work,  "uniform numbers in the shape of the input")

#define X(id, onnx, inputs, spec, examples, inference, cost, words)                       \
    RG_OP(id) = {                                                                         \
        .name = onnx, .brief = words, .since = 22, .in_min = inputs, .in_max = inputs,    \
        .out_min = 1, .out_max = 1, .traits = RG_RANDOM, RG_SPEC(spec) RG_CASES(examples) \
        .infer = inference, .work = cost,                                                 \
    };
RANDOM_LIST(X)
#undef X
