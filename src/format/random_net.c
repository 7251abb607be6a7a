/* random_net.c - "random:SEED": networks that nobody designed, of the blocks that designed ones are made of,
 * with sizes drawn log-uniformly: to measure and to learn from what no list of well-known models has.
 *
 *     SEED % 10   0 to 5: images through convolutions    6 to 8: a sequence through attention    9:
 * perceptron
 *
 * The same number is the same network on every machine. Most take 1 to 2000 million multiply-adds.
 */
#include "format/zoo.h"

#include "format/zoo_mbconv.h"
#include "op/op.h"

#include <math.h>
#include <string.h>

typedef struct dice { uint64_t state; } dice;

static int64_t between(dice *d, int64_t least, int64_t most)
{
    return least + (int64_t)(rg_random_unit(&d->state) * (double)(most - least + 1));
}

static bool chance(dice *d, double share) { return rg_random_unit(&d->state) < share; }

/* The multiple of `unit` nearest to a number whose logarithm is uniform. */
static int64_t size_of(dice *d, double least, double most, int64_t unit)
{
    double x = least * pow(most / least, rg_random_unit(&d->state));
    int64_t nearest = (int64_t)(x / (double)unit + 0.5) * unit;
    return nearest < unit ? unit : nearest;
}

#define PICK(d, list) (list)[between((d), 0, (int64_t)RG_COUNT(list) - 1)]
static const char *const activations[] = {"Relu", "Relu", "Relu6", "SiLU", "HardSwish", "Gelu"};

/* ---- images ---- */

enum block { BASIC, BOTTLENECK, INVERTED, PLAIN, BRANCHES, BLOCKS };

typedef struct style {
    enum block block;
    int64_t kernel, expansion, group;
    const char *activation;
    bool gate;
} style;

static style draw_style(dice *d)
{
    static const int64_t kernels[] = {3, 3, 3, 5, 7}, expansions[] = {2, 3, 4, 6},
                         groups[] = {1, 1, 1, 2, 4, 8};
    return (style){
        .block = (enum block)between(d, 0, BLOCKS - 1), .kernel = PICK(d, kernels),
        .expansion = PICK(d, expansions), .group = PICK(d, groups), .activation = PICK(d, activations),
        .gate = chance(d, 0.4),
    };
}

/* Depthwise ones look as far as they like; dense ones of 5 and more are rare and dear. */
static int64_t dense_kernel(const style *s) { return s->kernel == 7 ? 3 : s->kernel; }

static void straight(rg_net *n, const char *name, const style *s, int64_t channels, int64_t stride)
{
    char part[64];
    int64_t inner = s->block == BOTTLENECK ? channels / 4 / 8 * 8 + 8 : channels;
    int64_t group = inner % (8 * s->group) ? 1 : s->group;
    if (s->block == BOTTLENECK) {
        snprintf(part, sizeof part, "%s.narrow", name);
        rg_net_conv_norm(n, part, (rg_conv){.channels = inner}, s->activation);
    }
    snprintf(part, sizeof part, "%s.look", name);
    rg_conv look = {.channels = inner, .kernel = dense_kernel(s), .stride = stride,
                    .group = n->channels % group ? 1 : group};
    rg_net_conv_norm(n, part, look, s->activation);
    if (s->block == PLAIN) return;
    snprintf(part, sizeof part, "%s.last", name);
    rg_conv last = {.channels = channels, .kernel = s->block == BASIC ? 3 : 1};
    rg_net_conv_norm(n, part, last, "None");
}

/* Side by side, as Inception has them: 1x1, k x k behind a narrow 1x1, pooling. */
static void branches(rg_net *n, const char *name, const style *s, int64_t channels)
{
    char part[64];
    int64_t before = n->channels, third = channels / 24 * 8 + 8;
    rg_value_id x = n->x, parts[3];
    snprintf(part, sizeof part, "%s.point", name);
    rg_net_conv_norm(n, part, (rg_conv){.channels = third}, s->activation);
    parts[0] = n->x;
    n->x = x, n->channels = before;
    snprintf(part, sizeof part, "%s.narrow", name);
    rg_net_conv_norm(n, part, (rg_conv){.channels = third}, s->activation);
    snprintf(part, sizeof part, "%s.look", name);
    rg_net_conv_norm(n, part, (rg_conv){.channels = third, .kernel = dense_kernel(s)}, s->activation);
    parts[1] = n->x;
    n->x = x, n->channels = before;
    rg_zoo_scope(&n->b, "%s", name);
    rg_net_max_pool(n, (rg_pool){.kernel = 3, .stride = 1, .pad = 1});
    snprintf(part, sizeof part, "%s.pooled", name);
    rg_net_conv_norm(n, part, (rg_conv){.channels = third}, s->activation);
    parts[2] = n->x;
    rg_zoo_scope(&n->b, "%s", name);
    rg_net_concat(n, 3, parts, 3 * third);
}

static void image_block(rg_net *n, const char *name, const style *s, int64_t channels, int64_t stride)
{
    rg_value_id before = n->x;
    int64_t had = n->channels;
    if (s->block == INVERTED) {
        int64_t inner = s->expansion * n->channels;
        rg_net_mbconv(n, name, (rg_mbconv){
            .expanded = inner, .channels = channels, .kernel = s->kernel, .stride = stride,
            .activation = s->activation, .squeezed = s->gate ? rg_net_round((double)inner / 8, 8) : 0,
            .gate_activation = "Relu", .gate = "HardSigmoid"});
        return;
    }
    if (s->block == BRANCHES && stride == 1) {
        branches(n, name, s, channels);
        return;
    }
    straight(n, name, s, channels, stride);
    if (s->block != BASIC && s->block != BOTTLENECK) return;
    rg_zoo_scope(&n->b, "%s", name);
    if (stride == 1 && had == channels) rg_net_add(n, before);
    rg_net_activate(n, s->activation);
}

static rg_err image_net(rg_ctx *cx, const rg_zoo *self, dice *d, rg_graph **out)
{
    rg_net n;
    int64_t stages = between(d, 2, 4), channels = size_of(d, 12, 64, 4), wider = between(d, 14, 20);
    style s = draw_style(d);
    RG_TRY(rg_net_begin(&n, cx, self, size_of(d, 64, 288, 16)));
    rg_net_conv_norm(&n, "stem",
                     (rg_conv){.channels = channels, .kernel = chance(d, 0.3) ? 7 : 3, .stride = 2},
                     s.activation);
    if (chance(d, 0.4)) rg_net_max_pool(&n, (rg_pool){.kernel = 3, .stride = 2, .pad = 1});
    for (int64_t stage = 0; stage < stages;
         stage++, channels = rg_net_round((double)channels * (double)wider / 10, 8)) {
        int64_t blocks = between(d, 1, 4);
        if (chance(d, 0.3)) s = draw_style(d);
        for (int64_t i = 0; i < blocks; i++) {
            char name[32];
            snprintf(name, sizeof name, "stage%d.%d", (int)stage, (int)i);
            image_block(&n, name, &s, channels, i || (!stage && chance(d, 0.5)) ? 1 : 2);
        }
    }
    rg_zoo_scope(&n.b, "pool");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "head", between(d, 10, 1000));
    return rg_net_done(&n, out);
}

/* ---- sequences ---- */

static rg_err sequence_net(rg_ctx *cx, const rg_zoo *self, dice *d, rg_graph **out)
{
    static const int64_t head_sizes[] = {32, 64, 64, 128};
    rg_build b;
    int64_t head = PICK(d, head_sizes), width = size_of(d, 128, 1024, head), layers = between(d, 1, 6);
    int64_t inner = width * between(d, 2, 4), positions = size_of(d, 16, 384, 1);
    const char *activation = chance(d, 0.7) ? "Gelu" : "Relu";
    RG_TRY(rg_build_init(&b, cx, self->name));
    rg_dim shape[] = {rg_build_dim(&b, "batch", 1), positions, width};
    rg_value_id x = rg_build_input(&b, "states", RG_F32, 3, shape);
    for (int64_t i = 0; i < layers; i++) {
        char layer[32], scope[48];
        snprintf(layer, sizeof layer, "layer%d", (int)i);
        snprintf(scope, sizeof scope, "%s.attention", layer);
        rg_self_attention attention = {.scope = scope, .packed = "in", .out = "out", .heads = width / head,
                                       .head = head};
        rg_zoo_scope(&b, "%s.norm1", layer);
        rg_value_id y = rg_zoo_layer_norm(&b, x, width, 1e-5);
        y = rg_zoo_self_attention(&b, y, &attention);
        rg_zoo_scope(&b, "%s", layer);
        x = rg_build_node(&b, "Add", NULL, y, x, -1);
        rg_zoo_scope(&b, "%s.norm2", layer);
        y = rg_zoo_layer_norm(&b, x, width, 1e-5);
        y = rg_zoo_feed_forward(&b, y, layer, "first", "second", width, inner, activation);
        rg_zoo_scope(&b, "%s", layer);
        x = rg_build_node(&b, "Add", NULL, y, x, -1);
    }
    rg_build_output(&b, "result", x);
    return rg_build_done(&b, out);
}

/* ---- vectors ---- */

static rg_err perceptron(rg_ctx *cx, const rg_zoo *self, dice *d, rg_graph **out)
{
    rg_build b;
    int64_t layers = between(d, 2, 6), width = size_of(d, 32, 4096, 4);
    const char *activation = chance(d, 0.6) ? "Relu" : "Tanh";
    RG_TRY(rg_build_init(&b, cx, self->name));
    rg_dim shape[] = {rg_build_dim(&b, "batch", 1), width};
    rg_value_id x = rg_build_input(&b, "features", RG_F32, 2, shape);
    for (int64_t i = 0; i < layers; i++) {
        int64_t next = size_of(d, 32, 4096, 4);
        rg_zoo_scope(&b, "layer%d", (int)i);
        x = rg_zoo_linear(&b, x, width, next);
        if (i + 1 < layers) x = rg_build_node(&b, activation, NULL, x, -1);
        width = next;
    }
    rg_build_output(&b, "result", x);
    return rg_build_done(&b, out);
}

rg_err rg_random_build(rg_ctx *cx, const char *seed, const rg_share *share, rg_graph **out)
{
    rg_zoo self = {.name = "random"};
    int64_t number;
    rg_graph *g;
    *out = NULL;
    if (!rg_str_int(rg_str_of(seed), &number) || number < 0)
        return rg_fail(cx, RG_INPUT, "random:%.40s: a number from 0 on is expected behind the colon", seed);
    RG_TRY(rg_share_need_whole(cx, "a random network", share));
    dice d = {rg_hash_u64(RG_HASH_SEED, (uint64_t)number)};
    int64_t kind = number % 10;
    rg_err err = kind < 6   ? image_net(cx, &self, &d, &g)
                 : kind < 9 ? sequence_net(cx, &self, &d, &g)
                            : perceptron(cx, &self, &d, &g);
    if (err) return err;
    g->source = rg_arena_printf(&g->arena, "random:%lld", (long long)number);
    err = g->source ? rg_graph_resolve(cx, g) : rg_nomem(cx);
    if (err) rg_graph_free(g);
    else *out = g;
    return err;
}
