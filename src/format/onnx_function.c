/* onnx_function.c - model-local functions, expanded where they are called.
 *
 * A call leaves no trace but the prefix of the names that its body makes. The outputs of the call are values
 * already (rg_onnx_read_nodes makes them first), so the body's nodes write straight into them; an Identity
 * stands in where the body hands on an input or a constant.
 */
#include "format/onnx_in.h"

enum { PREFIX_MAX = 200 }; /* bytes of a name's prefix; deeper calls are numbered instead */

/* NUL stands in no name, so that no two triples share a key. */
static rg_err key_of(rg_onnx_in *in, rg_str domain, rg_str name, rg_str overload, rg_str *out)
{
    in->key.size = 0;
    rg_text_put(&in->key, rg_onnx_is_main_domain(domain) ? RG_LIT("") : domain);
    rg_text_char(&in->key, 0);
    rg_text_put(&in->key, name);
    rg_text_char(&in->key, 0);
    rg_text_put(&in->key, overload);
    *out = (rg_str){in->key.data, in->key.size};
    return in->key.failed ? rg_nomem(in->cx) : RG_OK;
}

static rg_err read_function(rg_onnx_in *in, rg_str bytes, rg_onnx_def *def)
{
    rg_str key;
    RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_function_message, &def->msg));
    RG_TRY(rg_onnx_check_name(in->cx, def->msg.domain, "a domain"));
    RG_TRY(rg_onnx_check_name(in->cx, def->msg.name, "a function"));
    RG_TRY(rg_onnx_check_name(in->cx, def->msg.overload, "an overload"));
    RG_TRY_NOTE(in->cx, rg_onnx_read_imports(in, def->msg.opset_import, &def->imports), "function '%.*s'",
                RG_STR(def->msg.name));
    if (def->msg.attribute_proto.count > RG_ATTR_MAX)
        return rg_fail(in->cx, RG_LIMIT, "function '%.*s' has %u attributes, the limit is %d",
                       RG_STR(def->msg.name), def->msg.attribute_proto.count, RG_ATTR_MAX);
    RG_TRY(key_of(in, def->msg.domain, def->msg.name, def->msg.overload, &key));
    if (rg_map_get(&in->functions, key))
        return rg_fail(in->cx, RG_FORMAT, "function '%.*s' is defined twice", RG_STR(def->msg.name));
    key = rg_arena_str(&in->scratch, key);
    if (!key.data || !rg_map_put(&in->functions, key, (uint32_t)(def - in->defs) + 1))
        return rg_nomem(in->cx);
    return RG_OK;
}

rg_err rg_onnx_read_functions(rg_onnx_in *in, rg_wire_list list)
{
    rg_str bytes;
    in->defs = RG_NEW(&in->scratch, rg_onnx_def, list.count);
    if (!in->defs) return rg_nomem(in->cx);
    for (rg_onnx_def *def = in->defs; rg_wire_next(&list, &bytes); def++)
        RG_TRY(read_function(in, bytes, def));
    return RG_OK;
}

rg_err rg_onnx_find_function(rg_onnx_in *in, const rg_onnx_node *node, const rg_onnx_def **out)
{
    rg_str key;
    *out = NULL;
    if (!in->functions.count) return RG_OK;
    RG_TRY(key_of(in, node->domain, node->op_type, node->overload, &key));
    uint32_t found = rg_map_get(&in->functions, key);
    if (found) *out = &in->defs[found - 1];
    return RG_OK;
}

/* ---- one call ---- */

static rg_err check_call(rg_onnx_in *in, const rg_onnx_scope *scope, const rg_onnx_call *call)
{
    const rg_onnx_function *f = &call->def->msg;
    for (const rg_onnx_call *c = call->caller->call; c; c = c->caller->call)
        if (c->def == call->def)
            return rg_fail(in->cx, RG_FORMAT, "function '%.*s' calls itself", RG_STR(f->name));
    if (scope->depth > RG_NEST_MAX)
        return rg_fail(in->cx, RG_LIMIT, "graphs and calls nest deeper than %d", RG_NEST_MAX);
    if (call->node->input.count > f->input.count || call->node->output.count > f->output.count)
        return rg_fail(in->cx, RG_FORMAT, "it has %u inputs and %u outputs, the function has %u and %u",
                       call->node->input.count, call->node->output.count, f->input.count, f->output.count);
    return RG_OK;
}

static rg_err make_prefix(rg_onnx_in *in, const rg_onnx_call *call, rg_str *out)
{
    rg_str outer = call->caller->prefix, name = call->node->name;
    uint32_t serial = in->call_count++;
    const char *text = outer.size + name.size < PREFIX_MAX && name.size
                           ? rg_arena_printf(&in->scratch, "%.*s%.*s/", RG_STR(outer), RG_STR(name))
                           : rg_arena_printf(&in->scratch, "call%u/", serial);
    *out = rg_str_of(text);
    return text ? RG_OK : rg_nomem(in->cx);
}

static rg_err bind_inputs(rg_onnx_in *in, rg_onnx_scope *scope, const rg_onnx_call *call)
{
    rg_wire_list formal = call->def->msg.input, actual = call->node->input;
    rg_str name, given;
    rg_value_id id;
    while (rg_wire_next(&formal, &name)) {
        if (!rg_wire_next(&actual, &given)) given = (rg_str){"", 0};
        RG_TRY(rg_onnx_find_value(in, call->caller, given, &id));
        if (rg_map_get(&scope->names, name))
            return rg_fail(in->cx, RG_FORMAT, "the function has two inputs '%.*s'", RG_STR(name));
        if (!rg_map_put(&scope->names, name, id + 1)) return rg_nomem(in->cx);
    }
    return RG_OK;
}

static rg_err bind_outputs(rg_onnx_in *in, rg_onnx_scope *scope, const rg_onnx_call *call)
{
    rg_wire_list formal = call->def->msg.output, actual = call->node->output;
    rg_str name, given;
    rg_value_id id;
    while (rg_wire_next(&actual, &given) && rg_wire_next(&formal, &name)) {
        RG_TRY(rg_onnx_find_value(in, call->caller, given, &id));
        if (id && !rg_map_put(&scope->bound, name, id)) return rg_nomem(in->cx);
    }
    return RG_OK;
}

/* Every output of the call must be defined now; what is not the body's own node is handed on. */
static rg_err close_outputs(rg_onnx_in *in, const rg_onnx_scope *scope, const rg_onnx_call *call)
{
    rg_wire_list formal = call->def->msg.output, actual = call->node->output;
    rg_node identity = {.type = RG_LIT("Identity"), .version = 1};
    rg_str name, given;
    rg_value_id want, have;
    rg_node_id node;
    while (rg_wire_next(&actual, &given) && rg_wire_next(&formal, &name)) {
        RG_TRY(rg_onnx_find_value(in, call->caller, given, &want));
        if (!want) continue;
        RG_TRY_NOTE(in->cx, rg_onnx_find_value(in, scope, name, &have), "output '%.*s'", RG_STR(name));
        if (!have)
            return rg_fail(in->cx, RG_FORMAT, "output '%.*s' hands on an input that the call omits",
                           RG_STR(name));
        if (have == want) continue;
        RG_TRY(rg_graph_add_node(in->cx, in->g, scope->region, &identity, &have, 1, &want, 1, &node));
    }
    return RG_OK;
}

rg_err rg_onnx_expand(rg_onnx_in *in, const rg_onnx_scope *caller, const rg_onnx_node *node,
                      const rg_onnx_def *def)
{
    rg_onnx_call call = {def, node, caller};
    rg_onnx_scope scope = {.call = &call, .region = caller->region, .depth = caller->depth + 1};
    rg_map_init(&scope.names, &in->scratch);
    rg_map_init(&scope.bound, &in->scratch);
    RG_TRY(check_call(in, &scope, &call));
    RG_TRY(make_prefix(in, &call, &scope.prefix));
    RG_TRY(bind_inputs(in, &scope, &call));
    RG_TRY(bind_outputs(in, &scope, &call));
    rg_err err = rg_onnx_read_nodes(in, &scope, def->msg.node);
    if (!err) err = close_outputs(in, &scope, &call);
    return err ? rg_note(in->cx, err, "function '%.*s'", RG_STR(def->msg.name)) : RG_OK;
}
