/* base.h - the ground floor: string views, arenas, growing arrays, maps, text buffers, files, hashes.
 *
 * Everything here is private to the library; what users see of it (errors, the context) is in ridge.h.
 */
#ifndef RG_BASE_H
#define RG_BASE_H

#include "ridge.h"

#include <stdarg.h>
#include <string.h>

#define RG_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define RG_TRY(expr)            do { rg_err e_ = (expr); if (e_) return e_; } while (0)
#define RG_TRY_NOTE(cx, expr, ...) \
    do { rg_err e_ = (expr); if (e_) return rg_note((cx), e_, __VA_ARGS__); } while (0)

/* A borrowed run of bytes: never freed, not NUL-terminated. Print with "%.*s", RG_STR(s). */
typedef struct rg_str { const char *data; size_t size; } rg_str;
#define RG_LIT(s) ((rg_str){(s), sizeof(s) - 1})
#define RG_STR(s) (int)((s).size > 4096 ? 4096 : (s).size), (s).data ? (s).data : ""

/* Inline, so that comparing with a literal costs no call: passes ask every node for its operator's name. */
static inline rg_str rg_str_of(const char *text) /* a view of a C string; NULL gives the empty one */
{
    return text ? (rg_str){text, strlen(text)} : (rg_str){"", 0};
}
static inline bool rg_str_eq(rg_str a, rg_str b)
{
    return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}
static inline bool rg_str_is(rg_str a, const char *text) { return rg_str_eq(a, rg_str_of(text)); }
bool rg_str_starts(rg_str a, const char *prefix);
int rg_str_cmp(rg_str a, rg_str b); /* bytewise, as strcmp */
/* Cuts the part before the first `sep` off the front of *rest; false when nothing was left. */
bool rg_str_cut(rg_str *rest, char sep, rg_str *part);
/* Letters to change, add or drop to turn one into the other,
 * case ignored; for "did you mean". Reads 64 bytes of each. */
int rg_str_distance(rg_str a, rg_str b);
/* Fails with RG_INPUT: "device 'h10' is not known; nearest: h100-nvl, ...; HINT". */
rg_err rg_unknown_name(rg_ctx *cx, const char *what, const char *typed, const char *const *names,
                       size_t count, const char *hint);
bool rg_str_int(rg_str text, int64_t *out);   /* whole text, decimal, optional sign */
bool rg_str_real(rg_str text, double *out);   /* whole text, with a point in every locale */
/* snprintf and vsnprintf with a point in every locale:
 * what prints %g or %f in the library goes through these. */
int rg_str_print(char *buffer, size_t size, const char *format, ...) RG_PRINTF(3, 4);
int rg_str_vprint(char *buffer, size_t size, const char *format, va_list args) RG_PRINTF(3, 0);

/* A bump arena: everything in it dies together, there is no free. Memory comes zeroed and 16-aligned.
 * Past the limit, or when the system has none, allocations answer NULL and `failed` stays set. */
typedef struct rg_arena {
    rg_ctx *cx; /* whose allocator it uses: only its alloc/free/user are read, they outlive every object */
    struct rg_block *head;
    size_t used_byte, limit_byte;
    size_t block_byte; /* up to which blocks double */
    bool failed;
    void *(*alloc)(void *user, size_t size);
    void (*free)(void *user, void *block);
    void *user;
} rg_arena;

/* Asks the system for large pages in `memory`, as far as whole ones lie in it; before it is first touched. */
void rg_large_pages(void *memory, size_t size);

/* Limit and allocator of the context; allocates nothing yet. */
void rg_arena_init(rg_arena *arena, rg_ctx *cx);
void *rg_arena_alloc(rg_arena *arena, size_t size);
void rg_arena_done(rg_arena *arena);
/* Forgets everything but keeps the memory, as one block: once it has grown to what is needed, using it again
 * allocates nothing. */
void rg_arena_reset(rg_arena *arena);
void *rg_arena_array(rg_arena *arena, size_t count, size_t size); /* overflow-checked */
#define RG_NEW(arena, type, count) ((type *)rg_arena_array((arena), (size_t)(count), sizeof(type)))
/* A thing that lies in the arena that it owns, its member `arena`, through a copy of which it is given back.
 * NULL: no memory. */
void *rg_arena_own(rg_ctx *cx, size_t size, size_t arena_at);
#define RG_NEW_OWN(cx, type) ((type *)rg_arena_own((cx), sizeof(type), offsetof(type, arena)))
const char *rg_arena_cstr(rg_arena *arena, rg_str s); /* NUL-terminated copy, or NULL */
rg_str rg_arena_str(rg_arena *arena, rg_str s);       /* copy; data NULL when there is no memory */
const char *rg_arena_printf(rg_arena *arena, const char *format, ...) RG_PRINTF(2, 3);

/* Makes room for one more element: *capacity grows by doubling, the old array stays in the arena.
 * Returns the array (moved or not), or NULL without memory. Use: RG_GROW(arena, items, count, capacity). */
void *rg_arena_grow(rg_arena *arena, void *array, size_t count, uint32_t *capacity, size_t size);
#define RG_GROW(arena, array, count, capacity) \
    ((array) = rg_arena_grow((arena), (array), (count), &(capacity), sizeof(*(array))))

/* The context. Library code allocates request-scoped things in cx->arena; long-lived nouns own an arena. */
struct rg_ctx {
    rg_arena arena; /* scratch: lives until rg_ctx_free */
    size_t memory_limit_byte;
    void *(*alloc)(void *user, size_t size);
    void (*free)(void *user, void *block);
    void *user;
    const char *data_dir;
    struct rg_kept *kept; /* shared with the contexts of workers; NULL: nothing is */
    rg_err err;
    char text[2048];
};

/* What many requests read and nobody changes, such as learned tables: made when it is first asked for by its
 * name, then shared with the contexts of workers and freed with the last of them (kept.c). `make` must not
 * keep anything itself; it may answer NULL, which is kept as well. Errors are not kept. */
typedef struct rg_kept rg_kept;
typedef struct rg_maker {
    rg_err (*make)(rg_ctx *cx, const char *name, const void **out);
    void (*done)(const void *object);
} rg_maker;
rg_err rg_ctx_keep(rg_ctx *cx, const char *name, const rg_maker *maker, const void **out) RG_CHECKED;
rg_err rg_kept_begin(rg_ctx *cx) RG_CHECKED; /* before workers share it */
rg_kept *rg_kept_ref(rg_kept *kept);
void rg_kept_unref(rg_kept *kept);
/* As rg_ctx_new with the parent's allocator, limit and data; what is kept is shared. */
rg_ctx *rg_ctx_worker(rg_ctx *parent);

rg_err rg_nomem(rg_ctx *cx); /* rg_fail(cx, RG_NOMEM, ...) with the limit in the text */

/* String -> uint32_t, open addressing, keys borrowed. Zero value = absent is the caller's convention. */
typedef struct rg_map { rg_arena *arena; struct rg_map_slot *slots; uint32_t count, capacity; } rg_map;
void rg_map_init(rg_map *map, rg_arena *arena);
uint32_t rg_map_get(const rg_map *map, rg_str key); /* 0 when absent */
bool rg_map_put(rg_map *map, rg_str key, uint32_t value); /* replaces; false: no memory */
bool rg_map_reserve(rg_map *map, uint32_t count); /* room for so many keys at once; false: no memory */

/* A growing text in an arena; `failed` is sticky, looked at once at the end. */
typedef struct rg_text { rg_arena *arena; char *data; size_t size; uint32_t capacity; bool failed; } rg_text;
void rg_text_init(rg_text *text, rg_arena *arena);
void rg_text_put(rg_text *text, rg_str s);
void rg_text_char(rg_text *text, char c);
void rg_text_printf(rg_text *text, const char *format, ...) RG_PRINTF(2, 3);

/* 64-bit hash of bytes, chained: h = rg_hash(h, data, size),
 * starting from RG_HASH_SEED. Stable across machines. */
#define RG_HASH_SEED UINT64_C(0x9e3779b97f4a7c15)
uint64_t rg_hash(uint64_t seed, const void *data, size_t size);
uint64_t rg_hash_str(uint64_t seed, rg_str s); /* the size is hashed too, so that "ab","c" != "a","bc" */
uint64_t rg_hash_u64(uint64_t seed, uint64_t x);

/* Pieces of work over the cores, index 0 .. count - 1, each with a context of its own (workers.c). `run` may
 * write only what belongs to its index, in memory that the caller made before or that it allocates itself. */
typedef struct rg_workers {
    size_t count, threads;   /* threads 0: as many as there are cores */
    rg_err (*run)(rg_ctx *cx, void *user, size_t index);
    void *user;
    /* After each piece, one call at a time, from any thread; false stops: RG_INTERRUPTED. May be NULL. */
    bool (*progress)(void *user, size_t done, size_t total);
    void *progress_user;
} rg_workers;
rg_err rg_workers_run(rg_ctx *cx, const rg_workers *work) RG_CHECKED;

/* How many devices share a model, and what of it each of them has (parallel_spec.c): "tp=4,pp=2", each at
 * least 1, what is left out 1. A replica is tensor x pipeline x sequence devices; experts are divided over
 * `expert` of the devices of all replicas. */
typedef struct rg_parallel { int tensor, pipeline, data, sequence, expert; } rg_parallel;
rg_err rg_parallel_read(rg_ctx *cx, const char *text, rg_parallel *out) RG_CHECKED; /* NULL and "": all 1 */
/* "tp=4,pp=2": what is not 1, in this order; "" for one device. Returns `buffer`. */
const char *rg_parallel_print(char *buffer, size_t size, const rg_parallel *parallel);

/* splitmix64: a small deterministic generator; state is any number. */
uint64_t rg_random_next(uint64_t *state);
double rg_random_unit(uint64_t *state); /* [0, 1) */

/* A file mapped read-only, shared by reference count; freed with the last release. */
typedef struct rg_file rg_file;
rg_err rg_file_map(rg_ctx *cx, const char *path, rg_file **out) RG_CHECKED;
rg_str rg_file_bytes(const rg_file *file);
const char *rg_file_path(const rg_file *file);
rg_file *rg_file_ref(rg_file *file);
void rg_file_unref(rg_file *file);
bool rg_path_is_dir(const char *path);
const char *rg_path_dir(rg_arena *arena, const char *path);  /* "a/b.onnx" -> "a", "b.onnx" -> "." */
const char *rg_path_base(const char *path);                  /* after the last slash; borrowed */

/* A file of data/: overlay directory first (cx->data_dir), then what is embedded in the library. */
rg_err rg_data_read(rg_ctx *cx, const char *path, rg_str *out) RG_CHECKED;          /* "hw/t4.json" */
bool rg_data_has(rg_ctx *cx, const char *path); /* whether there is such a file */
/* sorted, e.g. ids of "hw" */
rg_err rg_data_list(rg_ctx *cx, const char *dir, const char *const **names, size_t *count) RG_CHECKED;

/* Sizes: checked arithmetic. False on overflow. */
bool rg_mul_size(int64_t a, int64_t b, int64_t *out);
bool rg_add_size(int64_t a, int64_t b, int64_t *out);

/* What a number is measured in: how it is scaled and printed. */
typedef enum rg_unit {
    RG_UNIT_NONE, RG_UNIT_COUNT, RG_UNIT_SECOND, RG_UNIT_JOULE, RG_UNIT_WATT, RG_UNIT_BYTE, RG_UNIT_FLOP,
    RG_UNIT_MAC, RG_UNIT_HERTZ, RG_UNIT_BYTE_PER_S, RG_UNIT_OP_PER_S, RG_UNIT_FRACTION, RG_UNIT_FLOP_PER_BYTE,
    RG_UNIT_GRAM, RG_UNIT_USD, RG_UNIT_WATT_HOUR,
    RG_UNIT_CLOCK, /* Hz, printed as whole MHz: as a driver is told them */
} rg_unit;
/* "1.23 ms", "97.5 MB", "4.09 G", "12.3 %": 3 significant digits, SI prefixes; clocks as "1192 MHz". Returns
 * `buffer`. */
const char *rg_unit_print(char *buffer, size_t size, double value, rg_unit unit);

#endif
