/* datum.c - making, sharing and comparing values at run time. Each lies in an arena of its own. */
#include "op/kernel.h"

#include <math.h>
#include <string.h>

static rg_err new_datum(rg_ctx *cx, rg_kind kind, rg_datum **out)
{
    rg_datum *d = RG_NEW_OWN(cx, rg_datum);
    *out = d;
    if (!d) return rg_nomem(cx);
    d->kind = kind, d->refs = 1;
    return RG_OK;
}

const rg_datum *rg_datum_ref(const rg_datum *datum)
{
    if (datum) __atomic_add_fetch(&((rg_datum *)(uintptr_t)datum)->refs, 1, __ATOMIC_RELAXED);
    return datum;
}

void rg_datum_free(const rg_datum *datum)
{
    rg_datum *d = (rg_datum *)(uintptr_t)datum;
    if (!d || __atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL)) return;
    for (size_t i = 0; i < d->item_count; i++) rg_datum_free(d->items[i]);
    rg_datum_free(d->base);
    rg_arena arena = d->arena; /* the datum lies in it */
    rg_arena_done(&arena);
}

/* Type and sizes into an array without elements; the count is overflow-checked, and so is that of any of its
 * axes alone: an empty tensor's other axes are multiplied too. */
static rg_err shape(rg_ctx *cx, rg_array *a, rg_dtype dtype, int rank, const int64_t *dim)
{
    int64_t most = 1; /* were nothing empty */
    *a = (rg_array){.dtype = dtype, .rank = rank, .count = 1};
    if (rank < 0 || rank > RG_RANK_MAX) return rg_fail(cx, RG_LIMIT, "rank %d exceeds %d", rank, RG_RANK_MAX);
    for (int k = 0; k < rank; k++) {
        if (dim[k] < 0) return rg_fail(cx, RG_SHAPE, "axis %d would have size %lld", k, (long long)dim[k]);
        a->dim[k] = dim[k];
        if (!rg_mul_size(most, dim[k] ? dim[k] : 1, &most))
            return rg_fail(cx, RG_LIMIT, "a tensor of more than 2^63 elements");
        a->count *= dim[k];
    }
    return RG_OK;
}

rg_err rg_datum_tensor(rg_ctx *cx, rg_dtype dtype, int rank, const int64_t *dim, rg_datum **out)
{
    rg_array a;
    RG_TRY(shape(cx, &a, dtype, rank, dim));
    double size = rg_dtype_bytes(dtype, (double)a.count);
    if (!rg_dtype_bits(dtype) && dtype != RG_STR)
        return rg_fail(cx, RG_UNSUPPORTED, "a tensor without an element type");
    RG_TRY(new_datum(cx, RG_KIND_TENSOR, out));
    (*out)->array = a;
    if (size < 0x1p62) (*out)->array.data = rg_arena_alloc(&(*out)->arena, (size_t)size);
    if ((*out)->array.data) return RG_OK;
    rg_datum_free(*out);
    *out = NULL;
    return rg_nomem(cx);
}

rg_err rg_datum_like(rg_ctx *cx, const rg_array *like, rg_datum **out)
{
    return rg_datum_tensor(cx, like->dtype, like->rank, like->dim, out);
}

rg_err rg_datum_view(rg_ctx *cx, const rg_datum *of, int rank, const int64_t *dim, rg_datum **out)
{
    rg_array a;
    RG_TRY(shape(cx, &a, of->array.dtype, rank, dim));
    if (a.count != of->array.count)
        return rg_fail(cx, RG_SHAPE, "%lld elements cannot be shaped into %lld", (long long)of->array.count,
                       (long long)a.count);
    RG_TRY(new_datum(cx, RG_KIND_TENSOR, out));
    a.data = of->array.data;
    (*out)->array = a;
    (*out)->base = rg_datum_ref(of);
    return RG_OK;
}

rg_err rg_datum_of(rg_ctx *cx, const rg_tensor *tensor, rg_datum **out)
{
    *out = NULL;
    bool strings = tensor->encoding == RG_DATA_STRING;
    if (!strings && !rg_tensor_has_data(tensor))
        return rg_fail(cx, RG_INPUT, "has no data: the model comes without weights");
    RG_TRY(rg_datum_tensor(cx, tensor->dtype, tensor->rank, tensor->dim, out));
    if (!strings) {
        rg_tensor_unpack(tensor, (*out)->array.data);
        return RG_OK;
    }
    rg_str *to = (*out)->array.data;
    for (int64_t i = 0; i < tensor->count; i++) {
        to[i] = rg_arena_str(&(*out)->arena, ((const rg_str *)tensor->data)[i]);
        if (to[i].data) continue;
        rg_datum_free(*out);
        *out = NULL;
        return rg_nomem(cx);
    }
    return RG_OK;
}

/* ---- strings ---- */

rg_err rg_datum_own_strings(rg_ctx *cx, rg_datum *datum)
{
    const rg_array *a = &datum->array;
    if (__atomic_load_n(&datum->refs, __ATOMIC_RELAXED) > 1 || datum->base) return RG_OK; /* an older one */
    for (size_t i = 0; i < datum->item_count; i++)
        RG_TRY(rg_datum_own_strings(cx, (rg_datum *)(uintptr_t)datum->items[i]));
    for (int64_t i = 0; datum->kind == RG_KIND_TENSOR && a->dtype == RG_STR && i < a->count; i++) {
        rg_str *s = &((rg_str *)a->data)[i];
        if (s->size && !(*s = rg_arena_str(&datum->arena, *s)).data) return rg_nomem(cx);
    }
    return RG_OK;
}

/* ---- lists ---- */

/* A type that lives with the datum. Symbols stay behind in the graph that they are of. */
static bool copy_type(rg_arena *arena, const rg_type *from, rg_type *to)
{
    *to = *from;
    for (int k = 0; k < to->rank; k++)
        if (!rg_dim_is_number(from->dim[k])) to->rank = -1;
    if (!from->elem) return true;
    rg_type *elem = RG_NEW(arena, rg_type, 1);
    to->elem = elem;
    return elem && copy_type(arena, from->elem, elem);
}

/* What all items are: of tensors that differ in shape, the element type alone. */
static rg_type type_of_items(const rg_datum *const *items, size_t count)
{
    const rg_array *a = &items[0]->array;
    if (items[0]->kind != RG_KIND_TENSOR) return items[0]->type;
    rg_type type = rg_type_tensor(a->dtype, a->rank, a->dim);
    for (size_t i = 1; i < count; i++) {
        const rg_array *b = &items[i]->array;
        bool same = b->rank == type.rank;
        for (int k = 0; same && k < type.rank; k++) same = b->dim[k] == type.dim[k];
        if (!same) type.rank = -1;
    }
    return type;
}

static bool set_type(rg_datum *d, const rg_type *type)
{
    rg_type stated = {.kind = d->kind, .rank = -1}, elem;
    if (type && type->kind == d->kind) stated = *type;
    if (d->item_count && d->kind != RG_KIND_MAP) {
        elem = type_of_items(d->items, d->item_count);
        stated.elem = &elem;
    }
    return copy_type(&d->arena, &stated, &d->type);
}

rg_err rg_datum_list(rg_ctx *cx, rg_kind kind, const rg_type *type, const rg_datum *const *items,
                     size_t count, rg_datum **out)
{
    RG_TRY(new_datum(cx, kind, out));
    rg_datum *d = *out;
    d->items = RG_NEW(&d->arena, const rg_datum *, count);
    if (d->items) {
        for (size_t i = 0; i < count; i++) d->items[i] = rg_datum_ref(items[i]);
        d->item_count = count;
        if (set_type(d, type)) return RG_OK;
    }
    rg_datum_free(d);
    *out = NULL;
    return rg_nomem(cx);
}

/* ---- comparing ---- */

static bool say(char *text, size_t size, const char *format, ...) RG_PRINTF(3, 4);
static bool say(char *text, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rg_str_vprint(text, size, format, args);
    va_end(args);
    return false;
}

static bool close_numbers(double x, double y, double rtol, double atol)
{
    if (isnan(x) || isnan(y)) return isnan(x) && isnan(y);
    if (isinf(x) || isinf(y)) return x == y;
    return fabs(x - y) <= atol + rtol * fabs(y);
}

static bool close_arrays(const rg_array *a, const rg_array *b, double rtol, double atol, char *text,
                         size_t size)
{
    if (a->dtype != b->dtype)
        return say(text, size, "is %s, wanted %s", rg_dtype_name(a->dtype), rg_dtype_name(b->dtype));
    if (a->rank != b->rank) return say(text, size, "has rank %d, wanted %d", a->rank, b->rank);
    for (int k = 0; k < a->rank; k++)
        if (a->dim[k] != b->dim[k])
            return say(text, size, "has size %lld at axis %d, wanted %lld", (long long)a->dim[k], k,
                       (long long)b->dim[k]);
    int64_t wrong = 0, first = -1;
    for (int64_t i = 0; i < a->count; i++) {
        bool same = a->dtype == RG_STR ? rg_str_eq(rg_get_str(a, i), rg_get_str(b, i))
                  : rg_dtype_is_int(a->dtype) && rtol == 0 && atol == 0 ? rg_get_int(a, i) == rg_get_int(b, i)
                  : close_numbers(rg_get(a, i), rg_get(b, i), rtol, atol);
        if (!same && !wrong++) first = i;
    }
    if (!wrong) return true;
    if (a->dtype == RG_STR)
        return say(text, size, "%lld of %lld strings differ; the first at %lld: '%.40s', wanted '%.40s'",
                   (long long)wrong, (long long)a->count, (long long)first, rg_get_str(a, first).data,
                   rg_get_str(b, first).data);
    return say(text, size, "%lld of %lld elements differ; the first at %lld: %.9g, wanted %.9g",
               (long long)wrong, (long long)a->count, (long long)first, rg_get(a, first), rg_get(b, first));
}

bool rg_datum_close(const rg_datum *a, const rg_datum *b, double rtol, double atol, char *text, size_t size)
{
    char inner[256];
    if (a->kind != b->kind) return say(text, size, "is of another kind than wanted");
    if (a->kind == RG_KIND_TENSOR) return close_arrays(&a->array, &b->array, rtol, atol, text, size);
    if (a->item_count != b->item_count)
        return say(text, size, "has %zu elements, wanted %zu", a->item_count, b->item_count);
    for (size_t i = 0; i < a->item_count; i++)
        if (!rg_datum_close(a->items[i], b->items[i], rtol, atol, inner, sizeof inner))
            return say(text, size, "element %zu %s", i, inner);
    return true;
}
