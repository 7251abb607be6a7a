/* predict.h - what a plan costs: time, energy, power, memory, each row with the terms that add up to it.
 *
 * A prediction never peeks at a measurement: this folder cannot see exec or measure.
 */
#ifndef RG_PREDICT_H
#define RG_PREDICT_H

#include "map/map.h"
#include "predict/cost.h"

/* Stand-alone time of one resource; the longest binds. index 0: compute; 1 + i: memory level i of the
 * device; behind them, of a collective alone: the link. */
typedef struct rg_limit { const char *name; double time_s; } rg_limit;

/* Additive, signed; they sum to latency_s. */
typedef enum rg_term {
    RG_TERM_BUSY, RG_TERM_LAUNCH, RG_TERM_TAIL, RG_TERM_CORRECTION, RG_TERM_COUNT,
} rg_term;
const char *rg_term_name(rg_term term);

/* BALANCED: compute and memory are within RG_BALANCE of each other, so that neither alone would help. */
typedef enum rg_bound {
    RG_BOUND_COMPUTE, RG_BOUND_BALANCED, RG_BOUND_MEMORY, RG_BOUND_LAUNCH, RG_BOUND_NOTHING, RG_BOUND_COUNT,
} rg_bound;
#define RG_BALANCE 0.9
const char *rg_bound_name(rg_bound bound);

/* Joules; they sum to energy_j. */
typedef struct rg_energy { double compute_j, memory_j, static_j; } rg_energy;

typedef struct rg_row_cost {
    rg_limit limits[RG_LEVEL_LIMIT + 2]; int limit_count;
    int binding;                     /* index of the longest limit */
    double terms_s[RG_TERM_COUNT];
    double latency_s;                /* once */
    double total_s;                  /* x times; 0 for the arm of an If that is not taken */
    rg_energy energy;                /* x times */
    double energy_j, power_w;
    double intensity, ridge;         /* FLOP per byte; where this row's unit turns compute-bound */
    double utilization;              /* of the row's peak, launch included */
    rg_bound bound;
    /* What the host takes to issue the row and the device to run it, where the host runs ahead: the row takes
     * the longer. host_s 0: nobody runs ahead. */
    double host_s, device_s;
    double residual;                 /* log(time / analytic time), learned; 0: none */
    uint32_t evidence; /* of the forecast's, that its time rests on; 0: the analytic base alone */
} rg_row_cost;

/* Measurements that a learned residual rests on. */
typedef struct rg_evidence {
    const char *key, *made_of, *data_hash; /* file of data/learned/; of measurements; their hash */
    const char *device;              /* the one itself, or the nearest that was measured */
    const char *how;                 /* "measured", "its architecture was measured", "none like it was" */
    int rows;                        /* measurements on that device */
    double spread; /* 90 % of real times lie within a factor of e^spread; 0: not validated */
    int outside;                     /* most features of a row beyond what was measured */
} rg_evidence;

typedef struct rg_check { const char *name; bool pass; const char *text; } rg_check;
/* Gains are of one inference, > 0 is better. */
typedef struct rg_advice { const char *name, *text; double gain_s, gain_j, gain_byte; } rg_advice;

/* Structures that a network may have, a letter each, in the order in which learn/blocks.c explains them. */
#define RG_BLOCK_LETTERS "bgdcvwkmphfasxqrnlo"

/* What is known of an inference and no graph says: how it was run, and of a network without a graph its
 * totals. 0: not known. */
typedef struct rg_sketch {
    double macs, activations, parameters; /* of one sample: multiply-adds, elements that products write */
    double samples, side, patch;     /* at once; of an image; of the squares that become tokens */
    double release;                  /* of the framework: 2 + 4/100 is 2.4 */
    bool guessed;                    /* the totals are */
    bool channels_last, mixed;       /* mixed: weights are kept in f32 and converted each time */
    uint32_t blocks;                 /* bit i: letter i of RG_BLOCK_LETTERS */
} rg_sketch;

struct rg_forecast {
    rg_arena arena;
    const rg_plan *plan;             /* referenced */
    double asked_hz;                 /* the fixed clock that was asked for; 0: none */
    double host_hz;                  /* of the processor that launches, as asked; 0: the profile's */
    double clock_hz;                 /* sustained, after the power cap */
    bool capped;                     /* the power cap lowered the clock */
    double voltage;                  /* relative to the highest clock's */
    rg_row_cost *rows;               /* by row of the plan */
    bool *skipped;                   /* by row: in the arm of an If that is not taken, or in one inside it */
    double arm_spread_s;             /* what the arms not taken would save */
    double overlap_s;                /* <= 0: what parallel branches save */
    double graph_s, sequences_s;     /* fixed cost of one inference; of that, what its sequences add */
    double sequences;                /* of a step of a language model, as asked */
    double correction_s;             /* learned from whole inferences, beyond that of rows */
    rg_learning learning;            /* as asked */
    const char *sort;                /* of inference, as asked: "whole" if nothing was */
    rg_sketch sketch;                /* as given */
    bool unchecked;                  /* as asked */
    rg_evidence *evidence; uint32_t evidence_count; /* [0] unused; the last may be of the whole */
    double spread, power_spread;     /* of latency, of power, log; 0: the runtime's prior holds */
    rg_estimate latency_s, energy_j, power_w, peak_memory_byte;
    rg_energy energy;
    double peak_power_w;
    double wasted_j;                 /* static energy of idle units while rows run */
    double compute_s, memory_s, overhead_s; /* sum of rows by what binds them; overhead: launch, tail */
    double *finish_s;                /* by row: when it ends if every row starts as soon as it can */
    uint32_t *critical; uint32_t critical_count; double critical_s; /* longest path of rows by time */
    const char *bound;               /* of the whole: the largest of the three */
    rg_check *checks; uint32_t check_count;
    const rg_rates *rates;           /* referenced; NULL: no costs were asked for, and what follows is 0 */
    rg_rate_card card;               /* what of them holds for the device */
    rg_cost cost;                    /* of one inference; money NAN where no price is known */
    uint64_t hash;
};

/* Of the device's fastest engine; of the processor that launches, 0: the profile's, of a CPU its own. */
typedef struct rg_clocks { double core_hz, host_hz; } rg_clocks;

/* The least that level `level` takes for a row, however few its bytes are: one latency for each wait. */
double rg_level_wait_s(const rg_plan *plan, const rg_row *row, size_t level);

/* ---- the stages ---- */
/* roofline.c: limits, terms, latency. energy.c: joules, from the latency. */
void rg_price_row(const rg_plan *plan, const rg_row *row, rg_clocks clocks, rg_row_cost *out);
/* Host times at these clocks, of those in the runtime's profile. roofline.c */
double rg_host_stretch(const rg_plan *plan, rg_clocks clocks);
void rg_energy_row(const rg_plan *plan, const rg_row *row, double clock_hz, rg_row_cost *cost);
/* Of graph_s: the device waits with its clocks up. */
rg_energy rg_energy_fixed(const rg_forecast *f);
double rg_energy_fixed_j(const rg_forecast *f);       /* its sum */
/* overlap.c: the dearer arm of every If at the prices of now; rows of the others are skipped from here on. */
rg_err rg_forecast_arms(rg_ctx *cx, rg_forecast *f) RG_CHECKED;
void rg_forecast_path(rg_forecast *f);                /* overlap.c: longest path, overlap */
void rg_forecast_at(rg_forecast *f, double clock_hz); /* forecast.c: rows, path and sums at one clock */
void rg_forecast_sum(rg_forecast *f);                 /* forecast.c: of rows as they are */
/* correction.c: a priced row's time changed by the factor e^residual, as its term `correction`. */
void rg_correct_row(rg_row_cost *cost, double residual, uint32_t evidence);
/* The least time that the published peaks allow: products at the peak, bytes that no cache can hold from main
 * memory. sanity.c */
double rg_row_least_s(const rg_plan *plan, const rg_row *row);
void rg_forecast_clock(rg_forecast *f);               /* energy.c: lowered from now, as the cap allows */
rg_err rg_forecast_check(rg_ctx *cx, rg_forecast *f) RG_CHECKED; /* sanity.c: catches an impossible report */

/* ---- words, on demand ---- */
/* One sentence: what binds the row, with the numbers that say so. Returns `buffer`. why.c */
const char *rg_row_why(const rg_forecast *f, uint32_t row, char *buffer, size_t size);
/* What would help and by how much, largest gain first; each entry was priced, not guessed. In cx's arena. */
rg_err rg_forecast_advise(rg_ctx *cx, const rg_forecast *f, const rg_advice **advice,
                          uint32_t *count) RG_CHECKED; /* advice.c */

/* What would make it fit into main memory, each with the peak that it then has; none where it fits. fits:
 * that peak does; estimated: not planned, but worked out from the parts. In cx's arena. remedy.c */
typedef struct rg_remedy { const char *name, *text; double peak_byte; bool fits, estimated; } rg_remedy;
rg_err rg_forecast_mend(rg_ctx *cx, const rg_forecast *f, const rg_remedy **remedies,
                        uint32_t *count) RG_CHECKED;
double rg_forecast_room_byte(const rg_forecast *f); /* usable main memory of the device */

/* A special function (exp, divide, sqrt) costs as much as this many additions: 16 results a clock and SM
 * against 128 multiply-adds (CUDA C++ Programming Guide, "Throughput of native arithmetic instructions",
 * 8.x and 9.0). */
#define RG_SPECIAL_FLOP 16.0
/* Operations that one execution of a row does, special functions as additions: less than its FLOP where a
 * mask rules some out. */
double rg_row_ops(const rg_row *row);
/* Of the peak, what the stack's kernels reach with rows as long as this one's. */
double rg_row_compute_share(const rg_row *row);

#endif
