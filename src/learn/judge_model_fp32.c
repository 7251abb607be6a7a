/* judge_model_fp32.c - whole inferences of BERT and GPT-2 with PyTorch, eager, in 32-bit floats: the set that
 * NeuSight is judged by (Lee et al., ASPLOS 2025). Products are of plain f32: PyTorch keeps TF32 for
 * convolutions. The models are Hugging Face's of 2023, whose attention calls a kernel for each step: copies
 * of q, k and v by heads, a product, a division, the mask, softmax, a product, a copy back.
 */
#include "learn/judge_model.h"

/* Layers are counted by a column; a row with others than the model's is a miss. */
static const struct { const char *name, *model; int64_t layers; } models[] = {
    {"bert_base", "bert-base", 12},   {"bert_large", "bert-large", 24},   {"gpt2", "gpt2", 12},
    {"gpt2_medium", "gpt2-medium", 24}, {"gpt2_large", "gpt2-large", 36}, {"gpt2_xl", "gpt2-xl", 48},
};

static rg_err find_model(rg_ctx *cx, const rg_exam *exam, const char **out)
{
    rg_str name = rg_exam_text(exam, "model");
    int64_t layers = rg_exam_int(exam, "num_layer");
    for (size_t i = 0; i < RG_COUNT(models); i++) {
        if (!rg_str_is(name, models[i].name)) continue;
        *out = models[i].model;
        if (layers == models[i].layers) return RG_OK;
        return rg_fail(cx, RG_UNSUPPORTED, "%s has %lld layers, not %lld", models[i].name,
                       (long long)models[i].layers, (long long)layers);
    }
    return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' is no model of this kind that is known", RG_STR(name));
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    const char *name = NULL;
    rg_graph *graph = NULL;
    rg_run_cost cost;
    rg_model_sizes sizes = {.unfused = true};
    RG_TRY(rg_judge_size(cx, exam, "batch", &sizes.batch));
    RG_TRY(rg_judge_size(cx, exam, "seq", &sizes.seq));
    RG_TRY(find_model(cx, exam, &name));
    RG_TRY(rg_judge_model(cx, name, sizes, &graph));
    const rg_model_way way = {"pytorch-eager", "f32", NULL, NULL, false};
    rg_err err = rg_judge_model_cost(cx, exam, graph, &way, &cost);
    if (!err) out[0] = cost.latency_s;
    rg_graph_free(graph);
    return err;
}

RG_JUDGE(model_fp32) = {
    .name = "model_fp32", .brief = "Language models in 32-bit floats with PyTorch, one inference end to end",
    .columns = {"device", "model", "seq", "batch", "num_layer"},
    .device = "device", .family = "model",
    .quantities = {{"latency", "latency_ms", 1e-3, RG_UNIT_SECOND}},
    .forecast = forecast,
};
