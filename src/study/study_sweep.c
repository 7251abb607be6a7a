/* study_sweep.c - "ridge.sweep/1": the points of a study as curves over what was varied.
 *
 * The variable is the clock where clocks were asked for, else the batch, else the sequence. Everything else
 * names the curve. points[] holds what compare's results hold; curves[] what each of them tells: where
 * throughput stops growing, which clock is best for which aim.
 */
#include "report/doc.h"
#include "study/study.h"

#include <math.h>
#include <string.h>

/* More inputs at once are worth it until throughput is within a tenth of what the largest batch reaches: a
 * common rule of thumb, stated in the report. */
#define KNEE_SHARE 0.9

enum { SPOKEN_CURVES = 3 };

typedef struct variable { const char *path, *heading; rg_unit unit; bool log; } variable;

static const variable clock_hz = {"core_clock_hz", "core clock", RG_UNIT_HERTZ, false};
static const variable batch = {"batch", "batch", RG_UNIT_COUNT, true};
static const variable seq = {"seq", "sequence", RG_UNIT_COUNT, true};

typedef struct sweeping {
    rg_ctx *cx;
    rg_doc *doc;
    const rg_study *s;
    const variable *x;
    uint32_t *next;              /* by point: the next one of its curve, 0 for none */
    bool *first;                 /* by point: a curve begins with it */
    bool spoken;                 /* few curves: what they tell is said in sentences, else in a table */
} sweeping;

static const variable *variable_of(const rg_study *s)
{
    if (s->clocks) return &clock_hz;
    return s->batches.count > 1 || s->seqs.count < 2 ? &batch : &seq;
}

static bool same_curve(const sweeping *w, const rg_point *a, const rg_point *b)
{
    return a->precision == b->precision && (w->x == &batch || a->batch == b->batch) &&
           (w->x == &seq || a->seq == b->seq) && (w->x == &clock_hz || a->core_hz == b->core_hz);
}

/* The points of one machine follow each other (study.h); no curve goes on behind them. */
static bool same_machine(const rg_point *a, const rg_point *b)
{
    return a->model == b->model && a->device == b->device && a->runtime == b->runtime;
}

/* Points of a curve do not follow each other where two things vary; each is chained to the next of its own.
 */
static rg_err chain(sweeping *w)
{
    const rg_study *s = w->s;
    uint32_t *last = RG_NEW(&w->cx->arena, uint32_t, s->point_count + 1), count = 0;
    size_t curves = 0;
    w->next = RG_NEW(&w->cx->arena, uint32_t, s->point_count);
    w->first = RG_NEW(&w->cx->arena, bool, s->point_count);
    if (!last || !w->next || !w->first) return rg_nomem(w->cx);
    for (uint32_t i = 0; i < s->point_count; i++) {
        const rg_point *p = &s->points[i];
        if (p->err) continue;
        if (count && !same_machine(&s->points[last[0]], p)) count = 0;
        uint32_t k = count;
        while (k > 0 && !same_curve(w, &s->points[last[k - 1]], p)) k--;
        if (k) w->next[last[k - 1]] = i;
        else w->first[i] = true, curves++;
        if (k) last[k - 1] = i;
        else last[count++] = i;
    }
    w->spoken = curves <= SPOKEN_CURVES;
    return RG_OK;
}

/* What sets a curve apart from the others: what all have in common is in the title. NULL: no memory. */
static const char *curve_name(const sweeping *w, const rg_point *p)
{
    const rg_study *s = w->s;
    rg_text name;
    rg_text_init(&name, &w->cx->arena);
    const struct { const char *word; bool differs; } words[] = {
        {s->labels[p->model], s->model_count > 1},
        {s->devices[p->device]->id, s->device_count > 1},
        {s->runtimes[p->runtime]->id, s->runtime_count > 1},
        {s->precisions[p->precision], s->precision_count > 1},
    };
    for (size_t i = 0; i < RG_COUNT(words); i++)
        if (words[i].differs) rg_text_printf(&name, "%s%s", name.size ? ", " : "", words[i].word);
    if (w->x != &batch && s->batches.count > 1)
        rg_text_printf(&name, "%sbatch %.0f", name.size ? ", " : "", s->batches.values[p->batch]);
    if (w->x != &seq && s->seqs.count > 1)
        rg_text_printf(&name, "%ssequence %.0f", name.size ? ", " : "", s->seqs.values[p->seq]);
    if (!name.size) rg_text_printf(&name, "%s on %s", s->labels[p->model], s->devices[p->device]->id);
    return name.failed ? NULL : name.data;
}

/* ---- the tree ---- */

static void add_point(const sweeping *w, rg_item *points, const rg_point *p, const char *curve)
{
    const rg_study *s = w->s;
    rg_doc *d = w->doc;
    double inputs = fmax((double)p->inputs, 1), t = p->latency_s.value, e = p->energy_j.value;
    rg_item *r = rg_doc_object(d, points, NULL);
    rg_doc_str(d, r, "curve", curve);
    rg_doc_str(d, r, "model", s->labels[p->model]);
    rg_doc_str(d, r, "device", s->devices[p->device]->id);
    rg_doc_str(d, r, "runtime", s->runtimes[p->runtime]->id);
    rg_doc_str(d, r, "precision", s->precisions[p->precision]);
    rg_doc_int(d, r, "batch", p->inputs);
    if (s->seqs.count) rg_doc_real(d, r, "seq", s->seqs.values[p->seq]);
    rg_doc_real(d, r, "core_clock_hz", p->clock_hz);
    if (s->clocks) rg_doc_real(d, r, "asked_clock_hz", p->core_hz);
    rg_doc_quantity(d, r, "latency_s", p->latency_s);
    rg_doc_real(d, r, "throughput_per_s", p->throughput_per_s);
    rg_doc_quantity(d, r, "energy_j", p->energy_j);
    rg_doc_real(d, r, "energy_per_input_j", e / inputs);
    rg_doc_real(d, r, "edp_js", e * t);
    rg_doc_quantity(d, r, "power_w", p->power_w);
    rg_doc_quantity(d, r, "peak_memory_byte", p->peak_memory_byte);
    rg_doc_flag(d, r, "fits", p->fits);
    rg_doc_str(d, r, "bound", p->bound);
    rg_doc_int(d, r, "checks_failed", p->checks_failed);
}

/* The points of a curve as arrays, for what looks at it as a whole. */
typedef struct curve {
    double *x, *time_s, *energy_j, *throughput;
    const rg_point **points;
    size_t count;
    const char *name;
} curve;

static rg_err collect(const sweeping *w, uint32_t first, curve *out)
{
    const rg_study *s = w->s;
    size_t count = 0;
    for (uint32_t i = first, again = 1; again; i = w->next[i]) count++, again = w->next[i];
    rg_arena *arena = &w->cx->arena;
    *out = (curve){RG_NEW(arena, double, count), RG_NEW(arena, double, count), RG_NEW(arena, double, count),
                   RG_NEW(arena, double, count), RG_NEW(arena, const rg_point *, count), 0, NULL};
    if (!out->x || !out->time_s || !out->energy_j || !out->throughput || !out->points) return rg_nomem(w->cx);
    for (uint32_t i = first, again = 1; again; i = w->next[i]) {
        const rg_point *p = &s->points[i];
        size_t k = out->count++;
        out->x[k] = w->x == &clock_hz ? p->clock_hz
                    : w->x == &batch  ? (double)p->inputs
                                      : s->seqs.values[p->seq];
        out->time_s[k] = p->latency_s.value;
        out->energy_j[k] = p->energy_j.value;
        out->throughput[k] = p->throughput_per_s;
        out->points[k] = p;
        again = w->next[i];
    }
    return RG_OK;
}

static double energy_per_input(const curve *c, size_t k) { return c->energy_j[k] / c->x[k]; }
static double slowness(const curve *c, size_t k) { return -c->throughput[k]; }
static double smallness(const curve *c, size_t k) { return -c->x[k]; }

/* Of the points that fit, the one with the least of a figure; SIZE_MAX: none fits. */
static size_t least(const curve *c, double (*figure)(const curve *c, size_t k))
{
    size_t best = SIZE_MAX;
    for (size_t k = 0; k < c->count; k++)
        if (c->points[k]->fits && (best == SIZE_MAX || figure(c, k) < figure(c, best))) best = k;
    return best;
}

/* The smallest batch that reaches most of the throughput, the thriftiest, and the largest that fits. */
static void tell_batch(const sweeping *w, rg_item *item, const curve *c)
{
    size_t knee = least(c, slowness), thrift = least(c, energy_per_input), largest = least(c, smallness);
    char rate[32], time[32], joules[32];
    if (knee == SIZE_MAX) {
        if (w->spoken) rg_doc_point(w->doc, "%s: no batch fits", c->name);
        return;
    }
    double enough = KNEE_SHARE * c->throughput[knee];
    for (size_t k = 0; k < c->count; k++)
        if (c->points[k]->fits && c->throughput[k] >= enough && c->x[k] < c->x[knee]) knee = k;
    rg_doc_real(w->doc, item, "knee_batch", c->x[knee]);
    rg_doc_real(w->doc, item, "knee_throughput_per_s", c->throughput[knee]);
    rg_doc_real(w->doc, item, "knee_latency_s", c->time_s[knee]);
    rg_doc_real(w->doc, item, "thriftiest_batch", c->x[thrift]);
    rg_doc_real(w->doc, item, "thriftiest_energy_per_input_j", energy_per_input(c, thrift));
    rg_doc_real(w->doc, item, "largest_batch_that_fits", c->x[largest]);
    if (!w->spoken) return;
    rg_unit_print(rate, sizeof rate, c->throughput[knee], RG_UNIT_COUNT);
    rg_unit_print(time, sizeof time, c->time_s[knee], RG_UNIT_SECOND);
    rg_unit_print(joules, sizeof joules, energy_per_input(c, thrift), RG_UNIT_JOULE);
    if (knee == largest)
        rg_doc_point(w->doc, "%s: throughput still grows at batch %.0f: %s inputs a second, at %s", c->name,
                     c->x[knee], rate, time);
    else
        rg_doc_point(w->doc,
                     "%s: the knee is batch %.0f, with %.0f %% of the highest throughput: %s inputs a "
                     "second, at %s",
                     c->name, c->x[knee], 100 * KNEE_SHARE, rate, time);
    rg_doc_point(w->doc, "%s: batch %.0f takes the least energy per input, %s; the largest of these that "
                         "fits is %.0f", c->name, c->x[thrift], joules, c->x[largest]);
}

/* t ~ x^g between the ends: g = ln(t_2 / t_1) / ln(x_2 / x_1). In proportion it is 1, of attention alone 2.
 */
static void tell_seq(const sweeping *w, rg_item *item, const curve *c)
{
    size_t first = 0, last = 0;
    for (size_t k = 0; k < c->count; k++) {
        if (c->x[k] < c->x[first]) first = k;
        if (c->x[k] > c->x[last]) last = k;
    }
    double times = c->x[last] / c->x[first], slower = c->time_s[last] / c->time_s[first];
    if (!(times > 1) || !(slower > 0)) return;
    rg_doc_real(w->doc, item, "shortest", c->x[first]);
    rg_doc_real(w->doc, item, "longest", c->x[last]);
    rg_doc_real(w->doc, item, "latency_ratio", slower);
    rg_doc_real(w->doc, item, "latency_exponent", log(slower) / log(times));
    if (!w->spoken) return;
    rg_doc_point(w->doc, "%s: from %.0f to %.0f the time grows %.3gx, as the power %.2f of the sequence",
                 c->name, c->x[first], c->x[last], slower, log(slower) / log(times));
}

static rg_err tell_clock(const sweeping *w, rg_item *item, const curve *c)
{
    rg_best_clock best;
    char energy[32], edp[32], ed2p[32];
    RG_TRY(rg_clock_best(w->cx, c->x, c->time_s, c->energy_j, c->count, &best));
    double fastest = c->time_s[0], top_j = c->energy_j[0];
    for (size_t k = 0; k < c->count; k++)
        if (c->time_s[k] < fastest) fastest = c->time_s[k], top_j = c->energy_j[k];
    rg_doc_real(w->doc, item, "best_energy_clock_hz", c->x[best.energy]);
    rg_doc_real(w->doc, item, "best_edp_clock_hz", c->x[best.edp]);
    rg_doc_real(w->doc, item, "best_ed2p_clock_hz", c->x[best.ed2p]);
    rg_doc_real(w->doc, item, "best_energy_share", c->energy_j[best.energy] / top_j);
    rg_doc_real(w->doc, item, "best_energy_latency_ratio", c->time_s[best.energy] / fastest);
    if (!w->spoken) return RG_OK;
    rg_unit_print(energy, sizeof energy, c->x[best.energy], RG_UNIT_HERTZ);
    rg_unit_print(edp, sizeof edp, c->x[best.edp], RG_UNIT_HERTZ);
    rg_unit_print(ed2p, sizeof ed2p, c->x[best.ed2p], RG_UNIT_HERTZ);
    rg_doc_point(w->doc,
                 "%s: least energy at %s (%.0f %% of that at the fastest clock, %.2fx its time), best "
                 "energy-delay product at %s, best energy-delay² product at %s",
                 c->name, energy, 100 * c->energy_j[best.energy] / top_j, c->time_s[best.energy] / fastest,
                 edp, ed2p);
    return RG_OK;
}

static rg_err add_curves(const sweeping *w, rg_item *points, rg_item **out)
{
    const rg_study *s = w->s;
    rg_item *curves = rg_doc_array(w->doc, rg_doc_root(w->doc), "curves");
    for (uint32_t i = 0; i < s->point_count; i++) {
        curve c;
        if (!w->first[i]) continue;
        const char *name = curve_name(w, &s->points[i]);
        if (!name) return rg_nomem(w->cx);
        RG_TRY(collect(w, i, &c));
        for (size_t k = 0; k < c.count; k++) add_point(w, points, c.points[k], name);
        rg_item *item = rg_doc_object(w->doc, curves, NULL);
        rg_doc_str(w->doc, item, "curve", name);
        rg_doc_int(w->doc, item, "points", (int64_t)c.count);
        c.name = name;
        if (c.count < 2) continue;
        if (w->x == &batch) tell_batch(w, item, &c);
        if (w->x == &seq) tell_seq(w, item, &c);
        if (w->x == &clock_hz) RG_TRY(tell_clock(w, item, &c));
    }
    *out = curves;
    return RG_OK;
}

/* ---- the page ---- */

/* What each curve tells, where there are too many for sentences. */
static void show_curves(const sweeping *w, const rg_item *curves)
{
    static const rg_column batches[] = {
        {"curve", "curve", RG_UNIT_NONE, false},
        {"knee_batch", "knee", RG_UNIT_COUNT, false},
        {"knee_throughput_per_s", "inputs/s there", RG_UNIT_COUNT, false},
        {"knee_latency_s", "latency there", RG_UNIT_SECOND, false},
        {"thriftiest_batch", "thriftiest", RG_UNIT_COUNT, false},
        {"thriftiest_energy_per_input_j", "energy/input there", RG_UNIT_JOULE, false},
        {"largest_batch_that_fits", "largest that fits", RG_UNIT_COUNT, false},
    };
    static const rg_column seqs[] = {
        {"curve", "curve", RG_UNIT_NONE, false},
        {"shortest", "from", RG_UNIT_COUNT, false},
        {"longest", "to", RG_UNIT_COUNT, false},
        {"latency_ratio", "time grows (x)", RG_UNIT_NONE, false},
        {"latency_exponent", "as the power", RG_UNIT_NONE, false},
    };
    static const rg_column clocks[] = {
        {"curve", "curve", RG_UNIT_NONE, false},
        {"best_energy_clock_hz", "least energy at", RG_UNIT_HERTZ, false},
        {"best_energy_share", "of that at full clock", RG_UNIT_FRACTION, false},
        {"best_energy_latency_ratio", "time (x)", RG_UNIT_NONE, false},
        {"best_edp_clock_hz", "best EDP at", RG_UNIT_HERTZ, false},
        {"best_ed2p_clock_hz", "best ED²P at", RG_UNIT_HERTZ, false},
    };
    if (w->spoken) return;
    rg_doc_section(w->doc, 2, "What the curves tell");
    if (w->x == &batch) rg_doc_table(w->doc, "curves", curves, batches, RG_COUNT(batches), 0);
    else if (w->x == &seq) rg_doc_table(w->doc, "curves", curves, seqs, RG_COUNT(seqs), 0);
    else rg_doc_table(w->doc, "curves", curves, clocks, RG_COUNT(clocks), 0);
}

static void show_table(const sweeping *w, const rg_item *points)
{
    static const rg_column columns[] = {
        {"model", "model", RG_UNIT_NONE, false},
        {"device", "device", RG_UNIT_NONE, false},
        {"runtime", "runtime", RG_UNIT_NONE, false},
        {"precision", "precision", RG_UNIT_NONE, false},
        {"batch", "batch", RG_UNIT_COUNT, false},
        {"seq", "sequence", RG_UNIT_COUNT, false},
        {"core_clock_hz", "core clock", RG_UNIT_HERTZ, false},
        {"latency_s", "latency", RG_UNIT_SECOND, false},
        {"throughput_per_s", "inputs/s", RG_UNIT_COUNT, true},
        {"energy_per_input_j", "energy/input", RG_UNIT_JOULE, true},
        {"power_w.value", "power", RG_UNIT_WATT, false},
        {"peak_memory_byte.value", "memory", RG_UNIT_BYTE, false},
        {"bound", "bound by", RG_UNIT_NONE, false},
        {"fits", "fits", RG_UNIT_NONE, false},
    };
    rg_column shown[RG_COUNT(columns)];
    size_t count = 0;
    for (size_t i = 0; i < RG_COUNT(columns); i++) {
        bool idle = (!w->s->seqs.count && strcmp(columns[i].path, seq.path) == 0) ||
                    (!w->s->clocks && strcmp(columns[i].path, clock_hz.path) == 0);
        if (!idle) shown[count++] = columns[i];
    }
    rg_doc_table(w->doc, "points", points, shown, count, 0);
}

static void show_chart(const sweeping *w, const rg_item *points, const char *name, const char *title,
                       const char *text, rg_axis y)
{
    rg_doc_chart(w->doc, &(rg_chart){
        .kind = RG_CHART_LINE, .name = name, .title = title, .text = text, .array = points,
        .x = {w->x->path, w->x->heading, w->x->unit, w->x->log}, .y = &y, .y_count = 1, .group = "curve",
    });
}

static void show_charts(const sweeping *w, const rg_item *points)
{
    show_chart(w, points, "latency", "Latency", "Latency of one inference over what is varied.",
               (rg_axis){"latency_s.value", "latency", RG_UNIT_SECOND, true});
    show_chart(w, points, "throughput", "Throughput", "Inputs per second over what is varied.",
               (rg_axis){"throughput_per_s", "inputs per second", RG_UNIT_COUNT, false});
    show_chart(w, points, "energy", "Energy per input", "Energy of one input over what is varied.",
               (rg_axis){"energy_per_input_j", "energy per input", RG_UNIT_JOULE, false});
    show_chart(w, points, "power", "Power", "Average power over what is varied.",
               (rg_axis){"power_w.value", "power", RG_UNIT_WATT, false});
    rg_axis thrift = {"energy_per_input_j", "energy per input", RG_UNIT_JOULE, false};
    rg_doc_chart(w->doc, &(rg_chart){
        .kind = RG_CHART_LINE, .name = "tradeoff", .title = "Throughput against energy",
        .text = "Each curve from its first to its last setting: more inputs per second, at what energy each.",
        .array = points, .x = {"throughput_per_s", "inputs per second", RG_UNIT_COUNT, false}, .y = &thrift,
        .y_count = 1, .group = "curve",
    });
}

static void show_refused(const sweeping *w)
{
    const rg_study *s = w->s;
    size_t refused = 0, failed = rg_study_checks_failed(s);
    const rg_point *first = NULL;
    for (size_t i = 0; i < s->point_count; i++) {
        refused += s->points[i].err != RG_OK;
        if (s->points[i].err && !first) first = &s->points[i];
    }
    if (first)
        rg_doc_say(w->doc, "%zu of %zu settings cannot be, the first because: %s", refused, s->point_count,
                   first->error);
    rg_doc_say(w->doc, "%zu forecast%s, %zu checks failed.", s->point_count - refused,
               s->point_count - refused == 1 ? "" : "s", failed);
}

static rg_err fill(sweeping *w)
{
    char title[256];
    RG_TRY(chain(w));
    rg_item *root = rg_doc_root(w->doc), *points = rg_doc_array(w->doc, root, "points"), *curves = NULL;
    rg_doc_str(w->doc, root, "variable", w->x->path);
    rg_study_title(w->s, title, sizeof title);
    rg_doc_section(w->doc, 1, "%s over the %s", title, w->x->heading);
    RG_TRY(add_curves(w, points, &curves));
    show_table(w, points);
    show_curves(w, curves);
    show_charts(w, points);
    show_refused(w);
    return rg_doc_done(w->cx, w->doc);
}

rg_err rg_sweep_doc(rg_ctx *cx, const rg_study *study, rg_doc **out)
{
    sweeping w = {.cx = cx, .s = study, .x = variable_of(study)};
    *out = NULL;
    RG_TRY(rg_doc_new(cx, "ridge.sweep/1", &w.doc));
    rg_err err = fill(&w);
    if (err) rg_doc_free(w.doc);
    else *out = w.doc;
    return err;
}
