/* bench_reading.c - what a bench leaves for later: a reading of each model and of each row, with the hashes
 * by which a forecast of the same thing is found again.
 *
 * The hashes are those of `ridge predict MODEL --on host --runtime R --threads N`: of the model as it was
 * named (not of the file that was made of it for the backends), and of a whole machine (not of the processors
 * that a player was pinned to).
 */
#include "measure/bench.h"

#include "base/data.h"

#include <math.h>
#include <time.h>

/* Everything under data/ that a forecast may read, as it is with what lies over it. Schemas change no
 * figure. */
static rg_err hash_data(rg_bench *b)
{
    b->data_hash = RG_HASH_SEED;
    for (int i = 0; i < rg_embedded_count; i++) {
        const char *path = rg_embedded_table[i].path;
        rg_str text;
        if (rg_str_starts(rg_str_of(path), "schema/")) continue;
        RG_TRY(rg_data_read(b->cx, path, &text));
        b->data_hash = rg_hash_str(rg_hash_str(b->data_hash, rg_str_of(path)), text);
    }
    return RG_OK;
}

rg_err rg_bench_readings_begin(rg_bench *b)
{
    rg_host host;
    char date[sizeof "2000-01-31"];
    time_t now = time(NULL);
    struct tm day;
    if (!b->opt.readings) return RG_OK;
    RG_TRY(rg_readings_check(b->cx, b->opt.readings));
    RG_TRY(hash_data(b));
    if (!gmtime_r(&now, &day) || !strftime(date, sizeof date, "%Y-%m-%d", &day))
        return rg_fail(b->cx, RG_FAILED, "this machine does not know what day it is");
    rg_host_read(&host, "");
    b->date = rg_arena_printf(&b->cx->arena, "%s", date);
    b->fingerprint = rg_arena_printf(&b->cx->arena, "%s x%d, %s%s%s", host.cpu, host.cpus, host.kernel,
                                     *host.hypervisor ? ", " : "", host.hypervisor);
    return b->date && b->fingerprint ? RG_OK : rg_nomem(b->cx);
}

/* ---- what it is of ---- */

/* Built-in models have the batch that was asked for, or 1, whichever of their sizes that is; of files it is
 * the first. */
static double batch_of(const rg_contest *m, const rg_graph *g)
{
    const rg_region *model = &g->regions[RG_MAIN];
    if (m->b->opt.batch > 0) return (double)m->b->opt.batch;
    if (rg_str_starts(rg_str_of(m->model), "zoo:") || rg_str_starts(rg_str_of(m->model), "random:")) return 1;
    const rg_type *type = model->input_count ? &g->values[model->inputs[0]].type : NULL;
    return type && type->rank > 0 ? (double)rg_dim_value(&g->dims, type->dim[0]) : 1;
}

/* A backend without a profile, or a model that no plan can be made of, leaves the hashes unknown. */
static rg_err identify(rg_contest *m, const rg_graph *g, const rg_player *p, rg_reading *out)
{
    rg_ctx *cx = m->b->cx;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    rg_plan_opt opt = {.size = sizeof opt, .threads = p->job.threads};
    out->model = m->model;
    out->graph_hash = rg_graph_hash(g);
    out->device = rg_arena_cstr(&cx->arena, rg_str_of(m->b->host->id));
    out->device_hash = m->b->host->hash;
    out->data_hash = m->b->data_hash;
    out->batch = batch_of(m, g);
    rg_err err = p->backend->runtime ? rg_runtime_find(cx, p->backend->runtime, m->b->host, &runtime) : RG_OK;
    if (!err && runtime) {
        out->runtime = p->backend->runtime;
        out->runtime_hash = runtime->hash;
        err = rg_plan_make(cx, g, m->b->host, runtime, &opt, &plan);
    }
    if (plan) out->plan_hash = plan->hash;
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    if (err == RG_NOMEM || !out->device) return rg_nomem(cx);
    return RG_OK;
}

/* ---- what came out ---- */

static rg_reading reading_of(const rg_contest *m, const rg_player *p, const rg_reading *identity)
{
    rg_reading r = *identity;
    const rg_energy *w = &p->energy.window;
    double share = w->reason ? NAN : w->provenance == RG_ESTIMATED ? p->median_s / w->seconds
                                                                   : 1 / (double)p->energy.runs;
    r.backend = p->backend->name;
    r.version = p->trial.version;
    r.threads = p->job.threads;
    r.precision = "model";
    r.median_s = p->median_s;
    r.p90_s = p->p90_s;
    r.p99_s = p->p99_s;
    r.samples = (double)p->sample_count;
    if (!w->reason) {
        r.energy_j = w->joules * share;
        r.energy_plus_minus_j = w->plus_minus_j * share;
        r.energy_provenance = rg_provenance_name(w->provenance);
        r.energy_scope = rg_cover_name(w->scope);
    }
    if (p->trial.peak_byte >= 0) r.peak_memory_byte = p->trial.peak_byte;
    r.disturbed = p->disturbed;
    r.date = m->b->date;
    r.host = m->b->fingerprint;
    return r;
}

/* Rows have times of their own; energy and memory are of the whole. Those that take no time (views, what was
 * computed while loading) are nothing to learn from. */
static rg_err add_rows(rg_contest *m, const rg_player *p, const rg_reading *whole)
{
    rg_ctx *cx = m->b->cx;
    const rg_plan *plan = p->rows.plan;
    for (uint32_t i = 0; i < plan->row_count; i++) {
        rg_reading r = *whole;
        if (!(p->rows.median_s[i] > 0)) continue;
        r.id = plan->rows[i].id;
        r.name = rg_arena_cstr(&cx->arena, rg_str_of(plan->rows[i].name));
        r.kind = rg_arena_cstr(&cx->arena, rg_str_of(plan->rows[i].kind));
        if (!r.name || !r.kind) return rg_nomem(cx);
        r.median_s = p->rows.median_s[i];
        r.p90_s = p->rows.p90_s[i];
        r.p99_s = p->rows.p99_s[i];
        r.samples = (double)p->rows.runs;
        r.energy_j = r.energy_plus_minus_j = r.peak_memory_byte = NAN;
        r.energy_provenance = r.energy_scope = "";
        RG_TRY(rg_readings_add(cx, &m->b->readings, &r));
    }
    return RG_OK;
}

static rg_err add_player(rg_contest *m, const rg_graph *g, const rg_player *p)
{
    rg_reading identity = rg_reading_none();
    RG_TRY(identify(m, g, p, &identity));
    rg_reading whole = reading_of(m, p, &identity);
    RG_TRY(rg_readings_add(m->b->cx, &m->b->readings, &whole));
    return p->rows.plan ? add_rows(m, p, &whole) : RG_OK;
}

rg_err rg_contest_read(rg_contest *m)
{
    const rg_bench_opt *o = &m->b->opt;
    const rg_graph *g = NULL;
    rg_load_opt load = {.size = sizeof load, .shape = o->shape, .value = o->value, .trip = o->trip,
                        .batch = o->batch};
    if (!o->readings) return RG_OK;
    rg_err err = rg_graph_load(m->b->cx, m->model, &load, &g);
    for (size_t i = 0; !err && i < m->count; i++) err = add_player(m, g, &m->players[i]);
    rg_graph_free(g);
    return err;
}
