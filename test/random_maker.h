/* random_maker.h - what the layers of a random graph are made with: draws, constants with elements, nodes
 * whose types are inferred at once, and what is known of every value beside its type.
 *
 *     bound   about the largest magnitude, so that a layer can keep values where comparing them means
 *             something: no layer is given more than it can take (random_tame)
 *     exact   every runner has the same bits: inputs are multiples of 1/64, and moving or comparing changes
 *             none. Only such a value may be rounded, or compared, on the way to others: of any other, two
 *             correct runners can give results that are a step apart
 *     step    of a value that was rounded all the same: what an element may differ by. Nothing reads it
 */
#ifndef RANDOM_MAKER_H
#define RANDOM_MAKER_H

#include "op/op.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    RANDOM_VALUE_MAX = 2048,  /* constants included */
    RANDOM_POOL_MAX = 96,
    RANDOM_COUNT_MAX = 4000,  /* elements of a value: plain kernels are slow */
    RANDOM_GRID = 64,         /* floats of inputs are multiples of 1/64 ... */
    RANDOM_INPUT_BOUND = 2,   /* ... up to 2 */
};

typedef struct random_fact { double bound, step; bool exact; } random_fact;

typedef struct random_maker {
    rg_build b;
    rg_ctx *cx;
    uint64_t state;
    random_fact facts[RANDOM_VALUE_MAX];
    rg_value_id pool[RANDOM_POOL_MAX];    /* f32, not stepped: what layers read */
    uint32_t pool_count;
} random_maker;

/* A layer reads x and gives a value that others may read; 0: it does not take such an x, or nobody may read
 * what it gave. What nobody reads is an output of the graph. */
typedef rg_value_id (*random_layer)(random_maker *m, rg_value_id x);

/* ---- draws ---- */

static inline int64_t random_below(random_maker *m, int64_t count)
{
    return (int64_t)(rg_random_next(&m->state) % (uint64_t)count);
}

static inline int64_t random_between(random_maker *m, int64_t low, int64_t high)
{
    return low + random_below(m, high - low + 1);
}

static inline bool random_chance(random_maker *m, int percent) { return random_below(m, 100) < percent; }

static inline double random_real(random_maker *m, double low, double high)
{
    return low + (high - low) * rg_random_unit(&m->state);
}

#define RANDOM_PICK(m, items) ((items)[random_below((m), (int64_t)RG_COUNT(items))])

/* Below, at and above multiples of 8, the width of vectors and of packed panels. */
static inline int64_t random_channels(random_maker *m)
{
    static const int64_t counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 12, 15, 16, 16, 17, 20, 24, 31, 32, 33};
    return RANDOM_PICK(m, counts);
}

/* ---- asking ---- */

static inline const rg_type *random_type(const random_maker *m, rg_value_id x)
{
    return &m->b.g->values[x].type;
}
static inline int random_rank(const random_maker *m, rg_value_id x) { return random_type(m, x)->rank; }
static inline int64_t random_dim(const random_maker *m, rg_value_id x, int axis)
{
    return random_type(m, x)->dim[axis];
}
static inline bool random_is_from(const random_maker *m, rg_value_id x, const char *type)
{
    const rg_value *v = &m->b.g->values[x];
    return v->role == RG_ROLE_NODE && rg_node_is(&m->b.g->nodes[v->producer], type);
}
static inline int64_t random_product(const int64_t *dim, int count)
{
    int64_t out = 1;
    for (int i = 0; i < count; i++) out *= dim[i];
    return out;
}
static inline int64_t random_count(const random_maker *m, rg_value_id x)
{
    return random_product(random_type(m, x)->dim, random_rank(m, x));
}
static inline bool random_fits(const int64_t *dim, int rank)
{
    return random_product(dim, rank) <= RANDOM_COUNT_MAX;
}
static inline double random_bound(const random_maker *m, rg_value_id x) { return m->facts[x].bound; }
static inline bool random_is_exact(const random_maker *m, rg_value_id x) { return m->facts[x].exact; }

/* ---- text of attributes ---- */

static inline const char *random_text(random_maker *m, const char *format, ...) RG_PRINTF(2, 3);
static inline const char *random_text(random_maker *m, const char *format, ...)
{
    char buffer[512];
    va_list args;
    va_start(args, format);
    rg_str_vprint(buffer, sizeof buffer, format, args);
    va_end(args);
    const char *out = rg_arena_printf(&m->cx->arena, "%s", buffer);
    if (!out && !m->b.err) m->b.err = rg_nomem(m->cx);
    return out ? out : "";
}

/* "name=[1,2]" with a blank in front; nothing for no elements. */
static inline const char *random_list(random_maker *m, const char *name, int count, const int64_t *data)
{
    const char *out = "";
    for (int i = 0; i < count; i++)
        out = i ? random_text(m, "%s,%lld", out, (long long)data[i])
                : random_text(m, " %s=[%lld", name, (long long)data[i]);
    return count ? random_text(m, "%s]", out) : out;
}

/* ---- constants ---- */

static inline void random_know(random_maker *m, rg_value_id x, double bound, bool exact)
{
    assert(x < RANDOM_VALUE_MAX);
    m->facts[x] = (random_fact){.bound = bound, .exact = exact};
}

/* Uniform in [low, high]. */
static inline rg_value_id random_constant(random_maker *m, rg_dtype dtype, int rank, const int64_t *dim,
                                          double low, double high)
{
    rg_value_id id = rg_build_param(&m->b, "w", dtype, rank, dim);
    if (m->b.err) return 0;
    rg_tensor *t = (rg_tensor *)(uintptr_t)m->b.g->values[id].data; /* made just now: still ours */
    size_t size = (size_t)rg_dtype_bytes(dtype, (double)t->count);
    void *data = rg_arena_alloc(&m->b.g->arena, size + 1);
    if (!data) m->b.err = rg_nomem(m->cx);
    if (m->b.err) return 0;
    bool is_float = rg_dtype_is_float(dtype);
    for (int64_t i = 0; i < t->count; i++)
        rg_dtype_set_real(dtype, data, i,
                          is_float ? random_real(m, low, high)
                                   : (double)random_between(m, (int64_t)low, (int64_t)high));
    t->encoding = RG_DATA_RAW;
    t->data = data;
    t->size = size;
    random_know(m, id, fmax(fabs(low), fabs(high)), true);
    return id;
}

static inline rg_value_id random_scalar(random_maker *m, double x)
{
    rg_value_id id = rg_build_scalar(&m->b, (float)x);
    random_know(m, id, fabs(x), true);
    return id;
}

static inline rg_value_id random_ints(random_maker *m, int count, const int64_t *data)
{
    rg_value_id id = rg_build_ints(&m->b, count, data);
    random_know(m, id, 0, true);
    return id;
}

static inline rg_value_id random_input(random_maker *m, rg_dtype dtype, int rank, const int64_t *dim)
{
    const char *name = random_text(m, "x%u", m->b.g->regions[RG_MAIN].input_count);
    rg_value_id id = rg_build_input(&m->b, name, dtype, rank, dim);
    random_know(m, id, RANDOM_INPUT_BOUND, true);
    return id;
}

static inline rg_value_id random_vector(random_maker *m, int64_t count, double low, double high)
{
    return random_constant(m, RG_F32, 1, &count, low, high);
}

/* ---- nodes ---- */

/* Operators that give an element of their input, or what is exact in floats: no rounding, no sum. */
static inline bool random_is_moving(const char *type)
{
    static const char *const moving[] = {
        "Abs",
        "ArgMax",
        "ArgMin",
        "Cast",
        "Ceil",
        "Clip",
        "Concat",
        "ConvInteger",
        "DepthToSpace",
        "DequantizeLinear",
        "Equal",
        "Expand",
        "Flatten",
        "Floor",
        "Gather",
        "GatherElements",
        "GlobalMaxPool",
        "Greater",
        "Identity",
        "Less",
        "MatMulInteger",
        "Max",
        "MaxPool",
        "Min",
        "Neg",
        "Pad",
        "QLinearConv",
        "QLinearMatMul",
        "QuantizeLinear",
        "ReduceMax",
        "ReduceMin",
        "Relu",
        "Reshape",
        "Round",
        "Sign",
        "Slice",
        "SpaceToDepth",
        "Split",
        "Squeeze",
        "Tile",
        "TopK",
        "Transpose",
        "Unsqueeze",
        "Where",
    };
    for (size_t i = 0; i < RG_COUNT(moving); i++)
        if (!strcmp(moving[i], type)) return true;
    return false;
}

/* A node of which everything is known at once; `bound` is that of all its outputs. */
static inline rg_value_id random_nodes(random_maker *m, const char *type, const char *attrs, double bound,
                                       uint32_t in_count, const rg_value_id *in, uint32_t out_count,
                                       rg_value_id *out)
{
    rg_graph *g = m->b.g;
    bool exact = random_is_moving(type);
    rg_build_nodev(&m->b, type, attrs, in_count, in, out_count, out);
    if (!m->b.err) m->b.err = rg_graph_resolve(m->cx, g);
    if (!m->b.err) m->b.err = rg_node_infer(m->cx, g, g->node_count - 1);
    if (m->b.err) return 0;
    for (uint32_t i = 0; i < in_count; i++) exact = exact && (!in[i] || m->facts[in[i]].exact);
    for (uint32_t i = 0; i < out_count; i++) random_know(m, out[i], bound, exact);
    return out[0];
}

static inline rg_value_id random_node(random_maker *m, const char *type, const char *attrs, double bound,
                                      uint32_t in_count, const rg_value_id *in)
{
    rg_value_id out = 0;
    return m->b.err ? 0 : random_nodes(m, type, attrs, bound, in_count, in, 1, &out);
}

/* Inputs as arguments. */
#define RANDOM_NODE(m, type, attrs, bound, ...)                                        \
    random_node((m), (type), (attrs), (bound),                                         \
                (uint32_t)RG_COUNT(((const rg_value_id[]){__VA_ARGS__})), (const rg_value_id[]){__VA_ARGS__})

/* x, or x scaled down where it may be larger than `most`. */
static inline rg_value_id random_tame(random_maker *m, rg_value_id x, double most)
{
    double bound = random_bound(m, x);
    if (bound <= most) return x;
    return RANDOM_NODE(m, "Mul", NULL, most, x, random_scalar(m, most / bound));
}

/* A weight that sums over `fan_in` elements keeps what flows through it as large as it was. Now and then it
 * is no constant but comes from an input, and nothing can be packed before the run. */
static inline rg_value_id random_weight(random_maker *m, int rank, const int64_t *dim, int64_t fan_in)
{
    double most = sqrt(3.0 / (double)(fan_in > 0 ? fan_in : 1));
    if (random_chance(m, 6)) return random_tame(m, random_input(m, RG_F32, rank, dim), most);
    return random_constant(m, RG_F32, rank, dim, -most, most);
}

static inline rg_value_id random_reshape(random_maker *m, rg_value_id x, int rank, const int64_t *dim)
{
    return RANDOM_NODE(m, "Reshape", NULL, random_bound(m, x), x, random_ints(m, rank, dim));
}

/* The same elements with another rank: axes in the middle are merged, or ones are put in behind the first. */
static inline rg_value_id random_of_rank(random_maker *m, rg_value_id x, int rank)
{
    const rg_type *t = random_type(m, x);
    int64_t dim[RG_RANK_MAX];
    int have = t->rank;
    if (have == rank) return x;
    for (int i = 0; i < rank; i++) dim[i] = 1;
    if (have < rank) {
        for (int i = 0; i < have; i++) dim[i ? rank - have + i : 0] = t->dim[i];
    } else {
        for (int i = 0; i < have; i++) dim[i < have - rank ? 0 : i - (have - rank)] *= t->dim[i];
    }
    return random_reshape(m, x, rank, dim);
}

static inline bool random_same_shape(const random_maker *m, rg_value_id a, rg_value_id b)
{
    const rg_type *x = random_type(m, a), *y = random_type(m, b);
    return x->rank == y->rank && !memcmp(x->dim, y->dim, (size_t)x->rank * sizeof x->dim[0]);
}

/* Later layers may read it, if they read such values. */
static inline void random_offer(random_maker *m, rg_value_id x)
{
    bool reads =
        !m->b.err && x && random_type(m, x)->dtype == RG_F32 && random_count(m, x) <= RANDOM_COUNT_MAX;
    if (reads && m->pool_count < RANDOM_POOL_MAX) m->pool[m->pool_count++] = x;
}

#endif
