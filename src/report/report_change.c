/* report_change.c - a what-if beside the forecast that it changes: what became faster, and which rows are
 * bound by something else now.
 *
 * change -> latency_s, energy_j, ... {before, after, ratio} · flips[] · bounds moved
 */
#include "report/report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct figure { const char *key, *name; rg_unit unit; double before, after; } figure;

static void add_figures(rg_doc *doc, rg_item *change, const rg_forecast *a, const rg_forecast *b)
{
    static const rg_column columns[] = {
        {"name", "figure", RG_UNIT_NONE, false}, {"before_text", "before", RG_UNIT_NONE, false},
        {"after_text", "after", RG_UNIT_NONE, false}, {"ratio_text", "change", RG_UNIT_NONE, false},
    };
    const figure figures[] = {
        {"latency_s", "latency", RG_UNIT_SECOND, a->latency_s.value, b->latency_s.value},
        {"energy_j", "energy", RG_UNIT_JOULE, a->energy_j.value, b->energy_j.value},
        {"power_w", "power", RG_UNIT_WATT, a->power_w.value, b->power_w.value},
        {"compute_s", "limited by compute", RG_UNIT_SECOND, a->compute_s, b->compute_s},
        {"memory_s", "limited by memory", RG_UNIT_SECOND, a->memory_s, b->memory_s},
        {"overhead_s", "launch, waves, padding", RG_UNIT_SECOND, a->overhead_s, b->overhead_s},
        {"core_clock_hz", "core clock", RG_UNIT_HERTZ, a->clock_hz, b->clock_hz},
    };
    rg_item *array = rg_doc_array(doc, change, "figures");
    for (size_t i = 0; i < RG_COUNT(figures); i++) {
        const figure *f = &figures[i];
        char before[32], after[32];
        rg_item *item = rg_doc_object(doc, array, NULL);
        rg_doc_str(doc, item, "key", f->key);
        rg_doc_str(doc, item, "name", f->name);
        rg_doc_real(doc, item, "before", f->before);
        rg_doc_real(doc, item, "after", f->after);
        rg_doc_real(doc, item, "ratio", f->before > 0 ? f->after / f->before : NAN);
        rg_doc_str(doc, item, "before_text", rg_unit_print(before, sizeof before, f->before, f->unit));
        rg_doc_str(doc, item, "after_text", rg_unit_print(after, sizeof after, f->after, f->unit));
        rg_doc_text(doc, item, "ratio_text", f->before > 0 ? "%.3gx" : "-",
                    f->before > 0 ? f->after / f->before : 0);
    }
    rg_doc_table(doc, "change", array, columns, RG_COUNT(columns), 0);
}

/* A plan of changed figures may group or order otherwise; rows are the same where their ids are. */
static uint32_t same_row(const rg_plan *plan, const rg_row *row, uint32_t hint)
{
    if (hint < plan->row_count && plan->rows[hint].id == row->id) return hint;
    for (uint32_t r = 0; r < plan->row_count; r++)
        if (plan->rows[r].id == row->id) return r;
    return UINT32_MAX;
}

static const char *binding(const rg_row_cost *c)
{
    return c->limit_count ? c->limits[c->binding].name : "nothing";
}

static void add_flips(rg_doc *doc, rg_item *change, const rg_forecast *a, const rg_forecast *b)
{
    static const rg_column columns[] = {
        {"name", "row", RG_UNIT_NONE, false}, {"bound_before", "was bound by", RG_UNIT_NONE, false},
        {"bound_after", "is bound by", RG_UNIT_NONE, false}, {"before_s", "before", RG_UNIT_SECOND, false},
        {"after_s", "after", RG_UNIT_SECOND, false},
    };
    enum { SHOWN = 20 };
    rg_item *flips = rg_doc_array(doc, change, "flips");
    for (uint32_t r = 0; r < b->plan->row_count; r++) {
        uint32_t was = same_row(a->plan, &b->plan->rows[r], r);
        if (was == UINT32_MAX || a->rows[was].bound == b->rows[r].bound) continue;
        rg_item *item = rg_doc_object(doc, flips, NULL);
        rg_doc_int(doc, item, "row", r);
        rg_doc_text(doc, item, "id", "%016" PRIx64, b->plan->rows[r].id);
        rg_doc_str(doc, item, "name", b->plan->rows[r].name);
        rg_doc_text(doc, item, "bound_before", "%s (%s)", rg_bound_name(a->rows[was].bound),
                    binding(&a->rows[was]));
        rg_doc_text(doc, item, "bound_after", "%s (%s)", rg_bound_name(b->rows[r].bound),
                    binding(&b->rows[r]));
        rg_doc_real(doc, item, "before_s", a->rows[was].total_s);
        rg_doc_real(doc, item, "after_s", b->rows[r].total_s);
    }
    uint32_t count = flips ? flips->count : 0;
    bool same = strcmp(a->bound, b->bound) == 0;
    rg_doc_say(doc,
               "The whole is %sbound by %s%s%s. %" PRIu32 " of %" PRIu32 " rows %s bound by something else%s",
               same ? "still " : "now ", b->bound, same ? "" : ", no longer by ", same ? "" : a->bound, count,
               b->plan->row_count, count == 1 ? "is" : "are", count ? ":" : ".");
    if (count) rg_doc_table(doc, "flips", flips, columns, RG_COUNT(columns), SHOWN);
}

static rg_err fill(rg_ctx *cx, rg_doc *doc, const rg_forecast *before, const rg_forecast *after, int explain)
{
    rg_item *root = rg_doc_root(doc), *results = rg_doc_array(doc, root, "results"), *result;
    RG_TRY(rg_result_add(cx, doc, results, after, &result));
    rg_doc_section(doc, 1, "What if: %s on a changed %s", rg_model_label(&cx->arena, after->plan->graph),
                   after->plan->device->id);
    rg_item *change = rg_doc_object(doc, root, "change");
    rg_doc_str(doc, change, "bound_before", before->bound);
    rg_doc_str(doc, change, "bound_after", after->bound);
    add_figures(doc, change, before, after);
    add_flips(doc, change, before, after);
    rg_result_show(doc, result, after, explain);
    return rg_doc_done(cx, doc);
}

rg_err rg_change_doc(rg_ctx *cx, const rg_forecast *before, const rg_forecast *after, int explain,
                     rg_doc **out)
{
    *out = NULL;
    RG_TRY(rg_doc_new(cx, "ridge.predict/1", out));
    rg_err err = fill(cx, *out, before, after, explain);
    if (!err) return RG_OK;
    rg_doc_free(*out);
    *out = NULL;
    return err;
}
