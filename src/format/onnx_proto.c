/* onnx_proto.c - the tables that ONNX's messages are read by; their rows are in onnx_proto.h. */
#include "format/onnx_proto.h"

#define ROW(m, field_number, field_kind, field) \
    {#field, (field_number), RG_WIRE_##field_kind, offsetof(rg_onnx_##m, field)},
#define M(id, words)                                                                  \
    static const rg_wire_field id##_fields[] = {RG_ONNX_FIELDS_##id(ROW, id)};        \
    const rg_wire_message rg_onnx_##id##_message = {                                  \
        words, sizeof(rg_onnx_##id), id##_fields, RG_COUNT(id##_fields),              \
    };
RG_ONNX_LIST(M)
