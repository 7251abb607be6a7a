/* text.c - strings: StringConcat, StringSplit, StringNormalizer, RegexFullMatch.
 *
 * Sizes of texts are not known before the run, so costs count elements; strings are counted as RG_STR's
 * nominal bytes (ir/dtype.h). Kernels give strings that lie in their inputs or in the scratch: the runner
 * copies them.
 */
#include "op/kernel.h"
#include "op/point.h"
#include "op/regex.h"
#include "op/share.h"

#include <locale.h>
#include <wctype.h>

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

/* Two strings in one piece; data NULL without memory. */
static rg_str joined(const rg_run *r, rg_str a, rg_str b)
{
    char *data = RG_NEW(r->scratch, char, a.size + b.size);

    if (!data) return (rg_str){0};
    if (a.size) memcpy(data, a.data, a.size);
    if (b.size) memcpy(data + a.size, b.data, b.size);
    return (rg_str){data, a.size + b.size};
}

static rg_err concat_run(const rg_run *r)
{
    const rg_array *a = rg_arg(r, 0), *b = rg_arg(r, 1), *y = rg_result(r, 0);
    int64_t index[RG_RANK_MAX] = {0}, a_stride[RG_RANK_MAX], b_stride[RG_RANK_MAX];
    rg_str *out = y->data;

    rg_broadcast_strides(a, y->rank, y->dim, a_stride);
    rg_broadcast_strides(b, y->rank, y->dim, b_stride);
    for (int64_t i = 0; i < y->count; i++, rg_index_next(y->rank, y->dim, index)) {
        out[i] = joined(r, rg_get_str(a, rg_index_at(y->rank, index, a_stride)),
                        rg_get_str(b, rg_index_at(y->rank, index, b_stride)));
        if (!out[i].data) return rg_nomem(r->site.cx);
    }
    return RG_OK;
}

RG_OP(stringconcat) = {
    .name = "StringConcat", .brief = "strings joined in pairs", .since = 20,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_CASES(concat_cases)
    .infer = concat_infer, .work = string_work, .run = concat_run,
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

/* A string under the knife: what is left, and how often it may still be cut. */
typedef struct knife { rg_str left, delimiter; int64_t cuts; bool done; } knife;

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void skip(rg_str *s, size_t size)
{
    s->data += size;
    s->size -= size;
}

/* As Python's str.split(): a run of blanks is one delimiter, and the ends have none. The last part that may
 * be cut off keeps the blanks behind it. */
static bool cut_blanks(knife *k, rg_str *part)
{
    size_t size = 0;

    while (k->left.size && is_blank(*k->left.data)) skip(&k->left, 1);
    if (!k->left.size) return false;
    while (size < k->left.size && (k->cuts == 0 || !is_blank(k->left.data[size]))) size++;
    *part = (rg_str){k->left.data, size};
    skip(&k->left, size);
    k->cuts -= k->cuts > 0;
    return true;
}

/* The next part; false behind the last. */
static bool cut(knife *k, rg_str *part)
{
    size_t size = 0, wide = k->delimiter.size;

    if (!wide) return cut_blanks(k, part);
    if (k->done) return false;
    while (size + wide <= k->left.size && memcmp(k->left.data + size, k->delimiter.data, wide) != 0) size++;
    k->done = k->cuts == 0 || size + wide > k->left.size;
    if (k->done) size = k->left.size;
    *part = (rg_str){k->left.data, size};
    skip(&k->left, k->done ? size : size + wide);
    k->cuts -= k->cuts > 0;
    return true;
}

/* Cuts are counted down from maxsplit; -1: as many as there are. An empty string has no address to begin
 * at. */
static knife knife_of(const rg_run *r, rg_str s)
{
    int64_t most = rg_op_has(&r->site, "maxsplit") ? rg_op_int(&r->site, "maxsplit") : -1;
    rg_str delimiter = rg_op_str(&r->site, "delimiter");
    return (knife){.left = s.size ? s : RG_LIT(""), .delimiter = delimiter, .cuts = most < 0 ? -1 : most};
}

/* Shorter rows end in empty strings. */
static rg_err split_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *counts = rg_result(r, 1);
    int64_t dim[RG_RANK_MAX] = {0}, most = 0;
    rg_array *y;
    rg_str part;

    if (x->rank >= RG_RANK_MAX) return rg_run_fail(r, RG_LIMIT, "a rank above %d", RG_RANK_MAX);
    for (int64_t i = 0; i < x->count; i++) {
        int64_t count = 0;
        for (knife k = knife_of(r, rg_get_str(x, i)); cut(&k, &part);) count++;
        if (counts) rg_put_int(counts, i, count);
        if (count > most) most = count;
    }
    for (int k = 0; k < x->rank; k++) dim[k] = x->dim[k];
    dim[x->rank] = most;
    RG_TRY(rg_make_result(r, 0, x->dtype, x->rank + 1, dim, &y));
    for (int64_t i = 0; y && i < x->count; i++) {
        rg_str *out = (rg_str *)y->data + i * most;
        for (knife k = knife_of(r, rg_get_str(x, i)); cut(&k, out);) out++;
    }
    return RG_OK;
}

RG_OP(stringsplit) = {
    .name = "StringSplit", .brief = "strings cut at a delimiter", .since = 20,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 2, RG_SPEC(split_attrs) RG_CASES(split_cases)
    .infer = split_infer, .work = string_work, .run = split_run,
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

typedef enum letter_case { AS_IS, LOWER, UPPER } letter_case;

typedef struct normalizer {
    const rg_attr *stop;             /* stop words, or NULL */
    const rg_str *folded;            /* them in lower case, when case does not matter; else NULL */
    letter_case to;
    locale_t locale;                 /* whose letters have cases; 0: ASCII's only */
} normalizer;

/* What the node asks for, else the language-free one. Whether there is one is the machine's affair. */
static locale_t open_locale(const rg_run *r)
{
    rg_str stated = rg_op_str(&r->site, "locale");
    const char *name = stated.size ? rg_arena_printf(r->scratch, "%.*s.UTF-8", RG_STR(stated)) : NULL;
    locale_t locale = name ? newlocale(LC_CTYPE_MASK, name, (locale_t)0) : (locale_t)0;
    return locale ? locale : newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static int32_t in_case(int32_t point, letter_case to, locale_t locale)
{
    if (locale)
        return (int32_t)(to == LOWER ? towlower_l((wint_t)point, locale) : towupper_l((wint_t)point, locale));
    bool changes = to == LOWER ? point >= 'A' && point <= 'Z' : point >= 'a' && point <= 'z';
    return changes ? point ^ 0x20 : point;
}

/* Every code point by itself: a change may need more bytes, but never a second code point. Bytes that are no
 * UTF-8 stay. data NULL without memory. */
static rg_str change_case(const rg_run *r, rg_str s, letter_case to, locale_t locale)
{
    char *data = RG_NEW(r->scratch, char, s.size * RG_POINT_BYTE);
    size_t size = 0;

    if (!data) return (rg_str){0};
    for (size_t at = 0, from = 0; at < s.size; from = at) {
        int32_t point = rg_point_take(s, &at);
        if (point == RG_POINT_NONE) data[size++] = s.data[from];
        else size += rg_point_put(in_case(point, to, locale), data + size);
    }
    return (rg_str){data, size};
}

static rg_err read_normalizer(const rg_run *r, normalizer *n)
{
    rg_str to = rg_op_str(&r->site, "case_change_action");
    bool exact = rg_op_int(&r->site, "is_case_sensitive") != 0;

    n->to = rg_str_is(to, "LOWER") ? LOWER : rg_str_is(to, "UPPER") ? UPPER : AS_IS;
    if (n->to == AS_IS && !rg_str_is(to, "NONE"))
        return rg_run_fail(r, RG_UNSUPPORTED, "case_change_action '%.*s' is none of LOWER, UPPER, NONE",
                           RG_STR(to));
    n->stop = rg_node_attr(r->site.node, "stopwords");
    if (!n->stop || exact) return RG_OK;
    rg_str *folded = RG_NEW(r->scratch, rg_str, n->stop->count);
    for (uint32_t i = 0; folded && i < n->stop->count; i++)
        folded[i] = change_case(r, n->stop->strings[i], LOWER, n->locale);
    n->folded = folded;
    return folded ? RG_OK : rg_nomem(r->site.cx);
}

static bool is_stopped(const rg_run *r, const normalizer *n, rg_str s)
{
    const rg_str *words = n->folded ? n->folded : n->stop ? n->stop->strings : NULL;

    if (n->folded) s = change_case(r, s, LOWER, n->locale);
    for (uint32_t i = 0; words && i < n->stop->count; i++)
        if (rg_str_eq(s, words[i])) return true;
    return false;
}

/* Where every string is stopped, one empty string is left. */
static rg_err normalize(const rg_run *r, const normalizer *n)
{
    const rg_array *x = rg_arg(r, 0);
    rg_str *kept = RG_NEW(r->scratch, rg_str, x->count + 1);
    int64_t count = 0, dim[2] = {1, 1};
    rg_array *y;

    if (!kept) return rg_nomem(r->site.cx);
    if (x->rank == 2 && x->dim[0] != 1)
        return rg_run_fail(r, RG_SHAPE, "a batch of %lld, not 1", (long long)x->dim[0]);
    for (int64_t i = 0; i < x->count; i++) {
        rg_str s = rg_get_str(x, i);
        if (is_stopped(r, n, s)) continue;
        kept[count] = n->to == AS_IS ? s : change_case(r, s, n->to, n->locale);
        if (s.size && !kept[count].data) return rg_nomem(r->site.cx);
        count++;
    }
    dim[x->rank - 1] = count ? count : 1;
    RG_TRY(rg_make_result(r, 0, x->dtype, x->rank, dim, &y));
    for (int64_t i = 0; i < count; i++) ((rg_str *)y->data)[i] = kept[i];
    return RG_OK;
}

static rg_err normalizer_run(const rg_run *r)
{
    normalizer n = {.locale = open_locale(r)};
    rg_err err = read_normalizer(r, &n);
    if (!err) err = normalize(r, &n);
    if (n.locale) freelocale(n.locale);
    return err;
}

RG_OP(stringnormalizer) = {
    .name = "StringNormalizer", .brief = "strings without stop words, in one case", .since = 10,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(normalizer_attrs) RG_CASES(normalizer_cases)
    .infer = normalizer_infer, .work = string_work, .run = normalizer_run,
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

static rg_err regex_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    rg_regex *regex;
    rg_err err = rg_regex_new(r->site.cx, r->scratch, rg_op_str(&r->site, "pattern"), &regex);

    if (err) return rg_note(r->site.cx, err, "%s", rg_node_label(r->site.cx, r->site.g, r->site.id));
    for (int64_t i = 0; i < x->count; i++) rg_put_int(y, i, rg_regex_matches(regex, rg_get_str(x, i)));
    return RG_OK;
}

RG_OP(regexfullmatch) = {
    .name = "RegexFullMatch", .brief = "which strings a pattern matches as a whole", .since = 20,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(regex_attrs) RG_CASES(regex_cases)
    .infer = regex_infer, .work = string_work, .run = regex_run,
};
