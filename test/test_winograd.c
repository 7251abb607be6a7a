/* test_winograd.c - Winograd convolution gives what a convolution is, in double precision: on sizes that no
 * tile divides, with every kind of edge, on several images, in chunks of a worker's own and in shared ones,
 * and the same bits whatever the number of workers; what it costs in exactness is what is known of it.
 */
#include "exec/winograd.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct layer {
    int64_t batch, groups, in_channels, h, w, out_channels, top, left, bottom, right;
    rg_act act;
    bool adds;
} layer;

typedef struct tensors { float *x, *weights, *scale, *bias, *add, *y[2]; int64_t y_count; } tensors;

static float *random_floats(int64_t count, uint64_t seed)
{
    float *x = calloc((size_t)count, sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < count; i++) x[i] = (float)(2 * rg_random_unit(&seed) - 1);
    return x;
}

static rg_winograd winograd_of(const layer *l)
{
    return (rg_winograd){
        .batch = l->batch, .groups = l->groups, .in_channels = l->in_channels, .in_h = l->h, .in_w = l->w,
        .out_channels = l->out_channels, .out_h = l->h + l->top + l->bottom - 2,
        .out_w = l->w + l->left + l->right - 2, .top = l->top, .left = l->left,
    };
}

static tensors make_tensors(const layer *l, const rg_winograd *w)
{
    int64_t count = w->batch * w->out_channels * w->out_h * w->out_w;
    return (tensors){
        .x = random_floats(l->batch * l->in_channels * l->h * l->w, 1),
        .weights = random_floats(l->out_channels * l->in_channels / l->groups * 9, 2),
        .scale = random_floats(l->out_channels, 3),
        .bias = random_floats(l->out_channels, 4),
        .add = random_floats(count, 5),
        .y = {random_floats(count, 6), random_floats(count, 7)},
        .y_count = count,
    };
}

static void free_tensors(tensors *t)
{
    float *all[] = {t->x, t->weights, t->scale, t->bias, t->add, t->y[0], t->y[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static int64_t blocked(int64_t image, int64_t c, int64_t y, int64_t x, int64_t channels, int64_t h, int64_t w)
{
    return (((image * channels + c) / RG_BLOCK * h + y) * w + x) * RG_BLOCK + c % RG_BLOCK;
}

/* One result before its activation. */
static double exact(const layer *l, const rg_winograd *w, const tensors *t, int64_t n, int64_t o, int64_t y,
                    int64_t x)
{
    double sum = 0;
    int64_t each = l->in_channels / l->groups, first = o / (l->out_channels / l->groups) * each;
    for (int64_t c = 0; c < each; c++)
        for (int64_t k = 0; k < 9; k++) {
            int64_t iy = y + k / 3 - l->top, ix = x + k % 3 - l->left;
            if (iy < 0 || ix < 0 || iy >= l->h || ix >= l->w) continue;
            sum += (double)t->weights[(o * each + c) * 9 + k] *
                   t->x[blocked(n, first + c, iy, ix, l->in_channels, l->h, l->w)];
        }
    sum = sum * t->scale[o] + t->bias[o];
    return l->adds ? sum + t->add[blocked(n, o, y, x, l->out_channels, w->out_h, w->out_w)] : sum;
}

static double activated(rg_act act, double x)
{
    if (act == RG_ACT_RELU) return x > 0 ? x : 0;
    if (act == RG_ACT_CLIP) return fmin(fmax(x, -0.5), 0.75);
    if (act == RG_ACT_SIGMOID) return 1 / (1 + exp(-x));
    return x;
}

/* Relative L2 error. */
static double error_of(const layer *l, const rg_winograd *w, const tensors *t, const float *result)
{
    double apart = 0, whole = 0;
    for (int64_t n = 0; n < l->batch; n++)
        for (int64_t o = 0; o < l->out_channels; o++)
            for (int64_t y = 0; y < w->out_h; y++)
                for (int64_t x = 0; x < w->out_w; x++) {
                    double is = activated(l->act, exact(l, w, t, n, o, y, x));
                    double has = result[blocked(n, o, y, x, l->out_channels, w->out_h, w->out_w)];
                    apart += (has - is) * (has - is);
                    whole += is * is;
                }
    return sqrt(apart / whole);
}

static void share(void *user, rg_part part) { rg_winograd_run(user, part); }

static void run(rg_ctx *cx, rg_winograd *w, int workers)
{
    rg_team *team;
    assert_int_equal(rg_team_new(cx, workers, false, &team), RG_OK);
    rg_winograd_deal(w, workers);
    size_t size = rg_winograd_room_count(w, workers) * sizeof(float);
    char *room = aligned_alloc(64, (size + 63) / 64 * 64);
    assert_non_null(room);
    w->room = &room;
    rg_team_run(team, share, w);
    free(room);
    rg_team_free(team);
}

static void check(rg_ctx *cx, const layer *l, int m)
{
    rg_winograd w = winograd_of(l);
    tensors t = make_tensors(l, &w);
    int64_t in = l->in_channels / l->groups, out = l->out_channels / l->groups;
    size_t count = rg_winograd_packed_count(m, in, out);
    float *packed = calloc(count * (size_t)l->groups, sizeof *packed);
    assert_non_null(packed);
    for (int64_t i = 0; i < l->groups; i++)
        rg_winograd_pack(m, t.weights + i * out * in * 9, t.scale + i * out, in, out,
                         packed + count * (size_t)i);
    w.m = m, w.x = t.x, w.packed = packed;
    w.epilogue = (rg_epilogue){.bias = t.bias, .add = l->adds ? t.add : NULL, .act = l->act, .low = -0.5f,
                               .high = 0.75f};
    for (int workers = 1; workers <= 3; workers++) {
        w.y = t.y[workers > 1];
        run(cx, &w, workers);
        if (workers > 1) assert_memory_equal(t.y[0], t.y[1], (size_t)t.y_count * sizeof(float));
    }
    double error = error_of(l, &w, &t, t.y[0]);
    if (!(error < 3e-6)) fail_msg("F(%d, 3) of %lld channels: error %g", m, (long long)l->in_channels, error);
    free(packed);
    free_tensors(&t);
}

static void layers(void **state)
{
    static const layer all[] = {
        {1, 1, 8, 8, 8, 8, 1, 1, 1, 1, RG_ACT_NONE, false},
        {1, 1, 16, 7, 7, 24, 1, 1, 1, 1, RG_ACT_RELU, true},   /* ragged tiles, half a panel */
        {2, 1, 24, 9, 6, 40, 0, 1, 2, 0, RG_ACT_CLIP, true},   /* edges unlike each other, several images */
        {1, 1, 8, 3, 3, 8, 0, 0, 0, 0, RG_ACT_NONE, false},    /* one result */
        {1, 1, 8, 1, 5, 16, 1, 2, 1, 2, RG_ACT_SIGMOID, false},
        {3, 1, 8, 37, 41, 16, 1, 1, 1, 1, RG_ACT_RELU, false}, /* chunks of each worker's own */
        {1, 1, 8, 2, 2, 8, 3, 3, 3, 3, RG_ACT_NONE, false},    /* tiles that see nothing */
        {2, 3, 24, 9, 11, 72, 1, 1, 1, 1, RG_ACT_RELU, true},
        {1, 2, 16, 5, 5, 16, 1, 1, 1, 1, RG_ACT_NONE, false},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        check(*state, &all[i], 2);
        check(*state, &all[i], 4);
    }
}

/* A convolution with one tap of 1 moves the image, an identity that no rounding of weights disturbs where the
 * transforms are exact: F(2, 3) on small integers. */
static void moves_integers(void **state)
{
    enum { SIDE = 6, COUNT = 8 * SIDE * SIDE };
    float x[COUNT], y[COUNT], weights[8 * 8 * 9] = {0}, bias[8] = {0};
    rg_winograd w = winograd_of(&(layer){1, 1, 8, SIDE, SIDE, 8, 1, 1, 1, 1, RG_ACT_NONE, false});
    float *packed = calloc(rg_winograd_packed_count(2, 8, 8), sizeof *packed);
    assert_non_null(packed);
    for (int i = 0; i < COUNT; i++) x[i] = (float)(i % 97);
    for (int o = 0; o < 8; o++) weights[(o * 8 + o) * 9 + 5] = 1; /* each channel from its right neighbor */
    rg_winograd_pack(2, weights, NULL, 8, 8, packed);
    w.m = 2, w.x = x, w.y = y, w.packed = packed, w.epilogue.bias = bias;
    run(*state, &w, 1);
    for (int i = 0; i < SIDE * SIDE; i++)
        for (int c = 0; c < 8; c++)
            assert_true(y[i * 8 + c] == (i % SIDE < SIDE - 1 ? x[(i + 1) * 8 + c] : 0));
    free(packed);
}

/* Many pixels: the large tile; few, whose weights come from memory: the small one; a single tile, groups of
 * few channels, or weights that are no numbers: none. */
static void chooses(void **state)
{
    static const struct { int64_t channels, side, groups; float weight; int m; } cases[] = {
        {64, 56, 1, 1, 4},    {512, 7, 1, 1, 2},   {256, 1, 1, 1, 0},
        {512, 14, 32, 1, 0},  {64, 56, 1, NAN, 0},
    };
    const rg_device *device;
    assert_int_equal(rg_device_find(*state, "epyc-9654", &device), RG_OK);
    rg_plan plan = {.device = device, .weight_byte = 1e10};
    rg_ctx *cx = *state;
    rg_fast_row r = {.cx = cx, .making = &cx->arena, .plan = &plan, .workers = 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t c = cases[i].channels, side = cases[i].side, groups = cases[i].groups;
        rg_winograd w = winograd_of(&(layer){1, groups, c, side, side, c, 1, 1, 1, 1, RG_ACT_NONE, false});
        float *weights = random_floats(c * c * 9, 2);
        int m = -1;
        weights[0] *= cases[i].weight;
        assert_int_equal(rg_winograd_choose(&r, &w, weights, &m), RG_OK);
        assert_int_equal(m, cases[i].m);
        free(weights);
    }
    rg_device_free(device);
}

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }
static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layers), cmocka_unit_test(moves_integers),
                                       cmocka_unit_test(chooses)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
