/* work_options.c - the options of commands that compute for long, or write what they learned. */
#include "cmd.h"

rg_err cmd_jobs_check(rg_ctx *cx, int jobs)
{
    return jobs < 0 ? rg_fail(cx, RG_USAGE, "--jobs: %d is negative", jobs) : RG_OK;
}
