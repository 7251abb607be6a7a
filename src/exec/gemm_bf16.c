/* gemm_bf16.c - between 16-bit floats and f32, and products of the former by way of the latter.
 *
 * A bf16 is the upper half of an f32. An f16 has 5 bits of exponent: shifted into place and multiplied by
 * 2^112 its bias is right, subnormal numbers included; infinity and NaN are put right behind it. The way back
 * adds a number whose last bit is where f16 ends, so that the sum is rounded there: for a subnormal result
 * 2^-1, which fixes the place; else the integer addition of half a last place, ties by the bit above.
 */
#include "exec/gemm_bf16.h"
#include "exec/f32x8.h"

enum { BLOCK_FLOATS = 32 * 1024 };   /* 128 KB of widened panels: a quarter of a second cache of 512 KB */
enum { AHEAD = 512, WIDE = 2 * RG_BLOCK }; /* elements of B that are asked for early; columns of a row */

typedef struct narrow { const void *from; void *to; } narrow;

RG_INLINE uint32_t pick_bits(bool yes, uint32_t x, uint32_t y)
{
    uint32_t mask = 0u - (uint32_t)yes;
    return (x & mask) | (y & ~mask);
}

RG_INLINE void widen_bf16(const narrow *s, int64_t from, int64_t to)
{
    const uint16_t *x = s->from;
    uint32_t *y = s->to;
    RG_INDEPENDENT
    for (int64_t i = from; i < to; i++) y[i] = (uint32_t)x[i] << 16;
}

RG_INLINE void widen_f16(const narrow *s, int64_t from, int64_t to)
{
    const uint16_t *x = s->from;
    uint32_t *y = s->to;
    RG_INDEPENDENT
    for (int64_t i = from; i < to; i++) {
        uint32_t size = (uint32_t)(x[i] & 0x7fff) << 13, sign = (uint32_t)(x[i] & 0x8000) << 16;
        uint32_t bits = ((rg_f32_bits){.f = ((rg_f32_bits){.u = size}).f * 0x1p112f}).u;
        y[i] = sign | pick_bits(size >= 0x0f800000u, size | 0x7f800000u, bits);
    }
}

/* NaN keeps its upper bits and becomes a quiet one. */
RG_INLINE void narrow_bf16(const narrow *s, int64_t from, int64_t to)
{
    const uint32_t *x = s->from;
    uint16_t *y = s->to;
    RG_INDEPENDENT
    for (int64_t i = from; i < to; i++) {
        uint32_t near = x[i] + 0x7fffu + (x[i] >> 16 & 1);
        y[i] = (uint16_t)(pick_bits((x[i] & 0x7fffffffu) > 0x7f800000u, x[i] | 0x400000u, near) >> 16);
    }
}

RG_INLINE void narrow_f16(const narrow *s, int64_t from, int64_t to)
{
    const uint32_t *x = s->from;
    uint16_t *y = s->to;
    RG_INDEPENDENT
    for (int64_t i = from; i < to; i++) {
        uint32_t size = x[i] & 0x7fffffffu;
        uint32_t small = ((rg_f32_bits){.f = ((rg_f32_bits){.u = size}).f + 0.5f}).u - 0x3f000000u;
        uint32_t normal = (size - (112u << 23) + 0xfffu + (size >> 13 & 1)) >> 13;
        uint32_t bits = pick_bits(size < 0x38800000u, small, normal);  /* 2^-14 */
        bits = pick_bits(size >= 0x477ff000u, 0x7c00u, bits);          /* 65520 and more */
        bits = pick_bits(size > 0x7f800000u, 0x7e00u, bits);
        y[i] = (uint16_t)(bits | (x[i] >> 16 & 0x8000u));
    }
}

RG_FOR_MACHINE(widen_bf16, narrow)
RG_FOR_MACHINE(widen_f16, narrow)
RG_FOR_MACHINE(narrow_bf16, narrow)
RG_FOR_MACHINE(narrow_f16, narrow)

void rg_widen(bool half, const uint16_t *from, float *to, int64_t count)
{
    narrow s = {from, to};
    if (half) widen_f16_best(&s, 0, count);
    else widen_bf16_best(&s, 0, count);
}

void rg_narrow(bool half, const float *from, uint16_t *to, int64_t count)
{
    narrow s = {from, to};
    if (half) narrow_f16_best(&s, 0, count);
    else narrow_bf16_best(&s, 0, count);
}

/* ---- products ---- */

/* Columns widened at a time: whole panels. */
static int64_t block_of(const rg_gemm_bf16 *g)
{
    int64_t nr = rg_gemm_nr(), panels = BLOCK_FLOATS / (g->k * nr);
    return (panels > 1 ? panels : 1) * nr;
}

size_t rg_gemm_bf16_room(const rg_gemm_bf16 *g) { return (size_t)(block_of(g) * (g->k + g->m)); }

/* ---- one row: B is widened in registers, each element is used once ---- */

typedef uint16_t u16x8 __attribute__((vector_size(16), aligned(2), may_alias));
typedef uint32_t u32x8 __attribute__((vector_size(32), aligned(4), may_alias));

typedef struct row { const rg_gemm_bf16 *g; int64_t nr; } row;

RG_INLINE rg_f32x8 widened(bool half, const uint16_t *from)
{
    u32x8 x = __builtin_convertvector(*(const u16x8 *)(const void *)from, u32x8);
    if (!half) return (rg_f32x8)(x << 16);
    u32x8 size = (x & 0x7fffu) << 13, infinite = (u32x8)(size >= 0x0f800000u) & 0x7f800000u;
    return (rg_f32x8)((u32x8)((rg_f32x8)size * 0x1p112f) | infinite | (x & 0x8000u) << 16);
}

/* Columns `at` and the 15 behind it, which are in one panel. */
RG_INLINE void put_columns(bool half, const rg_gemm_bf16 *g, int64_t at, rg_f32x8 x, rg_f32x8 y)
{
    float sums[WIDE];
    rg_store8(sums, x), rg_store8(sums + RG_BLOCK, y);
    rg_narrow(half, sums, g->c + at, g->n - at < WIDE ? g->n - at : WIDE);
}

/* Columns from..to-1. Twice 16 at a time, so that sums need not wait for each other; of the last 16 twice the
 * same. */
RG_INLINE void row_columns(bool half, const row *s, int64_t from, int64_t to)
{
    const rg_gemm_bf16 *g = s->g;
    for (int64_t at = from; at < to; at += 2 * WIDE) {
        int64_t second = at + WIDE < to ? at + WIDE : at;
        const uint16_t *b = g->packed + at / s->nr * s->nr * g->k + at % s->nr;
        const uint16_t *c = g->packed + second / s->nr * s->nr * g->k + second % s->nr;
        rg_f32x8 sum[4] = {rg_load8(g->bias + at), rg_load8(g->bias + at + RG_BLOCK),
                           rg_load8(g->bias + second), rg_load8(g->bias + second + RG_BLOCK)};
        for (int64_t p = 0; p < g->k; p++, b += s->nr, c += s->nr) {
            __builtin_prefetch(b + AHEAD, 0, 2);
            __builtin_prefetch(c + AHEAD, 0, 2);
            sum[0] += g->a[p] * widened(half, b);
            sum[1] += g->a[p] * widened(half, b + RG_BLOCK);
            sum[2] += g->a[p] * widened(half, c);
            sum[3] += g->a[p] * widened(half, c + RG_BLOCK);
        }
        put_columns(half, g, at, sum[0], sum[1]);
        put_columns(half, g, second, sum[2], sum[3]);
    }
}
RG_INLINE void row_bf16(const row *s, int64_t from, int64_t to) { row_columns(false, s, from, to); }
RG_INLINE void row_f16(const row *s, int64_t from, int64_t to) { row_columns(true, s, from, to); }
RG_FOR_MACHINE(row_bf16, row)
RG_FOR_MACHINE(row_f16, row)

void rg_gemm_bf16_run(const rg_gemm_bf16 *g, float *room, rg_part part)
{
    int64_t block = block_of(g), from, to;
    float *sums = room + block * g->k;
    rg_part_of(part, g->n, rg_gemm_nr(), &from, &to);
    if (g->m == 1 && rg_gemm_nr() % WIDE == 0) {
        row one = {g, rg_gemm_nr()};
        if (g->half) row_f16_best(&one, from, to);
        else row_bf16_best(&one, from, to);
        return;
    }
    for (int64_t column = from; column < to; column += block) {
        int64_t columns = to - column < block ? to - column : block;
        int64_t count = (int64_t)rg_gemm_packed_count(g->k, columns);
        rg_gemm some = {.m = g->m,
                        .n = columns,
                        .k = g->k,
                        .a = g->a,
                        .a_step = g->k,
                        .packed = room,
                        .c = sums,
                        .c_step = block,
                        .c_block = RG_BLOCK,
                        .epilogue = {.bias = g->bias + column}};
        rg_widen(g->half, g->packed + column * g->k, room, count);
        rg_gemm_run(&some, RG_ALONE);
        for (int64_t i = 0; i < g->m; i++)
            rg_narrow(g->half, sums + i * block, g->c + i * g->n + column, columns);
    }
}
