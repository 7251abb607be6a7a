/* place.c - `ridge place MODEL`: how many of which devices serve so many users of a language model in time.
 */
#include "cmd.h"

typedef struct place_opt {
    cmd_common common;
    cmd_cost cost;
    const char *devices, *runtimes, *precisions, *parallel, *ttft, *tpot, *goal;
    int prompt, output, users, devices_max, jobs;
} place_opt;

#define FIELD(name) offsetof(place_opt, name)
static const rg_opt opts[] = {
    {"on", "ID,...", RG_OPT_LIST, FIELD(devices), "h100-sxm,a100-sxm-80gb,l40s", NULL,
     "devices to choose from: ids or aliases, profile files, ID@MODE, or all"},
    {"users", "N", RG_OPT_INT, FIELD(users), "1", NULL, "answers that are written at once"},
    {"prompt", "N", RG_OPT_INT, FIELD(prompt), "1024", NULL, "tokens that each request brings"},
    {"output-tokens", "N", RG_OPT_INT, FIELD(output), "256", NULL, "tokens that each answer has"},
    {"ttft", "TIME", RG_OPT_TEXT, FIELD(ttft), NULL, NULL, "limit of the time to the first token: 500ms"},
    {"tpot", "TIME", RG_OPT_TEXT, FIELD(tpot), NULL, NULL, "limit of the time per output token: 40ms"},
    {"precision", "TYPE,...", RG_OPT_LIST, FIELD(precisions), "model", NULL,
     "types to choose from: model, bf16, f8, f16+w=i4g128+kv=f8"},
    {"runtime", "ID,...", RG_OPT_LIST, FIELD(runtimes), NULL, NULL,
     "software stacks to choose from; else vllm where it runs, else the customary one"},
    {"parallel", "SPEC;...", RG_OPT_TEXT, FIELD(parallel), NULL, NULL,
     "ways to divide a replica: tp=4;tp=8,pp=2; else 1, 2, 4, ... of tensor and pipeline"},
    {"devices-max", "N", RG_OPT_INT, FIELD(devices_max), "64", NULL, "devices that a placement may have"},
    {"goal", "WHAT", RG_OPT_TEXT, FIELD(goal), NULL, "devices|cost|energy",
     "what comes first; else cost where prices are asked for, else devices"},
    CMD_JOBS_OPTION(FIELD(jobs)),
    CMD_COST_OPTIONS(FIELD(cost)),
};

static rg_err search(rg_ctx *cx, const place_opt *o, rg_place_opt *asked, size_t *good, rg_doc **out)
{
    cmd_progress progress;
    CMD_TRY(cmd_cost_rates(cx, &o->cost, &asked->rates));
    cmd_progress_begin(&progress, &o->common, "ridge place");
    asked->progress = cmd_progress_step;
    asked->user = &progress;
    rg_err err = rg_place_doc(cx, asked, good, out);
    cmd_progress_end(&progress);
    rg_rates_free(asked->rates);
    return err;
}

/* A limit that may be left out. */
static rg_err read_time(rg_ctx *cx, const char *option, const char *text, double *out)
{
    if (!text) return RG_OK;
    rg_err err = rg_quantity_read(cx, text, "s", out);
    if (err) return rg_note(cx, err, "%s", option);
    return *out > 0 ? RG_OK : rg_fail(cx, RG_USAGE, "%s: a time is above 0", option);
}

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const place_opt *o = opt;
    cmd_list devices = {0}, runtimes = {0}, precisions = {0}, ways = {0};
    size_t good = 0;
    rg_place_opt asked = {
        .size = sizeof asked, .model = argv[0], .prompt = o->prompt, .output = o->output, .users = o->users,
        .devices_max = o->devices_max, .goal = o->goal, .workers = (size_t)o->jobs,
    };
    (void)argc;
    CMD_TRY(cmd_jobs_check(cx, o->jobs));
    rg_err err = cmd_list_split(cx, "--on", o->devices, &devices);
    if (!err) err = cmd_list_split(cx, "--runtime", o->runtimes, &runtimes);
    if (!err) err = cmd_list_split(cx, "--precision", o->precisions, &precisions);
    if (!err) err = cmd_list_split_at(cx, "--parallel", o->parallel, ';', &ways);
    if (!err) err = read_time(cx, "--ttft", o->ttft, &asked.ttft_s);
    if (!err) err = read_time(cx, "--tpot", o->tpot, &asked.tpot_s);
    if (!err) {
        asked.devices = devices.items, asked.device_count = devices.count;
        asked.runtimes = runtimes.items, asked.runtime_count = runtimes.count;
        asked.precisions = precisions.items, asked.precision_count = precisions.count;
        asked.parallels = ways.items, asked.parallel_count = ways.count;
        err = search(cx, o, &asked, &good, out);
    }
    cmd_list_free(&ways);
    cmd_list_free(&precisions);
    cmd_list_free(&runtimes);
    cmd_list_free(&devices);
    return err || good ? err : rg_fail(cx, RG_GATE, "no placement keeps the limits");
}

RG_CMD(place) = {
    .name = "place",
    .args = "MODEL",
    .brief = "the smallest or cheapest devices that serve so many users in time",
    .detail =
        "MODEL is the config.json of a language model, its folder, or zoo:NAME. Every device, precision\n"
        "and way to divide a replica is tried: how many users one replica holds and serves within the\n"
        "limits, and how many replicas all users need. The report has the best, the front of what is\n"
        "small, cheap, fast and thrifty, and what the next smaller one fails by.\n"
        "\n"
        "Between two tokens of an answer, a replica with b users writes one token of each and reads\n"
        "b / output prompts: so much does reading cost those who wait for their next token.\n"
        "\n"
        "Exit code 3: no placement keeps the limits; the report, still written, says why.",
    .examples =
        "ridge place zoo:llama3-8b --on t4,l4,a100-sxm-80gb --users 20 --ttft 500ms --tpot 40ms\n"
        "ridge place zoo:llama3-70b --on h100-sxm,a100-sxm-80gb --users 200 --prompt 1024 --output-tokens "
        "256 --ttft 500ms --tpot 40ms --precision bf16,f8 --price any\n"
        "ridge place zoo:mixtral-8x7b --on h100-sxm --users 64 --tpot 30ms --parallel 'tp=2;tp=4;tp=8'",
    .opt_size = sizeof(place_opt),
    .opts = opts,
    .opt_count = CMD_COUNT(opts),
    .arg_min = 1,
    .arg_max = 1,
    .run = run,
};
