/* runtimes.c - `ridge runtimes`: the software stacks that a model can be forecast on. */
#include "cmd.h"

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    (void)opt, (void)argc, (void)argv;
    return rg_runtime_doc(cx, out);
}

RG_CMD(runtimes) = {
    .name = "runtimes", .brief = "list the runtimes: what each fuses, its launch cost, where it runs",
    .detail = "A runtime is the software stack that runs a model. It decides which operators become one\n"
              "kernel and what starting a kernel costs. A device's default is that of its kind.",
    .examples = "ridge runtimes\nridge predict zoo:resnet50 --on t4 --runtime tensorrt",
    .opt_size = sizeof(cmd_common), .run = run,
};
