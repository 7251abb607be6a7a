/* bench_core.c - the house numbers: import of a 100 MB file, forecast of a loaded graph, the whole process.
 *
 * Interleaved rounds, medians; the pieces are timed in one
 * process pinned to one core, the process from outside.
 *     bench_core RIDGE MODEL_100MB
 */
#include "ridge.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <spawn.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 31, FORECASTS = 50 };
extern char **environ;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, by_value);
    return x[n / 2];
}

static void report(const char *name, double *samples, int n, double bar_s)
{
    double middle = median(samples, n);
    printf("%-44s %9.3f ms   bar %7.3f ms   %s   (min %.3f, p90 %.3f)\n", name, middle * 1e3, bar_s * 1e3,
           middle <= bar_s ? "met" : "MISSED", samples[0] * 1e3, samples[n * 9 / 10] * 1e3);
}

/* Peak anonymous memory so far is not kept by the kernel: read while the graph is alive. */
static double rss_anon_mb(void)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f)) sscanf(line, "RssAnon: %lf", &kb);
    if (f) fclose(f);
    return kb / 1000;
}

static void bench_import(const char *path)
{
    double samples[ROUNDS], most = 0, before = rss_anon_mb();
    for (int i = 0; i < ROUNDS; i++) {
        rg_ctx *cx = rg_ctx_new(NULL);
        const rg_graph *graph = NULL;
        double start = now_s();
        if (rg_graph_load(cx, path, NULL, &graph)) printf("%s\n", rg_ctx_error(cx));
        samples[i] = now_s() - start;
        double rss = rss_anon_mb();
        most = rss > most ? rss : most;
        rg_graph_free(graph);
        rg_ctx_free(cx);
    }
    report("import and inference of the 100 MB ONNX file", samples, ROUNDS, 20e-3);
    printf("%-44s %9.3f MB   bar  16.000 MB   %s   (%.3f before)\n", "  RssAnon with the graph loaded", most,
           most <= 16 ? "met" : "MISSED", before);
}

/* One model on one machine. */
typedef struct subject { const rg_graph *graph; const rg_device *device; const rg_runtime *runtime; } subject;

/* What was learned is read before the clock starts, as in a study: a round has a context of its own. */
static void time_round(const subject *s, double *plan_s, double *forecast_s)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    *plan_s = *forecast_s = 0;
    for (int k = -1; k < FORECASTS; k++) {
        const rg_plan *plan = NULL;
        const rg_forecast *forecast = NULL;
        double start = now_s();
        rg_err err = rg_plan_make(cx, s->graph, s->device, s->runtime, NULL, &plan);
        double middle = now_s();
        if (!err) err = rg_forecast_make(cx, plan, NULL, &forecast);
        if (k >= 0) *plan_s += (middle - start) / FORECASTS;
        if (k >= 0) *forecast_s += (now_s() - middle) / FORECASTS;
        if (err) printf("%s\n", rg_ctx_error(cx));
        rg_forecast_free(forecast);
        rg_plan_free(plan);
    }
    rg_ctx_free(cx);
}

/* runtime NULL: the customary one. */
static void bench_forecast(const char *model, const char *device_id, const char *runtime_id)
{
    double plans[ROUNDS], forecasts[ROUNDS];
    rg_ctx *cx = rg_ctx_new(NULL);
    subject s = {0};
    char name[96];
    if (rg_graph_load(cx, model, NULL, &s.graph) || rg_device_find(cx, device_id, &s.device) ||
        rg_runtime_find(cx, runtime_id, s.device, &s.runtime)) {
        printf("%s\n", rg_ctx_error(cx));
        return;
    }
    for (int i = 0; i < ROUNDS; i++) time_round(&s, &plans[i], &forecasts[i]);
    snprintf(name, sizeof name, "forecast of %s on %s%s%s", model, device_id, runtime_id ? ", " : "",
             runtime_id ? runtime_id : "");
    report(name, forecasts, ROUNDS, 1e-3);
    snprintf(name, sizeof name, "  plan of it");
    report(name, plans, ROUNDS, 1e-3);
    rg_runtime_free(s.runtime);
    rg_device_free(s.device);
    rg_graph_free(s.graph);
    rg_ctx_free(cx);
}

static void bench_process(const char *ridge, const char *model)
{
    double samples[ROUNDS];
    char *argv[] = {(char *)(uintptr_t)ridge, "predict", (char *)(uintptr_t)model, "--on", "h100-sxm", NULL};
    char name[96];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    for (int i = 0; i < ROUNDS; i++) {
        pid_t pid;
        int status = 0;
        double start = now_s();
        if (posix_spawn(&pid, ridge, &actions, NULL, argv, environ)) return;
        waitpid(pid, &status, 0);
        samples[i] = now_s() - start;
        if (status) printf("%s ended with status %d\n", ridge, status);
    }
    posix_spawn_file_actions_destroy(&actions);
    snprintf(name, sizeof name, "whole process: ridge predict %s", model);
    report(name, samples, ROUNDS, 30e-3);
}

int main(int argc, char **argv)
{
    cpu_set_t one;
    if (argc != 3) {
        fprintf(stderr, "usage: bench_core RIDGE MODEL_100MB\n");
        return 2;
    }
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    bench_import(argv[2]);
    bench_forecast("zoo:resnet50", "h100-sxm", NULL);
    bench_forecast("zoo:bert-base", "h100-sxm", NULL);
    bench_forecast("zoo:resnet50", "xeon-8480", NULL);
    static const char *const devices[] = {"t4", "h100-sxm"}; /* eager f32: one is known, one is not */
    for (int i = 0; i < 2; i++) {
        bench_forecast("zoo:resnet50", devices[i], "pytorch-eager");
        bench_forecast("zoo:bert-base", devices[i], "pytorch-eager");
    }
    bench_process(argv[1], "zoo:resnet50");
    bench_process(argv[1], "zoo:bert-base");
    return 0;
}
