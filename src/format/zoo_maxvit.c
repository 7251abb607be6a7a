/* zoo_maxvit.c - MaxViT as torchvision has it: each layer filters (an inverted residual with squeeze and
 * excitation), then attends inside windows of 7x7 neighbors, then inside grids of 7x7 places spread evenly
 * over the image.
 *
 *     window: a a b b        grid: a b a b       places that attend to each other share a letter
 *             a a b b              c d c d       (here of 2x2)
 *             c c d d              a b a b
 *             c c d d              c d c d
 */
#include "format/zoo.h"

#include <math.h>

enum {
    IMAGE_SIDE = 224, STEM = 64, EXPANSION = 4, SQUEEZE = 4, HEAD = 32,
    SIDE = 7, PLACES = SIDE * SIDE, /* of a window or grid */
};

/* Table 1 of the paper, "T": channels and layers of the four stages. */
static const struct { int64_t channels; int layers; } stages[] = {{64, 2}, {128, 2}, {256, 5}, {512, 2}};

/* ---- convolution ---- */

/* What the block's result is added to: the input, fitted where the block changes sizes. */
static rg_value_id shortcut(rg_net *n, const char *scope, int64_t channels, int64_t stride)
{
    rg_net side = *n;
    if (stride == 1 && channels == n->channels) return n->x;
    rg_zoo_scope(&side.b, "%s.proj.0", scope);
    rg_net_average_pool(&side, (rg_pool){.kernel = 3, .stride = stride, .pad = 1, .count_pad = true});
    rg_zoo_scope(&side.b, "%s.proj.1", scope);
    rg_net_conv(&side, (rg_conv){.channels = channels, .bias = true});
    n->b = side.b;
    return side.x;
}

static void filter(rg_net *n, const char *layer, int64_t channels, int64_t stride)
{
    char scope[64], name[96];
    int64_t wide = EXPANSION * channels;
    snprintf(scope, sizeof scope, "%s.MBconv", layer);
    rg_value_id before = shortcut(n, scope, channels, stride);
    rg_zoo_scope(&n->b, "%s.layers.pre_norm", scope);
    rg_net_batch_norm(n);
    snprintf(name, sizeof name, "%s.layers.conv_a", scope);
    rg_net_conv_norm(n, name, (rg_conv){.channels = wide}, "Gelu");
    snprintf(name, sizeof name, "%s.layers.conv_b", scope);
    rg_conv each = {.channels = wide, .kernel = 3, .stride = stride, .group = wide};
    rg_net_conv_norm(n, name, each, "Gelu");
    snprintf(name, sizeof name, "%s.layers.squeeze_excitation", scope);
    rg_net_squeeze_excite(n, name, channels / SQUEEZE, "SiLU", "Sigmoid");
    rg_zoo_scope(&n->b, "%s.layers.conv_c", scope);
    rg_net_conv(n, (rg_conv){.channels = channels, .bias = true});
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_add(n, before);
}

/* ---- attention ---- */

/* The image in tiles of tile x tile places, across x across of them. A tile is a window; where there are
 * SIDE x SIDE tiles, the places at the same position of each are a grid. */
typedef struct tiling { int64_t tile, across; bool grid; } tiling;

/* [batch, channels, side, side] -> [batch * windows, PLACES, channels]. */
static void partition(rg_net *n, tiling t)
{
    rg_build *b = &n->b;
    int64_t c = n->channels, tile = t.tile, across = t.across;
    n->x = rg_zoo_reshape(b, n->x, 6, (const int64_t[]){0, c, across, tile, across, tile});
    n->x = rg_build_node(b, "Transpose", "perm=0,2,4,3,5,1", n->x, -1);
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, across * across, tile * tile, c});
    if (t.grid) n->x = rg_build_node(b, "Transpose", "perm=0,2,1,3", n->x, -1);
    n->x = rg_zoo_reshape(b, n->x, 3, (const int64_t[]){-1, PLACES, c});
}

static void join(rg_net *n, tiling t)
{
    rg_build *b = &n->b;
    int64_t c = n->channels, tile = t.tile, across = t.across, tiles = across * across, size = tile * tile;
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){-1, t.grid ? size : tiles, PLACES, c});
    if (t.grid) n->x = rg_build_node(b, "Transpose", "perm=0,2,1,3", n->x, -1);
    n->x = rg_zoo_reshape(b, n->x, 6, (const int64_t[]){0, across, across, tile, tile, c});
    n->x = rg_build_node(b, "Transpose", "perm=0,5,1,3,2,4", n->x, -1);
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, c, across * tile, across * tile});
}

static void normalize(rg_net *n) { n->x = rg_zoo_layer_norm(&n->b, n->x, n->channels, 1e-5); }

/* The scale is of all features, not of a head's: so it is in the paper's code and in torchvision. */
static void attend(rg_net *n, const char *scope, tiling t)
{
    char part[96];
    rg_self_attention attention = {.scope = part, .packed = "to_qkv", .out = "merge", .head = HEAD,
                                   .heads = n->channels / HEAD, .scale = 1 / sqrt((double)n->channels)};
    rg_zoo_scope(&n->b, "%s", scope);
    partition(n, t);
    rg_value_id before = n->x;
    rg_zoo_scope(&n->b, "%s.attn_layer.0", scope);
    normalize(n);
    snprintf(part, sizeof part, "%s.attn_layer.1", scope);
    rg_zoo_scope(&n->b, "%s", part);
    attention.bias = rg_zoo_relative_bias(&n->b, SIDE, attention.heads);
    n->x = rg_zoo_self_attention(&n->b, n->x, &attention);
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_add(n, before);
    before = n->x;
    rg_zoo_scope(&n->b, "%s.mlp_layer.0", scope);
    normalize(n);
    snprintf(part, sizeof part, "%s.mlp_layer", scope);
    n->x = rg_zoo_feed_forward(&n->b, n->x, part, "1", "3", n->channels, 4 * n->channels, "Gelu");
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_add(n, before);
    join(n, t);
}

/* ---- the model ---- */

static void classify(rg_net *n)
{
    rg_zoo_scope(&n->b, "classifier.0");
    rg_net_global_pool(n);
    rg_net_flatten(n);
    rg_zoo_scope(&n->b, "classifier.2");
    normalize(n);
    rg_net_linear(n, "classifier.3", n->channels);
    rg_net_activate(n, "Tanh");
    rg_zoo_scope(&n->b, "classifier.5");
    n->x = rg_zoo_dense(&n->b, n->x, n->channels, 1000, false);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    int64_t side = IMAGE_SIDE / 2;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    n.epsilon = 1e-3;
    rg_net_conv_norm(&n, "stem.0", (rg_conv){.channels = STEM, .kernel = 3, .stride = 2}, "Gelu");
    rg_zoo_scope(&n.b, "stem.1.0");
    rg_net_conv(&n, (rg_conv){.channels = STEM, .kernel = 3, .bias = true});
    for (int stage = 0; stage < (int)RG_COUNT(stages); stage++) {
        side /= 2;
        for (int i = 0; i < stages[stage].layers; i++) {
            char layer[48], name[80];
            snprintf(layer, sizeof layer, "blocks.%d.layers.%d.layers", stage, i);
            filter(&n, layer, stages[stage].channels, i ? 1 : 2);
            snprintf(name, sizeof name, "%s.window_attention", layer);
            attend(&n, name, (tiling){.tile = SIDE, .across = side / SIDE});
            snprintf(name, sizeof name, "%s.grid_attention", layer);
            attend(&n, name, (tiling){.tile = side / SIDE, .across = SIDE, .grid = true});
        }
    }
    classify(&n);
    return rg_net_done(&n, out);
}

RG_ZOO(maxvit_t) = {
    .name = "maxvit_t", .family = "transformer", .build = build,
    .source = "Tu et al. 2022, arXiv:2204.01697; figures: torchvision, IMAGENET1K_V1 at 224x224",
    .parameters = 30919624, .macs = 5558046720, .published_macs = 5.558e9, .rounding = 0.5e6,
};
