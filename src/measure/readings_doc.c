/* readings_doc.c - `ridge readings`: files of readings shown, merged, and written in the other form. */
#include "measure/readings.h"

static void lay_out(rg_doc *doc, const rg_item *list, size_t read, bool all)
{
    static const rg_column columns[] = {
        {"model", "model", RG_UNIT_NONE, false}, {"name", "row", RG_UNIT_NONE, false},
        {"kind", "kind", RG_UNIT_NONE, false}, {"backend", "backend", RG_UNIT_NONE, false},
        {"version", "version", RG_UNIT_NONE, false}, {"device", "device", RG_UNIT_NONE, false},
        {"threads", "threads", RG_UNIT_COUNT, false}, {"batch", "batch", RG_UNIT_COUNT, false},
        {"precision", "precision", RG_UNIT_NONE, false}, {"median_s", "median", RG_UNIT_SECOND, false},
        {"p90_s", "p90", RG_UNIT_SECOND, false}, {"p99_s", "p99", RG_UNIT_SECOND, false},
        {"samples", "samples", RG_UNIT_COUNT, false}, {"energy_j", "energy", RG_UNIT_JOULE, false},
        {"energy_provenance", "how known", RG_UNIT_NONE, false},
        {"peak_memory_byte", "peak memory", RG_UNIT_BYTE, false},
        {"disturbed", "disturbed", RG_UNIT_NONE, false}, {"date", "date", RG_UNIT_NONE, false},
        {"host", "host", RG_UNIT_NONE, false},
    };
    rg_doc_section(doc, 1, "Readings");
    rg_doc_table(doc, "readings", list, columns, RG_COUNT(columns), 0);
    rg_doc_say(doc,
               "%zu readings%s. A reading without a row is of the whole model. Hashes are in the JSON and "
               "in the files that --save writes.",
               read,
               all ? ""
                   : "; those of one thing on one machine are joined: medians of their figures, of "
                     "undisturbed ones where there are any");
}

rg_err rg_readings_doc(rg_ctx *cx, const char *const *files, size_t count, const rg_readings_opt *opt,
                       rg_doc **out)
{
    rg_readings_opt o = {0};
    rg_readings read = {0}, joined = {0};
    rg_doc *doc;
    *out = NULL;
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    for (size_t i = 0; i < count; i++) RG_TRY(rg_readings_read(cx, files[i], &read));
    if (!o.all) RG_TRY(rg_readings_join(cx, &read, &joined));
    const rg_readings *shown = o.all ? &read : &joined;
    if (o.save) RG_TRY(rg_readings_write(cx, o.save, shown, false));
    RG_TRY(rg_doc_new(cx, "ridge.readings/1", &doc));
    rg_item *list = rg_doc_array(doc, rg_doc_root(doc), "readings");
    rg_readings_put(doc, list, shown);
    lay_out(doc, list, read.count, o.all);
    rg_err err = rg_doc_done(cx, doc);
    if (!err) *out = doc;
    else rg_doc_free(doc);
    return err;
}
