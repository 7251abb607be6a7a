/* edge_piece.c - operators and benchmarks of small machines: sizes out of text, and the graph that has them.
 */
#include "learn/edge_piece.h"

#include "op/op.h"

#include <string.h>

enum { SIZES = 16 };

/* ---- text ---- */

rg_str rg_edge_member(rg_str json, const char *key)
{
    char quoted[48];
    int size = snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    for (size_t i = 0; size > 0 && i + (size_t)size < json.size; i++) {
        if (memcmp(json.data + i, quoted, (size_t)size) != 0) continue;
        rg_str rest = {json.data + i + size, json.size - i - (size_t)size}, value;
        bool text = rest.size && *rest.data == '"';
        if (text) rest.data++, rest.size--;
        if (!rg_str_cut(&rest, text ? '"' : ',', &value)) return (rg_str){0};
        if (!text && value.size && value.data[value.size - 1] == '}') value.size--;
        return value;
    }
    return (rg_str){0};
}

/* All whole numbers from 1 on that stand in the text, at most SIZES. */
static int sizes_in(rg_str text, int64_t *out)
{
    int count = 0;
    for (size_t i = 0; i < text.size && count < SIZES;) {
        size_t end = i;
        while (end < text.size && text.data[end] >= '0' && text.data[end] <= '9') end++;
        if (end > i && rg_str_int((rg_str){text.data + i, end - i}, &out[count]) && out[count] >= 1 &&
            out[count] <= INT32_MAX)
            count++;
        i = end > i ? end : i + 1;
    }
    return count;
}

static rg_err fail_shape(rg_ctx *cx, rg_str op, rg_str shape)
{
    return rg_fail(cx, RG_INPUT, "%.*s: '%.*s' are no sizes that can be read", RG_STR(op), RG_STR(shape));
}

/* ---- graphs ---- */

typedef struct piece { rg_build b; rg_dtype dtype; int64_t size[SIZES]; int count; int64_t batch; } piece;

static rg_value_id product(piece *p, int64_t m, int64_t k, int64_t n)
{
    rg_value_id x = rg_build_input(&p->b, "x", p->dtype, 2, (rg_dim[]){m, k});
    rg_value_id y = rg_build_input(&p->b, "y", p->dtype, 2, (rg_dim[]){k, n});
    return rg_build_node(&p->b, "MatMul", NULL, x, y, -1);
}

static rg_value_id layer(piece *p, rg_value_id x, int64_t in, int64_t out)
{
    rg_value_id weight = rg_build_param(&p->b, "weight", p->dtype, 2, (const int64_t[]){out, in});
    rg_value_id bias = rg_build_param(&p->b, "bias", p->dtype, 1, &out);
    return rg_build_node(&p->b, "Gemm", "transB=1", x, weight, bias, -1);
}

static rg_value_id matmul(piece *p) { return product(p, p->size[0], p->size[1], p->size[2]); }

static rg_value_id linear(piece *p)
{
    rg_value_id x = rg_build_input(&p->b, "x", p->dtype, 2, (rg_dim[]){p->size[0], p->size[1]});
    return layer(p, x, p->size[1], p->size[2]);
}

static rg_value_id gemm(piece *p)
{
    rg_dim left[] = {p->batch, p->size[0], p->size[2]}, right[] = {p->batch, p->size[2], p->size[1]};
    rg_value_id x = rg_build_input(&p->b, "x", p->dtype, 3, left);
    rg_value_id y = rg_build_input(&p->b, "y", p->dtype, 3, right);
    return rg_build_node(&p->b, "MatMul", NULL, x, y, -1);
}

static rg_value_id mlp(piece *p)
{
    rg_value_id x = rg_build_input(&p->b, "x", p->dtype, 2, (rg_dim[]){p->batch, p->size[0]});
    for (int i = 1; i < p->count; i++) {
        x = layer(p, x, p->size[i - 1], p->size[i]);
        if (i + 1 < p->count) x = rg_build_node(&p->b, "Relu", NULL, x, -1);
    }
    return x;
}

/* cin, cout, hw, k, s, g; padded so that a stride of 1 keeps the size */
static rg_value_id conv(piece *p)
{
    char attrs[160];
    const int64_t *s = p->size;
    long long pad = s[3] / 2, stride = s[4], groups = s[5];
    snprintf(attrs, sizeof attrs, "pads=[%lld,%lld,%lld,%lld] strides=[%lld,%lld] group=%lld", pad, pad, pad,
             pad, stride, stride, groups);
    rg_value_id x = rg_build_input(&p->b, "x", p->dtype, 4, (rg_dim[]){p->batch, s[0], s[2], s[2]});
    rg_value_id weight =
        rg_build_param(&p->b, "weight", p->dtype, 4, (const int64_t[]){s[1], s[0] / groups, s[3], s[3]});
    return rg_build_node(&p->b, "Conv", attrs, x, weight, -1);
}

static rg_value_id vector(piece *p, const char *name)
{
    return rg_build_input(&p->b, name, p->dtype, 1, (rg_dim[]){p->size[0]});
}

static rg_value_id add(piece *p)
{
    rg_value_id x = vector(p, "x"), y = vector(p, "y");
    return rg_build_node(&p->b, "Add", NULL, x, y, -1);
}

static rg_value_id scaled(piece *p)
{
    rg_value_id x = vector(p, "x"), a = rg_build_param(&p->b, "scalar", p->dtype, 0, NULL);
    return rg_build_node(&p->b, "Mul", NULL, x, a, -1);
}

/* a x + y, in two calls */
static rg_value_id triad(piece *p)
{
    rg_value_id x = scaled(p), y = vector(p, "y");
    return rg_build_node(&p->b, "Add", NULL, x, y, -1);
}

/* Both vectors are read once, by one kernel that adds. */
static rg_value_id dot(piece *p)
{
    rg_value_id x = rg_build_input(&p->b, "x", p->dtype, 2, (rg_dim[]){2, p->size[0]});
    return rg_build_node(&p->b, "ReduceSum", "keepdims=0", x, -1);
}

static rg_value_id gemv(piece *p) { return product(p, p->size[0], p->size[0], 1); }
static rg_value_id square(piece *p) { return product(p, p->size[0], p->size[0], p->size[0]); }

/* key: of a JSON object, the one size; count: how many the text has to have, 0: three at least */
static const struct { const char *op, *key; int count; rg_value_id (*build)(piece *p); } pieces[] = {
    {"blas1_axpy", "size", 1, triad},       {"blas1_dot", "size", 1, dot},
    {"blas2_gemv", "size", 1, gemv},        {"blas3_gemm", "size", 1, square},
    {"stream_copy", "size_mb", 1, scaled},  {"stream_scale", "size_mb", 1, scaled},
    {"stream_add", "size_mb", 1, add},      {"stream_triad", "size_mb", 1, triad},
    {"matmul", "matrix_size", 1, square},   {"add", "size_mb", 1, scaled},
    {"matmul", NULL, 3, matmul},            {"linear", NULL, 3, linear},
    {"gemm", NULL, 3, gemm},                {"vector_add", NULL, 1, add},
    {"mlp", NULL, 0, mlp},                  {"conv2d_standard", NULL, 6, conv},
    {"conv2d_pointwise", NULL, 6, conv},    {"conv2d_depthwise", NULL, 6, conv},
};

/* A benchmark states bytes of one array, in units of 2^20. */
static bool read_sizes(piece *p, size_t row, rg_str shape)
{
    const char *key = pieces[row].key;
    int64_t mebi = strcmp(key ? key : "", "size_mb") == 0 ? (int64_t)(1 << 20) * 8 : 0;
    p->count = sizes_in(key ? rg_edge_member(shape, key) : shape, p->size);
    if (p->count && mebi && p->size[0] > INT32_MAX / (1 << 20)) return false;
    if (p->count && mebi) p->size[0] *= mebi / rg_dtype_bits(p->dtype);
    return pieces[row].count ? p->count == pieces[row].count : p->count >= 3;
}

rg_err rg_edge_piece(rg_ctx *cx, rg_str op, rg_str shape, int64_t batch, rg_dtype dtype, rg_graph **out)
{
    piece p = {.dtype = dtype, .batch = batch};
    bool json = rg_str_starts(shape, "{");
    for (size_t i = 0; i < RG_COUNT(pieces); i++) {
        if (!rg_str_is(op, pieces[i].op) || json != (pieces[i].key != NULL)) continue;
        if (!read_sizes(&p, i, shape)) return fail_shape(cx, op, shape);
        RG_TRY(rg_build_init(&p.b, cx, "piece"));
        rg_build_output(&p.b, "result", pieces[i].build(&p));
        return rg_build_done(&p.b, out);
    }
    return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' is no operator of this kind that is known", RG_STR(op));
}

/* ---- fused patterns ---- */

/* A product is three: besides its kernel its algorithm is looked up and its workspace taken. An attention is
 * two projections, two products, softmax, and what reshapes them. What is switched off launches nothing. */
double rg_edge_launches(rg_str pattern)
{
    static const struct { const char *module; double launches; } modules[] = {
        {"Conv2d", 3}, {"Linear", 3}, {"MultiheadAttention", 12}, {"Dropout", 0},
    };
    double sum = 0;
    rg_str one;
    while (rg_str_cut(&pattern, '_', &one)) {
        double launches = 1, more;
        for (size_t i = 0; i < RG_COUNT(modules); i++)
            if (rg_str_is(one, modules[i].module)) launches = modules[i].launches;
        if (one.size > 5 && *one.data == '+' && rg_str_real((rg_str){one.data + 1, one.size - 5}, &more))
            launches = more;
        sum += launches;
    }
    return sum;
}
