/* teach.c - one key's trees: a member for each device that has rows enough, one for all of them, and the
 * mixture that does best on devices that were held out.
 *
 *     unknown   each device in turn answered by the others: all pairs of a reach and a weight of the pooled
 *               member are tried, and how far the answer is trusted
 *     known     members taught without a fold of groups, tested on it: the device's own together with the
 * pooled one, whose share is the best of those tried. Neither has seen the fold
 *
 * Of whole inferences a member is a line and trees, mixed: a line says something of networks that are unlike
 * those that were taught, trees of those that are alike. Its share is chosen with that of the pooled member.
 *
 * Of kernels one fold of five is tested, by shapes. Of whole inferences all are; where groups (families of
 * networks) are few, each is a fold of its own.
 *
 * The 90 % quantiles of |log error| of both become the intervals of forecasts (split conformal prediction:
 * Lei et al. 2018, with devices in place of rows).
 */
#include "learn/teach.h"

#include "learn/line.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_MAX = 32000,            /* of a device that a member is taught with */
    TESTED_MAX = 2000,           /* ... and of those that it is tested with */
    ROWS_MIN = 60,               /* for a member of its own */
    FOLDS = 5,
    GROUPS_FEW = 20,             /* up to which each group of whole inferences is a fold */
    DEVICES_MAX = 256,
};

static const double reaches[] = {1, 2, 4, 8}, pooled_weights[] = {0.01, 0.1, 0.5, 2},
                    trusts[] = {0, 0.25, 0.5, 0.75, 1}, lines[] = {0, 0.25, 0.5, 0.75, 1},
                    pooled_shares[] = {0, 0.2, 0.4, 0.6, 0.8, 1};

/* Asking two members takes longer than asking one, and a line is one thing more: what is added has to better
 * the error by so much. */
#define GAIN_LEAST 0.98

typedef struct set { float *x, *y, *weight; size_t count; } set;

typedef struct teaching {
    rg_ctx *cx;
    rg_booster *booster;
    const rg_lessons *lessons;
    const rg_lesson *lesson;
    rg_trees *trees;
    uint32_t *devices; size_t device_count; /* that have rows */
    size_t *rows;                /* by device */
    double line;                 /* share of the linear law in a member, the same in all */
    uint16_t *fold; int folds, tested; /* of each row; the first `tested` are held out in turn */
    rg_trees_member **own;       /* by device; NULL: too few rows */
} teaching;

/* The same on every machine and in every order. */
static uint64_t shuffled(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static double unit_of(size_t row) { return (double)(shuffled(row + 1) >> 11) * 0x1p-53; } /* [0, 1) */

/* ---- groups that are held out together ---- */

typedef struct group { uint64_t name; size_t rows; int fold; } group;

static int by_name(const void *a, const void *b)
{
    uint64_t x = ((const group *)a)->name, y = ((const group *)b)->name;
    return (x > y) - (x < y);
}

static int by_rows(const void *a, const void *b)
{
    const group *x = a, *y = b;
    return x->rows != y->rows ? (x->rows < y->rows) - (x->rows > y->rows) : by_name(a, b);
}

/* Largest first, each into the fold that has least so far. */
static void spread_groups(teaching *t, group *groups, size_t count)
{
    size_t filled[GROUPS_FEW] = {0};
    t->folds = t->tested = count <= GROUPS_FEW ? (int)count : FOLDS;
    qsort(groups, count, sizeof *groups, by_rows);
    for (size_t i = 0; i < count; i++) {
        int least = 0;
        for (int k = 1; k < t->folds; k++)
            if (filled[k] < filled[least]) least = k;
        groups[i].fold = least;
        filled[least] += groups[i].rows;
    }
    qsort(groups, count, sizeof *groups, by_name);
}

static rg_err make_folds(teaching *t)
{
    const rg_lesson *l = t->lesson;
    size_t count = 0;
    group *groups = RG_NEW(&t->cx->arena, group, l->count + 1);
    t->fold = RG_NEW(&t->cx->arena, uint16_t, l->count + 1);
    if (!groups || !t->fold) return rg_nomem(t->cx);
    t->folds = FOLDS, t->tested = 1;
    for (size_t i = 0; i < l->count; i++) {
        t->fold[i] = (uint16_t)(shuffled(l->group[i]) % FOLDS);
        groups[i] = (group){l->group[i], 1, 0};
    }
    if (l->of == RG_OF_ROW) return RG_OK;
    qsort(groups, l->count, sizeof *groups, by_name);
    for (size_t i = 0; i < l->count; i++) {
        if (count && groups[count - 1].name == groups[i].name) groups[count - 1].rows++;
        else groups[count++] = groups[i];
    }
    spread_groups(t, groups, count);
    for (size_t i = 0; i < l->count; i++) {
        const group *found = bsearch(&(group){l->group[i], 0, 0}, groups, count, sizeof *groups, by_name);
        t->fold[i] = (uint16_t)(found ? found->fold : 0);
    }
    return RG_OK;
}

/* ---- rows ---- */

typedef enum part { PART_ALL, PART_TAUGHT, PART_HELD } part;

/* Which rows are wanted: of one device, or (EVERY) of all but `without`; of a fold, or of all others. */
#define EVERY UINT32_MAX
typedef struct wish { uint32_t device, without; part part; int fold; } wish;
typedef struct choice {
    wish wish;
    size_t left[DEVICES_MAX], wanted[DEVICES_MAX]; /* by device: rows that are still to come, to be taken */
    size_t devices, count;       /* that have such rows; to be taken of all together */
} choice;

static bool is_eligible(const teaching *t, const choice *c, size_t row)
{
    uint32_t d = t->lesson->device[row];
    const wish *w = &c->wish;
    if ((w->device != EVERY && d != w->device) || d == w->without) return false;
    return w->part == PART_ALL || (t->fold[row] == w->fold) == (w->part == PART_HELD);
}

static void count_rows(const teaching *t, size_t most, choice *c)
{
    const rg_lesson *l = t->lesson;
    for (size_t i = 0; i < l->count; i++)
        if (is_eligible(t, c, i)) c->devices += !c->left[l->device[i]]++;
    for (size_t d = 0; d < DEVICES_MAX; d++)
        c->count += c->wanted[d] = c->left[d] < most ? c->left[d] : most;
}

/* At most so many rows of each device, each as likely as any other (Knuth, TAOCP 2, 3.4.2, algorithm S);
 * where there are several devices, each weighs the same. */
static rg_err take(teaching *t, wish wanted, size_t most, set *out)
{
    const rg_lesson *l = t->lesson;
    choice c = {.wish = wanted};
    count_rows(t, most, &c);
    size_t columns = l->features;
    double each = c.devices ? (double)c.count / (double)c.devices : 0;
    const choice all = c;
    *out = (set){
        .x = RG_NEW(&t->cx->arena, float, (c.count + 1) * columns),
        .y = RG_NEW(&t->cx->arena, float, c.count + 1),
        .weight = RG_NEW(&t->cx->arena, float, c.count + 1),
    };
    if (!out->x || !out->y || !out->weight) return rg_nomem(t->cx);
    for (size_t i = 0; i < l->count; i++) {
        if (!is_eligible(t, &c, i)) continue;
        uint32_t d = l->device[i];
        bool taken = unit_of(i) * (double)c.left[d]-- < (double)c.wanted[d];
        if (!taken) continue;
        c.wanted[d]--;
        memcpy(out->x + out->count * columns, l->x + i * columns, columns * sizeof *l->x);
        out->y[out->count] = l->r[i];
        out->weight[out->count++] = (float)(each / (double)all.wanted[d]);
    }
    return RG_OK;
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

static rg_err teach_member(teaching *t, const set *s, bool pooled, rg_trees_member *out)
{
    rg_boost_opt o = options(t->lesson, s->count, pooled);
    rg_boost_data data = {s->x, s->y, s->weight, s->count, t->lesson->features};
    RG_TRY(rg_booster_train(t->cx, t->booster, &data, &o, &t->cx->arena, out));
    if (t->lesson->of == RG_OF_WHOLE) {
        out->slopes = RG_NEW(&t->cx->arena, double, t->lesson->features);
        if (!out->slopes) return rg_nomem(t->cx);
        out->slope_count = t->lesson->features;
        RG_TRY(rg_line_fit(t->cx, &data, out->slopes, &out->start));
    }
    out->rows = (int)s->count;
    return rg_trees_find_roots(t->cx, &t->cx->arena, out, t->lesson->features);
}

/* Until mix_line both parts of a member stand for themselves: `start` is the line's. */
typedef struct parts { float trees, line; } parts;

static parts parts_of(const teaching *t, const rg_trees_member *m, const float *x)
{
    double line = m->start + rg_trees_line(t->trees, m, x);
    return (parts){(float)(rg_trees_sum(m, x) - m->start), (float)line};
}

static double say(const teaching *t, parts p)
{
    return (1 - t->line) * (double)p.trees + t->line * (double)p.line;
}

/* As it is written: one sum. */
static rg_err mix_line(teaching *t, rg_trees_member *m)
{
    rg_tree_node *nodes = RG_NEW(&t->cx->arena, rg_tree_node, m->node_count + 1);
    if (!nodes) return rg_nomem(t->cx);
    for (int i = 0; i < m->node_count; i++) {
        nodes[i] = m->nodes[i];
        if (nodes[i].feature == RG_TREES_LEAF) nodes[i].value *= (float)(1 - t->line);
    }
    m->nodes = nodes;
    m->start *= t->line;
    for (size_t i = 0; i < m->slope_count; i++) m->slopes[i] *= t->line;
    if (t->line == 0) m->slope_count = 0;
    if (t->line == 1) m->node_count = 0, m->tree_count = 0;
    return RG_OK;
}

static rg_err name_member(teaching *t, uint32_t device, rg_trees_member *m)
{
    const rg_device *d = device == EVERY ? NULL : t->lessons->devices[device];
    m->device = d ? d->id : RG_TREES_ALL;
    m->architecture = d ? d->architecture : NULL;
    m->traits = d ? RG_NEW(&t->cx->arena, double, RG_TRAITS) : NULL;
    m->trait_count = d ? RG_TRAITS : 0;
    if (d && !m->traits) return rg_nomem(t->cx);
    if (d) rg_traits(d, m->traits);
    return RG_OK;
}

static rg_err count_devices(teaching *t)
{
    size_t all = t->lessons->device_count;
    if (all > DEVICES_MAX) return rg_fail(t->cx, RG_LIMIT, "%zu devices exceed %d", all, DEVICES_MAX);
    t->rows = RG_NEW(&t->cx->arena, size_t, all + 1);
    t->devices = RG_NEW(&t->cx->arena, uint32_t, all + 1);
    t->own = RG_NEW(&t->cx->arena, rg_trees_member *, all + 1);
    if (!t->rows || !t->devices || !t->own) return rg_nomem(t->cx);
    for (size_t i = 0; i < t->lesson->count; i++) t->rows[t->lesson->device[i]]++;
    for (uint32_t d = 0; d < all; d++)
        if (t->rows[d]) t->devices[t->device_count++] = d;
    return RG_OK;
}

static rg_err set_range(teaching *t)
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

/* ---- tests ---- */

static double ape(double error) { return fabs(expm1(error)); } /* error: forecast - measured, logarithms */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The split-conformal quantile: the ceil(0.9 (n + 1))th smallest. */
static double spread_of(double *errors, size_t count)
{
    if (count < 20) return 0;
    qsort(errors, count, sizeof *errors, by_size);
    size_t at = (size_t)ceil(0.9 * (double)(count + 1));
    return errors[at > count ? count - 1 : at - 1];
}

typedef struct errors { double *log; size_t count; uint32_t capacity; } errors;

static rg_err add_error(teaching *t, errors *e, double error)
{
    if (!RG_GROW(&t->cx->arena, e->log, e->count, e->capacity)) return rg_nomem(t->cx);
    e->log[e->count++] = fabs(error);
    return RG_OK;
}

/* What each member says of the rows of a device that it has not seen, kept for all mixtures. */
typedef struct trial { set rows; float *pooled, *by[DEVICES_MAX]; double distance2[DEVICES_MAX]; } trial;

static rg_err sums_at(teaching *t, const rg_trees_member *m, const set *rows, float **out)
{
    *out = RG_NEW(&t->cx->arena, float, rows->count + 1);
    if (!*out) return rg_nomem(t->cx);
    for (size_t i = 0; i < rows->count; i++)
        (*out)[i] = (float)say(t, parts_of(t, m, rows->x + i * t->lesson->features));
    return RG_OK;
}

static rg_err prepare(teaching *t, uint32_t device, trial *out)
{
    set others;
    rg_trees_member pooled = {0};
    double mine[RG_TRAITS];
    rg_traits(t->lessons->devices[device], mine);
    RG_TRY(take(t, (wish){device, EVERY, PART_ALL, 0}, TESTED_MAX, &out->rows));
    RG_TRY(take(t, (wish){EVERY, device, PART_ALL, 0}, ROWS_MAX / 3, &others));
    RG_TRY(teach_member(t, &others, true, &pooled));
    RG_TRY(sums_at(t, &pooled, &out->rows, &out->pooled));
    for (size_t i = 0; i < t->device_count; i++) {
        uint32_t d = t->devices[i];
        if (!t->own[d] || d == device) continue;
        RG_TRY(sums_at(t, t->own[d], &out->rows, &out->by[i]));
        out->distance2[i] = rg_traits_distance2(t->own[d]->traits, mine);
    }
    return RG_OK;
}

static double mixed(const teaching *t, const trial *seen, size_t row, double reach, double pooled_weight)
{
    double sum = pooled_weight * (double)seen->pooled[row], weights = pooled_weight;
    for (size_t i = 0; i < t->device_count; i++) {
        if (!seen->by[i]) continue;
        double weight = rg_member_weight(seen->distance2[i], reach);
        sum += weight * (double)seen->by[i][row];
        weights += weight;
    }
    return sum / weights;
}

static double mean_error(const teaching *t, const trial *seen, double reach, double pooled_weight,
                         double trust)
{
    double sum = 0;
    for (size_t i = 0; i < seen->rows.count; i++)
        sum += ape(trust * mixed(t, seen, i, reach, pooled_weight) - (double)seen->rows.y[i]);
    return sum / (double)seen->rows.count;
}

/* The mixture with the least error, devices weighted equally. */
static void choose_mixture(teaching *t, trial *const *trials)
{
    double least = INFINITY;
    for (size_t r = 0; r < RG_COUNT(reaches); r++)
        for (size_t w = 0; w < RG_COUNT(pooled_weights); w++)
            for (size_t k = 0; k < RG_COUNT(trusts); k++) {
                double sum = 0;
                for (size_t i = 0; i < t->device_count; i++)
                    sum += mean_error(t, trials[i], reaches[r], pooled_weights[w], trusts[k]);
                if (sum >= least) continue;
                least = sum;
                t->trees->reach = reaches[r];
                t->trees->pooled_weight = pooled_weights[w];
                t->trees->trust = trusts[k];
            }
}

static bool has_sister(const teaching *t, uint32_t device)
{
    const char *architecture = t->lessons->devices[device]->architecture;
    for (size_t i = 0; i < t->device_count && architecture; i++) {
        const char *other = t->lessons->devices[t->devices[i]]->architecture;
        if (t->devices[i] != device && other && strcmp(other, architecture) == 0) return true;
    }
    return false;
}

static rg_err test_unknown(teaching *t, rg_report_card *cards)
{
    errors sister = {0}, unknown = {0};
    rg_trees *trees = t->trees;
    trial **trials = RG_NEW(&t->cx->arena, trial *, t->device_count + 1);
    if (!trials) return rg_nomem(t->cx);
    for (size_t i = 0; i < t->device_count; i++) {
        trials[i] = RG_NEW(&t->cx->arena, trial, 1);
        if (!trials[i]) return rg_nomem(t->cx);
        RG_TRY(prepare(t, t->devices[i], trials[i]));
    }
    choose_mixture(t, trials);
    for (size_t i = 0; i < t->device_count; i++) {
        const trial *one = trials[i];
        bool near = has_sister(t, t->devices[i]);
        cards[i].unknown = mean_error(t, one, trees->reach, trees->pooled_weight, trees->trust);
        for (size_t k = 0; k < one->rows.count; k++) {
            double r = trees->trust * mixed(t, one, k, trees->reach, trees->pooled_weight);
            RG_TRY(add_error(t, near ? &sister : &unknown, r - (double)one->rows.y[k]));
        }
    }
    trees->devices = (int)t->device_count;
    trees->sister_spread = spread_of(sister.log, sister.count);
    trees->unknown_spread = spread_of(unknown.log, unknown.count);
    trees->unknown_spread = fmax(trees->unknown_spread, trees->sister_spread);
    if (trees->sister_spread == 0) trees->sister_spread = trees->unknown_spread;
    return RG_OK;
}

/* Members that have not seen a fold, and what they say of its rows, device by device. */
typedef struct class { rg_trees_member pooled, *own[DEVICES_MAX]; } class;
typedef struct answers { parts *own, *pooled; float *y; size_t count; } answers;

static rg_err teach_fold(teaching *t, int fold, class *c)
{
    set rows;
    *c = (class){0};
    if (t->device_count > 1) {
        RG_TRY(take(t, (wish){EVERY, EVERY, PART_TAUGHT, fold}, ROWS_MAX / 3, &rows));
        RG_TRY(teach_member(t, &rows, true, &c->pooled));
    }
    for (size_t i = 0; i < t->device_count; i++) {
        RG_TRY(take(t, (wish){t->devices[i], EVERY, PART_TAUGHT, fold}, ROWS_MAX, &rows));
        if (rows.count < ROWS_MIN) continue;
        c->own[i] = RG_NEW(&t->cx->arena, rg_trees_member, 1);
        if (!c->own[i]) return rg_nomem(t->cx);
        RG_TRY(teach_member(t, &rows, false, c->own[i]));
    }
    return RG_OK;
}

static rg_err ask_fold(teaching *t, int fold, answers *by_device)
{
    class c;
    RG_TRY(teach_fold(t, fold, &c));
    for (size_t d = 0; d < t->device_count; d++) {
        answers *a = &by_device[d];
        set held;
        if (!c.own[d]) continue;
        RG_TRY(take(t, (wish){t->devices[d], EVERY, PART_HELD, fold}, TESTED_MAX, &held));
        for (size_t i = 0; i < held.count; i++, a->count++) {
            const float *x = held.x + i * t->lesson->features;
            a->own[a->count] = parts_of(t, c.own[d], x);
            a->pooled[a->count] = t->device_count > 1 ? parts_of(t, &c.pooled, x) : (parts){0, 0};
            a->y[a->count] = held.y[i];
        }
    }
    return RG_OK;
}

static double known_error(const teaching *t, const answers *a, double share, size_t i)
{
    return share * say(t, a->pooled[i]) + (1 - share) * say(t, a->own[i]) - (double)a->y[i];
}

/* Devices weighted equally. */
static double sum_known(const teaching *t, const answers *by_device, double share)
{
    double sum = 0;
    for (size_t d = 0; d < t->device_count; d++)
        for (size_t i = 0; i < by_device[d].count; i++)
            sum += ape(known_error(t, &by_device[d], share, i)) / (double)by_device[d].count;
    return sum;
}

static void choose_share(teaching *t, const answers *by_device)
{
    double least = INFINITY, best = 0;
    size_t shares = t->device_count > 1 ? RG_COUNT(pooled_shares) : 1;
    size_t kinds = t->lesson->of == RG_OF_WHOLE ? RG_COUNT(lines) : 1;
    for (size_t l = 0; l < kinds; l++)
        for (size_t w = 0; w < shares; w++) {
            t->line = lines[l];
            double is = sum_known(t, by_device, pooled_shares[w]);
            if (l) is /= GAIN_LEAST;
            if (w) is /= GAIN_LEAST;
            if (is >= least) continue;
            least = is, best = lines[l];
            t->trees->pooled_share = pooled_shares[w];
        }
    t->line = best;
}

static rg_err grade_known(teaching *t, const answers *a, rg_report_card *card, errors *all)
{
    double base = 0, sum = 0;
    card->base = card->known = NAN;
    if (a->count < 5) return RG_OK;
    for (size_t i = 0; i < a->count; i++) {
        double error = known_error(t, a, t->trees->pooled_share, i);
        base += ape(-(double)a->y[i]);
        sum += ape(error);
        RG_TRY(add_error(t, all, error));
    }
    card->base = base / (double)a->count;
    card->known = sum / (double)a->count;
    return RG_OK;
}

static rg_err test_known(teaching *t, rg_report_card *cards)
{
    errors all = {0};
    rg_arena *arena = &t->cx->arena;
    answers *by_device = RG_NEW(arena, answers, t->device_count + 1);
    if (!by_device) return rg_nomem(t->cx);
    for (size_t d = 0; d < t->device_count; d++) {
        size_t most = t->rows[t->devices[d]] + 1;
        by_device[d] = (answers){RG_NEW(arena, parts, most), RG_NEW(arena, parts, most),
                                 RG_NEW(arena, float, most), 0};
        if (!by_device[d].own || !by_device[d].pooled || !by_device[d].y) return rg_nomem(t->cx);
    }
    for (int k = 0; k < t->tested; k++) RG_TRY(ask_fold(t, k, by_device));
    choose_share(t, by_device);
    for (size_t d = 0; d < t->device_count; d++) RG_TRY(grade_known(t, &by_device[d], &cards[d], &all));
    t->trees->known_spread = spread_of(all.log, all.count);
    return RG_OK;
}

/* ---- the whole ---- */

static rg_err teach_all(teaching *t)
{
    rg_trees *trees = t->trees;
    set rows;
    trees->members = RG_NEW(&t->cx->arena, rg_trees_member, t->device_count + 1);
    if (!trees->members) return rg_nomem(t->cx);
    rg_trees_member *m = &trees->members[trees->member_count++];
    RG_TRY(take(t, (wish){EVERY, EVERY, PART_ALL, 0}, ROWS_MAX / 3, &rows));
    RG_TRY(name_member(t, EVERY, m));
    RG_TRY(teach_member(t, &rows, true, m));
    for (size_t i = 0; i < t->device_count; i++) {
        if (t->rows[t->devices[i]] < ROWS_MIN) continue;
        m = &trees->members[trees->member_count++];
        RG_TRY(take(t, (wish){t->devices[i], EVERY, PART_ALL, 0}, ROWS_MAX, &rows));
        RG_TRY(name_member(t, t->devices[i], m));
        RG_TRY(teach_member(t, &rows, false, m));
        t->own[t->devices[i]] = m;
    }
    return RG_OK;
}

static void average(rg_report_card *cards, size_t count)
{
    rg_report_card *all = &cards[0];
    double n[3] = {0}, sum[3] = {0};
    *all = (rg_report_card){0};
    for (size_t i = 1; i < count; i++) {
        const double errors_of[] = {cards[i].base, cards[i].known, cards[i].unknown};
        all->rows += cards[i].rows;
        for (int k = 0; k < 3; k++)
            if (!isnan(errors_of[k])) sum[k] += errors_of[k], n[k]++;
    }
    all->base = sum[0] / n[0], all->known = sum[1] / n[1], all->unknown = sum[2] / n[2];
}

/* Into the file: 0 stands for what was not tried. */
static void note_errors(const teaching *t, const rg_report_card *cards)
{
    for (size_t i = 0; i < t->trees->member_count; i++) {
        rg_trees_member *m = &t->trees->members[i];
        const rg_report_card *card = &cards[0];
        for (size_t k = 0; k < t->device_count; k++)
            if (strcmp(cards[k + 1].device, m->device) == 0) card = &cards[k + 1];
        m->analytic = isnan(card->base) ? 0 : card->base;
        m->known = isnan(card->known) ? 0 : card->known;
        m->unknown = isnan(card->unknown) ? 0 : card->unknown;
    }
}

static rg_err teach(teaching *t, rg_taught *out)
{
    RG_TRY(count_devices(t));
    RG_TRY(make_folds(t));
    RG_TRY(set_range(t));
    RG_TRY(teach_all(t));
    out->card_count = t->device_count + 1;
    out->cards = RG_NEW(&t->cx->arena, rg_report_card, out->card_count);
    if (!out->cards) return rg_nomem(t->cx);
    for (size_t i = 0; i < t->device_count; i++) {
        rg_report_card *card = &out->cards[i + 1];
        card->device = t->lessons->devices[t->devices[i]]->id;
        card->rows = t->rows[t->devices[i]];
        card->unknown = NAN;
    }
    /* with one device there is nothing to choose by: what it says of others is half believed (assumed) */
    t->trees->reach = 2, t->trees->pooled_weight = 1, t->trees->trust = 0.5;
    RG_TRY(test_known(t, out->cards + 1));
    if (t->device_count > 1) RG_TRY(test_unknown(t, out->cards + 1));
    for (size_t i = 0; i < t->trees->member_count; i++) RG_TRY(mix_line(t, &t->trees->members[i]));
    average(out->cards, out->card_count);
    note_errors(t, out->cards);
    return RG_OK;
}

rg_err rg_teach(rg_ctx *cx, rg_booster *booster, const rg_lessons *lessons, const rg_lesson *lesson,
                rg_taught *out)
{
    teaching t = {.cx = cx, .booster = booster, .lessons = lessons, .lesson = lesson};
    *out = (rg_taught){0};
    t.trees = RG_NEW(&cx->arena, rg_trees, 1);
    if (!t.trees) return rg_nomem(cx);
    out->trees = t.trees;
    t.trees->key = lesson->key;
    return teach(&t, out);
}
