/* point.h - code points of UTF-8 text. */
#ifndef RG_POINT_H
#define RG_POINT_H

#include "base/base.h"

enum { RG_POINT_NONE = -1, RG_POINT_MAX = 0x10ffff, RG_POINT_BYTE = 4 /* of one, at most */ };

/* The code point at *at, which moves behind it. NONE at the end of the text, where *at stays, and for what is
 * no UTF-8, which is passed over byte by byte. */
int32_t rg_point_take(rg_str text, size_t *at);
/* Its bytes; returns how many. */
size_t rg_point_put(int32_t point, char out[RG_POINT_BYTE]);

#endif
