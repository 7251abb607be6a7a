/* teach.c - one key's trees: a member for each device that has rows enough, one for all of them, and the
 * mixture that does best on devices that were held out.
 *
 *     known     a member taught without a fifth of its groups, tested on them
 *     unknown   each device in turn answered by the others: all pairs of a reach and a weight of the pooled
 *               member are tried, and how far the answer is trusted
 *
 * The 90 % quantiles of |log error| of both become the intervals of forecasts (split conformal prediction:
 * Lei et al. 2018, with devices in place of rows).
 */
#include "learn/teach.h"

#include "base/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_MAX = 32000,            /* of a device that a member is taught with */
    TESTED_MAX = 2000,           /* ... and of those that it is tested with */
    ROWS_MIN = 60,               /* for a member of its own */
    HOST_ROWS_MIN = 20,          /* that wait for the host: to know it */
    FOLDS = 5,
    DEVICES_MAX = 256,
};

/* Rows that wait for a host take the same time whatever they do: half of them lie this close, as logarithms
 * (NeuSight: 0.01 to 0.21 of operators on rows; 0.8 and more of convolutions, which were taken for shorter
 * than they are). */
#define FLAT 0.4

static const double reaches[] = {1, 2, 4, 8}, pooled_weights[] = {0.01, 0.1, 0.5, 2},
                    trusts[] = {0, 0.25, 0.5, 0.75, 1};

typedef struct set { float *x, *y, *weight; size_t count; } set;

typedef struct teaching {
    rg_ctx *cx;
    rg_booster *booster;
    const rg_lessons *lessons;
    const rg_lesson *lesson;
    rg_trees *trees;
    uint32_t *devices; size_t device_count; /* that have rows */
    size_t *rows;                /* by device */
    double *hosts;               /* by device: residual.c; 0: not known */
    rg_trees_member **own;       /* by device; NULL: too few rows */
} teaching;

/* The same on every machine and in every order. */
static uint64_t shuffled(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static bool held_out(uint64_t group) { return shuffled(group) % FOLDS == 0; }
static double unit_of(size_t row) { return (double)(shuffled(row + 1) >> 11) * 0x1p-53; } /* [0, 1) */

typedef enum part { PART_ALL, PART_TAUGHT, PART_HELD } part;

/* Which rows are wanted: of one device, or (EVERY) of all but `without`. */
#define EVERY UINT32_MAX
typedef struct choice {
    uint32_t device, without;
    part part;
    size_t left[DEVICES_MAX], wanted[DEVICES_MAX]; /* by device: rows that are still to come, to be taken */
    size_t devices, count;       /* that have such rows; to be taken of all together */
} choice;

static bool is_eligible(const rg_lesson *l, const choice *c, size_t row)
{
    uint32_t d = l->device[row];
    if ((c->device != EVERY && d != c->device) || d == c->without) return false;
    return c->part == PART_ALL || held_out(l->group[row]) == (c->part == PART_HELD);
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
static rg_err take(teaching *t, uint32_t device, uint32_t without, part which, size_t most, set *out)
{
    const rg_lesson *l = t->lesson;
    choice c = {.device = device, .without = without, .part = which};
    count_rows(l, most, &c);
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
        if (!is_eligible(l, &c, i)) continue;
        uint32_t d = l->device[i];
        bool taken = unit_of(i) * (double)c.left[d]-- < (double)c.wanted[d];
        if (!taken) continue;
        c.wanted[d]--;
        memcpy(out->x + out->count * columns, l->x + i * columns, columns * sizeof *l->x);
        out->y[out->count] = l->r[i];
        if (device == EVERY) /* as if one host had issued them all */
            out->y[out->count] -= (float)rg_host_shift(t->hosts[d], l->x + i * columns);
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
    m->host = d ? t->hosts[device] : 0;
    return RG_OK;
}

static rg_err count_devices(teaching *t)
{
    size_t all = t->lessons->device_count;
    if (all > DEVICES_MAX) return rg_fail(t->cx, RG_LIMIT, "%zu devices exceed %d", all, DEVICES_MAX);
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

/* Of latencies of rows: the host of each device, from rows that wait for it, twice as long as for the device.
 */
static rg_err find_hosts(teaching *t)
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
        if (count >= HOST_ROWS_MIN && flat) t->hosts[d] = middle;
    }
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

static rg_err test_known(teaching *t, uint32_t device, rg_report_card *card, errors *all)
{
    set taught, held;
    rg_trees_member m = {0};
    RG_TRY(take(t, device, EVERY, PART_TAUGHT, ROWS_MAX, &taught));
    RG_TRY(take(t, device, EVERY, PART_HELD, TESTED_MAX, &held));
    card->base = card->known = NAN;
    if (held.count < 5 || taught.count < ROWS_MIN) return RG_OK;
    RG_TRY(teach_member(t, &taught, false, &m));
    double base = 0, sum = 0;
    for (size_t i = 0; i < held.count; i++) {
        double error = rg_trees_sum(&m, held.x + i * t->lesson->features) - (double)held.y[i];
        base += ape(-(double)held.y[i]);
        sum += ape(error);
        RG_TRY(add_error(t, all, error));
    }
    card->base = base / (double)held.count;
    card->known = sum / (double)held.count;
    return RG_OK;
}

/* What each member says of the rows of a device that it has not seen, kept for all mixtures. */
typedef struct trial {
    set rows;
    float *pooled, *by[DEVICES_MAX];
    double distance2[DEVICES_MAX];
    double host;                 /* the middle of the others': residual.c */
} trial;

static rg_err sums_at(teaching *t, const rg_trees_member *m, const set *rows, float **out)
{
    *out = RG_NEW(&t->cx->arena, float, rows->count + 1);
    if (!*out) return rg_nomem(t->cx);
    for (size_t i = 0; i < rows->count; i++)
        (*out)[i] = (float)rg_trees_sum(m, rows->x + i * t->lesson->features);
    return RG_OK;
}

/* The middle of hosts of other devices, of the same stack where there are some. */
static double others_host(const teaching *t, uint32_t device, const double *traits)
{
    double hosts[DEVICES_MAX], middle = 0;
    for (int any = 0; any < 2 && middle == 0; any++) {
        size_t count = 0;
        for (size_t i = 0; i < t->device_count; i++) {
            uint32_t d = t->devices[i];
            if (!t->own[d] || d == device) continue;
            if (any || rg_traits_share_stack(t->own[d]->traits, traits)) hosts[count++] = t->hosts[d];
        }
        middle = rg_host_middle(hosts, count);
    }
    return middle;
}

static rg_err prepare(teaching *t, uint32_t device, trial *out)
{
    set others;
    rg_trees_member pooled = {0};
    double mine[RG_TRAITS];
    rg_traits(t->lessons->devices[device], mine);
    out->host = others_host(t, device, mine);
    RG_TRY(take(t, device, EVERY, PART_ALL, TESTED_MAX, &out->rows));
    RG_TRY(take(t, EVERY, device, PART_ALL, ROWS_MAX / 3, &others));
    RG_TRY(teach_member(t, &others, true, &pooled));
    RG_TRY(sums_at(t, &pooled, &out->rows, &out->pooled));
    for (size_t i = 0; i < t->device_count; i++) {
        uint32_t d = t->devices[i];
        out->distance2[i] = INFINITY; /* nobody to ask */
        if (!t->own[d] || d == device) continue;
        RG_TRY(sums_at(t, t->own[d], &out->rows, &out->by[i]));
        for (size_t k = 0; k < out->rows.count && out->host > 0; k++)
            out->by[i][k] -= (float)rg_host_shift(t->hosts[d], out->rows.x + k * t->lesson->features);
        out->distance2[i] = rg_traits_distance2(t->own[d]->traits, mine);
    }
    return RG_OK;
}

/* Members' weights for a device that was held out; the pooled one's beside them. */
typedef struct mix { double by[DEVICES_MAX], pooled, trust; } mix;

static mix mix_of(const teaching *t, const trial *seen, double reach, double pooled_weight, double trust)
{
    mix m = {.pooled = pooled_weight};
    double all = pooled_weight;
    rg_members_weigh(seen->distance2, t->device_count, reach, m.by);
    for (size_t i = 0; i < t->device_count; i++) all += m.by[i];
    m.trust = trust / all;
    return m;
}

static double mixed(const teaching *t, const trial *seen, size_t row, const mix *m)
{
    double shift = rg_host_shift(seen->host, seen->rows.x + row * t->lesson->features),
           sum = m->pooled * (double)seen->pooled[row];
    for (size_t i = 0; i < t->device_count; i++)
        if (m->by[i] > 0) sum += m->by[i] * (double)seen->by[i][row];
    return m->trust * sum + shift;
}

static double mean_error(const teaching *t, const trial *seen, double reach, double pooled_weight,
                         double trust)
{
    const mix m = mix_of(t, seen, reach, pooled_weight, trust);
    double sum = 0;
    for (size_t i = 0; i < seen->rows.count; i++)
        sum += ape(mixed(t, seen, i, &m) - (double)seen->rows.y[i]);
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
        const mix m = mix_of(t, one, trees->reach, trees->pooled_weight, trees->trust);
        cards[i].unknown = mean_error(t, one, trees->reach, trees->pooled_weight, trees->trust);
        for (size_t k = 0; k < one->rows.count; k++)
            RG_TRY(add_error(t, near ? &sister : &unknown, mixed(t, one, k, &m) - (double)one->rows.y[k]));
    }
    trees->devices = (int)t->device_count;
    trees->sister_spread = spread_of(sister.log, sister.count);
    trees->unknown_spread = spread_of(unknown.log, unknown.count);
    trees->unknown_spread = fmax(trees->unknown_spread, trees->sister_spread);
    if (trees->sister_spread == 0) trees->sister_spread = trees->unknown_spread;
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
    RG_TRY(take(t, EVERY, EVERY, PART_ALL, ROWS_MAX / 3, &rows));
    RG_TRY(name_member(t, EVERY, m));
    RG_TRY(teach_member(t, &rows, true, m));
    for (size_t i = 0; i < t->device_count; i++) {
        if (t->rows[t->devices[i]] < ROWS_MIN) continue;
        m = &trees->members[trees->member_count++];
        RG_TRY(take(t, t->devices[i], EVERY, PART_ALL, ROWS_MAX, &rows));
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
        const double parts[] = {cards[i].base, cards[i].known, cards[i].unknown};
        all->rows += cards[i].rows;
        for (int k = 0; k < 3; k++)
            if (!isnan(parts[k])) sum[k] += parts[k], n[k]++;
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
    errors known = {0};
    RG_TRY(count_devices(t));
    RG_TRY(find_hosts(t));
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
        RG_TRY(test_known(t, t->devices[i], card, &known));
    }
    t->trees->known_spread = spread_of(known.log, known.count);
    /* with one device there is nothing to choose by: what it says of others is half believed (assumed) */
    t->trees->reach = 2, t->trees->pooled_weight = 1, t->trees->trust = 0.5;
    if (t->device_count > 1) RG_TRY(test_unknown(t, out->cards + 1));
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
