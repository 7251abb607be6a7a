/* evidence.c - `ridge evidence`: what measurements taught, and how it did on what was held out. */
#include "cmd.h"

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    (void)opt;
    return rg_learned_doc(cx, argc ? argv[0] : NULL, out);
}

RG_CMD(evidence) = {
    .name = "evidence", .args = "[WORD]", .brief = "what measurements taught, and how well it holds",
    .detail = "Lists the residuals that come with the program or lie below --data: what they were made of,\n"
              "and their errors on models, shapes and devices that were held out. WORD: only keys with it.",
    .examples = "ridge evidence\nridge evidence gemm --format json",
    .opt_size = sizeof(cmd_common), .arg_min = 0, .arg_max = 1, .run = run,
};
