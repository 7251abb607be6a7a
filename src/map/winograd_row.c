/* winograd_row.c - which convolutions of a CPU a stack computes by Winograd's algorithm, and with which tile:
 * by the arithmetic by which the runner chooses (exec/winograd_choice.c), so that what is priced is what
 * runs.
 *
 *     seconds = max(products / rate, weights / bandwidth) + calls + transforms
 *
 * Products: (m + 2)^2 / m^2 multiply-adds for an output and a channel that it sees, tiles filled up, where a
 * direct convolution has 9. Weights: (m + 2)^2 / 9 times as many. What the runner looks at besides, the error
 * that the actual weights make, is not known before there are weights.
 *
 * What it keeps of the weights comes on top of what the plan has for them (rg_plan.copies_byte).
 */
#include "map/winograd_row.h"

#include "map/map.h"

#include <math.h>

enum { BLOCK = 8 };              /* channels of the blocked layout */

typedef struct shape { double groups, in, out, tiles_m[5]; } shape; /* in, out: of all groups */

/* All of a list of integers, which may be absent. */
static bool all_are(const rg_node *node, const char *name, int64_t wanted)
{
    const rg_attr *a = rg_node_attr(node, name);
    for (size_t i = 0; a && a->kind == RG_ATTR_INTS && i < a->count; i++)
        if (a->ints[i] != wanted) return false;
    return true;
}

/* f32, 3x3, stride 1, groups of whole blocks: and a plan whose images are blocked. */
static bool look(const rg_plan *plan, const rg_row *row, shape *out)
{
    const rg_graph *g = plan->graph;
    const rg_node *node = rg_node_at(g, plan->facts->steps[row->anchor].node);
    if (!plan->runtime->winograd || plan->device->kind != RG_DEVICE_CPU || row->family != RG_FAMILY_CONV
        || row->dtype != RG_HW_F32 || !rg_node_is(node, "Conv")) return false;
    const rg_type *x = &g->values[node->in[0]].type, *w = &g->values[node->in[1]].type;
    const rg_type *y = &g->values[node->out[0]].type;
    if (w->rank != 4 || w->dim[2] != 3 || w->dim[3] != 3 || x->rank != 4 || y->rank != 4) return false;
    if (!all_are(node, "strides", 1) || !all_are(node, "dilations", 1)) return false;
    for (int i = 0; i < 4; i++)
        if (!rg_dim_is_number(x->dim[i]) || !rg_dim_is_number(y->dim[i])) return false;
    if (w->dim[1] % BLOCK || w->dim[1] <= 0 || (w->dim[0] * w->dim[1] / x->dim[1]) % BLOCK) return false;
    *out =
        (shape){.groups = (double)(x->dim[1] / w->dim[1]), .in = (double)x->dim[1], .out = (double)y->dim[1]};
    for (int m = 2; m <= 4; m += 2)
        out->tiles_m[m] =
            (double)y->dim[0] * rg_ceil_div((double)y->dim[2], m) * rg_ceil_div((double)y->dim[3], m);
    return true;
}

typedef struct machine {
    double op_per_s, step_per_s, call_per_s, byte_per_s;
} machine;

static machine machine_of(const rg_plan *plan, const rg_row *row)
{
    const rg_device *d = plan->device;
    const rg_level *level = rg_device_memory(d);
    double clock = row->peak->at_clock_hz, workers = row->unit_count;
    if (d->level_count > 1 && 2 * plan->weight_byte < level[-1].usable_byte * level[-1].count) level--;
    double waited = workers * RG_WINOGRAD_LINES * RG_WINOGRAD_LINE_BYTE /
                    (level->latency_s > 0 ? level->latency_s : RG_WINOGRAD_LATENCY_S);
    return (machine){
        .op_per_s = workers * row->peak->op_per_clock * clock * RG_WINOGRAD_SUSTAINED,
        .step_per_s = workers * clock * RG_WINOGRAD_STEP_PER_CLOCK,
        .call_per_s = workers * clock / RG_WINOGRAD_CALL_CLOCKS,
        .byte_per_s = fmin(level->read_byte_per_s, waited),
    };
}

static double products_s(const machine *a, double count, double calls, double rows, double k, double n)
{
    return fmax(2 * count * rows * (k + RG_WINOGRAD_SUM_STEPS) * n / a->op_per_s,
                count * k * n * (double)sizeof(float) / a->byte_per_s) +
           count * calls / a->call_per_s;
}

static double steps_of(const shape *s, const rg_winograd_way *y)
{
    return s->tiles_m[y->m] * (y->image_step * s->in + y->result_step * s->out) / BLOCK;
}

static double way_s(const machine *a, const shape *s, const rg_winograd_way *y)
{
    double count = s->groups * (y->m + 2) * (y->m + 2), tiles = s->tiles_m[y->m];
    double chunks = rg_ceil_div(tiles, fmin(tiles, RG_WINOGRAD_CHUNK));
    return products_s(a, count, chunks, tiles, s->in / s->groups, s->out / s->groups) +
           steps_of(s, y) / a->step_per_s;
}

/* Tiles that have room at a time: a chunk for each worker where there are so many, else one for all. */
static double room_tiles(double tiles, double workers)
{
    double chunks = rg_ceil_div(tiles, RG_WINOGRAD_CHUNK);
    bool apart = chunks >= workers;
    if (apart) chunks = rg_ceil_div(chunks, workers) * workers;
    return rg_ceil_div(tiles, chunks) * (apart ? workers : 1);
}

static void choose(const rg_plan *plan, rg_row *row)
{
    shape s;
    row->winograd = (rg_winograd_row){.products = 1, .weights = 1};
    if (!look(plan, row, &s)) return;
    machine a = machine_of(plan, row);
    double best = products_s(&a, s.groups, 1, row->work.m, row->work.k, row->work.n);
    for (int i = 0; i < RG_WINOGRAD_WAYS; i++) {
        const rg_winograd_way *y = &rg_winograd_ways[i];
        double seconds = way_s(&a, &s, y), points = (y->m + 2) * (y->m + 2);
        if (seconds >= best) continue;
        best = seconds;
        row->winograd = (rg_winograd_row){
            .m = y->m,
            .products = points * s.tiles_m[y->m] / (9 * row->work.m),
            .weights = points / 9,
            .steps = steps_of(&s, y),
            .calls = points * s.groups * ceil(s.tiles_m[y->m] / RG_WINOGRAD_CHUNK),
            .room_byte =
                points * room_tiles(s.tiles_m[y->m], row->unit_count) * (s.in + s.out) * sizeof(float),
        };
    }
}

/* Of a product's weights, as they are packed: panels of two vectors of results, filled up with zeros. */
static double packed_byte(const rg_plan *plan, const rg_row *row)
{
    const rg_engine *e = &plan->device->engines[row->peak->engine];
    double panel = 2 * fmax(e->simd_bit / fmax(rg_hw_dtype_bits(row->dtype), 8), 1), n = row->work.n;
    bool filled =
        row->family == RG_FAMILY_DEPTHWISE || n <= 0; /* its vectors are channels, which lie side by side */
    return row->work.weight_byte * row->winograd.weights * (filled ? 1 : rg_ceil_div(n, panel) * panel / n);
}

/* Of a processor alone: elsewhere weights lie in the device as its kernels read them. */
static double copies_of(const rg_plan *plan)
{
    const rg_runtime *runtime = plan->runtime;
    double bytes = plan->weight_byte * runtime->weight_copies;
    for (uint32_t i = 0; i < plan->row_count && runtime->packs_weights; i++) {
        const rg_row *row = &plan->rows[i];
        if (!row->folded && rg_row_is_product(row)) bytes += packed_byte(plan, row);
    }
    return plan->device->kind == RG_DEVICE_CPU ? bytes : 0;
}

void rg_plan_ways(rg_plan *plan)
{
    for (uint32_t i = 0; i < plan->row_count; i++) choose(plan, &plan->rows[i]);
    double workspace = plan->workspace_byte;
    for (uint32_t i = 0; i < plan->row_count; i++)
        plan->workspace_byte = fmax(plan->workspace_byte, plan->rows[i].winograd.room_byte);
    plan->copies_byte = copies_of(plan);
    plan->peak_byte += plan->copies_byte + plan->workspace_byte - workspace;
}
