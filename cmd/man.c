/* man.c - `ridge man [PAGE]`: the manual page as roff, made from the command's table. `make install` runs
 * it; it is not listed.
 */
#include "cmd.h"

#include <string.h>

/* Words, with what roff would take for markup escaped: backslashes, dashes, and a dot or quote that opens a
 * line. */
static void put(FILE *out, const char *text)
{
    bool line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\'')) fputs("\\&", out);
        if (*text == '\\') fputs("\\e", out);
        else if (*text == '-') fputs("\\-", out);
        else putc(*text, out);
        line_start = *text == '\n';
    }
}

static void put_section(FILE *out, const char *name, const char *text)
{
    fprintf(out, ".SH %s\n", name);
    put(out, text);
    putc('\n', out);
}

static void put_option(FILE *out, const rg_opt *opt)
{
    fputs(".TP\n", out);
    if (opt_letter(opt)) fprintf(out, "\\fB\\-%c\\fR, ", opt_letter(opt));
    fputs("\\fB\\-\\-", out);
    put(out, opt->name);
    fputs("\\fR", out);
    if (opt->value) fprintf(out, " \\fI%s\\fR", opt->value);
    putc('\n', out);
    put(out, opt->help);
    if (opt->choices) {
        fputs("; one of ", out);
        put(out, opt->choices);
    }
    if (opt->preset && *opt->preset) {
        fputs("; default ", out);
        put(out, opt->preset);
    }
    putc('\n', out);
}

/* The exit codes in ascending order, each with the errors that it stands for. */
static void put_exit_codes(FILE *out)
{
    fputs(".SH EXIT STATUS\n", out);
    for (int code = 0; code < 256; code++) {
        int found = 0;
        for (int err = 0; err < RG_ERR_COUNT; err++) {
            if (rg_err_exit_code((rg_err)err) != code) continue;
            if (!found++) fprintf(out, ".TP\n%d\n", code);
            else fputs(", ", out);
            put(out, rg_err_text((rg_err)err));
        }
        if (found) putc('\n', out);
    }
}

static void put_environment(FILE *out)
{
    fputs(".SH ENVIRONMENT\n.TP\nRIDGE_DATA\n"
          "a directory laid over the built-in profiles, unless \\-\\-data names another\n"
          ".TP\nRIDGE_HOST\n"
          "the profile that ridge calibrate writes and host stands for; empty: none; unset:\n"
          "ridge/hw/host.json in $XDG_DATA_HOME or ~/.local/share\n", out);
}

static void put_examples(FILE *out, const char *examples)
{
    if (!examples) return;
    fputs(".SH EXAMPLES\n.nf\n", out);
    put(out, examples);
    fputs("\n.fi\n", out);
}

static void put_command(FILE *out, const rg_cmd *cmd)
{
    fprintf(out, ".TH ridge\\-%s 1 \"\" \"ridge %s\"\n", cmd->name, rg_version());
    fprintf(out, ".SH NAME\nridge\\-%s \\- ", cmd->name);
    put(out, cmd->brief ? cmd->brief : "print a manual page");
    fprintf(out, "\n.SH SYNOPSIS\n\\fBridge %s\\fR [options] %s\n", cmd->name, cmd->args ? cmd->args : "");
    if (cmd->detail) put_section(out, "DESCRIPTION", cmd->detail);
    fputs(".SH OPTIONS\n", out);
    for (size_t i = 0; opt_at(cmd, i); i++) put_option(out, opt_at(cmd, i));
    put_exit_codes(out);
    put_environment(out);
    put_examples(out, cmd->examples);
    fputs(".SH SEE ALSO\n\\fBridge\\fR(1)\n", out);
}

static void put_program(FILE *out)
{
    fprintf(out, ".TH ridge 1 \"\" \"ridge %s\"\n", rg_version());
    fputs(".SH NAME\nridge \\- predict time, memory and energy of neural networks\n"
          ".SH SYNOPSIS\n\\fBridge\\fR \\fICOMMAND\\fR [options] [words]\n.SH COMMANDS\n", out);
    for (int i = 0; i < rg_cmd_count; i++) {
        const rg_cmd *cmd = rg_cmd_table[i];
        if (!cmd->brief) continue;
        fprintf(out, ".TP\n\\fBridge\\-%s\\fR(1)\n", cmd->name);
        put(out, cmd->brief);
        putc('\n', out);
    }
    fputs(".SH OPTIONS\n", out);
    for (size_t i = 0; i < opt_common_count; i++) put_option(out, &opt_common[i]);
    put_exit_codes(out);
    put_environment(out);
    put_examples(out, "ridge predict zoo:resnet50 --on host");
}

/* A page's name is its file's: ridge, ridge-predict; the command alone will do. */
static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const char *name = argc ? argv[0] : "ridge";
    const rg_cmd *cmd;
    (void)opt, (void)out;
    if (strcmp(name, "ridge") == 0) {
        put_program(stdout);
        return RG_OK;
    }
    CMD_TRY(help_find(cx, strncmp(name, "ridge-", 6) == 0 ? name + 6 : name, &cmd));
    put_command(stdout, cmd);
    return RG_OK;
}

RG_CMD(man) = {.name = "man", .args = "[PAGE]", .opt_size = sizeof(cmd_common), .arg_max = 1, .run = run};
