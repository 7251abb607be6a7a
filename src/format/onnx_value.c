/* onnx_value.c - values in files, as ONNX's test data has them: a tensor, or sequences, optionals and maps of
 * such. Everything is decoded into data that own their memory; the file is closed again.
 */
#include "format/onnx_value.h"

#include "format/onnx_in.h"

#include <string.h>

/* A kind's reader: of a message in `bytes`, whose type is `type`. */
static rg_err read_value(rg_onnx_in *in, rg_str bytes, const rg_type *type, int depth, rg_datum **out);

static rg_err read_tensor(rg_onnx_in *in, rg_str bytes, rg_datum **out)
{
    rg_tensor tensor;
    rg_str name;
    RG_TRY(rg_onnx_read_tensor(in, bytes, &tensor, &name));
    return rg_datum_of(in->cx, &tensor, out);
}

/* Reads every message of a list; `out` owns what was read, on failure too. */
static rg_err read_list(rg_onnx_in *in, rg_wire_list list, const rg_type *elem, int depth,
                        const rg_datum **out, size_t *count)
{
    rg_str item;
    for (*count = 0; rg_wire_next(&list, &item); ++*count) {
        rg_datum *datum = NULL;
        RG_TRY_NOTE(in->cx, read_value(in, item, elem, depth + 1, &datum), "element %zu", *count);
        out[*count] = datum;
    }
    return RG_OK;
}

/* The list takes references of its own. */
static rg_err gather(rg_onnx_in *in, rg_kind kind, const rg_type *type, const rg_datum **items, size_t count,
                     rg_err err, rg_datum **out)
{
    if (!err) err = rg_datum_list(in->cx, kind, type, items, count, out);
    for (size_t i = 0; i < count; i++) rg_datum_free(items[i]);
    return err;
}

static rg_err read_sequence(rg_onnx_in *in, rg_str bytes, const rg_type *type, int depth, rg_datum **out)
{
    rg_onnx_sequence msg;
    RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_sequence_message, &msg));
    rg_kind kind = type->elem ? type->elem->kind : RG_KIND_TENSOR;
    rg_wire_list list = kind == RG_KIND_SEQUENCE   ? msg.sequence_values
                      : kind == RG_KIND_MAP        ? msg.map_values
                      : kind == RG_KIND_OPTIONAL   ? msg.optional_values
                                                   : msg.tensor_values;
    const rg_datum **items = RG_NEW(&in->scratch, const rg_datum *, list.count + 1);
    size_t count = 0;
    if (!items) return rg_nomem(in->cx);
    rg_err err = read_list(in, list, type->elem, depth, items, &count);
    return gather(in, RG_KIND_SEQUENCE, type, items, count, err, out);
}

static rg_err read_optional(rg_onnx_in *in, rg_str bytes, const rg_type *type, int depth, rg_datum **out)
{
    rg_onnx_optional msg;
    rg_datum *item = NULL;
    RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_optional_message, &msg));
    rg_kind kind = type->elem ? type->elem->kind : RG_KIND_TENSOR;
    rg_str content = kind == RG_KIND_SEQUENCE ? msg.sequence_value
                   : kind == RG_KIND_MAP      ? msg.map_value
                   : kind == RG_KIND_OPTIONAL ? msg.optional_value
                                              : msg.tensor_value;
    if (content.size) RG_TRY(read_value(in, content, type->elem, depth + 1, &item));
    const rg_datum *items[] = {item};
    return gather(in, RG_KIND_OPTIONAL, type, items, item ? 1 : 0, RG_OK, out);
}

static rg_err read_keys(rg_onnx_in *in, const rg_onnx_map *msg, rg_datum **out)
{
    const int64_t *keys;
    size_t count = 0;
    if (msg->string_keys.count) {
        rg_wire_list list = msg->string_keys;
        int64_t size = list.count;
        rg_str key;
        RG_TRY(rg_datum_tensor(in->cx, RG_STR, 1, &size, out));
        for (; rg_wire_next(&list, &key); count++) {
            rg_str copy = rg_arena_str(&(*out)->arena, key);
            if (!copy.data) return rg_nomem(in->cx);
            ((rg_str *)(*out)->array.data)[count] = copy;
        }
        return RG_OK;
    }
    RG_TRY(rg_wire_ints(in->cx, &in->scratch, msg->keys, &keys, &count));
    int64_t size = (int64_t)count;
    RG_TRY(rg_datum_tensor(in->cx, RG_I64, 1, &size, out));
    if (count) memcpy((*out)->array.data, keys, count * sizeof *keys);
    return RG_OK;
}

/* Keys and values as two data: a tensor, and a sequence. */
static rg_err read_map(rg_onnx_in *in, rg_str bytes, const rg_type *type, int depth, rg_datum **out)
{
    rg_onnx_map msg;
    rg_datum *keys = NULL, *values = NULL;
    rg_type sequence = {.kind = RG_KIND_SEQUENCE, .elem = type->elem};
    RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_map_message, &msg));
    rg_err err = read_keys(in, &msg, &keys);
    if (!err) err = read_sequence(in, msg.values, &sequence, depth + 1, &values);
    const rg_datum *items[] = {keys, values};
    return gather(in, RG_KIND_MAP, type, items, 2, err, out);
}

static rg_err read_value(rg_onnx_in *in, rg_str bytes, const rg_type *type, int depth, rg_datum **out)
{
    static const rg_type tensor = {.kind = RG_KIND_TENSOR};
    if (!type) type = &tensor;
    if (depth > RG_NEST_MAX)
        return rg_fail(in->cx, RG_LIMIT, "values are nested deeper than %d", RG_NEST_MAX);
    switch (type->kind) {
    case RG_KIND_SEQUENCE: return read_sequence(in, bytes, type, depth, out);
    case RG_KIND_OPTIONAL: return read_optional(in, bytes, type, depth, out);
    case RG_KIND_MAP:      return read_map(in, bytes, type, depth, out);
    default:               return read_tensor(in, bytes, out);
    }
}

rg_err rg_onnx_value_read(rg_ctx *cx, const char *path, const rg_type *type, rg_datum **out)
{
    rg_file *file = NULL;
    rg_onnx_in in = {.cx = cx, .source = path};
    *out = NULL;
    RG_TRY(rg_file_map(cx, path, &file));
    rg_arena_init(&in.scratch, cx);
    in.bytes = rg_file_bytes(file);
    rg_err err = rg_graph_new(cx, &in.g); /* decoded elements lie in its arena until they are copied */
    if (!err) err = read_value(&in, in.bytes, type, 0, out);
    rg_graph_free(in.g);
    rg_arena_done(&in.scratch);
    rg_file_unref(file);
    return err ? rg_note(cx, err, "%s", path) : RG_OK;
}
