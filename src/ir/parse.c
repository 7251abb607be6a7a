/* parse.c - reads the text form of a graph, which print.c describes, back to an equal graph.
 *
 * One pass, recursive over regions. Values are found by name (or by number: %#17) in maps of the whole model,
 * and must be defined before they are used: a graph is printed in topological order, and a text that is not
 * gets its error at the very place. Lists of values and attributes are gathered on two stacks that all nodes
 * share, so that a node costs its exact size. Whether the graph makes sense is asked of rg_graph_finish and
 * rg_graph_verify at the end.
 */
#include "ir/literal.h"

#include <string.h>

typedef struct parser {
    rg_lex lex;              /* its arena is the graph's */
    rg_ctx *cx;
    rg_graph *g;
    rg_arena scratch;        /* maps and stacks */
    rg_map names, numbers;   /* of %name and %#17 */
    rg_value_id *ids; uint32_t id_count, id_capacity;
    rg_attr *attrs; uint32_t attr_count, attr_capacity;
    int depth;               /* of regions */
} parser;

/* ---- values ---- */

/* How a value is written; key empty for `_`. */
typedef struct label { rg_str key; bool by_number; } label;

static rg_err read_label(parser *p, label *out)
{
    *out = (label){0};
    if (rg_lex_keyword(&p->lex, "_")) return RG_OK;
    RG_TRY(rg_lex_expect(&p->lex, "%"));
    if (!rg_lex_touches(&p->lex, '#')) {
        RG_TRY(rg_lex_name(&p->lex, &out->key));
        return out->key.size ? RG_OK : rg_lex_fail(&p->lex, RG_FORMAT, "a value with an empty name");
    }
    p->lex.at++;
    out->by_number = true;
    return rg_lex_word(&p->lex, &out->key) ? RG_OK : rg_lex_fail(&p->lex, RG_FORMAT, "expected a number");
}

static rg_err push_id(parser *p, rg_value_id id)
{
    if (!RG_GROW(&p->scratch, p->ids, p->id_count, p->id_capacity)) return rg_nomem(p->cx);
    p->ids[p->id_count++] = id;
    return RG_OK;
}

static rg_err read_use(parser *p)
{
    label l;
    size_t start = p->lex.at;
    RG_TRY(read_label(p, &l));
    rg_value_id id = l.key.size ? rg_map_get(l.by_number ? &p->numbers : &p->names, l.key) : 0;
    if (id || !l.key.size) return push_id(p, id);
    p->lex.at = start;
    return rg_lex_fail(&p->lex, RG_FORMAT, "value %%%.*s is used before it is defined", RG_STR(l.key));
}

/* Uses up to `end`, pushed onto the stack. */
static rg_err read_uses(parser *p, const char *end)
{
    for (uint32_t count = 0; !rg_lex_take(&p->lex, end); count++) {
        if (count) RG_TRY(rg_lex_expect(&p->lex, ","));
        if (count == RG_IO_MAX)
            return rg_lex_fail(&p->lex, RG_LIMIT, "more than %d values in a list", RG_IO_MAX);
        RG_TRY(read_use(p));
    }
    return RG_OK;
}

/* A tensor of so many elements cannot have more or fewer known ones; `at` is where they stand in the text. */
static rg_err check_known(parser *p, const rg_value *value, size_t at)
{
    int64_t count = 1;
    if (!value->known || value->type.kind != RG_KIND_TENSOR || value->type.rank < 0) return RG_OK;
    for (int i = 0; i < value->type.rank; i++) {
        rg_dim d = value->type.dim[i];
        if (!rg_dim_is_number(d) || !rg_mul_size(count, d, &count)) return RG_OK;
    }
    if (count == value->known_count) return RG_OK;
    p->lex.at = at;
    return rg_lex_fail(&p->lex, RG_FORMAT, "%u elements of a tensor that has %lld", value->known_count,
                       (long long)count);
}

static rg_err read_known(parser *p, rg_value *value)
{
    if (!rg_lex_keyword(&p->lex, "is")) return RG_OK;
    size_t start = p->lex.at;
    RG_TRY(rg_lex_dims(&p->lex, &p->g->dims, RG_KNOWN_MAX, &value->known, &value->known_count));
    return check_known(p, value, start);
}

/* %name: type is [elements]. *out is 0 for `_`; without a type it is unknown. */
static rg_err read_definition(parser *p, rg_region_id region, rg_role role, rg_value_id *out)
{
    label l;
    rg_value value = {0};
    size_t start = p->lex.at;
    *out = 0;
    RG_TRY(read_label(p, &l));
    if (!l.key.size) return RG_OK;
    rg_map *map = l.by_number ? &p->numbers : &p->names;
    if (rg_map_get(map, l.key)) {
        p->lex.at = start;
        return rg_lex_fail(&p->lex, RG_FORMAT, "value %%%.*s is defined twice", RG_STR(l.key));
    }
    l.key = rg_arena_str(&p->g->arena, l.key);
    if (!l.key.data) return rg_nomem(p->cx);
    if (rg_lex_take(&p->lex, ":")) RG_TRY(rg_lex_type(&p->lex, &p->g->dims, &value.type));
    RG_TRY(read_known(p, &value));
    if (p->g->value_count >= RG_VALUE_MAX)
        return rg_lex_fail(&p->lex, RG_LIMIT, "more than %d values", RG_VALUE_MAX);
    RG_TRY(rg_graph_add_value(p->cx, p->g, region, l.by_number ? RG_LIT("") : l.key, &value.type, role, out));
    p->g->values[*out].known = value.known;
    p->g->values[*out].known_count = value.known_count;
    return rg_map_put(map, l.key, *out) ? RG_OK : rg_nomem(p->cx);
}

/* const %name[: type] [is [...]] = tensor */
static rg_err read_const(parser *p)
{
    rg_value_id id;
    const rg_tensor *data;
    size_t start = p->lex.at;
    RG_TRY(read_definition(p, RG_MAIN, RG_ROLE_CONST, &id));
    if (!id) return rg_lex_fail(&p->lex, RG_FORMAT, "a constant needs a name");
    RG_TRY(rg_lex_expect(&p->lex, "="));
    RG_TRY(rg_lex_tensor(&p->lex, &data));
    rg_value *value = &p->g->values[id];
    value->data = data;
    if (value->type.kind == RG_KIND_UNKNOWN) value->type = rg_type_tensor(data->dtype, data->rank, data->dim);
    RG_TRY(check_known(p, value, start));
    if (value->type.kind == RG_KIND_TENSOR && value->type.dtype == data->dtype) return RG_OK;
    return rg_lex_fail(&p->lex, RG_FORMAT, "the elements are of type %s, the constant is not",
                       rg_dtype_name(data->dtype));
}

static rg_err read_inputs(parser *p, rg_region_id region)
{
    RG_TRY(rg_lex_expect(&p->lex, "("));
    for (uint32_t count = 0; !rg_lex_take(&p->lex, ")"); count++) {
        rg_value_id id;
        if (count) RG_TRY(rg_lex_expect(&p->lex, ","));
        if (count == RG_IO_MAX) return rg_lex_fail(&p->lex, RG_LIMIT, "more than %d inputs", RG_IO_MAX);
        RG_TRY(read_definition(p, region, RG_ROLE_INPUT, &id));
        if (!id) return rg_lex_fail(&p->lex, RG_FORMAT, "an input needs a name");
        if (rg_lex_take(&p->lex, "=")) RG_TRY(rg_lex_tensor(&p->lex, &p->g->values[id].data));
        RG_TRY(rg_graph_add_input(p->cx, p->g, region, id));
    }
    return RG_OK;
}

/* ---- attributes ---- */

static rg_err read_region(parser *p, rg_region_id region);

static rg_err read_body(parser *p, rg_node_id owner, rg_region_id *out)
{
    RG_TRY(rg_graph_add_region(p->cx, p->g, owner, out));
    return read_region(p, *out);
}

/* Behind the first "graph" of a list. */
static rg_err read_bodies(parser *p, rg_node_id owner, rg_attr *attr)
{
    rg_region_id *regions = NULL;
    uint32_t capacity = 0;
    attr->kind = RG_ATTR_GRAPHS;
    for (bool more = true; more; more = rg_lex_take(&p->lex, ",")) {
        if (attr->count && !rg_lex_keyword(&p->lex, "graph"))
            return rg_lex_fail(&p->lex, RG_FORMAT, "expected 'graph'");
        if (!RG_GROW(&p->g->arena, regions, attr->count, capacity)) return rg_nomem(p->cx);
        RG_TRY(read_body(p, owner, &regions[attr->count++]));
    }
    attr->regions = regions;
    return rg_lex_expect(&p->lex, "]");
}

/* The name has been read, "=" comes next. */
static rg_err read_attr(parser *p, rg_node_id owner, rg_str name, uint32_t first)
{
    rg_attr attr = {.name = rg_arena_str(&p->g->arena, name)};
    if (!attr.name.data) return rg_nomem(p->cx);
    if (p->attr_count - first >= RG_ATTR_MAX)
        return rg_lex_fail(&p->lex, RG_LIMIT, "more than %d attributes of one node", RG_ATTR_MAX);
    RG_TRY(rg_lex_expect(&p->lex, "="));
    size_t start = p->lex.at;
    if (rg_lex_keyword(&p->lex, "graph")) {
        attr.kind = RG_ATTR_GRAPH;
        RG_TRY(read_body(p, owner, &attr.region));
    } else if (rg_lex_take(&p->lex, "[") && rg_lex_keyword(&p->lex, "graph")) {
        RG_TRY(read_bodies(p, owner, &attr));
    } else {
        p->lex.at = start;
        RG_TRY(rg_lex_attr(&p->lex, &p->g->dims, &attr));
    }
    if (!RG_GROW(&p->scratch, p->attrs, p->attr_count, p->attr_capacity)) return rg_nomem(p->cx);
    p->attrs[p->attr_count++] = attr;
    return RG_OK;
}

/* ---- nodes ---- */

/* v13 behind a node; false for any other word. */
static bool version_of(rg_str word, int *out)
{
    int64_t x;
    if (word.size < 2 || word.data[0] != 'v') return false;
    if (!rg_str_int((rg_str){word.data + 1, word.size - 1}, &x)) return false;
    if (x < INT32_MIN || x > INT32_MAX) return false;
    *out = (int)x;
    return true;
}

/* Everything behind the inputs, in any order: name=value, @name, v13, block "...". */
static rg_err read_tail(parser *p, rg_node_id id, uint32_t first)
{
    for (;;) {
        size_t start = p->lex.at;
        rg_str word;
        bool quoted = rg_lex_peek(&p->lex) == '"';
        if (rg_lex_take(&p->lex, "@")) {
            RG_TRY(rg_lex_name(&p->lex, &word));
            p->g->nodes[id].name = rg_arena_str(&p->g->arena, word);
            if (!p->g->nodes[id].name.data) return rg_nomem(p->cx);
            continue;
        }
        if (quoted) RG_TRY(rg_lex_name(&p->lex, &word));
        else if (!rg_lex_word(&p->lex, &word)) return RG_OK;
        if (rg_lex_touches(&p->lex, '=')) {
            RG_TRY(read_attr(p, id, word, first));
        } else if (!quoted && rg_str_is(word, "block")) {
            RG_TRY(rg_lex_string(&p->lex, &p->g->nodes[id].block));
        } else if (quoted || !version_of(word, &p->g->nodes[id].version)) {
            p->lex.at = start;
            return RG_OK;
        }
    }
}

/* domain:Type */
static rg_err read_type_name(parser *p, rg_node *like)
{
    RG_TRY(rg_lex_name(&p->lex, &like->type));
    if (rg_lex_take(&p->lex, ":")) {
        like->domain = like->type;
        RG_TRY(rg_lex_name(&p->lex, &like->type));
    }
    if (!like->type.size) return rg_lex_fail(&p->lex, RG_FORMAT, "a node without an operator");
    like->type = rg_arena_str(&p->g->arena, like->type);
    like->domain = rg_arena_str(&p->g->arena, like->domain);
    return like->type.data && like->domain.data ? RG_OK : rg_nomem(p->cx);
}

static rg_err read_outputs(parser *p, rg_region_id region)
{
    if (rg_lex_take(&p->lex, "(")) return rg_lex_expect(&p->lex, ")");
    uint32_t count = 0;
    do {
        rg_value_id id;
        if (count++ == RG_IO_MAX) return rg_lex_fail(&p->lex, RG_LIMIT, "more than %d outputs", RG_IO_MAX);
        RG_TRY(read_definition(p, region, RG_ROLE_NODE, &id));
        RG_TRY(push_id(p, id));
    } while (rg_lex_take(&p->lex, ","));
    return RG_OK;
}

/* Pops the attributes from `first` on and gives them to the node. */
static rg_err take_attrs(parser *p, rg_node_id id, uint32_t first)
{
    uint32_t count = p->attr_count - first;
    if (!count) return RG_OK;
    rg_attr *attrs = RG_NEW(&p->g->arena, rg_attr, count);
    if (!attrs) return rg_nomem(p->cx);
    memcpy(attrs, p->attrs + first, count * sizeof *attrs);
    rg_attrs_sort(attrs, count);
    for (uint32_t i = 1; i < count; i++)
        if (rg_str_eq(attrs[i].name, attrs[i - 1].name))
            return rg_lex_fail(&p->lex, RG_FORMAT, "attribute '%.*s' is given twice", RG_STR(attrs[i].name));
    p->g->nodes[id].attrs = attrs;
    p->g->nodes[id].attr_count = count;
    p->attr_count = first;
    return RG_OK;
}

/* %out: type, ... = Type(%in, ...) tail */
static rg_err read_node(parser *p, rg_region_id region)
{
    rg_node like = {.version = p->g->opset};
    rg_node_id id;
    uint32_t out_at = p->id_count, attr_at = p->attr_count;
    RG_TRY(read_outputs(p, region));
    uint32_t in_at = p->id_count;
    RG_TRY(rg_lex_expect(&p->lex, "="));
    RG_TRY(read_type_name(p, &like));
    RG_TRY(rg_lex_expect(&p->lex, "("));
    RG_TRY(read_uses(p, ")"));
    if (p->g->node_count >= RG_NODE_MAX)
        return rg_lex_fail(&p->lex, RG_LIMIT, "more than %d nodes", RG_NODE_MAX);
    RG_TRY(rg_graph_add_node(p->cx, p->g, region, &like, p->ids + in_at, p->id_count - in_at, p->ids + out_at,
                             in_at - out_at, &id));
    p->id_count = out_at;
    RG_TRY(read_tail(p, id, attr_at));
    return take_attrs(p, id, attr_at);
}

/* ---- regions and the whole ---- */

/* Behind "graph": "name" (inputs) { nodes, return outputs } */
static rg_err read_region(parser *p, rg_region_id region)
{
    uint32_t out_at = p->id_count;
    if (p->depth++ > RG_NEST_MAX)
        return rg_lex_fail(&p->lex, RG_LIMIT, "regions nest deeper than %d", RG_NEST_MAX);
    if (rg_lex_peek(&p->lex) == '"') RG_TRY(rg_lex_string(&p->lex, &p->g->regions[region].name));
    RG_TRY(read_inputs(p, region));
    RG_TRY(rg_lex_expect(&p->lex, "{"));
    while (!rg_lex_keyword(&p->lex, "return")) RG_TRY(read_node(p, region));
    if (!rg_lex_take(&p->lex, "}")) {
        do RG_TRY(read_use(p));
        while (rg_lex_take(&p->lex, ","));
        RG_TRY(rg_lex_expect(&p->lex, "}"));
    }
    for (uint32_t i = out_at; i < p->id_count; i++) {
        if (i - out_at == RG_IO_MAX) return rg_lex_fail(&p->lex, RG_LIMIT, "more than %d outputs", RG_IO_MAX);
        RG_TRY(rg_graph_add_output(p->cx, p->g, region, p->ids[i]));
    }
    p->id_count = out_at;
    p->depth--;
    return RG_OK;
}

/* symbol name = preset from min [to max] [run_time] */
static rg_err read_symbol(parser *p)
{
    rg_str name;
    int64_t preset, min = 1, max = INT64_MAX;
    if (rg_lex_peek(&p->lex) == '"') RG_TRY(rg_lex_string(&p->lex, &name));
    else if (!rg_lex_ident(&p->lex, &name))
        return rg_lex_fail(&p->lex, RG_FORMAT, "expected the name of a symbol");
    if (!name.size || name.size > RG_NAME_MAX)
        return rg_lex_fail(&p->lex, RG_LIMIT, "a symbol of %zu bytes, 1..%d are allowed", name.size,
                           RG_NAME_MAX);
    RG_TRY(rg_lex_expect(&p->lex, "="));
    RG_TRY(rg_lex_int(&p->lex, RG_DIM_FIRST, INT64_MAX, &preset));
    if (rg_lex_keyword(&p->lex, "from")) RG_TRY(rg_lex_int(&p->lex, RG_DIM_FIRST, preset, &min));
    if (rg_lex_keyword(&p->lex, "to")) RG_TRY(rg_lex_int(&p->lex, preset, INT64_MAX, &max));
    rg_dims *dims = &p->g->dims;
    uint32_t index = dims->count;
    rg_dim_symbol(dims, name, min, max, preset);
    RG_TRY(rg_lex_check_dims(&p->lex, dims));
    if (dims->count == index)
        return rg_lex_fail(&p->lex, RG_FORMAT, "symbol '%.*s' is there already", RG_STR(name));
    dims->exprs[index].run_time = rg_lex_keyword(&p->lex, "run_time");
    return RG_OK;
}

static rg_err read_import(parser *p)
{
    rg_graph *g = p->g;
    rg_import import;
    RG_TRY(rg_lex_string(&p->lex, &import.domain));
    RG_TRY(rg_lex_int(&p->lex, INT64_MIN, INT64_MAX, &import.version));
    if (!RG_GROW(&g->arena, g->imports, g->import_count, g->import_capacity)) return rg_nomem(p->cx);
    g->imports[g->import_count++] = import;
    return RG_OK;
}

static rg_err read_cstr(parser *p, const char **out)
{
    rg_str text;
    RG_TRY(rg_lex_string(&p->lex, &text));
    if (memchr(text.data, 0, text.size)) return rg_lex_fail(&p->lex, RG_FORMAT, "a zero byte in a text");
    *out = rg_arena_cstr(&p->g->arena, text);
    return *out ? RG_OK : rg_nomem(p->cx);
}

static rg_err read_source(parser *p) { return read_cstr(p, &p->g->source); }
static rg_err read_notes(parser *p) { return read_cstr(p, &p->g->notes); }

/* What may stand between the first line and the graph. */
static const struct { const char *word; rg_err (*read)(parser *p); } lines[] = {
    {"const", read_const}, {"symbol", read_symbol}, {"import", read_import},
    {"source", read_source},    {"notes", read_notes},
};

static rg_err read_line(parser *p)
{
    for (size_t i = 0; i < RG_COUNT(lines); i++)
        if (rg_lex_keyword(&p->lex, lines[i].word)) return lines[i].read(p);
    return rg_lex_fail(&p->lex, RG_FORMAT, "expected const, symbol, import, source, notes or graph");
}

/* ridge.graph/1 "name" opset 13 ir 7 producer "pytorch" */
static rg_err read_head(parser *p)
{
    rg_graph *g = p->g;
    int64_t opset = 0;
    if (!rg_lex_keyword(&p->lex, "ridge.graph/1"))
        return rg_lex_fail(&p->lex, RG_FORMAT, "expected 'ridge.graph/1': this is no graph in text form");
    if (rg_lex_peek(&p->lex) == '"') RG_TRY(rg_lex_string(&p->lex, &g->name));
    if (rg_lex_keyword(&p->lex, "opset")) RG_TRY(rg_lex_int(&p->lex, INT32_MIN, INT32_MAX, &opset));
    if (rg_lex_keyword(&p->lex, "ir")) RG_TRY(rg_lex_int(&p->lex, INT64_MIN, INT64_MAX, &g->ir_version));
    if (rg_lex_keyword(&p->lex, "producer")) RG_TRY(rg_lex_string(&p->lex, &g->producer));
    g->opset = (int)opset;
    return RG_OK;
}

static rg_err read_graph(parser *p)
{
    /* Made at once: empty lists of values point into it, too. */
    if (!RG_GROW(&p->scratch, p->ids, p->id_count, p->id_capacity)) return rg_nomem(p->cx);
    RG_TRY(read_head(p));
    while (!rg_lex_keyword(&p->lex, "graph")) RG_TRY(read_line(p));
    RG_TRY(read_region(p, RG_MAIN));
    if (!rg_lex_end(&p->lex)) return rg_lex_fail(&p->lex, RG_FORMAT, "expected the end of the text");
    RG_TRY(rg_graph_finish(p->cx, p->g));
    return rg_graph_verify(p->cx, p->g);
}

rg_err rg_graph_of_text(rg_ctx *cx, rg_str text, const char *source, rg_graph **out)
{
    parser p = {.cx = cx};
    RG_TRY(rg_graph_new(cx, &p.g));
    p.lex = (rg_lex){.cx = cx, .arena = &p.g->arena, .text = text};
    rg_arena_init(&p.scratch, cx);
    rg_map_init(&p.names, &p.scratch);
    rg_map_init(&p.numbers, &p.scratch);
    p.g->source = source ? rg_arena_cstr(&p.g->arena, rg_str_of(source)) : NULL;
    rg_err err = source && !p.g->source ? rg_nomem(cx) : read_graph(&p);
    rg_arena_done(&p.scratch);
    if (err) {
        rg_graph_free(p.g);
        return err;
    }
    *out = p.g;
    return RG_OK;
}
