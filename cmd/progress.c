/* progress.c - how far long work has come, on a terminal only; and Ctrl-C, which ends it in order.
 *
 *     ridge compare: [#########.......] 9,312 of 16,160, 3 s left
 *
 * The line is redrawn ten times a second at most, so that drawing never costs what it measures.
 */
#include "cmd.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void cmd_progress_begin(cmd_progress *p, const cmd_common *common, const char *name)
{
    struct sigaction action = {.sa_handler = on_interrupt,
                               .sa_flags = SA_RESETHAND}; /* the second one kills */
    *p = (cmd_progress){.name = name, .begun_s = now_s(), .shown = !common->quiet && isatty(STDERR_FILENO)};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

bool cmd_progress_step(void *user, size_t done, size_t total)
{
    enum { WIDTH = 24 };
    cmd_progress *p = user;
    double t = now_s();
    if (!p->shown || (t - p->drawn_s < 0.1 && done < total) || t - p->begun_s < 0.3) return !interrupted;
    char bar[WIDTH + 1];
    size_t full = total ? done * WIDTH / total : WIDTH;
    memset(bar, '#', full);
    memset(bar + full, '.', WIDTH - full);
    bar[WIDTH] = 0;
    double left_s = done ? (t - p->begun_s) * (double)(total - done) / (double)done : 0;
    fprintf(stderr, "\r%s: [%s] %zu of %zu, %.0f s left \033[K", p->name, bar, done, total, left_s);
    p->drawn_s = t;
    return !interrupted;
}

void cmd_progress_end(cmd_progress *p)
{
    if (p->drawn_s > 0) fprintf(stderr, "\r\033[K");
    p->drawn_s = 0;
}
