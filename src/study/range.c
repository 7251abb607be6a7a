/* range.c - the sizes and clocks that a study goes through, as people type them. */
#include "study/study.h"

#include <math.h>

static rg_err fail_range(rg_ctx *cx, const char *option, rg_str part)
{
    return rg_fail(cx, RG_USAGE,
                   "%s: '%.*s' is no range: 8, 1..256 (doubling) or 100..500:50, of numbers above 0", option,
                   RG_STR(part));
}

static rg_err add(rg_ctx *cx, rg_arena *arena, const char *option, double x, rg_range *out,
                  uint32_t *capacity)
{
    if (out->count >= RG_RANGE_MAX)
        return rg_fail(cx, RG_LIMIT, "%s: more than %d values", option, RG_RANGE_MAX);
    if (!RG_GROW(arena, out->values, out->count, *capacity)) return rg_nomem(cx);
    out->values[out->count++] = x;
    return RG_OK;
}

/* "A..B": A, 2A, 4A, ... and B; "A..B:S": A, A + S, ... and B. Cut at "..", ":" marks the step. Steps are
 * multiplied, not summed, and one that rounding leaves just short of B is B: 1..2:0.1 has eleven values. */
static rg_err add_part(rg_ctx *cx, rg_arena *arena, const char *option, rg_str part, rg_range *out,
                       uint32_t *capacity)
{
    rg_str rest = part, from, step = {0};
    double a, b, s = 0;
    size_t dots = 0;
    while (dots + 1 < part.size && !(part.data[dots] == '.' && part.data[dots + 1] == '.')) dots++;
    if (dots + 1 >= part.size) {
        if (!rg_str_real(part, &a) || !(a > 0) || isinf(a)) return fail_range(cx, option, part);
        return add(cx, arena, option, a, out, capacity);
    }
    from = (rg_str){part.data, dots};
    rest = (rg_str){part.data + dots + 2, part.size - dots - 2};
    rg_str to = {0};
    if (rg_str_cut(&rest, ':', &to)) step = rest;
    bool stepped = to.size + 1 + dots + 2 <= part.size;
    if (!rg_str_real(from, &a) || !rg_str_real(to, &b) || !(a > 0) || !(b >= a) || isinf(b) ||
        (stepped && (!rg_str_real(step, &s) || !(s > 0))))
        return fail_range(cx, option, part);
    double x = a, short_of = b * (1 - 1e-12);
    for (int i = 1; x < short_of; i++) {
        RG_TRY(add(cx, arena, option, x, out, capacity));
        x = stepped ? a + i * s : 2 * x;
    }
    return add(cx, arena, option, b, out, capacity);
}

rg_err rg_range_read(rg_ctx *cx, rg_arena *arena, const char *option, const char *text, rg_range *out)
{
    uint32_t capacity = 0;
    rg_str rest = rg_str_of(text ? text : ""), part;
    *out = (rg_range){0};
    if (text && !*text) return rg_fail(cx, RG_USAGE, "%s: is empty", option);
    while (rg_str_cut(&rest, ',', &part)) RG_TRY(add_part(cx, arena, option, part, out, &capacity));
    return RG_OK;
}
