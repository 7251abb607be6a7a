/* body.h - the operators with bodies (If, Loop, Scan, ...): handing types in and out of a region, and
 * values. */
#ifndef RG_BODY_H
#define RG_BODY_H

#include "op/kernel.h"

/* ---- inference ---- */

/* The region of graph attribute `name`: it must be this node's own, take `inputs` and give at least
 * `outputs`. */
rg_err rg_body_of(const rg_site *s, const char *name, uint32_t inputs, uint32_t outputs,
                  rg_region_id *out) RG_CHECKED;
/* Sets the type of input i. Where the body's own statement says otherwise the element type must still
 * agree; sizes are taken from outside, which is what will run. */
rg_err rg_body_give(const rg_site *s, rg_region_id body, uint32_t i, const rg_type *type) RG_CHECKED;
const rg_type *rg_body_out(const rg_site *s, rg_region_id body, uint32_t i);
/* Forgets all types in the body and in those nested in it, to infer it again from other inputs. */
void rg_body_forget(const rg_site *s, rg_region_id body);
int rg_body_depth(const rg_site *s); /* bodies around this node: 0 in the main graph */

/* One type that stands for both: sizes that differ become one of the run, the larger until it is bound;
 * ranks that differ become unknown. open: the size may go beyond both. Different kinds or element types
 * fail; `what` and `i` name the value. */
rg_err rg_body_join(const rg_site *s, const char *what, uint32_t i, const rg_type *a, const rg_type *b,
                    bool open, rg_type *out) RG_CHECKED;

/* ---- runs ---- */

/* A body under way: what it takes and gives, by its inputs and outputs; both are references that it holds. */
typedef struct rg_body {
    rg_region_id region;
    uint32_t in_count, out_count;
    const rg_datum **in, **out;
} rg_body;

rg_err rg_body_init(const rg_run *r, const char *name, rg_body *out) RG_CHECKED;
/* Puts a value in, and drops the one that was there; takes the reference over. */
void rg_body_put(rg_body *body, uint32_t i, const rg_datum *datum);
/* Runs it once; the outputs of the run before are dropped. */
rg_err rg_body_run(const rg_run *r, rg_body *body) RG_CHECKED;
/* Takes output i out of it, with its reference. */
const rg_datum *rg_body_take(rg_body *body, uint32_t i);
void rg_body_done(rg_body *body);        /* drops everything */
/* A tensor of rank 0: trip numbers, conditions. */
rg_err rg_body_scalar(const rg_run *r, rg_dtype dtype, int64_t x, const rg_datum **out) RG_CHECKED;
/* Input i as one truth value. */
rg_err rg_body_truth(const rg_run *r, const rg_datum *datum, const char *what, bool *out) RG_CHECKED;

/* What the trips gave for one output, in order; a zeroed one is empty. */
typedef struct rg_trips { const rg_datum **items; uint32_t count, capacity; } rg_trips;

rg_err rg_trips_add(const rg_run *r, rg_trips *trips, const rg_datum *datum) RG_CHECKED; /* takes it over */
void rg_trips_done(rg_trips *trips);
/* Makes output i of tensors of one shape, stacked along a new axis, the last one first if `backwards`.
 * Without any the shape is `item`'s, an open size 0. */
rg_err rg_trips_stack(const rg_run *r, const rg_trips *trips, uint32_t i, int64_t axis, bool backwards,
                      const rg_type *item) RG_CHECKED;

#endif
