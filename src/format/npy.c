/* npy.c - NumPy's file of one array, read and written, as NumPy's "lib.format" describes it.
 *
 *     "\x93NUMPY" major minor | size: 2 bytes, from version 2 on 4 | header, ends with a newline | elements
 *     header: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 *
 * The header is a Python literal; of Python's grammar what these three keys can need is read, in any order.
 * `descr` is a byte order, a kind and a size in bytes (of Unicode strings: in characters of 4 bytes).
 */
#include "format/npy.h"

#include <errno.h>

static const char magic[] = "\x93NUMPY";
enum { VERSION_AT = 6, VERSION_MAX = 3, PREFIX_V1_BYTE = 10, PREFIX_V2_BYTE = 12, ALIGN_BYTE = 64 };

/* ---- types ---- */

static const struct { char kind; int size; rg_dtype dtype; } types[] = {
    {'b', 1, RG_BOOL}, {'i', 1, RG_I8},  {'i', 2, RG_I16}, {'i', 4, RG_I32},  {'i', 8, RG_I64},
    {'u', 1, RG_U8},   {'u', 2, RG_U16}, {'u', 4, RG_U32}, {'u', 8, RG_U64},  {'f', 2, RG_F16},
    {'f', 4, RG_F32},  {'f', 8, RG_F64}, {'c', 8, RG_C64}, {'c', 16, RG_C128},
};

/* What is refused by its name. */
static const struct { char kind; const char *words; } refused[] = {
    {'O', "Python objects"}, {'V', "raw bytes or records"}, {'M', "dates"}, {'m', "spans of time"},
    {'[', "records"},        {'f', "floats of that size"},  {'c', "complex numbers of that size"},
};

rg_dtype rg_npy_type(rg_dtype dtype)
{
    for (size_t i = 0; i < RG_COUNT(types); i++)
        if (types[i].dtype == dtype) return dtype;
    if (dtype == RG_STR) return RG_STR;
    if (rg_dtype_is_float(dtype)) return RG_F32;
    return rg_dtype_class(dtype) == 'i' ? RG_I8 : RG_U8;
}

/* ---- the header ---- */

typedef struct header {
    rg_dtype dtype;
    char kind;
    int64_t item_byte;          /* in the file */
    bool big_endian, fortran;
    int rank;
    int64_t dim[RG_RANK_MAX];
    bool has_descr, has_order, has_shape;
} header;

static char peek(rg_str *rest)
{
    while (rest->size && (*rest->data == ' ' || *rest->data == '\n')) rest->data++, rest->size--;
    return rest->size ? *rest->data : 0;
}

static bool skip(rg_str *rest, char c)
{
    if (peek(rest) != c) return false;
    rest->data++, rest->size--;
    return true;
}

static bool read_word(rg_str *rest, const char *word)
{
    size_t size = strlen(word);
    peek(rest);
    if (rest->size < size || memcmp(rest->data, word, size) != 0) return false;
    rest->data += size;
    rest->size -= size;
    return true;
}

/* 'text' or "text"; escapes do not occur in what is looked for. */
static bool read_quoted(rg_str *rest, rg_str *out)
{
    char quote = peek(rest);
    if (quote != '\'' && quote != '"') return false;
    const char *end = memchr(rest->data + 1, quote, rest->size - 1);
    if (!end) return false;
    *out = (rg_str){rest->data + 1, (size_t)(end - rest->data) - 1};
    rest->size -= (size_t)(end - rest->data) + 1;
    rest->data = end + 1;
    return true;
}

/* Python 2 wrote its long integers as 3L. */
static bool read_size(rg_str *rest, int64_t *out)
{
    size_t digits = 0;
    peek(rest);
    while (digits < rest->size && rest->data[digits] >= '0' && rest->data[digits] <= '9') digits++;
    if (!rg_str_int((rg_str){rest->data, digits}, out)) return false;
    rest->data += digits;
    rest->size -= digits;
    skip(rest, 'L');
    return true;
}

/* (), (3,), (2, 3) */
static rg_err read_shape(rg_ctx *cx, rg_str *rest, header *h)
{
    bool more = true;
    if (!skip(rest, '(')) return rg_fail(cx, RG_FORMAT, "'shape' is no tuple");
    for (h->rank = 0; peek(rest) != ')'; h->rank++) {
        int64_t size;
        if (h->rank == RG_RANK_MAX) return rg_fail(cx, RG_LIMIT, "more than %d dimensions", RG_RANK_MAX);
        if (!more || !read_size(rest, &size)) return rg_fail(cx, RG_FORMAT, "'shape' is no tuple of sizes");
        h->dim[h->rank] = size;
        more = skip(rest, ',');
    }
    skip(rest, ')');
    h->has_shape = true;
    return RG_OK;
}

static rg_err fail_type(rg_ctx *cx, rg_str descr, char kind)
{
    const char *words = "no type that is known";
    for (size_t i = 0; i < RG_COUNT(refused); i++)
        if (refused[i].kind == kind) words = refused[i].words;
    return rg_fail(cx, RG_UNSUPPORTED, "elements of type '%.*s': %s", RG_STR(descr), words);
}

static rg_err read_type(rg_ctx *cx, rg_str *rest, header *h)
{
    rg_str descr = {rest->data, 1};
    if (peek(rest) == '[') return fail_type(cx, RG_LIT("["), '[');
    if (!read_quoted(rest, &descr)) return rg_fail(cx, RG_FORMAT, "'descr' is no string");
    rg_str code = descr;
    bool ordered = code.size && memchr("<>|=", *code.data, 4);
    h->big_endian = ordered && *code.data == '>';
    if (ordered) code.data++, code.size--;
    h->kind = code.size ? *code.data : 0;
    int64_t size;
    bool sized = code.size > 1 && rg_str_int((rg_str){code.data + 1, code.size - 1}, &size) && size > 0;
    if (!sized || size > RG_NAME_MAX) return fail_type(cx, descr, h->kind);
    bool text = h->kind == 'S' || h->kind == 'U';
    h->item_byte = h->kind == 'U' ? 4 * size : size;
    h->dtype = text ? RG_STR : RG_DTYPE_NONE;
    for (size_t i = 0; i < RG_COUNT(types); i++)
        if (types[i].kind == h->kind && types[i].size == size) h->dtype = types[i].dtype;
    h->has_descr = true;
    return h->dtype ? RG_OK : fail_type(cx, descr, h->kind);
}

static rg_err read_order(rg_ctx *cx, rg_str *rest, header *h)
{
    h->fortran = read_word(rest, "True");
    if (!h->fortran && !read_word(rest, "False"))
        return rg_fail(cx, RG_FORMAT, "'fortran_order' is neither True nor False");
    h->has_order = true;
    return RG_OK;
}

static const struct { const char *key; rg_err (*read)(rg_ctx *cx, rg_str *rest, header *h); } keys[] = {
    {"descr", read_type}, {"fortran_order", read_order}, {"shape", read_shape},
};

static rg_err read_header(rg_ctx *cx, rg_str text, header *h)
{
    bool more = true;
    *h = (header){0};
    if (!skip(&text, '{')) return rg_fail(cx, RG_FORMAT, "the header is no dictionary");
    while (peek(&text) != '}') {
        rg_str key;
        size_t row = 0;
        if (!more || !read_quoted(&text, &key) || !skip(&text, ':'))
            return rg_fail(cx, RG_FORMAT, "the header is no dictionary");
        while (row < RG_COUNT(keys) && !rg_str_is(key, keys[row].key)) row++;
        if (row == RG_COUNT(keys)) return rg_fail(cx, RG_FORMAT, "unknown key '%.*s'", RG_STR(key));
        RG_TRY(keys[row].read(cx, &text, h));
        more = skip(&text, ',');
    }
    if (h->has_descr && h->has_order && h->has_shape) return RG_OK;
    return rg_fail(cx, RG_FORMAT, "the header lacks 'descr', 'fortran_order' or 'shape'");
}

/* Cuts prefix and header off: what is left are the elements. */
static rg_err cut_header(rg_ctx *cx, rg_str *bytes, header *h)
{
    const uint8_t *p = (const uint8_t *)bytes->data;
    if (bytes->size < PREFIX_V1_BYTE || memcmp(p, magic, VERSION_AT) != 0)
        return rg_fail(cx, RG_FORMAT, "no NumPy array: it does not begin with \\x93NUMPY");
    int version = p[VERSION_AT];
    if (version < 1 || version > VERSION_MAX)
        return rg_fail(cx, RG_UNSUPPORTED, "version %d of the format, above %d", version, VERSION_MAX);
    size_t prefix = version == 1 ? PREFIX_V1_BYTE : PREFIX_V2_BYTE;
    if (bytes->size < prefix) return rg_fail(cx, RG_FORMAT, "the file ends in its header");
    size_t size = (size_t)p[8] | (size_t)p[9] << 8;
    if (version > 1) size |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (size > RG_NPY_HEADER_MAX)
        return rg_fail(cx, RG_LIMIT, "a header of %zu bytes exceeds %d", size, RG_NPY_HEADER_MAX);
    if (size > bytes->size - prefix) return rg_fail(cx, RG_FORMAT, "the file ends in its header");
    RG_TRY(read_header(cx, (rg_str){bytes->data + prefix, size}, h));
    bytes->data += prefix + size;
    bytes->size -= prefix + size;
    return RG_OK;
}

/* ---- elements ---- */

/* Bytes in the order of the host, which like the tensors in memory is little-endian; of a complex number each
 * half. */
static void copy_number(const header *h, const uint8_t *from, uint8_t *to)
{
    int64_t part = h->kind == 'c' ? h->item_byte / 2 : h->item_byte;
    for (int64_t i = 0; i < h->item_byte; i++)
        to[i] = from[h->big_endian ? i / part * part + part - 1 - i % part : i];
    if (h->dtype == RG_BOOL) *to = *to != 0;
}

/* UTF-8; false: no Unicode character. */
static bool put_utf8(uint32_t c, char *to, size_t *size)
{
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return false;
    int tail = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    to[(*size)++] = (char)(lead[tail] | c >> (6 * tail));
    while (tail--) to[(*size)++] = (char)(0x80 | ((c >> (6 * tail)) & 0x3f));
    return true;
}

/* Strings are padded with zeros, which do not count. */
static rg_err copy_string(rg_ctx *cx, const header *h, const uint8_t *from, rg_datum *datum, rg_str *to)
{
    int64_t step = h->kind == 'U' ? 4 : 1, count = h->item_byte / step;
    uint8_t zero[4] = {0};
    size_t size = 0;
    while (count && memcmp(from + (count - 1) * step, zero, (size_t)step) == 0) count--;
    if (!count) return RG_OK;
    if (step == 1) {
        *to = rg_arena_str(&datum->arena, (rg_str){(const char *)from, (size_t)count});
        return to->data ? RG_OK : rg_nomem(cx);
    }
    char *text = rg_arena_alloc(&datum->arena, (size_t)count * 4);
    if (!text) return rg_nomem(cx);
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *p = from + 4 * i;
        uint32_t c = h->big_endian ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
                                   : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
        if (!put_utf8(c, text, &size)) return rg_fail(cx, RG_FORMAT, "0x%x is no character", (unsigned)c);
    }
    *to = (rg_str){text, size};
    return RG_OK;
}

/* In row-major order of the result; of a Fortran file the first axis is the one whose elements are neighbors.
 */
static rg_err copy_elements(rg_ctx *cx, const header *h, const uint8_t *from, rg_datum *datum)
{
    const rg_array *a = &datum->array;
    int64_t stride[RG_RANK_MAX], index[RG_RANK_MAX] = {0}, step = 1;
    rg_array_strides(a, stride);
    for (int k = 0; h->fortran && k < a->rank; k++) stride[k] = step, step *= a->dim[k];
    for (int64_t i = 0; i < a->count; i++) {
        const uint8_t *item = from + rg_index_at(a->rank, index, stride) * h->item_byte;
        if (a->dtype == RG_STR) RG_TRY(copy_string(cx, h, item, datum, (rg_str *)a->data + i));
        else copy_number(h, item, (uint8_t *)a->data + i * h->item_byte);
        rg_index_next(a->rank, a->dim, index);
    }
    return RG_OK;
}

rg_err rg_npy_parse(rg_ctx *cx, rg_str bytes, rg_datum **out)
{
    header h = {0};
    int64_t count = 1, size = 0;
    *out = NULL;
    RG_TRY(cut_header(cx, &bytes, &h));
    bool fits = true;
    for (int k = 0; k < h.rank; k++) fits = fits && rg_mul_size(count, h.dim[k], &count);
    fits = fits && rg_mul_size(count, h.item_byte, &size);
    if (!fits || (uint64_t)size > bytes.size)
        return rg_fail(cx, RG_FORMAT, "its shape needs %lld elements of %lld bytes, the file has %zu bytes",
                       (long long)count, (long long)h.item_byte, bytes.size);
    RG_TRY(rg_datum_tensor(cx, h.dtype, h.rank, h.dim, out));
    bool as_is = !h.big_endian && !h.fortran && h.dtype != RG_BOOL && h.dtype != RG_STR;
    rg_err err = RG_OK;
    if (as_is && size) memcpy((*out)->array.data, bytes.data, (size_t)size);
    else err = copy_elements(cx, &h, (const uint8_t *)bytes.data, *out);
    if (!err) return RG_OK;
    rg_datum_free(*out);
    *out = NULL;
    return err;
}

rg_err rg_npy_read(rg_ctx *cx, const char *path, rg_datum **out)
{
    rg_file *file;
    *out = NULL;
    RG_TRY(rg_file_map(cx, path, &file));
    rg_err err = rg_npy_parse(cx, rg_file_bytes(file), out);
    rg_file_unref(file);
    return err ? rg_note(cx, err, "%s", path) : RG_OK;
}

/* ---- writing ---- */

/* Characters of a UTF-8 text are counted, or written when there is a file; -1: it is no UTF-8. */
static int64_t put_characters(rg_str text, FILE *out)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    int64_t count = 0;
    for (size_t at = 0; at < text.size;) {
        uint32_t c = (uint8_t)text.data[at++];
        size_t tail = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if ((c >= 0x80 && c < 0xc0) || c >= 0xf8 || text.size - at < tail) return -1;
        if (tail) c &= 0x3fu >> tail;
        for (size_t k = 0; k < tail; k++) {
            uint8_t next = (uint8_t)text.data[at++];
            if ((next & 0xc0) != 0x80) return -1;
            c = c << 6 | (next & 0x3fu);
        }
        if (c < least[tail] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return -1;
        if (out) fwrite((const uint8_t[]){c & 0xff, c >> 8 & 0xff, c >> 16, 0}, 1, 4, out);
        count++;
    }
    return count;
}

/* How strings are stored: as characters where all are UTF-8, else as bytes; the longest gives the width. */
static void measure_strings(const rg_array *a, char *kind, int64_t *width)
{
    int64_t characters = 1, bytes = 1;
    *kind = 'U';
    for (int64_t i = 0; i < a->count; i++) {
        rg_str s = rg_get_str(a, i);
        int64_t count = put_characters(s, NULL);
        if (count < 0) *kind = 'S';
        if (count > characters) characters = count;
        if ((int64_t)s.size > bytes) bytes = (int64_t)s.size;
    }
    *width = *kind == 'U' ? characters : bytes;
}

static void put_strings(const rg_array *a, char kind, int64_t width, FILE *out)
{
    for (int64_t i = 0; i < a->count; i++) {
        rg_str s = rg_get_str(a, i);
        int64_t put = kind == 'U' ? put_characters(s, out) : (int64_t)fwrite(s.data, 1, s.size, out);
        for (int64_t k = put * (kind == 'U' ? 4 : 1); k < width * (kind == 'U' ? 4 : 1); k++) putc(0, out);
    }
}

static void put_numbers(const rg_array *a, rg_dtype dtype, FILE *out)
{
    if (dtype == a->dtype) {
        fwrite(a->data, 1, (size_t)rg_dtype_bytes(dtype, (double)a->count), out);
        return;
    }
    for (int64_t i = 0; i < a->count; i++) {
        uint8_t element[8];
        if (dtype == RG_F32) rg_dtype_set_real(dtype, element, 0, rg_get(a, i));
        else rg_dtype_set_int(dtype, element, 0, rg_get_int(a, i));
        fwrite(element, 1, (size_t)rg_dtype_bits(dtype) / 8, out);
    }
}

/* The elements begin at a multiple of 64 bytes, so that a mapped file can be computed with as it lies. */
static void put_header(const rg_array *a, char kind, int64_t width, FILE *out)
{
    char text[512], order = kind == 'S' || (kind != 'U' && width == 1) ? '|' : '<';
    int size = snprintf(text, sizeof text, "{'descr': '%c%c%lld', 'fortran_order': False, 'shape': (", order,
                        kind, (long long)width);
    for (int k = 0; k < a->rank; k++)
        size += snprintf(text + size, sizeof text - (size_t)size, "%s%lld%s", k ? " " : "",
                         (long long)a->dim[k], k + 1 < a->rank || a->rank == 1 ? "," : "");
    size += snprintf(text + size, sizeof text - (size_t)size, "), }");
    int whole = (PREFIX_V1_BYTE + size + 1 + ALIGN_BYTE - 1) / ALIGN_BYTE * ALIGN_BYTE - PREFIX_V1_BYTE;
    fwrite(magic, 1, VERSION_AT, out);
    fwrite((const uint8_t[]){1, 0, (uint8_t)whole, (uint8_t)(whole >> 8)}, 1, 4, out);
    fprintf(out, "%s%*s\n", text, whole - size - 1, "");
}

rg_err rg_npy_write(rg_ctx *cx, const char *path, const rg_array *a)
{
    rg_dtype dtype = rg_npy_type(a->dtype);
    char kind = 0;
    int64_t width = rg_dtype_bits(dtype) / 8;
    for (size_t i = 0; i < RG_COUNT(types); i++)
        if (types[i].dtype == dtype) kind = types[i].kind;
    if (dtype == RG_STR) measure_strings(a, &kind, &width);
    FILE *out = fopen(path, "wb");
    if (!out) return rg_fail(cx, RG_FAILED, "%s: %s", path, strerror(errno));
    put_header(a, kind, width, out);
    if (dtype == RG_STR) put_strings(a, kind, width, out);
    else put_numbers(a, dtype, out);
    bool failed = ferror(out);
    failed |= fclose(out) != 0;
    return failed ? rg_fail(cx, RG_FAILED, "%s: %s", path, errno ? strerror(errno) : "error") : RG_OK;
}
