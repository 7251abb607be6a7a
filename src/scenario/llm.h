/* llm.h - a language model on a group of devices: what one step of it takes, and what of it fits.
 *
 * A replica is the tp x pp x sp devices that hold the model once. A step takes `fresh` new tokens of each of
 * `batch` sequences through all of its layers, behind `past` that the caches hold: past 0 reads prompts,
 * fresh 1 writes a token of each. Its figures are those of the forecast for one device's share of the graph.
 */
#ifndef RG_LLM_H
#define RG_LLM_H

#include "predict/predict.h"

typedef struct rg_llm_setup {
    const char *model;      /* config.json, or zoo:NAME of a language model */
    const struct rg_decoder *decoder; /* in place of that file, the sizes of one; model is then its name */
    const char *device, *runtime; /* runtime NULL: the customary one */
    const rg_device *machine; const rg_runtime *stack; /* in place of their names; NULL: those count */
    const char *precision;  /* "f16+w=i4g128+kv=f8"; NULL: the model's */
    const char *parallel;   /* "tp=4,pp=2"; NULL: one device */
    const char *const *changes; size_t change_count; /* as rg_device_change */
    double core_hz;         /* 0: the highest */
    const rg_rates *rates;  /* NULL: no costs */
    rg_learning learning;
} rg_llm_setup;

typedef struct rg_llm_tokens { int64_t batch, fresh, past; } rg_llm_tokens;

/* Of one device, of the largest pipeline stage; they sum to `peak`. */
typedef struct rg_llm_memory { double weight, cache, activation, workspace, communication, overhead, peak; }
    rg_llm_memory;

typedef struct rg_llm_cost {
    rg_estimate latency_s;     /* from the step's begin to its end, through all pipeline stages */
    double interval_s;         /* between two steps that follow each other: the slowest pipeline stage */
    double communication_s;    /* of the latency, in collectives and sends */
    double energy_j;           /* of all devices of the replica */
    double power_spread;       /* log(high end / value) of its mean power */
    double flop, byte;         /* of one device: work, and traffic to its main memory */
    double weight_read_byte;   /* of that, weights: of a mixture's experts those that are active */
    double cache_byte;         /* the caches of all its pipeline stages, which a step reads once at least */
    rg_llm_memory memory;
    int checks_failed;
} rg_llm_cost;

typedef struct rg_llm rg_llm;
/* Loads nothing yet but device and runtime; the model is read once to find its sizes. RG_UNSUPPORTED when it
 * is no language model with caches. */
rg_err rg_llm_open(rg_ctx *cx, const rg_llm_setup *setup, rg_llm **out) RG_CHECKED;
void rg_llm_close(rg_llm *llm);

/* Kept: asking again costs a look-up. One thread at a time. */
rg_err rg_llm_step(rg_ctx *cx, rg_llm *llm, rg_llm_tokens step, rg_llm_cost *out) RG_CHECKED;
/* Prices many steps at once, over the cores. */
rg_err rg_llm_prepare(rg_ctx *cx, rg_llm *llm, const rg_llm_tokens *tokens, size_t count) RG_CHECKED;
/* The same by interpolation over a grid of steps that are forecast as they are needed: powers of two of
 * batch, fresh and past, linear between them. For searches and simulations, which ask 1e6 times. */
rg_err rg_llm_step_near(rg_ctx *cx, rg_llm *llm, rg_llm_tokens step, rg_llm_cost *out) RG_CHECKED;
/* A step that writes a token of each sequence of `decode` and reads a chunk of a prompt, `chunk`, at once, by
 * interpolation: products over the tokens of both, attention of each over its own caches. */
rg_err rg_llm_mixed_near(rg_ctx *cx, rg_llm *llm, rg_llm_tokens decode, rg_llm_tokens chunk,
                         rg_llm_cost *out) RG_CHECKED;
/* The forecast itself, for reports; the caller frees it. */
rg_err rg_llm_forecast(rg_ctx *cx, rg_llm *llm, rg_llm_tokens step, const rg_forecast **out) RG_CHECKED;

const rg_device *rg_llm_device(const rg_llm *llm);
const rg_runtime *rg_llm_runtime(const rg_llm *llm);
rg_parallel rg_llm_parallel(const rg_llm *llm);
const rg_graph *rg_llm_graph(const rg_llm *llm); /* of one device, its sizes open */
int rg_llm_devices(const rg_llm *llm);           /* of all replicas */
double rg_llm_parameters(const rg_llm *llm);     /* of the whole model */
double rg_llm_cache_byte(rg_ctx *cx, rg_llm *llm, int64_t tokens); /* of one sequence of so many tokens, one
                                                  * device; < 0: an error, which cx holds */
double rg_llm_memory_byte(const rg_llm *llm);    /* usable memory of one device */
/* What a device of a replica holds when each of `batch` sequences has come to `tokens`: the caches of all of
 * them, the activations of a step. */
rg_err rg_llm_held(rg_ctx *cx, rg_llm *llm, int64_t batch, int64_t tokens, rg_llm_memory *out) RG_CHECKED;
/* How many sequences of `tokens` fit beside weights, activations of a step of that batch, and the rest; 0:
 * not even one. */
rg_err rg_llm_fit(rg_ctx *cx, rg_llm *llm, int64_t tokens, int64_t *batch) RG_CHECKED;

/* ---- what a request takes, of a batch of equal ones (llm_request.c) ---- */

typedef struct rg_llm_work { int64_t batch, prompt, output; } rg_llm_work; /* of one replica; tokens */
typedef struct rg_llm_request_cost {
    rg_estimate ttft_s;        /* time to first token: one step over the whole prompts of the batch */
    rg_estimate tpot_s;        /* mean time per output token behind the first */
    rg_estimate latency_s;     /* of the last token */
    double tokens_per_s;       /* output tokens of all replicas over the latency */
    double decode_tokens_per_s; /* output tokens of all replicas while writing, pipelines filled */
    double prefill_tokens_per_s;
    double energy_per_token_j; /* of an output token, prompts included */
    double prefill_j, decode_j; /* of the batch, one replica */
    double communication_share; /* of the decode time */
    rg_llm_memory memory;      /* at the last token */
    bool fits;
    rg_llm_cost prefill, first, last; /* the steps that it was made of */
} rg_llm_request_cost;
rg_err rg_llm_request(rg_ctx *cx, rg_llm *llm, rg_llm_work work, rg_llm_request_cost *out) RG_CHECKED;
/* The steps of a micro-batch that it is made of, so that many requests are prepared at once: the prompts, the
 * first token behind them, the last one. */
enum { RG_LLM_PROMPT, RG_LLM_FIRST, RG_LLM_LAST, RG_LLM_REQUEST_STEPS };
void rg_llm_request_steps(const rg_llm *llm, rg_llm_work work, rg_llm_tokens steps[RG_LLM_REQUEST_STEPS]);
/* From one of these steps of a batch to the same sequences' next: its latency, or longer where micro-batches
 * wait for the slowest pipeline stage. */
double rg_llm_token_s(const rg_llm *llm, int64_t batch, const rg_llm_cost *step);

/* ---- figures with intervals (llm_request.c) ---- */

rg_estimate rg_estimate_times(rg_estimate x, double by);
rg_estimate rg_estimate_sum(rg_estimate a, rg_estimate b);
/* The same factors around another value. */
rg_estimate rg_estimate_like(rg_estimate known, double value);

#endif
