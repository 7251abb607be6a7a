/* zoo_net.c - the layers that image networks are made of, as torchvision exports them: a convolution without
 * bias, its BatchNormalization and its activation stay three nodes; joining them is the runtime's work.
 */
#include "format/zoo.h"

#include <string.h>

rg_err rg_net_begin(rg_net *n, rg_ctx *cx, const rg_zoo *self, int64_t side)
{
    RG_TRY(rg_build_init(&n->b, cx, self->name));
    rg_dim shape[] = {rg_build_dim(&n->b, "batch", 1), 3, side, side};
    n->x = rg_build_input(&n->b, "image", RG_F32, 4, shape);
    n->channels = 3;
    n->epsilon = 1e-5;
    return RG_OK;
}

int64_t rg_net_round(double channels, int64_t unit)
{
    int64_t nearest = (int64_t)(channels + (double)unit / 2) / unit * unit;
    if (nearest < unit) return unit;
    return (double)nearest < 0.9 * channels ? nearest + unit : nearest;
}

static int64_t or_else(int64_t x, int64_t preset) { return x ? x : preset; }

/* What keeps the size at stride 1; `asked` overrules, -1 stands for none. */
static long long pad_of(int64_t asked, int64_t kernel, int64_t dilation)
{
    if (asked) return asked < 0 ? 0 : asked;
    return dilation * (kernel - 1) / 2;
}

void rg_net_conv(rg_net *n, rg_conv c)
{
    char attrs[192];
    int64_t high = or_else(c.kernel, 1), wide = or_else(c.kernel_w, high);
    int64_t group = or_else(c.group, 1), dilation = or_else(c.dilation, 1);
    long long pad = pad_of(c.pad, high, dilation), pad_w = pad_of(or_else(c.pad_w, c.pad), wide, dilation);
    long long stride = or_else(c.stride, 1), d = dilation;
    snprintf(attrs, sizeof attrs,
             "dilations=%lld,%lld group=%lld kernel_shape=%lld,%lld "
             "pads=%lld,%lld,%lld,%lld strides=%lld,%lld",
             d, d, (long long)group, (long long)high, (long long)wide,
             pad, pad_w, pad, pad_w, stride, stride);
    int64_t shape[] = {c.channels, n->channels / group, high, wide};
    rg_value_id in[3] = {n->x, rg_build_param(&n->b, "weight", RG_F32, 4, shape)}, out;
    if (c.bias) in[2] = rg_build_param(&n->b, "bias", RG_F32, 1, &c.channels);
    n->x = rg_build_nodev(&n->b, "Conv", attrs, c.bias ? 3 : 2, in, 1, &out);
    n->channels = c.channels;
}

void rg_net_batch_norm(rg_net *n)
{
    static const char *const names[] = {"weight", "bias", "running_mean", "running_var"};
    char attrs[32];
    rg_value_id in[5] = {n->x}, out;
    rg_str_print(attrs, sizeof attrs, "epsilon=%gf", n->epsilon);
    for (int i = 0; i < 4; i++) in[1 + i] = rg_build_param(&n->b, names[i], RG_F32, 1, &n->channels);
    n->x = rg_build_nodev(&n->b, "BatchNormalization", attrs, 5, in, 1, &out);
}

void rg_net_activate(rg_net *n, const char *activation)
{
    rg_build *b = &n->b;
    if (strcmp(activation, "None") == 0) return;
    if (strcmp(activation, "Relu6") == 0)
        n->x = rg_build_node(b, "Clip", NULL, n->x, rg_build_scalar(b, 0), rg_build_scalar(b, 6), -1);
    else if (strcmp(activation, "SiLU") == 0)
        n->x = rg_build_node(b, "Mul", NULL, n->x, rg_build_node(b, "Sigmoid", NULL, n->x, -1), -1);
    else if (strcmp(activation, "HardSigmoid") == 0) /* torch's has slope 1/6, ONNX's preset is 0.2 */
        n->x = rg_build_node(b, activation, "alpha=0.16666667f beta=0.5f", n->x, -1);
    else
        n->x = rg_build_node(b, activation, NULL, n->x, -1);
}

void rg_net_conv_norm(rg_net *n, const char *scope, rg_conv conv, const char *activation)
{
    rg_net_conv_norm_at(n, scope, 0, conv, activation);
}

int rg_net_conv_norm_at(rg_net *n, const char *scope, int index, rg_conv conv, const char *activation)
{
    rg_zoo_scope(&n->b, "%s.%d", scope, index);
    rg_net_conv(n, conv);
    rg_zoo_scope(&n->b, "%s.%d", scope, index + 1);
    rg_net_batch_norm(n);
    if (strcmp(activation, "None") == 0) return index + 2;
    rg_zoo_scope(&n->b, "%s.%d", scope, index + 2);
    rg_net_activate(n, activation);
    return index + 3;
}

void rg_net_conv_norm_act(rg_net *n, const char *scope, rg_conv conv, const char *activation)
{
    rg_zoo_scope(&n->b, "%s.conv", scope);
    rg_net_conv(n, conv);
    rg_zoo_scope(&n->b, "%s.bn", scope);
    rg_net_batch_norm(n);
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_activate(n, activation);
}

void rg_net_basic_conv(rg_net *n, const char *scope, rg_conv conv)
{
    rg_net_conv_norm_act(n, scope, conv, "Relu");
}

static void pool_attrs(char *attrs, size_t size, rg_pool p)
{
    long long k = p.kernel, s = or_else(p.stride, p.kernel), pad = p.pad;
    snprintf(attrs, size, "ceil_mode=%d kernel_shape=%lld,%lld pads=%lld,%lld,%lld,%lld strides=%lld,%lld",
             p.ceil, k, k, pad, pad, pad, pad, s, s);
}

void rg_net_max_pool(rg_net *n, rg_pool pool)
{
    char attrs[128];
    pool_attrs(attrs, sizeof attrs, pool);
    n->x = rg_build_node(&n->b, "MaxPool", attrs, n->x, -1);
}

void rg_net_average_pool(rg_net *n, rg_pool pool)
{
    char attrs[160];
    pool_attrs(attrs, sizeof attrs, pool);
    size_t used = strlen(attrs);
    snprintf(attrs + used, sizeof attrs - used, " count_include_pad=%d", pool.count_pad);
    n->x = rg_build_node(&n->b, "AveragePool", attrs, n->x, -1);
}

void rg_net_blur(rg_net *n, int64_t stride)
{
    static const float row[] = {1, 2, 1};
    const int64_t by[] = {0, 0, 1, 1, 0, 0, 1, 1}, shape[] = {n->channels, 1, 3, 3};
    char attrs[64];
    float *window = NULL;
    rg_value_id filter = rg_zoo_floats(&n->b, 4, shape, &window);
    for (int64_t i = 0; window && i < n->channels * 9; i++) window[i] = row[i % 3] * row[i / 3 % 3] / 16;
    n->x = rg_build_node(&n->b, "Pad", "mode=\"reflect\"", n->x, rg_build_ints(&n->b, 8, by), -1);
    snprintf(attrs, sizeof attrs, "group=%lld strides=%lld,%lld", (long long)n->channels, (long long)stride,
             (long long)stride);
    n->x = rg_build_node(&n->b, "Conv", attrs, n->x, filter, -1);
}

void rg_net_global_pool(rg_net *n) { n->x = rg_build_node(&n->b, "GlobalAveragePool", NULL, n->x, -1); }

void rg_net_add(rg_net *n, rg_value_id other) { n->x = rg_build_node(&n->b, "Add", NULL, other, n->x, -1); }

void rg_net_concat(rg_net *n, uint32_t count, const rg_value_id *parts, int64_t channels)
{
    rg_value_id out;
    n->x = rg_build_nodev(&n->b, "Concat", "axis=1", count, parts, 1, &out);
    n->channels = channels;
}

void rg_net_squeeze_excite(rg_net *n, const char *scope, int64_t squeezed, const char *activation,
                           const char *gate)
{
    rg_value_id whole = n->x;
    int64_t channels = n->channels;
    rg_zoo_scope(&n->b, "%s.avgpool", scope);
    rg_net_global_pool(n);
    rg_zoo_scope(&n->b, "%s.fc1", scope);
    rg_net_conv(n, (rg_conv){.channels = squeezed, .bias = true});
    rg_net_activate(n, activation);
    rg_zoo_scope(&n->b, "%s.fc2", scope);
    rg_net_conv(n, (rg_conv){.channels = channels, .bias = true});
    rg_net_activate(n, gate);
    rg_zoo_scope(&n->b, "%s", scope);
    n->x = rg_build_node(&n->b, "Mul", NULL, whole, n->x, -1);
}

void rg_net_gate(rg_net *n, const char *scope, const char *fc, const char *gate)
{
    rg_value_id whole = n->x;
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_global_pool(n);
    rg_zoo_scope(&n->b, "%s.%s", scope, fc);
    rg_net_conv(n, (rg_conv){.channels = n->channels, .bias = true});
    rg_net_activate(n, gate);
    rg_zoo_scope(&n->b, "%s", scope);
    n->x = rg_build_node(&n->b, "Mul", NULL, whole, n->x, -1);
}

void rg_net_classify(rg_net *n, const char *scope)
{
    rg_zoo_scope(&n->b, "global_pool");
    rg_net_global_pool(n);
    rg_net_flatten(n);
    rg_net_linear(n, scope, 1000);
}

void rg_net_flatten(rg_net *n) { n->x = rg_build_node(&n->b, "Flatten", "axis=1", n->x, -1); }

void rg_net_linear(rg_net *n, const char *scope, int64_t out)
{
    rg_zoo_scope(&n->b, "%s", scope);
    n->x = rg_zoo_linear(&n->b, n->x, n->channels, out);
    n->channels = out;
}

rg_err rg_net_done(rg_net *n, rg_graph **out)
{
    rg_build_output(&n->b, "logits", n->x);
    return rg_build_done(&n->b, out);
}
