/* onnx_attr.c - attributes of nodes, and Constant nodes, which are nothing but an attribute.
 *
 * Inside of a function an attribute may name one of the calling node instead of a value. It is looked up when
 * it is read, in the call's own scope, so that calls within calls and graphs given as attributes need no
 * special care.
 */
#include "format/onnx_in.h"

#include <string.h>

static const struct { uint64_t field; rg_attr_kind kind; } kinds[] = { /* by AttributeProto.type */
#define X(id, number, field) [number] = {UINT64_C(1) << RG_ONNX_attribute_##field, RG_ATTR_##id},
    RG_ONNX_ATTR_LIST(X)
#undef X
};

/* Files of the first IR versions leave the type out: the field that is there tells. */
static rg_err kind_of(rg_ctx *cx, const rg_onnx_attribute *msg, rg_attr_kind *out)
{
    *out = RG_ATTR_NONE;
    if (msg->type > 0 && msg->type < (int64_t)RG_COUNT(kinds)) *out = kinds[msg->type].kind;
    for (size_t i = 0; !msg->type && !*out && i < RG_COUNT(kinds); i++)
        if (msg->has & kinds[i].field) *out = kinds[i].kind;
    if (*out) return RG_OK;
    if (!msg->type) return rg_fail(cx, RG_FORMAT, "it has no value");
    return rg_fail(cx, RG_UNSUPPORTED, "its type %lld is not supported", (long long)msg->type);
}

static rg_err read_graph(rg_onnx_in *in, const rg_onnx_scope *outer, rg_node_id owner, rg_str bytes,
                         rg_region_id *out)
{
    rg_onnx_scope scope = {
        .outer = outer, .call = outer->call, .prefix = outer->prefix, .depth = outer->depth + 1,
    };
    if (!owner) return rg_fail(in->cx, RG_FORMAT, "a graph cannot stand here");
    if (scope.depth > RG_NEST_MAX)
        return rg_fail(in->cx, RG_LIMIT, "graphs and calls nest deeper than %d", RG_NEST_MAX);
    RG_TRY(rg_graph_add_region(in->cx, in->g, owner, &scope.region));
    rg_map_init(&scope.names, &in->scratch);
    rg_map_init(&scope.bound, &in->scratch);
    *out = scope.region;
    return rg_onnx_read_graph(in, &scope, bytes);
}

static rg_err read_tensor(rg_onnx_in *in, rg_str bytes, const rg_tensor **out)
{
    rg_str name;
    rg_tensor *tensor = RG_NEW(&in->g->arena, rg_tensor, 1);
    if (!tensor) return rg_nomem(in->cx);
    *out = tensor;
    return rg_onnx_read_tensor(in, bytes, tensor, &name);
}

static rg_err read_type(rg_onnx_in *in, rg_str bytes, const rg_type **out)
{
    rg_type *type = RG_NEW(&in->g->arena, rg_type, 1);
    if (!type) return rg_nomem(in->cx);
    *out = type;
    return rg_onnx_read_type(in, bytes, false, type);
}

/* The plural kinds whose elements are messages or strings. */
static rg_err read_list(rg_onnx_in *in, const rg_onnx_scope *scope, rg_node_id owner, rg_wire_list list,
                        rg_attr *out)
{
    static const size_t sizes[] = {
        [RG_ATTR_STRINGS] = sizeof(rg_str),
        [RG_ATTR_TENSORS] = sizeof(rg_tensor *),
        [RG_ATTR_GRAPHS] = sizeof(rg_region_id),
    };
    void *items = rg_arena_array(&in->g->arena, list.count, sizes[out->kind]);
    rg_str bytes;
    if (!items) return rg_nomem(in->cx);
    out->count = list.count;
    for (size_t i = 0; rg_wire_next(&list, &bytes); i++) {
        if (out->kind == RG_ATTR_STRINGS) ((rg_str *)items)[i] = bytes;
        else if (out->kind == RG_ATTR_TENSORS) RG_TRY(read_tensor(in, bytes, (const rg_tensor **)items + i));
        else RG_TRY(read_graph(in, scope, owner, bytes, (rg_region_id *)items + i));
    }
    if (out->kind == RG_ATTR_STRINGS) out->strings = items;
    else if (out->kind == RG_ATTR_TENSORS) out->tensors = items;
    else out->regions = items;
    return RG_OK;
}

static rg_err read_numbers(rg_onnx_in *in, const rg_onnx_attribute *msg, rg_attr *out)
{
    size_t count;
    if (out->kind == RG_ATTR_INTS) RG_TRY(rg_wire_ints(in->cx, &in->g->arena, msg->ints, &out->ints, &count));
    else RG_TRY(rg_wire_floats(in->cx, &in->g->arena, msg->floats, &out->floats, &count));
    if (count > UINT32_MAX)
        return rg_fail(in->cx, RG_LIMIT, "it has %zu elements, the limit is %u", count, UINT32_MAX);
    out->count = (uint32_t)count;
    return RG_OK;
}

static rg_err read_value(rg_onnx_in *in, const rg_onnx_scope *scope, rg_node_id owner,
                         const rg_onnx_attribute *msg, rg_attr *out)
{
    RG_TRY(kind_of(in->cx, msg, &out->kind));
    switch (out->kind) {
    case RG_ATTR_INT: out->i = msg->i; return RG_OK;
    case RG_ATTR_FLOAT: out->f = (double)msg->f; return RG_OK;
    case RG_ATTR_STRING: out->s = msg->s; return RG_OK;
    case RG_ATTR_TENSOR: return read_tensor(in, msg->t, &out->tensor);
    case RG_ATTR_GRAPH: return read_graph(in, scope, owner, msg->g, &out->region);
    case RG_ATTR_TYPE: return read_type(in, msg->tp, &out->type);
    case RG_ATTR_STRINGS: return read_list(in, scope, owner, msg->strings, out);
    case RG_ATTR_TENSORS: return read_list(in, scope, owner, msg->tensors, out);
    case RG_ATTR_GRAPHS: return read_list(in, scope, owner, msg->graphs, out);
    default: return read_numbers(in, msg, out);
    }
}

/* ---- references to attributes of the caller ---- */

/* What is found is made anew for every reference to it, which counts as unfolding. */
static rg_err find_named(rg_onnx_in *in, rg_wire_list list, rg_str name, rg_onnx_attribute *msg, bool *found)
{
    rg_str bytes;
    *found = false;
    while (rg_wire_next(&list, &bytes)) {
        RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_attribute_message, msg));
        *found = rg_str_eq(msg->name, name);
        if (*found) return rg_onnx_charge(in, bytes.size, 0);
    }
    return RG_OK;
}

/* Follows a reference, through as many calls as it takes, to the call's attribute, else to the function's
 * default. *scope becomes the one that it belongs to; *found false: nobody gives the attribute a value. */
static rg_err follow(rg_onnx_in *in, const rg_onnx_scope **scope, rg_onnx_attribute *msg, bool *found)
{
    for (*found = true; *found && msg->ref_attr_name.size;) {
        const rg_onnx_call *call = (*scope)->call;
        rg_str wanted = msg->ref_attr_name;
        if (!call)
            return rg_fail(in->cx, RG_FORMAT,
                           "it refers to '%.*s' of a calling node, but stands in no function",
                           RG_STR(wanted));
        RG_TRY(find_named(in, call->node->attribute, wanted, msg, found));
        if (*found) {
            *scope = call->caller;
            continue;
        }
        RG_TRY(find_named(in, call->def->msg.attribute_proto, wanted, msg, found));
        if (*found && msg->ref_attr_name.size)
            return rg_fail(in->cx, RG_FORMAT, "the default of attribute '%.*s' is a reference, not a value",
                           RG_STR(wanted));
    }
    return RG_OK;
}

rg_err rg_onnx_read_attr(rg_onnx_in *in, const rg_onnx_scope *scope, rg_node_id owner, rg_str bytes,
                         rg_attr *out)
{
    rg_onnx_attribute msg;
    bool found;
    *out = (rg_attr){.kind = RG_ATTR_NONE};
    RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_attribute_message, &msg));
    out->name = msg.name;
    RG_TRY(rg_onnx_check_name(in->cx, msg.name, "an attribute"));
    rg_err err = follow(in, &scope, &msg, &found);
    if (!err && found) err = read_value(in, scope, owner, &msg, out);
    return err ? rg_note(in->cx, err, "attribute '%.*s'", RG_STR(out->name)) : RG_OK;
}

rg_err rg_onnx_read_attrs(rg_onnx_in *in, const rg_onnx_scope *scope, rg_node_id owner, rg_wire_list list)
{
    rg_str bytes;
    uint32_t count = 0;
    if (!list.count) return RG_OK;
    rg_attr *attrs = RG_NEW(&in->g->arena, rg_attr, list.count);
    if (!attrs) return rg_nomem(in->cx);
    while (rg_wire_next(&list, &bytes)) {
        RG_TRY(rg_onnx_read_attr(in, scope, owner, bytes, &attrs[count]));
        count += attrs[count].kind != RG_ATTR_NONE;
    }
    rg_attrs_sort(attrs, count);
    for (uint32_t i = 1; i < count; i++)
        if (rg_str_eq(attrs[i - 1].name, attrs[i].name))
            return rg_fail(in->cx, RG_FORMAT, "attribute '%.*s' is given twice", RG_STR(attrs[i].name));
    in->g->nodes[owner].attrs = attrs;
    in->g->nodes[owner].attr_count = count;
    return RG_OK;
}

/* ---- Constant ---- */

static const struct { const char *name; rg_attr_kind kind; rg_dtype dtype; int rank; } forms[] = {
    {"value",         RG_ATTR_TENSOR,  RG_DTYPE_NONE, 0},
    {"value_float",   RG_ATTR_FLOAT,   RG_F32,        0},
    {"value_floats",  RG_ATTR_FLOATS,  RG_F32,        1},
    {"value_int",     RG_ATTR_INT,     RG_I64,        0},
    {"value_ints",    RG_ATTR_INTS,    RG_I64,        1},
    {"value_string",  RG_ATTR_STRING,  RG_STR,        0},
    {"value_strings", RG_ATTR_STRINGS, RG_STR,        1},
};

/* A constant of `count` elements: int64s and strings as the attribute has them, floats narrowed. */
static rg_err spread(rg_onnx_in *in, const rg_attr *attr, rg_dtype dtype, int rank, rg_tensor *out)
{
    int64_t count = rank ? attr->count : 1, *dim = RG_NEW(&in->g->arena, int64_t, 1);
    size_t element = dtype == RG_F32 ? sizeof(float) : dtype == RG_I64 ? sizeof(int64_t) : sizeof(rg_str);
    char *data = rg_arena_array(&in->g->arena, (size_t)count, element);
    if (!data || !dim) return rg_nomem(in->cx);
    *dim = count;
    const void *from = !rank ? (const void *)&attr->i : attr->ints; /* members of one union */
    for (int64_t i = 0; dtype == RG_F32 && i < count; i++)
        ((float *)(void *)data)[i] = (float)((const double *)from)[i];
    if (dtype != RG_F32 && count) memcpy(data, from, (size_t)count * element);
    *out = (rg_tensor){
        .dtype = dtype,
        .rank = rank,
        .dim = dim,
        .count = count,
        .encoding = dtype == RG_STR ? RG_DATA_STRING : RG_DATA_RAW,
        .data = data,
        .size = (size_t)count * element,
    };
    return RG_OK;
}

rg_err rg_onnx_read_constant(rg_onnx_in *in, const rg_onnx_scope *scope, const rg_onnx_node *node,
                             rg_tensor *out)
{
    rg_attr attr = {.kind = RG_ATTR_NONE};
    rg_wire_list list = node->attribute;
    rg_str bytes;
    size_t form = 0;
    if (list.count != 1)
        return rg_fail(in->cx, RG_FORMAT, "it has %u attributes, needs one value", list.count);
    (void)rg_wire_next(&list, &bytes);
    RG_TRY(rg_onnx_read_attr(in, scope, 0, bytes, &attr));
    while (form < RG_COUNT(forms) && !rg_str_is(attr.name, forms[form].name)) form++;
    if (form == RG_COUNT(forms))
        return rg_fail(in->cx, RG_UNSUPPORTED, "attribute '%.*s' is not supported; value and value_* are",
                       RG_STR(attr.name));
    if (attr.kind != forms[form].kind)
        return rg_fail(in->cx, RG_FORMAT, "attribute '%.*s' has a value of another kind", RG_STR(attr.name));
    if (attr.kind != RG_ATTR_TENSOR) return spread(in, &attr, forms[form].dtype, forms[form].rank, out);
    *out = *attr.tensor;
    return RG_OK;
}
