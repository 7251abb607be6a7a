/* fast_move.c - operators that only move elements, as boxes copied to where the result has them: Transpose,
 * Concat, Split, Slice, Pad, Expand, DepthToSpace, SpaceToDepth, and Gather of indices that are known.
 *
 *     Concat     a box for each input             Pad      the input, and two margins for each axis
 *     Split      one for each output              Gather   one for each index
 *
 * Elements of any type are moved by their size. In the blocked layout a box has one axis more (axes.h), and
 * what is cut or joined along the channels comes in whole blocks.
 */
#include "exec/mover.h"

#include <string.h>

typedef struct move { rg_mover *movers; uint32_t count; } move;

typedef struct move_row {
    const char *op;
    bool (*fits)(const rg_fast_row *r);              /* types apart */
    bool (*blocks)(const rg_fast_row *r);            /* all may be blocked; NULL: they may not */
    rg_layout_rule otherwise;
    uint32_t (*boxes)(const rg_fast_row *r, rg_mover *to); /* how many; NULL: counts alone */
} move_row;

/* ---- what rows share ---- */

static bool is_blocked(const rg_fast_row *r) { return r->blocked && r->blocked[r->site.node->out[0]]; }

static int axis_of(const rg_fast_row *r, int rank)
{
    int64_t axis = rg_op_int(&r->site, "axis");
    return (int)(axis < 0 ? axis + rank : axis);
}

static int64_t byte_of(const rg_fast_row *r)
{
    return rg_mover_byte(rg_fast_array(r, r->site.node->in[0])->dtype);
}

/* The part at..at+count-1 of an axis of ONNX; returns where it begins, in elements. */
static int64_t cut(const rg_fast_row *r, rg_axes *a, int axis, int64_t at, int64_t count)
{
    int64_t grain = axis == 1 && is_blocked(r) ? RG_BLOCK : 1;
    a->dim[axis] = count / grain;
    return at / grain * a->step[axis];
}

static void add(const rg_fast_row *r, rg_value_id x, int64_t x_at, rg_value_id y, int64_t y_at,
                const rg_axes *box, const rg_axes *to, rg_mover *out)
{
    int64_t byte = byte_of(r);
    const char *from = rg_fast_array(r, x)->data;
    char *at = rg_fast_array(r, y)->data;
    rg_mover_make(from + x_at * byte, at + y_at * byte, byte, box, to->step, out);
}

static bool always(const rg_fast_row *r)
{
    (void)r;
    return true;
}

/* Every value is an image of several pixels. */
static bool all_images(const rg_fast_row *r, const rg_value_id *v, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const rg_array *a = rg_fast_array(r, v[i]);
        if (a->rank != 4 || a->dim[2] * a->dim[3] < 2) return false;
    }
    return true;
}

static bool constant_from(const rg_fast_row *r, uint32_t first)
{
    const rg_node *n = r->site.node;
    for (uint32_t i = first; i < n->in_count; i++)
        if (n->in[i] && !rg_fast_is_constant(r, n->in[i])) return false;
    return true;
}

/* ---- Transpose, Expand ---- */

/* An axis of both sides: size, and the steps. */
typedef struct pair { int64_t dim, from, to; } pair;

static void push(pair p, rg_axes *box, rg_axes *into)
{
    if (p.dim == 1) return;
    box->dim[box->rank] = p.dim;
    box->step[box->rank] = p.from;
    into->step[box->rank++] = p.to;
}

/* The channels of a side that has blocks are two axes on both. The result's own channels of a block come
 * last, since there its neighbors are. */
static uint32_t transpose_boxes(const rg_fast_row *r, rg_mover *to)
{
    const rg_node *n = r->site.node;
    uint32_t count;
    const int64_t *perm = rg_op_has(&r->site, "perm") ? rg_op_ints(&r->site, "perm", &count) : NULL;
    const rg_array *out = rg_fast_array(r, n->out[0]);
    rg_axes x = rg_axes_of(r, n->in[0]), y = rg_axes_of(r, n->out[0]), box = {0}, into = {0};
    pair last = {1, 0, 0};
    if (!to) return 1;
    for (int k = 0; k < out->rank; k++) {
        int64_t axis = perm ? perm[k] : out->rank - 1 - k;
        axis += axis < 0 ? out->rank : 0;
        bool from_blocks = x.rank > out->rank && axis == 1, to_blocks = y.rank > out->rank && k == 1;
        pair p = {out->dim[k], x.step[axis], y.step[k]}, inner = {1, 0, 0};
        if (from_blocks || to_blocks) {
            inner = (pair){RG_BLOCK, from_blocks ? 1 : p.from, to_blocks ? 1 : p.to};
            p = (pair){p.dim / RG_BLOCK, from_blocks ? p.from : p.from * RG_BLOCK,
                       to_blocks ? p.to : p.to * RG_BLOCK};
        }
        push(p, &box, &into);
        if (to_blocks) last = inner;
        else push(inner, &box, &into);
    }
    push(last, &box, &into);
    add(r, n->in[0], 0, n->out[0], 0, &box, &into, to);
    return 1;
}

static uint32_t expand_boxes(const rg_fast_row *r, rg_mover *to)
{
    const rg_node *n = r->site.node;
    rg_axes y = rg_axes_of(r, n->out[0]), box = y;
    if (to && rg_axes_like(r, n->in[0], n->out[0], &box)) add(r, n->in[0], 0, n->out[0], 0, &box, &y, to);
    return 1;
}

/* ---- DepthToSpace, SpaceToDepth: an order of six axes, see op/space.c ---- */

enum { SIX = 6 };

static void six_axes(const rg_fast_row *r, const int64_t *dim, const int *perm, rg_mover *to)
{
    rg_axes box = {.rank = SIX}, y = box;
    int64_t x_dim[SIX], x_step[SIX], x_next = 1, y_next = 1;
    for (int k = 0; k < SIX; k++) x_dim[perm[k]] = box.dim[k] = dim[k];
    for (int k = SIX - 1; k >= 0; k--) {
        y.step[k] = y_next, x_step[k] = x_next;
        y_next *= dim[k], x_next *= x_dim[k];
    }
    for (int k = 0; k < SIX; k++) box.step[k] = x_step[perm[k]];
    add(r, r->site.node->in[0], 0, r->site.node->out[0], 0, &box, &y, to);
}

static uint32_t to_depth_boxes(const rg_fast_row *r, rg_mover *to)
{
    const rg_array *x = rg_fast_array(r, r->site.node->in[0]);
    int64_t b = rg_op_int(&r->site, "blocksize");
    if (to)
        six_axes(r, (int64_t[]){x->dim[0], b, b, x->dim[1], x->dim[2] / b, x->dim[3] / b},
                 (int[]){0, 3, 5, 1, 2, 4}, to);
    return 1;
}

static uint32_t to_space_boxes(const rg_fast_row *r, rg_mover *to)
{
    const rg_array *x = rg_fast_array(r, r->site.node->in[0]);
    bool depth_first = rg_str_is(rg_op_str(&r->site, "mode"), "CRD");
    int64_t b = rg_op_int(&r->site, "blocksize");
    if (to)
        six_axes(r, (int64_t[]){x->dim[0], x->dim[1] / (b * b), x->dim[2], b, x->dim[3], b},
                 depth_first ? (int[]){0, 1, 4, 2, 5, 3} : (int[]){0, 3, 4, 1, 5, 2}, to);
    return 1;
}

/* ---- Concat, Split ---- */

static bool concat_blocks(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    return all_images(r, n->in, n->in_count) && all_images(r, n->out, 1);
}

static uint32_t concat_boxes(const rg_fast_row *r, rg_mover *to)
{
    const rg_node *n = r->site.node;
    int axis = axis_of(r, rg_fast_array(r, n->out[0])->rank);
    for (uint32_t i = 0, at = 0; to && i < n->in_count; i++) {
        rg_axes y = rg_axes_of(r, n->out[0]), box = rg_axes_of(r, n->in[i]);
        int64_t size = rg_fast_array(r, n->in[i])->dim[axis];
        add(r, n->in[i], 0, n->out[0], cut(r, &y, axis, at, size), &box, &y, &to[i]);
        at += (uint32_t)size;
    }
    return n->in_count;
}

static bool split_blocks(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    return all_images(r, n->in, 1) && all_images(r, n->out, n->out_count);
}

static bool split_fits(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    for (uint32_t i = 0; i < n->out_count; i++)
        if (!n->out[i]) return false;
    return constant_from(r, 1);
}

static uint32_t split_boxes(const rg_fast_row *r, rg_mover *to)
{
    const rg_node *n = r->site.node;
    int axis = axis_of(r, rg_fast_array(r, n->in[0])->rank);
    int64_t at = 0;
    for (uint32_t i = 0; to && i < n->out_count; i++) {
        rg_axes x = rg_axes_of(r, n->in[0]), y = rg_axes_of(r, n->out[i]);
        int64_t size = rg_fast_array(r, n->out[i])->dim[axis];
        int64_t from = cut(r, &x, axis, at, size);
        add(r, n->in[0], from, n->out[i], 0, &x, &y, &to[i]);
        at += size;
    }
    return n->out_count;
}

/* ---- Slice: every step-th element from `first` on, of as many as the result has ---- */

typedef struct stride { int64_t first[RG_RANK_MAX], step[RG_RANK_MAX]; } stride;

static int64_t clipped(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

static void read_slice(const rg_fast_row *r, stride *p)
{
    const rg_node *n = r->site.node;
    const rg_array *x = rg_fast_array(r, n->in[0]), *starts = rg_fast_array(r, n->in[1]);
    for (int k = 0; k < RG_RANK_MAX; k++) p->first[k] = 0, p->step[k] = 1;
    for (int64_t i = 0; i < starts->count; i++) {
        bool axes = n->in_count > 3 && n->in[3], steps = n->in_count > 4 && n->in[4];
        int64_t axis = axes ? rg_get_int(rg_fast_array(r, n->in[3]), i) : i;
        int64_t step = steps ? rg_get_int(rg_fast_array(r, n->in[4]), i) : 1, first = rg_get_int(starts, i);
        axis += axis < 0 ? x->rank : 0;
        first += first < 0 ? x->dim[axis] : 0;
        p->first[axis] = clipped(first, 0, step > 0 ? x->dim[axis] : x->dim[axis] - 1);
        p->step[axis] = step;
    }
}

static bool slice_fits(const rg_fast_row *r) { return constant_from(r, 1); }

static bool slice_blocks(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    stride p;
    if (!all_images(r, n->in, 1) || !all_images(r, n->out, 1)) return false;
    read_slice(r, &p);
    return p.first[1] % RG_BLOCK == 0 && p.step[1] == 1;
}

static uint32_t slice_boxes(const rg_fast_row *r, rg_mover *to)
{
    const rg_node *n = r->site.node;
    const rg_array *y = rg_fast_array(r, n->out[0]);
    rg_axes box = rg_axes_of(r, n->in[0]), into = rg_axes_of(r, n->out[0]);
    int64_t from = 0;
    stride p;
    if (!to) return 1;
    read_slice(r, &p);
    for (int k = 0; k < y->rank; k++) {
        from += cut(r, &box, k, p.first[k], y->dim[k]);
        if (y->dim[k] > 1) box.step[k] *= p.step[k]; /* a huge step never leaves the first element */
    }
    add(r, n->in[0], y->count ? from : 0, n->out[0], 0, &box, &into, to);
    return 1;
}

/* ---- Pad with a constant, cutting nothing ---- */

static void read_pads(const rg_fast_row *r, int64_t before[RG_RANK_MAX])
{
    const rg_node *n = r->site.node;
    const rg_array *pads = rg_fast_array(r, n->in[1]);
    const rg_array *axes = n->in_count > 3 && n->in[3] ? rg_fast_array(r, n->in[3]) : NULL;
    for (int k = 0; k < RG_RANK_MAX; k++) before[k] = 0;
    for (int64_t i = 0; i < pads->count / 2; i++) {
        int64_t axis = axes ? rg_get_int(axes, i) : i;
        before[axis < 0 ? axis + rg_fast_array(r, n->in[0])->rank : axis] = rg_get_int(pads, i);
    }
}

static bool pad_fits(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    if (!rg_str_is(rg_op_str(&r->site, "mode"), "constant") || !constant_from(r, 1)) return false;
    const rg_array *pads = rg_fast_array(r, n->in[1]), *x = rg_fast_array(r, n->in[0]);
    for (int64_t i = 0; i < pads->count; i++)
        if (rg_get_int(pads, i) < 0) return false;
    const rg_array *value = n->in_count > 2 && n->in[2] ? rg_fast_array(r, n->in[2]) : NULL;
    return !value || (value->count == 1 && value->dtype == x->dtype);
}

static bool pad_blocks(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    int64_t before[RG_RANK_MAX];
    if (!all_images(r, n->in, 1) || !all_images(r, n->out, 1)) return false;
    read_pads(r, before);
    return before[1] % RG_BLOCK == 0;
}

/* Boxes of margins have all of the axes behind theirs and the input's part of those in front. */
static uint32_t pad_boxes(const rg_fast_row *r, rg_mover *to)
{
    static const uint64_t zero;
    const rg_node *n = r->site.node;
    const rg_array *x = rg_fast_array(r, n->in[0]), *y = rg_fast_array(r, n->out[0]);
    const void *value = n->in_count > 2 && n->in[2] ? rg_fast_array(r, n->in[2])->data : &zero;
    int64_t before[RG_RANK_MAX], byte = byte_of(r), at = 0;
    uint32_t count = 0;
    if (!to) return 1 + 2 * (uint32_t)x->rank;
    rg_axes whole = rg_axes_of(r, n->out[0]), inner = whole, box = rg_axes_of(r, n->in[0]);
    read_pads(r, before);
    for (int k = 0; k < x->rank; k++) {
        int64_t from[2] = {0, before[k] + x->dim[k]}, size[2] = {before[k], y->dim[k] - from[1]};
        for (int side = 0; side < 2; side++) {
            rg_axes margin = inner;
            int64_t begin = at + cut(r, &margin, k, from[side], size[side]);
            memset(margin.step, 0, sizeof margin.step);
            rg_mover_make(value, (char *)y->data + begin * byte, byte, &margin, whole.step, &to[count++]);
        }
        at += cut(r, &inner, k, before[k], x->dim[k]);
    }
    add(r, n->in[0], 0, n->out[0], at, &box, &whole, &to[count++]);
    return count;
}

/* ---- Gather: those indices are few that are known and not part of a larger constant ---- */

enum { INDEX_MOST = 64 };

static bool gather_fits(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    if (!constant_from(r, 1)) return false;
    const rg_array *x = rg_fast_array(r, n->in[0]), *index = rg_fast_array(r, n->in[1]);
    if (index->count > INDEX_MOST) return false;
    int64_t size = x->dim[axis_of(r, x->rank)];
    for (int64_t i = 0; i < index->count; i++)
        if (rg_get_int(index, i) < -size || rg_get_int(index, i) >= size) return false;
    return true;
}

/* x [outer, size, inner], y [outer, index, inner] */
static uint32_t gather_boxes(const rg_fast_row *r, rg_mover *to)
{
    const rg_node *n = r->site.node;
    const rg_array *x = rg_fast_array(r, n->in[0]), *index = rg_fast_array(r, n->in[1]);
    int axis = axis_of(r, x->rank);
    int64_t size = x->dim[axis], inner = rg_array_size(x, axis + 1, x->rank),
            outer = rg_array_size(x, 0, axis);
    rg_axes box = {.rank = 2, .dim = {outer, inner}, .step = {size * inner, 1}};
    rg_axes y = {.rank = 2, .step = {index->count * inner, 1}};
    for (int64_t i = 0; to && i < index->count; i++) {
        int64_t at = rg_get_int(index, i);
        add(r, n->in[0], (at < 0 ? at + size : at) * inner, n->out[0], i * inner, &box, &y, &to[i]);
    }
    return (uint32_t)index->count;
}

/* ---- the kernel ---- */

static const move_row rows[] = {
    {"Transpose", always, NULL, RG_LAYOUT_FREE, transpose_boxes},
    {"Expand", always, NULL, RG_LAYOUT_PLAIN, expand_boxes},
    {"DepthToSpace", always, NULL, RG_LAYOUT_PLAIN, to_space_boxes},
    {"SpaceToDepth", always, NULL, RG_LAYOUT_PLAIN, to_depth_boxes},
    {"Concat", always, concat_blocks, RG_LAYOUT_PLAIN, concat_boxes},
    {"Split", split_fits, split_blocks, RG_LAYOUT_PLAIN, split_boxes},
    {"Slice", slice_fits, slice_blocks, RG_LAYOUT_PLAIN, slice_boxes},
    {"Pad", pad_fits, pad_blocks, RG_LAYOUT_PLAIN, pad_boxes},
    {"Gather", gather_fits, NULL, RG_LAYOUT_PLAIN, gather_boxes},
};

static const move_row *row_of(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    if (n->in_count < 1 || !n->in[0] || !n->out[0] || !byte_of(r)) return NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rg_node_is(n, rows[i].op)) return rows[i].fits(r) ? &rows[i] : NULL;
    return NULL;
}

static void run(void *state, rg_part part)
{
    const move *m = state;
    for (uint32_t i = 0; i < m->count; i++) rg_mover_run(&m->movers[i], part);
}

static rg_layout_rule layout(const rg_fast_row *r)
{
    const move_row *row = row_of(r);
    if (!row) return RG_LAYOUT_PLAIN;
    return row->blocks && row->blocks(r) ? RG_LAYOUT_SAME : row->otherwise;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const move_row *row = row_of(r);
    *state = NULL;
    if (!row) return RG_OK;
    move *m = RG_NEW(r->arena, move, 1);
    if (!m) return rg_nomem(r->cx);
    m->movers = RG_NEW(r->arena, rg_mover, row->boxes(r, NULL) + 1);
    if (!m->movers) return rg_nomem(r->cx);
    m->count = row->boxes(r, m->movers);
    *state = m;
    return RG_OK;
}

RG_FAST(move) = {
    .name = "move", .brief = "tensors joined, cut, padded, repeated, axes in another order", .layout = layout,
    .make = make, .run = run,
};
