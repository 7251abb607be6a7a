/* onnx_type.c - what the file says about the types of its values.
 *
 * A dimension is a number, a named symbol or nothing. Inputs of the model without a name get one, d0, d1,
 * ...: they are what the user binds. Elsewhere a dimension that the file is silent about is for inference to
 * find: such a shape counts as not stated.
 */
#include "format/onnx_in.h"

#include <ctype.h>
#include <string.h>

static bool names_nothing(rg_str name) { return !name.size || rg_str_is(name, "?"); }

/* Exporters write sums of other dimensions: "past_sequence_length + 1". All else is a name as it stands. */
static bool read_sum(rg_dims *dims, rg_str text, rg_dim *out)
{
    rg_str part;
    rg_dim sum = 0;
    if (!text.size || !memchr(text.data, '+', text.size)) return false;
    while (rg_str_cut(&text, '+', &part)) {
        int64_t number;
        for (; part.size && part.data[0] == ' '; part.data++) part.size--;
        while (part.size && part.data[part.size - 1] == ' ') part.size--;
        for (size_t i = 0; i < part.size; i++)
            if (part.data[i] != '_' && !isalnum((unsigned char)part.data[i])) return false;
        if (!part.size) return false;
        bool counts = rg_str_int(part, &number);
        sum = rg_dim_add(dims, sum, counts ? number : rg_dim_symbol(dims, part, 0, INT64_MAX, 1));
    }
    *out = sum;
    return true;
}

static rg_err read_dim(rg_onnx_in *in, rg_str bytes, bool input, rg_dim *out, bool *known)
{
    rg_onnx_dim msg;
    rg_dims *dims = &in->g->dims;
    char serial[16];
    RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_dim_message, &msg));
    *known = true;
    if (RG_ONNX_HAS(&msg, dim, dim_value) && msg.dim_value >= 0) {
        *out = msg.dim_value;
        return RG_OK;
    }
    rg_str name = msg.dim_param;
    RG_TRY(rg_onnx_check_name(in->cx, name, "a dimension"));
    if (names_nothing(name) && !input) {
        *known = false;
        return RG_OK;
    }
    if (names_nothing(name)) {
        snprintf(serial, sizeof serial, "d%u", in->unnamed_dim_count++);
        name = rg_arena_str(&in->g->arena, rg_str_of(serial));
        if (!name.data) return rg_nomem(in->cx);
    }
    if (!read_sum(dims, name, out)) *out = rg_dim_symbol(dims, name, 0, INT64_MAX, 1);
    return RG_OK;
}

static rg_err read_tensor_type(rg_onnx_in *in, rg_str bytes, rg_kind kind, bool input, rg_type *out)
{
    rg_onnx_tensor_type msg;
    rg_onnx_shape shape;
    rg_str dim;
    bool known = true;
    RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_tensor_type_message, &msg));
    if (msg.elem_type < RG_DTYPE_NONE || msg.elem_type >= RG_DTYPE_END)
        return rg_fail(in->cx, RG_UNSUPPORTED, "element type %lld is not known; the last one is %d",
                       (long long)msg.elem_type, RG_DTYPE_END - 1);
    *out = (rg_type){.kind = kind, .dtype = (rg_dtype)msg.elem_type, .rank = -1};
    if (!RG_ONNX_HAS(&msg, tensor_type, shape)) return RG_OK;
    RG_TRY(rg_wire_read(in->cx, msg.shape, &rg_onnx_shape_message, &shape));
    if (shape.dim.count > RG_RANK_MAX)
        return rg_fail(in->cx, RG_LIMIT, "rank %u, the limit is %d", shape.dim.count, RG_RANK_MAX);
    for (out->rank = 0; known && rg_wire_next(&shape.dim, &dim); out->rank++)
        RG_TRY(read_dim(in, dim, input, &out->dim[out->rank], &known));
    if (!known) *out = (rg_type){.kind = kind, .dtype = out->dtype, .rank = -1};
    return RG_OK;
}

static rg_err read_at(rg_onnx_in *in, rg_str bytes, bool input, int depth, rg_type *out);

static rg_err read_elem(rg_onnx_in *in, rg_str bytes, bool input, int depth, const rg_type **out)
{
    rg_type *elem = RG_NEW(&in->g->arena, rg_type, 1);
    if (!elem) return rg_nomem(in->cx);
    *out = elem;
    return read_at(in, bytes, input, depth + 1, elem);
}

static rg_err read_at(rg_onnx_in *in, rg_str bytes, bool input, int depth, rg_type *out)
{
    rg_onnx_type msg;
    rg_onnx_elem_type holder;
    rg_onnx_map_type map;
    *out = (rg_type){.kind = RG_KIND_UNKNOWN, .rank = -1};
    if (depth > RG_NEST_MAX) return rg_fail(in->cx, RG_LIMIT, "its type nests deeper than %d", RG_NEST_MAX);
    RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_type_message, &msg));
    if (RG_ONNX_HAS(&msg, type, tensor)) return read_tensor_type(in, msg.tensor, RG_KIND_TENSOR, input, out);
    if (RG_ONNX_HAS(&msg, type, sparse)) return read_tensor_type(in, msg.sparse, RG_KIND_SPARSE, input, out);
    if (RG_ONNX_HAS(&msg, type, map)) {
        RG_TRY(rg_wire_read(in->cx, msg.map, &rg_onnx_map_type_message, &map));
        if (map.key_type < RG_DTYPE_NONE || map.key_type >= RG_DTYPE_END)
            return rg_fail(in->cx, RG_UNSUPPORTED, "key type %lld is not known", (long long)map.key_type);
        out->kind = RG_KIND_MAP;
        out->dtype = (rg_dtype)map.key_type;
        return read_elem(in, map.value_type, input, depth, &out->elem);
    }
    bool sequence = RG_ONNX_HAS(&msg, type, sequence);
    if (!sequence && !RG_ONNX_HAS(&msg, type, optional)) return RG_OK;
    RG_TRY(rg_wire_read(in->cx, sequence ? msg.sequence : msg.optional, &rg_onnx_elem_type_message, &holder));
    out->kind = sequence ? RG_KIND_SEQUENCE : RG_KIND_OPTIONAL;
    return read_elem(in, holder.elem_type, input, depth, &out->elem);
}

rg_err rg_onnx_read_type(rg_onnx_in *in, rg_str bytes, bool input, rg_type *out)
{
    return read_at(in, bytes, input, 0, out);
}
