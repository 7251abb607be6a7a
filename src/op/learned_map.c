/* learned_map.c - maps of ai.onnx.ml: CastMap, DictVectorizer, ZipMap. At run time a map is two data: a
 * tensor of its keys, and a sequence of its values, each a tensor of one element.
 */
#include "op/learned.h"

static const rg_type float_type = {.kind = RG_KIND_TENSOR, .dtype = RG_F32};

/* ---- reading ---- */

/* A map's keys, and its values by place. */
typedef struct entries { const rg_array *keys; const rg_datum *values; int64_t count; } entries;

static const rg_array *value_of(const entries *m, int64_t i) { return &m->values->items[i]->array; }

static rg_err read_map(const rg_run *r, entries *m)
{
    const rg_datum *d = r->in[0];
    if (d->kind != RG_KIND_MAP || d->item_count != 2 || d->items[1]->kind != RG_KIND_SEQUENCE)
        return rg_run_fail(r, RG_INPUT, "input 0 is not a map");
    *m = (entries){&d->items[0]->array, d->items[1], d->items[0]->array.count};
    if ((int64_t)m->values->item_count != m->count)
        return rg_run_fail(r, RG_INPUT, "a map of %lld keys and %zu values", (long long)m->count,
                           m->values->item_count);
    for (int64_t i = 0; i < m->count; i++)
        if (m->values->items[i]->kind != RG_KIND_TENSOR || value_of(m, i)->count != 1)
            return rg_run_fail(r, RG_INPUT, "value %lld of the map is not one number or string",
                               (long long)i);
    return RG_OK;
}

static rg_err need_map(const rg_site *s)
{
    rg_kind kind = rg_in_type(s, 0)->kind;

    if (kind == RG_KIND_MAP || kind == RG_KIND_UNKNOWN) return RG_OK;
    return rg_site_fail(s, RG_SHAPE, "input 0 is not a map");
}

static void map_work(const rg_site *s, rg_work *w)
{
    rg_work_copy(s, w);
    w->family = RG_FAMILY_TREE;
}

static const rg_attr_spec castmap_attrs[] = {
    {"cast_to", RG_ATTR_STRING, "TO_FLOAT", false, "TO_FLOAT, TO_STRING or TO_INT64"},
    {"map_form", RG_ATTR_STRING, "DENSE", false, "DENSE: in the order of the keys; SPARSE: at them"},
    {"max_map", RG_ATTR_INT, "1", false, "SPARSE: size of the result"},
};
static const rg_case castmap_cases[] = {
    {"map(i64,f32[])", "map_form=\"SPARSE\" max_map=8", "f32[1,8]"},
    {"map(i64,str[])", "cast_to=\"TO_STRING\"", "str[1,u0]"},
};

static rg_err castmap_infer(const rg_site *s)
{
    rg_str to = rg_op_str(s, "cast_to");
    bool sparse = rg_str_is(rg_op_str(s, "map_form"), "SPARSE");
    rg_dim dim[2] = {1, sparse ? rg_op_int(s, "max_map") : rg_dim_open(s, 1)};
    rg_dtype dtype = rg_str_is(to, "TO_STRING") ? RG_STR : rg_str_is(to, "TO_INT64") ? RG_I64 : RG_F32;

    RG_TRY(need_map(s));
    rg_set_out(s, 0, rg_type_tensor(dtype, 2, dim));
    return RG_OK;
}

/* One value as another type: numbers are written out, strings read. */
static rg_err cast_value(const rg_run *r, const rg_array *from, const rg_array *y, int64_t at)
{
    if (from->dtype == RG_STR && y->dtype != RG_STR) {
        rg_str text = rg_get_str(from, 0);
        int64_t whole = 0;
        double real = 0;
        if (y->dtype == RG_I64 ? !rg_str_int(text, &whole) : !rg_str_real(text, &real))
            return rg_run_fail(r, RG_INPUT, "'%.*s' is no number", RG_STR(text));
        if (y->dtype == RG_I64) rg_put_int(y, at, whole);
        else rg_put(y, at, real);
    } else if (from->dtype != RG_STR && y->dtype == RG_STR) {
        bool whole = rg_dtype_is_int(from->dtype);
        const char *text = whole ? rg_arena_printf(r->scratch, "%lld", (long long)rg_get_int(from, 0))
                                 : rg_arena_printf(r->scratch, "%f", rg_get(from, 0));
        if (!text) return rg_nomem(r->site.cx);
        ((rg_str *)y->data)[at] = rg_str_of(text);
    } else if (from->dtype == y->dtype) {
        rg_copy(y, at, from, 0);
    } else {
        rg_put(y, at, rg_get(from, 0));
    }
    return RG_OK;
}

/* How many keys are less: the place of key i in their order. */
static int64_t order_of(const rg_array *keys, int64_t i)
{
    int64_t place = 0;
    for (int64_t k = 0; k < keys->count; k++) {
        int64_t a = rg_get_int(keys, k), b = rg_get_int(keys, i);
        place += a < b || (a == b && k < i);
    }
    return place;
}

static rg_err run_castmap(const rg_run *r)
{
    rg_str to = rg_op_str(&r->site, "cast_to"), form = rg_op_str(&r->site, "map_form");
    bool sparse = rg_str_is(form, "SPARSE");
    rg_dtype dtype = rg_str_is(to, "TO_STRING") ? RG_STR : rg_str_is(to, "TO_INT64") ? RG_I64 : RG_F32;
    rg_array *y;
    entries m;
    RG_TRY(read_map(r, &m));
    if (m.keys->dtype != RG_I64)
        return rg_run_fail(r, RG_INPUT, "its keys are %s, not i64", rg_dtype_name(m.keys->dtype));
    RG_TRY(rg_make_result(r, 0, dtype, 2, (int64_t[]){1, sparse ? rg_op_int(&r->site, "max_map") : m.count},
                          &y));
    if (y) rg_clear(y);
    for (int64_t i = 0; y && i < m.count; i++) {
        int64_t key = rg_get_int(m.keys, i), at = sparse ? key : order_of(m.keys, i);
        if (at < 0 || at >= y->count)
            return rg_run_fail(r, RG_INPUT, "key %lld is outside 0 to %lld", (long long)at,
                               (long long)y->count - 1);
        RG_TRY(cast_value(r, value_of(&m, i), y, at));
    }
    return RG_OK;
}

RG_OP(castmap) = {
    .name = "CastMap", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "values of a map as a tensor",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(castmap_attrs) RG_CASES(castmap_cases)
    .infer = castmap_infer, .work = map_work, .run = run_castmap,
};

static const rg_attr_spec dict_attrs[] = {
    {"int64_vocabulary", RG_ATTR_INTS, NULL, false, "the keys, when they are integers"},
    {"string_vocabulary", RG_ATTR_STRINGS, NULL, false, "the keys, when they are strings"},
};
static const rg_case dict_cases[] = {
    {"map(str,i64[])", "string_vocabulary=[\"a\",\"b\",\"c\"]", "i64[1,3]"},
};

static rg_err dict_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    rg_dim dim[2] = {1, rg_learned_count(s, "int64_vocabulary") + rg_learned_count(s, "string_vocabulary")};

    RG_TRY(need_map(s));
    rg_set_out(s, 0, rg_type_tensor(in->elem ? in->elem->dtype : RG_DTYPE_NONE, 2, dim));
    return RG_OK;
}

/* The value of each word of the vocabulary; words that are no keys get 0 or the empty string. */
static rg_err run_dict(const rg_run *r)
{
    const rg_attr *ints = rg_node_attr(r->site.node, "int64_vocabulary");
    const rg_attr *strings = rg_node_attr(r->site.node, "string_vocabulary");
    const rg_attr *words = strings ? strings : ints;
    rg_array *y;
    entries m;
    RG_TRY(read_map(r, &m));
    bool text = m.keys->dtype == RG_STR;
    if (!words || text != (words->kind == RG_ATTR_STRINGS))
        return rg_run_fail(r, RG_FORMAT, "the vocabulary is not of %s", rg_dtype_name(m.keys->dtype));
    const rg_type *elem = r->in[0]->type.elem;
    rg_dtype dtype = m.count ? value_of(&m, 0)->dtype : elem ? elem->dtype : RG_F32;
    RG_TRY(rg_make_result(r, 0, dtype, 2, (int64_t[]){1, words->count}, &y));
    if (y) rg_clear(y);
    for (int64_t w = 0; y && w < words->count; w++)
        for (int64_t i = 0; i < m.count; i++) {
            bool hit = text ? rg_str_eq(rg_get_str(m.keys, i), words->strings[w])
                            : rg_get_int(m.keys, i) == words->ints[w];
            if (hit && value_of(&m, i)->dtype != dtype)
                return rg_run_fail(r, RG_INPUT, "the values of the map are of more than one type");
            if (hit) rg_copy(y, w, value_of(&m, i), 0);
        }
    return RG_OK;
}

RG_OP(dictvectorizer) = {
    .name = "DictVectorizer", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "values of a map, ordered by a vocabulary",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(dict_attrs) RG_CASES(dict_cases) .infer = dict_infer, .work = map_work, .run = run_dict,
};

static const rg_attr_spec zipmap_attrs[] = {
    {"classlabels_int64s", RG_ATTR_INTS, NULL, false, "the keys, when they are integers"},
    {"classlabels_strings", RG_ATTR_STRINGS, NULL, false, "the keys, when they are strings"},
};
static const rg_case zipmap_cases[] = {{"f32[batch,2]", "classlabels_int64s=0,1", "seq(map(i64,f32[]))"}};

static rg_err zipmap_infer(const rg_site *s)
{
    rg_type map = {.kind = RG_KIND_MAP, .rank = -1, .elem = &float_type};
    rg_type list = {.kind = RG_KIND_SEQUENCE, .rank = -1};

    RG_TRY(rg_need_tensor(s, 0));
    map.dtype = rg_op_has(s, "classlabels_strings") ? RG_STR : RG_I64;
    if (!(list.elem = rg_type_keep(s, map))) return rg_nomem(s->cx);
    rg_set_out(s, 0, list);
    return RG_OK;
}

/* Every row becomes a map of its own: an entry of key and value for every score. */
static void zipmap_work(const rg_site *s, rg_work *w)
{
    enum { ENTRY_BYTE = 16 };

    w->family = RG_FAMILY_TREE;
    w->m = rg_in_count(s, 0);
    w->out_byte = ENTRY_BYTE * w->m;
}

/* The labels as a datum that all maps share. */
static rg_err make_keys(const rg_run *r, int64_t count, rg_datum **out)
{
    const rg_attr *strings = rg_node_attr(r->site.node, "classlabels_strings");
    const rg_attr *ints = rg_node_attr(r->site.node, "classlabels_int64s");
    const rg_attr *labels = strings ? strings : ints;
    *out = NULL;
    if (!labels || labels->count != count)
        return rg_run_fail(r, RG_SHAPE, "%u labels for %lld scores", labels ? labels->count : 0,
                           (long long)count);
    RG_TRY(rg_datum_tensor(r->site.cx, strings ? RG_STR : RG_I64, 1, &count, out));
    for (int64_t i = 0; i < count; i++) {
        if (strings) ((rg_str *)(*out)->array.data)[i] = strings->strings[i];
        else rg_put_int(&(*out)->array, i, ints->ints[i]);
    }
    return RG_OK;
}

/* `count` data into one of the kind; the references are given away, on failure too. */
static rg_err bundle(const rg_run *r, rg_kind kind, const rg_type *type, const rg_datum **items, size_t count,
                     rg_err err, rg_datum **out)
{
    *out = NULL;
    if (!err) err = rg_datum_list(r->site.cx, kind, type, items, count, out);
    for (size_t i = 0; i < count; i++) rg_datum_free(items[i]);
    return err;
}

/* One row as a map. */
static rg_err make_map(const rg_run *r, const rg_datum *keys, const double *score, int64_t count,
                       rg_datum **out)
{
    const rg_type type = {.kind = RG_KIND_MAP, .dtype = keys->array.dtype, .rank = -1, .elem = &float_type};
    const rg_type list = {.kind = RG_KIND_SEQUENCE, .rank = -1, .elem = &float_type};
    const rg_datum **items = RG_NEW(r->scratch, const rg_datum *, count);
    rg_datum *value, *values;
    size_t made = 0;
    rg_err err = RG_OK;
    *out = NULL;
    if (!items) return rg_nomem(r->site.cx);
    while (!err && made < (size_t)count) {
        err = rg_datum_tensor(r->site.cx, RG_F32, 0, NULL, &value);
        if (err) break;
        rg_put(&value->array, 0, score[made]);
        items[made++] = value;
    }
    RG_TRY(bundle(r, RG_KIND_SEQUENCE, &list, items, made, err, &values));
    const rg_datum *both[] = {rg_datum_ref(keys), values};
    return bundle(r, RG_KIND_MAP, &type, both, 2, RG_OK, out);
}

static rg_err run_zipmap(const rg_run *r)
{
    rg_rows in;
    rg_datum *keys, *map_of_row, *all;
    RG_TRY(rg_learned_input(r, &in));
    const rg_datum **maps = RG_NEW(r->scratch, const rg_datum *, in.count);
    if (!maps) return rg_nomem(r->site.cx);
    RG_TRY(make_keys(r, in.size, &keys));
    rg_err err = rg_datum_own_strings(r->site.cx, keys);
    size_t made = 0;
    while (!err && made < (size_t)in.count) {
        err = make_map(r, keys, in.x + (int64_t)made * in.size, in.size, &map_of_row);
        if (!err) maps[made++] = map_of_row;
    }
    rg_datum_free(keys);
    const rg_type *type = &r->site.g->values[r->site.node->out[0]].type;
    RG_TRY(bundle(r, RG_KIND_SEQUENCE, type, maps, made, err, &all));
    rg_give_result(r, 0, all);
    return RG_OK;
}

RG_OP(zipmap) = {
    .name = "ZipMap", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "rows of scores as maps from class to score",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(zipmap_attrs) RG_CASES(zipmap_cases)
    .infer = zipmap_infer, .work = zipmap_work, .run = run_zipmap,
};
