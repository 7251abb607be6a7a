/* dim.c - symbolic sizes: hash-consed expressions that are simplified as they are made.
 *
 * What makes equal sizes get equal ids is one normal form, independent of the order in which a model builds
 * them:
 *
 *     product   f0*f1*...*number     factors sorted; a factor is a symbol, a quotient, a min or max, or a sum
 *     sum       t0+t1+...+number     terms sorted; what all have in common, number or factor, stands outside,
 *                                    so that 768*p+768 is (p+1)*768 and divides by either
 *     quotient  whole multiples of the divisor are taken out, numbers go into [0, divisor), nested floors
 *               join: floor((floor(h/2)+1)/2) = floor((h+2)/4); and as ceil(x/n) = floor((x+n-1)/n), the two
 *               spellings of the same size meet
 *
 * Subtraction is a term with a negative number. Forms that outgrow the fixed arrays below stay as they were
 * written: still right, only not recognized as equal. Cancelling takes divisors to be nonzero.
 *
 * Operands are older than what uses them, and every expression keeps its range and its size under the
 * presets: no walk is needed to evaluate one.
 */
#include "ir/dim.h"

#include "base/limits.h"

#include <assert.h>
#include <string.h>

enum { FACTOR_MAX = 16, TERM_MAX = 24, SLOT_MIN = 64 };

typedef struct product { int64_t coef; int count; rg_dim factor[FACTOR_MAX]; } product;
typedef struct term { int64_t coef; rg_dim mono; } term; /* mono: a product without a number */
typedef struct sum { int64_t number; int count; bool full; term terms[TERM_MAX]; } sum;
typedef struct range { int64_t min, max; } range;

/* ---- numbers ---- */

static int64_t clamp(int64_t x, int64_t min, int64_t max) { return x < min ? min : x > max ? max : x; }
static int64_t floored(int64_t x) { return x < RG_DIM_FIRST ? RG_DIM_FIRST : x; }

static int64_t add(int64_t a, int64_t b)
{
    int64_t x;
    if (__builtin_add_overflow(a, b, &x)) return a < 0 ? RG_DIM_FIRST : INT64_MAX;
    return floored(x);
}

static int64_t mul(int64_t a, int64_t b)
{
    int64_t x;
    if (__builtin_mul_overflow(a, b, &x)) return (a < 0) != (b < 0) ? RG_DIM_FIRST : INT64_MAX;
    return floored(x);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    if (b == 0) return 0;
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    if (b == 0) return 0;
    return a / b + (a % b != 0 && (a < 0) == (b < 0));
}

static uint64_t magnitude(int64_t x) { return x < 0 ? 0 - (uint64_t)x : (uint64_t)x; }

/* Of the magnitudes; gcd(0, x) is |x|. Both fit int64_t: numbers begin at RG_DIM_FIRST. */
static int64_t gcd(int64_t a, int64_t b)
{
    uint64_t x = magnitude(a), y = magnitude(b);
    while (y) {
        uint64_t rest = x % y;
        x = y, y = rest;
    }
    return (int64_t)x;
}

static int64_t apply(rg_dim_op op, int64_t a, int64_t b)
{
    switch (op) {
    case RG_DIM_ADD: return add(a, b);
    case RG_DIM_SUB: return add(a, floored(-b));
    case RG_DIM_MUL: return mul(a, b);
    case RG_DIM_DIV: return floor_div(a, b);
    case RG_DIM_CEIL: return ceil_div(a, b);
    case RG_DIM_MIN: return a < b ? a : b;
    case RG_DIM_MAX: return a > b ? a : b;
    case RG_DIM_SYMBOL: break;
    }
    assert(!"a symbol is not computed");
    return 0;
}

static range hull(rg_dim_op op, range a, range b)
{
    int64_t x[4] = {apply(op, a.min, b.min), apply(op, a.min, b.max), apply(op, a.max, b.min),
                    apply(op, a.max, b.max)};
    range r = {x[0], x[0]};
    for (int i = 1; i < 4; i++) {
        if (x[i] < r.min) r.min = x[i];
        if (x[i] > r.max) r.max = x[i];
    }
    return r;
}

/* Sums, products, min and max take their extremes at the corners; so does a quotient by divisors of one
 * sign. */
static range range_over(rg_dim_op op, range a, range b)
{
    if ((op == RG_DIM_DIV || op == RG_DIM_CEIL) && b.min <= 0) {
        int64_t most = a.max > -a.min ? a.max : -a.min;
        return (range){floored(-most), most};
    }
    return hull(op, a, b);
}

/* ---- the table ---- */

/* An id is counted from INT64_MIN up: the numbers begin far above. */
static uint32_t index_of(rg_dim d) { return (uint32_t)(d - INT64_MIN); }

static const rg_dim_expr *expr_at(const rg_dims *dims, rg_dim d)
{
    assert(!rg_dim_is_number(d) && index_of(d) < dims->count);
    return &dims->exprs[index_of(d)];
}

const rg_dim_expr *rg_dim_expr_of(const rg_dims *dims, rg_dim d)
{
    return rg_dim_is_number(d) ? NULL : expr_at(dims, d);
}

int64_t rg_dim_value(const rg_dims *dims, rg_dim d)
{
    return rg_dim_is_number(d) ? d : expr_at(dims, d)->preset;
}

uint64_t rg_dim_hash(const rg_dims *dims, rg_dim d)
{
    return rg_dim_is_number(d) ? rg_hash_u64(RG_HASH_SEED, (uint64_t)d) : expr_at(dims, d)->hash;
}

static bool is_op(const rg_dims *dims, rg_dim d, rg_dim_op op)
{
    return !rg_dim_is_number(d) && expr_at(dims, d)->op == op;
}

static range range_of(const rg_dims *dims, rg_dim d)
{
    const rg_dim_expr *e = rg_dim_expr_of(dims, d);
    return e ? (range){e->min, e->max} : (range){d, d};
}

/* Operands by id, symbols by name: what sharing asks. */
static uint64_t slot_hash(const rg_dim_expr *e)
{
    if (e->op == RG_DIM_SYMBOL) return rg_hash_str(RG_HASH_SEED, e->name);
    return rg_hash_u64(rg_hash_u64(rg_hash_u64(RG_HASH_SEED, (uint64_t)e->op), (uint64_t)e->a),
                       (uint64_t)e->b);
}

static bool same(const rg_dim_expr *x, const rg_dim_expr *y)
{
    if (x->op != y->op) return false;
    return x->op == RG_DIM_SYMBOL ? rg_str_eq(x->name, y->name) : x->a == y->a && x->b == y->b;
}

/* The slot of an equal expression, or the free one where it would go. Slots hold index + 1. */
static uint32_t *slot_of(const rg_dims *dims, const rg_dim_expr *e)
{
    uint32_t mask = dims->slot_count - 1, i = (uint32_t)slot_hash(e) & mask;
    while (dims->slots[i] && !same(&dims->exprs[dims->slots[i] - 1], e)) i = (i + 1) & mask;
    return &dims->slots[i];
}

/* At most half full. */
static bool make_slots(rg_dims *dims, uint32_t count)
{
    uint32_t *slots = RG_NEW(dims->arena, uint32_t, count);
    if (!slots) return false;
    dims->slots = slots;
    dims->slot_count = count;
    for (uint32_t i = 0; i < dims->count; i++) *slot_of(dims, &dims->exprs[i]) = i + 1;
    return true;
}

static rg_dim give_up(rg_dims *dims, int64_t value)
{
    dims->failed = true;
    return value;
}

/* The shared copy of an expression whose range, preset and hash are filled in. */
static rg_dim intern(rg_dims *dims, const rg_dim_expr *e)
{
    if (dims->slot_count < 2 * (dims->count + 1) &&
        !make_slots(dims, dims->slot_count ? dims->slot_count * 2 : SLOT_MIN))
        return give_up(dims, e->preset);
    uint32_t *slot = slot_of(dims, e);
    if (!*slot) {
        rg_dim_expr *exprs = dims->count < RG_DIM_EXPR_MAX ? dims->exprs : NULL;
        if (dims->count >= RG_DIM_EXPR_MAX || !RG_GROW(dims->arena, exprs, dims->count, dims->capacity))
            return give_up(dims, e->preset);
        dims->exprs = exprs;
        exprs[dims->count] = *e;
        *slot = ++dims->count;
    }
    return INT64_MIN + (int64_t)(*slot - 1);
}

/* The expression as it stands; a quotient may be a number, when the ranges leave no choice. */
static rg_dim make_plain(rg_dims *dims, rg_dim_op op, rg_dim a, rg_dim b)
{
    if (rg_dim_is_number(a) && rg_dim_is_number(b)) return apply(op, a, b);
    range r = range_over(op, range_of(dims, a), range_of(dims, b));
    bool is_quotient = op == RG_DIM_DIV || op == RG_DIM_CEIL;
    if (is_quotient && r.min == r.max && r.min > RG_DIM_FIRST && r.max < INT64_MAX) return r.min;
    rg_dim_expr e = {.op = op, .a = a, .b = b, .min = r.min, .max = r.max};
    e.preset = clamp(apply(op, rg_dim_value(dims, a), rg_dim_value(dims, b)), r.min, r.max);
    e.hash = rg_hash_u64(rg_hash_u64(rg_hash_u64(RG_HASH_SEED, (uint64_t)op), rg_dim_hash(dims, a)),
                         rg_dim_hash(dims, b));
    return intern(dims, &e);
}

rg_dim rg_dim_symbol(rg_dims *dims, rg_str name, int64_t min, int64_t max, int64_t preset)
{
    if (min < RG_DIM_FIRST) min = RG_DIM_FIRST;
    if (max < min) max = min;
    rg_dim_expr e = {.op = RG_DIM_SYMBOL, .name = name, .min = min, .max = max};
    e.preset = clamp(preset, min, max);
    if (dims->slot_count && *slot_of(dims, &e)) return intern(dims, &e);
    e.name = rg_arena_str(dims->arena, name);
    if (!e.name.data) return give_up(dims, e.preset);
    e.hash = rg_hash_str(RG_HASH_SEED, name);
    e.hash = rg_hash_u64(rg_hash_u64(rg_hash_u64(e.hash, (uint64_t)min), (uint64_t)max), (uint64_t)e.preset);
    return intern(dims, &e);
}

rg_dim rg_dim_fresh(rg_dims *dims, int64_t min, int64_t max, int64_t preset)
{
    uint32_t before = dims->count;
    rg_dim d = preset;
    while (dims->count == before && !dims->failed) { /* a file may have a u0 of its own */
        char name[16];
        int size = snprintf(name, sizeof name, "u%u", dims->fresh++);
        d = rg_dim_symbol(dims, (rg_str){name, (size_t)size}, min, max, preset);
    }
    if (dims->count > before) dims->exprs[before].run_time = true;
    return d;
}

bool rg_dims_copy(rg_dims *to, const rg_dims *from)
{
    *to = (rg_dims){.arena = to->arena, .fresh = from->fresh, .failed = from->failed};
    if (!from->count) return true;
    to->exprs = RG_NEW(to->arena, rg_dim_expr, from->capacity);
    to->slots = RG_NEW(to->arena, uint32_t, from->slot_count);
    if (!to->exprs || !to->slots) return false;
    memcpy(to->exprs, from->exprs, from->count * sizeof *from->exprs);
    memcpy(to->slots, from->slots, from->slot_count * sizeof *from->slots);
    to->count = from->count;
    to->capacity = from->capacity;
    to->slot_count = from->slot_count;
    return true;
}

/* ---- products ---- */

/* The one order of factors, terms and alternatives, the same in every table: symbols by name, then the rest
 * by hash, then numbers (among factors and terms only after the memory ran out). */
static int compare(const rg_dims *dims, rg_dim x, rg_dim y)
{
    bool x_number = rg_dim_is_number(x), y_number = rg_dim_is_number(y);
    if (x == y || x_number || y_number) return x_number - y_number;
    const rg_dim_expr *a = expr_at(dims, x), *b = expr_at(dims, y);
    bool a_symbol = a->op == RG_DIM_SYMBOL, b_symbol = b->op == RG_DIM_SYMBOL;
    if (a_symbol != b_symbol) return a_symbol ? -1 : 1;
    if (a_symbol) return rg_str_cmp(a->name, b->name);
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return x < y ? -1 : 1;
}

static product product_of(const rg_dims *dims, rg_dim d)
{
    product p = {.coef = 1};
    if (rg_dim_is_number(d)) {
        p.coef = d;
        return p;
    }
    const rg_dim_expr *e = expr_at(dims, d);
    if (e->op == RG_DIM_MUL && rg_dim_is_number(e->b)) p.coef = e->b, d = e->a;
    rg_dim rest = d;
    for (; is_op(dims, rest, RG_DIM_MUL) && p.count < FACTOR_MAX - 1; rest = expr_at(dims, rest)->a)
        p.factor[p.count++] = expr_at(dims, rest)->b;
    p.factor[p.count++] = rest;
    if (is_op(dims, rest, RG_DIM_MUL)) p.factor[0] = d, p.count = 1; /* too long: one opaque factor */
    for (int i = 0; i < p.count / 2; i++) {
        rg_dim swap = p.factor[i];
        p.factor[i] = p.factor[p.count - 1 - i];
        p.factor[p.count - 1 - i] = swap;
    }
    return p;
}

static rg_dim make_product(rg_dims *dims, const product *p)
{
    if (p->coef == 0 || p->count == 0) return p->coef;
    rg_dim d = p->factor[0];
    for (int i = 1; i < p->count; i++) d = make_plain(dims, RG_DIM_MUL, d, p->factor[i]);
    return p->coef == 1 ? d : make_plain(dims, RG_DIM_MUL, d, p->coef);
}

static rg_dim multiply(rg_dims *dims, rg_dim a, rg_dim b)
{
    product p = product_of(dims, a), q = product_of(dims, b);
    int64_t coef = mul(p.coef, q.coef);
    if (p.count + q.count > FACTOR_MAX) {
        p.coef = q.coef = 1;
        rg_dim d = make_plain(dims, RG_DIM_MUL, make_product(dims, &p), make_product(dims, &q));
        return coef == 1 ? d : make_plain(dims, RG_DIM_MUL, d, coef);
    }
    for (int i = 0; i < q.count; i++) {
        int at = p.count++;
        for (; at > 0 && compare(dims, p.factor[at - 1], q.factor[i]) > 0; at--)
            p.factor[at] = p.factor[at - 1];
        p.factor[at] = q.factor[i];
    }
    p.coef = coef;
    return make_product(dims, &p);
}

static bool remove_factor(product *p, rg_dim factor)
{
    for (int i = 0; i < p->count; i++) {
        if (p->factor[i] != factor) continue;
        memmove(&p->factor[i], &p->factor[i + 1], (size_t)(--p->count - i) * sizeof factor);
        return true;
    }
    return false;
}

/* Moves the factors that both have out of both. */
static product take_common(product *p, product *q)
{
    product common = {.coef = 1};
    for (int i = 0; i < p->count;) {
        rg_dim factor = p->factor[i];
        if (!remove_factor(q, factor)) {
            i++;
            continue;
        }
        remove_factor(p, factor);
        common.factor[common.count++] = factor;
    }
    return common;
}

/* ---- sums ---- */

static void add_term(const rg_dims *dims, sum *s, int64_t coef, rg_dim mono)
{
    int at = 0;
    if (rg_dim_is_number(mono)) {
        s->number = add(s->number, mul(coef, mono));
        return;
    }
    while (at < s->count && compare(dims, s->terms[at].mono, mono) < 0) at++;
    if (at < s->count && s->terms[at].mono == mono) {
        s->terms[at].coef = add(s->terms[at].coef, coef);
        if (s->terms[at].coef == 0)
            memmove(&s->terms[at], &s->terms[at + 1], (size_t)(--s->count - at) * sizeof s->terms[0]);
        return;
    }
    s->full |= s->count == TERM_MAX;
    if (s->full) return;
    memmove(&s->terms[at + 1], &s->terms[at], (size_t)(s->count++ - at) * sizeof s->terms[0]);
    s->terms[at] = (term){coef, mono};
}

/* The only sum among the factors, if it is short enough to be multiplied out; 0 for none. */
static rg_dim lone_sum(const rg_dims *dims, const product *p)
{
    rg_dim found = 0, rest;
    int sums = 0, terms = 0;
    for (int i = 0; i < p->count; i++)
        if (is_op(dims, p->factor[i], RG_DIM_ADD)) found = p->factor[i], sums++;
    if (sums != 1) return 0;
    for (rest = found; is_op(dims, rest, RG_DIM_ADD); rest = expr_at(dims, rest)->a)
        if (++terms > TERM_MAX) return 0;
    return found;
}

/* s += scale * d, as terms: c*x*(y+1) adds c*x*y and c*x. */
static void add_scaled(rg_dims *dims, sum *s, rg_dim d, int64_t scale)
{
    product p = product_of(dims, d);
    int64_t coef = mul(p.coef, scale);
    rg_dim inner = lone_sum(dims, &p);
    p.coef = 1;
    if (!inner) {
        add_term(dims, s, coef, make_product(dims, &p));
        return;
    }
    remove_factor(&p, inner);
    rg_dim outer = make_product(dims, &p);
    while (inner) {
        bool more = is_op(dims, inner, RG_DIM_ADD);
        rg_dim last = more ? expr_at(dims, inner)->b : inner;
        product t = product_of(dims, last);
        int64_t t_coef = t.coef;
        t.coef = 1;
        add_term(dims, s, mul(coef, t_coef), multiply(dims, outer, make_product(dims, &t)));
        inner = more ? expr_at(dims, inner)->a : 0;
    }
}

/* Number and factors common to all terms stand outside; the first term inside is positive. */
static rg_dim make_sum(rg_dims *dims, const sum *s)
{
    if (s->count == 0) return s->number;
    product common = product_of(dims, s->terms[0].mono);
    int64_t divisor = s->number;
    if (s->number) common.count = 0;
    for (int i = 0; i < s->count; i++) {
        product p = product_of(dims, s->terms[i].mono);
        common = take_common(&common, &p);
        divisor = gcd(divisor, s->terms[i].coef);
    }
    sum inside = {.number = s->number / divisor};
    for (int i = 0; i < s->count; i++) {
        product p = product_of(dims, s->terms[i].mono), outside = common;
        take_common(&p, &outside);
        add_term(dims, &inside, s->terms[i].coef / divisor, make_product(dims, &p));
    }
    int64_t sign = (inside.count ? inside.terms[0].coef : inside.number) < 0 ? -1 : 1;
    rg_dim d = 0;
    for (int i = 0; i < inside.count; i++) {
        rg_dim t = multiply(dims, inside.terms[i].mono, sign * inside.terms[i].coef);
        d = i ? make_plain(dims, RG_DIM_ADD, d, t) : t;
    }
    if (!inside.count) d = sign * inside.number;
    else if (inside.number) d = make_plain(dims, RG_DIM_ADD, d, sign * inside.number);
    common.coef = sign * divisor;
    return multiply(dims, make_product(dims, &common), d);
}

static rg_dim sum_of_two(rg_dims *dims, rg_dim a, rg_dim b, int64_t scale)
{
    sum s = {0};
    add_scaled(dims, &s, a, 1);
    add_scaled(dims, &s, b, scale);
    return s.full ? make_plain(dims, RG_DIM_ADD, a, multiply(dims, b, scale)) : make_sum(dims, &s);
}

/* ---- quotients ---- */

/* floor(s / divisor), divisor > 0. With g the divisor of all that does not divide, floor((g*x + n) / (g*d))
 * is floor((x + floor(n/g)) / d); and floor((floor(z/n) + r) / d) = floor((z + n*r) / (n*d)). */
static rg_dim floor_by(rg_dims *dims, const sum *s, int64_t divisor)
{
    sum whole = {.number = floor_div(s->number, divisor)}, part = {0};
    int64_t rest = s->number % divisor, common = divisor, joined, shift;
    if (rest < 0) rest += divisor;
    for (int i = 0; i < s->count; i++) {
        bool divides = s->terms[i].coef % divisor == 0;
        if (divides) add_term(dims, &whole, s->terms[i].coef / divisor, s->terms[i].mono);
        else part.terms[part.count++] = s->terms[i], common = gcd(common, s->terms[i].coef);
    }
    rg_dim taken = make_sum(dims, &whole);
    if (!part.count) return taken;
    for (int i = 0; i < part.count; i++) part.terms[i].coef /= common;
    rest /= common;
    divisor /= common;
    if (part.count == 1 && part.terms[0].coef == 1) {
        const rg_dim_expr e = *expr_at(dims, part.terms[0].mono);
        bool nested = (e.op == RG_DIM_DIV || e.op == RG_DIM_CEIL) && rg_dim_is_number(e.b) && e.b > 0;
        if (nested && !__builtin_mul_overflow(e.b, divisor, &joined) &&
            !__builtin_mul_overflow(e.b, rest, &shift)) {
            sum inner = {.number = add(shift, e.op == RG_DIM_CEIL ? e.b - 1 : 0)};
            add_scaled(dims, &inner, e.a, 1);
            if (!inner.full) return sum_of_two(dims, taken, floor_by(dims, &inner, joined), 1);
        }
    }
    rg_dim_op op = rest == divisor - 1 ? RG_DIM_CEIL : RG_DIM_DIV;
    if (op == RG_DIM_DIV) part.number = rest;
    return sum_of_two(dims, taken, make_plain(dims, op, make_sum(dims, &part), divisor), 1);
}

static rg_dim divide(rg_dims *dims, rg_dim_op op, rg_dim a, rg_dim b)
{
    product p = product_of(dims, a), q = product_of(dims, b);
    if (p.coef == 0 || q.coef == 0) return 0;
    int64_t common = gcd(p.coef, q.coef) * (q.coef < 0 ? -1 : 1);
    p.coef /= common;
    q.coef /= common;
    take_common(&p, &q);
    a = make_product(dims, &p);
    b = make_product(dims, &q);
    if (b == 1) return a;
    sum s = {0}, whole = {0}, part = {0};
    add_scaled(dims, &s, a, 1);
    if (s.full || (rg_dim_is_number(a) && rg_dim_is_number(b))) return make_plain(dims, op, a, b);
    if (rg_dim_is_number(b)) {
        if (op == RG_DIM_CEIL) s.number = add(s.number, b - 1);
        return floor_by(dims, &s, b);
    }
    part.number = s.number;
    for (int i = 0; i < s.count; i++) { /* whole multiples of a symbolic divisor leave the quotient */
        product t = product_of(dims, s.terms[i].mono), divisor = q;
        take_common(&t, &divisor);
        bool divides = divisor.count == 0 && s.terms[i].coef % q.coef == 0;
        if (divides) add_term(dims, &whole, s.terms[i].coef / q.coef, make_product(dims, &t));
        else add_term(dims, &part, s.terms[i].coef, s.terms[i].mono);
    }
    if (!whole.count && !whole.number) return make_plain(dims, op, a, b);
    return sum_of_two(dims, make_sum(dims, &whole), divide(dims, op, make_sum(dims, &part), b), 1);
}

/* ---- min and max ---- */

/* True when x never decides max(x, y), or min(x, y), beside y. */
static bool is_beaten(const rg_dims *dims, rg_dim_op op, rg_dim x, rg_dim y)
{
    range a = range_of(dims, x), b = range_of(dims, y);
    return x == y || (op == RG_DIM_MAX ? b.min >= a.max : b.max <= a.min);
}

/* Puts d, or the alternatives that d is made of, among the sorted ones that may decide. False: no room. */
static bool add_choice(const rg_dims *dims, rg_dim_op op, rg_dim d, rg_dim *list, int *count)
{
    for (bool more = true; more;) {
        more = is_op(dims, d, op);
        rg_dim x = more ? expr_at(dims, d)->b : d;
        int kept = 0;
        bool beaten = false;
        for (int i = 0; i < *count && !beaten; i++) beaten = is_beaten(dims, op, x, list[i]);
        if (!beaten) {
            for (int i = 0; i < *count; i++)
                if (!is_beaten(dims, op, list[i], x)) list[kept++] = list[i];
            if (kept == TERM_MAX) return false;
            for (*count = ++kept; --kept > 0 && compare(dims, list[kept - 1], x) > 0;)
                list[kept] = list[kept - 1];
            list[kept] = x;
        }
        if (more) d = expr_at(dims, d)->a;
    }
    return true;
}

static rg_dim choose(rg_dims *dims, rg_dim_op op, rg_dim a, rg_dim b)
{
    rg_dim list[TERM_MAX];
    int count = 0;
    if (!add_choice(dims, op, a, list, &count) || !add_choice(dims, op, b, list, &count))
        return make_plain(dims, op, a, b);
    rg_dim d = list[0];
    for (int i = 1; i < count; i++) d = make_plain(dims, op, d, list[i]);
    return d;
}

rg_dim rg_dim_make(rg_dims *dims, rg_dim_op op, rg_dim a, rg_dim b)
{
    if (rg_dim_is_number(a) && rg_dim_is_number(b)) return apply(op, a, b);
    switch (op) {
    case RG_DIM_ADD: return sum_of_two(dims, a, b, 1);
    case RG_DIM_SUB: return sum_of_two(dims, a, b, -1);
    case RG_DIM_MUL: return multiply(dims, a, b);
    case RG_DIM_DIV: case RG_DIM_CEIL: return divide(dims, op, a, b);
    case RG_DIM_MIN: case RG_DIM_MAX: return choose(dims, op, a, b);
    case RG_DIM_SYMBOL: break;
    }
    assert(!"symbols are made by rg_dim_symbol");
    return 0;
}
