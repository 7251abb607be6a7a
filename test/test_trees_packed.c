/* test_trees_packed.c - nodes of two bytes: a file written by hand, word by word, every way to break it, and
 * what is lost between nodes as they are walked and as they are written.
 */
#include "predict/trees.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

/* Two features, one member. */
#define HEAD(schema, nodes)                                                                               \
    "{\"schema\": \"" schema "\", \"key\": \"k\", \"made_of\": \"f\", \"data_hash\": \"0\", "             \
    "\"features\": [\"m\", \"k\"], \"low\": [0, 0], \"high\": [1, 2], \"pooled_weight\": 0.5, "           \
    "\"reach\": 2, \"trust\": 1, \"known_spread\": 0, \"sister_spread\": 0, \"unknown_spread\": 0, "      \
    "\"devices\": 1, \"members\": [{\"device\": \"gpu\", \"rows\": 7, \"nodes\": " nodes "}]}"

/* Three splits: m < 1.5, m < 3 and k < 2; a unit is 1/8. The first tree asks m < 1.5, then k < 2 at its left;
 * the second is a leaf, the third asks m < 3. */
enum { COUNTS = 2, FLOATS = 6, EXPONENT = 8, NODES = 9, FIRST = EXPONENT + 1, WORDS = FIRST + NODES };
#define UNITS(n) (uint16_t)(0xc000 + (n))
static const uint16_t good[WORDS] = {
    2, 1,                            /* counts */
    0x0000, 0x3fc0, 0x0000, 0x4040, 0x0000, 0x4000, /* 1.5, 3, 2, low halves first */
    (uint16_t)-3,
    0, 2, UNITS(2), UNITS(-4), UNITS(8), UNITS(1), 1, UNITS(16383), UNITS(-16383),
};

static rg_str file_of(rg_ctx *cx, const char *json, const uint16_t *words, size_t count)
{
    rg_text text;
    rg_text_init(&text, &cx->arena);
    rg_text_put(&text, rg_str_of(json));
    while ((text.size + 1) % 8) rg_text_char(&text, ' ');
    rg_text_char(&text, '\n');
    rg_text_put(&text, (rg_str){(const char *)words, count * sizeof *words});
    assert_false(text.failed);
    return (rg_str){text.data, text.size};
}

static rg_str good_file(rg_ctx *cx) { return file_of(cx, HEAD("ridge.trees/2", "9"), good, WORDS); }

static rg_trees *parsed(rg_ctx *cx, rg_str bytes)
{
    rg_trees *trees = NULL;
    if (rg_trees_parse(cx, bytes, "file", &trees)) fail_msg("%s", rg_ctx_error(cx));
    return trees;
}

static double sum(const rg_trees *t, float m, float k)
{
    return rg_trees_sum(&t->members[0], (const float[]){m, k});
}

static void sums_are_those_of_the_file(void **state)
{
    rg_trees *t = parsed(*state, good_file(*state));
    assert_int_equal(t->members[0].tree_count, 3);
    assert_true(sum(t, 1, 1) == 2. / 8 + 1. / 8 + 16383. / 8);
    assert_true(sum(t, 1, 2) == -4. / 8 + 1. / 8 + 16383. / 8); /* what is not below goes right */
    assert_true(sum(t, 1.5f, 0) == 8. / 8 + 1. / 8 + 16383. / 8);
    assert_true(sum(t, 3, 0) == 8. / 8 + 1. / 8 - 16383. / 8);
    rg_trees_free(t);
}

/* What has 15 bits of a power of two stays as it is, byte by byte. */
static void what_is_read_is_written_again(void **state)
{
    rg_str bytes;
    rg_trees *t = parsed(*state, good_file(*state));
    assert_int_equal(rg_trees_write(*state, t, &bytes), RG_OK);
    size_t size = sizeof good;
    assert_true(bytes.size > size);
    assert_memory_equal(bytes.data + bytes.size - size, good, size);
    assert_non_null(strstr(bytes.data, "\"ridge.trees/2\""));
    rg_trees_free(t);
}

/* Leaves of 0.3, 1e-5 and -0.007: the least power of two of which 16383 reach 0.3 is 2^-15. Rounded to that,
 * nothing is off by more than half of it; a file of 8 bytes a node is read, and written as one of two. */
static void leaves_are_rounded_to_a_unit(void **state)
{
    rg_ctx *cx = *state;
    const rg_tree_node nodes[] = {{0.7f, 1, 4}, {-2, 0, 2}, {0.3f, RG_TREES_LEAF, 0},
                                  {1e-5f, RG_TREES_LEAF, 0}, {-0.007f, RG_TREES_LEAF, 0}};
    uint16_t words[4 * RG_COUNT(nodes)];
    rg_str bytes, again;
    memcpy(words, nodes, sizeof nodes);
    rg_trees *plain = parsed(cx, file_of(cx, HEAD("ridge.trees/1", "5"), words, RG_COUNT(words)));
    assert_int_equal(rg_trees_write(cx, plain, &bytes), RG_OK);
    rg_trees *packed = parsed(cx, bytes);
    const rg_tree_node *read = packed->members[0].nodes;
    for (size_t i = 0; i < RG_COUNT(nodes); i++) {
        bool leaf = nodes[i].feature == RG_TREES_LEAF;
        assert_int_equal(read[i].feature, nodes[i].feature);
        assert_int_equal(read[i].right, nodes[i].right);
        assert_true(fabs((double)read[i].value - (double)nodes[i].value) <= (leaf ? ldexp(0.5, -15) : 0));
        if (leaf) assert_true(ldexp((double)read[i].value, 15) == rint(ldexp((double)read[i].value, 15)));
    }
    assert_int_equal(rg_trees_write(cx, packed, &again), RG_OK);
    assert_int_equal(again.size, bytes.size);
    assert_memory_equal(again.data, bytes.data, bytes.size);
    rg_trees_free(packed);
    rg_trees_free(plain);
}

/* Leaves of any size. */
static void any_leaf_can_be_written(void **state)
{
    static const float leaves[] = {0, 1e-45f, 1e-38f, -3e-20f, 1, -1e38f};
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(leaves); i++) {
        const rg_tree_node node = {leaves[i], RG_TREES_LEAF, 0};
        uint16_t words[4];
        rg_str bytes;
        memcpy(words, &node, sizeof node);
        rg_trees *plain = parsed(cx, file_of(cx, HEAD("ridge.trees/1", "1"), words, RG_COUNT(words)));
        assert_int_equal(rg_trees_write(cx, plain, &bytes), RG_OK);
        rg_trees *packed = parsed(cx, bytes);
        double off = fabs(sum(packed, 0, 0) - (double)leaves[i]);
        if (off > fmax(fabs((double)leaves[i]) * 0x1p-14, 0x1p-127))
            fail_msg("%g is off by %g", (double)leaves[i], off);
        rg_trees_free(packed);
        rg_trees_free(plain);
    }
}

/* ---- broken files ---- */

static void assert_broken(rg_ctx *cx, rg_str bytes, rg_err wanted, const char *words)
{
    rg_trees *trees = NULL;
    rg_err err = rg_trees_parse(cx, bytes, "file", &trees);
    if (err != wanted || !strstr(rg_ctx_error(cx), words))
        fail_msg("%d, %s; wanted %d, %s", (int)err, err ? rg_ctx_error(cx) : "", (int)wanted, words);
}

static void a_file_cut_anywhere_is_told(void **state)
{
    rg_str bytes = good_file(*state);
    for (size_t size = 0; size < bytes.size; size++) {
        rg_ctx *cx = rg_ctx_new(NULL);
        char *part = malloc(size + 1); /* of its own, so that a sanitizer sees what lies behind */
        memcpy(part, bytes.data, size);
        assert_broken(cx, (rg_str){part, size}, RG_FORMAT, "file");
        free(part);
        rg_ctx_free(cx);
    }
}

static void broken_words_are_named(void **state)
{
    static const struct { int at; uint16_t word; rg_err err; const char *words; } cases[] = {
        {FIRST, 3, RG_FORMAT, "member gpu: node 0 asks for split 3 of 3"},
        {FIRST + 1, 0x7fff, RG_FORMAT, "member gpu: node 1 asks for split 32767 of 3"},
        {FIRST + 8, 0, RG_FORMAT, "member gpu: its last tree goes on behind node 8"},
        {FIRST + 5, 0, RG_FORMAT, "member gpu: its last tree goes on behind node 8"},
        {3, 0x7f80, RG_FORMAT, "member gpu: threshold 0 is no number"},
        {7, 0x7fc0, RG_FORMAT, "member gpu: threshold 2 is no number"},
        {0, 0x7fff, RG_FORMAT, "member gpu: 32768 thresholds do not fit into the"},
        {0, 0x8000, RG_LIMIT, "member gpu: 32769 different splits exceed 32768"},
        {EXPONENT, 114, RG_FORMAT, "member gpu: leaves have exponent 114, not -126 to 113"},
        {EXPONENT, (uint16_t)-127, RG_FORMAT, "member gpu: leaves have exponent -127"},
    };
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        uint16_t words[WORDS];
        memcpy(words, good, sizeof words);
        words[cases[i].at] = cases[i].word;
        assert_broken(*state, file_of(*state, HEAD("ridge.trees/2", "9"), words, WORDS), cases[i].err,
                      cases[i].words);
    }
    assert_broken(*state, file_of(*state, HEAD("ridge.trees/2", "10"), good, WORDS), RG_FORMAT,
                  "member gpu: 10 nodes do not fit into the 18 bytes that are left");
    assert_broken(*state, file_of(*state, HEAD("ridge.trees/2", "6"), good, WORDS), RG_FORMAT,
                  "6 bytes behind the last member's nodes");
    assert_broken(*state, file_of(*state, HEAD("ridge.trees/3", "9"), good, WORDS), RG_FORMAT,
                  "ridge.trees/2");
}

/* Splits to the left, as many as may wait and one more; and a left side that no node can tell the length of.
 */
static void depth_and_length_have_limits(void **state)
{
    enum { LONGEST = UINT16_MAX + 1, PREFIX = FIRST };
    rg_ctx *cx = *state;
    for (int depth = RG_TREES_DEPTH; depth <= RG_TREES_DEPTH + 1; depth++) {
        uint16_t words[PREFIX + 2 * RG_TREES_DEPTH + 3];
        memcpy(words, good, sizeof *good * PREFIX);
        for (int i = 0; i <= 2 * depth; i++) words[PREFIX + i] = i < depth ? 0 : UNITS(1);
        const char *json = rg_arena_printf(&cx->arena, HEAD("ridge.trees/2", "%d"), 2 * depth + 1);
        rg_str bytes = file_of(cx, json, words, (size_t)(PREFIX + 2 * depth + 1));
        if (depth > RG_TREES_DEPTH) assert_broken(cx, bytes, RG_LIMIT, "node 64 lies more than 64 deep");
        else rg_trees_free(parsed(cx, bytes));
    }
    /* a chain to the right, at the left of one more: it takes turns of split and leaf */
    uint16_t *words = RG_NEW(&cx->arena, uint16_t, PREFIX + LONGEST + 4);
    memcpy(words, good, sizeof *good * PREFIX);
    for (int inner = LONGEST / 2 - 2; inner < LONGEST / 2; inner++) {
        int count = 0;
        words[PREFIX + count++] = 0;
        for (int i = 0; i < inner; i++) words[PREFIX + count++] = 0, words[PREFIX + count++] = UNITS(1);
        words[PREFIX + count++] = UNITS(2);
        words[PREFIX + count++] = UNITS(3);
        const char *json = rg_arena_printf(&cx->arena, HEAD("ridge.trees/2", "%d"), count);
        rg_str bytes = file_of(cx, json, words, (size_t)(PREFIX + count));
        if (count - 1 > UINT16_MAX)
            assert_broken(cx, bytes, RG_LIMIT, "65535 nodes to the left of node 0 exceed 65534");
        else rg_trees_free(parsed(cx, bytes));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sums_are_those_of_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_read_is_written_again, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_are_rounded_to_a_unit, setup, teardown),
        cmocka_unit_test_setup_teardown(any_leaf_can_be_written, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_cut_anywhere_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_words_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(depth_and_length_have_limits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
