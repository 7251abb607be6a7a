/* bench_play.c - the game of one model: a trial of each player in a process of its own, turns for time, then
 * each once more for energy, for the processor's counters, and for the rows of its plan.
 *
 * Only the turns are timed as they are; whatever needs more looks at a run comes after them.
 */
#include "measure/bench.h"

#include <math.h>

#define COUNTED_S 0.2 /* of runs whose events are counted, about */

/* ---- who can play ---- */

static rg_err refuse(rg_player *p, const char *why, int most)
{
    p->trial.err = RG_UNSUPPORTED;
    snprintf(p->trial.text, sizeof p->trial.text, "%d threads were asked for, %s %d", p->job.threads, why,
             most);
    return RG_OK;
}

static rg_err try_form(rg_contest *m, rg_player *p, rg_form_kind kind, rg_trial *out)
{
    const rg_form *form = &m->forms[kind];
    rg_job job = p->job;
    job.path = form->path, job.g = form->g, job.in = form->in;
    return rg_trial_run(m->b->cx, p->backend, &job, &p->cpus, out);
}

/* "12.3 ms built, 11.9 ms fused, attention: no such operator". */
static void note_form(const rg_contest *m, rg_form_kind kind, const rg_trial *t, rg_text *out)
{
    char time[32];
    const char *missing = m->forms[kind].missing, *name = rg_form_name(kind), *gap = out->size ? ", " : "";
    if (missing || t->err) rg_text_printf(out, "%s%s: %s", gap, name, missing ? missing : t->text);
    else
        rg_text_printf(out, "%s%s %s", gap, rg_unit_print(time, sizeof time, t->run_s, RG_UNIT_SECOND), name);
}

/* The fastest in a few runs of those that work; where none does, the first says why. */
static rg_err choose_form(rg_contest *m, rg_player *p)
{
    rg_ctx *cx = m->b->cx;
    rg_text text;
    RG_TRY(try_form(m, p, RG_FORM_BUILT, &p->trial));
    if (!p->backend->fuses) return RG_OK;
    rg_text_init(&text, &cx->arena);
    note_form(m, RG_FORM_BUILT, &p->trial, &text);
    for (int i = 1; i < RG_FORM_COUNT; i++) {
        rg_trial t = {.err = RG_UNSUPPORTED};
        if (!m->forms[i].path && !m->forms[i].missing) continue;
        if (m->forms[i].path) RG_TRY(try_form(m, p, (rg_form_kind)i, &t));
        note_form(m, (rg_form_kind)i, &t, &text);
        if (t.err || (!p->trial.err && p->trial.run_s <= t.run_s)) continue;
        p->form = (rg_form_kind)i;
        p->trial = t;
    }
    p->form_text = rg_arena_cstr(&cx->arena, (rg_str){text.data, text.size});
    return text.failed || !p->form_text ? rg_nomem(cx) : RG_OK;
}

static rg_err try_player(rg_contest *m, rg_player *p)
{
    int most = p->backend->thread_max;
    rg_host_choose(&m->b->before, p->job.threads, &p->cpus);
    if (most && p->job.threads > most) return refuse(p, "it runs on", most);
    if (p->job.threads > CPU_COUNT(&p->cpus))
        return refuse(p, "processors that this process may use:", CPU_COUNT(&p->cpus));
    RG_TRY(choose_form(m, p));
    const rg_form *form = &m->forms[p->form];
    p->job.path = form->path, p->job.g = form->g, p->job.in = form->in;
    return RG_OK;
}

rg_err rg_contest_choose(rg_contest *m)
{
    rg_bench *b = m->b;
    m->players = RG_NEW(&b->cx->arena, rg_player, b->backend_count * b->thread_count + 1);
    if (!m->players) return rg_nomem(b->cx);
    for (size_t i = 0; i < b->backend_count; i++)
        for (size_t k = 0; k < b->thread_count; k++) {
            rg_player *p = &m->players[m->count];
            *p = (rg_player){.backend = b->backends[i], .job = {.threads = b->threads[k],
                             .library = b->opt.onnxruntime, .host = b->host}};
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
    rg_bench *b = user;
    rg_host_load load = rg_host_load_read("", &b->watched);
    if (!begin) return rg_host_foreign(&b->begun, &load, CPU_COUNT(&b->watched));
    b->begun = load;
    return 0;
}

typedef struct seat { rg_bench *b; rg_player *p; } seat;

static rg_err enter(rg_ctx *cx, void *user)
{
    seat *s = user;
    s->b->watched = s->p->cpus;
    return rg_host_pin(cx, &s->p->cpus);
}

static rg_err run(rg_ctx *cx, void *user)
{
    const rg_player *p = ((seat *)user)->p;
    return p->backend->run(cx, p->state);
}

/* Counters come first: they are inherited by the threads that the backend makes, which stay where it is. */
static rg_err open_player(rg_contest *m, rg_player *p)
{
    const char *version;
    seat *s = RG_NEW(&m->b->cx->arena, seat, 1);
    if (!s) return rg_nomem(m->b->cx);
    *s = (seat){m->b, p};
    RG_TRY(rg_host_pin(m->b->cx, &p->cpus));
    rg_counters_open(&p->counters, NULL);
    p->lane = (rg_lane){.run = run, .enter = enter, .user = s};
    return p->backend->open(m->b->cx, &p->job, &p->state, &version);
}

static rg_err take_turns(rg_contest *m)
{
    rg_bench *b = m->b;
    rg_lane *lanes = RG_NEW(&b->cx->arena, rg_lane, m->count + 1);
    if (!lanes) return rg_nomem(b->cx);
    for (size_t i = 0; i < m->count; i++) lanes[i] = m->players[i].lane;
    rg_sampling how = {
        .now_s = now_s, .foreign = foreign, .user = b, .turn_s = b->opt.turn_s, .turns = b->opt.turns,
        .samples = b->opt.samples, .foreign_max = b->opt.foreign_max, .progress = b->opt.progress,
        .progress_user = b->opt.user,
    };
    rg_err err = rg_sample(b->cx, &how, lanes, m->count);
    for (size_t i = 0; i < m->count; i++) m->players[i].lane = lanes[i];
    return err;
}

/* ---- beside time ---- */

/* A model that no forecast can be made of has no estimate; that is no reason to fail. The forecast is of the
 * whole machine, which a pinned process would not see. */
static rg_err measure_energy(rg_contest *m, rg_player *p)
{
    rg_bench *b = m->b;
    p->energy = (rg_lane_energy){.window.reason = "not asked for", .reason = "not asked for"};
    if (!b->meters) return RG_OK;
    RG_TRY(rg_host_pin(b->cx, &b->before));
    rg_err failed = rg_lane_power(b->cx, m->forms[RG_FORM_BUILT].path, p->job.threads, &b->power_w);
    const char *why = failed ? rg_arena_cstr(&b->cx->arena, rg_str_of(rg_ctx_error(b->cx))) : NULL;
    RG_TRY(rg_lane_energy_take(b->cx, b->meters, &p->lane, &p->energy));
    if (!p->energy.window.reason || !why) return RG_OK;
    p->energy.reason = rg_arena_printf(&b->cx->arena, "%s; no forecast: %s", p->energy.reason, why);
    return p->energy.reason ? RG_OK : rg_nomem(b->cx);
}

static rg_err count_events(rg_contest *m, rg_player *p)
{
    double begun_s, runs = 0;
    for (int i = 0; i < RG_COUNTER_COUNT; i++) p->counts[i] = NAN;
    if (*p->counters.reason) return RG_OK;
    RG_TRY(enter(m->b->cx, p->lane.user));
    rg_counters_begin(&p->counters);
    for (begun_s = rg_host_now_s(); !runs || rg_host_now_s() - begun_s < COUNTED_S; runs++)
        RG_TRY(p->backend->run(m->b->cx, p->state));
    rg_counters_end(&p->counters, p->counts);
    for (int i = 0; i < RG_COUNTER_COUNT; i++) p->counts[i] /= runs;
    return RG_OK;
}

static rg_err time_rows(rg_contest *m, rg_player *p)
{
    const rg_bench_opt *o = &m->b->opt;
    if (!p->backend->plan || (!o->against_forecast && !o->readings)) return RG_OK;
    RG_TRY(enter(m->b->cx, p->lane.user));
    return rg_row_times_take(m->b->cx, p->backend, p->state, &p->rows);
}

rg_err rg_contest_play(rg_contest *m)
{
    rg_err err = RG_OK;
    for (size_t i = 0; !err && i < m->count; i++) err = open_player(m, &m->players[i]);
    if (!err) err = take_turns(m);
    for (size_t i = 0; !err && i < m->count; i++) {
        err = measure_energy(m, &m->players[i]);
        if (!err) err = count_events(m, &m->players[i]);
        if (!err) err = time_rows(m, &m->players[i]);
    }
    rg_err unpinned = rg_host_pin(m->b->cx, &m->b->before);
    return err ? err : unpinned;
}

void rg_contest_close(rg_contest *m)
{
    for (size_t i = 0; i < m->count; i++) {
        rg_player *p = &m->players[i];
        if (p->state) p->backend->close(p->state);
        if (p->lane.run) rg_counters_close(&p->counters);
    }
}
