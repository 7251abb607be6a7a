/* body.h - the operators with bodies (If, Loop, Scan, ...): handing types in and out of a region. */
#ifndef RG_BODY_H
#define RG_BODY_H

#include "op/op.h"

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

#endif
