/* format.h - from what the user calls a model to a graph.
 *
 * The graph is finished and its operators are resolved; types are not inferred and no symbol is bound.
 */
#ifndef RG_FORMAT_H
#define RG_FORMAT_H

#include "ir/ir.h"

/* What of a model is built: one device's share of it. NULL stands for all of it. */
typedef struct rg_share {
    rg_parallel parallel;
    bool last;          /* of a language model the head for the last token of each sequence only */
} rg_share;

/* A file (its name or its content tells the format), a directory with a model.onnx or else a config.json, or
 * zoo:NAME. RG_UNSUPPORTED where the model cannot be divided. */
rg_err rg_format_read(rg_ctx *cx, const char *model, const rg_share *share, rg_graph **out) RG_CHECKED;

/* One of the built-in builders, by name: "resnet50". */
rg_err rg_zoo_build(rg_ctx *cx, const char *name, const rg_share *share, rg_graph **out) RG_CHECKED;
/* random_net.c: "random:SEED" without its scheme; resolved. RG_INPUT: no number. */
rg_err rg_random_build(rg_ctx *cx, const char *seed, const rg_share *share, rg_graph **out) RG_CHECKED;

bool rg_share_is_whole(const rg_share *share); /* one device has all of the model, or NULL */
/* For readers of models that cannot be divided; replicas of the whole are no division. format.c */
rg_err rg_share_need_whole(rg_ctx *cx, const char *model, const rg_share *share) RG_CHECKED;

#endif
