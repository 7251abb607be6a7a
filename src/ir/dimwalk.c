/* dimwalk.c - what walks over a size's expression: printing it, and making it anew over other symbols.
 *
 * Expressions share their parts and files can make them deep, so that printing keeps a budget and rewriting
 * remembers and never recurses.
 */
#include "ir/dim.h"

#include "ir/lex.h"

#include <string.h>

enum { PRINT_MAX_BYTE = 65536, PRINT_DEPTH_MAX = 200, TERMS_SHOWN = 32 };

/* What stands around an operand decides about its parentheses. */
typedef enum place { IN_SUM, IN_PRODUCT, ALONE } place;
typedef struct printer { const rg_dims *dims; rg_text *text; size_t limit; } printer;

static void print(const printer *p, rg_dim d, place where, int depth);

/* A term without its sign. */
static void print_term(const printer *p, rg_dim d, bool negative, int depth)
{
    const rg_dim_expr *e = rg_dim_expr_of(p->dims, d);
    if (!negative) {
        print(p, d, IN_SUM, depth);
    } else if (!e) {
        rg_text_printf(p->text, "%lld", -(long long)d);
    } else {
        print(p, e->a, IN_PRODUCT, depth);
        if (e->b != -1) rg_text_printf(p->text, "*%lld", -(long long)e->b);
    }
}

static bool is_negative(const rg_dims *dims, rg_dim d)
{
    const rg_dim_expr *e = rg_dim_expr_of(dims, d);
    rg_dim number = !e ? d : e->op == RG_DIM_MUL ? e->b : 0;
    return rg_dim_is_number(number) && number < 0;
}

/* The terms of a sum times 1 or -1, those that are added first: 5-x, never -x+5; and 0-x-5. */
static void print_sum(const printer *p, rg_dim d, bool negate, int depth)
{
    rg_dim terms[TERMS_SHOWN];
    int count = 0;
    const rg_dim_expr *e = rg_dim_expr_of(p->dims, d);
    for (; e && e->op == RG_DIM_ADD && count < TERMS_SHOWN - 1; d = e->a, e = rg_dim_expr_of(p->dims, d))
        terms[count++] = e->b;
    terms[count++] = d;
    bool first = true;
    for (int sign = 0; sign < 2; sign++) {
        if (sign == 1 && first) rg_text_char(p->text, '0');
        for (int i = count - 1; i >= 0; i--) {
            bool negative = is_negative(p->dims, terms[i]), is_taken = (negative != negate) == (sign == 1);
            if (!is_taken) continue;
            if (sign == 1) rg_text_char(p->text, '-');
            else if (!first) rg_text_char(p->text, '+');
            /* +x of a negated sum shows as -x, and -x as x: either way the magnitude */
            print_term(p, terms[i], negative, depth);
            first = false;
        }
    }
}

static void print_call(const printer *p, const char *name, const rg_dim_expr *e, int depth)
{
    rg_text_printf(p->text, "%s(", name);
    print(p, e->a, e->op == RG_DIM_CEIL ? ALONE : IN_SUM, depth);
    rg_text_char(p->text, e->op == RG_DIM_CEIL ? '/' : ',');
    print(p, e->b, e->op == RG_DIM_CEIL ? ALONE : IN_SUM, depth);
    rg_text_char(p->text, ')');
}

static void print_pair(const printer *p, const rg_dim_expr *e, int depth)
{
    bool is_product = e->op == RG_DIM_MUL;
    print(p, e->a, is_product ? IN_PRODUCT : ALONE, depth);
    rg_text_char(p->text, is_product ? '*' : '/');
    print(p, e->b, ALONE, depth);
}

static void print(const printer *p, rg_dim d, place where, int depth)
{
    const rg_dim_expr *e = rg_dim_expr_of(p->dims, d);
    if (!e) {
        rg_text_printf(p->text, "%lld", (long long)d);
        return;
    }
    if (depth > PRINT_DEPTH_MAX || p->text->size > p->limit || p->text->failed) {
        rg_text_put(p->text, RG_LIT("..."));
        return;
    }
    const rg_dim_expr *inner = e->op == RG_DIM_MUL && e->b == -1 ? rg_dim_expr_of(p->dims, e->a) : NULL;
    bool is_negated_sum = inner && inner->op == RG_DIM_ADD, is_sum = e->op == RG_DIM_ADD || is_negated_sum;
    bool parens = is_sum || e->op == RG_DIM_DIV ? where != IN_SUM : e->op == RG_DIM_MUL && where == ALONE;
    if (parens) rg_text_char(p->text, '(');
    switch (e->op) {
    case RG_DIM_SYMBOL: rg_lex_put_ident(p->text, e->name); break;
    case RG_DIM_MIN: print_call(p, "min", e, depth + 1); break;
    case RG_DIM_MAX: print_call(p, "max", e, depth + 1); break;
    case RG_DIM_CEIL: print_call(p, "ceil", e, depth + 1); break;
    case RG_DIM_ADD: print_sum(p, d, false, depth + 1); break;
    case RG_DIM_SUB: break; /* never stored: a term with a negative number */
    case RG_DIM_MUL: case RG_DIM_DIV:
        if (is_negated_sum) print_sum(p, e->a, true, depth + 1);
        else print_pair(p, e, depth + 1);
        break;
    }
    if (parens) rg_text_char(p->text, ')');
}

void rg_dim_print(const rg_dims *dims, rg_dim d, rg_text *text)
{
    print(&(printer){dims, text, text->size + PRINT_MAX_BYTE}, d, IN_SUM, 0);
}

/* ---- rewriting ---- */

/* What an expression of `from` became in this round; and, in the same array, the stack of those under
 * work. */
struct rg_dim_memo { uint32_t round, stacked; rg_dim dim; };

static uint32_t index_of(rg_dim d) { return (uint32_t)(d - INT64_MIN); }

static bool begin_round(rg_dims *to, const rg_dims *from)
{
    if (to->memo_count < from->count) {
        struct rg_dim_memo *memo = RG_NEW(to->arena, struct rg_dim_memo, from->capacity);
        if (!memo) return false;
        to->memo = memo;
        to->memo_count = from->capacity;
        to->memo_round = 0;
    }
    if (++to->memo_round == 0) { /* wrapped: forget what older rounds left */
        memset(to->memo, 0, to->memo_count * sizeof *to->memo);
        to->memo_round = 1;
    }
    return true;
}

static bool is_done(const rg_dims *to, rg_dim d, rg_dim *became)
{
    *became = rg_dim_is_number(d) ? d : to->memo[index_of(d)].dim;
    return rg_dim_is_number(d) || to->memo[index_of(d)].round == to->memo_round;
}

rg_dim rg_dim_rewrite(rg_dims *to, const rg_dims *from, rg_dim d,
                      rg_dim (*symbol)(void *user, rg_dims *to, const rg_dim_expr *expr), void *user)
{
    if (rg_dim_is_number(d)) return d;
    if (!begin_round(to, from)) {
        to->failed = true;
        return rg_dim_value(from, d);
    }
    uint32_t depth = 0;
    to->memo[depth++].stacked = index_of(d);
    while (depth) { /* operands are older than their users: the stack never holds an expression twice */
        uint32_t top = to->memo[depth - 1].stacked;
        /* a copy: the table moves when it grows, and `to` may be `from` */
        const rg_dim_expr e = from->exprs[top];
        rg_dim a = 0, b = 0, made;
        if (e.op != RG_DIM_SYMBOL && !is_done(to, e.a, &a)) {
            to->memo[depth++].stacked = index_of(e.a);
            continue;
        }
        if (e.op != RG_DIM_SYMBOL && !is_done(to, e.b, &b)) {
            to->memo[depth++].stacked = index_of(e.b);
            continue;
        }
        made = e.op == RG_DIM_SYMBOL ? symbol(user, to, &e) : rg_dim_make(to, e.op, a, b);
        to->memo[top].dim = made;
        to->memo[top].round = to->memo_round;
        depth--;
    }
    return to->memo[index_of(d)].dim;
}
