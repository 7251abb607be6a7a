/* zoo_nfnet.c - networks without normalization as timm has them (Brock et al. 2021): NFNet in the authors'
 * form and in timm's own, ResNet and RegNet built that way.
 *
 *     y = act(x) beta      x = alpha gain gate(convolutions of y) + (x, or 1x1 of y where shapes change)
 *
 * Weights of convolutions are standardized and scaled by a gain of each result channel. Here that has been
 * done: such a row has as many parameters less as its convolutions have result channels, and lacks the two
 * small kernels for each of them that PyTorch code runs on its weights. The authors' form multiplies
 * activations by a number and each block by a learned one, and pads as TensorFlow does.
 */
#include "format/zoo.h"

#include <math.h>

enum { STAGES = 4 };

typedef enum gate_kind { NO_GATE, SQUEEZE, ALONG } gate_kind;
typedef enum stem_kind { FOUR, ONE, SEVEN } stem_kind; /* 3x3 convolutions; 7x7 and a maximum */

typedef struct nfnet {
    int blocks[STAGES];
    int64_t channels[STAGES];
    stem_kind stem;
    int64_t stem_channels;
    int64_t group;              /* channels of one in 3x3 convolutions; 0: one group */
    double inner;               /* channels inside a block for one of its result */
    int64_t features;           /* of the last convolution; 0: there is none */
    bool doubled;               /* two 3x3 convolutions in a block */
    bool own;                   /* the authors' form */
    bool regular;               /* RegNet: inner channels are told by what comes in, the gate is inside */
    gate_kind gate;
    double squeeze;
    const char *activation;
    int64_t side;
} nfnet;

static void times(rg_net *n, double by)
{
    n->x = rg_build_node(&n->b, "Mul", NULL, n->x, rg_build_scalar(&n->b, (float)by), -1);
}

/* The numbers that keep an activation's variance at one (the paper's code). */
static void activate(rg_net *n, const nfnet *f)
{
    rg_net_activate(n, f->activation);
    if (f->own) times(n, 1.7015043497085571);
}

static void conv(rg_net *n, const nfnet *f, const char *scope, const char *name, rg_conv c)
{
    static const int64_t behind[] = {0, 0, 0, 0, 0, 0, 1, 1};
    rg_zoo_scope(&n->b, "%s.%s", scope, name);
    if (f->own && c.stride > 1 && c.kernel > 1) { /* sides are even */
        n->x = rg_build_node(&n->b, "Pad", NULL, n->x, rg_build_ints(&n->b, 8, behind), -1);
        c.pad = -1;
    }
    c.bias = true;
    rg_net_conv(n, c);
}

static void gate(rg_net *n, const nfnet *f, const char *block, const char *name)
{
    char scope[48];
    if (f->gate == NO_GATE) return;
    int64_t squeezed = (int64_t)((double)n->channels * f->squeeze + 4) / 8 * 8;
    snprintf(scope, sizeof scope, "%s.%s", block, name);
    if (f->gate == ALONG) rg_net_gate_along(n, scope);
    else rg_net_squeeze_excite(n, scope, squeezed < 8 ? 8 : squeezed, "Relu", "Sigmoid");
    times(n, 2);
}

/* ---- blocks ---- */

static void inside(rg_net *n, const nfnet *f, const char *block, int64_t inner, int64_t out, int64_t stride)
{
    int64_t groups = f->group ? inner / f->group : 1;
    conv(n, f, block, "conv1", (rg_conv){.channels = inner});
    activate(n, f);
    conv(n, f, block, "conv2", (rg_conv){inner, .kernel = 3, .stride = stride, .group = groups});
    if (f->doubled) {
        activate(n, f);
        conv(n, f, block, "conv2b", (rg_conv){inner, .kernel = 3, .group = groups});
    }
    if (f->regular) gate(n, f, block, "attn");
    activate(n, f);
    conv(n, f, block, "conv3", (rg_conv){.channels = out});
    if (!f->regular) gate(n, f, block, "attn_last");
}

static void run(rg_net *n, const nfnet *f, const char *block, int64_t out, double inner, double beta,
                int64_t stride)
{
    int64_t from = n->channels, width = rg_net_round((double)(f->regular ? from : out) * inner, 8);
    rg_value_id skip = n->x;
    if (f->group) width = width / f->group * f->group;
    rg_zoo_scope(&n->b, "%s.act1", block);
    activate(n, f);
    times(n, beta);
    rg_value_id y = n->x;
    if (from != out || stride > 1) {
        rg_zoo_scope(&n->b, "%s.downsample.pool", block);
        if (stride > 1) rg_net_average_pool(n, (rg_pool){.kernel = 2, .stride = 2, .ceil = true});
        conv(n, f, block, "downsample.conv", (rg_conv){.channels = out});
        skip = n->x;
    }
    n->x = y, n->channels = from;
    inside(n, f, block, width, out, stride);
    rg_zoo_scope(&n->b, "%s", block);
    if (f->own) {
        rg_value_id gain = rg_build_param(&n->b, "skipinit_gain", RG_F32, 0, NULL);
        n->x = rg_build_node(&n->b, "Mul", NULL, n->x, gain, -1);
    }
    times(n, 0.2);
    rg_net_add(n, skip);
}

static void stem(rg_net *n, const nfnet *f)
{
    int64_t c = f->stem_channels;
    for (int i = 0; i < 4 && f->stem == FOUR; i++) {
        char name[16];
        snprintf(name, sizeof name, "conv%d", i + 1);
        conv(n, f, "stem", name, (rg_conv){c >> (3 - i), .kernel = 3, .stride = i % 3 ? 1 : 2});
        if (i < 3) activate(n, f);
    }
    if (f->stem != FOUR)
        conv(n, f, "stem", "conv", (rg_conv){c, .kernel = f->stem == ONE ? 3 : 7, .stride = 2});
    if (f->stem == SEVEN) rg_net_max_pool(n, (rg_pool){.kernel = 3, .stride = 2, .pad = 1});
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const nfnet *f = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, f->side));
    stem(&n, f);
    for (int stage = 0; stage < STAGES; stage++) {
        double variance = 1; /* that of x before a block: each adds alpha squared */
        for (int i = 0; i < f->blocks[stage]; i++) {
            char block[32];
            bool first = !stage && !i;
            if (i == 1) variance = 1;
            if (i) variance += 0.2 * 0.2;
            snprintf(block, sizeof block, "stages.%d.%d", stage, i);
            run(&n, f, block, f->channels[stage], f->regular && first ? 1 : f->inner, 1 / sqrt(variance),
                i || (!stage && f->stem != ONE) ? 1 : 2);
        }
    }
    if (f->features) conv(&n, f, "final_conv", "conv", (rg_conv){.channels = f->features});
    rg_zoo_scope(&n.b, "final_act");
    activate(&n, f);
    rg_net_classify(&n, "head.fc");
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

#define WIDE .channels = {256, 512, 1536, 1536}, .stem = FOUR, .stem_channels = 128, .doubled = true
#define F(k, size) .blocks = {k, 2 * k, 6 * k, 3 * k}, .side = size, WIDE, .group = 128, .inner = .5, \
    .features = 3072, .gate = SQUEEZE, .squeeze = .5, .activation = "Gelu"
#define L(k, size, last) .blocks = {k, 2 * k, 6 * k, 3 * k}, .side = size, WIDE, .group = 64, .inner = .25, \
    .features = last, .activation = "SiLU"
#define REG(n1, n2, n3, n4, c1, c2, c3, c4, last, size) .blocks = {n1, n2, n3, n4}, \
    .channels = {c1, c2, c3, c4}, .stem = ONE, .stem_channels = c1, .group = 8, .inner = 2.25, \
    .features = last, .regular = true, .gate = SQUEEZE, .squeeze = .5, .activation = "SiLU", .side = size
#define RES(n1, n2, n3, n4) .blocks = {n1, n2, n3, n4}, .channels = {256, 512, 1024, 2048}, .stem = SEVEN, \
    .stem_channels = 64, .inner = .25, .activation = "Relu", .side = 224
#define SE .gate = SQUEEZE, .squeeze = .0625
#define ECA .gate = ALONG

/* Name, parameters, MACs, how it is built. */
#define NFNET_LIST(X) \
    X(dm_nfnet_f0, 71444360, 6977003520, F(1, 192), .own = true) \
    X(dm_nfnet_f1, 132551560, 17437921280, F(2, 224), .own = true) \
    X(dm_nfnet_f2, 193658760, 33139318784, F(3, 256), .own = true) \
    X(dm_nfnet_f3, 254765960, 67944292352, F(4, 320), .own = true) \
    X(dm_nfnet_f4, 315873160, 121122250752, F(5, 384), .own = true) \
    X(dm_nfnet_f5, 376980360, 169498382336, F(6, 416), .own = true) \
    X(dm_nfnet_f6, 438087560, 228292861952, F(7, 448), .own = true) \
    X(nfnet_f0, 71444360, 6977003520, F(1, 192)) \
    X(nfnet_f1, 132551560, 17437921280, F(2, 224)) \
    X(nfnet_f2, 193658760, 33139318784, F(3, 256)) \
    X(nfnet_f3, 254765960, 67944292352, F(4, 320)) \
    X(nfnet_f4, 315873160, 121122250752, F(5, 384)) \
    X(nfnet_f5, 376980360, 169498382336, F(6, 416)) \
    X(nfnet_f6, 438087560, 228292861952, F(7, 448)) \
    X(nfnet_f7, 499194760, 298476539904, F(8, 480)) \
    X(nfnet_l0, 35041672, 4255094784, L(1, 224, 2304), .gate = SQUEEZE, .squeeze = .25) \
    X(eca_nfnet_l0, 24111108, 4244258560, L(1, 224, 2304), ECA) \
    X(eca_nfnet_l1, 41347712, 9428610560, L(2, 256, 3072), ECA) \
    X(eca_nfnet_l2, 56635900, 20682773760, L(3, 320, 3072), ECA) \
    X(eca_nfnet_l3, 71924088, 32227830784, L(4, 352, 3072), ECA) \
    X(nf_regnet_b0, 8746432, 351345536, REG(1, 3, 6, 6, 40, 80, 160, 328, 960, 192)) \
    X(nf_regnet_b1, 10202784, 790689280, REG(2, 4, 7, 7, 40, 80, 160, 328, 960, 256)) \
    X(nf_regnet_b2, 14287968, 933524352, REG(2, 4, 8, 8, 40, 88, 176, 368, 1064, 240)) \
    X(nf_regnet_b3, 18561560, 1623749376, REG(2, 5, 9, 9, 40, 96, 184, 400, 1152, 288)) \
    X(nf_regnet_b4, 30165024, 3219430016, REG(2, 6, 11, 11, 48, 112, 216, 464, 1344, 320)) \
    X(nf_regnet_b5, 49674944, 7830020224, REG(3, 7, 14, 14, 64, 128, 256, 528, 1536, 384)) \
    X(nf_resnet26, 15979752, 2342256640, RES(2, 2, 2, 2)) \
    X(nf_resnet50, 25530472, 4089184256, RES(3, 4, 6, 3)) \
    X(nf_resnet101, 44496488, 7801405440, RES(3, 4, 23, 3)) \
    X(nf_seresnet26, 17380552, 2343649280, RES(2, 2, 2, 2), SE) \
    X(nf_seresnet50, 28061464, 4091699200, RES(3, 4, 6, 3), SE) \
    X(nf_seresnet101, 49274200, 7806148608, RES(3, 4, 23, 3), SE) \
    X(nf_ecaresnet26, 15979796, 2342303232, RES(2, 2, 2, 2), ECA) \
    X(nf_ecaresnet50, 25530558, 4089272064, RES(3, 4, 6, 3), ECA) \
    X(nf_ecaresnet101, 44496659, 7801580288, RES(3, 4, 23, 3), ECA)

#define X(id, params, mac, ...) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Brock et al. 2021, arXiv:2102.06171 and 2101.08692; parameters: timm", \
        .parameters = params, .macs = mac, .layout = &(const nfnet){__VA_ARGS__}, \
    };
NFNET_LIST(X)
#undef X
