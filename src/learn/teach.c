/* teach.c - one key's trees: a member for each device that has rows enough, one for all of them, and the
 * mixture that does best on devices that were held out.
 *
 *     known     a member taught without a fifth of its groups, tested on them; of few rows each fifth in turn
 *     unknown   each device in turn answered by the others: all pairs of a reach and a weight of the pooled
 *               member are tried, and how far the answer is trusted
 *
 * What was held out says how wide the intervals of forecasts are, for each device by its own rows where it is
 * known, and how many they hold of what had no say in them (conformal.c).
 */
#include "learn/teach.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_MAX = 32000,  /* of a device that a member is taught with */
    TESTED_MAX = 2000, /* ... and of those that it is tested with */
    ROWS_MIN = 60,     /* for a member of its own */
    FOLDS = 5,
    FOLDED_MAX = 3000, /* rows of a device: up to these each fold is held out in turn, else the first */
    DEVICES_MAX = 256,
};

static const double reaches[] = {1, 2, 4, 8}, pooled_weights[] = {0.01, 0.1, 0.5, 2},
                    trusts[] = {0, 0.25, 0.5, 0.75, 1};

typedef struct set { float *x, *y, *weight; uint64_t *group; size_t count; } set;

typedef struct teaching {
    rg_ctx *cx;
    rg_booster *booster;
    const rg_lessons *lessons;
    const rg_lesson *lesson;
    rg_trees *trees;
    uint32_t *devices; size_t device_count; /* that have rows */
    size_t *rows;                /* by device */
    rg_trees_member **own;       /* by device; NULL: too few rows */
} teaching;

/* The same on every machine and in every order. */
static uint64_t shuffled(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static bool held_out(uint64_t group, int fold) { return shuffled(group) % FOLDS == (uint64_t)fold; }
static double unit_of(size_t row) { return (double)(shuffled(row + 1) >> 11) * 0x1p-53; } /* [0, 1) */

typedef enum part { PART_ALL, PART_TAUGHT, PART_HELD } part;

/* Which rows are wanted: of one device, or (EVERY) of all but `without`. */
#define EVERY UINT32_MAX
typedef struct choice {
    uint32_t device, without;
    part part;
    int fold;
    size_t left[DEVICES_MAX], wanted[DEVICES_MAX]; /* by device: rows that are still to come, to be taken */
    size_t devices, count;       /* that have such rows; to be taken of all together */
} choice;

static bool is_eligible(const rg_lesson *l, const choice *c, size_t row)
{
    uint32_t d = l->device[row];
    if ((c->device != EVERY && d != c->device) || d == c->without) return false;
    return c->part == PART_ALL || held_out(l->group[row], c->fold) == (c->part == PART_HELD);
}

static void count_rows(const rg_lesson *l, size_t most, choice *c)
{
    for (size_t i = 0; i < l->count; i++)
        if (is_eligible(l, c, i)) c->devices += !c->left[l->device[i]]++;
    for (size_t d = 0; d < DEVICES_MAX; d++)
        c->count += c->wanted[d] = c->left[d] < most ? c->left[d] : most;
}

/* At most so many rows of each device, each as likely as any other (Knuth, TAOCP 2, 3.4.2, algorithm S);
 * where there are several devices, each weighs the same. */
static rg_err take_fold(teaching *t, choice c, size_t most, set *out)
{
    const rg_lesson *l = t->lesson;
    count_rows(l, most, &c);
    size_t columns = l->features;
    double each = c.devices ? (double)c.count / (double)c.devices : 0;
    const choice all = c;
    *out = (set){
        .x = RG_NEW(&t->cx->arena, float, (c.count + 1) * columns),
        .y = RG_NEW(&t->cx->arena, float, c.count + 1),
        .weight = RG_NEW(&t->cx->arena, float, c.count + 1),
        .group = RG_NEW(&t->cx->arena, uint64_t, c.count + 1),
    };
    if (!out->x || !out->y || !out->weight || !out->group) return rg_nomem(t->cx);
    for (size_t i = 0; i < l->count; i++) {
        if (!is_eligible(l, &c, i)) continue;
        uint32_t d = l->device[i];
        bool taken = unit_of(i) * (double)c.left[d]-- < (double)c.wanted[d];
        if (!taken) continue;
        c.wanted[d]--;
        memcpy(out->x + out->count * columns, l->x + i * columns, columns * sizeof *l->x);
        out->y[out->count] = l->r[i];
        out->group[out->count] = l->group[i];
        out->weight[out->count++] = (float)(each / (double)all.wanted[d]);
    }
    return RG_OK;
}

static rg_err take(teaching *t, uint32_t device, uint32_t without, size_t most, set *out)
{
    return take_fold(t, (choice){.device = device, .without = without, .part = PART_ALL}, most, out);
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
    out->rows = (int)s->count;
    return rg_trees_find_roots(t->cx, &t->cx->arena, out, t->lesson->features);
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

static rg_err add_held(teaching *t, rg_held_rows *to, uint32_t device, const set *rows, size_t row,
                       double said)
{
    if (!RG_GROW(&t->cx->arena, to->items, to->count, to->capacity)) return rg_nomem(t->cx);
    to->items[to->count++] = (rg_held){device, rows->group[row], said - (double)rows->y[row]};
    return RG_OK;
}

/* A member taught without one fold, tested on it; base: what the analytic base says there. */
static rg_err test_fold(teaching *t, uint32_t device, int fold, rg_held_rows *base, rg_held_rows *all)
{
    set taught, held;
    rg_trees_member m = {0};
    choice c = {.device = device, .without = EVERY, .part = PART_TAUGHT, .fold = fold};
    RG_TRY(take_fold(t, c, ROWS_MAX, &taught));
    c.part = PART_HELD;
    RG_TRY(take_fold(t, c, TESTED_MAX, &held));
    if (held.count < 5 || taught.count < ROWS_MIN) return RG_OK;
    RG_TRY(teach_member(t, &taught, false, &m));
    for (size_t i = 0; i < held.count; i++) {
        RG_TRY(add_held(t, base, device, &held, i, 0));
        RG_TRY(add_held(t, all, device, &held, i, rg_trees_sum(&m, held.x + i * t->lesson->features)));
    }
    return RG_OK;
}

/* A device has its own spread where it has rows enough. */
static rg_err test_known(teaching *t, uint32_t device, rg_report_card *card, rg_held_rows *all)
{
    rg_held_rows base = {0};
    size_t before = all->count;
    for (int fold = 0; fold < (t->rows[device] <= FOLDED_MAX ? FOLDS : 1); fold++)
        RG_TRY(test_fold(t, device, fold, &base, all));
    const rg_held *rows = all->items + before;
    size_t count = all->count - before;
    if (!count) return RG_OK;
    RG_TRY(rg_held_score_of(t->cx, base.items, base.count, 0, &card->base));
    RG_TRY(rg_held_cross(t->cx, rows, count, &card->known));
    return t->own[device] ? rg_conformal_spread(t->cx, rows, count, &t->own[device]->spread) : RG_OK;
}

/* What each member says of the rows of a device that it has not seen, kept for all mixtures. */
typedef struct trial { set rows; float *pooled, *by[DEVICES_MAX]; double distance2[DEVICES_MAX]; } trial;

static rg_err sums_at(teaching *t, const rg_trees_member *m, const set *rows, float **out)
{
    *out = RG_NEW(&t->cx->arena, float, rows->count + 1);
    if (!*out) return rg_nomem(t->cx);
    for (size_t i = 0; i < rows->count; i++)
        (*out)[i] = (float)rg_trees_sum(m, rows->x + i * t->lesson->features);
    return RG_OK;
}

static rg_err prepare(teaching *t, uint32_t device, trial *out)
{
    set others;
    rg_trees_member pooled = {0};
    double mine[RG_TRAITS];
    rg_traits(t->lessons->devices[device], mine);
    RG_TRY(take(t, device, EVERY, TESTED_MAX, &out->rows));
    RG_TRY(take(t, EVERY, device, ROWS_MAX / 3, &others));
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

typedef struct mixing { double reach, pooled_weight, trust; } mixing;

/* NOBODY, or one of t->devices that must not have a say: it is being tested. */
#define NOBODY SIZE_MAX

static double mixed(const teaching *t, const trial *seen, size_t row, mixing m, size_t without)
{
    double sum = m.pooled_weight * (double)seen->pooled[row], weights = m.pooled_weight;
    for (size_t i = 0; i < t->device_count; i++) {
        if (!seen->by[i] || i == without) continue;
        double weight = rg_member_weight(seen->distance2[i], m.reach);
        sum += weight * (double)seen->by[i][row];
        weights += weight;
    }
    return m.trust * sum / weights;
}

static double mean_error(const teaching *t, const trial *seen, mixing m, size_t without)
{
    double sum = 0;
    for (size_t i = 0; i < seen->rows.count; i++)
        sum += ape(mixed(t, seen, i, m, without) - (double)seen->rows.y[i]);
    return sum / (double)seen->rows.count;
}

/* The mixture with the least error, devices weighted equally. */
static mixing choose_mixture(const teaching *t, trial *const *trials, size_t without)
{
    double least = INFINITY;
    mixing best = {reaches[0], pooled_weights[0], trusts[0]};
    for (size_t r = 0; r < RG_COUNT(reaches); r++)
        for (size_t w = 0; w < RG_COUNT(pooled_weights); w++)
            for (size_t k = 0; k < RG_COUNT(trusts); k++) {
                mixing m = {reaches[r], pooled_weights[w], trusts[k]};
                double sum = 0;
                for (size_t i = 0; i < t->device_count; i++)
                    if (i != without) sum += mean_error(t, trials[i], m, without);
                if (sum < least) least = sum, best = m;
            }
    return best;
}

static bool has_sister(const teaching *t, size_t device, size_t without)
{
    const char *architecture = t->lessons->devices[t->devices[device]]->architecture;
    for (size_t i = 0; i < t->device_count && architecture; i++) {
        const char *other = t->lessons->devices[t->devices[i]]->architecture;
        if (i != device && i != without && other && strcmp(other, architecture) == 0) return true;
    }
    return false;
}

static rg_err add_trial(teaching *t, const trial *seen, size_t device, mixing m, size_t without,
                        rg_held_rows *to)
{
    for (size_t i = 0; i < seen->rows.count; i++)
        RG_TRY(add_held(t, to, t->devices[device], &seen->rows, i, mixed(t, seen, i, m, without)));
    return RG_OK;
}

/* The spreads that all devices but one say. Sisters have their own where there are enough of them; a pair
 * says nothing of others. */
enum { SISTERS_LEAST = 5 };
typedef struct spreads { double sister, unknown; } spreads;

static rg_err find_spreads(teaching *t, trial *const *trials, mixing m, size_t without, spreads *out)
{
    rg_held_rows sister = {0}, all = {0};
    int sisters = 0;
    for (size_t i = 0; i < t->device_count; i++) {
        bool near = has_sister(t, i, without);
        if (i == without) continue;
        RG_TRY(add_trial(t, trials[i], i, m, without, &all));
        if (near) RG_TRY(add_trial(t, trials[i], i, m, without, &sister));
        sisters += near;
    }
    RG_TRY(rg_conformal_device_spread(t->cx, all.items, all.count, &out->unknown));
    out->sister = out->unknown;
    if (sisters < SISTERS_LEAST) return RG_OK;
    return rg_conformal_device_spread(t->cx, sister.items, sister.count, &out->sister);
}

/* The interval of a device by what the others say: mixture and spread are chosen without it. */
static rg_err test_interval(teaching *t, trial *const *trials, size_t device, rg_held_score *out)
{
    rg_held_rows rows = {0};
    spreads s;
    rg_held_score nested;
    mixing m = choose_mixture(t, trials, device);
    RG_TRY(find_spreads(t, trials, m, device, &s));
    RG_TRY(add_trial(t, trials[device], device, m, NOBODY, &rows));
    RG_TRY(rg_held_score_of(t->cx, rows.items, rows.count,
                            has_sister(t, device, NOBODY) ? s.sister : s.unknown, &nested));
    out->coverage = nested.coverage;
    out->width = nested.width;
    return RG_OK;
}

static rg_err test_unknown(teaching *t, rg_report_card *cards, rg_held_rows *all)
{
    rg_trees *trees = t->trees;
    spreads s;
    trial **trials = RG_NEW(&t->cx->arena, trial *, t->device_count + 1);
    if (!trials) return rg_nomem(t->cx);
    for (size_t i = 0; i < t->device_count; i++) {
        trials[i] = RG_NEW(&t->cx->arena, trial, 1);
        if (!trials[i]) return rg_nomem(t->cx);
        RG_TRY(prepare(t, t->devices[i], trials[i]));
    }
    mixing m = choose_mixture(t, trials, NOBODY);
    for (size_t i = 0; i < t->device_count; i++) {
        size_t before = all->count;
        RG_TRY(add_trial(t, trials[i], i, m, NOBODY, all));
        RG_TRY(rg_held_score_of(t->cx, all->items + before, all->count - before, 0, &cards[i].unknown));
        if (t->device_count > 2) RG_TRY(test_interval(t, trials, i, &cards[i].unknown));
    }
    RG_TRY(find_spreads(t, trials, m, NOBODY, &s));
    trees->reach = m.reach, trees->pooled_weight = m.pooled_weight, trees->trust = m.trust;
    trees->devices = (int)t->device_count;
    trees->sister_spread = s.sister;
    trees->unknown_spread = s.unknown;
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
    RG_TRY(take(t, EVERY, EVERY, ROWS_MAX / 3, &rows));
    RG_TRY(name_member(t, EVERY, m));
    RG_TRY(teach_member(t, &rows, true, m));
    for (size_t i = 0; i < t->device_count; i++) {
        if (t->rows[t->devices[i]] < ROWS_MIN) continue;
        m = &trees->members[trees->member_count++];
        RG_TRY(take(t, t->devices[i], EVERY, ROWS_MAX, &rows));
        RG_TRY(name_member(t, t->devices[i], m));
        RG_TRY(teach_member(t, &rows, false, m));
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
        const double parts[FIGURES] = {s->mean, s->median, s->coverage, s->width};
        for (int k = 0; k < FIGURES; k++)
            if (!isnan(parts[k])) sum[k] += parts[k], n[k]++;
    }
    return (rg_held_score){sum[0] / n[0], sum[1] / n[1], sum[2] / n[2], sum[3] / n[3]};
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
static void note_errors(const teaching *t, const rg_report_card *cards)
{
    for (size_t i = 0; i < t->trees->member_count; i++) {
        rg_trees_member *m = &t->trees->members[i];
        const rg_report_card *card = &cards[0];
        for (size_t k = 0; k < t->device_count; k++)
            if (strcmp(cards[k + 1].device, m->device) == 0) card = &cards[k + 1];
        m->analytic = tried(card->base.mean), m->analytic_median = tried(card->base.median);
        m->known = tried(card->known.mean), m->known_median = tried(card->known.median);
        m->unknown = tried(card->unknown.mean), m->unknown_median = tried(card->unknown.median);
        m->known_coverage = tried(card->known.coverage), m->known_width = tried(card->known.width);
        m->unknown_coverage = tried(card->unknown.coverage), m->unknown_width = tried(card->unknown.width);
    }
}

static rg_err teach(teaching *t, rg_taught *out)
{
    RG_TRY(count_devices(t));
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
        RG_TRY(test_known(t, t->devices[i], card, &out->known));
    }
    RG_TRY(rg_conformal_spread(t->cx, out->known.items, out->known.count, &t->trees->known_spread));
    /* with one device there is nothing to choose by: what it says of others is half believed (assumed) */
    t->trees->reach = 2, t->trees->pooled_weight = 1, t->trees->trust = 0.5;
    if (t->device_count > 1) RG_TRY(test_unknown(t, out->cards + 1, &out->unknown));
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
