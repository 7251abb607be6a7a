/* roofline.c - the time of one row: the slowest of its limits, then launch and tail.
 *
 *     compute  t_c = d (2 mac / R + other / V) / e_c             R: rate of the row's unit, V: of its lanes
 *     level i  t_i = max(bytes_i / (B_i e_m s), latency_i waits)      waits: recurrent steps, or a product's
 *                                                                    trips for slabs of k in every wave
 *     busy = max(t_c, t_i)     tail = max(t_c / u, t_i) - busy   u: utilization of the tiling
 *     launch   hidden behind the work where the stack runs ahead of the device
 *
 * d: share that is done, less what a causal mask rules out. e: share of peak that the stack's large kernels
 * reach (runtime profile), s: share of the units that have work: a row that occupies few units cannot draw
 * the whole bandwidth, because each unit's own is limited. u: waves, padding, lanes.
 * Roofline: Williams, Waterman, Patterson 2009.
 */
#include "map/winograd_row.h"
#include "predict/link.h"
#include "predict/predict.h"

#include <math.h>

/* Of the softmax between the products of a tile, what these do not hide: one group of warps computes its
 * softmax while another one's products run (Shah et al. 2024, "FlashAttention-3", table 2: 661 TFLOPS with,
 * 570 without overlap at head size 128: of 0.26 ps that an exp takes among 512 FLOP 0.12 ps are hidden). */
#define SOFTMAX_SHOWN 0.5

/* Of the time that weights of Winograd's algorithm take from main memory, what its products do not hide: the
 * zoo's 3x3 convolutions on Zen 3. */
#define WEIGHTS_SHOWN 0.78

static const char *const term_names[RG_TERM_COUNT] = {"busy", "launch", "tail", "correction"};
static const char *const bound_names[RG_BOUND_COUNT] = {"compute", "balanced", "memory", "launch", "none"};
const char *rg_term_name(rg_term term) { return term_names[term]; }
const char *rg_bound_name(rg_bound bound) { return bound_names[bound]; }

double rg_row_ops(const rg_row *row)
{
    return (1 - row->work.skipped) * (row->work.flop + RG_SPECIAL_FLOP * row->work.special);
}

/* Share of the units of the row's kind that the plan may use. */
static double usable_share(const rg_row *row) { return row->unit_count / row->unit_total; }

/* Rate of the lanes that do what is no product. */
static double vector_rate(const rg_plan *plan, const rg_row *row, double clock_hz)
{
    const rg_device *device = plan->device;
    const rg_peak *lanes = rg_device_peak(device, -1, RG_VECTOR, RG_HW_F32);
    if (row->peak->unit != RG_MATRIX || !lanes) return rg_row_rate(row, clock_hz);
    double share = device->engines[lanes->engine].clock_max_hz / rg_device_clock_max(device);
    return lanes->op_per_s * usable_share(row) * fmin(1, clock_hz * share / lanes->at_clock_hz);
}

/* A row that stays in registers is read once, and computed while others wait for memory. */
double rg_row_compute_share(const rg_row *row)
{
    const rg_efficiency *e = row->efficiency;
    bool held = e->held_compute > 0 && row->work.k > 0 && row->work.k <= e->held_k;
    return held ? e->held_compute : e->compute;
}

/* Winograd's, of images and of results, and the calls of its many products. */
static double transforms_s(const rg_row *row, double clock_hz)
{
    const rg_winograd_row *w = &row->winograd;
    double clocks = w->steps * RG_WINOGRAD_STEP_CLOCKS + w->calls * RG_WINOGRAD_CALL_CLOCKS;
    return clocks / (fmin(clock_hz * row->clock_share, row->peak->at_clock_hz) * row->unit_count);
}

static double compute_time(const rg_plan *plan, const rg_row *row, double clock_hz)
{
    const rg_work *w = &row->work;
    double others = fmax(w->flop - 2 * w->mac, 0) + RG_SPECIAL_FLOP * w->special;
    double products_s = 2 * w->mac * row->winograd.products / rg_row_rate(row, clock_hz);
    double start = row->efficiency->start_k, done = 1 - w->skipped;
    if (start > 0 && w->k > 0) products_s *= 1 + start / (row->winograd.m ? w->k / 9 : w->k);
    double others_s = others / vector_rate(plan, row, clock_hz);
    if (row->family == RG_FAMILY_ATTENTION && row->peak->unit == RG_MATRIX) others_s *= SOFTMAX_SHOWN;
    return done * (products_s + others_s) / rg_row_compute_share(row) + transforms_s(row, clock_hz);
}

/* A block of a product fetches its slabs of k one after the other, a few at once: that the machine has other
 * blocks to run meanwhile does not make this one shorter. The nearest level is where they arrive. */
double rg_level_wait_s(const rg_plan *plan, const rg_row *row, size_t level)
{
    double trips = level ? row->tiling.trips * row->tiling.waves : 0;
    return plan->device->levels[level].latency_s * fmax(fmax(row->work.steps, trips), 1);
}

static void level_limits(const rg_plan *plan, const rg_row *row, double clock_hz, rg_row_cost *out)
{
    const rg_device *device = plan->device;
    double share = fmin(1, row->tiling.units / row->unit_total), nearer = INFINITY;
    double paced = rg_device_pace(device, clock_hz) / rg_device_pace(device, rg_device_clock_max(device));
    for (size_t i = 0; i < device->level_count; i++) {
        const rg_level *level = &device->levels[i];
        double rate = level->read_byte_per_s;
        if (i + 1 == device->level_count && level->sustained_fraction > 0) rate *= level->sustained_fraction;
        double alone = row->tiling.units * level->alone_read_byte_per_s;
        if (alone > 0) rate = fmin(rate, fmax(alone, share * rate));
        else if (level->scope != RG_SCOPE_DEVICE) rate *= share;
        if (i + 1 == device->level_count) rate /= paced;
        if (i) rate = fmin(rate, share * nearer);
        nearer = level->read_byte_per_s;
        double bytes = row->tiling.traffic_byte[i];
        double time = bytes > 0 ? bytes / (rate * row->efficiency->memory) : 0;
        if (bytes > 0) time = fmax(time, rg_level_wait_s(plan, row, i));
        out->limits[out->limit_count++] = (rg_limit){level->name, time};
    }
}

/* Launching is a chain of branches and dependent loads from near caches: instructions, paid in clocks.
 *
 *     launch_s(f) = launch_s f_h / f        f_h: host clock that the profile's times hold for
 */
double rg_host_stretch(const rg_plan *plan, rg_clocks clocks)
{
    double stated_hz = plan->runtime->host_clock_hz, host_hz = clocks.host_hz;
    if (host_hz <= 0) host_hz = plan->device->kind == RG_DEVICE_CPU ? clocks.core_hz : stated_hz;
    return stated_hz > 0 && host_hz > 0 ? stated_hz / host_hz : 1;
}

/* A stack may look for its library's best kernel at each product with weights. */
static double host_launches(const rg_plan *plan, const rg_row *row)
{
    bool linear = row->family == RG_FAMILY_GEMM && row->work.weight_in_b;
    return row->kernels * (linear && plan->runtime->linear_launches > 0 ? plan->runtime->linear_launches : 1);
}

/* What starting costs beyond the work: `floor_s` on the device, and the host where nobody waits for it. */
static double start_time(const rg_plan *plan, const rg_row *row, rg_clocks clocks, double floor_s,
                         double work_s, rg_row_cost *out)
{
    double host = host_launches(plan, row) * plan->runtime->launch_s * rg_host_stretch(plan, clocks);
    /* on a CPU there is nobody else to run ahead */
    if (!plan->runtime->launch_hidden || plan->device->kind == RG_DEVICE_CPU) return host + floor_s;
    out->host_s = host;
    out->device_s = work_s + floor_s;
    return fmax(floor_s, host - work_s); /* the host runs ahead: its time shows only where it is the longer */
}

/* Between the steps of a recurrence all units wait for
 * each other, as they do between kernels; a row on a single unit waits for nobody. */
static double launch_time(const rg_plan *plan, const rg_row *row, rg_clocks clocks, double work_s,
                          rg_row_cost *out)
{
    double joins = row->kernels + fmax(row->work.steps - 1, 0);
    joins += row->tiling.split_k > 1; /* another kernel adds up the pieces of a split reduction */
    if (row->tiling.units <= 1) joins = plan->device->kind == RG_DEVICE_CPU ? 0 : row->kernels;
    return start_time(plan, row, clocks, joins * plan->device->launch_s, work_s, out);
}

static rg_bound bound_of(const rg_row_cost *c, double compute_s, double memory_s)
{
    double work_s = fmax(compute_s, memory_s);
    if (c->latency_s <= 0) return RG_BOUND_NOTHING;
    if (c->terms_s[RG_TERM_LAUNCH] > work_s) return RG_BOUND_LAUNCH;
    if (fmin(compute_s, memory_s) >= RG_BALANCE * work_s) return RG_BOUND_BALANCED;
    return compute_s > memory_s ? RG_BOUND_COMPUTE : RG_BOUND_MEMORY;
}

static void note_intensity(const rg_plan *plan, const rg_row *row, double clock_hz, rg_row_cost *out)
{
    const rg_work *w = &row->work;
    double rate = rg_row_rate(row, clock_hz), bytes = w->in_byte + w->weight_byte + w->out_byte;
    out->intensity = bytes > 0 ? w->flop / bytes : 0;
    out->ridge = rate / rg_device_memory(plan->device)->read_byte_per_s;
    out->utilization = 0;
    if (out->latency_s > 0)
        out->utilization = fmin(1, rg_row_ops(row) / rate / out->latency_s);
}

static int longest_limit(const rg_row_cost *c)
{
    int longest = 0;
    for (int i = 1; i < c->limit_count; i++)
        if (c->limits[i].time_s > c->limits[longest].time_s) longest = i;
    return longest;
}

/* Data between devices: one more limit, the link (link.c). */
static void price_collective(const rg_plan *plan, const rg_row *row, rg_clocks clocks, rg_row_cost *out)
{
    rg_collective_terms t;
    if (rg_collective_row_s(plan, row, &t) == 0) return;
    out->limits[out->limit_count++] = (rg_limit){"compute", 0};
    level_limits(plan, row, clocks.core_hz, out);
    out->limits[out->limit_count++] = (rg_limit){t.link->name, t.beta_s + t.fill_s};
    out->binding = longest_limit(out);
    double busy = out->limits[out->binding].time_s;
    out->terms_s[RG_TERM_BUSY] = busy;
    out->terms_s[RG_TERM_LAUNCH] = start_time(plan, row, clocks, t.alpha_s, busy, out);
    out->latency_s = busy + out->terms_s[RG_TERM_LAUNCH];
    out->bound = bound_of(out, 0, busy);
    out->total_s = out->latency_s * row->times;
}

void rg_price_row(const rg_plan *plan, const rg_row *row, rg_clocks clocks, rg_row_cost *out)
{
    *out = (rg_row_cost){.bound = RG_BOUND_NOTHING};
    if (row->family == RG_FAMILY_VIEW || row->folded) return;
    if (row->family == RG_FAMILY_COLLECTIVE) {
        price_collective(plan, row, clocks, out);
        return;
    }
    double compute = compute_time(plan, row, clocks.core_hz), memory = 0;
    out->limits[out->limit_count++] = (rg_limit){"compute", compute};
    level_limits(plan, row, clocks.core_hz, out);
    if (row->winograd.m) /* a few tiles for each panel of weights: little to do while the next comes */
        out->limits[0].time_s = compute += WEIGHTS_SHOWN * out->limits[out->limit_count - 1].time_s;
    for (int i = 1; i < out->limit_count; i++) memory = fmax(memory, out->limits[i].time_s);
    out->binding = longest_limit(out);
    double tailed = compute / fmax(row->tiling.utilization, 1e-6), busy = fmax(compute, memory);
    out->terms_s[RG_TERM_BUSY] = busy;
    out->terms_s[RG_TERM_TAIL] = fmax(tailed, memory) - busy;
    out->terms_s[RG_TERM_LAUNCH] = launch_time(plan, row, clocks, busy + out->terms_s[RG_TERM_TAIL], out);
    for (int i = 0; i < RG_TERM_COUNT; i++) out->latency_s += out->terms_s[i];
    if (out->terms_s[RG_TERM_TAIL] > 0) out->binding = 0; /* padding and waves made compute the longest */
    out->bound = bound_of(out, tailed, memory);
    out->total_s = out->latency_s * row->times;
    note_intensity(plan, row, clocks.core_hz, out);
}
