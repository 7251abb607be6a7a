/* judge_model_power.c - whole servers at the wall while their devices run a network: W.
 *
 *     P = devices P_board W,  W = 10.2 kW / 5.6 kW
 *
 * W is a server with eight boards at its most, over its boards at their most (NVIDIA DGX H100 and H200 user
 * guide: 10.2 kW; eight boards of 700 W): processors, fans, network and power supplies grow with the load.
 * Where the system's name says that it was set up for the most work a joule ("MaxQ"), the clock is the one
 * that forecasts the least energy.
 */
#include "learn/judge_model.h"

#include "predict/cost.h"
#include "predict/predict.h"

#include <math.h>
#include <string.h>

#define WALL (10.2 / 5.6)
enum { CLOCKS = 16, BATCH = 256 };
#define CLOCK_LEAST 0.25 /* of the highest: where the search for the best one begins */

/* Benchmarks, the model of the zoo, and what it is computed in where accuracy may fall by 1 %. */
static const struct { const char *begins, *model, *precision; } benchmarks[] = {
    {"resnet50", "resnet50", "i8"},
    {"bert", "bert-large", "f8"},
};

/* "H200-SXM-141GBx8_TRT_MaxQ": what stands before the number of boards. */
static rg_err find_board(rg_ctx *cx, const rg_exam *exam, const rg_device **out)
{
    rg_str name = rg_exam_text(exam, "device");
    size_t size = 0;
    for (size_t i = 1; i + 1 < name.size; i++)
        if (name.data[i] == 'x' && name.data[i + 1] >= '0' && name.data[i + 1] <= '9') size = i;
    if (!size)
        return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' does not say which boards it has", RG_STR(name));
    const char *board = rg_arena_cstr(&cx->arena, (rg_str){name.data, size});
    return board ? rg_device_find(cx, board, out) : rg_nomem(cx);
}

static bool says(rg_str text, const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; i + size <= text.size; i++)
        if (memcmp(text.data + i, word, size) == 0) return true;
    return false;
}

static rg_err run_at(rg_ctx *cx, const rg_exam *exam, const rg_plan *plan, double core_hz, double *power_w,
                     double *energy_j)
{
    const rg_forecast *f = NULL;
    rg_forecast_opt opt = {.size = sizeof opt, .core_hz = core_hz, .learning = exam->learning};
    RG_TRY(rg_forecast_make(cx, plan, &opt, &f));
    *power_w = f->power_w.value;
    *energy_j = f->energy_j.value;
    rg_forecast_free(f);
    return RG_OK;
}

static rg_err board_power(rg_ctx *cx, const rg_exam *exam, const rg_plan *plan, double *out)
{
    bool saving = says(rg_exam_text(exam, "device"), "MaxQ");
    double top = rg_device_clock_max(plan->device), least_j = INFINITY, power_w, energy_j;
    RG_TRY(run_at(cx, exam, plan, 0, out, &energy_j));
    for (int i = 0; saving && i < CLOCKS; i++) {
        double share = CLOCK_LEAST + (1 - CLOCK_LEAST) * i / (CLOCKS - 1);
        RG_TRY(run_at(cx, exam, plan, share * top, &power_w, &energy_j));
        if (energy_j >= least_j) continue;
        least_j = energy_j;
        *out = power_w;
    }
    return RG_OK;
}

static rg_err price(rg_ctx *cx, const rg_exam *exam, size_t which, const rg_device *board, double *out)
{
    rg_graph *g = NULL;
    const rg_plan *plan = NULL;
    rg_plan_opt opt = {.size = sizeof opt, .precision = benchmarks[which].precision};
    RG_TRY(rg_judge_model(cx, benchmarks[which].model, (rg_model_sizes){.batch = BATCH}, &g));
    rg_err err = rg_plan_make(cx, g, board, exam->runtimes[0], &opt, &plan);
    if (!err) err = board_power(cx, exam, plan, out);
    rg_plan_free(plan);
    rg_graph_free(g);
    return err;
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    const rg_device *board = NULL;
    rg_str name = rg_exam_text(exam, "model");
    double devices = rg_exam_real(exam, "n_dev"), power_w;
    size_t i = 0;
    while (i < RG_COUNT(benchmarks) && !rg_str_starts(name, benchmarks[i].begins)) i++;
    if (i == RG_COUNT(benchmarks))
        return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' is no benchmark whose network is known", RG_STR(name));
    if (!(devices >= 1 && devices <= RG_PARALLEL_MAX))
        return rg_fail(cx, RG_INPUT, "n_dev '%.*s' is no number from 1 to %d",
                       RG_STR(rg_exam_text(exam, "n_dev")), RG_PARALLEL_MAX);
    RG_TRY(find_board(cx, exam, &board));
    rg_err err = price(cx, exam, i, board, &power_w);
    rg_device_free(board);
    if (!err) out[0] = devices * power_w * WALL;
    return err;
}

RG_JUDGE(model_power) = {
    .name = "model_power", .brief = "Whole servers at the wall while they run a benchmark",
    .columns = {"device", "n_dev", "model"}, .where = "dataset", .where_is = "mlperf_v4.1_power",
    .device = "device", .family = "model", .any_device = true, .runtimes = {"tensorrt"},
    .quantities = {{"power", "power_w", 1, RG_UNIT_WATT}},
    .forecast = forecast,
};
