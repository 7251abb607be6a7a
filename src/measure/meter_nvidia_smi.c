/* meter_nvidia_smi.c - the program nvidia-smi, asked again and again: for where its library cannot be opened.
 *
 *     $ nvidia-smi --query-gpu=power.draw --format=csv,noheader,nounits
 *     61.34
 *     [N/A]
 *
 * A line a device. Starting it takes a tenth of a second or more, so readings are taken once a second.
 */
#include "measure/meter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define UPDATE_S    1.0
#define AVERAGE_S   1.0  /* as NVML's, which it asks */
#define STEP_W      0.01 /* it prints two digits */
#define ERROR_SHARE 0.05 /* as NVML's */

enum { ANSWER_MS = 5000 }; /* a driver that hangs must not hang us */

extern char **environ;

/* What it prints, at most size - 1 bytes; 0 or an errno. */
static int ask(char *answer, size_t size)
{
    char *const argv[] = {"nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits", NULL};
    posix_spawn_file_actions_t actions;
    int ends[2], status = 0;
    size_t have = 0;
    pid_t child;
    if (pipe2(ends, O_CLOEXEC)) return errno;
    int failed = posix_spawn_file_actions_init(&actions);
    if (!failed) {
        failed = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        if (!failed) failed = posix_spawnp(&child, argv[0], &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    bool late = false;
    for (ssize_t got = 1; !failed && !late && got > 0 && have + 1 < size;) {
        late = poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, ANSWER_MS) == 0;
        got = late ? 0 : read(ends[0], answer + have, size - 1 - have);
        if (got > 0) have += (size_t)got;
    }
    answer[have] = 0;
    close(ends[0]);
    if (failed) return failed;
    if (late) kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return late ? ETIMEDOUT : !WIFEXITED(status) || WEXITSTATUS(status) ? EIO : 0;
}

/* Watts of the devices that say them; how many do. */
static int parse(const char *answer, double *x)
{
    rg_str rest = rg_str_of(answer), line;
    int count = 0;
    while (count < RG_CHANNEL_MAX && rg_str_cut(&rest, '\n', &line))
        if (rg_str_real(line, &x[count])) count++;
    return count;
}

static rg_err open_smi(rg_ctx *cx, const rg_meter_opt *opt, rg_gauge *g)
{
    char answer[2048];
    double x[RG_CHANNEL_MAX];
    (void)opt;
    int failed = ask(answer, sizeof answer);
    if (failed)
        return rg_fail(cx, RG_UNSUPPORTED, "nvidia-smi: %s",
                       failed == EIO ? "it ends with an error" : strerror(failed));
    for (int count = parse(answer, x); g->count < count;) {
        rg_gauge_add(g, "device");
        g->resolution += STEP_W;
    }
    snprintf(g->text, sizeof g->text, "%d device%s by the program nvidia-smi", g->count,
             g->count > 1 ? "s" : "");
    g->scope = RG_COVER_GPU;
    g->update_s = UPDATE_S;
    g->lag_s = AVERAGE_S;
    g->error_share = ERROR_SHARE;
    return g->count ? RG_OK : rg_fail(cx, RG_UNSUPPORTED, "nvidia-smi shows no device's power");
}

static bool read_smi(rg_gauge *g, double *x)
{
    char answer[2048];
    return !ask(answer, sizeof answer) && parse(answer, x) == g->count;
}

RG_METER(nvidia_smi) = {
    .name = "nvidia_smi", .brief = "power of NVIDIA's devices by the program nvidia-smi", .rank = 80,
    .subject = RG_OF_GPU, .provenance = RG_SAMPLED, .open = open_smi, .read = read_smi,
};
