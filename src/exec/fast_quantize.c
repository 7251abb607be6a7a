/* fast_quantize.c - between f32 and bytes: QuantizeLinear, DequantizeLinear (of 32-bit sums, too),
 * DynamicQuantizeLinear. Scales are one for all or one for each slice of an axis, constant or not.
 *
 *     tensor   | slice 0 | slice 1 | ... | slice 0 | slice 1 | ...     a slice: `inner` elements, one scale
 *
 * Rounding is as in the plain kernels: the quotient to f32, then to an integer, to nearest even.
 */
#include "exec/quantized.h"
#include "exec/f32x8.h"

enum { GRAIN = 64 };         /* elements: no two workers write one line of the cache */

typedef struct quantize {
    const rg_array *x, *scale, *zero, *y;    /* scale, zero: NULL are 1 and 0 */
    int64_t slices, inner;
} quantize;

/* Elements of one scale. */
typedef struct strip {
    const void *x; void *y;
    float scale, zero, low, high;            /* low, high: of what is stored, less zero */
} strip;

/* Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits. NaN becomes 0. */
RG_INLINE uint8_t to_byte(float q, const strip *s)
{
    q = rg_betweenf(rg_pickf(q == q, q, -s->zero), s->low, s->high);
    return (uint8_t)(((rg_f32_bits){.f = q + 12582912.0f}).u + (uint32_t)(int32_t)s->zero);
}

RG_INLINE void to_bytes(const strip *s, int64_t from, int64_t to)
{
    const float *x = s->x, scale = s->scale;
    uint8_t *y = s->y;
    RG_INDEPENDENT
    for (int64_t i = from; i < to; i++) y[i] = to_byte(x[i] / scale, s);
}

#define FROM(type)                                                          \
    const type *x = s->x;                                                   \
    float *y = s->y, zero = s->zero, scale = s->scale;                      \
    RG_INDEPENDENT                                                          \
    for (int64_t i = from; i < to; i++) y[i] = ((float)x[i] - zero) * scale

RG_INLINE void from_u8(const strip *s, int64_t from, int64_t to) { FROM(uint8_t); }
RG_INLINE void from_i8(const strip *s, int64_t from, int64_t to) { FROM(int8_t); }

/* A float has 24 bits of the 32. */
RG_INLINE void from_i32(const strip *s, int64_t from, int64_t to)
{
    const int32_t *x = s->x;
    float *y = s->y;
    double zero = s->zero, scale = s->scale;
    RG_INDEPENDENT
    for (int64_t i = from; i < to; i++) y[i] = (float)((x[i] - zero) * scale);
}

RG_FOR_MACHINE(to_bytes, strip)
RG_FOR_MACHINE(from_u8, strip)
RG_FOR_MACHINE(from_i8, strip)
RG_FOR_MACHINE(from_i32, strip)

/* The strip that an element lies in. */
static strip strip_of(const quantize *q, int64_t at)
{
    int64_t slice = at / q->inner % q->slices;
    const rg_array *narrow = q->y->dtype == RG_F32 ? q->x : q->y;
    strip s = {.x = q->x->data, .y = q->y->data, .scale = q->scale ? (float)rg_get(q->scale, slice) : 1};
    s.zero = q->zero ? (float)rg_get(q->zero, slice) : 0;
    s.low = (narrow->dtype == RG_I8 ? INT8_MIN : 0) - s.zero;
    s.high = (narrow->dtype == RG_I8 ? INT8_MAX : UINT8_MAX) - s.zero;
    return s;
}

static void run_strip(const quantize *q, const strip *s, int64_t from, int64_t to)
{
    switch (q->x->dtype) {
    case RG_U8: from_u8_best(s, from, to); break;
    case RG_I8: from_i8_best(s, from, to); break;
    case RG_I32: from_i32_best(s, from, to); break;
    default: to_bytes_best(s, from, to); break;
    }
}

static void run(void *state, rg_part part)
{
    const quantize *q = state;
    int64_t from, to;
    rg_part_of(part, q->x->count, GRAIN, &from, &to);
    while (from < to) {
        int64_t end = (from / q->inner + 1) * q->inner;
        if (end > to) end = to;
        strip s = strip_of(q, from);
        run_strip(q, &s, from, end);
        from = end;
    }
}

/* f32 to bytes, the division in f32; bytes or sums to f32, where Cast has a scale of 1. */
static bool fits(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    if (!n->in_count || !n->out_count || !n->in[0] || !n->out[0]) return false;
    if (rg_node_is(n, "QuantizeLinear")) {
        int64_t precision = rg_op_int(&r->site, "precision"); /* 1: f32, as ONNX numbers types */
        return rg_fast_is_f32(r, n->in[0]) && rg_fast_is_f32(r, n->in[1]) && precision <= 1 &&
               rg_q_is_byte(r, n->out[0]);
    }
    bool from = rg_q_is_byte(r, n->in[0]) || r->g->values[n->in[0]].type.dtype == RG_I32;
    if (!from || !rg_fast_is_f32(r, n->out[0])) return false;
    return rg_node_is(n, "Cast") || (rg_node_is(n, "DequantizeLinear") && rg_fast_is_f32(r, n->in[1]));
}

/* False: they are in blocks. */
static bool read_scales(const rg_fast_row *r, quantize *q)
{
    const rg_node *n = r->site.node;
    int64_t axis = rg_op_int(&r->site, "axis");
    q->scale = rg_fast_array(r, n->in[1]);
    q->zero = n->in_count > 2 && n->in[2] ? rg_fast_array(r, n->in[2]) : NULL;
    if (q->scale->rank > 1 || rg_op_int(&r->site, "block_size")) return false;
    if (q->zero && q->zero->count != q->scale->count) return false;
    if (q->scale->count == 1) return true;
    if (axis < 0) axis += q->x->rank;
    if (axis < 0 || axis >= q->x->rank || q->x->dim[axis] != q->scale->count) return false;
    q->slices = q->scale->count;
    q->inner = rg_array_size(q->x, (int)axis + 1, q->x->rank);
    return true;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    *state = NULL;
    if (!fits(r)) return RG_OK;
    const rg_array *x = rg_fast_array(r, n->in[0]);
    quantize q = {.x = x, .y = rg_fast_array(r, n->out[0]), .slices = 1, .inner = x->count};
    if (x->count == 0 || (!rg_node_is(n, "Cast") && !read_scales(r, &q))) return RG_OK;
    quantize *made = RG_NEW(r->arena, quantize, 1);
    if (!made) return rg_nomem(r->cx);
    *made = q;
    *state = made;
    return RG_OK;
}

RG_FAST(quantize) = {
    .name = "quantize", .brief = "f32 to bytes, bytes and sums to f32", .make = make, .run = run,
};

/* ---- DynamicQuantizeLinear: each worker's range first ---- */

typedef struct limits { float low, high; char rest[GRAIN - 2 * sizeof(float)]; } limits;
typedef struct dynamic {
    const float *x;
    int64_t count;
    uint8_t *y;
    float *scale;
    uint8_t *zero;
    char *const *room;
} dynamic;
typedef struct search { const float *x; float low, high; } search;

/* 0 is taken in, NaN passed over. */
RG_INLINE void find(search *s, int64_t from, int64_t to)
{
    rg_f32x8 low = {0}, high = {0};
    int64_t i = from;
    for (; i + 8 <= to; i += 8) {
        rg_f32x8 v = *(const rg_f32x8 *)(const void *)(s->x + i);
        rg_i32x8 less = v < low, more = v > high;
        low = (rg_f32x8)(((rg_i32x8)v & less) | ((rg_i32x8)low & ~less));
        high = (rg_f32x8)(((rg_i32x8)v & more) | ((rg_i32x8)high & ~more));
    }
    for (int k = 0; k < 8; k++) {
        s->low = low[k] < s->low ? low[k] : s->low;
        s->high = high[k] > s->high ? high[k] : s->high;
    }
    for (; i < to; i++) {
        s->low = s->x[i] < s->low ? s->x[i] : s->low;
        s->high = s->x[i] > s->high ? s->x[i] : s->high;
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void find_avx2(search *s, int64_t from, int64_t to)
{
    find(s, from, to);
}
#endif

static void find_best(search *s, int64_t from, int64_t to)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        find_avx2(s, from, to);
        return;
    }
#endif
    find(s, from, to);
}

/* Every step is rounded to float, as the operators are that the standard composes it of: (high - low) / 255,
 * and the zero point, round(-low / scale). */
static strip strip_between(const dynamic *d, float low, float high)
{
    strip s = {.x = d->x, .y = d->y, .scale = (high - low) / UINT8_MAX};
    strip whole = {.high = UINT8_MAX};
    if (s.scale > 0) s.zero = to_byte(-low / s.scale, &whole);
    else s.scale = __builtin_inff(); /* of zeros alone: they stay so */
    s.low = -s.zero;
    s.high = UINT8_MAX - s.zero;
    return s;
}

static void run_dynamic(void *state, rg_part part)
{
    const dynamic *d = state;
    limits *all = (limits *)(void *)*d->room;
    search s = {.x = d->x};
    int64_t from, to;
    rg_part_of(part, d->count, GRAIN, &from, &to);
    find_best(&s, from, to);
    all[part.worker].low = s.low, all[part.worker].high = s.high;
    rg_team_barrier(part);
    for (int w = 0; w < part.workers; w++) {
        s.low = all[w].low < s.low ? all[w].low : s.low;
        s.high = all[w].high > s.high ? all[w].high : s.high;
    }
    strip one = strip_between(d, s.low, s.high);
    if (part.worker == 0 && d->scale) *d->scale = (s.high - s.low) / UINT8_MAX;
    if (part.worker == 0 && d->zero) *d->zero = (uint8_t)one.zero;
    if (d->y) to_bytes_best(&one, from, to);
}

static rg_err make_dynamic(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    *state = NULL;
    if (!rg_node_is(n, "DynamicQuantizeLinear") || !rg_fast_is_f32(r, n->in[0])) return RG_OK;
    dynamic *d = RG_NEW(r->arena, dynamic, 1);
    if (!d) return rg_nomem(r->cx);
    d->x = rg_fast_array(r, n->in[0])->data;
    d->count = rg_fast_array(r, n->in[0])->count;
    if (n->out_count > 0 && n->out[0]) d->y = rg_fast_array(r, n->out[0])->data;
    if (n->out_count > 1 && n->out[1]) d->scale = rg_fast_array(r, n->out[1])->data;
    if (n->out_count > 2 && n->out[2]) d->zero = rg_fast_array(r, n->out[2])->data;
    d->room = rg_fast_room(r, (size_t)r->workers * sizeof(limits));
    *state = d;
    return RG_OK;
}

RG_FAST(quantize_dynamic) = {
    .name = "quantize_dynamic", .brief = "f32 to bytes by its own range", .make = make_dynamic,
    .run = run_dynamic,
};
