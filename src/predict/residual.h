/* residual.h - residuals that measurements taught, data/learned/KEY.trees, and what they rest on.
 *
 *     row     KEY = runtime.family.type            "pytorch-eager.gemm.f32"      latency
 *     whole   KEY = runtime.SORT.type              of one inference; sorts: ridge.h, rg_forecast_opt;
 *                                                  of "decode" the type is "any"
 *             KEY.power                            power
 *
 * A runtime profile may name others that it learns from, in order. A forecast without a file for its key is
 * analytic.
 */
#ifndef RG_RESIDUAL_H
#define RG_RESIDUAL_H

#include "predict/features.h"
#include "predict/trees.h"

typedef enum rg_target { RG_TARGET_LATENCY, RG_TARGET_POWER, RG_TARGET_COUNT } rg_target;

/* How near the measurements are that an answer rests on. */
typedef enum rg_nearness { RG_NEAR_KNOWN, RG_NEAR_SISTER, RG_NEAR_UNKNOWN } rg_nearness;

/* What devices have in common, as logarithms to the base 2: distances between them are differences of these.
 */
void rg_traits(const rg_device *device, double out[RG_TRAITS]);
double rg_traits_distance2(const double *a, const double *b);
/* Weights of members at these distances: exp(-(distance / reach)^2) of the RG_MEMBERS_HEARD nearest; 0 of the
 * others and below a thousandth, so that members which would not be heard are not asked. INFINITY: no member.
 */
enum { RG_MEMBERS_HEARD = 2 };
void rg_members_weigh(const double *distance2, size_t count, double reach, double *weights);

/* log of what a row takes when it is called alone from a host `host` times as slow as the profile's, against
 * the base. row: rg_feature_row's. 0 for a host that is not known (0). */
double rg_host_shift(double host, const float *row);
/* The same in a queue of others, where the host runs ahead. */
double rg_host_ahead(double host, const float *row);
/* Whose drivers and libraries are the same, going by traits: one host says something about the other. */
bool rg_traits_share_stack(const double *a, const double *b);
/* Their geometric median; those that are 0 do not count. 0: none does. Leaves logarithms, sorted. */
double rg_host_middle(double *hosts, size_t count);

/* Who of some trees answers for a device, and how loud: found once, then asked for every row. */
typedef struct rg_mixture {
    const rg_trees *trees;       /* NULL: nothing was learned, and nothing else is set */
    const rg_device *device;
    double *weights;             /* by member; trust is in them */
    double host;                 /* that issues the rows: its own or assumed; 0: none is known */
    bool queued;                 /* rows are asked for that others run before and after */
    rg_nearness nearness;
    const rg_trees_member *nearest;
} rg_mixture;
/* A member of the device itself answers alone; else the mean of all, the pooled one by a weight of its own.
 * In cx's arena. */
rg_err rg_mixture_of(rg_ctx *cx, const rg_trees *trees, const rg_device *device, rg_mixture *out) RG_CHECKED;

/* r = log(measured / base) and what it rests on. */
typedef struct rg_residual {
    double r, spread;            /* spread: 90 % of |log error|; 0: not validated */
    int outside;                 /* features beyond what was measured */
} rg_residual;
/* all: rg_feature_row's or rg_feature_whole's, as the trees were resolved for. */
void rg_residual_of(const rg_mixture *mixture, const float *all, rg_residual *out);
/* The same of `count` rows, whose features lie RG_TREES_FEATURES apart. */
rg_err rg_residuals_of(rg_ctx *cx, const rg_mixture *mixture, const float *all, size_t count,
                       rg_residual *out) RG_CHECKED;

/* "f16" of f16 and bf16, ... */
const char *rg_type_class(rg_hw_dtype dtype);
/* Finds the columns of its features among those of the scope. RG_FORMAT: one has another name. */
rg_err rg_trees_resolve(rg_ctx *cx, rg_trees *trees, rg_features_of scope) RG_CHECKED;

#define RG_WHOLE UINT32_MAX
/* The key of a row, or with RG_WHOLE of the whole; in cx's arena. `runtime`: one that it learns from. */
rg_err rg_learned_key(rg_ctx *cx, const rg_forecast *f, uint32_t row, const char *runtime, rg_target target,
                      const char **out) RG_CHECKED;

/* Of data/learned/KEY.trees, kept by the context; NULL: there is no such file. */
rg_err rg_learned_find(rg_ctx *cx, const char *key, rg_features_of scope, const rg_trees **out) RG_CHECKED;
/* What a key is of: its second part is a family of kernels, or else a sort of inference. */
rg_features_of rg_learned_scope(const char *key);
/* The trees of the first runtime that has some: the plan's own, then those that it learns from; mixed for the
 * plan's device. The trees are kept by the context. */
rg_err rg_learned_for(rg_ctx *cx, const rg_forecast *f, uint32_t row, rg_target target,
                      rg_mixture *out) RG_CHECKED;

/* correction.c: corrects what the analytic base says at its clock: terms, intervals, evidence. */
rg_err rg_forecast_learn(rg_ctx *cx, rg_forecast *f) RG_CHECKED;

#endif
