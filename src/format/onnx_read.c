/* onnx_read.c - an ONNX file becomes a graph: models, graphs, nodes and the names that link them.
 *
 * Every level of the file is read in place (wire.h); only what the graph keeps is made. The nodes of a scope
 * are walked twice: names of outputs first, so that every use finds its value whatever order the nodes are in
 * (ONNX demands a topological one, files differ), and subgraphs may name anything of the graphs around them.
 */
#include "format/onnx.h"
#include "format/onnx_in.h"

#include "op/op.h"

#include <string.h>

/* ---- names ---- */

/* Bytes of the UTF-8 sequence at s[0..left); 0: none, or a NUL. */
static size_t letter(const uint8_t *s, size_t left)
{
    size_t size = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (!s[0] || (s[0] >= 0x80 && s[0] < 0xc2) || s[0] > 0xf4 || size > left) return 0;
    for (size_t i = 1; i < size; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool outside = (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf4 && s[1] >= 0x90);
    return overlong || outside ? 0 : size;
}

/* How many of the first bytes are ASCII and no NUL for sure, which in nearly all names is all of them: looked
 * at eight at a time. */
static size_t plain_letters(rg_str name)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    size_t i = 0;
    for (uint64_t x; i + sizeof x <= name.size; i += sizeof x) {
        memcpy(&x, name.data + i, sizeof x);
        if ((x | (x - ones)) & tops) break; /* a byte has its top bit, or is 0 and borrows */
    }
    return i;
}

rg_err rg_onnx_check_name(rg_ctx *cx, rg_str name, const char *what)
{
    if (name.size > RG_NAME_MAX)
        return rg_fail(cx, RG_LIMIT, "the name of %s has %zu bytes, the limit is %d", what, name.size,
                       RG_NAME_MAX);
    for (size_t i = plain_letters(name), size; i < name.size; i += size)
        if (!(size = letter((const uint8_t *)name.data + i, name.size - i)))
            return rg_fail(cx, RG_FORMAT, "the name of %s is not UTF-8 at byte %zu of %zu", what, i,
                           name.size);
    return RG_OK;
}

rg_err rg_onnx_note_node(rg_ctx *cx, rg_err err, const rg_onnx_node *node)
{
    rg_wire_list outputs = node->output;
    rg_str output = {"", 0};
    if (!err) return RG_OK;
    if (node->name.size)
        return rg_note(cx, err, "node '%.*s' (%.*s)", RG_STR(node->name), RG_STR(node->op_type));
    (void)rg_wire_next(&outputs, &output);
    return rg_note(cx, err, "node of '%.*s' (%.*s)", RG_STR(output), RG_STR(node->op_type));
}

static bool is_taken(const rg_onnx_in *in, rg_str name)
{
    return rg_map_get(in->top, name) || rg_map_get(&in->names, name);
}

/* a and b behind one another, in the graph's arena. */
static rg_err join(rg_onnx_in *in, rg_str a, rg_str b, rg_str *out)
{
    char *to = rg_arena_alloc(&in->g->arena, a.size + b.size);
    if (!to) return rg_nomem(in->cx);
    if (a.size) memcpy(to, a.data, a.size);
    if (b.size) memcpy(to + a.size, b.data, b.size);
    *out = (rg_str){to, a.size + b.size};
    return RG_OK;
}

/* The scope's prefix before `name`; "_1", "_2", ... behind it where sibling bodies use it, too. */
static rg_err make_name(rg_onnx_in *in, const rg_onnx_scope *scope, rg_str name, rg_str *out)
{
    char suffix[16];
    *out = name;
    if (&scope->names == in->top) return RG_OK;
    if (scope->prefix.size) RG_TRY(join(in, scope->prefix, name, out));
    rg_str first = *out;
    uint32_t serial = rg_map_get(&in->names, first);
    for (serial += !serial; is_taken(in, *out); serial++) {
        snprintf(suffix, sizeof suffix, "_%u", serial);
        RG_TRY(join(in, first, rg_str_of(suffix), out));
    }
    bool ok = rg_map_put(&in->names, first, serial) && rg_map_put(&in->names, *out, serial);
    return ok ? RG_OK : rg_nomem(in->cx);
}

/* A name is about to be defined in the scope: it must be one, and new. */
static rg_err admit(rg_onnx_in *in, const rg_onnx_scope *scope, rg_str name, const char *what, rg_str *full)
{
    RG_TRY(rg_onnx_check_name(in->cx, name, what));
    if (!name.size) return rg_fail(in->cx, RG_FORMAT, "%s has no name", what);
    if (rg_map_get(&scope->names, name))
        return rg_fail(in->cx, RG_FORMAT, "'%.*s' is defined twice", RG_STR(name));
    return make_name(in, scope, name, full);
}

static rg_err define(rg_onnx_in *in, rg_onnx_scope *scope, rg_str name, rg_value_id id)
{
    return rg_map_put(&scope->names, name, id + 1) ? RG_OK : rg_nomem(in->cx);
}

static rg_err define_const(rg_onnx_in *in, rg_onnx_scope *scope, rg_str name, const rg_tensor *data)
{
    rg_str full;
    rg_value_id id;
    rg_tensor *kept = RG_NEW(&in->g->arena, rg_tensor, 1);
    if (!kept) return rg_nomem(in->cx);
    *kept = *data;
    RG_TRY(admit(in, scope, name, "a constant", &full));
    RG_TRY(rg_graph_add_const(in->cx, in->g, full, kept, &id));
    return define(in, scope, name, id);
}

rg_err rg_onnx_find_value(rg_onnx_in *in, const rg_onnx_scope *scope, rg_str name, rg_value_id *out)
{
    *out = 0;
    if (!name.size) return RG_OK;
    for (; scope; scope = scope->outer) {
        uint32_t found = rg_map_get(&scope->names, name);
        if (found) {
            *out = found - 1;
            return RG_OK;
        }
    }
    return rg_fail(in->cx, RG_FORMAT, "'%.*s' is not defined by any node, input or initializer",
                   RG_STR(name));
}

/* ---- nodes ---- */

bool rg_onnx_is_main_domain(rg_str domain) { return !domain.size || rg_str_is(domain, "ai.onnx"); }

static const rg_import *import_in(const rg_import *items, uint32_t count, rg_str domain)
{
    bool main = rg_onnx_is_main_domain(domain);
    for (uint32_t i = 0; i < count; i++)
        if (main ? rg_onnx_is_main_domain(items[i].domain) : rg_str_eq(items[i].domain, domain))
            return &items[i];
    return NULL;
}

/* A function's imports come before the model's; of a domain that nobody imports version 1 is meant. */
static rg_err version_of(rg_onnx_in *in, const rg_onnx_scope *scope, rg_str domain, int *out)
{
    const rg_import *found = NULL;
    if (scope->call)
        found = import_in(scope->call->def->imports.items, scope->call->def->imports.count, domain);
    if (!found) found = import_in(in->g->imports, in->g->import_count, domain);
    if (!found && rg_onnx_is_main_domain(domain))
        return rg_fail(in->cx, RG_FORMAT, "the model imports no opset of ai.onnx");
    *out = found ? (int)found->version : 1;
    return RG_OK;
}

static rg_err check_node(rg_ctx *cx, const rg_onnx_node *node)
{
    RG_TRY(rg_onnx_check_name(cx, node->name, "a node"));
    RG_TRY(rg_onnx_check_name(cx, node->op_type, "an operator"));
    RG_TRY(rg_onnx_check_name(cx, node->domain, "a domain"));
    if (!node->op_type.size) return rg_fail(cx, RG_FORMAT, "it names no operator");
    if (!node->input.count && !node->output.count)
        return rg_fail(cx, RG_FORMAT, "it has neither inputs nor outputs");
    if (node->input.count > RG_IO_MAX || node->output.count > RG_IO_MAX)
        return rg_fail(cx, RG_LIMIT, "%u inputs, %u outputs: the limit is %d", node->input.count,
                       node->output.count, RG_IO_MAX);
    if (node->attribute.count > RG_ATTR_MAX)
        return rg_fail(cx, RG_LIMIT, "%u attributes, the limit is %d", node->attribute.count, RG_ATTR_MAX);
    return RG_OK;
}

static bool is_constant(const rg_onnx_node *node)
{
    return rg_str_is(node->op_type, "Constant") && rg_onnx_is_main_domain(node->domain);
}

/* What a node defines. Constants are made here and now. */
static rg_err define_outputs(rg_onnx_in *in, rg_onnx_scope *scope, const rg_onnx_node *node)
{
    rg_wire_list outputs = node->output;
    rg_value_id id;
    rg_tensor data;
    rg_str name, full;
    if (is_constant(node)) {
        if (outputs.count != 1)
            return rg_fail(in->cx, RG_FORMAT, "it has %u outputs, needs 1", outputs.count);
        (void)rg_wire_next(&outputs, &name);
        RG_TRY(rg_onnx_read_constant(in, scope, node, &data));
        return define_const(in, scope, name, &data);
    }
    while (rg_wire_next(&outputs, &name)) {
        if (!name.size) continue;
        RG_TRY(admit(in, scope, name, "an output", &full));
        id = rg_map_get(&scope->bound, name);
        if (!id) RG_TRY(rg_graph_add_value(in->cx, in->g, scope->region, full, NULL, RG_ROLE_NODE, &id));
        RG_TRY(define(in, scope, name, id));
    }
    return RG_OK;
}

static rg_err push_ids(rg_onnx_in *in, const rg_onnx_scope *scope, rg_wire_list names, uint32_t at)
{
    rg_str name;
    for (; rg_wire_next(&names, &name); at++) {
        if (!RG_GROW(&in->scratch, in->ids, at, in->id_capacity)) return rg_nomem(in->cx);
        RG_TRY(rg_onnx_find_value(in, scope, name, &in->ids[at]));
    }
    return RG_OK;
}

static rg_err add_node(rg_onnx_in *in, const rg_onnx_scope *scope, const rg_onnx_node *node)
{
    const rg_onnx_def *def;
    rg_node_id id;
    rg_node like = {.name = node->name, .type = node->op_type};
    if (is_constant(node)) return RG_OK;
    RG_TRY(rg_onnx_find_function(in, node, &def));
    if (def) return rg_onnx_expand(in, scope, node, def);
    if (!rg_onnx_is_main_domain(node->domain)) like.domain = node->domain;
    RG_TRY(version_of(in, scope, node->domain, &like.version));
    if (scope->prefix.size) RG_TRY(join(in, scope->prefix, node->name, &like.name));
    uint32_t in_count = node->input.count, out_count = node->output.count;
    RG_TRY(push_ids(in, scope, node->input, 0));
    RG_TRY(push_ids(in, scope, node->output, in_count));
    RG_TRY(rg_graph_add_node(in->cx, in->g, scope->region, &like, in->ids, in_count,
                             in->ids ? in->ids + in_count : NULL, out_count, &id));
    return rg_onnx_read_attrs(in, scope, id, node->attribute);
}

rg_err rg_onnx_charge(rg_onnx_in *in, size_t byte, size_t node_count)
{
    enum { NODE_BYTE = 256 }; /* what a node costs beside its text, roughly */
    in->unfold_left -= (int64_t)(byte + node_count * NODE_BYTE);
    if (in->unfold_left >= 0) return RG_OK;
    return rg_fail(in->cx, RG_LIMIT, "its functions unfold to more than %d bytes and %d times the file",
                   RG_UNFOLD_BYTE, RG_UNFOLD_FACTOR);
}

rg_err rg_onnx_read_nodes(rg_onnx_in *in, rg_onnx_scope *scope, rg_wire_list nodes)
{
    rg_onnx_node node;
    rg_str bytes;
    rg_err err;
    if (scope->call) RG_TRY(rg_onnx_charge(in, nodes.size, nodes.count));
    if (nodes.count > RG_NODE_MAX)
        return rg_fail(in->cx, RG_LIMIT, "the graph has %u nodes, the limit is %d", nodes.count, RG_NODE_MAX);
    for (rg_wire_list list = nodes; rg_wire_next(&list, &bytes);) {
        RG_TRY_NOTE(in->cx, rg_wire_read(in->cx, bytes, &rg_onnx_node_message, &node), "node %u",
                    nodes.count - list.count);
        err = check_node(in->cx, &node);
        if (!err) err = define_outputs(in, scope, &node);
        if (err) return rg_onnx_note_node(in->cx, err, &node);
    }
    if (scope->region == RG_MAIN && !scope->call) RG_TRY(rg_graph_reserve(in->cx, in->g, 0, nodes.count));
    for (rg_wire_list list = nodes; rg_wire_next(&list, &bytes);) {
        RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_node_message, &node));
        err = add_node(in, scope, &node);
        if (err) return rg_onnx_note_node(in->cx, err, &node);
    }
    return RG_OK;
}

/* ---- graphs ---- */

static rg_err read_initializers(rg_onnx_in *in, rg_onnx_scope *scope, rg_wire_list list)
{
    rg_str bytes, name;
    rg_tensor data;
    while (rg_wire_next(&list, &bytes)) {
        rg_err err = rg_onnx_read_tensor(in, bytes, &data, &name);
        if (!err) err = define_const(in, scope, name, &data);
        if (err) return rg_note(in->cx, err, "initializer '%.*s'", RG_STR(name));
    }
    return RG_OK;
}

/* The model's inputs that have an initializer (all weights, before IR version 4) are constants. */
static rg_err read_inputs(rg_onnx_in *in, rg_onnx_scope *scope, rg_wire_list list)
{
    rg_onnx_value msg;
    rg_value_id id;
    rg_type type;
    rg_str bytes, full;
    if (list.count > RG_IO_MAX)
        return rg_fail(in->cx, RG_LIMIT, "the graph has %u inputs, the limit is %d", list.count, RG_IO_MAX);
    while (rg_wire_next(&list, &bytes)) {
        RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_value_message, &msg));
        uint32_t known = rg_map_get(&scope->names, msg.name);
        if (known && scope->region == RG_MAIN && in->g->values[known - 1].role == RG_ROLE_CONST) continue;
        RG_TRY_NOTE(in->cx, rg_onnx_read_type(in, msg.type, scope->region == RG_MAIN, &type), "input '%.*s'",
                    RG_STR(msg.name));
        RG_TRY(admit(in, scope, msg.name, "an input", &full));
        RG_TRY(rg_graph_add_value(in->cx, in->g, scope->region, full, &type, RG_ROLE_INPUT, &id));
        RG_TRY(rg_graph_add_input(in->cx, in->g, scope->region, id));
        RG_TRY(define(in, scope, msg.name, id));
    }
    return RG_OK;
}

/* What the file says about a value that a node makes; inference holds it against what it finds. */
static rg_err state_type(rg_onnx_in *in, rg_value_id id, const rg_onnx_value *msg)
{
    rg_type type;
    if (!id || in->g->values[id].role != RG_ROLE_NODE || in->g->values[id].type.kind != RG_KIND_UNKNOWN)
        return RG_OK;
    RG_TRY_NOTE(in->cx, rg_onnx_read_type(in, msg->type, false, &type), "value '%.*s'", RG_STR(msg->name));
    in->g->values[id].type = type;
    return RG_OK;
}

static rg_err read_outputs(rg_onnx_in *in, const rg_onnx_scope *scope, rg_wire_list list)
{
    rg_onnx_value msg;
    rg_value_id id;
    rg_str bytes;
    if (list.count > RG_IO_MAX)
        return rg_fail(in->cx, RG_LIMIT, "the graph has %u outputs, the limit is %d", list.count, RG_IO_MAX);
    while (rg_wire_next(&list, &bytes)) {
        RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_value_message, &msg));
        if (!msg.name.size) return rg_fail(in->cx, RG_FORMAT, "an output of the graph has no name");
        RG_TRY_NOTE(in->cx, rg_onnx_find_value(in, scope, msg.name, &id), "output of the graph");
        RG_TRY(rg_graph_add_output(in->cx, in->g, scope->region, id));
        RG_TRY(state_type(in, id, &msg));
    }
    return RG_OK;
}

static rg_err read_value_infos(rg_onnx_in *in, const rg_onnx_scope *scope, rg_wire_list list)
{
    rg_onnx_value msg;
    rg_str bytes;
    while (rg_wire_next(&list, &bytes)) {
        RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_value_message, &msg));
        uint32_t known = rg_map_get(&scope->names, msg.name);
        if (known) RG_TRY(state_type(in, known - 1, &msg));
    }
    return RG_OK;
}

/* Room for what the model's graph will define, which the file says before: as many as it lists, and no more
 * than what the reader can afford before it has looked at them. Bodies grow the tables as they come. */
static rg_err reserve_values(rg_onnx_in *in, rg_onnx_scope *scope, const rg_onnx_graph *msg)
{
    enum { BYTE_MIN = 64 }; /* a node or constant with the names that exporters give is longer */
    size_t size = msg->node.size + msg->initializer.size + msg->input.size;
    size_t total = (size_t)msg->node.count + msg->initializer.count + msg->input.count;
    if (total > size / BYTE_MIN) total = size / BYTE_MIN;
    total += total / 8; /* attributes of older opsets that become constants */
    if (scope->region != RG_MAIN || total > RG_VALUE_MAX) return RG_OK;
    RG_TRY(rg_graph_reserve(in->cx, in->g, (uint32_t)total, 0));
    return rg_map_reserve(&scope->names, (uint32_t)total) ? RG_OK : rg_nomem(in->cx);
}

rg_err rg_onnx_read_graph(rg_onnx_in *in, rg_onnx_scope *scope, rg_str bytes)
{
    rg_onnx_graph msg;
    RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_graph_message, &msg));
    RG_TRY(rg_onnx_check_name(in->cx, msg.name, "a graph"));
    in->g->regions[scope->region].name = msg.name;
    if (msg.sparse_initializer.count)
        return rg_fail(in->cx, RG_UNSUPPORTED,
                       "graph '%.*s' has %u sparse initializers, which are not supported; dense ones are",
                       RG_STR(msg.name), msg.sparse_initializer.count);
    RG_TRY(reserve_values(in, scope, &msg));
    RG_TRY(read_initializers(in, scope, msg.initializer));
    RG_TRY(read_inputs(in, scope, msg.input));
    RG_TRY(rg_onnx_read_nodes(in, scope, msg.node));
    RG_TRY(read_outputs(in, scope, msg.output));
    return read_value_infos(in, scope, msg.value_info);
}

/* ---- models ---- */

rg_err rg_onnx_read_imports(rg_onnx_in *in, rg_wire_list list, rg_onnx_imports *out)
{
    rg_onnx_opset msg;
    rg_str bytes;
    if (list.count > RG_IMPORT_MAX)
        return rg_fail(in->cx, RG_LIMIT, "%u opset imports, the limit is %d", list.count, RG_IMPORT_MAX);
    *out = (rg_onnx_imports){.items = RG_NEW(&in->g->arena, rg_import, list.count)};
    if (!out->items) return rg_nomem(in->cx);
    while (rg_wire_next(&list, &bytes)) {
        RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_opset_message, &msg));
        RG_TRY(rg_onnx_check_name(in->cx, msg.domain, "a domain"));
        bool main = rg_onnx_is_main_domain(msg.domain);
        if (msg.version < 1 || msg.version > INT32_MAX)
            return rg_fail(in->cx, RG_FORMAT, "the opset import of domain '%.*s' has version %lld",
                           RG_STR(msg.domain), (long long)msg.version);
        if (main && msg.version > RG_OPSET_MAX)
            return rg_fail(in->cx, RG_UNSUPPORTED, "opset %lld is newer than %d", (long long)msg.version,
                           RG_OPSET_MAX);
        if (import_in(out->items, out->count, msg.domain))
            return rg_fail(in->cx, RG_FORMAT, "domain '%.*s' is imported twice", RG_STR(msg.domain));
        out->items[out->count++] = (rg_import){main ? RG_LIT("") : msg.domain, msg.version};
    }
    return RG_OK;
}

static rg_err read_head(rg_onnx_in *in, const rg_onnx_model *msg)
{
    rg_graph *g = in->g;
    rg_onnx_imports imports;
    if (!RG_ONNX_HAS(msg, model, graph))
        return rg_fail(in->cx, RG_FORMAT, "not an ONNX model: it holds no graph");
    if (msg->ir_version < 1)
        return rg_fail(in->cx, RG_FORMAT, "IR version %lld does not exist", (long long)msg->ir_version);
    if (msg->ir_version > RG_ONNX_IR_MAX)
        return rg_fail(in->cx, RG_UNSUPPORTED, "IR version %lld is newer than %d", (long long)msg->ir_version,
                       RG_ONNX_IR_MAX);
    RG_TRY(rg_onnx_check_name(in->cx, msg->producer_name, "the producer"));
    RG_TRY(rg_onnx_read_imports(in, msg->opset_import, &imports));
    g->producer = msg->producer_name;
    g->ir_version = msg->ir_version;
    g->imports = imports.items;
    g->import_count = g->import_capacity = imports.count;
    if (!imports.count && msg->ir_version < 3) { /* from before there were opsets: the first one is meant */
        if (!RG_GROW(&g->arena, g->imports, 0, g->import_capacity)) return rg_nomem(in->cx);
        g->imports[g->import_count++] = (rg_import){RG_LIT(""), 1};
    }
    const rg_import *main = import_in(g->imports, g->import_count, RG_LIT(""));
    g->opset = main ? (int)main->version : 0;
    return RG_OK;
}

static rg_err read_model(rg_onnx_in *in)
{
    rg_onnx_model msg;
    rg_onnx_scope scope = {.region = RG_MAIN};
    rg_map_init(&scope.names, &in->scratch);
    rg_map_init(&scope.bound, &in->scratch);
    in->top = &scope.names;
    RG_TRY_NOTE(in->cx, rg_wire_read(in->cx, in->bytes, &rg_onnx_model_message, &msg),
                "not a whole ONNX model");
    RG_TRY(read_head(in, &msg));
    RG_TRY(rg_onnx_read_functions(in, msg.functions));
    RG_TRY(rg_onnx_read_graph(in, &scope, msg.graph));
    in->g->name = in->g->regions[RG_MAIN].name;
    RG_TRY(rg_graph_finish(in->cx, in->g));
    return rg_graph_resolve(in->cx, in->g);
}

rg_err rg_onnx_keep_file(rg_onnx_in *in, rg_file *file)
{
    rg_graph *g = in->g;
    rg_file **grown = rg_arena_grow(&g->arena, g->files, g->file_count, &g->file_capacity, sizeof *g->files);
    if (!grown) {
        rg_file_unref(file);
        return rg_nomem(in->cx);
    }
    g->files = grown;
    g->files[g->file_count++] = file;
    return RG_OK;
}

/* `file` is what the bytes are of, or NULL; the graph keeps it. */
static rg_err import(rg_ctx *cx, rg_str bytes, const char *source, rg_file *file, rg_graph **out)
{
    rg_onnx_in in = {.cx = cx, .bytes = bytes, .source = source};
    RG_TRY(rg_graph_new(cx, &in.g));
    in.g->source = source;
    in.unfold_left =
        RG_UNFOLD_BYTE + (int64_t)(bytes.size < INT64_MAX / 16 ? bytes.size : 0) * RG_UNFOLD_FACTOR;
    rg_arena_init(&in.scratch, cx);
    rg_map_init(&in.names, &in.scratch);
    rg_map_init(&in.files, &in.scratch);
    rg_map_init(&in.functions, &in.scratch);
    rg_text_init(&in.key, &in.scratch);
    rg_err err = file ? rg_onnx_keep_file(&in, rg_file_ref(file)) : RG_OK;
    if (!err) err = read_model(&in);
    rg_arena_done(&in.scratch);
    if (err) {
        rg_graph_free(in.g);
        return source ? rg_note(cx, err, "%s", rg_path_base(source)) : err;
    }
    *out = in.g;
    return RG_OK;
}

rg_err rg_onnx_parse(rg_ctx *cx, rg_str bytes, const char *source, rg_graph **out)
{
    return import(cx, bytes, source, NULL, out);
}

rg_err rg_onnx_load(rg_ctx *cx, const char *path, rg_graph **out)
{
    rg_file *file;
    RG_TRY(rg_file_map(cx, path, &file));
    rg_err err = import(cx, rg_file_bytes(file), rg_file_path(file), file, out);
    rg_file_unref(file);
    return err;
}
