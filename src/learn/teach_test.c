/* teach_test.c - how a key does on what was held out of it, and what is chosen by that.
 *
 *     unknown   each device in turn answered by the others: all pairs of a reach and a weight of the pooled
 *               member are tried, and how far the answer is trusted
 *     known     members taught without a fold of groups, tested on it: the device's own together with the
 *               pooled one, whose share is the best of those tried. Neither has seen the fold. Of whole
 *               inferences also: how far both are believed against the middle of what they were taught
 *
 * What was held out says how wide the intervals of forecasts are, for each device by its own rows where it is
 * known, and how many they hold of what had no say in them (conformal.c).
 */
#include "learn/teaching.h"

#include <math.h>
#include <string.h>

static const double reaches[] = {1, 2, 4, 8}, pooled_weights[] = {0.01, 0.1, 0.5, 2},
                    trusts[] = {0, 0.25, 0.5, 0.75, 1}, lines[] = {0, 0.25, 0.5, 0.75, 1},
                    beliefs[] = {1, 0.75, 0.5, 0.25},
                    pooled_shares[] = {0, 0.2, 0.4, 0.6, 0.8, 1};

/* Asking two members takes longer than asking one, and a line is one thing more: what is added has to better
 * the error by so much. */
#define GAIN_LEAST 0.99

static double ape(double error) { return fabs(expm1(error)); } /* error: forecast - measured, logarithms */

/* What was measured is off by that much where the row is, e: lesson.h. */
static double of_measured(rg_lesson_part part, double e)
{
    return part.rest > 0 ? log((double)part.own * exp(e) + (double)part.rest) : e;
}

static rg_err add_held(rg_teaching *t, rg_held_rows *to, rg_held held)
{
    if (!RG_GROW(&t->cx->arena, to->items, to->count, to->capacity)) return rg_nomem(t->cx);
    to->items[to->count++] = held;
    return RG_OK;
}

/* What the parts of a member say, and the middle of what it was taught. */
typedef struct parts { float trees, line, middle; } parts;

static parts parts_of(const rg_teaching *t, const rg_trees_member *m, const float *x)
{
    double line = m->start + rg_trees_line(t->trees, m, x);
    return (parts){(float)(rg_trees_sum(m, x) - m->start), (float)line, (float)m->middle};
}

static double say(const rg_teaching *t, parts p)
{
    double said = (1 - t->line) * (double)p.trees + t->line * (double)p.line;
    return t->belief * said + (1 - t->belief) * (double)p.middle;
}

/* ---- devices that were not measured ---- */

/* What each member says of the rows of a device that it has not seen, kept for all mixtures. */
typedef struct trial {
    rg_teach_set rows;
    float *pooled, *by[RG_TEACH_DEVICES_MAX];
    double distance2[RG_TEACH_DEVICES_MAX];
    double host;                 /* the middle of the others': residual.c */
} trial;

static rg_err sums_at(rg_teaching *t, const rg_trees_member *m, const rg_teach_set *rows, float **out)
{
    *out = RG_NEW(&t->cx->arena, float, rows->count + 1);
    if (!*out) return rg_nomem(t->cx);
    for (size_t i = 0; i < rows->count; i++)
        (*out)[i] = (float)say(t, parts_of(t, m, rows->x + i * t->lesson->features));
    return RG_OK;
}

/* The middle of hosts of other devices, of the same stack where there are some. */
static double others_host(const rg_teaching *t, uint32_t device, const double *traits)
{
    double hosts[RG_TEACH_DEVICES_MAX], middle = 0;
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

static rg_err prepare(rg_teaching *t, uint32_t device, trial *out)
{
    rg_teach_set others;
    rg_trees_member pooled = {0};
    double mine[RG_TRAITS];
    rg_traits(t->lessons->devices[device], mine);
    out->host = others_host(t, device, mine);
    RG_TRY(
        rg_teach_take(t, (rg_teach_wish){device, RG_EVERY, RG_PART_ALL, 0}, RG_TEACH_TESTED_MAX, &out->rows));
    RG_TRY(rg_teach_take(t, (rg_teach_wish){RG_EVERY, device, RG_PART_ALL, 0}, RG_TEACH_POOLED_MAX, &others));
    RG_TRY(rg_teach_member(t, &others, true, &pooled));
    RG_TRY(sums_at(t, &pooled, &out->rows, &out->pooled));
    for (size_t i = 0; i < t->device_count; i++) {
        uint32_t d = t->devices[i];
        out->distance2[i] = INFINITY; /* nobody to ask */
        if (!t->own[d] || d == device) continue;
        RG_TRY(sums_at(t, t->own[d], &out->rows, &out->by[i]));
        out->distance2[i] = rg_traits_distance2(t->own[d]->traits, mine);
    }
    return RG_OK;
}

typedef struct mixing { double reach, pooled_weight, trust; } mixing;

/* NOBODY, or one of t->devices that must not have a say: it is being tested. */
#define NOBODY SIZE_MAX

/* Members' weights for a device that was held out; the pooled one's beside them. They sum to the trust. */
typedef struct mix { double by[RG_TEACH_DEVICES_MAX], pooled; } mix;

static mix mix_of(const rg_teaching *t, const trial *seen, mixing m, size_t without)
{
    mix out = {.pooled = m.pooled_weight};
    double distance2[RG_TEACH_DEVICES_MAX], all = m.pooled_weight;
    for (size_t i = 0; i < t->device_count; i++) distance2[i] = i == without ? INFINITY : seen->distance2[i];
    rg_members_weigh(distance2, t->device_count, m.reach, out.by);
    for (size_t i = 0; i < t->device_count; i++) all += out.by[i];
    for (size_t i = 0; i < t->device_count; i++) out.by[i] *= m.trust / all;
    out.pooled *= m.trust / all;
    return out;
}

static double mixed(const rg_teaching *t, const trial *seen, size_t row, const mix *m)
{
    double shift = rg_host_shift(seen->host, seen->rows.x + row * t->lesson->features),
           sum = m->pooled * (double)seen->pooled[row];
    for (size_t i = 0; i < t->device_count; i++)
        if (m->by[i] > 0) sum += m->by[i] * (double)seen->by[i][row];
    return sum + shift;
}

static double missed(const rg_teaching *t, const trial *seen, size_t row, const mix *m)
{
    double measured = (double)seen->rows.y[row] + (double)seen->rows.host[row];
    return of_measured(seen->rows.part[row], mixed(t, seen, row, m) - measured);
}

static double mean_error(const rg_teaching *t, const trial *seen, mixing m, size_t without)
{
    const mix weights = mix_of(t, seen, m, without);
    double sum = 0;
    for (size_t i = 0; i < seen->rows.count; i++)
        sum += ape(missed(t, seen, i, &weights));
    return sum / (double)seen->rows.count;
}

/* The mixture with the least error, devices weighted by their claim. */
static mixing choose_mixture(const rg_teaching *t, trial *const *trials, size_t without)
{
    double least = INFINITY;
    mixing best = {reaches[0], pooled_weights[0], trusts[0]};
    for (size_t r = 0; r < RG_COUNT(reaches); r++)
        for (size_t w = 0; w < RG_COUNT(pooled_weights); w++)
            for (size_t k = 0; k < RG_COUNT(trusts); k++) {
                mixing m = {reaches[r], pooled_weights[w], trusts[k]};
                double sum = 0;
                for (size_t i = 0; i < t->device_count; i++)
                    if (i != without)
                        sum += rg_teach_claim(t->rows[t->devices[i]]) * mean_error(t, trials[i], m, without);
                if (sum < least) least = sum, best = m;
            }
    return best;
}

static bool has_sister(const rg_teaching *t, size_t device, size_t without)
{
    const char *architecture = t->lessons->devices[t->devices[device]]->architecture;
    for (size_t i = 0; i < t->device_count && architecture; i++) {
        const char *other = t->lessons->devices[t->devices[i]]->architecture;
        if (i != device && i != without && other && strcmp(other, architecture) == 0) return true;
    }
    return false;
}

static rg_err add_trial(rg_teaching *t, const trial *seen, size_t device, mixing m, size_t without,
                        rg_held_rows *to)
{
    const mix weights = mix_of(t, seen, m, without);
    for (size_t i = 0; i < seen->rows.count; i++)
        RG_TRY(add_held(t, to, (rg_held){t->devices[device], seen->rows.group[i],
                                         missed(t, seen, i, &weights), (double)seen->rows.part[i].size}));
    return RG_OK;
}

/* The spreads that all devices but one say. Sisters have their own where there are enough of them; a pair
 * says nothing of others. */
enum { SISTERS_LEAST = 5 };
typedef struct spreads { double sister, unknown; } spreads;

static rg_err find_spreads(rg_teaching *t, trial *const *trials, mixing m, size_t without, spreads *out)
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
static rg_err test_interval(rg_teaching *t, trial *const *trials, size_t device, rg_held_score *out)
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

rg_err rg_teach_test_unknown(rg_teaching *t, rg_report_card *cards, rg_held_rows *all)
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

/* ---- known devices ---- */

/* Members that have not seen a fold, and what they say of its rows, device by device. */
typedef struct class { rg_trees_member pooled, *own[RG_TEACH_DEVICES_MAX]; } class;
typedef struct answers {
    parts *own, *pooled;
    float *y, *host;
    uint64_t *group;
    rg_lesson_part *part;
    size_t count;
} answers;

static rg_err teach_fold(rg_teaching *t, int fold, class *c)
{
    rg_teach_set rows;
    *c = (class){0};
    if (t->device_count > 1) {
        RG_TRY(rg_teach_take(t, (rg_teach_wish){RG_EVERY, RG_EVERY, RG_PART_TAUGHT, fold},
                             RG_TEACH_POOLED_MAX, &rows));
        RG_TRY(rg_teach_member(t, &rows, true, &c->pooled));
    }
    for (size_t i = 0; i < t->device_count; i++) {
        if (!rg_teach_is_tested(t, t->devices[i], fold)) continue;
        RG_TRY(rg_teach_take(t, (rg_teach_wish){t->devices[i], RG_EVERY, RG_PART_TAUGHT, fold},
                             RG_TEACH_ROWS_MAX, &rows));
        if (rows.count < RG_TEACH_ROWS_MIN) continue;
        c->own[i] = RG_NEW(&t->cx->arena, rg_trees_member, 1);
        if (!c->own[i]) return rg_nomem(t->cx);
        RG_TRY(rg_teach_member(t, &rows, false, c->own[i]));
    }
    return RG_OK;
}

static rg_err ask_fold(rg_teaching *t, int fold, answers *by_device)
{
    class c;
    RG_TRY(teach_fold(t, fold, &c));
    for (size_t d = 0; d < t->device_count; d++) {
        answers *a = &by_device[d];
        rg_teach_set held;
        if (!c.own[d] || !rg_teach_is_tested(t, t->devices[d], fold)) continue;
        RG_TRY(rg_teach_take(t, (rg_teach_wish){t->devices[d], RG_EVERY, RG_PART_HELD, fold},
                             RG_TEACH_TESTED_MAX, &held));
        for (size_t i = 0; i < held.count; i++, a->count++) {
            const float *x = held.x + i * t->lesson->features;
            a->own[a->count] = parts_of(t, c.own[d], x);
            a->pooled[a->count] = t->device_count > 1 ? parts_of(t, &c.pooled, x) : (parts){0, 0, 0};
            a->y[a->count] = held.y[i];
            a->host[a->count] = held.host[i];
            a->group[a->count] = held.group[i];
            a->part[a->count] = held.part[i];
        }
    }
    return RG_OK;
}

static double known_error(const rg_teaching *t, const answers *a, double share, size_t i)
{
    double said = share * say(t, a->pooled[i]) + (1 - share) * say(t, a->own[i]);
    return of_measured(a->part[i], said - (double)a->y[i]);
}

/* Devices weighted equally. */
static double sum_known(const rg_teaching *t, const answers *by_device, double share)
{
    double sum = 0;
    for (size_t d = 0; d < t->device_count; d++)
        for (size_t i = 0; i < by_device[d].count; i++)
            sum += ape(known_error(t, &by_device[d], share, i)) / (double)by_device[d].count;
    return sum;
}

/* A share of the pooled member, one of the line, and how far they are believed. */
static void choose_share(rg_teaching *t, const answers *by_device)
{
    double least = INFINITY, line = 0, belief = 1;
    bool whole = t->lesson->of == RG_OF_WHOLE;
    size_t shares = t->device_count > 1 ? RG_COUNT(pooled_shares) : 1;
    for (size_t l = 0; l < (whole ? RG_COUNT(lines) : 1); l++)
        for (size_t b = 0; b < (whole ? RG_COUNT(beliefs) : 1); b++)
            for (size_t w = 0; w < shares; w++) {
                t->line = lines[l], t->belief = beliefs[b];
                double is = sum_known(t, by_device, pooled_shares[w]);
                if (l) is /= GAIN_LEAST;
                if (w) is /= GAIN_LEAST;
                if (is >= least) continue;
                least = is, line = lines[l], belief = beliefs[b];
                t->trees->pooled_share = pooled_shares[w];
            }
    t->line = line, t->belief = belief;
}

/* A device has its own spread where it has rows enough. */
static rg_err grade_known(rg_teaching *t, size_t device, const answers *a, rg_report_card *card,
                          rg_held_rows *all)
{
    rg_held_rows base = {0};
    uint32_t d = t->devices[device];
    size_t before = all->count;
    if (a->count < 5) return RG_OK;
    for (size_t i = 0; i < a->count; i++) {
        double size = (double)a->part[i].size, measured = (double)a->y[i] + (double)a->host[i];
        double is = known_error(t, a, t->trees->pooled_share, i);
        RG_TRY(add_held(t, &base, (rg_held){d, a->group[i], of_measured(a->part[i], -measured), size}));
        RG_TRY(add_held(t, all, (rg_held){d, a->group[i], is, size}));
    }
    const rg_held *rows = all->items + before;
    RG_TRY(rg_held_score_of(t->cx, base.items, base.count, 0, &card->base));
    RG_TRY(rg_held_cross(t->cx, rows, a->count, &card->known));
    return t->own[d] ? rg_conformal_spread(t->cx, rows, a->count, &t->own[d]->spread) : RG_OK;
}

static rg_err make_answers(rg_teaching *t, answers **out)
{
    rg_arena *arena = &t->cx->arena;
    *out = RG_NEW(arena, answers, t->device_count + 1);
    if (!*out) return rg_nomem(t->cx);
    for (size_t d = 0; d < t->device_count; d++) {
        answers *a = &(*out)[d];
        size_t most = t->rows[t->devices[d]] + 1;
        *a = (answers){RG_NEW(arena, parts, most),    RG_NEW(arena, parts, most),
                       RG_NEW(arena, float, most),    RG_NEW(arena, float, most),
                       RG_NEW(arena, uint64_t, most), RG_NEW(arena, rg_lesson_part, most), 0};
        if (!a->own || !a->pooled || !a->y || !a->host || !a->group || !a->part) return rg_nomem(t->cx);
    }
    return RG_OK;
}

rg_err rg_teach_test_known(rg_teaching *t, rg_report_card *cards, rg_held_rows *all)
{
    answers *by_device;
    RG_TRY(make_answers(t, &by_device));
    for (int k = 0; k < t->folds; k++) {
        bool any = false;
        for (size_t d = 0; d < t->device_count; d++) any |= rg_teach_is_tested(t, t->devices[d], k);
        if (any) RG_TRY(ask_fold(t, k, by_device));
    }
    choose_share(t, by_device);
    for (size_t d = 0; d < t->device_count; d++)
        RG_TRY(grade_known(t, d, &by_device[d], &cards[d], all));
    return rg_conformal_spread(t->cx, all->items, all->count, &t->trees->known_spread);
}
