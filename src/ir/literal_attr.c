/* literal_attr.c - the values of attributes as text; the grammar stands in literal.h. What an attribute is
 * follows from its text alone, so that an operator nobody knows reads back as well as one of ONNX.
 */
#include "ir/literal.h"

static rg_err read_number_list(rg_lex *lex, rg_lex_number first, rg_attr *out)
{
    int64_t *ints = NULL;
    double *floats = NULL;
    uint32_t int_capacity = 0, float_capacity = 0;
    bool all_int = true;
    rg_lex_number x = first;
    out->count = 0;
    for (;;) {
        if (!RG_GROW(lex->arena, ints, out->count, int_capacity)) return rg_nomem(lex->cx);
        if (!RG_GROW(lex->arena, floats, out->count, float_capacity)) return rg_nomem(lex->cx);
        ints[out->count] = x.i;
        floats[out->count++] = x.f;
        all_int = all_int && x.is_int;
        if (!rg_lex_take(lex, ",")) break;
        RG_TRY(rg_lex_num(lex, &x));
    }
    out->kind = all_int ? RG_ATTR_INTS : RG_ATTR_FLOATS;
    if (all_int) out->ints = ints;
    else out->floats = floats;
    return RG_OK;
}

static rg_err read_string_list(rg_lex *lex, rg_attr *out)
{
    rg_str *items = NULL;
    uint32_t capacity = 0;
    do {
        if (!RG_GROW(lex->arena, items, out->count, capacity)) return rg_nomem(lex->cx);
        RG_TRY(rg_lex_string(lex, &items[out->count++]));
    } while (rg_lex_take(lex, ","));
    out->kind = RG_ATTR_STRINGS;
    out->strings = items;
    return RG_OK;
}

static rg_err read_tensor_list(rg_lex *lex, rg_attr *out)
{
    const rg_tensor **items = NULL;
    uint32_t capacity = 0;
    do {
        if (!rg_lex_keyword(lex, "tensor")) return rg_lex_fail(lex, RG_FORMAT, "expected 'tensor'");
        if (!RG_GROW(lex->arena, items, out->count, capacity)) return rg_nomem(lex->cx);
        RG_TRY(rg_lex_tensor(lex, &items[out->count++]));
    } while (rg_lex_take(lex, ","));
    out->kind = RG_ATTR_TENSORS;
    out->tensors = items;
    return RG_OK;
}

static rg_err read_list_attr(rg_lex *lex, rg_attr *out)
{
    rg_lex_number first;
    if (rg_lex_peek(lex) == '"') {
        RG_TRY(read_string_list(lex, out));
    } else if (rg_lex_peek(lex) == 't') {
        RG_TRY(read_tensor_list(lex, out));
    } else {
        RG_TRY(rg_lex_num(lex, &first));
        RG_TRY(read_number_list(lex, first, out));
    }
    return rg_lex_expect(lex, "]");
}

static const struct { const char *word; rg_attr_kind kind; } empties[] = {
    {"ints", RG_ATTR_INTS},       {"floats", RG_ATTR_FLOATS}, {"strings", RG_ATTR_STRINGS},
    {"tensors", RG_ATTR_TENSORS}, {"graphs", RG_ATTR_GRAPHS},
};

static rg_err read_type_attr(rg_lex *lex, rg_dims *dims, rg_attr *out)
{
    rg_type *type = RG_NEW(lex->arena, rg_type, 1);
    if (!type) return rg_nomem(lex->cx);
    out->kind = RG_ATTR_TYPE;
    out->type = type;
    return rg_lex_type(lex, dims, type);
}

rg_err rg_lex_attr(rg_lex *lex, rg_dims *dims, rg_attr *out)
{
    rg_lex_number x;
    *out = (rg_attr){.name = out->name};
    if (rg_lex_peek(lex) == '"') {
        out->kind = RG_ATTR_STRING;
        return rg_lex_string(lex, &out->s);
    }
    if (rg_lex_take(lex, "[")) return read_list_attr(lex, out);
    if (rg_lex_keyword(lex, "type")) return read_type_attr(lex, dims, out);
    if (rg_lex_keyword(lex, "tensor")) {
        out->kind = RG_ATTR_TENSOR;
        return rg_lex_tensor(lex, &out->tensor);
    }
    for (size_t i = 0; i < RG_COUNT(empties); i++) {
        if (!rg_lex_keyword(lex, empties[i].word)) continue;
        out->kind = empties[i].kind;
        return rg_lex_expect(lex, "[]");
    }
    RG_TRY(rg_lex_num(lex, &x));
    if (rg_lex_peek(lex) == ',') return read_number_list(lex, x, out);
    out->kind = x.is_int ? RG_ATTR_INT : RG_ATTR_FLOAT;
    if (x.is_int) out->i = x.i;
    else out->f = x.f;
    return RG_OK;
}

/* ---- printing ---- */

/* Tensors whole: the hash of a graph reads the elements of its attributes. */
static void put_item(rg_text *text, const rg_attr *attr, uint32_t i)
{
    switch (attr->kind) {
    case RG_ATTR_INTS:
        rg_text_printf(text, "%lld", (long long)attr->ints[i]);
        break;
    case RG_ATTR_FLOATS:
        rg_lex_put_real(text, attr->floats[i]);
        break;
    case RG_ATTR_STRINGS:
        rg_lex_put_string(text, attr->strings[i]);
        break;
    case RG_ATTR_TENSORS:
        rg_text_put(text, RG_LIT("tensor "));
        rg_lex_put_tensor(text, attr->tensors[i], true);
        break;
    default:
        break;
    }
}

static void put_list(rg_text *text, const rg_attr *attr)
{
    bool numbers = attr->kind == RG_ATTR_INTS || attr->kind == RG_ATTR_FLOATS;
    bool bare = numbers && attr->count > 1;
    for (size_t i = 0; i < RG_COUNT(empties); i++)
        if (!attr->count && empties[i].kind == attr->kind) rg_text_put(text, rg_str_of(empties[i].word));
    if (!bare) rg_text_char(text, '[');
    for (uint32_t i = 0; i < attr->count; i++) {
        if (i) rg_text_put(text, numbers ? RG_LIT(",") : RG_LIT(", "));
        put_item(text, attr, i);
    }
    if (!bare) rg_text_char(text, ']');
}

void rg_lex_put_attr(rg_text *text, const rg_graph *g, const rg_attr *attr)
{
    switch (attr->kind) {
    case RG_ATTR_INT:
        rg_text_printf(text, "%lld", (long long)attr->i);
        break;
    case RG_ATTR_FLOAT:
        rg_lex_put_real(text, attr->f);
        break;
    case RG_ATTR_STRING:
        rg_lex_put_string(text, attr->s);
        break;
    case RG_ATTR_TENSOR:
        rg_text_put(text, RG_LIT("tensor "));
        rg_lex_put_tensor(text, attr->tensor, true);
        break;
    case RG_ATTR_TYPE:
        rg_text_put(text, RG_LIT("type "));
        rg_type_print(g, attr->type, text);
        break;
    case RG_ATTR_INTS:
    case RG_ATTR_FLOATS:
    case RG_ATTR_STRINGS:
    case RG_ATTR_TENSORS:
        put_list(text, attr);
        break;
    case RG_ATTR_GRAPHS:
        if (!attr->count) put_list(text, attr);
        break;
    case RG_ATTR_NONE:
    case RG_ATTR_GRAPH:
        break;
    }
}
