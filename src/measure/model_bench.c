/* model_bench.c - "ridge.bench/1": how long models take on this machine, by several backends.
 *
 *     model -> one .onnx file with all sizes and weights, one set of inputs -> for each backend and number of
 *     threads: a trial in a process of its own (memory, allocations, faults) -> all of them in turns (times)
 *     -> each once more for as long as a meter needs (energy)
 *
 * So every backend does the same work in the same weather.
 */
#include "base/statistics.h"
#include "measure/feed.h"
#include "measure/lane_energy.h"
#include "measure/trial.h"
#include "report/doc.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS_MAX = 16, TURNS = 10, SAMPLES = 20 };
#define TURN_S      0.1   /* ten ticks of /proc/stat for each processor */
#define FOREIGN_MAX 0.1

typedef struct player {
    const rg_backend *backend;
    rg_job job;
    cpu_set_t cpus;
    rg_trial trial;
    void *state;
    rg_lane_energy energy;
} player;

typedef struct bench {
    rg_ctx *cx;
    rg_bench_opt opt;
    const rg_backend **backends; size_t backend_count;
    int threads[THREADS_MAX]; size_t thread_count;
    rg_doc *doc;
    rg_item *results, *unavailable;
    cpu_set_t before;            /* where this process may run */
    cpu_set_t watched;           /* processors of the lane that has its turn */
    rg_host_load begun;
    rg_meters *meters;           /* NULL: energy is not asked for */
    rg_estimate power_w;         /* of the lane that is measured, by a forecast: what estimates are made of */
} bench;

/* One model. */
typedef struct match {
    bench *b;
    const char *model, *path;
    const rg_graph *g;
    rg_feed *feeds;
    const rg_datum **in;
    player *players; size_t count; /* those that can play come first */
} match;

/* ---- what is asked for ---- */

static rg_err find_backend(bench *b, rg_str name)
{
    rg_text known;
    rg_text_init(&known, &b->cx->arena);
    for (int i = 0; i < rg_backend_count; i++) {
        const rg_backend *backend = rg_backend_table[i];
        bool twice = false;
        rg_text_printf(&known, " %s", backend->name);
        for (size_t k = 0; k < b->backend_count; k++) twice = twice || b->backends[k] == backend;
        if (!rg_str_is(name, backend->name)) continue;
        if (!twice) b->backends[b->backend_count++] = backend;
        return RG_OK;
    }
    if (known.failed) return rg_nomem(b->cx);
    return rg_fail(b->cx, RG_USAGE, "there is no backend '%.*s'; there are:%s", RG_STR(name), known.data);
}

static rg_err read_options(bench *b)
{
    rg_bench_opt *o = &b->opt;
    rg_str rest = rg_str_of(o->backends ? o->backends : "native,onnxruntime"), word;
    b->backends = RG_NEW(&b->cx->arena, const rg_backend *, rg_backend_count + 1);
    if (!b->backends) return rg_nomem(b->cx);
    while (rg_str_cut(&rest, ',', &word)) RG_TRY(find_backend(b, word));
    rest = rg_str_of(o->threads ? o->threads : "1");
    for (int64_t n; rg_str_cut(&rest, ',', &word); b->threads[b->thread_count++] = (int)n) {
        if (!rg_str_int(word, &n) || n < 1 || n > CPU_SETSIZE)
            return rg_fail(b->cx, RG_USAGE, "threads '%.*s' is no number from 1 to %d", RG_STR(word),
                           CPU_SETSIZE);
        if (b->thread_count == THREADS_MAX)
            return rg_fail(b->cx, RG_LIMIT, "more than %d numbers of threads", THREADS_MAX);
    }
    if (o->turn_s < 0 || o->turns < 0 || o->samples < 0 || o->foreign_max < 0)
        return rg_fail(b->cx, RG_USAGE, "times, counts and shares of a measurement are not negative");
    if (o->turn_s == 0) o->turn_s = TURN_S;
    if (!o->turns) o->turns = TURNS;
    if (!o->samples) o->samples = SAMPLES;
    if (o->foreign_max == 0) o->foreign_max = FOREIGN_MAX;
    if (!o->onnxruntime) o->onnxruntime = getenv("RIDGE_ONNXRUNTIME");
    return RG_OK;
}

/* ---- one file for all ---- */

static rg_err export_model(match *m, const char *dir)
{
    const bench *b = m->b;
    const rg_graph *g = NULL;
    rg_load_opt load = {.size = sizeof load, .shape = b->opt.shape, .value = b->opt.value,
                        .trip = b->opt.trip, .batch = b->opt.batch, .raw = true};
    rg_export_opt fill = {.size = sizeof fill, .weights = "random", .seed = b->opt.seed};
    m->path = rg_arena_printf(&b->cx->arena, "%s/model.onnx", dir);
    if (!m->path) return rg_nomem(b->cx);
    RG_TRY(rg_graph_load(b->cx, m->model, &load, &g));
    rg_err err = rg_graph_export(b->cx, g, m->path, &fill);
    rg_graph_free(g);
    return err;
}

static rg_err make_inputs(match *m)
{
    rg_ctx *cx = m->b->cx;
    rg_load_opt load = {.size = sizeof load, .raw = true};
    RG_TRY(rg_graph_load(cx, m->path, &load, &m->g));
    uint32_t count = m->g->regions[RG_MAIN].input_count;
    m->feeds = RG_NEW(&cx->arena, rg_feed, count + 1);
    m->in = RG_NEW(&cx->arena, const rg_datum *, count + 1);
    if (!m->feeds || !m->in) return rg_nomem(cx);
    RG_TRY(rg_feeds_make_up(cx, m->g, m->g, m->b->opt.seed, m->feeds));
    for (uint32_t i = 0; i < count; i++) m->in[i] = m->feeds[i].datum;
    return RG_OK;
}

/* ---- who can play ---- */

static rg_err try_player(match *m, player *p)
{
    rg_ctx *cx = m->b->cx;
    int most = p->backend->thread_max, threads = p->job.threads;
    rg_host_choose(&m->b->before, threads, &p->cpus);
    if (!most || threads <= most) {
        if (threads <= CPU_COUNT(&p->cpus)) return rg_trial_run(cx, p->backend, &p->job, &p->cpus, &p->trial);
        most = CPU_COUNT(&p->cpus);
        p->trial.err = RG_UNSUPPORTED;
        snprintf(p->trial.text, sizeof p->trial.text, "%d threads were asked for, this process may use %d "
                 "processor%s", threads, most, most == 1 ? "" : "s");
        return RG_OK;
    }
    p->trial.err = RG_UNSUPPORTED;
    snprintf(p->trial.text, sizeof p->trial.text, "%d threads were asked for, it runs on %d", threads, most);
    return RG_OK;
}

static rg_err choose_players(match *m)
{
    bench *b = m->b;
    m->players = RG_NEW(&b->cx->arena, player, b->backend_count * b->thread_count + 1);
    if (!m->players) return rg_nomem(b->cx);
    for (size_t i = 0; i < b->backend_count; i++)
        for (size_t k = 0; k < b->thread_count; k++) {
            player *p = &m->players[m->count];
            *p = (player){.backend = b->backends[i], .job = {m->path, m->g, m->in, b->threads[k],
                                                              b->opt.onnxruntime}};
            RG_TRY(try_player(m, p));
            if (!p->trial.err) {
                m->count++;
                continue;
            }
            rg_item *item = rg_doc_object(b->doc, b->unavailable, NULL);
            rg_doc_str(b->doc, item, "model", m->model);
            rg_doc_str(b->doc, item, "backend", p->backend->name);
            rg_doc_int(b->doc, item, "threads", p->job.threads);
            rg_doc_str(b->doc, item, "text", p->trial.text);
        }
    return RG_OK;
}

/* ---- taking turns ---- */

static double now_s(void *user)
{
    (void)user;
    return rg_host_now_s();
}

static double foreign(void *user, bool begin)
{
    bench *b = user;
    rg_host_load load = rg_host_load_read("", &b->watched);
    if (!begin) return rg_host_foreign(&b->begun, &load, CPU_COUNT(&b->watched));
    b->begun = load;
    return 0;
}

typedef struct seat { bench *b; player *p; } seat;

static rg_err enter(rg_ctx *cx, void *user)
{
    seat *s = user;
    s->b->watched = s->p->cpus;
    return rg_host_pin(cx, &s->p->cpus);
}

static rg_err run(rg_ctx *cx, void *user)
{
    const player *p = ((seat *)user)->p;
    return p->backend->run(cx, p->state);
}

static rg_err play(match *m, rg_lane *lanes, seat *seats)
{
    bench *b = m->b;
    const char *version;
    for (size_t i = 0; i < m->count; i++) {
        player *p = &m->players[i];
        RG_TRY(rg_host_pin(b->cx, &p->cpus)); /* the threads that it makes stay there */
        RG_TRY(p->backend->open(b->cx, &p->job, &p->state, &version));
        seats[i] = (seat){b, p};
        lanes[i] = (rg_lane){.run = run, .enter = enter, .user = &seats[i]};
    }
    rg_sampling how = {
        .now_s = now_s, .foreign = foreign, .user = b, .turn_s = b->opt.turn_s, .turns = b->opt.turns,
        .samples = b->opt.samples, .foreign_max = b->opt.foreign_max, .progress = b->opt.progress,
        .progress_user = b->opt.user,
    };
    return rg_sample(b->cx, &how, lanes, m->count);
}

/* ---- energy ---- */

static rg_err open_meters(bench *b)
{
    rg_meter_opt opt = {.subjects = RG_SUBJECT(PROCESSOR) | RG_SUBJECT(BOARD) | RG_SUBJECT(MODEL),
                        .power_w = &b->power_w};
    return b->opt.no_energy ? RG_OK : rg_meters_open(b->cx, &opt, &b->meters);
}

/* A model that no forecast can be made of has no estimate; that is no reason to fail. The forecast is of the
 * whole machine, which a pinned process would not see. */
static rg_err measure_energy(match *m, player *p, const rg_lane *lane)
{
    bench *b = m->b;
    p->energy = (rg_lane_energy){.window.reason = "not asked for", .reason = "not asked for"};
    if (!b->meters) return RG_OK;
    RG_TRY(rg_host_pin(b->cx, &b->before));
    rg_err failed = rg_lane_power(b->cx, m->path, p->job.threads, &b->power_w);
    const char *why = failed ? rg_arena_cstr(&b->cx->arena, rg_str_of(rg_ctx_error(b->cx))) : NULL;
    RG_TRY(rg_lane_energy_take(b->cx, b->meters, lane, &p->energy));
    if (!p->energy.window.reason || !why) return RG_OK;
    p->energy.reason = rg_arena_printf(&b->cx->arena, "%s; no forecast: %s", p->energy.reason, why);
    return p->energy.reason ? RG_OK : rg_nomem(b->cx);
}

/* ---- what came out ---- */

static void add_list(rg_doc *doc, rg_item *parent, const char *key, const double *x, size_t count)
{
    rg_item *list = rg_doc_array(doc, parent, key);
    for (size_t i = 0; i < count; i++) rg_doc_real(doc, list, NULL, x[i]);
}

/* What was measured beside the times, null where nobody knows. */
static void add_cost(rg_doc *doc, rg_item *item, const rg_trial *t)
{
    if (t->peak_byte >= 0) rg_doc_real(doc, item, "peak_memory_byte", t->peak_byte);
    else rg_doc_str(doc, item, "peak_memory_byte", NULL);
    if (t->allocations >= 0) rg_doc_int(doc, item, "allocations", t->allocations);
    else rg_doc_str(doc, item, "allocations", NULL);
    rg_doc_int(doc, item, "minor_faults", t->minor_faults);
    rg_doc_int(doc, item, "major_faults", t->major_faults);
}

/* Times of undisturbed turns where they are enough, else all. base_s: median of the model's first result. */
static rg_err add_result(const match *m, const player *p, const rg_lane *lane, double *base_s)
{
    rg_ctx *cx = m->b->cx;
    rg_doc *doc = m->b->doc;
    rg_item *item = rg_doc_object(doc, m->b->results, NULL);
    bool disturbed = lane->calm_count < (size_t)m->b->opt.samples;
    size_t count = lane->calm_count + (disturbed ? lane->disturbed_count : 0);
    double *x = RG_NEW(&cx->arena, double, count + 1), *sorted = RG_NEW(&cx->arena, double, count + 1);
    if (!x || !sorted) return rg_nomem(cx);
    if (lane->calm_count) memcpy(x, lane->calm_s, lane->calm_count * sizeof *x);
    if (count > lane->calm_count)
        memcpy(x + lane->calm_count, lane->disturbed_s, lane->disturbed_count * sizeof *x);
    if (count) memcpy(sorted, x, count * sizeof *x);
    rg_sort_ascending(sorted, count);
    double median_s = rg_percentile(sorted, count, 0.5), p99_s = rg_percentile(sorted, count, 0.99);
    rg_mean mean = rg_mean_of(x, count);
    if (*base_s == 0) *base_s = median_s;
    rg_doc_text(doc, item, "name", "%s %s x%d", rg_path_base(m->model), p->backend->name, p->job.threads);
    rg_doc_str(doc, item, "model", m->model);
    rg_doc_str(doc, item, "backend", p->backend->name);
    rg_doc_str(doc, item, "version", p->trial.version);
    rg_doc_int(doc, item, "threads", p->job.threads);
    rg_doc_real(doc, item, "median_s", median_s);
    rg_doc_real(doc, item, "p90_s", rg_percentile(sorted, count, 0.9));
    rg_doc_real(doc, item, "p99_s", p99_s);
    rg_doc_quantity(doc, item, "mean_s",
                    (rg_estimate){mean.mean, mean.mean - mean.half, mean.mean + mean.half});
    rg_doc_real(doc, item, "p99_to_median", median_s > 0 ? p99_s / median_s : 1);
    rg_doc_real(doc, item, "speed_up", median_s > 0 ? *base_s / median_s : 1);
    add_cost(doc, item, &p->trial);
    rg_lane_energy_put(doc, item, &p->energy, median_s);
    if (lane->foreign >= 0) rg_doc_real(doc, item, "foreign_cpu", lane->foreign);
    else rg_doc_str(doc, item, "foreign_cpu", NULL);
    rg_doc_flag(doc, item, "disturbed", disturbed);
    rg_doc_flag(doc, item, "steady", lane->steady);
    add_list(doc, item, "samples_s", x, count);
    add_list(doc, item, "disturbed_s", lane->disturbed_s, disturbed ? 0 : lane->disturbed_count);
    return RG_OK;
}

static rg_err contest(match *m)
{
    rg_lane *lanes = RG_NEW(&m->b->cx->arena, rg_lane, m->count + 1);
    seat *seats = RG_NEW(&m->b->cx->arena, seat, m->count + 1);
    double base_s = 0;
    if (!lanes || !seats) return rg_nomem(m->b->cx);
    rg_err err = play(m, lanes, seats);
    for (size_t i = 0; !err && i < m->count; i++) err = measure_energy(m, &m->players[i], &lanes[i]);
    for (size_t i = 0; !err && i < m->count; i++) err = add_result(m, &m->players[i], &lanes[i], &base_s);
    for (size_t i = 0; i < m->count; i++) m->players[i].backend->close(m->players[i].state);
    rg_err unpinned = rg_host_pin(m->b->cx, &m->b->before);
    return err ? err : unpinned;
}

static rg_err bench_model(bench *b, const char *model)
{
    match m = {.b = b, .model = model};
    const char *place = getenv("TMPDIR");
    char dir[RG_PATH_LIMIT];
    int used = snprintf(dir, sizeof dir, "%s/ridge-bench-XXXXXX", place && *place ? place : "/tmp");
    if (used < 0 || (size_t)used >= sizeof dir || !mkdtemp(dir))
        return rg_fail(b->cx, RG_FAILED, "a folder for the model in %s: %s", place ? place : "/tmp",
                       strerror(errno));
    rg_err err = export_model(&m, dir);
    if (!err) err = make_inputs(&m);
    if (!err) err = choose_players(&m);
    if (!err) err = contest(&m);
    if (m.g && m.feeds) rg_feeds_done(m.g, m.feeds);
    rg_graph_free(m.g);
    const char *weights = m.path ? rg_arena_printf(&b->cx->arena, "%s.data", m.path) : NULL;
    if (weights) unlink(weights); /* of large models */
    if (m.path) unlink(m.path);
    rmdir(dir);
    return err && m.in ? rg_note(b->cx, err, "%s", model) : err; /* loading names the model itself */
}

/* ---- the document ---- */

static void add_host(const bench *b, rg_item *root)
{
    static const rg_column columns[] = {
        {"cpu", "processor", RG_UNIT_NONE, false}, {"cpus", "processors", RG_UNIT_COUNT, false},
        {"clock", "clock", RG_UNIT_NONE, false}, {"governor", "governor", RG_UNIT_NONE, false},
        {"hypervisor", "hypervisor", RG_UNIT_NONE, false}, {"kernel", "kernel", RG_UNIT_NONE, false},
    };
    rg_host host;
    rg_item *item = rg_doc_object(b->doc, root, "host");
    rg_host_read(&host, "");
    rg_doc_str(b->doc, item, "cpu", host.cpu);
    rg_doc_int(b->doc, item, "cpus", host.cpus);
    rg_doc_str(b->doc, item, "clock", host.clock);
    if (*host.governor) rg_doc_str(b->doc, item, "governor", host.governor);
    if (*host.hypervisor) rg_doc_str(b->doc, item, "hypervisor", host.hypervisor);
    rg_doc_str(b->doc, item, "kernel", host.kernel);
    rg_doc_section(b->doc, 1, "Measured on this machine");
    rg_doc_fields(b->doc, item, columns, RG_COUNT(columns));
}

static void lay_out_energy(const bench *b)
{
    static const rg_column columns[] = {
        {"model", "model", RG_UNIT_NONE, false}, {"backend", "backend", RG_UNIT_NONE, false},
        {"threads", "threads", RG_UNIT_NONE, false}, {"energy.value_j", "energy", RG_UNIT_JOULE, true},
        {"energy.plus_minus_j", "+-", RG_UNIT_JOULE, false}, {"energy.power_w", "power", RG_UNIT_WATT, false},
        {"energy.provenance", "how known", RG_UNIT_NONE, false},
        {"energy.source", "source", RG_UNIT_NONE, false}, {"energy.scope", "of", RG_UNIT_NONE, false},
        {"energy_reason", "why not measured", RG_UNIT_NONE, false},
    };
    rg_doc_section(b->doc, 2, "Energy");
    rg_doc_table(b->doc, "energy", b->results, columns, RG_COUNT(columns), 0);
    rg_doc_say(b->doc, "Of one inference; what the machine draws when idle is in it. An estimate is the "
               "power of the forecast for this machine times the median time. `ridge doctor` lists the "
               "meters.");
}

static void lay_out(const bench *b)
{
    static const rg_column columns[] = {
        {"model", "model", RG_UNIT_NONE, false}, {"backend", "backend", RG_UNIT_NONE, false},
        {"version", "version", RG_UNIT_NONE, false}, {"threads", "threads", RG_UNIT_NONE, false},
        {"median_s", "median", RG_UNIT_SECOND, true}, {"p90_s", "p90", RG_UNIT_SECOND, false},
        {"p99_s", "p99", RG_UNIT_SECOND, false}, {"mean_s", "mean (95 %)", RG_UNIT_SECOND, false},
        {"p99_to_median", "p99/p50", RG_UNIT_NONE, false}, {"speed_up", "speed-up", RG_UNIT_NONE, false},
        {"peak_memory_byte", "peak memory", RG_UNIT_BYTE, false},
        {"allocations", "allocations", RG_UNIT_COUNT, false},
        {"foreign_cpu", "foreign", RG_UNIT_FRACTION, false}, {"disturbed", "disturbed", RG_UNIT_NONE, false},
    };
    static const rg_column missing[] = {
        {"model", "model", RG_UNIT_NONE, false}, {"backend", "backend", RG_UNIT_NONE, false},
        {"threads", "threads", RG_UNIT_NONE, false}, {"text", "why it did not run", RG_UNIT_NONE, false},
    };
    rg_doc_section(b->doc, 2, "Times");
    rg_doc_table(b->doc, "results", b->results, columns, RG_COUNT(columns), 0);
    rg_doc_chart(b->doc, &(rg_chart){
        .kind = RG_CHART_BARS, .name = "times", .title = "Median time of one inference",
        .text = "Backends took turns on the same file and the same inputs.", .array = b->results,
        .x = {.heading = "median", .unit = RG_UNIT_SECOND},
        .y = &(rg_axis){"median_s", "median", RG_UNIT_SECOND, false}, .y_count = 1, .label = "name",
    });
    rg_doc_say(b->doc, "Weights and inputs that no file gives are random. Speed-up is over the first line of "
               "the model; allocations are of one run, peak memory of loading and running. Disturbed: others "
               "used more than %.3g %% of the processors in most turns.", b->opt.foreign_max * 100);
    if (b->meters) lay_out_energy(b);
    if (!b->unavailable || !b->unavailable->count) return;
    rg_doc_section(b->doc, 2, "What did not run");
    rg_doc_table(b->doc, "unavailable", b->unavailable, missing, RG_COUNT(missing), 0);
}

static rg_err fill(bench *b, const char *const *models, size_t count)
{
    rg_item *root = rg_doc_root(b->doc);
    rg_doc_int(b->doc, root, "seed", (int64_t)b->opt.seed);
    rg_doc_real(b->doc, root, "turn_s", b->opt.turn_s);
    rg_doc_real(b->doc, root, "foreign_max", b->opt.foreign_max);
    add_host(b, root);
    b->results = rg_doc_array(b->doc, root, "results");
    b->unavailable = rg_doc_array(b->doc, root, "unavailable");
    RG_TRY(open_meters(b));
    if (b->meters) rg_meters_put(b->doc, rg_doc_array(b->doc, root, "meters"), b->meters);
    for (size_t i = 0; i < count; i++) RG_TRY(bench_model(b, models[i]));
    if (b->results && !b->results->count && b->unavailable && b->unavailable->first)
        return rg_fail(b->cx, RG_UNSUPPORTED, "%s: %s",
                       rg_item_find(b->unavailable->first, "backend")->string,
                       rg_item_find(b->unavailable->first, "text")->string);
    lay_out(b);
    return rg_doc_done(b->cx, b->doc);
}

rg_err rg_bench_doc(rg_ctx *cx, const char *const *models, size_t count, const rg_bench_opt *opt,
                    rg_doc **out)
{
    bench b = {.cx = cx};
    *out = NULL;
    if (opt) memcpy(&b.opt, opt, opt->size < sizeof b.opt ? opt->size : sizeof b.opt);
    RG_TRY(read_options(&b));
    RG_TRY(rg_host_allowed(cx, &b.before));
    rg_err err = rg_doc_new(cx, "ridge.bench/1", &b.doc);
    if (!err) err = fill(&b, models, count);
    rg_meters_close(b.meters);
    if (!err) *out = b.doc;
    else rg_doc_free(b.doc);
    return err;
}
