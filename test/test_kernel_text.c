/* test_kernel_text.c - strings at run time: what patterns match, against what RE2's syntax page says of each;
 * cuts as Python's str.split makes them; letters beyond ASCII.
 */
#include "exec/exec.h"
#include "ir/ir.h"
#include "op/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- patterns ---- */

typedef struct match { const char *pattern, *text; bool matches; } match;

static const match matches[] = {
    {"", "", true},
    {"", "a", false},
    {"abc", "abc", true},
    {"abc", "abcd", false},
    {"b", "abc", false},
    {"a|bc|", "bc", true},
    {"a|bc|", "", true},
    {"a|bc|", "ab", false},
    {"(a|b)*c", "abbac", true},
    {"(a*)*", "aaa", true},
    {"(|a)+b", "aab", true},
    {"a?a?a?aaa", "aaa", true},
    {"a+?b", "aab", true},
    {"a{2}", "aa", true},
    {"a{2}", "aaa", false},
    {"a{2,}", "aaaa", true},
    {"a{2,}", "a", false},
    {"a{1,3}", "aaa", true},
    {"a{1,3}", "aaaa", false},
    {"a{0}b", "b", true},
    {"(ab){2,3}", "ababab", true},
    {"a{,2}", "a{,2}", true},
    {"x{2,3}?y", "xxy", true},
    {".", "\n", false},
    {"(?s).", "\n", true},
    {"(?s:.)x", "\nx", true},
    {".*", "any thing", true},
    {"[a-c]+", "abcab", true},
    {"[^a-c]+", "xyz", true},
    {"[^a-c]", "b", false},
    {"[]a]+", "]a", true},
    {"[a-]+", "a-", true},
    {"[\\d.]+", "3.14", true},
    {"[^\\s]+", "a b", false},
    {"[[:alpha:]_]+", "a_Z", true},
    {"[[:^digit:]]", "5", false},
    {"\\w+@\\w+\\.com", "me@there.com", true},
    {"\\D\\S\\W", "x7!", true},
    {"(?i)HeLLo", "hEllO", true},
    {"(?i:a)b", "AB", false},
    {"(?i)[a-c]+", "AbC", true},
    {"(?i)[^a]", "A", false},
    {"^a$", "a", true},
    {"a^b", "ab", false},
    {"a\n^b", "a\nb", false},
    {"(?m)a$\n^b", "a\nb", true},
    {"\\Aa\\z", "a", true},
    {"\\ba\\b b", "a b", true},
    {"a\\Bb", "ab", true},
    {"a\\bb", "ab", false},
    {"\\x41\\x{42}\\103", "ABC", true},
    {"\\Qa.b*\\E+", "a.b**", true},
    {"\\Q.", ".", true},
    {"\\t\\n\\.", "\t\n.", true},
    {"(?P<year>\\d{4})-(?<month>\\d\\d)", "2024-05", true},
    {"(?:ab)+", "abab", true},
    {"\xc3\xa9+", "\xc3\xa9\xc3\xa9", true},
    {".", "\xe2\x82\xac", true},
    {"[\xce\xb1-\xcf\x89]", "\xce\xb2", true},
    {".", "\xff", false},
    {".", "\xc0\x80", false}, /* no UTF-8 */
};

static void test_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < RG_COUNT(matches); i++) {
        rg_ctx *cx = rg_ctx_new(NULL);
        rg_regex *re;
        assert_int_equal(rg_regex_new(cx, &cx->arena, rg_str_of(matches[i].pattern), &re), RG_OK);
        if (rg_regex_matches(re, rg_str_of(matches[i].text)) != matches[i].matches)
            fail_msg("'%s' on '%s'", matches[i].pattern, matches[i].text);
        rg_ctx_free(cx);
    }
}

static void test_no_patterns(void **state)
{
    static const struct { const char *pattern; rg_err err;
    } wrong[] = {
        {"(", RG_FORMAT},
        {")", RG_FORMAT},
        {"a)", RG_FORMAT},
        {"*a", RG_FORMAT},
        {"a**", RG_FORMAT},
        {"[a", RG_FORMAT},
        {"[b-a]", RG_FORMAT},
        {"[[:no:]]", RG_FORMAT},
        {"\\", RG_FORMAT},
        {"a{3,2}", RG_FORMAT},
        {"a{1001}", RG_FORMAT},
        {"\\x{110000}", RG_FORMAT},
        {"\xff", RG_FORMAT},
        {"(?P<a", RG_FORMAT},
        {"(a)\\1", RG_UNSUPPORTED},
        {"\\pL", RG_UNSUPPORTED},
        {"(?=a)", RG_UNSUPPORTED},
        {"(?<=a)", RG_UNSUPPORTED},
        {"((a{100}){100}){100}", RG_LIMIT},
    };
    (void)state;
    for (size_t i = 0; i < RG_COUNT(wrong); i++) {
        rg_ctx *cx = rg_ctx_new(NULL);
        rg_regex *re;
        rg_err err = rg_regex_new(cx, &cx->arena, rg_str_of(wrong[i].pattern), &re);
        if (err != wrong[i].err)
            fail_msg("'%s': error %d, not %d", wrong[i].pattern, (int)err, (int)wrong[i].err);
        rg_ctx_free(cx);
    }
}

/* A pattern on which a search that tries one way after the other takes 2^n steps. */
static void test_is_linear(void **state)
{
    enum { SIZE = 2000 };
    static char text[SIZE];
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_regex *re;
    (void)state;
    memset(text, 'a', SIZE);
    assert_int_equal(rg_regex_new(cx, &cx->arena, rg_str_of("(a|aa|a*)*b"), &re), RG_OK);
    assert_false(rg_regex_matches(re, (rg_str){text, SIZE}));
    rg_ctx_free(cx);
}

/* ---- operators on strings ---- */

/* A graph without inputs, and its first output: strings separated by '|'. */
static void check(const char *graph, const char *wanted)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    const rg_datum *out[2] = {NULL};
    rg_naive *naive = NULL;
    rg_graph *g = NULL;
    rg_str rest = rg_str_of(wanted), part;
    rg_err err = rg_graph_of_text(cx, rg_str_of(graph), "case", &g);
    if (!err) err = rg_graph_resolve(cx, g);
    if (!err) err = rg_graph_finish(cx, g);
    if (!err) err = rg_graph_infer(cx, g);
    if (!err) err = rg_naive_new(cx, g, NULL, &naive);
    if (!err) err = rg_naive_run(cx, naive, NULL, out);
    if (err) fail_msg("%s", rg_ctx_error(cx));
    rg_naive_free(naive); /* a result outlives its runner */
    rg_graph_free(g);
    for (int64_t i = 0; i < out[0]->array.count; i++) {
        rg_str s = rg_get_str(&out[0]->array, i);
        if (!rg_str_cut(&rest, '|', &part)) part = (rg_str){0}; /* an empty one at the end */
        if (!rg_str_eq(s, part))
            fail_msg("string %lld is '%.*s', not '%.*s'", (long long)i, RG_STR(s), RG_STR(part));
    }
    assert_int_equal(rest.size, 0);
    for (size_t i = 0; i < RG_COUNT(out); i++) rg_datum_free(out[i]);
    rg_ctx_free(cx);
}

#define GRAPH "ridge.graph/1 \"g\" opset 20\n"

static void test_split(void **state)
{
    (void)state;
    check(GRAPH "const %x = str[3] {\"  a b\\tc \", \"\", \"d\"}\n"
          "graph () { %y, %n = StringSplit(%x) maxsplit=1 return %y, %n }\n", "a|b\tc |||d|");
    check(GRAPH "const %x = str[2] {\"a,,b\", \"\"}\n"
          "graph () { %y = StringSplit(%x) delimiter=\",\" return %y }\n", "a||b|||");
    check(GRAPH "const %x = str[1] {\"a--b---c\"}\n"
          "graph () { %y = StringSplit(%x) delimiter=\"--\" return %y }\n", "a|b|-c");
}

static void test_concat(void **state)
{
    (void)state;
    check(GRAPH "const %a = str[2,1] {\"x\", \"\"}\nconst %b = str[2] {\"1\", \"2\"}\n"
          "graph () { %y = StringConcat(%a, %b) return %y }\n", "x1|x2|1|2");
    /* strings that operators without a word for strings move */
    check(GRAPH "const %a = str[2] {\"x\", \"yy\"}\nconst %i = i64[3] {1, 0, -1}\n"
          "graph () { %b = StringConcat(%a, %a) %c = Gather(%b, %i) %y = Concat(%c, %a) axis=0 return %y }\n",
          "yyyy|xx|yyyy|x|yy");
    check(GRAPH "const %a = str[1] {\"x\"}\nconst %p = i64[2] {1, 1}\nconst %v = str[] {\"-\"}\n"
          "graph () { %y = Pad(%a, %p, %v) return %y }\n", "-|x|-");
}

static void test_normalize(void **state)
{
    (void)state;
    check(
        GRAPH
        "const %x = str[3] {\"\xc3\x89t\xc3\xa9\", \"THE\", \"sun\"}\n"
        "graph () { %y = StringNormalizer(%x) case_change_action=\"LOWER\" stopwords=[\"the\"] return %y }\n",
        "\xc3\xa9t\xc3\xa9|sun");
    check(GRAPH "const %x = str[1,2] {\"a\", \"a\"}\n"
          "graph () { %y = StringNormalizer(%x) is_case_sensitive=1 stopwords=[\"a\"] return %y }\n", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches), cmocka_unit_test(test_no_patterns), cmocka_unit_test(test_is_linear),
        cmocka_unit_test(test_split),   cmocka_unit_test(test_concat),      cmocka_unit_test(test_normalize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
