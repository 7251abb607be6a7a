/* onnx_write.c - a graph becomes an ONNX file that other runtimes load.
 *
 * Nodes have the meaning of the operator table, whatever the model was read from, and the opset imports are
 * the oldest that know these meanings. Constants all go into the model's own initializers, where bodies see
 * them. The file is written beside its final name and moved there when it is whole.
 */
#include "format/onnx_out.h"

#include "op/op.h"

#include <errno.h>
#include <string.h>

enum {
    OPSET_MIN = 18,          /* what every runtime in use understands */
    PLACE_ALIGN = 64,        /* of constants in the file beside the model */
};

/* The IR version that came with an opset; readers refuse newer ones than they know. */
static const struct { int opset_max, ir_version; } ir_versions[] = {
    {22, 10}, {23, 11}, {24, 12}, {RG_OPSET_MAX, RG_ONNX_IR_MAX},
};

/* ---- pieces ---- */

bool rg_onnx_put_int(pb_ostream_t *out, uint32_t number, int64_t x)
{
    return pb_encode_tag(out, PB_WT_VARINT, number) && pb_encode_varint(out, (uint64_t)x);
}

bool rg_onnx_put_str(pb_ostream_t *out, uint32_t number, rg_str s)
{
    return pb_encode_tag(out, PB_WT_STRING, number)
           && pb_encode_string(out, (const pb_byte_t *)s.data, s.size);
}

static bool put_float(pb_ostream_t *out, uint32_t number, double x)
{
    float narrow = (float)x;
    return pb_encode_tag(out, PB_WT_32BIT, number) && pb_encode_fixed32(out, &narrow);
}

bool rg_onnx_put_message(rg_onnx_out *w, pb_ostream_t *out, uint32_t number,
                         bool (*body)(rg_onnx_out *w, pb_ostream_t *out, const void *what), const void *what)
{
    pb_ostream_t count = PB_OSTREAM_SIZING;
    if (!body(w, &count, what)) return false;
    if (!pb_encode_tag(out, PB_WT_STRING, number) || !pb_encode_varint(out, count.bytes_written))
        return false;
    return out->callback ? body(w, out, what) : pb_write(out, NULL, count.bytes_written);
}

static bool no_memory(rg_onnx_out *w)
{
    w->err = rg_nomem(w->cx);
    return false;
}

/* ---- names ---- */

static bool put_name(const rg_onnx_out *w, pb_ostream_t *out, uint32_t number, rg_value_id id)
{
    return rg_onnx_put_str(out, number, id ? w->names[id] : RG_LIT(""));
}

/* Every value needs a name: those without one get their id behind a start that no name has. */
static rg_err collect_names(rg_onnx_out *w)
{
    static const char start[] = "v____________________________________________________";
    const rg_graph *g = w->g;
    size_t longest = 0;
    w->names = RG_NEW(&w->scratch, rg_str, g->value_count);
    if (!w->names) return rg_nomem(w->cx);
    for (rg_value_id id = 1; id < g->value_count; id++) {
        rg_str name = w->names[id] = g->values[id].name;
        size_t size = 0;
        while (size < name.size && size < sizeof start - 1 && name.data[size] == start[size]) size++;
        if (size > longest) longest = size;
    }
    if (longest == sizeof start - 1)
        return rg_fail(w->cx, RG_LIMIT, "a value's name starts with '%s'", start);
    w->start = (rg_str){start, longest + 1};
    for (rg_value_id id = 1; id < g->value_count; id++) {
        if (w->names[id].size) continue;
        w->names[id] = rg_str_of(rg_arena_printf(&w->scratch, "%.*s%u", RG_STR(w->start), id));
        if (!w->names[id].size) return rg_nomem(w->cx);
    }
    return RG_OK;
}

/* ---- types ---- */

static bool put_dim(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    rg_dim d = *(const rg_dim *)what;
    rg_text text;
    if (rg_dim_is_number(d)) return rg_onnx_put_int(out, RG_ONNX_dim_dim_value, d);
    rg_text_init(&text, &w->scratch);
    rg_dim_print(&w->g->dims, d, &text);
    if (text.failed) return no_memory(w);
    return rg_onnx_put_str(out, RG_ONNX_dim_dim_param, (rg_str){text.data, text.size});
}

static bool put_shape(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    const rg_type *t = what;
    for (int i = 0; i < t->rank; i++)
        if (!rg_onnx_put_message(w, out, RG_ONNX_shape_dim, put_dim, &t->dim[i])) return false;
    return true;
}

static bool put_tensor_type(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    const rg_type *t = what;
    return rg_onnx_put_int(out, RG_ONNX_tensor_type_elem_type, t->dtype)
           && (t->rank < 0 || rg_onnx_put_message(w, out, RG_ONNX_tensor_type_shape, put_shape, t));
}

static bool put_type(rg_onnx_out *w, pb_ostream_t *out, const void *what);

static bool put_elem_type(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    const rg_type *t = what;
    if (t->kind == RG_KIND_MAP)
        return rg_onnx_put_int(out, RG_ONNX_map_type_key_type, t->dtype)
               && (!t->elem || rg_onnx_put_message(w, out, RG_ONNX_map_type_value_type, put_type, t->elem));
    return !t->elem || rg_onnx_put_message(w, out, RG_ONNX_elem_type_elem_type, put_type, t->elem);
}

static bool put_type(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    const rg_type *t = what;
    switch (t->kind) {
    case RG_KIND_TENSOR: return rg_onnx_put_message(w, out, RG_ONNX_type_tensor, put_tensor_type, t);
    case RG_KIND_SPARSE: return rg_onnx_put_message(w, out, RG_ONNX_type_sparse, put_tensor_type, t);
    case RG_KIND_SEQUENCE: return rg_onnx_put_message(w, out, RG_ONNX_type_sequence, put_elem_type, t);
    case RG_KIND_OPTIONAL: return rg_onnx_put_message(w, out, RG_ONNX_type_optional, put_elem_type, t);
    case RG_KIND_MAP: return rg_onnx_put_message(w, out, RG_ONNX_type_map, put_elem_type, t);
    case RG_KIND_UNKNOWN: break;
    }
    return true;
}

/* ---- attributes ---- */

static const uint8_t attr_types[] = { /* AttributeProto.type */
#define X(id, number, field) [RG_ATTR_##id] = (number),
    RG_ONNX_ATTR_LIST(X)
#undef X
};

static bool put_graph(rg_onnx_out *w, pb_ostream_t *out, const void *what);

static bool put_tensor(rg_onnx_out *w, pb_ostream_t *out, uint32_t number, const rg_tensor *tensor)
{
    const rg_onnx_weight weight = {.tensor = tensor, .name = {"", 0}, .place = -1};
    return rg_onnx_put_message(w, out, number, rg_onnx_put_weight, &weight);
}

static bool put_item(rg_onnx_out *w, pb_ostream_t *out, const rg_attr *a, uint32_t i)
{
    switch (a->kind) {
    case RG_ATTR_INTS: return rg_onnx_put_int(out, RG_ONNX_attribute_ints, a->ints[i]);
    case RG_ATTR_FLOATS: return put_float(out, RG_ONNX_attribute_floats, a->floats[i]);
    case RG_ATTR_STRINGS: return rg_onnx_put_str(out, RG_ONNX_attribute_strings, a->strings[i]);
    case RG_ATTR_TENSORS: return put_tensor(w, out, RG_ONNX_attribute_tensors, a->tensors[i]);
    case RG_ATTR_GRAPHS:
        return rg_onnx_put_message(w, out, RG_ONNX_attribute_graphs, put_graph, &a->regions[i]);
    case RG_ATTR_INT: return rg_onnx_put_int(out, RG_ONNX_attribute_i, a->i);
    case RG_ATTR_FLOAT: return put_float(out, RG_ONNX_attribute_f, a->f);
    case RG_ATTR_STRING: return rg_onnx_put_str(out, RG_ONNX_attribute_s, a->s);
    case RG_ATTR_TENSOR: return put_tensor(w, out, RG_ONNX_attribute_t, a->tensor);
    case RG_ATTR_GRAPH: return rg_onnx_put_message(w, out, RG_ONNX_attribute_g, put_graph, &a->region);
    case RG_ATTR_TYPE: return rg_onnx_put_message(w, out, RG_ONNX_attribute_tp, put_type, a->type);
    case RG_ATTR_NONE: break;
    }
    return true;
}

static bool put_attr(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    const rg_attr *a = what;
    bool plural = a->kind >= RG_ATTR_INTS && a->kind <= RG_ATTR_GRAPHS;
    bool ok = rg_onnx_put_str(out, RG_ONNX_attribute_name, a->name)
              && rg_onnx_put_int(out, RG_ONNX_attribute_type, attr_types[a->kind]);
    for (uint32_t i = 0, count = plural ? a->count : 1; ok && i < count; i++) ok = put_item(w, out, a, i);
    return ok;
}

/* ---- nodes and graphs ---- */

/* What an older opset allowed and today's meaning does not know stays behind. */
static bool is_listed(const rg_node *n, rg_str attr)
{
    for (size_t i = 0; n->op && i < n->op->attr_count; i++)
        if (rg_str_is(attr, n->op->attrs[i].name)) return true;
    return !n->op;
}

/* Parts that are equal because nobody says otherwise must be counted since opset 18. */
static bool put_parts(rg_onnx_out *w, pb_ostream_t *out, const rg_node *n)
{
    const rg_attr parts = {.name = RG_LIT("num_outputs"), .kind = RG_ATTR_INT, .i = n->out_count};
    bool sized = n->in_count > 1 && n->in[1];
    if (!rg_node_is(n, "Split") || sized || rg_node_attr(n, "num_outputs")) return true;
    return rg_onnx_put_message(w, out, RG_ONNX_node_attribute, put_attr, &parts);
}

static bool put_node(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    const rg_node *n = what;
    bool ok = true;
    for (uint32_t i = 0; ok && i < n->in_count; i++) ok = put_name(w, out, RG_ONNX_node_input, n->in[i]);
    for (uint32_t i = 0; ok && i < n->out_count; i++) ok = put_name(w, out, RG_ONNX_node_output, n->out[i]);
    ok = ok && rg_onnx_put_str(out, RG_ONNX_node_name, n->name)
         && rg_onnx_put_str(out, RG_ONNX_node_op_type, n->type);
    if (n->domain.size) ok = ok && rg_onnx_put_str(out, RG_ONNX_node_domain, n->domain);
    for (uint32_t i = 0; ok && i < n->attr_count; i++)
        if (is_listed(n, n->attrs[i].name))
            ok = rg_onnx_put_message(w, out, RG_ONNX_node_attribute, put_attr, &n->attrs[i]);
    return ok && put_parts(w, out, n);
}

/* Output `i` of a region, under the name that it has in the file. A body may not hand out a value from
 * outside, and nothing may be an output twice: such outputs are copies with a name of their own. */
typedef struct result { rg_region_id region; uint32_t i; } result;

static rg_value_id value_of(const rg_onnx_out *w, const result *r)
{
    return w->g->regions[r->region].outputs[r->i];
}

static bool is_copy(const rg_onnx_out *w, const result *r)
{
    const rg_value *v = &w->g->values[value_of(w, r)];
    for (uint32_t k = 0; k < r->i; k++)
        if (w->g->regions[r->region].outputs[k] == value_of(w, r)) return true;
    return r->region != RG_MAIN && (v->region != r->region || v->role == RG_ROLE_CONST);
}

static bool put_result_name(rg_onnx_out *w, pb_ostream_t *out, uint32_t number, const result *r)
{
    char text[96];
    if (!is_copy(w, r)) return put_name(w, out, number, value_of(w, r));
    snprintf(text, sizeof text, "%.*sout%u_%u", RG_STR(w->start), r->region, r->i);
    return rg_onnx_put_str(out, number, rg_str_of(text));
}

static bool put_copy(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    const result *r = what;
    return put_name(w, out, RG_ONNX_node_input, value_of(w, r))
           && put_result_name(w, out, RG_ONNX_node_output, r)
           && rg_onnx_put_str(out, RG_ONNX_node_op_type, RG_LIT("Identity"));
}

static bool put_value_type(rg_onnx_out *w, pb_ostream_t *out, rg_value_id id)
{
    const rg_type *type = &w->g->values[id].type;
    return type->kind == RG_KIND_UNKNOWN || rg_onnx_put_message(w, out, RG_ONNX_value_type, put_type, type);
}

static bool put_output(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    const result *r = what;
    return put_result_name(w, out, RG_ONNX_value_name, r) && put_value_type(w, out, value_of(w, r));
}

static bool put_input(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    rg_value_id id = *(const rg_value_id *)what;
    return put_name(w, out, RG_ONNX_value_name, id) && put_value_type(w, out, id);
}

static rg_onnx_weight weight_of(const rg_onnx_out *w, uint32_t i)
{
    rg_value_id id = w->consts[i];
    return (rg_onnx_weight){.tensor = w->g->values[id].data, .name = w->names[id], .place = -1};
}

static bool put_consts(rg_onnx_out *w, pb_ostream_t *out)
{
    size_t place = 0;
    bool ok = true;
    for (uint32_t i = 0; ok && i < w->const_count; i++) {
        rg_onnx_weight weight = weight_of(w, i);
        size_t size = w->away ? rg_onnx_away_size(weight.tensor) : 0;
        if (size) weight.place = (int64_t)place;
        ok = rg_onnx_put_message(w, out, RG_ONNX_graph_initializer, rg_onnx_put_weight, &weight);
        place += (size + PLACE_ALIGN - 1) / PLACE_ALIGN * PLACE_ALIGN;
    }
    return ok;
}

static bool put_graph(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    rg_region_id id = *(const rg_region_id *)what;
    const rg_region *r = &w->g->regions[id];
    result o = {.region = id};
    bool ok = true;
    for (uint32_t i = 0; ok && i < r->order_count; i++)
        ok = w->g->nodes[r->order[i]].dead
             || rg_onnx_put_message(w, out, RG_ONNX_graph_node, put_node, &w->g->nodes[r->order[i]]);
    for (o.i = 0; ok && o.i < r->output_count; o.i++)
        ok = !is_copy(w, &o) || rg_onnx_put_message(w, out, RG_ONNX_graph_node, put_copy, &o);
    rg_str name = id == RG_MAIN && w->g->name.size ? w->g->name : r->name;
    ok = ok && rg_onnx_put_str(out, RG_ONNX_graph_name, name.size ? name : RG_LIT("graph"));
    if (id == RG_MAIN) ok = ok && put_consts(w, out);
    for (uint32_t i = 0; ok && i < r->input_count; i++)
        ok = rg_onnx_put_message(w, out, RG_ONNX_graph_input, put_input, &r->inputs[i]);
    for (o.i = 0; ok && o.i < r->output_count; o.i++)
        ok = rg_onnx_put_message(w, out, RG_ONNX_graph_output, put_output, &o);
    return ok;
}

/* ---- the model ---- */

static bool put_import(rg_onnx_out *w, pb_ostream_t *out, const void *what)
{
    const rg_import *import = what;
    (void)w;
    return rg_onnx_put_str(out, RG_ONNX_opset_domain, import->domain)
           && rg_onnx_put_int(out, RG_ONNX_opset_version, import->version);
}

static bool put_model(rg_onnx_out *w, pb_ostream_t *out)
{
    static const rg_region_id main_region = RG_MAIN;
    size_t row = 0;
    bool ok = true;
    while (w->imports[0].version > ir_versions[row].opset_max && row + 1 < RG_COUNT(ir_versions)) row++;
    ok = rg_onnx_put_int(out, RG_ONNX_model_ir_version, ir_versions[row].ir_version)
         && rg_onnx_put_str(out, RG_ONNX_model_producer_name, RG_LIT("ridge"))
         && rg_onnx_put_message(w, out, RG_ONNX_model_graph, put_graph, &main_region);
    for (uint32_t i = 0; ok && i < w->import_count; i++)
        ok = rg_onnx_put_message(w, out, RG_ONNX_model_opset_import, put_import, &w->imports[i]);
    return ok;
}

/* Opset imports, ai.onnx first: what the newest node of each domain needs. A graph that was a file (only
 * those have an IR version) keeps its opset where that is newer: its nodes may use what was added to their
 * meaning since. */
static rg_err collect_imports(rg_onnx_out *w)
{
    rg_map rows; /* domain: index in imports + 1 */
    int base = w->g->ir_version && w->g->opset > OPSET_MIN ? w->g->opset : OPSET_MIN;
    rg_map_init(&rows, &w->scratch);
    for (rg_node_id id = 0; id < w->g->node_count; id++) {
        const rg_node *n = &w->g->nodes[id];
        int64_t version = n->op ? n->op->since : n->version;
        if (n->dead) continue;
        if (!id) version = base; /* node 0 stands for ai.onnx itself */
        uint32_t row = rg_map_get(&rows, n->domain);
        if (!row) {
            if (!RG_GROW(&w->scratch, w->imports, w->import_count, w->import_capacity))
                return rg_nomem(w->cx);
            row = ++w->import_count;
            w->imports[row - 1] = (rg_import){n->domain, 1};
            if (!rg_map_put(&rows, n->domain, row)) return rg_nomem(w->cx);
        }
        if (version > w->imports[row - 1].version) w->imports[row - 1].version = version;
    }
    return RG_OK;
}

static rg_err collect_consts(rg_onnx_out *w)
{
    rg_uses uses;
    RG_TRY(rg_graph_uses(w->cx, w->g, &w->scratch, &uses));
    w->consts = RG_NEW(&w->scratch, rg_value_id, w->g->value_count);
    if (!w->consts) return rg_nomem(w->cx);
    for (rg_value_id id = 1; id < w->g->value_count; id++)
        if (w->g->values[id].role == RG_ROLE_CONST
            && (uses.first[id + 1] > uses.first[id] || uses.out_uses[id]))
            w->consts[w->const_count++] = id;
    return RG_OK;
}

/* ---- files ---- */

static bool write_file(pb_ostream_t *out, const pb_byte_t *bytes, size_t size)
{
    return fwrite(bytes, 1, size, out->state) == size;
}

static bool put_places(rg_onnx_out *w, pb_ostream_t *out)
{
    static const pb_byte_t zeros[PLACE_ALIGN];
    bool ok = true;
    for (uint32_t i = 0; ok && i < w->const_count; i++) {
        const rg_onnx_weight weight = weight_of(w, i);
        if (!rg_onnx_away_size(weight.tensor)) continue;
        ok = rg_onnx_put_content(w, out, &weight);
        size_t over = out->bytes_written % PLACE_ALIGN;
        ok = ok && (!over || pb_write(out, zeros, PLACE_ALIGN - over));
    }
    return ok;
}

/* Writes PATH.part, then gives it its name. */
static rg_err write_as(rg_onnx_out *w, const char *path, bool (*body)(rg_onnx_out *w, pb_ostream_t *out))
{
    const char *part = rg_arena_printf(&w->scratch, "%s.part", path);
    FILE *file = part ? fopen(part, "wb") : NULL;
    pb_ostream_t out = {.callback = write_file, .state = file, .max_size = SIZE_MAX};
    if (!part) return rg_nomem(w->cx);
    if (!file) return rg_fail(w->cx, RG_INPUT, "%s: %s", part, strerror(errno));
    bool ok = body(w, &out);
    int why = errno;
    if (fclose(file) && ok) {
        ok = false;
        why = errno;
    }
    if (ok && rename(part, path)) {
        ok = false;
        why = errno;
    }
    if (ok) return RG_OK;
    remove(part);
    return w->err ? w->err : rg_fail(w->cx, RG_FAILED, "%s: %s", path, strerror(why));
}

/* A model of 2 GB and more cannot be one protobuf message: its large constants go to a file beside it. */
static rg_err save(rg_onnx_out *w, const char *path)
{
    pb_ostream_t count = PB_OSTREAM_SIZING;
    RG_TRY(collect_imports(w));
    RG_TRY(collect_consts(w));
    RG_TRY(collect_names(w));
    if (!put_model(w, &count))
        return w->err ? w->err : rg_fail(w->cx, RG_INTERNAL, "the size of the model is not known");
    if (count.bytes_written > INT32_MAX) {
        const char *data = rg_arena_printf(&w->scratch, "%s.data", path);
        if (!data) return rg_nomem(w->cx);
        w->away = rg_path_base(data);
        RG_TRY(write_as(w, data, put_places));
    }
    return write_as(w, path, put_model);
}

rg_err rg_graph_export(rg_ctx *cx, const rg_graph *graph, const char *path, const rg_export_opt *opt)
{
    rg_onnx_out w = {.cx = cx, .g = graph};
    if (opt && opt->weights) {
        if (strcmp(opt->weights, "random"))
            return rg_fail(cx, RG_INPUT, "weights '%s': only random can be asked for", opt->weights);
        w.random = true;
        w.seed = opt->seed;
    }
    rg_arena_init(&w.scratch, cx);
    rg_err err = save(&w, path);
    rg_arena_done(&w.scratch);
    return err;
}
