/* test_base.c - the ground that everything stands on:
 * strings, numbers as text, units, arenas, maps, hashes, files. */
#include "base/base.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int open_context(void **state)
{
    *state = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .memory_limit_byte = 1 << 20});
    return *state ? 0 : 1;
}

static int close_context(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

/* ---- strings ---- */

static void integers_take_the_whole_text(void **state)
{
    (void)state;
    static const struct { const char *text; bool good; int64_t value; } rows[] = {
        {"0", true, 0},       {"-7", true, -7},    {"+7", true, 7},   {"007", true, 7},
        {"", false, 0},       {" 1", false, 0},    {"1 ", false, 0},  {"1.0", false, 0},
        {"0x10", false, 0},   {"-", false, 0},     {"ten", false, 0},
        {"9223372036854775807", true, INT64_MAX},  {"9223372036854775808", false, 0},
        {"-9223372036854775808", true, INT64_MIN}, {"-9223372036854775809", false, 0},
        {"00000000000000000000000000000000000000001", false, 0}, /* longer than any number needs to be */
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        int64_t value = 0;
        if (rg_str_int(rg_str_of(rows[i].text), &value) != rows[i].good) fail_msg("'%s'", rows[i].text);
        assert_true(value == rows[i].value);
    }
}

static void reals_take_the_whole_text(void **state)
{
    (void)state;
    static const struct { const char *text; bool good; double value; } rows[] = {
        {"1.5", true, 1.5},   {"-2e3", true, -2000}, {".5", true, 0.5},  {"0x1p4", true, 16},
        {"", false, 0},       {" 1", false, 0},      {"1 ", false, 0},   {"1,5", false, 0},
        {"1.5.2", false, 0},  {"1e999", true, INFINITY},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        double value = 0;
        if (rg_str_real(rg_str_of(rows[i].text), &value) != rows[i].good) fail_msg("'%s'", rows[i].text);
        assert_true(value == rows[i].value);
    }
}

static void cutting_gives_every_part_once(void **state)
{
    (void)state;
    static const char *const parts[] = {"a", "", "bc", ""};
    rg_str rest = RG_LIT("a,,bc,,"), part;
    size_t count = 0;
    while (rg_str_cut(&rest, ',', &part)) {
        assert_true(count < RG_COUNT(parts));
        assert_true(rg_str_is(part, parts[count++]));
    }
    assert_int_equal(count, RG_COUNT(parts));
}

static void strings_are_ordered_as_bytes(void **state)
{
    (void)state;
    static const char *const sorted[] = {"", "A", "a", "aa", "b", "\xc3\xa9"};
    for (size_t i = 0; i < RG_COUNT(sorted); i++)
        for (size_t k = 0; k < RG_COUNT(sorted); k++) {
            int order = rg_str_cmp(rg_str_of(sorted[i]), rg_str_of(sorted[k]));
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
            assert_int_equal(rg_str_eq(rg_str_of(sorted[i]), rg_str_of(sorted[k])), i == k);
        }
    assert_true(rg_str_starts(RG_LIT("Conv"), "Co"));
    assert_false(rg_str_starts(RG_LIT("Co"), "Conv"));
    assert_true(rg_str_is(rg_str_of(NULL), ""));
}

/* Levenshtein 1966; the first two pairs are the textbook's. */
static void distance_counts_edits(void **state)
{
    (void)state;
    static const struct { const char *a, *b; int edits; } rows[] = {
        {"kitten", "sitting", 3}, {"saturday", "sunday", 3}, {"", "abc", 3}, {"same", "SAME", 0},
        {"h100", "h200", 1},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        assert_int_equal(rg_str_distance(rg_str_of(rows[i].a), rg_str_of(rows[i].b)), rows[i].edits);
        assert_int_equal(rg_str_distance(rg_str_of(rows[i].b), rg_str_of(rows[i].a)), rows[i].edits);
    }
}

/* ---- quantities ---- */

/* A thing and what it allocates later are one arena's; without memory there is neither. */
static void things_lie_in_their_own_arena(void **state)
{
    typedef struct thing { int64_t first; rg_arena arena; int64_t last; } thing;
    rg_ctx *small = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .memory_limit_byte = 64});
    (void)state;
    assert_null(RG_NEW_OWN(small, thing));
    rg_ctx_free(small);
    rg_ctx *cx = rg_ctx_new(NULL);
    thing *t = RG_NEW_OWN(cx, thing);
    assert_true(t && !t->first && !t->last && t->arena.used_byte >= sizeof *t);
    rg_ctx_free(cx); /* which it outlives */
    assert_non_null(RG_NEW(&t->arena, char, 100000));
    assert_true(t->arena.used_byte >= sizeof *t + 100000);
    rg_arena arena = t->arena;
    rg_arena_done(&arena);
}

static void units_print_three_digits(void **state)
{
    (void)state;
    static const struct { double value; rg_unit unit; const char *text; } rows[] = {
        {0, RG_UNIT_SECOND, "0 s"},           {1.234e-3, RG_UNIT_SECOND, "1.23 ms"},
        {123.4e-9, RG_UNIT_SECOND, "123 ns"}, {0.9996e-3, RG_UNIT_SECOND, "1.00 ms"},
        {97.5e6, RG_UNIT_BYTE, "97.5 MB"},    {12.34e-6, RG_UNIT_SECOND, "12.3 µs"},
        {3, RG_UNIT_BYTE, "3 B"},             {0.5, RG_UNIT_BYTE, "0.500 B"},
        {4.09e9, RG_UNIT_MAC, "4.09 GMAC"},   {-2.5, RG_UNIT_JOULE, "-2.50 J"},
        {7, RG_UNIT_COUNT, "7"},              {25.6e6, RG_UNIT_COUNT, "25.6 M"},
        {1.1925e9, RG_UNIT_CLOCK, "1192 MHz"}, {0, RG_UNIT_CLOCK, "0 MHz"}, /* as a driver is told */
        {1.41e9, RG_UNIT_HERTZ, "1.41 GHz"},  {3.35e12, RG_UNIT_BYTE_PER_S, "3.35 TB/s"},
        {0.123, RG_UNIT_FRACTION, "12.3 %"},  {295, RG_UNIT_FLOP_PER_BYTE, "295 FLOP/B"},
        {1, RG_UNIT_FRACTION, "100 %"},       {2.5, RG_UNIT_USD, "$2.50"},
        {1e7, RG_UNIT_NONE, "1e+07"},         {12345, RG_UNIT_NONE, "12345"},
        {NAN, RG_UNIT_SECOND, "unknown"},     {INFINITY, RG_UNIT_WATT, "inf"},
        {-INFINITY, RG_UNIT_WATT, "-inf"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        char buffer[64];
        assert_string_equal(rg_unit_print(buffer, sizeof buffer, rows[i].value, rows[i].unit), rows[i].text);
    }
}

static void sizes_tell_overflow(void **state)
{
    (void)state;
    int64_t out;
    assert_true(rg_mul_size(INT64_C(3037000499), INT64_C(3037000499), &out)); /* floor(sqrt(2^63)) */
    assert_true(out == INT64_C(9223372030926249001));
    assert_false(rg_mul_size(INT64_C(3037000500), INT64_C(3037000500), &out));
    assert_false(rg_mul_size(INT64_MIN, -1, &out));
    assert_true(rg_add_size(INT64_MAX, INT64_MIN, &out));
    assert_true(out == -1);
    assert_false(rg_add_size(INT64_MAX, 1, &out));
}

/* ---- memory ---- */

static void arena_memory_is_zeroed_and_aligned(void **state)
{
    rg_arena arena;
    rg_arena_init(&arena, *state);
    for (size_t size = 0; size < 600; size += 7) {
        unsigned char *memory = rg_arena_alloc(&arena, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 16, 0);
        for (size_t i = 0; i < size; i++) assert_int_equal(memory[i], 0);
        memset(memory, 0xff, size); /* what comes next must not see this */
    }
    assert_false(arena.failed);
    rg_arena_done(&arena);
}

static void arena_ends_at_its_limit(void **state)
{
    rg_arena arena;
    rg_arena_init(&arena, *state);
    size_t given = 0;
    while (rg_arena_alloc(&arena, 1000)) given += 1000;
    assert_true(arena.failed);
    assert_in_range(given, (1 << 20) - 100000, 1 << 20);
    assert_null(RG_NEW(&arena, double, SIZE_MAX / 4)); /* bytes that no size_t can count */
    rg_arena_done(&arena);
    rg_arena_done(&arena); /* again is harmless */
}

static void text_grows_and_remembers_failure(void **state)
{
    rg_text text;
    rg_text_init(&text, &((rg_ctx *)*state)->arena);
    for (int i = 0; i < 1000; i++) rg_text_printf(&text, "%d,", i);
    assert_int_equal(text.size, 10 * 2 + 90 * 3 + 900 * 4);
    assert_string_equal(text.data + text.size - 8, "998,999,");
    while (!text.failed) rg_text_put(&text, (rg_str){text.data, text.size}); /* doubles until the limit */
    size_t size = text.size;
    rg_text_char(&text, 'x');
    assert_int_equal(text.size, size);
}

static void map_finds_what_was_put(void **state)
{
    enum { KEYS = 5000 };
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_map map;
    (void)state;
    assert_non_null(cx);
    rg_map_init(&map, &cx->arena);
    assert_int_equal(rg_map_get(&map, RG_LIT("k1")), 0);
    for (uint32_t i = 1; i <= KEYS; i++) {
        const char *key = rg_arena_printf(&cx->arena, "k%u", i);
        assert_non_null(key);
        assert_true(rg_map_put(&map, rg_str_of(key), i));
    }
    assert_true(rg_map_put(&map, RG_LIT("k7"), 70)); /* replaces */
    assert_true(rg_map_put(&map, RG_LIT(""), 9));    /* no bytes are a key, too */
    assert_int_equal(map.count, KEYS + 1);
    for (uint32_t i = 1; i <= KEYS; i++) {
        const char *key = rg_arena_printf(&cx->arena, "k%u", i);
        assert_non_null(key);
        assert_int_equal(rg_map_get(&map, rg_str_of(key)), i == 7 ? 70 : i);
    }
    assert_int_equal(rg_map_get(&map, RG_LIT("")), 9);
    assert_int_equal(rg_map_get(&map, RG_LIT("k5001")), 0);
    rg_ctx_free(cx);
}

/* ---- hashes and random numbers ---- */

/* The published outputs of splitmix64 for the seed 1234567. */
static void random_numbers_are_splitmix64(void **state)
{
    (void)state;
    static const uint64_t published[] = {
        UINT64_C(6457827717110365317), UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
        UINT64_C(4593380528125082431), UINT64_C(16408922859458223821),
    };
    uint64_t seed = 1234567;
    for (size_t i = 0; i < RG_COUNT(published); i++) assert_true(rg_random_next(&seed) == published[i]);
    double sum = 0;
    for (int i = 0; i < 10000; i++) {
        double x = rg_random_unit(&seed);
        assert_true(x >= 0 && x < 1);
        sum += x;
    }
    /* five standard errors of a uniform mean */
    assert_true(fabs(sum / 10000 - 0.5) < 5 * sqrt(1 / 12.0 / 10000));
}

/* Each of the 64 bits of the answer turns for about half of the single-bit changes of the key. */
static void hash_spreads_every_bit(void **state)
{
    enum { BYTES = 24, BITS = BYTES * 8 };
    (void)state;
    unsigned char key[BYTES] = {1, 2, 3};
    uint64_t whole = rg_hash(RG_HASH_SEED, key, BYTES);
    int turned[64] = {0};
    for (int bit = 0; bit < BITS; bit++) {
        key[bit / 8] ^= (unsigned char)(1 << bit % 8);
        uint64_t change = rg_hash(RG_HASH_SEED, key, BYTES) ^ whole;
        key[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_true(change != 0);
        for (int i = 0; i < 64; i++) turned[i] += (int)(change >> i & 1);
    }
    for (int i = 0; i < 64; i++) assert_in_range(turned[i], BITS / 4, 3 * BITS / 4);
    uint64_t split_1 = rg_hash_str(rg_hash_str(RG_HASH_SEED, RG_LIT("ab")), RG_LIT("c"));
    uint64_t split_2 = rg_hash_str(rg_hash_str(RG_HASH_SEED, RG_LIT("a")), RG_LIT("bc"));
    assert_true(split_1 != split_2);
}

/* ---- errors and files ---- */

static void notes_say_where_and_never_overflow(void **state)
{
    rg_ctx *cx = *state;
    assert_int_equal(rg_fail(cx, RG_SHAPE, "axis %d", 9), RG_SHAPE);
    assert_int_equal(rg_note(cx, RG_SHAPE, "node '%s'", "attn"), RG_SHAPE);
    assert_string_equal(rg_ctx_error(cx), "node 'attn': axis 9");
    for (int i = 0; i < 1000; i++) assert_int_equal(rg_note(cx, RG_SHAPE, "%s", "a long way down"), RG_SHAPE);
    assert_in_range(strlen(rg_ctx_error(cx)), 2000, sizeof cx->text - 1);
    for (int err = 0; err < RG_ERR_COUNT; err++) assert_true(strlen(rg_err_text((rg_err)err)) > 5);
    assert_string_equal(rg_err_text((rg_err)-1), "unknown error");
    assert_int_equal(rg_err_exit_code(RG_OK), 0);
    assert_int_equal(rg_err_exit_code(RG_FORMAT), 5);
    assert_int_equal(rg_err_exit_code(RG_ERR_COUNT), 1);
}

static void only_regular_files_are_mapped(void **state)
{
    rg_ctx *cx = *state;
    char folder[] = "/tmp/ridge-base-XXXXXX", path[64];
    rg_file *file = NULL;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(rg_file_map(cx, folder, &file), RG_INPUT);
    assert_non_null(strstr(rg_ctx_error(cx), "directory"));
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(rg_file_map(cx, path, &file), RG_INPUT); /* and does not wait for a writer */
    unlink(path);
    assert_int_equal(rg_file_map(cx, path, &file), RG_INPUT);
    assert_non_null(strstr(rg_ctx_error(cx), path));
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fclose(out);
    assert_int_equal(rg_file_map(cx, path, &file), RG_OK);
    assert_int_equal(rg_file_bytes(file).size, 0);
    assert_string_equal(rg_file_path(file), path);
    rg_file_unref(rg_file_ref(file));
    rg_file_unref(file);
    unlink(path);
    rmdir(folder);
    const char *longest = rg_arena_printf(&cx->arena, "/%5000s", "x");
    assert_non_null(longest);
    assert_int_equal(rg_file_map(cx, longest, &file), RG_LIMIT);
    assert_string_equal(rg_path_dir(&cx->arena, "a/b.onnx"), "a");
    assert_string_equal(rg_path_dir(&cx->arena, "b.onnx"), ".");
    assert_string_equal(rg_path_dir(&cx->arena, "/b.onnx"), "/");
    assert_string_equal(rg_path_base("a/b.onnx"), "b.onnx");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_take_the_whole_text),
        cmocka_unit_test(reals_take_the_whole_text),
        cmocka_unit_test(cutting_gives_every_part_once),
        cmocka_unit_test(strings_are_ordered_as_bytes),
        cmocka_unit_test(distance_counts_edits),
        cmocka_unit_test(things_lie_in_their_own_arena), cmocka_unit_test(units_print_three_digits),
        cmocka_unit_test(sizes_tell_overflow),
        cmocka_unit_test_setup_teardown(arena_memory_is_zeroed_and_aligned, open_context, close_context),
        cmocka_unit_test_setup_teardown(arena_ends_at_its_limit, open_context, close_context),
        cmocka_unit_test_setup_teardown(text_grows_and_remembers_failure, open_context, close_context),
        cmocka_unit_test(map_finds_what_was_put),
        cmocka_unit_test(random_numbers_are_splitmix64),
        cmocka_unit_test(hash_spreads_every_bit),
        cmocka_unit_test_setup_teardown(notes_say_where_and_never_overflow, open_context, close_context),
        cmocka_unit_test_setup_teardown(only_regular_files_are_mapped, open_context, close_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
