/* zoo.c - `ridge zoo`: the built-in models, which need no file and no weights. */
#include "cmd.h"

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    (void)opt, (void)argc, (void)argv;
    return rg_zoo_doc(cx, out);
}

RG_CMD(zoo) = {
    .name = "zoo", .brief = "list the built-in models",
    .detail = "Use one as zoo:NAME wherever a command takes a model. They have no weights, which a\n"
              "forecast does not need; 'ridge export --weights random' makes some up.",
    .examples = "ridge zoo\nridge show zoo:resnet50",
    .opt_size = sizeof(cmd_common), .run = run,
};
