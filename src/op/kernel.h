/* kernel.h - values at run time, and what a plain kernel sees of its node.
 *
 * The plain kernel is the specification of an operator: obvious loops over whole tensors, kept for ever; fast
 * ones are compared with it. Tensors are packed and row-major, as ONNX raw_data has them, elements of less
 * than a byte included. Output types and sizes come from the operator's own shape inference, which is asked
 * again at run time where something was not known before: a kernel finds its outputs made, and makes only
 * those whose size depends on the data (NonZero, Unique, NonMaxSuppression). An output holds anything before:
 * every element is written. That of an operator with RG_IN_PLACE may lie where its first input does (or, if
 * it COMMUTES, its second): element i is read before it is written.
 */
#ifndef RG_KERNEL_H
#define RG_KERNEL_H

#include "op/op.h"

/* A tensor at run time. Strings: `data` is an array of rg_str. */
typedef struct rg_array {
    rg_dtype dtype;
    int rank;
    int64_t dim[RG_RANK_MAX];
    int64_t count;           /* elements */
    void *data;
} rg_array;

/* A value of any kind, reference-counted; constant once its kernel is done. */
typedef struct rg_datum {
    rg_kind kind;            /* TENSOR, SEQUENCE, OPTIONAL or MAP */
    rg_array array;          /* TENSOR */
    const struct rg_datum **items; size_t item_count; /* SEQUENCE; OPTIONAL: none or one; MAP: keys, values */
    rg_type type;            /* of SEQUENCE, OPTIONAL, MAP: what its elements are */
    const struct rg_datum *base; /* whose memory a view shows, or NULL */
    rg_arena arena;          /* everything it holds, itself included */
    uint32_t refs;           /* atomic */
} rg_datum;

/* ---- making and dropping (op/datum.c) ---- */

/* Zeroed elements (strings: empty). RG_NOMEM, RG_LIMIT for sizes that overflow. */
rg_err rg_datum_tensor(rg_ctx *cx, rg_dtype dtype, int rank, const int64_t *dim, rg_datum **out) RG_CHECKED;
rg_err rg_datum_like(rg_ctx *cx, const rg_array *like, rg_datum **out) RG_CHECKED; /* type and sizes */
/* The same elements in another shape, sharing memory. */
rg_err rg_datum_view(rg_ctx *cx, const rg_datum *of, int rank, const int64_t *dim, rg_datum **out) RG_CHECKED;
/* From a constant of a graph, decoded. */
rg_err rg_datum_of(rg_ctx *cx, const rg_tensor *tensor, rg_datum **out) RG_CHECKED;
/* A SEQUENCE, OPTIONAL or MAP of such items; each is referenced. The type says what an empty one would hold
 * (NULL: not known); it is copied, and what the items are wins over it. */
rg_err rg_datum_list(rg_ctx *cx, rg_kind kind, const rg_type *type, const rg_datum *const *items,
                     size_t count, rg_datum **out) RG_CHECKED;
/* Strings of a new datum copied into its own memory; kernels may leave views of their inputs' or scratch. */
rg_err rg_datum_own_strings(rg_ctx *cx, rg_datum *datum) RG_CHECKED;
const rg_datum *rg_datum_ref(const rg_datum *datum);
void rg_datum_free(const rg_datum *datum);               /* NULL is allowed */
/* Same kind, type, shape; numbers |a - b| <= atol + rtol |b|, NaN equal to NaN; else false, and why in
 * `text`. */
bool rg_datum_close(const rg_datum *a, const rg_datum *b, double rtol, double atol, char *text, size_t size);

/* ---- elements (op/array.c); index is of elements, row-major ---- */

/* Numbers of any type. rg_put rounds to the type, to nearest even, and saturates integers; rg_put_int wraps,
 * as integer arithmetic does. rg_get_int of u64 is the bit pattern. Complex: the real part. */
double rg_get(const rg_array *a, int64_t i);
void rg_put(const rg_array *a, int64_t i, double x);
int64_t rg_get_int(const rg_array *a, int64_t i);
void rg_put_int(const rg_array *a, int64_t i, int64_t x);
static inline rg_str rg_get_str(const rg_array *a, int64_t i) { return ((const rg_str *)a->data)[i]; }
/* Any type to the same type: numbers, strings. */
void rg_copy(const rg_array *to, int64_t i, const rg_array *from, int64_t k);
/* `count` elements that follow each other. */
void rg_copy_run(const rg_array *to, int64_t i, const rg_array *from, int64_t k, int64_t count);
int64_t rg_array_size(const rg_array *a, int from, int to);  /* product of dim[from..to) */
/* Row-major strides in elements. */
void rg_array_strides(const rg_array *a, int64_t stride[RG_RANK_MAX]);
/* Steps an index over dim[0..rank), last axis fastest; false after the last. */
bool rg_index_next(int rank, const int64_t *dim, int64_t *index);
int64_t rg_index_at(int rank, const int64_t *index, const int64_t *stride);
/* For each axis of `out` the stride in `a`, 0 where `a` is broadcast along it. */
void rg_broadcast_strides(const rg_array *a, int rank, const int64_t *dim, int64_t stride[RG_RANK_MAX]);

/* Every element becomes 0, every string empty. */
void rg_clear(const rg_array *a);

/* ---- one run of a node ---- */

typedef struct rg_run rg_run;
struct rg_run {
    rg_site site; /* attributes by rg_op_int(&r->site, ...); types as they are in this run */
    const rg_datum *const *in;       /* by input; NULL: omitted */
    rg_datum **out;                  /* by output; NULL where unwanted, or not made yet */
    rg_arena *scratch;               /* gone after the node */
    uint64_t *random;                /* state of the generator */
    bool training;
    /* Runs a body: `in` by its inputs, `out` receives references by its outputs. */
    rg_err (*body)(const rg_run *r, rg_region_id region, const rg_datum *const *in, const rg_datum **out);
    void *runner;
};

/* Tensors; inputs are never NULL where the operator requires them. */
static inline const rg_array *rg_arg(const rg_run *r, uint32_t i)
{
    return i < r->site.node->in_count && r->in[i] ? &r->in[i]->array : NULL;
}
static inline rg_array *rg_result(const rg_run *r, uint32_t i)
{
    return i < r->site.node->out_count && r->out[i] ? &r->out[i]->array : NULL;
}
bool rg_wanted(const rg_run *r, uint32_t i);             /* somebody reads output i */
/* Output i where its size depends on elements of an input: fails when inference could not tell it. */
rg_err rg_need_result(const rg_run *r, uint32_t i, const rg_array **out) RG_CHECKED;
/* Makes output i, where inference could not; NULL where nobody wants it. */
rg_err rg_make_result(const rg_run *r, uint32_t i, rg_dtype dtype, int rank, const int64_t *dim,
                      rg_array **out) RG_CHECKED;
void rg_give_result(const rg_run *r, uint32_t i, rg_datum *datum); /* takes it over */
void rg_pass_result(const rg_run *r, uint32_t i, const rg_datum *datum); /* takes a reference of its own */
/* Elements as floats or doubles: the tensor's own memory where it has that type, else converted into scratch;
 * NULL without memory. */
const float *rg_floats(const rg_run *r, const rg_array *a);
const double *rg_doubles(const rg_run *r, const rg_array *a);
const int64_t *rg_ints(const rg_run *r, const rg_array *a);
/* Room for a result's elements as floats, to be given to rg_store_floats, which converts where needed. */
float *rg_room(const rg_run *r, const rg_array *a);
void rg_store_floats(const rg_array *a, const float *from);
/* Fails where an input is of strings or complex numbers, which arithmetic in doubles cannot mean. */
rg_err rg_need_numbers(const rg_run *r) RG_CHECKED;
rg_err rg_run_fail(const rg_run *r, rg_err err, const char *format, ...) RG_PRINTF(3, 4);

#endif
