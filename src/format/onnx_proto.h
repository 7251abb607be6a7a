/* onnx_proto.h - ONNX's messages: one row per field, expanded into the struct that reading fills, the table
 * that it is read by, and the field numbers that the writer uses.
 *
 * Fields that say nothing about what a model computes (documentation, training, denotations) are not listed.
 */
#ifndef RG_ONNX_PROTO_H
#define RG_ONNX_PROTO_H

#include "format/wire.h"

#define RG_ONNX_FIELDS_model(X, m) \
    X(m, 1,  INT,   ir_version) \
    X(m, 2,  BYTES, producer_name) \
    X(m, 7,  BYTES, graph) \
    X(m, 8,  LIST,  opset_import) \
    X(m, 25, LIST,  functions)

#define RG_ONNX_FIELDS_opset(X, m) \
    X(m, 1,  BYTES, domain) \
    X(m, 2,  INT,   version)

#define RG_ONNX_FIELDS_graph(X, m) \
    X(m, 1,  LIST,  node) \
    X(m, 2,  BYTES, name) \
    X(m, 5,  LIST,  initializer) \
    X(m, 11, LIST,  input) \
    X(m, 12, LIST,  output) \
    X(m, 13, LIST,  value_info) \
    X(m, 15, LIST,  sparse_initializer)

#define RG_ONNX_FIELDS_node(X, m) \
    X(m, 1,  LIST,  input) \
    X(m, 2,  LIST,  output) \
    X(m, 3,  BYTES, name) \
    X(m, 4,  BYTES, op_type) \
    X(m, 5,  LIST,  attribute) \
    X(m, 7,  BYTES, domain) \
    X(m, 8,  BYTES, overload)

#define RG_ONNX_FIELDS_attribute(X, m) \
    X(m, 1,  BYTES, name) \
    X(m, 2,  F32,   f) \
    X(m, 3,  INT,   i) \
    X(m, 4,  BYTES, s) \
    X(m, 5,  BYTES, t) \
    X(m, 6,  BYTES, g) \
    X(m, 7,  F32S,  floats) \
    X(m, 8,  VARINTS, ints) \
    X(m, 9,  LIST,  strings) \
    X(m, 10, LIST,  tensors) \
    X(m, 11, LIST,  graphs) \
    X(m, 14, BYTES, tp) \
    X(m, 20, INT,   type) \
    X(m, 21, BYTES, ref_attr_name)

#define RG_ONNX_FIELDS_function(X, m) \
    X(m, 1,  BYTES, name) \
    X(m, 4,  LIST,  input) \
    X(m, 5,  LIST,  output) \
    X(m, 7,  LIST,  node) \
    X(m, 9,  LIST,  opset_import) \
    X(m, 10, BYTES, domain) \
    X(m, 11, LIST,  attribute_proto) \
    X(m, 13, BYTES, overload)

#define RG_ONNX_FIELDS_tensor(X, m) \
    X(m, 1,  VARINTS, dims) \
    X(m, 2,  INT,   data_type) \
    X(m, 3,  BYTES, segment) \
    X(m, 4,  F32S,  float_data) \
    X(m, 5,  VARINTS, int32_data) \
    X(m, 6,  LIST,  string_data) \
    X(m, 7,  VARINTS, int64_data) \
    X(m, 8,  BYTES, name) \
    X(m, 9,  BYTES, raw_data) \
    X(m, 10, F64S,  double_data) \
    X(m, 11, VARINTS, uint64_data) \
    X(m, 13, LIST,  external_data) \
    X(m, 14, INT,   data_location)

#define RG_ONNX_FIELDS_sparse(X, m) \
    X(m, 1,  BYTES, values)

/* Files of values, beside a model: input_0.pb. */
#define RG_ONNX_FIELDS_sequence(X, m) \
    X(m, 3,  LIST,  tensor_values) \
    X(m, 5,  LIST,  sequence_values) \
    X(m, 6,  LIST,  map_values) \
    X(m, 7,  LIST,  optional_values)

#define RG_ONNX_FIELDS_optional(X, m) \
    X(m, 3,  BYTES, tensor_value) \
    X(m, 5,  BYTES, sequence_value) \
    X(m, 6,  BYTES, map_value) \
    X(m, 7,  BYTES, optional_value)

#define RG_ONNX_FIELDS_map(X, m) \
    X(m, 2,  INT,   key_type) \
    X(m, 3,  VARINTS, keys) \
    X(m, 4,  LIST,  string_keys) \
    X(m, 5,  BYTES, values)

#define RG_ONNX_FIELDS_entry(X, m) \
    X(m, 1,  BYTES, key) \
    X(m, 2,  BYTES, value)

#define RG_ONNX_FIELDS_value(X, m) \
    X(m, 1,  BYTES, name) \
    X(m, 2,  BYTES, type)

#define RG_ONNX_FIELDS_type(X, m) \
    X(m, 1,  BYTES, tensor) \
    X(m, 4,  BYTES, sequence) \
    X(m, 5,  BYTES, map) \
    X(m, 8,  BYTES, sparse) \
    X(m, 9,  BYTES, optional)

#define RG_ONNX_FIELDS_tensor_type(X, m) \
    X(m, 1,  INT,   elem_type) \
    X(m, 2,  BYTES, shape)

#define RG_ONNX_FIELDS_elem_type(X, m) /* of a sequence and of an optional */ \
    X(m, 1,  BYTES, elem_type)

#define RG_ONNX_FIELDS_map_type(X, m) \
    X(m, 1,  INT,   key_type) \
    X(m, 2,  BYTES, value_type)

#define RG_ONNX_FIELDS_shape(X, m) \
    X(m, 1,  LIST,  dim)

#define RG_ONNX_FIELDS_dim(X, m) \
    X(m, 1,  INT,   dim_value) \
    X(m, 2,  BYTES, dim_param)

#define RG_ONNX_LIST(M) \
    M(model,       "ModelProto") \
    M(opset,       "OperatorSetIdProto") \
    M(graph,       "GraphProto") \
    M(node,        "NodeProto") \
    M(attribute,   "AttributeProto") \
    M(function,    "FunctionProto") \
    M(tensor,      "TensorProto") \
    M(sparse,      "SparseTensorProto") \
    M(sequence,    "SequenceProto") \
    M(optional,    "OptionalProto") \
    M(map,         "MapProto") \
    M(entry,       "StringStringEntryProto") \
    M(value,       "ValueInfoProto") \
    M(type,        "TypeProto") \
    M(tensor_type, "TypeProto.Tensor") \
    M(elem_type,   "TypeProto.Sequence") \
    M(map_type,    "TypeProto.Map") \
    M(shape,       "TensorShapeProto") \
    M(dim,         "TensorShapeProto.Dimension")

/* The struct rg_onnx_node, the numbers RG_ONNX_node_op_type and its like,
 * the table rg_onnx_node_message, ... */
#define RG_WIRE_C_INT     int64_t
#define RG_WIRE_C_F32     float
#define RG_WIRE_C_BYTES   rg_str
#define RG_WIRE_C_LIST    rg_wire_list
#define RG_WIRE_C_VARINTS rg_wire_list
#define RG_WIRE_C_F32S    rg_wire_list
#define RG_WIRE_C_F64S    rg_wire_list
#define MEMBER(m, field_number, kind, field) RG_WIRE_C_##kind field;
#define NUMBER(m, field_number, kind, field) RG_ONNX_##m##_##field = (field_number),
#define M(id, words)                                                                    \
    typedef struct rg_onnx_##id { uint64_t has; RG_ONNX_FIELDS_##id(MEMBER, id) } rg_onnx_##id; \
    enum { RG_ONNX_FIELDS_##id(NUMBER, id) };                                           \
    extern const rg_wire_message rg_onnx_##id##_message;
RG_ONNX_LIST(M)
#undef M
#undef NUMBER
#undef MEMBER

/* Whether the file gave a field: `message` points to the struct of message `id`. */
#define RG_ONNX_HAS(message, id, field) ((message)->has >> RG_ONNX_##id##_##field & 1)

/* AttributeProto.AttributeType: the IR's kind, number, field.
 * Those that the IR has no kind for are absent. */
#define RG_ONNX_ATTR_LIST(X)       \
    X(FLOAT,   1,  f)              \
    X(INT,     2,  i)              \
    X(STRING,  3,  s)              \
    X(TENSOR,  4,  t)              \
    X(GRAPH,   5,  g)              \
    X(FLOATS,  6,  floats)         \
    X(INTS,    7,  ints)           \
    X(STRINGS, 8,  strings)        \
    X(TENSORS, 9,  tensors)        \
    X(GRAPHS,  10, graphs)         \
    X(TYPE,    13, tp)

/* Which typed field of a TensorProto holds the elements of a type,
 * and the bytes of one there; 0: a varint. */
#define RG_ONNX_DATA_LIST(X)     \
    X(F32,      float_data,  4)  \
    X(C64,      float_data,  8)  \
    X(F64,      double_data, 8)  \
    X(C128,     double_data, 16) \
    X(I64,      int64_data,  0)  \
    X(U32,      uint64_data, 0)  \
    X(U64,      uint64_data, 0)  \
    X(I32,      int32_data,  0)  \
    X(I16,      int32_data,  0)  \
    X(I8,       int32_data,  0)  \
    X(U16,      int32_data,  0)  \
    X(U8,       int32_data,  0)  \
    X(BOOL,     int32_data,  0)  \
    X(F16,      int32_data,  0)  \
    X(BF16,     int32_data,  0)  \
    X(F8E4M3FN, int32_data,  0)  \
    X(F8E4M3UZ, int32_data,  0)  \
    X(F8E5M2,   int32_data,  0)  \
    X(F8E5M2UZ, int32_data,  0)  \
    X(F8E8M0,   int32_data,  0)  \
    X(F4E2M1,   int32_data,  0)  \
    X(U4,       int32_data,  0)  \
    X(I4,       int32_data,  0)  \
    X(U2,       int32_data,  0)  \
    X(I2,       int32_data,  0)

enum {
    RG_ONNX_IR_MAX = 13,
    RG_ONNX_LOCATION_EXTERNAL = 1, /* TensorProto.data_location */
};

#endif
