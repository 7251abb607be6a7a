/* batch_norm.c - BatchNormalization. With fixed statistics it is y = x * a + b, a and b one number each a
 * channel: two flops an element. In training mode the statistics come from the batch, four more.
 *
 *     y = (x - mean) / sqrt(variance + epsilon) * scale + shift
 *     running = running * momentum + batch's * (1 - momentum)
 */
#include "op/kernel.h"
#include "op/share.h"

#include <math.h>

static const rg_attr_spec attrs[] = {
    {"epsilon", RG_ATTR_FLOAT, "1e-5", false, "added to the variance"},
    {"momentum", RG_ATTR_FLOAT, "0.9", false, "of the running statistics"},
    {"training_mode", RG_ATTR_INT, "0", false, "1: statistics of this batch"},
};

static const rg_case cases[] = {
    {"f32[1,64,112,112] f32[64] f32[64] f32[64] f32[64]", NULL, "f32[1,64,112,112]"},
    {"f32[2,3,4,5] f32[3] f32[3] f32[3] f32[3]", "training_mode=1", "f32[2,3,4,5] f32[3] f32[3]"},
    {"f16[n,8] f16[8] f16[8] f32[8] f32[8]", NULL, "f16[n,8]"},
};

static rg_err infer(const rg_site *s)
{
    RG_TRY(rg_need_rank(s, 0, 1, -1));
    const rg_type *x = rg_in_type(s, 0);
    rg_dim channels = x->rank > 1 ? x->dim[1] : 1;
    for (uint32_t i = 1; i < 5; i++) {
        RG_TRY(rg_need_rank(s, i, 1, 1));
        RG_TRY(rg_need_equal(s, "statistics and channels", rg_in_type(s, i)->dim[0], channels, &channels));
    }
    rg_set_out(s, 0, *x);
    rg_set_out(s, 1, *rg_in_type(s, 3));
    rg_set_out(s, 2, *rg_in_type(s, 4));
    return RG_OK;
}

static void work(const rg_site *s, rg_work *w)
{
    double count = rg_out_count(s, 0), channels = rg_in_count(s, 1);
    w->family = RG_FAMILY_NORM;
    w->m = channels;
    w->k = channels > 0 ? count / channels : 0;
    w->flop = (rg_op_int(s, "training_mode") ? 6 : 2) * count;
    w->special = 2 * channels; /* a root and a division */
    w->channels = channels;
}

/* The tensor as [batch, channels, spatial]. */
typedef struct channels { int64_t batch, count, spatial; } channels;

static int64_t element_at(const channels *c, int64_t channel, int64_t i)
{
    return (i / c->spatial * c->count + channel) * c->spatial + i % c->spatial;
}

static void measure(const rg_array *x, const channels *c, int64_t channel, double *mean, double *variance)
{
    int64_t size = c->batch * c->spatial;
    double sum = 0, square = 0;
    for (int64_t i = 0; i < size; i++) sum += rg_get(x, element_at(c, channel, i));
    *mean = sum / (double)size;
    for (int64_t i = 0; i < size; i++) {
        double off = rg_get(x, element_at(c, channel, i)) - *mean;
        square += off * off;
    }
    *variance = square / (double)size; /* of the population */
}

static void put_running(const rg_array *to, int64_t i, double old, double now, double momentum)
{
    if (to) rg_put(to, i, old * momentum + now * (1 - momentum));
}

static rg_err run(const rg_run *r)
{
    enum { X, SCALE, SHIFT, MEAN, VARIANCE };
    const rg_array *x = rg_arg(r, X), *y = rg_result(r, 0);
    const rg_site *s = &r->site;
    bool training = rg_op_has(s, "training_mode") ? rg_op_int(s, "training_mode") != 0 : r->training;
    double epsilon = rg_op_real(s, "epsilon"), momentum = rg_op_real(s, "momentum");
    channels c = {x->dim[0], x->rank > 1 ? x->dim[1] : 1, rg_array_size(x, x->rank > 1 ? 2 : 1, x->rank)};
    for (int64_t k = 0; k < c.count; k++) {
        double old_mean = rg_get(rg_arg(r, MEAN), k), old_variance = rg_get(rg_arg(r, VARIANCE), k);
        double mean = old_mean, variance = old_variance;
        if (training) measure(x, &c, k, &mean, &variance);
        double a = rg_get(rg_arg(r, SCALE), k) / sqrt(variance + epsilon), b = rg_get(rg_arg(r, SHIFT), k);
        for (int64_t i = 0; y && i < c.batch * c.spatial; i++) {
            int64_t at = element_at(&c, k, i);
            rg_put(y, at, (rg_get(x, at) - mean) * a + b);
        }
        put_running(rg_result(r, 1), k, old_mean, mean, momentum);
        put_running(rg_result(r, 2), k, old_variance, variance, momentum);
    }
    return RG_OK;
}

/* Drops outputs from `kept` on: the saved statistics that training once handed to its gradient. */
static void drop_outputs(const rg_site *s, uint32_t kept)
{
    rg_node *n = &s->g->nodes[s->id];
    for (uint32_t i = kept; i < n->out_count; i++) {
        rg_value *v = &s->g->values[n->out[i]];
        if (n->out[i]) {
            v->role = RG_ROLE_NONE;
            v->producer = 0;
        }
    }
    n->out_count = n->out_count < kept ? n->out_count : kept;
}

/* Before opset 14, asking for more than one output was how training was asked for. */
static rg_err upgrade(const rg_site *s)
{
    const rg_attr *spatial = rg_node_attr(s->node, "spatial");
    rg_attr training = {.name = RG_LIT("training_mode"), .kind = RG_ATTR_INT, .i = 1};
    bool trains = false;
    if (spatial && spatial->kind == RG_ATTR_INT && spatial->i == 0)
        return rg_site_fail(s, RG_UNSUPPORTED, "spatial=0, statistics for each position, is not supported");
    for (uint32_t i = 1; i < s->node->out_count; i++) trains = trains || s->node->out[i];
    drop_outputs(s, trains ? 3 : 1);
    rg_site_drop_attr(s, "spatial");
    rg_site_drop_attr(s, "is_test");
    rg_site_drop_attr(s, "consumed_inputs");
    return trains ? rg_node_set_attr(s->cx, s->g, s->id, &training) : RG_OK;
}

RG_OP(batch_normalization) = {
    .name = "BatchNormalization", .brief = "normalizes channels by fixed or batch statistics", .since = 14,
    .in_min = 5, .in_max = 5, .out_min = 1, .out_max = 3,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run, .upgrade = upgrade,
};
