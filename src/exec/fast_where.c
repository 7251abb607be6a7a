/* fast_where.c - Where: of two tensors' elements the one that a third tensor tells, all of them broadcast. */
#include "exec/axes.h"
#include "exec/mathf.h"

enum { LINE_BYTE = 64 };     /* of a cache: no two workers write one */

typedef struct where {
    void (*run)(const struct where *s, int64_t from, int64_t to);
    rg_walk walk;
    const uint8_t *yes;
    const void *a, *b;
    void *y;
} where;

/*    bytes of an element, and a type as wide */
#define WIDTHS(X) X(1, uint8_t) X(2, uint16_t) X(4, uint32_t) X(8, uint64_t)

#define X(byte, type)                                                                                        \
    RG_INLINE void lines_##byte(const where *s, const rg_span *p, type *y)                                   \
    {                                                                                                        \
        const uint8_t *yes = s->yes + p->at[0];                                                              \
        const type *a = (const type *)s->a + p->at[1], *b = (const type *)s->b + p->at[2];                   \
        int64_t yes_step = s->walk.moves[0], a_step = s->walk.moves[1], b_step = s->walk.moves[2];           \
        for (int64_t line = 0; line < p->lines; line++) {                                                    \
            if (yes_step && a_step && b_step)                                                                \
                for (int64_t i = 0; i < p->run; i++) y[i] = yes[i] ? a[i] : b[i];                            \
            else if (yes_step && !a_step && b_step)                                                          \
                for (int64_t i = 0; i < p->run; i++) y[i] = yes[i] ? *a : b[i];                              \
            else if (yes_step && a_step)                                                                     \
                for (int64_t i = 0; i < p->run; i++) y[i] = yes[i] ? a[i] : *b;                              \
            else                                                                                             \
                for (int64_t i = 0; i < p->run; i++)                                                         \
                    y[i] = yes[i * yes_step] ? a[i * a_step] : b[i * b_step];                                \
            yes += s->walk.line_step[0], a += s->walk.line_step[1], b += s->walk.line_step[2], y += p->run;  \
        }                                                                                                    \
    }                                                                                                        \
    RG_INLINE void loop_##byte(const where *s, int64_t from, int64_t to)                                     \
    {                                                                                                        \
        rg_span p;                                                                                           \
        for (int64_t at = from, count; at < to; at += count) {                                               \
            count = rg_walk_next(&s->walk, at, to, &p);                                                      \
            lines_##byte(s, &p, (type *)s->y + at);                                                          \
        }                                                                                                    \
    }                                                                                                        \
    RG_FOR_MACHINE(loop_##byte, where)
WIDTHS(X)
#undef X

static void run(void *state, rg_part part)
{
    const where *s = state;
    int64_t from, to;
    rg_part_of(part, s->walk.count, LINE_BYTE, &from, &to);
    s->run(s, from, to);
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    rg_axes axes[RG_OPERANDS];
    where s = {0};
    *state = NULL;
    if (!rg_node_is(n, "Where") || !n->out[0]) return RG_OK;
    for (int i = 0; i < RG_OPERANDS; i++)
        if (!rg_axes_like(r, n->in[i], n->out[0], &axes[i])) return RG_OK;
    double byte = rg_dtype_bytes(rg_fast_array(r, n->out[0])->dtype, 1);
#define X(width, type) if (byte == width) s.run = loop_##width##_best;
    WIDTHS(X)
#undef X
    if (!s.run || !rg_walk_make(axes, RG_OPERANDS, &s.walk)) return RG_OK;
    s.yes = rg_fast_array(r, n->in[0])->data;
    s.a = rg_fast_array(r, n->in[1])->data;
    s.b = rg_fast_array(r, n->in[2])->data;
    s.y = rg_fast_array(r, n->out[0])->data;
    where *made = RG_NEW(r->arena, where, 1);
    if (!made) return rg_nomem(r->cx);
    *made = s;
    *state = made;
    return RG_OK;
}

RG_FAST(where) = {
    .name = "where", .brief = "elements of two tensors as a third one tells", .make = make, .run = run};
