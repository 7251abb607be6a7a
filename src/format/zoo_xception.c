/* zoo_xception.c - Xception as timm has it: the paper's own (Chollet 2016, "legacy"), and the aligned one of
 * DeepLab (Chen et al. 2018), whose strides are in convolutions. Modules of three (the own: two or three)
 * separable convolutions, each k x k by channel and 1x1, with a way around:
 *
 *     own       Relu -- separable -- norm            ... a maximum of stride 2
 *     aligned   Relu -- by channel -- norm -- 1x1 -- norm
 *     p         norm -- Relu -- by channel -- 1x1    (activated in front, and the way around with it)
 */
#include "format/zoo.h"

typedef struct xception {
    int middle;         /* modules of 728 channels */
    bool longer;        /* five modules in front of them, not three */
    bool front;         /* p */
} xception;

typedef struct module { int64_t channels[3], stride; bool lone; } module;

static void normalize(rg_net *n, const char *scope, const char *activation)
{
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_batch_norm(n);
    rg_net_activate(n, activation);
}

static void by_channel(rg_net *n, const char *scope, int64_t stride)
{
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_conv(n, (rg_conv){n->channels, .kernel = 3, .stride = stride, .group = n->channels});
}

static void across(rg_net *n, const char *scope, int64_t channels)
{
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_conv(n, (rg_conv){.channels = channels});
}

/* ---- aligned ---- */

static void separable(rg_net *n, const xception *x, const module *m, const char *block, int index)
{
    char name[64];
    int64_t stride = index == 2 ? m->stride : 1;
    const char *inside = m->lone ? "Relu" : "None";
    snprintf(name, sizeof name, "%s.stack.conv%d.norm", block, index + 1);
    if (x->front && index) normalize(n, name, "Relu");
    if (!x->front && !m->lone) rg_net_activate(n, "Relu");
    snprintf(name, sizeof name, "%s.stack.conv%d.conv_dw", block, index + 1);
    by_channel(n, name, stride);
    snprintf(name, sizeof name, "%s.stack.conv%d.bn_dw", block, index + 1);
    if (!x->front) normalize(n, name, inside);
    snprintf(name, sizeof name, "%s.stack.conv%d.conv_pw", block, index + 1);
    across(n, name, m->channels[index]);
    snprintf(name, sizeof name, "%s.stack.conv%d.bn_pw", block, index + 1);
    if (!x->front) normalize(n, name, inside);
}

static void run(rg_net *n, const xception *x, const module *m, int number)
{
    char block[24], name[48];
    int64_t before = n->channels;
    snprintf(block, sizeof block, "blocks.%d", number);
    snprintf(name, sizeof name, "%s.norm", block);
    if (x->front) normalize(n, name, "Relu");
    rg_value_id skip = n->x;
    for (int i = 0; i < 3; i++) separable(n, x, m, block, i);
    if (m->lone) return;
    rg_value_id sum = n->x;
    n->x = skip;
    if (before != n->channels || m->stride != 1) {
        n->channels = before;
        snprintf(name, sizeof name, x->front ? "%s.shortcut" : "%s.shortcut.conv", block);
        rg_zoo_scope(&n->b, "%s", name);
        rg_net_conv(n, (rg_conv){.channels = m->channels[2], .stride = m->stride});
        snprintf(name, sizeof name, "%s.shortcut.bn", block);
        if (!x->front) normalize(n, name, "None");
    }
    rg_zoo_scope(&n->b, "%s", block);
    rg_net_add(n, sum);
}

static void begin(rg_net *n, const xception *x)
{
    rg_net_conv_norm_act(n, "stem.0", (rg_conv){.channels = 32, .kernel = 3, .stride = 2}, "Relu");
    if (x->front) {
        rg_zoo_scope(&n->b, "stem.1");
        rg_net_conv(n, (rg_conv){.channels = 64, .kernel = 3});
    } else {
        rg_net_conv_norm_act(n, "stem.1", (rg_conv){.channels = 64, .kernel = 3}, "Relu");
    }
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    static const module three[] = {{{128, 128, 128}, 2, false}, {{256, 256, 256}, 2, false},
                                   {{728, 728, 728}, 2, false}};
    static const module five[] = {{{128, 128, 128}, 2, false}, {{256, 256, 256}, 1, false},
                                  {{256, 256, 256}, 2, false}, {{728, 728, 728}, 1, false},
                                  {{728, 728, 728}, 2, false}};
    static const module middle = {{728, 728, 728}, 1, false};
    static const module last[] = {{{728, 1024, 1024}, 2, false}, {{1536, 1536, 2048}, 1, true}};
    const xception *x = self->layout;
    const module *first = x->longer ? five : three;
    int count = x->longer ? (int)RG_COUNT(five) : (int)RG_COUNT(three), number = 0;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 299));
    n.epsilon = x->front ? 1e-5 : 1e-3;
    begin(&n, x);
    for (int i = 0; i < count; i++) run(&n, x, &first[i], number++);
    for (int i = 0; i < x->middle; i++) run(&n, x, &middle, number++);
    for (int i = 0; i < 2; i++) run(&n, x, &last[i], number++);
    if (x->front) rg_net_activate(&n, "Relu");
    rg_net_classify(&n, "head.fc");
    return rg_net_done(&n, out);
}

/* ---- the paper's own ---- */

/* Module `number` of so many convolutions; the first widens, unless `late`: then the last. */
static void own(rg_net *n, int number, int64_t channels, int count, int64_t stride, bool late)
{
    char name[64];
    int64_t before = n->channels;
    rg_value_id skip = n->x;
    for (int i = 0; i < count; i++) {
        if (i || number > 1) rg_net_activate(n, "Relu");
        snprintf(name, sizeof name, "block%d.rep.%d.conv1", number, i);
        by_channel(n, name, 1);
        snprintf(name, sizeof name, "block%d.rep.%d.pointwise", number, i);
        across(n, name, late && i + 1 < count ? before : channels);
        snprintf(name, sizeof name, "block%d.rep.%d.bn", number, i);
        normalize(n, name, "None");
    }
    if (stride > 1) rg_net_max_pool(n, (rg_pool){.kernel = 3, .stride = stride, .pad = 1});
    rg_value_id sum = n->x;
    n->x = skip;
    if (before != channels || stride != 1) {
        n->channels = before;
        rg_zoo_scope(&n->b, "block%d.skip", number);
        rg_net_conv(n, (rg_conv){.channels = channels, .stride = stride});
        snprintf(name, sizeof name, "block%d.skipbn", number);
        normalize(n, name, "None");
    }
    rg_net_add(n, sum);
}

static void own_end(rg_net *n, int index, int64_t channels)
{
    char name[32];
    snprintf(name, sizeof name, "conv%d.conv1", index);
    by_channel(n, name, 1);
    snprintf(name, sizeof name, "conv%d.pointwise", index);
    across(n, name, channels);
    snprintf(name, sizeof name, "bn%d", index);
    normalize(n, name, "Relu");
}

static rg_err build_own(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 299));
    for (int i = 0; i < 2; i++) {
        rg_zoo_scope(&n.b, "conv%d", i + 1);
        rg_net_conv(&n, (rg_conv){.channels = 32 << i, .kernel = 3, .stride = i ? 1 : 2, .pad = -1});
        rg_zoo_scope(&n.b, "bn%d", i + 1);
        rg_net_batch_norm(&n);
        rg_net_activate(&n, "Relu");
    }
    own(&n, 1, 128, 2, 2, false);
    own(&n, 2, 256, 2, 2, false);
    own(&n, 3, 728, 2, 2, false);
    for (int i = 4; i <= 11; i++) own(&n, i, 728, 3, 1, false);
    own(&n, 12, 1024, 2, 2, true);
    own_end(&n, 3, 1536);
    own_end(&n, 4, 2048);
    rg_net_classify(&n, "fc");
    return rg_net_done(&n, out);
}

RG_ZOO(legacy_xception) = {
    .name = "legacy_xception", .family = "cnn", .image = RG_IMAGE_ANY, .build = build_own,
    .source = "Chollet 2016, arXiv:1610.02357; parameters: timm, at 299x299",
    .parameters = 22855952, .macs = 8357403496,
};

/* Name, middle modules, longer, activated in front, parameters, MACs. */
#define XCEPTION_LIST(X) \
    X(xception41, 8, false, false, 26969560, 9204134312) \
    X(xception65, 16, false, false, 39916312, 13852682216) \
    X(xception71, 16, true, false, 42338736, 17946553928) \
    X(xception41p, 8, false, true, 26907752, 9204134312) \
    X(xception65p, 16, false, true, 39819560, 13852682216)

#define X(id, count, more, before, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Chen et al. 2018, arXiv:1802.02611; parameters: timm, at 299x299", \
        .parameters = params, .macs = mac, .layout = &(const xception){count, more, before}, \
    };
XCEPTION_LIST(X)
#undef X
