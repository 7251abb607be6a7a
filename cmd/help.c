/* help.c - `ridge help`: what the program can do, and what one command takes, from the command tables. */
#include "cmd.h"

#include <string.h>

enum { PAGE_COLUMNS = 100, HELP_COLUMN = 26, NAME_COLUMN = 16 };

/* Words from column `indent` on; the first line already stands at column `column`. */
static void put_words(FILE *out, const char *words, int column, int indent)
{
    fprintf(out, "%*s", column < indent ? indent - column : 0, "");
    if (column > indent) fprintf(out, "\n%*s", indent, "");
    for (column = indent; *words;) {
        int size = (int)strcspn(words, " ");
        if (column > indent && column + 1 + size > PAGE_COLUMNS) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        }
        column += fprintf(out, "%s%.*s", column > indent ? " " : "", size, words);
        words += size + (words[size] == ' ');
    }
    putc('\n', out);
}

/* Paragraphs keep their line breaks. */
static void put_lines(FILE *out, const char *text, int indent)
{
    while (*text) {
        int size = (int)strcspn(text, "\n");
        fprintf(out, "%*s%.*s\n", indent, "", size, text);
        text += size + (text[size] == '\n');
    }
}

static void put_option(FILE *out, const rg_opt *opt)
{
    char words[512], letter[5] = "    ";
    if (opt_letter(opt)) snprintf(letter, sizeof letter, "-%c, ", opt_letter(opt));
    const char *value = opt->value ? opt->value : "";
    int column = fprintf(out, "  %s--%s%s%s", letter, opt->name, *value ? " " : "", value);
    bool preset = opt->preset && *opt->preset;
    int size = snprintf(words, sizeof words, "%s", opt->help);
    if (opt->choices) size += snprintf(words + size, sizeof words - (size_t)size, " (%s)", opt->choices);
    if (preset) snprintf(words + size, sizeof words - (size_t)size, " [%s]", opt->preset);
    put_words(out, words, column + 1, HELP_COLUMN);
}

void help_command(const rg_cmd *cmd, FILE *out)
{
    const char *args = cmd->args ? cmd->args : "";
    fprintf(out, "Usage: ridge %s [options]%s%s\n\n", cmd->name, *args ? " " : "", args);
    if (cmd->brief) put_words(out, cmd->brief, 0, 0);
    if (cmd->detail) {
        putc('\n', out);
        put_lines(out, cmd->detail, 0);
    }
    fputs("\nOptions:\n", out);
    for (size_t i = 0; opt_at(cmd, i); i++) put_option(out, opt_at(cmd, i));
    if (cmd->examples) {
        fputs("\nExamples:\n", out);
        put_lines(out, cmd->examples, 2);
    }
}

void help_program(FILE *out)
{
    fputs("Usage: ridge COMMAND [options] [words]\n\n"
          "Predicts time, memory and energy of neural networks on any machine, and says why.\n"
          "\nCommands:\n", out);
    for (int i = 0; i < rg_cmd_count; i++) {
        const rg_cmd *cmd = rg_cmd_table[i];
        if (!cmd->brief) continue;
        int column = fprintf(out, "  %s", cmd->name);
        put_words(out, cmd->brief, column + 1, NAME_COLUMN);
    }
    fputs("\nOptions of every command:\n", out);
    for (size_t i = 0; i < opt_common_count; i++) put_option(out, &opt_common[i]);
    fputs("\n'ridge help COMMAND' says more; 'ridge --version' prints the version.\n"
          "\nA first try:\n  ridge predict zoo:resnet50 --on host\n", out);
}

rg_err help_find(rg_ctx *cx, const char *name, const rg_cmd **out)
{
    opt_near near = {.word = name};
    for (int i = 0; i < rg_cmd_count; i++) {
        const rg_cmd *cmd = rg_cmd_table[i];
        if (strcmp(cmd->name, name) == 0) {
            *out = cmd;
            return RG_OK;
        }
        if (cmd->brief) opt_near_offer(&near, cmd->name, strlen(cmd->name));
    }
    if (near.best) return rg_fail(cx, RG_USAGE, "unknown command '%s'; did you mean %s?", name, near.best);
    return rg_fail(cx, RG_USAGE, "unknown command '%s'", name);
}

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const rg_cmd *cmd;
    (void)opt, (void)out;
    if (argc == 0) {
        help_program(stdout);
        return RG_OK;
    }
    CMD_TRY(help_find(cx, argv[0], &cmd));
    help_command(cmd, stdout);
    return RG_OK;
}

RG_CMD(help) = {
    .name = "help", .args = "[COMMAND]", .brief = "show what a command does, its options and examples",
    .examples = "ridge help predict",
    .opt_size = sizeof(cmd_common), .arg_max = 1, .run = run,
};
