/* report_zoo.c - "ridge.zoo/1": the built-in models, with the published figures that they are held to. */
#include "format/zoo.h"
#include "report/doc.h"

static const rg_column columns[] = {
    {"name", "name", RG_UNIT_NONE, false}, {"family", "family", RG_UNIT_NONE, false},
    {"parameters", "parameters", RG_UNIT_COUNT, false}, {"macs", "MACs", RG_UNIT_COUNT, false},
    {"source", "source of the figures", RG_UNIT_NONE, false},
};

rg_err rg_zoo_doc(rg_ctx *cx, rg_doc **out)
{
    rg_doc *doc;
    RG_TRY(rg_doc_new(cx, "ridge.zoo/1", &doc));
    rg_item *models = rg_doc_array(doc, rg_doc_root(doc), "models");
    for (int i = 0; i < rg_zoo_count; i++) {
        const rg_zoo *zoo = rg_zoo_table[i];
        rg_item *model = rg_doc_object(doc, models, NULL);
        rg_doc_text(doc, model, "name", "zoo:%s", zoo->name);
        rg_doc_str(doc, model, "family", zoo->family);
        rg_doc_real(doc, model, "parameters", zoo->parameters);
        rg_doc_real(doc, model, "macs", zoo->macs);
        rg_doc_str(doc, model, "source", zoo->source);
    }
    rg_doc_table(doc, "models", models, columns, RG_COUNT(columns), 0);
    rg_err err = rg_doc_done(cx, doc);
    if (err) {
        rg_doc_free(doc);
        return err;
    }
    *out = doc;
    return RG_OK;
}
