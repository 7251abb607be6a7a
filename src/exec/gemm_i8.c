/* gemm_i8.c - the micro-kernels of 8-bit products for each instruction set, what becomes of their sums,
 * packing, and the order of tiles:
 *
 *     for panels that fit half of the second cache
 *       for tiles of rows                                  A: one tile in the first cache
 *         for those panels                                 B: from the second cache
 *
 * k is never cut: sums of bytes need no memory between pieces.
 */
#include "exec/gemm_i8.h"
#include "exec/mathf.h"

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

enum {
    PANELS_BYTE = 192 * 1024,  /* of B at a time: less than half of a second cache of 512 KB */
    AHEAD_BYTE = 1024,         /* B is asked for so many bytes before it is needed */
    ROWS_MAX = 12, NR_MAX = 32,
    GROUP = 4,                 /* k that lie together */
};

typedef void (*const tile_fn)(const uint32_t *a, const int8_t *b, int64_t groups, int32_t *to);

/* Accumulators are registers only when every index is a constant. */
#if defined(__clang__)
#define RG_UNROLL _Pragma("clang loop unroll(full)")
#else
#define RG_UNROLL _Pragma("GCC unroll 16")
#endif

/* ---- what becomes of sums ---- */

/* Adding 1.5 * 2^52 rounds to an integer, which then stands in the lowest bits. Bounds before rounding are
 * bounds behind it: they are integers. */
RG_INLINE int32_t rounded(double x, double low, double high)
{
    x = x < low ? low : x;
    x = x > high ? high : x;
    union { double real; uint64_t bits; } shifted = {.real = x + 0x1.8p52};
    return (int32_t)(uint32_t)shifted.bits;
}

RG_INLINE void to_bytes(const rg_gemm_i8 *g, const int32_t *sums, const double *scale, double single,
                        int64_t count, uint8_t *to)
{
    int32_t whole[NR_MAX], zero = g->zero;
    double low = g->low, high = g->high;
    for (int64_t from = 0; from < count; from += NR_MAX) {
        int64_t some = count - from < NR_MAX ? count - from : NR_MAX;
        if (scale)
            for (int64_t j = 0; j < some; j++)
                whole[j] = rounded(sums[from + j] * scale[from + j], low, high);
        else
            for (int64_t j = 0; j < some; j++) whole[j] = rounded(sums[from + j] * single, low, high);
        for (int64_t j = 0; j < some; j++) to[from + j] = (uint8_t)(whole[j] + zero);
    }
}

/* In unsigned numbers, which wrap. */
RG_INLINE void finish_tile(const rg_gemm_i8 *g, const int32_t *tile, int64_t nr, int64_t row, int64_t rows,
                           int64_t column, int64_t columns)
{
    const int32_t *factors = g->column_factor + column, *terms = g->column_term + column;
    const double *scale = g->column_scale ? g->column_scale + column : NULL;
    for (int64_t i = 0; i < rows; i++, tile += nr) {
        uint32_t factor = (uint32_t)g->row_factor[row + i], term = (uint32_t)g->row_term[row + i];
        int64_t at = (row + i) * g->c_step + column;
        int32_t sums[NR_MAX];
        for (int64_t j = 0; j < nr; j++)
            sums[j] =
                (int32_t)((uint32_t)tile[j] - factor * (uint32_t)factors[j] + term + (uint32_t)terms[j]);
        if (g->sums) memcpy(g->sums + at, sums, (size_t)columns * sizeof *sums);
        else to_bytes(g, sums, scale, g->row_scale ? g->row_scale[row + i] : 0, columns, g->bytes + at);
    }
}

/* ---- micro-kernels ---- */

#define VECS 2
#if defined(__x86_64__)
/* VNNI: four products of u8 and s8 and their sum in one instruction. */
#define NAME(x) avx512_##x
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vnni,avx2,fma")))
#define VEC __m512i
#define LANES 16
#define ROWS 12
#define PARTS 1
#define EACH_ROW(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#define LOAD(at) _mm512_loadu_si512(at)
#define STORE(at, v) _mm512_storeu_si512(at, v)
#define ALL(x) _mm512_set1_epi32((int32_t)(x))
#define PART(b, q) ((void)(q), (b))
#define DOT(sum, a, b) _mm512_dpbusd_epi32(sum, a, b)
#define WIDEN(at) _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(at)))
#define ADD(a, b) _mm512_add_epi32(a, b)
#define TIMES(a, b) _mm512_mullo_epi32(a, b)
#define KEEP(v) ((void)(v))
#include "exec/gemm_i8_tile.h"
#undef NAME
#undef TARGET
#undef VEC
#undef LANES
#undef ROWS
#undef EACH_ROW
#undef LOAD
#undef STORE
#undef ALL
#undef DOT
#undef WIDEN
#undef ADD
#undef TIMES

#define VEC __m256i
#define LANES 8
#define ROWS 6
#define EACH_ROW(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define LOAD(at) _mm256_loadu_si256((const __m256i *)(const void *)(at))
#define STORE(at, v) _mm256_storeu_si256((__m256i *)(void *)(at), v)
#define ALL(x) _mm256_set1_epi32((int32_t)(x))
#define WIDEN(at) _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(at)))
#define ADD(a, b) _mm256_add_epi32(a, b)
#define TIMES(a, b) _mm256_mullo_epi32(a, b)

#define NAME(x) avxvnni_##x
#define TARGET __attribute__((target("avxvnni,avx2,fma")))
#define DOT(sum, a, b) _mm256_dpbusd_avx_epi32(sum, a, b)
#include "exec/gemm_i8_tile.h"
#undef NAME
#undef TARGET
#undef PARTS
#undef PART
#undef DOT
#undef KEEP

/* Bytes 0 and 2 of each lane as 16 bits, then 1 and 3: their products with 16 bits of A never saturate. */
#define NAME(x) avx2_##x
#define TARGET __attribute__((target("avx2,fma")))
#define PARTS 2
#define PART(b, q) _mm256_srai_epi16((q) ? (b) : _mm256_slli_epi16(b, 8), 8)
#define DOT(sum, a, b) _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
#define KEEP(v) __asm__("" : "+x"(v))
#include "exec/gemm_i8_tile.h"
#undef NAME
#undef TARGET
#undef VEC
#undef LANES
#undef ROWS
#undef PARTS
#undef EACH_ROW
#undef LOAD
#undef STORE
#undef ALL
#undef PART
#undef DOT
#undef KEEP
#undef WIDEN
#undef ADD
#undef TIMES
#endif

/* Byte by byte in lanes of 32 bits. */
typedef int32_t i32x4 __attribute__((vector_size(16), aligned(4), may_alias));
#define NAME(x) plain_##x
#define TARGET
#define VEC i32x4
#undef VECS
#define LANES 4
#define ROWS 2
#define VECS 4
#define PARTS 4
#define EACH_ROW(X) X(1) X(2)
#define LOAD(at) (*(const i32x4 *)(const void *)(at))
#define STORE(at, v) (*(i32x4 *)(void *)(at) = (v))
#define ALL(x) ((i32x4){0} + (int32_t)(x))
#define PART(b, q) (((b) << (24 - 8 * (q))) >> 24)
#define DOT(sum, a, b) ((sum) + (a) * (b))
#define WIDEN(at) ((i32x4){(at)[0], (at)[1], (at)[2], (at)[3]})
#define ADD(a, b) ((a) + (b))
#define TIMES(a, b) ((a) * (b))
#define KEEP(v) ((void)(v))
#include "exec/gemm_i8_tile.h"

static const rg_i8_isa plain = {"plain", 16, 2, 4, plain_tiles, plain_finish, plain_requantize, plain_taps};
#if defined(__x86_64__)
static const rg_i8_isa avx512 = {"avx512-vnni", 32, 12, 1, avx512_tiles, avx512_finish, avx512_requantize,
                                 avx512_taps},
                       avxvnni = {"avx-vnni", 16, 6, 1, avxvnni_tiles, avxvnni_finish, avxvnni_requantize,
                                  avxvnni_taps},
                       avx2 = {"avx2", 16, 6, 2, avx2_tiles, avx2_finish, avx2_requantize, avx2_taps};

/* Leaf 7, part 1: bit 4 of EAX. */
static bool has_avxvnni(void)
{
    unsigned a = 0, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
#endif

const rg_i8_isa *rg_i8_isa_best(void)
{
#if defined(__x86_64__)
    bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (fma && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni")) return &avx512;
    if (fma) return has_avxvnni() ? &avxvnni : &avx2;
#endif
    return &plain;
}

const rg_i8_isa *rg_i8_isa_plain(void) { return &plain; }

/* ---- packing ---- */

static int64_t groups_of(int64_t k) { return (k + GROUP - 1) / GROUP; }
static int64_t rounded_up(int64_t count, int64_t grain) { return (count + grain - 1) / grain * grain; }

size_t rg_gemm_i8_rows_byte(const rg_i8_isa *isa, int64_t m, int64_t k)
{
    return (size_t)(rounded_up(m, isa->mr) * groups_of(k) * isa->parts) * sizeof(uint32_t);
}

size_t rg_gemm_i8_columns_byte(const rg_i8_isa *isa, int64_t k, int64_t n)
{
    return (size_t)(rounded_up(n, isa->nr) * groups_of(k) * GROUP);
}

/* One row, its groups' parts `mr` apart; what is missing of the last group is zero. */
static int32_t pack_row(const rg_i8_isa *isa, const uint8_t *a, int64_t k, uint8_t flip, uint32_t *to)
{
    const uint32_t flips = flip * 0x01010101u, mask = isa->parts == 1   ? ~0u
                                                      : isa->parts == 2 ? 0x00ff00ffu
                                                                        : 0xff;
    uint32_t sum = 0;
    for (int64_t p = 0; p < k; p++) sum += a[p] ^ flip;
    for (int64_t p = 0; p < k; p += GROUP) {
        uint32_t x = 0;
        if (p + GROUP <= k) {
            memcpy(&x, a + p, GROUP);
            x ^= flips;
        } else {
            for (int64_t q = p; q < k; q++) x |= (uint32_t)(uint8_t)(a[q] ^ flip) << 8 * (q - p);
        }
        for (int part = 0; part < isa->parts; part++, to += isa->mr) *to = x >> 8 * part & mask;
    }
    return (int32_t)sum;
}

void rg_gemm_i8_pack_rows(const rg_i8_isa *isa, const uint8_t *a, int64_t step, int64_t m, int64_t k,
                          uint8_t flip, void *packed, int32_t *sums, rg_part part)
{
    int64_t from, to, tile = groups_of(k) * isa->parts * isa->mr;
    rg_part_of(part, m, isa->mr, &from, &to);
    for (int64_t i = from; i < to; i++)
        sums[i] = pack_row(isa, a + i * step, k, flip, (uint32_t *)packed + i / isa->mr * tile + i % isa->mr);
}

typedef uint8_t u8x16 __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint16_t u16x8 __attribute__((vector_size(16), aligned(1), may_alias));

#define ZIP8(a, b, f)                                                                                        \
    __builtin_shufflevector(a, b, (f), (f) + 16, (f) + 1, (f) + 17, (f) + 2, (f) + 18, (f) + 3, (f) + 19,    \
                            (f) + 4, (f) + 20, (f) + 5, (f) + 21, (f) + 6, (f) + 22, (f) + 7, (f) + 23)
#define ZIP16(a, b, f)                                                                                       \
    __builtin_shufflevector((u16x8)(a), (u16x8)(b), (f), (f) + 8, (f) + 1, (f) + 9, (f) + 2, (f) + 10,       \
                            (f) + 3, (f) + 11)

void rg_gemm_i8_interleave(const rg_i8_isa *isa, const uint8_t *const row[4], int8_t *to)
{
    for (int j = 0; j < isa->nr; j += 16, to += 64) {
        u8x16 x[GROUP];
        for (int p = 0; p < GROUP; p++) x[p] = *(const u8x16 *)(const void *)(row[p] + j);
        u16x8 *at = (u16x8 *)(void *)to;
        u8x16 low01 = ZIP8(x[0], x[1], 0), high01 = ZIP8(x[0], x[1], 8);
        u8x16 low23 = ZIP8(x[2], x[3], 0), high23 = ZIP8(x[2], x[3], 8);
        at[0] = ZIP16(low01, low23, 0), at[1] = ZIP16(low01, low23, 4);
        at[2] = ZIP16(high01, high23, 0), at[3] = ZIP16(high01, high23, 4);
    }
}

static void pack_panel(const rg_i8_isa *isa, const uint8_t *b, int64_t k, int64_t n, int64_t count,
                       uint8_t flip, int8_t *to)
{
    uint8_t lines[GROUP][NR_MAX] = {{0}};
    const uint8_t *const row[GROUP] = {lines[0], lines[1], lines[2], lines[3]};
    for (int64_t p = 0; p < k; p += GROUP, to += GROUP * isa->nr) {
        for (int64_t q = 0; q < GROUP; q++)
            for (int64_t j = 0; j < count; j++) lines[q][j] = p + q < k ? b[(p + q) * n + j] ^ flip : 0;
        rg_gemm_i8_interleave(isa, row, to);
    }
}

void rg_gemm_i8_pack_columns(const rg_i8_isa *isa, const uint8_t *b, int64_t k, int64_t n, uint8_t flip,
                             int8_t *packed, rg_part part)
{
    int64_t from, to;
    rg_part_of(part, n, isa->nr, &from, &to);
    for (int64_t column = from; column < to; column += isa->nr)
        pack_panel(isa, b + column, k, n, n - column < isa->nr ? n - column : isa->nr, flip,
                   packed + column * groups_of(k) * GROUP);
}

rg_err rg_gemm_i8_ones(rg_ctx *cx, rg_arena *arena, const rg_i8_isa *isa, int64_t k, const void **out)
{
    uint8_t *ones = RG_NEW(&cx->arena, uint8_t, k);
    void *packed = rg_arena_alloc(arena, rg_gemm_i8_rows_byte(isa, 1, k));
    int32_t sum;
    *out = packed;
    if (!ones || !packed) return rg_nomem(cx);
    memset(ones, 1, (size_t)k);
    rg_gemm_i8_pack_rows(isa, ones, k, 1, k, 0, packed, &sum, RG_ALONE);
    return RG_OK;
}

void rg_gemm_i8_column_sums(const rg_i8_isa *isa, const void *ones, const int8_t *packed, int64_t k,
                            int64_t n, const int32_t *zero, int32_t *sums, rg_part part)
{
    int64_t from, to;
    rg_part_of(part, n, isa->nr, &from, &to);
    for (int64_t column = from; column < to; column += isa->nr) {
        isa->tiles[0](ones, packed + column * groups_of(k) * GROUP, groups_of(k), sums + column);
        for (int64_t j = column; j < column + isa->nr; j++)
            sums[j] = (int32_t)((uint32_t)sums[j] - (uint32_t)k * (uint32_t)zero[j]);
    }
}

/* ---- the order of tiles ---- */

typedef struct range { int64_t from, to; } range;

static void run_tiles(const rg_gemm_i8 *g, range rows, range columns)
{
    const rg_i8_isa *isa = g->isa;
    int64_t groups = groups_of(g->k), nr = isa->nr, mr = isa->mr;
    int64_t panel = groups * GROUP, block = PANELS_BYTE / (panel * nr + 1) * nr;
    if (block < nr) block = nr;
    int32_t tile[ROWS_MAX * NR_MAX];
    for (int64_t first = columns.from; first < columns.to; first += block) {
        int64_t end = first + block < columns.to ? first + block : columns.to;
        for (int64_t row = rows.from; row < rows.to; row += mr) {
            const uint32_t *a = (const uint32_t *)g->rows + row / mr * groups * isa->parts * mr;
            int64_t some = rows.to - row < mr ? rows.to - row : mr;
            for (int64_t column = first; column < end; column += nr) {
                int64_t wide = g->n - column < nr ? g->n - column : nr;
                isa->tiles[some - 1](a, g->columns + column * panel, groups, tile);
                isa->finish(g, tile, row, some, column, wide);
            }
        }
    }
}

/* Workers split the side of which there is more. */
void rg_gemm_i8_run(const rg_gemm_i8 *g, rg_part part)
{
    range rows = {0, g->m}, columns = {0, g->n};
    int64_t tiles = (g->m + g->isa->mr - 1) / g->isa->mr, panels = (g->n + g->isa->nr - 1) / g->isa->nr;
    if (tiles >= panels) rg_part_of(part, g->m, g->isa->mr, &rows.from, &rows.to);
    else rg_part_of(part, g->n, g->isa->nr, &columns.from, &columns.to);
    run_tiles(g, rows, columns);
}
