/* doctor.c - `ridge doctor`: what this machine can measure, and which parts of the program are there. */
#include "cmd.h"

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    (void)opt, (void)argc, (void)argv;
    return rg_doctor_doc(cx, out);
}

RG_CMD(doctor) = {
    .name = "doctor", .brief = "say what this machine can measure and what is missing",
    .detail = "Looks for power meters, clocks, counters, graphics processors and a compiler. A meter\n"
              "that is missing is listed with its reason.",
    .examples = "ridge doctor\nridge doctor --format json",
    .opt_size = sizeof(cmd_common), .run = run,
};
