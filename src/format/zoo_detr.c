/* zoo_detr.c - DETR: a ResNet's last stage is read as a sequence of places by a transformer, whose decoder
 * turns 100 learned queries into 100 objects or none.
 *
 * Images of different sizes are padded to one; `mask` says which pixels are padding. It keeps attention off
 * them, and positions are counted over what is left: sines and cosines of a place's row and column, as
 * fractions of the image's own sides.
 */
#include "format/zoo.h"

#include <math.h>

enum {
    HIGH = 800, WIDE = 1066, /* COCO's 480x640, its shorter side 800: how DETR is evaluated */
    STRIDE = 32, ROWS = HIGH / STRIDE, COLUMNS = (WIDE + STRIDE - 1) / STRIDE, PLACES = ROWS * COLUMNS,
    WIDTH = 256, HEADS = 8, HEAD = WIDTH / HEADS, INNER = 2048, LAYERS = 6, QUERIES = 100,
    CLASSES = 92, /* 91 of COCO's numbering, and "no object" */
};

/* ---- where padding is, and where places are ---- */

/* mask: bool[batch, HIGH, WIDE] -> bool[batch, ROWS, COLUMNS], the pixel nearest to each place. */
static rg_value_id shrink(rg_build *b, rg_value_id mask)
{
    static const char attrs[] =
        "coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" nearest_mode=\"floor\"";
    rg_value_id axis = rg_build_ints(b, 1, (const int64_t[]){1});
    rg_value_id image = rg_build_node(b, "Shape", "end=1 start=0", mask, -1);
    rg_value_id sizes = rg_build_ints(b, 3, (const int64_t[]){1, ROWS, COLUMNS});
    sizes = rg_build_node(b, "Concat", "axis=0", image, sizes, -1);
    rg_value_id x = rg_build_node(b, "Cast", "to=1", mask, -1);
    x = rg_build_node(b, "Unsqueeze", NULL, x, axis, -1);
    x = rg_build_node(b, "Resize", attrs, x, 0, 0, sizes, -1);
    x = rg_build_node(b, "Squeeze", NULL, x, axis, -1);
    return rg_build_node(b, "Cast", "to=9", x, -1);
}

/* How far down (axis 1) or right (axis 2) each place is, as an angle: 2 pi at the last one of the image.
 * seen: f32[batch, ROWS, COLUMNS], 0 at padding. */
static rg_value_id angles(rg_build *b, rg_value_id seen, int64_t axis)
{
    rg_value_id along = rg_build_ints(b, 1, &axis), last = rg_build_ints(b, 1, (const int64_t[]){-1});
    rg_value_id end = rg_build_ints(b, 1, (const int64_t[]){INT64_MAX});
    rg_value_id at = rg_build_node(b, "CumSum", NULL, seen, rg_zoo_int(b, axis), -1);
    rg_value_id whole = rg_build_node(b, "Slice", NULL, at, last, end, along, -1);
    whole = rg_build_node(b, "Add", NULL, whole, rg_build_scalar(b, 1e-6f), -1);
    at = rg_build_node(b, "Div", NULL, at, whole, -1);
    at = rg_build_node(b, "Mul", NULL, at, rg_build_scalar(b, 6.2831853f), -1);
    return rg_build_node(b, "Unsqueeze", NULL, at, last, -1);
}

/* Every second feature, from `first` on, through Sin or Cos. */
static rg_value_id wave(rg_build *b, const char *type, rg_value_id x, int64_t first)
{
    rg_value_id start = rg_build_ints(b, 1, &first), end = rg_build_ints(b, 1, (const int64_t[]){INT64_MAX});
    rg_value_id axis = rg_build_ints(b, 1, (const int64_t[]){3});
    rg_value_id step = rg_build_ints(b, 1, (const int64_t[]){2});
    x = rg_build_node(b, "Slice", NULL, x, start, end, axis, step, -1);
    x = rg_build_node(b, type, NULL, x, -1);
    return rg_build_node(b, "Unsqueeze", NULL, x, rg_build_ints(b, 1, (const int64_t[]){4}), -1);
}

/* Half of the features are of the row, half of the column: of angle / 10000^(2 i / half), sine and cosine in
 * turn. -> [batch, PLACES, WIDTH]. */
static rg_value_id positions_of(rg_build *b, rg_value_id padding)
{
    enum { HALF = WIDTH / 2 };
    float *at;
    rg_value_id parts[2], out;
    rg_value_id seen = rg_build_node(b, "Not", NULL, padding, -1);
    seen = rg_build_node(b, "Cast", "to=1", seen, -1);
    rg_value_id lengths = rg_zoo_floats(b, 1, (const int64_t[]){HALF}, &at);
    for (int i = 0; at && i < HALF; i++) at[i] = (float)pow(10000, 2.0 * (i / 2) / HALF);
    for (int i = 0; i < 2; i++) {
        rg_value_id x = rg_build_node(b, "Div", NULL, angles(b, seen, 1 + i), lengths, -1);
        rg_value_id sine = wave(b, "Sin", x, 0), cosine = wave(b, "Cos", x, 1);
        x = rg_build_node(b, "Concat", "axis=4", sine, cosine, -1);
        parts[i] = rg_zoo_reshape(b, x, 3, (const int64_t[]){0, PLACES, HALF});
    }
    return rg_build_nodev(b, "Concat", "axis=2", 2, parts, 1, &out);
}

/* Minus infinity at padding: [batch, 1, 1, PLACES]. */
static rg_value_id mask_of(rg_build *b, rg_value_id padding)
{
    rg_value_id x = rg_zoo_reshape(b, padding, 4, (const int64_t[]){0, 1, 1, PLACES});
    return rg_build_node(b, "Where", NULL, x, rg_build_scalar(b, -INFINITY), rg_build_scalar(b, 0), -1);
}

/* ---- the transformer ---- */

/* What a layer reads: positions join queries and keys, not values. 0 for no mask. */
typedef struct source { rg_value_id x, positions, mask; } source;

static rg_value_id placed(rg_build *b, source s)
{
    return rg_build_node(b, "Add", NULL, s.x, s.positions, -1);
}

/* Part of torch's in_proj: [batch, n, WIDTH] -> [batch, HEADS, n, HEAD]. */
static rg_value_id project(rg_build *b, const char *scope, const char *part, rg_value_id x)
{
    rg_zoo_scope(b, "%s.in_proj.%s", scope, part);
    x = rg_zoo_dense(b, x, WIDTH, WIDTH, true);
    return rg_zoo_split_heads(b, x, HEADS, HEAD, part[0] == 'k');
}

/* x and its sum with what a sublayer made of it, normalized. */
static rg_value_id close(rg_build *b, const char *layer, int index, rg_value_id x, rg_value_id before)
{
    rg_zoo_scope(b, "%s.norm%d", layer, index);
    x = rg_build_node(b, "Add", NULL, before, x, -1);
    return rg_zoo_layer_norm(b, x, WIDTH, 1e-5);
}

static rg_value_id attend(rg_build *b, const char *layer, const char *name, source to, source from)
{
    char scope[80];
    snprintf(scope, sizeof scope, "%s.%s", layer, name);
    rg_zoo_scope(b, "%s", scope);
    rg_value_id q = project(b, scope, "q", placed(b, to));
    rg_value_id k = project(b, scope, "k", placed(b, from));
    rg_value_id v = project(b, scope, "v", from.x);
    rg_zoo_scope(b, "%s", scope);
    rg_value_id x = rg_zoo_attend(b, q, k, v, from.mask, HEADS, HEAD, 0);
    rg_zoo_scope(b, "%s.out_proj", scope);
    return rg_zoo_dense(b, x, WIDTH, WIDTH, true);
}

static rg_value_id feed_forward(rg_build *b, const char *layer, int index, rg_value_id x)
{
    rg_value_id y = rg_zoo_feed_forward(b, x, layer, "linear1", "linear2", WIDTH, INNER, "Relu");
    return close(b, layer, index, y, x);
}

static rg_value_id encode(rg_build *b, int index, source s)
{
    char layer[48];
    snprintf(layer, sizeof layer, "transformer.encoder.layers.%d", index);
    s.x = close(b, layer, 1, attend(b, layer, "self_attn", s, s), s.x);
    return feed_forward(b, layer, 2, s.x);
}

static rg_value_id decode(rg_build *b, int index, source s, source memory)
{
    char layer[48];
    snprintf(layer, sizeof layer, "transformer.decoder.layers.%d", index);
    s.x = close(b, layer, 1, attend(b, layer, "self_attn", s, s), s.x);
    s.x = close(b, layer, 2, attend(b, layer, "multihead_attn", s, memory), s.x);
    return feed_forward(b, layer, 3, s.x);
}

/* The queries begin as nothing but their positions, which are learned. */
static source queries_of(rg_build *b, rg_value_id image)
{
    rg_value_id batch = rg_build_node(b, "Shape", "end=1 start=0", image, -1);
    rg_value_id sizes = rg_build_ints(b, 2, (const int64_t[]){QUERIES, WIDTH});
    sizes = rg_build_node(b, "Concat", "axis=0", batch, sizes, -1);
    source s = {.x = rg_build_node(b, "ConstantOfShape", NULL, sizes, -1)};
    rg_zoo_scope(b, "query_embed");
    s.positions = rg_build_param(b, "weight", RG_F32, 2, (const int64_t[]){QUERIES, WIDTH});
    return s;
}

/* ---- the model ---- */

/* Middle and size of each box, as fractions of the image. */
static rg_value_id boxes_of(rg_build *b, rg_value_id x)
{
    for (int i = 0; i < 3; i++) {
        rg_zoo_scope(b, "bbox_embed.layers.%d", i);
        x = rg_zoo_dense(b, x, WIDTH, i < 2 ? WIDTH : 4, true);
        x = rg_build_node(b, i < 2 ? "Relu" : "Sigmoid", NULL, x, -1);
    }
    return x;
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    rg_net n = {.channels = 3, .epsilon = 1e-5};
    rg_build *b = &n.b;
    RG_TRY(rg_build_init(b, cx, self->name));
    rg_dim batch = rg_build_dim(b, "batch", 1);
    rg_value_id image = rg_build_input(b, "image", RG_F32, 4, (const rg_dim[]){batch, 3, HIGH, WIDE});
    rg_value_id mask = rg_build_input(b, "mask", RG_BOOL, 3, (const rg_dim[]){batch, HIGH, WIDE});
    n.x = image;
    rg_net_resnet50_trunk(&n, "backbone.0.body.");
    rg_zoo_scope(b, "input_proj");
    rg_net_conv(&n, (rg_conv){.channels = WIDTH, .bias = true});
    source memory = {.x = rg_zoo_reshape(b, n.x, 3, (const int64_t[]){0, WIDTH, PLACES})};
    memory.x = rg_build_node(b, "Transpose", "perm=0,2,1", memory.x, -1);
    rg_zoo_scope(b, "backbone.1");
    mask = shrink(b, mask);
    memory.positions = positions_of(b, mask);
    memory.mask = mask_of(b, mask);
    for (int i = 0; i < LAYERS; i++) memory.x = encode(b, i, memory);
    rg_zoo_scope(b, "transformer.decoder");
    source queries = queries_of(b, image);
    for (int i = 0; i < LAYERS; i++) queries.x = decode(b, i, queries, memory);
    rg_zoo_scope(b, "transformer.decoder.norm");
    rg_value_id found = rg_zoo_layer_norm(b, queries.x, WIDTH, 1e-5);
    rg_zoo_scope(b, "class_embed");
    rg_build_output(b, "logits", rg_zoo_dense(b, found, WIDTH, CLASSES, true));
    rg_build_output(b, "boxes", boxes_of(b, found));
    return rg_build_done(b, out);
}

RG_ZOO(detr_resnet50) = {
    .name = "detr_resnet50", .family = "cnn", .build = build,
    .source = "Carion et al. 2020, arXiv:2005.12872; facebookresearch/detr counts 41,302,368 trained "
              "parameters, to which its frozen stem and first stage (222,400) and the scales and biases of "
              "its frozen normalizations (53,120) are added here; the paper's 86 GFLOPS are a mean over "
              "images, MACs here at 800x1066 by the layer table, the heads on the last layer alone",
    .parameters = 41577888, .macs = 81167232000,
};
