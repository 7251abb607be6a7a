/* usual.h - how odd rows are among others: those to measure are the usual ones, as what a forecast misses of
 * an odd one is its own and tells nothing of the machine.
 */
#ifndef RG_USUAL_H
#define RG_USUAL_H

#include "base/base.h"

/* x: [count, features]; key_of: below 256. odd: in, NAN: not to be counted; out, the squared distance of a
 * row to the mean of its key, features scaled to a variance of 1 over all rows. A feature that is the same
 * everywhere tells nothing. */
void rg_odd_rows(const double *x, size_t count, size_t features, const uint8_t *key_of, double *odd);

#endif
