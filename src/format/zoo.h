/* zoo.h - the built-in models: well-known architectures without weights, so that nobody needs a file to
 * begin.
 *
 * tools/tables.sh collects every RG_ZOO(id) in src/format/ into the build's zoo_table.c. A family of models
 * is one file zoo_FAMILY.c: a builder, and a row for each variant whose `layout` is the builder's own table.
 * Inputs have a symbolic batch of 1; parameters have shapes and no data.
 */
#ifndef RG_ZOO_H
#define RG_ZOO_H

#include "format/format.h"

enum { RG_IMAGE_ANY = -1 };

typedef struct rg_zoo {
    const char *name;        /* zoo:NAME */
    const char *family;      /* as rg_facts calls it: "cnn", "transformer", "mlp" */
    int64_t image;           /* of classifiers that others call by the same name (timm, torchvision): the only
                              * side of a square image that fits, or RG_IMAGE_ANY; 0: of others */
    const char *source;      /* of the architecture and of the figures */
    double parameters, macs; /* exact, at the inputs' preset sizes */
    double published_macs, rounding; /* as the source states them, half of its last digit; 0: it does not */
    const void *layout;      /* the builder's own table, where several models share one */
    /* Finished, not resolved. One of the two; the second where the model can be divided among devices. */
    rg_err (*build)(rg_ctx *cx, const struct rg_zoo *self, rg_graph **out);
    rg_err (*build_share)(rg_ctx *cx, const struct rg_zoo *self, const rg_share *share, rg_graph **out);
} rg_zoo;

#define RG_ZOO(id) const rg_zoo rg_zoo_##id

extern const rg_zoo *const rg_zoo_table[];
extern const int rg_zoo_count;

/* ---- what all builders share (zoo_find.c) ---- */

/* Names of what comes next begin with this: "layer1.0.conv1". */
void rg_zoo_scope(rg_build *b, const char *format, ...) RG_PRINTF(2, 3);
/* [batch, in] -> [batch, out], with bias: torch's Linear, whose weight is [out, in]. */
rg_value_id rg_zoo_linear(rg_build *b, rg_value_id x, int64_t in, int64_t out);

/* ---- image networks, [batch, channels, height, width] (zoo_net.c) ----
 *
 * Each call works on the activation `x` and leaves its result there. Parameters are named below the scope of
 * the moment, so that rg_zoo_scope before a call gives the layer its name.
 */

typedef struct rg_net {
    rg_build b;
    rg_value_id x;
    int64_t channels;
    double epsilon; /* of BatchNormalization, 1e-5 unless set */
} rg_net;

/* The nearest multiple of `unit`, at least one, and one more where that loses over a tenth: how torchvision
 * rounds the channels of scaled networks. */
int64_t rg_net_round(double channels, int64_t unit);

/* A convolution; 0 takes the default in brackets. */
typedef struct rg_conv {
    int64_t channels;     /* of the result */
    int64_t kernel;       /* square [1] */
    int64_t stride;       /* [1] */
    int64_t group;        /* [1] */
    int64_t dilation;     /* [1] */
    int64_t kernel_w;     /* width, where the kernel is not square: `kernel` is its height then */
    int64_t pad, pad_w;   /* both sides [what keeps the size at stride 1]; -1: none */
    bool bias;
} rg_conv;

/* An image of 3 channels, height = width = side, as the input "image". */
rg_err rg_net_begin(rg_net *n, rg_ctx *cx, const rg_zoo *self, int64_t side) RG_CHECKED;
void rg_net_conv(rg_net *n, rg_conv conv);
void rg_net_batch_norm(rg_net *n);
/* An ONNX operator, or "Relu6" (a Clip), "SiLU" (x * Sigmoid), "Gelu" (one node), "None". */
void rg_net_activate(rg_net *n, const char *activation);
/* Convolution SCOPE.0, normalization SCOPE.1, activation SCOPE.2: torchvision's ConvNormActivation. */
void rg_net_conv_norm(rg_net *n, const char *scope, rg_conv conv, const char *activation);
/* The same inside a longer Sequential, from SCOPE.index on; answers the index behind. */
int rg_net_conv_norm_at(rg_net *n, const char *scope, int index, rg_conv conv, const char *activation);
/* Convolution SCOPE.conv, normalization SCOPE.bn, activation: timm's ConvNormAct. */
void rg_net_conv_norm_act(rg_net *n, const char *scope, rg_conv conv, const char *activation);
/* The same with Relu: torchvision's BasicConv2d. */
void rg_net_basic_conv(rg_net *n, const char *scope, rg_conv conv);
typedef struct rg_pool { int64_t kernel, stride, pad; bool ceil, count_pad; } rg_pool;
void rg_net_max_pool(rg_net *n, rg_pool pool);
void rg_net_average_pool(rg_net *n, rg_pool pool);
/* Each channel with the binomial window (1, 2, 1) x (1, 2, 1) / 16, its edges reflected: Zhang 2019,
 * arXiv:1904.11486, as PyTorch code runs it. Its window is a constant of its own in each. */
void rg_net_blur(rg_net *n, int64_t stride);
void rg_net_global_pool(rg_net *n);                    /* [batch, channels, 1, 1] */
void rg_net_add(rg_net *n, rg_value_id other);         /* other + x */
/* Convolutions 3x3 of so many parts of the channels but the last, each `width` wide and normalized: each
 * reads its part and the result of the one before; alone: its part only, and the last part is averaged. Then
 * all are joined. Layers are BLOCK.convs.I and BLOCK.bns.I: Gao et al. 2019, arXiv:1904.01169. */
typedef struct rg_chain { int parts; int64_t width, stride, group; bool alone; } rg_chain;
void rg_net_chain(rg_net *n, const char *block, rg_chain chain);
/* Along the channels; the sum of theirs is `channels` from here. */
void rg_net_concat(rg_net *n, uint32_t count, const rg_value_id *parts, int64_t channels);
/* Squeeze and excitation: SCOPE.fc1 and SCOPE.fc2 are 1x1 convolutions with bias on the pooled channels; the
 * result scales x. */
void rg_net_squeeze_excite(rg_net *n, const char *scope, int64_t squeezed, const char *activation,
                           const char *gate);
/* Of one 1x1 convolution with bias, SCOPE.FC, on the pooled channels: the gate of it scales x. */
void rg_net_gate(rg_net *n, const char *scope, const char *fc, const char *gate);
/* By a convolution along the pooled channels, BLOCK.se: Wang et al. 2019, arXiv:1910.03151 (zoo_resnet.c). */
void rg_net_gate_along(rg_net *n, const char *block);
void rg_net_flatten(rg_net *n);                        /* [batch, channels * height * width] */
/* Linear SCOPE on a flat x of n->channels features. */
void rg_net_linear(rg_net *n, const char *scope, int64_t out);
/* The mean over the image, then a linear layer SCOPE of 1000 classes. */
void rg_net_classify(rg_net *n, const char *scope);
/* A residual block: two 3x3 convolutions, or a bottleneck that ends in four times the width. */
void rg_net_residual(rg_net *n, const char *block, bool bottleneck, int64_t width, int64_t stride);
/* ResNet-50 up to its last stage, a 32nd of the image's sides with 2048 channels, for models that build on it
 * (zoo_resnet.c); names begin with `prefix`. */
void rg_net_resnet50_trunk(rg_net *n, const char *prefix);
/* x becomes the output "logits", and the graph is finished. */
rg_err rg_net_done(rg_net *n, rg_graph **out) RG_CHECKED;

/* ---- sequence networks, [batch, positions, features] (zoo_sequence.c) ---- */

/* [..., in] -> [..., out] as exporters write it: MatMul with a weight [in, out], then Add of the bias. */
rg_value_id rg_zoo_dense(rg_build *b, rg_value_id x, int64_t in, int64_t out, bool bias);
/* Over the last axis, with scale and bias of `size`. */
rg_value_id rg_zoo_layer_norm(rg_build *b, rg_value_id x, int64_t size, double epsilon);
/* A table [rows, size] indexed by integers: [...] -> [..., size]. */
rg_value_id rg_zoo_embedding(rg_build *b, rg_value_id ids, int64_t rows, int64_t size);
rg_value_id rg_zoo_int(rg_build *b, int64_t x);        /* rank-0 i64 constant */
/* Constant shape: Reshape to these sizes, 0 keeps one, -1 is what remains. */
rg_value_id rg_zoo_reshape(rg_build *b, rg_value_id x, int count, const int64_t *sizes);
/* [batch, positions, heads * head] -> [batch, heads, positions, head], or [..., head, positions] for keys. */
rg_value_id rg_zoo_split_heads(rg_build *b, rg_value_id x, int64_t heads, int64_t head, bool keys);
/* softmax(q k / sqrt(head) + mask) v, then the heads side by side: q, v [batch, heads, positions, head], keys
 * as above, mask 0 for none -> [batch, positions, heads * head]. scale 0: 1 / sqrt(head). */
rg_value_id rg_zoo_attend(rg_build *b, rg_value_id q, rg_value_id k, rg_value_id v, rg_value_id mask,
                          int64_t heads, int64_t head, double scale);

/* Self-attention whose queries, keys and values come of one product: [batch, positions, heads * head] in and
 * out. */
typedef struct rg_self_attention {
    const char *scope, *packed, *out; /* linear layers SCOPE.PACKED of three times the width, SCOPE.OUT */
    int64_t heads, head;
    bool plain, unbiased;             /* without bias in either layer; in the first one */
    bool apart;                       /* keys lie as no fused attention takes them: what timm computes so */
    double scale;                     /* of the queries; 0: 1 / sqrt(head) */
    rg_value_id bias;                 /* added to the scores, [1, heads, positions, positions]; 0: none */
    rg_value_id mask;                 /* of each window, where batch is image * windows + window: */
    int64_t windows, positions;       /* [1, windows, 1, positions, positions]; 0: none */
} rg_self_attention;
rg_value_id rg_zoo_self_attention(rg_build *b, rg_value_id x, const rg_self_attention *a);
/* Linear layers SCOPE.FIRST of `inner` features and SCOPE.SECOND of `size` around an activation. */
rg_value_id rg_zoo_feed_forward(rg_build *b, rg_value_id x, const char *scope, const char *first,
                                const char *second, int64_t size, int64_t inner, const char *activation);
/* Bias of windows of side x side places, [1, heads, side^2, side^2]: looked up in the parameter
 * relative_position_bias_table [(2 side - 1)^2, heads], which has a row for each offset of two places. */
rg_value_id rg_zoo_relative_bias(rg_build *b, int64_t side, int64_t heads);
/* Its two halves, for tables that several layers share or that a network makes: the row of each pair of
 * places, i64[side^4], and the bias by a table [(2 side - 1)^2, heads]. */
rg_value_id rg_zoo_offset_rows(rg_build *b, int64_t side);
rg_value_id rg_zoo_bias_of_rows(rg_build *b, rg_value_id table, rg_value_id rows, int64_t side,
                                int64_t heads);
/* An f32 constant whose elements are the caller's to fill; *data is NULL once building has failed. */
rg_value_id rg_zoo_floats(rg_build *b, int rank, const int64_t *dim, float **data);

/* ---- image transformers as timm has them (zoo_tokens.c) ----
 *
 * x is [batch, positions, channels] where nothing else is said. Layers are named BLOCK.NAME; either may
 * be "".
 */
void rg_net_name(rg_net *n, const char *block, const char *name); /* of what comes next */
void rg_net_turn(rg_net *n, const char *perm);                    /* Transpose by "perm=..." */
void rg_net_dense(rg_net *n, const char *block, const char *name, int64_t out, bool bias);
void rg_net_layer_norm(rg_net *n, const char *block, const char *name, double epsilon);
/* Of each place of an image over its channels: timm's LayerNorm2d. */
void rg_net_image_norm(rg_net *n, const char *block, const char *name, double epsilon);
/* A convolution BLOCK.CONV and its normalization BLOCK.NORM. */
void rg_net_conv_bn(rg_net *n, const char *block, const char *conv, const char *norm, rg_conv c);
void rg_net_unroll(rg_net *n);                                    /* an image -> its places in a row */
void rg_net_roll(rg_net *n, int64_t side);                        /* and back, side x side of them */
/* before + x, where x is scaled by BLOCK.GAMMA before, by channel (NULL: it is not); image: x is one. */
void rg_net_add_scaled(rg_net *n, const char *block, const char *gamma, bool image, rg_value_id before);
void rg_net_mlp(rg_net *n, const char *block, int64_t inner, const char *activation); /* mlp.fc1, mlp.fc2 */
rg_value_id rg_zoo_cut(rg_build *b, rg_value_id x, int64_t axis, int64_t from, int64_t until);
rg_value_id rg_zoo_mean(rg_build *b, rg_value_id x, int64_t axis); /* the axis goes */
rg_value_id rg_zoo_batch(rg_build *b, rg_value_id image);         /* its first size, i64[1] */
/* `count` learned tokens of `width`, the same for the whole batch. */
rg_value_id rg_zoo_tokens(rg_build *b, const char *name, int64_t count, int64_t width, rg_value_id batch);
/* [1, heads, queries, side^2]: each head's number for how far down and right a key lies, whatever the
 * direction; queries are every step-th row and column. The parameter is [heads, side^2]. */
rg_value_id rg_zoo_offset_bias(rg_build *b, const char *name, int64_t heads, int64_t side, int64_t step);

/* ---- language and speech, [batch, positions, features] (zoo_text.c) ---- */

/* Over the last axis, by the root of the mean square alone, with a scale of `size`. */
rg_value_id rg_zoo_rms_norm(rg_build *b, rg_value_id x, int64_t size, double epsilon);
/* ids [batch, positions] -> first, first + 1, ...: i64[positions], for any number of them. */
rg_value_id rg_zoo_positions(rg_build *b, rg_value_id ids, int64_t first);
/* positions [n] -> [n, n]: 0 where the key is the query or before it, minus infinity behind. */
rg_value_id rg_zoo_causal_mask(rg_build *b, rg_value_id positions);
/* x [batch, positions, size] -> [batch, positions, rows] by the embedding's own `table` [rows, size]: a Gemm
 * that reads it as it lies, so that it stays one constant. */
rg_value_id rg_zoo_tied(rg_build *b, rg_value_id x, rg_value_id table, int64_t rows, int64_t size);

/* Attention with its four projections. */
typedef struct rg_heads {
    const char *scope;                      /* of all of it: "encoder.layer.0.attention" */
    const char *query, *key, *value, *out;  /* scopes of the projections below that */
    int64_t width, count, size;             /* features of x and of the result; heads; features of a head */
    bool bias, key_bias;                    /* of query, value and out; of key */
    double scale;                           /* of the scores; 0: 1 / sqrt(size) */
} rg_heads;
/* Queries from x, keys and values from memory: x itself, or what another stack has made. */
rg_value_id rg_zoo_attention(rg_build *b, const rg_heads *h, rg_value_id x, rg_value_id memory,
                             rg_value_id mask);

/* A convolution with bias along the last axis of [batch, in, positions]; 0 takes the default in brackets. */
typedef struct rg_conv1d {
    int64_t in, out;
    int64_t kernel, stride, dilation;       /* [1] */
    int64_t before, after;                  /* zeros on each side [0] */
} rg_conv1d;
rg_value_id rg_zoo_conv1d(rg_build *b, rg_value_id x, rg_conv1d conv);

#endif
