/* tfidf.c - TfIdfVectorizer: n-grams of a pool counted in rows of integers or strings, and weighed.
 *
 * An n-gram takes n elements that lie 1 + skip apart, for every skip up to the most that is allowed; a single
 * element has nothing to skip. In column c, of n-gram g with weight w:
 *
 *     TF   y = occurrences        IDF   y = w if there are any        TFIDF   y = occurrences * w
 */
#include "op/kernel.h"
#include "op/share.h"

static const rg_attr_spec attrs[] = {
    {"max_gram_length", RG_ATTR_INT, NULL, true, "longest n-gram counted"},
    {"max_skip_count", RG_ATTR_INT, NULL, true, "elements that may be skipped inside an n-gram"},
    {"min_gram_length", RG_ATTR_INT, NULL, true, "shortest n-gram counted"},
    {"mode", RG_ATTR_STRING, NULL, true, "TF counts, IDF weighs what occurs, TFIDF weighs counts"},
    {"ngram_counts", RG_ATTR_INTS, NULL, true, "where the n-grams of every length begin in the pool"},
    {"ngram_indexes", RG_ATTR_INTS, NULL, true, "column of every n-gram"},
    {"pool_int64s", RG_ATTR_INTS, NULL, false, "the n-grams, when they are integers"},
    {"pool_strings", RG_ATTR_STRINGS, NULL, false, "the n-grams, when they are strings"},
    {"weights", RG_ATTR_FLOATS, NULL, false, "weight of every n-gram"},
};
static const rg_case cases[] = {
    {"i32[batch,6]", "max_gram_length=2 max_skip_count=0 min_gram_length=2 mode=\"TF\" ngram_counts=0,4 "
     "ngram_indexes=0,1,2,3,4,5,6 pool_int64s=2,3,5,4,5,6,7,8,6,7", "f32[batch,7]"},
};

/* A column for every index, so one more than the largest. */
static rg_err infer(const rg_site *s)
{
    uint32_t count;
    const int64_t *index = rg_op_ints(s, "ngram_indexes", &count);
    rg_type type = rg_type_like(s, 0, RG_F32);
    int64_t shortest = rg_op_int(s, "min_gram_length"), longest = rg_op_int(s, "max_gram_length");
    int64_t skips = rg_op_int(s, "max_skip_count"), most = -1;

    RG_TRY(rg_need_rank(s, 0, 1, 2));
    if (shortest > longest || skips < 0)
        return rg_site_fail(s, RG_FORMAT, "n-grams of length %lld to %lld with up to %lld skips",
                            (long long)shortest, (long long)longest, (long long)skips);
    for (uint32_t i = 0; i < count; i++) most = index[i] > most ? index[i] : most;
    if (most >= INT32_MAX)
        return rg_site_fail(s, RG_LIMIT, "column %lld, at most %d", (long long)most, INT32_MAX - 1);
    type.dim[type.rank - 1] = most + 1;
    rg_set_out(s, 0, type);
    return RG_OK;
}

/* Every n-gram length and skip count is a walk over the input. */
static void work(const rg_site *s, rg_work *w)
{
    double lengths = (double)rg_op_int(s, "max_gram_length") - (double)rg_op_int(s, "min_gram_length") + 1;

    w->family = RG_FAMILY_OTHER;
    w->flop = rg_in_count(s, 0) * lengths * ((double)rg_op_int(s, "max_skip_count") + 1);
}

/* ---- the kernel ---- */

/* The n-grams of one length in the pool: elements first .. first + count * length, which are n-grams
 * `id`... */
typedef struct pool { const int64_t *ints; const rg_str *strings; int64_t length, first, count, id; } pool;

/* Finds n-grams of this length; `p->id` is where those of the length before ended. */
static rg_err find_pool(const rg_run *r, int64_t length, pool *p)
{
    uint32_t counts, ids;
    const rg_attr *ints = rg_node_attr(r->site.node, "pool_int64s");
    const rg_attr *strings = rg_node_attr(r->site.node, "pool_strings");
    const rg_attr *list = rg_arg(r, 0)->dtype == RG_STR ? strings : ints;
    const int64_t *starts = rg_op_ints(&r->site, "ngram_counts", &counts);

    rg_op_ints(&r->site, "ngram_indexes", &ids);
    if (!list) return rg_run_fail(r, RG_FORMAT, "its pool does not hold what its input is");
    p->ints = list == ints ? list->ints : NULL;
    p->strings = list == strings ? list->strings : NULL;
    p->id += p->count;
    p->length = length;
    p->first = starts[length - 1];
    int64_t end = length < (int64_t)counts ? starts[length] : list->count;
    if (p->first < 0 || p->first > end || end > (int64_t)list->count || (end - p->first) % length != 0)
        return rg_run_fail(r, RG_FORMAT, "n-grams of length %lld are elements %lld to %lld of a pool of %u",
                           (long long)length, (long long)p->first, (long long)end, list->count);
    p->count = (end - p->first) / length;
    if (p->id + p->count > (int64_t)ids)
        return rg_run_fail(r, RG_FORMAT, "%lld n-grams have %u columns", (long long)(p->id + p->count), ids);
    return RG_OK;
}

static bool is_gram(const pool *p, int64_t gram, const rg_array *x, int64_t at, int64_t step)
{
    for (int64_t k = 0; k < p->length; k++) {
        int64_t in_pool = p->first + gram * p->length + k, in_x = at + k * step;
        bool same = p->strings ? rg_str_eq(p->strings[in_pool], rg_get_str(x, in_x))
                               : p->ints[in_pool] == rg_get_int(x, in_x);
        if (!same) return false;
    }
    return true;
}

/* Counts the n-grams of the pool in one row of x; count[i] of the i-th n-gram of all. */
static void count_grams(const pool *p, const rg_array *x, int64_t row, int64_t size, int64_t skips,
                        double *count)
{
    for (int64_t step = 1; step - 1 <= skips && (step == 1 || p->length > 1); step++) {
        if (p->length > 1 && (size - 1) / (p->length - 1) < step) break; /* longer than the row */
        int64_t span = (p->length - 1) * step;
        for (int64_t at = 0; at + span < size; at++)
            for (int64_t g = 0; g < p->count; g++)
                count[p->id + g] += is_gram(p, g, x, row * size + at, step);
    }
}

static rg_err weigh(const rg_run *r, const double *count, uint32_t grams, const rg_array *y, int64_t row)
{
    const rg_attr *weights = rg_node_attr(r->site.node, "weights");
    uint32_t ids;
    const int64_t *columns = rg_op_ints(&r->site, "ngram_indexes", &ids);
    rg_str mode = rg_op_str(&r->site, "mode");
    bool counts = !rg_str_is(mode, "IDF"), weighs = !rg_str_is(mode, "TF");

    if (weights && weights->count < grams)
        return rg_run_fail(r, RG_FORMAT, "%u weights for %u n-grams", weights->count, grams);
    for (uint32_t i = 0; i < grams; i++) {
        int64_t to = row * y->dim[y->rank - 1] + columns[i];
        double w = weighs && weights ? weights->floats[i] : 1;
        if (columns[i] < 0)
            return rg_run_fail(r, RG_FORMAT, "n-gram %u has column %lld", i, (long long)columns[i]);
        rg_put(y, to, rg_get(y, to) + w * (counts ? count[i] : count[i] > 0));
    }
    return RG_OK;
}

static rg_err run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    int64_t longest = rg_op_int(&r->site, "max_gram_length"),
            shortest = rg_op_int(&r->site, "min_gram_length");
    int64_t size = x->dim[x->rank - 1], rows = x->rank == 2 ? x->dim[0] : 1;
    uint32_t grams, lengths;

    rg_op_ints(&r->site, "ngram_indexes", &grams);
    rg_op_ints(&r->site, "ngram_counts", &lengths); /* no n-gram of the pool is longer */
    double *count = RG_NEW(r->scratch, double, grams);
    if (!count) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < y->count; i++) rg_put(y, i, 0);
    for (int64_t row = 0; row < rows; row++) {
        pool p = {0};
        for (uint32_t i = 0; i < grams; i++) count[i] = 0;
        for (int64_t n = 1; n <= longest && n <= (int64_t)lengths; n++) {
            RG_TRY(find_pool(r, n, &p));
            if (n >= shortest) count_grams(&p, x, row, size, rg_op_int(&r->site, "max_skip_count"), count);
        }
        RG_TRY(weigh(r, count, grams, y, row));
    }
    return RG_OK;
}

RG_OP(tfidfvectorizer) = {
    .name = "TfIdfVectorizer", .brief = "n-grams counted and weighed", .since = 9,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run,
};
