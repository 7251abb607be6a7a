/* features.c - the features of rows and of forecasts. Sizes are logarithms to the base 2, times are shares of
 * the row's own time, traffic is measured in caches, blocks in waves: figures that mean the same on any
 * machine. Nothing here may name a device.
 */
#include "predict/features.h"
#include "predict/trees.h"

#include "op/collective.h"

#include <math.h>

typedef struct view {            /* of one row, computed once */
    const rg_plan *plan;
    const rg_row *row;
    const rg_row_cost *cost;
    double latency_s, clock_share;
    const rg_node *node;         /* of the anchor */
} view;

static double log_of(double x) { return x > 1e-9 ? log2(x) : -30; }
static double share(double part, double all) { return all > 0 ? part / all : 0; }

/* The largest power of two up to 256 that divides x, as a logarithm: what vector loads and tiles fit. */
static double alignment(double x)
{
    if (!(x >= 1 && x < 0x1p53) || x != floor(x)) return 0;
    return __builtin_ctzll((unsigned long long)x | 256);
}

static double limit(const view *v, int index)
{
    return index < v->cost->limit_count ? share(v->cost->limits[index].time_s, v->latency_s) : 0;
}

static double last_limit(const view *v, int before)
{
    return limit(v, (int)v->plan->device->level_count - before);
}

static double moved(const view *v)
{
    return v->row->work.in_byte + v->row->work.weight_byte + v->row->work.out_byte;
}

/* Bytes against what the level in front of main memory holds. */
static double caches(const view *v, double byte)
{
    const rg_device *d = v->plan->device;
    double capacity = d->level_count > 1 ? d->levels[d->level_count - 2].capacity_byte : 0;
    return log_of(share(byte, capacity));
}

/* What no kernel of this device and stack can be shorter than: the longer of the device's launch and the
 * host's. Where the host's is the longer, the device's would only name the device. */
static double launch_floor(const view *v)
{
    const rg_runtime *r = v->plan->runtime;
    return fmax(v->plan->device->launch_s, v->plan->device->kind == RG_DEVICE_CPU ? 0 : r->launch_s);
}

static double tile(const view *v, int axis) { return log_of(fmax(v->row->tiling.tile[axis], 1)); }

/* Useful share of a product on all units in blocks of tm x tn: which of them a library takes is not known,
 * but it takes one that fills them. */
static double filled(const view *v, double tm, double tn)
{
    const rg_work *w = &v->row->work;
    if (!rg_row_is_product(v->row) || w->m <= 0 || w->n <= 0) return 0;
    double m = rg_ceil_div(w->m, tm), n = rg_ceil_div(w->n, tn), units = fmax(v->row->unit_count, 1);
    double blocks = m * n * w->batch;
    return w->m * w->n / (m * tm * n * tn) * blocks / (units * rg_ceil_div(blocks, units));
}

static double input_dim(const view *v, uint32_t input, int axis)
{
    if (input >= v->node->in_count || !v->node->in[input]) return 1;
    const rg_type *type = &v->plan->graph->values[v->node->in[input]].type;
    int at = axis < 0 ? type->rank + axis : axis;
    return at >= 0 && at < type->rank && type->dim[at] > 0 ? (double)type->dim[at] : 1;
}

static double window(const view *v)
{
    if (v->row->family != RG_FAMILY_CONV && v->row->family != RG_FAMILY_DEPTHWISE) return 0;
    return log_of(input_dim(v, 1, 2) * input_dim(v, 1, 3));
}

/* Heads of queries to a head of keys. */
static double grouped_heads(const view *v)
{
    if (v->row->family != RG_FAMILY_ATTENTION) return 0;
    return log_of(input_dim(v, 0, 1) / input_dim(v, 1, 1));
}

/* Requests side by side, each with caches of its own. */
static double requests(const view *v)
{
    return v->row->family == RG_FAMILY_ATTENTION ? log_of(input_dim(v, 0, 0)) : 0;
}

static double stored_bit(const view *v)
{
    const rg_work *w = &v->row->work;
    double elements = w->n * w->k * w->batch;
    return w->weight_in_b && elements > 0 ? 8 * w->weight_byte / elements : rg_hw_dtype_bits(v->row->dtype);
}

#define WORK v->row->work
#define TILING v->row->tiling
#define ROW_FEATURES(X)                                                                                      \
    X(compute, limit(v, 0), "compute against the row's time")                                                \
    X(memory, last_limit(v, 0), "main memory against the row's time")                                        \
    X(cache, last_limit(v, 1), "the level before main memory against the row's time")                        \
    X(tail, share(v->cost->terms_s[RG_TERM_TAIL], v->latency_s), "waves and padding against the row's time") \
    X(launch, share(v->cost->terms_s[RG_TERM_LAUNCH], v->latency_s), "launch against the row's time")        \
    X(floors, log_of(share(v->latency_s, launch_floor(v))), "time in launches")                              \
    X(utilization, TILING.utilization, "useful share of the tiling")                                         \
    X(occupancy, TILING.occupancy, "of threads or lanes")                                                    \
    X(waves, log_of(TILING.waves), "rounds of blocks")                                                       \
    X(blocks, log_of(share(TILING.blocks, v->row->unit_total)), "blocks a unit")                             \
    X(last_wave, share(TILING.blocks, v->row->unit_total) - floor(share(TILING.blocks, v->row->unit_total)), \
      "filled share of the last round")                                                                      \
    X(split, log_of(TILING.split_k), "pieces of the reduction")                                              \
    X(trips, log_of(fmax(TILING.trips, 1)), "slabs of the reduction, one after the other")                   \
    X(tile_m, tile(v, 0), "rows of a tile")                                                                  \
    X(tile_n, tile(v, 1), "columns of a tile")                                                               \
    X(m, log_of(WORK.m), "rows of the product")                                                              \
    X(n, log_of(WORK.n), "columns of the product")                                                           \
    X(k, log_of(WORK.k), "length of the reduction")                                                          \
    X(batch, log_of(WORK.batch), "products side by side")                                                    \
    X(align_m, alignment(WORK.m), "power of two in the rows")                                                \
    X(align_n, alignment(WORK.n), "power of two in the columns")                                             \
    X(align_k, alignment(WORK.k), "power of two in the reduction")                                           \
    X(constant, WORK.weight_in_b, "one operand is a weight")                                                 \
    X(intensity, log_of(share(v->cost->intensity, v->cost->ridge)), "against the ridge point")               \
    X(in_caches, caches(v, moved(v)), "bytes moved, in caches")                                              \
    X(out_caches, caches(v, WORK.out_byte), "bytes written, in caches")                                      \
    X(written, share(WORK.out_byte, moved(v)), "of the bytes")                                               \
    X(stored_bit, stored_bit(v), "of a weight")                                                              \
    X(special, share(WORK.special, fmax(WORK.m, 1)), "special functions a result")                           \
    X(others, share(fmax(WORK.flop - 2 * WORK.mac, 0), fmax(WORK.m, 1)), "other operations a result")        \
    X(window, window(v), "taps of a convolution")                                                            \
    X(spread, log_of(share(WORK.in_byte, WORK.out_byte)), "bytes in against bytes out")                      \
    X(grouped, grouped_heads(v), "heads of queries to one of keys")                                          \
    X(clock, v->clock_share, "clock under the power cap against the highest")                                \
    X(kernels, v->row->kernels, "launches of the row")                                                       \
    X(filled_large, filled(v, 256, 128), "useful share of blocks of 256 x 128")                              \
    X(filled_medium, filled(v, 128, 128), "of 128 x 128")                                                    \
    X(filled_small, filled(v, 64, 64), "of 64 x 64")                                                         \
    X(requests, requests(v), "side by side, of attention")                                                   \
    X(skipped, WORK.skipped, "of the scores, by a causal mask")                                             \
    X(lockstep, log_of(fmax(v->plan->device->engines[0].warp, 1)), "lanes that run in step")                 \
    X(issue, log_of(share(v->cost->host_s, v->cost->device_s)), "the host's time against the device's")

enum {
#define X(name, value, help) ROW_##name,
    ROW_FEATURES(X)
#undef X
};

static const struct { const char *name, *help; } row_features[] = {
#define X(name, value, help) {#name, help},
    ROW_FEATURES(X)
#undef X
};

_Static_assert(RG_COUNT(row_features) <= RG_TREES_FEATURES, "what a file of trees can name");

void rg_feature_row(const rg_forecast *f, uint32_t row, float *out)
{
    const rg_plan *plan = f->plan;
    const rg_row *r = &plan->rows[row];
    view all = {plan, r, &f->rows[row], 0, 0, NULL};
    const view *v = &all;
    all.node = &plan->graph->nodes[plan->facts->steps[r->anchor].node];
    for (int i = 0; i < RG_TERM_CORRECTION; i++) all.latency_s += all.cost->terms_s[i];
    all.clock_share = share(f->clock_hz, rg_device_clock_max(plan->device));
#define X(name, value, help) *out++ = (float)(value);
    ROW_FEATURES(X)
#undef X
}

double rg_feature_issue(const float *row) { return (double)row[ROW_issue]; }

/* ---- whole forecasts ---- */

static double family_share(const rg_forecast *f, rg_family family)
{
    double sum = 0, all = 0;
    for (uint32_t i = 0; i < f->plan->row_count; i++) {
        all += f->rows[i].total_s;
        if (f->plan->rows[i].family == family) sum += f->rows[i].total_s;
    }
    return share(sum, all);
}

typedef struct sums {
    double flop, in_byte, weight_byte, out_byte, launches, launch_s, tail_s;
    double sequences, past, devices; /* at least 1 */
} sums;

static void add_caches(const rg_graph *g, sums *s)
{
    const rg_region *main = &g->regions[RG_MAIN];
    for (uint32_t i = 0; i < main->input_count; i++) {
        const rg_value *v = &g->values[main->inputs[i]];
        if (!rg_str_starts(v->name, "past_key_values.") || v->type.rank < 3) continue;
        s->past = fmax(s->past, (double)rg_dim_value(&g->dims, v->type.dim[v->type.rank - 2]));
    }
}

static sums sums_of(const rg_forecast *f)
{
    sums s = {.sequences = fmax(f->sequences, 1), .past = 1, .devices = 1};
    add_caches(f->plan->graph, &s);
    for (uint32_t i = 0; i < f->plan->row_count; i++) {
        const rg_row *r = &f->plan->rows[i];
        rg_collective_kind kind;
        int64_t group = 1;
        if (rg_node_collective(rg_node_at(f->plan->graph, f->plan->facts->steps[r->anchor].node), &kind,
                               &group))
            s.devices = fmax(s.devices, (double)group);
        s.flop += r->work.flop * r->times;
        s.in_byte += r->work.in_byte * r->times;
        s.weight_byte += r->work.weight_byte * r->times;
        s.out_byte += r->work.out_byte * r->times;
        if (f->rows[i].latency_s <= 0) continue;
        s.launches += r->kernels * r->times;
        s.launch_s += f->rows[i].terms_s[RG_TERM_LAUNCH] * r->times;
        s.tail_s += f->rows[i].terms_s[RG_TERM_TAIL] * r->times;
    }
    return s;
}

/* Of a sketch: 0 where it is not known. */
static double log_known(double x) { return x > 0 ? log2(x) : 0; }
static double log_known_ratio(double a, double b) { return a > 0 && b > 0 ? log2(a / b) : 0; }

/* Whether the network has the structure of this letter. */
static double has_block(const rg_forecast *f, char letter)
{
    static const char all[] = RG_BLOCK_LETTERS;
    for (uint32_t i = 0; all[i]; i++)
        if (all[i] == letter) return f->sketch.blocks >> i & 1;
    return 0;
}

/* The release that is assumed where none is named: the newest that was measured. */
#define RELEASE_KNOWN 2.09

#define SKETCH f->sketch
#define SKETCH_FEATURES(X)                                                                                   \
    X(release, SKETCH.release > 0 ? SKETCH.release : RELEASE_KNOWN, "of the framework")                      \
    X(channels_last, SKETCH.channels_last, "images are stored so")                                           \
    X(mixed, SKETCH.mixed, "weights are converted at each call")                                             \
    X(guessed, SKETCH.guessed, "totals were")                                                                \
    X(samples, log_known(SKETCH.samples), "at once")                                                         \
    X(side, log_known(SKETCH.side), "of an image")                                                           \
    X(patch, log_known(SKETCH.patch), "side of the squares that become tokens")                              \
    X(macs, log_known(SKETCH.macs), "multiply-adds of a sample")                                             \
    X(activations, log_known(SKETCH.activations), "elements that products write")                            \
    X(parameters, log_known(SKETCH.parameters), "of the network")                                            \
    X(macs_each, log_known_ratio(SKETCH.macs, SKETCH.activations), "multiply-adds an activation")            \
    X(reuse, log_known_ratio(SKETCH.macs, SKETCH.parameters), "multiply-adds a parameter")                   \
    X(spread_out, log_known_ratio(SKETCH.activations, SKETCH.parameters), "activations a parameter")         \
    X(pixel_activations, log_known_ratio(SKETCH.activations, SKETCH.side * SKETCH.side), "of a pixel")       \
    X(pixel_macs, log_known_ratio(SKETCH.macs, SKETCH.side * SKETCH.side), "of a pixel")                     \
    X(block_dense, has_block(f, 'b'), "dense windows")                                                       \
    X(block_grouped, has_block(f, 'g'), "grouped windows")                                                   \
    X(block_depthwise, has_block(f, 'd'), "inverted bottlenecks")                                            \
    X(block_convnext, has_block(f, 'c'), "depthwise windows and normalized rows")                            \
    X(block_attention, has_block(f, 'v'), "attention of all positions")                                      \
    X(block_windows, has_block(f, 'w'), "attention of windows or of a pyramid")                              \
    X(block_linear, has_block(f, 'k'), "attention over channels")                                            \
    X(block_mixer, has_block(f, 'm'), "products across positions")                                           \
    X(block_pooling, has_block(f, 'p'), "pooling in place of attention")                                     \
    X(block_hybrid, has_block(f, 'h'), "convolution and attention")                                          \
    X(block_scores, has_block(f, 'f'), "scores are written")                                                 \
    X(block_smooth, has_block(f, 'a'), "smooth activations")                                                 \
    X(block_squeeze, has_block(f, 's'), "squeeze and excitation")                                            \
    X(block_concat, has_block(f, 'x'), "concatenation, shuffles")                                            \
    X(block_split, has_block(f, 'q'), "splits at several scales")                                            \
    X(block_branches, has_block(f, 'r'), "branches that could be folded")                                    \
    X(block_standard, has_block(f, 'n'), "standardized weights")                                             \
    X(block_blur, has_block(f, 'l'), "blurred strides")                                                      \
    X(block_norm, has_block(f, 'o'), "group or layer normalization of images")

#define ALL_BYTE (s.in_byte + s.weight_byte + s.out_byte)
#define PLAN_DEVICE f->plan->device
#define WHOLE_FEATURES(X)                                                                              \
    X(compute, share(f->compute_s, f->latency_s.value), "compute-bound rows against the time")         \
    X(memory, share(f->memory_s, f->latency_s.value), "memory-bound rows against the time")            \
    X(launch, share(s.launch_s, f->latency_s.value), "launches against the time")                      \
    X(tail, share(s.tail_s, f->latency_s.value), "waves and padding against the time")                 \
    X(once, share(f->graph_s, f->latency_s.value), "what one inference costs whatever it is")          \
    X(floors, log_of(share(f->latency_s.value, PLAN_DEVICE->launch_s)), "time in launches")            \
    X(launches, log_of(s.launches), "kernels")                                                         \
    X(kernel_floors, log_of(share(f->latency_s.value, s.launches * PLAN_DEVICE->launch_s)),            \
      "launches of the device that a kernel takes")                                                    \
    X(flop, log_of(share(s.flop, s.launches)), "operations a kernel")                                  \
    X(intensity, log_of(share(s.flop, ALL_BYTE)), "operations a byte")                                 \
    X(weights, share(s.weight_byte, ALL_BYTE), "of the bytes")                                         \
    X(in_caches, log_of(share(ALL_BYTE, s.launches * PLAN_DEVICE->levels[PLAN_DEVICE->level_count > 1  \
      ? PLAN_DEVICE->level_count - 2 : 0].capacity_byte)), "bytes a kernel, in caches")                \
    X(gemm, family_share(f, RG_FAMILY_GEMM), "of the time")                                            \
    X(conv, family_share(f, RG_FAMILY_CONV), "of the time")                                            \
    X(depthwise, family_share(f, RG_FAMILY_DEPTHWISE), "of the time")                                  \
    X(attention, family_share(f, RG_FAMILY_ATTENTION), "of the time")                                  \
    X(elementwise, family_share(f, RG_FAMILY_ELEMENTWISE), "of the time")                              \
    X(norm, family_share(f, RG_FAMILY_NORM), "of the time")                                            \
    X(move, family_share(f, RG_FAMILY_MOVE), "of the time")                                            \
    X(pool, family_share(f, RG_FAMILY_POOL), "of the time")                                            \
    X(collective, family_share(f, RG_FAMILY_COLLECTIVE), "of the time")                                \
    X(filled, share(f->energy.static_j, f->energy_j.value), "static share of the energy")              \
    X(overlap, share(-f->overlap_s, f->latency_s.value), "saved by parallel branches")                 \
    X(clock, share(f->clock_hz, rg_device_clock_max(PLAN_DEVICE)), "clock under the power cap")        \
    X(power, share(f->power_w.value, PLAN_DEVICE->cap_w), "of the cap")                                \
    X(sequences, log_of(s.sequences), "that a step of a language model writes")                        \
    X(past, log_of(s.past), "tokens that the longest cache holds")                                     \
    X(devices, log_of(s.devices), "of a collective, at most")                                          \
    X(caches, log_of(share(f->plan->cache_byte, f->plan->weight_byte)), "bytes of caches against weights") \
    X(active, log_of(share(s.weight_byte, f->plan->weight_byte)), "weights read against weights held")

static const struct { const char *name, *help; } whole_features[] = {
#define X(name, value, help) {#name, help},
    WHOLE_FEATURES(X)
    SKETCH_FEATURES(X)
#undef X
};

_Static_assert(RG_COUNT(whole_features) <= RG_TREES_FEATURES, "what a file of trees can name");

void rg_feature_whole(const rg_forecast *f, float *out)
{
    sums s = sums_of(f);
#define X(name, value, help) *out++ = (float)(value);
    WHOLE_FEATURES(X)
    SKETCH_FEATURES(X)
#undef X
}

size_t rg_feature_count(rg_features_of scope)
{
    return scope == RG_OF_ROW ? RG_COUNT(row_features) : RG_COUNT(whole_features);
}
const char *rg_feature_name(rg_features_of scope, size_t i)
{
    return scope == RG_OF_ROW ? row_features[i].name : whole_features[i].name;
}
const char *rg_feature_help(rg_features_of scope, size_t i)
{
    return scope == RG_OF_ROW ? row_features[i].help : whole_features[i].help;
}
