/* roofline.c - the time of one row: the slowest of its limits, then launch and tail.
 *
 *     compute  t_c = 2·mac / (R · e_c) + other / (V · e_c)     R: rate of the row's unit, V: of the vector lanes
 *     level i  t_i = max(bytes_i / (B_i · e_m · s), latency_i · steps)
 *     busy = max(t_c, t_i)     tail = max(t_c / u, t_i) - busy     u: utilization of the tiling (waves, padding, lanes)
 *
 * e: share of peak that the stack's large kernels reach (runtime profile), s: share of the units that have work: a row
 * that occupies few units cannot draw the whole bandwidth, because each unit's own is limited. Roofline: Williams,
 * Waterman, Patterson 2009.
 */
#include "predict/predict.h"

#include <math.h>

static const char *const term_names[RG_TERM_COUNT] = {"busy", "launch", "tail", "correction"};
static const char *const bound_names[RG_BOUND_COUNT] = {"compute", "memory", "launch", "none"};
const char *rg_term_name(rg_term term) { return term_names[term]; }
const char *rg_bound_name(rg_bound bound) { return bound_names[bound]; }

/* Rate of the lanes that do what is no product. */
static double vector_rate(const rg_plan *plan, const rg_row *row, double clock_hz)
{
    if (row->peak->unit != RG_MATRIX) return rg_row_rate(row, clock_hz);
    const rg_peak *lanes = rg_device_peak(plan->device, -1, RG_VECTOR, RG_HW_F32);
    if (!lanes) return rg_row_rate(row, clock_hz);
    return lanes->op_per_s * fmin(1, clock_hz * row->clock_share / lanes->at_clock_hz);
}

static double compute_time(const rg_plan *plan, const rg_row *row, double clock_hz)
{
    const rg_work *w = &row->work;
    double others = fmax(w->flop - 2 * w->mac, 0) + RG_SPECIAL_FLOP * w->special;
    return (2 * w->mac / rg_row_rate(row, clock_hz) + others / vector_rate(plan, row, clock_hz)) / row->efficiency->compute;
}

/* Units that this row's kind of engine has, for the share of them that works. */
static double unit_share(const rg_plan *plan, const rg_row *row)
{
    double count = 0;
    for (size_t e = 0; e < plan->device->engine_count; e++)
        if (rg_device_peak(plan->device, (int)e, (int)row->peak->unit, row->peak->dtype)) count += plan->device->engines[e].count;
    return count > 0 ? fmin(1, row->tiling.units / count) : 1;
}

static void level_limits(const rg_plan *plan, const rg_row *row, rg_row_cost *out)
{
    const rg_device *device = plan->device;
    double share = unit_share(plan, row), nearer = INFINITY;
    size_t count = device->level_count < RG_LEVEL_LIMIT ? device->level_count : RG_LEVEL_LIMIT;
    for (size_t i = 0; i < count; i++) {
        const rg_level *level = &device->levels[i];
        bool last = i + 1 == count;
        double rate = level->read_byte_per_s * (last && level->sustained_fraction > 0 ? level->sustained_fraction : 1);
        if (level->scope != RG_SCOPE_DEVICE) rate *= share;
        rate = fmin(rate, isinf(nearer) ? rate : share * nearer);
        nearer = level->read_byte_per_s;
        double bytes = row->tiling.traffic_byte[i];
        double time = bytes > 0 ? bytes / (rate * row->efficiency->memory) : 0;
        if (bytes > 0) time = fmax(time, level->latency_s * fmax(row->work.steps, 1));
        out->limits[out->limit_count++] = (rg_limit){level->name, time};
    }
}

/* What starting the row costs beyond its own work. */
static double launch_time(const rg_plan *plan, const rg_row *row, double work_s)
{
    double host = row->kernels * plan->runtime->launch_s, floor_s = row->kernels * plan->device->launch_s;
    if (plan->device->kind == RG_DEVICE_CPU && row->tiling.units <= 1) floor_s = 0; /* no fork and join */
    if (!plan->runtime->launch_hidden) return host + floor_s;
    return fmax(floor_s, host - work_s); /* the host runs ahead: its time shows only where it is the longer */
}

static rg_bound bound_of(const rg_row_cost *c)
{
    double work = c->terms_s[RG_TERM_BUSY] + c->terms_s[RG_TERM_TAIL];
    if (c->terms_s[RG_TERM_LAUNCH] > work) return RG_BOUND_LAUNCH;
    return c->binding == 0 ? RG_BOUND_COMPUTE : RG_BOUND_MEMORY;
}

void rg_price_row(const rg_plan *plan, const rg_row *row, double clock_hz, rg_row_cost *out)
{
    *out = (rg_row_cost){.bound = RG_BOUND_NOTHING};
    if (row->family == RG_FAMILY_VIEW) return;
    double compute = compute_time(plan, row, clock_hz), memory = 0;
    out->limits[out->limit_count++] = (rg_limit){"compute", compute};
    level_limits(plan, row, out);
    for (int i = 1; i < out->limit_count; i++) {
        memory = fmax(memory, out->limits[i].time_s);
        if (out->limits[i].time_s > out->limits[out->binding].time_s) out->binding = i;
    }
    double utilization = fmax(row->tiling.utilization, 1e-6);
    out->terms_s[RG_TERM_BUSY] = fmax(compute, memory);
    out->terms_s[RG_TERM_TAIL] = fmax(compute / utilization, memory) - out->terms_s[RG_TERM_BUSY];
    out->terms_s[RG_TERM_LAUNCH] = launch_time(plan, row, out->terms_s[RG_TERM_BUSY] + out->terms_s[RG_TERM_TAIL]);
    for (int i = 0; i < RG_TERM_COUNT; i++) out->latency_s += out->terms_s[i];
    if (out->terms_s[RG_TERM_TAIL] > 0) out->binding = 0; /* padding and waves made compute the longest */
    out->bound = bound_of(out);

    const rg_level *main_memory = rg_device_memory(plan->device);
    double rate = rg_row_rate(row, clock_hz), bytes = row->work.in_byte + row->work.weight_byte + row->work.out_byte;
    double ops = row->work.flop + RG_SPECIAL_FLOP * row->work.special;
    out->intensity = bytes > 0 ? row->work.flop / bytes : 0;
    out->ridge = rate / main_memory->read_byte_per_s;
    out->utilization = out->latency_s > 0 ? fmin(1, ops / rate / out->latency_s) : 0;
    out->total_s = out->latency_s * row->times;
}
