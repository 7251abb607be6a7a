/* dropout.c - Dropout. Outside of training it hands its input on; the mask, where somebody asks for it, is
 * all true. Only a node that is told to train draws random numbers.
 */
#include "op/draw.h"
#include "op/share.h"

enum { DATA, RATIO, TRAINING };

static const rg_attr_spec attrs[] = {
    {"seed", RG_ATTR_INT, NULL, false, "of the random numbers"},
};

static const rg_case cases[] = {
    {"f32[3,4,5]", NULL, "f32[3,4,5] bool[3,4,5]"},
    {"f16[n,768] f16[] bool[]", "seed=7", "f16[n,768]"},
};

static rg_err infer(const rg_site *s)
{
    RG_TRY(rg_infer_same(s));
    rg_set_out(s, 1, rg_type_like(s, DATA, RG_BOOL));
    return RG_OK;
}

static bool trains(const rg_site *s)
{
    uint32_t count;
    const rg_dim *known = rg_in_known(s, TRAINING, &count);
    return rg_has_in(s, TRAINING) && !(known && count == 1 && known[0] == 0);
}

/* In training: draw, compare, select, scale. */
static void work(const rg_site *s, rg_work *w)
{
    if (trains(s)) {
        rg_work_elements(s, w, 4, 0);
        return;
    }
    rg_work_copy(s, w);
    if (!rg_has_out(s, 1))
        *w = (rg_work){.family = RG_FAMILY_VIEW, .batch = 1, .m = 1, .n = 1, .k = 1, .steps = 1};
}

/* The ratio was an attribute, and whether it trains another; before opset 12 no exporter's node trains. */
static rg_err upgrade(const rg_site *s)
{
    rg_site_drop_attr(s, "is_test");
    rg_site_drop_attr(s, "consumed_inputs");
    return rg_attr_to_input(s, "ratio", RATIO);
}

/* What is kept grows by 1 / (1 - ratio), so that the mean stays. The random stream does not depend on who
 * reads what: a number is drawn for each element. */
static rg_err run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, DATA), *given = rg_arg(r, RATIO), *mode = rg_arg(r, TRAINING);
    const rg_array *y = rg_result(r, 0), *mask = rg_result(r, 1);
    double ratio = given && given->count ? rg_get(given, 0) : 0.5;
    bool training = mode && mode->count ? rg_get_int(mode, 0) != 0 : r->training;
    uint64_t own, *state = rg_draw_state(r, &own);
    if (training && !(ratio >= 0 && ratio < 1))
        return rg_run_fail(r, RG_INPUT, "the ratio is %g, not in 0..1", ratio);
    for (int64_t i = 0; i < x->count; i++) {
        bool keep = !training || rg_random_unit(state) >= ratio;
        if (mask) rg_put_int(mask, i, keep);
        if (!y) continue;
        if (training) rg_put(y, i, keep ? rg_get(x, i) / (1 - ratio) : 0);
        else rg_copy(y, i, x, i);
    }
    return RG_OK;
}

RG_OP(dropout) = {
    .name = "Dropout", .brief = "zeroes random elements while training, else hands its input on", .since = 12,
    .in_min = 1, .in_max = 3, .out_min = 1, .out_max = 2, .traits = RG_IN_PLACE,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run, .upgrade = upgrade,
};
