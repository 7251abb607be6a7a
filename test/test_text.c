/* test_text.c - the text form of graphs: what is printed reads back to an equal graph, what is wrong is told
 * with its line and column, and no prefix of a text is taken for a graph.
 */
#include "format/onnx.h"
#include "ir/literal.h"
#include "op/op.h"
#include "tar.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static rg_graph *parsed(rg_ctx *cx, rg_str text)
{
    rg_graph *g = NULL;
    rg_err err = rg_graph_of_text(cx, text, NULL, &g);
    if (err) print_error("%s\n", rg_ctx_error(cx));
    assert_int_equal(err, RG_OK);
    return g;
}

static rg_str printed(rg_ctx *cx, const rg_graph *g)
{
    rg_text text;
    rg_text_init(&text, &cx->arena);
    rg_err err = rg_graph_to_text(cx, g, &text);
    if (err) print_error("%s\n", rg_ctx_error(cx));
    assert_int_equal(err, RG_OK);
    return (rg_str){text.data, text.size};
}

/* Prints, parses, compares. */
static rg_str round_trip(rg_ctx *cx, const rg_graph *g)
{
    rg_str text = printed(cx, g);
    rg_graph *again = parsed(cx, text);
    if (!rg_graph_eq(g, again))
        print_error("%.*s\nread back as\n%.*s\n", RG_STR(text), RG_STR(printed(cx, again)));
    assert_true(rg_graph_eq(g, again));
    assert_true(rg_graph_hash(g) == rg_graph_hash(again));
    rg_graph_free(again);
    return text;
}

/* ---- canonical texts: each prints as it stands here ---- */

static const char everything[] =
    "ridge.graph/1 \"everything\" opset 13 ir 3 producer \"by \\\"hand\\\"\\x00\"\n"
    "source \"net.onnx\"\n"
    "notes \"batch=1\\nseq=128\"\n"
    "import \"\" 13\n"
    "import \"ai.onnx.ml\" 3\n"
    "symbol batch = 1 from 1\n"
    "symbol \"past length\" = 0 from 0 to 512\n"
    "symbol u0 = 7 from 0 to 100 run_time\n"
    "const %w = f32[64,3,7,7] file \"weights.bin\" @1234 +37632\n"
    "const %none = f32[8] none\n"
    "const %half = f16[1000,512] splat 0.5\n"
    "const %shape is [1,-1,12,64] = i64[4] {1, -1, 12, 64}\n"
    "const %odd: f32[batch] = f32[1] {0.1}\n"
    "const %floats = f64[5] {0.1, -0, inf, -inf, 1e-300}\n"
    "const %nibbles = i4[3] {-8, 7, 1}\n"
    "const %flags = bool[2] {1, 0}\n"
    "const %words = str[3] {\"a\", \"\", \"\\x01\\\"\303\251\"}\n"
    "const %nothing = f32[0,7] {}\n"
    "const %scalar = u8[] {255}\n"
    "const %complex = c64[1] hex 0000803f00000040\n"
    "const %codes = u64[2] varint ac02ffffffffffffffffff01\n"
    "graph \"main\" (%x: f32[batch,3,224,224], %\"past kv\": f32[*] = f32[2] {1, 2},"
    " %seq: seq(opt(f32[batch*2+1])), %map: map(i64,f32[]), %sparse: sparse(f32[8,8]), %any) {\n"
    "  %a: f32[batch,64,112,112], _, %#9: i64[2] is [batch,\"past length\"+1] = Conv(%x, %w, _, %none)"
    " auto_pad=\"SAME_UPPER\" kernel_shape=7,7 strides=[2] @/conv1/Conv v11\n"
    "  () = com.microsoft:Print(%any, %seq, %map, %sparse, %odd, %half, %shape) v1\n"
    "  %b: f32[ceil(batch/2),(u0+1)/4] = \"two words\"(%floats, %nibbles, %flags, %words, %nothing, %scalar,"
    " %complex) alpha=0.1f beta=0.5 empty=ints[] many=0.5,1.0,1e-05f none=floats[]"
    " \"odd name\"=-9223372036854775808"
    " strings=[\"a\", \"b\"] t=tensor i64[1] {0} tensors=[tensor f32[] {1}, tensor f32[] splat 2]"
    " type=type f32[batch,3] block \"SqueezeExcite:3\"\n"
    "  %c = If(%flags) else_branch=graph () {\n"
    "    return %b\n"
    "  } then_branch=graph \"sub\" () {\n"
    "    %d = Add(%b, %scalar)\n"
    "    %e = Loop(%d, _, %#9) body=graph (%i: i64[], %cond: bool[]) {\n"
    "      return %cond, %i, %d\n"
    "    } v11\n"
    "    return %e\n"
    "  }\n"
    "  %f = Many(%codes) bodies=[graph () {\n"
    "    return %c\n"
    "  }, graph () {\n"
    "    return\n"
    "  }]\n"
    "  return %c, %a, %x, %f\n"
    "}\n";

static void canonical_text_is_a_fixpoint(void **state)
{
    rg_graph *g = parsed(*state, RG_LIT(everything));
    /* The one thing that may differ is the number of the value without a name. */
    rg_str text = round_trip(*state, g);
    const char *at = text.data;
    for (const char *want = everything; *want; want++, at++) {
        if (*want == '#') {
            at += 1 + strspn(at + 1, "0123456789");
            want += 1 + strspn(want + 1, "0123456789");
        }
        if (*want != *at) print_error("printed: %.120s\nwanted:  %.120s\n", at, want);
        assert_int_equal(*want, *at);
    }
    assert_int_equal(*at, 0);
    rg_graph_free(g);
}

static const rg_value *value_named(const rg_graph *g, const char *name)
{
    for (rg_value_id id = 1; id < g->value_count; id++)
        if (rg_str_is(g->values[id].name, name)) return &g->values[id];
    fail_msg("no value %s", name);
    return NULL;
}

static void text_means_what_it_says(void **state)
{
    rg_graph *g = parsed(*state, RG_LIT(everything));
    assert_int_equal(g->opset, 13);
    assert_int_equal(g->ir_version, 3);
    assert_int_equal(g->producer.size, 10);
    assert_string_equal(g->source, "net.onnx");
    assert_string_equal(g->notes, "batch=1\nseq=128");
    assert_int_equal(g->import_count, 2);
    assert_int_equal(g->regions[RG_MAIN].input_count, 6);
    assert_int_equal(g->regions[RG_MAIN].order_count, 5);

    const rg_tensor *w = value_named(g, "w")->data;
    assert_int_equal(w->encoding, RG_DATA_AWAY);
    assert_int_equal(w->count, 64 * 3 * 7 * 7);
    assert_int_equal(w->offset, 1234);
    assert_int_equal(w->size, 37632);
    assert_string_equal(w->file, "weights.bin");
    assert_true(rg_tensor_real(value_named(g, "half")->data, 511999) == 0.5);
    assert_true(rg_tensor_real(value_named(g, "floats")->data, 0) == 0.1);
    assert_true(signbit(rg_tensor_real(value_named(g, "floats")->data, 1)));
    assert_int_equal(rg_tensor_int(value_named(g, "nibbles")->data, 0), -8);
    assert_int_equal(value_named(g, "nibbles")->data->size, 2);
    /* ac 02 is the example of the protobuf encoding manual */
    assert_int_equal(rg_tensor_int(value_named(g, "codes")->data, 0), 300);
    assert_int_equal(rg_tensor_int(value_named(g, "past kv")->data, 1), 2);
    assert_int_equal(value_named(g, "past kv")->type.rank, -1);

    const rg_value *a = value_named(g, "a");
    const rg_node *conv = rg_node_at(g, a->producer);
    assert_int_equal(conv->version, 11);
    assert_int_equal(conv->in_count, 4);
    assert_int_equal(conv->in[2], 0);
    assert_int_equal(conv->out[1], 0);
    assert_int_equal(rg_node_attr(conv, "strides")->kind, RG_ATTR_INTS);
    assert_int_equal(rg_node_attr(conv, "kernel_shape")->ints[1], 7);
    assert_int_equal(rg_dim_value(&g->dims, a->type.dim[0]), 1);
    const rg_value *nameless = rg_value_at(g, conv->out[2]);
    assert_int_equal(nameless->name.size, 0);
    assert_int_equal(nameless->known_count, 2);
    assert_int_equal(rg_dim_value(&g->dims, nameless->known[1]), 1);

    const rg_node *odd = rg_node_at(g, value_named(g, "b")->producer);
    assert_true(rg_str_is(odd->type, "two words"));
    assert_true(rg_str_is(odd->block, "SqueezeExcite:3"));
    assert_true(rg_node_attr(odd, "alpha")->f == (double)0.1f);
    assert_true(rg_node_attr(odd, "many")->floats[2] == (double)1e-5f);
    assert_int_equal(rg_node_attr(odd, "none")->kind, RG_ATTR_FLOATS);
    assert_true(rg_node_attr(odd, "odd name")->i == INT64_MIN);
    assert_int_equal(rg_node_attr(odd, "type")->type->rank, 2);
    assert_int_equal(rg_dim_value(&g->dims, value_named(g, "b")->type.dim[1]), (7 + 1) / 4);

    const rg_node *branch = rg_node_at(g, value_named(g, "c")->producer);
    rg_region_id then_id = rg_node_attr(branch, "then_branch")->region;
    assert_true(rg_str_is(g->regions[then_id].name, "sub"));
    assert_true(&g->nodes[g->regions[then_id].owner] == branch);
    assert_int_equal(value_named(g, "d")->region, then_id);
    rg_graph_free(g);
}

static void blanks_and_comments_do_not_count(void **state)
{
    rg_graph *a = parsed(*state, RG_LIT("ridge.graph/1 \"n\" graph(%x:f32[2]){%y=Relu(%x)return %y}"));
    rg_graph *b = parsed(*state, RG_LIT("# a net\nridge.graph/1 \"n\"\t# its name\r\n graph (\n"
                                        " %x : f32 [ 2 ] ) { %y = Relu ( %x ) # the node\n"
                                        " return %y\n}\n# the end"));
    assert_true(rg_graph_eq(a, b));
    rg_graph_free(a);
    rg_graph_free(b);
}

/* ---- errors ---- */

#define HEAD "ridge.graph/1 \"n\"\n"

static const struct { const char *text; rg_err err; const char *message; } errors[] = {
    {"", RG_FORMAT, "line 1, column 1: expected 'ridge.graph/1'"},
    {"ridge.graph/2 \"n\"", RG_FORMAT, "line 1, column 1: expected 'ridge.graph/1'"},
    {HEAD, RG_FORMAT, "line 2, column 1: expected const, symbol"},
    {HEAD "graph (%x: f33[2]) {}", RG_FORMAT, "line 2, column 12: expected an element type"},
    {HEAD "graph (%x: f32[2) {}", RG_FORMAT, "line 2, column 17: expected ','"},
    {HEAD "graph () {\n  %a = Relu(%x)\n  return\n}", RG_FORMAT, "line 3, column 13: value %x is used"},
    {HEAD "graph (%x, %x) { return }", RG_FORMAT, "line 2, column 12: value %x is defined twice"},
    {HEAD "graph (%x) { %y = Relu(%x) a=1 a=2 return }", RG_FORMAT,
     "column 36: attribute 'a' is given twice"},
    {HEAD "graph (%x) { %y = Relu(%x) a=: return }", RG_FORMAT, "line 2, column 30: expected a number"},
    {HEAD "graph () { return } more", RG_FORMAT, "line 2, column 21: expected the end of the text"},
    {HEAD "source \"a\\q\"", RG_FORMAT, "line 2, column 11: unknown escape"},
    {HEAD "source \"a\n", RG_FORMAT, "line 2, column 9: string without an end"},
    {HEAD "const %c = f32[2] {1}", RG_FORMAT, "line 2, column 21: expected ','"},
    {HEAD "const %c = f32[9999] {1}", RG_FORMAT,
     "column 23: a list of 9999 elements is longer than the text"},
    {HEAD "const %c = i8[1] {0.5}", RG_FORMAT, "expected an integer for an element of type i8"},
    {HEAD "const %c = f32[2] hex 0000", RG_FORMAT, "2 bytes do not hold 2 elements of type f32"},
    {HEAD "const %c = f32[1] hex 0000000g", RG_FORMAT, "expected pairs of hex digits"},
    {HEAD "const %c = i64[2] varint 01", RG_FORMAT, "1 varints, expected 2"},
    {HEAD "const %c = i64[1] varint ffffffffffffffffffffff01", RG_FORMAT, "a varint of more than 10 bytes"},
    {HEAD "const %c = str[1] splat 1", RG_FORMAT, "expected the data of a constant"},
    {HEAD "const %c = f32[4294967296,4294967296] none", RG_LIMIT, "a constant of more than"},
    {HEAD "const %c = f32[1,1,1,1,1,1,1,1,1] none", RG_LIMIT, "of more than 8 dimensions"},
    {HEAD "graph (%x: f32[1,1,1,1,1,1,1,1,1]) {}", RG_LIMIT, "more than 8 sizes"},
    {HEAD "graph (%x: f32[99999999999999999999]) {}", RG_FORMAT, "line 2, column 16: expected an integer"},
    {HEAD "graph (%x: f32[ceil(a)]) {}", RG_FORMAT, "expected ceil(a/b)"},
    {HEAD "const %c: i32[2] = f32[2] none", RG_FORMAT, "elements are of type f32"},
    {HEAD "graph (%x: i64[2] is [1,2,3]) { return }", RG_FORMAT,
     "column 22: 3 elements of a tensor that has 2"},
    {HEAD "const %c is [1,2] = i64[3] {1, 2, 3}", RG_FORMAT, "2 elements of a tensor that has 3"},
    {HEAD "graph (%x) { () = If() a=graph () { %y = Neg(%x) return } return %y }", RG_FORMAT, "another body"},
    {HEAD "symbol a = 5 from 6", RG_FORMAT, "line 2, column 19: 6 is outside"},
    {HEAD "symbol a = 1\nsymbol a = 2", RG_FORMAT, "symbol 'a' is there already"},
};

static void errors_name_the_place(void **state)
{
    for (size_t i = 0; i < RG_COUNT(errors); i++) {
        rg_graph *g = NULL;
        rg_err err = rg_graph_of_text(*state, rg_str_of(errors[i].text), NULL, &g);
        if (err != errors[i].err || !strstr(rg_ctx_error(*state), errors[i].message))
            print_error("%s\n-> %s\n", errors[i].text, rg_ctx_error(*state));
        assert_int_equal(err, errors[i].err);
        assert_non_null(strstr(rg_ctx_error(*state), errors[i].message));
        assert_null(g);
    }
}

static void no_prefix_is_a_graph(void **state)
{
    for (size_t size = 0; size < sizeof everything - 2; size++) { /* only the last newline may be missing */
        rg_graph *g = NULL;
        assert_int_equal(rg_graph_of_text(*state, (rg_str){everything, size}, NULL, &g), RG_FORMAT);
        assert_true(rg_str_starts(rg_str_of(rg_ctx_error(*state)), "line "));
    }
}

static const struct { const char *head, *open, *middle, *close, *tail; int most; } nests[] = {
    {HEAD "graph () {", "() = If() a=graph () {", "return", "} return", "}", RG_NEST_MAX},
    {HEAD "graph (%x: ", "seq(", "f32[]", ")", ") { return }", RG_NEST_MAX},
    {HEAD "graph (%x: f32[", "(", "n", ")", "]) { return }", 256},
};

/* A text whose row `i` of `nests` is nested `depth` deep. */
static rg_str nested(rg_ctx *cx, size_t i, int depth)
{
    rg_text text;
    rg_text_init(&text, &cx->arena);
    rg_text_put(&text, rg_str_of(nests[i].head));
    for (int k = 0; k < depth; k++) rg_text_put(&text, rg_str_of(nests[i].open));
    rg_text_put(&text, rg_str_of(nests[i].middle));
    for (int k = 0; k < depth; k++) rg_text_put(&text, rg_str_of(nests[i].close));
    rg_text_put(&text, rg_str_of(nests[i].tail));
    return (rg_str){text.data, text.size};
}

static void nesting_is_limited(void **state)
{
    for (size_t i = 0; i < RG_COUNT(nests); i++) {
        rg_graph *g = NULL;
        rg_graph_free(parsed(*state, nested(*state, i, nests[i].most)));
        assert_int_equal(rg_graph_of_text(*state, nested(*state, i, nests[i].most + 1), NULL, &g), RG_LIMIT);
        assert_non_null(strstr(rg_ctx_error(*state), "nest deeper than"));
    }
}

/* ---- graphs made by hand ---- */

static rg_graph *finished(rg_ctx *cx, rg_graph *g)
{
    rg_err err = rg_graph_finish(cx, g);
    if (!err) err = rg_graph_verify(cx, g);
    if (err) print_error("%s\n", rg_ctx_error(cx));
    assert_int_equal(err, RG_OK);
    return g;
}

/* A graph of one Use(...) node that reads one constant. */
static rg_graph *graph_of(rg_ctx *cx, rg_str name, const rg_tensor *data)
{
    rg_graph *g;
    rg_value_id c, y;
    rg_node like = {.type = RG_LIT("Use"), .version = 1};
    assert_int_equal(rg_graph_new(cx, &g), RG_OK);
    assert_int_equal(rg_graph_add_const(cx, g, name, data, &c), RG_OK);
    assert_int_equal(rg_graph_add_value(cx, g, RG_MAIN, RG_LIT(""), NULL, RG_ROLE_NODE, &y), RG_OK);
    assert_int_equal(rg_graph_add_node(cx, g, RG_MAIN, &like, &c, 1, &y, 1, &(rg_node_id){0}), RG_OK);
    assert_int_equal(rg_graph_add_output(cx, g, RG_MAIN, y), RG_OK);
    return finished(cx, g);
}

static void constant_survives(rg_ctx *cx, const rg_tensor *data, const char *as)
{
    rg_graph *g = graph_of(cx, RG_LIT("c"), data);
    rg_str text = round_trip(cx, g);
    if (!strstr(text.data, as)) print_error("%.300s\nlacks %s\n", text.data, as);
    assert_non_null(strstr(text.data, as));
    rg_graph_free(g);
}

static void constants_survive_bit_by_bit(void **state)
{
    int64_t one[] = {1}, two[] = {2}, many[] = {300};
    uint32_t nan_payload = 0xffc00123;
    uint8_t raw_flag[] = {2, 0}, pad[] = {0xf1}, zeros[300 * 8] = {0};
    uint64_t huge = UINT64_MAX;
    float ends[] = {3.40282347e38f, 1.17549435e-38f}; /* FLT_MAX, FLT_MIN */
    const rg_tensor f1 = {.dtype = RG_F32, .rank = 1, .dim = one, .count = 1, .size = 4};
    const rg_tensor u4 = {.dtype = RG_U4, .rank = 1, .dim = one, .count = 1, .size = 1};
    const rg_tensor f2 = {.dtype = RG_F32, .rank = 1, .dim = two, .count = 2, .size = 8};
    const rg_tensor b2 = {.dtype = RG_BOOL, .rank = 1, .dim = two, .count = 2, .size = 2};
    const rg_tensor u64 = {.dtype = RG_U64, .count = 1, .size = 8};
    const rg_tensor i300 = {.dtype = RG_I64, .rank = 1, .dim = many, .count = 300, .size = sizeof zeros};
    const struct { rg_tensor type; rg_encoding encoding; const void *data; const char *file, *as; } rows[] = {
        {f1, RG_DATA_RAW, &nan_payload, NULL, "f32[1] hex 2301c0ff"},
        {f1, RG_DATA_SPLAT, &nan_payload, NULL, "f32[1] splat hex 2301c0ff"},
        {f2, RG_DATA_RAW, ends, NULL, "f32[2] {3.40282347e+38, 1.17549435e-38}"},
        {b2, RG_DATA_RAW, raw_flag, NULL, "bool[2] hex 0200"},
        {u64, RG_DATA_RAW, &huge, NULL, "u64[] hex ffffffffffffffff"},
        {u4, RG_DATA_RAW, pad, NULL, "u4[1] "},
        {i300, RG_DATA_RAW, zeros, NULL, "i64[300] hex 0000"},
        {i300, RG_DATA_RAW, zeros, "a \"b\".onnx", "i64[300] file \"a \\\"b\\\".onnx\" @77 +2400"},
        {i300, RG_DATA_VARINT, zeros, NULL, "i64[300] varint 0000"},
        {i300, RG_DATA_VARINT, zeros, "w", "i64[300] file \"w\" @77 +300"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_tensor t = rows[i].type;
        t.encoding = rows[i].encoding;
        t.data = rows[i].data;
        t.file = rows[i].file;
        t.offset = 77;
        if (t.encoding == RG_DATA_VARINT) t.size = (size_t)t.count; /* a zero is one byte */
        constant_survives(*state, &t, rows[i].as);
    }
}

static void names_may_hold_any_byte(void **state)
{
    char name[512];
    size_t size = 0;
    int64_t one[] = {1};
    float x = 1;
    rg_tensor t = {.dtype = RG_F32, .rank = 1, .dim = one, .count = 1, .data = &x, .size = 4};
    t.encoding = RG_DATA_RAW;
    for (int c = 0; c < 256; c++) name[size++] = (char)c;
    rg_graph *g = graph_of(*state, (rg_str){name, size}, &t);
    round_trip(*state, g);
    rg_graph_free(g);
    static const char *const others[] = {
        "/layer1/conv1/Conv_output_0", "onnx::Conv_497", "a-b.c", "_", "return", "a::", "#17",
        "dense/MatMul:0", "%x",
    };
    for (size_t i = 0; i < RG_COUNT(others); i++) {
        g = graph_of(*state, rg_str_of(others[i]), &t);
        round_trip(*state, g);
        rg_graph_free(g);
    }
}

static void floats_read_back_exactly(void **state)
{
    rg_ctx *cx = *state;
    uint64_t random = 1;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rg_random_next(&random);
        double x;
        memcpy(&x, &bits, sizeof x);
        if (i % 2) x = (double)(float)ldexp(rg_random_unit(&random) - 0.5, (int)(bits % 200) - 100);
        rg_text text;
        rg_lex_number back;
        rg_text_init(&text, &cx->arena);
        rg_lex_put_real(&text, x);
        rg_lex lex = {.cx = cx, .arena = &cx->arena, .text = {text.data, text.size}};
        assert_int_equal(rg_lex_num(&lex, &back), RG_OK);
        assert_true(rg_lex_end(&lex));
        assert_false(back.is_int);
        assert_true(isnan(x) ? isnan(back.f) : back.f == x);
    }
}

enum { SYMBOL_COUNT = 4, EXPR_COUNT = 20000, STEP_MAX = 16 };

static rg_dims table_of(rg_ctx *cx)
{
    rg_dims dims = {.arena = &cx->arena};
    static const char *const names[SYMBOL_COUNT] = {"h", "w", "batch size", "min"};
    for (int i = 0; i < SYMBOL_COUNT; i++) rg_dim_symbol(&dims, rg_str_of(names[i]), i, 1000, 10 * i);
    return dims;
}

static rg_dim random_size(rg_dims *dims, uint64_t *random)
{
    rg_dim stack[STEP_MAX + 1];
    int count = 0;
    for (int i = 0; i < STEP_MAX; i++) {
        uint64_t r = rg_random_next(random);
        if (count < 2 || r % 2) {
            stack[count++] = r % 4 < 2 ? (rg_dim)(r / 4 % 7) - 2
                                       : INT64_MIN + (int64_t)(r / 4 % SYMBOL_COUNT);
        } else {
            rg_dim_op op = (rg_dim_op)(RG_DIM_ADD + r / 4 % (RG_DIM_MAX - RG_DIM_ADD + 1));
            count--;
            stack[count - 1] = rg_dim_make(dims, op, stack[count - 1], stack[count]);
        }
    }
    while (--count > 0) stack[count - 1] = rg_dim_mul(dims, stack[count - 1], stack[count]);
    return stack[0];
}

static void sizes_read_back_to_themselves(void **state)
{
    rg_ctx *cx = *state;
    uint64_t random = 7;
    rg_dims dims = table_of(cx), other = table_of(cx);
    for (int i = 0; i < EXPR_COUNT; i++) {
        rg_text text;
        rg_dim back, d = random_size(&dims, &random);
        rg_text_init(&text, &cx->arena);
        rg_dim_print(&dims, d, &text);
        rg_lex lex = {.cx = cx, .arena = &cx->arena, .text = {text.data, text.size}};
        assert_int_equal(rg_lex_dim(&lex, &other, &back), RG_OK);
        assert_true(rg_lex_end(&lex));
        if (rg_dim_hash(&dims, d) != rg_dim_hash(&other, back)) print_error("%s\n", text.data);
        assert_true(rg_dim_hash(&dims, d) == rg_dim_hash(&other, back));
        assert_int_equal(rg_dim_value(&dims, d), rg_dim_value(&other, back));
    }
}

static void print_writes_the_text(void **state)
{
    rg_graph *g = parsed(*state, RG_LIT(HEAD "graph (%x: f32[2]) { %y = Relu(%x) return %y }"));
    rg_str text = printed(*state, g);
    FILE *file = tmpfile();
    char buffer[4096];
    assert_non_null(file);
    assert_int_equal(rg_graph_print(*state, g, file), RG_OK);
    rewind(file);
    assert_int_equal(fread(buffer, 1, sizeof buffer, file), text.size);
    assert_memory_equal(buffer, text.data, text.size);
    fclose(file);
    rg_graph_free(g);
}

/* ---- real models ---- */

#ifndef RG_SOURCE_ROOT
#define RG_SOURCE_ROOT "."
#endif

static bool open_shared(tar *archive, const char *name)
{
    char path[4096];
    const char *shared = getenv("RIDGE_SHARED");
    snprintf(path, sizeof path, "%s/%s", shared ? shared : RG_SOURCE_ROOT "/../shared", name);
    return tar_open(archive, path);
}

/* Every ONNX file of the archive that can be read at all survives, as it is and with inferred types. */
static void models_survive(const char *name, int at_least)
{
    tar archive;
    int count = 0;
    if (!open_shared(&archive, name)) {
        print_message("no %s: set RIDGE_SHARED\n", name);
        skip();
    }
    while (tar_next(&archive)) {
        size_t size = strlen(archive.name);
        rg_str bytes = {(const char *)archive.data, archive.size};
        rg_graph *g;
        if (size < 5 || strcmp(archive.name + size - 5, ".onnx") != 0) continue;
        rg_ctx *cx = rg_ctx_new(NULL);
        if (rg_onnx_parse(cx, bytes, NULL, &g) == RG_OK) {
            round_trip(cx, g);
            if (rg_graph_infer(cx, g) == RG_OK) round_trip(cx, g);
            rg_graph_free(g);
            count++;
        }
        rg_ctx_free(cx);
    }
    tar_close(&archive);
    assert_true(count >= at_least);
}

static void backend_cases_survive(void **state)
{
    (void)state;
    models_survive("onnx/onnx-backend-dev.tar.gz", 1250);
}

static void models_of_the_world_survive(void **state)
{
    (void)state;
    models_survive("models/models-dev.tar.gz", 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_text_is_a_fixpoint), cmocka_unit_test(text_means_what_it_says),
        cmocka_unit_test(blanks_and_comments_do_not_count), cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(no_prefix_is_a_graph), cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(constants_survive_bit_by_bit), cmocka_unit_test(names_may_hold_any_byte),
        cmocka_unit_test(floats_read_back_exactly), cmocka_unit_test(sizes_read_back_to_themselves),
        cmocka_unit_test(print_writes_the_text), cmocka_unit_test(backend_cases_survive),
        cmocka_unit_test(models_of_the_world_survive),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
