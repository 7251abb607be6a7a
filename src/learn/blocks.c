/* blocks.c - families of classifiers of images and what their blocks are made of: data/vision/families.json,
 * as their publications and timm's documentation describe them. Totals say how much is computed and written;
 * whether that goes through depthwise windows, scores of attention or many small copies decides how fast it
 * runs. The structures:
 *
 *     dense, grouped windows      depthwise: in inverted bottlenecks
 *     convnext: depthwise with layer normalization (ConvNeXt, MetaFormer)
 *     attention of all positions      windows: of windows or of a pyramid      linear: over channels
 *     mixer: products across positions (MLP-Mixer)      pooling or shifting in place of attention
 *     hybrid: convolution and attention in one network
 *     scores are written: a learned bias, talking heads; no fused attention
 *     smooth activations (GELU, SiLU, hard swish)      squeeze and excitation, or its like
 *     concat: concatenation, shuffles      split: splits at several scales, side by side
 *     branches that could be folded into one      standard: standardized weights      blur: blurred strides
 *     norm: group or layer normalization of images
 */
#include "learn/blocks.h"

#include "hw/read.h"
#include "predict/predict.h"

#include <string.h>

/* In the order of their letters, so that a name's index is that of its bit. */
static const char *const names[] = {
    "dense", "grouped", "depthwise", "convnext", "attention", "windows", "linear", "mixer", "pooling",
    "hybrid", "scores", "smooth", "squeeze", "concat", "split", "branches", "standard", "blur", "norm",
};
_Static_assert(RG_COUNT(names) == sizeof RG_BLOCK_LETTERS - 1, "a letter each");

/* What a beginning of a name, or a word in it, tells. */
typedef struct sign {
    const char *text;
    const char **blocks; size_t block_count;
    bool plain;
} sign;

typedef struct signs {
    rg_arena arena;
    const char *note, *source;
    sign *families; size_t family_count;
    sign *words; size_t word_count;
} signs;

#define AT(member) offsetof(sign, member)
static const rg_field family_fields[] = {
    {"begins", RG_FIELD_TEXT, true, AT(text), .help = "what names of its models begin with"},
    {"blocks", RG_FIELD_TEXTS, true, AT(blocks), AT(block_count), .help = "structures, by name"},
    {"plain", RG_FIELD_FLAG, false, AT(plain), .help = "all layers see the same positions"},
};
static const rg_field word_fields[] = {
    {"has", RG_FIELD_TEXT, true, AT(text), .help = "a part of a name"},
    {"blocks", RG_FIELD_TEXTS, true, AT(blocks), AT(block_count), .help = "structures, by name"},
};
#undef AT
static const rg_record family_record = RG_RECORD(sign, family_fields);
static const rg_record word_record = RG_RECORD(sign, word_fields);

static const char *const marks[] = {"ridge.vision/1", NULL};
#define AT(member) offsetof(signs, member)
static const rg_field file_fields[] = {
    {"schema", RG_FIELD_MARK, true, .names = marks, .help = "the format of this file"},
    {"note", RG_FIELD_TEXT, false, AT(note), .help = "what it is for"},
    {"source", RG_FIELD_TEXT, true, AT(source), .help = "where it is from"},
    {"families", RG_FIELD_ROWS, true, AT(families), AT(family_count), &family_record,
     .help = "beginnings of names, of which the longest counts"},
    {"words", RG_FIELD_ROWS, true, AT(words), AT(word_count), &word_record, .help = "parts that add to them"},
};
#undef AT
static const rg_record file_record = RG_RECORD(signs, file_fields);

/* ---- reading ---- */

uint32_t rg_block(const char *name)
{
    for (uint32_t i = 0; i < RG_COUNT(names); i++)
        if (strcmp(names[i], name) == 0) return UINT32_C(1) << i;
    return 0;
}

static uint32_t bits_of(const sign *s)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < s->block_count; i++) bits |= rg_block(s->blocks[i]);
    return bits;
}

static rg_err check(rg_ctx *cx, const sign *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < rows[i].block_count; k++) {
            const char *name = rows[i].blocks[k];
            if (rg_block(name)) continue;
            rg_err err = rg_unknown_name(cx, "structure", name, names, RG_COUNT(names), NULL);
            return rg_note(cx, err, "'%s'", rows[i].text);
        }
    return RG_OK;
}

static rg_err parse(rg_ctx *cx, rg_str json, signs *s)
{
    RG_TRY(rg_read_record(cx, &s->arena, json, &file_record, NULL, s));
    RG_TRY(check(cx, s->families, s->family_count));
    return check(cx, s->words, s->word_count);
}

static void free_signs(const void *object)
{
    rg_arena arena = ((const signs *)object)->arena; /* they lie in it themselves */
    rg_arena_done(&arena);
}

/* For rg_ctx_keep. */
static rg_err make_signs(rg_ctx *cx, const char *path, const void **out)
{
    rg_str json;
    RG_TRY(rg_data_read(cx, path, &json));
    signs *s = RG_NEW_OWN(cx, signs);
    if (!s) return rg_nomem(cx);
    rg_err err = parse(cx, json, s);
    if (err) {
        free_signs(s);
        return rg_note(cx, err, "%s", path);
    }
    *out = s;
    return RG_OK;
}

/* ---- names ---- */

static const sign *family_of(const signs *s, rg_str name)
{
    const sign *best = NULL;
    for (size_t i = 0; i < s->family_count; i++) {
        const sign *row = &s->families[i];
        if (rg_str_starts(name, row->text) && (!best || strlen(row->text) > strlen(best->text))) best = row;
    }
    return best;
}

rg_err rg_blocks_of(rg_ctx *cx, rg_str name, rg_blocks *out)
{
    static const rg_maker maker = {make_signs, free_signs};
    const void *kept = NULL;
    RG_TRY(rg_ctx_keep(cx, "vision/families.json", &maker, &kept));
    const signs *s = kept;
    const sign *family = family_of(s, name);
    *out = family ? (rg_blocks){bits_of(family), family->plain} : (rg_blocks){0};
    for (rg_str rest = name; rest.size; rest.data++, rest.size--)
        for (size_t i = 0; i < s->word_count; i++)
            if (rg_str_starts(rest, s->words[i].text)) out->bits |= bits_of(&s->words[i]);
    return RG_OK;
}

int64_t rg_patch_of(rg_str name)
{
    static const char *const before[] = {"patch", "_p"};
    for (rg_str rest = name; rest.size; rest.data++, rest.size--)
        for (size_t i = 0; i < RG_COUNT(before); i++) {
            size_t at = rg_str_of(before[i]).size;
            int64_t number = 0;
            if (!rg_str_starts(rest, before[i])) continue;
            for (; at < rest.size && number < 100 && rest.data[at] >= '0' && rest.data[at] <= '9'; at++)
                number = number * 10 + rest.data[at] - '0';
            if (number) return number;
        }
    return 0;
}
