/* diffusion_price.c - forecasts of all parts of a pipeline on all machines, and their sums.
 *
 *     latency = sum_i times_i * latency_i + transfer
 *     energy  = sum_i times_i * energy_i + idle power * transfer
 *     memory  = sum_i weights_i + max_i working_i + max_i overhead_i          everything stays on the device
 *     memory  = max_i (weights_i + working_i + overhead_i)                    parts come one by one
 *
 * Errors of the parts' forecasts are taken to go together, so that intervals are summed end by end: a machine
 * that is slower than its profile says is so for every part. The work of schedulers and what encodes the
 * picture's file are left out: they are small beside one evaluation.
 */
#include "scenario/diffusion.h"

#include "base/limits.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- what is asked ---- */

static rg_err read_guidance(rg_ctx *cx, rg_diffusion *d)
{
    d->guidance = d->pipeline.guidance;
    if (d->opt.guidance && (!rg_str_real(rg_str_of(d->opt.guidance), &d->guidance) || !(d->guidance >= 0) ||
                            isinf(d->guidance)))
        return rg_fail(cx, RG_USAGE, "--guidance: '%.32s' is no number from 0 on", d->opt.guidance);
    d->passes = d->pipeline.guided == RG_GUIDED_PASSES && d->guidance > 1 ? 2 : 1;
    return RG_OK;
}

static rg_err fill_presets(rg_ctx *cx, rg_diffusion *d)
{
    const rg_pipeline *p = &d->pipeline;
    rg_diffusion_opt *o = &d->opt;
    const struct { const char *option; int *at, preset; } sizes[] = {
        {"--size", &o->width, p->width}, {"--size", &o->height, p->height},
        {"--tokens", &o->tokens, p->tokens}, {"--steps", &o->steps, p->steps},
    };
    for (size_t i = 0; i < RG_COUNT(sizes); i++) {
        if (*sizes[i].at < 0)
            return rg_fail(cx, RG_USAGE, "%s: %d is negative", sizes[i].option, *sizes[i].at);
        if (!*sizes[i].at) *sizes[i].at = sizes[i].preset;
    }
    if (!o->scheduler) o->scheduler = p->scheduler;
    if (!o->precision) o->precision = p->precision;
    RG_TRY(rg_scheduler_evaluations(cx, o->scheduler, o->steps, &d->evaluations));
    RG_TRY(rg_range_read(cx, &d->arena, "--images", o->images ? o->images : "1", &d->images));
    for (size_t i = 0; i < d->images.count; i++) {
        double images = d->images.values[i];
        if (images != floor(images)) return rg_fail(cx, RG_USAGE, "--images: %g is no whole number", images);
        if (images > RG_IMAGE_MAX)
            return rg_fail(cx, RG_LIMIT, "--images: %.0f at once exceed %d", images, RG_IMAGE_MAX);
    }
    return read_guidance(cx, d);
}

/* ---- the parts ---- */

typedef struct telling { const rg_diffusion_opt *opt; size_t index, count; } telling;

/* Each study is a part of the whole, however many forecasts it has. */
static bool tell(void *user, size_t done, size_t total)
{
    enum { TICKS = 100 };
    const telling *t = user;
    if (!t->opt->progress) return true;
    return t->opt->progress(t->opt->user, t->index * TICKS + done * TICKS / total, t->count * TICKS);
}

/* Fewer images may have asked for the same: a text is read once for any number of them. */
static bool share_run(const rg_diffusion *d, size_t images, size_t part, rg_part_run *run)
{
    for (size_t i = 0; i < images; i++) {
        const rg_part_run *before = rg_diffusion_run(d, i, part);
        bool shape = !run->shape || strcmp(run->shape, before->shape) == 0;
        if (!shape || run->batch != before->batch) continue;
        run->study = before->study;
        return run->shared = true;
    }
    return false;
}

static rg_err study_part(rg_ctx *cx, rg_diffusion *d, const rg_part *part, telling *t, rg_part_run *run)
{
    char batch[32];
    const rg_diffusion_opt *o = &d->opt;
    snprintf(batch, sizeof batch, "%" PRId64, run->batch);
    rg_study_opt opt = {
        .size = sizeof opt, .models = &part->model, .model_count = 1,
        .devices = o->devices, .device_count = o->device_count,
        .runtimes = o->runtimes, .runtime_count = o->runtime_count,
        .precision = part->precision ? part->precision : o->precision,
        .batch = part->batch ? batch : NULL, .shape = run->shape,
        .changes = o->changes, .change_count = o->change_count, .workers = o->workers,
        .keep = true, .progress = tell, .user = t,
    };
    return rg_study_make(cx, &opt, &run->study);
}

static rg_err run_part(rg_ctx *cx, rg_diffusion *d, size_t images, size_t index)
{
    const rg_part *part = &d->pipeline.parts[index];
    rg_part_run *run = &d->runs[images * d->pipeline.part_count + index];
    telling t = {&d->opt, images * d->pipeline.part_count + index, d->images.count * d->pipeline.part_count};
    rg_pipeline_sizes sizes = {
        .height = d->opt.height, .width = d->opt.width, .images = (int64_t)d->images.values[images],
        .tokens = d->opt.tokens, .passes = d->passes, .evaluations = d->evaluations,
    };
    RG_TRY(rg_formula_shape(cx, &d->arena, part->shape, &sizes, &run->shape));
    RG_TRY(rg_formula(cx, part->batch, &sizes, &run->batch));
    RG_TRY(rg_formula(cx, part->times, &sizes, &run->times));
    return share_run(d, images, index, run) ? RG_OK : study_part(cx, d, part, &t, run);
}

static rg_err run_parts(rg_ctx *cx, rg_diffusion *d)
{
    size_t parts = d->pipeline.part_count;
    d->runs = RG_NEW(&d->arena, rg_part_run, d->images.count * parts);
    if (!d->runs) return rg_nomem(cx);
    for (size_t i = 0; i < d->images.count; i++)
        for (size_t k = 0; k < parts; k++)
            RG_TRY_NOTE(cx, run_part(cx, d, i, k), "%s: %s", d->pipeline.name, d->pipeline.parts[k].name);
    d->machine_count = d->runs[0].study->point_count;
    return RG_OK;
}

/* ---- the sums ---- */

const rg_point *rg_diffusion_point(const rg_diffusion *d, const rg_image_cost *c, size_t part)
{
    return &rg_diffusion_run(d, c->images_index, part)->study->points[c->machine];
}

static void add_times(rg_estimate *sum, rg_estimate x, double times)
{
    sum->value += times * x.value, sum->low += times * x.low, sum->high += times * x.high;
}

static void add_exact(rg_estimate *sum, double x) { add_times(sum, (rg_estimate){x, x, x}, 1); }

/* Weights come over the link to the host; where none is known that costs nothing here. */
static double move_s(const rg_device *device, double byte)
{
    for (size_t i = 0; i < device->link_count; i++) {
        const rg_link *link = &device->links[i];
        if (strcmp(link->to, "host") == 0) return link->latency_s + byte / link->byte_per_s;
    }
    return 0;
}

static void add_memory(rg_image_cost *c, const rg_plan *plan, bool offload)
{
    double working = plan->peak_byte - plan->weight_byte - plan->overhead_byte;
    if (!offload) {
        c->weight_byte += plan->weight_byte;
        c->working_byte = fmax(c->working_byte, working);
        c->overhead_byte = fmax(c->overhead_byte, plan->overhead_byte);
    } else if (plan->peak_byte > c->peak_byte) {
        c->weight_byte = plan->weight_byte, c->working_byte = working, c->overhead_byte = plan->overhead_byte;
    }
    c->peak_byte = c->weight_byte + c->working_byte + c->overhead_byte;
}

static void add_part(const rg_diffusion *d, rg_image_cost *c, size_t part)
{
    const rg_point *p = rg_diffusion_point(d, c, part);
    const rg_part_run *run = rg_diffusion_run(d, c->images_index, part);
    if (p->err) {
        if (!c->error) c->error = p->error;
        return;
    }
    const rg_plan *plan = p->forecast->plan;
    double times = (double)run->times;
    add_times(&c->latency_s, p->latency_s, times);
    add_times(&c->energy_j, p->energy_j, times);
    c->role_s[d->pipeline.parts[part].role] += times * p->latency_s.value;
    add_memory(c, plan, d->opt.offload);
    if (d->opt.offload) c->transfer_s += move_s(plan->device, plan->weight_byte);
    c->checks_failed += (int)p->checks_failed;
}

static void sum_up(const rg_diffusion *d, rg_image_cost *c)
{
    for (size_t part = 0; part < d->pipeline.part_count; part++) add_part(d, c, part);
    if (c->error) return;
    const rg_device *device = rg_diffusion_point(d, c, 0)->forecast->plan->device;
    add_exact(&c->latency_s, c->transfer_s);
    add_exact(&c->energy_j, c->transfer_s * device->idle_w);
    c->fits = c->peak_byte <= rg_device_memory(device)->usable_byte;
    if (!d->opt.rates) return;
    rg_rates_for(d->opt.rates, device, &c->card);
    rg_cost_once(&c->card.rates, c->latency_s, c->energy_j, &c->cost);
}

static rg_err sum_costs(rg_ctx *cx, rg_diffusion *d)
{
    d->costs = RG_NEW(&d->arena, rg_image_cost, d->machine_count * d->images.count);
    if (!d->costs) return rg_nomem(cx);
    for (size_t machine = 0; machine < d->machine_count; machine++)
        for (size_t i = 0; i < d->images.count; i++) {
            rg_image_cost *c = &d->costs[d->cost_count++];
            c->machine = machine, c->images_index = i;
            sum_up(d, c);
        }
    return RG_OK;
}

rg_err rg_diffusion_make(rg_ctx *cx, const char *pipeline, const rg_diffusion_opt *opt, rg_diffusion *d)
{
    *d = (rg_diffusion){.opt = {.size = sizeof d->opt}};
    if (opt) memcpy(&d->opt, opt, opt->size < sizeof d->opt ? opt->size : sizeof d->opt);
    rg_arena_init(&d->arena, cx);
    RG_TRY(rg_pipeline_read(cx, &d->arena, pipeline, &d->pipeline));
    RG_TRY(fill_presets(cx, d));
    RG_TRY(run_parts(cx, d));
    return sum_costs(cx, d);
}

void rg_diffusion_done(rg_diffusion *d)
{
    for (size_t i = 0; d->runs && i < d->images.count * d->pipeline.part_count; i++)
        if (!d->runs[i].shared) rg_study_free(d->runs[i].study);
    rg_arena_done(&d->arena);
}
