/* zoo_efficientformer2.c - EfficientFormerV2 as timm has it (Li et al. 2022): inverted residuals all through;
 * the last blocks of the last two stages attend before, at 7 x 7 places, with heads that talk to each other
 * and values that a convolution by channel looks around in:
 *
 *     x = proj(gelu(W softmax(L (q kT + offsets)) v + local(v)))
 *
 * In the third stage, of 14 x 14, that image is made by a convolution and enlarged again. The last shrinking
 * attends as well, every second row and column to all, beside its convolution.
 */
#include "format/zoo.h"

#include <math.h>

enum { STAGES = 4, IMAGE_SIDE = 224, HEADS = 8, KEY = 32, KEY_DOWN = 16, WIDER = 4 };

/* inner: of the blocks of the last two stages, in widths. attending: blocks that do, of each of those. */
typedef struct efficientformer2 {
    int64_t widths[STAGES];
    int layers[STAGES], attending;
    const char *inner[2];
} efficientformer2;

static void convolve(rg_net *n, const char *block, const char *name, rg_conv conv)
{
    char scope[80];
    snprintf(scope, sizeof scope, "%s.%s", block, name);
    conv.bias = true;
    rg_net_conv_bn(n, scope, "conv", "bn", conv);
}

static rg_value_id by_head(rg_net *n, int64_t places, bool turned)
{
    const int64_t shape[] = {0, HEADS, n->channels / HEADS, places};
    rg_value_id x = rg_zoo_reshape(&n->b, n->x, 4, shape);
    return turned ? rg_build_node(&n->b, "Transpose", "perm=0,1,3,2", x, -1) : x;
}

/* Keys and values of n->x, which becomes the values by convolution. */
static void keys_values(rg_net *n, const char *block, int64_t key, int64_t places, int64_t stride,
                        rg_value_id *k, rg_value_id *v)
{
    rg_net from = *n;
    convolve(&from, block, "k", (rg_conv){.channels = HEADS * key});
    *k = by_head(&from, places, false);
    n->b = from.b;
    convolve(n, block, "v", (rg_conv){.channels = HEADS * WIDER * key});
    *v = by_head(n, places, true);
    convolve(n, block, "v_local",
             (rg_conv){n->channels, .kernel = 3, .stride = stride, .group = n->channels});
}

static void talk(rg_net *n, const char *block, const char *name)
{
    rg_net_name(n, block, name);
    rg_net_conv(n, (rg_conv){.channels = HEADS, .bias = true});
}

/* n->x are the values by convolution, across x across; side: of the keys' image. */
static void weigh(rg_net *n, const char *block, int64_t key, int64_t side, int64_t step,
                  const rg_value_id part[3])
{
    rg_build *b = &n->b;
    int64_t wide = n->channels, across = (side + step - 1) / step;
    rg_value_id local = n->x;
    rg_net_name(n, block, "");
    n->x = rg_build_node(b, "MatMul", NULL, part[0], part[1], -1);
    n->x = rg_build_node(b, "Mul", NULL, n->x, rg_build_scalar(b, (float)(1 / sqrt((double)key))), -1);
    rg_net_add(n, rg_zoo_offset_bias(b, "attention_biases", HEADS, side, step));
    n->channels = HEADS;
    if (step == 1) talk(n, block, "talking_head1");
    n->x = rg_build_node(b, "Softmax", "axis=-1", n->x, -1);
    if (step == 1) talk(n, block, "talking_head2");
    rg_net_name(n, block, "");
    n->x = rg_build_node(b, "MatMul", NULL, n->x, part[2], -1);
    n->x = rg_build_node(b, "Transpose", "perm=0,1,3,2", n->x, -1);
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, wide, across, across});
    rg_net_add(n, local);
    n->channels = wide;
}

static void attend(rg_net *n, const char *block, bool shrunk)
{
    enum { SIDE = 7 };
    int64_t width = n->channels;
    rg_value_id part[3];
    if (shrunk) convolve(n, block, "stride_conv", (rg_conv){width, .kernel = 3, .stride = 2, .group = width});
    rg_net from = *n;
    convolve(&from, block, "q", (rg_conv){.channels = HEADS * KEY});
    part[0] = by_head(&from, SIDE * SIDE, true);
    n->b = from.b;
    keys_values(n, block, KEY, SIDE * SIDE, 1, &part[1], &part[2]);
    weigh(n, block, KEY, SIDE, 1, part);
    if (shrunk) {
        float *scale;
        rg_value_id by = rg_zoo_floats(&n->b, 1, (const int64_t[]){4}, &scale);
        for (int i = 0; scale && i < 4; i++) scale[i] = i < 2 ? 1 : 2;
        n->x = rg_build_node(&n->b, "Resize", "mode=\"linear\"", n->x, 0, by, -1);
    }
    rg_net_activate(n, "Gelu");
    convolve(n, block, "proj", (rg_conv){.channels = width});
}

/* Queries: what a convolution makes of the image, added to every second row and column of it. */
static void attend_down(rg_net *n, const char *block, int64_t side, int64_t out)
{
    int64_t width = n->channels, half = side / 2;
    rg_value_id part[3];
    rg_net from = *n;
    rg_net_name(&from, block, "q.local");
    rg_net_conv(&from, (rg_conv){width, .kernel = 3, .stride = 2, .group = width, .bias = true});
    rg_value_id local = from.x;
    from.x = n->x;
    rg_net_average_pool(&from, (rg_pool){.kernel = 1, .stride = 2});
    rg_net_add(&from, local);
    convolve(&from, block, "q.proj", (rg_conv){.channels = HEADS * KEY_DOWN});
    part[0] = by_head(&from, half * half, true);
    n->b = from.b;
    keys_values(n, block, KEY_DOWN, side * side, 2, &part[1], &part[2]);
    weigh(n, block, KEY_DOWN, side, 2, part);
    rg_net_activate(n, "Gelu");
    convolve(n, block, "proj", (rg_conv){.channels = out});
}

static void expand(rg_net *n, const char *block, int64_t inner)
{
    int64_t width = n->channels;
    rg_value_id before = n->x;
    convolve(n, block, "mlp.fc1", (rg_conv){.channels = inner});
    rg_net_activate(n, "Gelu");
    convolve(n, block, "mlp.mid", (rg_conv){inner, .kernel = 3, .group = inner});
    rg_net_activate(n, "Gelu");
    convolve(n, block, "mlp.fc2", (rg_conv){.channels = width});
    rg_net_add_scaled(n, block, "ls2.gamma", true, before);
}

static void shrink(rg_net *n, const efficientformer2 *e, int stage)
{
    char name[40], attention[48];
    rg_net side = *n;
    snprintf(name, sizeof name, "stages.%d.downsample", stage);
    snprintf(attention, sizeof attention, "%s.attn", name);
    convolve(n, name, "conv", (rg_conv){e->widths[stage], .kernel = 3, .stride = 2});
    if (stage < STAGES - 1) return;
    side.b = n->b;
    attend_down(&side, attention, IMAGE_SIDE / 16, e->widths[stage]);
    n->b = side.b;
    rg_net_add(n, side.x);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const efficientformer2 *e = self->layout;
    rg_net n, other;
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    convolve(&n, "stem", "conv1", (rg_conv){e->widths[0] / 2, .kernel = 3, .stride = 2});
    rg_net_activate(&n, "Gelu");
    convolve(&n, "stem", "conv2", (rg_conv){e->widths[0], .kernel = 3, .stride = 2});
    rg_net_activate(&n, "Gelu");
    for (int stage = 0; stage < STAGES; stage++) {
        if (stage) shrink(&n, e, stage);
        for (int i = 0; i < e->layers[stage]; i++) {
            char block[40], mixer[56];
            int64_t inner = stage < 2 ? 4 : e->inner[stage - 2][i] - '0';
            snprintf(block, sizeof block, "stages.%d.blocks.%d", stage, i);
            snprintf(mixer, sizeof mixer, "%s.token_mixer", block);
            rg_value_id before = n.x;
            if (stage >= 2 && i >= e->layers[stage] - e->attending) {
                attend(&n, mixer, stage == 2);
                rg_net_add_scaled(&n, block, "ls1.gamma", true, before);
            }
            expand(&n, block, inner * n.channels);
        }
    }
    rg_net_name(&n, "norm", "");
    rg_net_batch_norm(&n);
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    other = n; /* the head that had learned from a teacher */
    rg_net_linear(&other, "head_dist", 1000);
    n.b = other.b;
    rg_net_linear(&n, "head", 1000);
    rg_net_add(&n, other.x);
    n.x = rg_build_node(&n.b, "Div", NULL, n.x, rg_build_scalar(&n.b, 2), -1);
    return rg_net_done(&n, out);
}

#define SOURCE "Li et al. 2022, arXiv:2212.08059; parameters: timm, at 224x224"

/* Name, widths, layers, of which attend, inner widths, parameters, MACs. */
#define EFFICIENTFORMER2_LIST(X) \
    X(efficientformerv2_s0, 32, 48, 96, 176, 2, 2, 6, 4, 2, "433344", "4334", 3600256, 395892544) \
    X(efficientformerv2_s1, 32, 48, 120, 224, 3, 3, 9, 6, 2, "443333444", "443344", 6185560, 651969640) \
    X(efficientformerv2_s2, 32, 64, 144, 288, 4, 4, 12, 8, 4, "443333334444", "44333344", \
      12710112, 1246863952) \
    X(efficientformerv2_l, 40, 80, 192, 384, 5, 5, 15, 10, 6, "444433333334444", "4443333444", \
      26322288, 2552546880)

#define ROW(id, w1, w2, w3, w4, l1, l2, l3, l4, attention, inner3, inner4, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = IMAGE_SIDE, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, \
        .layout = &(const efficientformer2){{w1, w2, w3, w4}, {l1, l2, l3, l4}, attention, \
                                            {inner3, inner4}}, \
    };
EFFICIENTFORMER2_LIST(ROW)
