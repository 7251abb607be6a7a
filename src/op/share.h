/* share.h - what the operators have in common beyond op.h: types handed on, elements of small integer tensors
 * moved by strides, the cost of elementwise work and of copies, and the broadcasting of opset 6 and older.
 */
#ifndef RG_SHARE_H
#define RG_SHARE_H

#include "op/op.h"

/* Columns of the operator lists: attribute specifications and cases, or none. */
#define RG_SPEC(list)  .attrs = (list), .attr_count = RG_COUNT(list),
#define RG_CASES(list) .cases = (list), .case_count = RG_COUNT(list),
#define RG_PLAIN

/* ---- types ---- */

rg_err rg_need_tensor(const rg_site *s, uint32_t i) RG_CHECKED; /* fails for a sequence, an optional, a map */
/* Inputs from..to-1 are tensors of one element type; omitted and unknown ones are passed over. */
rg_err rg_need_dtype(const rg_site *s, uint32_t from, uint32_t to, rg_dtype *out) RG_CHECKED;
/* The shape of input i; NONE keeps its element type too. */
rg_type rg_type_like(const rg_site *s, uint32_t i, rg_dtype dtype);
/* The element type that an integer attribute names, `otherwise` when the node does not state it. */
rg_err rg_dtype_attr(const rg_site *s, const char *name, rg_dtype otherwise, rg_dtype *out) RG_CHECKED;
/* The two sizes must agree: a number wins over a symbol, two different numbers fail. */
rg_err rg_need_equal(const rg_site *s, const char *what, rg_dim a, rg_dim b, rg_dim *out) RG_CHECKED;
rg_dim rg_dim_open(const rg_site *s, int64_t preset); /* a size that only the run decides */
rg_type rg_type_open(const rg_site *s, rg_dtype dtype, int rank); /* every size open; rank -1 too */
/* Elements of the list that input i is, where its length is stated and makes a rank; else -1. */
int rg_list_size(const rg_site *s, uint32_t i);
/* The shape that the list at input i states; open where the list or its elements are. */
rg_err rg_type_from_list(const rg_site *s, uint32_t i, rg_dtype dtype, rg_type *out) RG_CHECKED;
int64_t rg_dim_low(const rg_dims *dims, rg_dim d); /* what it does not fall below, whatever its symbols are */
/* A type in the graph's arena, for the element of a sequence or optional; NULL without memory. */
const rg_type *rg_type_keep(const rg_site *s, rg_type type);
rg_err rg_infer_same(const rg_site *s) RG_CHECKED; /* output 0 as input 0 */

/* ---- known elements ---- */

/* Elements of a type whose sizes are all numbers; -1 when they are not, or more than RG_KNOWN_MAX. */
int64_t rg_known_size(const rg_type *type);
void rg_known_copy(const rg_site *s, uint32_t in, uint32_t out); /* same elements in the same order */
/* Row-major strides; all zero for an empty or open type. */
void rg_strides(const rg_type *type, int64_t stride[RG_RANK_MAX]);
/* out[k0, k1, ...] = input[offset + k0 * stride[0] + ...], for `type` the shape of out, which has room for
 * RG_KNOWN_MAX. False when the input is not known or `type` is open. */
bool rg_known_view(const rg_site *s, uint32_t i, const rg_type *type, int64_t offset, const int64_t *stride,
                   rg_dim *out);
bool rg_known_broadcast(const rg_site *s, uint32_t i, const rg_type *type, rg_dim *out);

/* ---- work ---- */

void rg_work_elements(const rg_site *s, rg_work *w, double flop, double special); /* per output element */
void rg_work_copy(const rg_site *s, rg_work *w);   /* every input read, every output written */
void rg_work_select(const rg_site *s, rg_work *w); /* of input 0 only as much is read as output 0 takes */

/* Comparisons that sort `count` elements in runs of `length`. */
double rg_work_sort(double count, double length);

/* ---- older meanings ---- */

/* Opset 1 let operators list inputs that they may overwrite; nobody used it. */
rg_err rg_upgrade_plain(const rg_site *s) RG_CHECKED;
/* Types of the nodes before this one in the file, for upgrades that need a rank; what cannot be known yet
 * stays unknown. */
void rg_infer_before(const rg_site *s);
/* Input i of lower rank begins at `axis` of input 0: an Unsqueeze appends ones behind it, so that today's
 * broadcasting, which aligns the last dimensions, means the same. */
rg_err rg_upgrade_align(const rg_site *s, uint32_t i, int64_t axis) RG_CHECKED;

#endif
