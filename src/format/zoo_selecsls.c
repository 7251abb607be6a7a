/* zoo_selecsls.c - SelecSLS as timm has it (Mehta et al. 2019, XNect): modules that join what three of their
 * convolutions made, and what the first module of the stage made.
 *
 *     x -- 3x3 --+-- 1x1 -- 3x3 --+-- 1x1 -- 3x3 --+-- join -- 1x1
 *                +----------------+----------------+ first module's result
 */
#include "format/zoo.h"

enum { HEAD = 4 };

typedef struct module { int64_t inner, out; bool first; } module;
typedef struct layer { int64_t channels, kernel, stride; } layer;

static const module m42[] = {
    {64, 64, true}, {64, 128, false}, {144, 144, true}, {144, 288, false}, {304, 304, true}, {304, 480,
    false},
};

static const module m60[] = {
    {64, 64, true}, {64, 128, false}, {128, 128, true}, {128, 128, false}, {128, 288, false},
    {288, 288, true}, {288, 288, false}, {288, 288, false}, {288, 416, false},
};

static const module m84[] = {
    {64, 64, true}, {64, 144, false}, {144, 144, true}, {144, 144, false}, {144, 144, false},
    {144, 144, false}, {144, 304, false}, {304, 304, true}, {304, 304, false}, {304, 304, false},
    {304, 304, false}, {304, 304, false}, {304, 512, false},
};

static const layer h42[] = {{960, 3, 2}, {1024, 3, 1}, {1024, 3, 2}, {1280, 1, 1}};
static const layer h42b[] = {{960, 3, 2}, {1024, 3, 1}, {1280, 3, 2}, {1024, 1, 1}};
static const layer h60[] = {{756, 3, 2}, {1024, 3, 1}, {1024, 3, 2}, {1280, 1, 1}};
static const layer h60b[] = {{756, 3, 2}, {1024, 3, 1}, {1280, 3, 2}, {1024, 1, 1}};
static const layer h84[] = {{960, 3, 2}, {1024, 3, 1}, {1024, 3, 2}, {1280, 3, 1}};

typedef struct selecsls { int count; const module *modules; const layer *head; } selecsls;

static void conv(rg_net *n, const char *scope, int index, layer l)
{
    char name[48];
    snprintf(name, sizeof name, index < 0 ? "%s" : "%s.conv%d", scope, index);
    rg_net_conv_norm(n, name, (rg_conv){l.channels, .kernel = l.kernel, .stride = l.stride}, "Relu");
}

/* `kept` is the stage's first result, of so many channels. */
static void run(rg_net *n, const module *m, int number, rg_value_id *kept, int64_t *kept_channels)
{
    char scope[24];
    rg_value_id parts[4];
    snprintf(scope, sizeof scope, "features.%d", number);
    conv(n, scope, 1, (layer){m->inner, 3, m->first ? 2 : 1});
    parts[0] = n->x;
    for (int i = 1; i <= 2; i++) {
        conv(n, scope, 2 * i, (layer){m->inner, 1, 1});
        conv(n, scope, 2 * i + 1, (layer){m->inner / 2, 3, 1});
        parts[i] = n->x;
    }
    parts[3] = *kept;
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_concat(n, m->first ? 3 : 4, parts, 2 * m->inner + (m->first ? 0 : *kept_channels));
    conv(n, scope, 6, (layer){m->out, 1, 1});
    if (m->first) *kept = n->x, *kept_channels = n->channels;
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const selecsls *s = self->layout;
    rg_net n;
    char name[24];
    rg_value_id kept = 0;
    int64_t kept_channels = 0;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    conv(&n, "stem", -1, (layer){32, 3, 2});
    for (int i = 0; i < s->count; i++) run(&n, &s->modules[i], i, &kept, &kept_channels);
    for (int i = 0; i < HEAD; i++) {
        snprintf(name, sizeof name, "head.%d", i);
        conv(&n, name, -1, s->head[i]);
    }
    rg_net_classify(&n, "fc");
    return rg_net_done(&n, out);
}

/* Name, modules, layers behind them, parameters, MACs. */
#define SELECSLS_LIST(X) \
    X(selecsls42, m42, h42, 30354952, 2934431744) \
    X(selecsls42b, m42, h42b, 32458248, 2971924480) \
    X(selecsls60, m60, h60, 30670768, 3581005952) \
    X(selecsls60b, m60, h60b, 32774064, 3618498688) \
    X(selecsls84, m84, h84, 50954600, 5888928768)

#define X(id, rows, end, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Mehta et al. 2019, arXiv:1907.00837; parameters: timm, at 224x224", \
        .parameters = params, .macs = mac, .layout = &(const selecsls){RG_COUNT(rows), rows, end}, \
    };
SELECSLS_LIST(X)
#undef X
