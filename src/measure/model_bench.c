/* model_bench.c - "ridge.bench/1": how long models take on this machine, by several backends.
 *
 *     model -> one .onnx file with all sizes and weights, one set of inputs -> for each backend and number of
 *     threads: a trial in a process of its own (memory, allocations, faults) -> all of them in turns (times)
 *     -> each once more for as long as a meter needs (energy)
 *
 * So every backend does the same work in the same weather.
 */
#include "measure/bench.h"

#include "pass/pass.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { TURNS = 10, SAMPLES = 20 };
#define TURN_S      0.1   /* ten ticks of /proc/stat for each processor */
#define FOREIGN_MAX 0.1
#define PEER        "onnxruntime" /* whom others are compared with, where it is there */

#define TIDY "canonicalize,cse,dce,fold"
#define FUSE TIDY ",recognize-activation,recognize-norm"
static const struct { const char *name, *file, *passes; } forms[RG_FORM_COUNT] = {
    [RG_FORM_BUILT] = {"built", "model.onnx", NULL},
    [RG_FORM_FUSED] = {"fused", "fused.onnx", FUSE},
    [RG_FORM_ATTENTION] = {"attention", "attention.onnx", FUSE ",recognize-attention"},
};
const char *rg_form_name(rg_form_kind kind) { return forms[kind].name; }

/* ---- what is asked for ---- */

static rg_err find_backend(rg_bench *b, rg_str name)
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

/* Of those that take part. */
static rg_err find_reference(rg_bench *b)
{
    const char *name = b->opt.reference;
    b->reference = b->backends[0];
    for (size_t i = 0; i < b->backend_count; i++) {
        if (strcmp(b->backends[i]->name, name ? name : PEER) != 0) continue;
        b->reference = b->backends[i];
        return RG_OK;
    }
    return name ? rg_fail(b->cx, RG_USAGE, "the reference '%s' is none of the backends", name) : RG_OK;
}

static rg_err check_forecast(const rg_bench *b)
{
    bool any = !b->opt.against_forecast;
    for (size_t i = 0; i < b->backend_count; i++) any |= b->backends[i]->plan != NULL;
    if (any) return RG_OK;
    return rg_fail(b->cx, RG_USAGE,
                   "against a forecast there is native: no backend that is named runs a plan");
}

static rg_err read_threads(rg_bench *b)
{
    rg_str rest = rg_str_of(b->opt.threads ? b->opt.threads : "1"), word;
    for (int64_t n; rg_str_cut(&rest, ',', &word); b->threads[b->thread_count++] = (int)n) {
        if (!rg_str_int(word, &n) || n < 1 || n > CPU_SETSIZE)
            return rg_fail(b->cx, RG_USAGE, "threads '%.*s' is no number from 1 to %d", RG_STR(word),
                           CPU_SETSIZE);
        if (b->thread_count == RG_BENCH_THREADS)
            return rg_fail(b->cx, RG_LIMIT, "more than %d numbers of threads", RG_BENCH_THREADS);
    }
    return RG_OK;
}

static rg_err read_options(rg_bench *b)
{
    rg_bench_opt *o = &b->opt;
    rg_str rest = rg_str_of(o->backends ? o->backends : "native,onnxruntime"), word;
    b->backends = RG_NEW(&b->cx->arena, const rg_backend *, rg_backend_count + 1);
    if (!b->backends) return rg_nomem(b->cx);
    while (rg_str_cut(&rest, ',', &word)) RG_TRY(find_backend(b, word));
    if (!b->backend_count) return rg_fail(b->cx, RG_USAGE, "no backend is named");
    RG_TRY(find_reference(b));
    RG_TRY(check_forecast(b));
    RG_TRY(read_threads(b));
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

static rg_err export_built(rg_contest *m, const char *path)
{
    const rg_bench *b = m->b;
    const rg_graph *g = NULL;
    rg_load_opt load = {.size = sizeof load, .shape = b->opt.shape, .value = b->opt.value,
                        .trip = b->opt.trip, .batch = b->opt.batch, .raw = true};
    rg_export_opt fill = {.size = sizeof fill, .weights = "random", .seed = b->opt.seed};
    RG_TRY(rg_graph_load(b->cx, m->model, &load, &g));
    rg_err err = rg_graph_export(b->cx, g, path, &fill);
    rg_graph_free(g);
    return err;
}

/* As it stands in the file now, with room for its inputs. */
static rg_err read_form(rg_contest *m, rg_form *form)
{
    rg_ctx *cx = m->b->cx;
    rg_load_opt load = {.size = sizeof load, .raw = true};
    RG_TRY(rg_graph_load(cx, form->path, &load, &form->g));
    form->in = RG_NEW(&cx->arena, const rg_datum *, form->g->regions[RG_MAIN].input_count + 1);
    return form->in ? RG_OK : rg_nomem(cx);
}

static rg_err make_built(rg_contest *m, const char *path)
{
    rg_ctx *cx = m->b->cx;
    rg_form *form = &m->forms[RG_FORM_BUILT];
    RG_TRY(export_built(m, path));
    form->path = path;
    RG_TRY(read_form(m, form));
    uint32_t count = form->g->regions[RG_MAIN].input_count;
    m->feeds = RG_NEW(&cx->arena, rg_feed, count + 1);
    if (!m->feeds) return rg_nomem(cx);
    RG_TRY(rg_feeds_make_up(cx, form->g, form->g, m->b->opt.seed, m->feeds));
    for (uint32_t i = 0; i < count; i++) form->in[i] = m->feeds[i].datum;
    return RG_OK;
}

/* Inputs keep their names through the passes. */
static rg_err read_fused(rg_contest *m, rg_form *form)
{
    const rg_graph *built = m->forms[RG_FORM_BUILT].g;
    RG_TRY(read_form(m, form));
    const rg_region *model = &form->g->regions[RG_MAIN];
    for (uint32_t i = 0; i < model->input_count; i++) {
        uint32_t at = rg_feeds_find(built, form->g->values[model->inputs[i]].name);
        if (at < built->regions[RG_MAIN].input_count) form->in[i] = m->feeds[at].datum;
    }
    return RG_OK;
}

/* The same weights behind some passes; *hash is of the form before it, then of this one. */
static rg_err make_fused(rg_contest *m, rg_form_kind kind, const char *path, uint64_t *hash)
{
    rg_ctx *cx = m->b->cx;
    rg_graph *g;
    RG_TRY(rg_passes_run(cx, m->forms[RG_FORM_BUILT].g, forms[kind].passes, &g));
    uint64_t before = *hash;
    *hash = rg_graph_hash(g);
    rg_err err = *hash != before ? rg_graph_export(cx, g, path, NULL) : RG_OK;
    rg_graph_free(g);
    if (err || *hash == before) return err;
    m->forms[kind].path = path;
    return read_fused(m, &m->forms[kind]);
}

/* Of a model that one cannot be made of there are the others. */
static rg_err make_forms(rg_contest *m, const char *const *paths)
{
    rg_ctx *cx = m->b->cx;
    bool wanted = false;
    RG_TRY(make_built(m, paths[RG_FORM_BUILT]));
    uint64_t hash = rg_graph_hash(m->forms[RG_FORM_BUILT].g);
    for (size_t i = 0; i < m->b->backend_count; i++) wanted |= m->b->backends[i]->fuses;
    for (int i = 1; i < RG_FORM_COUNT && wanted; i++) {
        rg_form *form = &m->forms[i];
        rg_err err = make_fused(m, (rg_form_kind)i, paths[i], &hash);
        if (err == RG_NOMEM) return err;
        if (!err) continue;
        form->path = NULL;
        form->missing = rg_arena_printf(&cx->arena, "%s", rg_ctx_error(cx));
        if (!form->missing) return rg_nomem(cx);
    }
    return RG_OK;
}

static rg_err compete(rg_contest *m, const char *const *paths)
{
    RG_TRY(make_forms(m, paths)); /* loading names the model itself */
    rg_err err = rg_contest_choose(m);
    if (!err) err = rg_contest_play(m);
    if (!err) err = rg_contest_figures(m);
    if (!err) err = rg_contest_put(m);
    if (!err) err = rg_contest_read(m);
    return err ? rg_note(m->b->cx, err, "%s", m->model) : RG_OK;
}

/* Weights of large models lie in a file beside. */
static void remove_form(rg_contest *m, rg_form_kind kind, const char *path)
{
    const char *weights = rg_arena_printf(&m->b->cx->arena, "%s.data", path);
    rg_graph_free(m->forms[kind].g);
    if (weights) unlink(weights);
    unlink(path);
}

static rg_err bench_model(rg_bench *b, const char *model)
{
    rg_contest m = {.b = b, .model = model};
    const char *place = getenv("TMPDIR"), *paths[RG_FORM_COUNT];
    char dir[RG_PATH_LIMIT];
    int used = snprintf(dir, sizeof dir, "%s/ridge-bench-XXXXXX", place && *place ? place : "/tmp");
    if (used < 0 || (size_t)used >= sizeof dir || !mkdtemp(dir))
        return rg_fail(b->cx, RG_FAILED, "a folder for the model in %s: %s", place ? place : "/tmp",
                       strerror(errno));
    rg_err err = RG_OK;
    for (int i = 0; i < RG_FORM_COUNT && !err; i++) {
        paths[i] = rg_arena_printf(&b->cx->arena, "%s/%s", dir, forms[i].file);
        if (!paths[i]) err = rg_nomem(b->cx);
    }
    bool named = !err;
    if (!err) err = compete(&m, paths);
    rg_contest_close(&m);
    if (m.feeds) rg_feeds_done(m.forms[RG_FORM_BUILT].g, m.feeds);
    for (int i = 0; i < RG_FORM_COUNT && named; i++) remove_form(&m, (rg_form_kind)i, paths[i]);
    rmdir(dir);
    return err;
}

/* ---- the document ---- */

static rg_err open_meters(rg_bench *b)
{
    rg_meter_opt opt = {.subjects = RG_SUBJECT(PROCESSOR) | RG_SUBJECT(BOARD) | RG_SUBJECT(MODEL),
                        .power_w = &b->power_w};
    return b->opt.no_energy ? RG_OK : rg_meters_open(b->cx, &opt, &b->meters);
}

static rg_err fill(rg_bench *b, const char *const *models, size_t count)
{
    rg_item *root = rg_doc_root(b->doc);
    rg_doc_int(b->doc, root, "seed", (int64_t)b->opt.seed);
    rg_doc_real(b->doc, root, "turn_s", b->opt.turn_s);
    rg_doc_real(b->doc, root, "foreign_max", b->opt.foreign_max);
    rg_doc_str(b->doc, root, "reference", b->reference->name);
    rg_bench_host(b, root);
    b->results = rg_doc_array(b->doc, root, "results");
    b->summary = rg_doc_array(b->doc, root, "summary");
    b->unavailable = rg_doc_array(b->doc, root, "unavailable");
    RG_TRY(open_meters(b));
    if (b->meters) rg_meters_put(b->doc, rg_doc_array(b->doc, root, "meters"), b->meters);
    for (size_t i = 0; i < count; i++) RG_TRY(bench_model(b, models[i]));
    if (b->results && !b->results->count && b->unavailable && b->unavailable->first)
        return rg_fail(b->cx, RG_UNSUPPORTED, "%s: %s",
                       rg_item_find(b->unavailable->first, "backend")->string,
                       rg_item_find(b->unavailable->first, "text")->string);
    if (b->opt.readings) RG_TRY(rg_readings_write(b->cx, b->opt.readings, &b->readings, true));
    rg_bench_summarize(b);
    rg_bench_lay_out(b);
    return rg_doc_done(b->cx, b->doc);
}

rg_err rg_bench_doc(rg_ctx *cx, const char *const *models, size_t count, const rg_bench_opt *opt,
                    rg_doc **out)
{
    rg_bench b = {.cx = cx};
    *out = NULL;
    if (opt) memcpy(&b.opt, opt, opt->size < sizeof b.opt ? opt->size : sizeof b.opt);
    RG_TRY(read_options(&b));
    RG_TRY(rg_host_allowed(cx, &b.before));
    RG_TRY(rg_bench_readings_begin(&b));
    RG_TRY(rg_device_find(cx, "host", &b.host));
    rg_err err = rg_doc_new(cx, "ridge.bench/1", &b.doc);
    if (!err) err = fill(&b, models, count);
    rg_meters_close(b.meters);
    rg_device_free(b.host);
    if (!err) *out = b.doc;
    else rg_doc_free(b.doc);
    return err;
}
