/* teach.c - one key's trees: a member for each device that has rows enough, one for all of them, and the
 * mixture that does best on what was held out (teach_test.c).
 */
#include "learn/teaching.h"

#include "base/statistics.h"
#include "learn/line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOST_ROWS_LEAST = 20,  /* that wait for the host: to know it */
    PRODUCTS_LEAST = 5000, /* of a device, for trees of many leaves */
};

/* Rows that wait for a host take the same time whatever they do: half of them lie this close, as logarithms
 * (NeuSight: 0.01 to 0.21 of operators on rows; 0.8 and more of convolutions, which were taken for shorter
 * than they are). */
#define FLAT 0.4

/* Products of less than 32 bits: libraries have hundreds of kernels for them and choose by tables, of which
 * trees of many leaves remember more. */
static bool is_narrow_product(const rg_lesson *lesson)
{
    const char *type = strstr(lesson->key, ".gemm.");
    return type && strcmp(type, ".gemm.f32") != 0 && !strstr(type, ".power");
}

/* More rows bear more and finer trees. Of whole inferences few networks are known, each by many rows: what is
 * said of one that is not among them is best where each tree is small and sees half of the features (families
 * of timm held out). */
static rg_boost_opt options(const rg_lesson *lesson, size_t rows, bool pooled)
{
    if (lesson->of == RG_OF_WHOLE)
        return (rg_boost_opt){
            .rounds = rows < 300 ? 100 : 300, .depth = rows < 300 ? 3 : 4, .rate = 0.05,
            .leaf_weight = pooled ? 10 : 5, .rows = 0.7, .columns = 0.5, .seed = 1, .threads = 1,
        };
    if (!pooled && rows >= PRODUCTS_LEAST && is_narrow_product(lesson))
        return (rg_boost_opt){
            .rounds = 300, .depth = 16, .leaves = 255, .rate = 0.07, .leaf_weight = 2, .rows = 0.8,
            .columns = 0.5, .seed = 1, .threads = 1,
        };
    bool fine = !pooled && rows >= 20000; /* enough for shapes that only a fine tree tells apart */
    rg_boost_opt o = {
        .rounds = fine          ? 280
                  : rows < 300  ? 60
                  : rows < 3000 ? 120
                                : 200,
        .depth = fine          ? 7
                 : rows < 300  ? 3
                 : rows < 3000 ? 5
                               : 6,
        .rate = rows < 3000 ? 0.07 : 0.1,
        .leaf_weight = pooled        ? 20
                       : rows < 3000 ? 4
                                     : 8,
        .rows = 0.8,
        .columns = 0.7,
        .seed = 1,
        .threads = 1, /* keys may be taught side by side */
    };
    return o;
}

typedef struct weighed { float y, weight; } weighed;

static int by_value(const void *a, const void *b)
{
    float x = ((const weighed *)a)->y, y = ((const weighed *)b)->y;
    return (x > y) - (x < y);
}

/* Half of the weight lies on either side. */
static rg_err find_middle(rg_teaching *t, const rg_teach_set *s, double *out)
{
    weighed *rows = RG_NEW(&t->cx->arena, weighed, s->count + 1);
    double all = 0, below = 0;
    if (!rows) return rg_nomem(t->cx);
    for (size_t i = 0; i < s->count; i++) {
        rows[i] = (weighed){s->y[i], s->weight[i]};
        all += (double)s->weight[i];
    }
    qsort(rows, s->count, sizeof *rows, by_value);
    *out = 0;
    for (size_t i = 0; i < s->count && 2 * below < all; i++) {
        *out = (double)rows[i].y;
        below += (double)rows[i].weight;
    }
    return RG_OK;
}

rg_err rg_teach_member(rg_teaching *t, const rg_teach_set *s, bool pooled, rg_trees_member *out)
{
    rg_boost_opt o = options(t->lesson, s->count, pooled);
    rg_boost_data data = {s->x, s->y, s->weight, s->count, t->lesson->features};
    RG_TRY(rg_booster_train(t->cx, t->booster, &data, &o, &t->cx->arena, out));
    if (t->lesson->of == RG_OF_WHOLE) {
        RG_TRY(find_middle(t, s, &out->middle));
        out->slopes = RG_NEW(&t->cx->arena, double, t->lesson->features);
        if (!out->slopes) return rg_nomem(t->cx);
        out->slope_count = t->lesson->features;
        RG_TRY(rg_line_fit(t->cx, &data, out->slopes, &out->start));
    }
    out->rows = (int)s->count;
    return rg_trees_find_roots(t->cx, &t->cx->arena, out, t->lesson->features);
}

/* As it is written: one sum. */
static rg_err mix_line(rg_teaching *t, rg_trees_member *m)
{
    rg_tree_node *nodes = RG_NEW(&t->cx->arena, rg_tree_node, m->node_count + 1);
    if (!nodes) return rg_nomem(t->cx);
    for (int i = 0; i < m->node_count; i++) {
        nodes[i] = m->nodes[i];
        if (nodes[i].feature == RG_TREES_LEAF) nodes[i].value *= (float)(t->belief * (1 - t->line));
    }
    m->nodes = nodes;
    m->start = t->belief * t->line * m->start + (1 - t->belief) * m->middle;
    for (size_t i = 0; i < m->slope_count; i++) m->slopes[i] *= t->belief * t->line;
    if (t->line == 0) m->slope_count = 0;
    if (t->line == 1) m->node_count = 0, m->tree_count = 0;
    return RG_OK;
}

static rg_err name_member(rg_teaching *t, uint32_t device, rg_trees_member *m)
{
    const rg_device *d = device == RG_EVERY ? NULL : t->lessons->devices[device];
    m->device = d ? d->id : RG_TREES_ALL;
    m->architecture = d ? d->architecture : NULL;
    m->traits = d ? RG_NEW(&t->cx->arena, double, RG_TRAITS) : NULL;
    m->trait_count = d ? RG_TRAITS : 0;
    if (d && !m->traits) return rg_nomem(t->cx);
    if (d) rg_traits(d, m->traits);
    m->host = d ? t->hosts[device] : 0;
    return RG_OK;
}

static rg_err count_devices(rg_teaching *t)
{
    size_t all = t->lessons->device_count;
    if (all > RG_TEACH_DEVICES_MAX)
        return rg_fail(t->cx, RG_LIMIT, "%zu devices exceed %d", all, RG_TEACH_DEVICES_MAX);
    t->rows = RG_NEW(&t->cx->arena, size_t, all + 1);
    t->devices = RG_NEW(&t->cx->arena, uint32_t, all + 1);
    t->own = RG_NEW(&t->cx->arena, rg_trees_member *, all + 1);
    t->hosts = RG_NEW(&t->cx->arena, double, all + 1);
    if (!t->rows || !t->devices || !t->own || !t->hosts) return rg_nomem(t->cx);
    for (size_t i = 0; i < t->lesson->count; i++) t->rows[t->lesson->device[i]]++;
    for (uint32_t d = 0; d < all; d++)
        if (t->rows[d]) t->devices[t->device_count++] = d;
    return RG_OK;
}

/* Where rows of a device do not tell, its host is the middle of the others'. */
static rg_err assume_hosts(rg_teaching *t)
{
    double *known = RG_NEW(&t->cx->arena, double, t->device_count + 1);
    if (!known) return rg_nomem(t->cx);
    for (size_t i = 0; i < t->device_count; i++) known[i] = t->hosts[t->devices[i]];
    double middle = rg_host_middle(known, t->device_count);
    for (size_t i = 0; i < t->device_count; i++)
        if (t->hosts[t->devices[i]] <= 0) t->hosts[t->devices[i]] = middle;
    t->trees->hosts_apart = middle > 0;
    return RG_OK;
}

/* Of latencies of rows: the host of each device, from rows that wait for it, twice as long as for the device.
 */
static rg_err find_hosts(rg_teaching *t)
{
    static const char power[] = ".power";
    const rg_lesson *l = t->lesson;
    size_t size = strlen(l->key), tail = sizeof power - 1;
    if (l->of != RG_OF_ROW || (size >= tail && strcmp(l->key + size - tail, power) == 0)) return RG_OK;
    double *waited = RG_NEW(&t->cx->arena, double, l->count + 1);
    if (!waited) return rg_nomem(t->cx);
    for (size_t i = 0; i < t->device_count; i++) {
        uint32_t d = t->devices[i];
        size_t count = 0;
        for (size_t n = 0; n < l->count; n++)
            if (l->device[n] == d && rg_feature_issue(l->x + n * l->features) >= 1)
                waited[count++] = exp((double)l->r[n]);
        double middle = rg_host_middle(waited, count); /* leaves their logarithms, sorted */
        bool flat = rg_percentile(waited, count, 0.75) - rg_percentile(waited, count, 0.25) < FLAT;
        if (count >= HOST_ROWS_LEAST && flat) t->hosts[d] = middle;
    }
    return assume_hosts(t);
}

static rg_err set_range(rg_teaching *t)
{
    const rg_lesson *l = t->lesson;
    rg_trees *trees = t->trees;
    trees->feature_count = trees->low_count = trees->high_count = l->features;
    trees->features = RG_NEW(&t->cx->arena, const char *, l->features);
    trees->low = RG_NEW(&t->cx->arena, double, l->features);
    trees->high = RG_NEW(&t->cx->arena, double, l->features);
    if (!trees->features || !trees->low || !trees->high) return rg_nomem(t->cx);
    for (size_t i = 0; i < l->features; i++) {
        trees->features[i] = rg_feature_name(l->of, i);
        trees->low[i] = INFINITY, trees->high[i] = -INFINITY;
        for (size_t n = 0; n < l->count; n++) {
            double x = (double)l->x[n * l->features + i];
            trees->low[i] = fmin(trees->low[i], x);
            trees->high[i] = fmax(trees->high[i], x);
        }
    }
    return rg_trees_resolve(t->cx, trees, l->of);
}


/* ---- the whole ---- */

static rg_err teach_all(rg_teaching *t)
{
    rg_trees *trees = t->trees;
    rg_teach_set rows;
    trees->members = RG_NEW(&t->cx->arena, rg_trees_member, t->device_count + 1);
    if (!trees->members) return rg_nomem(t->cx);
    rg_trees_member *m = &trees->members[trees->member_count++];
    RG_TRY(rg_teach_take(t, (rg_teach_wish){RG_EVERY, RG_EVERY, RG_PART_ALL, 0}, RG_TEACH_POOLED_MAX, &rows));
    RG_TRY(name_member(t, RG_EVERY, m));
    RG_TRY(rg_teach_member(t, &rows, true, m));
    for (size_t i = 0; i < t->device_count; i++) {
        if (t->rows[t->devices[i]] < RG_TEACH_ROWS_MIN) continue;
        m = &trees->members[trees->member_count++];
        RG_TRY(rg_teach_take(t, (rg_teach_wish){t->devices[i], RG_EVERY, RG_PART_ALL, 0}, RG_TEACH_ROWS_MAX,
                             &rows));
        RG_TRY(name_member(t, t->devices[i], m));
        RG_TRY(rg_teach_member(t, &rows, false, m));
        t->own[t->devices[i]] = m;
    }
    return RG_OK;
}

/* Figures of a card, in the order of rg_held_score. */
enum { FIGURES = sizeof(rg_held_score) / sizeof(double) };

/* Each where it was tried. */
static rg_held_score mean_of(const rg_report_card *cards, size_t count, size_t at)
{
    double sum[FIGURES] = {0}, n[FIGURES] = {0};
    for (size_t i = 0; i < count; i++) {
        const rg_held_score *s = (const rg_held_score *)(const void *)((const char *)&cards[i] + at);
        const double parts[FIGURES] = {s->mean, s->median, s->tau, s->coverage, s->width};
        for (int k = 0; k < FIGURES; k++)
            if (!isnan(parts[k])) sum[k] += parts[k], n[k]++;
    }
    return (rg_held_score){sum[0] / n[0], sum[1] / n[1], sum[2] / n[2], sum[3] / n[3], sum[4] / n[4]};
}

static void average(rg_report_card *cards, size_t count)
{
    cards[0] = (rg_report_card){
        .base = mean_of(cards + 1, count - 1, offsetof(rg_report_card, base)),
        .known = mean_of(cards + 1, count - 1, offsetof(rg_report_card, known)),
        .unknown = mean_of(cards + 1, count - 1, offsetof(rg_report_card, unknown)),
    };
    for (size_t i = 1; i < count; i++) cards[0].rows += cards[i].rows;
}

static double tried(double x) { return isnan(x) ? 0 : x; }

/* Into the file: 0 stands for what was not tried. */
static void note_errors(const rg_teaching *t, const rg_report_card *cards)
{
    for (size_t i = 0; i < t->trees->member_count; i++) {
        rg_trees_member *m = &t->trees->members[i];
        const rg_report_card *card = &cards[0];
        for (size_t k = 0; k < t->device_count; k++)
            if (strcmp(cards[k + 1].device, m->device) == 0) card = &cards[k + 1];
        m->analytic = tried(card->base.mean), m->analytic_median = tried(card->base.median);
        m->known = tried(card->known.mean), m->known_median = tried(card->known.median);
        m->unknown = tried(card->unknown.mean), m->unknown_median = tried(card->unknown.median);
        m->analytic_tau = tried(card->base.tau), m->known_tau = tried(card->known.tau);
        m->unknown_tau = tried(card->unknown.tau);
        m->known_coverage = tried(card->known.coverage), m->known_width = tried(card->known.width);
        m->unknown_coverage = tried(card->unknown.coverage), m->unknown_width = tried(card->unknown.width);
    }
}

static rg_err teach(rg_teaching *t, rg_taught *out)
{
    RG_TRY(count_devices(t));
    RG_TRY(find_hosts(t));
    RG_TRY(rg_teach_make_folds(t));
    RG_TRY(set_range(t));
    RG_TRY(teach_all(t));
    out->card_count = t->device_count + 1;
    out->cards = RG_NEW(&t->cx->arena, rg_report_card, out->card_count);
    if (!out->cards) return rg_nomem(t->cx);
    for (size_t i = 0; i < t->device_count; i++) {
        rg_report_card *card = &out->cards[i + 1];
        const rg_held_score none = rg_held_score_none();
        *card = (rg_report_card){t->lessons->devices[t->devices[i]]->id, t->rows[t->devices[i]], none, none,
                                 none};
    }
    /* with one device there is nothing to choose by: what it says of others is half believed (assumed) */
    t->trees->reach = 2, t->trees->pooled_weight = 1, t->trees->trust = 0.5;
    RG_TRY(rg_teach_test_known(t, out->cards + 1, &out->known));
    if (t->device_count > 1) RG_TRY(rg_teach_test_unknown(t, out->cards + 1, &out->unknown));
    for (size_t i = 0; i < t->trees->member_count; i++) RG_TRY(mix_line(t, &t->trees->members[i]));
    average(out->cards, out->card_count);
    note_errors(t, out->cards);
    return RG_OK;
}

rg_err rg_teach(rg_ctx *cx, rg_booster *booster, const rg_lessons *lessons, const rg_lesson *lesson,
                rg_taught *out)
{
    rg_teaching t = {.cx = cx, .booster = booster, .lessons = lessons, .lesson = lesson, .belief = 1};
    *out = (rg_taught){0};
    t.trees = RG_NEW(&cx->arena, rg_trees, 1);
    if (!t.trees) return rg_nomem(cx);
    out->trees = t.trees;
    t.trees->key = lesson->key;
    return teach(&t, out);
}
