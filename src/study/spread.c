/* spread.c - why two runtimes differ on one machine: the first is turned into the second one part at a time,
 * and each stage is priced. The gains of the stages sum to the whole difference exactly; what two parts save
 * together is counted where the second of them comes in.
 *
 *     grouping -> launches -> kernels and layouts -> fixed cost -> the rest
 */
#include "study/study.h"

#include <stddef.h>
#include <string.h>

/* What of a forecast the stages move. */
typedef struct state { double latency_s, launch_s, busy_s, fixed_s, byte; uint32_t rows; } state;

static void take_launch(rg_runtime *r, const rg_runtime *to)
{
    r->launch_s = to->launch_s;
    r->host_clock_hz = to->host_clock_hz;
    r->launch_hidden = to->launch_hidden;
    r->branch_overlap = to->branch_overlap;
}

static void take_grouping(rg_runtime *r, const rg_runtime *to)
{
    r->rules = to->rules;
    r->rule_count = to->rule_count;
    r->fuses_attention = to->fuses_attention;
    r->strided_views = to->strided_views;
    r->merges_products = to->merges_products;
    r->folds_constants = to->folds_constants;
}

static void take_kernels(rg_runtime *r, const rg_runtime *to)
{
    r->efficiencies = to->efficiencies;
    r->efficiency_count = to->efficiency_count;
    r->tf32 = to->tf32;
    r->layout = to->layout;
    memcpy(r->pad, to->pad, sizeof r->pad);
}

static void take_fixed(rg_runtime *r, const rg_runtime *to) { r->graph_s = to->graph_s; }

/* Whatever is left: fields that no stage before has named. */
static void take_rest(rg_runtime *r, const rg_runtime *to)
{
    rg_arena arena = r->arena;
    memcpy(r, to, offsetof(rg_runtime, refs));
    r->arena = arena;
    r->base = NULL;
}

/* One stage: fields of `to` that take the place of those so far, and the figure that tells what it did. */
static const struct stage {
    const char *name, *words;
    void (*apply)(rg_runtime *so_far, const rg_runtime *to);
    size_t figure;
    rg_unit unit;
} stages[RG_SPREAD_STEPS] = {
    {"grouping", "activations that rows read and write", take_grouping, offsetof(state, byte), RG_UNIT_BYTE},
    {"launches", "waiting for launches", take_launch, offsetof(state, launch_s), RG_UNIT_SECOND},
    {"kernels", "busy kernels, with their types and layouts", take_kernels, offsetof(state, busy_s),
     RG_UNIT_SECOND},
    {"fixed cost", "what one inference costs besides", take_fixed, offsetof(state, fixed_s), RG_UNIT_SECOND},
    {"the rest", "latency with all that the profiles differ in", take_rest, offsetof(state, latency_s),
     RG_UNIT_SECOND},
};

static rg_err price(rg_ctx *cx, const rg_plan *like, const rg_runtime *runtime, double core_hz,
                    rg_learning learning, state *out)
{
    const rg_plan *plan = NULL;
    const rg_forecast *f = NULL;
    rg_plan_opt plan_opt = {.size = sizeof plan_opt, .precision = like->precision, .threads = like->threads};
    rg_forecast_opt opt = {.size = sizeof opt, .core_hz = core_hz, .learning = learning};
    rg_err err = rg_plan_from(cx, like->facts, like->device, runtime, &plan_opt, &plan);
    if (!err) err = rg_forecast_make(cx, plan, &opt, &f);
    *out = (state){0};
    for (uint32_t r = 0; !err && r < plan->row_count; r++) {
        const rg_row_cost *c = &f->rows[r];
        double times = c->latency_s > 0 ? c->total_s / c->latency_s : 0;
        out->launch_s += c->terms_s[RG_TERM_LAUNCH] * times;
        out->busy_s += c->terms_s[RG_TERM_BUSY] * times;
        out->byte += (plan->rows[r].work.in_byte + plan->rows[r].work.out_byte) * times;
        out->rows += c->total_s > 0;
    }
    if (!err) out->latency_s = f->latency_s.value, out->fixed_s = f->graph_s;
    rg_forecast_free(f);
    rg_plan_free(plan);
    return err;
}

static void say(const struct stage *stage, const state *a, const state *b, char *text, size_t size)
{
    char before[32], after[32], rows[48] = "";
    double x, y;
    memcpy(&x, (const char *)a + stage->figure, sizeof x);
    memcpy(&y, (const char *)b + stage->figure, sizeof y);
    rg_unit_print(before, sizeof before, x, stage->unit);
    rg_unit_print(after, sizeof after, y, stage->unit);
    if (a->rows != b->rows) rg_str_print(rows, sizeof rows, "%u rows become %u; ", a->rows, b->rows);
    rg_str_print(text, size, "%s%s: %s instead of %s", rows, stage->words, after, before);
}

rg_err rg_spread(rg_ctx *cx, const rg_plan *from, const rg_runtime *to, double core_hz,
                 rg_learning learning, rg_spread_step steps[RG_SPREAD_STEPS], int *count)
{
    rg_runtime so_far;
    state before, after;
    *count = 0;
    memcpy(&so_far, from->runtime, offsetof(rg_runtime, refs));
    so_far.refs = UINT32_MAX / 2; /* borrowed: plans of it are gone before it is */
    RG_TRY(price(cx, from, from->runtime, core_hz, learning, &before));
    for (int i = 0; i < RG_SPREAD_STEPS; i++, before = after) {
        rg_spread_step *step = &steps[*count];
        stages[i].apply(&so_far, to);
        RG_TRY(price(cx, from, &so_far, core_hz, learning, &after));
        if (after.latency_s == before.latency_s) continue;
        *step = (rg_spread_step){.name = stages[i].name, .gain_s = before.latency_s - after.latency_s};
        say(&stages[i], &before, &after, step->text, sizeof step->text);
        ++*count;
    }
    return RG_OK;
}
