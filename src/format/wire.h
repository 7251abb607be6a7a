/* wire.h - protobuf messages, read where they lie.
 *
 * A message stays in the mapped file. Reading one level of it fills a C struct by the table of its fields:
 * numbers are decoded, strings and nested messages become views, repeated fields become lists that are walked
 * on demand. So nothing is copied, nothing recurses and nothing is allocated; how deep to look is up to the
 * caller.
 */
#ifndef RG_WIRE_H
#define RG_WIRE_H

#include "base/base.h"

/* A repeated field: all its occurrences lie within `rest`, which starts at the first one. */
typedef struct rg_wire_list {
    rg_str rest;
    size_t size;      /* bytes of all occurrences, tags and lengths not counted */
    uint32_t number;  /* of the field */
    uint32_t count;   /* occurrences; a packed run of numbers is one */
} rg_wire_list;

/* What a field is, and what the struct has for it. The repeated numbers may be packed or not. */
typedef enum rg_wire_kind {
    RG_WIRE_INT,      /* int64_t */
    RG_WIRE_F32,      /* float */
    RG_WIRE_BYTES,    /* rg_str: string, bytes or one message */
    RG_WIRE_LIST,     /* rg_wire_list of strings, bytes or messages */
    RG_WIRE_VARINTS,  /* rg_wire_list of integers */
    RG_WIRE_F32S,     /* rg_wire_list of floats */
    RG_WIRE_F64S,     /* rg_wire_list of doubles */
} rg_wire_kind;

typedef struct rg_wire_field {
    const char *name;
    uint8_t number;
    rg_wire_kind kind;
    size_t offset;
} rg_wire_field;

typedef struct rg_wire_message {
    const char *name;
    size_t size; /* of the struct; its first member is `uint64_t has`, one bit per field number */
    const rg_wire_field *fields;
    size_t field_count;
} rg_wire_message;

/* Of a field given twice the last one counts; unknown fields are skipped. RG_FORMAT names the message and the
 * byte. */
rg_err rg_wire_read(rg_ctx *cx, rg_str bytes, const rg_wire_message *message, void *out) RG_CHECKED;

/* Takes the next occurrence off the list: the bytes of its content. False at the end. */
bool rg_wire_next(rg_wire_list *list, rg_str *item);

/* All occurrences as one packed run: a view where there is one, which is what files have, else joined in the
 * arena. */
rg_err rg_wire_pack(rg_ctx *cx, rg_arena *arena, rg_wire_list list, rg_str *out) RG_CHECKED;
/* Elements of a packed run of varints; false when the last one is cut off or one is longer than 10 bytes. */
bool rg_wire_count(rg_str packed, size_t *count);
/* Takes one varint off the front of a run that rg_wire_count accepted. */
int64_t rg_wire_take(rg_str *packed);

/* Decoded copies in the arena. */
rg_err rg_wire_ints(rg_ctx *cx, rg_arena *arena, rg_wire_list list, const int64_t **out,
                    size_t *count) RG_CHECKED;
rg_err rg_wire_floats(rg_ctx *cx, rg_arena *arena, rg_wire_list list, const double **out,
                      size_t *count) RG_CHECKED;

#endif
