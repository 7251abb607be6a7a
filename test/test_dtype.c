/* test_dtype.c - element types against the ONNX specification's tables and IEEE 754: names, sizes, every code
 * of the small floats there and back, rounding, saturation, packing; and the encodings of constants.
 */
#include "ir/ir.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static double real_of(rg_dtype dtype, uint64_t code)
{
    uint8_t bytes[16] = {0};
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(code >> (8 * i));
    return rg_dtype_get_real(dtype, bytes, 0);
}

static uint64_t code_of(rg_dtype dtype, double x)
{
    uint8_t bytes[16] = {0};
    uint64_t code = 0;
    rg_dtype_set_real(dtype, bytes, 0, x);
    for (int i = 0; i < 8; i++) code |= (uint64_t)bytes[i] << (8 * i);
    return code;
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(rg_dtype_name(RG_F32), "f32");
    assert_string_equal(rg_dtype_name(RG_DTYPE_NONE), "?");
    assert_string_equal(rg_dtype_name((rg_dtype)999), "?");
    assert_int_equal(rg_dtype_named(RG_LIT("f32")), RG_F32);
    assert_int_equal(rg_dtype_named(RG_LIT("float32")), RG_F32);
    assert_int_equal(rg_dtype_named(RG_LIT("half")), RG_F16);
    assert_int_equal(rg_dtype_named(RG_LIT("bfloat16")), RG_BF16);
    assert_int_equal(rg_dtype_named(RG_LIT("int8")), RG_I8);
    assert_int_equal(rg_dtype_named(RG_LIT("float8e4m3fn")), RG_F8E4M3FN);
    assert_int_equal(rg_dtype_named(RG_LIT("quad")), RG_DTYPE_NONE);
    for (int i = 1; i < RG_DTYPE_END; i++)
        assert_int_equal(rg_dtype_named(rg_str_of(rg_dtype_name((rg_dtype)i))), i);
    /* onnx.proto3, TensorProto.DataType */
    assert_int_equal(RG_F32, 1);
    assert_int_equal(RG_I64, 7);
    assert_int_equal(RG_BF16, 16);
    assert_int_equal(RG_F4E2M1, 23);
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(rg_dtype_bits(RG_C128), 128);
    assert_int_equal(rg_dtype_bits(RG_STR), 0);
    assert_int_equal(rg_dtype_bits((rg_dtype)-1), 0);
    assert_true(rg_dtype_bytes(RG_F32, 10) == 40);
    assert_true(rg_dtype_bytes(RG_I4, 3) == 2);
    assert_true(rg_dtype_bytes(RG_U2, 5) == 2);
    assert_true(rg_dtype_bytes(RG_STR, 3) == 48);
    assert_true(rg_dtype_is_float(RG_F8E8M0));
    assert_true(rg_dtype_is_int(RG_U4));
    assert_false(rg_dtype_is_int(RG_BOOL));
    assert_int_equal(rg_dtype_class(RG_C64), 'c');
}

/* Figures of the ONNX pages "Float stored in 8 bits", "4 bit" and of the OCP formats; IEEE 754 for f16. */
static const struct { rg_dtype dtype; uint64_t code; double value; } points[] = {
    {RG_F16, 0x3c00, 1.0},          {RG_F16, 0x7bff, 65504},       {RG_F16, 0x0001, 0x1p-24},
    {RG_F16, 0xc000, -2.0},         {RG_F16, 0x7c00, INFINITY},    {RG_BF16, 0x3f80, 1.0},
    {RG_BF16, 0x4049, 3.140625},    {RG_BF16, 0x0001, 0x1p-133},   {RG_F8E4M3FN, 0x7e, 448},
    {RG_F8E4M3FN, 0x08, 0x1p-6},    {RG_F8E4M3FN, 0x01, 0x1p-9},   {RG_F8E4M3UZ, 0x7f, 240},
    {RG_F8E4M3UZ, 0x01, 0x1p-10},   {RG_F8E5M2, 0x7b, 57344},      {RG_F8E5M2, 0x01, 0x1p-16},
    {RG_F8E5M2, 0x7c, INFINITY},    {RG_F8E5M2UZ, 0x7f, 57344},    {RG_F8E5M2UZ, 0x01, 0x1p-17},
    {RG_F4E2M1, 0x7, 6},            {RG_F4E2M1, 0x1, 0.5},         {RG_F4E2M1, 0xf, -6},
    {RG_F8E8M0, 127, 1},            {RG_F8E8M0, 0, 0x1p-127},      {RG_F8E8M0, 254, 0x1p127},
    {RG_F64, UINT64_C(0x3ff8000000000000), 1.5},                   {RG_F32, 0x40490fdb, 3.14159274101257324},
    {RG_I8, 0x80, -128},            {RG_U8, 0x80, 128},            {RG_I4, 0x8, -8},
    {RG_U4, 0xf, 15},               {RG_I2, 0x2, -2},              {RG_BOOL, 2, 1},
    {RG_U64, UINT64_MAX, 0x1p64},   {RG_I64, UINT64_MAX, -1},      {RG_U16, 0xffff, 65535},
};

static void test_points(void **state)
{
    (void)state;
    for (size_t i = 0; i < RG_COUNT(points); i++) {
        double x = real_of(points[i].dtype, points[i].code);
        if (x != points[i].value)
            fail_msg("%s 0x%llx is %g, not %g", rg_dtype_name(points[i].dtype),
                     (unsigned long long)points[i].code, x, points[i].value);
    }
    assert_true(isnan(real_of(RG_F16, 0x7e00)));
    assert_true(isnan(real_of(RG_F16, 0xfc01)));
    assert_true(isnan(real_of(RG_F8E4M3FN, 0x7f)));
    assert_true(isnan(real_of(RG_F8E4M3UZ, 0x80)));
    assert_true(isnan(real_of(RG_F8E5M2, 0x7d)));
    assert_true(isnan(real_of(RG_F8E5M2UZ, 0x80)));
    assert_true(isnan(real_of(RG_F8E8M0, 0xff)));
}

/* Every code of every small float reads as a number that writes the same code again (NaN: some NaN). */
static void test_codes(void **state)
{
    (void)state;
    static const rg_dtype small[] = {RG_F16,    RG_BF16,     RG_F8E4M3FN, RG_F8E4M3UZ,
                                     RG_F8E5M2, RG_F8E5M2UZ, RG_F4E2M1,   RG_F8E8M0};
    for (size_t i = 0; i < RG_COUNT(small); i++) {
        uint64_t count = UINT64_C(1) << rg_dtype_bits(small[i]);
        for (uint64_t code = 0; code < count; code++) {
            double x = real_of(small[i], code);
            uint64_t back = code_of(small[i], x);
            if (isnan(x)) assert_true(isnan(real_of(small[i], back)));
            else if (isinf(x) && small[i] == RG_F8E5M2) assert_true((back | 0x80) == 0xfb); /* saturates */
            else assert_int_equal(back, code);
        }
    }
}

static void test_rounding(void **state)
{
    (void)state;
    assert_int_equal(code_of(RG_F16, 1 + 0x1p-11), 0x3c00);              /* half way: to even, down */
    assert_int_equal(code_of(RG_F16, 1 + 3 * 0x1p-11), 0x3c02);          /* half way: to even, up */
    assert_int_equal(code_of(RG_F16, 1 + 0x1p-11 + 0x1p-30), 0x3c01);
    assert_int_equal(code_of(RG_F16, 65519.99), 0x7bff);
    assert_int_equal(code_of(RG_F16, 65520), 0x7c00);
    assert_int_equal(code_of(RG_F16, 0x1p-25), 0);
    assert_int_equal(code_of(RG_F16, 0x1.8p-25), 1);
    assert_int_equal(code_of(RG_F16, -0.0), 0x8000);
    assert_int_equal(code_of(RG_BF16, 1 + 0x1p-8), 0x3f80);
    assert_int_equal(code_of(RG_BF16, 1e39), 0x7f80);
    assert_int_equal(code_of(RG_F32, 1e39), 0x7f800000);
    assert_int_equal(code_of(RG_F32, 0x1.fffffefp127), 0x7f7fffff);
    assert_int_equal(code_of(RG_F8E4M3FN, 1e9), 0x7e);
    assert_int_equal(code_of(RG_F8E4M3FN, -INFINITY), 0xfe);
    assert_int_equal(code_of(RG_F8E4M3UZ, -0.0), 0);
    assert_int_equal(code_of(RG_F8E4M3UZ, -1e-30), 0);
    assert_int_equal(code_of(RG_F8E8M0, 3), 129);
    assert_int_equal(code_of(RG_F8E8M0, 2.9), 128);
    assert_int_equal(code_of(RG_F8E8M0, 1e300), 254);
}

static void test_integers(void **state)
{
    (void)state;
    assert_int_equal(code_of(RG_I8, 127.6), 127);
    assert_int_equal(code_of(RG_I8, -1000), 0x80);
    assert_int_equal(code_of(RG_U8, -3), 0);
    assert_int_equal(code_of(RG_I32, 2.5), 2);
    assert_int_equal(code_of(RG_I32, 3.5), 4);
    assert_int_equal(code_of(RG_I32, NAN), 0);
    assert_true(code_of(RG_U64, 0x1p64) == UINT64_MAX);
    assert_true(code_of(RG_U64, 0x1p63) == UINT64_C(1) << 63);
    assert_true(code_of(RG_I64, 1e30) == INT64_MAX);
    uint64_t all = UINT64_MAX;
    double big = -1e300, x = 7.9;
    assert_true(rg_dtype_get_int(RG_U64, &all, 0) == INT64_MAX);
    assert_true(rg_dtype_get_int(RG_F64, &big, 0) == INT64_MIN);
    assert_int_equal(rg_dtype_get_int(RG_F64, &x, 0), 7);
    int64_t exact = 0;
    rg_dtype_set_int(RG_I64, &exact, 0, INT64_MAX - 1);
    assert_true(exact == INT64_MAX - 1);
    rg_dtype_set_int(RG_U32, &exact, 0, -5);
    assert_int_equal(exact & 0xffffffff, 0);
}

static void test_packing(void **state)
{
    (void)state;
    uint8_t bytes[2] = {0x00, 0x00};
    rg_dtype_set_int(RG_I4, bytes, 0, -1);
    rg_dtype_set_int(RG_I4, bytes, 1, 2);
    rg_dtype_set_int(RG_I4, bytes, 2, -8);
    assert_int_equal(bytes[0], 0x2f); /* the low nibble first */
    assert_int_equal(bytes[1], 0x08);
    assert_int_equal(rg_dtype_get_int(RG_I4, bytes, 0), -1);
    assert_int_equal(rg_dtype_get_int(RG_I4, bytes, 1), 2);
    assert_int_equal(rg_dtype_get_int(RG_I4, bytes, 2), -8);
    assert_int_equal(rg_dtype_get_int(RG_U2, bytes, 2), 2);
    float complex_pair[4] = {1, 2, 3, 4};
    assert_true(rg_dtype_get_real(RG_C64, complex_pair, 1) == 3);
    rg_dtype_set_real(RG_C64, complex_pair, 1, 9);
    assert_true(complex_pair[2] == 9 && complex_pair[3] == 0 && complex_pair[1] == 2);
    char odd[9] = {0};
    rg_dtype_set_real(RG_F64, odd + 1, 0, 0.1); /* no alignment is asked for */
    assert_true(rg_dtype_get_real(RG_F64, odd + 1, 0) == 0.1);
}

/* ---- constants ---- */

#define TENSOR(type, n, form, bytes) \
    ((rg_tensor){.dtype = (type), .rank = 1, .dim = (const int64_t[]){n}, .count = (n), .encoding = (form), \
                 .data = (bytes), .size = sizeof(bytes)})

static void test_encodings(void **state)
{
    (void)state;
    static const uint8_t varints[] = {0x01, 0xac, 0x02, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    static const uint8_t halves[] = {0x80, 0x78, 0x80, 0x80, 0x03}; /* 0x3c00, 0xc000 */
    static const int64_t plain[] = {1, 300, -1};
    static const int32_t words[] = {1, 300, -1};
    rg_tensor raw = TENSOR(RG_I64, 3, RG_DATA_RAW, plain),
              packed = TENSOR(RG_I64, 3, RG_DATA_VARINT, varints);
    rg_tensor half = TENSOR(RG_F16, 2, RG_DATA_VARINT, halves), word = TENSOR(RG_I32, 3, RG_DATA_RAW, words);
    int64_t out[3] = {0};
    for (int64_t i = 0; i < 3; i++) {
        assert_int_equal(rg_tensor_int(&packed, i), plain[i]);
        assert_int_equal(rg_tensor_int(&raw, i), plain[i]);
    }
    assert_true(rg_tensor_real(&half, 0) == 1 && rg_tensor_real(&half, 1) == -2);
    assert_true(rg_tensor_unpack(&packed, out));
    assert_memory_equal(out, plain, sizeof out);
    assert_true(rg_tensor_eq(&raw, &packed));
    assert_false(rg_tensor_eq(&raw, &word));
    packed.dtype = RG_I32;
    assert_true(rg_tensor_eq(&word, &packed));
    raw.size--;
    assert_false(rg_tensor_has_data(&raw));
}

static void test_splats(void **state)
{
    (void)state;
    static const float one[] = {1}, ones[] = {1, 1, 1, 1}, mixed[] = {1, 1, 1, 2};
    static const uint8_t three[] = {0x33};
    rg_tensor splat = TENSOR(RG_F32, 4, RG_DATA_SPLAT, one), raw = TENSOR(RG_F32, 4, RG_DATA_RAW, ones);
    rg_tensor other = TENSOR(RG_F32, 4, RG_DATA_RAW, mixed), nibbles = TENSOR(RG_U4, 5, RG_DATA_SPLAT, three);
    rg_tensor none = {.dtype = RG_F32, .rank = 1, .dim = (const int64_t[]){4}, .count = 4};
    uint8_t out[3];
    assert_true(rg_tensor_is_splat_of(&splat, 1));
    assert_true(rg_tensor_is_splat_of(&raw, 1));
    assert_false(rg_tensor_is_splat_of(&other, 1));
    assert_false(rg_tensor_is_splat_of(&none, 0));
    assert_true(rg_tensor_eq(&splat, &raw));
    assert_false(rg_tensor_eq(&splat, &other));
    assert_true(rg_tensor_eq(&none, &none));
    assert_false(rg_tensor_eq(&none, &raw));
    assert_true(rg_tensor_real(&splat, 3) == 1);
    memset(out, 0, sizeof out);
    assert_true(rg_tensor_unpack(&nibbles, out));
    assert_int_equal(out[0], 0x33);
    assert_int_equal(out[2], 0x03);
    assert_false(rg_tensor_unpack(&none, out));
}

static void test_strings_and_places(void **state)
{
    (void)state;
    static const rg_str words[] = {{"ab", 2}, {"c", 1}}, same[] = {{"ab", 2}, {"c", 1}},
                        less[] = {{"ab", 2}, {"", 0}};
    rg_tensor x = TENSOR(RG_STR, 2, RG_DATA_STRING, words), y = TENSOR(RG_STR, 2, RG_DATA_STRING, same);
    rg_tensor z = TENSOR(RG_STR, 2, RG_DATA_STRING, less);
    assert_true(rg_tensor_eq(&x, &y));
    assert_false(rg_tensor_eq(&x, &z));
    assert_false(rg_tensor_has_data(&x));
    rg_tensor here = {
        .dtype = RG_F32, .count = 1, .encoding = RG_DATA_AWAY, .size = 4, .file = "w.bin", .offset = 8};
    rg_tensor there = here, next = here;
    next.offset = 12;
    there.encoding = RG_DATA_RAW;
    assert_true(rg_tensor_eq(&here, &there));
    assert_false(rg_tensor_eq(&here, &next));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_sizes),     cmocka_unit_test(test_points),
        cmocka_unit_test(test_codes),    cmocka_unit_test(test_rounding),  cmocka_unit_test(test_integers),
        cmocka_unit_test(test_packing),  cmocka_unit_test(test_encodings), cmocka_unit_test(test_splats),
        cmocka_unit_test(test_strings_and_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
