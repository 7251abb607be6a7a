/* residual.c - the residuals of rows and of whole forecasts, from the trees of their keys.
 *
 *     r = trust (sum_d w_d r_d + w_0 r_0) / (sum_d w_d + w_0)       w_d = exp(-(|t - t_d| / reach)^2)
 *
 * r_d: the member of device d; t: traits, logarithms of what a device is made of; r_0, w_0: the member of all
 * devices together. reach, w_0 and trust are those that did best on devices held out. A device that was
 * measured is answered by its own member alone; one that was fitted with few probes by the others and its
 * own.
 */
#include "predict/residual.h"

#include <math.h>
#include <string.h>

/* Ten years of releases weigh as much as a factor of 16 in a rate: generations change kernels. */
#define YEARS_A_TRAIT 2.5

void rg_traits(const rg_device *device, double out[RG_TRAITS])
{
    const rg_peak *lanes = rg_device_peak(device, -1, RG_VECTOR, RG_HW_F32),
                  *matrix = rg_device_peak(device, -1, RG_MATRIX, RG_HW_F16);
    const rg_level *memory = rg_device_memory(device);
    const rg_level *cache = device->level_count > 1 ? memory - 1 : memory;
    double vector = lanes ? lanes->op_per_s : 1e9;
    out[0] = log2(vector);
    out[1] = log2(matrix ? matrix->op_per_s : vector);
    out[2] = log2(memory->read_byte_per_s);
    out[3] = log2(fmax(cache->capacity_byte, 1)) / 2;
    out[4] = log2(fmax(device->engines[0].count, 1)) / 2;
    out[5] = (device->year ? device->year : 2020) / YEARS_A_TRAIT;
    out[6] = log2(rg_device_clock_max(device));
}

/* Devices so far off are not asked. */
#define WEIGHT_LEAST 1e-6

static double distance2(const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < RG_TRAITS; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static bool same_architecture(const rg_trees_member *m, const rg_device *device)
{
    return m->architecture && device->architecture && strcmp(m->architecture, device->architecture) == 0;
}

void rg_trees_answer(const rg_trees *trees, const rg_device *device, const float *x, rg_residual *out)
{
    double traits[RG_TRAITS], sum = 0, weights = 0, least = INFINITY;
    const rg_trees_member *own = NULL;
    *out = (rg_residual){.trees = trees, .nearness = RG_NEAR_UNKNOWN};
    rg_traits(device, traits);
    for (size_t i = 0; i < trees->member_count; i++) {
        const rg_trees_member *m = &trees->members[i];
        if (strcmp(m->device, device->id) == 0) {
            own = m;
            continue;
        }
        bool pooled = !m->device[0];
        double far = m->trait_count ? distance2(m->traits, traits) : INFINITY;
        double weight = pooled    ? trees->pooled_weight
                        : m->over ? 0
                                  : exp(-far / (trees->reach * trees->reach));
        if (!pooled && !m->over && far < least) out->nearest = m, least = far;
        if (!pooled && same_architecture(m, device)) out->nearness = RG_NEAR_SISTER;
        if (weight < WEIGHT_LEAST) continue;
        sum += weight * rg_trees_sum(m, x);
        weights += weight;
    }
    const double spreads[] = {trees->known_spread, trees->sister_spread, trees->unknown_spread};
    if (!own || own->over) out->r = weights > 0 ? trees->trust * sum / weights : 0;
    if (own) {
        out->r += rg_trees_sum(own, x);
        out->nearest = own;
        out->nearness = RG_NEAR_KNOWN;
    }
    out->spread = own && own->spread > 0 ? own->spread : spreads[out->nearness];
}

/* Each feature beyond what was measured makes the answer less certain by a tenth (assumed). */
#define OUTSIDE_WIDENS 0.1

rg_err rg_trees_resolve(rg_ctx *cx, rg_trees *trees, rg_features_of scope)
{
    size_t count = rg_feature_count(scope);
    for (size_t i = 0; i < trees->feature_count; i++) {
        size_t at = 0;
        while (at < count && strcmp(rg_feature_name(scope, at), trees->features[i]) != 0) at++;
        if (at == count)
            return rg_fail(cx, RG_FORMAT, "features[%zu]: '%.64s' is none of the %zu that are known", i,
                           trees->features[i], count);
        trees->columns[i] = (uint8_t)at;
    }
    return RG_OK;
}

void rg_residual_of(const rg_trees *trees, const rg_device *device, const float *all, rg_residual *out)
{
    float x[RG_TREES_FEATURES];
    int outside = 0;
    for (size_t i = 0; i < trees->feature_count; i++) {
        x[i] = all[trees->columns[i]];
        double margin = 0.02 * (trees->high[i] - trees->low[i]) + 1e-6; /* rounding of what was written */
        outside += (double)x[i] < trees->low[i] - margin || (double)x[i] > trees->high[i] + margin;
    }
    rg_trees_answer(trees, device, x, out);
    out->outside = outside;
    out->spread *= 1 + OUTSIDE_WIDENS * outside;
}

/* ---- files ---- */

const char *rg_type_class(rg_hw_dtype dtype)
{
    return dtype == RG_HW_BF16 ? "f16" : rg_hw_dtype_name(dtype);
}

/* Its second part is a family of kernels. */
static bool is_of_rows(const char *key)
{
    const char *begin = strchr(key, '.');
    size_t size = begin ? strcspn(begin + 1, ".") : 0;
    for (int i = 0; i < RG_FAMILY_COUNT; i++) {
        const char *name = rg_family_name((rg_family)i);
        if (size && strlen(name) == size && strncmp(begin + 1, name, size) == 0) return true;
    }
    return false;
}

static rg_err make_trees(rg_ctx *cx, const char *key, const void **out)
{
    rg_str bytes;
    rg_trees *trees;
    const char *path = rg_arena_printf(&cx->arena, "learned/%s.trees", key);
    if (!path) return rg_nomem(cx);
    *out = NULL;
    if (!rg_data_has(cx, path)) return RG_OK;
    RG_TRY(rg_data_read(cx, path, &bytes));
    RG_TRY(rg_trees_parse(cx, bytes, path, &trees));
    rg_err err = rg_trees_resolve(cx, trees, is_of_rows(key) ? RG_OF_ROW : RG_OF_WHOLE);
    if (err) {
        rg_trees_free(trees);
        return rg_note(cx, err, "%s", path);
    }
    *out = trees;
    return RG_OK;
}

static void free_trees(const void *trees) { rg_trees_free(trees); }

rg_err rg_learned_find(rg_ctx *cx, const char *key, const rg_trees **out)
{
    const void *found;
    RG_TRY(rg_ctx_keep(cx, key, &(rg_maker){make_trees, free_trees}, &found));
    *out = found;
    return RG_OK;
}

/* Of the whole, the type in which most is computed. A step that writes tokens waits for bytes, which features
 * count: models of all types teach it together. */
static rg_hw_dtype main_type(const rg_plan *plan)
{
    double flop[RG_HW_DTYPE_COUNT] = {0};
    int most = RG_HW_F32;
    for (uint32_t i = 0; i < plan->row_count; i++) {
        int type = (int)plan->rows[i].dtype;
        flop[type] += plan->rows[i].work.flop * plan->rows[i].times;
        if (flop[type] > flop[most]) most = type;
    }
    return (rg_hw_dtype)most;
}

rg_err rg_learned_key(rg_ctx *cx, const rg_forecast *f, uint32_t row, const char *runtime, rg_target target,
                      const char **out)
{
    const rg_row *r = row == RG_WHOLE ? NULL : &f->plan->rows[row];
    bool decodes = !r && strcmp(f->sort, "decode") == 0;
    *out = rg_arena_printf(&cx->arena, "%s.%s.%s%s", runtime, r ? rg_family_name(r->family) : f->sort,
                           decodes ? "any" : rg_type_class(r ? r->dtype : main_type(f->plan)),
                           target == RG_TARGET_POWER ? ".power" : "");
    return *out ? RG_OK : rg_nomem(cx);
}

rg_err rg_learned_for(rg_ctx *cx, const rg_forecast *f, uint32_t row, rg_target target, const rg_trees **out)
{
    const rg_runtime *runtime = f->plan->runtime;
    const char *key;
    *out = NULL;
    for (size_t i = 0; i <= runtime->teacher_count && !*out; i++) {
        const char *from = i ? runtime->teachers[i - 1] : runtime->id;
        RG_TRY(rg_learned_key(cx, f, row, from, target, &key));
        RG_TRY(rg_learned_find(cx, key, out));
    }
    return RG_OK;
}
