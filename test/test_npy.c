/* test_npy.c - NumPy's files: their bytes as the format's description has them, every type in both byte
 * orders, both element orders, what is refused, files cut anywhere, and archives.
 */
#include "format/npy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <zip.h>

#include <cmocka.h>

static rg_ctx *cx;
static char path[64];

static int start(void **state)
{
    (void)state;
    cx = rg_ctx_new(NULL);
    snprintf(path, sizeof path, "/tmp/ridge-npy-%ld", (long)getpid());
    return cx ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    unlink(path);
    rg_ctx_free(cx);
    return 0;
}

/* What numpy.save writes for arange(6, dtype='<i2').reshape(2, 3): the header is filled up so that the
 * elements begin at byte 128. */
static const char known[] =
    "\x93NUMPY\x01\x00\x76\x00"
    "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }"
    "                                                          \n"
    "\x00\x00\x01\x00\x02\x00\x03\x00\x04\x00\x05\x00";

enum { KNOWN_BYTE = sizeof known - 1, HEADER_ROOM = 512 };

/* A file of that version, dictionary and elements. */
static rg_str file_of(int version, const char *dictionary, const void *data, size_t size)
{
    size_t text = strlen(dictionary), prefix = version == 1 ? 10 : 12;
    char *bytes = rg_arena_alloc(&cx->arena, prefix + text + 1 + size);
    assert_non_null(bytes);
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (char)version;
    bytes[8] = (char)((text + 1) & 0xff);
    bytes[9] = (char)((text + 1) >> 8);
    memcpy(bytes + prefix, dictionary, text);
    bytes[prefix + text] = '\n';
    if (size) memcpy(bytes + prefix + text + 1, data, size);
    return (rg_str){bytes, prefix + text + 1 + size};
}

static const rg_array *read_ok(rg_str bytes, rg_datum **datum)
{
    rg_err err = rg_npy_parse(cx, bytes, datum);
    if (err) fail_msg("%s", rg_ctx_error(cx));
    return &(*datum)->array;
}

static void test_known_bytes(void **state)
{
    (void)state;
    rg_datum *datum;
    const rg_array *a = read_ok((rg_str){known, KNOWN_BYTE}, &datum);
    assert_int_equal(KNOWN_BYTE, 128 + 12);
    assert_int_equal(a->dtype, RG_I16);
    assert_int_equal(a->rank, 2);
    assert_int_equal(a->dim[0], 2);
    assert_int_equal(a->dim[1], 3);
    for (int i = 0; i < 6; i++) assert_int_equal(rg_get_int(a, i), i);

    char written[2 * KNOWN_BYTE];
    assert_int_equal(rg_npy_write(cx, path, a), RG_OK);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(written, 1, sizeof written, file), KNOWN_BYTE);
    fclose(file);
    assert_memory_equal(written, known, KNOWN_BYTE);
    rg_datum_free(datum);
}

/* Two elements of every kind in either byte order, by the bits that IEEE 754 and two's complement give. */
static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *descr;
        const char *bytes;
        size_t size;
        rg_dtype dtype;
        double first, second;
    } rows[] = {
        {"|b1", "\x00\x02", 2, RG_BOOL, 0, 1},
        {"|i1", "\x80\x7f", 2, RG_I8, -128, 127},
        {"|u1", "\x80\xff", 2, RG_U8, 128, 255},
        {"<i2", "\x00\x80\x01\x00", 4, RG_I16, -32768, 1},
        {">i2", "\x80\x00\x00\x01", 4, RG_I16, -32768, 1},
        {"<u2", "\x00\x80\x01\x00", 4, RG_U16, 32768, 1},
        {">u4", "\x80\x00\x00\x00\x00\x00\x01\x00", 8, RG_U32, 2147483648.0, 256},
        {"<i4", "\xff\xff\xff\xff\x00\x01\x00\x00", 8, RG_I32, -1, 256},
        {">i8", "\xff\xff\xff\xff\xff\xff\xff\xfe\0\0\0\0\0\0\0\x05", 16, RG_I64, -2, 5},
        {"<u8", "\x07\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0", 16, RG_U64, 7, 4294967296.0},
        {"<f2", "\x00\x3c\x00\xc0", 4, RG_F16, 1, -2},
        {">f2", "\x3c\x00\xc0\x00", 4, RG_F16, 1, -2},
        {"<f4", "\x00\x00\x80\x3f\x00\x00\x00\xc0", 8, RG_F32, 1, -2},
        {">f4", "\x3f\x80\x00\x00\xc0\x00\x00\x00", 8, RG_F32, 1, -2},
        {"=f4", "\x00\x00\x80\x3f\x00\x00\x00\xc0", 8, RG_F32, 1, -2},
        {">f8", "\x3f\xf0\0\0\0\0\0\0\xc0\0\0\0\0\0\0\0", 16, RG_F64, 1, -2},
        {"<c8", "\x00\x00\x80\x3f\x00\x00\x00\xc0\x00\x00\x00\xc0\x00\x00\x80\x3f", 16, RG_C64, 1, -2},
        {">c8", "\x3f\x80\x00\x00\xc0\x00\x00\x00\xc0\x00\x00\x00\x3f\x80\x00\x00", 16, RG_C64, 1, -2},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        char text[HEADER_ROOM];
        rg_datum *datum;
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (2,), }",
                 rows[i].descr);
        const rg_array *a = read_ok(file_of(1, text, rows[i].bytes, rows[i].size), &datum);
        if (a->dtype != rows[i].dtype || rg_get(a, 0) != rows[i].first || rg_get(a, 1) != rows[i].second)
            fail_msg("%s: %s %g %g", rows[i].descr, rg_dtype_name(a->dtype), rg_get(a, 0), rg_get(a, 1));
        rg_datum_free(datum);
    }
}

/* The imaginary part is swapped by itself. */
static void test_complex(void **state)
{
    (void)state;
    rg_datum *datum;
    const rg_array *a = read_ok(file_of(1, "{'descr': '>c16', 'fortran_order': False, 'shape': ()}",
                                        "\x3f\xf0\0\0\0\0\0\0\xc0\0\0\0\0\0\0\0", 16), &datum);
    assert_int_equal(a->dtype, RG_C128);
    assert_true(((const double *)a->data)[0] == 1 && ((const double *)a->data)[1] == -2);
    rg_datum_free(datum);
}

static void test_strings(void **state)
{
    (void)state;
    rg_datum *datum;
    const rg_array *a = read_ok(file_of(1, "{'descr': '|S3', 'fortran_order': False, 'shape': (3,), }",
                                        "abcde\0\0\0\0", 9), &datum);
    assert_int_equal(a->dtype, RG_STR);
    assert_true(rg_str_is(rg_get_str(a, 0), "abc"));
    assert_true(rg_str_is(rg_get_str(a, 1), "de"));
    assert_true(rg_str_is(rg_get_str(a, 2), ""));
    rg_datum_free(datum);

    /* one character for each length of UTF-8: A, e with acute, euro, treble clef */
    static const char wide[] = "\x41\0\0\0\xe9\0\0\0" "\xac\x20\0\0\x1e\xd1\x01\0";
    a = read_ok(file_of(3, "{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }", wide, 16), &datum);
    assert_true(rg_str_is(rg_get_str(a, 0), "A\xc3\xa9"));
    assert_true(rg_str_is(rg_get_str(a, 1), "\xe2\x82\xac\xf0\x9d\x84\x9e"));
    rg_datum_free(datum);
    a = read_ok(file_of(2, "{'descr': '>U1', 'fortran_order': False, 'shape': (1,), }", "\0\0\x20\xac", 4),
                &datum);
    assert_true(rg_str_is(rg_get_str(a, 0), "\xe2\x82\xac"));
    rg_datum_free(datum);
}

/* [2, 3] of Fortran lies as 00 10 01 11 02 12. */
static void test_fortran(void **state)
{
    (void)state;
    rg_datum *datum;
    const rg_array *a = read_ok(file_of(1, "{'descr': '|i1', 'fortran_order': True, 'shape': (2, 3), }",
                                        "\x00\x0a\x01\x0b\x02\x0c", 6), &datum);
    static const int64_t wanted[] = {0, 1, 2, 10, 11, 12};
    for (int i = 0; i < 6; i++) assert_int_equal(rg_get_int(a, i), wanted[i]);
    rg_datum_free(datum);
    a = read_ok(file_of(1, "{'descr': '>i2', 'fortran_order': True, 'shape': (1, 2, 2), }",
                        "\0\x01\0\x02\0\x03\0\x04", 8), &datum);
    static const int64_t swapped[] = {1, 3, 2, 4};
    for (int i = 0; i < 4; i++) assert_int_equal(rg_get_int(a, i), swapped[i]);
    rg_datum_free(datum);
}

/* What other writers make of the dictionary. */
static void test_spellings(void **state)
{
    (void)state;
    static const struct { const char *text; int version, rank; int64_t count; } rows[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 1, 0, 1},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1L,)}", 1, 1, 1},
        {"{\"shape\":(1,1),\"descr\":\"<f4\",\"fortran_order\":False}", 2, 2, 1},
        {"{  'fortran_order' : True ,\n 'shape' : ( 1 , 1 , 1 ) , 'descr' : '<f4' }", 3, 3, 1},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", 1, 2, 0},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4611686018427387904), }", 1, 2, 0},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_datum *datum;
        const rg_array *a = read_ok(file_of(rows[i].version, rows[i].text, "\0\0\x80\x3f", 4), &datum);
        assert_int_equal(a->rank, rows[i].rank);
        assert_int_equal(a->count, rows[i].count);
        if (a->count) assert_true(rg_get(a, 0) == 1);
        rg_datum_free(datum);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *text; int version; rg_err err; const char *words;
    } rows[] = {
        {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 1, RG_UNSUPPORTED, "Python objects"},
        {"{'descr': '|O8', 'fortran_order': False, 'shape': (1,), }", 1, RG_UNSUPPORTED, "Python objects"},
        {"{'descr': '|V2', 'fortran_order': False, 'shape': (1,), }", 1, RG_UNSUPPORTED, "raw bytes"},
        {"{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1,), }", 1, RG_UNSUPPORTED, "dates"},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }", 1, RG_UNSUPPORTED, "'<f16'"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 1, RG_UNSUPPORTED, "records"},
        {"{'descr': '<i3', 'fortran_order': False, 'shape': (1,), }", 1, RG_UNSUPPORTED, "'<i3'"},
        {"{'descr': '<U0', 'fortran_order': False, 'shape': (99999999999,), }", 1, RG_UNSUPPORTED, "'<U0'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 1, RG_FORMAT, "3 elements of 4 bytes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 1, RG_FORMAT,
         "needs"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 1, RG_FORMAT, "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 2), }", 1, RG_FORMAT, "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 3, }", 1, RG_FORMAT, "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 1, RG_LIMIT,
         "dimensions"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", 1, RG_FORMAT, "True nor False"},
        {"{'descr': '<f4', 'shape': (1,), }", 1, RG_FORMAT, "lacks"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", 1, RG_FORMAT, "'x'"},
        {"['descr']", 1, RG_FORMAT, "dictionary"},
        {"{'descr' '<f4'}", 1, RG_FORMAT, "dictionary"},
        {"{'descr': '<f4", 1, RG_FORMAT, "string"},
        {"{", 1, RG_FORMAT, "dictionary"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 4, RG_UNSUPPORTED, "version 4"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 0, RG_UNSUPPORTED, "version 0"},
        {"{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", 1, RG_FORMAT, "0x3f800000"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_datum *datum;
        rg_err err = rg_npy_parse(cx, file_of(rows[i].version, rows[i].text, "\0\0\x80\x3f", 4), &datum);
        if (err != rows[i].err || !strstr(rg_ctx_error(cx), rows[i].words))
            fail_msg("%s: %d %s", rows[i].text, (int)err, rg_ctx_error(cx));
        assert_null(datum);
    }
    rg_datum *datum;
    static const char large[] = "\x93NUMPY\x02\x00\x00\x00\x01\x00{}";
    assert_int_equal(rg_npy_parse(cx, (rg_str){large, sizeof large - 1}, &datum), RG_LIMIT);
}

/* Also what lies behind the elements does not count. */
static void test_cut(void **state)
{
    (void)state;
    rg_datum *datum;
    for (size_t size = 0; size < KNOWN_BYTE; size++) {
        char *copy = malloc(size + 1); /* of its own, so that a sanitizer sees a step beyond it */
        assert_non_null(copy);
        memcpy(copy, known, size);
        if (rg_npy_parse(cx, (rg_str){copy, size}, &datum) != RG_FORMAT) fail_msg("%zu bytes are read", size);
        free(copy);
    }
    rg_str longer = file_of(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }", "ab", 2);
    assert_int_equal(read_ok(longer, &datum)->count, 1);
    rg_datum_free(datum);
}

/* Every type that there is: what NumPy lacks comes back wider, with the same values. */
static void test_round_trip(void **state)
{
    (void)state;
    for (int dtype = 1; dtype < RG_DTYPE_END; dtype++) {
        static const int64_t dim[] = {2, 1, 3};
        rg_datum *datum, *again;
        if (dtype == RG_STR) continue;
        assert_int_equal(rg_datum_tensor(cx, dtype, 3, dim, &datum), RG_OK);
        for (int i = 0; i < 6; i++) rg_put(&datum->array, i, i % 2);
        assert_int_equal(rg_npy_write(cx, path, &datum->array), RG_OK);
        if (rg_npy_read(cx, path, &again)) fail_msg("%s: %s", rg_dtype_name(dtype), rg_ctx_error(cx));
        assert_int_equal(again->array.dtype, rg_npy_type(dtype));
        assert_int_equal(again->array.rank, 3);
        for (int i = 0; i < 6; i++) assert_true(rg_get(&again->array, i) == rg_get(&datum->array, i));
        rg_datum_free(datum);
        rg_datum_free(again);
    }
    assert_int_equal(rg_npy_type(RG_BF16), RG_F32);
    assert_int_equal(rg_npy_type(RG_I4), RG_I8);
    assert_int_equal(rg_npy_type(RG_U2), RG_U8);
    assert_int_equal(rg_npy_type(RG_F64), RG_F64);
}

/* Text goes as characters; bytes that are no UTF-8 go as bytes. */
static void test_string_round_trip(void **state)
{
    (void)state;
    static const char *const words[][3] = {
        {"", "A\xc3\xa9", "\xe2\x82\xac\xf0\x9d\x84\x9e"},
        {"", "\xff\xfe", "abc"},
        {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"}, /* too long a form, half a pair, beyond Unicode */
    };
    for (size_t k = 0; k < RG_COUNT(words); k++) {
        static const int64_t dim[] = {3};
        rg_datum *datum, *again;
        assert_int_equal(rg_datum_tensor(cx, RG_STR, 1, dim, &datum), RG_OK);
        for (int i = 0; i < 3; i++) ((rg_str *)datum->array.data)[i] = rg_str_of(words[k][i]);
        assert_int_equal(rg_npy_write(cx, path, &datum->array), RG_OK);
        assert_int_equal(rg_npy_read(cx, path, &again), RG_OK);
        for (int i = 0; i < 3; i++) assert_true(rg_str_is(rg_get_str(&again->array, i), words[k][i]));
        rg_datum_free(datum);
        rg_datum_free(again);
    }
}

static void test_files(void **state)
{
    (void)state;
    rg_datum *datum;
    assert_int_equal(rg_npy_read(cx, "/tmp/ridge-no-such.npy", &datum), RG_INPUT);
    assert_non_null(strstr(rg_ctx_error(cx), "/tmp/ridge-no-such.npy"));
    read_ok((rg_str){known, KNOWN_BYTE}, &datum);
    assert_int_equal(rg_npy_write(cx, "/nonexistent/x.npy", &datum->array), RG_FAILED);
    rg_datum_free(datum);
}

/* ---- archives ---- */

static void add(zip_t *archive, const char *name, bool deflate)
{
    zip_source_t *source = zip_source_buffer(archive, known, KNOWN_BYTE, 0);
    assert_non_null(source);
    zip_int64_t index = zip_file_add(archive, name, source, 0);
    assert_true(index >= 0);
    assert_int_equal(
        zip_set_file_compression(archive, (zip_uint64_t)index, deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0),
        0);
}

static void write_archive(void)
{
    zip_t *archive = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(archive);
    add(archive, "plain.npy", false);
    add(archive, "readme.txt", false);
    add(archive, "packed.npy", true);
    assert_int_equal(zip_close(archive), 0);
}

static void test_archive(void **state)
{
    (void)state;
    const char *const *names;
    size_t count;
    rg_datum *datum;
    write_archive();
    assert_int_equal(rg_npz_names(cx, path, &names, &count), RG_OK);
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "plain");
    assert_string_equal(names[1], "packed");
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rg_npz_read(cx, path, names[i], &datum), RG_OK);
        for (int k = 0; k < 6; k++) assert_int_equal(rg_get_int(&datum->array, k), k);
        rg_datum_free(datum);
    }
    assert_int_equal(rg_npz_read(cx, path, "other", &datum), RG_INPUT);
    assert_non_null(strstr(rg_ctx_error(cx), "'other'"));
    assert_int_equal(rg_npz_names(cx, "/tmp/ridge-no-such.npz", &names, &count), RG_INPUT);
}

/* The directory of an archive is at its end: without its last byte it is none. */
static void test_cut_archive(void **state)
{
    (void)state;
    char bytes[4096];
    const char *const *names;
    size_t count;
    write_archive();
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t whole = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_true(whole > KNOWN_BYTE && whole < sizeof bytes);
    for (size_t size = 0; size < whole; size++) {
        assert_int_equal(truncate(path, 0), 0);
        file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, size, file), size);
        fclose(file);
        rg_err err = rg_npz_names(cx, path, &names, &count);
        if (err != RG_FORMAT &&
            !(err == RG_OK && !size && !count)) /* libzip takes nothing for an empty archive */
            fail_msg("%zu of %zu bytes: %d %s", size, whole, (int)err, rg_ctx_error(cx));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_bytes),      cmocka_unit_test(test_types),
        cmocka_unit_test(test_complex),          cmocka_unit_test(test_strings),
        cmocka_unit_test(test_fortran),          cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_cut),
        cmocka_unit_test(test_round_trip),       cmocka_unit_test(test_string_round_trip),
        cmocka_unit_test(test_files),            cmocka_unit_test(test_archive),
        cmocka_unit_test(test_cut_archive),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
