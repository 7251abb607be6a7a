/* winograd.c - the transforms of Winograd convolution, and the order in which tiles pass through them.
 *
 *     image --B'dB--> V [points][tiles][in channels] --products--> M [points][tiles][out channels]
 *     M --A'MA--> result
 *
 * A chunk of tiles passes at a time, so that V and M of it stay in a near cache while the weights stream by.
 * A vector is the 8 channels of a block. The points that polynomials are evaluated at are 0, +-a, +-b and
 * infinity: symmetric ones share half of their sums. a = 5/8 and b = 3/2 are exact in binary, and as a * b is
 * near 1 no power of theirs is far from 1: the error is less than half of that of 1 and 2.
 */
#include "exec/winograd.h"
#include "exec/f32x8.h"

#include <string.h>

enum {
    SIDE = 6,                   /* of the largest tile */
    LINE_FLOATS = 16,
    /* Tiles of a chunk: fewer, and a product's time is that of loading its weights; more, and V and M leave
     * the second cache. In between it hardly matters. */
    CHUNK_MOST = 64,
};

#define POINT_A 0.625f
#define POINT_B 1.5f
#define A2 (POINT_A * POINT_A)
#define B2 (POINT_B * POINT_B)

typedef rg_f32x8 vec;

/* What of one chunk a stage needs. */
typedef struct chunk {
    const rg_winograd *w;
    int64_t first, count;       /* tiles */
    float *v, *m;
    int64_t v_step, m_step;     /* floats from a point to the next */
} chunk;

/* Not a multiple of a page: the same place of all points would fall into one set of the first cache. */
static int64_t point_step(int64_t tiles, int64_t channels)
{
    return (tiles * channels + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS + LINE_FLOATS;
}

/* ---- one dimension: B' d, A' m; `m` is a constant where these are called ---- */

RG_INLINE void image_line(int m, const vec *d, int64_t step, vec *v, int64_t v_step)
{
    if (m == 2) { /* 0, +-1, infinity */
        v[0] = d[0] - d[2 * step];
        v[v_step] = d[step] + d[2 * step];
        v[2 * v_step] = d[2 * step] - d[step];
        v[3 * v_step] = d[3 * step] - d[step];
        return;
    }
    vec d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
    vec a_even = d4 - B2 * d2, a_odd = d3 - B2 * d1, b_even = d4 - A2 * d2, b_odd = d3 - A2 * d1;
    v[0] = A2 * B2 * d[0] - (A2 + B2) * d2 + d4;
    v[v_step] = a_even + POINT_A * a_odd;
    v[2 * v_step] = a_even - POINT_A * a_odd;
    v[3 * v_step] = b_even + POINT_B * b_odd;
    v[4 * v_step] = b_even - POINT_B * b_odd;
    v[5 * v_step] = A2 * B2 * d1 - (A2 + B2) * d3 + d[5 * step];
}

RG_INLINE void result_line(int m, const vec *p, int64_t step, vec *y, int64_t y_step)
{
    vec sum = p[step] + p[2 * step], difference = p[step] - p[2 * step];
    if (m == 2) {
        y[0] = p[0] + sum;
        y[y_step] = difference + p[3 * step];
        return;
    }
    vec b_sum = p[3 * step] + p[4 * step], b_difference = p[3 * step] - p[4 * step];
    y[0] = p[0] + sum + b_sum;
    y[y_step] = POINT_A * difference + POINT_B * b_difference;
    y[2 * y_step] = A2 * sum + B2 * b_sum;
    y[3 * y_step] = POINT_A * A2 * difference + POINT_B * B2 * b_difference + p[5 * step];
}

/* ---- two dimensions ---- */

typedef struct place { int64_t image, y, x; } place; /* of a tile's first output */

RG_INLINE place place_of(const rg_winograd *w, int64_t tile)
{
    int64_t down = (w->out_h + w->m - 1) / w->m, across = (w->out_w + w->m - 1) / w->m;
    return (place){tile / (down * across), tile / across % down * w->m, tile % across * w->m};
}

RG_INLINE void next_place(const rg_winograd *w, place *p)
{
    if ((p->x += w->m) < w->out_w) return;
    p->x = 0;
    if ((p->y += w->m) < w->out_h) return;
    p->y = 0;
    p->image++;
}

/* What a tile sees of one block of channels where it reaches beyond the image. */
RG_INLINE void gather(const rg_winograd *w, const vec *plane, int64_t y, int64_t x, int side, vec *to)
{
    int64_t first = x < 0 ? -x : 0, last = w->in_w - x < side ? w->in_w - x : side;
    memset(to, 0, sizeof *to * (size_t)(side * side));
    for (int64_t i = 0; i < side; i++) {
        if (y + i < 0 || y + i >= w->in_h) continue;
        for (int64_t j = first; j < last; j++) to[i * side + j] = plane[(y + i) * w->in_w + x + j];
    }
}

RG_INLINE void image_tile(const vec *d, int64_t line, int m, float *v, int64_t v_step)
{
    const int side = m + 2;
    vec half[SIDE * SIDE];
    RG_UNROLLED
    for (int j = 0; j < side; j++) image_line(m, d + j, line, half + j, side);
    RG_UNROLLED
    for (int i = 0; i < side; i++) {
        vec whole[SIDE];
        image_line(m, half + i * side, 1, whole, 1);
        RG_UNROLLED
        for (int j = 0; j < side; j++) rg_store8(v + (i * side + j) * v_step, whole[j]);
    }
}

enum { STRIP_BLOCKS = LINE_FLOATS / RG_BLOCK };

static int64_t image_unit_count(const chunk *c)
{
    return c->count * ((c->w->in_channels + LINE_FLOATS - 1) / LINE_FLOATS);
}

/* Units from..to-1: a tile's strip of channels each, as many as fill a cache line of V; all tiles of a strip
 * one after the other. So few planes are read at a time, along their lines, which hardware fetches ahead. */
RG_INLINE void image_units(const chunk *c, int64_t from, int64_t to, const int m)
{
    const rg_winograd *w = c->w;
    const int side = m + 2;
    int64_t blocks = w->in_channels / RG_BLOCK, plane = w->in_h * w->in_w;
    vec seen[SIDE * SIDE];
    for (int64_t unit = from, next; unit < to; unit = next) {
        int64_t strip = unit / c->count, tile = unit % c->count, first = strip * STRIP_BLOCKS;
        int64_t count = blocks - first < STRIP_BLOCKS ? blocks - first : STRIP_BLOCKS;
        place p = place_of(w, c->first + tile);
        next = to < (strip + 1) * c->count ? to : (strip + 1) * c->count;
        for (; unit < next; unit++, tile++, next_place(w, &p)) {
            int64_t y = p.y - w->top, x = p.x - w->left;
            bool inside = y >= 0 && x >= 0 && y + side <= w->in_h && x + side <= w->in_w;
            const vec *d = (const vec *)(const void *)w->x + (p.image * blocks + first) * plane;
            float *v = c->v + tile * w->in_channels + first * RG_BLOCK;
            for (int64_t i = 0; i < count; i++, d += plane, v += RG_BLOCK) {
                if (!inside) gather(w, d, y, x, side, seen);
                if (inside) image_tile(d + y * w->in_w + x, w->in_w, m, v, c->v_step);
                else image_tile(seen, side, m, v, c->v_step);
            }
        }
    }
}

RG_INLINE void result_tile(const float *p, int64_t step, int m, vec bias, vec *y)
{
    const int side = m + 2;
    vec half[SIDE * SIDE];
    RG_UNROLLED
    for (int j = 0; j < side; j++) {
        vec column[SIDE];
        RG_UNROLLED
        for (int i = 0; i < side; i++) column[i] = rg_load8(p + (i * side + j) * step);
        result_line(m, column, 1, half + j, side);
    }
    RG_UNROLLED
    for (int i = 0; i < m; i++) {
        result_line(m, half + i * side, 1, y + i * m, 1);
        RG_UNROLLED
        for (int j = 0; j < m; j++) y[i * m + j] += bias;
    }
}


RG_INLINE void activate(const rg_epilogue *e, vec *y, const int count)
{
    vec zero = {0}, low = zero + e->low, high = zero + e->high;
    if (e->act == RG_ACT_RELU) {
        RG_UNROLLED
        for (int i = 0; i < count; i++) y[i] = (vec)((rg_i32x8)y[i] & ~(y[i] < zero));
    } else if (e->act == RG_ACT_CLIP) {
        for (int i = 0; i < count; i++) {
            y[i] = rg_pick8(y[i] < low, low, y[i]);
            y[i] = rg_pick8(y[i] > high, high, y[i]);
        }
    } else if (e->act != RG_ACT_NONE) {
        rg_act_run(e, (const float *)y, (float *)y, count * RG_BLOCK);
    }
}

/* Bounds are constants where a whole tile is written. */
RG_INLINE void add_tile(vec *y, const vec *add, int64_t line, int m, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) y[i * m + j] += add[i * line + j];
}

RG_INLINE void write_tile(const vec *y, vec *to, int64_t line, int m, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) to[i * line + j] = y[i * m + j];
}

static int64_t result_unit_count(const chunk *c) { return c->count * (c->w->out_channels / RG_BLOCK); }

/* Units from..to-1: a tile's block of output channels each, all blocks of a tile one after the other: as M
 * lies. */
RG_INLINE void result_units(const chunk *c, int64_t from, int64_t to, const int m)
{
    const rg_winograd *w = c->w;
    const rg_epilogue *e = &w->epilogue;
    int64_t blocks = w->out_channels / RG_BLOCK, line = w->out_w, plane = w->out_h * w->out_w;
    vec y[SIDE * SIDE];
    for (int64_t unit = from, next; unit < to; unit = next) {
        int64_t tile = unit / blocks, block = unit % blocks;
        place p = place_of(w, c->first + tile);
        int64_t rows = w->out_h - p.y < m ? w->out_h - p.y : m, columns = line - p.x < m ? line - p.x : m;
        int64_t at = (p.image * blocks + block) * plane + p.y * line + p.x;
        next = to < (tile + 1) * blocks ? to : (tile + 1) * blocks;
        for (; unit < next; unit++, block++, at += plane) {
            const vec *add = e->add ? (const vec *)(const void *)e->add + at : NULL;
            vec *image = (vec *)(void *)w->y + at;
            result_tile(c->m + unit * RG_BLOCK, c->m_step, m, rg_load8(e->bias + block * RG_BLOCK), y);
            if (rows == m && columns == m) {
                if (add) add_tile(y, add, line, m, m, m);
                activate(e, y, m * m);
                write_tile(y, image, line, m, m, m);
            } else {
                if (add) add_tile(y, add, line, m, rows, columns);
                activate(e, y, m * m);
                write_tile(y, image, line, m, rows, columns);
            }
        }
    }
}

RG_INLINE void image_stage(const chunk *c, int64_t from, int64_t to)
{
    if (c->w->m == 2) image_units(c, from, to, 2);
    else image_units(c, from, to, 4);
}

RG_INLINE void result_stage(const chunk *c, int64_t from, int64_t to)
{
    if (c->w->m == 2) result_units(c, from, to, 2);
    else result_units(c, from, to, 4);
}

RG_FOR_MACHINE(image_stage, chunk)
RG_FOR_MACHINE(result_stage, chunk)

/* ---- the products ---- */

/* The panels of all groups and points in a row are split, so that workers take about the same whatever their
 * number. */
static void products(const chunk *c, rg_part part)
{
    const rg_winograd *w = c->w;
    int64_t k = w->in_channels / w->groups, n = w->out_channels / w->groups, nr = rg_gemm_nr(), from, to;
    int64_t panels = (n + nr - 1) / nr, points = rg_winograd_points(w->m);
    rg_part_of(part, w->groups * points * panels, 1, &from, &to);
    for (int64_t at = from, end; at < to; at = end) {
        int64_t product = at / panels, group = product / points, point = product % points;
        int64_t first = at % panels * nr, last = n;
        end = (product + 1) * panels;
        if (end > to) last = (to - product * panels) * nr, end = to;
        rg_gemm g = {
            .m = c->count, .n = last - first, .k = k,
            .a = c->v + point * c->v_step + group * k, .a_step = w->in_channels,
            .packed = w->packed + (product * panels * nr + first) * k,
            .c = c->m + point * c->m_step + group * n + first, .c_step = w->out_channels, .c_block = RG_BLOCK,
        };
        rg_gemm_run(&g, RG_ALONE);
    }
}

/* ---- the order ---- */

static void run_chunk(const rg_winograd *w, int64_t first, int64_t end, float *room, rg_part part)
{
    chunk c = {
        .w = w, .first = first, .count = end - first, .v = room,
        .v_step = point_step(w->chunk, w->in_channels), .m_step = point_step(w->chunk, w->out_channels),
    };
    int64_t from, to;
    c.m = room + rg_winograd_points(w->m) * c.v_step;
    rg_part_of(part, image_unit_count(&c), 1, &from, &to);
    image_stage_best(&c, from, to);
    rg_team_barrier(part);
    products(&c, part);
    rg_team_barrier(part);
    rg_part_of(part, result_unit_count(&c), 1, &from, &to);
    result_stage_best(&c, from, to);
}

void rg_winograd_run(const rg_winograd *w, rg_part part)
{
    int64_t tiles = rg_winograd_tiles(w), chunks = (tiles + w->chunk - 1) / w->chunk, from = 0, to = chunks;
    float *room = (float *)(void *)*w->room;
    rg_part members = part;
    if (w->apart) {
        rg_part_of(part, chunks, 1, &from, &to);
        room += rg_winograd_room_count(w, 1) * (size_t)part.worker;
        members = RG_ALONE;
    }
    for (int64_t i = from; i < to; i++) {
        int64_t first = i * w->chunk, end = first + w->chunk < tiles ? first + w->chunk : tiles;
        if (i > from)
            rg_team_barrier(members); /* V is rewritten only when nobody reads it: products are done */
        run_chunk(w, first, end, room, members);
    }
}

void rg_winograd_deal(rg_winograd *w, int workers)
{
    int64_t tiles = rg_winograd_tiles(w), chunks = (tiles + CHUNK_MOST - 1) / CHUNK_MOST, mr = rg_gemm_mr();
    w->apart = chunks >= workers;
    if (w->apart) chunks = (chunks + workers - 1) / workers * workers;
    w->chunk = ((tiles + chunks - 1) / chunks + mr - 1) / mr * mr;
}

size_t rg_winograd_room_count(const rg_winograd *w, int workers)
{
    int64_t step = point_step(w->chunk, w->in_channels) + point_step(w->chunk, w->out_channels);
    return (size_t)(rg_winograd_points(w->m) * step * (w->apart ? workers : 1));
}

/* ---- weights ---- */

size_t rg_winograd_packed_count(int m, int64_t in_channels, int64_t out_channels)
{
    return (size_t)rg_winograd_points(m) * rg_gemm_packed_count(in_channels, out_channels);
}

/* G: a row is a point's powers over the product of its distances to the others. */
static void weight_matrix(int m, double (*g)[3])
{
    static const double points[2][SIDE - 1] = {{0, 1, -1}, {0, POINT_A, -POINT_A, POINT_B, -POINT_B}};
    const double *p = points[m == 4];
    int finite = m + 1;
    for (int i = 0; i < finite; i++) {
        double product = 1;
        for (int k = 0; k < finite; k++)
            if (k != i) product *= p[i] - p[k];
        for (int j = 0; j < 3; j++) g[i][j] = (j > 0 ? p[i] : 1) * (j > 1 ? p[i] : 1) / product;
    }
    g[finite][0] = g[finite][1] = 0;
    g[finite][2] = 1;
    /* what image_line(2) leaves a sign out of */
    for (int j = 0; m == 2 && j < 3; j++) g[0][j] = -g[0][j];
}

void rg_winograd_pack(int m, const float *weights, const float *scale, int64_t in_channels,
                      int64_t out_channels, float *packed)
{
    int side = m + 2;
    int64_t nr = rg_gemm_nr();
    size_t step = rg_gemm_packed_count(in_channels, out_channels);
    double g[SIDE][3];
    weight_matrix(m, g);
    for (int64_t o = 0; o < out_channels; o++) {
        for (int64_t c = 0; c < in_channels; c++) {
            const float *taps = weights + (o * in_channels + c) * 9;
            double half[SIDE][3], factor = scale ? scale[o] : 1;
            for (int i = 0; i < side; i++)
                for (int k = 0; k < 3; k++)
                    half[i][k] = factor * (g[i][0] * taps[k] + g[i][1] * taps[3 + k] + g[i][2] * taps[6 + k]);
            float *to = packed + (o / nr * in_channels + c) * nr + o % nr;
            for (int i = 0; i < side * side; i++, to += step) {
                const double *h = half[i / side], *row = g[i % side];
                *to = (float)(h[0] * row[0] + h[1] * row[1] + h[2] * row[2]);
            }
        }
    }
}
