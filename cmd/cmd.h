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

typedef struct cmd_common { const char *format, *output, *data_dir; bool quiet, help; } cmd_common;
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
    const char *shape, *value, *trip;
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

/* raw: as imported, no pass has run. */
RG_CHECKED rg_err cmd_model_load(rg_ctx *cx, const cmd_model *model, const char *path, bool raw,
                           const rg_graph **out);

/* ---- main.c ---- */

/* Says the text of cx's last error on standard error, unless --quiet: worth knowing, but no error here. */
void cmd_remark(const rg_ctx *cx, const cmd_common *common);

#endif
