/* test_fast_window.c - what networks do with images, in blocks of channels and without: depthwise
 * convolutions, pools, resizing, factors for each channel, joining and cutting, change of the order of axes.
 *
 * An image comes with its channels last and is turned: nothing but its first and last use say that it may not
 * lie in blocks.
 */
#include "fast_case.h"

typedef struct image_case {
    const char *image;           /* [n, h, w, c] */
    const char *inputs;          /* further ones, as a graph lists them */
    const char *weights;         /* shape of a constant %w, with elements made up here; NULL: none */
    int64_t weight_count;
    const char *body;            /* %x becomes %y, an image or not */
    bool flat;                   /* it is not */
} image_case;

static void put_weights(const image_case *c, rg_text *text)
{
    uint64_t seed = 7;
    if (!c->weights) return;
    rg_text_printf(text, "const %%w = f32[%s] {", c->weights);
    for (int64_t i = 0; i < c->weight_count; i++)
        rg_text_printf(text, "%s%.6f", i ? ", " : "", 2 * rg_random_unit(&seed) - 1);
    rg_text_printf(text, "}\n");
}

static void check_text(fixture *f, const rg_text *text, const char *what)
{
    rg_graph *g = NULL;
    rg_err err = rg_graph_of_text(f->cx, (rg_str){text->data, text->size}, "case", &g);
    if (err) fail_msg("%s: %s", what, rg_ctx_error(f->cx));
    fast_check(f, g, what);
}

static const char head[] = "ridge.graph/1 \"case\" opset 22\nimport \"\" 22\n";

static void check(fixture *f, const image_case *c)
{
    rg_text text;
    rg_text_init(&text, &f->cx->arena);
    rg_text_printf(&text, "%s", head);
    put_weights(c, &text);
    rg_text_printf(&text, "graph (%%a: f32[%s]%s%s) {\n  %%x = Transpose(%%a) perm=0,3,1,2\n%s\n", c->image,
                   c->inputs ? ", " : "", c->inputs ? c->inputs : "", c->body);
    if (!c->flat) rg_text_printf(&text, "  %%z = Transpose(%%y) perm=0,2,3,1\n");
    rg_text_printf(&text, "  return %s\n}\n", c->flat ? "%y" : "%z");
    check_text(f, &text, c->body);
}

#define CHECK_ALL(state, cases) \
    for (size_t i = 0; i < sizeof(cases) / sizeof *(cases); i++) check(*(state), &(cases)[i])

#define DEPTHWISE(size, c, k, attrs)                                                                         \
    {size "," #c, NULL, #c ",1," #k "," #k, c * k * k,                                                       \
     "  %y = Conv(%x, %w) kernel_shape=" #k "," #k " group=" #c " " attrs, false}

static void depthwise(void **state)
{
    static const image_case cases[] = {
        DEPTHWISE("2,9,11", 16, 3, "pads=1,1,1,1"),
        DEPTHWISE("1,7,7", 24, 3, "pads=1,1,1,1"),
        DEPTHWISE("1,17,19", 8, 3, "pads=1,1,1,1 strides=2,2"),
        DEPTHWISE("1,16,30", 8, 3, "pads=0,0,1,1 strides=2,2"),
        DEPTHWISE("2,14,13", 16, 5, "pads=2,2,2,2"),
        DEPTHWISE("1,15,29", 8, 5, "pads=1,1,2,2 strides=2,2"),
        DEPTHWISE("1,9,16", 8, 7, "pads=3,3,3,3"),
        DEPTHWISE("1,21,33", 8, 7, "pads=3,3,3,3 strides=2,2"),
        DEPTHWISE("1,9,33", 8, 3, ""),
        DEPTHWISE("1,9,23", 8, 3, "pads=2,2,2,2 dilations=2,2"),
        DEPTHWISE("1,19,23", 8, 3, "pads=1,1,1,1 strides=3,3"),
        DEPTHWISE("1,9,11", 8, 2, "strides=1,2"),
        DEPTHWISE("1,2,1", 8, 5, "pads=2,2,2,2"),
        DEPTHWISE("2,9,11", 6, 3, "pads=1,1,1,1"),
        DEPTHWISE("1,13,29", 12, 5, "pads=2,2,2,2 strides=2,2"),
        DEPTHWISE("1,13,15", 3, 3, "pads=2,2,2,2 dilations=2,2"),
        DEPTHWISE("2,14,28", 6, 3, "pads=1,1,1,1 strides=2,2"),
        DEPTHWISE("1,7,7", 13, 3, "pads=1,1,1,1"),
        DEPTHWISE("1,7,7", 13, 3, "pads=1,1,1,1 strides=2,2"),
        DEPTHWISE("1,9,3", 6, 3, "pads=0,0,1,1 strides=2,2"),
        DEPTHWISE("1,16,31", 6, 3, "pads=0,0,1,1 strides=1,2"),
        DEPTHWISE("1,17,20", 6, 3, "pads=1,1,1,1 strides=3,3"),
        DEPTHWISE("1,17,20", 6, 5, "strides=4,3"),
        DEPTHWISE("1,9,33", 6, 3, ""),
        DEPTHWISE("1,9,11", 6, 2, "strides=1,2"),
        DEPTHWISE("1,9,5", 6, 3, "pads=1,7,2,9"),
        DEPTHWISE("1,2,1", 6, 5, "pads=2,2,2,2"),
        DEPTHWISE("1,9,40", 3, 3, "pads=40,40,40,40 dilations=40,40 strides=2,2"),
        {"1,9,11,6", NULL, "12,1,3,3", 108, "  %y = Conv(%x, %w) kernel_shape=3,3 group=6 pads=1,1,1,1",
         false},
        {"1,9,11,8", NULL, "16,1,3,3", 144, "  %y = Conv(%x, %w) kernel_shape=3,3 group=8 pads=1,1,1,1",
         false},
    };
    CHECK_ALL(state, cases);
}

static void followed(void **state)
{
    static const char *const acts[] = {
        "Relu(%c)", "HardSwish(%c)", "Sigmoid(%c)", "LeakyRelu(%c) alpha=0.2", "Gelu(%c)", "Add(%c, %x)",
    };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        for (int wide = 6; wide <= 16; wide += 10) {
            char body[160], image[32], shape[32];
            snprintf(image, sizeof image, "2,9,10,%d", wide);
            snprintf(shape, sizeof shape, "%d,1,3,3", wide);
            snprintf(body, sizeof body,
                     "  %%c = Conv(%%x, %%w) kernel_shape=3,3 group=%d pads=1,1,1,1\n  %%y = %s", wide,
                     acts[i]);
            check(*state, &(image_case){image, NULL, shape, wide * 9, body, false});
        }
}

#define POOL(size, form)                                                                                     \
    {size ",16", NULL, NULL, 0, "  %y = " form, false}, { size ",6", NULL, NULL, 0, "  %y = " form, false }

static void pools(void **state)
{
    static const image_case cases[] = {
        POOL("2,9,11", "MaxPool(%x) kernel_shape=3,3 strides=2,2 pads=1,1,1,1"),
        POOL("1,9,31", "MaxPool(%x) kernel_shape=3,3 pads=1,1,1,1"),
        POOL("1,9,32", "MaxPool(%x) kernel_shape=2,2 strides=2,2"),
        POOL("1,9,32", "MaxPool(%x) kernel_shape=2,2"),
        POOL("1,9,11", "MaxPool(%x) kernel_shape=5,5 pads=2,2,2,2"),
        POOL("1,9,11", "MaxPool(%x) kernel_shape=3,3 strides=2,2 ceil_mode=1"),
        POOL("1,9,11", "MaxPool(%x) kernel_shape=2,2 dilations=2,3"),
        POOL("2,9,11", "AveragePool(%x) kernel_shape=3,3 strides=2,2 pads=1,1,1,1"),
        POOL("1,9,25", "AveragePool(%x) kernel_shape=3,3 pads=1,1,1,1 count_include_pad=1"),
        POOL("1,9,11",
             "AveragePool(%x) kernel_shape=3,3 strides=2,2 pads=1,1,0,0 ceil_mode=1 count_include_pad=1"),
        POOL("1,9,11",
             "AveragePool(%x) kernel_shape=2,4 strides=2,1 auto_pad=\"SAME_UPPER\" count_include_pad=1"),
        POOL("1,9,24", "AveragePool(%x) kernel_shape=2,2 strides=2,2"),
        POOL("1,9,24", "AveragePool(%x) kernel_shape=2,2"),
        {"2,9,11,16", NULL, NULL, 0, "  %y = GlobalAveragePool(%x)", true},
        {"2,9,11,16", NULL, NULL, 0, "  %y = GlobalMaxPool(%x)", true},
    };
    CHECK_ALL(state, cases);
}

static void element_by_element(void **state)
{
    static const image_case cases[] = {
        {"2,9,11,16", "%s: f32[2,16,1,1]", NULL, 0, "  %y = Mul(%x, %s)", false},
        {"2,9,11,16", "%s: f32[16,1,1]", NULL, 0, "  %y = Sub(%s, %x)", false},
        {"2,9,11,16", "%s: f32[1,16,1,1]", NULL, 0, "  %y = Max(%x, %s)", false},
        {"2,9,11,16", "%s: f32[2,1,9,11]", NULL, 0, "  %y = Mul(%x, %s)", false},
        {"2,9,11,16", "%s: f32[9,11]", NULL, 0, "  %y = Add(%x, %s)", false},
        {"2,9,11,16", "%s: f32[16,9,11]", NULL, 0, "  %y = Add(%x, %s)", false},
        {"2,9,11,16", "%s: f32[2,16,9,1]", NULL, 0, "  %y = Add(%x, %s)", false},
        {"2,9,11,16", "%s: f32[2,9,11,16]", NULL, 0,
         "  %t = Transpose(%s) perm=0,3,1,2\n  %u = Relu(%t)\n  %y = Div(%x, %u)", false},
        {"1,9,11,16", "%s: f32[16,1,1]", NULL, 0, "  %y = PRelu(%x, %s)", false},
        {"1,9,11,16", "%s: f32[]", NULL, 0, "  %y = Mul(%x, %s)", false},
        {"1,9,11,16", "%s: f32[3,1,16,9,11]", NULL, 0, "  %y = Mul(%x, %s)", true},
        {"2,9,11,16", NULL, NULL, 0, "  %s = GlobalAveragePool(%x)\n  %t = Sigmoid(%s)\n  %y = Mul(%x, %t)",
         false},
    };
    CHECK_ALL(state, cases);
}

/* Made of constants: written into the graph's head. */
typedef struct moved_case { const char *image, *constants, *body; } moved_case;

static void check_moved(fixture *f, const moved_case *c)
{
    rg_text text;
    rg_text_init(&text, &f->cx->arena);
    rg_text_printf(&text, "%s%s\ngraph (%%a: f32[%s]) {\n  %%x = Transpose(%%a) perm=0,3,1,2\n", head,
                   c->constants, c->image);
    rg_text_printf(&text, "%s\n  %%z = Transpose(%%y) perm=0,2,3,1\n  return %%z\n}\n", c->body);
    check_text(f, &text, c->body);
}

#define RESIZED(shape, scales, attrs)                                                                        \
    {                                                                                                        \
        shape, "const %f = f32[4] {1, 1, " scales "}", "  %y = Resize(%x, _, %f) " attrs                     \
    }
#define BOTH(scales, attrs) RESIZED("2,5,7,16", scales, attrs), RESIZED("1,5,7,3", scales, attrs)

static void moved(void **state)
{
    static const moved_case cases[] = {
        BOTH("2, 2", "coordinate_transformation_mode=\"asymmetric\" nearest_mode=\"floor\""),
        BOTH("1.5, 2.5", "nearest_mode=\"round_prefer_ceil\""),
        BOTH("0.6, 3", "nearest_mode=\"ceil\" coordinate_transformation_mode=\"align_corners\""),
        BOTH("2, 2", "mode=\"linear\""),
        BOTH("0.7, 1.9", "mode=\"linear\" coordinate_transformation_mode=\"pytorch_half_pixel\""),
        BOTH("2, 3", "mode=\"linear\" coordinate_transformation_mode=\"align_corners\""),
        BOTH("2, 2", "mode=\"cubic\""),
        {"2,5,7,16", "", "  %t = Relu(%x)\n  %u = Abs(%x)\n  %y = Concat(%x, %t, %u) axis=1"},
        {"2,5,7,16", "", "  %t = Relu(%x)\n  %y = Concat(%x, %t) axis=2"},
        {"2,5,7,6", "", "  %t = Relu(%x)\n  %y = Concat(%x, %t) axis=1"},
        {"2,5,7,24", "const %p = i64[2] {8, 16}",
         "  %t, %u = Split(%x, %p) axis=1\n  %v = Relu(%t)\n  %y = Concat(%u, %v) axis=1"},
        {"2,5,7,24", "const %p = i64[2] {20, 4}",
         "  %t, %u = Split(%x, %p) axis=1\n  %v = Relu(%t)\n  %y = Concat(%u, %v) axis=1"},
        {"2,5,7,24",
         "const %s = i64[3] {8, 1, 0}\nconst %e = i64[3] {24, 5, 99}\nconst %k = i64[3] {1, 2, 3}\n"
         "const %d = i64[3] {1, 2, 3}",
         "  %y = Slice(%x, %s, %e, %k, %d)"},
        {"2,5,7,24", "const %s = i64[1] {4}\nconst %e = i64[1] {12}\nconst %k = i64[1] {1}",
         "  %y = Slice(%x, %s, %e, %k)"},
        {"2,5,7,8", "const %p = i64[8] {0, 0, 1, 2, 0, 0, 3, 0}\nconst %v = f32[] {-1.5}",
         "  %y = Pad(%x, %p, %v)"},
        {"2,5,7,8", "const %p = i64[8] {0, 8, 1, 2, 1, 8, 3, 0}", "  %y = Pad(%x, %p)"},
        {"2,5,7,16", "",
         "  %t = Relu(%x)\n  %u = Transpose(%t) perm=0,1,3,2\n  %v = Relu(%u)\n"
         "  %y = Transpose(%v) perm=0,1,3,2"},
        {"2,8,7,16", "",
         "  %t = Relu(%x)\n  %u = Transpose(%t) perm=0,2,1,3\n  %v = Relu(%u)\n"
         "  %y = Transpose(%v) perm=0,2,1,3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_moved(*state, &cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depthwise), cmocka_unit_test(followed), cmocka_unit_test(pools),
        cmocka_unit_test(element_by_element), cmocka_unit_test(moved),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
