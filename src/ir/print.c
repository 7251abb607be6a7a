/* print.c - a graph as text that people can read and diff, and that parse.c reads back to an equal graph.
 *
 *     ridge.graph/1 "net" opset 13 ir 7 producer "pytorch"
 *     source "net.onnx"
 *     import "" 13
 *     symbol batch = 1 from 1
 *     const %w = f32[8,3,3,3] file "net.onnx" @1234 +864
 *     const %shape = i64[2] {1, -1}
 *     graph (%x: f32[batch,3,8,8], %cond: bool[]) {
 *       %a: f32[batch,8,6,6] = Conv(%x, %w, _) kernel_shape=3,3 @/conv1/Conv
 *       %b: f32[batch,288] = Reshape(%a, %shape)
 *       %c = If(%cond) else_branch=graph () {
 *         return %b
 *       } then_branch=graph "sub" () {
 *         %d = com.microsoft:Gelu(%b) v1 block "Gelu:1"
 *         return %d
 *       }
 *       return %c
 *     }
 *
 * _ is an omitted input or output; %#17 a value without a name, known by its id; `is [batch,288]` behind a
 * type gives the elements that inference knows; a node's version stands there when it is not the graph's
 * opset, and "() =" in front of a node without outputs. Sizes, types, constants and attributes are those of
 * literal.h.
 */
#include "ir/literal.h"

typedef struct printer {
    const rg_graph *g;
    rg_text *text;
    int depth; /* of regions */
    bool cut;  /* a size was too long to be written out */
} printer;

static void put(printer *p, const char *words) { rg_text_put(p->text, rg_str_of(words)); }

static void put_indent(printer *p)
{
    for (int i = 0; i < p->depth; i++) put(p, "  ");
}

static void put_use(printer *p, rg_value_id id)
{
    if (!id) {
        put(p, "_");
    } else if (!p->g->values[id].name.size) {
        rg_text_printf(p->text, "%%#%u", id);
    } else {
        put(p, "%");
        rg_lex_put_name(p->text, p->g->values[id].name);
    }
}

static void put_uses(printer *p, const rg_value_id *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i) put(p, ", ");
        put_use(p, ids[i]);
    }
}

/* Sizes of too many parts end in "...", which nothing else prints outside of quotes; `start` is where they
 * begin. */
static void check_sizes(printer *p, size_t start)
{
    bool quoted = false;
    for (size_t i = start; i + 2 < p->text->size && !p->cut; i++) {
        const char *at = p->text->data + i;
        if (quoted && *at == '\\') i++;
        else if (*at == '"') quoted = !quoted;
        else p->cut = !quoted && at[0] == '.' && at[1] == '.' && at[2] == '.';
    }
}

static void put_type(printer *p, const rg_type *type)
{
    size_t start = p->text->size;
    rg_type_print(p->g, type, p->text);
    check_sizes(p, start);
}

static void put_known(printer *p, const rg_value *value)
{
    if (!value->known) return;
    size_t start = p->text->size;
    put(p, " is [");
    for (uint32_t i = 0; i < value->known_count; i++) {
        if (i) put(p, ",");
        rg_dim_print(&p->g->dims, value->known[i], p->text);
    }
    check_sizes(p, start);
    put(p, "]");
}

/* A value where it is defined. */
static void put_definition(printer *p, rg_value_id id)
{
    const rg_value *value = &p->g->values[id];
    put_use(p, id);
    if (!id) return;
    if (value->type.kind != RG_KIND_UNKNOWN) {
        put(p, ": ");
        put_type(p, &value->type);
    }
    put_known(p, value);
    if (value->role != RG_ROLE_INPUT || !value->data) return;
    put(p, " = ");
    rg_lex_put_tensor(p->text, value->data, false);
}

static void put_const(printer *p, rg_value_id id)
{
    const rg_value *value = &p->g->values[id];
    rg_type type = rg_type_tensor(value->data->dtype, value->data->rank, value->data->dim);
    put(p, "const ");
    put_use(p, id);
    if (!rg_type_eq(&type, &value->type)) {
        put(p, ": ");
        put_type(p, &value->type);
    }
    put_known(p, value);
    put(p, " = ");
    rg_lex_put_tensor(p->text, value->data, false);
    put(p, "\n");
}

static rg_err put_region(rg_ctx *cx, printer *p, rg_region_id id);

static rg_err put_attr(rg_ctx *cx, printer *p, const rg_attr *attr)
{
    put(p, " ");
    rg_lex_put_name(p->text, attr->name);
    put(p, "=");
    if (attr->kind == RG_ATTR_GRAPH) return put_region(cx, p, attr->region);
    size_t start = p->text->size;
    rg_lex_put_attr(p->text, p->g, attr);
    if (attr->kind == RG_ATTR_TYPE) check_sizes(p, start);
    if (attr->kind != RG_ATTR_GRAPHS || !attr->count) return RG_OK;
    for (uint32_t i = 0; i < attr->count; i++) {
        put(p, i ? ", " : "[");
        RG_TRY(put_region(cx, p, attr->regions[i]));
    }
    put(p, "]");
    return RG_OK;
}

static rg_err put_node(rg_ctx *cx, printer *p, const rg_node *node)
{
    put_indent(p);
    for (uint32_t i = 0; i < node->out_count; i++) {
        if (i) put(p, ", ");
        put_definition(p, node->out[i]);
    }
    put(p, node->out_count ? " = " : "() = ");
    if (node->domain.size) {
        rg_lex_put_name(p->text, node->domain);
        put(p, ":");
    }
    rg_lex_put_name(p->text, node->type);
    put(p, "(");
    put_uses(p, node->in, node->in_count);
    put(p, ")");
    for (uint32_t i = 0; i < node->attr_count; i++) RG_TRY(put_attr(cx, p, &node->attrs[i]));
    if (node->name.size) {
        put(p, " @");
        rg_lex_put_name(p->text, node->name);
    }
    if (node->version != p->g->opset) rg_text_printf(p->text, " v%d", node->version);
    if (node->block.size) {
        put(p, " block ");
        rg_lex_put_string(p->text, node->block);
    }
    put(p, "\n");
    if (p->cut) return rg_fail(cx, RG_LIMIT, "node '%.*s' (%.*s) has a symbolic size too long to be written",
                               RG_STR(node->name), RG_STR(node->type));
    return p->text->failed ? rg_nomem(cx) : RG_OK;
}

static rg_err put_region(rg_ctx *cx, printer *p, rg_region_id id)
{
    const rg_region *region = &p->g->regions[id];
    if (p->depth > RG_NEST_MAX) return rg_fail(cx, RG_LIMIT, "regions nest deeper than %d", RG_NEST_MAX);
    put(p, "graph ");
    if (region->name.size) {
        rg_lex_put_string(p->text, region->name);
        put(p, " ");
    }
    put(p, "(");
    for (uint32_t i = 0; i < region->input_count; i++) {
        if (i) put(p, ", ");
        put_definition(p, region->inputs[i]);
    }
    put(p, ") {\n");
    p->depth++;
    for (uint32_t i = 0; i < region->order_count; i++) {
        const rg_node *node = &p->g->nodes[region->order[i]];
        if (!node->dead) RG_TRY(put_node(cx, p, node));
    }
    put_indent(p);
    put(p, region->output_count ? "return " : "return");
    put_uses(p, region->outputs, region->output_count);
    p->depth--;
    put(p, "\n");
    put_indent(p);
    put(p, "}");
    return RG_OK;
}

/* A line of its own for each text that there is. */
static void put_line(printer *p, const char *word, const char *words)
{
    if (!words) return;
    put(p, word);
    rg_lex_put_string(p->text, rg_str_of(words));
    put(p, "\n");
}

static void put_symbols(printer *p)
{
    const rg_dims *dims = &p->g->dims;
    for (uint32_t i = 0; i < dims->count; i++) {
        const rg_dim_expr *e = &dims->exprs[i];
        if (e->op != RG_DIM_SYMBOL) continue;
        put(p, "symbol ");
        rg_lex_put_ident(p->text, e->name);
        rg_text_printf(p->text, " = %lld from %lld", (long long)e->preset, (long long)e->min);
        if (e->max != INT64_MAX) rg_text_printf(p->text, " to %lld", (long long)e->max);
        put(p, e->run_time ? " run_time\n" : "\n");
    }
}

static void put_header(printer *p)
{
    const rg_graph *g = p->g;
    put(p, "ridge.graph/1 ");
    rg_lex_put_string(p->text, g->name);
    rg_text_printf(p->text, " opset %d ir %lld producer ", g->opset, (long long)g->ir_version);
    rg_lex_put_string(p->text, g->producer);
    put(p, "\n");
    put_line(p, "source ", g->source);
    put_line(p, "notes ", g->notes);
    for (uint32_t i = 0; i < g->import_count; i++) {
        put(p, "import ");
        rg_lex_put_string(p->text, g->imports[i].domain);
        rg_text_printf(p->text, " %lld\n", (long long)g->imports[i].version);
    }
}

rg_err rg_graph_to_text(rg_ctx *cx, const rg_graph *g, rg_text *text)
{
    printer p = {.g = g, .text = text};
    put_header(&p);
    put_symbols(&p);
    for (rg_value_id id = 1; id < g->value_count; id++)
        if (g->values[id].role == RG_ROLE_CONST) put_const(&p, id);
    RG_TRY(put_region(cx, &p, RG_MAIN));
    put(&p, "\n");
    if (p.cut)
        return rg_fail(cx, RG_LIMIT, "an input or a constant has a symbolic size too long to be written");
    return text->failed ? rg_nomem(cx) : RG_OK;
}

rg_err rg_graph_print(rg_ctx *cx, const rg_graph *graph, FILE *out)
{
    rg_arena arena;
    rg_text text;
    rg_arena_init(&arena, cx);
    rg_text_init(&text, &arena);
    rg_err err = rg_graph_to_text(cx, graph, &text);
    if (!err && fwrite(text.data, 1, text.size, out) != text.size)
        err = rg_fail(cx, RG_FAILED, "could not write a graph of %zu bytes", text.size);
    rg_arena_done(&arena);
    return err;
}
