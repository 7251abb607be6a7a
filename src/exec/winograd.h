/* winograd.h - convolutions of 3 x 3 taps, stride 1, by Winograd's minimal filtering: fewer products for more
 * sums (Lavin & Gray 2015, "Fast algorithms for convolutional neural networks").
 *
 *     Y = A' [ (G g G') * (B' d B) ] A          d: (m + 2)^2 of the image, g: 3^2, Y: m^2 of the result
 *
 * Summed over channels, the product in the middle is (m + 2)^2 products of matrices, one for each of its
 * points: [tiles, in channels] [in channels, out channels] of a group. Input and output are blocked (see
 * fast.h), groups are of whole blocks.
 */
#ifndef RG_WINOGRAD_H
#define RG_WINOGRAD_H

#include "exec/fast.h"

typedef struct rg_winograd {
    int m;                           /* outputs of a tile's side: 2 or 4 */
    int64_t batch, groups, in_channels, in_h, in_w, out_channels, out_h, out_w, top, left;
    const float *x;
    float *y;
    const float *packed;             /* G g G' by group and point, each a right side of rg_gemm */
    rg_epilogue epilogue;
    int64_t chunk;                   /* tiles that are worked on at a time */
    bool apart;                      /* each worker has chunks of its own; else all work on one together */
    char *const *room;               /* rg_winograd_room_count floats */
} rg_winograd;

static inline int64_t rg_winograd_points(int m) { return (m + 2) * (m + 2); }
static inline int64_t rg_winograd_tiles(const rg_winograd *w)
{
    return w->batch * ((w->out_h + w->m - 1) / w->m) * ((w->out_w + w->m - 1) / w->m);
}

/* How tiles are dealt out to so many workers: fills chunk and apart. */
void rg_winograd_deal(rg_winograd *w, int workers);
size_t rg_winograd_room_count(const rg_winograd *w, int workers);
/* One group's weights [out, in, 3, 3], those of an output channel times its scale (NULL: 1). */
size_t rg_winograd_packed_count(int m, int64_t in_channels, int64_t out_channels);
void rg_winograd_pack(int m, const float *weights, const float *scale, int64_t in_channels,
                      int64_t out_channels, float *packed);
void rg_winograd_run(const rg_winograd *w, rg_part part);

/* winograd_choice.c: the m that a convolution is computed with; 0: as it is, directly. `w` without packed,
 * chunk and room; weights of all groups. */
rg_err rg_winograd_choose(const rg_fast_row *r, const rg_winograd *w, const float *weights,
                          int *m) RG_CHECKED;

#endif
