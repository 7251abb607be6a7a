/* learned.h - what the operators of ai.onnx.ml share: the classic models of machine learning, whose weights
 * are attributes of the node and not inputs.
 */
#ifndef RG_LEARNED_H
#define RG_LEARNED_H

#include "op/share.h"

#define RG_LEARNED_DOMAIN "ai.onnx.ml"

#define RG_POST_TRANSFORM \
    {"post_transform", RG_ATTR_STRING, "NONE", false, "NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO, PROBIT"}

/* Elements of a plural attribute, 0 when left out. */
uint32_t rg_learned_count(const rg_site *s, const char *name);
/* The input is [N, C], or [C] for N = 1; N is written. */
rg_err rg_learned_rows(const rg_site *s, rg_dim *rows) RG_CHECKED;
/* Outputs of a classifier: a label for each row, and [N, E] scores; the labels are in `ints` or `strings`. */
rg_err rg_learned_classes(const rg_site *s, const char *ints, const char *strings) RG_CHECKED;
/* [N, targets] floats. */
rg_err rg_learned_targets(const rg_site *s, int64_t targets) RG_CHECKED;
/* Weights in attributes are read as inputs are. */
void rg_learned_read(rg_work *w, double byte);
/* Special functions of `post_transform` on `count` scores. */
double rg_learned_post(const rg_site *s, double count);

#endif
