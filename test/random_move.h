/* random_move.h - layers of random graphs that compute nothing: they cut, join, turn, repeat and interpolate.
 */
#ifndef RANDOM_MOVE_H
#define RANDOM_MOVE_H

#include "random_element.h"

/* An axis, counted from the front or from behind. */
static inline int random_signed_axis(random_maker *m, int axis, int rank)
{
    return random_chance(m, 50) ? axis : axis - rank;
}

static inline rg_value_id random_transpose(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x);
    int64_t perm[RG_RANK_MAX];
    for (int i = 0; i < rank; i++) perm[i] = i;
    for (int i = rank - 1; i > 0; i--) {
        int64_t k = random_below(m, i + 1), kept = perm[i];
        perm[i] = perm[k];
        perm[k] = kept;
    }
    const char *attrs = random_chance(m, 15) ? NULL : random_list(m, "perm", rank, perm);
    return RANDOM_NODE(m, "Transpose", attrs, random_bound(m, x), x);
}

/* Neighboring axes merged, one axis cut in two, 0 for a size that stays, -1 for one that follows. */
static inline rg_value_id random_new_shape(random_maker *m, rg_value_id x)
{
    const rg_type *t = random_type(m, x);
    int rank = t->rank, at = rank ? (int)random_below(m, rank) : 0, count = 0;
    int64_t dim[RG_RANK_MAX];
    if (random_chance(m, 15))
        return RANDOM_NODE(m, "Flatten", random_text(m, "axis=%d", (int)random_between(m, -rank, rank)),
                           random_bound(m, x), x);
    for (int i = 0; i < rank; i++) dim[count++] = t->dim[i];
    if (rank > 1 && at + 1 < rank && random_chance(m, 60)) {
        dim[at] *= dim[at + 1];
        for (int i = at + 1; i + 1 < count; i++) dim[i] = dim[i + 1];
        count--;
    } else if (rank && rank < 6) {
        int64_t part = random_divisor(m, dim[at]);
        for (int i = count; i > at; i--) dim[i] = dim[i - 1];
        dim[at] /= part;
        dim[at + 1] = part;
        count++;
    }
    if (count && random_chance(m, 40)) dim[random_below(m, count)] = -1;
    else if (at && random_chance(m, 30)) dim[0] = 0;
    return random_reshape(m, x, count, dim);
}

static inline rg_value_id random_squeeze_axes(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x);
    int64_t axes[RG_RANK_MAX];
    int count = 0;
    for (int i = 0; i < rank; i++)
        if (random_dim(m, x, i) == 1 && random_chance(m, 70)) axes[count++] = random_signed_axis(m, i, rank);
    if (count && random_chance(m, 70))
        return RANDOM_NODE(m, "Squeeze", NULL, random_bound(m, x), x, random_ints(m, count, axes));
    if (rank > 5) return 0;
    int64_t at = random_between(m, -rank - 1, rank);
    return RANDOM_NODE(m, "Unsqueeze", NULL, random_bound(m, x), x, random_ints(m, 1, &at));
}

static inline rg_value_id random_concat(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x), axis = rank ? (int)random_below(m, rank) : 0;
    rg_value_id in[4] = {x};
    uint32_t count = 1;
    int64_t all = random_count(m, x);
    double bound = random_bound(m, x);
    if (!rank) return 0;
    for (int64_t more = random_between(m, 1, 3); more > 0; more--) {
        rg_value_id y = m->pool[random_below(m, m->pool_count)];
        bool fits = random_rank(m, y) == rank && random_chance(m, 70);
        for (int i = 0; fits && i < rank; i++) fits = i == axis || random_dim(m, x, i) == random_dim(m, y, i);
        if (!fits) {
            int64_t dim[RG_RANK_MAX];
            memcpy(dim, random_type(m, x)->dim, (size_t)rank * sizeof *dim);
            dim[axis] = random_between(m, 1, 5);
            y = random_constant(m, RG_F32, rank, dim, -1, 1);
        }
        if (m->b.err || all + random_count(m, y) > RANDOM_COUNT_MAX) break;
        all += random_count(m, y);
        bound = fmax(bound, random_bound(m, y));
        in[count++] = y;
    }
    return random_node(m, "Concat", random_text(m, "axis=%d", random_signed_axis(m, axis, rank)), bound,
                       count, in);
}

/* All parts but the last are offered to later layers. */
static inline rg_value_id random_split(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x), axis = rank ? (int)random_below(m, rank) : 0;
    int64_t extent = rank ? random_dim(m, x, axis) : 1, sizes[3];
    rg_value_id in[2] = {x}, out[3];
    if (extent < 2) return 0;
    uint32_t parts = extent > 2 && random_chance(m, 40) ? 3 : 2, in_count = 1;
    const char *attrs = random_text(m, "axis=%d", random_signed_axis(m, axis, rank));
    if (random_chance(m, 50)) {
        sizes[0] = random_between(m, 1, extent - parts + 1);
        sizes[1] = parts == 2 ? extent - sizes[0] : random_between(m, 1, extent - sizes[0] - 1);
        sizes[2] = extent - sizes[0] - sizes[1];
        in[in_count++] = random_ints(m, (int)parts, sizes);
    } else { /* the last part may be the smaller one, yet not empty */
        int64_t each = (extent + parts - 1) / parts;
        if (each * (parts - 1) >= extent) parts = 2;
        attrs = random_text(m, "%s num_outputs=%u", attrs, parts);
    }
    random_nodes(m, "Split", attrs, random_bound(m, x), in_count, in, parts, out);
    for (uint32_t i = 0; i + 1 < parts; i++) random_offer(m, out[i]);
    return m->b.err ? 0 : out[parts - 1];
}

/* Both directions, steps, bounds outside of the tensor. */
static inline rg_value_id random_slice(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x), count = 0;
    int64_t starts[RG_RANK_MAX], ends[RG_RANK_MAX], axes[RG_RANK_MAX], steps[RG_RANK_MAX];
    for (int i = 0; i < rank; i++) {
        int64_t extent = random_dim(m, x, i), first, last;
        if (random_chance(m, 50)) continue;
        first = random_below(m, extent);
        last = random_between(m, first, extent - 1);
        axes[count] = random_signed_axis(m, i, rank);
        if (random_chance(m, 70)) {
            steps[count] = random_chance(m, 60) ? 1 : random_between(m, 2, 3);
            starts[count] = random_chance(m, 50) ? first : first - extent;
            ends[count] = random_chance(m, 30) ? INT64_MAX : last + 1;
        } else {
            steps[count] = -random_between(m, 1, 2);
            starts[count] = random_chance(m, 30) ? extent + 3 : last;
            ends[count] = first || random_chance(m, 30) ? first - 1 - extent : INT64_MIN;
        }
        count++;
    }
    if (!count) return 0;
    bool stepped = random_chance(m, 60);
    for (int i = 0; i < count; i++) stepped = stepped || steps[i] != 1;
    rg_value_id from = random_ints(m, count, starts), to = random_ints(m, count, ends);
    rg_value_id along = random_ints(m, count, axes);
    if (!stepped) return RANDOM_NODE(m, "Slice", NULL, random_bound(m, x), x, from, to, along);
    return RANDOM_NODE(m, "Slice", NULL, random_bound(m, x), x, from, to, along,
                       random_ints(m, count, steps));
}

static inline rg_value_id random_pad(random_maker *m, rg_value_id x)
{
    static const char *const modes[] = {"constant", "constant", "reflect", "edge", "wrap"};
    const char *mode = RANDOM_PICK(m, modes);
    int rank = random_rank(m, x);
    int64_t pads[2 * RG_RANK_MAX], grown = 1;
    bool plain = !strcmp(mode, "constant");
    if (!rank) return 0;
    for (int i = 0; i < rank; i++) {
        int64_t extent = random_dim(m, x, i);
        int64_t most = !strcmp(mode, "reflect") ? extent - 1 : !strcmp(mode, "wrap") ? extent : 3;
        int64_t least = plain && extent > 2 && random_chance(m, 10) ? -1 : 0; /* crops */
        most = random_chance(m, 50) ? 0 : most < 3 ? most : 3;
        pads[i] = random_between(m, least, most > least ? most : least);
        pads[i + rank] = random_between(m, least, most > least ? most : least);
        grown *= extent + pads[i] + pads[i + rank];
    }
    if (grown > RANDOM_COUNT_MAX) return 0;
    const char *attrs = random_text(m, "mode=\"%s\"", mode);
    rg_value_id list = random_ints(m, 2 * rank, pads);
    if (!plain || random_chance(m, 40)) return RANDOM_NODE(m, "Pad", attrs, random_bound(m, x), x, list);
    return RANDOM_NODE(m, "Pad", attrs, random_bound(m, x) + 1, x, list,
                       random_scalar(m, random_real(m, -1, 1)));
}

/* Two corners where ONNX's text, its reference and ONNX Runtime do not agree are left out: corners aligned at
 * a size that the scales do not give exactly, and PyTorch's pixels along an axis of one. */
static inline rg_value_id random_resize(random_maker *m, rg_value_id x)
{
    static const char *const modes[] = {"nearest", "nearest", "linear", "linear", "cubic"};
    static const char *const frames[] = {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"};
    static const char *const nearests[] = {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"};
    const char *mode = RANDOM_PICK(m, modes), *frame = RANDOM_PICK(m, frames);
    x = random_of_rank(m, x, 4);
    if (m->b.err) return 0;
    bool nearest = !strcmp(mode, "nearest");
    int64_t sizes[4];
    float scales[4] = {1, 1};
    for (int i = 0; i < 4; i++) {
        int64_t extent = random_dim(m, x, i);
        sizes[i] = i < 2 ? extent : random_chance(m, 50) ? 2 * extent : random_between(m, 1, 12);
        scales[i] = i < 2 ? 1 : random_chance(m, 60) ? 2 : random_chance(m, 50) ? 1.5F : 0.75F;
        if ((int64_t)((float)extent * scales[i]) < 1) scales[i] = 1;
        if (nearest && i > 1) sizes[i] = extent * random_between(m, 1, 3); /* places are exact, halves too */
    }
    bool by_size = random_chance(m, 50) || !strcmp(frame, "align_corners");
    if (!strcmp(frame, "pytorch_half_pixel"))
        for (int i = 2; i < 4; i++)
            if (sizes[i] == 1 || (float)random_dim(m, x, i) * scales[i] < 2) return 0;
    if (random_count(m, x) * 4 > RANDOM_COUNT_MAX || !random_fits(sizes, 4)) return 0;
    const char *attrs = random_text(m, "mode=\"%s\" coordinate_transformation_mode=\"%s\"", mode, frame);
    if (nearest)
        attrs = random_text(m, "%s nearest_mode=\"%s\"", attrs, RANDOM_PICK(m, nearests));
    double bound = 1.5 * random_bound(m, x);
    if (by_size) return RANDOM_NODE(m, "Resize", attrs, bound, x, 0, 0, random_ints(m, 4, sizes));
    rg_value_id list = random_constant(m, RG_F32, 1, (const int64_t[]){4}, 0, 0);
    if (!m->b.err) memcpy((void *)(uintptr_t)m->b.g->values[list].data->data, scales, sizeof scales);
    return RANDOM_NODE(m, "Resize", attrs, bound, x, 0, list);
}

/* Indices as a constant of any rank, or as an input: -1 and 0 are valid for every size. */
static inline rg_value_id random_gather(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x), axis = rank ? (int)random_below(m, rank) : 0,
        some = (int)random_below(m, 3);
    int64_t extent = rank ? random_dim(m, x, axis) : 0,
            dim[2] = {random_between(m, 1, 4), random_between(m, 1, 4)};
    if (!rank || random_count(m, x) / extent * random_product(dim, some) > RANDOM_COUNT_MAX) return 0;
    rg_dtype dtype = random_chance(m, 70) ? RG_I64 : RG_I32;
    rg_value_id at = random_chance(m, 25)
                         ? random_input(m, dtype, some, dim)
                         : random_constant(m, dtype, some, dim, -(double)extent, (double)extent - 1);
    return RANDOM_NODE(m, "Gather", random_text(m, "axis=%d", random_signed_axis(m, axis, rank)),
                       random_bound(m, x), x, at);
}

static inline rg_value_id random_repeat(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x);
    int64_t times[RG_RANK_MAX], dim[RG_RANK_MAX];
    if (!rank) return 0;
    for (int i = 0; i < rank; i++) {
        int64_t extent = random_dim(m, x, i);
        times[i] = random_chance(m, 70) ? 1 : random_between(m, 2, 3);
        dim[i] = extent * times[i];
        if (extent > 1) times[i] = random_chance(m, 50) ? 1 : times[i];
    }
    if (!random_fits(dim, rank)) return 0;
    if (random_chance(m, 50))
        return RANDOM_NODE(m, "Tile", NULL, random_bound(m, x), x, random_ints(m, rank, times));
    for (int i = 0; i < rank; i++)
        dim[i] = random_dim(m, x, i) == 1 ? random_between(m, 1, 3)
                 : random_chance(m, 50)   ? 1
                                          : random_dim(m, x, i);
    for (int i = 0; i < rank; i++) times[i] = random_dim(m, x, i) == 1 ? dim[i] : random_dim(m, x, i);
    if (!random_fits(times, rank)) return 0;
    return RANDOM_NODE(m, "Expand", NULL, random_bound(m, x), x, random_ints(m, rank, dim));
}

static inline rg_value_id random_pixel_shuffle(random_maker *m, rg_value_id x)
{
    x = random_of_rank(m, x, 4);
    if (m->b.err) return 0;
    for (int64_t block = 2; block < 4; block++) {
        if (random_dim(m, x, 1) % (block * block) == 0)
            return RANDOM_NODE(m, "DepthToSpace",
                               random_text(m, "blocksize=%lld mode=\"%s\"", (long long)block,
                                           random_chance(m, 50) ? "DCR" : "CRD"), random_bound(m, x), x);
        if (random_dim(m, x, 2) % block == 0 && random_dim(m, x, 3) % block == 0)
            return RANDOM_NODE(m, "SpaceToDepth", random_text(m, "blocksize=%lld", (long long)block),
                               random_bound(m, x), x);
    }
    return 0;
}

/* Groups of channels interleaved: Reshape, Transpose, Reshape. */
static inline rg_value_id random_channel_shuffle(random_maker *m, rg_value_id x)
{
    x = random_of_rank(m, x, 4);
    if (m->b.err) return 0;
    int64_t n = random_dim(m, x, 0), c = random_dim(m, x, 1), h = random_dim(m, x, 2),
            w = random_dim(m, x, 3);
    int64_t group = random_divisor(m, c);
    rg_value_id y = random_reshape(m, x, 5, (const int64_t[]){n, group, c / group, h, w});
    y = RANDOM_NODE(m, "Transpose", "perm=0,2,1,3,4", random_bound(m, x), y);
    return random_reshape(m, y, 4, (const int64_t[]){n, c, h, w});
}

/* To another type and back. What rounds is for exact values only. */
static inline rg_value_id random_cast(random_maker *m, rg_value_id x)
{
    static const rg_dtype wide[] = {RG_F64},
                          any[] = {RG_F64, RG_F16, RG_BF16, RG_I32, RG_I64, RG_I8, RG_BOOL};
    rg_dtype dtype = random_is_exact(m, x) ? RANDOM_PICK(m, any) : RANDOM_PICK(m, wide);
    bool swims = dtype == RG_I8 && random_bound(m, x) > 100; /* what does not fit is nobody's to say */
    if (swims) dtype = RG_I32;
    rg_value_id y = RANDOM_NODE(m, "Cast", random_text(m, "to=%d", (int)dtype), random_bound(m, x), x);
    if (random_chance(m, 20)) return y;
    return RANDOM_NODE(m, "Cast", "to=1", random_bound(m, x), y);
}

static inline rg_value_id random_arg_max(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x);
    if (!rank || !random_is_exact(m, x)) return 0;
    const char *attrs = random_text(m, "axis=%d keepdims=%d select_last_index=%d",
                                    (int)random_between(m, -rank, rank - 1), (int)random_below(m, 2),
                                    (int)random_below(m, 2));
    return RANDOM_NODE(m, random_chance(m, 50) ? "ArgMax" : "ArgMin", attrs, 1, x);
}

#endif
