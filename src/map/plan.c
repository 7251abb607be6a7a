/* plan.c - from graph, device and runtime to a plan, one stage a line; and the plan's identity and life. */
#include "map/map.h"

#include <string.h>

const rg_plan *rg_plan_ref(const rg_plan *plan)
{
    __atomic_add_fetch(&((rg_plan *)(uintptr_t)plan)->refs, 1, __ATOMIC_RELAXED);
    return plan;
}

void rg_plan_free(const rg_plan *constant)
{
    rg_plan *plan = (rg_plan *)(uintptr_t)constant;
    if (!plan || __atomic_sub_fetch(&plan->refs, 1, __ATOMIC_ACQ_REL)) return;
    rg_facts_free(plan->facts);
    rg_graph_free(plan->graph);
    rg_device_free(plan->device);
    rg_runtime_free(plan->runtime);
    rg_arena arena = plan->arena; /* the plan itself lies in it */
    rg_arena_done(&arena);
}

static uint64_t plan_hash(const rg_plan *plan)
{
    uint64_t h = rg_hash_u64(RG_HASH_SEED, plan->facts->graph_hash);
    h = rg_hash_u64(h, plan->device->hash);
    h = rg_hash_u64(h, plan->runtime->hash);
    h = rg_hash_str(h, rg_str_of(plan->precision));
    h = rg_hash_u64(h, (uint64_t)plan->threads);
    for (uint32_t i = 0; i < plan->row_count; i++) h = rg_hash_u64(h, plan->rows[i].id);
    return h;
}

static rg_err check(rg_ctx *cx, const rg_device *device, const rg_runtime *runtime, const rg_plan_opt *opt)
{
    if (!rg_runtime_runs_on(runtime, device))
        return rg_fail(cx, RG_UNSUPPORTED, "runtime %s does not run on %s (a %s): try --runtime native",
                       runtime->id, device->id, rg_device_kind_name(device->kind));
    if (device->level_count > RG_LEVEL_LIMIT)
        return rg_fail(cx, RG_LIMIT, "%s has %zu memory levels, %d is the limit", device->id,
                       device->level_count, RG_LEVEL_LIMIT);
    if (opt->threads < 0) return rg_fail(cx, RG_USAGE, "%d threads are not possible", opt->threads);
    return RG_OK;
}

static rg_err make(rg_ctx *cx, rg_plan *plan)
{
    RG_TRY(rg_plan_group(cx, plan));
    RG_TRY(rg_plan_place(cx, plan));
    RG_TRY(rg_plan_memory(cx, plan));
    rg_plan_ways(plan);
    rg_plan_tile(plan);
    plan->hash = plan_hash(plan);
    return RG_OK;
}

rg_err rg_plan_among(rg_ctx *cx, const rg_facts *facts, const rg_device *device, const rg_runtime *runtime,
                     const rg_plan_opt *opt, double beside_byte, const rg_plan **out)
{
    rg_plan_opt o = {0};
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    RG_TRY(check(cx, device, runtime, &o));
    rg_plan *plan = RG_NEW_OWN(cx, rg_plan);
    if (!plan) return rg_nomem(cx);
    plan->refs = 1;
    plan->graph = rg_graph_ref(facts->graph);
    plan->facts = rg_facts_ref(facts);
    plan->device = rg_device_ref(device);
    plan->runtime = rg_runtime_ref(runtime);
    plan->threads = o.threads;
    plan->beside_byte = beside_byte;
    plan->precision = rg_arena_cstr(&plan->arena, rg_str_of(o.precision ? o.precision : "model"));
    rg_err err = plan->precision ? make(cx, plan) : rg_nomem(cx);
    if (err) {
        rg_plan_free(plan);
        return err;
    }
    *out = plan;
    return RG_OK;
}

rg_err rg_plan_from(rg_ctx *cx, const rg_facts *facts, const rg_device *device, const rg_runtime *runtime,
                    const rg_plan_opt *opt, const rg_plan **out)
{
    return rg_plan_among(cx, facts, device, runtime, opt, 0, out);
}

rg_err rg_facts_at_precision(rg_ctx *cx, const rg_graph *graph, const char *precision, const rg_facts **out)
{
    const rg_graph *typed = NULL;
    RG_TRY(rg_graph_at_precision(cx, graph, precision, &typed));
    rg_err err = rg_facts_make(cx, typed, out);
    rg_graph_free(typed);
    return err;
}

rg_err rg_plan_make(rg_ctx *cx, const rg_graph *graph, const rg_device *device, const rg_runtime *runtime,
                    const rg_plan_opt *opt, const rg_plan **out)
{
    rg_plan_opt o = {0};
    const rg_facts *facts = NULL;
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    RG_TRY(check(cx, device, runtime, &o));
    RG_TRY(rg_facts_at_precision(cx, graph, o.precision, &facts));
    rg_err err = rg_plan_from(cx, facts, device, runtime, opt, out);
    rg_facts_free(facts);
    return err;
}
