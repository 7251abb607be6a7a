/* read.h - JSON text into structs, by a table of fields per struct.
 *
 * A key that no field has is an error that names the nearest one; so is a wrong type, a number out of range
 * and a required key that is missing. Messages carry the path:
 * "peaks[2].op_per_s: ...". Text and arrays go into `arena`.
 *
 *     static const rg_field fields[] = {
 *         {"name",  RG_FIELD_TEXT,     true, offsetof(thing, name),   .help = "what people call it"},
 *         {"parts", RG_FIELD_ROWS,     true, offsetof(thing, parts),  offsetof(thing, part_count),
 *          &part_record},
 *     };
 */
#ifndef RG_READ_H
#define RG_READ_H

#include "base/base.h"

typedef enum rg_field_kind {
    RG_FIELD_TEXT,     /* const char *: not empty */
    RG_FIELD_REAL,     /* double, at least 0 */
    RG_FIELD_POSITIVE, /* double, above 0 */
    RG_FIELD_SHARE,    /* double, above 0 and at most 1 */
    RG_FIELD_NUMBER,   /* double of either sign */
    RG_FIELD_COUNT,    /* int, at least 0 */
    RG_FIELD_PAIR,     /* int[2] */
    RG_FIELD_FLAG,     /* bool */
    RG_FIELD_TRUE,     /* true and nothing else; not stored */
    RG_FIELD_MARK,     /* names[0] and nothing else; not stored */
    RG_FIELD_NAME,     /* one of `names`, which end in NULL; int or enum: its index */
    RG_FIELD_REF,      /* int: the index in a list of the outermost struct, by its rows' first text */
    RG_FIELD_GROUP,    /* an object whose fields lie in this same struct */
    RG_FIELD_TEXTS,    /* const char ** and size_t */
    RG_FIELD_REALS,    /* double * and size_t; each above 0 */
    RG_FIELD_NUMBERS,  /* double * and size_t, of either sign */
    RG_FIELD_ROWS,     /* array of objects: struct * and size_t; over a base also an object that changes
                        * rows by their first text: {"hbm": {"read_byte_per_s": 2e12}} */
    RG_FIELD_KEYED,    /* object of objects: struct * and size_t; a row begins with its key, a const char * */
    RG_FIELD_KIND_COUNT
} rg_field_kind;

typedef struct rg_field {
    const char *key;
    rg_field_kind kind;
    bool required;
    size_t at, count_at;            /* offsets of the value and, for arrays, of their size_t count */
    const struct rg_record *record; /* of GROUP, ROWS, KEYED; of the rows that a REF points into */
    size_t list_at;                 /* REF: offset of the list in the outermost struct; count_at: its count */
    const char *const *names;
    const char *help;               /* one clause for messages and schemas */
} rg_field;

static inline bool rg_field_is_reals(const rg_field *f)
{
    return f->kind == RG_FIELD_REALS || f->kind == RG_FIELD_NUMBERS;
}

typedef struct rg_record { size_t size; const rg_field *fields; size_t field_count; } rg_record;
#define RG_RECORD(type, table) {sizeof(type), table, RG_COUNT(table)}

/* Fills `out` with what the text says it is like: `name` is the value of its key "like". */
typedef rg_err (*rg_read_base)(rg_ctx *cx, rg_arena *arena, const char *name, void *out);

/* `out` is zeroed memory of record->size; fields that the text leaves out stay zero. Where the text has a key
 * "like" and `base` is given, `out` is filled by it first: then no key is required, groups and rows named by
 * their first text are changed in place, KEYED rows are added, other lists are replaced.
 * RG_FORMAT, RG_NOMEM, what `base` says. */
rg_err rg_read_record(rg_ctx *cx, rg_arena *arena, rg_str json, const rg_record *record, rg_read_base base,
                      void *out) RG_CHECKED;

/* The inverse (store.c): text that rg_read_record reads as the same struct, in cx's arena. Fields that need
 * not be there are left out when they are zero. */
rg_err rg_write_record(rg_ctx *cx, const rg_record *record, const void *in, rg_str *json) RG_CHECKED;

/* Each source text begins with a key of `sources`, up to a blank, ';', ',' or ':'. True when it resolves. */
struct rg_source;
bool rg_source_known(const struct rg_source *sources, size_t count, const char *text);
extern const rg_record rg_source_record; /* for a KEYED field of rg_source */

#endif
