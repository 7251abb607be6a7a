/* random_window.h - layers of random graphs that slide windows: convolutions of all forms and the blocks that
 * mobile networks are made of, transposed ones, pools.
 */
#ifndef RANDOM_WINDOW_H
#define RANDOM_WINDOW_H

#include "random_maker.h"

enum { RANDOM_AXES = 3 };

/* Everything that a window has; `extent` is that of the input. */
typedef struct random_window {
    int axes;
    int64_t kernel[RANDOM_AXES], stride[RANDOM_AXES], dilation[RANDOM_AXES], pads[2 * RANDOM_AXES];
    const char *auto_pad;         /* NULL: pads count */
} random_window;

static inline bool random_is_padded(const random_window *w)
{
    for (int i = 0; i < 2 * w->axes; i++)
        if (w->pads[i]) return true;
    return false;
}

/* Fits at least once into every axis. Padding is less than the kernel, so that every window of a pool sees an
 * element. */
static inline void random_window_draw(random_maker *m, rg_value_id x, bool dilates, random_window *w)
{
    static const int64_t kernels[] = {1, 1, 2, 3, 3, 3, 3, 4, 5, 7};
    static const char *const auto_pads[] = {"SAME_UPPER", "SAME_LOWER", "VALID"};
    bool square = random_chance(m, 75), padded = random_chance(m, 70), even = random_chance(m, 60);
    *w = (random_window){.axes = random_rank(m, x) - 2};
    if (random_chance(m, 15)) w->auto_pad = RANDOM_PICK(m, auto_pads);
    for (int i = 0; i < w->axes; i++) {
        bool again = square && i;
        int64_t extent = random_dim(m, x, i + 2), k = again ? w->kernel[0] : RANDOM_PICK(m, kernels);
        int64_t stride = again ? w->stride[0] : random_chance(m, 60) ? 1 : random_between(m, 1, 3);
        int64_t gap = dilates && random_chance(m, 20) ? random_between(m, 2, 3) : 1;
        bool wide = w->auto_pad && strcmp(w->auto_pad, "VALID"); /* its padding follows from the kernel */
        int64_t front = padded ? (even ? (k - 1) / 2 : random_between(m, 0, k - 1)) : 0;
        int64_t back = padded ? (even ? (k - 1) / 2 : random_between(m, 0, k - 1)) : 0;
        if (w->auto_pad) front = back = 0;
        if (wide) gap = 1;
        if (!wide && (k - 1) * gap + 1 > extent + front + back) gap = 1;
        if (!wide && k > extent + front + back) k = 1, front = back = 0;
        if (wide && k > extent) k = 1;
        w->kernel[i] = k;
        w->stride[i] = stride;
        w->dilation[i] = gap;
        w->pads[i] = front;
        w->pads[i + w->axes] = back;
    }
}

static inline const char *random_window_text(random_maker *m, const random_window *w, bool names_kernel)
{
    const char *text = names_kernel ? random_list(m, "kernel_shape", w->axes, w->kernel) : "";
    bool strided = false, dilated = false;
    for (int i = 0; i < w->axes; i++) {
        strided = strided || w->stride[i] > 1;
        dilated = dilated || w->dilation[i] > 1;
    }
    if (strided || random_chance(m, 30))
        text = random_text(m, "%s%s", text, random_list(m, "strides", w->axes, w->stride));
    if (dilated) text = random_text(m, "%s%s", text, random_list(m, "dilations", w->axes, w->dilation));
    if (w->auto_pad) return random_text(m, "%s auto_pad=\"%s\"", text, w->auto_pad);
    if (!random_is_padded(w) && random_chance(m, 70)) return text;
    return random_text(m, "%s%s", text, random_list(m, "pads", 2 * w->axes, w->pads));
}

/* ---- what follows a product ---- */

static inline rg_value_id random_batch_norm(random_maker *m, rg_value_id x)
{
    if (random_rank(m, x) < 2) return 0;
    int64_t c = random_dim(m, x, 1);
    rg_value_id scale = random_vector(m, c, -1, 1), shift = random_vector(m, c, -0.5, 0.5);
    rg_value_id mean = random_vector(m, c, -0.5, 0.5), variance = random_vector(m, c, 0.5, 1.5);
    const char *attrs =
        random_chance(m, 50) ? NULL : random_text(m, "epsilon=%.4f", random_real(m, 1e-3, 0.1));
    return RANDOM_NODE(m, "BatchNormalization", attrs, 1.5 * random_bound(m, x) + 1, x, scale, shift, mean,
                       variance);
}

/* The activations that runners fuse behind convolutions and products. */
static inline rg_value_id random_epilogue(random_maker *m, rg_value_id x)
{
    static const char *const plain[] = {"Relu", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "LeakyRelu",
                                        "Elu",  "Softplus"};
    double bound = random_bound(m, x);
    switch (random_below(m, 8)) {
    case 0: return x;
    case 1:
    case 2: return RANDOM_NODE(m, "Relu", NULL, bound, x);
    case 3: return RANDOM_NODE(m, "Clip", NULL, fmin(bound, 6), x, random_scalar(m, 0), random_scalar(m, 6));
    case 4: return RANDOM_NODE(m, "Mul", NULL, bound, x, RANDOM_NODE(m, "Sigmoid", NULL, 1, x));
    case 5: return RANDOM_NODE(m, "Gelu", random_chance(m, 50) ? "approximate=\"tanh\"" : NULL, bound, x);
    case 6: return RANDOM_NODE(m, "Mul", NULL, bound, x,
                               RANDOM_NODE(m, "HardSigmoid", "alpha=0.1666667f beta=0.5f", 1, x));
    default: return RANDOM_NODE(m, RANDOM_PICK(m, plain), NULL, bound, x);
    }
}

/* ---- convolutions ---- */

/* The weight's sizes are [out, in / group, kernel]. */
static inline rg_value_id random_conv_of(random_maker *m, rg_value_id x, int64_t out, int64_t group,
                                         const random_window *w)
{
    int64_t dim[RG_RANK_MAX] = {out, random_dim(m, x, 1) / group}, fan_in;
    for (int i = 0; i < w->axes; i++) dim[2 + i] = w->kernel[i];
    fan_in = random_product(dim + 1, 1 + w->axes);
    rg_value_id in[3] = {x, random_weight(m, 2 + w->axes, dim, fan_in)};
    uint32_t count = 2;
    if (random_chance(m, 60)) in[count++] = random_vector(m, out, -0.5, 0.5);
    const char *attrs = random_window_text(m, w, random_chance(m, 60));
    if (group > 1 || random_chance(m, 20)) attrs = random_text(m, "%s group=%lld", attrs, (long long)group);
    return random_node(m, "Conv", attrs, 1.5 * random_bound(m, x) + 0.5, count, in);
}

static inline int64_t random_divisor(random_maker *m, int64_t of)
{
    for (int tries = 0; tries < 8; tries++) {
        int64_t d = random_between(m, 1, of);
        if (of % d == 0) return d;
    }
    return 1;
}

/* One that runs over axes 2 and on; a vector becomes a signal or an image of one element first. */
static inline rg_value_id random_spatial(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x);
    return random_of_rank(m, x, rank >= 3 && rank <= 5 ? rank : random_chance(m, 70) ? 4 : 3);
}

static inline rg_value_id random_conv(random_maker *m, rg_value_id x)
{
    random_window w;
    x = random_spatial(m, random_tame(m, x, 32));
    if (m->b.err) return 0;
    int64_t c = random_dim(m, x, 1), out = random_channels(m), group = 1;
    switch (random_below(m, 6)) {
    case 0:
    case 1: group = c; out = c * (random_chance(m, 75) ? 1 : 2); break;
    case 2: group = random_divisor(m, c); out = group * random_between(m, 1, 8); break;
    default: break;
    }
    random_window_draw(m, x, true, &w);
    int64_t spread = out * (random_count(m, x) / c); /* padding may add some */
    if (spread > RANDOM_COUNT_MAX) group = 1, out = 4;
    x = random_conv_of(m, x, out, group, &w);
    if (random_chance(m, 40)) x = random_batch_norm(m, x);
    if (random_chance(m, 10)) random_offer(m, x); /* read twice: it cannot be fused */
    return random_chance(m, 60) ? random_epilogue(m, x) : x;
}

static inline rg_value_id random_pointwise(random_maker *m, rg_value_id x, int64_t out)
{
    random_window w = {.axes = random_rank(m, x) - 2};
    for (int i = 0; i < w.axes; i++) w.kernel[i] = w.stride[i] = w.dilation[i] = 1;
    return random_conv_of(m, x, out, 1, &w);
}

/* A block whose result has the sizes of what goes in: x is added, before or behind an activation. */
static inline rg_value_id random_residual(random_maker *m, rg_value_id x)
{
    x = random_spatial(m, random_tame(m, x, 16));
    if (m->b.err) return 0;
    int64_t c = random_dim(m, x, 1);
    random_window w = {.axes = random_rank(m, x) - 2};
    for (int i = 0; i < w.axes; i++) {
        w.stride[i] = w.dilation[i] = 1;
        w.kernel[i] = random_chance(m, 80) ? 3 : 5;
        w.pads[i] = w.pads[i + w.axes] = w.kernel[i] / 2;
    }
    rg_value_id y = random_conv_of(m, x, c, 1, &w);
    if (random_chance(m, 50)) y = random_batch_norm(m, y);
    y = random_epilogue(m, y);
    if (random_chance(m, 50)) y = random_pointwise(m, y, c);
    double bound = random_bound(m, x) + random_bound(m, y);
    y = random_chance(m, 50) ? RANDOM_NODE(m, "Add", NULL, bound, y, x)
                             : RANDOM_NODE(m, "Add", NULL, bound, x, y);
    return random_chance(m, 60) ? random_epilogue(m, y) : y;
}

/* x times a gate for each of its channels, which all of its positions decide on. */
static inline rg_value_id random_squeeze(random_maker *m, rg_value_id x)
{
    x = random_spatial(m, random_tame(m, x, 16));
    if (m->b.err) return 0;
    int64_t c = random_dim(m, x, 1), few = c > 3 ? c / 4 : 1;
    double bound = random_bound(m, x);
    rg_value_id gate;
    if (random_chance(m, 60)) {
        gate = RANDOM_NODE(m, "GlobalAveragePool", NULL, bound, x);
    } else {
        int64_t axes[RANDOM_AXES] = {2, 3, 4};
        gate = RANDOM_NODE(m, "ReduceMean", NULL, bound, x, random_ints(m, random_rank(m, x) - 2, axes));
    }
    gate = random_pointwise(m, gate, few);
    if (m->b.err) return 0;
    gate = RANDOM_NODE(m, random_chance(m, 60) ? "Relu" : "HardSwish", NULL, random_bound(m, gate), gate);
    gate = random_pointwise(m, gate, c);
    gate = RANDOM_NODE(m, random_chance(m, 60) ? "Sigmoid" : "HardSigmoid", NULL, 1, gate);
    return random_chance(m, 70) ? RANDOM_NODE(m, "Mul", NULL, bound, x, gate)
                                : RANDOM_NODE(m, "Mul", NULL, bound, gate, x);
}

/* Expand, depthwise, perhaps squeeze-and-excite, project; x added where the sizes are its own. */
static inline rg_value_id random_bottleneck(random_maker *m, rg_value_id x)
{
    random_window w;
    x = random_spatial(m, random_tame(m, x, 16));
    if (m->b.err) return 0;
    int64_t c = random_dim(m, x, 1), wide = c * random_between(m, 1, 4);
    if (wide * (random_count(m, x) / c) > RANDOM_COUNT_MAX) wide = c;
    rg_value_id y = random_epilogue(m, random_batch_norm(m, random_pointwise(m, x, wide)));
    if (m->b.err) return 0;
    random_window_draw(m, y, false, &w);
    y = random_epilogue(m, random_batch_norm(m, random_conv_of(m, y, wide, wide, &w)));
    if (random_chance(m, 40)) y = random_squeeze(m, y);
    y = random_pointwise(m, y, random_chance(m, 70) ? c : random_channels(m));
    if (random_chance(m, 60)) y = random_batch_norm(m, y);
    if (m->b.err || !random_same_shape(m, x, y)) return y;
    return RANDOM_NODE(m, "Add", NULL, random_bound(m, x) + random_bound(m, y), y, x);
}

/* Every input element is spread over a window: the sizes grow. */
static inline rg_value_id random_conv_transpose(random_maker *m, rg_value_id x)
{
    x = random_spatial(m, random_tame(m, x, 16));
    if (m->b.err) return 0;
    int axes = random_rank(m, x) - 2;
    int64_t c = random_dim(m, x, 1), group = random_chance(m, 70) ? 1 : random_divisor(m, c);
    int64_t dim[RG_RANK_MAX] = {c, random_between(m, 1, 9)}, extra[RANDOM_AXES] = {0}, grown = 1, fan_in = c;
    random_window w = {.axes = axes};
    for (int i = 0; i < axes; i++) {
        w.kernel[i] = dim[2 + i] = random_between(m, 1, 4);
        w.stride[i] = random_between(m, 1, 3);
        w.dilation[i] = random_chance(m, 15) ? 2 : 1;
        fan_in *= w.kernel[i];
        w.pads[i] = random_below(m, (w.kernel[i] + 1) / 2);
        w.pads[i + axes] = random_below(m, (w.kernel[i] + 1) / 2);
        extra[i] = random_chance(m, 20) ? random_below(m, w.stride[i]) : 0;
        grown *= (random_dim(m, x, 2 + i) - 1) * w.stride[i] + (w.kernel[i] - 1) * w.dilation[i] + 2;
    }
    if (grown * random_dim(m, x, 0) * dim[1] * group > RANDOM_COUNT_MAX) return 0;
    rg_value_id in[3] = {x, random_weight(m, 2 + axes, dim, fan_in / group)};
    uint32_t count = 2;
    if (random_chance(m, 60)) in[count++] = random_vector(m, dim[1] * group, -0.5, 0.5);
    const char *attrs = random_window_text(m, &w, random_chance(m, 60));
    if (random_chance(m, 30))
        attrs = random_text(m, "%s%s", attrs, random_list(m, "output_padding", axes, extra));
    attrs = random_text(m, "%s group=%lld", attrs, (long long)group);
    rg_value_id y = random_node(m, "ConvTranspose", attrs, 1.5 * random_bound(m, x) + 0.5, count, in);
    return random_chance(m, 40) ? random_epilogue(m, y) : y;
}

/* ---- pools ---- */

static inline rg_value_id random_pool(random_maker *m, rg_value_id x)
{
    random_window w;
    int kind = (int)random_below(m, 10);
    if (random_is_from(m, x, "Pad")) kind = 5; /* ONNX Runtime 1.30 takes its zeros for MaxPool's padding */
    x = random_spatial(m, x);
    if (m->b.err) return 0;
    random_window_draw(m, x, kind < 5, &w);
    bool rounds_up = !w.auto_pad && random_chance(m, 40);
    for (int i = 0; i < w.axes; i++) { /* windows that see nothing: ONNX Runtime counts them, or fails */
        if (w.stride[i] > w.kernel[i]) w.stride[i] = w.kernel[i];
        rounds_up = rounds_up && !w.pads[i + w.axes];
        if (w.pads[i] || w.pads[i + w.axes]) w.dilation[i] = 1;
    }
    const char *attrs = random_window_text(m, &w, true);
    if (rounds_up) attrs = random_text(m, "%s ceil_mode=1", attrs);
    if (kind < 5) return RANDOM_NODE(m, "MaxPool", attrs, random_bound(m, x), x);
    if (random_chance(m, 40)) attrs = random_text(m, "%s count_include_pad=1", attrs);
    return RANDOM_NODE(m, "AveragePool", attrs, random_bound(m, x), x);
}

static inline rg_value_id random_global_pool(random_maker *m, rg_value_id x)
{
    static const char *const pools[] = {"GlobalAveragePool", "GlobalAveragePool", "GlobalMaxPool"};
    if (random_rank(m, x) < 3 || random_rank(m, x) > 5) return 0;
    return RANDOM_NODE(m, RANDOM_PICK(m, pools), NULL, random_bound(m, x), x);
}

#endif
