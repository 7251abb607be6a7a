/* report_runtime.c - the runtimes as a document: what each fuses, what a launch costs, where it runs. */
#include "hw/hw.h"
#include "report/doc.h"

#include <inttypes.h>

static const rg_column columns[] = {
    {"id", "id", RG_UNIT_NONE, false},
    {"name", "name", RG_UNIT_NONE, false},
    {"kinds", "runs on", RG_UNIT_NONE, false},
    {"default_for", "default for", RG_UNIT_NONE, false},
    {"launch_s", "launch", RG_UNIT_SECOND, false},
    {"graph_s", "per run", RG_UNIT_SECOND, false},
    {"memory_overhead_byte", "memory", RG_UNIT_BYTE, false},
};

static void add_names(rg_doc *doc, rg_item *runtime, const char *key, const char *const *names, size_t count)
{
    rg_item *list = rg_doc_array(doc, runtime, key);
    for (size_t i = 0; i < count; i++) rg_doc_str(doc, list, NULL, names[i]);
}

static void add_runtime(rg_doc *doc, rg_item *runtimes, const rg_runtime *r)
{
    rg_item *runtime = rg_doc_object(doc, runtimes, NULL);
    rg_doc_str(doc, runtime, "id", r->id);
    rg_doc_str(doc, runtime, "name", r->name);
    add_names(doc, runtime, "kinds", r->kinds, r->kind_count);
    add_names(doc, runtime, "default_for", r->default_for, r->default_count);
    rg_doc_real(doc, runtime, "launch_s", r->launch_s);
    rg_doc_real(doc, runtime, "graph_s", r->graph_s);
    rg_doc_real(doc, runtime, "memory_overhead_byte", r->memory_overhead_byte);
    rg_doc_real(doc, runtime, "interval_factor", r->interval_factor);
    rg_doc_flag(doc, runtime, "folds_constants", r->folds_constants);
    rg_doc_flag(doc, runtime, "fuses_attention", r->fuses_attention);
    rg_doc_flag(doc, runtime, "strided_views", r->strided_views);
    rg_doc_flag(doc, runtime, "merges_products", r->merges_products);
    rg_doc_str(doc, runtime, "tf32", r->tf32);
    rg_doc_str(doc, runtime, "layout", r->layout);
    rg_item *rules = rg_doc_array(doc, runtime, "rules");
    for (size_t i = 0; i < r->rule_count; i++) rg_doc_str(doc, rules, NULL, r->rules[i].name);
    rg_doc_str(doc, runtime, "note", r->note);
    rg_doc_text(doc, runtime, "runtime_hash", "%016" PRIx64, r->hash);
}

/* The rules are too many for a cell: a point for each runtime. */
static void lay_out(rg_doc *doc, const rg_item *list)
{
    static const rg_column id = {"id", "", RG_UNIT_NONE, false}, rules = {"rules", "", RG_UNIT_NONE, false};
    char name[128], names[1024];
    rg_doc_section(doc, 1, "Runtimes");
    rg_doc_table(doc, "runtimes", list, columns, RG_COUNT(columns), 0);
    rg_doc_section(doc, 2, "What they fuse");
    for (const rg_item *r = list ? list->first : NULL; r; r = r->next) {
        const char *which = rg_doc_cell(name, sizeof name, r, &id);
        rg_doc_point(doc, "%s: %s", which, rg_doc_cell(names, sizeof names, r, &rules));
    }
}

static rg_err add_all(rg_ctx *cx, rg_doc *doc)
{
    const char *const *ids;
    size_t count;
    RG_TRY(rg_runtime_ids(cx, &ids, &count));
    rg_item *list = rg_doc_array(doc, rg_doc_root(doc), "runtimes");
    for (size_t i = 0; i < count; i++) {
        const rg_runtime *runtime;
        RG_TRY(rg_runtime_find(cx, ids[i], NULL, &runtime));
        add_runtime(doc, list, runtime);
        rg_runtime_free(runtime);
    }
    lay_out(doc, list);
    return rg_doc_done(cx, doc);
}

rg_err rg_runtime_doc(rg_ctx *cx, rg_doc **out)
{
    rg_doc *doc;
    RG_TRY(rg_doc_new(cx, "ridge.runtimes/1", &doc));
    rg_err err = add_all(cx, doc);
    if (err) rg_doc_free(doc);
    else *out = doc;
    return err;
}
