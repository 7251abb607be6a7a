/* bench.c - `ridge bench MODEL...`: how long it really takes here. */
#include "cmd.h"

typedef struct bench_opt {
    cmd_common common;
    cmd_model model;
    const char *backends, *threads, *onnxruntime, *reference, *readings;
    int seed, turns, samples;
    double turn_s, foreign;
    bool no_energy, against_forecast;
} bench_opt;

#define FIELD(name) offsetof(bench_opt, name)
static const rg_opt opts[] = {
    {"backend", "ID,...", RG_OPT_LIST, FIELD(backends), "native,onnxruntime", NULL,
     "who runs the model: naive, native, onnxruntime"},
    {"threads", "N,...", RG_OPT_LIST, FIELD(threads), "1", NULL, "processor cores that each may use"},
    {"against-forecast", NULL, RG_OPT_FLAG, FIELD(against_forecast), NULL, NULL,
     "rows of native beside the forecast for host, runtime native"},
    {"reference", "ID", RG_OPT_TEXT, FIELD(reference), NULL, NULL,
     "backend that the others are compared with; else onnxruntime, else the first"},
    {"readings", "FILE", RG_OPT_TEXT, FIELD(readings), NULL, NULL,
     "a .csv or .json file that everything measured is added to"},
    CMD_MODEL_OPTIONS(FIELD(model)),
    {"samples", "N", RG_OPT_INT, FIELD(samples), "20", NULL, "samples of each, at least"},
    {"turns", "N", RG_OPT_INT, FIELD(turns), "10", NULL, "turns of each, at least"},
    {"turn", "SECONDS", RG_OPT_REAL, FIELD(turn_s), "0.1", NULL, "how long one runs before the next"},
    {"foreign", "SHARE", RG_OPT_REAL, FIELD(foreign), "0.1", NULL,
     "of the processors that others may use: a turn with more is repeated"},
    {"no-energy", NULL, RG_OPT_FLAG, FIELD(no_energy), NULL, NULL,
     "times only: no window for meters of energy"},
    {"seed", "N", RG_OPT_INT, FIELD(seed), "1", NULL, "of weights and inputs that are made up"},
    {"onnxruntime", "FILE", RG_OPT_TEXT, FIELD(onnxruntime), NULL, NULL,
     "libonnxruntime.so; else $RIDGE_ONNXRUNTIME, else where libraries are"},
};

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const bench_opt *o = opt;
    cmd_progress progress;
    if (o->turn_s <= 0 || o->turns < 1 || o->samples < 1 || o->foreign <= 0)
        return rg_fail(cx, RG_USAGE, "--turn, --turns, --samples and --foreign are more than 0");
    cmd_progress_begin(&progress, &o->common, "ridge bench");
    rg_err err = rg_bench_doc(cx, argv, (size_t)argc, &(rg_bench_opt){
        .size = sizeof(rg_bench_opt), .shape = o->model.shape, .value = o->model.value, .trip = o->model.trip,
        .batch = o->model.batch, .backends = o->backends, .threads = o->threads,
        .onnxruntime = o->onnxruntime, .seed = (uint64_t)o->seed, .turn_s = o->turn_s, .turns = o->turns,
        .samples = o->samples, .foreign_max = o->foreign, .progress = cmd_progress_step, .user = &progress,
        .no_energy = o->no_energy, .against_forecast = o->against_forecast, .reference = o->reference,
        .readings = o->readings,
    }, out);
    cmd_progress_end(&progress);
    return err;
}

RG_CMD(bench) = {
    .name = "bench",
    .args = "MODEL...",
    .brief = "measure models on this machine, backends in turns",
    .detail = "Each model is written as one file with all its sizes and weights (random ones where it has\n"
              "none), and every backend runs that file on the same inputs: a turn each, pinned, until all\n"
              "have enough samples. Turns in which others used the processors are repeated; where that does\n"
              "not help, the result is marked as disturbed.\n"
              "\n"
              "Energy is measured in a window of its own, where this machine has a meter that may be read\n"
              "(ridge doctor lists them), and is else estimated from a forecast's power; it says which.\n"
              "\n"
              "--against-forecast times each row of native's plan, in runs of its own, beside what the\n"
              "forecast for it says, and says what share of the roofline it reaches. --readings keeps all\n"
              "of it for later (ridge readings).\n"
              "\n"
              "naive runs node by node and allocates every value; native runs what a forecast is made of.\n"
              "Between the two stands what a compiler does.",
    .examples = "ridge bench zoo:mlp --backend naive,native\n"
                "ridge bench zoo:resnet50 --threads 1,2 --onnxruntime ./libonnxruntime.so.1\n"
                "ridge bench zoo:resnet50 --backend native --against-forecast --readings mine.csv\n"
                "ridge bench zoo:distilbert --shape seq=128 --format json -o bench.json",
    .opt_size = sizeof(bench_opt),
    .opts = opts,
    .opt_count = CMD_COUNT(opts),
    .arg_min = 1,
    .arg_max = -1,
    .run = run,
};
