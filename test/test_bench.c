/* test_bench.c - statistics against closed forms and published tables; the order of turns, warm-up and
 * repeated turns against a clock that the test moves itself; foreign load from made-up /proc/stat; and real
 * backends on a small model.
 */
#include "base/statistics.h"
#include "doc_json.h"
#include "measure/bench.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static bool near(double a, double b, double relative) { return fabs(a - b) <= relative * fabs(b); }

/* ---- statistics ---- */

/* Two-sided 95 % points of Student's t as printed in every table; one and two degrees have closed forms. */
static void student(void **state)
{
    (void)state;
    static const struct { size_t freedom; double t; } rows[] = {
        {3, 3.182}, {4, 2.776}, {5, 2.571}, {9, 2.262}, {10, 2.228}, {19, 2.093}, {30, 2.042}, {120, 1.980},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++)
        assert_true(fabs(rg_student_t(rows[i].freedom, 0.95) - rows[i].t) < 6e-4);
    assert_true(near(rg_student_t(1, 0.95), tan(M_PI / 2 * 0.95), 1e-9));
    assert_true(near(rg_student_t(2, 0.95), 0.95 * sqrt(2 / (1 - 0.95 * 0.95)), 1e-9));
    assert_true(fabs(rg_student_t(10000000, 0.95) - 1.95996) < 1e-4);
}

static void order_and_mean(void **state)
{
    (void)state;
    double x[] = {5, 1, 4, 2, 3};
    rg_mean mean = rg_mean_of(x, 5);
    assert_true(near(mean.mean, 3, 1e-12));
    assert_true(near(mean.half, 2.7764451 * sqrt(2.5 / 5), 1e-7)); /* variance of 1..5 is 5/2 */
    rg_sort_ascending(x, 5);
    assert_true(x[0] == 1 && x[4] == 5);
    assert_true(rg_percentile(x, 5, 0) == 1 && rg_percentile(x, 5, 0.5) == 3 && rg_percentile(x, 5, 1) == 5);
    assert_true(near(rg_percentile(x, 5, 0.9), 4.6, 1e-12));
    assert_true(rg_percentile(x, 1, 0.99) == 1 && rg_percentile(x, 0, 0.5) == 0);
    assert_true(isinf(rg_mean_of(x, 1).half));
}

/* ---- turns ---- */

/* A world in which time passes only when something runs. */
typedef struct world {
    double now_s;
    char order[256]; size_t count;   /* who entered */
    const char *foreign;             /* '1': others disturb that turn; after the end: nobody does */
    size_t watched;
    size_t stop_at;                  /* progress says stop; 0: never */
} world;

typedef struct fake { world *w; char name; double run_s, cold_s; int cold, runs; bool drifts, fails; } fake;

static double world_now(void *user) { return ((world *)user)->now_s; }

static double world_foreign(void *user, bool begin)
{
    world *w = user;
    if (begin) return 0;
    bool loud = w->watched < strlen(w->foreign) && w->foreign[w->watched] == '1';
    w->watched++;
    return loud ? 0.5 : 0.01;
}

static bool world_progress(void *user, size_t done, size_t total)
{
    world *w = user;
    assert_true(done <= total);
    return !w->stop_at || done < w->stop_at;
}

static rg_err fake_enter(rg_ctx *cx, void *user)
{
    fake *f = user;
    (void)cx;
    if (f->w->count < sizeof f->w->order - 1) f->w->order[f->w->count++] = f->name;
    return RG_OK;
}

static rg_err fake_run(rg_ctx *cx, void *user)
{
    fake *f = user;
    double drift = f->drifts ? pow(1.05, f->runs) : 1;
    if (f->fails) return rg_fail(cx, RG_FAILED, "it broke");
    f->w->now_s += f->runs++ < f->cold ? f->cold_s : f->run_s * drift;
    return RG_OK;
}

static rg_err sample(rg_ctx *cx, world *w, fake *fakes, rg_lane *lanes, size_t count)
{
    rg_sampling how = {.now_s = world_now, .foreign = world_foreign, .user = w, .turn_s = 0.1, .turns = 3,
                       .samples = 3, .foreign_max = 0.1, .progress = world_progress, .progress_user = w};
    for (size_t i = 0; i < count; i++)
        lanes[i] = (rg_lane){.run = fake_run, .enter = fake_enter, .user = &fakes[i]};
    return rg_sample(cx, &how, lanes, count);
}

/* Two warm-ups, then A B A B A B; what is slower than a turn has one sample a turn. */
static void turns_alternate(void **state)
{
    rg_ctx *cx = *state;
    world w = {.foreign = ""};
    fake fakes[] = {{.w = &w, .name = 'A', .run_s = 0.03}, {.w = &w, .name = 'B', .run_s = 0.5}};
    rg_lane lanes[2];
    assert_int_equal(sample(cx, &w, fakes, lanes, 2), RG_OK);
    assert_string_equal(w.order, "ABABABAB");
    assert_int_equal(lanes[0].calm_count, 3 * 4); /* runs begin at 0, 30, 60 and 90 ms */
    assert_int_equal(lanes[1].calm_count, 3);
    for (size_t i = 0; i < lanes[0].calm_count; i++) assert_true(near(lanes[0].calm_s[i], 0.03, 1e-9));
    assert_true(near(lanes[1].calm_s[2], 0.5, 1e-9));
    assert_true(lanes[0].steady && lanes[1].steady);
    assert_true(near(lanes[0].foreign, 0.01, 1e-9));
}

/* Cold runs are over before the first sample; what never settles is said to be unsteady. */
static void warm_up_until_stable(void **state)
{
    rg_ctx *cx = *state;
    world w = {.foreign = ""};
    fake fakes[] = {{.w = &w, .name = 'A', .run_s = 0.02, .cold_s = 0.3, .cold = 5},
                    {.w = &w, .name = 'B', .run_s = 0.001, .drifts = true}};
    rg_lane lanes[2];
    assert_int_equal(sample(cx, &w, fakes, lanes, 2), RG_OK);
    for (size_t i = 0; i < lanes[0].calm_count; i++) assert_true(near(lanes[0].calm_s[i], 0.02, 1e-9));
    assert_true(lanes[0].steady);
    assert_false(lanes[1].steady);
}

/* The 1st and 3rd watched turns are disturbed: both are A's, which gets two more. */
static void disturbed_turns_are_repeated(void **state)
{
    rg_ctx *cx = *state;
    world w = {.foreign = "101"};
    fake fakes[] = {{.w = &w, .name = 'A', .run_s = 0.2}, {.w = &w, .name = 'B', .run_s = 0.5}};
    rg_lane lanes[2];
    assert_int_equal(sample(cx, &w, fakes, lanes, 2), RG_OK);
    assert_string_equal(w.order, "ABABABABAA");
    assert_int_equal(lanes[0].turns, 5);
    assert_int_equal(lanes[0].disturbed_turns, 2);
    assert_int_equal(lanes[0].calm_count, 3);
    assert_int_equal(lanes[0].disturbed_count, 2);
    assert_int_equal(lanes[1].disturbed_count, 0);
    assert_true(near(lanes[0].foreign, (2 * 0.5 + 3 * 0.01) / 5, 1e-9));
}

/* Nobody waits for ever: as many disturbed turns as were wanted, and it ends. */
static void a_loud_machine_ends(void **state)
{
    rg_ctx *cx = *state;
    world w = {.foreign = "1111111111111111"};
    fake fakes[] = {{.w = &w, .name = 'A', .run_s = 0.2}};
    rg_lane lane;
    assert_int_equal(sample(cx, &w, fakes, &lane, 1), RG_OK);
    assert_int_equal(lane.disturbed_turns, 3);
    assert_int_equal(lane.calm_count, 0);
    assert_int_equal(lane.disturbed_count, 3);
}

/* A microsecond's runs: what is kept of a turn stays near a thousand samples. */
static void fast_ones_are_thinned(void **state)
{
    rg_ctx *cx = *state;
    world w = {.foreign = ""};
    fake fakes[] = {{.w = &w, .name = 'A', .run_s = 1e-6}};
    rg_lane lane;
    assert_int_equal(sample(cx, &w, fakes, &lane, 1), RG_OK);
    assert_int_equal(lane.stride, 100);
    assert_in_range(lane.calm_count, 3 * 990, 3 * 1010);
}

static void failing_and_stopping(void **state)
{
    rg_ctx *cx = *state;
    world w = {.foreign = ""}, stopped = {.foreign = "", .stop_at = 2};
    fake broken = {.w = &w, .name = 'A', .fails = true}, fine = {.w = &stopped, .name = 'A', .run_s = 0.1};
    rg_lane lane;
    assert_int_equal(sample(cx, &w, &broken, &lane, 1), RG_FAILED);
    assert_string_equal(rg_ctx_error(cx), "it broke");
    assert_int_equal(sample(cx, &stopped, &fine, &lane, 1), RG_INTERRUPTED);
}

/* ---- load ---- */

static void write_stat(const char *root, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/proc/stat", root);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Idle, waiting and guests do not count as busy; stolen time does. */
static void load_of_others(void **state)
{
    (void)state;
    char root[] = "/tmp/ridge-test-XXXXXX", proc[64], path[80];
    double tick_s = 1 / (double)sysconf(_SC_CLK_TCK);
    cpu_set_t some;
    CPU_ZERO(&some);
    CPU_SET(1, &some);
    assert_non_null(mkdtemp(root));
    snprintf(proc, sizeof proc, "%s/proc", root);
    assert_int_equal(mkdir(proc, 0700), 0);
    write_stat(root, "cpu  100 0 50 900 70 0 0 0 9 0\ncpu0 60 0 20 400 30 0 0 0 9 0\n"
                     "cpu1 40 0 30 500 40 0 0 0 0 0\nintr 5\n");
    rg_host_load before = rg_host_load_read(root, &some);
    write_stat(root, "cpu  110 5 55 990 90 1 2 7 9 0\ncpu0 60 5 20 490 50 0 0 0 9 0\n"
                     "cpu1 50 0 35 500 40 1 2 7 0 0\nintr 5\n");
    rg_host_load after = rg_host_load_read(root, &some);
    assert_true(before.known && after.known);
    assert_int_equal(after.cpus, 2);
    assert_true(near(after.all_s - before.all_s, 30 * tick_s, 1e-9));
    assert_true(near(after.some_s - before.some_s, 25 * tick_s, 1e-9));
    /* One second, of which this process used a tenth: 0.2 of 2 on the machine, 0.15 of 1 on processor 1. */
    rg_host_load a = {.known = true, .cpus = 2}, b = {1, 0.3, 0.25, 0.1, 2, true};
    assert_true(near(rg_host_foreign(&a, &b, 1), 0.15, 1e-9));
    b.own_s = 0.9;
    assert_true(rg_host_foreign(&a, &b, 1) == 0);
    snprintf(path, sizeof path, "%s/stat", proc);
    unlink(path);
    rg_host_load gone = rg_host_load_read(root, &some);
    assert_true(rg_host_foreign(&before, &gone, 1) < 0);
    rmdir(proc);
    rmdir(root);
}

/* ---- trials ---- */

enum { HOARD_BYTE = 64 << 20, CHUNKS = 5 };

static rg_err open_nothing(rg_ctx *cx, const rg_job *job, void **state, const char **version)
{
    (void)cx;
    *state = (void *)job;
    *version = "1.2.3";
    return RG_OK;
}

static rg_err hoard(rg_ctx *cx, void *state)
{
    (void)state;
    char *block = cx->alloc(cx->user, HOARD_BYTE);
    if (!block) return rg_nomem(cx);
    memset(block, 1, HOARD_BYTE);
    cx->free(cx->user, block);
    for (int i = 1; i < CHUNKS; i++) cx->free(cx->user, cx->alloc(cx->user, 16));
    return RG_OK;
}

static rg_err crash(rg_ctx *cx, void *state)
{
    (void)cx, (void)state;
    raise(SIGKILL);
    return RG_OK;
}

static rg_err refuse(rg_ctx *cx, const rg_job *job, void **state, const char **version)
{
    (void)job, (void)state, (void)version;
    return rg_fail(cx, RG_UNSUPPORTED, "not on a Sunday");
}

static void close_nothing(void *state) { (void)state; }

/* Memory and allocations of a known backend; reasons of one that refuses and of one that dies. */
static void trials(void **state)
{
    rg_ctx *cx = *state;
    rg_job job = {.threads = 1};
    rg_trial t;
    cpu_set_t allowed, cpus;
    const rg_backend good = {.name = "good", .counts = true, .open = open_nothing, .run = hoard,
                             .close = close_nothing};
    const rg_backend bad = {.name = "bad", .open = open_nothing, .run = crash, .close = close_nothing};
    const rg_backend none = {.name = "none", .open = refuse, .run = hoard, .close = close_nothing};
    assert_int_equal(rg_host_allowed(cx, &allowed), RG_OK);
    rg_host_choose(&allowed, 1, &cpus);
    assert_int_equal(CPU_COUNT(&cpus), 1);
    assert_int_equal(rg_trial_run(cx, &good, &job, &cpus, &t), RG_OK);
    assert_int_equal(t.err, RG_OK);
    assert_string_equal(t.version, "1.2.3");
    assert_int_equal(t.allocations, CHUNKS);
    /* not known, or one block; a sanitizer keeps the one before */
    assert_true(t.peak_byte < 0 || (t.peak_byte > 0.95 * HOARD_BYTE && t.peak_byte < 3. * HOARD_BYTE));
    assert_int_equal(rg_trial_run(cx, &bad, &job, &cpus, &t), RG_OK);
    assert_int_equal(t.err, RG_FAILED);
    assert_string_equal(t.text, "bad ended by signal 9 on this model");
    assert_int_equal(rg_trial_run(cx, &none, &job, &cpus, &t), RG_OK);
    assert_int_equal(t.err, RG_UNSUPPORTED);
    assert_string_equal(t.text, "not on a Sunday");
    assert_true(t.allocations < 0);
}

/* ---- forms ---- */

/* A backend that is as fast as the path of its file says. */
static rg_err open_path(rg_ctx *cx, const rg_job *job, void **state, const char **version)
{
    *version = "1";
    *state = (void *)(uintptr_t)job->path;
    return strcmp(job->path, "bad") ? RG_OK : rg_fail(cx, RG_UNSUPPORTED, "no such operator");
}

static rg_err run_path(rg_ctx *cx, void *state)
{
    (void)cx;
    usleep(strcmp(state, "quick") ? 5000 : 100);
    return RG_OK;
}

/* The quickest form that runs is played; the text says what the others took, or why they did not. */
static void the_best_form(void **state)
{
    rg_ctx *cx = *state;
    const rg_backend peer = {.name = "peer", .fuses = true, .open = open_path, .run = run_path,
                             .close = close_nothing};
    const rg_backend *backends[] = {&peer};
    static const struct { const char *paths[RG_FORM_COUNT], *missing; int form; const char *text; } rows[] = {
        {{"slow", "quick", NULL}, "no pattern", RG_FORM_FUSED, "attention: no pattern"},
        {{"quick", "slow", "slow"}, NULL, RG_FORM_BUILT, " fused, "},
        {{"bad", "slow", "quick"}, NULL, RG_FORM_ATTENTION, "built: no such operator"},
        {{"slow", "bad", "bad"}, NULL, RG_FORM_BUILT, "attention: no such operator"},
        {{"quick", NULL, NULL}, NULL, RG_FORM_BUILT, " built"},
        {{"bad", "bad", NULL}, NULL, -1, "no such operator"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_bench b = {.cx = cx, .backends = backends, .backend_count = 1, .threads = {1}, .thread_count = 1};
        rg_contest m = {.b = &b, .model = "m"};
        for (int k = 0; k < RG_FORM_COUNT; k++) m.forms[k].path = rows[i].paths[k];
        m.forms[RG_FORM_ATTENTION].missing = rows[i].missing;
        assert_int_equal(rg_host_allowed(cx, &b.before), RG_OK);
        assert_int_equal(rg_doc_new(cx, "ridge.bench/1", &b.doc), RG_OK);
        b.unavailable = rg_doc_array(b.doc, rg_doc_root(b.doc), "unavailable");
        assert_int_equal(rg_contest_choose(&m), RG_OK);
        assert_int_equal(m.count, rows[i].form >= 0);
        const rg_player *p = &m.players[0];
        if (m.count) assert_int_equal(p->form, rows[i].form);
        if (m.count) assert_string_equal(p->job.path, rows[i].paths[rows[i].form]);
        const char *text = m.count ? p->form_text : p->trial.text;
        if (!strstr(text, rows[i].text)) fail_msg("%zu: %s", i, text);
        rg_doc_free(b.doc);
    }
}

/* ---- ratios ---- */

/* The geometric mean of 1/2, 2 and 8 is 2; threads are kept apart. */
static void ratios_are_summed_up(void **state)
{
    rg_ctx *cx = *state;
    const rg_backend ours = {.name = "ours"}, theirs = {.name = "theirs"};
    const rg_backend *backends[] = {&ours, &theirs};
    rg_ratio ratios[] = {{&ours, 1, "a", 0.5}, {&ours, 1, "b", 2}, {&ours, 2, "a", 0.25}, {&ours, 1, "c", 8}};
    rg_bench b = {.cx = cx, .backends = backends, .backend_count = 2, .reference = &theirs, .threads = {1, 2},
                  .thread_count = 2, .ratios = ratios, .ratio_count = RG_COUNT(ratios)};
    const char *text;
    double x;
    assert_int_equal(rg_doc_new(cx, "ridge.bench/1", &b.doc), RG_OK);
    b.summary = rg_doc_array(b.doc, rg_doc_root(b.doc), "summary");
    rg_bench_summarize(&b);
    assert_int_equal(b.summary->count, 2);
    assert_true(rg_doc_number(b.doc, "summary[0].ratio", &x) && near(x, 2, 1e-12));
    assert_true(rg_doc_number(b.doc, "summary[0].worst_ratio", &x) && x == 8);
    assert_true(rg_doc_string(b.doc, "summary[0].best_model", &text));
    assert_string_equal(text, "a");
    assert_true(rg_doc_number(b.doc, "summary[1].ratio", &x) && near(x, 0.25, 1e-12));
    rg_doc_free(b.doc);
}

/* ---- counters ---- */

static int ends[2];
static int open_pipe(rg_counter counter)
{
    errno = ENOENT;
    return counter == RG_COUNTER_INSTRUCTIONS ? ends[0] : -1;
}

static int open_denied(rg_counter counter)
{
    (void)counter;
    errno = EACCES;
    return -1;
}

/* Of 300 ns wanted 100 were kept: what was counted is carried on to three times as much. */
static void counters_are_carried_on(void **state)
{
    (void)state;
    rg_counters c;
    double count[RG_COUNTER_COUNT];
    const rg_count looks[] = {{1000, 100, 50}, {1800, 400, 150}};
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], looks, sizeof looks), sizeof looks);
    rg_counters_open(&c, open_pipe);
    assert_string_equal(c.reason, "");
    rg_counters_begin(&c);
    rg_counters_end(&c, count);
    assert_true(count[RG_COUNTER_INSTRUCTIONS] == 2400);
    assert_true(isnan(count[RG_COUNTER_CYCLES]) && isnan(count[RG_COUNTER_LLC_MISSES]));
    rg_counters_close(&c);
    close(ends[1]);
    rg_counters_open(&c, open_denied);
    assert_non_null(strstr(c.reason, "cycles: not permitted"));
    rg_counters_close(&c);
}

/* ---- rows ---- */

/* Runs the plan of a model in name only: run k takes k ms in each row. */
typedef struct dummy { const rg_plan *plan; double *row_s; int runs; } dummy;

static rg_err run_dummy(rg_ctx *cx, void *state)
{
    (void)cx;
    dummy *d = state;
    for (uint32_t r = 0; d->row_s && r < d->plan->row_count; r++) d->row_s[r] += 1e-3 * d->runs;
    d->runs++;
    return RG_OK;
}

static const rg_plan *plan_of_dummy(const void *state) { return ((const dummy *)state)->plan; }
static void time_dummy(void *state, double *row_s) { ((dummy *)state)->row_s = row_s; }

/* date: as if its figures had been measured on that day. */
static const rg_plan *plan_on(rg_ctx *cx, const char *id, int threads, const char *date)
{
    const rg_graph *g;
    const rg_device *device;
    rg_device *measured;
    const rg_runtime *runtime;
    const rg_plan *plan;
    rg_plan_opt opt = {.size = sizeof opt, .threads = threads};
    assert_int_equal(rg_graph_load(cx, "zoo:mlp", NULL, &g), RG_OK);
    assert_int_equal(rg_device_find(cx, id, &device), RG_OK);
    assert_int_equal(rg_device_clone(cx, device, &measured), RG_OK);
    rg_device_free(device);
    if (date) measured->made_on = (rg_made_on){.cpu = "some", .kernel = "some", .date = date, .cores = 1};
    device = measured;
    assert_int_equal(rg_runtime_find(cx, "native", device, &runtime), RG_OK);
    assert_int_equal(rg_plan_make(cx, g, device, runtime, &opt, &plan), RG_OK);
    rg_graph_free(g);
    rg_device_free(device);
    rg_runtime_free(runtime);
    return plan;
}

static double number(const rg_doc *doc, const char *path)
{
    double x = NAN;
    if (!rg_doc_number(doc, path, &x)) fail_msg("no %s", path);
    return x;
}

static double row_number(const rg_doc *doc, size_t row, const char *key)
{
    char path[64];
    snprintf(path, sizeof path, "r.rows[%zu].%s", row, key);
    return number(doc, path);
}

/* The first of 102 runs is not kept: medians of 1 .. 101 ms. Roofs are those of the device's own figures; the
 * MLP reads each weight once, so that memory bounds all of its rows. */
static void rows_against_the_forecast(void **state)
{
    rg_ctx *cx = *state;
    const rg_backend backend = {.name = "dummy", .run = run_dummy, .plan = plan_of_dummy,
                                .time_rows = time_dummy};
    dummy d = {.plan = plan_on(cx, "xeon-8480", 0, "2024-02-29")};
    rg_row_times times;
    rg_doc *doc;
    assert_int_equal(rg_row_times_take(cx, &backend, &d, &times), RG_OK);
    assert_null(d.row_s);
    assert_int_equal(times.runs, 101);
    assert_true(near(times.median_s[0], 51e-3, 1e-9) && near(times.p90_s[0], 91e-3, 1e-9));
    assert_true(times.clock_s > 0);
    assert_int_equal(rg_doc_new(cx, "ridge.bench/1", &doc), RG_OK);
    rg_item *result = rg_doc_object(doc, rg_doc_root(doc), "r");
    assert_int_equal(rg_row_times_put(cx, doc, result, &times, 0.2), RG_OK);
    const rg_item *measured = rg_item_find(result, "roof.measured");
    assert_true(measured->kind == RG_ITEM_BOOL && measured->flag);
    assert_string_equal(rg_item_find(result, "roof.date")->string, "2024-02-29");
    const rg_level *memory = rg_device_memory(d.plan->device);
    double byte_per_s = memory->read_byte_per_s * memory->sustained_fraction, sum_s = 0, apart[3];
    assert_int_equal(rg_item_find(result, "rows")->count, 3);
    for (size_t i = 0; i < 3; i++) {
        double flops = row_number(doc, i, "flops"), byte = row_number(doc, i, "byte");
        double forecast_s = row_number(doc, i, "forecast_s");
        assert_true(byte > 4 * 256 * 10);
        assert_true(near(row_number(doc, i, "roof_flop_per_s"), byte_per_s * flops / byte, 1e-9));
        assert_true(near(row_number(doc, i, "of_roof"), byte / 51e-3 / byte_per_s, 1e-9));
        assert_true(near(row_number(doc, i, "error"), forecast_s / 51e-3 - 1, 1e-9));
        apart[i] = fabs(row_number(doc, i, "error"));
        sum_s += forecast_s;
    }
    rg_sort_ascending(apart, 3);
    assert_true(near(number(doc, "r.forecast_median_ape"), apart[1], 1e-12));
    assert_true(near(number(doc, "r.rows_s"), 3 * 51e-3, 1e-9));
    assert_true(number(doc, "r.forecast_s.value") >=
                sum_s * (1 - 1e-9)); /* and what an inference costs alone */
    assert_true(near(number(doc, "r.forecast_error"), number(doc, "r.forecast_s.value") / 0.2 - 1, 1e-9));
    rg_doc_free(doc);
    rg_plan_free(d.plan);
}

/* ---- the whole ---- */

/* What is kept is found again: a reading has the hashes of the plan that a forecast of the model by its name
 * is made of, and its rows' ids. */
static void check_readings(rg_ctx *cx, const char *path)
{
    rg_readings kept = {0}, joined = {0};
    const rg_plan *plan = plan_on(cx, "host", 1, NULL);
    size_t whole = 0, rows = 0;
    assert_int_equal(rg_readings_read(cx, path, &kept), RG_OK);
    for (size_t i = 0; i < kept.count; i++) {
        const rg_reading *r = &kept.items[i];
        bool found = !r->id;
        if (strcmp(r->backend, "native")) continue;
        for (uint32_t k = 0; k < plan->row_count; k++) found |= plan->rows[k].id == r->id;
        assert_true(found && r->plan_hash == plan->hash && r->graph_hash == rg_graph_hash(plan->graph));
        assert_true(r->median_s > 0 && r->p90_s >= r->median_s && r->samples > 0 && r->data_hash);
        assert_string_equal(r->device, "host");
        assert_true(r->batch == 1 && r->threads == 1 && strlen(r->date) == 10 && *r->host);
        *(r->id ? &rows : &whole) += 1;
    }
    assert_int_equal(whole, 2);
    assert_int_equal(rows, 6);
    assert_int_equal(rg_readings_join(cx, &kept, &joined), RG_OK);
    assert_int_equal(joined.count, 5); /* naive, native, three rows: the model was measured twice */
    rg_plan_free(plan);
}

static void a_small_model(void **state)
{
    rg_ctx *cx = *state;
    rg_doc *doc;
    const char *models[] = {"zoo:mlp", "zoo:mlp"}, *text;
    char file[] = "/tmp/ridge-bench-XXXXXX.csv";
    cpu_set_t before, after;
    rg_bench_opt opt = {.size = sizeof opt, .backends = "naive,native,onnxruntime",
                        .onnxruntime = "/nowhere.so", .threads = "1", .turn_s = 1e-3, .turns = 2,
                        .samples = 3, .seed = 1, .reference = "naive", .against_forecast = true,
                        .readings = file};
    int fd = mkstemps(file, 4);
    close(fd);
    unlink(file);
    assert_int_equal(rg_host_allowed(cx, &before), RG_OK);
    if (rg_bench_doc(cx, models, 2, &opt, &doc)) fail_msg("%s", rg_ctx_error(cx));
    assert_int_equal(rg_host_allowed(cx, &after), RG_OK);
    assert_true(CPU_EQUAL(&before, &after));
    assert_true(rg_doc_string(doc, "schema", &text));
    assert_string_equal(text, "ridge.bench/1");
    assert_true(rg_doc_string(doc, "results[1].backend", &text));
    assert_string_equal(text, "native");
    assert_true(number(doc, "results[0].median_s") > 0);
    assert_true(number(doc, "results[0].p99_s") >= number(doc, "results[0].median_s"));
    assert_true(number(doc, "results[0].speed_up") == 1 && number(doc, "results[0].ratio") == 1);
    assert_true(number(doc, "results[0].allocations") > 0);
    assert_true(number(doc, "results[1].allocations") == 0); /* as exec.h promises */
    assert_true(number(doc, "results[1].samples_s[2]") > 0);
    assert_true(number(doc, "results[1].error_l2") < 1e-5); /* as fast kernels promise */
    assert_true(number(doc, "results[3].median_s") > 0 && number(doc, "results[2].speed_up") == 1);
    double a = number(doc, "results[1].ratio"), c = number(doc, "results[3].ratio");
    assert_true(near(a, number(doc, "results[1].median_s") / number(doc, "results[0].median_s"), 1e-12));
    assert_true(near(number(doc, "summary[0].ratio"), sqrt(a * c), 1e-12));
    assert_true(number(doc, "results[1].rows[0].measured_s") >= number(doc, "results[1].rows[2].measured_s"));
    assert_true(rg_doc_string(doc, "unavailable[0].text", &text));
    assert_non_null(strstr(text, "/nowhere.so"));
    assert_non_null(strstr(text, "RIDGE_ONNXRUNTIME"));
    doc_obeys(cx, doc, "bench");
    check_readings(cx, file);
    unlink(file);
    rg_doc_free(doc);
}

static void wrong_use(void **state)
{
    rg_ctx *cx = *state;
    rg_doc *doc;
    const char *model = "zoo:mlp";
    static const struct { rg_bench_opt opt; rg_err err; const char *text; } rows[] = {
        {{.backends = "tensorrt"}, RG_USAGE, "there is no backend 'tensorrt'"},
        {{.threads = "0"}, RG_USAGE, "threads '0'"},
        {{.threads = "two"}, RG_USAGE, "threads 'two'"},
        {{.turns = -1}, RG_USAGE, "not negative"},
        {{.backends = ","}, RG_USAGE, "there is no backend ''"},
        {{.backends = "native", .reference = "naive"}, RG_USAGE, "'naive' is none of the backends"},
        {{.backends = "naive", .against_forecast = true}, RG_USAGE, "no backend that is named runs a plan"},
        {{.readings = "mine.txt"}, RG_USAGE, "mine.txt: readings go to"},
        {{.backends = "naive", .threads = "2"}, RG_UNSUPPORTED, "it runs on 1"},
        {{.backends = "onnxruntime", .onnxruntime = "/nowhere.so"}, RG_UNSUPPORTED, "/nowhere.so"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_bench_opt opt = rows[i].opt;
        opt.size = sizeof opt;
        assert_int_equal(rg_bench_doc(cx, &model, 1, &opt, &doc), rows[i].err);
        assert_null(doc);
        if (!strstr(rg_ctx_error(cx), rows[i].text)) fail_msg("%s", rg_ctx_error(cx));
    }
}

static int begin(void **state)
{
    *state = rg_ctx_new(NULL);
    return *state ? 0 : -1;
}

static int end(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(student), cmocka_unit_test(order_and_mean), cmocka_unit_test(turns_alternate),
        cmocka_unit_test(warm_up_until_stable), cmocka_unit_test(disturbed_turns_are_repeated),
        cmocka_unit_test(a_loud_machine_ends), cmocka_unit_test(fast_ones_are_thinned),
        cmocka_unit_test(failing_and_stopping), cmocka_unit_test(load_of_others),
        cmocka_unit_test(trials), cmocka_unit_test(the_best_form), cmocka_unit_test(ratios_are_summed_up),
        cmocka_unit_test(counters_are_carried_on), cmocka_unit_test(rows_against_the_forecast),
        cmocka_unit_test(a_small_model), cmocka_unit_test(wrong_use),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
