/* meter.c - which meters are there, a session with them, and what a window's readings say.
 *
 * A counter of energy is read at both ends; each reading is up to one update u old, and of a step r:
 *
 *     E = c1 - c0 (+ range where it began anew)        +- (P u + r) + share E
 *
 * A reading of power is taken every u by a thread of its own; between readings a straight line is drawn:
 *
 *     E = mean(p) T                                    +- t s / sqrt(n) T + (max p - min p) lag + r T + share
 * E
 *
 * with Student's t at 95 %, s their spread: that takes readings to be independent. The second term is the
 * most that power can have changed in what the readings lag behind. share is the meter's own error, where
 * its maker states one.
 */
#include "measure/meter.h"

#include "base/statistics.h"
#include "measure/host_load.h"

#include <math.h>
#include <pthread.h>
#include <time.h>

enum {
    UPDATES_MIN = 10, /* of a window: with fewer, the ends are most of the figure */
    UPDATES_LATE = 2, /* readings that a busy machine may miss */
};
#define COUNTER_MAX_W 1000. /* of one zone; a counter that this power could turn round twice is not trusted */

const char *rg_provenance_name(rg_provenance provenance)
{
    static const char *const names[] = {
#define X(id, name) [RG_##id] = name,
        RG_PROVENANCE_LIST(X)
#undef X
    };
    return names[provenance];
}

const char *rg_cover_name(rg_cover cover)
{
    static const char *const names[] = {
#define X(id, name) [RG_COVER_##id] = name,
        RG_COVER_LIST(X)
#undef X
    };
    return names[cover];
}

/* Readings of power so far; those of a session belong to its thread until that has been joined. */
typedef struct series {
    double first_s, last_s, last_w, area_j, min_w, max_w, mean_w, square_sum;
    size_t count;
    bool failed;
} series;

typedef struct source {
    rg_gauge gauge;
    bool usable, running;
    const char *text;                /* what is read, or why it is not */
    char reason[192];                /* of the last window */
    double begin[RG_CHANNEL_MAX];    /* readings of a counter */
    bool begin_failed;
    series power;
    pthread_t thread;
    pthread_mutex_t lock;            /* of stop */
    pthread_cond_t wake;
    bool stop;
} source;

struct rg_meters {
    rg_arena arena;
    source *sources;                 /* by rank */
    double begin_s;
};

/* ---- what is there ---- */

static void close_gauge(rg_gauge *g)
{
    if (g->meter->close) g->meter->close(g);
}

/* "package-0, package-1, dram" */
static const char *describe(rg_arena *arena, const rg_gauge *g)
{
    rg_text text;
    if (*g->text) return rg_arena_cstr(arena, rg_str_of(g->text));
    rg_text_init(&text, arena);
    for (int i = 0; i < g->count; i++) rg_text_printf(&text, "%s%s", i ? ", " : "", g->channels[i].name);
    return text.failed ? NULL : text.data;
}

/* The source of the same subject that is open already, or NULL. */
static const source *rival(const rg_meters *m, const rg_meter *meter)
{
    for (int i = 0; i < rg_meter_count; i++) {
        const source *s = &m->sources[i];
        if (s->usable && s->gauge.meter->subject == meter->subject) return s;
    }
    return NULL;
}

static rg_err open_source(rg_ctx *cx, rg_meters *m, const rg_meter_opt *opt, source *s)
{
    const rg_meter *meter = s->gauge.meter;
    const source *better = rival(m, meter);
    if (opt->subjects && !(opt->subjects & 1u << meter->subject)) s->text = "not asked for";
    else if (better)
        s->text = rg_arena_printf(&m->arena, "not needed: %s measures the same", better->gauge.meter->name);
    else {
        rg_err err = meter->open(cx, opt, &s->gauge);
        if (err) close_gauge(&s->gauge);
        if (err && err != RG_UNSUPPORTED) return err;
        s->usable = !err;
        if (s->gauge.lag_s == 0) s->gauge.lag_s = s->gauge.update_s;
        s->text =
            err ? rg_arena_cstr(&m->arena, rg_str_of(rg_ctx_error(cx))) : describe(&m->arena, &s->gauge);
    }
    return s->text ? RG_OK : rg_nomem(cx);
}

/* Rows come by name; few enough to look for the next rank each time. */
static const rg_meter *next_by_rank(const rg_meter *before)
{
    const rg_meter *next = NULL;
    for (int i = 0; i < rg_meter_count; i++) {
        const rg_meter *meter = rg_meter_table[i];
        if ((!before || meter->rank > before->rank) && (!next || meter->rank < next->rank)) next = meter;
    }
    return next;
}

rg_err rg_meters_open(rg_ctx *cx, const rg_meter_opt *opt, rg_meters **out)
{
    rg_meter_opt o = opt ? *opt : (rg_meter_opt){0};
    rg_arena arena;
    *out = NULL;
    if (!o.root) o.root = "";
    rg_arena_init(&arena, cx);
    rg_meters *m = RG_NEW(&arena, rg_meters, 1);
    source *sources = RG_NEW(&arena, source, rg_meter_count);
    if (!m || !sources) {
        rg_arena_done(&arena);
        return rg_nomem(cx);
    }
    *m = (rg_meters){.arena = arena, .sources = sources};
    const rg_meter *meter = NULL;
    for (int i = 0; i < rg_meter_count; i++) sources[i].gauge.meter = meter = next_by_rank(meter);
    rg_err err = RG_OK;
    for (int i = 0; !err && i < rg_meter_count; i++) err = open_source(cx, m, &o, &sources[i]);
    if (!err) *out = m;
    else rg_meters_close(m);
    return err;
}

static double least_window_s(const rg_gauge *g)
{
    int updates = UPDATES_MIN + (g->meter->provenance == RG_SAMPLED ? UPDATES_LATE : 0);
    return g->meter->provenance == RG_ESTIMATED ? 0 : updates * g->update_s;
}

double rg_meters_window_s(const rg_meters *m)
{
    for (int i = 0; i < rg_meter_count; i++)
        if (m->sources[i].usable && m->sources[i].gauge.meter->provenance != RG_ESTIMATED)
            return least_window_s(&m->sources[i].gauge);
    return 0;
}

rg_meter_state rg_meters_state(const rg_meters *m, int index)
{
    const source *s = &m->sources[index];
    return (rg_meter_state){s->gauge.meter->name, s->gauge.meter->brief, s->usable, s->text,
                            s->usable ? least_window_s(&s->gauge) : 0};
}

/* ---- readings of power ---- */

static double sum(const double *x, int count)
{
    double total = 0;
    for (int i = 0; i < count; i++) total += x[i];
    return total;
}

/* Mean and spread as they come: Welford, Technometrics 4 (1962). */
static void add_reading(series *p, double at_s, double watts)
{
    if (!p->count) *p = (series){.first_s = at_s, .min_w = watts, .max_w = watts};
    else p->area_j += (p->last_w + watts) / 2 * (at_s - p->last_s);
    p->last_s = at_s;
    p->last_w = watts;
    p->min_w = fmin(p->min_w, watts);
    p->max_w = fmax(p->max_w, watts);
    double off = watts - p->mean_w;
    p->mean_w += off / (double)++p->count;
    p->square_sum += off * (watts - p->mean_w);
}

static void take_reading(source *s)
{
    double x[RG_CHANNEL_MAX], before_s = rg_host_now_s();
    if (s->gauge.meter->read(&s->gauge, x))
        add_reading(&s->power, (before_s + rg_host_now_s()) / 2, sum(x, s->gauge.count));
    else s->power.failed = true;
}

/* When the next reading is due: ticks are counted from the beginning, so that a late one does not make those
 * after it late, and those that were missed are left out. */
static struct timespec next_tick(double begin_s, double update_s)
{
    double at_s = begin_s + update_s * (floor((rg_host_now_s() - begin_s) / update_s) + 1);
    return (struct timespec){.tv_sec = (time_t)at_s, .tv_nsec = (long)((at_s - floor(at_s)) * 1e9)};
}

static void *take_readings(void *user)
{
    source *s = user;
    double begin_s = rg_host_now_s();
    pthread_mutex_lock(&s->lock);
    while (!s->stop && !s->power.failed) {
        pthread_mutex_unlock(&s->lock);
        take_reading(s);
        struct timespec until = next_tick(begin_s, s->gauge.update_s);
        pthread_mutex_lock(&s->lock);
        while (!s->stop && pthread_cond_timedwait(&s->wake, &s->lock, &until) == 0) continue;
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static rg_err start_thread(rg_ctx *cx, source *s)
{
    pthread_condattr_t attr;
    s->stop = false;
    int failed = pthread_mutex_init(&s->lock, NULL);
    if (!failed) {
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        failed = pthread_cond_init(&s->wake, &attr);
        pthread_condattr_destroy(&attr);
    }
    if (!failed) failed = pthread_create(&s->thread, NULL, take_readings, s);
    s->running = !failed;
    return failed ? rg_fail(cx, RG_FAILED, "a thread for %s: %s", s->gauge.meter->name, strerror(failed))
                  : RG_OK;
}

static void stop_thread(source *s)
{
    if (!s->running) return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    s->running = false;
}

/* ---- the session ---- */

static void stop_threads(rg_meters *m)
{
    for (int i = 0; i < rg_meter_count; i++) stop_thread(&m->sources[i]);
}

void rg_meters_close(rg_meters *m)
{
    if (!m) return;
    stop_threads(m);
    for (int i = 0; i < rg_meter_count; i++)
        if (m->sources[i].usable) close_gauge(&m->sources[i].gauge);
    rg_arena arena = m->arena;
    rg_arena_done(&arena);
}

/* Threads first, so that making them does not fall into the window. */
rg_err rg_meters_begin(rg_ctx *cx, rg_meters *m)
{
    rg_err err = RG_OK;
    stop_threads(m);
    for (int i = 0; !err && i < rg_meter_count; i++) {
        source *s = &m->sources[i];
        s->power = (series){0};
        if (s->usable && s->gauge.meter->provenance == RG_SAMPLED) err = start_thread(cx, s);
    }
    if (err) {
        stop_threads(m);
        return err;
    }
    for (int i = 0; i < rg_meter_count; i++) {
        source *s = &m->sources[i];
        if (!s->usable || s->gauge.meter->provenance == RG_SAMPLED) continue;
        bool failed = !s->gauge.meter->read(&s->gauge, s->begin); /* estimates may begin with nothing */
        s->begin_failed = failed && s->gauge.meter->provenance == RG_MEASURED;
    }
    m->begin_s = rg_host_now_s();
    return RG_OK;
}

/* ---- what a window's readings say ---- */

static void refuse(source *s, rg_energy *e, const char *format, ...) RG_PRINTF(3, 4);
static void refuse(source *s, rg_energy *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    rg_str_vprint(s->reason, sizeof s->reason, format, args);
    va_end(args);
    e->reason = s->reason;
}

static void settle(rg_energy *e, const rg_gauge *g, double joules, double plus_minus_j)
{
    e->joules = joules;
    e->watts = joules / e->seconds;
    e->plus_minus_j = plus_minus_j + g->error_share * joules;
}

static void count_up(source *s, const double *now, rg_energy *e)
{
    const rg_gauge *g = &s->gauge;
    double joules = 0, least_s = UPDATES_MIN * g->update_s;
    if (e->seconds < least_s) {
        refuse(s, e, "too short: %.3g s, it takes %.3g s", e->seconds, least_s);
        return;
    }
    for (int i = 0; i < g->count; i++) {
        const rg_channel *c = &g->channels[i];
        double more = now[i] - s->begin[i];
        if (c->range_j > 0 && e->seconds * COUNTER_MAX_W > c->range_j) {
            refuse(s, e, "too long: in %.3g s %s may wrap twice at %.6g J", e->seconds, c->name, c->range_j);
            return;
        }
        if (more < 0) more += c->range_j;
        if (more < 0) {
            refuse(s, e, "%s went back by %.3g J", c->name, -more);
            return;
        }
        joules += more;
    }
    if (joules > 0) settle(e, g, joules, joules / e->seconds * g->update_s + g->resolution);
    else refuse(s, e, "its counters stood still for %.3g s", e->seconds);
}

static void add_up(source *s, rg_energy *e)
{
    const series *p = &s->power;
    const rg_gauge *g = &s->gauge;
    if (p->count < UPDATES_MIN) {
        refuse(s, e, "too short: %zu readings in %.3g s, it takes %d", p->count, e->seconds, UPDATES_MIN);
        return;
    }
    if (!(p->area_j > 0)) {
        refuse(s, e, "it reads 0 W");
        return;
    }
    double mean_w = p->area_j / (p->last_s - p->first_s), n = (double)p->count;
    double half_w = rg_student_t(p->count - 1, 0.95) * sqrt(p->square_sum / (n - 1) / n);
    settle(e, g, mean_w * e->seconds,
           (half_w + g->resolution) * e->seconds + (p->max_w - p->min_w) * g->lag_s);
}

/* now: of what is read at the end, else NULL. */
static rg_energy judge(source *s, double seconds, const double *now, bool failed)
{
    const rg_gauge *g = &s->gauge;
    rg_energy e = {.joules = NAN, .seconds = seconds, .watts = NAN, .plus_minus_j = NAN,
                   .provenance = g->meter->provenance, .scope = g->scope, .source = g->meter->name};
    if (!s->usable) e.reason = s->text;
    else if (failed) refuse(s, &e, "a reading failed within the window");
    else if (!(seconds > 0)) refuse(s, &e, "too short: no time passed");
    else if (e.provenance == RG_MEASURED) count_up(s, now, &e);
    else if (e.provenance == RG_SAMPLED) add_up(s, &e);
    else settle(&e, g, now[0] * seconds, g->resolution * seconds);
    return e;
}

/* Counters first: joining threads takes time that is not the window's. */
void rg_meters_end(rg_meters *m, rg_energy *energies)
{
    double now[RG_CHANNEL_MAX], seconds = rg_host_now_s() - m->begin_s;
    for (int i = 0; i < rg_meter_count; i++) {
        source *s = &m->sources[i];
        if (!s->usable || s->gauge.meter->provenance == RG_SAMPLED) continue;
        bool failed = !s->gauge.meter->read(&s->gauge, now);
        energies[i] = judge(s, seconds, now, failed || s->begin_failed);
    }
    stop_threads(m);
    for (int i = 0; i < rg_meter_count; i++) {
        source *s = &m->sources[i];
        if (!s->usable || s->gauge.meter->provenance == RG_SAMPLED)
            energies[i] = judge(s, seconds, NULL, s->power.failed);
    }
}

const rg_energy *rg_energy_best(const rg_energy *energies)
{
    for (int i = 0; i < rg_meter_count; i++)
        if (!energies[i].reason) return &energies[i];
    return NULL;
}
