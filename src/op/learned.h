/* learned.h - what the operators of ai.onnx.ml share: the classic models of machine learning, whose weights
 * are attributes of the node and not inputs.
 */
#ifndef RG_LEARNED_H
#define RG_LEARNED_H

#include "op/kernel.h"
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
/* Rows of the input times a matrix of [features, outputs] weights. */
void rg_learned_work(const rg_site *s, rg_work *w, double outputs);
/* One flop for each element. */
void rg_learned_touch(const rg_site *s, rg_work *w);
/* Special functions of `post_transform` on `count` scores. */
double rg_learned_post(const rg_site *s, double count);

/* ---- kernels ---- */

/* What is done to the scores of a row; numbered as TreeEnsemble numbers them. */
typedef enum rg_post {
    RG_POST_NONE, RG_POST_SOFTMAX, RG_POST_LOGISTIC, RG_POST_SOFTMAX_ZERO, RG_POST_PROBIT
} rg_post;

/* The input as doubles: `count` rows of `size` features. */
typedef struct rg_rows { const double *x; int64_t count, size; } rg_rows;

rg_err rg_learned_input(const rg_run *r, rg_rows *out) RG_CHECKED;
/* A list of floats, or `name`_as_tensor, as doubles; NULL and 0 when left out. */
rg_err rg_learned_reals(const rg_run *r, const char *name, const double **out, uint32_t *count) RG_CHECKED;
rg_err rg_learned_strings(const rg_run *r, const char *name, const rg_str **out, uint32_t *count) RG_CHECKED;
rg_err rg_learned_post_of(const rg_run *r, rg_post *out) RG_CHECKED; /* the attribute as a string */
void rg_learned_transform(rg_post post, double *score, int64_t count);
/* Two classes of which only one is scored: score[1] is given, score[0] becomes its counterpart, so that the
 * transform makes both. `sure`: the score is a probability where nothing is done to it. */
void rg_learned_pair(rg_post post, bool sure, double score[2]);
int64_t rg_learned_best(const double *score, int64_t count); /* the first of the greatest */
/* Writes one row: label `which` of the attributes to output 0, and the scores to output 1. */
void rg_learned_answer(const rg_run *r, const char *ints, const char *strings, int64_t row, int64_t which,
                       const double *score, int64_t count);

#endif
