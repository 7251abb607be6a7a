/* text.c - strings and encoded images: sizes of texts are not known before the run, so costs count elements.
 *
 * Strings are counted as RG_STR's nominal bytes (ir/dtype.h).
 */
#include "op/share.h"

static void string_work(const rg_site *s, rg_work *w)
{
    (void)s;
    w->family = RG_FAMILY_OTHER;
}

static rg_err need_strings(const rg_site *s, uint32_t i)
{
    rg_dtype dtype = rg_in_type(s, i)->dtype;

    RG_TRY(rg_need_tensor(s, i));
    if (dtype != RG_STR && dtype != RG_DTYPE_NONE)
        return rg_site_fail(s, RG_SHAPE, "input %u is %s, not strings", i, rg_dtype_name(dtype));
    return RG_OK;
}

/* ---- StringConcat ---- */

static const rg_case concat_cases[] = {{"str[2,3] str[3]", "", "str[2,3]"}};

static rg_err concat_infer(const rg_site *s)
{
    rg_type type;

    RG_TRY(need_strings(s, 0));
    RG_TRY(need_strings(s, 1));
    RG_TRY(rg_broadcast(s, rg_in_type(s, 0), rg_in_type(s, 1), &type));
    rg_set_out(s, 0, type);
    return RG_OK;
}

RG_OP(stringconcat) = {
    .name = "StringConcat", .brief = "strings joined in pairs", .since = 20,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_CASES(concat_cases)
    .infer = concat_infer, .work = string_work,
};

/* ---- StringSplit ---- */

static const rg_attr_spec split_attrs[] = {
    {"delimiter", RG_ATTR_STRING, NULL, false, "what separates; runs of blanks when left out or empty"},
    {"maxsplit", RG_ATTR_INT, NULL, false, "splits made at most, from the left; all when left out"},
};
static const rg_case split_cases[] = {{"str[batch]", "delimiter=\".\"", "str[batch,u0] i64[batch]"}};

static rg_err split_infer(const rg_site *s)
{
    rg_type parts = rg_type_like(s, 0, RG_STR);

    RG_TRY(need_strings(s, 0));
    rg_set_out(s, 1, rg_type_like(s, 0, RG_I64));
    if (parts.rank >= RG_RANK_MAX) return rg_site_fail(s, RG_LIMIT, "a rank above %d", RG_RANK_MAX);
    if (parts.rank >= 0) parts.dim[parts.rank++] = rg_dim_open(s, 1);
    rg_set_out(s, 0, parts);
    return RG_OK;
}

RG_OP(stringsplit) = {
    .name = "StringSplit", .brief = "strings cut at a delimiter", .since = 20,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 2, RG_SPEC(split_attrs) RG_CASES(split_cases)
    .infer = split_infer, .work = string_work,
};

/* ---- StringNormalizer ---- */

static const rg_attr_spec normalizer_attrs[] = {
    {"case_change_action", RG_ATTR_STRING, "NONE", false, "LOWER, UPPER or NONE"},
    {"is_case_sensitive", RG_ATTR_INT, "0", false, "whether stop words are compared with their case"},
    {"locale", RG_ATTR_STRING, NULL, false, "whose rules change the case"},
    {"stopwords", RG_ATTR_STRINGS, NULL, false, "strings that are dropped"},
};
static const rg_case normalizer_cases[] = {
    {"str[4]", "case_change_action=\"LOWER\"", "str[4]"},
    {"str[1,4]", "stopwords=[\"monday\"]", "str[1,u0]"},
};

static rg_err normalizer_infer(const rg_site *s)
{
    rg_type type = rg_type_like(s, 0, RG_DTYPE_NONE);

    RG_TRY(need_strings(s, 0));
    RG_TRY(rg_need_rank(s, 0, 1, 2));
    if (rg_op_has(s, "stopwords")) {
        rg_dim *last = &type.dim[type.rank - 1];
        *last = rg_dim_open(s, rg_dim_value(rg_site_dims(s), *last));
    }
    rg_set_out(s, 0, type);
    return RG_OK;
}

RG_OP(stringnormalizer) = {
    .name = "StringNormalizer", .brief = "strings without stop words, in one case", .since = 10,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(normalizer_attrs) RG_CASES(normalizer_cases)
    .infer = normalizer_infer, .work = string_work,
};

/* ---- RegexFullMatch ---- */

static const rg_attr_spec regex_attrs[] = {
    {"pattern", RG_ATTR_STRING, NULL, false, "the regular expression, in the syntax of RE2"},
};
static const rg_case regex_cases[] = {{"str[2,3]", "pattern=\"a.*\"", "bool[2,3]"}};

static rg_err regex_infer(const rg_site *s)
{
    RG_TRY(need_strings(s, 0));
    rg_set_out(s, 0, rg_type_like(s, 0, RG_BOOL));
    return RG_OK;
}

RG_OP(regexfullmatch) = {
    .name = "RegexFullMatch", .brief = "which strings a pattern matches as a whole", .since = 20,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(regex_attrs) RG_CASES(regex_cases)
    .infer = regex_infer, .work = string_work,
};

/* ---- TfIdfVectorizer ---- */

static const rg_attr_spec tfidf_attrs[] = {
    {"max_gram_length", RG_ATTR_INT, NULL, true, "longest n-gram counted"},
    {"max_skip_count", RG_ATTR_INT, NULL, true, "elements that may be skipped inside an n-gram"},
    {"min_gram_length", RG_ATTR_INT, NULL, true, "shortest n-gram counted"},
    {"mode", RG_ATTR_STRING, NULL, true, "TF counts, IDF weighs what occurs, TFIDF weighs counts"},
    {"ngram_counts", RG_ATTR_INTS, NULL, true, "where the n-grams of every length begin in the pool"},
    {"ngram_indexes", RG_ATTR_INTS, NULL, true, "column of every n-gram"},
    {"pool_int64s", RG_ATTR_INTS, NULL, false, "the n-grams, when they are integers"},
    {"pool_strings", RG_ATTR_STRINGS, NULL, false, "the n-grams, when they are strings"},
    {"weights", RG_ATTR_FLOATS, NULL, false, "weight of every n-gram"},
};
static const rg_case tfidf_cases[] = {
    {"i32[batch,6]", "max_gram_length=2 max_skip_count=0 min_gram_length=2 mode=\"TF\" ngram_counts=0,4 "
     "ngram_indexes=0,1,2,3,4,5,6 pool_int64s=2,3,5,4,5,6,7,8,6,7", "f32[batch,7]"},
};

/* A column for every index, so one more than the largest. */
static rg_err tfidf_infer(const rg_site *s)
{
    uint32_t count;
    const int64_t *index = rg_op_ints(s, "ngram_indexes", &count);
    rg_type type = rg_type_like(s, 0, RG_F32);
    int64_t shortest = rg_op_int(s, "min_gram_length"), longest = rg_op_int(s, "max_gram_length");
    int64_t skips = rg_op_int(s, "max_skip_count"), most = -1;

    RG_TRY(rg_need_rank(s, 0, 1, 2));
    if (shortest > longest || skips < 0)
        return rg_site_fail(s, RG_FORMAT, "n-grams of length %lld to %lld with up to %lld skips",
                            (long long)shortest, (long long)longest, (long long)skips);
    for (uint32_t i = 0; i < count; i++) most = index[i] > most ? index[i] : most;
    if (most >= INT32_MAX)
        return rg_site_fail(s, RG_LIMIT, "column %lld, at most %d", (long long)most, INT32_MAX - 1);
    type.dim[type.rank - 1] = most + 1;
    rg_set_out(s, 0, type);
    return RG_OK;
}

/* Every n-gram length and skip count is a walk over the input. */
static void tfidf_work(const rg_site *s, rg_work *w)
{
    double lengths = (double)rg_op_int(s, "max_gram_length") - (double)rg_op_int(s, "min_gram_length") + 1;

    w->family = RG_FAMILY_OTHER;
    w->flop = rg_in_count(s, 0) * lengths * ((double)rg_op_int(s, "max_skip_count") + 1);
}

RG_OP(tfidfvectorizer) = {
    .name = "TfIdfVectorizer", .brief = "n-grams counted and weighed", .since = 9,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(tfidf_attrs) RG_CASES(tfidf_cases)
    .infer = tfidf_infer, .work = tfidf_work,
};

/* ---- ImageDecoder ---- */

static const rg_attr_spec image_attrs[] = {
    {"pixel_format", RG_ATTR_STRING, "RGB", false, "RGB, BGR or Grayscale"},
};
static const rg_case image_cases[] = {
    {"u8[n]", "", "u8[u0,u1,3]"},
    {"u8[n]", "pixel_format=\"Grayscale\"", "u8[u0,u1,1]"},
};

static rg_err image_infer(const rg_site *s)
{
    bool gray = rg_str_is(rg_op_str(s, "pixel_format"), "Grayscale");
    rg_dim dim[3] = {rg_dim_open(s, 1), rg_dim_open(s, 1), gray ? 1 : 3};

    RG_TRY(rg_need_tensor(s, 0));
    rg_set_out(s, 0, rg_type_tensor(RG_U8, 3, dim));
    return RG_OK;
}

RG_OP(imagedecoder) = {
    .name = "ImageDecoder", .brief = "an image file as pixels", .since = 20,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(image_attrs) RG_CASES(image_cases)
    .infer = image_infer, .work = string_work,
};
