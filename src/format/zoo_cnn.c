/* zoo_cnn.c - convolutional networks as torchvision has them: ResNet (version 1.5, the stride in the 3x3
 * convolution) and MobileNetV2. Layers are rows of tables; a convolution, its BatchNormalization and its
 * activation are one call.
 */
#include "format/zoo.h"

/* The network under construction: the builder, and the activation with its channels. */
typedef struct net { rg_build b; rg_value_id x; int64_t channels; } net;

/* ---- shared blocks ---- */

static void activate(net *n, const char *activation)
{
    if (activation[0] == 'C') {
        rg_value_id low = rg_build_scalar(&n->b, 0), high = rg_build_scalar(&n->b, 6); /* Relu6 */
        n->x = rg_build_node(&n->b, "Clip", NULL, n->x, low, high, -1);
    } else {
        n->x = rg_build_node(&n->b, activation, NULL, n->x, -1);
    }
}

/* A square kernel, padded so that stride 1 keeps the size. */
static void conv(net *n, int64_t channels, int64_t kernel, int64_t stride, int64_t group)
{
    char attrs[128];
    long long pad = (kernel - 1) / 2, step = stride;
    snprintf(attrs, sizeof attrs,
             "group=%lld kernel_shape=%lld,%lld pads=%lld,%lld,%lld,%lld strides=%lld,%lld", (long long)group,
             (long long)kernel, (long long)kernel, pad, pad, pad, pad, step, step);
    int64_t shape[] = {channels, n->channels / group, kernel, kernel};
    rg_value_id weight = rg_build_param(&n->b, "weight", RG_F32, 4, shape);
    n->x = rg_build_node(&n->b, "Conv", attrs, n->x, weight, -1);
    n->channels = channels;
}

static void batch_norm(net *n)
{
    static const char *const names[] = {"weight", "bias", "running_mean", "running_var"};
    rg_value_id in[5] = {n->x}, out;
    for (int i = 0; i < 4; i++) in[1 + i] = rg_build_param(&n->b, names[i], RG_F32, 1, &n->channels);
    n->x = rg_build_nodev(&n->b, "BatchNormalization", NULL, 5, in, 1, &out);
}

static void classify(net *n, const char *name, int64_t classes)
{
    rg_value_id x = rg_build_node(&n->b, "Flatten", "axis=1", n->x, -1);
    rg_zoo_scope(&n->b, "%s", name);
    rg_build_output(&n->b, "logits", rg_zoo_linear(&n->b, x, n->channels, classes));
}

static rg_err begin(net *n, rg_ctx *cx, const rg_zoo *self)
{
    RG_TRY(rg_build_init(&n->b, cx, self->name));
    rg_dim shape[] = {rg_build_dim(&n->b, "batch", 1), 3, 224, 224};
    n->x = rg_build_input(&n->b, "image", RG_F32, 4, shape);
    n->channels = 3;
    return RG_OK;
}

/* ---- ResNet ---- */

/* Blocks of the four stages, of width 64, 128, 256, 512; a bottleneck ends in four times its width. */
typedef struct resnet { int blocks[4]; bool bottleneck; } resnet;

/* conv{index} and bn{index} of a block; the last one's activation comes behind the sum. */
static void resnet_conv(net *n, const char *block, int index, int64_t channels, int64_t kernel,
                        int64_t stride)
{
    rg_zoo_scope(&n->b, "%s.conv%d", block, index);
    conv(n, channels, kernel, stride, 1);
    rg_zoo_scope(&n->b, "%s.bn%d", block, index);
    batch_norm(n);
}

static void resnet_block(net *n, const char *block, bool bottleneck, int64_t width, int64_t stride)
{
    net skip = *n;
    int64_t channels = bottleneck ? 4 * width : width;
    resnet_conv(n, block, 1, width, bottleneck ? 1 : 3, bottleneck ? 1 : stride);
    activate(n, "Relu");
    resnet_conv(n, block, 2, width, 3, bottleneck ? stride : 1);
    if (bottleneck) {
        activate(n, "Relu");
        resnet_conv(n, block, 3, channels, 1, 1);
    }
    rg_value_id x = n->x;
    n->x = skip.x;
    if (stride != 1 || skip.channels != channels) {
        n->channels = skip.channels;
        rg_zoo_scope(&n->b, "%s.downsample.0", block);
        conv(n, channels, 1, stride, 1);
        rg_zoo_scope(&n->b, "%s.downsample.1", block);
        batch_norm(n);
    }
    rg_zoo_scope(&n->b, "%s", block);
    n->x = rg_build_node(&n->b, "Add", NULL, x, n->x, -1);
    activate(n, "Relu");
}

static rg_err build_resnet(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const resnet *layout = self->layout;
    net n;
    RG_TRY(begin(&n, cx, self));
    rg_zoo_scope(&n.b, "conv1");
    conv(&n, 64, 7, 2, 1);
    rg_zoo_scope(&n.b, "bn1");
    batch_norm(&n);
    activate(&n, "Relu");
    rg_zoo_scope(&n.b, "maxpool");
    n.x = rg_build_node(&n.b, "MaxPool", "kernel_shape=3,3 pads=1,1,1,1 strides=2,2", n.x, -1);
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < layout->blocks[stage]; i++) {
            char block[32];
            snprintf(block, sizeof block, "layer%d.%d", stage + 1, i);
            resnet_block(&n, block, layout->bottleneck, INT64_C(64) << stage, stage && !i ? 2 : 1);
        }
    }
    rg_zoo_scope(&n.b, "avgpool");
    n.x = rg_build_node(&n.b, "GlobalAveragePool", NULL, n.x, -1);
    classify(&n, "fc", 1000);
    return rg_build_done(&n.b, out);
}

#define RESNET_SOURCE "He et al. 2015, arXiv:1512.03385; figures: torchvision, IMAGENET1K_V1 at 224x224"

RG_ZOO(resnet18) = {
    .name = "resnet18", .family = "cnn", .source = RESNET_SOURCE, .parameters = 11689512, .macs = 1.814e9,
    .layout = &(const resnet){{2, 2, 2, 2}, false}, .build = build_resnet,
};

RG_ZOO(resnet34) = {
    .name = "resnet34", .family = "cnn", .source = RESNET_SOURCE, .parameters = 21797672, .macs = 3.664e9,
    .layout = &(const resnet){{3, 4, 6, 3}, false}, .build = build_resnet,
};

RG_ZOO(resnet50) = {
    .name = "resnet50", .family = "cnn", .source = RESNET_SOURCE, .parameters = 25557032, .macs = 4.089e9,
    .layout = &(const resnet){{3, 4, 6, 3}, true}, .build = build_resnet,
};

RG_ZOO(resnet101) = {
    .name = "resnet101", .family = "cnn", .source = RESNET_SOURCE, .parameters = 44549160, .macs = 7.801e9,
    .layout = &(const resnet){{3, 4, 23, 3}, true}, .build = build_resnet,
};

/* ---- MobileNetV2 ---- */

/* Table 2 of the paper: expansion, channels, repeats, stride of the first. */
static const struct { int expand, channels, repeats, stride; } mobilenet_v2_stages[] = {
    {1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
};

static void conv_bn_relu6(net *n, const char *name, int64_t channels, int64_t kernel, int64_t stride,
                          int64_t group)
{
    rg_zoo_scope(&n->b, "%s.0", name);
    conv(n, channels, kernel, stride, group);
    rg_zoo_scope(&n->b, "%s.1", name);
    batch_norm(n);
    rg_zoo_scope(&n->b, "%s.2", name);
    activate(n, "Clip");
}

/* Expand, filter each channel, project without activation; the input is added where sizes allow. */
static void inverted_residual(net *n, int index, int expand, int64_t channels, int64_t stride)
{
    char name[48];
    int part = 0;
    net skip = *n;
    int64_t wide = n->channels * expand;
    if (expand != 1) {
        snprintf(name, sizeof name, "features.%d.conv.%d", index, part++);
        conv_bn_relu6(n, name, wide, 1, 1, 1);
    }
    snprintf(name, sizeof name, "features.%d.conv.%d", index, part++);
    conv_bn_relu6(n, name, wide, 3, stride, wide);
    rg_zoo_scope(&n->b, "features.%d.conv.%d", index, part++);
    conv(n, channels, 1, 1, 1);
    rg_zoo_scope(&n->b, "features.%d.conv.%d", index, part);
    batch_norm(n);
    if (stride != 1 || skip.channels != channels) return;
    rg_zoo_scope(&n->b, "features.%d", index);
    n->x = rg_build_node(&n->b, "Add", NULL, skip.x, n->x, -1);
}

static rg_err build_mobilenet_v2(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    net n;
    int index = 1;
    RG_TRY(begin(&n, cx, self));
    conv_bn_relu6(&n, "features.0", 32, 3, 2, 1);
    for (size_t s = 0; s < RG_COUNT(mobilenet_v2_stages); s++) {
        for (int i = 0; i < mobilenet_v2_stages[s].repeats; i++)
            inverted_residual(&n, index++, mobilenet_v2_stages[s].expand, mobilenet_v2_stages[s].channels,
                              i ? 1 : mobilenet_v2_stages[s].stride);
    }
    conv_bn_relu6(&n, "features.18", 1280, 1, 1, 1);
    rg_zoo_scope(&n.b, "avgpool");
    n.x = rg_build_node(&n.b, "GlobalAveragePool", NULL, n.x, -1);
    classify(&n, "classifier.1", 1000);
    return rg_build_done(&n.b, out);
}

RG_ZOO(mobilenet_v2) = {
    .name = "mobilenet_v2", .family = "cnn",
    .source = "Sandler et al. 2018, arXiv:1801.04381; figures: torchvision, IMAGENET1K_V1 at 224x224",
    .parameters = 3504872, .macs = 0.301e9, .build = build_mobilenet_v2,
};
