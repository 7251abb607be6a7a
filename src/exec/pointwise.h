/* pointwise.h - convolutions of one tap between plain images: the product
 *
 *     Y [out channels, pixels] = W [out channels, in channels] X [in channels, pixels]
 *
 * whose result lies as it is wanted. Where neither image has blocks of channels, as their channels do not
 * come in eights, nothing goes into blocks and back, and no channel is added.
 */
#ifndef RG_POINTWISE_H
#define RG_POINTWISE_H

#include "exec/fast.h"

typedef struct rg_pointwise {
    int64_t batch, in_channels, out_channels, pixels;
    const float *x;
    float *y;
    const float *weights;            /* [out][in], times their scales */
    rg_epilogue epilogue;            /* the bias is of rows */
    char *const *room;               /* rg_pointwise_room_count floats */
} rg_pointwise;

/* Whether it is faster than a product whose left side is the image in blocks. */
bool rg_pointwise_pays(const rg_pointwise *w);
size_t rg_pointwise_room_count(const rg_pointwise *w, int workers);
void rg_pointwise_run(const rg_pointwise *w, rg_part part);

#endif
