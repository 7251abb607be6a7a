/* trial.c - load and a few runs in a forked child.
 *
 * The high-water mark of resident memory belongs to a process, so each backend gets one of its own. It also
 * shields us: a library that crashes on a model ends the child, and its verdict says so.
 */
#include "measure/trial.h"

#include "hw/detect.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMED_S  1.0             /* of runs that are timed, about */
enum { TIMED_RUNS = 10 };        /* at most */

/* ---- in the child ---- */

static void *counted_alloc(void *user, size_t size)
{
    ++*(int64_t *)user;
    return malloc(size);
}

static void counted_free(void *user, void *block)
{
    (void)user;
    free(block);
}

/* Below 0: not readable. */
static double resident_byte(void)
{
    char text[128];
    double pages;
    if (!rg_sysfs_text(text, sizeof text, "", "/proc/self/statm")) return -1;
    rg_str rest = rg_str_of(text), word;
    rg_str_cut(&rest, ' ', &word);
    bool known = rg_str_cut(&rest, ' ', &word) && rg_str_real(word, &pages);
    return known ? pages * (double)sysconf(_SC_PAGESIZE) : -1;
}

/* The least of them: what else the machine does only ever adds. */
static rg_err time_runs(rg_ctx *cx, const rg_backend *backend, void *state, double *least_s)
{
    double begun_s = rg_host_now_s();
    *least_s = 0;
    for (int i = 0; i < TIMED_RUNS && rg_host_now_s() - begun_s < TIMED_S; i++) {
        double before_s = rg_host_now_s();
        RG_TRY(backend->run(cx, state));
        double run_s = rg_host_now_s() - before_s;
        if (!i || run_s < *least_s) *least_s = run_s;
    }
    return RG_OK;
}

static rg_err attempt(rg_ctx *cx, const rg_backend *backend, const rg_job *job, const cpu_set_t *cpus,
                      const int64_t *allocations, rg_trial *out)
{
    void *state = NULL;
    const char *version = "";
    RG_TRY(rg_host_pin(cx, cpus));
    RG_TRY(backend->open(cx, job, &state, &version));
    snprintf(out->version, sizeof out->version, "%s", version);
    rg_err err = backend->run(cx, state);
    int64_t before = *allocations;
    if (!err) err = backend->run(cx, state);
    out->allocations = backend->counts ? *allocations - before : -1;
    if (!err && backend->fuses) err = time_runs(cx, backend, state, &out->run_s);
    backend->close(state);
    return err;
}

static void try_it(rg_ctx *parent, const rg_backend *backend, const rg_job *job, const cpu_set_t *cpus,
                   rg_trial *out)
{
    int64_t allocations = 0;
    struct rusage before, after;
    double had_byte = resident_byte();
    rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){
        .size = sizeof(rg_ctx_opt), .memory_limit_byte = parent->memory_limit_byte, .alloc = counted_alloc,
        .free = counted_free, .user = &allocations, .data_dir = parent->data_dir,
    });
    getrusage(RUSAGE_SELF, &before);
    out->err = cx ? attempt(cx, backend, job, cpus, &allocations, out) : RG_NOMEM;
    getrusage(RUSAGE_SELF, &after);
    snprintf(out->text, sizeof out->text, "%s", cx ? rg_ctx_error(cx) : rg_err_text(RG_NOMEM));
    out->minor_faults = after.ru_minflt - before.ru_minflt;
    out->major_faults = after.ru_majflt - before.ru_majflt;
    out->peak_byte = had_byte < 0 ? -1 : (double)after.ru_maxrss * 1024 - had_byte;
    rg_ctx_free(cx);
}

/* ---- in the parent ---- */

static bool read_whole(int fd, void *data, size_t size)
{
    size_t have = 0;
    while (have < size) {
        ssize_t got = read(fd, (char *)data + have, size - have);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        have += (size_t)got;
    }
    return true;
}

/* At most PIPE_BUF of it fit at once in an empty pipe, which a trial does: a write cannot be cut. */
rg_err rg_trial_run(rg_ctx *cx, const rg_backend *backend, const rg_job *job, const cpu_set_t *cpus,
                    rg_trial *out)
{
    int ends[2], status = 0;
    *out = (rg_trial){.peak_byte = -1, .allocations = -1};
    if (pipe(ends)) return rg_fail(cx, RG_FAILED, "a pipe for %s: %s", backend->name, strerror(errno));
    pid_t child = fork();
    if (child == 0) {
        try_it(cx, backend, job, cpus, out);
        _exit(write(ends[1], out, sizeof *out) == (ssize_t)sizeof *out ? 0 : 1);
    }
    int why = errno;
    close(ends[1]);
    bool told = child > 0 && read_whole(ends[0], out, sizeof *out);
    close(ends[0]);
    if (child < 0) return rg_fail(cx, RG_FAILED, "a process for %s: %s", backend->name, strerror(why));
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (told) return RG_OK;
    *out = (rg_trial){.err = RG_FAILED, .peak_byte = -1, .allocations = -1};
    snprintf(out->text, sizeof out->text, "%s ended by signal %d on this model", backend->name,
             WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return RG_OK;
}
