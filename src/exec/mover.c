/* mover.c - elements of a box moved to where another one has them. */
#include "exec/mover.h"
#include "exec/f32x8.h"

#include <string.h>

enum {
    SIDE = 8,                /* of a square: a vector of floats */
    STRIP = 16,              /* lines of a unit of squares: a cache line of floats */
    UNIT_BYTE = 16 * 1024,   /* of a unit: some microseconds of work */
};

int64_t rg_mover_byte(rg_dtype dtype)
{
    double byte = rg_dtype_bytes(dtype, 1);
    return byte == 1 || byte == 2 || byte == 4 || byte == 8 ? (int64_t)byte : 0;
}

/* ---- making ---- */

static void drop_axis(rg_mover *m, int axis)
{
    m->rank--;
    for (int k = axis; k < m->rank; k++) {
        m->dim[k] = m->dim[k + 1];
        m->from[k] = m->from[k + 1];
        m->to[k] = m->to[k + 1];
    }
}

/* What is left are the axes between which nothing stays together. */
static void merge_axes(rg_mover *m)
{
    for (int k = m->rank - 1; k >= 0; k--)
        if (m->dim[k] == 1) drop_axis(m, k);
    for (int k = m->rank - 2; k >= 0; k--) {
        if (m->from[k] != m->from[k + 1] * m->dim[k + 1] || m->to[k] != m->to[k + 1] * m->dim[k + 1])
            continue;
        m->dim[k + 1] *= m->dim[k];
        drop_axis(m, k);
    }
}

/* Columns are the result's last axis. Lines are what the input's neighbors are, if another, else the one
 * before. */
static void take_inner(rg_mover *m)
{
    int last = m->rank - 1, near = last - 1;
    m->lines = m->columns = 1;
    if (last < 0) return;
    if (m->from[last] != 1)
        for (int k = 0; k < last; k++)
            if (m->from[k] == 1) near = k;
    m->columns = m->dim[last], m->from_column = m->from[last], m->to_column = m->to[last];
    drop_axis(m, last);
    if (near < 0) return;
    m->lines = m->dim[near], m->from_line = m->from[near], m->to_line = m->to[near];
    drop_axis(m, near);
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

void rg_mover_make(const void *x, void *y, int64_t byte, const rg_axes *box, const int64_t *to, rg_mover *out)
{
    rg_mover *m = out;
    *m = (rg_mover){.x = x, .y = y, .byte = byte, .rank = box->rank};
    for (int k = 0; k < box->rank; k++) {
        m->dim[k] = box->dim[k];
        m->from[k] = box->step[k];
        m->to[k] = to[k];
    }
    merge_axes(m);
    take_inner(m);
    int64_t most = UNIT_BYTE / byte;
    m->line_grain = m->from_line == 1 ? STRIP : m->columns < most ? most / (m->columns + 1) + 1 : 1;
    m->column_grain = least(m->columns, most);
    m->units = m->lines > 0 && m->columns > 0;
    if (!m->units) return;
    m->strips = (m->lines + m->line_grain - 1) / m->line_grain;
    m->slices = (m->columns + m->column_grain - 1) / m->column_grain;
    m->units = m->strips * m->slices;
    for (int k = 0; k < m->rank; k++) m->units *= m->dim[k];
    if (x == y) m->units = 0; /* axes of size 1 alone: the plan lets the result lie over the input */
}

/* ---- running ---- */

typedef struct tile {
    const rg_mover *m;
    const char *x;
    char *y;
    int64_t lines, columns;
} tile;

#define ELEMENTS(type)                                                                               \
    for (int64_t i = 0; i < t->lines; i++) {                                                         \
        const type *x = (const type *)(const void *)t->x + i * m->from_line;                         \
        type *y = (type *)(void *)t->y + i * m->to_line;                                             \
        if (m->to_column != 1 || m->from_column) {                                                   \
            for (int64_t j = 0; j < t->columns; j++) y[j * m->to_column] = x[j * m->from_column];    \
            continue;                                                                                \
        }                                                                                            \
        type one = *x;                                                                               \
        for (int64_t j = 0; j < t->columns; j++) y[j] = one;                                         \
    }                                                                                                \
    break

/* One at a time; or one again and again. */
RG_INLINE void elements(const tile *t)
{
    const rg_mover *m = t->m;
    switch (m->byte) {
    case 1: ELEMENTS(uint8_t);
    case 2: ELEMENTS(uint16_t);
    case 4: ELEMENTS(uint32_t);
    case 8: ELEMENTS(uint64_t);
    }
}

/* Runs as short as a block are not worth a call. */
RG_INLINE void runs(const tile *t)
{
    const rg_mover *m = t->m;
    int64_t size = t->columns * m->byte, from = m->from_line * m->byte, to = m->to_line * m->byte;
    if (size == SIDE * (int64_t)sizeof(float)) {
        for (int64_t i = 0; i < t->lines; i++)
            rg_store8((float *)(void *)(t->y + i * to),
                      rg_load8((const float *)(const void *)(t->x + i * from)));
        return;
    }
    for (int64_t i = 0; i < t->lines; i++) memcpy(t->y + i * to, t->x + i * from, (size_t)size);
}

/* y[i][j] = x[j][i] of floats: whole squares, then what is left over of lines and columns. */
RG_INLINE void squares(const tile *t)
{
    const rg_mover *m = t->m;
    int64_t lines = t->lines / SIDE * SIDE, columns = t->columns / SIDE * SIDE;
    for (int64_t j = 0; j < columns; j += SIDE)
        for (int64_t i = 0; i < lines; i += SIDE) {
            const float *x = (const float *)(const void *)t->x + j * m->from_column + i;
            float *y = (float *)(void *)t->y + i * m->to_line + j;
            rg_f32x8 v[SIDE];
            RG_UNROLLED
            for (int k = 0; k < SIDE; k++) v[k] = rg_load8(x + k * m->from_column);
            rg_turn8(v);
            RG_UNROLLED
            for (int k = 0; k < SIDE; k++) rg_store8(y + k * m->to_line, v[k]);
        }
    tile rest = *t;
    rest.x += columns * m->from_column * m->byte, rest.y += columns * m->byte, rest.columns -= columns;
    elements(&rest);
    rest = *t;
    rest.x += lines * m->byte, rest.y += lines * m->to_line * m->byte, rest.lines -= lines;
    rest.columns = columns;
    elements(&rest);
}

RG_INLINE void move_units(const rg_mover *m, int64_t from, int64_t to)
{
    for (int64_t u = from; u < to; u++) {
        int64_t slice = u % m->slices, strip = u / m->slices % m->strips, outer = u / m->slices / m->strips;
        int64_t line = strip * m->line_grain, column = slice * m->column_grain;
        int64_t x = line * m->from_line + column * m->from_column,
                y = line * m->to_line + column * m->to_column;
        for (int k = m->rank - 1; k >= 0; outer /= m->dim[k--]) {
            x += outer % m->dim[k] * m->from[k];
            y += outer % m->dim[k] * m->to[k];
        }
        tile t = {m, m->x + x * m->byte, m->y + y * m->byte, least(m->lines - line, m->line_grain),
                  least(m->columns - column, m->column_grain)};
        if (m->from_column == 1 && m->to_column == 1) runs(&t);
        else if (m->byte == sizeof(float) && m->from_line == 1 && m->to_column == 1) squares(&t);
        else elements(&t);
    }
}
RG_FOR_MACHINE(move_units, rg_mover)

void rg_mover_run(const rg_mover *m, rg_part part)
{
    int64_t from, to;
    rg_part_of(part, m->units, 1, &from, &to);
    move_units_best(m, from, to);
}
