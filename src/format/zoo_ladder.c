/* zoo_ladder.c - networks that are a table of blocks, as timm builds them: a 3x3 convolution of stride 2, the
 * blocks, a 1x1 convolution, the mean over the image, a linear layer. Each convolution is normalized.
 *
 *     separable   k x k by channel -- act -- gate -- 1x1
 *     inverted    1x1 -- act -- k x k by channel -- act -- gate -- 1x1
 *     edge        k x k -- act -- gate -- 1x1
 *     conv        k x k -- act
 *     universal   k x k by channel -- 1x1 -- act -- k x k by channel -- act -- 1x1 (Qin et al. 2024,
 *                 arXiv:2404.10518), whose first or third may be absent
 *
 * A block is added to what came in where both have one shape. A mixed convolution (Tan and Le 2019,
 * arXiv:1907.09595) splits the channels into parts, filters each with a window of its own, and joins them.
 *
 * Channels are multiples of 8, repeats grow with `depth`, as EfficientNet's do. Where a stage has several
 * rows, their sum grows, and the last rows get their share of it first.
 */
#include "format/zoo_ladder.h"

#include <assert.h>
#include <math.h>

enum { PARTS_MAX = 8, STAGE_ROWS_MAX = 16 };

typedef struct step { const rg_ladder *l; const rg_rung *r; char name[40]; } step;

/* Multiples of 8. */
static int64_t whole(double channels, double loses)
{
    int64_t nearest = (int64_t)(channels + 4) / 8 * 8;
    if (nearest < 8) nearest = 8;
    return (double)nearest < loses * channels ? nearest + 8 : nearest;
}

static double limit(const rg_ladder *l) { return l->loses > 0 ? l->loses : 0.9; }
static int64_t scaled(const rg_ladder *l, int channels) { return whole(channels * l->width, limit(l)); }

/* ---- layers ---- */

static void scope(rg_net *n, const step *s, const char *layer)
{
    rg_zoo_scope(&n->b, "%s.%s", s->name, layer);
}

static int64_t share(int64_t channels, int parts, int index)
{
    return channels / parts + (index ? 0 : channels % parts);
}

/* In `parts`, whose windows grow by 2 from `conv.kernel` on where `grows`; each channel on its own where the
 * convolution has groups. The first part takes what does not divide. */
static void mixed(rg_net *n, const step *s, const char *layer, int parts, bool grows, rg_conv conv)
{
    rg_build *b = &n->b;
    rg_value_id piece[PARTS_MAX];
    int64_t sizes[PARTS_MAX], before = n->channels;
    assert(parts <= PARTS_MAX);
    scope(n, s, layer);
    for (int i = 0; i < parts; i++) sizes[i] = share(before, parts, i);
    rg_value_id in[2] = {n->x, rg_build_ints(b, parts, sizes)};
    rg_build_nodev(b, "Split", "axis=1", 2, in, (uint32_t)parts, piece);
    for (int i = 0; i < parts; i++) {
        rg_zoo_scope(b, "%s.%s.%d", s->name, layer, i);
        n->x = piece[i], n->channels = sizes[i];
        rg_conv part = conv;
        part.channels = share(conv.channels, parts, i);
        part.kernel = grows ? conv.kernel + 2 * i : conv.kernel;
        if (conv.group > 1) part.group = part.channels;
        rg_net_conv(n, part);
        piece[i] = n->x;
    }
    scope(n, s, layer);
    rg_net_concat(n, (uint32_t)parts, piece, conv.channels);
}

static void normalize(rg_net *n, const step *s, const char *layer, const char *activation)
{
    scope(n, s, layer);
    rg_net_batch_norm(n);
    rg_net_activate(n, activation);
}

static const char *activation_of(const step *s)
{
    if (s->r->activation) return s->r->activation;
    return s->l->activation ? s->l->activation : "Relu";
}

static void pointwise(rg_net *n, const step *s, const char *layer, int parts, int64_t channels)
{
    if (parts > 1) {
        mixed(n, s, layer, parts, false, (rg_conv){.channels = channels, .kernel = 1});
    } else {
        scope(n, s, layer);
        rg_net_conv(n, (rg_conv){.channels = channels});
    }
}

static void filter(rg_net *n, const step *s, int stride)
{
    int64_t channels = n->channels;
    rg_conv conv = {channels, .kernel = s->r->kernel, .stride = stride, .group = channels};
    if (s->r->mix > 1) {
        mixed(n, s, "conv_dw", s->r->mix, true, conv);
    } else {
        if (s->r->group) conv.group = channels / s->r->group;
        scope(n, s, "conv_dw");
        rg_net_conv(n, conv);
    }
}

static void gate(rg_net *n, const step *s, double expand)
{
    const rg_ladder *l = s->l;
    char name[48];
    if (s->r->squeeze <= 0) return;
    double channels = (double)n->channels * s->r->squeeze / (l->inside ? 1 : expand);
    snprintf(name, sizeof name, "%s.se", s->name);
    rg_net_squeeze_excite(n, name, l->whole ? whole(channels, limit(l)) : (int64_t)rint(channels),
                          l->gate_activation ? l->gate_activation : activation_of(s),
                          l->gate ? l->gate : "Sigmoid");
}

/* ---- blocks ---- */

static void separable(rg_net *n, const step *s, int64_t channels, int stride)
{
    filter(n, s, stride);
    normalize(n, s, "bn1", activation_of(s));
    gate(n, s, 1);
    pointwise(n, s, "conv_pw", s->r->mix_out, channels);
    normalize(n, s, "bn2", s->r->active ? activation_of(s) : "None");
}

static void inverted(rg_net *n, const step *s, int64_t channels, int stride)
{
    pointwise(n, s, "conv_pw", s->r->mix_in, whole((double)n->channels * s->r->expand, 0.9));
    normalize(n, s, "bn1", activation_of(s));
    filter(n, s, stride);
    normalize(n, s, "bn2", activation_of(s));
    gate(n, s, s->r->expand);
    pointwise(n, s, "conv_pwl", s->r->mix_out, channels);
    normalize(n, s, "bn3", "None");
}

static void edge(rg_net *n, const step *s, int64_t channels, int stride)
{
    const rg_rung *r = s->r;
    int64_t from = r->widens ? scaled(s->l, r->widens) : n->channels;
    int64_t inner = whole((double)from * r->expand, 0.9);
    scope(n, s, "conv_exp");
    rg_net_conv(n, (rg_conv){inner, .kernel = r->kernel, .stride = stride,
                             .group = r->group ? inner / r->group : 1});
    normalize(n, s, "bn1", activation_of(s));
    gate(n, s, r->expand);
    pointwise(n, s, "conv_pwl", 1, channels);
    normalize(n, s, "bn2", "None");
}

/* One of the block's convolutions by channel. */
static void look(rg_net *n, const step *s, const char *layer, int kernel, int stride, const char *activation)
{
    char name[24];
    int64_t channels = n->channels;
    snprintf(name, sizeof name, "%s.conv", layer);
    scope(n, s, name);
    rg_net_conv(n, (rg_conv){channels, .kernel = kernel, .stride = stride, .group = channels});
    snprintf(name, sizeof name, "%s.bn", layer);
    normalize(n, s, name, activation);
}

static void universal(rg_net *n, const step *s, int64_t channels, int stride)
{
    const rg_rung *r = s->r;
    int64_t inner = whole((double)n->channels * r->expand, 0.9);
    if (r->start) look(n, s, "dw_start", r->start, r->kernel ? 1 : stride, "None");
    pointwise(n, s, "pw_exp.conv", 1, inner);
    normalize(n, s, "pw_exp.bn", activation_of(s));
    if (r->kernel) look(n, s, "dw_mid", r->kernel, stride, activation_of(s));
    pointwise(n, s, "pw_proj.conv", 1, channels);
    normalize(n, s, "pw_proj.bn", "None");
}

static void block(rg_net *n, const step *s, int stride)
{
    const rg_rung *r = s->r;
    rg_value_id before = n->x;
    int64_t from = n->channels, channels = scaled(s->l, r->channels);
    if (r->kind == RG_RUNG_SEPARABLE) {
        separable(n, s, channels, stride);
    } else if (r->kind == RG_RUNG_INVERTED) {
        inverted(n, s, channels, stride);
    } else if (r->kind == RG_RUNG_EDGE) {
        edge(n, s, channels, stride);
    } else if (r->kind == RG_RUNG_UNIVERSAL) {
        universal(n, s, channels, stride);
    } else {
        scope(n, s, "conv");
        rg_net_conv(n, (rg_conv){channels, .kernel = r->kernel, .stride = stride});
        normalize(n, s, "bn1", activation_of(s));
    }
    if (r->lone || r->active || stride != 1 || from != channels) return;
    rg_zoo_scope(&n->b, "%s", s->name);
    rg_net_add(n, before);
}

/* ---- stages ---- */

static int rows_of_stage(const rg_ladder *l, int first)
{
    int count = 1;
    while (first + count < l->count && l->rungs[first + count].more) count++;
    return count;
}

static void scale_repeats(const rg_ladder *l, int first, int count, int *repeats)
{
    bool kept = l->fixed_ends && (first == 0 || first + count == l->count);
    double factor = kept ? 1 : l->depth;
    int sum = 0;
    for (int i = 0; i < count; i++) sum += l->rungs[first + i].repeats;
    int wanted = (int)(l->nearest_depth ? fmax(1, rint(sum * factor)) : ceil(sum * factor));
    for (int i = count - 1; i >= 0; i--) {
        int own = l->rungs[first + i].repeats;
        repeats[i] = (int)fmax(1, rint((double)own / sum * wanted));
        sum -= own, wanted -= repeats[i];
    }
}

static void stage(rg_net *n, const rg_ladder *l, int number, int first, int count)
{
    int repeats[STAGE_ROWS_MAX], index = 0;
    assert(count <= STAGE_ROWS_MAX);
    scale_repeats(l, first, count, repeats);
    for (int row = 0; row < count; row++) {
        step s = {l, &l->rungs[first + row], ""};
        for (int i = 0; i < repeats[row]; i++) {
            snprintf(s.name, sizeof s.name, "blocks.%d.%d", number, index++);
            block(n, &s, i ? 1 : s.r->stride);
        }
    }
}

static void head(rg_net *n, const rg_ladder *l)
{
    const char *activation = l->activation ? l->activation : "Relu";
    int64_t features = l->scaled_features ? scaled(l, l->features) : l->features;
    if (l->pooled) rg_net_global_pool(n);
    if (features) {
        rg_zoo_scope(&n->b, "conv_head");
        rg_net_conv(n, (rg_conv){.channels = features, .bias = l->pooled && !l->plain});
        rg_zoo_scope(&n->b, "bn2");
        if (!l->pooled || l->normal) rg_net_batch_norm(n);
        rg_net_activate(n, activation);
    }
    rg_zoo_scope(&n->b, "global_pool");
    if (!l->pooled) rg_net_global_pool(n);
    rg_net_flatten(n);
    rg_net_linear(n, "classifier", 1000);
}

rg_err rg_ladder_build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const rg_ladder *l = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, l->side));
    rg_zoo_scope(&n.b, "conv_stem");
    rg_net_conv(&n, (rg_conv){.channels = l->fixed_stem ? l->stem : scaled(l, l->stem), .stride = 2,
                              .kernel = l->stem_kernel ? l->stem_kernel : 3});
    rg_zoo_scope(&n.b, "bn1");
    rg_net_batch_norm(&n);
    rg_net_activate(&n, l->activation ? l->activation : "Relu");
    for (int first = 0, number = 0; first < l->count; number++) {
        int count = rows_of_stage(l, first);
        stage(&n, l, number, first, count);
        first += count;
    }
    head(&n, l);
    return rg_net_done(&n, out);
}
