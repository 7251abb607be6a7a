/* random_quantized.h - layers of random graphs in small integers.
 *
 * Scales are powers of two where a result is read on: then everything behind the integers is exact in any
 * float, halves included, which are rounded to even. With other scales two runners may be a step apart, and
 * the result is an output at once. Weights have seven bits: sums of two products of u8 and i8 fit into 16
 * bits, which is as far as some processors carry them.
 */
#ifndef RANDOM_QUANTIZED_H
#define RANDOM_QUANTIZED_H

#include "random_product.h"

typedef struct random_scale { rg_value_id scale, zero; double step; bool exact; } random_scale;

/* Of a whole tensor whose elements are up to `bound`. */
static inline random_scale random_scale_of(random_maker *m, rg_dtype dtype, double bound, bool exact)
{
    double step = exact ? exp2(ceil(log2(bound / 100))) : bound / random_real(m, 60, 130);
    double zero = dtype == RG_U8 ? (double)random_between(m, 100, 150) : (double)random_between(m, -9, 9);
    int64_t one = 1;
    rg_value_id z = random_constant(m, dtype, random_chance(m, 80) ? 0 : 1, &one, zero, zero);
    random_scale s = {.zero = z, .step = (float)step, .exact = exact};
    if (m->b.err) return s;
    s.scale = random_constant(m, RG_F32, random_rank(m, z), &one, (float)step, (float)step);
    return s;
}

/* A value that was rounded: it goes on where every runner rounds alike, else it ends. */
static inline rg_value_id random_rounded(random_maker *m, rg_value_id y, double step, bool exact)
{
    if (m->b.err) return 0;
    m->facts[y].exact = exact;
    if (!exact) m->facts[y].step = step;
    return exact ? y : 0;
}

static inline rg_dtype random_byte(random_maker *m) { return random_chance(m, 60) ? RG_U8 : RG_I8; }

static inline rg_value_id random_quantize(random_maker *m, rg_value_id x, const random_scale *s)
{
    return RANDOM_NODE(m, "QuantizeLinear", NULL, 128, x, s->scale, s->zero);
}

static inline rg_value_id random_dequantize(random_maker *m, rg_value_id q, const random_scale *s)
{
    return RANDOM_NODE(m, "DequantizeLinear", NULL, 160 * s->step, q, s->scale, s->zero);
}

/* There and back. Not what just came back: of two such pairs ONNX Runtime makes one. */
static inline rg_value_id random_fake_quantize(random_maker *m, rg_value_id x)
{
    if (random_is_from(m, x, "DequantizeLinear")) return 0;
    rg_dtype dtype = random_byte(m);
    double bound = random_bound(m, x) > 0 ? random_bound(m, x) : 1;
    random_scale s = random_scale_of(m, dtype, bound, random_is_exact(m, x) && random_chance(m, 80));
    rg_value_id q = random_quantize(m, x, &s);
    if (!m->b.err && !s.exact) m->facts[q].step = 1;
    if (random_chance(m, 20)) return random_rounded(m, q, 1, s.exact);
    return random_rounded(m, random_dequantize(m, q, &s), s.step, s.exact);
}

/* A tensor of small integers: an input of the model, or x where every runner rounds it alike. */
static inline rg_value_id random_integers(random_maker *m, rg_value_id x, rg_dtype dtype,
                                          const random_scale *s)
{
    if (random_is_exact(m, x) && random_chance(m, 70)) return random_quantize(m, x, s);
    return random_input(m, dtype, random_rank(m, x), random_type(m, x)->dim);
}

static inline rg_value_id random_bytes(random_maker *m, rg_dtype dtype, int rank, const int64_t *dim)
{
    return random_constant(m, dtype, rank, dim, dtype == RG_U8 ? 0 : -64, dtype == RG_U8 ? 127 : 63);
}

/* 32-bit sums as floats; f32 has each of them. */
static inline rg_value_id random_sums(random_maker *m, rg_value_id sums, int64_t inner)
{
    if (random_chance(m, 15)) return sums;
    rg_value_id y = RANDOM_NODE(m, "Cast", "to=1", 16384.0 * (double)inner, sums);
    return RANDOM_NODE(m, "Mul", NULL, 4, y, random_scalar(m, 1 / (4096 * sqrt((double)inner))));
}

static inline rg_value_id random_matmul_integer(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x);
    if (rank < 2 || rank > 4) return 0;
    rg_dtype dtype = random_byte(m), weight = random_byte(m);
    int64_t k = random_dim(m, x, rank - 1), n = random_channels(m), dim[2] = {k, n};
    if (random_count(m, x) / k * n > RANDOM_COUNT_MAX) return 0;
    random_scale s = random_scale_of(m, dtype, fmax(random_bound(m, x), 0.1), true);
    rg_value_id in[4] = {random_integers(m, x, dtype, &s), random_bytes(m, weight, 2, dim)};
    uint32_t count = 2;
    if (random_chance(m, 70)) in[2] = s.zero, count = 3;
    if (random_chance(m, 60)) in[3] = random_constant(m, weight, 0, NULL, 1, 9), count = 4;
    return random_sums(m, random_node(m, "MatMulInteger", NULL, 1, count, in), k);
}

static inline rg_value_id random_conv_integer(random_maker *m, rg_value_id x)
{
    random_window w;
    rg_dtype dtype = random_byte(m), weight = random_byte(m);
    if (random_rank(m, x) != 4) return 0;
    int64_t c = random_dim(m, x, 1), group = random_chance(m, 60) ? 1 : random_divisor(m, c);
    int64_t dim[RG_RANK_MAX] = {group * random_between(m, 1, 4), c / group};
    random_window_draw(m, x, true, &w);
    for (int i = 0; i < w.axes; i++) dim[2 + i] = w.kernel[i];
    if (random_count(m, x) / c * dim[0] > RANDOM_COUNT_MAX) return 0;
    random_scale s = random_scale_of(m, dtype, fmax(random_bound(m, x), 0.1), true);
    rg_value_id in[4] = {random_integers(m, x, dtype, &s), random_bytes(m, weight, 4, dim)};
    uint32_t count = 2;
    if (random_chance(m, 70)) in[2] = s.zero, count = 3;
    if (random_chance(m, 40)) in[3] = random_constant(m, weight, 0, NULL, 1, 9), count = 4;
    const char *attrs = random_text(m, "%s group=%lld", random_window_text(m, &w, true), (long long)group);
    return random_sums(m, random_node(m, "ConvInteger", attrs, 1, count, in), random_product(dim + 1, 3));
}

/* Scales of the product's two sides and of its result, which has about `inner` times 4096 in its sums. */
static inline random_scale random_result_scale(random_maker *m, rg_dtype dtype, const random_scale *a,
                                               const random_scale *b, int64_t inner)
{
    double bound = a->step * b->step * 4096 * sqrt((double)inner);
    return random_scale_of(m, dtype, bound, a->exact && b->exact);
}

static inline rg_value_id random_qlinear_matmul(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x);
    if (rank < 2 || rank > 4) return 0;
    rg_dtype dtype = random_byte(m);
    bool exact = random_chance(m, 70);
    int64_t k = random_dim(m, x, rank - 1), n = random_channels(m), dim[2] = {k, n};
    if (random_count(m, x) / k * n > RANDOM_COUNT_MAX) return 0;
    random_scale a = random_scale_of(m, dtype, fmax(random_bound(m, x), 0.1), true);
    random_scale b = random_scale_of(m, dtype, 1, exact), y = random_result_scale(m, dtype, &a, &b, k);
    rg_value_id q = RANDOM_NODE(m, "QLinearMatMul", NULL, 128, random_integers(m, x, dtype, &a), a.scale,
                                a.zero, random_bytes(m, dtype, 2, dim), b.scale, b.zero, y.scale, y.zero);
    if (!y.exact) return random_rounded(m, q, 1, false);
    return random_dequantize(m, q, &y);
}

static inline rg_value_id random_qlinear_conv(random_maker *m, rg_value_id x)
{
    random_window w;
    rg_dtype dtype = random_byte(m), weight = dtype == RG_I8 ? RG_I8 : random_byte(m);
    bool exact = random_chance(m, 70);
    if (random_rank(m, x) != 4) return 0;
    int64_t c = random_dim(m, x, 1), group = random_chance(m, 60) ? 1 : random_divisor(m, c);
    int64_t dim[RG_RANK_MAX] = {group * random_between(m, 1, 4), c / group};
    random_window_draw(m, x, true, &w);
    for (int i = 0; i < w.axes; i++) dim[2 + i] = w.kernel[i];
    if (random_count(m, x) / c * dim[0] > RANDOM_COUNT_MAX) return 0;
    random_scale a = random_scale_of(m, dtype, fmax(random_bound(m, x), 0.1), true);
    random_scale b = random_scale_of(m, weight, 1, exact);
    random_scale y = random_result_scale(m, dtype, &a, &b, random_product(dim + 1, 3));
    rg_value_id in[9] = {random_integers(m, x, dtype, &a),
                         a.scale,
                         a.zero,
                         random_bytes(m, weight, 4, dim),
                         b.scale,
                         b.zero,
                         y.scale,
                         y.zero};
    uint32_t count = 8;
    if (random_chance(m, 60)) in[count++] = random_constant(m, RG_I32, 1, dim, -500, 500);
    const char *attrs = random_text(m, "%s group=%lld", random_window_text(m, &w, true), (long long)group);
    rg_value_id q = random_node(m, "QLinearConv", attrs, 128, count, in);
    if (!y.exact) return random_rounded(m, q, 1, false);
    return random_dequantize(m, q, &y);
}

/* A convolution whose weights are kept in bytes, with a scale for each output channel. No product of
 * matrices: of those, ONNX Runtime quantizes the other side as well. */
static inline rg_value_id random_packed_weight(random_maker *m, rg_value_id x)
{
    x = random_of_rank(m, random_tame(m, x, 16), 4);
    if (m->b.err) return 0;
    int64_t k = random_dim(m, x, 1), n = random_channels(m), dim[4] = {n, k, 1, 1};
    if (random_count(m, x) / k * n > RANDOM_COUNT_MAX) return 0;
    double step = 1 / (64 * sqrt((double)k));
    bool each = random_chance(m, 60);
    rg_value_id q = random_bytes(m, RG_I8, 4, dim);
    rg_value_id scale = each ? random_vector(m, n, step, 2 * step) : random_scalar(m, step);
    rg_value_id w = RANDOM_NODE(m, "DequantizeLinear", each ? "axis=0" : NULL, 2, q, scale);
    return RANDOM_NODE(m, "Conv", NULL, 2 * random_bound(m, x) + 1, x, w);
}

static inline rg_value_id random_dynamic_quantize(random_maker *m, rg_value_id x)
{
    rg_value_id out[3];
    rg_value_id apart = random_constant(m, RG_F32, random_rank(m, x), random_type(m, x)->dim, 0.5, 2);
    x = RANDOM_NODE(m, "Sub", NULL, 1, x, apart); /* not all of them are 0: there is no scale then */
    random_nodes(m, "DynamicQuantizeLinear", NULL, 128, 1, &x, 3, out);
    if (m->b.err) return 0;
    m->facts[out[0]].step = m->facts[out[2]].step = 1;
    return out[1];
}

#endif
