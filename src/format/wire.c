/* wire.c - protobuf messages, read where they lie.
 *
 * The wire format itself (tags, varints, lengths) is nanopb's. Its stream over a buffer keeps the address of
 * the next byte in `state`, and reading into NULL skips: that is how content is located without being
 * touched, which keeps the pages of a gigabyte of weights on disk.
 */
#include "format/wire.h"

#include <pb_decode.h>
#include <string.h>

typedef struct item { uint32_t number; pb_wire_type_t type; rg_str content; } item;

/* How an element of each kind is encoded; the repeated numbers may come as PB_WT_STRING too, packed. */
static const pb_wire_type_t wire_types[] = {
    [RG_WIRE_INT] = PB_WT_VARINT,
    [RG_WIRE_F32] = PB_WT_32BIT,
    [RG_WIRE_BYTES] = PB_WT_STRING,
    [RG_WIRE_LIST] = PB_WT_STRING,
    [RG_WIRE_VARINTS] = PB_WT_VARINT,
    [RG_WIRE_F32S] = PB_WT_32BIT,
    [RG_WIRE_F64S] = PB_WT_64BIT,
};

static pb_istream_t stream_of(rg_str bytes)
{
    return pb_istream_from_buffer((const pb_byte_t *)(bytes.data ? bytes.data : ""), bytes.size);
}

static bool skip(pb_istream_t *in, pb_wire_type_t type, rg_str *content)
{
    uint64_t number;
    uint32_t size = type == PB_WT_32BIT ? 4 : 8;
    if (type == PB_WT_STRING && !pb_decode_varint32(in, &size)) return false;
    content->data = in->state;
    if (type == PB_WT_VARINT) {
        if (!pb_decode_varint(in, &number)) return false;
        content->size = (size_t)((const char *)in->state - content->data);
        return true;
    }
    content->size = size;
    return pb_read(in, NULL, size);
}

/* The next field; false at the end of the message and on malformed bytes. */
static bool next(pb_istream_t *in, item *out)
{
    bool end;
    if (!pb_decode_tag(in, &out->type, &out->number, &end)) return false;
    switch (out->type) {
    case PB_WT_VARINT: case PB_WT_64BIT: case PB_WT_STRING: case PB_WT_32BIT:
        if (out->number) return skip(in, out->type, &out->content);
        break;
    default: break;
    }
    in->errmsg = "no such kind of field";
    return false;
}

static int64_t varint_of(rg_str content)
{
    pb_istream_t in = stream_of(content);
    uint64_t x = 0;
    return pb_decode_varint(&in, &x) ? (int64_t)x : 0;
}

static void store(const rg_wire_field *field, const item *it, const char *start, const char *message_end,
                  void *out)
{
    void *member = (char *)out + field->offset;
    switch (field->kind) {
    case RG_WIRE_INT: *(int64_t *)member = varint_of(it->content); break;
    case RG_WIRE_F32: memcpy(member, it->content.data, sizeof(float)); break;
    case RG_WIRE_BYTES: *(rg_str *)member = it->content; break;
    default: {
        rg_wire_list *list = member;
        if (!list->count)
            *list = (rg_wire_list){.rest = {start, (size_t)(message_end - start)}, .number = field->number};
        list->size += it->content.size;
        list->count++;
    }
    }
}

rg_err rg_wire_read(rg_ctx *cx, rg_str bytes, const rg_wire_message *message, void *out)
{
    pb_istream_t in = stream_of(bytes);
    const char *begin = in.state, *end = begin + bytes.size, *start = begin;
    item it;
    memset(out, 0, message->size);
    for (; next(&in, &it); start = in.state) {
        const rg_wire_field *field = message->fields, *last = field + message->field_count;
        while (field < last && field->number != it.number) field++;
        if (field == last) continue;
        bool packed = field->kind >= RG_WIRE_VARINTS && it.type == PB_WT_STRING;
        if (it.type != wire_types[field->kind] && !packed)
            return rg_fail(cx, RG_FORMAT, "%s.%s has wire type %d, expected %d (byte %zu of the message)",
                           message->name, field->name, (int)it.type, (int)wire_types[field->kind],
                           (size_t)(start - begin));
        *(uint64_t *)out |= UINT64_C(1) << field->number;
        store(field, &it, start, end, out);
    }
    if (start != end)
        return rg_fail(cx, RG_FORMAT, "%s is malformed or cut off at byte %zu of %zu (%s)", message->name,
                       (size_t)(start - begin), bytes.size, PB_GET_ERROR(&in));
    return RG_OK;
}

bool rg_wire_next(rg_wire_list *list, rg_str *out)
{
    item it;
    if (!list->count) return false;
    pb_istream_t in = stream_of(list->rest);
    do {
        if (!next(&in, &it)) return false; /* cannot be: rg_wire_read has counted the occurrences */
    } while (it.number != list->number);
    list->rest = (rg_str){in.state, in.bytes_left};
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
    unsigned shift = 0;
    while (packed->size) {
        uint8_t byte = (uint8_t)*packed->data;
        packed->data++;
        packed->size--;
        if (shift < 64) x |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (!(byte & 0x80)) break;
    }
    return (int64_t)x;
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
