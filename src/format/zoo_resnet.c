/* zoo_resnet.c - residual networks as torchvision has them: ResNet (version 1.5, the stride in the 3x3
 * convolution), ResNeXt (that convolution in groups) and Wide ResNet (twice the inner width); and as timm
 * alters them: three convolutions for the first one, a pooled way around, gates over channels.
 */
#include "format/zoo.h"

#include <math.h>

/* Blocks of the four stages, of width 64, 128, 256, 512. A bottleneck ends in four times that width; inside
 * it has groups * base / 64 times the width. */
typedef struct resnet {
    int blocks[4];
    bool bottleneck;
    int64_t groups, base;
    int64_t stem;           /* channels of the first two of three 3x3 convolutions; 0: one of 7x7 */
    bool pooled;            /* the way around is pooled before its 1x1 convolution, which has no stride */
    int64_t squeeze;        /* a gate has one in so many channels; 0: there is none */
    bool eca;               /* the gate is a convolution along the channels */
    bool strided;           /* the first maximum is a convolution instead */
    bool tiered;            /* the first of three convolutions has three quarters of the channels */
    enum { STRIDES, MEANS, BLURS } shrinks; /* a 3x3 convolution's stride is its own, or what comes behind */
    bool halved;            /* a bottleneck's first convolution has half of the inner channels */
    int64_t around;         /* window of the way around where it has a stride; 0: 1 */
} resnet;

static void activate(rg_net *n) { rg_net_activate(n, "Relu"); }

/* conv{index} and bn{index} of a block; the last one's activation comes behind the sum. */
static void conv_norm(rg_net *n, const char *block, int index, rg_conv conv)
{
    rg_zoo_scope(&n->b, "%s.conv%d", block, index);
    rg_net_conv(n, conv);
    rg_zoo_scope(&n->b, "%s.bn%d", block, index);
    rg_net_batch_norm(n);
}

/* conv{index} of 3x3 with its stride, which may come behind the activation. */
static void look(rg_net *n, const resnet *r, const char *block, int index, rg_conv conv)
{
    int64_t stride = conv.stride;
    bool behind = r->shrinks != STRIDES && stride > 1;
    if (behind) conv.stride = 1;
    conv_norm(n, block, index, conv);
    activate(n);
    rg_zoo_scope(&n->b, "%s.aa", block);
    if (behind && r->shrinks == MEANS) rg_net_average_pool(n, (rg_pool){.kernel = 2});
    if (behind && r->shrinks == BLURS) rg_net_blur(n, stride);
}

/* As far as the nearest odd number to (log2(channels) + 1) / 2, at least 3. */
void rg_net_gate_along(rg_net *n, const char *block)
{
    rg_build *b = &n->b;
    rg_value_id x = n->x;
    int size = (int)((log2((double)n->channels) + 1) / 2) | 1;
    if (size < 3) size = 3;
    rg_zoo_scope(b, "%s.se", block);
    rg_net_global_pool(n);
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){-1, 1, 1, n->channels});
    int64_t channels = n->channels;
    n->channels = 1;
    rg_net_conv(n, (rg_conv){.channels = 1, .kernel = 1, .kernel_w = size, .pad = -1, .pad_w = size / 2});
    rg_net_activate(n, "Sigmoid");
    n->channels = channels;
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){-1, channels, 1, 1});
    n->x = rg_build_node(b, "Mul", NULL, x, n->x, -1);
}

static void gate(rg_net *n, const resnet *r, const char *block)
{
    char scope[72];
    if (r->eca) rg_net_gate_along(n, block);
    if (!r->squeeze) return;
    snprintf(scope, sizeof scope, "%s.se", block);
    rg_net_squeeze_excite(n, scope, rg_net_round((double)n->channels / (double)r->squeeze, 8), "Relu",
                          "Sigmoid");
}

static void basic(rg_net *n, const resnet *r, const char *block, int64_t width, int64_t stride)
{
    look(n, r, block, 1, (rg_conv){.channels = width, .kernel = 3, .stride = stride});
    conv_norm(n, block, 2, (rg_conv){.channels = width, .kernel = 3});
}

static void bottleneck(rg_net *n, const resnet *r, const char *block, int64_t width, int64_t stride)
{
    int64_t groups = r->groups, inner = width * r->base / 64 * groups;
    conv_norm(n, block, 1, (rg_conv){.channels = r->halved ? inner / 2 : inner});
    activate(n);
    look(n, r, block, 2, (rg_conv){.channels = inner, .kernel = 3, .stride = stride, .group = groups});
    conv_norm(n, block, 3, (rg_conv){.channels = 4 * width});
}

/* The way around a block whose sizes change. */
static void shortcut(rg_net *n, const resnet *r, const char *block, int64_t channels, int64_t stride)
{
    int index = r->pooled;
    rg_zoo_scope(&n->b, "%s.downsample.0", block);
    if (r->pooled && stride > 1) rg_net_average_pool(n, (rg_pool){.kernel = 2, .stride = 2, .ceil = true});
    rg_zoo_scope(&n->b, "%s.downsample.%d", block, index);
    rg_net_conv(n, (rg_conv){channels, .kernel = stride > 1 && r->around ? r->around : 1,
                             .stride = r->pooled ? 1 : stride});
    rg_zoo_scope(&n->b, "%s.downsample.%d", block, index + 1);
    rg_net_batch_norm(n);
}

static void residual(rg_net *n, const resnet *r, const char *block, int64_t width, int64_t stride)
{
    rg_value_id skip = n->x;
    int64_t before = n->channels;
    if (r->bottleneck) bottleneck(n, r, block, width, stride);
    else basic(n, r, block, width, stride);
    gate(n, r, block);
    int64_t after = n->channels;
    rg_value_id x = n->x;
    n->x = skip;
    if (stride != 1 || before != after) {
        n->channels = before;
        shortcut(n, r, block, after, stride);
    }
    rg_zoo_scope(&n->b, "%s", block);
    rg_net_add(n, x);
    activate(n);
}

/* Three convolutions for the first one. */
static void deep_stem(rg_net *n, const resnet *r, const char *prefix)
{
    const int64_t channels[] = {r->tiered ? r->stem * 3 / 4 : r->stem, r->stem, r->tiered ? 64 : 2 * r->stem};
    for (int i = 0; i < 2; i++) {
        rg_zoo_scope(&n->b, "%sconv1.%d", prefix, 3 * i);
        rg_net_conv(n, (rg_conv){.channels = channels[i], .kernel = 3, .stride = i ? 1 : 2});
        rg_zoo_scope(&n->b, "%sconv1.%d", prefix, 3 * i + 1);
        rg_net_batch_norm(n);
        activate(n);
    }
    rg_zoo_scope(&n->b, "%sconv1.6", prefix);
    rg_net_conv(n, (rg_conv){.channels = channels[2], .kernel = 3});
}

static void stem(rg_net *n, const resnet *r, const char *prefix)
{
    if (r->stem) {
        deep_stem(n, r, prefix);
    } else {
        rg_zoo_scope(&n->b, "%sconv1", prefix);
        rg_net_conv(n, (rg_conv){.channels = 64, .kernel = 7, .stride = 2});
    }
    rg_zoo_scope(&n->b, "%sbn1", prefix);
    rg_net_batch_norm(n);
    activate(n);
    rg_zoo_scope(&n->b, "%smaxpool", prefix);
    if (r->shrinks == MEANS) {
        rg_net_average_pool(n, (rg_pool){.kernel = 2});
    } else if (r->strided) {
        rg_zoo_scope(&n->b, "%smaxpool.0", prefix);
        rg_net_conv(n, (rg_conv){.channels = n->channels, .kernel = 3, .stride = 2});
        rg_zoo_scope(&n->b, "%smaxpool.1", prefix);
        rg_net_batch_norm(n);
        activate(n);
    } else {
        bool blurs = r->shrinks == BLURS;
        rg_net_max_pool(n, (rg_pool){.kernel = 3, .stride = blurs ? 1 : 2, .pad = 1});
        if (blurs) rg_net_blur(n, 2);
    }
}

/* Stem and stages; names begin with `prefix`. */
static void trunk(rg_net *n, const resnet *r, const char *prefix)
{
    stem(n, r, prefix);
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < r->blocks[stage]; i++) {
            char block[64];
            snprintf(block, sizeof block, "%slayer%d.%d", prefix, stage + 1, i);
            residual(n, r, block, INT64_C(64) << stage, stage && !i ? 2 : 1);
        }
    }
}

void rg_net_residual(rg_net *n, const char *block, bool bottleneck, int64_t width, int64_t stride)
{
    const resnet plain = {.bottleneck = bottleneck, .groups = 1, .base = 64};
    residual(n, &plain, block, width, stride);
}

void rg_net_resnet50_trunk(rg_net *n, const char *prefix)
{
    static const resnet resnet50 = {{3, 4, 6, 3}, .bottleneck = true, .groups = 1, .base = 64};
    trunk(n, &resnet50, prefix);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    trunk(&n, self->layout, "");
    rg_zoo_scope(&n.b, "avgpool");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "fc", 1000);
    return rg_net_done(&n, out);
}

#define HE "He et al. 2015, arXiv:1512.03385"
#define XIE "Xie et al. 2016, arXiv:1611.05431"
#define ZAGORUYKO "Zagoruyko and Komodakis 2016, arXiv:1605.07146"

/* Name, blocks of the stages, bottleneck, groups, base, parameters, MACs, GMACs as published, paper. */
#define RESNET_LIST(X) \
    X(resnet18, 2, 2, 2, 2, false, 1, 64, 11689512, 1814073344, 1.814, HE) \
    X(resnet34, 3, 4, 6, 3, false, 1, 64, 21797672, 3663761408, 3.664, HE) \
    X(resnet50, 3, 4, 6, 3, true, 1, 64, 25557032, 4089184256, 4.089, HE) \
    X(resnet101, 3, 4, 23, 3, true, 1, 64, 44549160, 7801405440, 7.801, HE) \
    X(resnet152, 3, 8, 36, 3, true, 1, 64, 60192808, 11513626624, 11.514, HE) \
    X(resnext50_32x4d, 3, 4, 6, 3, true, 32, 4, 25028904, 4230479872, 4.23, XIE) \
    X(resnext101_32x8d, 3, 4, 23, 3, true, 32, 8, 88791336, 16414015488, 16.414, XIE) \
    X(resnext101_64x4d, 3, 4, 23, 3, true, 64, 4, 83455272, 15460270080, 15.46, XIE) \
    X(wide_resnet50_2, 3, 4, 6, 3, true, 1, 128, 68883240, 11398021120, 11.398, ZAGORUYKO) \
    X(wide_resnet101_2, 3, 4, 23, 3, true, 1, 128, 126886696, 22753050624, 22.753, ZAGORUYKO)

#define ROW(id, n1, n2, n3, n4, deep, group_count, group_base, params, mac, gmac, paper) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = paper "; figures: torchvision, IMAGENET1K_V1 at 224x224", \
        .parameters = params, .macs = mac, .published_macs = gmac * 1e9, .rounding = 0.5e6, \
        .layout = &(const resnet){{n1, n2, n3, n4}, deep, group_count, group_base, .stem = 0}, \
    };
RESNET_LIST(ROW)

/* ---- as timm alters them ---- */

#define HU "Hu et al. 2017, arXiv:1709.01507"
#define TRICKS "He et al. 2018, arXiv:1812.01187"
#define WANG "Wang et al. 2019, arXiv:1910.03151"
#define BELLO "Bello et al. 2021, arXiv:2103.07579"

/* Name, blocks, bottleneck, groups, base, stem, pooled, squeeze, eca, strided, parameters, MACs, paper. */
#define ALTERED_LIST(X) \
    X(resnet26, 2, 2, 2, 2, true, 1, 64, 0, false, 0, false, false, 15995176, 2342256640, HE) \
    X(resnet200, 3, 24, 36, 3, true, 1, 64, 0, false, 0, false, false, 64673832, 15007481856, HE) \
    X(resnext101_32x4d, 3, 4, 23, 3, true, 32, 4, 0, false, 0, false, false, 44177704, 7969996800, XIE) \
    X(resnext101_32x16d, 3, 4, 23, 3, true, 32, 16, 0, false, 0, false, false, 194026792, 36163289088, XIE) \
    X(resnext101_32x32d, 3, 4, 23, 3, true, 32, 32, 0, false, 0, false, false, 468530472, 87106781184, XIE) \
    X(resnext101_32x48d, 3, 4, 23, 3, true, 32, 48, 0, false, 0, false, false, 828411176, 153310199808, XIE) \
    X(resnet18d, 2, 2, 2, 2, false, 1, 64, 32, true, 0, false, false, 11708744, 2053713920, TRICKS) \
    X(resnet34d, 3, 4, 6, 3, false, 1, 64, 32, true, 0, false, false, 21816904, 3903401984, TRICKS) \
    X(resnet26d, 2, 2, 2, 2, true, 1, 64, 32, true, 0, false, false, 16014408, 2581897216, TRICKS) \
    X(resnet50c, 3, 4, 6, 3, true, 1, 64, 32, false, 0, false, false, 25576264, 4328824832, TRICKS) \
    X(resnet101c, 3, 4, 23, 3, true, 1, 64, 32, false, 0, false, false, 44568392, 8041046016, TRICKS) \
    X(resnet152c, 3, 8, 36, 3, true, 1, 64, 32, false, 0, false, false, 60212040, 11753267200, TRICKS) \
    X(resnet50s, 3, 4, 6, 3, true, 1, 64, 64, false, 0, false, false, 25680808, 5444337664, TRICKS) \
    X(resnet101s, 3, 4, 23, 3, true, 1, 64, 64, false, 0, false, false, 44672936, 9156558848, TRICKS) \
    X(resnet152s, 3, 8, 36, 3, true, 1, 64, 64, false, 0, false, false, 60316584, 12868780032, TRICKS) \
    X(resnet50d, 3, 4, 6, 3, true, 1, 64, 32, true, 0, false, false, 25576264, 4328824832, TRICKS) \
    X(resnet101d, 3, 4, 23, 3, true, 1, 64, 32, true, 0, false, false, 44568392, 8041046016, TRICKS) \
    X(resnet152d, 3, 8, 36, 3, true, 1, 64, 32, true, 0, false, false, 60212040, 11753267200, TRICKS) \
    X(resnet200d, 3, 24, 36, 3, true, 1, 64, 32, true, 0, false, false, 64693064, 15247122432, TRICKS) \
    X(resnext50d_32x4d, 3, 4, 6, 3, true, 32, 4, 32, true, 0, false, false, 25048136, 4470120448, TRICKS) \
    X(seresnet18, 2, 2, 2, 2, false, 1, 64, 0, false, 16, false, false, 11779624, 1814161408, HU) \
    X(seresnet34, 3, 4, 6, 3, false, 1, 64, 0, false, 16, false, false, 21960416, 3663920128, HU) \
    X(seresnet50, 3, 4, 6, 3, true, 1, 64, 0, false, 16, false, false, 28088024, 4091699200, HU) \
    X(seresnet101, 3, 4, 23, 3, true, 1, 64, 0, false, 16, false, false, 49326872, 7806148608, HU) \
    X(seresnet152, 3, 8, 36, 3, true, 1, 64, 0, false, 16, false, false, 66821848, 11520204800, HU) \
    X(seresnet152d, 3, 8, 36, 3, true, 1, 64, 32, true, 16, false, false, 66841080, 11759845376, HU) \
    X(seresnext26d_32x4d, 2, 2, 2, 2, true, 32, 4, 32, true, 16, false, false, 16809512, 2711740416, HU) \
    X(seresnext50_32x4d, 3, 4, 6, 3, true, 32, 4, 0, false, 16, false, false, 27559896, 4232994816, HU) \
    X(seresnext101_32x4d, 3, 4, 23, 3, true, 32, 4, 0, false, 16, false, false, 48955416, 7974739968, HU) \
    X(seresnext101_32x8d, 3, 4, 23, 3, true, 32, 8, 0, false, 16, false, false, 93569048, 16418758656, HU) \
    X(seresnext101d_32x8d, 3, 4, 23, 3, true, 32, 8, 32, true, 16, false, false, 93588280, 16658399232, HU) \
    X(seresnext101_64x4d, 3, 4, 23, 3, true, 64, 4, 0, false, 16, false, false, 88232984, 15465013248, HU) \
    X(ecaresnet50d, 3, 4, 6, 3, true, 1, 64, 32, true, 0, true, false, 25576350, 4328912640, WANG) \
    X(ecaresnet101d, 3, 4, 23, 3, true, 1, 64, 32, true, 0, true, false, 44568563, 8041220864, WANG) \
    X(ecaresnet200d, 3, 24, 36, 3, true, 1, 64, 32, true, 0, true, false, 64693400, 15247415040, WANG) \
    X(ecaresnet269d, 3, 30, 48, 8, true, 1, 64, 32, true, 0, true, false, 102093077, 20269980416, WANG) \
    X(resnetrs50, 3, 4, 6, 3, true, 1, 64, 32, true, 4, false, true, 35691912, 4454490112, BELLO) \
    X(resnetrs101, 3, 4, 23, 3, true, 1, 64, 32, true, 4, false, true, 63618696, 8175624192, BELLO) \
    X(resnetrs152, 3, 8, 36, 3, true, 1, 64, 32, true, 4, false, true, 86621576, 11895185408, BELLO) \
    X(resnetrs200, 3, 24, 36, 3, true, 1, 64, 32, true, 4, false, true, 93209992, 15391137792, BELLO) \
    X(resnetrs270, 4, 29, 53, 4, true, 1, 64, 32, true, 4, false, true, 129861448, 20643618816, BELLO) \
    X(resnetrs350, 4, 36, 72, 4, true, 1, 64, 32, true, 4, false, true, 163956168, 26332012544, BELLO) \
    X(resnetrs420, 4, 44, 87, 4, true, 1, 64, 32, true, 4, false, true, 191891656, 31363342336, BELLO)

#define ALTERED(id, n1, n2, n3, n4, deep, group_count, group_base, wide, pools, ratio, along, strides, \
                params, mac, paper) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = paper "; parameters: timm, at 224x224", \
        .parameters = params, .macs = mac, \
        .layout = &(const resnet){{n1, n2, n3, n4}, deep, group_count, group_base, wide, pools, ratio, \
                                  along, .strided = strides}, \
    };
ALTERED_LIST(ALTERED)

/* ---- what timm has tried besides ---- */

#define ZHANG "Zhang 2019, arXiv:1904.11486"
#define LEE "Lee et al. 2020, arXiv:2001.06268"

#define STAGES(n1, n2, n3, n4) .blocks = {n1, n2, n3, n4}, .groups = 1, .base = 64
#define NEXT(n1, n2, n3, n4, count, size) .blocks = {n1, n2, n3, n4}, .bottleneck = true, .groups = count, \
    .base = size
#define DEEP .bottleneck = true
#define TIERED .stem = 32, .tiered = true, .pooled = true
#define TRICKY .stem = 32, .pooled = true

/* Name, paper, parameters, MACs, how it is built. */
#define TRIED_LIST(X) \
    X(resnet10t, TRICKS, 5435488, 1097259008, STAGES(1, 1, 1, 1), TIERED) \
    X(resnet14t, TRICKS, 10081632, 1676822528, STAGES(1, 1, 1, 1), DEEP, TIERED) \
    X(resnet26t, TRICKS, 16011872, 2550286336, STAGES(2, 2, 2, 2), DEEP, TIERED) \
    X(resnet50t, TRICKS, 25573728, 4297213952, STAGES(3, 4, 6, 3), DEEP, TIERED) \
    X(seresnext26t_32x4d, HU, 16806976, 2680129536, NEXT(2, 2, 2, 2, 32, 4), TIERED, .squeeze = 16) \
    X(legacy_seresnext26_32x4d, HU, 16790280, 2472099840, NEXT(2, 2, 2, 2, 32, 4), .squeeze = 16) \
    X(legacy_senet154, HU, 115088984, 20688363520, NEXT(3, 8, 36, 3, 64, 4), .stem = 64, .squeeze = 16, \
      .halved = true, .around = 3) \
    X(seresnet269d, HU, 113672760, 20281032704, STAGES(3, 30, 48, 8), DEEP, TRICKY, .squeeze = 16) \
    X(seresnet200d, HU, 71855096, 15254224896, STAGES(3, 24, 36, 3), DEEP, TRICKY, .squeeze = 16) \
    X(ecaresnet26t, WANG, 16011916, 2550332928, STAGES(2, 2, 2, 2), DEEP, TIERED, .eca = true) \
    X(ecaresnet50t, WANG, 25573814, 4297301760, STAGES(3, 4, 6, 3), DEEP, TIERED, .eca = true) \
    X(ecaresnetlight, WANG, 30162046, 4089287424, STAGES(1, 1, 11, 3), DEEP, .pooled = true, .eca = true) \
    X(ecaresnext26t_32x4d, WANG, 15406220, 2678783488, NEXT(2, 2, 2, 2, 32, 4), TIERED, .eca = true) \
    X(ecaresnext50t_32x4d, WANG, 25045686, 4438597376, NEXT(3, 4, 6, 3, 32, 4), TIERED, .eca = true) \
    X(resnetblur18, ZHANG, 11698152, 2337684992, STAGES(2, 2, 2, 2), .shrinks = BLURS) \
    X(resnetblur50, ZHANG, 25565672, 5133020672, STAGES(3, 4, 6, 3), DEEP, .shrinks = BLURS) \
    X(resnetblur50d, ZHANG, 25584904, 5372661248, STAGES(3, 4, 6, 3), DEEP, TRICKY, .shrinks = BLURS) \
    X(resnetblur101d, ZHANG, 44577032, 9084882432, STAGES(3, 4, 23, 3), DEEP, TRICKY, .shrinks = BLURS) \
    X(resnetaa34d, LEE, 21816904, 4423626752, STAGES(3, 4, 6, 3), TRICKY, .shrinks = MEANS) \
    X(resnetaa50, LEE, 25557032, 5129633792, STAGES(3, 4, 6, 3), DEEP, .shrinks = MEANS) \
    X(resnetaa50d, LEE, 25576264, 5369274368, STAGES(3, 4, 6, 3), DEEP, TRICKY, .shrinks = MEANS) \
    X(resnetaa101d, LEE, 44568392, 9081495552, STAGES(3, 4, 23, 3), DEEP, TRICKY, .shrinks = MEANS) \
    X(seresnetaa50d, LEE, 28107256, 5371789312, STAGES(3, 4, 6, 3), DEEP, TRICKY, .shrinks = MEANS, \
      .squeeze = 16) \
    X(seresnextaa101d_32x8d, LEE, 93588280, 17178624000, NEXT(3, 4, 23, 3, 32, 8), TRICKY, \
      .shrinks = MEANS, .squeeze = 16) \
    X(seresnextaa201d_32x8d, LEE, 149394904, 34276270080, NEXT(3, 24, 36, 4, 32, 8), .stem = 64, \
      .pooled = true, .shrinks = MEANS, .squeeze = 16)

#define X(id, paper, params, mac, ...) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = paper "; parameters: timm, at 224x224", .parameters = params, .macs = mac, \
        .layout = &(const resnet){__VA_ARGS__}, \
    };
TRIED_LIST(X)
#undef X
