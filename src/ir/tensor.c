/* tensor.c - reading constants without materializing them: one element at a time, whatever the encoding.
 *
 * The packed varints of a protobuf file hold one element each as a 64-bit pattern, of which the element's low
 * bits count: integers sign-extended, half floats as their bit pattern. So every encoding comes down to "the
 * element's bytes", and rg_dtype_get_* does the rest.
 */
#include "ir/ir.h"

#include <string.h>

enum { SPLAT_LOOK_MAX = 4096, ELEMENT_BYTE = 16 };

/* Walks the elements in order; only varints need the position. */
typedef struct cursor { const rg_tensor *t; const uint8_t *at, *end; } cursor;

static cursor cursor_of(const rg_tensor *t)
{
    const uint8_t *start = t->data;
    return (cursor){t, start, start ? start + t->size : NULL};
}

/* Cut short by the end of the data, the rest reads as zero. */
static uint64_t next_varint(cursor *c)
{
    uint64_t x = 0;
    for (int shift = 0; c->at < c->end && shift < 64; shift += 7) {
        uint8_t byte = *c->at++;
        x |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) break;
    }
    return x;
}

/* Element `index`, which follows the one read before; its bits alone at out[0..], so that it reads as element
 * 0. */
static void next_element(cursor *c, int64_t index, uint8_t out[ELEMENT_BYTE])
{
    const rg_tensor *t = c->t;
    int bits = rg_dtype_bits(t->dtype);
    memset(out, 0, ELEMENT_BYTE);
    if (t->encoding == RG_DATA_VARINT) {
        uint64_t code = next_varint(c);
        if (bits < 64) code &= (UINT64_C(1) << bits) - 1;
        for (int i = 0; i < 8; i++) out[i] = (uint8_t)(code >> (8 * i));
        return;
    }
    if (t->encoding == RG_DATA_SPLAT) index = 0;
    if (bits < 8) {
        int per_byte = 8 / bits, shift = (int)(index % per_byte) * bits;
        out[0] = (uint8_t)((((const uint8_t *)t->data)[index / per_byte] >> shift) & ((1u << bits) - 1));
    } else {
        size_t byte_count = (size_t)bits / 8;
        memcpy(out, (const uint8_t *)t->data + (size_t)index * byte_count, byte_count);
    }
}

bool rg_tensor_has_data(const rg_tensor *t)
{
    if (!rg_dtype_bits(t->dtype)) return false;
    if (t->encoding == RG_DATA_RAW) return (double)t->size >= rg_dtype_bytes(t->dtype, (double)t->count);
    if (t->encoding == RG_DATA_SPLAT) return (double)t->size >= rg_dtype_bytes(t->dtype, 1);
    return t->encoding == RG_DATA_VARINT;
}

/* Element `index` alone. */
static void element_at(const rg_tensor *t, int64_t index, uint8_t out[ELEMENT_BYTE])
{
    cursor c = cursor_of(t);
    if (t->encoding == RG_DATA_VARINT)
        for (int64_t i = 0; i < index && c.at < c.end; i++) next_varint(&c);
    next_element(&c, index, out);
}

double rg_tensor_real(const rg_tensor *t, int64_t index)
{
    uint8_t element[ELEMENT_BYTE];
    element_at(t, index, element);
    return rg_dtype_get_real(t->dtype, element, 0);
}

int64_t rg_tensor_int(const rg_tensor *t, int64_t index)
{
    uint8_t element[ELEMENT_BYTE];
    element_at(t, index, element);
    return rg_dtype_get_int(t->dtype, element, 0);
}

/* More elements than are looked at: not known to be equal, so no. */
bool rg_tensor_is_splat_of(const rg_tensor *t, double x)
{
    int64_t count = t->encoding == RG_DATA_SPLAT && t->count > 0 ? 1 : t->count;
    if (!rg_tensor_has_data(t) || count <= 0 || count > SPLAT_LOOK_MAX) return false;
    cursor c = cursor_of(t);
    for (int64_t i = 0; i < count; i++) {
        uint8_t element[ELEMENT_BYTE];
        next_element(&c, i, element);
        if (rg_dtype_get_real(t->dtype, element, 0) != x) return false;
    }
    return true;
}

static bool same_place(const rg_tensor *a, const rg_tensor *b)
{
    return a->file && b->file && a->offset == b->offset && a->size == b->size &&
           strcmp(a->file, b->file) == 0;
}

static bool same_strings(const rg_tensor *a, const rg_tensor *b)
{
    const rg_str *x = a->data, *y = b->data;
    for (int64_t i = 0; i < a->count; i++)
        if (!rg_str_eq(x[i], y[i])) return false;
    return true;
}

static bool same_elements(const rg_tensor *a, const rg_tensor *b)
{
    cursor x = cursor_of(a), y = cursor_of(b);
    bool both_splat = a->encoding == RG_DATA_SPLAT && b->encoding == RG_DATA_SPLAT;
    for (int64_t i = 0, count = both_splat && a->count ? 1 : a->count; i < count; i++) {
        uint8_t one[ELEMENT_BYTE], other[ELEMENT_BYTE];
        next_element(&x, i, one);
        next_element(&y, i, other);
        if (memcmp(one, other, ELEMENT_BYTE) != 0) return false;
    }
    return true;
}

bool rg_tensor_eq(const rg_tensor *a, const rg_tensor *b)
{
    if (a->dtype != b->dtype || a->rank != b->rank || a->count != b->count) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    if (a == b || same_place(a, b)) return true;
    if (rg_tensor_has_data(a) && rg_tensor_has_data(b)) {
        bool both_raw = a->encoding == RG_DATA_RAW && b->encoding == RG_DATA_RAW && a->size == b->size;
        if (both_raw && (!a->size || a->data == b->data || memcmp(a->data, b->data, a->size) == 0))
            return true;
        return same_elements(a, b);
    }
    if (a->encoding != b->encoding) return false;
    if (a->encoding == RG_DATA_STRING) return same_strings(a, b);
    return a->encoding == RG_DATA_NONE; /* of what lies away only the place is known */
}

bool rg_tensor_unpack(const rg_tensor *t, void *out)
{
    if (!rg_tensor_has_data(t)) return false;
    int bits = rg_dtype_bits(t->dtype);
    if (t->encoding == RG_DATA_RAW) {
        size_t size = (size_t)rg_dtype_bytes(t->dtype, (double)t->count);
        if (size) memcpy(out, t->data, size);
        return true;
    }
    cursor c = cursor_of(t);
    for (int64_t i = 0; i < t->count; i++) {
        uint8_t element[ELEMENT_BYTE];
        next_element(&c, i, element);
        if (bits < 8) rg_dtype_set_real(t->dtype, out, i, rg_dtype_get_real(t->dtype, element, 0));
        else memcpy((uint8_t *)out + (size_t)i * (size_t)(bits / 8), element, (size_t)bits / 8);
    }
    return true;
}
