/* zoo_rexnet.c - ReXNet as timm has it (Han et al. 2020): inverted residuals whose channels grow by the same
 * number from one to the next. So a block is added to fewer channels than it has; the others are joined to
 * the sum.
 *
 *     block j of `depth` has width (16 + 180 j / depth) channels, rounded to `unit`
 *
 * rexnetr rounds to multiples of 8 or 16.
 */
#include "format/zoo.h"

#include <math.h>

typedef struct rexnet { double width; int64_t unit; } rexnet;

static const struct { int repeats, stride; } stages[] = {{1, 1}, {2, 2}, {2, 2}, {3, 2}, {3, 1}, {5, 2}};

enum { DEPTH = 16, UNGATED = 3 /* blocks of the first two stages */ };

static rg_value_id part(rg_build *b, rg_value_id x, int64_t from, int64_t until)
{
    return rg_build_node(b, "Slice", NULL, x, rg_build_ints(b, 1, &from), rg_build_ints(b, 1, &until),
                         rg_build_ints(b, 1, (const int64_t[]){1}), -1);
}

/* Squeezes to a twelfth, and normalizes there. */
static void gate(rg_net *n, const rexnet *r, const char *block)
{
    rg_value_id whole = n->x;
    int64_t channels = n->channels;
    rg_zoo_scope(&n->b, "%s.se", block);
    rg_net_global_pool(n);
    rg_zoo_scope(&n->b, "%s.se.fc1", block);
    rg_net_conv(n, (rg_conv){.channels = rg_net_round((double)(channels / 12), r->unit), .bias = true});
    rg_zoo_scope(&n->b, "%s.se.bn", block);
    rg_net_batch_norm(n);
    rg_net_activate(n, "Relu");
    rg_zoo_scope(&n->b, "%s.se.fc2", block);
    rg_net_conv(n, (rg_conv){.channels = channels, .bias = true});
    rg_net_activate(n, "Sigmoid");
    n->x = rg_build_node(&n->b, "Mul", NULL, whole, n->x, -1);
}

static void join(rg_net *n, const char *block, rg_value_id before, int64_t channels)
{
    rg_zoo_scope(&n->b, "%s", block);
    rg_value_id rest = part(&n->b, n->x, channels, INT64_MAX);
    rg_value_id sum = rg_build_node(&n->b, "Add", NULL, part(&n->b, n->x, 0, channels), before, -1);
    rg_net_concat(n, 2, (const rg_value_id[]){sum, rest}, n->channels);
}

static void block(rg_net *n, const rexnet *r, int index, int64_t channels, int64_t stride)
{
    char name[24], scope[48];
    int64_t before = n->channels, inner = before;
    rg_value_id skip = n->x;
    snprintf(name, sizeof name, "features.%d", index);
    if (index) {
        inner = rg_net_round((double)(6 * before), r->unit);
        snprintf(scope, sizeof scope, "%s.conv_exp", name);
        rg_net_conv_norm_act(n, scope, (rg_conv){.channels = inner}, "SiLU");
    }
    snprintf(scope, sizeof scope, "%s.conv_dw", name);
    rg_net_conv_norm_act(n, scope, (rg_conv){inner, .kernel = 3, .stride = stride, .group = inner}, "None");
    if (index >= UNGATED) gate(n, r, name);
    rg_net_activate(n, "Relu6");
    snprintf(scope, sizeof scope, "%s.conv_pwl", name);
    rg_net_conv_norm_act(n, scope, (rg_conv){.channels = channels}, "None");
    if (stride == 1 && before <= channels) join(n, name, skip, before);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const rexnet *r = self->layout;
    rg_net n;
    int index = 0;
    double base = 16;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    rg_net_conv_norm_act(&n, "stem", (rg_conv){rg_net_round(rint(32 * r->width), r->unit), .kernel = 3,
    .stride = 2},
                   "SiLU");
    for (size_t s = 0; s < RG_COUNT(stages); s++) {
        for (int i = 0; i < stages[s].repeats; i++, index++) {
            block(&n, r, index, rg_net_round(rint(base * r->width), r->unit), i ? 1 : stages[s].stride);
            base += 180.0 / DEPTH;
        }
    }
    const rg_conv last = {.channels = rg_net_round(1280 * r->width, r->unit)};
    rg_net_conv_norm_act(&n, "features.16", last, "SiLU");
    rg_net_classify(&n, "head.fc");
    return rg_net_done(&n, out);
}

/* Name, width, unit, parameters, MACs. */
#define REXNET_LIST(X) \
    X(rexnet_100, 1.0, 1, 4796873, 398370392) \
    X(rexnet_130, 1.3, 1, 7557091, 662229098) \
    X(rexnet_150, 1.5, 1, 9728593, 875828154) \
    X(rexnet_200, 2.0, 1, 16366620, 1528850782) \
    X(rexnet_300, 3.0, 1, 34708792, 3395980620) \
    X(rexnetr_100, 1.0, 8, 4883304, 418899408) \
    X(rexnetr_130, 1.3, 8, 7608080, 661005776) \
    X(rexnetr_150, 1.5, 8, 9782256, 872390256) \
    X(rexnetr_200, 2.0, 8, 16522432, 1559353712) \
    X(rexnetr_300, 3.0, 16, 34810008, 3343674720)

#define X(id, wide, multiple, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Han et al. 2020, arXiv:2007.00992; parameters: timm, at 224x224", \
        .parameters = params, .macs = mac, .layout = &(const rexnet){wide, multiple}, \
    };
REXNET_LIST(X)
#undef X
