/* cmd.h - what a command of the program is. To add one, write one file in this folder; nothing else changes.
 *
 * tools/tables.sh collects every RG_CMD(...) row; the parser, the help, the manual pages and the completion
 * scripts are all made from these tables. A command's option struct begins with a cmd_common, which main
 * fills and reads.
 */
#ifndef RG_CMD_H
#define RG_CMD_H

#include "ridge.h"

#define RG_CMD(id) const rg_cmd rg_cmd_##id
#define CMD_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define CMD_TRY(expr) do { rg_err e_ = (expr); if (e_) return e_; } while (0)

extern const rg_cmd *const rg_cmd_table[]; /* a command without a brief is not listed */
extern const int rg_cmd_count;

/* ---- opt.c: options ---- */

typedef struct cmd_common { const char *format, *part, *output, *data_dir; bool quiet, help; } cmd_common;
extern const rg_opt opt_common[]; /* of every command */
extern const size_t opt_common_count;

/* The i-th option that a command takes, its own first, then the common ones that it does not redefine; NULL
 * past the last. */
const rg_opt *opt_at(const rg_cmd *cmd, size_t i);
char opt_letter(const rg_opt *opt); /* of its short form, or 0 */

/* Cuts the next of "text|json|md" off the front of *rest; false: no more. */
bool opt_choice(const char **rest, const char **choice, size_t *size);

/* What was typed: `opt` is a zeroed block of cmd->opt_size bytes, `args` has room for argc words. Presets are
 * applied first; the strings in `opt` and `args` are those of argv. */
RG_CHECKED rg_err opt_parse(rg_ctx *cx, const rg_cmd *cmd, int argc, const char *const *argv, void *opt,
                            const char **args, int *arg_count);

/* The best of several spellings for a word that is none of them. */
typedef struct opt_near { const char *word, *best; size_t apart; } opt_near;
void opt_near_offer(opt_near *near, const char *spelling, size_t size);

/* ---- help.c ---- */

void help_program(FILE *out);
void help_command(const rg_cmd *cmd, FILE *out);
/* The command of that name, or an error that offers the nearest. */
RG_CHECKED rg_err help_find(rg_ctx *cx, const char *name, const rg_cmd **out);

/* ---- model.c: loading ---- */

typedef struct cmd_model {
    const char *shape, *value, *trip, *parallel, *skip;
    int batch;
    bool symbolic; /* no option: sizes that nobody gave stay open, else they are assumed */
} cmd_model;

/* Rows of an option table; `at` is the offset of the cmd_model in the command's option struct. */
#define CMD_MODEL_OPTIONS(at)                                                                            \
    {"batch", "N", RG_OPT_INT, (at) + offsetof(cmd_model, batch), "0", NULL,                             \
     "inputs per inference; 0: as the model says"},                                                      \
    {"shape", "SPEC", RG_OPT_LIST, (at) + offsetof(cmd_model, shape), NULL, NULL,                        \
     "sizes of dimensions or inputs: seq=128,image=1x3x224x224"},                                        \
    {"value", "SPEC", RG_OPT_LIST, (at) + offsetof(cmd_model, value), NULL, NULL,                        \
     "values of scalar inputs: sr=16000"},                                                               \
    {"trip", "SPEC", RG_OPT_LIST, (at) + offsetof(cmd_model, trip), NULL, NULL,                          \
     "trip counts of Loop nodes: /decoder/Loop=20"}

/* ... of models that are looked at, not run: other graphs of the same model. */
#define CMD_SKIP_OPTION(at)                                                                              \
    {"skip", "PASS,...", RG_OPT_LIST, (at), NULL, NULL,                                                  \
     "passes that do not run: recognize-attention for code that calls a kernel for each step of it"}
#define CMD_GRAPH_OPTIONS(at)                                                                            \
    CMD_MODEL_OPTIONS(at),                                                                               \
    CMD_SKIP_OPTION((at) + offsetof(cmd_model, skip)),                                                   \
    {"parallel", "SPEC", RG_OPT_LIST, (at) + offsetof(cmd_model, parallel), NULL, NULL,                  \
     "devices that share a language model, of which one's share is taken: tp=4,pp=2 (tensor, pipeline; "  \
     "sp sequence, ep experts, dp replicas)"}

/* raw: as imported, no pass has run. */
RG_CHECKED rg_err cmd_model_load(rg_ctx *cx, const cmd_model *model, const char *path, bool raw,
                           const rg_graph **out);

/* ---- list.c: several values in one option ---- */

typedef struct cmd_list { char *words; const char **items; size_t count; } cmd_list;

/* text NULL: empty. Freed by cmd_list_free, after an error too. */
RG_CHECKED rg_err cmd_list_split(rg_ctx *cx, const char *option, const char *text, cmd_list *out);
/* The same where the items have commas inside: "tp=1;tp=4,pp=2". */
RG_CHECKED rg_err cmd_list_split_at(rg_ctx *cx, const char *option, const char *text, char between,
                                    cmd_list *out);
void cmd_list_free(cmd_list *list);

/* ---- machine.c: one machine ---- */

/* What forecasts use of what was learned: a row of the option groups below. */
#define CMD_LEARNING_OPTION(at)                                                                          \
    {"learning", "WHAT", RG_OPT_TEXT, (at), "all", "all|rows|none",                                       \
     "of what measurements taught, what a forecast uses: all, of kernels alone (rows), nothing"}

typedef struct cmd_machine {
    const char *device, *runtime, *precision, *changes, *learning;
    int core_mhz, host_mhz, threads;
} cmd_machine;

#define CMD_PLACE_OPTIONS(at)                                                                            \
    {"runtime", "ID", RG_OPT_TEXT, (at) + offsetof(cmd_machine, runtime), NULL, NULL,                    \
     "software stack: an id (see 'ridge runtimes') or a profile file; else the customary one"},          \
    {"precision", "TYPE", RG_OPT_TEXT, (at) + offsetof(cmd_machine, precision), "model", NULL,           \
     "type that all floating-point values get: model (keeps the file's), f32, tf32 (f32 on matrix "      \
     "units), f16, bf16, f8, i8, amp-f16 (PyTorch's mixed precision); +w=i4g128 stores weights and "    \
     "+kv=f8 caches narrower (i8, i4, f8, f4; gN: a scale for every N)"},                                \
    {"core-mhz", "MHZ", RG_OPT_INT, (at) + offsetof(cmd_machine, core_mhz), "0", NULL,                   \
     "highest core clock; 0: the device's own; the power cap may lower either"},                         \
    {"host-mhz", "MHZ", RG_OPT_INT, (at) + offsetof(cmd_machine, host_mhz), "0", NULL,                   \
     "clock of the processor that launches kernels; 0: that of the runtime's profile, of a CPU its own"}, \
    {"threads", "N", RG_OPT_INT, (at) + offsetof(cmd_machine, threads), "0", NULL,                       \
     "CPU cores to use; 0: all"},                                                                        \
    {"set", "PATH=VALUE,...", RG_OPT_LIST, (at) + offsetof(cmd_machine, changes), NULL, NULL,            \
     "what if: figures of the profile, by their path: levels.hbm.read_byte_per_s=2x, "                   \
     "engines.sm.count=+10%, runtime.launch.launch_s=0"},                                                \
    CMD_LEARNING_OPTION((at) + offsetof(cmd_machine, learning))
#define CMD_MACHINE_OPTIONS(at)                                                                          \
    {"on", "ID", RG_OPT_TEXT, (at) + offsetof(cmd_machine, device), "host", NULL,                        \
     "the device: an id or alias, a profile file, ID@MODE, or host (this machine)"},                     \
    CMD_PLACE_OPTIONS(at)

/* Negative numbers are wrong use. */
RG_CHECKED rg_err cmd_machine_check(rg_ctx *cx, const cmd_machine *m);
/* Clocks and learning; rates are the caller's. */
RG_CHECKED rg_err cmd_machine_forecast(rg_ctx *cx, const cmd_machine *m, rg_forecast_opt *out);
/* A device by its name and the runtime for it; changed: --set is applied. */
RG_CHECKED rg_err cmd_machine_find(rg_ctx *cx, const cmd_machine *m, const char *id, bool changed,
                                   const rg_device **device, const rg_runtime **runtime);
/* One model on the one device of the options. */
RG_CHECKED rg_err cmd_machine_plan(rg_ctx *cx, const cmd_machine *m, const cmd_model *model, const char *path,
                                   const rg_plan **out);

/* ---- work_options.c: how many threads, and where what was learned goes ---- */

#define CMD_JOBS_OPTION(at)                                                                              \
    {"jobs", "N", RG_OPT_INT, (at), "0", NULL,                                                           \
     "threads that compute here; 0: one for each core; the answer is the same"}
#define CMD_INTO_OPTION(at)                                                                              \
    {"into", "DIR", RG_OPT_TEXT, (at), NULL, NULL,                                                       \
     "write files of trees to DIR; from MY/learned, --data MY or RIDGE_DATA=MY reads them back"}

/* A negative number is wrong use. */
RG_CHECKED rg_err cmd_jobs_check(rg_ctx *cx, int jobs);

/* ---- study_options.c: many machines, many settings ---- */

typedef struct cmd_study {
    const char *devices, *runtimes, *precision, *batch, *seq, *core_mhz, *shape, *value, *trip, *skip,
        *changes, *learning;
    int threads, jobs;
} cmd_study;

#define CMD_STUDY_OPTIONS(at)                                                                            \
    {"on", "ID,...", RG_OPT_LIST, (at) + offsetof(cmd_study, devices), "host", NULL,                     \
     "devices: ids or aliases, profile files, ID@MODE, host (this machine), or all"},                    \
    {"runtime", "ID,...", RG_OPT_LIST, (at) + offsetof(cmd_study, runtimes), NULL, NULL,                 \
     "software stacks: ids, profile files, or all; else the customary one of each device"},              \
    {"precision", "TYPE,...", RG_OPT_LIST, (at) + offsetof(cmd_study, precision), "model", NULL,         \
     "model, f32, tf32, f16, bf16, f8, i8, amp-f16: types that all floating-point values get; "          \
     "f16+w=i4g128+kv=f8 stores weights and caches narrower"},                                           \
    {"batch", "RANGE", RG_OPT_LIST, (at) + offsetof(cmd_study, batch), NULL, NULL,                       \
     "inputs per inference: 1,8 or 1..256 or 10..50:10; else as the model says"},                        \
    {"seq", "RANGE", RG_OPT_LIST, (at) + offsetof(cmd_study, seq), NULL, NULL,                           \
     "sizes of the dimension that is called seq"},                                                       \
    {"core-mhz", "RANGE", RG_OPT_LIST, (at) + offsetof(cmd_study, core_mhz), NULL, NULL,                 \
     "core clocks in MHz, or all: those of the device; the power cap may lower them"},                   \
    {"set", "PATH=VALUE,...", RG_OPT_LIST, (at) + offsetof(cmd_study, changes), NULL, NULL,              \
     "what if: figures of every profile, by their path: levels.hbm.read_byte_per_s=2x"},                 \
    {"shape", "SPEC", RG_OPT_LIST, (at) + offsetof(cmd_study, shape), NULL, NULL,                        \
     "sizes of dimensions or inputs: seq=128,image=1x3x224x224"},                                        \
    {"value", "SPEC", RG_OPT_LIST, (at) + offsetof(cmd_study, value), NULL, NULL,                        \
     "values of scalar inputs: sr=16000"},                                                               \
    {"trip", "SPEC", RG_OPT_LIST, (at) + offsetof(cmd_study, trip), NULL, NULL,                          \
     "trip counts of Loop nodes: /decoder/Loop=20"},                                                     \
    CMD_SKIP_OPTION((at) + offsetof(cmd_study, skip)),                                                   \
    {"threads", "N", RG_OPT_INT, (at) + offsetof(cmd_study, threads), "0", NULL,                         \
     "CPU cores that a forecast assumes; 0: all of the device"},                                         \
    CMD_LEARNING_OPTION((at) + offsetof(cmd_study, learning)),                                           \
    CMD_JOBS_OPTION((at) + offsetof(cmd_study, jobs))

/* keep: the forecasts, for documents that show rows. Draws its progress. */
RG_CHECKED rg_err cmd_study_run(rg_ctx *cx, const cmd_study *o, const cmd_common *common, const char *name,
                                const rg_rates *rates, bool keep, int argc, const char *const *argv,
                                rg_study **out);
/* RG_GATE when a forecast failed one of its own checks. */
RG_CHECKED rg_err cmd_study_gate(rg_ctx *cx, const rg_study *study);

/* ---- cost_options.c: money and carbon ---- */

typedef struct cmd_cost { const char *price, *owned, *region; bool spot; double utilization, pue; } cmd_cost;

#define CMD_COST_OPTIONS(at)                                                                             \
    {"price", "PRICE", RG_OPT_TEXT, (at) + offsetof(cmd_cost, price), NULL, NULL,                        \
     "what the machine costs: dollars an hour of the device, or of 'ridge prices', the cheapest that has "\
     "it: aws, any, aws:p5.48xlarge, aws:p5.48xlarge@us-east-1"},                                        \
    {"spot", NULL, RG_OPT_FLAG, (at) + offsetof(cmd_cost, spot), NULL, NULL,                             \
     "the spot price, where one is known"},                                                              \
    {"owned", "SPEC", RG_OPT_TEXT, (at) + offsetof(cmd_cost, owned), NULL, NULL,                         \
     "a machine of one's own: price_usd=30000,years=4,tariff_usd_per_kwh=0.12 and devices, utilization, "\
     "pue"},                                                                                             \
    {"region", "NAME", RG_OPT_TEXT, (at) + offsetof(cmd_cost, region), NULL, NULL,                       \
     "whose electricity: a country or cloud region of 'ridge regions'; else that of the price, else the "\
     "world's mean"},                                                                                    \
    {"utilization", "X", RG_OPT_REAL, (at) + offsetof(cmd_cost, utilization), "0", NULL,                 \
     "share of the time in which the machine is held that it computes; 0: all of it"},                   \
    {"pue", "X", RG_OPT_REAL, (at) + offsetof(cmd_cost, pue), "0", NULL,                                 \
     "energy of the building over that of the machine; 0: the machine's alone"}

/* NULL where none of them was given. */
RG_CHECKED rg_err cmd_cost_rates(rg_ctx *cx, const cmd_cost *cost, const rg_rates **out);

/* ---- progress.c ---- */

typedef struct cmd_progress { const char *name; double begun_s, drawn_s; bool shown; } cmd_progress;
void cmd_progress_begin(cmd_progress *p, const cmd_common *common, const char *name);
bool cmd_progress_step(void *user, size_t done, size_t total); /* false: Ctrl-C */
void cmd_progress_end(cmd_progress *p);

/* ---- main.c ---- */

/* Says the text of cx's last error on standard error, unless --quiet: worth knowing, but no error here. */
void cmd_remark(const rg_ctx *cx, const cmd_common *common);

#endif
