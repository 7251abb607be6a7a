/* picture.h - encoded pictures as pixels: PNG, JPEG and WebP by their libraries, BMP and PNM by our own
 * readers.
 *
 * The libraries are opened when the first picture of their kind is read, so that neither the build nor
 * anything else needs them.
 */
#ifndef RG_PICTURE_H
#define RG_PICTURE_H

#include "base/base.h"

/* [height, width, channels], 8 bits each: gray (1) or red, green, blue (3). */
typedef struct rg_picture { int64_t height, width; int channels; uint8_t *pixels; } rg_picture;

/* The pixels lie in `arena`. Transparency is dropped; gray is .299 red + .587 green + .114 blue, as ITU-R
 * BT.601 weighs them. RG_FORMAT: damaged; RG_UNSUPPORTED: another kind of file, or its library is not there;
 * RG_LIMIT: more than RG_PICTURE_PIXEL_MAX. */
rg_err rg_picture_read(rg_ctx *cx, rg_arena *arena, rg_str bytes, int channels, rg_picture *out) RG_CHECKED;

/* ---- for the readers (base/picture.c, base/picture_plain.c) ---- */

/* Room for a picture of that size, after its limits were checked. */
rg_err rg_picture_make(rg_ctx *cx, rg_arena *arena, int64_t width, int64_t height, int channels,
                       rg_picture *out) RG_CHECKED;
/* Each makes red, green and blue of its own format. */
rg_err rg_picture_bmp(rg_ctx *cx, rg_arena *arena, rg_str bytes, rg_picture *out) RG_CHECKED;
rg_err rg_picture_pnm(rg_ctx *cx, rg_arena *arena, rg_str bytes, rg_picture *out) RG_CHECKED;

#endif
