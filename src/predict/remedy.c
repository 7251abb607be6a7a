/* remedy.c - what would make a model fit into main memory that does not: narrower weights and caches, each
 * planned anew; and more devices, an estimate of what tensor parallelism leaves on each:
 *
 *     (weights + caches) / n + activations + workspace + communication + runtime
 *
 * An estimate, because norms and the tables of words are not divided, and activations are, a little.
 */
#include "predict/predict.h"

#include <math.h>

static const struct { const char *name, *precision; bool caches; } storages[] = {
    {"w=i8", "model+w=i8", false},
    {"kv=f8", "model+kv=f8", true},
    {"w=i8+kv=f8", "model+w=i8+kv=f8", true},
    {"w=i4g128", "model+w=i4g128", false},
    {"w=i4g128+kv=f8", "model+w=i4g128+kv=f8", true},
};
static const struct { const char *name; double devices; } groups[] = {{"tp=2", 2}, {"tp=4", 4}, {"tp=8", 8}};

typedef struct mending {
    rg_ctx *cx;
    const rg_forecast *f;
    rg_remedy items[RG_COUNT(storages) + RG_COUNT(groups)];
    uint32_t count;
} mending;

double rg_forecast_room_byte(const rg_forecast *f)
{
    const rg_level *memory = rg_device_memory(f->plan->device);
    return memory->usable_byte * fmax(memory->count, 1);
}

static rg_err add(mending *m, rg_remedy remedy)
{
    char byte[32];
    if (remedy.peak_byte >= m->f->plan->peak_byte) return RG_OK;
    remedy.fits = remedy.peak_byte <= rg_forecast_room_byte(m->f);
    rg_unit_print(byte, sizeof byte, remedy.peak_byte, RG_UNIT_BYTE);
    remedy.text = rg_arena_printf(&m->cx->arena, "%s: %s%s, %s", remedy.name, byte,
                                  remedy.estimated ? " a device, by an estimate" : "",
                                  remedy.fits ? "fits" : "does not fit either");
    m->items[m->count++] = remedy;
    return remedy.text ? RG_OK : rg_nomem(m->cx);
}

/* RG_USAGE: there is nothing in the model that could be stored narrower. */
static rg_err try_storage(mending *m, const char *name, const char *precision)
{
    const rg_plan *plan = m->f->plan, *other = NULL;
    rg_plan_opt opt = {.size = sizeof opt, .precision = precision, .threads = plan->threads};
    rg_err err = rg_plan_make(m->cx, plan->graph, plan->device, plan->runtime, &opt, &other);
    if (err == RG_USAGE) return RG_OK;
    if (!err) err = add(m, (rg_remedy){.name = name, .peak_byte = other->peak_byte});
    rg_plan_free(other);
    return err;
}

rg_err rg_forecast_mend(rg_ctx *cx, const rg_forecast *f, const rg_remedy **out, uint32_t *count)
{
    const rg_plan *plan = f->plan;
    mending *m = RG_NEW(&cx->arena, mending, 1);
    if (!m) return rg_nomem(cx);
    *m = (mending){.cx = cx, .f = f};
    *out = m->items;
    *count = 0;
    if (plan->peak_byte <= rg_forecast_room_byte(f)) return RG_OK;
    for (size_t i = 0; i < RG_COUNT(storages); i++)
        if (plan->cache_byte > 0 || !storages[i].caches)
            RG_TRY(try_storage(m, storages[i].name, storages[i].precision));
    double divided = plan->weight_byte + plan->cache_byte;
    for (size_t i = 0; i < RG_COUNT(groups); i++)
        RG_TRY(add(m, (rg_remedy){.name = groups[i].name, .estimated = true,
                                  .peak_byte = plan->peak_byte - divided + divided / groups[i].devices}));
    *count = m->count;
    return RG_OK;
}
