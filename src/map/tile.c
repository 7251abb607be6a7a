/* tile.c - what every mapper shares: the mapper table, the traffic of a blocked product, and who holds
 * what.
 *
 * Steady state is modelled: the same inference again and again, as a server runs it. So data that a near
 * memory can keep does not travel from the far one again:
 *   - weights stay in a level whose usable capacity holds the whole model with its activations, and what the
 *     plan says is read besides;
 *   - a scratchpad that cannot hold them all keeps a share of them;
 *   - activations pass from row to row through a level of which the row's input and output fill half at most
 *     (the other half streams weights through).
 */
#include "map/map.h"

#include <math.h>

#define ROUND_FADES 0.1

double rg_ceil_div(double a, double b) { return ceil(a / b); }

/*     A [m, k] is read once for every block column, B [n, k] for every block row, the result written once
 *
 * In attention one block row is the queries that a unit holds: they and the result move once, keys and
 * values once for every such block, and the scores never leave (Dao et al. 2022, "FlashAttention", theorem
 * 2).
 */
double rg_product_traffic(const rg_row *row, double tm, double tn)
{
    const rg_work *w = &row->work;
    double rows = rg_ceil_div(w->m, fmax(fmin(tm, w->m), 1));
    double columns = rg_ceil_div(w->n, fmax(fmin(tn, w->n), 1));
    double in = w->in_byte - row->side_byte, both = in + w->weight_byte, a = in;
    if (row->family == RG_FAMILY_ATTENTION) {
        double queries = w->m * fmax(w->share, 1); /* with each key: half of k is theirs, all of it a key's */
        a = in * queries / (queries + 2 * w->n);
        columns = 1;
        rows = fmax(rows * (1 - w->skipped), 1);
    } else if (!w->weight_in_b) {
        a = both * w->m / (w->m + w->n);
    }
    return a * columns + (both - a) * rows + row->side_byte + w->out_byte;
}

/* What a level carries over from one row to the next. Shared memory of an SM is lost when its kernel ends; of
 * private caches those of the cores in use count. */
static double kept_byte(const rg_plan *plan, const rg_row *row, const rg_level *level)
{
    if (level->scope == RG_SCOPE_DEVICE) return level->usable_byte * level->count;
    if (level->scope == RG_SCOPE_UNIT && plan->device->kind == RG_DEVICE_GPU) return 0;
    return level->usable_byte * fmax(level->count * row->unit_count / row->unit_total, 1);
}

/* Edge of the square blocks that one instance of a level can hold: two operands and the result. */
static double block_edge(const rg_row *row, const rg_level *level)
{
    double element = fmax(rg_hw_dtype_bits(row->dtype), 8) / 8.0;
    return fmax(floor(sqrt(level->usable_byte / (3 * element))), 1);
}

/* The share of the weights that stays in a level which is too small for all of them. A cache that is read
 * round and round keeps none (each line is dropped just before it is needed again); a scratchpad is filled by
 * software, which can pin some: as much as half of it, the other half streams. */
static double pinned_share(const rg_plan *plan, const rg_level *near, double kept)
{
    rg_device_kind kind = plan->device->kind;
    bool software = kind == RG_DEVICE_TPU || kind == RG_DEVICE_KPU || kind == RG_DEVICE_NPU;
    if (!software || near->scope != RG_SCOPE_DEVICE || plan->weight_byte <= 0) return 0;
    return fmin(kept / 2 / plan->weight_byte, 1);
}

/* How often its weights are read: those of the state at each step of a recurrence, those of the inputs once,
 * in one product of all steps. */
static double weight_reads(const rg_work *w)
{
    if (w->steps <= 1 || w->family != RG_FAMILY_RECURRENT || w->k <= 0) return fmax(w->steps, 1);
    double state = fmin(w->channels / w->k, 1);
    return state * w->steps + 1 - state;
}

/* Of what is read round and round, the share that comes from behind a cache which keeps `kept` of it. All,
 * once it is a tenth larger: AIConfigurator's products on an L2 of one part (L40S) whose copies of weights
 * fill 1.00, 1.03, 1.05 and 1.1 of it read at 1.6 to 2.7, 1.4, 1.15 and 0.9 times the memory's bandwidth,
 * from 1.13 on at 0.8. */
static double missed_share(const rg_plan *plan, double kept)
{
    double round = plan->weight_byte + plan->beside_byte + (double)plan->block_byte;
    if (kept <= 0) return round > 0; /* a cache of nothing */
    return fmin(fmax((round / kept - 1) / ROUND_FADES, 0), 1);
}

/* Room that a line takes: where it is read from another part than its own, it is in both. (H100, the same
 * products: copies of 35 MiB together are read from its 50 MiB of L2, of 37.5 not.) */
static double copies_in(const rg_level *level)
{
    double parts = fmax(level->parts, 1);
    return 1 + (parts - 1) / parts;
}

/* What comes from behind level `near`, which keeps what it can. */
static double traffic_behind(const rg_plan *plan, const rg_row *row, const rg_level *near, double block_m,
                             double block_n)
{
    const rg_work *w = &row->work;
    double kept = kept_byte(plan, row, near), activations = w->in_byte + w->out_byte;
    double missed = missed_share(plan, kept / copies_in(near));
    if (missed <= 0) return 0;
    double pinned = pinned_share(plan, near, kept) * w->weight_byte;
    double weights = w->weight_byte <= kept / 2 ? w->weight_byte : w->weight_byte * weight_reads(w);
    weights *= row->winograd.weights;
    double bytes = weights - pinned + (activations <= kept / 2 ? 0 : activations);
    bool blocked = rg_row_is_product(row) && w->mac > 0 && w->steps <= 1;
    bytes *= missed;
    if (!blocked || activations + w->weight_byte <= kept / 2) return bytes;
    bool unit = near->scope == RG_SCOPE_UNIT && block_m > 0 && block_n > 0;
    double edge = block_edge(row, near);
    double traffic = rg_product_traffic(row, unit ? block_m : edge, unit ? block_n : edge);
    return fmax(bytes, missed * (traffic - pinned));
}

void rg_level_traffic(const rg_plan *plan, rg_row *row, double block_m, double block_n)
{
    const rg_work *w = &row->work;
    const rg_level *levels = plan->device->levels;
    double weights = w->weight_byte * weight_reads(w) * row->winograd.weights;
    row->tiling.traffic_byte[0] = weights + w->in_byte + w->out_byte;
    for (size_t i = 1; i < plan->device->level_count; i++)
        row->tiling.traffic_byte[i] = traffic_behind(plan, row, &levels[i - 1], block_m, block_n);
}

static const rg_mapper mappers[RG_DEVICE_KIND_COUNT] = {
    [RG_DEVICE_CPU] = rg_tile_cpu,
    [RG_DEVICE_GPU] = rg_tile_gpu,
    [RG_DEVICE_TPU] = rg_tile_tpu,
    [RG_DEVICE_KPU] = rg_tile_kpu,
    [RG_DEVICE_NPU] = rg_tile_tpu, /* an array of multipliers fed from a scratchpad, too */
};

void rg_row_retile(const rg_plan *plan, rg_row *row)
{
    row->tiling = (rg_tiling){
        .blocks = 1, .per_unit = 1, .waves = 1, .units = row->unit_count,
        .occupancy = 1, .utilization = 1, .split_k = 1,
    };
    if (row->family != RG_FAMILY_VIEW) mappers[plan->device->kind](plan, row);
}

/* Everything that a mapper looks at is the same. */
static bool is_alike(const rg_row *a, const rg_row *b)
{
    const rg_work *x = &a->work, *y = &b->work;
    return x->mac == y->mac && x->flop == y->flop && x->m == y->m && x->n == y->n && x->k == y->k &&
           x->batch == y->batch && x->steps == y->steps && x->special == y->special &&
           x->share == y->share && x->skipped == y->skipped && a->kernels == b->kernels &&
           a->family == b->family &&
           x->in_byte == y->in_byte && x->weight_byte == y->weight_byte && x->out_byte == y->out_byte &&
           x->weight_in_b == y->weight_in_b && a->side_byte == b->side_byte && a->peak == b->peak &&
           a->filled == b->filled && a->op_per_clock == b->op_per_clock && a->unit_count == b->unit_count &&
           a->unit_total == b->unit_total && a->winograd.m == b->winograd.m &&
           a->width.threads == b->width.threads && a->width.vector_length == b->width.vector_length;
}

/* Networks repeat their layers: a row like one of the
 * last REMEMBERED different ones sits as that one does. */
void rg_plan_tile(rg_plan *plan)
{
    enum { REMEMBERED = 32 };
    const rg_row *known[REMEMBERED];
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->row_count; i++) {
        rg_row *row = &plan->rows[i];
        uint32_t k = 0, held = count < REMEMBERED ? count : REMEMBERED;
        while (k < held && !is_alike(row, known[k])) k++;
        if (k < held) {
            row->tiling = known[k]->tiling;
            continue;
        }
        rg_row_retile(plan, row);
        known[count++ % REMEMBERED] = row;
    }
}
