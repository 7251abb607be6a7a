/* fit_networks.c - ten networks of the zoo to time on a machine that is to be fitted: usual ones, each of
 * another family, at a small, a middle and a large batch in turn, as far as they fit into its memory.
 */
#include "learn/fit_networks.h"

#include "learn/usual.h"
#include "predict/features.h"
#include "predict/predict.h"
#include "predict/trees.h"

#include <math.h>
#include <string.h>

static const struct { const char *model, *family;
} networks[] = {
    {"zoo:resnet18", "resnet"},
    {"zoo:resnet50", "resnet"},
    {"zoo:resnet101", "resnet"},
    {"zoo:resnext50_32x4d", "resnext"},
    {"zoo:wide_resnet50_2", "wide"},
    {"zoo:vgg16_bn", "vgg"},
    {"zoo:densenet121", "densenet"},
    {"zoo:inception_v3", "inception"},
    {"zoo:mobilenet_v2", "mobilenet"},
    {"zoo:mobilenet_v3_large", "mobilenet"},
    {"zoo:mnasnet1_0", "mnasnet"},
    {"zoo:efficientnet_b0", "efficientnet"},
    {"zoo:efficientnet_b4", "efficientnet"},
    {"zoo:efficientnet_v2_s", "efficientnetv2"},
    {"zoo:regnet_y_3_2gf", "regnet"},
    {"zoo:regnet_x_8gf", "regnet"},
    {"zoo:convnext_tiny", "convnext"},
    {"zoo:convnext_base", "convnext"},
    {"zoo:deit_s", "vit"},
    {"zoo:vit_b_16", "vit"},
    {"zoo:vit_l_16", "vit"},
    {"zoo:swin_t", "swin"},
    {"zoo:swin_b", "swin"},
};
static const int batches[] = {1, 16, 128};

/* Of a whole inference: what bounds it, and what it is made of. */
static const char *const telling[] = {"floors",    "intensity", "weights",     "gemm", "conv",
                                      "depthwise", "attention", "elementwise", "norm"};

enum {
    NETWORKS = RG_COUNT(networks),
    CANDIDATES = NETWORKS * RG_COUNT(batches),
    TELLING = RG_COUNT(telling)
};

typedef struct candidates {
    double x[CANDIDATES * TELLING], odd[CANDIDATES], latency_s[CANDIDATES];
    uint8_t batch_of[CANDIDATES];
    bool asked[CANDIDATES];
} candidates;

static void describe(const rg_forecast *f, double *x)
{
    float all[RG_TREES_FEATURES] = {0};
    rg_feature_whole(f, all);
    for (size_t i = 0; i < TELLING; i++)
        for (size_t k = 0; k < rg_feature_count(RG_OF_WHOLE); k++)
            if (strcmp(rg_feature_name(RG_OF_WHOLE, k), telling[i]) == 0) x[i] = (double)all[k];
}

/* One that does not fit is left out. */
static rg_err price(rg_ctx *cx, const rg_device *device, const rg_runtime *runtime, const char *precision,
                    size_t at, candidates *c)
{
    const rg_graph *graph = NULL;
    const rg_plan *plan = NULL;
    const rg_forecast *f = NULL;
    rg_plan_opt opt = {.size = sizeof opt, .precision = precision};
    rg_load_opt load = {.size = sizeof load, .batch = batches[at % RG_COUNT(batches)]};
    c->odd[at] = NAN;
    c->batch_of[at] = (uint8_t)(at % RG_COUNT(batches));
    rg_err err = rg_graph_load(cx, networks[at / RG_COUNT(batches)].model, &load, &graph);
    if (!err) err = rg_plan_make(cx, graph, device, runtime, &opt, &plan);
    if (!err) err = rg_forecast_make(cx, plan, NULL, &f);
    if (!err && f->peak_memory_byte.value <= rg_device_memory(device)->capacity_byte) {
        c->odd[at] = 0;
        c->latency_s[at] = f->latency_s.value;
        describe(f, &c->x[at * TELLING]);
    }
    rg_forecast_free(f);
    rg_plan_free(plan);
    rg_graph_free(graph);
    return err;
}

static bool is_new(const candidates *c, size_t at)
{
    for (size_t i = 0; i < CANDIDATES; i++)
        if (c->asked[i]
            && strcmp(networks[i / RG_COUNT(batches)].family, networks[at / RG_COUNT(batches)].family) == 0)
            return false;
    return true;
}

/* SIZE_MAX: none is left. */
static size_t most_usual(const candidates *c, size_t batch)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < CANDIDATES; i++) {
        if (c->batch_of[i] != batch || isnan(c->odd[i]) || !is_new(c, i)) continue;
        if (best == SIZE_MAX || c->odd[i] < c->odd[best]) best = i;
    }
    return best;
}

rg_err rg_fit_networks(rg_ctx *cx, const rg_device *device, const char *runtime, const char *precision,
                       rg_network_probe *out, size_t *count)
{
    const rg_runtime *found = NULL;
    candidates *c = RG_NEW(&cx->arena, candidates, 1);
    *count = 0;
    if (!c) return rg_nomem(cx);
    rg_err err = rg_runtime_find(cx, runtime, device, &found);
    for (size_t i = 0; i < CANDIDATES && !err; i++) err = price(cx, device, found, precision, i, c);
    if (!err) rg_odd_rows(c->x, CANDIDATES, TELLING, c->batch_of, c->odd);
    rg_runtime_free(found);
    for (size_t turn = 0; turn < 2 * RG_NETWORK_PROBES && *count < RG_NETWORK_PROBES && !err; turn++) {
        size_t at = most_usual(c, turn % RG_COUNT(batches));
        if (at == SIZE_MAX) continue;
        c->asked[at] = true;
        out[(*count)++] = (rg_network_probe){networks[at / RG_COUNT(batches)].model,
                                             batches[c->batch_of[at]], c->latency_s[at]};
    }
    return err;
}
