/* dtype.h - element types. The number is ONNX's TensorProto.DataType,
 * so importer and exporter need no table. */
#ifndef RG_DTYPE_H
#define RG_DTYPE_H

#include "base/base.h"

/*    id         name         ONNX bits  class: f float, i signed, u unsigned, c complex, o other */
#define RG_DTYPE_LIST(X)          \
    X(F32,       "f32",        1, 32, 'f') \
    X(U8,        "u8",         2,  8, 'u') \
    X(I8,        "i8",         3,  8, 'i') \
    X(U16,       "u16",        4, 16, 'u') \
    X(I16,       "i16",        5, 16, 'i') \
    X(I32,       "i32",        6, 32, 'i') \
    X(I64,       "i64",        7, 64, 'i') \
    X(STR,       "str",        8,  0, 'o') \
    X(BOOL,      "bool",       9,  8, 'o') \
    X(F16,       "f16",       10, 16, 'f') \
    X(F64,       "f64",       11, 64, 'f') \
    X(U32,       "u32",       12, 32, 'u') \
    X(U64,       "u64",       13, 64, 'u') \
    X(C64,       "c64",       14, 64, 'c') \
    X(C128,      "c128",      15, 128, 'c') \
    X(BF16,      "bf16",      16, 16, 'f') \
    X(F8E4M3FN,  "f8e4m3fn",  17,  8, 'f') \
    X(F8E4M3UZ,  "f8e4m3fnuz", 18, 8, 'f') \
    X(F8E5M2,    "f8e5m2",    19,  8, 'f') \
    X(F8E5M2UZ,  "f8e5m2fnuz", 20, 8, 'f') \
    X(U4,        "u4",        21,  4, 'u') \
    X(I4,        "i4",        22,  4, 'i') \
    X(F4E2M1,    "f4e2m1",    23,  4, 'f') \
    X(F8E8M0,    "f8e8m0",    24,  8, 'f') \
    X(U2,        "u2",        25,  2, 'u') \
    X(I2,        "i2",        26,  2, 'i')

typedef enum rg_dtype {
    RG_DTYPE_NONE = 0,
#define X(id, name, code, bits, class) RG_##id = code,
    RG_DTYPE_LIST(X)
#undef X
    RG_DTYPE_END,
} rg_dtype;

const char *rg_dtype_name(rg_dtype dtype);       /* "f32"; "?" for NONE or out of range */
/* RG_DTYPE_NONE when unknown; accepts fp32, float32, half, int8, ... too */
rg_dtype rg_dtype_named(rg_str name);
int rg_dtype_bits(rg_dtype dtype);               /* 0 for strings and NONE */
char rg_dtype_class(rg_dtype dtype);             /* 'f','i','u','c','o' */
bool rg_dtype_is_float(rg_dtype dtype);
bool rg_dtype_is_int(rg_dtype dtype);            /* signed or unsigned integer, not bool */
/* Bytes of `count` packed elements: int4 takes half a byte,
 * rounded up over the whole tensor. Strings count 16 each. */
double rg_dtype_bytes(rg_dtype dtype, double count);
/* One element, read as double / int64 (saturating); index is of elements. Little-endian storage, packed
 * sub-bytes low nibble first (ONNX). Not for strings. */
double rg_dtype_get_real(rg_dtype dtype, const void *data, int64_t index);
int64_t rg_dtype_get_int(rg_dtype dtype, const void *data, int64_t index);
/* Writes one element, rounding to nearest even, saturating integers. */
void rg_dtype_set_real(rg_dtype dtype, void *data, int64_t index, double x);
void rg_dtype_set_int(rg_dtype dtype, void *data, int64_t index, int64_t x);

#endif
