/* precision.c - the same graph with its numbers in another type: what a forecast at f16, f8 or i8 prices, and
 * at what is stored narrower than it is computed.
 *
 *     BASE[+w=TYPE[gN]][+kv=TYPE[gN]]      f16   model+w=i8   f16+w=i4g128+kv=f8
 *
 * BASE is what every floating-point value is computed in, `model` keeps the file's; with amp-f16 and amp-bf16
 * products are, and some others (autocast.c). w: weights of products
 * are stored in TYPE and made BASE again inside the kernel that reads them; kv: so are caches (storage.c says
 * which values these are). gN: a 16-bit scale for every N elements; without it a channel shares one, which
 * counts nothing. Only types change; which values keep their precision for accuracy's sake is a matter of
 * compression, not of speed.
 */
#include "map/map.h"

#include <string.h>

typedef struct named { const char *name; rg_dtype dtype; } named;
static const named bases[] = {
    {"model", RG_DTYPE_NONE}, {"f32", RG_F32}, {"tf32", RG_F32}, {"f16", RG_F16}, {"bf16", RG_BF16},
    {"f8", RG_F8E4M3FN}, {"i8", RG_I8}, {"amp-f16", RG_F16}, {"amp-bf16", RG_BF16},
};
static const named storages[] = {
    {"f16", RG_F16}, {"bf16", RG_BF16}, {"f8", RG_F8E4M3FN}, {"i8", RG_I8}, {"f4", RG_F4E2M1}, {"i4", RG_I4},
};

/* What a suffix may begin with, by the kind of value that it stores. */
static const struct { const char *key, *what; } suffixes[] = {
    [RG_STORE_WEIGHT] = {"w=", "weight of a product"}, [RG_STORE_CACHE] = {"kv=", "cache"},
};

typedef struct format { rg_dtype dtype; int group; } format; /* NONE: as it is computed */
typedef struct precision {
    const char *text; /* as asked */
    rg_dtype base;
    bool automatic;   /* autocast.c */
    format stored[RG_COUNT(suffixes)];
} precision;

static const named *find(const named *list, size_t count, rg_str name)
{
    for (size_t i = 0; i < count; i++)
        if (rg_str_is(name, list[i].name)) return &list[i];
    return NULL;
}

/* i4, i4g128 */
static rg_err read_format(rg_ctx *cx, const precision *p, rg_str text, format *out)
{
    rg_str name = {"", 0};
    int64_t group = 0;
    bool grouped = memchr(text.data, 'g', text.size) != NULL;
    rg_str_cut(&text, 'g', &name);
    const named *storage = find(storages, RG_COUNT(storages), name);
    if (!storage)
        return rg_fail(cx, RG_USAGE, "precision '%s': '%.*s' is none of f16, bf16, f8, i8, f4, i4", p->text,
                       RG_STR(name));
    if (grouped && (!rg_str_int(text, &group) || group < 1 || group > INT32_MAX))
        return rg_fail(cx, RG_USAGE, "precision '%s': a group is a number of elements, as in i4g128",
                       p->text);
    *out = (format){storage->dtype, (int)group};
    if (group && rg_dtype_bits(storage->dtype) > 8)
        return rg_fail(cx, RG_USAGE, "precision '%s': %s takes no scales, leave out g%lld", p->text,
                       storage->name, (long long)group);
    bool same = storage->dtype == p->base && !group;
    if (same || p->base == RG_DTYPE_NONE || rg_type_stores(p->base, storage->dtype, out->group)) return RG_OK;
    return rg_fail(cx, RG_USAGE, "precision '%s': what is computed in %s is not stored in %s, which has as "
                   "many bits: take a narrower one, or a wider base", p->text, rg_dtype_name(p->base),
                   storage->name);
}

/* w=i4g128 */
static rg_err read_suffix(rg_ctx *cx, precision *p, rg_str text)
{
    for (size_t kind = RG_STORE_WEIGHT; kind < RG_COUNT(suffixes); kind++) {
        size_t size = strlen(suffixes[kind].key);
        if (!rg_str_starts(text, suffixes[kind].key)) continue;
        if (p->stored[kind].dtype)
            return rg_fail(cx, RG_USAGE, "precision '%s' states %s twice", p->text, suffixes[kind].key);
        return read_format(cx, p, (rg_str){text.data + size, text.size - size}, &p->stored[kind]);
    }
    return rg_fail(cx, RG_USAGE, "precision '%s': '+%.*s' is neither +w=TYPE for weights nor +kv=TYPE for "
                   "caches", p->text, RG_STR(text));
}

static rg_err read_precision(rg_ctx *cx, precision *p)
{
    rg_str whole = rg_str_of(p->text), rest = whole, part = {"", 0};
    rg_str_cut(&rest, '+', &part);
    const named *base = find(bases, RG_COUNT(bases), part);
    if (!base)
        return rg_fail(cx, RG_USAGE, "precision '%s' is none of model, f32, tf32, f16, bf16, f8, i8, "
                       "amp-f16, amp-bf16, nor one of these with +w=TYPE or +kv=TYPE, as f16+w=i4g128",
                       p->text);
    p->base = base->dtype;
    p->automatic = rg_str_starts(part, "amp-");
    while (rg_str_cut(&rest, '+', &part)) RG_TRY(read_suffix(cx, p, part));
    bool open = whole.size && whole.data[whole.size - 1] == '+';
    return open ? read_suffix(cx, p, rest) : RG_OK;
}

static void compute_in(rg_graph *g, rg_dtype base)
{
    for (uint32_t i = 1; i < g->value_count; i++) {
        rg_type *type = &g->values[i].type;
        if (type->kind != RG_KIND_TENSOR || !rg_dtype_is_float(type->dtype)) continue;
        type->dtype = base;
        type->stored = RG_DTYPE_NONE;
        type->group = 0;
    }
}

static rg_err store(rg_ctx *cx, rg_graph *g, const precision *p)
{
    const uint8_t *kinds;
    uint32_t found[RG_COUNT(suffixes)] = {0};
    RG_TRY(rg_graph_stores(cx, g, &kinds));
    for (uint32_t i = 1; i < g->value_count; i++) {
        rg_type *type = &g->values[i].type;
        const format *to = &p->stored[kinds[i]];
        bool narrows = rg_type_stores(type->dtype, to->dtype, to->group);
        if (!to->dtype || !(narrows || type->dtype == to->dtype)) continue;
        type->stored = narrows ? to->dtype : RG_DTYPE_NONE;
        type->group = narrows ? to->group : 0;
        found[kinds[i]]++;
    }
    for (size_t kind = RG_STORE_WEIGHT; kind < RG_COUNT(suffixes); kind++)
        if (p->stored[kind].dtype && !found[kind])
            return rg_fail(cx, RG_USAGE, "precision '%s': the model has no %s that is wider; leave out +%s%s",
                           p->text, suffixes[kind].what, suffixes[kind].key,
                           rg_dtype_name(p->stored[kind].dtype));
    return RG_OK;
}

rg_err rg_graph_at_precision(rg_ctx *cx, const rg_graph *graph, const char *text, const rg_graph **out)
{
    precision p = {.text = text ? text : "model"};
    rg_graph *copy;
    RG_TRY(read_precision(cx, &p));
    bool stores = p.stored[RG_STORE_WEIGHT].dtype || p.stored[RG_STORE_CACHE].dtype;
    if (!p.base && !stores) {
        *out = rg_graph_ref(graph);
        return RG_OK;
    }
    RG_TRY(rg_graph_clone(cx, graph, &copy));
    if (p.base) compute_in(copy, p.automatic ? RG_F32 : p.base);
    rg_err err = p.automatic ? rg_graph_autocast(cx, copy, p.base) : RG_OK;
    if (!err && stores) err = store(cx, copy, &p);
    if (err) rg_graph_free(copy);
    else *out = copy;
    return err;
}

bool rg_hw_dtype_of(rg_dtype dtype, rg_hw_dtype *out)
{
#define AS(type) (RG_HW_##type + 1) /* so that 0 is none */
    static const int of[RG_DTYPE_END] = {
        [RG_F32] = AS(F32),      [RG_F64] = AS(F64),      [RG_F16] = AS(F16),      [RG_BF16] = AS(BF16),
        [RG_F8E4M3FN] = AS(F8),  [RG_F8E4M3UZ] = AS(F8),  [RG_F8E5M2] = AS(F8),    [RG_F8E5M2UZ] = AS(F8),
        [RG_F8E8M0] = AS(F8),    [RG_F4E2M1] = AS(I4),    [RG_I8] = AS(I8),        [RG_U8] = AS(I8),
        [RG_I4] = AS(I4),        [RG_U4] = AS(I4),        [RG_I2] = AS(I4),        [RG_U2] = AS(I4),
        /* wider integers and booleans run in 32-bit or 64-bit lanes at the rate of that float */
        [RG_I16] = AS(F32),      [RG_U16] = AS(F32),      [RG_I32] = AS(F32),      [RG_U32] = AS(F32),
        [RG_I64] = AS(F32),      [RG_U64] = AS(F32),      [RG_BOOL] = AS(F32),     [RG_C64] = AS(F32),
        [RG_C128] = AS(F64),
    };
#undef AS
    if (dtype <= RG_DTYPE_NONE || dtype >= RG_DTYPE_END || !of[dtype]) return false;
    *out = (rg_hw_dtype)(of[dtype] - 1);
    return true;
}
