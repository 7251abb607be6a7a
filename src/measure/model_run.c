/* model_run.c - "ridge.run/1": a model on inputs, and what came out.
 *
 *     the file's graph -> inputs read against it -> sizes follow from them -> runner -> outputs described,
 * saved
 *
 * The naive runner takes the graph as the file has it; the planned one takes what a forecast takes: the graph
 * behind the passes, as a plan for this machine. How long it takes is not said: that is a measurement, with
 * repetitions and a clock that is watched.
 */
#include "exec/exec.h"
#include "hw/hw.h"
#include "measure/feed.h"
#include "measure/result.h"
#include "report/doc.h"

#include <string.h>

typedef struct running {
    rg_ctx *cx;
    const char *model;
    rg_run_opt opt;
    const rg_graph *file;     /* as it was read: sizes that it leaves open are open */
    const rg_graph *sized;    /* bound by what the options say, and to be made up; NULL: nothing is */
    rg_feed *feeds;           /* by the file's inputs */
    const rg_datum **out;
    const char *backend, *fallback;
    rg_str *labels; size_t label_count;
} running;

/* ---- loading and feeding ---- */

static const rg_region *main_of(const running *r) { return &r->file->regions[RG_MAIN]; }

/* With the sizes of what is fed so far. */
static rg_err load_bound(const running *r, bool raw, const rg_graph **out)
{
    rg_load_opt opt = {
        .size = sizeof opt, .value = r->opt.value, .trip = r->opt.trip, .batch = r->opt.batch, .raw = raw,
    };
    RG_TRY(rg_feeds_shape(r->cx, r->file, r->feeds, r->opt.shape, &opt.shape));
    return rg_graph_load(r->cx, r->model, &opt, out);
}

/* Built-in models come without weights. */
static rg_err check_weights(const running *r)
{
    for (rg_value_id v = 1; v < r->file->value_count; v++) {
        const rg_tensor *data = r->file->values[v].data;
        if (data && data->encoding == RG_DATA_NONE)
            return rg_fail(r->cx, RG_INPUT,
                           "%s has no weights: 'ridge export %s --weights random -o FILE' makes some "
                           "up",
                           r->model, r->model);
    }
    return RG_OK;
}

static rg_err load(running *r)
{
    rg_load_opt opt = {.size = sizeof opt, .raw = true, .symbolic = true};
    RG_TRY(rg_graph_load(r->cx, r->model, &opt, &r->file));
    r->feeds = RG_NEW(&r->cx->arena, rg_feed, main_of(r)->input_count + 1);
    r->out = RG_NEW(&r->cx->arena, const rg_datum *, main_of(r)->output_count + 1);
    return r->feeds && r->out ? check_weights(r) : rg_nomem(r->cx);
}

static rg_err fail_missing(const running *r, const rg_graph *g, rg_value_id id)
{
    const rg_value *v = &g->values[id];
    rg_text type;
    rg_text_init(&type, &r->cx->arena);
    rg_type_print(g, &v->type, &type);
    if (type.failed) return rg_nomem(r->cx);
    return rg_fail(r->cx, RG_INPUT, "input '%.*s', %.*s, has no file; --random makes it up", RG_STR(v->name),
                   RG_STR(((rg_str){type.data, type.size})));
}

/* Sizes that neither files nor options state are the customary ones. An option may turn inputs into
 * constants. */
static rg_err feed(running *r)
{
    bool bound = r->opt.shape || r->opt.value || r->opt.trip || r->opt.batch;
    RG_TRY(rg_feeds_read(r->cx, r->file, &r->opt, r->feeds));
    rg_value_id missing = rg_feeds_missing(r->file, r->file, r->feeds);
    if (!missing && !bound) return RG_OK;
    if (!bound && !r->opt.random) return fail_missing(r, r->file, missing);
    RG_TRY(load_bound(r, true, &r->sized));
    missing = rg_feeds_missing(r->file, r->sized, r->feeds);
    if (missing && !r->opt.random) return fail_missing(r, r->sized, missing);
    return rg_feeds_make_up(r->cx, r->file, r->sized, r->opt.seed, r->feeds);
}

/* ---- node by node ---- */

static rg_err run_naive(running *r)
{
    rg_naive *naive;
    rg_naive_opt opt = {.seed = r->opt.seed};
    const rg_graph *g = r->sized ? r->sized : r->file;
    const rg_region *model = &g->regions[RG_MAIN];
    const rg_datum **in = RG_NEW(&r->cx->arena, const rg_datum *, model->input_count + 1);
    if (!in) return rg_nomem(r->cx);
    for (uint32_t i = 0; i < model->input_count; i++)
        in[i] = r->feeds[rg_feeds_find(r->file, g->values[model->inputs[i]].name)].datum;
    RG_TRY(rg_naive_new(r->cx, g, &opt, &naive));
    rg_err err = rg_naive_run(r->cx, naive, in, r->out);
    rg_naive_free(naive);
    return err;
}

/* ---- as planned ---- */

static rg_err plan(rg_ctx *cx, const rg_graph *g, int threads, const rg_plan **out)
{
    rg_plan_opt opt = {.size = sizeof opt, .threads = threads ? threads : 1};
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    rg_err err = rg_device_find(cx, "host", &device);
    if (!err) err = rg_runtime_find(cx, "native", device, &runtime);
    if (!err) err = rg_plan_make(cx, g, device, runtime, &opt, out);
    rg_runtime_free(runtime);
    rg_device_free(device);
    return err;
}

static bool same_form(const rg_array *a, const rg_array *b)
{
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (int k = 0; same && k < a->rank; k++) same = a->dim[k] == b->dim[k];
    return same;
}

static rg_err write_input(const running *r, rg_planned *planned, uint32_t i, const rg_value *v)
{
    rg_array *to = rg_planned_input(planned, i);
    const rg_datum *datum = r->feeds[rg_feeds_find(r->file, v->name)].datum;
    rg_datum *preset = NULL;
    if (!datum && v->data) RG_TRY(rg_datum_of(r->cx, v->data, &preset));
    if (preset) datum = preset;
    rg_err err = RG_OK;
    if (!datum || !same_form(to, &datum->array))
        err = rg_fail(r->cx, RG_INTERNAL, "input '%.*s' has another form in the plan", RG_STR(v->name));
    else rg_copy_run(to, 0, &datum->array, 0, to->count);
    rg_datum_free(preset);
    return err;
}

static rg_err copy_output(const running *r, const rg_planned *planned, uint32_t i)
{
    const rg_array *from = rg_planned_output(planned, i);
    rg_datum *datum;
    RG_TRY(rg_datum_like(r->cx, from, &datum));
    rg_copy_run(&datum->array, 0, from, 0, from->count);
    r->out[i] = datum;
    return RG_OK;
}

static rg_err run_ready(const running *r, const rg_graph *g, rg_planned *planned)
{
    const rg_region *model = &g->regions[RG_MAIN];
    for (uint32_t i = 0; i < model->input_count; i++)
        RG_TRY(write_input(r, planned, i, &g->values[model->inputs[i]]));
    RG_TRY(rg_planned_run(r->cx, planned));
    for (uint32_t i = 0; i < model->output_count; i++) RG_TRY(copy_output(r, planned, i));
    return RG_OK;
}

/* *ready: it was possible to begin; what fails then is the run. */
static rg_err run_planned(running *r, bool *ready)
{
    const rg_graph *g = NULL;
    const rg_plan *p = NULL;
    rg_planned *planned = NULL;
    rg_planned_opt opt = {.threads = r->opt.threads, .seed = r->opt.seed};
    rg_err err = load_bound(r, false, &g);
    if (!err) err = plan(r->cx, g, r->opt.threads, &p);
    if (!err) err = rg_planned_new(r->cx, p, &opt, &planned);
    *ready = !err;
    if (!err) err = run_ready(r, g, planned);
    rg_planned_free(planned);
    rg_plan_free(p);
    rg_graph_free(g);
    return err;
}

static rg_err run(running *r)
{
    bool naive = r->opt.backend && strcmp(r->opt.backend, "naive") == 0, ready = false;
    if (!naive && r->opt.backend && strcmp(r->opt.backend, "native") != 0)
        return rg_fail(r->cx, RG_USAGE, "backend '%s' is none of native, naive", r->opt.backend);
    r->backend = naive ? "naive" : "native";
    if (naive) return run_naive(r);
    rg_err err = run_planned(r, &ready);
    if (err != RG_UNSUPPORTED || ready) return err;
    r->fallback = rg_arena_printf(&r->cx->arena, "%s", rg_ctx_error(r->cx));
    if (!r->fallback) return rg_nomem(r->cx);
    r->backend = "naive";
    return run_naive(r);
}

/* ---- labels ---- */

/* A line each; blanks at its end are not meant. The file stays mapped as long as the document is made. */
static rg_err read_labels(running *r, rg_file *file)
{
    rg_str rest = rg_file_bytes(file), line;
    size_t count = 0;
    for (size_t i = 0; i < rest.size; i++) count += rest.data[i] == '\n';
    r->labels = RG_NEW(&r->cx->arena, rg_str, count + 1);
    if (!r->labels) return rg_nomem(r->cx);
    while (rg_str_cut(&rest, '\n', &line)) {
        while (line.size && (line.data[line.size - 1] == '\r' || line.data[line.size - 1] == ' '))
            line.size--;
        r->labels[r->label_count++] = line;
    }
    return RG_OK;
}

/* ---- the document ---- */

static const char *source_of(const rg_value *v, const rg_feed *f)
{
    if (f->datum) return f->file ? f->file : "random";
    return v->data ? "the model's default" : "an option";
}

static void add_inputs(const running *r, rg_doc *doc, rg_item *root)
{
    static const rg_column columns[] = {
        {"name", "input", RG_UNIT_NONE, false}, {"form", "type", RG_UNIT_NONE, false},
        {"source", "from", RG_UNIT_NONE, false}, {"min", "min", RG_UNIT_NONE, false},
        {"max", "max", RG_UNIT_NONE, false}, {"mean", "mean", RG_UNIT_NONE, false},
    };
    rg_item *inputs = rg_doc_array(doc, root, "inputs");
    if (!main_of(r)->input_count) return;
    rg_doc_section(doc, 2, "Inputs");
    rg_doc_table(doc, "inputs", inputs, columns, RG_COUNT(columns), 0);
    for (uint32_t i = 0; i < main_of(r)->input_count; i++) {
        const rg_feed *f = &r->feeds[i];
        const rg_value *v = &r->file->values[main_of(r)->inputs[i]];
        rg_item *item = rg_doc_object(doc, inputs, NULL);
        rg_doc_view(doc, item, "name", v->name);
        rg_doc_str(doc, item, "source", source_of(v, f));
        rg_doc_str(doc, item, "text", f->text);
        if (f->datum) rg_result_describe(doc, item, f->datum);
        if (f->text) rg_doc_point(doc, "%.*s: %s", RG_STR(v->name), f->text);
    }
}

/* Scores of one row need no column for it, and without labels there is none for them. */
static void lay_out_top(const running *r, rg_doc *doc, const rg_item *top, const char *name)
{
    static const rg_column columns[] = {
        {"row", "row", RG_UNIT_NONE, false}, {"label", "label", RG_UNIT_NONE, false},
        {"index", "index", RG_UNIT_NONE, false}, {"value", "value", RG_UNIT_NONE, true},
    };
    rg_column shown[RG_COUNT(columns)];
    size_t count = 0;
    bool rows = rg_item_find(top, "[0].row") && top->count > (uint32_t)r->opt.top;
    for (size_t i = 0; i < RG_COUNT(columns); i++)
        if ((i != 0 || rows) && (i != 1 || r->labels)) shown[count++] = columns[i];
    rg_doc_table(doc, name, top, shown, count, 0);
}

/* More than these have their figures in the tree only. */
static const char *const top_names[] = {"top", "top_2", "top_3", "top_4"};

static void lay_out_output(const running *r, rg_doc *doc, const rg_item *item, size_t *tops)
{
    static const rg_column whole[] = {{"values", "values", RG_UNIT_NONE, false}};
    const rg_item *top = rg_item_find(item, "top"), *values = rg_item_find(item, "values");
    const rg_item *name = rg_item_find(item, "name");
    if (*tops == RG_COUNT(top_names)) top = NULL;
    if (!name || (!top && !values)) return;
    rg_doc_section(doc, 3, "%s", name->string);
    if (values) rg_doc_fields(doc, item, whole, RG_COUNT(whole));
    if (top) lay_out_top(r, doc, top, top_names[(*tops)++]);
}

static rg_err add_outputs(const running *r, rg_doc *doc, rg_item *root)
{
    static const rg_column columns[] = {
        {"name", "output", RG_UNIT_NONE, false}, {"form", "type", RG_UNIT_NONE, false},
        {"min", "min", RG_UNIT_NONE, false}, {"max", "max", RG_UNIT_NONE, false},
        {"mean", "mean", RG_UNIT_NONE, false}, {"nan_count", "NaN", RG_UNIT_NONE, false},
    };
    rg_item *outputs = rg_doc_array(doc, root, "outputs");
    bool labelled = false;
    for (uint32_t i = 0; i < main_of(r)->output_count; i++) {
        rg_item *item = rg_doc_object(doc, outputs, NULL);
        rg_str name = r->file->values[main_of(r)->outputs[i]].name;
        rg_doc_view(doc, item, "name", name);
        rg_result_describe(doc, item, r->out[i]);
        if (r->opt.top > 0)
            rg_result_rank(r->cx, doc, item, r->out[i], r->opt.top, r->labels, r->label_count, &labelled);
        if (r->opt.out_dir) RG_TRY(rg_result_save(r->cx, doc, item, r->opt.out_dir, name, i, r->out[i]));
    }
    rg_doc_section(doc, 2, "Outputs");
    rg_doc_table(doc, "outputs", outputs, columns, RG_COUNT(columns), 0);
    if (r->opt.out_dir) rg_doc_say(doc, "Saved in %s.", r->opt.out_dir);
    size_t tops = 0;
    for (const rg_item *item = outputs ? outputs->first : NULL; item; item = item->next)
        lay_out_output(r, doc, item, &tops);
    if (r->labels && !labelled)
        return rg_fail(r->cx, RG_SHAPE, "%s has %zu labels; no output has scores of so many classes",
                       r->opt.labels, r->label_count);
    return RG_OK;
}

static rg_err fill(const running *r, rg_doc *doc)
{
    static const rg_column columns[] = {
        {"backend", "backend", RG_UNIT_NONE, false}, {"fallback", "instead of native", RG_UNIT_NONE, false},
        {"assumed", "assumed", RG_UNIT_NONE, false}, {"seed", "seed", RG_UNIT_NONE, false},
    };
    rg_item *root = rg_doc_root(doc);
    rg_doc_str(doc, root, "model", r->model);
    rg_doc_str(doc, root, "backend", r->backend);
    if (r->fallback) rg_doc_str(doc, root, "fallback", r->fallback);
    if (r->sized && r->sized->notes) rg_doc_str(doc, root, "assumed", r->sized->notes);
    rg_doc_int(doc, root, "seed", (int64_t)r->opt.seed);
    rg_doc_section(doc, 1, "%s", rg_path_base(r->model));
    rg_doc_fields(doc, root, columns, RG_COUNT(columns));
    add_inputs(r, doc, root);
    RG_TRY(add_outputs(r, doc, root));
    return rg_doc_done(r->cx, doc);
}

/* ---- the whole ---- */

static rg_err make_doc(running *r, rg_doc **out)
{
    rg_file *file = NULL;
    rg_err err = r->opt.labels ? rg_file_map(r->cx, r->opt.labels, &file) : RG_OK;
    if (!err && file) err = read_labels(r, file);
    if (!err) err = rg_doc_new(r->cx, "ridge.run/1", out);
    if (!err) err = fill(r, *out);
    rg_file_unref(file);
    return err;
}

rg_err rg_run_doc(rg_ctx *cx, const char *model, const rg_run_opt *opt, rg_doc **out)
{
    running r = {.cx = cx, .model = model};
    *out = NULL;
    if (opt) memcpy(&r.opt, opt, opt->size < sizeof r.opt ? opt->size : sizeof r.opt);
    rg_err err = load(&r);
    if (!err) err = feed(&r);
    if (!err) err = run(&r);
    if (!err) err = make_doc(&r, out);
    for (uint32_t i = 0; r.out && i < main_of(&r)->output_count; i++) rg_datum_free(r.out[i]);
    if (r.file) rg_feeds_done(r.file, r.feeds);
    rg_graph_free(r.sized);
    rg_graph_free(r.file);
    if (!err) return RG_OK;
    rg_doc_free(*out);
    *out = NULL;
    return err;
}
