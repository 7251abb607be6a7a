/* cast.h - one number into an element of another type, as Cast and QuantizeLinear round and saturate it. */
#ifndef RG_CAST_H
#define RG_CAST_H

#include "op/kernel.h"

/* What a scale without a mantissa (f8e8m0) becomes when it is no power of two. */
typedef enum rg_scale_round { RG_SCALE_UP, RG_SCALE_DOWN, RG_SCALE_NEAREST } rg_scale_round;

/* saturate: 8-bit floats stop at their largest number, else they overflow to infinity or NaN. */
typedef struct rg_casting { bool saturate; rg_scale_round round; } rg_casting;

/* Integers lose the fraction and saturate (below a byte: wrap); bools ask whether x is 0; floats round to
 * nearest even. */
void rg_put_cast(const rg_array *a, int64_t i, double x, const rg_casting *how);
/* A number of any type as text in the arena, floats with the fewest digits that give them back: "0.1",
 * "1e-05", "nan", "True". Data NULL without memory. */
rg_str rg_number_text(rg_arena *arena, const rg_array *a, int64_t i);
/* Text as a number of the type of `a`; false when it is none. */
bool rg_put_text(const rg_array *a, int64_t i, rg_str text, const rg_casting *how);

#endif
