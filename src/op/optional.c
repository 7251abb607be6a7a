/* optional.c - values that may be absent: Optional, OptionalGetElement, OptionalHasElement. */
#include "op/kernel.h"
#include "op/share.h"

static const rg_attr_spec optional_attrs[] = {
    {"type", RG_ATTR_TYPE, NULL, false, "what it may hold, when no input tells"},
};
static const rg_case optional_cases[] = {{"f32[2,3]", "", "opt(f32[2,3])"}};

static rg_err optional_infer(const rg_site *s)
{
    const rg_attr *a = rg_node_attr(s->node, "type");
    rg_type type = {.kind = RG_KIND_OPTIONAL, .rank = -1};

    if (!rg_has_in(s, 0) && !a)
        return rg_site_fail(s, RG_FORMAT, "has neither an input nor attribute type");
    if (!(type.elem = rg_type_keep(s, rg_has_in(s, 0) ? *rg_in_type(s, 0) : *a->type)))
        return rg_nomem(s->cx);
    rg_set_out(s, 0, type);
    return RG_OK;
}

static rg_err optional_run(const rg_run *r)
{
    const rg_datum *item = r->site.node->in_count ? r->in[0] : NULL;
    const rg_type *type = &rg_value_at(r->site.g, r->site.node->out[0])->type;
    rg_datum *datum;

    RG_TRY(rg_datum_list(r->site.cx, RG_KIND_OPTIONAL, type, &item, item ? 1 : 0, &datum));
    rg_give_result(r, 0, datum);
    return RG_OK;
}

RG_OP(optional) = {
    .name = "Optional", .brief = "the input as a value that may be absent", .since = 15,
    .in_min = 0, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_VIEW,
    RG_SPEC(optional_attrs) RG_CASES(optional_cases)
    .infer = optional_infer, .run = optional_run,
};

static const rg_case get_cases[] = {{"opt(f32[2,3])", "", "f32[2,3]"}, {"f32[4]", "", "f32[4]"}};

static rg_err get_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);

    if (in->kind != RG_KIND_OPTIONAL)
        rg_set_out(s, 0, *in);
    else if (in->elem)
        rg_set_out(s, 0, *in->elem);
    return RG_OK;
}

static rg_err get_run(const rg_run *r)
{
    const rg_datum *in = r->in[0];

    if (in->kind == RG_KIND_OPTIONAL && !in->item_count)
        return rg_run_fail(r, RG_INPUT, "the optional holds nothing");
    rg_pass_result(r, 0, in->kind == RG_KIND_OPTIONAL ? in->items[0] : in);
    return RG_OK;
}

RG_OP(optionalgetelement) = {
    .name = "OptionalGetElement", .brief = "what an optional holds", .since = 18,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_VIEW, RG_CASES(get_cases)
    .infer = get_infer, .run = get_run,
};

static const rg_case has_cases[] = {{"opt(f32[2,3])", "", "bool[]"}, {"", "", "bool[]"}};

/* An absent input has none, a tensor or a sequence always has: that decides the If behind it. */
static rg_err has_infer(const rg_site *s)
{
    rg_kind kind = rg_in_type(s, 0)->kind;
    rg_dim has = rg_has_in(s, 0);

    rg_set_out(s, 0, rg_type_tensor(RG_BOOL, 0, NULL));
    if (!rg_has_in(s, 0) || kind == RG_KIND_TENSOR || kind == RG_KIND_SEQUENCE)
        rg_set_known(s, 0, &has, 1);
    return RG_OK;
}

static rg_err has_run(const rg_run *r)
{
    const rg_datum *in = r->site.node->in_count ? r->in[0] : NULL;

    rg_put_int(rg_result(r, 0), 0, in && (in->kind != RG_KIND_OPTIONAL || in->item_count));
    return RG_OK;
}

static void has_work(const rg_site *s, rg_work *w)
{
    (void)s;
    w->in_byte = w->weight_byte = 0;
}

RG_OP(optionalhaselement) = {
    .name = "OptionalHasElement", .brief = "whether an optional holds anything", .since = 18,
    .in_min = 0, .in_max = 1, .out_min = 1, .out_max = 1, RG_CASES(has_cases)
    .infer = has_infer, .work = has_work, .run = has_run,
};
