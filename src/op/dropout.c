/* dropout.c - Dropout. Outside of training it hands its input on; the mask, where somebody asks for it, is
 * all true. Only a node that is told to train draws random numbers.
 */
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

RG_OP(dropout) = {
    .name = "Dropout", .brief = "zeroes random elements while training, else hands its input on", .since = 12,
    .in_min = 1, .in_max = 3, .out_min = 1, .out_max = 2, .traits = RG_IN_PLACE,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .upgrade = upgrade,
};
