/* tile_attention.c - fused attention on a GPU: a thread block holds some rows of queries and walks the keys.
 *
 * A long prompt: 128 queries of one head to a block, and as many keys a step as fit (Dao 2023,
 * "FlashAttention-2", section 3.3: 64 or 128, by head size). With a causal mask a block stops at its
 * diagonal:
 *
 *     steps of block i = ceil((n - m + (i + 1) tm) / tn)             the last of them partly masked
 *     utilization = seen scores / (tm tn sum of steps) * balance
 *
 * Blocks are of unequal length then, and the longest begin first: the launch takes as long as the longest of
 * them, or as all of them evenly spread (Graham 1969, "Bounds on multiprocessing timing anomalies"). Blocks
 * of equal length run in rounds, as those of every product.
 *
 * A token: all query heads that share a head of keys are the rows of one tile, padded to the 16 of a matrix
 * instruction, so that keys are read once. Where that leaves SMs without work, the keys are split among
 * blocks and another kernel joins their results (Dao et al. 2023, "Flash-Decoding for long-context
 * inference").
 *
 *     blocks = batch * kv_heads * splits                            splits <= ceil(n / tn)
 *
 * A block reads what depends on what it read before: lengths, the table of pages, keys, values; then its
 * result leaves. Its stages of keys fill the shared memory, so nobody else computes on its SM while it waits.
 * Few keys take no less than this chain, in every wave; tiles of matrix instructions fetch a step of pages
 * whole, whatever is valid in it.
 */
#include "map/map.h"

#include <math.h>

enum {
    STEP_SCORES = 256,   /* elements of a key and its value up to which a step takes LONG_STEP keys */
    LONG_STEP = 128,
    SHORT_STEP = 64,
    THREADS_STEP = 32,   /* of prompts where threads fetch them */
    PROMPT_ROWS = 64,    /* a warp group's, which kernels for prompts compute however short they are */
    WIDE_ROWS = 128,     /* from here on a block has WIDE_THREADS threads */
    WIDE_THREADS = 256,
    THREADS = 128,
    STAGES = 2,          /* steps of keys in flight */
    CHAIN = 5,           /* dependent accesses of a block: lengths, pages, keys, values, result */
};

/* Rows of a matrix instruction, of a warp group, and of a large tile. */
static const double tile_rows[] = {16, 64, 128};

typedef struct shape {
    double rows, batch, keys;   /* queries of one tile's head or heads; such; all keys */
    double heads;               /* of keys, of all requests */
    bool grouped;               /* rows are queries times the heads that share keys */
    double tm, tn, row_blocks;
} shape;

static shape shape_of(const rg_plan *plan, const rg_row *row)
{
    const rg_work *w = &row->work;
    double share = fmax(w->share, 1), largest = tile_rows[RG_COUNT(tile_rows) - 1];
    double limit = plan->runtime->grouped_heads > 0 ? plan->runtime->grouped_heads : largest;
    bool prompt = w->n <= w->m;
    bool grouped = !prompt && share > 1 && share <= limit && w->m * share <= largest;
    shape s = {
        .rows = grouped ? w->m * share : w->m, .batch = grouped ? w->batch / share : w->batch, .keys = w->n,
        .heads = w->batch / share,
        .grouped = grouped, .tm = largest, .tn = w->k <= STEP_SCORES ? LONG_STEP : SHORT_STEP,
    };
    for (size_t i = RG_COUNT(tile_rows); i-- > 0;)
        if (s.rows <= tile_rows[i] && (!prompt || tile_rows[i] >= PROMPT_ROWS)) s.tm = tile_rows[i];
    if (prompt && !plan->device->engines[row->peak->engine].bulk_copies) s.tn = THREADS_STEP;
    s.row_blocks = rg_ceil_div(s.rows, s.tm);
    return s;
}

/* Steps of keys that a row block walks, on average, and the most. */
static double mean_steps(const shape *s, const rg_work *w, double *most)
{
    *most = rg_ceil_div(s->keys, s->tn);
    if (w->skipped <= 0 || s->grouped || s->row_blocks <= 1) return *most;
    double before = fmax(w->n - w->m, 0), sum = 0;
    /* but for rounding, an arithmetic series up to the last block, which ends with the keys */
    double first = rg_ceil_div(before + s->tm, s->tn), step = s->tm / s->tn;
    double others = s->row_blocks - 1;
    sum = others * first + step * others * (others - 1) / 2 + *most;
    return fmin(sum / s->row_blocks, *most);
}

/* Bytes of the keys and values of the whole row, as attention's k counts both. */
static double key_byte(const rg_row *row)
{
    const rg_work *w = &row->work;
    double queries = w->m * fmax(w->share, 1); /* with each key; half of k is a query's, all of it a key's */
    return (w->in_byte + w->weight_byte - row->side_byte) * 2 * w->n / (queries + 2 * w->n);
}

/* Keys and values of earlier steps: meanwhile weights and other layers' caches went through the L2, so that
 * they come from memory however few they are. (On A100 and H100 a token's attention takes as long below the
 * L2's capacity as its bytes do above.) */
static double old_key_byte(const rg_row *row)
{
    const rg_work *w = &row->work;
    return w->n > w->m ? key_byte(row) * (1 - w->m / w->n) : 0;
}

/* Accesses to memory, one after the other, before a block's first product and behind its last: the chain, and
 * the first step of keys, as many as its bytes take at an SM's part of the bandwidth among those that have a
 * block. A single row needs no tile of matrix instructions. */
static double start_trips(const rg_plan *plan, const rg_row *row, const shape *s, double blocks)
{
    const rg_level *memory = rg_device_memory(plan->device), *near = &plan->device->levels[0];
    bool prompt = row->work.n <= row->work.m;
    if ((s->rows <= 1 && !prompt) || memory->latency_s <= 0) return CHAIN;
    double fetched = row->work.m > 1 || prompt ? fmin(s->tn, s->keys) : s->tn;
    double step_byte = fetched * key_byte(row) / (s->heads * s->keys);
    double part = fmin(memory->read_byte_per_s / fmin(blocks, row->unit_total),
                       near->read_byte_per_s / row->unit_total);
    return CHAIN + step_byte / part / memory->latency_s;
}

/* Useful share of the peak when every wave waits for its start before it computes. */
static double after_start(const rg_plan *plan, const rg_row *row, double utilization, double start_s)
{
    double rate = rg_row_rate(row, rg_device_clock_max(plan->device)) * row->efficiency->compute;
    double busy_s = (1 - row->work.skipped) * 2 * row->work.mac / rate;
    return busy_s / (busy_s / utilization + start_s);
}

void rg_tile_attention(const rg_plan *plan, rg_row *row)
{
    const rg_engine *e = &plan->device->engines[row->peak->engine];
    const rg_work *w = &row->work;
    rg_tiling *t = &row->tiling;
    shape s = shape_of(plan, row);
    double most, steps = mean_steps(&s, w, &most), units = row->unit_count;
    double seen = (1 - w->skipped) * s.rows * s.keys / (s.row_blocks * s.tm * steps * s.tn);
    t->blocks = s.batch * s.row_blocks;
    t->split_k = s.row_blocks > 1 ? 1 : fmax(fmin(floor(units / t->blocks), most), 1);
    t->blocks *= t->split_k;
    /* the time of all in units of a mean block's */
    double spread = t->blocks / units, longest = most / steps;
    double rounds = longest > 1 ? fmax(spread, longest) : rg_ceil_div(t->blocks, units);
    t->utilization = row->filled * fmin(seen, 1) * spread / rounds;
    t->waves = rg_ceil_div(t->blocks, units);
    t->trips = start_trips(plan, row, &s, t->blocks);
    if (w->m > 1 || w->n <= w->m) { /* one query's few products are done while it waits for its cache */
        double start_s = t->waves * t->trips * rg_device_memory(plan->device)->latency_s;
        t->utilization = after_start(plan, row, t->utilization, start_s);
    }
    t->trips += rg_ceil_div(steps / t->split_k, STAGES) - 1;
    t->tile[0] = s.tm, t->tile[1] = s.tn, t->tile[2] = w->k / 2;
    t->occupancy = fmin(1, (s.tm >= WIDE_ROWS ? WIDE_THREADS : THREADS) / fmax(e->threads, 1));
    t->units = fmin(units, t->blocks);
    rg_level_traffic(plan, row, s.grouped ? w->m : s.tm, s.tn);
    if (plan->device->level_count < 2) return;
    double *far = &t->traffic_byte[plan->device->level_count - 1];
    *far = fmax(*far, old_key_byte(row));
    /* heads that do not share a block's keys fetch them again; pieces leave f32 results to be joined */
    double again = s.grouped ? 0 : fmax(w->share, 1) - 1, results = s.batch * s.rows * w->k / 2;
    t->traffic_byte[1] += again * fmax(s.row_blocks * (1 - w->skipped), 1) * key_byte(row);
    if (t->split_k > 1) t->traffic_byte[1] += 2 * t->split_k * results * 4;
}
