/* calibrate_run.c - the gauges of a machine, measured in turns.
 *
 * A run of a gauge takes about a millisecond: shorter than the slice of a scheduler, so that of two programs
 * on one processor many runs meet only one, and the median is of those. Walks through more memory than that
 * go on where the run before has stopped. All cores run as a team, one thread pinned to each.
 */
#include "base/statistics.h"
#include "base/team.h"
#include "measure/calibrate.h"
#include "measure/calibrate_kernel.h"
#include "measure/host_load.h"
#include "measure/sampler.h"

#include <inttypes.h>
#include <math.h>
#include <sys/mman.h>

enum {
    LINE_BYTE = 64, SEED = 1,
    FIT_RUNS = 5,
    REGIONS = 500,               /* of a run; each may take its share of a microsecond, or wake sleepers */
};
#define RUN_S 1e-3
#define STEPS_MAX (INT64_C(1) << 40)

/* What one thread keeps for one gauge; apart, so that threads do not pull at the same line. */
typedef struct place { size_t at; char *chase; bool wrong; char apart[LINE_BYTE]; } place;

typedef struct crew crew;
typedef struct probe {
    crew *crew;
    rg_gauge *gauge;
    rg_peak_kernel peak;
    int64_t steps;               /* of a run */
    place *places;               /* by worker */
    rg_team *team;               /* NULL: the caller alone */
} probe;

/* Worker w runs on processor cpus[w]. */
struct crew {
    rg_ctx *cx;
    rg_calibration *c;
    const rg_vector_kernel *vector;
    rg_team *team;
    int size;
    int *cpus, *engines;         /* by worker */
    char **walks; size_t *walk_sizes; /* memory of each worker, touched first by it */
    char **chases; size_t *chase_sizes; /* by level */
    probe *probes;
    cpu_set_t before, watched;
    rg_host_load begun;
    bool (*progress)(void *user, size_t done, size_t total);
    void *user;
};

/* ---- memory ---- */

/* Large pages where the system has them: it is the memory that is measured, not the tables of its pages. */
static char *map(size_t size)
{
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    rg_large_pages(memory, size);
    return memory;
}

static void unmap(char *memory, size_t size)
{
    if (memory) munmap(memory, size);
}

/* ---- one run ---- */

static void count_macs(const probe *p, place *here)
{
    here->wrong = p->peak.run(p->steps) != (double)p->steps * p->peak.mac_per_step;
}

static void run_one(const probe *p, int worker)
{
    const crew *w = p->crew;
    const rg_vector_kernel *v = w->vector;
    place *here = &p->places[worker];
    char *walk = w->walks[worker];
    size_t size = (size_t)p->gauge->footprint_byte;
    switch (p->gauge->kind) {
    case RG_GAUGE_CLOCK: here->wrong = v->clock(p->steps) != p->steps * RG_CLOCK_PER_STEP; break;
    case RG_GAUGE_PEAK: count_macs(p, here); break;
    case RG_GAUGE_READ: here->at = v->read(walk, size, here->at, p->steps); break;
    case RG_GAUGE_WRITE: here->at = v->write(walk, size, here->at, p->steps); break;
    case RG_GAUGE_COPY: here->at = v->copy(walk, size / 2, here->at, p->steps); break;
    case RG_GAUGE_LATENCY: here->chase = rg_chase_run(here->chase, p->steps); break;
    case RG_GAUGE_FORK: case RG_GAUGE_KIND_COUNT: break;
    }
}

static void work(void *user, rg_part part)
{
    const probe *p = user;
    if (p->gauge->engine < 0 || p->crew->engines[part.worker] == p->gauge->engine) run_one(p, part.worker);
}

/* One thread, but not the caller's: the first of the engine. */
static void work_first(void *user, rg_part part)
{
    const probe *p = user;
    int first = 0;
    while (p->crew->engines[first] != p->gauge->engine) first++;
    if (part.worker == first) run_one(p, first);
}

static void nothing(void *user, rg_part part)
{
    (void)user;
    (void)part;
}

static rg_err run_probe(rg_ctx *cx, void *user)
{
    probe *p = user;
    const rg_gauge *g = p->gauge;
    if (g->kind == RG_GAUGE_FORK)
        for (int64_t s = 0; s < p->steps; s++) rg_team_run(p->crew->team, nothing, p);
    else if (g->all) rg_team_run(p->crew->team, work, p);
    else if (p->crew->engines[0] == g->engine) run_one(p, 0);
    else rg_team_run(p->crew->team, work_first, p);
    for (int w = 0; w < p->crew->size; w++)
        if (p->places[w].wrong)
            return rg_fail(cx, RG_INTERNAL, "%s: %" PRId64 " steps gave another count than they should",
                           g->how ? g->how : "clock", p->steps);
    return RG_OK;
}

/* Of all threads in one run: operations, bytes, clocks, loads, regions. */
static double work_of(const probe *p)
{
    static const double copy_ways = 2, op_per_mac = 2;
    const rg_gauge *g = p->gauge;
    double steps = (double)p->steps;
    switch (g->kind) {
    case RG_GAUGE_CLOCK: return steps * RG_CLOCK_PER_STEP; /* of each */
    case RG_GAUGE_PEAK: return steps * p->peak.mac_per_step * op_per_mac * g->cores;
    case RG_GAUGE_READ: case RG_GAUGE_WRITE: return steps * RG_MOVE_BYTE * g->cores;
    case RG_GAUGE_COPY: return steps * RG_MOVE_BYTE * copy_ways * g->cores;
    case RG_GAUGE_LATENCY: case RG_GAUGE_FORK: case RG_GAUGE_KIND_COUNT: break;
    }
    return steps;
}

/* ---- how many steps a run has ---- */

/* By the caller alone: while others want the processors, a team waits longer than it works. */
static void fit(probe *p)
{
    int64_t most = p->gauge->kind == RG_GAUGE_PEAK ? RG_PEAK_STEP_MAX : STEPS_MAX;
    p->steps = REGIONS;
    if (p->gauge->kind == RG_GAUGE_FORK) return;
    for (p->steps = 1; p->steps < most; p->steps *= 2) {
        double least_s = RUN_S;
        for (int i = 0; i < FIT_RUNS && least_s >= RUN_S; i++) { /* the fastest: nobody was in the way */
            double begin = rg_host_now_s();
            run_one(p, 0);
            least_s = fmin(least_s, rg_host_now_s() - begin);
        }
        if (least_s >= RUN_S) break;
    }
}

/* ---- the crew ---- */

static bool is_memory(rg_gauge_kind kind) { return kind >= RG_GAUGE_READ && kind <= RG_GAUGE_COPY; }

/* Before the first turn nothing is done yet, but whoever waits may have had enough. */
static rg_err go_on(const crew *w)
{
    bool goes_on = !w->progress || w->progress(w->user, 0, w->c->count * (size_t)(w->c->turns + 1));
    return goes_on ? RG_OK : rg_fail(w->cx, RG_INTERRUPTED, "interrupted");
}

static rg_err enlist(crew *w)
{
    rg_calibration *c = w->c;
    for (size_t e = 0; e < c->detected->engine_count; e++) w->size += CPU_COUNT(&c->cpus[e]);
    w->cpus = RG_NEW(&w->cx->arena, int, w->size);
    w->engines = RG_NEW(&w->cx->arena, int, w->size);
    w->walks = RG_NEW(&w->cx->arena, char *, w->size);
    w->walk_sizes = RG_NEW(&w->cx->arena, size_t, w->size);
    w->chases = RG_NEW(&w->cx->arena, char *, c->detected->level_count);
    w->chase_sizes = RG_NEW(&w->cx->arena, size_t, c->detected->level_count);
    w->probes = RG_NEW(&w->cx->arena, probe, c->count);
    if (!w->cpus || !w->engines || !w->walks || !w->walk_sizes || !w->chases || !w->chase_sizes || !w->probes)
        return rg_nomem(w->cx);
    for (int e = 0, at = 0; e < (int)c->detected->engine_count; e++)
        for (int cpu = CPU_SETSIZE;
             cpu-- > 0;) { /* the first one usually serves interrupts: the caller ... */
            if (!CPU_ISSET((size_t)cpu, &c->cpus[e])) continue;
            w->cpus[at] = cpu;                    /* ... who is alone for most gauges, takes the last */
            w->engines[at++] = e;
        }
    return rg_team_new(w->cx, w->size, false, &w->team);
}

static void settle(void *user, rg_part part)
{
    const crew *w = user;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)w->cpus[part.worker], &one);
    sched_setaffinity(0, sizeof one, &one); /* where it may not, it works, too: only less steadily */
    memset(w->walks[part.worker], 1, w->walk_sizes[part.worker]);
}

static rg_err furnish(crew *w)
{
    const rg_calibration *c = w->c;
    double total = 0;
    for (size_t i = 0; i < c->count; i++) {
        const rg_gauge *g = &c->gauges[i];
        size_t size = (size_t)g->footprint_byte;
        if (g->kind == RG_GAUGE_LATENCY) w->chase_sizes[g->row] = size;
        for (int k = 0; is_memory(g->kind) && k < (g->all ? w->size : 1); k++)
            if (size > w->walk_sizes[k]) w->walk_sizes[k] = size;
    }
    for (int k = 0; k < w->size; k++) {
        total += (double)w->walk_sizes[k];
        if (!(w->walks[k] = map(w->walk_sizes[k])))
            return rg_fail(w->cx, RG_NOMEM, "no %.0f bytes of memory to measure with", total);
    }
    for (size_t i = 0; i < c->detected->level_count; i++) {
        total += (double)w->chase_sizes[i];
        if (!(w->chases[i] = map(w->chase_sizes[i])))
            return rg_fail(w->cx, RG_NOMEM, "no %.0f bytes of memory to measure with", total);
    }
    RG_TRY(go_on(w));
    rg_team_run(w->team, settle, w);
    for (size_t i = 0; i < c->detected->level_count; i++) {
        RG_TRY(go_on(w));
        rg_chase_make(w->chases[i], w->chase_sizes[i], SEED);
    }
    return RG_OK;
}

static rg_err prepare(crew *w)
{
    rg_calibration *c = w->c;
    for (size_t i = 0; i < c->count; i++) {
        probe *p = &w->probes[i];
        *p = (probe){.crew = w, .gauge = &c->gauges[i], .places = RG_NEW(&w->cx->arena, place, w->size)};
        if (!p->places) return rg_nomem(w->cx);
        if (p->gauge->kind == RG_GAUGE_LATENCY) p->places[0].chase = w->chases[p->gauge->row];
        if (p->gauge->kind == RG_GAUGE_PEAK)
            rg_peak_kernel_for(&c->detected->peaks[p->gauge->row], c->features, &p->peak);
        fit(p);
        RG_TRY(go_on(w));
    }
    return RG_OK;
}

static void dismiss(crew *w)
{
    for (int k = 0; w->walks && k < w->size; k++) unmap(w->walks[k], w->walk_sizes[k]);
    for (size_t i = 0; w->chases && i < w->c->detected->level_count; i++)
        unmap(w->chases[i], w->chase_sizes[i]);
    rg_team_free(w->team);
}

/* ---- turns ---- */

static double now_s(void *user)
{
    (void)user;
    return rg_host_now_s();
}

static double foreign(void *user, bool begin)
{
    crew *w = user;
    rg_host_load load = rg_host_load_read("", &w->watched);
    if (!begin) return rg_host_foreign(&w->begun, &load, CPU_COUNT(&w->watched));
    w->begun = load;
    return 0;
}

static rg_err enter(rg_ctx *cx, void *user)
{
    const probe *p = user;
    crew *w = p->crew;
    const rg_gauge *g = p->gauge;
    (void)cx;
    CPU_ZERO(&w->watched);
    for (int k = 0; k < w->size; k++)
        if ((g->engine < 0 || w->engines[k] == g->engine) && (g->all || !CPU_COUNT(&w->watched)))
            CPU_SET((size_t)w->cpus[k], &w->watched);
    return RG_OK;
}

/* The median of the undisturbed samples where they are enough. Else of all the one that a tenth are faster
 * than: with others on the processors most runs wait, and what the machine can do is seen in the few that
 * did not. */
static rg_err settle_gauge(rg_ctx *cx, const probe *p, const rg_lane *lane, int enough)
{
    rg_gauge *g = p->gauge;
    g->disturbed = lane->calm_count < (size_t)enough;
    size_t count = lane->calm_count + (g->disturbed ? lane->disturbed_count : 0);
    double *x = RG_NEW(&cx->arena, double, count + 1), work = work_of(p);
    if (!x) return rg_nomem(cx);
    if (lane->calm_count) memcpy(x, lane->calm_s, lane->calm_count * sizeof *x);
    if (count > lane->calm_count)
        memcpy(x + lane->calm_count, lane->disturbed_s, (count - lane->calm_count) * sizeof *x);
    rg_sort_ascending(x, count);
    double took_s = rg_percentile(x, count, g->disturbed ? 0.1 : 0.5);
    if (!(took_s > 0)) return rg_fail(cx, RG_FAILED, "the clock of this machine does not move");
    bool time = g->kind == RG_GAUGE_LATENCY || g->kind == RG_GAUGE_FORK;
    g->samples = count;
    g->value = time ? took_s / work : work / took_s;
    g->best = time ? x[0] / work : work / x[0];
    g->spread = (rg_percentile(x, count, 0.75) - rg_percentile(x, count, 0.25)) / took_s;
    return RG_OK;
}

static rg_err take_turns(crew *w)
{
    rg_calibration *c = w->c;
    rg_lane *lanes = RG_NEW(&w->cx->arena, rg_lane, c->count);
    if (!lanes) return rg_nomem(w->cx);
    for (size_t i = 0; i < c->count; i++)
        lanes[i] = (rg_lane){.run = run_probe, .enter = enter, .user = &w->probes[i]};
    rg_sampling how = {
        .now_s = now_s, .foreign = foreign, .user = w, .turn_s = c->turn_s, .turns = c->turns,
        .samples = c->turns, .foreign_max = c->foreign_max, .progress = w->progress, .progress_user = w->user,
    };
    RG_TRY(rg_sample(w->cx, &how, lanes, c->count));
    for (size_t i = 0; i < c->count; i++) RG_TRY(settle_gauge(w->cx, &w->probes[i], &lanes[i], how.samples));
    return RG_OK;
}

rg_err rg_calibrate_run(rg_ctx *cx, rg_calibration *c,
                        bool (*progress)(void *user, size_t done, size_t total), void *user)
{
    crew w = {.cx = cx, .c = c, .vector = rg_vector_kernel_for(c->features), .progress = progress,
              .user = user};
    RG_TRY(rg_host_allowed(cx, &w.before));
    rg_err err = enlist(&w);
    if (!err) err = furnish(&w);
    if (!err) err = prepare(&w);
    if (!err) err = take_turns(&w);
    dismiss(&w);
    rg_err unpinned = rg_host_pin(cx, &w.before);
    return err ? err : unpinned;
}
