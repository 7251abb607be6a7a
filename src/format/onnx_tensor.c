/* onnx_tensor.c - constants of an ONNX file, as views of it.
 *
 * Elements lie in raw_data, in a typed field or in another file. What is little-endian there (raw, float,
 * double) is used as it lies; integers are protobuf varints, which the IR reads in place, too. Only what
 * cannot be addressed is copied: strings, elements of less than a byte in typed fields, and typed fields that
 * are not one packed run.
 */
#include "format/onnx_in.h"

#include <string.h>

typedef struct typed { size_t field, element_byte; } typed; /* a list of the message; 0 bytes: varints */

static const typed typed_data[RG_DTYPE_END] = {
#define X(id, name, byte) [RG_##id] = {offsetof(rg_onnx_tensor, name), byte},
    RG_ONNX_DATA_LIST(X)
#undef X
};

static rg_err fail_size(rg_onnx_in *in, const rg_tensor *t, size_t size, size_t need)
{
    rg_text text;
    rg_text_init(&text, &in->scratch);
    rg_text_printf(&text, "%s[", rg_dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++) rg_text_printf(&text, "%s%lld", i ? "," : "", (long long)t->dim[i]);
    return rg_fail(in->cx, RG_FORMAT, "tensor has %zu bytes, %.*s] needs %zu", size,
                   RG_STR(((rg_str){text.data, text.size})), need);
}

static rg_err fail_count(rg_onnx_in *in, size_t have, int64_t need)
{
    return rg_fail(in->cx, RG_FORMAT, "tensor has %zu elements, its shape needs %lld", have, (long long)need);
}

static rg_err read_shape(rg_onnx_in *in, const rg_onnx_tensor *msg, rg_tensor *out)
{
    size_t rank;
    RG_TRY(rg_wire_ints(in->cx, &in->g->arena, msg->dims, &out->dim, &rank));
    if (rank > RG_RANK_MAX)
        return rg_fail(in->cx, RG_LIMIT, "tensor has rank %zu, the limit is %d", rank, RG_RANK_MAX);
    out->rank = (int)rank;
    out->count = 1;
    for (size_t i = 0; i < rank; i++) {
        if (out->dim[i] < 0)
            return rg_fail(in->cx, RG_FORMAT, "tensor has size %lld at axis %zu", (long long)out->dim[i], i);
        if (!rg_mul_size(out->count, out->dim[i], &out->count))
            return rg_fail(in->cx, RG_FORMAT, "tensor has more elements than 63 bits can count");
    }
    return RG_OK;
}

/* Bytes of the elements, packed. */
static rg_err size_of(rg_onnx_in *in, const rg_tensor *t, size_t *out)
{
    int64_t bits;
    if (!rg_mul_size(t->count, rg_dtype_bits(t->dtype), &bits) || !rg_add_size(bits, 7, &bits))
        return rg_fail(in->cx, RG_FORMAT, "tensor has more bytes than 63 bits can count");
    *out = (size_t)(bits / 8);
    return RG_OK;
}

static void locate(rg_onnx_in *in, rg_tensor *t)
{
    uintptr_t at = (uintptr_t)t->data, from = (uintptr_t)in->bytes.data;
    if (in->source && at >= from && at + t->size <= from + in->bytes.size) {
        t->file = in->source;
        t->offset = at - from;
    }
}

static rg_err read_strings(rg_onnx_in *in, rg_wire_list list, rg_tensor *out)
{
    if (list.count != out->count) return fail_count(in, list.count, out->count);
    rg_str *strings = RG_NEW(&in->g->arena, rg_str, list.count);
    if (!strings) return rg_nomem(in->cx);
    for (rg_str *to = strings; rg_wire_next(&list, to);) to++;
    out->encoding = RG_DATA_STRING;
    out->data = strings;
    out->size = sizeof(rg_str) * (size_t)out->count;
    return RG_OK;
}

/* Elements of 4 and 2 bits: each varint holds one byte of packed elements. */
static rg_err read_bytes(rg_onnx_in *in, rg_str packed, size_t size, rg_tensor *out)
{
    uint8_t *bytes = rg_arena_alloc(&in->g->arena, size);
    if (!bytes) return rg_nomem(in->cx);
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)rg_wire_take(&packed);
    out->encoding = RG_DATA_RAW;
    out->data = bytes;
    out->size = size;
    return RG_OK;
}

static rg_err read_typed(rg_onnx_in *in, const rg_onnx_tensor *msg, size_t need, rg_tensor *out)
{
    const typed *type = &typed_data[out->dtype];
    rg_str run;
    size_t count;
    const rg_wire_list *list = (const void *)((const char *)msg + type->field);
    RG_TRY(rg_wire_pack(in->cx, &in->g->arena, *list, &run));
    out->data = run.data;
    out->size = run.size;
    locate(in, out);
    if (type->element_byte) {
        out->encoding = RG_DATA_RAW;
        return run.size == need ? RG_OK : fail_size(in, out, run.size, need);
    }
    bool packed = rg_dtype_bits(out->dtype) < 8;
    int64_t expected = packed ? (int64_t)need : out->count;
    if (!rg_wire_count(run, &count))
        return rg_fail(in->cx, RG_FORMAT, "tensor ends in the middle of an element");
    if ((int64_t)count != expected) return fail_count(in, count, expected);
    out->encoding = RG_DATA_VARINT;
    return packed ? read_bytes(in, run, need, out) : RG_OK;
}

rg_err rg_onnx_read_tensor(rg_onnx_in *in, rg_str bytes, rg_tensor *out, rg_str *name)
{
    rg_onnx_tensor msg;
    size_t need = 0;
    *out = (rg_tensor){.encoding = RG_DATA_NONE};
    *name = (rg_str){"", 0};
    RG_TRY(rg_wire_read(in->cx, bytes, &rg_onnx_tensor_message, &msg));
    *name = msg.name;
    if (msg.data_type <= RG_DTYPE_NONE || msg.data_type >= RG_DTYPE_END)
        return rg_fail(in->cx, RG_UNSUPPORTED, "element type %lld is not known; the last one is %d",
                       (long long)msg.data_type, RG_DTYPE_END - 1);
    if (RG_ONNX_HAS(&msg, tensor, segment))
        return rg_fail(in->cx, RG_UNSUPPORTED, "a tensor in segments is not supported");
    out->dtype = (rg_dtype)msg.data_type;
    RG_TRY(read_shape(in, &msg, out));
    if (out->dtype == RG_STR) return read_strings(in, msg.string_data, out);
    RG_TRY(size_of(in, out, &need));
    if (msg.data_location == RG_ONNX_LOCATION_EXTERNAL)
        return rg_onnx_read_external(in, msg.external_data, need, out);
    if (!RG_ONNX_HAS(&msg, tensor, raw_data)) return read_typed(in, &msg, need, out);
    out->encoding = RG_DATA_RAW;
    out->data = msg.raw_data.data;
    out->size = msg.raw_data.size;
    locate(in, out);
    return out->size == need ? RG_OK : fail_size(in, out, out->size, need);
}
