/* judge_power_limit.c - networks trained on a board with a power limit: time, power and energy of an epoch.
 *
 *     t = ceil(images / batch) 3 t_forward
 *
 * Backward is a product for the input and one for the weights where forward is one. The limit is the board's
 * cap for this forecast: the clock falls until it holds. What feeds the board is left out.
 */
#include "learn/evaluate.h"
#include "learn/judge_model.h"

#include <math.h>

#define STEP 3.0 /* of a training step, in forward passes */

/* Datasets by their published sizes. `area`: positions of an image, of the zoo's images of 224 x 224. The
 * shuffle network for images of 32 x 32 has neither the stride nor the pooling in front of its first stage:
 * behind that it sees what the zoo's sees of 128 x 128. Fewer images of the zoo's size have as many
 * positions.
 */
static const struct { const char *name, *model; double area, images; } trained[] = {
    {"shufflenetv2", "shufflenet_v2_x1_0", 128. * 128 / (224. * 224), 50000},
    {"resnet50", "resnet50", 1, 1281167},
};

static bool has_limit(const rg_exam *exam) { return rg_exam_real(exam, "power_limit_w") > 0; }

static rg_err with_limit(rg_ctx *cx, const rg_exam *exam, rg_device **out)
{
    double limit_w = rg_exam_real(exam, "power_limit_w");
    if (!(limit_w > exam->device->idle_w))
        return rg_fail(cx, RG_INPUT, "power_limit_w %g is not above the %g W of an idle %s", limit_w,
                       exam->device->idle_w, exam->device->id);
    RG_TRY(rg_device_clone(cx, exam->device, out));
    (*out)->cap_w = limit_w;
    return RG_OK;
}

static rg_err train(rg_ctx *cx, const rg_exam *exam, size_t which, const rg_device *device, double *out)
{
    rg_graph *g = NULL;
    rg_run_cost forward;
    int64_t batch;
    RG_TRY(rg_judge_size(cx, exam, "batch", &batch));
    int64_t alike = (int64_t)fmax(1, round((double)batch * trained[which].area));
    RG_TRY(rg_judge_model(cx, trained[which].model, (rg_model_sizes){.batch = alike}, &g));
    rg_exam there = *exam;
    there.device = device;
    there.witness = NULL; /* a step of training teaches nothing about inference */
    rg_model_way way = {"pytorch-eager", "f32", NULL, NULL, false};
    rg_err err = rg_judge_model_cost(cx, &there, g, &way, &forward);
    rg_graph_free(g);
    if (err) return err;
    out[0] = ceil(trained[which].images / (double)batch) * STEP * forward.latency_s;
    out[1] = forward.power_w;
    out[2] = out[0] * out[1];
    return RG_OK;
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    rg_device *limited = NULL;
    rg_str name = rg_exam_text(exam, "model");
    size_t i = 0;
    while (i < RG_COUNT(trained) && !rg_str_is(name, trained[i].name)) i++;
    if (i == RG_COUNT(trained))
        return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' is no training whose network is known", RG_STR(name));
    RG_TRY(with_limit(cx, exam, &limited));
    rg_err err = train(cx, exam, i, limited, out);
    rg_device_free(limited);
    return err;
}

RG_JUDGE(power_limit) = {
    .name = "power_limit", .brief = "Networks trained under a power limit, an epoch",
    .columns = {"device", "model", "batch", "power_limit_w"}, .has = has_limit,
    .where = "latency_kind", .where_is = "epoch",
    .device = "device", .family = "model",
    .quantities = {{"latency", "latency_s", 1, RG_UNIT_SECOND}, {"power", "power_w", 1, RG_UNIT_WATT},
                   {"energy", "energy_j", 1, RG_UNIT_JOULE}},
    .forecast = forecast,
};
