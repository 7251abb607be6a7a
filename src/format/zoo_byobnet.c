/* zoo_byobnet.c - networks that timm builds of rows of ResNet-like blocks: GENet (Lin et al. 2020),
its ResNets
 * with tiered stems and gates, and RegNetZ in its own sizes.
 *
 *     basic    k x k -- k x k          bottle   1x1 -- k x k (in groups) -- gate -- 1x1
 *     edge     k x k -- 1x1
 *
 * The gate of Cao et al. 2019 (arXiv:1904.11492) is told by the sum of all places, weighted by a softmax:
 *
 *     context = x softmax(conv x)      x = x sigmoid(1x1 relu(norm(1x1 context)))
 */
#include "format/zoo.h"

enum { STAGES_MAX = 5 };

typedef enum block_kind { BASIC, BOTTLE, EDGE } block_kind;
typedef enum gate_kind { NO_GATE, SQUEEZE, ALONG, CONTEXT } gate_kind;
typedef enum stem_kind { ONE, TIERED, TIERED_POOLED, QUAD,
QUAD_LATE } stem_kind; /* late: two of four are active */

typedef struct row {
    block_kind kind;
    int blocks;
    int64_t channels;
    int stride;
    int64_t group;   /* channels of one; 0: there is one group */
    double ratio;    /* inner channels for one of the result */
} row;

typedef struct byobnet {
    int stages;
    row rows[STAGES_MAX];
    stem_kind stem;
    int64_t stem_channels, features;  /* of the last convolution; 0: there is none */
    const char *activation;
    gate_kind gate;
    double squeeze;                   /* of SQUEEZE */
    bool linear;                      /* RegNetZ: inner channels are told by what comes in,
    a block ends without
                                       * activation, and is added only where shapes are the same */
    bool doubled;                     /* two convolutions k x k in a bottleneck */
    int64_t side;
} byobnet;

/* To the nearest multiple of 8. */
static int64_t eighth(double channels)
{
    int64_t nearest = (int64_t)(channels + 4) / 8 * 8;
    return nearest < 8 ? 8 : nearest;
}

/* ---- gates ---- */

static void image_norm(rg_net *n)
{
    n->x = rg_build_node(&n->b, "Transpose", "perm=0,2,3,1", n->x, -1);
    n->x = rg_zoo_layer_norm(&n->b, n->x, n->channels, 1e-6);
    n->x = rg_build_node(&n->b, "Transpose", "perm=0,3,1,2", n->x, -1);
}

static void gate_by_context(rg_net *n, const char *block)
{
    rg_build *b = &n->b;
    rg_value_id x = n->x;
    int64_t channels = n->channels;
    rg_zoo_scope(b, "%s.attn.conv_attn", block);
    rg_net_conv(n, (rg_conv){.channels = 1, .bias = true});
    rg_value_id weight = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, 1, -1, 1});
    weight = rg_build_node(b, "Softmax", "axis=2", weight, -1);
    rg_value_id all = rg_zoo_reshape(b, x, 4, (const int64_t[]){0, 1, channels, -1});
    n->x = rg_zoo_reshape(b, rg_build_node(b, "MatMul", NULL, all, weight, -1), 4,
                          (const int64_t[]){0, channels, 1, 1});
    n->channels = channels;
    rg_zoo_scope(b, "%s.attn.mlp_scale.fc1", block);
    rg_net_conv(n, (rg_conv){.channels = channels / 8, .bias = true});
    rg_zoo_scope(b, "%s.attn.mlp_scale.norm", block);
    image_norm(n);
    rg_net_activate(n, "Relu");
    rg_zoo_scope(b, "%s.attn.mlp_scale.fc2", block);
    rg_net_conv(n, (rg_conv){.channels = channels, .bias = true});
    rg_net_activate(n, "Sigmoid");
    n->x = rg_build_node(b, "Mul", NULL, x, n->x, -1);
}

static void gate(rg_net *n, const byobnet *y, const char *block)
{
    char scope[48];
    if (y->gate == ALONG) rg_net_gate_along(n, block);
    if (y->gate == CONTEXT) gate_by_context(n, block);
    if (y->gate != SQUEEZE) return;
    snprintf(scope, sizeof scope, "%s.attn", block);
    rg_net_squeeze_excite(n, scope, eighth((double)n->channels * y->squeeze), "Relu", "Sigmoid");
}

/* ---- blocks ---- */

static void conv(rg_net *n, const byobnet *y, const char *block, const char *name, rg_conv c, bool active)
{
    char scope[64];
    snprintf(scope, sizeof scope, "%s.%s", block, name);
    rg_net_conv_norm_act(n, scope, c, active ? y->activation : "None");
}

static void inside(rg_net *n, const byobnet *y, const char *block, const row *r, int64_t stride)
{
    int64_t from = y->linear ? n->channels : r->channels;
    int64_t inner = rg_net_round((double)from * r->ratio, 8), groups = r->group ? inner / r->group : 1;
    if (r->kind == BASIC) {
        conv(n, y, block, "conv1_kxk", (rg_conv){inner, .kernel = 3, .stride = stride}, true);
        conv(n, y, block, "conv2_kxk", (rg_conv){r->channels, .kernel = 3, .group = groups}, false);
    } else if (r->kind == EDGE) {
        conv(n, y, block, "conv1_kxk", (rg_conv){inner, .kernel = 3, .stride = stride, .group = groups},
        true);
        gate(n, y, block);
        conv(n, y, block, "conv2_1x1", (rg_conv){.channels = r->channels}, false);
    } else {
        conv(n, y, block, "conv1_1x1", (rg_conv){.channels = inner}, true);
        conv(n, y, block, "conv2_kxk", (rg_conv){inner, .kernel = 3, .stride = stride, .group = groups},
        true);
        if (y->doubled) conv(n, y, block, "conv2b_kxk", (rg_conv){inner, .kernel = 3, .group = groups}, true);
        gate(n, y, block);
        conv(n, y, block, "conv3_1x1", (rg_conv){.channels = r->channels}, false);
    }
}

static void run(rg_net *n, const byobnet *y, const char *block, const row *r, int64_t stride)
{
    rg_value_id before = n->x;
    int64_t from = n->channels;
    bool same = stride == 1 && from == r->channels;
    inside(n, y, block, r, stride);
    if (same || !y->linear) {
        rg_value_id sum = n->x;
        n->x = before, n->channels = from;
        if (!same) conv(n, y, block, "shortcut", (rg_conv){.channels = r->channels, .stride = stride}, false);
        rg_zoo_scope(&n->b, "%s", block);
        n->x = rg_build_node(&n->b, "Add", NULL, sum, n->x, -1);
        n->channels = r->channels;
    }
    if (!y->linear) rg_net_activate(n, y->activation);
}

/* ---- stem ---- */

static void stem(rg_net *n, const byobnet *y)
{
    int64_t c = y->stem_channels;
    const int64_t tiered[] = {3 * c / 8, c / 2, c}, quad[] = {c / 8, c / 4, c / 2, c};
    bool four = y->stem == QUAD || y->stem == QUAD_LATE;
    int count = four ? 4 : 3;
    if (y->stem == ONE) {
        rg_net_conv_norm_act(n, "stem", (rg_conv){c, .kernel = 3, .stride = 2}, y->activation);
        return;
    }
    for (int i = 0; i < count; i++) {
        char name[16];
        bool halves = i == 0 || (i + 1 == count && y->stem != TIERED_POOLED);
        rg_conv by = {four ? quad[i] : tiered[i], .kernel = 3, .stride = halves ? 2 : 1};
        snprintf(name, sizeof name, "conv%d", i + 1);
        if (y->stem != QUAD_LATE || i >= 2) {
            conv(n, y, "stem", name, by, true);
        } else {
            rg_zoo_scope(&n->b, "stem.%s", name);
            rg_net_conv(n, by);
        }
    }
    rg_zoo_scope(&n->b, "stem.pool");
    if (y->stem == TIERED_POOLED) rg_net_max_pool(n, (rg_pool){.kernel = 3, .stride = 2, .pad = 1});
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const byobnet *y = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, y->side));
    stem(&n, y);
    for (int s = 0; s < y->stages; s++) {
        for (int i = 0; i < y->rows[s].blocks; i++) {
            char block[32];
            snprintf(block, sizeof block, "stages.%d.%d", s, i);
            run(&n, y, block, &y->rows[s], i ? 1 : y->rows[s].stride);
        }
    }
    const rg_conv last = {.channels = y->features};
    if (y->features) rg_net_conv_norm_act(&n, "final_conv", last, y->activation);
    rg_net_classify(&n, "head.fc");
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

#define LIN "Lin et al. 2020, arXiv:2006.14090, as timm has it"
#define OWN "He et al. 2015, arXiv:1512.03385, as timm alters it"
#define DOLLAR "Dollar et al. 2021, arXiv:2103.06877, in timm's own sizes"

#define GENET(side_, c, last, ...) .stages = 5, .rows = {__VA_ARGS__}, .stem = ONE, .stem_channels = c, \
    .features = last, .activation = "Relu", .side = side_
#define ROWS(n1, n2, n3, n4, c3, c4, size) .stages = 4, \
    .rows = {{BOTTLE, n1, 256, 1, size, .25}, {BOTTLE, n2, 512, 2, size, .25}, \
             {BOTTLE, n3, c3, 2, size, .25}, {BOTTLE, n4, c4, 2, size, .25}}, .stem_channels = 64, .side = 256
#define R26 ROWS(2, 2, 2, 2, 1024, 2048, 32), .stem = TIERED_POOLED, .activation = "SiLU"
#define R33 ROWS(2, 3, 3, 2, 1536, 1536, 0), .stem = TIERED, .activation = "SiLU"
#define Z(stem_, c, s1, n1, c1, n2, c2, n3, c3, n4, c4, size, wider, last, side_) .stages = 4, \
    .rows = {{BOTTLE, n1, c1, s1, size, wider}, {BOTTLE, n2, c2, 2, size, wider}, \
             {BOTTLE, n3, c3, 2, size, wider}, {BOTTLE, n4, c4, 2, size, wider}}, .stem = stem_, \
    .stem_channels = c, .features = last, .activation = "SiLU", .gate = SQUEEZE, .squeeze = .25, \
    .linear = true, .side = side_
#define SE .gate = SQUEEZE, .squeeze = .0625

/* Name, source, parameters, MACs, how it is built. */
#define BYOBNET_LIST(X) \
    X(gernet_s, LIN, 8173761, 744137504, GENET(224, 13, 1920, {BASIC, 1, 48, 2, 0, 1}, \
      {BASIC, 3, 48, 2, 0, 1}, {BOTTLE, 7, 384, 2, 0, .25}, {BOTTLE, 2, 560, 2, 1, 3}, {BOTTLE, 1, 256, 1, \
      1, 3})) \
    X(gernet_m, LIN, 21142920, 3004508544, GENET(224, 32, 2560, {BASIC, 1, 128, 2, 0, 1}, \
      {BASIC, 2, 192, 2, 0, 1}, {BOTTLE, 6, 640, 2, 0, .25}, {BOTTLE, 4, 640, 2, 1, 3}, {BOTTLE, 1, 640, 1, \
      1, 3})) \
    X(gernet_l, LIN, 31078280, 4557041664, GENET(256, 32, 2560, {BASIC, 1, 128, 2, 0, 1}, \
      {BASIC, 2, 192, 2, 0, 1}, {BOTTLE, 6, 640, 2, 0, .25}, {BOTTLE, 5, 640, 2, 1, 3}, {BOTTLE, 4, 640, 1, \
      1, 3})) \
    X(resnet51q, OWN, 35696920, 6348161024, .stages = 4, .rows = {{BOTTLE, 2, 256, 1, 32, .25}, \
      {BOTTLE, 4, 512, 2, 32, .25}, {BOTTLE, 6, 1536, 2, 32, .25}, {BOTTLE, 4, 1536, 2, 1, 1}}, \
      .stem = QUAD_LATE, .stem_channels = 128, .features = 2048, .activation = "SiLU", .side = 256) \
    X(resnet61q, OWN, 36846968, 7763083264, .stages = 4, .rows = {{EDGE, 1, 256, 1, 0, 1}, \
      {BOTTLE, 4, 512, 2, 32, .25}, {BOTTLE, 6, 1536, 2, 32, .25}, {BOTTLE, 4, 1536, 2, 1, 1}}, \
      .stem = QUAD, .stem_channels = 128, .features = 2048, .activation = "SiLU", .doubled = true, \
      .side = 256) \
    X(resnext26ts, OWN, 10297952, 2405515264, R26) \
    X(gcresnext26ts, OWN, 10476600, 2407655424, R26, .gate = CONTEXT) \
    X(seresnext26ts, OWN, 10388064, 2405603328, R26, SE) \
    X(eca_resnext26ts, OWN, 10297988, 2405524608, R26, .gate = ALONG) \
    X(resnet32ts, OWN, 17963616, 4607012864, R33) \
    X(resnet33ts, OWN, 19676256, 4732585984, R33, .features = 1280) \
    X(gcresnet33ts, OWN, 19880698, 4735307776, R33, .features = 1280, .gate = CONTEXT) \
    X(seresnet33ts, OWN, 19779200, 4732686336, R33, .features = 1280, SE) \
    X(eca_resnet33ts, OWN, 19676302, 4732597888, R33, .features = 1280, .gate = ALONG) \
    X(gcresnet50t, OWN, 25897080, 5389487104, ROWS(3, 4, 6, 3, 1024, 2048, 0), .stem = TIERED, \
      .activation = "Relu", .gate = CONTEXT) \
    X(gcresnext50ts, OWN, 15667320, 3719105536, ROWS(3, 4, 6, 3, 1024, 2048, 32), .stem = TIERED_POOLED, \
      .activation = "SiLU", .gate = CONTEXT) \
    X(regnetz_b16, DOLLAR, 9715480, 1430203392, \
      Z(ONE, 32, 2, 2, 48, 6, 96, 12, 192, 2, 288, 16, 3, 1536, 224)) \
    X(regnetz_c16, DOLLAR, 13459880, 2475491328, \
      Z(ONE, 32, 2, 2, 48, 6, 96, 12, 192, 2, 288, 16, 4, 1536, 256)) \
    X(regnetz_d32, DOLLAR, 27576288, 5929654272, \
      Z(TIERED, 64, 1, 3, 64, 6, 128, 12, 256, 3, 384, 32, 4, 1792, 256)) \
    X(regnetz_d8, DOLLAR, 23373792, 3919534080, \
      Z(TIERED, 64, 1, 3, 64, 6, 128, 12, 256, 3, 384, 8, 4, 1792, 256)) \
    X(regnetz_e8, DOLLAR, 57698176, 9823920128, \
      Z(TIERED, 64, 1, 3, 96, 8, 192, 16, 384, 3, 512, 8, 4, 2048, 256))

#define X(id, paper, params, mac, ...) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, .source = paper, \
        .parameters = params, .macs = mac, .layout = &(const byobnet){__VA_ARGS__}, \
    };
BYOBNET_LIST(X)
#undef X
