/* ridge.h - the whole public C API of libridge.
 *
 *     rg_ctx *cx = rg_ctx_new(NULL);
 *     rg_graph_load(cx, "model.onnx", NULL, &graph);         a file, a directory or zoo:NAME
 *     rg_device_find(cx, "h100-sxm", &device);               an id of data/hw, a profile file, or host
 *     rg_runtime_find(cx, "tensorrt", device, &runtime);
 *     rg_plan_make(cx, graph, device, runtime, NULL, &plan);
 *     rg_forecast_make(cx, plan, NULL, &forecast);
 *     rg_forecast_doc(cx, &forecast, 1, NULL, &doc);
 *     rg_doc_write(cx, doc, "json", stdout);
 *
 * Ownership: what a call hands out through its last parameter belongs to the caller and is released with
 * the `_free` of its noun. Graphs, devices, runtimes, plans and forecasts never change after they are made
 * and may be shared by threads; a plan keeps what it was made from alive. An rg_ctx belongs to one thread.
 * Option structs carry their own size first, so that a newer library serves an older program; NULL takes
 * every default. Units are SI: seconds, joules, watts, bytes, FLOP.
 */
#ifndef RIDGE_H
#define RIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define RIDGE_VERSION "0.1.0"

#if defined(__GNUC__)
#define RG_API __attribute__((visibility("default")))
#define RG_CHECKED __attribute__((warn_unused_result))
#define RG_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define RG_API
#define RG_CHECKED
#define RG_PRINTF(text, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- errors: id, exit code of the program, what it means ---- */

#define RG_ERR_LIST(X)                                      \
    X(OK,          0,   "no error")                         \
    X(INTERNAL,    1,   "internal invariant broken")        \
    X(NOMEM,       1,   "memory limit reached")             \
    X(FAILED,      1,   "the operation failed")             \
    X(USAGE,       2,   "wrong use of a command")           \
    X(GATE,        3,   "a gate or check is not met")       \
    X(INPUT,       5,   "input not found or not readable")  \
    X(FORMAT,      5,   "malformed file")                   \
    X(SHAPE,       5,   "shape or type mismatch")           \
    X(UNSUPPORTED, 5,   "not supported")                    \
    X(LIMIT,       5,   "a named limit is exceeded")        \
    X(INTERRUPTED, 130, "interrupted")

typedef enum rg_err {
#define X(id, exit_code, text) RG_##id,
    RG_ERR_LIST(X)
#undef X
    RG_ERR_COUNT
} rg_err;

RG_API const char *rg_err_text(rg_err err);
RG_API int rg_err_exit_code(rg_err err);
RG_API const char *rg_version(void);

/* ---- the context: allocator, limits, the text of the last error ---- */

typedef struct rg_ctx rg_ctx;

typedef struct rg_ctx_opt {
    size_t size;                            /* sizeof(rg_ctx_opt) */
    size_t memory_limit_byte;               /* of one object's arena; 0: 4 GiB */
    void *(*alloc)(void *user, size_t size); /* aligned as malloc does, or NULL; NULL: malloc */
    void (*free)(void *user, void *block);
    void *user;
    const char *data_dir;                   /* overlay over the embedded data/; NULL: $RIDGE_DATA */
} rg_ctx_opt;

RG_API rg_ctx *rg_ctx_new(const rg_ctx_opt *opt); /* NULL: out of memory */
RG_API void rg_ctx_free(rg_ctx *cx);
RG_API const char *rg_ctx_error(const rg_ctx *cx); /* text of the last error, or "" */
RG_API rg_err rg_fail(rg_ctx *cx, rg_err err, const char *format, ...) RG_PRINTF(3, 4);
/* Prefixes the text. */
RG_API rg_err rg_note(rg_ctx *cx, rg_err err, const char *format, ...) RG_PRINTF(3, 4);

/* ---- the nouns ---- */

typedef struct rg_graph rg_graph;
typedef struct rg_device rg_device;
typedef struct rg_runtime rg_runtime;
typedef struct rg_plan rg_plan;
typedef struct rg_forecast rg_forecast;
typedef struct rg_doc rg_doc;

typedef struct rg_load_opt {
    size_t size;
    const char *shape;  /* sizes of symbolic dimensions, or of an input: "seq=128,image=1x3x224x224" */
    const char *value;  /* values of scalar inputs: "sr=16000" */
    const char *trip;   /* trip counts of Loop nodes: "/decoder/Loop=20" */
    int batch;          /* size of the batch dimension; 0: as the file says, 1 where it is symbolic */
    bool raw;           /* as imported: no pass has run */
    bool symbolic;      /* symbols that nobody bound stay symbols; else their presets stand in, and the notes
                         * say so; with raw, and nothing bound, a model that inference cannot follow comes
                         * without types */
    const char *parallel; /* of a language model one device's share: "tp=4,pp=2"; tp: tensor, pp: pipeline,
                         * sp: sequence, ep: experts, dp: replicas; NULL: all of it. The graph has every
                         * pipeline stage behind the other, a Send between. */
    bool last_logits;   /* of a language model the head for the last token of each sequence only, as serving
                         * engines compute it */
    const char *skip;   /* passes that do not run: "recognize-attention" for code that calls a kernel for each
                         * step of it; NULL: all run */
} rg_load_opt;

RG_API RG_CHECKED rg_err rg_graph_load(rg_ctx *cx, const char *model, const rg_load_opt *opt,
                                       const rg_graph **out);
RG_API void rg_graph_free(const rg_graph *graph);
RG_API RG_CHECKED rg_err rg_graph_print(rg_ctx *cx, const rg_graph *graph, FILE *out);
RG_API RG_CHECKED rg_err rg_graph_doc(rg_ctx *cx, const rg_graph *graph, rg_doc **out);

typedef struct rg_export_opt {
    size_t size;
    const char *weights; /* NULL: fill nothing; "random": fill parameters that have no data */
    uint64_t seed;
} rg_export_opt;

RG_API RG_CHECKED rg_err rg_graph_export(rg_ctx *cx, const rg_graph *graph, const char *path,
                                         const rg_export_opt *opt);

RG_API RG_CHECKED rg_err rg_device_find(rg_ctx *cx, const char *id, const rg_device **out);
RG_API void rg_device_free(const rg_device *device);
RG_API const char *rg_device_id(const rg_device *device);
/* The ids of all known devices or runtimes, sorted; the array and the strings live as long as cx. */
RG_API RG_CHECKED rg_err rg_device_ids(rg_ctx *cx, const char *const **ids, size_t *count);
RG_API RG_CHECKED rg_err rg_runtime_ids(rg_ctx *cx, const char *const **ids, size_t *count);
/* Of those with the word in their id, name, vendor, kind or architecture, case ignored: "nvidia", "npu". */
RG_API RG_CHECKED rg_err rg_device_search(rg_ctx *cx, const char *word, const char *const **ids,
                                          size_t *count);
RG_API RG_CHECKED rg_err rg_device_doc(rg_ctx *cx, const rg_device *const *devices, size_t count,
                                       rg_doc **out);
RG_API RG_CHECKED rg_err rg_runtime_doc(rg_ctx *cx, rg_doc **out); /* all runtimes */
RG_API RG_CHECKED rg_err rg_doctor_doc(rg_ctx *cx, rg_doc **out);
/* The built-in models that the words name, or have in their name or family; no words: all. */
RG_API RG_CHECKED rg_err rg_zoo_doc(rg_ctx *cx, const char *const *words, size_t count, rg_doc **out);

/* What if: a copy with some figures changed, each "PATH=VALUE". The path is that of the profile's JSON, rows
 * by their first text, peaks by their type: levels.hbm.read_byte_per_s, engines.sm.count, peaks.f16.op_per_s,
 * power.cap_w; of a runtime launch.launch_s. The value is a factor (2x), a share (+10%, -20%) or the figure
 * itself. What has to stay in step follows: peaks their units and clocks. RG_USAGE names what there is. */
RG_API RG_CHECKED rg_err rg_device_change(rg_ctx *cx, const rg_device *device, const char *const *changes,
                                          size_t count, const rg_device **out);
RG_API RG_CHECKED rg_err rg_runtime_change(rg_ctx *cx, const rg_runtime *runtime, const char *const *changes,
                                           size_t count, const rg_runtime **out);

/* id NULL: the customary runtime of the device's kind. */
RG_API RG_CHECKED rg_err rg_runtime_find(rg_ctx *cx, const char *id, const rg_device *device,
                                         const rg_runtime **out);
RG_API void rg_runtime_free(const rg_runtime *runtime);

typedef struct rg_plan_opt {
    size_t size;
    /* "model" or NULL: as the file says; else f32 tf32 f16 bf16 f8 i8; +w=i4g128 and +kv=f8 behind any of
     * them store weights and caches narrower. */
    const char *precision;
    int threads;           /* CPU cores to use; 0: all */
} rg_plan_opt;

RG_API RG_CHECKED rg_err rg_plan_make(rg_ctx *cx, const rg_graph *graph, const rg_device *device,
                                      const rg_runtime *runtime, const rg_plan_opt *opt, const rg_plan **out);
RG_API void rg_plan_free(const rg_plan *plan);

/* What an hour of a machine and a kilowatt hour cost, in money and in CO2. Never changes after it is made. */
typedef struct rg_rates rg_rates;
typedef struct rg_rates_opt {
    size_t size;
    const char *price;  /* "2.5": dollars an hour of the device; or of the tables, the cheapest that has it:
                         * "aws", "any", "aws:p5.48xlarge", "aws:p5.48xlarge@us-east-1" */
    bool spot;
    const char *owned;  /* "price_usd=30000,years=4,tariff_usd_per_kwh=0.12", and devices, utilization, pue */
    const char *region; /* of the grid, "de", "aws:eu-central-1"; NULL: that of the price, else the world */
    double utilization; /* share of the held time in which the device computes; 0: 1 */
    double pue;         /* energy of the building over that of the machine; 0: 1 */
    const char *today;  /* "2026-09-25", for the age of prices; NULL: the system's day */
} rg_rates_opt;

RG_API RG_CHECKED rg_err rg_rates_new(rg_ctx *cx, const rg_rates_opt *opt, const rg_rates **out);
RG_API void rg_rates_free(const rg_rates *rates);
/* The tables; of the rows that have one of the words in what names them, case ignored; no words: all. */
RG_API RG_CHECKED rg_err rg_prices_doc(rg_ctx *cx, const char *const *words, size_t count, rg_doc **out);
RG_API RG_CHECKED rg_err rg_regions_doc(rg_ctx *cx, const char *const *words, size_t count, rg_doc **out);

/* What measurements taught (data/learned/) that a forecast uses: of kernels and of whole inferences, of
 * kernels alone, nothing. */
typedef enum rg_learning { RG_LEARN_ALL, RG_LEARN_ROWS, RG_LEARN_NONE } rg_learning;
/* "all", "rows", "none"; NULL: all. RG_USAGE: another word. */
RG_API RG_CHECKED rg_err rg_learning_read(rg_ctx *cx, const char *word, rg_learning *out);

typedef struct rg_forecast_opt {
    size_t size;
    double core_hz; /* a fixed core clock; 0: the highest that the power cap allows */
    double host_hz; /* clock of the processor that launches; 0: the one that the runtime's profile states, of
                     * a CPU its own */
    const rg_rates *rates; /* NULL: no costs */
    rg_learning learning;
    const char *sort;      /* of inference, among those that whole ones taught. NULL: "whole", a graph as it
                            * is; "totals": one made of sums; "decode": a step of a language model that
                            * writes a token of each sequence, "prefill": one that reads prompts */
    const struct rg_sketch *sketch; /* what is known besides the graph; NULL: nothing */
    double sequences;      /* that a host attends to in one step of a language model; 0: none */
    bool unchecked;        /* without the checks that a report shows: for who makes thousands of forecasts */
} rg_forecast_opt;

RG_API RG_CHECKED rg_err rg_forecast_make(rg_ctx *cx, const rg_plan *plan, const rg_forecast_opt *opt,
                                          const rg_forecast **out);
RG_API void rg_forecast_free(const rg_forecast *forecast);

/* The figures of one forecast, each with its 90 % interval. */
typedef struct rg_estimate { double value, low, high; } rg_estimate;
typedef struct rg_summary {
    size_t size; /* set by the caller */
    rg_estimate latency_s, energy_j, power_w, peak_memory_byte;
    int checks_failed;
    rg_estimate cost_usd, carbon_g; /* of one inference; NAN: not known */
} rg_summary;
RG_API void rg_forecast_summary(const rg_forecast *forecast, rg_summary *out);

/* explain: 0 the answer, 1 by section, 2 by row, 3 every term. */
RG_API RG_CHECKED rg_err rg_forecast_doc(rg_ctx *cx, const rg_forecast *const *forecasts, size_t count,
                                         int explain, rg_doc **out);

/* One row of a forecast with everything that is known of it; `row` is its id, its index, its name or a part
 * that only its name has; NULL: the slowest. */
RG_API RG_CHECKED rg_err rg_row_doc(rg_ctx *cx, const rg_forecast *forecast, const char *row, rg_doc **out);
/* The forecast of a what-if beside the one before it: what became faster, and which rows are bound by
 * something else now. Both are of the same graph. */
RG_API RG_CHECKED rg_err rg_change_doc(rg_ctx *cx, const rg_forecast *before, const rg_forecast *after,
                                       int explain, rg_doc **out);

/* Which clock is best: the lowest energy, energy·delay (EDP) and energy·delay² (ED²P);
 * index into the arrays. */
typedef struct rg_best_clock { size_t energy, edp, ed2p; } rg_best_clock;
RG_API RG_CHECKED rg_err rg_clock_best(rg_ctx *cx, const double *clock_hz, const double *time_s,
                                       const double *energy_j, size_t count, rg_best_clock *out);

/* ---- studies: a forecast for every combination, over the cores ---- */

typedef struct rg_study rg_study;

typedef struct rg_study_opt {
    size_t size;
    const char *const *models;   size_t model_count;   /* as rg_graph_load takes them, "zoo:all" too */
    const char *const *devices;  size_t device_count;  /* ids, files, "host", "all"; none: host */
    const char *const *runtimes;
    size_t runtime_count;        /* ids, files, "all"; none: the customary one of each */
    const char *precision;       /* "model,f16"; NULL: model */
    const char *batch,
        *seq; /* sizes and ranges: "1,3", "1..256" (doubling), "100..500:50"; NULL: the model's */
    const char *core_mhz;        /* clocks and ranges, "all": those of each device; NULL: none is fixed */
    const char *shape, *value, *trip; /* as rg_load_opt */
    const char *const *changes;  size_t change_count;  /* as rg_device_change, for every device;
                                                        * "runtime.PATH=VALUE" for every runtime */
    int cpu_threads;             /* as rg_plan_opt.threads */
    size_t workers;              /* threads that compute; 0: one a core. The result does not depend on it */
    bool keep;                   /* forecasts, so that documents can explain rows */
    /* After each forecast, one call at a time, from any thread; false stops: RG_INTERRUPTED. */
    bool (*progress)(void *user, size_t done, size_t total);
    void *user;
    const rg_rates *rates;       /* NULL: no costs */
    rg_learning learning;        /* of what measurements taught, what forecasts use */
    const char *skip;            /* as rg_load_opt */
} rg_study_opt;

/* A combination that cannot be (a type that the device lacks, a model that does not fit a runtime) is kept
 * with its reason; when none can be, that of the first is the error. */
RG_API RG_CHECKED rg_err rg_study_make(rg_ctx *cx, const rg_study_opt *opt, rg_study **out);
RG_API void rg_study_free(rg_study *study);

typedef struct rg_limits { /* 0: none */
    size_t size;
    double latency_s, power_w, memory_byte, energy_j;
} rg_limits;

/* The table, the best of it, a verdict, and why runtimes differ. sort: latency, throughput, energy, power,
 * memory, cost, carbon, model, device, runtime, or NULL for the order of the request. explain 0: no rows[]
 * in the tree. */
RG_API RG_CHECKED rg_err rg_compare_doc(rg_ctx *cx, const rg_study *study, const rg_limits *limits,
                                        const char *sort, int explain, rg_doc **out);
/* How many forecasts of the study keep within the limits. */
RG_API size_t rg_study_within(const rg_study *study, const rg_limits *limits);
RG_API size_t rg_study_checks_failed(const rg_study *study);
/* Curves over what was varied: batch, sequence, clock. */
RG_API RG_CHECKED rg_err rg_sweep_doc(rg_ctx *cx, const rg_study *study, rg_doc **out);
/* Every figure of the device and the runtime that matters, a `factor` better: what it would bring, largest
 * gain first, and how far it helps until something else binds. */
RG_API RG_CHECKED rg_err rg_sensitivity_doc(rg_ctx *cx, const rg_plan *plan, const rg_forecast_opt *opt,
                                            double factor, rg_doc **out);
/* ---- placement: the devices that serve so many users of a language model in time ---- */

typedef struct rg_place_opt {
    size_t size;
    const char *model;                                  /* config.json, or zoo:NAME of a language model */
    const char *const *devices;  size_t device_count;   /* ids, files, "all" */
    const char *const *runtimes; size_t runtime_count;  /* none: the customary one of each device */
    const char *const *precisions; size_t precision_count; /* as rg_plan_opt; none: the model's */
    const char *const *parallels; size_t parallel_count; /* "tp=4,pp=2"; none: 1, 2, 4, ... of both */
    int prompt, output;          /* tokens of a request */
    int users;                   /* sequences at once */
    double ttft_s, tpot_s;       /* limits; 0: none */
    int devices_max;             /* of a placement; 0: 64 */
    const char *goal;            /* "devices", "cost" or "energy" first, then the others; NULL: cost where
                                  * prices are known, else devices */
    const rg_rates *rates;       /* NULL: no costs */
    size_t workers;              /* threads that compute; 0: one a core */
    bool (*progress)(void *user, size_t done, size_t total);
    void *user;
} rg_place_opt;

/* The best placement, the front of those that are good, why the next smaller one fails, and all that was
 * tried. *good: how many keep the limits. */
RG_API RG_CHECKED rg_err rg_place_doc(rg_ctx *cx, const rg_place_opt *opt, size_t *good, rg_doc **out);

/* ---- the core clock of a machine: time and energy at each, and which to fix ---- */

typedef struct rg_frequency_opt {
    size_t size;
    const char *const *models; size_t model_count; /* as rg_graph_load; several run in turn at one clock */
    const double *weights;       /* how often each runs; NULL: all as often */
    const char *device, *runtime, *precision; /* NULL: host, the customary one, model */
    int batch;                   /* 0: as the models say */
    const char *seq;             /* size of the dimension that is called seq; NULL: as the models say */
    const char *shape, *value, *trip;         /* as rg_load_opt */
    const char *const *changes; size_t change_count; /* as rg_device_change */
    const char *probe;           /* CSV of what was measured: core_mhz, latency_s, power_w or energy_j, and of
                                  * several models which; NULL: nothing was */
    const char *objective;       /* "edp", "ed2p", "energy"; NULL: edp */
    double slowdown;             /* longest time, over the shortest, less 1; below 0: any */
    double limit_w;              /* power that supply or cooling hold for long; 0: the device's own cap */
    size_t workers;              /* threads that compute; 0: one a core */
    bool (*progress)(void *user, size_t done, size_t total);
    void *user;
} rg_frequency_opt;

/* The curve over the device's clocks, the choice and what it saves, the front of time and energy. */
RG_API RG_CHECKED rg_err rg_frequency_doc(rg_ctx *cx, const rg_frequency_opt *opt, rg_doc **out);

/* ---- evaluation: forecasts against measurements by others ---- */

typedef struct rg_evaluate_opt {
    size_t size;
    const char *kind;            /* of measurement: "llm_op"; NULL: all that the files have */
    size_t workers;              /* threads that compute; 0: one a core. The result does not depend on it */
    bool (*progress)(void *user, size_t done, size_t total);
    void *user;
    rg_learning learning;        /* of what measurements taught, what forecasts use */
    int probes;                  /* settings of each curve whose measurements its forecast is told, and that
                                  * are not scored; of kinds that have curves */
    const char *known;           /* of them, what of the same device it is told besides: "none" or NULL,
                                  * "kernels" (every other curve), "families" (those of other families); or
                                  * "devices": of other devices and families alone */
    const char *baseline;        /* forecast as others do: a wrong name lists those of the kind; NULL: ours */
    bool importance;             /* say which features learned residuals rest on: judges once more for each
                                  * of kernels and whole inferences */
} rg_evaluate_opt;

/* Every row of the files is forecast from its identity and predictor columns only, then scored by device and
 * family. The kind of a file is known by its columns. */
RG_API RG_CHECKED rg_err rg_evaluate_doc(rg_ctx *cx, const char *const *files, size_t count,
                                         const rg_evaluate_opt *opt, rg_doc **out);

/* ---- learning: what measurements say against the analytic base ---- */

typedef struct rg_learn_opt {
    size_t size;
    const char *out;             /* folder that files of trees go to: data/learned/ of an overlay; NULL: none
                                  */
    const char *export_to;       /* folder for tables of features and residuals, one a key; NULL: none */
    const char *key;             /* learn only keys that begin so; NULL: all */
    const char *without;         /* id of a device that nothing is learned from, to see how it
                                  * fares unseen; NULL: none */
    bool whole;                  /* from whole inferences, with what kernels taught; else from kernels */
    bool force;                  /* replace files that score better */
    bool graph;                  /* from whole inferences, by networks over their rows; kept where they do
                                  * better than the sum of rows on families of models held out */
    size_t workers;
    bool (*progress)(void *user, size_t done, size_t total);
    void *user;
} rg_learn_opt;

/* Trains residuals from the files, tests them on devices held out, writes those that score no worse than what
 * stands in `out`. */
RG_API RG_CHECKED rg_err rg_learn_doc(rg_ctx *cx, const char *const *files, size_t count,
                                      const rg_learn_opt *opt, rg_doc **out);

/* What is known by learning, and its errors on what was held out; of keys with the word, NULL: all. */
RG_API RG_CHECKED rg_err rg_learned_doc(rg_ctx *cx, const char *word, rg_doc **out);

typedef struct rg_fit_opt {
    size_t size;
    const char *device;          /* id, file or alias: whose measurements they are */
    const char *out;             /* folder for files of trees: learned/ of an overlay; NULL: none */
    bool whole;                  /* from whole inferences, else from kernels */
    const char *model;           /* for it, the probes that would help most; NULL: none are named */
    const char *runtime, *precision; /* of the model's forecast; NULL: the device's customary one, model */
    size_t workers;
    bool (*progress)(void *user, size_t done, size_t total);
    void *user;
} rg_fit_opt;

/* Fits a device with few measurements of files as rg_evaluate_doc takes them: a scale of each key, trees
 * where there are enough of them. */
RG_API RG_CHECKED rg_err rg_fit_doc(rg_ctx *cx, const char *const *files, size_t count,
                                    const rg_fit_opt *opt, rg_doc **out);

/* Adds to a document of forecasts what writing text takes, where the model is a language model with caches:
 * ttft_s, tpot_s and tokens_per_s of results[i], for prompts as long as the new tokens of its forecast, or as
 * the past ones where it has some. `parallel` is that of the models' rg_load_opt. */
RG_API RG_CHECKED rg_err rg_forecast_doc_add_tokens(rg_ctx *cx, rg_doc *doc,
                                                    const rg_forecast *const *forecasts, size_t count,
                                                    const char *parallel);

/* "5ms", "16 GB", "0.3": a number with the prefix and symbol of a unit ("s", "B", "W", "J"), in SI. */
RG_API RG_CHECKED rg_err rg_quantity_read(rg_ctx *cx, const char *text, const char *symbol, double *out);

/* ---- language models: prompts read, tokens written, by groups of devices ---- */

typedef struct rg_llm_opt {
    size_t size;
    const char *const *models;     size_t model_count;     /* config.json files, zoo:NAME */
    const char *const *devices;    size_t device_count;    /* as in rg_study_opt */
    const char *const *runtimes;
    size_t runtime_count; /* none: vllm where it runs, else the customary one */
    const char *const *precisions; size_t precision_count; /* "f16+w=i4g128+kv=f8"; none: the model's */
    const char *const *parallels;  size_t parallel_count;  /* "tp=4,pp=2"; none: one device */
    const char *batch, *prompt;  /* sequences of a replica, tokens of each: "8", "1..64"; NULL: 1, 1024 */
    int64_t output;              /* tokens that are written behind each prompt; 0: 256 */
    const char *draft;           /* model that drafts tokens for the other to check; NULL: none */
    int draft_tokens;            /* at a time; 0: 4 */
    double acceptance;           /* share of drafted tokens that are right, up to 1; 0: 0.8 */
    int64_t chunk;               /* also: a prompt read so many tokens a step while the batch writes; 0: no */
    const char *const *changes;  size_t change_count;      /* as rg_device_change, for every device */
    double core_hz;              /* as rg_forecast_opt */
    int explain;                 /* 0: the table; 1: of a single setting its report; 2: that of each */
    const rg_rates *rates;       /* NULL: no costs */
} rg_llm_opt;

RG_API RG_CHECKED rg_err rg_llm_doc(rg_ctx *cx, const rg_llm_opt *opt, rg_doc **out);

/* ---- serving under load: a language model and the requests that come to it over time ---- */

typedef struct rg_simulate_opt {
    size_t size;
    const char *model, *device, *runtime, *precision;
    const char *parallel;        /* "tp=4,pp=2"; dp: replicas that share the requests; NULL: one device */
    const char *const *changes; size_t change_count; /* as rg_device_change */
    double core_hz;              /* as rg_forecast_opt */
    double rate_per_s;           /* requests; 0: 1, of a trace its own */
    const char *rate_range;      /* "1..32": a curve instead; NULL: one rate */
    bool find_rate;              /* also the highest rate within the limits; ttft_s has to be one */
    const char *arrival;         /* "poisson", "even", "gamma:cv=2"; NULL: poisson, of a trace as it says */
    const char *prompt,
        *output; /* "1024", "100..2000", "lognormal:mean=1000,cv=1,max=8192"; NULL: 1024, 256 */
    const char *trace;           /* CSV of arrival_s, prompt, output; NULL: none */
    size_t requests;             /* 0: 10000, of a trace all */
    uint64_t seed;
    const char *policy;          /* "static", "continuous", "chunked"; NULL: continuous */
    int max_batch;               /* sequences of a step; 0: 256 */
    int max_tokens;              /* of a step; 0: 512 for chunked, else 8192 */
    double kv_tokens;            /* that the caches of a replica hold; 0: what its memory has room for */
    int queue_max;               /* requests that may wait at a replica; 0: any number */
    double queue_s;              /* for so long; 0: for ever */
    double fill_s;               /* static: how long a batch waits until it is full */
    const char *balance;         /* "turn", "load": how replicas share requests; NULL: load */
    const char *batch_buckets, *prompt_buckets; /* "1,2,4,8": shapes are padded up to these; NULL: none are */
    int buckets;                 /* how many edges are advised; 0: as many as were given, else 8 */
    double ttft_s, tpot_s, e2e_s; /* limits of a request; 0: none */
    double attain;               /* share of the requests that has to keep them; 0: 0.9 */
    double warm;                 /* share of the requests that no figure counts, the first ones; 0: 0.1, below
                                  * 0: none */
    const rg_rates *rates;       /* NULL: no costs */
    bool (*progress)(void *user, size_t done, size_t total);
    void *user;
} rg_simulate_opt;

/* When each request gets its tokens, by a simulation of every step: percentiles, throughput, goodput, batch
 * and queue over time, and which shapes to pad to. */
RG_API RG_CHECKED rg_err rg_simulate_doc(rg_ctx *cx, const rg_simulate_opt *opt, rg_doc **out);

/* ---- files of weights: what their headers say ---- */

/* Types, layers, tensors and metadata of a .safetensors or .gguf file, of all files of a model that is in
 * pieces when `path` is their .safetensors.index.json or the first .gguf, or of those in a directory. The
 * weights themselves are not read. */
RG_API RG_CHECKED rg_err rg_weights_doc(rg_ctx *cx, const char *path, rg_doc **out);
/* Whether the path has weights rather than operators: by its name, or a directory with such a file and
 * neither a model.onnx nor a config.json. */
RG_API bool rg_is_weights(const char *path);

/* ---- conformance: cases of a model, its inputs and the outputs that it must give ---- */

typedef struct rg_conformance_opt {
    size_t size;
    const char *const *dirs; size_t dir_count; /* folders of cases, at any depth */
    double rtol, atol;                         /* |a - b| <= atol + rtol |b| */
    size_t workers;                            /* cases at once; 0: one a core */
    bool (*progress)(void *user, size_t done, size_t total);
    void *user;
    const char *backend;                       /* NULL or "naive": node by node; "native": as planned, where
                                                * there is a plan, else node by node */
    int threads;                               /* of each planned run; 0: 1 */
} rg_conformance_opt;

RG_API RG_CHECKED rg_err rg_conformance_doc(rg_ctx *cx, const rg_conformance_opt *opt, size_t *failed,
                                            rg_doc **out);

/* ---- running a model on inputs ---- */

typedef struct rg_run_opt {
    size_t size;
    const char *shape, *value, *trip; int batch; /* as rg_load_opt; files state sizes, too */
    /* "NAME=FILE", or FILE for the only input: .npy, .npz (every input that it names), .pb (a value as ONNX's
     * test data have them), .png, .jpg, .webp, .bmp, .ppm, .pgm, .wav */
    const char *const *inputs; size_t input_count;
    bool random; uint64_t seed; /* inputs without a file are made up; the seed is random operators', too */
    const char *backend;        /* NULL or "native": as a plan for this machine, where that can run the model;
                                 * "naive": node by node with the plain kernels */
    const char *out_dir;        /* outputs as NAME.npy in this folder, which is made; NULL: nowhere */
    int top;                    /* that many of the largest scores of each row of classes */
    const char *labels;         /* a file with the name of a class on each line */
    /* Pictures: (x * scale - mean) / std of every channel, x in 0..255. */
    const char *resize;         /* "WIDTHxHEIGHT", bilinear; NULL: as it is */
    double scale;               /* 0: 1/255 for inputs of floats, 1 for integers */
    const char *mean, *std;     /* one number, or one for each channel: "0.485,0.456,0.406"; NULL: 0, 1 */
    const char *layout;         /* "nchw", "nhwc"; NULL or "auto": what the input's sizes say, else nchw */
    const char *color;          /* NULL or "rgb", or "bgr"; inputs of one channel are gray in any case */
    /* Sound. */
    const char *channel;        /* NULL or "mean", or a channel from 0 */
    int rate_hz;                /* that the file must have: nothing is resampled; 0: any */
    double at_s;                /* where to begin */
    int samples;                /* how many; 0: as many as the input has room for */
    int threads;                /* of the planned runner; 0: 1 */
} rg_run_opt;

RG_API RG_CHECKED rg_err rg_run_doc(rg_ctx *cx, const char *model, const rg_run_opt *opt, rg_doc **out);

/* ---- measuring: models on this machine, by several backends in turns ---- */

typedef struct rg_bench_opt {
    size_t size;
    const char *shape, *value, *trip; int batch; /* as rg_load_opt */
    const char *backends;       /* "naive,native,onnxruntime"; NULL: native,onnxruntime */
    const char *threads;        /* "1,2"; NULL: 1 */
    const char *onnxruntime;    /* file of the library; NULL: $RIDGE_ONNXRUNTIME, then the customary names */
    uint64_t seed;              /* of made-up weights and inputs */
    double turn_s;              /* how long one backend runs before the next; 0: 0.1 s */
    int turns, samples;         /* of each backend, at least; 0: 10, 20 */
    double foreign_max;         /* a turn is disturbed, and repeated, when others use more; 0: 0.1 */
    bool (*progress)(void *user, size_t done, size_t total);
    void *user;
    bool no_energy;             /* times only */
    bool against_forecast;      /* rows of backends that run a plan, beside the forecast for it */
    const char *reference;      /* backend that the others are compared with; NULL: onnxruntime where it is
                                 * one of them, else the first */
    const char *readings;       /* a .csv or .json file that everything measured is added to; NULL: none */
} rg_bench_opt;

RG_API RG_CHECKED rg_err rg_bench_doc(rg_ctx *cx, const char *const *models, size_t count,
                                      const rg_bench_opt *opt, rg_doc **out);

/* Files of readings ("ridge.readings/1", CSV or JSON) as one document. */
typedef struct rg_readings_opt {
    size_t size;
    const char *save;           /* a .csv or .json file that gets all of them; NULL: none */
    bool all;                   /* every reading; else those of one thing are joined by their medians */
} rg_readings_opt;

RG_API RG_CHECKED rg_err rg_readings_doc(rg_ctx *cx, const char *const *files, size_t count,
                                         const rg_readings_opt *opt, rg_doc **out);

/* This machine measured: what its cores and memories do, as a profile that "host" stands for from then on. */
typedef struct rg_calibrate_opt {
    size_t size;
    const char *output;         /* where the profile goes; NULL: $RIDGE_HOST, else ridge/hw/host.json in
                                 * $XDG_DATA_HOME or ~/.local/share */
    bool quick;                 /* a few seconds and rougher figures */
    bool (*progress)(void *user, size_t done, size_t total);
    void *user;
} rg_calibrate_opt;

RG_API RG_CHECKED rg_err rg_calibrate_doc(rg_ctx *cx, const rg_calibrate_opt *opt, rg_doc **out);

/* ---- diffusion: images by several models in turn ---- */

typedef struct rg_diffusion_opt {
    size_t size;
    const char *const *devices;  size_t device_count;  /* as in rg_study_opt */
    const char *const *runtimes; size_t runtime_count;
    const char *precision;       /* of parts that keep none of their own; NULL: the pipeline's */
    const char *images;          /* made at once: "1,4", "1..16"; NULL: 1 */
    int width, height, tokens;   /* of the image, of the text; 0: the pipeline's */
    int steps;                   /* 0: the pipeline's */
    const char *scheduler;       /* NULL: the pipeline's */
    const char *guidance;        /* its scale, "5"; up to 1: none; NULL: the pipeline's */
    bool offload;                /* parts come into the device's memory one by one, from the host */
    const char *const *changes;  size_t change_count;  /* as in rg_study_opt */
    size_t workers;              /* threads that compute; 0: one a core. The result does not depend on it */
    int explain;                 /* 0 the table, 1 and each part, 2 and its slowest rows */
    const rg_rates *rates;       /* NULL: no costs */
    bool (*progress)(void *user, size_t done, size_t total);
    void *user;
} rg_diffusion_opt;

/* pipeline: "zoo:sdxl", or a file of the form of data/pipeline. *failed: checks of forecasts that failed. */
RG_API RG_CHECKED rg_err rg_diffusion_doc(rg_ctx *cx, const char *pipeline, const rg_diffusion_opt *opt,
                                          size_t *failed, rg_doc **out);

/* ---- documents ---- */

RG_API RG_CHECKED rg_err rg_doc_write(rg_ctx *cx, const rg_doc *doc, const char *format, FILE *out);
/* One chart (svg, png, pdf) or one table (csv), by its name; part NULL: the only one. An error names all. */
RG_API RG_CHECKED rg_err rg_doc_write_part(rg_ctx *cx, const rg_doc *doc, const char *format,
                                           const char *part, FILE *out);
/* Each chart or table as DIR/NAME.FORMAT; the last folder of the path is made when it is not there. */
RG_API RG_CHECKED rg_err rg_doc_write_parts(rg_ctx *cx, const rg_doc *doc, const char *format,
                                            const char *dir);
/* "results[0].latency_s.value" */
RG_API bool rg_doc_number(const rg_doc *doc, const char *path, double *out);
RG_API bool rg_doc_string(const rg_doc *doc, const char *path, const char **out);
RG_API void rg_doc_free(rg_doc *doc);

/* ---- commands: one table gives parser, help, man page and completion ---- */

typedef enum rg_opt_kind { RG_OPT_FLAG, RG_OPT_INT, RG_OPT_REAL, RG_OPT_TEXT, RG_OPT_LIST } rg_opt_kind;

typedef struct rg_opt {
    const char *name, *value; /* --name VALUE; value NULL for a flag */
    rg_opt_kind kind;         /* of the field: bool, int, double, const char *;
                               * LIST: the last, comma-separated */
    size_t field;             /* offset in the command's option struct */
    const char *preset;       /* as it would be typed; NULL: zero */
    const char *choices;      /* "text|json|md": what is offered and accepted; NULL: anything */
    const char *help;
} rg_opt;

typedef struct rg_cmd {
    const char *name, *args, *brief, *detail, *examples; /* detail and examples may be NULL */
    size_t opt_size;
    const rg_opt *opts;
    size_t opt_count;
    int arg_min, arg_max; /* positional arguments; arg_max -1: any number */
    /* *out may stay NULL */
    rg_err (*run)(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out);
} rg_cmd;

#ifdef __cplusplus
}
#endif

#endif
