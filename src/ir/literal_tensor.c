/* literal_tensor.c - constants as text; the grammar stands in literal.h.
 *
 * What is read is only ever as large as the text itself, save for splats, parameters without data and places
 * in files, which allocate nothing.
 */
#include "ir/literal.h"

#include <string.h>

enum { LIST_MAX = 256 }; /* elements up to which a constant is printed as a list */

/* Bytes of `count` packed elements; false on overflow. */
static bool packed_size(rg_dtype dtype, int64_t count, int64_t *out)
{
    int64_t bits;
    if (!rg_mul_size(count, rg_dtype_bits(dtype), &bits)) return false;
    *out = bits / 8 + (bits % 8 != 0);
    return true;
}

static rg_err read_bytes(rg_lex *lex, rg_tensor *t)
{
    rg_str bytes;
    RG_TRY(rg_lex_hex(lex, &bytes));
    t->data = bytes.data;
    t->size = bytes.size;
    return RG_OK;
}

static rg_err read_element(rg_lex *lex, rg_dtype dtype, void *data, int64_t index)
{
    rg_lex_number x;
    RG_TRY(rg_lex_num(lex, &x));
    if (rg_dtype_is_float(dtype)) rg_dtype_set_real(dtype, data, index, x.f);
    else if (x.is_int && rg_dtype_class(dtype) != 'c') rg_dtype_set_int(dtype, data, index, x.i);
    else
        return rg_lex_fail(lex, RG_FORMAT, "expected an integer for an element of type %s",
                           rg_dtype_name(dtype));
    return RG_OK;
}

static rg_err read_list(rg_lex *lex, rg_tensor *t)
{
    bool strings = t->dtype == RG_STR;
    int64_t size = 0;
    if (!strings && !packed_size(t->dtype, t->count, &size)) size = INT64_MAX;
    /* An element takes at least a digit or two quotes, so the text bounds what a list may allocate. */
    if ((uint64_t)t->count > lex->text.size - lex->at)
        return rg_lex_fail(lex, RG_FORMAT, "a list of %lld elements is longer than the text",
                           (long long)t->count);
    rg_str *strs = strings ? RG_NEW(lex->arena, rg_str, t->count) : NULL;
    void *data = strings ? (void *)strs : rg_arena_alloc(lex->arena, (size_t)size);
    if (!data) return rg_nomem(lex->cx);
    for (int64_t i = 0; i < t->count; i++) {
        if (i) RG_TRY(rg_lex_expect(lex, ","));
        RG_TRY(strings ? rg_lex_string(lex, &strs[i]) : read_element(lex, t->dtype, data, i));
    }
    t->encoding = strings ? RG_DATA_STRING : RG_DATA_RAW;
    t->data = data;
    t->size = strings ? (size_t)t->count * sizeof *strs : (size_t)size;
    return rg_lex_expect(lex, "}");
}

static rg_err need_bytes(rg_lex *lex, const rg_tensor *t, int64_t count)
{
    int64_t size;
    if (packed_size(t->dtype, count, &size) && (uint64_t)size == t->size) return RG_OK;
    return rg_lex_fail(lex, RG_FORMAT, "%zu bytes do not hold %lld elements of type %s", t->size,
                       (long long)count,
                       rg_dtype_name(t->dtype));
}

static rg_err read_raw(rg_lex *lex, rg_tensor *t)
{
    t->encoding = RG_DATA_RAW;
    RG_TRY(read_bytes(lex, t));
    return need_bytes(lex, t, t->count);
}

static rg_err read_splat(rg_lex *lex, rg_tensor *t)
{
    t->encoding = RG_DATA_SPLAT;
    if (rg_lex_keyword(lex, "hex")) {
        RG_TRY(read_bytes(lex, t));
        return need_bytes(lex, t, 1);
    }
    int64_t size;
    void *data = packed_size(t->dtype, 1, &size) ? rg_arena_alloc(lex->arena, (size_t)size) : NULL;
    if (!data) return rg_nomem(lex->cx);
    t->data = data;
    t->size = (size_t)size;
    return read_element(lex, t->dtype, data, 0);
}

static rg_err read_varint(rg_lex *lex, rg_tensor *t)
{
    t->encoding = RG_DATA_VARINT;
    RG_TRY(read_bytes(lex, t));
    /* Elements end at the bytes without a continuation bit, of which none may have more than ten. */
    const unsigned char *bytes = t->data;
    int64_t count = 0;
    for (size_t i = 0, run = 0; i < t->size; i++) {
        if (++run > 10) return rg_lex_fail(lex, RG_FORMAT, "a varint of more than 10 bytes");
        if (bytes[i] < 0x80) count++, run = 0;
    }
    if (count != t->count || (t->size && bytes[t->size - 1] >= 0x80))
        return rg_lex_fail(lex, RG_FORMAT, "%lld varints, expected %lld", (long long)count,
                           (long long)t->count);
    return RG_OK;
}

static rg_err read_place(rg_lex *lex, rg_tensor *t)
{
    rg_str path;
    int64_t offset, size;
    t->encoding = RG_DATA_AWAY;
    RG_TRY(rg_lex_string(lex, &path));
    if (path.size > RG_PATH_LIMIT || memchr(path.data, 0, path.size))
        return rg_lex_fail(lex, RG_LIMIT, "a path of %zu bytes, at most %d are allowed", path.size,
                           RG_PATH_LIMIT);
    RG_TRY(rg_lex_expect(lex, "@"));
    RG_TRY(rg_lex_int(lex, 0, INT64_MAX, &offset));
    RG_TRY(rg_lex_expect(lex, "+"));
    RG_TRY(rg_lex_int(lex, 0, INT64_MAX, &size));
    t->file = rg_arena_cstr(lex->arena, path);
    t->offset = (uint64_t)offset;
    t->size = (size_t)size;
    return t->file ? RG_OK : rg_nomem(lex->cx);
}

static rg_err read_none(rg_lex *lex, rg_tensor *t)
{
    (void)lex;
    t->encoding = RG_DATA_NONE;
    return RG_OK;
}

static const struct {
    const char *word;
    rg_err (*read)(rg_lex *lex, rg_tensor *t);
    bool strings; /* also holds strings */
} forms[] = {
    {"none", read_none, true}, {"file", read_place, true},     {"splat", read_splat, false},
    {"hex", read_raw, false},  {"varint", read_varint, false},
};

static rg_err read_numbers(rg_lex *lex, rg_tensor *t)
{
    int64_t dim[RG_RANK_MAX];
    RG_TRY(rg_lex_expect(lex, "["));
    for (t->count = 1; !rg_lex_take(lex, "]"); t->rank++) {
        if (t->rank) RG_TRY(rg_lex_expect(lex, ","));
        if (t->rank == RG_RANK_MAX)
            return rg_lex_fail(lex, RG_LIMIT, "a constant of more than %d dimensions", RG_RANK_MAX);
        RG_TRY(rg_lex_int(lex, 0, INT64_MAX, &dim[t->rank]));
        if (!rg_mul_size(t->count, dim[t->rank], &t->count))
            return rg_lex_fail(lex, RG_LIMIT, "a constant of more than %lld elements", (long long)INT64_MAX);
    }
    int64_t *copy = RG_NEW(lex->arena, int64_t, t->rank + 1);
    if (!copy) return rg_nomem(lex->cx);
    memcpy(copy, dim, (size_t)t->rank * sizeof *copy);
    t->dim = copy;
    return RG_OK;
}

rg_err rg_lex_tensor(rg_lex *lex, const rg_tensor **out)
{
    rg_tensor *t = RG_NEW(lex->arena, rg_tensor, 1);
    if (!t) return rg_nomem(lex->cx);
    *out = t;
    RG_TRY(rg_lex_dtype(lex, &t->dtype));
    if (t->dtype == RG_DTYPE_NONE) return rg_lex_fail(lex, RG_FORMAT, "a constant of unknown type");
    RG_TRY(read_numbers(lex, t));
    if (rg_lex_take(lex, "{")) return read_list(lex, t);
    for (size_t i = 0; i < RG_COUNT(forms); i++)
        if ((t->dtype != RG_STR || forms[i].strings) && rg_lex_keyword(lex, forms[i].word))
            return forms[i].read(lex, t);
    return rg_lex_fail(lex, RG_FORMAT,
                       "expected the data of a constant: {...}, splat, none, file, hex or varint");
}

/* ---- printing ---- */

/* Prints element i and packs what a reader would make of that into `packed`. */
static void put_element(rg_text *text, rg_dtype dtype, const void *data, int64_t i, void *packed)
{
    static const int digits[] = {6, 9, 17};
    if (!rg_dtype_is_float(dtype)) {
        int64_t x = rg_dtype_get_int(dtype, data, i);
        rg_dtype_set_int(dtype, packed, i, x);
        rg_text_printf(text, "%lld", (long long)x);
        return;
    }
    double x = rg_dtype_get_real(dtype, data, i), back = 0;
    char buffer[32] = "";
    for (size_t k = 0; k < RG_COUNT(digits); k++) {
        rg_str_print(buffer, sizeof buffer, "%.*g", digits[k], x);
        if (!rg_str_real(rg_str_of(buffer), &back)) back = 0;
        rg_dtype_set_real(dtype, packed, i, back);
        if (rg_dtype_get_real(dtype, packed, i) == x) break;
    }
    rg_text_put(text, rg_str_of(buffer));
}

/* False, and nothing printed, when some bits would not survive: NaN payloads, a bool of 2, u64 beyond
 * int64. */
static bool put_numbers(rg_text *text, rg_dtype dtype, const void *data, size_t size, int64_t count)
{
    _Alignas(16) unsigned char packed[LIST_MAX * 8] = {0};
    size_t start = text->size;
    if (rg_dtype_class(dtype) == 'c' || size > sizeof packed) return false;
    for (int64_t i = 0; i < count; i++) {
        if (i) rg_text_put(text, RG_LIT(", "));
        put_element(text, dtype, data, i, packed);
    }
    if (!size || memcmp(packed, data, size) == 0) return true;
    text->size = start;
    return false;
}

static void put_hex(rg_text *text, const void *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = data;
    char chunk[512];
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        chunk[used++] = digits[bytes[i] >> 4];
        chunk[used++] = digits[bytes[i] & 15];
        if (used < sizeof chunk && i + 1 < size) continue;
        rg_text_put(text, (rg_str){chunk, used});
        used = 0;
    }
}

static void put_bytes(rg_text *text, const rg_tensor *t, bool whole)
{
    _Alignas(16) unsigned char unpacked[LIST_MAX * 8] = {0};
    int64_t size;
    size_t start = text->size;
    if (t->count <= LIST_MAX && packed_size(t->dtype, t->count, &size) && (size_t)size <= sizeof unpacked &&
        rg_tensor_unpack(t, unpacked)) {
        rg_text_char(text, '{');
        if (put_numbers(text, t->dtype, unpacked, (size_t)size, t->count)) {
            rg_text_char(text, '}');
            return;
        }
        text->size = start;
    }
    if (t->file && !(whole && rg_tensor_has_data(t))) {
        rg_text_put(text, RG_LIT("file "));
        rg_lex_put_string(text, rg_str_of(t->file));
        rg_text_printf(text, " @%llu +%zu", (unsigned long long)t->offset, t->size);
        return;
    }
    rg_text_put(text, t->encoding == RG_DATA_VARINT ? RG_LIT("varint ") : RG_LIT("hex "));
    put_hex(text, t->data, t->size);
}

static void put_strings(rg_text *text, const rg_tensor *t)
{
    const rg_str *strings = t->data;
    rg_text_char(text, '{');
    for (int64_t i = 0; i < t->count; i++) {
        if (i) rg_text_put(text, RG_LIT(", "));
        rg_lex_put_string(text, strings[i]);
    }
    rg_text_char(text, '}');
}

void rg_lex_put_tensor(rg_text *text, const rg_tensor *t, bool whole)
{
    rg_text_printf(text, "%s[", rg_dtype_name(t->dtype));
    for (int i = 0; i < t->rank; i++) rg_text_printf(text, i ? ",%lld" : "%lld", (long long)t->dim[i]);
    rg_text_put(text, RG_LIT("] "));
    switch (t->encoding) {
    case RG_DATA_NONE:
        rg_text_put(text, RG_LIT("none"));
        break;
    case RG_DATA_SPLAT:
        rg_text_put(text, RG_LIT("splat "));
        if (put_numbers(text, t->dtype, t->data, t->size, 1)) break;
        rg_text_put(text, RG_LIT("hex "));
        put_hex(text, t->data, t->size);
        break;
    case RG_DATA_STRING:
        put_strings(text, t);
        break;
    case RG_DATA_RAW:
    case RG_DATA_VARINT:
    case RG_DATA_AWAY:
        put_bytes(text, t, whole);
        break;
    }
}
