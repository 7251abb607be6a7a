/* study.h - many forecasts at once: every combination of models, devices, runtimes and settings.
 *
 *     models x devices x runtimes x precisions x batches x sequences x clocks -> points, in that order
 *
 * A graph is loaded once for each (model, batch, sequence), its facts are found once for each precision, and
 * all points that price it share them.
 */
#ifndef RG_STUDY_H
#define RG_STUDY_H

#include "predict/predict.h"

/* One combination: indices into the lists of the study, and what its forecast says. */
typedef struct rg_point {
    uint32_t model, device, runtime, precision, batch, seq;
    double core_hz;              /* the clock that was asked for; 0: none */
    const char *error;           /* why there is no forecast, or NULL */
    rg_err err;
    rg_estimate latency_s, energy_j, power_w, peak_memory_byte;
    rg_estimate cost_usd, carbon_g; /* NAN: not known */
    double throughput_per_s, clock_hz;
    int64_t inputs;              /* per inference */
    uint32_t rows, checks, checks_failed;
    const char *bound, *failed;  /* failed: "NAME: TEXT" of the first check that failed, or NULL */
    bool fits;                   /* main memory holds its peak */
    const rg_forecast *forecast; /* where the study keeps them */
} rg_point;

/* Sizes or clocks as asked: count 0 where nothing was. */
typedef struct rg_range { double *values; size_t count; } rg_range;

struct rg_study {
    rg_arena arena;              /* of the maker's thread */
    rg_arena *texts;             /* of each point: what its forecast had to say */
    const char **models; size_t model_count;
    const char **labels;         /* what people call them; by model */
    const rg_device **devices; size_t device_count;
    const rg_runtime **runtimes; size_t runtime_count;
    const char **precisions; size_t precision_count;
    rg_range batches, seqs;
    bool clocks;                 /* were varied */
    int cpu_threads;             /* as asked */
    bool costs;                  /* were asked for */
    rg_learning learning;
    const rg_facts **facts;      /* by model, batch, sequence, precision; NULL where loading failed */
    rg_point *points; size_t point_count;
};

const rg_facts *rg_point_facts(const rg_study *s, const rg_point *p);
/* "resnet50 on 3 devices" */
void rg_study_title(const rg_study *s, char *text, size_t size);
/* A setting as people say it, "resnet50 on t4 with tensorrt in f16, batch 8"; what nobody asked for is left
 * out. Answers `text`. */
const char *rg_point_print(const rg_study *s, const rg_point *p, bool runtime, char *text, size_t size);

/* "1,4..64,100..500:100": single values, doublings, steps; ascending is not asked for. range.c */
rg_err rg_range_read(rg_ctx *cx, rg_arena *arena, const char *option, const char *text,
                     rg_range *out) RG_CHECKED;

/* What separates two runtimes on one machine, in the order in which they are changed: grouping, launches,
 * kernels, fixed cost, the rest. The steps sum to the difference. spread.c */
typedef struct rg_spread_step { const char *name; char text[160]; double gain_s; } rg_spread_step;
enum { RG_SPREAD_STEPS = 5 };
rg_err rg_spread(rg_ctx *cx, const rg_plan *from, const rg_runtime *to, double core_hz,
                 rg_learning learning, rg_spread_step steps[RG_SPREAD_STEPS], int *count) RG_CHECKED;

#endif
