/* zoo_vgg.c - VGG as torchvision has it: stages of 3x3 convolutions with bias, each stage ending in a pooling
 * that halves the sides; the _bn models normalize behind every convolution.
 *
 * torchvision pools to 7x7 before the classifier. At 224x224 the features are 7x7 already, so that the
 * pooling changes nothing, and it is left out here.
 */
#include "format/zoo.h"

/* Table 1 of the paper: convolutions of the five stages. */
typedef struct vgg { int convs[5]; bool norm; } vgg;

static const int64_t widths[5] = {64, 128, 256, 512, 512};

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const vgg *layout = self->layout;
    rg_net n;
    int index = 0;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    for (int stage = 0; stage < 5; stage++) {
        for (int i = 0; i < layout->convs[stage]; i++) {
            rg_conv conv = {.channels = widths[stage], .kernel = 3, .bias = true};
            if (layout->norm) {
                index = rg_net_conv_norm_at(&n, "features", index, conv, "Relu");
                continue;
            }
            rg_zoo_scope(&n.b, "features.%d", index++);
            rg_net_conv(&n, conv);
            rg_zoo_scope(&n.b, "features.%d", index++);
            rg_net_activate(&n, "Relu");
        }
        rg_zoo_scope(&n.b, "features.%d", index++);
        rg_net_max_pool(&n, (rg_pool){.kernel = 2});
    }
    rg_net_flatten(&n);
    n.channels *= 7 * 7;
    rg_net_linear(&n, "classifier.0", 4096);
    rg_net_activate(&n, "Relu");
    rg_net_linear(&n, "classifier.3", 4096);
    rg_net_activate(&n, "Relu");
    rg_net_linear(&n, "classifier.6", 1000);
    return rg_net_done(&n, out);
}

/* Name, convolutions of the stages, normalization, parameters, MACs, GMACs as published. */
#define VGG_LIST(X) \
    X(vgg11, 1, 1, 2, 2, 2, false, 132863336, 7609090048, 7.609) \
    X(vgg13, 2, 2, 2, 2, 2, false, 133047848, 11308466176, 11.308) \
    X(vgg16, 2, 2, 3, 3, 3, false, 138357544, 15470264320, 15.47) \
    X(vgg19, 2, 2, 4, 4, 4, false, 143667240, 19632062464, 19.632) \
    X(vgg11_bn, 1, 1, 2, 2, 2, true, 132868840, 7609090048, 7.609) \
    X(vgg13_bn, 2, 2, 2, 2, 2, true, 133053736, 11308466176, 11.308) \
    X(vgg16_bn, 2, 2, 3, 3, 3, true, 138365992, 15470264320, 15.47) \
    X(vgg19_bn, 2, 2, 4, 4, 4, true, 143678248, 19632062464, 19.632)

#define ROW(id, n1, n2, n3, n4, n5, norms, params, mac, gmac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = 224, .build = build, \
        .layout = &(const vgg){{n1, n2, n3, n4, n5}, norms}, \
        .source = "Simonyan and Zisserman 2014, arXiv:1409.1556; " \
                  "figures: torchvision, IMAGENET1K_V1 at 224x224", \
        .parameters = params, .macs = mac, .published_macs = gmac * 1e9, .rounding = 0.5e6, \
    };
VGG_LIST(ROW)
