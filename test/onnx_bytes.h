/* onnx_bytes.h - ONNX files written by hand, for tests: an encoder of its own, so that reader and writer are
 * not only tested against each other. Field numbers are those of onnx.proto.
 */
#ifndef ONNX_BYTES_H
#define ONNX_BYTES_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A message under construction. Zero is an empty one. */
typedef struct ob { size_t size; uint8_t data[16384]; } ob;

static inline void ob_byte(ob *to, unsigned x)
{
    assert(to->size < sizeof to->data);
    to->data[to->size++] = (uint8_t)x;
}

static inline void ob_varint(ob *to, uint64_t x)
{
    for (; x > 0x7f; x >>= 7) ob_byte(to, (unsigned)(x & 0x7f) | 0x80);
    ob_byte(to, (unsigned)x);
}

static inline void ob_int(ob *to, unsigned field, int64_t x)
{
    ob_varint(to, (uint64_t)field << 3);
    ob_varint(to, (uint64_t)x);
}

static inline void ob_bytes(ob *to, unsigned field, const void *data, size_t size)
{
    ob_varint(to, (uint64_t)field << 3 | 2);
    ob_varint(to, size);
    for (size_t i = 0; i < size; i++) ob_byte(to, ((const uint8_t *)data)[i]);
}

static inline void ob_str(ob *to, unsigned field, const char *text)
{
    ob_bytes(to, field, text, strlen(text));
}
static inline void ob_put(ob *to, unsigned field, const ob *message)
{
    ob_bytes(to, field, message->data, message->size);
}

static inline void ob_f32(ob *to, unsigned field, float x)
{
    ob_varint(to, (uint64_t)field << 3 | 5);
    for (size_t i = 0; i < sizeof x; i++) ob_byte(to, ((const uint8_t *)&x)[i]);
}

/* Calls `each` with every part of "a,b,,c". */
static inline void ob_split(ob *to, unsigned field, const char *list,
                            void (*each)(ob *to, unsigned field, const char *part))
{
    char part[256];
    for (const char *end; *list; list = *end ? end + 1 : end) {
        end = list + strcspn(list, ",");
        assert((size_t)(end - list) < sizeof part);
        memcpy(part, list, (size_t)(end - list));
        part[end - list] = 0;
        each(to, field, part);
    }
}

/* ---- tensors ---- */

/* The head of a TensorProto; its data follow as the caller likes. */
static inline void ob_tensor(ob *to, const char *name, int dtype, const char *dims)
{
    for (const char *d = dims; *d; d += strcspn(d, ","), d += *d == ',') ob_int(to, 1, strtoll(d, NULL, 10));
    ob_int(to, 2, dtype);
    if (name) ob_str(to, 8, name);
}

static inline void ob_floats(ob *tensor, int count, const float *data)
{
    ob_bytes(tensor, 9, data, (size_t)count * sizeof *data);
}
static inline void ob_ints(ob *tensor, int count, const int64_t *data)
{
    ob_bytes(tensor, 9, data, (size_t)count * sizeof *data);
}

/* ---- types and values ---- */

static inline void ob_dim(ob *shape, unsigned field, const char *text)
{
    ob dim = {0};
    char *end;
    long long x = strtoll(text, &end, 10);
    if (!*end && *text) ob_int(&dim, 1, x);
    else if (strcmp(text, "?")) ob_str(&dim, 2, text);
    ob_put(shape, field, &dim);
}

/* dims: "2,batch,?" where ? is a dimension about which nothing is said; NULL: no shape. */
static inline void ob_type(ob *to, int dtype, const char *dims)
{
    ob shape = {0}, tensor = {0};
    ob_int(&tensor, 1, dtype);
    if (dims) {
        ob_split(&shape, 1, dims, ob_dim);
        ob_put(&tensor, 2, &shape);
    }
    ob_put(to, 1, &tensor);
}

enum { OB_INPUT = 11, OB_OUTPUT = 12, OB_VALUE_INFO = 13 };

static inline void ob_value(ob *graph, unsigned field, const char *name, int dtype, const char *dims)
{
    ob value = {0}, type = {0};
    ob_str(&value, 1, name);
    ob_type(&type, dtype, dims);
    ob_put(&value, 2, &type);
    ob_put(graph, field, &value);
}

static inline void ob_initializer(ob *graph, const ob *tensor) { ob_put(graph, 5, tensor); }

/* ---- nodes: `attrs` are gathered first, as the records that they are in the node ---- */

static inline void ob_attr(ob *attrs, const char *name, int type, const ob *value)
{
    ob attr = {0};
    ob_str(&attr, 1, name);
    assert(attr.size + value->size < sizeof attr.data);
    memcpy(attr.data + attr.size, value->data, value->size);
    attr.size += value->size;
    if (type) ob_int(&attr, 20, type);
    ob_put(attrs, 5, &attr);
}

static inline void ob_attr_int(ob *attrs, const char *name, int64_t x)
{
    ob value = {0};
    ob_int(&value, 3, x);
    ob_attr(attrs, name, 2, &value);
}

static inline void ob_attr_float(ob *attrs, const char *name, float x)
{
    ob value = {0};
    ob_f32(&value, 2, x);
    ob_attr(attrs, name, 1, &value);
}

static inline void ob_attr_graph(ob *attrs, const char *name, const ob *graph)
{
    ob value = {0};
    ob_put(&value, 6, graph);
    ob_attr(attrs, name, 5, &value);
}

static inline void ob_attr_tensor(ob *attrs, const char *name, const ob *tensor)
{
    ob value = {0};
    ob_put(&value, 5, tensor);
    ob_attr(attrs, name, 4, &value);
}

/* An attribute of a node inside of a function that takes the caller's `of`. */
static inline void ob_attr_ref(ob *attrs, const char *name, const char *of, int type)
{
    ob value = {0};
    ob_str(&value, 21, of);
    ob_attr(attrs, name, type, &value);
}

enum { OB_GRAPH_NODE = 1, OB_FUNCTION_NODE = 7 };

static inline void ob_node_in(ob *to, unsigned field, const char *domain, const char *name, const char *type,
                              const char *in, const char *out, const ob *attrs)
{
    ob node = {0};
    ob_split(&node, 1, in, ob_str);
    ob_split(&node, 2, out, ob_str);
    if (name) ob_str(&node, 3, name);
    ob_str(&node, 4, type);
    if (domain) ob_str(&node, 7, domain);
    if (attrs) {
        assert(node.size + attrs->size < sizeof node.data);
        memcpy(node.data + node.size, attrs->data, attrs->size);
        node.size += attrs->size;
    }
    ob_put(to, field, &node);
}

static inline void ob_node(ob *graph, const char *name, const char *type, const char *in, const char *out,
                           const ob *attrs)
{
    ob_node_in(graph, OB_GRAPH_NODE, NULL, name, type, in, out, attrs);
}

/* ---- functions and models ---- */

static inline void ob_opset(ob *to, unsigned field, const char *domain, int64_t version)
{
    ob import = {0};
    ob_str(&import, 1, domain);
    ob_int(&import, 2, version);
    ob_put(to, field, &import);
}

/* The head of a FunctionProto of domain "local". */
static inline void ob_function(ob *to, const char *name, const char *in, const char *out)
{
    ob_str(to, 1, name);
    ob_split(to, 4, in, ob_str);
    ob_split(to, 5, out, ob_str);
    ob_opset(to, 9, "", 17);
    ob_opset(to, 9, "local", 1);
    ob_str(to, 10, "local");
}

enum { OB_MODEL_GRAPH = 7, OB_MODEL_OPSET = 8, OB_MODEL_FUNCTION = 25 };

/* IR version 8, opset 17; functions follow as the caller likes. */
static inline void ob_model(ob *to, const ob *graph)
{
    ob_int(to, 1, 8);
    ob_str(to, 2, "test");
    ob_opset(to, OB_MODEL_OPSET, "", 17);
    ob_opset(to, OB_MODEL_OPSET, "local", 1);
    ob_put(to, OB_MODEL_GRAPH, graph);
}

#endif
