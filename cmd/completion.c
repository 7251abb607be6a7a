/* completion.c - `ridge completion bash|zsh`: completion scripts, made from the command tables.
 *
 * The scripts are static: completing never starts the program, so it costs nothing and cannot fail.
 */
#include "cmd.h"

#include <string.h>

static void put_choices(FILE *out, const char *choices)
{
    const char *choice;
    size_t size;
    for (int i = 0; opt_choice(&choices, &choice, &size); i++)
        fprintf(out, "%s%.*s", i ? " " : "", (int)size, choice);
}

static void put_command_names(FILE *out)
{
    const char *gap = "";
    for (int i = 0; i < rg_cmd_count; i++) {
        if (!rg_cmd_table[i]->brief) continue;
        fprintf(out, "%s%s", gap, rg_cmd_table[i]->name);
        gap = " ";
    }
}

/* Behind an option: its choices, or nothing, which leaves file names. Elsewhere a dash begins an option. */
static void put_bash_command(FILE *out, const rg_cmd *cmd)
{
    const rg_opt *opt;
    fprintf(out, "    %s)\n        case $prev in\n", cmd->name);
    for (size_t i = 0; (opt = opt_at(cmd, i)); i++) {
        if (opt->kind == RG_OPT_FLAG) continue;
        fprintf(out, "        --%s) words='", opt->name);
        put_choices(out, opt->choices);
        fputs("' ;;\n", out);
    }
    fputs("        *) [[ $cur == -* ]] && words='", out);
    for (size_t i = 0; (opt = opt_at(cmd, i)); i++) fprintf(out, "%s--%s", i ? " " : "", opt->name);
    fputs("' ;;\n        esac ;;\n", out);
}

static void put_bash(FILE *out)
{
    fputs("# bash completion for ridge\n_ridge()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=''\n"
          "    local commands='", out);
    put_command_names(out);
    fputs("'\n    case ${COMP_WORDS[1]} in\n", out);
    for (int i = 0; i < rg_cmd_count; i++)
        if (rg_cmd_table[i]->brief) put_bash_command(out, rg_cmd_table[i]);
    fputs("    esac\n    [[ $COMP_CWORD -eq 1 ]] && words=\"$commands --help --version\"\n"
          "    [[ $prev == help ]] && words=$commands\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
          "complete -o default -F _ridge ridge\n", out);
}

/* Within single quotes, and within zsh's own brackets and colons. */
static void put_zsh_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'') fputs("'\\''", out);
        else if (strchr("[]:\\", *text)) fprintf(out, "\\%c", *text);
        else putc(*text, out);
    }
}

static void put_zsh_command(FILE *out, const rg_cmd *cmd)
{
    const rg_opt *opt;
    fprintf(out, "    %s) _arguments", cmd->name);
    for (size_t i = 0; (opt = opt_at(cmd, i)); i++) {
        fprintf(out, " \\\n        '--%s[", opt->name);
        put_zsh_text(out, opt->help);
        putc(']', out);
        if (opt->value) {
            putc(':', out);
            put_zsh_text(out, opt->value);
            fputs(opt->choices ? ":(" : ":_files", out);
            if (opt->choices) {
                put_choices(out, opt->choices);
                putc(')', out);
            }
        }
        putc('\'', out);
    }
    fputs(" \\\n        '*:word:_files' ;;\n", out);
}

static void put_zsh(FILE *out)
{
    fputs("#compdef ridge\n_ridge()\n{\n    local -a commands\n    commands=(\n", out);
    for (int i = 0; i < rg_cmd_count; i++) {
        const rg_cmd *cmd = rg_cmd_table[i];
        if (!cmd->brief) continue;
        fprintf(out, "        '%s:", cmd->name);
        put_zsh_text(out, cmd->brief);
        fputs("'\n", out);
    }
    fputs("    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n"
          "    fi\n    local name=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $name in\n", out);
    for (int i = 0; i < rg_cmd_count; i++)
        if (rg_cmd_table[i]->brief) put_zsh_command(out, rg_cmd_table[i]);
    fputs("    esac\n}\n"
          "if [[ $funcstack[1] == _ridge ]]; then _ridge \"$@\"; else compdef _ridge ridge; fi\n", out);
}

static const struct { const char *name; void (*put)(FILE *out); } shells[] = {
    {"bash", put_bash}, {"zsh", put_zsh},
};

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    (void)opt, (void)argc, (void)out;
    for (size_t i = 0; i < CMD_COUNT(shells); i++) {
        if (strcmp(shells[i].name, argv[0]) != 0) continue;
        shells[i].put(stdout);
        return RG_OK;
    }
    return rg_fail(cx, RG_USAGE, "no completion for '%s'; there are bash and zsh", argv[0]);
}

RG_CMD(completion) = {
    .name = "completion", .args = "bash|zsh", .brief = "print a completion script for a shell",
    .examples = "source <(ridge completion bash)\nridge completion zsh > ~/.zfunc/_ridge",
    .opt_size = sizeof(cmd_common), .arg_min = 1, .arg_max = 1, .run = run,
};
