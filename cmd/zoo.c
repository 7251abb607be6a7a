/* zoo.c - `ridge zoo`: the built-in models, which need no file and no weights. */
#include "cmd.h"

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    (void)opt;
    return rg_zoo_doc(cx, argv, (size_t)argc, out);
}

RG_CMD(zoo) = {
    .name = "zoo", .args = "[WORD...]", .brief = "list the built-in models, or those that words name",
    .detail = "Use one as zoo:NAME wherever a command takes a model. They have no weights, which a\n"
              "forecast does not need; 'ridge export --weights random' makes some up.\n"
              "\n"
              "WORD is a model's name, or part of names or of a family (cnn, transformer, rnn, mlp).\n"
              "MACs and input are those of the preset sizes, which --batch and --shape change.",
    .examples = "ridge zoo\nridge zoo swin vit\nridge zoo transformer --format csv\nridge show zoo:resnet50",
    .opt_size = sizeof(cmd_common), .arg_max = -1, .run = run,
};
