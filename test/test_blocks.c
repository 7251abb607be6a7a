/* test_blocks.c - what names of classifiers tell of their structure, by rows of data/vision/families.json:
 * facts of the publications, the longest beginning, an overlay with a family of its own, rows that are wrong.
 */
#include "learn/blocks.h"
#include "predict/predict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static rg_blocks of(rg_ctx *cx, const char *name)
{
    rg_blocks blocks;
    if (rg_blocks_of(cx, rg_str_of(name), &blocks)) fail_msg("%s", rg_ctx_error(cx));
    return blocks;
}

static void names_tell_structure(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    uint32_t attention = rg_block("attention"), scores = rg_block("scores"), squeeze = rg_block("squeeze");
    (void)state;
    assert_true(attention && scores && squeeze && !(attention & scores));
    assert_true(of(cx, "vit_base_patch16_224").bits & attention);
    assert_false(of(cx, "vit_base_patch16_224").bits & scores);
    assert_true(of(cx, "vit_relpos_base_patch16_224").bits & scores); /* the longest beginning */
    assert_true(of(cx, "vit_base_patch16_224").plain && of(cx, "vit_relpos_base_patch16_224").plain);
    assert_false(of(cx, "swin_base_patch4_window7_224").plain); /* a pyramid */
    assert_int_equal(of(cx, "resnet50").bits, rg_block("dense"));
    assert_int_equal(of(cx, "seresnet50").bits, rg_block("dense") | squeeze);
    assert_int_equal(of(cx, "mobilenetv2_100").bits, rg_block("depthwise"));
    assert_int_equal(of(cx, "mystery").bits, 0);
    assert_int_equal(rg_patch_of(RG_LIT("vit_base_patch16_224")), 16);
    assert_int_equal(rg_patch_of(RG_LIT("xcit_nano_12_p8_224")), 8);
    assert_int_equal(rg_patch_of(RG_LIT("resnet50")), 0);
    rg_ctx_free(cx);
}

/* Structures are columns of what was learned, by the order of their letters: none may move. */
static void each_letter_has_a_structure(void **state)
{
    static const char *const names[] = {"dense", "grouped", "depthwise", "convnext", "attention", "windows",
                                        "linear", "mixer", "pooling", "hybrid", "scores", "smooth", "squeeze",
                                        "concat", "split", "branches", "standard", "blur", "norm"};
    (void)state;
    assert_int_equal(RG_COUNT(names), strlen(RG_BLOCK_LETTERS));
    for (uint32_t i = 0; i < RG_COUNT(names); i++)
        assert_int_equal(rg_block(names[i]), UINT32_C(1) << i);
    assert_int_equal(rg_block("dens"), 0);
}

#define HEAD "{\"schema\": \"ridge.vision/1\", \"source\": \"mine\", \"families\": ["

static void rows_may_be_ones_own(void **state)
{
    static const struct { const char *json, *error; } files[] = {
        {HEAD "{\"begins\": \"my\", \"blocks\": [\"mixer\"], \"plain\": true}], "
         "\"words\": [{\"has\": \"_gn\", \"blocks\": [\"norm\"]}]}", NULL},
        {HEAD "], \"words\": []}", NULL},
        {HEAD "{\"begins\": \"my\", \"blocks\": [\"mixers\"]}], \"words\": []}", "nearest: mixer"},
        {HEAD "{\"begins\": \"my\"}], \"words\": []}", "blocks"},
        {HEAD "{\"begins\": \"my\", \"blocks\": 7}], \"words\": []}", "blocks"},
        {HEAD, "vision/families.json"},
        {"", "vision/families.json"},
    };
    char dir[] = "/tmp/ridge-blocks-XXXXXX", folder[64], path[96];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(folder, sizeof folder, "%s/vision", dir);
    snprintf(path, sizeof path, "%s/families.json", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < RG_COUNT(files); i++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fputs(files[i].json, file) >= 0 && fclose(file) == 0);
        rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = dir});
        rg_blocks blocks;
        rg_err err = rg_blocks_of(cx, RG_LIT("my_net_gn"), &blocks);
        assert_int_equal(err != RG_OK, files[i].error != NULL);
        if (err) assert_non_null(strstr(rg_ctx_error(cx), files[i].error));
        else assert_int_equal(blocks.bits, i ? 0 : rg_block("mixer") | rg_block("norm"));
        if (!err) assert_int_equal(blocks.plain, i == 0);
        rg_ctx_free(cx);
    }
    unlink(path), rmdir(folder), rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_tell_structure), cmocka_unit_test(each_letter_has_a_structure),
        cmocka_unit_test(rows_may_be_ones_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
