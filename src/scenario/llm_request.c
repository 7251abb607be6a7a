/* llm_request.c - from steps to requests: reading prompts, writing tokens, and how many sequences fit.
 *
 * With pp pipeline stages the sequences go through in up to pp micro-batches, one behind the other:
 *
 *     n = min(batch, pp),  m = ceil(batch / n) sequences each
 *     ttft = latency(m) + (n - 1) interval(m)           the last prompt waits for those before it
 *     tpot = max(latency(m), n interval(m))             a sequence's next token waits for the slowest stage
 *
 * of which (pp - 1) / (n + pp - 1) of the prompts' time is the bubble of equal stages (Huang et al. 2019,
 * GPipe, arXiv:1811.06965). The time of a token is the mean of the first and the last one's: it is linear in
 * the tokens that the caches hold.
 */
#include "scenario/llm.h"

#include <math.h>

typedef struct micro { int64_t count, size; } micro;

static micro micro_of(const rg_llm *llm, int64_t batch)
{
    int64_t stages = rg_llm_parallel(llm).pipeline, count = batch < stages ? batch : stages;
    return (micro){count, (batch + count - 1) / count};
}

/* Caches are those of all micro-batches, activations those of one. */
static rg_llm_memory memory_of(const rg_llm_cost *c, micro m, int64_t batch)
{
    rg_llm_memory all = c->memory;
    all.cache *= (double)batch / (double)m.size;
    all.peak += all.cache - c->memory.cache;
    return all;
}

rg_estimate rg_estimate_times(rg_estimate x, double by)
{
    return (rg_estimate){x.value * by, x.low * by, x.high * by};
}

rg_estimate rg_estimate_sum(rg_estimate a, rg_estimate b)
{
    return (rg_estimate){a.value + b.value, a.low + b.low, a.high + b.high};
}

rg_estimate rg_estimate_like(rg_estimate known, double value)
{
    return known.value > 0 ? rg_estimate_times(known, value / known.value)
                           : (rg_estimate){value, value, value};
}

double rg_llm_token_s(const rg_llm *llm, int64_t batch, const rg_llm_cost *step)
{
    return fmax(step->latency_s.value, (double)micro_of(llm, batch).count * step->interval_s);
}

void rg_llm_request_steps(const rg_llm *llm, rg_llm_work work, rg_llm_tokens steps[RG_LLM_REQUEST_STEPS])
{
    int64_t size = micro_of(llm, work.batch).size;
    int64_t last = work.prompt + (work.output > 2 ? work.output - 2 : 0); /* in the caches before it */
    steps[RG_LLM_PROMPT] = (rg_llm_tokens){size, work.prompt, 0};
    steps[RG_LLM_FIRST] = (rg_llm_tokens){size, 1, work.prompt};
    steps[RG_LLM_LAST] = (rg_llm_tokens){size, 1, last};
}

rg_err rg_llm_request(rg_ctx *cx, rg_llm *llm, rg_llm_work work, rg_llm_request_cost *out)
{
    if (work.batch < 1 || work.prompt < 1 || work.output < 1)
        return rg_fail(cx, RG_USAGE, "%lld requests of %lld and %lld tokens: each is at least 1",
                       (long long)work.batch, (long long)work.prompt, (long long)work.output);
    micro m = micro_of(llm, work.batch);
    int64_t more = work.output - 1;
    rg_llm_tokens steps[RG_LLM_REQUEST_STEPS];
    *out = (rg_llm_request_cost){0};
    rg_llm_request_steps(llm, work, steps);
    RG_TRY(rg_llm_prepare(cx, llm, steps, RG_COUNT(steps)));
    RG_TRY(rg_llm_step(cx, llm, steps[RG_LLM_PROMPT], &out->prefill));
    RG_TRY(rg_llm_step(cx, llm, steps[RG_LLM_FIRST], &out->first));
    RG_TRY(rg_llm_step(cx, llm, steps[RG_LLM_LAST], &out->last));
    const rg_llm_cost *p = &out->prefill, *a = &out->first, *z = &out->last;
    double n = (double)m.count, replicas = rg_llm_parallel(llm).data, batch = (double)work.batch;
    out->ttft_s = rg_estimate_like(p->latency_s, p->latency_s.value + (n - 1) * p->interval_s);
    rg_estimate first_s = rg_estimate_like(a->latency_s, rg_llm_token_s(llm, work.batch, a));
    rg_estimate last_s = rg_estimate_like(z->latency_s, rg_llm_token_s(llm, work.batch, z));
    out->tpot_s = rg_estimate_times(rg_estimate_sum(first_s, last_s), 0.5);
    out->latency_s = rg_estimate_sum(out->ttft_s, rg_estimate_times(out->tpot_s, (double)more));
    out->tokens_per_s = replicas * batch * (double)work.output / out->latency_s.value;
    out->decode_tokens_per_s = replicas * batch / out->tpot_s.value;
    out->prefill_tokens_per_s = replicas * batch * (double)work.prompt / out->ttft_s.value;
    out->prefill_j = n * p->energy_j;
    out->decode_j = n * 0.5 * (a->energy_j + z->energy_j) * (double)more;
    out->energy_per_token_j = (out->prefill_j + out->decode_j) / (batch * (double)work.output);
    out->communication_share = (a->communication_s + z->communication_s)
                               / (a->latency_s.value + z->latency_s.value);
    rg_llm_memory writing = memory_of(z, m, work.batch), reading = memory_of(p, m, work.batch);
    out->memory = writing.peak >= reading.peak ? writing : reading;
    out->fits = out->memory.peak <= rg_llm_memory_byte(llm);
    return RG_OK;
}

/* ---- room ---- */

rg_err rg_llm_held(rg_ctx *cx, rg_llm *llm, int64_t batch, int64_t tokens, rg_llm_memory *out)
{
    rg_llm_cost c;
    micro m = micro_of(llm, batch);
    RG_TRY(rg_llm_step(cx, llm, (rg_llm_tokens){m.size, 1, tokens - 1}, &c));
    *out = memory_of(&c, m, batch);
    return RG_OK;
}

static rg_err peak_of(rg_ctx *cx, rg_llm *llm, int64_t batch, int64_t tokens, double *peak)
{
    rg_llm_memory memory;
    RG_TRY(rg_llm_held(cx, llm, batch, tokens, &memory));
    *peak = memory.peak;
    return RG_OK;
}

/* Memory is all but linear in the batch: two points give a guess, which is put right by what it needs, and
 * where that does not lead there, by halves. What is answered was tried. */
rg_err rg_llm_fit(rg_ctx *cx, rg_llm *llm, int64_t tokens, int64_t *batch)
{
    enum { GUESSES = 8 };
    const int64_t most = INT64_C(1) << 20, stages = rg_llm_parallel(llm).pipeline;
    double room = rg_llm_memory_byte(llm), one, many, peak;
    *batch = 0;
    RG_TRY(peak_of(cx, llm, 1, tokens, &peak));
    if (peak > room) return RG_OK;
    RG_TRY(peak_of(cx, llm, stages, tokens, &one));
    RG_TRY(peak_of(cx, llm, 17 * stages, tokens, &many));
    double each = (many - one) / (16 * (double)stages);
    double guess = each > 0 ? (double)stages + (room - one) / each : (double)most;
    *batch = (int64_t)fmax(1, fmin(floor(guess), (double)most));
    for (int i = 0; *batch > 1; i++) {
        RG_TRY(peak_of(cx, llm, *batch, tokens, &peak));
        if (peak <= room) return RG_OK;
        int64_t half = *batch / 2;
        double less = ceil((peak - room) / fmax(each, 1));
        *batch = i < GUESSES && less < (double)*batch ? *batch - (int64_t)less : half;
    }
    return RG_OK;
}
