/* array.c - elements of run-time tensors, and walking over them. */
#include "op/kernel.h"

#include <stdlib.h>
#include <string.h>

/* ---- one element ---- */

/* The types that nearly all tensors have are read as they lie; the others bit by bit. */
double rg_get(const rg_array *a, int64_t i)
{
    switch (a->dtype) {
    case RG_F32: return (double)((const float *)a->data)[i];
    case RG_F64: return ((const double *)a->data)[i];
    case RG_I64: return (double)((const int64_t *)a->data)[i];
    case RG_I32: return (double)((const int32_t *)a->data)[i];
    case RG_U8:  return (double)((const uint8_t *)a->data)[i];
    case RG_I8:  return (double)((const int8_t *)a->data)[i];
    default:     return rg_dtype_get_real(a->dtype, a->data, i);
    }
}

void rg_put(const rg_array *a, int64_t i, double x)
{
    if (a->dtype == RG_F64) ((double *)a->data)[i] = x;
    else rg_dtype_set_real(a->dtype, a->data, i, x);
}

int64_t rg_get_int(const rg_array *a, int64_t i)
{
    switch (a->dtype) {
    case RG_I64:
    case RG_U64: return ((const int64_t *)a->data)[i];
    case RG_I32: return ((const int32_t *)a->data)[i];
    case RG_U8:  return ((const uint8_t *)a->data)[i];
    case RG_I8:  return ((const int8_t *)a->data)[i];
    default:     return rg_dtype_get_int(a->dtype, a->data, i);
    }
}

/* The low bits, sign and all. */
static int64_t wrapped(rg_dtype dtype, int64_t x)
{
    int bits = rg_dtype_bits(dtype);
    uint64_t low = (uint64_t)x & ((UINT64_C(1) << bits) - 1), sign = UINT64_C(1) << (bits - 1);
    return rg_dtype_class(dtype) == 'i' ? (int64_t)((low ^ sign) - sign) : (int64_t)low;
}

void rg_put_int(const rg_array *a, int64_t i, int64_t x)
{
    if (a->dtype == RG_I64 || a->dtype == RG_U64) ((int64_t *)a->data)[i] = x;
    else rg_dtype_set_int(a->dtype, a->data, i, rg_dtype_is_int(a->dtype) ? wrapped(a->dtype, x) : x);
}

void rg_copy(const rg_array *to, int64_t i, const rg_array *from, int64_t k)
{
    rg_copy_run(to, i, from, k, 1);
}

void rg_copy_run(const rg_array *to, int64_t i, const rg_array *from, int64_t k, int64_t count)
{
    int bits = rg_dtype_bits(from->dtype);
    size_t size = from->dtype == RG_STR ? sizeof(rg_str) : (size_t)bits / 8;
    if (count <= 0) return;
    if (size) {
        memcpy((char *)to->data + (size_t)i * size, (const char *)from->data + (size_t)k * size,
               (size_t)count * size);
        return;
    }
    for (int64_t n = 0; n < count; n++) /* several to a byte */
        rg_dtype_set_real(to->dtype, to->data, i + n, rg_dtype_get_real(from->dtype, from->data, k + n));
}

void rg_clear(const rg_array *a)
{
    bool text = a->dtype == RG_STR;
    double size = text ? (double)a->count * sizeof(rg_str) : rg_dtype_bytes(a->dtype, (double)a->count);
    if (a->count) memset(a->data, 0, (size_t)size);
}

/* ---- shapes ---- */

int64_t rg_array_size(const rg_array *a, int from, int to)
{
    int64_t size = 1;
    for (int k = from; k < to; k++) size *= a->dim[k];
    return size;
}

void rg_array_strides(const rg_array *a, int64_t stride[RG_RANK_MAX])
{
    int64_t step = 1;
    for (int k = a->rank - 1; k >= 0; k--) stride[k] = step, step *= a->dim[k];
}

bool rg_index_next(int rank, const int64_t *dim, int64_t *index)
{
    for (int k = rank - 1; k >= 0; k--) {
        if (++index[k] < dim[k]) return true;
        index[k] = 0;
    }
    return false;
}

void rg_broadcast_strides(const rg_array *a, int rank, const int64_t *dim, int64_t stride[RG_RANK_MAX])
{
    int64_t own[RG_RANK_MAX];
    int before = rank - a->rank; /* axes that a lacks, in front */
    rg_array_strides(a, own);
    for (int k = 0; k < rank; k++)
        stride[k] = k < before || (a->dim[k - before] == 1 && dim[k] != 1) ? 0 : own[k - before];
}

int64_t rg_index_at(int rank, const int64_t *index, const int64_t *stride)
{
    int64_t at = 0;
    for (int k = 0; k < rank; k++) at += index[k] * stride[k];
    return at;
}

/* ---- whole tensors in one type ---- */

const float *rg_floats(const rg_run *r, const rg_array *a)
{
    if (a->dtype == RG_F32) return a->data;
    float *out = RG_NEW(r->scratch, float, a->count);
    for (int64_t i = 0; out && i < a->count; i++) out[i] = (float)rg_get(a, i);
    return out;
}

const double *rg_doubles(const rg_run *r, const rg_array *a)
{
    if (a->dtype == RG_F64) return a->data;
    double *out = RG_NEW(r->scratch, double, a->count);
    for (int64_t i = 0; out && i < a->count; i++) out[i] = rg_get(a, i);
    return out;
}

const int64_t *rg_ints(const rg_run *r, const rg_array *a)
{
    if (a->dtype == RG_I64) return a->data;
    int64_t *out = RG_NEW(r->scratch, int64_t, a->count);
    for (int64_t i = 0; out && i < a->count; i++) out[i] = rg_get_int(a, i);
    return out;
}

float *rg_room(const rg_run *r, const rg_array *a)
{
    return a->dtype == RG_F32 ? a->data : RG_NEW(r->scratch, float, a->count);
}

void rg_store_floats(const rg_array *a, const float *from)
{
    if (from == a->data) return;
    for (int64_t i = 0; i < a->count; i++) rg_put(a, i, (double)from[i]);
}
