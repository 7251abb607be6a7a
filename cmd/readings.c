/* readings.c - `ridge readings FILE...`: what was measured and kept. */
#include "cmd.h"

typedef struct readings_opt {
    cmd_common common;
    const char *save;
    bool all;
} readings_opt;

#define FIELD(name) offsetof(readings_opt, name)
static const rg_opt opts[] = {
    {"save", "FILE", RG_OPT_TEXT, FIELD(save), NULL, NULL,
     "all of them as one file, .csv or .json, which is replaced"},
    {"all", NULL, RG_OPT_FLAG, FIELD(all), NULL, NULL, "every reading; else those of one thing are joined"},
};

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const readings_opt *o = opt;
    return rg_readings_doc(cx, argv, (size_t)argc, &(rg_readings_opt){
        .size = sizeof(rg_readings_opt), .save = o->save, .all = o->all,
    }, out);
}

RG_CMD(readings) = {
    .name = "readings", .args = "FILE...", .brief = "show, merge and convert files of measurements",
    .detail = "Reads what ridge bench --readings wrote, .csv or .json. Readings of one thing (model, row,\n"
              "plan, backend, version, threads, machine) are joined: the medians of their figures, of\n"
              "undisturbed ones where there are any.",
    .examples = "ridge readings mine.csv theirs.json\n"
                "ridge readings *.csv --save all.json\n"
                "ridge readings mine.csv --all --format json",
    .opt_size = sizeof(readings_opt), .opts = opts, .opt_count = CMD_COUNT(opts),
    .arg_min = 1, .arg_max = -1, .run = run,
};
