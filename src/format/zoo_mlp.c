/* zoo_mlp.c - a perceptron for handwritten digits, 784-512-256-10: the smallest model that is still a
 * network.
 */
#include "format/zoo.h"

static const int64_t sizes[] = {28 * 28, 512, 256, 10};

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    rg_build b;
    RG_TRY(rg_build_init(&b, cx, self->name));
    rg_dim shape[] = {rg_build_dim(&b, "batch", 1), sizes[0]};
    rg_value_id x = rg_build_input(&b, "image", RG_F32, 2, shape);
    for (size_t i = 1; i < RG_COUNT(sizes); i++) {
        rg_zoo_scope(&b, "fc%zu", i);
        x = rg_zoo_linear(&b, x, sizes[i - 1], sizes[i]);
        if (i + 1 < RG_COUNT(sizes)) x = rg_build_node(&b, "Relu", NULL, x, -1);
    }
    rg_build_output(&b, "logits", x);
    return rg_build_done(&b, out);
}

RG_ZOO(mlp) = {
    .name = "mlp", .family = "mlp", .source = "784-512-256-10 for MNIST; figures by its layer table",
    .parameters = 535818, .macs = 535040, .build = build,
};
