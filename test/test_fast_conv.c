/* test_fast_conv.c - convolutions and transposed ones give what the plain kernels give: in blocks of channels
 * and without, from either to the other, in groups of every width, with edges of every kind, along a line.
 *
 * An image comes with its channels last and is turned, so that it may lie in blocks; `plain` leaves it as it
 * is.
 */
#include "fast_case.h"

typedef struct conv_case {
    const char *image;           /* [n, h, w, c], plain: [n, c, h, w] */
    const char *weights;         /* shape of the constant %w, with elements made up here */
    int64_t weight_count;
    const char *body;            /* %x becomes %y */
} conv_case;

static void check(fixture *f, const conv_case *c, bool turned)
{
    rg_graph *g = NULL;
    uint64_t seed = 7;
    rg_text text;
    rg_text_init(&text, &f->cx->arena);
    rg_text_printf(&text, "ridge.graph/1 \"case\" opset 22\nimport \"\" 22\nconst %%w = f32[%s] {",
                   c->weights);
    for (int64_t i = 0; i < c->weight_count; i++)
        rg_text_printf(&text, "%s%.6f", i ? ", " : "", (2 * rg_random_unit(&seed) - 1) / 32);
    rg_text_printf(&text, "}\ngraph (%%%c: f32[%s]) {\n", turned ? 'a' : 'x', c->image);
    if (turned) rg_text_printf(&text, "  %%x = Transpose(%%a) perm=0,3,1,2\n");
    rg_text_printf(&text, "%s\n", c->body);
    if (turned) rg_text_printf(&text, "  %%z = Transpose(%%y) perm=0,2,3,1\n");
    rg_text_printf(&text, "  return %s\n}\n", turned ? "%z" : "%y");
    rg_err err = rg_graph_of_text(f->cx, (rg_str){text.data, text.size}, "case", &g);
    if (err) fail_msg("%s: %s", c->body, rg_ctx_error(f->cx));
    fast_check(f, g, c->body);
}

static void blocked(void **state)
{
    static const conv_case cases[] = {
        {"2,7,9,16", "24,16,1,1", 384, "  %y = Conv(%x, %w)"},
        {"2,7,9,16", "24,16,3,3", 3456, "  %c = Conv(%x, %w) pads=1,1,1,1\n  %y = Relu(%c)"},
        {"1,7,9,16", "16,16,3,3", 2304,
         "  %c = Conv(%x, %w) pads=1,1,1,1\n  %d = Add(%c, %x)\n  %y = Relu(%d)"},
        {"1,14,15,16", "8,16,3,3", 1152, "  %y = Conv(%x, %w) strides=2,2 pads=1,1,1,1"},
        {"2,9,12,16", "96,16,1,1", 1536, "  %y = Conv(%x, %w) strides=2,2"}, /* pixels that nobody reads */
        {"2,8,11,64", "384,16,1,1", 6144, "  %c = Conv(%x, %w) strides=1,3 group=4\n  %y = Relu(%c)"},
        {"1,9,11,16", "96,16,1,1", 1536, "  %y = Conv(%x, %w) strides=2,2 pads=1,1,1,1"},
        {"1,9,11,8", "8,8,5,3", 960, "  %y = Conv(%x, %w) strides=2,1 pads=2,0,1,1 dilations=1,2"},
        {"1,9,11,8", "8,8,3,3", 576, "  %y = Conv(%x, %w) auto_pad=\"SAME_LOWER\" strides=2,2"},
        {"1,9,11,8", "5,8,3,3", 360,
         "  %c = Conv(%x, %w) pads=1,1,1,1\n  %y = Sigmoid(%c)"},                      /* blocks to plain */
        {"1,9,11,3", "16,3,3,3", 432, "  %y = Conv(%x, %w) pads=1,1,1,1 strides=2,2"}, /* plain to blocks */
        {"2,9,11,16", "16,8,3,3", 1152, "  %y = Conv(%x, %w) pads=1,1,1,1 group=2"},
        {"2,5,6,96", "96,8,3,3", 6912, "  %y = Conv(%x, %w) pads=1,1,1,1 group=12 strides=2,1"},
        {"2,5,6,96", "96,4,3,3", 3456, "  %c = Conv(%x, %w) pads=1,2,1,0 group=24\n  %y = Relu(%c)"},
        {"2,5,6,36", "24,3,3,3", 648, "  %y = Conv(%x, %w) pads=1,1,1,1 group=12"},
        {"2,9,11,16", "32,4,3,3", 1152, "  %y = Conv(%x, %w) pads=1,1,1,1 group=4"},            /* 2 joined */
        {"1,9,11,16", "16,2,3,3", 288, "  %y = Conv(%x, %w) pads=1,1,1,1 group=8 strides=2,2"}, /* 4 joined */
        {"1,9,11,16", "16,4,1,3", 192,
         "  %c = Conv(%x, %w) group=4 pads=0,1,0,1\n  %d = Add(%c, %x)\n  %y = Tanh(%d)"},
        {"1,5,7,12", "12,6,3,3", 648,
         "  %c = Conv(%x, %w) group=2 pads=1,1,1,1\n  %d = Add(%c, %x)\n  %y = Gelu(%d)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(*state, &cases[i], true);
}

/* Of one tap, channels in no eights: panels of pixels that come out even, with a rest, of less than one. */
static void pointwise(void **state)
{
    static const conv_case cases[] = {
        {"1,8,16,6", "10,6,1,1", 60, "  %y = Conv(%x, %w)"},
        {"2,9,11,29", "13,29,1,1", 377, "  %c = Conv(%x, %w)\n  %y = Relu(%c)"},
        {"2,14,14,13", "13,13,1,1", 169,
         "  %c = Conv(%x, %w)\n  %d = Add(%c, %x)\n  %y = HardSwish(%d)"},
        {"1,10,33,450", "3,450,1,1", 1350, "  %c = Conv(%x, %w)\n  %y = Relu(%c)"}, /* pieces of k */
        {"1,7,7,29", "29,29,1,1", 841, "  %y = Conv(%x, %w)"},
        {"1,9,11,6", "1,6,1,1", 6, "  %y = Conv(%x, %w)"},
        {"1,9,11,6", "10,6,1,1", 60, "  %y = Conv(%x, %w) strides=2,2"},
        {"1,9,11,6", "10,6,1,1", 60, "  %y = Conv(%x, %w) pads=1,0,0,1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(*state, &cases[i], true);
}

static void transposed(void **state)
{
    static const conv_case cases[] = {
        {"2,5,7,16", "16,8,2,2", 512, "  %c = ConvTranspose(%x, %w) strides=2,2\n  %y = Relu(%c)"},
        {"1,5,7,16", "16,8,4,4", 2048, "  %y = ConvTranspose(%x, %w) strides=2,2 pads=1,1,1,1"},
        {"1,5,7,8", "8,8,3,3", 576,
         "  %y = ConvTranspose(%x, %w) strides=2,2 pads=1,1,1,1 output_padding=1,1"},
        {"1,5,7,8", "8,8,3,3", 576, "  %y = ConvTranspose(%x, %w) pads=1,1,1,1 dilations=1,2"},
        {"1,5,7,8", "8,8,2,1", 128,
         "  %y = ConvTranspose(%x, %w) strides=3,2"}, /* results that no tap reaches */
        {"1,5,7,16", "16,8,3,3", 1152,
         "  %y = ConvTranspose(%x, %w) strides=2,2 group=2 auto_pad=\"SAME_UPPER\""},
        {"1,5,7,6", "6,5,3,2", 180, "  %y = ConvTranspose(%x, %w) strides=3,2 output_shape=16,15"},
        {"1,5,7,6", "6,2,3,3", 108, "  %c = ConvTranspose(%x, %w) strides=2,2 group=3\n  %y = HardSwish(%c)"},
        {"1,1,3,8", "8,8,5,5", 1600, "  %y = ConvTranspose(%x, %w) strides=1,4 pads=2,2,2,2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(*state, &cases[i], true);
}

static void along_a_line(void **state)
{
    static const conv_case cases[] = {
        {"2,6,19", "8,6,3", 144, "  %c = Conv(%x, %w) pads=1,1\n  %y = Gelu(%c)"},
        {"1,8,60", "20,8,3", 480, "  %y = Conv(%x, %w) strides=[2] pads=1,1"},
        {"1,8,20", "8,4,5", 160, "  %y = Conv(%x, %w) dilations=[2] group=2 auto_pad=\"SAME_UPPER\""},
        {"2,6,20", "12,1,3", 36, "  %y = Conv(%x, %w) group=6 pads=2,0"},
        {"1,3,7", "40,3,1", 120, "  %y = Conv(%x, %w)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(*state, &cases[i], false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocked), cmocka_unit_test(pointwise), cmocka_unit_test(transposed),
        cmocka_unit_test(along_a_line),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
