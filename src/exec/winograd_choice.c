/* winograd_choice.c - whether a convolution is computed by Winograd's algorithm, and with which tile: what
 * each way costs on the plan's machine, as arithmetic, and how exact it is with the weights at hand.
 *
 *     seconds = max(products / rate, weights / bandwidth) + calls + transforms
 *
 * Products: 2 (m + 2)^2 / m^2 operations for an output and a channel that it sees, tiles filled up, where a
 * direct convolution has 18; and beginning and ending a sum costs as much as some more channels. Weights:
 * (m + 2)^2 / 9 times as many: with few pixels they are what takes time. Calls: a product for each point,
 * each group and each chunk of tiles, which are small where groups are. No timing: the same model on the same
 * machine is always computed in the same way.
 */
#include "exec/winograd.h"
#include "map/winograd_row.h"

#include <math.h>
#include <string.h>

/* Of the result, as relative L2. The budget of a whole model is 1e-4. Errors of layers are independent, so
 * that they add up like the root of their number: 150 layers, as the deepest networks have, with this much
 * each come to 6 tenths of the budget. Random weights have 6e-7 with 64 channels and 2e-6 with 512. */
static const double ERROR_MOST = 5e-6;

/* ---- cost ---- */

typedef struct machine { double op_per_s, step_per_s, call_per_s, weight_byte_per_s; } machine;

/* Of the workers together. Weights of a model that does not fit the last cache come from memory each time. */
static machine machine_of(const rg_fast_row *r)
{
    const rg_device *d = r->plan->device;
    const rg_peak *peak = rg_device_peak(d, -1, -1, RG_HW_F32);
    const rg_level *level = rg_device_memory(d);
    double workers = r->workers;
    if (d->level_count > 1 && 2 * r->plan->weight_byte < level[-1].usable_byte * level[-1].count) level--;
    double bandwidth = level->read_byte_per_s;
    double latency_s = level->latency_s > 0 ? level->latency_s : RG_WINOGRAD_LATENCY_S;
    double waited = workers * RG_WINOGRAD_LINES * RG_WINOGRAD_LINE_BYTE / latency_s;
    return (machine){
        .op_per_s = workers * peak->op_per_clock * peak->at_clock_hz * RG_WINOGRAD_SUSTAINED,
        .step_per_s = workers * peak->at_clock_hz * RG_WINOGRAD_STEP_PER_CLOCK,
        .call_per_s = workers * peak->at_clock_hz / RG_WINOGRAD_CALL_CLOCKS,
        .weight_byte_per_s = bandwidth < waited ? bandwidth : waited,
    };
}

/* `count` products, each [rows, k] [k, n], with weights of their own, in `calls` pieces each. */
static double products_s(const machine *a, double count, double calls, double rows, double k, double n)
{
    return fmax(2 * count * rows * (k + RG_WINOGRAD_SUM_STEPS) * n / a->op_per_s,
                count * k * n * (double)sizeof(float) / a->weight_byte_per_s) +
           count * calls / a->call_per_s;
}

static double direct_s(const machine *a, const rg_winograd *w)
{
    double pixels = (double)(w->batch * w->out_h * w->out_w), groups = (double)w->groups;
    return products_s(a, groups, 1, pixels, 9 * (double)w->in_channels / groups,
                      (double)w->out_channels / groups);
}

static double way_s(const machine *a, const rg_winograd *w, const rg_winograd_way *y, int workers)
{
    rg_winograd by = *w;
    by.m = y->m;
    rg_winograd_deal(&by, workers);
    double tiles = (double)rg_winograd_tiles(&by), in = (double)w->in_channels, out = (double)w->out_channels;
    double groups = (double)w->groups, steps = tiles * (y->image_step * in + y->result_step * out) / RG_BLOCK;
    double count = groups * (double)rg_winograd_points(y->m), chunks = ceil(tiles / (double)by.chunk);
    return products_s(a, count, chunks, tiles, in / groups, out / groups) + steps / a->step_per_s;
}

/* ---- error ---- */

enum { SAMPLE_TILES = 4, SAMPLE_CHANNELS = 16 };

/* Channels of either sign, as behind a normalization, and of none, as behind a ReLU, where weights that sum
 * to nothing cancel most. */
static void fill(float *image, int64_t count)
{
    uint64_t seed = 1;
    for (int64_t i = 0; i < count; i++) {
        double x = 2 * rg_random_unit(&seed) - 1;
        image[i] = (float)(i < count / 2 ? x : fabs(x));
    }
}

/* The sum over a window in double precision. x blocked, one image. */
static double exact(const rg_winograd *s, const float *weights, int64_t o, int64_t y, int64_t x)
{
    double sum = 0;
    for (int64_t c = 0; c < s->in_channels; c++)
        for (int64_t k = 0; k < 9; k++) {
            int64_t pixel = (c / RG_BLOCK * s->in_h + y + k / 3) * s->in_w + x + k % 3;
            sum += (double)weights[(o * s->in_channels + c) * 9 + k] * s->x[pixel * RG_BLOCK + c % RG_BLOCK];
        }
    return sum;
}

static double distance(const rg_winograd *s, const float *weights)
{
    double apart = 0, whole = 0;
    for (int64_t o = 0; o < s->out_channels; o++)
        for (int64_t y = 0; y < s->out_h; y++)
            for (int64_t x = 0; x < s->out_w; x++) {
                double is = exact(s, weights, o, y, x);
                double has = s->y[((o / RG_BLOCK * s->out_h + y) * s->out_w + x) * RG_BLOCK + o % RG_BLOCK];
                apart += (has - is) * (has - is);
                whole += is * is;
            }
    return apart == 0 ? 0 : sqrt(apart / whole); /* no number: where a weight is none */
}

/* Relative L2 error of some output channels, of all groups, as if they were one group, on a random image. */
static rg_err error_of(const rg_fast_row *r, const rg_winograd *w, const float *weights, int m, double *error)
{
    rg_arena *arena = r->making;
    int64_t channels = w->out_channels < SAMPLE_CHANNELS ? w->out_channels : SAMPLE_CHANNELS;
    int64_t side = SAMPLE_TILES * m, in_channels = w->in_channels / w->groups, taps = 9 * in_channels;
    rg_winograd s = {.m = m, .batch = 1, .groups = 1, .in_channels = in_channels, .in_h = side + 2,
                     .in_w = side + 2, .out_channels = channels, .out_h = side, .out_w = side};
    rg_winograd_deal(&s, 1);
    int64_t image_count = s.in_channels * s.in_h * s.in_w;
    float *image = RG_NEW(arena, float, image_count), *result = RG_NEW(arena, float, channels * side * side);
    float *some = RG_NEW(arena, float, channels * taps), *bias = RG_NEW(arena, float, channels);
    float *packed = RG_NEW(arena, float, rg_winograd_packed_count(m, s.in_channels, channels));
    char *room = (char *)RG_NEW(arena, float, rg_winograd_room_count(&s, 1));
    if (!image || !result || !some || !bias || !packed || !room) return rg_nomem(r->cx);
    for (int64_t i = 0; i < channels; i++)
        memcpy(some + i * taps, weights + i * w->out_channels / channels * taps, (size_t)taps * sizeof *some);
    fill(image, image_count);
    rg_winograd_pack(m, some, NULL, s.in_channels, channels, packed);
    s.x = image, s.y = result, s.packed = packed, s.epilogue.bias = bias, s.room = &room;
    rg_winograd_run(&s, RG_ALONE);
    *error = distance(&s, some);
    return RG_OK;
}

rg_err rg_winograd_choose(const rg_fast_row *r, const rg_winograd *w, const float *weights, int *m)
{
    *m = 0;
    if (!rg_device_peak(r->plan->device, -1, -1, RG_HW_F32)) return RG_OK; /* not planned for such numbers */
    machine a = machine_of(r);
    double best = direct_s(&a, w);
    for (size_t i = 0; i < RG_WINOGRAD_WAYS; i++) {
        double error = INFINITY, seconds = way_s(&a, w, &rg_winograd_ways[i], r->workers);
        if (seconds >= best) continue;
        RG_TRY(error_of(r, w, weights, rg_winograd_ways[i].m, &error));
        if (!(error <= ERROR_MOST)) continue;
        best = seconds;
        *m = rg_winograd_ways[i].m;
    }
    return RG_OK;
}
