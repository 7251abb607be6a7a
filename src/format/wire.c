/* wire.c - protobuf messages, read where they lie.
 *
 *     field:  varint (number << 3 | type), then by type   0: a varint   1: 8 bytes   2: a varint n, n bytes
 *                                                         5: 4 bytes
 *     varint: 7 bits a byte, the lowest first; the top bit says that more follow
 *
 * Content is located, not looked at, which keeps the pages of a gigabyte of weights on disk. Decoding is
 * plain loops over the bytes, and not nanopb's streams, which the writer uses: a model of a hundred thousand
 * nodes has millions of fields, and a few calls for each would be half of the time that reading takes.
 */
#include "format/wire.h"

#include <string.h>

typedef enum type { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 } type;

typedef struct item { uint32_t number; type type; rg_str content; } item;

/* How an element of each kind is encoded; the repeated numbers may come as BYTES too, packed. */
static const type types[] = {
    [RG_WIRE_INT] = VARINT,
    [RG_WIRE_F32] = FIXED32,
    [RG_WIRE_BYTES] = BYTES,
    [RG_WIRE_LIST] = BYTES,
    [RG_WIRE_VARINTS] = VARINT,
    [RG_WIRE_F32S] = FIXED32,
    [RG_WIRE_F64S] = FIXED64,
};

static void drop(rg_str *rest, size_t size)
{
    rest->data += size;
    rest->size -= size;
}

/* Takes a varint off the front; false when it is cut off or longer than 10 bytes. */
static bool take_varint(rg_str *rest, uint64_t *out)
{
    uint64_t x = 0;
    for (size_t i = 0; i < rest->size && i < 10; i++) {
        uint8_t byte = (uint8_t)rest->data[i];
        x |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80) continue;
        drop(rest, i + 1);
        *out = x;
        return true;
    }
    return false;
}

/* Takes a field off the front; false at the end of the message and on malformed bytes. */
static bool next(rg_str *rest, item *out)
{
    rg_str at = *rest;
    uint64_t tag, size = 0;
    if (!take_varint(&at, &tag) || tag >> 3 == 0 || tag > UINT32_MAX) return false;
    out->number = (uint32_t)(tag >> 3);
    out->type = (type)(tag & 7);
    const char *start = at.data;
    switch (out->type) {
    case VARINT:
        if (!take_varint(&at, &size)) return false;
        size = (size_t)(at.data - start);
        at = (rg_str){start, at.size + size};
        break;
    case FIXED64: size = 8; break;
    case FIXED32: size = 4; break;
    case BYTES:
        if (!take_varint(&at, &size)) return false;
        break;
    default: return false;
    }
    if (size > at.size) return false;
    out->content = (rg_str){at.data, size};
    drop(&at, size);
    *rest = at;
    return true;
}

/* `from`: the message from the field's tag on. */
static void store(const rg_wire_field *field, const item *it, rg_str from, void *out)
{
    void *member = (char *)out + field->offset;
    rg_str content = it->content;
    switch (field->kind) {
    case RG_WIRE_INT: *(int64_t *)member = rg_wire_take(&content); break;
    case RG_WIRE_F32: memcpy(member, it->content.data, sizeof(float)); break;
    case RG_WIRE_BYTES: *(rg_str *)member = it->content; break;
    default: {
        rg_wire_list *list = member;
        if (!list->count) *list = (rg_wire_list){.rest = from, .number = field->number};
        list->size += it->content.size;
        list->count++;
    }
    }
}

rg_err rg_wire_read(rg_ctx *cx, rg_str bytes, const rg_wire_message *message, void *out)
{
    rg_str rest = bytes, from = bytes;
    item it;
    memset(out, 0, message->size);
    for (; next(&rest, &it); from = rest) {
        const rg_wire_field *field = message->fields, *last = field + message->field_count;
        while (field < last && field->number != it.number) field++;
        if (field == last) continue;
        bool packed = field->kind >= RG_WIRE_VARINTS && it.type == BYTES;
        if (it.type != types[field->kind] && !packed)
            return rg_fail(cx, RG_FORMAT, "%s.%s has wire type %d, expected %d (byte %zu of the message)",
                           message->name, field->name, (int)it.type, (int)types[field->kind],
                           bytes.size - from.size);
        *(uint64_t *)out |= UINT64_C(1) << field->number;
        store(field, &it, from, out);
    }
    if (rest.size)
        return rg_fail(cx, RG_FORMAT, "%s is malformed or cut off at byte %zu of %zu", message->name,
                       bytes.size - rest.size, bytes.size);
    return RG_OK;
}

bool rg_wire_next(rg_wire_list *list, rg_str *out)
{
    item it;
    if (!list->count) return false;
    do {
        if (!next(&list->rest, &it)) return false; /* cannot be: rg_wire_read has counted the occurrences */
    } while (it.number != list->number);
    list->count--;
    *out = it.content;
    return true;
}

rg_err rg_wire_pack(rg_ctx *cx, rg_arena *arena, rg_wire_list list, rg_str *out)
{
    rg_str part;
    *out = (rg_str){"", 0};
    if (list.count == 1) {
        (void)rg_wire_next(&list, out);
        return RG_OK;
    }
    char *joined = rg_arena_alloc(arena, list.size), *to = joined;
    if (!joined) return rg_nomem(cx);
    for (; rg_wire_next(&list, &part); to += part.size) memcpy(to, part.data, part.size);
    *out = (rg_str){joined, (size_t)(to - joined)};
    return RG_OK;
}

bool rg_wire_count(rg_str packed, size_t *count)
{
    size_t ends = 0, run = 0;
    bool fits = true;
    for (size_t i = 0; i < packed.size; i++) {
        bool more = packed.data[i] & 0x80;
        run = more ? run + 1 : 0;
        ends += !more;
        fits &= run < 10;
    }
    *count = ends;
    return fits && run == 0;
}

int64_t rg_wire_take(rg_str *packed)
{
    uint64_t x = 0;
    return take_varint(packed, &x) ? (int64_t)x : 0;
}

rg_err rg_wire_ints(rg_ctx *cx, rg_arena *arena, rg_wire_list list, const int64_t **out, size_t *count)
{
    rg_str part;
    size_t total = 0, some;
    for (rg_wire_list walk = list; rg_wire_next(&walk, &part); total += some)
        if (!rg_wire_count(part, &some)) return rg_fail(cx, RG_FORMAT, "a list of integers is cut off");
    int64_t *data = RG_NEW(arena, int64_t, total);
    if (!data) return rg_nomem(cx);
    for (size_t i = 0; rg_wire_next(&list, &part);)
        while (part.size) data[i++] = rg_wire_take(&part);
    *out = data;
    *count = total;
    return RG_OK;
}

rg_err rg_wire_floats(rg_ctx *cx, rg_arena *arena, rg_wire_list list, const double **out, size_t *count)
{
    rg_str part;
    size_t total = list.size / sizeof(float), i = 0;
    double *data = RG_NEW(arena, double, total);
    if (!data) return rg_nomem(cx);
    while (rg_wire_next(&list, &part)) {
        if (part.size % sizeof(float)) return rg_fail(cx, RG_FORMAT, "a list of floats is cut off");
        for (; part.size; part.data += sizeof(float), part.size -= sizeof(float)) {
            float x;
            memcpy(&x, part.data, sizeof x);
            data[i++] = (double)x;
        }
    }
    *out = data;
    *count = total;
    return RG_OK;
}
