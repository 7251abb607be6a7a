/* report_graph.c - "ridge.show/1": what a model is, no machine named: sizes, operators, layers, parallelism,
 * signature.
 */
#include "report/report.h"

static void add_ports(rg_ctx *cx, rg_doc *doc, rg_item *object, const char *key, const rg_graph *g,
                      const rg_value_id *ids, uint32_t count)
{
    rg_item *array = rg_doc_array(doc, object, key);
    for (uint32_t i = 0; i < count; i++) {
        const rg_value *value = &g->values[ids[i]];
        rg_text text;
        rg_text_init(&text, &cx->arena);
        rg_type_print(g, &value->type, &text);
        rg_item *port = rg_doc_object(doc, array, NULL);
        rg_doc_view(doc, port, "name", value->name);
        rg_doc_str(doc, port, "type", text.data ? text.data : "?");
        rg_doc_str(doc, port, "dtype", rg_dtype_name(value->type.dtype));
        rg_item *shape = rg_doc_array(doc, port, "shape");
        for (int d = 0; d < value->type.rank; d++) {
            rg_text dim;
            rg_text_init(&dim, &cx->arena);
            rg_dim_print(&g->dims, value->type.dim[d], &dim);
            if (rg_dim_is_number(value->type.dim[d])) rg_doc_int(doc, shape, NULL, value->type.dim[d]);
            else rg_doc_str(doc, shape, NULL, dim.data ? dim.data : "?");
        }
        rg_doc_real(doc, port, "byte", rg_type_bytes(g, &value->type));
    }
}

rg_err rg_graph_fields(rg_ctx *cx, rg_doc *doc, rg_item *object, const rg_facts *facts)
{
    const rg_graph *g = facts->graph;
    const rg_region *main_region = &g->regions[RG_MAIN];
    rg_op_share *shares;
    uint32_t count;
    rg_doc_view(doc, object, "name", g->name);
    rg_doc_str(doc, object, "source", g->source);
    rg_doc_view(doc, object, "producer", g->producer);
    rg_doc_int(doc, object, "opset", g->opset);
    rg_doc_int(doc, object, "ir_version", g->ir_version);
    rg_doc_str(doc, object, "family", facts->family);
    rg_doc_real(doc, object, "parameters", facts->parameters);
    rg_doc_real(doc, object, "macs", facts->mac);
    rg_doc_real(doc, object, "flops", facts->flop);
    rg_doc_real(doc, object, "special_functions", facts->special);
    rg_doc_real(doc, object, "weight_byte", facts->weight_byte);
    rg_doc_real(doc, object, "activation_byte", facts->activation_byte);
    rg_doc_real(doc, object, "peak_live_byte", facts->peak_live_byte);
    rg_doc_int(doc, object, "layers", facts->layers);
    rg_doc_int(doc, object, "nodes", facts->step_count);
    rg_doc_int(doc, object, "stages", facts->stage_count);
    rg_doc_int(doc, object, "critical_nodes", facts->critical_count);
    rg_doc_real(doc, object, "critical_flops", facts->critical_flop);
    rg_doc_str(doc, object, "notes", g->notes);
    add_ports(cx, doc, object, "inputs", g, main_region->inputs, main_region->input_count);
    add_ports(cx, doc, object, "outputs", g, main_region->outputs, main_region->output_count);
    RG_TRY(rg_op_histogram(cx, facts, &shares, &count));
    rg_item *operators = rg_doc_object(doc, object, "operators");
    rg_item *mix = rg_doc_array(doc, object, "operator_mix");
    for (uint32_t i = 0; i < count; i++) {
        rg_item *item = rg_doc_object(doc, mix, NULL);
        const rg_item *name = rg_doc_view(doc, item, "operator", shares[i].name);
        /* a key is borrowed: of the copy that lives as long as the document */
        if (name && name->kind == RG_ITEM_STRING) rg_doc_int(doc, operators, name->string, shares[i].count);
        rg_doc_int(doc, item, "count", shares[i].count);
        rg_doc_real(doc, item, "macs", shares[i].mac);
        rg_doc_real(doc, item, "flops", shares[i].flop);
    }
    return RG_OK;
}

static void add_layers(rg_ctx *cx, rg_doc *doc, rg_item *root, const rg_facts *facts)
{
    rg_item *layers = rg_doc_array(doc, root, "layers_detail");
    for (uint32_t s = 0; s < facts->step_count; s++) {
        const rg_node *node = rg_node_at(facts->graph, facts->steps[s].node);
        const rg_work *w = &facts->work[s];
        if (w->family == RG_FAMILY_VIEW) continue;
        double bytes = w->in_byte + w->weight_byte + w->out_byte;
        rg_text type;
        rg_text_init(&type, &cx->arena);
        if (node->out_count && node->out[0])
            rg_type_print(facts->graph, &facts->graph->values[node->out[0]].type, &type);
        rg_item *layer = rg_doc_object(doc, layers, NULL);
        rg_doc_view(doc, layer, "name", node->name);
        rg_doc_view(doc, layer, "operator", node->type);
        rg_doc_str(doc, layer, "family", rg_family_name(w->family));
        rg_doc_view(doc, layer, "block", node->block);
        rg_doc_str(doc, layer, "output", type.data ? type.data : "");
        rg_doc_real(doc, layer, "times", facts->steps[s].times);
        rg_doc_int(doc, layer, "stage", facts->stage[s]);
        rg_doc_real(doc, layer, "macs", w->mac);
        rg_doc_real(doc, layer, "flops", w->flop);
        rg_doc_real(doc, layer, "input_byte", w->in_byte);
        rg_doc_real(doc, layer, "weight_byte", w->weight_byte);
        rg_doc_real(doc, layer, "output_byte", w->out_byte);
        rg_doc_real(doc, layer, "intensity", bytes > 0 ? w->flop / bytes : 0);
        rg_doc_real(doc, layer, "threads", facts->width[s].threads);
        rg_doc_str(doc, layer, "vector_dim", facts->width[s].vector_dim);
    }
}

static rg_err add_signature(rg_ctx *cx, rg_doc *doc, rg_item *root, const rg_facts *facts)
{
    rg_signature signature;
    RG_TRY(rg_signature_make(cx, facts, &signature));
    rg_item *s = rg_doc_object(doc, root, "signature");
    rg_doc_text(doc, s, "hash", "%016llx", (unsigned long long)signature.hash);
    rg_item *shares = rg_doc_object(doc, s, "family_share"), *spectrum = rg_doc_array(doc, s, "spectrum");
    for (int i = 0; i < RG_FAMILY_COUNT; i++)
        if (signature.family_share[i] > 0)
            rg_doc_real(doc, shares, rg_family_name((rg_family)i), signature.family_share[i]);
    for (int i = 0; i < RG_SPECTRUM; i++) rg_doc_real(doc, spectrum, NULL, signature.spectrum[i]);
    return RG_OK;
}

static const rg_column overview[] = {
    {"source", "source", RG_UNIT_NONE, false},
    {"family", "family", RG_UNIT_NONE, false},
    {"opset", "opset", RG_UNIT_COUNT, false},
    {"parameters", "parameters", RG_UNIT_COUNT, false},
    {"macs", "MACs", RG_UNIT_COUNT, false},
    {"flops", "FLOPs", RG_UNIT_COUNT, false},
    {"special_functions", "special functions", RG_UNIT_COUNT, false},
    {"weight_byte", "weights", RG_UNIT_BYTE, false},
    {"activation_byte", "activations (sum)", RG_UNIT_BYTE, false},
    {"peak_live_byte", "activations (most alive)", RG_UNIT_BYTE, false},
    {"layers", "layers with MACs", RG_UNIT_COUNT, false},
    {"nodes", "nodes", RG_UNIT_COUNT, false},
    {"stages", "stages", RG_UNIT_COUNT, false},
    {"critical_nodes", "nodes on the critical path", RG_UNIT_COUNT, false},
    {"notes", "assumed", RG_UNIT_NONE, false},
};
static const rg_column ports[] = {
    {"name", "name", RG_UNIT_NONE, false},
    {"type", "type", RG_UNIT_NONE, false},
    {"byte", "bytes", RG_UNIT_BYTE, false},
};
static const rg_column mix[] = {
    {"operator", "operator", RG_UNIT_NONE, false},
    {"count", "count", RG_UNIT_COUNT, false},
    {"macs", "MACs", RG_UNIT_COUNT, false},
    {"flops", "FLOPs", RG_UNIT_COUNT, true},
};
static const rg_column layer[] = {
    {"name", "layer", RG_UNIT_NONE, false},
    {"operator", "operator", RG_UNIT_NONE, false},
    {"output", "output", RG_UNIT_NONE, false},
    {"macs", "MACs", RG_UNIT_COUNT, false},
    {"weight_byte", "weights", RG_UNIT_BYTE, false},
    {"intensity", "FLOP/B", RG_UNIT_NONE, false},
    {"threads", "threads", RG_UNIT_COUNT, false},
};

enum { LAYERS_SHOWN = 40 }; /* as text and Markdown; the other formats have all */

static void lay_out(rg_doc *doc, const rg_item *root)
{
    const rg_item *name = rg_item_find(root, "name");
    rg_doc_section(doc, 1, "%s", name && name->kind == RG_ITEM_STRING ? name->string : "model");
    rg_doc_fields(doc, root, overview, RG_COUNT(overview));
    rg_doc_section(doc, 2, "Inputs");
    rg_doc_table(doc, "inputs", rg_item_find(root, "inputs"), ports, RG_COUNT(ports), 0);
    rg_doc_section(doc, 2, "Outputs");
    rg_doc_table(doc, "outputs", rg_item_find(root, "outputs"), ports, RG_COUNT(ports), 0);
    rg_doc_section(doc, 2, "Operators");
    rg_doc_table(doc, "operators", rg_item_find(root, "operator_mix"), mix, RG_COUNT(mix), 0);
    rg_doc_section(doc, 2, "Layers");
    rg_doc_table(doc, "layers", rg_item_find(root, "layers_detail"), layer, RG_COUNT(layer), LAYERS_SHOWN);
}

rg_err rg_graph_doc(rg_ctx *cx, const rg_graph *graph, rg_doc **out)
{
    const rg_facts *facts = NULL;
    rg_doc *doc;
    RG_TRY(rg_doc_new(cx, "ridge.show/1", &doc));
    rg_item *root = rg_doc_root(doc);
    rg_err err = rg_facts_make(cx, graph, &facts);
    if (!err) err = rg_graph_fields(cx, doc, root, facts);
    if (!err) err = add_signature(cx, doc, root, facts);
    if (!err) {
        add_layers(cx, doc, root, facts);
        lay_out(doc, root);
        err = rg_doc_done(cx, doc);
    }
    rg_facts_free(facts);
    if (err) {
        rg_doc_free(doc);
        return err;
    }
    *out = doc;
    return RG_OK;
}
