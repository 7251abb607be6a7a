/* main.c - the program: finds the command, parses its options, runs it, writes its document.
 *
 * Data goes to standard output, everything else to standard error; the exit code is the error's. A command
 * may answer with a document and still fail (a gate that is not met): the document is written first.
 */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A closed descriptor 1 would be taken by the first file opened, and the report written into it. Held by a
 * read-only one, writing fails and is reported. */
static void hold_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        bool closed = fcntl(fd, F_GETFD) == -1 && errno == EBADF;
        if (closed && open("/dev/null", fd == 1 ? O_RDONLY : O_RDWR) != fd) exit(rg_err_exit_code(RG_FAILED));
    }
}

/* Error texts quote names from model files; what could command a terminal is shown as '?'. */
static void put_safely(const char *text, FILE *out)
{
    for (; *text; text++) putc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

static int report(const rg_ctx *cx, const char *command, rg_err err)
{
    const char *gap = *command ? " " : "";
    fprintf(stderr, "ridge%s%s: ", gap, command);
    put_safely(cx ? rg_ctx_error(cx) : "no context", stderr);
    fprintf(stderr, " (%s)\n", rg_err_text(err));
    if (err == RG_USAGE) fprintf(stderr, "See 'ridge help%s%s'.\n", gap, command);
    return rg_err_exit_code(err);
}

void cmd_remark(const rg_ctx *cx, const cmd_common *common)
{
    if (common->quiet) return;
    fputs("ridge: ", stderr);
    put_safely(rg_ctx_error(cx), stderr);
    putc('\n', stderr);
}

static bool is_folder(const char *path) { return path && *path && path[strlen(path) - 1] == '/'; }

/* The output is opened before the work: a report of yesterday must not outlive a failed run of today. */
static rg_err open_output(rg_ctx *cx, const char *path)
{
    if (!path || strcmp(path, "-") == 0 || is_folder(path) || freopen(path, "w", stdout)) return RG_OK;
    return rg_fail(cx, RG_FAILED, "%s: %s", path, strerror(errno));
}

/* What was printed may still sit in the buffer: a full disk or a closed pipe shows only here. */
static rg_err close_output(rg_ctx *cx)
{
    bool failed = ferror(stdout);
    errno = 0;
    failed |= fclose(stdout) != 0;
    if (!failed) return RG_OK;
    return rg_fail(cx, RG_FAILED, "writing the output: %s", errno ? strerror(errno) : "error");
}

/* `ridge --help` and the like, said as commands. */
static const char *command_of(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return "help";
    return word;
}

typedef struct request {
    const rg_cmd *cmd;
    cmd_common *opt; /* the beginning of the command's own options */
    const char **args;
    int arg_count;
} request;

static rg_err read_request(rg_ctx *cx, int argc, const char *const *argv, request *r)
{
    CMD_TRY(help_find(cx, command_of(argv[0]), &r->cmd));
    r->opt = calloc(1, r->cmd->opt_size);
    r->args = calloc((size_t)argc, sizeof *r->args);
    if (!r->opt || !r->args) return rg_fail(cx, RG_NOMEM, "no memory for %d words", argc);
    return opt_parse(cx, r->cmd, argc - 1, argv + 1, r->opt, r->args, &r->arg_count);
}

static rg_err write_answer(rg_ctx *cx, const cmd_common *opt, const rg_doc *doc)
{
    if (opt->part) return rg_doc_write_part(cx, doc, opt->format, opt->part, stdout);
    if (is_folder(opt->output)) return rg_doc_write_parts(cx, doc, opt->format, opt->output);
    return rg_doc_write(cx, doc, opt->format, stdout);
}

static rg_err run_and_write(rg_ctx *cx, const request *r)
{
    rg_doc *doc = NULL;
    if (r->opt->part && is_folder(r->opt->output))
        return rg_fail(cx, RG_USAGE, "--part names one file, --output %s a folder of all", r->opt->output);
    CMD_TRY(open_output(cx, r->opt->output));
    rg_err err = r->cmd->run(cx, r->opt, r->arg_count, r->args, &doc);
    rg_err written = doc && (!err || err == RG_GATE) ? write_answer(cx, r->opt, doc) : RG_OK;
    rg_doc_free(doc);
    return written ? written : err;
}

static rg_err run_request(rg_ctx **cx, const request *r)
{
    if (r->opt->help) {
        help_command(r->cmd, stdout);
        return RG_OK;
    }
    if (r->opt->data_dir) { /* known only now: a context of its own, with the directory */
        rg_ctx_free(*cx);
        *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = r->opt->data_dir});
        if (!*cx) return RG_NOMEM;
    }
    return run_and_write(*cx, r);
}

static int print_version(void)
{
    return printf("ridge %s\n", rg_version()) < 0 || fflush(stdout) ? rg_err_exit_code(RG_FAILED) : 0;
}

int main(int argc, char **argv)
{
    hold_standard_files();
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away is a failed write, told like any other */
    if (argc < 2) {
        help_program(stderr);
        return rg_err_exit_code(RG_USAGE);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) return print_version();
    rg_ctx *cx = rg_ctx_new(NULL);
    request r = {0};
    rg_err err = cx ? read_request(cx, argc - 1, (const char *const *)argv + 1, &r) : RG_NOMEM;
    if (!err) err = run_request(&cx, &r);
    if (cx && (err == RG_OK || err == RG_GATE)) {
        rg_err closed = close_output(cx);
        if (closed) err = closed;
    }
    int exit_code = err ? report(cx, r.cmd ? r.cmd->name : "", err) : 0;
    free(r.opt);
    free(r.args);
    rg_ctx_free(cx);
    return exit_code;
}
