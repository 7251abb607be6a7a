/* fast_binary.c - functions of two tensors, element by element, in vectors: arithmetic, comparisons, logic.
 *
 * Operands that are broadcast are walked in lines (axes.h): in each of them an operand advances by one or
 * stays. In the blocked layout a factor for each channel is a line of eight that all of a block's pixels
 * share.
 */
#include "exec/axes.h"
#include "exec/mathf.h"

enum {
    LINE_BYTE = 64,          /* of a cache: no two workers write one */
    WIDE = 8 * RG_BLOCK,
};

typedef struct binary {
    void (*run)(const struct binary *s, int64_t from, int64_t to);
    rg_walk walk;
    const void *a, *b;
    void *y;
} binary;

/*    id   ONNX name   elements' type, the result's   y of a and b */
#define BINARY_OPS(X)                                                                           \
    X(add, "Add", F32, float, F32, float, a + b)                                                \
    X(div, "Div", F32, float, F32, float, a / b)                                                \
    X(mul, "Mul", F32, float, F32, float, a * b)                                                \
    X(sub, "Sub", F32, float, F32, float, a - b)                                                \
    X(max, "Max", F32, float, F32, float, rg_pickf((b > a) | (b != b), b, a)) /* NaN wins */    \
    X(min, "Min", F32, float, F32, float, rg_pickf((b < a) | (b != b), b, a))                   \
    X(prelu, "PRelu", F32, float, F32, float, rg_pickf(a < 0, a * b, a))                        \
    COMPARISONS(X, f32, F32, float) COMPARISONS(X, i64, I64, int64_t) COMPARISONS(X, i32, I32, int32_t) \
    X(and, "And", BOOL, uint8_t, BOOL, uint8_t, (a != 0) & (b != 0))                            \
    X(or, "Or", BOOL, uint8_t, BOOL, uint8_t, (a | b) != 0)                                     \
    X(xor, "Xor", BOOL, uint8_t, BOOL, uint8_t, (a != 0) != (b != 0))
#define COMPARISONS(X, id, dtype, type)                                                         \
    X(equal_##id, "Equal", dtype, type, BOOL, uint8_t, a == b)                                  \
    X(greater_##id, "Greater", dtype, type, BOOL, uint8_t, a > b)                               \
    X(greater_equal_##id, "GreaterOrEqual", dtype, type, BOOL, uint8_t, a >= b)                 \
    X(less_##id, "Less", dtype, type, BOOL, uint8_t, a < b)                                     \
    X(less_equal_##id, "LessOrEqual", dtype, type, BOOL, uint8_t, a <= b)

#define LINE(get_a, get_b, in, out, formula)                       \
    RG_INDEPENDENT                                                 \
    for (int64_t i = 0; i < run; i++) {                            \
        in a = get_a, b = get_b;                                   \
        y[i] = (out)(formula);                                     \
    }

/* Lines of `run` elements, operands that many elements apart from one to the next. */
typedef struct lines { int64_t count, run, step[2]; } lines;

/* Lines of a block of channels: neighbors in one operand, all the same in the other. Repeated, that one makes
 * lines of WIDE elements of them: compilers make no vectors of lines of eight. */
static inline bool meet_one_block(const binary *s, const rg_span *p)
{
    const rg_walk *w = &s->walk;
    int64_t a = w->line_step[0], b = w->line_step[1];
    return p->run == RG_BLOCK && w->moves[0] && w->moves[1] && a + b == RG_BLOCK && a * b == 0;
}

#define X(id, onnx, in_dtype, in, out_dtype, out, formula)                                                   \
    RG_INLINE void id##_lines(const binary *s, const in *pa, const in *pb, out *y, const lines *l)           \
    {                                                                                                        \
        const int64_t run = l->run;                                                                          \
        for (int64_t line = 0; line < l->count; line++) {                                                    \
            in one_a = *pa, one_b = *pb; /* where it stands */                                               \
            if (s->walk.moves[0] && s->walk.moves[1]) LINE(pa[i], pb[i], in, out, formula)                   \
            else if (s->walk.moves[0]) LINE(pa[i], one_b, in, out, formula)                                  \
            else LINE(one_a, pb[i], in, out, formula)                                                        \
            pa += l->step[0], pb += l->step[1], y += run;                                                    \
        }                                                                                                    \
    }                                                                                                        \
    RG_INLINE void id##_blocks(const binary *s, const in *pa, const in *pb, out *y, int64_t count)           \
    {                                                                                                        \
        in again[2][WIDE];                                                                                   \
        const int64_t *step = s->walk.line_step;                                                             \
        for (int i = 0; i < WIDE; i++) again[0][i] = pa[i % RG_BLOCK], again[1][i] = pb[i % RG_BLOCK];       \
        lines l = {count, WIDE, {step[0] ? WIDE : 0, step[1] ? WIDE : 0}};                                   \
        id##_lines(s, step[0] ? pa : again[0], step[1] ? pb : again[1], y, &l);                              \
    }                                                                                                        \
    RG_INLINE void id##_loop(const binary *s, int64_t from, int64_t to)                                      \
    {                                                                                                        \
        rg_span p;                                                                                           \
        const int64_t *step = s->walk.line_step;                                                             \
        for (int64_t at = from, count; at < to; at += count) {                                               \
            count = rg_walk_next(&s->walk, at, to, &p);                                                      \
            const in *pa = (const in *)s->a + p.at[0], *pb = (const in *)s->b + p.at[1];                     \
            out *y = (out *)s->y + at;                                                                       \
            const int64_t each = WIDE / RG_BLOCK;                                                            \
            int64_t wide = meet_one_block(s, &p) ? p.lines / each : 0, skip = wide * each;                   \
            if (wide) id##_blocks(s, pa, pb, y, wide);                                                       \
            lines rest = {p.lines - skip, p.run, {step[0], step[1]}};                                        \
            id##_lines(s, pa + skip * step[0], pb + skip * step[1], y + skip * p.run, &rest);                \
        }                                                                                                    \
    }                                                                                                        \
    RG_FOR_MACHINE(id##_loop, binary)
BINARY_OPS(X)
#undef X

typedef struct binary_row {
    const char *name;
    rg_dtype in, out;
    void (*run)(const binary *s, int64_t from, int64_t to);
} binary_row;

static const binary_row rows[] = {
#define X(id, onnx, in_dtype, in, out_dtype, out, formula)                                                   \
    {onnx, RG_##in_dtype, RG_##out_dtype, id##_loop_best},
    BINARY_OPS(X)
#undef X
};

static void run(void *state, rg_part part)
{
    const binary *s = state;
    int64_t from, to;
    rg_part_of(part, s->walk.count, LINE_BYTE, &from, &to);
    s->run(s, from, to);
}

static const binary_row *row_of(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    if (n->in_count != 2 || !n->in[0] || !n->in[1] || !n->out[0]) return NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rg_node_is(n, rows[i].name) && rg_fast_array(r, n->in[0])->dtype == rows[i].in &&
            rg_fast_array(r, n->in[1])->dtype == rows[i].in &&
            rg_fast_array(r, n->out[0])->dtype == rows[i].out)
            return &rows[i];
    return NULL;
}

static rg_layout_rule layout(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    bool blocks =
        row_of(r) && rg_axes_may_join(r, n->in[0], n->out[0]) && rg_axes_may_join(r, n->in[1], n->out[0]);
    return blocks ? RG_LAYOUT_SAME : RG_LAYOUT_PLAIN;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    const binary_row *row = row_of(r);
    rg_axes axes[2];
    *state = NULL;
    if (!row || !rg_axes_like(r, n->in[0], n->out[0], &axes[0]) ||
        !rg_axes_like(r, n->in[1], n->out[0], &axes[1]))
        return RG_OK;
    binary *s = RG_NEW(r->arena, binary, 1);
    if (!s) return rg_nomem(r->cx);
    *s = (binary){.run = row->run,
                  .a = rg_fast_array(r, n->in[0])->data,
                  .b = rg_fast_array(r, n->in[1])->data,
                  .y = rg_fast_array(r, n->out[0])->data};
    if (rg_walk_make(axes, 2, &s->walk)) *state = s;
    return RG_OK;
}

RG_FAST(binary) = {
    .name = "binary",
    .brief = "arithmetic, comparisons and logic of two tensors",
    .layout = layout,
    .make = make,
    .run = run,
};
