/* einsum.c - Einsum: "bhid,bhjd->bhij" names the axes of each operand; letters not in the output are
 * summed.
 *
 * Work: operands are taken from left to right, two at a time, as the usual implementations do. A step whose
 * operands share a letter that is not needed later is a contraction: as many multiply-accumulates as the
 * product of all its letters' sizes. Any other step is a broadcast product.
 *
 * The kernel walks the output's axes, and for each element all those summed over, at once: the definition.
 *
 * "..." stands for any number of broadcast axes; they get labels of their own, counted from the last, so
 * that the rest of this file sees labels only.
 */
#include "op/kernel.h"
#include "op/share.h"

#include <string.h>

enum {
    OPERAND_MAX = 64,
    LETTERS = 52,
    LABELS = LETTERS + RG_RANK_MAX, /* letters, then the axes of "...", the last axis first */
};

/* Axes of one operand or of the output, as labels. */
typedef struct term { int rank; unsigned char label[RG_RANK_MAX]; } term;

typedef struct equation {
    uint32_t count;
    term in[OPERAND_MAX], out;
    rg_dim size[LABELS];
    unsigned char uses[LABELS]; /* operands' axes that carry the label; 0: not in the equation */
} equation;

static const rg_attr_spec attrs[] = {
    {"equation", RG_ATTR_STRING, NULL, true, "axes of each operand, then -> and those of the output"},
};

static const rg_case cases[] = {
    {"f32[2,12,64,32] f32[2,12,48,32]", "equation=\"bhid,bhjd->bhij\"", "f32[2,12,64,48]"},
    {"f32[3,4]", "equation=\"ij->ji\"", "f32[4,3]"},
    {"f32[3,4]", "equation=\"ij->i\"", "f32[3]"},
    {"f32[3,3]", "equation=\"ii->i\"", "f32[3]"},
    {"f32[5] f32[5]", "equation=\"i,i\"", "f32[]"},
    {"f32[5,2,3] f32[5,3,4]", "equation=\"...ij,...jk->...ik\"", "f32[5,2,4]"},
    {"f32[n,8] f32[8,16] f32[16,4]", "equation=\"ab,bc,cd->ad\"", "f32[n,4]"},
    {"f32[2,3]", "equation=\"ba\"", "f32[3,2]"},
};

static int letter(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    return c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1;
}

/* Labels of one term. `dots`: how many axes "..." stands for, -1 when the term must not have it. */
static rg_err parse_term(const rg_site *s, rg_str text, int dots, term *out)
{
    out->rank = 0;
    for (size_t i = 0; i < text.size; i++) {
        bool is_dots = text.size - i >= 3 && memcmp(text.data + i, "...", 3) == 0;
        int count = is_dots ? dots : 1;
        if (text.data[i] == ' ') continue;
        if (count < 0 || (!is_dots && letter(text.data[i]) < 0))
            return rg_site_fail(s, RG_FORMAT, "equation: '%.*s' is not a list of axes", RG_STR(text));
        if (out->rank + count > RG_RANK_MAX)
            return rg_site_fail(s, RG_LIMIT, "equation: '%.*s' has more than %d axes", RG_STR(text),
                                RG_RANK_MAX);
        for (int k = count - 1; k >= 0; k--)
            out->label[out->rank++] = (unsigned char)(is_dots ? LETTERS + k : letter(text.data[i]));
        if (is_dots) {
            i += 2;
            dots = -1;
        }
    }
    return RG_OK;
}

/* Axes that "..." of this term stands for; -1 when it has none or stands for a negative number. */
static int dots_of(rg_str text, int rank)
{
    int letters = 0;
    bool has = false;
    for (size_t i = 0; i < text.size; i++) {
        letters += letter(text.data[i]) >= 0;
        has = has || text.data[i] == '.';
    }
    return has && rank >= letters ? rank - letters : -1;
}

static rg_err parse_operand(const rg_site *s, rg_str text, uint32_t i, equation *e)
{
    RG_TRY(rg_need_rank(s, i, 0, -1));
    const rg_type *x = rg_in_type(s, i);
    term *t = &e->in[i];
    RG_TRY(parse_term(s, text, dots_of(text, x->rank), t));
    if (t->rank != x->rank)
        return rg_site_fail(s, RG_SHAPE, "equation: '%.*s' has %d axes, operand %u has rank %d", RG_STR(text),
                            t->rank, i, x->rank);
    for (int k = 0; k < t->rank; k++) {
        int label = t->label[k];
        if (e->uses[label] == 0 || e->size[label] == 1)
            e->size[label] = x->dim[k];
        else if (x->dim[k] != 1)
            RG_TRY(rg_need_equal(s, "equation: sizes of one letter", e->size[label], x->dim[k],
                                 &e->size[label]));
        e->uses[label] += e->uses[label] < 2;
    }
    return RG_OK;
}

/* Without "->": the broadcast axes, then every letter that stands once, in the order of the alphabet. */
static rg_err implied_out(const rg_site *s, equation *e)
{
    for (int label = LABELS - 1; label >= LETTERS; label--)
        if (e->uses[label] && e->out.rank < RG_RANK_MAX)
            e->out.label[e->out.rank++] = (unsigned char)label;
    for (int label = 0; label < LETTERS; label++) {
        if (e->uses[label] != 1) continue;
        if (e->out.rank == RG_RANK_MAX)
            return rg_site_fail(s, RG_LIMIT, "equation: the output has more than %d axes", RG_RANK_MAX);
        e->out.label[e->out.rank++] = (unsigned char)label;
    }
    return RG_OK;
}

static rg_err parse_out(const rg_site *s, rg_str text, equation *e)
{
    int dots = 0;
    while (dots < RG_RANK_MAX && e->uses[LETTERS + dots]) dots++;
    RG_TRY(parse_term(s, text, dots, &e->out));
    for (int k = 0; k < e->out.rank; k++) {
        if (!e->uses[e->out.label[k]])
            return rg_site_fail(s, RG_FORMAT, "equation: an axis of '%.*s' is in no operand", RG_STR(text));
        if (memchr(e->out.label, e->out.label[k], (size_t)k))
            return rg_site_fail(s, RG_FORMAT, "equation: '%.*s' names an axis twice", RG_STR(text));
    }
    return RG_OK;
}

/* The text before and behind "->"; false when there is none. */
static bool split(rg_str text, rg_str *left, rg_str *right)
{
    *left = text;
    for (size_t i = 0; i + 1 < text.size; i++)
        if (text.data[i] == '-' && text.data[i + 1] == '>') {
            *left = (rg_str){text.data, i};
            *right = (rg_str){text.data + i + 2, text.size - i - 2};
            return true;
        }
    return false;
}

static rg_err parse(const rg_site *s, equation *e)
{
    rg_str left, right = {0}, part;
    bool has_out = split(rg_op_str(s, "equation"), &left, &right);
    uint32_t stated = 1;
    *e = (equation){.count = s->node->in_count};
    if (e->count > OPERAND_MAX)
        return rg_site_fail(s, RG_LIMIT, "%u operands, more than %d", e->count, OPERAND_MAX);
    for (size_t i = 0; i < left.size; i++) stated += left.data[i] == ',';
    if (stated != e->count)
        return rg_site_fail(s, RG_SHAPE, "equation: %u operands, the node has %u inputs", stated, e->count);
    for (uint32_t i = 0; i < e->count; i++) {
        if (!rg_str_cut(&left, ',', &part)) part = RG_LIT("");
        RG_TRY(parse_operand(s, part, i, e));
    }
    return has_out ? parse_out(s, right, e) : implied_out(s, e);
}

static rg_err infer(const rg_site *s)
{
    equation e;
    rg_dtype dtype;
    RG_TRY(rg_need_dtype(s, 0, s->node->in_count, &dtype));
    RG_TRY(parse(s, &e));
    rg_type out = rg_type_tensor(dtype, e.out.rank, NULL);
    for (int k = 0; k < e.out.rank; k++) out.dim[k] = e.size[e.out.label[k]];
    rg_set_out(s, 0, out);
    return RG_OK;
}

/* ---- work ---- */

typedef uint64_t label_set; /* bit per label */
_Static_assert(LABELS <= 64, "a set of labels is one word");

static label_set set_of(const term *t)
{
    label_set set = 0;
    for (int k = 0; k < t->rank; k++) set |= (label_set)1 << t->label[k];
    return set;
}

static double size_of(const rg_site *s, const equation *e, label_set set)
{
    double size = 1;
    for (int label = 0; label < LABELS; label++)
        if (set >> label & 1) size *= (double)rg_dim_value(&s->g->dims, e->size[label]);
    return size;
}

/* One step: labels of its operands, and those still needed afterwards. */
static void add_step(const rg_site *s, const equation *e, label_set a, label_set b, label_set keep,
                     rg_work *w)
{
    label_set both = a & b, summed = both & ~keep;
    double product = size_of(s, e, a | b);
    if (!summed) {
        w->flop += product;
        return;
    }
    w->family = RG_FAMILY_GEMM;
    w->mac += product;
    w->flop += 2 * product;
    w->batch = size_of(s, e, both & keep);
    w->m = size_of(s, e, a & ~b);
    w->n = size_of(s, e, b & ~a);
    w->k = size_of(s, e, summed);
}

static void work(const rg_site *s, rg_work *w)
{
    equation e;
    if (parse(s, &e) != RG_OK) /* inference has parsed the same text before */
        return;
    label_set out = set_of(&e.out), done = set_of(&e.in[0]);
    w->family = e.count > 1 ? RG_FAMILY_ELEMENTWISE : RG_FAMILY_MOVE;
    if (e.count == 1 && (done & ~out)) {
        w->family = RG_FAMILY_REDUCE;
        w->k = size_of(s, &e, done & ~out);
        w->flop = rg_in_count(s, 0);
    }
    for (uint32_t i = 1; i < e.count; i++) {
        label_set next = set_of(&e.in[i]), keep = out;
        for (uint32_t j = i + 1; j < e.count; j++) keep |= set_of(&e.in[j]);
        add_step(s, &e, done, next, keep, w);
        done = (done | next) & keep;
    }
    w->weight_in_b = e.count == 2 && rg_in_is_const(s, 1);
}

/* ---- kernel ---- */

typedef struct operand { const double *reals; const int64_t *integers; int64_t step[LABELS]; } operand;

typedef struct loops {
    uint32_t count;
    operand *in;
    int out_rank, sum_rank;
    int64_t dim[LABELS];             /* of the output's axes, then of those summed over */
} loops;

/* Steps of operand i along every loop; 0 along those that it lacks or is broadcast along. An axis named twice
 * is a diagonal: its steps add. */
static rg_err open_operand(const rg_run *r, const equation *e, const int *place, uint32_t i, operand *o)
{
    const rg_array *x = rg_arg(r, i);
    int64_t stride[RG_RANK_MAX];
    rg_array_strides(x, stride);
    for (int k = 0; k < x->rank; k++) {
        int label = e->in[i].label[k];
        if (x->dim[k] == e->size[label]) o->step[place[label]] += stride[k];
    }
    if (rg_dtype_is_int(x->dtype)) o->integers = rg_ints(r, x);
    else o->reals = rg_doubles(r, x);
    return o->integers || o->reals ? RG_OK : rg_nomem(r->site.cx);
}

static rg_err open_loops(const rg_run *r, loops *l)
{
    equation e;
    int place[LABELS];
    RG_TRY(parse(&r->site, &e));
    label_set out = set_of(&e.out);
    *l = (loops){.count = e.count, .in = RG_NEW(r->scratch, operand, e.count), .out_rank = e.out.rank};
    if (!l->in) return rg_nomem(r->site.cx);
    for (int k = 0; k < e.out.rank; k++) {
        place[e.out.label[k]] = k;
        l->dim[k] = e.size[e.out.label[k]];
    }
    for (int label = 0; label < LABELS; label++) {
        if (!e.uses[label] || out >> label & 1) continue;
        place[label] = l->out_rank + l->sum_rank++;
        l->dim[place[label]] = e.size[label];
    }
    for (uint32_t i = 0; i < l->count; i++) RG_TRY(open_operand(r, &e, place, i, &l->in[i]));
    return RG_OK;
}

/* One element of the output: sums of whole numbers wrap. */
static void sum_up(const loops *l, const rg_array *y, int64_t at, const int64_t *index)
{
    int64_t inner[LABELS] = {0};
    const int64_t *dim = l->dim + l->out_rank;
    double sum = 0;
    uint64_t whole = 0;
    bool integers = l->in[0].integers != NULL;
    for (int k = 0; k < l->sum_rank; k++)
        if (dim[k] == 0) return; /* y is zero already */
    do {
        double product = 1;
        uint64_t whole_product = 1;
        for (uint32_t i = 0; i < l->count; i++) {
            const operand *o = &l->in[i];
            int64_t from = rg_index_at(l->out_rank, index, o->step) +
                           rg_index_at(l->sum_rank, inner, o->step + l->out_rank);
            if (integers) whole_product *= (uint64_t)o->integers[from];
            else product *= o->reals[from];
        }
        sum += product;
        whole += whole_product;
    } while (rg_index_next(l->sum_rank, dim, inner));
    if (integers) rg_put_int(y, at, (int64_t)whole);
    else rg_put(y, at, sum);
}

static rg_err run(const rg_run *r)
{
    const rg_array *y = rg_result(r, 0);
    int64_t index[LABELS] = {0}, at = 0;
    loops l;
    RG_TRY(rg_need_numbers(r));
    RG_TRY(open_loops(r, &l));
    if (y->count == 0) return RG_OK;
    do sum_up(&l, y, at++, index);
    while (rg_index_next(l.out_rank, l.dim, index));
    return RG_OK;
}

RG_OP(einsum) = {
    .name = "Einsum", .brief = "sums of products by an equation over named axes", .since = 12,
    .in_min = 1, .in_max = -1, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run,
};
