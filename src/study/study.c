/* study.c - making a study: the lists, the graphs, then every forecast, over the cores.
 *
 * Lists are expanded first, so that every point's place in the result is known before work begins; each piece
 * of work writes its own place only.
 */
#include "study/study.h"

#include "format/zoo.h"
#include "report/report.h"

#include <math.h>
#include <string.h>

/* A growing list in the study's arena. */
typedef struct names { const char **items; size_t count; uint32_t capacity; } names;

typedef struct pair { uint32_t device, runtime; } pair;

typedef struct making {
    rg_ctx *cx;
    rg_study_opt opt;
    rg_study *s;
    pair *pairs; size_t pair_count; uint32_t pair_capacity; /* runtimes that run on each device */
    rg_range *clocks;            /* by device: 0 stands for none */
    const char **load_errors;    /* by graph */
    rg_err *load_errs;
    size_t graph_count, done_before; /* pieces of work that are behind us, for the progress */
} making;

/* ---- the lists ---- */

static rg_err add_name(making *m, names *list, const char *name)
{
    if (!RG_GROW(&m->s->arena, list->items, list->count, list->capacity)) return rg_nomem(m->cx);
    const char *copy = rg_arena_cstr(&m->s->arena, rg_str_of(name));
    if (!copy) return rg_nomem(m->cx);
    list->items[list->count++] = copy;
    return RG_OK;
}

static rg_err list_models(making *m)
{
    names list = {0};
    for (size_t i = 0; i < m->opt.model_count; i++) {
        bool all = strcmp(m->opt.models[i], "zoo:all") == 0;
        for (int k = 0; all && k < rg_zoo_count; k++) {
            char name[128];
            snprintf(name, sizeof name, "zoo:%s", rg_zoo_table[k]->name);
            RG_TRY(add_name(m, &list, name));
        }
        if (!all) RG_TRY(add_name(m, &list, m->opt.models[i]));
    }
    if (!list.count) return rg_fail(m->cx, RG_USAGE, "no model is named");
    m->s->models = list.items;
    m->s->model_count = list.count;
    return RG_OK;
}

static rg_err list_precisions(making *m)
{
    names list = {0};
    rg_str rest = rg_str_of(m->opt.precision ? m->opt.precision : "model"), part;
    while (rg_str_cut(&rest, ',', &part)) {
        const char *name = rg_arena_cstr(&m->s->arena, part);
        if (!name) return rg_nomem(m->cx);
        RG_TRY(add_name(m, &list, name));
    }
    if (!list.count) return rg_fail(m->cx, RG_USAGE, "--precision: is empty");
    m->s->precisions = list.items;
    m->s->precision_count = list.count;
    return RG_OK;
}

/* Those of the changes that are meant for the runtime, without their "runtime."; or the others. */
static rg_err list_changes(making *m, bool of_runtime, names *out)
{
    *out = (names){0};
    for (size_t i = 0; i < m->opt.change_count; i++) {
        const char *change = m->opt.changes[i];
        bool runtime = rg_str_starts(rg_str_of(change), "runtime.");
        if (runtime == of_runtime) RG_TRY(add_name(m, out, change + (runtime ? strlen("runtime.") : 0)));
    }
    return RG_OK;
}

static rg_err add_device(making *m, const char *id, const names *changes, uint32_t *capacity)
{
    rg_study *s = m->s;
    const rg_device *device = NULL, *changed = NULL, **grown = s->devices; /* the old ones stay reachable */
    RG_TRY(rg_device_find(m->cx, id, &device));
    rg_err err = RG_OK;
    if (changes->count) {
        err = rg_device_change(m->cx, device, changes->items, changes->count, &changed);
        rg_device_free(device);
        device = changed;
    }
    if (!err && !RG_GROW(&s->arena, grown, s->device_count, *capacity)) err = rg_nomem(m->cx);
    if (err) {
        rg_device_free(device);
        return err;
    }
    s->devices = grown;
    s->devices[s->device_count++] = device;
    return RG_OK;
}

static rg_err list_devices(making *m)
{
    static const char *const host[] = {"host"};
    const char *const *ids = m->opt.device_count ? m->opt.devices : host;
    size_t count = m->opt.device_count ? m->opt.device_count : 1;
    names changes;
    uint32_t capacity = 0;
    RG_TRY(list_changes(m, false, &changes));
    for (size_t i = 0; i < count; i++) {
        const char *const *known = &ids[i];
        size_t known_count = 1;
        if (strcmp(ids[i], "all") == 0) RG_TRY(rg_device_ids(m->cx, &known, &known_count));
        for (size_t k = 0; k < known_count; k++) RG_TRY(add_device(m, known[k], &changes, &capacity));
    }
    return RG_OK;
}

/* Two files may give one id to different profiles, so that the hash decides; a changed one is known by the
 * hash that it had before. */
static bool is_runtime(const rg_runtime *known, const rg_runtime *runtime)
{
    return (known->base ? known->base->hash : known->hash) == runtime->hash;
}

/* The index of a runtime in the study, which takes it over. */
static rg_err intern_runtime(making *m, const rg_runtime *runtime, const names *changes, uint32_t *capacity,
                             uint32_t *index)
{
    rg_study *s = m->s;
    const rg_runtime **grown = s->runtimes;
    rg_err err = RG_OK;
    for (*index = 0; *index < s->runtime_count; ++*index) {
        if (!is_runtime(s->runtimes[*index], runtime)) continue;
        rg_runtime_free(runtime);
        return RG_OK;
    }
    if (changes->count) {
        const rg_runtime *changed = NULL;
        err = rg_runtime_change(m->cx, runtime, changes->items, changes->count, &changed);
        rg_runtime_free(runtime);
        runtime = changed;
    }
    if (!err && !RG_GROW(&s->arena, grown, s->runtime_count, *capacity)) err = rg_nomem(m->cx);
    if (err) {
        rg_runtime_free(runtime);
        return err;
    }
    s->runtimes = grown;
    s->runtimes[s->runtime_count++] = runtime;
    return RG_OK;
}

static rg_err add_pair(making *m, uint32_t device, uint32_t runtime)
{
    if (!RG_GROW(&m->s->arena, m->pairs, m->pair_count, m->pair_capacity)) return rg_nomem(m->cx);
    m->pairs[m->pair_count++] = (pair){device, runtime};
    return RG_OK;
}

/* The runtimes that were asked for and run on the device. One that does not is passed over when another does:
 * so "pytorch-eager,tensorrt" may be asked for a CPU and a GPU at once. Where none does, the first is taken
 * all the same, and every plan of it says why it cannot be. */
static rg_err pair_device(making *m, uint32_t device, const names *asked, const names *changes,
                          uint32_t *capacity)
{
    const rg_device *d = m->s->devices[device];
    const rg_runtime *runtime = NULL;
    size_t before = m->pair_count;
    uint32_t index;
    for (size_t i = 0; i < asked->count; i++) {
        rg_err err = rg_runtime_find(m->cx, asked->items[i], d, &runtime);
        if (err == RG_UNSUPPORTED) continue;
        if (err) return err;
        RG_TRY(intern_runtime(m, runtime, changes, capacity, &index));
        RG_TRY(add_pair(m, device, index));
    }
    if (m->pair_count > before) return RG_OK;
    if (asked->count) RG_TRY(rg_runtime_find(m->cx, asked->items[0], NULL, &runtime));
    else RG_TRY(rg_runtime_find(m->cx, NULL, d, &runtime));
    RG_TRY(intern_runtime(m, runtime, changes, capacity, &index));
    return add_pair(m, device, index);
}

static rg_err list_runtimes(making *m)
{
    names asked = {0}, changes;
    uint32_t capacity = 0;
    RG_TRY(list_changes(m, true, &changes));
    for (size_t i = 0; i < m->opt.runtime_count; i++) {
        const char *const *known = &m->opt.runtimes[i];
        size_t known_count = 1;
        if (strcmp(m->opt.runtimes[i], "all") == 0) RG_TRY(rg_runtime_ids(m->cx, &known, &known_count));
        for (size_t k = 0; k < known_count; k++) RG_TRY(add_name(m, &asked, known[k]));
    }
    for (uint32_t d = 0; d < m->s->device_count; d++) RG_TRY(pair_device(m, d, &asked, &changes, &capacity));
    return RG_OK;
}

/* Of a device whose legal clocks nobody published: as many steps as a curve needs. */
static rg_err steps_of(making *m, const rg_device *d, rg_range *out)
{
    enum { STEPS = 16 };
    double top = rg_device_clock_max(d), low = d->vf_count ? fmin(d->vf[0].clock_hz, top / 2) : top / 4;
    *out = (rg_range){RG_NEW(&m->s->arena, double, STEPS), STEPS};
    if (!out->values) return rg_nomem(m->cx);
    for (size_t i = 0; i < STEPS; i++) out->values[i] = low + (top - low) * (double)i / (STEPS - 1);
    return RG_OK;
}

static rg_err list_clocks(making *m)
{
    rg_study *s = m->s;
    static double none[] = {0};
    m->clocks = RG_NEW(&s->arena, rg_range, s->device_count);
    if (!m->clocks) return rg_nomem(m->cx);
    bool all = m->opt.core_mhz && strcmp(m->opt.core_mhz, "all") == 0;
    rg_range asked = {none, 1};
    if (m->opt.core_mhz && !all) {
        RG_TRY(rg_range_read(m->cx, &s->arena, "--core-mhz", m->opt.core_mhz, &asked));
        for (size_t i = 0; i < asked.count; i++) asked.values[i] *= 1e6;
    }
    s->clocks = all || asked.count > 1;
    for (size_t i = 0; i < s->device_count; i++) {
        const rg_device *d = s->devices[i];
        m->clocks[i] = asked;
        if (all && d->clock_count) m->clocks[i] = (rg_range){d->clocks_hz, d->clock_count};
        else if (all) RG_TRY(steps_of(m, d, &m->clocks[i]));
    }
    return RG_OK;
}

/* A size that nobody varies is left to the model. */
static rg_err list_sizes(making *m, const char *option, const char *text, rg_range *out)
{
    RG_TRY(rg_range_read(m->cx, &m->s->arena, option, text, out));
    for (size_t i = 0; i < out->count; i++)
        if (out->values[i] != floor(out->values[i]) || out->values[i] > INT32_MAX)
            return rg_fail(m->cx, RG_USAGE, "%s: %g is no whole number up to %d", option, out->values[i],
                           INT32_MAX);
    return RG_OK;
}

/* ---- the points ---- */

static size_t at_least_1(size_t count) { return count ? count : 1; }

static size_t graph_index(const rg_study *s, const rg_point *p)
{
    return (p->model * at_least_1(s->batches.count) + p->batch) * at_least_1(s->seqs.count) + p->seq;
}

const rg_facts *rg_point_facts(const rg_study *s, const rg_point *p)
{
    return s->facts[graph_index(s, p) * s->precision_count + p->precision];
}

static void lay_clocks(const making *m, rg_point point, size_t *count)
{
    for (size_t c = 0; c < m->clocks[point.device].count; c++, ++*count) {
        if (!m->s->points) continue; /* counting */
        point.core_hz = m->clocks[point.device].values[c];
        m->s->points[*count] = point;
    }
}

static size_t lay_points(const making *m)
{
    const rg_study *s = m->s;
    size_t count = 0;
    for (uint32_t model = 0; model < s->model_count; model++)
        for (size_t p = 0; p < m->pair_count; p++)
            for (uint32_t precision = 0; precision < s->precision_count; precision++)
                for (uint32_t batch = 0; batch < at_least_1(s->batches.count); batch++)
                    for (uint32_t seq = 0; seq < at_least_1(s->seqs.count); seq++)
                        lay_clocks(m, (rg_point){.model = model, .device = m->pairs[p].device,
                                                 .runtime = m->pairs[p].runtime, .precision = precision,
                                                 .batch = batch, .seq = seq}, &count);
    return count;
}

static rg_err make_points(making *m)
{
    rg_study *s = m->s;
    double graphs =
        (double)s->model_count * (double)at_least_1(s->batches.count) * (double)at_least_1(s->seqs.count);
    double most = graphs * (double)m->pair_count * (double)s->precision_count * RG_RANGE_MAX;
    size_t count = most < 1e15 ? lay_points(m) : SIZE_MAX;
    if (count > RG_STUDY_MAX)
        return rg_fail(m->cx, RG_LIMIT, "more than %d forecasts: fewer models, devices or settings",
                       RG_STUDY_MAX);
    m->graph_count = (size_t)graphs;
    s->facts = RG_NEW(&s->arena, const rg_facts *, m->graph_count * s->precision_count);
    s->labels = RG_NEW(&s->arena, const char *, s->model_count);
    m->load_errors = RG_NEW(&s->arena, const char *, m->graph_count);
    m->load_errs = RG_NEW(&s->arena, rg_err, m->graph_count);
    s->texts = RG_NEW(&s->arena, rg_arena, m->graph_count + count);
    s->points = RG_NEW(&s->arena, rg_point, count);
    if (s->arena.failed) return rg_nomem(m->cx);
    s->point_count = lay_points(m);
    for (size_t i = 0; i < m->graph_count + count; i++) rg_arena_init(&s->texts[i], m->cx);
    return RG_OK;
}

/* ---- the work ---- */

static bool tell(void *user, size_t done, size_t total)
{
    making *m = user;
    (void)total;
    if (!m->opt.progress) return true;
    return m->opt.progress(m->opt.user, m->done_before + done, m->graph_count + m->s->point_count);
}

/* What no other combination would fare better with. */
static bool is_fatal(rg_err err) { return err == RG_NOMEM || err == RG_INTERNAL; }

static rg_err load_graph(rg_ctx *cx, void *user, size_t index)
{
    making *m = user;
    rg_study *s = m->s;
    size_t seqs = at_least_1(s->seqs.count), batches = at_least_1(s->batches.count);
    const char *model = s->models[index / seqs / batches], *shape = m->opt.shape;
    rg_load_opt opt = {.size = sizeof opt, .value = m->opt.value, .trip = m->opt.trip,
                       .skip = m->opt.skip};
    if (s->batches.count) opt.batch = (int)s->batches.values[index / seqs % batches];
    if (s->seqs.count) {
        shape = rg_arena_printf(&cx->arena, "%s%sseq=%.0f", shape ? shape : "", shape ? "," : "",
                                s->seqs.values[index % seqs]);
        if (!shape) return rg_nomem(cx);
    }
    opt.shape = shape;
    const rg_graph *graph = NULL;
    rg_err err = rg_graph_load(cx, model, &opt, &graph);
    for (size_t p = 0; p < s->precision_count && !err; p++)
        err = rg_facts_at_precision(cx, graph, s->precisions[p], &s->facts[index * s->precision_count + p]);
    rg_graph_free(graph);
    m->load_errs[index] = err;
    if (!err || is_fatal(err)) return err;
    bool named = rg_str_starts(rg_str_of(rg_ctx_error(cx)), model);
    m->load_errors[index] =
        rg_arena_printf(&s->texts[index], named ? "%.0s%s" : "%s: %s", model, rg_ctx_error(cx));
    return m->load_errors[index] ? RG_OK : rg_nomem(cx);
}

static rg_err fill_point(rg_ctx *cx, const rg_forecast *f, rg_arena *texts, rg_point *p)
{
    const rg_plan *plan = f->plan;
    const rg_region *region = &plan->graph->regions[RG_MAIN];
    const rg_type *type = region->input_count ? &plan->graph->values[region->inputs[0]].type : NULL;
    p->latency_s = f->latency_s, p->energy_j = f->energy_j, p->power_w = f->power_w;
    p->peak_memory_byte = f->peak_memory_byte;
    rg_summary summary = {.size = sizeof summary};
    rg_forecast_summary(f, &summary);
    p->cost_usd = summary.cost_usd, p->carbon_g = summary.carbon_g;
    p->inputs = type && type->rank > 0 ? rg_dim_value(&plan->graph->dims, type->dim[0]) : 1;
    p->throughput_per_s = f->latency_s.value > 0 ? (double)p->inputs / f->latency_s.value : 0;
    p->clock_hz = f->clock_hz;
    p->rows = plan->row_count;
    p->bound = f->bound;
    p->fits = plan->peak_byte <= rg_device_memory(plan->device)->usable_byte;
    p->checks = f->check_count;
    for (uint32_t i = 0; i < f->check_count; i++) {
        if (f->checks[i].pass || p->checks_failed++) continue;
        p->failed = rg_arena_printf(texts, "%s: %s", f->checks[i].name, f->checks[i].text);
        if (!p->failed) return rg_nomem(cx);
    }
    return RG_OK;
}

static rg_err forecast_point(rg_ctx *cx, const making *m, rg_point *p, const rg_forecast **out)
{
    const rg_study *s = m->s;
    const rg_plan *plan = NULL;
    rg_plan_opt plan_opt = {.size = sizeof plan_opt, .precision = s->precisions[p->precision],
                            .threads = s->cpu_threads};
    rg_forecast_opt forecast_opt = {.size = sizeof forecast_opt, .core_hz = p->core_hz,
                                    .rates = m->opt.rates, .learning = m->opt.learning};
    rg_err err = rg_plan_from(cx, rg_point_facts(s, p), s->devices[p->device], s->runtimes[p->runtime],
                              &plan_opt, &plan);
    if (!err) err = rg_forecast_make(cx, plan, &forecast_opt, out);
    rg_plan_free(plan);
    return err;
}

static rg_err make_point(rg_ctx *cx, void *user, size_t index)
{
    making *m = user;
    rg_study *s = m->s;
    rg_point *p = &s->points[index];
    rg_arena *texts = &s->texts[m->graph_count + index];
    size_t graph = graph_index(s, p);
    const rg_forecast *f = NULL;
    p->err = m->load_errs[graph];
    p->error = m->load_errors[graph];
    if (p->err) return RG_OK;
    p->err = forecast_point(cx, m, p, &f);
    if (is_fatal(p->err)) return p->err;
    if (p->err) {
        p->error = rg_arena_cstr(texts, rg_str_of(rg_ctx_error(cx)));
        return p->error ? RG_OK : rg_nomem(cx);
    }
    rg_err err = fill_point(cx, f, texts, p);
    if (m->opt.keep) p->forecast = f;
    else rg_forecast_free(f);
    return err;
}

static rg_err label_models(making *m)
{
    rg_study *s = m->s;
    size_t per_model = m->graph_count / s->model_count;
    for (size_t i = 0; i < s->model_count; i++) {
        const rg_facts *facts = s->facts[i * per_model * s->precision_count];
        s->labels[i] = facts ? rg_model_label(&s->arena, facts->graph) : s->models[i];
        if (!s->labels[i]) return rg_nomem(m->cx);
    }
    return RG_OK;
}

/* Nothing at all came out: the first reason is the error. */
static rg_err check_any(const making *m)
{
    const rg_study *s = m->s;
    for (size_t i = 0; i < s->point_count; i++)
        if (!s->points[i].err) return RG_OK;
    const rg_point *p = &s->points[0];
    return rg_fail(m->cx, p->err, "%s", p->error);
}

static rg_err make(making *m)
{
    RG_TRY(list_models(m));
    RG_TRY(list_precisions(m));
    RG_TRY(list_devices(m));
    RG_TRY(list_runtimes(m));
    RG_TRY(list_clocks(m));
    RG_TRY(list_sizes(m, "--batch", m->opt.batch, &m->s->batches));
    RG_TRY(list_sizes(m, "--seq", m->opt.seq, &m->s->seqs));
    RG_TRY(make_points(m));
    rg_workers work = {.count = m->graph_count, .threads = m->opt.workers, .run = load_graph, .user = m,
                        .progress = tell, .progress_user = m};
    RG_TRY(rg_workers_run(m->cx, &work));
    RG_TRY(label_models(m));
    m->done_before = m->graph_count;
    work.count = m->s->point_count;
    work.run = make_point;
    RG_TRY(rg_workers_run(m->cx, &work));
    return check_any(m);
}

rg_err rg_study_make(rg_ctx *cx, const rg_study_opt *opt, rg_study **out)
{
    making m = {.cx = cx};
    *out = NULL;
    if (opt) memcpy(&m.opt, opt, opt->size < sizeof m.opt ? opt->size : sizeof m.opt);
    m.s = RG_NEW_OWN(cx, rg_study);
    if (!m.s) return rg_nomem(cx);
    m.s->cpu_threads = m.opt.cpu_threads;
    m.s->learning = m.opt.learning;
    m.s->costs = m.opt.rates != NULL;
    rg_err err = make(&m);
    if (err) rg_study_free(m.s);
    else *out = m.s;
    return err;
}

void rg_study_free(rg_study *s)
{
    if (!s) return;
    size_t graphs = s->model_count * at_least_1(s->batches.count) * at_least_1(s->seqs.count);
    for (size_t i = 0; i < s->point_count; i++) rg_forecast_free(s->points[i].forecast);
    for (size_t i = 0; s->facts && i < graphs * s->precision_count; i++) rg_facts_free(s->facts[i]);
    for (size_t i = 0; s->points && i < graphs + s->point_count; i++) rg_arena_done(&s->texts[i]);
    for (size_t i = 0; i < s->runtime_count; i++) rg_runtime_free(s->runtimes[i]);
    for (size_t i = 0; i < s->device_count; i++) rg_device_free(s->devices[i]);
    rg_arena arena = s->arena; /* the study itself lies in it */
    rg_arena_done(&arena);
}

size_t rg_study_checks_failed(const rg_study *study)
{
    size_t failed = 0;
    for (size_t i = 0; i < study->point_count; i++) failed += study->points[i].checks_failed;
    return failed;
}

void rg_study_title(const rg_study *s, char *text, size_t size)
{
    char models[32], devices[32];
    snprintf(models, sizeof models, "%zu models", s->model_count);
    snprintf(devices, sizeof devices, "%zu devices", s->device_count);
    snprintf(text, size, "%s on %s", s->model_count == 1 ? s->labels[0] : models,
             s->device_count == 1 ? s->devices[0]->id : devices);
}

const char *rg_point_print(const rg_study *s, const rg_point *p, bool runtime, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s on %s", s->labels[p->model], s->devices[p->device]->id);
    const char *precision = s->precisions[p->precision];
    char clock[32];
    if (runtime && used < size)
        used += (size_t)snprintf(text + used, size - used, " with %s", s->runtimes[p->runtime]->id);
    if (strcmp(precision, "model") != 0 && used < size)
        used += (size_t)snprintf(text + used, size - used, " in %s", precision);
    if (s->batches.count && used < size)
        used += (size_t)snprintf(text + used, size - used, ", batch %lld",
                                 (long long)s->batches.values[p->batch]);
    if (s->seqs.count && used < size)
        used += (size_t)snprintf(text + used, size - used, ", sequence %lld",
                                 (long long)s->seqs.values[p->seq]);
    if (s->clocks && used < size)
        snprintf(text + used, size - used, ", at %s", rg_unit_print(clock, sizeof clock, p->core_hz,
                                                                    RG_UNIT_HERTZ));
    return text;
}
