/* sitting.c - kinds of measurement whose rows are points of curves: rows put into curves, and what of a curve
 * its forecast may ask to be told.
 *
 * The rule: of the curve under examination the columns of its kind, and what was measured at as many settings
 * as there are probes. Of other curves of the same device everything, where the reader says that they are
 * known; its own family can be kept out. Of other devices what is of another family.
 */
#include "base/statistics.h"
#include "learn/evaluate.h"

#include <math.h>
#include <string.h>

struct rg_sitting {
    rg_evaluation *e;
    rg_curve *own;
    const rg_curve **known; size_t known_count, abroad_count;
    int probes, left;
};

/* ---- what a forecast may ask ---- */

size_t rg_sitting_curves(const rg_sitting *s) { return 1 + s->known_count; }
size_t rg_sitting_abroad(const rg_sitting *s) { return s->abroad_count; }
int rg_sitting_probes(const rg_sitting *s) { return s->probes; }

static const rg_curve *curve_at(const rg_sitting *s, size_t curve)
{
    return curve ? s->known[curve - 1] : s->own;
}

size_t rg_sitting_count(const rg_sitting *s, size_t curve) { return curve_at(s, curve)->count; }

const rg_exam *rg_sitting_exam(const rg_sitting *s, size_t curve, size_t setting)
{
    return &curve_at(s, curve)->settings[setting].exam;
}

bool rg_sitting_dirty(const rg_sitting *s, size_t curve, size_t setting)
{
    return curve_at(s, curve)->settings[setting].dirty;
}

bool rg_sitting_measured(rg_sitting *s, size_t curve, size_t setting, double *out)
{
    const rg_setting *at = &curve_at(s, curve)->settings[setting];
    if (curve && at->dirty) return false;
    if (!curve && !at->probe && s->left == 0) return false;
    if (!curve && !at->probe) {
        s->own->settings[setting].probe = true;
        s->left--;
    }
    memcpy(out, at->measured, sizeof at->measured);
    return true;
}

void rg_sitting_miss(rg_sitting *s, size_t setting, const char *why)
{
    s->own->settings[setting].error = why;
}

/* ---- rows into curves ---- */

typedef struct gathering {
    rg_ctx *cx;
    rg_evaluation *e;
    const rg_str *keys; int columns;
    const uint32_t *case_of;
    rg_exam *exams;              /* of the rows of one curve */
    rg_verdict **rows;
    double *values;
} gathering;

static rg_exam exam_of(const gathering *g, size_t verdict)
{
    return (rg_exam){.judge = g->e->judge, .cells = &g->keys[g->case_of[verdict] * (size_t)g->columns]};
}

static rg_err number_of(gathering *g, rg_map *map, rg_text *key, uint32_t *count, uint32_t *out)
{
    rg_str name = {key->data, key->size};
    if (key->failed) return rg_nomem(g->cx);
    *out = rg_map_get(map, name);
    if (!*out && !rg_map_put(map, name, *out = ++*count)) return rg_nomem(g->cx);
    --*out;
    return RG_OK;
}

static rg_err number_rows(gathering *g)
{
    rg_evaluation *e = g->e;
    rg_map curves, settings;
    uint32_t curve_count = 0, setting_count = 0;
    rg_map_init(&curves, &g->cx->arena);
    rg_map_init(&settings, &g->cx->arena);
    for (size_t i = 0; i < e->count; i++) {
        rg_exam exam = exam_of(g, i);
        rg_text key;
        rg_text_init(&key, &g->cx->arena);
        for (int k = 0; k < RG_JUDGE_KEYS && e->judge->curve_by[k]; k++) {
            rg_text_put(&key, rg_exam_text(&exam, e->judge->curve_by[k]));
            rg_text_char(&key, 0x1f);
        }
        RG_TRY(number_of(g, &curves, &key, &curve_count, &e->verdicts[i].curve));
        if (e->judge->setting) rg_text_put(&key, rg_exam_text(&exam, e->judge->setting));
        else rg_text_printf(&key, "%u", g->case_of[i]);
        RG_TRY(number_of(g, &settings, &key, &setting_count, &e->verdicts[i].setting));
    }
    e->curve_count = curve_count;
    return RG_OK;
}

/* Settings are counted anew in each curve. */
static rg_err place_rows(gathering *g)
{
    rg_evaluation *e = g->e;
    uint32_t *first = RG_NEW(&g->cx->arena, uint32_t, e->count + 1); /* by setting: 1 + its number */
    e->curves = RG_NEW(&e->arena, rg_curve, e->curve_count + 1);
    if (!first || !e->curves) return rg_nomem(g->cx);
    for (size_t i = 0; i < e->count; i++) e->curves[e->verdicts[i].curve].row_count++;
    for (size_t c = 0; c < e->curve_count; c++) {
        rg_curve *curve = &e->curves[c];
        curve->rows = RG_NEW(&e->arena, uint32_t, curve->row_count);
        curve->settings = RG_NEW(&e->arena, rg_setting, curve->row_count);
        if (!curve->rows || !curve->settings) return rg_nomem(g->cx);
        curve->row_count = 0;
    }
    for (size_t i = 0; i < e->count; i++) {
        rg_verdict *v = &e->verdicts[i];
        rg_curve *curve = &e->curves[v->curve];
        if (!curve->row_count) curve->group = v->group;
        curve->rows[curve->row_count++] = (uint32_t)i;
        if (!first[v->setting]) {
            rg_setting *s = &curve->settings[curve->count];
            first[v->setting] = ++curve->count;
            *s = (rg_setting){.exam = exam_of(g, i), .at = NAN};
            if (e->judge->setting) s->at = rg_exam_real(&s->exam, e->judge->setting);
        }
        v->setting = first[v->setting] - 1;
    }
    return RG_OK;
}

static rg_err name_dirty(gathering *g, rg_curve *curve)
{
    for (uint32_t i = 0; i < curve->row_count; i++) {
        g->exams[i] = exam_of(g, curve->rows[i]);
        g->rows[i] = &g->e->verdicts[curve->rows[i]];
    }
    return g->e->judge->clean(g->cx, g->exams, g->rows, curve->row_count, &curve->note);
}

/* Medians of the clean rows; where each is dirty, of all. */
static void find_medians(gathering *g, rg_curve *curve)
{
    const rg_evaluation *e = g->e;
    for (uint32_t i = 0; i < curve->count; i++) curve->settings[i].dirty = true;
    for (uint32_t i = 0; i < curve->row_count; i++) {
        const rg_verdict *v = &e->verdicts[curve->rows[i]];
        if (!v->dirty) curve->settings[v->setting].dirty = false;
    }
    for (uint32_t s = 0; s < curve->count; s++)
        for (int q = 0; q < RG_JUDGE_QUANTITIES; q++) {
            size_t n = 0;
            for (uint32_t i = 0; i < curve->row_count; i++) {
                const rg_verdict *v = &e->verdicts[curve->rows[i]];
                bool counts = v->setting == s && (!v->dirty || curve->settings[s].dirty);
                if (counts && v->measured[q] > 0) g->values[n++] = v->measured[q];
            }
            rg_sort_ascending(g->values, n);
            curve->settings[s].measured[q] = n ? rg_percentile(g->values, n, 0.5) : NAN;
            curve->settings[s].forecast[q] = NAN;
        }
}

rg_err rg_curves_make(rg_ctx *cx, rg_evaluation *e, const rg_str *keys, int columns, const uint32_t *case_of)
{
    gathering g = {cx, e, keys, columns, case_of, RG_NEW(&cx->arena, rg_exam, e->count + 1),
                   RG_NEW(&cx->arena, rg_verdict *, e->count + 1), RG_NEW(&cx->arena, double, e->count + 1)};
    if (!g.exams || !g.rows || !g.values) return rg_nomem(cx);
    RG_TRY(number_rows(&g));
    RG_TRY(place_rows(&g));
    for (size_t c = 0; c < e->curve_count; c++) {
        if (e->judge->clean) RG_TRY(name_dirty(&g, &e->curves[c]));
        find_medians(&g, &e->curves[c]);
    }
    return RG_OK;
}

/* ---- one curve examined ---- */

enum { KNOWN_NONE, KNOWN_KERNELS, KNOWN_FAMILIES, KNOWN_DEVICES };

static int known_of(const char *name)
{
    static const char *const names[] = {"none", "kernels", "families", "devices"};
    for (int i = 0; i < (int)RG_COUNT(names); i++)
        if (name && strcmp(name, names[i]) == 0) return i;
    return name ? -1 : KNOWN_NONE;
}

static const rg_baseline *baseline_of(const rg_judge *judge, const char *name)
{
    for (int i = 0; i < RG_JUDGE_BASELINES && judge->baselines[i].name; i++)
        if (strcmp(judge->baselines[i].name, name) == 0) return &judge->baselines[i];
    return NULL;
}

rg_err rg_sitting_check(rg_ctx *cx, const rg_judge *judge, const rg_evaluate_opt *opt)
{
    rg_text names;
    if (opt->probes < 0) return rg_fail(cx, RG_USAGE, "--probes: %d is negative", opt->probes);
    if (opt->probes && !judge->curve)
        return rg_fail(cx, RG_USAGE, "--probes: rows of kind %s are no points of a curve", judge->name);
    if (known_of(opt->known) < 0)
        return rg_fail(cx, RG_USAGE, "--known: '%s' is none of none, kernels, families, devices", opt->known);
    const rg_baseline *baseline = opt->baseline ? baseline_of(judge, opt->baseline) : NULL;
    if (baseline && baseline->ready)
        RG_TRY_NOTE(cx, baseline->ready(cx), "--baseline %s", baseline->name);
    if (!opt->baseline || baseline) return RG_OK;
    rg_text_init(&names, &cx->arena);
    for (int i = 0; i < RG_JUDGE_BASELINES && judge->baselines[i].name; i++)
        rg_text_printf(&names, "%s%s", i ? ", " : "", judge->baselines[i].name);
    if (names.failed) return rg_nomem(cx);
    return rg_fail(cx, RG_USAGE, "--baseline: '%s' is none of kind %s; it has %s", opt->baseline, judge->name,
                   names.size ? names.data : "none");
}

static bool is_known(const rg_evaluation *e, int known, const rg_curve *own, const rg_curve *other)
{
    const rg_group *a = &e->groups[own->group], *b = &e->groups[other->group];
    if (known == KNOWN_NONE || known == KNOWN_DEVICES || other == own || !rg_str_eq(a->device, b->device))
        return false;
    return known == KNOWN_KERNELS || !rg_str_eq(a->family, b->family);
}

/* Of other devices, what is of another family: the same kernel there is hardly another one. */
static bool is_abroad(const rg_evaluation *e, int known, const rg_curve *own, const rg_curve *other)
{
    const rg_group *a = &e->groups[own->group], *b = &e->groups[other->group];
    return known != KNOWN_NONE && !rg_str_eq(a->device, b->device) && !rg_str_eq(a->family, b->family);
}

rg_err rg_curve_sit(rg_ctx *cx, rg_evaluation *e, const rg_evaluate_opt *opt, size_t index)
{
    rg_curve *own = &e->curves[index];
    rg_sitting s = {.e = e, .own = own, .probes = opt->probes, .left = opt->probes,
                    .known = RG_NEW(&cx->arena, const rg_curve *, e->curve_count)};
    double (*out)[RG_JUDGE_QUANTITIES] = (void *)RG_NEW(&cx->arena, double,
                                                        own->count * RG_JUDGE_QUANTITIES);
    if (!s.known || !out) return rg_nomem(cx);
    for (size_t i = 0; i < e->curve_count; i++)
        if (is_known(e, known_of(opt->known), own, &e->curves[i])) s.known[s.known_count++] = &e->curves[i];
    for (size_t i = 0; i < e->curve_count; i++)
        if (is_abroad(e, known_of(opt->known), own, &e->curves[i]))
            s.known[s.known_count + s.abroad_count++] = &e->curves[i];
    for (uint32_t i = 0; i < own->count; i++)
        for (int q = 0; q < RG_JUDGE_QUANTITIES; q++) out[i][q] = NAN;
    const rg_baseline *baseline = opt->baseline ? baseline_of(e->judge, opt->baseline) : NULL;
    RG_TRY((baseline ? baseline->forecast : e->judge->curve)(cx, &s, out));
    for (uint32_t i = 0; i < own->count; i++) memcpy(own->settings[i].forecast, out[i], sizeof *out);
    return RG_OK;
}
