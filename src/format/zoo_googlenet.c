/* zoo_googlenet.c - GoogLeNet (Inception v1) as torchvision has it: with normalization, and with 3x3
 * convolutions where the paper has 5x5 ones. The two auxiliary classifiers serve training only and are left
 * out; so is the rescaling of the input that torchvision puts in front for weights ported from TensorFlow.
 */
#include "format/zoo.h"

/* Table 1 of the paper: channels of the 1x1 convolution, of the two pairs of a 1x1 and a 3x3, and of the 1x1
 * behind the pooling. `last` is the kernel of the pooling with stride 2 that follows, 0 for none. */
typedef struct module { const char *name; int64_t one, pairs[2][2], pooled, last; } module;

static const module modules[] = {
    {"inception3a", 64, {{96, 128}, {16, 32}}, 32, 0},
    {"inception3b", 128, {{128, 192}, {32, 96}}, 64, 3},
    {"inception4a", 192, {{96, 208}, {16, 48}}, 64, 0},
    {"inception4b", 160, {{112, 224}, {24, 64}}, 64, 0},
    {"inception4c", 128, {{128, 256}, {24, 64}}, 64, 0},
    {"inception4d", 112, {{144, 288}, {32, 64}}, 64, 0},
    {"inception4e", 256, {{160, 320}, {32, 128}}, 128, 2},
    {"inception5a", 256, {{160, 320}, {32, 128}}, 128, 0},
    {"inception5b", 384, {{192, 384}, {48, 128}}, 128, 0},
};

/* torchvision rounds the sides of every pooling up. */
static void max_pool(rg_net *n, int64_t kernel, int64_t stride, int64_t pad)
{
    rg_net_max_pool(n, (rg_pool){.kernel = kernel, .stride = stride, .pad = pad, .ceil = true});
}

static rg_value_id branch(rg_net *n, const module *m, const char *name, rg_conv conv)
{
    char scope[48];
    snprintf(scope, sizeof scope, "%s.%s", m->name, name);
    rg_net_basic_conv(n, scope, conv);
    return n->x;
}

/* Four branches, each on the input of the module. */
static void inception(rg_net *n, const module *m)
{
    static const char *const names[2][2] = {{"branch2.0", "branch2.1"}, {"branch3.0", "branch3.1"}};
    const rg_net input = *n;
    rg_value_id parts[4];
    parts[0] = branch(n, m, "branch1", (rg_conv){.channels = m->one});
    for (int i = 0; i < 2; i++) {
        n->x = input.x, n->channels = input.channels;
        branch(n, m, names[i][0], (rg_conv){.channels = m->pairs[i][0]});
        parts[1 + i] = branch(n, m, names[i][1], (rg_conv){.channels = m->pairs[i][1], .kernel = 3});
    }
    n->x = input.x, n->channels = input.channels;
    rg_zoo_scope(&n->b, "%s.branch4.0", m->name);
    max_pool(n, 3, 1, 1);
    parts[3] = branch(n, m, "branch4.1", (rg_conv){.channels = m->pooled});
    rg_zoo_scope(&n->b, "%s", m->name);
    rg_net_concat(n, 4, parts, m->one + m->pairs[0][1] + m->pairs[1][1] + m->pooled);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    n.epsilon = 1e-3;
    rg_net_basic_conv(&n, "conv1", (rg_conv){.channels = 64, .kernel = 7, .stride = 2});
    max_pool(&n, 3, 2, 0);
    rg_net_basic_conv(&n, "conv2", (rg_conv){.channels = 64});
    rg_net_basic_conv(&n, "conv3", (rg_conv){.channels = 192, .kernel = 3});
    max_pool(&n, 3, 2, 0);
    for (size_t i = 0; i < RG_COUNT(modules); i++) {
        inception(&n, &modules[i]);
        if (modules[i].last) max_pool(&n, modules[i].last, 2, 0);
    }
    rg_zoo_scope(&n.b, "avgpool");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "fc", 1000);
    return rg_net_done(&n, out);
}

RG_ZOO(googlenet) = {
    .name = "googlenet", .family = "cnn", .image = RG_IMAGE_ANY, .build = build,
    .source = "Szegedy et al. 2014, arXiv:1409.4842; figures: torchvision, IMAGENET1K_V1 at 224x224, "
              "without the auxiliary classifiers, as published there",
    .parameters = 6624904, .macs = 1498376192, .published_macs = 1.498e9, .rounding = 0.5e6,
};
