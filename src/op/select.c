/* select.c - how much comes out only the data decide: Compress, NonZero, Unique.
 *
 * The sizes are run-time symbols; what stands in for them until somebody says better is everything passing.
 */
#include "op/ordering.h"
#include "op/share.h"

/* A size of at most `most`, all of it until the run tells. */
static rg_dim up_to(const rg_site *s, rg_dim most)
{
    return rg_dim_open(s, rg_dim_value(rg_site_dims(s), most));
}

/* ---- Compress ---- */

static const rg_attr_spec compress_attrs[] = {
    {"axis", RG_ATTR_INT, NULL, false, "axis of the slices; the flattened input when left out"},
};

static const rg_case compress_cases[] = {
    {"f32[3,2] bool[3]", "axis=0", "f32[u0,2]"},
    {"f32[3,2] bool[5]=0,1,0,1,1", "", "f32[3]"},
};

static rg_err compress_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    uint32_t count;
    const rg_dim *keep = rg_in_known(s, 1, &count);
    rg_type type = rg_type_like(s, 0, RG_DTYPE_NONE);
    rg_dim kept = 0;
    int axis = 0;

    RG_TRY(rg_need_tensor(s, 0));
    RG_TRY(rg_need_tensor(s, 1));
    for (uint32_t i = 0; keep && i < count; i++) kept += keep[i] != 0;
    if (!rg_op_has(s, "axis")) {
        rg_dim all = in->rank < 0 ? 1 : rg_dims_product(s, in, 0, in->rank);
        type.rank = 1;
        type.dim[0] = keep ? kept : up_to(s, all);
    } else if (in->rank >= 0) {
        RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), in->rank, &axis));
        type.dim[axis] = keep ? kept : up_to(s, in->dim[axis]);
    }
    rg_set_out(s, 0, type);
    return RG_OK;
}

/* A tensor as slices along an axis: outer x size x inner elements. Without an axis it is flat. */
typedef struct slices { int axis; int64_t outer, size, inner; } slices;

static rg_err slices_of(const rg_run *r, const rg_array *x, slices *out)
{
    *out = (slices){.axis = 0, .outer = 1, .size = x->count, .inner = 1};
    if (!rg_op_has(&r->site, "axis")) return RG_OK;
    RG_TRY(rg_need_axis(&r->site, rg_op_int(&r->site, "axis"), x->rank, &out->axis));
    out->outer = rg_array_size(x, 0, out->axis);
    out->size = x->dim[out->axis];
    out->inner = rg_array_size(x, out->axis + 1, x->rank);
    return RG_OK;
}

/* Output 0: the slices `from`[0..count) of the input, in that order. */
static rg_err take_slices(const rg_run *r, const rg_array *x, const slices *s, const int64_t *from,
                          int64_t count)
{
    int64_t dim[RG_RANK_MAX] = {count};
    bool flat = !rg_op_has(&r->site, "axis");
    rg_array *y;
    for (int k = 0; k < x->rank && !flat; k++) dim[k] = k == s->axis ? count : x->dim[k];
    RG_TRY(rg_make_result(r, 0, x->dtype, flat ? 1 : x->rank, dim, &y));
    for (int64_t o = 0; y && o < s->outer; o++)
        for (int64_t i = 0; i < count; i++)
            rg_copy_run(y, (o * count + i) * s->inner, x, (o * s->size + from[i]) * s->inner, s->inner);
    return RG_OK;
}

/* The condition may be shorter than the axis: what it does not mention goes. */
static rg_err compress_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *keep = rg_arg(r, 1);
    slices s;
    int64_t count = 0;
    RG_TRY(slices_of(r, x, &s));
    int64_t *from = RG_NEW(r->scratch, int64_t, keep->count);
    if (!from) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < keep->count; i++) {
        if (!rg_get_int(keep, i)) continue;
        if (i >= s.size)
            return rg_run_fail(r, RG_SHAPE, "the condition keeps slice %lld of %lld", (long long)i,
                               (long long)s.size);
        from[count++] = i;
    }
    return take_slices(r, x, &s, from, count);
}

RG_OP(compress) = {
    .name = "Compress", .brief = "slices kept by a list of bools", .since = 11,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(compress_attrs) RG_CASES(compress_cases)
    .infer = compress_infer, .work = rg_work_copy, .run = compress_run,
};

/* ---- NonZero ---- */

static const rg_case nonzero_cases[] = {{"bool[2,3]", "", "i64[2,u0]"}, {"f32[batch]", "", "i64[1,u0]"}};

/* Known elements are counted, and their places are known too where the input is a list. */
static bool nonzero_follow(const rg_site *s, const rg_type *in)
{
    rg_dim out[RG_KNOWN_MAX], dim[2] = {1, 0};
    uint32_t count;
    const rg_dim *known = rg_in_known(s, 0, &count);

    if (!known || in->rank != 1) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!rg_dim_is_number(known[i]) && rg_dim_low(rg_site_dims(s), known[i]) <= 0) return false;
        if (known[i] != 0) out[dim[1]++] = i;
    }
    rg_set_out(s, 0, rg_type_tensor(RG_I64, 2, dim));
    rg_set_known(s, 0, out, (uint32_t)dim[1]);
    return true;
}

static rg_err nonzero_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);

    RG_TRY(rg_need_tensor(s, 0));
    if (nonzero_follow(s, in)) return RG_OK;
    rg_dim all = in->rank < 0 ? 1 : rg_dims_product(s, in, 0, in->rank);
    rg_dim dim[2] = {in->rank < 0 ? rg_dim_open(s, 1) : in->rank, up_to(s, all)};
    rg_set_out(s, 0, rg_type_tensor(RG_I64, 2, dim));
    return RG_OK;
}

static void nonzero_work(const rg_site *s, rg_work *w)
{
    rg_work_copy(s, w);
    w->flop = rg_in_count(s, 0);
}

static bool is_zero(const rg_array *x, int64_t i)
{
    if (x->dtype == RG_STR) return rg_get_str(x, i).size == 0;
    return rg_is_whole(x->dtype) ? rg_get_int(x, i) == 0 : rg_get(x, i) == 0;
}

/* [rank, count]: a column of coordinates for each element that is not zero. */
static rg_err nonzero_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0);
    int64_t index[RG_RANK_MAX] = {0}, dim[2] = {x->rank, 0}, at = 0;
    rg_array *y;
    for (int64_t i = 0; i < x->count; i++) dim[1] += !is_zero(x, i);
    RG_TRY(rg_make_result(r, 0, RG_I64, 2, dim, &y));
    for (int64_t i = 0; y && i < x->count; i++, rg_index_next(x->rank, x->dim, index)) {
        if (is_zero(x, i)) continue;
        for (int k = 0; k < x->rank; k++) rg_put_int(y, k * dim[1] + at, index[k]);
        at++;
    }
    return RG_OK;
}

RG_OP(nonzero) = {
    .name = "NonZero", .brief = "coordinates of the elements that are not zero", .since = 13,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_CASES(nonzero_cases)
    .infer = nonzero_infer, .work = nonzero_work, .run = nonzero_run,
};

/* ---- Unique ---- */

static const rg_attr_spec unique_attrs[] = {
    {"axis", RG_ATTR_INT, NULL, false, "axis of the slices compared; the flattened input when left out"},
    {"sorted", RG_ATTR_INT, "1", false, "whether the result is sorted, else in order of appearance"},
};

static const rg_case unique_cases[] = {
    {"f32[6]", "", "f32[u0] i64[u0] i64[6] i64[u0]"},
    {"f32[3,4]", "axis=1", "f32[3,u0] i64[u0] i64[4] i64[u0]"},
};

static rg_err unique_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    rg_type type = rg_type_like(s, 0, RG_DTYPE_NONE);
    rg_dim all, found;
    int axis = 0;

    RG_TRY(rg_need_tensor(s, 0));
    if (rg_op_has(s, "axis") && in->rank >= 0) {
        RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), in->rank, &axis));
        all = in->dim[axis];
    } else {
        all = in->rank < 0 ? rg_dim_open(s, 1) : rg_dims_product(s, in, 0, in->rank);
        type.rank = rg_op_has(s, "axis") ? -1 : 1;
    }
    found = up_to(s, all);
    type.dim[axis] = found;
    rg_set_out(s, 0, type);
    rg_set_out(s, 1, rg_type_tensor(RG_I64, 1, &found));
    rg_set_out(s, 2, rg_type_tensor(RG_I64, 1, &all));
    rg_set_out(s, 3, rg_type_tensor(RG_I64, 1, &found));
    return RG_OK;
}

/* A sort: n log2 n comparisons. */
static void unique_work(const rg_site *s, rg_work *w)
{
    rg_work_copy(s, w);
    w->family = RG_FAMILY_SORT;
    w->flop = rg_work_sort(rg_in_count(s, 0), rg_in_count(s, 0));
}

typedef struct compared { const rg_array *x; slices s; } compared;

static int order_slices(const compared *c, int64_t a, int64_t b)
{
    for (int64_t o = 0; o < c->s.outer; o++) {
        for (int64_t i = 0; i < c->s.inner; i++) {
            int64_t base = o * c->s.size * c->s.inner + i;
            int order = rg_order(c->x, base + a * c->s.inner, c->x, base + b * c->s.inner);
            if (order) return order;
        }
    }
    return 0;
}

static bool slice_before(const void *user, int64_t a, int64_t b) { return order_slices(user, a, b) < 0; }

/* Of each unique slice: where it is first, how often it is. group: the unique slice that a slice is. */
typedef struct found { int64_t count, *first, *times, *group; } found;

static bool first_before(const void *user, int64_t a, int64_t b)
{
    const found *f = user;
    return f->first[a] < f->first[b];
}

/* Equal slices follow each other in `sorted`, the earliest first. */
static void find_groups(const compared *c, const int64_t *sorted, found *f)
{
    for (int64_t i = 0; i < c->s.size; i++) {
        if (i == 0 || order_slices(c, sorted[i - 1], sorted[i])) f->first[f->count++] = sorted[i];
        f->times[f->count - 1]++;
        f->group[sorted[i]] = f->count - 1;
    }
}

static rg_err put_list(const rg_run *r, uint32_t i, const int64_t *list, int64_t count)
{
    rg_array *y;
    RG_TRY(rg_make_result(r, i, RG_I64, 1, &count, &y));
    for (int64_t k = 0; y && k < count; k++) rg_put_int(y, k, list[k]);
    return RG_OK;
}

/* `order`[i]: the group that comes i-th. */
static rg_err put_unique(const rg_run *r, const compared *c, const found *f, const int64_t *order)
{
    int64_t *first = RG_NEW(r->scratch, int64_t, f->count), *times = RG_NEW(r->scratch, int64_t, f->count);
    int64_t *place = RG_NEW(r->scratch, int64_t, f->count), *inverse = RG_NEW(r->scratch, int64_t, c->s.size);
    if (!first || !times || !place || !inverse) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < f->count; i++) {
        first[i] = f->first[order[i]];
        times[i] = f->times[order[i]];
        place[order[i]] = i;
    }
    for (int64_t i = 0; i < c->s.size; i++) inverse[i] = place[f->group[i]];
    RG_TRY(take_slices(r, c->x, &c->s, first, f->count));
    RG_TRY(put_list(r, 1, first, f->count));
    RG_TRY(put_list(r, 2, inverse, c->s.size));
    return put_list(r, 3, times, f->count);
}

static rg_err unique_run(const rg_run *r)
{
    compared c = {.x = rg_arg(r, 0)};
    RG_TRY(slices_of(r, c.x, &c.s));
    int64_t size = c.s.size, *list = RG_NEW(r->scratch, int64_t, size);
    found f = {
        .first = RG_NEW(r->scratch, int64_t, size), .times = RG_NEW(r->scratch, int64_t, size),
        .group = RG_NEW(r->scratch, int64_t, size),
    };
    if (!list || !f.first || !f.times || !f.group) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < size; i++) list[i] = i;
    RG_TRY(rg_sort(r, list, size, slice_before, &c));
    find_groups(&c, list, &f);
    for (int64_t i = 0; i < f.count; i++) list[i] = i;
    if (!rg_op_int(&r->site, "sorted")) RG_TRY(rg_sort(r, list, f.count, first_before, &f));
    return put_unique(r, &c, &f, list);
}

RG_OP(unique) = {
    .name = "Unique", .brief = "elements without repetition", .since = 11,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 4, RG_SPEC(unique_attrs) RG_CASES(unique_cases)
    .infer = unique_infer, .work = unique_work, .run = unique_run,
};
