/* zoo_yolo.c - YOLOv8 detectors as Ultralytics exports them, without the suppression of overlaps: a backbone
 * that halves the image five times, a neck that carries what the deep levels see up to the fine ones and
 * back, and a head that gives each place of three levels its distances to the four edges of a box, and 80
 * scores.
 *
 *     level 3 (80x80)     C2f 4 ------------ Concat - C2f 15 -- detect
 *                          |                   ^        |
 *     level 4 (40x40)     C2f 6 -- Concat - C2f 12   Concat - C2f 18 -- detect
 *                          |         ^            \____^        |
 *     level 5 (20x20)     SPPF 9 ----+--------------------- Concat - C2f 21 -- detect
 */
#include "format/zoo.h"

#include <assert.h>

enum {
    IMAGE_SIDE = 640, CLASSES = 80, LEVELS = 3,
    BINS = 16,                 /* a distance is the mean of a distribution over 0 .. 15 */
    DISTANCES = 4 * BINS,
    PLACES = 80 * 80 + 40 * 40 + 20 * 20,
};
static const int64_t strides[LEVELS] = {8, 16, 32}; /* pixels of a place */

/* The compound scaling of yolov8.yaml: fractions of the repetitions and of the channels, and the most
 * channels that a fraction is taken of. */
typedef struct yolo { double depth, width; int64_t channel_max; } yolo;

static int64_t scaled(const yolo *y, int64_t channels)
{
    double wanted = (double)(channels < y->channel_max ? channels : y->channel_max) * y->width;
    return ((int64_t)wanted + 7) / 8 * 8; /* widths of quarters: wanted is whole */
}

/* Convolution SCOPE.conv, normalization SCOPE.bn, SiLU. */
static void conv(rg_net *n, const char *scope, rg_conv c)
{
    rg_zoo_scope(&n->b, "%s.conv", scope);
    rg_net_conv(n, c);
    rg_zoo_scope(&n->b, "%s.bn", scope);
    rg_net_batch_norm(n);
    rg_zoo_scope(&n->b, "%s.act", scope);
    rg_net_activate(n, "SiLU");
}

/* Layer `index` of the model, a convolution that halves the image. */
static void halve(rg_net *n, const yolo *y, int index, int64_t channels)
{
    char name[32];
    snprintf(name, sizeof name, "model.%d", index);
    conv(n, name, (rg_conv){.channels = scaled(y, channels), .kernel = 3, .stride = 2});
}

/* Two convolutions of 3x3; the input is added in the backbone. */
static void bottleneck(rg_net *n, const char *scope, bool add)
{
    char name[64];
    rg_value_id before = n->x;
    for (int i = 1; i <= 2; i++) {
        snprintf(name, sizeof name, "%s.cv%d", scope, i);
        conv(n, name, (rg_conv){.channels = n->channels, .kernel = 3});
    }
    if (!add) return;
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_add(n, before);
}

/* Halves of the channels: one stays, the other goes through bottlenecks, whose results are all kept. */
static void c2f(rg_net *n, const yolo *y, int index, int repeats, int64_t channels, bool add)
{
    enum { PART_MAX = 2 + 6 }; /* six repetitions at full depth */
    rg_value_id parts[PART_MAX] = {0};
    char name[32], inner[48];
    int64_t after = scaled(y, channels), half = after / 2;
    uint32_t count = 2, wanted = 2 + (uint32_t)(repeats * y->depth + 0.5);
    snprintf(name, sizeof name, "model.%d.cv1", index);
    conv(n, name, (rg_conv){.channels = after});
    rg_zoo_scope(&n->b, "model.%d", index);
    rg_value_id sizes = rg_build_ints(&n->b, 2, (const int64_t[]){half, half});
    rg_build_nodev(&n->b, "Split", "axis=1", 2, (const rg_value_id[]){n->x, sizes}, 2, parts);
    n->x = parts[1];
    n->channels = half;
    assert(wanted <= PART_MAX);
    while (count < wanted) {
        snprintf(inner, sizeof inner, "model.%d.m.%u", index, count - 2);
        bottleneck(n, inner, add);
        parts[count++] = n->x;
    }
    rg_zoo_scope(&n->b, "model.%d", index);
    rg_net_concat(n, count, parts, half * count);
    snprintf(name, sizeof name, "model.%d.cv2", index);
    conv(n, name, (rg_conv){.channels = after});
}

/* Spatial pyramid pooling: what is within 2, 4 and 6 places of each. */
static void sppf(rg_net *n)
{
    rg_value_id parts[4];
    int64_t after = n->channels;
    conv(n, "model.9.cv1", (rg_conv){.channels = after / 2});
    rg_zoo_scope(&n->b, "model.9.m");
    for (int i = 0; i < 4; i++) {
        if (i) rg_net_max_pool(n, (rg_pool){.kernel = 5, .stride = 1, .pad = 2});
        parts[i] = n->x;
    }
    rg_net_concat(n, 4, parts, 2 * after);
    conv(n, "model.9.cv2", (rg_conv){.channels = after});
}

/* ---- the neck ---- */

/* What a layer leaves for later ones. */
typedef struct level { rg_value_id x; int64_t channels; } level;
static level keep(const rg_net *n) { return (level){n->x, n->channels}; }

static void append(rg_net *n, int index, level other)
{
    rg_zoo_scope(&n->b, "model.%d", index);
    rg_net_concat(n, 2, (const rg_value_id[]){n->x, other.x}, n->channels + other.channels);
}

static void enlarge(rg_net *n, int index)
{
    static const char attrs[] =
        "coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" nearest_mode=\"floor\"";
    float *scales;
    rg_zoo_scope(&n->b, "model.%d", index);
    rg_value_id twice = rg_zoo_floats(&n->b, 1, (const int64_t[]){4}, &scales);
    for (int i = 0; scales && i < 4; i++) scales[i] = i < 2 ? 1 : 2;
    n->x = rg_build_node(&n->b, "Resize", attrs, n->x, 0, twice, -1);
}

/* Layers 0 to 21 of yolov8.yaml; the image -> the three levels. */
static void see(rg_net *n, const yolo *y, level levels[LEVELS])
{
    halve(n, y, 0, 64);
    halve(n, y, 1, 128);
    c2f(n, y, 2, 3, 128, true);
    halve(n, y, 3, 256);
    c2f(n, y, 4, 6, 256, true);
    level fine = keep(n);
    halve(n, y, 5, 512);
    c2f(n, y, 6, 6, 512, true);
    level middle = keep(n);
    halve(n, y, 7, 1024);
    c2f(n, y, 8, 3, 1024, true);
    sppf(n);
    level deep = keep(n);
    enlarge(n, 10);
    append(n, 11, middle);
    c2f(n, y, 12, 3, 512, false);
    middle = keep(n);
    enlarge(n, 13);
    append(n, 14, fine);
    c2f(n, y, 15, 3, 256, false);
    levels[0] = keep(n);
    halve(n, y, 16, 256);
    append(n, 17, middle);
    c2f(n, y, 18, 3, 512, false);
    levels[1] = keep(n);
    halve(n, y, 19, 512);
    append(n, 20, deep);
    c2f(n, y, 21, 3, 1024, false);
    levels[2] = keep(n);
}

/* ---- the head ---- */

/* model.22.BRANCH.index: two convolutions of `inner` channels and one of `out` on a level. */
static rg_value_id branch(rg_net *n, const char *name, int index, level from, int64_t inner, int64_t out)
{
    char scope[48];
    n->x = from.x;
    n->channels = from.channels;
    for (int i = 0; i < 2; i++) {
        snprintf(scope, sizeof scope, "model.22.%s.%d.%d", name, index, i);
        conv(n, scope, (rg_conv){.channels = inner, .kernel = 3});
    }
    rg_zoo_scope(&n->b, "model.22.%s.%d.2", name, index);
    rg_net_conv(n, (rg_conv){.channels = out, .bias = true});
    return n->x;
}

/* The three levels -> [batch, DISTANCES + CLASSES, PLACES]. */
static void detect(rg_net *n, const level levels[LEVELS])
{
    int64_t first = levels[0].channels;
    int64_t box = first / 4 > DISTANCES ? first / 4 : DISTANCES, score = first > CLASSES ? first : CLASSES;
    rg_value_id parts[LEVELS], out;
    for (int i = 0; i < LEVELS; i++) {
        rg_value_id both[2] = {branch(n, "cv2", i, levels[i], box, DISTANCES),
                               branch(n, "cv3", i, levels[i], score, CLASSES)};
        rg_zoo_scope(&n->b, "model.22");
        rg_net_concat(n, 2, both, DISTANCES + CLASSES);
        parts[i] = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){0, DISTANCES + CLASSES, -1});
    }
    n->x = rg_build_nodev(&n->b, "Concat", "axis=2", LEVELS, parts, 1, &out);
}

/* The middle of each place in units of its level: [1, 2, PLACES], x before y. */
static rg_value_id anchors_of(rg_build *b)
{
    float *at;
    int64_t place = 0;
    rg_value_id anchors = rg_zoo_floats(b, 3, (const int64_t[]){1, 2, PLACES}, &at);
    for (int i = 0; at && i < LEVELS; i++) {
        int64_t side = IMAGE_SIDE / strides[i];
        for (int64_t row = 0; row < side; row++) {
            for (int64_t column = 0; column < side; column++, place++) {
                at[place] = (float)column + 0.5f;
                at[PLACES + place] = (float)row + 0.5f;
            }
        }
    }
    return anchors;
}

/* Pixels of each place, [1, PLACES]: each level's stride, as often as it has places. */
static rg_value_id strides_of(rg_build *b)
{
    rg_value_id parts[LEVELS], out;
    for (int i = 0; i < LEVELS; i++) {
        int64_t side = IMAGE_SIDE / strides[i];
        rg_value_id size = rg_build_ints(b, 2, (const int64_t[]){1, side * side});
        parts[i] = rg_build_node(b, "Expand", NULL, rg_build_scalar(b, (float)strides[i]), size, -1);
    }
    return rg_build_nodev(b, "Concat", "axis=1", LEVELS, parts, 1, &out);
}

/* [batch, DISTANCES, PLACES] -> left, top, right, bottom: [batch, 4, PLACES]. The mean of a distribution is a
 * convolution with the weights 0 .. 15, which count as parameters. */
static void measure(rg_net *n)
{
    rg_build *b = &n->b;
    rg_zoo_scope(b, "model.22.dfl");
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, 4, BINS, PLACES});
    n->x = rg_build_node(b, "Transpose", "perm=0,2,1,3", n->x, -1);
    n->x = rg_build_node(b, "Softmax", "axis=1", n->x, -1);
    n->channels = BINS;
    rg_zoo_scope(b, "model.22.dfl.conv");
    rg_net_conv(n, (rg_conv){.channels = 1});
    rg_zoo_scope(b, "model.22");
    n->x = rg_zoo_reshape(b, n->x, 3, (const int64_t[]){0, 4, PLACES});
}

/* Distances -> middle and size of the box, in pixels. */
static void box(rg_net *n)
{
    rg_build *b = &n->b;
    rg_value_id parts[2] = {0}, sizes = rg_build_ints(b, 2, (const int64_t[]){2, 2});
    rg_build_nodev(b, "Split", "axis=1", 2, (const rg_value_id[]){n->x, sizes}, 2, parts);
    rg_value_id anchors = anchors_of(b);
    rg_value_id low = rg_build_node(b, "Sub", NULL, anchors, parts[0], -1);
    rg_value_id high = rg_build_node(b, "Add", NULL, anchors, parts[1], -1);
    rg_value_id middle = rg_build_node(b, "Add", NULL, low, high, -1);
    middle = rg_build_node(b, "Div", NULL, middle, rg_build_scalar(b, 2), -1);
    rg_value_id size = rg_build_node(b, "Sub", NULL, high, low, -1);
    n->x = rg_build_node(b, "Concat", "axis=1", middle, size, -1);
    n->x = rg_build_node(b, "Mul", NULL, n->x, strides_of(b), -1);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    rg_net n;
    level levels[LEVELS];
    rg_value_id parts[2] = {0};
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    n.epsilon = 1e-3;
    see(&n, self->layout, levels);
    detect(&n, levels);
    rg_value_id sizes = rg_build_ints(&n.b, 2, (const int64_t[]){DISTANCES, CLASSES});
    rg_build_nodev(&n.b, "Split", "axis=1", 2, (const rg_value_id[]){n.x, sizes}, 2, parts);
    n.x = parts[0];
    measure(&n);
    box(&n);
    rg_value_id scores = rg_build_node(&n.b, "Sigmoid", NULL, parts[1], -1);
    n.x = rg_build_node(&n.b, "Concat", "axis=1", n.x, scores, -1);
    rg_build_output(&n.b, "boxes", n.x); /* [batch, 4 + CLASSES, PLACES] */
    return rg_build_done(&n.b, out);
}

#define SOURCE \
    "Jocher et al. 2023, Ultralytics YOLOv8 at 640x640; parameters: yolov8.yaml, normalizations not fused; " \
    "MACs: half of the GFLOPs in its documentation's table"

RG_ZOO(yolov8n) = {
    .name = "yolov8n", .family = "cnn", .source = SOURCE, .build = build,
    .parameters = 3157200, .macs = 4371993600, .published_macs = 8.7e9 / 2, .rounding = 0.05e9 / 2,
    .layout = &(const yolo){.depth = 0.33, .width = 0.25, .channel_max = 1024},
};

RG_ZOO(yolov8s) = {
    .name = "yolov8s", .family = "cnn", .source = SOURCE, .build = build,
    .parameters = 11166560, .macs = 14301312000, .published_macs = 28.6e9 / 2, .rounding = 0.05e9 / 2,
    .layout = &(const yolo){.depth = 0.33, .width = 0.5, .channel_max = 1024},
};

RG_ZOO(yolov8m) = {
    .name = "yolov8m", .family = "cnn", .source = SOURCE, .build = build,
    .parameters = 25902640, .macs = 39468364800, .published_macs = 78.9e9 / 2, .rounding = 0.05e9 / 2,
    .layout = &(const yolo){.depth = 0.67, .width = 0.75, .channel_max = 768},
};
