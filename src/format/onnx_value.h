/* onnx_value.h - files that hold one value each: TensorProto, SequenceProto, OptionalProto. */
#ifndef RG_ONNX_VALUE_H
#define RG_ONNX_VALUE_H

#include "op/kernel.h"

/* The file does not say which message it is: the type of the model's input or output does. */
rg_err rg_onnx_value_read(rg_ctx *cx, const char *path, const rg_type *type, rg_datum **out) RG_CHECKED;

#endif
