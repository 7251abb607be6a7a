/* depthwise_plain.h - depthwise convolutions of planes of pixels, which lie in no blocks of channels. */
#ifndef RG_DEPTHWISE_PLAIN_H
#define RG_DEPTHWISE_PLAIN_H

#include "exec/fast.h"

typedef struct rg_planes {
    int64_t count, channels, in_channels; /* planes of the result; its channels, those of the image */
    int64_t in_h, in_w, out_h, out_w;
    rg_window2 window;
    const float *x;
    float *y;
    const float *weights, *bias;     /* [channels][taps], [channels] */
    rg_epilogue epilogue;            /* without bias */
    char *const *room;               /* rg_planes_room_count floats */
    /* made by rg_planes_make: */
    int64_t pitch, line_first, lines; /* of a phase: floats of a line, its first line, how many */
    int64_t front, phase;            /* floats before a phase, and of it with them */
    int64_t *tap;                    /* [taps]: where it lies, as seen from the first result */
    float *mask;                     /* [kernel_w][pitch + a strip] */
    bool *masked;                    /* [kernel_w] */
} rg_planes;

/* From what is above. */
rg_err rg_planes_make(const rg_fast_row *r, rg_planes *p) RG_CHECKED;
size_t rg_planes_room_count(const rg_planes *p, int workers);
void rg_planes_run(const rg_planes *p, rg_part part);

#endif
