/* llm_step.c - steps of a language model: the share of one device is read once, bound to each step's sizes,
 * planned and priced; what was priced is kept.
 *
 * Between priced steps lies a grid of powers of two, and linear interpolation: the time of a step is linear
 * in the tokens that caches hold, and nearly so in new ones and sequences between two powers of two, where
 * neither the number of waves nor what binds changes much.
 */
#include "scenario/llm.h"

#include "format/format.h"
#include "format/hf_decoder.h"
#include "op/collective.h"
#include "pass/pass.h"

#include <math.h>
#include <string.h>

/* Of the grid: 2^0 .. 2^20 sequences and new tokens; caches of 0 and 2^7 .. 2^24 tokens. */
enum { POWERS = 21, PAST_FIRST = 7, PASTS = 19 };

/* What language models are served with where it runs; elsewhere the customary runtime of the device. */
#define CUSTOMARY "vllm"

typedef struct priced { rg_llm_tokens tokens; rg_llm_cost cost; } priced;

struct rg_llm {
    rg_arena arena;
    rg_llm_setup setup;              /* strings are the caller's */
    rg_parallel parallel;
    rg_graph *file;                  /* of one device; its sizes are open */
    const rg_device *device;
    const rg_runtime *runtime;
    double parameters;               /* of the whole model */
    rg_map index;                    /* rg_llm_tokens -> 1 + index in steps */
    priced *steps; uint32_t step_count, step_capacity;
    const rg_llm_cost *grid[POWERS][POWERS][PASTS]; /* by batch, fresh, past */
};

const rg_device *rg_llm_device(const rg_llm *llm) { return llm->device; }
const rg_runtime *rg_llm_runtime(const rg_llm *llm) { return llm->runtime; }
rg_parallel rg_llm_parallel(const rg_llm *llm) { return llm->parallel; }
const rg_graph *rg_llm_graph(const rg_llm *llm) { return llm->file; }
double rg_llm_parameters(const rg_llm *llm) { return llm->parameters; }
double rg_llm_memory_byte(const rg_llm *llm) { return rg_device_memory(llm->device)->usable_byte; }

/* Devices that hold the model once. */
static int replica_of(const rg_parallel *p) { return p->tensor * p->pipeline * p->sequence; }

int rg_llm_devices(const rg_llm *llm) { return replica_of(&llm->parallel) * llm->parallel.data; }

/* ---- opening ---- */

static bool writes_tokens(const rg_graph *g)
{
    bool seq = false, past = false;
    for (uint32_t i = 0; i < g->regions[RG_MAIN].input_count; i++) {
        const rg_value *v = &g->values[g->regions[RG_MAIN].inputs[i]];
        seq |= rg_str_is(v->name, "input_ids");
        past |= rg_str_starts(v->name, "past_key_values.");
    }
    return seq && past;
}

static rg_err read_model(rg_ctx *cx, const rg_llm *llm, const rg_share *share, rg_graph **out)
{
    const rg_llm_setup *s = &llm->setup;
    rg_graph *graph = NULL;
    if (!s->decoder) return rg_format_read(cx, s->model, share, out);
    RG_TRY(rg_decoder_build(cx, s->model, s->decoder, share, &graph));
    rg_err err = rg_graph_resolve(cx, graph);
    if (err) rg_graph_free(graph);
    else *out = graph;
    return err;
}

/* Elements of the constants that feed weight inputs, of all devices: those of a graph that nobody shares. */
static rg_err count_parameters(rg_ctx *cx, rg_llm *llm)
{
    rg_graph *whole = NULL, *graph = NULL;
    const rg_facts *facts = NULL;
    rg_binding binding = {.shape = "seq=1,past=1"};
    rg_err err = read_model(cx, llm, NULL, &whole);
    if (!err) err = rg_graph_bind(cx, whole, &binding, &graph);
    if (!err) err = rg_facts_make(cx, graph, &facts);
    if (!err) llm->parameters = facts->parameters;
    rg_facts_free(facts);
    rg_graph_free(graph);
    rg_graph_free(whole);
    return err;
}

static rg_err find_device(rg_ctx *cx, rg_llm *llm)
{
    const rg_llm_setup *s = &llm->setup;
    const rg_device *found = s->machine ? rg_device_ref(s->machine) : NULL;
    if (!found) RG_TRY(rg_device_find(cx, s->device, &found));
    rg_err err = RG_OK;
    if (s->change_count) err = rg_device_change(cx, found, s->changes, s->change_count, &llm->device);
    else llm->device = found;
    if (s->change_count) rg_device_free(found);
    return err;
}

static rg_err find_runtime(rg_ctx *cx, rg_llm *llm)
{
    const rg_llm_setup *s = &llm->setup;
    if (s->stack) {
        llm->runtime = rg_runtime_ref(s->stack);
        return RG_OK;
    }
    if (s->runtime) return rg_runtime_find(cx, s->runtime, llm->device, &llm->runtime);
    rg_err err = rg_runtime_find(cx, CUSTOMARY, llm->device, &llm->runtime);
    return err == RG_UNSUPPORTED ? rg_runtime_find(cx, NULL, llm->device, &llm->runtime) : err;
}

static rg_err open(rg_ctx *cx, rg_llm *llm)
{
    RG_TRY(rg_parallel_read(cx, llm->setup.parallel, &llm->parallel));
    RG_TRY(find_device(cx, llm));
    RG_TRY(find_runtime(cx, llm));
    rg_share share = {.parallel = llm->parallel, .last = true};
    RG_TRY(read_model(cx, llm, &share, &llm->file));
    if (!writes_tokens(llm->file))
        return rg_fail(cx, RG_UNSUPPORTED, "%s is no language model with caches: it needs the inputs "
                       "input_ids and past_key_values.N.*, as a config.json of a decoder gives",
                       llm->setup.model);
    return count_parameters(cx, llm);
}

rg_err rg_llm_open(rg_ctx *cx, const rg_llm_setup *setup, rg_llm **out)
{
    rg_llm *llm = RG_NEW_OWN(cx, rg_llm);
    if (!llm) return rg_nomem(cx);
    llm->setup = *setup;
    rg_map_init(&llm->index, &llm->arena);
    rg_err err = open(cx, llm);
    if (err) rg_llm_close(llm);
    else *out = llm;
    return err;
}

void rg_llm_close(rg_llm *llm)
{
    if (!llm) return;
    rg_graph_free(llm->file);
    rg_device_free(llm->device);
    rg_runtime_free(llm->runtime);
    rg_arena arena = llm->arena; /* it lies in there itself */
    rg_arena_done(&arena);
}

/* ---- one step ---- */

static rg_err check_tokens(rg_ctx *cx, rg_llm_tokens t)
{
    bool good = t.batch > 0 && t.fresh > 0 && t.past >= 0 && t.batch <= INT32_MAX && t.fresh <= INT32_MAX
                && t.past <= INT32_MAX;
    if (good) return RG_OK;
    return rg_fail(cx, RG_USAGE, "a step of %lld sequences with %lld new tokens behind %lld is not possible",
                   (long long)t.batch, (long long)t.fresh, (long long)t.past);
}

static rg_err bind(rg_ctx *cx, const rg_llm *llm, rg_llm_tokens t, rg_graph **out)
{
    char shape[64];
    snprintf(shape, sizeof shape, "seq=%lld,past=%lld", (long long)t.fresh, (long long)t.past);
    rg_binding binding = {.shape = shape, .batch = (int)t.batch};
    rg_graph *graph = NULL;
    RG_TRY(rg_graph_bind(cx, llm->file, &binding, &graph));
    rg_err err = rg_passes_apply(cx, graph, NULL);
    if (err) rg_graph_free(graph);
    else *out = graph;
    return err;
}

static rg_err forecast(rg_ctx *cx, const rg_llm *llm, rg_llm_tokens t, const rg_forecast **out)
{
    const rg_llm_setup *s = &llm->setup;
    rg_graph *graph = NULL;
    const rg_facts *facts = NULL;
    const rg_plan *plan = NULL;
    rg_plan_opt plan_opt = {.size = sizeof plan_opt, .precision = s->precision};
    rg_forecast_opt opt = {.size = sizeof opt, .core_hz = s->core_hz, .rates = s->rates,
                           .learning = s->learning, .sequences = (double)t.batch,
                           .sort = t.past > 0 && t.fresh == 1 ? "decode" : "prefill"};
    RG_TRY(bind(cx, llm, t, &graph));
    rg_err err = rg_facts_at_precision(cx, graph, s->precision, &facts);
    if (!err) err = rg_plan_from(cx, facts, llm->device, llm->runtime, &plan_opt, &plan);
    if (!err) err = rg_forecast_make(cx, plan, &opt, out);
    rg_plan_free(plan);
    rg_facts_free(facts);
    rg_graph_free(graph);
    return err;
}

rg_err rg_llm_forecast(rg_ctx *cx, rg_llm *llm, rg_llm_tokens step, const rg_forecast **out)
{
    RG_TRY(check_tokens(cx, step));
    return forecast(cx, llm, step, out);
}

static rg_llm_memory memory_of(const rg_plan *p)
{
    return (rg_llm_memory){
        .weight = p->weight_byte, .cache = p->cache_byte, .workspace = p->workspace_byte,
        .activation = (double)p->block_byte - p->cache_byte, .communication = p->communication_byte,
        .overhead = p->overhead_byte, .peak = p->peak_byte,
    };
}

/* Times of the pipeline's stages are those of the rows up to each Send, which is its sender's. */
static void add_rows(const rg_forecast *f, rg_llm_cost *c)
{
    const rg_plan *plan = f->plan;
    double stage_s = 0;
    uint32_t memory = (uint32_t)plan->device->level_count - 1;
    for (uint32_t r = 0; r < plan->row_count; r++) {
        const rg_row *row = &plan->rows[r];
        rg_collective_kind kind = RG_ALL_REDUCE;
        int64_t group;
        bool moves = rg_node_collective(rg_node_at(plan->graph, plan->facts->steps[row->anchor].node), &kind,
                                        &group);
        double times = f->rows[r].latency_s > 0 ? f->rows[r].total_s / f->rows[r].latency_s : 0;
        c->flop += row->work.flop * times;
        c->byte += row->tiling.traffic_byte[memory] * times;
        c->weight_read_byte += row->work.weight_byte * times;
        c->communication_s += moves ? f->rows[r].total_s : 0;
        stage_s += f->rows[r].total_s;
        c->interval_s = fmax(c->interval_s, stage_s);
        if (moves && kind == RG_SEND) stage_s = 0;
    }
    c->interval_s += f->graph_s;
}

static double caches_of(const rg_graph *g)
{
    const rg_region *main = &g->regions[RG_MAIN];
    double byte = 0;
    for (uint32_t i = 0; i < main->input_count; i++) {
        const rg_value *v = &g->values[main->inputs[i]];
        if (rg_str_starts(v->name, "past_key_values.")) byte += rg_type_bytes(g, &v->type);
    }
    return byte;
}

/* Energy is that of a pipeline that is kept filled: each device is busy for its own stage, and idles for what
 * the slowest one takes longer. */
static rg_llm_cost cost_of(const rg_llm *llm, const rg_forecast *f)
{
    rg_llm_cost c = {.latency_s = f->latency_s, .memory = memory_of(f->plan),
                     .cache_byte = caches_of(f->plan->graph)};
    const rg_parallel *p = &llm->parallel;
    add_rows(f, &c);
    double waits_s = fmax(p->pipeline * c.interval_s - f->latency_s.value, 0);
    if (p->pipeline == 1) c.interval_s = f->latency_s.value, waits_s = 0;
    c.power_spread = f->power_w.value > 0 ? log(f->power_w.high / f->power_w.value) : 0;
    c.energy_j = p->tensor * p->sequence * (f->energy_j.value + llm->device->idle_w * waits_s);
    for (uint32_t i = 0; i < f->check_count; i++) c.checks_failed += !f->checks[i].pass;
    return c;
}

/* ---- what was priced ---- */

typedef struct pricing { const rg_llm *llm; priced *steps; } pricing;

static rg_err price(rg_ctx *cx, void *user, size_t index)
{
    const pricing *p = user;
    const rg_forecast *f = NULL;
    RG_TRY(forecast(cx, p->llm, p->steps[index].tokens, &f));
    p->steps[index].cost = cost_of(p->llm, f);
    rg_forecast_free(f);
    return RG_OK;
}

static rg_str key_of(const rg_llm_tokens *t) { return (rg_str){(const char *)t, sizeof *t}; }

static rg_err keep(rg_ctx *cx, rg_llm *llm, const priced *step)
{
    rg_llm_tokens *key = RG_NEW(&llm->arena, rg_llm_tokens, 1);
    if (!key || !RG_GROW(&llm->arena, llm->steps, llm->step_count, llm->step_capacity)) return rg_nomem(cx);
    *key = step->tokens;
    llm->steps[llm->step_count++] = *step;
    return rg_map_put(&llm->index, key_of(key), llm->step_count) ? RG_OK : rg_nomem(cx);
}

rg_err rg_llm_prepare(rg_ctx *cx, rg_llm *llm, const rg_llm_tokens *tokens, size_t count)
{
    pricing p = {llm, NULL};
    size_t missing = 0;
    p.steps = RG_NEW(&cx->arena, priced, count + 1);
    if (!p.steps) return rg_nomem(cx);
    for (size_t i = 0; i < count; i++) {
        RG_TRY(check_tokens(cx, tokens[i]));
        bool known = rg_map_get(&llm->index, key_of(&tokens[i]));
        for (size_t k = 0; k < missing && !known; k++)
            known = memcmp(&p.steps[k].tokens, &tokens[i], sizeof tokens[i]) == 0;
        if (!known) p.steps[missing++].tokens = tokens[i];
    }
    if (!missing) return RG_OK;
    RG_TRY(rg_workers_run(cx, &(rg_workers){.count = missing, .run = price, .user = &p}));
    for (size_t i = 0; i < missing; i++) RG_TRY(keep(cx, llm, &p.steps[i]));
    return RG_OK;
}

rg_err rg_llm_step(rg_ctx *cx, rg_llm *llm, rg_llm_tokens step, rg_llm_cost *out)
{
    if (!rg_map_get(&llm->index, key_of(&step))) RG_TRY(rg_llm_prepare(cx, llm, &step, 1));
    *out = llm->steps[rg_map_get(&llm->index, key_of(&step)) - 1].cost;
    return RG_OK;
}

/* ---- between priced steps ---- */

/* The lower neighbor on an axis of powers of two, and how far x lies towards the upper one. */
typedef struct place { int at; double share; } place;

static place power_of(int64_t x)
{
    place p = {0, 0};
    while (p.at + 2 < POWERS && (INT64_C(2) << p.at) <= x) p.at++;
    p.share = (double)x / (double)(INT64_C(1) << p.at) - 1;
    return p;
}

static int64_t past_at(int i) { return i ? INT64_C(1) << (PAST_FIRST - 1 + i) : 0; }

static place past_of(int64_t x)
{
    place p = {0, 0};
    while (p.at + 2 < PASTS && past_at(p.at + 1) <= x) p.at++;
    p.share = (double)(x - past_at(p.at)) / (double)(past_at(p.at + 1) - past_at(p.at));
    return p;
}

static rg_err corner(rg_ctx *cx, rg_llm *llm, int batch, int fresh, int past, const rg_llm_cost **out)
{
    rg_llm_tokens t = {INT64_C(1) << batch, INT64_C(1) << fresh, past_at(past)};
    rg_llm_cost cost;
    if (!llm->grid[batch][fresh][past]) {
        rg_llm_cost *kept = RG_NEW(&llm->arena, rg_llm_cost, 1);
        RG_TRY(rg_llm_step(cx, llm, t, &cost));
        if (!kept) return rg_nomem(cx);
        *kept = cost;
        llm->grid[batch][fresh][past] = kept;
    }
    *out = llm->grid[batch][fresh][past];
    return RG_OK;
}

static void add_scaled(rg_llm_cost *sum, const rg_llm_cost *c, double by)
{
    const rg_llm_memory *m = &c->memory;
    sum->latency_s.value += by * c->latency_s.value;
    sum->latency_s.low += by * c->latency_s.low;
    sum->latency_s.high += by * c->latency_s.high;
    sum->interval_s += by * c->interval_s;
    sum->communication_s += by * c->communication_s;
    sum->energy_j += by * c->energy_j;
    sum->power_spread += by * c->power_spread;
    sum->flop += by * c->flop;
    sum->byte += by * c->byte;
    sum->weight_read_byte += by * c->weight_read_byte;
    sum->cache_byte += by * c->cache_byte;
    sum->memory.weight += by * m->weight;
    sum->memory.cache += by * m->cache;
    sum->memory.activation += by * m->activation;
    sum->memory.workspace += by * m->workspace;
    sum->memory.communication += by * m->communication;
    sum->memory.overhead += by * m->overhead;
    sum->memory.peak += by * m->peak;
    sum->checks_failed += c->checks_failed;
}

rg_err rg_llm_step_near(rg_ctx *cx, rg_llm *llm, rg_llm_tokens step, rg_llm_cost *out)
{
    RG_TRY(check_tokens(cx, step));
    const place axes[] = {power_of(step.batch), power_of(step.fresh), past_of(step.past)};
    *out = (rg_llm_cost){0};
    for (int i = 0; i < 8; i++) {
        const rg_llm_cost *c = NULL;
        double by = 1;
        int at[3];
        for (int k = 0; k < 3; k++) {
            int up = i >> k & 1;
            at[k] = axes[k].at + up;
            by *= up ? axes[k].share : 1 - axes[k].share;
        }
        if (by == 0) continue; /* on the grid: the other corner is never priced */
        RG_TRY(corner(cx, llm, at[0], at[1], at[2], &c));
        add_scaled(out, c, by);
    }
    return RG_OK;
}

rg_err rg_llm_mixed_near(rg_ctx *cx, rg_llm *llm, rg_llm_tokens decode, rg_llm_tokens chunk,
                         rg_llm_cost *out)
{
    rg_llm_cost alone, bare;
    if (chunk.batch <= 0) return rg_llm_step_near(cx, llm, decode, out);
    if (decode.batch <= 0) return rg_llm_step_near(cx, llm, chunk, out);
    rg_llm_tokens all = {1, chunk.batch * chunk.fresh + decode.batch * decode.fresh, chunk.past};
    RG_TRY(rg_llm_step_near(cx, llm, decode, &alone));
    /* one sequence, as in `all`: each of `decode` is walked through by the host in `alone` */
    RG_TRY(rg_llm_step_near(cx, llm, (rg_llm_tokens){1, decode.batch * decode.fresh, 0}, &bare));
    RG_TRY(rg_llm_step_near(cx, llm, all, out));
    add_scaled(out, &alone, 1);
    add_scaled(out, &bare, -1);
    out->checks_failed = alone.checks_failed;
    return RG_OK;
}

/* ---- room ---- */

double rg_llm_cache_byte(rg_ctx *cx, rg_llm *llm, int64_t tokens)
{
    rg_llm_cost c;
    return rg_llm_step(cx, llm, (rg_llm_tokens){1, 1, tokens - 1}, &c) ? -1 : c.memory.cache;
}
