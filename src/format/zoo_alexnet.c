/* zoo_alexnet.c - AlexNet as torchvision has it: the single-column version of the "one weird trick" paper.
 *
 * torchvision pools to 6x6 before the classifier. At 224x224 the features are 6x6 already, so that the
 * pooling changes nothing, and it is left out here.
 */
#include "format/zoo.h"

/* The convolutions, each with bias and Relu. `index` is torchvision's, within "features". */
static const struct { int index; rg_conv conv; bool pooled; } layers[] = {
    {0, {.channels = 64, .kernel = 11, .stride = 4, .pad = 2, .bias = true}, true},
    {3, {.channels = 192, .kernel = 5, .bias = true}, true},
    {6, {.channels = 384, .kernel = 3, .bias = true}, false},
    {8, {.channels = 256, .kernel = 3, .bias = true}, false},
    {10, {.channels = 256, .kernel = 3, .bias = true}, true},
};

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    for (size_t i = 0; i < RG_COUNT(layers); i++) {
        rg_zoo_scope(&n.b, "features.%d", layers[i].index);
        rg_net_conv(&n, layers[i].conv);
        rg_net_activate(&n, "Relu");
        if (layers[i].pooled) rg_net_max_pool(&n, (rg_pool){.kernel = 3, .stride = 2});
    }
    rg_net_flatten(&n);
    n.channels *= 6 * 6;
    rg_net_linear(&n, "classifier.1", 4096);
    rg_net_activate(&n, "Relu");
    rg_net_linear(&n, "classifier.4", 4096);
    rg_net_activate(&n, "Relu");
    rg_net_linear(&n, "classifier.6", 1000);
    return rg_net_done(&n, out);
}

RG_ZOO(alexnet) = {
    .name = "alexnet", .family = "cnn", .build = build,
    .source = "Krizhevsky 2014, arXiv:1404.5997; figures: torchvision, IMAGENET1K_V1 at 224x224",
    .parameters = 61100840, .macs = 714188480, .published_macs = 0.714e9, .rounding = 0.5e6,
};
