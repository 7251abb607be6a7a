/* zoo_mbconv.c - the inverted residual: expand with a 1x1 convolution, filter each channel on its own, gate
 * the channels, project without activation.
 *
 *     x --+-- 1x1 --- k x k, by channel --- squeeze, excite --- 1x1 --+-- Add
 *         +-----------------------------------------------------------+
 *
 * The fused one (EfficientNetV2, early stages) replaces the first two by one full k x k convolution, and
 * without expansion it is that convolution alone.
 */
#include "format/zoo_mbconv.h"

enum { NAME_MAX_BYTE = 96 };

/* Item `part` of the list: a convolution, its normalization and activation. */
static void layer(rg_net *n, const char *list, int part, rg_conv conv, const char *activation)
{
    char name[NAME_MAX_BYTE];
    snprintf(name, sizeof name, "%s.%d", list, part);
    rg_net_conv_norm(n, name, conv, activation);
}

/* Back to the block's own channels, without activation. */
static void project(rg_net *n, const char *list, int part, const rg_mbconv *c)
{
    rg_conv conv = {.channels = c->channels};
    if (c->loose) rg_net_conv_norm_at(n, list, part, conv, "None");
    else layer(n, list, part, conv, "None");
}

static void separable(rg_net *n, const char *list, const rg_mbconv *c)
{
    int part = 0;
    rg_conv filter = {c->expanded, .kernel = c->kernel, .stride = c->stride, .group = c->expanded};
    if (c->expanded != n->channels)
        layer(n, list, part++, (rg_conv){.channels = c->expanded}, c->activation);
    layer(n, list, part++, filter, c->activation);
    if (c->squeezed) {
        char name[NAME_MAX_BYTE];
        snprintf(name, sizeof name, "%s.%d", list, part++);
        rg_net_squeeze_excite(n, name, c->squeezed, c->gate_activation, c->gate);
    }
    project(n, list, part, c);
}

static void fused(rg_net *n, const char *list, const rg_mbconv *c)
{
    bool expands = c->expanded != n->channels;
    rg_conv filter = {expands ? c->expanded : c->channels, .kernel = c->kernel, .stride = c->stride};
    layer(n, list, 0, filter, c->activation);
    if (expands) project(n, list, 1, c);
}

void rg_net_mbconv(rg_net *n, const char *list, rg_mbconv block)
{
    rg_value_id before = n->x;
    bool keeps = block.stride == 1 && block.channels == n->channels;
    if (block.fused) fused(n, list, &block);
    else separable(n, list, &block);
    if (!keeps) return;
    rg_zoo_scope(&n->b, "%s", list);
    rg_net_add(n, before);
}
