/* zoo_mbconv.h - the inverted residual, with or without squeeze and excitation: the block that MobileNet and
 * EfficientNet are made of.
 */
#ifndef RG_ZOO_MBCONV_H
#define RG_ZOO_MBCONV_H

#include "format/zoo.h"

typedef struct rg_mbconv {
    int64_t expanded;         /* channels inside; as many as come in: there is no expansion */
    int64_t channels;         /* of the result */
    int64_t kernel, stride;   /* of the convolution that looks around */
    bool fused;               /* expansion and that convolution are one, over all channels */
    const char *activation;   /* as rg_net_activate takes it; the projection has none */
    int64_t squeezed;         /* channels of the gate, 0: there is none */
    const char *gate_activation, *gate; /* behind its first and its second convolution */
    bool loose;               /* the projection's two layers are items of the list themselves */
} rg_mbconv;

/* Layers are items of the list: LIST.0.0, LIST.0.1, LIST.1.0, ... "features.4.0.block". The input is added
 * where sizes allow. */
void rg_net_mbconv(rg_net *n, const char *list, rg_mbconv block);

#endif
