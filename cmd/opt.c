/* opt.c - options from a command's table: --name VALUE, --name=VALUE, flags, `--` before words that look
 * like options.
 *
 * Everything typed is checked here, so that a command sees values of the right kind only: numbers are whole
 * and in range, choices are among the choices. What does not fit is answered with what would have. Of an
 * option given twice the last one counts, so that an alias can be overridden; only lists refuse, because
 * people mean both.
 */
#include "cmd.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_MAX = 64 }; /* options of one command, the common ones included */

#define FIELD(name) offsetof(cmd_common, name)
const rg_opt opt_common[] = {
    {"format", "NAME", RG_OPT_TEXT, FIELD(format), "text", "text|json|csv|md|html|svg|png|pdf",
     "form of the answer: json has everything, csv the tables, svg, png and pdf the charts"},
    {"part", "NAME", RG_OPT_TEXT, FIELD(part), NULL, NULL,
     "one chart (svg, png, pdf) or table (csv) of the answer; a wrong name lists all"},
    {"output", "FILE", RG_OPT_TEXT, FIELD(output), NULL, NULL,
     "write to FILE; DIR/ with a slash at the end: each chart or table as DIR/NAME.FORMAT"},
    {"data", "DIR", RG_OPT_TEXT, FIELD(data_dir), NULL, NULL,
     "profiles in DIR before the built-in ones; else $RIDGE_DATA"},
    {"quiet", NULL, RG_OPT_FLAG, FIELD(quiet), NULL, NULL, "no remarks on standard error, only errors"},
    {"help", NULL, RG_OPT_FLAG, FIELD(help), NULL, NULL, "show this help"},
};
const size_t opt_common_count = CMD_COUNT(opt_common);

static const struct { char letter; const char *name; } letters[] = {
    {'o', "output"}, {'q', "quiet"}, {'h', "help"},
};

char opt_letter(const rg_opt *opt)
{
    for (size_t i = 0; i < CMD_COUNT(letters); i++)
        if (strcmp(letters[i].name, opt->name) == 0) return letters[i].letter;
    return 0;
}

static bool redefines(const rg_cmd *cmd, const rg_opt *common)
{
    for (size_t i = 0; i < cmd->opt_count; i++)
        if (strcmp(cmd->opts[i].name, common->name) == 0) return true;
    return false;
}

const rg_opt *opt_at(const rg_cmd *cmd, size_t i)
{
    if (i < cmd->opt_count) return &cmd->opts[i];
    i -= cmd->opt_count;
    for (size_t c = 0; c < opt_common_count; c++)
        if (!redefines(cmd, &opt_common[c]) && i-- == 0) return &opt_common[c];
    return NULL;
}

bool opt_choice(const char **rest, const char **choice, size_t *size)
{
    if (!*rest || !**rest) return false;
    *choice = *rest;
    *size = strcspn(*rest, "|");
    *rest += *size + ((*rest)[*size] == '|');
    return true;
}

/* ---- spelling ---- */

/* A slip of the finger (a letter too many, too few, wrong, two swapped) leaves all but two letters in place,
 * counted from both ends; a word cut short leaves its beginning. What is farther apart is not offered. */
void opt_near_offer(opt_near *near, const char *spelling, size_t size)
{
    size_t length = strlen(near->word), head = 0, tail = 0;
    size_t shorter = length < size ? length : size, longer = length + size - shorter;
    while (head < shorter && near->word[head] == spelling[head]) head++;
    while (tail < shorter - head && near->word[length - 1 - tail] == spelling[size - 1 - tail]) tail++;
    size_t apart = head == length && length > 1 ? 1 : longer - head - tail;
    if (apart > 2 || apart * 2 > longer || (near->best && apart >= near->apart)) return;
    near->best = spelling;
    near->apart = apart;
}

/* ---- values ---- */

static rg_err bad(rg_ctx *cx, const rg_opt *opt, const char *text, const char *why)
{
    return rg_fail(cx, RG_USAGE, "--%s: '%s' is %s", opt->name, text, why);
}

static rg_err check_choice(rg_ctx *cx, const rg_opt *opt, const char *text)
{
    opt_near near = {.word = text};
    const char *rest = opt->choices, *choice;
    size_t size;
    while (opt_choice(&rest, &choice, &size)) {
        if (strlen(text) == size && memcmp(text, choice, size) == 0) return RG_OK;
        opt_near_offer(&near, choice, size);
    }
    if (!near.best) return rg_fail(cx, RG_USAGE, "--%s: '%s' is none of %s", opt->name, text, opt->choices);
    int best_size = (int)strcspn(near.best, "|");
    return rg_fail(cx, RG_USAGE, "--%s: '%s' is none of %s; did you mean %.*s?", opt->name, text,
                   opt->choices, best_size, near.best);
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static rg_err read_int(rg_ctx *cx, const rg_opt *opt, const char *text, int *out)
{
    char *end;
    errno = 0;
    long x = strtol(text, &end, 10);
    if (end == text || *end || is_space(*text)) return bad(cx, opt, text, "not a whole number");
    if (errno || x < INT_MIN || x > INT_MAX) return bad(cx, opt, text, "too large");
    *out = (int)x;
    return RG_OK;
}

static rg_err read_real(rg_ctx *cx, const rg_opt *opt, const char *text, double *out)
{
    char *end;
    double x = strtod(text, &end);
    if (end == text || *end || is_space(*text)) return bad(cx, opt, text, "not a number");
    if (!isfinite(x)) return bad(cx, opt, text, "not a finite number");
    *out = x;
    return RG_OK;
}

static rg_err set(rg_ctx *cx, const rg_opt *opt, const char *text, void *block)
{
    void *field = (char *)block + opt->field;
    if (opt->choices) CMD_TRY(check_choice(cx, opt, text));
    switch (opt->kind) {
    case RG_OPT_FLAG: *(bool *)field = true; return RG_OK;
    case RG_OPT_INT:  return read_int(cx, opt, text, field);
    case RG_OPT_REAL: return read_real(cx, opt, text, field);
    case RG_OPT_TEXT:
    case RG_OPT_LIST: *(const char **)field = text; return RG_OK;
    }
    return RG_OK;
}

/* ---- the words typed ---- */

typedef struct reader {
    rg_ctx *cx;
    const rg_cmd *cmd;
    int argc, at;
    const char *const *argv;
    void *block;
    bool given[OPT_MAX];
} reader;

static rg_err unknown(reader *r, const char *name, size_t size)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(size < sizeof word ? size : sizeof word - 1), name);
    opt_near near = {.word = word};
    const rg_opt *known;
    for (size_t i = 0; (known = opt_at(r->cmd, i)); i++)
        opt_near_offer(&near, known->name, strlen(known->name));
    if (!near.best) return rg_fail(r->cx, RG_USAGE, "unknown option --%s", word);
    return rg_fail(r->cx, RG_USAGE, "unknown option --%s; did you mean --%s?", word, near.best);
}

/* `value` NULL: it is the next word, unless the option is a flag. */
static rg_err take(reader *r, size_t index, const char *value)
{
    const rg_opt *opt = opt_at(r->cmd, index);
    if (opt->kind == RG_OPT_FLAG) {
        if (value) return rg_fail(r->cx, RG_USAGE, "--%s takes no value, got '%s'", opt->name, value);
        return set(r->cx, opt, "", r->block);
    }
    if (!value) {
        bool none = r->at == r->argc || strncmp(r->argv[r->at], "--", 2) == 0;
        if (none) return rg_fail(r->cx, RG_USAGE, "--%s needs a value, %s", opt->name, opt->value);
        value = r->argv[r->at++];
    }
    if (opt->kind == RG_OPT_LIST && r->given[index])
        return rg_fail(r->cx, RG_USAGE, "--%s is given twice; separate its values by commas", opt->name);
    r->given[index] = true;
    return set(r->cx, opt, value, r->block);
}

static rg_err take_long(reader *r, const char *word)
{
    const char *name = word + 2;
    size_t size = strcspn(name, "=");
    const rg_opt *opt;
    for (size_t i = 0; (opt = opt_at(r->cmd, i)); i++)
        if (strlen(opt->name) == size && memcmp(opt->name, name, size) == 0)
            return take(r, i, name[size] ? name + size + 1 : NULL);
    return unknown(r, name, size);
}

static rg_err take_short(reader *r, const char *word)
{
    const rg_opt *opt;
    for (size_t i = 0; word[2] == 0 && (opt = opt_at(r->cmd, i)); i++)
        if (opt_letter(opt) == word[1]) return take(r, i, NULL);
    return rg_fail(r->cx, RG_USAGE, "unknown option %s", word);
}

static rg_err check_count(rg_ctx *cx, const rg_cmd *cmd, int count)
{
    if (count < cmd->arg_min)
        return rg_fail(cx, RG_USAGE, "expected %s, got %s", cmd->args, count ? "too few" : "nothing");
    const char *most = cmd->arg_max ? cmd->args : "nothing";
    if (cmd->arg_max >= 0 && count > cmd->arg_max)
        return rg_fail(cx, RG_USAGE, "expected %s, got %d words", most, count);
    return RG_OK;
}

rg_err opt_parse(rg_ctx *cx, const rg_cmd *cmd, int argc, const char *const *argv, void *opt,
                 const char **args, int *arg_count)
{
    reader r = {.cx = cx, .cmd = cmd, .argc = argc, .argv = argv, .block = opt};
    const rg_opt *known;
    bool plain = false;
    *arg_count = 0;
    for (size_t i = 0; (known = opt_at(cmd, i)); i++)
        if (known->preset) CMD_TRY(set(cx, known, known->preset, opt));
    while (r.at < argc) {
        const char *word = argv[r.at++];
        if (plain || word[0] != '-' || word[1] == 0) args[(*arg_count)++] = word;
        else if (strcmp(word, "--") == 0) plain = true;
        else if (word[1] == '-') CMD_TRY(take_long(&r, word));
        else CMD_TRY(take_short(&r, word));
    }
    return ((const cmd_common *)opt)->help ? RG_OK : check_count(cx, cmd, *arg_count);
}
