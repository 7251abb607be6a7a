/* zoo_efficientvit.c - EfficientViT of Cai et al. 2022 (arXiv:2205.14756) as timm has it: inverted residuals,
 * and in the last two stages (of large models: the last one) attention whose cost grows with the number of
 * places, not with its square. Queries, keys and values also come from windows of 5 x 5; of each head of d,
 *
 *     out = relu(q) (relu(k)^T [v 1])     out = out[.. d] / (out[d] + epsilon)
 *
 * Convolutions beside it have a bias, and only the last of three is normalized.
 */
#include "format/zoo.h"

enum { STAGES = 4 };

typedef struct efficientvit {
    int64_t width;              /* of the stem; doubles with each stage */
    int blocks[STAGES + 1];
    int64_t head;
    int64_t features[2];        /* of the layers behind */
    bool large;
} efficientvit;

static void activate(rg_net *n, const efficientvit *e)
{
    if (e->large) n->x = rg_build_node(&n->b, "Gelu", "approximate=\"tanh\"", n->x, -1);
    else rg_net_activate(n, "HardSwish");
}

/* A convolution that is normalized, or has a bias instead. */
static void conv(rg_net *n, const efficientvit *e, const char *scope, const char *name, rg_conv c,
                 bool active)
{
    rg_zoo_scope(&n->b, "%s.%s.conv", scope, name);
    rg_net_conv(n, c);
    rg_zoo_scope(&n->b, "%s.%s.norm", scope, name);
    if (!c.bias) rg_net_batch_norm(n);
    if (active) activate(n, e);
}

/* fewer: norms. */
static void inverted(rg_net *n, const efficientvit *e, const char *scope, int64_t channels, int64_t expand,
                     int64_t stride, bool fewer)
{
    int64_t inner = expand * n->channels;
    conv(n, e, scope, "inverted_conv", (rg_conv){.channels = inner, .bias = fewer}, true);
    rg_conv filter = {inner, .kernel = 3, .stride = stride, .group = inner, .bias = fewer};
    conv(n, e, scope, "depth_conv", filter, true);
    conv(n, e, scope, "point_conv", (rg_conv){.channels = channels}, false);
}

static void fused(rg_net *n, const efficientvit *e, const char *scope, int64_t channels, int64_t expand,
                  int64_t stride)
{
    conv(n, e, scope, "spatial_conv", (rg_conv){expand * n->channels, .kernel = 3, .stride = stride}, true);
    conv(n, e, scope, "point_conv", (rg_conv){.channels = channels}, false);
}

static void add(rg_net *n, const char *scope, rg_value_id before)
{
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_add(n, before);
}

/* ---- attention ---- */

static rg_value_id part(rg_build *b, rg_value_id x, int64_t from, int64_t until)
{
    return rg_build_node(b, "Slice", NULL, x, rg_build_ints(b, 1, &from), rg_build_ints(b, 1, &until),
                         rg_build_ints(b, 1, (const int64_t[]){-1}), -1);
}

/* x [batch, heads, places, 3 head] -> [batch, heads, places, head] */
static rg_value_id linear_attention(rg_build *b, rg_value_id x, int64_t head)
{
    static const int64_t one_more[] = {0, 0, 0, 0, 0, 0, 0, 1};
    rg_value_id q = rg_build_node(b, "Relu", NULL, part(b, x, 0, head), -1);
    rg_value_id k = rg_build_node(b, "Relu", NULL, part(b, x, head, 2 * head), -1);
    rg_value_id v = part(b, x, 2 * head, 3 * head);
    v = rg_build_node(b, "Pad", NULL, v, rg_build_ints(b, 8, one_more), rg_build_scalar(b, 1), -1);
    k = rg_build_node(b, "Transpose", "perm=0,1,3,2", k, -1);
    rg_value_id out = rg_build_node(b, "MatMul", NULL, q, rg_build_node(b, "MatMul", NULL, k, v, -1), -1);
    rg_value_id sum = part(b, out, head, head + 1);
    sum = rg_build_node(b, "Add", NULL, sum, rg_build_scalar(b, 1e-5f), -1);
    return rg_build_node(b, "Div", NULL, part(b, out, 0, head), sum, -1);
}

static void attend(rg_net *n, const efficientvit *e, const char *scope)
{
    rg_build *b = &n->b;
    int64_t channels = n->channels, all = 3 * channels, heads = channels / e->head;
    rg_value_id parts[2], sides = rg_build_node(b, "Shape", "end=4 start=2", n->x, -1), shape[2];
    shape[0] = rg_build_ints(b, 2, (const int64_t[]){0, 2 * channels}), shape[1] = sides;
    rg_zoo_scope(b, "%s.qkv.conv", scope);
    rg_net_conv(n, (rg_conv){.channels = all});
    parts[0] = n->x;
    rg_zoo_scope(b, "%s.aggreg.0.0", scope);
    rg_net_conv(n, (rg_conv){all, .kernel = 5, .group = all});
    rg_zoo_scope(b, "%s.aggreg.0.1", scope);
    rg_net_conv(n, (rg_conv){all, .kernel = 1, .group = 3 * heads});
    parts[1] = n->x;
    rg_zoo_scope(b, "%s", scope);
    rg_net_concat(n, 2, parts, 2 * all);
    rg_value_id x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, 2 * heads, 3 * e->head, -1});
    x = linear_attention(b, rg_build_node(b, "Transpose", "perm=0,1,3,2", x, -1), e->head);
    x = rg_build_node(b, "Transpose", "perm=0,1,3,2", x, -1);
    sides = rg_build_node(b, "Concat", "axis=0", shape[0], shape[1], -1);
    n->x = rg_build_node(b, "Reshape", NULL, x, sides, -1);
    n->channels = 2 * channels;
    conv(n, e, scope, "proj", (rg_conv){.channels = channels}, false);
}

/* ---- stages ---- */

static void block(rg_net *n, const efficientvit *e, const char *name)
{
    char scope[72];
    rg_value_id before = n->x;
    snprintf(scope, sizeof scope, "%s.context_module.main", name);
    attend(n, e, scope);
    add(n, name, before);
    before = n->x;
    snprintf(scope, sizeof scope, "%s.local_module.main", name);
    inverted(n, e, scope, n->channels, e->large ? 6 : 4, 1, true);
    add(n, name, before);
}

static void stage(rg_net *n, const efficientvit *e, int index)
{
    char name[40], scope[48];
    int64_t channels = 2 * n->channels;
    bool attends = index >= (e->large ? 3 : 2), fewer = e->large ? index >= 2 : attends;
    snprintf(scope, sizeof scope, "stages.%d.blocks.0.main", index);
    if (!e->large) inverted(n, e, scope, channels, 4, 2, fewer);
    else if (fewer) inverted(n, e, scope, channels, attends ? 24 : 16, 2, true);
    else fused(n, e, scope, channels, 16, 2);
    for (int i = e->large || attends ? 0 : 1; i < e->blocks[index + 1]; i++) {
        rg_value_id before = n->x;
        snprintf(name, sizeof name, "stages.%d.blocks.%d", index, e->large || attends ? i + 1 : i);
        snprintf(scope, sizeof scope, "%s.main", name);
        if (attends) {
            block(n, e, name);
            continue;
        }
        if (e->large && !fewer) fused(n, e, scope, channels, 4, 1);
        else inverted(n, e, scope, channels, 4, 1, fewer);
        add(n, name, before);
    }
}

static void stem(rg_net *n, const efficientvit *e)
{
    conv(n, e, "stem", "in_conv", (rg_conv){e->width, .kernel = 3, .stride = 2}, true);
    for (int i = 0; i < e->blocks[0]; i++) {
        char scope[24];
        rg_value_id before = n->x;
        snprintf(scope, sizeof scope, "stem.res%d.main", i);
        if (e->large) {
            conv(n, e, scope, "conv1", (rg_conv){e->width, .kernel = 3}, true);
            conv(n, e, scope, "conv2", (rg_conv){e->width, .kernel = 3}, false);
        } else {
            conv(n, e, scope, "depth_conv", (rg_conv){e->width, .kernel = 3, .group = e->width}, true);
            conv(n, e, scope, "point_conv", (rg_conv){.channels = e->width}, false);
        }
        add(n, scope, before);
    }
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const efficientvit *e = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    n.epsilon = e->large ? 1e-7 : 1e-5;
    stem(&n, e);
    for (int i = 0; i < STAGES; i++) stage(&n, e, i);
    conv(&n, e, "head", "in_conv", (rg_conv){.channels = e->features[0]}, true);
    rg_zoo_scope(&n.b, "head.global_pool");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_zoo_scope(&n.b, "head.classifier.0");
    n.x = rg_zoo_dense(&n.b, n.x, n.channels, e->features[1], false);
    n.channels = e->features[1];
    rg_zoo_scope(&n.b, "head.classifier.1");
    n.x = rg_zoo_layer_norm(&n.b, n.x, n.channels, n.epsilon);
    activate(&n, e);
    rg_net_linear(&n, "head.classifier.4", 1000);
    return rg_net_done(&n, out);
}

/* Name, width, blocks, head, features, large, parameters, MACs. */
#define EFFICIENTVIT_LIST(X) \
    X(efficientvit_b0, 8, 1, 2, 2, 2, 2, 16, 1024, 1280, false, 3410008, 100233216) \
    X(efficientvit_b1, 16, 1, 2, 3, 3, 4, 16, 1536, 1600, false, 9102024, 519214592) \
    X(efficientvit_b2, 24, 1, 3, 4, 4, 6, 32, 2304, 2560, false, 24330712, 1584937984) \
    X(efficientvit_b3, 32, 1, 4, 6, 6, 9, 32, 2304, 2560, false, 48646056, 3953822208) \
    X(efficientvit_l1, 32, 1, 1, 1, 6, 6, 32, 3072, 3200, true, 52654088, 5258479616) \
    X(efficientvit_l2, 32, 1, 2, 2, 8, 8, 32, 3072, 3200, true, 63707016, 6949862400) \
    X(efficientvit_l3, 64, 1, 2, 2, 8, 8, 32, 6144, 6400, true, 246037288, 27586525184)

#define X(id, w, n0, n1, n2, n3, n4, d, f1, f2, big, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Cai et al. 2022, arXiv:2205.14756, as timm has it", .parameters = params, .macs = mac, \
        .layout = &(const efficientvit){w, {n0, n1, n2, n3, n4}, d, {f1, f2}, big}, \
    };
EFFICIENTVIT_LIST(X)
#undef X
