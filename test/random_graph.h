/* random_graph.h - a valid graph from a number: layers drawn from the table below, each on a value that is
 * there already, every shape found by inference. Layer i draws from numbers of its own, so that leaving
 * others out changes it as little as can be: that is how a failure is made small.
 */
#ifndef RANDOM_GRAPH_H
#define RANDOM_GRAPH_H

#include "op/kernel.h"
#include "random_quantized.h"

enum { RANDOM_LAYER_MAX = 12, RANDOM_OUT_MAX = 2 * RANDOM_POOL_MAX, RANDOM_TRIES = 24 };

typedef struct random_row { const char *name; int weight; random_layer make; } random_row;

static const random_row random_rows[] = {
    {"conv", 14, random_conv},
    {"residual", 4, random_residual},
    {"squeeze", 3, random_squeeze},
    {"bottleneck", 4, random_bottleneck},
    {"conv_transpose", 4, random_conv_transpose},
    {"pool", 7, random_pool},
    {"global_pool", 2, random_global_pool},
    {"batch_norm", 3, random_batch_norm},
    {"activation", 8, random_activation},
    {"formula", 3, random_formula},
    {"clip", 2, random_clip},
    {"prelu", 2, random_prelu},
    {"binary", 14, random_binary},
    {"variadic", 3, random_variadic},
    {"where", 3, random_where},
    {"layer_norm", 4, random_layer_norm},
    {"norm_formula", 2, random_norm_formula},
    {"channel_norm", 2, random_channel_norm},
    {"softmax", 4, random_softmax},
    {"reduce", 5, random_reduce},
    {"transpose", 4, random_transpose},
    {"new_shape", 4, random_new_shape},
    {"squeeze_axes", 2, random_squeeze_axes},
    {"concat", 5, random_concat},
    {"split", 4, random_split},
    {"slice", 4, random_slice},
    {"pad", 3, random_pad},
    {"resize", 4, random_resize},
    {"gather", 3, random_gather},
    {"repeat", 2, random_repeat},
    {"pixel_shuffle", 2, random_pixel_shuffle},
    {"channel_shuffle", 2, random_channel_shuffle},
    {"cast", 2, random_cast},
    {"arg_max", 2, random_arg_max},
    {"matmul", 9, random_matmul},
    {"gram", 2, random_gram},
    {"gemm", 7, random_gemm},
    {"attention", 4, random_attention},
    {"attention_node", 2, random_attention_node},
    {"feed_forward", 3, random_feed_forward},
    {"recurrent", 4, random_recurrent},
    {"fake_quantize", 4, random_fake_quantize},
    {"matmul_integer", 3, random_matmul_integer},
    {"conv_integer", 3, random_conv_integer},
    {"qlinear_matmul", 3, random_qlinear_matmul},
    {"qlinear_conv", 4, random_qlinear_conv},
    {"packed_weight", 3, random_packed_weight},
    {"dynamic_quantize", 1, random_dynamic_quantize},
};

/* What to build, and what came out. */
typedef struct random_graph {
    uint64_t seed;
    uint32_t skip;                   /* bit i: without layer i */
    int layers;                      /* that there could be */
    rg_graph *g;                     /* resolved, finished, inferred */
    double step[RANDOM_OUT_MAX];     /* by output: see random_maker.h */
} random_graph;

/* Images, signals, sequences, vectors; seldom a volume or a scalar. */
static inline rg_value_id random_first_input(random_maker *m)
{
    static const int ranks[] = {4, 4, 4, 4, 4, 3, 3, 3, 2, 2, 1, 5, 0};
    int rank = RANDOM_PICK(m, ranks);
    int64_t dim[RG_RANK_MAX] = {random_between(m, 1, 3), random_channels(m)};
    for (int i = 2; i < rank; i++) dim[i] = random_between(m, 1, rank == 5 ? 5 : 15);
    while (!random_fits(dim, rank)) dim[1] = (dim[1] + 1) / 2;
    return random_input(m, RG_F32, rank, dim);
}

static inline const random_row *random_draw_row(random_maker *m)
{
    int64_t all = 0;
    for (size_t i = 0; i < RG_COUNT(random_rows); i++) all += random_rows[i].weight;
    int64_t at = random_below(m, all);
    for (size_t i = 0;; i++)
        if ((at -= random_rows[i].weight) < 0) return &random_rows[i];
}

/* Mostly on the newest value: chains with branches. */
static inline void random_add_layer(random_maker *m)
{
    uint32_t before = m->b.g->node_count;
    for (int tries = 0; !m->b.err && m->b.g->node_count == before && tries < RANDOM_TRIES; tries++) {
        bool newest = random_chance(m, 70);
        rg_value_id x = m->pool[newest ? m->pool_count - 1 : (uint32_t)random_below(m, m->pool_count)];
        const random_row *row = random_draw_row(m);
        random_offer(m, row->make(m, x));
        if (m->b.err) m->b.err = rg_note(m->cx, m->b.err, "layer %s", row->name);
    }
}

/* Values that nobody reads, and a few that somebody does. */
static inline void random_add_outputs(random_maker *m, random_graph *r)
{
    rg_graph *g = m->b.g;
    rg_uses uses;
    uint32_t count = 0;
    if (!m->b.err) m->b.err = rg_graph_uses(m->cx, g, &m->cx->arena, &uses);
    if (m->b.err) return;
    for (rg_value_id id = 1, last = g->value_count; id < last && count < RANDOM_OUT_MAX - 1; id++) {
        bool read = uses.first[id + 1] > uses.first[id];
        if (g->values[id].role != RG_ROLE_NODE || (read && !random_chance(m, 5))) continue;
        r->step[count] = m->facts[id].step;
        rg_build_output(&m->b, random_text(m, "y%u", count++), id);
    }
    if (!count) rg_build_output(&m->b, "y0", m->pool[0]);
}

static inline rg_err random_graph_make(rg_ctx *cx, random_graph *r)
{
    random_maker *m = RG_NEW(&cx->arena, random_maker, 1);
    if (!m) return rg_nomem(cx);
    m->cx = cx;
    m->state = rg_hash_u64(RG_HASH_SEED, r->seed);
    RG_TRY(rg_build_init(&m->b, cx, "random"));
    r->layers = (int)random_between(m, 1, RANDOM_LAYER_MAX);
    random_offer(m, random_first_input(m));
    for (int i = 0; i < r->layers && !m->b.err; i++) {
        m->state = rg_hash_u64(rg_hash_u64(RG_HASH_SEED, r->seed), (uint64_t)i + 1);
        if (!(r->skip >> i & 1)) random_add_layer(m);
    }
    random_add_outputs(m, r);
    RG_TRY(rg_build_done(&m->b, &r->g));
    rg_err err = rg_graph_resolve(cx, r->g);
    if (!err) err = rg_graph_infer(cx, r->g);
    if (err) {
        rg_graph_free(r->g);
        r->g = NULL;
    }
    return err;
}

/* An element of an input: floats on a grid, so that rounding is the same for all; integers that are valid as
 * indices of any axis where they are wide enough to be some. */
static inline void random_fill(const rg_array *a, uint64_t seed)
{
    const int64_t most = RANDOM_INPUT_BOUND * RANDOM_GRID;
    for (int64_t i = 0; i < a->count; i++) {
        uint64_t x = rg_random_next(&seed) >> 1;
        switch (a->dtype) {
        case RG_F32:
            rg_put(a, i, (double)((int64_t)x % (2 * most + 1) - most) / RANDOM_GRID);
            break;
        case RG_BOOL: rg_put_int(a, i, x % 4 != 0); break;
        case RG_U8: rg_put_int(a, i, (int64_t)(x % 256)); break;
        case RG_I8: rg_put_int(a, i, (int64_t)(x % 256) - 128); break;
        default: rg_put_int(a, i, -(int64_t)(x % 2)); break;
        }
    }
}

#endif
