/* build.c - graphs written by hand, in C: what the zoo and the tests are made with.
 *
 * A builder is a sticky error and a name scope around rg_graph_add_*. Node and value names are
 * scope/Type_serial, so that a report about the graph reads like one about an exported model.
 */
#include "ir/ir.h"

#include <string.h>

rg_err rg_build_init(rg_build *b, rg_ctx *cx, const char *name)
{
    *b = (rg_build){.cx = cx, .region = RG_MAIN};
    b->err = rg_graph_new(cx, &b->g);
    if (b->err) return b->err;
    rg_graph *g = b->g;
    g->name = rg_arena_str(&g->arena, rg_str_of(name));
    g->producer = RG_LIT("ridge");
    g->opset = RG_OPSET_MAX;
    rg_import import = {.domain = RG_LIT(""), .version = RG_OPSET_MAX};
    bool fits = g->name.data && RG_GROW(&g->arena, g->imports, g->import_count, g->import_capacity);
    if (fits) g->imports[g->import_count++] = import;
    else b->err = rg_nomem(cx);
    if (b->err) {
        rg_graph_free(g);
        b->g = NULL;
    }
    return b->err;
}

/* A name inside the scope that no other value has. */
static rg_str fresh(rg_build *b, const char *name)
{
    rg_str out = {"", 0};
    const char *scoped =
        b->scope && *b->scope ? rg_arena_printf(&b->g->arena, "%s/%s", b->scope, name) : name;
    if (!b->err) b->err = scoped ? rg_graph_fresh_name(b->cx, b->g, scoped, &out) : rg_nomem(b->cx);
    return out;
}

rg_value_id rg_build_input(rg_build *b, const char *name, rg_dtype dtype, int rank, const rg_dim *dim)
{
    rg_value_id id = 0;
    rg_type type = rg_type_tensor(dtype, rank, dim);
    if (b->err) return 0;
    rg_str own = rg_arena_str(&b->g->arena, rg_str_of(name));
    b->err = own.data ? rg_graph_add_value(b->cx, b->g, b->region, own, &type, RG_ROLE_INPUT, &id)
                      : rg_nomem(b->cx);
    if (!b->err) b->err = rg_graph_add_input(b->cx, b->g, b->region, id);
    return b->err ? 0 : id;
}

rg_dim rg_build_dim(rg_build *b, const char *name, int64_t preset)
{
    return b->err ? preset : rg_dim_symbol(&b->g->dims, rg_str_of(name), 1, INT64_MAX, preset);
}

rg_value_id rg_build_param(rg_build *b, const char *name, rg_dtype dtype, int rank, const int64_t *dim)
{
    rg_value_id id = 0;
    if (b->err) return 0;
    rg_tensor *t = RG_NEW(&b->g->arena, rg_tensor, 1);
    int64_t *dims = RG_NEW(&b->g->arena, int64_t, rank);
    rg_str own = fresh(b, name);
    if (!b->err && (!t || !dims)) b->err = rg_nomem(b->cx);
    if (b->err) return 0;
    *t = (rg_tensor){.dtype = dtype, .rank = rank, .dim = dims, .count = 1, .encoding = RG_DATA_NONE};
    for (int i = 0; i < rank && !b->err; i++) {
        dims[i] = dim[i];
        if (dim[i] < 0 || !rg_mul_size(t->count, dim[i], &t->count))
            b->err = rg_fail(b->cx, RG_SHAPE, "parameter '%.*s' has %lld at axis %d, which no size can be",
                             RG_STR(own), (long long)dim[i], i);
    }
    if (!b->err) b->err = rg_graph_add_const(b->cx, b->g, own, t, &id);
    return b->err ? 0 : id;
}

rg_value_id rg_build_ints(rg_build *b, int count, const int64_t *data)
{
    rg_value_id id = 0;
    if (b->err) return 0;
    rg_str name = fresh(b, "ints");
    if (!b->err) b->err = rg_graph_add_ints(b->cx, b->g, name, 1, count, data, &id);
    return id;
}

rg_value_id rg_build_scalar(rg_build *b, float x)
{
    rg_value_id id = 0;
    if (b->err) return 0;
    rg_str name = fresh(b, "scalar");
    if (!b->err) b->err = rg_graph_add_floats(b->cx, b->g, name, 0, 1, &x, &id);
    return id;
}

rg_value_id rg_build_nodev(rg_build *b, const char *type, const char *attrs, uint32_t in_count,
                           const rg_value_id *in, uint32_t out_count, rg_value_id *out)
{
    if (b->err) return 0;
    rg_graph *g = b->g;
    rg_node_id id;
    char label[80];
    snprintf(label, sizeof label, "%.64s_%u", type, b->serial++);
    rg_node like = {.name = fresh(b, label), .version = RG_OPSET_MAX};
    like.type = rg_arena_str(&g->arena, rg_str_of(type));
    rg_str text = rg_arena_str(&g->arena, rg_str_of(attrs));
    if (!b->err && (!like.type.data || !text.data)) b->err = rg_nomem(b->cx);
    if (!b->err) b->err = rg_attrs_parse(b->cx, &g->arena, text, &like.attrs, &like.attr_count);
    for (uint32_t i = 0; i < out_count && !b->err; i++) {
        rg_str name = i ? fresh(b, label) : like.name;
        if (!b->err) b->err = rg_graph_add_value(b->cx, g, b->region, name, NULL, RG_ROLE_NODE, &out[i]);
    }
    if (!b->err) b->err = rg_graph_add_node(b->cx, g, b->region, &like, in, in_count, out, out_count, &id);
    return b->err || !out_count ? 0 : out[0];
}

rg_value_id rg_build_node(rg_build *b, const char *type, const char *attrs, ...)
{
    enum { INPUT_MAX = 64 };
    rg_value_id in[INPUT_MAX], out;
    uint32_t count = 0;
    va_list args;
    va_start(args, attrs);
    for (int id = va_arg(args, int); id >= 0 && count < INPUT_MAX; id = va_arg(args, int))
        in[count++] = (rg_value_id)id;
    va_end(args);
    if (count == INPUT_MAX && !b->err)
        b->err = rg_fail(b->cx, RG_LIMIT, "%s with %d inputs or more: give an array", type, INPUT_MAX);
    return rg_build_nodev(b, type, attrs, count, in, 1, &out);
}

void rg_build_output(rg_build *b, const char *name, rg_value_id value)
{
    if (b->err) return;
    if (b->g->values[value].role != RG_ROLE_NODE) value = rg_build_node(b, "Identity", NULL, value, -1);
    rg_str own = rg_arena_str(&b->g->arena, rg_str_of(name));
    if (!own.data) b->err = rg_nomem(b->cx);
    if (b->err) return;
    b->g->values[value].name = own;
    b->err = rg_graph_add_output(b->cx, b->g, b->region, value);
}

rg_err rg_build_done(rg_build *b, rg_graph **out)
{
    rg_err err = b->err ? b->err : rg_graph_finish(b->cx, b->g);
    *out = err ? NULL : b->g;
    if (err) rg_graph_free(b->g);
    b->g = NULL;
    return err;
}
